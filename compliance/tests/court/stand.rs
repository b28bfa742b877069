//! How a section stands: by what came last, and stale by the clock alone.

use std::collections::BTreeSet;

use model::{standing::Standing, time::Timestamp};
use store::{JournalReader, StandingRow};

use crate::world::{HOUR, MINUTE, World};

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    agent = "gw"
    status = "retained"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
"#;

fn at(minute: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T00:00:00+08:00".parse().unwrap();
    begin.plus_ms(minute * MINUTE)
}

fn rows(world: &World) -> Vec<StandingRow> {
    let read = |reader: &JournalReader| reader.standings(None);
    world.store.journal().read_blocking(read).unwrap()
}

fn state(world: &World) -> (Standing, Timestamp) {
    let row = rows(world).remove(0);
    (row.state, row.since)
}

fn said(world: &mut World, minute: i64, flow: i64) {
    world.set(at(minute).plus_ms(5_000));
    world.send("S/pipe", &[(at(minute), flow)]);
    world.settle();
}

#[test]
fn a_section_stands_as_its_newest_data_say_and_stale_when_nothing_comes() {
    let mut world = World::new(at(0));
    world.import(REGISTRY);
    world.settle();
    assert_eq!(state(&world), (Standing::Stale, at(0)));
    said(&mut world, 1, 2_000_000);
    said(&mut world, 2, 2_000_000);
    assert_eq!(state(&world), (Standing::Ok, at(1)), "since it began to stand so");
    said(&mut world, 3, 1_000_000);
    assert_eq!(state(&world), (Standing::Near, at(3)));
    said(&mut world, 4, 999_999);
    assert_eq!(state(&world), (Standing::Breach, at(4)));
    // nothing comes: three intervals after its last value it is stale, by the clock alone
    world.set(at(7).plus_ms(-1));
    world.settle();
    assert_eq!(state(&world), (Standing::Breach, at(4)));
    world.set(at(7));
    world.settle();
    assert_eq!(state(&world), (Standing::Stale, at(7)));
    let text = String::from_utf8(rows(&world).remove(0).bytes).unwrap();
    assert!(text.contains(r#""released":{"value":"0.999999""#), "{text}");
    // a start does not forget since when
    world.pass_ms(HOUR);
    world.starts_again();
    world.settle();
    assert_eq!(state(&world), (Standing::Stale, at(7)));
    world.import(&REGISTRY.replace("retained", "exited"));
    world.settle();
    assert_eq!(state(&world).0, Standing::OutOfService);
    world.import(&REGISTRY.replace("retained", "rectifying"));
    world.settle();
    assert_eq!(state(&world).0, Standing::Stale);
}

#[test]
fn the_day_so_far_is_that_of_its_hours_and_is_written_with_them() {
    let mut world = World::new(at(0));
    world.import(REGISTRY);
    for minute in 0..130 {
        let flow = if minute < 60 { 1_000_000 } else { 900_000 };
        said(&mut world, minute, flow);
    }
    let text = String::from_utf8(rows(&world).remove(0).bytes).unwrap();
    let hours = r#""hours":{"met":1,"short":2,"exempt":0,"indeterminate":0},"completeness":"1","online":"1""#;
    assert!(text.contains(hours), "{text}");
    assert!(
        text.contains(r#""from":"2026-02-28T16:00:00Z","to":"2026-03-01T16:00:00Z""#),
        "{text}"
    );
}

fn complete(world: &World) -> Option<String> {
    let row: serde_json::Value = serde_json::from_slice(&rows(world).remove(0).bytes).unwrap();
    row["today"]["completeness"].as_str().map(str::to_owned)
}

/// Values come more often than what is known of their hour is judged anew.
#[test]
fn of_a_day_that_is_read_each_second_nothing_is_ever_missing() {
    let mut world = World::new(at(0));
    world.import(REGISTRY);
    let mut found = BTreeSet::new();
    for second in 0..150 {
        let now = at(0).plus_ms(second * 1_000);
        world.set(now);
        world.send("S/pipe", &[(now, 1_000_000)]);
        world.settle();
        found.extend(complete(&world));
    }
    assert_eq!(found, BTreeSet::from(["1".to_owned()]));
}

#[test]
fn of_the_day_so_far_whatever_nobody_said_is_missing() {
    let mut world = World::new(at(0));
    world.import(REGISTRY);
    for minute in 0..=90 {
        said(&mut world, minute, 1_000_000);
    }
    assert_eq!(complete(&world).as_deref(), Some("1"));
    // it counts as silent from minute 93 on, and then from time to time it is said how long
    for (minute, share) in [(93, "0.9784"), (102, "0.9784"), (182, "0.5")] {
        world.set(at(minute));
        world.settle();
        assert_eq!(complete(&world).as_deref(), Some(share), "at minute {minute}");
    }
    // it speaks again, for a minute as far as is known
    said(&mut world, 364, 1_000_000);
    assert_eq!(complete(&world).as_deref(), Some("0.252"));
    // of another day it says nothing at all
    for hour in [24, 27] {
        world.set(at(60 * hour));
        world.settle();
    }
    assert_eq!(complete(&world).as_deref(), Some("0"));
}

#[test]
fn it_is_looked_at_once_a_second_at_most() {
    let mut world = World::new(at(0));
    world.import(REGISTRY);
    said(&mut world, 1, 2_000_000);
    for step in 0..5 {
        world.pass_ms(150);
        world.send("S/pipe", &[(at(1).plus_ms(1_000 + step), 500_000)]);
        world.pass();
    }
    assert_eq!(state(&world).0, Standing::Ok, "not yet");
    world.pass_ms(250);
    world.pass();
    assert_eq!(state(&world), (Standing::Breach, at(1).plus_ms(1_004)));
}
