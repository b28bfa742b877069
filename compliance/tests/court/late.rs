//! What comes late, in whatever order and over however many starts.

use std::collections::BTreeMap;

use compliance::hearing::{self, Evidence};
use model::{
    flow::Flow,
    section::Section,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};
use proptest::prelude::*;

use crate::world::{HOUR, MINUTE, World};

/// Minutes in a batch.
const BATCH: i64 = 10;

const REGISTRY: &str = r#"
    [[station]]
    id = "S"
    kind = "hydropower"
    status = "retained"
    agent = "gw"
    gauge = [ { id = "pipe", quantity = "flow", unit = "m3/s", interval = "1m" } ]
    outlet = [ { id = "pipe", flow = { gauge = "pipe" } } ]
    mandate = [ { document = "D", from = "2026-01-01", seasons = [ { from = "01-01", flow = 1 } ], rule = "r" } ]
    [[rule]]
    id = "r"
    statistic = "hourly_mean"
    missing = "short"
    day_hours_met = "20/24"
"#;

fn begin() -> Timestamp {
    "2026-03-01T00:00:00+08:00".parse().unwrap()
}

fn minute(number: i64) -> Timestamp {
    begin().plus_ms(number * MINUTE)
}

fn new_world() -> World {
    let mut world = World::new(begin());
    world.import(REGISTRY);
    world
}

fn set_minute(world: &World, number: i64) {
    world.set(minute(number));
}

/// The batch of this number: minutes with their flows in ml/s.
fn send(world: &World, number: i64, flows: &BTreeMap<i64, i64>) {
    let own = flows.range(number * BATCH..(number + 1) * BATCH);
    let points: Vec<(Timestamp, i64)> = own.map(|(at, flow)| (minute(*at), *flow)).collect();
    world.send_as("S/pipe", &points, u64::try_from(number + 1).unwrap());
}

fn hour(world: &World, number: i64) -> Vec<(u32, Option<Verdict>)> {
    world.versions(Length::Hour, minute(number * 60))
}

/// What the samples say of an hour, all of them looked at together.
fn said(world: &World, flows: &BTreeMap<i64, i64>, from: Timestamp) -> Vec<u8> {
    let section = Section::judged(&world.registry).next().unwrap();
    let samples = flows.iter().map(|(at, flow)| (minute(*at), Flow::from_ml_per_s(*flow)));
    let source = section.sources().remove(0);
    let evidence = [Evidence { source, samples: samples.collect() }];
    let span = Span { from, to: from.plus_ms(HOUR) };
    hearing::hour(&section, &evidence, span).unwrap().bytes()
}

fn good(minutes: std::ops::Range<i64>) -> BTreeMap<i64, i64> {
    minutes.map(|at| (at, 1_000_000)).collect()
}

#[test]
fn a_backlog_that_comes_after_newer_data_never_leaves_a_trail_of_shorts() {
    let mut world = new_world();
    let flows = good(0..360);
    for number in 0..36 {
        set_minute(&world, (number + 1) * BATCH);
        // the third hour is away until the fifth is over
        if !(12..18).contains(&number) {
            send(&world, number, &flows);
        }
        world.settle();
    }
    // nobody has said what the hole in the ledger holds, so it may reach into any hour
    assert_eq!(hour(&world, 0), [(1, Some(Verdict::Met))]);
    assert_eq!(hour(&world, 1), [(0, Some(Verdict::Met))]);
    assert_eq!(hour(&world, 2), []);
    assert_eq!(hour(&world, 3), [(0, Some(Verdict::Met))]);
    for number in 12..18 {
        send(&world, number, &flows);
    }
    world.pass_ms(2 * MINUTE);
    world.settle();
    for number in 0..5 {
        assert_eq!(hour(&world, number), [(1, Some(Verdict::Met))], "hour {number}");
    }
}

#[test]
fn what_comes_after_an_hour_was_closed_makes_a_second_version_beside_the_first() {
    let mut world = new_world();
    let flows = good(0..240);
    let shown: BTreeMap<i64, i64> = flows
        .iter()
        .filter(|(at, _)| !(70..90).contains(*at))
        .map(|(at, flow)| (*at, *flow))
        .collect();
    for number in 0..24 {
        set_minute(&world, (number + 1) * BATCH);
        // batches 7 and 8 are held back, and everything after a day is closed without them
        if !(7..9).contains(&number) {
            send(&world, number, &shown);
        }
        world.settle();
    }
    set_minute(&world, 26 * 60 + 1);
    world.settle();
    assert_eq!(hour(&world, 1), [(1, Some(Verdict::Short))]);
    for number in 7..9 {
        send(&world, number, &flows);
    }
    world.settle();
    assert_eq!(hour(&world, 1), [(1, Some(Verdict::Short))], "not before it is quiet");
    world.pass_ms(61_000);
    world.settle();
    assert_eq!(hour(&world, 1), [(1, Some(Verdict::Short)), (2, Some(Verdict::Met))]);
    assert_eq!(world.findings(), Vec::new());
}

#[test]
fn what_whoever_keeps_no_ledger_left_out_is_waited_for_a_day() {
    for comes in [true, false] {
        let mut world = new_world();
        let post = |world: &World, number: i64| {
            let minutes = number * BATCH..(number + 1) * BATCH;
            let points: Vec<_> = minutes.map(|at| (minute(at), 1_000_000)).collect();
            world.post("S/pipe", &points);
        };
        let is_out = |number: i64| (7..18).contains(&number);
        for number in 0..30 {
            set_minute(&world, (number + 1) * BATCH);
            // documents stay out from within the second hour until the third is over
            if !is_out(number) {
                post(&world, number);
            }
            world.settle();
        }
        // closed up to the hole; what lies behind it is told provisionally
        assert_eq!(hour(&world, 0), [(1, Some(Verdict::Met))]);
        let met_so_far = [(0, Some(Verdict::Met))];
        let shown = [1, 2, 3].map(|number| hour(&world, number));
        assert_eq!(shown, [&met_so_far[..], &[], &met_so_far], "as far as samples tell");
        if comes {
            (7..18).for_each(|number| post(&world, number));
            world.settle();
            world.pass_ms(61_000);
            world.settle();
            assert_eq!(hour(&world, 1), [(1, Some(Verdict::Met))], "never short");
            assert_eq!(hour(&world, 3), [(1, Some(Verdict::Met))]);
        } else {
            set_minute(&world, 26 * 60 + 1);
            world.settle();
            assert_eq!(hour(&world, 1), [(1, Some(Verdict::Short))]);
            assert_eq!(hour(&world, 2), [], "not for a day yet");
        }
        assert_eq!(world.findings(), Vec::new());
    }
}

/// Dams of a third party who keeps no ledger: a meter that speaks each second, and a gate's.
fn dams(count: usize) -> String {
    let station = |number: usize| {
        format!(
            r#"
    [[station]]
    id = "S{number:02}"
    kind = "hydropower"
    status = "retained"
    agent = "gw"
    gauge = [
      {{ id = "pipe", quantity = "flow", unit = "m3/s", interval = "1s" }},
      {{ id = "gate", quantity = "flow", unit = "m3/s", interval = "1m" }},
    ]
    outlet = [ {{ id = "pipe", flow = {{ gauge = "pipe" }} }}, {{ id = "gate", flow = {{ gauge = "gate" }} }} ]
    mandate = [ {{ document = "D", from = "2026-01-01", seasons = [ {{ from = "01-01", flow = 1 }} ], rule = "r" }} ]
"#
        )
    };
    let rule = "[[rule]]\nid = \"r\"\nstatistic = \"hourly_mean\"\n";
    (0..count).map(station).collect::<String>() + rule
}

#[test]
fn a_look_for_what_is_missing_counts_as_readings_that_are_fetched_and_goes_no_further_than_it_must()
{
    // one more than are fetched for in a pass
    const DAMS: usize = 65;
    let second = |number: i64| begin().plus_ms(HOUR + number * 1_000);
    for gate_speaks in [true, false] {
        let mut world = World::new(begin());
        world.import(&dams(DAMS));
        let of =
            |gauge: &str| (0..DAMS).map(|dam| format!("S{dam:02}/{gauge}")).collect::<Vec<_>>();
        let (pipes, gates) = (of("pipe"), of("gate"));
        let speak = |world: &World, gauges: &[String], seconds: &mut dyn Iterator<Item = i64>| {
            let points: Vec<_> = seconds.map(|at| (second(at), 1_000_000)).collect();
            for gauge in gauges {
                world.post(gauge, &points);
            }
        };
        // the first hour is closed; of the second one the pipe's rest stays out
        world.set(second(1_100));
        speak(&world, &gates, &mut (-60..=0).map(|minute| minute * 60));
        speak(&world, &pipes, &mut [-3_300, -600].into_iter().chain(0..1_100));
        world.settle();
        world.set(second(3_620));
        if gate_speaks {
            speak(&world, &gates, &mut (1..=60).map(|minute| minute * 60));
        }
        speak(&world, &pipes, &mut (3_600..3_610));
        world.settle();
        world.pass_ms(2 * MINUTE);
        speak(&world, &pipes, &mut (3_720..3_721));
        let begun: Vec<_> = world.sections().iter().map(|row| row.closed).collect();
        assert_eq!(begun, vec![second(0); DAMS], "gate speaks: {gate_speaks}");
        // where the gate is silent nothing behind its last word matters
        assert_eq!(world.pass(), gate_speaks);
        world.settle();
        assert_eq!(world.findings(), Vec::new());
    }
}

#[test]
fn a_day_that_began_before_its_section_is_judged_only_once_its_history_comes() {
    let mut world = new_world();
    let flows = good(0..40 * 60);
    // in the order in which they come: nothing tells of a history before it is there
    let send = |world: &mut World, numbers: std::ops::Range<i64>| {
        for number in numbers {
            let own = flows.range(number * BATCH..(number + 1) * BATCH);
            let points: Vec<(Timestamp, i64)> =
                own.map(|(at, flow)| (minute(*at), *flow)).collect();
            world.send("S/pipe", &points);
        }
    };
    set_minute(&world, 40 * 60);
    send(&mut world, 132..240);
    world.pass_ms(2 * MINUTE);
    world.settle();
    assert_eq!(hour(&world, 23), [(1, Some(Verdict::Met))]);
    let shown = |world: &World| -> Vec<(Timestamp, u32)> {
        let days = world.verdicts(Length::Day, true).into_iter();
        days.map(|row| (row.span.from, row.version)).collect()
    };
    assert_eq!(shown(&world), [(minute(24 * 60), 0)], "two hours are no day");
    send(&mut world, 0..132);
    world.settle();
    world.pass_ms(2 * MINUTE);
    world.settle();
    assert_eq!(shown(&world), [(minute(0), 1), (minute(24 * 60), 0)]);
}

#[derive(Debug, Clone)]
struct Course {
    /// ml/s of each minute; `None`: lost for ever.
    flows: Vec<Option<i64>>,
    /// By how many steps each batch is late.
    late: Vec<u8>,
    /// After which steps the consumer starts again.
    starts: Vec<bool>,
}

const STEPS: i64 = 36 * 6;

fn course() -> impl Strategy<Value = Course> {
    let steps = usize::try_from(STEPS).unwrap();
    let flow = prop_oneof![6 => Just(Some(1_000_000)), 1 => Just(Some(999_999)), 1 => Just(None), 1 => Just(Some(2_000_000))];
    let late = prop_oneof![12 => Just(0_u8), 1 => 1_u8..40];
    (
        proptest::collection::vec(flow, steps * 10),
        proptest::collection::vec(late, steps),
        proptest::collection::vec(prop_oneof![9 => Just(false), 1 => Just(true)], steps),
    )
        .prop_map(|(flows, late, starts)| Course { flows, late, starts })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_every_hour_is_what_its_samples_say(course in course()) {
        let mut world = new_world();
        let flows: BTreeMap<i64, i64> = (0..)
            .zip(&course.flows)
            .filter_map(|(at, flow)| flow.map(|flow| (at, flow)))
            .collect();
        for step in 0..STEPS + 40 {
            set_minute(&world, (step + 1) * BATCH);
            for (number, late) in (0..).zip(&course.late) {
                if number + i64::from(*late) == step {
                    send(&world, number, &flows);
                }
            }
            if usize::try_from(step).ok().and_then(|step| course.starts.get(step)) == Some(&true) {
                world.starts_again();
            }
            world.settle();
        }
        world.pass_ms(50 * HOUR);
        world.settle();
        world.pass_ms(16 * MINUTE);
        world.settle();
        let hours = world.verdicts(Length::Hour, false);
        let first = flows.keys().next().copied().unwrap_or(0) / 60;
        prop_assert_eq!(hours[0].span.from, minute(first * 60));
        for (number, row) in (first..).zip(&hours) {
            prop_assert_eq!(row.span.from, minute(number * 60));
            if number < 36 {
                prop_assert!(row.version > 0);
                let said = said(&world, &flows, row.span.from);
                prop_assert_eq!(String::from_utf8_lossy(&row.bytes), String::from_utf8_lossy(&said));
            }
        }
        let days = world.verdicts(Length::Day, false);
        let adjoin = days.iter().zip(days.iter().skip(1)).all(|(a, b)| a.span.to == b.span.from);
        prop_assert!(adjoin, "days overlap or leave a hole");
        for day in days.iter().filter(|day| day.version > 0) {
            let own = hours.iter().filter(|hour| day.span.from <= hour.span.from && hour.span.from < day.span.to);
            let met = own.filter(|hour| hour.verdict == Some(Verdict::Met)).count();
            let text = String::from_utf8_lossy(&day.bytes).into_owned();
            let counted = format!("\"met\":{met},");
            prop_assert!(text.contains(&counted), "{} in {}", counted, text);
        }
        prop_assert_eq!(world.findings(), Vec::new());
    }
}
