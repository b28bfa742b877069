//! Spans and feed rows of a stored payload, and the conflicts they bring to light.

use model::{sample::Sample, time::Timestamp};
use rusqlite::{Connection, params};
use tracing::error;

use super::{book::SamplesBook, run};
use crate::{
    admission::{Admitted, AdmittedColumn, Kind},
    page::{Merge, StoredSample},
    points::{self, Decoded, MAX_SPAN_MS},
    shell::error::StoreError,
};

/// A stored payload to which columns are added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) position: i64,
    pub(super) kind: Kind,
    pub(super) bytes: &'a [u8],
    /// When its samples came, as the feed tells it.
    pub(super) received_at: Timestamp,
}

/// The rows of one station in a payload.
struct Reach {
    station: i64,
    feed: i64,
    from: i64,
    /// The last moment, which belongs to it.
    to: i64,
}

/// Adds a span for each column and a feed row for each station.
pub(super) fn add(
    book: &mut SamplesBook,
    connection: &Connection,
    stored: Stored<'_>,
    columns: &[AdmittedColumn],
) -> Result<Admitted, StoreError> {
    let mut adding = Adding { connection, stored, decoded: None, reaches: Vec::new() };
    let mut conflicts = 0_u64;
    for column in columns {
        conflicts += adding.column(book, column)?;
    }
    let attempt = StoreError::sql("add to the feed");
    for reach in &adding.reaches {
        let sql = "INSERT INTO feed (position, station, from_ms, to_ms, batch, received_at, kind)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let received_at = stored.received_at.as_ms();
        let end = reach.to.saturating_add(1);
        let row = [
            reach.feed,
            reach.station,
            reach.from,
            end,
            stored.position,
            received_at,
            stored.kind.code(),
        ];
        run(connection, sql, row).map_err(&attempt)?;
    }
    let feeds = adding.reaches.iter().map(|reach| reach.feed).collect();
    Ok(Admitted { batch: stored.position, feeds, conflicts, other_anchors: 0 })
}

struct Adding<'a> {
    connection: &'a Connection,
    stored: Stored<'a>,
    decoded: Option<Decoded<'a>>,
    reaches: Vec<Reach>,
}

impl Adding<'_> {
    /// Adds a column and says how many of its points contradict what stands.
    fn column(
        &mut self,
        book: &mut SamplesBook,
        column: &AdmittedColumn,
    ) -> Result<u64, StoreError> {
        let (from, to) = (column.from.as_ms(), column.to.as_ms());
        if from > to || column.points == 0 {
            let problem = "a column without points";
            return Err(StoreError::Column { gauge: column.gauge.clone(), problem });
        }
        let (index, gauge) = book.gauge(self.connection, column)?;
        let (id, station, longest) = (gauge.id, gauge.station, gauge.longest);
        let may_overlap = gauge.newest.is_some_and(|newest| from <= newest);
        let feed = self.reach(book, station, (from, to))?;
        // The usual batch is later than all that is stored: its points need not be looked at.
        let is_plain = self.stored.kind != Kind::Json && to.saturating_sub(from) <= MAX_SPAN_MS;
        if is_plain && !may_overlap {
            self.span(id, feed, column)?;
            book.touch_gauge(index, (from, to), 0);
            return Ok(0);
        }
        let (samples, mut conflicts) = self.samples(column)?;
        if may_overlap {
            conflicts += self.conflicts(id, longest, column, &samples)?;
        }
        for span in points::split(column, &samples) {
            self.span(id, feed, &span)?;
            book.touch_gauge(index, (span.from.as_ms(), span.to.as_ms()), 0);
        }
        book.touch_gauge(index, (to, to), conflicts);
        Ok(conflicts)
    }

    /// The feed position for a station of this payload, and its stretch of time.
    fn reach(
        &mut self,
        book: &mut SamplesBook,
        station: i64,
        (from, to): (i64, i64),
    ) -> Result<i64, StoreError> {
        if let Some(known) = self.reaches.iter_mut().rev().find(|reach| reach.station == station) {
            known.from = known.from.min(from);
            known.to = known.to.max(to);
            return Ok(known.feed);
        }
        let feed = book.next_feed()?;
        self.reaches.push(Reach { station, feed, from, to });
        Ok(feed)
    }

    fn span(&self, gauge: i64, feed: i64, span: &AdmittedColumn) -> Result<(), StoreError> {
        let sql = "INSERT INTO span (gauge, from_ms, feed, to_ms, batch, points, decimals,
              offset_ms, qc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        run(
            self.connection,
            sql,
            params![
                gauge,
                span.from.as_ms(),
                feed,
                span.to.as_ms(),
                self.stored.position,
                span.points,
                span.decimals,
                span.offset_ms,
                span.qc
            ],
        )
        .map_err(StoreError::sql("add a span"))?;
        Ok(())
    }

    /// The column read back, exactly as its readers will; and its contradictions in itself.
    fn samples(&mut self, column: &AdmittedColumn) -> Result<(Vec<Sample>, u64), StoreError> {
        let batch = self.stored.position;
        let wrong = |source| StoreError::Points { batch, source };
        let decoded = match self.decoded.take() {
            Some(decoded) => decoded,
            None => Decoded::new(self.stored.kind, self.stored.bytes).map_err(wrong)?,
        };
        let decoded = self.decoded.insert(decoded);
        let (_, conflicts) = decoded.samples(column).map_err(wrong)?;
        Ok((decoded.span(column).map_err(wrong)?, conflicts))
    }

    /// How many of `samples` differ from what stands at their moment.
    fn conflicts(
        &self,
        gauge: i64,
        longest: i64,
        column: &AdmittedColumn,
        samples: &[Sample],
    ) -> Result<u64, StoreError> {
        let attempt = StoreError::sql("look for overlapping spans");
        let sql = "SELECT s.from_ms, s.feed, s.to_ms, s.points, s.decimals, b.kind, b.bytes,
              b.position, s.offset_ms
            FROM span s JOIN batch b ON b.position = s.batch
            WHERE s.gauge = ?1 AND s.from_ms BETWEEN ?2 AND ?4 AND s.to_ms >= ?3
            ORDER BY s.from_ms, s.feed";
        let (from, to) = (column.from.as_ms(), column.to.as_ms());
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows =
            statement.query([gauge, from.saturating_sub(longest), from, to]).map_err(&attempt)?;
        let mut standing = Merge::new(samples.len());
        while let Some(row) = rows.next().map_err(&attempt)? {
            let (feed, known) = match overlapping(row, column).map_err(&attempt)? {
                Ok(found) => found,
                Err((batch, problem)) => {
                    // What cannot be read contradicts nothing; `verify` names it.
                    error!(batch, %problem, gauge = %column.gauge, "a stored batch cannot be read");
                    continue;
                }
            };
            let is_asked = |sample: &StoredSample| {
                samples.binary_search_by_key(&sample.sample.at, |asked| asked.at).is_ok()
            };
            standing.add(feed, known.into_iter().filter(is_asked));
        }
        let decimals = column.decimals;
        let asked: Vec<_> =
            samples.iter().map(|sample| StoredSample { sample: *sample, decimals }).collect();
        Ok(standing.conflicts(&asked))
    }
}

type Overlap = Result<(i64, Vec<StoredSample>), (i64, String)>;

fn overlapping(row: &rusqlite::Row<'_>, column: &AdmittedColumn) -> rusqlite::Result<Overlap> {
    let decimals: u8 = row.get(4)?;
    let position: i64 = row.get(7)?;
    let bytes: &[u8] = row.get_ref(6)?.as_blob()?;
    let kind = Kind::from_code(row.get(5)?).unwrap_or(Kind::Batch);
    let known = AdmittedColumn {
        from: Timestamp::clamped(row.get(0)?),
        to: Timestamp::clamped(row.get(2)?),
        points: row.get(3)?,
        decimals,
        offset_ms: row.get(8)?,
        qc: None,
        ..column.clone()
    };
    Ok(match Decoded::new(kind, bytes).and_then(|decoded| decoded.span(&known)) {
        Ok(samples) => {
            let samples = samples.into_iter().map(|sample| StoredSample { sample, decimals });
            Ok((row.get(1)?, samples.collect()))
        }
        Err(problem) => Err((position, model::fault::Chain(&problem).to_string())),
    })
}
