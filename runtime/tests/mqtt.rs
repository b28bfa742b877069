//! The pipe against a real Mosquitto, in both dialects, and against a peer that stalls.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that meets anything else says so and ends"
)]

use std::{
    fs,
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use runtime::{
    mqtt::{
        Answer, Broker, Closed, Event, Events, Login, Message, Options, Outgoing, Pipe, PipeError,
        Session, Version, open,
    },
    tasks::{Stage, Tasks},
};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::time::timeout;

const BOTH: [Version; 2] = [Version::V4, Version::V5];
const PATIENCE: Duration = Duration::from_secs(20);

/// A Mosquitto of our own on a free port of loopback; it ends with this value.
struct Mosquitto {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Mosquitto {
    fn start(more: impl FnOnce(&Path) -> String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let more = more(folder.path());
        let config = format!(
            "listener {port} 127.0.0.1\nuser root\nlog_dest stderr\nlog_type all\n{more}\n"
        );
        let file = folder.path().join("mosquitto.conf");
        fs::write(&file, config).unwrap();
        let mut process = Command::new(program("mosquitto"))
            .arg("-c")
            .arg(file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(" running") {
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "mosquitto ended: {said}");
        }
        // a full pipe would stall it
        std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
        Self { process, port, _folder: folder }
    }

    fn open_to_all() -> Self {
        Self::start(|_folder| "allow_anonymous true".to_owned())
    }

    fn options(&self, client_id: &str, version: Version) -> Options {
        let broker: Broker = format!("mqtt://127.0.0.1:{}", self.port).parse().unwrap();
        Options { version, ..Options::new(broker, client_id.to_owned()) }
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn program(name: &str) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain(["/usr/sbin".into(), "/usr/bin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed"))
}

fn library(name: &str) -> PathBuf {
    let machines = fs::read_dir("/usr/lib").unwrap().map(|folder| folder.unwrap().path());
    let found = machines.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed"))
}

fn stage() -> Stage {
    Tasks::new().stage("mqtt", Duration::from_secs(1))
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.unwrap_or_else(|_elapsed| panic!("waited in vain: {what}"))
}

async fn next(events: &mut Events) -> Event {
    soon("an event", events.next()).await
}

async fn connected(options: &Options) -> (Pipe, Events, bool) {
    let (pipe, mut events) = open(options, &stage());
    match next(&mut events).await {
        Event::Connected { is_session_present } => (pipe, events, is_session_present),
        other => panic!("not connected: {other:?}"),
    }
}

/// Subscribes and gives what the broker refused.
async fn subscribed(pipe: &Pipe, events: &mut Events, filters: &[&str]) -> Vec<(String, String)> {
    pipe.subscribe(filters).unwrap();
    match next(events).await {
        Event::Subscribed { refused } => refused,
        other => panic!("not subscribed: {other:?}"),
    }
}

async fn message(events: &mut Events) -> Message {
    match next(events).await {
        Event::Message(message) => message,
        other => panic!("no message: {other:?}"),
    }
}

async fn answer(events: &mut Events) -> (u64, Answer) {
    match next(events).await {
        Event::Acknowledged { token, answer } => (token, answer),
        other => panic!("no acknowledgement: {other:?}"),
    }
}

async fn closed(events: &mut Events) -> Closed {
    loop {
        if let Event::Closed(reason) = next(events).await {
            return reason;
        }
    }
}

async fn until_paused(events: &Events) {
    let paused = async {
        while events.pauses() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("reading to pause", paused).await;
}

fn outgoing(topic: &str, payload: impl Into<bytes::Bytes>) -> Outgoing {
    Outgoing { topic: topic.to_owned(), payload: payload.into(), is_retained: false }
}

#[tokio::test]
async fn every_token_is_acknowledged_and_messages_keep_their_order() {
    let mosquitto = Mosquitto::open_to_all();
    for version in BOTH {
        let (subscriber, mut inbox, _) = connected(&mosquitto.options("in", version)).await;
        assert_eq!(subscribed(&subscriber, &mut inbox, &["t/#"]).await, []);
        // wider than the 20 that Mosquitto takes at a time, and not in step with packet ids
        let options = Options { window: 64, ..mosquitto.options("out", version) };
        let (pipe, mut events, _) = connected(&options).await;
        assert_eq!(subscribed(&pipe, &mut events, &["none"]).await, []);
        let (mut sent, mut acknowledged) = (0, Vec::new());
        while acknowledged.len() < 300 {
            while sent < 300 {
                match pipe.publish(1_000 + sent, outgoing("t/x", sent.to_string())) {
                    Ok(()) => sent += 1,
                    Err(PipeError::Full) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            let (token, said) = answer(&mut events).await;
            assert_eq!(said, Answer::Taken);
            acknowledged.push(token);
            let arrived = message(&mut inbox).await;
            assert_eq!(arrived.payload, (acknowledged.len() - 1).to_string());
            assert!(arrived.ack.unwrap().send());
        }
        assert_eq!(acknowledged, (1_000..1_300).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_window_is_the_bound_of_unacknowledged_publishes() {
    let mosquitto = Mosquitto::open_to_all();
    let options = Options { window: 3, ..mosquitto.options("out", Version::V5) };
    let (pipe, mut events, _) = connected(&options).await;
    let mut publish = |token| pipe.publish(token, outgoing("t", "x"));
    assert_eq!([0, 1, 2, 3].map(&mut publish), [Ok(()), Ok(()), Ok(()), Err(PipeError::Full)]);
    assert_eq!(answer(&mut events).await, (0, Answer::Unheard));
    assert_eq!(publish(3), Ok(()));
}

#[tokio::test]
async fn a_message_without_an_ack_comes_again_and_its_old_ack_does_nothing() {
    let mosquitto = Mosquitto::open_to_all();
    for version in BOTH {
        let id = format!("ingest-{version:?}");
        let session = Session::Kept(Duration::from_hours(1));
        let options = Options { session, ..mosquitto.options(&id, version) };
        let (pipe, mut events, is_session_present) = connected(&options).await;
        assert!(!is_session_present);
        assert_eq!(subscribed(&pipe, &mut events, &["t/+"]).await, []);
        let (sender, mut answers, _) = connected(&mosquitto.options("out", version)).await;
        sender.publish(1, outgoing("t/a", "first")).unwrap();
        assert_eq!(answer(&mut answers).await, (1, Answer::Taken));
        let stale = message(&mut events).await;
        drop(events);

        let (pipe, mut events, is_session_present) = connected(&options).await;
        assert!(is_session_present);
        assert!(!stale.ack.unwrap().send());
        let again = message(&mut events).await;
        assert_eq!((again.topic.as_str(), &again.payload[..]), ("t/a", &b"first"[..]));
        assert!(again.ack.unwrap().send());
        sender.publish(2, outgoing("t/a", "second")).unwrap();
        let second = message(&mut events).await;
        assert_eq!(second.payload, "second");
        assert!(second.ack.unwrap().send());
        pipe.close();
        assert_eq!(closed(&mut events).await, Closed::OnRequest);

        let (_pipe, mut events, is_session_present) = connected(&options).await;
        assert!(is_session_present);
        sender.publish(3, outgoing("t/a", "third")).unwrap();
        assert_eq!(message(&mut events).await.payload, "third");
    }
}

#[tokio::test]
async fn the_will_is_published_unless_the_pipe_was_closed() {
    let mosquitto = Mosquitto::open_to_all();
    for version in BOTH {
        let (watcher, mut seen, _) = connected(&mosquitto.options("watch", version)).await;
        assert_eq!(subscribed(&watcher, &mut seen, &["status"]).await, []);
        let will = Outgoing { is_retained: true, ..outgoing("status", "offline") };
        let options = Options { will: Some(will), ..mosquitto.options("agent", version) };

        let (pipe, mut events, _) = connected(&options).await;
        pipe.publish(1, outgoing("status", "stopped")).unwrap();
        pipe.close();
        assert_eq!(closed(&mut events).await, Closed::OnRequest);
        assert_eq!(message(&mut seen).await.payload, "stopped");

        let (_pipe, events, _) = connected(&options).await;
        drop(events);
        assert_eq!(message(&mut seen).await.payload, "offline");
        let (late, mut seen_late, _) = connected(&mosquitto.options("late", version)).await;
        late.subscribe(&["status"]).unwrap();
        let retained = loop {
            if let Event::Message(message) = next(&mut seen_late).await {
                break message;
            }
        };
        assert!(retained.is_retained);
        late.publish(1, Outgoing { is_retained: true, ..outgoing("status", "") }).unwrap();
        soon("the broker to forget", async {
            while !matches!(next(&mut seen_late).await, Event::Acknowledged { .. }) {}
        })
        .await;
    }
}

#[tokio::test]
async fn refusals_of_the_broker_are_told() {
    let mosquitto = Mosquitto::start(|folder| {
        let (rules, passwords) = (folder.join("acl"), folder.join("passwords"));
        fs::write(&rules, "user agent\ntopic readwrite mine/#\n").unwrap();
        let made = Command::new(program("mosquitto_passwd"))
            .args(["-c", "-b"])
            .arg(&passwords)
            .args(["agent", "right"])
            .status();
        assert!(made.unwrap().success());
        format!(
            "allow_anonymous false\nacl_file {}\npassword_file {}",
            rules.display(),
            passwords.display()
        )
    });
    for version in BOTH {
        let login = |password: &str| {
            Some(Login { username: "agent".to_owned(), password: SecretString::from(password) })
        };
        let options = mosquitto.options("agent", version);
        let wrong = Options { login: login("wrong"), ..options.clone() };
        let (_pipe, mut events) = open(&wrong, &stage());
        assert!(matches!(closed(&mut events).await, Closed::Refused(_)));

        let (pipe, mut events, _) = connected(&Options { login: login("right"), ..options }).await;
        pipe.publish(7, outgoing("theirs/batch", "x")).unwrap();
        let (token, said) = answer(&mut events).await;
        let is_told = matches!(said, Answer::Refused(_));
        assert_eq!((token, is_told), (7, version == Version::V5));
    }
}

/// A file of rules never makes Mosquitto refuse a filter, only withhold its messages.
#[tokio::test]
async fn each_filter_is_granted_or_refused_for_itself() {
    let mosquitto = Mosquitto::start(|folder| {
        let rules = folder.join("rules.json");
        fs::write(&rules, include_str!("rules.json")).unwrap();
        let plugin = "mosquitto_dynamic_security.so";
        format!(
            "allow_anonymous true\nplugin {}\nplugin_opt_config_file {}",
            library(plugin).display(),
            rules.display()
        )
    });
    for version in BOTH {
        let (pipe, mut events, _) = connected(&mosquitto.options("agent", version)).await;
        let refused = subscribed(&pipe, &mut events, &["mine/commit", "theirs/#"]).await;
        let filters: Vec<_> = refused.iter().map(|(filter, _reason)| filter.as_str()).collect();
        assert_eq!(filters, ["theirs/#"]);
    }
}

#[tokio::test]
async fn a_broker_that_goes_away_ends_the_connection() {
    for version in BOTH {
        let mosquitto = Mosquitto::open_to_all();
        let options = mosquitto.options("agent", version);
        let (pipe, mut events, _) = connected(&options).await;
        drop(mosquitto);
        assert!(matches!(closed(&mut events).await, Closed::Lost(_)));
        assert_eq!(pipe.publish(1, outgoing("t", "x")), Err(PipeError::NotOpen));
        let (_pipe, mut events) = open(&options, &stage());
        assert!(matches!(closed(&mut events).await, Closed::Unreachable(_)));
        assert!(matches!(closed(&mut events).await, Closed::Unreachable(_)), "for ever");
    }
}

#[tokio::test]
async fn messages_that_nobody_takes_wait_at_the_broker_and_none_is_lost() {
    const MESSAGES: u64 = 200;
    // No bound of its own on what is in flight; and version 2.0.11 sends more than the Receive
    // Maximum once the first acknowledgements have come.
    let mosquitto =
        Mosquitto::start(|_folder| "allow_anonymous true\nmax_inflight_messages 0".to_owned());
    for version in BOTH {
        // a window and a maximum so small that the queue of events is full soon, and fewer bytes
        let (receive_maximum, window) = (64, 4);
        for backlog_bytes in [4 << 20, 1_500] {
            let options = Options {
                backlog_bytes,
                receive_maximum,
                window,
                ..mosquitto.options("slow", version)
            };
            let (pipe, mut events, _) = connected(&options).await;
            assert_eq!(subscribed(&pipe, &mut events, &["t"]).await, []);
            let out = Options { window: 16, ..mosquitto.options("out", version) };
            let (sender, mut answers, _) = connected(&out).await;
            for token in 0..MESSAGES {
                while sender.publish(token, outgoing("t", vec![7; 1_000])) == Err(PipeError::Full) {
                    answer(&mut answers).await;
                }
            }
            if backlog_bytes < 4_000 {
                until_paused(&events).await;
            }
            let mut acknowledged = 0;
            let mut published = 0;
            for taken in 0..MESSAGES {
                // publishes of our own, whose acknowledgements nobody has taken yet
                while pipe.publish(taken, outgoing("none", "x")).is_ok() {
                    published += 1;
                }
                let message = loop {
                    match next(&mut events).await {
                        Event::Message(message) => break message,
                        Event::Acknowledged { .. } => acknowledged += 1,
                        other => panic!("after {taken} messages: {other:?}"),
                    }
                };
                assert!(message.ack.unwrap().send());
            }
            while acknowledged < published {
                answer(&mut events).await;
                acknowledged += 1;
            }
            pipe.close();
            assert_eq!(closed(&mut events).await, Closed::OnRequest);
        }
    }
}

#[tokio::test]
async fn a_reader_that_stays_away_can_still_let_go() {
    let mosquitto = Mosquitto::open_to_all();
    for version in BOTH {
        let stage = stage();
        let options = Options { backlog_bytes: 1_500, ..mosquitto.options("slow", version) };
        let (pipe, mut events) = open(&options, &stage);
        assert!(matches!(next(&mut events).await, Event::Connected { .. }));
        assert_eq!(subscribed(&pipe, &mut events, &["t"]).await, []);
        let (sender, _answers, _) = connected(&mosquitto.options("out", version)).await;
        for token in 0..4 {
            sender.publish(token, outgoing("t", vec![0; 1_000])).unwrap();
        }
        until_paused(&events).await;
        drop(events);
        soon("the task to end", async {
            while !stage.pending().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn large_messages_pass_and_larger_ones_are_refused_here() {
    let mosquitto = Mosquitto::open_to_all();
    for version in BOTH {
        let (pipe, mut events, _) = connected(&mosquitto.options("large", version)).await;
        assert_eq!(subscribed(&pipe, &mut events, &["t"]).await, []);
        pipe.publish(1, outgoing("t", vec![7; 2 << 20])).unwrap();
        let arrived = loop {
            if let Event::Message(message) = next(&mut events).await {
                break message;
            }
        };
        assert_eq!(arrived.payload.len(), 2 << 20);
        let refused = pipe.publish(2, outgoing("t", vec![7; (2 << 20) + 1024]));
        assert!(matches!(refused, Err(PipeError::TooLarge { .. })), "{refused:?}");
        for topic in ["", "t/#", "t/+/x"] {
            assert!(matches!(pipe.publish(3, outgoing(topic, "")), Err(PipeError::Topic(_))));
        }
        assert!(matches!(pipe.subscribe(&["t/#/x"]), Err(PipeError::Topic(_))));
    }
}

#[tokio::test]
async fn a_peer_that_stalls_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(&[0x20, 3, 0, 0, 0]).unwrap();
        stream
    });
    let options = Options::new(url.parse().unwrap(), "agent".to_owned());
    let (pipe, mut events, _) = connected(&options).await;
    let _stream_that_nobody_reads = peer.join().unwrap();
    for token in 0..16 {
        pipe.publish(token, outgoing("t", vec![0; 2_000_000])).unwrap();
    }
    tokio::time::pause(); // from here on, time passes whenever nothing else happens
    let Event::Closed(reason) = events.next().await else { panic!("an event") };
    assert_eq!(reason, Closed::Silent(options.keep_alive * 5 / 2));
}
