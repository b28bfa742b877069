//! Room kept back on the disk, so that the journal can be written after samples filled it.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use tracing::{info, warn};

pub(super) const NAME: &str = "ballast";

/// A file that is there to be deleted.
#[derive(Debug)]
pub(super) struct Ballast {
    folder: PathBuf,
    bytes: u64,
    is_freed: AtomicBool,
}

impl Ballast {
    /// Makes the file if there is room for it; without room samples wait from the start.
    pub(super) fn hold(folder: &Path, bytes: u64) -> Self {
        let ballast =
            Self { folder: folder.to_owned(), bytes, is_freed: AtomicBool::new(bytes > 0) };
        if !ballast.has_room() {
            warn!(bytes, "no room on the disk for the ballast; samples wait");
        }
        ballast
    }

    /// Deletes the file, so that others can write what must be written.
    pub(super) fn free(&self) {
        if self.bytes == 0 || self.is_freed.swap(true, Ordering::Relaxed) {
            return;
        }
        match fs::remove_file(self.path()) {
            Ok(()) => warn!(bytes = self.bytes, "the disk is full; samples wait, ballast freed"),
            Err(error) => warn!(%error, "the disk is full, and the ballast cannot be freed"),
        }
    }

    /// Whether samples may be written: the file is there, or there is room to make it again and
    /// as much beside it.
    pub(super) fn has_room(&self) -> bool {
        if !self.is_freed.load(Ordering::Relaxed) {
            return true;
        }
        match self.restore() {
            Ok(true) => {
                self.is_freed.store(false, Ordering::Relaxed);
                true
            }
            Ok(false) => false,
            Err(error) => {
                warn!(%error, "cannot make the ballast file; going on without it");
                self.is_freed.store(false, Ordering::Relaxed);
                true
            }
        }
    }

    fn restore(&self) -> io::Result<bool> {
        let path = self.path();
        if fs::metadata(&path).is_ok_and(|file| file.len() == self.bytes) {
            return Ok(true);
        }
        if !self.fits()? {
            return Ok(false);
        }
        let file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Ok(()) => {
                info!(bytes = self.bytes, "ballast held");
                Ok(true)
            }
            Err(error) => {
                fs::remove_file(&path)?;
                if error == rustix::io::Errno::NOSPC { Ok(false) } else { Err(error.into()) }
            }
        }
    }

    /// Whether samples wait: the ballast is gone, and the disk has no room for it and as much
    /// beside it. Changes nothing, so that anybody may ask.
    pub(super) fn is_wanting(&self) -> bool {
        self.is_freed.load(Ordering::Relaxed) && self.fits().is_ok_and(|fits| !fits)
    }

    fn fits(&self) -> io::Result<bool> {
        let disk = statvfs(&self.folder)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >= self.bytes.saturating_mul(2))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ballast_is_held_freed_and_held_again() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = Ballast::hold(folder.path(), 1 << 20);
        let length = || fs::metadata(folder.path().join(NAME)).map(|file| file.len()).ok();
        assert_eq!(length(), Some(1 << 20));
        ballast.free();
        assert_eq!(length(), None);
        assert!(ballast.has_room());
        assert_eq!(length(), Some(1 << 20));
    }

    #[test]
    fn without_room_for_it_samples_wait() {
        let folder = tempfile::tempdir().unwrap();
        let ballast = Ballast::hold(folder.path(), 1 << 60);
        assert!(!ballast.has_room());
    }
}
