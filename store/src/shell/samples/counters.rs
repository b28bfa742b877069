//! Numbers kept in `meta`.

use rusqlite::{Connection, params};

use super::{first_row, run};
use crate::shell::error::StoreError;

pub(super) const GARBAGE_BYTES: &str = "garbage_bytes";
pub(super) const DECIDED_DROPPED: &str = "decided_dropped";
pub(super) const GARBAGE_DROPPED: &str = "garbage_dropped";
pub(in crate::shell) const PARKED_BYTES: &str = "parked_bytes";
pub(in crate::shell) const PARKED_BESIDE_BYTES: &str = "parked_beside_bytes";

/// A number kept in `meta`; 0 where it was never written.
pub(in crate::shell) fn counter(connection: &Connection, key: &str) -> Result<u64, StoreError> {
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
