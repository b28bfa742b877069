//! Open hours are carried on; a process that begins anew judges them from all of their readings.
//! Both close the same, byte for byte.

use model::{time::Timestamp, verdict::Length};
use proptest::prelude::*;

use crate::world::{HOUR, MINUTE, World, dam};

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    kind = "hydropower"
    status = "retained"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m"RANGE }, { id = "gate", quantity = "flow", unit = "m3/s", interval = "5m" } ]
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
    registry_within(statistic, flow, "")
}

/// The same, with what the pipe's meter can reach.
fn registry_within(statistic: &str, flow: &str, range: &str) -> String {
    REGISTRY.replace("STATISTIC", statistic).replace("FLOW", flow).replace("RANGE", range)
}

fn new_world(text: &str) -> World {
    let mut world = World::new(begin());
    world.import(text);
    world
}

/// What is said of periods, be they closed or open: of each and its versions the bytes. Before the
/// section has begun, who begins anew has forgotten which hour that ran it might have begun with.
fn said(world: &World) -> Vec<(String, u32, String)> {
    let of = |by| world.verdicts_of(&dam(), by, true);
    let has_begun = world.sections().first().is_some_and(|row| row.begun < row.closed);
    let rows = [Length::Hour, Length::Day].into_iter().flat_map(of);
    let rows = rows.filter(|row| row.version > 0 || has_begun);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    rows.map(|row| (row.span.from.to_string(), row.version, text(row.bytes))).collect()
}

/// A minute of the river: both meters speak, or one, or late.
fn send(world: &mut World, minute: i64, (flow, late, is_gate): (i64, i64, bool)) {
    // no two at one moment
    let at = begin().plus_ms((minute - late) * MINUTE + i64::from(late > 0) * (20_000 + minute));
    let flow = flow * 100_000;
    world.send("S/pipe", &[(at, flow)]);
    if is_gate {
        world.send("S/gate", &[(at, flow / 2)]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        max_shrink_iters: 64,
        ..ProptestConfig::default()
    })]

    #[test]
    fn who_carries_on_says_what_who_begins_anew_at_each_moment_says(
        statistic in prop_oneof![
            Just("hourly_mean"), Just("daily_mean"), Just("instantaneous"), Just("running_hour")
        ],
        steps in proptest::collection::vec(
            (2_i64..9, 2_i64..14, prop_oneof![9 => Just(0_i64), 1 => 1_i64..90], any::<bool>()),
            30..60,
        ),
        amended_at in 10_usize..40,
        range in prop_oneof![Just(""), Just(", range = [0, 1]"), Just(", range = [0.3, 5]")],
    ) {
        let text = registry_within(statistic, "1", range);
        let (mut going, mut anew) = (new_world(&text), new_world(&text));
        let mut minute = 0;
        for (number, (passed, flow, late, is_gate)) in steps.into_iter().enumerate() {
            minute += passed;
            for world in [&mut going, &mut anew] {
                world.set(begin().plus_ms(minute * MINUTE + 5_000));
                if number == amended_at {
                    world.import(&registry_within(statistic, "1.1", range));
                }
                send(world, minute, (flow, late, is_gate));
            }
            going.settle();
            anew.starts_again();
            anew.settle();
            // who begins anew looks at open hours at other moments
            for world in [&mut going, &mut anew] {
                world.pass_ms(70_000);
                world.settle();
            }
            prop_assert_eq!(said(&going), said(&anew), "minute {}", minute);
        }
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
