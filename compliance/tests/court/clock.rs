//! Clocks: the server's that is wrong and is put right, and zones whose clocks change.

use std::collections::BTreeMap;

use compliance::{
    hearing::{self, Evidence, JudgedHour},
    sitting::is_known,
};
use model::{
    flow::Flow,
    ids::GaugeName,
    section::Section,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};
use proptest::prelude::*;
use store::VerdictRow;

use crate::world::{HOUR, MINUTE, World};

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    agent = "gw"
    zone = "ZONE"
    gauge = [ { id = "a", quantity = "flow", unit = "m3/s", interval = "10m"RANGE },
              { id = "b", quantity = "flow", unit = "m3/s", interval = "1h" },
              { id = "c", quantity = "flow", unit = "m3/s", interval = "5m" } ]
    outlet = [ OUTLETS ]
    mandate = [ MANDATES ]
    [[rule]]
    id = "r"
    missing = "indeterminate"
    day_hours_met = "20/24"
    RULE
    [[rule]]
    id = "other"
    statistic = "hourly_mean"
    day_start = "08:00"
"#;

const OUTLETS: &str = r#"{ id = "a", flow = { gauge = "a" } }"#;
const MANDATES: &str = r#"{ document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" }"#;
const RULE: &str = "statistic = \"hourly_mean\"";

fn registry(zone: &str, outlets: &str, mandates: &str, rule: &str) -> String {
    registry_within((zone, ""), outlets, mandates, rule)
}

/// The same, with what the first gauge can reach.
fn registry_within(
    (zone, range): (&str, &str),
    outlets: &str,
    mandates: &str,
    rule: &str,
) -> String {
    let text = REGISTRY.replace("ZONE", zone).replace("OUTLETS", outlets).replace("RANGE", range);
    text.replace("MANDATES", mandates).replace("RULE", rule)
}

fn begin() -> Timestamp {
    "2026-03-01T00:00:00+08:00".parse().unwrap()
}

fn at(hour: i64, minute: i64) -> Timestamp {
    begin().plus_ms(hour * HOUR + minute * MINUTE)
}

fn send_hour(world: &mut World, hour: i64) {
    let points: Vec<_> = (0..6).map(|step| (at(hour, step * 10), 1_000_000)).collect();
    world.send("S/a", &points);
}

/// After three hours of data, half an hour into the fourth.
fn is_taken_back(world: &World) {
    let said = |hour: i64| world.versions(Length::Hour, at(hour, 0));
    let row = world.sections().remove(0);
    // the third hour was closed for its age, and is not that old
    assert_eq!((row.closed, row.again), (at(2, 0), Vec::new()));
    let met = Some(Verdict::Met);
    assert_eq!(said(1), [(1, met)]);
    assert_eq!(said(2), [(0, met), (1, met), (2, None)]);
    assert_eq!(said(10), [(1, Some(Verdict::Indeterminate)), (2, None)]);
    assert_eq!(said(50), [(1, Some(Verdict::Indeterminate)), (2, None)]);
    let day = |day: i64| world.versions(Length::Day, at(day * 24, 0));
    let unknown = Some(Verdict::Indeterminate);
    assert_eq!(day(0), [(0, unknown), (1, unknown), (2, None)]);
    assert_eq!(day(1), [(1, Some(Verdict::Indeterminate)), (2, None)]);
    let newest = world.verdicts(Length::Hour, false);
    let stands = newest.iter().filter(|row| !row.is_withdrawn && row.span.to > at(3, 0));
    assert_eq!(stands.count(), 0, "nothing stands of what has not happened");
    assert_eq!(newest.iter().filter(|row| row.version == 0).count(), 1);
}

#[test]
fn what_a_clock_that_was_days_ahead_has_closed_becomes_right_again() {
    for starts_again in [false, true] {
        let mut world = World::new(begin());
        world.import(&registry("Asia/Shanghai", OUTLETS, MANDATES, RULE));
        for hour in 0..3 {
            world.set(at(hour + 1, 1));
            send_hour(&mut world, hour);
            world.settle();
        }
        world.set(at(75, 0));
        world.settle();
        let said = |world: &World, hour: i64| world.versions(Length::Hour, at(hour, 0));
        assert_eq!(said(&world, 10), [(1, Some(Verdict::Indeterminate))]);
        assert_eq!(said(&world, 50), [(1, Some(Verdict::Indeterminate))]);
        // the clock is put right
        world.set(at(3, 30));
        if starts_again {
            world.starts_again();
        }
        world.settle();
        is_taken_back(&world);
        for hour in 3..76 {
            world.set(at(hour + 1, 1));
            send_hour(&mut world, hour);
            world.settle();
            let row = world.sections().remove(0);
            assert!(row.closed <= at(hour + 1, 0), "an hour that is not over was closed");
        }
        for hour in 0..75 {
            let last = said(&world, hour).last().copied();
            assert_eq!(last.and_then(|(_, verdict)| verdict), Some(Verdict::Met), "hour {hour}");
        }
        assert_eq!(world.findings(), Vec::new());
    }
}

#[test]
fn what_a_clock_that_was_far_ahead_has_closed_is_taken_back_before_anything_else_happens() {
    let mut world = World::new(begin());
    world.import(&registry("Asia/Shanghai", OUTLETS, MANDATES, RULE));
    for hour in 0..3 {
        world.set(at(hour + 1, 1));
        send_hour(&mut world, hour);
        world.settle();
    }
    // more than are taken back at once
    world.set(at(1_500, 0));
    world.settle();
    world.set(at(3, 30));
    world.settle();
    let stands = |by| {
        let rows = world.verdicts(by, false).into_iter();
        rows.filter(|row| row.version > 0 && !row.is_withdrawn).count()
    };
    assert_eq!((stands(Length::Hour), stands(Length::Day)), (2, 0));
    assert_eq!(world.findings(), Vec::new());
}

#[test]
fn a_clock_that_is_behind_takes_nothing_back() {
    for starts_again in [false, true] {
        let mut world = World::new(begin());
        world.import(&registry("Asia/Shanghai", TWO, MANDATES, RULE));
        for hour in 0..60 {
            world.set(at(hour + 1, 1));
            send_hour(&mut world, hour);
            // the second outlet falls silent, so that hours are closed for their age
            if hour < 10 {
                world.send("S/b", &[(at(hour, 0), 500_000)]);
            }
            world.settle();
        }
        let closed = |world: &World| {
            let rows = [Length::Hour, Length::Day].map(|by| world.verdicts(by, true));
            rows.concat().into_iter().filter(|row| row.version > 0).collect::<Vec<_>>()
        };
        let before = closed(&world);
        assert!(before.len() > 30, "{}", before.len());
        // the machine forgot the time
        world.set(at(20, 0));
        if starts_again {
            world.starts_again();
        }
        world.settle();
        assert_eq!(closed(&world), before);
        // and is told
        world.set(at(60, 2));
        world.settle();
        assert_eq!(closed(&world), before);
        assert_eq!(world.findings(), Vec::new());
    }
}

#[test]
fn what_data_have_passed_stays_closed_whatever_the_clock_was() {
    for starts_again in [false, true] {
        let mut world = World::new(begin());
        world.import(&registry("Asia/Shanghai", OUTLETS, MANDATES, RULE));
        // the clock goes ahead by a little, and the meter's is right
        for hour in 0..30 {
            world.set(at(hour + 1, 1));
            send_hour(&mut world, hour);
            world.settle();
        }
        let before = world.verdicts(Length::Hour, true);
        world.set(at(29, 59));
        if starts_again {
            world.starts_again();
        }
        world.settle();
        let closed = |rows: Vec<VerdictRow>| {
            rows.into_iter().filter(|row| row.version > 0).collect::<Vec<_>>()
        };
        assert_eq!(closed(world.verdicts(Length::Hour, true)), closed(before));
        assert_eq!(world.sections().remove(0).closed, at(29, 0));
    }
}

#[test]
fn an_hour_that_is_not_over_is_never_judged_for_good() {
    let mut world = World::new(begin());
    world.import(&registry("Asia/Shanghai", OUTLETS, MANDATES, RULE));
    for hour in 0..30 {
        world.set(at(hour + 1, 1));
        send_hour(&mut world, hour);
        world.settle();
    }
    // late data touch an hour just before the clock goes back into it
    world.send("S/a", &[(at(28, 5), 900_000)]);
    world.settle();
    world.set(at(28, 30));
    let before = world.versions(Length::Hour, at(28, 0));
    for _ in 0..20 {
        world.settle();
        world.pass_ms(MINUTE);
    }
    assert_eq!(world.versions(Length::Hour, at(28, 0)), before);
    world.pass_ms(HOUR);
    world.settle();
    assert!(world.versions(Length::Hour, at(28, 0)).len() > before.len());
}

/// What there is to attack: a registry, from when on, and how long each gauge's steps are.
#[derive(Debug, Clone, Copy)]
struct Place {
    zone: &'static str,
    begin: &'static str,
    outlets: &'static str,
    mandates: &'static str,
}

const TWO: &str = r#"{ id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" } }"#;
const DEAD: &str = r#"{ id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" } }, { id = "c", flow = { gauge = "c" } }"#;

const PLACES: [Place; 9] = [
    Place {
        zone: "Europe/Berlin",
        begin: "2026-03-27T22:00:00Z",
        outlets: OUTLETS,
        mandates: MANDATES,
    },
    Place {
        zone: "Europe/Berlin",
        begin: "2026-10-23T22:00:00Z",
        outlets: TWO,
        mandates: MANDATES,
    },
    Place {
        zone: "Australia/Lord_Howe",
        begin: "2026-04-03T13:00:00Z",
        outlets: OUTLETS,
        mandates: MANDATES,
    },
    Place {
        zone: "America/Sao_Paulo",
        begin: "2018-11-03T03:00:00Z",
        outlets: OUTLETS,
        mandates: MANDATES,
    },
    Place {
        zone: "Asia/Kathmandu",
        begin: "2028-02-28T00:15:00Z",
        outlets: DEAD,
        mandates: MANDATES,
    },
    // seasons that change at midnight, on the leap day
    Place {
        zone: "Asia/Shanghai",
        begin: "2028-02-28T00:00:00Z",
        outlets: TWO,
        mandates: r#"{ document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 }, { from = "02-29", flow = 1.000001 }, { from = "03-01", flow = 0.9 } ], rule = "r" }"#,
    },
    // another rule takes over within its day
    Place {
        zone: "Asia/Shanghai",
        begin: "2026-02-28T04:00:00Z",
        outlets: OUTLETS,
        mandates: r#"{ document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "other" }, { document = "E", from = "2026-03-02", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" }"#,
    },
    // an outlet that comes into force within the day of eight o'clock, and one that goes
    Place {
        zone: "Asia/Shanghai",
        begin: "2026-02-28T04:00:00Z",
        outlets: r#"{ id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" }, from = "2026-03-02" }"#,
        mandates: r#"{ document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "other" }"#,
    },
    Place {
        zone: "Asia/Shanghai",
        begin: "2026-02-28T04:00:00Z",
        outlets: r#"{ id = "a", flow = { gauge = "a" } }, { id = "b", flow = { gauge = "b" }, to = "2026-03-02" }"#,
        mandates: r#"{ document = "D", from = "2000-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" }"#,
    },
];

const RULES: [&str; 6] = [
    "statistic = \"hourly_mean\"",
    "statistic = \"running_hour\"",
    "statistic = \"instantaneous\"",
    "statistic = \"below_for\"\nbelow_for = \"40m\"",
    "statistic = \"below_for\"\nbelow_for = \"5h\"",
    "statistic = \"daily_mean\"\nday_start = \"08:00\"",
];

/// Of some of what the gauge says either end is outside.
const RANGES: [&str; 3] = ["", ", range = [0, 1]", ", range = [0.000001, 5]"];

const HOURS: i64 = 60;

#[derive(Debug, Clone)]
struct Course {
    place: usize,
    rule: usize,
    range: usize,
    /// Of each hour of the first two gauges: what comes, and how many hours late.
    hours: [Vec<(u8, u8)>; 2],
    starts: Vec<bool>,
}

fn course() -> impl Strategy<Value = Course> {
    let length = usize::try_from(HOURS).unwrap();
    let late = || prop_oneof![8 => Just(0_u8), 1 => 1_u8..30];
    let hours = |late| proptest::collection::vec((0_u8..10, late), length);
    let starts = proptest::collection::vec(prop_oneof![9 => Just(false), 1 => Just(true)], length);
    let law = (0..PLACES.len(), 0..RULES.len(), 0..RANGES.len());
    (law, [hours(late().boxed()), hours(late().boxed())], starts).prop_map(
        |((place, rule, range), hours, starts)| Course { place, rule, range, hours, starts },
    )
}

/// What a gauge says in an hour.
fn points(from: Timestamp, gauge: usize, what: u8) -> Vec<(Timestamp, i64)> {
    if gauge == 1 {
        let flow = if what == 2 { 0 } else { 500_000 };
        let point = (from.plus_ms(i64::from(what) * MINUTE), flow);
        return if what == 1 { Vec::new() } else { vec![point] };
    }
    let step = |step: i64| {
        let flow = match what {
            1 => 999_999,
            2 if step == 3 => 0,
            3 => 1_000_000 + step - 3,
            _ => 1_000_000,
        };
        (from.plus_ms(step * 10 * MINUTE), flow)
    };
    let is_there = |step: &i64| match what {
        4 => *step == 0,
        5 => *step % 2 == 0,
        6 => false,
        _ => true,
    };
    (0..6).filter(is_there).map(step).collect()
}

/// What everything that was ever sent says, looked at at once.
fn said(
    world: &World,
    sent: &BTreeMap<GaugeName, BTreeMap<Timestamp, i64>>,
    closed: Timestamp,
) -> Vec<String> {
    let section = Section::judged(&world.registry).next().unwrap();
    let evidence: Vec<Evidence<'_>> = section
        .sources()
        .into_iter()
        .map(|source| {
            let of = sent.get(source.gauge).into_iter().flatten();
            let samples = of.map(|(at, flow)| (*at, Flow::from_ml_per_s(*flow))).collect();
            Evidence { source, samples }
        })
        .collect();
    let first = sent.values().flat_map(BTreeMap::keys).min().copied().unwrap_or(closed);
    let next = |hour: &Span| Some(section.hour_of(hour.to));
    let hours: Vec<Span> = std::iter::successors(Some(section.hour_of(first)), next)
        .take_while(|hour| hour.to <= closed)
        .skip_while(|hour| !is_known(&section, &evidence, *hour))
        .collect();
    let (mut lines, mut judged, mut days) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for hour in &hours {
        let Some(judgement) = hearing::hour(&section, &evidence, *hour) else { continue };
        lines.push(String::from_utf8(judgement.bytes()).unwrap());
        judged.insert(hour.from, JudgedHour::of(&judgement));
        let day = section.day_of(*hour).unwrap();
        days.insert(day[0].from, day);
    }
    let begun = hours.first().map_or(closed, |hour| hour.from);
    for (from, day) in days {
        let to = day.last().unwrap().to;
        if from >= begun && to <= closed {
            let own: Vec<_> =
                day.iter().filter_map(|hour| judged.get(&hour.from).copied()).collect();
            let judgement = hearing::day_of(
                &section,
                Span { from, to },
                &hearing::Together::all(&own).unwrap(),
                false,
            )
            .unwrap();
            lines.push(String::from_utf8(judgement.bytes()).unwrap());
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 32, ..ProptestConfig::default() })]

    #[test]
    fn in_every_zone_and_by_every_rule_the_end_is_what_the_samples_say(course in course()) {
        let Place { zone, begin, outlets, mandates } = PLACES[course.place];
        let begin: Timestamp = begin.parse().unwrap();
        let mut world = World::new(begin);
        let range = RANGES[course.range];
        let rule = RULES[course.rule];
        world.import(&registry_within((zone, range), outlets, mandates, rule));
        let mut sent: BTreeMap<GaugeName, BTreeMap<Timestamp, i64>> = BTreeMap::new();
        for step in 0..HOURS + 30 {
            world.set(begin.plus_ms((step + 1) * HOUR + MINUTE));
            for (gauge, hours) in course.hours.iter().enumerate() {
                for (number, (what, late)) in (0..).zip(hours) {
                    if number + i64::from(*late) == step {
                        let points = points(begin.plus_ms(number * HOUR), gauge, *what);
                        let name = ["a", "b"][gauge];
                        world.send(&format!("S/{name}"), &points);
                        sent.entry(name.parse().unwrap()).or_default().extend(points);
                    }
                }
            }
            if usize::try_from(step).ok().and_then(|step| course.starts.get(step)) == Some(&true) {
                world.pass();
                world.starts_again();
            }
            world.settle();
        }
        world.pass_ms(60 * HOUR);
        for _ in 0..3 {
            world.settle();
            world.pass_ms(16 * MINUTE);
        }
        world.settle();
        let row = world.sections().remove(0);
        let found = world.standing().remove("S/dam").unwrap();
        let expected = said(&world, &sent, row.closed);
        for (found, said) in found.iter().zip(&expected) {
            prop_assert_eq!(found, said);
        }
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(world.findings(), Vec::new());
    }
}
