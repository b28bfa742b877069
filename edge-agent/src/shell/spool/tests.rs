//! What the spool promises: tried on real files, by a copy at every step, by a full disk and by
//! broken bytes.

mod balance;
mod damage;
mod notices;
mod world;

use std::{collections::BTreeSet, fs, path::Path};

use expect_test::{Expect, expect};
use model::{
    batch::{BatchClock, GapReason},
    reading::Point,
    wire::batch_v1,
};
use prometheus::Registry;

use self::world::{STORE, World, gap_count, values};
use super::*;
use crate::metrics::Metrics;

#[test]
fn the_schema_is_that_of_the_formats() {
    let mut world = World::new();
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid";
    let database = &world.spool().database;
    let mut statement = database.prepare(sql).unwrap();
    let tables = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let tables: Vec<String> = tables.map(Result::unwrap).collect();
    let pragmas = ["application_id", "user_version", "auto_vacuum", "page_size", "synchronous"];
    let pragmas = pragmas.map(|name| {
        let value: i64 = database.pragma_query_value(None, name, |row| row.get(0)).unwrap();
        format!("{name} {value}")
    });
    let journal: String =
        database.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    let shown = format!("{}\n{}\n{journal}", tables.join("\n"), pragmas.join("\n"));
    expect![[r#"
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID
        CREATE TABLE reading (id INTEGER PRIMARY KEY, columns BLOB NOT NULL)
        CREATE TABLE batch (epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
          digest BLOB NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, points INTEGER NOT NULL,
          closed_at INTEGER NOT NULL, ran_ms INTEGER NOT NULL,
          bytes BLOB NOT NULL,
          PRIMARY KEY (epoch, sequence))
        CREATE TABLE committed (epoch INTEGER NOT NULL,
          first_sequence INTEGER NOT NULL, last_sequence INTEGER NOT NULL,
          PRIMARY KEY (epoch, first_sequence)) WITHOUT ROWID
        CREATE TABLE gap (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)
        CREATE TABLE set_aside (id INTEGER PRIMARY KEY, source TEXT NOT NULL, bytes BLOB NOT NULL)
        application_id 1111904305
        user_version 1
        auto_vacuum 2
        page_size 4096
        synchronous 2
        wal"#]].assert_eq(&shown);
    assert!(rusqlite::version_number() >= 3_051_003, "older ones corrupt a WAL");
}

#[test]
fn a_second_agent_on_a_spool_is_refused_by_the_name_of_the_first() {
    let world = World::new();
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let error = Spool::open(world.settings.clone(), metrics, world.now).unwrap_err().to_string();
    let process = std::process::id();
    assert!(error.contains(&format!("agent gw, process {process}")), "{error}");
}

#[test]
fn a_spool_of_another_agent_or_program_is_refused_and_untouched() {
    fn check(break_it: impl FnOnce(&Path, &mut Settings), expected: &Expect) {
        let mut world = World::new();
        world.batch(1);
        world.spool = None;
        let mut settings = world.settings.clone();
        break_it(&world.settings.path, &mut settings);
        let before = fs::read(&settings.path).unwrap();
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let error = Spool::open(settings.clone(), metrics, world.now).unwrap_err();
        let shown = error.to_string().replace(&world.folder.path().display().to_string(), "");
        expected.assert_eq(&shown);
        let after = fs::read(&settings.path).unwrap();
        let differing = before.iter().zip(&after).position(|(before, after)| before != after);
        assert_eq!((differing, after.len()), (None, before.len()));
    }
    let pragma = |path: &Path, sql: &str| {
        let database = rusqlite::Connection::open(path).unwrap();
        database.execute_batch(sql).unwrap();
    };
    check(
        |_, settings| settings.agent = "other".parse().unwrap(),
        &expect!["spool `/spool.db` belongs to agent `gw`; give this agent a path of its own"],
    );
    check(
        |path, _| pragma(path, "PRAGMA user_version = 2"),
        &expect!["spool `/spool.db` has version 2, this program reads 1; use the newer program"],
    );
    check(
        |path, _| pragma(path, "PRAGMA application_id = 5"),
        &expect!["`/spool.db` is no spool but another database; correct `spool.path`"],
    );
}

#[test]
fn after_a_crash_the_open_batch_goes_on_under_its_sequence() {
    let mut world = World::new();
    world.batch(2);
    world.append(3).unwrap();
    world.append(3).unwrap();
    let copy = world.copy();
    let settings = Settings { path: copy.path().join("spool.db"), ..world.settings.clone() };
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let mut again = Spool::open(settings, metrics, world.now).unwrap();
    let epoch = world.spool().epoch;
    assert_eq!(again.take_happenings(), [Happening::Held(vec![(epoch, vec![(1, 2)])])]);
    let payload = again.load(BatchKey { epoch, sequence: 2 }, world.now).unwrap().unwrap();
    let (batch, _) = batch_v1::decode(&payload).unwrap();
    assert_eq!(values(&batch).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8]);
}

#[test]
fn committed_batches_go_first_and_then_the_oldest_with_a_gap() {
    let mut world = World::new();
    world.settings.max_bytes = 200 * 1_024;
    world.spool = None;
    world.start();
    let epoch = world.spool().epoch;
    let now = world.now;
    world.spool().adopt(STORE, now);
    let key = |sequence| BatchKey { epoch, sequence };
    for _ in 0..20 {
        world.batch(1_500);
    }
    world.commit(&[key(3), key(7)]);
    let mut first_lost = 0;
    while first_lost == 0 {
        world.batch(1_500);
        first_lost = world.spool().overwritten;
    }
    world.reconcile();
    let held = world.spool().shelves[0].held.clone();
    assert!(!held.contains(1), "the oldest is lost: {held:?}");
    assert!(!held.contains(3) && !held.contains(7), "what the server has went before: {held:?}");
    world.batch(1_500);
    let newest = key(world.spool().next_sequence - 1);
    let payload = world.spool().load(newest, now).unwrap().unwrap();
    let (batch, _) = batch_v1::decode(&payload).unwrap();
    assert_eq!(gap_count(&batch), first_lost);
    assert_eq!(batch.gaps[0].first_sequence, 1);
    for gap in &batch.gaps {
        assert_eq!(gap.reason, GapReason::Overwritten);
        assert_eq!(gap.gauges, world.settings.gauges);
        assert!(
            ![3, 7]
                .iter()
                .any(|sequence| (gap.first_sequence..=gap.last_sequence).contains(sequence))
        );
    }
}

#[test]
fn hours_are_hours_of_running_and_no_step_of_the_clock_ages_anything() {
    let mut world = World::new();
    world.settings.hours = 1;
    world.spool = None;
    world.start();
    world.batch(1);
    world.now.wall = world.now.wall.plus_ms(365 * 86_400_000);
    world.batch(1);
    assert_eq!(world.spool().overwritten, 0, "only the clock was set");
    // a restart after a month in the drawer
    world.spool = None;
    world.now.boot_ms = 5_000;
    world.start();
    world.batch(1);
    assert_eq!(world.spool().overwritten, 0, "nobody ran");
    world.pass(3_597_000);
    world.batch(1);
    assert_eq!(world.spool().overwritten, 2, "an hour of running");
    world.reconcile();
}

#[test]
fn hours_hold_for_what_is_queued_while_the_server_has_younger_ones() {
    let mut world = World::new();
    world.settings.hours = 1;
    world.restart();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    world.batch(1);
    world.pass(3_000_000);
    world.batch(2);
    world.commit(&[BatchKey { epoch, sequence: 2 }]);
    world.pass(1_000_000);
    world.batch(4);
    assert_eq!(world.spool().overwritten, 1, "the first is older than an hour");
    world.pass(2_600_000);
    world.batch(8);
    let held: Vec<_> = world.spool().shelves[0].held.ranges().collect();
    assert_eq!(held, [(3, 4)], "the second as well, which the server has");
    assert_eq!(world.spool().overwritten, 1);
    world.reconcile();
}

#[test]
fn another_store_is_offered_everything_that_is_held() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    for _ in 0..3 {
        world.batch(1);
    }
    world.commit(&[BatchKey { epoch, sequence: 2 }]);
    let queued = |world: &World| world.queued.iter().map(|key| key.sequence).collect::<Vec<_>>();
    assert_eq!(queued(&world), [1, 3]);
    world.restart();
    assert_eq!(queued(&world), [1, 3], "marks are on disk");
    world.spool().adopt(StoreId(2), now);
    world.hear();
    assert_eq!(queued(&world), [1, 2, 3]);
    world.restart();
    assert_eq!(queued(&world), [1, 2, 3]);
}

#[test]
fn a_forked_batch_is_sent_again_in_a_new_epoch_and_another_ones_is_not() {
    let mut world = World::new();
    let (old, now) = (world.spool().epoch, world.now);
    for _ in 0..3 {
        world.batch(2);
    }
    let digest_of = |world: &mut World, sequence| {
        let payload = world.spool().load(BatchKey { epoch: old, sequence }, now).unwrap().unwrap();
        batch_v1::decode(&payload).unwrap().1
    };
    world.spool().renew(BatchKey { epoch: old, sequence: 2 }, &[0; 32], now).unwrap();
    assert_eq!(world.spool().epoch, old, "somebody else's batch");
    for sequence in [2, 1] {
        let digest = digest_of(&mut world, sequence);
        world.spool().renew(BatchKey { epoch: old, sequence }, &digest, now).unwrap();
        world.hear();
    }
    let new = world.spool().epoch;
    assert_ne!(new, old);
    let keys: Vec<(bool, u64)> =
        world.queued.iter().map(|key| (key.epoch == new, key.sequence)).collect();
    assert_eq!(BTreeSet::from_iter(keys), BTreeSet::from([(false, 3), (true, 1), (true, 2)]));
    let payload = world.spool().load(BatchKey { epoch: new, sequence: 1 }, now).unwrap().unwrap();
    let (batch, _) = batch_v1::decode(&payload).unwrap();
    assert_eq!(batch.previous.unwrap().epoch, old);
    assert_eq!(batch.previous.unwrap().last_sequence, 3);
    world.reconcile();
    world.batch(1);
    assert!(world.queued.contains(&BatchKey { epoch: new, sequence: 3 }));
}

#[test]
fn an_anchor_is_owed_until_it_is_on_disk_and_travels_with_the_next_batch() {
    let mut world = World::new();
    let now = world.now;
    let mut draft = World::draft(vec![Point::good(5_000, 1)]);
    draft.clock = BatchClock::Boot { boot_id: world.settings.boot_id };
    world.spool().append(&draft, now).unwrap();
    world.spool().close(draft, now);
    world.spool = None;
    world.start();
    assert!(world.spool().is_anchor_owed());
    let anchor = ClockAnchor {
        boot_id: world.settings.boot_id,
        utc_at_boot_ms: 9,
        uncertainty_ms: 2,
        source: 1,
    };
    world.spool().anchor(anchor, now).unwrap();
    world.spool = None;
    world.start();
    assert!(!world.spool().is_anchor_owed());
    world.batch(1);
    let key = *world.queued.last().unwrap();
    let payload = world.spool().load(key, now).unwrap().unwrap();
    assert_eq!(batch_v1::decode(&payload).unwrap().0.anchors, [anchor]);
}

#[test]
fn rows_that_do_not_decode_are_stepped_over_and_kept_aside() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.batch(3);
    world.batch(3);
    world.append(2).unwrap();
    world.append(2).unwrap();
    let database = &world.spool().database;
    database.execute("UPDATE reading SET columns = x'0badc0de' WHERE id % 2 = 1", []).unwrap();
    database.execute("UPDATE batch SET bytes = x'0badc0de' WHERE sequence = 1", []).unwrap();
    world.spool = None;
    world.start();
    assert_eq!(world.spool().load(BatchKey { epoch, sequence: 1 }, now).unwrap(), None);
    world.batch(1);
    let kept: i64 = world
        .spool()
        .database
        .query_row("SELECT count(*) FROM set_aside", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 2);
    let batches = [3, 4].map(|sequence| {
        let payload = world.spool().load(BatchKey { epoch, sequence }, now).unwrap().unwrap();
        batch_v1::decode(&payload).unwrap().0
    });
    assert_eq!(values(&batches[0]).count(), 2, "the good row of the open batch");
    let gaps: Vec<_> = batches.iter().flat_map(|batch| &batch.gaps).collect();
    for gap in &gaps {
        assert_eq!(gap.gauges, world.settings.gauges, "nobody can tell whose they were");
    }
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.reason, gap.first_sequence, gap.count)).collect();
    assert_eq!(gaps, [(GapReason::Damaged, 3, 0), (GapReason::Damaged, 1, 3)]);
}

#[test]
fn a_full_disk_drops_committed_batches_then_the_oldest_and_then_counts() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    world.hear();
    for _ in 0..12 {
        world.batch(1_500);
    }
    let full = |world: &mut World, spare: i64| {
        let database = &world.spool().database;
        let pages: i64 = database.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        database
            .pragma_update_and_check(None, "max_page_count", pages + spare, |_| Ok(()))
            .unwrap();
    };
    world.commit(&[BatchKey { epoch, sequence: 5 }, BatchKey { epoch, sequence: 6 }]);
    full(&mut world, 0);
    world.batch(1_500);
    assert_eq!(world.spool().overwritten, 0, "two committed ones made room");
    world.reconcile();
    for _ in 0..30 {
        world.batch(1_500);
        world.reconcile();
    }
    assert!(world.spool().overwritten >= 1_500 * 20, "{}", world.spool().overwritten);
    // a batch larger than all there is: it waits, and is counted in the end
    for _ in 0..3 {
        world.batch(20_000);
        world.reconcile();
    }
    full(&mut world, 10_000);
    world.batch(1);
    world.batch(1);
    world.reconcile();
    assert_eq!(world.spool().waiting_points(), 0);
}
