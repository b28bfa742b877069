//! A backup: both files of one moment, copied beside a server that goes on writing.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use model::{ids::StoreId, time::Timestamp};
use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
    params,
};
use tracing::warn;

use super::{
    copying::{self, Measured, NoRoom},
    error::OpenError,
    file,
    open::Store,
    restore::UNFINISHED,
    schema,
};
use crate::backup::{CopiedFile, Manifest};

/// The document that makes a folder a backup.
pub(super) const MANIFEST: &str = "backup.json";
/// What `samples.db` of a backup says in `meta`, and no store's does.
pub(super) const TAKEN_AT: &str = "backup_taken_at";
/// What a file is called until it is whole.
const PARTIAL: &str = "partial";
/// Pages copied in one step.
const STEP_PAGES: i32 = 4_096;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The folder has something in it.
    #[error("`{}` is not empty; a backup takes a folder of its own", .path.display())]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
    },
    /// The folder is within the data folder.
    #[error(
        "`{}` is in the data folder, which a backup is to outlive; choose a folder elsewhere, best on another disk", .path.display()
    )]
    Within {
        /// Which folder.
        path: PathBuf,
    },
    /// The disk is too small.
    #[error("no room for the backup in `{}`", .path.display())]
    NoRoom {
        /// Which folder.
        path: PathBuf,
        /// How much it lacks.
        source: NoRoom,
    },
    /// A file or the folder cannot be made, read or synced.
    #[error("cannot write `{}`", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The store cannot be read, or the copy not be written.
    #[error("cannot {attempt} `{}`", .path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The document cannot be made.
    #[error("cannot write the document of the backup")]
    Json {
        /// What is wrong.
        source: serde_json::Error,
    },
}

impl BackupError {
    fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    fn database(path: &Path, attempt: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Database { path: path.to_owned(), attempt, source }
    }
}

/// Copies the store into a folder that is empty, or not there yet.
///
/// The copy shows one moment, whatever is written meanwhile; the log of each file grows as long
/// as it takes. Until `backup.json` is there, which comes last, the folder is no backup.
pub fn back_up(
    store: &Store,
    folder: &Path,
    now: Timestamp,
    version: &str,
) -> Result<Manifest, BackupError> {
    let at = BackupError::file(folder);
    if is_within(folder, store.samples().pool.path()).map_err(&at)? {
        return Err(BackupError::Within { path: folder.to_owned() });
    }
    let is_made = !folder.try_exists().map_err(&at)?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(&at)?;
    if fs::read_dir(folder).map_err(&at)?.any(|entry| !is_of_the_disk(entry.as_ref())) {
        return Err(BackupError::NotEmpty { path: folder.to_owned() });
    }
    let made = Copy { folder, id: store.id(), now, version }
        .make(store.samples().pool.path(), store.journal().pool.path());
    if made.is_err() {
        clear(folder, is_made);
    }
    made
}

/// Whether this folder, or where it would be made, is beside this database or below.
fn is_within(folder: &Path, database: &Path) -> io::Result<bool> {
    let data = database.parent().unwrap_or(database).canonicalize()?;
    let folder = std::path::absolute(folder)?;
    for known in folder.ancestors() {
        if known.try_exists()? {
            return Ok(known.canonicalize()?.starts_with(&data));
        }
    }
    Ok(false)
}

/// What stands in the root of a disk that was just formatted.
pub(super) fn is_of_the_disk(entry: Result<&fs::DirEntry, &io::Error>) -> bool {
    entry.is_ok_and(|entry| entry.file_name() == "lost+found")
}

struct Copy<'a> {
    folder: &'a Path,
    id: StoreId,
    now: Timestamp,
    version: &'a str,
}

impl Copy<'_> {
    fn make(&self, samples: &Path, journal: &Path) -> Result<Manifest, BackupError> {
        let begun = BackupError::database(journal, "begin to copy");
        let (from_samples, from_journal) = pin(samples, journal).map_err(begun)?;
        let bytes =
            |connection, path| length(connection).map_err(BackupError::database(path, "measure"));
        let needed = bytes(&from_samples, samples)?.saturating_add(bytes(&from_journal, journal)?);
        copying::has_room(self.folder, needed)
            .map_err(BackupError::file(self.folder))?
            .map_err(|source| BackupError::NoRoom { path: self.folder.to_owned(), source })?;
        let files = [
            self.file(&from_samples, schema::SAMPLES.name, Some(self.now))?,
            self.file(&from_journal, schema::JOURNAL.name, None)?,
        ];
        let manifest = Manifest::new(self.id, self.version.to_owned(), self.now, files);
        self.seal(&manifest)?;
        Ok(manifest)
    }

    fn file(
        &self,
        from: &Connection,
        name: &str,
        mark: Option<Timestamp>,
    ) -> Result<CopiedFile, BackupError> {
        let path = self.folder.join(name).with_extension(PARTIAL);
        let at = BackupError::file(&path);
        drop(copying::create(&path).map_err(&at)?);
        copy(from, &path).map_err(BackupError::database(&path, "copy to"))?;
        finish(&path, mark).map_err(BackupError::database(&path, "finish"))?;
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(&at)?;
        let Measured { bytes, sha256 } = copying::measure(&path).map_err(&at)?;
        Ok(CopiedFile { name: name.to_owned(), bytes, sha256 })
    }

    /// Gives both files their names, and the folder its document.
    fn seal(&self, manifest: &Manifest) -> Result<(), BackupError> {
        for file in &manifest.files {
            let path = self.folder.join(&file.name);
            let renamed = fs::rename(path.with_extension(PARTIAL), &path);
            renamed.map_err(BackupError::file(&path))?;
        }
        copying::sync_folder(self.folder).map_err(BackupError::file(self.folder))?;
        let text = manifest.text().map_err(|source| BackupError::Json { source })?;
        let path = self.folder.join(MANIFEST);
        let partial = path.with_extension(PARTIAL);
        copying::write(&partial, text.as_bytes())
            .and_then(|()| fs::rename(&partial, &path))
            .and_then(|()| copying::sync_folder(self.folder))
            .map_err(BackupError::file(&path))
    }
}

/// Both files as they stand in one moment.
///
/// While nobody can append to the journal, the samples are pinned, and so they have whatever the
/// journal says of them, and no head of the chain that the journal has not.
fn pin(samples: &Path, journal: &Path) -> rusqlite::Result<(Connection, Connection)> {
    let gate = file::connect(journal, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    gate.execute_batch("BEGIN IMMEDIATE")?;
    let pinned = (snapshot(samples)?, snapshot(journal)?);
    gate.execute_batch("ROLLBACK")?;
    Ok(pinned)
}

/// A transaction that has begun to read.
fn snapshot(path: &Path) -> rusqlite::Result<Connection> {
    let connection = file::reader(path)?;
    connection.execute_batch("BEGIN")?;
    connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
    Ok(connection)
}

fn length(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let bytes = number("page_count")?.saturating_mul(number("page_size")?);
    Ok(u64::try_from(bytes).unwrap_or(0))
}

/// Copies page by page what the transaction of `from` sees. A source that nothing was read of yet
/// would begin anew at each write of somebody else.
fn copy(from: &Connection, path: &Path) -> rusqlite::Result<()> {
    let mut to = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    to.execute_batch("PRAGMA synchronous = FULL")?;
    let backup = Backup::new(from, &mut to)?;
    loop {
        match backup.step(STEP_PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::Busy | StepResult::Locked => {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
            // The enum is open: whatever a later version adds to it is not the end.
            StepResult::More | _ => {}
        }
    }
}

/// Makes one file of it, without a log beside it, and marks it as a copy.
fn finish(path: &Path, mark: Option<Timestamp>) -> rusqlite::Result<()> {
    let connection = file::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    if let Some(taken_at) = mark {
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
        connection.execute(sql, params![TAKEN_AT, taken_at.to_string()])?;
    }
    connection.close().map_err(|(_connection, error)| error)
}

/// A backup is read by `restore` alone, which gives it another id: a server on it would be taken
/// for the store that has what came after it. And what `restore` has not finished is no store.
pub(super) fn refuse_copies(folder: &Path) -> Result<(), OpenError> {
    let has = |name| {
        let path = folder.join(name);
        path.try_exists().map_err(|source| OpenError::File { path, source })
    };
    if has(UNFINISHED)? {
        return Err(OpenError::Unfinished { path: folder.to_owned() });
    }
    if has(MANIFEST)? {
        return Err(OpenError::Backup { path: folder.to_owned() });
    }
    Ok(())
}

/// Takes away what a backup that failed has left, so that it can be tried again.
fn clear(folder: &Path, is_made: bool) {
    let names = [schema::SAMPLES.name, schema::JOURNAL.name, MANIFEST];
    let files = names.iter().flat_map(|name| {
        let path = folder.join(name);
        let partial = path.with_extension(PARTIAL);
        let beside = |ending: &str| PathBuf::from(format!("{}{ending}", partial.display()));
        [beside("-journal"), beside("-wal"), beside("-shm"), partial.clone(), path]
    });
    let mut failed = None;
    for file in files {
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => failed = Some(error),
            Ok(()) | Err(_) => {}
        }
    }
    if is_made {
        failed = fs::remove_dir(folder).err().or(failed);
    }
    if let Some(error) = failed {
        warn!(%error, folder = %folder.display(), "cannot take away what is left of the backup");
    }
}
