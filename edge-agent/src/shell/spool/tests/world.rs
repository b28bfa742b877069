//! A spool in a folder of its own, everything that went into it, and the balance of both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BootId, StoreId},
    reading::Point,
    wire::batch_v1,
};
use prometheus::Registry;
use tempfile::TempDir;

use super::super::*;
use crate::{clock_trust::BUILT_AT, metrics::Metrics};

pub(super) const STORE: StoreId = StoreId(1);

/// A spool in a folder of its own, and everything that went into it.
pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) spool: Option<Spool>,
    pub(super) settings: Settings,
    pub(super) now: Moment,
    /// Readings ever taken; each has a value of its own.
    pub(super) taken: i64,
    /// Of the open batch, as the batcher has it.
    pub(super) open: Vec<Point>,
    /// How many of those are rows.
    pub(super) saved: usize,
    pub(super) queued: BTreeSet<BatchKey>,
    /// What the server has: values, and gaps by batch.
    pub(super) stored: BTreeSet<i64>,
    pub(super) told_gaps: BTreeMap<BatchKey, u64>,
}

/// What a spool's file holds.
#[derive(Debug, Default)]
pub(super) struct Census {
    pub(super) values: BTreeSet<i64>,
    /// Readings counted by gaps that wait, and by the gaps of each batch.
    pub(super) waiting_gaps: u64,
    pub(super) gaps: BTreeMap<BatchKey, u64>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings {
            path: folder.path().join("spool.db"),
            agent: "gw".parse().unwrap(),
            hours: 1_000,
            max_bytes: 1 << 30,
            is_compressed: true,
            boot_id: BootId(7),
            gauges: vec!["S/a".parse().unwrap()],
        };
        let mut world = Self {
            folder,
            spool: None,
            settings,
            now: Moment { wall: BUILT_AT.plus_ms(1_000_000), boot_ms: 1_000_000, is_trusted: true },
            taken: 0,
            open: Vec::new(),
            saved: 0,
            queued: BTreeSet::new(),
            stored: BTreeSet::new(),
            told_gaps: BTreeMap::new(),
        };
        world.start();
        world
    }

    pub(super) fn start(&mut self) {
        let metrics = Metrics::new(&Registry::new()).unwrap();
        self.spool = Some(Spool::open(self.settings.clone(), metrics, self.now).unwrap());
        self.hear();
    }

    pub(super) fn spool(&mut self) -> &mut Spool {
        self.spool.as_mut().unwrap()
    }

    pub(super) fn hear(&mut self) -> Vec<Happening> {
        let happenings = self.spool().take_happenings();
        for happening in &happenings {
            match happening {
                Happening::Held(queued) => {
                    let keys = queued.iter().flat_map(|(epoch, ranges)| {
                        let all = ranges.iter().flat_map(|(first, last)| *first..=*last);
                        all.map(|sequence| BatchKey { epoch: *epoch, sequence })
                    });
                    self.queued = keys.collect();
                }
                Happening::Closed(key, _) => drop(self.queued.insert(*key)),
                Happening::Gone(epoch, (first, last)) => self
                    .queued
                    .retain(|key| key.epoch != *epoch || !(*first..=*last).contains(&key.sequence)),
                Happening::Loaded(..) => panic!("nobody asked"),
            }
        }
        happenings
    }

    pub(super) fn pass(&mut self, ms: i64) {
        let (wall, boot_ms) = (self.now.wall.plus_ms(ms), self.now.boot_ms + ms);
        self.now = Moment { wall, boot_ms, ..self.now };
    }

    pub(super) fn draft(points: Vec<Point>) -> Draft {
        let column = Column {
            gauge: "S/a".parse().unwrap(),
            unit: "m".into(),
            decimals: 0,
            period_ms: 1_000,
            points,
        };
        Draft { clock: BatchClock::Utc { uncertainty_ms: 0 }, columns: vec![column] }
    }

    /// Takes readings and saves them as a row.
    pub(super) fn append(&mut self, count: i64) -> Result<(), SpoolError> {
        self.pass(1_000);
        for _ in 0..count {
            self.taken += 1;
            // no two differences alike, so that nothing compresses to nothing
            let value = self.taken;
            let at_ms = BUILT_AT.as_ms() + self.taken * 1_000 + (self.taken * 7_919) % 997;
            self.open.push(Point::good(at_ms, value));
        }
        let row = Self::draft(self.open[self.saved..].to_vec());
        let now = self.now;
        self.spool().append(&row, now)?;
        self.saved = self.open.len();
        Ok(())
    }

    /// Stopped in order, and started again.
    pub(super) fn restart(&mut self) {
        let now = self.now;
        self.spool().finish(now).unwrap();
        self.spool = None;
        self.start();
    }

    pub(super) fn close(&mut self) {
        self.pass(1_000);
        if !self.open.is_empty() {
            let draft = Self::draft(std::mem::take(&mut self.open));
            self.saved = 0;
            let now = self.now;
            self.spool().close(draft, now);
            self.hear();
        }
    }

    /// Takes readings and closes them at once.
    pub(super) fn batch(&mut self, count: i64) {
        // whether the rows could be saved or not, the batch has them
        drop(self.append(count));
        self.close();
    }

    /// The server stores these and says so.
    pub(super) fn commit(&mut self, keys: &[BatchKey]) {
        let now = self.now;
        for key in keys {
            let Some(payload) = self.spool().load(*key, now).unwrap() else { continue };
            let (batch, _) = batch_v1::decode(&payload).unwrap();
            self.stored.extend(values(&batch));
            self.told_gaps.insert(*key, gap_count(&batch));
            let store_id = self.spool().store_id.unwrap_or(STORE);
            self.spool().commit(store_id, key.epoch, &[(key.sequence, key.sequence)], now).unwrap();
            self.queued.remove(key);
        }
        self.hear();
    }

    /// A copy of the files as they are, as a loss of power would leave them.
    pub(super) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        for name in ["spool.db", "spool.db-wal"] {
            let from = self.folder.path().join(name);
            if from.try_exists().unwrap() {
                fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    /// What another start on the same files would find.
    pub(super) fn census(&self) -> Census {
        let copy = self.copy();
        let settings = Settings { path: copy.path().join("spool.db"), ..self.settings.clone() };
        let metrics = Metrics::new(&Registry::new()).unwrap();
        let spool = Spool::open(settings, metrics, self.now).unwrap();
        census(&spool)
    }

    /// Every reading is on disk, at the server, in a gap's count, or still in memory.
    pub(super) fn reconcile(&self) {
        let census = self.census();
        let spool = self.spool.as_ref().unwrap();
        let unsaved = self.open.len() - self.saved;
        let in_memory: u64 = u64::try_from(unsaved + spool.waiting_points()).unwrap();
        let known: BTreeSet<i64> = census.values.union(&self.stored).copied().collect();
        let gaps = census.gaps.iter().filter(|(key, _)| !self.told_gaps.contains_key(key));
        let in_gaps: u64 = gaps.map(|(_, count)| count).sum::<u64>()
            + census.waiting_gaps
            + self.told_gaps.values().sum::<u64>()
            + spool.lost_readings();
        let known = u64::try_from(known.len()).unwrap();
        let taken = u64::try_from(self.taken).unwrap();
        // rows of a batch that waits in memory are on disk too, so both may count it
        assert!(
            known + in_gaps + in_memory >= taken,
            "{known} + {in_gaps} + {in_memory} of {taken}"
        );
        if in_memory == 0 {
            assert_eq!(known + in_gaps, taken, "{known} known, {in_gaps} in gaps");
        }
    }
}

pub(super) fn values(batch: &Batch) -> impl Iterator<Item = i64> {
    batch.columns.iter().flat_map(|column| column.points.iter().map(|point| point.value))
}

pub(super) fn gap_count(batch: &Batch) -> u64 {
    batch.gaps.iter().map(|gap| gap.count).sum()
}

pub(super) fn census(spool: &Spool) -> Census {
    let mut census = Census::default();
    let mut batches = spool.database.prepare("SELECT epoch, sequence, bytes FROM batch").unwrap();
    let mut rows = batches.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (batch, _) = batch_v1::decode(&row.get::<_, Vec<u8>>(2).unwrap()).unwrap();
        let key = BatchKey { epoch: batch.id.epoch, sequence: batch.id.sequence };
        for value in values(&batch) {
            assert!(census.values.insert(value), "{value} twice");
        }
        census.gaps.insert(key, gap_count(&batch));
    }
    let mut gaps = spool.database.prepare("SELECT bytes FROM gap").unwrap();
    let mut rows = gaps.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (batch, _) = batch_v1::decode(&row.get::<_, Vec<u8>>(0).unwrap()).unwrap();
        census.waiting_gaps += gap_count(&batch);
    }
    let open: i64 =
        spool.database.query_row("SELECT count(*) FROM reading", [], |row| row.get(0)).unwrap();
    assert_eq!(open, 0, "a start closes what a crash left open");
    census
}
