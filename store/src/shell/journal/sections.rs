//! Sections: how far each has been judged, and under which number its verdicts stand.

use model::ids::SectionKey;
use rusqlite::{Connection, params};

use crate::{
    shell::{
        error::StoreError,
        samples::{first_row, run},
    },
    verdicts::{AgainRow, SectionRow},
};

/// Takes out what is said provisionally of a section.
pub(super) fn unsay(connection: &Connection, key: &SectionKey) -> Result<(), StoreError> {
    let sql = "DELETE FROM verdict WHERE version = 0 AND section =
        (SELECT id FROM section WHERE station = ?1 AND name = ?2)";
    let key = params![key.station.as_str(), key.section.as_str()];
    run(connection, sql, key).map_err(StoreError::sql("take provisional verdicts out"))?;
    Ok(())
}

/// Writes how far a section has been judged, and gives its number.
pub(super) fn set_section(
    connection: &Connection,
    section: &SectionRow,
) -> Result<i64, StoreError> {
    let attempt = StoreError::sql("write how far a section has been judged");
    let SectionRow { key, begun, closed, again } = section;
    let sql = "INSERT INTO section (station, name, begun_ms, closed_ms) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (station, name) DO UPDATE SET begun_ms = excluded.begun_ms,
          closed_ms = excluded.closed_ms
        RETURNING id";
    let (station, name) = (key.station.as_str(), key.section.as_str());
    let row = params![station, name, begun.as_ms(), closed.as_ms()];
    let id = first_row(connection, sql, row, |row| row.get(0)).map_err(&attempt)?;
    let id: i64 = id.ok_or_else(|| StoreError::Section { section: key.clone() })?;
    run(connection, "DELETE FROM again WHERE section = ?1", [id]).map_err(&attempt)?;
    // An hour that was closed without a verdict, since its mandate has gone, is not open any more.
    let sql = "DELETE FROM verdict WHERE section = ?1 AND to_ms <= ?2 AND version = 0";
    run(connection, sql, [id, closed.as_ms()]).map_err(&attempt)?;
    // Nor is a day that began before the section did, as that has turned out.
    if begun < closed {
        let sql = "DELETE FROM verdict WHERE section = ?1 AND from_ms < ?2 AND version = 0";
        run(connection, sql, [id, begun.as_ms()]).map_err(&attempt)?;
    }
    let sql = "INSERT INTO again (section, from_ms, to_ms, first_at, last_at)
        VALUES (?1, ?2, ?3, ?4, ?5)";
    for AgainRow { span, first_at, last_at } in again {
        let row = [id, span.from.as_ms(), span.to.as_ms(), first_at.as_ms(), last_at.as_ms()];
        run(connection, sql, row).map_err(&attempt)?;
    }
    Ok(id)
}

/// The section that a verdict speaks of, where nothing is new of the section itself.
pub(super) fn section_id(connection: &Connection, key: &SectionKey) -> Result<i64, StoreError> {
    let sql = "SELECT id FROM section WHERE station = ?1 AND name = ?2";
    let names = [key.station.as_str(), key.section.as_str()];
    let id = first_row(connection, sql, names, |row| row.get(0));
    id.map_err(StoreError::sql("look a section up"))?
        .ok_or_else(|| StoreError::Section { section: key.clone() })
}
