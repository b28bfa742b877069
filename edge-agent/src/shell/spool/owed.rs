//! What is to be noted on disk and need not have a transaction of its own: which store counts,
//! what its notices named, clock anchors, and which dropped batches did arrive after all.
//!
//! Memory has it at once, and the next row or batch brings it to the disk. Until then a crash
//! costs traffic and no reading: what has no mark is sent again and is a duplicate there, a store
//! is told anew by the server, and an anchor is owed while `unanchored` stands in the file.

use std::collections::BTreeMap;

use model::{
    batch::ClockAnchor,
    ids::{Epoch, StoreId},
};
use rusqlite::{Connection, params};

use super::{
    doubt::{Doubts, Said},
    file::set_meta,
    room,
};
use crate::ledger::{Range, Sequences};

/// With nothing else to go along with, it waits no longer than this.
const PATIENCE_MS: i64 = 5_000;
/// Anchors that wait; at the bound the oldest goes, for a boot has one.
const ANCHORS: usize = 16;

/// Bounded by the batches held, since marks are ranges of those, and by what may be in doubt.
#[derive(Debug, Default)]
pub(super) struct Owed {
    store_id: Option<StoreId>,
    marks: BTreeMap<Epoch, Sequences>,
    anchors: Vec<ClockAnchor>,
    /// What gaps say of batches that a notice named since.
    arrived: Vec<Said>,
    /// Since boot: of the oldest of these.
    since_ms: Option<i64>,
}

impl Owed {
    /// Another store counts, and has named nothing yet.
    pub(super) fn adopt(&mut self, store_id: StoreId, now_ms: i64) {
        self.marks.clear();
        self.arrived.clear();
        self.store_id = Some(store_id);
        self.since_ms.get_or_insert(now_ms);
    }

    /// A notice named these.
    pub(super) fn mark(&mut self, epoch: Epoch, range: Range, now_ms: i64) {
        self.marks.entry(epoch).or_default().insert(range);
        self.since_ms.get_or_insert(now_ms);
    }

    /// A notice named a batch that had left the spool, so these are no gaps.
    pub(super) fn take_back(&mut self, arrived: Vec<Said>, now_ms: i64) {
        if !arrived.is_empty() {
            self.arrived.extend(arrived);
            self.since_ms.get_or_insert(now_ms);
        }
    }

    /// An anchor is to travel with the next batch.
    pub(super) fn anchor(&mut self, anchor: ClockAnchor, now_ms: i64) {
        if self.anchors.len() >= ANCHORS {
            self.anchors.remove(0);
        }
        self.anchors.push(anchor);
        self.since_ms.get_or_insert(now_ms);
    }

    /// Whether it should have a transaction by now.
    pub(super) fn is_due(&self, now_ms: i64) -> bool {
        self.since_ms.is_some_and(|since_ms| now_ms.saturating_sub(since_ms) >= PATIENCE_MS)
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.since_ms.is_none()
    }

    /// Notes everything, in the transaction of something else.
    pub(super) fn write(&self, database: &Connection, doubts: &Doubts) -> rusqlite::Result<()> {
        if let Some(store_id) = self.store_id {
            database.execute("DELETE FROM committed", [])?;
            set_meta(database, "store_id", &store_id.to_string())?;
        }
        for (epoch, ranges) in &self.marks {
            for range in ranges.ranges() {
                mark(database, *epoch, range)?;
            }
        }
        for anchor in &self.anchors {
            room::keep_anchor(database, *anchor)?;
        }
        if !self.anchors.is_empty() {
            database.execute("DELETE FROM meta WHERE key = 'unanchored'", [])?;
        }
        for said in &self.arrived {
            doubts.take_back(database, said)?;
        }
        Ok(())
    }

    /// It is on disk.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Unites a range with those that it touches: what is committed in order stays one row.
fn mark(database: &Connection, epoch: Epoch, (first, last): Range) -> rusqlite::Result<()> {
    let (epoch, first, last) = (epoch.0.cast_signed(), first.cast_signed(), last.cast_signed());
    let sql = "SELECT min(first_sequence), max(last_sequence) FROM committed
               WHERE epoch = ?1 AND first_sequence <= ?3 + 1 AND last_sequence >= ?2 - 1";
    let touched = database.prepare_cached(sql)?.query_row(params![epoch, first, last], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let from = touched.0.map_or(first, |other| other.min(first));
    let to = touched.1.map_or(last, |other| other.max(last));
    let sql = "DELETE FROM committed WHERE epoch = ?1 AND first_sequence BETWEEN ?2 AND ?3";
    database.prepare_cached(sql)?.execute(params![epoch, from, to])?;
    let sql = "INSERT INTO committed VALUES (?1, ?2, ?3)";
    database.prepare_cached(sql)?.execute(params![epoch, from, to]).map(drop)
}
