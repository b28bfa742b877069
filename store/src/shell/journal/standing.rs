//! How sections stand: one row each, overwritten.

use model::{ids::SectionKey, standing::Standing, time::Timestamp};
use rusqlite::{Connection, params};

use super::JournalReader;
use crate::{
    shell::{error::StoreError, samples::run},
    verdicts::StandingRow,
};

/// Overwrites rows, and takes out those of sections that stand no more.
pub(super) fn set(
    connection: &Connection,
    rows: &[StandingRow],
    gone: &[SectionKey],
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("write how a section stands");
    let sql = "INSERT OR REPLACE INTO standing (station, section, state, since_ms, bytes)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    for StandingRow { key, state, since, bytes } in rows {
        let (station, section) = (key.station.as_str(), key.section.as_str());
        let row = params![station, section, state.word(), since.as_ms(), bytes];
        run(connection, sql, row).map_err(&attempt)?;
    }
    let sql = "DELETE FROM standing WHERE station = ?1 AND section = ?2";
    for key in gone {
        let key = params![key.station.as_str(), key.section.as_str()];
        run(connection, sql, key).map_err(&attempt)?;
    }
    Ok(())
}

impl JournalReader {
    /// How sections stand, by station and section: all of them, or those of one station.
    pub fn standings(&self, station: Option<&str>) -> Result<Vec<StandingRow>, StoreError> {
        let attempt = StoreError::sql("read how sections stand");
        let sql = "SELECT station, section, state, since_ms, bytes FROM standing
            WHERE ?1 IS NULL OR station = ?1 ORDER BY station, section";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([station]).map_err(&attempt)?;
        let mut standings = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let text = |column| row.get::<_, String>(column).map_err(&attempt);
            let state = text(2)?;
            let known = Standing::WORDS.iter().find(|(word, _)| *word == state);
            let (_, state) = known.ok_or_else(|| damaged(format!("`{state}` is no standing")))?;
            standings.push(StandingRow {
                key: SectionKey {
                    station: text(0)?.parse().map_err(damaged)?,
                    section: text(1)?.parse().map_err(damaged)?,
                },
                state: *state,
                since: row.get(3).map(Timestamp::clamped).map_err(&attempt)?,
                bytes: row.get(4).map_err(&attempt)?,
            });
        }
        Ok(standings)
    }
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("journal.db: {error}"))
}
