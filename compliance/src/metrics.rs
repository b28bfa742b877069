//! What compliance counts.

use prometheus::{Error, IntCounter, IntGauge, Registry};
use runtime::metrics::Subsystem;

/// The counters of one consumer.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Periods that were closed.
    pub closed: IntCounter,
    /// Closed periods of which another outcome became known.
    pub revised: IntCounter,
    /// Hours that were judged by what is carried on of them.
    pub carried: IntCounter,
    /// Hours that were judged from all of their readings.
    pub afresh: IntCounter,
    /// Sections of which a reading came late, so that their open hour is judged from its readings.
    pub late: IntCounter,
    /// Passes that failed and are tried again.
    pub failures: IntCounter,
    /// The last feed row that was taken up.
    pub position: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Subsystem::new("compliance", registry);
        Ok(Self {
            closed: metrics.counter(
                "closed_total",
                "Hours and days that were closed.",
            )?,
            revised: metrics.counter(
                "revised_total",
                "Closed hours and days that were judged again with another outcome.",
            )?,
            carried: metrics.counter(
                "carried_total",
                "Hours that were judged by carrying on with what had come.",
            )?,
            afresh: metrics.counter(
                "afresh_total",
                "Hours that were judged from all of their readings.",
            )?,
            late: metrics.counter(
                "late_total",
                "Times that a reading of an open hour came late, so that it was judged from all of them.",
            )?,
            failures: metrics.counter(
                "failures_total",
                "Passes over the feed that failed and are tried again.",
            )?,
            position: metrics.gauge(
                "feed_position",
                "The last row of the feed of samples that was taken up.",
            )?,
        })
    }
}
