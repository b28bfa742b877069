//! What pages see live: one state of facts under names, the deltas that led to it, and how far each
//! viewer has come in them (`docs/formats.md` §17).
//!
//! One source tells the state what it saw; every viewer takes the same deltas, each at its own pace.
//! So nobody is waited for, and a viewer costs no more than a number: whoever comes back, or is so
//! slow that what it missed is not kept any more, gets a snapshot.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | deltas | one in 250 ms | what changed meanwhile is told with the next one |
//! | deltas that are kept | 1,024, and 4 MiB | the oldest goes; who has not taken it gets a snapshot |
//! | stations whose gauges a viewer is told | 16 | 400 |

pub mod event;
pub mod viewer;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use model::{
    ids::{AlarmId, GaugeId, SectionKey, StationId},
    time::Timestamp,
};

use self::event::Begun;

/// Between two deltas.
pub const DELTA_MS: u64 = 250;
/// Between two beats.
pub const BEAT_MS: u64 = 3_000;

/// What a fact is about; in the order in which an event tells them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Which registry is in force.
    Registry,
    /// How many stations, sections and alarms are what.
    Counts,
    /// How a section stands.
    Section(SectionKey),
    /// An alarm that is not over.
    Alarm(AlarmId),
    /// The newest sample of a gauge.
    Gauge(GaugeId),
}

/// A fact as JSON.
pub type Fact = Arc<str>;

/// What became of a fact; `None`: there is none any more.
pub type Change = (Key, Option<Fact>);

/// What the source saw at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Everything up to this position of the feed is in it.
    pub position: i64,
    /// When it looked, by the server's clock.
    pub at: Timestamp,
    /// What is, or may be, other than before.
    pub changes: Vec<Change>,
}

/// How much is kept of what was told.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Deltas.
    pub deltas: usize,
    /// Their bytes.
    pub bytes: usize,
}

const BOUNDS: Bounds = Bounds { deltas: 1_024, bytes: 4 << 20 };

/// The state that is told, and what is kept of how it came about.
#[derive(Debug)]
pub struct Live {
    /// Which life of the server this is.
    run: u64,
    bounds: Bounds,
    /// The number of the last delta; 0 before the first one.
    sequence: u64,
    /// What every viewer is told.
    facts: BTreeMap<Key, Fact>,
    /// What those are told who ask for a station.
    gauges: BTreeMap<StationId, BTreeMap<Key, Fact>>,
    /// Changes that the next delta tells.
    pending: BTreeMap<Key, Option<Fact>>,
    /// The latest deltas, without holes.
    kept: VecDeque<Delta>,
    kept_bytes: usize,
    /// The last look; `None` before the first one.
    seen: Option<(i64, Timestamp)>,
    told_ms: Option<u64>,
    /// How many beats there were, and when the next one is due.
    beats: u64,
    beat_due_ms: u64,
    /// What all snapshots of a delta have in common, once somebody asked.
    snapshot: Option<(u64, Begun)>,
}

/// Changes that were told together.
#[derive(Debug)]
struct Delta {
    sequence: u64,
    when: (i64, Timestamp),
    /// What every viewer is told.
    shared: Option<Begun>,
    /// What those are told who asked for it, by key.
    gauges: Vec<Change>,
    bytes: usize,
}

impl Live {
    /// Nothing is known yet. `run` tells this life of the server from every other one.
    pub const fn new(run: u64) -> Self {
        Self::bounded(run, BOUNDS)
    }

    const fn bounded(run: u64, bounds: Bounds) -> Self {
        Self {
            run,
            bounds,
            sequence: 0,
            facts: BTreeMap::new(),
            gauges: BTreeMap::new(),
            pending: BTreeMap::new(),
            kept: VecDeque::new(),
            kept_bytes: 0,
            seen: None,
            told_ms: None,
            beats: 0,
            beat_due_ms: 0,
            snapshot: None,
        }
    }

    /// Takes what was seen, and says whether viewers have something to take. `now_ms` counts from
    /// anywhere and never back.
    pub fn look(&mut self, look: Look, now_ms: u64) -> bool {
        self.seen = Some((look.position, look.at));
        for (key, fact) in look.changes {
            // what is as it was before the last delta is no change, whatever it was in between
            if self.fact(&key) == fact.as_ref() {
                self.pending.remove(&key);
            } else {
                self.pending.insert(key, fact);
            }
        }
        let is_due = self.told_ms.is_none_or(|told| now_ms >= told.saturating_add(DELTA_MS));
        let is_told = is_due && !self.pending.is_empty();
        if is_told {
            self.told_ms = Some(now_ms);
            self.tell((look.position, look.at));
        }
        let is_beat = now_ms >= self.beat_due_ms;
        if is_beat {
            self.beats = self.beats.saturating_add(1);
            self.beat_due_ms = now_ms.saturating_add(BEAT_MS);
        }
        is_told || is_beat
    }

    /// Makes a delta of what is pending.
    fn tell(&mut self, when: (i64, Timestamp)) {
        let pending = std::mem::take(&mut self.pending);
        for (key, fact) in &pending {
            self.set(key, fact.as_ref());
        }
        let is_of_gauge = |(key, _): &Change| matches!(key, Key::Gauge(_));
        let (gauges, shared): (Vec<Change>, Vec<Change>) =
            pending.into_iter().partition(is_of_gauge);
        let shared = (!shared.is_empty())
            .then(|| Begun::delta(when, shared.iter().map(|(key, fact)| (key, fact.as_ref()))));
        let weight = |(_, fact): &Change| GAUGE_BYTES + fact.as_ref().map_or(0, |fact| fact.len());
        let of_gauges: usize = gauges.iter().map(weight).sum();
        let bytes = of_gauges.saturating_add(shared.as_ref().map_or(0, Begun::len));
        self.sequence = self.sequence.saturating_add(1);
        self.kept.push_back(Delta { sequence: self.sequence, when, shared, gauges, bytes });
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
        while self.kept.len() > self.bounds.deltas || self.kept_bytes > self.bounds.bytes {
            let Some(oldest) = self.kept.pop_front() else { break };
            self.kept_bytes = self.kept_bytes.saturating_sub(oldest.bytes);
        }
    }

    fn fact(&self, key: &Key) -> Option<&Fact> {
        match key {
            Key::Gauge(gauge) => self.gauges.get(&gauge.station)?.get(key),
            Key::Registry | Key::Counts | Key::Section(_) | Key::Alarm(_) => self.facts.get(key),
        }
    }

    fn set(&mut self, key: &Key, fact: Option<&Fact>) {
        let facts = match key {
            Key::Gauge(gauge) => self.gauges.entry(gauge.station.clone()).or_default(),
            Key::Registry | Key::Counts | Key::Section(_) | Key::Alarm(_) => &mut self.facts,
        };
        match fact {
            Some(fact) => drop(facts.insert(key.clone(), Fact::clone(fact))),
            None => drop(facts.remove(key)),
        }
        if let Key::Gauge(gauge) = key
            && facts.is_empty()
        {
            self.gauges.remove(&gauge.station);
        }
    }

    /// The delta of this number, if it is kept.
    fn delta(&self, sequence: u64) -> Option<&Delta> {
        let first = self.kept.front()?.sequence;
        let place = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.kept.get(place)
    }

    /// What every viewer is told by a snapshot; `None` before the first look.
    fn snapshot(&mut self) -> Option<Begun> {
        let when = self.seen?;
        if let Some((_, known)) = self.snapshot.as_ref().filter(|(of, _)| *of == self.sequence) {
            return Some(known.clone());
        }
        let made = Begun::snapshot(when, self.facts.iter());
        self.snapshot = Some((self.sequence, made.clone()));
        Some(made)
    }
}

/// What the name of a gauge counts.
const GAUGE_BYTES: usize = 128;
#[cfg(test)]
#[path = "live/tests.rs"]
mod tests;
