//! What ingest counts.

use model::wire::refused_v1::Reason;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Registry};
use runtime::metrics::Subsystem;

/// The counters of one service.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// By topic and outcome.
    messages: IntCounterVec,
    /// By reason.
    refused: IntCounterVec,
    /// Commit notices published.
    pub notices: IntCounter,
    /// Notices and refusals that found no room; senders ask again.
    pub answers_dropped: IntCounter,
    /// Writes that the store could not take and that were tried again.
    pub retries: IntCounter,
    /// Times that reading from the broker paused, since as much was taken as may wait.
    pub pauses: IntCounter,
    /// Messages taken from the broker and not yet acknowledged.
    pub in_flight: IntGauge,
    /// 1 while subscribed.
    pub connected: IntGauge,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored whole.
    Admitted,
    /// Stored, with parts set aside.
    SetAside,
    /// Stored before.
    Duplicate,
    /// The same identity with other content.
    Fork,
    /// Quarantined whole.
    Garbage,
    /// Not stored, since the park is full.
    ParkFull,
    /// Not looked at, since too much of its sender was refused of late.
    BeyondShare,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Admitted,
        Self::SetAside,
        Self::Duplicate,
        Self::Fork,
        Self::Garbage,
        Self::ParkFull,
        Self::BeyondShare,
    ];

    const fn word(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::SetAside => "set_aside",
            Self::Duplicate => "duplicate",
            Self::Fork => "fork",
            Self::Garbage => "garbage",
            Self::ParkFull => "park_full",
            Self::BeyondShare => "beyond_share",
        }
    }
}

impl Metrics {
    /// Registers them, every label value at 0.
    pub fn new(registry: &Registry) -> Result<Self, Error> {
        let metrics = Subsystem::new("ingest", registry);
        let messages = metrics.counters(
            "messages_total",
            "messages by topic and what became of them",
            &["topic", "outcome"],
        )?;
        for topic in ["batch", "json", "status"] {
            for outcome in Outcome::ALL {
                messages.with_label_values(&[topic, outcome.word()]);
            }
        }
        let refused = ("refused_total", "messages or parts of them refused, by reason");
        let reasons = Reason::ALL.iter().map(|reason| reason.word());
        Ok(Self {
            messages,
            refused: metrics.counters_of(refused, "reason", reasons)?,
            notices: metrics.counter("notices_total", "commit notices published")?,
            answers_dropped: metrics
                .counter("answers_dropped_total", "notices and refusals that found no room")?,
            retries: metrics.counter("retries_total", "store writes tried again")?,
            pauses: metrics.counter(
                "pauses_total",
                "times that reading from the broker paused, messages waiting there",
            )?,
            in_flight: metrics.gauge(
                "in_flight_messages",
                "messages taken from the broker and not yet acknowledged",
            )?,
            connected: metrics.gauge("connected", "1 while subscribed at the broker")?,
        })
    }

    /// Counts a message.
    pub fn count(&self, topic: &'static str, outcome: Outcome) {
        self.messages.with_label_values(&[topic, outcome.word()]).inc();
    }

    /// Counts a refusal.
    pub fn count_refused(&self, reason: Reason) {
        self.refused.with_label_values(&[reason.word()]).inc();
    }
}
