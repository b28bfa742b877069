//! Parameters of a request: as they were written, and what they say once all are checked.

pub mod alarms;

use std::{fmt, str::FromStr};

use model::{
    calendar::{Date, parse_date},
    ids::{AgentId, GaugeId, SectionKey, StationId},
    station::Station,
    time::{Span, Timestamp},
    verdict::Length,
    wire::refused_v1::Kept,
};
use serde::Deserialize;
use store::{Cursor, QuarantineQuery, QuarantineState, SamplesQuery, VerdictsQuery};
use utoipa::{IntoParams, ToSchema};

use crate::{
    problem::{Fault, Problem},
    view::station::sections_of,
};

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

/// A page of samples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SamplesParameters {
    /// The first moment, RFC 3339 with any offset; from the beginning where it is not said.
    #[param(format = DateTime, example = "2026-11-22T08:00:00+08:00")]
    pub from: Option<String>,
    /// The first moment after; to the end where it is not said.
    #[param(format = DateTime, example = "2026-11-23T08:00:00+08:00")]
    pub to: Option<String>,
    /// The most samples of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, asked with the same `from` and `to`. All pages show the store as
    /// it was at the first one; what arrives meanwhile belongs to the next listing.
    #[param(pattern = "^[0-9]{1,18}_(-[0-9]{1,12}|[0-9]{1,14})$")]
    pub cursor: Option<String>,
}

/// A page of verdicts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerdictsParameters {
    /// The first moment at which a period begins, RFC 3339 with any offset.
    #[param(format = DateTime, example = "2026-11-22T00:00:00+08:00")]
    pub from: Option<String>,
    /// The first moment after.
    #[param(format = DateTime, example = "2026-12-01T00:00:00+08:00")]
    pub to: Option<String>,
    /// `hour` or `day`; `day` where it is not said.
    #[param(value_type = Option<LengthWord>, inline)]
    pub by: Option<String>,
    /// The section; the station's first one where it is not said.
    #[param(example = "dam")]
    pub section: Option<String>,
    /// `newest` or `all`; the newest of each period where it is not said.
    #[param(value_type = Option<VersionsWord>, inline)]
    pub versions: Option<String>,
    /// The most verdicts of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^(-[0-9]{1,12}|[0-9]{1,14})_[0-9]{1,9}$")]
    pub cursor: Option<String>,
}

/// Which days are counted, and how they are gathered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ComplianceParameters {
    /// A month `2026-10`, a quarter `2026-Q4` or a year `2026`, in each station's zone.
    #[param(value_type = String, pattern = "^[0-9]{4}(-(0[1-9]|1[0-2]|Q[1-4]))?$", example = "2026-10")]
    pub period: Option<String>,
    /// `station` or `county`; `station` where it is not said.
    #[param(value_type = Option<GatherWord>, inline)]
    pub by: Option<String>,
}

/// The words of `by` of a count, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `checked` reads")]
enum GatherWord {
    Station,
    County,
}

/// How counts are gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gather {
    /// Section by section.
    Station,
    /// County by county.
    County,
}

/// A month, a quarter or a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    text: String,
    /// Its first day.
    pub from: Date,
    /// The day after its last.
    pub to: Date,
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let months = |rest: &str| match rest.strip_prefix('Q') {
            Some(quarter) => {
                let quarter: u8 =
                    quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
                Some((format!("{:02}", quarter * 3 - 2), 3))
            }
            None => Some((rest.to_owned(), 1)),
        };
        let parsed = || {
            let (year, rest) = text.split_once('-').unwrap_or((text, ""));
            let (month, count) =
                if rest.is_empty() { ("01".to_owned(), 12) } else { months(rest)? };
            let from = parse_date(&format!("{year}-{month}-01")).ok()?;
            let mut to = from;
            for _ in 0..count {
                to = to.last_of_month().tomorrow().ok()?;
            }
            Some(Self { text: text.to_owned(), from, to })
        };
        parsed().ok_or_else(|| {
            let text = shortened(text);
            format!("`{text}` is no time; write it as 2026-10, 2026-Q4 or 2026")
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ComplianceParameters {
    /// What is asked for.
    pub fn checked(&self) -> Result<(Period, Gather), Problem> {
        let mut faults = Faults::default();
        let words = [("station", Gather::Station), ("county", Gather::County)];
        let by = faults.one_of("by", self.by.as_deref(), &words).unwrap_or(Gather::Station);
        let period = faults.parsed::<Period>("period", self.period.as_deref());
        if self.period.is_none() {
            faults.note("period", "must be there, such as 2026-10");
        }
        faults.none()?;
        let period = period.ok_or_else(|| Problem::of_status(400, "no period"))?;
        Ok((period, by))
    }
}

/// The words of `by`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `of` reads")]
enum LengthWord {
    Hour,
    Day,
}

/// The words of `versions`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `of` reads")]
enum VersionsWord {
    Newest,
    All,
}

/// The last verdict of a page, after which the next one begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerdictCursor {
    /// The period's first moment.
    pub from: Timestamp,
    /// The version.
    pub version: u32,
}

impl fmt::Display for VerdictCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", self.from.as_ms(), self.version)
    }
}

impl FromStr for VerdictCursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('_').and_then(|(from, version)| {
            let from = Timestamp::from_ms(from.parse().ok()?).ok()?;
            Some(Self { from, version: version.parse().ok()? })
        });
        parsed.ok_or_else(|| {
            format!("`{}` is not a cursor; use `next` of the page before", shortened(text))
        })
    }
}

/// A page of the quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct QuarantineParameters {
    /// `parked` or `garbage`; both where it is not said.
    #[param(value_type = Option<KindWord>, inline)]
    pub kind: Option<String>,
    /// `held`, `replayed`, `discarded` or `all`; `held` where it is not said.
    #[param(value_type = Option<StateWord>, inline)]
    pub state: Option<String>,
    /// The most items of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, which is a number; left out for the first one.
    #[param(value_type = Option<i64>)]
    pub cursor: Option<String>,
}

/// The words of `kind`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `page` reads")]
enum KindWord {
    Parked,
    Garbage,
}

/// The words of `state`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `page` reads")]
enum StateWord {
    Held,
    Replayed,
    Discarded,
    All,
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

impl SamplesParameters {
    /// The page of `gauge`'s samples that is asked for.
    pub fn of(&self, gauge: GaugeId) -> Result<SamplesQuery, Problem> {
        let mut faults = Faults::default();
        let from = faults.moment("from", self.from.as_deref()).unwrap_or(Timestamp::MIN);
        let to = faults.moment("to", self.to.as_deref()).unwrap_or(Timestamp::MAX);
        if from > to {
            faults.note("to", "is before `from`");
        }
        let limit = faults.limit(self.limit.as_deref());
        let cursor = faults.parsed::<Cursor>("cursor", self.cursor.as_deref());
        faults.none()?;
        Ok(SamplesQuery { gauge, from, to, cursor, limit })
    }
}

impl VerdictsParameters {
    /// The page of `station`'s verdicts that is asked for.
    pub fn of(&self, station: &Station) -> Result<VerdictsQuery, Problem> {
        let mut faults = Faults::default();
        let from = faults.moment("from", self.from.as_deref()).unwrap_or(Timestamp::MIN);
        let to = faults.moment("to", self.to.as_deref()).unwrap_or(Timestamp::MAX);
        if from > to {
            faults.note("to", "is before `from`");
        }
        let by = faults.one_of("by", self.by.as_deref(), Length::WORDS).unwrap_or(Length::Day);
        let versions = [("newest", false), ("all", true)];
        let all_versions = faults.one_of("versions", self.versions.as_deref(), &versions);
        let sections = sections_of(station);
        let section = match self.section.as_deref() {
            None => sections.first().copied(),
            Some(text) => sections.iter().find(|id| id.as_str() == text).copied(),
        };
        if section.is_none() {
            let known: Vec<_> = sections.iter().map(ToString::to_string).collect();
            faults.note(
                "section",
                match known.as_slice() {
                    [] => "the station has none, so nothing of it is judged".to_owned(),
                    known => format!("the station has {}", known.join(", ")),
                },
            );
        }
        let limit = faults.limit(self.limit.as_deref());
        let cursor = faults.parsed::<VerdictCursor>("cursor", self.cursor.as_deref());
        faults.none()?;
        let Some(section) = section else { return Err(Problem::of_status(400, "no section")) };
        Ok(VerdictsQuery {
            section: SectionKey { station: station.id.clone(), section: section.clone() },
            by,
            span: Span { from, to },
            all_versions: all_versions.unwrap_or(false),
            after: cursor.map(|cursor| (cursor.from, cursor.version)),
            limit,
        })
    }
}

impl QuarantineParameters {
    /// The page that is asked for.
    pub fn page(&self) -> Result<QuarantineQuery, Problem> {
        let mut faults = Faults::default();
        let kinds = [("parked", Some(Kept::Parked)), ("garbage", Some(Kept::Garbage))];
        let kind = faults.one_of("kind", self.kind.as_deref(), &kinds).flatten();
        let states = [
            ("held", Some(QuarantineState::Held)),
            ("replayed", Some(QuarantineState::Replayed)),
            ("discarded", Some(QuarantineState::Discarded)),
            ("all", None),
        ];
        let state = faults.one_of("state", self.state.as_deref(), &states);
        let limit = faults.limit(self.limit.as_deref());
        let before = faults.parsed("cursor", self.cursor.as_deref());
        faults.none()?;
        let state = state.unwrap_or(Some(QuarantineState::Held));
        Ok(QuarantineQuery { kind, state, before, limit })
    }
}

/// A number of the quarantine, as the address names it.
pub fn quarantine_id(text: &str) -> Result<i64, Problem> {
    let id = text.parse().ok().filter(|id| *id > 0);
    id.ok_or_else(|| {
        Problem::not_found(format!("`{}` is no item of the quarantine", shortened(text)))
    })
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(from: &str, to: &str, limit: &str, cursor: &str, expected: &Expect) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let parameters = SamplesParameters {
            from: some(from),
            to: some(to),
            limit: some(limit),
            cursor: some(cursor),
        };
        let shown = match parameters.of("A/b".parse().unwrap()) {
            Ok(query) => {
                format!("{} {} {} {:?}", query.from, query.to, query.limit, query.cursor.is_some())
            }
            Err(problem) => format!("{} {}", problem.status, problem.detail),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn any_offset_is_taken_even_with_a_plus_that_nobody_encoded() {
        check(
            "2026-11-22T08:00:00 08:00",
            "2026-11-22T08:00:00+08:00",
            "10000",
            "7_0",
            &expect!["2026-11-22T00:00:00Z 2026-11-22T00:00:00Z 10000 true"],
        );
    }

    #[test]
    fn what_is_not_said_is_everything_a_thousand_at_a_time() {
        check("", "", "", "", &expect!["1900-01-01T00:00:00Z 9999-12-30T22:00:00Z 1000 false"]);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        check(
            "yesterday",
            "2026-11-22T08:00:00",
            "10001",
            "x",
            &expect![
                "400 from: `yesterday` is not a moment; write it as 2026-11-22T08:00:00+08:00; to: `2026-11-22T08:00:00` is not a moment; write it as 2026-11-22T08:00:00+08:00; limit: `10001` is not a number from 1 to 10000; cursor: `x` is not a cursor; use `next` of the page before"
            ],
        );
        check(
            "2026-11-22T08:00:00Z",
            "2026-11-21T08:00:00Z",
            "0",
            "",
            &expect!["400 to: is before `from`; limit: `0` is not a number from 1 to 10000"],
        );
    }

    #[test]
    fn the_quarantine_shows_what_is_held_unless_asked() {
        let page = QuarantineParameters::default().page().unwrap();
        assert_eq!((page.kind, page.state), (None, Some(QuarantineState::Held)));
        let all = QuarantineParameters { state: Some("all".to_owned()), ..Default::default() };
        assert_eq!(all.page().unwrap().state, None);
        let bad = QuarantineParameters {
            kind: Some("none".to_owned()),
            state: Some("lost".to_owned()),
            cursor: Some("-".to_owned()),
            limit: Some("many".to_owned()),
        };
        assert_eq!(bad.page().unwrap_err().faults.len(), 4);
    }
}
