//! What is refused, among the real store: who is told of a full park, and replays that outlive
//! whoever asked for them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::future_not_send,
    reason = "a test that fails ends by a panic"
)]

use std::{sync::Arc, task::Poll, time::Duration};

use ingest::{
    answer::Answer,
    metrics::Metrics,
    shell::{
        place,
        rejudge::Rejudge,
        replay::Replayer,
        settle::{Settler, Taken, TopicKind},
    },
};
use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column},
    ids::{AgentId, BatchId, BootId, Epoch, GaugeId},
    port::{Replay as _, Replayed},
    reading::Point,
    time::Timestamp,
    tree::Origin,
    wire::{
        batch_v1,
        refused_v1::{Kept, Reason},
    },
};
use runtime::{clock::ManualClock, tasks::Tasks};
use store::{
    By, ByKind, ImportRegistry, Limits, Options, QuarantineQuery, QuarantineRow, Role,
    SamplesQuery, Store,
};

const NOW: i64 = 1_795_305_600_000;

const STATION: &str = r#"
[[station]]
id = "S"
name = "s"
kind = "hydropower"
agent = "gw"
"#;

const GAUGE: &str = r#"
  [[station.gauge]]
  id = "NAME"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
"#;

struct World {
    store: Store,
    settler: Arc<Settler>,
    rejudge: Rejudge,
    folder: tempfile::TempDir,
}

fn now() -> Timestamp {
    Timestamp::from_ms(NOW).unwrap()
}

fn open(folder: &std::path::Path, parked: u64) -> Store {
    open_beside(folder, parked, 0)
}

/// With a ballast that no disk has room for, samples wait from the start and entries do not.
fn open_beside(folder: &std::path::Path, parked: u64, ballast: u64) -> Store {
    let options = Options { now: now(), version: "0".to_owned(), role: Role::Server };
    let limits = Limits { parked, garbage: 1 << 20, ballast, ..Limits::default() };
    Store::open_with(folder, &options, limits, &prometheus::Registry::new()).unwrap()
}

impl World {
    fn new(parked: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path(), parked);
        let clock = Arc::new(ManualClock::at(now()));
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let (samples, journal) = (store.samples().clone(), store.journal().clone());
        let shared = Arc::<ManualClock>::clone(&clock);
        let rejudge = Rejudge::new(samples.clone(), journal.clone(), shared);
        let settler = Arc::new(Settler::new(samples, journal, metrics, clock));
        let world = Self { store, settler, rejudge, folder };
        world.import(&["known"]);
        world
    }

    /// Puts a registry in force in which the station has these gauges.
    fn import(&self, gauges: &[&str]) {
        let gauges = gauges.iter().map(|name| GAUGE.replace("NAME", name));
        let text = format!("{STATION}{}", gauges.collect::<String>());
        let import = ImportRegistry {
            at: now(),
            by: By { kind: ByKind::Command, name: "tests".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [u8::try_from(text.len() % 251).unwrap(); 32],
            registry: store::registry::parse(&text, &Origin::Default).unwrap(),
            stored: Vec::new(),
            dry_run: false,
        };
        self.store.journal().write_blocking(import).unwrap();
    }

    /// Until the registry with so many gauges is seen.
    async fn until_gauges(&self, count: usize) {
        let mut state = self.store.journal().watch();
        let has = |state: &store::JournalState| {
            let registry = state.registry.as_ref();
            registry.and_then(|found| found.registry.station("S")).map(|s| s.gauges.len())
                == Some(count)
        };
        state.wait_for(has).await.unwrap();
    }

    async fn settle(&self, kind: TopicKind, payload: Vec<u8>) -> Answer {
        let topic = match kind {
            TopicKind::Batch => "baseflow/v1/gw/batch",
            TopicKind::Json => "baseflow/v1/gw/json",
            TopicKind::Status => "baseflow/v1/gw/status",
        };
        let taken = Taken {
            agent: agent(),
            kind,
            topic: topic.to_owned(),
            payload: payload.into(),
            received_at: now(),
        };
        Arc::clone(&self.settler).settle(taken).await
    }

    async fn send(&self, batch: &Batch) -> Answer {
        self.settle(TopicKind::Batch, batch_v1::encode(batch)).await
    }

    async fn rows(&self) -> Vec<QuarantineRow> {
        let query = QuarantineQuery { kind: None, state: None, before: None, limit: 1_000 };
        self.store.samples().read(move |reader| reader.quarantine(&query)).await.unwrap().rows
    }

    async fn samples(&self, name: &str) -> usize {
        let query = SamplesQuery {
            gauge: gauge(name),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            cursor: None,
            limit: 10_000,
        };
        self.store.samples().read(move |reader| reader.samples(&query)).await.unwrap().samples.len()
    }

    /// The kinds of the journal's entries.
    async fn entries(&self) -> Vec<String> {
        let entries = self.store.journal().read(|reader| reader.entries(0, 1_000)).await.unwrap();
        entries.into_iter().map(|entry| entry.kind).collect()
    }
}

fn agent() -> AgentId {
    "gw".parse().unwrap()
}

fn gauge(name: &str) -> GaugeId {
    format!("S/{name}").parse().unwrap()
}

fn batch(sequence: u64, names: &[&str]) -> Batch {
    let at_ms = NOW - 1_000_000 + i64::try_from(sequence).unwrap();
    Batch {
        id: BatchId { agent: agent(), epoch: Epoch(1), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: names
            .iter()
            .map(|name| Column {
                gauge: gauge(name),
                unit: "m3/s".into(),
                decimals: 0,
                period_ms: 0,
                points: vec![Point::good(at_ms, 1)],
            })
            .collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

/// Looks again and again until `look` finds what it looks for.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(20), looking).await;
    found.unwrap_or_else(|_| panic!("not within 20 s: {what}"))
}

/// Runs a test; opening and importing wait, so they happen outside of the runtime.
fn in_world<F: Future<Output = ()>>(parked: u64, test: impl FnOnce(Arc<World>) -> F) {
    let world = Arc::new(World::new(parked));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.until_gauges(1).await;
        test(Arc::clone(&world)).await;
    });
}

#[test]
fn a_full_park_is_told_once_and_good_columns_are_admitted_all_the_same() {
    in_world(100, |world| async move {
        let first = world.send(&batch(1, &["x"])).await;
        assert_eq!(first.notice, None, "the agent keeps it");
        let told = &first.refused[0];
        assert_eq!((told.reason, told.kept), (Reason::UnknownGauge, Kept::None));
        assert!(
            told.detail.ends_with("the park is full: import the registry and replay, or discard")
        );
        for _ in 0..20 {
            assert_eq!(world.send(&batch(1, &["x"])).await, Answer::default());
        }
        let mixed = world.send(&batch(2, &["known", "x"])).await;
        assert_eq!((mixed.notice.unwrap().sequence, mixed.refused[0].kept), (2, Kept::Parked));
        assert_eq!(world.samples("known").await, 1);
        let rows = world.rows().await;
        assert_eq!((rows.len(), rows[0].batches), (1, 1));
    });
}

#[test]
fn a_document_that_finds_no_room_goes_to_the_ring() {
    in_world(100, |world| async move {
        let reading = |name: &str, value: u8| {
            format!(r#"{{"readings":{{"gauge":"S/{name}","at":"{}","value":{value}}}}}"#, now())
        };
        let told = world.settle(TopicKind::Json, reading("x", 1).into_bytes()).await;
        assert_eq!(
            (told.refused[0].reason, told.refused[0].kept),
            (Reason::UnknownGauge, Kept::Garbage)
        );
        assert_eq!(world.rows().await[0].kind, Kept::Garbage);
        world.settle(TopicKind::Json, reading("known", 1).into_bytes()).await;
        assert_eq!(world.samples("known").await, 1);
    });
}

#[test]
fn a_replay_goes_on_to_its_end_when_whoever_asked_hangs_up() {
    in_world(64 << 20, |world| async move {
        for sequence in 1..=200 {
            world.send(&batch(sequence, &["x"])).await;
        }
        let id = world.rows().await[0].id;
        let importing = Arc::clone(&world);
        tokio::task::spawn_blocking(move || importing.import(&["known", "x"])).await.unwrap();
        world.until_gauges(2).await;
        let mut tasks = Tasks::new();
        let stage = tasks.stage("tests", Duration::from_secs(5));
        let replayer = Replayer::new(world.rejudge.clone(), stage);
        let mut asked = replayer.replay(id, "token".to_owned());
        let polled =
            std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        drop(asked);
        until("everything is replayed", || async {
            let row = world.rows().await.remove(0);
            (row.waiting == 0).then_some(())
        })
        .await;
        assert_eq!(world.samples("x").await, 200);
        let decided = || async {
            let entries = world.entries().await;
            Some(entries.iter().filter(|kind| *kind == "quarantine_decided").count())
        };
        assert_eq!(until("the decision", decided).await, 1);
        let again = replayer.replay(id, "token".to_owned()).await.unwrap();
        assert_eq!((again, decided().await), (Replayed::NotHeld, Some(1)));
        assert_eq!(tasks.stop().await, Vec::<String>::new());
    });
}

#[test]
fn a_crash_between_an_anchor_and_its_effect_leaves_both_to_be_done_once() {
    let mut world = World::new(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let boot_id = BootId(7);
    runtime.block_on(async {
        world.until_gauges(1).await;
        for sequence in 1..=100 {
            let mut booted = batch(sequence, &["known"]);
            booted.clock = BatchClock::Boot { boot_id };
            booted.columns[0].points[0].at_ms = i64::try_from(sequence).unwrap() * 1_000;
            assert_eq!(world.send(&booted).await.refused[0].reason, Reason::Clock);
        }
        let anchor =
            ClockAnchor { boot_id, utc_at_boot_ms: NOW - 3_600_000, uncertainty_ms: 2, source: 1 };
        world.send(&Batch { anchors: vec![anchor], ..batch(101, &["known"]) }).await;
        assert_eq!(world.samples("known").await, 1);
    });
    // Nothing looked for what the anchor places; the next start does, and the one after it again.
    for _ in 0..2 {
        let World { store, settler, rejudge, folder } = world;
        drop((settler, rejudge));
        store.close();
        let store = open(folder.path(), 64 << 20);
        let clock = Arc::new(ManualClock::at(now()));
        let (samples, journal) = (store.samples().clone(), store.journal().clone());
        let shared = Arc::<ManualClock>::clone(&clock);
        let rejudge = Rejudge::new(samples.clone(), journal.clone(), shared);
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let settler = Arc::new(Settler::new(samples, journal, metrics, clock));
        world = World { store, settler, rejudge, folder };
        runtime.block_on(async {
            world.until_gauges(1).await;
            let mut tasks = Tasks::new();
            let stage = tasks.stage("tests", Duration::from_secs(5));
            stage.spawn("placing", place::run(world.rejudge.clone(), stage.clone()));
            until("everything is placed", || async {
                let waiting: u64 = world.rows().await.iter().map(|row| row.waiting).sum();
                (waiting == 0).then_some(())
            })
            .await;
            assert_eq!(world.samples("known").await, 101);
            let entries = world.entries().await;
            let anchored = entries.iter().position(|kind| kind == "clock_anchored").unwrap();
            let decided = entries.iter().position(|kind| kind == "quarantine_decided").unwrap();
            assert!(anchored < decided, "{entries:?}");
            assert_eq!(entries.iter().filter(|kind| *kind == "clock_anchored").count(), 1);
            assert_eq!(tasks.stop().await, Vec::<String>::new());
        });
    }
    assert_eq!(store::verify(&world.store).unwrap().findings, []);
}

#[test]
fn a_decision_whose_effect_finds_no_room_is_journalled_once_however_often_it_is_tried() {
    let world = World::new(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        world.until_gauges(1).await;
        assert_eq!(world.send(&batch(1, &["x"])).await.refused[0].kept, Kept::Parked);
        world.rows().await.remove(0).id
    });
    world.import(&["known", "x"]);
    let World { store, settler, rejudge, folder } = world;
    drop((settler, rejudge));
    store.close();
    let store = open_beside(folder.path(), 64 << 20, 1 << 60);
    let clock = Arc::new(ManualClock::at(now()));
    let (samples, journal) = (store.samples().clone(), store.journal().clone());
    let shared = Arc::<ManualClock>::clone(&clock);
    let rejudge = Rejudge::new(samples.clone(), journal.clone(), shared);
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let settler = Arc::new(Settler::new(samples, journal, metrics, clock));
    let world = World { store, settler, rejudge, folder };
    runtime.block_on(async {
        world.until_gauges(2).await;
        let stop = tokio_util::sync::CancellationToken::new();
        let decided = || async {
            let entries = world.entries().await;
            entries.iter().filter(|kind| *kind == "quarantine_decided").count()
        };
        for (name, count) in [("ingest", 1), ("ingest", 1), ("somebody", 2), ("ingest", 2)] {
            let by = By { kind: ByKind::Server, name: name.to_owned() };
            let failure = world.rejudge.item(id, &by, &stop).await.unwrap_err();
            assert!(matches!(failure, store::StoreError::Full { .. }), "{failure:?}");
            assert_eq!(decided().await, count, "{name}");
        }
    });
}

#[test]
fn a_batch_that_waits_for_a_reader_keeps_no_other_from_being_judged() {
    let world = World::new(64 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.until_gauges(1).await;
        // As many reads as the store has readers for, and some that wait behind them.
        let (end, ended) = std::sync::mpsc::sync_channel::<()>(1);
        let ended = Arc::new(std::sync::Mutex::new(ended));
        let samples = world.store.samples().clone();
        let mut reads = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (samples, ended) = (samples.clone(), Arc::clone(&ended));
            reads.spawn(async move {
                let read = samples.read(move |_reader| {
                    let waiting = ended.lock().unwrap();
                    waiting.recv().unwrap_err();
                    Ok(())
                });
                read.await
            });
        }
        tokio::task::yield_now().await;
        let mut booted = batch(1, &["known"]);
        booted.clock = BatchClock::Boot { boot_id: BootId(7) };
        let mut asked = Box::pin(world.send(&booted));
        let polled =
            std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_pending());
        let other = batch(2, &["known"]);
        let answer = tokio::time::timeout(Duration::from_secs(10), world.send(&other)).await;
        assert!(answer.expect("it is judged meanwhile").refused.is_empty());
        drop(end);
        assert_eq!(asked.await.refused[0].reason, Reason::Clock);
        while let Some(read) = reads.join_next().await {
            read.unwrap().unwrap();
        }
    });
}

#[test]
fn a_gateway_that_starts_too_often_is_told_once_and_keeps_its_batch() {
    in_world(64 << 20, |world| async move {
        let started = |sequence: u64, boots: std::ops::Range<u64>| {
            let anchors = boots.map(|boot| ClockAnchor {
                boot_id: BootId(u128::from(boot)),
                utc_at_boot_ms: NOW - 3_600_000,
                uncertainty_ms: 2,
                source: 1,
            });
            Batch { anchors: anchors.collect(), ..batch(sequence, &["known"]) }
        };
        for n in 1..=256 {
            assert!(world.send(&started(n, n * 16..n * 16 + 16)).await.notice.is_some());
        }
        let held_back = started(300, 9_000..9_001);
        let answer = world.send(&held_back).await;
        assert_eq!(answer.notice, None, "the agent keeps it");
        let told = &answer.refused[0];
        assert_eq!(
            (told.reason, told.kept, told.sequence),
            (Reason::Anchor, Kept::None, Some(300))
        );
        assert_eq!(world.send(&held_back).await, Answer::default(), "it was told");
        assert_eq!(world.send(&batch(301, &["known"])).await.notice.unwrap().sequence, 301);
    });
}
