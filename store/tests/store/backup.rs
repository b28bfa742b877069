//! Backups: one moment of a store that goes on, put back as another store, and never half of it.

use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use model::fault::Chain;
use rusqlite::Connection;
use store::{
    Append, Body, By, ByKind, Entry, Manifest, OpenError, Restore, RestoreError, Restored, Role,
    SetConsumer, Store, back_up, restore, verify,
};

use crate::making::{LIMITS, all, at, batch, open, open_as, options, put, put_new, shown};

fn by() -> By {
    By { kind: ByKind::Command, name: "root".to_owned() }
}

fn note(store: &Store, count: u64) {
    let body = Body::SamplesImported {
        file: "history.csv".to_owned(),
        file_digest: String::new(),
        rows: count,
        refused: 0,
    };
    store.journal().write_blocking(Append { at: at(0), by: by(), body }).unwrap();
}

fn taken(store: &Store, folder: &Path) -> Manifest {
    back_up(store, folder, at(5), "0.1.0").unwrap()
}

fn asked(from: &Path) -> Restore {
    Restore {
        from: from.to_owned(),
        now: at(9),
        version: "0.1.0".to_owned(),
        by: by(),
        is_by_hand: false,
        accepts_findings: false,
    }
}

fn by_hand(from: &Path) -> Restore {
    Restore { is_by_hand: true, ..asked(from) }
}

/// A refusal in words, without the paths of the test.
fn refused(data: &Path, asked: &Restore) -> String {
    let text = Chain(&restore(data, asked).unwrap_err()).to_string();
    text.replace(&data.display().to_string(), "DATA")
        .replace(&asked.from.display().to_string(), "DIR")
}

fn entries(store: &Store) -> Vec<Entry> {
    store.journal().read_blocking(|reader| reader.entries(0, 1_000)).unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A store with one batch, and its backup.
fn one(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (data, backup) = (folder.join("data"), folder.join("backup"));
    let store = open(&data);
    put_new(&store, batch(1, &[("level", vec![(0, 1), (5, 2)])]));
    taken(&store, &backup);
    store.close();
    (data, backup)
}

#[test]
fn what_is_put_back_is_another_store_with_what_stood_then() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = (folder.path().join("data"), folder.path().join("backup"));
    let store = open(&data);
    let first = store.id();
    put_new(&store, batch(1, &[("level", vec![(0, 1)])]));
    note(&store, 1);
    let manifest = taken(&store, &backup);
    assert_eq!((manifest.store_id, manifest.taken_at), (first, at(5)));
    assert_eq!(names(&backup), ["backup.json", "journal.db", "samples.db"]);
    put_new(&store, batch(2, &[("level", vec![(1_000, 2)])]));
    store.close();
    fs::remove_dir_all(&data).unwrap();
    // The server's own key is no part of a store, and in nobody's way.
    fs::DirBuilder::new().mode(0o700).create(&data).unwrap();
    fs::write(data.join("hooks.key"), [7; 32]).unwrap();

    let Restored { id, before, taken_at, report } = restore(&data, &asked(&backup)).unwrap();
    assert_eq!((before, taken_at), (first, Some(at(5))));
    assert_ne!(id, first);
    assert_eq!((report.entries, report.batches, report.findings), (3, 1, vec![]));
    assert_eq!(names(&data), ["hooks.key", "journal.db", "lock", "samples.db"]);

    let store = open(&data);
    assert_eq!(store.id(), id);
    assert_eq!(all(&store, "level"), shown(&[(0, 1)]));
    let last = entries(&store).pop().unwrap();
    let document = last.document().unwrap();
    assert_eq!(
        (document.kind.as_str(), document.at, &document.by),
        ("store_restored", at(9), &by())
    );
    let body = format!(
        r#"{{"store_id":"{id}","before":"{first}","taken_at":"{}","version":"0.1.0"}}"#,
        at(5)
    );
    assert_eq!(document.body.get(), body);
    // What the agents still have comes again: once.
    put(&store, batch(1, &[("level", vec![(0, 1)])]));
    put_new(&store, batch(2, &[("level", vec![(1_000, 2)])]));
    assert_eq!(all(&store, "level"), shown(&[(0, 1), (1_000, 2)]));
    assert_eq!(verify(&store).unwrap().findings, []);
    store.close();
}

#[test]
fn a_backup_of_a_store_that_is_written_to_shows_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("data"));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1;
            while !is_over.load(Ordering::Relaxed) {
                let ms = i64::try_from(number).unwrap();
                put_new(&store, batch(number, &[("level", vec![(ms, 1)])]));
                note(&store, number);
                number += 1;
            }
        });
        for turn in 0..8 {
            let backup = folder.path().join(format!("backup-{turn}"));
            taken(&store, &backup);
            let data = folder.path().join(format!("restored-{turn}"));
            let restored = restore(&data, &asked(&backup)).unwrap();
            // An entry follows its batch: at most one batch is without.
            let told = restored.report.entries - 2;
            assert!((told..=told + 1).contains(&restored.report.batches), "{restored:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    store.close();
}

#[test]
fn a_backup_is_no_data_folder_however_it_got_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_data, backup) = one(folder.path());
    let before: Vec<_> =
        names(&backup).iter().map(|name| fs::read(backup.join(name)).unwrap()).collect();
    let refusal = |folder: &Path, role| {
        let opened = Store::open_with(folder, &options(role), LIMITS, &prometheus::Registry::new());
        assert!(matches!(opened, Err(OpenError::Backup { .. })), "{opened:?}");
    };
    refusal(&backup, Role::Command);
    let after: Vec<_> = ["backup.json", "journal.db", "samples.db"]
        .iter()
        .map(|name| fs::read(backup.join(name)).unwrap())
        .collect();
    assert!(before == after, "looking at a backup changes nothing of it");
    let copied = folder.path().join("copied");
    fs::create_dir(&copied).unwrap();
    for name in ["samples.db", "journal.db"] {
        fs::copy(backup.join(name), copied.join(name)).unwrap();
    }
    refusal(&copied, Role::Server);
    restore(&folder.path().join("other"), &by_hand(&copied)).unwrap();
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (data, backup) = one(folder.path());
    let store = open(&data);
    let again = back_up(&store, &backup, at(6), "0.1.0").unwrap_err().to_string();
    assert!(again.contains("is not empty"), "{again}");
    std::os::unix::fs::symlink(&data, folder.path().join("link")).unwrap();
    let before = names(&data);
    for within in [data.join("a/b"), data.clone(), folder.path().join("link/c")] {
        let within = back_up(&store, &within, at(6), "0.1.0").unwrap_err().to_string();
        assert!(within.contains("is in the data folder"), "{within}");
    }
    assert_eq!(names(&data), before);
    assert!(refused(&data, &asked(&backup)).contains("is in use by process "));
    store.close();
    let text = refused(&data, &asked(&backup));
    assert!(text.starts_with("data_dir: `DATA` is not empty, `"), "{text}");
    let store = open(&data);
    assert_eq!(all(&store, "level"), shown(&[(0, 1), (5, 2)]));
    store.close();
    let other = folder.path().join("letters");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("letter.txt"), "").unwrap();
    assert!(refused(&other, &asked(&backup)).contains("`letter.txt` is in it"));
    assert_eq!(names(&other), ["letter.txt"]);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_data, backup) = one(folder.path());
    let target = folder.path().join("target");
    let check = |wanted: &str| {
        let text = refused(&target, &asked(&backup));
        assert!(text.contains(wanted), "{text}");
        let left = if target.try_exists().unwrap() { names(&target) } else { Vec::new() };
        assert!(left.is_empty() || left == ["lock"], "{left:?}");
    };
    let samples = backup.join("samples.db");
    let whole = fs::read(&samples).unwrap();
    let mut changed = whole.clone();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    fs::write(&samples, &changed).unwrap();
    check("is not what was written");
    fs::write(&samples, &whole[..last]).unwrap();
    check("is not what was written");
    fs::remove_file(&samples).unwrap();
    check("`DIR` has no samples.db");
    fs::write(&samples, &whole).unwrap();
    fs::rename(backup.join("backup.json"), backup.join("backup.partial")).unwrap();
    check("`DIR` is no backup: it has no backup.json");
    let nowhere = refused(&target, &asked(&folder.path().join("nowhere")));
    assert!(nowhere.contains("is no backup"), "{nowhere}");
}

#[test]
fn a_disk_that_is_too_small_is_told_before_anything_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let (_data, backup) = one(folder.path());
    let file = fs::OpenOptions::new().write(true).open(backup.join("samples.db")).unwrap();
    file.set_len(1 << 43).unwrap(); // a hole, which takes no room
    let text = refused(&folder.path().join("target"), &by_hand(&backup));
    assert!(text.contains("8388") && text.contains("MiB are needed and "), "{text}");
}

#[test]
fn a_copy_made_by_hand_brings_what_stood_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let (data, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let store = open(&data);
    put_new(&store, batch(1, &[("level", vec![(0, 1)])]));
    // The journal of such a copy may be ahead: it tells of anchors that the samples lack.
    for name in ["anchors", "compliance"] {
        let ahead = SetConsumer { name: name.to_owned(), samples: 7, entries: 1 };
        store.journal().write_blocking(ahead).unwrap();
    }
    fs::create_dir(&copy).unwrap();
    for name in ["samples.db", "samples.db-wal", "journal.db", "journal.db-wal"] {
        fs::copy(data.join(name), copy.join(name)).unwrap();
    }
    store.close();
    let target = folder.path().join("target");
    let restored = restore(&target, &by_hand(&copy)).unwrap();
    assert_eq!(restored.taken_at, None);
    let store = open(&target);
    assert_eq!(all(&store, "level"), shown(&[(0, 1)]));
    for (name, last) in [("anchors", 0), ("compliance", 1)] {
        let come = store.journal().read_blocking(|reader| reader.consumer(name)).unwrap();
        assert_eq!(come, Some((last, 1)), "the next one is dealt with");
    }
    store.close();
}

#[test]
fn a_backup_with_findings_is_put_back_by_decision_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (_data, backup) = one(folder.path());
    let file = Connection::open(backup.join("journal.db")).unwrap();
    file.execute("UPDATE entry SET bytes = 'x' WHERE position = 1", []).unwrap();
    file.close().unwrap();
    let target = folder.path().join("target");
    let failure = restore(&target, &by_hand(&backup)).unwrap_err();
    assert!(matches!(failure, RestoreError::Findings { .. }), "{failure}");
    assert!(failure.to_string().contains("\n  journal entry 1: "), "{failure}");
    let restored =
        restore(&target, &Restore { accepts_findings: true, ..by_hand(&backup) }).unwrap();
    assert!(!restored.report.findings.is_empty());
    open_as(&target, Role::Server).close();
}

#[test]
fn a_restore_that_was_ended_anywhere_is_begun_again_and_no_server_starts_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_data, backup) = one(folder.path());
    for (turn, left) in [
        &["restore.partial/"][..],
        &["restore.partial/", "restore.partial/samples.db", "restore.partial/samples.db-wal"],
        &["restore.partial/", "restore.partial/samples.db", "journal.db"],
        &["restore.partial/", "journal.db", "samples.db"],
    ]
    .into_iter()
    .enumerate()
    {
        let target = folder.path().join(format!("target-{turn}"));
        fs::DirBuilder::new().mode(0o700).create(&target).unwrap();
        for name in left {
            match name.strip_suffix('/') {
                Some(name) => fs::create_dir(target.join(name)).unwrap(),
                None => fs::write(target.join(name), "half").unwrap(),
            }
        }
        assert!(store::exists(&target).unwrap(), "{left:?}");
        for role in [Role::Server, Role::Command] {
            let opened =
                Store::open_with(&target, &options(role), LIMITS, &prometheus::Registry::new());
            assert!(matches!(opened, Err(OpenError::Unfinished { .. })), "{left:?}: {opened:?}");
        }
        restore(&target, &asked(&backup)).unwrap();
        let store = open(&target);
        assert_eq!(all(&store, "level"), shown(&[(0, 1), (5, 2)]), "{left:?}");
        store.close();
    }
}
