//! Events as they are written: `text/event-stream`, with one JSON object each.
//!
//! What all viewers are told is made once and sent from where it is.

use axum::body::Bytes;
use model::time::Timestamp;

use super::{Fact, Key};

/// One event, in pieces that are sent one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Which sort.
    pub kind: Kind,
    /// Its bytes; a piece may be empty.
    pub pieces: [Bytes; 3],
}

/// Sorts of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// All that is.
    Snapshot(Why),
    /// What is other than before.
    Delta,
    /// Nothing is, as of now.
    Beat,
}

/// Why a viewer gets a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has just come.
    New,
    /// It comes back, and what it missed cannot be told any more.
    Lost,
    /// It takes events so slowly that what it missed is not kept any more.
    Slow,
}

impl Why {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::New, Self::Lost, Self::Slow];

    /// Its word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Lost => "lost",
            Self::Slow => "slow",
        }
    }
}

/// What an event begins with: its name and its data, but for what one viewer alone is told.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    facts: Bytes,
    /// What those are told beside who see alarms.
    alarms: Bytes,
}

impl Begun {
    /// Without a fact yet.
    pub(super) fn empty(name: &str, position: i64, at: Timestamp) -> Self {
        Self { facts: Bytes::from(begin(name, position, at)), alarms: Bytes::new() }
    }

    /// With all facts of `facts`.
    pub(super) fn snapshot<'a>(
        (position, at): (i64, Timestamp),
        facts: impl Iterator<Item = (&'a Key, &'a Fact)>,
    ) -> Self {
        let mut members = Members::default();
        facts.for_each(|(key, fact)| members.add(key, Some(fact)));
        members.written(begin("snapshot", position, at), true)
    }

    /// With these changes.
    pub(super) fn delta<'a>(
        (position, at): (i64, Timestamp),
        changes: impl Iterator<Item = (&'a Key, Option<&'a Fact>)>,
    ) -> Self {
        let mut members = Members::default();
        changes.for_each(|(key, fact)| members.add(key, fact));
        members.written(begin("delta", position, at), false)
    }

    pub(super) const fn len(&self) -> usize {
        self.facts.len() + self.alarms.len()
    }

    /// The whole event: with or without alarms, with the gauges of a viewer, and the name under
    /// which it can come back.
    pub(super) fn ended(self, kind: Kind, (alarms, gauges): (bool, &str), id: &str) -> Event {
        let Self { facts, alarms: of_alarms } = self;
        let of_alarms = if alarms { of_alarms } else { Bytes::new() };
        Event { kind, pieces: [facts, of_alarms, Bytes::from(format!("{gauges}}}\nid: {id}\n\n"))] }
    }
}

fn begin(name: &str, position: i64, at: Timestamp) -> String {
    format!("event: {name}\ndata: {{\"position\":{position},\"at\":\"{at}\"")
}

/// Facts of one sort, and the names of those that are gone.
#[derive(Default)]
struct List {
    there: Vec<Fact>,
    gone: Vec<String>,
}

impl List {
    fn add(&mut self, name: &impl ToString, fact: Option<&Fact>) {
        match fact {
            Some(fact) => self.there.push(Fact::clone(fact)),
            None => self.gone.push(format!("\"{}\"", name.to_string())),
        }
    }

    /// `,"NAME":[…],"NAME_gone":[…]`, each only where it has something, the first one also where it
    /// is to be there.
    fn written(&self, name: &str, is_whole: bool) -> String {
        let mut text = String::new();
        if is_whole || !self.there.is_empty() {
            text = format!(",\"{name}\":[{}]", self.there.join(","));
        }
        if !self.gone.is_empty() {
            text = format!("{text},\"{name}_gone\":[{}]", self.gone.join(","));
        }
        text
    }
}

/// The members that viewers have in common.
#[derive(Default)]
struct Members {
    single: String,
    sections: List,
    alarms: List,
}

impl Members {
    fn add(&mut self, key: &Key, fact: Option<&Fact>) {
        let single = |name| fact.map_or_else(String::new, |fact| format!(",\"{name}\":{fact}"));
        match key {
            Key::Registry => self.single += &single("registry"),
            Key::Counts => self.single += &single("counts"),
            Key::Section(section) => self.sections.add(section, fact),
            Key::Alarm(alarm) => self.alarms.add(alarm, fact),
            Key::Gauge(_) => {}
        }
    }

    fn written(&self, begin: String, is_whole: bool) -> Begun {
        let facts = begin + &self.single + &self.sections.written("sections", is_whole);
        let alarms = self.alarms.written("alarms", is_whole);
        Begun { facts: Bytes::from(facts), alarms: Bytes::from(alarms) }
    }
}

/// The members about gauges; an empty list is told by a snapshot to those who asked for some.
pub(super) fn gauges<'a>(
    facts: impl Iterator<Item = (&'a Key, Option<&'a Fact>)>,
    is_whole: bool,
) -> String {
    let mut list = List::default();
    for (key, fact) in facts {
        if let Key::Gauge(gauge) = key {
            list.add(gauge, fact);
        }
    }
    list.written("gauges", is_whole)
}
