//! What metrics and `/readyz` show of alarms and messages.

use model::time::Timestamp;
use store::UNHEARD_MS;

use crate::{desk::Desk, metrics::Metrics};

/// A message that has been owed for longer is a matter for a person.
const STUCK_MS: i64 = 600_000;

/// Counts everything, and gives what a person should look after.
pub(super) fn show(desk: &Desk, metrics: &Metrics, now: Timestamp) -> Option<String> {
    metrics.alarms.reset();
    for (state, count) in desk.alarms_by_state() {
        metrics.alarms.with_label_values(&[state.word()]).set(count);
    }
    metrics.messages.reset();
    for (state, count) in desk.messages_by_state() {
        metrics.messages.with_label_values(&[state.word()]).set(count);
    }
    show_queues(desk, metrics, now);
    let (unheard, since) = desk.unheard();
    metrics.unheard.set(i64::try_from(unheard).unwrap_or(i64::MAX));
    let unheard_ms = since.map_or(0, |since| now.ms_since(since));
    let oldest_ms = desk.oldest_owed().map_or(0, |owed| now.ms_since(owed).max(0));
    metrics.oldest_owed_seconds.set(oldest_ms / 1_000);
    if unheard_ms > UNHEARD_MS {
        let minutes = unheard_ms / 60_000;
        // the server is ready all the same: it stores, and no other one would reach anybody
        Some(format!("{unheard} alarms have reached nobody, the oldest for {minutes} minutes"))
    } else if oldest_ms > STUCK_MS {
        let minutes = oldest_ms / 60_000;
        Some(format!("a message has been owed for {minutes} minutes"))
    } else {
        None
    }
}

fn show_queues(desk: &Desk, metrics: &Metrics, now: Timestamp) {
    metrics.queued.reset();
    metrics.queue_seconds.reset();
    for (channel, queue) in desk.queues() {
        let labels = &[channel.as_str()];
        let length = i64::try_from(queue.length).unwrap_or(i64::MAX);
        metrics.queued.with_label_values(labels).set(length);
        let wait_ms = now.ms_since(queue.since).max(0);
        metrics.queue_seconds.with_label_values(labels).set(wait_ms / 1_000);
    }
}
