//! Reads of entries, the registry, tokens and consumers.

use std::sync::Arc;

use model::{registry::Registry, time::Timestamp};
use rusqlite::{Connection, Row, params};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{JournalReader, RegistryInForce};
use crate::{
    chain::Entry,
    registry::canonical::{self, Kept},
    shell::{error::StoreError, samples::first_row},
    token::{self, TokenRow},
};

impl JournalReader {
    /// Entries after a position, at most `limit`.
    pub fn entries(&self, after: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let attempt = StoreError::sql("read entries");
        let sql = "SELECT position, at, kind, bytes, hash FROM entry
            WHERE position > ?1 ORDER BY position LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let entries = statement.query_map([after, limit], entry).map_err(&attempt)?;
        entries.map(|entry| entry.map_err(&attempt)).collect()
    }

    /// The registry in force.
    pub fn registry(&self) -> Result<Option<RegistryInForce>, StoreError> {
        in_force(&self.connection)
    }

    /// The registry that was in force at this entry.
    pub fn registry_at(&self, entry: i64) -> Result<Option<RegistryInForce>, StoreError> {
        newest_registry(&self.connection, entry)
    }

    /// The newest entry by which this very file was imported, if it ever was.
    pub fn import_of(&self, file_digest: &[u8; 32]) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT max(entry) FROM registry WHERE file_digest = ?1";
        let entry = first_row(&self.connection, sql, params![file_digest], |row| row.get(0));
        Ok(entry.map_err(StoreError::sql("look for an import"))?.flatten())
    }

    /// Every token, revoked ones too, in the order they were made.
    pub fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let attempt = StoreError::sql("list tokens");
        let sql = "SELECT id, name, role, created_at, opened_at, revoked_at FROM token ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let tokens = statement.query_map([], token_row).map_err(&attempt)?;
        tokens.map(|token| token.map_err(&attempt)).collect()
    }

    /// The token with this text; `None` where it is unknown or revoked, and of a screen's link, which
    /// lets nobody in by itself.
    pub fn verify_token(&self, text: &str) -> Result<Option<TokenRow>, StoreError> {
        let Some(digest) = token::digest(text) else { return Ok(None) };
        let sql = "SELECT id, name, role, created_at, opened_at, revoked_at FROM token
            WHERE digest = ?1 AND revoked_at IS NULL AND (role <> ?2 OR opened_at IS NOT NULL)";
        first_row(&self.connection, sql, params![digest, token::WALL], token_row)
            .map_err(StoreError::sql("look a token up"))
    }

    /// Whether this is the link of a screen that may still be opened.
    pub fn is_screen_link(&self, text: &str) -> Result<bool, StoreError> {
        let Some(digest) = token::digest(text) else { return Ok(false) };
        let sql = "SELECT 1 FROM token
            WHERE digest = ?1 AND revoked_at IS NULL AND role = ?2 AND opened_at IS NULL";
        first_row(&self.connection, sql, params![digest, token::WALL], |_row| Ok(()))
            .map(|found| found.is_some())
            .map_err(StoreError::sql("look a screen's link up"))
    }

    /// How far a consumer has come: positions of samples and entries.
    pub fn consumer(&self, name: &str) -> Result<Option<(i64, i64)>, StoreError> {
        let sql = "SELECT sample_position, entry_position FROM consumer WHERE name = ?1";
        first_row(&self.connection, sql, [name], |row| Ok((row.get(0)?, row.get(1)?)))
            .map_err(StoreError::sql("read a consumer's positions"))
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        position: row.get(0)?,
        at: Timestamp::clamped(row.get(1)?),
        kind: row.get(2)?,
        bytes: row.get(3)?,
        hash: row.get(4)?,
    })
}

fn token_row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        created_at: Timestamp::clamped(row.get(3)?),
        opened_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::clamped),
        revoked_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::clamped),
    })
}

/// The position of the newest registry's entry.
pub(super) fn registry_entry(connection: &Connection) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT max(entry) FROM registry";
    let entry = first_row(connection, sql, [], |row| row.get(0));
    Ok(entry.map_err(StoreError::sql("look for a registry"))?.flatten())
}

/// The newest registry, read from its entry.
pub(super) fn in_force(connection: &Connection) -> Result<Option<RegistryInForce>, StoreError> {
    newest_registry(connection, i64::MAX)
}

/// The newest one up to an entry.
fn newest_registry(
    connection: &Connection,
    until: i64,
) -> Result<Option<RegistryInForce>, StoreError> {
    let attempt = StoreError::sql("read the registry");
    let sql = "SELECT r.entry, r.file_digest, e.bytes FROM registry r
        JOIN entry e ON e.position = r.entry WHERE r.entry <= ?1 ORDER BY r.entry DESC LIMIT 1";
    let found =
        first_row(connection, sql, [until], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let Some((entry, file_digest, bytes)) = found.map_err(&attempt)? else { return Ok(None) };
    let bytes: Vec<u8> = bytes;
    let registry = Arc::new(registry_of(connection, entry, document_of(&bytes)?)?);
    Ok(Some(RegistryInForce { registry, entry, file_digest }))
}

/// The canonical document in an entry's bytes.
pub(super) fn document_of(bytes: &[u8]) -> Result<&str, StoreError> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        body: Inner<'a>,
    }
    #[derive(Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        document: &'a RawValue,
    }
    let outer: Outer<'_> =
        serde_json::from_slice(bytes).map_err(StoreError::json("read a registry's entry"))?;
    Ok(outer.body.document.get())
}

fn registry_of(
    connection: &Connection,
    entry: i64,
    document: &str,
) -> Result<Registry, StoreError> {
    let mut failed = None;
    let registry = canonical::read(document, |kept| match personal(connection, kept) {
        Ok(text) => text,
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    match failed {
        Some(error) => Err(error),
        None => registry.map_err(|faults| StoreError::Registry { entry, source: Arc::new(faults) }),
    }
}

/// A personal text, unless it was erased or is not the one that was kept.
fn personal(connection: &Connection, kept: Kept) -> Result<Option<String>, StoreError> {
    let sql = "SELECT salt, text FROM personal WHERE id = ?1";
    let found = first_row(connection, sql, [kept.id], |row| Ok((row.get(0)?, row.get(1)?)));
    let found: Option<(Vec<u8>, String)> = found.map_err(StoreError::sql("read personal data"))?;
    Ok(found.and_then(|(salt, text)| (digest_of(&salt, &text) == kept.digest).then_some(text)))
}

/// What stands for a personal text in the chain.
pub(super) fn digest_of(salt: &[u8], text: &str) -> [u8; 32] {
    Sha256::new().chain_update(salt).chain_update(text.as_bytes()).finalize().into()
}
