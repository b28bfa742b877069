//! The quarantine: what only the registry refuses is parked, garbage goes round in a ring.

use std::collections::BTreeSet;

use model::{
    time::Timestamp,
    wire::{
        batch_v1::Digest,
        refused_v1::{Kept, Reason},
    },
};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{
    admit::{claim, known},
    book::SamplesBook,
    first_row, run,
};
use crate::{
    admission::{Admit, Key, Quarantine, Quarantined, SetAside},
    facts::kept_code,
    metrics::Metrics,
    shell::{error::StoreError, writer::Write},
};

/// What a row counts beside its payload: its texts and its place in the file.
const ROW_BYTES: u64 = 1_024;
const MAX_DETAIL: usize = 500;

pub(super) const GARBAGE_BYTES: &str = "garbage_bytes";
pub(super) const GARBAGE_DROPPED: &str = "garbage_dropped";
pub(super) const PARKED_BYTES: &str = "parked_bytes";

impl Write<SamplesBook> for Quarantine {
    type Answer = Quarantined;

    fn apply(
        &self,
        book: &mut SamplesBook,
        connection: &Connection,
    ) -> Result<Quarantined, StoreError> {
        if let Some(key) = &self.key {
            let agent = book.agent(connection, &self.agent, self.received_at)?;
            if !claim(connection, agent, key, None)? {
                let known = known(connection, agent, key)?;
                return Ok(match known.filter(|known| known.digest != *key.digest()) {
                    Some(known) => Quarantined::Fork { stored: known.digest },
                    None => Quarantined::Duplicate,
                });
            }
            if let Key::Batch { epoch, sequence, .. } = key {
                book.touch_epoch((agent, *epoch), *sequence, self.received_at, None);
            }
        }
        let row = Row {
            kind: Kept::Garbage,
            agent: self.agent.as_str(),
            topic: &self.topic,
            received_at: self.received_at,
            payload: &self.payload,
            reason: self.reason,
            detail: self.detail.chars().take(MAX_DETAIL).collect(),
            batch: None,
            gauges: None,
        };
        let id = row.insert(connection)?;
        let dropped = go_round(book, connection)?;
        Ok(Quarantined::Held { id, dropped })
    }

    fn weight(&self) -> usize {
        self.payload.len()
    }

    fn count(&self, answer: &Quarantined, metrics: &Metrics) {
        let outcome = match answer {
            Quarantined::Held { dropped, .. } => {
                metrics.garbage_dropped.inc_by(*dropped);
                "garbage"
            }
            Quarantined::Duplicate => "duplicate",
            Quarantined::Fork { .. } => "fork",
        };
        metrics.batches.with_label_values(&[outcome]).inc();
    }
}

/// Whether another payload of this length may be parked.
pub(super) fn has_room(
    book: &SamplesBook,
    connection: &Connection,
    bytes: usize,
) -> Result<bool, StoreError> {
    let parked = counter(connection, PARKED_BYTES)?;
    Ok(parked.saturating_add(parked_cost(bytes)) <= book.limits.parked)
}

/// What a parked payload counts.
pub(super) fn parked_cost(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(ROW_BYTES)
}

/// Notes what is set aside of a payload that has just been stored.
pub(super) fn set_aside(
    book: &mut SamplesBook,
    connection: &Connection,
    admit: &Admit,
    batch: i64,
) -> Result<(), StoreError> {
    if admit.set_aside.is_empty() {
        return Ok(());
    }
    for kind in [Kept::Parked, Kept::Garbage] {
        let of_kind: Vec<&SetAside> =
            admit.set_aside.iter().filter(|aside| aside.reason.kept() == kind).collect();
        let Some(first) = of_kind.first() else { continue };
        let row = Row {
            kind,
            agent: admit.agent.as_str(),
            topic: &admit.topic,
            received_at: admit.received_at,
            payload: &admit.bytes,
            reason: first.reason,
            detail: detail(&of_kind),
            batch: Some(batch),
            gauges: Some(gauges(&of_kind)?),
        };
        row.insert(connection)?;
        if kind == Kept::Parked {
            add_to_counter(connection, PARKED_BYTES, parked_cost(admit.bytes.len()))?;
        } else {
            go_round(book, connection)?;
        }
    }
    Ok(())
}

/// What is wrong, in words: each detail once, cut where it grows too long.
pub(super) fn detail(aside: &[&SetAside]) -> String {
    let details: BTreeSet<&str> = aside.iter().map(|aside| aside.detail.as_str()).collect();
    let mut text = String::new();
    for detail in details {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if text.len() > MAX_DETAIL {
            text.push('…');
            break;
        }
        text.push_str(detail);
    }
    text
}

/// The gauges that are set aside, as the JSON list of the row.
pub(super) fn gauges(aside: &[&SetAside]) -> Result<String, StoreError> {
    let named = aside.iter().map(|aside| aside.gauge.as_str()).filter(|gauge| !gauge.is_empty());
    let gauges: BTreeSet<&str> = named.collect();
    serde_json::to_string(&gauges).map_err(StoreError::json("name the gauges set aside"))
}

struct Row<'a> {
    kind: Kept,
    agent: &'a str,
    topic: &'a str,
    received_at: Timestamp,
    payload: &'a [u8],
    reason: Reason,
    detail: String,
    batch: Option<i64>,
    gauges: Option<String>,
}

impl Row<'_> {
    fn insert(self, connection: &Connection) -> Result<i64, StoreError> {
        let sql = "INSERT INTO quarantine (kind, state, agent, topic, received_at, bytes, digest,
            reason, detail, batch, gauges, payload) VALUES (?1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let digest: Digest = Sha256::digest(self.payload).into();
        let payload = self.batch.is_none().then_some(self.payload);
        run(
            connection,
            sql,
            params![
                kept_code(self.kind),
                self.agent,
                self.topic,
                self.received_at.as_ms(),
                i64::try_from(self.payload.len()).unwrap_or(i64::MAX),
                digest,
                self.reason.word(),
                self.detail,
                self.batch,
                self.gauges,
                payload,
            ],
        )
        .map_err(StoreError::sql("quarantine a payload"))?;
        let id = connection.last_insert_rowid();
        if self.kind == Kept::Garbage {
            add_to_counter(connection, GARBAGE_BYTES, garbage_cost(connection, id)?)?;
        }
        Ok(id)
    }
}

/// What a row of the ring counts.
pub(super) fn garbage_cost(connection: &Connection, id: i64) -> Result<u64, StoreError> {
    let sql = "SELECT coalesce(length(payload), 0) + coalesce(length(gauges), 0)
        FROM quarantine WHERE id = ?1";
    let cost: Option<i64> = first_row(connection, sql, [id], |row| row.get(0))
        .map_err(StoreError::sql("measure a quarantined payload"))?;
    Ok(u64::try_from(cost.unwrap_or(0)).unwrap_or(0).saturating_add(ROW_BYTES))
}

/// Lets the oldest garbage go until the rest fits; says how much of it nobody had decided about.
fn go_round(book: &SamplesBook, connection: &Connection) -> Result<u64, StoreError> {
    let attempt = StoreError::sql("make room for garbage");
    let mut bytes = counter(connection, GARBAGE_BYTES)?;
    let mut dropped = 0;
    while bytes > book.limits.garbage {
        let sql = "SELECT id, state FROM quarantine WHERE kind = 2 ORDER BY id LIMIT 1";
        let oldest = first_row(connection, sql, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
            .map_err(&attempt)?;
        let Some((id, state)) = oldest else { break };
        bytes = bytes.saturating_sub(garbage_cost(connection, id)?);
        run(connection, "DELETE FROM quarantine WHERE id = ?1", [id]).map_err(&attempt)?;
        dropped += u64::from(state == 0);
    }
    if dropped > 0 {
        add_to_counter(connection, GARBAGE_DROPPED, dropped)?;
    }
    set_counter(connection, GARBAGE_BYTES, bytes)?;
    Ok(dropped)
}

/// A number kept in `meta`; 0 where it was never written.
pub(super) fn counter(connection: &Connection, key: &str) -> Result<u64, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let text: Option<String> = first_row(connection, sql, [key], |row| row.get(0))
        .map_err(StoreError::sql("read a counter"))?;
    match text {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_no_number| {
            StoreError::Damaged(format!("`{key}` of samples.db is `{text}`, which is no number"))
        }),
    }
}

pub(super) fn set_counter(
    connection: &Connection,
    key: &str,
    value: u64,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    run(connection, sql, params![key, value.to_string()])
        .map_err(StoreError::sql("write a counter"))?;
    Ok(())
}

pub(super) fn add_to_counter(
    connection: &Connection,
    key: &str,
    more: u64,
) -> Result<(), StoreError> {
    let value = counter(connection, key)?.saturating_add(more);
    set_counter(connection, key, value)
}
