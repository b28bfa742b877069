//! Verdicts by example, by what always holds, and against a judge that counts seconds.

use expect_test::{Expect, expect};
use model::{
    calendar::TimeOfDay,
    flow::Flow,
    quantity::Decimal,
    release::{Duty, Outlet, Step, release},
    time::Timestamp,
};
use proptest::prelude::*;

use super::*;

/// A river of seconds: `at:flow` in ml/s behind the outlet's interval in seconds.
fn outlet(line: &str) -> Outlet {
    let (interval, samples) = line.split_once(' ').unwrap_or((line, ""));
    let sample = |word: &str| {
        let (at, flow) = word.split_once(':').unwrap();
        let at = Timestamp::clamped(at.parse::<i64>().unwrap() * 1_000);
        (at, Flow::from_ml_per_s(flow.parse().unwrap()))
    };
    Outlet {
        interval_ms: interval.parse::<i64>().unwrap() * 1_000,
        in_force: Span { from: Timestamp::MIN, to: Timestamp::MAX },
        samples: samples.split_whitespace().map(sample).collect(),
    }
}

fn step(from_s: i64, required: i64) -> Step {
    let from = Timestamp::clamped(from_s * 1_000);
    Step { from, required: Flow::from_ml_per_s(required) }
}

/// All of it is enough.
const WHOLE: Decimal = Decimal { units: 1, decimals: 0 };

fn seconds(from: i64, to: i64) -> Span {
    Span { from: Timestamp::clamped(from * 1_000), to: Timestamp::clamped(to * 1_000) }
}

/// The rule `hourly-mean-80` with another statistic.
pub(crate) fn rule(statistic: Statistic, missing: Missing) -> RuleProfile {
    let share = |units: i64, decimals: u8| Decimal { units, decimals };
    RuleProfile {
        id: "hourly-mean-80".parse().unwrap(),
        statistic,
        factor: share(1, 0),
        hour_coverage: share(75, 2),
        day_valid_hours: 20,
        day_hours_met: "22/24".parse().unwrap(),
        late_close_day: 5,
        missing,
        pass_rate: share(80, 2),
        headline_rate: share(90, 2),
        district_pass: share(90, 2),
        day_start: TimeOfDay::from_minute(0),
    }
}

const HOUR: i64 = 3_600;

fn judged(
    outlets: &[Outlet],
    steps: &[Step],
    exempt: &[Span],
    period: Span,
    rule: &RuleProfile,
) -> Judged {
    let duty = Duty { steps, factor: rule.factor, exempt };
    let from = period.from.plus_ms(-rule.statistic.lookback_ms());
    let pieces = release(outlets, duty, Span { from, ..period });
    evaluate(&pieces, period, rule)
}

/// An outlet every 300 s that lets out these flows one after another, `-` where a sample is missing.
fn every_300(flows: &str) -> Outlet {
    let samples = (0..).zip(flows.split_whitespace()).filter(|(_, flow)| *flow != "-");
    let line: Vec<String> = samples.map(|(at, flow)| format!("{}:{flow}", at * 300)).collect();
    outlet(&format!("300 {}", line.join(" ")))
}

/// The second hour of these outlets against 10 ml/s.
fn check(statistic: Statistic, lines: &[&str], expected: &Expect) {
    let outlets: Vec<Outlet> = lines.iter().map(|line| every_300(line)).collect();
    let judged = judged(
        &outlets,
        &[step(0, 10)],
        &[],
        seconds(HOUR, 2 * HOUR),
        &rule(statistic, Missing::Indeterminate),
    );
    let Weight { covered, held_water, deficit, .. } = judged.weight;
    expected.assert_eq(&format!(
        "{} ({:?}), {} s covered, {} released, {} short",
        judged.verdict,
        judged.because,
        covered / 1_000,
        held_water / 1_000,
        deficit / 1_000
    ));
}

const FIRST: &str = "10 10 10 10 10 10 10 10 10 10 10 10";

#[test]
fn equal_to_the_requirement_is_met_and_a_hair_less_is_not() {
    let hour = |last: &str| format!("{FIRST} 10 10 10 10 10 10 10 10 10 10 10 {last}");
    check(
        Statistic::HourlyMean,
        &[&hour("10")],
        &expect!["met (Enough), 3600 s covered, 36000 released, 0 short"],
    );
    check(
        Statistic::HourlyMean,
        &[&hour("9")],
        &expect!["short (Below), 3600 s covered, 35700 released, 300 short"],
    );
    check(
        Statistic::Instantaneous,
        &[&hour("9")],
        &expect!["short (Below), 3600 s covered, 35700 released, 300 short"],
    );
    check(
        Statistic::BelowFor { for_ms: 300_000 },
        &[&hour("9")],
        &expect!["short (Below), 3600 s covered, 35700 released, 300 short"],
    );
    check(
        Statistic::BelowFor { for_ms: 300_001 },
        &[&hour("9")],
        &expect!["met (Enough), 3600 s covered, 35700 released, 300 short"],
    );
    check(
        Statistic::RunningHour,
        &[&hour("9")],
        &expect!["short (Below), 3600 s covered, 35700 released, 300 short"],
    );
}

#[test]
fn missing_is_not_zero_and_too_little_is_not_met() {
    let missing =
        |count: usize| format!("{FIRST} {} {}", "20 ".repeat(12 - count), "- ".repeat(count));
    check(
        Statistic::HourlyMean,
        &[&missing(3)],
        &expect!["met (Enough), 2700 s covered, 58500 released, 0 short"],
    );
    check(
        Statistic::HourlyMean,
        &[&missing(4)],
        &expect!["indeterminate (TooLittleKnown), 2400 s covered, 52500 released, 0 short"],
    );
    check(
        Statistic::Instantaneous,
        &[&missing(4)],
        &expect!["indeterminate (TooLittleKnown), 2400 s covered, 52500 released, 0 short"],
    );
}

#[test]
fn one_reading_of_an_hour_shows_that_the_flow_was_below_and_never_that_it_was_not() {
    let one = |flow: &str| format!("{FIRST} {flow} {}", "- ".repeat(11));
    check(
        Statistic::Instantaneous,
        &[&one("9")],
        &expect!["short (Below), 300 s covered, 6750 released, 750 short"],
    );
    check(
        Statistic::Instantaneous,
        &[&one("10")],
        &expect!["indeterminate (TooLittleKnown), 300 s covered, 7500 released, 0 short"],
    );
    // of the mean of the hour it shows nothing
    check(
        Statistic::HourlyMean,
        &[&one("9")],
        &expect!["indeterminate (TooLittleKnown), 300 s covered, 6750 released, 750 short"],
    );
}

#[test]
fn a_reading_lost_after_a_surge_does_not_stretch_the_surge() {
    let hour = |second: &str| format!("{FIRST} 60 {second} {}", "4 ".repeat(10));
    check(
        Statistic::HourlyMean,
        &[&hour("12")],
        &expect!["short (Below), 3600 s covered, 33600 released, 18000 short"],
    );
    check(
        Statistic::HourlyMean,
        &[&hour("-")],
        &expect!["short (Below), 3300 s covered, 33000 released, 18000 short"],
    );
}

#[test]
fn one_outlet_alone_can_show_that_enough_was_released_and_never_that_it_was_not() {
    let silent = "- ".repeat(24);
    let alone = |flow: &str| format!("{FIRST} {}", format!("{flow} ").repeat(12));
    check(
        Statistic::HourlyMean,
        &[&alone("11"), &silent],
        &expect!["met (Enough), 0 s covered, 39600 released, 0 short"],
    );
    check(
        Statistic::HourlyMean,
        &[&alone("9"), &silent],
        &expect!["indeterminate (TooLittleKnown), 0 s covered, 32400 released, 0 short"],
    );
    check(
        Statistic::Instantaneous,
        &[&alone("9"), &silent],
        &expect!["indeterminate (TooLittleKnown), 0 s covered, 32400 released, 0 short"],
    );
    check(
        Statistic::HourlyMean,
        &[&alone("9"), &alone("1")],
        &expect!["met (Enough), 3600 s covered, 36000 released, 0 short"],
    );
}

#[test]
fn a_run_below_counts_in_each_hour_that_it_reaches() {
    // below from 2,400 s on for 2,400 s, of which 1,200 in the second hour
    let run = "10 10 10 10 10 10 10 10 9 9 9 9 9 9 9 9 10 10 10 10 10 10 10 10";
    check(
        Statistic::BelowFor { for_ms: 1_800_000 },
        &[run],
        &expect!["short (Below), 3600 s covered, 34800 released, 1200 short"],
    );
    check(
        Statistic::BelowFor { for_ms: 2_400_000 },
        &[run],
        &expect!["short (Below), 3600 s covered, 34800 released, 1200 short"],
    );
    check(
        Statistic::BelowFor { for_ms: 2_400_001 },
        &[run],
        &expect!["met (Enough), 3600 s covered, 34800 released, 1200 short"],
    );
    check(
        Statistic::RunningHour,
        &[run],
        &expect!["short (Below), 3600 s covered, 34800 released, 1200 short"],
    );
}

#[test]
fn a_second_outlet_that_lets_out_nothing_does_not_answer_for_what_the_first_one_lost() {
    // of the first outlet every second reading is there, and stands in for what is lost; the second
    // one is closed and says so
    let lossy = format!("{FIRST} {}", "10 - 10 - - 10 ".repeat(2));
    let closed = "0 ".repeat(24);
    for statistic in [Statistic::HourlyMean, Statistic::Instantaneous, Statistic::RunningHour] {
        check(
            statistic,
            &[&lossy, &closed],
            &expect!["indeterminate (TooLittleKnown), 1800 s covered, 18000 released, 0 short"],
        );
    }
}

#[test]
fn readings_that_two_outlets_lose_at_once_are_not_credited_twice() {
    // each lets out 6 of 10 for a while, then 2: the readings of the latter are lost by turns
    let whole = format!("{FIRST} 6 6 6 6 6 6 2 2 2 2 2 2");
    let lost = format!("{FIRST} 6 6 6 6 6 6 - 2 2 2 2 2");
    let short = |lines: &[&str]| {
        let outlets: Vec<Outlet> = lines.iter().map(|line| every_300(line)).collect();
        let rule = rule(Statistic::HourlyMean, Missing::Indeterminate);
        judged(&outlets, &[step(0, 10)], &[], seconds(HOUR, 2 * HOUR), &rule)
    };
    assert_eq!(short(&[&whole, &whole]).verdict, Verdict::Short);
    let judged = short(&[&lost, &lost]);
    assert_eq!((judged.verdict, judged.weight.whole_water / 1_000), (Verdict::Short, 30_600));
}

#[test]
fn a_complete_hour_after_an_outage_is_judged_by_what_it_is() {
    let after = |before: &str, hour: &str| format!("{before} {}", format!("{hour} ").repeat(12));
    let outage = "- ".repeat(12);
    check(
        Statistic::RunningHour,
        &[&after(&outage, "20")],
        &expect!["met (Enough), 3600 s covered, 72000 released, 0 short"],
    );
    check(
        Statistic::RunningHour,
        &[&after("20 20 20 20 20 20 - - - - - -", "20")],
        &expect!["met (Enough), 3600 s covered, 72000 released, 0 short"],
    );
    check(
        Statistic::RunningHour,
        &[&after(&outage, "9")],
        &expect!["short (Below), 3600 s covered, 32400 released, 3600 short"],
    );
    // what is known of the hours before is below: nobody says that any hour was enough
    let doubtful = after("1 1 1 1 1 1 - - - - - -", "20");
    check(
        Statistic::RunningHour,
        &[&doubtful],
        &expect!["indeterminate (TooLittleKnown), 3600 s covered, 72000 released, 0 short"],
    );
    let rule = rule(Statistic::RunningHour, Missing::Short);
    let period = seconds(HOUR, 2 * HOUR);
    let judged = judged(&[every_300(&doubtful)], &[step(0, 10)], &[], period, &rule);
    assert_eq!(judged.verdict, Verdict::Indeterminate, "what was measured is no shortfall");
}

#[test]
fn a_value_that_only_stands_in_makes_no_run_longer() {
    let hour = |run: &str| format!("{FIRST} 10 10 10 {run} 10 10 10 10 10 10");
    let of = |run: &str| {
        let rule = rule(Statistic::BelowFor { for_ms: 600_000 }, Missing::Short);
        let outlets = [every_300(&hour(run))];
        judged(&outlets, &[step(0, 10)], &[], seconds(HOUR, 2 * HOUR), &rule).verdict
    };
    // below at one reading; the next one is lost
    assert_eq!(of("9 - 10"), Verdict::Met);
    // two readings tell of it, be the one between them lost
    assert_eq!((of("9 9 10"), of("9 - 9")), (Verdict::Short, Verdict::Short));
}

#[test]
fn what_holds_without_doubted_readings_and_with_them_holds() {
    let of = |credible: &str, as_read: &str, missing: Missing| {
        let by = |line: &str| {
            let rule = rule(Statistic::HourlyMean, missing);
            judged(&[every_300(line)], &[step(0, 10)], &[], seconds(HOUR, 2 * HOUR), &rule)
        };
        let judged = by(credible).and_as_read(by(as_read));
        (judged.verdict, judged.because, judged.as_read.is_some())
    };
    let hour = |flows: &str| format!("{FIRST} {flows}");
    let lost = hour(&"- ".repeat(12));
    // the range is too narrow: the meter says that there was enough
    assert_eq!(
        of(&lost, &hour(&"20 ".repeat(12)), Missing::Short),
        (Verdict::Indeterminate, Because::Doubted, true)
    );
    // one way or the other it is short
    let dry = hour(&"-1 ".repeat(12));
    assert_eq!(of(&lost, &dry, Missing::Short), (Verdict::Short, Because::TooLittleKnown, true));
    assert_eq!(
        of(&lost, &dry, Missing::Indeterminate),
        (Verdict::Indeterminate, Because::Doubted, true)
    );
    // a value that stuck out of the range makes nothing met
    let spike = |flow: &str| hour(&format!("9 9 9 9 9 9 {flow} 9 9 9 9 9"));
    assert_eq!(
        of(&spike("-"), &spike("9000"), Missing::Short),
        (Verdict::Indeterminate, Because::Doubted, true)
    );
    assert_eq!(
        of(&spike("-"), &spike("11"), Missing::Short),
        (Verdict::Short, Because::Below, true)
    );
    let enough = |flow: &str| hour(&format!("11 11 11 11 11 11 {flow} 11 11 11 11 11"));
    assert_eq!(
        of(&enough("-"), &enough("90"), Missing::Short),
        (Verdict::Met, Because::Enough, true)
    );
    assert_eq!(
        of(&enough("11"), &enough("11"), Missing::Short),
        (Verdict::Met, Because::Enough, false)
    );
}

#[test]
fn an_exempt_hour_is_neither_met_nor_short() {
    let outlets = [every_300(&"9 ".repeat(24))];
    let of = |exempt: Span| {
        let rule = rule(Statistic::HourlyMean, Missing::Short);
        judged(&outlets, &[step(0, 10)], &[exempt], seconds(HOUR, 2 * HOUR), &rule).verdict
    };
    assert_eq!(of(seconds(0, HOUR)), Verdict::Short);
    assert_eq!(of(seconds(HOUR, HOUR + 900)), Verdict::Short);
    assert_eq!(of(seconds(HOUR, HOUR + 901)), Verdict::Exempt);
}

#[test]
fn a_requirement_that_changes_within_the_hour_is_weighed_by_time() {
    let outlets = [every_300(&"15 ".repeat(24))];
    let of = |second: i64| {
        let steps = [step(0, 10), step(HOUR + 1_800, second)];
        let rule = rule(Statistic::HourlyMean, Missing::Short);
        judged(&outlets, &steps, &[], seconds(HOUR, 2 * HOUR), &rule).verdict
    };
    assert_eq!((of(20), of(21)), (Verdict::Met, Verdict::Short));
}

/// A judge that counts seconds: nothing of what it is compared with is used but the rule's words.
mod by_seconds {
    use super::*;

    /// Moments in seconds.
    #[derive(Debug, Clone)]
    pub(super) struct Case {
        pub(super) outlets: Vec<Outlet>,
        pub(super) steps: Vec<(i64, i64)>,
        pub(super) exempt: std::ops::Range<i64>,
        pub(super) percent: i64,
        pub(super) statistic: Statistic,
    }

    #[derive(Clone, Copy)]
    struct Second {
        measured: i64,
        released: i64,
        held: usize,
        fresh: usize,
        required: i64,
        enough: i64,
        is_exempt: bool,
    }

    fn second(case: &Case, at: i64) -> Second {
        let required = case.steps.iter().rev().find(|(from, _)| *from <= at).unwrap().1;
        let enough = (required * case.percent + 99) / 100;
        let is_exempt = case.exempt.contains(&at);
        let mut second =
            Second { measured: 0, released: 0, held: 0, fresh: 0, required, enough, is_exempt };
        for outlet in &case.outlets {
            let mut samples = outlet.samples.iter().rev();
            let Some((moment, flow)) = samples.find(|(moment, _)| moment.as_ms() <= at * 1_000)
            else {
                continue;
            };
            let (age, flow) = (at * 1_000 - moment.as_ms(), flow.as_ml_per_s());
            if age < outlet.interval_ms {
                second.fresh += 1;
                second.measured += flow;
            } else if age >= outlet.interval_ms * 5 / 2 {
                continue;
            }
            second.held += 1;
            second.released += flow;
        }
        second
    }

    impl Second {
        /// With stale values beside fresh ones, up to what is enough.
        fn credited(&self) -> i64 {
            if self.released > self.enough.max(self.measured) {
                self.enough.max(self.measured)
            } else {
                self.released
            }
        }

        /// Beside fresh values stale ones are missing.
        fn bound(&self) -> i64 {
            if self.fresh > 0 { self.measured } else { self.credited() }
        }
    }

    /// `part` of `whole`, as a share of time.
    fn reaches(part: usize, whole: usize, share: (usize, usize)) -> bool {
        whole > 0 && part * share.1 >= share.0 * whole
    }

    /// Of the seconds that are not exempt.
    fn mean(case: &Case, seconds: &[Second], share: (usize, usize)) -> Option<bool> {
        let seconds: Vec<Second> = seconds.iter().copied().filter(|s| !s.is_exempt).collect();
        let outlets = case.outlets.len();
        let count = |is: &dyn Fn(&Second) -> bool| seconds.iter().filter(|s| is(s)).count();
        let required: i64 = seconds.iter().map(|s| s.required).sum();
        let is_enough = |is: &dyn Fn(&Second) -> bool, of: &dyn Fn(&Second) -> i64| {
            let water: i64 = seconds.iter().filter(|s| is(s)).map(of).sum();
            let (time, all) = (count(is), seconds.len());
            let (time, all) = (i128::try_from(time).unwrap(), i128::try_from(all).unwrap());
            let (water, needed) = (i128::from(water), i128::from(required * case.percent));
            time > 0 && water * all * 100 >= needed * time
        };
        let is_covered = reaches(count(&|s| s.fresh == outlets), seconds.len(), share);
        let is_partly = reaches(count(&|s| s.fresh > 0), seconds.len(), share);
        if is_covered && is_enough(&|s| s.held == outlets, &Second::credited)
            || is_partly && is_enough(&|s| s.held > 0, &Second::bound)
        {
            return Some(true);
        }
        is_covered.then_some(false)
    }

    /// Of what is known of these seconds.
    fn is_known_below(case: &Case, seconds: &[Second]) -> bool {
        let left = seconds.iter().filter(|s| !s.is_exempt);
        let (mut water, mut time, mut required, mut all) = (0, 0, 0, 0);
        for second in left {
            all += 1;
            required += second.required;
            if second.held > 0 {
                water += second.bound();
                time += 1;
            }
        }
        time > 0 && i128::from(water * all * 100) < i128::from(required * case.percent) * time
    }

    pub(super) fn judge(case: &Case) -> Verdict {
        let all: Vec<Second> = (0..2 * HOUR).map(|at| second(case, at)).collect();
        let hour = usize::try_from(HOUR).unwrap();
        let share = if case.statistic == Statistic::DailyMean { (20, 24) } else { (3, 4) };
        let period: Vec<Second> = all[hour..].to_vec();
        let left: Vec<&Second> = period.iter().filter(|s| !s.is_exempt).collect();
        if !reaches(left.len(), hour, share) {
            return Verdict::Exempt;
        }
        let outlets = case.outlets.len();
        let accounted = || {
            let is = |s: &&&Second| s.fresh == outlets || s.fresh > 0 && s.measured >= s.enough;
            reaches(left.iter().filter(is).count(), left.len(), share).then_some(true)
        };
        let finding = match case.statistic {
            Statistic::HourlyMean | Statistic::DailyMean => mean(case, &period, share),
            Statistic::Instantaneous => {
                let is_below = |s: &&Second| s.fresh == outlets && s.released < s.enough;
                if left.iter().any(is_below) { Some(false) } else { accounted() }
            }
            Statistic::BelowFor { for_ms } => {
                let mut run = 0;
                let mut is_short = false;
                for (at, s) in (0_i64..).zip(&all) {
                    let is_below = !s.is_exempt && s.held == outlets && s.released < s.enough;
                    run = if is_below { run + 1 } else { 0 };
                    is_short |= at >= HOUR && run * 1_000 >= for_ms && s.fresh == outlets;
                }
                if is_short { Some(false) } else { accounted() }
            }
            Statistic::RunningHour => {
                let windows = (hour + 1..=2 * hour).map(|end| &all[end - hour..end]);
                let judged = windows
                    .filter(|of| reaches(of.iter().filter(|s| !s.is_exempt).count(), hour, share));
                let judged: Vec<_> = judged.collect();
                if judged.iter().any(|of| mean(case, of, share) == Some(false)) {
                    Some(false)
                } else {
                    let is_doubtful = |of: &&[Second]| {
                        mean(case, of, share).is_none() && is_known_below(case, of)
                    };
                    let is_known = mean(case, &period, share).is_some();
                    (is_known && !judged.iter().any(is_doubtful)).then_some(true)
                }
            }
        };
        finding
            .map_or(Verdict::Indeterminate, |met| if met { Verdict::Met } else { Verdict::Short })
    }
}

/// An outlet with an interval of some minutes, samples near its slots, some missing.
fn any_outlet() -> impl Strategy<Value = Outlet> {
    let flow = prop_oneof![3 => 0_i64..12, 1 => 0_i64..60];
    let sample = (flow, 0_i64..30, prop_oneof![4 => Just(true), 1 => Just(false)]);
    let interval = prop_oneof![Just(120_i64), Just(300), Just(900)];
    (interval, proptest::collection::vec(sample, 60), 0_usize..12).prop_map(
        |(interval, samples, cut)| {
            let slots = (0_i64..).step_by(usize::try_from(interval).unwrap());
            let samples = slots
                .zip(samples)
                .enumerate()
                .filter(|(index, (_, (_, _, is_there)))| {
                    *is_there && (*index < 14 || *index >= 14 + cut)
                })
                .map(|(_, (slot, (flow, offset, _)))| {
                    (Timestamp::clamped((slot + offset) * 1_000), Flow::from_ml_per_s(flow))
                });
            let always = Span { from: Timestamp::MIN, to: Timestamp::MAX };
            Outlet { interval_ms: interval * 1_000, in_force: always, samples: samples.collect() }
        },
    )
}

fn any_statistic() -> impl Strategy<Value = Statistic> {
    prop_oneof![
        Just(Statistic::HourlyMean),
        Just(Statistic::DailyMean),
        Just(Statistic::RunningHour),
        Just(Statistic::Instantaneous),
        (1_i64..3_600).prop_map(|seconds| Statistic::BelowFor { for_ms: seconds * 1_000 }),
    ]
}

fn verdict(case: &by_seconds::Case) -> Verdict {
    let factor = Decimal { units: case.percent, decimals: 2 };
    let rule = RuleProfile { factor, ..rule(case.statistic, Missing::Indeterminate) };
    let steps: Vec<Step> =
        case.steps.iter().map(|(from, required)| step(*from, *required)).collect();
    let exempt = [seconds(case.exempt.start, case.exempt.end)];
    judged(&case.outlets, &steps, &exempt, seconds(HOUR, 2 * HOUR), &rule).verdict
}

prop_compose! {
    fn any_case()(
        outlets in proptest::collection::vec(any_outlet(), 1..3),
        second in 0_i64..12, switch in 0_i64..2 * HOUR, statistic in any_statistic(),
        percent in prop_oneof![2 => Just(100_i64), 1 => 30_i64..140],
        exempt_from in 0_i64..2 * HOUR,
        exempt_length in prop_oneof![1 => Just(0_i64), 1 => 1_i64..HOUR],
    ) -> by_seconds::Case {
        let steps = vec![(0, 6), (switch, second)];
        let exempt = exempt_from..exempt_from + exempt_length;
        by_seconds::Case { outlets, steps, exempt, percent, statistic }
    }
}

#[test]
fn a_running_hour_that_an_exemption_leaves_just_enough_of_is_judged() {
    let flows = [vec!["990"; 15], vec!["2000"; 9]].concat().join(" ");
    let case = by_seconds::Case {
        outlets: vec![every_300(&flows)],
        steps: vec![(0, 1000)],
        exempt: 0..1_807,
        percent: 100,
        statistic: Statistic::RunningHour,
    };
    assert_eq!((verdict(&case), by_seconds::judge(&case)), (Verdict::Short, Verdict::Short));
}

proptest! {
    #[test]
    fn a_judge_that_counts_seconds_agrees(case in any_case()) {
        prop_assert_eq!(verdict(&case), by_seconds::judge(&case));
    }

    #[test]
    fn fewer_samples_at_or_above_the_requirement_never_turn_short_into_met(
        case in any_case(), lost in proptest::collection::vec(any::<bool>(), 120),
    ) {
        let case = by_seconds::Case { steps: vec![(0, 6)], ..case };
        let enough = (6 * case.percent + 99) / 100;
        let mut lost = lost.into_iter();
        let fewer = case.outlets.iter().map(|outlet| Outlet {
            samples: outlet.samples.iter().copied()
                .filter(|(_, flow)| !(lost.next() == Some(true) && flow.as_ml_per_s() >= enough))
                .collect(),
            ..outlet.clone()
        });
        let after = verdict(&by_seconds::Case { outlets: fewer.collect(), ..case.clone() });
        prop_assert!(verdict(&case) != Verdict::Short || after != Verdict::Met);
    }

    #[test]
    fn deficits_of_adjoining_periods_add_up(outlets in proptest::collection::vec(any_outlet(), 1..3), cut in 1_i64..2 * HOUR) {
        let steps = [step(0, 6)];
        let duty = Duty { steps: &steps, factor: WHOLE, exempt: &[] };
        let weight = |from, to| release(&outlets, duty, seconds(from, to)).iter().sum::<Weight>();
        prop_assert_eq!(weight(0, cut) + weight(cut, 2 * HOUR), weight(0, 2 * HOUR));
    }
}
