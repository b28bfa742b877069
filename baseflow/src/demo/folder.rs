//! The folder of a demonstration: settings, passwords, stores and spools; made by it alone, so that
//! `--fresh` removes nothing that is somebody's.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rustix::fs::{FlockOperation, flock};

/// Who has this file has a demonstration, which is locked while one runs.
const MARK: &str = "baseflow-demo.lock";
/// How many days the history has; it comes last and goes first, so that a folder without it is begun
/// again.
const PREPARED: &str = "prepared";

/// The folder, locked.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Of how many days its history is, once that is whole.
    days: Option<u16>,
    _lock: File,
}

impl Folder {
    /// Opens or makes it; what an earlier run left is removed where `is_fresh` asks for that, or
    /// where that run was ended before its history was whole.
    pub(super) fn open(asked: Option<&Path>, is_fresh: bool) -> anyhow::Result<Self> {
        let path = match asked {
            Some(path) => std::path::absolute(path).context("--data")?,
            None => default_path()?,
        };
        let attempt = || format!("cannot use the folder `{}`", path.display());
        let mark = path.join(MARK);
        let is_ours = mark.try_exists().with_context(attempt)?;
        if !is_ours {
            DirBuilder::new().recursive(true).mode(0o700).create(&path).with_context(attempt)?;
            if fs::read_dir(&path).with_context(attempt)?.next().is_some() {
                bail!(
                    "`{}` holds something else than a demonstration; choose an empty folder with --data",
                    path.display()
                );
            }
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&mark)
            .with_context(attempt)?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            bail!(
                "a demonstration runs in `{}` already; end it, or choose another folder with --data",
                path.display()
            );
        }
        let days =
            if is_fresh { None } else { days(&path.join(PREPARED)).with_context(attempt)? };
        if days.is_none() {
            clear(&path).with_context(attempt)?;
        }
        Ok(Self { path, days, _lock: lock })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A file or folder in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Of how many days its history is; none where it is to be made.
    pub(super) fn days(&self) -> Option<u16> {
        self.days
    }

    /// From here on its history is whole.
    pub(super) fn prepared(&self, days: u16) -> anyhow::Result<()> {
        self.write(PREPARED, &format!("{days} days\n"))?;
        Ok(())
    }

    /// A folder in it, for its user alone.
    pub(super) fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.file(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        Ok(path)
    }

    /// Writes a file that its user alone may read.
    pub(super) fn write(&self, name: &str, text: &str) -> anyhow::Result<PathBuf> {
        let path = self.file(name);
        let file =
            OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}

/// What stands in the file that says so; none where there is no such file, or it says nothing.
fn days(prepared: &Path) -> io::Result<Option<u16>> {
    match fs::read_to_string(prepared) {
        Ok(text) => Ok(text.split_whitespace().next().and_then(|days| days.parse().ok())),
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Removes all but the mark. Whoever is ended meanwhile leaves what is begun again.
fn clear(path: &Path) -> io::Result<()> {
    for entry in in_order(path)? {
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What is to be removed: first what says that the rest is whole.
fn in_order(path: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    entries.retain(|entry| entry.file_name() != MARK);
    entries.sort_by_key(|entry| entry.file_name() != PREPARED);
    Ok(entries)
}

/// Below the home of whoever starts it.
fn default_path() -> anyhow::Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.context("there is no home folder; name a folder with --data")?;
    Ok(home.join(".local/share/baseflow-demo"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_demonstration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("thesis.txt");
        fs::write(&theirs, "years").unwrap();
        let refused = Folder::open(Some(folder.path()), true).unwrap_err().to_string();
        assert!(refused.contains("holds something else"), "{refused}");
        assert!(theirs.try_exists().unwrap());
    }

    #[test]
    fn what_was_ended_half_way_or_is_to_be_fresh_begins_again_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo");
        let left = path.join("history.csv");
        let open = |is_fresh| {
            let opened = Folder::open(Some(&path), is_fresh).unwrap();
            let is_left = left.try_exists().unwrap();
            opened.write("history.csv", "…").unwrap();
            opened.make("a").unwrap();
            (opened, is_left)
        };
        let (half, _) = open(false);
        drop(half);
        let (whole, is_left) = open(false);
        assert!(!is_left);
        whole.prepared(60).unwrap();
        drop(whole);
        let (again, is_left) = open(false);
        assert!(is_left && again.days() == Some(60));
        let first = in_order(&path).unwrap().remove(0);
        assert_eq!(first.file_name(), PREPARED, "whoever is killed meanwhile leaves a half");
        let second = Folder::open(Some(&path), false).unwrap_err().to_string();
        assert!(second.contains("runs in"), "{second}");
        drop(again);
        let (fresh, is_left) = open(true);
        assert!(!is_left && fresh.days().is_none());
    }
}
