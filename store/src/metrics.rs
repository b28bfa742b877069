//! What the store counts about itself.

use model::wire::refused_v1::{Kept, Reason};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use crate::admission::ParkBound;

/// The store's metrics, registered once a process.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// From the first write of a group to its sync, by `file`.
    pub(crate) commit_seconds: HistogramVec,
    /// Writes that were committed together.
    pub(crate) group_writes: Histogram,
    /// Payloads by what became of them: `outcome`.
    pub(crate) batches: IntCounterVec,
    /// Payloads of which something was set aside.
    pub(crate) parked: IntCounter,
    /// What counts against the park.
    pub(crate) parked_bytes: IntGauge,
    /// What is parked of payloads that are stored anyway.
    pub(crate) parked_beside_bytes: IntGauge,
    /// What they may count.
    pub(crate) parked_limit: IntGauge,
    /// Payloads that were not parked for want of room, by `bound` and `reason`.
    pub(crate) park_full: IntCounterVec,
    /// Anchors that contradict the one that stands for their start.
    pub(crate) other_anchors: IntCounter,
    /// Points admitted.
    pub(crate) samples: IntCounter,
    /// Points that only say again what was said of their moment.
    pub(crate) repeated: IntCounter,
    /// Points that contradict what stands at their moment.
    pub(crate) conflicts: IntCounter,
    /// Points of which that is not known, as looking would have held the writer too long.
    pub(crate) uncompared: IntCounter,
    /// Garbage that had to make room.
    pub(crate) garbage_dropped: IntCounter,
    /// Decided items of the park that had to make room.
    pub(crate) decided_dropped: IntCounter,
    /// Writes refused for want of room on the disk, by `file`.
    pub(crate) full: IntCounterVec,
    /// The size of each `file`.
    pub(crate) database_bytes: IntGaugeVec,
}

impl Metrics {
    /// Makes and registers them.
    pub(crate) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let file = &["file"];
        let metrics = Self {
            commit_seconds: commit_seconds()?,
            group_writes: Histogram::with_opts(
                HistogramOpts::new("baseflow_store_group_writes", "Writes committed together")
                    .buckets(vec![1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            )?,
            batches: IntCounterVec::new(
                Opts::new("baseflow_store_batches_total", "Payloads by what became of them"),
                &["outcome"],
            )?,
            parked: IntCounter::new(
                "baseflow_store_parked_total",
                "Payloads of which something was set aside",
            )?,
            parked_bytes: IntGauge::new(
                "baseflow_store_parked_bytes",
                "What all parked payloads count against the park",
            )?,
            parked_beside_bytes: IntGauge::new(
                "baseflow_store_parked_beside_bytes",
                "What is parked of payloads that are stored anyway; the park does not count it",
            )?,
            parked_limit: IntGauge::new(
                "baseflow_store_parked_limit_bytes",
                "The park's bound; an agent may fill an eighth of it",
            )?,
            park_full: IntCounterVec::new(
                Opts::new(
                    "baseflow_store_park_full_total",
                    "Payloads not taken for want of room in the park, or as their gateway started too often; resent ones each time",
                ),
                &["bound", "reason"],
            )?,
            other_anchors: IntCounter::new(
                "baseflow_store_anchor_conflicts_total",
                "Clock anchors that contradict the one that stands for their start",
            )?,
            samples: IntCounter::new("baseflow_store_samples_total", "New points admitted")?,
            repeated: repeated()?,
            conflicts: IntCounter::new(
                "baseflow_store_conflicts_total",
                "Points that contradict what stands at their moment",
            )?,
            uncompared: IntCounter::new(
                "baseflow_store_uncompared_total",
                "Points of which nobody looked whether they contradict what stands",
            )?,
            garbage_dropped: IntCounter::new(
                "baseflow_store_garbage_dropped_total",
                "Quarantined garbage that had to make room",
            )?,
            decided_dropped: decided_dropped()?,
            full: IntCounterVec::new(
                Opts::new("baseflow_store_full_total", "Writes refused for want of disk space"),
                file,
            )?,
            database_bytes: IntGaugeVec::new(
                Opts::new("baseflow_store_database_bytes", "Size of a database file"),
                file,
            )?,
        };
        metrics.begin_park_full();
        for collector in metrics.collectors() {
            registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// Shows every pair of labels from the start, so that a first refusal is seen as a change.
    fn begin_park_full(&self) {
        for bound in [ParkBound::Park, ParkBound::Agent] {
            for reason in Reason::ALL.iter().filter(|reason| reason.kept() == Kept::Parked) {
                self.park_full.with_label_values(&[bound.word(), reason.word()]).reset();
            }
        }
        let starts = [ParkBound::Anchors.word(), Reason::Anchor.word()];
        self.park_full.with_label_values(&starts).reset();
    }

    /// What is parked, in bytes: what counts against the park, and what does not.
    pub(crate) fn set_parked(&self, alone: u64, beside: u64) {
        self.parked_bytes.set(i64::try_from(alone).unwrap_or(i64::MAX));
        self.parked_beside_bytes.set(i64::try_from(beside).unwrap_or(i64::MAX));
    }

    fn collectors(&self) -> Vec<Box<dyn prometheus::core::Collector>> {
        vec![
            Box::new(self.commit_seconds.clone()),
            Box::new(self.group_writes.clone()),
            Box::new(self.batches.clone()),
            Box::new(self.parked.clone()),
            Box::new(self.parked_bytes.clone()),
            Box::new(self.parked_beside_bytes.clone()),
            Box::new(self.parked_limit.clone()),
            Box::new(self.park_full.clone()),
            Box::new(self.other_anchors.clone()),
            Box::new(self.samples.clone()),
            Box::new(self.repeated.clone()),
            Box::new(self.conflicts.clone()),
            Box::new(self.uncompared.clone()),
            Box::new(self.garbage_dropped.clone()),
            Box::new(self.decided_dropped.clone()),
            Box::new(self.full.clone()),
            Box::new(self.database_bytes.clone()),
        ]
    }
}

fn repeated() -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(
        "baseflow_store_repeated_total",
        "Points that only say again what was said of their moment",
    )
}

fn decided_dropped() -> Result<IntCounter, prometheus::Error> {
    IntCounter::new(
        "baseflow_store_decided_dropped_total",
        "Decided items of the park that had to make room for later ones",
    )
}

fn commit_seconds() -> Result<HistogramVec, prometheus::Error> {
    let buckets = vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0];
    let opts = HistogramOpts::new(
        "baseflow_store_commit_seconds",
        "From a group's first write to its sync",
    );
    HistogramVec::new(opts.buckets(buckets), &["file"])
}
