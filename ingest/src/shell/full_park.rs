//! Who is told that the park is full, and how often: an agent asks again for each batch it keeps.

use std::sync::{Arc, Mutex, PoisonError};

use model::{ids::AgentId, time::Timestamp};
use runtime::telemetry::Repeats;
use store::ParkBound;
use tracing::warn;

/// Remembers who was told; clones share it.
#[derive(Debug, Clone, Default)]
pub struct FullPark(Arc<Mutex<Repeats<AgentId>>>);

impl FullPark {
    /// A batch found no room: `true` if its sender is to be told, the first time and then once a
    /// minute. The log has it as often; the store counts every one.
    pub fn note(&self, agent: &AgentId, bound: ParkBound, now: Timestamp) -> bool {
        let mut repeats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(held_back) = repeats.note(agent.clone(), now) else { return false };
        warn!(%agent, bound = bound.word(), held_back, "no room in the park");
        true
    }
}
