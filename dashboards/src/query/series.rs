//! Parameters of a series.

use model::{
    ids::{GaugeName, SectionId},
    station::Station,
    time::{Span, Timestamp},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Faults, shortened};
use crate::problem::Problem;

/// The most buckets of a series.
pub const MAX_POINTS: usize = 2_000;
/// How many it has at most where nobody says.
const DEFAULT_POINTS: usize = 500;
/// How long it is where nobody says.
const DEFAULT_MS: i64 = 24 * 60 * 60 * 1000;
/// The longest one: ten years and a bit.
const MAX_MS: i64 = 3_660 * 24 * 60 * 60 * 1000;
/// What a section releases, in the place of a gauge's name.
pub const RELEASED: &str = "released";

/// A series for a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SeriesParameters {
    /// A gauge of the station, or `released`: what a section lets out through all its outlets,
    /// which is what its verdicts weigh. `released` where it is not said.
    #[param(example = "released")]
    pub gauge: Option<String>,
    /// The section of `released`; the station's first one where it is not said.
    #[param(example = "dam")]
    pub section: Option<String>,
    /// The first moment, RFC 3339 with any offset; a day before `to` where it is not said.
    #[param(format = DateTime, example = "2026-11-21T08:00:00+08:00")]
    pub from: Option<String>,
    /// The first moment after; the server's clock where it is not said, and at the latest.
    #[param(format = DateTime, example = "2026-11-22T08:00:00+08:00")]
    pub to: Option<String>,
    /// The most buckets, 1 to 2,000; 500 where it is not said. Each is as long as people read it
    /// from a chart, so that there may be fewer.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 2000, example = 500)]
    pub points: Option<String>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesQuery {
    /// Of what.
    pub what: What,
    /// Of when.
    pub span: Span,
    /// In how many buckets at most.
    pub points: usize,
}

/// What a series is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// One gauge.
    Gauge(GaugeName),
    /// What a section releases.
    Released(SectionId),
}

impl SeriesParameters {
    /// The series of `station` that is asked for at `now`.
    pub fn of(&self, station: &Station, now: Timestamp) -> Result<SeriesQuery, Problem> {
        let mut faults = Faults::default();
        let what = self.what(station, &mut faults);
        let to = faults.moment("to", self.to.as_deref()).unwrap_or(now);
        let from = faults.moment("from", self.from.as_deref());
        let from = from.unwrap_or_else(|| to.plus_ms(-DEFAULT_MS));
        if from > to {
            faults.note("to", "is before `from`");
        } else if to.ms_since(from) > MAX_MS {
            faults.note("to", "is more than ten years after `from`; ask for less");
        }
        let points = match self.points.as_deref() {
            None => DEFAULT_POINTS,
            Some(text) => {
                let points = text.parse().ok().filter(|points| (1..=MAX_POINTS).contains(points));
                points.unwrap_or_else(|| {
                    let text = shortened(text);
                    faults
                        .note("points", format!("`{text}` is not a number from 1 to {MAX_POINTS}"));
                    DEFAULT_POINTS
                })
            }
        };
        faults.none()?;
        let query = what.map(|what| SeriesQuery { what, span: Span { from, to }, points });
        query.ok_or_else(|| Problem::of_status(400, "no gauge"))
    }

    fn what(&self, station: &Station, faults: &mut Faults) -> Option<What> {
        let name = self.gauge.as_deref().unwrap_or(RELEASED);
        if name == RELEASED {
            let section = faults.section(station, self.section.as_deref())?;
            return Some(What::Released(section.clone()));
        }
        if self.section.is_some() {
            faults.note("section", "a gauge has no section; leave it out, or ask for `released`");
        }
        let known = station.gauges.get_key_value(name);
        if known.is_none() {
            let names: Vec<_> = station.gauges.keys().take(32).map(ToString::to_string).collect();
            let (name, names) = (shortened(name), names.join(", "));
            faults.note(
                "gauge",
                format!("the station has no gauge `{name}`; it has {names}, and released"),
            );
        }
        known.map(|(name, _)| What::Gauge(name.clone()))
    }
}
