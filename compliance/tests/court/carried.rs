//! Open hours are carried on with what comes, and their readings are fetched once.

use crate::world::{HOUR, MINUTE, World};
use model::time::Timestamp;

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    kind = "hydropower"
    status = "retained"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" }, { id = "gate", quantity = "flow", unit = "m3/s", interval = "5m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } }, { id = "gate", flow = { gauge = "gate" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = FLOW } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "STATISTIC"
    hour_coverage = 0.5
"#;

fn begin() -> Timestamp {
    "2026-03-01T00:00:00+08:00".parse().unwrap()
}

fn registry(statistic: &str, flow: &str) -> String {
    REGISTRY.replace("STATISTIC", statistic).replace("FLOW", flow)
}

fn new_world(text: &str) -> World {
    let mut world = World::new(begin());
    world.import(text);
    world
}

/// A minute of the river: both meters speak, or one, or late.
fn send(world: &mut World, minute: i64, (flow, late, is_gate): (i64, i64, bool)) {
    let at = begin().plus_ms((minute - late) * MINUTE + i64::from(late > 0) * 20_000);
    let flow = flow * 100_000;
    world.send("S/pipe", &[(at, flow)]);
    if is_gate {
        world.send("S/gate", &[(at, flow / 2)]);
    }
}

#[test]
fn what_comes_in_order_is_read_once() {
    let mut world = new_world(&registry("hourly_mean", "1"));
    for minute in 0..300 {
        world.set(begin().plus_ms(minute * MINUTE + 5_000));
        send(&mut world, minute, (10, 0, minute % 5 == 0));
        world.settle();
    }
    let counted = world.counted();
    // until the section begins, and once to begin with
    assert!(counted.afresh.get() < 140, "{}", counted.afresh.get());
    assert!(counted.carried.get() > 230, "{}", counted.carried.get());
    assert_eq!(counted.late.get(), 0);
    // of an hour that runs
    let late = begin().plus_ms(290 * MINUTE + 30_000);
    world.send("S/pipe", &[(late, 1_000_000)]);
    world.pass_ms(HOUR / 60);
    world.settle();
    assert_eq!(world.counted().late.get(), 1);
}
