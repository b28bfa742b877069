//! Opening: the tables are those of the formats, and what is not ours is refused with advice.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use expect_test::{Expect, expect};
use model::fault::Chain;
use rusqlite::Connection;
use store::{Limits, Role, Store};

use crate::making::{LIMITS, at, batch, open, open_as, options, put_new};

fn schema(folder: &Path, file: &str, expected: &Expect) {
    let connection = Connection::open(folder.join(file)).unwrap();
    let pragma = |name: &str| {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| {
            row.get::<_, String>(0).or_else(|_| row.get::<_, i64>(0).map(|n| n.to_string()))
        })
    };
    let mut lines = Vec::new();
    for name in ["application_id", "user_version", "journal_mode", "auto_vacuum", "page_size"] {
        lines.push(format!("{name} {}", pragma(name).unwrap()));
    }
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut statement = connection.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    lines.extend(tables.map(|sql| {
        let sql = sql.unwrap();
        sql.split_whitespace().collect::<Vec<_>>().join(" ")
    }));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn the_tables_of_samples_are_those_of_the_formats() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    schema(
        folder.path(),
        "samples.db",
        &expect![[r#"
            application_id 1111905073
            user_version 1
            journal_mode wal
            auto_vacuum 2
            page_size 4096
            CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
            CREATE TABLE agent (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT, status_at INTEGER, seen_at INTEGER)
            CREATE TABLE ledger (agent INTEGER NOT NULL, epoch INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, batches INTEGER NOT NULL, previous_epoch INTEGER, previous_sequence INTEGER, PRIMARY KEY (agent, epoch)) WITHOUT ROWID
            CREATE TABLE station (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)
            CREATE TABLE gauge (id INTEGER PRIMARY KEY, station INTEGER NOT NULL, name TEXT NOT NULL, unit TEXT NOT NULL, newest_ms INTEGER, longest_ms INTEGER NOT NULL DEFAULT 0, conflicts INTEGER NOT NULL DEFAULT 0, UNIQUE (station, name))
            CREATE TABLE batch (position INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, agent INTEGER NOT NULL, received_at INTEGER NOT NULL, bytes BLOB NOT NULL)
            CREATE TABLE admitted (agent INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, digest BLOB NOT NULL, batch INTEGER, PRIMARY KEY (agent, epoch, sequence)) WITHOUT ROWID
            CREATE TABLE admitted_payload (agent INTEGER NOT NULL, digest BLOB NOT NULL, batch INTEGER, PRIMARY KEY (agent, digest)) WITHOUT ROWID
            CREATE TABLE feed (position INTEGER PRIMARY KEY AUTOINCREMENT, station INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, batch INTEGER NOT NULL, received_at INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL)
            CREATE TABLE span (gauge INTEGER NOT NULL, from_ms INTEGER NOT NULL, feed INTEGER NOT NULL, to_ms INTEGER NOT NULL, batch INTEGER NOT NULL, points INTEGER NOT NULL, decimals INTEGER NOT NULL, offset_ms INTEGER NOT NULL, qc BLOB, PRIMARY KEY (gauge, from_ms, feed)) WITHOUT ROWID
            CREATE TABLE retold (gauge INTEGER NOT NULL, size INTEGER NOT NULL, batch INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, points INTEGER NOT NULL, decimals INTEGER NOT NULL, offset_ms INTEGER NOT NULL, PRIMARY KEY (gauge, size)) WITHOUT ROWID
            CREATE TABLE gap (batch INTEGER NOT NULL, number INTEGER NOT NULL, agent INTEGER NOT NULL, epoch INTEGER NOT NULL, first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL, gauges TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, reason INTEGER NOT NULL, readings INTEGER NOT NULL, PRIMARY KEY (batch, number)) WITHOUT ROWID
            CREATE INDEX gap_to ON gap (to_ms)
            CREATE TABLE anchor (id INTEGER PRIMARY KEY AUTOINCREMENT, agent INTEGER NOT NULL, boot BLOB NOT NULL, utc_at_boot_ms INTEGER NOT NULL, uncertainty_ms INTEGER NOT NULL, source INTEGER NOT NULL, received_at INTEGER NOT NULL, others INTEGER NOT NULL DEFAULT 0, UNIQUE (agent, boot))
            CREATE INDEX anchor_agent ON anchor (agent)
            CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, state INTEGER NOT NULL, agent TEXT NOT NULL, topic TEXT NOT NULL, received_at INTEGER NOT NULL, bytes INTEGER NOT NULL, digest BLOB NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, batch INTEGER, gauges TEXT, gauge_count INTEGER NOT NULL, payload BLOB, entry INTEGER)
            CREATE INDEX quarantine_kind ON quarantine (kind)
            CREATE TABLE parking (item INTEGER PRIMARY KEY, agent INTEGER NOT NULL, boot BLOB, likeness BLOB UNIQUE, batches INTEGER NOT NULL, waiting INTEGER NOT NULL, bytes INTEGER NOT NULL, cost INTEGER NOT NULL, beside INTEGER NOT NULL, last_at INTEGER NOT NULL, from_ms INTEGER, to_ms INTEGER, due INTEGER)
            CREATE INDEX parking_waiting ON parking (agent, boot) WHERE waiting > 0
            CREATE INDEX parking_decided ON parking (item) WHERE waiting = 0
            CREATE INDEX parking_due ON parking (due) WHERE due IS NOT NULL
            CREATE TABLE parked (item INTEGER NOT NULL, batch INTEGER NOT NULL, is_alone INTEGER NOT NULL, cost INTEGER NOT NULL, own BLOB, judged_at INTEGER NOT NULL, due INTEGER, PRIMARY KEY (item, batch)) WITHOUT ROWID
            CREATE INDEX parked_due ON parked (item, due) WHERE due IS NOT NULL
            CREATE TABLE chain_head (position INTEGER PRIMARY KEY, hash BLOB NOT NULL)"#]],
    );
}

#[test]
fn the_tables_of_the_journal_are_those_of_the_formats() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    schema(
        folder.path(),
        "journal.db",
        &expect![[r#"
            application_id 1111902769
            user_version 1
            journal_mode wal
            auto_vacuum 2
            page_size 4096
            CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
            CREATE TABLE entry (position INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL)
            CREATE TABLE personal (id INTEGER PRIMARY KEY AUTOINCREMENT, salt BLOB NOT NULL, text TEXT NOT NULL)
            CREATE TABLE registry (entry INTEGER PRIMARY KEY, file_digest BLOB NOT NULL)
            CREATE TABLE token (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, digest BLOB NOT NULL UNIQUE, created_at INTEGER NOT NULL, opened_at INTEGER, revoked_at INTEGER)
            CREATE TABLE user (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE COLLATE NOCASE, role TEXT NOT NULL, password TEXT NOT NULL, created_at INTEGER NOT NULL, must_change INTEGER NOT NULL, password_at INTEGER NOT NULL, disabled_at INTEGER)
            CREATE TABLE attempt (name TEXT NOT NULL, place TEXT NOT NULL, tries INTEGER NOT NULL, is_familiar INTEGER NOT NULL, tried_at INTEGER NOT NULL, PRIMARY KEY (name, place)) WITHOUT ROWID
            CREATE INDEX attempt_tried ON attempt (is_familiar, tried_at)
            CREATE INDEX attempt_familiar ON attempt (name, tried_at) WHERE is_familiar = 1
            CREATE TABLE session (digest BLOB PRIMARY KEY, user INTEGER NOT NULL, begun_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID
            CREATE INDEX session_user ON session (user, begun_at)
            CREATE TABLE consumer (name TEXT PRIMARY KEY, sample_position INTEGER NOT NULL, entry_position INTEGER NOT NULL) WITHOUT ROWID
            CREATE TABLE section (id INTEGER PRIMARY KEY AUTOINCREMENT, station TEXT NOT NULL, name TEXT NOT NULL, begun_ms INTEGER NOT NULL, closed_ms INTEGER NOT NULL, UNIQUE (station, name))
            CREATE TABLE again (section INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL, PRIMARY KEY (section, from_ms)) WITHOUT ROWID
            CREATE TABLE verdict (section INTEGER NOT NULL, by INTEGER NOT NULL, from_ms INTEGER NOT NULL, version INTEGER NOT NULL, to_ms INTEGER NOT NULL, verdict INTEGER, is_withdrawn INTEGER NOT NULL, judged_at INTEGER NOT NULL, is_late INTEGER NOT NULL, entry INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (section, by, from_ms, version)) WITHOUT ROWID
            CREATE TABLE standing (station TEXT NOT NULL, section TEXT NOT NULL, state TEXT NOT NULL, since_ms INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (station, section)) WITHOUT ROWID
            CREATE INDEX verdict_open ON verdict (section, to_ms) WHERE version = 0
            CREATE TABLE condition (rule TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (rule, subject)) WITHOUT ROWID
            CREATE TABLE alarm (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, rule TEXT NOT NULL, subject TEXT NOT NULL, station TEXT NOT NULL, severity TEXT NOT NULL, is_drill INTEGER NOT NULL, state TEXT NOT NULL, version INTEGER NOT NULL, began_at INTEGER NOT NULL, raised_at INTEGER, acknowledged_at INTEGER, acknowledged_by TEXT, acknowledged_as TEXT, cleared_at INTEGER, asked INTEGER, entry INTEGER, facts TEXT NOT NULL, bytes TEXT NOT NULL)
            CREATE INDEX alarm_open ON alarm (number) WHERE state <> 'normal'
            CREATE INDEX alarm_asked ON alarm (asked) WHERE asked IS NOT NULL
            CREATE INDEX alarm_state ON alarm (state, number)
            CREATE INDEX alarm_station ON alarm (station, number)
            CREATE INDEX alarm_station_state ON alarm (station, state, number)
            CREATE TABLE escalation (alarm BLOB PRIMARY KEY, is_open INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID
            CREATE INDEX escalation_open ON escalation (alarm) WHERE is_open = 1
            CREATE TABLE notification (number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, alarm BLOB NOT NULL, contact TEXT NOT NULL, channel TEXT NOT NULL, way INTEGER NOT NULL, occasion TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, is_doubted INTEGER NOT NULL, owed_at INTEGER NOT NULL, sent_at INTEGER, ended_at INTEGER, receipt INTEGER, text TEXT NOT NULL, token INTEGER, link BLOB UNIQUE, is_open INTEGER NOT NULL, entry INTEGER, bytes TEXT NOT NULL)
            CREATE INDEX notification_open ON notification (number) WHERE is_open = 1
            CREATE INDEX notification_alarm ON notification (alarm, number)"#]],
    );
}

fn refusal(folder: &Path, role: Role) -> String {
    let opened = Store::open_with(folder, &options(role), LIMITS, &prometheus::Registry::new());
    let text = Chain(&opened.map(Store::close).unwrap_err()).to_string();
    text.replace(&folder.display().to_string(), "DIR")
}

#[test]
fn nobody_else_can_read_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let store = open(&data);
    put_new(&store, batch(1, &[("level", vec![(0, 1)])]));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_folder_with_other_things_in_it_is_not_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let rights = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), rights.clone()).unwrap();
    fs::write(folder.path().join("letter.txt"), "").unwrap();
    assert!(refusal(folder.path(), Role::Server).contains("a folder of its own"));
    fs::remove_file(folder.path().join("letter.txt")).unwrap();
    open(folder.path()).close();
    fs::set_permissions(folder.path(), rights).unwrap();
    open(folder.path()).close();
}

#[test]
fn a_second_server_is_refused_by_name_and_a_command_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let text = refusal(folder.path(), Role::Server);
    let holder = format!("in use by process {} (", std::process::id());
    assert!(text.contains(&holder), "{text}");
    let command = open_as(folder.path(), Role::Command);
    assert_eq!(command.id(), store.id());
    command.close();
    store.close();
    open(folder.path()).close();
}

#[test]
fn a_store_keeps_its_id_and_its_first_entry() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path());
    let id = first.id();
    first.close();
    let store = open(folder.path());
    assert_eq!(store.id(), id);
    let entries = store.journal().read_blocking(|reader| reader.entries(0, 10)).unwrap();
    assert_eq!(entries.len(), 1);
    let document = entries[0].document().unwrap();
    assert_eq!((document.kind.as_str(), document.at), ("store_created", at(0)));
    assert!(document.body.get().contains(&id.to_string()));
}

#[test]
fn what_is_not_ours_or_is_later_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).close();
    let set = |pragma: &str| {
        let connection = Connection::open(folder.path().join("samples.db")).unwrap();
        connection.execute_batch(pragma).unwrap();
    };
    set("PRAGMA user_version = 2");
    expect!["`DIR/samples.db` was written by a later version (format 2, this one reads up to 1); start that version, or restore a backup"]
        .assert_eq(&refusal(folder.path(), Role::Server));
    set("PRAGMA user_version = 1; PRAGMA application_id = 7");
    expect!["`DIR/samples.db` is not a database of this program (application id 0x7)"]
        .assert_eq(&refusal(folder.path(), Role::Command));
}

#[test]
fn half_a_store_and_a_mixed_one_are_refused_with_advice() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for folder in [&one, &other] {
        let store = open(folder.path());
        put_new(&store, batch(1, &[("level", vec![(0, 1)])]));
        store.close();
    }
    let path = |folder: &tempfile::TempDir, file: &str| folder.path().join(file);
    fs::copy(path(&one, "journal.db"), path(&other, "journal.db")).unwrap();
    for rest in ["journal.db-wal", "journal.db-shm"] {
        drop(fs::remove_file(path(&other, rest)));
    }
    assert!(refusal(other.path(), Role::Server).contains("restore both from the same backup"));
    fs::remove_file(path(&other, "journal.db")).unwrap();
    assert!(refusal(other.path(), Role::Server).contains("`journal.db` is missing beside"));
    fs::remove_file(path(&one, "samples.db")).unwrap();
    assert!(refusal(one.path(), Role::Server).contains("`samples.db` is missing beside"));
}

#[test]
fn a_store_whose_making_was_interrupted_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let text = {
        let store = open(path);
        store.id().to_string()
    };
    // As if the power had failed between the two files: nothing was ever copied or stored.
    let connection = Connection::open(path.join("samples.db")).unwrap();
    connection.execute_batch("DELETE FROM chain_head").unwrap();
    drop(connection);
    for file in fs::read_dir(path).unwrap() {
        let file = file.unwrap().path();
        if file.to_string_lossy().contains("journal.db") {
            fs::remove_file(file).unwrap();
        }
    }
    assert_eq!(open(path).id().to_string(), text);
}

#[test]
fn the_usual_limits_are_those_of_the_formats() {
    let limits = Limits::default();
    assert_eq!((limits.parked, limits.garbage), (1 << 30, 64 << 20));
}
