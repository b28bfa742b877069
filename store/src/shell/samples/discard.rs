//! Quarantined payloads given up: what of a parked item was stored for nothing else goes, in slices.

use model::wire::batch_v1;
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::{
    admit::set_batch,
    book::SamplesBook,
    decide::{Held, decide, held},
    first_row, members, read_quarantine, run,
};
use crate::{
    admission::{Discard, Discarded, Key, Kind, Sweep},
    facts::{Original, QuarantineState, StoredBatch},
    points::PointsError,
    shell::{error::StoreError, writer::Write},
};

/// Batches that one write lets go.
const SLICE: usize = 64;

impl Write<SamplesBook> for Discard {
    type Answer = Discarded;

    /// Decides at once, so that nothing joins an item that was given up.
    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Discarded, StoreError> {
        let (row, original) = match held(connection, self.id, Some(self.entry))? {
            Held::Here(row, original) => (row, original),
            Held::Not { stands } => return Ok(Discarded::NotHeld { stands }),
        };
        decide(connection, &row, (QuarantineState::Discarded, Some(self.entry)))?;
        let left = match original {
            Original::Batches => {
                members::close(connection, self.id)?;
                sweep(book, connection, self.id)?
            }
            Original::Batch(_) | Original::Payload(_) | Original::Gone => 0,
        };
        Ok(Discarded::Done { left })
    }
}

impl Write<SamplesBook> for Sweep {
    type Answer = u64;

    /// How many batches are left after it.
    fn apply(&self, book: &mut SamplesBook, connection: &Connection) -> Result<u64, StoreError> {
        match read_quarantine::facts(connection, self.id)? {
            Some((row, _)) if row.state == QuarantineState::Discarded => {
                sweep(book, connection, self.id)
            }
            Some(_) | None => Ok(0),
        }
    }
}

/// Lets a slice of an item's batches go, and says how many are left.
fn sweep(book: &mut SamplesBook, connection: &Connection, item: i64) -> Result<u64, StoreError> {
    for position in members::first(connection, item, SLICE)? {
        let Some(member) = members::member(connection, item, position)? else { continue };
        members::leave(book, connection, (item, position), &member)?;
        if member.is_alone
            && let Some(stored) = read_quarantine::batch(connection, position)?
        {
            give_up(book, connection, &stored)?;
        }
    }
    let left = members::settle(book, connection, item)?;
    if left == 0 {
        members::forget_oldest(book, connection)?;
    }
    Ok(left)
}

/// Deletes a batch of which no point is admitted, or none that was not said before; its identity
/// stays known. Where a gap of it stands, it stays as that gap's evidence.
pub(super) fn give_up(
    book: &mut SamplesBook,
    connection: &Connection,
    stored: &StoredBatch,
) -> Result<(), StoreError> {
    let sql = "SELECT 1 FROM gap WHERE batch = ?1 LIMIT 1";
    let gap = first_row(connection, sql, [stored.position], |_| Ok(()));
    if gap.map_err(StoreError::sql("look for gaps of a batch"))?.is_some() {
        return Ok(());
    }
    let agent = book.agent(connection, &stored.agent, stored.received_at)?;
    set_batch(connection, agent, &key_of(stored)?, None)?;
    run(connection, "DELETE FROM batch WHERE position = ?1", [stored.position])
        .map_err(StoreError::sql("give a batch up"))?;
    Ok(())
}

/// The identity of a stored payload.
pub(in crate::shell) fn key_of(batch: &StoredBatch) -> Result<Key, StoreError> {
    let position = batch.position;
    match batch.kind {
        Kind::Batch | Kind::Import => {
            let (decoded, digest) = batch_v1::decode(&batch.bytes).map_err(|error| {
                StoreError::Points { batch: position, source: PointsError::Batch(error) }
            })?;
            Ok(Key::Batch { epoch: decoded.id.epoch, sequence: decoded.id.sequence, digest })
        }
        Kind::Json => Ok(Key::Payload { digest: Sha256::digest(&batch.bytes).into() }),
    }
}
