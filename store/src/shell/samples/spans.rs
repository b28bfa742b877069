//! Spans and feed rows of a stored payload, and the conflicts they bring to light.

use model::{sample::Sample, time::Timestamp};
use rusqlite::{Connection, params};

use super::{book::SamplesBook, contradictions::Contradictions, run};
use crate::{
    admission::{Admitted, AdmittedColumn, Kind},
    comparison::Budget,
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

/// Adds a span for each column and a feed row for each station; `budget` is of the whole write.
pub(super) fn add(
    book: &mut SamplesBook,
    connection: &Connection,
    budget: &mut Budget,
    stored: Stored<'_>,
    columns: &[AdmittedColumn],
) -> Result<Admitted, StoreError> {
    let mut adding = Adding {
        connection,
        stored,
        decoded: None,
        reaches: Vec::new(),
        contradictions: Contradictions::new(connection, budget),
    };
    let (mut conflicts, mut uncompared) = (0_u64, 0_u64);
    for column in columns {
        conflicts += adding.column(book, column)?;
    }
    for found in adding.contradictions.settle()? {
        book.count_conflicts(found.index, found.conflicts);
        conflicts += found.conflicts;
        uncompared += found.uncompared;
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
    Ok(Admitted { batch: stored.position, feeds, conflicts, uncompared, other_anchors: 0 })
}

struct Adding<'a> {
    connection: &'a Connection,
    stored: Stored<'a>,
    decoded: Option<Decoded<'a>>,
    reaches: Vec<Reach>,
    contradictions: Contradictions<'a>,
}

impl Adding<'_> {
    /// Adds a column and says how many of its points contradict one of its own; what contradicts
    /// what is stored is looked for when all are added.
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
            book.touch_gauge(index, (from, to));
            return Ok(0);
        }
        let (samples, conflicts) = self.samples(column)?;
        if may_overlap {
            let gauge = (index, id, longest);
            self.contradictions.ask(gauge, column, &samples)?;
        }
        for span in points::split(column, &samples) {
            self.span(id, feed, &span)?;
            book.touch_gauge(index, (span.from.as_ms(), span.to.as_ms()));
        }
        book.count_conflicts(index, conflicts);
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
        self.decoded.insert(decoded).checked(column).map_err(wrong)
    }
}
