//! What waits to be judged, section by section: open hours, hours to be closed, and closed hours
//! that something late has touched.
//!
//! A section's time begins with the first hour that is known well enough. From there every hour is
//! open until it is closed, one after another; what is closed is judged again only where something
//! touched it, or where the law is another one. `begun`, `closed` and what is to be judged again
//! are kept in the journal together with the position in the feed; the rest a start makes anew by
//! judging every open hour once.

mod ahead;
mod case;
mod turns;

use std::collections::BTreeMap;

use model::{
    ids::SectionKey,
    section::Section,
    time::{HOUR_MS, Span, Timestamp},
};

use store::AgainRow;

use self::{
    case::{Case, Quiet},
    turns::Turns,
};
use crate::{
    again::{Again, PATIENCE_MS, QUIET_MS},
    law::Difference,
};

/// Between two judgements of an open hour.
pub const OPEN_PERIOD_MS: i64 = 10_000;
/// Between two looks at whether an hour can be closed, while nothing comes.
pub const CLOSE_PERIOD_MS: i64 = 60_000;
/// How long after its end an hour is closed whatever is missing.
pub const CLOSE_LIMIT_MS: i64 = 24 * HOUR_MS;
/// Hours that are judged together.
pub const MAX_HOURS: usize = 24;

/// Every section that anything has come for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Docket {
    cases: BTreeMap<SectionKey, Case>,
    live: Turns,
    late: Turns,
}

/// What is kept of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The first hour that is judged; of a section that has not begun, the same as `closed`.
    pub begun: Timestamp,
    /// Every hour before is closed, apart from those to be judged again.
    pub closed: Timestamp,
    /// Closed time to be judged again, and time before the first hour to be looked through for an
    /// earlier one.
    pub again: Again,
}

/// How far a section's data have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Come {
    /// The newest moment of the outlet of which the least is known.
    pub newest: Timestamp,
    /// From where on something may be on its way; the end of time where nothing is, its beginning
    /// where nobody knows.
    pub queued_from: Timestamp,
    /// The first moment from [`Docket::looks_from`] on of which anything is known or was said;
    /// the end of time where nothing is.
    pub next: Timestamp,
}

/// Why hours are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They are open: what is said of them is provisional.
    Open,
    /// They are to be closed.
    Close,
    /// They are closed, and something has touched them since, or the law has.
    Again,
    /// They lie before the section's first hour: an earlier one is looked for.
    Begin,
}

/// Which hearings are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Open hours, and those to be closed.
    Live,
    /// Closed ones too.
    All,
}

/// Hours of one section to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hearing {
    /// Why.
    pub why: Why,
    /// What is dealt with: from where its hours begin, or before, where nothing is, to their end.
    pub span: Span,
    /// In order; at most [`MAX_HOURS`]. Those without a mandate are among them.
    pub hours: Vec<Span>,
}

impl Hearing {
    /// Whether there may be more of the same.
    pub fn is_full(&self) -> bool {
        self.hours.len() == MAX_HOURS
    }
}

/// What came of a hearing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Why it was.
    pub why: Why,
    /// What has been dealt with of it.
    pub span: Span,
    /// Whether there may be more of the same.
    pub is_full: bool,
    /// The section's first hour, as it has turned out.
    pub begun: Timestamp,
    /// Of a section that has not begun: the first open hour with which it may.
    pub seen: Option<Timestamp>,
}

impl Docket {
    /// Goes on where the journal left off; every open hour is judged once.
    pub fn restored(kept: BTreeMap<SectionKey, Kept>, now: Timestamp) -> Self {
        let mut docket = Self::default();
        for (key, kept) in kept {
            docket.take_up(&key, kept, now);
        }
        docket
    }

    /// The server's clock has gone back to `now`: goes on as a start does. Says of which sections
    /// hours are open again.
    pub fn set_back(&mut self, now: Timestamp) -> Vec<SectionKey> {
        let mut open_again = Vec::new();
        for (key, case) in &mut self.cases {
            let before = case.kept.clone();
            *case = Case::restored(before.clone(), now);
            if case.kept != before {
                open_again.push(key.clone());
            }
            self.live.set(key, Some(case.live_at()));
            self.late.set(key, case.late_at());
        }
        open_again
    }

    /// What is to be kept of a section.
    pub fn kept(&self, key: &SectionKey) -> Option<&Kept> {
        self.cases.get(key).map(|case| &case.kept)
    }

    /// The first hour that is judged, be it provisionally; `None` while there is none.
    pub fn first(&self, key: &SectionKey) -> Option<Timestamp> {
        let case = self.cases.get(key)?;
        if case.has_begun() { Some(case.kept.begun) } else { case.seen }
    }

    /// Samples of the station came whose moments lie in `span`: whatever they may touch is to be
    /// judged. Says whether what is kept of the section is other than it was.
    pub fn fed(&mut self, section: &Section<'_>, span: Span, now: Timestamp) -> bool {
        let is_new = !self.cases.contains_key(&section.key());
        let reach_ms = section.reach_ms();
        let from = section.hour_of(span.from).from;
        let to = section.hour_of(span.to.plus_ms(reach_ms - 1)).to;
        let case = self.cases.entry(section.key()).or_insert_with(|| Case {
            touched: None,
            ..Case::restored(Kept { begun: from, closed: from, again: Again::default() }, now)
        });
        if to <= now.plus_ms(-CLOSE_LIMIT_MS) {
            let first_at = case.quiet_at.map_or(now, |quiet| quiet.first_at);
            let at = now.plus_ms(QUIET_MS).min(first_at.plus_ms(PATIENCE_MS));
            case.quiet_at = Some(Quiet { first_at, at });
        }
        let closed = case.kept.closed;
        case.kept.again.touch(Span { from, to: to.min(closed) }, now);
        if to > closed {
            case.touch_open(Span { from: from.max(closed), to });
            case.close_at = case.close_at.min(now);
        }
        self.wait(&section.key());
        is_new || from < closed
    }

    /// Notes when something of a section is due next.
    fn wait(&mut self, key: &SectionKey) {
        let case = self.cases.get(key);
        self.live.set(key, case.map(Case::live_at));
        self.late.set(key, case.and_then(Case::late_at));
    }

    /// The law of a section is another one: what of its closed time may be judged otherwise is to
    /// be judged again, and every open hour once.
    pub fn amended(&mut self, section: &Section<'_>, difference: &Difference, now: Timestamp) {
        let Some(case) = self.cases.get_mut(&section.key()) else { return };
        let mut kept = case.kept.clone();
        // where the zone is another one, hours begin at other moments
        kept.begun = section.hour_of(kept.begun).from;
        kept.closed = section.hour_of(kept.closed).from;
        let until = section.hour_of(kept.begun).to.min(kept.closed);
        let judged = difference.judged.iter().map(|span| (*span, kept.closed));
        let begun = difference.begun.iter().map(|span| (*span, until));
        for (span, until) in judged.chain(begun) {
            // the law does not come in pieces: there is nothing to wait for
            let first_at = now.plus_ms(-PATIENCE_MS);
            let span = Span { to: span.to.min(until), ..span };
            kept.again.add(AgainRow { span, first_at, last_at: now });
        }
        *case = Case { quiet_at: case.quiet_at, ..Case::restored(kept, now) };
        self.wait(&section.key());
    }

    /// Takes a section up that was left alone.
    pub fn take_up(&mut self, key: &SectionKey, kept: Kept, now: Timestamp) {
        self.cases.entry(key.clone()).or_insert_with(|| Case::restored(kept, now));
        self.wait(key);
    }

    /// A section that is not judged any more is left alone, until it is taken up again.
    pub fn withdraw(&mut self, key: &SectionKey) {
        self.cases.remove(key);
        self.wait(key);
    }

    /// Every section of which anything is kept.
    pub fn keys(&self) -> impl Iterator<Item = &SectionKey> {
        self.cases.keys()
    }

    /// Sections that something may be due for, at most `limit` for the sake of what is live and
    /// `late` for the sake of what is closed, each in turn: none can keep another waiting. Whoever
    /// does not get its turn stays due.
    pub fn due(&mut self, now: Timestamp, limit: usize, late: usize) -> Vec<(SectionKey, Load)> {
        let live = self.live.next(limit, now);
        let late = self.late.next(late, now);
        let live = live.into_iter().filter(|key| !late.contains(key)).map(|key| (key, Load::Live));
        let live: Vec<(SectionKey, Load)> = live.collect();
        late.into_iter().map(|key| (key, Load::All)).chain(live).collect()
    }

    /// Whether something closed is due.
    pub fn is_behind(&mut self, now: Timestamp) -> bool {
        self.late.is_any_due(now)
    }

    /// From where on it is to be found out what comes next, if that matters: stretches before the
    /// first hour may be long and empty.
    pub fn looks_from(&self, key: &SectionKey, load: Load) -> Option<Timestamp> {
        let case = self.cases.get(key)?;
        let search = case.before_begin().filter(|_| load == Load::All).map(|span| span.from);
        search.or_else(|| Some(case.kept.closed).filter(|_| !case.has_begun()))
    }

    /// Which hours of a section are to be judged now. Closed hours come before open ones, so that
    /// what is told of an open day counts them.
    pub fn hearings(
        &self,
        section: &Section<'_>,
        come: Come,
        load: Load,
        now: Timestamp,
    ) -> Vec<Hearing> {
        let Some(case) = self.cases.get(&section.key()) else { return Vec::new() };
        let Kept { closed, again, .. } = &case.kept;
        let is_quiet = case.quiet_at.is_none_or(|quiet| quiet.at <= now);
        let limit = if is_quiet { now.plus_ms(-CLOSE_LIMIT_MS) } else { Timestamp::MIN };
        let until = come_to(come).max(limit).min(now);
        let mut hearings = Vec::new();
        if load == Load::All {
            let search = case.before_begin().filter(|_| case.search_at <= now);
            if let Some(span) = search {
                let hours = Span { from: come.next.max(span.from).min(span.to), ..span };
                hearings.push(hearing(Why::Begin, section, (span, hours), now));
            } else if let Some(span) = again.due(now).filter(|_| case.before_begin().is_none()) {
                let last = Span { from: latest(section, span), to: span.to };
                hearings.push(hearing(Why::Again, section, (last, last), now));
            }
        }
        let close = Span { from: *closed, to: until };
        // what is empty before a section has begun is passed over at once
        let skipped = if self.looks_from(&section.key(), load) == Some(*closed) {
            section.hour_of(come.next.min(until)).from.max(*closed)
        } else {
            *closed
        };
        let close = hearing(Why::Close, section, (close, Span { from: skipped, to: until }), until);
        let closed = close.span.to.max(*closed);
        hearings.push(close);
        if let Some(touched) = case.touched.filter(|_| case.open_at <= now) {
            let open = Span { from: touched.from.max(closed), to: touched.to.min(now.plus_ms(1)) };
            hearings.push(hearing(Why::Open, section, (open, open), Timestamp::MAX));
        }
        hearings.retain(|hearing| hearing.span.from < hearing.span.to);
        hearings
    }

    /// The section's turn has come: when the next one is, as long as nothing more is known.
    pub fn turned(&mut self, key: &SectionKey, load: Load, now: Timestamp) {
        self.live.turned(key);
        if load == Load::All {
            self.late.turned(key);
        }
        let Some(case) = self.cases.get_mut(key) else { return };
        case.quiet_at = case.quiet_at.filter(|quiet| quiet.at > now);
        case.close_at = now.plus_ms(CLOSE_PERIOD_MS);
        case.open_at = case.open_at.max(now.plus_ms(OPEN_PERIOD_MS));
        self.wait(key);
    }

    /// A hearing was held.
    pub fn heard(&mut self, key: &SectionKey, heard: Heard, now: Timestamp) {
        let Some(case) = self.cases.get_mut(key) else { return };
        let mut judged_to = case.kept.closed;
        match heard.why {
            Why::Again => case.kept.again.remove(heard.span),
            Why::Begin => {
                case.kept.again.remove(heard.span);
                let is_left = case.before_begin().is_some();
                case.search_at = if is_left { now } else { now.plus_ms(OPEN_PERIOD_MS) };
            }
            Why::Close => {
                case.kept.closed = heard.span.to;
                case.seen = case.seen.filter(|seen| *seen >= heard.span.to);
            }
            Why::Open => {
                judged_to = heard.span.to;
                case.see(heard.seen);
            }
        }
        if heard.is_full && matches!(heard.why, Why::Open | Why::Close) {
            (case.close_at, case.open_at) = (now, now);
        }
        case.begins(heard, now);
        let from = case.kept.closed.max(judged_to);
        let left = |touched: Span| Span { from: touched.from.max(from), ..touched };
        // what reaches into an hour that has not begun is told of it when it does
        case.touched = case.touched.map(left).filter(|left| left.from < left.to);
        self.wait(key);
    }
}

/// Up to which moment all has come.
fn come_to(come: Come) -> Timestamp {
    come.newest.min(come.queued_from)
}

/// Where the last hours begin that are heard together: what is recent is looked at first.
fn latest(section: &Section<'_>, span: Span) -> Timestamp {
    let hours = i64::try_from(MAX_HOURS).unwrap_or(i64::MAX) - 1;
    let from = section.hour_of(span.to.plus_ms(-1)).from;
    section.hour_of(from.plus_ms(-hours * HOUR_MS).max(span.from)).from
}

/// The first hours of a span that end by `until`, and what is dealt with when they are.
fn hearing(
    why: Why,
    section: &Section<'_>,
    (whole, judged): (Span, Span),
    until: Timestamp,
) -> Hearing {
    let mut hours = Vec::new();
    let mut from = judged.from;
    while from < judged.to && hours.len() < MAX_HOURS {
        let hour = section.hour_of(from);
        if hour.to > until {
            break;
        }
        hours.push(hour);
        from = hour.to;
    }
    let from = hours.first().map_or(whole.from, |first| first.from.min(whole.from));
    let to = hours.last().map_or(judged.from, |last| last.to);
    Hearing { why, span: Span { from, to }, hours }
}

#[cfg(test)]
#[path = "docket/tests.rs"]
pub(crate) mod tests;
