//! What judging a stored payload again allows of what was set aside of it.

use model::{
    time::Timestamp,
    wire::{batch_v1, refused_v1::Reason},
};
use store::{Kind, ParkedBatch, QuarantineRow, Rejudged, SetAside, Waits};

use crate::{
    intake::{self, Arrival, Judgement, Known},
    remainder::Remainder,
};

/// What became of a parked batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What the store is to be told; `None` where the batch waits as before.
    pub rejudged: Option<Rejudged>,
    /// What is still refused, in words.
    pub still: Vec<String>,
}

/// Who has a payload judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Somebody who decides about all of it.
    Decision,
    /// The clock, which decides about nothing: what it did not keep out waits as it did.
    Clock,
}

/// Judges a parked batch of this row again.
pub fn parked(
    batch: &ParkedBatch,
    row: &QuarantineRow,
    known: Known<'_>,
    (asked, now): (Asked, Timestamp),
) -> Outcome {
    let stored = &batch.stored;
    let remainder = Remainder {
        gauges: &batch.gauges,
        judged_at: batch.judged_at,
        waits_for_anchor: row.boot.is_some() || row.reason == Reason::Clock.word(),
    };
    let arrival = Arrival {
        agent: &stored.agent,
        topic: &row.topic,
        payload: &stored.bytes,
        received_at: now,
        remainder: Some(remainder),
    };
    let rejudged = match judge_as(stored.kind, arrival, known) {
        Judgement::Admit(admit) => Rejudged {
            batch: stored.position,
            columns: admit.columns,
            gaps: admit.gaps,
            anchors: admit.anchors,
            still: admit.set_aside,
            boot: admit.boot,
        },
        Judgement::Garbage(garbage) => unreadable(batch, row, &garbage.detail),
    };
    let rejudged = match asked {
        Asked::Decision => rejudged,
        Asked::Clock => as_they_were(rejudged, batch),
    };
    let still = rejudged.still.iter().map(|part| part.detail.clone()).collect();
    let is_news = rejudged.is_news(row.boot, batch.due, now);
    Outcome { rejudged: is_news.then_some(rejudged), still }
}

/// Takes back what was judged of gauges that the clock did not keep out.
fn as_they_were(rejudged: Rejudged, batch: &ParkedBatch) -> Rejudged {
    let Rejudged { columns, still, .. } = rejudged;
    let waits = |gauge: &str| batch.gauges.get(gauge).filter(|waits| !waits.is_due);
    let back = |gauge: String, waits: &Waits, moments| {
        let detail = format!("`{gauge}` waits for a replay: `{}`", waits.reason.word());
        let part = SetAside::new(gauge, waits.reason, detail);
        SetAside { moments, after: waits.after, ..part }
    };
    let mut admitted = Vec::with_capacity(columns.len());
    let mut waiting = Vec::with_capacity(still.len());
    for column in columns {
        let gauge = column.gauge.to_string();
        match waits(&gauge) {
            Some(found) => waiting.push(back(gauge, found, Some((column.from, column.to)))),
            None => admitted.push(column),
        }
    }
    for part in still {
        waiting.push(match waits(&part.gauge) {
            Some(found) if found.reason != part.reason || part.due.is_some() => {
                back(part.gauge, found, part.moments)
            }
            Some(_) | None => part,
        });
    }
    Rejudged { columns: admitted, still: waiting, ..rejudged }
}

/// Of what does not decode, or has no reading that fits its gauge, everything waits as it did, but
/// for a person.
fn unreadable(batch: &ParkedBatch, row: &QuarantineRow, detail: &str) -> Rejudged {
    let reason = Reason::named(&row.reason);
    let part = |gauge: &str, reason| SetAside::new(gauge.to_owned(), reason, detail.to_owned());
    let waiting = batch
        .gauges
        .iter()
        .map(|(gauge, waits)| SetAside { after: waits.after, ..part(gauge, waits.reason) });
    let mut still: Vec<SetAside> = waiting.collect();
    if still.is_empty() {
        still.push(part("", reason.unwrap_or(Reason::Time)));
    }
    let (columns, gaps, anchors) = (Vec::new(), Vec::new(), Vec::new());
    Rejudged { batch: batch.stored.position, columns, gaps, anchors, still, boot: row.boot }
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
