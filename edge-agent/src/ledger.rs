//! Which batches are queued, sent and committed, kept as ranges of their sequences, so that a
//! month of them costs no more memory than an hour.

use std::collections::BTreeMap;

use model::ids::{Epoch, Sequence};

/// Both ends belong to it.
pub type Range = (Sequence, Sequence);

/// A batch of this agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchKey {
    /// In which life of the spool.
    pub epoch: Epoch,
    /// As which one, from 1.
    pub sequence: Sequence,
}

/// A set of sequences; its size in memory is that of its ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sequences(BTreeMap<Sequence, Sequence>);

impl Sequences {
    /// Those of `ranges`.
    pub fn of(ranges: &[Range]) -> Self {
        let mut all = Self::default();
        for range in ranges {
            all.insert(*range);
        }
        all
    }

    /// Adds a range, united with what it touches; one that ends before it begins adds nothing.
    pub fn insert(&mut self, (mut first, mut last): Range) {
        if first > last {
            return;
        }
        let near = self.0.range(..=last.saturating_add(1)).rev();
        let touched = near.take_while(|(_, end)| end.saturating_add(1) >= first);
        let starts: Vec<Sequence> = touched.map(|(start, _)| *start).collect();
        for start in starts {
            let end = self.0.remove(&start).unwrap_or(start);
            (first, last) = (first.min(start), last.max(end));
        }
        self.0.insert(first, last);
    }

    /// Takes a range out.
    pub fn remove(&mut self, (first, last): Range) {
        if first > last {
            return;
        }
        let overlapping = self.0.range(..=last).rev().take_while(|(_, end)| **end >= first);
        let starts: Vec<Sequence> = overlapping.map(|(start, _)| *start).collect();
        for start in starts {
            let Some(end) = self.0.remove(&start) else { continue };
            if start < first {
                self.0.insert(start, first - 1);
            }
            if end > last {
                self.0.insert(last + 1, end);
            }
        }
    }

    /// Whether `sequence` is in it.
    pub fn contains(&self, sequence: Sequence) -> bool {
        self.range_at(sequence).is_some()
    }

    /// The lowest.
    pub fn first(&self) -> Option<Sequence> {
        self.0.first_key_value().map(|(first, _)| *first)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(first, last)| (last - first).saturating_add(1)).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In ascending order, apart from one another.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = Range> + '_ {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// What lies in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (first, last) in other.ranges() {
            let overlapping = self.0.range(..=last).rev().take_while(|(_, end)| **end >= first);
            for (start, end) in overlapping {
                both.insert((first.max(*start), last.min(*end)));
            }
        }
        both
    }

    /// The lowest one that is not in `others`.
    pub fn first_without(&self, others: &Self) -> Option<Sequence> {
        self.ranges().find_map(|(first, last)| {
            let free = others.range_at(first).map_or(Some(first), |(_, end)| end.checked_add(1))?;
            // ranges of `others` are apart, so what follows the end of one is free
            (free <= last).then_some(free)
        })
    }

    /// The highest one that is not in `others`.
    pub fn last_without(&self, others: &Self) -> Option<Sequence> {
        self.ranges().rev().find_map(|(first, last)| {
            let free =
                others.range_at(last).map_or(Some(last), |(start, _)| start.checked_sub(1))?;
            (free >= first).then_some(free)
        })
    }

    fn range_at(&self, sequence: Sequence) -> Option<Range> {
        let (first, last) = self.0.range(..=sequence).next_back()?;
        (*last >= sequence).then_some((*first, *last))
    }
}

/// What is queued in the spool, and how much of it the server was offered.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Oldest epoch first.
    epochs: Vec<EpochLedger>,
}

#[derive(Debug, Clone)]
struct EpochLedger {
    epoch: Epoch,
    /// No notice has named them.
    queued: Sequences,
    /// Sent on this connection.
    sent: Sequences,
    /// Sent and, as far as anyone can tell, still on their way.
    offered: Sequences,
    /// Sent, and left the spool before a notice named them.
    gone: Sequences,
}

impl Ledger {
    /// Takes the spool's word for what is queued, oldest epoch first. What was sent stays known.
    pub fn replace(&mut self, queued: &[(Epoch, Vec<Range>)]) {
        for own in &mut self.epochs {
            own.queued = Sequences::default();
        }
        for (epoch, ranges) in queued {
            self.of_epoch(*epoch).queued = Sequences::of(ranges);
        }
    }

    /// A batch was closed.
    pub fn queue(&mut self, key: BatchKey) {
        self.of_epoch(key.epoch).queued.insert((key.sequence, key.sequence));
    }

    /// A range left the spool. A notice may still come for what was sent of it.
    pub fn forget(&mut self, epoch: Epoch, range: Range) {
        let own = self.of_epoch(epoch);
        let left = Sequences::of(&[range]).intersection(&own.queued).intersection(&own.sent);
        left.ranges().for_each(|range| own.gone.insert(range));
        own.queued.remove(range);
    }

    /// A batch is sent.
    pub fn offer(&mut self, key: BatchKey) {
        let own = self.of_epoch(key.epoch);
        own.sent.insert((key.sequence, key.sequence));
        own.offered.insert((key.sequence, key.sequence));
    }

    /// All batches count as not sent.
    pub fn withdraw_all(&mut self) {
        for own in &mut self.epochs {
            own.offered = Sequences::default();
        }
    }

    /// A connection is over: a notice that a later one brings before a batch is sent on it may be
    /// of a copy of this spool.
    pub fn forget_sent(&mut self) {
        for own in &mut self.epochs {
            own.sent = Sequences::default();
            own.gone = Sequences::default();
        }
    }

    /// Those of `ranges` that a notice may name: sent, and queued until they left the spool, if they
    /// did. They are neither any longer.
    pub fn commit(&mut self, epoch: Epoch, ranges: &[Range]) -> Sequences {
        let Some(own) = self.epochs.iter_mut().find(|own| own.epoch == epoch) else {
            return Sequences::default();
        };
        let ranges = Sequences::of(ranges).intersection(&own.sent);
        let mut named = ranges.intersection(&own.queued);
        ranges.intersection(&own.gone).ranges().for_each(|range| named.insert(range));
        for range in named.ranges() {
            own.queued.remove(range);
            own.gone.remove(range);
        }
        named
    }

    /// Whether no notice has named it, and it is still there.
    pub fn is_queued(&self, key: BatchKey) -> bool {
        self.find(key.epoch).is_some_and(|own| own.queued.contains(key.sequence))
    }

    /// Whether it was sent on this connection.
    pub fn is_sent(&self, key: BatchKey) -> bool {
        self.find(key.epoch).is_some_and(|own| own.sent.contains(key.sequence))
    }

    /// The oldest queued batch that is not on its way.
    pub fn oldest(&self) -> Option<BatchKey> {
        self.epochs.iter().find_map(|own| {
            let sequence = own.queued.first_without(&own.offered)?;
            Some(BatchKey { epoch: own.epoch, sequence })
        })
    }

    /// The newest queued batch that is not on its way.
    pub fn newest(&self) -> Option<BatchKey> {
        self.epochs.iter().rev().find_map(|own| {
            let sequence = own.queued.last_without(&own.offered)?;
            Some(BatchKey { epoch: own.epoch, sequence })
        })
    }

    /// How many batches are queued.
    pub fn queued(&self) -> u64 {
        self.epochs.iter().map(|own| own.queued.count()).sum()
    }

    fn find(&self, epoch: Epoch) -> Option<&EpochLedger> {
        self.epochs.iter().find(|own| own.epoch == epoch)
    }

    fn of_epoch(&mut self, epoch: Epoch) -> &mut EpochLedger {
        let known = self.epochs.iter().position(|own| own.epoch == epoch);
        let at = known.unwrap_or_else(|| {
            self.epochs.push(EpochLedger {
                epoch,
                queued: Sequences::default(),
                sent: Sequences::default(),
                offered: Sequences::default(),
                gone: Sequences::default(),
            });
            self.epochs.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
        &mut self.epochs[at]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    /// Runs words such as `q1-5 s2 c1-3` (queue, send, commit, forget, withdraw all, end of a
    /// connection) on one epoch and shows what is queued and what would be next.
    fn check(words: &str, expected: &Expect) {
        let epoch = Epoch(1);
        let mut ledger = Ledger::default();
        let mut lines = Vec::new();
        for word in words.split_whitespace() {
            let (verb, rest) = word.split_at(1);
            let (first, last) = rest.split_once('-').unwrap_or((rest, rest));
            let (first, last): Range = (first.parse().unwrap(), last.parse().unwrap());
            let mut note = String::new();
            for sequence in first..=last {
                let key = BatchKey { epoch, sequence };
                match verb {
                    "q" => ledger.queue(key),
                    "s" => ledger.offer(key),
                    "w" => ledger.withdraw_all(),
                    "x" => ledger.forget_sent(),
                    "f" => ledger.forget(epoch, (sequence, sequence)),
                    "c" => {
                        let named = ledger.commit(epoch, &[(first, last)]);
                        note = format!(" named {:?}", named.ranges().collect::<Vec<_>>());
                        break;
                    }
                    other => panic!("no verb {other}"),
                }
            }
            let next =
                |key: Option<BatchKey>| key.map_or("-".to_owned(), |k| k.sequence.to_string());
            let (oldest, newest) = (next(ledger.oldest()), next(ledger.newest()));
            lines.push(format!("{word}{note}: {} queued, {oldest}..{newest}", ledger.queued()));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn a_notice_names_only_what_was_sent_on_its_connection() {
        check(
            "q1-5 s2-3 c1-9 f5 q6 s4 s6 s1 c1-1 f4 c4 w0 x0 c6",
            &expect![[r#"
                q1-5: 5 queued, 1..5
                s2-3: 5 queued, 1..5
                c1-9 named [(2, 3)]: 3 queued, 1..5
                f5: 2 queued, 1..4
                q6: 3 queued, 1..6
                s4: 3 queued, 1..6
                s6: 3 queued, 1..1
                s1: 3 queued, -..-
                c1-1 named [(1, 1)]: 2 queued, -..-
                f4: 1 queued, -..-
                c4 named [(4, 4)]: 1 queued, -..-
                w0: 1 queued, 6..6
                x0: 1 queued, 6..6
                c6 named []: 1 queued, 6..6"#]],
        );
    }

    #[test]
    fn an_epoch_of_somebody_else_is_not_committed() {
        let mut ledger = Ledger::default();
        ledger.queue(BatchKey { epoch: Epoch(1), sequence: 1 });
        ledger.offer(BatchKey { epoch: Epoch(1), sequence: 1 });
        assert!(ledger.commit(Epoch(2), &[(1, 1)]).is_empty());
        assert_eq!(ledger.queued(), 1);
    }

    #[test]
    fn older_epochs_come_first() {
        let mut ledger = Ledger::default();
        ledger.replace(&[(Epoch(9), vec![(5, 6)]), (Epoch(1), vec![(1, 2)])]);
        assert_eq!(ledger.oldest(), Some(BatchKey { epoch: Epoch(9), sequence: 5 }));
        assert_eq!(ledger.newest(), Some(BatchKey { epoch: Epoch(1), sequence: 2 }));
    }

    #[test]
    fn the_last_sequence_of_all_is_no_special_case() {
        let mut all = Sequences::of(&[(u64::MAX - 1, u64::MAX), (0, 0)]);
        all.insert((u64::MAX, u64::MAX));
        assert_eq!(all.count(), 3);
        assert_eq!(all.first_without(&Sequences::of(&[(0, u64::MAX)])), None);
        assert_eq!(all.last_without(&Sequences::of(&[(1, u64::MAX)])), Some(0));
        all.remove((0, u64::MAX));
        assert!(all.is_empty());
    }

    proptest! {
        #[test]
        fn ranges_are_a_set(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..40, 0_u64..8), 0..60),
            others in proptest::collection::btree_set(0_u64..48, 0..20),
        ) {
            let (mut ranges, mut set) = (Sequences::default(), BTreeSet::new());
            for (is_added, first, length) in steps {
                let range = (first, first + length);
                if is_added {
                    ranges.insert(range);
                    set.extend(first..=first + length);
                } else {
                    ranges.remove(range);
                    set.retain(|item| *item < first || *item > first + length);
                }
                let listed: BTreeSet<u64> = ranges.ranges().flat_map(|(a, b)| a..=b).collect();
                prop_assert_eq!(&listed, &set);
                let all: Vec<Range> = ranges.ranges().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", all);
            }
            let other = Sequences::of(&others.iter().map(|item| (*item, *item)).collect::<Vec<_>>());
            prop_assert_eq!(ranges.first_without(&other), set.difference(&others).next().copied());
            prop_assert_eq!(ranges.last_without(&other), set.difference(&others).max().copied());
            let both: Vec<u64> = ranges.intersection(&other).ranges().flat_map(|(a, b)| a..=b).collect();
            prop_assert_eq!(both, set.intersection(&others).copied().collect::<Vec<_>>());
            prop_assert_eq!(ranges.count(), u64::try_from(set.len()).unwrap());
        }
    }
}
