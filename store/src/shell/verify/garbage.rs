//! That garbage is what was received.

use rusqlite::{Connection, Row};
use sha2::{Digest as _, Sha256};

use crate::{
    audit::{Finding, Report},
    facts::QuarantineState,
    shell::{
        error::StoreError,
        open::Store,
        samples::{SamplesReader, first_row},
    },
};

struct Held {
    state: QuarantineState,
    bytes: i64,
    digest: Vec<u8>,
    /// In the row itself, or in the batch that it names.
    payload: Option<Vec<u8>>,
}

/// The payload of each row of the ring has the digest and the length that the row says, be it in
/// the row or in a stored batch; one that nobody has decided about is there.
pub(super) fn payloads(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let ids = store.samples().read_blocking(ids)?;
    for id in ids {
        // one at a time: each may hold two megabytes
        let held = store.samples().read_blocking(|reader| held(&reader.connection, id))?;
        // the ring has gone on meanwhile
        let Some(held) = held else { continue };
        report.garbage += 1;
        if let Some(problem) = problem(&held) {
            report.findings.push(Finding::Item { id, problem: problem.to_owned() });
        }
    }
    Ok(())
}

/// At most as many as the ring has room for rows.
fn ids(reader: &SamplesReader) -> Result<Vec<i64>, StoreError> {
    let attempt = StoreError::sql("list garbage");
    let sql = "SELECT id FROM quarantine WHERE kind = 2 ORDER BY id";
    let mut statement = reader.connection.prepare_cached(sql).map_err(&attempt)?;
    let ids = statement.query_map([], |row| row.get(0)).map_err(&attempt)?;
    ids.map(|id| id.map_err(&attempt)).collect()
}

fn held(connection: &Connection, id: i64) -> Result<Option<Held>, StoreError> {
    let sql = "SELECT q.state, q.bytes, q.digest, coalesce(q.payload, b.bytes)
        FROM quarantine q LEFT JOIN batch b ON b.position = q.batch WHERE q.id = ?1";
    let row = |row: &Row<'_>| {
        let state = QuarantineState::from_code(row.get(0)?).unwrap_or(QuarantineState::Held);
        Ok(Held { state, bytes: row.get(1)?, digest: row.get(2)?, payload: row.get(3)? })
    };
    first_row(connection, sql, [id], row).map_err(StoreError::sql("read garbage"))
}

fn problem(held: &Held) -> Option<&'static str> {
    let Some(payload) = &held.payload else {
        let is_held = held.state == QuarantineState::Held;
        return is_held.then_some("its payload is not there, and nobody has decided about it");
    };
    let is_so = Sha256::digest(payload).as_slice() == held.digest
        && i64::try_from(payload.len()) == Ok(held.bytes);
    (!is_so).then_some("its payload is not the one that was received")
}
