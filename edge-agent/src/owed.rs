//! Answers that a unit on a serial line still owes, and what may be believed meanwhile.
//!
//! An RTU answer names its unit and its function, not the addresses that were asked for. A unit
//! that answers late, later than anybody waits, may so answer the next question with what the
//! last one asked. Two facts help: a unit answers in the order in which it was asked, and an answer
//! of another length cannot be that of the question in doubt. So a question that an owed answer
//! would fit is asked only after a sounding: a read in the same place whose answer has a length
//! that none of those owed has. Once that is there, nothing older can come any more.
//!
//! A unit from which an answer was heard that nobody had asked for (a repeater on the line, a
//! second master, a meter that reports by itself) is doubted for a time: whatever it said may come
//! once more, and so is owed again. Two questions of one length then always have one of another
//! between them, what comes in another length than the question's is passed over, and a copy is
//! never taken for the answer to a later question.

use std::time::Duration;

use crate::{
    frame::{Frame, Shape},
    plan::Request,
};

/// How many answers are remembered; of more, the oldest are the least likely to come.
const MOST: usize = 32;
/// Nobody answers later.
const LATEST: Duration = Duration::from_secs(30);
/// How many more addresses a sounding may read than the question has.
const LONGER: u16 = 16;
/// How long a unit is doubted after it was last heard unasked.
const DOUBT: Duration = Duration::from_mins(10);

#[derive(Debug, Clone, Copy)]
struct Owed {
    unit: u8,
    shape: Shape,
    /// When the unit was last known to owe it, counted from any one moment.
    since: Duration,
    /// It was given, and may come once more.
    is_again: bool,
}

/// What is owed on one line.
#[derive(Debug, Default)]
pub struct OwedAnswers {
    /// Oldest first.
    owed: Vec<Owed>,
    /// Units that were heard unasked, and when last: at most as many as there are units.
    doubted: Vec<(u8, Duration)>,
}

/// Whether a question may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// No answer that is owed would fit it.
    Plainly,
    /// This read has to be answered first.
    AfterSounding(Request),
    /// Answers of every length that could be told apart are owed.
    NotNow,
}

impl OwedAnswers {
    /// Whether `unit` may be asked `request` at `now`, a sounding being of at most `longest`
    /// addresses.
    pub fn ask(&mut self, unit: u8, request: &Request, longest: u16, now: Duration) -> Ask {
        self.owed.retain(|owed| now.saturating_sub(owed.since) <= LATEST);
        if !self.has(unit, shape(request)) {
            return Ask::Plainly;
        }
        let shorter = (1..request.count).rev();
        let longer = request.count + 1..=longest.min(request.count.saturating_add(LONGER));
        let soundings = shorter.chain(longer).map(|count| Request {
            table: request.table,
            address: request.address,
            count,
            registers: Vec::new(),
        });
        let fits = |sounding: &Request| {
            let ends_inside = sounding.address.checked_add(sounding.count - 1).is_some();
            ends_inside && !self.has(unit, shape(sounding))
        };
        soundings.into_iter().find(fits).map_or(Ask::NotNow, Ask::AfterSounding)
    }

    /// The one answer of `unit` that is waited for, where it is doubted: what else it says then is
    /// passed over.
    pub fn wanted(&self, unit: u8, request: &Request, now: Duration) -> Option<Frame> {
        self.is_doubted(unit, now).then(|| Frame { unit, shape: shape(request) })
    }

    /// `unit` gave no answer, or something that is none. Where nothing came for a whole time-out,
    /// the copies of what it had said before have all come.
    pub fn unanswered(&mut self, unit: u8, request: &Request, now: Duration) {
        self.owed.retain(|owed| owed.unit != unit || !owed.is_again);
        self.push(Owed { unit, shape: shape(request), since: now, is_again: false });
    }

    /// `unit` answered what it was asked: whatever it owed before, it has passed over. One that is
    /// doubted may say it again.
    pub fn answered(&mut self, unit: u8, request: &Request, now: Duration) {
        self.owed.retain(|owed| owed.unit != unit);
        if self.is_doubted(unit, now) {
            self.push(Owed { unit, shape: shape(request), since: now, is_again: true });
        }
    }

    /// `unit` refused, and a refusal has no length: it may have been the oldest answer that it
    /// owed, and then the one to `request` is to come. `false` where it owed none.
    pub fn refused(&mut self, unit: u8, request: &Request, now: Duration) -> bool {
        let Some(oldest) = self.pass_oldest(unit, now) else { return false };
        let since = oldest.since;
        self.push(Owed { unit, shape: shape(request), since, is_again: false });
        true
    }

    /// `unit` gave an answer of another length than that to `request` has, at `now`: one that it
    /// owed, and the one to `request` is to come.
    pub fn answered_another(&mut self, unit: u8, request: &Request, now: Duration) {
        self.pass_oldest(unit, now);
        self.push(Owed { unit, shape: shape(request), since: now, is_again: false });
    }

    /// A whole answer was heard to which there was no question. One that is owed came late, and
    /// says nothing new; by any other its unit is doubted from here on. Whether it was not before.
    pub fn overheard(&mut self, Frame { unit, shape }: Frame, now: Duration) -> bool {
        let alike = |owed: &&mut Owed| owed.unit == unit && owed.shape == shape;
        let known = self.owed.iter_mut().find(alike);
        if known.as_ref().is_some_and(|owed| !owed.is_again) {
            return false;
        }
        match known {
            Some(again) => again.since = now,
            None => self.push(Owed { unit, shape, since: now, is_again: true }),
        }
        let is_new = !self.is_doubted(unit, now);
        self.doubted.retain(|(doubted, _)| *doubted != unit);
        self.doubted.push((unit, now));
        is_new
    }

    fn is_doubted(&self, unit: u8, now: Duration) -> bool {
        let of_unit = self.doubted.iter().find(|(doubted, _)| *doubted == unit);
        of_unit.is_some_and(|(_, last)| now.saturating_sub(*last) <= DOUBT)
    }

    fn has(&self, unit: u8, shape: Shape) -> bool {
        self.owed.iter().any(|owed| owed.unit == unit && owed.shape == shape)
    }

    /// The oldest answer that a unit owes, which it owes no longer unless it says things twice.
    fn pass_oldest(&mut self, unit: u8, now: Duration) -> Option<Owed> {
        let at = self.owed.iter().position(|owed| owed.unit == unit)?;
        if self.is_doubted(unit, now) {
            self.owed.get(at).copied()
        } else {
            Some(self.owed.remove(at))
        }
    }

    fn push(&mut self, owed: Owed) {
        if self.owed.len() >= MOST {
            self.owed.remove(0);
        }
        self.owed.push(owed);
    }
}

/// What the answer to a question looks like.
pub const fn shape(request: &Request) -> Shape {
    let Request { table, count, .. } = request;
    let bytes = if table.has_bits() { count.div_ceil(8) } else { *count * 2 };
    Shape { table: *table, bytes }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::register::Table;

    const UNIT: u8 = 5;
    const NOW: Duration = Duration::from_secs(100);

    fn read(address: u16, count: u16) -> Request {
        Request { table: Table::Holding, address, count, registers: Vec::new() }
    }

    fn bits(count: u16) -> Request {
        Request { table: Table::Coil, ..read(0, count) }
    }

    #[test]
    fn a_question_that_an_owed_answer_fits_is_asked_after_one_of_another_length() {
        let mut owed = OwedAnswers::default();
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 1)));
        owed.unanswered(UNIT, &read(100, 1), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 3)));
        assert_eq!(owed.ask(UNIT, &read(65_534, 2), 125, NOW), Ask::NotNow);
        assert_eq!(owed.ask(UNIT, &read(0, 4), 125, NOW), Ask::Plainly);
        assert_eq!(owed.ask(UNIT + 1, &read(100, 2), 125, NOW), Ask::Plainly);
        owed.answered(UNIT, &read(100, 3), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
    }

    #[test]
    fn coils_come_in_bytes() {
        let mut owed = OwedAnswers::default();
        owed.unanswered(UNIT, &bits(12), NOW);
        assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(8)));
        owed.unanswered(UNIT, &bits(8), NOW);
        assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(17)));
        assert_eq!(owed.ask(UNIT, &bits(9), 16, NOW), Ask::NotNow);
    }

    #[test]
    fn what_is_owed_is_forgotten_when_nobody_answers_so_late() {
        let mut owed = OwedAnswers::default();
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert_ne!(owed.ask(UNIT, &read(0, 2), 125, NOW + LATEST), Ask::Plainly);
        let later = NOW + LATEST + Duration::from_millis(1);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, later), Ask::Plainly);
    }

    #[test]
    fn a_refusal_may_be_the_answer_to_the_oldest() {
        let mut owed = OwedAnswers::default();
        assert!(!owed.refused(UNIT, &read(0, 2), NOW));
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(owed.refused(UNIT, &read(0, 1), NOW));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Plainly);
        assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::AfterSounding(read(0, 2)));
    }

    fn said(request: &Request) -> Frame {
        Frame { unit: UNIT, shape: shape(request) }
    }

    #[test]
    fn what_a_unit_said_unasked_it_may_say_again_for_a_time() {
        let mut owed = OwedAnswers::default();
        owed.answered(UNIT, &read(0, 2), NOW);
        assert_eq!(
            owed.ask(UNIT, &read(100, 2), 125, NOW),
            Ask::Plainly,
            "nothing was heard twice"
        );
        assert!(owed.overheard(said(&read(0, 2)), NOW));
        assert!(!owed.overheard(said(&read(0, 2)), NOW), "that is known");
        for _ in 0..3 {
            let sounding = Ask::AfterSounding(read(100, 1));
            assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), sounding);
            owed.answered(UNIT, &read(100, 1), NOW);
            assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
            owed.answered(UNIT, &read(100, 2), NOW);
        }
        assert_eq!(owed.ask(UNIT, &read(0, 4), 125, NOW), Ask::Plainly, "of another length");
        assert_eq!(owed.ask(UNIT + 1, &read(0, 2), 125, NOW), Ask::Plainly, "of another unit");
        let later = NOW + DOUBT + Duration::from_millis(1);
        owed.answered(UNIT, &read(0, 2), later);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), Ask::Plainly);
        assert!(owed.overheard(said(&read(0, 2)), later));
    }

    #[test]
    fn a_late_answer_is_not_said_unasked() {
        let mut owed = OwedAnswers::default();
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(!owed.overheard(said(&read(0, 2)), NOW));
        owed.answered(UNIT, &read(0, 1), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 1), 125, NOW), Ask::Plainly);
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(owed.overheard(said(&read(0, 3)), NOW), "nobody owes that one");
    }

    /// A unit that answers each question in order, now or when a later one has been asked; or
    /// never, or by refusing.
    #[derive(Debug, Clone, Copy)]
    enum Manner {
        Now,
        Late(u8),
        Never,
        Refuses,
    }

    fn manner() -> impl Strategy<Value = Manner> {
        prop_oneof![
            3 => Just(Manner::Now),
            3 => (1_u8..4).prop_map(Manner::Late),
            1 => Just(Manner::Never),
            1 => Just(Manner::Refuses),
        ]
    }

    proptest! {
        /// What is believed is the answer to what was asked, however late a unit is, and however
        /// often it says a thing, once it was heard to say one twice.
        #[test]
        fn no_late_answer_and_no_copy_is_believed(
            manners in prop::collection::vec((manner(), 0_usize..3, any::<bool>()), 1..60),
            addresses in prop::collection::vec(0_u16..4, 60),
            counts in prop::collection::vec(1_u16..4, 60),
            says_twice in any::<bool>(),
        ) {
            let mut owed = OwedAnswers::default();
            if says_twice {
                owed.overheard(said(&read(0, 9)), NOW);
            }
            // (what it answers, whether by refusing, after how many more questions)
            let mut line: VecDeque<(Request, bool, u8)> = VecDeque::new();
            let mut manners = manners.into_iter();
            for (address, count) in addresses.into_iter().zip(counts) {
                let wanted = read(address * 10, count);
                let asked = match owed.ask(UNIT, &wanted, 125, NOW) {
                    Ask::Plainly => wanted.clone(),
                    Ask::AfterSounding(sounding) => sounding,
                    Ask::NotNow => continue,
                };
                let Some((manner, copies, are_overheard)) = manners.next() else { break };
                let said_now = match manner {
                    Manner::Never => None,
                    Manner::Now => Some((asked.clone(), false, 0)),
                    Manner::Late(by) => Some((asked.clone(), false, by)),
                    Manner::Refuses => Some((asked.clone(), true, 0)),
                };
                let copies = if says_twice { copies } else { 0 };
                let more = said_now.clone().map(|(request, refuses, _)| (request, refuses, 0));
                line.extend(said_now);
                line.extend(std::iter::repeat_n(more, copies).flatten());
                // in doubt, what is of another length is passed over
                while let Some((answered, false, 0)) = line.front()
                    && owed.wanted(UNIT, &asked, NOW).is_some_and(|wanted| wanted != said(answered))
                {
                    line.pop_front();
                }
                // one answer at most is heard before the next question; those behind it wait
                let heard = line.front().is_some_and(|(_, _, wait)| *wait == 0);
                let heard = heard.then(|| line.pop_front()).flatten();
                if let Some((_, _, wait)) = line.front_mut() {
                    *wait = wait.saturating_sub(1);
                }
                match heard {
                    None => owed.unanswered(UNIT, &asked, NOW),
                    Some((_, true, _)) => {
                        owed.refused(UNIT, &asked, NOW);
                    }
                    Some((answered, false, _)) if shape(&answered) == shape(&asked) => {
                        prop_assert_eq!(answered, asked.clone());
                        owed.answered(UNIT, &asked, NOW);
                    }
                    Some(_) => owed.answered_another(UNIT, &asked, NOW),
                }
                // or they come before it, and are heard by nobody who asked
                while are_overheard && line.front().is_some_and(|(_, _, wait)| *wait == 0) {
                    if let Some((answered, false, _)) = line.pop_front() {
                        owed.overheard(said(&answered), NOW);
                    }
                }
            }
        }
    }
}
