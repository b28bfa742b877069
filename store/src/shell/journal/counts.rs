//! How many periods of a section are what.

use model::{
    ids::SectionKey,
    time::Span,
    verdict::{Length, Verdict},
};
use rusqlite::params;

use super::JournalReader;
use crate::{
    shell::error::StoreError,
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
        let sql = "SELECT CASE v.version WHEN 0 THEN 0 ELSE v.verdict END, count(*)
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3
              AND v.from_ms >= ?4 AND v.from_ms < ?5 AND v.verdict IS NOT NULL
              AND v.version = (SELECT max(n.version) FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms)
            GROUP BY 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let (station, section) = (key.station.as_str(), key.section.as_str());
        let asked = params![station, section, length_code(by), span.from.as_ms(), span.to.as_ms()];
        let mut rows = statement.query(asked).map_err(&attempt)?;
        let mut counts = VerdictCounts::default();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let (code, count): (i64, u32) =
                (row.get(0).map_err(&attempt)?, row.get(1).map_err(&attempt)?);
            *match verdict_from_code(code) {
                Some(Verdict::Met) => &mut counts.met,
                Some(Verdict::Short) => &mut counts.short,
                Some(Verdict::Exempt) => &mut counts.exempt,
                Some(Verdict::Indeterminate) => &mut counts.indeterminate,
                None => &mut counts.open,
            } += count;
        }
        Ok(counts)
    }
}
