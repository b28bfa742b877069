//! Row `wire`: bytes that a sample costs on the agent's connection to the broker, as the kernel
//! counts them for that socket.

use std::{process::Command, time::Duration};

use serde_json::{Value, json};
use world::{Agent, Bus, Finished, Meter, Register, Site, World, program, wait};

use crate::{
    Scale,
    figures::Report,
    station::{KINDS, Kind},
};

/// IPv4 and TCP with time stamps, which Linux sends on every segment.
const HEADERS: u64 = 20 + 32;
/// What a segment carries on Ethernet; on loopback it carries more.
const SEGMENT: u64 = 1_448;

/// What the kernel counted on a socket; retransmitted bytes and pure acknowledgements included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Count {
    sent: u64,
    received: u64,
    segments: u64,
    data_segments: u64,
}

impl Count {
    /// Of the connection of a process to the broker.
    fn of(process: u32, broker: u16) -> Option<Self> {
        let mut command = Command::new(program("ss")?);
        command.args(["-tinpH", "dst", &format!("127.0.0.1:{broker}")]);
        let text = Finished::of(&mut command).success();
        let lines: Vec<&str> = text.lines().collect();
        let own = format!("pid={process},");
        let details = lines.windows(2).find(|pair| pair[0].contains(&own))?[1];
        let number = |key: &str| {
            let word = details.split_ascii_whitespace().find_map(|word| word.strip_prefix(key));
            word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
        };
        Some(Self {
            sent: number("bytes_sent:"),
            received: number("bytes_received:"),
            segments: number("segs_out:") + number("segs_in:"),
            data_segments: number("data_segs_out:") + number("data_segs_in:"),
        })
    }

    fn since(self, before: Self) -> Self {
        Self {
            sent: self.sent - before.sent,
            received: self.received - before.received,
            segments: self.segments - before.segments,
            data_segments: self.data_segments - before.data_segments,
        }
    }

    /// With headers, and with the further segments that Ethernet would need.
    fn bytes(self) -> u64 {
        let payload = self.sent + self.received;
        let more = payload.div_ceil(SEGMENT).saturating_sub(self.data_segments);
        payload + HEADERS * (self.segments + more)
    }
}

/// One station, one agent, one way of sending.
struct Case {
    name: &'static str,
    title: &'static str,
    /// `[batch] max_age` in real time, and 25 times faster.
    max_age: [&'static str; 2],
    goal: &'static str,
}

const CASES: [Case; 3] = [
    Case { name: "poll", title: "each poll by itself", max_age: ["0s", "0s"], goal: "" },
    Case { name: "1min", title: "1 min of 5 s", max_age: ["60s", "2400ms"], goal: "≤ 4.5" },
    Case { name: "5min", title: "5 min of 5 s", max_age: ["5m", "12s"], goal: "≤ 1.5" },
];
/// Polls in an hour of 5 s.
const HOUR: usize = 720;

/// The row.
pub fn run(scale: &Scale, report: &mut Report) {
    if program("ss").is_none() {
        report.line("wire", "bytes a sample", "not measured here: no `ss` (package iproute2)", "");
        return;
    }
    let is_fast = scale.is_quick;
    let period = if is_fast { "200ms" } else { "5s" };
    let window = Duration::from_secs(if is_fast { 48 } else { 900 });
    let mut world = World::new("bench-wire");
    let mut meter = world.meter("one");
    let hour_ages = [("hour", "1h"), ("hour5", "12s")];
    let hour_sites: Vec<Site> = (10..)
        .zip(hour_ages)
        .map(|(unit, (name, max_age))| site(name, &mut meter, unit, "200ms", max_age))
        .collect();
    let sites: Vec<Site> = (1..)
        .zip(&CASES)
        .map(|(unit, case)| {
            let max_age = case.max_age[usize::from(is_fast)];
            site(case.name, &mut meter, unit, period, max_age)
        })
        .collect();
    let all: Vec<&Site> = sites.iter().chain(&hour_sites).collect();
    world.open(&all);
    let mut agents: Vec<Agent> = sites.iter().map(|site| world.agent(site)).collect();
    agents.iter_mut().for_each(Agent::start);
    // Until all have sent once, so that connecting is not counted.
    let first: Vec<_> = sites
        .iter()
        .zip(&mut agents)
        .map(|(site, agent)| settled(&world, site, agent, |samples| samples > 0))
        .collect();
    wait::pass(window);
    for (((case, site), agent), before) in CASES.iter().zip(&sites).zip(&mut agents).zip(first) {
        let sent = settled(&world, site, agent, |samples| samples > before.1);
        let pace = if is_fast { "25 times faster than life" } else { "in real time" };
        tell(report, &format!("{}, {pace}", case.title), before, sent, case.goal);
    }
    for agent in &mut agents {
        agent.stop();
    }
    backfill(&mut world, &hour_sites, report);
}

/// An hour's polls are gathered while the broker is away, then sent.
fn backfill(world: &mut World, sites: &[Site], report: &mut Report) {
    world.broker.kill9();
    let mut agents: Vec<Agent> = sites.iter().map(|site| world.agent(site)).collect();
    agents.iter_mut().for_each(Agent::start);
    let (pause, patience) = (Duration::from_secs(1), Duration::from_secs(300));
    wait::until_every(pause, "an hour of polls is in the spools", patience, || {
        let polls: Vec<usize> = agents.iter().map(polls_of).collect();
        if polls.iter().all(|polls| *polls >= HOUR) { Ok(()) } else { Err(format!("{polls:?}")) }
    });
    // They close what is open.
    for agent in &mut agents {
        agent.stop();
    }
    world.broker.start();
    wait::until_every(pause, "the server is back at the broker", patience, || {
        let metrics = world.server.metrics()?;
        let is_back = metrics.contains("\nbaseflow_ingest_connected 1\n");
        if is_back { Ok(()) } else { Err("it is not connected".to_owned()) }
    });
    let titles = ["1 h backfill, one batch", "1 h backfill, 5-min batches"];
    for ((site, agent), title) in sites.iter().zip(&mut agents).zip(titles) {
        let quiet = site.buses.iter().map(|bus| Bus { period: "24h", ..bus.clone() });
        agent.write_settings(&Site { buses: quiet.collect(), ..site.clone() });
        let queued = agent.held().queued_points;
        agent.start();
        let end = settled(world, site, agent, |samples| samples >= queued);
        tell(report, &format!("{title}, with connecting"), (Count::default(), 0), end, "");
        agent.stop();
    }
}

/// Poll cycles that are in the spool: points of one gauge.
fn polls_of(agent: &Agent) -> usize {
    let held = agent.held();
    let of_first = held.columns.iter().filter(|c| c.gauge.name.as_str() == KINDS[0].gauge);
    of_first.map(|column| column.points.len()).sum()
}

/// What was counted on the socket, and how many samples were stored, in a moment in which both stand still.
fn settled(
    world: &World,
    site: &Site,
    agent: &mut Agent,
    is_enough: impl Fn(u64) -> bool,
) -> (Count, u64) {
    let (id, broker, api) = (agent.process().id(), world.broker.port(), world.server.api());
    let gauge = site.full(KINDS[0].gauge);
    wait::until("the line is quiet", Duration::from_secs(600), || {
        let before = Count::of(id, broker).ok_or("no connection")?;
        let samples = api.samples(&gauge)?.len() as u64 * KINDS.len() as u64;
        wait::pass(Duration::from_millis(60));
        let after = Count::of(id, broker).ok_or("no connection")?;
        if before == after && is_enough(samples) {
            Ok((before, samples))
        } else {
            Err(format!("{before:?}, then {after:?}, {samples} samples"))
        }
    })
}

fn tell(
    report: &mut Report,
    title: &str,
    (before, stored): (Count, u64),
    (after, samples): (Count, u64),
    goal: &str,
) {
    let count = after.since(before);
    let samples = samples - stored;
    let a = |bytes: u64| bytes as f64 / samples as f64;
    report.line(
        "wire",
        &format!("{title}: bytes a sample with TCP/IP headers (sent + received payload, segments, samples)"),
        format!(
            "{:.2} ({} + {}, {}, {samples})",
            a(count.bytes()),
            count.sent,
            count.received,
            count.segments
        ),
        goal,
    );
}

/// A station of the six gauges on a unit of `meter`.
fn site(
    name: &str,
    meter: &mut Meter,
    unit: u8,
    period: &'static str,
    max_age: &'static str,
) -> Site {
    let registers: Vec<Register> =
        (0_u16..).zip(KINDS).map(|(at, kind)| register(&kind, unit, 2 * at)).collect();
    for (register, kind) in registers.iter().zip(KINDS) {
        meter.command(&sequence(register, &kind, usize::from(unit)));
    }
    let url = format!("tcp://127.0.0.1:{}", meter.port());
    let bus = Bus { url, ..Bus::new(meter, period, registers) };
    Site { max_age, ..Site::new(name, vec![bus]) }
}

fn register(kind: &Kind, unit_id: u8, address: u16) -> Register {
    let scale = ["1", "0.1", "0.01", "0.001"][usize::from(kind.decimals)];
    Register {
        scale,
        decimals: kind.decimals,
        unit: kind.unit,
        quantity: kind.quantity,
        gauge_unit: kind.unit,
        stored: 3,
        ..Register::new(kind.gauge, unit_id, "input", address, "u32")
    }
}

/// The meter's command that makes a register go through the values of a station.
fn sequence(register: &Register, kind: &Kind, station: usize) -> Value {
    let count = i64::try_from(4 * HOUR).expect("small");
    let values: Vec<i64> = (0..count).map(|k| kind.value(station, k)).collect();
    json!({"sequence": {
        "unit": register.unit_id, "table": register.table, "address": register.address,
        "type": register.kind, "values": values, "loop": true,
    }})
}
