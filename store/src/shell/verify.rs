//! `verify`: everything that the store can check about itself, read in slices.

mod alarms;
mod decisions;
mod feed;
mod garbage;
mod rights;

use std::collections::BTreeMap;

use model::{fault::Chain, ids::GaugeId, quantity::Unit, time::Timestamp};
use rusqlite::{Connection, Row};
use serde::Deserialize;

use self::rights::RightsCheck;
use super::{
    error::StoreError,
    journal::JournalReader,
    open::Store,
    samples::{SamplesReader, first_row, key_of, known},
};
use crate::{
    admission::{AdmittedColumn, Kind},
    audit::{ChainCheck, Finding, Report},
    chain::{Body, Entry, Hash, VERDICTS_GIVEN, VerdictGiven},
    points::Decoded,
};

/// Rows in one snapshot, so that the write-ahead log does not grow meanwhile.
const SLICE: usize = 2_000;

/// Checks both files, beside a running server if need be: the chain of entries and its copied
/// heads, the rights, verdicts, alarms and messages that they name, that no two verdicts overlap, the
/// digest of each stored payload, of garbage, and of each row of the feed with its spans, the points
/// of each span, and SQLite's own check. What it cannot see stands in `docs/formats.md` §9.
pub fn verify(store: &Store) -> Result<Report, StoreError> {
    let mut report = Report::default();
    // Counted first: what is given meanwhile is named by an entry that is walked, too.
    decisions::items(store, &mut report)?;
    let given = store.journal().read_blocking(JournalReader::closed_verdicts)?;
    chain(store, &mut report)?;
    let count = given.saturating_sub(report.verdicts);
    if count > 0 {
        report.findings.push(Finding::Loose { what: "verdicts that no entry names", count });
    }
    let overlapping = store.journal().read_blocking(JournalReader::overlapping_verdicts)?;
    if overlapping > 0 {
        let what = "closed periods that overlap another one while both stand";
        report.findings.push(Finding::Loose { what, count: overlapping });
    }
    batches(store, &mut report)?;
    garbage::payloads(store, &mut report)?;
    spans(store, &mut report)?;
    feed::rows(store, &mut report)?;
    loose(store, &mut report)?;
    store
        .samples()
        .read_blocking(|reader| integrity(&reader.connection, "samples.db", &mut report))?;
    store
        .journal()
        .read_blocking(|reader| integrity(&reader.connection, "journal.db", &mut report))?;
    Ok(report)
}

fn chain(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    // Heads are read first: what is appended meanwhile is then no cut.
    let heads = store.samples().read_blocking(|reader| heads(&reader.connection))?;
    let mut check = ChainCheck::new(heads);
    let mut rights = store.journal().read_blocking(RightsCheck::begin)?;
    let (mut last, mut slice) = (0, SLICE);
    loop {
        let entries = match store.journal().read_blocking(|reader| reader.entries(last, slice)) {
            Ok(entries) => entries,
            // Some row of the slice: one by one, up to it.
            Err(StoreError::Damaged(_)) if slice > 1 => {
                slice = 1;
                continue;
            }
            Err(StoreError::Damaged(problem)) => {
                report.findings.push(Finding::Entry { position: last + 1, problem });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for entry in &entries {
            report.findings.extend(check.entry(entry));
            rights.entry(entry);
            report.entries += 1;
            last = entry.position;
        }
        let voided: Vec<&Entry> =
            entries.iter().filter(|entry| entry.kind == Body::QUARANTINE_VOIDED).collect();
        if !voided.is_empty() {
            store.samples().read_blocking(|reader| decisions::voided(reader, &voided, report))?;
        }
        let given: Vec<&Entry> =
            entries.iter().filter(|entry| entry.kind == VERDICTS_GIVEN).collect();
        if !given.is_empty() {
            store.journal().read_blocking(|reader| verdicts(reader, &given, report))?;
        }
        let of_alarms: Vec<&Entry> =
            entries.iter().filter(|entry| alarms::names_one(&entry.kind)).collect();
        if !of_alarms.is_empty() {
            store.journal().read_blocking(|reader| alarms::check(reader, &of_alarms, report))?;
        }
        if entries.is_empty() {
            report.findings.extend(check.end());
            rights.end(report);
            return Ok(());
        }
    }
}

/// Each verdict that these entries name is as it was given.
fn verdicts(
    reader: &JournalReader,
    entries: &[&Entry],
    report: &mut Report,
) -> Result<(), StoreError> {
    #[derive(Deserialize)]
    struct Given {
        verdicts: Vec<VerdictGiven>,
    }
    for entry in entries {
        // What cannot be read was found by the chain's own check.
        let Ok(Given { verdicts }) = entry.body() else { continue };
        for given in verdicts {
            report.verdicts += 1;
            if let Some(problem) = reader.check_verdict(entry.position, &given)? {
                let VerdictGiven { section, from, version, .. } = given;
                let problem = problem.to_owned();
                report.findings.push(Finding::Verdict { section, from, version, problem });
            }
        }
    }
    Ok(())
}

fn heads(connection: &Connection) -> Result<BTreeMap<i64, Hash>, StoreError> {
    let attempt = StoreError::sql("read the copied heads");
    let sql = "SELECT position, hash FROM chain_head";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let heads = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&attempt)?;
    heads.map(|head| head.map_err(&attempt)).collect()
}

fn batches(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let mut last = 0;
    loop {
        let before = last;
        store.samples().read_blocking(|reader| {
            for position in positions(&reader.connection, last)? {
                last = position;
                report.batches += 1;
                if let Err(problem) = batch(reader, position)? {
                    report.findings.push(Finding::Batch { position, problem });
                }
            }
            Ok(())
        })?;
        if last == before {
            return Ok(());
        }
    }
}

fn positions(connection: &Connection, after: i64) -> Result<Vec<i64>, StoreError> {
    let attempt = StoreError::sql("list batches");
    let sql = "SELECT position FROM batch WHERE position > ?1 ORDER BY position LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let limit = i64::try_from(SLICE).unwrap_or(i64::MAX);
    let positions = statement.query_map([after, limit], |row| row.get(0)).map_err(&attempt)?;
    positions.map(|position| position.map_err(&attempt)).collect()
}

type Checked = Result<(), String>;

fn batch(reader: &SamplesReader, position: i64) -> Result<Checked, StoreError> {
    let stored = match reader.batch(position) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(Err("it names an agent that is not there".to_owned())),
        Err(StoreError::Damaged(problem)) => return Ok(Err(problem)),
        Err(error) => return Err(error),
    };
    let key = match key_of(&stored) {
        Ok(key) => key,
        Err(error) => return Ok(Err(Chain(&error).to_string())),
    };
    let sql = "SELECT agent FROM batch WHERE position = ?1";
    let agent = first_row(&reader.connection, sql, [position], |row| row.get(0))
        .map_err(StoreError::sql("read a batch"))?
        .unwrap_or(0);
    Ok(match known(&reader.connection, agent, &key)? {
        None => Err("no identity was ever admitted for it".to_owned()),
        Some(known) if known.digest != *key.digest() => {
            Err("its bytes are not those that were admitted".to_owned())
        }
        Some(known) if known.batch != Some(position) => {
            Err("its identity belongs to another batch".to_owned())
        }
        Some(_) => Ok(()),
    })
}

/// Where the next slice of spans begins.
type SpanKey = (i64, i64, i64);

fn spans(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let mut last: SpanKey = (0, i64::MIN, i64::MIN);
    loop {
        let before = last;
        store.samples().read_blocking(|reader| slice(&reader.connection, &mut last, report))?;
        if last == before {
            return Ok(());
        }
    }
}

fn slice(
    connection: &Connection,
    last: &mut SpanKey,
    report: &mut Report,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("read spans");
    let sql = "SELECT s.gauge, s.from_ms, s.feed, s.to_ms, s.points, s.decimals, s.qc, s.batch,
          t.name || '/' || g.name, g.unit, b.kind, b.bytes, s.offset_ms
        FROM span s JOIN gauge g ON g.id = s.gauge JOIN station t ON t.id = g.station
          JOIN batch b ON b.position = s.batch
        WHERE (s.gauge, s.from_ms, s.feed) > (?1, ?2, ?3)
        ORDER BY s.gauge, s.from_ms, s.feed LIMIT ?4";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let limit = i64::try_from(SLICE).unwrap_or(i64::MAX);
    let mut rows = statement.query([last.0, last.1, last.2, limit]).map_err(&attempt)?;
    while let Some(row) = rows.next().map_err(&attempt)? {
        let key = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        *last = key(row).map_err(&attempt)?;
        report.spans += 1;
        report.findings.extend(span(row).map_err(&attempt)?);
    }
    Ok(())
}

fn span(row: &Row<'_>) -> rusqlite::Result<Option<Finding>> {
    let (name, unit): (String, String) = (row.get(8)?, row.get(9)?);
    let batch = row.get(7)?;
    let problem = |problem: String| Finding::Batch { position: batch, problem };
    let (Ok(gauge), Some(unit), Some(kind)) =
        (name.parse::<GaugeId>(), Unit::named(&unit), Kind::from_code(row.get(10)?))
    else {
        return Ok(Some(problem(format!("a span of `{name}` in `{unit}`, which is not known"))));
    };
    let column = AdmittedColumn {
        gauge: gauge.clone(),
        unit,
        decimals: row.get(5)?,
        from: Timestamp::clamped(row.get(1)?),
        to: Timestamp::clamped(row.get(3)?),
        points: row.get(4)?,
        offset_ms: row.get(12)?,
        qc: row.get(6)?,
    };
    let bytes: Vec<u8> = row.get(11)?;
    let checked = Decoded::new(kind, &bytes).and_then(|decoded| decoded.span(&column));
    Ok(checked.err().map(|error| Finding::Span {
        gauge,
        batch,
        problem: Chain(&error).to_string(),
    }))
}

const LOOSE: [(&str, &str); 12] = [
    (
        "parked items of which one half is not there",
        "SELECT (SELECT count(*) FROM parking p LEFT JOIN quarantine q ON q.id = p.item
            WHERE q.id IS NULL)
          + (SELECT count(*) FROM quarantine q LEFT JOIN parking p ON p.item = q.id
            WHERE q.kind = 1 AND q.state = 0 AND p.item IS NULL)",
    ),
    (
        "epochs whose ledger is not that of their batches",
        "SELECT count(*) FROM ledger l FULL JOIN
            (SELECT agent, epoch, count(*) AS batches, min(sequence) AS first,
                max(sequence) AS last FROM admitted GROUP BY agent, epoch) a
              ON a.agent = l.agent AND a.epoch = l.epoch
            WHERE l.batches IS NOT a.batches OR l.first_sequence IS NOT a.first
              OR l.last_sequence IS NOT a.last",
    ),
    (
        "identities whose batch is not there",
        "SELECT (SELECT count(*) FROM admitted a LEFT JOIN batch b ON b.position = a.batch
            WHERE a.batch IS NOT NULL AND b.position IS NULL)
          + (SELECT count(*) FROM admitted_payload a LEFT JOIN batch b ON b.position = a.batch
            WHERE a.batch IS NOT NULL AND b.position IS NULL)",
    ),
    (
        "spans whose batch is not there",
        "SELECT count(*) FROM span s LEFT JOIN batch b ON b.position = s.batch
            WHERE b.position IS NULL",
    ),
    (
        "spans whose feed row is not there",
        "SELECT count(*) FROM span s LEFT JOIN feed f ON f.position = s.feed
            WHERE f.position IS NULL",
    ),
    (
        "spans whose gauge is not there",
        "SELECT count(*) FROM span s LEFT JOIN gauge g ON g.id = s.gauge WHERE g.id IS NULL",
    ),
    (
        "gaps whose batch is not there",
        "SELECT count(*) FROM gap g LEFT JOIN batch b ON b.position = g.batch
            WHERE b.position IS NULL",
    ),
    (
        "parked batches that are not there",
        "SELECT count(*) FROM parked p LEFT JOIN batch b ON b.position = p.batch
            WHERE b.position IS NULL",
    ),
    (
        "parked items that miscount their batches",
        "SELECT count(*) FROM parking p LEFT JOIN
            (SELECT item, count(*) AS batches FROM parked GROUP BY item) m ON m.item = p.item
            WHERE p.waiting <> coalesce(m.batches, 0)",
    ),
    (
        "parked items that would be judged again at another moment than their batches",
        "SELECT count(*) FROM parking p LEFT JOIN
            (SELECT item, min(due) AS due FROM parked GROUP BY item) m ON m.item = p.item
            WHERE p.due IS NOT m.due",
    ),
    (
        "bytes by which the park is miscounted",
        "SELECT abs((SELECT coalesce(sum(cost), 0) FROM parking)
            - coalesce((SELECT value FROM meta WHERE key = 'parked_bytes'), 0))",
    ),
    (
        "bytes by which what is parked beside it is miscounted",
        "SELECT abs((SELECT coalesce(sum(beside), 0) FROM parking)
            - coalesce((SELECT value FROM meta WHERE key = 'parked_beside_bytes'), 0))",
    ),
];

fn loose(store: &Store, report: &mut Report) -> Result<(), StoreError> {
    let of_samples = [&LOOSE[..], &feed::LOOSE[..]].concat();
    let samples = move |reader: &SamplesReader| counted(&reader.connection, &of_samples);
    let journal = |reader: &JournalReader| counted(&reader.connection, &alarms::LOOSE);
    report.findings.extend(store.samples().read_blocking(samples)?);
    report.findings.extend(store.journal().read_blocking(journal)?);
    Ok(())
}

/// What is found of these statements, each of which counts something that must not be.
fn counted(
    connection: &Connection,
    statements: &[(&'static str, &str)],
) -> Result<Vec<Finding>, StoreError> {
    let mut findings = Vec::new();
    for (what, sql) in statements {
        let count = first_row(connection, sql, [], |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("count loose rows"))?;
        let count = u64::try_from(count.unwrap_or(0)).unwrap_or(0);
        if count > 0 {
            findings.push(Finding::Loose { what, count });
        }
    }
    Ok(findings)
}

fn integrity(
    connection: &Connection,
    file: &'static str,
    report: &mut Report,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("check a file");
    let mut statement = connection.prepare("PRAGMA integrity_check").map_err(&attempt)?;
    let lines = statement.query_map([], |row| row.get::<_, String>(0)).map_err(&attempt)?;
    for line in lines {
        let problem = line.map_err(&attempt)?;
        if problem != "ok" {
            report.findings.push(Finding::File { file, problem });
        }
    }
    Ok(())
}
