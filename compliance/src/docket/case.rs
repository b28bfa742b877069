//! What the docket knows of one section, and when something of it is due.

use model::time::{HOUR_MS, Span, Timestamp};
use store::AgainRow;

use super::{CLOSE_LIMIT_MS, Heard, Kept, Why};
use crate::again::PATIENCE_MS;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) kept: Kept,
    /// Of a section that has not begun: the first open hour with which it may.
    pub(super) seen: Option<Timestamp>,
    /// Open hours that something has touched since they were judged.
    pub(super) touched: Option<Span>,
    /// When open hours may be judged next.
    pub(super) open_at: Timestamp,
    /// When it is to be looked at whether an hour can be closed.
    pub(super) close_at: Timestamp,
    /// When time before the first hour may be looked through next.
    pub(super) search_at: Timestamp,
    /// Whether hours may have been closed by a clock that was ahead: it is not known yet that none
    /// of them was closed before its time.
    pub(super) is_in_doubt: bool,
    /// When nothing was coming any more that is older than hours wait: until then they are not
    /// closed for their age, since a history comes in pieces.
    pub(super) quiet_at: Option<Quiet>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quiet {
    pub(super) first_at: Timestamp,
    pub(super) at: Timestamp,
}

impl Case {
    pub(super) fn restored(mut kept: Kept, now: Timestamp) -> Self {
        // Hours that a clock which was ahead has closed before they were over are open again.
        let ahead_ms = kept.closed.ms_since(now).max(0);
        let hours = ahead_ms.div_euclid(HOUR_MS) + i64::from(ahead_ms % HOUR_MS > 0);
        kept.closed = kept.closed.plus_ms(-hours * HOUR_MS);
        kept.begun = kept.begun.min(kept.closed);
        kept.again = kept.again.until(kept.closed, now);
        let touched = Some(Span { from: kept.closed, to: now.plus_ms(HOUR_MS) });
        let (open_at, close_at, search_at) = (now, now, now);
        let is_in_doubt = true;
        Self {
            kept,
            seen: None,
            touched,
            open_at,
            close_at,
            search_at,
            is_in_doubt,
            quiet_at: None,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.kept.begun < self.kept.closed
    }

    /// The first stretch that lies before the section's first hour, as far as it does.
    pub(super) fn before_begin(&self) -> Option<Span> {
        let first = self.kept.again.iter().next()?.span;
        let span = Span { to: first.to.min(self.kept.begun), ..first };
        (span.from < span.to).then_some(span)
    }

    pub(super) fn touch_open(&mut self, span: Span) {
        let touched = self.touched.map_or(span, |touched| Span {
            from: touched.from.min(span.from),
            to: touched.to.max(span.to),
        });
        let is_apart = touched.to.ms_since(touched.from) > 2 * CLOSE_LIMIT_MS;
        // Before a section has begun, what is said provisionally is said of what is recent; with
        // which of the hours before it may begin is seen when they are closed.
        let from = if is_apart && !self.has_begun() {
            touched.from.max(touched.to.plus_ms(-CLOSE_LIMIT_MS))
        } else {
            touched.from
        };
        self.touched = Some(Span { from, ..touched });
    }

    /// Of a section that has not begun: whatever lies after an earlier hour with which it may has
    /// never been judged.
    pub(super) fn see(&mut self, seen: Option<Timestamp>) {
        let Some(at) = seen.filter(|at| self.seen.is_none_or(|seen| *at < seen)) else { return };
        if let Some(to) = self.seen.replace(at) {
            self.touch_open(Span { from: at, to });
        }
    }

    pub(super) fn begins(&mut self, heard: Heard, now: Timestamp) {
        let before = self.kept.begun;
        if heard.why == Why::Open || heard.begun == before {
            return;
        }
        self.kept.begun = heard.begun;
        if heard.begun < before {
            // whatever lies between has never been judged
            self.kept.again.touch(Span { from: heard.span.to, to: before }, now);
        } else if heard.why == Why::Again {
            // whether it begins there is to be found out at once
            let to = heard.begun.plus_ms(24 * HOUR_MS).min(self.kept.closed);
            let span = Span { from: heard.begun, to };
            let first_at = now.plus_ms(-PATIENCE_MS);
            self.kept.again.add(AgainRow { span, first_at, last_at: now });
        }
    }

    /// When something live may be due.
    pub(super) fn live_at(&self) -> Timestamp {
        let close = self.close_at.max(self.kept.closed.plus_ms(HOUR_MS));
        let open = self.touched.map(|touched| self.open_at.max(touched.from));
        let quiet = self.quiet_at.map(|quiet| quiet.at);
        [open, quiet].into_iter().flatten().fold(close, Timestamp::min)
    }

    /// When something closed may be due.
    pub(super) fn late_at(&self) -> Option<Timestamp> {
        match self.before_begin() {
            Some(_) => Some(self.search_at),
            None => self.kept.again.deadline(),
        }
    }
}
