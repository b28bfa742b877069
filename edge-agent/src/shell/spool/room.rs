//! How the spool makes room: committed batches go first, then the oldest queued ones, each with a
//! gap that says what is gone.

use model::{
    batch::{Batch, ClockAnchor, Gap, GapReason},
    ids::{AgentId, BatchId, Epoch, GaugeId, Sequence},
    wire::batch_v1,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    doubt::{Said, said},
    file::set_meta,
    finding::{Finding, Label},
};
use crate::ledger::{BatchKey, Sequences};

/// The most batches that go in one transaction, so that none takes long.
const DROPS: usize = 32;
/// A disk with less than this left is as good as full: the log takes up to 1.1 MiB, and its blocks
/// count as left.
const TIGHT_BYTES: u64 = 1536 * 1024;
const PAGE_BYTES: u64 = 4_096;
/// The most gauges that its gaps name, a quarter of what the format allows, so that a batch of
/// gaps is no large message either.
const GAUGES: usize = batch_v1::MAX_GAP_GAUGES / 4;

/// One epoch's batches on disk.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) epoch: Epoch,
    pub(super) held: Sequences,
    /// Those that no notice has named.
    pub(super) queued: Sequences,
}

impl Shelf {
    /// Without batches yet.
    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch, held: Sequences::default(), queued: Sequences::default() }
    }
}

/// What the file may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_bytes: u64,
    pub(super) max_ran_ms: i64,
    /// What the disk has left beside the log, where that is known.
    pub(super) free_bytes: Option<u64>,
}

impl Limits {
    /// Whether the disk is as good as full.
    pub(super) fn is_tight(&self) -> bool {
        self.free_bytes.is_some_and(|left| left < TIGHT_BYTES)
    }
}

/// What left the spool.
#[derive(Debug, Clone, Default)]
pub(super) struct Dropped {
    /// All of them.
    pub(super) keys: Vec<BatchKey>,
    /// Readings in those that no notice had named.
    pub(super) lost_readings: u64,
    /// What gaps say now because those left.
    pub(super) doubts: Vec<(BatchKey, Vec<Said>)>,
    /// Whether one of them counts from this start.
    pub(super) owes_anchor: bool,
}

/// Batches taken out in one transaction, with copies of the shelves that follow it once it is done.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pub(super) database: &'a Connection,
    pub(super) shelves: Vec<Shelf>,
    /// What a gap says of a batch that turns out to be damaged.
    pub(super) finding: Finding<'a>,
    pub(super) dropped: Dropped,
}

impl Room<'_> {
    /// Makes room for `need_bytes` more, by the settings and by the disk.
    pub(super) fn make(
        &mut self,
        limits: &Limits,
        need_bytes: u64,
        ran_ms: i64,
    ) -> rusqlite::Result<()> {
        while self.dropped.keys.len() < DROPS {
            let Some((key, reason)) = self.next_to_go(limits, need_bytes, ran_ms)? else { break };
            self.drop_batch(key, reason)?;
        }
        Ok(())
    }

    fn next_to_go(
        &self,
        limits: &Limits,
        need_bytes: u64,
        ran_ms: i64,
    ) -> rusqlite::Result<Option<(BatchKey, GapReason)>> {
        let (committed, queued) = (oldest_committed(&self.shelves), oldest_queued(&self.shelves));
        // hours hold for each sort by itself: what the server has may be younger
        for key in [committed, queued].into_iter().flatten() {
            if is_old(self.database, key, ran_ms, limits)? {
                return Ok(Some((key, GapReason::Overwritten)));
            }
        }
        let all = pages(self.database, "page_count")?;
        let free = pages(self.database, "freelist_count")?;
        let is_over = (all - free).saturating_mul(PAGE_BYTES) + need_bytes > limits.max_bytes;
        let is_tight = limits.is_tight() && free.saturating_mul(PAGE_BYTES) < need_bytes;
        let oldest = committed.or(queued);
        Ok(match (is_over, is_tight) {
            (true, _) => oldest.map(|key| (key, GapReason::Overwritten)),
            (false, true) => oldest.map(|key| (key, GapReason::DiskFull)),
            (false, false) => None,
        })
    }

    /// Makes some room, since the disk is full: a few committed batches go, or else the oldest
    /// queued one.
    pub(super) fn free(&mut self) -> rusqlite::Result<()> {
        while self.dropped.keys.len() < DROPS / 4 {
            let Some(key) = oldest_committed(&self.shelves) else { break };
            self.drop_batch(key, GapReason::DiskFull)?;
        }
        match oldest_queued(&self.shelves) {
            Some(key) if self.dropped.keys.is_empty() => self.drop_batch(key, GapReason::DiskFull),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes one batch out. What a queued one held becomes a gap, and its own gaps and anchors wait
    /// for the next batch again.
    pub(super) fn drop_batch(&mut self, key: BatchKey, reason: GapReason) -> rusqlite::Result<()> {
        let is_its = |shelf: &&Shelf| shelf.epoch == key.epoch;
        if self.shelves.iter().filter(is_its).any(|shelf| shelf.queued.contains(key.sequence)) {
            self.keep_gap(key, reason)?;
        }
        let sql = "DELETE FROM batch WHERE epoch = ?1 AND sequence = ?2";
        let its = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
        self.database.prepare_cached(sql)?.execute(its)?;
        for shelf in self.shelves.iter_mut().filter(|shelf| shelf.epoch == key.epoch) {
            shelf.held.remove((key.sequence, key.sequence));
            shelf.queued.remove((key.sequence, key.sequence));
        }
        self.dropped.keys.push(key);
        Ok(())
    }

    fn keep_gap(&mut self, key: BatchKey, reason: GapReason) -> rusqlite::Result<()> {
        let Some((label, batch)) = read(self.database, key)? else { return Ok(()) };
        let count = u64::try_from(label.points).unwrap_or(0);
        let gap = if let Some(batch) = &batch {
            Gap {
                epoch: key.epoch,
                first_sequence: key.sequence,
                last_sequence: key.sequence,
                gauges: batch.columns.iter().map(|column| column.gauge.clone()).collect(),
                boot: batch.clock.boot(),
                from_ms: label.from_ms,
                to_ms: label.to_ms,
                reason,
                count,
            }
        } else {
            let gap = self.finding.gap_of(key, label);
            self.dropped.owes_anchor |= owe_anchor(self.database, &gap)?;
            gap
        };
        let (carried, anchors) = batch.map(|batch| (batch.gaps, batch.anchors)).unwrap_or_default();
        let gaps: Vec<Gap> = carried.into_iter().chain([gap]).collect();
        self.dropped.doubts.push((key, gaps.iter().map(said).collect()));
        for gap in gaps {
            add_gap(self.database, gap)?;
        }
        for anchor in anchors {
            keep_anchor(self.database, anchor)?;
        }
        self.dropped.lost_readings += count;
        Ok(())
    }
}

/// What a batch's row says, and the batch where its bytes are what their digest says: what a
/// changed one would carry, an anchor above all, must not travel.
fn read(database: &Connection, key: BatchKey) -> rusqlite::Result<Option<(Label, Option<Batch>)>> {
    let sql = "SELECT from_ms, to_ms, points, digest, bytes FROM batch
               WHERE epoch = ?1 AND sequence = ?2";
    let its = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
    let row = database.prepare_cached(sql)?.query_row(its, |row| {
        let label = Label { from_ms: row.get(0)?, to_ms: row.get(1)?, points: row.get(2)? };
        Ok((label, row.get::<_, Vec<u8>>(3)?, row.get::<_, Vec<u8>>(4)?))
    });
    Ok(row.optional()?.map(|(label, digest, bytes)| {
        let decoded = batch_v1::decode(&bytes).ok();
        let whole = decoded.filter(|(_, found)| found.as_slice() == digest);
        (label, whole.map(|(batch, _)| batch))
    }))
}

/// Lets a gap wait for the next batch, united with one that it goes on from, or that goes on from
/// it: a batch that is dropped gives back the gap it carried, so they do not come in their order.
pub(super) fn add_gap(database: &Connection, gap: Gap) -> rusqlite::Result<()> {
    let mut rows = database.prepare_cached("SELECT id, bytes FROM gap ORDER BY id DESC")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let (id, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        let Ok((mut batch, _)) = batch_v1::decode(&bytes) else { continue };
        let [waiting] = batch.gaps.as_mut_slice() else { continue };
        let mut before = gap.clone();
        if unite(&mut before, waiting) {
            *waiting = before;
        } else if !unite(waiting, &gap) {
            continue;
        }
        let sql = "UPDATE gap SET bytes = ?2 WHERE id = ?1";
        return database
            .prepare_cached(sql)?
            .execute(params![id, batch_v1::encode(&batch)])
            .map(drop);
    }
    insert_carrier(database, &Batch { gaps: vec![gap], ..carrier() })
}

/// Notes that this start owes an anchor where a gap that was found in it counts from it; whether it
/// does.
pub(super) fn owe_anchor(database: &Connection, found: &Gap) -> rusqlite::Result<bool> {
    if let Some(boot_id) = found.boot {
        set_meta(database, "unanchored", &boot_id.to_string())?;
    }
    Ok(found.boot.is_some())
}

/// Makes one gap of two where `next` goes on where `gap` ends.
pub(super) fn unite(gap: &mut Gap, next: &Gap) -> bool {
    let goes_on = (gap.epoch, gap.reason, gap.boot) == (next.epoch, next.reason, next.boot)
        && gap.last_sequence.checked_add(1) == Some(next.first_sequence);
    if goes_on {
        gap.last_sequence = next.last_sequence;
        gap.from_ms = gap.from_ms.min(next.from_ms);
        gap.to_ms = gap.to_ms.max(next.to_ms);
        gap.count = gap.count.saturating_add(next.count);
        let known: Vec<GaugeId> = std::mem::take(&mut gap.gauges);
        gap.gauges = known.into_iter().chain(next.gauges.iter().cloned()).collect();
        gap.gauges.sort_unstable();
        gap.gauges.dedup();
    }
    goes_on
}

/// Lets an anchor wait for the next batch.
pub(super) fn keep_anchor(database: &Connection, anchor: ClockAnchor) -> rusqlite::Result<()> {
    insert_carrier(database, &Batch { anchors: vec![anchor], ..carrier() })
}

/// What waits for the next batch, at most as much as the format lets one carry; with the rows.
pub(super) fn waiting_for_next(database: &Connection) -> rusqlite::Result<(Vec<i64>, Batch)> {
    let sql = "SELECT id, bytes FROM gap ORDER BY id LIMIT 1000";
    let mut statement = database.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let (mut ids, mut all, mut gauges) = (Vec::new(), carrier(), 0_usize);
    while let Some(row) = rows.next()? {
        let (id, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        // what does not decode is a row of nobody: it goes with the next batch's closing
        if let Ok((one, _)) = batch_v1::decode(&bytes) {
            gauges += one.gaps.iter().map(|gap| gap.gauges.len()).sum::<usize>();
            let is_full = all.anchors.len() + one.anchors.len() > batch_v1::MAX_ANCHORS;
            if is_full || (gauges > GAUGES && !ids.is_empty()) {
                break;
            }
            all.gaps.extend(one.gaps);
            all.anchors.extend(one.anchors);
        }
        ids.push(id);
    }
    Ok((ids, all))
}

/// How many of `lost` one batch can carry beside `gaps`.
pub(super) fn fitting(gaps: &[Gap], lost: &[Gap]) -> usize {
    let mut gauges: usize = gaps.iter().map(|gap| gap.gauges.len()).sum();
    let fits = |gap: &&Gap| {
        let is_first = gauges == 0;
        gauges += gap.gauges.len();
        is_first || gauges <= GAUGES
    };
    lost.iter().take(batch_v1::MAX_GAPS - gaps.len()).take_while(fits).count()
}

/// The oldest batch that a notice has named.
fn oldest_committed(shelves: &[Shelf]) -> Option<BatchKey> {
    shelves.iter().find_map(|shelf| {
        let sequence = shelf.held.first_without(&shelf.queued)?;
        Some(BatchKey { epoch: shelf.epoch, sequence })
    })
}

/// The oldest batch that none has.
pub(super) fn oldest_queued(shelves: &[Shelf]) -> Option<BatchKey> {
    shelves
        .iter()
        .find_map(|shelf| Some(BatchKey { epoch: shelf.epoch, sequence: shelf.queued.first()? }))
}

fn is_old(
    database: &Connection,
    key: BatchKey,
    ran_ms: i64,
    limits: &Limits,
) -> rusqlite::Result<bool> {
    let sql = "SELECT ran_ms FROM batch WHERE epoch = ?1 AND sequence = ?2";
    let (epoch, sequence) = (key.epoch.0.cast_signed(), key.sequence.cast_signed());
    let closed =
        database.prepare_cached(sql)?.query_row(params![epoch, sequence], |row| row.get(0));
    let closed: Option<i64> = closed.optional()?;
    Ok(closed.is_none_or(|closed_ms| ran_ms.saturating_sub(closed_ms) > limits.max_ran_ms))
}

/// Nothing, under an identity that no batch has; carries gaps and anchors between batches.
pub(super) fn carrier() -> Batch {
    #[expect(clippy::expect_used, reason = "a letter is an id")]
    let agent: AgentId = "x".parse().expect("a letter is an id");
    let sequence: Sequence = 1;
    Batch {
        id: BatchId { agent, epoch: Epoch(0), sequence },
        clock: model::batch::BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: Vec::new(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    }
}

pub(super) fn insert_carrier(database: &Connection, carrier: &Batch) -> rusqlite::Result<()> {
    let sql = "INSERT INTO gap (bytes) VALUES (?1)";
    database.prepare_cached(sql)?.execute([batch_v1::encode(carrier)]).map(drop)
}

/// Pages of the file, of this sort.
pub(super) fn pages(database: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    database.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map(i64::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use model::ids::{BootId, Epoch};

    use super::*;

    #[test]
    fn gaps_whose_moments_are_of_different_clocks_stay_apart() {
        let gap = |sequence, boot: Option<u128>| Gap {
            epoch: Epoch(1),
            first_sequence: sequence,
            last_sequence: sequence,
            gauges: Vec::new(),
            boot: boot.map(BootId),
            from_ms: 0,
            to_ms: 1,
            reason: GapReason::Overwritten,
            count: 1,
        };
        let goes_on = |first, second| unite(&mut gap(1, first), &gap(2, second));
        assert!(goes_on(None, None) && goes_on(Some(7), Some(7)));
        assert!(!goes_on(Some(7), Some(8)) && !goes_on(Some(7), None));
    }
}
