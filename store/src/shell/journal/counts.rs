//! How many periods of a section are what, how far it is judged for good, and which sections ever
//! were.

use model::{
    ids::{SectionId, SectionKey, StationId},
    time::{Span, Timestamp},
    verdict::Length,
};
use rusqlite::params;

use super::{
    JournalReader,
    verdicts::{damaged, verdict_row},
};
use crate::{
    shell::{error::StoreError, samples::first_row},
    verdicts::{VerdictCounts, VerdictRow, length_code, verdict_from_code},
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

    /// The last closed period of a section that begins in `span` and stands.
    pub fn last_closed(
        &self,
        key: &SectionKey,
        by: Length,
        span: Span,
    ) -> Result<Option<VerdictRow>, StoreError> {
        let sql = "SELECT v.from_ms, v.to_ms, v.version, v.verdict, v.is_withdrawn,
              v.judged_at, v.is_late, v.entry, v.bytes
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3
              AND v.from_ms >= ?4 AND v.from_ms < ?5 AND v.version > 0 AND v.is_withdrawn = 0
              AND v.version = (SELECT max(n.version) FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms)
            ORDER BY v.from_ms DESC LIMIT 1";
        let (station, section) = (key.station.as_str(), key.section.as_str());
        let asked = params![station, section, length_code(by), span.from.as_ms(), span.to.as_ms()];
        first_row(&self.connection, sql, asked, |row| verdict_row(row, by))
            .map_err(StoreError::sql("look up the last verdict of a section"))
    }

    /// Every section of which anything was ever judged, by station and name: also those that the
    /// registry has no more.
    pub fn section_keys(&self) -> Result<Vec<SectionKey>, StoreError> {
        let attempt = StoreError::sql("list sections");
        let sql = "SELECT station, name FROM section ORDER BY station, name";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([]).map_err(&attempt)?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let name = |column| row.get::<_, String>(column).map_err(&attempt);
            keys.push(SectionKey {
                station: name(0)?.parse().map_err(damaged)?,
                section: name(1)?.parse().map_err(damaged)?,
            });
        }
        Ok(keys)
    }

    /// Those of one station.
    pub fn sections_of(&self, station: &StationId) -> Result<Vec<SectionId>, StoreError> {
        let attempt = StoreError::sql("list sections of a station");
        let sql = "SELECT name FROM section WHERE station = ?1 ORDER BY name";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let names = statement.query_map([station.as_str()], |row| row.get::<_, String>(0));
        let parsed = |name: rusqlite::Result<String>| {
            name.map_err(&attempt)?.parse::<SectionId>().map_err(damaged)
        };
        names.map_err(&attempt)?.map(parsed).collect()
    }

    /// Until when a section is closed; `None` where nothing of it was ever judged.
    pub fn closed_until(&self, key: &SectionKey) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT closed_ms FROM section WHERE station = ?1 AND name = ?2";
        let key = [key.station.as_str(), key.section.as_str()];
        first_row(&self.connection, sql, key, |row| row.get(0).map(Timestamp::clamped))
            .map_err(StoreError::sql("look up how far a section is closed"))
    }
}
