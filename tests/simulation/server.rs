//! The server without a network: its store in a folder, and its rules driven by hand.

use std::{path::Path, sync::Arc};

use compliance::shell::court::{Consumer, Parts};
use ingest::shell::settle::{Settler, Taken, TopicKind};
use model::{
    ids::{AgentId, BatchId, SectionKey, StoreId},
    time::{Span, Timestamp},
    tree::Origin,
    verdict::Length,
};
use runtime::clock::{Clock as _, ManualClock};
use store::{By, ByKind, ImportRegistry, Limits, Options, Role, Store, VerdictRow, VerdictsQuery};

use crate::gateway::Message;

/// More passes than a month has hours.
const MOST_PASSES: usize = 2_000;

pub(crate) struct Server {
    runtime: tokio::runtime::Runtime,
    store: Store,
    settler: Arc<Settler>,
    consumer: Consumer,
    clock: ManualClock,
    agent: AgentId,
    _folder: tempfile::TempDir,
}

impl Server {
    pub(crate) fn new(registry: &str, now: Timestamp) -> Self {
        // whether a disk syncs is for other tests to say, and takes most of the time
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder =
            tempfile::Builder::new().prefix("baseflow-simulation-").tempdir_in(place).unwrap();
        let options = Options { now, version: "0".to_owned(), role: Role::Server };
        let limits = Limits { ballast: 0, ..Limits::default() };
        let counters = prometheus::Registry::new();
        let store = Store::open_with(folder.path(), &options, limits, &counters).unwrap();
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
        let clock = ManualClock::at(now);
        let (samples, journal) = (store.samples().clone(), store.journal().clone());
        let metrics = ingest::metrics::Metrics::new(&counters).unwrap();
        let settler = Settler::new(samples, journal, metrics, Arc::new(clock.clone()));
        let consumer = Consumer::new(Parts {
            samples: store.samples().clone(),
            journal: store.journal().clone(),
            clock: Arc::new(clock.clone()),
            near: "1.05".parse().unwrap(),
            metrics: compliance::metrics::Metrics::new(&counters).unwrap(),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut state = store.journal().watch();
            state.wait_for(|state| state.registry.is_some()).await.unwrap();
        });
        let agent = "gw".parse().unwrap();
        Self { runtime, store, settler: Arc::new(settler), consumer, clock, agent, _folder: folder }
    }

    pub(crate) fn store_id(&self) -> StoreId {
        self.store.id()
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.clock.advance(now.ms_since(self.clock.now()));
    }

    /// Takes a message; gives the batch that is durable now.
    pub(crate) fn take(&self, message: Message) -> Option<BatchId> {
        let (kind, topic, payload) = match message {
            Message::Batch(payload) => (TopicKind::Batch, "baseflow/v1/gw/batch", payload),
            Message::Status(payload) => (TopicKind::Status, "baseflow/v1/gw/status", payload),
        };
        let taken = Taken {
            agent: self.agent.clone(),
            kind,
            topic: topic.to_owned(),
            payload: payload.into(),
            received_at: self.clock.now(),
        };
        let answer = self.runtime.block_on(Arc::clone(&self.settler).settle(taken));
        assert_eq!(answer.refused, [], "nothing is refused");
        answer.notice
    }

    /// Whatever there is to judge at this moment; says whether that comes to an end.
    pub(crate) fn judge(&mut self) -> bool {
        (0..MOST_PASSES).any(|_| !self.runtime.block_on(self.consumer.pass()).unwrap())
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
        self.store.journal().read_blocking(|reader| reader.verdicts(&query)).unwrap()
    }
}
