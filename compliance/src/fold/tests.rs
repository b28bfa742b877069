//! What is carried on is what judging all readings says, whatever comes in whatever order.

use std::{collections::BTreeMap, fmt::Write as _};

use model::{registry::Registry, tree::Origin};
use proptest::prelude::*;

use super::*;
use crate::hearing::{hour, hour_so_far};

/// A section with two outlets, of which one may come late into force, under a law that changes at
/// midnight: another requirement, or another rule as well.
fn registry(statistics: [&str; 2], intervals: [i64; 2], is_late: bool) -> Registry {
    registry_within(statistics, intervals, is_late, "")
}

/// The same, with what the first gauge can reach.
fn registry_within(
    statistics: [&str; 2],
    intervals: [i64; 2],
    is_late: bool,
    range: &str,
) -> Registry {
    let mut text =
        String::from("[[station]]\nid = \"S\"\nkind = \"hydropower\"\nstatus = \"retained\"\n");
    let from = if is_late { "from = \"2026-01-02\", " } else { "" };
    write!(
        text,
        "gauge = [ {{ id = \"a\", quantity = \"flow\", unit = \"m3/s\", interval = \"{}s\"{range} }},
          {{ id = \"b\", quantity = \"flow\", unit = \"m3/s\", interval = \"{}s\" }} ]
        outlet = [ {{ id = \"a\", flow = {{ gauge = \"a\" }} }}, {{ id = \"b\", {from}flow = {{ gauge = \"b\" }} }} ]
        mandate = [
          {{ document = \"D\", from = \"2025-12-01\", to = \"2026-01-02\", seasons = [ {{ from = \"01-01\", flow = 0.000010 }} ], rule = \"r0\" }},
          {{ document = \"E\", from = \"2026-01-02\", seasons = [ {{ from = \"01-01\", flow = 0.000012 }} ], rule = \"r1\" }} ]\n",
        intervals[0], intervals[1]
    )
    .unwrap();
    for (number, statistic) in statistics.iter().enumerate() {
        let below_for = if *statistic == "below_for" { "below_for = \"20m\"" } else { "" };
        write!(
            text,
            "[[rule]]\nid = \"r{number}\"\nstatistic = \"{statistic}\"\n{below_for}\nfactor = 0.95\nhour_coverage = 0.5\n"
        )
        .unwrap();
    }
    store::registry::parse(&text, &Origin::File("registry.toml".into()))
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const STATISTICS: [&str; 5] =
    ["hourly_mean", "daily_mean", "instantaneous", "below_for", "running_hour"];

/// Two hours before the law changes.
fn begin() -> Timestamp {
    "2026-01-01T22:10:00+08:00".parse().unwrap()
}

/// Everything that came, by source.
type Readings = [BTreeMap<Timestamp, Flow>; 2];

fn evidence<'a>(section: &Section<'a>, readings: &Readings) -> Vec<Evidence<'a>> {
    let sources = section.sources().into_iter().zip(readings);
    let of =
        |readings: &BTreeMap<Timestamp, Flow>| readings.iter().map(|(a, f)| (*a, *f)).collect();
    sources.map(|(source, readings)| Evidence { source, samples: of(readings) }).collect()
}

fn newest(readings: &Readings) -> Option<Timestamp> {
    readings.iter().filter_map(|readings| readings.keys().next_back().copied()).max()
}

/// As the consumer begins: with the hour before the newest one, else with that.
fn begun(section: &Section<'_>, readings: &Readings) -> Option<Fold> {
    let last = section.hour_of(newest(readings)?);
    let before = section.hour_of(last.from.plus_ms(-1));
    let evidence = evidence(section, readings);
    [before, last].into_iter().find_map(|hour| Fold::begin(section, &evidence, hour, 0))
}

/// Says how many hours the fold told of, all of which are what their readings say.
fn compare(section: &Section<'_>, fold: &Fold, readings: &Readings) -> usize {
    let Some(newest) = newest(readings) else { return 0 };
    let evidence = evidence(section, readings);
    let now = section.hour_of(newest);
    let around = [section.hour_of(now.from.plus_ms(-1)), now, section.hour_of(now.to)];
    let bytes =
        |judged: Option<Judgement>| judged.map(|judged| String::from_utf8(judged.bytes()).unwrap());
    let mut told = 0;
    for span in around {
        let so_far = hour_so_far(section, &evidence, span);
        let closed = hour(section, &evidence, span);
        for (found, expected) in
            [(fold.so_far(section, span), so_far), (fold.hour(section, span), closed)]
        {
            let found = match found {
                Told::Is(judged) => Some(*judged),
                Told::Nothing => None,
                Told::ByReadings => continue,
            };
            assert_eq!(bytes(found), bytes(expected));
            told += 1;
        }
    }
    told
}

#[derive(Debug, Clone)]
struct Step {
    source: usize,
    /// How much later than the one before the reading was taken.
    after_s: i64,
    /// How much before that it was, where it comes late.
    late_s: i64,
    flow: i64,
    /// Whether what has come is taken up now, or together with what follows.
    is_taken: bool,
    /// Whether the process starts again.
    is_restart: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let late = prop_oneof![12 => Just(0_i64), 1 => 1_i64..120, 1 => 120_i64..9_000];
    let after =
        prop_oneof![6 => (0_i64..12).prop_map(|s| s * 5), 4 => 0_i64..400, 1 => 0_i64..9_000];
    let one = (0_usize..2, after, late, 0_i64..14, any::<bool>(), 0_u8..40);
    let step = one.prop_map(|(source, after_s, late_s, flow, is_taken, restart)| Step {
        source,
        after_s,
        late_s,
        flow,
        is_taken,
        is_restart: restart == 0,
    });
    proptest::collection::vec(step, 1..120)
}

fn carries_on(section: &Section<'_>, steps: &[Step]) {
    let (mut readings, mut fold) = (Readings::default(), None::<Fold>);
    let mut came = vec![Vec::new(), Vec::new()];
    let mut now = begin();
    for step in steps {
        now = now.plus_ms(step.after_s * 1_000);
        let at = now.plus_ms(-step.late_s * 1_000);
        let flow = Flow::from_ml_per_s(step.flow);
        // of one moment the first stands
        let flow = *readings[step.source].entry(at).or_insert(flow);
        came[step.source].push((at, flow));
        if !step.is_taken {
            continue;
        }
        for came in &mut came {
            came.sort_unstable_by_key(|(at, _)| *at);
        }
        let taken = std::mem::replace(&mut came, vec![Vec::new(), Vec::new()]);
        let went_on = fold.as_mut().map(|fold| fold.take(section, &taken, 0));
        if step.is_restart || went_on != Some(Ok(())) {
            fold = begun(section, &readings);
        }
        if let Some(fold) = &fold {
            compare(section, fold, &readings);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_carried_on_is_what_judging_from_all_readings_says(
        statistics in (0_usize..5, 0_usize..5),
        intervals in prop_oneof![Just([10, 60]), Just([60, 300]), Just([60, 60]), Just([30, 1_200])],
        is_late in any::<bool>(),
        range in prop_oneof![Just(""), Just(", range = [ 0.000003, 0.000011 ]"), Just(", range = [ 0, 0.000004 ]")],
        steps in steps(),
    ) {
        let statistics = [STATISTICS[statistics.0], STATISTICS[statistics.1]];
        let registry = registry_within(statistics, intervals, is_late, range);
        let section = Section::judged(&registry).next().unwrap();
        carries_on(&section, &steps);
    }
}

/// Both outlets speak in order for this long, in batches of a minute; says how often it had to
/// begin anew, how many hours it told of, and how many readings it held at most.
fn in_order(statistic: &str, intervals: [i64; 2], minutes: i64) -> (usize, usize, usize) {
    let registry = registry([statistic, statistic], intervals, false);
    let section = Section::judged(&registry).next().unwrap();
    let (mut readings, mut fold) = (Readings::default(), None::<Fold>);
    let (mut begins, mut told, mut held) = (0, 0, 0);
    for minute in 0..minutes {
        let mut came = vec![Vec::new(), Vec::new()];
        for (source, interval) in intervals.into_iter().enumerate() {
            for second in (minute * 60..(minute + 1) * 60).filter(|second| second % interval == 0) {
                let at = begin().plus_ms(second * 1_000);
                let flow = Flow::from_ml_per_s(4 + second / interval % 4);
                readings[source].insert(at, flow);
                came[source].push((at, flow));
            }
        }
        if fold.as_mut().is_none_or(|fold| fold.take(&section, &came, 0).is_err()) {
            begins += 1;
            fold = begun(&section, &readings);
        }
        let Some(fold) = &fold else { continue };
        told += compare(&section, fold, &readings);
        let count = |outlet: &Outlet| outlet.samples.len();
        held = held.max(fold.credible.outlets.iter().map(count).max().unwrap_or(0));
    }
    (begins, told, held)
}

#[test]
fn what_comes_in_order_is_never_judged_anew() {
    for statistic in ["hourly_mean", "daily_mean", "instantaneous"] {
        let (begins, told, held) = in_order(statistic, [5, 60], 200);
        assert_eq!(begins, 1, "{statistic}");
        // the hour that runs and the one before it, open and closed, after every minute
        assert!(told > 4 * 190, "{statistic}: {told}");
        // a minute of an outlet that is waited for, and what holds
        assert!(held <= 27, "{statistic}: {held}");
    }
}

/// What a fold takes, bytes.
fn bytes(fold: &Fold) -> usize {
    let sample = size_of::<(Timestamp, Flow)>();
    let outlet = |outlet: &Outlet| size_of::<Outlet>() + outlet.samples.capacity() * sample;
    let steps = |carried: &Carried| carried.steps.capacity() * size_of::<Step>();
    let course = &fold.credible;
    assert_eq!(fold.as_read, None, "nothing is doubted");
    let over = course.before.as_ref().map_or(0, |over| steps(&over.carried));
    let outlets = course.outlets.iter().map(outlet).sum::<usize>();
    size_of::<Fold>() + outlets + steps(&course.current) + over
}

#[test]
fn a_section_with_two_outlets_takes_two_kilobytes() {
    let registry = registry(["hourly_mean", "hourly_mean"], [5, 60], false);
    let section = Section::judged(&registry).next().unwrap();
    let mut readings = Readings::default();
    let mut fold = None::<Fold>;
    let mut most = 0;
    for minute in 0..200 {
        let flow = Flow::from_ml_per_s(5);
        let at = |second: i64| begin().plus_ms((minute * 60 + second) * 1_000);
        let came = vec![(0..12).map(|k| (at(k * 5), flow)).collect(), vec![(at(0), flow)]];
        if let Some(fold) = &mut fold {
            assert_eq!(fold.take(&section, &came, 0), Ok(()));
            most = most.max(bytes(fold));
        } else {
            for (readings, came) in readings.iter_mut().zip(came) {
                readings.extend(came);
            }
            fold = begun(&section, &readings);
        }
    }
    assert!(fold.is_some_and(|fold| fold.credible.before.is_some()));
    assert!(most <= 2_048, "{most}"); // 1,952
}

#[test]
fn a_rule_that_looks_back_begins_anew_with_each_hour_alone() {
    for statistic in ["below_for", "running_hour"] {
        let (begins, told, _) = in_order(statistic, [60, 300], 200);
        assert!(begins <= 5, "{statistic}: {begins}");
        assert!(told > 190, "{statistic}: {told}");
    }
}

#[test]
fn who_is_silent_is_waited_for_within_a_bound() {
    let registry = registry(["hourly_mean", "hourly_mean"], [1, 1], false);
    let section = Section::judged(&registry).next().unwrap();
    let mut readings = Readings::default();
    readings[1].insert(begin(), Flow::from_ml_per_s(5));
    readings[0].insert(begin(), Flow::from_ml_per_s(5));
    let mut fold = begun(&section, &readings).unwrap();
    for second in 1..2_000 {
        let (at, flow) = (begin().plus_ms(second * 1_000), Flow::from_ml_per_s(5));
        readings[0].insert(at, flow);
        assert_eq!(fold.take(&section, &[vec![(at, flow)], Vec::new()], 0), Ok(()));
        assert!(fold.credible.outlets[0].samples.len() <= WAITING + 4);
    }
    assert!(compare(&section, &fold, &readings) > 0);
    // it speaks after all, of before
    let late = (begin().plus_ms(1_000_500), Flow::from_ml_per_s(5));
    assert_eq!(fold.take(&section, &[Vec::new(), vec![late]], 0), Err(GivenUp::Late));
}

#[test]
fn what_comes_of_long_ago_changes_nothing_that_is_carried_on() {
    let registry = registry(["hourly_mean", "hourly_mean"], [60, 60], false);
    let section = Section::judged(&registry).next().unwrap();
    let mut readings = Readings::default();
    for minute in 0..200 {
        let at = begin().plus_ms(minute * 60_000);
        readings[0].insert(at, Flow::from_ml_per_s(5));
        readings[1].insert(at, Flow::from_ml_per_s(6));
    }
    let mut fold = begun(&section, &readings).unwrap();
    let before = fold.clone();
    let history: Vec<_> = (0..60)
        .map(|minute| (begin().plus_ms(minute * 60_000 + 30_000), Flow::from_ml_per_s(9)))
        .collect();
    readings[0].extend(history.iter().copied());
    assert_eq!(fold.take(&section, &[history, Vec::new()], 0), Ok(()));
    assert_eq!(fold, before);
    assert!(compare(&section, &fold, &readings) > 0);
}

#[test]
fn readings_that_are_doubted_are_carried_on_beside_the_others_until_they_are_past() {
    let range = ", range = [ 0, 0.000009 ]";
    let registry = registry_within(["hourly_mean", "hourly_mean"], [60, 60], false, range);
    let section = Section::judged(&registry).next().unwrap();
    let mut readings = Readings::default();
    let mut fold = None::<Fold>;
    let (mut begins, mut told, mut beside) = (0, 0, 0);
    for minute in 0..400 {
        let at = begin().plus_ms(minute * 60_000);
        let flow = Flow::from_ml_per_s(if (70..100).contains(&minute) { 40 } else { 5 });
        let came = [vec![(at, flow)], vec![(at, Flow::from_ml_per_s(5))]];
        for (readings, came) in readings.iter_mut().zip(&came) {
            readings.extend(came.iter().copied());
        }
        if fold.as_mut().is_none_or(|fold| fold.take(&section, &came, 0).is_err()) {
            begins += 1;
            fold = begun(&section, &readings);
        }
        let Some(fold) = &fold else { continue };
        told += compare(&section, fold, &readings);
        beside += usize::from(fold.as_read.is_some());
    }
    assert_eq!(begins, 1);
    assert!(told > 4 * 380, "{told}");
    // from the first of them until no hour that is kept has any
    assert!((30..240).contains(&beside), "{beside}");
}
