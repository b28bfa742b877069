//! Clocks: moments that count from a gateway's start wait for its anchor, and then read as UTC.

use std::time::Duration;

use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column, CommitNotice},
    ids::{BatchId, BootId, Epoch},
    reading::Point,
    wire::{batch_v1, commit_v1},
};
use serde_json::json;
use world::{Mqtt, Sample, World, exported, wait};

const PATIENCE: Duration = Duration::from_secs(30);
const AGENT: &str = "gw-clock";
const TOPIC: &str = "baseflow/v1/gw-clock/batch";

/// A station with two gauges: one is sent since boot, its twin in UTC.
const STATION: &str = r#"
[[station]]
id = "BF-clock"
agent = "gw-clock"

  [[station.gauge]]
  id = "booted"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
  range = [0.0, 0.5]

  [[station.gauge]]
  id = "twin"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
  range = [0.0, 0.5]
"#;

fn batch(sequence: u64, clock: BatchClock, gauge: &str, points: &[(i64, i64)]) -> Batch {
    Batch {
        id: BatchId { agent: AGENT.parse().unwrap(), epoch: Epoch(5), sequence },
        clock,
        previous: None,
        columns: vec![Column {
            gauge: format!("BF-clock/{gauge}").parse().unwrap(),
            unit: "l/s".into(),
            decimals: 0,
            period_ms: 5_000,
            points: points.iter().map(|(at, value)| Point::good(*at, *value)).collect(),
        }],
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

fn send(mqtt: &Mqtt, batch: &Batch) {
    mqtt.publish(TOPIC, batch_v1::encode(batch));
    let wanted = batch.id.sequence;
    mqtt.until(&format!("a notice of batch {wanted}"), PATIENCE, "/commit", |notices| {
        let is_named = notices.iter().any(|notice| {
            let CommitNotice { ranges, .. } = commit_v1::decode(notice).expect("a notice");
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&wanted))
        });
        is_named.then_some(())
    });
}

fn until_samples(world: &World, gauge: &str, count: usize) -> Vec<Sample> {
    wait::until(&format!("{count} samples of {gauge}"), PATIENCE, || {
        let samples = world.server.api().samples(&format!("BF-clock/{gauge}"))?;
        if samples.len() == count { Ok(samples) } else { Err(format!("{samples:?}")) }
    })
}

/// How many journal entries of this kind there are.
fn entries(world: &World, kind: &str) -> i64 {
    let path = world.server.data().join("journal.db");
    let journal = rusqlite::Connection::open(path).expect("the journal");
    let sql = "SELECT count(*) FROM entry WHERE kind = ?1";
    journal.query_row(sql, [kind], |row| row.get(0)).expect("a count")
}

#[test]
fn readings_since_boot_are_placed_by_their_anchor_as_if_they_had_come_in_utc() {
    let mut world = World::new("clock");
    world.open_with(&[], &[AGENT], STATION);
    let mqtt = world.broker.client(AGENT);
    let (boot, other) = (BootId(0xb007), BootId(0xb008));
    let begin = wait::now_ms() / 1_000 * 1_000 - 7_200_000;
    let utc = BatchClock::Utc { uncertainty_ms: 0 };
    let since = |boot_id| BatchClock::Boot { boot_id };

    // 40 batches of ten points since boot, more than one slice; their twins in UTC.
    let points = |n: i64| -> Vec<(i64, i64)> {
        (0..10).map(|at| ((n * 10 + at) * 5_000, (n * 37 + at * 11) % 600)).collect()
    };
    for n in 0..80 {
        let sequence = u64::try_from(n).unwrap() + 1;
        mqtt.publish(TOPIC, batch_v1::encode(&batch(sequence, since(boot), "booted", &points(n))));
    }
    send(&mqtt, &batch(81, since(other), "booted", &[(17, 1)]));
    let held = wait::until("two items that wait for anchors", PATIENCE, || {
        let items = world.server.api().list("quarantine", "");
        let batches: u64 = items.iter().filter_map(|item| item["batches"].as_u64()).sum();
        if batches == 81 { Ok(items) } else { Err(format!("{items:?}")) }
    });
    assert_eq!(held.len(), 2, "{held:?}");
    assert_eq!(held[1]["reason"], "clock", "{held:?}");
    assert_eq!(held[1]["boot_id"], json!(boot.to_string()), "{held:?}");
    assert_eq!((&held[1]["batches"], &held[1]["waiting"]), (&json!(80), &json!(80)));
    assert_eq!(world.server.api().samples("BF-clock/booted"), Ok(Vec::new()), "nothing is guessed");

    // The anchor comes, and the server dies before or while it places.
    let twin = |n: i64| -> Vec<(i64, i64)> {
        points(n).iter().map(|(at, value)| (begin + at, *value)).collect()
    };
    let anchor = ClockAnchor { boot_id: boot, utc_at_boot_ms: begin, uncertainty_ms: 2, source: 1 };
    send(&mqtt, &Batch { anchors: vec![anchor], ..batch(100, utc, "twin", &twin(0)) });
    world.server.kill9();
    world.server.start();
    for n in 1..81 {
        let sequence = 100 + u64::try_from(n).unwrap();
        mqtt.publish(TOPIC, batch_v1::encode(&batch(sequence, utc, "twin", &twin(n))));
    }
    until_samples(&world, "booted", 800);
    // One that comes later is placed at once.
    send(&mqtt, &batch(82, since(boot), "booted", &points(80)));
    let placed = until_samples(&world, "booted", 810);
    assert_eq!(placed, until_samples(&world, "twin", 810));
    assert!(placed.iter().any(|sample| sample.reason.as_deref() == Some("range")));
    let (page, next) = world.server.api().page("BF-clock/booted", 7, None).unwrap();
    assert_eq!((page.as_slice(), next.is_some()), (&placed[..7], true));

    // Another anchor of the same start changes nothing; the start without one is still shown.
    let later = ClockAnchor { utc_at_boot_ms: begin + 60_000, ..anchor };
    send(&mqtt, &Batch { anchors: vec![later], ..batch(200, utc, "twin", &[(begin - 5_000, 1)]) });
    let held = world.server.api().list("quarantine", "");
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0]["boot_id"], json!(other.to_string()), "{held:?}");
    let metrics = world.server.metrics().unwrap();
    assert!(metrics.contains("baseflow_store_anchor_conflicts_total 1"), "{metrics}");
    assert_eq!(
        (entries(&world, "clock_anchored"), until_samples(&world, "booted", 810)),
        (1, placed)
    );

    // An anchor that knows its moment to within a minute places readings that are doubted.
    let vague = ClockAnchor { boot_id: other, uncertainty_ms: 60_000, ..anchor };
    let vague = ClockAnchor { utc_at_boot_ms: begin - 100_000, ..vague };
    send(&mqtt, &Batch { anchors: vec![vague], ..batch(201, utc, "twin", &[(begin - 10_000, 1)]) });
    let placed = until_samples(&world, "booted", 811);
    assert_eq!((placed[0].at_ms, placed[0].quality.as_str()), (begin - 100_000 + 17, "suspect"));
    assert_eq!(placed[0].reason.as_deref(), Some("clock"));
    assert_eq!(exported(&world.server)["BF-clock/booted"], placed);
    assert!(world.server.api().list("quarantine", "").is_empty());
    println!("{}", world.server.command(&["verify"]).success());
}

#[test]
fn a_status_that_is_taken_back_is_no_status() {
    let mut world = World::new("status");
    world.open_with(&[], &[AGENT], STATION);
    let mqtt = world.broker.client(AGENT);
    let until_online = |wanted: serde_json::Value| {
        wait::until(&format!("online is {wanted}"), PATIENCE, || {
            let agents = world.server.api().list("agents", "");
            let agent = agents.iter().find(|agent| agent["id"] == AGENT);
            match agent {
                Some(agent) if agent["online"] == wanted => Ok(agent.clone()),
                _ => Err(format!("{agents:?}")),
            }
        })
    };
    until_online(json!(null));
    let topic = "baseflow/v1/gw-clock/status";
    mqtt.publish(topic, r#"{"format":1,"online":true,"version":"0.1.0"}"#);
    until_online(json!(true));
    mqtt.publish(topic, r#"[1,false,"0.1.0"]"#);
    mqtt.publish(topic, "");
    assert_eq!(until_online(json!(null))["status"], json!(null));
}
