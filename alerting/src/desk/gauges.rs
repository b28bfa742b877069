//! Conditions of gauges: what they say, whether they say anything, and what that makes of alarms.

use model::{
    alarm::{AlarmEnd, Subject},
    ids::GaugeId,
    time::Timestamp,
};

use super::{Condition, Desk, Machine, Sleeper};
use crate::{
    alarm::Event as AlarmEvent,
    facts::{End, Facts},
    flat_line,
    no_data::{self, NoData},
};

impl Desk {
    /// A gauge that is watched from now on, or from when the server listens again.
    pub(super) fn begun(&self, rule: no_data::Rule, now: Timestamp) -> NoData {
        let mut machine = NoData::new(rule, now);
        if self.is_deaf {
            machine.step(no_data::Event::Deaf(now), now);
        }
        machine
    }

    /// At most so many conditions that have begun to be watched, with their gauges: [`Desk::spoke`]
    /// is to say when each of these spoke last.
    pub fn strangers(&mut self, most: usize) -> Vec<(Condition, GaugeId)> {
        std::iter::from_fn(|| self.strangers.pop_first()).take(most).collect()
    }

    /// When the gauge of a condition that has begun to be watched spoke last, by what is stored.
    pub fn spoke(&mut self, condition: &Condition, at: Timestamp, now: Timestamp) {
        self.tell_silent(condition, no_data::Event::Spoke { at: at.min(now) }, now);
    }

    /// A live reading of a gauge came.
    pub fn heard(&mut self, gauge: &GaugeId, received_at: Timestamp, now: Timestamp) {
        let plan = self.plan();
        let watched = plan.stations.get(&gauge.station);
        let listened = watched
            .and_then(|watched| watched.gauges.iter().find(|listened| listened.gauge == *gauge));
        for rule in listened.map(|listened| &listened.rules).into_iter().flatten() {
            let subject = Subject::Gauge(gauge.clone());
            let condition = Condition { rule: rule.clone(), subject };
            self.tell_silent(&condition, no_data::Event::Heard { received_at }, now);
        }
    }

    /// What live readings of a gauge said, in ascending moments.
    pub fn measured(&mut self, gauge: &GaugeId, values: &[(Timestamp, i64)], now: Timestamp) {
        let plan = self.plan();
        let watched = plan.stations.get(&gauge.station);
        let listened = watched
            .and_then(|watched| watched.gauges.iter().find(|listened| listened.gauge == *gauge));
        for rule in listened.map(|listened| &listened.value_rules).into_iter().flatten() {
            let subject = Subject::Gauge(gauge.clone());
            let condition = Condition { rule: rule.clone(), subject };
            for (at, value) in values {
                let event = flat_line::Event::Read { at: *at, value: *value };
                self.tell_flat(&condition, event, now);
            }
        }
    }

    /// The server has not listened since a moment.
    pub fn deaf(&mut self, since: Timestamp, now: Timestamp) {
        self.is_deaf = true;
        self.tell_all_silent(no_data::Event::Deaf(since), now);
    }

    /// It listens again, and the feed has been read to its end.
    pub fn listen(&mut self, now: Timestamp) {
        self.is_deaf = false;
        self.tell_all_silent(no_data::Event::Listening, now);
    }

    /// Whether conditions wait for the server to listen.
    pub const fn is_deaf(&self) -> bool {
        self.is_deaf
    }

    pub(super) fn tell_all_silent(&mut self, event: no_data::Event, now: Timestamp) {
        let is_silent = |(condition, machine): (&Condition, &Machine)| {
            matches!(machine, Machine::Silent(_)).then(|| condition.clone())
        };
        let all: Vec<Condition> = self.conditions.iter().filter_map(is_silent).collect();
        for condition in all {
            self.tell_silent(&condition, event, now);
        }
    }

    pub(super) fn tell_silent(
        &mut self,
        condition: &Condition,
        event: no_data::Event,
        now: Timestamp,
    ) {
        let Some(Machine::Silent(machine)) = self.conditions.get_mut(condition) else { return };
        let effects = machine.step(event, now);
        let deadline = machine.deadline();
        self.sleepers.set(&Sleeper::Condition(condition.clone()), deadline);
        self.dirty.conditions.insert(condition.clone());
        for effect in effects {
            self.take_silent(condition, effect, now);
        }
    }

    fn take_silent(&mut self, condition: &Condition, effect: no_data::Effect, now: Timestamp) {
        use no_data::Effect;
        match effect {
            Effect::Pending { began_at } => self.begin(condition, began_at, now),
            Effect::Dropped { at } => {
                self.tell_active(condition, AlarmEvent::Dropped { at }, None, now);
            }
            Effect::Raised { began_at, chatters } => {
                let facts = Facts { chatters, ..Facts::default() };
                self.raise(condition, began_at, facts, now);
            }
            Effect::Cleared { recovered_at: at, .. } => {
                let end = End { at, point: None, because: AlarmEnd::Recovered };
                self.tell_active(condition, AlarmEvent::Cleared { at }, Some(end), now);
            }
            Effect::Withdrawn { .. } => self.withdraw(condition, now),
        }
    }

    pub(super) fn tell_flat(
        &mut self,
        condition: &Condition,
        event: flat_line::Event,
        now: Timestamp,
    ) {
        use flat_line::Effect;
        let Some(Machine::Flat(machine)) = self.conditions.get_mut(condition) else { return };
        let effect = machine.step(event);
        self.dirty.conditions.insert(condition.clone());
        match effect {
            None => {}
            Some(Effect::Raised { began_at, chatters }) => {
                let facts = Facts { chatters, is_flat: true, ..Facts::default() };
                self.raise(condition, began_at, facts, now);
            }
            Some(Effect::Cleared { recovered_at: at }) => {
                let end = End { at, point: None, because: AlarmEnd::Recovered };
                self.tell_active(condition, AlarmEvent::Cleared { at }, Some(end), now);
            }
            Some(Effect::Withdrawn) => self.withdraw(condition, now),
        }
    }
}
