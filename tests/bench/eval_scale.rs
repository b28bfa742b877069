//! Row `eval_scale`: what a reading costs to judge and to keep watch over, with ten stations and
//! with thousands, at the same number of readings a second; beside a Prometheus with a rule for each.

use std::{collections::BTreeMap, env, process::Command, time::Duration};

use serde::{Deserialize, Serialize};
use world::{Finished, wait};

use crate::{
    Scale,
    figures::{Report, grouped},
    machine,
    peer::Prometheus,
    rivers::{FRAMES, Part, READINGS, Rivers, carry_on},
};

/// Stations; the last ones only where they are asked for.
const STATIONS: [usize; 4] = [10, 100, 1_000, 10_000];
const MOST: usize = 100_000;
/// Frames of each station before it counts, at least: by then each section has begun.
const WARM_UP: usize = 3;
/// Frames of each station that count, at least.
const COUNTED: usize = 3;
/// An argument of the benchmark's own binary: a number of stations is measured in a process of its
/// own, so that memory is its own.
pub const CHILD: &str = "--eval=";

/// What one number of stations gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Measured {
    /// CPU, ns a reading, of the consumer: what it reads of the store, works out and writes.
    ns: f64,
    /// Memory that was taken from the first reading on, bytes.
    memory: f64,
    readings: u64,
    reconciled: usize,
}

/// The row.
pub fn run(scale: &Scale, report: &mut Report) {
    for word in ["rule", "compliance", "alerting"] {
        let mut measured = BTreeMap::new();
        for stations in stations(scale) {
            let one = in_a_process(word, stations, scale);
            println!(
                "  {word}, {} stations: {:.0} ns a reading, {:.1} MiB; load {}",
                grouped(stations as f64, 0),
                one.ns,
                one.memory / 1_048_576.0,
                machine::load()
            );
            measured.insert(stations, one);
        }
        tell(report, word, &measured);
    }
    if let Some(rules) = rules(scale) {
        tell_rules(report, &rules);
    } else {
        let why = Prometheus::why();
        report.line("eval_scale", "Prometheus 2.42", format!("not measured here: {why}"), "");
    }
}

fn stations(scale: &Scale) -> Vec<usize> {
    let more = scale.is_whole.then_some(MOST);
    STATIONS.into_iter().chain(more).collect()
}

fn in_a_process(word: &str, stations: usize, scale: &Scale) -> Measured {
    let own = env::current_exe().expect("a program knows where it is");
    let argument = format!("{CHILD}{word}:{stations}:{}", readings(scale));
    let said = Finished::of(Command::new(own).arg(argument)).success();
    let line = said.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said}"))
}

/// Readings that count, at least.
const fn readings(scale: &Scale) -> usize {
    if scale.is_quick { 480_000 } else { 1_440_000 }
}

/// One number of stations, in a process of its own: prints what it gave.
pub fn child(asked: &str) {
    let mut words = asked.split(':');
    let word = words.next().unwrap_or_default();
    let part = if word == "compliance" { Part::Compliance } else { Part::Alerting };
    let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
    let (stations, readings) = number().zip(number()).expect("two numbers");
    if word == "rule" {
        let frames = (readings / 12).max(COUNTED * stations);
        let (seconds, memory, reconciled) = carry_on(stations, frames);
        let readings = frames as u64 * READINGS.unsigned_abs();
        let ns = seconds * 1e9 / readings as f64;
        let measured = Measured { ns, memory, readings, reconciled };
        println!("{}", serde_json::to_string(&measured).expect("numbers"));
        return;
    }
    let mut rivers = Rivers::new(stations, part);
    let memory = || machine::memory(std::process::id()).resident * 1_048_576.0;
    let before = memory();
    let passes = |frames: usize| frames.div_ceil(FRAMES);
    for _ in 0..passes(WARM_UP * stations) {
        rivers.pass();
    }
    let frames = readings.div_ceil(usize::try_from(READINGS).expect("small"));
    let counted = passes(frames.max(COUNTED * stations));
    let seconds: f64 = (0..counted).map(|_| rivers.pass()).sum();
    let grown = memory() - before;
    let readings = (counted * FRAMES) as u64 * READINGS.unsigned_abs();
    let measured = Measured {
        ns: seconds * 1e9 / readings as f64,
        memory: grown,
        readings,
        reconciled: rivers.reconcile(),
    };
    println!("{}", serde_json::to_string(&measured).expect("numbers"));
}

fn tell(report: &mut Report, word: &str, measured: &BTreeMap<usize, Measured>) {
    let mut line = |what: &str, value: String, goal: &str| {
        report.line("eval_scale", &format!("{word}: {what}"), value, goal);
    };
    let joined = |of: &dyn Fn(&Measured) -> String| {
        measured.values().map(of).collect::<Vec<_>>().join(" / ")
    };
    let stations: Vec<String> =
        measured.keys().map(|stations| grouped(*stations as f64, 0)).collect();
    let stations = stations.join(" / ");
    let what = match word {
        "rule" => "CPU of taking a reading up and judging the open hour with each frame,",
        _ => "CPU of the whole consumer: what it reads of the store, works out and writes,",
    };
    line(
        &format!("{what} with {stations} stations, ns a reading"),
        joined(&|one| grouped(one.ns, 0)),
        "≤ 300",
    );
    let (Some((least, first)), Some((most, last))) =
        (measured.first_key_value(), measured.last_key_value())
    else {
        return;
    };
    let slope = last.ns / first.ns;
    line(&format!("from {least} to {most} stations, times"), format!("{slope:.2}"), "≤ 1.25");
    // what a process takes whatever it does is in both
    let few = measured.get(&1_000).unwrap_or(first);
    let between = (last.memory - few.memory) / (most - 1_000) as f64;
    let what =
        format!("memory a station, from 1,000 to {} stations, bytes", grouped(*most as f64, 0));
    line(&what, grouped(between, 0), "≤ 2,048");
    let what = match word {
        "alerting" => "alarms, each of a river that runs short, and one of each that does",
        _ => "hours, each compared with what its readings add up to",
    };
    let reconciled: usize = measured.values().map(|one| one.reconciled).sum();
    line(what, grouped(reconciled as f64, 0), "all");
}

/// What a rule for each station costs a Prometheus.
#[derive(Debug)]
struct Ruled {
    /// CPU of the process, ns a reading: it scrapes, stores and evaluates each once.
    ns: f64,
    /// Of that what the rules took, by its own account.
    rules_ns: f64,
    resident: f64,
}

/// As often as stations are read.
const INTERVAL: Duration = Duration::from_secs(5);

fn rules(scale: &Scale) -> Option<BTreeMap<usize, Ruled>> {
    let window = Duration::from_secs(if scale.is_quick { 20 } else { 60 });
    let mut measured = BTreeMap::new();
    for stations in STATIONS {
        let peer = Prometheus::with_rules(stations, INTERVAL)?;
        peer.expect_alerts(stations.div_ceil(4));
        let (cpu, sum, count) = (peer.cpu_seconds(), peer.rule_seconds(), peer.evaluations());
        wait::pass(window);
        let evaluated = peer.evaluations() - count;
        let of_each = |seconds: f64| seconds * 1e9 / evaluated;
        let one = Ruled {
            ns: of_each(peer.cpu_seconds() - cpu),
            rules_ns: of_each(peer.rule_seconds() - sum),
            resident: peer.resident(),
        };
        println!("  Prometheus, {stations} rules: {one:?}; load {}", machine::load());
        measured.insert(stations, one);
    }
    Some(measured)
}

fn tell_rules(report: &mut Report, measured: &BTreeMap<usize, Ruled>) {
    let joined =
        |of: &dyn Fn(&Ruled) -> String| measured.values().map(of).collect::<Vec<_>>().join(" / ");
    let stations: Vec<String> =
        measured.keys().map(|stations| grouped(*stations as f64, 0)).collect();
    let stations = stations.join(" / ");
    let mut line = |what: &str, value: String| {
        let what = format!("Prometheus 2.42, a rule for each of {stations} stations: {what}");
        report.line("eval_scale", &what, value, "");
    };
    line(
        "CPU, ns a reading that is scraped, stored and evaluated",
        joined(&|one| grouped(one.ns, 0)),
    );
    line("of that the rules, by its own account", joined(&|one| grouped(one.rules_ns, 0)));
    line("resident memory, MiB", joined(&|one| grouped(one.resident, 0)));
}
