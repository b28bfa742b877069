//! The samples of a gauge in one stretch, as judging and alarming need them.

use model::{
    flow::Flow,
    ids::GaugeId,
    sample::Sample,
    time::{Span, Timestamp},
};

use rusqlite::params;

use super::{SamplesReader, first_row};
use crate::{
    facts::SamplesWeight,
    page::{Cursor, SamplesQuery},
    shell::error::StoreError,
};

/// Samples in one page.
const PAGE: usize = 65_536;

impl SamplesReader {
    /// The good samples of a flow gauge within `span`, ascending; which of them lie outside of what
    /// it can reach is for the registry in force to say.
    pub fn good_flow(
        &self,
        gauge: &GaugeId,
        span: Span,
    ) -> Result<Vec<(Timestamp, Flow)>, StoreError> {
        let all = self.all_samples(gauge, span, None, None)?.into_iter();
        let good = all.filter(|sample| sample.is_good());
        // a flow is stored in ml/s whatever its unit (docs/formats.md §8)
        let flow =
            |sample: Sample| sample.value.map(|value| (sample.at, Flow::from_ml_per_s(value)));
        Ok(good.filter_map(flow).collect())
    }

    /// The samples of a gauge within `span`, ascending, as the store knew them when the row of the
    /// feed at `position` was its newest: however far behind it is, who tails the feed sees what
    /// was known then.
    pub fn samples_as_of(
        &self,
        gauge: &GaugeId,
        span: Span,
        position: i64,
    ) -> Result<Vec<Sample>, StoreError> {
        self.all_samples(gauge, span, Some(Cursor::as_of(position, span.from)), None)
    }

    /// Those of them that this row brought: in its span others may stand, that had come before.
    pub fn samples_brought(
        &self,
        gauge: &GaugeId,
        span: Span,
        position: i64,
    ) -> Result<Vec<Sample>, StoreError> {
        let cursor = Cursor::as_of(position, span.from);
        self.all_samples(gauge, span, Some(cursor), Some(position))
    }

    /// What reading the samples of a gauge within `span` costs, at most `limit` spans of it.
    pub fn weight(
        &self,
        gauge: &GaugeId,
        span: Span,
        limit: u64,
    ) -> Result<SamplesWeight, StoreError> {
        let sql = "SELECT count(*), coalesce(sum(points), 0) FROM (SELECT s.points FROM span s
              WHERE s.gauge = (SELECT g.id FROM gauge g JOIN station t ON t.id = g.station
                WHERE t.name = ?1 AND g.name = ?2)
              AND s.from_ms BETWEEN ?3 AND ?4 LIMIT ?5)";
        // a span reaches over an hour at most, which is little beside what is asked for
        let (station, name) = (gauge.station.as_str(), gauge.name.as_str());
        let (from, to) = (span.from.as_ms(), span.to.as_ms().saturating_sub(1));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let weight =
            first_row(&self.connection, sql, params![station, name, from, to, limit], |row| {
                Ok(SamplesWeight {
                    spans: row.get::<_, i64>(0)?.unsigned_abs(),
                    points: row.get::<_, i64>(1)?.unsigned_abs(),
                })
            });
        let weight = weight.map_err(StoreError::sql("weigh samples"))?;
        Ok(weight.unwrap_or_default())
    }

    fn all_samples(
        &self,
        gauge: &GaugeId,
        span: Span,
        mut cursor: Option<Cursor>,
        brought_by: Option<i64>,
    ) -> Result<Vec<Sample>, StoreError> {
        let mut all = Vec::new();
        loop {
            let Span { from, to } = span;
            let query = SamplesQuery { gauge: gauge.clone(), from, to, cursor, limit: PAGE };
            let page = self.page(&query, brought_by)?;
            all.extend(page.samples.into_iter().map(|stored| stored.sample));
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all);
            }
        }
    }
}
