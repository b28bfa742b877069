//! The client library in both its dialects, told as one; none of its types goes further.

mod v4;
mod v5;

use std::time::Duration;

use bytes::Bytes;

use super::{Answer, Options, Outgoing, Version};

/// How long TCP connect and CONNACK may take.
const CONNECT_SECONDS: u64 = 10;

/// The half that puts requests into the library's channel, without ever waiting.
pub(super) enum Client {
    V4(rumqttc::AsyncClient),
    V5(rumqttc::v5::AsyncClient),
}

/// The half that drives the connection.
pub(super) enum Wire {
    V4(Box<v4::Wire>),
    V5(Box<v5::Wire>),
}

/// The library's channel is full, or it refuses the topic.
#[derive(Debug)]
pub(super) struct NotQueued;

/// What the library tells.
#[derive(Debug)]
pub(super) enum Signal {
    /// CONNACK, with the largest packet that the broker takes.
    Connected { is_session_present: bool, max_packet_bytes: u32 },
    /// A publish was written under this packet id.
    PublishWritten(u16),
    /// A subscribe was written under this packet id.
    SubscribeWritten(u16),
    /// PUBACK.
    PublishAnswered(u16, Answer),
    /// SUBACK: for each filter nothing, or why it is refused.
    SubscribeAnswered(u16, Vec<Option<String>>),
    /// PUBLISH; the packet id if it is to be acknowledged.
    Arrived { topic: String, payload: Bytes, is_retained: bool, id: Option<u16> },
    /// Our DISCONNECT was written.
    Disconnected,
    /// A ping or another sign of life.
    Alive,
}

/// Why the library gave up.
#[derive(Debug)]
pub(super) enum WireError {
    /// CONNACK with a refusal.
    Refused(String),
    /// Anything else, in its words.
    Broken(String),
}

/// A fresh client and event loop, which share nothing with any before them.
pub(super) fn dial(options: &Options) -> (Client, Wire) {
    // Each publish is counted by the window. Each incoming message makes one ack at most, and of
    // those there are never more than packet ids: Mosquitto 2.0.11 sends more than it was told
    // that it may. The channel takes memory for what is in it alone.
    let requests = usize::from(options.window) + usize::from(u16::MAX) + 64;
    match options.version {
        Version::V4 => {
            let (client, wire) = v4::dial(options, requests);
            (Client::V4(client), Wire::V4(Box::new(wire)))
        }
        Version::V5 => {
            let (client, wire) = v5::dial(options, requests);
            (Client::V5(client), Wire::V5(Box::new(wire)))
        }
    }
}

/// Packet ids are drawn from this many; four windows, so that an id comes up again only long
/// after its publish was acknowledged, even by a broker that acknowledges out of order. The
/// library keeps a slot for each: its own default costs 14 MB.
const fn packet_ids(options: &Options) -> u16 {
    let ids = options.window.saturating_mul(4);
    if ids < 4 { 4 } else { ids }
}

/// The library panics below 5 s, and cannot write more than a u16 of seconds.
fn keep_alive(options: &Options) -> Duration {
    options.keep_alive.clamp(Duration::from_secs(5), Duration::from_hours(18))
}

impl Client {
    pub(super) fn publish(&self, message: Outgoing) -> Result<(), NotQueued> {
        let Outgoing { topic, payload, is_retained } = message;
        match self {
            Self::V4(client) => {
                let qos = rumqttc::QoS::AtLeastOnce;
                client.try_publish(topic, qos, is_retained, payload).map_err(|_full| NotQueued)
            }
            Self::V5(client) => {
                let qos = rumqttc::v5::mqttbytes::QoS::AtLeastOnce;
                client.try_publish(topic, qos, is_retained, payload).map_err(|_full| NotQueued)
            }
        }
    }

    pub(super) fn subscribe(&self, filters: &[String]) -> Result<(), NotQueued> {
        match self {
            Self::V4(client) => {
                client.try_subscribe_many(v4::filters(filters)).map_err(|_full| NotQueued)
            }
            Self::V5(client) => {
                client.try_subscribe_many(v5::filters(filters)).map_err(|_full| NotQueued)
            }
        }
    }

    pub(super) fn acknowledge(&self, id: u16) -> Result<(), NotQueued> {
        match self {
            Self::V4(client) => client.try_ack(&v4::acknowledged(id)).map_err(|_full| NotQueued),
            Self::V5(client) => client.try_ack(&v5::acknowledged(id)).map_err(|_full| NotQueued),
        }
    }

    pub(super) fn disconnect(&self) -> Result<(), NotQueued> {
        match self {
            Self::V4(client) => client.try_disconnect().map_err(|_full| NotQueued),
            Self::V5(client) => client.try_disconnect().map_err(|_full| NotQueued),
        }
    }
}

impl Wire {
    /// The next signal. Dropping this half-way may lose requests: only to abandon the connection.
    pub(super) async fn poll(&mut self) -> Result<Signal, WireError> {
        match self {
            Self::V4(wire) => wire.poll().await,
            Self::V5(wire) => wire.poll().await,
        }
    }

    /// After an error: what the broker had said before it and `poll` had not told yet.
    pub(super) fn left_over(&mut self) -> Vec<Signal> {
        match self {
            Self::V4(wire) => wire.left_over(),
            Self::V5(wire) => wire.left_over(),
        }
    }

    /// As agreed with the broker.
    pub(super) fn keep_alive(&self) -> Duration {
        match self {
            Self::V4(wire) => wire.keep_alive(),
            Self::V5(wire) => wire.keep_alive(),
        }
    }
}
