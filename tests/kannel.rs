//! Short messages through a real Kannel: what it took is what telephones get, once and whole, also
//! when it dies in between; and what it refuses for now, refuses for good or may have taken is told
//! apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use alerting::shell::channel::{
    Channel as _, ChannelError, Outgoing, Taken, Text,
    kannel::{self, Settings},
};
use dashboards::shell::{
    hooks::Hooks, live::Picture, metrics::Metrics, pages::Pages, parts::Parts, people::People,
    server::serve, site::Site, waters::Waters,
};
use model::{
    contact::Personal,
    fault::{Chain, Fault},
    hook::HookKey,
    ids::{ChannelId, NotificationId},
    port::{AlertingError, Answer, Receipt, ReceiptTaken, Receipts},
};
use runtime::{clock::SystemClock, tasks::Tasks};
use secrecy::SecretString;
use store::{Options, Role, Store};
use world::{Kannel, Received, wait};

const PATIENCE: Duration = Duration::from_secs(20);
const NUMBER: &str = "13800000001";

/// Every receipt that came through the hook.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Vec<Receipt>>>);

impl Receipts for Heard {
    fn knows(&self, _receipt: &Receipt) -> Answer<'_, Result<bool, AlertingError>> {
        Box::pin(std::future::ready(Ok(true)))
    }

    fn take(&self, receipt: Receipt) -> Answer<'_, Result<ReceiptTaken, AlertingError>> {
        self.0.lock().expect("nobody panics with it").push(receipt);
        Box::pin(std::future::ready(Ok(ReceiptTaken::Noted)))
    }
}

/// A gateway, the channel to it, and our own server at whose hook its receipts come.
struct World {
    gateway: Kannel,
    settings: Settings,
    heard: Heard,
    runtime: tokio::runtime::Runtime,
    _tasks: Tasks,
    _store: Store,
}

impl World {
    /// `None` where this machine cannot fence a gateway in.
    fn new(folder: &Path) -> Option<Self> {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"));
        let listener = listener.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let gateway = Kannel::start(folder, port)?;

        let (channel, heard) = (channel(), Heard::default());
        let secret = HookKey::new([7; HookKey::BYTES]).secret(&channel);
        // Written so that both Kannel and our server have something to read: %73 is an s.
        let path = secret.kannel_path(&channel).replace("/sms/", "/%73ms/");
        let settings = Settings {
            url: gateway.url().parse().expect("an address"),
            ca: None,
            username: Kannel::USERNAME.to_owned(),
            password: SecretString::from(Kannel::PASSWORD),
            from: None,
            receipts: Some(SecretString::from(format!("http://127.0.0.1:{port}{path}"))),
            reserved: 0,
        };
        let hooks = Hooks::new(BTreeMap::from([(channel, secret)]), Some(Arc::new(heard.clone())));
        let (store, tasks) = open(&folder.join("data"), listener, hooks, &runtime);
        Some(Self { gateway, settings, heard, runtime, _tasks: tasks, _store: store })
    }

    fn send(&self, number: u128, to: &str, text: &str) -> Result<Taken, ChannelError> {
        handed_over(self.settings.clone(), number, to, text)
    }

    /// Waits until so many receipts have come, and gives of which messages they are.
    fn expect_delivered(&self, count: usize) -> BTreeSet<u128> {
        let what = format!("{count} receipts have come");
        wait::until(&what, PATIENCE, || {
            let heard = self.heard.0.lock().expect("nobody panics with it").clone();
            assert!(
                heard.iter().all(|receipt| receipt.is_delivered && receipt.channel == channel())
            );
            assert!(heard.len() <= count, "{heard:?}");
            let ids = heard.iter().map(|receipt| receipt.id.0).collect();
            if heard.len() == count { Ok(ids) } else { Err(format!("{heard:?}")) }
        })
    }
}

/// What a channel says of one message.
fn handed_over(
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(channel.hand_over(&message))
}

/// Our server over an empty store.
fn open(
    data: &Path,
    listener: tokio::net::TcpListener,
    hooks: Hooks,
    runtime: &tokio::runtime::Runtime,
) -> (Store, Tasks) {
    let metrics = prometheus::Registry::new();
    let clock = Arc::new(SystemClock);
    let now = runtime::clock::Clock::now(&*clock);
    let options = Options { now, version: "0".to_owned(), role: Role::Command };
    let store = Store::open(data, &options, &metrics).expect("a store");
    let mut tasks = Tasks::new();
    let stage = tasks.stage("api", PATIENCE);
    let parts = Parts {
        samples: store.samples().clone(),
        journal: store.journal().clone(),
        replay: None,
        hooks,
        pages: Pages::new(None),
        waters: Waters::default(),
        people: People::new(
            "http://127.0.0.1",
            HookKey::new([7; HookKey::BYTES]),
            (&[], Vec::new()),
            now,
        ),
        site: Site::built_in(),
        picture: Picture::new(0),
        clock,
        decided: store::Decided::default(),
        stage: stage.clone(),
        metrics: Metrics::new(&metrics).expect("names of their own"),
    };
    let _entered = runtime.enter();
    stage.spawn("api", serve(listener, Arc::new(parts), stage.stopping()));
    (store, tasks)
}

fn channel() -> ChannelId {
    "sms".parse().expect("a name")
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
    // One receipt for each message, however many parts it has, and no text to anybody for it.
    assert_eq!(world.expect_delivered(texts.len()), (1..=4).collect());
    assert_eq!(world.gateway.received().len(), texts.len());
}

#[test]
fn a_number_is_sent_to_as_people_write_it_and_to_nobody_else() {
    let folder = folder();
    let Some(world) = World::new(folder.path()) else { return };
    let blind =
        Settings { receipts: None, from: Some("1069123".to_owned()), ..world.settings.clone() };
    let sent = handed_over(blind, 1, "+86 138-0000-0001", "水");
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
    let why = refused(handed_over(wrong, 1, NUMBER, "水"));
    assert!(
        why.starts_with("Transient refused for now: the gateway refuses us; look at `username`"),
        "{why}"
    );
    assert!(!why.contains("Quellwasser") && !why.contains(NUMBER), "{why}");
    let elsewhere = world.gateway.url().replace("sendsms", "other");
    let elsewhere = Settings { url: elsewhere.parse().expect("one"), ..world.settings.clone() };
    let why = refused(handed_over(elsewhere, 1, NUMBER, "水"));
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
            Err(failure) if failure.fault() == Fault::Transient => Ok(()),
            Err(failure) => panic!("{failure}"),
        }
    });
}

#[test]
fn a_gateway_that_dies_in_mid_message_may_have_taken_it() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    world.gateway.stall();
    let settings = world.settings.clone();
    let call = std::thread::spawn(move || handed_over(settings, 1, NUMBER, "水"));
    world.gateway.expect_unread();
    world.gateway.kill_smsbox();
    let failure = call.join().expect("a call").expect_err("no answer");
    assert!(failure.is_doubtful(), "{}", Chain(&failure));
    assert!(failure.to_string().starts_with("no answer from http://127.0.0.1:"), "{failure}");
    world.gateway.start_smsbox();
    assert!(world.send(1, NUMBER, "水").is_ok());
    assert_eq!(world.gateway.expect_received(1).len(), 1);
}

#[test]
fn what_a_gateway_took_before_it_died_is_sent_once_it_is_back() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    world.gateway.kill_smsc();
    let sent = world.send(1, NUMBER, "水");
    assert!(matches!(sent, Ok(Taken::WithReceipt)), "{sent:?}");
    world.gateway.kill_smsbox();
    world.gateway.kill_bearerbox();
    world.gateway.start_bearerbox();
    world.gateway.start_smsbox();
    world.gateway.start_smsc();
    let received = world.gateway.expect_received(1);
    assert_eq!(shown(&received[0]), ("10690000", NUMBER, "水", 1));
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
    assert_eq!(world.expect_delivered(1), BTreeSet::from([1]));
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

#[test]
fn a_probe_tells_whether_the_gateway_lets_us_in_and_sends_nothing() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    let probed = |world: &World, settings: Settings| {
        let gateway = kannel::Kannel::new(settings).expect("sound settings");
        let probed = world.runtime.block_on(gateway.probe());
        probed.map_err(|failure| Chain(&failure).to_string())
    };
    assert_eq!(probed(&world, world.settings.clone()), Ok(()));
    let wrong = Settings { username: "nobody".to_owned(), ..world.settings.clone() };
    let why = probed(&world, wrong).expect_err("a wrong name");
    assert!(
        why.starts_with("refused for now: the gateway refuses us; look at `username`"),
        "{why}"
    );
    world.gateway.kill_smsbox();
    let why = probed(&world, world.settings.clone()).expect_err("nobody there");
    assert!(why.starts_with("cannot reach http://127.0.0.1:"), "{why}");
    assert_eq!(world.gateway.received(), []);
}

#[test]
fn over_tls_a_message_goes_to_whom_we_trust_and_to_nobody_else() {
    let folder = folder();
    let Some(mut world) = World::new(folder.path()) else { return };
    let (url, ca) = world.gateway.start_tls();
    let url = url.parse().expect("an address");
    let trusting = Settings { url, ca: Some(ca), ..world.settings.clone() };
    let strange = Settings { ca: None, ..trusting.clone() };
    let why = refused(handed_over(strange, 1, NUMBER, "水"));
    assert!(why.starts_with("Transient cannot reach https://127.0.0.1:"), "{why}");
    assert!(why.contains("not known to be who it says: invalid peer certificate"), "{why}");
    let sent = handed_over(trusting, 2, NUMBER, "流");
    assert!(matches!(sent, Ok(Taken::WithReceipt)), "{sent:?}");
    let received = world.gateway.expect_received(1);
    assert_eq!(shown(&received[0]), ("10690000", NUMBER, "流", 1));
}
