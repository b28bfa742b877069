//! Whom to tell that an alarm is over.

use model::{alarm::Occasion, contact::Contact, time::Timestamp};

use super::{
    Effect, Escalation, People,
    state::{Person, Phase},
};

impl Escalation {
    /// The alarm is over: whoever was told, or may have been, is told so. Where a rung had been due
    /// and nobody was, the first one is: what came and went while nothing could be sent, or written,
    /// must not be known to nobody.
    pub(super) fn end(&mut self, people: People<'_>, now: Timestamp, effects: &mut Vec<Effect>) {
        let is_told = |person: &Person| person.reached_by.is_some() || person.doubted_by.is_some();
        let is_untold = self.state.phase == Phase::Open
            && self.state.told > 0
            && !self.state.people.iter().any(is_told);
        self.state.phase = Phase::Over;
        self.recall(effects);
        for place in 0..self.state.people.len() {
            self.say_over(place, people, effects);
        }
        if is_untold {
            self.say_over_to_the_first(people, now, effects);
        }
    }

    /// Tells whoever was told that the alarm is over, by the way that reached him.
    pub(super) fn say_over(&mut self, place: usize, people: People<'_>, effects: &mut Vec<Effect>) {
        let Some(person) = self.state.people.get(place) else { return };
        let way = person.reached_by.or(person.doubted_by);
        let (Some(way), Some(contact)) = (way, people.contacts.get(&person.contact)) else {
            return;
        };
        if person.occasion == Occasion::Over {
            return;
        }
        let owed = self
            .message(contact, Occasion::Over, 0, way)
            .or_else(|| self.message(contact, Occasion::Over, 0, 0));
        let Some(owed) = owed else { return };
        if let Some(person) = self.state.people.get_mut(place) {
            (person.last, person.occasion) = (owed.id, Occasion::Over);
            (person.round, person.way) = (0, way);
        }
        self.note(owed.id, place, way);
        effects.push(Effect::Owe(owed));
    }

    /// Tells whom the first rung tells now; where the registry has none of them, whoever was to be
    /// told.
    fn say_over_to_the_first(
        &mut self,
        people: People<'_>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        let first = self.state.steps.first().map(|step| step.who(people, now)).unwrap_or_default();
        let mut known: Vec<&Contact> =
            first.iter().filter_map(|contact| people.contacts.get(contact)).collect();
        if known.is_empty() {
            let all = self.state.people.iter();
            known = all.filter_map(|person| people.contacts.get(&person.contact)).collect();
        }
        for contact in known {
            let Some(owed) = self.message(contact, Occasion::Over, 0, 0) else { continue };
            let id = owed.id;
            let person = Person {
                contact: contact.id.clone(),
                told_at: now,
                last: id,
                occasion: Occasion::Over,
                round: 0,
                way: 0,
                is_lost: false,
                reached_by: None,
                doubted_by: None,
            };
            let place = self.keep(person);
            self.note(id, place, 0);
            effects.push(Effect::Owe(owed));
        }
    }
}
