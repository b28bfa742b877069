//! What the calls work with, handed in by whoever composes the server.

use std::sync::Arc;

use model::{port::Replay, registry::Registry};
use runtime::{clock::Clock, tasks::Stage};
use store::{Decided, Journal, Samples};

use super::{
    hooks::Hooks,
    live::Picture,
    metrics::Metrics,
    pages::Pages,
    people::People,
    site::Site,
    waters::{Water, Waters},
};

/// Everything that a call may need.
#[derive(Debug)]
pub struct Parts {
    /// Samples, agents and the quarantine.
    pub samples: Samples,
    /// Registry, tokens and decisions.
    pub journal: Journal,
    /// Who judges refused input again; `None` in a server without ingest.
    pub replay: Option<Arc<dyn Replay>>,
    /// Where gateways deliver receipts.
    pub hooks: Hooks,
    /// The pages behind links in messages.
    pub pages: Pages,
    /// Who logs in.
    pub people: People,
    /// The pages that browsers draw.
    pub site: Site,
    /// How rivers flow.
    pub waters: Waters,
    /// What is told live.
    pub picture: Picture,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Which decisions are journalled and have still to come about.
    pub decided: Decided,
    /// Whose tasks go on to their end, whether or not who asked still waits.
    pub stage: Stage,
    /// What is counted.
    pub metrics: Metrics,
}

impl Parts {
    /// The registry in force, an empty one before the first import.
    pub fn registry(&self) -> Arc<Registry> {
        self.journal.registry()
    }

    /// The same, with what follows from it.
    pub(crate) fn water(&self) -> Arc<Water> {
        self.waters.in_force(&self.journal)
    }
}
