//! Clock anchors: where UTC stood when a gateway started; for each start the first one stands.

use std::collections::BTreeMap;

use model::{
    batch::ClockAnchor,
    ids::{AgentId, BootId},
    time::Timestamp,
};
use rusqlite::{Connection, Row, params};

use super::{SamplesReader, first_row, read_samples::damaged, run};
use crate::{
    facts::AnchorRow,
    shell::{error::StoreError, open::ANCHOR_WINDOW_MS},
};

const COLUMNS: &str = "n.boot, n.utc_at_boot_ms, n.uncertainty_ms, n.source";

/// Whether anchors may be noted: each start makes a row and an entry of the journal for ever, so
/// an agent's gateway may start only so often.
///
/// A batch whose anchors may not is not taken at all: its agent keeps it and offers it again, and
/// what waits for them stays parked.
pub(super) fn have_room(
    connection: &Connection,
    (agent, limit): (i64, i64),
    anchors: &[ClockAnchor],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let attempt = StoreError::sql("count the starts of an agent's gateway");
    let mut starts = 0;
    for anchor in anchors {
        let sql = "SELECT 1 FROM anchor WHERE agent = ?1 AND boot = ?2";
        let boot = anchor.boot_id.0.to_be_bytes();
        let known = first_row(connection, sql, params![agent, boot], |_| Ok(()));
        starts += i64::from(known.map_err(&attempt)?.is_none());
    }
    if starts == 0 {
        return Ok(true);
    }
    // Should all be noted, this one would be the last that counts.
    let sql = "SELECT received_at FROM anchor WHERE agent = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2";
    let offset = limit.saturating_sub(starts).max(0);
    let last = first_row(connection, sql, [agent, offset], |row| row.get::<_, i64>(0));
    let now = now.as_ms();
    // One from the future is of a clock that was set back, and counts no more.
    Ok(last.map_err(&attempt)?.is_none_or(|last| last > now || last <= now - ANCHOR_WINDOW_MS))
}

/// Notes anchors of an agent, and says how many contradict the one that stands: by more than both
/// are uncertain.
pub(super) fn note(
    connection: &Connection,
    agent: i64,
    anchors: &[ClockAnchor],
    received_at: Timestamp,
) -> Result<u64, StoreError> {
    let attempt = StoreError::sql("note a clock anchor");
    let mut others = 0;
    for anchor in anchors {
        let sql = "INSERT INTO anchor (agent, boot, utc_at_boot_ms, uncertainty_ms, source,
            received_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let boot = anchor.boot_id.0.to_be_bytes();
        let (utc, uncertainty) = (anchor.utc_at_boot_ms, anchor.uncertainty_ms);
        let row = params![agent, boot, utc, uncertainty, anchor.source, received_at.as_ms()];
        if run(connection, sql, row).map_err(&attempt)? == 0 {
            let sql = "UPDATE anchor SET others = others + 1
                WHERE agent = ?1 AND boot = ?2 AND abs(utc_at_boot_ms - ?3) > uncertainty_ms + ?4";
            let row = params![agent, boot, utc, uncertainty];
            let changed = run(connection, sql, row).map_err(&attempt)?;
            others += u64::from(changed > 0);
        }
    }
    Ok(others)
}

impl SamplesReader {
    /// The anchor that stands for a start of this agent's gateway.
    pub fn anchor(&self, agent: &AgentId, boot: BootId) -> Result<Option<ClockAnchor>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM anchor n JOIN agent a ON a.id = n.agent
             WHERE a.name = ?1 AND n.boot = ?2"
        );
        let key = params![agent.as_str(), boot.0.to_be_bytes()];
        first_row(&self.connection, &sql, key, |row| anchor(row, 0))
            .map_err(StoreError::sql("look an anchor up"))
    }

    /// Every anchor that stands for a start of this agent's gateway.
    pub fn anchors_of(&self, agent: &AgentId) -> Result<BTreeMap<BootId, ClockAnchor>, StoreError> {
        let attempt = StoreError::sql("list anchors");
        let sql = format!(
            "SELECT {COLUMNS} FROM anchor n JOIN agent a ON a.id = n.agent WHERE a.name = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(&attempt)?;
        let anchors =
            statement.query_map([agent.as_str()], |row| anchor(row, 0)).map_err(&attempt)?;
        anchors
            .map(|anchor| anchor.map(|anchor| (anchor.boot_id, anchor)).map_err(&attempt))
            .collect()
    }

    /// Anchors after this one, in the order in which they came, at most `limit`.
    pub fn anchors_after(&self, id: i64, limit: usize) -> Result<Vec<AnchorRow>, StoreError> {
        let attempt = StoreError::sql("list anchors");
        let sql = format!(
            "SELECT {COLUMNS}, n.id, a.name FROM anchor n JOIN agent a ON a.id = n.agent
             WHERE n.id > ?1 ORDER BY n.id LIMIT ?2"
        );
        let mut statement = self.connection.prepare_cached(&sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([id, limit]).map_err(&attempt)?;
        let mut anchors = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let agent: String = row.get(5).map_err(&attempt)?;
            anchors.push(AnchorRow {
                id: row.get(4).map_err(&attempt)?,
                agent: agent.parse().map_err(damaged)?,
                anchor: anchor(row, 0).map_err(&attempt)?,
            });
        }
        Ok(anchors)
    }

    /// Held items that wait for an anchor which has come, the oldest first, after this one.
    pub fn placeable(&self, after: i64, limit: usize) -> Result<Vec<i64>, StoreError> {
        let attempt = StoreError::sql("look for what an anchor places");
        let sql = "SELECT p.item FROM parking p CROSS JOIN anchor n ON n.agent = p.agent AND n.boot = p.boot
            WHERE p.waiting > 0 AND p.boot IS NOT NULL AND p.likeness IS NOT NULL AND p.item > ?1
            ORDER BY p.item LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let items = statement.query_map([after, limit], |row| row.get(0)).map_err(&attempt)?;
        items.map(|item| item.map_err(&attempt)).collect()
    }
}

fn anchor(row: &Row<'_>, at: usize) -> rusqlite::Result<ClockAnchor> {
    let boot: [u8; 16] = row.get(at)?;
    Ok(ClockAnchor {
        boot_id: BootId(u128::from_be_bytes(boot)),
        utc_at_boot_ms: row.get(at + 1)?,
        uncertainty_ms: row.get(at + 2)?,
        source: row.get(at + 3)?,
    })
}
