//! Another registry: whatever was said by the law before is said anew, and nothing else.

use std::fmt::Write as _;

use model::{
    time::Timestamp,
    verdict::{Length, Verdict},
};
use proptest::prelude::*;

use store::VerdictRow;

use crate::world::{HOUR, MINUTE, World};

/// Minutes between two readings.
const STEP: i64 = 10;
/// Hours in a batch.
const BATCH: i64 = 3;
const BATCHES: i64 = 32;

fn begin() -> Timestamp {
    "2026-03-01T00:00:00+08:00".parse().unwrap()
}

/// A registry of one station, as far as its law may change.
#[derive(Debug, Clone)]
struct Law {
    zone: &'static str,
    status: &'static str,
    /// The section's name, how the first gauge speaks, and when it counts.
    section: &'static str,
    interval: &'static str,
    outlet: &'static str,
    /// Whether there is a second outlet, and when it counts.
    second: Option<&'static str>,
    /// First days of mandates, each with its end, its flow and the number of its rule.
    mandates: Vec<(&'static str, &'static str, &'static str, usize)>,
    rules: [Rule; 2],
    /// What no judgement depends on.
    name: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    statistic: &'static str,
    coverage: &'static str,
    missing: &'static str,
    factor: &'static str,
    day_start: &'static str,
    met: &'static str,
}

const HOURLY: Rule = Rule {
    statistic: "\"hourly_mean\"",
    coverage: "0.75",
    missing: "short",
    factor: "1",
    day_start: "00:00",
    met: "20/24",
};

fn plain() -> Law {
    Law {
        zone: "Asia/Shanghai",
        status: "retained",
        section: "dam",
        interval: "\"10m\"",
        outlet: "",
        second: None,
        mandates: vec![("2026-01-01", "", "1", 0)],
        rules: [HOURLY; 2],
        name: "one",
    }
}

impl Law {
    fn text(&self) -> String {
        let Self { zone, status, section, interval, outlet, name, .. } = self;
        let mut outlets = format!(
            "{{ id = \"a\", section = \"{section}\", flow = {{ gauge = \"a\" }}{outlet} }}"
        );
        if let Some(second) = self.second {
            write!(
                outlets,
                ", {{ id = \"b\", section = \"{section}\", flow = {{ gauge = \"b\" }}{second} }}"
            )
            .unwrap();
        }
        let mandate = |(from, rest, flow, rule): &(&str, &str, &str, usize)| {
            format!(
                "{{ document = \"D {from}\", section = \"{section}\", from = \"{from}\"{rest}, \
                 seasons = [ {{ from = \"01-01\", flow = 0.5 }}, {{ from = \"03-02\", flow = {flow} }} ], \
                 rule = \"r{rule}\" }}"
            )
        };
        let mandates: Vec<String> = self.mandates.iter().map(mandate).collect();
        let mut text = format!(
            r#"
            [[station]]
            id = "S"
            name = "{name}"
            status = "{status}"
            agent = "gw"
            zone = "{zone}"
            gauge = [ {{ id = "a", quantity = "flow", unit = "m3/s", interval = {interval} }},
                      {{ id = "b", quantity = "flow", unit = "m3/s", interval = "10m" }} ]
            outlet = [ {outlets} ]
            mandate = [ {} ]
            "#,
            mandates.join(", ")
        );
        for (number, rule) in self.rules.iter().enumerate() {
            let Rule { statistic, coverage, missing, factor, day_start, met } = rule;
            write!(
                text,
                r#"
                [[rule]]
                id = "r{number}"
                statistic = {statistic}
                hour_coverage = {coverage}
                missing = "{missing}"
                factor = {factor}
                day_start = "{day_start}"
                day_hours_met = "{met}"
                "#
            )
            .unwrap();
        }
        text
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let statistic = prop_oneof![
        4 => Just("\"hourly_mean\""),
        1 => Just("\"daily_mean\""),
        1 => Just("\"running_hour\""),
        1 => Just("\"instantaneous\""),
        1 => Just("\"below_for\"\nbelow_for = \"90m\""),
    ];
    let coverage =
        prop_oneof![3 => Just("0.75"), 1 => Just("0.5"), 1 => Just("1"), 1 => Just("0.1")];
    let missing = prop_oneof![Just("short"), Just("indeterminate")];
    let factor = prop_oneof![2 => Just("1"), 1 => Just("0.95")];
    let start = prop_oneof![2 => Just("00:00"), 1 => Just("08:00"), 1 => Just("23:00")];
    let met = prop_oneof![Just("20/24"), Just("24/24")];
    (statistic, coverage, missing, factor, start, met).prop_map(
        |(statistic, coverage, missing, factor, day_start, met)| Rule {
            statistic,
            coverage,
            missing,
            factor,
            day_start,
            met,
        },
    )
}

fn law() -> impl Strategy<Value = Law> {
    let zone = prop_oneof![
        6 => Just("Asia/Shanghai"),
        1 => Just("Asia/Kathmandu"),
        1 => Just("America/New_York"), // clocks change on 2026-03-08
    ];
    let section = prop_oneof![9 => Just("dam"), 1 => Just("tail")];
    let interval = prop_oneof![
        4 => Just("\"10m\""),
        1 => Just("\"5m\""),
        1 => Just("\"30m\""),
        2 => Just("\"10m\", range = [0, 0.999999]"),
        1 => Just("\"10m\", range = [1, 5]"),
    ];
    let outlet = prop_oneof![
        4 => Just(""),
        1 => Just(", from = \"2026-03-02\""),
        1 => Just(", to = \"2026-03-04\""),
        1 => Just(", from = \"2026-03-02\", to = \"2026-03-03\""),
    ];
    let second = prop_oneof![
        3 => Just(None),
        1 => Just(Some("")),
        1 => Just(Some(", from = \"2026-03-03\"")),
        1 => Just(Some(", to = \"2026-03-02\"")),
    ];
    let flow = || prop_oneof![2 => Just("1"), 1 => Just("0.9"), 1 => Just("1.000001")];
    let mandates = prop_oneof![
        1 => Just(Vec::new()),
        5 => (flow(), 0..2_usize).prop_map(|(flow, rule)| vec![("2026-01-01", "", flow, rule)]),
        2 => (flow(), flow(), 0..2_usize).prop_map(|(one, other, rule)| vec![
            ("2026-01-01", "", one, rule),
            ("2026-03-03", "", other, 1),
        ]),
        2 => (flow(), flow()).prop_map(|(one, other)| vec![
            ("2026-01-01", ", to = \"2026-03-02\"", one, 0),
            ("2026-03-03", ", to = \"2026-03-04\"", other, 1),
        ]),
    ];
    let name = prop_oneof![Just("one"), Just("another")];
    let status = prop_oneof![9 => Just("retained"), 1 => Just("exited"), 1 => Just("rectifying")];
    let rules = [rule(), rule()];
    ((zone, status, section, interval), (outlet, second, mandates, name), rules).prop_map(
        |((zone, status, section, interval), (outlet, second, mandates, name), rules)| {
            let second = second.filter(|_| !mandates.is_empty() || !outlet.is_empty());
            Law { zone, status, section, interval, outlet, second, mandates, rules, name }
        },
    )
}

/// What one gauge sends: ml/s of each step, or nothing for ever.
fn flows(of: i64) -> impl Strategy<Value = Vec<Option<i64>>> {
    let hour = prop_oneof![
        6 => Just([Some(of); 6]),
        1 => Just([Some(of - 1); 6]),
        1 => Just([None; 6]),
        1 => Just([Some(of), Some(of), None, None, Some(of), Some(of)]),
        1 => Just([Some(of), None, None, None, None, None]),
    ];
    let hours = usize::try_from(BATCHES * BATCH).unwrap();
    proptest::collection::vec(hour, hours).prop_map(|hours| hours.concat())
}

#[derive(Debug, Clone)]
struct Course {
    flows: [Vec<Option<i64>>; 2],
    /// How many batches of the first gauge are not there at the beginning.
    absent: i64,
    /// By how many steps each batch is late.
    late: Vec<u8>,
    /// After which steps another registry is put into force.
    laws: Vec<Option<Law>>,
    /// After which steps the consumer starts again, and how often it passes before that.
    starts: Vec<Option<u8>>,
    /// Whether a reading comes that is a year old.
    has_stray: bool,
    last: Law,
}

fn course() -> impl Strategy<Value = Course> {
    let steps = usize::try_from(BATCHES).unwrap();
    let late = prop_oneof![6 => Just(0_u8), 1 => 1_u8..12];
    let laws = prop_oneof![7 => Just(None), 1 => law().prop_map(Some)];
    let starts = prop_oneof![6 => Just(None), 1 => (0_u8..4).prop_map(Some)];
    let last = law().prop_map(|law| Law { status: "retained", ..law });
    (
        [flows(1_000_000), flows(500_000)],
        prop_oneof![Just(0), 0_i64..10],
        proptest::collection::vec(late, steps * 2),
        proptest::collection::vec(laws, steps),
        proptest::collection::vec(starts, steps),
        any::<bool>(),
        last,
    )
        .prop_map(|(flows, absent, late, laws, starts, has_stray, last)| Course {
            flows,
            absent,
            late,
            laws,
            starts,
            has_stray,
            last,
        })
}

impl Course {
    /// The points of a batch of a gauge.
    fn batch(&self, gauge: usize, number: i64) -> Vec<(Timestamp, i64)> {
        let steps = BATCH * 60 / STEP;
        let first = usize::try_from(number * steps).unwrap();
        let of = self.flows[gauge].iter().enumerate().skip(first);
        let own = of.take(usize::try_from(steps).unwrap());
        let at = |step: usize| begin().plus_ms(i64::try_from(step).unwrap() * STEP * MINUTE);
        own.filter_map(|(step, flow)| flow.map(|flow| (at(step), flow))).collect()
    }

    fn send(&self, world: &mut World, gauge: usize, number: i64) {
        if gauge > 0 || number >= self.absent {
            world.send(["S/a", "S/b"][gauge], &self.batch(gauge, number));
        }
    }

    fn send_stray(&self, world: &mut World) {
        if self.has_stray {
            world.send("S/a", &[(begin().plus_ms(-365 * 24 * HOUR), 1_000_000)]);
        }
    }

    /// Everything as it happens.
    fn run(&self) -> World {
        let mut world = World::new(begin());
        for step in 0..BATCHES + 12 {
            world.set(begin().plus_ms((step + 1) * BATCH * HOUR));
            if step == 7 {
                self.send_stray(&mut world);
            }
            for number in 0..BATCHES {
                for gauge in 0..2 {
                    let place = usize::try_from(number * 2).unwrap() + gauge;
                    if number + i64::from(self.late[place]) == step {
                        self.send(&mut world, gauge, number);
                    }
                }
            }
            let place = usize::try_from(step).unwrap();
            if let Some(Some(law)) = self.laws.get(place) {
                world.import(&law.text());
            }
            if let Some(Some(passes)) = self.starts.get(place) {
                for _ in 0..*passes {
                    world.pass();
                }
                world.starts_again();
            } else {
                world.settle();
            }
        }
        world.import(&self.last.text());
        rest(&mut world);
        world
    }

    /// The same data under the last registry from the start.
    fn run_at_once(&self) -> World {
        let mut world = World::new(begin());
        world.import(&self.last.text());
        world.set(begin().plus_ms((BATCHES + 12) * BATCH * HOUR));
        self.send_stray(&mut world);
        for number in 0..BATCHES {
            for gauge in 0..2 {
                self.send(&mut world, gauge, number);
            }
        }
        rest(&mut world);
        world
    }
}

/// Lets all be closed that can be, at the same moment whatever happened before.
fn rest(world: &mut World) {
    world.settle();
    world.set(begin().plus_ms((BATCHES + 12) * BATCH * HOUR + 50 * HOUR));
    for _ in 0..4 {
        world.settle();
        world.pass_ms(16 * MINUTE);
    }
    world.settle();
}

/// Two days of good data from the beginning, an hour at a time, and what they become.
fn two_days(law: &Law) -> World {
    let mut world = World::new(begin());
    world.import(&law.text());
    for hour in 0..50 {
        let points: Vec<_> = (0..6).map(|step| (at(hour, step * STEP), 1_000_000)).collect();
        world.set(at(hour + 1, 0));
        world.send("S/a", &points);
        world.settle();
    }
    world.pass_ms(2 * MINUTE);
    world.settle();
    world
}

fn at(hour: i64, minute: i64) -> Timestamp {
    begin().plus_ms(hour * HOUR + minute * MINUTE)
}

/// The versions of the second hour and of the first day.
fn told(world: &World) -> String {
    let of = |by: Length, from: Timestamp| {
        let rows = world.verdicts(by, true).into_iter().filter(|row| row.span.from == from);
        let word = |row: VerdictRow| match (row.verdict, row.is_withdrawn) {
            (Some(verdict), false) => verdict.word(),
            (None, true) => "withdrawn",
            (None, false) => "none",
            (Some(_), true) => "absurd",
        };
        rows.map(word).collect::<Vec<_>>().join(" ")
    };
    format!("{}; {}", of(Length::Hour, at(1, 0)), of(Length::Day, begin()))
}

/// Puts a law into force and waits until what it touches may be judged.
fn amend(world: &mut World, law: &Law) {
    world.import(&law.text());
    world.settle();
    world.pass_ms(2 * MINUTE);
    world.settle();
}

#[test]
fn a_change_of_names_makes_no_version() {
    let mut world = two_days(&plain());
    let entries = |world: &World| {
        world.store.journal().read_blocking(|reader| reader.entries(0, 1_000)).unwrap().len()
    };
    assert_eq!(told(&world), "met; met");
    let before = entries(&world);
    amend(&mut world, &Law { name: "another", ..plain() });
    assert_eq!((told(&world), entries(&world)), ("met; met".to_owned(), before + 1));
}

#[test]
fn another_number_has_what_is_closed_judged_again_and_both_are_kept() {
    let mut world = two_days(&plain());
    let more = Law { mandates: vec![("2026-01-01", "", "1.1", 0)], ..plain() };
    amend(&mut world, &more);
    // the season from March 2 on alone is another one
    assert_eq!(told(&world), "met; met");
    let second = |world: &World| world.versions(Length::Hour, at(30, 0));
    assert_eq!(second(&world), [(1, Some(Verdict::Met)), (2, Some(Verdict::Short))]);
    amend(&mut world, &plain());
    assert_eq!(second(&world).last(), Some(&(3, Some(Verdict::Met))));
    assert_eq!(world.findings(), Vec::new());
}

#[test]
fn what_is_no_period_any_more_is_withdrawn_and_stands_again_when_it_is_one() {
    let mut world = two_days(&plain());
    let later = Law { outlet: ", from = \"2026-03-02\"", ..plain() };
    amend(&mut world, &later);
    assert_eq!(told(&world), "met withdrawn; met withdrawn");
    assert_eq!(world.sections()[0].begun, at(24, 0));
    amend(&mut world, &plain());
    assert_eq!(told(&world), "met withdrawn met; met withdrawn met");
    assert_eq!(world.sections()[0].begun, at(0, 0));
    let eight = Law { rules: [Rule { day_start: "08:00", ..HOURLY }; 2], ..plain() };
    amend(&mut world, &eight);
    assert_eq!(told(&world), "met withdrawn met; met withdrawn met withdrawn");
    assert_eq!(world.findings(), Vec::new());
}

#[test]
fn a_station_that_was_closed_down_keeps_what_was_said_of_it() {
    let mut world = two_days(&plain());
    amend(&mut world, &Law { status: "exited", ..plain() });
    assert_eq!(told(&world), "met; met");
    assert!(world.verdicts(Length::Hour, true).iter().all(|row| row.version > 0));
    // and is judged by the law of the day when it comes back
    let low = Rule { statistic: "\"instantaneous\"", ..HOURLY };
    amend(&mut world, &Law { rules: [low; 2], ..plain() });
    let hours = world.verdicts(Length::Hour, false);
    assert!(hours.iter().all(|row| String::from_utf8_lossy(&row.bytes).contains("instantaneous")));
}

#[test]
fn a_section_that_comes_into_being_is_judged_from_its_first_data_on() {
    let mut world = two_days(&Law { mandates: Vec::new(), ..plain() });
    assert_eq!(world.sections(), []);
    amend(&mut world, &plain());
    for _ in 0..3 {
        world.pass_ms(16 * MINUTE);
        world.settle();
    }
    assert_eq!(told(&world), "met; met");
    amend(&mut world, &Law { section: "tail", ..plain() });
    assert_eq!(told(&world), "met withdrawn; met withdrawn");
    assert_eq!(world.standing().keys().collect::<Vec<_>>(), ["S/tail"]);
}

#[test]
fn marks_and_the_entry_of_their_registry_stand_together_wherever_it_is_killed() {
    for passes in 0..12 {
        let mut world = two_days(&plain());
        world.import(&Law { mandates: vec![("2026-01-01", "", "1.1", 0)], ..plain() }.text());
        world.pass_ms(2 * MINUTE);
        for _ in 0..passes {
            world.pass();
            world.pass_ms(MINUTE);
        }
        world.starts_again();
        for _ in 0..3 {
            world.settle();
            world.pass_ms(2 * MINUTE);
        }
        let hours = world.verdicts(Length::Hour, false);
        let second: Vec<_> =
            hours.iter().filter(|row| row.version > 0 && row.span.from >= at(24, 0)).collect();
        assert!(second.len() > 20);
        for row in second {
            assert_eq!((row.version, row.verdict), (2, Some(Verdict::Short)), "{}", row.span.from);
        }
    }
}

/// The lines that only one of two has.
fn apart(found: &[String], said: &[String]) -> String {
    let only = |these: &[String], those: &[String]| {
        let only = these.iter().filter(|line| !those.contains(line));
        only.take(3).cloned().collect::<Vec<_>>().join("\n  ")
    };
    format!("\nfound only:\n  {}\nsaid only:\n  {}\n", only(found, said), only(said, found))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 16, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_law_meanwhile_what_stands_is_what_the_last_registry_says(course in course()) {
        let (world, expected) = (course.run(), course.run_at_once());
        let (found, said) = (world.standing(), expected.standing());
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), said.keys().collect::<Vec<_>>());
        for (section, said) in &said {
            prop_assert!(found[section] == *said, "{} {}", section, apart(&found[section], said));
        }
        for row in world.sections().into_iter().filter(|row| said.contains_key(&row.key.to_string())) {
            prop_assert!(row.again.is_empty(), "{:?}", row);
            let other = expected.sections().into_iter().find(|other| other.key == row.key).unwrap();
            prop_assert_eq!((row.begun, row.closed), (other.begun, other.closed));
        }
        prop_assert_eq!(world.findings(), Vec::new());
        prop_assert_eq!(expected.findings(), Vec::new());
    }
}
