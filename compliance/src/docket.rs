//! What waits to be judged, section by section: open hours, hours to be closed, and closed hours
//! that something late has touched.
//!
//! A section's time begins with the hour of its first sample. From there every hour is open until
//! it is closed, one after another; what is closed is judged again only where something touched
//! it. `begun`, `closed` and what is to be judged again are kept in the journal together with the
//! position in the feed; the rest a start makes anew by judging every open hour once.

use std::collections::BTreeMap;

use model::{
    ids::SectionKey,
    section::Section,
    time::{HOUR_MS, Span, Timestamp},
};

use crate::again::{Again, PATIENCE_MS, QUIET_MS};

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
}

/// What is kept of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The first hour that is judged.
    pub begun: Timestamp,
    /// Every hour before is closed, apart from those to be judged again.
    pub closed: Timestamp,
    /// Closed hours that are to be judged again.
    pub again: Again,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Case {
    kept: Kept,
    /// Open hours that something has touched since they were judged.
    touched: Option<Span>,
    /// When open hours may be judged next.
    open_at: Timestamp,
    /// When it is to be looked at whether an hour can be closed.
    close_at: Timestamp,
    /// When nothing was coming any more that is older than hours wait: until then they are not
    /// closed for their age, since a history comes in pieces.
    quiet_at: Option<Quiet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quiet {
    first_at: Timestamp,
    at: Timestamp,
}

/// How far a section's data have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Come {
    /// The newest moment of the outlet of which the least is known.
    pub newest: Timestamp,
    /// From where on something may be on its way; the end of time where nothing is, its beginning
    /// where nobody knows.
    pub queued_from: Timestamp,
}

/// Why hours are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They are open: what is said of them is provisional.
    Open,
    /// They are to be closed.
    Close,
    /// They are closed, and something has touched them since.
    Again,
}

/// Hours of one section to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hearing {
    /// Why.
    pub why: Why,
    /// In order; at most [`MAX_HOURS`]. Those without a mandate are among them.
    pub hours: Vec<Span>,
}

impl Hearing {
    /// Whether there may be more of the same.
    pub fn is_full(&self) -> bool {
        self.hours.len() == MAX_HOURS
    }

    /// From the first hour to the last.
    pub fn span(&self) -> Option<Span> {
        Some(Span { from: self.hours.first()?.from, to: self.hours.last()?.to })
    }
}

impl Docket {
    /// Goes on where the journal left off; every open hour is judged once.
    pub fn restored(kept: BTreeMap<SectionKey, Kept>, now: Timestamp) -> Self {
        let cases = kept.into_iter().map(|(key, mut kept)| {
            // Hours that a clock which was ahead has closed before their time are open again.
            let ahead_ms = kept.closed.ms_since(now).max(0);
            let hours = ahead_ms.div_euclid(HOUR_MS) + i64::from(ahead_ms % HOUR_MS > 0);
            kept.closed = kept.closed.plus_ms(-hours * HOUR_MS).max(kept.begun);
            let touched = Some(Span { from: kept.closed, to: now.plus_ms(HOUR_MS) });
            (key, Case { kept, touched, open_at: now, close_at: now, quiet_at: None })
        });
        Self { cases: cases.collect() }
    }

    /// What is to be kept of a section.
    pub fn kept(&self, key: &SectionKey) -> Option<&Kept> {
        self.cases.get(key).map(|case| &case.kept)
    }

    /// Samples of the station came whose moments lie in `span`: whatever they may touch is to be
    /// judged.
    pub fn fed(&mut self, section: &Section<'_>, span: Span, now: Timestamp) {
        let reach_ms = section.reach_ms();
        let from = section.hour_of(span.from).from;
        let to = section.hour_of(span.to.plus_ms(reach_ms - 1)).to;
        let case = self.cases.entry(section.key()).or_insert_with(|| Case {
            kept: Kept { begun: from, closed: from, again: Again::default() },
            touched: None,
            open_at: now,
            close_at: now,
            quiet_at: None,
        });
        if to <= now.plus_ms(-CLOSE_LIMIT_MS) {
            let first_at = case.quiet_at.map_or(now, |quiet| quiet.first_at);
            let at = now.plus_ms(QUIET_MS).min(first_at.plus_ms(PATIENCE_MS));
            case.quiet_at = Some(Quiet { first_at, at });
        }
        let Kept { begun, closed, again } = &mut case.kept;
        let late_to = to.min(*closed);
        if from < *begun {
            // whatever lies between has never been judged
            again.touch(Span { from, to: late_to.max(*begun) }, now);
            *begun = from;
        } else {
            again.touch(Span { from, to: late_to }, now);
        }
        if to > *closed {
            case.touch_open(Span { from: from.max(case.kept.closed), to });
            case.close_at = case.close_at.min(now);
        }
    }

    /// A section that is not judged any more is left alone, until the docket is made anew.
    pub fn withdraw(&mut self, key: &SectionKey) {
        self.cases.remove(key);
    }

    /// Sections that something may be due for, at most `limit`.
    pub fn due(&self, now: Timestamp, limit: usize) -> Vec<SectionKey> {
        let is_due = |case: &Case| case.deadline().is_some_and(|deadline| deadline <= now);
        let due = self.cases.iter().filter(|(_, case)| is_due(case));
        due.map(|(key, _)| key.clone()).take(limit).collect()
    }

    /// Which hours of a section are to be judged now. Closed hours come before open ones, so that
    /// what is told of an open day counts them.
    pub fn hearings(&self, section: &Section<'_>, come: Come, now: Timestamp) -> Vec<Hearing> {
        let Some(case) = self.cases.get(&section.key()) else { return Vec::new() };
        let Kept { closed, again, .. } = &case.kept;
        let come_to = come.newest.min(come.queued_from);
        let is_quiet = case.quiet_at.is_none_or(|quiet| quiet.at <= now);
        let limit = if is_quiet { now.plus_ms(-CLOSE_LIMIT_MS) } else { Timestamp::MIN };
        let until = come_to.max(limit).min(now);
        let mut hearings = Vec::new();
        if let Some(span) = again.due(now) {
            hearings.push(hearing(Why::Again, section, span, Timestamp::MAX));
        }
        let close = hearing(Why::Close, section, Span { from: *closed, to: until }, until);
        let closed = close.span().map_or(*closed, |span| span.to);
        hearings.push(close);
        if let Some(touched) = case.touched.filter(|_| case.open_at <= now) {
            let open = Span { from: touched.from.max(closed), to: touched.to.min(now.plus_ms(1)) };
            hearings.push(hearing(Why::Open, section, open, Timestamp::MAX));
        }
        hearings.retain(|hearing| !hearing.hours.is_empty());
        hearings
    }

    /// These hours have been judged.
    pub fn heard(&mut self, key: &SectionKey, hearings: &[Hearing], now: Timestamp) {
        let Some(case) = self.cases.get_mut(key) else { return };
        case.quiet_at = case.quiet_at.filter(|quiet| quiet.at > now);
        (case.close_at, case.open_at) =
            (now.plus_ms(CLOSE_PERIOD_MS), case.open_at.max(now.plus_ms(OPEN_PERIOD_MS)));
        let mut judged_to = case.kept.closed;
        for hearing in hearings {
            let Some(span) = hearing.span() else { continue };
            match hearing.why {
                Why::Again => case.kept.again.remove(span),
                Why::Close => case.kept.closed = span.to,
                Why::Open => judged_to = span.to,
            }
            if hearing.is_full() {
                (case.close_at, case.open_at) = (now, now);
            }
        }
        let from = case.kept.closed.max(judged_to);
        let left = |touched: Span| Span { from: touched.from.max(from), ..touched };
        case.touched =
            case.touched.map(left).filter(|left| left.from < left.to && left.from <= now);
    }
}

impl Case {
    fn touch_open(&mut self, span: Span) {
        let touched = self.touched.map_or(span, |touched| Span {
            from: touched.from.min(span.from),
            to: touched.to.max(span.to),
        });
        self.touched = Some(touched);
    }

    fn deadline(&self) -> Option<Timestamp> {
        let close = Some(self.close_at.max(self.kept.closed.plus_ms(HOUR_MS)));
        let open = self.touched.map(|_| self.open_at);
        let quiet = self.quiet_at.map(|quiet| quiet.at);
        [close, open, quiet, self.kept.again.deadline()].into_iter().flatten().min()
    }
}

/// The first hours of `span` that end by `until`.
fn hearing(why: Why, section: &Section<'_>, span: Span, until: Timestamp) -> Hearing {
    let mut hours = Vec::new();
    let mut from = span.from;
    while from < span.to && hours.len() < MAX_HOURS {
        let hour = section.hour_of(from);
        if hour.to > until {
            break;
        }
        hours.push(hour);
        from = hour.to;
    }
    Hearing { why, hours }
}

#[cfg(test)]
#[path = "docket/tests.rs"]
pub(crate) mod tests;
