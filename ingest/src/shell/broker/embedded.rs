//! The broker of `mqtt5` under our rules.
//!
//! The library's own accounts and rules are not used: it lets strangers in unless it is told
//! otherwise, and it asks nobody whether a last will may be published where it would be. Both are
//! answered here as a connection is made.
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | connections | one an account, and [`SPARE`] of which nobody knows yet whose they are | refused |
//! | a packet | [`MAX_PACKET_BYTES`], which every client is told | the connection ends |
//! | messages on their way to a client, unacknowledged | what it announced, [`IN_FLIGHT`] at most | they wait |
//! | messages that wait for a client | [`LANE`], then [`QUEUED`] or [`QUEUED_BYTES`] | the oldest goes; an agent sends again what no notice named |
//! | retained messages | two an account | refused |
//!
//! What is queued or retained is in memory, and gone with the process.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use mqtt5::{
    broker::{
        AuthProvider, AuthResult, BrokerConfig, MqttBroker, StorageBackendType, StorageConfig,
    },
    packet::connect::ConnectPacket,
    protocol::v5::reason_codes::ReasonCode,
};
use runtime::mqtt::MAX_PACKET_BYTES;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Accounts, Broker, BrokerError, Refusals};
use crate::{rights::Account, shell::service::RECEIVE_MAXIMUM};

/// Connections of which nobody knows yet whose they are.
const SPARE: usize = 16;
/// Unacknowledged messages on their way to one client, as deploy/mosquitto sets it.
const IN_FLIGHT: u16 = RECEIVE_MAXIMUM;
/// Messages between the router and one client's connection.
const LANE: usize = 256;
/// What waits for a client that is away or slow: this many messages or bytes, whichever comes first.
const QUEUED: usize = 10_000;
const QUEUED_BYTES: usize = 64 << 20;
/// Filters of one client.
const FILTERS: usize = 16;

/// A broker on `port` of loopback; 0 takes a free one.
pub async fn embedded(
    port: u16,
    accounts: Accounts,
    refusals: Refusals,
) -> Result<Box<dyn Broker>, BrokerError> {
    let asked = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let failed = |why: String| BrokerError::Listen { address: asked, why };
    let bound = MqttBroker::with_config(config(asked, accounts.len())).await;
    let broker = bound.map_err(|error| failed(error.to_string()))?;
    let address = broker.local_addr().ok_or_else(|| failed("it got no address".to_owned()))?;
    // before it serves: what the library would have in its place lets everybody in
    let broker = broker.with_auth_provider(Arc::new(Rules { accounts, refusals }));
    Ok(Box::new(Embedded { broker, address }))
}

fn config(address: SocketAddr, accounts: usize) -> BrokerConfig {
    let packet = usize::try_from(MAX_PACKET_BYTES).unwrap_or(usize::MAX);
    let storage = StorageConfig::new()
        .with_backend(StorageBackendType::Memory)
        .with_max_queued_messages_per_client(QUEUED)
        .with_max_queued_bytes_per_client(QUEUED_BYTES);
    let mut config = BrokerConfig::new()
        .with_bind_address(address)
        .with_max_clients(accounts + SPARE)
        .with_max_packet_size(packet)
        .with_maximum_qos(1)
        .with_max_subscriptions_per_client(FILTERS)
        .with_max_retained_messages(2 * accounts.max(1))
        .with_client_channel_capacity(LANE)
        .with_max_outbound_inflight(IN_FLIGHT)
        .with_server_receive_maximum(RECEIVE_MAXIMUM)
        .with_storage(storage)
        .with_sys_topics_enabled(false);
    config.shared_subscription_available = false;
    config.topic_alias_maximum = 0;
    config
}

struct Embedded {
    broker: MqttBroker,
    address: SocketAddr,
}

impl Broker for Embedded {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn serve(
        self: Box<Self>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BrokerError>> {
        Box::pin(async move {
            let Self { mut broker, .. } = *self;
            let shutdown = broker.shutdown_handle();
            let mut ready = broker.ready_receiver();
            let asked = async {
                stop.cancelled().await;
                // before it is ready it would not hear that it is to end
                if ready.wait_for(|is_ready| *is_ready).await.is_ok() {
                    shutdown.shutdown();
                }
                std::future::pending().await
            };
            let ended = tokio::select! {
                ended = broker.run() => ended,
                never = asked => never,
            };
            match ended {
                Ok(()) if stop.is_cancelled() => Ok(()),
                Ok(()) => Err(BrokerError::Ended("nobody had asked it to".to_owned())),
                Err(error) => Err(BrokerError::Ended(error.to_string())),
            }
        })
    }
}

/// Our answers to what the library asks.
struct Rules {
    accounts: Accounts,
    refusals: Refusals,
}

impl Rules {
    /// Whether who connects may, and if not, why.
    fn judge(&self, connect: &ConnectPacket) -> Result<(), (ReasonCode, &'static str)> {
        let (Some(name), Some(password)) = (&connect.username, &connect.password) else {
            return Err((ReasonCode::NotAuthorized, "no account"));
        };
        let Some(account) = self.accounts.proved(name, password) else {
            return Err((ReasonCode::BadUsernameOrPassword, "unknown account or password"));
        };
        if connect.client_id != *name {
            return Err((ReasonCode::ClientIdentifierNotValid, "client id of another name"));
        }
        let will = connect.will.as_ref();
        if will.is_some_and(|will| !account.may_publish(&will.topic)) {
            return Err((ReasonCode::NotAuthorized, "last will on a topic of another"));
        }
        Ok(())
    }

    fn asked(&self, user: Option<&str>, what: &str, is_allowed: impl Fn(&Account) -> bool) -> bool {
        let is_allowed = self.accounts.named(user).is_some_and(is_allowed);
        if !is_allowed {
            self.refusals.count(what);
        }
        is_allowed
    }
}

impl AuthProvider for Rules {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        address: SocketAddr,
    ) -> BoxFuture<'a, mqtt5::Result<AuthResult>> {
        let result = match self.judge(connect) {
            Ok(()) => AuthResult::success_with_user(connect.client_id.as_str()),
            Err((code, reason)) => {
                self.refusals.count("connect");
                warn!(%address, reason, "broker refuses a client");
                AuthResult::fail(code)
            }
        };
        Box::pin(async { Ok(result) })
    }

    fn authorize_publish<'a>(
        &'a self,
        _client_id: &str,
        user: Option<&'a str>,
        topic: &'a str,
    ) -> BoxFuture<'a, bool> {
        let answer = self.asked(user, "publish", |account| account.may_publish(topic));
        Box::pin(async move { answer })
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _client_id: &str,
        user: Option<&'a str>,
        filter: &'a str,
    ) -> BoxFuture<'a, bool> {
        let answer = self.asked(user, "subscribe", |account| account.may_hear(filter));
        Box::pin(async move { answer })
    }
}
