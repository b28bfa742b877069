//! Alarms and messages as they are kept: what alerting has written, and what is read of it.

use std::fmt;

use model::{
    alarm::{AlarmState, LinkToken, NotificationState, Occasion, Subject},
    alarm_rule::Severity,
    ids::{AlarmId, AlarmRuleId, ChannelId, ContactId, NotificationId, StationId},
    time::Timestamp,
};
use sha2::{Digest as _, Sha256};

use crate::chain::By;

/// What is remembered of one condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionRow {
    /// The rule that asks; none: how far the released flow of a section was told to its rules.
    pub rule: Option<AlarmRuleId>,
    /// Of what.
    pub subject: Subject,
    /// The machine's state (`docs/formats.md` §15).
    pub state: String,
}

/// An alarm with its state and what lists show of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmRow {
    /// Which.
    pub id: AlarmId,
    /// The rule that raises it.
    pub rule: AlarmRuleId,
    /// What it speaks of.
    pub subject: Subject,
    /// How soon a person must act.
    pub severity: Severity,
    /// Whether it is practice.
    pub is_drill: bool,
    /// Where it stands.
    pub state: AlarmState,
    /// How often it has changed.
    pub version: u32,
    /// When its condition began to hold, by the river.
    pub began_at: Timestamp,
    /// When it was raised.
    pub raised_at: Option<Timestamp>,
    /// When somebody took it on.
    pub acknowledged_at: Option<Timestamp>,
    /// Who did: a contact by his link, or a user or a token.
    pub acknowledged_by: Option<By>,
    /// When its condition ended, by the river, or its rule was gone.
    pub cleared_at: Option<Timestamp>,
    /// What messages say of it.
    pub facts: String,
    /// The machine's state.
    pub bytes: String,
}

/// A stored alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmFacts {
    /// Its number, in the order in which alarms became known.
    pub number: i64,
    /// What was written of it.
    pub row: AlarmRow,
    /// The entry of an acknowledgement that alerting has not come to yet.
    pub asked: Option<i64>,
    /// Of one that stands, has a ladder and that nobody has taken on: that no channel has taken a
    /// message of it.
    pub unheard: Option<Unheard>,
}

/// An alarm of which nobody has been told for so long is a matter for a person.
pub const UNHEARD_MS: i64 = 300_000;

/// That no channel has taken any message of an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unheard {
    /// Nobody was to be told yet.
    Untold,
    /// Somebody is being told.
    Tried,
    /// Every message that was owed has come to nothing.
    InVain,
}

impl AlarmFacts {
    /// Whether it has reached nobody: whoever could be told was tried in vain, or nobody has been
    /// told for [`UNHEARD_MS`].
    pub fn has_reached_nobody(&self, now: Timestamp) -> bool {
        let waited_ms = self.row.raised_at.map_or(0, |raised_at| now.ms_since(raised_at));
        match self.unheard {
            None => false,
            Some(Unheard::InVain) => true,
            Some(Unheard::Untold | Unheard::Tried) => waited_ms > UNHEARD_MS,
        }
    }
}

/// Who is told of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EscalationRow {
    /// Of which.
    pub alarm: AlarmId,
    /// Whether something may still follow of it.
    pub is_open: bool,
    /// The machine's state.
    pub state: String,
}

/// A message with its state.
#[derive(Clone, PartialEq, Eq)]
pub struct NotificationRow {
    /// Which.
    pub id: NotificationId,
    /// The alarm that it speaks of.
    pub alarm: AlarmId,
    /// Whom it tells.
    pub contact: ContactId,
    /// By which channel.
    pub channel: ChannelId,
    /// Which of the contact's ways that is, from 0.
    pub way: u8,
    /// What it says.
    pub occasion: Occasion,
    /// Where it stands.
    pub state: NotificationState,
    /// How often it was tried.
    pub attempts: u32,
    /// Whether it may have arrived although nobody says so: an attempt got no answer.
    pub is_doubted: bool,
    /// When it was owed.
    pub owed_at: Timestamp,
    /// When a channel took it.
    pub sent_at: Option<Timestamp>,
    /// When it arrived, failed or expired.
    pub ended_at: Option<Timestamp>,
    /// What it says, with stars in the place of the token of its link.
    pub text: String,
    /// The token of its link, as long as it may have to be sent; then the store forgets it, and
    /// knows it by its digest alone.
    pub token: Option<LinkToken>,
    /// Whether something may still follow of it by itself.
    pub is_open: bool,
    /// The machine's state.
    pub bytes: String,
}

impl fmt::Debug for NotificationRow {
    /// Neither text nor state: the one speaks to a person, the other says no more than the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, alarm, contact, channel, state, .. } = self;
        write!(f, "message {id} of alarm {alarm} to {contact} by {channel}: {state}")
    }
}

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationFacts {
    /// Its number, in the order in which messages were owed.
    pub number: i64,
    /// What was written of it.
    pub row: NotificationRow,
}

/// All that alerting goes on with after a start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alarming {
    /// How far it has come in the feed of samples and in the journal; none before its first start.
    pub positions: Option<(i64, i64)>,
    /// The last moment at which it is known to have listened.
    pub listened_until: Option<Timestamp>,
    /// Every condition that is watched.
    pub conditions: Vec<ConditionRow>,
    /// Alarms that are not history, or of whose end somebody may still have to be told.
    pub alarms: Vec<AlarmRow>,
    /// Ladders of which something may follow.
    pub escalations: Vec<EscalationRow>,
    /// Messages of which something may follow by itself.
    pub notifications: Vec<NotificationRow>,
}

/// Which alarms to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmsQuery {
    /// Only in this state.
    pub state: Option<AlarmState>,
    /// Only of this station.
    pub station: Option<StationId>,
    /// Only those with a lower number: `next` of the page before.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A page of alarms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmPage {
    /// Newest first.
    pub alarms: Vec<AlarmFacts>,
    /// `before` of the next page; `None` at the end.
    pub next: Option<i64>,
}

/// Alarms that are not over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenAlarms {
    /// The newest of them, first, as many as were asked for.
    pub newest: Vec<AlarmFacts>,
    /// How many of all of them stand where.
    pub counts: Vec<(AlarmState, u32)>,
}

/// Which messages to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationsQuery {
    /// Of this alarm; none: of all.
    pub alarm: Option<AlarmId>,
    /// Only those with a lower number: `next` of the page before.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: usize,
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationPage {
    /// Newest first.
    pub notifications: Vec<NotificationFacts>,
    /// `before` of the next page; `None` at the end.
    pub next: Option<i64>,
}

/// What the token of a link stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// The message that it came with.
    pub message: NotificationId,
    /// The alarm that it leads to.
    pub alarm: AlarmId,
    /// Whom the message told.
    pub contact: ContactId,
    /// When it was owed.
    pub owed_at: Timestamp,
}

/// By what a link is looked up: how long that takes tells nothing about the token, since nobody
/// can aim at a digest.
pub(crate) fn digest(token: LinkToken) -> [u8; 32] {
    Sha256::digest(token.to_string().as_bytes()).into()
}

/// Rows for tests.
#[cfg(test)]
pub(crate) mod making {
    use super::*;

    /// An alarm that was raised.
    pub(crate) fn alarm_row(id: u128) -> AlarmRow {
        AlarmRow {
            id: AlarmId(id),
            rule: "low".parse().unwrap(),
            subject: "section A/dam".parse().unwrap(),
            severity: Severity::Orange,
            is_drill: false,
            state: AlarmState::Unacknowledged,
            version: 2,
            began_at: Timestamp::clamped(1),
            raised_at: Some(Timestamp::clamped(2)),
            acknowledged_at: None,
            acknowledged_by: None,
            cleared_at: None,
            facts: String::new(),
            bytes: String::new(),
        }
    }

    /// A message that is owed, with a link of its own number.
    pub(crate) fn notification_row(id: u64, alarm: u128) -> NotificationRow {
        NotificationRow {
            id: NotificationId(u128::from(id)),
            alarm: AlarmId(alarm),
            contact: "zhang".parse().unwrap(),
            channel: "sms".parse().unwrap(),
            way: 0,
            occasion: Occasion::Raised,
            state: NotificationState::Owed,
            attempts: 0,
            is_doubted: false,
            owed_at: Timestamp::clamped(2),
            sent_at: None,
            ended_at: None,
            text: "x".to_owned(),
            token: Some(LinkToken(id)),
            is_open: true,
            bytes: String::new(),
        }
    }
}
