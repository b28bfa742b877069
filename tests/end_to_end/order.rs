//! Order: batches in any order, again and again, change the store once; pages show one moment of it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch},
    reading::Point,
    wire::batch_v1,
};
use world::{Bus, Exact, Mqtt, Register, Sample, Site, World, wait};

const PATIENCE: Duration = Duration::from_secs(30);
const AGENT: &str = "gw-order";
const TOPIC: &str = "baseflow/v1/gw-order/batch";

/// A site without an agent: this test is its agent.
fn site() -> Site {
    let registers = ["a", "b"].map(|gauge| Register::new(gauge, 1, "input", 0, "u32"));
    let bus = Bus {
        url: String::new(),
        log: "no meter".into(),
        timeout: "1s",
        retries: 0,
        period: "1s",
        registers: registers.into(),
    };
    Site::new("order", vec![bus])
}

fn batch(epoch: u64, sequence: u64, columns: &[(&str, &[(i64, i64)])]) -> Batch {
    let column = |(gauge, points): &(&str, &[(i64, i64)])| Column {
        gauge: format!("BF-order/{gauge}").parse().unwrap(),
        unit: "V".into(),
        decimals: 0,
        period_ms: 1_000,
        points: points.iter().map(|(at, value)| Point::good(*at, *value)).collect(),
    };
    Batch {
        id: BatchId { agent: AGENT.parse().unwrap(), epoch: Epoch(epoch), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: columns.iter().map(column).collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

fn until_named(mqtt: &Mqtt, wanted: &[(u64, u64)]) {
    wait::until("a commit notice for every batch", PATIENCE, || {
        let named = mqtt.named();
        let missing = wanted.iter().filter(|key| !named.contains_key(key)).count();
        if missing == 0 { Ok(()) } else { Err(format!("{missing} are missing of {wanted:?}")) }
    });
}

/// The same shuffle at every run (a linear congruence and Fisher and Yates).
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for at in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(seed >> 33).unwrap() % (at + 1);
        items.swap(at, other);
    }
}

fn samples_of(world: &World, gauge: &str) -> BTreeMap<i64, Exact> {
    let samples = world.server.api().samples(&format!("BF-order/{gauge}")).unwrap();
    let count = samples.len();
    let by_moment: BTreeMap<i64, Exact> =
        samples.into_iter().map(|sample| (sample.at_ms, sample.value.unwrap())).collect();
    assert_eq!(by_moment.len(), count, "a moment stands twice");
    by_moment
}

#[test]
fn batches_in_any_order_again_and_again_are_stored_once() {
    let mut world = World::new("order");
    world.open(&[&site()]);
    let start = wait::now_ms() / 1_000 * 1_000 - 3_600_000;
    let mut batches = Vec::new();
    let mut expected = [BTreeMap::new(), BTreeMap::new()];
    // Three epochs, each overlapping the one before by half with equal values: a spool that was
    // restored from yesterday's copy offers again what another life of it had sent already.
    for epoch in 1..=3_u64 {
        for sequence in 1..=20_u64 {
            let first = start + i64::try_from((epoch - 1) * 10 + sequence).unwrap() * 10_000;
            let points: Vec<(i64, i64)> =
                (0..10).map(|at| (first + at * 1_000, (first + at) % 1_000_003)).collect();
            let negative: Vec<(i64, i64)> =
                points.iter().map(|(at, value)| (*at, -value)).collect();
            for (expected, points) in expected.iter_mut().zip([&points, &negative]) {
                let exact =
                    points.iter().map(|(at, value)| (*at, Exact::whole(i128::from(*value))));
                expected.extend(exact);
            }
            batches.push(batch(epoch, sequence, &[("a", &points), ("b", &negative)]));
        }
    }
    let mut sent: Vec<&Batch> = batches.iter().chain(&batches).chain(&batches[20..40]).collect();
    shuffle(&mut sent, 3);
    let mqtt = world.broker.client(AGENT);
    for (number, batch) in sent.iter().enumerate() {
        let plain = batch_v1::encode(batch);
        // The same batch compressed or not is the same batch.
        let payload = if number % 2 == 0 { plain } else { batch_v1::compress(plain) };
        mqtt.publish(TOPIC, payload);
    }
    let keys: Vec<(u64, u64)> =
        batches.iter().map(|batch| (batch.id.epoch.0, batch.id.sequence)).collect();
    until_named(&mqtt, &keys);
    for (gauge, expected) in ["a", "b"].iter().zip(&expected) {
        assert_eq!(&samples_of(&world, gauge), expected, "{gauge}");
    }
    let agents = world.server.api().list("agents", "");
    let agent = agents.iter().find(|agent| agent["id"] == AGENT).expect("it has been heard of");
    for epoch in agent["epochs"].as_array().expect("epochs") {
        assert_eq!((&epoch["batches"], &epoch["holes"]), (&20.into(), &0.into()), "{agent}");
    }
    assert_eq!(world.server.api().list("quarantine", ""), Vec::<serde_json::Value>::new());
    println!("{}", world.server.command(&["verify"]).success());
}

#[test]
fn the_first_admitted_stands_and_one_name_with_two_contents_is_a_fork() {
    let mut world = World::new("first");
    world.open(&[&site()]);
    let mqtt = world.broker.client(AGENT);
    let at = wait::now_ms() - 60_000;
    let first = batch(1, 1, &[("a", &[(at, 1), (at + 1_000, 2)])]);
    mqtt.publish(TOPIC, batch_v1::encode(&first));
    until_named(&mqtt, &[(1, 1)]);
    // Another epoch says otherwise of the same moments, and of one more.
    let other = batch(2, 1, &[("a", &[(at, 100), (at + 1_000, 2), (at + 2_000, 3)])]);
    mqtt.publish(TOPIC, batch_v1::encode(&other));
    until_named(&mqtt, &[(2, 1)]);
    let whole = Exact::whole;
    let expected = BTreeMap::from([(at, whole(1)), (at + 1_000, whole(2)), (at + 2_000, whole(3))]);
    assert_eq!(samples_of(&world, "a"), expected);
    // Two gateways may have spools of their own and one name: who asks the server is told.
    wait::until("the contradiction is told", PATIENCE, || {
        let ready = world.server.readiness()?;
        if ready.contains("values of `gw-order` (1 value since ") { Ok(()) } else { Err(ready) }
    });
    // The name of the first with other contents.
    let fork = batch(1, 1, &[("a", &[(at + 3_000, 4)])]);
    mqtt.publish(TOPIC, batch_v1::encode(&fork));
    mqtt.until("the fork is told", PATIENCE, "/refused", |refused| {
        let text = String::from_utf8_lossy(refused.first()?).into_owned();
        assert!(text.contains("\"reason\":\"fork\"") && text.contains("\"sequence\":1"), "{text}");
        Some(())
    });
    assert_eq!(samples_of(&world, "a"), expected);
}

#[test]
fn pages_read_while_data_arrive_show_one_moment_of_the_store() {
    let mut world = World::new("pages");
    world.open(&[&site()]);
    let start = wait::now_ms() / 1_000 * 1_000 - 7_200_000;
    // Each batch has points spread over the whole span, so that what arrives falls before and
    // behind the page that is being read.
    let points = move |sequence: i64| -> Vec<(i64, i64)> {
        (0..40).map(|at| (start + at * 100_000 + sequence * 100, sequence * 1_000 + at)).collect()
    };
    let mqtt = world.broker.client(AGENT);
    let send = move |mqtt: &Mqtt, sequence: i64| {
        let batch = batch(1, u64::try_from(sequence).unwrap(), &[("a", &points(sequence))]);
        mqtt.publish(TOPIC, batch_v1::encode(&batch));
    };
    for sequence in 1..=10 {
        send(&mqtt, sequence);
    }
    until_named(&mqtt, &(1..=10).map(|sequence| (1, sequence)).collect::<Vec<_>>());

    let (arrived, is_over) = (Arc::new(AtomicU64::new(10)), Arc::new(AtomicBool::new(false)));
    let sender = thread::spawn({
        let (arrived, is_over) = (Arc::clone(&arrived), Arc::clone(&is_over));
        move || {
            for sequence in 11..=400 {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                send(&mqtt, sequence);
                let sequence = u64::try_from(sequence).unwrap();
                until_named(&mqtt, &[(1, sequence)]);
                arrived.store(sequence, Ordering::Relaxed);
            }
            mqtt
        }
    });
    let api = world.server.api();
    let mut sizes = Vec::new();
    wait::until("three listings during which batches arrived", PATIENCE, || {
        let before = arrived.load(Ordering::Relaxed);
        let mut listing: Vec<Sample> = Vec::new();
        let mut cursor = None;
        loop {
            let (page, next) = api.page("BF-order/a", 17, cursor.as_deref()).expect("a page");
            listing.extend(page);
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        // Batches are admitted one after the other: what the listing shows are the first so many.
        let count = i64::try_from(listing.len()).unwrap();
        assert_eq!(count % 40, 0, "{count} samples are no whole number of batches");
        let mut expected: Vec<(i64, i64)> = (1..=count / 40).flat_map(points).collect();
        expected.sort_unstable();
        let found: Vec<(i64, i64)> = listing
            .iter()
            .map(|sample| {
                (sample.at_ms, i64::try_from(sample.value.unwrap().0 / 1_000_000_000).unwrap())
            })
            .collect();
        assert_eq!(found, expected);
        if arrived.load(Ordering::Relaxed) > before {
            sizes.push(count);
        }
        if sizes.len() >= 3 { Ok(()) } else { Err(format!("{sizes:?} samples")) }
    });
    is_over.store(true, Ordering::Relaxed);
    let _mqtt = sender.join().expect("the sender");
    println!("listings of {sizes:?} samples while batches arrived");
    assert!(sizes.is_sorted(), "a batch that was there is missing: {sizes:?}");
}
