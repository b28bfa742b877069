//! Whose values contradicted what is stored of the same moments, lately.
//!
//! A gateway does not contradict itself: two that use one name do, each with a spool of its own, and
//! so does a meter that is read twice. The store keeps the first value and counts the others; who
//! looks at the server is told for a while, since somebody has to find out which of them it is.

use std::collections::BTreeMap;

use model::{ids::AgentId, time::Timestamp};

/// For how long a contradiction is told.
pub const LASTING_MS: i64 = 60 * 60 * 1_000;
/// Senders that are remembered; beyond them the one that was quiet for longest is forgotten.
const SENDERS: usize = 1_024;

/// Of each sender.
#[derive(Debug, Default)]
pub struct Contradictions(BTreeMap<AgentId, Contradicting>);

/// How often somebody contradicted, since when and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradicting {
    /// How many values.
    pub values: u64,
    /// When the first of them came.
    pub first_at: Timestamp,
    /// When the last of them came; they are told until an hour after it.
    pub last_at: Timestamp,
}

impl Contradictions {
    /// So many values of `agent` did.
    pub fn note(&mut self, agent: &AgentId, values: u64, now: Timestamp) {
        self.forget(now);
        if self.0.len() >= SENDERS && !self.0.contains_key(agent) {
            let quietest = self.0.iter().min_by_key(|(_, known)| known.last_at);
            if let Some(quietest) = quietest.map(|(agent, _)| agent.clone()) {
                self.0.remove(&quietest);
            }
        }
        let new = Contradicting { values: 0, first_at: now, last_at: now };
        let known = self.0.entry(agent.clone()).or_insert(new);
        known.values = known.values.saturating_add(values);
        known.last_at = now;
    }

    /// Who did within the last hour, by name.
    pub fn lately(&mut self, now: Timestamp) -> Vec<(AgentId, Contradicting)> {
        self.forget(now);
        self.0.iter().map(|(agent, known)| (agent.clone(), *known)).collect()
    }

    fn forget(&mut self, now: Timestamp) {
        self.0.retain(|_, known| now.ms_since(known.last_at) < LASTING_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contradiction_is_told_for_an_hour_after_the_last() {
        let agent = |name: &str| name.parse::<AgentId>().unwrap();
        let at = Timestamp::clamped;
        let mut contradictions = Contradictions::default();
        assert_eq!(contradictions.lately(at(0)), []);
        contradictions.note(&agent("b"), 2, at(0));
        contradictions.note(&agent("b"), 3, at(1_000));
        contradictions.note(&agent("a"), 1, at(2_000));
        let b = Contradicting { values: 5, first_at: at(0), last_at: at(1_000) };
        let a = Contradicting { values: 1, first_at: at(2_000), last_at: at(2_000) };
        let both = [(agent("a"), a), (agent("b"), b)];
        assert_eq!(contradictions.lately(at(LASTING_MS + 999)), both);
        assert_eq!(contradictions.lately(at(LASTING_MS + 1_000)), both[..1]);
        assert_eq!(contradictions.lately(at(LASTING_MS + 2_000)), []);
    }

    #[test]
    fn so_many_are_remembered_and_the_quietest_is_forgotten() {
        let mut contradictions = Contradictions::default();
        let agent = |place: usize| format!("gw-{place:04}").parse::<AgentId>().unwrap();
        for (ms, place) in (0..).zip(0..=SENDERS) {
            contradictions.note(&agent(place), 1, Timestamp::clamped(ms));
        }
        let lately = contradictions.lately(Timestamp::clamped(0));
        assert_eq!((lately.len(), lately[0].0.clone()), (SENDERS, agent(1)));
    }
}
