//! Row `judged_again`: years of closed hours judged once more by another law, and what waits
//! meanwhile.

use std::{env, path::Path, process::Command, sync::Arc};

use compliance::shell::court;
use model::{
    batch::{Batch, BatchClock, Column},
    ids::{AgentId, BatchId, Epoch, GaugeId, SectionKey},
    quantity::Unit,
    reading::Point,
    time::{HOUR_MS, Span, Timestamp},
    tree::Origin,
    verdict::{Length, Verdict},
    wire::batch_v1,
};
use runtime::clock::{Clock as _, ManualClock};
use serde::{Deserialize, Serialize};
use store::{
    Admission, Admit, AdmittedColumn, By, ByKind, Import, ImportRegistry, Key, Kind, Limits,
    Options, Role, Store, VerdictsQuery,
};
use world::Finished;

use crate::{
    Scale, clock,
    figures::{Report, Spread, grouped},
};

/// An argument of the benchmark's own binary.
pub const CHILD: &str = "--again=";
/// As many as a district has.
const STATIONS: usize = 29;
const STEP_MS: i64 = 300_000;
const HOURS: i64 = 24;
/// ml/s: what is released, what the first law demands and what the second one does.
const RELEASED: i64 = 600_000;
const DEMANDED: [&str; 2] = ["0.5", "0.7"];

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    /// Seconds until a history that came at once was judged.
    first: f64,
    /// Seconds until all of it was judged by another law.
    again: f64,
    /// Of passes meanwhile, ms: a live reading waits for one.
    passes: Vec<f64>,
    /// Readings that came live meanwhile, and were judged in the pass that followed.
    live: usize,
    hours: usize,
}

/// The row.
pub fn run(scale: &Scale, report: &mut Report) {
    let days = if scale.is_quick { 60 } else { 365 };
    let own = env::current_exe().expect("a program knows where it is");
    let said = Finished::of(Command::new(own).arg(format!("{CHILD}{days}"))).success();
    let line = said.lines().last().unwrap_or_default();
    let measured: Measured =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said}"));
    let hours = grouped(measured.hours as f64, 0);
    let what = format!("{STATIONS} stations, {days} days of 5-minute readings ({hours} hours)");
    let mut line = |rest: &str, value: String| {
        report.line("judged_again", &format!("{what}: {rest}"), value, "");
    };
    line("judged for the first time, s", format!("{:.1}", measured.first));
    line(
        "judged again by another law, each hour and day anew, s",
        format!("{:.1}", measured.again),
    );
    let passes = Spread::of(measured.passes);
    line(
        "what a live reading waits for meanwhile: a pass of the consumer, p50 / p99 / max ms",
        format!("{:.0} / {:.0} / {:.0}", passes.median(), passes.at(0.99), passes.at(1.0)),
    );
    let live = grouped(measured.live as f64, 0);
    line("live readings that were judged in the pass that followed", live);
}

/// In a process of its own.
pub fn child(asked: &str) {
    let days: i64 = asked.parse().expect("a number of days");
    let mut years = Years::new(days);
    let began = clock::now();
    years.import(0);
    years.history(days);
    while years.pass() {}
    let first = began.elapsed().as_secs_f64();
    years.expect(Verdict::Met, 1);
    years.import(1);
    let began = clock::now();
    let (mut passes, mut live) = (Vec::new(), 0);
    loop {
        let is_live = passes.len() % 20 == 0;
        if is_live {
            years.live(live % STATIONS);
        }
        let begun = clock::now();
        let has_more = years.pass();
        passes.push(begun.elapsed().as_secs_f64() * 1_000.0);
        if is_live {
            years.expect_live(live % STATIONS);
            live += 1;
        }
        if !has_more {
            break;
        }
    }
    let again = began.elapsed().as_secs_f64();
    let hours = years.expect(Verdict::Short, 2);
    let measured = Measured { first, again, passes, live, hours };
    println!("{}", serde_json::to_string(&measured).expect("numbers"));
}

struct Years {
    store: Store,
    clock: ManualClock,
    runtime: tokio::runtime::Runtime,
    consumer: court::Consumer,
    begin: Timestamp,
    sequence: u64,
    /// Of each station, how many readings came.
    came: [i64; STATIONS],
    _folder: tempfile::TempDir,
}

fn name(station: usize) -> String {
    format!("BF-{station:02}")
}

fn registry(demanded: &str) -> String {
    let station = |station| {
        format!(
            "\n[[station]]\nid = \"{}\"\nagent = \"gw\"\n\
             gauge = [ {{ id = \"flow\", quantity = \"flow\", unit = \"m3/s\", interval = \"5m\" }} ]\n\
             outlet = [ {{ id = \"pipe\", flow = {{ gauge = \"flow\" }} }} ]\n\
             mandate = [ {{ document = \"D\", from = \"2024-01-01\", seasons = [ {{ from = \"01-01\", flow = {demanded} }} ], rule = \"hourly\" }} ]\n",
            name(station)
        )
    };
    let rule = "[[rule]]\nid = \"hourly\"\nstatistic = \"hourly_mean\"\n".to_owned();
    rule + &(0..STATIONS).map(station).collect::<String>()
}

impl Years {
    fn new(days: i64) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
        let folder = tempfile::Builder::new().prefix("baseflow-years-").tempdir_in(place);
        let folder = folder.expect("a temporary folder");
        let begin: Timestamp = "2025-03-01T00:00:00+08:00".parse().expect("a moment");
        let now = begin.plus_ms(days * HOURS * HOUR_MS);
        let options = Options { now, version: "0".to_owned(), role: Role::Server };
        let limits = Limits { ballast: 0, ..Limits::default() };
        let metrics = prometheus::Registry::new();
        let store = Store::open_with(folder.path(), &options, limits, &metrics).expect("a store");
        let clock = ManualClock::at(now);
        let consumer = court::Consumer::new(court::Parts {
            samples: store.samples().clone(),
            journal: store.journal().clone(),
            clock: Arc::new(clock.clone()),
            near: "1.05".parse().expect("a number"),
            metrics: compliance::metrics::Metrics::new(&metrics).expect("names"),
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (sequence, came) = (0, [0; STATIONS]);
        Self { store, clock, runtime, consumer, begin, sequence, came, _folder: folder }
    }

    fn import(&self, law: usize) {
        let text = registry(DEMANDED[law]);
        let import = ImportRegistry {
            at: self.clock.now(),
            by: By { kind: ByKind::Command, name: "bench".to_owned() },
            file: "registry.toml".to_owned(),
            file_digest: [u8::try_from(law).expect("small"); 32],
            registry: store::registry::parse(&text, &Origin::Default).expect("a registry"),
            stored: Vec::new(),
            dry_run: false,
        };
        let done = self.store.journal().write_blocking(import).expect("an import");
        let Import::Done { position: Some(entry), .. } = done else { panic!("{done:?}") };
        self.runtime.block_on(async {
            let mut state = self.store.journal().watch();
            let is_known = |state: &store::JournalState| {
                state.registry.as_ref().is_some_and(|known| known.entry >= entry)
            };
            state.wait_for(is_known).await.expect("the store runs");
        });
    }

    fn history(&mut self, days: i64) {
        for _ in 0..days {
            for station in 0..STATIONS {
                self.send(station, HOURS * HOUR_MS / STEP_MS);
            }
        }
    }

    fn live(&mut self, station: usize) {
        self.clock.advance(STEP_MS / i64::try_from(STATIONS).expect("small"));
        self.send(station, 1);
    }

    /// So many readings that follow.
    fn send(&mut self, station: usize, count: i64) {
        self.sequence += 1;
        let gauge: GaugeId = format!("{}/flow", name(station)).parse().expect("an id");
        let from = self.begin.plus_ms(self.came[station] * STEP_MS);
        self.came[station] += count;
        let at = |k: i64| from.plus_ms(k * STEP_MS);
        let points: Vec<Point> =
            (0..count).map(|k| Point::good(at(k).as_ms(), RELEASED + k % 7)).collect();
        // a span reaches over an hour at most
        let each = HOUR_MS / STEP_MS;
        let columns = (0..count).step_by(12).map(|first| {
            let points = each.min(count - first);
            AdmittedColumn {
                gauge: gauge.clone(),
                unit: Unit::named("m3/s").expect("a unit"),
                decimals: 6,
                from: at(first),
                to: at(first + points - 1),
                points: u32::try_from(points).expect("small"),
                offset_ms: 0,
                qc: None,
            }
        });
        let agent: AgentId = "gw".parse().expect("an id");
        let (epoch, sequence) = (Epoch(7), self.sequence);
        let admitted = columns.collect();
        let column = Column {
            gauge: gauge.clone(),
            unit: "m3/s".into(),
            decimals: 6,
            period_ms: 300_000,
            points,
        };
        let batch = Batch {
            id: BatchId { agent: agent.clone(), epoch, sequence },
            clock: BatchClock::Utc { uncertainty_ms: 0 },
            previous: None,
            columns: vec![column],
            gaps: Vec::new(),
            anchors: Vec::new(),
        };
        let bytes = batch_v1::encode(&batch);
        let admit = Admit {
            kind: Kind::Batch,
            key: Key::Batch { epoch, sequence, digest: batch_v1::digest(&bytes) },
            agent,
            topic: "baseflow/v1/gw/batch".to_owned(),
            received_at: self.clock.now(),
            bytes,
            columns: admitted,
            set_aside: Vec::new(),
            boot: None,
            gaps: Vec::new(),
            anchors: Vec::new(),
            previous: None,
        };
        let admission = self.store.samples().write_blocking(admit).expect("a store that writes");
        assert!(matches!(admission, Admission::Admitted(_)), "{admission:?}");
    }

    fn pass(&mut self) -> bool {
        let has_more = self.runtime.block_on(self.consumer.pass()).expect("a pass");
        if !has_more && self.clock.now() < self.begin.plus_ms(self.came[0] * STEP_MS + 1_000_000) {
            // what waits for quiet is due by then
            self.clock.advance(20_000);
            return true;
        }
        has_more
    }

    /// Every closed hour of the history is this, by this version; says how many there are.
    fn expect(&self, verdict: Verdict, version: u32) -> usize {
        let mut count = 0;
        for station in 0..STATIONS {
            let rows = self.hours(station, Span { from: Timestamp::MIN, to: self.clock.now() });
            let closed = rows.iter().filter(|row| row.version > 0);
            for row in closed {
                let is_live = row.span.to > self.begin.plus_ms(self.came[0] * STEP_MS - HOUR_MS);
                let is_so = row.verdict == Some(verdict) && (row.version == version || is_live);
                assert!(is_so, "void: {row:?}");
                count += 1;
            }
        }
        count
    }

    fn expect_live(&self, station: usize) {
        let newest = self.begin.plus_ms((self.came[station] - 1) * STEP_MS);
        let rows =
            self.hours(station, Span { from: newest.plus_ms(-HOUR_MS), to: newest.plus_ms(1) });
        let is_judged =
            rows.last().is_some_and(|row| row.span.from <= newest && newest < row.span.to);
        assert!(is_judged, "void: {} at {newest} is not judged: {rows:?}", name(station));
    }

    fn hours(&self, station: usize, span: Span) -> Vec<store::VerdictRow> {
        let section = SectionKey {
            station: name(station).parse().expect("an id"),
            section: "dam".parse().expect("an id"),
        };
        let (by, limit) = (Length::Hour, 100_000);
        let query = VerdictsQuery { section, by, span, all_versions: false, after: None, limit };
        let rows = self.store.journal().read_blocking(|reader| reader.verdicts(&query));
        rows.expect("a journal")
    }
}
