//! The consumer over a real store: what comes late or twice, however often it starts again, and
//! whatever channels say, the same alarms come of the same readings.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests; the lints spare only functions marked as such"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alerting::{
    desk::Surroundings,
    metrics::Metrics,
    shell::{
        answers::Answers,
        channel::{Channel, ChannelError, Outgoing, Taken},
        outbox::Outbox,
        watch::{Consumer, Parts},
    },
};
use expect_test::{Expect, expect};
use model::{
    alarm::{AlarmState, LinkToken},
    batch::{Batch, BatchClock, Column},
    ids::{AgentId, AlarmId, BatchId, Epoch},
    port::{Acknowledged, Answer, Links as _},
    quantity::Unit,
    reading::Point,
    time::Timestamp,
    tree::Origin,
    wire::batch_v1,
};
use proptest::prelude::*;
use runtime::{
    admin::Readiness,
    clock::{Clock as _, ManualClock},
    tasks::Tasks,
};
use store::{
    Acknowledge, Admission, Admit, AdmittedColumn, AlarmsQuery, Asked, By, ByKind, Import,
    ImportRegistry, Key, Kind, NotificationsQuery, Options, Role, Store, TakeReceipt,
};

/// `slow` is a channel that never answers.
const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "10s" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 0.5 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
    [[alarm_rule]]
    id = "low"
    kind = "below_mandate"
    severity = "orange"
    on_delay = "30s"
    off_delay = "30s"
    ladder = "duty"
    [[alarm_rule]]
    id = "silent"
    kind = "no_data"
    severity = "blue"
    on_delay = "60s"
    ladder = "duty"
    [[contact]]
    id = "zhang"
    reach = [ { channel = "sms", to = "138" } ]
    [[contact]]
    id = "li"
    reach = [ { channel = "slow", to = "139" }, { channel = "sms", to = "139" } ]
    [[ladder]]
    id = "duty"
    steps = [ { contact = "zhang" }, { contact = "li", after = "10m" } ]
"#;

fn at(second: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T10:00:00+08:00".parse().unwrap();
    begin.plus_ms(second * 1_000)
}

fn second(moment: Timestamp) -> i64 {
    moment.ms_since(at(0)) / 1_000
}

/// What a channel was given; it takes everything, refuses everything, or never answers.
#[derive(Debug, Default)]
struct Phone {
    given: Mutex<Vec<(u128, String, String)>>,
    /// The token of each message's link.
    tokens: Mutex<Vec<LinkToken>>,
    is_dead: AtomicBool,
    is_mute: AtomicBool,
}

impl Channel for Phone {
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>> {
        Box::pin(async move {
            if self.is_mute.load(Ordering::Relaxed) {
                return std::future::pending().await;
            }
            if self.is_dead.load(Ordering::Relaxed) {
                return Err(ChannelError::ForNow { what: "busy".to_owned() });
            }
            let (text, link) = message.text.as_str().split_once("http").unwrap();
            let (_, token) = link.split_once("/i/").unwrap();
            self.tokens.lock().unwrap().push(token.get(..13).unwrap().parse().unwrap());
            let text = text.to_owned();
            let given = (message.id.0, message.to.as_str().to_owned(), text);
            self.given.lock().unwrap().push(given);
            Ok(Taken::WithReceipt)
        })
    }
}

/// One that never answers.
#[derive(Debug)]
struct Slow;

impl Channel for Slow {
    fn hand_over<'a>(&'a self, _message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>> {
        Box::pin(std::future::pending())
    }
}

fn draw() -> Option<LinkToken> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    Some(LinkToken(u64::from_be_bytes(bytes)))
}

struct World {
    store: Store,
    clock: ManualClock,
    phone: Arc<Phone>,
    hears: Arc<AtomicBool>,
    /// Channels that the settings have.
    channels: &'static [&'static str],
    runtime: tokio::runtime::Runtime,
    consumer: Option<Consumer>,
    sequence: u64,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { now: at(0), version: "0".to_owned(), role: Role::Server };
        let store = Store::open(folder.path(), &options, &prometheus::Registry::new()).unwrap();
        let world = Self {
            store,
            clock: ManualClock::at(at(0)),
            phone: Arc::default(),
            hears: Arc::new(AtomicBool::new(true)),
            channels: &["sms", "slow"],
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            consumer: None,
            sequence: 0,
            _folder: folder,
        };
        world.import(REGISTRY);
        world
    }

    fn import(&self, text: &str) {
        let registry = store::registry::parse(text, &Origin::File("registry.toml".into())).unwrap();
        let import = ImportRegistry {
            at: self.clock.now(),
            by: By { kind: ByKind::Command, name: "test".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [u8::try_from(text.len() % 256).unwrap(); 32],
            registry,
            stored: Vec::new(),
            dry_run: false,
        };
        let done = self.store.journal().write_blocking(import).unwrap();
        let Import::Done { position: Some(entry), .. } = done else { panic!("{done:?}") };
        let mut state = self.store.journal().watch();
        let known = state
            .wait_for(|state| state.registry.as_ref().is_some_and(|known| known.entry >= entry));
        self.runtime
            .block_on(async { tokio::time::timeout(Duration::from_secs(20), known).await })
            .unwrap()
            .unwrap();
    }

    /// A consumer that begins; the one before is gone as after a kill.
    fn start(&mut self) {
        self.consumer = None;
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let _entered = self.runtime.enter();
        let stage = Tasks::new().stage("alerting", Duration::from_secs(1));
        let phone: Arc<dyn Channel> = Arc::<Phone>::clone(&self.phone);
        let slow: Arc<dyn Channel> = Arc::new(Slow);
        let all = [("sms", phone), ("slow", slow)];
        let there = all.into_iter().filter(|(name, _)| self.channels.contains(name));
        let channels: BTreeMap<_, _> =
            there.map(|(name, channel)| (name.parse().unwrap(), channel)).collect();
        let outbox = Outbox::start(channels, metrics.clone(), &stage);
        let hears = Arc::clone(&self.hears);
        self.consumer = Some(Consumer::new(Parts {
            samples: self.store.samples().clone(),
            journal: self.store.journal().clone(),
            clock: Arc::new(self.clock.clone()),
            metrics,
            outbox,
            surroundings: Surroundings {
                url: "http://x".to_owned(),
                reserved: BTreeMap::new(),
                draw,
            },
            hears: Arc::new(move || hears.load(Ordering::Relaxed)),
            readiness: Readiness::default().condition("alerting"),
        }));
    }

    /// Passes until nothing is left to do at this moment and whatever answers has answered: what
    /// one pass owes the next hands over, and the one after takes up what came of it.
    fn settle(&mut self) {
        let consumer = self.consumer.as_mut().unwrap();
        self.runtime.block_on(async {
            let mut quiet = 0;
            while quiet < 3 {
                let has_more = consumer.pass().await.unwrap();
                quiet = if has_more { 0 } else { quiet + 1 };
                // the channels' tasks run meanwhile
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            }
        });
    }

    /// Lets the clock go on to a moment, a second at a time, with a pass at each.
    fn go_to(&mut self, moment: i64) {
        while second(self.clock.now()) < moment {
            self.clock.advance(1_000);
            self.settle();
        }
    }

    /// A batch of readings that comes now: seconds with their flows in thousandths.
    fn send(&mut self, readings: &[(i64, i64)]) {
        self.sequence += 1;
        let points: Vec<Point> = readings
            .iter()
            .map(|(second, flow)| Point::good(at(*second).as_ms(), flow * 1_000))
            .collect();
        let admitted = AdmittedColumn {
            gauge: "S/pipe".parse().unwrap(),
            unit: Unit::named("m3/s").unwrap(),
            decimals: 6,
            from: Timestamp::clamped(points[0].at_ms),
            to: Timestamp::clamped(points.last().unwrap().at_ms),
            points: u32::try_from(points.len()).unwrap(),
            offset_ms: 0,
            qc: None,
        };
        let agent: AgentId = "gw".parse().unwrap();
        let sequence = self.sequence;
        let batch = Batch {
            id: BatchId { agent: agent.clone(), epoch: Epoch(7), sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![Column {
                gauge: admitted.gauge.clone(),
                unit: "m3/s".into(),
                decimals: 6,
                period_ms: 10_000,
                points,
            }],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let bytes = batch_v1::encode(&batch);
        let admit = Admit {
            kind: Kind::Batch,
            key: Key::Batch { epoch: Epoch(7), sequence, digest: batch_v1::digest(&bytes) },
            agent,
            topic: "baseflow/v1/gw/batch".to_owned(),
            received_at: self.clock.now(),
            bytes,
            columns: vec![admitted],
            set_aside: Vec::new(),
            boot: None,
            gaps: Vec::new(),
            anchors: Vec::new(),
            previous: None,
        };
        let admission = self.store.samples().write_blocking(admit).unwrap();
        assert!(matches!(admission, Admission::Admitted(_)), "{admission:?}");
    }

    /// Live readings every ten seconds from now until `until`.
    fn live(&mut self, until: i64, flow: i64) {
        let mut now = second(self.clock.now());
        while now < until {
            self.send(&[(now, flow)]);
            self.settle();
            now += 10;
            self.clock.advance(10_000);
        }
    }

    /// What was journalled of alarms and messages.
    fn journal(&self) -> String {
        let entries =
            self.store.journal().read_blocking(|reader| reader.entries(0, 10_000)).unwrap();
        let mut lines = String::new();
        for entry in entries {
            let document = entry.document().unwrap();
            let body: serde_json::Value = serde_json::from_str(document.body.get()).unwrap();
            let word = |key: &str| body[key].as_str().unwrap_or("").to_owned();
            let what = match entry.kind.as_str() {
                "registry_imported" | "store_created" => continue,
                kind if kind.starts_with("message") => {
                    format!("{kind} {} to {}", word("occasion"), word("contact"))
                }
                "breach_found" => {
                    let moment = |key: &str| second(word(key).parse().unwrap());
                    format!("breach_found {} to {}", moment("from"), moment("to"))
                }
                kind => format!("{kind} {}", word("rule")),
            };
            writeln!(lines, "{} {what}", second(entry.at)).unwrap();
        }
        lines
    }

    fn alarm(&self) -> store::AlarmFacts {
        let query = AlarmsQuery { limit: 9, ..AlarmsQuery::default() };
        let page = self.store.journal().read_blocking(|reader| reader.alarms(&query)).unwrap();
        page.alarms.into_iter().next().unwrap()
    }

    fn acknowledge(&self, name: &str, id: AlarmId, seen: u32) -> Asked {
        let by = By { kind: ByKind::Token, name: name.to_owned() };
        let ask = Acknowledge { at: self.clock.now(), by, alarm: id, seen };
        self.store.journal().write_blocking(ask).unwrap()
    }

    fn answers(&self) -> Answers {
        Answers::new(self.store.journal().clone(), Arc::new(self.clock.clone()))
    }

    /// Whether the page behind a link offers to take its alarm on.
    fn is_offered(&self, token: LinkToken) -> bool {
        let view = self.runtime.block_on(self.answers().view(token));
        view.unwrap().unwrap().may_acknowledge
    }

    fn take_on(&self, token: LinkToken, seen: u32) -> Acknowledged {
        self.runtime.block_on(self.answers().acknowledge(token, seen)).unwrap()
    }

    fn verify(&self) {
        let report = store::verify(&self.store).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}

fn check(world: &World, expected: &Expect) {
    expected.assert_eq(&world.journal());
    world.verify();
}

#[test]
fn a_shortfall_wakes_one_person_once_and_its_end_is_told() {
    let mut world = World::new();
    world.start();
    world.settle();
    world.live(50, 600);
    world.live(100, 400);
    world.live(150, 600);
    check(
        &world,
        &expect![[r#"
        80 alarm_raised low
        80 message_sent raised to zhang
        130 alarm_cleared low
        130 message_sent over to zhang
    "#]],
    );
    let given = world.phone.given.lock().unwrap();
    let texts: Vec<&str> = given.iter().map(|(.., text)| text.as_str()).collect();
    expect![[r#"
        S下泄0.400，低于核定0.500m³/s，10:00起。
        S已恢复：下泄0.600，核定0.500m³/s，10:00至10:01不足。"#]]
    .assert_eq(&texts.join("\n"));
}

#[test]
fn a_message_by_a_channel_that_comes_with_a_restart_goes_out_then() {
    let mut world = World::new();
    world.channels = &["slow"];
    world.start();
    world.settle();
    world.live(200, 400);
    // the next one is told meanwhile, as for any channel that takes nothing
    let states = |world: &World| {
        let query = NotificationsQuery { alarm: None, before: None, limit: 9 };
        let read = |reader: &store::JournalReader| reader.notifications(&query);
        let page = world.store.journal().read_blocking(read).unwrap();
        let row = |facts: &store::NotificationFacts| {
            format!("{} {} {}", facts.row.contact, facts.row.channel, facts.row.state)
        };
        page.notifications.iter().map(row).collect::<Vec<_>>()
    };
    assert!(states(&world).contains(&"zhang sms owed".to_owned()), "{:?}", states(&world));
    // one that never answers may have taken it twice: the last time is kept for later
    assert!(states(&world).contains(&"li slow owed".to_owned()), "{:?}", states(&world));
    world.channels = &["sms", "slow"];
    world.start();
    world.live(400, 400);
    let given = world.phone.given.lock().unwrap();
    let mut to: Vec<&str> = given.iter().map(|(_, to, _)| to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["138", "139"], "li by his next way, and zhang once");
}

#[test]
fn what_lies_outside_of_its_gauges_range_wakes_nobody_until_the_registry_is_corrected() {
    let within = |range: &str| {
        REGISTRY.replace("interval = \"10s\"", &format!("interval = \"10s\", range = {range}"))
    };
    let mut world = World::new();
    world.import(&within("[0.45, 5]"));
    world.start();
    world.settle();
    world.live(100, 600);
    world.live(200, 400);
    check(&world, &expect![[""]]);
    world.import(&within("[0.00, 5]"));
    world.settle();
    world.live(260, 400);
    check(
        &world,
        &expect![[r#"
            230 alarm_raised low
            230 message_sent raised to zhang
        "#]],
    );
}

#[test]
fn history_wakes_nobody_at_the_first_start() {
    let mut world = World::new();
    for n in 0..10 {
        world.send(&[(n * 10, 400)]);
        world.clock.advance(10_000);
    }
    world.start();
    world.settle();
    world.live(150, 600);
    check(&world, &expect![[""]]);
}

#[test]
fn a_breach_that_comes_late_wakes_nobody_and_is_noted_once() {
    let mut world = World::new();
    world.start();
    world.live(20, 600);
    // the gateway cannot be reached, and comes back with what it kept
    world.clock.advance(3_600_000);
    world.live(3_640, 600);
    let late: Vec<(i64, i64)> = (2..60).map(|n| (n * 10, if n < 30 { 400 } else { 600 })).collect();
    for slice in late.chunks(6) {
        world.send(slice);
        world.settle();
    }
    world.live(3_900, 600);
    check(
        &world,
        &expect![[r#"
        3700 breach_found 35 to 300
    "#]],
    );
}

#[test]
fn an_acknowledgement_is_answered_in_the_order_of_the_journal_and_stops_the_ladder() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    let facts = world.alarm();
    assert_eq!((facts.row.state, facts.row.version), (AlarmState::Unacknowledged, 2));
    assert!(matches!(world.acknowledge("duty", facts.row.id, 2), Asked::Entry(_)));
    world.settle();
    let facts = world.alarm();
    assert_eq!((facts.row.state, facts.asked), (AlarmState::Acknowledged, None));
    let duty = By { kind: ByKind::Token, name: "duty".to_owned() };
    assert_eq!(facts.row.acknowledged_by, Some(duty));
    assert!(matches!(world.acknowledge("li", facts.row.id, 3), Asked::Elsewhere { .. }));
    world.live(800, 400);
    check(
        &world,
        &expect![[r#"
        40 alarm_raised low
        40 message_sent raised to zhang
        50 acknowledgement_asked 
        50 alarm_acknowledged low
    "#]],
    );
}

#[test]
fn an_acknowledgement_that_comes_too_late_is_answered_too() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    let id = world.alarm().row.id;
    // it clears in the same pass in which the acknowledgement is found, before it
    for n in 5..10 {
        world.send(&[(n * 10, 600)]);
        world.clock.advance(10_000);
    }
    world.settle();
    assert_eq!(world.acknowledge("duty", id, 2), Asked::Changed { version: 3 });
    assert!(matches!(world.acknowledge("duty", id, 3), Asked::Entry(_)));
    world.settle();
    assert_eq!(world.alarm().row.state, AlarmState::Normal);
    assert_eq!(world.acknowledge("duty", id, 3), Asked::Done);
    world.verify();
}

#[test]
fn a_cleared_alarm_that_nobody_took_on_is_taken_on_by_its_link() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    let token = world.phone.tokens.lock().unwrap()[0];
    world.live(100, 600);
    let facts = world.alarm();
    assert_eq!((facts.row.state, facts.row.version), (AlarmState::ClearedUnacknowledged, 3));
    assert!(world.is_offered(token));
    assert_eq!(world.take_on(token, 2), Acknowledged::Changed);
    assert_eq!(world.take_on(token, 3), Acknowledged::Kept);
    world.settle();
    let row = world.alarm().row;
    assert_eq!(row.state, AlarmState::Normal);
    let zhang = By { kind: ByKind::Contact, name: "zhang".to_owned() };
    assert_eq!(row.acknowledged_by, Some(zhang));
    assert!(!world.is_offered(token));
    assert_eq!(world.take_on(token, 3), Acknowledged::Done);
    check(
        &world,
        &expect![[r#"
        40 alarm_raised low
        40 message_sent raised to zhang
        80 alarm_cleared low
        80 message_sent over to zhang
        100 acknowledgement_asked 
        100 alarm_acknowledged low
    "#]],
    );
    world.verify();
}

#[test]
fn an_alarm_whose_place_another_took_is_history_also_by_its_link() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    let token = world.phone.tokens.lock().unwrap()[0];
    world.live(100, 600);
    world.live(150, 400);
    assert_eq!(world.alarm().row.state, AlarmState::Unacknowledged);
    assert!(!world.is_offered(token));
    assert_eq!(world.take_on(token, 4), Acknowledged::Over);
}

#[test]
fn a_link_shows_its_alarm_for_ever_and_takes_it_on_for_a_day() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    let token = world.phone.tokens.lock().unwrap()[0];
    let day_ms = 24 * 60 * 60 * 1_000;
    let until = at(40).plus_ms(day_ms);
    world.clock.advance(until.ms_since(world.clock.now()));
    assert!(world.is_offered(token));
    world.clock.advance(1);
    assert!(!world.is_offered(token));
    assert_eq!(world.take_on(token, 2), Acknowledged::TooLate);
    world.clock.advance(400 * day_ms);
    assert!(!world.is_offered(token));
    assert_eq!(world.alarm().row.state, AlarmState::Unacknowledged);
}

#[test]
fn a_slow_channel_delays_no_other_and_is_passed_over() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    world.live(620, 400);
    world.live(800, 400);
    check(
        &world,
        &expect![[r#"
            40 alarm_raised low
            40 message_sent raised to zhang
            410 message_sent raised to li
            710 nobody_reached 
            740 message_expired raised to li
        "#]],
    );
}

#[test]
fn a_receipt_is_taken_even_for_a_message_that_is_history() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    world.live(400, 400);
    let query = NotificationsQuery { alarm: None, before: None, limit: 9 };
    let page =
        || world.store.journal().read_blocking(|reader| reader.notifications(&query)).unwrap();
    let message = page().notifications.last().unwrap().row.id;
    let receipt = TakeReceipt {
        at: world.clock.now(),
        by: By { kind: ByKind::Server, name: "kannel".to_owned() },
        message,
        channel: "sms".parse().unwrap(),
        is_delivered: true,
    };
    assert!(world.store.journal().write_blocking(receipt).unwrap().is_some());
    world.settle();
    check(
        &world,
        &expect![[r#"
        40 alarm_raised low
        40 message_sent raised to zhang
        400 receipt_taken 
        400 message_delivered raised to zhang
    "#]],
    );
}

#[test]
fn a_silence_is_raised_by_the_clock_and_the_servers_own_absence_is_none() {
    let mut world = World::new();
    world.start();
    world.live(20, 600);
    // cut off from its broker for ten minutes
    world.hears.store(false, Ordering::Relaxed);
    world.go_to(620);
    assert_eq!(world.journal(), "");
    world.hears.store(true, Ordering::Relaxed);
    world.go_to(630);
    world.live(650, 600);
    // the clock is set an hour ahead
    world.clock.set(world.clock.now().plus_ms(3_600_000));
    world.settle();
    world.live(4_280, 600);
    assert_eq!(world.journal(), "");
    world.go_to(4_480);
    world.live(4_500, 600);
    check(
        &world,
        &expect![[r#"
        4450 alarm_raised silent
        4450 message_sent raised to zhang
        4480 alarm_cleared silent
        4480 message_sent over to zhang
    "#]],
    );
}

#[test]
fn a_clock_that_was_set_back_while_the_server_slept_makes_no_silence_of_it() {
    let mut world = World::new();
    world.start();
    world.live(20, 600);
    world.clock.advance(600_000);
    world.clock.set(world.clock.now().plus_ms(-3_600_000));
    world.settle();
    assert_eq!(world.journal(), "");
    // and what comes in the pass that finds it out is heard
    let now = second(world.clock.now());
    world.clock.set(world.clock.now().plus_ms(-60_000));
    world.send(&[(now - 60, 600)]);
    world.settle();
    world.go_to(now - 60 + 170);
    assert_eq!(world.journal(), "");
}

const STUCK: &str = r#"
    [[alarm_rule]]
    id = "stuck"
    kind = "flat_line"
    severity = "blue"
    on_delay = "60s"
    ladder = "duty"
"#;

#[test]
fn a_meter_that_sticks_is_told_of_and_that_it_moves_again_also_over_a_restart() {
    let mut world = World::new();
    world.import(&[REGISTRY, STUCK].concat());
    world.start();
    world.settle();
    world.live(40, 600);
    world.start();
    world.live(90, 600);
    world.start();
    world.live(120, 601);
    check(
        &world,
        &expect![[r#"
            60 alarm_raised stuck
            60 message_sent raised to zhang
            90 alarm_cleared stuck
            90 message_sent over to zhang
        "#]],
    );
    let given = world.phone.given.lock().unwrap();
    let texts: Vec<&str> = given.iter().map(|(.., text)| text.as_str()).collect();
    expect![[r#"
        S读数卡住不变，10:00起。
        S读数恢复变化，10:00至10:01卡住。"#]]
    .assert_eq(&texts.join("\n"));
}

#[test]
fn a_rule_that_becomes_one_of_another_kind_ends_its_alarm_also_while_the_server_is_down() {
    let other = STUCK.replace("flat_line", "no_data");
    for is_down in [false, true] {
        let mut world = World::new();
        world.import(&[REGISTRY, STUCK].concat());
        world.start();
        world.settle();
        world.live(70, 600);
        if is_down {
            world.consumer = None;
        }
        world.import(&[REGISTRY, &other].concat());
        if is_down {
            world.start();
        }
        world.live(100, 600);
        let journal = world.journal();
        assert!(journal.contains("70 alarm_withdrawn stuck"), "{is_down}: {journal}");
        world.verify();
        // and the other way round
        world.import(&[REGISTRY, STUCK].concat());
        world.live(200, 600);
        let raised = world.journal().matches("alarm_raised stuck").count();
        assert_eq!(raised, 2, "{is_down}: {}", world.journal());
        world.verify();
    }
}

#[test]
fn a_rule_that_goes_ends_its_alarm() {
    let mut world = World::new();
    world.start();
    world.live(50, 400);
    world.import(&REGISTRY.replace("kind = \"below_mandate\"", "kind = \"agent_offline\""));
    world.settle();
    world.live(100, 400);
    check(
        &world,
        &expect![[r#"
        40 alarm_raised low
        40 message_sent raised to zhang
        50 alarm_withdrawn low
        50 message_sent over to zhang
    "#]],
    );
}

#[test]
fn a_gauge_that_was_silent_when_its_rule_came_is_silent_since_its_last_value() {
    let mut world = World::new();
    // without the second rule, which is the one of silences
    let tables: Vec<&str> = REGISTRY.split("[[").collect();
    let other = tables.iter().filter(|table| !table.contains("\"silent\"")).copied();
    world.import(&other.collect::<Vec<_>>().join("[["));
    world.start();
    world.live(50, 600);
    world.go_to(4_000);
    world.import(REGISTRY);
    world.settle();
    world.go_to(4_179);
    assert_eq!(world.journal(), "");
    world.go_to(4_190);
    check(
        &world,
        &expect![[r#"
        4180 alarm_raised silent
        4180 message_sent raised to zhang
    "#]],
    );
    assert_eq!(second(world.alarm().row.began_at), 40);
}

#[test]
fn a_channel_that_refuses_for_now_is_tried_again_under_the_same_id() {
    let mut world = World::new();
    world.start();
    world.phone.is_dead.store(true, Ordering::Relaxed);
    world.live(50, 400);
    assert!(world.phone.given.lock().unwrap().is_empty());
    world.phone.is_dead.store(false, Ordering::Relaxed);
    world.live(80, 400);
    let given = world.phone.given.lock().unwrap().clone();
    let ids: BTreeSet<u128> = given.iter().map(|(id, ..)| *id).collect();
    assert_eq!(ids.len(), given.len(), "{given:?}");
    drop(given);
    check(
        &world,
        &expect![[r#"
        40 alarm_raised low
        50 message_sent raised to zhang
    "#]],
    );
}

/// A world in which the rule `low` has woken zhang, or tried to, and there is nobody else to tell.
fn alone(is_dead: bool) -> World {
    let tables: Vec<&str> = REGISTRY.split("[[").collect();
    let other = tables.iter().filter(|table| !table.contains("\"silent\"")).copied();
    let ladder = "{ contact = \"zhang\" }, { contact = \"li\", after = \"10m\" }";
    let registry = other.collect::<Vec<_>>().join("[[");
    let mut world = World::new();
    world.import(&registry.replace(ladder, "{ contact = \"zhang\" }"));
    world.phone.is_dead.store(is_dead, Ordering::Relaxed);
    world.start();
    world.settle();
    world.live(50, 400);
    assert_eq!(world.journal().matches("alarm_raised low").count(), 1);
    world
}

/// How many messages the telephone has got once the clock has come so far at once.
fn given_at(world: &mut World, moment: i64) -> usize {
    world.clock.advance(at(moment).ms_since(world.clock.now()));
    world.settle();
    world.phone.given.lock().unwrap().len()
}

#[test]
fn after_a_reminder_that_a_crash_cut_off_the_next_one_goes_out_when_it_is_due() {
    // the first reminder goes at 1840, and the next one is due at 3640
    for (back_at, told_at) in [(1_850, 3_640), (4_240, 4_240)] {
        let mut world = alone(false);
        assert_eq!(world.phone.given.lock().unwrap().len(), 1);
        world.phone.is_mute.store(true, Ordering::Relaxed);
        given_at(&mut world, 1_840);
        assert!(world.consumer.as_ref().unwrap().is_busy(), "the reminder is on its way");
        world.start();
        world.phone.is_mute.store(false, Ordering::Relaxed);
        if back_at < told_at {
            assert_eq!(given_at(&mut world, back_at), 1, "it may have arrived");
            assert_eq!(given_at(&mut world, told_at - 1), 1);
        }
        assert_eq!(given_at(&mut world, told_at), 2, "{}", world.journal());
        assert_eq!(given_at(&mut world, told_at + 1_799), 2, "{}", world.journal());
        assert_eq!(given_at(&mut world, told_at + 1_800), 3, "{}", world.journal());
        world.verify();
    }
}

#[test]
fn who_was_not_reminded_for_a_message_that_expired_while_the_server_was_away_is_told_at_once() {
    let mut world = alone(true);
    // he is not owed a reminder beside what is tried still
    given_at(&mut world, 1_840);
    world.start();
    world.phone.is_dead.store(false, Ordering::Relaxed);
    assert_eq!(given_at(&mut world, 9_000), 1, "{}", world.journal());
    assert_eq!(given_at(&mut world, 10_799), 1, "{}", world.journal());
    assert_eq!(given_at(&mut world, 10_800), 2, "{}", world.journal());
    world.verify();
}

/// Alarms with what became of them.
fn episodes(world: &World) -> Vec<String> {
    let query = AlarmsQuery { limit: 1_000, ..AlarmsQuery::default() };
    let page = world.store.journal().read_blocking(|reader| reader.alarms(&query)).unwrap();
    page.alarms
        .into_iter()
        .map(|facts| {
            let row = facts.row;
            format!(
                "{} {} {} {:?}",
                row.id,
                row.state,
                second(row.began_at),
                row.cleared_at.map(second)
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whoever is killed between any two steps and starts again says what he would have said.
    #[test]
    fn however_often_it_starts_again_the_same_alarms_come_of_the_same_readings(
        slots in prop::collection::vec((0_u8..5, prop::bool::weighted(0.3)), 30..50),
    ) {
        let mut steady = World::new();
        let mut restless = World::new();
        // an attempt that is on its way when it is killed counts as in vain before its time
        let answering = REGISTRY.replace("{ channel = \"slow\", to = \"139\" }, ", "");
        for world in [&mut steady, &mut restless] {
            world.import(&answering);
            world.start();
        }
        for (n, (kind, starts)) in (0..).zip(slots) {
            for world in [&mut steady, &mut restless] {
                match kind {
                    0 => {}
                    1 | 2 => world.send(&[(n * 10, 400)]),
                    _ => world.send(&[(n * 10, 600)]),
                }
            }
            if starts {
                restless.start();
            }
            for world in [&mut steady, &mut restless] {
                world.settle();
                world.clock.advance(10_000);
            }
        }
        prop_assert_eq!(episodes(&steady), episodes(&restless));
        let of = |world: &World| {
            let given = world.phone.given.lock().unwrap();
            given.iter().map(|(id, ..)| *id).collect::<BTreeSet<u128>>()
        };
        let journals = || format!("{}\n{}", steady.journal(), restless.journal());
        prop_assert_eq!(of(&steady), of(&restless), "{}", journals());
        // nothing was on its way when it was killed: so nobody was told twice
        prop_assert_eq!(of(&restless).len(), restless.phone.given.lock().unwrap().len());
        restless.verify();
    }
}
