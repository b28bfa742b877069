//! Garbage: payloads refused whole, kept in a ring whose oldest goes first.

use model::{
    time::Timestamp,
    wire::{
        batch_v1::Digest,
        refused_v1::{Kept, Reason},
    },
};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{
    admit::{claim, known},
    book::SamplesBook,
    counters::{GARBAGE_BYTES, GARBAGE_DROPPED, add_to_counter, counter, set_counter},
    first_row, run,
};
use crate::{
    admission::{Key, Quarantine, Quarantined},
    facts::kept_code,
    metrics::Metrics,
    shell::{error::StoreError, writer::Write},
};

/// What a row counts beside its payload and its texts: its place in the file.
pub(super) const ROW_BYTES: u64 = 1_024;
/// The longest text that says why.
pub(super) const MAX_DETAIL: usize = 500;

impl Write<SamplesBook> for Quarantine {
    type Answer = Quarantined;

    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Quarantined, StoreError> {
        if let Some(key) = &self.key {
            let agent = book.agent(connection, &self.agent, self.received_at)?;
            if !claim(connection, agent, key, None)? {
                let known = known(connection, agent, key)?;
                return Ok(match known.filter(|known| known.digest != *key.digest()) {
                    Some(known) => Quarantined::Fork { stored: known.digest },
                    None => Quarantined::Duplicate,
                });
            }
            if let Key::Batch { epoch, sequence, .. } = key {
                book.touch_epoch((agent, *epoch), *sequence, self.received_at, None);
            }
        }
        let row = Row {
            kind: Kept::Garbage,
            agent: self.agent.as_str(),
            topic: &self.topic,
            received_at: self.received_at,
            payload: &self.payload,
            reason: self.reason,
            detail: self.detail.chars().take(MAX_DETAIL).collect(),
            batch: None,
            gauges: None,
        };
        let id = row.insert(connection)?;
        let dropped = go_round(book, connection)?;
        Ok(Quarantined::Held { id, dropped })
    }

    fn weight(&self) -> usize {
        self.payload.len()
    }

    fn count(&self, answer: &Quarantined, metrics: &Metrics) {
        let outcome = match answer {
            Quarantined::Held { dropped, .. } => {
                metrics.garbage_dropped.inc_by(*dropped);
                "garbage"
            }
            Quarantined::Duplicate => "duplicate",
            Quarantined::Fork { .. } => "fork",
        };
        metrics.batches.with_label_values(&[outcome]).inc();
    }
}

/// A row of the quarantine to be made.
pub(super) struct Row<'a> {
    pub(super) kind: Kept,
    pub(super) agent: &'a str,
    pub(super) topic: &'a str,
    pub(super) received_at: Timestamp,
    pub(super) payload: &'a [u8],
    pub(super) reason: Reason,
    pub(super) detail: String,
    /// The stored batch that has the payload.
    pub(super) batch: Option<i64>,
    pub(super) gauges: Option<&'a str>,
}

impl Row<'_> {
    /// Makes it; garbage counts in the ring from here on.
    pub(super) fn insert(self, connection: &Connection) -> Result<i64, StoreError> {
        let sql = "INSERT INTO quarantine (kind, state, agent, topic, received_at, bytes, digest,
            reason, detail, batch, gauges, gauge_count, payload)
            VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let digest: Digest = Sha256::digest(self.payload).into();
        let gauge_count = self.gauges.map_or(0, |names| names.lines().count());
        let is_kept_here = self.kind == Kept::Garbage && self.batch.is_none();
        run(
            connection,
            sql,
            params![
                kept_code(self.kind),
                self.agent,
                self.topic,
                self.received_at.as_ms(),
                i64::try_from(self.payload.len()).unwrap_or(i64::MAX),
                digest,
                self.reason.word(),
                self.detail,
                self.batch,
                self.gauges,
                i64::try_from(gauge_count).unwrap_or(i64::MAX),
                is_kept_here.then_some(self.payload),
            ],
        )
        .map_err(StoreError::sql("quarantine a payload"))?;
        let id = connection.last_insert_rowid();
        if self.kind == Kept::Garbage {
            add_to_counter(connection, GARBAGE_BYTES, cost(connection, id)?)?;
        }
        Ok(id)
    }
}

/// What a row of the ring counts.
fn cost(connection: &Connection, id: i64) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(length(payload), 0) + coalesce(octet_length(gauges), 0)
          + octet_length(detail)
        FROM quarantine WHERE id = ?1";
    let cost: Option<i64> = first_row(connection, sql, [id], |row| row.get(0))
        .map_err(StoreError::sql("measure a quarantined payload"))?;
    Ok(u64::try_from(cost.unwrap_or(0)).unwrap_or(0).saturating_add(ROW_BYTES))
}

/// Lets `change` change a row of the ring, and gives back the room.
pub(super) fn shrink(
    connection: &Connection,
    id: i64,
    change: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let before = cost(connection, id)?;
    change()?;
    let given_back = before.saturating_sub(cost(connection, id)?);
    let left = counter(connection, GARBAGE_BYTES)?.saturating_sub(given_back);
    set_counter(connection, GARBAGE_BYTES, left)
}

/// Lets the oldest garbage go until the rest fits; says how much of it nobody had decided about.
pub(super) fn go_round(book: &SamplesBook, connection: &Connection) -> Result<u64, StoreError> {
    let attempt = StoreError::sql("make room for garbage");
    let mut bytes = counter(connection, GARBAGE_BYTES)?;
    let mut dropped = 0;
    while bytes > book.limits.garbage {
        let sql = "SELECT id, state FROM quarantine WHERE kind = 2 ORDER BY id LIMIT 1";
        let oldest = first_row(connection, sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
            .map_err(&attempt)?;
        let Some((id, state)) = oldest else { break };
        bytes = bytes.saturating_sub(cost(connection, id)?);
        run(connection, "DELETE FROM quarantine WHERE id = ?1", [id]).map_err(&attempt)?;
        dropped += u64::from(state == 0);
    }
    if dropped > 0 {
        add_to_counter(connection, GARBAGE_DROPPED, dropped)?;
    }
    set_counter(connection, GARBAGE_BYTES, bytes)?;
    Ok(dropped)
}
