//! What the API counts: calls by route and class of status, the seconds they took, what waits to be
//! written, receipts, log-ins, and who looks live.

use std::time::Duration;

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

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
    fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let snapshots = IntCounterVec::new(
            Opts::new(
                "baseflow_dashboards_live_snapshots_total",
                "Snapshots that viewers got live, by why: new, lost what they missed, slow",
            ),
            &["why"],
        )?;
        for why in Why::ALL {
            snapshots.with_label_values(&[why.word()]); // there from the start, at nought
        }
        let refused = refusals(
            registry,
            (
                "baseflow_dashboards_live_refused_total",
                "Live streams that were refused by why: as many of its own as one may have, as many of all",
            ),
        )?;
        let metrics = Self {
            viewers: IntGauge::new("baseflow_dashboards_live_viewers", "Open live streams")?,
            refused,
            failures: IntCounter::new(
                "baseflow_dashboards_live_failures_total",
                "Looks at the store for the live streams that failed",
            )?,
            snapshots,
        };
        registry.register(Box::new(metrics.viewers.clone()))?;
        registry.register(Box::new(metrics.failures.clone()))?;
        registry.register(Box::new(metrics.snapshots.clone()))?;
        Ok(metrics)
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
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests = IntCounterVec::new(
            Opts::new(
                "baseflow_dashboards_requests_total",
                "Calls of the HTTP API by route and class of status",
            ),
            &["route", "class"],
        )?;
        let seconds = seconds()?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        let open = ("baseflow_dashboards_connections", "Open connections to the HTTP API");
        let waiting =
            ("baseflow_dashboards_answer_bytes", "Bytes of answers that wait to be written");
        let (connections, answer_bytes) = (gauge(registry, open)?, gauge(registry, waiting)?);
        let receipts = outcomes(
            registry,
            (
                "baseflow_dashboards_receipts_total",
                "Delivery receipts of gateways by what became of them",
            ),
            Outcome::ALL.map(Outcome::word),
        )?;
        let log_ins = outcomes(
            registry,
            (
                "baseflow_dashboards_logins_total",
                "Log-ins by what became of them: right, wrong, locked after too many wrong ones, refused for want of room",
            ),
            LogIn::ALL.map(LogIn::word),
        )?;
        let screens = outcomes(
            registry,
            (
                "baseflow_dashboards_screens_total",
                "Links of screens on walls by what became of them: opened, unknown, refused for want of room",
            ),
            Opening::ALL.map(Opening::word),
        )?;
        let refused = refusals(
            registry,
            (
                "baseflow_dashboards_calls_refused_total",
                "Calls and files that were refused by why: as many of its own as one may have, as many of all",
            ),
        )?;
        let forgotten_places = counter(
            registry,
            (
                "baseflow_dashboards_login_places_forgotten_total",
                "Places whose wrong passwords were forgotten before their time, for want of room",
            ),
        )?;
        let live = LiveMetrics::new(registry)?;
        Ok(Self {
            requests,
            seconds,
            connections,
            answer_bytes,
            receipts,
            log_ins,
            screens,
            refused,
            forgotten_places,
            live,
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

fn seconds() -> Result<HistogramVec, prometheus::Error> {
    let buckets = vec![0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];
    let name = "baseflow_dashboards_request_seconds";
    let help = "Seconds from a call's head to its answer's head, by route";
    HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), &["route"])
}

fn gauge(registry: &Registry, (name, help): (&str, &str)) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn counter(
    registry: &Registry,
    (name, help): (&str, &str),
) -> Result<IntCounter, prometheus::Error> {
    let counter = IntCounter::new(name, help)?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

/// Counts by why there was no place, each of which is there from the start, at nought.
fn refusals(
    registry: &Registry,
    (name, help): (&str, &str),
) -> Result<IntCounterVec, prometheus::Error> {
    let counts = IntCounterVec::new(Opts::new(name, help), &["why"])?;
    for why in Crowded::ALL {
        counts.with_label_values(&[why.word()]);
    }
    registry.register(Box::new(counts.clone()))?;
    Ok(counts)
}

/// Counts by outcome, each of which is there from the start, at nought.
fn outcomes(
    registry: &Registry,
    (name, help): (&str, &str),
    words: impl IntoIterator<Item = &'static str>,
) -> Result<IntCounterVec, prometheus::Error> {
    let counts = IntCounterVec::new(Opts::new(name, help), &["outcome"])?;
    for word in words {
        counts.with_label_values(&[word]);
    }
    registry.register(Box::new(counts.clone()))?;
    Ok(counts)
}
