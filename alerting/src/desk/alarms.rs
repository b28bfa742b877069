//! Alarms and their ladders: what is told to them, and what they ask for.

use model::{
    alarm::{AlarmEvent as What, AlarmState},
    ids::{AlarmId, NotificationId},
    time::Timestamp,
};
use store::{AlarmChanged, Body, By, EscalationNote};

use super::{Condition, Desk, KeptAlarm, Sleeper};
use crate::{
    alarm::{AcknowledgeError, Alarm, Effect, Event, Transition},
    escalation::{self, Escalation, People},
    facts::Facts,
};

impl Desk {
    pub(super) fn keep_alarm(&mut self, machine: Alarm, facts: Facts) {
        let id = machine.id();
        self.alarms.insert(id, KeptAlarm { machine, facts });
        self.note_place(id);
    }

    /// Which of its condition's alarms it is.
    fn note_place(&mut self, id: AlarmId) {
        let Some(alarm) = self.alarms.get(&id) else { return };
        let about = alarm.machine.about();
        let condition = Condition { rule: about.rule.clone(), subject: about.subject.clone() };
        let state = alarm.machine.state();
        let places = [
            (&mut self.active, is_active(state)),
            (&mut self.cleared, state == AlarmState::ClearedUnacknowledged),
        ];
        for (place, is_there) in places {
            if is_there {
                place.insert(condition.clone(), id);
            } else if place.get(&condition) == Some(&id) {
                place.remove(&condition);
            }
        }
    }

    pub(super) fn tell_alarm(&mut self, id: AlarmId, event: Event, now: Timestamp) {
        let Some(alarm) = self.alarms.get_mut(&id) else { return };
        let effects = alarm.machine.step(event, now);
        self.take_alarm(id, effects, now);
    }

    /// A person takes an alarm on, having seen it at version `seen`. What is history is not here.
    pub fn acknowledge(
        &mut self,
        id: AlarmId,
        (by, seen): (&By, u32),
        now: Timestamp,
    ) -> Result<(), AcknowledgeError> {
        let Some(alarm) = self.alarms.get_mut(&id) else { return Err(AcknowledgeError::Over) };
        let effects = alarm.machine.acknowledge(by, seen, now)?;
        self.take_alarm(id, effects, now);
        Ok(())
    }

    pub(super) fn take_alarm(&mut self, id: AlarmId, effects: Vec<Effect>, now: Timestamp) {
        self.note_place(id);
        self.dirty.alarms.insert(id);
        for effect in effects {
            match effect {
                Effect::Record(transition) => self.record(id, &transition),
                Effect::Open => self.open_ladder(id, now),
                Effect::Taken => self.tell_ladder(id, escalation::Event::Acknowledged, now),
                Effect::Close => self.tell_ladder(id, escalation::Event::Over, now),
            }
        }
    }

    /// What a person may ask about is journalled: not what began and ended before anybody was
    /// told.
    fn record(&mut self, id: AlarmId, transition: &Transition) {
        let Some(alarm) = self.alarms.get(&id) else { return };
        let was_raised = alarm.machine.timeline().iter().any(|known| known.what == What::Raised);
        if !was_raised {
            if alarm.machine.state() == AlarmState::Normal {
                self.dirty.dropped.insert(id);
            }
            return;
        }
        let about = alarm.machine.about();
        self.dirty.bodies.push(Body::AlarmChanged(AlarmChanged {
            what: transition.what,
            alarm: id,
            rule: about.rule.clone(),
            subject: about.subject.clone(),
            severity: about.severity,
            drill: about.is_drill,
            version: transition.version,
            state: alarm.machine.state(),
            event_at: transition.event_at,
            detected_at: transition.detected_at,
            acknowledged_by: transition.by.clone(),
        }));
    }

    fn open_ladder(&mut self, id: AlarmId, now: Timestamp) {
        let Some(alarm) = self.alarms.get(&id) else { return };
        let registry = self.registry();
        let rule = registry.alarm_rules.get(&alarm.machine.about().rule);
        let ladder = rule
            .and_then(|rule| rule.ladder.as_ref())
            .and_then(|ladder| registry.ladders.get(ladder));
        // without one it only stands on the pages
        let Some(ladder) = ladder else { return };
        let (machine, effects) = Escalation::open(id, ladder, People::from(&*registry), now);
        self.keep_ladder(id, machine);
        self.take_ladder(id, effects, now);
    }

    pub(super) fn keep_ladder(&mut self, id: AlarmId, machine: Escalation) {
        self.sleepers.set(&Sleeper::Ladder(id), machine.deadline());
        self.ladders.insert(id, machine);
    }

    pub(super) fn wake_ladder(&mut self, id: AlarmId, now: Timestamp) {
        self.tell_ladder(id, escalation::Event::Tick, now);
    }

    pub(super) fn tell_ladder(&mut self, id: AlarmId, event: escalation::Event, now: Timestamp) {
        let registry = self.registry();
        let Some(ladder) = self.ladders.get_mut(&id) else { return };
        let effects = ladder.step(event, People::from(&*registry), now);
        self.take_ladder(id, effects, now);
    }

    fn take_ladder(&mut self, id: AlarmId, effects: Vec<escalation::Effect>, now: Timestamp) {
        use escalation::Effect;
        self.dirty.ladders.insert(id);
        let deadline = self.ladders.get(&id).and_then(Escalation::deadline);
        self.sleepers.set(&Sleeper::Ladder(id), deadline);
        for effect in effects {
            match effect {
                Effect::Owe(owed) => self.owe(&owed, now),
                Effect::Recall(message) => self.recall(message, now),
                Effect::LadderEnded => self.note(id, EscalationNote::LadderEnded),
                Effect::RemindersEnded => self.note(id, EscalationNote::RemindersEnded),
                Effect::NobodyReached => self.note(id, EscalationNote::NobodyReached),
            }
        }
    }

    fn note(&mut self, alarm: AlarmId, what: EscalationNote) {
        self.dirty.bodies.push(Body::EscalationNoted { what, alarm });
    }

    /// Whether something may still follow of a ladder: its alarm is not over, or a message of it
    /// is on its way.
    pub(super) fn is_ladder_open(&self, id: AlarmId) -> bool {
        let is_on_its_way = |message: &NotificationId| {
            self.messages.get(message).is_some_and(|kept| kept.row.is_open)
        };
        let is_over = self.ladders.get(&id).is_none_or(Escalation::is_over);
        !is_over
            || self.of_alarm.get(&id).is_some_and(|messages| messages.iter().any(is_on_its_way))
    }
}

/// Whether its condition holds.
const fn is_active(state: AlarmState) -> bool {
    match state {
        AlarmState::Pending | AlarmState::Unacknowledged | AlarmState::Acknowledged => true,
        AlarmState::ClearedUnacknowledged
        | AlarmState::Normal
        | AlarmState::Shelved
        | AlarmState::Suppressed
        | AlarmState::OutOfService => false,
    }
}
