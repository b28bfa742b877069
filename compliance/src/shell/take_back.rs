//! After the server's clock was ahead: what it closed before its time is taken back, so that no
//! verdict stands of an hour that has not happened, nor one for want of data that may still come.

use model::{
    section::Section,
    time::{Span, Timestamp, is_ahead},
    verdict::Length,
};
use store::{GivenPeriod, StoreError};

use super::court::{Court, Parts};
use crate::{
    docket::{Come, Docket},
    judgement::Withdrawal,
};

/// Closed periods of each length that are taken back together.
const AT_ONCE: usize = 1_024;

impl Court {
    /// Opens the hours again that a clock which was ahead has closed, and says what of them, and of
    /// their days, is to be taken back, and whether there may be more of it.
    ///
    /// Whatever was judged at a moment that has not come was judged by such a clock. Of that an hour
    /// stays closed that its data have passed, or that is old enough by the clock of today. Where
    /// any meter has told of moments that the clock has not reached it is the clock that is behind,
    /// as of a machine that forgot the time: then nothing is taken back.
    pub(super) async fn take_back(
        &mut self,
        parts: &Parts,
        (section, come): (&Section<'_>, Come),
        now: Timestamp,
    ) -> Result<(Vec<Withdrawal>, bool), StoreError> {
        let key = section.key();
        let closed = self.docket.kept(&key).map(|kept| kept.closed);
        let Some(closed) = closed.filter(|_| self.docket.is_in_doubt(&key)) else {
            return Ok((Vec::new(), false));
        };
        if is_ahead(self.witnessed.as_ms(), now) {
            self.docket.trust(&key);
            return Ok((Vec::new(), false));
        }
        let from = Docket::closes_until(section, come, now);
        let (asked, span) = (key.clone(), Span { from, to: Timestamp::MAX });
        let given = parts.journal.read(move |reader| reader.given_periods(&asked, span, AT_ONCE));
        let given: Vec<GivenPeriod> = given.await?;
        let was_ahead = |given: &&GivenPeriod| given.by == Length::Hour && given.judged_at > now;
        let Some(first) = given.iter().filter(was_ahead).map(|given| given.span.from).min() else {
            self.docket.trust(&key);
            return Ok((Vec::new(), false));
        };
        if first < closed {
            self.docket.reopen(&key, first, now);
            self.changed.insert(key.clone());
        }
        let gone = given.iter().filter(|given| given.span.to > first);
        let gone =
            gone.map(|given| Withdrawal { section: key.clone(), by: given.by, span: given.span });
        Ok((gone.collect(), true))
    }
}
