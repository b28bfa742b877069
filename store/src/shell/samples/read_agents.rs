//! Reads of agents, the feed, gaps and counters.

use model::{
    batch::{Gap, GapReason, Previous},
    ids::{AgentId, Epoch, GaugeId, StationId},
    time::{Span, Timestamp},
    wire::status_v1::Status,
};
use rusqlite::{Row, params};

use super::{SamplesReader, counters, first_row, read_samples::damaged};
use crate::{
    admission::Kind,
    facts::{
        Absence, AgentPage, AgentRow, Counters, EpochRow, FeedRow, GapRow, PAGE_BYTES,
        SHOWN_EPOCHS, Since,
    },
    queued::{queued_from, whole},
    shell::error::StoreError,
};

/// Batches that are counted after a status: at one a second it is told four times as often.
const MAX_SINCE: i64 = 4_096;
/// What an epoch counts of a page, and an agent beside its status and its epochs.
const EPOCH_BYTES: usize = 256;

/// An agent's last word, and what came of it.
struct Told {
    id: i64,
    status: Option<Status>,
    at: Option<Timestamp>,
    epochs: Vec<EpochRow>,
}

impl Told {
    fn heard(&self) -> Option<(&Status, Timestamp)> {
        self.status.as_ref().zip(self.at)
    }
}

impl SamplesReader {
    /// Agents ever heard of whose names come after this one, by name, with their latest epochs:
    /// at most `limit`, and fewer where they fill a page.
    pub fn agents(&self, after: Option<&AgentId>, limit: usize) -> Result<AgentPage, StoreError> {
        let attempt = StoreError::sql("list agents");
        let sql = "SELECT id, name, status, status_at, seen_at FROM agent
            WHERE name > ?1 ORDER BY name LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = limit.max(1);
        let parameters = params![
            after.map_or("", AgentId::as_str),
            i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1),
        ];
        let mut rows = statement.query(parameters).map_err(&attempt)?;
        let (mut page, mut bytes) = (AgentPage::default(), 0_usize);
        while let Some(row) = rows.next().map_err(&attempt)? {
            if page.rows.len() == limit || bytes >= PAGE_BYTES {
                page.next = page.rows.last().map(|row| row.agent.clone());
                break;
            }
            let (id, name) = id_and_name(row).map_err(&attempt)?;
            let status: Option<String> = row.get(2).map_err(&attempt)?;
            let (epochs, epoch_count) = self.epochs(id, read(status.as_deref()).as_ref())?;
            let row = AgentRow {
                agent: name.parse().map_err(damaged)?,
                status,
                status_at: moment(row, 3).map_err(&attempt)?,
                seen_at: moment(row, 4).map_err(&attempt)?,
                epochs,
                epoch_count,
            };
            let status = row.status.as_ref().map_or(0, String::len);
            bytes = bytes.saturating_add(status + EPOCH_BYTES * (1 + row.epochs.len()));
            page.rows.push(row);
        }
        Ok(page)
    }

    /// From where on readings of this agent may be on its way: the end of time where everything
    /// that it has told of is here, the beginning of time where nobody knows.
    ///
    /// Holes of an epoch whose next one was first heard of a day before the newest word are left
    /// out: they have been waited for.
    pub fn queued_from(&self, agent: &AgentId) -> Result<Timestamp, StoreError> {
        let told = self.told(agent)?;
        told.map_or(Ok(Timestamp::MAX), |told| self.queued(&told))
    }

    /// What is known of readings of this agent that are missing; `None` where nothing ever came of it.
    pub fn absence(&self, agent: &AgentId) -> Result<Option<Absence>, StoreError> {
        let Some(told) = self.told(agent)? else { return Ok(None) };
        let is_offline = told.status.as_ref().is_some_and(|status| !status.online);
        let last_at = told.epochs.iter().map(|epoch| epoch.last_at).max();
        Ok(Some(Absence {
            queued_from: self.queued(&told)?,
            whole: whole(&told.epochs, told.heard(), &self.aside(told.id)?),
            offline_from: last_at.or(told.at).filter(|_| is_offline),
        }))
    }

    fn queued(&self, told: &Told) -> Result<Timestamp, StoreError> {
        let of_ledger = queued_from(&told.epochs, told.heard());
        Ok(of_ledger.min(self.admitted_by_itself_from(told.id)?))
    }

    fn told(&self, agent: &AgentId) -> Result<Option<Told>, StoreError> {
        let sql = "SELECT id, status, status_at FROM agent WHERE name = ?1";
        let found = first_row(&self.connection, sql, [agent.as_str()], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<String>>(1)?, moment(row, 2)?))
        });
        let Some((id, status, at)) = found.map_err(StoreError::sql("look an agent up"))? else {
            return Ok(None);
        };
        let status = read(status.as_deref());
        let (epochs, _count) = self.epochs(id, status.as_ref())?;
        Ok(Some(Told { id, status, at, epochs }))
    }

    /// From when to when readings of an agent are that were set aside and wait, or were decided about
    /// lately; moments since boot may be any.
    fn aside(&self, agent: i64) -> Result<Vec<Span>, StoreError> {
        let attempt = StoreError::sql("list what was set aside of an agent");
        let sql = "SELECT coalesce(from_ms, ?2), coalesce(to_ms, ?3) FROM parking
              WHERE agent = ?1 AND waiting > 0
            UNION ALL SELECT coalesce(from_ms, ?2), coalesce(to_ms, ?3)
              FROM parking INDEXED BY parking_decided WHERE waiting = 0 AND agent = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let parameters = params![agent, Timestamp::MIN.as_ms(), Timestamp::MAX.as_ms()];
        let spans = statement.query_map(parameters, |row| span(row, 0)).map_err(&attempt)?;
        spans.map(|span| span.map_err(&attempt)).collect()
    }

    /// Whether this agent has sent anything since a moment that it numbers, so that it is known what
    /// is missing.
    pub fn keeps_ledger(&self, agent: &AgentId, since: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM ledger WHERE agent = (SELECT id FROM agent WHERE name = ?1)
            AND last_at >= ?2 LIMIT 1";
        let found =
            first_row(&self.connection, sql, params![agent.as_str(), since.as_ms()], |_row| Ok(()));
        Ok(found.map_err(StoreError::sql("look for a ledger"))?.is_some())
    }

    /// The epochs of which something came last, by the moment they were first heard of, and how
    /// many there are.
    fn epochs(
        &self,
        agent: i64,
        status: Option<&Status>,
    ) -> Result<(Vec<EpochRow>, u64), StoreError> {
        let attempt = StoreError::sql("list epochs");
        let sql = "SELECT epoch, first_at, last_at, first_sequence, last_sequence, batches,
              previous_epoch, previous_sequence
            FROM (SELECT * FROM ledger WHERE agent = ?1
              ORDER BY last_at DESC, first_at DESC, epoch LIMIT ?2)
            ORDER BY first_at, epoch";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let most = i64::try_from(SHOWN_EPOCHS).unwrap_or(i64::MAX);
        let epochs = statement.query_map([agent, most], epoch).map_err(&attempt)?;
        let mut epochs: Vec<EpochRow> = epochs.collect::<Result<_, _>>().map_err(&attempt)?;
        for epoch in &mut epochs {
            epoch.since = self.since(agent, epoch, status)?;
        }
        let sql = "SELECT count(*) FROM ledger WHERE agent = ?1";
        let count = first_row(&self.connection, sql, [agent], |row| unsigned(row, 0));
        Ok((epochs, count.map_err(&attempt)?.unwrap_or(0)))
    }

    /// What came of an epoch that the agent's status does not speak of.
    fn since(
        &self,
        agent: i64,
        epoch: &EpochRow,
        status: Option<&Status>,
    ) -> Result<Option<Since>, StoreError> {
        let own = status.filter(|status| status.epoch == Some(epoch.epoch));
        let next = own.and_then(|status| status.spool.as_ref()?.next_sequence);
        let Some(next_sequence) = next else { return Ok(None) };
        let sql = "SELECT count(*) FROM (SELECT 1 FROM admitted
            WHERE agent = ?1 AND epoch = ?2 AND sequence >= ?3 LIMIT ?4)";
        let from = i64::try_from(next_sequence).unwrap_or(i64::MAX);
        let key = [agent, epoch.epoch.0.cast_signed(), from, MAX_SINCE];
        let count = first_row(&self.connection, sql, key, |row| row.get::<_, i64>(0))
            .map_err(StoreError::sql("count what came after a status"))?
            .unwrap_or(0);
        let batches = (count < MAX_SINCE).then_some(count.cast_unsigned());
        Ok(Some(Since { next_sequence, batches }))
    }

    /// Feed rows after a position, at most `limit`.
    pub fn feed(&self, after: i64, limit: usize) -> Result<Vec<FeedRow>, StoreError> {
        let attempt = StoreError::sql("read the feed");
        let sql = "SELECT f.position, t.name, f.from_ms, f.to_ms, f.batch, f.received_at, f.kind
            FROM feed f JOIN station t ON t.id = f.station
            WHERE f.position > ?1 ORDER BY f.position LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = statement.query([after, limit]).map_err(&attempt)?;
        let mut feed = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let (position, name) = id_and_name(row).map_err(&attempt)?;
            let kind: i64 = row.get(6).map_err(&attempt)?;
            feed.push(FeedRow {
                position,
                station: name.parse().map_err(damaged)?,
                span: span(row, 2).map_err(&attempt)?,
                batch: row.get(4).map_err(&attempt)?,
                received_at: Timestamp::clamped(row.get(5).map_err(&attempt)?),
                kind: Kind::from_code(kind)
                    .ok_or_else(|| damaged(format!("feed row {position} is of no known kind")))?,
            });
        }
        Ok(feed)
    }

    /// The position of the newest feed row; 0 where there is none.
    pub fn feed_head(&self) -> Result<i64, StoreError> {
        let sql = "SELECT max(position) FROM feed";
        let head = first_row(&self.connection, sql, [], |row| row.get::<_, Option<i64>>(0))
            .map_err(StoreError::sql("read the feed's head"))?;
        Ok(head.flatten().unwrap_or(0))
    }

    /// Gaps that name a gauge of this station and reach into `span`, in the order they came.
    pub fn gaps(&self, station: &StationId, span: Span) -> Result<Vec<GapRow>, StoreError> {
        let attempt = StoreError::sql("list gaps");
        let sql = "SELECT g.batch, a.name, g.epoch, g.first_sequence, g.last_sequence, g.gauges,
              g.from_ms, g.to_ms, g.reason, g.readings
            FROM gap g INDEXED BY gap_to JOIN agent a ON a.id = g.agent
            WHERE g.from_ms < ?2 AND g.to_ms > ?1 ORDER BY g.batch, g.number";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let mut rows = statement.query([span.from.as_ms(), span.to.as_ms()]).map_err(&attempt)?;
        let mut gaps = Vec::new();
        while let Some(row) = rows.next().map_err(&attempt)? {
            let (_, name) = id_and_name(row).map_err(&attempt)?;
            let agent: AgentId = name.parse().map_err(damaged)?;
            let gauges: String = row.get(5).map_err(&attempt)?;
            let gauges: Vec<GaugeId> =
                serde_json::from_str(&gauges).map_err(StoreError::json("read a gap"))?;
            if gauges.iter().any(|gauge| gauge.station == *station) {
                gaps.push(GapRow { agent, gap: gap(row, gauges).map_err(&attempt)? });
            }
        }
        Ok(gaps)
    }

    /// How much the store holds.
    pub fn counters(&self) -> Result<Counters, StoreError> {
        let attempt = StoreError::sql("read the size of samples.db");
        let count = |sql| {
            let value = first_row(&self.connection, sql, params![], |row| row.get::<_, i64>(0));
            Ok(u64::try_from(value.map_err(&attempt)?.unwrap_or(0)).unwrap_or(0))
        };
        Ok(Counters {
            batches: count("SELECT coalesce(max(position), 0) FROM batch")?,
            feed: count("SELECT coalesce(max(position), 0) FROM feed")?,
            garbage_bytes: counters::counter(&self.connection, counters::GARBAGE_BYTES)?,
            garbage_dropped: counters::counter(&self.connection, counters::GARBAGE_DROPPED)?,
            decided_dropped: counters::counter(&self.connection, counters::DECIDED_DROPPED)?,
            parked_bytes: counters::counter(&self.connection, counters::PARKED_BYTES)?,
            parked_beside_bytes: counters::counter(
                &self.connection,
                counters::PARKED_BESIDE_BYTES,
            )?,
            bytes: count("PRAGMA page_count")?.saturating_mul(count("PRAGMA page_size")?),
        })
    }
}

fn read(status: Option<&str>) -> Option<Status> {
    status.and_then(|json| Status::decode(json.as_bytes()).ok())
}

fn id_and_name(row: &Row<'_>) -> rusqlite::Result<(i64, String)> {
    Ok((row.get(0)?, row.get(1)?))
}

fn moment(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::clamped))
}

fn span(row: &Row<'_>, column: usize) -> rusqlite::Result<Span> {
    let (from, to) = (row.get(column)?, row.get(column + 1)?);
    Ok(Span { from: Timestamp::clamped(from), to: Timestamp::clamped(to) })
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

fn epoch(row: &Row<'_>) -> rusqlite::Result<EpochRow> {
    let previous_epoch: Option<i64> = row.get(6)?;
    let previous_sequence: Option<i64> = row.get(7)?;
    let previous = previous_epoch.zip(previous_sequence).map(|(epoch, last)| Previous {
        epoch: Epoch(epoch.cast_unsigned()),
        last_sequence: last.cast_unsigned(),
    });
    let last_sequence = unsigned(row, 4)?;
    Ok(EpochRow {
        epoch: Epoch(unsigned(row, 0)?),
        first_at: Timestamp::clamped(row.get(1)?),
        last_at: Timestamp::clamped(row.get(2)?),
        first_sequence: unsigned(row, 3)?,
        last_sequence,
        made_to: last_sequence,
        batches: unsigned(row, 5)?,
        previous,
        since: None,
    })
}

fn gap(row: &Row<'_>, gauges: Vec<GaugeId>) -> rusqlite::Result<Gap> {
    Ok(Gap {
        epoch: Epoch(unsigned(row, 2)?),
        first_sequence: unsigned(row, 3)?,
        last_sequence: unsigned(row, 4)?,
        gauges,
        boot: None,
        from_ms: row.get(6)?,
        to_ms: row.get(7)?,
        reason: GapReason::from_code(row.get(8)?),
        count: unsigned(row, 9)?,
    })
}
