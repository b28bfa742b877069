//! Commit notices owed: which sequences to name to whom, united until they can be sent.

use std::collections::BTreeMap;

use model::{
    batch::CommitNotice,
    ids::{AgentId, BatchId, Epoch, Sequence, StoreId},
    wire::commit_v1::MAX_RANGES,
};

/// Sequences that are durable and not yet told to their agents.
///
/// Bounded by `MAX_OWED`: beyond it an agent is told nothing, resends, and is answered then.
#[derive(Debug, Default)]
pub struct Notices {
    owed: BTreeMap<(AgentId, Epoch), Vec<Sequence>>,
    count: usize,
}

const MAX_OWED: usize = 65_536;

impl Notices {
    /// Notes that `batch` is durable; `false` where the bound is reached.
    #[must_use]
    pub fn owe(&mut self, batch: BatchId) -> bool {
        if self.count >= MAX_OWED {
            return false;
        }
        self.count += 1;
        self.owed.entry((batch.agent, batch.epoch)).or_default().push(batch.sequence);
        true
    }

    /// Whether nothing is owed.
    pub fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// The next notice, of as many ranges as one may have.
    pub fn next_notice(&mut self, store_id: StoreId) -> Option<CommitNotice> {
        let ((agent, epoch), sequences) = self.owed.pop_first()?;
        self.count = self.count.saturating_sub(sequences.len());
        let mut ranges = CommitNotice::ranges_of(sequences);
        if ranges.len() > MAX_RANGES {
            let rest: Vec<Sequence> = ranges
                .split_off(MAX_RANGES)
                .into_iter()
                .flat_map(|(first, last)| first..=last)
                .collect();
            self.count += rest.len();
            self.owed.insert((agent.clone(), epoch), rest);
        }
        Some(CommitNotice { store_id, agent, epoch, ranges })
    }

    /// Owes again what a notice names, since it could not be sent.
    pub fn take_back(&mut self, notice: CommitNotice) {
        let sequences: Vec<Sequence> =
            notice.ranges.into_iter().flat_map(|(first, last)| first..=last).collect();
        self.count += sequences.len();
        self.owed.entry((notice.agent, notice.epoch)).or_default().extend(sequences);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(agent: &str, epoch: u64, sequence: u64) -> BatchId {
        BatchId { agent: agent.parse().unwrap(), epoch: Epoch(epoch), sequence }
    }

    #[test]
    fn what_is_owed_to_one_agent_goes_in_one_notice() {
        let mut notices = Notices::default();
        for (agent, epoch, sequence) in
            [("a", 1, 3), ("b", 7, 1), ("a", 1, 1), ("a", 1, 2), ("a", 2, 9)]
        {
            assert!(notices.owe(batch(agent, epoch, sequence)));
        }
        let told: Vec<_> = std::iter::from_fn(|| notices.next_notice(StoreId(1)))
            .map(|notice| (notice.agent.to_string(), notice.epoch.0, notice.ranges))
            .collect();
        assert_eq!(
            told,
            [
                ("a".to_owned(), 1, vec![(1, 3)]),
                ("a".to_owned(), 2, vec![(9, 9)]),
                ("b".to_owned(), 7, vec![(1, 1)])
            ]
        );
        assert!(notices.is_empty());
    }

    #[test]
    fn more_ranges_than_a_notice_holds_go_in_several() {
        let mut notices = Notices::default();
        for sequence in 0..1500 {
            assert!(notices.owe(batch("a", 1, 1 + 2 * sequence)));
        }
        let sizes: Vec<_> = std::iter::from_fn(|| notices.next_notice(StoreId(1)))
            .map(|notice| notice.ranges.len())
            .collect();
        assert_eq!(sizes, [1024, 476]);
        assert_eq!(notices.count, 0);
    }

    #[test]
    fn beyond_the_bound_nothing_more_is_owed() {
        let mut notices = Notices::default();
        assert!((1..).take(MAX_OWED).all(|sequence| notices.owe(batch("a", 1, sequence))));
        assert!(!notices.owe(batch("a", 1, 0)));
    }
}
