//! Receipts as a gateway delivers them.

use std::collections::BTreeMap;

use model::{
    hook::HookKey,
    port::{AlertingError, Receipt, ReceiptTaken, Receipts},
};

use super::*;
use crate::shell::hooks::Hooks;

/// Knows the messages with even numbers, and has no room for the one with the number 13.
#[derive(Debug)]
struct Even;

impl Receipts for Even {
    fn knows(&self, receipt: &Receipt) -> Answer<'_, Result<bool, AlertingError>> {
        let is_known = receipt.id.0 == 13 || receipt.id.0.is_multiple_of(2);
        Box::pin(std::future::ready(Ok(is_known)))
    }

    fn take(&self, receipt: Receipt) -> Answer<'_, Result<ReceiptTaken, AlertingError>> {
        assert_eq!(receipt.channel.as_str(), "sms");
        let taken = match receipt.id.0 {
            13 => Err(AlertingError { source: "no room".into() }),
            number if number % 2 == 0 => Ok(ReceiptTaken::Noted),
            _ => Ok(ReceiptTaken::Unknown),
        };
        Box::pin(std::future::ready(taken))
    }
}

fn key() -> HookKey {
    HookKey::new([7; HookKey::BYTES])
}

/// The hook of the channel `sms`.
pub(super) fn of_tests() -> Hooks {
    let secrets: BTreeMap<_, _> =
        [channel("sms")].into_iter().map(|name| (name.clone(), key().secret(&name))).collect();
    Hooks::new(secrets, Some(Arc::new(Even)))
}

fn channel(name: &str) -> model::ids::ChannelId {
    name.parse().unwrap()
}

fn address(name: &str) -> String {
    key().secret(&channel(name)).kannel_path(&channel(name))
}

impl World {
    async fn deliver(&self, method: &Method, address: &str) -> u16 {
        let request = Request::builder().method(method).uri(address).body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(status != 200 || body.is_empty(), "Kannel would send it to the telephone");
        status
    }
}

#[test]
fn a_receipt_is_taken_at_the_secret_address_of_its_channel_alone() {
    in_world(|world| async move {
        let (address, other) = (address("sms"), address("other"));
        let wrong = format!("/hooks/kannel/sms/{}", "0".repeat(32));
        let query = |number: u32, kind: &str| format!("?id={number:032x}&type={kind}");
        for (address, query, status) in [
            (&address, query(2, "1"), 200),
            (&address, query(2, "16"), 200),
            (&address, query(3, "2"), 200),
            (&address, query(13, "8"), 200),
            (&address, query(13, "1"), 503),
            (&address, String::new(), 400),
            (&address, query(2, "%d"), 400),
            (&wrong, query(2, "1"), 404),
            (&other, query(2, "1"), 404),
            (&"/hooks/kannel/sms/".to_owned(), query(2, "1"), 404),
        ] {
            let asked = format!("{address}{query}");
            assert_eq!(world.deliver(&Method::GET, &asked).await, status, "{asked}");
        }
        for method in [Method::HEAD, Method::POST] {
            let asked = format!("{address}{}", query(2, "1"));
            assert_eq!(world.deliver(&method, &asked).await, 405, "{method}");
        }
    });
}

#[test]
fn what_became_of_receipts_is_counted_and_no_secret_stands_in_a_label() {
    in_world(|world| async move {
        let address = address("sms");
        for (number, kind) in [(2, "1"), (2, "1"), (3, "2"), (5, "8"), (13, "1"), (2, "x")] {
            world.deliver(&Method::GET, &format!("{address}?id={number:032x}&type={kind}")).await;
        }
        let text =
            prometheus::TextEncoder::new().encode_to_string(&world.counted.gather()).unwrap();
        let lines: Vec<_> =
            text.lines().filter(|line| line.starts_with("baseflow_dashboards_receipts")).collect();
        expect![[r#"
            baseflow_dashboards_receipts_total{outcome="failed"} 1
            baseflow_dashboards_receipts_total{outcome="noted"} 2
            baseflow_dashboards_receipts_total{outcome="refused"} 1
            baseflow_dashboards_receipts_total{outcome="underway"} 1
            baseflow_dashboards_receipts_total{outcome="unknown"} 1"#]]
        .assert_eq(&lines.join("\n"));
        assert!(text.contains(r#"route="/hooks/kannel/{channel}/{secret}""#), "{text}");
        assert!(!text.contains(&address), "{text}");
    });
}

#[test]
fn more_receipts_than_any_gateway_sends_are_refused() {
    in_world(|world| async move {
        let asked = format!("{}?id={:032x}&type=1", address("sms"), 2);
        let mut answered = 0;
        while world.deliver(&Method::GET, &asked).await == 200 {
            answered += 1;
            assert!(answered < 10_000, "without a bound");
        }
        assert!(answered >= 1_000, "{answered}");
        assert_eq!(world.deliver(&Method::GET, &asked).await, 429);
    });
}

#[test]
fn receipts_of_anothers_messages_keep_out_none_of_ours() {
    in_world(|world| async move {
        let asked = |number: u32| format!("{}?id={number:032x}&type=1", address("sms"));
        let mut answered = 0;
        while world.deliver(&Method::GET, &asked(3)).await == 200 {
            answered += 1;
            assert!(answered < 1_000, "without a bound of its own");
        }
        assert!(answered >= 100, "{answered}");
        for _ in 0..500 {
            assert_eq!(world.deliver(&Method::GET, &asked(2)).await, 200);
        }
    });
}
