//! Answers that a unit on a serial line still owes, and what may be believed meanwhile.
//!
//! An RTU answer names its unit and its function, not the addresses that were asked for. A unit
//! that answers late, later than anybody waits, may so answer the next question with what the
//! last one asked. Two facts help: a unit answers in the order in which it was asked, and an answer
//! of another length cannot be that of the question in doubt. So a question that an owed answer
//! would fit is asked only after a sounding: a read in the same place whose answer has a length
//! that none of those owed has. Once that is there, nothing older can come any more.

use std::time::Duration;

use crate::{plan::Request, register::Table};

/// How many answers are remembered; of more, the oldest are the least likely to come.
const MOST: usize = 32;
/// Nobody answers later.
const LATEST: Duration = Duration::from_secs(30);
/// How many more addresses a sounding may read than the question has.
const LONGER: u16 = 16;

/// What tells an answer from another: its function and how many bytes of values it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    table: Table,
    bytes: u16,
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    unit: u8,
    shape: Shape,
    /// When the unit was last known to owe it, counted from any one moment.
    since: Duration,
}

/// What is owed on one line, oldest first.
#[derive(Debug, Default)]
pub struct OwedAnswers(Vec<Owed>);

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
        self.0.retain(|owed| now.saturating_sub(owed.since) <= LATEST);
        if !self.has(unit, Shape::of(request)) {
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
            ends_inside && !self.has(unit, Shape::of(sounding))
        };
        soundings.into_iter().find(fits).map_or(Ask::NotNow, Ask::AfterSounding)
    }

    /// `unit` gave no answer, or something that is none.
    pub fn unanswered(&mut self, unit: u8, request: &Request, now: Duration) {
        self.push(Owed { unit, shape: Shape::of(request), since: now });
    }

    /// `unit` answered what it was asked: whatever it owed before, it has passed over.
    pub fn answered(&mut self, unit: u8) {
        self.0.retain(|owed| owed.unit != unit);
    }

    /// `unit` refused, and a refusal has no length: it may have been the oldest answer that it
    /// owed, and then the one to `request` is to come. `false` where it owed none.
    pub fn refused(&mut self, unit: u8, request: &Request) -> bool {
        let Some(oldest) = self.take_oldest(unit) else { return false };
        self.push(Owed { unit, shape: Shape::of(request), since: oldest.since });
        true
    }

    /// `unit` gave an answer of another length than that to `request` has, at `now`: one that it
    /// owed, and the one to `request` is to come.
    pub fn answered_another(&mut self, unit: u8, request: &Request, now: Duration) {
        self.take_oldest(unit);
        self.unanswered(unit, request, now);
    }

    fn has(&self, unit: u8, shape: Shape) -> bool {
        self.0.iter().any(|owed| owed.unit == unit && owed.shape == shape)
    }

    fn take_oldest(&mut self, unit: u8) -> Option<Owed> {
        let at = self.0.iter().position(|owed| owed.unit == unit)?;
        Some(self.0.remove(at))
    }

    fn push(&mut self, owed: Owed) {
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(owed);
    }
}

impl Shape {
    const fn of(request: &Request) -> Self {
        let Request { table, count, .. } = request;
        let bytes = if table.has_bits() { count.div_ceil(8) } else { *count * 2 };
        Self { table: *table, bytes }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

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
        owed.answered(UNIT);
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
        assert!(!owed.refused(UNIT, &read(0, 2)));
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(owed.refused(UNIT, &read(0, 1)));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Plainly);
        assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::AfterSounding(read(0, 2)));
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
        /// What is believed is the answer to what was asked, however late a unit is.
        #[test]
        fn no_late_answer_is_believed(
            manners in prop::collection::vec(manner(), 1..60),
            addresses in prop::collection::vec(0_u16..4, 60),
            counts in prop::collection::vec(1_u16..4, 60),
        ) {
            let mut owed = OwedAnswers::default();
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
                match manners.next() {
                    None => break,
                    Some(Manner::Never) => {}
                    Some(Manner::Now) => line.push_back((asked.clone(), false, 0)),
                    Some(Manner::Late(by)) => line.push_back((asked.clone(), false, by)),
                    Some(Manner::Refuses) => line.push_back((asked.clone(), true, 0)),
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
                        owed.refused(UNIT, &asked);
                    }
                    Some((answered, false, _)) if Shape::of(&answered) == Shape::of(&asked) => {
                        prop_assert_eq!(answered, asked);
                        owed.answered(UNIT);
                    }
                    Some(_) => owed.answered_another(UNIT, &asked, NOW),
                }
            }
        }
    }
}
