//! Spans and feed rows of a stored payload, and the conflicts they bring to light.

use model::{sample::Sample, time::Timestamp};
use rusqlite::{Connection, params};

use super::{
    book::SamplesBook,
    contradictions::{Contradictions, Standing},
    retold, run,
};
use crate::{
    admission::{Admitted, AdmittedColumn, Kind},
    comparison::{Budget, Compared},
    feed_digest::{self, FedRow, FedSpan},
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
    spans: Vec<FedSpan>,
}

/// A column whose points were looked at, as far as that was needed.
struct Prepared<'a> {
    column: &'a AdmittedColumn,
    /// Which gauge of the book.
    index: usize,
    gauge: i64,
    station: i64,
    /// `None`: it is one span, and none of its points was looked at.
    points: Option<Points>,
}

struct Points {
    samples: Vec<Sample>,
    /// Moments of which a later reading of the same payload says something else.
    contradicted: Vec<Timestamp>,
    /// The number of its answer, where it may overlap with what is stored.
    question: Option<usize>,
}

impl Points {
    /// How many later readings contradict one that is new.
    fn contradictions(&self, compared: &Compared) -> u64 {
        let is_new = |at: &&Timestamp| {
            let number = self.samples.binary_search_by_key(*at, |sample| sample.at);
            number.is_ok_and(|number| !compared.is_repeated(number))
        };
        u64::try_from(self.contradicted.iter().filter(is_new).count()).unwrap_or(u64::MAX)
    }
}

/// Adds a span for what is new of each column and a feed row for each station that has one;
/// `budget` is of the whole write.
pub(super) fn add(
    book: &mut SamplesBook,
    connection: &Connection,
    budget: &mut Budget,
    stored: Stored<'_>,
    columns: &[AdmittedColumn],
) -> Result<Admitted, StoreError> {
    let mut adding = Adding { connection, stored, decoded: None, reaches: Vec::new() };
    let mut contradictions = Contradictions::new(connection, budget);
    let mut prepared = Vec::with_capacity(columns.len());
    for column in columns {
        prepared.push(adding.prepare(book, &mut contradictions, column)?);
    }
    let compared = contradictions.settle()?;
    let mut admitted = Admitted { batch: stored.position, ..Admitted::default() };
    let nothing = Compared::default();
    for part in &prepared {
        let question = part.points.as_ref().and_then(|points| points.question);
        let compared = question.and_then(|number| compared.get(number)).unwrap_or(&nothing);
        adding.write(book, part, compared, &mut admitted)?;
    }
    adding.feed()?;
    admitted.feeds = adding.reaches.iter().map(|reach| reach.feed).collect();
    Ok(admitted)
}

struct Adding<'a> {
    connection: &'a Connection,
    stored: Stored<'a>,
    decoded: Option<Decoded<'a>>,
    reaches: Vec<Reach>,
}

impl Adding<'_> {
    /// Looks at the points of a column where it must, and asks what was said of their moments.
    fn prepare<'c>(
        &mut self,
        book: &mut SamplesBook,
        contradictions: &mut Contradictions<'_>,
        column: &'c AdmittedColumn,
    ) -> Result<Prepared<'c>, StoreError> {
        let (from, to) = (column.from.as_ms(), column.to.as_ms());
        if from > to || column.points == 0 {
            let problem = "a column without points";
            return Err(StoreError::Column { gauge: column.gauge.clone(), problem });
        }
        let (index, gauge) = book.gauge(self.connection, column)?;
        let (id, station, longest) = (gauge.id, gauge.station, gauge.longest);
        let reached = gauge.newest.filter(|newest| from <= *newest);
        // The usual batch is later than all that is stored: its points need not be looked at.
        let is_plain = self.stored.kind != Kind::Json && to.saturating_sub(from) <= MAX_SPAN_MS;
        let points = if is_plain && reached.is_none() {
            None
        } else {
            let (samples, contradicted) = self.samples(column)?;
            let question = reached.map(|newest| {
                let newest = Timestamp::clamped(newest);
                contradictions.ask(Standing { gauge: id, newest, longest }, column, &samples)
            });
            Some(Points { samples, contradicted, question })
        };
        Ok(Prepared { column, index, gauge: id, station, points })
    }

    /// Adds what is new of a column.
    fn write(
        &mut self,
        book: &mut SamplesBook,
        part: &Prepared<'_>,
        compared: &Compared,
        admitted: &mut Admitted,
    ) -> Result<(), StoreError> {
        let Prepared { column, index, gauge, points, .. } = part;
        let Some(points) = points else {
            admitted.points += u64::from(column.points);
            return self.span(book, part, column);
        };
        let spans = points::split(column, &points.samples, |number| compared.is_repeated(number));
        let repeated = compared.repeated();
        for span in &spans {
            self.span(book, part, span)?;
        }
        if repeated > 0 && !spans.is_empty() {
            retold::note(self.connection, (*gauge, self.stored.position), column)?;
        }
        let own = points.contradictions(compared);
        let conflicts = compared.conflicts.saturating_add(own);
        book.count_conflicts(*index, conflicts);
        admitted.points += u64::from(column.points).saturating_sub(repeated);
        admitted.repeated += repeated;
        admitted.conflicts += conflicts;
        admitted.uncompared += compared.uncompared;
        Ok(())
    }

    fn feed(&mut self) -> Result<(), StoreError> {
        let sql = "INSERT INTO feed (position, station, from_ms, to_ms, batch, received_at, kind,
              digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        for reach in &mut self.reaches {
            let row = FedRow {
                position: reach.feed,
                station: reach.station,
                from: reach.from,
                to: reach.to.saturating_add(1),
                batch: self.stored.position,
                received_at: self.stored.received_at.as_ms(),
                kind: self.stored.kind.code(),
            };
            let digest = feed_digest::digest(row, &mut reach.spans);
            let FedRow { position, station, from, to, batch, received_at, kind } = row;
            let row = params![position, station, from, to, batch, received_at, kind, digest];
            run(self.connection, sql, row).map_err(StoreError::sql("add to the feed"))?;
        }
        Ok(())
    }

    /// Has the feed tell of a span, in the row of its station; the row's position.
    fn reach(
        &mut self,
        book: &mut SamplesBook,
        station: i64,
        span: FedSpan,
    ) -> Result<i64, StoreError> {
        let (from, to) = (span.from, span.to);
        if let Some(known) = self.reaches.iter_mut().rev().find(|reach| reach.station == station) {
            known.from = known.from.min(from);
            known.to = known.to.max(to);
            known.spans.push(span);
            return Ok(known.feed);
        }
        let feed = book.next_feed()?;
        self.reaches.push(Reach { station, feed, from, to, spans: vec![span] });
        Ok(feed)
    }

    fn span(
        &mut self,
        book: &mut SamplesBook,
        part: &Prepared<'_>,
        span: &AdmittedColumn,
    ) -> Result<(), StoreError> {
        let (from, to) = (span.from.as_ms(), span.to.as_ms());
        let fed = FedSpan {
            gauge: part.gauge,
            from,
            to,
            batch: self.stored.position,
            points: span.points,
            decimals: span.decimals,
            offset_ms: span.offset_ms,
            qc: span.qc.clone(),
        };
        let feed = self.reach(book, part.station, fed)?;
        let sql = "INSERT INTO span (gauge, from_ms, feed, to_ms, batch, points, decimals,
              offset_ms, qc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let row = params![
            part.gauge,
            from,
            feed,
            to,
            self.stored.position,
            span.points,
            span.decimals,
            span.offset_ms,
            span.qc
        ];
        run(self.connection, sql, row).map_err(StoreError::sql("add a span"))?;
        book.touch_gauge(part.index, (from, to));
        Ok(())
    }

    /// The column read back, exactly as its readers will; and where it contradicts itself.
    fn samples(
        &mut self,
        column: &AdmittedColumn,
    ) -> Result<(Vec<Sample>, Vec<Timestamp>), StoreError> {
        let batch = self.stored.position;
        let wrong = |source| StoreError::Points { batch, source };
        let decoded = match self.decoded.take() {
            Some(decoded) => decoded,
            None => Decoded::new(self.stored.kind, self.stored.bytes).map_err(wrong)?,
        };
        self.decoded.insert(decoded).checked(column).map_err(wrong)
    }
}
