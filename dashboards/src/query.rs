//! Parameters of a request: as they were written, and what they say once all are checked.

pub mod alarms;
pub mod compliance;
pub mod live;
pub mod quarantine;
pub mod samples;
pub mod series;
pub mod session;
pub mod verdicts;

use std::{fmt, str::FromStr};

use model::{
    ids::{AgentId, SectionId, StationId},
    station::Station,
    time::Timestamp,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    problem::{Fault, Problem},
    view::station::sections_of,
};

/// The longest body of a call: a name and a password of 128 characters of four bytes, written as `\u`
/// escapes.
pub const MAX_BODY_BYTES: usize = 4 << 10;
/// The most items that a page may have.
pub const MAX_LIMIT: usize = 10_000;
/// How many it has where nobody says.
pub const DEFAULT_LIMIT: usize = 1_000;

/// A page of any list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageParameters {
    /// The most items of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, which is an id; left out for the first one.
    #[param(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    pub cursor: Option<String>,
}

/// A page of a list that is sorted by its ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdPage<I> {
    /// How many items.
    pub limit: usize,
    /// The last id of the page before.
    pub after: Option<I>,
}

impl PageParameters {
    /// The page of stations that is asked for.
    pub fn stations(&self) -> Result<IdPage<StationId>, Problem> {
        self.by_id()
    }

    /// The page of agents that is asked for.
    pub fn agents(&self) -> Result<IdPage<AgentId>, Problem> {
        self.by_id()
    }

    fn by_id<I: FromStr<Err: fmt::Display>>(&self) -> Result<IdPage<I>, Problem> {
        let mut faults = Faults::default();
        let limit = faults.limit(self.limit.as_deref());
        let after = faults.parsed("cursor", self.cursor.as_deref());
        faults.none()?;
        Ok(IdPage { limit, after })
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn note(&mut self, key: &str, problem: impl fmt::Display) {
        self.0.push(Fault { key: key.to_owned(), problem: problem.to_string() });
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(
        &mut self,
        key: &str,
        text: Option<&str>,
    ) -> Option<T> {
        match text?.parse() {
            Ok(value) => Some(value),
            Err(problem) => {
                self.note(key, problem);
                None
            }
        }
    }

    /// A `+` that nobody encoded arrives as a space; no moment has one where an offset begins.
    fn moment(&mut self, key: &str, text: Option<&str>) -> Option<Timestamp> {
        self.parsed(key, text.map(|text| text.replace(' ', "+")).as_deref())
    }

    /// A section of a station, its first one where none is named.
    fn section<'s>(&mut self, station: &'s Station, text: Option<&str>) -> Option<&'s SectionId> {
        self.section_of(&sections_of(station), text)
    }

    /// One of these sections, the first one where none is named.
    fn section_of<'s>(
        &mut self,
        sections: &[&'s SectionId],
        text: Option<&str>,
    ) -> Option<&'s SectionId> {
        let section = match text {
            None => sections.first().copied(),
            Some(text) => sections.iter().find(|id| id.as_str() == text).copied(),
        };
        if section.is_none() {
            let known: Vec<_> = sections.iter().map(ToString::to_string).collect();
            self.note(
                "section",
                match known.as_slice() {
                    [] => "the station has none, so nothing of it is judged".to_owned(),
                    known => format!("the station has {}", known.join(", ")),
                },
            );
        }
        section
    }

    fn limit(&mut self, text: Option<&str>) -> usize {
        let Some(text) = text else { return DEFAULT_LIMIT };
        let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        limit.unwrap_or_else(|| {
            self.note(
                "limit",
                format!("`{}` is not a number from 1 to {MAX_LIMIT}", shortened(text)),
            );
            DEFAULT_LIMIT
        })
    }

    fn one_of<T: Copy>(&mut self, key: &str, text: Option<&str>, words: &[(&str, T)]) -> Option<T> {
        let text = text?;
        let known = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning);
        if known.is_none() {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.note(key, format!("`{}` is none of {}", shortened(text), all.join(", ")));
        }
        known
    }

    fn none(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::bad_parameters(self.0)) }
    }
}
