//! Tries to log in: noted before a password is looked at, and read at a start.

use model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{JournalBook, JournalReader};
use crate::{
    attempt::{ATTEMPTS, AttemptRow, FAMILIAR_PLACES},
    shell::{error::StoreError, samples::run, writer::Write},
};

/// How tries stand for a name and a place. What is older than it matters goes, as does what is
/// beyond the bounds of [`crate::attempt`], the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteAttempts {
    /// As they stand now.
    pub rows: Vec<AttemptRow>,
    /// What stands for names that somebody has: their rows go for their age alone.
    pub somebodys: Vec<String>,
    /// Tries before this do not matter any more.
    pub forget_before: Timestamp,
}

impl Write<JournalBook> for NoteAttempts {
    type Answer = ();

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<(), StoreError> {
        let attempt = StoreError::sql("note tries to log in");
        let sql = "INSERT INTO attempt (name, place, tries, is_familiar, tried_at)
              VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (name, place) DO UPDATE SET tries = excluded.tries,
              is_familiar = excluded.is_familiar, tried_at = excluded.tried_at";
        let none_left = "DELETE FROM attempt WHERE name = ?1 AND place = ?2";
        for AttemptRow { name, place, tries, is_familiar, tried_at } in &self.rows {
            if *tries == 0 && !is_familiar {
                run(connection, none_left, params![name, place]).map_err(&attempt)?;
                continue;
            }
            let row = params![name, place, tries, is_familiar, tried_at.as_ms()];
            run(connection, sql, row).map_err(&attempt)?;
        }
        let sql = "DELETE FROM attempt WHERE is_familiar = 0 AND tried_at < ?1";
        run(connection, sql, [self.forget_before.as_ms()]).map_err(&attempt)?;
        for (name, place) in self.too_many(connection)? {
            run(connection, none_left, params![name, place]).map_err(&attempt)?;
        }
        let sql = "DELETE FROM attempt WHERE (name, place) IN (SELECT name, place FROM attempt
            WHERE name = ?1 AND is_familiar = 1 ORDER BY tried_at DESC LIMIT -1 OFFSET ?2)";
        for row in self.rows.iter().filter(|row| row.is_familiar) {
            run(connection, sql, params![row.name, FAMILIAR_PLACES]).map_err(&attempt)?;
        }
        Ok(())
    }
}

impl NoteAttempts {
    /// Names and places of what is beyond the bound.
    fn too_many(&self, connection: &Connection) -> Result<Vec<(String, String)>, StoreError> {
        let attempt = StoreError::sql("look for tries to forget");
        let sql = "SELECT name, place FROM attempt
            WHERE is_familiar = 0 ORDER BY tried_at DESC LIMIT -1 OFFSET ?1";
        let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
        let rows = statement.query_map([ATTEMPTS], |row| Ok((row.get(0)?, row.get(1)?)));
        let mut rows: Vec<(String, String)> = rows.and_then(Iterator::collect).map_err(&attempt)?;
        rows.retain(|(name, _)| !self.somebodys.contains(name));
        Ok(rows)
    }
}

impl JournalReader {
    /// Every try that is remembered, the oldest first.
    pub fn attempts(&self) -> Result<Vec<AttemptRow>, StoreError> {
        let attempt = StoreError::sql("read tries to log in");
        let sql = "SELECT name, place, tries, is_familiar, tried_at FROM attempt ORDER BY tried_at";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let rows = statement.query_map([], row).map_err(&attempt)?;
        rows.map(|row| row.map_err(&attempt)).collect()
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        name: row.get(0)?,
        place: row.get(1)?,
        tries: row.get(2)?,
        is_familiar: row.get(3)?,
        tried_at: Timestamp::clamped(row.get(4)?),
    })
}
