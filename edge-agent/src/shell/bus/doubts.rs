//! What is doubted on a serial line: what may be asked of it now, and what its words tell.
//!
//! By TCP each answer has the number of its question, and nothing is doubted.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use super::{
    answer::Answer,
    tries::{Asked, Noted, Put},
    wire::Said,
};
use crate::{
    config::Bus,
    frame::{Frame, Shape, answers, check_of_first},
    owed::{Ask, Longer, OwedAnswers, shape},
    plan::{Limits, plan},
};

/// The doubts of one line; moments count from the link's beginning.
#[derive(Debug)]
pub(super) struct Doubts {
    /// On a serial line alone.
    owed: Option<OwedAnswers>,
    /// Those that this bus asks.
    units: BTreeSet<u8>,
    unasked: Unasked,
    /// When the last question was put, and when all that came of it had been noted.
    put_at: Duration,
    noted_at: Duration,
}

/// Whole answers on a serial line that nobody waited for: late ones, copies, what was said unasked.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Unasked {
    /// How many.
    pub answers: u64,
    /// Units that were heard so, and had not been lately.
    pub doubted: BTreeSet<u8>,
}

/// What came of one question.
pub(super) struct Exchanged {
    pub answer: Answer,
    /// Whether the peer had closed before it was asked.
    pub was_closed: bool,
    pub said: Said,
}

impl Doubts {
    /// Those of a line on which nothing has been said yet.
    pub(super) fn new(bus: &Bus) -> Self {
        Self {
            owed: bus.line.is_serial_framed().then(|| owed_before(bus)),
            units: bus.devices.iter().map(|device| device.unit).collect(),
            unasked: Unasked::default(),
            put_at: Duration::ZERO,
            noted_at: Duration::ZERO,
        }
    }

    /// Who is to be heard when this is asked, and of a doubted unit what alone.
    pub(super) fn wanted(&self, asked: Asked<'_>, now: Duration) -> Option<(u8, Option<Shape>)> {
        let Asked { unit, request, .. } = asked;
        self.owed.as_ref().map(|owed| (unit, owed.wanted(unit, request, now)))
    }

    /// What was heard unasked since this was last asked for.
    pub(super) fn take_unasked(&mut self) -> Unasked {
        std::mem::take(&mut self.unasked)
    }

    /// What can be asked now; else after how long, or never where no answer to it could be told.
    pub(super) fn put<'a>(
        &mut self,
        asked: Asked<'a>,
        now: Duration,
    ) -> Result<Put<'a>, Option<Duration>> {
        let Asked { unit, request, longest, .. } = asked;
        let owed = self.owed.as_mut();
        let (request, is_sounding) =
            match owed.map_or(Ask::Plainly, |owed| owed.ask(unit, request, longest, now)) {
                Ask::Plainly => (Cow::Borrowed(request), false),
                Ask::Longer(longer) => (Cow::Owned(longer), false),
                Ask::AfterSounding(sounding) => (Cow::Owned(sounding), true),
                Ask::NotNow => return Err(None),
                Ask::In(wait) => return Err(Some(wait)),
            };
        let more = if is_sounding { 0 } else { request.count - asked.request.count };
        self.put_at = now;
        Ok(Put { request, is_sounding, more })
    }

    /// Notes what came before a question, as its answer and behind that.
    pub(super) fn note(
        &mut self,
        asked: Asked<'_>,
        put: &Put<'_>,
        exchanged: &Exchanged,
        now: Duration,
    ) -> Noted {
        let Exchanged { answer, was_closed, said } = exchanged;
        let Asked { unit, request, .. } = asked;
        let (waiting, since) = (self.noted_at, self.put_at);
        let mut is_doubtful = self.overhear(&answers(&said.before), unit, (waiting, now));
        let mut after = answers(&said.after);
        // The one that was heard: the answer itself, or what its unit said in place of one.
        let (wanted, is_another) = (shape(request), matches!(answer, Answer::Nonsense(_)));
        let is_heard =
            |frame: &Frame| frame.unit == unit && (is_another || wanted.may_be(frame.shape));
        let heard = after.iter().position(is_heard);
        let behind = heard.map(|heard| after.split_off(heard)).unwrap_or_default();
        let heard = behind.first().copied();
        let is_told = matches!(answer, Answer::Reply(_) | Answer::Refusal(_));
        let told = heard.filter(|_| is_told);
        is_doubtful |= self.overhear(&after, unit, (since, now));
        let mut is_unclear = false;
        if let Some(owed) = self.owed.as_mut().filter(|_| !*was_closed) {
            let own = told.and_then(|told| own_check(asked, put, answer, told.check));
            is_doubtful |= told.is_some_and(|told| owed.suspects(told, request, own, now));
            if is_told && is_doubtful {
                owed.not_believed(unit, request, told, now);
            } else {
                is_unclear = learn(owed, asked, answer, heard, now);
                if let Some(own) = own.filter(|_| !is_unclear) {
                    owed.told_again(unit, request, own);
                }
            }
            let outcome = match answer {
                Answer::Reply(_) => Longer::Answered,
                Answer::Refusal(_) => Longer::Refused,
                Answer::Nonsense(_) | Answer::Silence(_) | Answer::NoLine(_) => Longer::Silent,
            };
            if put.more > 0 && !is_doubtful {
                owed.longer(unit, (request.table, put.more), outcome, now);
            }
        }
        self.overhear(behind.get(1..).unwrap_or_default(), unit, (since, now));
        self.noted_at = now;
        Noted { is_doubtful, is_unclear }
    }

    /// Notes whole answers to which there was no question, that came since then; whether by them
    /// `unit` is doubted that was not.
    fn overhear(&mut self, frames: &[Frame], unit: u8, (since, now): (Duration, Duration)) -> bool {
        let Some(owed) = &mut self.owed else { return false };
        let mut is_doubted = false;
        for frame in frames.iter().filter(|frame| self.units.contains(&frame.unit)) {
            self.unasked.answers += 1;
            if owed.overheard(*frame, since, now) {
                self.unasked.doubted.insert(frame.unit);
                is_doubted |= frame.unit == unit;
            }
        }
        is_doubted
    }
}

/// What whoever asked before us may have gone without: an agent that was stopped, or killed.
fn owed_before(bus: &Bus) -> OwedAnswers {
    let mut owed = OwedAnswers::new(bus.timeout);
    for device in &bus.devices {
        for request in plan(&device.registers, Limits::of(device)) {
            owed.begun(device.unit, &request, Duration::ZERO);
        }
    }
    owed
}

/// Notes what an answer says of those that are owed, which was heard as this; whether it is a refusal
/// that may be the answer to an older question.
fn learn(
    owed: &mut OwedAnswers,
    asked: Asked<'_>,
    answer: &Answer,
    heard: Option<Frame>,
    now: Duration,
) -> bool {
    let Asked { unit, request, .. } = asked;
    let check = heard.map(|heard| heard.check);
    let another = heard.filter(|heard| !shape(request).may_be(heard.shape));
    match (answer, another) {
        (Answer::Reply(_), _) => owed.answered(unit, request, check, now),
        (Answer::Refusal(_), _) => return owed.refused(unit, request, check, now),
        (Answer::Nonsense(_), Some(another)) => owed.answered_another(another, request, now),
        (Answer::Nonsense(_) | Answer::Silence(_), _) => owed.unanswered(unit, request, now),
        (Answer::NoLine(_), _) => {}
    }
    false
}

/// The check sum that the answer to the question itself has, by what was put in its place; none
/// where that tells nothing of it.
fn own_check(asked: Asked<'_>, put: &Put<'_>, answer: &Answer, check: u16) -> Option<u16> {
    match answer {
        _ if put.is_sounding => None,
        _ if put.more == 0 => Some(check),
        Answer::Reply(reply) => {
            let Asked { unit, request, .. } = asked;
            Some(check_of_first(request.count - put.more, unit, request.table, reply))
        }
        Answer::Refusal(_) | Answer::Nonsense(_) | Answer::Silence(_) | Answer::NoLine(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use model::quality::Quality;

    use super::*;
    use crate::{plan::Request, register::Table};

    #[test]
    fn a_gateway_that_gave_up_says_nothing_of_what_its_unit_will_answer() {
        for code in [10, 11] {
            let mut owed = OwedAnswers::new(Duration::from_secs(1));
            let (table, registers) = (Table::Holding, Vec::new());
            let request = Request { table, address: 0, count: 2, registers };
            let asked = Asked { unit: 1, request: &request, longest: 125, is_probe: false };
            let answer = Answer::Silence(Quality::exception(code));
            assert!(!learn(&mut owed, asked, &answer, None, Duration::ZERO));
            let sounding = Request { count: 1, ..request.clone() };
            assert_eq!(owed.ask(1, &request, 125, Duration::ZERO), Ask::AfterSounding(sounding));
        }
    }
}
