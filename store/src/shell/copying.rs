//! Files copied so that they last: room is asked for first, bytes are digested, all is synced.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown},
    path::Path,
};

use rustix::fs::statvfs;
use sha2::{Digest as _, Sha256};

const CHUNK: usize = 1 << 20;

/// A file's length and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured {
    pub(super) bytes: u64,
    /// SHA-256, hexadecimal.
    pub(super) sha256: String,
}

/// A disk that is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} are needed and {} are free", size(*.needed), size(*.free))]
pub struct NoRoom {
    /// Bytes.
    pub needed: u64,
    /// Bytes.
    pub free: u64,
}

/// Bytes as people compare them; rounded up, as what is needed must be there.
fn size(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// Whether the disk of this folder has so much room.
pub(super) fn has_room(folder: &Path, needed: u64) -> io::Result<Result<(), NoRoom>> {
    let disk = statvfs(folder)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(if free < needed { Err(NoRoom { needed, free }) } else { Ok(()) })
}

/// Copies a file into one that is not there yet, for its owner alone, and syncs it.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<Measured> {
    let (mut from, mut to) = (File::open(from)?, create(to)?);
    let measured = pour(&mut from, |chunk| to.write_all(chunk))?;
    to.sync_all()?;
    Ok(measured)
}

/// Reads a file to its end.
pub(super) fn measure(path: &Path) -> io::Result<Measured> {
    pour(&mut File::open(path)?, |_chunk| Ok(()))
}

/// Writes a file that is not there yet, for its owner alone, and syncs it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the names in a folder last.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Gives a file to whom the folder belongs: what the administrator puts there is the server's.
pub(super) fn hand_over(path: &Path, folder: &Path) -> io::Result<()> {
    let owner = fs::metadata(folder)?;
    if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}

/// A new file for its owner alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn pour(
    from: &mut impl Read,
    mut into: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Measured> {
    let (mut digest, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = chunk.get(..length).unwrap_or_default();
        digest.update(read);
        into(read)?;
        bytes = bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
    Ok(Measured { bytes, sha256: hex::encode(digest.finalize()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_what_was_read_and_never_over_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, vec![7; CHUNK + 5]).unwrap();
        let copied = copy(&from, &to).unwrap();
        assert_eq!(copied, measure(&from).unwrap());
        assert_eq!(fs::read(&from).unwrap(), fs::read(&to).unwrap());
        assert_eq!(copy(&from, &to).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_disk_that_is_too_small_is_told_in_sizes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(has_room(folder.path(), 1).unwrap(), Ok(()));
        let needed = has_room(folder.path(), u64::MAX).unwrap().unwrap_err();
        assert_eq!(needed.needed, u64::MAX);
        let shown = NoRoom { needed: (1 << 20) + 1, free: 0 }.to_string();
        assert_eq!(shown, "2 MiB are needed and 0 MiB are free");
    }
}
