//! Sessions: begun on a password that was right, noted as used, and ended.

use model::time::Timestamp;
use rusqlite::{Connection, params};

use super::{JournalBook, JournalReader, append, note_rights};
use crate::{
    chain::{Body, By, ByKind},
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
    user::{SessionRow, SessionText, UserRow},
};

/// Sessions of one user at the same time.
const AT_ONCE: i64 = 16;

/// A session of somebody whose password was right. None where that password is not theirs any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BeginSession {
    /// When.
    pub at: Timestamp,
    /// Whose, as they were when the password was compared.
    pub user: UserRow,
    /// The session of the same browser, whoever's it is: it ends with that.
    pub before: Option<SessionText>,
    /// Sessions that began, or were seen last, before these are over and go.
    pub over: Over,
}

/// Up to when sessions are over, whoever's they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Those that began before.
    pub begun_before: Timestamp,
    /// Those that were seen last before.
    pub seen_before: Timestamp,
}

impl Write<JournalBook> for BeginSession {
    type Answer = Option<SessionText>;

    fn apply(
        &self,
        _book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<Option<SessionText>, StoreError> {
        let attempt = StoreError::sql("begin a session");
        let sql = "SELECT count(*) FROM user
            WHERE id = ?1 AND password = ?2 AND disabled_at IS NULL";
        let is = params![self.user.id, self.user.password];
        let fits = first_row(connection, sql, is, |row| row.get::<_, i64>(0)).map_err(&attempt)?;
        if fits.unwrap_or(0) == 0 {
            return Ok(None);
        }
        let sql = "DELETE FROM session WHERE begun_at < ?1 OR seen_at < ?2";
        let over = params![self.over.begun_before.as_ms(), self.over.seen_before.as_ms()];
        run(connection, sql, over).map_err(&attempt)?;
        if let Some(before) = &self.before {
            leave(connection, self.at, before)?;
        }
        self.make_room(connection)?;
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random).map_err(|source| StoreError::Random { source })?;
        let text = SessionText::from_random(random);
        let sql = "INSERT INTO session (digest, user, begun_at, seen_at) VALUES (?1, ?2, ?3, ?3)";
        let row = params![text.digest(), self.user.id, self.at.as_ms()];
        run(connection, sql, row).map_err(&attempt)?;
        let body = Body::SessionBegun { user: self.user.name.clone() };
        append(connection, self.at, &by(&self.user.name), &body)?;
        Ok(Some(text))
    }
}

impl BeginSession {
    fn make_room(&self, connection: &Connection) -> Result<(), StoreError> {
        let sql = "DELETE FROM session WHERE digest IN (SELECT digest FROM session
            WHERE user = ?1 ORDER BY begun_at DESC LIMIT -1 OFFSET ?2)";
        let ended = run(connection, sql, [self.user.id, AT_ONCE - 1])
            .map_err(StoreError::sql("end a session"))?;
        for _ in 0..ended {
            end(connection, self.at, &self.user.name)?;
        }
        Ok(())
    }
}

/// A session that its user leaves; whether there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndSession {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub session: SessionText,
}

impl Write<JournalBook> for EndSession {
    type Answer = bool;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<bool, StoreError> {
        leave(connection, self.at, &self.session)
    }
}

/// A session that was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeeSession {
    /// When.
    pub at: Timestamp,
    /// Which.
    pub session: SessionText,
}

impl Write<JournalBook> for SeeSession {
    type Answer = ();

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<(), StoreError> {
        let sql = "UPDATE session SET seen_at = ?2 WHERE digest = ?1";
        run(connection, sql, params![self.session.digest(), self.at.as_ms()])
            .map_err(StoreError::sql("note that a session is used"))?;
        Ok(())
    }
}

impl JournalReader {
    /// The session of this text, which may be over by its moments.
    pub fn session(&self, text: &SessionText) -> Result<Option<SessionRow>, StoreError> {
        let sql =
            "SELECT s.user, u.name, u.role, u.must_change, s.begun_at, s.seen_at FROM session s
            JOIN user u ON u.id = s.user WHERE s.digest = ?1 AND u.disabled_at IS NULL";
        first_row(&self.connection, sql, [text.digest()], |row| {
            Ok(SessionRow {
                user: row.get(0)?,
                name: row.get(1)?,
                role: row.get(2)?,
                must_change: row.get(3)?,
                begun_at: Timestamp::clamped(row.get(4)?),
                seen_at: Timestamp::clamped(row.get(5)?),
            })
        })
        .map_err(StoreError::sql("look a session up"))
    }
}

/// Ends a session of a browser that leaves it; whether there was one.
fn leave(
    connection: &Connection,
    at: Timestamp,
    session: &SessionText,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM session WHERE digest = ?1
        RETURNING (SELECT name FROM user WHERE id = session.user)";
    let name = first_row(connection, sql, [session.digest()], |row| row.get(0));
    let name: Option<Option<String>> = name.map_err(StoreError::sql("end a session"))?;
    let Some(name) = name else { return Ok(false) };
    end(connection, at, &name.unwrap_or_default())?;
    Ok(true)
}

fn end(connection: &Connection, at: Timestamp, name: &str) -> Result<(), StoreError> {
    let body = Body::SessionEnded { user: name.to_owned() };
    let entry = append(connection, at, &by(name), &body)?;
    note_rights(connection, entry)
}

fn by(name: &str) -> By {
    By { kind: ByKind::User, name: name.to_owned() }
}
