//! MQTT 5 by `rumqttc::v5`.

use std::time::Duration;

use rumqttc::{
    NetworkOptions, Outgoing as Written,
    v5::{
        AsyncClient, ConnectionError, Event, EventLoop, MqttOptions,
        mqttbytes::{
            QoS,
            v5::{
                ConnAck, ConnectProperties, Filter, LastWill, Packet, PubAckReason, Publish,
                SubscribeReasonCode,
            },
        },
    },
};
use secrecy::ExposeSecret;

use super::{CONNECT_SECONDS, Signal, WireError, keep_alive, packet_ids};
use crate::mqtt::{Answer, MAX_PACKET_BYTES, Options, Session};

pub(in crate::mqtt) struct Wire {
    events: EventLoop,
    keep_alive: Duration,
}

pub(super) fn dial(options: &Options, requests: usize) -> (AsyncClient, Wire) {
    let broker = &options.broker;
    let mut mqtt = MqttOptions::new(&options.client_id, broker.authority(), broker.port());
    let expiry = match options.session {
        Session::Clean => None,
        Session::Kept(expiry) => Some(u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX)),
    };
    let mut connect = ConnectProperties::new();
    connect.session_expiry_interval = expiry;
    connect.receive_maximum = Some(options.receive_maximum.max(1));
    connect.max_packet_size = Some(MAX_PACKET_BYTES);
    mqtt.set_connect_properties(connect)
        .set_clean_start(expiry.is_none())
        .set_keep_alive(keep_alive(options))
        .set_connection_timeout(CONNECT_SECONDS)
        .set_manual_acks(true)
        .set_outgoing_inflight_upper_limit(packet_ids(options));
    if let Some(login) = &options.login {
        mqtt.set_credentials(&login.username, login.password.expose_secret());
    }
    if let Some(will) = &options.will {
        let payload = will.payload.to_vec();
        let qos = QoS::AtLeastOnce;
        mqtt.set_last_will(LastWill::new(&will.topic, payload, qos, will.is_retained, None));
    }
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    mqtt.set_network_options(network);
    let (client, events) = AsyncClient::new(mqtt, requests);
    (client, Wire { events, keep_alive: keep_alive(options) })
}

pub(super) fn filters(filters: &[String]) -> Vec<Filter> {
    filters.iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce)).collect()
}

/// What the library looks at to acknowledge the message of this packet id.
pub(super) fn acknowledged(id: u16) -> Publish {
    Publish { pkid: id, qos: QoS::AtLeastOnce, ..Publish::default() }
}

impl Wire {
    pub(super) async fn poll(&mut self) -> Result<Signal, WireError> {
        match self.events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(connack))) => Ok(self.connected(&connack)),
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
        self.events.options.keep_alive()
    }

    fn connected(&mut self, connack: &ConnAck) -> Signal {
        if self.keep_alive().is_zero() {
            // the broker wants no pings; without them the library pings without a pause, and we
            // would not notice a dead peer
            self.events.options.set_keep_alive(self.keep_alive);
        }
        let told = connack.properties.as_ref().and_then(|told| told.max_packet_size);
        Signal::Connected {
            is_session_present: connack.session_present,
            max_packet_bytes: told.unwrap_or(MAX_PACKET_BYTES).min(MAX_PACKET_BYTES),
        }
    }
}

fn signal(event: Event) -> Signal {
    match event {
        Event::Outgoing(Written::Publish(id)) => Signal::PublishWritten(id),
        Event::Outgoing(Written::Subscribe(id)) => Signal::SubscribeWritten(id),
        Event::Outgoing(Written::Disconnect) => Signal::Disconnected,
        Event::Incoming(Packet::PubAck(ack)) => {
            Signal::PublishAnswered(ack.pkid, answer(ack.reason))
        }
        Event::Incoming(Packet::SubAck(ack)) => {
            let refusals = ack.return_codes.into_iter().map(|code| {
                let is_granted = matches!(code, SubscribeReasonCode::Success(_));
                (!is_granted).then(|| format!("{code:?}"))
            });
            Signal::SubscribeAnswered(ack.pkid, refusals.collect())
        }
        Event::Incoming(Packet::Publish(message)) => Signal::Arrived {
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            payload: message.payload,
            is_retained: message.retain,
            id: (message.qos != QoS::AtMostOnce).then_some(message.pkid),
        },
        Event::Outgoing(_) | Event::Incoming(_) => Signal::Alive,
    }
}

fn answer(reason: PubAckReason) -> Answer {
    if reason == PubAckReason::Success {
        Answer::Taken
    } else if reason == PubAckReason::NoMatchingSubscribers {
        Answer::Unheard
    } else {
        Answer::Refused(format!("{reason:?}"))
    }
}
