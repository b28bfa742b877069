//! Whose turn it is: those of thousands of sections that are due are found without looking at the
//! others, and none can keep another waiting.

use std::{collections::BTreeSet, ops::Bound};

use model::{deadlines::Deadlines, ids::SectionKey, time::Timestamp};

/// Sections that wait for a moment, and those whose moment has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Turns {
    waiting: Deadlines<SectionKey>,
    due: BTreeSet<SectionKey>,
    /// Whose turn was last.
    last: Option<SectionKey>,
}

impl Turns {
    /// When something of a section is due, if ever.
    pub(super) fn set(&mut self, key: &SectionKey, at: Option<Timestamp>) {
        self.due.remove(key);
        self.waiting.set(key, at);
    }

    /// A section had its turn.
    pub(super) fn turned(&mut self, key: &SectionKey) {
        self.last = Some(key.clone());
    }

    /// The next of those that are due, each in turn; it stays due until it is set anew.
    pub(super) fn next(&mut self, limit: usize, now: Timestamp) -> Vec<SectionKey> {
        self.come(now);
        let after = self.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.due.range::<SectionKey, _>((after, Bound::Unbounded));
        let until = self.last.as_ref().map(|last| (Bound::Unbounded, Bound::Included(last)));
        let first = until.map(|until| self.due.range::<SectionKey, _>(until));
        let all = rest.chain(first.into_iter().flatten());
        all.take(limit).cloned().collect()
    }

    /// Whether any is due.
    pub(super) fn is_any_due(&mut self, now: Timestamp) -> bool {
        self.come(now);
        !self.due.is_empty()
    }

    fn come(&mut self, now: Timestamp) {
        for key in self.waiting.due(now) {
            self.waiting.set(&key, None);
            self.due.insert(key);
        }
    }
}
