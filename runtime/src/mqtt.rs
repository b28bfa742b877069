//! The life of one connection to an MQTT broker, 3.1.1 or 5, as a pipe that may forget everything.
//!
//! [`open`] starts a connection and gives its two ends: a [`Pipe`] to write to and [`Events`] to
//! read from. The pipe never reconnects. Whatever goes wrong ends it with [`Event::Closed`]; the
//! owner waits by [`Backoff`] and opens another one, which knows nothing of the first. So no queue
//! of the client library outlives the connection it was made for, and none of that library's
//! faults on reconnecting can be met. What must not be lost is kept by the owner until somebody
//! beyond the broker says that it is durable; [`Event::Acknowledged`] paces, and proves nothing.
//!
//! One task owns the library's event loop. It takes the next event, hands it over, and does
//! nothing else. Where events are not taken as fast as they come it stops reading, so that the
//! rest waits at the broker: the library reads, writes and pings in one call, and has no other
//! way to be told that there is enough. A pause of more than 1.5 times the keep-alive lets the
//! broker end the connection; with a kept session it then sends again what was not acknowledged.
//!
//! | queue | bound | at the bound |
//! |---|---|---|
//! | publishes not yet acknowledged | [`Options::window`] | [`PipeError::Full`]; try again after an `Acknowledged` |
//! | acknowledgements to send | 65,535, as many as there are packet ids | the connection ends, [`Closed::Overflow`]; the broker sends the messages again |
//! | events not yet taken | both of them + 64, and [`Options::backlog_bytes`] | reading pauses, which [`Events::pauses`] counts |

mod backoff;
mod broker;
mod ledger;
mod pipe;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use model::fault::Fault;
use secrecy::SecretString;

pub use backoff::Backoff;
pub use broker::{Broker, BrokerError};
pub use pipe::{Ack, Events, Pipe, PipeError, open};

/// The largest packet either way, announced to brokers that speak MQTT 5: a payload of 2 MiB, and
/// 1 KiB for its topic and header.
pub const MAX_PACKET_BYTES: u32 = (2 << 20) + 1024;

/// Which MQTT is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 3.1.1: refusals of publishes are not told, Receive Maximum is not announced.
    V4,
    /// 5.
    V5,
}

/// How long the broker remembers this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Not at all: both sides start afresh.
    Clean,
    /// It keeps subscriptions and messages under the client id for so long after a disconnect;
    /// with 3.1.1, as long as it likes.
    Kept(Duration),
}

/// Who the client says it is.
#[derive(Debug, Clone)]
pub struct Login {
    /// The broker's name for it.
    pub username: String,
    /// Never logged.
    pub password: SecretString,
}

/// A retained or passing message, sent at least once (quality of service 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Without wildcards.
    pub topic: String,
    /// At most [`MAX_PACKET_BYTES`] with the topic, less where the broker says so.
    pub payload: Bytes,
    /// Whether the broker keeps it for later subscribers.
    pub is_retained: bool,
}

/// What a connection is opened with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the broker listens.
    pub broker: Broker,
    /// The protocol it is spoken to in.
    pub version: Version,
    /// Unique at the broker, which ends an older connection of the same id; not empty.
    pub client_id: String,
    /// None for anonymous.
    pub login: Option<Login>,
    /// How often a quiet line is tried, from 5 s on. A dead peer shows within 2.5 times this.
    pub keep_alive: Duration,
    /// What the broker remembers.
    pub session: Session,
    /// What the broker publishes if this connection ends without [`Pipe::close`].
    pub will: Option<Outgoing>,
    /// Publishes that may await their acknowledgement. Memory is 1 KiB each.
    pub window: u16,
    /// Messages that the broker may send before the first is acknowledged. Some send more: what
    /// holds is the bound on events.
    pub receive_maximum: u16,
    /// Payload bytes that may wait in [`Events`], beside one message more.
    pub backlog_bytes: usize,
}

impl Options {
    /// What an agent uses: MQTT 5, anonymous, nothing remembered, small windows. Set the fields
    /// that should differ.
    pub const fn new(broker: Broker, client_id: String) -> Self {
        Self {
            broker,
            version: Version::V5,
            client_id,
            login: None,
            keep_alive: Duration::from_secs(30),
            session: Session::Clean,
            will: None,
            window: 16,
            receive_maximum: 64,
            backlog_bytes: 4 << 20,
        }
    }

    /// Which broker it was and why it ended, in words; where the broker would not let us in, with
    /// the account that was tried and what to look at.
    pub fn told(&self, why: &Closed) -> String {
        let told = format!("{}: {why}", self.broker);
        match (&self.login, why) {
            (Some(Login { username, .. }), Closed::Refused(_)) => format!(
                "{told}; tried as `{username}` with the password of the settings: see mqtt.username, the password, and the broker's accounts"
            ),
            (None, Closed::Refused(_)) => {
                format!("{told}; tried without an account: see mqtt.username")
            }
            (Some(_) | None, _) => told,
        }
    }
}

/// What happens on a connection, in this order at first: `Connected`, then `Subscribed` for each
/// [`Pipe::subscribe`]; at the end always `Closed`.
#[derive(Debug)]
pub enum Event {
    /// The broker let us in. With a [`Session::Kept`], messages may come before any subscription.
    Connected {
        /// Whether the broker still had the session.
        is_session_present: bool,
    },
    /// The broker answered a [`Pipe::subscribe`].
    Subscribed {
        /// The filters it refused, each with its reason; empty if all is well.
        refused: Vec<(String, String)>,
    },
    /// A message arrived.
    Message(Message),
    /// The broker answered the publish of this token.
    Acknowledged {
        /// As given to [`Pipe::publish`].
        token: u64,
        /// What became of it at the broker.
        answer: Answer,
    },
    /// The connection is over, and so are all its tokens and acks.
    Closed(Closed),
}

/// A message for us.
#[derive(Debug)]
pub struct Message {
    /// Where it was published.
    pub topic: String,
    /// As published.
    pub payload: Bytes,
    /// Whether the broker kept it for us from before the subscription.
    pub is_retained: bool,
    /// To be sent once the message is dealt with; none for one sent at most once.
    pub ack: Option<Ack>,
}

/// What a broker says to a publish. Brokers of 3.1.1 say `Taken` to everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It has it.
    Taken,
    /// It has it and nobody to give it to.
    Unheard,
    /// It will not have it, for this reason.
    Refused(String),
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// By [`Pipe::close`].
    #[error("connection closed on request")]
    OnRequest,
    /// The broker answered and will not let us in.
    #[error("broker refuses the connection: {0}")]
    Refused(String),
    /// There was no connection yet.
    #[error("cannot reach the broker: {0}")]
    Unreachable(String),
    /// There was one, and it broke.
    #[error("connection to the broker is lost: {0}")]
    Lost(String),
    /// Not a sign from the client library or the broker for so long.
    #[error("nothing heard from the broker for {0:?}")]
    Silent(Duration),
    /// A broker sent more messages before their acknowledgement than there are packet ids.
    #[error("more messages to acknowledge than MQTT allows")]
    Overflow,
}

impl Closed {
    /// Every connection is worth another try: brokers restart, and people mend settings.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::OnRequest
            | Self::Refused(_)
            | Self::Unreachable(_)
            | Self::Lost(_)
            | Self::Silent(_)
            | Self::Overflow => Fault::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(username: Option<&str>, why: &Closed, expected: &Expect) {
        let mut options = Options::new("mqtt://h:1883".parse().unwrap(), "gw".to_owned());
        let password = || SecretString::from("secret");
        options.login =
            username.map(|name| Login { username: name.to_owned(), password: password() });
        expected.assert_eq(&options.told(why));
    }

    #[test]
    fn who_is_not_let_in_is_told_as_whom_it_was_tried_and_what_to_look_at() {
        let refused = Closed::Refused("NotAuthorized".to_owned());
        check(
            Some("gw-luming"),
            &refused,
            &expect![[
                r#"mqtt://h:1883: broker refuses the connection: NotAuthorized; tried as `gw-luming` with the password of the settings: see mqtt.username, the password, and the broker's accounts"#
            ]],
        );
        check(
            None,
            &refused,
            &expect![[
                r#"mqtt://h:1883: broker refuses the connection: NotAuthorized; tried without an account: see mqtt.username"#
            ]],
        );
        let unreachable = Closed::Unreachable("connection refused".to_owned());
        check(
            Some("gw-luming"),
            &unreachable,
            &expect![[r#"mqtt://h:1883: cannot reach the broker: connection refused"#]],
        );
    }
}
