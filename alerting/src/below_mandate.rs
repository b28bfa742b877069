//! Whether a section releases too little, and for how long: one machine for each rule and section.
//!
//! It runs on event time, strictly forward. Each live point stands until the next, or until its
//! value is said to have stopped standing; what follows is unknown. A delay counts known time
//! alone, and passes when a live point is past it, never by the clock:
//!
//! - **raised** at a point below when the run below that ends there is at least the on-delay long;
//! - **cleared** at a recovered point when released flow has been recovered for the off-delay, of
//!   which what is unknown counts nothing, and a dip into the deadband begins it anew.
//!
//! So loss of data does nothing but pause. A lower bound below the limit is unknown, too: an
//! outlet is missing, and may make up for it. Where nothing is mandated, nothing is owed: that
//! time is recovered.
//!
//! **What comes late** fills in what is unknown and changes nothing that is known: a correction
//! neither raises nor clears. It may lengthen the run that ends at the newest live point, and so
//! raise; or show that the run is shorter than it seemed, before anybody was told. It never
//! clears; where it shows water missing after a recovery began, the off-delay begins anew. A run
//! that had ended before it was known raises nothing: once the section has been quiet for a
//! minute, 15 minutes at most, it is handed to the digest, and each run once. So is a run that the
//! live points themselves show to have ended as they showed it to be long enough (a meter that
//! speaks more seldom than the on-delay): who is woken must find it still so.
//!
//! One that chatters (`chatter`) clears only once the section has been recovered for an hour.
//!
//! `now` is used for nothing but that quiet minute.

mod event;
mod limit;
#[cfg(test)]
mod tests;
mod timeline;

use model::{
    alarm_rule::{AlarmRule, Condition},
    flow::Flow,
    quantity::Decimal,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use self::timeline::Timeline;
pub use self::{
    event::{Effect, Event},
    limit::{Bound, Limit, Standing},
    timeline::{Run, STRETCHES},
};
use crate::{
    chatter::{self, Raises},
    snapshot::{self, RestoreError},
};

/// How long a section must be quiet before ended runs are handed to the digest.
pub const QUIET_MS: i64 = 60_000;
/// How long they wait at most.
pub const QUIET_MAX_MS: i64 = 900_000;

/// What the rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// From where a value is low, and from where it is well again.
    pub limit: Limit,
    /// How much known time below raises.
    pub on_delay_ms: i64,
    /// How much known time recovered clears.
    pub off_delay_ms: i64,
}

impl Rule {
    /// What is asked where no rule asks: for a machine that is about to be withdrawn.
    pub const NONE: Self = Self {
        limit: Limit {
            share: Decimal { units: 1, decimals: 0 },
            deadband: Decimal { units: 0, decimals: 0 },
        },
        on_delay_ms: 0,
        off_delay_ms: 0,
    };

    /// What a rule of the registry asks for, if it is of this kind.
    pub const fn of(rule: &AlarmRule) -> Option<Self> {
        let Condition::BelowMandate { share, .. } = rule.condition else { return None };
        let (on_delay_ms, off_delay_ms) = (rule.on_delay_ms, rule.off_delay_ms);
        Some(Self { limit: Limit::of(rule, share), on_delay_ms, off_delay_ms })
    }
}

/// Released flow from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// From when, by the meters.
    pub at: Timestamp,
    /// What the outlets that are known let out together.
    #[serde(with = "crate::snapshot::ml_per_s")]
    pub released: Flow,
    /// Whether those are all.
    pub bound: Bound,
    /// What is mandated; none: nothing is.
    #[serde(with = "crate::snapshot::ml_per_s::optional")]
    pub required: Option<Flow>,
}

/// Where the machine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    Idle,
    Pending { began_at: Timestamp },
    Raised { began_at: Timestamp, recovery: Option<Recovery>, chatters: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Recovery {
    began_at: Timestamp,
    known_ms: i64,
}

/// The newest live point, and until when it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Newest {
    point: Point,
    standing: Standing,
    /// None: it stands until a newer one comes.
    until: Option<Timestamp>,
}

/// Until when ended runs wait for the section to be quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Waiting {
    since: Timestamp,
    until: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    phase: Phase,
    newest: Option<Newest>,
    /// The newest live point at the limit or above: whatever comes late, it parts runs.
    fine_at: Option<Timestamp>,
    /// Until when it was not well, by what came late: no recovery begins before.
    ill_until: Option<Timestamp>,
    waiting: Option<Waiting>,
    /// When the latest episodes were raised, by the meters.
    raises: Raises,
    timeline: Timeline,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BelowMandate {
    rule: Rule,
    state: State,
}

const MACHINE: &str = "below_mandate";

impl BelowMandate {
    /// A section of which nothing is known.
    pub const fn new(rule: Rule) -> Self {
        let state = State {
            phase: Phase::Idle,
            newest: None,
            fine_at: None,
            ill_until: None,
            waiting: None,
            raises: Raises::none(),
            timeline: Timeline::new(),
        };
        Self { rule, state }
    }

    /// Its state, to be stored with the position of what it was told last.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// The machine as it was; the rule is the registry's to say.
    pub fn restore(text: &str, rule: Rule) -> Result<Self, RestoreError> {
        Ok(Self { rule, state: snapshot::read(MACHINE, text)? })
    }

    /// The newest live point, while it is below: what there is to say of a run that goes on.
    pub fn newest_below(&self) -> Option<Point> {
        let newest = self.state.newest.filter(|newest| newest.standing == Standing::Below);
        newest.map(|newest| newest.point)
    }

    /// The newest live point of a machine whose state this is.
    pub fn newest_of(snapshot: &str) -> Result<Option<Point>, RestoreError> {
        let state: State = snapshot::read(MACHINE, snapshot)?;
        Ok(state.newest.map(|newest| newest.point))
    }

    /// When it wants a [`Event::Tick`]: for the digest alone.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.state.waiting.map(|waiting| waiting.until)
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        let is_late = matches!(event, Event::Late(_));
        match event {
            Event::Live(point) => self.advance(point, &mut effects),
            Event::Lost(at) => self.lose(at),
            Event::Late(pieces) => self.look_back(&pieces, &mut effects),
            Event::Rule(rule) => self.rule = rule,
            Event::Withdrawn => self.withdraw(&mut effects),
            Event::Tick => {}
        }
        if let Phase::Raised { began_at, .. } = self.state.phase {
            self.state.timeline.tell_from(began_at);
        }
        self.digest(is_late, now, &mut effects);
        effects
    }

    fn advance(&mut self, point: Point, effects: &mut Vec<Effect>) {
        if self.state.newest.is_some_and(|newest| point.at <= newest.point.at) {
            return;
        }
        self.close(point.at);
        let standing = self.rule.limit.standing(point.released, point.bound, point.required);
        self.state.newest = Some(Newest { point, standing, until: None });
        if matches!(standing, Standing::Enough | Standing::Recovered) {
            self.state.fine_at = Some(point.at);
        }
        match (standing, &mut self.state.phase) {
            (Standing::Below, _) => self.be_below(effects),
            (Standing::Enough | Standing::Recovered, Phase::Pending { .. }) => {
                self.state.phase = Phase::Idle;
                effects.push(Effect::Dropped { at: point.at });
            }
            (Standing::Enough, Phase::Raised { recovery, .. }) => *recovery = None,
            (Standing::Recovered, Phase::Raised { began_at, recovery, chatters })
                if self.state.ill_until <= Some(point.at) =>
            {
                let began_at = *began_at;
                let off_delay_ms = chatter::off_delay_ms(self.rule.off_delay_ms, *chatters);
                let fresh = Recovery { began_at: point.at, known_ms: 0 };
                let Recovery { began_at: recovered_at, known_ms } = *recovery.get_or_insert(fresh);
                if known_ms >= off_delay_ms {
                    self.state.timeline.tell_from(began_at);
                    self.state.phase = Phase::Idle;
                    effects.push(Effect::Cleared { began_at, recovered_at, point });
                }
            }
            (Standing::Recovered, Phase::Raised { .. })
            | (Standing::Enough | Standing::Recovered, Phase::Idle)
            | (Standing::Unknown, _) => {}
        }
    }

    fn lose(&mut self, at: Timestamp) {
        if let Some(newest) = self.state.newest.as_mut().filter(|newest| at > newest.point.at) {
            newest.until = Some(newest.until.map_or(at, |until| until.min(at)));
        }
    }

    /// A newer point has come: what the newest one said of the time up to it is known. Not before:
    /// its value may have been said to stand longer than it did.
    fn close(&mut self, at: Timestamp) {
        let Some(newest) = self.state.newest else { return };
        let from = newest.point.at;
        // a newer value that came late has ended it before
        let next = self.state.timeline.next_known(from);
        let to = [newest.until, next].into_iter().flatten().fold(at, Timestamp::min);
        match newest.standing {
            Standing::Below => self.state.timeline.learn(from, to, true),
            Standing::Enough | Standing::Recovered => self.state.timeline.learn(from, to, false),
            Standing::Unknown => None,
        };
        if let (Standing::Recovered, Phase::Raised { recovery: Some(recovery), .. }) =
            (newest.standing, &mut self.state.phase)
        {
            recovery.known_ms += to.ms_since(from);
        }
    }

    fn look_back(&mut self, pieces: &[(Point, Timestamp)], effects: &mut Vec<Effect>) {
        let mut not_well_until = None;
        for (point, to) in pieces {
            let standing = self.rule.limit.standing(point.released, point.bound, point.required);
            let is_below = match standing {
                Standing::Below => true,
                Standing::Enough | Standing::Recovered => false,
                Standing::Unknown => continue,
            };
            for (from, to) in self.beside_newest(point.at, *to) {
                let learnt = self.state.timeline.learn(from, to, is_below);
                if standing != Standing::Recovered {
                    not_well_until = not_well_until.max(learnt);
                }
            }
        }
        self.state.ill_until = self.state.ill_until.max(not_well_until);
        let Some(newest) = self.state.newest else { return };
        if let Phase::Raised { began_at, recovery, .. } = &mut self.state.phase {
            let is_shaken = |known: &Recovery| not_well_until > Some(known.began_at);
            if recovery.as_ref().is_some_and(is_shaken) {
                let at = newest.point.at;
                let is_well = newest.standing == Standing::Recovered && not_well_until <= Some(at);
                *recovery = is_well.then_some(Recovery { began_at: at, known_ms: 0 });
            }
            let since = self.state.fine_at.filter(|fine_at| fine_at <= began_at);
            if let Some(earlier) = self.state.timeline.run_until(*began_at, since) {
                *began_at = earlier.began_at;
                effects.push(Effect::Moved { began_at: earlier.began_at });
            }
        } else if newest.standing == Standing::Below {
            self.be_below(effects);
        }
    }

    /// As much of a late stretch as the newest point does not speak of while it stands.
    fn beside_newest(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let speaks =
            |newest: &Newest| newest.standing != Standing::Unknown && from <= newest.point.at;
        match self.state.newest.filter(speaks) {
            Some(Newest { point, until: Some(until), .. }) => {
                vec![(from, to.min(point.at)), (until, to)]
            }
            Some(Newest { point, until: None, .. }) => vec![(from, to.min(point.at))],
            None => vec![(from, to)],
        }
    }

    /// The newest live point is below: the run that ends there is pending, or raised.
    fn be_below(&mut self, effects: &mut Vec<Effect>) {
        let Some(newest) = self.state.newest else { return };
        let end = newest.point.at;
        let run = self.state.timeline.run_until(end, self.state.fine_at);
        let (began_at, known_ms) = run.map_or((end, 0), |run| (run.began_at, run.known_ms));
        match &mut self.state.phase {
            Phase::Raised { recovery, .. } => *recovery = None,
            Phase::Idle | Phase::Pending { .. } if known_ms >= self.rule.on_delay_ms => {
                let chatters = self.state.raises.note(end);
                self.state.phase = Phase::Raised { began_at, recovery: None, chatters };
                effects.push(Effect::Raised { began_at, point: newest.point, chatters });
            }
            Phase::Idle => {
                self.state.phase = Phase::Pending { began_at };
                effects.push(Effect::Pending { began_at });
            }
            Phase::Pending { began_at: known } => {
                if *known != began_at {
                    *known = began_at;
                    effects.push(Effect::Moved { began_at });
                }
            }
        }
    }

    fn withdraw(&mut self, effects: &mut Vec<Effect>) {
        match self.state.phase {
            Phase::Idle => {}
            Phase::Pending { began_at } => {
                let at = self.state.newest.map_or(began_at, |newest| newest.point.at);
                effects.push(Effect::Dropped { at });
            }
            Phase::Raised { began_at, .. } => effects.push(Effect::Withdrawn { began_at }),
        }
        // a rule that comes back goes on from here, and finds no run that was an alarm before
        let newest = self.state.newest.map(|known| Newest { standing: Standing::Unknown, ..known });
        *self = Self::new(self.rule);
        self.state.fine_at = newest.map(|newest| newest.point.at.plus_ms(1));
        self.state.newest = newest;
    }

    /// Hands over what ended unnoticed, once nothing more of the past has come for a while.
    fn digest(&mut self, is_late: bool, now: Timestamp, effects: &mut Vec<Effect>) {
        let runs = self.state.timeline.ended(self.rule.on_delay_ms, self.state.fine_at);
        if runs.is_empty() {
            self.state.waiting = None;
            return;
        }
        let waiting = match self.state.waiting {
            Some(waiting) if !is_late || now >= waiting.until => waiting,
            known => {
                let since = known.map_or(now, |waiting| waiting.since);
                let until = now.plus_ms(QUIET_MS).min(since.plus_ms(QUIET_MAX_MS));
                Waiting { since, until }
            }
        };
        self.state.waiting = Some(waiting).filter(|waiting| now < waiting.until);
        if self.state.waiting.is_none() {
            for run in runs {
                self.state.timeline.tell(run);
                effects.push(Effect::Digest(run));
            }
        }
    }
}
