//! Whose turn it is at work that few may do at the same time.
//!
//! Whoever asks for much waits for himself: of those who wait, the next turn is his who has the
//! fewest at that moment, and of several his who was called longest ago. Of those who go first each has his
//! first turn before all others, and a few turns may be kept for them. No turn is left free while
//! somebody waits who may have it.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::places::Room;
use crate::access::{Caller, Name};

/// Turns and who waits for one; clones share them.
#[derive(Debug)]
pub(crate) struct Turns<K: Eq + Hash + Clone> {
    room: Room,
    line: Arc<Mutex<Line<K>>>,
}

#[derive(Debug)]
struct Line<K: Eq + Hash + Clone> {
    /// Turns that are taken.
    taken: usize,
    /// How often somebody was called.
    calls: u64,
    /// Whoever has some, or was called and waits again.
    of: HashMap<K, Has>,
    /// The longest waiting first.
    waiting: VecDeque<Waiting<K>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Has {
    turns: usize,
    /// The number of the last call.
    called: u64,
}

#[derive(Debug)]
struct Waiting<K: Eq + Hash + Clone> {
    who: K,
    goes_first: bool,
    called: oneshot::Sender<Turn<K>>,
}

/// One turn, over where it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<K: Eq + Hash + Clone> {
    who: K,
    turns: Turns<K>,
}

impl<K: Eq + Hash + Clone> Clone for Turns<K> {
    fn clone(&self) -> Self {
        Self { room: self.room, line: Arc::clone(&self.line) }
    }
}

impl<K: Eq + Hash + Clone> Turns<K> {
    /// So many at the same time, of which none is taken.
    pub(crate) fn within(room: Room) -> Self {
        let line = Line { taken: 0, calls: 0, of: HashMap::new(), waiting: VecDeque::new() };
        Self { room, line: Arc::new(Mutex::new(line)) }
    }

    fn line(&self) -> MutexGuard<'_, Line<K>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for `who`, when it has come. Whoever waits no longer, be it dropped, is passed over.
    async fn take(&self, who: K, goes_first: bool) -> Option<Turn<K>> {
        let (called, turn) = oneshot::channel();
        self.line().waiting.push_back(Waiting { who, goes_first, called });
        self.call();
        // whoever waits is called, or has left
        turn.await.ok()
    }

    /// Calls everybody who may have a turn now.
    fn call(&self) {
        loop {
            let Some(Waiting { who, called, .. }) = self.line().next(self.room) else { return };
            // one that has just left drops the turn, and with it calls the next
            drop(called.send(Turn { who, turns: self.clone() }));
        }
    }
}

#[cfg(test)]
impl<K: Eq + Hash + Clone> Turns<K> {
    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.line().waiting.len()
    }
}

impl Turns<Name> {
    /// A turn for whoever calls.
    pub(crate) async fn of(&self, caller: &Caller) -> Option<Turn<Name>> {
        self.take(caller.known_as(), caller.goes_first()).await
    }
}

impl<K: Eq + Hash + Clone> Line<K> {
    /// Whoever is to be called, with the turn taken.
    fn next(&mut self, room: Room) -> Option<Waiting<K>> {
        self.waiting.retain(|waiting| !waiting.called.is_closed());
        if self.of.len() > self.taken + self.waiting.len() {
            let waits = |who: &K| self.waiting.iter().any(|waiting| waiting.who == *who);
            self.of.retain(|who, has| has.turns > 0 || waits(who));
        }
        let left = room.all.saturating_sub(self.taken);
        let may = |waiting: &Waiting<K>| left > if waiting.goes_first { 0 } else { room.kept };
        let rank = |waiting: &Waiting<K>| {
            let has = self.of.get(&waiting.who).copied().unwrap_or_default();
            (!waiting.goes_first || has.turns > 0, has)
        };
        let waiting = self.waiting.iter().enumerate().filter(|(_, waiting)| may(waiting));
        let (at, _) = waiting.min_by_key(|(_, waiting)| rank(waiting))?;
        let next = self.waiting.remove(at)?;
        self.taken += 1;
        self.calls += 1;
        let has = self.of.entry(next.who.clone()).or_default();
        *has = Has { turns: has.turns + 1, called: self.calls };
        Some(next)
    }
}

impl<K: Eq + Hash + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut line = self.turns.line();
        line.taken = line.taken.saturating_sub(1);
        if let Some(has) = line.of.get_mut(&self.who) {
            has.turns = has.turns.saturating_sub(1);
        }
        drop(line);
        self.turns.call();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt as _;
    use proptest::prelude::*;

    use super::*;

    type Waits = Pin<Box<dyn Future<Output = Option<Turn<u8>>>>>;

    /// Who waits and who works, in the order in which they came.
    struct World {
        turns: Turns<u8>,
        waiting: Vec<(u8, Waits)>,
        working: Vec<(u8, Turn<u8>)>,
    }

    impl World {
        fn new(room: Room) -> Self {
            Self { turns: Turns::within(room), waiting: Vec::new(), working: Vec::new() }
        }

        /// Comes; those with an even number go first.
        fn come(&mut self, who: u8) {
            let turns = self.turns.clone();
            let mut waits: Waits =
                Box::pin(async move { turns.take(who, who.is_multiple_of(2)).await });
            match waits.as_mut().now_or_never() {
                Some(turn) => self.working.push((who, turn.unwrap())),
                None => self.waiting.push((who, waits)),
            }
        }

        fn look(&mut self) {
            for (who, mut waits) in std::mem::take(&mut self.waiting) {
                match waits.as_mut().now_or_never() {
                    Some(turn) => self.working.push((who, turn.unwrap())),
                    None => self.waiting.push((who, waits)),
                }
            }
        }

        fn ends(&mut self, at: usize) {
            self.working.remove(at);
            self.look();
        }

        /// One works no longer, and one waits no longer, be it called meanwhile or not.
        fn ends_as_one_leaves(&mut self, at: prop::sample::Index) {
            if !self.working.is_empty() {
                self.working.remove(at.index(self.working.len()));
            }
            if !self.waiting.is_empty() {
                drop(self.waiting.remove(at.index(self.waiting.len())));
            }
            self.look();
        }

        fn working(&self) -> Vec<u8> {
            self.working.iter().map(|(who, _)| *who).collect()
        }
    }

    #[test]
    fn whoever_asks_for_much_waits_for_himself() {
        let mut world = World::new(Room { all: 2, kept: 0 });
        for who in [1, 1, 1, 1, 3, 3, 5] {
            world.come(who);
        }
        assert_eq!(world.working(), [1, 1]);
        let mut called = Vec::new();
        while !world.waiting.is_empty() {
            world.ends(0);
            called.extend(world.working.last().map(|(who, _)| *who));
        }
        assert_eq!(called, [3, 5, 1, 3, 1]);
        world.come(1);
        assert_eq!(
            world.turns.line().of.len(),
            2,
            "of whoever neither works nor waits nothing is kept"
        );
    }

    #[test]
    fn some_turns_are_kept_for_those_who_go_first_and_they_are_called_first() {
        let mut world = World::new(Room { all: 3, kept: 1 });
        for who in [1, 3, 5, 2, 4] {
            world.come(who);
        }
        assert_eq!(world.working(), [1, 3, 2]);
        world.ends(0);
        assert_eq!(world.working(), [3, 2, 4]);
        // one is left, and it is kept
        world.ends(0);
        assert_eq!(world.working(), [2, 4]);
        world.ends(0);
        assert_eq!(world.working(), [4, 5]);
    }

    #[test]
    fn nor_do_those_who_go_first_keep_others_out_by_asking_for_much() {
        let mut world = World::new(Room { all: 2, kept: 0 });
        for who in [2, 2, 2, 2, 1, 1] {
            world.come(who);
        }
        assert_eq!(world.working(), [2, 2]);
        world.ends(0);
        assert_eq!(world.working(), [2, 1]);
    }

    proptest! {
        #[test]
        fn nobody_waits_who_may_have_a_turn_and_none_is_taken_twice(
            (all, kept) in (1_usize..4).prop_flat_map(|all| (Just(all), 0..=all)),
            steps in prop::collection::vec((0_u8..4, 0_u8..6, any::<prop::sample::Index>()), 1..60),
        ) {
            let mut world = World::new(Room { all, kept });
            for (what, who, at) in steps {
                match what {
                    0 | 1 => world.come(who),
                    2 if !world.working.is_empty() => world.ends(at.index(world.working.len())),
                    _ => world.ends_as_one_leaves(at),
                }
                let left = all - world.working.len();
                let who_may = |who: u8| left > if who.is_multiple_of(2) { 0 } else { kept };
                prop_assert!(world.waiting.iter().all(|(who, _)| !who_may(*who)));
                let line = world.turns.line();
                prop_assert_eq!(line.taken, world.working.len());
                prop_assert_eq!(line.of.values().map(|has| has.turns).sum::<usize>(), line.taken);
                prop_assert!(line.of.len() <= line.taken + line.waiting.len());
                let waiting = line.waiting.iter().filter(|waiting| !waiting.called.is_closed());
                prop_assert_eq!(waiting.count(), world.waiting.len());
            }
        }
    }
}
