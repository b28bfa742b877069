//! The spool towards the uplink: batches read for sending, marked by notices, offered again to
//! another store, renewed after a fork.

use model::{
    batch::GapReason,
    ids::{Epoch, StoreId},
    wire::batch_v1::{self, Digest},
};
use rusqlite::{OptionalExtension as _, params};
use tracing::{error, info};

use super::{
    Happening, Moment, SpoolError,
    file::{self, set_meta},
    room::{self, Dropped},
    writer::Spool,
};
use crate::ledger::{Key, Range};

/// A batch's digest and bytes.
type Row = (Vec<u8>, Vec<u8>);

impl Spool {
    /// The payload of a batch, checked against its digest; `None` where it is gone. One that
    /// cannot be read any more is set aside, and a gap says so.
    pub fn load(&mut self, key: Key, now: Moment) -> Result<Option<Vec<u8>>, SpoolError> {
        let Some((digest, bytes)) = self.row(key)? else { return Ok(None) };
        let is_whole = batch_v1::decode(&bytes).is_ok_and(|(_, found)| found.as_slice() == digest);
        if is_whole {
            return Ok(Some(bytes));
        }
        error!(epoch = %key.epoch, sequence = key.sequence, "batch in spool is damaged and set aside");
        self.metrics.spool_set_aside.inc();
        let (lives, dropped) = self.attempt("set a batch aside", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            file::keep_aside(&transaction, "batch", &bytes)?;
            let (mut lives, mut dropped) = (spool.lives.clone(), Dropped::default());
            room::drop_batch(&transaction, &mut lives, key, GapReason::Damaged, &mut dropped)?;
            transaction.commit()?;
            Ok((lives, dropped))
        })?;
        self.lives = lives;
        self.tell_gone(&dropped, now);
        Ok(None)
    }

    /// Marks batches as committed in the store adopted last.
    pub fn commit(
        &mut self,
        epoch: Epoch,
        ranges: &[Range],
        now: Moment,
    ) -> Result<(), SpoolError> {
        let Some(store_id) = self.store_id.map(|store_id| store_id.to_string()) else {
            return Ok(());
        };
        self.attempt("mark batches as committed", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            let sql =
                "UPDATE batch SET committed = ?1 WHERE epoch = ?2 AND sequence BETWEEN ?3 AND ?4";
            for (first, last) in ranges {
                let (first, last) = (first.cast_signed(), last.cast_signed());
                let values = params![store_id, epoch.0.cast_signed(), first, last];
                transaction.prepare_cached(sql)?.execute(values)?;
            }
            transaction.commit()
        })?;
        for life in self.lives.iter_mut().filter(|life| life.epoch == epoch) {
            for range in ranges {
                life.queued.remove(*range);
            }
        }
        Ok(())
    }

    /// From here on this store counts; what another one committed is queued again.
    pub fn adopt(&mut self, store_id: StoreId, now: Moment) -> Result<(), SpoolError> {
        self.attempt("note the store", now, |spool| {
            set_meta(&spool.database, "store_id", &store_id.to_string())
        })?;
        let is_first = self.store_id.is_none();
        self.store_id = Some(store_id);
        self.load_lives()
            .map_err(|source| SpoolError::Work { attempt: "read the queue", source })?;
        if !is_first {
            let queued: u64 = self.lives.iter().map(|life| life.queued.count()).sum();
            info!(%store_id, queued, "the server has another store, all is offered again");
        }
        let held = self.queued();
        self.happenings.push(Happening::Held(held));
        Ok(())
    }

    /// Gives a batch another identity, if it has this digest: that of a new epoch where it is of
    /// the current one, else the next of the current one.
    pub fn renew(&mut self, key: Key, refused: &Digest, now: Moment) -> Result<(), SpoolError> {
        let Some((digest, bytes)) = self.row(key)? else { return Ok(()) };
        if digest != refused {
            return Ok(()); // the other's batch was refused, not ours
        }
        let Ok((mut batch, _)) = batch_v1::decode(&bytes) else { return Ok(()) };
        if key.epoch == self.epoch {
            error!(epoch = %key.epoch, sequence = key.sequence, "another agent uses this name, a new epoch is begun");
            self.begin_epoch(now)?;
        }
        batch.id = self.identity();
        batch.previous = if self.next_sequence == 1 { self.previous } else { None };
        self.attempt("renew a batch", now, |spool| {
            let transaction = spool.database.unchecked_transaction()?;
            let sql = "INSERT INTO batch SELECT ?3, ?4, ?5, from_ms, to_ms, points, closed_at, ran_ms, NULL, ?6
                       FROM batch WHERE epoch = ?1 AND sequence = ?2";
            let (digest, bytes) = spool.encode(&batch);
            transaction.prepare_cached(sql)?.execute(params![
                key.epoch.0.cast_signed(),
                key.sequence.cast_signed(),
                batch.id.epoch.0.cast_signed(),
                batch.id.sequence.cast_signed(),
                digest,
                bytes
            ])?;
            let sql = "DELETE FROM batch WHERE epoch = ?1 AND sequence = ?2";
            let old = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
            transaction.prepare_cached(sql)?.execute(old)?;
            set_meta(&transaction, "next_sequence", &(batch.id.sequence + 1).to_string())?;
            transaction.commit()
        })?;
        self.tell_gone(&Dropped { keys: vec![key], lost_readings: 0 }, now);
        for life in self.lives.iter_mut().filter(|life| life.epoch == key.epoch) {
            life.held.remove((key.sequence, key.sequence));
            life.queued.remove((key.sequence, key.sequence));
        }
        let (_, payload) = self.encode(&batch);
        self.count_in(payload);
        Ok(())
    }

    fn row(&self, key: Key) -> Result<Option<Row>, SpoolError> {
        let sql = "SELECT digest, bytes FROM batch WHERE epoch = ?1 AND sequence = ?2";
        let values = params![key.epoch.0.cast_signed(), key.sequence.cast_signed()];
        let row = self.database.prepare_cached(sql).and_then(|mut statement| {
            statement.query_row(values, |row| Ok((row.get(0)?, row.get(1)?))).optional()
        });
        row.map_err(|source| SpoolError::Work { attempt: "read a batch", source })
    }
}
