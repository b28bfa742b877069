//! A store under a registry, the consumer over it, and a clock that the test moves.

use std::{collections::BTreeMap, sync::Arc};

use compliance::{
    metrics::Metrics,
    shell::court::{Consumer, Parts},
};
use model::{
    batch::{Batch, BatchClock, Column},
    ids::{AgentId, BatchId, Epoch, GaugeId, SectionKey},
    quantity::Unit,
    reading::Point,
    registry::Registry,
    time::{Span, Timestamp},
    tree::Origin,
    verdict::{Length, Verdict},
    wire::batch_v1,
};
use runtime::clock::{Clock as _, ManualClock};
use store::{
    Admission, Admit, AdmittedColumn, By, ByKind, Import, ImportRegistry, Key, Kind, Options, Role,
    SectionRow, Store, VerdictRow, VerdictsQuery,
};

pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) registry: Registry,
    consumer: Consumer,
    metrics: Metrics,
    imports: u8,
    sequence: u64,
    _folder: tempfile::TempDir,
}

fn consumer(store: &Store, clock: &ManualClock) -> (Consumer, Metrics) {
    let metrics = Metrics::new(&prometheus::Registry::new()).unwrap();
    let consumer = Consumer::new(Parts {
        samples: store.samples().clone(),
        journal: store.journal().clone(),
        clock: Arc::new(clock.clone()),
        near: "1.05".parse().unwrap(),
        metrics: metrics.clone(),
    });
    (consumer, metrics)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl World {
    /// At this moment, under no registry.
    pub(crate) fn new(now: Timestamp) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { now, version: "0".to_owned(), role: Role::Server };
        let store = Store::open(folder.path(), &options, &prometheus::Registry::new()).unwrap();
        let clock = ManualClock::at(now);
        let (consumer, metrics) = consumer(&store, &clock);
        let registry = Registry::default();
        let (imports, sequence) = (0, 0);
        Self { store, clock, registry, consumer, metrics, imports, sequence, _folder: folder }
    }

    /// Puts a registry into force, and waits until it is known.
    pub(crate) fn import(&mut self, text: &str) {
        let origin = Origin::File("registry.toml".into());
        let registry = store::registry::parse(text, &origin).unwrap_or_else(|error| {
            panic!("{error}\n{text}");
        });
        self.imports += 1;
        let import = ImportRegistry {
            at: self.clock.now(),
            by: By { kind: ByKind::Command, name: "test".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [self.imports; 32],
            registry: registry.clone(),
            stored: Vec::new(),
            dry_run: false,
        };
        let done = self.store.journal().write_blocking(import).unwrap();
        let Import::Done { position: Some(position), .. } = done else { panic!("{done:?}") };
        self.registry = registry;
        let known = async {
            let mut state = self.store.journal().watch();
            let is_known = |state: &store::JournalState| {
                state.registry.as_ref().is_some_and(|known| known.entry == position)
            };
            state.wait_for(is_known).await.unwrap();
        };
        runtime().block_on(known);
    }

    /// Passes once, and says whether there is more to do at this moment.
    pub(crate) fn pass(&mut self) -> bool {
        runtime().block_on(self.consumer.pass()).unwrap()
    }

    /// Passes until nothing is left to do at this moment.
    pub(crate) fn settle(&mut self) {
        let runtime = runtime();
        for _ in 0..20_000 {
            if !runtime.block_on(self.consumer.pass()).unwrap() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// What was in memory is gone; what the journal has stands.
    pub(crate) fn starts_again(&mut self) {
        (self.consumer, self.metrics) = consumer(&self.store, &self.clock);
    }

    /// What the consumer has counted since it began.
    pub(crate) fn counted(&self) -> &Metrics {
        &self.metrics
    }

    pub(crate) fn set(&self, now: Timestamp) {
        self.clock.advance(now.ms_since(self.clock.now()));
    }

    pub(crate) fn pass_ms(&self, ms: i64) {
        self.clock.advance(ms);
    }

    /// A batch of one gauge: moments with their flows in ml/s.
    pub(crate) fn send(&mut self, gauge: &str, points: &[(Timestamp, i64)]) {
        self.sequence += 1;
        self.send_as(gauge, points, self.sequence);
    }

    /// The same as the batch of this number.
    pub(crate) fn send_as(&self, gauge: &str, points: &[(Timestamp, i64)], sequence: u64) {
        let points: Vec<Point> =
            points.iter().map(|(at, flow)| Point::good(at.as_ms(), *flow)).collect();
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let gauge: GaugeId = gauge.parse().unwrap();
        let admitted = AdmittedColumn {
            gauge: gauge.clone(),
            unit: Unit::named("m3/s").unwrap(),
            decimals: 6,
            from: Timestamp::clamped(first.at_ms),
            to: Timestamp::clamped(last.at_ms),
            points: u32::try_from(points.len()).unwrap(),
            offset_ms: 0,
            qc: None,
        };
        let agent: AgentId = "gw".parse().unwrap();
        let batch = Batch {
            id: BatchId { agent, epoch: Epoch(7), sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![Column {
                gauge,
                unit: "m3/s".into(),
                decimals: 6,
                period_ms: 60_000,
                points,
            }],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let bytes = batch_v1::encode(&batch);
        let key = Key::Batch { epoch: Epoch(7), sequence, digest: batch_v1::digest(&bytes) };
        self.admit((Kind::Batch, key), bytes, admitted);
    }

    /// The same as a document of a third party, who has no ledger.
    pub(crate) fn post(&self, gauge: &str, points: &[(Timestamp, i64)]) {
        let reading = |(at, flow): &(Timestamp, i64)| {
            let (whole, rest) = (flow / 1_000_000, flow % 1_000_000);
            format!(r#"{{"gauge":"{gauge}","at":"{at}","value":{whole}.{rest:06}}}"#)
        };
        let readings: Vec<String> = points.iter().map(reading).collect();
        let bytes = format!(r#"{{"readings":[{}]}}"#, readings.join(",")).into_bytes();
        let (Some((from, _)), Some((to, _))) = (points.first(), points.last()) else { return };
        let admitted = AdmittedColumn {
            gauge: gauge.parse().unwrap(),
            unit: Unit::named("m3/s").unwrap(),
            decimals: 6,
            from: *from,
            to: *to,
            points: u32::try_from(points.len()).unwrap(),
            offset_ms: 0,
            qc: None,
        };
        let key = Key::Payload { digest: batch_v1::digest(&bytes) };
        self.admit((Kind::Json, key), bytes, admitted);
    }

    fn admit(&self, (kind, key): (Kind, Key), bytes: Vec<u8>, admitted: AdmittedColumn) {
        let admit = Admit {
            kind,
            key,
            agent: "gw".parse().unwrap(),
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

    pub(crate) fn sections(&self) -> Vec<SectionRow> {
        self.store.journal().read_blocking(store::JournalReader::sections).unwrap()
    }

    pub(crate) fn verdicts_of(&self, key: &SectionKey, by: Length, all: bool) -> Vec<VerdictRow> {
        let span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let (section, limit) = (key.clone(), 100_000);
        let query = VerdictsQuery { section, by, span, all_versions: all, after: None, limit };
        self.store.journal().read_blocking(|reader| reader.verdicts(&query)).unwrap()
    }

    pub(crate) fn verdicts(&self, by: Length, all_versions: bool) -> Vec<VerdictRow> {
        self.verdicts_of(&dam(), by, all_versions)
    }

    /// Versions of the hour that begins here, with what each says.
    pub(crate) fn versions(&self, by: Length, from: Timestamp) -> Vec<(u32, Option<Verdict>)> {
        let rows = self.verdicts(by, true).into_iter().filter(|row| row.span.from == from);
        rows.map(|row| (row.version, row.verdict)).collect()
    }

    /// Everything closed that stands, as text, by section.
    pub(crate) fn standing(&self) -> BTreeMap<String, Vec<String>> {
        let mut standing = BTreeMap::new();
        for section in self.sections() {
            let mut lines = Vec::new();
            for by in [Length::Hour, Length::Day] {
                let rows = self.verdicts_of(&section.key, by, false).into_iter();
                let closed = rows.filter(|row| row.version > 0 && !row.is_withdrawn);
                lines.extend(closed.map(|row| String::from_utf8(row.bytes).unwrap()));
            }
            if !lines.is_empty() {
                standing.insert(section.key.to_string(), lines);
            }
        }
        standing
    }

    pub(crate) fn findings(&self) -> Vec<store::Finding> {
        store::verify(&self.store).unwrap().findings
    }
}

pub(crate) fn dam() -> SectionKey {
    SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() }
}
