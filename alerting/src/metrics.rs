//! What alerting counts.

use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use runtime::metrics::Subsystem;

/// The counters of alerting.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// The last feed row that was taken up.
    pub feed_position: IntGauge,
    /// The last journal entry that was taken up.
    pub entry_position: IntGauge,
    /// Passes that failed and are tried again.
    pub failures: IntCounter,
    /// Alarms that are not history, by `state`.
    pub alarms: IntGaugeVec,
    /// Steps of alarms that were journalled, by `what`.
    pub alarm_steps: IntCounterVec,
    /// Messages that something may follow of by itself, by `state`.
    pub messages: IntGaugeVec,
    /// Messages that entered a `state`.
    pub message_steps: IntCounterVec,
    /// How long the message has been owed that has waited longest.
    pub oldest_owed_seconds: IntGauge,
    /// Alarms that nobody has taken on and of which no channel has taken a message.
    pub unheard: IntGauge,
    /// Messages that wait for a place, by `channel`.
    pub queued: IntGaugeVec,
    /// How long the first of them has been due, by `channel`.
    pub queue_seconds: IntGaugeVec,
    /// Attempts, by `channel` and `outcome`: `accepted`, `refused` (for now), `unanswered` and
    /// `failed`.
    pub attempts: IntCounterVec,
    /// Receipts that said nothing.
    pub stray_receipts: IntCounter,
    /// Alarms that were raised and come and go.
    pub chattering: IntCounter,
    /// Rows at which no outlet was waited for any longer, since too much waited.
    pub cut_short: IntCounter,
    /// Whether conditions of silence wait for the server to listen.
    pub is_deaf: IntGauge,
}

impl Metrics {
    /// Registers them.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Subsystem::new("alerting", registry);
        Ok(Self {
            feed_position: metrics
                .gauge("feed_position", "The last row of the feed that was taken up.")?,
            entry_position: metrics.gauge("entry_position", "The last entry that was taken up.")?,
            failures: metrics
                .counter("failures_total", "Passes that failed and are tried again.")?,
            alarms: metrics.gauges(
                "alarms",
                "Alarms that are not history, by state.",
                &["state"],
            )?,
            alarm_steps: metrics.counters(
                "alarm_steps_total",
                "Steps in the lives of alarms that were raised.",
                &["what"],
            )?,
            messages: metrics.gauges(
                "messages",
                "Messages of which something may follow by itself, by state.",
                &["state"],
            )?,
            message_steps: metrics.counters(
                "message_steps_total",
                "Messages that were sent, arrived, failed or expired.",
                &["state"],
            )?,
            oldest_owed_seconds: metrics.gauge(
                "oldest_owed_seconds",
                "How long the message has been owed that has waited longest; 0 where none is.",
            )?,
            unheard: metrics.gauge(
                "unheard_alarms",
                "Raised alarms of which no channel has taken a message, and that nobody took on.",
            )?,
            queued: metrics.gauges(
                "queued_messages",
                "Messages that wait for a place on their channel.",
                &["channel"],
            )?,
            queue_seconds: metrics.gauges(
                "queue_seconds",
                "How long the message has been due that waits longest for a place on its channel.",
                &["channel"],
            )?,
            attempts: metrics.counters(
                "attempts_total",
                "Messages handed to a channel, by what it said.",
                &["channel", "outcome"],
            )?,
            stray_receipts: metrics
                .counter("stray_receipts_total", "Receipts that said nothing.")?,
            chattering: metrics.counter(
                "chattering_total",
                "Alarms raised for the third time within an hour, which stand until it has been quiet for one.",
            )?,
            cut_short: metrics.counter(
                "cut_short_total",
                "Rows of the feed at which too much waited for an outlet to speak.",
            )?,
            is_deaf: metrics
                .gauge("deaf", "1 while silences do not count: the server does not listen.")?,
        })
    }
}
