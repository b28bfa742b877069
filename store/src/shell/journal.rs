//! Journal: the handle through which everybody appends to and reads `journal.db`.

mod alarms;
mod asked;
mod attempt;
mod counts;
mod import;
#[cfg(test)]
mod query_plans;
mod read;
mod read_alarms;
mod sections;
mod session;
mod standing;
mod tail;
mod token;
mod user;
mod verdicts;

use std::sync::Arc;

use model::{registry::Registry, time::Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::watch;

pub(super) use self::{
    alarms::key,
    tail::{Tail, Tailed},
};
pub use self::{
    alarms::{AlarmsSet, SetAlarms},
    asked::{Acknowledge, Asked, TakeReceipt},
    attempt::NoteAttempts,
    import::{Import, ImportRegistry},
    session::{BeginSession, EndSession, Over, SeeSession},
    token::{AddToken, OpenScreen, RevokeToken, TokenAdded},
    user::{AddUser, DisableUser, SetPassword},
    verdicts::{SetVerdicts, VerdictsSet},
};
use super::{
    database::{Database, Reader},
    error::StoreError,
    samples::{first_row, run},
    writer::{Book, Write},
};
use crate::chain::{Body, By, Entry, GENESIS, Hash};

/// Writes to and reads from `journal.db`, and tells what stands there.
///
/// Its writes are [`Append`], [`AppendOnce`], [`ImportRegistry`], [`AddToken`], [`OpenScreen`],
/// [`RevokeToken`], [`AddUser`], [`SetPassword`], [`DisableUser`], [`NoteAttempts`], [`BeginSession`],
/// [`SeeSession`], [`EndSession`], [`SetConsumer`], [`SetVerdicts`], [`SetAlarms`], [`Acknowledge`]
/// and [`TakeReceipt`].
pub type Journal = Database<JournalBook, watch::Receiver<JournalState>>;

/// One snapshot of `journal.db`.
pub type JournalReader = Reader<JournalBook>;

/// What stands in the journal, as of at most a second ago.
#[derive(Debug, Clone, Default)]
pub struct JournalState {
    /// The position of the newest entry; 0 before the first look.
    pub head: i64,
    /// The newest entry after which somebody may be let in no more.
    pub rights: i64,
    /// The newest registry.
    pub registry: Option<RegistryInForce>,
}

/// A registry and where it stands.
#[derive(Debug, Clone)]
pub struct RegistryInForce {
    /// What it says.
    pub registry: Arc<Registry>,
    /// The journal entry that holds it.
    pub entry: i64,
    /// SHA-256 of the file that it came from.
    pub file_digest: [u8; 32],
}

impl Journal {
    /// What stands in the journal; told anew within a second of anybody's commit.
    pub fn watch(&self) -> watch::Receiver<JournalState> {
        self.beside.clone()
    }

    /// The registry in force, as known beside the journal; empty before the first import.
    pub fn registry(&self) -> Arc<Registry> {
        let state = self.beside.borrow();
        state.registry.as_ref().map_or_else(Arc::default, |known| Arc::clone(&known.registry))
    }
}

/// The writer of `journal.db` remembers nothing: commands write beside it.
#[derive(Debug, Default)]
pub struct JournalBook;

impl Book for JournalBook {
    fn begin(&mut self, _connection: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn flush(&mut self, _connection: &Connection) -> Result<(), StoreError> {
        Ok(())
    }

    fn forget(&mut self) {}
}

/// An entry to be appended; the answer is its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Append {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// What it says.
    pub body: Body,
}

impl Write<JournalBook> for Append {
    type Answer = i64;

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<i64, StoreError> {
        append(connection, self.at, &self.by, &self.body)
    }
}

/// An entry that says what stands in `samples.db`, appended once whatever happens in between: how
/// far its consumer has come is written with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendOnce {
    /// What is to be appended.
    pub append: Append,
    /// Whose position tells whether it was.
    pub consumer: &'static str,
    /// The position in `samples.db` that it speaks of; they come in ascending order.
    pub samples: i64,
}

impl Write<JournalBook> for AppendOnce {
    type Answer = ();

    fn apply(&self, book: &mut JournalBook, connection: &Connection) -> Result<(), StoreError> {
        let sql = "SELECT sample_position FROM consumer WHERE name = ?1";
        let come = first_row(connection, sql, [self.consumer], |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("read a consumer's positions"))?;
        if come.is_some_and(|come| come >= self.samples) {
            return Ok(());
        }
        let entries = self.append.apply(book, connection)?;
        let name = self.consumer.to_owned();
        SetConsumer { name, samples: self.samples, entries }.apply(book, connection)
    }
}

/// How far a consumer of both feeds has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetConsumer {
    /// Its name.
    pub name: String,
    /// The last position of the samples' feed that it has dealt with.
    pub samples: i64,
    /// The last entry that it has dealt with.
    pub entries: i64,
}

impl Write<JournalBook> for SetConsumer {
    type Answer = ();

    fn apply(&self, _book: &mut JournalBook, connection: &Connection) -> Result<(), StoreError> {
        let sql = "INSERT INTO consumer (name, sample_position, entry_position) VALUES (?1, ?2, ?3)
            ON CONFLICT (name) DO UPDATE SET sample_position = excluded.sample_position,
              entry_position = excluded.entry_position";
        run(connection, sql, params![self.name, self.samples, self.entries])
            .map_err(StoreError::sql("write a consumer's positions"))?;
        Ok(())
    }
}

/// Appends an entry within a transaction that holds the write lock.
pub(super) fn append(
    connection: &Connection,
    at: Timestamp,
    by: &By,
    body: &Body,
) -> Result<i64, StoreError> {
    let (position, hash) = head(connection)?;
    let entry = Entry::following((position, &hash), at, by, body)
        .map_err(StoreError::json("write an entry"))?;
    let sql = "INSERT INTO entry (position, at, kind, bytes, hash) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![entry.position, at.as_ms(), entry.kind, entry.bytes, entry.hash];
    run(connection, sql, row).map_err(StoreError::sql("append an entry"))?;
    Ok(entry.position)
}

/// Notes that after this entry somebody may be let in no more: whoever was let in and is still
/// there is looked up again.
pub(super) fn note_rights(connection: &Connection, entry: i64) -> Result<(), StoreError> {
    let sql = "INSERT INTO meta (key, value) VALUES ('rights', ?1)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    run(connection, sql, [entry.to_string()])
        .map_err(StoreError::sql("note who is let in no more"))?;
    Ok(())
}

/// What [`note_rights`] noted last.
pub(super) fn rights(connection: &Connection) -> Result<i64, StoreError> {
    let sql = "SELECT value FROM meta WHERE key = 'rights'";
    let entry = first_row(connection, sql, [], |row| row.get::<_, String>(0))
        .map_err(StoreError::sql("look who is let in no more"))?;
    Ok(entry.and_then(|entry| entry.parse().ok()).unwrap_or(0))
}

/// The newest entry's position and hash, or what stands before the first.
pub(super) fn head(connection: &Connection) -> Result<(i64, Hash), StoreError> {
    let sql = "SELECT position, hash FROM entry ORDER BY position DESC LIMIT 1";
    let head = first_row(connection, sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(StoreError::sql("read the journal's head"))?;
    Ok(head.unwrap_or((0, GENESIS)))
}
