//! How the spool stands, for the status, the page, the metrics, and for `spool` beside an agent.

use std::{fmt, path::Path};

use model::{
    ids::{Epoch, Sequence},
    time::Timestamp,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Moment, SpoolError, file, room, writer::Spool};
use crate::{clock_trust::is_possible, ledger::BatchKey};

const HOUR_MS: i64 = 3_600_000;
const PAGE_BYTES: u64 = 4_096;
/// What a spool takes without any batch.
const EMPTY_BYTES: u64 = 10 * PAGE_BYTES;
/// Fewer batches tell nothing of the rate.
const ENOUGH: u64 = 16;
/// Of a row of `batch`: no notice has named it.
const QUEUED: &str = "NOT EXISTS (SELECT * FROM committed WHERE committed.epoch = batch.epoch
    AND batch.sequence BETWEEN first_sequence AND last_sequence)";

/// How a spool stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// The current one.
    pub epoch: Option<Epoch>,
    /// Used in the file, committed batches included.
    pub bytes: u64,
    /// Batches in it.
    pub held: u64,
    /// Those that no notice has named.
    pub queued: u64,
    /// The lowest of them in the current epoch.
    pub oldest_queued: Option<Sequence>,
    /// Moment of its first reading, where that is UTC.
    pub queued_from: Option<Timestamp>,
    /// What the next batch will be called.
    pub next_sequence: Option<Sequence>,
    /// Until the oldest queued batch would be overwritten, at the rate of what is held.
    pub hours_left: f64,
    /// Readings ever dropped for want of room.
    pub overwritten: u64,
}

impl fmt::Display for Stats {
    /// For a terminal, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            epoch,
            bytes,
            held,
            queued,
            oldest_queued,
            queued_from,
            next_sequence: _,
            hours_left,
            overwritten,
        } = self;
        let epoch = epoch.map_or("none".to_owned(), |epoch| epoch.to_string());
        writeln!(f, "epoch        {epoch}")?;
        writeln!(f, "queued       {queued} of {held} batches held")?;
        let oldest = oldest_queued.map_or("none".to_owned(), |sequence| sequence.to_string());
        let from = queued_from.map_or(String::new(), |from| format!(", from {from}"));
        writeln!(f, "oldest       {oldest}{from}")?;
        writeln!(f, "bytes        {bytes}")?;
        writeln!(f, "hours left   {hours_left:.1}")?;
        writeln!(f, "overwritten  {overwritten} readings")
    }
}

pub(super) fn of(spool: &Spool, now: Moment) -> Stats {
    let current = spool.shelves.iter().find(|shelf| shelf.epoch == spool.epoch);
    let oldest_queued = current.and_then(|shelf| shelf.queued.first());
    let oldest = oldest_queued.map(|sequence| BatchKey { epoch: spool.epoch, sequence });
    let oldest_at = oldest.and_then(|key| column(&spool.database, "from_ms", key));
    let held: u64 = spool.shelves.iter().map(|shelf| shelf.held.count()).sum();
    let queued: u64 = spool.shelves.iter().map(|shelf| shelf.queued.count()).sum();
    let bytes = used(&spool.database).unwrap_or(0);
    let first = spool
        .shelves
        .iter()
        .find_map(|shelf| Some(BatchKey { epoch: shelf.epoch, sequence: shelf.held.first()? }));
    let ran_of = |key: BatchKey| column(&spool.database, "ran_ms", key);
    let ran_ms = spool.ran_ms(now);
    let usage = Usage {
        bytes,
        held,
        queued,
        span_ms: first.and_then(ran_of).map_or(0, |first_ms| ran_ms - first_ms),
        queued_ms: room::oldest_queued(&spool.shelves).and_then(ran_of).map_or(0, |ms| ran_ms - ms),
    };
    Stats {
        epoch: Some(spool.epoch),
        bytes,
        held,
        queued,
        oldest_queued,
        queued_from: oldest_at.and_then(utc),
        next_sequence: Some(spool.next_sequence),
        hours_left: usage.hours_left(i64::from(spool.settings.hours), spool.settings.max_bytes),
        overwritten: spool.overwritten,
    }
}

/// Whose readings are in a spool, read beside its agent.
pub fn owner(path: &Path) -> Result<Option<String>, SpoolError> {
    let database = file::open_to_read(path)?;
    file::meta(&database, "agent")
        .map_err(|source| SpoolError::Work { attempt: "read the spool", source })
}

/// How a spool stands beside its agent, and all its queued batches by epoch: count and first moment.
pub fn look(path: &Path, hours: u32, max_bytes: u64) -> Result<Stats, SpoolError> {
    let database = file::open_to_read(path)?;
    read(&database, hours, max_bytes)
        .map_err(|source| SpoolError::Work { attempt: "read the spool", source })
}

fn read(database: &Connection, hours: u32, max_bytes: u64) -> rusqlite::Result<Stats> {
    // one moment of the file, whatever its agent does meanwhile
    let moment = database.unchecked_transaction()?;
    let epoch: Option<Epoch> = file::meta(&moment, "epoch")?.and_then(|text| text.parse().ok());
    let count = |sql: &str| moment.query_row(sql, [], |row| row.get::<_, i64>(0));
    let held = count("SELECT count(*) FROM batch")?;
    let queued = count(&format!("SELECT count(*) FROM batch WHERE {QUEUED}"))?;
    let sql = format!(
        "SELECT sequence, from_ms FROM batch WHERE epoch = ?1 AND {QUEUED} ORDER BY sequence LIMIT 1"
    );
    let key = epoch.map_or(0, |epoch| epoch.0.cast_signed());
    let oldest: Option<(i64, i64)> =
        moment.query_row(&sql, [key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let ran = |sql: &str| moment.query_row(sql, [], |row| row.get::<_, Option<i64>>(0)).optional();
    let newest_ms = ran("SELECT ran_ms FROM batch ORDER BY rowid DESC LIMIT 1")?.flatten();
    let first_ms = ran("SELECT ran_ms FROM batch ORDER BY rowid LIMIT 1")?.flatten();
    let queued_ms =
        ran(&format!("SELECT ran_ms FROM batch WHERE {QUEUED} ORDER BY rowid LIMIT 1"))?.flatten();
    let since = |ms: Option<i64>| newest_ms.zip(ms).map_or(0, |(newest, ms)| newest - ms);
    let bytes = used(&moment)?;
    let (held, queued) = (held.cast_unsigned(), queued.cast_unsigned());
    let usage =
        Usage { bytes, held, queued, span_ms: since(first_ms), queued_ms: since(queued_ms) };
    let overwritten = file::meta(&moment, "overwritten")?.and_then(|text| text.parse().ok());
    Ok(Stats {
        epoch,
        bytes,
        held,
        queued,
        oldest_queued: oldest.map(|(sequence, _)| sequence.cast_unsigned()),
        queued_from: oldest.and_then(|(_, from_ms)| utc(from_ms)),
        next_sequence: file::meta(&moment, "next_sequence")?.and_then(|text| text.parse().ok()),
        hours_left: usage.hours_left(i64::from(hours), max_bytes),
        overwritten: overwritten.unwrap_or(0),
    })
}

/// What room and time the batches take.
struct Usage {
    bytes: u64,
    held: u64,
    queued: u64,
    /// From the closing of the first to now.
    span_ms: i64,
    /// From the closing of the oldest queued one to now.
    queued_ms: i64,
}

impl Usage {
    /// By hours or by bytes, whichever comes first; to a tenth. By bytes only once enough batches
    /// are held to know what one takes, and how often it comes.
    fn hours_left(&self, hours: i64, max_bytes: u64) -> f64 {
        let by_hours_ms = hours * HOUR_MS - self.queued_ms;
        let by_bytes_ms = if self.held > ENOUGH && self.span_ms > 0 {
            let batch_bytes = (self.bytes.saturating_sub(EMPTY_BYTES) / self.held).max(1);
            let fit = max_bytes.saturating_sub(EMPTY_BYTES) / batch_bytes;
            let free = i64::try_from(fit.saturating_sub(self.queued)).unwrap_or(i64::MAX);
            let batches = i64::try_from(self.held - 1).unwrap_or(i64::MAX);
            free.saturating_mul(self.span_ms / batches.max(1))
        } else {
            i64::MAX
        };
        let tenths = by_hours_ms.min(by_bytes_ms).max(0) / (HOUR_MS / 10);
        i32::try_from(tenths).map_or(0.0, |tenths| f64::from(tenths) / 10.0)
    }
}

/// A moment that counts from boot is none that anyone could read.
fn utc(moment_ms: i64) -> Option<Timestamp> {
    Some(Timestamp::clamped(moment_ms)).filter(|moment| is_possible(*moment))
}

fn column(database: &Connection, name: &str, key: BatchKey) -> Option<i64> {
    let sql = format!("SELECT {name} FROM batch WHERE epoch = ?1 AND sequence = ?2");
    let values = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
    database.prepare_cached(&sql).ok()?.query_row(values, |row| row.get(0)).ok()
}

fn used(database: &Connection) -> rusqlite::Result<u64> {
    let (all, free) =
        (room::pages(database, "page_count")?, room::pages(database, "freelist_count")?);
    Ok((all - free).saturating_mul(PAGE_BYTES))
}
