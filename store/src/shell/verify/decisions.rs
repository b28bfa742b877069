//! That what became of each quarantined item is what the journal says was decided.

use rusqlite::params;
use serde::Deserialize;

use super::SLICE;
use crate::{
    audit::{Finding, Report},
    chain::{Decision, Entry},
    facts::QuarantineState,
    shell::{
        error::StoreError,
        journal::JournalReader,
        open::Store,
        samples::{SamplesReader, first_row},
    },
};

/// An item that somebody has decided about, as the samples have it.
struct Decided {
    id: i64,
    state: QuarantineState,
    entry: Option<i64>,
}

#[derive(Deserialize)]
struct Told {
    id: i64,
    decision: Decision,
}

#[derive(Deserialize)]
struct Voided {
    id: i64,
    entry: i64,
}

/// Each item's entry is there and says so. Items come first: an entry precedes its effect.
pub(super) fn items(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let items = store.samples().read_blocking(|reader| decided(reader, after))?;
        let Some(last) = items.last() else { return Ok(()) };
        after = last.id;
        store.journal().read_blocking(|reader| {
            for item in &items {
                report.items += 1;
                if let Some(problem) = problem(reader, item)? {
                    report.findings.push(Finding::Item { id: item.id, problem });
                }
            }
            Ok(())
        })?;
    }
}

fn decided(reader: &SamplesReader, after: i64) -> Result<Vec<Decided>, StoreError> {
    let attempt = StoreError::sql("list what was decided");
    let sql = "SELECT id, state, entry FROM quarantine
        WHERE id > ?1 AND (entry IS NOT NULL OR state <> 0) ORDER BY id LIMIT ?2";
    let mut statement = reader.connection.prepare_cached(sql).map_err(&attempt)?;
    let limit = i64::try_from(SLICE).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![after, limit], |row| {
        let state = QuarantineState::from_code(row.get(1)?).unwrap_or(QuarantineState::Held);
        Ok(Decided { id: row.get(0)?, state, entry: row.get(2)? })
    });
    rows.map_err(&attempt)?.map(|row| row.map_err(&attempt)).collect()
}

fn problem(reader: &JournalReader, item: &Decided) -> Result<Option<String>, StoreError> {
    let word = match item.state {
        // what came due, or is refused for another reason now, has no entry
        QuarantineState::Held | QuarantineState::Replayed => Decision::Replayed,
        QuarantineState::Discarded => Decision::Discarded,
    };
    let Some(entry) = item.entry else {
        let is_told = word == Decision::Replayed;
        return Ok((!is_told).then(|| "it was discarded, and no entry says by whom".to_owned()));
    };
    let found = reader.entries(entry - 1, 1)?;
    let told = found
        .first()
        .filter(|found| found.position == entry)
        .and_then(|found| found.body::<Told>().ok());
    let is_so = told.is_some_and(|told| told.id == item.id && told.decision == word);
    Ok((!is_so).then(|| format!("entry {entry}, under which it was decided, does not say so")))
}

/// What these entries say came to nothing has not come about.
pub(super) fn voided(
    reader: &SamplesReader,
    entries: &[&Entry],
    report: &mut Report,
) -> Result<(), StoreError> {
    for entry in entries {
        // What cannot be read was found by the chain's own check.
        let Ok(Voided { id, entry }) = entry.body() else { continue };
        let sql = "SELECT 1 FROM quarantine WHERE id = ?1 AND entry = ?2";
        let found = first_row(&reader.connection, sql, params![id, entry], |_| Ok(()))
            .map_err(StoreError::sql("look for what was decided"))?;
        if found.is_some() {
            let problem = format!(
                "it was decided under entry {entry}, which is said to have come to nothing"
            );
            report.findings.push(Finding::Item { id, problem });
        }
    }
    Ok(())
}
