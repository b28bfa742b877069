//! Columns that told again what was told before: of each gauge the last one of each length.
//!
//! Whatever an admitted column says of a moment, some span says the same: one of its own, or an
//! older one where the column only repeated it. So what repeats such a column needs no look at the
//! spans, however many payloads they lie in.

use model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{contradictions::Overlap, run};
use crate::{admission::AdmittedColumn, shell::error::StoreError};

/// Notes a column of a stored payload, in the place of the last one about as long: one that tells
/// a day and one that tells an hour do not displace each other.
pub(super) fn note(
    connection: &Connection,
    (gauge, batch): (i64, i64),
    column: &AdmittedColumn,
) -> Result<(), StoreError> {
    let length = column.to.ms_since(column.from).max(0);
    let size = i64::BITS - length.leading_zeros();
    let sql = "INSERT OR REPLACE INTO retold (gauge, size, batch, from_ms, to_ms, points, decimals,
          offset_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = params![
        gauge,
        size,
        batch,
        column.from.as_ms(),
        column.to.as_ms(),
        column.points,
        column.decimals,
        column.offset_ms
    ];
    run(connection, sql, row).map_err(StoreError::sql("note a column"))?;
    Ok(())
}

/// The noted columns of a gauge that reach into the column of this question.
pub(super) fn reaching(
    connection: &Connection,
    gauge: i64,
    column: &AdmittedColumn,
    question: usize,
) -> Result<Vec<Overlap>, StoreError> {
    let attempt = StoreError::sql("look for columns that told the same");
    let sql = "SELECT batch, from_ms, to_ms, points, decimals, offset_ms FROM retold
        WHERE gauge = ?1 AND from_ms <= ?3 AND to_ms >= ?2";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let told = statement
        .query_map([gauge, column.from.as_ms(), column.to.as_ms()], |row| told(row, question))
        .map_err(&attempt)?;
    told.map(|told| told.map_err(&attempt)).collect()
}

fn told(row: &Row<'_>, question: usize) -> rusqlite::Result<Overlap> {
    Ok(Overlap {
        feed: 0,
        batch: row.get(0)?,
        question,
        from: Timestamp::clamped(row.get(1)?),
        to: Timestamp::clamped(row.get(2)?),
        points: row.get(3)?,
        decimals: row.get(4)?,
        offset_ms: row.get(5)?,
    })
}
