//! Readings outside of their gauge's range: whoever typed the range wrong makes no water short, and
//! whoever corrects it has all of them judged anew.

use model::{
    time::Timestamp,
    verdict::{Length, Verdict},
};

use crate::world::{HOUR, MINUTE, World};

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    agent = "gw"
    gauge = [ { id = "a", quantity = "flow", unit = "m3/s", interval = "10m"RANGE } ]
    outlet = [ { id = "a", flow = { gauge = "a" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "STATISTIC"
    day_hours_met = "20/24"
"#;

fn registry(statistic: &str, range: &str) -> String {
    REGISTRY.replace("STATISTIC", statistic).replace("RANGE", range)
}

fn at(hour: i64, minute: i64) -> Timestamp {
    let begin: Timestamp = "2026-03-01T00:00:00+08:00".parse().unwrap();
    begin.plus_ms(hour * HOUR + minute * MINUTE)
}

/// A day of hours, each of one flow in ml/s, and an hour of the next.
fn judged(statistic: &str, range: &str, flow: impl Fn(i64) -> i64) -> World {
    let mut world = World::new(at(0, 0));
    world.import(&registry(statistic, range));
    for hour in 0..25 {
        world.set(at(hour + 1, 1));
        let points: Vec<_> = (0..6).map(|step| (at(hour, step * 10), flow(hour))).collect();
        world.send("S/a", &points);
        world.settle();
    }
    world
}

fn newest(world: &World, by: Length, from: Timestamp) -> (u32, Option<Verdict>) {
    *world.versions(by, from).last().unwrap()
}

/// High water in six hours of the day, by a range that ends below it.
fn high_water(hour: i64) -> i64 {
    if (6..12).contains(&hour) { 2_000_000 } else { 1_000_000 }
}

#[test]
fn a_range_that_is_too_narrow_makes_no_measured_water_short_and_its_correction_corrects_all() {
    for statistic in ["hourly_mean", "instantaneous", "running_hour"] {
        let mut world = judged(statistic, ", range = [0, 1.5]", high_water);
        let said = |world: &World, hour: i64| world.versions(Length::Hour, at(hour, 0));
        assert_eq!(said(&world, 5), [(1, Some(Verdict::Met))], "{statistic}");
        assert_eq!(said(&world, 8), [(1, Some(Verdict::Indeterminate))], "{statistic}");
        // six hours may have been short for all that is known for certain
        assert_eq!(newest(&world, Length::Day, at(0, 0)), (1, Some(Verdict::Indeterminate)));
        world.import(&registry(statistic, ", range = [0, 5]"));
        world.settle();
        assert_eq!(newest(&world, Length::Hour, at(8, 0)), (2, Some(Verdict::Met)), "{statistic}");
        assert_eq!(newest(&world, Length::Hour, at(5, 0)), (1, Some(Verdict::Met)), "{statistic}");
        assert_eq!(newest(&world, Length::Day, at(0, 0)), (2, Some(Verdict::Met)), "{statistic}");
        assert_eq!(world.findings(), Vec::new());
    }
}

#[test]
fn a_day_by_its_mean_that_high_water_alone_makes_met_is_not_short_where_that_is_doubted() {
    let flow = |hour| if (6..12).contains(&hour) { 2_000_000 } else { 900_000 };
    let mut world = judged("daily_mean", ", range = [0, 1.5]", flow);
    assert_eq!(newest(&world, Length::Day, at(0, 0)), (1, Some(Verdict::Indeterminate)));
    world.import(&registry("daily_mean", ""));
    world.settle();
    assert_eq!(newest(&world, Length::Day, at(0, 0)), (2, Some(Verdict::Met)));
}

#[test]
fn what_is_short_without_doubted_readings_and_with_them_is_short() {
    // the bed is dry, and the meter's zero has drifted out of its range
    let world =
        judged("hourly_mean", ", range = [0, 5]", |hour| if hour < 6 { 1_000_000 } else { -3_000 });
    assert_eq!(newest(&world, Length::Hour, at(8, 0)), (1, Some(Verdict::Short)));
    assert_eq!(newest(&world, Length::Day, at(0, 0)), (1, Some(Verdict::Short)));
}

#[test]
fn less_than_nothing_is_nothing_and_takes_nothing_off_another_outlet() {
    // turned round, or with a zero that has drifted: without a range both are no water
    let world = judged("hourly_mean", "", |hour| if hour < 6 { 1_000_000 } else { -600_000 });
    assert_eq!(newest(&world, Length::Hour, at(8, 0)), (1, Some(Verdict::Short)));
    let rows = world.verdicts(Length::Hour, false);
    let row = rows.iter().find(|row| row.span.from == at(8, 0)).unwrap();
    let said = String::from_utf8(row.bytes.clone()).unwrap();
    assert!(said.contains(r#""observed":"0""#), "{said}");

    let text = registry("hourly_mean", "")
        .replace(r#"interval = "10m" } ]"#, r#"interval = "10m" }, { id = "b", quantity = "flow", unit = "m3/s", interval = "10m" } ]"#)
        .replace(r#"{ gauge = "a" } } ]"#, r#"{ gauge = "a" } }, { id = "b", flow = { gauge = "b" } } ]"#);
    let mut world = World::new(at(0, 0));
    world.import(&text);
    for hour in 0..3 {
        world.set(at(hour + 1, 1));
        for (gauge, flow) in [("S/a", 1_000_000), ("S/b", -600_000)] {
            let points: Vec<_> = (0..6).map(|step| (at(hour, step * 10), flow)).collect();
            world.send(gauge, &points);
        }
        world.settle();
    }
    assert_eq!(newest(&world, Length::Hour, at(1, 0)), (1, Some(Verdict::Met)));
}

#[test]
fn a_range_says_from_where_on_less_than_nothing_is_no_word_of_the_water() {
    let law = |range: &str| {
        let text = registry("hourly_mean", range);
        text.replace("day_hours_met", "missing = \"indeterminate\"\n    day_hours_met")
    };
    let mut world = judged("hourly_mean", "", |hour| if hour < 6 { -3_000 } else { -600_000 });
    world.import(&law(", range = [-0.01, 5]"));
    world.settle();
    // its zero has drifted: there is no water
    assert_eq!(newest(&world, Length::Hour, at(3, 0)).1, Some(Verdict::Short));
    // it is turned round or broken: nobody knows
    assert_eq!(newest(&world, Length::Hour, at(8, 0)).1, Some(Verdict::Indeterminate));
}

#[test]
fn more_than_any_river_carries_counts_as_that_much() {
    let most = 1_000_000_000_000;
    let said = |flow: i64| {
        let world = judged("hourly_mean", "", move |_| flow);
        let rows = world.verdicts(Length::Hour, false);
        let row = rows.iter().find(|row| row.span.from == at(8, 0)).unwrap();
        String::from_utf8(row.bytes.clone()).unwrap()
    };
    assert_eq!(said(i64::MAX), said(most));
    assert!(said(i64::MAX).contains(r#""observed":"1000000""#), "{}", said(i64::MAX));
}

#[test]
fn a_value_that_no_gauge_can_reach_makes_nothing_met() {
    let mut world = judged("hourly_mean", "", |hour| if hour == 8 { 9_999_000_000 } else { 0 });
    assert_eq!(newest(&world, Length::Hour, at(8, 0)), (1, Some(Verdict::Met)));
    world.import(&registry("hourly_mean", ", range = [0, 5]"));
    world.settle();
    assert_eq!(newest(&world, Length::Hour, at(8, 0)), (2, Some(Verdict::Indeterminate)));
    // whatever that hour was
    assert_eq!(newest(&world, Length::Day, at(0, 0)), (2, Some(Verdict::Short)));
}

#[test]
fn a_section_begins_with_what_is_doubted_too() {
    let flow = |hour| if hour < 6 { 2_000_000 } else { 1_000_000 };
    let mut world = judged("hourly_mean", ", range = [0, 1.5]", flow);
    assert_eq!(world.sections().remove(0).begun, at(0, 0));
    assert_eq!(newest(&world, Length::Hour, at(3, 0)), (1, Some(Verdict::Indeterminate)));
    world.import(&registry("hourly_mean", ", range = [0, 5]"));
    world.settle();
    assert_eq!(newest(&world, Length::Hour, at(3, 0)), (2, Some(Verdict::Met)));
}

#[test]
fn no_range_undoes_what_was_short_at_the_beginning() {
    let flow = |hour| if hour < 6 { 300_000 } else { 1_000_000 };
    let mut world = judged("hourly_mean", "", flow);
    assert_eq!(newest(&world, Length::Hour, at(3, 0)), (1, Some(Verdict::Short)));
    world.import(&registry("hourly_mean", ", range = [0.4, 5]"));
    world.settle();
    assert_eq!(world.sections().remove(0).begun, at(0, 0));
    // short with those readings, and short for want of others
    assert_eq!(newest(&world, Length::Hour, at(3, 0)), (2, Some(Verdict::Short)));
    assert_eq!(newest(&world, Length::Day, at(0, 0)).1, Some(Verdict::Short));
}
