//! Backlog: what waits at the broker while the server is held up comes in afterwards, in bounded
//! memory and on the connection that stands.

use std::{collections::BTreeSet, fmt::Write as _, fs, time::Duration};

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch},
    reading::Point,
    wire::batch_v1,
};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rustix::process::Signal;
use world::{Mqtt, World, heavy, wait};

const PATIENCE: Duration = Duration::from_secs(120);

/// By how much a backlog may make the server grow.
const GROWTH: u64 = 64 << 20;

fn batch(agent: &str, sequence: u64, points: Vec<Point>) -> Vec<u8> {
    let batch = Batch {
        id: BatchId { agent: agent.parse().unwrap(), epoch: Epoch(7), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: vec![Column {
            gauge: format!("BF-{agent}/power").parse().unwrap(),
            unit: "kW".into(),
            decimals: 3,
            period_ms: 1_000,
            points,
        }],
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    batch_v1::encode(&batch)
}

fn world_of(name: &str, agents: &[String]) -> World {
    let mut registry = String::new();
    for agent in agents {
        write!(
            registry,
            "[[station]]\nid = \"BF-{agent}\"\nagent = \"{agent}\"\n\n  [[station.gauge]]\n  id = \"power\"\n  \
             quantity = \"power\"\n  unit = \"kW\"\n  decimals = 3\n  interval = \"1s\"\n\n"
        )
        .unwrap();
    }
    let mut world = World::new(name);
    let accounts: Vec<&str> = agents.iter().map(String::as_str).collect();
    world.open_with(&[], &accounts, &registry);
    world
}

fn until_named(mqtt: &Mqtt, sequences: u64) {
    let wanted: BTreeSet<u64> = (1..=sequences).collect();
    wait::until("a commit notice for every batch", PATIENCE, || {
        let named = mqtt.named().into_keys().map(|(_, sequence)| sequence).collect();
        let missing: Vec<&u64> = wanted.difference(&named).collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{} of {sequences} are missing", missing.len()))
        }
    });
}

/// The server never gave its connection up.
fn stayed_connected(world: &World) {
    let log = fs::read_to_string(world.folder().join("baseflow.server.log")).expect("its log");
    let lines = log.lines().filter(|line| line.contains("no connection to the broker"));
    assert_eq!(lines.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn large_batches_that_waited_at_the_broker_come_in_within_bounded_memory() {
    const BATCHES: u64 = 160;
    const BEFORE: u64 = 60;
    const POINTS: i64 = 200_000;
    let _turn = heavy();
    let agent = "gw-large".to_owned();
    let mut world = world_of("large", std::slice::from_ref(&agent));
    let mqtt = world.broker.client(&agent);
    let topic = format!("baseflow/v1/{agent}/batch");
    let first_ms = wait::now_ms() - 300 * 86_400_000;
    let large = |sequence: u64| {
        let from_ms = first_ms + i64::try_from(sequence).unwrap() * POINTS * 100;
        let mut value = i64::try_from(sequence).unwrap();
        let points = (0..POINTS).map(|at| {
            value = (value * 1_103_515_245 + 12_345) % (1 << 27); // nothing to compress
            Point::good(from_ms + at * 100, value)
        });
        batch(&agent, sequence, points.collect())
    };
    let payloads: Vec<Vec<u8>> = (1..=BATCHES).map(large).collect();
    let bytes: usize = payloads.iter().map(Vec::len).sum();
    assert!(bytes > 120 << 20, "{bytes} bytes are no backlog");
    let publish = |payloads: &[Vec<u8>]| {
        for payload in payloads {
            assert_eq!(mqtt.publish(&topic, payload.clone()), PubAckReason::Success);
        }
    };
    // let it reach its working size first: SQLite keeps pages of what it wrote
    let (early, late) = payloads.split_at(usize::try_from(BEFORE).unwrap());
    publish(early);
    until_named(&mqtt, BEFORE);
    let before = world.server.resident_bytes();

    world.server.process().signal(Signal::STOP);
    publish(late);
    world.server.process().signal(Signal::CONT);
    let mut peak = before;
    let wanted: BTreeSet<u64> = (1..=BATCHES).collect();
    wait::until("a commit notice for every batch", PATIENCE, || {
        peak = peak.max(world.server.resident_bytes());
        let named: BTreeSet<u64> = mqtt.named().into_keys().map(|(_, sequence)| sequence).collect();
        if named == wanted { Ok(()) } else { Err(format!("{} of {BATCHES}", named.len())) }
    });
    let grown = peak.saturating_sub(before);
    println!("{} MiB waited at the broker; the server grew by {} MiB", bytes >> 20, grown >> 20);
    assert!(grown <= GROWTH, "the server grew by {grown} bytes");
    stayed_connected(&world);
    println!("{}", world.server.command(&["verify"]).success());
}

/// A few kilobytes compressed that name thousands of gauges which the registry does not know.
fn talkative(agent: &str, sequence: u64, at_ms: i64) -> Vec<u8> {
    let long = "x".repeat(50);
    let columns = (0..4_000).map(|at| Column {
        gauge: format!("BF-{long}-{sequence}/{long}-{at}").parse().unwrap(),
        unit: "kW".into(),
        decimals: 3,
        period_ms: 1_000,
        points: vec![Point::good(at_ms, 1)],
    });
    let batch = Batch {
        id: BatchId { agent: agent.parse().unwrap(), epoch: Epoch(8), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: columns.collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    batch_v1::compress(batch_v1::encode(&batch))
}

#[test]
fn small_payloads_that_judge_to_large_ones_stay_within_bounds() {
    const MESSAGES: u64 = 600;
    // As many as it takes for none of them to use up its share of what refusing costs.
    const TALKERS: u64 = 10;
    let _turn = heavy();
    let mut agents: Vec<String> = (0..TALKERS).map(|agent| format!("gw-talks{agent}")).collect();
    agents.push("gw-quiet".to_owned());
    let mut world = world_of("talks", &agents);
    let clients: Vec<Mqtt> = agents.iter().map(|agent| world.broker.client(agent)).collect();
    let (quiet, talks) = clients.split_last().unwrap();
    let now = wait::now_ms() - 3_600_000;
    let payload = |(sequence, agent): (u64, usize)| {
        let agent = agent % talks.len();
        (agent, talkative(&agents[agent], sequence, now))
    };
    let payloads: Vec<(usize, Vec<u8>)> = (1..=MESSAGES).zip(0..).map(payload).collect();
    let largest = payloads.iter().map(|(_, payload)| payload.len()).max().unwrap();
    assert!(largest < 64 << 10, "{largest} bytes are no small payload");
    let publish = |payloads: &[(usize, Vec<u8>)]| {
        for (agent, payload) in payloads {
            let topic = format!("baseflow/v1/{}/batch", agents[*agent]);
            let answer = talks[*agent].publish(&topic, payload.clone());
            assert_eq!(answer, PubAckReason::Success);
        }
    };
    let (early, late) = payloads.split_at(100);
    publish(early);
    wait::until("the first hundred are judged", PATIENCE, || {
        let judged = world.server.metrics()?.lines().any(|line| {
            line.starts_with(
                "baseflow_ingest_messages_total{outcome=\"set_aside\",topic=\"batch\"} 100",
            )
        });
        if judged { Ok(()) } else { Err("not yet".to_owned()) }
    });
    let before = world.server.resident_bytes();
    world.server.process().signal(Signal::STOP);
    publish(late);
    let last = batch("gw-quiet", 1, vec![Point::good(now, 612)]);
    assert_eq!(quiet.publish("baseflow/v1/gw-quiet/batch", last), PubAckReason::Success);
    world.server.process().signal(Signal::CONT);
    let mut peak = before;
    wait::until("what another agent said behind them is stored", PATIENCE, || {
        peak = peak.max(world.server.resident_bytes());
        if quiet.named().is_empty() { Err("not yet") } else { Ok(()) }
    });
    let grown = peak.saturating_sub(before);
    println!(
        "{MESSAGES} payloads of {largest} bytes at most; the server grew by {} MiB",
        grown >> 20
    );
    assert!(grown <= GROWTH, "the server grew by {grown} bytes");
    stayed_connected(&world);
}

#[test]
fn many_small_batches_of_many_agents_come_in_on_one_connection() {
    const AGENTS: u64 = 100;
    const BATCHES: u64 = 80;
    let _turn = heavy();
    let agents: Vec<String> = (1..=AGENTS).map(|agent| format!("gw-small{agent}")).collect();
    let mut world = world_of("small", &agents);
    let now = wait::now_ms() - 3_600_000;
    let clients: Vec<Mqtt> = agents.iter().map(|agent| world.broker.client(agent)).collect();
    world.server.process().signal(Signal::STOP);
    for sequence in 1..=BATCHES {
        let at_ms = now + i64::try_from(sequence).unwrap() * 1_000;
        for (agent, client) in agents.iter().zip(&clients) {
            let payload = batch(agent, sequence, vec![Point::good(at_ms, 612)]);
            let answer = client.publish(&format!("baseflow/v1/{agent}/batch"), payload);
            assert_eq!(answer, PubAckReason::Success);
        }
    }
    world.server.process().signal(Signal::CONT);
    for client in &clients {
        until_named(client, BATCHES);
    }
    stayed_connected(&world);
    let api = world.server.api();
    for agent in &agents {
        let stored = api.samples(&format!("BF-{agent}/power")).unwrap();
        assert_eq!(stored.len(), usize::try_from(BATCHES).unwrap(), "{agent}");
    }
}
