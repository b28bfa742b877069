//! That each row of the feed still has the spans that it brought, and each gauge the reach of its
//! own.

use rusqlite::{Connection, Row, params};

use super::SLICE;
use crate::{
    audit::{Finding, Report},
    feed_digest::{FedRow, FedSpan, digest},
    shell::{error::StoreError, open::Store},
};

/// A row as it is, and what it was when it was written.
struct Stored {
    row: FedRow,
    digest: Vec<u8>,
}

/// Each row with its spans is what its digest says.
pub(super) fn rows(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let before = after;
        store.samples().read_blocking(|reader| {
            for stored in slice(&reader.connection, after)? {
                let position = stored.row.position;
                after = position;
                let mut spans = spans(&reader.connection, stored.row)?;
                if digest(stored.row, &mut spans).as_slice() != stored.digest {
                    let problem = "it or its spans are not as they were written".to_owned();
                    report.findings.push(Finding::Feed { position, problem });
                }
            }
            Ok(())
        })?;
        if after == before {
            return Ok(());
        }
    }
}

fn slice(connection: &Connection, after: i64) -> Result<Vec<Stored>, StoreError> {
    let attempt = StoreError::sql("read the feed");
    let sql = "SELECT position, station, from_ms, to_ms, batch, received_at, kind, digest
        FROM feed WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let limit = i64::try_from(SLICE).unwrap_or(i64::MAX);
    let rows = statement.query_map([after, limit], stored).map_err(&attempt)?;
    rows.map(|row| row.map_err(&attempt)).collect()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let fed = FedRow {
        position: row.get(0)?,
        station: row.get(1)?,
        from: row.get(2)?,
        to: row.get(3)?,
        batch: row.get(4)?,
        received_at: row.get(5)?,
        kind: row.get(6)?,
    };
    Ok(Stored { row: fed, digest: row.get(7)? })
}

/// Of the station's gauges, since no index leads from a row of the feed to its spans: all of them
/// begin within its stretch of time.
fn spans(connection: &Connection, row: FedRow) -> Result<Vec<FedSpan>, StoreError> {
    let attempt = StoreError::sql("read the spans of a feed row");
    let sql = "SELECT s.gauge, s.from_ms, s.to_ms, s.batch, s.points, s.decimals, s.offset_ms, s.qc
        FROM gauge g JOIN span s ON s.gauge = g.id
        WHERE g.station = ?1 AND s.from_ms >= ?2 AND s.from_ms < ?3 AND s.feed = ?4";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let of_row = params![row.station, row.from, row.to, row.position];
    let spans = statement.query_map(of_row, span).map_err(&attempt)?;
    spans.map(|span| span.map_err(&attempt)).collect()
}

fn span(row: &Row<'_>) -> rusqlite::Result<FedSpan> {
    Ok(FedSpan {
        gauge: row.get(0)?,
        from: row.get(1)?,
        to: row.get(2)?,
        batch: row.get(3)?,
        points: row.get(4)?,
        decimals: row.get(5)?,
        offset_ms: row.get(6)?,
        qc: row.get(7)?,
    })
}

/// What must not be: positions are given one after another, and no span ever goes.
pub(super) const LOOSE: [(&str, &str); 2] = [
    (
        "rows of the feed that are not there",
        "SELECT max(0, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'feed'), 0)
            - (SELECT count(*) FROM feed))",
    ),
    (
        "gauges whose spans reach further, or less far, than is known of them",
        "SELECT count(*) FROM gauge g LEFT JOIN
            (SELECT gauge, max(to_ms) AS newest, max(to_ms - from_ms) AS longest
              FROM span GROUP BY gauge) s ON s.gauge = g.id
            WHERE g.newest_ms IS NOT s.newest OR g.longest_ms <> coalesce(s.longest, 0)",
    ),
];
