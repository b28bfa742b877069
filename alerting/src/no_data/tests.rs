//! Silences, and absences of the server that are none.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::clamped(second * 1_000)
}

fn second(at: Timestamp) -> i64 {
    at.as_ms() / 1_000
}

fn rule(interval_s: i64, on_s: i64, off_s: i64) -> Rule {
    Rule { interval_ms: interval_s * 1_000, on_delay_ms: on_s * 1_000, off_delay_ms: off_s * 1_000 }
}

fn shown(effect: Effect) -> String {
    match effect {
        Effect::Pending { began_at } => format!("pending since {}", second(began_at)),
        Effect::Dropped { at } => format!("dropped at {}", second(at)),
        Effect::Raised { began_at, chatters } => {
            let word = if chatters { ", chatters" } else { "" };
            format!("raised since {}{word}", second(began_at))
        }
        Effect::Cleared { began_at, recovered_at } => {
            format!("cleared since {} until {}", second(began_at), second(recovered_at))
        }
        Effect::Withdrawn { began_at } => format!("withdrawn since {}", second(began_at)),
    }
}

/// `30` a live reading, `40deaf`, `50on`, `60tick`, `70gone`; `80start30` a start at 80 of a server
/// that had listened until 30. Every deadline before a word is kept by a tick.
fn check(rule: Rule, words: &str, expected: &Expect) {
    let mut machine = NoData::new(rule, at(0));
    let mut lines = String::new();
    for word in words.split_whitespace() {
        let split = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
        let (now, what) = word.split_at(split);
        let now = at(now.parse().unwrap());
        if let Some(until) = what.strip_prefix("start") {
            let until = at(until.parse().unwrap());
            machine = NoData::restore(&machine.snapshot(), rule, until).unwrap();
            continue;
        }
        let mut steps = Vec::new();
        while let Some(deadline) = machine.deadline().filter(|deadline| *deadline <= now) {
            steps.extend(machine.step(Event::Tick, deadline).into_iter().map(|e| (deadline, e)));
        }
        let event = match what {
            "deaf" => Event::Deaf(now),
            "on" => Event::Listening,
            "tick" => Event::Tick,
            "gone" => Event::Withdrawn,
            _ => Event::Heard { received_at: now },
        };
        steps.extend(machine.step(event, now).into_iter().map(|effect| (now, effect)));
        for (now, effect) in steps {
            writeln!(lines, "{} {}", second(now), shown(effect)).unwrap();
        }
    }
    expected.assert_eq(&lines);
}

#[test]
fn two_minutes_of_silence_are_the_least() {
    check(
        rule(5, 0, 0),
        "5 10 129tick 130tick 400tick 500",
        &expect![[r#"
            130 raised since 10
            500 cleared since 10 until 500
        "#]],
    );
}

#[test]
fn a_seldom_read_gauge_has_three_intervals_and_the_on_delay_beside() {
    check(
        rule(300, 60, 0),
        "10 909tick 910tick 960 1859tick 1860tick 1919tick 1920tick",
        &expect![[r#"
            910 pending since 10
            960 dropped at 960
            1860 pending since 960
            1920 raised since 960
        "#]],
    );
}

#[test]
fn it_clears_when_data_have_come_for_the_off_delay_without_another_silence() {
    check(
        rule(5, 0, 100),
        "10 200 250 380tick 381 400 430 480 481",
        &expect![[r#"
            130 raised since 10
            481 cleared since 10 until 381
        "#]],
    );
}

#[test]
fn a_line_that_drops_again_and_again_is_the_third_time_silent_until_it_has_held_for_an_hour() {
    let held: Vec<String> = (0..=36).map(|n| (900 + n * 100).to_string()).collect();
    check(
        rule(300, 0, 0),
        &format!("0 1000 2000 3000 {}", "4000 5000 "),
        &expect![[r#"
            900 raised since 0
            1000 cleared since 0 until 1000
            1900 raised since 1000
            2000 cleared since 1000 until 2000
            2900 raised since 2000, chatters
        "#]],
    );
    check(
        rule(5, 0, 0),
        &format!("0 200 400 600 {}", held.join(" ")),
        &expect![[r#"
            120 raised since 0
            200 cleared since 0 until 200
            320 raised since 200
            400 cleared since 200 until 400
            520 raised since 400, chatters
            4500 cleared since 400 until 900
        "#]],
    );
}

#[test]
fn who_was_silent_when_the_watch_began_is_said_to_be_so_since_he_spoke_last() {
    let mut machine = NoData::new(rule(5, 0, 0), at(1_000));
    assert_eq!(machine.step(Event::Spoke { at: at(400) }, at(1_000)), []);
    assert_eq!(machine.deadline(), Some(at(1_120)));
    let raised = machine.step(Event::Tick, at(1_120));
    assert_eq!(raised, [Effect::Raised { began_at: at(400), chatters: false }]);
}

#[test]
fn time_alone_never_clears() {
    check(
        rule(5, 0, 100),
        "10 200 9999tick",
        &expect![[r#"
        130 raised since 10
    "#]],
    );
}

#[test]
fn an_absence_of_the_server_is_no_silence() {
    // heard at 100, down from 110 to 4000: of the silence, 10 s count
    check(
        rule(5, 0, 0),
        "100 3990start110 4000on 4119tick 4120tick",
        &expect![[r#"
            4120 raised since 100
        "#]],
    );
    check(rule(5, 0, 0), "100 3990start110 4000on 4050 4150tick", &expect![[""]]);
}

#[test]
fn what_was_stored_before_the_absence_is_read_first() {
    check(
        rule(5, 0, 0),
        "100 900start200 190 195 950on 1000tick 1068tick 1069 1100tick",
        &expect![[""]],
    );
}

#[test]
fn who_was_silent_before_a_short_absence_is_found_soon_after() {
    // silent for 119 s, away for 10 s: as long again to find the way back
    check(
        rule(5, 0, 0),
        "10 129deaf 139on 148tick 149tick",
        &expect![[r#"
            149 raised since 10
        "#]],
    );
}

#[test]
fn a_server_that_keeps_restarting_still_finds_out_who_is_silent() {
    // up for 20 s, down for 10 s, again and again
    let cycles: Vec<String> =
        (1..20).map(|n| format!("{}deaf {}on", n * 30 - 10, n * 30)).collect();
    check(
        rule(5, 0, 0),
        &cycles.join(" "),
        &expect![[r#"
            170 raised since 0
        "#]],
    );
}

#[test]
fn a_standing_alarm_outlives_a_restart() {
    check(
        rule(5, 0, 20),
        "10 200tick 210 220start215 300on 304 314 315",
        &expect![[r#"
            130 raised since 10
            315 cleared since 10 until 210
        "#]],
    );
}

#[test]
fn an_absence_after_a_recovery_began_is_no_second_silence() {
    // back at 210, away from 250 to 2001, and heard before it is known that the server listens
    check(
        rule(5, 0, 100),
        "10 200tick 210 250deaf 2000 2001on 2060 2061",
        &expect![[r#"
            130 raised since 10
            2061 cleared since 10 until 210
        "#]],
    );
    // but a silence before the absence is one
    check(
        rule(5, 0, 100),
        "10 200tick 210 340deaf 2000 2001on 2100 2101",
        &expect![[r#"
            130 raised since 10
            2101 cleared since 10 until 2000
        "#]],
    );
}

#[test]
fn an_absence_is_no_part_of_the_off_delay() {
    check(
        rule(5, 0, 100),
        "10 200tick 210 220deaf 310 311on 400 401",
        &expect![[r#"
            130 raised since 10
            401 cleared since 10 until 210
        "#]],
    );
}

#[test]
fn a_recovery_that_began_during_an_absence_counts_from_its_end() {
    check(
        rule(5, 0, 100),
        "10 200tick 210deaf 2000 2001on 2100 2101",
        &expect![[r#"
            130 raised since 10
            2101 cleared since 10 until 2000
        "#]],
    );
}

#[test]
fn a_rule_that_is_withdrawn_ends_what_it_raised() {
    check(
        rule(5, 60, 0),
        "10 135gone 400tick 450gone",
        &expect![[r#"
            130 pending since 10
            135 dropped at 10
            255 pending since 135
            315 raised since 135
            450 withdrawn since 135
        "#]],
    );
}

#[test]
fn every_kept_state_stays_readable() {
    let rule = rule(5, 60, 60);
    let mut machine = NoData::new(rule, at(0));
    let events = [(10, None), (200, None), (230, Some(Event::Deaf(at(230))))];
    for (now, event) in events {
        machine.step(event.unwrap_or(Event::Heard { received_at: at(now) }), at(now));
        machine.step(Event::Tick, at(now + 185));
    }
    let golden = include_str!("../../../tests/fixtures/alarm/no_data_v1.json");
    assert_eq!(machine.snapshot(), golden.trim_end());
    assert_eq!(NoData::restore(golden, rule, at(999)).unwrap(), machine);
}

proptest! {
    #[test]
    fn raised_is_who_was_silent_for_the_time_that_the_server_listened(
        steps in prop::collection::vec((0_u8..8, 1_i64..200), 1..60), on in 0_i64..100,
    ) {
        let rule = rule(5, on, 0);
        let mut machine = NoData::new(rule, at(0));
        // seconds of silence that the server listened to, counted one by one
        let (mut now, mut silence, mut is_deaf, mut is_raised) = (0, 0, false, false);
        // and what gauges got to find their way back after each absence of that silence
        let (mut away, mut grace) = (0, 0);
        for (kind, forward) in steps {
            for _ in 0..forward {
                now += 1;
                silence += i64::from(!is_deaf);
                away += i64::from(is_deaf);
                for effect in machine.step(Event::Tick, at(now)) {
                    if matches!(effect, Effect::Raised { .. }) {
                        prop_assert!(!is_raised && silence >= 120 + on);
                        is_raised = true;
                    }
                }
            }
            let event = match kind {
                0 => { is_deaf = true; Event::Deaf(at(now)) }
                1 | 2 => {
                    is_deaf = false;
                    grace += std::mem::take(&mut away).min(120);
                    Event::Listening
                }
                _ if is_deaf => Event::Tick,
                _ => { (silence, grace) = (0, 0); Event::Heard { received_at: at(now) } }
            };
            for effect in machine.step(event, at(now)) {
                match effect {
                    Effect::Cleared { began_at, recovered_at } => {
                        prop_assert!(is_raised && began_at < recovered_at);
                        let is_heard = matches!(event, Event::Heard { .. });
                        prop_assert!(is_heard);
                        is_raised = false;
                    }
                    Effect::Raised { .. } => prop_assert!(false, "only time raises"),
                    Effect::Pending { .. } | Effect::Dropped { .. } | Effect::Withdrawn { .. } => {}
                }
            }
            prop_assert!(is_raised || is_deaf || silence <= 120 + on + grace);
        }
    }

    #[test]
    fn no_deadline_stays_in_the_past(
        steps in prop::collection::vec((0_u8..5, 0_i64..400), 1..40), on in 0_i64..100, off in 0_i64..100,
    ) {
        let mut machine = NoData::new(rule(60, on, off), at(0));
        let mut now = 0;
        for (kind, forward) in steps {
            now += forward;
            let event = match kind {
                0 => Event::Deaf(at(now)),
                1 => Event::Listening,
                2 => Event::Tick,
                _ => Event::Heard { received_at: at(now - forward / 2) },
            };
            machine.step(event, at(now));
            prop_assert!(machine.deadline().is_none_or(|deadline| deadline > at(now)));
        }
    }
}

#[test]
fn a_clock_that_was_set_back_takes_what_was_known_with_it() {
    let mut machine = NoData::new(rule(5, 0, 0), at(10_000));
    machine.step(Event::Heard { received_at: at(10_050) }, at(10_050));
    // an hour back
    machine.step(Event::SetBack { by_ms: 3_600_000 }, at(6_460));
    machine.step(Event::Deaf(at(6_460)), at(6_460));
    assert_eq!(machine.step(Event::Listening, at(6_460)), []);
    assert_eq!(machine.deadline(), Some(at(6_570)));
    machine.step(Event::Heard { received_at: at(6_465) }, at(6_465));
    assert_eq!(machine.deadline(), Some(at(6_585)));
    let raised = machine.step(Event::Tick, at(6_585));
    assert_eq!(raised, [Effect::Raised { began_at: at(6_465), chatters: false }]);
}

#[test]
fn what_was_received_before_the_clock_was_set_back_is_heard_now() {
    let mut machine = NoData::new(rule(5, 0, 0), at(10_000));
    machine.step(Event::SetBack { by_ms: 3_600_000 }, at(6_460));
    machine.step(Event::Heard { received_at: at(10_050) }, at(6_460));
    assert_eq!(machine.deadline(), Some(at(6_580)));
}
