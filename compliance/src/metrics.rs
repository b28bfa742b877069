//! What compliance counts.

use prometheus::{Error, IntCounter, IntGauge, Registry};

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
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, Error>(counter)
        };
        let position = IntGauge::new(
            "baseflow_compliance_feed_position",
            "The last row of the feed of samples that was taken up.",
        )?;
        registry.register(Box::new(position.clone()))?;
        Ok(Self {
            closed: counter(
                "baseflow_compliance_closed_total",
                "Hours and days that were closed.",
            )?,
            revised: counter(
                "baseflow_compliance_revised_total",
                "Closed hours and days that were judged again with another outcome.",
            )?,
            carried: counter(
                "baseflow_compliance_carried_total",
                "Hours that were judged by carrying on with what had come.",
            )?,
            afresh: counter(
                "baseflow_compliance_afresh_total",
                "Hours that were judged from all of their readings.",
            )?,
            late: counter(
                "baseflow_compliance_late_total",
                "Times that a reading of an open hour came late, so that it was judged from all of them.",
            )?,
            failures: counter(
                "baseflow_compliance_failures_total",
                "Passes over the feed that failed and are tried again.",
            )?,
            position,
        })
    }
}
