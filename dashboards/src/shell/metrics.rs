//! What the API counts: calls by route and class of status, the seconds they took, what waits to be
//! written, receipts, log-ins, and who looks live.

use std::time::Duration;

use prometheus::{
    Error, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry,
};
use runtime::metrics::Subsystem;

use super::{hooks::Outcome, people::LogIn, places::Crowded, screens::Opening};
use crate::live::event::Why;

/// Counts calls; clones share the counters.
#[derive(Debug, Clone)]
pub struct Metrics {
    requests: IntCounterVec,
    seconds: HistogramVec,
    pub(crate) connections: IntGauge,
    pub(crate) answer_bytes: IntGauge,
    receipts: IntCounterVec,
    log_ins: IntCounterVec,
    screens: IntCounterVec,
    refused: IntCounterVec,
    pub(crate) forgotten_places: IntCounter,
    pub(crate) live: LiveMetrics,
}

/// What is counted of those who look live.
#[derive(Debug, Clone)]
pub(crate) struct LiveMetrics {
    /// How many there are.
    pub(crate) viewers: IntGauge,
    /// How many did not find a place.
    refused: IntCounterVec,
    /// Looks at the store that failed.
    pub(crate) failures: IntCounter,
    snapshots: IntCounterVec,
}

impl LiveMetrics {
    fn new(metrics: Subsystem<'_>) -> Result<Self, Error> {
        Ok(Self {
            viewers: metrics.gauge("live_viewers", "Open live streams")?,
            refused: metrics.counters_of(
                (
                    "live_refused_total",
                    "Live streams that were refused by why: as many of its own as one may have, as many of all",
                ),
                "why",
                Crowded::ALL.map(Crowded::word),
            )?,
            failures: metrics.counter(
                "live_failures_total",
                "Looks at the store for the live streams that failed",
            )?,
            snapshots: metrics.counters_of(
                (
                    "live_snapshots_total",
                    "Snapshots that viewers got live, by why: new, lost what they missed, slow",
                ),
                "why",
                Why::ALL.map(Why::word),
            )?,
        })
    }

    pub(crate) fn note_refused(&self, why: Crowded) {
        self.refused.with_label_values(&[why.word()]).inc();
    }

    pub(crate) fn note_snapshot(&self, why: Why) {
        self.snapshots.with_label_values(&[why.word()]).inc();
    }
}

impl Metrics {
    /// Registers the metrics of this crate.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Subsystem::new("dashboards", registry);
        Ok(Self {
            requests: metrics.counters(
                "requests_total",
                "Calls of the HTTP API by route and class of status",
                &["route", "class"],
            )?,
            seconds: seconds(metrics)?,
            connections: metrics.gauge("connections", "Open connections to the HTTP API")?,
            answer_bytes: metrics
                .gauge("answer_bytes", "Bytes of answers that wait to be written")?,
            receipts: metrics.counters_of(
                ("receipts_total", "Delivery receipts of gateways by what became of them"),
                "outcome",
                Outcome::ALL.map(Outcome::word),
            )?,
            log_ins: metrics.counters_of(
                (
                    "logins_total",
                    "Log-ins by what became of them: right, wrong, locked after too many wrong ones, refused for want of room",
                ),
                "outcome",
                LogIn::ALL.map(LogIn::word),
            )?,
            screens: metrics.counters_of(
                (
                    "screens_total",
                    "Links of screens on walls by what became of them: opened, unknown, refused for want of room",
                ),
                "outcome",
                Opening::ALL.map(Opening::word),
            )?,
            refused: metrics.counters_of(
                (
                    "calls_refused_total",
                    "Calls and files that were refused by why: as many of its own as one may have, as many of all",
                ),
                "why",
                Crowded::ALL.map(Crowded::word),
            )?,
            forgotten_places: metrics.counter(
                "login_places_forgotten_total",
                "Places whose wrong passwords were forgotten before their time, for want of room",
            )?,
            live: LiveMetrics::new(metrics)?,
        })
    }

    pub(crate) fn note_log_in(&self, outcome: LogIn) {
        self.log_ins.with_label_values(&[outcome.word()]).inc();
    }

    pub(crate) fn note_refused(&self, why: Crowded) {
        self.refused.with_label_values(&[why.word()]).inc();
    }

    pub(crate) fn note_screen(&self, outcome: Opening) {
        self.screens.with_label_values(&[outcome.word()]).inc();
    }

    pub(crate) fn note_receipt(&self, outcome: Outcome) {
        self.receipts.with_label_values(&[outcome.word()]).inc();
    }

    /// `route` is one of the table or `none`, so that the labels are countable.
    pub(crate) fn note(&self, route: &str, status: u16, took: Duration) {
        let class = match status {
            ..400 => "ok",
            400..500 => "refused",
            500.. => "failed",
        };
        self.requests.with_label_values(&[route, class]).inc();
        self.seconds.with_label_values(&[route]).observe(took.as_secs_f64());
    }
}

fn seconds(metrics: Subsystem<'_>) -> Result<HistogramVec, Error> {
    let help = "Seconds from a call's head to its answer's head, by route";
    let buckets = vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
    let opts = HistogramOpts::from(metrics.opts("request_seconds", help)).buckets(buckets);
    metrics.register(HistogramVec::new(opts, &["route"]))
}
