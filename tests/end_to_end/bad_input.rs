//! Bad input: set aside with its reason and told back, while everybody else goes on.

use std::{fs, time::Duration};

use model::{
    batch::{Batch, BatchClock, Column, Gap, GapReason},
    ids::{BatchId, Epoch},
    reading::Point,
    wire::batch_v1,
};
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use serde_json::{Value, json};
use world::{Api, Exact, Finished, Mqtt, Oracle, Register, Site, World, not_proven, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// By how much a flood may make the server grow, beyond what it grew to by an equal one before.
const GROWTH: u64 = 64 << 20;

fn batch_of(agent: &str, gauge: &str, sequence: u64, unit: &str, at_ms: i64) -> Batch {
    Batch {
        id: BatchId { agent: agent.parse().unwrap(), epoch: Epoch(9), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: vec![Column {
            gauge: gauge.parse().unwrap(),
            unit: unit.into(),
            decimals: 3,
            period_ms: 1_000,
            points: vec![Point::good(at_ms, 612)],
        }],
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

/// A station with one flow gauge for whoever speaks as `gw-third`.
const THIRD: &str = r#"
[[station]]
id = "BF-third"
agent = "gw-third"

  [[station.gauge]]
  id = "release"
  quantity = "flow"
  unit = "m3/s"
  interval = "5s"
"#;

/// Waits until a refusal with this reason has come back, as many times as wanted.
fn until_refused(mqtt: &Mqtt, reason: &str, count: usize) -> Vec<Value> {
    mqtt.until(&format!("{count} × {reason} on refused"), PATIENCE, "/refused", |messages| {
        let documents = messages.iter().map(|message| serde_json::from_slice::<Value>(message));
        let documents: Vec<Value> = documents.map(|document| document.expect("JSON")).collect();
        let found: Vec<Value> =
            documents.into_iter().filter(|document| document["reason"] == reason).collect();
        (found.len() >= count).then_some(found)
    })
}

fn quarantined(api: &Api, reason: &str) -> Vec<Value> {
    let items = api.list("quarantine", "&state=all").into_iter();
    items.filter(|item| item["reason"] == reason).collect()
}

fn until_quarantined(api: &Api, reason: &str, count: usize) -> Vec<Value> {
    wait::until(&format!("{count} × {reason} in quarantine"), PATIENCE, || {
        let found = quarantined(api, reason);
        if found.len() >= count {
            Ok(found)
        } else {
            Err(format!("{:?}", api.list("quarantine", "")))
        }
    })
}

/// A world with an agent at work beside the one that misbehaves.
fn busy_world(name: &str) -> (World, world::Meter, Site, world::Agent) {
    let mut world = World::new(name);
    let mut meter = world.meter("good");
    let site = Site::counting("good", &mut meter, "200ms", 10);
    world.open_with(&[&site], &["gw-third"], THIRD);
    let mut agent = world.agent(&site);
    agent.start();
    (world, meter, site, agent)
}

#[test]
fn malformed_and_lying_messages_are_quarantined_whole_and_told_back() {
    let (mut world, mut meter, site, _agent) = busy_world("garbage");
    let api = world.server.api();
    let third = world.broker.client("gw-third");
    let topic = "baseflow/v1/gw-third/batch";
    let now = wait::now_ms();
    // as large as the broker lets through, and all together what the ring of garbage holds; first
    // a round that lets the server reach its working size
    let large = |fill: u8| vec![fill; 2_096_000];
    for fill in 0x80..0x9C {
        assert_eq!(third.publish(topic, large(fill)), PubAckReason::Success);
    }
    until_refused(&third, "undecodable", 28);
    let before = world.server.resident_bytes();

    let good = batch_v1::encode(&batch_of("gw-third", "BF-third/release", 1, "m3/s", now));
    let own = |batch: &Batch| batch_v1::encode(batch);
    let bomb = zstd_bomb();
    let mut garbage: Vec<(&str, Vec<u8>)> = vec![
        ("undecodable", b"hello".to_vec()),
        ("undecodable", good[..good.len() - 3].to_vec()),
        ("undecodable", vec![0xFF; 1024]),
        ("undecodable", vec![0x28, 0xB5, 0x2F, 0xFD, 1, 2, 3]),
        ("too_large", bomb),
        ("version", {
            let mut later = good.clone();
            later[1] = 2;
            later
        }),
        ("agent_mismatch", own(&batch_of("gw-good", "BF-third/release", 2, "m3/s", now))),
    ];
    garbage.extend((0xA0..0xBC).map(|fill| ("undecodable", large(fill))));
    // who only asks whether it may publish says nothing, and is told nothing
    assert_eq!(third.publish(topic, Vec::new()), PubAckReason::Success);
    let mut wanted = std::collections::BTreeMap::new();
    for (reason, payload) in &garbage {
        assert_eq!(third.publish(topic, payload.clone()), PubAckReason::Success, "{reason}");
        *wanted.entry(*reason).or_insert(0) += 1;
    }
    // a good one, to see that its sender was not shut out
    third.publish(topic, good);
    for (reason, count) in wanted {
        let early = if reason == "undecodable" { 28 } else { 0 };
        let refused = until_refused(&third, reason, early + count);
        assert_eq!(refused.len(), early + count, "{reason}");
        assert!(refused.iter().all(|refused| refused["kept"] == "garbage"), "{refused:?}");
        for item in until_quarantined(&api, reason, count) {
            assert_eq!(
                (&item["agent"], &item["kind"]),
                (&json!("gw-third"), &json!("garbage")),
                "{item}"
            );
            assert!(item["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{item}");
        }
    }
    wait::until("the good batch is stored", PATIENCE, || {
        let samples = api.samples("BF-third/release")?;
        if samples.len() == 1 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
    let grown = world.server.resident_bytes().saturating_sub(before);
    println!("the server grew by {} MiB over 59 MB of garbage", grown >> 20);
    assert!(grown <= GROWTH, "the server grew by {grown} bytes");
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile_gauges(&world.server, PATIENCE);
    println!("{}", world.server.command(&["verify"]).success());
}

/// One zstd frame of a few bytes that says nothing of its size and holds 64 MiB of zeros: blocks of
/// one repeated byte, written by hand.
fn zstd_bomb() -> Vec<u8> {
    // magic; no content size, no checksum; window of 8 MiB
    let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x68];
    for block in 0..512_u32 {
        let is_last = u32::from(block == 511);
        let header = is_last | 1 << 1 | 131_072 << 3; // RLE, 128 KiB
        frame.extend(&header.to_le_bytes()[..3]);
        frame.push(0);
    }
    frame
}

#[test]
fn the_broker_refuses_what_is_too_large_or_on_anothers_topic() {
    let (world, mut meter, site, _agent) = busy_world("broker-rules");
    let third = world.broker.client("gw-third");
    for topic in [
        "gw-good/batch",
        "gw-good/json",
        "gw-good/status",
        "gw-third/commit",
        "gw-third/refused",
        "server",
    ] {
        let answer = third.publish(&format!("baseflow/v1/{topic}"), "x");
        assert_eq!(answer, PubAckReason::NotAuthorized, "{topic}");
    }
    let large = world.folder().join("large.bin");
    fs::write(&large, vec![0; 3 << 20]).expect("a file");
    match world.broker.mosquitto_pub("gw-third") {
        None => not_proven("that the broker refuses more than 2 MiB (no mosquitto_pub)"),
        Some(mut command) => {
            let sent =
                Finished::of(command.args(["-t", "baseflow/v1/gw-third/batch", "-f"]).arg(&large));
            let said = sent.out + &sent.err;
            assert!(!said.contains("RC:0") && !said.contains("RC:16"), "3 MiB were taken: {said}");
        }
    }
    wait::until("some samples", PATIENCE, || {
        let samples = world.server.api().samples(&site.full("g0"))?;
        if samples.len() >= 5 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
    // None of it reached anybody.
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile(&world.server, PATIENCE);
    let items = world.server.api().list("quarantine", "&state=all");
    assert!(items.is_empty(), "{items:?}");
}

/// Publishes as a third party does: with `mosquitto_pub` where it is installed.
fn publish_json(world: &World, third: &mut Option<Mqtt>, document: &str) {
    let topic = "baseflow/v1/gw-third/json";
    // One account is one connection, and the test's own one hears the refusals.
    *third = None;
    if let Some(mut command) = world.broker.mosquitto_pub("gw-third") {
        Finished::of(command.args(["-t", topic, "-m", document])).success();
        *third = Some(world.broker.client("gw-third"));
    } else {
        let client = world.broker.client("gw-third");
        client.publish(topic, document);
        *third = Some(client);
    }
}

fn rfc3339(ms: i64) -> String {
    model::time::Timestamp::clamped(ms).to_string()
}

#[test]
fn readings_of_third_parties_as_json_are_stored_or_refused_one_by_one() {
    let mut world = World::new("json");
    world.open_with(&[], &["gw-third", "gw-other"], THIRD);
    let api = world.server.api();
    let now = wait::now_ms() / 1_000 * 1_000;
    let mut third = None;
    let reading = |gauge: &str, at: &str, value: &str| {
        format!(r#"{{"gauge":"BF-third/{gauge}","at":"{at}","value":{value}}}"#)
    };
    // One object; an array with another offset; float32 printed in full; half to even.
    publish_json(
        &world,
        &mut third,
        &format!(r#"{{"readings":{}}}"#, reading("release", &rfc3339(now - 5_000), "0.612")),
    );
    let beijing = "2024-11-22T08:00:00+08:00";
    let many = [
        reading("release", beijing, "0.300000011920929"),
        reading("release", &rfc3339(now - 4_000), "0.0000025"),
        format!(
            r#"{{"gauge":"BF-third/release","at":"{}","value":1.5,"quality":"suspect"}}"#,
            rfc3339(now - 3_000)
        ),
    ];
    let document = format!(r#"{{"readings":[{}]}}"#, many.join(","));
    publish_json(&world, &mut third, &document);
    publish_json(&world, &mut third, &document); // known by its digest
    let expected = ["0.3", "0.612", "0.000002", "1.5"].map(Exact::parse);
    wait::until("four samples", PATIENCE, || {
        let samples = api.samples("BF-third/release")?;
        let values: Vec<Option<Exact>> = samples.iter().map(|sample| sample.value).collect();
        if values == expected && samples[3].quality == "suspect" {
            Ok(())
        } else {
            Err(format!("{samples:?}"))
        }
    });

    // One after another: each document has one good reading and one that is refused by itself.
    let refused = [
        reading("release", "1999-12-31T23:59:59Z", "1"),
        reading("release", "2024-11-22T08:00:00", "1"),
        reading("release", &rfc3339(now - 1_000), "\"0.6\""),
        reading("release", &rfc3339(now - 1_000), "null"),
        reading("release", &rfc3339(now - 1_000), &"1".repeat(41)),
        reading("release", &rfc3339(now - 1_000), "9e99"),
        format!(
            r#"{{"gauge":"BF-third/release","at":"{}","value":1,"quality":"fine"}}"#,
            rfc3339(now)
        ),
    ];
    for (second, bad) in (10_i64..).zip(&refused) {
        let good = reading("release", &rfc3339(now - second * 1_000), "2");
        publish_json(&world, &mut third, &format!(r#"{{"readings":[{good},{bad}]}}"#));
    }
    for item in until_quarantined(&api, "reading", refused.len()) {
        assert_eq!(item["kind"], "garbage", "{item}");
        assert!(
            item["detail"].as_str().is_some_and(|detail| detail.contains("reading 1")),
            "{item}"
        );
    }
    // One that lies ahead waits; it is not refused for good.
    let later = reading("release", &rfc3339(now + 3_600_000), "1");
    publish_json(&world, &mut third, &format!(r#"{{"readings":{later}}}"#));
    assert_eq!(until_quarantined(&api, "time", 1)[0]["kind"], "parked");
    wait::until("the good ones beside them", PATIENCE, || {
        let samples = api.samples("BF-third/release")?;
        if samples.len() == 4 + refused.len() { Ok(()) } else { Err(format!("{samples:?}")) }
    });

    // No JSON at all, no readings in it, and a number that is none.
    for bad in [
        "not json",
        r#"{"values":[]}"#,
        r#"{"readings":[{"gauge":"BF-third/release","at":"2024-11-22T08:00:00Z","value":NaN}]}"#,
    ] {
        publish_json(&world, &mut third, bad);
    }
    until_quarantined(&api, "undecodable", 3);

    // Another agent's station: what speaks for it is set aside.
    let other = world.broker.client("gw-other");
    let foreign = format!(r#"{{"readings":{}}}"#, reading("release", &rfc3339(now - 100_000), "7"));
    other.publish("baseflow/v1/gw-other/json", foreign);
    assert_eq!(until_refused(&other, "foreign_station", 1)[0]["kept"], "parked");
    assert_eq!(api.samples("BF-third/release").unwrap().len(), 4 + refused.len());
}

/// A station of another agent, and one of one's own.
const MOVED: &str = r#"
[[station]]
id = "BF-moved"
agent = "gw-other"

  [[station.gauge]]
  id = "level"
  quantity = "level"
  unit = "m"
  interval = "5s"
"#;

#[test]
fn a_station_that_moved_takes_no_neighbour_with_it_and_is_one_item() {
    let mut world = World::new("moved");
    let registry = format!("{THIRD}{MOVED}");
    world.open_with(&[], &["gw-third", "gw-other"], &registry);
    let api = world.server.api();
    let third = world.broker.client("gw-third");
    let begin = wait::now_ms() / 1_000 * 1_000 - 1_000_000;
    let at = |sequence: u64| begin + i64::try_from(sequence).unwrap() * 1_000;
    for sequence in 1..=150 {
        let mut batch = batch_of("gw-third", "BF-third/release", sequence, "m3/s", at(sequence));
        batch
            .columns
            .extend(batch_of("gw-third", "BF-moved/level", sequence, "m", at(sequence)).columns);
        batch.gaps =
            vec![gap("BF-moved/level", at(sequence)), gap("BF-third/release", at(sequence))];
        third.publish("baseflow/v1/gw-third/batch", batch_v1::encode(&batch));
    }
    wait::until("the neighbour's readings", PATIENCE, || {
        let samples = api.samples("BF-third/release")?;
        if samples.len() == 150 { Ok(()) } else { Err(format!("{} samples", samples.len())) }
    });
    let refused = until_refused(&third, "foreign_station", 150);
    assert!(refused.iter().all(|refused| refused["kept"] == "parked"), "{refused:?}");
    let refused = until_refused(&third, "gap", 150);
    assert!(refused.iter().all(|refused| refused["kept"] == "none"), "{refused:?}");
    let items = quarantined(&api, "foreign_station");
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!((&items[0]["kind"], &items[0]["batches"]), (&json!("parked"), &json!(150)));
    assert_eq!(items[0]["gauges"], json!(["BF-moved/level"]));
    assert_eq!(items[0]["from"], json!(rfc3339(at(1))));
    assert_eq!(api.samples("BF-moved/level"), Ok(Vec::new()), "it is no sample");
    let id = items[0]["id"].clone();
    assert_eq!(api.post(&format!("/quarantine/{id}/replay"), None).status, 409);

    // The station comes back to this agent.
    let text = format!("{THIRD}{}", MOVED.replace("gw-other", "gw-third"));
    fs::write(world.server.registry_file(), text).expect("the registry");
    world.server.import_registry();
    let decided = wait::until("the item is replayed", PATIENCE, || {
        let answer = api.post(&format!("/quarantine/{id}/replay"), None);
        if answer.status == 200 { Ok(answer.json()) } else { Err(answer.text) }
    });
    assert_eq!((&decided["batches"], &decided["still_refused"]), (&json!(150), &json!([])));
    assert_eq!(api.samples("BF-moved/level").unwrap().len(), 150);
    assert_eq!(quarantined(&api, "foreign_station")[0]["state"], "replayed");
    println!("{}", world.server.command(&["verify"]).success());
}

fn gap(gauge: &str, at_ms: i64) -> Gap {
    Gap {
        epoch: Epoch(8),
        first_sequence: 1,
        last_sequence: 1,
        gauges: vec![gauge.parse().unwrap()],
        boot: None,
        from_ms: at_ms - 500,
        to_ms: at_ms,
        reason: GapReason::Overwritten,
        count: 1,
    }
}

#[test]
fn what_only_the_registry_refuses_is_parked_and_replayed_later() {
    let (mut world, mut meter, site, _agent) = busy_world("parked");
    let api = world.server.api();
    let third = world.broker.client("gw-third");
    let now = wait::now_ms() / 1_000 * 1_000;
    // A batch with a gauge that is known, one that is not, and one with an impossible unit.
    let mut batch = batch_of("gw-third", "BF-third/release", 1, "m3/s", now);
    batch.columns.extend(batch_of("gw-third", "BF-third/level", 1, "m", now).columns);
    third.publish("baseflow/v1/gw-third/batch", batch_v1::encode(&batch));
    let unknown = batch_of("gw-third", "BF-new/level", 2, "m", now + 1_000);
    third.publish("baseflow/v1/gw-third/batch", batch_v1::encode(&unknown));
    let impossible = batch_of("gw-third", "BF-third/release", 3, "V", now + 2_000);
    third.publish("baseflow/v1/gw-third/batch", batch_v1::encode(&impossible));
    let json = format!(
        r#"{{"readings":{{"gauge":"BF-third/level","at":"{}","value":1.2345}}}}"#,
        rfc3339(now + 3_000)
    );
    third.publish("baseflow/v1/gw-third/json", json);

    for (reason, count) in [("unknown_gauge", 2), ("unknown_station", 1), ("unit", 1)] {
        for item in until_quarantined(&api, reason, count) {
            assert_eq!(item["kind"], "parked", "{item}");
        }
        let refused = until_refused(&third, reason, count);
        assert!(refused.iter().all(|refused| refused["kept"] == "parked"), "{refused:?}");
    }
    assert_eq!(api.samples("BF-third/release").unwrap().len(), 1, "the known column is stored");
    let parked = quarantined(&api, "unknown_gauge");
    let early = api.post(&format!("/quarantine/{}/replay", parked[0]["id"]), None);
    assert_eq!(early.status, 409, "nothing has changed yet: {}", early.text);

    let level = "\n  [[station.gauge]]\n  id = \"level\"\n  quantity = \"level\"\n  unit = \"m\"\n  interval = \"5s\"\n";
    let more = format!("{level}\n[[station]]\nid = \"BF-new\"\nagent = \"gw-third\"\n{level}");
    let file = world.server.registry_file();
    let text = fs::read_to_string(&file).expect("the registry") + &more;
    fs::write(&file, text).expect("the registry");
    world.server.import_registry();
    for (reason, item) in [("unknown_gauge", 0), ("unknown_gauge", 1), ("unknown_station", 0)] {
        let id = quarantined(&api, reason)[item]["id"].clone();
        // The server takes a registry up within a second.
        wait::until(&format!("{reason} {id} is replayed"), PATIENCE, || {
            let answer = api.post(&format!("/quarantine/{id}/replay"), None);
            if answer.status == 200 {
                Ok(())
            } else {
                Err(format!("{}: {}", answer.status, answer.text))
            }
        });
        let again = api.post(&format!("/quarantine/{id}/replay"), None);
        assert_eq!(again.status, 409, "{}", again.text);
    }
    let values = |gauge: &str| -> Vec<String> {
        let samples = api.samples(gauge).unwrap();
        samples.iter().map(|sample| sample.value.unwrap().to_string()).collect()
    };
    assert_eq!(values("BF-third/level"), ["0.612", "1.2345"]);
    assert_eq!(values("BF-new/level"), ["0.612"]);
    assert_eq!(values("BF-third/release"), ["0.612"]);
    // The same from the command line, beside the server.
    let command = |words: &[&str], id: &str| {
        world.server.command(&[&["quarantine"], words, &[id][..]].concat())
    };
    let unit = quarantined(&api, "unit")[0]["id"].clone();
    let number = unit.to_string();
    let list = world.server.command(&["quarantine", "list", "--limit", "1"]).success();
    assert!(list.starts_with(&format!("{number}\tparked\theld\tgw-third\tunit\t")), "{list}");
    let show = command(&["show"], &number).success();
    let settings = world.server.settings().display().to_string();
    let line = format!("`baseflow quarantine replay {number} --config {settings}`");
    assert!(show.contains(&line), "{show}");
    assert!(show.contains("keeps the unit that it was sent with, `V`"), "{show}");
    let refused = command(&["replay"], &number);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("refused as before"), "{refused:?}");
    let unknown = command(&["discard"], "4711");
    assert!(unknown.code == 1 && unknown.err.contains("has no item 4711"), "{unknown:?}");
    let batch = batch_of("gw-third", "BF-late/level", 4, "m", now + 4_000);
    third.publish("baseflow/v1/gw-third/batch", batch_v1::encode(&batch));
    let late = wait::until("BF-late is parked", PATIENCE, || {
        let items = quarantined(&api, "unknown_station");
        let item = items.iter().find(|item| item["state"] == "held");
        item.map(|item| item["id"].to_string()).ok_or_else(|| format!("{items:?}"))
    });
    let text = fs::read_to_string(&file).expect("the registry");
    let station = format!("\n[[station]]\nid = \"BF-late\"\nagent = \"gw-third\"\n{level}");
    fs::write(&file, text + &station).expect("the registry");
    world.server.import_registry();
    let replayed = command(&["replay"], &late).success();
    assert!(replayed.contains("admitted of 1 batch: BF-late/level"), "{replayed}");
    assert_eq!(values("BF-late/level"), ["0.612"]);
    assert_eq!(command(&["discard"], &late).code, 1, "it is decided");
    assert_eq!(api.post(&format!("/quarantine/{unit}/discard"), None).status, 200);
    assert_eq!(api.post(&format!("/quarantine/{unit}/replay"), None).status, 409);

    wait::until("the good agent was at work", PATIENCE, || {
        let samples = api.samples(&site.full("g0"))?;
        if samples.len() >= 5 { Ok(()) } else { Err(format!("{samples:?}")) }
    });
    meter.silence([1]);
    Oracle::read(&[&site]).reconcile_gauges(&world.server, PATIENCE);
    world.server.kill9();
    world.server.start();
    assert_eq!(values("BF-third/level"), ["0.612", "1.2345"]);
    println!("{}", world.server.command(&["verify"]).success());
}

#[test]
fn settings_with_many_faults_list_every_key_and_start_nothing() {
    let world = World::new("settings");
    let bad = "data_dir = 5\ncolour = \"blue\"\n\n[http]\nlisten = \"nowhere\"\nport = 1\n\n[mqtt]\nurl = \"http://x\"\nversion = 3\n\n\
               [registry]\nnear = \"abc\"\n";
    fs::write(world.server.settings(), bad).expect("a settings file");
    for command in [&["run"][..], &["check"], &["token", "list"]] {
        let said = world.server.command(command);
        assert_eq!(said.code, 78, "{command:?}: {said:?}");
        let text = said.out + &said.err;
        for key in [
            "data_dir",
            "colour",
            "http.listen",
            "http.port",
            "mqtt.url",
            "mqtt.version",
            "registry.near",
        ] {
            assert!(text.contains(key), "{command:?} does not name {key}: {text}");
        }
    }
    assert!(!world.folder().join("data").try_exists().unwrap(), "nothing was made");

    let meterless = world::Bus {
        url: "tcp://127.0.0.1:502".to_owned(),
        log: "none".into(),
        timeout: "1s",
        retries: 0,
        period: "1s",
        registers: vec![Register::new("g", 1, "input", 0, "u16")],
    };
    let site = Site::new("settings", vec![meterless]);
    let agent = world.agent(&site);
    let text = fs::read_to_string(agent.settings()).expect("its settings");
    let text = text
        .replace("period = \"1s\"", "period = \"1\"\nspeed = 9")
        .replace("type = \"u16\"", "type = \"u17\"")
        .replace("max_age = \"200ms\"", "max_age = \"-1s\"")
        .replace("gauge = \"BF-settings/g\"", "gauge = \"no slash\"")
        .replace("unit = 1\n", "unit = 300\n");
    fs::write(agent.settings(), text).expect("its settings");
    for command in ["run", "check", "probe", "spool"] {
        let said = agent.command(&[command]);
        assert_eq!(said.code, 78, "{command}: {said:?}");
        let text = said.out + &said.err;
        for key in [
            "batch.max_age",
            "bus[0].device[0].period",
            "bus[0].device[0].speed",
            "bus[0].device[0].unit",
            "bus[0].device[0].register[0].type",
            "bus[0].device[0].register[0].gauge",
        ] {
            assert!(text.contains(key), "{command} does not name {key}: {text}");
        }
    }
    assert!(!agent.spool().try_exists().unwrap(), "no spool was made");
}

#[test]
fn a_registry_with_any_fault_changes_nothing() {
    let mut world = World::new("registry");
    world.open_with(&[], &["gw-third"], THIRD);
    let before = world.server.command(&["registry", "export"]).success();
    let bad = format!(
        "{THIRD}\n[[station]]\nid = \"BF new\"\nkind = \"castle\"\ncolour = 1\n\n  [[station.gauge]]\n  id = \"x\"\n  quantity = \"flow\"\n  \
         unit = \"V\"\n  interval = \"soon\"\n\n[[rule]]\nid = \"r\"\nstatistic = \"guess\"\n"
    );
    let file = world.folder().join("bad.toml");
    fs::write(&file, bad).expect("a file");
    let said = world.server.command(&["registry", "import", file.to_str().unwrap()]);
    assert_eq!(said.code, 78, "{said:?}");
    let text = said.out + &said.err;
    for key in [
        "station[1].id",
        "station[1].kind",
        "station[1].colour",
        "station[1].gauge[0].unit",
        "station[1].gauge[0].interval",
        "rule[0].statistic",
    ] {
        assert!(text.contains(key), "{key} is not named: {text}");
    }
    assert_eq!(world.server.command(&["registry", "export"]).success(), before);
    assert_eq!(world.server.api().list("stations", "").len(), 1);
}
