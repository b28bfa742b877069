//! Rivers: which flows into which, and so which station lies below which.

use std::collections::{BTreeMap, BTreeSet};

use crate::{ids::StationId, registry::Registry, station::Station};

/// What is said of a river beside its stations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct River {
    /// Where it ends; `None`: it leaves what is under watch.
    pub mouth: Option<Mouth>,
}

/// Where a river flows into another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mouth {
    /// The other one.
    pub into: String,
    /// At which place on the scale of its stations' `river_order`: those above it lie downstream.
    pub order: u32,
}

/// A river with its stations, and where it stands among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach<'r> {
    /// Its name.
    pub name: &'r str,
    /// Where it ends.
    pub mouth: Option<&'r Mouth>,
    /// How many rivers it flows through to leave what is under watch.
    pub depth: usize,
    /// Its stations from source to mouth; those of which nobody knows their place last, by id.
    pub stations: Vec<&'r Station>,
}

/// Every river that a station or another river names: those with the most stations first, each
/// followed by what flows into it, from source to mouth.
pub fn reaches(registry: &Registry) -> Vec<Reach<'_>> {
    let mut stations: BTreeMap<&str, Vec<&Station>> = BTreeMap::new();
    for station in registry.stations.values() {
        if let Some(river) = &station.river {
            stations.entry(river).or_default().push(station);
        }
    }
    for (name, river) in &registry.rivers {
        let mouth = river.mouth.iter().map(|mouth| mouth.into.as_str());
        for named in mouth.chain([name.as_str()]) {
            stations.entry(named).or_default();
        }
    }
    for of_river in stations.values_mut() {
        of_river.sort_by_key(|station| (station.river_order.unwrap_or(u32::MAX), &station.id));
    }
    let mut found = Vec::new();
    let roots = stations.keys().copied().filter(|name| mouth(registry, name).is_none());
    let mut roots: Vec<&str> = roots.collect();
    let weight = |name: &str| -> usize {
        let of = |name: &str| stations.get(name).map_or(0, Vec::len);
        tributaries(registry, name).iter().map(|river| of(river)).sum::<usize>() + of(name)
    };
    roots.sort_by_cached_key(|name| (std::cmp::Reverse(weight(name)), *name));
    // the registry refuses rivers that flow in a circle, so each is come to once
    let mut ahead: Vec<(&str, usize)> = roots.into_iter().rev().map(|name| (name, 0)).collect();
    while let Some((name, depth)) = ahead.pop() {
        let direct = direct_tributaries(registry, name);
        ahead.extend(direct.into_iter().rev().map(|(_, name)| (name, depth + 1)));
        let stations = stations.remove(name).unwrap_or_default();
        found.push(Reach { name, mouth: mouth(registry, name), depth, stations });
    }
    found
}

/// Which stations lie beside which along the water.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    down: BTreeMap<StationId, StationId>,
    up: BTreeMap<StationId, Vec<StationId>>,
}

impl Course {
    /// Of all stations.
    pub fn of(registry: &Registry) -> Self {
        let (mut down, mut up) = (BTreeMap::new(), BTreeMap::<StationId, Vec<StationId>>::new());
        for (station, below) in downstream(registry) {
            up.entry(below.clone()).or_default().push(station.clone());
            down.insert(station.clone(), below.clone());
        }
        Self { down, up }
    }

    /// The next station downstream, be it on a river further on.
    pub fn below(&self, station: &StationId) -> Option<&StationId> {
        self.down.get(station)
    }

    /// The next stations upstream, by id.
    pub fn above(&self, station: &StationId) -> &[StationId] {
        self.up.get(station).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The next station downstream of each that has one. A station of which nobody knows its place on
/// its river has none, and is none's.
fn downstream(registry: &Registry) -> BTreeMap<&StationId, &StationId> {
    let reaches = reaches(registry);
    let mut placed: BTreeMap<&str, Vec<(u32, &StationId)>> = BTreeMap::new();
    for reach in &reaches {
        let of_reach = placed.entry(reach.name).or_default();
        for station in &reach.stations {
            of_reach.extend(station.river_order.map(|order| (order, &station.id)));
        }
    }
    let mut next = BTreeMap::new();
    for reach in &reaches {
        let stations = placed.get(reach.name).map(Vec::as_slice).unwrap_or_default();
        for (place, (_, station)) in stations.iter().enumerate() {
            let beside = stations.get(place + 1).map(|(_, station)| *station);
            let below = beside.or_else(|| beyond(registry, &placed, reach.name));
            if let Some(below) = below {
                next.insert(*station, below);
            }
        }
    }
    next
}

/// The first station that water of a river comes to after its mouth.
fn beyond<'r>(
    registry: &'r Registry,
    placed: &BTreeMap<&str, Vec<(u32, &'r StationId)>>,
    name: &str,
) -> Option<&'r StationId> {
    let mut mouth = mouth(registry, name);
    while let Some(Mouth { into, order }) = mouth {
        let stations = placed.get(into.as_str())?;
        if let Some((_, station)) = stations.iter().find(|(place, _)| place > order) {
            return Some(station);
        }
        mouth = self::mouth(registry, into);
    }
    None
}

/// The first river of which it is so that its water comes back to it; `None`: there is none.
pub fn circle(rivers: &BTreeMap<String, River>) -> Option<&str> {
    rivers.keys().map(String::as_str).find(|name| {
        let mut seen = BTreeSet::new();
        let mut at = Some(*name);
        while let Some(river) = at {
            if !seen.insert(river) {
                return true;
            }
            let mouth = rivers.get(river).and_then(|river| river.mouth.as_ref());
            at = mouth.map(|mouth| mouth.into.as_str());
        }
        false
    })
}

fn mouth<'r>(registry: &'r Registry, name: &str) -> Option<&'r Mouth> {
    registry.rivers.get(name)?.mouth.as_ref()
}

/// What flows right into a river, from source to mouth.
fn direct_tributaries<'r>(registry: &'r Registry, name: &str) -> Vec<(u32, &'r str)> {
    let into = registry.rivers.iter().filter_map(|(tributary, river)| {
        let mouth = river.mouth.as_ref().filter(|mouth| mouth.into == name)?;
        Some((mouth.order, tributary.as_str()))
    });
    let mut found: Vec<_> = into.collect();
    found.sort_unstable();
    found
}

/// What flows into a river, be it through others.
fn tributaries<'r>(registry: &'r Registry, name: &str) -> Vec<&'r str> {
    let mut found = Vec::new();
    let mut ahead: Vec<&str> =
        direct_tributaries(registry, name).into_iter().map(|(_, name)| name).collect();
    while let Some(name) = ahead.pop() {
        found.push(name);
        ahead.extend(direct_tributaries(registry, name).into_iter().map(|(_, name)| name));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rivers(lines: &[(&str, Option<(&str, u32)>)]) -> BTreeMap<String, River> {
        let river = |(name, mouth): &(&str, Option<(&str, u32)>)| {
            let mouth = mouth.map(|(into, order)| Mouth { into: into.to_owned(), order });
            ((*name).to_owned(), River { mouth })
        };
        lines.iter().map(river).collect()
    }

    #[test]
    fn water_that_comes_back_is_found() {
        let sound = rivers(&[("a", Some(("b", 1))), ("b", Some(("c", 1))), ("d", Some(("b", 2)))]);
        assert_eq!(circle(&sound), None);
        let round = rivers(&[("a", Some(("b", 1))), ("b", Some(("c", 1))), ("c", Some(("b", 2)))]);
        assert_eq!(circle(&round), Some("a"));
        assert_eq!(circle(&rivers(&[("a", Some(("a", 1)))])), Some("a"));
    }
}
