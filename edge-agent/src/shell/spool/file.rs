//! The spool's file: who may open it, and what stands in it.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use model::{
    batch::Previous,
    ids::{AgentId, Epoch, Sequence},
};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior};
use rustix::fs::{FlockOperation, flock};
use tracing::debug;

use super::SpoolError;

/// «BFP1».
pub(super) const APPLICATION_ID: i64 = 0x4246_5031;
/// What this program reads and writes.
pub(super) const VERSION: i64 = 1;
/// The file grows by so much at once, so that its blocks lie together and are there in time.
const CHUNK_BYTES: i32 = 256 * 1024;
const BUSY: Duration = Duration::from_secs(5);

/// `docs/formats.md` §12.
const SCHEMA: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE reading (id INTEGER PRIMARY KEY, columns BLOB NOT NULL);
CREATE TABLE batch (epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
  digest BLOB NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, points INTEGER NOT NULL,
  closed_at INTEGER NOT NULL, ran_ms INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (epoch, sequence));
CREATE TABLE committed (epoch INTEGER NOT NULL,
  first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
  PRIMARY KEY (epoch, first_sequence)) WITHOUT ROWID;
CREATE TABLE gap (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE set_aside (id INTEGER PRIMARY KEY, source TEXT NOT NULL, bytes BLOB NOT NULL);
";

/// Keeps a second agent off the spool; the kernel frees it with the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes `PATH.lock`, which names its holder.
    pub(super) fn take(path: &Path, agent: &AgentId) -> Result<Self, SpoolError> {
        let lock_path = beside(path, ".lock");
        let fail = |source| SpoolError::Lock { path: lock_path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&lock_path).map_err(fail)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(fail)?;
            let holder = if holder.is_empty() { "another process" } else { holder.trim() };
            return Err(SpoolError::InUse { path: path.to_owned(), holder: holder.to_owned() });
        }
        let holder = format!("agent {agent}, process {}\n", std::process::id());
        let named = file.set_len(0).and_then(|()| file.rewind());
        if named.and_then(|()| file.write_all(holder.as_bytes())).is_err() {
            // a full disk: the lock holds without a name as well
            debug!("the lock of the spool names nobody");
        }
        Ok(Self { _file: file })
    }
}

/// Opens the spool for writing; a file that is not there is made, with its schema.
pub(super) fn open(path: &Path) -> Result<Connection, SpoolError> {
    let fail = |source| SpoolError::Open { path: path.to_owned(), source };
    // only its owner reads what the meters said
    let made = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    made.map_err(|source| SpoolError::Create { path: path.to_owned(), source })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut database = Connection::open_with_flags(path, flags).map_err(fail)?;
    let is_new = match header(&database).map_err(fail)? {
        (APPLICATION_ID, VERSION) => false,
        (APPLICATION_ID, found) if found > VERSION => {
            return Err(SpoolError::Version { path: path.to_owned(), found });
        }
        (0, 0) if is_empty(&database).map_err(fail)? => true,
        _ => return Err(SpoolError::NotASpool { path: path.to_owned() }),
    };
    if is_new {
        create(&mut database).map_err(fail)?;
    }
    prepare(&database).map_err(fail)?;
    // the tables that every start reads; damage at their roots shows here
    database.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(fail)?;
    Ok(database)
}

/// Opens the spool beside a running agent, to look.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, SpoolError> {
    let fail = |source| SpoolError::Open { path: path.to_owned(), source };
    let database =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fail)?;
    database.busy_timeout(BUSY).map_err(fail)?;
    match header(&database).map_err(fail)? {
        (APPLICATION_ID, VERSION) => Ok(database),
        (APPLICATION_ID, found) => Err(SpoolError::Version { path: path.to_owned(), found }),
        _ => Err(SpoolError::NotASpool { path: path.to_owned() }),
    }
}

/// Whether SQLite means that the file itself is broken.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// A value of `meta`.
pub(super) fn meta(database: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    let mut statement = database.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    statement.query_row([key], |row| row.get(0)).optional()
}

/// Writes a value of `meta`.
pub(super) fn set_meta(database: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
    database.prepare_cached(sql)?.execute([key, value]).map(drop)
}

/// Keeps a row that would not decode for a person, the latest of them.
pub(super) fn keep_aside(
    database: &Connection,
    source: &str,
    bytes: &[u8],
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO set_aside (source, bytes) VALUES (?1, ?2)";
    database.execute(sql, rusqlite::params![source, bytes])?;
    let sql = "DELETE FROM set_aside WHERE id <= (SELECT max(id) FROM set_aside) - 64";
    database.execute(sql, []).map(drop)
}

/// A file whose name goes on where `path` ends.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn prepare(database: &Connection) -> rusqlite::Result<()> {
    database.busy_timeout(BUSY)?;
    database.pragma_update(None, "synchronous", "FULL")?;
    database.pragma_update(None, "temp_store", "MEMORY")?;
    // 512 KiB of memory, and a log of about 1 MiB
    database.pragma_update(None, "cache_size", -512)?;
    database.pragma_update(None, "wal_autocheckpoint", 256)?;
    let mut chunk_bytes = CHUNK_BYTES;
    database.file_control(None::<&str>, rusqlite::FileControl::ChunkSize(&mut chunk_bytes))
}

fn header(database: &Connection) -> rusqlite::Result<(i64, i64)> {
    let pragma = |name| database.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn is_empty(database: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 =
        database.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

fn create(database: &mut Connection) -> rusqlite::Result<()> {
    // before the first table, or they have no effect
    database.pragma_update(None, "page_size", 4_096)?;
    database.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    database.pragma_update(None, "journal_mode", "WAL")?;
    database.pragma_update(None, "synchronous", "FULL")?;
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// The last batch of an epoch that ends, if it had one.
pub(super) fn previous_of(epoch: Epoch, next_sequence: Sequence) -> Option<Previous> {
    let last_sequence = next_sequence.checked_sub(1).filter(|last| *last > 0)?;
    (epoch != Epoch(0)).then_some(Previous { epoch, last_sequence })
}

/// Notes what the first batch of an epoch is to tell.
pub(super) fn set_previous(
    database: &Connection,
    previous: Option<Previous>,
) -> rusqlite::Result<()> {
    let Some(Previous { epoch, last_sequence }) = previous else { return Ok(()) };
    set_meta(database, "previous_epoch", &epoch.to_string())?;
    set_meta(database, "previous_sequence", &last_sequence.to_string())
}

/// A batch has told it.
pub(super) fn forget_previous(database: &Connection) -> rusqlite::Result<()> {
    let sql = "DELETE FROM meta WHERE key IN ('previous_epoch', 'previous_sequence')";
    database.execute(sql, []).map(drop)
}
