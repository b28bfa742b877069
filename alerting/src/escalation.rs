//! Whom to tell of one alarm next, until somebody takes it on.
//!
//! Each rung of the ladder is due so long after the alarm was raised. It tells its contact, or who
//! is on duty then; nobody is told twice, unless a later rung names the contact itself, and then
//! not within [`QUIET_MS`] of the time before. A rung rests on those whom it told, and on those
//! whom it would have told but for that. When none of them can be reached (each way of each was
//! tried for good), or there are none, the next rung does not wait for its time. So somebody is
//! always being told while there is somebody left.
//!
//! When the ladder has ended and nobody has taken the alarm on, that is said after
//! [`REMINDER_MS`], and its last rung is told again then and every [`REMINDER_MS`] after,
//! [`REMINDERS`] times (a night); where none of it can be reached, all who were told. That the
//! reminders have ended is said, too, and so is that nobody can be reached. A reminder that no
//! channel took was given to nobody and counts for none: while gateways are dead, they go on. Whose
//! latest message is tried still is not owed another one, so that a gateway that comes back after a
//! night has one message for each person and not a night's; where that one comes to nothing after
//! all, he is reminded then, unless he may have been told within [`QUIET_MS`].
//!
//! An acknowledgement ends all of this, and so does the alarm's end. Messages that no channel has
//! taken are recalled. When the alarm is over, whoever a channel took a message for is told so,
//! once, and nobody else; so is whoever may have been told, where a channel was given a message and
//! no answer came. Of an alarm that nobody was told of before it was over, the first rung is told
//! that: once, and no further rung.
//!
//! The ladder is that of the moment when the alarm was raised; contacts and rotas are those of the
//! moment of telling. What grows is bounded by the ladder: a message for each way of each person
//! on it, and as many reminders as there are; of those that no channel takes, one at a time.

mod end;
mod event;
mod remind;
mod state;
#[cfg(test)]
mod tests;

use model::{
    alarm::{Occasion, notification_id},
    contact::Contact,
    ids::{AlarmId, ContactId, NotificationId},
    ladder::Ladder,
    time::Timestamp,
};

pub use self::event::{Effect, Event, Owed, People};
use self::state::{Message, Person, Phase, State, Step};
use crate::snapshot::{self, RestoreError};

/// How long nobody is told of one alarm again.
pub const QUIET_MS: i64 = 600_000;
/// How long after its last rung a ladder has ended, and from one reminder to the next.
pub const REMINDER_MS: i64 = 1_800_000;
/// How often the last rung is reminded; what no channel takes counts for nothing.
pub const REMINDERS: u32 = 16;

/// The machine of one alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    state: State,
}

const MACHINE: &str = "escalation";

impl Escalation {
    /// An alarm that is raised now.
    pub fn open(
        alarm: AlarmId,
        ladder: &Ladder,
        people: People<'_>,
        now: Timestamp,
    ) -> (Self, Vec<Effect>) {
        let state = State {
            alarm,
            raised_at: now,
            phase: Phase::Open,
            steps: ladder.rungs.iter().map(Step::of).collect(),
            told: 0,
            rests_on: Vec::new(),
            rounds: 0,
            reminders: 0,
            is_heard: false,
            is_end_said: false,
            remind_at: None,
            is_nobody_said: false,
            people: Vec::new(),
            messages: Vec::new(),
        };
        let mut machine = Self { state };
        let effects = machine.step(Event::Tick, people, now);
        (machine, effects)
    }

    /// Its state, to be stored together with the messages that are owed.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// The machine as it was. What fell due meanwhile is due at the next [`Event::Tick`].
    pub fn restore(text: &str) -> Result<Self, RestoreError> {
        Ok(Self { state: snapshot::read(MACHINE, text)? })
    }

    /// Whether the alarm is over: then nothing follows but of messages that are still on their way.
    pub const fn is_over(&self) -> bool {
        matches!(self.state.phase, Phase::Over)
    }

    /// Since when an alarm that nobody has taken on has stood without any channel having taken a
    /// message of it; none where one has.
    pub fn unheard_since(&self) -> Option<Timestamp> {
        let is_told = self.state.people.iter().any(|person| person.reached_by.is_some());
        (self.state.phase == Phase::Open && !is_told).then_some(self.state.raised_at)
    }

    /// The server's clock was set back: whoever is to be told is told as soon as he would have been.
    pub fn set_back(&mut self, by_ms: i64) {
        let earlier = |at: Timestamp| at.plus_ms(-by_ms);
        self.state.raised_at = earlier(self.state.raised_at);
        self.state.remind_at = self.state.remind_at.map(earlier);
        for person in &mut self.state.people {
            person.told_at = earlier(person.told_at);
        }
    }

    /// When it wants a [`Event::Tick`].
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state.phase {
            Phase::Open => self.next_due().or(self.state.remind_at),
            Phase::Taken | Phase::Over => None,
        }
    }

    /// What follows from an event, with the people of the registry in force.
    pub fn step(&mut self, event: Event, people: People<'_>, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Tick => {}
            Event::Acknowledged if self.state.phase == Phase::Open => {
                self.state.phase = Phase::Taken;
                self.recall(&mut effects);
            }
            Event::Over if self.state.phase != Phase::Over => {
                self.end(people, now, &mut effects);
            }
            Event::Acknowledged | Event::Over => {}
            Event::Sent(id) => self.reach(id, people, &mut effects),
            Event::Arrived(id) => {
                self.reach(id, people, &mut effects);
                self.let_go(id);
            }
            Event::Gone(id) => {
                self.let_go(id);
                self.remind_instead(id, people, now, &mut effects);
            }
            Event::Doubted { message, tried_at } => {
                self.doubt(message, tried_at, people, &mut effects);
            }
            Event::Unreached(id) => {
                if let Some(lost) = self.pass_on(id, people, now, &mut effects) {
                    lost.is_lost = true;
                }
            }
            // whoever has no other way is waited for: he is not lost
            Event::Delayed(id) => {
                self.pass_on(id, people, now, &mut effects);
            }
        }
        if self.state.phase == Phase::Open {
            self.climb(people, now, &mut effects);
            self.remind(people, now, &mut effects);
        }
        effects
    }

    /// When the next rung is due by its time.
    fn next_due(&self) -> Option<Timestamp> {
        let next = self.state.steps.get(self.state.told)?;
        Some(self.state.raised_at.plus_ms(next.after_ms()))
    }

    /// Tells rung after rung, as far as they are due or the one before rests on nobody.
    fn climb(&mut self, people: People<'_>, now: Timestamp, effects: &mut Vec<Effect>) {
        while let Some(due_at) = self.next_due() {
            let rests = self.state.rests_on.iter().any(|place| self.is_reachable(*place));
            // before the first rung nobody is waited for but the clock
            if now < due_at && (rests || self.state.told == 0) {
                return;
            }
            if let Some(step) = self.state.steps.get(self.state.told).cloned() {
                self.state.told += 1;
                self.tell(&step, people, now, effects);
            }
            if self.next_due().is_none() {
                self.state.remind_at = Some(now.plus_ms(REMINDER_MS));
            }
        }
        let is_nobody = self.next_due().is_none()
            && (0..self.state.people.len()).all(|place| !self.is_reachable(place));
        if is_nobody && !self.state.is_nobody_said {
            effects.push(Effect::NobodyReached);
        }
        self.state.is_nobody_said = is_nobody;
    }

    fn tell(&mut self, step: &Step, people: People<'_>, now: Timestamp, effects: &mut Vec<Effect>) {
        self.state.rounds += 1;
        self.state.rests_on.clear();
        let is_named = matches!(step, Step::Contact { .. });
        for contact in step.who(people, now) {
            let known = self.state.people.iter().position(|person| person.contact == contact);
            let told_at =
                known.and_then(|place| self.state.people.get(place)).map(|person| person.told_at);
            let is_quiet = told_at.is_some_and(|told_at| now < told_at.plus_ms(QUIET_MS));
            let occasion = if told_at.is_some() { Occasion::Reminder } else { Occasion::Raised };
            match known {
                Some(place) if is_quiet => self.state.rests_on.push(place),
                Some(_) if !is_named => {}
                Some(_) | None => {
                    if let Some((place, owed)) = self.owe(&contact, occasion, people, now) {
                        self.state.rests_on.push(place);
                        effects.push(owed);
                    }
                }
            }
        }
    }

    /// Owes somebody a message by his first way; the place of whoever can be told.
    fn owe(
        &mut self,
        contact: &ContactId,
        occasion: Occasion,
        people: People<'_>,
        now: Timestamp,
    ) -> Option<(usize, Effect)> {
        let known = people.contacts.get(contact)?;
        let owed = self.message(known, occasion, self.state.rounds, 0)?;
        let id = owed.id;
        let place = self.state.people.iter().position(|person| person.contact == *contact);
        let place = place.unwrap_or(self.state.people.len());
        let person = Person {
            contact: contact.clone(),
            told_at: now,
            last: id,
            occasion,
            round: self.state.rounds,
            way: 0,
            is_lost: false,
            reached_by: self.state.people.get(place).and_then(|known| known.reached_by),
            doubted_by: self.state.people.get(place).and_then(|known| known.doubted_by),
        };
        let place = self.keep(person);
        self.note(id, place, 0);
        Some((place, Effect::Owe(owed)))
    }

    /// Keeps somebody in the place that he has, or in a further one.
    fn keep(&mut self, person: Person) -> usize {
        let known = self.state.people.iter().position(|known| known.contact == person.contact);
        let place = known.unwrap_or(self.state.people.len());
        match self.state.people.get_mut(place) {
            Some(known) => *known = person,
            None => self.state.people.push(person),
        }
        place
    }

    fn message(&self, contact: &Contact, occasion: Occasion, round: u32, way: u8) -> Option<Owed> {
        let reach = contact.reach.get(usize::from(way))?;
        let alarm = self.state.alarm;
        let word = format!("{} {round}", occasion.word());
        Some(Owed {
            id: notification_id(alarm, &word, &contact.id, way),
            alarm,
            occasion,
            contact: contact.id.clone(),
            locale: contact.locale,
            channel: reach.channel.clone(),
            way,
            to: reach.to.clone(),
        })
    }

    fn is_reachable(&self, place: usize) -> bool {
        self.state.people.get(place).is_some_and(|person| !person.is_lost)
    }

    fn note(&mut self, id: NotificationId, person: usize, way: u8) {
        self.state.messages.push(Message { id, person, way, is_taken: false });
    }

    fn let_go(&mut self, id: NotificationId) {
        self.state.messages.retain(|message| message.id != id);
    }

    fn recall(&self, effects: &mut Vec<Effect>) {
        let untaken = self.state.messages.iter().filter(|message| !message.is_taken);
        effects.extend(untaken.map(|message| Effect::Recall(message.id)));
    }

    /// Whom a message is for, by which of his ways. The newest one of a person is known also when
    /// it had come to nothing.
    fn addressee(&self, id: NotificationId) -> Option<(usize, u8)> {
        let known = self.state.messages.iter().find(|message| message.id == id);
        let of_known = known.map(|message| (message.person, message.way));
        of_known.or_else(|| {
            let place = self.state.people.iter().position(|person| person.last == id)?;
            self.state.people.get(place).map(|person| (place, person.way))
        })
    }

    /// A channel took a message, or it arrived: whom it is for was told.
    fn reach(&mut self, id: NotificationId, people: People<'_>, effects: &mut Vec<Effect>) {
        let Some((place, way)) = self.addressee(id) else { return };
        for message in self.state.messages.iter_mut().filter(|message| message.id == id) {
            message.is_taken = true;
        }
        let Some(person) = self.state.people.get_mut(place) else { return };
        person.reached_by = Some(way);
        if person.occasion != Occasion::Over {
            // tried in vain before, and taken after all
            person.is_lost = false;
        }
        match self.state.phase {
            Phase::Open if self.state.is_end_said && !self.state.is_heard => {
                self.state.is_heard = true;
                self.state.reminders = self.state.reminders.saturating_add(1);
            }
            Phase::Open | Phase::Taken => {}
            Phase::Over => self.say_over(place, people, effects),
        }
    }

    /// A message may have been taken when it was tried: whom it is for counts as told, for the end
    /// of the alarm and for his quiet time.
    fn doubt(
        &mut self,
        id: NotificationId,
        tried_at: Timestamp,
        people: People<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let Some((place, way)) = self.addressee(id) else { return };
        let Some(person) = self.state.people.get_mut(place) else { return };
        person.doubted_by.get_or_insert(way);
        person.told_at = person.told_at.max(tried_at);
        if self.state.phase == Phase::Over {
            self.say_over(place, people, effects);
        }
    }

    /// A message may not arrive: the person's next way, if it was his newest one. Gives the person
    /// where there is none.
    fn pass_on(
        &mut self,
        id: NotificationId,
        people: People<'_>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Option<&mut Person> {
        let place = self.state.people.iter().position(|person| person.last == id)?;
        let person = self.state.people.get(place)?;
        let is_wanted = self.state.phase == Phase::Open || person.occasion == Occasion::Over;
        if !is_wanted {
            return None;
        }
        let way = person.way.saturating_add(1);
        let owed = people
            .contacts
            .get(&person.contact)
            .and_then(|contact| self.message(contact, person.occasion, person.round, way));
        let Some(owed) = owed else { return self.state.people.get_mut(place) };
        if let Some(person) = self.state.people.get_mut(place) {
            (person.last, person.way, person.told_at) = (owed.id, way, now);
        }
        self.note(owed.id, place, way);
        effects.push(Effect::Owe(owed));
        None
    }
}
