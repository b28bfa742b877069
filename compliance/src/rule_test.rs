//! Rule tests of the registry: what the engine makes of the samples that a bureau wrote down.

use model::{
    period,
    release::{Duty, Outlet, Step, release},
    rule::{RuleProfile, Statistic},
    rule_test::{Expectation, RuleTest},
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};

use crate::{
    day::day,
    evaluate::{Judged, evaluate},
    judgement::Hours,
};

/// A verdict that did not come out as the test expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected.
    pub expected: Expectation,
    /// What came out.
    pub found: Verdict,
}

/// Judges the samples of `test` by its rule and compares.
pub fn run(test: &RuleTest, rule: &RuleProfile) -> Vec<Mismatch> {
    let case = Case { test, rule, outlet: outlet(test) };
    let found = test.expect.iter().map(|expected| {
        let found = match expected.by {
            Length::Hour => case.judge(period::hour_of(expected.from, &test.zone)).verdict,
            Length::Day => case.day(expected.from),
        };
        Mismatch { expected: *expected, found }
    });
    found.filter(|mismatch| mismatch.found != mismatch.expected.verdict).collect()
}

struct Case<'a> {
    test: &'a RuleTest,
    rule: &'a RuleProfile,
    outlet: Outlet,
}

impl Case<'_> {
    fn day(&self, from: Timestamp) -> Verdict {
        let span = period::day_of(from, self.rule.day_start, &self.test.zone);
        if self.rule.statistic == Statistic::DailyMean {
            return self.judge(span).verdict;
        }
        let hours: Vec<Verdict> =
            period::hours(span, &self.test.zone).map(|hour| self.judge(hour).verdict).collect();
        // whoever writes the samples down doubts none of them
        day(Hours::of(&hours), self.rule).unwrap_or(Verdict::Indeterminate)
    }

    fn judge(&self, period: Span) -> Judged {
        let steps = [Step { from: Timestamp::MIN, required: self.test.required }];
        let duty = Duty { steps: &steps, factor: self.rule.factor, exempt: &self.test.exempt };
        let from = period.from.plus_ms(-self.rule.statistic.lookback_ms());
        let outlets = std::slice::from_ref(&self.outlet);
        evaluate(&release(outlets, duty, Span { from, ..period }), period, self.rule)
    }
}

fn outlet(test: &RuleTest) -> Outlet {
    let always = Span { from: Timestamp::MIN, to: Timestamp::MAX };
    Outlet { interval_ms: test.interval_ms, in_force: always, samples: test.samples() }
}

#[cfg(test)]
mod tests {
    use model::{
        flow::Flow,
        rule::Missing,
        rule_test::{Run, TestSamples},
        time::Zone,
    };

    use super::*;
    use crate::evaluate::tests::rule;

    /// Minutes of 1.2 m³/s from midnight on, then minutes that are missing, through a day.
    fn test(good: u32, missing: u32, expect: Vec<Expectation>) -> RuleTest {
        let flow = Flow::from_m3_per_s("1.2").unwrap();
        let runs = (0..24).flat_map(|_| {
            [Run { count: good, flow: Some(flow) }, Run { count: missing, flow: None }]
        });
        RuleTest {
            id: "minutes".to_owned(),
            rule: "hourly-mean-80".parse().unwrap(),
            zone: Zone::named("Asia/Shanghai").unwrap(),
            required: flow,
            interval_ms: 60_000,
            samples: TestSamples::Series { from: begin(), runs: runs.collect() },
            exempt: Vec::new(),
            expect,
        }
    }

    fn begin() -> Timestamp {
        "2026-04-01T00:00:00+08:00".parse().unwrap()
    }

    fn expect(by: Length, verdict: Verdict) -> Expectation {
        Expectation { by, from: begin(), verdict }
    }

    #[test]
    fn forty_five_minutes_of_an_hour_are_enough_and_forty_four_are_not() {
        let rule = rule(Statistic::HourlyMean, Missing::Indeterminate);
        let expected = |verdict| vec![expect(Length::Hour, verdict), expect(Length::Day, verdict)];
        assert_eq!(run(&test(45, 15, expected(Verdict::Met)), &rule), []);
        assert_eq!(run(&test(44, 16, expected(Verdict::Indeterminate)), &rule), []);
        let wrong = test(44, 16, expected(Verdict::Met));
        let found: Vec<_> = run(&wrong, &rule)
            .into_iter()
            .map(|mismatch| (mismatch.expected.by, mismatch.found))
            .collect();
        let unknown = Verdict::Indeterminate;
        assert_eq!(found, [(Length::Hour, unknown), (Length::Day, unknown)]);
    }

    #[test]
    fn a_daily_mean_is_judged_over_the_day_itself() {
        let rule = rule(Statistic::DailyMean, Missing::Short);
        assert_eq!(run(&test(50, 10, vec![expect(Length::Day, Verdict::Met)]), &rule), []);
        assert_eq!(run(&test(49, 11, vec![expect(Length::Day, Verdict::Short)]), &rule), []);
    }
}
