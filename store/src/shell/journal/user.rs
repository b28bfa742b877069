//! People: added, given another password, disabled, all of it journalled; their sessions end with
//! what they rested on.

use std::fmt;

use model::time::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{JournalBook, JournalReader, append, note_rights};
use crate::{
    chain::{Body, By},
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
    user::UserRow,
};

const COLUMNS: &str = "id, name, role, password, must_change, created_at, password_at, disabled_at";

/// Somebody to be added; whether that came to be, or somebody of that name may log in already.
#[derive(Clone, PartialEq, Eq)]
pub struct AddUser {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// The name. Whoever had it and is disabled comes back under it.
    pub name: String,
    /// What they may do.
    pub role: String,
    /// What their password is to be compared with.
    pub password: String,
    /// Whether somebody else knows it, so that they may do nothing before they have another one.
    pub must_change: bool,
}

impl fmt::Debug for AddUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddUser").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Write<JournalBook> for AddUser {
    type Answer = bool;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "INSERT INTO user (name, role, password, must_change, created_at, password_at)
              VALUES (?1, ?2, ?3, ?4, ?5, ?5)
            ON CONFLICT (name) DO UPDATE SET name = excluded.name, role = excluded.role,
              password = excluded.password, must_change = excluded.must_change,
              password_at = excluded.password_at, disabled_at = NULL
              WHERE disabled_at IS NOT NULL";
        let row = params![self.name, self.role, self.password, self.must_change, self.at.as_ms()];
        let added = run(connection, sql, row).map_err(StoreError::sql("add a user"))?;
        if added == 0 {
            return Ok(false);
        }
        let body = Body::UserAdded { name: self.name.clone(), role: self.role.clone() };
        append(connection, self.at, &self.by, &body)?;
        Ok(true)
    }
}

/// Another password for somebody, which ends their sessions; whether somebody of that name may log
/// in, and had the one that it replaces.
#[derive(Clone, PartialEq, Eq)]
pub struct SetPassword {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Whose.
    pub name: String,
    /// What it is to be compared with.
    pub password: String,
    /// Whether somebody else knows it, so that they may do nothing before they have another one.
    pub must_change: bool,
    /// What it replaces, where it was looked at: it may have been replaced meanwhile.
    pub replaces: Option<String>,
}

impl fmt::Debug for SetPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetPassword").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Write<JournalBook> for SetPassword {
    type Answer = bool;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "UPDATE user SET password = ?2, password_at = ?3, must_change = ?4
            WHERE name = ?1 AND disabled_at IS NULL AND (?5 IS NULL OR password = ?5)
            RETURNING id, name, role";
        let Self { at, name, password, must_change, replaces, .. } = self;
        let row = params![name, password, at.as_ms(), must_change, replaces];
        let Some(changed) = first_row(connection, sql, row, Changed::of)
            .map_err(StoreError::sql("set a password"))?
        else {
            return Ok(false);
        };
        let body = Body::PasswordSet { name: changed.name.clone(), role: changed.role.clone() };
        changed.end(connection, (self.at, &self.by), &body)?;
        Ok(true)
    }
}

/// Somebody who may log in no more; whether somebody of that name could.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisableUser {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Who.
    pub name: String,
}

impl Write<JournalBook> for DisableUser {
    type Answer = bool;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<bool, StoreError> {
        let sql = "UPDATE user SET disabled_at = ?2 WHERE name = ?1 AND disabled_at IS NULL
            RETURNING id, name, role";
        let Some(changed) =
            first_row(connection, sql, params![self.name, self.at.as_ms()], Changed::of)
                .map_err(StoreError::sql("disable a user"))?
        else {
            return Ok(false);
        };
        let body = Body::UserDisabled { name: changed.name.clone(), role: changed.role.clone() };
        changed.end(connection, (self.at, &self.by), &body)?;
        Ok(true)
    }
}

/// Somebody whose sessions rest on what is there no more.
struct Changed {
    id: i64,
    name: String,
    role: String,
}

impl Changed {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, role: row.get(2)? })
    }

    fn end(
        &self,
        connection: &Connection,
        (at, by): (Timestamp, &By),
        body: &Body,
    ) -> Result<(), StoreError> {
        run(connection, "DELETE FROM session WHERE user = ?1", [self.id])
            .map_err(StoreError::sql("end sessions"))?;
        let entry = append(connection, at, by, body)?;
        note_rights(connection, entry)
    }
}

impl JournalReader {
    /// Everybody, who is disabled too, in the order in which they were added.
    pub fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        let attempt = StoreError::sql("list users");
        let sql = format!("SELECT {COLUMNS} FROM user ORDER BY id");
        let mut statement = self.connection.prepare_cached(&sql).map_err(&attempt)?;
        let users = statement.query_map([], user_row).map_err(&attempt)?;
        users.map(|user| user.map_err(&attempt)).collect()
    }

    /// Whoever may log in under this name.
    pub fn user(&self, name: &str) -> Result<Option<UserRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM user WHERE name = ?1 AND disabled_at IS NULL");
        first_row(&self.connection, &sql, [name], user_row)
            .map_err(StoreError::sql("look a user up"))
    }
}

fn user_row(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get(0)?,
        name: row.get(1)?,
        role: row.get(2)?,
        password: row.get(3)?,
        must_change: row.get(4)?,
        created_at: Timestamp::clamped(row.get(5)?),
        password_at: Timestamp::clamped(row.get(6)?),
        disabled_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::clamped),
    })
}
