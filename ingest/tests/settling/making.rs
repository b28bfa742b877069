//! A server without a network: the store in a folder, who settles what comes, and a clock that the
//! test sets.

use std::{path::Path, sync::Arc, time::Duration};

use ingest::{
    answer::Answer,
    metrics::Metrics,
    shell::{
        rejudge::Rejudge,
        settle::{Settler, Taken, TopicKind},
    },
};
use model::{
    batch::Batch,
    ids::{AgentId, GaugeId},
    time::Timestamp,
    tree::Origin,
    wire::batch_v1,
};
use runtime::clock::{Clock as _, ManualClock};
use store::{
    By, ByKind, Decided, ImportRegistry, Limits, Options, QuarantineQuery, QuarantineRow, Role,
    SamplesQuery, Store, StoredSample,
};

pub(crate) const NOW: i64 = 1_795_305_600_000;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) settler: Arc<Settler>,
    pub(crate) rejudge: Rejudge,
    pub(crate) decided: Decided,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) folder: tempfile::TempDir,
}

/// So many milliseconds after the start.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(NOW + ms).unwrap()
}

/// Without a ballast, which is of a size that a test has no use for.
pub(crate) fn limits() -> Limits {
    Limits { parked: 64 << 20, garbage: 1 << 20, ballast: 0, ..Limits::default() }
}

impl World {
    /// A new store with this registry.
    pub(crate) fn new(limits: Limits, registry: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = Self::open(folder, limits);
        world.import(registry);
        world
    }

    fn open(folder: tempfile::TempDir, limits: Limits) -> Self {
        let store = open(folder.path(), limits);
        let clock = Arc::new(ManualClock::at(at(0)));
        let (samples, journal) = (store.samples().clone(), store.journal().clone());
        let (shared, decided) = (Arc::<ManualClock>::clone(&clock), Decided::default());
        let rejudge = Rejudge::new(samples.clone(), journal.clone(), shared, decided.clone());
        let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
        let shared = Arc::<ManualClock>::clone(&clock);
        let settler = Arc::new(Settler::new(samples, journal, metrics, shared));
        Self { store, settler, rejudge, decided, clock, folder }
    }

    /// The same after a stop and a start, with these limits.
    pub(crate) fn reopened(self, limits: Limits) -> Self {
        let Self { store, settler, rejudge, folder, .. } = self;
        drop((settler, rejudge));
        store.close();
        Self::open(folder, limits)
    }

    pub(crate) fn import(&self, text: &str) {
        let import = ImportRegistry {
            at: at(0),
            by: by("tests"),
            file: "registry.toml".to_owned(),
            file_digest: [u8::try_from(text.len() % 251).unwrap(); 32],
            registry: store::registry::parse(text, &Origin::Default).unwrap(),
            stored: Vec::new(),
            dry_run: false,
        };
        self.store.journal().write_blocking(import).unwrap();
    }

    /// Puts another registry in force from within the runtime.
    pub(crate) async fn import_meanwhile(self: &Arc<Self>, text: String, gauges: usize) {
        let importing = Arc::clone(self);
        tokio::task::spawn_blocking(move || importing.import(&text)).await.unwrap();
        self.until_gauges(gauges).await;
    }

    /// Until the station has so many gauges in the registry in force.
    pub(crate) async fn until_gauges(&self, count: usize) {
        let mut state = self.store.journal().watch();
        let has = |state: &store::JournalState| {
            let registry = state.registry.as_ref();
            registry.and_then(|found| found.registry.station("S")).map(|s| s.gauges.len())
                == Some(count)
        };
        state.wait_for(has).await.unwrap();
    }

    pub(crate) async fn settle(&self, kind: TopicKind, payload: Vec<u8>) -> Answer {
        let topic = match kind {
            TopicKind::Batch => "baseflow/v1/gw/batch",
            TopicKind::Json => "baseflow/v1/gw/json",
            TopicKind::Status => "baseflow/v1/gw/status",
        };
        self.settle_of(agent(), topic, (kind, payload)).await
    }

    pub(crate) async fn settle_of(
        &self,
        agent: AgentId,
        topic: &str,
        (kind, payload): (TopicKind, Vec<u8>),
    ) -> Answer {
        let taken = Taken {
            agent,
            kind,
            topic: topic.to_owned(),
            payload: payload.into(),
            received_at: self.clock.now(),
        };
        Arc::clone(&self.settler).settle(taken).await
    }

    pub(crate) async fn send(&self, batch: &Batch) -> Answer {
        self.settle(TopicKind::Batch, batch_v1::encode(batch)).await
    }

    pub(crate) async fn rows(&self) -> Vec<QuarantineRow> {
        let query = QuarantineQuery { kind: None, state: None, before: None, limit: 1_000 };
        self.store.samples().read(move |reader| reader.quarantine(&query)).await.unwrap().rows
    }

    /// Every sample of a gauge.
    pub(crate) async fn samples(&self, name: &str) -> Vec<StoredSample> {
        let query = SamplesQuery {
            gauge: gauge(name),
            from: Timestamp::MIN,
            to: Timestamp::MAX,
            cursor: None,
            limit: 10_000,
        };
        self.store.samples().read(move |reader| reader.samples(&query)).await.unwrap().samples
    }

    /// The kinds of the journal's entries.
    pub(crate) async fn entries(&self) -> Vec<String> {
        let entries = self.store.journal().read(|reader| reader.entries(0, 1_000)).await.unwrap();
        entries.into_iter().map(|entry| entry.kind).collect()
    }

    /// How many of the journal's entries are of this kind.
    pub(crate) async fn count(&self, kind: &str) -> usize {
        self.entries().await.iter().filter(|found| *found == kind).count()
    }

    pub(crate) fn is_sound(&self) {
        assert_eq!(store::verify(&self.store).unwrap().findings, []);
    }
}

fn open(folder: &Path, limits: Limits) -> Store {
    let options = Options { now: at(0), version: "0".to_owned(), role: Role::Server };
    Store::open_with(folder, &options, limits, &prometheus::Registry::new()).unwrap()
}

pub(crate) fn by(name: &str) -> By {
    By { kind: ByKind::Command, name: name.to_owned() }
}

pub(crate) fn agent() -> AgentId {
    "gw".parse().unwrap()
}

pub(crate) fn gauge(name: &str) -> GaugeId {
    format!("S/{name}").parse().unwrap()
}

/// A registry whose one station has these gauges.
pub(crate) fn registry(names: &[&str]) -> String {
    const STATION: &str = r#"
        [[station]]
        id = "S"
        name = "s"
        kind = "hydropower"
        agent = "gw"
    "#;
    [STATION, &gauges(names)].concat()
}

/// Further gauges of the last station of a registry.
pub(crate) fn gauges(names: &[&str]) -> String {
    let gauge = |name: &&str| {
        [
            "[[station.gauge]]\nquantity = \"flow\"\nunit = \"m3/s\"\ninterval = \"5s\"\nid = \"",
            name,
            "\"\n",
        ]
        .concat()
    };
    names.iter().map(gauge).collect()
}

/// Looks again and again until `look` finds what it looks for.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, look: impl Fn() -> F) -> T {
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

/// Runs a test in a world of so many gauges, which is sound in the end. Opening and importing wait,
/// so they happen outside of the runtime.
pub(crate) fn in_this_world<F: Future<Output = ()>>(
    (world, gauges): (World, usize),
    test: impl FnOnce(Arc<World>) -> F,
) {
    let world = Arc::new(world);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        world.until_gauges(gauges).await;
        test(Arc::clone(&world)).await;
    });
    world.is_sound();
}
