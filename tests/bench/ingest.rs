//! Rows `ingest_e2e` and `start`: frames of many stations through the real broker into the store,
//! every sample of them looked for afterwards.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
    time::Duration,
};

use model::time::Timestamp;
use rustix::fs::{Advice, fadvise};
use world::{Exact, Process, World, wait};

use crate::{
    Scale, clock,
    figures::{Report, Spread, grouped},
    load::{self, Outcome, Pace, Speaker},
    machine, station,
};

const STATIONS: usize = 1_000;
/// Frames that are on their way at once over all agents, but one of each agent at least.
const ON_THEIR_WAY: usize = 8_000;
/// How long the load of the delay measurement lasts.
const HALF_LOAD: Duration = Duration::from_secs(10);

/// A world with a server that listens for the frames of [`STATIONS`] stations.
struct Plant {
    world: World,
    speakers: Vec<Speaker>,
    start_ms: i64,
    /// Frames of each station.
    frames: usize,
    bytes: usize,
}

impl Plant {
    fn build(agents: usize, frames: usize) -> Self {
        let mut world = World::new("bench-ingest");
        let start_ms = wait::now_ms() - i64::try_from(frames + 1).expect("small") * 60_000;
        let start_ms = start_ms - start_ms.rem_euclid(station::STEP_MS);
        let agent = |station: usize| format!("gen-{:04}", station % agents);
        let mut speakers: Vec<Speaker> = (0..agents)
            .map(|at| {
                let name = agent(at);
                Speaker { password: world.broker.password(&name), name, frames: Vec::new() }
            })
            .collect();
        for minute in 0..frames {
            for number in 0..STATIONS {
                let speaker = &mut speakers[number % agents];
                let sequence = speaker.frames.len() as u64 + 1;
                let minute = i64::try_from(minute).expect("small");
                speaker.frames.push(station::frame(
                    &speaker.name,
                    sequence,
                    number,
                    minute,
                    start_ms,
                ));
            }
        }
        let bytes = speakers.iter().flat_map(|speaker| &speaker.frames).map(Vec::len).sum();
        world.broker.accounts(speakers.iter().map(|speaker| speaker.name.as_str()));
        machine::pin(machine::LOAD);
        world.broker.start();
        world.server.prepare(&station::registry(STATIONS, agent));
        machine::pin(machine::TESTED);
        world.server.start();
        machine::unpin();
        Self { world, speakers, start_ms, frames, bytes }
    }

    /// Publishes the frames `skip..until` of every speaker, counted per station.
    fn publish(&self, (skip, until): (usize, usize), pace: Pace) -> Outcome {
        let each = STATIONS / self.speakers.len();
        machine::pin(machine::LOAD);
        let range = (skip * each, until * each);
        let outcome = load::publish(self.world.broker.port(), &self.speakers, range, pace);
        machine::unpin();
        outcome
    }

    fn window(&self) -> Pace {
        Pace::Window((ON_THEIR_WAY / self.speakers.len()).max(1))
    }

    /// Every sample that was generated stands in what `export samples` prints, once, with its moment
    /// and value, and nothing else stands there.
    fn reconcile(&self) -> u64 {
        let mut command = self.world.server.command_line(&["export", "samples", "--format", "csv"]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server's binary");
        let mut lines = BufReader::with_capacity(1 << 20, child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a header");
        assert_eq!(line.trim_end(), "station,gauge,at,value,unit,quality,reason");
        let mut next = vec![[0_i64; station::KINDS.len()]; STATIONS];
        let mut count = 0_u64;
        loop {
            line.clear();
            if lines.read_line(&mut line).expect("the export writes") == 0 {
                break;
            }
            self.compare(line.trim_end(), &mut next);
            count += 1;
        }
        assert!(child.wait().expect("our own child").success(), "the export failed");
        let expected = i64::try_from(self.frames).expect("small") * station::POINTS;
        let is_whole = next.iter().flatten().all(|count| *count == expected);
        assert!(is_whole, "void: {count} samples stored, not every gauge has {expected}");
        count
    }

    /// A line must be the next sample of its gauge.
    fn compare(&self, line: &str, next: &mut [[i64; station::KINDS.len()]]) {
        let fields: Vec<&str> = line.split(',').collect();
        let [id, gauge, at, value, unit, quality, reason] = fields[..] else {
            panic!("void: not a row: {line}")
        };
        let number = id.strip_prefix("BF-").and_then(|text| text.parse::<usize>().ok());
        let place = station::KINDS.iter().position(|kind| kind.gauge == gauge);
        let (Some(number), Some(place)) = (number.filter(|number| *number < STATIONS), place)
        else {
            panic!("void: nobody sent this: {line}")
        };
        let (kind, k) = (&station::KINDS[place], next[number][place]);
        let at: Timestamp = at.parse().expect("a moment");
        let is_equal = at.as_ms() == self.start_ms + k * station::STEP_MS
            && Exact::parse(value) == Some(kind.exact(number, k))
            && (unit, quality, reason) == (kind.unit, "good", "");
        let (moment, value) = (self.start_ms + k * station::STEP_MS, kind.exact(number, k));
        assert!(is_equal, "void: {line}, where {value} at {moment} must come next");
        next[number][place] = k + 1;
    }
}

/// What one repetition gave.
struct Measured {
    rate: f64,
    per_cpu: f64,
    server: f64,
    broker: f64,
    load: f64,
    peak: f64,
    bytes: f64,
    frame_bytes: f64,
    notices: f64,
    reconciled: u64,
    delays: Spread,
    half: f64,
}

/// Row `ingest_e2e`.
pub fn end_to_end(scale: &Scale, report: &mut Report) {
    let (flat_out, repetitions) = if scale.is_quick { (30, 1) } else { (60, 5) };
    for (agents, repetitions) in [(STATIONS, repetitions), (10, repetitions.min(3))] {
        let runs: Vec<Measured> = (0..repetitions).map(|_| repetition(agents, flat_out)).collect();
        tell(report, agents, flat_out, &runs);
    }
}

fn repetition(agents: usize, flat_out: usize) -> Measured {
    // The frames of the delay measurement are made before its rate is known: enough of them.
    let plant = Plant::build(agents, flat_out + flat_out / 2);
    let mut plant = plant;
    let server = plant.world.server.process().id();
    let broker = plant.world.broker.id();
    let own = std::process::id();
    let before = [server, broker, own].map(machine::cpu_seconds);
    let outcome = plant.publish((0, flat_out), plant.window());
    let after = [server, broker, own].map(machine::cpu_seconds);
    let samples = (outcome.frames * station::SAMPLES) as f64;
    let cpu = |at: usize| (after[at] - before[at]) / samples * 1e6;
    let rate = samples / outcome.took.as_secs_f64();

    let half = rate / 2.0 / station::SAMPLES as f64;
    let minutes = (half * HALF_LOAD.as_secs_f64() / STATIONS as f64).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
    let minutes = (minutes as usize).clamp(1, flat_out / 2);
    let delays = plant.publish((flat_out, flat_out + minutes), Pace::Rate(half));
    plant.frames = flat_out + minutes;
    let reconciled = plant.reconcile();
    let stored = std::fs::read_dir(plant.world.server.data()).expect("a data folder");
    let is_samples = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with("samples.db");
    let stored: u64 = stored
        .flatten()
        .filter(|entry| is_samples(&entry.file_name()))
        .map(|entry| entry.metadata().map_or(0, |data| data.len()))
        .sum();
    let frames = plant.speakers.iter().map(|speaker| speaker.frames.len()).sum::<usize>();
    let measured = Measured {
        rate,
        per_cpu: 1e6 / cpu(0),
        server: cpu(0),
        broker: cpu(1),
        load: cpu(2),
        peak: machine::memory(server).peak,
        bytes: stored as f64 / reconciled as f64,
        frame_bytes: plant.bytes as f64 / frames as f64,
        notices: outcome.notices as f64 / outcome.frames as f64,
        reconciled,
        delays: Spread::of(delays.delays_ms),
        half: half * station::SAMPLES as f64,
    };
    println!(
        "  {agents} agents: {} samples/s, server {:.2} CPU s, broker {:.2} CPU s, generator {:.2} CPU s a million; \
         load {}",
        grouped(rate, 0),
        measured.server,
        measured.broker,
        measured.load,
        machine::load()
    );
    plant.world.server.stop();
    measured
}

fn tell(report: &mut Report, agents: usize, flat_out: usize, runs: &[Measured]) {
    let spread = |of: fn(&Measured) -> f64| Spread::of(runs.iter().map(of));
    let who = format!("{agents} agents");
    let samples = (STATIONS * flat_out) as u64 * station::SAMPLES;
    let mut line = |what: &str, value: String, goal: &str| {
        report.line("ingest_e2e", &format!("{who}: {what}"), value, goal);
    };
    line(
        &format!("samples/s, {} samples flat out", grouped(samples as f64, 0)),
        format!("{:.0}", spread(|run| run.rate)),
        "",
    );
    line(
        "samples for a CPU second of the server (= a second of an ingest core)",
        format!("{:.0}", spread(|run| run.per_cpu)),
        "≥ 150,000, aim 1,000,000",
    );
    line("CPU s of the server a million samples", format!("{:.2}", spread(|run| run.server)), "");
    line("CPU s of the broker a million samples", format!("{:.2}", spread(|run| run.broker)), "");
    line("CPU s of the generator a million samples", format!("{:.2}", spread(|run| run.load)), "");
    line("commit notices a frame", format!("{:.2}", spread(|run| run.notices)), "");
    let half = spread(|run| run.half);
    line(
        &format!("publish to notice at 50 % load ({half:.0} samples/s), p50 ms"),
        format!("{:.1}", spread(|run| run.delays.median())),
        "",
    );
    line("the same, p99 ms", format!("{:.1}", spread(|run| run.delays.at(0.99))), "");
    line("server's memory at most, MiB", format!("{:.0}", spread(|run| run.peak)), "");
    line("bytes a frame of 72 samples", format!("{:.0}", spread(|run| run.frame_bytes)), "");
    line("samples.db with its WAL, bytes a sample", format!("{:.2}", spread(|run| run.bytes)), "");
    let reconciled: u64 = runs.iter().map(|run| run.reconciled).sum();
    line(
        "samples reconciled one by one with `export samples`: each once, with moment, value, unit",
        grouped(reconciled as f64, 0),
        "all",
    );
}

/// Row `start`.
pub fn start(scale: &Scale, report: &mut Report) {
    let frames = if scale.is_quick { 15 } else { 60 };
    let mut plant = Plant::build(10, frames);
    plant.publish((0, frames), plant.window());
    let samples = plant.reconcile();
    plant.world.server.stop();
    let repetitions = if scale.is_quick { 5 } else { 15 };
    for (is_cold, of) in [(false, "warm"), (true, "files dropped from the page cache")] {
        let times = (0..repetitions).map(|_| {
            if is_cold {
                drop_from_cache(&plant.world);
            }
            time_to_answer(&plant.world)
        });
        report.line(
            "start",
            &format!("exec to the first answer over HTTP, {samples} samples stored, {of}, ms"),
            format!("{:.0}", Spread::of(times)),
            "≤ 300",
        );
    }
}

/// From exec to an answer that needs the store, in milliseconds.
fn time_to_answer(world: &World) -> f64 {
    let api = world.server.api();
    let log = world.folder().join("start.server.log");
    let began = clock::now();
    let process = Process::start("the server", &mut world.server.command_line(&["run"]), &log);
    let pause = Duration::from_millis(1);
    wait::until_every(pause, "the server answers", Duration::from_secs(60), || {
        match api.try_get("/stations?limit=1") {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(answer.text),
            Err(error) => Err(error.to_string()),
        }
    });
    let took = began.elapsed().as_secs_f64() * 1_000.0;
    process.stop(Duration::from_secs(20));
    took
}

/// What the kernel holds of the databases in memory goes; the binary stays.
fn drop_from_cache(world: &World) {
    for entry in std::fs::read_dir(world.server.data()).expect("a data folder").flatten() {
        if let Ok(file) = std::fs::File::open(entry.path()) {
            rustix::fs::fsync(&file).expect("our own file");
            fadvise(&file, 0, None, Advice::DontNeed).expect("a plain file");
        }
    }
}
