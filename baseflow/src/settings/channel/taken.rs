//! Whose a channel's file is already, by whatever path: two writers, or a writer and a reader, of one
//! file would each undo the other's work.
//!
//! A file that is full becomes `FILE.1` in place of an earlier one, so that is its own, too.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use alerting::shell::file::earlier;

use super::Own;

/// What is wrong with the file of a channel, beside the server's own files and those of other
/// channels.
pub(super) fn fault(path: &Path, own: &Own, others: &[&Path]) -> Option<String> {
    if fs::symlink_metadata(path).is_ok_and(|known| known.is_symlink()) {
        return Some("is a symbolic link; write the path of the file itself".to_owned());
    }
    let resolved = resolved(path);
    if own.data_dir.as_deref().is_some_and(|folder| resolved.starts_with(whole(folder))) {
        return Some("lies in data_dir, where the server's own files are".to_owned());
    }
    let full = earlier(path);
    for (file, what) in &own.files {
        if is_same(path, file) {
            return Some(format!("is {what}"));
        }
        if is_same(&full, file) {
            return Some(format!(
                "becomes `{}` when it is full, which is {what}; choose another name",
                full.display()
            ));
        }
    }
    others.iter().find_map(|other| {
        if is_same(path, other) {
            Some("is the file of another channel".to_owned())
        } else if is_same(&full, other) || is_same(path, &earlier(other)) {
            Some("and the file of another channel become one when either is full, as `FILE.1`; choose another name".to_owned())
        } else {
            None
        }
    })
}

/// Whether two paths lead to one file, through whatever links and by whatever names.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|known| (known.dev(), known.ino()));
    resolved(one) == resolved(other) || id(one).is_some_and(|known| id(other) == Some(known))
}

/// The path with its folder as it really is; the file itself need not exist.
fn resolved(path: &Path) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => whole(folder).join(name),
        (_, None) | (None, _) => path.to_owned(),
    }
}

/// A folder as it really is, or as it is written where it does not exist.
fn whole(folder: &Path) -> PathBuf {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    fs::canonicalize(here).unwrap_or_else(|_unreachable| folder.to_owned())
}
