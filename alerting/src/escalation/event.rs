//! What the ladder of an alarm is told, and what it asks for.

use std::collections::BTreeMap;

use model::{
    alarm::Occasion,
    contact::{Contact, Locale, Personal},
    ids::{AlarmId, ChannelId, ContactId, NotificationId, RotaId},
    registry::Registry,
    rota::Rota,
    time::Timestamp,
};

/// The people of the registry in force.
#[derive(Debug, Clone, Copy)]
pub struct People<'a> {
    /// Contacts by id.
    pub contacts: &'a BTreeMap<ContactId, Contact>,
    /// Rotas by id.
    pub rotas: &'a BTreeMap<RotaId, Rota>,
}

impl<'a> From<&'a Registry> for People<'a> {
    fn from(registry: &'a Registry) -> Self {
        Self { contacts: &registry.contacts, rotas: &registry.rotas }
    }
}

/// What the machine is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The deadline has passed.
    Tick,
    /// A person took the alarm on.
    Acknowledged,
    /// The alarm is over.
    Over,
    /// A channel took this message.
    Sent(NotificationId),
    /// It is known to have arrived, be it after all.
    Arrived(NotificationId),
    /// Nobody knows whether a channel took this message, since no answer came or the process ended
    /// meanwhile: whom it is for may have been told.
    Doubted {
        /// Which.
        message: NotificationId,
        /// When it was handed to that channel.
        tried_at: Timestamp,
    },
    /// It failed or expired, and nothing is tried of it any longer.
    Gone(NotificationId),
    /// It has waited long for a place on its channel, and waits on.
    Delayed(NotificationId),
    /// This message asks to be passed on.
    Unreached(NotificationId),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A message is owed.
    Owe(Owed),
    /// This message is needed no longer, if no channel has taken it.
    Recall(NotificationId),
    /// The ladder has ended and nobody has taken the alarm on.
    LadderEnded,
    /// The reminders have ended, and nobody has.
    RemindersEnded,
    /// Nobody of the whole ladder can be reached; a person must act.
    NobodyReached,
}

/// A message to one person by one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Its id, the same however often it is tried.
    pub id: NotificationId,
    /// The alarm that it speaks of.
    pub alarm: AlarmId,
    /// What it says of it.
    pub occasion: Occasion,
    /// To whom.
    pub contact: ContactId,
    /// In which language.
    pub locale: Locale,
    /// By which channel.
    pub channel: ChannelId,
    /// Which of the contact's ways that is, from 0.
    pub way: u8,
    /// To which number or address there.
    pub to: Personal,
}
