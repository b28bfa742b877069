//! What the rules of a section are told of its released flow: one for each section.
//!
//! A row of the feed says that something came, and when. What of it was observed at most
//! [`live_ms`] before is live: it makes points, strictly forward. All else came late, and is told
//! as what has become known of the past.
//!
//! **The watermark.** Outlets speak one after another. Up to which moment the sum is taken is
//! decided by who is alive: an outlet whose newest live value still holds at the newest moment of
//! any. Its value speaks for its interval, of which the last half, a minute at most, is left out,
//! since its next value may be early. So the sum is not taken with a value that is about to be
//! replaced; and an outlet that has fallen silent is waited for until its value holds no longer,
//! and from then on the sum is a lower bound.
//!
//! Only what came live holds in a live point: what came late fills in the unknown and changes
//! nothing that was said.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`WAITING`] live values of an outlet wait for another to speak | nobody is waited for any longer; counted |

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::{
    flow::Flow,
    ids::GaugeName,
    quantity::Decimal,
    release::{Duty, Outlet, Piece, Step, release},
    section::{Section, Source},
    time::{Span, Timestamp},
};
use serde::{Deserialize, Serialize};

use crate::{
    below_mandate::{Bound, Event, Point},
    snapshot::{self, RestoreError},
};

/// No reading is late before this age.
pub const LIVE_MIN_MS: i64 = 120_000;
/// Live values of an outlet that may wait for another to speak.
pub const WAITING: usize = 4_096;
/// By how much the next value may be early, at most.
const EARLY_MS: i64 = 60_000;

/// How old a reading of a gauge with this interval may be when it is received to count as live.
pub fn live_ms(interval_ms: i64) -> i64 {
    interval_ms.saturating_mul(3).max(LIVE_MIN_MS)
}

/// A row of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which moments may have new samples.
    pub span: Span,
    /// When they came.
    pub received_at: Timestamp,
    /// Whether somebody imported a history: nothing of it is live, however new it is.
    pub is_import: bool,
}

impl Row {
    /// The moment from which on a reading in this row is live, of a gauge with this interval.
    pub fn live_from(&self, interval_ms: i64) -> Timestamp {
        if self.is_import {
            Timestamp::MAX
        } else {
            self.received_at.plus_ms(-live_ms(interval_ms))
        }
    }
}

/// What follows from a row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// For each rule of the section, in this order.
    pub events: Vec<Event>,
    /// The stretch of the past of which more is known: [`late`] says what.
    pub late: Option<Span>,
    /// Whether somebody was waited for no longer, since too much waited.
    pub is_cut_short: bool,
}

/// Good samples of an outlet, ascending.
pub type Samples = Vec<(Timestamp, Flow)>;

/// One outlet as far as it spoke live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Voice {
    /// The newest value that was told.
    last: Option<Value>,
    /// Newer ones, which wait for another outlet.
    waiting: Vec<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Value {
    at: Timestamp,
    #[serde(with = "crate::snapshot::ml_per_s")]
    flow: Flow,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Up to here, this moment included, the rules were told.
    until: Option<Timestamp>,
    /// The point that stands, unless its values have stopped standing.
    stands: Option<Point>,
    voices: BTreeMap<GaugeName, Voice>,
}

/// How far the rules of a section were told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Released {
    state: State,
}

const MACHINE: &str = "released";

impl Released {
    /// Its state, to be stored with the position of the row that it was told last.
    pub fn snapshot(&self) -> String {
        snapshot::write(MACHINE, &self.state)
    }

    /// As it was.
    pub fn restore(text: &str) -> Result<Self, RestoreError> {
        Ok(Self { state: snapshot::read(MACHINE, text)? })
    }

    /// What follows from a row, of which `came` has what it brought, for each source of the section
    /// in their order.
    pub fn step(&mut self, section: &Section<'_>, row: Row, came: &[Samples]) -> Told {
        let sources = section.sources();
        self.state.voices.retain(|gauge, _| sources.iter().any(|source| source.gauge == gauge));
        let mut late: Option<Span> = None;
        for (source, samples) in sources.iter().zip(came) {
            let live_from = row.live_from(source.interval_ms);
            for (at, flow) in samples {
                if *at < live_from || self.state.until.is_some_and(|until| *at <= until) {
                    let known = late.get_or_insert(Span { from: *at, to: *at });
                    (known.from, known.to) = (known.from.min(*at), known.to.max(*at));
                }
                if *at >= live_from {
                    self.hear(source.gauge, Value { at: *at, flow: *flow });
                }
            }
        }
        let is_cut_short = self.state.voices.values().any(|voice| voice.waiting.len() > WAITING);
        let events = match self.watermark(&sources, is_cut_short) {
            Some(until) => self.advance(section, &sources, until),
            None => Vec::new(),
        };
        Told { events, late, is_cut_short }
    }

    /// Notes a live value of an outlet, each moment once.
    fn hear(&mut self, gauge: &GaugeName, value: Value) {
        let voice = self.state.voices.entry(gauge.clone()).or_default();
        if self.state.until.is_some_and(|until| value.at <= until) {
            // told without it; but it may hold on from there
            if voice.last.is_none_or(|last| last.at < value.at) {
                voice.last = Some(value);
            }
            return;
        }
        let place = voice.waiting.partition_point(|waiting| waiting.at < value.at);
        if voice.waiting.get(place).is_none_or(|waiting| waiting.at != value.at) {
            voice.waiting.insert(place, value);
        }
    }

    /// Up to which moment the sum can be taken.
    fn watermark(&self, sources: &[Source<'_>], is_cut_short: bool) -> Option<Timestamp> {
        let newest = |source: &Source<'_>| {
            let voice = self.state.voices.get(source.gauge)?;
            voice.waiting.last().or(voice.last.as_ref()).map(|value| value.at)
        };
        let front = sources.iter().filter_map(newest).max()?;
        let is_new = self.state.until.is_none_or(|until| until < front);
        let spoken = sources.iter().filter_map(|source| {
            let at = newest(source)?;
            let is_alive = front < at.plus_ms(source.with(Vec::new()).hold_ms());
            let is_in_force = source.in_force.from <= front && front < source.in_force.to;
            let interval_ms = source.interval_ms;
            let speaks_ms = interval_ms - (interval_ms / 2).min(EARLY_MS);
            (is_alive && is_in_force).then(|| at.plus_ms(speaks_ms))
        });
        let until = if is_cut_short { front } else { spoken.fold(front, Timestamp::min) };
        Some(until).filter(|until| is_new && self.state.until.is_none_or(|told| told < *until))
    }

    /// The points up to `until`, that moment included.
    fn advance(
        &mut self,
        section: &Section<'_>,
        sources: &[Source<'_>],
        until: Timestamp,
    ) -> Vec<Event> {
        let first = |voice: &Voice| voice.waiting.first().map(|value| value.at);
        let Some(first) = self.state.voices.values().filter_map(first).min() else {
            return Vec::new();
        };
        let from = self.state.until.map_or(first, |told| told.plus_ms(1));
        let span = Span { from, to: until.plus_ms(1) };
        let outlets: Vec<Outlet> = sources
            .iter()
            .map(|source| {
                let voice = self.state.voices.get(source.gauge);
                let values =
                    voice.into_iter().flat_map(|voice| voice.last.iter().chain(&voice.waiting));
                source.with(values.map(|value| (value.at, value.flow)).collect())
            })
            .collect();
        let is_sampled = |at: Timestamp| {
            let samples = |outlet: &Outlet| outlet.samples.binary_search_by_key(&at, |(at, _)| *at);
            outlets.iter().any(|outlet| samples(outlet).is_ok())
        };
        let mut events = Vec::new();
        for (piece, required) in pieces(section, &outlets, span) {
            let at = Timestamp::clamped(piece.from_ms);
            if piece.held == 0 {
                if self.state.stands.take().is_some() {
                    events.push(Event::Lost(at));
                }
                continue;
            }
            let point = point_of(&piece, required);
            let says_the_same = |known: &Point| Point { at, ..*known } == point;
            if is_sampled(at) || !self.state.stands.as_ref().is_some_and(says_the_same) {
                self.state.stands = Some(point);
                events.push(Event::Live(point));
            }
        }
        for voice in self.state.voices.values_mut() {
            let told = voice.waiting.partition_point(|value| value.at <= until);
            voice.last = voice.waiting.drain(..told).next_back().or(voice.last);
        }
        self.state.until = Some(until);
        events
    }
}

/// How far around a stretch that came late samples must be known: before it and after it.
pub fn late_margin_ms(section: &Section<'_>) -> i64 {
    let holds = section.sources().into_iter().map(|source| source.with(Vec::new()).hold_ms());
    holds.max().unwrap_or(0)
}

/// What has become known of the past by samples between `came.from` and `came.to`, both included:
/// how the value before each of them went on, and it up to the next one. `known` has all that is
/// known of each source, [`late_margin_ms`] around.
pub fn late(section: &Section<'_>, came: Span, known: Vec<Samples>) -> Event {
    let sources = section.sources();
    let margin_ms = late_margin_ms(section);
    let mut to = came.to;
    for (source, samples) in sources.iter().zip(&known) {
        // what the last value says holds up to the next one: where that is not known, nobody knows
        let last = samples.partition_point(|(at, _)| *at <= came.to);
        let next = samples.get(last).map(|(at, _)| *at);
        let hold_ms = source.with(Vec::new()).hold_ms();
        to = to.max(next.filter(|next| *next <= came.to.plus_ms(hold_ms)).unwrap_or(came.to));
    }
    let outlets: Vec<Outlet> =
        sources.iter().zip(known).map(|(source, samples)| source.with(samples)).collect();
    let span = Span { from: came.from.plus_ms(-margin_ms), to };
    let mut told: Vec<(Point, Timestamp)> = Vec::new();
    for (piece, required) in pieces(section, &outlets, span) {
        if piece.held == 0 {
            continue;
        }
        let point = point_of(&piece, required);
        let to = Timestamp::clamped(piece.to_ms);
        match told.last_mut() {
            Some((known, until))
                if *until == point.at && Point { at: known.at, ..point } == *known =>
            {
                *until = to;
            }
            Some(_) | None => told.push((point, to)),
        }
    }
    Event::Late(told)
}

/// The pieces of a stretch, each with what is mandated then.
fn pieces(section: &Section<'_>, outlets: &[Outlet], span: Span) -> Vec<(Piece, Option<Flow>)> {
    let mut all = Vec::new();
    for (stretch, required) in section.required_through(span) {
        let from = stretch.from;
        let steps = [Step { from, required: required.unwrap_or(Flow::from_ml_per_s(0)) }];
        let duty = Duty { steps: &steps, factor: Decimal { units: 1, decimals: 0 }, exempt: &[] };
        let of_stretch = release(outlets, duty, stretch).into_iter();
        all.extend(of_stretch.map(|piece| (piece, required)));
    }
    all
}

fn point_of(piece: &Piece, required: Option<Flow>) -> Point {
    Point {
        at: Timestamp::clamped(piece.from_ms),
        released: Flow::from_ml_per_s(piece.released),
        bound: if piece.is_whole() { Bound::Whole } else { Bound::AtLeast },
        required,
    }
}
