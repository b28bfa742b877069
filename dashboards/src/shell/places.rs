//! Places of which each who asks may hold a few at the same time.

use std::{
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many places each holds, by default each address; clones share them. As many are known as hold
/// a place.
#[derive(Debug, Clone)]
pub(crate) struct Places<K: Eq + Hash = IpAddr> {
    held: Arc<Mutex<HashMap<K, usize>>>,
}

/// One place, given back where it is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Eq + Hash = IpAddr> {
    who: K,
    places: Places<K>,
}

impl<K: Eq + Hash> Default for Places<K> {
    fn default() -> Self {
        Self { held: Arc::default() }
    }
}

impl<K: Eq + Hash + Clone> Places<K> {
    /// A place for `who`, unless it holds `at_most` already.
    pub(crate) fn take(&self, who: K, at_most: usize) -> Option<Place<K>> {
        let mut held = self.held();
        let count = held.get(&who).copied().unwrap_or(0);
        if count >= at_most {
            return None;
        }
        held.insert(who.clone(), count.saturating_add(1));
        drop(held);
        Some(Place { who, places: Self { held: Arc::clone(&self.held) } })
    }
}

impl<K: Eq + Hash> Places<K> {
    fn held(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.places.held();
        match held.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => {
                held.remove(&self.who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_a_few_places_and_gives_them_back() {
        let places = Places::default();
        let [one, other]: [IpAddr; 2] = ["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        let first = places.take(one, 2).unwrap();
        let second = places.take(one, 2).unwrap();
        assert!(places.take(one, 2).is_none() && places.take(other, 2).is_some());
        drop(first);
        let third = places.take(one, 2).unwrap();
        assert!(places.take(one, 2).is_none());
        drop((second, third));
        assert!(places.held().is_empty());
    }
}
