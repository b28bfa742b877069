//! Why a backup is not put back.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::{
    audit::Finding,
    backup::ManifestError,
    shell::{
        copying::NoRoom,
        error::{OpenError, StoreError},
    },
};

/// Why a backup is not put back; the folder is then as empty as before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No document, so no backup.
    #[error(
        "`{}` is no backup: it has no backup.json, which a backup that was interrupted lacks, too; a copy made by hand is restored with --by-hand",
        .path.display()
    )]
    NoBackup {
        /// Which folder.
        path: PathBuf,
    },
    /// The document of something else.
    #[error("cannot read `{}`", .path.display())]
    Manifest {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// One of the two files is gone.
    #[error("`{}` has no {name}; a store needs both", .path.display())]
    Missing {
        /// Which folder.
        path: PathBuf,
        /// Which file.
        name: &'static str,
    },
    /// Other bytes than were written.
    #[error(
        "`{}` is not what was written: its length or its check sum is another one than backup.json says; take another backup, or with --by-hand this one as it is",
        .path.display()
    )]
    Changed {
        /// Which file.
        path: PathBuf,
    },
    /// Something stands where the store would.
    #[error(
        "data_dir: `{}` is not empty, `{found}` is in it; move what is there elsewhere, and nothing of it is lost",
        .path.display()
    )]
    NotEmpty {
        /// Which folder.
        path: PathBuf,
        /// What is in it.
        found: String,
    },
    /// The disk is too small.
    #[error("no room in `{}`", .path.display())]
    NoRoom {
        /// Which folder.
        path: PathBuf,
        /// How much it lacks.
        source: NoRoom,
    },
    /// A file or folder cannot be read or written.
    #[error("cannot read or write `{}`", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The copy cannot be changed.
    #[error("cannot {attempt} `{}`", .path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The copy is no store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy is not as this program wrote it.
    #[error(
        "the backup is not whole; take another one, or with --accept-findings this one as it is:{}",
        list(.findings)
    )]
    Findings {
        /// Everything that is wrong.
        findings: Vec<Finding>,
    },
}

impl RestoreError {
    pub(super) fn file(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }

    pub(super) fn database(path: &Path, attempt: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Database { path: path.to_owned(), attempt, source }
    }
}

/// Each on a line of its own.
fn list(findings: &[Finding]) -> String {
    findings.iter().flat_map(|finding| ["\n  ".to_owned(), finding.to_string()]).collect()
}
