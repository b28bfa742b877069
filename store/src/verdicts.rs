//! Verdicts as they are kept: what compliance has written, and what is read of it.

use model::{
    ids::SectionKey,
    standing::Standing,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};

/// How far a section has been judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionRow {
    /// Which.
    pub key: SectionKey,
    /// The first hour that is judged.
    pub begun: Timestamp,
    /// Every hour before is closed, apart from those to be judged again.
    pub closed: Timestamp,
    /// Closed time that is to be judged again, in order.
    pub again: Vec<AgainRow>,
}

/// Closed time that is to be judged again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgainRow {
    /// Which.
    pub span: Span,
    /// When something first touched it.
    pub first_at: Timestamp,
    /// When something last touched it.
    pub last_at: Timestamp,
}

/// A judged period to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVerdict {
    /// Of which section.
    pub section: SectionKey,
    /// How long the period is.
    pub by: Length,
    /// The period.
    pub span: Span,
    /// What it is; `None`: it has no verdict of its own.
    pub verdict: Option<Verdict>,
    /// Whether it is said for good.
    pub kind: VerdictKind,
    /// Whether it comes after the close of its month.
    pub is_late: bool,
    /// The judgement (`docs/formats.md` §10).
    pub bytes: Vec<u8>,
}

/// Whether a verdict is said for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerdictKind {
    /// The period is open: it is overwritten.
    Provisional,
    /// The period is closed: it becomes a version, if it differs from the newest.
    Closed,
    /// It takes back what was said of a closed period that is none any more.
    Withdrawn,
}

/// A period's verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictRow {
    /// How long the period is.
    pub by: Length,
    /// The period.
    pub span: Span,
    /// 0 while the period is open, be it that closed versions were taken back; else from 1 on.
    pub version: u32,
    /// What it is; `None`: it has no verdict of its own.
    pub verdict: Option<Verdict>,
    /// Whether it only takes back what was said of a period that is none any more.
    pub is_withdrawn: bool,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// Whether that was after the close of its month.
    pub is_late: bool,
    /// The journal entry that names it; `None` for version 0.
    pub entry: Option<i64>,
    /// The judgement.
    pub bytes: Vec<u8>,
}

/// A closed period whose newest version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GivenPeriod {
    /// How long the period is.
    pub by: Length,
    /// The period.
    pub span: Span,
    /// When it was judged.
    pub judged_at: Timestamp,
}

/// How a section stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingRow {
    /// Which.
    pub key: SectionKey,
    /// How.
    pub state: Standing,
    /// Since when.
    pub since: Timestamp,
    /// What that comes of (`docs/formats.md` §10).
    pub bytes: Vec<u8>,
}

/// How many periods are what, by the newest version of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VerdictCounts {
    /// Met.
    pub met: u32,
    /// Short.
    pub short: u32,
    /// Exempt.
    pub exempt: u32,
    /// Of which too little is known.
    pub indeterminate: u32,
    /// Not closed yet, whatever is said of them provisionally.
    pub open: u32,
}

impl VerdictCounts {
    /// Counts a period by the newest version of it; one that is open is that alone. What is
    /// withdrawn, or has no verdict of its own, is no part of it.
    pub const fn note(&mut self, version: u32, verdict: Option<Verdict>) {
        let Some(verdict) = verdict else { return };
        let counter = match (version, verdict) {
            (0, _) => &mut self.open,
            (_, Verdict::Met) => &mut self.met,
            (_, Verdict::Short) => &mut self.short,
            (_, Verdict::Exempt) => &mut self.exempt,
            (_, Verdict::Indeterminate) => &mut self.indeterminate,
        };
        *counter = counter.saturating_add(1);
    }
}

/// Which verdicts of a section to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictsQuery {
    /// Of which section.
    pub section: SectionKey,
    /// Hours or days.
    pub by: Length,
    /// Periods that begin in this time.
    pub span: Span,
    /// Every version of each, and not the newest alone.
    pub all_versions: bool,
    /// Only what comes after this period and version.
    pub after: Option<(Timestamp, u32)>,
    /// At most so many.
    pub limit: usize,
}

/// The number of a length in the file.
pub(crate) const fn length_code(by: Length) -> i64 {
    match by {
        Length::Hour => 1,
        Length::Day => 2,
    }
}

/// The number of a verdict in the file.
pub(crate) const fn verdict_code(verdict: Verdict) -> i64 {
    match verdict {
        Verdict::Met => 1,
        Verdict::Short => 2,
        Verdict::Exempt => 3,
        Verdict::Indeterminate => 4,
    }
}

/// The verdict of this number.
pub(crate) const fn verdict_from_code(code: i64) -> Option<Verdict> {
    match code {
        1 => Some(Verdict::Met),
        2 => Some(Verdict::Short),
        3 => Some(Verdict::Exempt),
        4 => Some(Verdict::Indeterminate),
        _ => None,
    }
}
