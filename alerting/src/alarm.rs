//! The life of one alarm, in the states of ISA-18.2.
//!
//! | from | what happens | to |
//! |---|---|---|
//! | pending | its condition ends before the on-delay | normal: it was never raised |
//! | pending | raised | unacknowledged |
//! | unacknowledged | acknowledged | acknowledged |
//! | unacknowledged | cleared, or watched no longer | cleared, unacknowledged |
//! | acknowledged | cleared, or watched no longer | normal |
//! | cleared, unacknowledged | acknowledged, or a newer alarm of the same kind is raised | normal |
//!
//! One alarm is one episode: it is raised once and cleared once. A later episode is another alarm
//! with another id, so that nothing that was said of this one can hide it; it takes the place of
//! this one in the list where nobody had taken this one on. What does not fit the state is left
//! out. The id is that of the beginning as it was known when the alarm became pending; a beginning
//! that turns out to be another moves the alarm's time, not its id.

use model::{
    alarm::{AlarmEvent as What, AlarmState, Subject, alarm_id},
    alarm_rule::Severity,
    ids::{AlarmId, AlarmRuleId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use store::By;

use crate::snapshot::{self, RestoreError};

/// What an alarm is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The rule that raises it.
    pub rule: AlarmRuleId,
    /// What it speaks of.
    pub subject: Subject,
    /// How soon a person must act, as the rule had it then.
    #[serde(with = "severity")]
    pub severity: Severity,
    /// Whether it is practice from end to end.
    pub is_drill: bool,
}

/// What the alarm is told. Moments are those of the river; `now` is when it was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The condition held for the on-delay.
    Raised,
    /// The condition began at another moment than was known.
    Moved {
        /// When.
        began_at: Timestamp,
    },
    /// The condition ended before the on-delay.
    Dropped {
        /// When.
        at: Timestamp,
    },
    /// The condition has been over for the off-delay.
    Cleared {
        /// When it ended.
        at: Timestamp,
    },
    /// Its subject is not watched any longer.
    Withdrawn,
    /// A newer alarm of the same rule and subject was raised.
    Superseded {
        /// Which.
        by: AlarmId,
    },
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// To be journalled, and stored with the alarm.
    Record(Transition),
    /// Somebody must be told.
    Open,
    /// Nobody else needs to be told: a person took it on.
    Taken,
    /// Whoever was told must be told that it is over.
    Close,
}

/// One step of an alarm's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The alarm's version from then on.
    pub version: u32,
    /// What happened.
    pub what: What,
    /// When it happened: at the river, or for what a person does, when that was done.
    pub event_at: Timestamp,
    /// When it was found out.
    pub detected_at: Timestamp,
    /// Who did it, for what a person does: a token and a contact may have one name.
    pub by: Option<By>,
}

/// Why an acknowledgement was refused; the first two are for 409.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcknowledgeError {
    /// Another acted first.
    #[error("{by} took it on at {at}")]
    Elsewhere {
        /// Who.
        by: By,
        /// When.
        at: Timestamp,
    },
    /// It is no longer what the person saw.
    #[error("the alarm has version {version} by now")]
    Changed {
        /// Its version.
        version: u32,
    },
    /// It was not raised.
    #[error("the alarm is not raised")]
    NotRaised,
    /// It is history, and nobody had taken it on.
    #[error("the alarm is over")]
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    Pending,
    Standing,
    Cleared,
    Over,
}

/// That a person took it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    by: By,
    at: Timestamp,
    /// The version that the person saw.
    seen: u32,
}

/// One alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    id: AlarmId,
    about: About,
    life: Life,
    version: u32,
    began_at: Timestamp,
    acknowledgement: Option<Acknowledgement>,
    /// At most pending, raised, cleared, acknowledged and superseded.
    timeline: Vec<Transition>,
}

const MACHINE: &str = "alarm";

impl Alarm {
    /// An alarm whose condition began to hold at `began_at`.
    pub fn pending(about: About, began_at: Timestamp, now: Timestamp) -> (Self, Vec<Effect>) {
        let id = alarm_id(&about.rule, &about.subject, began_at, about.is_drill);
        let (life, timeline) = (Life::Pending, Vec::new());
        let mut alarm =
            Self { id, about, life, version: 0, began_at, acknowledgement: None, timeline };
        let effects = alarm.enter(Life::Pending, What::Pending, began_at, now);
        (alarm, effects)
    }

    /// Its state, to be stored with each step.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, self)
    }

    /// The alarm as it was.
    pub fn restore(text: &str) -> Result<Self, RestoreError> {
        snapshot::read(MACHINE, text)
    }

    /// It waits for nothing by itself.
    pub const fn deadline(&self) -> Option<Timestamp> {
        match self.life {
            Life::Pending | Life::Standing | Life::Cleared | Life::Over => None,
        }
    }

    /// Its id.
    pub const fn id(&self) -> AlarmId {
        self.id
    }

    /// What it is about.
    pub const fn about(&self) -> &About {
        &self.about
    }

    /// When its condition began to hold.
    pub const fn began_at(&self) -> Timestamp {
        self.began_at
    }

    /// How often it has changed: what an acknowledgement names.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether its condition holds and it was raised.
    pub const fn is_active(&self) -> bool {
        matches!(self.life, Life::Standing)
    }

    /// Where it stands.
    pub const fn state(&self) -> AlarmState {
        match (self.life, &self.acknowledgement) {
            (Life::Pending, _) => AlarmState::Pending,
            (Life::Standing, None) => AlarmState::Unacknowledged,
            (Life::Standing, Some(_)) => AlarmState::Acknowledged,
            (Life::Cleared, _) => AlarmState::ClearedUnacknowledged,
            (Life::Over, _) => AlarmState::Normal,
        }
    }

    /// What happened to it, in order.
    pub fn timeline(&self) -> &[Transition] {
        &self.timeline
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        match (self.life, event) {
            (Life::Pending | Life::Standing, Event::Moved { began_at }) => {
                self.began_at = began_at;
                Vec::new()
            }
            (Life::Pending, Event::Raised) => {
                let mut effects = self.enter(Life::Standing, What::Raised, self.began_at, now);
                effects.push(Effect::Open);
                effects
            }
            (Life::Pending, Event::Dropped { at }) => {
                self.enter(Life::Over, What::Dropped, at, now)
            }
            (Life::Pending, Event::Withdrawn) => self.enter(Life::Over, What::Withdrawn, now, now),
            (Life::Standing, Event::Cleared { at }) => self.end(What::Cleared, at, now),
            (Life::Standing, Event::Withdrawn) => self.end(What::Withdrawn, now, now),
            (Life::Cleared, Event::Superseded { by }) if by != self.id => {
                self.enter(Life::Over, What::Superseded, now, now)
            }
            (
                Life::Pending | Life::Standing | Life::Cleared | Life::Over,
                Event::Raised
                | Event::Moved { .. }
                | Event::Dropped { .. }
                | Event::Cleared { .. }
                | Event::Withdrawn
                | Event::Superseded { .. },
            ) => Vec::new(),
        }
    }

    /// A person takes it on, having seen it at version `seen`. The same click twice is one.
    pub fn acknowledge(
        &mut self,
        by: &By,
        seen: u32,
        now: Timestamp,
    ) -> Result<Vec<Effect>, AcknowledgeError> {
        if let Some(known) = &self.acknowledgement {
            return if known.by == *by && known.seen == seen {
                Ok(Vec::new())
            } else {
                Err(AcknowledgeError::Elsewhere { by: known.by.clone(), at: known.at })
            };
        }
        let next = match self.life {
            Life::Pending => return Err(AcknowledgeError::NotRaised),
            Life::Over => return Err(AcknowledgeError::Over),
            Life::Standing => Life::Standing,
            Life::Cleared => Life::Over,
        };
        if seen != self.version {
            return Err(AcknowledgeError::Changed { version: self.version });
        }
        self.acknowledgement = Some(Acknowledgement { by: by.clone(), at: now, seen });
        let mut effects = self.enter(next, What::Acknowledged, now, now);
        effects.push(Effect::Taken);
        Ok(effects)
    }

    fn end(&mut self, what: What, at: Timestamp, now: Timestamp) -> Vec<Effect> {
        let next = if self.acknowledgement.is_some() { Life::Over } else { Life::Cleared };
        let mut effects = self.enter(next, what, at, now);
        effects.push(Effect::Close);
        effects
    }

    fn enter(
        &mut self,
        life: Life,
        what: What,
        event_at: Timestamp,
        detected_at: Timestamp,
    ) -> Vec<Effect> {
        self.life = life;
        self.version = self.version.saturating_add(1);
        let by = self.acknowledgement.as_ref().filter(|_| what == What::Acknowledged);
        let by = by.map(|known| known.by.clone());
        let transition = Transition { version: self.version, what, event_at, detected_at, by };
        self.timeline.push(transition.clone());
        vec![Effect::Record(transition)]
    }
}

/// A severity as its word.
mod severity {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    use super::Severity;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference to the field"
    )]
    pub(super) fn serialize<S: Serializer>(severity: &Severity, to: S) -> Result<S::Ok, S::Error> {
        severity.word().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Severity, D::Error> {
        let word = String::deserialize(from)?;
        let known = Severity::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, severity)| *severity).ok_or_else(|| D::Error::custom("unknown severity"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::ByKind;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::clamped(second * 1_000)
    }

    fn by(name: &str) -> By {
        By { kind: ByKind::Contact, name: name.to_owned() }
    }

    fn about() -> About {
        let (station, section) = ("BF-1".parse().unwrap(), "dam".parse().unwrap());
        About {
            rule: "low".parse().unwrap(),
            subject: Subject::Section { station, section },
            severity: Severity::Orange,
            is_drill: false,
        }
    }

    fn raised() -> Alarm {
        let (mut alarm, effects) = Alarm::pending(about(), at(0), at(5));
        assert_eq!(effects.len(), 1);
        let effects = alarm.step(Event::Raised, at(600));
        assert_eq!(effects.last(), Some(&Effect::Open));
        alarm
    }

    #[test]
    fn an_alarm_is_raised_taken_on_and_cleared() {
        let mut alarm = raised();
        assert_eq!((alarm.state(), alarm.version()), (AlarmState::Unacknowledged, 2));
        let effects = alarm.acknowledge(&by("zhang"), 2, at(700)).unwrap();
        assert_eq!(effects.last(), Some(&Effect::Taken));
        assert_eq!(alarm.state(), AlarmState::Acknowledged);
        let effects = alarm.step(Event::Cleared { at: at(800) }, at(900));
        assert_eq!(effects.last(), Some(&Effect::Close));
        assert_eq!((alarm.state(), alarm.is_active()), (AlarmState::Normal, false));
        let cleared = alarm.timeline().last().unwrap();
        assert_eq!((cleared.event_at, cleared.detected_at), (at(800), at(900)));
        assert_eq!(alarm.timeline()[2].by, Some(by("zhang")));
    }

    #[test]
    fn who_comes_second_learns_who_was_first() {
        let mut alarm = raised();
        alarm.acknowledge(&by("zhang"), 2, at(700)).unwrap();
        let elsewhere = AcknowledgeError::Elsewhere { by: by("zhang"), at: at(700) };
        assert_eq!(alarm.acknowledge(&by("li"), 2, at(701)), Err(elsewhere.clone()));
        assert_eq!(alarm.acknowledge(&by("zhang"), 2, at(702)), Ok(Vec::new()));
        alarm.step(Event::Cleared { at: at(800) }, at(900));
        assert_eq!(alarm.acknowledge(&by("li"), 4, at(901)), Err(elsewhere));
    }

    #[test]
    fn a_token_that_is_called_like_a_contact_is_another() {
        let mut alarm = raised();
        alarm.acknowledge(&by("zhang"), 2, at(700)).unwrap();
        let token = By { kind: ByKind::Token, ..by("zhang") };
        let elsewhere = AcknowledgeError::Elsewhere { by: by("zhang"), at: at(700) };
        assert_eq!(alarm.acknowledge(&token, 2, at(701)), Err(elsewhere.clone()));
        assert_eq!(elsewhere.to_string(), "contact zhang took it on at 1970-01-01T00:11:40Z");
    }

    #[test]
    fn nobody_takes_on_what_he_has_not_seen() {
        let mut alarm = raised();
        alarm.step(Event::Cleared { at: at(800) }, at(900));
        assert_eq!(alarm.state(), AlarmState::ClearedUnacknowledged);
        let changed = AcknowledgeError::Changed { version: 3 };
        assert_eq!(alarm.acknowledge(&by("zhang"), 2, at(901)), Err(changed));
        assert!(alarm.acknowledge(&by("zhang"), 3, at(902)).is_ok());
        assert_eq!(alarm.state(), AlarmState::Normal);
        let (mut pending, _) = Alarm::pending(about(), at(0), at(0));
        assert_eq!(pending.acknowledge(&by("zhang"), 1, at(1)), Err(AcknowledgeError::NotRaised));
    }

    #[test]
    fn a_beginning_that_moves_changes_neither_id_nor_version() {
        let mut alarm = raised();
        let (id, version) = (alarm.id(), alarm.version());
        assert_eq!(alarm.step(Event::Moved { began_at: at(-60) }, at(700)), []);
        assert_eq!((alarm.id(), alarm.version(), alarm.began_at()), (id, version, at(-60)));
        assert!(alarm.acknowledge(&by("zhang"), version, at(701)).is_ok());
    }

    #[test]
    fn a_newer_alarm_takes_the_place_of_one_that_nobody_took_on() {
        let mut alarm = raised();
        let (newer, _) = Alarm::pending(about(), at(2_000), at(2_000));
        let superseded = Event::Superseded { by: newer.id() };
        assert_eq!(alarm.step(superseded.clone(), at(2_600)), []);
        alarm.step(Event::Cleared { at: at(800) }, at(900));
        assert_eq!(alarm.step(superseded, at(2_600)).len(), 1);
        assert_eq!(alarm.state(), AlarmState::Normal);
        assert_eq!(alarm.acknowledge(&by("li"), 4, at(2_700)), Err(AcknowledgeError::Over));
    }

    #[test]
    fn every_kept_state_stays_readable() {
        let mut alarm = raised();
        alarm.acknowledge(&by("zhang"), 2, at(700)).unwrap();
        alarm.step(Event::Cleared { at: at(800) }, at(900));
        let golden = include_str!("../../tests/fixtures/alarm/alarm_v1.json");
        assert_eq!(alarm.snapshot(), golden.trim_end());
        assert_eq!(Alarm::restore(golden).unwrap(), alarm);
    }

    fn events() -> impl Strategy<Value = Option<Event>> {
        prop_oneof![
            Just(None),
            Just(Some(Event::Raised)),
            Just(Some(Event::Moved { began_at: at(-9) })),
            Just(Some(Event::Dropped { at: at(9) })),
            Just(Some(Event::Cleared { at: at(9) })),
            Just(Some(Event::Withdrawn)),
            Just(Some(Event::Superseded { by: AlarmId(7) })),
        ]
    }

    proptest! {
        #[test]
        fn it_is_opened_once_and_closed_once_and_every_step_is_in_its_timeline(
            events in prop::collection::vec((events(), 0_u32..8), 0..12),
        ) {
            let (mut alarm, mut effects) = Alarm::pending(about(), at(0), at(0));
            for (event, seen) in events {
                alarm = Alarm::restore(&alarm.snapshot()).unwrap();
                let state = alarm.state();
                match event {
                    Some(event) => effects.extend(alarm.step(event, at(1))),
                    None => effects.extend(alarm.acknowledge(&by("li"), seen, at(1)).unwrap_or_default()),
                }
                // only a person makes it acknowledged, and only a clear ends what stands
                prop_assert!(state != AlarmState::Unacknowledged || alarm.state() != AlarmState::Normal);
            }
            let count = |wanted: Effect| effects.iter().filter(|effect| **effect == wanted).count();
            prop_assert!(count(Effect::Open) <= 1 && count(Effect::Close) <= count(Effect::Open));
            prop_assert!(count(Effect::Taken) <= count(Effect::Open));
            let recorded: Vec<_> = effects.iter().filter_map(|effect| match effect {
                Effect::Record(transition) => Some(transition.clone()),
                Effect::Open | Effect::Taken | Effect::Close => None,
            }).collect();
            prop_assert_eq!(recorded, alarm.timeline());
            prop_assert!(alarm.timeline().len() <= 5);
        }
    }
}
