//! What ingest asks of the store, and what the store answers.

use std::collections::BTreeMap;

use model::{
    batch::{ClockAnchor, Gap, Previous},
    ids::{AgentId, BootId, Epoch, GaugeId, Sequence},
    quantity::{Resolution, Unit},
    time::Timestamp,
    wire::{batch_v1::Digest, refused_v1::Reason},
};

/// What the bytes of a stored batch are (`docs/formats.md` §9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A batch of an agent (§2).
    Batch,
    /// A document of a third party (§5).
    Json,
    /// A batch (§2) made by `import samples`.
    Import,
}

impl Kind {
    /// The number in `samples.db`.
    pub const fn code(self) -> i64 {
        match self {
            Self::Batch => 1,
            Self::Json => 2,
            Self::Import => 3,
        }
    }

    /// The kind with this number.
    pub const fn from_code(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::Batch),
            2 => Some(Self::Json),
            3 => Some(Self::Import),
            _ => None,
        }
    }

    /// The word for it in answers.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Json => "json",
            Self::Import => "import",
        }
    }
}

/// What makes a payload the same payload for ever, beside its agent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// A batch's identity, and what it must hold.
    Batch {
        /// The life of the spool.
        epoch: Epoch,
        /// The number within it.
        sequence: Sequence,
        /// Of the uncompressed bytes.
        digest: Digest,
    },
    /// A document has no identity but its bytes.
    Payload {
        /// Of the payload as received.
        digest: Digest,
    },
}

impl Key {
    /// The digest in it.
    pub const fn digest(&self) -> &Digest {
        match self {
            Self::Batch { digest, .. } | Self::Payload { digest } => digest,
        }
    }
}

/// The points of one gauge in a payload, judged and accepted; the values stay in the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedColumn {
    /// Whose points.
    pub gauge: GaugeId,
    /// The gauge's unit, which never changes.
    pub unit: Unit,
    /// The gauge's stored decimals at this moment.
    pub decimals: u8,
    /// Moment of the first point.
    pub from: Timestamp,
    /// Moment of the last point, which belongs to it.
    pub to: Timestamp,
    /// How many points; of a JSON document how many different moments.
    pub points: u32,
    /// What makes UTC of the payload's moments; 0 where they are UTC.
    pub offset_ms: i64,
    /// QC flags as `model::wire::runs` over the points; `None` where nothing is flagged.
    pub qc: Option<Vec<u8>>,
}

impl AdmittedColumn {
    /// How its values are stored.
    pub const fn resolution(&self) -> Resolution {
        Resolution { unit: self.unit, decimals: self.decimals }
    }
}

/// What is refused of a payload whose rest goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The gauge's full name as it was sent; empty where there is none.
    pub gauge: String,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub detail: String,
    /// The first and the last moment of its points, where they are known.
    pub moments: Option<(Timestamp, Timestamp)>,
    /// Of its points only those after this moment are set aside, since those before are admitted.
    pub after: Option<Timestamp>,
    /// What the clock will say when it is worth judging again, where that alone keeps it out.
    pub due: Option<Timestamp>,
}

impl SetAside {
    /// Something that is refused whole.
    pub const fn new(gauge: String, reason: Reason, detail: String) -> Self {
        Self { gauge, reason, detail, moments: None, after: None, due: None }
    }
}

/// Which gauges of a stored payload are set aside.
pub type AsideGauges = BTreeMap<String, Waits>;

/// What of a gauge is set aside, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waits {
    /// Why.
    pub reason: Reason,
    /// Whether the clock alone keeps it out: then it is judged again by itself.
    pub is_due: bool,
    /// Only its points after this moment, since those before are admitted; `None`: all of it.
    pub after: Option<Timestamp>,
}

impl Waits {
    /// What is set aside by this part.
    pub(crate) const fn of(part: &SetAside) -> Self {
        Self { reason: part.reason, is_due: part.due.is_some(), after: part.after }
    }
}

/// A gap that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmittedGap {
    /// Which one of its payload, from 0.
    pub number: u32,
    /// Its moments are UTC.
    pub gap: Gap,
}

/// A payload to be stored, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admit {
    /// What the bytes are.
    pub kind: Kind,
    /// What makes it the same payload when it comes again.
    pub key: Key,
    /// Who sent it.
    pub agent: AgentId,
    /// On which topic; kept where something is set aside.
    pub topic: String,
    /// When.
    pub received_at: Timestamp,
    /// As received.
    pub bytes: Vec<u8>,
    /// What is accepted.
    pub columns: Vec<AdmittedColumn>,
    /// What is not.
    pub set_aside: Vec<SetAside>,
    /// The start of the gateway for whose anchor something of it waits.
    pub boot: Option<BootId>,
    /// Readings that the agent knows to be lost.
    pub gaps: Vec<AdmittedGap>,
    /// Where UTC stood when the agent's gateway started.
    pub anchors: Vec<ClockAnchor>,
    /// In the first batch of an epoch: the end of the epoch before.
    pub previous: Option<Previous>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admitted {
    /// Position of the stored payload.
    pub batch: i64,
    /// Feed positions, one for each station that has something new.
    pub feeds: Vec<i64>,
    /// Points that are new: nothing said the same of their moment before.
    pub points: u64,
    /// Points that only say again what was said of their moment.
    pub repeated: u64,
    /// New points that contradict what stands at their moment.
    pub conflicts: u64,
    /// Points of which that is not known, as looking would have held the writer too long.
    pub uncompared: u64,
    /// Anchors that contradict the one that stands for their start.
    pub other_anchors: u64,
}

/// Which bound keeps a payload out for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkBound {
    /// That of all payloads.
    Park,
    /// That of one agent's.
    Agent,
    /// Its gateway has started too often of late, by its anchors.
    Anchors,
}

impl ParkBound {
    /// The word for it in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Park => "park",
            Self::Agent => "agent",
            Self::Anchors => "anchors",
        }
    }
}

/// What became of an [`Admit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Stored and synced.
    Admitted(Admitted),
    /// It says nothing that was not said before: so many points. Its identity is known from here
    /// on, and its bytes are not kept.
    Repetition(u64),
    /// It was stored, quarantined or discarded before; nothing changed.
    Duplicate,
    /// The same identity came before with other bytes; nothing was stored.
    Fork {
        /// What came before.
        stored: Digest,
    },
    /// All of it would have to be parked, and there is no room; nothing but its anchors was stored.
    /// Or its anchors are too many; nothing was stored.
    ParkFull(ParkBound),
}

/// A payload refused whole, to be kept for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Who sent it.
    pub agent: AgentId,
    /// On which topic.
    pub topic: String,
    /// When.
    pub received_at: Timestamp,
    /// As received.
    pub payload: Vec<u8>,
    /// Why.
    pub reason: Reason,
    /// In words.
    pub detail: String,
    /// Its identity, so that it is answered as a duplicate when it comes again; `None` where
    /// nothing decodes, and for a fork, whose identity is another's.
    pub key: Option<Key>,
}

/// What became of a [`Quarantine`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quarantined {
    /// Kept.
    Held {
        /// The row of the quarantine.
        id: i64,
        /// How many older ones had to go.
        dropped: u64,
    },
    /// It came before; nothing changed.
    Duplicate,
    /// Its identity came before with other bytes; nothing was kept.
    Fork {
        /// What came before.
        stored: Digest,
    },
}

/// An agent's word about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetStatus {
    /// Who.
    pub agent: AgentId,
    /// When.
    pub received_at: Timestamp,
    /// The document (§4) as received; `None`: it was taken back, and no status is known.
    pub json: Option<String>,
}

/// A quarantined payload judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The row of the quarantine.
    pub id: i64,
    /// When it was judged: the feed says so, since what it admits is not live.
    pub at: Timestamp,
    /// The journal's entry of who decided so; `None`: the clock did.
    pub entry: Option<i64>,
    /// What it is.
    pub verdict: ReplayVerdict,
}

/// What judging again came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayVerdict {
    /// Of some batches of a parked item; of others it may be asked later.
    Parked(Vec<Rejudged>),
    /// Of a payload that was refused whole: as if it came for the first time, with the agent,
    /// topic and moment of the row.
    Garbage(Box<Admit>),
}

/// A parked batch judged again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejudged {
    /// Its position.
    pub batch: i64,
    /// What is accepted of what was set aside.
    pub columns: Vec<AdmittedColumn>,
    /// Gaps that are accepted.
    pub gaps: Vec<AdmittedGap>,
    /// Anchors that are accepted.
    pub anchors: Vec<ClockAnchor>,
    /// What is still set aside.
    pub still: Vec<SetAside>,
    /// The start of the gateway for whose anchor something of it still waits.
    pub boot: Option<BootId>,
}

impl Rejudged {
    /// Whether anything of it is accepted.
    pub fn is_admitted(&self) -> bool {
        !self.columns.is_empty() || !self.gaps.is_empty() || !self.anchors.is_empty()
    }

    /// Whether the batch is to be filed anew that waited for the anchor of `boot` and for the
    /// clock to say `due`, as it says `at`; else it waits as before.
    pub fn is_news(&self, boot: Option<BootId>, due: Option<Timestamp>, at: Timestamp) -> bool {
        // What was due must not stay so, else it would be judged each second.
        let is_overdue = due.is_some_and(|due| due <= at);
        let waits_for_the_clock = due.is_none() && self.still.iter().any(|part| part.due.is_some());
        self.is_admitted()
            || self.still.is_empty()
            || self.boot != boot
            || is_overdue
            || waits_for_the_clock
    }
}

/// What a replay admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Readmitted {
    /// Batches of which something was.
    pub batches: u64,
    /// Points that were, and are new.
    pub points: u64,
    /// Points that only say again what was said of their moment.
    pub repeated: u64,
    /// New points that contradict what stands at their moment.
    pub conflicts: u64,
    /// New points of which that is not known.
    pub uncompared: u64,
    /// Anchors among them that contradict the one that stands for their start.
    pub other_anchors: u64,
    /// Batches of which nothing was, since their gateway has started too often of late: they are
    /// tried again by themselves.
    pub held_back: u64,
}

/// What became of a [`Replay`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// Stored and synced.
    Done(Readmitted),
    /// Nothing is accepted; the row stays held.
    Unchanged,
    /// There is no such row, it was decided before, there is a later decision about it, or its
    /// payload is gone.
    NotHeld {
        /// The entry under which that was, if there is one.
        stands: Option<i64>,
    },
    /// All of it would have to be parked, and there is no room.
    ParkFull,
}

/// Gives a quarantined payload up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discard {
    /// The row of the quarantine.
    pub id: i64,
    /// The journal's entry of who decided so.
    pub entry: i64,
}

/// Lets some more batches of a parked item go that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// The row of the quarantine.
    pub id: i64,
}

/// What became of a [`Discard`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// Given up; its identity stays known.
    Done {
        /// Batches that [`Sweep`] has still to let go.
        left: u64,
    },
    /// There is no such row, it was decided before, or there is a later decision about it.
    NotHeld {
        /// The entry under which that was, if there is one.
        stands: Option<i64>,
    },
}
