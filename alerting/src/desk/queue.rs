//! Messages that are due and wait for a place on their channel, the most urgent first.
//!
//! A wait is no attempt: what a gateway is too slow for is neither counted as tried in vain nor
//! passed on to another person. Whoever has another way is told by that meanwhile, where the wait
//! is longer than [`PATIENCE_MS`]. Nothing expires for having waited: what is not needed any longer
//! is recalled. The queue holds ids alone, of messages that are stored as owed, so that it needs no
//! bound of its own: of what stands it is the ladders', and of what is over each person has one.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use model::{
    alarm::Occasion,
    alarm_rule::Severity,
    deadlines::Deadlines,
    ids::{ChannelId, NotificationId},
    time::Timestamp,
};

use super::{Desk, KeptMessage};
use crate::{
    escalation,
    notification::{Event, Notification},
};

/// How long a message waits for a place before its person's next way is used.
pub const PATIENCE_MS: i64 = 120_000;

/// News of an alarm that stands come before news of one that is over, the graver alarm comes first,
/// and then who has been owed a message for longer.
type Urgency = (bool, Reverse<Severity>, Timestamp, NotificationId);

/// Who waits, by channel.
#[derive(Debug, Default)]
pub(super) struct Queues {
    by_channel: BTreeMap<ChannelId, BTreeSet<Urgency>>,
    places: BTreeMap<NotificationId, (ChannelId, Urgency)>,
    /// When each will have waited for long.
    patience: Deadlines<NotificationId>,
}

/// How a channel's queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Messages that wait.
    pub length: usize,
    /// Since when the message has been due that has waited longest.
    pub since: Timestamp,
}

impl Queues {
    fn enter(
        &mut self,
        id: NotificationId,
        channel: &ChannelId,
        urgency: Urgency,
        until: Timestamp,
    ) {
        if self.places.contains_key(&id) {
            return;
        }
        self.by_channel.entry(channel.clone()).or_default().insert(urgency);
        self.places.insert(id, (channel.clone(), urgency));
        self.patience.set(&id, Some(until));
    }

    pub(super) fn leave(&mut self, id: NotificationId) {
        self.patience.set(&id, None);
        let Some((channel, urgency)) = self.places.remove(&id) else { return };
        if let Some(queue) = self.by_channel.get_mut(&channel) {
            queue.remove(&urgency);
            if queue.is_empty() {
                self.by_channel.remove(&channel);
            }
        }
    }
}

impl Desk {
    /// Puts a message that is due into its channel's queue; wakes one that waits for something else.
    pub(super) fn wake_message(&mut self, id: NotificationId, now: Timestamp) {
        let Some(kept) = self.messages.get(&id).filter(|kept| kept.machine.wants_a_place(now))
        else {
            self.tell_message(id, Event::Tick, now);
            return;
        };
        let KeptMessage { machine, row } = kept;
        let severity = self.alarms.get(&row.alarm).map(|alarm| alarm.machine.about().severity);
        // a message is let go before its alarm is
        let severity = severity.unwrap_or(Severity::Red);
        let urgency = (row.occasion == Occasion::Over, Reverse(severity), row.owed_at, id);
        let until = machine.due_at().unwrap_or(now).plus_ms(PATIENCE_MS);
        self.queues.enter(id, &row.channel, urgency, until);
        self.sendings.set(&id, machine.expires_at());
    }

    /// Begins attempts of what waits, as many of each channel as it has places, and uses the next
    /// way of whoever has waited for long.
    pub fn begin_attempts(&mut self, places: impl Fn(&ChannelId) -> usize, now: Timestamp) {
        let first = |(channel, queue): (&ChannelId, &BTreeSet<Urgency>)| {
            let first = queue.iter().take(places(channel));
            first.map(|(_, _, _, id)| *id).collect::<Vec<_>>()
        };
        let begun: Vec<_> = self.queues.by_channel.iter().flat_map(first).collect();
        for id in begun {
            self.tell_message(id, Event::Tick, now);
        }
        for id in self.queues.patience.due(now) {
            self.queues.patience.set(&id, None);
            let Some(alarm) = self.messages.get(&id).map(|kept| kept.row.alarm) else { continue };
            self.tell_ladder(alarm, escalation::Event::Delayed(id), now);
        }
    }

    /// Channels for which messages wait.
    pub fn queues(&self) -> BTreeMap<ChannelId, Queue> {
        let due_at = |(_, _, _, id): &Urgency| {
            self.messages.get(id).map(|kept| &kept.machine).and_then(Notification::due_at)
        };
        let of_channel = |(channel, queue): (&ChannelId, &BTreeSet<Urgency>)| {
            let since = queue.iter().filter_map(due_at).min()?;
            Some((channel.clone(), Queue { length: queue.len(), since }))
        };
        self.queues.by_channel.iter().filter_map(of_channel).collect()
    }
}
