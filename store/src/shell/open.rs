//! The store as a whole: both files of a data folder, opened, checked and closed together.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use model::{ids::StoreId, time::Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::watch;
use tracing::error;

use super::{
    backup::{TAKEN_AT, refuse_copies},
    ballast::Ballast,
    error::OpenError,
    file::{DatabaseFile, check_sqlite},
    journal::{Journal, JournalBook, Tail, Tailed},
    lock::Lock,
    pool::Pool,
    restore,
    samples::{PARKED_BESIDE_BYTES, PARKED_BYTES, Samples, SamplesBook, counter, first_row, share},
    schema,
    vitals::{Pulse, Vitals},
    writer::{Surroundings, Writer},
};
use crate::{
    chain::{Body, By, ByKind, Entry, GENESIS},
    metrics::Metrics,
};

/// Who opens a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The server: one at a time.
    Server,
    /// A command, which may run beside the server and other commands.
    Command,
}

/// How a store is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// When; written into a new store.
    pub now: Timestamp,
    /// The software's version; written into a new store.
    pub version: String,
    /// Who opens it.
    pub role: Role,
}

/// How much may be kept beside the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Parked payloads, bytes.
    pub parked: u64,
    /// The ring of garbage, bytes.
    pub garbage: u64,
    /// Room kept back for the journal, bytes; 0 keeps none.
    pub ballast: u64,
    /// Decided items of the park, rows.
    pub decided: i64,
    /// Starts of an agent's gateway whose anchors are taken within [`ANCHOR_WINDOW_MS`].
    pub anchors: i64,
}

/// 400 hours: with [`Limits::anchors`] a gateway may start every ten minutes for ever, or come
/// back after a month of that, and whoever names a new start with each batch is held back.
pub const ANCHOR_WINDOW_MS: i64 = 400 * 60 * 60 * 1000;

impl Limits {
    /// How much of the park one agent may fill.
    pub const fn parked_of_agent(&self) -> u64 {
        share(self.parked)
    }
}

impl Default for Limits {
    /// 1 GiB, 64 MiB, 64 MiB, 4,096 items, 4,096 starts.
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self {
            parked: 1024 * MIB,
            garbage: 64 * MIB,
            ballast: 64 * MIB,
            decided: 4_096,
            anchors: 4_096,
        }
    }
}

/// Samples and journal of one data folder.
#[derive(Debug)]
pub struct Store {
    id: StoreId,
    limits: Limits,
    samples: Samples,
    journal: Journal,
    failed: watch::Receiver<Option<Arc<str>>>,
    vitals: Vitals,
    running: Option<Running>,
}

/// What must end in this order.
#[derive(Debug)]
struct Running {
    journal: JoinHandle<Connection>,
    tail: Tailed,
    samples: JoinHandle<Connection>,
    _lock: Option<Lock>,
}

impl Store {
    /// Opens the store of a folder, and makes it where there is none.
    pub fn open(
        folder: &Path,
        options: &Options,
        metrics: &prometheus::Registry,
    ) -> Result<Self, OpenError> {
        Self::open_with(folder, options, Limits::default(), metrics)
    }

    /// The same, with other limits than the usual ones.
    pub fn open_with(
        folder: &Path,
        options: &Options,
        limits: Limits,
        metrics: &prometheus::Registry,
    ) -> Result<Self, OpenError> {
        check_sqlite()?;
        let metrics = Metrics::new(metrics).map_err(|source| OpenError::Metrics { source })?;
        prepare(folder)?;
        let lock = match options.role {
            Role::Server => Some(Lock::take(folder)?),
            Role::Command => None,
        };
        let files = Files::open(folder, options)?;
        let ballast = match options.role {
            Role::Server => Ballast::hold(folder, limits.ballast),
            Role::Command => Ballast::hold(folder, 0),
        };
        Self::start(files, limits, &metrics, &Arc::new(ballast), lock)
    }

    fn start(
        files: Files,
        limits: Limits,
        metrics: &Metrics,
        ballast: &Arc<Ballast>,
        lock: Option<Lock>,
    ) -> Result<Self, OpenError> {
        let (failing, failed) = watch::channel(None);
        let failing = Arc::new(failing);
        let pulses = [("samples", Pulse::default()), ("journal", Pulse::default())];
        let [(_, of_samples), (_, of_journal)] = pulses.clone();
        let vitals = Vitals { ballast: Arc::clone(ballast), pulses };
        let (feeding, fed) = watch::channel(0);
        let surroundings = |file, waits_for_room, pulse, reached| Surroundings {
            file,
            metrics: metrics.clone(),
            ballast: Arc::clone(ballast),
            waits_for_room,
            failed: Arc::clone(&failing),
            reached: Arc::new(reached),
            pulse,
        };
        let Files { id, samples, journal } = files;
        let counted = |key| {
            counter(&samples.connection, key)
                .map_err(|source| OpenError::Begin { path: samples.path.clone(), source })
        };
        metrics.set_parked(counted(PARKED_BYTES)?, counted(PARKED_BESIDE_BYTES)?);
        metrics.parked_limit.set(i64::try_from(limits.parked).unwrap_or(i64::MAX));
        let (samples_writer, samples_thread) = Writer::start(
            "store-samples",
            samples.connection,
            SamplesBook::new(limits, metrics.clone()),
            surroundings("samples", true, of_samples, feeding),
        )?;
        let (journal_writer, journal_thread) = Writer::start(
            "store-journal",
            journal.connection,
            JournalBook,
            surroundings("journal", false, of_journal, watch::channel(0).0),
        )?;
        let (tail, state) = Tail::open(&journal.path, samples_writer.clone())?;
        let running = Running {
            journal: journal_thread,
            tail: tail.start()?,
            samples: samples_thread,
            _lock: lock,
        };
        Ok(Self {
            id,
            limits,
            samples: Samples { writer: samples_writer, pool: Pool::new(samples.path), beside: fed },
            journal: Journal {
                writer: journal_writer,
                pool: Pool::new(journal.path),
                beside: state,
            },
            failed,
            vitals,
            running: Some(running),
        })
    }

    /// The store's id; `restore` makes a new one.
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// How much may be kept beside the samples.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// `samples.db`.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// `journal.db`.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Why nothing can be written any more, once that is so: the process must end and start again.
    pub fn failed(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.failed.clone()
    }

    /// Whether anything keeps writes waiting at the moment.
    pub fn vitals(&self) -> Vitals {
        self.vitals.clone()
    }

    /// Writes what is queued and ends the threads; what comes later is refused. Waits.
    pub fn close(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.journal.writer.close();
        let journal = join(running.journal);
        running.tail.stop();
        self.samples.writer.close();
        let samples = join(running.samples);
        // The connection that closes last folds the log into the file, and only a writer can.
        self.journal.pool.close();
        self.samples.pool.close();
        drop((journal, samples));
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.end();
    }
}

fn join(thread: JoinHandle<Connection>) -> Option<Connection> {
    let name = thread.thread().name().unwrap_or("store").to_owned();
    let connection = thread.join().ok();
    if connection.is_none() {
        error!(thread = name, "a writer of the store had panicked");
    }
    connection
}

/// Makes the folder for us alone.
pub(super) fn prepare(folder: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Folder { path: folder.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    if is_ours_alone(folder).map_err(failed)? {
        return Ok(());
    }
    refuse_shared(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(failed)
}

/// Whether nobody else may do anything in a folder.
pub(super) fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    let mode = fs::metadata(folder)?.mode();
    Ok(mode & 0o777 == mode & 0o700)
}

/// Whoever else uses a folder is not shut out of it.
pub(super) fn refuse_shared(folder: &Path) -> Result<(), OpenError> {
    let path = || folder.to_owned();
    match is_ours(folder) {
        Ok(true) => Ok(()),
        Ok(false) => Err(OpenError::Shared { path: path() }),
        Err(source) => Err(OpenError::Folder { path: path(), source }),
    }
}

/// Of a journal without its samples no store is made.
pub(super) fn refuse_half(folder: &Path) -> Result<(), OpenError> {
    let has = |name: &str| {
        let path = folder.join(name);
        path.try_exists().map_err(|source| OpenError::File { path, source })
    };
    let (missing, present) = (schema::SAMPLES.name, schema::JOURNAL.name);
    if has(present)? && !has(missing)? {
        return Err(OpenError::Half { path: folder.to_owned(), present, missing });
    }
    Ok(())
}

/// Whether there is a store in this folder, or half of one that was being restored.
pub fn exists(folder: &Path) -> io::Result<bool> {
    let is_there = |name| folder.join(name).try_exists();
    Ok(is_there(schema::SAMPLES.name)? || is_there(restore::UNFINISHED)?)
}

/// Empty, or with a store in it.
fn is_ours(folder: &Path) -> io::Result<bool> {
    let is_empty = fs::read_dir(folder)?.next().is_none();
    Ok(is_empty || exists(folder)?)
}

/// Both databases, of the same store.
struct Files {
    id: StoreId,
    samples: DatabaseFile,
    journal: DatabaseFile,
}

impl Files {
    fn open(folder: &Path, options: &Options) -> Result<Self, OpenError> {
        refuse_copies(folder)?;
        let (samples_name, journal_name) = (schema::SAMPLES.name, schema::JOURNAL.name);
        let half = |present, missing| OpenError::Half { path: folder.to_owned(), present, missing };
        refuse_half(folder)?;
        let drawn = draw_id()?;
        let samples = DatabaseFile::open(folder, &schema::SAMPLES, |connection| {
            let path = folder.join(samples_name);
            describe(connection, drawn, options.now).map_err(|source| made(path, source))
        })?;
        let id = read_id(&samples)?;
        if read::<String>(&samples, &format!("SELECT value FROM meta WHERE key = '{TAKEN_AT}'"))?
            .is_some()
        {
            return Err(OpenError::Backup { path: folder.to_owned() });
        }
        let is_used = is_used(&samples)?;
        let journal = DatabaseFile::open(folder, &schema::JOURNAL, |connection| {
            if is_used {
                return Err(half(samples_name, journal_name));
            }
            let path = folder.join(journal_name);
            describe(connection, id, options.now)
                .and_then(|()| begin_chain(connection, id, options))
                .map_err(|source| made(path, source))
        })?;
        let of_journal = read_id(&journal)?;
        if of_journal != id {
            let path = folder.to_owned();
            return Err(OpenError::Mixed { path, samples: id, journal: of_journal });
        }
        Ok(Self { id, samples, journal })
    }
}

fn made(path: PathBuf, source: rusqlite::Error) -> OpenError {
    OpenError::Database { path, attempt: "make the tables of", source }
}

pub(super) fn draw_id() -> Result<StoreId, OpenError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|source| OpenError::Random { source })?;
    Ok(StoreId(u128::from_be_bytes(bytes)))
}

fn describe(connection: &Connection, id: StoreId, now: Timestamp) -> rusqlite::Result<()> {
    let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)";
    connection.execute(sql, params!["store_id", id.to_string()])?;
    connection.execute(sql, params!["created_at", now.to_string()])?;
    Ok(())
}

/// The first entry of a new journal.
fn begin_chain(connection: &Connection, id: StoreId, options: &Options) -> rusqlite::Result<()> {
    let by = By { kind: ByKind::Server, name: "store".to_owned() };
    let body = Body::StoreCreated { store_id: id, version: options.version.clone() };
    let entry = Entry::following((0, &GENESIS), options.now, &by, &body)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    let sql = "INSERT INTO entry (position, at, kind, bytes, hash) VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![entry.position, entry.at.as_ms(), entry.kind, entry.bytes, entry.hash];
    connection.execute(sql, row)?;
    Ok(())
}

pub(super) fn read_id(file: &DatabaseFile) -> Result<StoreId, OpenError> {
    let sql = "SELECT value FROM meta WHERE key = 'store_id'";
    let text: Option<String> = read(file, sql)?;
    let damaged = |what| OpenError::Damaged { path: file.path.clone(), what };
    let text = text.ok_or_else(|| damaged("it has no store id".to_owned()))?;
    text.parse().map_err(|error: model::ids::IdError| damaged(error.to_string()))
}

/// Whether a journal was ever copied from: a new store that never came so far has none yet.
fn is_used(samples: &DatabaseFile) -> Result<bool, OpenError> {
    let sql = "SELECT 1 WHERE EXISTS (SELECT 1 FROM chain_head) OR EXISTS (SELECT 1 FROM batch)";
    Ok(read::<i64>(samples, sql)?.is_some())
}

fn read<T: rusqlite::types::FromSql>(
    file: &DatabaseFile,
    sql: &str,
) -> Result<Option<T>, OpenError> {
    first_row(&file.connection, sql, [], |row| row.get(0)).map_err(|source| OpenError::Database {
        path: file.path.clone(),
        attempt: "read",
        source,
    })
}
