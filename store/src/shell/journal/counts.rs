//! How many periods of a section are what, and how far it is judged for good.

use model::{
    ids::SectionKey,
    time::{Span, Timestamp},
    verdict::Length,
};
use rusqlite::params;

use super::JournalReader;
use crate::{
    shell::{error::StoreError, samples::first_row},
    verdicts::{VerdictCounts, length_code, verdict_from_code},
};

impl JournalReader {
    /// Counts the periods of a section that begin in `span`, by the newest version of each; what
    /// is withdrawn, or has no verdict of its own, is no part of it.
    pub fn verdict_counts(
        &self,
        key: &SectionKey,
        by: Length,
        span: Span,
    ) -> Result<VerdictCounts, StoreError> {
        let attempt = StoreError::sql("count verdicts");
        let sql = "SELECT v.version, v.verdict
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3
              AND v.from_ms >= ?4 AND v.from_ms < ?5
              AND v.version = (SELECT CASE min(n.version) WHEN 0 THEN 0 ELSE max(n.version) END
                FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms)";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let (station, section) = (key.station.as_str(), key.section.as_str());
        let asked = params![station, section, length_code(by), span.from.as_ms(), span.to.as_ms()];
        let mut rows = statement.query(asked).map_err(&attempt)?;
        let mut counts = VerdictCounts::default();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let code: Option<i64> = row.get(1).map_err(&attempt)?;
            counts.note(row.get(0).map_err(&attempt)?, code.and_then(verdict_from_code));
        }
        Ok(counts)
    }

    /// Until when a section is closed; `None` where nothing of it was ever judged.
    pub fn closed_until(&self, key: &SectionKey) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT closed_ms FROM section WHERE station = ?1 AND name = ?2";
        let key = [key.station.as_str(), key.section.as_str()];
        first_row(&self.connection, sql, key, |row| row.get(0).map(Timestamp::clamped))
            .map_err(StoreError::sql("look up how far a section is closed"))
    }
}
