//! Whenever the process is killed, what was answered is there, and nothing is there by halves.

use std::{fs, path::Path};

use proptest::prelude::*;
use store::Store;

use crate::making::{Points, agents_of, all, batch, open, put_new, shown};

/// The files as a kill would leave them.
fn copy(from: &Path, to: &Path) {
    for file in ["samples.db", "samples.db-wal", "journal.db", "journal.db-wal"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
}

/// Both gauges of the n-th batch.
fn points(n: u64) -> Points {
    let ms = i64::try_from(n).unwrap() * 10;
    vec![(ms, ms), (ms + 5, ms + 5)]
}

fn put(store: &Store, n: u64) {
    put_new(store, batch(n + 1, &[("level", points(n)), ("other", points(n))]));
}

fn wanted(batches: u64) -> Vec<(i64, String)> {
    shown(&(0..batches).flat_map(points).collect::<Points>())
}

#[test]
fn what_was_answered_survives_a_kill_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..12 {
        put(&store, n);
        let copied = tempfile::tempdir().unwrap();
        copy(folder.path(), copied.path());
        let again = open(copied.path());
        assert_eq!(all(&again, "level"), wanted(n + 1));
        assert_eq!(all(&again, "other"), wanted(n + 1));
        assert_eq!(store::verify(&again).unwrap().findings, []);
        put(&again, n + 1);
        assert_eq!(all(&again, "other"), wanted(n + 2));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_torn_log_gives_whole_batches(batches in 1_u64..12, part in 0.0_f64..1.0) {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for n in 0..batches {
            put(&store, n);
        }
        let copied = tempfile::tempdir().unwrap();
        copy(folder.path(), copied.path());
        tear(&copied.path().join("samples.db-wal"), part);
        let again = open(copied.path());
        let levels = all(&again, "level");
        prop_assert_eq!(&levels, &all(&again, "other"));
        let survived = u64::try_from(levels.len()).unwrap() / 2;
        prop_assert_eq!(levels, wanted(survived));
        let findings = store::verify(&again).unwrap().findings;
        prop_assert_eq!(findings, vec![]);
        let agents = agents_of(&again);
        let counted: u64 = agents.iter().flat_map(|row| &row.epochs).map(|row| row.batches).sum();
        prop_assert_eq!(counted, survived);
        for n in survived..batches {
            put(&again, n);
        }
        prop_assert_eq!(all(&again, "level"), wanted(batches));
    }
}

/// Cuts a file off; its first transaction, which makes the tables, stays.
fn tear(path: &Path, part: f64) {
    const TABLES: f64 = 200_000.0;
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let length = f64::from(u32::try_from(length).unwrap());
    if length > TABLES {
        let kept = TABLES + (length - TABLES) * part;
        let kept: u64 = format!("{kept:.0}").parse().unwrap();
        file.set_len(kept).unwrap();
    }
}
