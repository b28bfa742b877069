//! Answers that a unit on a serial line still owes, or may say once more, and what may be believed
//! meanwhile.
//!
//! An RTU answer names its unit and its function, not the addresses that were asked for. A unit
//! that answers late, later than anybody waits, may so answer the next question with what the
//! last one asked. Two facts help: a unit answers in the order in which it was asked, and an answer
//! of another length cannot be that of the question in doubt. So a question that an owed answer
//! would fit is asked only after a sounding: a read in the same place whose answer has a length
//! that none of those owed has. Once that is there, nothing older can come any more.
//!
//! That is not so where a repeater stands on the line, a second master, or a meter that reports by
//! itself: what was said comes once more, whatever has been answered since. A unit from which an
//! answer was heard that nobody had asked for is doubted for a time. Of a doubted unit no two
//! answers of one length are taken within the time in which a copy may come (its patience): a
//! question whose length it has said lately is asked with more addresses behind its own, and of a
//! device that does not give those, later. What comes in another length than the question's is
//! passed over. A copy that is not one of the newest answer of its length came after all that
//! waiting, or in place of the answer: then patience doubles.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    frame::{Frame, Shape},
    plan::Request,
};

/// How many answers of a unit are remembered; of more, the oldest are the least likely to come.
const MOST: usize = 32;
/// So many refusals in a row are not all of older questions.
const MOST_REFUSALS: u8 = 8;
/// Nobody answers later.
const LATEST: Duration = Duration::from_secs(30);
/// No copy comes later, unless the bus has a longer time-out.
const MOST_PATIENCE: Duration = Duration::from_secs(10);
/// How many more addresses are read at most than the question has.
const LONGER: u16 = 16;
/// How long a unit is doubted after it was last heard unasked.
const DOUBT: Duration = Duration::from_hours(1);

/// What is owed on one line.
#[derive(Debug)]
pub struct OwedAnswers {
    timeout: Duration,
    units: BTreeMap<u8, Unit>,
}

#[derive(Debug)]
struct Unit {
    /// Oldest first.
    owed: Vec<Owed>,
    /// The newest answer of each length: at most as many as there are lengths.
    said: Vec<Said>,
    /// When it was last heard unasked, counted from any one moment.
    unasked_at: Option<Duration>,
    /// For so long a copy of what it said may come.
    patience: Duration,
    /// Since when that has been so, or since when it is doubted.
    patient_since: Duration,
    /// So many addresses more than its registers have it may be asked for.
    more: u16,
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    shape: Shape,
    /// When the unit was last known to owe it.
    since: Duration,
    /// How many refusals in a row may have been those of older questions.
    refusals: u8,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    shape: Shape,
    at: Duration,
    /// Its check sum; none of an answer that nobody heard.
    check: Option<u16>,
}

/// Whether a question may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// No answer that may come would fit it.
    Plainly,
    /// So, with addresses behind its own: what is owed or said again does not fit this.
    Longer(Request),
    /// This read has to be answered first.
    AfterSounding(Request),
    /// What would fit it may still come for so long.
    In(Duration),
    /// Answers of every length that could be told apart are owed.
    NotNow,
}

impl OwedAnswers {
    /// Nothing is owed; nobody waits longer than `timeout` for an answer, at first not for a copy
    /// either.
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout, units: BTreeMap::new() }
    }

    /// Whether `unit` may be asked `request` at `now`, no read being of more than `longest`
    /// addresses.
    pub fn ask(&mut self, unit: u8, request: &Request, longest: u16, now: Duration) -> Ask {
        let unit = self.unit(unit);
        unit.owed.retain(|owed| now.saturating_sub(owed.since) <= LATEST);
        let (is_owed, wait) = (unit.owes(shape(request)), unit.wait(shape(request), now));
        if !is_owed && wait.is_zero() {
            return Ask::Plainly;
        }
        let reads = |counts: &mut dyn Iterator<Item = u16>| {
            let reads = counts.map(|count| Request { count, registers: Vec::new(), ..*request });
            reads.filter(ends_inside).find(|read| {
                let shape = shape(read);
                !unit.owes(shape) && unit.wait(shape, now).is_zero()
            })
        };
        let longer = |more| request.count + 1..=longest.min(request.count.saturating_add(more));
        if unit.is_doubted(now)
            && let Some(read) = reads(&mut longer(unit.more))
        {
            return Ask::Longer(Request { registers: request.registers.clone(), ..read });
        }
        if !is_owed {
            return Ask::In(wait);
        }
        let mut shorter = (1..request.count).rev();
        let sounding = reads(&mut shorter).or_else(|| reads(&mut longer(LONGER)));
        sounding.map_or(Ask::NotNow, Ask::AfterSounding)
    }

    /// The one answer of `unit` that is waited for, where it is doubted: what else it says then is
    /// passed over.
    pub fn wanted(&self, unit: u8, request: &Request, now: Duration) -> Option<(u8, Shape)> {
        let of_unit = self.units.get(&unit)?;
        of_unit.is_doubted(now).then(|| (unit, shape(request)))
    }

    /// `unit` gave no answer, or something that is none.
    pub fn unanswered(&mut self, unit: u8, request: &Request, now: Duration) {
        self.unit(unit).push(Owed { shape: shape(request), since: now, refusals: 0 });
    }

    /// `unit` answered what it was asked, with this check sum: whatever it owed before, it has
    /// passed over, or a copy of it may come.
    pub fn answered(&mut self, unit: u8, request: &Request, check: Option<u16>, now: Duration) {
        let unit = self.unit(unit);
        for owed in std::mem::take(&mut unit.owed) {
            unit.say(Said { shape: owed.shape, at: now, check: None });
        }
        unit.say(Said { shape: shape(request), at: now, check });
    }

    /// `unit` gave no right answer to a read of so many more addresses than its registers have: it
    /// is not asked for as many again while it is doubted.
    pub fn gave_no(&mut self, unit: u8, more: u16) {
        let unit = self.unit(unit);
        unit.more = unit.more.min(more.saturating_sub(1));
    }

    /// `unit` refused, and a refusal has no length: it may have been the oldest answer that it
    /// owed, and then the one to `request` is to come. `false` where it owed none; but a copy of an
    /// older refusal it may be all the same.
    pub fn refused(&mut self, unit: u8, request: &Request, now: Duration) -> bool {
        let (timeout, unit, shape) = (self.timeout, self.unit(unit), shape(request));
        let oldest = unit.pass_oldest(now).filter(|oldest| oldest.refusals < MOST_REFUSALS);
        match oldest {
            Some(oldest) => unit.push(Owed { shape, since: now, refusals: oldest.refusals + 1 }),
            // else its answer comes within the time-out, and a copy of that as well
            None => unit.say(Said { shape, at: now + timeout, check: None }),
        }
        oldest.is_some()
    }

    /// `unit` gave an answer of another length than that to `request` has, at `now`: one that it
    /// owed, and the one to `request` is to come.
    pub fn answered_another(&mut self, unit: u8, request: &Request, now: Duration) {
        let unit = self.unit(unit);
        if let Some(Owed { shape, .. }) = unit.pass_oldest(now) {
            unit.say(Said { shape, at: now, check: None });
        }
        unit.push(Owed { shape: shape(request), since: now, refusals: 0 });
    }

    /// A whole answer was heard to which there was no question. One that is owed came late, and
    /// says nothing new; by any other its unit is doubted from here on. Whether it was not before.
    pub fn overheard(&mut self, frame: Frame, now: Duration) -> bool {
        let Frame { unit, shape, check } = frame;
        let (timeout, unit) = (self.timeout, self.unit(unit));
        let newest = unit.said.iter().find(|said| said.shape == shape).copied();
        unit.say(Said { shape, at: now, check: Some(check) });
        if unit.owes(shape) {
            return false;
        }
        let is_new = !unit.is_doubted(now);
        unit.unasked_at = Some(now);
        let is_another = newest.and_then(|said| said.check).is_some_and(|newest| newest != check);
        if is_new {
            (unit.patient_since, unit.more) = (now, LONGER);
        } else if is_another && now.saturating_sub(unit.patient_since) > unit.patience {
            // what was said before that patience has been said again by now
            unit.patience = (unit.patience * 2).min(MOST_PATIENCE.max(timeout));
            unit.patient_since = now;
        }
        is_new
    }

    fn unit(&mut self, unit: u8) -> &mut Unit {
        let patience = self.timeout;
        self.units.entry(unit).or_insert_with(|| Unit {
            owed: Vec::new(),
            said: Vec::new(),
            unasked_at: None,
            patience,
            patient_since: Duration::ZERO,
            more: LONGER,
        })
    }
}

impl Unit {
    fn is_doubted(&self, now: Duration) -> bool {
        self.unasked_at.is_some_and(|last| now.saturating_sub(last) <= DOUBT)
    }

    fn owes(&self, shape: Shape) -> bool {
        self.owed.iter().any(|owed| owed.shape == shape)
    }

    /// How long a copy of that length may still come.
    fn wait(&self, shape: Shape, now: Duration) -> Duration {
        let said = self.said.iter().find(|said| said.shape == shape && self.is_doubted(now));
        said.map_or(Duration::ZERO, |said| (said.at + self.patience).saturating_sub(now))
    }

    fn say(&mut self, said: Said) {
        let older = self.said.iter().find(|older| older.shape == said.shape).map(|older| older.at);
        self.said.retain(|older| older.shape != said.shape);
        self.said.push(Said { at: older.unwrap_or_default().max(said.at), ..said });
    }

    /// The oldest answer that a unit owes, which it owes no longer unless it says things twice.
    fn pass_oldest(&mut self, now: Duration) -> Option<Owed> {
        let is_doubted = self.is_doubted(now);
        let first = self.owed.first_mut()?;
        let oldest = *first;
        if is_doubted && oldest.refusals < MOST_REFUSALS {
            first.refusals += 1;
        } else {
            self.owed.remove(0);
        }
        Some(oldest)
    }

    fn push(&mut self, owed: Owed) {
        if self.owed.len() >= MOST {
            self.owed.remove(0);
        }
        self.owed.push(owed);
    }
}

fn ends_inside(request: &Request) -> bool {
    request.address.checked_add(request.count - 1).is_some()
}

/// What the answer to a question looks like.
pub const fn shape(request: &Request) -> Shape {
    let Request { table, count, .. } = request;
    let bytes = if table.has_bits() { count.div_ceil(8) } else { *count * 2 };
    Shape { table: *table, bytes }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::register::Table;

    const UNIT: u8 = 5;
    const NOW: Duration = Duration::from_secs(100);
    const TIMEOUT: Duration = Duration::from_secs(1);
    const TICK: Duration = Duration::from_millis(1);

    fn read(address: u16, count: u16) -> Request {
        Request { table: Table::Holding, address, count, registers: Vec::new() }
    }

    fn bits(count: u16) -> Request {
        Request { table: Table::Coil, ..read(0, count) }
    }

    fn none_owed() -> OwedAnswers {
        OwedAnswers::new(TIMEOUT)
    }

    #[test]
    fn a_question_that_an_owed_answer_fits_is_asked_after_one_of_another_length() {
        let mut owed = none_owed();
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 1)));
        owed.unanswered(UNIT, &read(100, 1), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 3)));
        assert_eq!(owed.ask(UNIT, &read(65_534, 2), 125, NOW), Ask::NotNow);
        assert_eq!(owed.ask(UNIT, &read(0, 4), 125, NOW), Ask::Plainly);
        assert_eq!(owed.ask(UNIT + 1, &read(100, 2), 125, NOW), Ask::Plainly);
        owed.answered(UNIT, &read(100, 3), None, NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
    }

    #[test]
    fn coils_come_in_bytes() {
        let mut owed = none_owed();
        owed.unanswered(UNIT, &bits(12), NOW);
        assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(8)));
        owed.unanswered(UNIT, &bits(8), NOW);
        assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(17)));
        assert_eq!(owed.ask(UNIT, &bits(9), 16, NOW), Ask::NotNow);
    }

    #[test]
    fn what_is_owed_is_forgotten_when_nobody_answers_so_late() {
        let mut owed = none_owed();
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert_ne!(owed.ask(UNIT, &read(0, 2), 125, NOW + LATEST), Ask::Plainly);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW + LATEST + TICK), Ask::Plainly);
    }

    #[test]
    fn a_refusal_may_be_the_answer_to_the_oldest() {
        let mut owed = none_owed();
        assert!(!owed.refused(UNIT, &read(0, 2), NOW));
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(owed.refused(UNIT, &read(0, 1), NOW));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Plainly);
        assert_eq!(owed.ask(UNIT, &read(0, 1), 125, NOW), Ask::AfterSounding(read(0, 2)));
    }

    fn said(request: &Request, check: u16) -> Frame {
        Frame { unit: UNIT, shape: shape(request), check }
    }

    #[test]
    fn no_two_answers_of_a_doubted_unit_are_of_one_length_until_a_copy_has_come() {
        let mut owed = none_owed();
        owed.answered(UNIT, &read(0, 2), Some(1), NOW);
        let plainly = Ask::Plainly;
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), plainly, "nothing was heard twice");
        assert!(owed.overheard(said(&read(0, 2), 1), NOW));
        assert!(!owed.overheard(said(&read(0, 2), 1), NOW), "that is known");
        for count in 3..10 {
            let asked = Request { registers: vec![7], ..read(100, 2) };
            let longer = Request { registers: vec![7], ..read(100, count) };
            assert_eq!(owed.ask(UNIT, &asked, 125, NOW), Ask::Longer(longer));
            owed.answered(UNIT, &read(100, count), None, NOW);
        }
        assert_eq!(owed.ask(UNIT, &read(0, 10), 125, NOW), plainly, "of another length");
        assert_eq!(owed.ask(UNIT + 1, &read(0, 2), 125, NOW), plainly, "of another unit");
        assert_eq!(owed.ask(UNIT, &read(0, 2), 4, NOW), Ask::In(TIMEOUT), "no longer one");
        assert_eq!(owed.ask(UNIT, &read(0, 2), 4, NOW + TIMEOUT - TICK), Ask::In(TICK));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 4, NOW + TIMEOUT), plainly);
        owed.gave_no(UNIT, 9);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Longer(read(0, 10)));
        owed.gave_no(UNIT, 8);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::In(TIMEOUT), "it gives no longer");
        let later = NOW + DOUBT + TICK;
        owed.answered(UNIT, &read(0, 2), None, later);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), plainly);
        assert!(owed.overheard(said(&read(0, 2), 1), later));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, later), Ask::Longer(read(0, 3)), "once more");
    }

    #[test]
    fn who_comes_after_all_that_waiting_is_waited_for_longer() {
        let mut owed = none_owed();
        let seconds = Duration::from_secs;
        let waits = |owed: &mut OwedAnswers, now| match owed.ask(UNIT, &read(0, 2), 2, now) {
            Ask::In(wait) => wait,
            ask => panic!("{ask:?}"),
        };
        // copies of what had been said when the doubt arose
        owed.answered(UNIT, &read(0, 2), Some(2), NOW);
        owed.overheard(said(&read(0, 2), 1), NOW);
        owed.overheard(said(&read(0, 2), 2), NOW + TIMEOUT);
        assert_eq!(waits(&mut owed, NOW + TIMEOUT), TIMEOUT);
        for (now, patience) in [(3, 2), (4, 2), (6, 4), (11, 8), (20, 10), (40, 10)] {
            let now = NOW + seconds(now);
            owed.answered(UNIT, &read(0, 2), Some(3), now);
            owed.overheard(said(&read(0, 2), 3), now);
            owed.overheard(said(&read(0, 2), 4), now);
            assert_eq!(waits(&mut owed, now), seconds(patience), "{now:?}");
        }
    }

    #[test]
    fn a_late_answer_is_not_said_unasked() {
        let mut owed = none_owed();
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(!owed.overheard(said(&read(0, 2), 1), NOW));
        owed.answered(UNIT, &read(0, 1), None, NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 1), 125, NOW), Ask::Plainly);
        owed.unanswered(UNIT, &read(0, 2), NOW);
        assert!(owed.overheard(said(&read(0, 3), 1), NOW), "nobody owes that one");
    }

    /// A refused question may have been refused by a copy: its answer is still to come then.
    #[test]
    fn what_a_doubted_unit_refused_it_may_answer() {
        let mut owed = none_owed();
        owed.overheard(said(&read(0, 9), 1), NOW);
        assert!(!owed.refused(UNIT, &read(0, 2), NOW));
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Longer(read(100, 3)));
        assert_eq!(owed.ask(UNIT, &read(100, 2), 2, NOW), Ask::In(2 * TIMEOUT));
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW + 2 * TIMEOUT), Ask::Plainly);
    }

    /// What a unit makes of a question, each thing some milliseconds after the one before it.
    #[derive(Debug, Clone)]
    struct Turn {
        /// What is asked, and how long after the last.
        address: u16,
        count: u16,
        pause: u64,
        /// Answers, refuses, or does not.
        manner: Manner,
        /// After the question, or after its last answer.
        after: u64,
        /// Said again so much later, by a repeater.
        copies: Vec<u64>,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Manner {
        Answers,
        Refuses,
        Never,
    }

    /// Something on the line.
    #[derive(Debug, Clone)]
    struct Word {
        at: Duration,
        request: Request,
        is_refusal: bool,
        number: u16,
    }

    impl Word {
        fn frame(&self) -> Frame {
            said(&self.request, self.number)
        }
    }

    /// `after` at most: so late a unit is, or so late its copies are.
    fn turns(latest: u64, copies: usize) -> impl Strategy<Value = Vec<Turn>> {
        let manner = prop_oneof![
            6 => Just(Manner::Answers),
            1 => Just(Manner::Refuses),
            1 => Just(Manner::Never),
        ];
        // a copy comes within the time-out
        let copies = prop::collection::vec(0_u64..1_000, 0..=copies);
        let pauses = prop_oneof![3 => 0_u64..100, 1 => 0_u64..5_000];
        let after = prop_oneof![3 => 0_u64..150, 1 => 0..latest];
        let turn = (0_u16..4, 1_u16..4, pauses, manner, after, copies);
        let turn = turn.prop_map(|(address, count, pause, manner, after, copies)| Turn {
            address: address * 10,
            count,
            pause,
            manner,
            after,
            copies,
        });
        prop::collection::vec(turn, 1..60)
    }

    /// Polls a unit that does this; how many values there were, each of them what was asked for.
    fn poll(turns: Vec<Turn>, longest: u16, is_doubted: bool) -> Result<usize, TestCaseError> {
        let mut owed = none_owed();
        if is_doubted {
            owed.overheard(said(&read(0, 9), 0), NOW);
        }
        let ms = Duration::from_millis;
        let (mut now, mut free_at) = (NOW, NOW);
        let mut line: Vec<Word> = Vec::new();
        let mut values = 0;
        let mut turns = turns.into_iter().zip(0_u16..);
        while let Some((turn, number)) = turns.next() {
            now += ms(turn.pause);
            let wanted = read(turn.address, turn.count);
            let ask = loop {
                match owed.ask(UNIT, &wanted, longest, now) {
                    Ask::In(wait) => now += wait,
                    ask => break ask,
                }
            };
            let (asked, is_sounding) = match ask {
                Ask::Plainly => (wanted.clone(), false),
                Ask::Longer(longer) => (longer, false),
                Ask::AfterSounding(sounding) => (sounding, true),
                Ask::In(_) | Ask::NotNow => continue,
            };
            // what waits is looked at before the question's answer is
            line.sort_by_key(|word| word.at);
            let late = line.partition_point(|word| word.at <= now);
            for word in line.drain(..late).filter(|word| !word.is_refusal) {
                owed.overheard(word.frame(), now);
            }
            let answered_at = free_at.max(now) + ms(turn.after);
            if turn.manner != Manner::Never && answered_at < now + LATEST {
                free_at = answered_at;
                let all = [0].into_iter().chain(turn.copies);
                line.extend(all.map(|copy| Word {
                    at: answered_at + ms(copy),
                    request: asked.clone(),
                    is_refusal: turn.manner == Manner::Refuses,
                    number,
                }));
                line.sort_by_key(|word| word.at);
            }
            let (until, mut passed) = (now + TIMEOUT, Vec::new());
            let heard = loop {
                if line.first().is_none_or(|word| word.at > until) {
                    break None;
                }
                let word = line.remove(0);
                now = now.max(word.at);
                let wanted = owed.wanted(UNIT, &asked, now);
                if !word.is_refusal && wanted.is_some_and(|(_, shape)| shape != word.frame().shape) {
                    passed.push(word);
                } else {
                    break Some(word);
                }
            };
            match heard {
                None => {
                    owed.unanswered(UNIT, &asked, until);
                    now = until + TIMEOUT;
                }
                Some(word) if word.is_refusal => {
                    owed.refused(UNIT, &asked, now);
                }
                Some(word) if word.frame().shape == shape(&asked) => {
                    prop_assert_eq!(&word.request, &asked);
                    prop_assert_eq!(word.number, number);
                    values += usize::from(!is_sounding);
                    owed.answered(UNIT, &asked, Some(word.number), now);
                }
                Some(_) => {
                    owed.answered_another(UNIT, &asked, now);
                    now += TIMEOUT;
                }
            }
            for word in passed {
                owed.overheard(word.frame(), now);
            }
        }
        Ok(values)
    }

    proptest! {
        /// What is believed is the answer to what was asked, however late a unit is.
        #[test]
        fn no_late_answer_is_believed(turns in turns(8_000, 0), longest in 3_u16..125) {
            poll(turns, longest, false)?;
        }

        /// Nor is a copy, once a unit was heard to say things twice, whenever it comes within the
        /// time-out; and no value is lost by it.
        #[test]
        fn no_copy_is_believed(turns in turns(150, 3), longest in 3_u16..125) {
            let answers = turns.iter().filter(|turn| turn.manner == Manner::Answers).count();
            let has_refusals = turns.iter().any(|turn| turn.manner == Manner::Refuses);
            let values = poll(turns, longest, true)?;
            prop_assert!(has_refusals || longest < 30 || values * 2 >= answers, "{values} of {answers}");
        }

        /// Nor is what comes both late and twice.
        #[test]
        fn no_copy_of_a_late_answer_is_believed(turns in turns(8_000, 2), longest in 3_u16..125) {
            let answers = turns.into_iter().filter(|turn| turn.manner != Manner::Refuses);
            poll(answers.collect(), longest, true)?;
        }
    }
}
