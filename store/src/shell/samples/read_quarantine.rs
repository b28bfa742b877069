//! Reads of the quarantine.

use std::sync::Arc;

use model::{
    ids::{AgentId, BootId},
    time::Timestamp,
    wire::batch_v1,
};
use rusqlite::{Connection, Row, params};

use super::{SamplesReader, aside_text, first_row, own_gauges, read_samples::damaged};
use crate::{
    admission::{AsideGauges, Kind},
    facts::{
        Original, PAGE_BYTES, ParkFacts, ParkedBatch, ParkedSlice, QuarantineItem, QuarantinePage,
        QuarantineQuery, QuarantineRow, QuarantineState, SHOWN_GAUGES, StoredBatch, kept_code,
        kept_from_code,
    },
    shell::error::StoreError,
};

/// What a row says of itself; the gauges are read as far as they are shown.
const ROW: &str = "SELECT q.id, q.kind, q.state, q.agent, q.topic, q.received_at, q.bytes,
      q.digest, q.reason, q.detail, q.gauges, p.batches, p.waiting, p.bytes, p.last_at,
      p.from_ms, p.to_ms, p.boot, q.batch, q.payload IS NOT NULL, q.gauge_count, p.due, q.entry
    FROM quarantine q LEFT JOIN parking p ON p.item = q.id";
/// What a row counts of a page beside its texts.
const ROW_BYTES: usize = 512;
/// Batches in a slice of a parked item, so that no write of one lasts.
const SLICE_BATCHES: usize = 64;
/// What a slice may weigh, beyond which it takes no further batch: judging it keeps as much.
const SLICE_WEIGHT: usize = 4 * 1024 * 1024;
/// What each gauge that is set aside weighs of each batch: a name, a reason in words, a column.
const NAME_WEIGHT: usize = 1_024;

impl SamplesReader {
    /// A page of the quarantine, newest first: at most as many rows as are asked for, and fewer
    /// where their texts fill it.
    pub fn quarantine(&self, query: &QuarantineQuery) -> Result<QuarantinePage, StoreError> {
        let attempt = StoreError::sql("list the quarantine");
        let sql = format!(
            "{ROW} WHERE q.id < ?1 AND (?2 IS NULL OR q.kind = ?2) AND (?3 IS NULL OR q.state = ?3)
             ORDER BY q.id DESC LIMIT ?4"
        );
        let limit = query.limit.max(1);
        let parameters = params![
            query.before.unwrap_or(i64::MAX),
            query.kind.and_then(kept_code),
            query.state.map(QuarantineState::code),
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        ];
        let mut statement = self.connection.prepare_cached(&sql).map_err(&attempt)?;
        let mut found = statement.query(parameters).map_err(&attempt)?;
        let (mut rows, mut bytes, mut next) = (Vec::<QuarantineRow>::new(), 0_usize, None);
        while let Some(row) = found.next().map_err(&attempt)? {
            if rows.len() == limit || bytes >= PAGE_BYTES {
                next = rows.last().map(|row| row.id);
                break;
            }
            let row = quarantine_row(row).map_err(&attempt)??;
            bytes = bytes.saturating_add(shown_bytes(&row));
            rows.push(row);
        }
        Ok(QuarantinePage { rows, next })
    }

    /// A row without what it is about.
    pub fn quarantine_row(&self, id: i64) -> Result<Option<QuarantineRow>, StoreError> {
        Ok(facts(&self.connection, id)?.map(|(row, _)| row))
    }

    /// A row, with the payload where the row itself keeps it.
    pub fn quarantine_item(&self, id: i64) -> Result<Option<QuarantineItem>, StoreError> {
        let Some((row, mut original)) = facts(&self.connection, id)? else { return Ok(None) };
        if let Original::Payload(payload) = &mut original {
            let sql = "SELECT payload FROM quarantine WHERE id = ?1";
            let found = first_row(&self.connection, sql, [id], |row| row.get(0))
                .map_err(StoreError::sql("read a quarantined payload"))?;
            *payload = found.flatten().unwrap_or_default();
        }
        Ok(Some(QuarantineItem { row, original }))
    }

    /// The next batches of a parked item after this one, a few at a time.
    pub fn parked_slice(&self, item: i64, after: i64) -> Result<ParkedSlice, StoreError> {
        slice(&self.connection, item, after)
    }

    /// Parked items that were given up and of which batches are left, the oldest first.
    pub fn unswept(&self, limit: usize) -> Result<Vec<i64>, StoreError> {
        let attempt = StoreError::sql("look for what was given up");
        // Decided items have no likeness either, and are more than those that wait.
        let sql = "SELECT item FROM parking INDEXED BY parking_waiting
            WHERE waiting > 0 AND likeness IS NULL ORDER BY item LIMIT ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let items = statement.query_map([limit], |row| row.get(0)).map_err(&attempt)?;
        items.map(|item| item.map_err(&attempt)).collect()
    }

    /// How full the park is, and by whom.
    pub fn park(&self) -> Result<ParkFacts, StoreError> {
        let attempt = StoreError::sql("measure the park");
        let sql = "SELECT a.name, sum(p.cost) FROM parking p JOIN agent a ON a.id = p.agent
            WHERE p.waiting > 0 GROUP BY p.agent ORDER BY 2 DESC LIMIT 1";
        let fullest = first_row(&self.connection, sql, [], |row| {
            Ok((row.get::<_, String>(0)?, unsigned(row.get(1)?)))
        });
        let fullest = match fullest.map_err(&attempt)? {
            Some((agent, bytes)) => Some((agent.parse::<AgentId>().map_err(damaged)?, bytes)),
            None => None,
        };
        Ok(ParkFacts { bytes: self.counters()?.parked_bytes, fullest })
    }

    /// A stored payload.
    pub fn batch(&self, position: i64) -> Result<Option<StoredBatch>, StoreError> {
        batch(&self.connection, position)
    }
}

/// What a row counts of a page: its texts, and the names and numbers around them.
fn shown_bytes(row: &QuarantineRow) -> usize {
    let gauges: usize = row.gauges.iter().map(String::len).sum();
    row.topic.len() + row.reason.len() + row.detail.len() + gauges + ROW_BYTES
}

/// A row and where its payload is, which is not read.
pub(super) fn facts(
    connection: &Connection,
    id: i64,
) -> Result<Option<(QuarantineRow, Original)>, StoreError> {
    let attempt = StoreError::sql("read a row of the quarantine");
    let found = first_row(connection, &format!("{ROW} WHERE q.id = ?1"), [id], |row| {
        let batches: Option<i64> = row.get(11)?;
        let original = match (batches, row.get(18)?, row.get(19)?) {
            (Some(_), _, _) => Original::Batches,
            (None, Some(batch), _) => Original::Batch(batch),
            (None, None, true) => Original::Payload(Vec::new()),
            (None, None, false) => Original::Gone,
        };
        Ok((quarantine_row(row)?, original))
    });
    let Some((row, original)) = found.map_err(&attempt)? else { return Ok(None) };
    Ok(Some((row?, original)))
}

/// The next batches of a parked item, a few at a time.
pub(super) fn slice(
    connection: &Connection,
    item: i64,
    after: i64,
) -> Result<ParkedSlice, StoreError> {
    let sql = "SELECT batch, own, judged_at, due FROM parked
        WHERE item = ?1 AND batch > ?2 ORDER BY batch LIMIT ?3";
    slice_by(connection, sql, (item, after))
}

/// The same of a statement that takes an item, what it is asked for, and how many.
pub(super) fn slice_by(
    connection: &Connection,
    members: &str,
    (item, asked): (i64, i64),
) -> Result<ParkedSlice, StoreError> {
    let attempt = StoreError::sql("read parked batches");
    let sql = "SELECT gauges FROM quarantine WHERE id = ?1";
    let of_item: Option<String> =
        first_row(connection, sql, [item], |row| row.get(0)).map_err(&attempt)?.flatten();
    let of_item = aside_text::named(of_item.as_deref().unwrap_or_default());
    let of_item: Arc<AsideGauges> = Arc::new(of_item);
    let mut statement = connection.prepare_cached(members).map_err(&attempt)?;
    let limit = i64::try_from(SLICE_BATCHES).unwrap_or(i64::MAX);
    let mut rows = statement.query([item, asked, limit]).map_err(&attempt)?;
    let (mut slice, mut weight) = (ParkedSlice::default(), 0_usize);
    while let Some(row) = rows.next().map_err(&attempt)? {
        let (position, own, judged_at, due) = member(row).map_err(&attempt)?;
        slice.next = Some(position);
        let Some(stored) = batch(connection, position)? else {
            return Err(damaged(format!("parked batch {position} is not there")));
        };
        let gauges = match own {
            Some(own) => Arc::new(own_gauges::read(&stored, &own)?),
            None => Arc::clone(&of_item),
        };
        weight = weight.saturating_add(weight_of(&stored, gauges.len()));
        slice.batches.push(ParkedBatch { stored, gauges, judged_at, due });
        if weight >= SLICE_WEIGHT {
            return Ok(slice);
        }
    }
    if slice.batches.len() < SLICE_BATCHES {
        slice.next = None;
    }
    Ok(slice)
}

/// What a batch weighs unfolded, of which so many gauges are set aside. Flags of QC take two bytes
/// of each byte at most, and a few bytes can name thousands of gauges.
fn weight_of(stored: &StoredBatch, gauges: usize) -> usize {
    let unfolded = match stored.kind {
        Kind::Batch | Kind::Import => batch_v1::plain_length(&stored.bytes),
        Kind::Json => stored.bytes.len(),
    };
    unfolded.saturating_add(gauges.saturating_mul(NAME_WEIGHT))
}

type MemberRow = (i64, Option<Vec<u8>>, Timestamp, Option<Timestamp>);

fn member(row: &Row<'_>) -> rusqlite::Result<MemberRow> {
    let due: Option<i64> = row.get(3)?;
    let judged_at = Timestamp::clamped(row.get(2)?);
    Ok((row.get(0)?, row.get(1)?, judged_at, due.map(Timestamp::clamped)))
}

/// A stored payload.
pub(super) fn batch(
    connection: &Connection,
    position: i64,
) -> Result<Option<StoredBatch>, StoreError> {
    let attempt = StoreError::sql("read a batch");
    let sql = "SELECT b.kind, a.name, b.received_at, b.bytes
            FROM batch b JOIN agent a ON a.id = b.agent WHERE b.position = ?1";
    let found = first_row(connection, sql, [position], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    });
    let Some((kind, agent, received_at, bytes)) = found.map_err(&attempt)? else {
        return Ok(None);
    };
    let agent: String = agent;
    Ok(Some(StoredBatch {
        position,
        kind: Kind::from_code(kind)
            .ok_or_else(|| damaged(format!("batch {position} is of no known kind")))?,
        agent: agent.parse().map_err(damaged)?,
        received_at: Timestamp::clamped(received_at),
        bytes,
    }))
}

fn quarantine_row(row: &Row<'_>) -> rusqlite::Result<Result<QuarantineRow, StoreError>> {
    let id: i64 = row.get(0)?;
    let (kind, state) = (kept_from_code(row.get(1)?), QuarantineState::from_code(row.get(2)?));
    let agent: String = row.get(3)?;
    let (Some(kind), Some(state), Ok(agent)) = (kind, state, agent.parse::<AgentId>()) else {
        return Ok(Err(damaged(format!("row {id} of the quarantine cannot be read"))));
    };
    let received_at: i64 = row.get(5)?;
    let own_bytes: i64 = row.get(6)?;
    let is_held = state == QuarantineState::Held;
    let boot: Option<[u8; 16]> = row.get(17)?;
    let (from, to): (Option<i64>, Option<i64>) = (row.get(15)?, row.get(16)?);
    // Borrowed from SQLite, so that a page never holds more than it shows.
    let names = row.get_ref(10)?.as_str_or_null()?.unwrap_or_default();
    Ok(Ok(QuarantineRow {
        id,
        kind,
        state,
        entry: row.get(22)?,
        agent,
        topic: row.get(4)?,
        received_at: Timestamp::clamped(received_at),
        last_at: Timestamp::clamped(row.get::<_, Option<i64>>(14)?.unwrap_or(received_at)),
        batches: unsigned(row.get::<_, Option<i64>>(11)?.unwrap_or(1)),
        waiting: unsigned(row.get::<_, Option<i64>>(12)?.unwrap_or(i64::from(is_held))),
        bytes: unsigned(row.get::<_, Option<i64>>(13)?.unwrap_or(own_bytes)),
        digest: row.get(7)?,
        reason: row.get(8)?,
        detail: row.get(9)?,
        gauges: names
            .lines()
            .take(SHOWN_GAUGES)
            .map(|line| aside_text::name(line).to_owned())
            .collect(),
        gauge_count: unsigned(row.get(20)?),
        moments: from.zip(to).map(|(from, to)| (Timestamp::clamped(from), Timestamp::clamped(to))),
        boot: boot.map(|boot| BootId(u128::from_be_bytes(boot))),
        due: row.get::<_, Option<i64>>(21)?.map(Timestamp::clamped),
    }))
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
