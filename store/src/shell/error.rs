//! What can go wrong between the store and its disk.

use std::{io, path::PathBuf, sync::Arc};

use model::{
    fault::Fault,
    ids::{GaugeId, SectionKey, StoreId},
    tree::Faults,
};
use rusqlite::ErrorCode;

use crate::points::PointsError;

/// Why a write or a read was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The disk is full; nothing of the group was written.
    #[error("no room on the disk to {attempt}")]
    Full {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: Option<Arc<rusqlite::Error>>,
    },
    /// Another process writes and did not end within five seconds.
    #[error("another process holds the file; cannot {attempt}")]
    Busy {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// A read took too long and was ended.
    #[error("took too long to {attempt}")]
    TimedOut {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// The row contradicts what is stored.
    #[error("a constraint forbids to {attempt}")]
    Constraint {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// Anything else, a failing disk among it.
    #[error("cannot {attempt}")]
    Sql {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// A gauge's unit never changes.
    #[error("`{gauge}` is stored in `{stored}` and cannot become `{given}`")]
    Unit {
        /// Which gauge.
        gauge: GaugeId,
        /// The unit of its first sample.
        stored: String,
        /// The unit that was asked for.
        given: &'static str,
    },
    /// A column that its caller described wrongly.
    #[error("`{gauge}`: {problem}")]
    Column {
        /// Which gauge.
        gauge: GaugeId,
        /// What is wrong.
        problem: &'static str,
    },
    /// A verdict whose section is not written with it.
    #[error("section `{section}` is not written together with its verdicts")]
    Section {
        /// Which.
        section: SectionKey,
    },
    /// A stored payload does not hold what its span says.
    #[error("batch {batch} does not hold what was said of it")]
    Points {
        /// Its position.
        batch: i64,
        /// What is wrong.
        source: PointsError,
    },
    /// A row that no version of this program writes.
    #[error("{0}")]
    Damaged(String),
    /// An entry whose bytes cannot be written or read.
    #[error("cannot {attempt}")]
    Json {
        /// What was tried.
        attempt: &'static str,
        /// What is wrong.
        source: Arc<serde_json::Error>,
    },
    /// A registry in the journal that this version cannot read.
    #[error("cannot read the registry of journal entry {entry}")]
    Registry {
        /// Which entry.
        entry: i64,
        /// Everything that is wrong.
        source: Arc<Faults>,
    },
    /// The machine gives no random numbers.
    #[error("cannot draw random numbers")]
    Random {
        /// What it says.
        source: getrandom::Error,
    },
    /// The store is being closed.
    #[error("the store is being closed")]
    Closed,
    /// An earlier write met a failing disk; the process must end and start again.
    #[error("the store stopped: {0}")]
    Stopped(Arc<str>),
}

impl StoreError {
    /// Whether to try again, set the matter aside, or stop.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Full { .. } | Self::Busy { .. } | Self::TimedOut { .. } | Self::Closed => {
                Fault::Transient
            }
            Self::Constraint { .. }
            | Self::Unit { .. }
            | Self::Column { .. }
            | Self::Section { .. }
            | Self::Points { .. }
            | Self::Damaged(_)
            | Self::Json { .. }
            | Self::Registry { .. } => Fault::Permanent,
            Self::Sql { .. } | Self::Random { .. } | Self::Stopped(_) => Fault::Bug,
        }
    }

    /// Sorts what SQLite says by what it asks of the caller.
    pub(super) fn sql(attempt: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |error| {
            if let rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..) = error
            {
                return Self::Damaged(format!("cannot {attempt}: {error}"));
            }
            let code = error.sqlite_error_code();
            let source = Arc::new(error);
            match code {
                Some(ErrorCode::DiskFull) => Self::Full { attempt, source: Some(source) },
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    Self::Busy { attempt, source }
                }
                Some(ErrorCode::OperationInterrupted) => Self::TimedOut { attempt, source },
                Some(ErrorCode::ConstraintViolation) => Self::Constraint { attempt, source },
                _ => Self::Sql { attempt, source },
            }
        }
    }

    pub(super) fn json(attempt: &'static str) -> impl Fn(serde_json::Error) -> Self {
        move |source| Self::Json { attempt, source: Arc::new(source) }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or read.
    #[error("cannot use the folder `{}`", .path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A folder with other things in it, open to others.
    #[error(
        "`{}` is open to other users and holds other things; give the store a folder of its own, or `chmod 700` it",
        .path.display()
    )]
    Shared {
        /// Which folder.
        path: PathBuf,
    },
    /// A file of the store cannot be made or read.
    #[error("cannot open `{}`", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A database cannot be opened or made.
    #[error("cannot {attempt} `{}`", .path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// Another server runs on this folder.
    #[error("`{}` is in use by {holder}; stop it first, or give this server another folder", .path.display())]
    Held {
        /// Which folder.
        path: PathBuf,
        /// Its process id and command.
        holder: String,
    },
    /// Something else's database.
    #[error("`{}` is not a database of this program (application id {found:#x})", .path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What stands where ours would.
        found: i32,
    },
    /// Written by a later version.
    #[error(
        "`{}` was written by a later version (format {found}, this one reads up to {known}); start that version, or restore a backup",
        .path.display()
    )]
    Later {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: i32,
        /// The latest format that is known.
        known: i32,
    },
    /// One of the two files is gone.
    #[error("`{missing}` is missing beside `{present}` in `{}`; restore both from a backup", .path.display())]
    Half {
        /// Which folder.
        path: PathBuf,
        /// The file that is there.
        present: &'static str,
        /// The file that is not.
        missing: &'static str,
    },
    /// The two files are of different stores.
    #[error(
        "samples.db in `{}` is of store {samples}, journal.db of store {journal}; restore both from the same backup",
        .path.display()
    )]
    Mixed {
        /// Which folder.
        path: PathBuf,
        /// Of `samples.db`.
        samples: StoreId,
        /// Of `journal.db`.
        journal: StoreId,
    },
    /// A backup, which no server may run on.
    #[error(
        "`{}` is a backup; `baseflow restore` puts it back into an empty data_dir, so that agents send again what came after it",
        .path.display()
    )]
    Backup {
        /// Which folder.
        path: PathBuf,
    },
    /// A store that is only half put back.
    #[error("`baseflow restore` did not finish in `{}`; run it again", .path.display())]
    Unfinished {
        /// Which folder.
        path: PathBuf,
    },
    /// A row that no version of this program writes.
    #[error("`{}`: {what}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An SQLite that loses data.
    #[error("SQLite {found} has a defect that can damage files; 3.51.3 or later is needed")]
    Sqlite {
        /// Which version this program was built with.
        found: &'static str,
    },
    /// No random numbers.
    #[error("cannot draw a store id")]
    Random {
        /// What the system says.
        source: getrandom::Error,
    },
    /// A metric of the same name exists.
    #[error("cannot register metrics")]
    Metrics {
        /// What is wrong.
        source: prometheus::Error,
    },
    /// The system gives no thread.
    #[error("cannot start the thread `{name}`")]
    Thread {
        /// Its name.
        name: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The first read or write failed.
    #[error("cannot begin in `{}`", .path.display())]
    Begin {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: StoreError,
    },
}

impl OpenError {
    /// Whether to try again, set the matter aside, or stop.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Begin { source, .. } => source.fault(),
            Self::Folder { .. }
            | Self::Shared { .. }
            | Self::File { .. }
            | Self::Database { .. }
            | Self::Held { .. }
            | Self::Foreign { .. }
            | Self::Later { .. }
            | Self::Half { .. }
            | Self::Mixed { .. }
            | Self::Backup { .. }
            | Self::Unfinished { .. }
            | Self::Damaged { .. }
            | Self::Sqlite { .. } => Fault::Permanent,
            Self::Random { .. } | Self::Metrics { .. } | Self::Thread { .. } => Fault::Bug,
        }
    }
}
