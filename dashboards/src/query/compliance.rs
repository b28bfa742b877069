//! Parameters of a count of days.

use std::{fmt, str::FromStr};

use model::{
    calendar::{Date, parse_date},
    ids::SectionKey,
    station::{County, CountyError},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::{Faults, shortened};
use crate::problem::Problem;

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
    /// The most sections or counties of a page, 1 to 10,000; 1,000 where it is not said.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 10_000, example = 1000)]
    pub limit: Option<String>,
    /// `next` of the page before, asked with the same `period` and `by`.
    #[param(pattern = "^([A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,64}|[0-9]{6}|-)$")]
    pub cursor: Option<String>,
}

/// The words of `by` of a count, for the description of the API.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what `checked` reads")]
enum GatherWord {
    Station,
    County,
}

/// What the word of `by` asks for.
#[derive(Debug, Clone, Copy)]
enum Gather {
    Station,
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
        let begun = match text.split_once('-') {
            None => Some((text, 1, 12)),
            Some((year, rest)) => match rest.strip_prefix('Q') {
                Some("1") => Some((year, 1, 3)),
                Some("2") => Some((year, 4, 3)),
                Some("3") => Some((year, 7, 3)),
                Some("4") => Some((year, 10, 3)),
                Some(_) => None,
                None if rest.len() == 2 && rest.bytes().all(|byte| byte.is_ascii_digit()) => {
                    rest.parse().ok().map(|month: u8| (year, month, 1))
                }
                None => None,
            },
        };
        let parsed = begun.and_then(|(year, month, count)| {
            let from = parse_date(&format!("{year}-{month:02}-01")).ok()?;
            let mut to = from;
            for _ in 0..count {
                to = to.last_of_month().tomorrow().ok()?;
            }
            Some(Self { text: text.to_owned(), from, to })
        });
        parsed.ok_or_else(|| {
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

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComplianceQuery {
    /// Of when.
    pub period: Period,
    /// How it is gathered, and after what the page begins.
    pub page: CompliancePage,
    /// How many items.
    pub limit: usize,
}

/// How counts are gathered, and the last item of the page before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompliancePage {
    /// Section by section.
    Sections(Option<SectionKey>),
    /// County by county.
    Counties(Option<CountyKey>),
}

/// A county as a cursor names it; `-`: stations without one, which come first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountyKey(pub Option<String>);

impl fmt::Display for CountyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or(NO_COUNTY))
    }
}

const NO_COUNTY: &str = "-";

impl ComplianceParameters {
    /// What is asked for.
    pub fn checked(&self) -> Result<ComplianceQuery, Problem> {
        let mut faults = Faults::default();
        let words = [("station", Gather::Station), ("county", Gather::County)];
        let by = faults.one_of("by", self.by.as_deref(), &words).unwrap_or(Gather::Station);
        let period = faults.parsed::<Period>("period", self.period.as_deref());
        if self.period.is_none() {
            faults.note("period", "must be there, such as 2026-10");
        }
        let limit = faults.limit(self.limit.as_deref());
        let cursor = self.cursor.as_deref();
        let page = match by {
            Gather::Station => cursor.map(section_of).transpose().map(CompliancePage::Sections),
            Gather::County => cursor.map(county_of).transpose().map(CompliancePage::Counties),
        };
        let page = page.map_err(|problem| faults.note("cursor", problem)).ok();
        faults.none()?;
        let asked = period.zip(page).map(|(period, page)| ComplianceQuery { period, page, limit });
        asked.ok_or_else(|| Problem::of_status(400, "no period"))
    }
}

fn section_of(text: &str) -> Result<SectionKey, String> {
    let key = text.split_once('/').and_then(|(station, section)| {
        Some(SectionKey { station: station.parse().ok()?, section: section.parse().ok()? })
    });
    key.ok_or_else(|| not_a_cursor(text))
}

fn county_of(text: &str) -> Result<CountyKey, String> {
    if text == NO_COUNTY {
        return Ok(CountyKey(None));
    }
    let county: County = text.parse().map_err(|_none: CountyError| not_a_cursor(text))?;
    Ok(CountyKey(Some(county.to_string())))
}

fn not_a_cursor(text: &str) -> String {
    format!("`{}` is not a cursor; use `next` of the page before", shortened(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> String {
        match text.parse::<Period>() {
            Ok(Period { from, to, .. }) => format!("{from} {to}"),
            Err(_) => "none".to_owned(),
        }
    }

    #[test]
    fn a_time_is_a_month_a_quarter_or_a_year() {
        assert_eq!(period("2026-02"), "2026-02-01 2026-03-01");
        assert_eq!(period("2026-Q4"), "2026-10-01 2027-01-01");
        assert_eq!(period("2024"), "2024-01-01 2025-01-01");
        for text in [
            "",
            "-",
            "2026-",
            "2026-13",
            "2026-1",
            "2026-Q5",
            "2026-Q04",
            "26",
            "2026-+1",
            "2026-02-01",
        ] {
            assert_eq!(period(text), "none", "{text}");
        }
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let page = |by: &str, cursor: &str| {
            let parameters = ComplianceParameters {
                period: Some("2026".to_owned()),
                by: Some(by.to_owned()),
                limit: None,
                cursor: Some(cursor.to_owned()),
            };
            parameters.checked().map(|asked| asked.page).map_err(|problem| problem.detail)
        };
        let key = section_of("S-1/dam").unwrap();
        assert_eq!(page("station", "S-1/dam"), Ok(CompliancePage::Sections(Some(key))));
        assert_eq!(page("county", "-"), Ok(CompliancePage::Counties(Some(CountyKey(None)))));
        let county = CountyKey(Some("620721".to_owned()));
        assert_eq!(page("county", "620721"), Ok(CompliancePage::Counties(Some(county))));
        let refused = "cursor: `620721` is not a cursor; use `next` of the page before".to_owned();
        assert_eq!(page("station", "620721"), Err(refused));
        assert!(page("county", "S-1/dam").is_err());
    }
}
