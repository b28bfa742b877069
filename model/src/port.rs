//! What one part of the server asks of another that it may not name: `baseflow` hands it in.

mod link;
mod receipt;

use std::{error::Error, fmt, future::Future, pin::Pin};

pub use self::{
    link::{Acknowledged, Concern, Ended, LinkView, Links, ShownFlow, TakenBy, TakenOn},
    receipt::{Receipt, ReceiptTaken, Receipts},
};

/// An answer that takes a while.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Judges again what was quarantined; ingest implements it, the API asks for it.
pub trait Replay: fmt::Debug + Send + Sync {
    /// Judges the item again under the registry in force, and admits what it now allows. `by` is
    /// whoever asked, for the journal.
    fn replay(&self, id: i64, by: Asker) -> Answer<'_, Result<Replayed, ReplayError>>;
}

/// Who asks the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    /// A program, by the token of this name.
    Token(String),
    /// Somebody who logged in under this name.
    User(String),
}

/// What came of judging again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// Something was admitted.
    Admitted {
        /// The gauges that were.
        gauges: Vec<String>,
        /// How many batches something was admitted of.
        batches: u64,
        /// What is still refused, each with its reason in words.
        still_refused: Vec<String>,
    },
    /// The registry refuses all of it as before.
    StillRefused(Vec<String>),
    /// There is no such item.
    Unknown,
    /// It was replayed or discarded before, or its original has gone.
    NotHeld,
}

/// Why an item could not be judged again.
#[derive(Debug, thiserror::Error)]
#[error("cannot replay quarantined item {id}")]
pub struct ReplayError {
    /// Which.
    pub id: i64,
    /// What the store says.
    pub source: Box<dyn Error + Send + Sync>,
}

/// Why alerting could not answer at the moment; asked again, it may.
#[derive(Debug, thiserror::Error)]
#[error("alerting cannot answer")]
pub struct AlertingError {
    /// What it met.
    pub source: Box<dyn Error + Send + Sync>,
}
