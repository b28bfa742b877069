//! How one change is brought to a disk that may be full, into a file that may be damaged.

use rusqlite::ErrorCode;
use rustix::fs::statvfs;
use tracing::warn;

use super::{
    Moment, SpoolError,
    file::{beside, set_meta},
    room::{Limits, Room},
    writer::Spool,
};

/// How often room is made for one change before it is given up.
const ATTEMPTS: usize = 64;
/// What the log grows to before it is written over.
const LOG_BYTES: u64 = 1024 * 1024;

impl Spool {
    /// Does `work`, and makes room for it where the disk is full; on a damaged file it goes on
    /// with a new one.
    pub(super) fn attempt<T>(
        &mut self,
        attempt: &'static str,
        now: Moment,
        mut work: impl FnMut(&mut Self) -> rusqlite::Result<T>,
    ) -> Result<T, SpoolError> {
        let mut is_given_up = false;
        for _ in 0..ATTEMPTS {
            let error = match self.mend(now).map(|()| work(self)) {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(source)) => SpoolError::Work { attempt, source },
                // not even a new file has a place
                Err(error) if self.is_full(&error) && self.ballast.give_back() => continue,
                Err(error) => return Err(error),
            };
            if error.is_damage() && !is_given_up {
                is_given_up = true;
                self.give_up_running(&error)?;
            } else if !self.is_full(&error) || !self.free(now)? {
                return Err(error);
            }
        }
        Err(SpoolError::NoRoom { attempt })
    }

    /// Whether the disk is full: it may say so as it cannot make the log's index larger.
    fn is_full(&self, error: &SpoolError) -> bool {
        let (SpoolError::Work { source, .. } | SpoolError::Open { source, .. }) = error else {
            return false;
        };
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => true,
            Some(ErrorCode::SystemIoFailure) => self.limits().is_tight(),
            Some(_) | None => false,
        }
    }

    /// Whether something could be dropped.
    fn free(&mut self, now: Moment) -> Result<bool, SpoolError> {
        let fail = |source| SpoolError::Work { attempt: "make room", source };
        let freed = (|| {
            let transaction = self.database.unchecked_transaction()?;
            let mut room = self.room(&transaction, now);
            room.free()?;
            let Room { shelves, dropped, .. } = room;
            let overwritten = self.overwritten + dropped.lost_readings;
            if dropped.lost_readings > 0 {
                set_meta(&transaction, "overwritten", &overwritten.to_string())?;
            }
            transaction.commit()?;
            Ok((shelves, dropped, overwritten))
        })();
        match freed {
            Ok((shelves, dropped, overwritten)) => {
                self.shelves = shelves;
                self.overwritten = overwritten;
                self.tell_gone(&dropped, now);
                Ok(!dropped.keys.is_empty())
            }
            // not even that, since the log cannot grow
            Err(rusqlite::Error::SqliteFailure(code, _)) if code.code == ErrorCode::DiskFull => {
                Ok(self.relieve())
            }
            Err(source) => Err(fail(source)),
        }
    }

    /// Empties the log, with the room that was kept back for it where it takes that; whether there
    /// is room now. If not, only others can make some.
    fn relieve(&mut self) -> bool {
        if self.empty_log() {
            return true;
        }
        let is_given_back = self.ballast.give_back();
        if is_given_back {
            warn!(is_log_empty = self.empty_log(), "disk is full, its last room is in use");
        }
        is_given_back
    }

    /// Moves what the log holds into the file; whether that freed blocks of the disk.
    fn empty_log(&self) -> bool {
        let before = self.log_bytes();
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        let emptied = self.database.query_row(sql, [], |row| row.get::<_, i64>(0));
        emptied.is_ok() && self.log_bytes() < before
    }

    fn log_bytes(&self) -> u64 {
        std::fs::metadata(beside(&self.settings.path, "-wal")).map_or(0, |log| log.len())
    }

    pub(super) fn limits(&self) -> Limits {
        let disk = statvfs(&self.settings.path).ok();
        // the log is written over and over: some of its blocks are there already, others not yet
        let log_bytes = LOG_BYTES.saturating_sub(self.log_bytes());
        Limits {
            max_bytes: self.settings.max_bytes,
            max_ran_ms: i64::from(self.settings.hours) * 3_600_000,
            free_bytes: disk
                .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize).saturating_sub(log_bytes)),
        }
    }
}
