//! MQTT 3.1.1 by `rumqttc`.

use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, NetworkOptions,
    Outgoing as Written, Packet, Publish, QoS, SubscribeFilter, SubscribeReasonCode,
};
use secrecy::ExposeSecret;

use super::{CONNECT_SECONDS, Signal, WireError, keep_alive, packet_ids};
use crate::mqtt::{Answer, MAX_PACKET_BYTES, Options, Session};

pub(in crate::mqtt) struct Wire {
    events: EventLoop,
}

pub(super) fn dial(options: &Options, requests: usize) -> (AsyncClient, Wire) {
    let broker = &options.broker;
    let max_packet = usize::try_from(MAX_PACKET_BYTES).unwrap_or(usize::MAX);
    // the protocol allows no kept session without a client id, and the library panics on one
    let is_clean = options.session == Session::Clean || options.client_id.is_empty();
    let mut mqtt = MqttOptions::new(&options.client_id, broker.authority(), broker.port());
    mqtt.set_clean_session(is_clean)
        .set_keep_alive(keep_alive(options))
        .set_max_packet_size(max_packet, max_packet)
        .set_manual_acks(true)
        .set_inflight(packet_ids(options));
    if let Some(login) = &options.login {
        mqtt.set_credentials(&login.username, login.password.expose_secret());
    }
    if let Some(will) = &options.will {
        let payload = will.payload.to_vec();
        let qos = QoS::AtLeastOnce;
        mqtt.set_last_will(LastWill::new(&will.topic, payload, qos, will.is_retained));
    }
    let (client, mut events) = AsyncClient::new(mqtt, requests);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_SECONDS);
    events.set_network_options(network);
    (client, Wire { events })
}

pub(super) fn filters(filters: &[String]) -> Vec<SubscribeFilter> {
    let filters = filters.iter();
    filters.map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce)).collect()
}

/// What the library looks at to acknowledge the message of this packet id.
pub(super) fn acknowledged(id: u16) -> Publish {
    let mut message = Publish::new("", QoS::AtLeastOnce, Vec::new());
    message.pkid = id;
    message
}

impl Wire {
    pub(super) async fn poll(&mut self) -> Result<Signal, WireError> {
        match self.events.poll().await {
            Ok(event) => Ok(signal(event)),
            Err(ConnectionError::ConnectionRefused(code)) => {
                Err(WireError::Refused(format!("{code:?}")))
            }
            Err(error) => Err(WireError::Broken(error.to_string())),
        }
    }

    pub(super) fn left_over(&mut self) -> Vec<Signal> {
        self.events.state.events.drain(..).map(signal).collect()
    }

    pub(super) fn keep_alive(&self) -> Duration {
        self.events.mqtt_options.keep_alive()
    }
}

fn signal(event: Event) -> Signal {
    match event {
        Event::Incoming(Packet::ConnAck(connack)) => Signal::Connected {
            is_session_present: connack.session_present,
            max_packet_bytes: MAX_PACKET_BYTES,
        },
        Event::Outgoing(Written::Publish(id)) => Signal::PublishWritten(id),
        Event::Outgoing(Written::Subscribe(id)) => Signal::SubscribeWritten(id),
        Event::Outgoing(Written::Disconnect) => Signal::Disconnected,
        Event::Incoming(Packet::PubAck(ack)) => Signal::PublishAnswered(ack.pkid, Answer::Taken),
        Event::Incoming(Packet::SubAck(ack)) => {
            let refusals = ack.return_codes.into_iter().map(|code| match code {
                SubscribeReasonCode::Success(_) => None,
                SubscribeReasonCode::Failure => Some("Failure".to_owned()),
            });
            Signal::SubscribeAnswered(ack.pkid, refusals.collect())
        }
        Event::Incoming(Packet::Publish(message)) => Signal::Arrived {
            topic: message.topic,
            payload: message.payload,
            is_retained: message.retain,
            id: (message.qos != QoS::AtMostOnce).then_some(message.pkid),
        },
        Event::Outgoing(_) | Event::Incoming(_) => Signal::Alive,
    }
}
