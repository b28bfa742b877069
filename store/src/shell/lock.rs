//! The lock that keeps a second server off a data folder, and names who holds it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;

pub(super) const NAME: &str = "lock";
const LONGEST_HOLDER: u64 = 1_000;

/// Held as long as it lives; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of this folder, or says who has it.
    pub(super) fn take(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(NAME);
        let at = |source| OpenError::File { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(at)?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error != rustix::io::Errno::WOULDBLOCK {
                return Err(at(error.into()));
            }
            let holder = named(&mut file).map_err(at)?;
            return Err(OpenError::Held { path: folder.to_owned(), holder });
        }
        name_holder(&mut file).map_err(at)?;
        Ok(Self { _file: file })
    }
}

/// Who has the lock of this folder; none where nobody has, or where there is no such folder.
pub fn holder(folder: &Path) -> io::Result<Option<String>> {
    let mut file = match File::open(folder.join(NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(rustix::io::Errno::WOULDBLOCK) => named(&mut file).map(Some),
        Err(error) => Err(error.into()),
    }
}

fn named(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.take(LONGEST_HOLDER).read_to_string(&mut text)?;
    Ok(if text.is_empty() { "another process".to_owned() } else { text.trim().to_owned() })
}

fn name_holder(file: &mut File) -> io::Result<()> {
    let command: Vec<_> =
        std::env::args_os().map(|part| part.to_string_lossy().into_owned()).collect();
    let command: String = command.join(" ").chars().take(200).collect();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {} ({command})", std::process::id())
}
