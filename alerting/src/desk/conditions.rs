//! Conditions: what is told to them, and what their effects make of alarms.

use model::{
    alarm::{AlarmEnd, Subject},
    alarm_rule::Severity,
    ids::SectionKey,
    quantity::Decimal,
    section::Section,
    time::Timestamp,
};
use store::{Body, ConditionRow};

use super::{Condition, Desk, Machine, Sleeper};
use crate::{
    alarm::{About, Alarm, Event as AlarmEvent},
    below_mandate::{self, BelowMandate, Point},
    facts::{End, Facts, Measured},
    flat_line::{self, FlatLine},
    no_data::{self, NoData},
    plan::{Ask, Plan},
    released::{Released, Row, Samples, Told},
    snapshot::{self, RestoreError},
};

impl Machine {
    /// Whether it is of the kind that a condition asks for.
    const fn answers(&self, ask: &Ask) -> bool {
        match (self, ask) {
            (Self::Below(_), Ask::Below(_))
            | (Self::Silent(_), Ask::Silent(_))
            | (Self::Flat(_), Ask::Flat(_)) => true,
            (Self::Below(_) | Self::Silent(_) | Self::Flat(_), _) => false,
        }
    }
}

impl Desk {
    pub(super) fn restore_condition(
        &mut self,
        row: ConditionRow,
        listened_until: Timestamp,
    ) -> Result<(), RestoreError> {
        let ConditionRow { rule, subject, state } = row;
        let Some(rule) = rule else {
            if let Subject::Section { station, section } = subject {
                let key = SectionKey { station, section };
                self.sections.insert(key, Released::restore(&state)?);
            }
            return Ok(());
        };
        let condition = Condition { rule, subject };
        // a rule may be of another kind by now: what it was says the state
        let is_flat = snapshot::machine_of(&state).is_some_and(|name| name == flat_line::MACHINE);
        let machine = match (&condition.subject, self.plan.conditions.get(&condition)) {
            (Subject::Section { .. }, Some(Ask::Below(rule))) => {
                Machine::Below(BelowMandate::restore(&state, *rule)?)
            }
            (Subject::Gauge(_), ask) if is_flat => {
                let rule = match ask {
                    Some(Ask::Flat(rule)) => *rule,
                    Some(Ask::Below(_) | Ask::Silent(_)) | None => flat_line::Rule::NONE,
                };
                Machine::Flat(FlatLine::restore(&state, rule)?)
            }
            (Subject::Gauge(_), Some(Ask::Silent(rule))) => {
                Machine::Silent(NoData::restore(&state, *rule, listened_until)?)
            }
            // withdrawn before, or while nobody looked: it is told so by `adopt`
            (Subject::Section { .. }, _) => {
                Machine::Below(BelowMandate::restore(&state, below_mandate::Rule::NONE)?)
            }
            (Subject::Gauge(_), _) => {
                Machine::Silent(NoData::restore(&state, no_data::Rule::NONE, listened_until)?)
            }
        };
        self.keep_condition(condition, machine);
        Ok(())
    }

    fn keep_condition(&mut self, condition: Condition, machine: Machine) {
        let deadline = match &machine {
            Machine::Below(machine) => machine.deadline(),
            Machine::Silent(machine) => machine.deadline(),
            Machine::Flat(_) => None,
        };
        self.sleepers.set(&Sleeper::Condition(condition.clone()), deadline);
        self.conditions.insert(condition, machine);
    }

    /// Withdraws every condition that the registry asks for no longer.
    pub(super) fn withdraw_unplanned(&mut self, now: Timestamp) {
        let plan = self.plan();
        let is_gone = |(condition, machine): &(&Condition, &Machine)| {
            !plan.conditions.get(*condition).is_some_and(|ask| machine.answers(ask))
        };
        let gone = self.conditions.iter().filter(is_gone).map(|(condition, _)| condition.clone());
        let gone: Vec<Condition> = gone.collect();
        for condition in gone {
            self.tell_below(&condition, below_mandate::Event::Withdrawn, now);
            self.tell_silent(&condition, no_data::Event::Withdrawn, now);
            self.tell_flat(&condition, flat_line::Event::Withdrawn, now);
            // A section's goes on from where it was if its rule comes back; a gauge's begins anew.
            if let Some(Machine::Silent(_) | Machine::Flat(_)) = self.conditions.get(&condition) {
                self.conditions.remove(&condition);
                self.sleepers.set(&Sleeper::Condition(condition.clone()), None);
                self.dirty.conditions.remove(&condition);
                self.dirty.forgotten.insert(condition);
            }
        }
    }

    /// Tells every condition of the registry what its rule is now; those that are new begin.
    pub(super) fn tell_rules(&mut self, now: Timestamp) {
        let plan = self.plan();
        for (condition, ask) in &plan.conditions {
            match (self.conditions.contains_key(condition), *ask) {
                (true, Ask::Below(rule)) => {
                    self.tell_below(condition, below_mandate::Event::Rule(rule), now);
                }
                (true, Ask::Silent(rule)) => {
                    self.tell_silent(condition, no_data::Event::Rule(rule), now);
                }
                (true, Ask::Flat(rule)) => {
                    self.tell_flat(condition, flat_line::Event::Rule(rule), now);
                }
                (false, ask) => {
                    let machine = match ask {
                        Ask::Below(rule) => Machine::Below(BelowMandate::new(rule)),
                        Ask::Flat(rule) => Machine::Flat(FlatLine::new(rule)),
                        Ask::Silent(rule) => {
                            if let Subject::Gauge(gauge) = &condition.subject {
                                self.strangers.insert(condition.clone(), gauge.clone());
                            }
                            Machine::Silent(self.begun(rule, now))
                        }
                    };
                    self.keep_condition(condition.clone(), machine);
                    self.dirty.forgotten.remove(condition);
                    self.dirty.conditions.insert(condition.clone());
                }
            }
        }
    }

    /// Tells the rules of a section of a row of the feed; what came late of it is still to be read
    /// and told by [`Desk::late`].
    pub fn flow(&mut self, key: &SectionKey, row: Row, came: &[Samples], now: Timestamp) -> Told {
        let registry = self.registry();
        let Some(section) = Section::find(&registry, key) else { return Told::default() };
        let told = self.sections.entry(key.clone()).or_default().step(&section, row, came);
        self.dirty.sections.insert(key.clone());
        for event in &told.events {
            self.tell_section(key, event, now);
        }
        told
    }

    /// Tells the rules of a section what has become known of its past.
    pub fn late(&mut self, key: &SectionKey, event: &below_mandate::Event, now: Timestamp) {
        self.tell_section(key, event, now);
    }

    fn tell_section(&mut self, key: &SectionKey, event: &below_mandate::Event, now: Timestamp) {
        let plan = self.plan();
        let watched = plan.stations.get(&key.station);
        let measured = watched
            .and_then(|watched| watched.sections.iter().find(|measured| measured.section == *key));
        for rule in measured.map(|measured| &measured.rules).into_iter().flatten() {
            let SectionKey { station, section } = key.clone();
            let subject = Subject::Section { station, section };
            self.tell_below(&Condition { rule: rule.clone(), subject }, event.clone(), now);
        }
    }

    pub(super) fn wake_condition(&mut self, condition: &Condition, now: Timestamp) {
        self.tell_below(condition, below_mandate::Event::Tick, now);
        self.tell_silent(condition, no_data::Event::Tick, now);
    }

    fn tell_below(&mut self, condition: &Condition, event: below_mandate::Event, now: Timestamp) {
        let Some(Machine::Below(machine)) = self.conditions.get_mut(condition) else { return };
        let effects = machine.step(event, now);
        let deadline = machine.deadline();
        self.sleepers.set(&Sleeper::Condition(condition.clone()), deadline);
        self.dirty.conditions.insert(condition.clone());
        for effect in effects {
            self.take_below(condition, &effect, now);
        }
    }

    fn take_below(
        &mut self,
        condition: &Condition,
        effect: &below_mandate::Effect,
        now: Timestamp,
    ) {
        use below_mandate::Effect;
        match *effect {
            Effect::Pending { began_at } => self.begin(condition, began_at, now),
            Effect::Moved { began_at } => {
                self.tell_active(condition, AlarmEvent::Moved { began_at }, None, now);
            }
            Effect::Dropped { at } => {
                self.tell_active(condition, AlarmEvent::Dropped { at }, None, now);
            }
            Effect::Raised { began_at, point, chatters } => {
                let facts = Facts { chatters, ..self.facts_at(condition, point) };
                self.raise(condition, began_at, facts, now);
            }
            Effect::Cleared { recovered_at: at, point, .. } => {
                let because = AlarmEnd::Recovered;
                let end = End { at, point: Some(point), because };
                self.tell_active(condition, AlarmEvent::Cleared { at }, Some(end), now);
            }
            Effect::Withdrawn { .. } => self.withdraw(condition, now),
            Effect::Digest(run) => self.dirty.bodies.push(Body::BreachFound {
                rule: condition.rule.clone(),
                subject: condition.subject.clone(),
                from: run.began_at,
                to: run.until,
                known_ms: run.known_ms,
            }),
        }
    }

    pub(super) fn begin(&mut self, condition: &Condition, began_at: Timestamp, now: Timestamp) {
        let severity = self.registry.alarm_rules.get(&condition.rule).map(|rule| rule.severity);
        let about = About {
            rule: condition.rule.clone(),
            subject: condition.subject.clone(),
            severity: severity.unwrap_or(Severity::Blue),
            is_drill: false,
        };
        let (alarm, effects) = Alarm::pending(about, began_at, now);
        let id = alarm.id();
        self.keep_alarm(alarm, Facts::default());
        self.take_alarm(id, effects, now);
    }

    pub(super) fn raise(
        &mut self,
        condition: &Condition,
        began_at: Timestamp,
        facts: Facts,
        now: Timestamp,
    ) {
        if self.active.contains_key(condition) {
            // what raises may have come late, and show that it began before
            self.tell_active(condition, AlarmEvent::Moved { began_at }, None, now);
        } else {
            // long enough when it became known
            self.begin(condition, began_at, now);
        }
        let Some(id) = self.active.get(condition).copied() else { return };
        if let Some(earlier) = self.cleared.get(condition).copied() {
            self.tell_alarm(earlier, AlarmEvent::Superseded { by: id }, now);
        }
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.facts = facts;
        }
        self.dirty.chattering += u64::from(facts.chatters);
        self.tell_alarm(id, AlarmEvent::Raised, now);
    }

    pub(super) fn withdraw(&mut self, condition: &Condition, now: Timestamp) {
        let because = Plan::why_gone(&self.registry, condition);
        let end = End { at: now, point: None, because };
        self.tell_active(condition, AlarmEvent::Withdrawn, Some(end), now);
    }

    pub(super) fn tell_active(
        &mut self,
        condition: &Condition,
        event: AlarmEvent,
        end: Option<End>,
        now: Timestamp,
    ) {
        let Some(id) = self.active.get(condition).copied() else { return };
        if let Some(alarm) = self.alarms.get_mut(&id) {
            alarm.facts.end = end.or(alarm.facts.end);
        }
        self.tell_alarm(id, event, now);
    }

    fn facts_at(&self, condition: &Condition, point: Point) -> Facts {
        let whole = Decimal { units: 1, decimals: 0 };
        let share = match self.plan.conditions.get(condition) {
            Some(Ask::Below(rule)) => rule.limit.share,
            Some(Ask::Silent(_) | Ask::Flat(_)) | None => whole,
        };
        let decimals = self.decimals_of(&condition.subject);
        Facts { flow: Some(Measured { point, share, decimals }), ..Facts::default() }
    }

    /// How many decimals of m³/s the gauges of a section show: the most of any.
    fn decimals_of(&self, subject: &Subject) -> u8 {
        let Subject::Section { station, section } = subject else { return 0 };
        let key = SectionKey { station: station.clone(), section: section.clone() };
        let Some(section) = Section::find(&self.registry, &key) else { return 0 };
        let shown = section.sources().into_iter().filter_map(|source| {
            let gauge = section.station().gauges.get(source.gauge)?;
            let finer = match gauge.unit.name() {
                "l/s" => 3,
                "ml/s" => 6,
                _ => 0,
            };
            Some(gauge.decimals.saturating_add(finer).min(6))
        });
        shown.max().unwrap_or(0)
    }
}
