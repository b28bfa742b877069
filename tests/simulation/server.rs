//! The server without a network: its store in a folder, its rules driven by hand, and its lives,
//! each of which knows no more than the one before had written.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use alerting::{
    desk::Surroundings,
    shell::{outbox::Outbox, watch},
};
use compliance::shell::court;
use ingest::shell::settle::{Settler, Taken, TopicKind};
use model::{
    ids::{AgentId, AlarmId, BatchId, SectionKey, StoreId},
    time::{Span, Timestamp},
    tree::Origin,
    verdict::Length,
};
use runtime::{
    admin::Readiness,
    clock::{Clock as _, ManualClock},
    tasks::Tasks,
};
use store::{
    Acknowledge, AlarmFacts, AlarmsQuery, By, ByKind, Entry, ImportRegistry, Limits,
    NotificationFacts, NotificationsQuery, Options, Role, Store, VerdictRow, VerdictsQuery,
};

use crate::{
    gateway::Message,
    judge::episodes::{Look, Row},
    phone::{self, Given},
};

/// More passes than a month has hours.
const MOST_PASSES: usize = 2_000;
/// A server that looks more seldom was not listening.
const LISTENING_MS: i64 = 30_000;

/// What ends with the process.
struct Life {
    store: Store,
    settler: Arc<Settler>,
    court: court::Consumer,
    watch: watch::Consumer,
    is_alive: Arc<AtomicBool>,
}

pub(crate) struct Server {
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    clock: ManualClock,
    agent: AgentId,
    store_id: StoreId,
    life: Option<Life>,
    /// Whether it is connected to its broker.
    pub(crate) hears: Arc<AtomicBool>,
    pub(crate) given: Given,
    /// What came since the last look.
    rows: Vec<Row>,
    pub(crate) looks: Vec<Look>,
    looked_at_boot_ms: i64,
    /// Whether it listened at the last look, and has since: not where it was started or the clock
    /// was set.
    listens: bool,
    /// When it last listened, by its clock, and by how much that was set since the last look; none
    /// before the first look of a life, which knows no more than when another had listened.
    listened: i64,
    stepped: Option<i64>,
}

impl Server {
    pub(crate) fn new(registry: &str, now: Timestamp) -> Self {
        // whether a disk syncs is for other tests to say, and takes most of the time
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder =
            tempfile::Builder::new().prefix("baseflow-simulation-").tempdir_in(place).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut server = Self {
            runtime,
            folder,
            clock: ManualClock::at(now),
            agent: "gw".parse().unwrap(),
            store_id: StoreId(0),
            life: None,
            hears: Arc::new(AtomicBool::new(true)),
            given: Given::default(),
            rows: Vec::new(),
            looks: Vec::new(),
            looked_at_boot_ms: 0,
            listens: false,
            listened: now.as_ms() / 1_000,
            stepped: None,
        };
        let store = server.open();
        let import = ImportRegistry {
            at: now,
            by: By { kind: ByKind::Command, name: "simulation".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [0; 32],
            registry: store::registry::parse(registry, &Origin::Default).unwrap(),
            stored: Vec::new(),
            dry_run: false,
        };
        store.journal().write_blocking(import).unwrap();
        server.store_id = store.id();
        drop(store);
        server.start();
        server
    }

    fn open(&self) -> Store {
        let options =
            Options { now: self.clock.now(), version: "0".to_owned(), role: Role::Server };
        let limits = Limits { ballast: 0, ..Limits::default() };
        Store::open_with(self.folder.path(), &options, limits, &prometheus::Registry::new())
            .unwrap()
    }

    /// Goes on with what is written.
    pub(crate) fn start(&mut self) {
        let store = self.open();
        let counters = prometheus::Registry::new();
        let clock = Arc::new(self.clock.clone());
        let (samples, journal) = (store.samples().clone(), store.journal().clone());
        let metrics = ingest::metrics::Metrics::new(&counters).unwrap();
        let settler = Settler::new(samples.clone(), journal.clone(), metrics, clock.clone());
        let court = court::Consumer::new(court::Parts {
            samples: samples.clone(),
            journal: journal.clone(),
            clock: clock.clone(),
            near: "1.05".parse().unwrap(),
            metrics: compliance::metrics::Metrics::new(&counters).unwrap(),
        });
        let is_alive = Arc::new(AtomicBool::new(true));
        let metrics = alerting::metrics::Metrics::new(&counters).unwrap();
        let _entered = self.runtime.enter();
        let stage = Tasks::new().stage("alerting", Duration::from_secs(1));
        let lines = phone::lines(&self.given, &is_alive);
        let hears = Arc::clone(&self.hears);
        let watch = watch::Consumer::new(watch::Parts {
            samples,
            journal,
            clock,
            outbox: Outbox::start(lines, metrics.clone(), &stage),
            metrics,
            surroundings: Surroundings {
                url: "http://x".to_owned(),
                reserved: BTreeMap::new(),
                draw: || None,
            },
            hears: Arc::new(move || hears.load(Ordering::Relaxed)),
            readiness: Readiness::default().condition("alerting"),
        });
        self.life = Some(Life { store, settler: Arc::new(settler), court, watch, is_alive });
        (self.listens, self.stepped) = (false, None);
    }

    /// It is killed: what was not written is gone, and nothing that was on its way arrives.
    pub(crate) fn die(&mut self) {
        let Some(life) = self.life.take() else { return };
        life.is_alive.store(false, Ordering::Relaxed);
    }

    pub(crate) const fn is_up(&self) -> bool {
        self.life.is_some()
    }

    pub(crate) const fn store_id(&self) -> StoreId {
        self.store_id
    }

    pub(crate) fn advance(&self, ms: i64) {
        self.clock.advance(ms);
    }

    /// Somebody sets its clock.
    pub(crate) fn set_clock(&mut self, now: Timestamp) {
        let step_ms = now.ms_since(self.clock.now());
        self.listens &= step_ms == 0;
        self.stepped = self.stepped.map(|stepped| stepped + step_ms / 1_000);
        self.clock.set(now);
    }

    fn store(&self) -> &Store {
        &self.life.as_ref().unwrap().store
    }

    /// Takes a message; gives the batch that is durable now.
    pub(crate) fn take(&mut self, message: &Message) -> Option<BatchId> {
        let (kind, topic, payload) = match message {
            Message::Batch(payload, _) => (TopicKind::Batch, "baseflow/v1/gw/batch", payload),
            Message::Status(payload) => (TopicKind::Status, "baseflow/v1/gw/status", payload),
        };
        let received_at = self.clock.now();
        let taken = Taken {
            agent: self.agent.clone(),
            kind,
            topic: topic.to_owned(),
            payload: payload.clone().into(),
            received_at,
        };
        let settler = Arc::clone(&self.life.as_ref().unwrap().settler);
        let answer = self.runtime.block_on(settler.settle(taken));
        assert_eq!(answer.refused, [], "nothing is refused");
        if let Message::Batch(_, readings) = message {
            let received = received_at.as_ms() / 1_000;
            self.rows.push(Row { received, readings: readings.clone() });
        }
        answer.notice
    }

    /// Whatever there is to judge at this moment; says whether that comes to an end.
    pub(crate) fn judge(&mut self) -> bool {
        let life = self.life.as_mut().unwrap();
        (0..MOST_PASSES).any(|_| !self.runtime.block_on(life.court.pass()).unwrap())
    }

    /// Keeps watch once. What is to be sent is written then, and has not left.
    pub(crate) fn look(&mut self) {
        let life = self.life.as_mut().unwrap();
        let hears = self.hears.load(Ordering::Relaxed);
        let passed_ms = self.clock.boot_ms() - self.looked_at_boot_ms;
        let has_listened = self.listens && hears && passed_ms <= LISTENING_MS;
        let (at, rows) = (self.clock.now().as_ms() / 1_000, std::mem::take(&mut self.rows));
        let set_back = self.stepped.replace(0).map_or(self.listened - at, |step| -step).max(0);
        self.listened = if hears { at } else { self.listened - set_back };
        self.looks.push(Look { at, set_back, has_listened, listens: hears, rows });
        (self.looked_at_boot_ms, self.listens) = (self.clock.boot_ms(), hears);
        assert!(!self.runtime.block_on(life.watch.pass()).unwrap(), "more than one pass can take");
    }

    /// What was handed over reaches its channels.
    pub(crate) fn send(&mut self) {
        self.runtime.block_on(async {
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Sends until nothing is on its way.
    pub(crate) fn settle(&mut self) {
        while self.life.as_ref().unwrap().watch.is_busy() {
            self.send();
            let life = self.life.as_mut().unwrap();
            self.runtime.block_on(life.watch.pass()).unwrap();
        }
    }

    /// Somebody takes an alarm on, as it is shown; the version may have changed since.
    pub(crate) fn acknowledge(&self, alarm: AlarmId, seen: u32) {
        let by = By { kind: ByKind::Token, name: "duty".to_owned() };
        let ask = Acknowledge { at: self.clock.now(), by, alarm, seen };
        self.store().journal().write_blocking(ask).unwrap();
    }

    /// Every version of every verdict, in order.
    pub(crate) fn verdicts(&self, by: Length) -> Vec<VerdictRow> {
        let section = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
        let query = VerdictsQuery {
            section,
            by,
            span: Span { from: Timestamp::MIN, to: Timestamp::MAX },
            all_versions: true,
            after: None,
            limit: 100_000,
        };
        self.store().journal().read_blocking(|reader| reader.verdicts(&query)).unwrap()
    }

    /// The newest alarms, newest first.
    pub(crate) fn alarms(&self, limit: usize) -> Vec<AlarmFacts> {
        let query = AlarmsQuery { limit, ..AlarmsQuery::default() };
        self.store().journal().read_blocking(|reader| reader.alarms(&query)).unwrap().alarms
    }

    pub(crate) fn messages(&self) -> Vec<NotificationFacts> {
        let query = NotificationsQuery { alarm: None, before: None, limit: 1_000_000 };
        let page = self.store().journal().read_blocking(|reader| reader.notifications(&query));
        page.unwrap().notifications
    }

    /// Entries of a kind.
    pub(crate) fn entries(&self, kind: &str) -> Vec<Entry> {
        let all = self.store().journal().read_blocking(|reader| reader.entries(0, 1_000_000));
        all.unwrap().into_iter().filter(|entry| entry.kind == kind).collect()
    }
}
