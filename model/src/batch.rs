//! Readings that travel and are answered together, under one identity.

use crate::{
    ids::{AgentId, BatchId, BootId, Epoch, GaugeId, Sequence, StoreId},
    reading::Point,
};

/// Readings of one agent under an identity that never changes (`docs/formats.md` §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Who made it, in which epoch, as which one.
    pub id: BatchId,
    /// What its moments count from.
    pub clock: BatchClock,
    /// In the first batch of an epoch: where the epoch before ended, if known.
    pub previous: Option<Previous>,
    /// One for each gauge, no gauge twice.
    pub columns: Vec<Column>,
    /// Readings known to be lost.
    pub gaps: Vec<Gap>,
    /// Where an untrusted clock stood, once known.
    pub anchors: Vec<ClockAnchor>,
}

/// What the moments of a batch count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchClock {
    /// UTC, to within so many milliseconds.
    Utc {
        /// 0 where the agent trusts its clock.
        uncertainty_ms: u32,
    },
    /// The gateway's start, since its clock is not trusted yet.
    Boot {
        /// Which start.
        boot_id: BootId,
    },
}

impl BatchClock {
    /// The start that moments count from; `None` where they are UTC.
    pub const fn boot(self) -> Option<BootId> {
        match self {
            Self::Utc { .. } => None,
            Self::Boot { boot_id } => Some(boot_id),
        }
    }
}

/// The end of the epoch before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// Which epoch.
    pub epoch: Epoch,
    /// The last sequence that it gave out.
    pub last_sequence: Sequence,
}

/// The points of one gauge, in ascending time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Whose points these are.
    pub gauge: GaugeId,
    /// The register's unit as the agent names it; the server may not know it.
    pub unit: Box<str>,
    /// The register's decimals, 0 to 9.
    pub decimals: u8,
    /// The poll period, 0 where there is none.
    pub period_ms: u32,
    /// At least one; moments strictly ascend.
    pub points: Vec<Point>,
}

/// Readings known to be lost, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The epoch of the batches that are gone.
    pub epoch: Epoch,
    /// The first of them.
    pub first_sequence: Sequence,
    /// The last of them.
    pub last_sequence: Sequence,
    /// Whose readings they held.
    pub gauges: Vec<GaugeId>,
    /// The start of the gateway that `from_ms` and `to_ms` count from; `None`: they are UTC.
    pub boot: Option<BootId>,
    /// Moment of the first reading that is gone, ms.
    pub from_ms: i64,
    /// Moment after the last one, ms.
    pub to_ms: i64,
    /// Why.
    pub reason: GapReason,
    /// How many readings.
    pub count: u64,
}

/// Why readings are lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapReason {
    /// The spool was full of batches that nobody had taken.
    Overwritten,
    /// The disk was full.
    DiskFull,
    /// The spool's file was damaged.
    Damaged,
    /// A boot without an anchor.
    Clock,
    /// A reason of a later version.
    Other(u32),
}

impl GapReason {
    /// The number on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Self::Overwritten => 1,
            Self::DiskFull => 2,
            Self::Damaged => 3,
            Self::Clock => 4,
            Self::Other(code) => code,
        }
    }

    /// The reason with this number.
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Overwritten,
            2 => Self::DiskFull,
            3 => Self::Damaged,
            4 => Self::Clock,
            other => Self::Other(other),
        }
    }

    /// The word for it in files and answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Overwritten => "overwritten",
            Self::DiskFull => "disk_full",
            Self::Damaged => "damaged",
            Self::Clock => "clock",
            Self::Other(_) => "other",
        }
    }
}

/// Where UTC stood when a gateway started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockAnchor {
    /// Which start.
    pub boot_id: BootId,
    /// UTC at its moment 0, ms.
    pub utc_at_boot_ms: i64,
    /// To within so many milliseconds.
    pub uncertainty_ms: u32,
    /// Who says so: 1 the kernel.
    pub source: u32,
}

/// The server's word that batches are durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitNotice {
    /// In which store.
    pub store_id: StoreId,
    /// Whose batches.
    pub agent: AgentId,
    /// Of which epoch.
    pub epoch: Epoch,
    /// Which sequences: ascending, apart, both ends included.
    pub ranges: Vec<(Sequence, Sequence)>,
}

impl CommitNotice {
    /// The ranges that hold exactly `sequences`, which may come in any order and repeat.
    pub fn ranges_of(mut sequences: Vec<Sequence>) -> Vec<(Sequence, Sequence)> {
        sequences.sort_unstable();
        let mut ranges: Vec<(Sequence, Sequence)> = Vec::new();
        for sequence in sequences {
            match ranges.last_mut() {
                Some((_, last)) if sequence <= last.saturating_add(1) => {
                    *last = sequence.max(*last);
                }
                _ => ranges.push((sequence, sequence)),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_unite_neighbours_and_forget_repeats() {
        assert_eq!(CommitNotice::ranges_of(vec![5, 1, 2, 2, 3, 9]), [(1, 3), (5, 5), (9, 9)]);
        assert_eq!(CommitNotice::ranges_of(vec![]), []);
        assert_eq!(
            CommitNotice::ranges_of(vec![u64::MAX, u64::MAX - 1]),
            [(u64::MAX - 1, u64::MAX)]
        );
    }
}
