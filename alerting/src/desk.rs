//! All machines together: what is told to one of them goes on from there to the others.
//!
//! A condition that holds makes an alarm, an alarm opens a ladder, a ladder owes messages, and a
//! message that does not arrive goes back to its ladder. The desk holds every machine that is not
//! history, wakes those whose deadline has come, and says what is to be written of all that
//! ([`Changes`]) and which messages are to be handed over then. It stands on the registry in force
//! and is told `now`; of the world outside it asks nothing but random tokens.
//!
//! Its size is bounded by the registry: a machine for each condition, at most two alarms of it, a
//! ladder for each of these, and the messages of those ladders.

mod alarms;
mod changes;
mod conditions;
mod gauges;
mod messages;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use model::{
    alarm::{AlarmState, LinkToken, NotificationState},
    deadlines::Deadlines,
    ids::{AlarmId, ChannelId, GaugeId, NotificationId, SectionKey},
    registry::Registry,
    time::Timestamp,
};
use store::{Alarming, Body, NotificationRow};

use self::queue::Queues;
pub use self::{
    changes::{Attempt, Changes},
    messages::Outcome,
    queue::{PATIENCE_MS, Queue},
};
use crate::{
    alarm::Alarm,
    below_mandate::BelowMandate,
    escalation::Escalation,
    facts::Facts,
    flat_line::FlatLine,
    no_data::NoData,
    notification::Notification,
    plan::{Condition, Plan},
    released::Released,
    snapshot::RestoreError,
};

/// What the desk cannot know by itself.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The address for links in messages.
    pub url: String,
    /// Units that each channel adds to a text.
    pub reserved: BTreeMap<ChannelId, u8>,
    /// Draws the token of a link; none where the machine gives no random numbers: the message then
    /// goes without a link.
    pub draw: fn() -> Option<LinkToken>,
}

/// Who waits for a moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Sleeper {
    Condition(Condition),
    Ladder(AlarmId),
}

#[derive(Debug)]
enum Machine {
    Below(BelowMandate),
    Silent(NoData),
    Flat(FlatLine),
}

#[derive(Debug)]
struct KeptAlarm {
    machine: Alarm,
    facts: Facts,
}

#[derive(Debug)]
struct KeptMessage {
    machine: Notification,
    row: NotificationRow,
}

/// Every machine that is not history.
#[derive(Debug)]
pub struct Desk {
    surroundings: Surroundings,
    registry: Arc<Registry>,
    plan: Arc<Plan>,
    sections: BTreeMap<SectionKey, Released>,
    conditions: BTreeMap<Condition, Machine>,
    alarms: BTreeMap<AlarmId, KeptAlarm>,
    /// The pending or standing alarm of a condition.
    active: BTreeMap<Condition, AlarmId>,
    /// The alarm of a condition that has cleared and that nobody had taken on.
    cleared: BTreeMap<Condition, AlarmId>,
    ladders: BTreeMap<AlarmId, Escalation>,
    messages: BTreeMap<NotificationId, KeptMessage>,
    of_alarm: BTreeMap<AlarmId, BTreeSet<NotificationId>>,
    sleepers: Deadlines<Sleeper>,
    /// Messages have a queue of their own: they can be held while the feed is read to its end.
    sendings: Deadlines<NotificationId>,
    queues: Queues,
    dirty: Dirty,
    /// Conditions that have begun to be watched, of whose gauges nobody has said yet when they spoke
    /// last.
    strangers: BTreeMap<Condition, GaugeId>,
    is_deaf: bool,
}

/// What is other than it was written last.
#[derive(Debug, Default)]
struct Dirty {
    sections: BTreeSet<SectionKey>,
    conditions: BTreeSet<Condition>,
    forgotten: BTreeSet<Condition>,
    alarms: BTreeSet<AlarmId>,
    dropped: BTreeSet<AlarmId>,
    ladders: BTreeSet<AlarmId>,
    messages: BTreeSet<NotificationId>,
    bodies: Vec<Body>,
    attempts: Vec<Attempt>,
    strays: u64,
    chattering: u64,
}

impl Desk {
    /// Goes on with what is kept, under this registry. Nobody listens until [`Desk::listen`].
    pub fn restore(
        surroundings: Surroundings,
        registry: Arc<Registry>,
        kept: Alarming,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let mut desk = Self {
            surroundings,
            plan: Arc::new(Plan::of(&registry)),
            registry,
            sections: BTreeMap::new(),
            conditions: BTreeMap::new(),
            alarms: BTreeMap::new(),
            active: BTreeMap::new(),
            cleared: BTreeMap::new(),
            ladders: BTreeMap::new(),
            messages: BTreeMap::new(),
            of_alarm: BTreeMap::new(),
            sleepers: Deadlines::default(),
            sendings: Deadlines::default(),
            queues: Queues::default(),
            dirty: Dirty::default(),
            strangers: BTreeMap::new(),
            is_deaf: true,
        };
        let listened_until = kept.listened_until.unwrap_or(now);
        for row in kept.conditions {
            desk.restore_condition(row, listened_until)?;
        }
        for row in kept.alarms {
            let (machine, facts) = (Alarm::restore(&row.bytes)?, Facts::restore(&row.facts)?);
            desk.keep_alarm(machine, facts);
        }
        for row in kept.escalations {
            desk.keep_ladder(row.alarm, Escalation::restore(&row.state)?);
        }
        for row in kept.notifications {
            desk.keep_message(row)?;
        }
        // as far as can be told, where it was set while nobody looked
        let set_back_ms = listened_until.ms_since(now);
        if set_back_ms > 0 {
            desk.set_back(set_back_ms, now);
        }
        let registry = desk.registry();
        desk.adopt(registry, now);
        Ok(desk)
    }

    /// What the registry asks for.
    pub fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.plan)
    }

    /// The registry in force.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Takes another registry, or the first one: rules that are gone are withdrawn, the others are
    /// told what they are now. What is among [`Desk::strangers`] then is to be introduced before it could be
    /// raised.
    pub fn adopt(&mut self, registry: Arc<Registry>, now: Timestamp) {
        self.plan = Arc::new(Plan::of(&registry));
        self.registry = registry;
        self.withdraw_unplanned(now);
        self.tell_rules(now);
    }

    /// When it wants a [`Desk::tick`]; of messages only where they may go.
    pub fn deadline(&self, may_send: bool) -> Option<Timestamp> {
        let sendings = self.sendings.next().filter(|_| may_send);
        [self.sleepers.next(), sendings].into_iter().flatten().min()
    }

    /// Wakes whose deadline has come; [`Desk::begin_attempts`] follows. Messages go only where they
    /// may: not before the feed has been read to its end, lest somebody is told of what is over.
    pub fn tick(&mut self, may_send: bool, now: Timestamp) {
        for sleeper in self.sleepers.due(now) {
            match sleeper {
                Sleeper::Condition(condition) => self.wake_condition(&condition, now),
                Sleeper::Ladder(alarm) => self.wake_ladder(alarm, now),
            }
        }
        if may_send {
            for message in self.sendings.due(now) {
                self.wake_message(message, now);
            }
        }
    }

    /// Alarms that are not history, by state.
    pub fn alarms_by_state(&self) -> BTreeMap<AlarmState, i64> {
        let mut counts = BTreeMap::new();
        for alarm in self.alarms.values() {
            *counts.entry(alarm.machine.state()).or_insert(0) += 1;
        }
        counts
    }

    /// Messages that something may follow of, by state.
    pub fn messages_by_state(&self) -> BTreeMap<NotificationState, i64> {
        let mut counts = BTreeMap::new();
        for message in self.messages.values() {
            *counts.entry(message.machine.state()).or_insert(0) += 1;
        }
        counts
    }

    /// Alarms that nobody has taken on and of which no channel has taken a message, and since when
    /// the oldest of them stands.
    pub fn unheard(&self) -> (usize, Option<Timestamp>) {
        let unheard = self.ladders.values().filter_map(Escalation::unheard_since);
        (unheard.clone().count(), unheard.min())
    }

    /// Since when the message has been owed that has waited longest.
    pub fn oldest_owed(&self) -> Option<Timestamp> {
        let owed = self
            .messages
            .values()
            .filter(|message| message.machine.state() == NotificationState::Owed);
        owed.map(|message| message.row.owed_at).min()
    }
}
