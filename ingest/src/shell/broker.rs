//! A broker within this process, for a demonstration on one machine: whoever serves knows no more
//! of it than [`Broker`].

mod embedded;

use std::{collections::BTreeMap, fmt, net::SocketAddr};

use futures_util::future::BoxFuture;
use model::fault::Fault;
use prometheus::{Error as MetricsError, IntCounterVec, Registry};
use runtime::{metrics::Subsystem, tasks::Failure};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

pub use self::embedded::embedded;
use crate::rights::Account;

/// A broker that listens, and serves once it is asked to.
pub trait Broker: Send {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Serves until `stop`, then ends its connections; or until it can serve no more.
    fn serve(
        self: Box<Self>,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<(), BrokerError>>;
}

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The port is taken, or another such thing.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// In the words of the library, whose errors have no place to keep the cause.
        why: String,
    },
    /// It ended by itself.
    #[error("the broker serves no more: {0}")]
    Ended(String),
}

impl Failure for BrokerError {
    fn fault(&self) -> Fault {
        match self {
            Self::Listen { .. } => Fault::Permanent,
            // nothing else of this process makes sense without it
            Self::Ended(_) => Fault::Bug,
        }
    }
}

/// Who may log in, by the names that they log in as. A client's id must be that name: else whoever
/// has an account could end the connection of another, and throw away what is queued for it.
#[derive(Default)]
pub struct Accounts(BTreeMap<String, Known>);

struct Known {
    account: Account,
    /// SHA-256 of a password that is random: nobody finds it by trying.
    digest: [u8; 32],
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Accounts {
    /// Lets somebody in by a random password; replaces who had the name.
    pub fn add(&mut self, name: String, account: Account, password: &SecretString) {
        let digest = Sha256::digest(password.expose_secret().as_bytes()).into();
        self.0.insert(name, Known { account, digest });
    }

    /// How many may be connected at once.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody may.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn named(&self, name: Option<&str>) -> Option<&Account> {
        self.0.get(name?).map(|known| &known.account)
    }

    fn proved(&self, name: &str, password: &[u8]) -> Option<&Account> {
        let known = self.0.get(name)?;
        (known.digest == <[u8; 32]>::from(Sha256::digest(password))).then_some(&known.account)
    }
}

/// What the broker's rules refused.
#[derive(Debug, Clone)]
pub struct Refusals(IntCounterVec);

impl Refusals {
    const WHAT: [&str; 3] = ["connect", "publish", "subscribe"];

    /// Registers them, every label value at 0.
    pub fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let refused = ("broker_refused_total", "what the embedded broker refused");
        Subsystem::new("ingest", registry).counters_of(refused, "what", Self::WHAT).map(Self)
    }

    fn count(&self, what: &str) {
        self.0.with_label_values(&[what]).inc();
    }
}
