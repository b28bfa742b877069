//! `verify` finds whatever was changed behind the store's back.

use std::path::Path;

use expect_test::{Expect, expect};
use model::wire::refused_v1::Reason;
use rusqlite::Connection;
use store::{AddToken, Append, Body, By, ByKind, Discarded};

use crate::making::{aside, at, batch, batch_of, discard, open, put_new};

/// A store with four entries and two batches, then changed by `tamper`.
fn check(file: &str, tamper: &str, expected: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for n in 0..3 {
        let by = By { kind: ByKind::Command, name: "root".to_owned() };
        let add = AddToken { at: at(0), by, name: format!("t{n}"), role: "read".to_owned() };
        store.journal().write_blocking(add).unwrap();
    }
    put_new(&store, batch(1, &[("level", vec![(0, 1), (5, 2)])]));
    put_new(&store, batch(2, &[("level", vec![(10, 1), (15, 2)])]));
    store.close();
    run(&folder.path().join(file), tamper);
    let store = open(folder.path());
    let report = store::verify(&store).unwrap();
    let mut lines = vec![format!(
        "{} entries, {} batches, {} spans",
        report.entries, report.batches, report.spans
    )];
    lines.extend(report.findings.iter().map(ToString::to_string));
    expected.assert_eq(&lines.join("\n"));
}

fn run(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(sql).unwrap();
}

#[test]
fn nothing_is_found_where_nothing_was_changed() {
    check("journal.db", "", &expect!["4 entries, 2 batches, 2 spans"]);
}

#[test]
fn a_changed_entry_is_named() {
    check(
        "journal.db",
        "UPDATE entry SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"t1\"', '\"t9\"') AS BLOB)",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            journal entry 3: its bytes, or those before it, are not what was hashed"#]],
    );
}

#[test]
fn a_changed_column_is_named() {
    check(
        "journal.db",
        "UPDATE entry SET at = at + 1 WHERE position = 2",
        &expect![[r#"
        4 entries, 2 batches, 2 spans
        journal entry 2: its columns `at` and `kind` are not what its bytes say"#]],
    );
}

#[test]
fn an_entry_taken_out_is_named() {
    check(
        "journal.db",
        "DELETE FROM entry WHERE position = 2",
        &expect![[r#"
        3 entries, 2 batches, 2 spans
        journal entry 3: it follows entry 1: entries between are missing"#]],
    );
}

#[test]
fn the_last_entry_taken_out_is_noticed() {
    check(
        "journal.db",
        "DELETE FROM entry WHERE position = 4",
        &expect![[r#"
        3 entries, 2 batches, 2 spans
        the journal ends at entry 3, but entry 4 was there: its end is cut off"#]],
    );
}

#[test]
fn exchanged_entries_are_named() {
    check(
        "journal.db",
        "UPDATE entry SET position = 99 WHERE position = 2;
         UPDATE entry SET position = 2 WHERE position = 3;
         UPDATE entry SET position = 3 WHERE position = 99;",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            journal entry 2: its bytes, or those before it, are not what was hashed"#]],
    );
}

#[test]
fn a_changed_batch_is_named() {
    check(
        "samples.db",
        "UPDATE batch SET bytes = (SELECT bytes FROM batch WHERE position = 1) WHERE position = 2",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            batch 2: its identity belongs to another batch
            gauge A/level in batch 2: `A/level`: 0 points from 2026-11-22T00:00:00.01Z to 2026-11-22T00:00:00.015Z, where 2 were said"#]],
    );
}

#[test]
fn a_flipped_bit_of_a_batch_is_named() {
    check(
        "samples.db",
        "UPDATE batch SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'06' AS BLOB)
         WHERE position = 1",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            batch 1: its bytes are not those that were admitted"#]],
    );
}

#[test]
fn a_span_that_says_other_than_its_batch_is_named() {
    check(
        "samples.db",
        "UPDATE span SET points = 3 WHERE batch = 1; DELETE FROM feed WHERE position = 2",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            gauge A/level in batch 1: `A/level`: 2 points from 2026-11-22T00:00:00Z to 2026-11-22T00:00:00.005Z, where 3 were said
            1 spans whose feed row is not there"#]],
    );
}

#[test]
fn a_row_of_another_shape_is_named() {
    check(
        "journal.db",
        "UPDATE entry SET hash = x'00' WHERE position = 2",
        &expect![[r#"
        1 entries, 2 batches, 2 spans
        journal entry 2: cannot read entries: Conversion error from type Blob at index: 4, Cannot read 32 byte value out of 1 byte blob"#]],
    );
}

#[test]
fn an_item_that_did_not_become_what_its_entry_says_is_named() {
    let tampered = |tamper: &str| {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        for agent in ["gw-1", "gw-2", "gw-3"] {
            let whole = batch_of(&agent.parse().unwrap(), 1, &[("x", vec![(0, 1)])]);
            put_new(&store, aside(whole, "x", Reason::UnknownGauge));
        }
        for id in 1..3 {
            let write = discard(&store, id);
            let done = store.samples().write_blocking(write).unwrap();
            assert!(matches!(done, Discarded::Done { left: 0 }), "{done:?}");
        }
        let by = By { kind: ByKind::Command, name: "root".to_owned() };
        let body = Body::QuarantineVoided { id: 1, entry: 1 };
        store.journal().write_blocking(Append { at: at(0), by, body }).unwrap();
        store.close();
        run(&folder.path().join("samples.db"), tamper);
        let store = open(folder.path());
        let report = store::verify(&store).unwrap();
        let found: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        (report.items, found.join("\n"))
    };
    assert_eq!(tampered(""), (2, String::new()));
    let row = "UPDATE quarantine SET state = 1 WHERE id = 2";
    expect![[r#"
        item 2 of the quarantine: entry 3, under which it was decided, does not say so"#]]
    .assert_eq(&tampered(row).1);
    let row = "UPDATE quarantine SET entry = NULL WHERE id = 2";
    expect!["item 2 of the quarantine: it was discarded, and no entry says by whom"]
        .assert_eq(&tampered(row).1);
    let row = "UPDATE quarantine SET entry = 1 WHERE id = 1";
    expect![[r#"
        item 1 of the quarantine: entry 1, under which it was decided, does not say so
        item 1 of the quarantine: it was decided under entry 1, which is said to have come to nothing"#]]
    .assert_eq(&tampered(row).1);
}
