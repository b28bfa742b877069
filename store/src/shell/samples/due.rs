//! What of the park is due: it lay ahead of the server's clock, which has reached it.

use model::time::Timestamp;

use super::{SamplesReader, read_quarantine};
use crate::{facts::ParkedSlice, shell::error::StoreError};

impl SamplesReader {
    /// Held items of which something is due as the clock says `now`, after this one.
    pub fn due_items(
        &self,
        now: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let attempt = StoreError::sql("look for what is due");
        let sql = "SELECT item FROM parking INDEXED BY parking_due
            WHERE due <= ?1 AND item > ?2 AND likeness IS NOT NULL ORDER BY item LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let items = statement.query_map([now.as_ms(), after, limit], |row| row.get(0));
        items.map_err(&attempt)?.map(|item| item.map_err(&attempt)).collect()
    }

    /// The first batches of an item that are due, a few at a time; those that are judged are so no
    /// more.
    pub fn due_slice(&self, item: i64, now: Timestamp) -> Result<ParkedSlice, StoreError> {
        let sql = "SELECT batch, own, judged_at, due FROM parked INDEXED BY parked_due
            WHERE item = ?1 AND due <= ?2 ORDER BY due, batch LIMIT ?3";
        read_quarantine::slice_by(&self.connection, sql, (item, now.as_ms()))
    }
}
