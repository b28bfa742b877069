//! Points of a payload compared with what was said of their moments before: every stored payload
//! is decoded once for all columns, and a budget bounds it.

use model::{fault::Chain, sample::Sample, time::Timestamp};
use rusqlite::{Connection, Row};
use tracing::error;

use super::{payload::Payload, retold};
use crate::{
    admission::AdmittedColumn,
    comparison::{Asked, Budget, Compared},
    page::StoredSample,
    points::{Decoded, PointsError},
    shell::error::StoreError,
};

/// What is stored of a gauge, as far as a comparison needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) gauge: i64,
    /// The last moment of all its spans.
    pub(super) newest: Timestamp,
    /// The longest of its spans.
    pub(super) longest: i64,
}

/// A column that may overlap with what is stored.
struct Question {
    standing: Standing,
    /// Its gauge and unit are those of the stored spans, too.
    column: AdmittedColumn,
    asked: Asked,
}

/// A stored stretch of points that reaches into the column of a question.
pub(super) struct Overlap {
    /// 0 where it is no span.
    pub(super) feed: i64,
    pub(super) batch: i64,
    pub(super) question: usize,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) points: u32,
    pub(super) decimals: u8,
    pub(super) offset_ms: i64,
}

/// How the points of a stored stretch count.
#[derive(Clone, Copy)]
enum Manner {
    /// Each was said before, whether or not it stands.
    Recalled,
    /// In ascending feed positions the first of a moment stands.
    Spans,
}

/// Gathers what is to be compared of one payload.
pub(super) struct Contradictions<'a> {
    connection: &'a Connection,
    budget: &'a mut Budget,
    questions: Vec<Question>,
}

impl<'a> Contradictions<'a> {
    /// Of nothing yet; `budget` is of the whole write.
    pub(super) const fn new(connection: &'a Connection, budget: &'a mut Budget) -> Self {
        Self { connection, budget, questions: Vec::new() }
    }

    /// Asks for the `samples` of a column, whose own spans are not written yet; says which number
    /// its answer has.
    pub(super) fn ask(
        &mut self,
        standing: Standing,
        column: &AdmittedColumn,
        samples: &[Sample],
    ) -> usize {
        let asked = Asked::new(samples, column.decimals);
        let column = AdmittedColumn { qc: None, ..column.clone() };
        self.questions.push(Question { standing, column, asked });
        self.questions.len() - 1
    }

    /// Decodes what overlaps and compares; an answer for each question.
    pub(super) fn settle(mut self) -> Result<Vec<Compared>, StoreError> {
        self.recall()?;
        let mut overlaps = self.overlaps()?;
        // What was admitted of a payload at once has neighbouring feed positions.
        overlaps.sort_by_key(|overlap| overlap.feed);
        for group in overlaps.chunk_by(|one, next| one.batch == next.batch) {
            if self.is_open(group) && !self.decode(group, Manner::Spans)? {
                for overlap in group {
                    if let Some(question) = self.questions.get_mut(overlap.question) {
                        question.asked.give_up(overlap.from, overlap.to);
                    }
                }
            }
        }
        Ok(self.questions.into_iter().map(|question| question.asked.finish()).collect())
    }

    /// Compares with columns that told the same stretches again: whoever sends its last day each
    /// minute is compared with what it sent the minute before, and not with a thousand payloads.
    fn recall(&mut self) -> Result<(), StoreError> {
        let mut told = Vec::new();
        for (number, Question { standing, column, .. }) in self.questions.iter().enumerate() {
            told.extend(retold::reaching(self.connection, standing.gauge, column, number)?);
        }
        told.sort_by_key(|overlap| overlap.batch);
        let mut groups: Vec<&[Overlap]> =
            told.chunk_by(|one, next| one.batch == next.batch).collect();
        // What tells most comes first, for it may leave nothing to ask of the rest.
        groups.sort_by_key(|group| {
            std::cmp::Reverse(group.iter().map(|told| u64::from(told.points)).sum::<u64>())
        });
        for group in groups {
            if self.is_open(group) && !self.decode(group, Manner::Recalled)? {
                break;
            }
        }
        Ok(())
    }

    /// The spans that reach where something is open. Nothing stands after the newest moment.
    fn overlaps(&mut self) -> Result<Vec<Overlap>, StoreError> {
        let attempt = StoreError::sql("look for overlapping spans");
        // Spans that end before the stretch are read, too, and so are counted.
        let sql = "SELECT from_ms, feed, to_ms, points, decimals, batch, offset_ms FROM span
            WHERE gauge = ?1 AND from_ms BETWEEN ?2 AND ?3 ORDER BY from_ms, feed";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut overlaps = Vec::new();
        for (number, question) in self.questions.iter_mut().enumerate() {
            let Standing { gauge, newest, longest } = question.standing;
            for (from, to) in question.asked.stretches(newest, longest) {
                let earliest = from.as_ms().saturating_sub(longest);
                let mut rows = statement.query([gauge, earliest, to.as_ms()]).map_err(&attempt)?;
                while let Some(row) = rows.next().map_err(&attempt)? {
                    let overlap = overlap(row, number).map_err(&attempt)?;
                    if !self.budget.take_span() {
                        // Spans that begin later are not known, so nothing is of the moments from
                        // here on.
                        question.asked.give_up(overlap.from.max(from), to);
                        break;
                    }
                    if overlap.to >= from {
                        overlaps.push(overlap);
                    }
                }
            }
        }
        Ok(overlaps)
    }

    fn is_open(&mut self, group: &[Overlap]) -> bool {
        group.iter().any(|overlap| {
            let question = self.questions.get_mut(overlap.question);
            question.is_some_and(|question| question.asked.is_open(overlap.from, overlap.to))
        })
    }

    /// Compares with stretches of one stored payload; `false` where the budget has nothing left.
    fn decode(&mut self, group: &[Overlap], manner: Manner) -> Result<bool, StoreError> {
        if !self.budget.has_points() {
            return Ok(false);
        }
        let batch = group.first().map_or(0, |overlap| overlap.batch);
        // What cannot be read contradicts nothing; `verify` names it.
        let payload = match Payload::read(self.connection, batch) {
            Err(StoreError::Damaged(problem)) => {
                error!(batch, %problem, "a stored batch cannot be read");
                return Ok(true);
            }
            payload => payload?,
        };
        let decoded = payload.decoded();
        self.budget.decoded(decoded.as_ref().map_or(payload.weight(), Decoded::weight));
        let compared = decoded.and_then(|decoded| {
            let mut group = group.iter();
            group.try_for_each(|overlap| with(&decoded, &mut self.questions, overlap, manner))
        });
        if let Err(problem) = compared {
            error!(batch, problem = %Chain(&problem), "a stored batch cannot be read");
        }
        Ok(true)
    }
}

fn with(
    decoded: &Decoded<'_>,
    questions: &mut [Question],
    overlap: &Overlap,
    manner: Manner,
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
    let samples = samples.into_iter().map(|sample| StoredSample { sample, decimals });
    match manner {
        Manner::Recalled => asked.recall(samples),
        Manner::Spans => asked.compare(samples),
    }
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
