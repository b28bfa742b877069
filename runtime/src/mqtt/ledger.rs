//! Which packet id stands for which of our tokens.
//!
//! The client library names a packet id only when it writes the packet. It takes requests from
//! its channel in the order in which they were put there, so the n-th packet written is the n-th
//! request queued; a packet that waits because its id is still in use keeps its place, as nothing
//! is taken behind it.

use std::collections::{BTreeMap, VecDeque};

/// Requests of one sort on their way: first queued, then written under an id, then answered.
#[derive(Debug)]
pub(super) struct Ledger<T> {
    queued: VecDeque<T>,
    written: BTreeMap<u16, T>,
}

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self { queued: VecDeque::new(), written: BTreeMap::new() }
    }
}

impl<T> Ledger<T> {
    /// How many have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.queued.len() + self.written.len()
    }

    pub(super) fn queue(&mut self, request: T) {
        self.queued.push_back(request);
    }

    /// The oldest one queued went out as packet `id`.
    pub(super) fn write(&mut self, id: u16) {
        if let Some(request) = self.queued.pop_front() {
            self.written.insert(id, request);
        }
    }

    /// Packet `id` was answered.
    pub(super) fn answer(&mut self, id: u16) -> Option<T> {
        self.written.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_tokens_in_any_order() {
        let mut ledger = Ledger::default();
        for token in [10, 20, 30] {
            ledger.queue(token);
        }
        ledger.write(1);
        ledger.write(2);
        assert_eq!((ledger.answer(2), ledger.answer(1)), (Some(20), Some(10)));
        ledger.write(1);
        assert_eq!((ledger.answer(3), ledger.answer(1)), (None, Some(30)));
        assert_eq!(ledger.unanswered(), 0);
    }
}
