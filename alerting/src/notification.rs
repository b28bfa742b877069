//! The life of one message to one person by one way, from owed to delivered.
//!
//! An attempt is announced before it is made, under an id that a channel can pass on; one of which
//! nothing is heard (a crash, a timeout, a line that broke once all was said) is made again under the
//! same id, [`Schedule::repetitions`] times at most, for each may have woken somebody: once soon, and
//! once when whatever stands before the gateway may have been put right. A reminder is not, since the
//! next one is due soon enough. What a channel refuses for now is tried again, ever more
//! seldom, until the message expires: two hours after it was first tried. What waits for its first
//! try never expires, however slow its channel is; it is recalled when nobody needs it any longer.
//! It need not have failed for somebody else to be told
//! meanwhile: once it has been tried in vain a few times, or its receipt stays out, the message asks
//! to be passed on.
//!
//! | from | what happens | to |
//! |---|---|---|
//! | owed | a channel takes it | sent |
//! | owed | a channel refuses it for good | failed |
//! | owed | it was tried for long enough, or it was recalled before an attempt | expired |
//! | sent | a receipt says that it arrived, or that it will not | delivered, failed |
//! | owed, failed, expired | a receipt says that it arrived after all | delivered |

use std::cmp::Ordering;

use model::{
    alarm::{NotificationState, Occasion},
    fault::Fault,
    ids::NotificationId,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::snapshot::{self, RestoreError};

/// When to try, how often, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The wait after each attempt in vain; the last one goes on for ever.
    pub waits_ms: &'static [i64],
    /// How long an attempt may take; one of which nothing is heard counts as in vain.
    pub attempt_ms: i64,
    /// How often what may have been taken is handed over again.
    pub repetitions: u32,
    /// The wait before the last time.
    pub last_ms: i64,
    /// After how many attempts in vain the message asks to be passed on; earlier where only the last
    /// repetition is left.
    pub patience: u32,
    /// How long a receipt may stay out before the message asks to be passed on.
    pub receipt_ms: i64,
    /// How long after its first attempt it is tried no longer.
    pub expires_ms: i64,
}

impl Schedule {
    /// For messages that wake somebody: passed on after three attempts in vain, 20 s after the first
    /// where each is refused at once, or after two of which nothing was heard, 65 s where each is
    /// waited for, or where no receipt has come for five minutes; tried for two hours.
    pub const URGENT: Self = Self {
        waits_ms: &[5_000, 15_000, 30_000, 60_000, 120_000, 300_000],
        attempt_ms: 30_000,
        repetitions: 2,
        last_ms: 300_000,
        patience: 3,
        receipt_ms: 300_000,
        expires_ms: 7_200_000,
    };

    /// For a message of this kind.
    pub const fn of(occasion: Occasion) -> Self {
        match occasion {
            Occasion::Raised | Occasion::Over => Self::URGENT,
            Occasion::Reminder => Self { repetitions: 0, ..Self::URGENT },
        }
    }

    fn wait_ms(&self, attempts: u32) -> i64 {
        let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
        let wait = self.waits_ms.get(place).or_else(|| self.waits_ms.last());
        // a schedule without waits must not spin
        wait.copied().unwrap_or(60_000).max(1_000)
    }
}

/// What the message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The deadline has passed.
    Tick,
    /// The channel took it.
    Accepted {
        /// Whether it will say whether it arrived.
        has_receipt: bool,
    },
    /// The channel did not.
    Refused(Fault),
    /// It was given the message and did not answer, or what it answered was not heard.
    Unanswered,
    /// Somebody vouches that it arrived, or that it will not.
    Receipt {
        /// Which.
        is_delivered: bool,
    },
    /// Nobody needs it any longer.
    Recalled,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Hand it to the channel now, under this id.
    Attempt {
        /// What makes two attempts one message.
        id: NotificationId,
        /// Which attempt it is, from 1.
        number: u32,
    },
    /// Its state is another.
    Changed(NotificationState),
    /// The channel may have taken it.
    Doubted {
        /// When it was handed over, which may be long ago where the process had ended meanwhile.
        tried_at: Timestamp,
    },
    /// The person must be told by another way, or another person; at most once.
    PassOn(Why),
    /// A receipt that says nothing: for a message that was never tried, or against an earlier one;
    /// to be counted.
    Stray,
}

/// Why a message asks to be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The channel, or a receipt, refused it for good.
    Refused,
    /// It was tried in vain a few times, and is tried on.
    Stalled,
    /// The channel took it, and its receipt stays out.
    Unconfirmed,
    /// It expired.
    Expired,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Life {
    /// The next attempt, or, while one is on its way, when it counts as in vain.
    Owed {
        next_at: Timestamp,
        is_trying: bool,
    },
    /// Until when a receipt is waited for.
    Sent {
        receipt_by: Option<Timestamp>,
    },
    Delivered,
    Failed,
    Expired,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    id: NotificationId,
    life: Life,
    attempts: u32,
    /// Attempts of which no answer was heard.
    doubts: u32,
    owed_at: Timestamp,
    /// When it was tried first.
    tried_from: Option<Timestamp>,
    passed_on: Option<Why>,
    is_recalled: bool,
}

/// One message and when it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    schedule: Schedule,
    state: State,
}

const MACHINE: &str = "notification";

impl Notification {
    /// A message that is owed from now on.
    pub const fn new(id: NotificationId, schedule: Schedule, now: Timestamp) -> Self {
        let life = Life::Owed { next_at: now, is_trying: false };
        let state = State {
            id,
            life,
            attempts: 0,
            doubts: 0,
            owed_at: now,
            tried_from: None,
            passed_on: None,
            is_recalled: false,
        };
        Self { schedule, state }
    }

    /// Its state, to be stored before an effect is performed.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// The message as it was. An attempt that was on its way then is waited for like any other.
    pub fn restore(text: &str, schedule: Schedule) -> Result<Self, RestoreError> {
        Ok(Self { schedule, state: snapshot::read(MACHINE, text)? })
    }

    /// Where it stands.
    pub const fn state(&self) -> NotificationState {
        match self.state.life {
            Life::Owed { .. } => NotificationState::Owed,
            Life::Sent { .. } => NotificationState::Sent,
            Life::Delivered => NotificationState::Delivered,
            Life::Failed => NotificationState::Failed,
            Life::Expired => NotificationState::Expired,
        }
    }

    /// How often it was tried.
    pub const fn attempts(&self) -> u32 {
        self.state.attempts
    }

    /// Whether it may have arrived although nobody says so.
    pub const fn is_doubted(&self) -> bool {
        self.state.doubts > 0 && !matches!(self.state.life, Life::Sent { .. } | Life::Delivered)
    }

    /// When it is due, or was: the next attempt of one that waits for it.
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.state.life {
            Life::Owed { next_at, is_trying: false } => Some(next_at),
            Life::Owed { is_trying: true, .. }
            | Life::Sent { .. }
            | Life::Delivered
            | Life::Failed
            | Life::Expired => None,
        }
    }

    /// Whether an [`Event::Tick`] would hand it over: there should be a place for it.
    pub fn wants_a_place(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|due_at| due_at <= now) && !self.is_expired(now)
    }

    /// Whether an attempt is on its way.
    pub const fn is_trying(&self) -> bool {
        matches!(self.state.life, Life::Owed { is_trying: true, .. })
    }

    /// The server's clock was set back: what is waited for comes as soon as it would have.
    pub fn set_back(&mut self, by_ms: i64) {
        let earlier = |at: Timestamp| at.plus_ms(-by_ms);
        self.state.owed_at = earlier(self.state.owed_at);
        self.state.tried_from = self.state.tried_from.map(earlier);
        match &mut self.state.life {
            Life::Owed { next_at, .. } => *next_at = earlier(*next_at),
            Life::Sent { receipt_by } => *receipt_by = receipt_by.map(earlier),
            Life::Delivered | Life::Failed | Life::Expired => {}
        }
    }

    /// When it wants a [`Event::Tick`].
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.state.life {
            Life::Owed { next_at, is_trying: true } => Some(next_at),
            Life::Owed { next_at, is_trying: false } => {
                Some(self.expires_at().map_or(next_at, |expires_at| next_at.min(expires_at)))
            }
            Life::Sent { receipt_by } => receipt_by,
            Life::Delivered | Life::Failed | Life::Expired => None,
        }
    }

    /// What follows from an event.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        match (self.state.life, event) {
            (Life::Owed { next_at, is_trying }, Event::Tick) => self.wake(next_at, is_trying, now),
            (Life::Sent { receipt_by: Some(by) }, Event::Tick) if now >= by => {
                self.state.life = Life::Sent { receipt_by: None };
                self.pass_on(Why::Unconfirmed)
            }
            (Life::Owed { .. } | Life::Expired, Event::Accepted { has_receipt }) => {
                let receipt_by = has_receipt.then(|| now.plus_ms(self.schedule.receipt_ms));
                self.enter(Life::Sent { receipt_by })
            }
            (Life::Owed { is_trying: true, .. }, Event::Refused(Fault::Transient)) => {
                self.be_in_vain(now)
            }
            (Life::Owed { is_trying: true, next_at }, Event::Unanswered) => {
                self.be_unanswered(next_at, now)
            }
            (Life::Owed { .. }, Event::Refused(Fault::Permanent | Fault::Bug)) => {
                let mut effects = self.enter(Life::Failed);
                effects.extend(self.pass_on(Why::Refused));
                effects
            }
            (_, Event::Receipt { is_delivered }) => self.take_receipt(is_delivered),
            (Life::Owed { is_trying, .. }, Event::Recalled) => {
                self.state.is_recalled = true;
                if is_trying { Vec::new() } else { self.enter(Life::Expired) }
            }
            (
                Life::Owed { .. }
                | Life::Sent { .. }
                | Life::Delivered
                | Life::Failed
                | Life::Expired,
                Event::Tick
                | Event::Accepted { .. }
                | Event::Refused(_)
                | Event::Unanswered
                | Event::Recalled,
            ) => Vec::new(),
        }
    }

    /// When it is tried no longer; none before it was tried.
    pub fn expires_at(&self) -> Option<Timestamp> {
        Some(self.state.tried_from?.plus_ms(self.schedule.expires_ms))
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at().is_some_and(|expires_at| now >= expires_at)
    }

    fn wake(&mut self, next_at: Timestamp, is_trying: bool, now: Timestamp) -> Vec<Effect> {
        if is_trying {
            return if now >= next_at { self.be_unanswered(next_at, now) } else { Vec::new() };
        }
        if self.is_expired(now) {
            return self.expire();
        }
        if now < next_at {
            return Vec::new();
        }
        self.state.attempts = self.state.attempts.saturating_add(1);
        self.state.tried_from.get_or_insert(now);
        let next_at = now.plus_ms(self.schedule.attempt_ms);
        self.state.life = Life::Owed { next_at, is_trying: true };
        vec![Effect::Attempt { id: self.state.id, number: self.state.attempts }]
    }

    fn be_in_vain(&mut self, now: Timestamp) -> Vec<Effect> {
        let is_tried_enough = self.state.attempts >= self.schedule.patience;
        self.rest(self.schedule.wait_ms(self.state.attempts), is_tried_enough, now)
    }

    /// It may have been taken, so it is not tried as often as what was refused.
    fn be_unanswered(&mut self, until: Timestamp, now: Timestamp) -> Vec<Effect> {
        self.state.doubts = self.state.doubts.saturating_add(1);
        let Schedule { repetitions, last_ms, attempt_ms, .. } = self.schedule;
        let mut effects = vec![Effect::Doubted { tried_at: until.plus_ms(-attempt_ms) }];
        effects.extend(match self.state.doubts.cmp(&repetitions) {
            Ordering::Less => self.be_in_vain(now),
            Ordering::Equal => self.rest(last_ms, true, now),
            Ordering::Greater => self.expire(),
        });
        effects
    }

    fn rest(&mut self, wait_ms: i64, is_tried_enough: bool, now: Timestamp) -> Vec<Effect> {
        if self.state.is_recalled || self.is_expired(now) {
            return self.expire();
        }
        self.state.life = Life::Owed { next_at: now.plus_ms(wait_ms), is_trying: false };
        if is_tried_enough { self.pass_on(Why::Stalled) } else { Vec::new() }
    }

    fn expire(&mut self) -> Vec<Effect> {
        let mut effects = self.enter(Life::Expired);
        effects.extend(self.pass_on(Why::Expired));
        effects
    }

    fn take_receipt(&mut self, is_delivered: bool) -> Vec<Effect> {
        match (self.state.life, is_delivered) {
            // nothing was sent that it could speak of
            (Life::Owed { .. } | Life::Failed | Life::Expired, _) if self.state.attempts == 0 => {
                vec![Effect::Stray]
            }
            (Life::Owed { .. } | Life::Sent { .. } | Life::Failed | Life::Expired, true) => {
                self.enter(Life::Delivered)
            }
            (Life::Owed { .. } | Life::Sent { .. }, false) => {
                let mut effects = self.enter(Life::Failed);
                effects.extend(self.pass_on(Why::Refused));
                effects
            }
            // the same receipt twice
            (Life::Delivered, true) | (Life::Failed, false) => Vec::new(),
            (Life::Delivered | Life::Expired, false) => vec![Effect::Stray],
        }
    }

    fn enter(&mut self, life: Life) -> Vec<Effect> {
        self.state.life = life;
        vec![Effect::Changed(self.state())]
    }

    fn pass_on(&mut self, why: Why) -> Vec<Effect> {
        if self.state.passed_on.is_some() || self.state.is_recalled {
            return Vec::new();
        }
        self.state.passed_on = Some(why);
        vec![Effect::PassOn(why)]
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::clamped(second * 1_000)
    }

    fn message() -> Notification {
        Notification::new(NotificationId(7), Schedule::URGENT, at(0))
    }

    fn shown(effect: Effect) -> String {
        match effect {
            Effect::Attempt { number, .. } => format!("attempt {number}"),
            Effect::Changed(state) => state.word().to_owned(),
            Effect::PassOn(why) => format!("pass on: {why:?}").to_lowercase(),
            Effect::Doubted { tried_at } => format!("doubted of {}", tried_at.as_ms() / 1_000),
            Effect::Stray => "stray".to_owned(),
        }
    }

    fn event(word: &str) -> Event {
        match word {
            "taken" => Event::Accepted { has_receipt: true },
            "taken-blind" => Event::Accepted { has_receipt: false },
            "busy" => Event::Refused(Fault::Transient),
            "never" => Event::Refused(Fault::Permanent),
            "mute" => Event::Unanswered,
            "arrived" => Event::Receipt { is_delivered: true },
            "lost" => Event::Receipt { is_delivered: false },
            "recalled" => Event::Recalled,
            _ => Event::Tick,
        }
    }

    /// `3:taken`: every deadline up to a word's second is kept before it.
    fn check(words: &str, expected: &Expect) {
        let mut message = message();
        let mut lines = String::new();
        for word in words.split_whitespace() {
            message = Notification::restore(&message.snapshot(), Schedule::URGENT).unwrap();
            let (now, word) = word.split_once(':').unwrap();
            let now = at(now.parse().unwrap());
            let mut steps = Vec::new();
            while let Some(deadline) = message.deadline().filter(|deadline| *deadline <= now) {
                steps
                    .extend(message.step(Event::Tick, deadline).into_iter().map(|e| (deadline, e)));
            }
            steps.extend(message.step(event(word), now).into_iter().map(|effect| (now, effect)));
            for (now, effect) in steps {
                writeln!(lines, "{} {}", now.as_ms() / 1_000, shown(effect)).unwrap();
            }
        }
        expected.assert_eq(&lines);
    }

    #[test]
    fn a_message_is_taken_and_arrives() {
        check(
            "0:tick 1:taken 4:arrived 9:arrived 999:lost",
            &expect![[r#"
            0 attempt 1
            1 sent
            4 delivered
            999 stray
        "#]],
        );
    }

    #[test]
    fn what_is_refused_for_now_is_tried_ever_more_seldom_and_passed_on_meanwhile() {
        check(
            "0:tick 1:busy 7:busy 23:busy 54:busy 115:taken 116:arrived",
            &expect![[r#"
            0 attempt 1
            6 attempt 2
            22 attempt 3
            23 pass on: stalled
            53 attempt 4
            114 attempt 5
            115 sent
            116 delivered
        "#]],
        );
    }

    #[test]
    fn what_is_refused_for_good_is_passed_on_at_once() {
        check(
            "0:tick 1:never 2:never 999:tick",
            &expect![[r#"
            0 attempt 1
            1 failed
            1 pass on: refused
        "#]],
        );
        check(
            "0:tick 1:taken 5:lost 6:arrived",
            &expect![[r#"
            0 attempt 1
            1 sent
            5 failed
            5 pass on: refused
            6 delivered
        "#]],
        );
    }

    #[test]
    fn a_receipt_that_stays_out_passes_the_message_on() {
        check(
            "0:tick 1:taken 400:tick 900:arrived",
            &expect![[r#"
            0 attempt 1
            1 sent
            301 pass on: unconfirmed
            900 delivered
        "#]],
        );
        check(
            "0:tick 1:taken-blind 9999:tick",
            &expect![[r#"
            0 attempt 1
            1 sent
        "#]],
        );
    }

    #[test]
    fn a_receipt_may_come_before_the_channels_own_word_but_not_before_an_attempt() {
        check(
            "0:tick 1:arrived 2:taken 3:busy 9999:tick",
            &expect![[r#"
            0 attempt 1
            1 delivered
        "#]],
        );
        let mut untried = message();
        assert_eq!(untried.step(event("arrived"), at(0)), [Effect::Stray]);
        assert_eq!(untried.state(), NotificationState::Owed);
    }

    #[test]
    fn an_attempt_of_which_nothing_is_heard_is_made_again_under_the_same_id() {
        let mut message = message();
        let first = message.step(Event::Tick, at(0));
        assert_eq!(message.step(Event::Tick, at(30)), [Effect::Doubted { tried_at: at(0) }]);
        let again = message.step(Event::Tick, at(35));
        let id = |effects: &[Effect]| match effects {
            [Effect::Attempt { id, .. }] => *id,
            other => panic!("{other:?}"),
        };
        assert_eq!(id(&first), id(&again));
    }

    #[test]
    fn what_may_have_been_taken_is_repeated_twice_and_no_more() {
        check(
            "0:tick 25:mute 31:tick 56:mute 357:tick 381:mute 9999:tick",
            &expect![[r#"
                0 attempt 1
                25 doubted of 0
                30 attempt 2
                56 doubted of 30
                56 pass on: stalled
                356 attempt 3
                381 doubted of 356
                381 expired
            "#]],
        );
        // what is refused in between is no repetition
        check(
            "0:tick 1:mute 7:busy 23:mute 324:busy 385:mute 9999:tick",
            &expect![[r#"
                0 attempt 1
                1 doubted of 0
                6 attempt 2
                22 attempt 3
                23 doubted of 22
                23 pass on: stalled
                323 attempt 4
                384 attempt 5
                385 doubted of 384
                385 expired
            "#]],
        );
        // the next reminder comes soon enough
        let mut reminder =
            Notification::new(NotificationId(7), Schedule::of(Occasion::Reminder), at(0));
        reminder.step(Event::Tick, at(0));
        let expired = Effect::Changed(NotificationState::Expired);
        let said = reminder.step(Event::Unanswered, at(1));
        let doubted = Effect::Doubted { tried_at: at(0) };
        assert_eq!(said, [doubted, expired, Effect::PassOn(Why::Expired)]);
        let mut message = message();
        message.step(Event::Tick, at(0));
        message.step(Event::Unanswered, at(25));
        assert!(message.is_doubted());
        message.step(Event::Receipt { is_delivered: true }, at(26));
        assert!(!message.is_doubted());
    }

    #[test]
    fn a_recalled_message_is_not_sent_but_one_on_its_way_is_waited_for() {
        let mut early = message();
        assert_eq!(
            early.step(Event::Recalled, at(0)),
            [Effect::Changed(NotificationState::Expired)]
        );
        assert_eq!(early.deadline(), None);
        check(
            "0:tick 1:recalled 2:taken",
            &expect![[r#"
            0 attempt 1
            2 sent
        "#]],
        );
        check(
            "0:tick 1:recalled 2:busy 999:tick",
            &expect![[r#"
            0 attempt 1
            2 expired
        "#]],
        );
    }

    #[test]
    fn what_has_not_been_tried_waits_for_as_long_as_it_takes() {
        let mut message = message();
        assert!(message.wants_a_place(at(90_000)) && message.expires_at().is_none());
        let first = message.step(Event::Tick, at(90_000));
        assert!(matches!(first[..], [Effect::Attempt { number: 1, .. }]), "{first:?}");
        assert_eq!(message.expires_at(), Some(at(97_200)));
        assert_eq!(message.step(Event::Accepted { has_receipt: false }, at(90_001)).len(), 1);
    }

    #[test]
    fn a_message_expires() {
        let mut message = message();
        let mut now = at(0);
        let mut said = Vec::new();
        while let Some(deadline) = message.deadline() {
            now = deadline;
            for effect in message.step(Event::Tick, now) {
                match effect {
                    Effect::Attempt { .. } => said.extend(message.step(event("busy"), now)),
                    Effect::Changed(_)
                    | Effect::PassOn(_)
                    | Effect::Doubted { .. }
                    | Effect::Stray => {
                        said.push(effect);
                    }
                }
            }
        }
        assert_eq!(now, at(7_200));
        let expired = Effect::Changed(NotificationState::Expired);
        assert_eq!(said, [Effect::PassOn(Why::Stalled), expired]);
        assert!(message.attempts() < 40, "{}", message.attempts());
    }

    #[test]
    fn every_kept_state_stays_readable() {
        let mut message = message();
        message.step(Event::Tick, at(0));
        message.step(event("taken"), at(1));
        let golden = include_str!("../../tests/fixtures/alarm/notification_v1.json");
        assert_eq!(message.snapshot(), golden.trim_end());
        assert_eq!(Notification::restore(golden, Schedule::URGENT).unwrap(), message);
    }

    proptest! {
        #[test]
        fn it_always_ends_and_is_passed_on_at_most_once(
            events in prop::collection::vec((0_usize..9, 0_i64..400), 0..40),
        ) {
            let words =
                ["tick", "taken", "taken-blind", "busy", "never", "arrived", "lost", "recalled", "mute"];
            let mut message = message();
            let (mut now, mut passed_on, mut first) = (0, 0, None);
            let mut was_delivered = false;
            for (word, forward) in events {
                now += forward;
                for effect in message.step(event(words[word]), at(now)) {
                    passed_on += u32::from(matches!(effect, Effect::PassOn(_)));
                    if let Effect::Attempt { number, .. } = effect {
                        prop_assert_eq!(number, message.attempts());
                        let first = *first.get_or_insert(now);
                        prop_assert!(now < first + 7_200);
                    }
                }
                prop_assert!(!was_delivered || message.state() == NotificationState::Delivered);
                was_delivered = message.state() == NotificationState::Delivered;
            }
            let mut ticks = 0;
            while let Some(deadline) = message.deadline() {
                let effects = message.step(Event::Tick, deadline.max(at(now)));
                passed_on += effects.iter().map(|e| u32::from(matches!(e, Effect::PassOn(_)))).sum::<u32>();
                ticks += 1;
                prop_assert!(ticks < 200);
            }
            prop_assert!(passed_on <= 1);
            prop_assert_ne!(message.state(), NotificationState::Owed);
        }
    }
}
