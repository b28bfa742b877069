//! The journal: appended by several processes, seen within a second, registry and tokens in it.

use std::time::Duration;

use model::{quantity::Unit, registry::Registry, tree::Origin};
use rusqlite::Connection;
use store::{
    AddToken, Append, Body, By, ByKind, GaugeFacts, Import, ImportRegistry, Journal, JournalReader,
    JournalState, RevokeToken, Role, SetConsumer, Store, TokenAdded,
};
use tokio::sync::watch;

use crate::making::{at, open, open_as};

fn by() -> By {
    By { kind: ByKind::Command, name: "root".to_owned() }
}

fn append(journal: &Journal, n: u64) -> i64 {
    let body = Body::SamplesImported {
        file: "history.csv".to_owned(),
        file_digest: "ab".repeat(32),
        rows: n,
        refused: 0,
    };
    journal.write_blocking(Append { at: at(0), by: by(), body }).unwrap()
}

/// Waits until the state is as it should be, ten seconds at most.
fn wait(
    mut states: watch::Receiver<JournalState>,
    is_so: impl FnMut(&JournalState) -> bool,
) -> JournalState {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let waited = tokio::time::timeout(Duration::from_secs(10), states.wait_for(is_so)).await;
        let Ok(state) = waited else { panic!("nothing was told within ten seconds") };
        state.unwrap().clone()
    })
}

#[test]
fn two_processes_append_to_one_chain_and_each_sees_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path());
    let command = open_as(folder.path(), Role::Command);
    std::thread::scope(|scope| {
        for store in [&server, &command] {
            scope.spawn(|| {
                (0..20)
                    .map(|n| append(store.journal(), n))
                    .for_each(|position| assert!(position > 1));
            });
        }
    });
    for store in [&server, &command] {
        assert_eq!(wait(store.journal().watch(), |state| state.head == 41).head, 41);
    }
    command.close();
    let report = store::verify(&server).unwrap();
    assert_eq!((report.entries, report.findings), (41, vec![]));
}

#[test]
fn a_bare_connection_beside_is_seen_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let beside = Connection::open(folder.path().join("journal.db")).unwrap();
    let sql = "INSERT INTO entry VALUES (2, 0, 'x', x'00', zeroblob(32))";
    beside.execute_batch(sql).unwrap();
    assert_eq!(wait(store.journal().watch(), |state| state.head == 2).head, 2);
}

#[test]
fn a_token_is_shown_once_and_known_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let journal = store.journal();
    let add = AddToken { at: at(1), by: by(), name: "grafana".to_owned(), role: "read".to_owned() };
    let TokenAdded::Done { text } = journal.write_blocking(add.clone()).unwrap() else { panic!() };
    assert_eq!(journal.write_blocking(add).unwrap(), TokenAdded::NameTaken);
    let verify = |text: &str| {
        let known = journal.read_blocking(|reader| reader.verify_token(text)).unwrap();
        known.map(|token| (token.name, token.role))
    };
    assert_eq!(verify(text.as_str()), Some(("grafana".to_owned(), "read".to_owned())));
    assert_eq!(verify(&format!("bf_{}", "0".repeat(64))), None);
    assert_eq!(verify("' OR 1 = 1 --"), None);
    let revoke = RevokeToken { at: at(2), by: by(), name: "grafana".to_owned() };
    assert!(journal.write_blocking(revoke.clone()).unwrap());
    assert!(!journal.write_blocking(revoke).unwrap());
    assert_eq!(verify(text.as_str()), None);
    let tokens = journal.read_blocking(JournalReader::tokens).unwrap();
    assert_eq!((tokens[0].created_at, tokens[0].revoked_at), (at(1), Some(at(2))));
    let entries = journal.read_blocking(|reader| reader.entries(1, 10)).unwrap();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["token_added", "token_revoked"]);
    for entry in &entries {
        assert!(!String::from_utf8_lossy(&entry.bytes).contains(text.as_str()));
    }
}

#[test]
fn a_consumer_finds_its_positions_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let positions =
        || store.journal().read_blocking(|reader| reader.consumer("compliance")).unwrap();
    assert_eq!(positions(), None);
    for (samples, entries) in [(3, 1), (8, 2)] {
        let name = "compliance".to_owned();
        store.journal().write_blocking(SetConsumer { name, samples, entries }).unwrap();
    }
    assert_eq!(positions(), Some((8, 2)));
}

const FILE: &str = r#"
    [[station]]
    id = "A"
    name = "鹿鸣滩"
    kind = "hydropower"
    agent = "gw"
    owner = "李四"
    phone = "13900000000"
      [[station.gauge]]
      id = "level"
      quantity = "level"
      unit = "m"
      decimals = 2
      interval = "5s"
    [[station]]
    id = "B"
    kind = "hydropower"
"#;

fn registry(text: &str) -> Registry {
    store::registry::parse(text, &Origin::File("registry.toml".into())).unwrap()
}

fn import(store: &Store, registry: Registry, digest: u8, dry_run: bool) -> Import {
    let stored = GaugeFacts {
        gauge: "A/level".parse().unwrap(),
        unit: Unit::named("m").unwrap(),
        newest: Some(at(0)),
        conflicts: 0,
    };
    let write = ImportRegistry {
        at: at(0),
        by: by(),
        file: "registry.toml".to_owned(),
        file_digest: [digest; 32],
        registry,
        stored: vec![stored],
        dry_run,
    };
    store.journal().write_blocking(write).unwrap()
}

#[test]
fn a_registry_comes_into_force_in_one_entry_without_personal_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let new = registry(FILE);
    let dry = import(&store, new.clone(), 1, true);
    let Import::Done { position: None, changes } = dry else { panic!("{dry:?}") };
    assert!(!changes.is_empty());
    assert!(store.journal().watch().borrow().registry.is_none());
    let done = Import::Done { position: Some(2), changes };
    assert_eq!(import(&store, new.clone(), 1, false), done);
    assert_eq!(import(&store, new.clone(), 1, false), Import::Unchanged);
    let state = wait(store.journal().watch(), |state| state.registry.is_some());
    let in_force = state.registry.unwrap();
    assert_eq!((in_force.entry, in_force.file_digest), (2, [1; 32]));
    assert_eq!(*in_force.registry, new);
    let entries = store.journal().read_blocking(|reader| reader.entries(1, 10)).unwrap();
    let text = String::from_utf8(entries[0].bytes.clone()).unwrap();
    assert!(
        text.contains("鹿鸣滩") && !text.contains("李四") && !text.contains("13900000000"),
        "{text}"
    );
    assert_eq!(store::verify(&store).unwrap().findings, []);
    let known = |digest| store.journal().read_blocking(|reader| reader.import_of(&[digest; 32]));
    assert_eq!((known(1).unwrap(), known(2).unwrap()), (Some(2), None));
}

#[test]
fn a_station_with_data_may_not_vanish() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, registry(FILE), 1, false);
    let refused = import(&store, Registry::default(), 2, false);
    assert!(matches!(&refused, Import::Refused(faults) if faults.len() == 1), "{refused:?}");
    assert_eq!(store.journal().read_blocking(|reader| reader.entries(0, 9)).unwrap().len(), 2);
}

#[test]
fn a_gauge_does_not_come_back_with_another_unit_than_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, registry(FILE), 1, false);
    let mut without = registry(FILE);
    without.stations.get_mut("A").unwrap().gauges.clear();
    let gone = import(&store, without, 2, false);
    assert!(matches!(gone, Import::Done { .. }), "{gone:?}");
    let back = import(&store, registry(&FILE.replace("\"m\"", "\"cm\"")), 3, false);
    let Import::Refused(faults) = back else { panic!("{back:?}") };
    assert_eq!(faults[0].key, "station[A].gauge[level].unit");
    assert!(matches!(import(&store, registry(FILE), 4, false), Import::Done { .. }));
}

#[test]
fn personal_data_can_be_erased_and_the_chain_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    import(&store, registry(FILE), 1, false);
    // The same texts again take no second row.
    import(&store, registry(&FILE.replace("5s", "10s")), 2, false);
    let beside = Connection::open(folder.path().join("journal.db")).unwrap();
    let texts: i64 =
        beside.query_row("SELECT count(*) FROM personal", [], |row| row.get(0)).unwrap();
    assert_eq!(texts, 2);
    beside.execute_batch("DELETE FROM personal").unwrap();
    let in_force = store.journal().read_blocking(JournalReader::registry).unwrap().unwrap();
    assert!(in_force.registry.stations["A"].owner.as_ref().unwrap().is_erased());
    assert_eq!(store::verify(&store).unwrap().findings, []);
}
