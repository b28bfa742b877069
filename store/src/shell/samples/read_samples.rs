//! Reads of samples: pages, the latest one, and which gauges there are.

use model::{ids::GaugeId, quantity::Unit, time::Timestamp};
use rusqlite::{Row, types::ValueRef};

use super::{SamplesReader, first_row};
use crate::{
    admission::{AdmittedColumn, Kind},
    facts::GaugeFacts,
    page::{Cursor, Merge, Page, SamplesQuery, StoredSample},
    points::Decoded,
    shell::error::StoreError,
};

/// A gauge as reads need it.
struct GaugeRow {
    id: i64,
    unit: Unit,
    newest: Option<i64>,
    longest: i64,
    conflicts: i64,
}

impl SamplesReader {
    /// A page of samples: each moment once, ascending; what is admitted after the first page
    /// belongs to the next listing. Reads only the payloads that the page needs.
    pub fn samples(&self, query: &SamplesQuery) -> Result<Page, StoreError> {
        let Some(gauge) = self.gauge_row(&query.gauge)? else {
            return Ok(Page { unit: None, samples: Vec::new(), next: None });
        };
        let (feed, start) = match query.cursor {
            Some(cursor) => (cursor.feed, cursor.at.max(query.from)),
            None => (self.feed_head()?, query.from),
        };
        let mut merge = Merge::new(query.limit);
        let last = query.to.as_ms().saturating_sub(1);
        let first = start.as_ms();
        if first <= last {
            self.for_each_span(query, &gauge, (first, last, feed), &mut merge)?;
        }
        let (samples, next) = merge.finish();
        Ok(Page { unit: Some(gauge.unit), samples, next: next.map(|at| Cursor { feed, at }) })
    }

    fn for_each_span(
        &self,
        query: &SamplesQuery,
        gauge: &GaugeRow,
        (first, last, feed): (i64, i64, i64),
        merge: &mut Merge,
    ) -> Result<(), StoreError> {
        let attempt = StoreError::sql("read samples");
        let sql = "SELECT s.from_ms, s.to_ms, s.points, s.decimals, s.qc, s.feed, s.batch, b.kind,
              b.bytes, s.offset_ms
            FROM span s JOIN batch b ON b.position = s.batch
            WHERE s.gauge = ?1 AND s.from_ms BETWEEN ?2 AND ?3 AND s.to_ms >= ?4 AND s.feed <= ?5
            ORDER BY s.from_ms, s.feed";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let earliest = first.saturating_sub(gauge.longest);
        let mut rows =
            statement.query([gauge.id, earliest, last, first, feed]).map_err(&attempt)?;
        while let Some(row) = rows.next().map_err(&attempt)? {
            let span = SpanRow::read(row, &query.gauge, gauge.unit).map_err(&attempt)?;
            if merge.is_settled_before(span.column.from) {
                break;
            }
            let samples = span.samples(row)?;
            let inside = samples.into_iter().filter(|stored| {
                let at = stored.sample.at.as_ms();
                at >= first && at <= last
            });
            merge.add(span.feed, inside);
        }
        Ok(())
    }

    /// The newest sample of a gauge, a defect without a value too.
    pub fn latest(&self, gauge: &GaugeId) -> Result<Option<StoredSample>, StoreError> {
        let Some(row) = self.gauge_row(gauge)? else { return Ok(None) };
        let Some(newest) = row.newest else { return Ok(None) };
        let query = SamplesQuery {
            gauge: gauge.clone(),
            from: Timestamp::clamped(newest),
            to: Timestamp::clamped(newest.saturating_add(1)),
            cursor: None,
            limit: 1,
        };
        Ok(self.samples(&query)?.samples.pop())
    }

    /// What is known of a gauge; `None` where it never had a sample.
    pub fn gauge(&self, gauge: &GaugeId) -> Result<Option<GaugeFacts>, StoreError> {
        Ok(self.gauge_row(gauge)?.map(|row| row.facts(gauge.clone())))
    }

    /// Every gauge that ever had a sample, by its full name.
    pub fn gauges(&self) -> Result<Vec<GaugeFacts>, StoreError> {
        let attempt = StoreError::sql("list gauges");
        let sql = "SELECT g.id, g.unit, g.newest_ms, g.longest_ms, g.conflicts, t.name, g.name
            FROM gauge g JOIN station t ON t.id = g.station ORDER BY t.name, g.name";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([]).map_err(&attempt)?;
        let mut gauges = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let (station, name): (String, String) =
                row.get(5).and_then(|station| Ok((station, row.get(6)?))).map_err(&attempt)?;
            let gauge = format!("{station}/{name}").parse().map_err(damaged)?;
            gauges.push(GaugeRow::read(row).map_err(&attempt)??.facts(gauge));
        }
        Ok(gauges)
    }

    fn gauge_row(&self, gauge: &GaugeId) -> Result<Option<GaugeRow>, StoreError> {
        let sql = "SELECT g.id, g.unit, g.newest_ms, g.longest_ms, g.conflicts
            FROM gauge g JOIN station t ON t.id = g.station WHERE t.name = ?1 AND g.name = ?2";
        let names = [gauge.station.as_str(), gauge.name.as_str()];
        first_row(&self.connection, sql, names, GaugeRow::read)
            .map_err(StoreError::sql("look a gauge up"))?
            .transpose()
    }
}

/// A name in the file that is not one of ours.
pub(super) fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("samples.db: {error}"))
}

impl GaugeRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Result<Self, StoreError>> {
        let name: String = row.get(1)?;
        let Some(unit) = Unit::named(&name) else {
            return Ok(Err(damaged(format!("the unit `{name}` is not known"))));
        };
        Ok(Ok(Self {
            id: row.get(0)?,
            unit,
            newest: row.get(2)?,
            longest: row.get(3)?,
            conflicts: row.get(4)?,
        }))
    }

    fn facts(&self, gauge: GaugeId) -> GaugeFacts {
        GaugeFacts {
            gauge,
            unit: self.unit,
            newest: self.newest.map(Timestamp::clamped),
            conflicts: u64::try_from(self.conflicts).unwrap_or(0),
        }
    }
}

/// A row of `span`, in the order of columns that the queries share.
struct SpanRow {
    column: AdmittedColumn,
    feed: i64,
    batch: i64,
}

impl SpanRow {
    fn read(row: &Row<'_>, gauge: &GaugeId, unit: Unit) -> rusqlite::Result<Self> {
        let column = AdmittedColumn {
            gauge: gauge.clone(),
            unit,
            decimals: row.get(3)?,
            from: Timestamp::clamped(row.get(0)?),
            to: Timestamp::clamped(row.get(1)?),
            points: row.get(2)?,
            offset_ms: row.get(9)?,
            qc: row.get(4)?,
        };
        Ok(Self { column, feed: row.get(5)?, batch: row.get(6)? })
    }

    fn samples(&self, row: &Row<'_>) -> Result<Vec<StoredSample>, StoreError> {
        let attempt = StoreError::sql("read a batch");
        let kind: i64 = row.get(7).map_err(&attempt)?;
        let kind = Kind::from_code(kind)
            .ok_or_else(|| damaged(format!("batch {} is of no known kind", self.batch)))?;
        let bytes = match row.get_ref(8).map_err(&attempt)? {
            ValueRef::Blob(bytes) => bytes,
            ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Text(_) => {
                return Err(damaged(format!("batch {} has no bytes", self.batch)));
            }
        };
        let samples = Decoded::new(kind, bytes)
            .and_then(|decoded| decoded.span(&self.column))
            .map_err(|source| StoreError::Points { batch: self.batch, source })?;
        let decimals = self.column.decimals;
        Ok(samples.into_iter().map(|sample| StoredSample { sample, decimals }).collect())
    }
}
