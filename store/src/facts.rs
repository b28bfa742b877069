//! What the store answers about gauges, agents, the quarantine and the feed.

use std::sync::Arc;

use model::{
    batch::{ClockAnchor, Gap, Previous},
    ids::{AgentId, BootId, Epoch, GaugeId, Sequence, StationId},
    quantity::Unit,
    time::{Span, Timestamp},
    wire::{batch_v1::Digest, refused_v1::Kept},
};

use crate::admission::{AsideGauges, Kind};

/// A gauge that has samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaugeFacts {
    /// Which.
    pub gauge: GaugeId,
    /// Its unit for ever.
    pub unit: Unit,
    /// The moment of its newest sample.
    pub newest: Option<Timestamp>,
    /// Points that contradicted what stood at their moment.
    pub conflicts: u64,
}

/// An agent that was ever heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentRow {
    /// Which.
    pub agent: AgentId,
    /// Its last status document (`docs/formats.md` §4), as received.
    pub status: Option<String>,
    /// When that came.
    pub status_at: Option<Timestamp>,
    /// When its last payload came.
    pub seen_at: Option<Timestamp>,
    /// The epochs of which something came last, at most [`SHOWN_EPOCHS`], by the moment they were
    /// first heard of.
    pub epochs: Vec<EpochRow>,
    /// How many epochs it ever had.
    pub epoch_count: u64,
}

/// The most epochs that a row of an agent shows.
pub const SHOWN_EPOCHS: usize = 32;

/// A page of a list ends with the row that brings its texts to so many bytes, whatever number of
/// rows was asked for.
pub const PAGE_BYTES: usize = 1 << 20;

/// A page of the agents, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentPage {
    /// The agents.
    pub rows: Vec<AgentRow>,
    /// The last of them, where more come after it.
    pub next: Option<AgentId>,
}

/// What the ledger of an agent, and its own word, tell of readings that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// From where on readings may be on their way: the end of time where everything that was told
    /// of is here, the beginning of time where nobody knows.
    pub queued_from: Timestamp,
    /// Stretches, by when batches came, through which everything that it made has come and was
    /// admitted: what is missing there was never read.
    pub whole: Vec<Span>,
    /// Where its last word is that it is offline: when it sent something last.
    pub offline_from: Option<Timestamp>,
}

/// One life of an agent's spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochRow {
    /// Which.
    pub epoch: Epoch,
    /// When its first batch came.
    pub first_at: Timestamp,
    /// When its last batch came.
    pub last_at: Timestamp,
    /// The lowest sequence that came.
    pub first_sequence: Sequence,
    /// The highest sequence that came.
    pub last_sequence: Sequence,
    /// The highest sequence that is known to have been made: that one, unless something tells of a
    /// later one.
    pub made_to: Sequence,
    /// How many batches came, each counted once.
    pub batches: u64,
    /// The end of the epoch before, where the agent knew it.
    pub previous: Option<Previous>,
    /// What came of it that the agent's last status does not speak of; `None` where that status
    /// is of another epoch.
    pub since: Option<Since>,
}

/// What came of an epoch after a status of its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The first sequence that the status does not speak of.
    pub next_sequence: Sequence,
    /// How many batches came from there on; `None` where they are too many to count.
    pub batches: Option<u64>,
}

impl EpochRow {
    /// Sequences up to the last that was made that never came: an epoch begins with 1.
    pub const fn holes(&self) -> u64 {
        self.made_to.saturating_sub(self.batches)
    }
}

/// Whether somebody has decided about a quarantined payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineState {
    /// Not yet.
    Held,
    /// Judged again and admitted.
    Replayed,
    /// Given up.
    Discarded,
}

impl QuarantineState {
    /// The number in `samples.db`.
    pub const fn code(self) -> i64 {
        match self {
            Self::Held => 0,
            Self::Replayed => 1,
            Self::Discarded => 2,
        }
    }

    /// The state with this number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            0 => Some(Self::Held),
            1 => Some(Self::Replayed),
            2 => Some(Self::Discarded),
            _ => None,
        }
    }

    /// The word for it in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }
}

/// The number of a kind of quarantine in `samples.db`; what is kept nowhere has none.
pub(crate) const fn kept_code(kept: Kept) -> Option<i64> {
    match kept {
        Kept::Parked => Some(1),
        Kept::Garbage => Some(2),
        Kept::None => None,
    }
}

/// The kind of quarantine with this number.
pub(crate) const fn kept_from_code(code: i64) -> Option<Kept> {
    match code {
        1 => Some(Kept::Parked),
        2 => Some(Kept::Garbage),
        _ => None,
    }
}

/// Which rows of the quarantine to list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineQuery {
    /// Only this kind.
    pub kind: Option<Kept>,
    /// Only in this state.
    pub state: Option<QuarantineState>,
    /// Only rows older than this one: `next` of the page before.
    pub before: Option<i64>,
    /// At most so many rows.
    pub limit: usize,
}

/// A page of the quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinePage {
    /// Newest first.
    pub rows: Vec<QuarantineRow>,
    /// `before` of the next page; `None` at the end.
    pub next: Option<i64>,
}

/// A payload that was refused, or what was set aside of many for the same reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Its number.
    pub id: i64,
    /// Parked or garbage.
    pub kind: Kept,
    /// What was decided.
    pub state: QuarantineState,
    /// The journal's entry under which something of it was last replayed, or it was discarded;
    /// `None` where only the clock has admitted something.
    pub entry: Option<i64>,
    /// Who sent it.
    pub agent: AgentId,
    /// On which topic.
    pub topic: String,
    /// When its first payload came.
    pub received_at: Timestamp,
    /// When its last payload came.
    pub last_at: Timestamp,
    /// How many payloads it ever held.
    pub batches: u64,
    /// How many of them wait for a decision.
    pub waiting: u64,
    /// The length of all its payloads.
    pub bytes: u64,
    /// Of the first payload as received.
    pub digest: Digest,
    /// The word for the first reason; a later version may know more of them.
    pub reason: String,
    /// In words, each gauge's reason.
    pub detail: String,
    /// The first gauges that are set aside, at most [`SHOWN_GAUGES`]; empty where a whole payload
    /// was refused, where its payloads have too many different ones, or once it is decided.
    pub gauges: Vec<String>,
    /// How many gauges are, or were, set aside.
    pub gauge_count: u64,
    /// The first and the last moment of what is set aside, where they are known.
    pub moments: Option<(Timestamp, Timestamp)>,
    /// The start of the gateway for whose anchor it waits.
    pub boot: Option<BootId>,
    /// What the clock will say when the first of its payloads is judged again by itself.
    pub due: Option<Timestamp>,
}

/// The most gauges that a row of the quarantine shows.
pub const SHOWN_GAUGES: usize = 32;

/// A row of the quarantine and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineItem {
    /// The row.
    pub row: QuarantineRow,
    /// The payload.
    pub original: Original,
}

/// Where a quarantined payload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Original {
    /// Stored as batches, since the rest of them was admitted or all of them may be.
    Batches,
    /// Stored as this batch, since the rest of it was admitted.
    Batch(i64),
    /// Kept in the row.
    Payload(Vec<u8>),
    /// Given up.
    Gone,
}

/// A batch of a parked item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedBatch {
    /// As it is stored.
    pub stored: StoredBatch,
    /// Which of its gauges are set aside; those of an item are shared by its batches.
    pub gauges: Arc<AsideGauges>,
    /// When it was judged last: what lay ahead then waits.
    pub judged_at: Timestamp,
    /// What the clock will say when it is to be judged again.
    pub due: Option<Timestamp>,
}

/// The next batches of a parked item.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParkedSlice {
    /// At least one, unless there are none.
    pub batches: Vec<ParkedBatch>,
    /// After which batch the next slice begins; `None` at the end.
    pub next: Option<i64>,
}

/// An anchor that stands, by the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorRow {
    /// Its number.
    pub id: i64,
    /// Whose.
    pub agent: AgentId,
    /// What it says.
    pub anchor: ClockAnchor,
}

/// How full the park is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ParkFacts {
    /// What all parked payloads count.
    pub bytes: u64,
    /// Who has most in it, and what that counts.
    pub fullest: Option<(AgentId, u64)>,
}

/// A stored payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBatch {
    /// Its position.
    pub position: i64,
    /// What the bytes are.
    pub kind: Kind,
    /// Who sent it.
    pub agent: AgentId,
    /// When it came.
    pub received_at: Timestamp,
    /// As received.
    pub bytes: Vec<u8>,
}

/// One commit as consumers see it: at this station, in this stretch of time, something came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Its position; grows with every commit.
    pub position: i64,
    /// Where.
    pub station: StationId,
    /// Which moments may have new samples.
    pub span: Span,
    /// The stored payload.
    pub batch: i64,
    /// When it came, or when it was replayed.
    pub received_at: Timestamp,
    /// What the payload is.
    pub kind: Kind,
}

/// What it costs to read samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SamplesWeight {
    /// Columns to look for, each in its payload.
    pub spans: u64,
    /// Points in them.
    pub points: u64,
}

/// Readings that an agent reported lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapRow {
    /// Who.
    pub agent: AgentId,
    /// What.
    pub gap: Gap,
}

/// How much the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Position of the newest stored payload.
    pub batches: u64,
    /// Position of the newest feed row.
    pub feed: u64,
    /// In the ring of garbage.
    pub garbage_bytes: u64,
    /// Garbage that had to make room.
    pub garbage_dropped: u64,
    /// Decided items of the park that had to make room for later ones.
    pub decided_dropped: u64,
    /// Parked and undecided, of payloads that are stored for nothing else.
    pub parked_bytes: u64,
    /// The same of payloads that are stored anyway, which keeps nobody out.
    pub parked_beside_bytes: u64,
    /// The size of `samples.db`.
    pub bytes: u64,
}
