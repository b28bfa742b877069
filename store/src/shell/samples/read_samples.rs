//! Reads of samples: pages, the latest one, and which gauges there are.

use std::collections::HashMap;

use model::{ids::GaugeId, quantity::Unit, time::Timestamp};
use rusqlite::{Connection, Row};

use super::{SamplesReader, first_row, payload::Payload};
use crate::{
    admission::AdmittedColumn,
    facts::GaugeFacts,
    page::{Cursor, Merge, Page, SamplesQuery, StoredSample},
    shell::error::StoreError,
};

/// Spans that a page looks at together: at first, and at most.
const FIRST_SLICE: usize = 64;
const LAST_SLICE: usize = 16_384;
/// Spans without a value that are looked at for the last one: some hours of a gauge that is read and
/// does not answer.
const SILENT_SPANS: i64 = 64;
/// Bytes of QC flags, beyond which a slice takes no further span.
const MAX_QC_BYTES: usize = 4 * 1024 * 1024;

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
        self.page(query, None)
    }

    /// The same, or of that page only what one row of the feed brought.
    pub(super) fn page(
        &self,
        query: &SamplesQuery,
        brought_by: Option<i64>,
    ) -> Result<Page, StoreError> {
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
            self.merge_spans(query, &gauge, (first, last, feed), &mut merge)?;
        }
        let (samples, next) = merge.finish(brought_by);
        Ok(Page { unit: Some(gauge.unit), samples, next: next.map(|at| Cursor { feed, at }) })
    }

    /// Merges spans in slices of ascending begin, until no later one can change the page. Of a
    /// slice each payload is decoded once, however many of its spans are there; slices grow, so
    /// that a short page looks at few spans and a long one decodes a payload a few times at most.
    fn merge_spans(
        &self,
        query: &SamplesQuery,
        gauge: &GaugeRow,
        (first, last, feed): (i64, i64, i64),
        merge: &mut Merge,
    ) -> Result<(), StoreError> {
        let attempt = StoreError::sql("read samples");
        let sql = "SELECT from_ms, to_ms, points, decimals, qc, feed, batch, offset_ms FROM span
            WHERE gauge = ?1 AND from_ms BETWEEN ?2 AND ?3 AND to_ms >= ?4 AND feed <= ?5
            ORDER BY from_ms, feed";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let earliest = first.saturating_sub(gauge.longest);
        let mut rows =
            statement.query([gauge.id, earliest, last, first, feed]).map_err(&attempt)?;
        let (mut slice, mut bound) = (Slice::default(), FIRST_SLICE);
        let inside = (first, last);
        while let Some(row) = rows.next().map_err(&attempt)? {
            let span = SpanRow::read(row, &query.gauge, gauge.unit).map_err(&attempt)?;
            if slice.is_full(bound) {
                std::mem::take(&mut slice).merge(&self.connection, inside, merge)?;
                bound = bound.saturating_mul(8).min(LAST_SLICE);
            }
            if merge.is_settled_before(span.column.from) {
                break;
            }
            slice.push(span);
        }
        slice.merge(&self.connection, inside, merge)
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

    /// The first moment of any of these gauges from a moment on; the end of time where there is none.
    pub fn first_of(&self, gauges: &[GaugeId], from: Timestamp) -> Result<Timestamp, StoreError> {
        let mut first = Timestamp::MAX;
        for gauge in gauges {
            // of the next gauge only what is earlier matters
            let (gauge, to) = (gauge.clone(), first);
            let page = self.samples(&SamplesQuery { gauge, from, to, cursor: None, limit: 1 })?;
            first = page.samples.first().map_or(first, |stored| stored.sample.at);
        }
        Ok(first)
    }

    /// The newest moment of any sample: that much time has passed by the meters' clocks.
    pub fn newest(&self) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(newest_ms) FROM gauge";
        let newest = first_row(&self.connection, sql, [], |row| row.get::<_, Option<i64>>(0));
        let newest = newest.map_err(StoreError::sql("look up the newest sample"))?;
        Ok(newest.flatten().map(Timestamp::clamped))
    }

    /// When a gauge gave a value last; `None` where it never did. Where its latest
    /// [`SILENT_SPANS`] spans hold nothing but defects: when they began.
    pub fn last_value_at(&self, gauge: &GaugeId) -> Result<Option<Timestamp>, StoreError> {
        let Some(known) = self.gauge_row(gauge)? else { return Ok(None) };
        let attempt = StoreError::sql("look for the last value");
        let sql = "SELECT from_ms, to_ms, points, decimals, qc, feed, batch, offset_ms FROM span
            WHERE gauge = ?1 ORDER BY from_ms DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([known.id, SILENT_SPANS]).map_err(&attempt)?;
        let (mut last, mut oldest) = (None, None);
        let mut looked_at = 0;
        while let Some(row) = rows.next().map_err(&attempt)? {
            let SpanRow { column, batch, .. } =
                SpanRow::read(row, gauge, known.unit).map_err(&attempt)?;
            looked_at += 1;
            oldest = Some(column.from);
            // a longer one that began before may reach further
            if last.is_some_and(|last| column.from.plus_ms(known.longest) <= last) {
                return Ok(last);
            }
            if last.is_some_and(|last| column.to <= last) {
                continue;
            }
            let wrong = |source| StoreError::Points { batch, source };
            let payload = Payload::read(&self.connection, batch)?;
            let samples = payload.decoded().map_err(wrong)?.span(&column).map_err(wrong)?;
            let valued = samples.iter().filter(|sample| sample.value.is_some());
            last = last.max(valued.map(|sample| sample.at).max());
        }
        Ok(last.or(oldest.filter(|_| looked_at == SILENT_SPANS)))
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

/// A row of `span`.
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
            from: Timestamp::clamped(row.get(0)?),
            to: Timestamp::clamped(row.get(1)?),
            points: row.get(2)?,
            decimals: row.get(3)?,
            qc: row.get(4)?,
            offset_ms: row.get(7)?,
        };
        Ok(Self { column, feed: row.get(5)?, batch: row.get(6)? })
    }
}

/// Spans whose payloads are decoded together.
#[derive(Default)]
struct Slice {
    spans: Vec<SpanRow>,
    qc_bytes: usize,
}

impl Slice {
    fn is_full(&self, bound: usize) -> bool {
        self.spans.len() >= bound || self.qc_bytes >= MAX_QC_BYTES
    }

    fn push(&mut self, span: SpanRow) {
        self.qc_bytes += span.column.qc.as_ref().map_or(0, Vec::len);
        self.spans.push(span);
    }

    /// Decodes payload by payload, in the order of their first spans.
    fn merge(
        self,
        connection: &Connection,
        (first, last): (i64, i64),
        merge: &mut Merge,
    ) -> Result<(), StoreError> {
        let mut places = HashMap::new();
        let mut payloads: Vec<(i64, Vec<SpanRow>)> = Vec::new();
        for span in self.spans {
            let place = *places.entry(span.batch).or_insert(payloads.len());
            match payloads.get_mut(place) {
                Some((_, spans)) => spans.push(span),
                None => payloads.push((span.batch, vec![span])),
            }
        }
        for (batch, mut spans) in payloads {
            spans.retain(|span| !merge.is_settled_before(span.column.from));
            if spans.is_empty() {
                continue;
            }
            let payload = Payload::read(connection, batch)?;
            let wrong = |source| StoreError::Points { batch, source };
            let decoded = payload.decoded().map_err(wrong)?;
            for SpanRow { column, feed, .. } in spans {
                let decimals = column.decimals;
                let samples = decoded.span(&column).map_err(wrong)?;
                let inside = samples
                    .into_iter()
                    .filter(|sample| (first..=last).contains(&sample.at.as_ms()))
                    .map(|sample| StoredSample { sample, decimals });
                merge.add(feed, inside);
            }
        }
        Ok(())
    }
}
