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
//! passed over. A refusal has no length: after one, a doubted unit is asked nothing until no copy of
//! it can come. A copy that is not one of the newest answer of its length came after all that
//! waiting, or in place of the answer: then patience doubles.
//!
//! The first copy that ever comes may come in an answer's place. It has the bytes of an answer that
//! was heard within the same patience: such a unit is suspected, and its answer asked for again as
//! if it were doubted. Two registers of one value look the same, so that a suspicion that nothing
//! confirms is not had again of those two for a time, nor many times of one unit.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    frame::{Frame, Shape},
    plan::Request,
    register::Table,
};

/// How many answers of a unit are remembered; of more, the oldest are the least likely to come.
const MOST: usize = 32;
/// So many refusals in a row are not all of older questions.
const MOST_REFUSALS: u8 = 8;
/// Nobody answers later.
const LATEST: Duration = Duration::from_secs(30);
/// No copy comes later, unless the bus has a longer time-out; nor what was asked before the start.
const MOST_PATIENCE: Duration = Duration::from_secs(10);
/// How many more addresses are read at most than the question has.
const LONGER: u16 = 16;
/// How many answers of a unit are remembered as said; of more, the oldest are the least likely to
/// come once more.
const MOST_SAID: usize = 128;
/// So many longer reads in a row without an answer are not all lost on the way.
const MOST_SILENCES: u8 = 3;
/// How long a unit is doubted after it was last heard unasked.
const DOUBT: Duration = Duration::from_hours(1);
/// How long two reads of a unit are not suspected again: where registers are alike, each suspicion
/// of a healthy unit may cost it two time-outs.
const TRUST: Duration = Duration::from_hours(24);
/// So many reads that are alike within that time are no copies.
const MOST_ALIKE: usize = 8;

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
    /// Each once, the latest said last.
    said: Vec<Said>,
    /// When it was last heard unasked, counted from any one moment.
    unasked_at: Option<Duration>,
    /// Which of its answers were suspiciously alike, the latest last.
    alike: Vec<Alike>,
    /// What was answered by what may have been a copy, if nothing was answered since.
    unbelieved: Option<Shape>,
    /// For so long a copy of what it said may come.
    patience: Duration,
    /// Since when that has been so, or since when it is doubted.
    patient_since: Duration,
    /// What it was found to give of addresses behind those of its registers.
    behind: BTreeMap<Table, Behind>,
    /// When it last refused anything.
    refused_at: Option<Duration>,
}

/// Addresses of one table behind those of the registers.
#[derive(Debug, Clone, Copy)]
struct Behind {
    /// So many may be asked for.
    more: u16,
    /// How many such reads in a row got no answer.
    silences: u8,
}

/// Two reads whose answers were alike.
#[derive(Debug, Clone, Copy)]
struct Alike {
    shape: Shape,
    /// Where they begin, the lower one first.
    addresses: (u16, u16),
    at: Duration,
    /// Whether the unit answered when it was asked again.
    is_settled: bool,
}

#[derive(Debug, Clone, Copy)]
struct Owed {
    shape: Shape,
    /// So long it may come.
    until: Duration,
    /// How many refusals in a row may have been those of older questions.
    refusals: u8,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    shape: Shape,
    at: Duration,
    /// Where what it answered begins, as far as that is known.
    address: Option<u16>,
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

/// What came of a read of more addresses than a question has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Longer {
    /// What was asked.
    Answered,
    /// A refusal.
    Refused,
    /// Nothing, or nothing that could be used.
    Silent,
}

impl OwedAnswers {
    /// Nothing is owed; nobody waits longer than `timeout` for an answer, at first not for a copy
    /// either.
    pub const fn new(timeout: Duration) -> Self {
        Self { timeout, units: BTreeMap::new() }
    }

    /// Who was here before may have asked `unit` this, and gone without its answer. A shorter wait has
    /// to do: at a start each unit that gives no sounding stays without a value for it.
    pub fn begun(&mut self, unit: u8, request: &Request, now: Duration) {
        let unit = self.unit(unit);
        if !unit.owes(shape(request)) {
            unit.owe(shape(request), now + MOST_PATIENCE);
        }
    }

    /// Whether `unit` may be asked `request` at `now`, no read being of more than `longest`
    /// addresses.
    pub fn ask(&mut self, unit: u8, request: &Request, longest: u16, now: Duration) -> Ask {
        let unit = self.unit(unit);
        unit.owed.retain(|owed| now <= owed.until);
        let refused_at = unit.refused_at.filter(|_| unit.is_doubted(now));
        let rest = refused_at.map(|at| (at + unit.patience).saturating_sub(now));
        if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
            return Ask::In(rest);
        }
        let (is_owed, wait) = (unit.owes(shape(request)), unit.wait(shape(request), now));
        if !is_owed && wait.is_zero() {
            return Ask::Plainly;
        }
        let behind = unit.behind.get(&request.table).copied().unwrap_or_default();
        let longer = |more| request.count + 1..=longest.min(request.count.saturating_add(more));
        let reads = |counts: Vec<u16>| {
            let reads = counts.into_iter().map(|count| Request {
                count,
                registers: Vec::new(),
                ..*request
            });
            let told_apart = reads.filter(ends_inside).filter(|read| !unit.owes(shape(read)));
            told_apart.map(|read| (unit.wait(shape(&read), now), read))
        };
        if unit.is_doubted(now)
            && let Some((_, read)) =
                reads(longer(behind.more).collect()).find(|(wait, _)| wait.is_zero())
        {
            return Ask::Longer(Request { registers: request.registers.clone(), ..read });
        }
        if !is_owed {
            return Ask::In(wait);
        }
        // The first that can be asked now, else the one that can be asked first. Of many addresses some
        // may not exist, and the first one does.
        let soundings = reads((1..request.count).chain(longer(LONGER)).collect());
        match soundings.min_by_key(|(wait, _)| *wait) {
            Some((wait, sounding)) if wait.is_zero() => Ask::AfterSounding(sounding),
            Some((wait, _)) => Ask::In(wait),
            None => Ask::NotNow,
        }
    }

    /// The one answer of `unit` that is waited for, where it is doubted: what else it says then is
    /// passed over.
    pub fn wanted(&self, unit: u8, request: &Request, now: Duration) -> Option<Shape> {
        self.units.get(&unit)?.is_doubted(now).then(|| shape(request))
    }

    /// `unit` gave no answer, or something that is none.
    pub fn unanswered(&mut self, unit: u8, request: &Request, now: Duration) {
        let unit = self.unit(unit);
        unit.owe_unbelieved(now);
        unit.owe(shape(request), now + LATEST);
    }

    /// `unit` answered what it was asked, with this check sum: whatever it owed before, it has
    /// passed over, or a copy of it may come.
    pub fn answered(&mut self, unit: u8, request: &Request, check: Option<u16>, now: Duration) {
        let unit = self.unit(unit);
        unit.unbelieved = None;
        for owed in std::mem::take(&mut unit.owed) {
            unit.say(Said::unheard(owed.shape, now));
        }
        unit.say(Said { shape: shape(request), at: now, address: Some(request.address), check });
    }

    /// What answered `request` may have been a copy of an older answer: its own comes within the
    /// time-out then, and may be said again as well.
    pub fn not_believed(&mut self, unit: u8, request: &Request, now: Duration) {
        self.awaits(unit, request, now);
        self.unit(unit).unbelieved = Some(shape(request));
    }

    /// What came of a read of so many more addresses than registers have. One that `unit` refuses,
    /// or does not answer several times, is not asked again of that table while it is doubted.
    pub fn longer(&mut self, unit: u8, table: Table, more: u16, outcome: Longer) {
        let behind = self.unit(unit).behind.entry(table).or_default();
        let silences = match outcome {
            Longer::Answered => 0,
            Longer::Silent => behind.silences + 1,
            Longer::Refused => MOST_SILENCES,
        };
        if silences >= MOST_SILENCES {
            behind.more = behind.more.min(more.saturating_sub(1));
        }
        behind.silences = silences % MOST_SILENCES;
    }

    /// `unit` refused, and a refusal has no length: it may have been the oldest answer that it
    /// owed, and then the one to `request` is to come. `false` where it owed none; but a copy of an
    /// older refusal it may be all the same.
    pub fn refused(&mut self, unit: u8, request: &Request, now: Duration) -> bool {
        let of_unit = self.unit(unit);
        (of_unit.refused_at, of_unit.unbelieved) = (Some(now), None);
        let oldest = self.unit(unit).pass_oldest(now);
        let oldest = oldest.filter(|oldest| oldest.refusals < MOST_REFUSALS);
        match oldest {
            Some(Owed { refusals, .. }) => {
                let shape = shape(request);
                self.unit(unit).push(Owed { shape, until: now + LATEST, refusals: refusals + 1 });
            }
            None => self.awaits(unit, request, now),
        }
        oldest.is_some()
    }

    /// `unit` gave an answer of another length than that to `request` has, at `now`: one that it
    /// owed, and the one to `request` is to come.
    pub fn answered_another(&mut self, unit: u8, request: &Request, now: Duration) {
        let unit = self.unit(unit);
        if let Some(Owed { shape, .. }) = unit.pass_oldest(now) {
            unit.say(Said::unheard(shape, now));
        }
        unit.owe(shape(request), now + LATEST);
    }

    /// A whole answer was heard to which there was no question. One that is owed came late, and
    /// says nothing new; by any other its unit is doubted from here on. Whether it was not before.
    pub fn overheard(&mut self, frame: Frame, now: Duration) -> bool {
        let Frame { unit, shape, check } = frame;
        let (timeout, unit) = (self.timeout, self.unit(unit));
        let newest = unit.said.iter().rfind(|said| said.shape == shape).copied();
        let said = Said { check: Some(check), ..Said::unheard(shape, now) };
        if !unit.said.iter().any(|older| older.is_same(&said)) {
            // no copy of what was heard: it is the answer itself
            unit.unbelieved.take_if(|unbelieved| *unbelieved == shape);
        }
        if unit.owes(shape) {
            unit.say(said);
            return false;
        }
        // copies of one answer come within its patience, however many there are
        let is_copied =
            |older: &Said| older.is_same(&said) && now.saturating_sub(older.at) <= unit.patience;
        if !unit.said.iter().any(is_copied) {
            unit.say(said);
        }
        let is_new = !unit.was_unasked(now);
        unit.unasked_at = Some(now);
        let is_another = newest.and_then(|said| said.check).is_some_and(|newest| newest != check);
        if is_new {
            unit.patient_since = now;
            unit.behind.clear();
        } else if is_another && now.saturating_sub(unit.patient_since) > unit.patience {
            // what was said before that patience has been said again by now
            unit.patience = (unit.patience * 2).min(MOST_PATIENCE.max(timeout));
            unit.patient_since = now;
        }
        is_new
    }

    /// Whether the answer of `unit` to `request`, which has this check sum, may be a copy of an
    /// older one, and is to be asked for again.
    pub fn suspects(&mut self, unit: u8, request: &Request, check: u16, now: Duration) -> bool {
        let (unit, shape, address) = (self.unit(unit), shape(request), request.address);
        unit.alike.retain(|alike| now.saturating_sub(alike.at) <= TRUST);
        let copied = unit.said.iter().find(|said| {
            let is_alike = said.shape == shape && said.check == Some(check);
            is_alike && now.saturating_sub(said.at) <= unit.patience
        });
        let Some(copied) = copied else { return false };
        let other = copied.address.unwrap_or(address);
        let addresses = (address.min(other), address.max(other));
        let is_known = |alike: &Alike| (alike.shape, alike.addresses) == (shape, addresses);
        unit.alike.retain(|alike| alike.is_settled || !is_known(alike));
        let is_trusted = unit.alike.len() >= MOST_ALIKE || unit.alike.iter().any(is_known);
        if is_trusted || unit.was_unasked(now) {
            return false;
        }
        unit.alike.push(Alike { shape, addresses, at: now, is_settled: true });
        unit.behind.clear();
        true
    }

    /// The answer to `request` comes within the time-out, if it does.
    fn awaits(&mut self, unit: u8, request: &Request, now: Duration) {
        let at = now + self.timeout;
        self.unit(unit).say(Said::unheard(shape(request), at));
    }

    fn unit(&mut self, unit: u8) -> &mut Unit {
        let patience = self.timeout;
        self.units.entry(unit).or_insert_with(|| Unit {
            owed: Vec::new(),
            said: Vec::new(),
            unasked_at: None,
            alike: Vec::new(),
            unbelieved: None,
            patience,
            patient_since: Duration::ZERO,
            behind: BTreeMap::new(),
            refused_at: None,
        })
    }
}

impl Default for Behind {
    fn default() -> Self {
        Self { more: LONGER, silences: 0 }
    }
}

impl Said {
    /// Said, or to be said, and heard by nobody.
    const fn unheard(shape: Shape, at: Duration) -> Self {
        Self { shape, at, address: None, check: None }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.shape, self.check) == (other.shape, other.check)
    }
}

impl Unit {
    fn is_doubted(&self, now: Duration) -> bool {
        let is_suspected = |last: &Alike| now.saturating_sub(last.at) <= 2 * self.patience;
        self.was_unasked(now) || self.alike.last().is_some_and(is_suspected)
    }

    fn was_unasked(&self, now: Duration) -> bool {
        self.unasked_at.is_some_and(|last| now.saturating_sub(last) <= DOUBT)
    }

    fn owes(&self, shape: Shape) -> bool {
        self.owed.iter().any(|owed| owed.shape == shape)
    }

    /// How long a copy of that length may still come.
    fn wait(&self, shape: Shape, now: Duration) -> Duration {
        let alike = self.said.iter().filter(|said| said.shape == shape && self.is_doubted(now));
        let last = alike.map(|said| said.at).max();
        last.map_or(Duration::ZERO, |at| (at + self.patience).saturating_sub(now))
    }

    fn say(&mut self, said: Said) {
        let older = self.said.iter().position(|older| older.is_same(&said));
        let older = older.map(|older| self.said.remove(older));
        if self.said.len() >= MOST_SAID {
            // of each length the newest counts for longest
            let is_older = |(at, said): (usize, &Said)| {
                self.said.iter().skip(at + 1).any(|newer| newer.shape == said.shape)
            };
            let older = self.said.iter().enumerate().position(is_older).unwrap_or(0);
            self.said.remove(older);
        }
        let at = older.map_or(said.at, |older| older.at.max(said.at));
        let address = said.address.or_else(|| older?.address);
        self.said.push(Said { at, address, ..said });
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

    /// The answer in whose place a copy may have come is late, and still to come.
    fn owe_unbelieved(&mut self, now: Duration) {
        let Some(shape) = self.unbelieved.take() else { return };
        self.owe(shape, now + LATEST);
        if let Some(alike) = self.alike.last_mut() {
            alike.is_settled = false;
        }
    }

    fn owe(&mut self, shape: Shape, until: Duration) {
        self.push(Owed { shape, until, refusals: 0 });
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
        assert_eq!(owed.ask(UNIT, &bits(9), 2_000, NOW), Ask::AfterSounding(bits(1)));
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

    #[test]
    fn what_was_asked_before_the_start_is_owed_until_something_is_answered() {
        let mut owed = none_owed();
        for address in [0, 100, 200] {
            owed.begun(UNIT, &read(address, 2), NOW);
        }
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::AfterSounding(read(100, 1)));
        owed.answered(UNIT, &read(100, 1), Some(7), NOW);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW), Ask::Plainly);
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
        let later = NOW + DOUBT + TICK;
        owed.answered(UNIT, &read(0, 2), None, later);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), plainly);
        assert!(owed.overheard(said(&read(0, 2), 1), later));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, later), Ask::Longer(read(0, 3)), "once more");
    }

    #[test]
    fn where_no_longer_read_is_given_a_copy_is_waited_for() {
        let mut owed = none_owed();
        owed.answered(UNIT, &read(0, 2), Some(1), NOW);
        owed.overheard(said(&read(0, 2), 1), NOW);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW), Ask::In(TIMEOUT), "there is none");
        assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW + TICK), Ask::In(TIMEOUT.abs_diff(TICK)));
        assert_eq!(owed.ask(UNIT, &read(0, 2), 2, NOW + TIMEOUT), Ask::Plainly);
        owed.answered(UNIT, &read(0, 3), None, NOW);
        owed.longer(UNIT, Table::Holding, 3, Longer::Refused);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Longer(read(0, 4)));
        for outcome in [Longer::Silent, Longer::Answered, Longer::Silent, Longer::Silent] {
            owed.longer(UNIT, Table::Holding, 2, outcome);
            assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::Longer(read(0, 4)));
        }
        owed.longer(UNIT, Table::Holding, 2, Longer::Silent);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::In(TIMEOUT));
    }

    #[test]
    fn an_answer_that_looks_like_an_older_one_is_asked_for_again_once() {
        let mut owed = none_owed();
        assert!(!owed.suspects(UNIT, &read(0, 2), 7, NOW));
        owed.answered(UNIT, &read(0, 2), Some(7), NOW);
        let later = NOW + TIMEOUT + TICK;
        assert!(!owed.suspects(UNIT, &read(9, 2), 7, later), "so late no copy comes");
        assert!(!owed.suspects(UNIT, &read(9, 2), 8, NOW), "of other bytes");
        assert!(!owed.suspects(UNIT, &read(9, 1), 7, NOW), "of another length");
        assert!(!owed.suspects(UNIT + 1, &read(9, 2), 7, NOW));
        assert!(owed.suspects(UNIT, &read(9, 2), 7, NOW));
        owed.not_believed(UNIT, &read(9, 2), NOW);
        assert_eq!(owed.ask(UNIT, &read(9, 2), 125, NOW), Ask::Longer(read(9, 3)));
        assert_eq!(owed.ask(UNIT, &read(9, 2), 2, NOW), Ask::In(2 * TIMEOUT));
        let later = NOW + 2 * TIMEOUT + TICK;
        owed.answered(UNIT, &read(0, 2), Some(7), later);
        assert!(!owed.suspects(UNIT, &read(9, 2), 7, later), "they are alike, it seems");
        assert_eq!(owed.ask(UNIT, &read(9, 2), 125, later), Ask::Plainly);
        owed.answered(UNIT, &read(9, 2), Some(8), later);
        assert!(!owed.suspects(UNIT, &read(0, 2), 8, later), "whatever both of them hold");
        assert!(owed.suspects(UNIT, &read(20, 2), 8, later), "this one is another");
    }

    #[test]
    fn a_unit_of_many_like_registers_is_suspected_a_few_times_a_day() {
        let mut owed = none_owed();
        let mut suspects = |now: Duration| {
            let reads = (0..50).map(|address| read(address * 2, 2));
            let suspected = reads.filter(|read| {
                let suspected = owed.suspects(UNIT, read, 7, now);
                owed.answered(UNIT, read, Some(7), now);
                suspected
            });
            suspected.count()
        };
        assert_eq!(suspects(NOW), MOST_ALIKE);
        assert_eq!(suspects(NOW + TRUST), 0);
        assert_eq!(suspects(NOW + TRUST + TIMEOUT), MOST_ALIKE);
    }

    #[test]
    fn a_table_that_gives_no_more_says_nothing_of_the_others() {
        let mut owed = none_owed();
        let input = Request { table: Table::Input, ..read(0, 2) };
        owed.overheard(said(&read(0, 9), 1), NOW);
        for request in [&read(0, 2), &input] {
            owed.answered(UNIT, request, Some(1), NOW);
        }
        owed.longer(UNIT, Table::Holding, 1, Longer::Refused);
        assert_eq!(owed.ask(UNIT, &read(0, 2), 125, NOW), Ask::In(TIMEOUT));
        let longer = Request { count: 3, ..input.clone() };
        assert_eq!(owed.ask(UNIT, &input, 125, NOW), Ask::Longer(longer));
    }

    #[test]
    fn who_comes_after_all_that_waiting_is_waited_for_longer() {
        let mut owed = none_owed();
        let seconds = Duration::from_secs;
        let waits = |owed: &mut OwedAnswers, now| {
            let ask = owed.ask(UNIT, &read(0, 2), 2, now);
            if let Ask::In(wait) = ask { wait } else { panic!("{ask:?}") }
        };
        // copies of what had been said when the doubt arose
        owed.answered(UNIT, &read(0, 2), Some(2), NOW);
        owed.overheard(said(&read(0, 2), 1), NOW);
        owed.overheard(said(&read(0, 2), 2), NOW + TIMEOUT);
        let ask = owed.ask(UNIT, &read(0, 2), 2, NOW + TIMEOUT);
        assert_eq!(ask, Ask::Plainly, "they come within its patience, all of them");
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
        assert_eq!(owed.ask(UNIT, &read(100, 4), 125, NOW), Ask::In(TIMEOUT), "a copy of it");
        let later = NOW + TIMEOUT;
        assert_eq!(owed.ask(UNIT, &read(100, 4), 125, later), Ask::Plainly);
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, later), Ask::Longer(read(100, 3)));
        assert_eq!(owed.ask(UNIT, &read(100, 2), 2, later), Ask::In(TIMEOUT));
        assert_eq!(owed.ask(UNIT, &read(100, 2), 125, NOW + 2 * TIMEOUT), Ask::Plainly);
    }

    /// A question and what a unit makes of it; times in milliseconds.
    #[derive(Debug, Clone)]
    struct Turn {
        address: u16,
        count: u16,
        /// Before it is asked.
        pause: u64,
        manner: Manner,
        /// From the question, or the last answer, to this one.
        after: u64,
        /// From the answer to each of its copies.
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

    /// Answers come `latest` at most after those before them, each with so many copies at most.
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

    /// A unit, the line to it, and who polls it.
    struct Scene {
        owed: OwedAnswers,
        now: Duration,
        /// When the unit has answered all that it was asked.
        free_at: Duration,
        /// Not heard yet, in the order in which it comes.
        line: Vec<Word>,
    }

    impl Scene {
        /// What is asked for `wanted`, and whether that is a sounding.
        fn ask(&mut self, wanted: &Request, longest: u16) -> Option<(Request, bool)> {
            match self.owed.ask(UNIT, wanted, longest, self.now) {
                Ask::Plainly => Some((wanted.clone(), false)),
                Ask::Longer(longer) => Some((longer, false)),
                Ask::AfterSounding(sounding) => Some((sounding, true)),
                Ask::NotNow => None,
                Ask::In(wait) => {
                    self.now += wait;
                    self.ask(wanted, longest)
                }
            }
        }

        /// What waits is looked at before the next question; whether a doubt arises by it.
        fn overhear(&mut self) -> bool {
            let late = self.line.partition_point(|word| word.at <= self.now);
            let mut is_new = false;
            for word in self.line.drain(..late).filter(|word| !word.is_refusal) {
                is_new |= self.owed.overheard(word.frame(), self.now);
            }
            is_new
        }

        fn answer(&mut self, turn: &Turn, number: u16, asked: &Request) {
            let answered_at = self.free_at.max(self.now) + Duration::from_millis(turn.after);
            if turn.manner == Manner::Never || answered_at >= self.now + LATEST {
                return;
            }
            self.free_at = answered_at;
            self.line.extend([0].iter().chain(&turn.copies).map(|copy| Word {
                at: answered_at + Duration::from_millis(*copy),
                request: asked.clone(),
                is_refusal: turn.manner == Manner::Refuses,
                number,
            }));
            self.line.sort_by_key(|word| word.at);
        }

        /// What is heard in place of an answer, and what is passed over.
        fn hear(&mut self, asked: &Request) -> (Option<Word>, Vec<Word>) {
            let (until, mut passed) = (self.now + TIMEOUT, Vec::new());
            while self.line.first().is_some_and(|word| word.at <= until) {
                let word = self.line.remove(0);
                self.now = self.now.max(word.at);
                let wanted = self.owed.wanted(UNIT, asked, self.now);
                if word.is_refusal || wanted.is_none_or(|wanted| wanted == word.frame().shape) {
                    return (Some(word), passed);
                }
                passed.push(word);
            }
            self.now = until;
            (None, passed)
        }
    }

    /// What it does with addresses behind those of its registers.
    #[derive(Debug, Clone, Copy)]
    struct Map {
        longest: u16,
        manner: Manner,
    }

    const MANNERS: [Manner; 3] = [Manner::Answers, Manner::Never, Manner::Refuses];
    /// A refusal has neither length nor bytes of its own: the first one that is said twice may be
    /// taken for another's.
    const UNREFUSING: [Manner; 2] = [Manner::Answers, Manner::Never];

    fn maps(manners: &[Manner]) -> impl Strategy<Value = Map> + use<> {
        let manner = prop::sample::select(manners.to_vec());
        (3_u16..125, manner).prop_map(|(longest, manner)| Map { longest, manner })
    }

    /// Polls a unit that does this; how many values there were, each of them what was asked for.
    fn poll(turns: Vec<Turn>, map: Map, is_doubted: bool) -> Result<usize, TestCaseError> {
        let mut scene = Scene { owed: none_owed(), now: NOW, free_at: NOW, line: Vec::new() };
        if is_doubted {
            scene.owed.overheard(said(&read(0, 9), 0), NOW);
        }
        let (mut values, mut again) = (0, None);
        for (mut turn, number) in turns.into_iter().zip(0_u16..) {
            // what is not believed is asked for again at once
            let is_again = again.is_some();
            let wanted = again.take().unwrap_or_else(|| read(turn.address, turn.count));
            scene.now += Duration::from_millis(if is_again { 0 } else { turn.pause });
            let Some((asked, is_sounding)) = scene.ask(&wanted, map.longest) else { continue };
            let more = asked.count.saturating_sub(wanted.count);
            if more > 0 && turn.manner == Manner::Answers {
                turn.manner = map.manner;
            }
            let mut is_doubtful = scene.overhear();
            scene.answer(&turn, number, &asked);
            let (heard, passed) = scene.hear(&asked);
            let Scene { owed, now, .. } = &mut scene;
            for word in passed {
                is_doubtful |= owed.overheard(word.frame(), *now);
            }
            if more > 0 && !is_sounding {
                let outcome = match &heard {
                    Some(word) if word.is_refusal => Longer::Refused,
                    Some(word) if word.frame().shape == shape(&asked) => Longer::Answered,
                    Some(_) | None => Longer::Silent,
                };
                owed.longer(UNIT, Table::Holding, more, outcome);
            }
            match heard {
                None => {
                    owed.unanswered(UNIT, &asked, *now);
                    *now += TIMEOUT;
                }
                Some(word) if word.is_refusal => {
                    let is_unclear = owed.refused(UNIT, &asked, *now);
                    prop_assert!(is_unclear || !is_doubted || word.number == number);
                }
                Some(word) if word.frame().shape == shape(&asked) => {
                    is_doubtful |= owed.suspects(UNIT, &asked, word.number, *now);
                    if is_doubtful {
                        owed.not_believed(UNIT, &asked, *now);
                        again = Some(wanted);
                    } else {
                        owed.answered(UNIT, &asked, Some(word.number), *now);
                        prop_assert_eq!(&word.request, &asked);
                        prop_assert_eq!(word.number, number);
                        values += usize::from(!is_sounding);
                    }
                }
                Some(_) => {
                    owed.answered_another(UNIT, &asked, *now);
                    *now += TIMEOUT;
                }
            }
        }
        Ok(values)
    }

    proptest! {
        /// What is believed is the answer to what was asked, however late a unit is.
        #[test]
        fn no_late_answer_is_believed(turns in turns(8_000, 0), map in maps(&MANNERS)) {
            poll(turns, map, false)?;
        }

        /// Nor is a copy, once a unit was heard to say things twice, whenever it comes within the
        /// time-out; and no value is lost by it.
        #[test]
        fn no_copy_is_believed(turns in turns(150, 3), map in maps(&MANNERS)) {
            let answers = turns.iter().filter(|turn| turn.manner == Manner::Answers).count();
            let has_refusals = turns.iter().any(|turn| turn.manner == Manner::Refuses);
            let is_lossless = !has_refusals && map.longest >= 30 && map.manner == Manner::Answers;
            let values = poll(turns, map, true)?;
            prop_assert!(!is_lossless || values * 2 >= answers, "{values} of {answers}");
        }

        /// Nor is the first copy ever, of answers that differ.
        #[test]
        fn no_first_copy_is_believed(turns in turns(150, 3), map in maps(&UNREFUSING)) {
            let answers = turns.into_iter().filter(|turn| turn.manner == Manner::Answers);
            poll(answers.collect(), map, false)?;
        }

        /// Nor is the first copy of a unit that answers late as well.
        #[test]
        fn no_first_copy_of_a_late_unit_is_believed(
            turns in turns(3_000, 2),
            map in maps(&UNREFUSING),
        ) {
            let answers = turns.into_iter().filter(|turn| turn.manner == Manner::Answers);
            poll(answers.collect(), map, false)?;
        }

        /// Nor is what comes both late and twice, of who refuses nothing.
        #[test]
        fn no_copy_of_a_late_answer_is_believed(turns in turns(8_000, 2), map in maps(&UNREFUSING)) {
            let answers = turns.into_iter().filter(|turn| turn.manner != Manner::Refuses);
            poll(answers.collect(), map, true)?;
        }
    }
}
