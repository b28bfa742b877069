//! Rule tests: given these samples under this rule, expect these verdicts.

use crate::{
    flow::Flow,
    ids::RuleId,
    time::{Span, Timestamp, Zone},
    verdict::{Length, Verdict},
};

/// A case that a rule must judge as written: one section, one outlet, one requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTest {
    /// What it shows, in words; unique.
    pub id: String,
    /// The rule that judges.
    pub rule: RuleId,
    /// The zone whose days and hours count.
    pub zone: Zone,
    /// The flow mandated throughout.
    pub required: Flow,
    /// The outlet's reporting interval.
    pub interval_ms: i64,
    /// What was released.
    pub samples: TestSamples,
    /// When it was exempt.
    pub exempt: Vec<Span>,
    /// What must come out, at least one.
    pub expect: Vec<Expectation>,
}

/// Samples of a rule test, all good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TestSamples {
    /// One an interval from a moment on, in runs.
    Series {
        /// The moment of the first.
        from: Timestamp,
        /// The runs, one after another.
        runs: Vec<Run>,
    },
    /// At moments of their own, ascending.
    Single(Vec<(Timestamp, Flow)>),
}

/// So many samples of the same flow, or so many that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// How many, above 0.
    pub count: u32,
    /// What each of them is; none: they are missing.
    pub flow: Option<Flow>,
}

/// A verdict that must come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expectation {
    /// Of an hour or of a day.
    pub by: Length,
    /// The moment that begins the period.
    pub from: Timestamp,
    /// The outcome.
    pub verdict: Verdict,
}

impl RuleTest {
    /// Every sample that stands, in order of time.
    pub fn samples(&self) -> Vec<(Timestamp, Flow)> {
        match &self.samples {
            TestSamples::Single(samples) => samples.clone(),
            TestSamples::Series { from, runs } => {
                let slots = runs.iter().flat_map(|run| (0..run.count).map(|_| run.flow));
                let timed = slots.zip(0_i64..).filter_map(|(flow, slot)| {
                    flow.map(|flow| (from.plus_ms(slot.saturating_mul(self.interval_ms)), flow))
                });
                timed.collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_run_takes_its_time() {
        let from: Timestamp = "2026-01-01T00:00:00+08:00".parse().unwrap();
        let flow = Flow::from_m3_per_s("1.2").unwrap();
        let runs = vec![
            Run { count: 2, flow: Some(flow) },
            Run { count: 3, flow: None },
            Run { count: 1, flow: Some(Flow::ZERO) },
        ];
        let test = RuleTest {
            id: "a gap".to_owned(),
            rule: "r".parse().unwrap(),
            zone: Zone::named("Asia/Shanghai").unwrap(),
            required: flow,
            interval_ms: 60_000,
            samples: TestSamples::Series { from, runs },
            exempt: Vec::new(),
            expect: Vec::new(),
        };
        let minutes: Vec<_> =
            test.samples().iter().map(|(at, _)| at.ms_since(from) / 60_000).collect();
        assert_eq!(minutes, [0, 1, 5]);
    }
}
