//! What a gap says of readings that are damaged: whose they may have been, how many, and of when.

use model::{
    batch::{Gap, GapReason},
    ids::{BootId, Epoch, GaugeId},
};

use crate::{
    clock_trust::BUILT_AT,
    ledger::{BatchKey, Range},
};

/// What is known of damage where the damaged bytes tell nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding<'a> {
    /// All that the settings name.
    pub(super) gauges: &'a [GaugeId],
    /// The start that `at_ms` counts from; `None`: it is UTC.
    pub(super) boot: Option<BootId>,
    /// When it was found.
    pub(super) at_ms: i64,
}

/// What the row of a batch says beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) from_ms: i64,
    pub(super) to_ms: i64,
    pub(super) points: i64,
}

impl Finding<'_> {
    /// How many readings there were, and from when, nobody can tell.
    pub(super) fn gap(&self, epoch: Epoch, (first, last): Range) -> Gap {
        Gap {
            epoch,
            first_sequence: first,
            last_sequence: last,
            gauges: self.gauges.to_vec(),
            boot: self.boot,
            from_ms: self.at_ms,
            to_ms: self.at_ms,
            reason: GapReason::Damaged,
            count: 0,
        }
    }

    /// Of a batch whose bytes are damaged. Its label is believed where it can be true: what stands
    /// beside damage may be damaged as well. Moments since boot do not tell which start they count
    /// from.
    pub(super) fn gap_of(&self, key: BatchKey, label: Label) -> Gap {
        let unknown = self.gap(key.epoch, (key.sequence, key.sequence));
        let Label { from_ms, to_ms, points } = label;
        // the moment after the last reading; of an untrusted clock nobody knows how late it is
        let is_past = self.boot.is_some() || to_ms <= self.at_ms.saturating_add(1);
        if from_ms < BUILT_AT.as_ms() || to_ms <= from_ms || !is_past {
            return unknown;
        }
        // a gauge has one reading a millisecond at most; the settings may have had more gauges
        let gauges = i64::try_from(self.gauges.len()).unwrap_or(i64::MAX);
        let most = to_ms.abs_diff(from_ms).saturating_mul(gauges.unsigned_abs());
        let count = u64::try_from(points).ok().filter(|count| *count <= most);
        Gap { boot: None, from_ms, to_ms, count: count.unwrap_or(0), ..unknown }
    }
}
