//! Many rivers in one process: a store, the consumers over it as the server has them, and a clock
//! that goes as fast as readings come, so that each number of stations brings as many a second.
//!
//! Each station speaks once a minute of the river, of the minute before, twelve readings of one
//! gauge; no two at the same moment. What must come of it anybody can add up.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, sync::Arc, time::Duration};

use alerting::{
    desk::Surroundings,
    shell::{outbox::Outbox, watch},
};
use compliance::{
    fold::{Fold, Told},
    hearing::{Evidence, JudgedHour},
    judgement,
    shell::court,
};
use model::{
    batch::{Batch, BatchClock, Column},
    flow::Flow,
    ids::{AgentId, BatchId, Epoch, GaugeId, SectionKey},
    quantity::Unit,
    reading::Point,
    section::Section,
    time::{HOUR_MS, Span, Timestamp},
    tree::Origin,
    verdict::{Length, Verdict},
    weight::Weight,
    wire::batch_v1,
};
use runtime::{
    admin::Readiness,
    clock::{Clock as _, ManualClock},
    tasks::{Stage, Tasks},
};
use rustix::time::{ClockId, clock_gettime};
use store::{
    Admission, Admit, AdmittedColumn, AlarmRow, AlarmsQuery, By, ByKind, ImportRegistry, Key, Kind,
    Limits, Options, Role, Store, VerdictRow, VerdictsQuery,
};
use tokio::task::JoinSet;

/// From one reading of a gauge to the next.
pub const STEP_MS: i64 = 5_000;
/// Readings in a frame.
pub const READINGS: i64 = 12;
const FRAME_MS: i64 = READINGS * STEP_MS;
/// Frames that come between two passes 200 ms apart, at 20,000 readings a second.
pub const FRAMES: usize = 333;
/// What must be released, ml/s.
const REQUIRED: i64 = 500_000;
/// A pass that finds no end is a fault.
const PASSES: usize = 100_000;

/// Which consumer is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It judges.
    Compliance,
    /// It raises alarms.
    Alerting,
}

/// Stations, their store and one consumer.
pub struct Rivers {
    store: Store,
    clock: ManualClock,
    runtime: tokio::runtime::Runtime,
    stations: usize,
    begin: Timestamp,
    /// Frames that have come, of all stations.
    came: usize,
    consumer: Option<Consumer>,
    _stage: Stage,
    _folder: tempfile::TempDir,
}

enum Consumer {
    Court(Box<court::Consumer>),
    Watch(Box<watch::Consumer>),
}

/// The number of a station within its registry as its name has it.
fn name(station: usize) -> String {
    format!("BF-{station:06}")
}

/// Every fourth river runs short.
const fn is_short(station: usize) -> bool {
    station.is_multiple_of(4)
}

/// The rule alone, as it is carried on: of each station a frame after the other, in turn, each taken
/// up and followed by a judgement of its open hour. Gives the CPU seconds, what memory it took in
/// bytes, and how many hours were compared with what their readings add up to.
pub fn carry_on(stations: usize, frames: usize) -> (f64, f64, usize) {
    let registry = store::registry::parse(&registry(stations, false), &Origin::Default);
    let registry = registry.expect("a sound registry");
    let sections: Vec<Section<'_>> = Section::judged(&registry).collect();
    let begin: Timestamp = "2026-03-01T10:00:00+08:00".parse().expect("a moment");
    let memory = || crate::machine::memory(std::process::id()).resident * 1_048_576.0;
    let before = memory();
    let mut folds: Vec<Fold> = sections
        .iter()
        .map(|section| {
            let sources = section.sources().into_iter();
            let evidence = sources.map(|source| Evidence { source, samples: Vec::new() });
            let evidence: Vec<Evidence<'_>> = evidence.collect();
            Fold::begin(section, &evidence, section.hour_of(begin), 0).expect("one demand")
        })
        .collect();
    let began = cpu();
    for frame in 0..frames {
        let (minute, station) = (frame / stations, frame % stations);
        let first = i64::try_from(minute).expect("small") * READINGS;
        let came = (first..first + READINGS)
            .map(|k| (begin.plus_ms(k * STEP_MS), Flow::from_ml_per_s(value(station, k))));
        let section = &sections[station];
        let taken = folds[station].take(section, &[came.collect()], 0);
        assert_eq!(taken, Ok(()), "void: what comes in order is carried on");
        let hour = section.hour_of(begin.plus_ms(first * STEP_MS));
        assert!(matches!(folds[station].so_far(section, hour), Told::Is(_)), "void: no judgement");
    }
    let took = cpu() - began;
    let grown = memory() - before;
    for (station, fold) in folds.iter().enumerate() {
        let frames = frames / stations + usize::from(station < frames % stations);
        let readings = i64::try_from(frames).expect("small") * READINGS;
        let section = &sections[station];
        let hour = section.hour_of(begin.plus_ms((readings - 1) * STEP_MS));
        let Told::Is(judgement) = fold.so_far(section, hour) else { panic!("void: no judgement") };
        let inside = (0..readings).filter(|k| begin.plus_ms(k * STEP_MS) >= hour.from);
        let water: i128 = inside.map(|k| i128::from(value(station, k)) * i128::from(STEP_MS)).sum();
        assert_eq!(judgement.weight.whole_water, water, "void: {}", name(station));
    }
    (took, grown, stations)
}

/// The `k`-th value of a station, ml/s: well above or well below, and never the same twice running.
fn value(station: usize, k: i64) -> i64 {
    let own = i64::try_from(station % 7).expect("small") * 1_000;
    let base = if is_short(station) { REQUIRED / 2 } else { REQUIRED * 2 };
    base + own + (k * 7 % 13) * 100
}

/// Stations with one gauge, one outlet and one mandate each; an alarm rule where asked.
fn registry(stations: usize, is_watched: bool) -> String {
    let mut text = String::from(
        "[[rule]]\nid = \"hourly\"\nstatistic = \"hourly_mean\"\nhour_coverage = 0.01\n",
    );
    if is_watched {
        text += "\n[[alarm_rule]]\nid = \"low\"\nkind = \"below_mandate\"\nseverity = \"orange\"\n\
                 on_delay = \"20s\"\noff_delay = \"60s\"\n\n\
                 [[alarm_rule]]\nid = \"silent\"\nkind = \"no_data\"\nseverity = \"blue\"\non_delay = \"24h\"\n";
    }
    for station in 0..stations {
        let id = name(station);
        write!(
            text,
            "\n[[station]]\nid = \"{id}\"\nagent = \"gw\"\n\
             gauge = [ {{ id = \"flow\", quantity = \"flow\", unit = \"m3/s\", interval = \"5s\" }} ]\n\
             outlet = [ {{ id = \"pipe\", flow = {{ gauge = \"flow\" }} }} ]\n\
             mandate = [ {{ document = \"D\", from = \"2026-01-01\", seasons = [ {{ from = \"01-01\", flow = 0.5 }} ], rule = \"hourly\" }} ]\n"
        )
        .expect("a string takes all");
    }
    text
}

impl Rivers {
    /// A store under a registry; nothing has come.
    pub fn new(stations: usize, part: Part) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("baseflow-rivers-").tempdir_in(place);
        let folder = folder.expect("a temporary folder");
        // so that the first hour is known from its only minutes and closed when the next one begins
        let begin: Timestamp = "2026-03-01T09:58:00+08:00".parse().expect("a moment");
        let options = Options { now: begin, version: "0".to_owned(), role: Role::Server };
        let limits = Limits { ballast: 0, ..Limits::default() };
        let metrics = prometheus::Registry::new();
        let store = Store::open_with(folder.path(), &options, limits, &metrics).expect("a store");
        let clock = ManualClock::at(begin);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let stage = Tasks::new().stage("bench", Duration::from_secs(1));
        let mut rivers = Self {
            store,
            clock,
            runtime,
            stations,
            begin,
            came: 0,
            consumer: None,
            _stage: stage.clone(),
            _folder: folder,
        };
        rivers.import(&registry(stations, part == Part::Alerting));
        rivers.consumer = Some(rivers.consumer(part, &metrics, &stage));
        rivers.settle();
        rivers
    }

    /// Puts a registry into force.
    fn import(&self, text: &str) {
        let registry = store::registry::parse(text, &Origin::Default).expect("a sound registry");
        let import = ImportRegistry {
            at: self.clock.now(),
            by: By { kind: ByKind::Command, name: "bench".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [0; 32],
            registry,
            stored: Vec::new(),
            dry_run: false,
        };
        self.store.journal().write_blocking(import).expect("an import");
        self.runtime.block_on(async {
            let mut state = self.store.journal().watch();
            state.wait_for(|state| state.registry.is_some()).await.expect("the store runs");
        });
    }

    fn consumer(&self, part: Part, metrics: &prometheus::Registry, stage: &Stage) -> Consumer {
        let (samples, journal) = (self.store.samples().clone(), self.store.journal().clone());
        let clock = Arc::new(self.clock.clone());
        match part {
            Part::Compliance => {
                let metrics = compliance::metrics::Metrics::new(metrics).expect("names");
                let near = "1.05".parse().expect("a number");
                let parts = court::Parts { samples, journal, clock, near, metrics };
                Consumer::Court(Box::new(court::Consumer::new(parts)))
            }
            Part::Alerting => {
                let _entered = self.runtime.enter();
                let metrics = alerting::metrics::Metrics::new(metrics).expect("names");
                let outbox = Outbox::start(BTreeMap::new(), metrics.clone(), stage);
                let surroundings = Surroundings {
                    url: "http://localhost".to_owned(),
                    reserved: BTreeMap::new(),
                    draw: || None,
                };
                Consumer::Watch(Box::new(watch::Consumer::new(watch::Parts {
                    samples,
                    journal,
                    clock,
                    metrics,
                    outbox,
                    surroundings,
                    hears: Arc::new(|| true),
                    readiness: Readiness::default().condition("alerting"),
                })))
            }
        }
    }

    /// When a frame comes: the stations speak one after another, each once a minute.
    fn comes_at(&self, frame: usize) -> Timestamp {
        let (minute, station) = (frame / self.stations, frame % self.stations);
        let small = |number: usize| i64::try_from(number).expect("small");
        let phase_ms = small(station) * FRAME_MS / small(self.stations);
        self.begin.plus_ms((small(minute) + 1) * FRAME_MS + phase_ms)
    }

    /// The frames that are next come and are stored.
    fn come(&mut self, frames: usize) {
        let admits: Vec<Admit> =
            (self.came..self.came + frames).map(|frame| self.admit(frame)).collect();
        self.came += frames;
        let samples = self.store.samples();
        self.runtime.block_on(async {
            let mut writes = JoinSet::new();
            for admit in admits {
                let samples = samples.clone();
                writes.spawn(async move { samples.write(admit).await });
            }
            while let Some(written) = writes.join_next().await {
                let admission = written.expect("no panic").expect("a store that writes");
                assert!(matches!(admission, Admission::Admitted(_)), "{admission:?}");
            }
        });
    }

    fn admit(&self, frame: usize) -> Admit {
        let (minute, station) = (frame / self.stations, frame % self.stations);
        let received_at = self.comes_at(frame);
        let from = received_at.plus_ms(-FRAME_MS);
        let first = i64::try_from(minute).expect("small") * READINGS;
        let points: Vec<Point> = (0..READINGS)
            .map(|k| Point::good(from.as_ms() + k * STEP_MS, value(station, first + k)))
            .collect();
        let gauge: GaugeId = format!("{}/flow", name(station)).parse().expect("an id");
        let admitted = AdmittedColumn {
            gauge: gauge.clone(),
            unit: Unit::named("m3/s").expect("a unit"),
            decimals: 6,
            from,
            to: from.plus_ms((READINGS - 1) * STEP_MS),
            points: u32::try_from(READINGS).expect("small"),
            offset_ms: 0,
            qc: None,
        };
        let agent: AgentId = "gw".parse().expect("an id");
        let (epoch, sequence) = (Epoch(7), frame as u64 + 1);
        let batch = Batch {
            id: BatchId { agent: agent.clone(), epoch, sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![Column {
                gauge,
                unit: "m3/s".into(),
                decimals: 6,
                period_ms: 5_000,
                points,
            }],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let bytes = batch_v1::encode(&batch);
        Admit {
            kind: Kind::Batch,
            key: Key::Batch { epoch, sequence, digest: batch_v1::digest(&bytes) },
            agent,
            topic: "baseflow/v1/gw/batch".to_owned(),
            received_at,
            bytes,
            columns: vec![admitted],
            set_aside: Vec::new(),
            boot: None,
            gaps: Vec::new(),
            anchors: Vec::new(),
            previous: None,
        }
    }

    /// What has come since the pass before is taken up and dealt with; gives the CPU seconds.
    pub fn pass(&mut self) -> f64 {
        self.come(FRAMES);
        let last = self.comes_at(self.came - 1);
        self.clock.advance(last.ms_since(self.clock.now()));
        self.settle()
    }

    /// Passes until nothing is left to do at this moment; gives the CPU seconds.
    fn settle(&mut self) -> f64 {
        let consumer = self.consumer.as_mut().expect("one that runs");
        let began = cpu();
        let is_done = (0..PASSES).any(|_| {
            !self.runtime.block_on(async {
                match consumer {
                    Consumer::Court(consumer) => consumer.pass().await.expect("a pass"),
                    Consumer::Watch(consumer) => consumer.pass().await.expect("a pass"),
                }
            })
        });
        assert!(is_done, "it never comes to rest");
        cpu() - began
    }

    /// Everything that must have come of it has, and nothing else; says how many verdicts or
    /// alarms were compared.
    pub fn reconcile(&mut self) -> usize {
        let rest = (self.stations - self.came % self.stations) % self.stations;
        self.come(rest);
        // what is written of open hours now and then is written by now
        self.clock.advance(self.comes_at(self.came).plus_ms(60_000).ms_since(self.clock.now()));
        self.settle();
        match self.consumer {
            Some(Consumer::Court(_)) => self.reconcile_verdicts(),
            Some(Consumer::Watch(_)) | None => self.reconcile_alarms(),
        }
    }

    fn reconcile_verdicts(&self) -> usize {
        let readings = i64::try_from(self.came / self.stations).expect("small") * READINGS;
        let mut compared = 0;
        for station in 0..self.stations {
            let rows = self.hours(station);
            let from = self.comes_at(station).plus_ms(-FRAME_MS);
            let to = from.plus_ms(readings * STEP_MS);
            let first = from.plus_ms(-from.as_ms().rem_euclid(HOUR_MS));
            let begins: Vec<Timestamp> = rows.iter().map(|row| row.span.from).collect();
            let hours = (to.ms_since(first) + HOUR_MS - 1) / HOUR_MS;
            let expected: Vec<Timestamp> =
                (0..hours).map(|hour| first.plus_ms(hour * HOUR_MS)).collect();
            assert_eq!(begins, expected, "void: hours of {}", name(station));
            for row in &rows {
                self.compare(station, row, (from, readings));
                let is_over = row.span.to <= to.plus_ms(-FRAME_MS);
                assert!(row.version <= 1, "void: {row:?} was said twice");
                assert!(!is_over || row.version == 1, "void: {row:?} is not closed");
            }
            compared += rows.len();
        }
        compared
    }

    fn hours(&self, station: usize) -> Vec<VerdictRow> {
        let section = SectionKey {
            station: name(station).parse().expect("an id"),
            section: "dam".parse().expect("an id"),
        };
        let span = Span { from: Timestamp::MIN, to: Timestamp::MAX };
        let (by, limit) = (Length::Hour, 100_000);
        let query = VerdictsQuery { section, by, span, all_versions: true, after: None, limit };
        let rows = self.store.journal().read_blocking(|reader| reader.verdicts(&query));
        rows.expect("a journal")
    }

    /// An hour is what its readings add up to.
    fn compare(&self, station: usize, row: &VerdictRow, (from, readings): (Timestamp, i64)) {
        let JudgedHour { verdict, weight, .. } =
            judgement::read(row.span, &row.bytes).expect("a judgement");
        let is = if is_short(station) { Verdict::Short } else { Verdict::Met };
        let mut expected = Weight::default();
        for k in 0..readings {
            let at = from.plus_ms(k * STEP_MS);
            let begun = at.max(row.span.from);
            let ended = at.plus_ms(STEP_MS).min(row.span.to);
            let length = i128::from(ended.ms_since(begun).max(0));
            expected.covered += length;
            expected.whole_water += length * i128::from(value(station, k));
        }
        let found = (verdict, weight.covered, weight.whole_water);
        let expected = (Some(is), expected.covered, expected.whole_water);
        assert_eq!(found, expected, "void: {} {:?}", name(station), row.span);
    }

    fn reconcile_alarms(&self) -> usize {
        let query = AlarmsQuery { limit: 1_000_000, ..AlarmsQuery::default() };
        let page = self.store.journal().read_blocking(|reader| reader.alarms(&query));
        let alarms = page.expect("a journal").alarms.into_iter().map(|facts| facts.row);
        let alarms: Vec<AlarmRow> = alarms.collect();
        let mut of_station: BTreeMap<String, usize> = BTreeMap::new();
        for alarm in &alarms {
            let is_low = alarm.rule.as_str() == "low" && alarm.raised_at.is_some();
            assert!(is_low, "void: nobody asked for {alarm:?}");
            *of_station.entry(alarm.subject.to_string()).or_default() += 1;
        }
        let short = (0..self.stations).filter(|station| is_short(*station));
        let expected: BTreeMap<String, usize> =
            short.map(|station| (format!("section {}/dam", name(station)), 1)).collect();
        assert_eq!(of_station, expected, "void: alarms");
        alarms.len()
    }
}

/// CPU seconds of this process.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
