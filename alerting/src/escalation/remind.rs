//! Whom to remind where the ladder has ended and nobody has taken the alarm on.

use model::{
    alarm::Occasion,
    ids::{ContactId, NotificationId},
    time::Timestamp,
};

use super::{
    Effect, Escalation, People, QUIET_MS, REMINDER_MS, REMINDERS,
    state::{Message, Person, Phase},
};

impl Escalation {
    /// Reminds the last rung, or everybody where none of it can be reached. Where all of them were
    /// told just now, it waits for the end of their quiet time.
    pub(super) fn remind(&mut self, people: People<'_>, now: Timestamp, effects: &mut Vec<Effect>) {
        if self.state.remind_at.is_none_or(|remind_at| now < remind_at) {
            return;
        }
        let told = self.whom_to_remind(people, now);
        let quiet_until = |contact: &ContactId| {
            let known = self.state.people.iter().find(|person| person.contact == *contact);
            known.map(|person| person.told_at.plus_ms(QUIET_MS)).filter(|until| now < *until)
        };
        let quiet: Vec<Option<Timestamp>> = told.iter().map(quiet_until).collect();
        let waits = quiet.iter().copied().min().flatten();
        if self.state.reminders < REMINDERS && waits.is_some() {
            self.state.remind_at = waits;
            return;
        }
        if !self.state.is_end_said {
            self.state.is_end_said = true;
            effects.push(Effect::LadderEnded);
        }
        if self.state.reminders == REMINDERS {
            self.state.remind_at = None;
            effects.push(Effect::RemindersEnded);
            return;
        }
        self.state.rounds = self.state.rounds.saturating_add(1);
        self.state.is_heard = false;
        self.state.remind_at = Some(now.plus_ms(REMINDER_MS));
        self.state.rests_on.clear();
        for (contact, _) in told.iter().zip(quiet).filter(|(_, quiet)| quiet.is_none()) {
            if let Some(place) = self.place_of_whom_is_tried(contact) {
                self.state.rests_on.push(place);
            } else if let Some((place, owed)) = self.owe(contact, Occasion::Reminder, people, now) {
                self.state.rests_on.push(place);
                effects.push(owed);
            }
        }
    }

    /// Reminds whoever was left out when it was due, since this message was tried still, which has
    /// come to nothing. Else a server that was away for longer than a message lives would wait for
    /// another period before it tells anybody.
    pub(super) fn remind_instead(
        &mut self,
        gone: NotificationId,
        people: People<'_>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let is_between = self.state.remind_at.is_some_and(|remind_at| now < remind_at);
        if self.state.phase != Phase::Open || !self.state.is_end_said || !is_between {
            return;
        }
        let was_left_out = |person: &&Person| {
            let is_quiet = now < person.told_at.plus_ms(QUIET_MS);
            person.last == gone && person.round < self.state.rounds && !is_quiet
        };
        let mut waiting =
            self.state.rests_on.iter().filter_map(|place| self.state.people.get(*place));
        let contact = waiting.find(was_left_out).map(|person| person.contact.clone());
        let owed = contact.and_then(|who| self.owe(&who, Occasion::Reminder, people, now));
        effects.extend(owed.map(|(_, owed)| owed));
    }

    /// Somebody whose latest message no channel has taken, and that is tried still.
    fn place_of_whom_is_tried(&self, contact: &ContactId) -> Option<usize> {
        let place = self.state.people.iter().position(|person| person.contact == *contact)?;
        let last = self.state.people.get(place)?.last;
        let is_tried = |message: &Message| message.id == last && !message.is_taken;
        self.state.messages.iter().any(is_tried).then_some(place)
    }

    fn whom_to_remind(&self, people: People<'_>, now: Timestamp) -> Vec<ContactId> {
        let last = self.state.steps.last().map(|step| step.who(people, now)).unwrap_or_default();
        let is_lost = |contact: &ContactId| {
            let known = self.state.people.iter().find(|person| person.contact == *contact);
            known.is_some_and(|person| person.is_lost) || !people.contacts.contains_key(contact)
        };
        if last.iter().all(is_lost) {
            self.state.people.iter().map(|person| person.contact.clone()).collect()
        } else {
            last
        }
    }
}
