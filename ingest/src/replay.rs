//! What judging a stored payload again allows of what was set aside of it.

use model::{
    time::Timestamp,
    wire::{batch_v1, refused_v1::Reason},
};
use store::{Kind, ParkedBatch, QuarantineRow, Rejudged};

use crate::intake::{self, Arrival, Judgement, Known};

/// What became of a parked batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What the store is to be told; `None` where the batch waits as before.
    pub rejudged: Option<Rejudged>,
    /// What is still refused, in words.
    pub still: Vec<String>,
}

/// Judges a parked batch of this row again.
pub fn parked(
    batch: &ParkedBatch,
    row: &QuarantineRow,
    known: Known<'_>,
    now: Timestamp,
) -> Outcome {
    let stored = &batch.stored;
    let arrival = Arrival {
        agent: &stored.agent,
        topic: &row.topic,
        payload: &stored.bytes,
        received_at: now,
    };
    let mut admit = match judge_as(stored.kind, arrival, known) {
        Judgement::Admit(admit) => *admit,
        Judgement::Garbage(garbage) => {
            return Outcome { rejudged: None, still: vec![garbage.detail] };
        }
    };
    // Of a batch that is stored already, only what was set aside counts; gaps were judged when it
    // came, unless it waited for an anchor.
    admit.columns.retain(|column| batch.gauges.contains(&column.gauge.to_string()));
    admit.set_aside.retain(|part| part.gauge.is_empty() || batch.gauges.contains(&part.gauge));
    if row.boot.is_none() && row.reason != Reason::Clock.word() {
        admit.gaps.clear();
    }
    let still = admit.set_aside.iter().map(|part| part.detail.clone()).collect();
    let is_admitted = !admit.columns.is_empty() || !admit.gaps.is_empty();
    let has_moved = row.boot.is_some() && admit.boot != row.boot;
    let rejudged = (is_admitted || has_moved).then_some(Rejudged {
        batch: stored.position,
        columns: admit.columns,
        gaps: admit.gaps,
        still: admit.set_aside,
        boot: admit.boot,
    });
    Outcome { rejudged, still }
}

/// Judges a payload as what it is.
pub fn judge_as(kind: Kind, arrival: Arrival<'_>, known: Known<'_>) -> Judgement {
    match kind {
        Kind::Json => intake::json(arrival, known),
        Kind::Batch => intake::batch(arrival, known),
        Kind::Import => match batch_v1::decode(arrival.payload) {
            Ok((batch, digest)) => intake::decoded(&batch, digest, kind, arrival, known),
            Err(_) => intake::batch(arrival, known),
        },
    }
}
