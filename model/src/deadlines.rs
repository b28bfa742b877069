//! When whom to wake: the next of thousands of deadlines is found without looking at the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::Timestamp;

/// Deadlines, at most one for each key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadlines<K> {
    in_order: BTreeSet<(Timestamp, K)>,
    of_key: BTreeMap<K, Timestamp>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self { in_order: BTreeSet::new(), of_key: BTreeMap::new() }
    }
}

impl<K: Clone + Ord> Deadlines<K> {
    /// The deadline of a key is this one, or none.
    pub fn set(&mut self, key: &K, deadline: Option<Timestamp>) {
        if self.of_key.get(key).copied() == deadline {
            return;
        }
        if let Some(known) = self.of_key.remove(key) {
            self.in_order.remove(&(known, key.clone()));
        }
        if let Some(deadline) = deadline {
            self.in_order.insert((deadline, key.clone()));
            self.of_key.insert(key.clone(), deadline);
        }
    }

    /// The earliest of all.
    pub fn next(&self) -> Option<Timestamp> {
        self.in_order.first().map(|(deadline, _)| *deadline)
    }

    /// Whose deadline has come, the earliest first.
    pub fn due(&self, now: Timestamp) -> Vec<K> {
        self.first_due(usize::MAX, now)
    }

    /// The first of those whose deadline has come, at most so many.
    pub fn first_due(&self, limit: usize, now: Timestamp) -> Vec<K> {
        let due = self.in_order.iter().take_while(|(deadline, _)| *deadline <= now).take(limit);
        due.map(|(_, key)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_set_again_takes_the_place_of_the_one_before() {
        let at = Timestamp::clamped;
        let mut deadlines = Deadlines::default();
        deadlines.set(&"a", Some(at(5)));
        deadlines.set(&"b", Some(at(3)));
        deadlines.set(&"a", Some(at(1)));
        assert_eq!((deadlines.next(), deadlines.due(at(3))), (Some(at(1)), vec!["a", "b"]));
        deadlines.set(&"a", None);
        assert_eq!((deadlines.next(), deadlines.due(at(2))), (Some(at(3)), vec![]));
    }
}
