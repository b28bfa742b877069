//! The consumer over a real store: whatever comes late, in whatever order, and however often it
//! starts again, what it says in the end is what the samples say.
#![expect(clippy::unwrap_used, reason = "tests; the lints spare only functions marked as such")]

use std::{collections::BTreeMap, sync::Arc};

use compliance::{
    hearing::{self, Evidence},
    metrics::Metrics,
    shell::court::{Consumer, Parts},
};
use model::{
    batch::{Batch, BatchClock, Column},
    flow::Flow,
    ids::{AgentId, BatchId, Epoch, SectionKey},
    quantity::Unit,
    reading::Point,
    registry::Registry,
    section::Section,
    time::{Span, Timestamp},
    tree::Origin,
    verdict::{Length, Verdict},
    wire::batch_v1,
};
use proptest::prelude::*;
use runtime::clock::ManualClock;
use store::{
    Admission, Admit, AdmittedColumn, By, ByKind, Import, ImportRegistry, Key, Kind, Options, Role,
    Store, VerdictRow, VerdictsQuery,
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// Minutes in a batch.
const BATCH: i64 = 10;

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    kind = "hydropower"
    status = "retained"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
    missing = "short"
    day_hours_met = "20/24"
"#;

fn begin() -> Timestamp {
    "2026-03-01T00:00:00+08:00".parse().unwrap()
}

fn minute(number: i64) -> Timestamp {
    begin().plus_ms(number * MINUTE)
}

/// A store under the registry, and a clock that the test moves.
struct World {
    store: Store,
    clock: ManualClock,
    consumer: Consumer,
    registry: Registry,
    _folder: tempfile::TempDir,
}

fn consumer(store: &Store, clock: &ManualClock) -> Consumer {
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    Consumer::new(Parts {
        samples: store.samples().clone(),
        journal: store.journal().clone(),
        clock: Arc::new(clock.clone()),
        metrics,
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { now: begin(), version: "0".to_owned(), role: Role::Server };
        let store = Store::open(folder.path(), &options, &prometheus::Registry::new()).unwrap();
        let origin = Origin::File("registry.toml".into());
        let registry = store::registry::parse(REGISTRY, &origin).unwrap();
        let import = ImportRegistry {
            at: begin(),
            by: By { kind: ByKind::Command, name: "test".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [0; 32],
            registry: registry.clone(),
            stored: Vec::new(),
            dry_run: false,
        };
        let done = store.journal().write_blocking(import).unwrap();
        assert!(matches!(done, Import::Done { .. }), "{done:?}");
        let clock = ManualClock::at(begin());
        let consumer = consumer(&store, &clock);
        let world = Self { store, clock, consumer, registry, _folder: folder };
        let known = async {
            let mut state = world.store.journal().watch();
            state.wait_for(|state| state.registry.is_some()).await.unwrap();
        };
        runtime().block_on(known);
        world
    }

    /// Passes until nothing is left to do at this moment.
    fn settle(&mut self) {
        let runtime = runtime();
        while runtime.block_on(self.consumer.pass()).unwrap() {}
    }

    fn starts_again(&mut self) {
        self.consumer = consumer(&self.store, &self.clock);
    }

    fn set_minute(&self, number: i64) {
        use runtime::clock::Clock as _;
        self.clock.advance(minute(number).ms_since(self.clock.now()));
    }

    fn pass_ms(&self, ms: i64) {
        self.clock.advance(ms);
    }

    /// The batch of this number: minutes with their flows in ml/s.
    fn send(&self, number: i64, flows: &BTreeMap<i64, i64>) {
        use runtime::clock::Clock as _;
        let own = flows.range(number * BATCH..(number + 1) * BATCH);
        let points: Vec<Point> =
            own.map(|(at, flow)| Point::good(minute(*at).as_ms(), *flow)).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let admitted = AdmittedColumn {
            gauge: "S/pipe".parse().unwrap(),
            unit: Unit::named("m3/s").unwrap(),
            decimals: 6,
            from: Timestamp::clamped(first.at_ms),
            to: Timestamp::clamped(last.at_ms),
            points: u32::try_from(points.len()).unwrap(),
            offset_ms: 0,
            qc: None,
        };
        let agent: AgentId = "gw".parse().unwrap();
        let sequence = u64::try_from(number + 1).unwrap();
        let batch = Batch {
            id: BatchId { agent: agent.clone(), epoch: Epoch(7), sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![Column {
                gauge: admitted.gauge.clone(),
                unit: "m3/s".into(),
                decimals: 6,
                period_ms: 60_000,
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

    fn verdicts(&self, by: Length, all_versions: bool) -> Vec<VerdictRow> {
        let key = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
        let span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let query =
            VerdictsQuery { section: key, by, span, all_versions, after: None, limit: 10_000 };
        self.store.journal().read_blocking(|reader| reader.verdicts(&query)).unwrap()
    }

    fn hour(&self, number: i64) -> Vec<(u32, Option<Verdict>)> {
        let hours = self.verdicts(Length::Hour, true).into_iter();
        hours
            .filter(|row| row.span.from == minute(number * 60))
            .map(|row| (row.version, row.verdict))
            .collect()
    }

    /// What the samples say of an hour, all of them looked at together.
    fn said(&self, flows: &BTreeMap<i64, i64>, from: Timestamp) -> Vec<u8> {
        let section = Section::judged(&self.registry).next().unwrap();
        let samples = flows.iter().map(|(at, flow)| (minute(*at), Flow::from_ml_per_s(*flow)));
        let source = section.sources().remove(0);
        let evidence = [Evidence { source, samples: samples.collect() }];
        let span = Span { from, to: from.plus_ms(HOUR) };
        hearing::hour(&section, &evidence, span).unwrap().bytes()
    }
}

fn good(minutes: std::ops::Range<i64>) -> BTreeMap<i64, i64> {
    minutes.map(|at| (at, 1_000_000)).collect()
}

#[test]
fn a_backlog_that_comes_after_newer_data_never_leaves_a_trail_of_shorts() {
    let mut world = World::new();
    let flows = good(0..360);
    for number in 0..36 {
        world.set_minute((number + 1) * BATCH);
        // the third hour is away until the fifth is over
        if !(12..18).contains(&number) {
            world.send(number, &flows);
        }
        world.settle();
    }
    // nobody has said what the hole in the ledger holds, so it may reach into any hour
    assert_eq!(world.hour(0), [(1, Some(Verdict::Met))]);
    assert_eq!(world.hour(1), [(0, Some(Verdict::Met))]);
    assert_eq!(world.hour(2), []);
    assert_eq!(world.hour(3), [(0, Some(Verdict::Met))]);
    for number in 12..18 {
        world.send(number, &flows);
    }
    world.pass_ms(2 * MINUTE);
    world.settle();
    for hour in 0..5 {
        assert_eq!(world.hour(hour), [(1, Some(Verdict::Met))], "hour {hour}");
    }
}

#[test]
fn what_comes_after_an_hour_was_closed_makes_a_second_version_beside_the_first() {
    let mut world = World::new();
    let flows = good(0..240);
    let shown: BTreeMap<i64, i64> = flows
        .iter()
        .filter(|(at, _)| !(70..90).contains(*at))
        .map(|(at, flow)| (*at, *flow))
        .collect();
    for number in 0..24 {
        world.set_minute((number + 1) * BATCH);
        // batches 7 and 8 are held back, and everything after a day is closed without them
        if !(7..9).contains(&number) {
            world.send(number, &shown);
        }
        world.settle();
    }
    world.set_minute(26 * 60 + 1);
    world.settle();
    assert_eq!(world.hour(1), [(1, Some(Verdict::Short))]);
    for number in 7..9 {
        world.send(number, &flows);
    }
    world.settle();
    assert_eq!(world.hour(1), [(1, Some(Verdict::Short))], "not before it is quiet");
    world.pass_ms(61_000);
    world.settle();
    assert_eq!(world.hour(1), [(1, Some(Verdict::Short)), (2, Some(Verdict::Met))]);
    assert_eq!(store::verify(&world.store).unwrap().findings, Vec::new());
}

#[test]
fn a_day_that_began_before_its_section_is_judged_only_once_its_history_comes() {
    let mut world = World::new();
    let flows = good(0..40 * 60);
    let send = |world: &World, numbers: std::ops::Range<i64>| {
        for number in numbers {
            world.send(number, &flows);
        }
    };
    world.set_minute(40 * 60);
    send(&world, 132..240);
    world.pass_ms(2 * MINUTE);
    world.settle();
    assert_eq!(world.hour(23), [(1, Some(Verdict::Met))]);
    let shown = |world: &World| -> Vec<(Timestamp, u32)> {
        let days = world.verdicts(Length::Day, true).into_iter();
        days.map(|row| (row.span.from, row.version)).collect()
    };
    assert_eq!(shown(&world), [(minute(24 * 60), 0)], "two hours are no day");
    send(&world, 0..132);
    world.settle();
    world.pass_ms(2 * MINUTE);
    world.settle();
    assert_eq!(shown(&world), [(minute(0), 1), (minute(24 * 60), 0)]);
}

#[derive(Debug, Clone)]
struct Course {
    /// ml/s of each minute; `None`: lost for ever.
    flows: Vec<Option<i64>>,
    /// By how many steps each batch is late.
    late: Vec<u8>,
    /// After which steps the consumer starts again.
    starts: Vec<bool>,
}

const STEPS: i64 = 36 * 6;

fn course() -> impl Strategy<Value = Course> {
    let steps = usize::try_from(STEPS).unwrap();
    let flow = prop_oneof![6 => Just(Some(1_000_000)), 1 => Just(Some(999_999)), 1 => Just(None), 1 => Just(Some(2_000_000))];
    let late = prop_oneof![12 => Just(0_u8), 1 => 1_u8..40];
    (
        proptest::collection::vec(flow, steps * 10),
        proptest::collection::vec(late, steps),
        proptest::collection::vec(prop_oneof![9 => Just(false), 1 => Just(true)], steps),
    )
        .prop_map(|(flows, late, starts)| Course { flows, late, starts })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_every_hour_is_what_its_samples_say(course in course()) {
        let mut world = World::new();
        let flows: BTreeMap<i64, i64> = (0..)
            .zip(&course.flows)
            .filter_map(|(at, flow)| flow.map(|flow| (at, flow)))
            .collect();
        for step in 0..STEPS + 40 {
            world.set_minute((step + 1) * BATCH);
            for (number, late) in (0..).zip(&course.late) {
                if number + i64::from(*late) == step {
                    world.send(number, &flows);
                }
            }
            if usize::try_from(step).ok().and_then(|step| course.starts.get(step)) == Some(&true) {
                world.starts_again();
            }
            world.settle();
        }
        world.pass_ms(50 * HOUR);
        world.settle();
        world.pass_ms(16 * MINUTE);
        world.settle();
        let hours = world.verdicts(Length::Hour, false);
        let first = flows.keys().next().copied().unwrap_or(0) / 60;
        prop_assert_eq!(hours[0].span.from, minute(first * 60));
        for (number, row) in (first..).zip(&hours) {
            prop_assert_eq!(row.span.from, minute(number * 60));
            if number < 36 {
                prop_assert!(row.version > 0);
                let said = world.said(&flows, row.span.from);
                prop_assert_eq!(String::from_utf8_lossy(&row.bytes), String::from_utf8_lossy(&said));
            }
        }
        let days = world.verdicts(Length::Day, false);
        let adjoin = days.iter().zip(days.iter().skip(1)).all(|(a, b)| a.span.to == b.span.from);
        prop_assert!(adjoin, "days overlap or leave a hole");
        for day in days.iter().filter(|day| day.version > 0) {
            let own = hours.iter().filter(|hour| day.span.from <= hour.span.from && hour.span.from < day.span.to);
            let met = own.filter(|hour| hour.verdict == Some(Verdict::Met)).count();
            let text = String::from_utf8_lossy(&day.bytes).into_owned();
            let counted = format!("\"met\":{met},");
            prop_assert!(text.contains(&counted), "{} in {}", counted, text);
        }
        prop_assert_eq!(store::verify(&world.store).unwrap().findings, Vec::new());
    }
}
