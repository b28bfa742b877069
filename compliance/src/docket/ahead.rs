//! What a clock that was ahead may have closed before its time, and how it is opened again.

use model::{ids::SectionKey, section::Section, time::Timestamp};

use super::{CLOSE_LIMIT_MS, Come, Docket, Kept, case::Case, come_to};

impl Docket {
    /// Whether hours of a section may have been closed by a clock that was ahead.
    pub fn is_in_doubt(&self, key: &SectionKey) -> bool {
        self.cases.get(key).is_some_and(|case| case.is_in_doubt)
    }

    /// From where on hours of a section could not have been closed by `now`: what closed them must
    /// have been a clock that was ahead.
    pub fn closes_until(section: &Section<'_>, come: Come, now: Timestamp) -> Timestamp {
        section.hour_of(come_to(come).max(now.plus_ms(-CLOSE_LIMIT_MS)).min(now)).from
    }

    /// Hours from this one on are open, whatever closed them.
    pub fn reopen(&mut self, key: &SectionKey, from: Timestamp, now: Timestamp) {
        let Some(case) = self.cases.get_mut(key) else { return };
        let closed = case.kept.closed.min(from);
        let kept = Kept { closed, ..case.kept.clone() };
        *case = Case { quiet_at: case.quiet_at, ..Case::restored(kept, now) };
        self.wait(key);
    }

    /// More of a section is to be done at once.
    pub fn hurry(&mut self, key: &SectionKey, now: Timestamp) {
        if let Some(case) = self.cases.get_mut(key) {
            (case.close_at, case.open_at) = (now, now);
        }
        self.wait(key);
    }

    /// Nothing of a section was closed before its time, or it is taken back.
    pub fn trust(&mut self, key: &SectionKey) {
        if let Some(case) = self.cases.get_mut(key) {
            case.is_in_doubt = false;
        }
    }
}
