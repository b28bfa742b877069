//! Batches that left the spool without a notice, and may have arrived all the same: a notice that
//! comes before their gap was told takes it back.
//!
//! A gap that a batch carries already stays as it is; whoever reads gaps takes off them what the
//! store has (`docs/formats.md` §2).

use std::collections::BTreeMap;

use model::{
    batch::{Batch, Gap},
    ids::{Epoch, Sequence},
    wire::batch_v1,
};
use rusqlite::Connection;

use super::room;
use crate::ledger::{BatchKey, Range};

/// Batches remembered; at the bound one of the oldest is certain to be a gap.
const BATCHES: usize = 4_096;

/// What one gap says of some batches: how many readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) epoch: Epoch,
    pub(super) range: Range,
    pub(super) readings: u64,
}

/// What waits as a gap because a batch left: the batch itself, and the gaps that it carried.
#[derive(Debug, Default)]
pub(super) struct Doubts(BTreeMap<BatchKey, Vec<Said>>);

impl Doubts {
    /// A batch left, and this was said of it.
    pub(super) fn add(&mut self, key: BatchKey, said: Vec<Said>) {
        self.0.insert(key, said);
        while self.0.len() > BATCHES {
            self.0.pop_first();
        }
    }

    /// A notice named these: what was said because they left is wrong.
    pub(super) fn arrived(&self, epoch: Epoch, (first, last): Range) -> Vec<Said> {
        let key = |sequence| BatchKey { epoch, sequence };
        self.0.range(key(first)..=key(last)).flat_map(|(_, said)| said.iter().copied()).collect()
    }

    /// Takes this out of the gaps that wait; what they have on both sides of it stays.
    pub(super) fn take_back(&self, database: &Connection, wrong: &Said) -> rusqlite::Result<()> {
        let mut rows = database.prepare_cached("SELECT id, bytes FROM gap ORDER BY id")?;
        let mut rows = rows.query([])?;
        let mut changed = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, bytes): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let Ok((batch, _)) = batch_v1::decode(&bytes) else { continue };
            let [gap] = batch.gaps.as_slice() else { continue };
            let overlaps = gap.epoch == wrong.epoch
                && gap.first_sequence <= wrong.range.1
                && wrong.range.0 <= gap.last_sequence;
            if overlaps {
                changed.push((id, self.without(gap, wrong)));
            }
        }
        for (id, rest) in changed {
            database.prepare_cached("DELETE FROM gap WHERE id = ?1")?.execute([id])?;
            for gap in rest {
                room::insert_carrier(database, &Batch { gaps: vec![gap], ..room::carrier() })?;
            }
        }
        Ok(())
    }

    /// What is left of a gap. Each part keeps the moments and gauges of the whole, which hold
    /// still; its count is exact where every batch of one part is remembered, else it is 0.
    fn without(&self, gap: &Gap, wrong: &Said) -> Vec<Gap> {
        let (first, last) = wrong.range;
        let left = first.checked_sub(1).map(|end| (gap.first_sequence, end));
        let right = last.checked_add(1).map(|start| (start, gap.last_sequence));
        let is_some = |part: &Range| part.0 <= part.1;
        let (left, right) = (left.filter(is_some), right.filter(is_some));
        let known = |part: Option<Range>| part.map_or(Some(0), |part| self.count(gap.epoch, part));
        let rest = gap.count.saturating_sub(wrong.readings);
        let counts = match (known(left), known(right)) {
            (Some(left), _) => (left.min(rest), rest.saturating_sub(left)),
            (None, Some(right)) => (rest.saturating_sub(right), right.min(rest)),
            (None, None) => (0, 0),
        };
        let part = |range: Option<Range>, count| {
            range.map(|(first_sequence, last_sequence)| Gap {
                first_sequence,
                last_sequence,
                count,
                ..gap.clone()
            })
        };
        part(left, counts.0).into_iter().chain(part(right, counts.1)).collect()
    }

    /// Readings of these batches, if all of them are remembered.
    fn count(&self, epoch: Epoch, (first, last): Range) -> Option<u64> {
        let mut count = 0_u64;
        for sequence in first..=last {
            count += self.readings(BatchKey { epoch, sequence })?;
        }
        Some(count)
    }

    fn readings(&self, key: BatchKey) -> Option<u64> {
        let own: Range = (key.sequence, key.sequence);
        let said = self.0.get(&key)?.iter();
        said.filter(|said| said.epoch == key.epoch && said.range == own)
            .map(|said| said.readings)
            .next()
    }
}

/// What a gap says.
pub(super) fn said(gap: &Gap) -> Said {
    let range: (Sequence, Sequence) = (gap.first_sequence, gap.last_sequence);
    Said { epoch: gap.epoch, range, readings: gap.count }
}
