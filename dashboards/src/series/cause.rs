//! Why nothing stands for a time: what the store knows of it.

use std::{borrow::Cow, collections::VecDeque};

use model::{
    batch::GapReason,
    release::hold_ms,
    sample::Sample,
    time::{Span, Timestamp},
};

/// Why nothing stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Samples came, and are not good: the word of the last one.
    Defect(Cow<'static, str>),
    /// The agent says that its readings are lost.
    Lost(GapReason),
    /// The agent has readings that have not come yet.
    Queued,
    /// All that the agent made has come, and it made no readings: it was off, or did not ask.
    Unread,
    /// The agent is offline, and nothing has come since.
    Offline,
    /// Nothing had ever come: nothing is missing.
    Before,
    /// Nobody knows.
    Unknown,
}

impl Cause {
    /// Its word, and the reason where there is one to name.
    pub fn words(&self) -> (&'static str, Option<Cow<'static, str>>) {
        match self {
            Self::Defect(word) => ("defect", Some(word.clone())),
            Self::Lost(reason) => ("lost", Some(Cow::Borrowed(reason.word()))),
            Self::Queued => ("queued", None),
            Self::Unread => ("unread", None),
            Self::Offline => ("offline", None),
            Self::Before => ("before", None),
            Self::Unknown => ("unknown", None),
        }
    }
}

/// A sample that is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    at_ms: i64,
    word: Cow<'static, str>,
}

impl Defect {
    /// What a sample says of itself, or the server of it.
    pub fn of(sample: &Sample) -> Self {
        let (quality, reason) = sample.quality_words();
        Self { at_ms: sample.at.as_ms(), word: reason.unwrap_or(Cow::Borrowed(quality)) }
    }
}

/// Everything that is known of why something may be missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Causes {
    /// How long a sample that is not good tells of: as long as a good one would stand.
    hold_ms: i64,
    /// When records begin: with the first sample of any source, whatever it is worth.
    begun: Timestamp,
    /// In ascending moments.
    defects: VecDeque<Defect>,
    of_agent: OfAgent,
}

/// What an agent is known to say of what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfAgent {
    /// What it says is lost.
    pub lost: Vec<(Span, GapReason)>,
    /// From where on readings may be on their way: the beginning of time where nobody knows.
    pub queued_from: Timestamp,
    /// Stretches through which all that it made has come.
    pub whole: Vec<Span>,
    /// From where on it is offline.
    pub offline_from: Timestamp,
}

impl Default for OfAgent {
    /// Nothing is lost or on its way, and no more is known.
    fn default() -> Self {
        let (queued_from, offline_from) = (Timestamp::MAX, Timestamp::MAX);
        Self { lost: Vec::new(), queued_from, whole: Vec::new(), offline_from }
    }
}

impl Causes {
    /// Of sources of which the slowest has a sample this often, and which had their first one at
    /// `begun`, with what their agent says.
    pub fn new(interval_ms: i64, begun: Timestamp, mut of_agent: OfAgent) -> Self {
        if of_agent.queued_from == Timestamp::MIN {
            of_agent.queued_from = Timestamp::MAX;
        }
        Self { hold_ms: hold_ms(interval_ms), begun, defects: VecDeque::new(), of_agent }
    }

    /// One more sample that is not good; those of one source come in order.
    pub(super) fn note(&mut self, defect: Defect) {
        let place = self
            .defects
            .partition_point(|known| (known.at_ms, &known.word) <= (defect.at_ms, &defect.word));
        self.defects.insert(place, defect);
    }

    /// Drops what tells nothing of `until` and later.
    pub(super) fn forget(&mut self, until: Timestamp) {
        let until = until.as_ms();
        // the last one before may tell of what follows
        while self.defects.get(1).is_some_and(|next| next.at_ms <= until) {
            self.defects.pop_front();
        }
    }

    /// Why nothing stands, from a moment to another one, stretch by stretch.
    pub(super) fn of(&self, from_ms: i64, to_ms: i64) -> Vec<(i64, i64, Cause)> {
        let first =
            self.defects.partition_point(|defect| defect.at_ms <= from_ms).saturating_sub(1);
        let defects = self.defects.iter().skip(first).take_while(|defect| defect.at_ms < to_ms);
        let OfAgent { lost, queued_from, whole, offline_from } = &self.of_agent;
        let known = [queued_from, offline_from, &self.begun].map(|at| at.as_ms());
        let mut edges = vec![from_ms, to_ms];
        edges.extend(known);
        edges.extend(defects.flat_map(|defect| [defect.at_ms, defect.at_ms + self.hold_ms]));
        let spans = lost.iter().map(|(span, _)| span).chain(whole);
        edges.extend(spans.flat_map(|span| [span.from.as_ms(), span.to.as_ms()]));
        edges.retain(|edge| (from_ms..=to_ms).contains(edge));
        edges.sort_unstable();
        edges.dedup();
        let mut stretches: Vec<(i64, i64, Cause)> = Vec::new();
        for (from, to) in edges.iter().copied().zip(edges.iter().copied().skip(1)) {
            let cause = self.at(from);
            match stretches.last_mut().filter(|(_, _, known)| *known == cause) {
                Some((_, end, _)) => *end = to,
                None => stretches.push((from, to, cause)),
            }
        }
        stretches
    }

    fn at(&self, at_ms: i64) -> Cause {
        let place = self.defects.partition_point(|defect| defect.at_ms <= at_ms);
        let last = place.checked_sub(1).and_then(|last| self.defects.get(last));
        if let Some(last) = last.filter(|last| at_ms - last.at_ms < self.hold_ms) {
            return Cause::Defect(last.word.clone());
        }
        let holds = |span: &Span| (span.from.as_ms()..span.to.as_ms()).contains(&at_ms);
        let OfAgent { lost, queued_from, whole, offline_from } = &self.of_agent;
        if let Some((_, reason)) = lost.iter().find(|(span, _)| holds(span)) {
            return Cause::Lost(*reason);
        }
        if at_ms >= queued_from.as_ms() {
            Cause::Queued
        } else if at_ms >= self.begun.as_ms() && whole.iter().any(holds) {
            Cause::Unread
        } else if at_ms >= offline_from.as_ms() {
            Cause::Offline
        } else if at_ms < self.begun.as_ms() {
            Cause::Before
        } else {
            Cause::Unknown
        }
    }
}
