//! Whether a store can be made in a folder: tried as a start would, and taken back.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::{
    error::OpenError,
    open::{is_ours_alone, refuse_half, refuse_shared},
};

/// Makes what is missing of a folder and a file in it, as [`super::Store::open`] would where there
/// is no store yet, and takes both away again. What was there stays as it is.
pub fn try_folder(folder: &Path) -> Result<(), OpenError> {
    let mut made = Vec::new();
    let tried = make(folder, &mut made).and_then(|()| write(folder));
    let taken_back = made.iter().rev().try_for_each(|path| fs::remove_dir(path).map_err(of(path)));
    tried.and(taken_back)
}

/// The folder, and above it whatever there is not, each of which `made` has.
fn make(folder: &Path, made: &mut Vec<PathBuf>) -> Result<(), OpenError> {
    let mut missing = Vec::new();
    for path in folder.ancestors().filter(|path| !path.as_os_str().is_empty()) {
        if path.try_exists().map_err(of(path))? {
            break;
        }
        missing.push(path);
    }
    for path in missing.into_iter().rev() {
        DirBuilder::new().mode(0o700).create(path).map_err(of(path))?;
        made.push(path.to_owned());
    }
    Ok(())
}

fn write(folder: &Path) -> Result<(), OpenError> {
    refuse_half(folder)?;
    if !is_ours_alone(folder).map_err(of(folder))? {
        refuse_shared(folder)?;
        // a start takes the rights of others away, which only the owner may
        let rights = fs::metadata(folder).map_err(of(folder))?.permissions();
        fs::set_permissions(folder, rights).map_err(of(folder))?;
    }
    let path = folder.join(format!(".trial-{}", std::process::id()));
    let at = |source| OpenError::File { path: path.clone(), source };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.map_err(at)?;
    let written = file.write_all(b"trial\n").and_then(|()| file.sync_all());
    fs::remove_file(&path).map_err(at)?;
    written.map_err(at)
}

fn of(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    |source| OpenError::Folder { path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use expect_test::{Expect, expect};
    use model::fault::Chain;

    use super::*;
    use crate::shell::schema;

    fn check(folder: &Path, under: &Path, expected: &Expect) {
        let told = try_folder(folder).err().map_or_else(String::new, |e| Chain(&e).to_string());
        expected.assert_eq(&told.replace(&under.display().to_string(), "…"));
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn what_can_be_used_is_left_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        check(&at.join("a/b/data"), at, &expect![""]);
        check(at, at, &expect![""]);
        assert_eq!(names(at), Vec::<String>::new());
        fs::create_dir(at.join("open")).unwrap();
        fs::set_permissions(at.join("open"), fs::Permissions::from_mode(0o755)).unwrap();
        check(&at.join("open"), at, &expect![""]);
        let mode = fs::metadata(at.join("open")).unwrap().permissions().mode();
        assert_eq!((mode & 0o777, names(&at.join("open")).len()), (0o755, 0));
    }

    #[test]
    fn what_a_start_would_refuse_is_told_with_its_place_and_reason() {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        check(
            Path::new("/proc/baseflow/data"),
            at,
            &expect![
                "cannot use the folder `/proc/baseflow`: No such file or directory (os error 2)"
            ],
        );
        fs::write(at.join("file"), "x").unwrap();
        check(
            &at.join("file/data"),
            at,
            &expect!["cannot use the folder `…/file/data`: Not a directory (os error 20)"],
        );
        fs::create_dir(at.join("open")).unwrap();
        fs::write(at.join("open/other"), "x").unwrap();
        fs::set_permissions(at.join("open"), fs::Permissions::from_mode(0o755)).unwrap();
        check(
            &at.join("open"),
            at,
            &expect![
                "`…/open` is open to other users and holds other things; give the store a folder of its own, or `chmod 700` it"
            ],
        );
        assert_eq!(names(&at.join("open")), ["other"]);
        fs::create_dir(at.join("half")).unwrap();
        fs::write(at.join("half").join(schema::JOURNAL.name), "x").unwrap();
        check(
            &at.join("half"),
            at,
            &expect![
                "`samples.db` is missing beside `journal.db` in `…/half`; restore both from a backup"
            ],
        );
    }
}
