//! Decisions about quarantined payloads, and the copy of the journal's head.

use std::collections::BTreeSet;

use model::wire::{batch_v1, refused_v1::Kept};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{
    admit::{admit, set_batch},
    book::SamplesBook,
    park::{self, GARBAGE_BYTES, PARKED_BYTES},
    read_quarantine, run,
    spans::{self, Stored},
};
use crate::{
    admission::{
        Admission, Admit, AdmittedColumn, Discard, Discarded, Key, Kind, Replay, ReplayVerdict,
        Replayed, SetAside,
    },
    chain::Hash,
    facts::{Original, QuarantineItem, QuarantineState, StoredBatch},
    metrics::Metrics,
    points::Decoded,
    shell::{error::StoreError, writer::Write},
};

impl Write<SamplesBook> for Replay {
    type Answer = Replayed;

    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Replayed, StoreError> {
        let Some(item) = held(connection, self.id)? else { return Ok(Replayed::NotHeld) };
        match (&self.verdict, &item.original, item.row.kind) {
            (ReplayVerdict::Parked { columns, still }, Original::Batch(batch), Kept::Parked) => {
                Replaying { replay: self, book, connection }.parked(&item, batch, columns, still)
            }
            (ReplayVerdict::Garbage(fresh), Original::Payload(_), Kept::Garbage) => {
                Replaying { replay: self, book, connection }.garbage(fresh)
            }
            // A reading of a document that was refused by itself is refused for ever.
            (ReplayVerdict::Parked { .. } | ReplayVerdict::Garbage(_), Original::Batch(_), _) => {
                Ok(Replayed::Unchanged)
            }
            (ReplayVerdict::Parked { .. }, Original::Payload(_), _) => Ok(Replayed::Unchanged),
            (ReplayVerdict::Garbage(_), Original::Payload(_), Kept::Parked | Kept::None) => {
                Ok(Replayed::Unchanged)
            }
            (_, Original::Gone, _) => Ok(Replayed::NotHeld),
        }
    }

    fn count(&self, answer: &Replayed, metrics: &Metrics) {
        if let Replayed::Done(admitted) = answer {
            let columns = match &self.verdict {
                ReplayVerdict::Parked { columns, .. } => columns,
                ReplayVerdict::Garbage(fresh) => &fresh.columns,
            };
            metrics.samples.inc_by(columns.iter().map(|column| u64::from(column.points)).sum());
            metrics.conflicts.inc_by(admitted.conflicts);
            metrics.batches.with_label_values(&["replayed"]).inc();
        }
    }
}

fn held(connection: &Connection, id: i64) -> Result<Option<QuarantineItem>, StoreError> {
    let item = read_quarantine::item(connection, id)?;
    Ok(item.filter(|item| item.row.state == QuarantineState::Held))
}

struct Replaying<'a> {
    replay: &'a Replay,
    book: &'a mut SamplesBook,
    connection: &'a Connection,
}

impl Replaying<'_> {
    fn parked(
        &mut self,
        item: &QuarantineItem,
        batch: &StoredBatch,
        columns: &[AdmittedColumn],
        still: &[SetAside],
    ) -> Result<Replayed, StoreError> {
        let held: BTreeSet<&str> = item.row.gauges.iter().map(String::as_str).collect();
        for column in columns {
            if !held.contains(column.gauge.to_string().as_str()) {
                let problem = "it is not set aside in this row of the quarantine";
                return Err(StoreError::Column { gauge: column.gauge.clone(), problem });
            }
        }
        let attempt = StoreError::sql("write what is still set aside");
        let still: Vec<&SetAside> = still.iter().collect();
        if let Some(first) = still.first() {
            let sql = "UPDATE quarantine SET reason = ?2, detail = ?3, gauges = ?4 WHERE id = ?1";
            let (detail, gauges) = (park::detail(&still), park::gauges(&still)?);
            run(self.connection, sql, params![item.row.id, first.reason.word(), detail, gauges])
                .map_err(&attempt)?;
        } else {
            decide(self.connection, item, QuarantineState::Replayed)?;
        }
        if columns.is_empty() {
            return Ok(Replayed::Unchanged);
        }
        let stored = Stored {
            position: batch.position,
            kind: batch.kind,
            bytes: &batch.bytes,
            received_at: self.replay.at,
        };
        spans::add(self.book, self.connection, stored, columns).map(Replayed::Done)
    }

    fn garbage(&mut self, fresh: &Admit) -> Result<Replayed, StoreError> {
        let id = self.replay.id;
        Ok(match admit(self.book, self.connection, fresh, Some(self.replay.at))? {
            Admission::Admitted(admitted) => {
                let before = park::garbage_cost(self.connection, id)?;
                let sql =
                    "UPDATE quarantine SET state = ?2, payload = NULL, batch = ?3 WHERE id = ?1";
                let state = QuarantineState::Replayed.code();
                run(self.connection, sql, [id, state, admitted.batch])
                    .map_err(StoreError::sql("write that a payload was replayed"))?;
                shrink(self.connection, id, before)?;
                Replayed::Done(admitted)
            }
            Admission::ParkFull => Replayed::ParkFull,
            Admission::Duplicate | Admission::Fork { .. } => Replayed::Unchanged,
        })
    }
}

impl Write<SamplesBook> for Discard {
    type Answer = Discarded;

    fn apply(
        &self,
        _book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Discarded, StoreError> {
        let Some(item) = held(connection, self.id)? else { return Ok(Discarded::NotHeld) };
        if let (Original::Batch(batch), Kept::Parked) = (&item.original, item.row.kind) {
            give_up(connection, &item, batch)?;
        }
        decide(connection, &item, QuarantineState::Discarded)?;
        Ok(Discarded::Done)
    }
}

/// Marks a row as decided and gives back the room that it took.
fn decide(
    connection: &Connection,
    item: &QuarantineItem,
    state: QuarantineState,
) -> Result<(), StoreError> {
    let id = item.row.id;
    let before = park::garbage_cost(connection, id)?;
    let sql = "UPDATE quarantine SET state = ?2, payload = NULL WHERE id = ?1";
    run(connection, sql, [id, state.code()]).map_err(StoreError::sql("write a decision"))?;
    match item.row.kind {
        Kept::Parked => {
            let bytes = usize::try_from(item.row.bytes).unwrap_or(usize::MAX);
            let parked = park::counter(connection, PARKED_BYTES)?;
            let left = parked.saturating_sub(park::parked_cost(bytes));
            park::set_counter(connection, PARKED_BYTES, left)
        }
        Kept::Garbage | Kept::None => shrink(connection, id, before),
    }
}

fn shrink(connection: &Connection, id: i64, before: u64) -> Result<(), StoreError> {
    let given_back = before.saturating_sub(park::garbage_cost(connection, id)?);
    let left = park::counter(connection, GARBAGE_BYTES)?.saturating_sub(given_back);
    park::set_counter(connection, GARBAGE_BYTES, left)
}

/// Deletes a batch of which nothing was ever admitted; its identity stays known.
fn give_up(
    connection: &Connection,
    item: &QuarantineItem,
    batch: &StoredBatch,
) -> Result<(), StoreError> {
    let position = batch.position;
    let wrong = |source| StoreError::Points { batch: position, source };
    let gauges = Decoded::new(batch.kind, &batch.bytes).map_err(wrong)?.gauges();
    let held: BTreeSet<&str> = item.row.gauges.iter().map(String::as_str).collect();
    if gauges.iter().any(|gauge| !held.contains(gauge.to_string().as_str())) {
        return Ok(());
    }
    let attempt = StoreError::sql("give a batch up");
    let agent = super::first_row(
        connection,
        "SELECT agent FROM batch WHERE position = ?1",
        [position],
        |row| row.get(0),
    )
    .map_err(&attempt)?;
    let Some(agent) = agent else { return Ok(()) };
    set_batch(connection, agent, &key_of(batch)?, None)?;
    run(connection, "DELETE FROM batch WHERE position = ?1", [position]).map_err(&attempt)?;
    Ok(())
}

/// The identity of a stored payload.
pub(in crate::shell) fn key_of(batch: &StoredBatch) -> Result<Key, StoreError> {
    let position = batch.position;
    match batch.kind {
        Kind::Batch | Kind::Import => {
            let (decoded, digest) = batch_v1::decode(&batch.bytes).map_err(|error| {
                let source = crate::points::PointsError::Batch(error);
                StoreError::Points { batch: position, source }
            })?;
            Ok(Key::Batch { epoch: decoded.id.epoch, sequence: decoded.id.sequence, digest })
        }
        Kind::Json => Ok(Key::Payload { digest: Sha256::digest(&batch.bytes).into() }),
    }
}

/// Copies the head of the journal's chain, so that a journal cut at its end is found.
#[derive(Debug, Clone, Copy)]
pub(in crate::shell) struct CopyHead {
    /// The head's position.
    pub(in crate::shell) position: i64,
    /// Its hash.
    pub(in crate::shell) hash: Hash,
}

impl Write<SamplesBook> for CopyHead {
    type Answer = ();

    fn apply(&self, _book: &mut SamplesBook, connection: &Connection) -> Result<(), StoreError> {
        // What was copied first stands: a chain written anew must not hide the one before.
        let sql = "INSERT INTO chain_head (position, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        run(connection, sql, params![self.position, self.hash])
            .map_err(StoreError::sql("copy the journal's head"))?;
        Ok(())
    }
}
