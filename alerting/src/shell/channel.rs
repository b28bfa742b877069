//! What a channel is: a way by which a message leaves for a person.
//!
//! A channel hands over one message and says what became of it; it keeps nothing, retries nothing
//! and decides nothing. Whoever calls it has stored the attempt before, gives it
//! [`ATTEMPT_LIMIT`] altogether where it has a place for it, and stores the answer after. An attempt that was cut off by a
//! crash or by that limit is made again under the same [`Outgoing::id`]: a channel that can passes
//! the id on, so that the other end may tell a repetition from a second message.
//!
//! A receipt comes another way and later: whoever takes it appends it to the journal
//! (`store::TakeReceipt`), and alerting finds it there.

mod departure;
mod http;
pub mod kannel;
mod trust;

use std::{error::Error, fmt, time::Duration};

use model::{contact::Personal, fault::Fault, ids::NotificationId, port::Answer};

/// What an attempt may take. Less than
/// `Schedule::URGENT.attempt_ms`, so that an attempt has ended before it counts as in vain and is
/// made again.
pub const ATTEMPT_LIMIT: Duration = Duration::from_secs(25);

/// A way by which messages leave.
pub trait Channel: fmt::Debug + Send + Sync + 'static {
    /// Hands one message over. May be dropped at any moment, which counts as unanswered.
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>>;

    /// How many messages may be on their way at once; the others are not begun.
    fn places(&self) -> usize {
        8
    }

    /// Units of UTF-16 that the channel, or the gateway behind it, adds to a text by itself, such
    /// as a signature 【张掖水务】; at most [`crate::sms::RESERVED`].
    fn reserved(&self) -> u8 {
        0
    }
}

/// A message on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The same at each attempt: what makes two attempts one message.
    pub id: NotificationId,
    /// Which attempt it is, from 1.
    pub attempt: u32,
    /// The number or address on this channel; never logged.
    pub to: Personal,
    /// What is said, link included, at most two parts of an SMS; never logged, since the link is a
    /// key.
    pub text: Text,
}

/// A text that is printed nowhere by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text as it is to be sent.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the channel.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[text]")
    }
}

/// That the other end took a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// And nothing more will be heard of it.
    ForGood,
    /// And a receipt will say whether it arrived.
    WithReceipt,
}

/// Why a channel did not take a message. No text of it holds an address, a message or a secret:
/// it is logged.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The other end cannot be reached, or the way to it broke before it had all of the message.
    #[error("cannot reach {place}")]
    Reach {
        /// Where, without secrets.
        place: String,
        /// What broke.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It was given the message whole and did not answer, or the way to it broke then: it may have
    /// taken it.
    #[error("no answer from {place}")]
    Unanswered {
        /// Where, without secrets.
        place: String,
        /// What was waited for.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It was given the message, and what it answered does not say whether it took it.
    #[error("it may have been taken: {what}")]
    Unclear {
        /// What it said, as far as it can be shown.
        what: String,
    },
    /// The other end, or the channel itself, refuses for now: it is busy, or set up wrongly, which
    /// a person may put right while the message is tried again.
    #[error("refused for now: {what}")]
    ForNow {
        /// What it said, as far as it can be shown.
        what: String,
    },
    /// This message to this address will never be taken.
    #[error("refused for good: {what}")]
    ForGood {
        /// What it said, as far as it can be shown.
        what: String,
    },
    /// The limit passed.
    #[error("no answer within {} s", ATTEMPT_LIMIT.as_secs())]
    Silent,
}

impl ChannelError {
    /// Only what is refused for good is not tried again.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Reach { .. }
            | Self::Unanswered { .. }
            | Self::Unclear { .. }
            | Self::ForNow { .. }
            | Self::Silent => Fault::Transient,
            Self::ForGood { .. } => Fault::Permanent,
        }
    }

    /// Whether the other end may have taken the message all the same.
    pub const fn is_doubtful(&self) -> bool {
        match self {
            Self::Unanswered { .. } | Self::Unclear { .. } | Self::Silent => true,
            Self::Reach { .. } | Self::ForNow { .. } | Self::ForGood { .. } => false,
        }
    }
}
