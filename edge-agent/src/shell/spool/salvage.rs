//! What a damaged spool still gives: a new one is made of it, beside it, and then takes its place.
//!
//! The new file is whole once its `meta` has an epoch, which its last transaction brings together
//! with the gaps of what is lost. So wherever this is cut off, the next call or the next start
//! either begins again, the damaged file being in its place still, or completes what is whole.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use model::{
    batch::{Gap, Previous},
    ids::{AgentId, Epoch, Sequence, StoreId},
    wire::batch_v1,
};
use rusqlite::{Connection, OpenFlags, params};
use rustix::fs::statvfs;

use super::{
    SpoolError,
    file::{self, beside, meta, previous_of, set_meta, set_previous},
    finding::Finding,
    room, takeover,
};
use crate::ledger::{BatchKey, Range, Sequences};

/// Batches copied in one transaction.
const CHUNK: usize = 64;
/// Batches are copied while the disk has this much left: the rest of it is for those to come.
const SPARE_BYTES: u64 = 4 * 1024 * 1024;

/// Sequences by epoch.
pub(super) type Batches = Vec<(Epoch, Sequences)>;

/// What is known of a damaged spool: from memory where it ran, else from what can be read of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Wreck {
    pub(super) owner: Option<String>,
    pub(super) epoch: Option<Epoch>,
    pub(super) next_sequence: Option<Sequence>,
    pub(super) previous: Option<Previous>,
    pub(super) store_id: Option<StoreId>,
    pub(super) overwritten: u64,
    pub(super) unanchored: Option<String>,
    /// `None`: as many as can be found.
    pub(super) queued: Option<Batches>,
    /// The file that it was, once the new one is in its place.
    pub(super) aside: Option<PathBuf>,
}

/// What the new spool is made with.
#[derive(Debug)]
pub(super) struct Heir<'a> {
    pub(super) agent: &'a AgentId,
    pub(super) epoch: Epoch,
    /// What gaps say of what cannot be read.
    pub(super) finding: Finding<'a>,
    /// Gaps that had no place on disk before.
    pub(super) lost: &'a [Gap],
}

/// The batches that can be found, and whether those are all.
#[derive(Debug, Default)]
struct Found {
    rows: BTreeMap<BatchKey, i64>,
    is_complete: bool,
}

/// What came of the batches.
#[derive(Debug, Default)]
struct Salvaged {
    /// Queued as far as anyone knows.
    wanted: Batches,
    /// Of those, in the new file.
    copied: Batches,
    /// Named by the damaged file, read or not.
    found: Batches,
    committed: Batches,
}

impl Wreck {
    /// What can be read of the file at `path`.
    pub(super) fn read(path: &Path) -> Self {
        let Some(old) = open(path) else { return Self::default() };
        let text = |key| meta(&old, key).ok().flatten();
        let epoch = text("previous_epoch").and_then(|text| text.parse().ok());
        let last = text("previous_sequence").and_then(|text| text.parse().ok());
        let previous = epoch.zip(last);
        Self {
            owner: text("agent"),
            epoch: text("epoch").and_then(|text| text.parse().ok()),
            next_sequence: text("next_sequence").and_then(|text| text.parse().ok()),
            previous: previous.map(|(epoch, last_sequence)| Previous { epoch, last_sequence }),
            store_id: text("store_id").and_then(|text| text.parse().ok()),
            overwritten: text("overwritten").and_then(|text| text.parse().ok()).unwrap_or(0),
            unanchored: text("unanchored"),
            queued: None,
            aside: None,
        }
    }

    /// Makes `PATH.new` of the file at `path`. `also` is done in its last transaction.
    pub(super) fn rebuild(
        &self,
        path: &Path,
        heir: &Heir<'_>,
        also: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), SpoolError> {
        let new = beside(path, ".new");
        takeover::remove(&new)
            .map_err(|source| SpoolError::SetAside { path: path.to_owned(), source })?;
        let fail = |source| SpoolError::Work { attempt: "make a new spool", source };
        let database = file::open(&new)?;
        let old = open(path);
        let mut salvaged = Salvaged { wanted: self.all_queued(), ..Salvaged::default() };
        if let Some(old) = &old {
            salvaged = self.copy(old, &database).map_err(fail)?;
        }
        let transaction = database.unchecked_transaction().map_err(fail)?;
        let mut lost = without(salvaged.wanted.clone(), &[&salvaged.copied]);
        if let Some(old) = &old {
            let is_open_whole = copy_rows(old, &transaction, "reading", "columns").map_err(fail)?;
            // where it ran, the batcher has them
            if !is_open_whole && self.queued.is_none() {
                let next = self.next_sequence.unwrap_or(0);
                lost.push((self.epoch.unwrap_or(Epoch(0)), (next, next)));
            }
            if !copy_rows(old, &transaction, "gap", "bytes").map_err(fail)? {
                lost.extend(self.perhaps_untold(&salvaged));
            }
        }
        self.settle(&transaction, heir, &lost).map_err(fail)?;
        also(&transaction).map_err(fail)?;
        transaction.commit().map_err(fail)?;
        // closing folds its log into the file, so that it can be renamed alone
        database.close().map_err(|(_still_open, source)| fail(source))
    }

    /// What the last transaction brings: who and what the spool is, and what is lost.
    fn settle(
        &self,
        database: &Connection,
        heir: &Heir<'_>,
        lost: &[(Epoch, Range)],
    ) -> rusqlite::Result<()> {
        set_meta(database, "agent", heir.agent.as_str())?;
        set_meta(database, "epoch", &heir.epoch.to_string())?;
        set_meta(database, "next_sequence", "1")?;
        set_meta(database, "overwritten", &self.overwritten.to_string())?;
        if let Some(store_id) = self.store_id {
            set_meta(database, "store_id", &store_id.to_string())?;
        }
        if let Some(boot_id) = &self.unanchored {
            set_meta(database, "unanchored", boot_id)?;
        }
        let last = self.epoch.zip(self.next_sequence);
        let previous = last.and_then(|(epoch, next)| previous_of(epoch, next)).or(self.previous);
        set_previous(database, previous)?;
        for gap in heir.lost {
            room::add_gap(database, gap.clone())?;
        }
        for (epoch, (first, last)) in lost {
            let gap = heir.finding.gap(*epoch, (*first, *last));
            room::owe_anchor(database, &gap)?;
            room::add_gap(database, gap)?;
        }
        Ok(())
    }

    /// Batches of the current epoch that are nowhere: their gaps may have waited. One that was told
    /// is told twice, which is allowed.
    fn perhaps_untold(&self, salvaged: &Salvaged) -> Vec<(Epoch, Range)> {
        let last = self.next_sequence.and_then(|next| next.checked_sub(1));
        let all = self.epoch.zip(last).map(|(epoch, last)| (epoch, Sequences::of(&[(1, last)])));
        let known = [&salvaged.wanted, &salvaged.found, &salvaged.committed];
        without(all.into_iter().collect(), &known)
    }

    /// Copies what is queued and can be read.
    fn copy(&self, old: &Connection, new: &Connection) -> rusqlite::Result<Salvaged> {
        let found = find(old);
        let committed = committed(old);
        let mut wanted = self.queued.clone().unwrap_or_default();
        if self.queued.is_none() {
            for key in found.rows.keys() {
                set_of(&mut wanted, key.epoch).insert((key.sequence, key.sequence));
            }
            if !found.is_complete {
                for (epoch, all) in self.all_queued() {
                    all.ranges().for_each(|range| set_of(&mut wanted, epoch).insert(range));
                }
            }
            for (epoch, ranges) in &committed {
                ranges.ranges().for_each(|range| set_of(&mut wanted, *epoch).remove(range));
            }
        }
        let mut all_found = Batches::new();
        for key in found.rows.keys() {
            set_of(&mut all_found, key.epoch).insert((key.sequence, key.sequence));
        }
        let rows = found.rows.into_iter();
        let mut rows: Vec<(i64, BatchKey)> = rows
            .filter(|(key, _)| set_of(&mut wanted, key.epoch).contains(key.sequence))
            .map(|(key, row)| (row, key))
            .collect();
        // in the order in which they were closed, so that the new file has them in it, too
        rows.sort_unstable();
        let mut copied = Vec::new();
        for chunk in rows.chunks(CHUNK) {
            if !has_room(new) {
                break;
            }
            let transaction = new.unchecked_transaction()?;
            for (row, key) in chunk {
                if copy_batch(old, &transaction, *row, *key)? {
                    set_of(&mut copied, key.epoch).insert((key.sequence, key.sequence));
                }
            }
            transaction.commit()?;
        }
        Ok(Salvaged { wanted, copied, found: all_found, committed })
    }

    /// All that may have been queued where nothing tells what was; of an epoch that nothing tells
    /// either, sequence 0.
    fn all_queued(&self) -> Batches {
        if let Some(queued) = &self.queued {
            return queued.clone();
        }
        let last = self.next_sequence.map_or(0, |next| next.saturating_sub(1));
        match self.epoch {
            Some(epoch) if last > 0 => vec![(epoch, Sequences::of(&[(1, last)]))],
            Some(_) if self.next_sequence.is_some() => Vec::new(),
            Some(_) | None => vec![(self.epoch.unwrap_or(Epoch(0)), Sequences::of(&[(0, 0)]))],
        }
    }
}

fn open(path: &Path) -> Option<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()
}

/// Every batch that its index names; where that is damaged, those that the table gives from either
/// end.
fn find(old: &Connection) -> Found {
    let mut found = Found::default();
    let mut scan = |sql: &str| -> rusqlite::Result<()> {
        let mut statement = old.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
            let sequence = row.get::<_, i64>(1)?.cast_unsigned();
            found.rows.insert(BatchKey { epoch, sequence }, row.get(2)?);
        }
        Ok(())
    };
    let is_complete =
        scan("SELECT epoch, sequence, rowid FROM batch ORDER BY epoch, sequence").is_ok();
    if !is_complete {
        for order in ["", "DESC"] {
            let sql = format!("SELECT epoch, sequence, rowid FROM batch ORDER BY rowid {order}");
            // as far as it goes
            drop(scan(&sql));
        }
    }
    found.is_complete = is_complete;
    found
}

/// What notices named, as far as it can be read; the rest is offered again.
fn committed(old: &Connection) -> Batches {
    let mut all = Vec::new();
    let mut scan = || -> rusqlite::Result<()> {
        let sql = "SELECT epoch, first_sequence, last_sequence FROM committed";
        let mut statement = old.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let epoch = Epoch(row.get::<_, i64>(0)?.cast_unsigned());
            let first = row.get::<_, i64>(1)?.cast_unsigned();
            set_of(&mut all, epoch).insert((first, row.get::<_, i64>(2)?.cast_unsigned()));
        }
        Ok(())
    };
    drop(scan());
    all
}

/// Copies one batch if it is what its digest says; fails only where it cannot be written.
fn copy_batch(
    old: &Connection,
    new: &Connection,
    row: i64,
    key: BatchKey,
) -> rusqlite::Result<bool> {
    let sql = "SELECT digest, from_ms, to_ms, points, closed_at, ran_ms, bytes FROM batch
               WHERE rowid = ?1";
    let read = old.prepare_cached(sql).and_then(|mut statement| {
        statement.query_row([row], |row| {
            let (digest, bytes): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(6)?);
            let numbers: [i64; 5] =
                [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            Ok((digest, numbers, bytes))
        })
    });
    let Ok((digest, [from_ms, to_ms, points, closed_at, ran_ms], bytes)) = read else {
        return Ok(false);
    };
    let is_whole = batch_v1::decode(&bytes).is_ok_and(|(batch, found)| {
        found.as_slice() == digest
            && (batch.id.epoch, batch.id.sequence) == (key.epoch, key.sequence)
    });
    if is_whole {
        let (epoch, sequence) = (key.epoch.0.cast_signed(), key.sequence.cast_signed());
        let sql = "INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        new.prepare_cached(sql)?.execute(params![
            epoch, sequence, digest, from_ms, to_ms, points, closed_at, ran_ms, bytes
        ])?;
    }
    Ok(is_whole)
}

/// Copies the rows of a small table that decode, up to the first page that cannot be read; whether
/// those are all. Fails only where they cannot be written.
fn copy_rows(
    old: &Connection,
    new: &Connection,
    table: &str,
    column: &str,
) -> rusqlite::Result<bool> {
    let read = old.prepare(&format!("SELECT id, {column} FROM {table} ORDER BY id"));
    let Ok(mut statement) = read else { return Ok(false) };
    let Ok(mut rows) = statement.query([]) else { return Ok(false) };
    let mut is_whole = true;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(is_whole),
            Err(_) => return Ok(false),
        };
        let (id, bytes) = (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(1));
        match id.and_then(|id| Ok((id, bytes?))) {
            Ok((id, bytes)) if batch_v1::decode(&bytes).is_ok() => {
                let sql = format!("INSERT INTO {table} VALUES (?1, ?2)");
                new.execute(&sql, params![id, bytes])?;
            }
            Ok(_) | Err(_) => is_whole = false,
        }
    }
}

fn has_room(new: &Connection) -> bool {
    let disk = new.path().and_then(|path| statvfs(path).ok());
    disk.is_none_or(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= SPARE_BYTES)
}

fn without(mut all: Batches, others: &[&Batches]) -> Vec<(Epoch, Range)> {
    for (epoch, ranges) in others.iter().copied().flatten() {
        ranges.ranges().for_each(|range| set_of(&mut all, *epoch).remove(range));
    }
    let rest = all.iter();
    rest.flat_map(|(epoch, ranges)| ranges.ranges().map(|range| (*epoch, range))).collect()
}

fn set_of(all: &mut Batches, epoch: Epoch) -> &mut Sequences {
    let at = all.iter().position(|(known, _)| *known == epoch).unwrap_or_else(|| {
        all.push((epoch, Sequences::default()));
        all.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "found or pushed just above")]
    &mut all[at].1
}
