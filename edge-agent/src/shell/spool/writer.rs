//! The spool as its one writer has it: every change is one synced transaction, and memory follows
//! the disk only after it.

use std::{collections::VecDeque, path::PathBuf};

use model::{
    batch::{Batch, BatchClock, ClockAnchor, Gap, GapReason, Previous},
    fault::Chain,
    ids::{AgentId, BatchId, BootId, Epoch, GaugeId, Sequence, StoreId},
    wire::batch_v1::{self, Digest},
};
use runtime::telemetry::Repeats;
use rusqlite::{Connection, params};
use tracing::{error, warn};

use super::{
    Happening, Moment, SpoolError, Stats,
    ballast::Ballast,
    doubt::Doubts,
    file::{Lock, forget_previous, set_meta},
    finding::Finding,
    owed::Owed,
    room::{self, Dropped, Room, Shelf},
    salvage::Wreck,
    stats,
};
use crate::{batcher::Draft, ledger::BatchKey, metrics::Metrics};

/// Readings of closed batches that may wait in memory for the disk to have room.
const WAITING_POINTS: usize = 32_768;
/// The file shrinks by so many pages at a time.
const SHRINK_PAGES: u64 = 256;
/// Bytes of a batch's row beside the batch, at most.
const ROW_BYTES: usize = 8_192;

/// What a spool is opened with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Whose spool it is.
    pub agent: AgentId,
    /// Readings are kept for so many hours of running.
    pub hours: u32,
    /// The file's room.
    pub max_bytes: u64,
    /// Whether batches become zstd frames where that is shorter.
    pub is_compressed: bool,
    /// This start of the gateway.
    pub boot_id: BootId,
    /// Whose readings a damaged spool held, as far as anyone knows.
    pub gauges: Vec<GaugeId>,
}

/// An open spool.
#[derive(Debug)]
pub struct Spool {
    pub(super) settings: Settings,
    pub(super) database: Connection,
    pub(super) _lock: Lock,
    pub(super) ballast: Ballast,
    pub(super) metrics: Metrics,
    /// Set while the file is given up and no new one is in its place.
    pub(super) wreck: Option<Wreck>,
    pub(super) epoch: Epoch,
    pub(super) next_sequence: Sequence,
    /// What the next batch tells, being the first of its epoch.
    pub(super) previous: Option<Previous>,
    pub(super) store_id: Option<StoreId>,
    /// Oldest epoch first.
    pub(super) shelves: Vec<Shelf>,
    pub(super) last_row: i64,
    /// What `ran_ms` is before the milliseconds since boot are added.
    pub(super) ran_base_ms: i64,
    /// Closed batches that the disk had no room for, oldest first.
    pub(super) waiting: VecDeque<Waiting>,
    /// Gaps that the disk had no room for.
    pub(super) lost: Vec<Gap>,
    pub(super) owed: Owed,
    pub(super) doubts: Doubts,
    pub(super) overwritten: u64,
    pub(super) is_anchor_owed: bool,
    pub(super) happenings: Vec<Happening>,
    /// What was logged lately.
    pub(super) told: Repeats<&'static str>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) draft: Draft,
    /// Its last row.
    pub(super) last_row: i64,
}

impl Spool {
    /// Syncs readings of the open batch to disk, as a row that closing will fold.
    pub fn append(&mut self, row: &Draft, now: Moment) -> Result<(), SpoolError> {
        let id = self.last_row + 1;
        let bytes = batch_v1::encode(&row.batch(self.identity()));
        let owes_anchor = !self.is_anchor_owed && matches!(row.clock, BatchClock::Boot { .. });
        let boot_id = self.settings.boot_id.to_string();
        self.attempt("save readings", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            spool.owed.write(&transaction, &spool.doubts)?;
            let sql = "INSERT INTO reading VALUES (?1, ?2)";
            transaction.prepare_cached(sql)?.execute(params![id, bytes])?;
            if owes_anchor {
                set_meta(&transaction, "unanchored", &boot_id)?;
            }
            transaction.commit()
        })?;
        self.owed.clear();
        self.last_row = id;
        self.is_anchor_owed |= owes_anchor;
        Ok(())
    }

    /// Closes the open batch under the next sequence. Where the disk has no room at all it waits
    /// in memory, and in the end becomes a gap.
    pub fn close(&mut self, draft: Draft, now: Moment) {
        self.waiting.push_back(Waiting { draft, last_row: self.last_row });
        self.settle(now);
        self.shrink();
        self.ballast.take();
    }

    /// Gives a slice of the file back where much of it is empty.
    fn shrink(&self) {
        let pages = |pragma| room::pages(&self.database, pragma).unwrap_or(0);
        let (all, free) = (pages("page_count"), pages("freelist_count"));
        if free > SHRINK_PAGES && free > all / 4 {
            let slice = format!("PRAGMA incremental_vacuum({SHRINK_PAGES})");
            if let Err(error) = self.database.execute_batch(&slice) {
                warn!(error = %Chain(&error), "cannot shrink the spool");
            }
        }
    }

    /// Lets an anchor travel with the next batch. Where it cannot be written it waits.
    pub fn anchor(&mut self, anchor: ClockAnchor, now: Moment) -> Result<(), SpoolError> {
        self.owed.anchor(anchor, now.boot_ms);
        self.is_anchor_owed = false;
        self.note(now)
    }

    /// Notes what is owed, in a transaction of its own.
    pub(super) fn note(&mut self, now: Moment) -> Result<(), SpoolError> {
        self.attempt("note what is committed", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            spool.owed.write(&transaction, &spool.doubts)?;
            transaction.commit()
        })?;
        self.owed.clear();
        Ok(())
    }

    /// The store whose notices are marked.
    pub const fn store_id(&self) -> Option<StoreId> {
        self.store_id
    }

    /// Whether readings of this boot wait for an anchor.
    pub const fn is_anchor_owed(&self) -> bool {
        self.is_anchor_owed
    }

    /// What happened since it was asked last, in order.
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings)
    }

    /// How it stands.
    pub fn stats(&self, now: Moment) -> Stats {
        stats::of(self, now)
    }

    /// Writes what waits, and loses the oldest of it where it cannot wait any longer.
    pub fn settle(&mut self, now: Moment) {
        while let Some(waiting) = self.waiting.pop_front() {
            let written = self.attempt("close a batch", now, |spool| spool.write(&waiting, now));
            match written {
                Ok(()) => {}
                Err(error) => {
                    if let Some(held_back) = self.told.note("waits", now.wall) {
                        warn!(error = %Chain(&error), held_back, "closed batch waits for the disk");
                    }
                    self.waiting.push_front(waiting);
                    break;
                }
            }
        }
        let points = |waiting: &VecDeque<Waiting>| -> usize {
            waiting.iter().map(|waiting| waiting.draft.points()).sum()
        };
        while points(&self.waiting) > WAITING_POINTS {
            let Some(waiting) = self.waiting.pop_front() else { return };
            self.lose(&waiting.draft, now);
        }
    }

    /// The last change: nothing more will come that what is owed could go along with.
    pub fn finish(&mut self, now: Moment) -> Result<(), SpoolError> {
        self.settle(now);
        if self.owed.is_empty() { Ok(()) } else { self.note(now) }
    }

    /// Readings that gaps count which the disk has no room for yet.
    #[cfg(test)]
    pub(super) fn lost_readings(&self) -> u64 {
        self.lost.iter().map(|gap| gap.count).sum()
    }

    /// Readings of closed batches that the disk has no room for yet.
    pub fn waiting_points(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.draft.points()).sum()
    }

    /// One transaction: room, the batch with what waits for it, no rows of it, the next sequence.
    fn write(&mut self, waiting: &Waiting, now: Moment) -> rusqlite::Result<()> {
        let transaction = self.database.unchecked_transaction()?;
        self.owed.write(&transaction, &self.doubts)?;
        let (gap_rows, carried) = room::waiting_for_next(&transaction)?;
        // first, for making room unites a gap with the last one that waits
        for id in &gap_rows {
            transaction.prepare_cached("DELETE FROM gap WHERE id = ?1")?.execute([id])?;
        }
        let carried_lost = room::fitting(&carried.gaps, &self.lost);
        let (draft, sequence) = (&waiting.draft, self.next_sequence);
        let batch = Batch {
            previous: self.previous,
            gaps: carried
                .gaps
                .into_iter()
                .chain(self.lost.iter().take(carried_lost).cloned())
                .collect(),
            anchors: carried.anchors,
            ..draft.batch(self.identity())
        };
        let (digest, bytes) = self.encode(&batch);
        let ran_ms = self.ran_ms(now);
        let need_bytes = u64::try_from(bytes.len() + ROW_BYTES).unwrap_or(u64::MAX);
        let mut room = self.room(&transaction, now);
        room.make(&self.limits(), need_bytes, ran_ms)?;
        let Room { shelves, dropped, .. } = room;
        let (from_ms, to_ms) = draft.span_ms();
        let sql = "INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        transaction.prepare_cached(sql)?.execute(params![
            self.epoch.0.cast_signed(),
            sequence.cast_signed(),
            digest,
            from_ms,
            to_ms,
            i64::try_from(draft.points()).unwrap_or(i64::MAX),
            now.wall.as_ms(),
            ran_ms,
            bytes
        ])?;
        transaction
            .prepare_cached("DELETE FROM reading WHERE id <= ?1")?
            .execute([waiting.last_row])?;
        if self.previous.is_some() {
            forget_previous(&transaction)?;
        }
        set_meta(&transaction, "next_sequence", &(sequence + 1).to_string())?;
        let overwritten = self.overwritten + dropped.lost_readings;
        set_meta(&transaction, "overwritten", &overwritten.to_string())?;
        let owes_anchor = !self.is_anchor_owed && matches!(draft.clock, BatchClock::Boot { .. });
        if owes_anchor {
            set_meta(&transaction, "unanchored", &self.settings.boot_id.to_string())?;
        }
        transaction.commit()?;
        self.owed.clear();
        self.previous = None;
        self.is_anchor_owed |= owes_anchor;
        self.shelves = shelves;
        self.overwritten = overwritten;
        self.lost.drain(..carried_lost);
        self.tell_gone(&dropped, now);
        self.count_in(bytes);
        Ok(())
    }

    /// A closed batch has no place on disk: its sequence is skipped, and a gap names it.
    fn lose(&mut self, draft: &Draft, now: Moment) {
        let (from_ms, to_ms) = draft.span_ms();
        let count = u64::try_from(draft.points()).unwrap_or(u64::MAX);
        let gap = Gap {
            epoch: self.epoch,
            first_sequence: self.next_sequence,
            last_sequence: self.next_sequence,
            gauges: draft.columns.iter().map(|column| column.gauge.clone()).collect(),
            boot: draft.clock.boot(),
            from_ms,
            to_ms,
            reason: GapReason::DiskFull,
            count,
        };
        self.next_sequence += 1;
        self.overwritten += count;
        if let Some(held_back) = self.told.note("lost", now.wall) {
            error!(
                lost = count,
                in_all = self.overwritten,
                held_back,
                "readings lost, the disk is full"
            );
        }
        self.metrics.spool_overwritten.inc_by(count);
        if !self.lost.last_mut().is_some_and(|last| room::unite(last, &gap)) {
            self.lost.push(gap);
        }
    }

    pub(super) fn tell_gone(&mut self, dropped: &Dropped, now: Moment) {
        if dropped.lost_readings > 0 {
            if let Some(held_back) = self.told.note("overwritten", now.wall) {
                let (lost, in_all) = (dropped.lost_readings, self.overwritten);
                error!(lost, in_all, held_back, "readings lost from spool");
            }
            self.metrics.spool_overwritten.inc_by(dropped.lost_readings);
        }
        self.is_anchor_owed |= dropped.owes_anchor;
        for (key, said) in &dropped.doubts {
            self.doubts.add(*key, said.clone());
        }
        let gone =
            dropped.keys.iter().map(|key| Happening::Gone(key.epoch, (key.sequence, key.sequence)));
        self.happenings.extend(gone);
    }

    /// The batch with the next sequence is on disk.
    pub(super) fn count_in(&mut self, payload: Vec<u8>) {
        let key = BatchKey { epoch: self.epoch, sequence: self.next_sequence };
        self.next_sequence += 1;
        if self.shelves.last().is_none_or(|shelf| shelf.epoch != key.epoch) {
            self.shelves.push(Shelf::new(key.epoch));
        }
        if let Some(shelf) = self.shelves.last_mut() {
            shelf.held.insert((key.sequence, key.sequence));
            shelf.queued.insert((key.sequence, key.sequence));
        }
        self.metrics.batches_closed.inc();
        self.happenings.push(Happening::Closed(key, payload));
    }

    /// What a transaction of this moment takes batches out with.
    pub(super) fn room<'a>(&'a self, database: &'a Connection, now: Moment) -> Room<'a> {
        let (shelves, finding) = (self.shelves.clone(), self.finding(now));
        Room { database, shelves, finding, dropped: Dropped::default() }
    }

    /// What is known of damage that is found at this moment.
    pub(super) fn finding(&self, now: Moment) -> Finding<'_> {
        let (boot, at_ms) = if now.is_trusted {
            (None, now.wall.as_ms())
        } else {
            (Some(self.settings.boot_id), now.boot_ms)
        };
        Finding { gauges: &self.settings.gauges, boot, at_ms }
    }

    /// The identity of the next batch.
    pub(super) fn identity(&self) -> BatchId {
        BatchId {
            agent: self.settings.agent.clone(),
            epoch: self.epoch,
            sequence: self.next_sequence,
        }
    }

    pub(super) fn encode(&self, batch: &Batch) -> (Digest, Vec<u8>) {
        let plain = batch_v1::encode(batch);
        let digest = batch_v1::digest(&plain);
        (digest, if self.settings.is_compressed { batch_v1::compress(plain) } else { plain })
    }

    /// How long agents ran on this spool.
    pub(super) fn ran_ms(&self, now: Moment) -> i64 {
        self.ran_base_ms.saturating_add(now.boot_ms)
    }
}
