//! Messages and the gateway that takes them: a telephone is reached once, and a gateway that is dead,
//! stalled or mad delays nobody who can be reached without it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use world::{Kannel, Server, World, wait};

use crate::watched::{
    PATIENCE, RULES, River, STATION, alarms, states, until_messages, until_states,
};

/// What [`RULES`] say of zhang.
const ZHANG: &str = r#"{ channel = "sms", to = "13800000001" }"#;
const LI: &str = "13800000002";
/// Three attempts in vain, or two that a gateway lets time out, and the waits between them.
const UNTIL_PASSED_ON: Duration = Duration::from_secs(150);

/// A world whose zhang is reached by these channels, in this order; the river flows.
fn told_by(world: &mut World, channels: &[&str]) -> River {
    let ways: Vec<String> = channels.iter().map(|name| ZHANG.replace("sms", name)).collect();
    let rules = RULES.replace(ZHANG, &ways.join(", "));
    world.open_with(&[], &["gw-third"], &format!("{STATION}{rules}"));
    let river = River::flows(world, 600);
    wait::until("readings arrive", PATIENCE, || {
        let samples = world.server.api().samples_since("BF-alarmed/release", 0)?;
        if samples.len() > 4 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
    river
}

fn notifications(server: &Server) -> Vec<Value> {
    server.api().list("notifications", "")
}

/// Recipient, channel and state of each message.
fn ways(server: &Server) -> Vec<[String; 3]> {
    let word = |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
    let row = |message: &Value| ["recipient", "channel", "state"].map(|key| word(message, key));
    notifications(server).iter().map(row).collect()
}

fn until_ways(server: &Server, what: &str, patience: Duration, wanted: &[[&str; 3]]) {
    wait::until(what, patience, || {
        let seen = ways(server);
        let has = |way: &[&str; 3]| seen.iter().any(|row| row == way);
        if wanted.iter().all(has) { Ok(()) } else { Err(format!("{seen:?}")) }
    });
}

/// Asks for a page, or sends its form; gives the status and the text, wherever that led.
fn page(world: &World, path: &str, form: Option<&str>) -> (u16, String) {
    let address = format!("http://127.0.0.1:{}{path}", world.server.http());
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let asked = match form {
        None => agent.get(address).call(),
        Some(form) => agent.post(address).send(form),
    };
    let mut answer = asked.unwrap_or_else(|error| panic!("{path}: {error}"));
    let text = answer.body_mut().read_to_string().expect("a text");
    (answer.status().as_u16(), text)
}

#[test]
fn a_fall_reaches_a_telephone_once_and_the_link_in_its_message_takes_the_alarm_on() {
    let mut world = World::new("alarm-telephone");
    let Some(gateway) = Kannel::start(world.folder(), world.server.http()) else { return };
    let sms = world.server.gateway_channel(&gateway.url());
    world.server.keep_watch_by(&[("sms", &sms)]);
    let river = told_by(&mut world, &["sms"]);
    river.set(400);
    let got = gateway.expect_received(1);
    assert_eq!(got[0].receiver, "13800000001");
    let text = &got[0].text;
    assert!(text.contains("鹿鸣滩"), "{text}");
    assert!(text.contains("下泄0.400，低于核定0.500m³/s"), "{text}");
    let (_, link) = text.split_once("/i/").expect("a link");
    let path = format!("/i/{}", link.get(..13).expect("a token"));

    // whoever looks changes nothing, however often
    for _ in 0..3 {
        let (status, shown) = page(&world, &path, None);
        assert_eq!(status, 200, "{shown}");
        assert!(shown.contains("鹿鸣滩") && shown.contains("确认，由我跟进"), "{shown}");
    }
    assert_eq!(states(&world.server), ["unacknowledged"]);
    let alarm = &alarms(&world.server)[0];
    let (status, shown) = page(&world, &path, Some(&format!("version={}", alarm["version"])));
    assert_eq!(status, 200, "{shown}");
    assert!(!shown.contains("确认，由我跟进"), "{shown}");
    let alarm = &alarms(&world.server)[0];
    assert_eq!(
        (&alarm["state"], &alarm["acknowledged_by"], &alarm["acknowledged_as"]),
        (&json!("acknowledged"), &json!("zhang"), &json!("contact"))
    );
    // li, whose turn would be eight seconds after the raise, is not told
    wait::pass(Duration::from_secs(9));
    assert_eq!(gateway.received().len(), 1);

    river.set(600);
    let got = gateway.expect_received(2);
    assert!(got[1].text.contains("已恢复"), "{got:?}");
    assert_eq!(got[1].receiver, "13800000001");
    wait::until("receipts say that both arrived", PATIENCE, || {
        let seen = ways(&world.server);
        let is_there = seen.len() == 2 && seen.iter().all(|[_, _, state]| state == "delivered");
        if is_there { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    let (status, shown) = page(&world, &path, None);
    assert_eq!(status, 200, "{shown}");
    assert_eq!(gateway.received().len(), 2, "each once");
}

#[test]
fn whoever_is_killed_before_the_receipt_came_sends_nothing_twice() {
    let mut world = World::new("alarm-receipt");
    let Some(mut gateway) = Kannel::start(world.folder(), world.server.http()) else { return };
    let sms = world.server.gateway_channel(&gateway.url());
    world.server.keep_watch_by(&[("sms", &sms)]);
    let river = told_by(&mut world, &["sms"]);

    // the operator's line is cut: the gateway takes the message and keeps it
    gateway.kill_smsc();
    river.set(400);
    until_ways(&world.server, "the gateway took it", PATIENCE, &[["zhang", "sms", "sent"]]);
    world.server.kill9();
    world.server.start();
    gateway.start_smsc();
    assert_eq!(gateway.expect_received(1)[0].receiver, "13800000001");
    until_ways(&world.server, "its receipt came", PATIENCE, &[["zhang", "sms", "delivered"]]);
    // li is told after eight seconds by what the journal says, whoever was killed
    until_ways(&world.server, "li is told", PATIENCE, &[["li", "sms", "delivered"]]);
    // a receipt may be here before the telephone's log is written
    let seen = gateway.expect_received(2).into_iter().map(|got| got.receiver);
    assert_eq!(seen.collect::<Vec<_>>(), ["13800000001", LI], "each once");
    river.set(600);
    assert!(gateway.expect_received(4)[2..].iter().all(|got| got.text.contains("已恢复")));
    until_states(&world.server, "it is over", &["cleared_unacknowledged"]);

    // the receipt comes while nobody is there to take it
    gateway.kill_smsc();
    river.set(400);
    wait::until("the gateway took both", PATIENCE, || {
        let seen = ways(&world.server);
        let sent = seen.iter().filter(|[_, _, state]| state == "sent").count();
        if seen.len() == 6 && sent == 2 { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    world.server.kill9();
    gateway.start_smsc();
    gateway.expect_received(6);
    world.server.start();
    river.set(600);
    let got = gateway.expect_received(8);
    println!("after a receipt that nobody took: {:?}", ways(&world.server));
    assert_eq!(got.iter().filter(|got| got.text.contains("低于")).count(), 4, "{got:?}");
    assert_eq!(got.iter().filter(|got| got.text.contains("已恢复")).count(), 4, "{got:?}");
    assert_eq!(gateway.received().len(), 8);
    let said = world.server.command(&["verify"]).success();
    assert!(said.contains("0 findings"), "{said}");
}

#[test]
fn a_gateway_that_is_dead_is_tried_on_and_others_are_told_by_their_next_way() {
    let mut world = World::new("alarm-dead");
    let Some(mut gateway) = Kannel::start(world.folder(), world.server.http()) else { return };
    let sms = world.server.gateway_channel(&gateway.url());
    let backup = world.server.file_channel();
    world.server.keep_watch_by(&[("sms", &sms), ("backup", &backup)]);
    let river = told_by(&mut world, &["sms", "backup"]);
    gateway.kill_smsbox();
    river.set(400);
    until_ways(
        &world.server,
        "zhang is told by the next way",
        UNTIL_PASSED_ON,
        &[["zhang", "sms", "owed"], ["zhang", "backup", "sent"], ["li", "sms", "owed"]],
    );
    let messages = until_messages(&world.server, "the file has it", 1);
    assert_eq!(messages[0]["to"], json!("13800000001"), "{messages:?}");
    for message in notifications(&world.server) {
        let attempts = message["attempts"].as_u64().unwrap();
        let least =
            if message["recipient"] == "zhang" && message["channel"] == "sms" { 3 } else { 1 };
        assert!(attempts >= least && message["text"].is_string(), "{message}");
    }
    gateway.start_smsbox();
    until_ways(
        &world.server,
        "it is tried until it takes them",
        UNTIL_PASSED_ON,
        &[["zhang", "sms", "delivered"], ["li", "sms", "delivered"]],
    );
    let got = gateway.expect_received(2);
    let mut seen: Vec<String> = got.into_iter().map(|got| got.receiver).collect();
    seen.sort();
    assert_eq!(seen, ["13800000001", LI], "each once");
    assert_eq!(world.server.messages().len(), 1);
}

#[test]
fn a_gateway_that_stalls_holds_up_no_alarm_and_nobody_who_has_another_way() {
    let mut world = World::new("alarm-stalled");
    let Some(mut gateway) = Kannel::start(world.folder(), world.server.http()) else { return };
    let sms = world.server.gateway_channel(&gateway.url());
    let backup = world.server.file_channel();
    world.server.keep_watch_by(&[("sms", &sms), ("backup", &backup)]);
    let river = told_by(&mut world, &["sms", "backup"]);
    gateway.stall();
    river.set(400);
    until_states(&world.server, "the alarm is raised", &["unacknowledged"]);
    until_ways(&world.server, "zhang is owed it", PATIENCE, &[["zhang", "sms", "owed"]]);
    until_ways(
        &world.server,
        "zhang is told by the next way, and li's turn came",
        UNTIL_PASSED_ON,
        &[["zhang", "sms", "owed"], ["zhang", "backup", "sent"], ["li", "sms", "owed"]],
    );
    // what rises and falls meanwhile does so in time
    river.set(600);
    until_states(&world.server, "it is over", &["cleared_unacknowledged"]);
    let messages = until_messages(&world.server, "the end is told, too", 2);
    assert!(messages[1]["text"].as_str().unwrap().contains("已恢复"), "{messages:?}");
    gateway.go_on();
}

/// What takes each request whole and hangs up without a word.
struct Mute {
    address: SocketAddr,
    /// Number and text of each message that it took.
    heard: Arc<Mutex<Vec<(String, String)>>>,
    is_over: Arc<AtomicBool>,
    ear: Option<thread::JoinHandle<()>>,
}

impl Mute {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let heard: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let is_over: Arc<AtomicBool> = Arc::default();
        let (all, end) = (Arc::clone(&heard), Arc::clone(&is_over));
        let ear = thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let message = heard_whole(stream.expect("a connection"));
                all.lock().expect("nobody panics with it").extend(message);
            }
        });
        Self { address, heard, is_over, ear: Some(ear) }
    }

    fn url(&self) -> String {
        format!("http://{}/cgi-bin/sendsms", self.address)
    }

    /// The texts that it took for one telephone.
    fn texts_to(&self, number: &str) -> Vec<String> {
        let heard = self.heard.lock().expect("nobody panics with it");
        heard.iter().filter(|(to, _)| to == number).map(|(_, text)| text.clone()).collect()
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(ear)) = (woken, self.ear.take()) {
            drop(ear.join());
        }
    }
}

/// Number and text of one request; none where it is cut short or for nobody.
fn heard_whole(stream: TcpStream) -> Option<(String, String)> {
    let mut stream = BufReader::new(stream);
    let (mut to, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-kannel-to" => to = Some(value.to_owned()),
            "content-length" => length = value.parse().ok()?,
            _ => {}
        }
    }
    let mut text = vec![0; length];
    stream.read_exact(&mut text).ok()?;
    Some((to?, String::from_utf8(text).ok()?))
}

#[test]
fn whoever_takes_a_message_and_hangs_up_is_not_given_it_all_night() {
    let mut world = World::new("alarm-hung-up");
    let gateway = Mute::start();
    let sms = world.server.gateway_channel(&gateway.url());
    let backup = world.server.file_channel();
    world.server.keep_watch_by(&[("sms", &sms), ("backup", &backup)]);
    let river = told_by(&mut world, &["sms", "backup"]);
    river.set(400);
    until_ways(
        &world.server,
        "zhang is told by the next way, and li's turn came",
        PATIENCE,
        &[["zhang", "sms", "owed"], ["zhang", "backup", "sent"], ["li", "sms", "owed"]],
    );
    // what is refused would be tried four times by now
    wait::pass(Duration::from_secs(60));
    for number in ["13800000001", LI] {
        let texts = gateway.texts_to(number);
        assert_eq!(texts.len(), 2, "{number}: {texts:?}");
    }
    // li may have been told, and is told of the end
    river.set(600);
    wait::until("the end is told", PATIENCE, || {
        let texts = gateway.texts_to(LI);
        let is_told = texts.iter().any(|text| text.contains("已恢复"));
        if is_told { Ok(()) } else { Err(format!("{texts:?}")) }
    });
    let messages = until_messages(&world.server, "zhang is told of it by his other way", 2);
    assert!(messages[1]["text"].as_str().unwrap().contains("已恢复"), "{messages:?}");
}

#[test]
fn what_answers_nonsense_in_place_of_a_gateway_is_passed_over() {
    let mut world = World::new("alarm-nonsense");
    // a broker, which speaks no HTTP, and a server of pages, which knows no such page
    let broker =
        world.server.gateway_channel(&format!("http://127.0.0.1:{}/", world.broker.port()));
    let pages = format!("http://127.0.0.1:{}/cgi-bin/sendsms", world.server.http());
    let pages = world.server.gateway_channel(&pages);
    let file = world.server.file_channel();
    let channels = [("sms", &*broker), ("pages", &*pages), ("file", &*file)];
    world.server.keep_watch_by(&channels);
    let river = told_by(&mut world, &["sms", "pages", "file"]);
    river.set(400);
    let messages = until_messages(&world.server, "zhang is told in the end", 1);
    assert_eq!(messages[0]["to"], json!("13800000001"), "{messages:?}");
    let tried: Vec<[String; 3]> = ways(&world.server);
    let by = |channel: &str| tried.iter().find(|[who, by, _]| who == "zhang" && by == channel);
    assert!(by("sms").is_some_and(|[_, _, state]| state != "sent"), "{tried:?}");
    assert!(by("pages").is_some_and(|[_, _, state]| state != "sent"), "{tried:?}");
    until_states(&world.server, "the alarm stands", &["unacknowledged"]);
}
