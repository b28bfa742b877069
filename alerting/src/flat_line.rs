//! Whether a meter sticks: one machine for each rule and gauge, by the meter's moments.
//!
//! A gauge is flat while its live readings do not differ from the first of them by more than the
//! rule's deadband; with a deadband of 0, while they are equal. Once that has lasted for the rule's
//! on-delay, from a reading to a reading, the alarm is raised. It clears at a reading, once readings
//! have moved again for the off-delay; one more flat run of the on-delay's length meanwhile shows
//! that they had not.
//!
//! What is unknown says nothing: a reading that comes after a hole of more than three intervals, two
//! minutes at least, begins another run, and clears nothing. What comes late or was imported is not
//! looked at: a meter that stuck and moves again wakes nobody. Nor is any verdict other for it: a
//! river may be still, and a meter that says so is not wrong.

#[cfg(test)]
mod tests;

use model::{
    alarm_rule::{AlarmRule, Condition},
    quantity::Decimal,
    station::Gauge,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    chatter::{self, Raises},
    no_data::PATIENCE_MIN_MS,
    snapshot::{self, RestoreError},
};

/// What the rule asks for, of one gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// How often the gauge is read.
    pub interval_ms: i64,
    /// Decimals of its values, in its unit.
    pub decimals: u8,
    /// How far it may move and is flat all the same, in its unit.
    pub deadband: Decimal,
    /// How long it is flat before it is an alarm.
    pub on_delay_ms: i64,
    /// How long it moves again before that is over.
    pub off_delay_ms: i64,
}

impl Rule {
    /// What is asked where no rule asks: for a machine that is about to be withdrawn.
    pub const NONE: Self = Self {
        interval_ms: 0,
        decimals: 0,
        deadband: Decimal { units: 0, decimals: 0 },
        on_delay_ms: i64::MAX,
        off_delay_ms: 0,
    };

    /// What a rule of the registry asks of a gauge, if it is of this kind.
    pub const fn of(rule: &AlarmRule, gauge: &Gauge) -> Option<Self> {
        if !matches!(rule.condition, Condition::FlatLine { .. }) {
            return None;
        }
        Some(Self {
            interval_ms: gauge.interval_ms,
            decimals: gauge.resolution.decimals,
            deadband: rule.deadband,
            on_delay_ms: rule.on_delay_ms,
            off_delay_ms: rule.off_delay_ms,
        })
    }

    /// The longest hole between two readings of a run.
    fn hole_ms(&self) -> i64 {
        self.interval_ms.saturating_mul(3).max(PATIENCE_MIN_MS)
    }
}

/// What the machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A live reading. One that is not newer than the newest is left out.
    Read {
        /// When, by the meter.
        at: Timestamp,
        /// In units of the last decimal of the rule.
        value: i64,
    },
    /// A new version of the registry.
    Rule(Rule),
    /// No rule speaks of the gauge any longer.
    Withdrawn,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The alarm is raised.
    Raised {
        /// The first of the readings that are alike.
        began_at: Timestamp,
        /// Whether it is the last of a row: it stands until the gauge has moved for an hour.
        chatters: bool,
    },
    /// The alarm is cleared.
    Cleared {
        /// The first reading that was another one.
        recovered_at: Timestamp,
    },
    /// The raised alarm is over since no rule speaks of it.
    Withdrawn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Moves,
    /// And, once it moves again, since when.
    Raised {
        moves_from: Option<Timestamp>,
        chatters: bool,
    },
}

/// Readings that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    from: Timestamp,
    until: Timestamp,
    /// The first of them.
    value: i64,
    decimals: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    phase: Phase,
    run: Option<Run>,
    /// When the latest episodes were raised.
    raises: Raises,
}

/// The machine. It has no deadline: time passes when readings come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlatLine {
    rule: Rule,
    state: State,
}

/// Its name in a kept state.
pub const MACHINE: &str = "flat_line";

impl FlatLine {
    /// A gauge that is watched from now on.
    pub const fn new(rule: Rule) -> Self {
        let state = State { phase: Phase::Moves, run: None, raises: Raises::none() };
        Self { rule, state }
    }

    /// Its state, to be stored with the position of what it was told last.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// The machine as it was.
    pub fn restore(text: &str, rule: Rule) -> Result<Self, RestoreError> {
        Ok(Self { rule, state: snapshot::read(MACHINE, text)? })
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event) -> Option<Effect> {
        match event {
            Event::Read { at, value } => self.read(at, value),
            Event::Rule(rule) => {
                self.rule = rule;
                None
            }
            Event::Withdrawn => {
                let was_raised = matches!(self.state.phase, Phase::Raised { .. });
                *self = Self::new(self.rule);
                was_raised.then_some(Effect::Withdrawn)
            }
        }
    }

    fn read(&mut self, at: Timestamp, value: i64) -> Option<Effect> {
        let run = self.run_with(at, value)?;
        self.state.run = Some(run);
        let is_flat = run.until.ms_since(run.from) >= self.rule.on_delay_ms;
        match self.state.phase {
            Phase::Moves if is_flat => {
                let chatters = self.state.raises.note(at);
                self.state.phase = Phase::Raised { moves_from: None, chatters };
                Some(Effect::Raised { began_at: run.from, chatters })
            }
            Phase::Moves => None,
            Phase::Raised { chatters, .. } if is_flat => {
                self.state.phase = Phase::Raised { moves_from: None, chatters };
                None
            }
            Phase::Raised { moves_from, chatters } => {
                let recovered_at = moves_from?;
                let off_delay_ms = chatter::off_delay_ms(self.rule.off_delay_ms, chatters);
                if at.ms_since(recovered_at) < off_delay_ms {
                    return None;
                }
                self.state.phase = Phase::Moves;
                Some(Effect::Cleared { recovered_at })
            }
        }
    }

    /// The run that a reading belongs to; none where it is not newer than what is known. Notes since
    /// when a gauge moves again whose alarm stands.
    fn run_with(&mut self, at: Timestamp, value: i64) -> Option<Run> {
        let decimals = self.rule.decimals;
        let begun = Run { from: at, until: at, value, decimals };
        let Some(run) = self.state.run else { return Some(begun) };
        if at <= run.until {
            return None;
        }
        if at.ms_since(run.until) > self.rule.hole_ms() || run.decimals != decimals {
            // what nobody knows is no sign of movement, and its time counts for none
            if let Phase::Raised { moves_from, .. } = &mut self.state.phase {
                *moves_from = None;
            }
            return Some(begun);
        }
        let apart = i64::try_from(value.abs_diff(run.value)).unwrap_or(i64::MAX);
        let moved = Decimal { units: apart, decimals };
        if moved.compare(self.rule.deadband).is_le() {
            return Some(Run { until: at, ..run });
        }
        if let Phase::Raised { moves_from, .. } = &mut self.state.phase {
            moves_from.get_or_insert(at);
        }
        Some(begun)
    }
}
