//! Row `latency`, the rest of the way: from a register that falls to the message about it, hop by
//! hop, by a file and by a real gateway; beside Prometheus and Alertmanager at the same fall.
//!
//! Each fall is of a river of its own, whose alarm was never raised, so that none waits for the end
//! of another.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use world::{Bus, Exact, Kannel, Meter, Mqtt, Register, Site, World, entries, wait};

use crate::{
    Scale,
    figures::{Report, Spread},
    machine,
    peer::{Alertmanager, Exporter, Heard, Pace, Prometheus},
};

const PERIOD: &str = "500ms";
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(1);
/// m³/h: twice and half of what must be released.
const ENOUGH: f64 = 3_600.0;
const LITTLE: f64 = 900.0;
/// Half a cubic metre a second, in m³/h.
const LIMIT: f32 = 1_800.0;

/// When one fall was where, ms.
#[derive(Debug, Clone, Copy)]
struct Fall {
    changed: i64,
    /// The meter replied with it: the end of a poll.
    replied: i64,
    stored: i64,
    seen: i64,
    handed_over: i64,
    /// A telephone got it.
    rang: Option<i64>,
}

/// One after another as many as there are, each somewhere in the period of polls.
pub fn run(scale: &Scale, report: &mut Report) {
    let falls = if scale.is_quick { 40 } else { 100 };
    let by_file = falls_by(report, falls, false).expect("a file is everywhere");
    tell(report, "message in a file", &by_file);
    let by_gateway = falls_by(report, falls, true);
    match &by_gateway {
        Some(falls) => tell(report, "message through Kannel", falls),
        None => {
            report.line("latency", "message through Kannel", "not measured here, see above", "");
        }
    }
    let ours = Spread::of(by_file.iter().map(|fall| ms(fall.handed_over - fall.replied)));
    let rounds = if scale.is_quick { 10 } else { 30 };
    let tuned = Pace { interval: Duration::from_secs(1), group_wait: Duration::ZERO };
    peer(report, "1 s / 1 s / 0 s", (tuned, rounds, 2_300), (&ours, "≥ 50"));
    let default = Pace { interval: Duration::from_secs(15), group_wait: Duration::from_secs(30) };
    let rounds = if scale.is_quick { 4 } else { 12 };
    peer(report, "15 s / 15 s / 30 s", (default, rounds, 9_700), (&ours, "≥ 1,000"));
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of one run")]
const fn ms(time: i64) -> f64 {
    time as f64
}

/// Registers of so many rivers, all of which carry enough.
fn rivers(meter: &mut Meter, count: usize) -> Vec<Register> {
    let count = u16::try_from(count).expect("few");
    let register = |at: u16| Register::flow(&format!("g{at}"), 1, 2 * at, "abcd");
    let registers: Vec<Register> = (0..count).map(register).collect();
    for register in &registers {
        meter.command(&register.set(ENOUGH));
    }
    registers
}

/// A section for each river, under one rule and one ladder.
fn law(registers: &[Register]) -> String {
    let sections = registers.iter().map(|Register { gauge, .. }| {
        format!(
            "\n[[station.outlet]]\nid = \"{gauge}\"\nsection = \"{gauge}\"\nflow = {{ gauge = \"{gauge}\" }}\n\n\
             [[station.mandate]]\ndocument = \"D\"\nsection = \"{gauge}\"\nfrom = \"2024-01-01\"\n\
             seasons = [ {{ from = \"01-01\", flow = 0.5 }} ]\nrule = \"hourly\"\n"
        )
    });
    sections.collect::<String>()
        + "\n[[rule]]\nid = \"hourly\"\nstatistic = \"hourly_mean\"\n\n\
           [[alarm_rule]]\nid = \"low\"\nkind = \"below_mandate\"\nseverity = \"orange\"\n\
           on_delay = \"0s\"\noff_delay = \"60s\"\nladder = \"duty\"\n\n\
           [[contact]]\nid = \"zhang\"\nreach = [ { channel = \"sms\", to = \"13800000001\" } ]\n\n\
           [[ladder]]\nid = \"duty\"\nsteps = [ { contact = \"zhang\" } ]\n"
}

/// `None` where no gateway can be had.
fn falls_by(report: &mut Report, falls: usize, is_gateway: bool) -> Option<Vec<Fall>> {
    let mut world = World::new("bench-fall");
    let gateway = if is_gateway {
        let gateway = Kannel::start(world.folder(), world.server.http())?;
        world.server.keep_watch_by(&[("sms", &world.server.gateway_channel(&gateway.url()))]);
        Some(gateway)
    } else {
        world.server.keep_watch();
        None
    };
    world.server.judge();
    world.broker.let_in_an_observer();
    let mut meter = world.meter("one");
    let registers = rivers(&mut meter, falls);
    let bus = Bus::new(&meter, PERIOD, registers.clone());
    let site = Site { max_age: "0s", ..Site::new("fall", vec![bus]) };
    world.open_with(&[&site], &[], &law(&registers));
    let mut agent = world.agent(&site);
    agent.start();
    let api = world.server.api();
    wait::until("readings arrive", PATIENCE, || {
        let samples = api.samples_since(&site.full("g0"), 0)?;
        if samples.len() > 4 { Ok(()) } else { Err(format!("{}", samples.len())) }
    });
    let notices = world.broker.beside(&site.agent);
    let processes = [world.server.process().id(), agent.process().id()];
    let before = processes.map(machine::cpu_seconds);
    let began = wait::now_ms();
    let mut measured = Vec::new();
    for (at, register) in registers.iter().enumerate() {
        // falls come everywhere into the period
        let phase = u64::try_from(at % 13).expect("small");
        wait::pass(Duration::from_millis(200 + 37 * phase));
        let watched = Watched { world: &world, site: &site, notices: &notices, gateway: &gateway };
        measured.push(watched.fall(&mut meter, (at, register)));
    }
    let seconds = ms(wait::now_ms() - began) / 1_000.0;
    let after = processes.map(machine::cpu_seconds);
    let cpu = |at: usize| (after[at] - before[at]) / seconds * 100.0;
    let by = if is_gateway { "Kannel" } else { "file" };
    report.line(
        "latency",
        &format!("{falls} rivers polled every {PERIOD}, {by}: server / agent, % of a core"),
        format!("{:.1} / {:.1}", cpu(0), cpu(1)),
        "",
    );
    agent.stop();
    world.server.stop();
    Some(measured)
}

struct Watched<'a> {
    world: &'a World,
    site: &'a Site,
    notices: &'a Mqtt,
    gateway: &'a Option<Kannel>,
}

impl Watched<'_> {
    fn fall(&self, meter: &mut Meter, (at, register): (usize, &Register)) -> Fall {
        let told = self.messages();
        let rung = self.gateway.as_ref().map(|gateway| gateway.received().len());
        let heard = self.notices.inbox().len();
        let is_over = Arc::<AtomicBool>::default();
        let changed = wait::now_ms();
        meter.command(&register.set(LITTLE));
        let (mut stored, mut seen, mut handed, mut rang) = (None, None, None, None);
        let seen_at = self.page(register, &is_over);
        let stamps = self.notice(heard, &is_over);
        wait::until_every(PAUSE, "somebody is told of the fall", PATIENCE, || {
            let now = wait::now_ms();
            if self.messages() > told {
                handed = handed.or(Some(now));
            }
            if let Some((gateway, rung)) = self.gateway.as_ref().zip(rung)
                && rang.is_none()
                && gateway.received().len() > rung
            {
                rang = Some(now);
            }
            if handed.is_some() && rang.is_some() == self.gateway.is_some() {
                Ok(())
            } else {
                Err("nobody yet")
            }
        });
        let replied = replied(meter.log(), at, changed);
        seen = seen.or(seen_at.join().expect("no panic"));
        is_over.store(true, Ordering::Relaxed);
        let stamps = stamps.join().expect("no panic");
        // each poll is a batch of its own: the first notice after the reply is of it
        stored = stored.or(stamps.into_iter().find(|stamp| *stamp >= replied));
        if self.gateway.is_some() {
            handed = self.sent_at(register).or(handed);
        }
        Fall {
            changed,
            replied,
            stored: stored.expect("a notice"),
            seen: seen.expect("it was visible"),
            handed_over: handed.expect("it was told"),
            rang,
        }
    }

    /// How many messages have left.
    fn messages(&self) -> usize {
        match self.gateway {
            Some(gateway) => gateway.received().len(),
            None => self.world.server.messages().len(),
        }
    }

    /// When the API shows it.
    fn page(
        &self,
        register: &Register,
        is_over: &Arc<AtomicBool>,
    ) -> thread::JoinHandle<Option<i64>> {
        let (api, gauge) = (self.world.server.api(), self.site.full(&register.gauge));
        let is_over = Arc::clone(is_over);
        let since = wait::now_ms() - 2_000;
        thread::spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let samples = api.samples_since(&gauge, since).ok()?;
                let is_low = |value: Option<Exact>| value == Exact::parse("0.25");
                if samples.iter().any(|sample| is_low(sample.value)) {
                    return Some(wait::now_ms());
                }
                thread::park_timeout(PAUSE);
            }
            None
        })
    }

    /// When commit notices came.
    fn notice(&self, known: usize, is_over: &Arc<AtomicBool>) -> thread::JoinHandle<Vec<i64>> {
        let (counted, is_over) = (self.notices.counter(), Arc::clone(is_over));
        thread::spawn(move || {
            let (mut known, mut stamps) = (known, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                let count = counted();
                if count > known {
                    stamps.push(wait::now_ms());
                    known = count;
                }
                thread::park_timeout(PAUSE);
            }
            stamps
        })
    }

    /// When the gateway took the message, by the server.
    fn sent_at(&self, register: &Register) -> Option<i64> {
        let api = self.world.server.api();
        let alarms = api.list("alarms", "");
        let is_of = |alarm: &&Value| {
            alarm["subject"]["section"] == register.gauge.as_str()
                || alarm["section"] == register.gauge.as_str()
        };
        let alarm = alarms.iter().find(is_of)?["id"].as_str()?.to_owned();
        let sent = api.list("notifications", &format!("&alarm={alarm}"));
        let at = sent.first()?["sent_at"].as_str()?;
        at.parse::<model::time::Timestamp>().ok().map(model::time::Timestamp::as_ms)
    }
}

/// When the meter first gave a river's low value out after a moment.
fn replied(log: &Path, at: usize, since: i64) -> i64 {
    let found = entries(log).into_iter().find_map(|entry| {
        let words = entry["words"].as_array()?;
        let word = |place: usize| u32::try_from(words.get(place)?.as_u64()?).ok();
        let flow = f32::from_bits(word(2 * at)? << 16 | word(2 * at + 1)?);
        let ms = entry["ms"].as_i64()?;
        (ms >= since && flow < LIMIT).then_some(ms)
    });
    found.expect("a reply")
}

fn tell(report: &mut Report, way: &str, falls: &[Fall]) {
    let mut line = |what: &str, of: &dyn Fn(&Fall) -> Option<i64>, goal: &str| {
        let spread = Spread::of(falls.iter().filter_map(of).map(ms));
        let value =
            format!("{:.0} / {:.0} / {:.0}", spread.median(), spread.at(0.99), spread.at(1.0));
        let what = format!("{way}, {} falls: {what}, p50 / p99 / max ms", falls.len());
        report.line("latency", &what, value, goal);
    };
    line(
        "the meter's reply to its commit notice",
        &|fall| Some(fall.stored - fall.replied),
        "5 / 25",
    );
    line("reply to the value in the API", &|fall| Some(fall.seen - fall.replied), "10 / 50");
    line(
        "reply to the message handed over",
        &|fall| Some(fall.handed_over - fall.replied),
        "20 / 100",
    );
    if falls.iter().any(|fall| fall.rang.is_some()) {
        line("reply to the telephone", &|fall| Some(fall.rang? - fall.replied), "");
    }
    line("register changed to the message", &|fall| Some(fall.handed_over - fall.changed), "");
}

/// The same falls before a Prometheus that scrapes the meter, and an Alertmanager.
fn peer(
    report: &mut Report,
    pace_word: &str,
    (pace, falls, pause_ms): (Pace, usize, u64),
    (ours, goal): (&Spread, &str),
) {
    let what = format!("Prometheus 2.42 + Alertmanager 0.25 at {pace_word}");
    let Some(found) = peer_falls(pace, falls, pause_ms) else {
        report.line("latency", &what, format!("not measured here: {}", Prometheus::why()), "");
        return;
    };
    let (times, cpu) = found;
    let show = |of: fn(&Heralded) -> i64| {
        let spread = Spread::of(times.iter().map(of).map(ms));
        format!("{:.0} / {:.0} / {:.0}", spread.median(), spread.at(0.99), spread.at(1.0))
    };
    let mut line = |rest: &str, value: String, goal: &str| {
        report.line("latency", &format!("{what}, {falls} falls: {rest}"), value, goal);
    };
    line("the meter's reply to the webhook, p50 / p99 / max ms", show(|t| t.2 - t.1), "");
    line("register changed to the webhook, p50 / p99 / max ms", show(|t| t.2 - t.0), "");
    line("both, % of a core", format!("{cpu:.1}"), "");
    let theirs = Spread::of(times.iter().map(|t| ms(t.2 - t.1)));
    let times = |share: f64| theirs.at(share) / ours.at(share).max(1.0);
    line(
        "times ours from the reply to the message in a file, median / p99",
        format!("{:.0} / {:.0}", times(0.5), times(0.99)),
        goal,
    );
}

/// When one fall was changed, first scraped and heard of, ms.
type Heralded = (i64, i64, i64);

/// Each fall, and the CPU of both, % of a core.
fn peer_falls(pace: Pace, falls: usize, pause_ms: u64) -> Option<(Vec<Heralded>, f64)> {
    let world = World::new("bench-fall-peer");
    let mut meter = world.meter("one");
    let registers = rivers(&mut meter, falls);
    let (webhook, heard) = Heard::listen();
    let alerts = Alertmanager::start(webhook.port, pace)?;
    let exporter = Exporter::start(world.folder(), meter.port(), falls);
    let rules: String = (0..falls)
        .map(|at| {
            format!("  - alert: Low\n    expr: flow{{station=\"s{at}\"}} < {LIMIT}\n    for: 0s\n")
        })
        .collect();
    let prometheus = Prometheus::start(exporter.port, &rules, pace, Some(alerts.port))?;
    wait::pass(pace.interval * 2);
    let cpu = || prometheus.cpu_seconds() + alerts.cpu_seconds();
    let (before, began) = (cpu(), wait::now_ms());
    let mut changed = Vec::new();
    for register in &registers {
        wait::pass(Duration::from_millis(pause_ms));
        changed.push(wait::now_ms());
        meter.command(&register.set(LITTLE));
    }
    let mut times = Vec::new();
    for (at, changed) in changed.into_iter().enumerate() {
        let heard = wait::until("the webhook is called", Duration::from_secs(120), || {
            heard.of(&format!("s{at}")).ok_or("not yet")
        });
        times.push((changed, replied(meter.log(), at, changed), heard));
    }
    let seconds = ms(wait::now_ms() - began) / 1_000.0;
    let cpu = (cpu() - before) / seconds * 100.0;
    meter.silence([1]);
    Some((times, cpu))
}
