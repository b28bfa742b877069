//! A server whose clock is behind what is sent: nothing is lost, it is admitted when its moment has
//! come, by itself.

use std::time::Duration;

use model::{
    batch::{Batch, BatchClock, ClockAnchor, Column, Gap, GapReason},
    ids::{BatchId, BootId, Epoch},
    reading::Point,
    time::{AHEAD_MS, Timestamp},
    wire::batch_v1,
};
use serde_json::{Value, json};
use world::{Mqtt, World, wait};

const PATIENCE: Duration = Duration::from_secs(40);
const AGENT: &str = "gw-ahead";
/// By how much all of it lies beyond what the server believes, when it is sent.
const BEYOND_MS: i64 = 6_000;
/// How much later the last reading is due than all else.
const LAST_MS: i64 = 9_000;

const STATION: &str = r#"
[[station]]
id = "BF-ahead"
agent = "gw-ahead"

  [[station.gauge]]
  id = "polled"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"

  [[station.gauge]]
  id = "booted"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"

  [[station.gauge]]
  id = "posted"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
"#;

fn batch(sequence: u64, clock: BatchClock, columns: &[(&str, i64)]) -> Batch {
    let columns = columns.iter().map(|(gauge, at_ms)| Column {
        gauge: format!("BF-ahead/{gauge}").parse().unwrap(),
        unit: "l/s".into(),
        decimals: 0,
        period_ms: 5_000,
        points: vec![Point::good(*at_ms, 612)],
    });
    Batch {
        id: BatchId { agent: AGENT.parse().unwrap(), epoch: Epoch(5), sequence },
        clock,
        previous: None,
        columns: columns.collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

fn until_refused(mqtt: &Mqtt, reason: &str, count: usize) {
    mqtt.until(&format!("{count} × {reason}"), PATIENCE, "/refused", |messages| {
        let documents = messages.iter().map(|text| serde_json::from_slice(text).expect("JSON"));
        let found: Vec<Value> = documents.filter(|told: &Value| told["reason"] == reason).collect();
        assert!(found.iter().all(|told| told["kept"] == "parked"), "{found:?}");
        (found.len() >= count).then_some(())
    });
}

/// A number that the stored samples hold.
fn count(world: &World, sql: &str) -> i64 {
    let path = world.server.data().join("samples.db");
    let samples = rusqlite::Connection::open(path).expect("the samples");
    samples.query_row(sql, [], |row| row.get(0)).expect("a number")
}

#[test]
fn what_lies_ahead_of_the_servers_clock_is_admitted_by_itself_when_its_moment_has_come() {
    let mut world = World::new("ahead");
    world.open_with(&[], &[AGENT], STATION);
    let mqtt = world.broker.client(AGENT);
    let api = world.server.api();
    let samples = |gauge: &str| api.samples(&format!("BF-ahead/{gauge}")).unwrap();
    let (topic, posts) = ("baseflow/v1/gw-ahead/batch", "baseflow/v1/gw-ahead/json");
    let boot = BootId(0xb007);
    let ahead = wait::now_ms() + AHEAD_MS + BEYOND_MS;
    let utc = BatchClock::Utc { uncertainty_ms: 0 };

    // A reading since boot, its anchor ahead of the clock, and beside it a gap and a column.
    let booted = batch(1, BatchClock::Boot { boot_id: boot }, &[("booted", 500)]);
    mqtt.publish(topic, batch_v1::encode(&booted));
    let anchor = ClockAnchor { boot_id: boot, utc_at_boot_ms: ahead, uncertainty_ms: 2, source: 1 };
    let gap = Gap {
        epoch: Epoch(4),
        first_sequence: 1,
        last_sequence: 1,
        gauges: vec!["BF-ahead/polled".parse().unwrap()],
        boot: None,
        from_ms: ahead,
        to_ms: ahead + 10,
        reason: GapReason::Overwritten,
        count: 1,
    };
    let with = Batch {
        anchors: vec![anchor],
        gaps: vec![gap],
        ..batch(2, utc, &[("polled", ahead + 1_000)])
    };
    mqtt.publish(topic, batch_v1::encode(&with));
    // A document of which one reading is in time.
    let reading = |at_ms: i64, value: i64| {
        let at = Timestamp::clamped(at_ms);
        format!(r#"{{"gauge":"BF-ahead/posted","at":"{at}","value":{value}}}"#)
    };
    let readings = [reading(ahead - 600_000, 1), reading(ahead, 2), reading(ahead + LAST_MS, 3)];
    mqtt.publish(posts, format!(r#"{{"readings":[{}]}}"#, readings.join(",")));
    until_refused(&mqtt, "clock", 1);
    until_refused(&mqtt, "time", 2);
    assert_eq!(samples("posted").len(), 1, "what is in time does not wait");
    assert!(samples("polled").is_empty() && samples("booted").is_empty());
    assert_eq!(count(&world, "SELECT count(*) FROM anchor"), 0);
    let items = api.list("quarantine", "&state=held");
    let due: Vec<&Value> = items.iter().map(|item| &item["due_at"]).collect();
    assert_eq!(due.iter().filter(|due| due.is_string()).count(), 2, "{items:?}");

    // Its moment comes, and nobody does anything.
    let until_admitted = |posted: usize| {
        wait::until(&format!("{posted} posts are admitted, and all else"), PATIENCE, || {
            let found = ["polled", "booted", "posted"].map(|gauge| samples(gauge).len());
            if found[..2] == [1, 1] && found[2] >= posted {
                Ok(())
            } else {
                Err(format!("{found:?}"))
            }
        });
    };
    until_admitted(2);
    // The last one is due while the server is dead.
    world.server.kill9();
    wait::until("the last moment has come", PATIENCE, || {
        let left = ahead + LAST_MS - AHEAD_MS - wait::now_ms();
        if left <= 0 { Ok(()) } else { Err(format!("{left} ms to go")) }
    });
    world.server.start();
    until_admitted(3);
    assert_eq!(samples("polled")[0].at_ms, ahead + 1_000);
    assert_eq!(samples("booted")[0].at_ms, ahead + 500, "placed by the anchor that waited");
    assert_eq!(count(&world, "SELECT count(*) FROM gap"), 1);
    assert_eq!(api.list("quarantine", "&state=held"), Vec::<Value>::new());
    let replayed = api.list("quarantine", "&state=all");
    assert!(replayed.iter().all(|item| item["state"] == json!("replayed")), "{replayed:?}");
    println!("{}", world.server.command(&["verify"]).success());
}
