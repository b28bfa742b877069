//! Room that the spool keeps back on its disk, so that a full one can still be tidied.
//!
//! What is deleted frees pages only through SQLite's log, and the log is emptied only into a
//! database file that can grow. On a disk without a block left neither can move, and nothing that
//! the agent drops makes room. Giving this file back lets both move again.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;

use super::file::beside;

/// More than the log holds when it is due to be emptied, and the step by which the file grows.
const BYTES: u64 = 1536 * 1024;

/// `PATH.ballast`.
#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
    is_taken: bool,
}

impl Ballast {
    /// Beside the spool at `spool`, where there is room for it.
    pub(super) fn beside(spool: &Path) -> Self {
        let mut ballast = Self { path: beside(spool, ".ballast"), is_taken: false };
        ballast.take();
        ballast
    }

    /// Takes the room, unless it is taken or the disk has no more than twice as much.
    pub(super) fn take(&mut self) {
        if !self.is_taken {
            self.is_taken = self.is_whole() || (self.has_room() && self.write().is_ok());
        }
    }

    /// Gives the room back; whether there was any.
    pub(super) fn give_back(&mut self) -> bool {
        self.is_taken = false;
        fs::remove_file(&self.path).is_ok()
    }

    fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|file| file.len() == BYTES)
    }

    fn has_room(&self) -> bool {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        statvfs(folder.unwrap_or(Path::new(".")))
            .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= 2 * BYTES)
    }

    /// Written whole: a file with holes keeps no room.
    fn write(&self) -> io::Result<()> {
        let mut file = File::create(&self.path)?;
        let written = io::copy(&mut io::repeat(0).take(BYTES), &mut file);
        let written = written.and_then(|_bytes| file.sync_all());
        if written.is_err() {
            fs::remove_file(&self.path)?;
        }
        written
    }
}
