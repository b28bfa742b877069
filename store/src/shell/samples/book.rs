//! What the writer of `samples.db` remembers: numbers of names, positions, and what is written
//! once a group.

use std::collections::{BTreeMap, HashMap};

use model::{
    batch::Previous,
    ids::{AgentId, Epoch, GaugeId, Sequence, StationId},
    quantity::Unit,
    time::Timestamp,
};
use rusqlite::{Connection, params};

use super::{
    counters::{
        DECIDED_DROPPED, PARKED_BESIDE_BYTES, PARKED_BYTES, add_to_counter, counter, set_counter,
    },
    first_row,
    parked::Parked,
    run,
};
use crate::{
    admission::AdmittedColumn,
    metrics::Metrics,
    shell::{error::StoreError, open::Limits, writer::Book},
};

/// The writer's memory; another process may write too, so it lasts while nobody else did.
#[derive(Debug)]
pub struct SamplesBook {
    pub(super) limits: Limits,
    metrics: Metrics,
    data_version: Option<i64>,
    parked: Option<Parked>,
    is_parked_touched: bool,
    decided_dropped: u64,
    positions: Option<Positions>,
    agents: HashMap<AgentId, i64>,
    stations: HashMap<StationId, i64>,
    gauges: HashMap<GaugeId, usize>,
    gauge_rows: Vec<GaugeState>,
    touched_gauges: Vec<usize>,
    touched_agents: BTreeMap<i64, Timestamp>,
    touched_epochs: BTreeMap<(i64, Epoch), Tally>,
}

#[derive(Debug, Clone, Copy)]
struct Positions {
    batch: i64,
    feed: i64,
}

/// A gauge as far as admission needs it.
#[derive(Debug)]
pub(super) struct GaugeState {
    pub(super) id: i64,
    pub(super) station: i64,
    unit: Unit,
    /// The last moment of all its spans.
    pub(super) newest: Option<i64>,
    /// The longest of its spans.
    pub(super) longest: i64,
    conflicts: u64,
    is_touched: bool,
}

/// What a group adds to one epoch of an agent.
#[derive(Debug)]
struct Tally {
    first_at: Timestamp,
    last_at: Timestamp,
    first: Sequence,
    last: Sequence,
    batches: u64,
    previous: Option<Previous>,
}

impl SamplesBook {
    /// Remembers nothing yet.
    pub(in crate::shell) fn new(limits: Limits, metrics: Metrics) -> Self {
        Self {
            limits,
            metrics,
            data_version: None,
            parked: None,
            is_parked_touched: false,
            decided_dropped: 0,
            positions: None,
            agents: HashMap::new(),
            stations: HashMap::new(),
            gauges: HashMap::new(),
            gauge_rows: Vec::new(),
            touched_gauges: Vec::new(),
            touched_agents: BTreeMap::new(),
            touched_epochs: BTreeMap::new(),
        }
    }

    /// The next position of a batch.
    pub(super) fn next_batch(&mut self) -> Result<i64, StoreError> {
        let positions = self.positions()?;
        positions.batch += 1;
        Ok(positions.batch)
    }

    /// The next position in the feed.
    pub(super) fn next_feed(&mut self) -> Result<i64, StoreError> {
        let positions = self.positions()?;
        positions.feed += 1;
        Ok(positions.feed)
    }

    fn positions(&mut self) -> Result<&mut Positions, StoreError> {
        self.positions
            .as_mut()
            .ok_or_else(|| StoreError::Damaged("a write outside of a transaction".to_owned()))
    }

    /// The number of an agent, who has just been heard of.
    pub(super) fn agent(
        &mut self,
        connection: &Connection,
        agent: &AgentId,
        seen_at: Timestamp,
    ) -> Result<i64, StoreError> {
        let id = if let Some(id) = self.agents.get(agent) {
            *id
        } else {
            let id = intern(connection, "agent", agent.as_str())?;
            self.agents.insert(agent.clone(), id);
            id
        };
        let newest = self.touched_agents.entry(id).or_insert(seen_at);
        *newest = seen_at.max(*newest);
        Ok(id)
    }

    fn station(&mut self, connection: &Connection, station: &StationId) -> Result<i64, StoreError> {
        if let Some(id) = self.stations.get(station) {
            return Ok(*id);
        }
        let id = intern(connection, "station", station.as_str())?;
        self.stations.insert(station.clone(), id);
        Ok(id)
    }

    /// The gauge of a column, which must have the unit it always had.
    pub(super) fn gauge(
        &mut self,
        connection: &Connection,
        column: &AdmittedColumn,
    ) -> Result<(usize, &mut GaugeState), StoreError> {
        let index = if let Some(index) = self.gauges.get(&column.gauge) {
            *index
        } else {
            let station = self.station(connection, &column.gauge.station)?;
            let row = gauge_row(connection, station, column)?;
            let index = self.gauge_rows.len();
            self.gauge_rows.push(row);
            self.gauges.insert(column.gauge.clone(), index);
            index
        };
        let Some(state) = self.gauge_rows.get_mut(index) else {
            return Err(StoreError::Damaged(format!("`{}` has no row", column.gauge)));
        };
        if state.unit != column.unit {
            return Err(StoreError::Unit {
                gauge: column.gauge.clone(),
                stored: state.unit.name().to_owned(),
                given: column.unit.name(),
            });
        }
        Ok((index, state))
    }

    /// Notes what a gauge has got, to be written with the group.
    pub(super) fn touch_gauge(&mut self, index: usize, (from, to): (i64, i64)) {
        let Some(state) = self.gauge_rows.get_mut(index) else { return };
        state.newest = state.newest.max(Some(to));
        state.longest = state.longest.max(to.saturating_sub(from));
        if !state.is_touched {
            state.is_touched = true;
            self.touched_gauges.push(index);
        }
    }

    /// Counts points that contradict what stands, of a gauge that was touched.
    pub(super) fn count_conflicts(&mut self, index: usize, conflicts: u64) {
        if let Some(state) = self.gauge_rows.get_mut(index) {
            state.conflicts += conflicts;
        }
    }

    /// Counts a batch in its agent's ledger, to be written with the group.
    pub(super) fn touch_epoch(
        &mut self,
        (agent, epoch): (i64, Epoch),
        sequence: Sequence,
        received_at: Timestamp,
        previous: Option<Previous>,
    ) {
        let tally = self.touched_epochs.entry((agent, epoch)).or_insert(Tally {
            first_at: received_at,
            last_at: received_at,
            first: sequence,
            last: sequence,
            batches: 0,
            previous,
        });
        tally.first_at = tally.first_at.min(received_at);
        tally.last_at = tally.last_at.max(received_at);
        tally.first = tally.first.min(sequence);
        tally.last = tally.last.max(sequence);
        tally.batches += 1;
        tally.previous = tally.previous.or(previous);
    }

    /// What parked payloads count.
    pub(super) fn parked(&mut self, connection: &Connection) -> Result<Parked, StoreError> {
        if let Some(parked) = self.parked {
            return Ok(parked);
        }
        let parked = Parked {
            alone: counter(connection, PARKED_BYTES)?,
            beside: counter(connection, PARKED_BESIDE_BYTES)?,
        };
        self.parked = Some(parked);
        Ok(parked)
    }

    /// So much more is parked, to be written with the group.
    pub(super) fn park_more(
        &mut self,
        connection: &Connection,
        more: Parked,
    ) -> Result<(), StoreError> {
        let parked = self.parked(connection)?;
        self.parked = Some(Parked {
            alone: parked.alone.saturating_add(more.alone),
            beside: parked.beside.saturating_add(more.beside),
        });
        self.is_parked_touched = true;
        Ok(())
    }

    /// So much less is parked, to be written with the group.
    pub(super) fn park_less(
        &mut self,
        connection: &Connection,
        less: Parked,
    ) -> Result<(), StoreError> {
        let parked = self.parked(connection)?;
        self.parked = Some(Parked {
            alone: parked.alone.saturating_sub(less.alone),
            beside: parked.beside.saturating_sub(less.beside),
        });
        self.is_parked_touched = true;
        Ok(())
    }

    /// So many decided items had to make room, to be written with the group.
    pub(super) const fn decided_dropped(&mut self, items: u64) {
        self.decided_dropped += items;
    }

    fn forget_names(&mut self) {
        self.parked = None;
        self.agents.clear();
        self.stations.clear();
        self.gauges.clear();
        self.gauge_rows.clear();
        self.positions = None;
    }
}

impl Book for SamplesBook {
    fn begin(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let attempt = StoreError::sql("read what another process wrote");
        let version =
            first_row(connection, "PRAGMA data_version", [], |row| row.get(0)).map_err(&attempt)?;
        if self.data_version != version {
            self.forget_names();
            self.data_version = version;
        }
        if self.positions.is_none() {
            self.positions = Some(Positions {
                batch: last_position(connection, "batch").map_err(&attempt)?,
                feed: last_position(connection, "feed").map_err(&attempt)?,
            });
        }
        Ok(())
    }

    fn flush(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let attempt = StoreError::sql("write gauges and ledger");
        while let Some(index) = self.touched_gauges.pop() {
            let Some(state) = self.gauge_rows.get_mut(index) else { continue };
            let sql = "UPDATE gauge SET newest_ms = ?2, longest_ms = ?3, conflicts = conflicts + ?4 WHERE id = ?1";
            let conflicts = i64::try_from(state.conflicts).unwrap_or(i64::MAX);
            run(connection, sql, params![state.id, state.newest, state.longest, conflicts])
                .map_err(&attempt)?;
            state.conflicts = 0;
            state.is_touched = false;
        }
        while let Some((agent, seen_at)) = self.touched_agents.pop_first() {
            let sql = "UPDATE agent SET seen_at = max(coalesce(seen_at, ?2), ?2) WHERE id = ?1";
            run(connection, sql, [agent, seen_at.as_ms()]).map_err(&attempt)?;
        }
        while let Some(((agent, epoch), tally)) = self.touched_epochs.pop_first() {
            tally.write(connection, agent, epoch).map_err(&attempt)?;
        }
        if let Some(parked) = self.parked.filter(|_| self.is_parked_touched) {
            set_counter(connection, PARKED_BYTES, parked.alone)?;
            set_counter(connection, PARKED_BESIDE_BYTES, parked.beside)?;
            self.metrics.set_parked(parked.alone, parked.beside);
            self.is_parked_touched = false;
        }
        if self.decided_dropped > 0 {
            add_to_counter(connection, DECIDED_DROPPED, self.decided_dropped)?;
            self.metrics.decided_dropped.inc_by(std::mem::take(&mut self.decided_dropped));
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.forget_names();
        self.touched_gauges.clear();
        self.touched_agents.clear();
        self.touched_epochs.clear();
        self.is_parked_touched = false;
        self.decided_dropped = 0;
    }

    fn reached(&self) -> i64 {
        self.positions.map_or(0, |positions| positions.feed)
    }
}

impl Tally {
    fn write(&self, connection: &Connection, agent: i64, epoch: Epoch) -> rusqlite::Result<usize> {
        let sql = "INSERT INTO ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
            ON CONFLICT (agent, epoch) DO UPDATE SET
              first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at),
              first_sequence = min(first_sequence, excluded.first_sequence),
              last_sequence = max(last_sequence, excluded.last_sequence),
              batches = batches + excluded.batches,
              previous_sequence = CASE WHEN previous_epoch IS NULL
                THEN excluded.previous_sequence ELSE previous_sequence END,
              previous_epoch = coalesce(previous_epoch, excluded.previous_epoch)";
        run(
            connection,
            sql,
            params![
                agent,
                epoch.0.cast_signed(),
                self.first_at.as_ms(),
                self.last_at.as_ms(),
                self.first.cast_signed(),
                self.last.cast_signed(),
                i64::try_from(self.batches).unwrap_or(i64::MAX),
                self.previous.map(|previous| previous.epoch.0.cast_signed()),
                self.previous.map(|previous| previous.last_sequence.cast_signed()),
            ],
        )
    }
}

fn last_position(connection: &Connection, table: &'static str) -> rusqlite::Result<i64> {
    let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
    Ok(first_row(connection, sql, [table], |row| row.get(0))?.unwrap_or(0))
}

fn intern(connection: &Connection, table: &'static str, name: &str) -> Result<i64, StoreError> {
    let (find, add) = match table {
        "agent" => ("SELECT id FROM agent WHERE name = ?1", "INSERT INTO agent (name) VALUES (?1)"),
        _ => ("SELECT id FROM station WHERE name = ?1", "INSERT INTO station (name) VALUES (?1)"),
    };
    let attempt = StoreError::sql("write the name of an agent or a station");
    if let Some(id) = first_row(connection, find, [name], |row| row.get(0)).map_err(&attempt)? {
        return Ok(id);
    }
    run(connection, add, [name]).map_err(&attempt)?;
    Ok(connection.last_insert_rowid())
}

fn gauge_row(
    connection: &Connection,
    station: i64,
    column: &AdmittedColumn,
) -> Result<GaugeState, StoreError> {
    let attempt = StoreError::sql("write a gauge");
    let sql = "SELECT id, unit, newest_ms, longest_ms FROM gauge WHERE station = ?1 AND name = ?2";
    let name = column.gauge.name.as_str();
    let found = first_row(connection, sql, params![station, name], |row| {
        Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?))
    })
    .map_err(&attempt)?;
    let unit = column.unit;
    let Some((id, stored, newest, longest)) = found else {
        let sql = "INSERT INTO gauge (station, name, unit) VALUES (?1, ?2, ?3)";
        run(connection, sql, params![station, name, unit.name()]).map_err(&attempt)?;
        let id = connection.last_insert_rowid();
        return Ok(GaugeState {
            id,
            station,
            unit,
            newest: None,
            longest: 0,
            conflicts: 0,
            is_touched: false,
        });
    };
    if stored != unit.name() {
        let gauge = column.gauge.clone();
        return Err(StoreError::Unit { gauge, stored, given: unit.name() });
    }
    Ok(GaugeState { id, station, unit, newest, longest, conflicts: 0, is_touched: false })
}
