//! Damage: what can be read goes on, what cannot is told, and nothing stands half-way for good.

use std::{collections::BTreeSet, fs, os::unix::fs::FileExt as _, path::PathBuf};

use model::{batch::GapReason, wire::batch_v1};
use prometheus::Registry;
use proptest::prelude::*;

use super::{
    super::{salvage, *},
    world::{STORE, World, values},
};
use crate::metrics::Metrics;

/// Whatever is in the log is folded into the file, and no page of it stays in memory.
fn fold(world: &mut World) {
    let database = &world.spool().database;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    database.execute_batch("PRAGMA shrink_memory").unwrap();
}

/// Garbage in these pages, counted from 0; how many the file has.
fn garble(world: &World, pages: impl IntoIterator<Item = u64>) -> u64 {
    let file = fs::OpenOptions::new().write(true).open(&world.settings.path).unwrap();
    let all = file.metadata().unwrap().len() / 4_096;
    for page in pages {
        if page < all {
            file.write_all_at(&[0x55; 4_096], page * 4_096).unwrap();
        }
    }
    all
}

fn damage_everything(world: &mut World) {
    fold(world);
    garble(world, 1..10_000);
}

fn beside(world: &World, ending: &str) -> PathBuf {
    file::beside(&world.settings.path, ending)
}

/// Every batch that is queued, read as it would be sent.
fn queued(world: &mut World) -> Vec<model::batch::Batch> {
    let (keys, now) = (world.queued.clone(), world.now);
    let mut batches = Vec::new();
    for key in keys {
        let payload = world.spool().load(key, now).unwrap().unwrap();
        batches.push(batch_v1::decode(&payload).unwrap().0);
    }
    batches
}

/// Sequences of `epoch` that gaps name as damaged.
fn told(world: &mut World, epoch: Epoch) -> BTreeSet<u64> {
    let batches = queued(world);
    let gaps = batches.iter().flat_map(|batch| &batch.gaps);
    gaps.filter(|gap| gap.epoch == epoch && gap.reason == GapReason::Damaged)
        .flat_map(|gap| gap.first_sequence..=gap.last_sequence)
        .collect()
}

#[test]
fn a_start_on_a_damaged_file_keeps_it_aside_and_sends_what_can_be_read() {
    for (name, page, is_told) in [("header", 0, true), ("root of meta", 2, false)] {
        let mut world = World::new();
        let old = world.spool().epoch;
        world.batch(3);
        world.batch(3);
        fold(&mut world);
        world.spool = None;
        garble(&world, [page]);
        world.start();
        let new = world.spool().epoch;
        assert_ne!(new, old, "{name}");
        assert!(beside(&world, ".damaged-1").try_exists().unwrap(), "{name}");
        world.batch(2);
        let batches = queued(&mut world);
        let gaps: Vec<_> = batches.iter().flat_map(|batch| &batch.gaps).collect();
        assert_eq!(!gaps.is_empty(), is_told, "{name}: {gaps:?}");
        let known: usize = batches.iter().map(|batch| values(batch).count()).sum();
        assert_eq!(known, if is_told { 2 } else { 8 }, "{name}");
        for gap in gaps {
            assert_eq!((gap.epoch, gap.last_sequence), (Epoch(0), 0), "nobody can tell which");
            assert_eq!(gap.gauges, world.settings.gauges);
        }
    }
}

#[test]
fn what_a_start_cannot_read_of_the_open_batch_or_of_waiting_gaps_is_told() {
    for table in ["reading", "gap"] {
        let mut world = World::new();
        let old = world.spool().epoch;
        world.batch(1_000);
        world.batch(1_000);
        world.spool().settings.max_bytes = 1;
        world.batch(3); // drops the first two, whose gap waits
        world.append(2).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let root: u64 = world
            .spool()
            .database
            .query_row(sql, [table], |row| row.get::<_, i64>(0))
            .unwrap()
            .cast_unsigned();
        fold(&mut world);
        world.spool = None;
        garble(&world, [root - 1]);
        world.start();
        world.batch(1);
        let expected = if table == "reading" { [4].into() } else { [1, 2].into() };
        assert_eq!(told(&mut world, old), expected, "{table}");
        let known: usize = queued(&mut world).iter().map(|batch| values(batch).count()).sum();
        // what was not closed is in the batcher's memory here, and would be gone after a crash
        assert!(known >= 4, "{table}: {known}");
    }
}

#[test]
fn damage_found_before_the_clock_is_trusted_counts_from_boot_and_owes_an_anchor() {
    let mut world = World::new();
    let (epoch, boot_id) = (world.spool().epoch, world.settings.boot_id);
    for _ in 0..2 {
        world.batch(3);
    }
    world.now.is_trusted = false;
    world.restart();
    let now = world.now;
    let database = &world.spool().database;
    database.execute("UPDATE batch SET bytes = x'0badc0de'", []).unwrap();
    database.execute("UPDATE batch SET from_ms = 5, to_ms = 9 WHERE sequence = 2", []).unwrap();
    let look = |world: &mut World, sequence| {
        assert_eq!(world.spool().load(BatchKey { epoch, sequence }, now).unwrap(), None);
        world.hear();
        world.spool().is_anchor_owed()
    };
    assert!(!look(&mut world, 1), "its row is of UTC");
    assert!(look(&mut world, 2), "its row may be of any start");
    world.restart();
    assert!(world.spool().is_anchor_owed(), "noted on disk");
    world.batch(1);
    let gaps: Vec<_> = queued(&mut world).into_iter().flat_map(|batch| batch.gaps).collect();
    let told: Vec<_> = gaps.iter().map(|gap| (gap.first_sequence, gap.boot, gap.count)).collect();
    assert_eq!(told, [(1, None, 3), (2, Some(boot_id), 0)]);
    assert_eq!((gaps[1].from_ms, gaps[1].to_ms), (now.boot_ms, now.boot_ms));
    // the same of a file that is given up, found by a start or while running
    for is_running in [false, true] {
        let mut world = World::new();
        world.batch(1_500);
        damage_everything(&mut world);
        world.now.is_trusted = false;
        if is_running {
            world.append(1).unwrap();
        } else {
            world.spool = None;
            world.start();
        }
        assert!(world.spool().is_anchor_owed(), "{is_running}");
    }
}

#[test]
fn damage_met_while_running_costs_no_reading_of_the_open_batch() {
    let mut world = World::new();
    let old = world.spool().epoch;
    for _ in 0..40 {
        world.batch(1_500);
    }
    world.append(2).unwrap();
    damage_everything(&mut world);
    world.batch(2);
    let new = world.spool().epoch;
    assert_ne!(new, old);
    assert_eq!(world.queued, BTreeSet::from([BatchKey { epoch: new, sequence: 1 }]));
    let batch = queued(&mut world).remove(0);
    assert_eq!(values(&batch).count(), 4);
    assert_eq!((batch.gaps[0].first_sequence, batch.gaps[0].last_sequence), (1, 40));
    assert_eq!(batch.previous.unwrap().last_sequence, 40);
}

#[test]
fn a_batch_renewed_while_damage_is_met_has_the_identity_of_the_new_spool() {
    for is_lost in [false, true] {
        let mut world = World::new();
        let (old, now) = (world.spool().epoch, world.now);
        for _ in 0..2 {
            world.batch(3);
        }
        let digest_of = |world: &mut World, sequence| {
            let key = BatchKey { epoch: old, sequence };
            let payload = world.spool().load(key, now).unwrap().unwrap();
            (key, batch_v1::decode(&payload).unwrap().1)
        };
        let (first, digest) = digest_of(&mut world, 1);
        world.spool().renew(first, &digest, now).unwrap();
        world.hear();
        let (second, mut digest) = digest_of(&mut world, 2);
        let renewed = world.spool().epoch;
        let database = &world.spool().database;
        if is_lost {
            // no copy of it is what this says, so the new spool has a gap in its place
            digest = [0x11; 32];
            let sql = "UPDATE batch SET digest = ?1 WHERE sequence = 2";
            database.execute(sql, [digest]).unwrap();
        }
        // read for the first time after the batch was
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'";
        let root: i64 = database.query_row(sql, [], |row| row.get(0)).unwrap();
        fold(&mut world);
        garble(&world, [root.unsigned_abs() - 1]);
        world.spool().renew(second, &digest, now).unwrap();
        world.hear();
        let epoch = world.spool().epoch;
        assert!(epoch != old && epoch != renewed, "a new spool");
        world.batch(1);
        world.restart();
        let keys: Vec<BatchKey> = world.queued.iter().copied().collect();
        for (key, batch) in keys.iter().zip(queued(&mut world)) {
            assert_eq!((batch.id.epoch, batch.id.sequence), (key.epoch, key.sequence));
        }
        let of = |epoch| keys.iter().filter(|key| key.epoch == epoch).count();
        let expected = if is_lost { (0, 1, 1) } else { (0, 1, 2) };
        assert_eq!((of(old), of(renewed), of(epoch)), expected, "{keys:?}");
        assert_eq!(told(&mut world, old).contains(&2), is_lost);
    }
}

#[test]
fn the_damage_is_told_even_after_a_crash_right_behind_it() {
    let mut world = World::new();
    let old = world.spool().epoch;
    for _ in 0..5 {
        world.batch(1_500);
    }
    damage_everything(&mut world);
    world.append(2).unwrap();
    world.hear();
    // only what the disk has goes on from here
    let copy = world.copy();
    world.spool = None;
    world.settings.path = copy.path().join("spool.db");
    world.start();
    assert_eq!(told(&mut world, old), (1..=5).collect());
    assert_eq!(queued(&mut world).iter().map(|batch| values(batch).count()).sum::<usize>(), 2);
}

#[test]
fn the_store_and_what_it_named_outlive_damage() {
    let mut world = World::new();
    let now = world.now;
    world.spool().adopt(STORE, now);
    world.batch(3);
    damage_everything(&mut world);
    world.batch(3);
    world.batch(3);
    assert_eq!(world.spool().store_id(), Some(STORE));
    let epoch = world.spool().epoch;
    world.commit(&[BatchKey { epoch, sequence: 1 }]);
    world.restart();
    assert_eq!(world.spool().store_id(), Some(STORE));
    assert_eq!(world.queued, BTreeSet::from([BatchKey { epoch, sequence: 2 }]), "marked on disk");
}

#[test]
fn a_replacement_that_was_cut_off_anywhere_is_completed_by_the_next_start() {
    // how far it came: what is left of PATH, its log, and PATH.new
    for stage in 0..5 {
        let mut world = World::new();
        let old = world.spool().epoch;
        for _ in 0..3 {
            world.batch(20);
        }
        let path = world.settings.path.clone();
        let heir = salvage::Heir {
            agent: &world.settings.agent,
            epoch: Epoch(77),
            finding: finding::Finding {
                gauges: &world.settings.gauges,
                boot: None,
                at_ms: world.now.wall.as_ms(),
            },
            lost: &[],
        };
        match stage {
            0 => fs::write(beside(&world, ".new"), "half of a page").unwrap(),
            _ => salvage::Wreck::read(&path).rebuild(&path, &heir, |_| Ok(())).unwrap(),
        }
        if stage >= 2 {
            fs::rename(beside(&world, "-wal"), beside(&world, ".damaged-1-wal")).unwrap();
        }
        world.spool = None;
        if stage >= 3 {
            fs::rename(&path, beside(&world, ".damaged-1")).unwrap();
        }
        if stage == 4 {
            fs::rename(beside(&world, ".new"), &path).unwrap();
        }
        world.start();
        assert_eq!(world.spool().epoch, if stage == 0 { old } else { Epoch(77) }, "{stage}");
        assert!(!beside(&world, ".new").try_exists().unwrap(), "{stage}");
        let known: usize = queued(&mut world).iter().map(|batch| values(batch).count()).sum();
        assert_eq!(known, 60, "{stage}");
        world.batch(1);
        world.restart();
        assert_eq!(world.queued.len(), 4, "{stage}");
    }
}

#[test]
fn a_step_that_fails_leaves_all_in_memory_and_is_tried_again() {
    let mut world = World::new();
    let old = world.spool().epoch;
    for _ in 0..3 {
        world.batch(1_500);
    }
    damage_everything(&mut world);
    // what stands in the way of the new file
    fs::create_dir_all(beside(&world, ".new").join("x")).unwrap();
    world.batch(4);
    world.batch(4);
    assert_eq!(world.spool().waiting_points(), 8);
    fs::remove_dir_all(beside(&world, ".new")).unwrap();
    world.batch(4);
    assert_eq!(world.spool().waiting_points(), 0);
    let known: usize = queued(&mut world).iter().map(|batch| values(batch).count()).sum();
    assert_eq!(known, 12);
    assert_eq!(told(&mut world, old), (1..=3).collect());
}

#[test]
fn a_damaged_spool_of_another_agent_is_left_alone() {
    let mut world = World::new();
    world.batch(3);
    fold(&mut world);
    world.spool = None;
    // every table but `meta`
    garble(&world, 3..100);
    let before = fs::read(&world.settings.path).unwrap();
    let settings = Settings { agent: "other".parse().unwrap(), ..world.settings.clone() };
    let metrics = Metrics::new(&Registry::new()).unwrap();
    let error = Spool::open(settings, metrics, world.now).unwrap_err();
    assert!(error.to_string().contains("belongs to agent `gw`"), "{error}");
    assert_eq!(fs::read(&world.settings.path).unwrap(), before);
}

#[test]
fn of_damaged_files_the_latest_few_are_kept() {
    let mut world = World::new();
    for _ in 0..6 {
        world.batch(3);
        damage_everything(&mut world);
        world.batch(3);
    }
    let names = fs::read_dir(world.folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_file = |name: &String| name.contains("damaged") && !name.ends_with("-wal");
    let kept: BTreeSet<String> = names.filter(is_file).collect();
    let expected = (1..=4).map(|number| format!("spool.db.damaged-{number}"));
    assert_eq!(kept, expected.collect());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whichever_pages_break_every_batch_is_still_queued_or_told_as_lost(
        sizes in proptest::collection::vec(1_i64..3_000, 1..12),
        broken in proptest::collection::vec(1_u64..40, 1..4),
        is_restarted in any::<bool>(),
    ) {
        let mut world = World::new();
        let old = world.spool().epoch;
        for size in sizes.iter().copied() {
            world.batch(size);
        }
        fold(&mut world);
        if is_restarted {
            world.spool = None;
        }
        garble(&world, broken);
        if is_restarted {
            world.start();
        }
        world.batch(2);
        // reading each of them meets damage that no write has met
        for key in world.queued.clone() {
            let now = world.now;
            drop(world.spool().load(key, now));
        }
        world.hear();
        world.batch(2);
        world.batch(2);
        let told = told(&mut world, old);
        let queued: BTreeSet<u64> =
            world.queued.iter().filter(|key| key.epoch == old).map(|key| key.sequence).collect();
        if world.spool().epoch != old && !told.contains(&0) {
            for sequence in 1..=u64::try_from(sizes.len()).unwrap() {
                prop_assert!(
                    told.contains(&sequence) != queued.contains(&sequence),
                    "{sequence}: told {told:?}, queued {queued:?}"
                );
            }
        }
    }
}
