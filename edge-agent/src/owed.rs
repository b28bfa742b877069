//! Answers that a unit on a serial line still owes, or may say once more, and what may be believed
//! meanwhile.
//!
//! An RTU answer names its unit and its function, not the addresses that were asked for. A unit
//! that answers late, later than anybody waits, may so answer the next question with what the
//! last one asked. Two facts help: a unit answers in the order in which it was asked, and an answer
//! of another length cannot be that of the question in doubt. So a question that an owed answer
//! would fit is asked only after a sounding: a read in the same place whose answer has a length
//! that none of those owed has, or the function of another table; also a refusal names its function.
//! Once that is there, nothing older can come any more.
//!
//! That is not so where a repeater stands on the line, a second master, or a meter that reports by
//! itself: what was said comes once more, whatever has been answered since. A unit from which an
//! answer was heard that nobody had asked for is doubted for a time. Of a doubted unit no two
//! answers of one length are taken within the time in which a copy may come (its patience): a
//! question whose length it has said lately is asked with more addresses behind its own, and of a
//! device that does not give those, later. What comes in another length than the question's is
//! passed over. A refusal has no length: after one, a doubted unit is asked nothing until no copy of
//! it can come. A copy that is not one of the newest answer of its length came after all that
//! waiting, or in place of the answer: then patience doubles. Of one that is seen to take longer,
//! whenever it is heard, patience is twice as long.
//!
//! The first copy that ever comes may come in an answer's place. It has the bytes of an answer that
//! was heard within the same patience: such a unit is suspected, and its answer asked for again as
//! if it were doubted. So is one of a doubted unit that looks like what another read was answered
//! before that patience. Two registers of one value look the same, so that a suspicion is not had
//! again for a time of two whose answer is the same once more, nor many times of one unit.

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
/// For so long a copy may come at least: how fast bytes find their way through gateways and radios
/// is no matter of a short time-out.
const LEAST_PATIENCE: Duration = Duration::from_millis(250);
/// No copy comes later, unless the bus has a longer time-out; nor what was asked before the start.
const MOST_PATIENCE: Duration = Duration::from_secs(10);
/// How many more addresses are read at most than the question has.
const LONGER: u16 = 16;
/// How many answers of a unit are remembered as said; of more, the oldest are the least likely to
/// come once more.
const MOST_SAID: usize = 128;
/// So many reads in a row without an answer are not all lost on the way.
const MOST_SILENCES: u8 = 3;
/// How long a unit is doubted after it was last heard unasked.
const DOUBT: Duration = Duration::from_hours(1);
/// How long two reads of a unit are not suspected again: where registers are alike, a suspicion of a
/// healthy unit may cost it a poll.
const TRUST: Duration = Duration::from_hours(24);
/// Of so many pairs of reads that were suspected within that time no further one is.
const MOST_ALIKE: usize = 8;
/// So many answers to one question that look like an older one may be copies of it, one after another.
const MOST_COPIES: u8 = 2;

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
    /// What was answered by what may have been a copy, and where it begins, if nothing was answered
    /// since.
    unbelieved: Option<(Shape, u16)>,
    /// For so long a copy of what it says may come, of a unit that is not doubted.
    least_patience: Duration,
    /// The same of one that is doubted.
    patience: Duration,
    /// Since when that has been so, or since when it is doubted.
    patient_since: Duration,
    /// What it was found to give of addresses behind those of its registers.
    behind: BTreeMap<Table, Behind>,
    /// How many reads of a table in a row it did not answer.
    silences: BTreeMap<Table, u8>,
}

/// Addresses of one table behind those of the registers.
#[derive(Debug, Clone, Copy)]
struct Behind {
    /// So many may be asked for.
    more: u16,
    /// How many such reads in a row got no answer.
    silences: u8,
    /// When that was found out.
    at: Duration,
}

/// Two reads whose answers were alike.
#[derive(Debug, Clone, Copy)]
struct Alike {
    shape: Shape,
    /// Where they begin, the lower one first.
    addresses: (u16, u16),
    /// Their check sum.
    check: u16,
    /// That of as many addresses as the question has; none of a sounding, nor of a refused longer read.
    own: Option<u16>,
    at: Duration,
    again: Again,
    /// How often in a row, without a believed answer in between.
    times: u8,
}

/// What came of a question that was asked again, since its answer looked like an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Nothing yet; it begins here.
    Asked(u16),
    /// The same answer: the two are alike.
    Same,
    /// Another answer: the first one may have been a copy.
    Another,
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
        // a refusal is heard whatever was asked
        let rest = unit.wait(Shape::is_refusal, now);
        if !rest.is_zero() {
            return Ask::In(rest);
        }
        let (is_owed, wait) = (unit.may_owe(shape(request)), unit.wait_for(shape(request), now));
        if !is_owed && wait.is_zero() {
            return Ask::Plainly;
        }
        let behind = unit.behind_of(request.table, now);
        let longer = |more| request.count + 1..=longest.min(request.count.saturating_add(more));
        let reads = |table, counts: Vec<u16>| {
            let reads = counts.into_iter().map(move |count| Request {
                table,
                count,
                registers: Vec::new(),
                ..*request
            });
            let told_apart = reads.filter(ends_inside).filter(|read| !unit.may_owe(shape(read)));
            told_apart.map(|read| (unit.wait_for(shape(&read), now), read))
        };
        let table = request.table;
        if unit.is_doubted(now)
            && let Some((_, read)) =
                reads(table, longer(behind.more).collect()).find(|(wait, _)| wait.is_zero())
        {
            return Ask::Longer(Request { registers: request.registers.clone(), ..read });
        }
        if !is_owed {
            return Ask::In(wait);
        }
        // The first that can be asked now, else the one that can be asked first. Of many addresses some
        // may not exist, and the first one does. A refusal of another function is as good as a value;
        // not every meter gives one.
        let beside = table.counterpart();
        let is_silent =
            unit.silences.get(&beside).is_some_and(|silences| *silences >= MOST_SILENCES);
        let is_told_apart = !unit.may_owe(Shape::refusal(beside));
        let sounds = |is_asked: bool| reads(beside, is_asked.then_some(1).into_iter().collect());
        let soundings = reads(table, (1..request.count).collect())
            .chain(sounds(is_told_apart && !is_silent))
            .chain(reads(table, longer(LONGER).collect()))
            .chain(sounds(is_told_apart && is_silent));
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
        let silences = unit.silences.entry(request.table).or_default();
        *silences = silences.saturating_add(1);
        unit.owe_unbelieved(now);
        unit.owe(shape(request), now + LATEST);
    }

    /// `unit` answered what it was asked, with this check sum: whatever it owed before, it has
    /// passed over, or a copy of it may come.
    pub fn answered(&mut self, unit: u8, request: &Request, check: Option<u16>, now: Duration) {
        let unit = self.unit(unit);
        unit.unbelieved = None;
        unit.silences.remove(&request.table);
        unit.pass(unit.owed.len(), now);
        unit.say(Said { shape: shape(request), at: now, address: Some(request.address), check });
    }

    /// What was heard in answer to `request` may have been a copy of an older answer: its own comes
    /// within the time-out then, and may be said again as well.
    pub fn not_believed(
        &mut self,
        unit: u8,
        request: &Request,
        heard: Option<Frame>,
        now: Duration,
    ) {
        self.awaits(unit, request, now);
        let unit = self.unit(unit);
        unit.owe_unbelieved(now);
        unit.unbelieved = Some((shape(request), request.address));
        if let Some(Frame { shape, check, .. }) = heard {
            // copies of this may come, too; what it looks like stays what it may be a copy of
            let said = Said { check: Some(check), ..Said::new(shape, now) };
            let is_new = !unit.said.iter().any(|older| older.is_same(&said));
            let address = (is_new || shape.is_refusal()).then_some(request.address);
            unit.say(Said { address, ..said });
        }
    }

    /// What came of a read of so many more addresses than registers have. One that `unit` refuses,
    /// or does not answer several times, is not asked again of that table for a time: the unit may
    /// have been switched off, or questions may have been lost.
    pub fn longer(
        &mut self,
        unit: u8,
        (table, more): (Table, u16),
        outcome: Longer,
        now: Duration,
    ) {
        let mut behind = self.unit(unit).behind_of(table, now);
        let silences = match outcome {
            Longer::Answered => 0,
            Longer::Silent => behind.silences + 1,
            Longer::Refused => MOST_SILENCES,
        };
        if silences >= MOST_SILENCES {
            (behind.more, behind.at) = (behind.more.min(more.saturating_sub(1)), now);
        }
        behind.silences = silences % MOST_SILENCES;
        self.unit(unit).behind.insert(table, behind);
    }

    /// `unit` refused, with this check sum, and a refusal has no length: it may have been the oldest
    /// answer that it owed of that table, and then the one to `request` is to come. `false` where it
    /// owed none; but a copy of an older refusal it may be all the same.
    pub fn refused(
        &mut self,
        unit: u8,
        request: &Request,
        check: Option<u16>,
        now: Duration,
    ) -> bool {
        let of_unit = self.unit(unit);
        of_unit.silences.remove(&request.table);
        match of_unit.unbelieved {
            // it answers in order, and a refusal of another function is no other's
            Some((unbelieved, _)) if unbelieved.table != request.table => of_unit.unbelieved = None,
            Some(_) | None => of_unit.owe_unbelieved(now),
        }
        let refusal = Shape::refusal(request.table);
        of_unit.say(Said { shape: refusal, at: now, address: Some(request.address), check });
        of_unit.pass_until(request.table, now);
        let oldest = of_unit.pass_oldest(now);
        let oldest = oldest.filter(|oldest| oldest.refusals < MOST_REFUSALS);
        if let Some(Owed { refusals, .. }) = oldest {
            let (shape, until) = (shape(request), now + LATEST);
            of_unit.push(Owed { shape, until, refusals: refusals + 1 });
        } else {
            self.awaits(unit, request, now);
        }
        oldest.is_some()
    }

    /// `unit` gave this, where it had been asked again since its answer looked like an older one: to
    /// the question itself, or to a longer one whose beginning has this check sum.
    pub fn told_again(&mut self, unit: u8, request: &Request, check: u16) {
        for alike in &mut self.unit(unit).alike {
            if alike.shape.table == request.table && alike.again == Again::Asked(request.address) {
                alike.again = if alike.own == Some(check) { Again::Same } else { Again::Another };
            }
        }
    }

    /// This was heard in the place of an answer to `request`, which is to come. Where one is owed that
    /// looks so, it is that one, and what was asked before it has been passed over; but a copy of what
    /// was said lately is none.
    pub fn answered_another(&mut self, heard: Frame, request: &Request, now: Duration) {
        let Frame { unit, shape: another, check } = heard;
        let unit = self.unit(unit);
        let said = Said { check: Some(check), ..Said::new(another, now) };
        let is_copied =
            |older: &Said| older.is_same(&said) && now.saturating_sub(older.at) <= MOST_PATIENCE;
        if !unit.said.iter().any(is_copied)
            && let Some(owed) = unit.owed.iter().position(|owed| owed.shape == another)
        {
            unit.pass(owed + 1, now);
        }
        unit.say(said);
        unit.owe_unbelieved(now);
        unit.owe(shape(request), now + LATEST);
    }

    /// A whole answer was heard to which there was no question. One that is owed came late, and
    /// says nothing new; by any other its unit is doubted from here on. Whether that is new. It was
    /// not on the line yet at `since`.
    pub fn overheard(&mut self, frame: Frame, since: Duration, now: Duration) -> bool {
        let Frame { unit, shape, check } = frame;
        let (timeout, unit) = (self.timeout, self.unit(unit));
        let newest = unit.said.iter().rfind(|said| said.shape == shape).copied();
        // to a question whose answer was not believed this may be it, however alike an older one
        let is_awaited = unit.unbelieved.is_some_and(|(unbelieved, _)| unbelieved.may_be(shape));
        let mut said = Said { check: Some(check), ..Said::new(shape, now) };
        let copied = unit.said.iter().find(|older| older.is_same(&said)).copied();
        if copied.is_none() {
            // no copy of what was heard: it is the answer itself
            let itself = unit.unbelieved.take_if(|(unbelieved, _)| *unbelieved == shape);
            said.address = itself.map(|(_, address)| address);
        }
        if unit.owes(shape) {
            unit.say(said);
            return false;
        }
        let is_new = !unit.was_unasked(now);
        if is_new {
            (unit.patience, unit.patient_since) = (unit.least_patience, now);
            unit.behind.clear();
        }
        unit.unasked_at = Some(now);
        // of what was not believed a copy is none of what that looked like
        let copied = copied.filter(|_| !is_awaited);
        let age = copied.map_or(Duration::ZERO, |older| since.saturating_sub(older.at));
        // copies of one answer come within its patience, however many there are
        if copied.is_none_or(|older| now.saturating_sub(older.at) > unit.patience) {
            unit.say(said);
        }
        let is_another = newest.and_then(|said| said.check).is_some_and(|newest| newest != check);
        if is_another && now.saturating_sub(unit.patient_since) > unit.patience {
            // what was said before that patience has been said again by now
            unit.wait_for_copies(unit.patience * 2, timeout, now);
        }
        if age > unit.patience && age <= MOST_PATIENCE {
            unit.wait_for_copies(age * 2, timeout, now);
        }
        is_new
    }

    /// Whether the answer of `unit` to `request` may be a copy of an older one, and is to be asked for
    /// again. `own` is the check sum that it has without the addresses behind the question's own, where
    /// it is that to a question.
    pub fn suspects(
        &mut self,
        heard: Frame,
        request: &Request,
        own: Option<u16>,
        now: Duration,
    ) -> bool {
        let Frame { unit, shape, check } = heard;
        let (unit, address) = (self.unit(unit), request.address);
        unit.alike.retain(|alike| now.saturating_sub(alike.at) <= TRUST);
        // of a doubted one nothing is taken in which a copy may come, unless that takes longer than any
        // did yet; what its registers hold is alike for long, and how it refuses always
        let is_doubted = unit.was_unasked(now);
        let reach = if is_doubted { MOST_PATIENCE } else { unit.least_patience };
        let may_be_copied = |said: &Said| {
            let is_others = said.address.is_none_or(|other| other != address);
            !is_doubted || (is_others && !shape.is_refusal())
        };
        let copied = unit.said.iter().find(|said| {
            let is_alike = said.shape == shape && said.check == Some(check);
            is_alike && now.saturating_sub(said.at) <= reach && may_be_copied(said)
        });
        let Some(copied) = copied else { return false };
        let other = copied.address.unwrap_or(address);
        let addresses = (address.min(other), address.max(other));
        let is_known = |alike: &Alike| (alike.shape, alike.addresses) == (shape, addresses);
        let is_asked = |alike: &Alike| matches!(alike.again, Again::Asked(_));
        // where nothing tells the two apart, there is no answer to be waited for
        let is_over = |alike: &Alike| !is_asked(alike) || now.saturating_sub(alike.at) > LATEST;
        let is_again = |alike: &Alike| is_known(alike) && is_asked(alike) && alike.check == check;
        let again = unit.alike.iter_mut().find(|alike| is_again(alike));
        let times = again.as_ref().map_or(0, |alike| alike.times);
        if let Some(alike) = again.filter(|_| is_doubted && times >= MOST_COPIES) {
            alike.again = Again::Asked(address);
            return false;
        }
        unit.alike.retain(|alike| is_over(alike) || !is_known(alike));
        let is_refusal = shape.is_refusal();
        let of_kind = unit.alike.iter().filter(|alike| alike.shape.is_refusal() == is_refusal);
        let is_like = |alike: &Alike| alike.again == Again::Same && is_known(alike);
        let is_trusted = of_kind.count() >= MOST_ALIKE || unit.alike.iter().any(is_like);
        if is_trusted {
            return false;
        }
        let (again, times) = (Again::Asked(address), times.saturating_add(1));
        unit.alike.push(Alike { shape, addresses, check, own, at: now, again, times });
        true
    }

    /// The answer to `request` comes within the time-out, if it does.
    fn awaits(&mut self, unit: u8, request: &Request, now: Duration) {
        let at = now + self.timeout;
        self.unit(unit).say(Said::new(shape(request), at));
    }

    fn unit(&mut self, unit: u8) -> &mut Unit {
        let least_patience = self.timeout.max(LEAST_PATIENCE);
        self.units.entry(unit).or_insert_with(|| Unit {
            owed: Vec::new(),
            said: Vec::new(),
            unasked_at: None,
            alike: Vec::new(),
            unbelieved: None,
            least_patience,
            patience: least_patience,
            patient_since: Duration::ZERO,
            behind: BTreeMap::new(),
            silences: BTreeMap::new(),
        })
    }
}

impl Said {
    /// Said, or to be said; nothing more is known of it.
    const fn new(shape: Shape, at: Duration) -> Self {
        Self { shape, at, address: None, check: None }
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.shape, self.check) == (other.shape, other.check)
    }
}

impl Unit {
    fn is_doubted(&self, now: Duration) -> bool {
        let is_suspected = |last: &Alike| now.saturating_sub(last.at) <= 2 * self.patience(now);
        self.was_unasked(now) || self.alike.last().is_some_and(is_suspected)
    }

    fn was_unasked(&self, now: Duration) -> bool {
        self.unasked_at.is_some_and(|last| now.saturating_sub(last) <= DOUBT)
    }

    /// Whether it owes what looks so; any answer may turn out to be a refusal.
    fn owes(&self, shape: Shape) -> bool {
        self.owed.iter().any(|owed| owed.shape.may_be(shape))
    }

    /// Whether it owes what looks so, or may.
    fn may_owe(&self, shape: Shape) -> bool {
        self.owes(shape) || self.unbelieved.is_some_and(|(unbelieved, _)| unbelieved.may_be(shape))
    }

    /// How long a copy of that length may still come.
    fn wait_for(&self, shape: Shape, now: Duration) -> Duration {
        self.wait(|said| said == shape, now)
    }

    /// How long a copy may still come that looks so.
    fn wait(&self, is_alike: impl Fn(Shape) -> bool, now: Duration) -> Duration {
        let alike = self.said.iter().filter(|said| is_alike(said.shape) && self.is_doubted(now));
        let last = alike.map(|said| said.at).max();
        last.map_or(Duration::ZERO, |at| (at + self.patience(now)).saturating_sub(now))
    }

    /// For so long a copy of what it says may come.
    fn patience(&self, now: Duration) -> Duration {
        if self.was_unasked(now) { self.patience } else { self.least_patience }
    }

    /// What it gives behind its registers, as far as that was found out lately.
    fn behind_of(&self, table: Table, now: Duration) -> Behind {
        let known = self.behind.get(&table).filter(|behind| now <= behind.at + DOUBT);
        known.copied().unwrap_or(Behind { more: LONGER, silences: 0, at: now })
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

    /// It answers in the order in which it was asked: what is owed of other tables before the first of
    /// this one comes no more.
    fn pass_until(&mut self, table: Table, now: Duration) {
        let first = self.owed.iter().position(|owed| owed.shape.table == table);
        self.pass(first.unwrap_or(self.owed.len()), now);
    }

    /// So many of those owed come no more, but for copies.
    fn pass(&mut self, oldest: usize, now: Duration) {
        for owed in self.owed.drain(..oldest).collect::<Vec<_>>() {
            self.say(Said::new(owed.shape, now));
        }
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
        let Some((shape, _)) = self.unbelieved.take() else { return };
        self.owe(shape, now + LATEST);
    }

    /// A copy took so long, or may.
    fn wait_for_copies(&mut self, patience: Duration, timeout: Duration, now: Duration) {
        self.patience = patience.min(MOST_PATIENCE.max(timeout));
        self.patient_since = now;
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
mod tests;
