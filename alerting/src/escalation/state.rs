//! What the ladder of an alarm remembers.

use model::{
    alarm::Occasion,
    ids::{AlarmId, ContactId, NotificationId, RotaId},
    ladder::{Rung, Told},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::event::People;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    Open,
    Taken,
    Over,
}

/// A rung as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Contact { contact: ContactId, after_ms: i64 },
    Rota { rota: RotaId, after_ms: i64 },
}

impl Step {
    pub(super) fn of(rung: &Rung) -> Self {
        let after_ms = rung.after_ms;
        match &rung.who {
            Told::Contact(contact) => Self::Contact { contact: contact.clone(), after_ms },
            Told::Rota(rota) => Self::Rota { rota: rota.clone(), after_ms },
        }
    }

    pub(super) const fn after_ms(&self) -> i64 {
        match self {
            Self::Contact { after_ms, .. } | Self::Rota { after_ms, .. } => *after_ms,
        }
    }

    pub(super) fn who(&self, people: People<'_>, now: Timestamp) -> Vec<ContactId> {
        match self {
            Self::Contact { contact, .. } => vec![contact.clone()],
            Self::Rota { rota, .. } => {
                let on_duty = people.rotas.get(rota).map(|rota| rota.on_duty(now));
                on_duty.unwrap_or_default().into_iter().cloned().collect()
            }
        }
    }
}

/// Somebody who was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    pub(super) contact: ContactId,
    pub(super) told_at: Timestamp,
    /// The message that he was told by last.
    pub(super) last: NotificationId,
    pub(super) occasion: Occasion,
    /// The round that it belongs to.
    pub(super) round: u32,
    pub(super) way: u8,
    /// Every way was tried for good.
    pub(super) is_lost: bool,
    /// A channel took a message for him, by this way.
    pub(super) reached_by: Option<u8>,
    /// One may have taken a message for him, by this way.
    pub(super) doubted_by: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Message {
    pub(super) id: NotificationId,
    /// The place of whom it is to in `people`.
    pub(super) person: usize,
    pub(super) way: u8,
    /// A channel took it; whether it arrives may be heard yet.
    pub(super) is_taken: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own that is kept")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    pub(super) alarm: AlarmId,
    pub(super) raised_at: Timestamp,
    pub(super) phase: Phase,
    pub(super) steps: Vec<Step>,
    /// How many of them were told.
    pub(super) told: usize,
    /// Whom the latest rung rests on, as places in `people`.
    pub(super) rests_on: Vec<usize>,
    pub(super) rounds: u32,
    /// Reminders of which a channel took one at least.
    pub(super) reminders: u32,
    /// A channel took a message since the latest reminder was due.
    pub(super) is_heard: bool,
    /// That the ladder has ended was said.
    pub(super) is_end_said: bool,
    pub(super) remind_at: Option<Timestamp>,
    pub(super) is_nobody_said: bool,
    pub(super) people: Vec<Person>,
    /// Messages that have neither arrived nor come to nothing.
    pub(super) messages: Vec<Message>,
}
