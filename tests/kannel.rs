//! Short messages through a real Kannel: what the channel hands over is what telephones get, once
//! and whole, and what cannot be sent now or ever is told apart.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    time::Duration,
};

use alerting::shell::channel::{
    Channel as _, ChannelError, Outgoing, Taken, Text,
    kannel::{self, Settings},
};
use model::{contact::Personal, fault::Chain, ids::NotificationId};
use secrecy::SecretString;
use world::{Kannel, Received, wait};

const PATIENCE: Duration = Duration::from_secs(20);
const NUMBER: &str = "13800000001";

/// A gateway, the channel to it, and where its receipts come.
struct World {
    gateway: Kannel,
    settings: Settings,
    runtime: tokio::runtime::Runtime,
    hooks: TcpListener,
}

impl World {
    /// `None` where this machine cannot fence a gateway in.
    fn new(folder: &Path) -> Option<Self> {
        let hooks = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = hooks.local_addr().expect("an address").port();
        let gateway = Kannel::start(folder, port)?;
        let settings = Settings {
            url: gateway.url().parse().expect("an address"),
            username: Kannel::USERNAME.to_owned(),
            password: SecretString::from(Kannel::PASSWORD),
            from: None,
            receipts: Some(SecretString::from(format!("http://127.0.0.1:{port}/hooks/a%20b"))),
            reserved: 0,
        };
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        Some(Self { gateway, settings, runtime, hooks })
    }

    fn send(&self, number: u128, to: &str, text: &str) -> Result<Taken, ChannelError> {
        self.send_with(self.settings.clone(), number, to, text)
    }

    fn send_with(
        &self,
        settings: Settings,
        number: u128,
        to: &str,
        text: &str,
    ) -> Result<Taken, ChannelError> {
        let channel = kannel::Kannel::new(settings).expect("sound settings");
        let message = Outgoing {
            id: NotificationId(number),
            attempt: 1,
            to: Personal::new(to.to_owned()),
            text: Text::new(text.to_owned()),
        };
        self.runtime.block_on(channel.hand_over(&message))
    }

    /// Takes the next receipt and gives the path that it asked for.
    fn receipt(&self) -> String {
        self.hooks.set_nonblocking(true).expect("a socket of our own");
        let accepted = wait::until("a receipt comes", PATIENCE, || self.hooks.accept());
        let (mut stream, _) = accepted;
        stream.set_nonblocking(false).expect("a socket of our own");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket of our own");
        let mut head = [0; 1024];
        let count = stream.read(&mut head).expect("a request");
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).expect("an answer");
        let head = String::from_utf8_lossy(&head[..count]).into_owned();
        head.split(' ').nth(1).expect("a path").to_owned()
    }
}

/// The reason why it is not sent now but may be later, or that it is for good.
fn refused(sent: Result<Taken, ChannelError>) -> String {
    let failure = sent.expect_err("a refusal");
    format!("{:?} {}", failure.fault(), Chain(&failure))
}

fn shown(received: &Received) -> (&str, &str, &str, usize) {
    let Received { sender, receiver, text, parts, .. } = received;
    (sender, receiver, text, *parts)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_message_arrives_once_and_whole_in_as_many_parts_as_it_needs() {
    let folder = folder();
    let Some(world) = World::new(folder.path()) else { return };
    let one = "【演练】鹿鸣滩下泄0.612，低于核定1.200m³/s，10:32起。http://h.cn/i/0123456789ABC";
    assert!(one.encode_utf16().count() <= 70);
    let two = format!("{}😀{}", "水".repeat(66), "流".repeat(60));
    let english = "Luming: flow 0.612 below 1.200 m3/s since 10:32. [@_£é€] 100% a+b=c&d";
    let long = "flow 0.612 ".repeat(25);
    let texts = [(one, 1), (two.as_str(), 2), (english, 1), (long.as_str(), 2)];
    for (number, (text, _)) in (1..).zip(texts) {
        let sent = world.send(number, NUMBER, text);
        assert!(matches!(sent, Ok(Taken::WithReceipt)), "{sent:?}");
    }
    let received = world.gateway.expect_received(texts.len());
    for (received, (text, parts)) in received.iter().zip(texts) {
        assert_eq!(shown(received), ("10690000", NUMBER, text, parts));
    }
    // One receipt for each message, however many parts it has.
    let receipts: BTreeSet<String> = texts.iter().map(|_| world.receipt()).collect();
    let paths = (1..=4).map(|number| format!("/hooks/a%20b?id={number:032x}&type=1"));
    assert_eq!(receipts, paths.collect());
    assert_eq!(world.gateway.received().len(), texts.len());
}

#[test]
fn a_number_is_sent_to_as_people_write_it_and_to_nobody_else() {
    let folder = folder();
    let Some(world) = World::new(folder.path()) else { return };
    let blind =
        Settings { receipts: None, from: Some("1069123".to_owned()), ..world.settings.clone() };
    let sent = world.send_with(blind, 1, "+86 138-0000-0001", "水");
    assert!(matches!(sent, Ok(Taken::ForGood)), "{sent:?}");
    let received = world.gateway.expect_received(1);
    assert_eq!(shown(&received[0]), ("1069123", "+8613800000001", "水", 1));
    for to in ["13800000001,13800000002", "zhang", ""] {
        let why = refused(world.send(2, to, "水"));
        assert_eq!(why, "Permanent refused for good: this is no telephone number");
    }
    assert_eq!(world.gateway.received().len(), 1);
}

#[test]
fn what_a_person_can_put_right_is_refused_for_now_and_goes_once_it_is_right() {
    let folder = folder();
    let Some(world) = World::new(folder.path()) else { return };
    let wrong = Settings { password: SecretString::from("Quellwasser"), ..world.settings.clone() };
    let why = refused(world.send_with(wrong, 1, NUMBER, "水"));
    assert!(
        why.starts_with("Transient refused for now: the gateway refuses us; look at `username`"),
        "{why}"
    );
    assert!(!why.contains("Quellwasser") && !why.contains(NUMBER), "{why}");
    let elsewhere = world.gateway.url().replace("sendsms", "other");
    let elsewhere = Settings { url: elsewhere.parse().expect("one"), ..world.settings.clone() };
    let why = refused(world.send_with(elsewhere, 1, NUMBER, "水"));
    assert!(why.starts_with("Transient refused for now: no sendsms there; look at `url`"), "{why}");
    assert!(world.send(1, NUMBER, "水").is_ok());
    assert_eq!(world.gateway.expect_received(1).len(), 1);
}

#[test]
fn a_gateway_that_is_down_refuses_for_now_and_takes_the_message_when_it_is_back() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    world.gateway.kill_smsbox();
    let why = refused(world.send(1, NUMBER, "水"));
    assert!(why.starts_with("Transient cannot reach http://127.0.0.1:"), "{why}");
    world.gateway.start_smsbox();
    assert!(world.send(1, NUMBER, "水").is_ok());
    world.gateway.expect_received(1);

    world.gateway.kill_bearerbox();
    wait::until("smsbox knows that the router is gone", PATIENCE, || {
        match world.send(2, NUMBER, "流") {
            Ok(taken) => Err(format!("{taken:?}")),
            Err(failure) if failure.fault() == model::fault::Fault::Transient => Ok(()),
            Err(failure) => panic!("{failure}"),
        }
    });
}

#[test]
fn a_gateway_without_its_operator_keeps_a_message_and_receipts_tell_of_it_later() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    world.gateway.kill_smsc();
    let sent = world.send(1, NUMBER, "水");
    assert!(matches!(sent, Ok(Taken::WithReceipt)), "{sent:?}");
    assert_eq!(world.gateway.received(), []);
    world.gateway.start_smsc();
    let received = world.gateway.expect_received(1);
    assert_eq!(shown(&received[0]), ("10690000", NUMBER, "水", 1));
    assert_eq!(world.receipt(), format!("/hooks/a%20b?id={:032x}&type=1", 1));
}

#[test]
fn a_gateway_that_says_nothing_is_given_up_within_the_limit_of_an_attempt() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    world.gateway.stall();
    let began = wait::Since::now();
    let why = refused(world.send(1, NUMBER, "水"));
    assert!(why.ends_with(": no answer within 20s"), "{why}");
    assert!(began.elapsed() < alerting::shell::channel::ATTEMPT_LIMIT);
    world.gateway.go_on();
}
