//! A backup put back: into an empty folder, as another store, so that agents offer again what
//! came after it.

mod error;

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use model::{ids::StoreId, time::Timestamp};
use rusqlite::{Connection, TransactionBehavior, params};
use tracing::warn;

pub use self::error::RestoreError;
use super::{
    backup::{MANIFEST, TAKEN_AT, is_of_the_disk},
    ballast, copying,
    error::OpenError,
    file::DatabaseFile,
    journal::append,
    lock::{self, Lock, holder},
    open::{Limits, Options, Role, Store, draw_id, prepare, read_id},
    samples::{first_row, run},
    schema::{self, Format},
    verify::verify,
};
use crate::{
    audit::Report,
    backup::Manifest,
    chain::{Body, By},
};

/// Where a store is put together; while it is there, the folder is none.
pub(super) const UNFINISHED: &str = "restore.partial";
/// The server's own, of which hooks are made: no part of a store.
const HOOK_KEY: &str = "hooks.key";
/// What must be free beside the files themselves: the log, and then the ballast.
const ROOM_BESIDE: u64 = 128 << 20;
/// Whose position in `samples.db` is that of an anchor; the others count the feed.
const ANCHORS: &str = "anchors";

/// What is to be put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The folder of the backup.
    pub from: PathBuf,
    /// When.
    pub now: Timestamp,
    /// The software's version.
    pub version: String,
    /// By whom.
    pub by: By,
    /// The folder was copied by hand, or is one of a snapshot: it has no document.
    pub is_by_hand: bool,
    /// Put back also what `verify` finds fault with.
    pub accepts_findings: bool,
}

/// What was put back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The store that it is from here on.
    pub id: StoreId,
    /// The store that was copied.
    pub before: StoreId,
    /// The moment that the backup shows; of a copy made by hand nobody knows.
    pub taken_at: Option<Timestamp>,
    /// What `verify` said.
    pub report: Report,
}

/// Puts a backup into a folder where nothing is yet.
///
/// The store that comes of it has another id than the one that was copied, by which every agent
/// learns that what it knows as stored need not be so. Ended half-way, it leaves a folder in which
/// no server starts, and in which it can be begun again.
pub fn restore(folder: &Path, asked: &Restore) -> Result<Restored, RestoreError> {
    let source = Source::open(asked)?;
    look(folder)?;
    prepare(folder)?;
    let lock = Lock::take(folder)?;
    let at = RestoreError::file(folder);
    copying::hand_over(&folder.join(lock::NAME), folder).map_err(&at)?;
    clear(folder).map_err(&at)?;
    let unfinished = folder.join(UNFINISHED);
    DirBuilder::new().mode(0o700).create(&unfinished).map_err(&at)?;
    copying::sync_folder(folder).map_err(&at)?;
    let restored = source
        .copy(&unfinished)
        .and_then(|()| source.renew(&unfinished, asked))
        .and_then(|renewed| checked(&unfinished, asked, &renewed));
    match restored {
        Ok(restored) => {
            put_in_place(folder).map_err(&at)?;
            drop(lock);
            Ok(restored)
        }
        Err(failure) => {
            if let Err(error) = clear(folder) {
                warn!(%error, folder = %folder.display(), "cannot take away what is left of the restore");
            }
            Err(failure)
        }
    }
}

/// The files to be copied.
struct Source {
    from: PathBuf,
    manifest: Option<Manifest>,
    files: Vec<(&'static str, u64)>,
}

impl Source {
    fn open(asked: &Restore) -> Result<Self, RestoreError> {
        let from = asked.from.clone();
        let manifest = if asked.is_by_hand { None } else { Some(manifest(&from)?) };
        let mut files = Vec::new();
        for (name, log) in
            [(schema::SAMPLES.name, "samples.db-wal"), (schema::JOURNAL.name, "journal.db-wal")]
        {
            let path = from.join(name);
            let bytes = match fs::metadata(&path) {
                Ok(file) => file.len(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(RestoreError::Missing { path: from, name });
                }
                Err(error) => return Err(RestoreError::file(&path)(error)),
            };
            files.push((name, bytes));
            // What a server wrote last stands in the log of a copy made by hand.
            if asked.is_by_hand
                && let Ok(file) = fs::metadata(from.join(log))
            {
                files.push((log, file.len()));
            }
        }
        Ok(Self { from, manifest, files })
    }

    fn copy(&self, into: &Path) -> Result<(), RestoreError> {
        let needed =
            self.files.iter().map(|(_, bytes)| *bytes).fold(ROOM_BESIDE, u64::saturating_add);
        copying::has_room(into, needed)
            .map_err(RestoreError::file(into))?
            .map_err(|source| RestoreError::NoRoom { path: into.to_owned(), source })?;
        for (name, _) in &self.files {
            let path = self.from.join(name);
            let copied =
                copying::copy(&path, &into.join(name)).map_err(RestoreError::file(&path))?;
            let written = self.manifest.as_ref().and_then(|manifest| manifest.file(name));
            if written
                .is_some_and(|file| (file.bytes, &file.sha256) != (copied.bytes, &copied.sha256))
            {
                return Err(RestoreError::Changed { path });
            }
        }
        copying::sync_folder(into).map_err(RestoreError::file(into))
    }

    /// Makes another store of the copy, and has the journal say so.
    fn renew(&self, folder: &Path, asked: &Restore) -> Result<Restored, RestoreError> {
        let (mut samples, mut journal) =
            (open(folder, &schema::SAMPLES)?, open(folder, &schema::JOURNAL)?);
        let (before, of_journal) = (read_id(&samples)?, read_id(&journal)?);
        if before != of_journal {
            let path = self.from.clone();
            return Err(OpenError::Mixed { path, samples: before, journal: of_journal }.into());
        }
        let id = draw_id()?;
        let taken_at = self.manifest.as_ref().map(|manifest| manifest.taken_at);
        let body =
            Body::StoreRestored { store_id: id, before, taken_at, version: asked.version.clone() };
        let (anchors, feed) = within(&mut samples, |connection| {
            run(connection, "DELETE FROM meta WHERE key = ?1", [TAKEN_AT])?;
            rename(connection, id)?;
            let last = |sql| first_row(connection, sql, [], |row| row.get::<_, Option<i64>>(0));
            let anchors = last("SELECT max(id) FROM anchor")?.flatten();
            Ok((anchors, last("SELECT max(position) FROM feed")?.flatten()))
        })?;
        within(&mut journal, |connection| {
            rename(connection, id)?;
            // Who logged out since, or was given another password, must not be let in by it.
            run(connection, "DELETE FROM session", [])?;
            // Its names were told apart by a key that no backup has.
            run(connection, "DELETE FROM attempt", [])?;
            // In a copy made by hand the journal may be ahead; what comes again is dealt with again.
            let sql = "UPDATE consumer SET sample_position = min(sample_position,
                CASE name WHEN ?1 THEN ?2 ELSE ?3 END)";
            run(connection, sql, params![ANCHORS, anchors.unwrap_or(0), feed.unwrap_or(0)])
        })?;
        let appended = journal.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = appended.map_err(RestoreError::database(&journal.path, "append to"))?;
        append(&transaction, asked.now, &asked.by, &body)?;
        transaction.commit().map_err(RestoreError::database(&journal.path, "append to"))?;
        Ok(Restored { id, before, taken_at, report: Report::default() })
    }
}

fn manifest(from: &Path) -> Result<Manifest, RestoreError> {
    let path = from.join(MANIFEST);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Err(RestoreError::NoBackup { path: from.to_owned() });
        }
        Err(error) => return Err(RestoreError::file(&path)(error)),
    };
    Manifest::parse(&bytes).map_err(|source| RestoreError::Manifest { path, source })
}

/// Whether the folder is not there, empty, or one that was begun before.
fn look(folder: &Path) -> Result<(), RestoreError> {
    let at = RestoreError::file(folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(at(error)),
    };
    if let Some(holder) = holder(folder).map_err(&at)? {
        return Err(OpenError::Held { path: folder.to_owned(), holder }.into());
    }
    let was_begun = folder.join(UNFINISHED).try_exists().map_err(&at)?;
    for entry in entries {
        let entry = entry.map_err(&at)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_beside =
            [lock::NAME, ballast::NAME, HOOK_KEY].contains(&&*name) || is_of_the_disk(Ok(&entry));
        let was_ours = was_begun && is_ours(&name);
        if !is_beside && !was_ours {
            return Err(RestoreError::NotEmpty {
                path: folder.to_owned(),
                found: name.into_owned(),
            });
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    name == UNFINISHED
        || [schema::SAMPLES.name, schema::JOURNAL.name].iter().any(|file| name.starts_with(file))
}

/// Takes away what was begun before and not finished; nobody can have used it.
fn clear(folder: &Path) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    if !unfinished.try_exists()? {
        return Ok(());
    }
    for name in [schema::SAMPLES.name, schema::JOURNAL.name] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    fs::remove_dir_all(unfinished)?;
    copying::sync_folder(folder)
}

/// A file of the copy, which is there and ours.
fn open(folder: &Path, format: &Format) -> Result<DatabaseFile, RestoreError> {
    let empty = |_: &Connection| {
        let what = "it is empty".to_owned();
        Err(OpenError::Damaged { path: folder.join(format.name), what })
    };
    Ok(DatabaseFile::open(folder, format, empty)?)
}

fn within<T>(
    file: &mut DatabaseFile,
    change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, RestoreError> {
    let failed = RestoreError::database(&file.path, "renew");
    let transaction = file.connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = transaction.map_err(&failed)?;
    let changed = change(&transaction).map_err(&failed)?;
    transaction.commit().map_err(&failed)?;
    Ok(changed)
}

fn rename(connection: &Connection, id: StoreId) -> rusqlite::Result<usize> {
    run(connection, "UPDATE meta SET value = ?1 WHERE key = 'store_id'", [id.to_string()])
}

/// Walks through all of it, and leaves two files without a log beside them.
fn checked(folder: &Path, asked: &Restore, renewed: &Restored) -> Result<Restored, RestoreError> {
    let options = Options { now: asked.now, version: asked.version.clone(), role: Role::Command };
    let limits = Limits { ballast: 0, ..Limits::default() };
    let store = Store::open_with(folder, &options, limits, &prometheus::Registry::new())?;
    let report = verify(&store);
    store.close();
    let report = report?;
    if !report.findings.is_empty() && !asked.accepts_findings {
        return Err(RestoreError::Findings { findings: report.findings });
    }
    Ok(Restored { report, ..renewed.clone() })
}

/// The last steps: from the first of them on the folder is no empty one, and after the last one
/// it has a store.
fn put_in_place(folder: &Path) -> io::Result<()> {
    let unfinished = folder.join(UNFINISHED);
    for name in [schema::JOURNAL.name, schema::SAMPLES.name] {
        let path = unfinished.join(name);
        // The log was folded in by whoever closed the file last; without that it is not whole.
        if unfinished.join(format!("{name}-wal")).try_exists()? {
            return Err(io::Error::other(format!("the log of {name} is still there")));
        }
        copying::hand_over(&path, folder)?;
        fs::rename(&path, folder.join(name))?;
    }
    copying::sync_folder(folder)?;
    fs::remove_dir_all(&unfinished)?;
    copying::sync_folder(folder)
}
