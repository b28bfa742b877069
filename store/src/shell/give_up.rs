//! The decision to give a quarantined item up, whoever makes it.

use model::time::Timestamp;

use super::{decided::Decided, error::StoreError, journal::Journal, samples::Samples};
use crate::{
    admission::{Discard, Discarded, Sweep},
    chain::{By, Decision},
    facts::QuarantineState,
};

/// What came of giving an item up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// It is decided, and what it held is gone.
    Done,
    /// It was replayed or discarded before, somebody else decides about it at this moment, or its
    /// original has gone.
    NotHeld,
    /// There is no such item.
    Unknown,
}

/// Sets an item aside for good.
///
/// The entry comes first: nothing vanishes without one. Where the effect fails, as on a full disk,
/// whoever asks again goes on with the same entry, which `decided` remembers. If the process dies
/// in between, the item is still held, and its second decision makes a second entry. Of two who
/// decide at the same moment one comes first, and the journal says of the other that it came to
/// nothing. Once an item is decided, what it held goes in slices; whatever is left of that when the
/// caller ends goes when ingest next looks.
pub async fn give_up(
    (samples, journal): (&Samples, &Journal),
    decided: &Decided,
    id: i64,
    by: By,
    at: Timestamp,
) -> Result<GivenUp, StoreError> {
    let Some(item) = samples.read(move |reader| reader.quarantine_row(id)).await? else {
        return Ok(GivenUp::Unknown);
    };
    if item.state != QuarantineState::Held {
        return Ok(GivenUp::NotHeld);
    }
    let decision = (id, Decision::Discarded, item.gauges);
    let entry = decided.enter(journal, at, &by, decision).await?;
    let mut left = match samples.write(Discard { id, entry }).await? {
        Discarded::Done { left } => left,
        Discarded::NotHeld { stands } => {
            decided.void(journal, at, &by, (id, entry, stands)).await?;
            return Ok(GivenUp::NotHeld);
        }
    };
    decided.done(id);
    while left > 0 {
        left = samples.write(Sweep { id }).await?;
    }
    Ok(GivenUp::Done)
}
