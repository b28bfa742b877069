//! How a new spool takes the place of a damaged one, which is kept aside.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    SpoolError,
    file::{beside, meta},
};

/// Damaged files that are kept; at the bound the oldest goes, for readings to come need its room.
const KEPT: u32 = 4;

/// Completes what a crash has left: a new file that is whole takes its place, another one goes.
pub(super) fn resume(path: &Path) -> Result<(), SpoolError> {
    let fail = |source| SpoolError::SetAside { path: path.to_owned(), source };
    let new = beside(path, ".new");
    if !new.try_exists().map_err(fail)? {
        return Ok(());
    }
    if is_whole(&new) { put_in_place(path).map(drop) } else { remove(&new).map_err(fail) }
}

/// Whether a new spool has everything that it will have; what its log holds is folded in.
pub(super) fn is_whole(new: &Path) -> bool {
    let opened = Connection::open_with_flags(new, OpenFlags::SQLITE_OPEN_READ_WRITE);
    let Ok(database) = opened else { return false };
    let is_whole = matches!(meta(&database, "epoch"), Ok(Some(_)));
    database.close().is_ok() && is_whole
}

/// Renames the damaged file to `PATH.damaged-N` with what belongs to it, and `PATH.new` to `PATH`.
pub(super) fn put_in_place(path: &Path) -> Result<PathBuf, SpoolError> {
    let fail = |source| SpoolError::SetAside { path: path.to_owned(), source };
    let aside = place_aside(path).map_err(fail)?;
    // the log first: without its file it is nothing, with a new file it would be mistaken
    for ending in ["-wal", ""] {
        std::fs::rename(beside(path, ending), beside(&aside, ending))
            .or_else(gone)
            .map_err(fail)?;
    }
    // only whoever has the file open needs it
    std::fs::remove_file(beside(path, "-shm")).or_else(gone).map_err(fail)?;
    std::fs::rename(beside(path, ".new"), path).map_err(fail)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(fail)?;
    folder.sync_all().map_err(fail)?;
    Ok(aside)
}

/// The first name that is free; where none is, the files move up and the oldest goes.
fn place_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |number: u32| beside(path, &format!(".damaged-{number}"));
    for number in 1..=KEPT {
        if !name(number).try_exists()? {
            return Ok(name(number));
        }
    }
    remove(&name(1))?;
    for number in 2..=KEPT {
        for ending in ["-wal", ""] {
            let (from, to) = (name(number), name(number - 1));
            std::fs::rename(beside(&from, ending), beside(&to, ending)).or_else(gone)?;
        }
    }
    Ok(name(KEPT))
}

/// Removes a database with its log.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    for ending in ["-wal", "-shm", ""] {
        std::fs::remove_file(beside(path, ending)).or_else(gone)?;
    }
    Ok(())
}

/// What is not there is removed.
fn gone(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
