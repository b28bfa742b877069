//! What the agent counts, by the names that operators see.

use prometheus::{Gauge, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Registry};
use runtime::metrics::Subsystem;

/// Every number of the agent; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Batches closed.
    pub batches_closed: IntCounter,
    /// Batches given to the broker, each time.
    pub batches_sent: IntCounter,
    /// Those of them that were sent before.
    pub batches_resent: IntCounter,
    /// Batches that a notice named.
    pub batches_committed: IntCounter,
    /// Batches that the broker would not have.
    pub broker_refusals: IntCounter,
    /// Batches larger than what the broker takes, each time.
    pub too_large: IntCounter,
    /// Refusals by their reason.
    pub refusals: IntCounterVec,
    /// Notices that committed nothing, by why.
    pub strays: IntCounterVec,
    /// Messages of the server that are none.
    pub unreadable: IntCounter,
    /// 1 while connected.
    pub connected: IntGauge,
    /// Connections made.
    pub connections: IntCounter,
    /// Bytes in use.
    pub spool_bytes: IntGauge,
    /// Batches that no notice named.
    pub spool_queued: IntGauge,
    /// Hours until the oldest of them would go.
    pub spool_hours_left: Gauge,
    /// Readings lost for want of room.
    pub spool_overwritten: IntCounter,
    /// Rows set aside because they would not decode.
    pub spool_set_aside: IntCounter,
    /// Files set aside because they were damaged.
    pub spool_damaged: IntCounter,
    /// How long the disk took for one command of the batcher or the uplink.
    pub spool_seconds: Histogram,
    /// Changes that the disk refused; they are tried again.
    pub spool_failures: IntCounter,
}

impl Metrics {
    /// Registers everything.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Subsystem::new("edge", registry);
        Ok(Self {
            batches_closed: metrics.counter("batches_closed_total", "Batches closed.")?,
            batches_sent: metrics.counter("batches_sent_total", "Batches given to the broker.")?,
            batches_resent: metrics.counter(
                "batches_resent_total",
                "Batches given to the broker again for want of a commit notice.",
            )?,
            batches_committed: metrics
                .counter("batches_committed_total", "Batches that a commit notice named.")?,
            broker_refusals: metrics
                .counter("broker_refusals_total", "Batches that the broker refused.")?,
            too_large: metrics.counter(
                "batches_too_large_total",
                "Batches kept back, for the broker takes no packet so large; tried again.",
            )?,
            refusals: metrics.counters("refusals_total", "Refusals by reason.", &["reason"])?,
            strays: metrics.counters(
                "stray_notices_total",
                "Commit notices that committed nothing, by why.",
                &["why"],
            )?,
            unreadable: metrics.counter(
                "unreadable_messages_total",
                "Messages from the server that could not be read.",
            )?,
            connected: metrics.gauge("mqtt_connected", "1 while connected to the broker.")?,
            connections: metrics.counter("mqtt_connections_total", "Connections to the broker.")?,
            spool_bytes: metrics.gauge("spool_bytes", "Bytes in use in the spool.")?,
            spool_queued: metrics.gauge(
                "spool_queued_batches",
                "Batches in the spool that no commit notice named.",
            )?,
            spool_hours_left: metrics.register(Gauge::with_opts(metrics.opts(
                "spool_hours_left",
                "Hours until the oldest queued batch would be overwritten.",
            )))?,
            spool_overwritten: metrics.counter(
                "spool_overwritten_readings_total",
                "Readings dropped for want of room, since the start of the agent.",
            )?,
            spool_set_aside: metrics.counter(
                "spool_set_aside_total",
                "Rows of the spool set aside because they would not decode.",
            )?,
            spool_damaged: metrics.counter(
                "spool_damaged_total",
                "Spool files set aside because they were damaged.",
            )?,
            spool_seconds: metrics.register(Histogram::with_opts(
                HistogramOpts::from(
                    metrics.opts("spool_seconds", "Seconds that a command of the spool took."),
                )
                .buckets(vec![0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0]),
            ))?,
            spool_failures: metrics
                .counter("spool_failures_total", "Changes of the spool that the disk refused.")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn operators_see_these_names() {
        let registry = Registry::new();
        let metrics = Metrics::new(&registry).unwrap();
        metrics.refusals.with_label_values(&["fork"]).inc();
        metrics.strays.with_label_values(&["unsent"]).inc();
        let families = registry.gather();
        let lines = families.iter().map(|family| format!("{} {}", family.name(), family.help()));
        expect![[r#"
            baseflow_edge_batches_closed_total Batches closed.
            baseflow_edge_batches_committed_total Batches that a commit notice named.
            baseflow_edge_batches_resent_total Batches given to the broker again for want of a commit notice.
            baseflow_edge_batches_sent_total Batches given to the broker.
            baseflow_edge_batches_too_large_total Batches kept back, for the broker takes no packet so large; tried again.
            baseflow_edge_broker_refusals_total Batches that the broker refused.
            baseflow_edge_mqtt_connected 1 while connected to the broker.
            baseflow_edge_mqtt_connections_total Connections to the broker.
            baseflow_edge_refusals_total Refusals by reason.
            baseflow_edge_spool_bytes Bytes in use in the spool.
            baseflow_edge_spool_damaged_total Spool files set aside because they were damaged.
            baseflow_edge_spool_failures_total Changes of the spool that the disk refused.
            baseflow_edge_spool_hours_left Hours until the oldest queued batch would be overwritten.
            baseflow_edge_spool_overwritten_readings_total Readings dropped for want of room, since the start of the agent.
            baseflow_edge_spool_queued_batches Batches in the spool that no commit notice named.
            baseflow_edge_spool_seconds Seconds that a command of the spool took.
            baseflow_edge_spool_set_aside_total Rows of the spool set aside because they would not decode.
            baseflow_edge_stray_notices_total Commit notices that committed nothing, by why.
            baseflow_edge_unreadable_messages_total Messages from the server that could not be read."#]].assert_eq(&lines.collect::<Vec<_>>().join("\n"));
    }
}
