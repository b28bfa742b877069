//! The spool towards the uplink: batches read for sending, marked by notices, offered again to
//! another store, renewed after a fork.

use model::{
    batch::{Batch, GapReason},
    ids::{Epoch, StoreId},
    wire::batch_v1::{self, Digest},
};
use rusqlite::{OptionalExtension as _, params};
use tracing::{debug, error, info};

use super::{
    Happening, Moment, SpoolError,
    file::{self, forget_previous, set_meta},
    room::{Dropped, Room, Shelf},
    writer::Spool,
};
use crate::ledger::{BatchKey, Range, Sequences};

/// A batch's digest and bytes.
type Row = (Vec<u8>, Vec<u8>);

impl Spool {
    /// The payload of a batch, checked against its digest; `None` where it is gone. One that
    /// cannot be read any more is set aside, and a gap says so.
    pub fn load(&mut self, key: BatchKey, now: Moment) -> Result<Option<Vec<u8>>, SpoolError> {
        let Some((digest, bytes)) = self.row(key, now)? else { return Ok(None) };
        let is_whole = batch_v1::decode(&bytes).is_ok_and(|(_, found)| found.as_slice() == digest);
        if is_whole {
            return Ok(Some(bytes));
        }
        error!(epoch = %key.epoch, sequence = key.sequence, "batch in spool is damaged and set aside");
        self.metrics.spool_set_aside.inc();
        let (shelves, dropped) = self.attempt("set a batch aside", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            file::keep_aside(&transaction, "batch", &bytes)?;
            let mut room = spool.room(&transaction, now);
            room.drop_batch(key, GapReason::Damaged)?;
            let Room { shelves, dropped, .. } = room;
            transaction.commit()?;
            Ok((shelves, dropped))
        })?;
        self.shelves = shelves;
        self.tell_gone(&dropped, now);
        Ok(None)
    }

    /// A notice of this store names batches. What it names is so from here on; the mark on disk
    /// goes along with the next row or batch, for without it the batch is but sent again.
    pub fn commit(
        &mut self,
        store_id: StoreId,
        epoch: Epoch,
        ranges: &[Range],
        now: Moment,
    ) -> Result<(), SpoolError> {
        if self.store_id != Some(store_id) {
            debug!(%store_id, "a notice of a store that no longer counts");
            return Ok(());
        }
        for shelf in self.shelves.iter_mut().filter(|shelf| shelf.epoch == epoch) {
            let named = Sequences::of(ranges).intersection(&shelf.held);
            for range in named.ranges() {
                shelf.queued.remove(range);
                self.owed.mark(epoch, range, now.boot_ms);
            }
        }
        for range in ranges {
            self.owed.take_back(self.doubts.arrived(epoch, *range), now.boot_ms);
        }
        if self.owed.is_due(now.boot_ms) { self.note(now) } else { Ok(()) }
    }

    /// From here on this store counts; what another one committed is queued again.
    pub fn adopt(&mut self, store_id: StoreId, now: Moment) {
        if self.store_id.is_some_and(|known| known != store_id) {
            for shelf in &mut self.shelves {
                shelf.queued = shelf.held.clone();
            }
            let queued: u64 = self.shelves.iter().map(|shelf| shelf.queued.count()).sum();
            info!(%store_id, queued, "the server has another store, all is offered again");
        }
        if self.store_id != Some(store_id) {
            self.store_id = Some(store_id);
            self.owed.adopt(store_id, now.boot_ms);
        }
        let held = self.queued();
        self.happenings.push(Happening::Held(held));
    }

    /// Gives a batch another identity, if it has this digest: that of a new epoch where it is of
    /// the current one, else the next of the current one.
    pub fn renew(
        &mut self,
        key: BatchKey,
        refused: &Digest,
        now: Moment,
    ) -> Result<(), SpoolError> {
        let Some((digest, bytes)) = self.row(key, now)? else { return Ok(()) };
        if digest != refused {
            return Ok(()); // the other's batch was refused, not ours
        }
        let Ok((batch, _)) = batch_v1::decode(&bytes) else { return Ok(()) };
        if key.epoch == self.epoch {
            error!(epoch = %key.epoch, sequence = key.sequence, "another agent uses this name, a new epoch is begun");
            self.begin_epoch(now)?;
        }
        let renewed = self.attempt("renew a batch", now, |spool| spool.rewrite(key, &batch))?;
        // damage that was met may have taken it, and then a gap says so
        let Some(payload) = renewed else { return Ok(()) };
        self.previous = None;
        self.tell_gone(&Dropped { keys: vec![key], ..Dropped::default() }, now);
        for shelf in self.shelves.iter_mut().filter(|shelf| shelf.epoch == key.epoch) {
            shelf.held.remove((key.sequence, key.sequence));
            shelf.queued.remove((key.sequence, key.sequence));
        }
        self.count_in(payload);
        Ok(())
    }

    /// Gives the batch at `key` the next identity, which is another one in a spool that was mended
    /// meanwhile; its new payload, `None` where it is gone.
    fn rewrite(&self, key: BatchKey, batch: &Batch) -> rusqlite::Result<Option<Vec<u8>>> {
        let renewed = Batch { id: self.identity(), previous: self.previous, ..batch.clone() };
        let (digest, bytes) = self.encode(&renewed);
        let transaction = self.database.unchecked_transaction()?;
        let sql =
            "INSERT INTO batch SELECT ?3, ?4, ?5, from_ms, to_ms, points, closed_at, ran_ms, ?6
                   FROM batch WHERE epoch = ?1 AND sequence = ?2";
        let copied = transaction.prepare_cached(sql)?.execute(params![
            key.epoch.0.cast_signed(),
            key.sequence.cast_signed(),
            renewed.id.epoch.0.cast_signed(),
            renewed.id.sequence.cast_signed(),
            digest,
            bytes
        ])?;
        if copied == 0 {
            return Ok(None);
        }
        let sql = "DELETE FROM batch WHERE epoch = ?1 AND sequence = ?2";
        let old = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
        transaction.prepare_cached(sql)?.execute(old)?;
        set_meta(&transaction, "next_sequence", &(renewed.id.sequence + 1).to_string())?;
        forget_previous(&transaction)?;
        transaction.commit()?;
        Ok(Some(bytes))
    }

    /// A batch that is held.
    fn row(&mut self, key: BatchKey, now: Moment) -> Result<Option<Row>, SpoolError> {
        let is_held = |shelf: &Shelf| shelf.epoch == key.epoch && shelf.held.contains(key.sequence);
        if !self.shelves.iter().any(is_held) {
            return Ok(None);
        }
        let sql = "SELECT digest, bytes FROM batch WHERE epoch = ?1 AND sequence = ?2";
        let values = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
        self.attempt("read a batch", now, |spool| {
            let mut statement = spool.database.prepare_cached(sql)?;
            statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        })
    }
}
