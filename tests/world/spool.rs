//! What an agent's spool holds, read from its file as `docs/formats.md` §12 describes it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use model::{batch::Column, ids::GaugeId, wire::batch_v1};
use rusqlite::{Connection, OpenFlags, params};

use crate::{decode::Exact, folder::PATIENCE, site::Site, wait};

/// The contents of a spool.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Batches that no notice has named.
    pub queued: u64,
    /// Batches that a notice has named and that are still there.
    pub committed: u64,
    /// Points in the queued ones.
    pub queued_points: u64,
    /// Moment of the first reading of those, ms.
    pub oldest_queued_ms: Option<i64>,
    /// Readings lost for want of room, as the spool counts them.
    pub overwritten: u64,
    /// Every point of every batch, open ones included, whether committed or not.
    pub columns: Vec<Column>,
    /// The epoch that batches are made in.
    pub epoch: String,
}

impl Held {
    /// Reads a spool; its agent may run, be stopped, or have been killed. Nothing in it changes.
    pub fn read(path: &Path) -> Self {
        let what = format!("{} can be read", path.display());
        wait::until(&what, PATIENCE, || Self::in_place(path).or_else(|_| Self::of_a_copy(path)))
    }

    fn in_place(path: &Path) -> rusqlite::Result<Self> {
        let mut spool = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        spool.busy_timeout(PATIENCE)?;
        Self::of(&*spool.transaction()?)
    }

    /// What an agent that was killed has left can ask for a repair, which is the agent's to make.
    fn of_a_copy(path: &Path) -> rusqlite::Result<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = folder.path().join("spool.db");
        for ending in ["", "-wal", "-journal"] {
            let from = PathBuf::from(format!("{}{ending}", path.display()));
            let to = PathBuf::from(format!("{}{ending}", copy.display()));
            if from.try_exists().expect("a readable folder") {
                fs::copy(from, to).expect("a copy of the spool");
            }
        }
        Self::of(&Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
    }

    fn of(spool: &Connection) -> rusqlite::Result<Self> {
        let mut held = Self::default();
        let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'batch'";
        if spool.query_row(count, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(held); // killed while it was made
        }
        let mut batches = spool.prepare(
            "SELECT EXISTS (SELECT * FROM committed WHERE committed.epoch = batch.epoch
                 AND batch.sequence BETWEEN first_sequence AND last_sequence),
               points, bytes, from_ms FROM batch",
        )?;
        let mut rows = batches.query(params![])?;
        while let Some(row) = rows.next()? {
            let (is_committed, points): (bool, i64) = (row.get(0)?, row.get(1)?);
            let bytes: Vec<u8> = row.get(2)?;
            if is_committed {
                held.committed += 1;
            } else {
                held.queued += 1;
                held.queued_points += u64::try_from(points).expect("a count");
                let from_ms: i64 = row.get(3)?;
                held.oldest_queued_ms = Some(held.oldest_queued_ms.unwrap_or(from_ms).min(from_ms));
            }
            let (batch, _) = batch_v1::decode(&bytes).expect("a batch in the spool");
            held.columns.extend(batch.columns);
        }
        let mut readings = spool.prepare("SELECT columns FROM reading ORDER BY id")?;
        let mut rows = readings.query(params![])?;
        while let Some(row) = rows.next()? {
            held.columns.extend(open_columns(&row.get::<_, Vec<u8>>(0)?));
        }
        let meta = |key: &str| {
            let sql = "SELECT value FROM meta WHERE key = ?1";
            spool.query_row(sql, [key], |row| row.get::<_, String>(0))
        };
        held.epoch = meta("epoch")?;
        held.overwritten = meta("overwritten").map_or(0, |text| text.parse().unwrap_or(0));
        Ok(held)
    }

    /// How often each value of a site's gauges is held, in the gauge's unit at the stored resolution.
    pub fn values(&self, site: &Site) -> BTreeMap<(String, Exact), u64> {
        let mut values = BTreeMap::new();
        for column in &self.columns {
            let gauge: &GaugeId = &column.gauge;
            let register = site.register(gauge.name.as_str());
            for value in column.points.iter().filter_map(|point| point.value()) {
                let value = register.stored_value(i128::from(value));
                *values.entry((gauge.to_string(), value)).or_default() += 1;
            }
        }
        values
    }
}

/// The columns of an open batch's row: a batch without version, agent and identity.
fn open_columns(bytes: &[u8]) -> Vec<Column> {
    // What is missing comes first; Protocol Buffers allow fields in any order and count.
    let mut whole = vec![0x08, 1, 0x12, 1, b'x', 0x19];
    whole.extend(1_u64.to_le_bytes());
    whole.extend([0x20, 1]);
    whole.extend(bytes);
    batch_v1::decode(&whole).expect("an open batch in the spool").0.columns
}
