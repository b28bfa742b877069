//! Notices at the spool: marks that wait for the disk, and gaps that a notice takes back.

use std::collections::BTreeSet;

use model::{batch::GapReason, wire::batch_v1};

use super::{
    super::*,
    world::{STORE, World},
};

fn log_bytes(world: &World) -> u64 {
    let log = file::beside(&world.settings.path, "-wal");
    std::fs::metadata(log).map_or(0, |log| log.len())
}

#[test]
fn a_mark_costs_two_pages_whatever_its_batches_weigh() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    for _ in 0..4 {
        world.batch(16_000);
    }
    let database = &world.spool().database;
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    for (sequence, pages) in [(1, 2), (2, 1), (4, 1), (3, 1)] {
        let before = log_bytes(&world);
        world.spool().commit(STORE, epoch, &[(sequence, sequence)], now).unwrap();
        assert_eq!(log_bytes(&world), before, "a notice alone writes nothing");
        world.spool().note(now).unwrap();
        let frames = (log_bytes(&world) - before) / 4_120;
        assert!(frames <= pages, "{frames} frames for {sequence}");
    }
    let rows: i64 = world
        .spool()
        .database
        .query_row("SELECT count(*) FROM committed", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 1, "what is committed is one range");
}

#[test]
fn what_a_notice_named_is_committed_at_once_and_marked_as_soon_as_the_disk_takes_it() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    for _ in 0..3 {
        world.batch(5);
    }
    world.spool().database.pragma_update(None, "query_only", true).unwrap();
    world.spool().commit(STORE, epoch, &[(1, 2)], now).unwrap();
    world.pass(6_000);
    let now = world.now;
    world.spool().commit(STORE, epoch, &[(2, 2)], now).unwrap_err();
    assert_eq!(world.spool().stats(now).queued, 1, "so it makes room before others do");
    world.spool().database.pragma_update(None, "query_only", false).unwrap();
    world.append(1).unwrap();
    let copy = world.copy();
    world.spool = None;
    world.settings.path = copy.path().join("spool.db");
    world.start();
    let left: BTreeSet<u64> = world.queued.iter().map(|key| key.sequence).collect();
    assert_eq!(left, BTreeSet::from([3, 4]), "the row took the marks along");
}

#[test]
fn a_notice_of_a_store_that_no_longer_counts_marks_nothing() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    world.batch(5);
    world.spool().adopt(StoreId(2), now);
    world.spool().commit(STORE, epoch, &[(1, 1)], now).unwrap();
    assert_eq!(world.spool().stats(now).queued, 1);
}

#[test]
fn an_anchor_that_the_disk_refuses_is_not_forgotten() {
    let mut world = World::new();
    let now = world.now;
    let anchor = ClockAnchor {
        boot_id: world.settings.boot_id,
        utc_at_boot_ms: 9,
        uncertainty_ms: 2,
        source: 1,
    };
    world.spool().database.pragma_update(None, "query_only", true).unwrap();
    world.spool().anchor(anchor, now).unwrap_err();
    world.spool().database.pragma_update(None, "query_only", false).unwrap();
    world.batch(1);
    let key = *world.queued.last().unwrap();
    let payload = world.spool().load(key, now).unwrap().unwrap();
    assert_eq!(batch_v1::decode(&payload).unwrap().0.anchors, [anchor]);
}

/// Batches of `1,000 + sequence` readings in a spool that has room for a few; those that were sent
/// and then dropped are `named` by a notice before the next batch is closed. Gives the gaps told.
fn gaps_after(dropped: u64, named: &[Range]) -> Vec<(u64, u64, u64)> {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    for sequence in 1..=dropped {
        world.batch(1_000 + i64::try_from(sequence).unwrap());
    }
    // all of it makes room at once, as if the settings had changed
    world.spool().settings.max_bytes = 1;
    world.batch(1);
    world.hear();
    world.spool().settings.max_bytes = 1 << 30;
    for range in named {
        world.spool().commit(STORE, epoch, &[*range], now).unwrap();
    }
    world.batch(1);
    let key = *world.queued.last().unwrap();
    let payload = world.spool().load(key, now).unwrap().unwrap();
    let gaps = batch_v1::decode(&payload).unwrap().0.gaps;
    assert!(gaps.iter().all(|gap| gap.reason == GapReason::Overwritten));
    gaps.iter().map(|gap| (gap.first_sequence, gap.last_sequence, gap.count)).collect()
}

#[test]
fn no_gap_names_what_a_notice_named_before_it_was_told() {
    assert_eq!(gaps_after(5, &[]), [(1, 5, 5_015)]);
    assert_eq!(gaps_after(5, &[(1, 5)]), []);
    assert_eq!(gaps_after(5, &[(1, 2)]), [(3, 5, 3_012)]);
    assert_eq!(gaps_after(5, &[(3, 3)]), [(1, 2, 2_003), (4, 5, 2_009)]);
    assert_eq!(gaps_after(5, &[(5, 9), (2, 2)]), [(1, 1, 1_001), (3, 4, 2_007)]);
}

#[test]
fn a_gap_whose_batch_was_dropped_and_did_arrive_is_not_told_twice() {
    let mut world = World::new();
    let (epoch, now) = (world.spool().epoch, world.now);
    world.spool().adopt(STORE, now);
    world.batch(1_000);
    world.spool().settings.max_bytes = 1;
    world.batch(1_000); // drops the first
    world.batch(1_000); // carries the gap of the first, and drops the second
    world.batch(1_000); // carries the gap of the second, and drops the third
    world.spool().settings.max_bytes = 1 << 30;
    world.batch(1);
    let mut told = Vec::new();
    for key in world.queued.clone() {
        let payload = world.spool().load(key, now).unwrap().unwrap();
        let gaps = batch_v1::decode(&payload).unwrap().0.gaps;
        told.extend(gaps.iter().map(|gap| (key.sequence, gap.first_sequence, gap.last_sequence)));
    }
    assert_eq!(told, [(4, 2, 2), (5, 1, 1), (5, 3, 3)], "without a word of the third");
    // the same once more, with a notice in between
    world.spool().settings.max_bytes = 1;
    world.batch(1); // carries nothing, and drops the fourth and fifth
    world.spool().settings.max_bytes = 1 << 30;
    world.spool().commit(STORE, epoch, &[(5, 5)], now).unwrap();
    world.batch(1);
    let key = *world.queued.last().unwrap();
    let payload = world.spool().load(key, now).unwrap().unwrap();
    let gaps = batch_v1::decode(&payload).unwrap().0.gaps;
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.first_sequence, gap.last_sequence)).collect();
    assert_eq!(gaps, [(2, 2), (4, 4)], "the fifth told of the first and the third");
}
