//! `verify` finds whatever was changed behind the store's back.

use std::path::Path;

use expect_test::{Expect, expect};
use model::wire::refused_v1::Reason;
use rusqlite::Connection;
use store::{
    AddToken, AddUser, Append, Body, By, ByKind, DisableUser, Discarded, Quarantine, RevokeToken,
    SetPassword, Store,
};

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
            journal entry 3: its bytes, or those before it, are not what was hashed
            token `t1`: no entry says who made it
            token `t9`: an entry tells of it, and it is not there"#]],
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
            journal entry 3: it follows entry 1: entries between are missing
            token `t0`: no entry says who made it"#]],
    );
}

#[test]
fn the_last_entry_taken_out_is_noticed() {
    check(
        "journal.db",
        "DELETE FROM entry WHERE position = 4",
        &expect![[r#"
            3 entries, 2 batches, 2 spans
            the journal ends at entry 3, but entry 4 was there: its end is cut off
            token `t2`: no entry says who made it"#]],
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
            row 1 of the feed: it or its spans are not as they were written
            1 spans whose feed row is not there
            1 rows of the feed that are not there"#]],
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

/// How many items were looked at, and what was found, after two parked items of three were discarded
/// and `tamper` was done.
fn tampered_park(tamper: &str) -> (u64, String) {
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
}

#[test]
fn an_item_that_did_not_become_what_its_entry_says_is_named() {
    assert_eq!(tampered_park(""), (2, String::new()));
    let row = "UPDATE quarantine SET state = 1 WHERE id = 2";
    expect![[r#"
        item 2 of the quarantine: entry 3, under which it was decided, does not say so"#]]
    .assert_eq(&tampered_park(row).1);
    let row = "UPDATE quarantine SET entry = NULL WHERE id = 2";
    expect!["item 2 of the quarantine: it was discarded, and no entry says by whom"]
        .assert_eq(&tampered_park(row).1);
    let row = "UPDATE quarantine SET entry = 1 WHERE id = 1";
    expect![[r#"
        item 1 of the quarantine: entry 1, under which it was decided, does not say so
        item 1 of the quarantine: it was decided under entry 1, which is said to have come to nothing"#]]
    .assert_eq(&tampered_park(row).1);
}

#[test]
fn half_a_parked_item_taken_out_is_noticed() {
    let said = "1 parked items of which one half is not there";
    // of one that is decided, and of one that waits
    assert_eq!(tampered_park("DELETE FROM quarantine WHERE id = 1").1, said);
    let found = tampered_park("DELETE FROM parking WHERE item = 3").1;
    assert!(found.contains(said), "{found}");
}

#[test]
fn a_ledger_that_was_changed_is_noticed() {
    for tamper in [
        "UPDATE ledger SET batches = 3",
        "UPDATE ledger SET first_sequence = 0",
        "UPDATE ledger SET last_sequence = 9",
        "DELETE FROM ledger",
    ] {
        check(
            "samples.db",
            tamper,
            &expect![[r#"
                4 entries, 2 batches, 2 spans
                1 epochs whose ledger is not that of their batches"#]],
        );
    }
}

#[test]
fn the_newest_span_taken_out_is_noticed() {
    check(
        "samples.db",
        "DELETE FROM span WHERE batch = 2",
        &expect![[r#"
        4 entries, 2 batches, 1 spans
        row 2 of the feed: it or its spans are not as they were written
        1 gauges whose spans reach further, or less far, than is known of them"#]],
    );
}

#[test]
fn a_span_taken_out_with_its_feed_row_is_noticed() {
    let tamper = "DELETE FROM span WHERE batch = 2; DELETE FROM feed WHERE batch = 2;
        UPDATE gauge SET newest_ms = (SELECT max(to_ms) FROM span)";
    check(
        "samples.db",
        tamper,
        &expect![[r#"
        4 entries, 2 batches, 1 spans
        1 rows of the feed that are not there"#]],
    );
}

#[test]
fn flags_that_were_changed_are_noticed() {
    check(
        "samples.db",
        "UPDATE span SET qc = x'0202' WHERE batch = 2",
        &expect![[r#"
        4 entries, 2 batches, 2 spans
        row 2 of the feed: it or its spans are not as they were written"#]],
    );
}

#[test]
fn a_feed_row_that_was_made_live_is_noticed() {
    check(
        "samples.db",
        "UPDATE feed SET received_at = received_at + 1 WHERE position = 1",
        &expect![[r#"
            4 entries, 2 batches, 2 spans
            row 1 of the feed: it or its spans are not as they were written"#]],
    );
}

#[test]
fn a_reach_that_would_hide_samples_from_their_readers_is_noticed() {
    check(
        "samples.db",
        "UPDATE gauge SET longest_ms = 0",
        &expect![[r#"
        4 entries, 2 batches, 2 spans
        1 gauges whose spans reach further, or less far, than is known of them"#]],
    );
}

/// What is found of a store that `make` has filled and `tamper` has changed.
fn found(file: &str, make: impl Fn(&Store), tamper: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    make(&store);
    store.close();
    run(&folder.path().join(file), tamper);
    let store = open(folder.path());
    let report = store::verify(&store).unwrap();
    let found: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    found.join("\n")
}

#[test]
fn garbage_that_was_overwritten_is_named() {
    let garbage = |store: &Store| {
        for (second, payload) in [&b"junk"[..], b"rubbish"].into_iter().enumerate() {
            let write = Quarantine {
                agent: "gw".parse().unwrap(),
                topic: "baseflow/v1/gw/batch".to_owned(),
                received_at: at(i64::try_from(second).unwrap()),
                payload: payload.to_vec(),
                reason: Reason::Undecodable,
                detail: "not a batch".to_owned(),
                key: None,
            };
            store.samples().write_blocking(write).unwrap();
        }
    };
    let found = |tamper| found("samples.db", garbage, tamper);
    assert_eq!(found(""), "");
    expect!["item 1 of the quarantine: its payload is not the one that was received"]
        .assert_eq(&found("UPDATE quarantine SET payload = x'00' WHERE id = 1"));
    expect!["item 2 of the quarantine: its payload is not the one that was received"]
        .assert_eq(&found("UPDATE quarantine SET bytes = 3 WHERE id = 2"));
    expect!["item 2 of the quarantine: its payload is not there, and nobody has decided about it"]
        .assert_eq(&found("UPDATE quarantine SET payload = NULL WHERE id = 2"));
}

#[test]
fn rights_that_no_entry_gives_are_named() {
    let people = |store: &Store| {
        let by = || By { kind: ByKind::Command, name: "root".to_owned() };
        let journal = store.journal();
        for name in ["reads", "gone"] {
            let (name, role) = (name.to_owned(), "viewer".to_owned());
            journal.write_blocking(AddToken { at: at(0), by: by(), name, role }).unwrap();
        }
        let name = "gone".to_owned();
        journal.write_blocking(RevokeToken { at: at(1), by: by(), name }).unwrap();
        for name in ["Li", "Wang", "Zhao"] {
            let (name, role, password) = (name.to_owned(), "duty".to_owned(), "$x".to_owned());
            let add = AddUser { at: at(2), by: by(), name, role, password, must_change: false };
            assert!(journal.write_blocking(add).unwrap());
        }
        let (name, password) = ("wang".to_owned(), "$y".to_owned());
        let (must_change, replaces) = (false, None);
        let set = SetPassword { at: at(3), by: by(), name, password, must_change, replaces };
        assert!(journal.write_blocking(set).unwrap());
        let name = "zhao".to_owned();
        assert!(journal.write_blocking(DisableUser { at: at(4), by: by(), name }).unwrap());
        let (name, role, password) = ("ZHAO".to_owned(), "admin".to_owned(), "$z".to_owned());
        let again = AddUser { at: at(5), by: by(), name, role, password, must_change: true };
        assert!(journal.write_blocking(again).unwrap());
        let name = "ZHAO".to_owned();
        assert!(journal.write_blocking(DisableUser { at: at(6), by: by(), name }).unwrap());
    };
    let found = |tamper| found("journal.db", people, tamper);
    assert_eq!(found(""), "");
    let tampers = [
        "UPDATE token SET role = 'admin' WHERE name = 'reads'",
        "UPDATE token SET revoked_at = NULL WHERE name = 'gone'",
        "DELETE FROM token WHERE name = 'gone'",
        "INSERT INTO token (name, role, digest, created_at) VALUES ('x', 'admin', x'00', 1)",
        "UPDATE user SET role = 'admin' WHERE name = 'li'",
        "UPDATE user SET disabled_at = NULL WHERE name = 'zhao'",
        "UPDATE user SET password = '$o', password_at = 7 WHERE name = 'wang'",
    ];
    let all: Vec<_> = tampers.iter().map(|tamper| found(tamper)).collect();
    expect![[r#"
        token `reads`: its role is `admin`, and by its last entry `viewer`
        token `gone`: by its last entry it was taken back
        token `gone`: an entry tells of it, and it is not there
        token `x`: no entry says who made it
        user `li`: its role is `admin`, and by its last entry `duty`
        user `zhao`: by its last entry it was taken back
        user `wang`: its password is of another moment than its last entry says"#]]
    .assert_eq(&all.join("\n"));
}
