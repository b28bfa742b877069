//! Places that many share, of which nobody takes so many that others find none.
//!
//! Whoever asks is known by one name or by several: as a user, a token or a screen; as an address and
//! the networks around it. Under each of them no more places are held than its own bound, and no more
//! than are left to all others: one alone takes half of them at most, two take a third each, and
//! whoever comes anew finds one as long as there are more places than those who hold some, or, where
//! several are taken at once, as many as he asks for are left. A few may be kept for those who go first.

use std::{
    collections::HashMap,
    fmt::Debug,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) all: usize,
    /// Of them, for those alone who go first.
    pub(crate) kept: usize,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crowded {
    /// Whoever asks has as many as one may have.
    Own,
    /// None is left.
    All,
}

/// Places and who holds how many; clones share them. As many are known as hold a place.
#[derive(Debug)]
pub(crate) struct Places<K: Eq + Hash> {
    room: Room,
    held: Arc<Mutex<Held<K>>>,
}

#[derive(Debug)]
struct Held<K: Eq + Hash> {
    /// Of those that everybody may take.
    open: usize,
    kept: usize,
    of: HashMap<K, usize>,
}

/// One place, or several at once, given back where it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash> {
    who: Vec<K>,
    open: usize,
    kept: usize,
    places: Places<K>,
}

impl Crowded {
    /// Every reason.
    pub(crate) const ALL: [Self; 2] = [Self::Own, Self::All];

    /// Its word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::All => "all",
        }
    }
}

impl<K: Eq + Hash> Clone for Places<K> {
    fn clone(&self) -> Self {
        Self { room: self.room, held: Arc::clone(&self.held) }
    }
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// So many, all of them for everybody.
    pub(crate) fn of(all: usize) -> Self {
        Self::within(Room { all, kept: 0 })
    }

    pub(crate) fn within(room: Room) -> Self {
        let held = Held { open: 0, kept: 0, of: HashMap::new() };
        Self { room, held: Arc::new(Mutex::new(held)) }
    }

    /// A place for one who is known by each of these names, with as many as it may hold.
    pub(crate) fn take(
        &self,
        who: impl IntoIterator<Item = (K, usize)>,
        goes_first: bool,
    ) -> Result<Place<K>, Crowded> {
        self.take_many(1, who, goes_first)
    }

    /// So many at once, or none.
    pub(crate) fn take_many(
        &self,
        count: usize,
        who: impl IntoIterator<Item = (K, usize)>,
        goes_first: bool,
    ) -> Result<Place<K>, Crowded> {
        let mut held = self.held();
        let open = self.room.all.saturating_sub(self.room.kept).saturating_sub(held.open);
        let kept = if goes_first { self.room.kept.saturating_sub(held.kept) } else { 0 };
        let left = open.saturating_add(kept);
        let mut names = Vec::new();
        for (name, at_most) in who {
            let has = held.of.get(&name).copied().unwrap_or(0).saturating_add(count);
            if has > at_most || (left >= count && has > left) {
                return Err(Crowded::Own);
            }
            names.push(name);
        }
        if left < count {
            return Err(Crowded::All);
        }
        for name in &names {
            let has = held.of.entry(name.clone()).or_insert(0);
            *has = has.saturating_add(count);
        }
        let open = open.min(count);
        let kept = count - open;
        held.open = held.open.saturating_add(open);
        held.kept = held.kept.saturating_add(kept);
        drop(held);
        Ok(Place { who: names, open, kept, places: self.clone() })
    }

    /// How many are held.
    pub(crate) fn taken(&self) -> usize {
        let held = self.held();
        held.open.saturating_add(held.kept)
    }
}

impl<K: Eq + Hash> Places<K> {
    fn held(&self) -> MutexGuard<'_, Held<K>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        held.open = held.open.saturating_sub(self.open);
        held.kept = held.kept.saturating_sub(self.kept);
        let count = self.open.saturating_add(self.kept);
        for name in &self.who {
            match held.of.get_mut(name) {
                Some(has) if *has > count => *has -= count,
                Some(_) | None => {
                    held.of.remove(name);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As many as one takes, each time under these names.
    fn taken(
        places: &Places<&'static str>,
        names: &[(&'static str, usize)],
    ) -> Vec<Place<&'static str>> {
        std::iter::from_fn(|| places.take(names.iter().copied(), false).ok()).collect()
    }

    #[test]
    fn several_are_taken_at_once_and_one_alone_takes_half_of_those_that_are_not_kept() {
        let places = Places::within(Room { all: 100, kept: 20 });
        let one = places.take_many(40, [("one", 60)], false).unwrap();
        assert_eq!(places.take_many(1, [("one", 60)], false).unwrap_err(), Crowded::Own);
        let other = places.take_many(20, [("other", 60)], false).unwrap();
        assert_eq!(places.take_many(21, [("third", 60)], false).unwrap_err(), Crowded::All);
        let first = places.take_many(30, [("first", 60)], true).unwrap();
        assert_eq!(places.taken(), 90);
        assert_eq!(places.take_many(1, [("third", 60)], false).unwrap_err(), Crowded::All);
        drop((one, other, first));
        assert_eq!(places.taken(), 0);
        assert!(places.held().of.is_empty());
        assert_eq!(places.take_many(70, [("one", 60)], false).unwrap_err(), Crowded::Own);
        assert!(places.take_many(80, [], false).is_ok());
    }

    #[test]
    fn each_holds_a_few_places_and_gives_them_back() {
        let places = Places::of(8);
        let first = places.take([("one", 2)], false).unwrap();
        let second = places.take([("one", 2)], false).unwrap();
        assert_eq!(places.take([("one", 2)], false).unwrap_err(), Crowded::Own);
        assert!(places.take([("other", 2)], false).is_ok());
        drop(first);
        let third = places.take([("one", 2)], false).unwrap();
        assert_eq!(places.take([("one", 2)], false).unwrap_err(), Crowded::Own);
        drop((second, third));
        assert_eq!(places.taken(), 0);
        assert!(places.held().of.is_empty());
    }

    #[test]
    fn whoever_comes_anew_finds_a_place_however_much_others_want() {
        let places = Places::of(100);
        let mut held = Vec::new();
        for name in ["a", "b", "c", "d", "e", "f"] {
            let of_one = taken(&places, &[(name, usize::MAX)]);
            assert!(!of_one.is_empty(), "{name} found none");
            held.extend(of_one);
        }
        assert!(held.len() < 100);
    }

    #[test]
    fn who_has_many_names_holds_no_more_than_what_they_have_in_common_may() {
        let places = Places::of(100);
        let names = ["a", "b", "c", "d", "e", "f"];
        let held: Vec<_> =
            names.iter().flat_map(|name| taken(&places, &[(*name, 4), ("all", 10)])).collect();
        assert_eq!(held.len(), 10);
        assert!(places.take([("other", 4)], false).is_ok());
    }

    #[test]
    fn the_last_places_are_for_those_who_go_first() {
        let places = Places::within(Room { all: 4, kept: 2 });
        let mut held: Vec<_> =
            ["a", "b"].iter().map(|name| places.take([(*name, 4)], false).unwrap()).collect();
        assert_eq!(places.take([("c", 4)], false).unwrap_err(), Crowded::All);
        held.extend(["c", "d"].iter().map(|name| places.take([(*name, 4)], true).unwrap()));
        assert_eq!(places.take([("e", 4)], true).unwrap_err(), Crowded::All);
        held.remove(0);
        assert!(places.take([("e", 4)], false).is_ok());
    }
}
