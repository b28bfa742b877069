//! One SQLite file: made with the right format and rights, opened with the right settings.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::{error::OpenError, schema::Format};

/// How long a writer waits for another process.
const BUSY: Duration = Duration::from_secs(5);
/// Pages in the log before it is folded into the file: 16 MiB, read again after a crash.
const CHECKPOINT_PAGES: i64 = 4_096;
const JOURNAL_LIMIT: i64 = 64 * 1024 * 1024;
/// Pages of the file that a writer keeps; a reader keeps an eighth of it.
const CACHE_KIB: i64 = 32 * 1024;
const CACHED_STATEMENTS: usize = 64;
/// The first SQLite without the defect that two writers can damage a file by.
const OLDEST_SQLITE: i32 = 3_051_003;

/// Refuses an SQLite that can damage files.
pub(super) fn check_sqlite() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::Sqlite { found: rusqlite::version() });
    }
    Ok(())
}

/// A file of the store, before anything but its format is known.
pub(super) struct DatabaseFile {
    /// Where it is.
    pub(super) path: PathBuf,
    /// For writing.
    pub(super) connection: Connection,
}

impl DatabaseFile {
    /// Opens the file for writing; makes it, with its tables, where it is missing.
    ///
    /// `first` runs in the transaction that makes the tables.
    pub(super) fn open(
        folder: &Path,
        format: &Format,
        first: impl FnOnce(&Connection) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let path = folder.join(format.name);
        make(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
        let failed = |attempt| {
            let path = path.clone();
            move |source| OpenError::Database { path, attempt, source }
        };
        let mut connection =
            connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed("open"))?;
        connection
            .execute_batch("PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL;")
            .and_then(|()| connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())))
            .map_err(failed("set up"))?;
        let found = identity(&connection).map_err(failed("read"))?;
        if found == (0, 0) {
            let attempt = "make the tables of";
            let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.map_err(failed(attempt))?;
            if make_tables(&transaction, format).map_err(failed(attempt))? {
                first(&transaction)?;
            }
            transaction.commit().map_err(failed(attempt))?;
        }
        check(&connection, &path, format)?;
        set_up_writer(&connection).map_err(failed("set up"))?;
        Ok(Self { path, connection })
    }
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB / 8)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(connection)
}

/// A connection that waits a while where another process writes.
pub(super) fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// A cached statement is planned once. Without this SQLite looks at the values that are bound, a
/// `LIMIT` for one, and plans it again with each of them, which takes longer than what it is for.
pub(super) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(|_is_on| ())
}

/// SQLite gives its log and index files the rights of the database file.
fn make(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_file) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

fn identity(connection: &Connection) -> rusqlite::Result<(i32, i32)> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

/// Another process may have made them since; something else's tables are left alone.
fn make_tables(connection: &Connection, format: &Format) -> rusqlite::Result<bool> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 {
        return Ok(false);
    }
    connection.execute_batch(format.schema)?;
    connection.pragma_update(None, "application_id", format.application_id)?;
    connection.pragma_update(None, "user_version", format.user_version)?;
    Ok(true)
}

fn check(connection: &Connection, path: &Path, format: &Format) -> Result<(), OpenError> {
    let (application_id, user_version) = identity(connection)
        .map_err(|source| OpenError::Database { path: path.to_owned(), attempt: "read", source })?;
    if application_id != format.application_id {
        return Err(OpenError::Foreign { path: path.to_owned(), found: application_id });
    }
    if user_version > format.user_version {
        let known = format.user_version;
        return Err(OpenError::Later { path: path.to_owned(), found: user_version, known });
    }
    Ok(())
}

fn set_up_writer(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;",
    )?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_is_bound_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.db");
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = connect(&path, flags).unwrap();
        connection.execute_batch("CREATE TABLE number (n)").unwrap();
        let mut statement =
            connection.prepare("SELECT n FROM number WHERE n > ?1 LIMIT ?2").unwrap();
        for limit in 0..4 {
            assert!(statement.query([limit, limit]).unwrap().next().unwrap().is_none());
        }
        assert_eq!(statement.get_status(StatementStatus::RePrepare), 0);
    }
}
