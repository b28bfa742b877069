//! How far one viewer has come in what is told live, and what it is told next.

use std::collections::BTreeSet;

use model::ids::StationId;

use super::{
    Change, Delta, Key, Live,
    event::{Begun, Event, Kind, Why, gauges},
};

/// The most stations whose gauges a viewer is told.
pub const MAX_STATIONS: usize = 16;

/// What a viewer is told beside how sections stand, and how many are what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// Alarms that are not over, with who took them on.
    pub alarms: bool,
    /// The newest samples of these stations' gauges.
    pub gauges_of: BTreeSet<StationId>,
}

/// One who looks.
#[derive(Debug, Clone)]
pub struct Viewer {
    sight: Sight,
    /// The delta that it took last; `None` where it needs a snapshot, and why.
    at: Result<u64, Why>,
    /// The last beat that it was told or was there for.
    beat: u64,
}

/// The name of an event: which life of the server, which delta, and what the viewer sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct EventId {
    run: u64,
    sequence: u64,
    sight: u32,
}

impl Viewer {
    /// One that sees so much, and comes back after the event of this id, if it ever got one.
    pub fn new(sight: Sight, last_event: Option<&str>, live: &Live) -> Self {
        let at = last_event.map_or(Err(Why::New), |id| {
            let known = EventId::read(id).filter(|id| id.run == live.run);
            let same = known.filter(|id| id.sight == sight.number());
            same.map(|id| id.sequence).filter(|at| *at <= live.sequence).ok_or(Why::Lost)
        });
        // whoever comes back within what is kept has missed deltas alone
        let is_kept = |at: u64| at == live.sequence || live.delta(at.saturating_add(1)).is_some();
        let at = at.and_then(|at| if is_kept(at) { Ok(at) } else { Err(Why::Lost) });
        Self { sight, at, beat: live.beats }
    }

    /// What it is told next; `None` while there is nothing.
    pub fn next(&mut self, live: &mut Live) -> Option<Event> {
        let mut at = match self.at {
            Ok(at) => at,
            Err(why) => return self.snapshot(live, why),
        };
        while at < live.sequence {
            at = at.saturating_add(1);
            let Some(delta) = live.delta(at) else { return self.snapshot(live, Why::Slow) };
            self.at = Ok(at);
            if let Some(event) = self.told(delta, live.run) {
                return Some(event);
            }
        }
        self.beat(live)
    }

    fn snapshot(&mut self, live: &mut Live, why: Why) -> Option<Event> {
        let shared = live.snapshot()?;
        let own =
            self.sight.gauges_of.iter().filter_map(|station| live.gauges.get(station)).flatten();
        let is_whole = !self.sight.gauges_of.is_empty();
        let own = gauges(own.map(|(key, fact)| (key, Some(fact))), is_whole);
        (self.at, self.beat) = (Ok(live.sequence), live.beats);
        Some(shared.ended(
            Kind::Snapshot(why),
            (self.sight.alarms, &own),
            &self.id(live.run, live.sequence),
        ))
    }

    /// What a delta tells this viewer, if it does.
    fn told(&self, delta: &Delta, run: u64) -> Option<Event> {
        let is_asked = |(key, _): &&Change| match key {
            Key::Gauge(gauge) => self.sight.gauges_of.contains(&gauge.station),
            Key::Registry | Key::Counts | Key::Section(_) | Key::Alarm(_) => false,
        };
        let own = delta.gauges.iter().filter(is_asked);
        let own = gauges(own.map(|(key, fact)| (key, fact.as_ref())), false);
        let begun = match &delta.shared {
            Some(shared) => shared.clone(),
            None if own.is_empty() => return None,
            None => Begun::empty("delta", delta.when.0, delta.when.1),
        };
        Some(begun.ended(Kind::Delta, (self.sight.alarms, &own), &self.id(run, delta.sequence)))
    }

    /// A beat that it was not told yet: by now it has taken every delta.
    fn beat(&mut self, live: &Live) -> Option<Event> {
        let (position, at) = live.seen.filter(|_| self.beat < live.beats)?;
        self.beat = live.beats;
        let id = self.id(live.run, live.sequence);
        Some(Begun::empty("beat", position, at).ended(Kind::Beat, (false, ""), &id))
    }

    fn id(&self, run: u64, sequence: u64) -> String {
        EventId { run, sequence, sight: self.sight.number() }.to_string()
    }
}

impl EventId {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let run = u64::from_str_radix(parts.next()?, 16).ok()?;
        let sequence = parts.next()?.parse().ok()?;
        let sight = u32::from_str_radix(parts.next()?, 16).ok()?;
        parts.next().is_none().then_some(Self { run, sequence, sight })
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { run, sequence, sight } = self;
        write!(f, "{run:016x}-{sequence}-{sight:08x}")
    }
}

impl Sight {
    /// Its number (FNV-1a): an id that was given to another sight is none to this one.
    fn number(&self) -> u32 {
        let stations = self.gauges_of.iter().flat_map(|id| id.as_str().bytes().chain([b' ']));
        // no id of a station has this byte
        let bytes = stations.chain((!self.alarms).then_some(0xff));
        bytes
            .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
    }
}
