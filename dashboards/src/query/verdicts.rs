//! Parameters of a page of verdicts.

use std::{fmt, str::FromStr};

use model::{
    ids::{SectionId, SectionKey},
    station::Station,
    time::{Span, Timestamp},
    verdict::Length,
};
use serde::Deserialize;
use store::VerdictsQuery;
use utoipa::{IntoParams, ToSchema};

use super::{Faults, shortened};
use crate::{problem::Problem, view::station::sections_of};

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
    /// `hour`, `day` or `month`; `day` where it is not said.
    #[param(value_type = Option<LengthWord>, inline)]
    pub by: Option<String>,
    /// The section; the station's first one where it is not said. Verdicts of one that the registry
    /// has no more stay readable under its name.
    #[param(example = "dam")]
    pub section: Option<String>,
    /// `newest` or `all`; the newest of each period where it is not said. A month has one alone.
    #[param(value_type = Option<VersionsWord>, inline)]
    pub versions: Option<String>,
    /// The most verdicts of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before.
    #[param(pattern = "^(-[0-9]{1,12}|[0-9]{1,14})_[0-9]{1,9}$")]
    pub cursor: Option<String>,
}

/// The words of `by`, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `of` reads")]
enum LengthWord {
    Hour,
    Day,
    Month,
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

/// How long the periods are that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodLength {
    /// Those that are judged.
    Judged(Length),
    /// Months, which are counted from days.
    Month,
}

impl PeriodLength {
    const WORDS: [(&'static str, Self); 3] = [
        (Length::Hour.word(), Self::Judged(Length::Hour)),
        (Length::Day.word(), Self::Judged(Length::Day)),
        ("month", Self::Month),
    ];
}

/// What is asked for: stored verdicts, or months, of which each has one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Hours or days.
    Stored(VerdictsQuery),
    /// Months.
    Months(MonthsQuery),
}

/// A page of months.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthsQuery {
    /// Of which section.
    pub section: SectionKey,
    /// Months that begin in this time.
    pub span: Span,
    /// At most so many.
    pub limit: usize,
}

impl VerdictsParameters {
    /// The page of `station`'s verdicts that is asked for; `judged` are those of its sections of
    /// which anything ever was.
    pub fn of(&self, station: &Station, judged: &[SectionId]) -> Result<Asked, Problem> {
        let mut faults = Faults::default();
        let from = faults.moment("from", self.from.as_deref()).unwrap_or(Timestamp::MIN);
        let to = faults.moment("to", self.to.as_deref()).unwrap_or(Timestamp::MAX);
        if from > to {
            faults.note("to", "is before `from`");
        }
        let by = faults.one_of("by", self.by.as_deref(), &PeriodLength::WORDS);
        let by = by.unwrap_or(PeriodLength::Judged(Length::Day));
        let versions = [("newest", false), ("all", true)];
        let all_versions = faults.one_of("versions", self.versions.as_deref(), &versions);
        if all_versions == Some(true) && by == PeriodLength::Month {
            faults
                .note("versions", "a month has no versions of its own; ask for those of its days");
        }
        let mut sections = sections_of(station);
        let before = judged.iter().filter(|id| !sections.contains(id));
        let before: Vec<&SectionId> = before.collect();
        sections.extend(before);
        let section = faults.section_of(&sections, self.section.as_deref());
        let limit = faults.limit(self.limit.as_deref());
        let cursor = faults.parsed::<VerdictCursor>("cursor", self.cursor.as_deref());
        faults.none()?;
        let Some(section) = section else { return Err(Problem::of_status(400, "no section")) };
        let section = SectionKey { station: station.id.clone(), section: section.clone() };
        Ok(match by {
            PeriodLength::Judged(by) => Asked::Stored(VerdictsQuery {
                section,
                by,
                span: Span { from, to },
                all_versions: all_versions.unwrap_or(false),
                after: cursor.map(|cursor| (cursor.from, cursor.version)),
                limit,
            }),
            PeriodLength::Month => {
                let from = cursor.map_or(from, |cursor| from.max(cursor.from.plus_ms(1)));
                Asked::Months(MonthsQuery { section, span: Span { from, to }, limit })
            }
        })
    }
}
