//! What is to be written of the desk, and what is to be sent once it is.

use std::fmt;

use model::{
    alarm::{AlarmEvent as What, AlarmState, Subject},
    contact::Personal,
    ids::{AlarmId, ChannelId, NotificationId},
};
use store::{AlarmRow, Body, ConditionRow, EscalationRow, NotificationRow};

use super::{Condition, Desk, KeptAlarm, Machine};

/// What is other than it was written last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Conditions, and how far sections were told.
    pub conditions: Vec<ConditionRow>,
    /// Conditions that are watched no longer.
    pub forgotten: Vec<ConditionRow>,
    /// Alarms.
    pub alarms: Vec<AlarmRow>,
    /// Alarms that ended before they were raised.
    pub dropped: Vec<AlarmId>,
    /// Ladders.
    pub escalations: Vec<EscalationRow>,
    /// Messages.
    pub notifications: Vec<NotificationRow>,
    /// What is to be journalled, in this order.
    pub bodies: Vec<Body>,
    /// What is to be handed over once all this is written.
    pub attempts: Vec<Attempt>,
    /// Receipts that said nothing.
    pub strays: u64,
    /// Alarms that were raised and come and go.
    pub chattering: u64,
}

/// A message to be handed over.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Which.
    pub id: NotificationId,
    /// Which attempt it is, from 1.
    pub number: u32,
    /// By which channel.
    pub channel: ChannelId,
    /// To whom there; none where the registry has no such address any longer.
    pub to: Option<Personal>,
    /// What it says, link included.
    pub text: String,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} of message {} by {}", self.number, self.id, self.channel)
    }
}

impl Desk {
    /// Whether something happened that must be written before anything else does. What conditions
    /// remember of readings alone is not: it can be made anew from the feed.
    pub fn is_urgent(&self) -> bool {
        let dirty = &self.dirty;
        !(dirty.alarms.is_empty()
            && dirty.ladders.is_empty()
            && dirty.messages.is_empty()
            && dirty.bodies.is_empty()
            && dirty.forgotten.is_empty())
    }

    /// What is to be written. What has become history is let go.
    pub fn changes(&mut self) -> Changes {
        let dirty = std::mem::take(&mut self.dirty);
        let is_dropped = |id: &AlarmId| dirty.dropped.contains(id);
        let of_sections = dirty.sections.iter().filter_map(|key| {
            let (station, section) = (key.station.clone(), key.section.clone());
            let state = self.sections.get(key)?.snapshot();
            Some(ConditionRow { rule: None, subject: Subject::Section { station, section }, state })
        });
        let of_conditions = dirty.conditions.iter().filter_map(|condition| {
            let state = match self.conditions.get(condition)? {
                Machine::Below(machine) => machine.snapshot(),
                Machine::Silent(machine) => machine.snapshot(),
                Machine::Flat(machine) => machine.snapshot(),
            };
            Some(condition_row(condition, state))
        });
        let alarms = dirty.alarms.iter().filter(|id| !is_dropped(id));
        let ladder = |id: &AlarmId| {
            let state = self.ladders.get(id)?.snapshot();
            Some(EscalationRow { alarm: *id, is_open: self.is_ladder_open(*id), state })
        };
        let message = |id: &NotificationId| {
            let kept = self.messages.get(id)?;
            Some(NotificationRow { bytes: kept.machine.snapshot(), ..kept.row.clone() })
        };
        let forgotten = dirty.forgotten.iter();
        let changes = Changes {
            conditions: of_sections.chain(of_conditions).collect(),
            forgotten: forgotten.map(|gone| condition_row(gone, String::new())).collect(),
            alarms: alarms.filter_map(|id| self.alarms.get(id).map(alarm_row)).collect(),
            dropped: dirty.dropped.iter().copied().collect(),
            escalations: dirty.ladders.iter().filter_map(ladder).collect(),
            notifications: dirty.messages.iter().filter_map(message).collect(),
            bodies: dirty.bodies,
            attempts: dirty.attempts,
            strays: dirty.strays,
            chattering: dirty.chattering,
        };
        self.let_go(&changes);
        changes
    }

    /// Lets go of what has become history.
    fn let_go(&mut self, changes: &Changes) {
        for row in changes.notifications.iter().filter(|row| !row.is_open) {
            self.messages.remove(&row.id);
            self.sendings.set(&row.id, None);
            if let Some(messages) = self.of_alarm.get_mut(&row.alarm) {
                messages.remove(&row.id);
                if messages.is_empty() {
                    self.of_alarm.remove(&row.alarm);
                }
            }
        }
        for row in changes.escalations.iter().filter(|row| !row.is_open) {
            self.ladders.remove(&row.alarm);
        }
        let of_ladders = changes.escalations.iter().map(|row| row.alarm);
        let touched = changes.alarms.iter().map(|row| row.id).chain(of_ladders);
        let touched: Vec<AlarmId> = touched.chain(changes.dropped.iter().copied()).collect();
        for id in touched {
            let is_history = |kept: &KeptAlarm| kept.machine.state() == AlarmState::Normal;
            // what is still to be told of it says when it was and how it ended
            if self.alarms.get(&id).is_some_and(is_history) && !self.ladders.contains_key(&id) {
                self.alarms.remove(&id);
            }
        }
    }
}

fn condition_row(condition: &Condition, state: String) -> ConditionRow {
    let Condition { rule, subject } = condition.clone();
    ConditionRow { rule: Some(rule), subject, state }
}

fn alarm_row(kept: &KeptAlarm) -> AlarmRow {
    let KeptAlarm { machine, facts } = kept;
    let about = machine.about();
    let step = |wanted: What| machine.timeline().iter().find(|known| known.what == wanted);
    let acknowledged = step(What::Acknowledged);
    let ended = step(What::Cleared).or_else(|| step(What::Withdrawn));
    AlarmRow {
        id: machine.id(),
        rule: about.rule.clone(),
        subject: about.subject.clone(),
        severity: about.severity,
        is_drill: about.is_drill,
        state: machine.state(),
        version: machine.version(),
        began_at: machine.began_at(),
        raised_at: step(What::Raised).map(|known| known.detected_at),
        acknowledged_at: acknowledged.map(|known| known.event_at),
        acknowledged_by: acknowledged.and_then(|known| known.by.clone()),
        cleared_at: ended.map(|known| known.event_at),
        facts: facts.snapshot(),
        bytes: machine.snapshot(),
    }
}
