//! `hooks.key` in the data folder, of which the secrets of hooks are made: the first start makes
//! it, and every later one finds it (`docs/formats.md` §16).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, bail};
use model::hook::HookKey;

/// Its name.
const NAME: &str = "hooks.key";

/// The key of this data folder. Whoever calls holds the folder's lock.
pub(crate) fn hook_key(data_dir: &Path) -> anyhow::Result<HookKey> {
    let path = data_dir.join(NAME);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(data_dir).with_context(|| format!("cannot make `{}`", path.display()))?
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read `{}`", path.display()));
        }
    };
    match <[u8; HookKey::BYTES]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Ok(HookKey::new(bytes)),
        Err(_other_length) => bail!(
            "`{}` has {} bytes and not {}; without the file the next start makes another one",
            path.display(),
            bytes.len(),
            HookKey::BYTES
        ),
    }
}

/// Makes one that is whole or not there.
fn make(data_dir: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; HookKey::BYTES];
    getrandom::fill(&mut bytes)?;
    let partial = data_dir.join(format!("{NAME}.new"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&partial, data_dir.join(NAME))?;
    File::open(data_dir)?.sync_all()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let channel = "sms".parse().unwrap();
        let path = |key: HookKey| key.secret(&channel).kannel_path(&channel);
        let made = path(hook_key(folder.path()).unwrap());
        assert_eq!(path(hook_key(folder.path()).unwrap()), made);
        let file = folder.path().join(NAME);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let names: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(path(hook_key(other.path()).unwrap()), made);
        fs::write(&file, b"short").unwrap();
        let failure = hook_key(folder.path()).unwrap_err().to_string();
        assert!(failure.contains("has 5 bytes and not 32"), "{failure}");
    }
}
