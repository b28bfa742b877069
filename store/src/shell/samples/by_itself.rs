//! What is parked of an agent and is admitted by itself: when its anchor comes, or its moment.

use model::time::{AHEAD_MS, Timestamp};

use super::{SamplesReader, first_row};
use crate::shell::error::StoreError;

/// How long a start is waited for whose anchor has not come, once its agent has gone on.
const LIMIT_MS: i64 = 24 * 60 * 60 * 1000;

impl SamplesReader {
    /// From where on an agent has readings in the park that nobody need decide about: the end of
    /// time where there are none, the beginning of time where nobody knows.
    pub(super) fn admitted_by_itself_from(&self, agent: i64) -> Result<Timestamp, StoreError> {
        let attempt = StoreError::sql("look for what an agent's clock keeps out");
        // Moments since boot say nothing before their anchor has come, and what it places is
        // there once the item is empty.
        let sql = "SELECT 1 FROM parking p JOIN agent a ON a.id = p.agent
            WHERE p.agent = ?1 AND p.waiting > 0 AND p.boot IS NOT NULL AND p.likeness IS NOT NULL
              AND (p.last_at > coalesce(a.seen_at, p.last_at) - ?2
                OR EXISTS (SELECT 1 FROM anchor n WHERE n.agent = p.agent AND n.boot = p.boot))
            LIMIT 1";
        let boots = first_row(&self.connection, sql, [agent, LIMIT_MS], |_row| Ok(()));
        if boots.map_err(&attempt)?.is_some() {
            return Ok(Timestamp::MIN);
        }
        // What waits of a batch lay ahead of the clock when it was judged last.
        let sql = "SELECT min(d.judged_at) FROM parking p CROSS JOIN parked d INDEXED BY parked_due
            WHERE p.agent = ?1 AND p.waiting > 0 AND p.due IS NOT NULL AND p.likeness IS NOT NULL
              AND d.item = p.item AND d.due IS NOT NULL";
        let first = first_row(&self.connection, sql, [agent], |row| row.get::<_, Option<i64>>(0));
        let first = first.map_err(&attempt)?.flatten();
        Ok(first.map_or(Timestamp::MAX, |first| Timestamp::clamped(first).plus_ms(AHEAD_MS)))
    }
}
