//! Whether a gauge has fallen silent: one machine for each rule and gauge, by the clock.
//!
//! A gauge is silent when nothing live has come for longer than three of its intervals, two
//! minutes at least; the on-delay counts from there. What comes late is no sign of life: it says
//! how things were, not how they are. A raised alarm clears when live data have come again for the
//! off-delay without another silence, at a reading; so it is never cleared by time alone.
//!
//! **Only what the server could have heard counts as silence.** While it does not listen (it is
//! down, or cut off from its broker) the machine waits, and the time is no part of any delay. That
//! goes for a start as well. What is known then is until when the server had listened: the shell
//! stores that at least every 30 s beside its positions, and `restore` takes it. From there the
//! machine waits until the shell says that it listens again, which it does once it has read the
//! feed up to its end, so that no stored reading is taken for a silence. Then whoever has to find
//! the way back gets as long as the server was away, two minutes at most, before anything is said.
//! Since that is not longer than the absence, a server that keeps restarting still finds out who
//! is silent, as long as it is up for longer than it is down.
//!
//! Readings that are taken up before that is said are heard all the same: what lies between them and
//! the last moment of listening is neither a silence nor a part of a delay.
//!
//! One that chatters (`chatter`) clears only once data have come for an hour.
//!
//! A step of the server's clock is told as a time without listening, too; where the clock was set
//! back, the moments that are remembered go back with it, and before anything is heard by it.

#[cfg(test)]
mod tests;

use model::{
    alarm_rule::{AlarmRule, Condition},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{
    chatter::{self, Raises},
    snapshot::{self, RestoreError},
};

/// No gauge is silent sooner.
pub const PATIENCE_MIN_MS: i64 = 120_000;
/// The longest time that gauges get to find their way back to a server that was away.
pub const RETURN_MAX_MS: i64 = 120_000;

/// What the rule asks for, of one gauge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the unit ends the name of a bare number")]
pub struct Rule {
    /// How often the gauge is read.
    pub interval_ms: i64,
    /// How long a silence lasts before it is an alarm.
    pub on_delay_ms: i64,
    /// How long live data come again before it is over.
    pub off_delay_ms: i64,
}

impl Rule {
    /// What is asked where no rule asks: for a machine that is about to be withdrawn.
    pub const NONE: Self = Self { interval_ms: 0, on_delay_ms: 0, off_delay_ms: 0 };

    /// What a rule of the registry asks of a gauge that is read at this interval, if it is of this
    /// kind.
    pub const fn of(rule: &AlarmRule, interval_ms: i64) -> Option<Self> {
        if !matches!(rule.condition, Condition::NoData { .. }) {
            return None;
        }
        let (on_delay_ms, off_delay_ms) = (rule.on_delay_ms, rule.off_delay_ms);
        Some(Self { interval_ms, on_delay_ms, off_delay_ms })
    }

    /// How long nothing may come before the gauge is silent.
    pub fn patience_ms(&self) -> i64 {
        self.interval_ms.saturating_mul(3).max(PATIENCE_MIN_MS)
    }
}

/// What the machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A live reading of the gauge.
    Heard {
        /// When the server received it.
        received_at: Timestamp,
    },
    /// What is stored of a gauge that has just begun to be watched: when it spoke last. Its silence
    /// is said to have begun then, and counts from now, since nobody listened for it before.
    Spoke {
        /// When, by the meter.
        at: Timestamp,
    },
    /// The server has not listened since this moment.
    Deaf(Timestamp),
    /// It listens again, and has read all that is stored.
    Listening,
    /// The server's clock was set back.
    SetBack {
        /// By how much.
        by_ms: i64,
    },
    /// A new version of the registry.
    Rule(Rule),
    /// No rule speaks of the gauge any longer.
    Withdrawn,
    /// The deadline has passed.
    Tick,
}

/// What follows. A silence is about what the server receives, so its moments are the server's: it
/// began with the receipt of the last live reading, or, of a gauge that has not spoken since it is
/// watched, with the last one that is stored, or with the watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The gauge is silent; the on-delay is running.
    Pending {
        /// Since when.
        began_at: Timestamp,
    },
    /// It spoke before the on-delay had passed.
    Dropped {
        /// When.
        at: Timestamp,
    },
    /// The alarm is raised.
    Raised {
        /// Since when.
        began_at: Timestamp,
        /// Whether it is the last of a row: it stands until data have come for an hour.
        chatters: bool,
    },
    /// The alarm is cleared.
    Cleared {
        /// Since when it was silent.
        began_at: Timestamp,
        /// When the first reading after it was received.
        recovered_at: Timestamp,
    },
    /// The raised alarm is over since no rule speaks of it.
    Withdrawn {
        /// Since when.
        began_at: Timestamp,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Heard,
    Pending,
    Raised { began_at: Timestamp, back: Option<Back>, chatters: bool },
}

/// Live data that have come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Back {
    /// When the first of them was received.
    at: Timestamp,
    /// From when the off-delay counts; moved by the time that the server did not listen.
    counts_from: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    phase: Phase,
    /// When the last live reading was received; before there was one, the last that was stored, or
    /// from when the gauge is watched.
    heard_at: Timestamp,
    /// From when the silence counts: the same, moved by the time that the server did not listen.
    quiet_from: Timestamp,
    /// The server does not listen since then.
    deaf_since: Option<Timestamp>,
    /// When the latest episodes were raised.
    raises: Raises,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoData {
    rule: Rule,
    state: State,
}

const MACHINE: &str = "no_data";

impl NoData {
    /// A gauge that is watched from now on.
    pub const fn new(rule: Rule, now: Timestamp) -> Self {
        let state = State {
            phase: Phase::Heard,
            heard_at: now,
            quiet_from: now,
            deaf_since: None,
            raises: Raises::none(),
        };
        Self { rule, state }
    }

    /// Its state, to be stored with the position of what it was told last.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// The machine as it was, not listening since `listened_until`, the last moment at which the
    /// server is known to have listened.
    pub fn restore(
        text: &str,
        rule: Rule,
        listened_until: Timestamp,
    ) -> Result<Self, RestoreError> {
        let mut machine = Self { rule, state: snapshot::read(MACHINE, text)? };
        machine.state.deaf_since.get_or_insert(listened_until);
        Ok(machine)
    }

    /// When it wants a [`Event::Tick`]; none while the server does not listen, nor once the alarm
    /// is raised.
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.state.deaf_since.is_some() {
            return None;
        }
        let silent_at = self.state.quiet_from.plus_ms(self.rule.patience_ms());
        match self.state.phase {
            Phase::Heard => Some(silent_at),
            Phase::Pending => Some(silent_at.plus_ms(self.rule.on_delay_ms)),
            Phase::Raised { .. } => None,
        }
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            // what came before the clock was set back came no later than now
            Event::Heard { received_at } => self.hear(received_at.min(now), &mut effects),
            Event::Spoke { at } => {
                if self.state.phase == Phase::Heard {
                    self.state.heard_at = self.state.heard_at.min(at);
                }
            }
            Event::Deaf(since) => {
                self.state.deaf_since.get_or_insert(since);
            }
            Event::Listening => self.listen(now),
            Event::SetBack { by_ms } => self.set_back(by_ms),
            Event::Rule(rule) => self.rule = rule,
            Event::Withdrawn => {
                effects.extend(self.ended());
                *self = Self::new(self.rule, now);
            }
            Event::Tick => {}
        }
        while self.deadline().is_some_and(|deadline| now >= deadline) {
            let began_at = self.state.heard_at;
            if self.state.phase == Phase::Heard && self.rule.on_delay_ms > 0 {
                self.state.phase = Phase::Pending;
                effects.push(Effect::Pending { began_at });
            } else {
                let chatters = self.state.raises.note(now);
                self.state.phase = Phase::Raised { began_at, back: None, chatters };
                effects.push(Effect::Raised { began_at, chatters });
            }
        }
        effects
    }

    fn hear(&mut self, received_at: Timestamp, effects: &mut Vec<Effect>) {
        if received_at <= self.state.heard_at {
            return;
        }
        let silent_at = self.state.quiet_from.plus_ms(self.rule.patience_ms());
        let listened_until =
            self.state.deaf_since.map_or(received_at, |since| since.min(received_at));
        match &mut self.state.phase {
            Phase::Heard => {}
            Phase::Pending => {
                self.state.phase = Phase::Heard;
                effects.push(Effect::Dropped { at: received_at });
            }
            Phase::Raised { began_at, back, chatters } => {
                let off_delay_ms = chatter::off_delay_ms(self.rule.off_delay_ms, *chatters);
                let fresh = Back { at: received_at, counts_from: received_at };
                let first = back.filter(|_| listened_until <= silent_at).unwrap_or(fresh);
                *back = Some(first);
                let counted_ms = listened_until.ms_since(first.counts_from).max(0);
                if counted_ms >= off_delay_ms {
                    let (began_at, recovered_at) = (*began_at, first.at);
                    self.state.phase = Phase::Heard;
                    effects.push(Effect::Cleared { began_at, recovered_at });
                }
            }
        }
        self.state.heard_at = received_at;
        self.state.quiet_from = received_at.max(self.state.quiet_from);
    }

    fn listen(&mut self, now: Timestamp) {
        let Some(since) = self.state.deaf_since.take() else { return };
        let away_ms = now.ms_since(since).max(0);
        // whatever had been counted by then goes on from now
        let goes_on = |from: Timestamp| from.max(now.plus_ms(-since.ms_since(from).max(0)));
        self.state.quiet_from = goes_on(self.state.quiet_from);
        if let Phase::Raised { back: Some(back), .. } = &mut self.state.phase {
            back.counts_from = goes_on(back.counts_from);
        }
        let back_by = now.plus_ms(away_ms.min(RETURN_MAX_MS));
        let early_ms = self.deadline().map_or(0, |deadline| back_by.ms_since(deadline).max(0));
        self.state.quiet_from = self.state.quiet_from.plus_ms(early_ms);
    }

    fn set_back(&mut self, by_ms: i64) {
        let earlier = |at: Timestamp| at.plus_ms(-by_ms);
        self.state.heard_at = earlier(self.state.heard_at);
        self.state.quiet_from = earlier(self.state.quiet_from);
        self.state.deaf_since = self.state.deaf_since.map(earlier);
        self.state.raises.set_back(by_ms);
        if let Phase::Raised { back: Some(back), .. } = &mut self.state.phase {
            (back.at, back.counts_from) = (earlier(back.at), earlier(back.counts_from));
        }
    }

    /// What ends with the rule.
    fn ended(&self) -> Option<Effect> {
        match self.state.phase {
            Phase::Heard => None,
            Phase::Pending => Some(Effect::Dropped { at: self.state.heard_at }),
            Phase::Raised { began_at, .. } => Some(Effect::Withdrawn { began_at }),
        }
    }
}
