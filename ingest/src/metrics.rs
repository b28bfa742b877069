//! What ingest counts.

use model::wire::refused_v1::Reason;
use prometheus::{Error, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

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
        let messages = IntCounterVec::new(
            Opts::new(
                "baseflow_ingest_messages_total",
                "messages by topic and what became of them",
            ),
            &["topic", "outcome"],
        )?;
        let refused = IntCounterVec::new(
            Opts::new(
                "baseflow_ingest_refused_total",
                "messages or parts of them refused, by reason",
            ),
            &["reason"],
        )?;
        for topic in ["batch", "json", "status"] {
            for outcome in Outcome::ALL {
                messages.with_label_values(&[topic, outcome.word()]).reset();
            }
        }
        for reason in Reason::ALL {
            refused.with_label_values(&[reason.word()]).reset();
        }
        registry.register(Box::new(messages.clone()))?;
        registry.register(Box::new(refused.clone()))?;
        let counter = |name, help| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, Error>(counter)
        };
        let gauge = |name, help| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, Error>(gauge)
        };
        Ok(Self {
            messages,
            refused,
            notices: counter("baseflow_ingest_notices_total", "commit notices published")?,
            answers_dropped: counter(
                "baseflow_ingest_answers_dropped_total",
                "notices and refusals that found no room",
            )?,
            retries: counter("baseflow_ingest_retries_total", "store writes tried again")?,
            pauses: counter(
                "baseflow_ingest_pauses_total",
                "times that reading from the broker paused, messages waiting there",
            )?,
            in_flight: gauge(
                "baseflow_ingest_in_flight_messages",
                "messages taken from the broker and not yet acknowledged",
            )?,
            connected: gauge("baseflow_ingest_connected", "1 while subscribed at the broker")?,
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
