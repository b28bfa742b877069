//! Points of a payload compared with what stands at their moments: every stored payload is decoded
//! once for all columns, and a budget bounds it.

use model::{fault::Chain, sample::Sample, time::Timestamp};
use rusqlite::{Connection, Row};
use tracing::error;

use super::payload::Payload;
use crate::{
    admission::AdmittedColumn,
    comparison::{Asked, Budget},
    page::StoredSample,
    points::{Decoded, PointsError},
    shell::error::StoreError,
};

/// A column that may overlap with what is stored.
struct Question {
    /// Which gauge of the book.
    index: usize,
    /// Its gauge and unit are those of the stored spans, too.
    column: AdmittedColumn,
    asked: Asked,
}

/// A stored span that reaches into the column of a question.
struct Overlap {
    feed: i64,
    batch: i64,
    question: usize,
    from: Timestamp,
    to: Timestamp,
    points: u32,
    decimals: u8,
    offset_ms: i64,
}

/// What was found of a gauge.
pub(super) struct Found {
    /// Which gauge of the book.
    pub(super) index: usize,
    pub(super) conflicts: u64,
    pub(super) uncompared: u64,
}

/// Gathers what is to be compared of one payload.
pub(super) struct Contradictions<'a> {
    connection: &'a Connection,
    budget: &'a mut Budget,
    questions: Vec<Question>,
    overlaps: Vec<Overlap>,
}

impl<'a> Contradictions<'a> {
    /// Of nothing yet; `budget` is of the whole write.
    pub(super) const fn new(connection: &'a Connection, budget: &'a mut Budget) -> Self {
        Self { connection, budget, questions: Vec::new(), overlaps: Vec::new() }
    }

    /// Asks for the `samples` of a column, whose own spans are not written yet.
    ///
    /// `longest` is the gauge's longest span.
    pub(super) fn ask(
        &mut self,
        (index, gauge, longest): (usize, i64, i64),
        column: &AdmittedColumn,
        samples: &[Sample],
    ) -> Result<(), StoreError> {
        let attempt = StoreError::sql("look for overlapping spans");
        // Spans that end before the column are read, too, and so are counted.
        let sql = "SELECT from_ms, feed, to_ms, points, decimals, batch, offset_ms FROM span
            WHERE gauge = ?1 AND from_ms BETWEEN ?2 AND ?3 ORDER BY from_ms, feed";
        let (from, to) = (column.from.as_ms(), column.to.as_ms());
        let mut asked = Asked::new(samples, column.decimals);
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows =
            statement.query([gauge, from.saturating_sub(longest), to]).map_err(&attempt)?;
        while let Some(row) = rows.next().map_err(&attempt)? {
            let overlap = overlap(row, self.questions.len()).map_err(&attempt)?;
            if !self.budget.take_span() {
                // Spans that begin later are not known, so nothing is of the moments from here on.
                asked.give_up(overlap.from, column.to);
                break;
            }
            if overlap.to >= column.from {
                self.overlaps.push(overlap);
            }
        }
        self.questions.push(Question {
            index,
            column: AdmittedColumn { qc: None, ..column.clone() },
            asked,
        });
        Ok(())
    }

    /// Decodes what overlaps and compares.
    pub(super) fn settle(self) -> Result<Vec<Found>, StoreError> {
        let Self { connection, budget, mut questions, mut overlaps } = self;
        // What was admitted of a payload at once has neighbouring feed positions.
        overlaps.sort_by_key(|overlap| overlap.feed);
        for group in overlaps.chunk_by(|one, next| one.batch == next.batch) {
            compare(connection, budget, &mut questions, group)?;
        }
        let found = questions.into_iter().map(|Question { index, asked, .. }| Found {
            index,
            conflicts: asked.conflicts,
            uncompared: asked.uncompared,
        });
        Ok(found.collect())
    }
}

/// Compares with the spans of one stored payload.
fn compare(
    connection: &Connection,
    budget: &mut Budget,
    questions: &mut [Question],
    group: &[Overlap],
) -> Result<(), StoreError> {
    let is_open = |overlap: &Overlap| {
        let question = questions.get(overlap.question);
        question.is_some_and(|question| question.asked.is_open(overlap.from, overlap.to))
    };
    if !group.iter().any(is_open) {
        return Ok(());
    }
    if !budget.has_points() {
        for overlap in group {
            if let Some(question) = questions.get_mut(overlap.question) {
                question.asked.give_up(overlap.from, overlap.to);
            }
        }
        return Ok(());
    }
    let batch = group.first().map_or(0, |overlap| overlap.batch);
    // What cannot be read contradicts nothing; `verify` names it.
    let payload = match Payload::read(connection, batch) {
        Err(StoreError::Damaged(problem)) => {
            error!(batch, %problem, "a stored batch cannot be read");
            return Ok(());
        }
        payload => payload?,
    };
    let decoded = payload.decoded();
    budget.decoded(decoded.as_ref().map_or(payload.weight(), Decoded::weight));
    let compared = decoded.and_then(|decoded| {
        group.iter().try_for_each(|overlap| with_span(&decoded, questions, overlap))
    });
    if let Err(problem) = compared {
        error!(batch, problem = %Chain(&problem), "a stored batch cannot be read");
    }
    Ok(())
}

fn with_span(
    decoded: &Decoded<'_>,
    questions: &mut [Question],
    overlap: &Overlap,
) -> Result<(), PointsError> {
    let Some(Question { column, asked, .. }) = questions.get_mut(overlap.question) else {
        return Ok(());
    };
    if !asked.is_open(overlap.from, overlap.to) {
        return Ok(());
    }
    let decimals = overlap.decimals;
    let known = AdmittedColumn {
        from: overlap.from,
        to: overlap.to,
        points: overlap.points,
        decimals,
        offset_ms: overlap.offset_ms,
        ..column.clone()
    };
    let samples = decoded.span(&known)?;
    asked.compare(samples.into_iter().map(|sample| StoredSample { sample, decimals }));
    Ok(())
}

fn overlap(row: &Row<'_>, question: usize) -> rusqlite::Result<Overlap> {
    Ok(Overlap {
        from: Timestamp::clamped(row.get(0)?),
        feed: row.get(1)?,
        to: Timestamp::clamped(row.get(2)?),
        points: row.get(3)?,
        decimals: row.get(4)?,
        batch: row.get(5)?,
        offset_ms: row.get(6)?,
        question,
    })
}
