//! Where a section begins: with the first hour that is known well enough.

use model::{
    time::Timestamp,
    verdict::{Length, Verdict},
};

use crate::world::{HOUR, MINUTE, World};

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" },
              { id = "gate", quantity = "flow", unit = "m3/s", interval = "5m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
"#;

fn at(hour: i64, minute: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T00:00:00+08:00".parse().unwrap();
    begin.plus_ms(hour * HOUR + minute * MINUTE)
}

fn long_ago() -> Timestamp {
    "2001-01-01T00:30:00+08:00".parse().unwrap()
}

/// Every minute of an hour from one minute to another.
fn minutes(world: &mut World, hour: i64, minutes: std::ops::Range<i64>) {
    let points: Vec<_> = minutes.map(|minute| (at(hour, minute), 1_000_000)).collect();
    world.send("S/pipe", &points);
}

fn live(world: &mut World, hours: std::ops::Range<i64>) {
    for hour in hours {
        world.set(at(hour + 1, 1));
        minutes(world, hour, 0..60);
        world.settle();
    }
}

fn hours(world: &World) -> Vec<(i64, u32)> {
    let rows = world.verdicts(Length::Hour, true).into_iter();
    rows.map(|row| (row.span.from.ms_since(at(0, 0)) / HOUR, row.version)).collect()
}

#[test]
fn one_misdated_reading_makes_no_verdict_and_moves_nothing() {
    for is_first in [true, false] {
        let mut world = World::new(at(0, 0));
        world.import(REGISTRY);
        if is_first {
            world.send("S/pipe", &[(long_ago(), 1_000_000)]);
            world.settle();
            assert_eq!(world.verdicts(Length::Hour, true), []);
        }
        live(&mut world, 0..5);
        if !is_first {
            world.send("S/pipe", &[(long_ago(), 1_000_000)]);
            world.settle();
        }
        let mut passes = 0;
        for _ in 0..10 {
            world.pass_ms(MINUTE);
            while world.pass() {
                passes += 1;
            }
        }
        assert!(passes < 100, "{passes} passes for one reading");
        assert_eq!(hours(&world), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 0)]);
        assert_eq!(world.sections()[0].begun, at(0, 0));
    }
}

#[test]
fn the_first_hour_is_one_of_which_half_is_known() {
    let mut world = World::new(at(0, 0));
    world.import(REGISTRY);
    world.set(at(1, 1));
    minutes(&mut world, 0, 31..60);
    world.settle();
    live(&mut world, 1..4);
    assert_eq!(hours(&world), [(1, 1), (2, 1), (3, 0)], "29 minutes are too few");
    // one more minute comes late: history moves the beginning back
    minutes(&mut world, 0, 30..31);
    world.settle();
    world.pass_ms(2 * MINUTE);
    world.settle();
    assert_eq!(hours(&world), [(0, 1), (1, 1), (2, 1), (3, 0)]);
}

#[test]
fn an_hour_that_runs_is_told_of_at_once_and_no_more_where_too_little_came() {
    let mut world = World::new(at(0, 0));
    world.import(REGISTRY);
    world.set(at(0, 10));
    minutes(&mut world, 0, 8..10);
    world.settle();
    assert_eq!(hours(&world), [(0, 0)]);
    live(&mut world, 2..5);
    world.set(at(30, 0));
    world.settle();
    assert_eq!(hours(&world).first(), Some(&(2, 1)));
}

#[test]
fn an_outlet_that_never_spoke_keeps_no_section_from_being_judged() {
    let mut world = World::new(at(0, 0));
    let two = "outlet = [ { id = \"gate\", flow = { gauge = \"gate\" } },";
    world.import(&REGISTRY.replace("outlet = [", two).replace("flow = 1 ", "flow = 2 "));
    live(&mut world, 0..30);
    let hour = world.versions(Length::Hour, at(2, 0));
    assert_eq!(hour, [(1, Some(Verdict::Short))]);
    // and an outlet that counts from a later day on is missed from that day on
    let mut world = World::new(at(0, 0));
    let later = "outlet = [ { id = \"gate\", flow = { gauge = \"gate\" }, from = \"2026-03-02\" },";
    world.import(&REGISTRY.replace("outlet = [", later));
    live(&mut world, 0..30);
    let text = |hour: i64| {
        let mut rows = world.verdicts(Length::Hour, false).into_iter();
        let row = rows.find(|row| row.span.from == at(hour, 0)).unwrap();
        String::from_utf8(row.bytes).unwrap()
    };
    assert!(text(2).contains("\"bound\":null") && text(2).contains("\"coverage\":\"1\""));
    assert!(text(25).contains("\"bound\":\"lower\"") && text(25).contains("\"coverage\":\"0\""));
}

#[test]
fn years_of_single_readings_are_looked_through_while_live_hours_are_judged() {
    let mut world = World::new(at(0, 0));
    world.import(REGISTRY);
    live(&mut world, 0..2);
    // one reading a day for two years
    let days: Vec<_> = (1..=730).map(|day| (at(-24 * day, 30), 1_000_000)).collect();
    for day in days.iter().rev() {
        world.send("S/pipe", &[*day]);
    }
    world.set(at(3, 1));
    minutes(&mut world, 2, 0..60);
    for _ in 0..3 {
        world.pass();
    }
    assert!(hours(&world).iter().any(|(hour, _)| *hour == 2), "{:?}", hours(&world));
    world.settle();
    for _ in 0..3 {
        world.pass_ms(MINUTE);
        world.settle();
    }
    let row = &world.sections()[0];
    assert_eq!((row.begun, row.again.len()), (at(0, 0), 0));
}
