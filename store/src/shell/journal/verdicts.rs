//! Verdicts: written with the position in the feed that they come of, and read.

use std::collections::BTreeMap;

use model::{
    ids::SectionKey,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
};
use rusqlite::{Connection, Row, params};
use sha2::{Digest as _, Sha256};

use super::{
    JournalBook, JournalReader, SetConsumer, append,
    sections::{section_id, set_section, unsay},
    standing,
};
use crate::{
    chain::{Body, By, MAX_VERDICTS, VerdictGiven},
    shell::{
        error::StoreError,
        samples::{first_row, run},
        writer::Write,
    },
    verdicts::{
        AgainRow, GivenPeriod, NewVerdict, SectionRow, StandingRow, VerdictKind, VerdictRow,
        VerdictsQuery, length_code, verdict_code, verdict_from_code,
    },
};

/// Verdicts, how far their sections have been judged by them, and up to where in the feed of
/// samples: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetVerdicts {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: By,
    /// Whose position it is.
    pub consumer: &'static str,
    /// The last position of the samples' feed that has been dealt with.
    pub samples: i64,
    /// The entry of the registry by which everything that is closed was judged, apart from what
    /// is to be judged again; 0 where there is none.
    pub registry: i64,
    /// Sections whose provisional verdicts are taken out first.
    pub unsaid: Vec<SectionKey>,
    /// The sections of which something is new; of all others that verdicts speak of it stands as
    /// it was written.
    pub sections: Vec<SectionRow>,
    /// Judged periods of these sections.
    pub verdicts: Vec<NewVerdict>,
    /// How sections stand.
    pub standings: Vec<StandingRow>,
    /// Sections that stand no more.
    pub gone: Vec<SectionKey>,
}

/// What came of [`SetVerdicts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VerdictsSet {
    /// Periods that were closed.
    pub closed: u64,
    /// Closed periods of which another outcome has become known.
    pub revised: u64,
}

impl Write<JournalBook> for SetVerdicts {
    type Answer = VerdictsSet;

    fn apply(
        &self,
        book: &mut JournalBook,
        connection: &Connection,
    ) -> Result<VerdictsSet, StoreError> {
        for section in &self.unsaid {
            unsay(connection, section)?;
        }
        let mut ids = BTreeMap::new();
        for section in &self.sections {
            ids.insert(&section.key, set_section(connection, section)?);
        }
        let (mut set, mut given) = (VerdictsSet::default(), Vec::new());
        // The entry comes first, so that its position is known to the rows that it names.
        let (mut rows, mut open) = (Vec::new(), Vec::new());
        for new in &self.verdicts {
            let section = match ids.get(&new.section) {
                Some(section) => *section,
                None => section_id(connection, &new.section)?,
            };
            ids.insert(&new.section, section);
            if new.kind == VerdictKind::Provisional {
                open.push((section, new));
                continue;
            }
            let newest = newest_closed(connection, section, new)?;
            if newest.as_ref().is_some_and(|newest| newest.bytes == new.bytes) {
                continue;
            }
            let version = newest.map_or(1, |newest| newest.version.saturating_add(1));
            *(if version == 1 { &mut set.closed } else { &mut set.revised }) += 1;
            given.push(VerdictGiven {
                section: new.section.to_string(),
                by: new.by.word().to_owned(),
                from: new.span.from,
                version,
                verdict: new.verdict.map(|verdict| verdict.word().to_owned()),
                late: new.is_late,
                digest: hex::encode(Sha256::digest(&new.bytes)),
            });
            rows.push((section, new, version));
        }
        for (given, rows) in given.chunks(MAX_VERDICTS).zip(rows.chunks(MAX_VERDICTS)) {
            let body = Body::VerdictsGiven { verdicts: given.to_vec() };
            let entry = append(connection, self.at, &self.by, &body)?;
            for (section, new, version) in rows {
                insert(connection, *section, new, (*version, Some(entry)), self.at)?;
            }
        }
        // what is taken back may be open again
        for (section, new) in open {
            set_open(connection, section, new, self.at)?;
        }
        standing::set(connection, &self.standings, &self.gone)?;
        let (name, samples) = (self.consumer.to_owned(), self.samples);
        SetConsumer { name, samples, entries: self.registry }.apply(book, connection)?;
        Ok(set)
    }
}

/// Overwrites what is said of an open period; a closed one is not open any more, unless what was
/// said of it is taken back.
fn set_open(
    connection: &Connection,
    section: i64,
    new: &NewVerdict,
    at: Timestamp,
) -> Result<(), StoreError> {
    let newest = newest_closed(connection, section, new)?;
    if newest.is_some_and(|newest| !newest.is_withdrawn) {
        return Ok(());
    }
    insert(connection, section, new, (0, None), at)
}

/// The newest closed version of a period.
struct NewestClosed {
    version: u32,
    is_withdrawn: bool,
    bytes: Vec<u8>,
}

fn newest_closed(
    connection: &Connection,
    section: i64,
    new: &NewVerdict,
) -> Result<Option<NewestClosed>, StoreError> {
    let sql = "SELECT version, is_withdrawn, bytes FROM verdict
        WHERE section = ?1 AND by = ?2 AND from_ms = ?3 AND version > 0
        ORDER BY version DESC LIMIT 1";
    let key = [section, length_code(new.by), new.span.from.as_ms()];
    let read = |row: &Row<'_>| {
        let (version, is_withdrawn, bytes) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(NewestClosed { version, is_withdrawn, bytes })
    };
    first_row(connection, sql, key, read).map_err(StoreError::sql("look a verdict up"))
}

fn insert(
    connection: &Connection,
    section: i64,
    new: &NewVerdict,
    (version, entry): (u32, Option<i64>),
    at: Timestamp,
) -> Result<(), StoreError> {
    let attempt = StoreError::sql("write a verdict");
    let by = length_code(new.by);
    let (from, to) = (new.span.from.as_ms(), new.span.to.as_ms());
    // What was provisional goes, also where a change of rule has moved the period's begin.
    let sql = "DELETE FROM verdict WHERE section = ?1 AND by = ?2 AND from_ms BETWEEN ?3 AND ?4
        AND version = 0 AND to_ms > ?5";
    let earliest = from.saturating_sub(LONGEST_MS);
    run(connection, sql, [section, by, earliest, to.saturating_sub(1), from]).map_err(&attempt)?;
    let sql = "INSERT INTO verdict (section, by, from_ms, version, to_ms, verdict, is_withdrawn,
        judged_at, is_late, entry, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    let (verdict, at) = (new.verdict.map(verdict_code), at.as_ms());
    let is_withdrawn = new.kind == VerdictKind::Withdrawn;
    let (is_late, bytes) = (new.is_late, &new.bytes);
    let row =
        params![section, by, from, version, to, verdict, is_withdrawn, at, is_late, entry, bytes];
    run(connection, sql, row).map_err(&attempt)?;
    Ok(())
}

/// No period is longer: a day on which clocks change.
const LONGEST_MS: i64 = 25 * 60 * 60 * 1000;

impl JournalReader {
    /// How far every section has been judged.
    pub fn sections(&self) -> Result<Vec<SectionRow>, StoreError> {
        let attempt = StoreError::sql("list sections");
        let sql = "SELECT id, station, name, begun_ms, closed_ms FROM section ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([]).map_err(&attempt)?;
        let mut sections = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let id: i64 = row.get(0).map_err(&attempt)?;
            let name = |column| row.get::<_, String>(column).map_err(&attempt);
            let moment = |column| row.get(column).map(Timestamp::clamped).map_err(&attempt);
            sections.push(SectionRow {
                key: SectionKey {
                    station: name(1)?.parse().map_err(damaged)?,
                    section: name(2)?.parse().map_err(damaged)?,
                },
                begun: moment(3)?,
                closed: moment(4)?,
                again: self.again(id)?,
            });
        }
        Ok(sections)
    }

    fn again(&self, section: i64) -> Result<Vec<AgainRow>, StoreError> {
        let attempt = StoreError::sql("list what is to be judged again");
        let sql = "SELECT from_ms, to_ms, first_at, last_at FROM again WHERE section = ?1
            ORDER BY from_ms";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let moment = |row: &Row<'_>, column| row.get(column).map(Timestamp::clamped);
        let rows = statement.query_map([section], |row| {
            Ok(AgainRow {
                span: Span { from: moment(row, 0)?, to: moment(row, 1)? },
                first_at: moment(row, 2)?,
                last_at: moment(row, 3)?,
            })
        });
        rows.map_err(&attempt)?.map(|row| row.map_err(&attempt)).collect()
    }

    /// What is wrong with the row of a verdict that this entry names, if anything is.
    pub(in crate::shell) fn check_verdict(
        &self,
        entry: i64,
        given: &VerdictGiven,
    ) -> Result<Option<&'static str>, StoreError> {
        let by = Length::WORDS.iter().find(|(word, _)| *word == given.by);
        let names = given.section.split_once('/');
        let Some(((_, by), (station, section))) = by.zip(names) else {
            return Ok(Some("the entry names no section or no length of ours"));
        };
        let sql = "SELECT v.entry, v.verdict, v.is_late, v.bytes
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3 AND v.from_ms = ?4
              AND v.version = ?5";
        let key = params![station, section, length_code(*by), given.from.as_ms(), given.version];
        let row = first_row(&self.connection, sql, key, |row| {
            let verdict: Option<i64> = row.get(1)?;
            let word = verdict.map(|code| verdict_from_code(code).map_or("unknown", Verdict::word));
            let bytes: Vec<u8> = row.get(3)?;
            Ok((row.get::<_, Option<i64>>(0)?, word, row.get::<_, bool>(2)?, bytes))
        });
        let row = row.map_err(StoreError::sql("look a verdict up"))?;
        let Some((named_by, word, is_late, bytes)) = row else {
            return Ok(Some("its row is missing"));
        };
        Ok(if hex::encode(Sha256::digest(&bytes)) != given.digest {
            Some("its judgement is not the one that was given")
        } else if named_by != Some(entry)
            || word != given.verdict.as_deref()
            || is_late != given.late
        {
            Some("its row says other than its entry")
        } else {
            None
        })
    }

    /// Closed periods of a section that reach into `span` and whose newest version is no
    /// withdrawal, by their begin: at most `limit` hours and as many days.
    pub fn given_periods(
        &self,
        key: &SectionKey,
        span: Span,
        limit: usize,
    ) -> Result<Vec<GivenPeriod>, StoreError> {
        let attempt = StoreError::sql("read which verdicts stand");
        let sql = "SELECT v.from_ms, v.to_ms, v.judged_at
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3 AND v.version > 0
              AND v.from_ms > ?4 AND v.from_ms < ?5 AND v.to_ms > ?6 AND v.is_withdrawn = 0
              AND v.version = (SELECT max(n.version) FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms)
            ORDER BY v.from_ms LIMIT ?7";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let (from, to) = (span.from.as_ms(), span.to.as_ms());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut given = Vec::new();
        for by in [Length::Hour, Length::Day] {
            let (station, section) = (key.station.as_str(), key.section.as_str());
            let earliest = from.saturating_sub(LONGEST_MS);
            let asked = params![station, section, length_code(by), earliest, to, from, limit];
            let moment = |row: &Row<'_>, column| row.get(column).map(Timestamp::clamped);
            let rows = statement.query_map(asked, |row| {
                let span = Span { from: moment(row, 0)?, to: moment(row, 1)? };
                Ok(GivenPeriod { by, span, judged_at: moment(row, 2)? })
            });
            for row in rows.map_err(&attempt)? {
                given.push(row.map_err(&attempt)?);
            }
        }
        given.sort_by_key(|row| row.span.from);
        Ok(given)
    }

    /// Closed periods that overlap the one before of their section and length while both stand,
    /// and none of whose time is to be judged again.
    pub(in crate::shell) fn overlapping_verdicts(&self) -> Result<u64, StoreError> {
        let sql = "WITH newest AS (SELECT v.section, v.by, v.from_ms, v.to_ms FROM verdict v
            WHERE v.version > 0 AND v.is_withdrawn = 0
              AND v.version = (SELECT max(n.version) FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms)),
          pairs AS (SELECT section, from_ms, to_ms, lag(from_ms) OVER before AS before_from_ms,
              max(to_ms) OVER (before ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_ms
            FROM newest WINDOW before AS (PARTITION BY section, by ORDER BY from_ms))
          SELECT count(*) FROM pairs p JOIN section s ON s.id = p.section
          WHERE p.before_ms > p.from_ms AND p.from_ms < s.closed_ms AND NOT EXISTS (SELECT 1
            FROM again a WHERE a.section = p.section
              AND a.from_ms < max(p.to_ms, p.before_ms) AND a.to_ms > p.before_from_ms)";
        let count = first_row(&self.connection, sql, [], |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("look for verdicts that overlap"))?;
        Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    /// How many versions of verdicts stand that an entry must name.
    pub(in crate::shell) fn closed_verdicts(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM verdict WHERE version > 0";
        let count = first_row(&self.connection, sql, [], |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("count verdicts"))?;
        Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    /// Verdicts of a section, by period and version; of each period the newest, or all. Of one that
    /// is open again, since what was said of it was taken back, the newest is what is provisional.
    pub fn verdicts(&self, query: &VerdictsQuery) -> Result<Vec<VerdictRow>, StoreError> {
        let attempt = StoreError::sql("read verdicts");
        let sql = "SELECT v.from_ms, v.to_ms, v.version, v.verdict, v.is_withdrawn,
              v.judged_at, v.is_late, v.entry, v.bytes
            FROM verdict v JOIN section s ON s.id = v.section
            WHERE s.station = ?1 AND s.name = ?2 AND v.by = ?3
              AND v.from_ms >= ?4 AND v.from_ms < ?5
              AND (v.from_ms > ?6 OR v.from_ms = ?6 AND v.version > ?7)
              AND (?8 OR v.version = (SELECT CASE min(n.version) WHEN 0 THEN 0 ELSE max(n.version) END
                FROM verdict n
                WHERE n.section = v.section AND n.by = v.by AND n.from_ms = v.from_ms))
            ORDER BY v.from_ms, v.version LIMIT ?9";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let (after, version) =
            query.after.map_or((i64::MIN, 0), |(at, version)| (at.as_ms(), version));
        let parameters = params![
            query.section.station.as_str(),
            query.section.section.as_str(),
            length_code(query.by),
            query.span.from.as_ms().max(after),
            query.span.to.as_ms(),
            after,
            version,
            query.all_versions,
            i64::try_from(query.limit).unwrap_or(i64::MAX),
        ];
        let rows = statement.query_map(parameters, |row| verdict_row(row, query.by));
        rows.map_err(&attempt)?.map(|row| row.map_err(&attempt)).collect()
    }
}

pub(super) fn verdict_row(row: &Row<'_>, by: Length) -> rusqlite::Result<VerdictRow> {
    let moment = |column| row.get(column).map(Timestamp::clamped);
    let verdict: Option<i64> = row.get(3)?;
    Ok(VerdictRow {
        by,
        span: Span { from: moment(0)?, to: moment(1)? },
        version: row.get(2)?,
        verdict: verdict.and_then(verdict_from_code),
        is_withdrawn: row.get(4)?,
        judged_at: moment(5)?,
        is_late: row.get(6)?,
        entry: row.get(7)?,
        bytes: row.get(8)?,
    })
}

pub(super) fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(format!("journal.db: {error}"))
}
