//! What is counted of polling, by bus and reason.

use std::collections::BTreeMap;

use model::quality::Quality;
use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Registry};
use runtime::metrics::Subsystem;

/// The reasons that [`reason`] gives: every series is there from the start.
const REASONS: [&str; 10] = [
    "timeout",
    "unreachable",
    "malformed",
    "mismatched",
    "short",
    "not_a_number",
    "invalid_bcd",
    "overflow",
    "back_off",
    "exception",
];

/// The families, registered once.
#[derive(Debug, Clone)]
pub struct Metrics {
    taken: IntCounterVec,
    failed: IntCounterVec,
    skipped: IntCounterVec,
    split: IntCounterVec,
    unasked: IntCounterVec,
    poll: HistogramVec,
}

/// The series of one bus.
#[derive(Debug, Clone)]
pub struct BusMetrics {
    /// Readings with a value.
    pub taken: IntCounter,
    /// Slots without any reading.
    pub skipped: IntCounter,
    /// Reads that a device refused as a whole and that are made in pieces since.
    pub split: IntCounter,
    /// Whole answers on a serial line to which there was no question, or not any more.
    pub unasked: IntCounter,
    /// From the first request of a poll to its last answer.
    pub poll: Histogram,
    failed: BTreeMap<&'static str, IntCounter>,
}

impl Metrics {
    /// Registers the families.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Subsystem::new("edge", registry);
        let buckets = vec![0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let seconds = metrics
            .opts("poll_seconds", "From the first request of a device's poll to its last answer");
        let seconds = HistogramOpts::from(seconds).buckets(buckets);
        let poll = metrics.register(HistogramVec::new(seconds, &["bus"]))?;
        Ok(Self {
            taken: metrics.counters(
                "readings_taken_total",
                "Readings with a value",
                &["bus"],
            )?,
            failed: metrics.counters(
                "readings_failed_total",
                "Readings without a value, by reason",
                &["bus", "reason"],
            )?,
            skipped: metrics.counters(
                "slots_missed_total",
                "Slots for which no reading was taken since the line was busy",
                &["bus"],
            )?,
            split: metrics.counters(
                "reads_split_total",
                "Reads that a device refused as a whole and that are made in pieces since",
                &["bus"],
            )?,
            unasked: metrics.counters(
                "answers_unasked_total",
                "Answers on a serial line that nobody waited for: late ones, copies, and what was said unasked",
                &["bus"],
            )?,
            poll,
        })
    }

    /// The series of the bus with this name.
    pub fn of(&self, bus: &str) -> BusMetrics {
        let failed = |reason| (reason, self.failed.with_label_values(&[bus, reason]));
        BusMetrics {
            taken: self.taken.with_label_values(&[bus]),
            skipped: self.skipped.with_label_values(&[bus]),
            split: self.split.with_label_values(&[bus]),
            unasked: self.unasked.with_label_values(&[bus]),
            poll: self.poll.with_label_values(&[bus]),
            failed: REASONS.into_iter().map(failed).collect(),
        }
    }
}

impl BusMetrics {
    /// Counts a reading without a value.
    pub fn failed(&self, defect: Quality) {
        if let Some(counter) = self.failed.get(reason(defect)) {
            counter.inc();
        }
    }
}

/// A defect's label; exceptions share one, so that a meter cannot invent labels.
fn reason(defect: Quality) -> &'static str {
    let word = defect.word();
    let named = REASONS.into_iter().find(|reason| *reason == word);
    named.unwrap_or("exception")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defect_has_a_label_and_every_series_is_there_from_the_start() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap().of("meters");
        for code in 128..=255 {
            metrics.failed(Quality::from_code(code));
        }
        let counts: Vec<_> = metrics.failed.iter().map(|(why, n)| (*why, n.get())).collect();
        expect_test::expect![[r#"[("back_off", 1), ("exception", 119), ("invalid_bcd", 1), ("malformed", 1), ("mismatched", 1), ("not_a_number", 1), ("overflow", 1), ("short", 1), ("timeout", 1), ("unreachable", 1)]"#]].assert_eq(&format!("{counts:?}"));
    }
}
