//! Readings at seconds, and what follows of them.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

const RULE: Rule = Rule {
    interval_ms: 5_000,
    decimals: 3,
    deadband: Decimal { units: 0, decimals: 0 },
    on_delay_ms: 60_000,
    off_delay_ms: 20_000,
};

fn at(second: i64) -> Timestamp {
    Timestamp::clamped(1_795_660_320_000).plus_ms(second * 1_000)
}

fn second(at: Timestamp) -> i64 {
    at.ms_since(self::at(0)) / 1_000
}

/// `0-60:612 65:613` is 612 every five seconds from 0 to 60, and 613 at 65.
fn readings(text: &str) -> Vec<(i64, i64)> {
    let mut readings = Vec::new();
    for part in text.split_whitespace() {
        let (seconds, value) = part.split_once(':').unwrap();
        let value = value.parse().unwrap();
        let (from, to) = seconds.split_once('-').unwrap_or((seconds, seconds));
        let seconds = (from.parse().unwrap()..=to.parse().unwrap()).step_by(5);
        readings.extend(seconds.map(|second: i64| (second, value)));
    }
    readings
}

fn check_rule(rule: Rule, text: &str, expected: &Expect) {
    let mut machine = FlatLine::new(rule);
    let mut lines = Vec::new();
    for (second_, value) in readings(text) {
        // a restart in between changes nothing
        machine = FlatLine::restore(&machine.snapshot(), rule).unwrap();
        let line = match machine.step(Event::Read { at: at(second_), value }) {
            None => continue,
            Some(Effect::Raised { began_at, chatters }) => {
                let row = if chatters { ", chatters" } else { "" };
                format!("{second_} raised, flat since {}{row}", second(began_at))
            }
            Some(Effect::Cleared { recovered_at }) => {
                format!("{second_} cleared, moves since {}", second(recovered_at))
            }
            Some(Effect::Withdrawn) => format!("{second_} withdrawn"),
        };
        lines.push(line);
    }
    expected.assert_eq(&lines.join("\n"));
}

fn check(text: &str, expected: &Expect) {
    check_rule(RULE, text, expected);
}

#[test]
fn equal_readings_for_the_on_delay_are_an_alarm_until_they_have_moved_for_the_off_delay() {
    check(
        "0:611 5-120:612 125:613 130:612 135:613 140:612 145:613 150:612",
        &expect![[r#"
            65 raised, flat since 5
            145 cleared, moves since 125"#]],
    );
}

#[test]
fn whoever_moves_in_time_is_not_flat() {
    check("0-55:612 60-115:613 120-175:612", &expect![""]);
}

#[test]
fn one_step_between_two_flat_runs_is_no_recovery() {
    let slow = Rule { off_delay_ms: 90_000, ..RULE };
    check_rule(
        slow,
        "0-100:612 105-300:613 305:612 310:613 400:612",
        &expect![[r#"
            60 raised, flat since 0
            400 cleared, moves since 305"#]],
    );
}

#[test]
fn a_hole_neither_makes_flat_nor_clears() {
    check("0-55:612 200-255:612 260:612", &expect![[r#"260 raised, flat since 200"#]]);
    check("0-60:612 300-355:700", &expect![[r#"60 raised, flat since 0"#]]);
    // one step before it is no movement that went on
    check("0-60:612 65:613 300-355:613", &expect![[r#"60 raised, flat since 0"#]]);
}

#[test]
fn within_the_deadband_of_the_first_reading_is_flat_and_a_drift_is_not() {
    let wide = Rule { deadband: Decimal { units: 2, decimals: 3 }, ..RULE };
    check_rule(wide, "0-20:612 25-40:614 45-70:610", &expect![[r#"60 raised, flat since 0"#]]);
    check_rule(wide, "0-20:612 25-40:615 45-70:618 75-100:621", &expect![""]);
}

#[test]
fn the_third_within_an_hour_stands() {
    check(
        "0-60:1 65:2 70:3 75:4 80:5 85:6 100-160:1 165:2 170:3 175:4 180:5 185:6 200-260:1 265:2 270:3 275:4 280:5 290:6",
        &expect![[r#"
            60 raised, flat since 0
            85 cleared, moves since 65
            160 raised, flat since 100
            185 cleared, moves since 165
            260 raised, flat since 200, chatters"#]],
    );
}

#[test]
fn readings_that_are_not_newer_and_a_finer_gauge_begin_nothing() {
    let mut machine = FlatLine::new(RULE);
    for (second, value) in readings("0-55:612") {
        assert_eq!(machine.step(Event::Read { at: at(second), value }), None);
    }
    assert_eq!(machine.step(Event::Read { at: at(20), value: 700 }), None);
    machine.step(Event::Rule(Rule { decimals: 4, ..RULE }));
    assert_eq!(machine.step(Event::Read { at: at(60), value: 6_120 }), None);
    assert_eq!(machine.step(Event::Withdrawn), None);
}

#[test]
fn an_alarm_ends_with_its_rule() {
    let mut machine = FlatLine::new(RULE);
    let raised = readings("0-60:612")
        .into_iter()
        .filter_map(|(second, value)| machine.step(Event::Read { at: at(second), value }));
    assert_eq!(raised.count(), 1);
    assert_eq!(machine.step(Event::Withdrawn), Some(Effect::Withdrawn));
    assert_eq!(machine, FlatLine::new(RULE));
}

#[test]
fn every_kept_state_stays_readable() {
    let mut machine = FlatLine::new(RULE);
    for (second, value) in readings("0-60:612 65:613") {
        machine.step(Event::Read { at: at(second), value });
    }
    let golden = include_str!("../../../tests/fixtures/alarm/flat_line_v1.json");
    assert_eq!(machine.snapshot(), golden.trim_end());
    assert_eq!(FlatLine::restore(golden, RULE).unwrap(), machine);
}

proptest! {
    /// Whatever comes: raised and cleared take turns, and who is raised was flat for the on-delay.
    #[test]
    fn raised_and_cleared_take_turns(values in prop::collection::vec((1_i64..40, 0_i64..2), 1..400)) {
        let (mut machine, mut now, mut is_raised) = (FlatLine::new(RULE), 0, false);
        for (pause, value) in values {
            now += pause;
            match machine.step(Event::Read { at: at(now), value }) {
                None => {}
                Some(Effect::Raised { began_at, .. }) => {
                    prop_assert!(!is_raised);
                    prop_assert!(now - second(began_at) >= 60);
                    is_raised = true;
                }
                Some(Effect::Cleared { recovered_at }) => {
                    prop_assert!(is_raised);
                    prop_assert!(now - second(recovered_at) >= 20);
                    is_raised = false;
                }
                Some(Effect::Withdrawn) => prop_assert!(false, "nobody asked"),
            }
        }
    }
}
