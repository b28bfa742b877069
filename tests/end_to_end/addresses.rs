//! What is reached by address alone: the page behind a link, and the hook of a gateway.

use std::{fs, os::unix::fs::PermissionsExt as _};

use model::hook::HookKey;
use world::World;

/// What a GET answers, and the header that says what a browser may do with it.
fn get(world: &World, path: &str) -> (u16, String, String) {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let asked = agent.get(format!("http://127.0.0.1:{}{path}", world.server.http())).call();
    let mut answer = asked.unwrap_or_else(|error| panic!("{path}: {error}"));
    let policy = answer.headers().get("content-security-policy");
    let policy = policy.map(|policy| policy.to_str().expect("ASCII").to_owned());
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), text, policy.unwrap_or_default())
}

#[test]
fn a_hook_has_an_address_that_survives_a_restart_and_a_link_answers_with_a_page() {
    let mut world = World::new("addresses");
    let mut settings = fs::read_to_string(world.server.settings()).expect("the settings");
    settings += "\n[[channel]]\nname = \"sms\"\nkind = \"kannel\"\nusername = \"u\"\npassword = \"p\"\n\
                 url = \"http://127.0.0.1:9/cgi-bin/sendsms\"\n";
    fs::write(world.server.settings(), settings).expect("the settings");
    world.open(&[]);

    let file = world.server.data().join("hooks.key");
    let mode = fs::metadata(&file).expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let key = fs::read(&file).expect("a key");
    let key = HookKey::new(key.try_into().expect("32 bytes"));
    let channel = "sms".parse().expect("a name");
    let hook = key.secret(&channel).kannel_path(&channel);
    // Nobody knows the message, which is no reason to deny the hook.
    let receipt = format!("{hook}?id={:032x}&type=8", 7);
    assert_eq!(get(&world, &receipt).0, 200);
    assert_eq!(get(&world, &hook).0, 400);
    let wrong = format!("/hooks/kannel/sms/{}?id={:032x}&type=8", "0".repeat(32), 7);
    assert_eq!(get(&world, &wrong).0, 404);

    let (status, page, policy) = get(&world, "/i/0123456789ABC?lang=en");
    assert!(matches!(status, 404 | 503), "{status}");
    assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let counted = world.server.metrics().expect("metrics");
    let underway = "baseflow_dashboards_receipts_total{outcome=\"underway\"} 1";
    assert!(counted.contains(underway), "{counted}");

    world.server.stop();
    world.server.start();
    assert_eq!(get(&world, &receipt).0, 200);
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).expect("a log");
    let secret = hook.rsplit('/').next().expect("the last part");
    assert!(!log.contains(secret) && !log.contains("0123456789ABC"), "{log}");
}
