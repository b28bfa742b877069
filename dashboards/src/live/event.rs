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
    /// Its bytes.
    pub pieces: [Bytes; 2],
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
pub(super) struct Begun(Bytes);

impl Begun {
    /// Without a fact yet.
    pub(super) fn empty(name: &str, position: i64, at: Timestamp) -> Self {
        let data = Members::default().written(false);
        Self(Bytes::from(begin(name, position, at) + &data))
    }

    /// With all facts of `facts`.
    pub(super) fn snapshot<'a>(
        (position, at): (i64, Timestamp),
        facts: impl Iterator<Item = (&'a Key, &'a Fact)>,
    ) -> Self {
        let mut members = Members::default();
        facts.for_each(|(key, fact)| members.add(key, Some(fact)));
        Self(Bytes::from(begin("snapshot", position, at) + &members.written(true)))
    }

    /// With these changes.
    pub(super) fn delta<'a>(
        (position, at): (i64, Timestamp),
        changes: impl Iterator<Item = (&'a Key, Option<&'a Fact>)>,
    ) -> Self {
        let mut members = Members::default();
        changes.for_each(|(key, fact)| members.add(key, fact));
        Self(Bytes::from(begin("delta", position, at) + &members.written(false)))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The whole event: with the gauges of a viewer, and the name under which it can come back.
    pub(super) fn ended(self, kind: Kind, gauges: &str, id: &str) -> Event {
        Event { kind, pieces: [self.0, Bytes::from(format!("{gauges}}}\nid: {id}\n\n"))] }
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

/// The members that every viewer is told.
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

    fn written(&self, is_whole: bool) -> String {
        let lists = [("sections", &self.sections), ("alarms", &self.alarms)];
        let lists = lists.map(|(name, list)| list.written(name, is_whole));
        format!("{}{}", self.single, lists.concat())
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
