//! Reads of the quarantine.

use model::{ids::AgentId, time::Timestamp};
use rusqlite::{Connection, Row, params};

use super::{SamplesReader, first_row, read_samples::damaged};
use crate::{
    admission::Kind,
    facts::{
        Original, QuarantineItem, QuarantinePage, QuarantineQuery, QuarantineRow, QuarantineState,
        StoredBatch, kept_code, kept_from_code,
    },
    shell::error::StoreError,
};

const COLUMNS: &str =
    "id, kind, state, agent, topic, received_at, bytes, digest, reason, detail, gauges";

impl SamplesReader {
    /// A page of the quarantine, newest first.
    pub fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StoreError> {
        let attempt = StoreError::sql("list the quarantine");
        let sql = format!(
            "SELECT {COLUMNS} FROM quarantine
             WHERE id < ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR state = ?3)
             ORDER BY id DESC LIMIT ?4"
        );
        let limit = query.limit.max(1);
        let parameters = params![
            query.before.unwrap_or(i64::MAX),
            query.kind.and_then(kept_code),
            query.state.map(QuarantineState::code),
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        ];
        let mut statement = self.connection.prepare_cached(&sql).map_err(&attempt)?;
        let mut found = statement.query(parameters).map_err(&attempt)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(&attempt)? {
            rows.push(quarantine_row(row).map_err(&attempt)??);
        }
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| has_more).map(|row| row.id);
        Ok(QuarantinePage { rows, next })
    }

    /// A row with its payload.
    pub fn quarantine_item(&self, id: i64) -> Result<Option<QuarantineItem>, StoreError> {
        item(&self.connection, id)
    }

    /// A stored payload.
    pub fn batch(&self, position: i64) -> Result<Option<StoredBatch>, StoreError> {
        batch(&self.connection, position)
    }
}

/// A row with its payload.
pub(super) fn item(connection: &Connection, id: i64) -> Result<Option<QuarantineItem>, StoreError> {
    let attempt = StoreError::sql("read a quarantined payload");
    let sql = format!("SELECT {COLUMNS}, batch, payload FROM quarantine WHERE id = ?1");
    let found = first_row(connection, &sql, [id], |row| {
        Ok((quarantine_row(row)?, row.get(11)?, row.get(12)?))
    });
    let Some((row, batch, payload)) = found.map_err(&attempt)? else { return Ok(None) };
    let batch: Option<i64> = batch;
    let payload: Option<Vec<u8>> = payload;
    let stored = match batch {
        Some(position) => self::batch(connection, position)?,
        None => None,
    };
    let original = match (stored, payload) {
        (Some(batch), _) => Original::Batch(batch),
        (None, Some(payload)) => Original::Payload(payload),
        (None, None) => Original::Gone,
    };
    Ok(Some(QuarantineItem { row: row?, original }))
}

/// A stored payload.
fn batch(connection: &Connection, position: i64) -> Result<Option<StoredBatch>, StoreError> {
    let attempt = StoreError::sql("read a batch");
    let sql = "SELECT b.kind, a.name, b.received_at, b.bytes
            FROM batch b JOIN agent a ON a.id = b.agent WHERE b.position = ?1";
    let found = first_row(connection, sql, [position], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let Some((kind, agent, received_at, bytes)) = found.map_err(&attempt)? else {
        return Ok(None);
    };
    let agent: String = agent;
    Ok(Some(StoredBatch {
        position,
        kind: Kind::from_code(kind)
            .ok_or_else(|| damaged(format!("batch {position} is of no known kind")))?,
        agent: agent.parse().map_err(damaged)?,
        received_at: Timestamp::clamped(received_at),
        bytes,
    }))
}

fn quarantine_row(row: &Row<'_>) -> rusqlite::Result<Result<QuarantineRow, StoreError>> {
    let id: i64 = row.get(0)?;
    let (kind, state) = (kept_from_code(row.get(1)?), QuarantineState::from_code(row.get(2)?));
    let agent: String = row.get(3)?;
    let gauges: Option<String> = row.get(10)?;
    let gauges = gauges.map_or(Ok(Vec::new()), |gauges| serde_json::from_str(&gauges));
    let (Some(kind), Some(state), Ok(agent), Ok(gauges)) =
        (kind, state, agent.parse::<AgentId>(), gauges)
    else {
        return Ok(Err(damaged(format!("row {id} of the quarantine cannot be read"))));
    };
    Ok(Ok(QuarantineRow {
        id,
        kind,
        state,
        agent,
        topic: row.get(4)?,
        received_at: Timestamp::clamped(row.get(5)?),
        bytes: u64::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
        digest: row.get(7)?,
        reason: row.get(8)?,
        detail: row.get(9)?,
        gauges,
    }))
}
