//! The batches of a parked item: looked up, taken out and put off; and the item without any.

use model::time::Timestamp;
use rusqlite::Connection;

use super::{book::SamplesBook, first_row, parked::Parked, run};
use crate::shell::error::StoreError;

/// What is judged again and waits on waits this part of its age at least.
pub(super) const PATIENCE: i64 = 16;
/// What is held back for its anchors is tried again no sooner.
const PUT_OFF_MS: i64 = 60_000;

/// A batch as its item knows it.
pub(super) struct Member {
    pub(super) is_alone: bool,
    pub(super) due: Option<Timestamp>,
    cost: i64,
    /// Which gauges are its own, where the item has none for all.
    pub(super) own: Option<Vec<u8>>,
}

/// The member of `item` that this batch is.
pub(super) fn member(
    connection: &Connection,
    item: i64,
    batch: i64,
) -> Result<Option<Member>, StoreError> {
    let sql = "SELECT is_alone, cost, own, due FROM parked WHERE item = ?1 AND batch = ?2";
    first_row(connection, sql, [item, batch], |row| {
        let due = row.get::<_, Option<i64>>(3)?.map(Timestamp::clamped);
        Ok(Member { is_alone: row.get(0)?, due, cost: row.get(1)?, own: row.get(2)? })
    })
    .map_err(StoreError::sql("look a parked batch up"))
}

/// The first batches of an item.
pub(super) fn first(
    connection: &Connection,
    item: i64,
    limit: usize,
) -> Result<Vec<i64>, StoreError> {
    let attempt = StoreError::sql("list parked batches");
    let sql = "SELECT batch FROM parked WHERE item = ?1 ORDER BY batch LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let batches = statement.query_map([item, limit], |row| row.get(0)).map_err(&attempt)?;
    batches.map(|batch| batch.map_err(&attempt)).collect()
}

/// Takes a batch out of its item.
pub(super) fn leave(
    book: &mut SamplesBook,
    connection: &Connection,
    (item, batch): (i64, i64),
    member: &Member,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("take a batch out of the park");
    run(connection, "DELETE FROM parked WHERE item = ?1 AND batch = ?2", [item, batch])
        .map_err(&attempt)?;
    let less = Parked::of(member.is_alone, u64::try_from(member.cost).unwrap_or(0));
    let (cost, beside) = less.to_row();
    let sql = "UPDATE parking SET waiting = waiting - 1, cost = cost - ?2, beside = beside - ?3
        WHERE item = ?1";
    run(connection, sql, [item, cost, beside]).map_err(&attempt)?;
    find_due(connection, item)?;
    book.park_less(connection, less)
}

/// Has a batch judged again later, by a sixteenth of its age or a minute, and as if it had not been
/// judged meanwhile: all that waited of it still waits.
pub(super) fn put_off(
    connection: &Connection,
    (item, batch): (i64, i64),
    received_at: Timestamp,
    at: Timestamp,
) -> Result<(), StoreError> {
    let due = at.plus_ms((at.ms_since(received_at) / PATIENCE).max(PUT_OFF_MS));
    run(
        connection,
        "UPDATE parked SET due = ?3 WHERE item = ?1 AND batch = ?2",
        [item, batch, due.as_ms()],
    )
    .map_err(StoreError::sql("put a parked batch off"))?;
    find_due(connection, item)
}

/// An item is due with the first of its batches.
fn find_due(connection: &Connection, item: i64) -> Result<(), StoreError> {
    let sql = "UPDATE parking SET
          due = (SELECT min(due) FROM parked WHERE item = ?1 AND due IS NOT NULL)
        WHERE item = ?1";
    run(connection, sql, [item]).map_err(StoreError::sql("find when an item is due"))?;
    Ok(())
}

/// Says that nothing joins an item any more.
pub(super) fn close(connection: &Connection, item: i64) -> Result<(), StoreError> {
    run(connection, "UPDATE parking SET likeness = NULL WHERE item = ?1", [item])
        .map_err(StoreError::sql("close a parked item"))?;
    Ok(())
}

/// How many batches of an item wait; where none does, the item itself counts nothing any more.
pub(super) fn settle(
    book: &mut SamplesBook,
    connection: &Connection,
    item: i64,
) -> Result<u64, StoreError> {
    let attempt = StoreError::sql("settle a parked item");
    let sql = "SELECT waiting, cost, beside FROM parking WHERE item = ?1";
    let found = first_row(connection, sql, [item], |row| {
        Ok((row.get::<_, i64>(0)?, Parked::from_row(row.get(1)?, row.get(2)?)))
    });
    let Some((waiting, less)) = found.map_err(&attempt)? else { return Ok(0) };
    if waiting <= 0 && less != Parked::default() {
        let sql = "UPDATE parking SET cost = 0, beside = 0 WHERE item = ?1";
        run(connection, sql, [item]).map_err(&attempt)?;
        book.park_less(connection, less)?;
    }
    Ok(u64::try_from(waiting).unwrap_or(0))
}

/// Lets the oldest decided items go beyond their bound: the journal tells what became of them, and
/// the identities of their batches stay known.
pub(super) fn forget_oldest(
    book: &mut SamplesBook,
    connection: &Connection,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("forget decided items");
    let sql = "SELECT count(*) FROM parking WHERE waiting = 0";
    let decided = first_row(connection, sql, [], |row| row.get::<_, i64>(0)).map_err(&attempt)?;
    let beyond = decided.unwrap_or(0).saturating_sub(book.limits.decided);
    for _ in 0..beyond {
        let sql = "SELECT item FROM parking WHERE waiting = 0 ORDER BY item LIMIT 1";
        let oldest = first_row(connection, sql, [], |row| row.get::<_, i64>(0));
        let Some(item) = oldest.map_err(&attempt)? else { break };
        run(connection, "DELETE FROM parking WHERE item = ?1", [item]).map_err(&attempt)?;
        run(connection, "DELETE FROM quarantine WHERE id = ?1", [item]).map_err(&attempt)?;
        book.decided_dropped(1);
    }
    Ok(())
}
