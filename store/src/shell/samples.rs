//! Samples: the handle through which the services write to and read from `samples.db`.

mod admit;
mod anchors;
mod aside_text;
mod book;
mod by_itself;
mod chain_head;
mod contradictions;
mod counters;
mod decide;
mod discard;
mod due;
mod members;
mod own_gauges;
mod park;
mod parked;
mod payload;
mod read_agents;
mod read_flow;
mod read_quarantine;
mod read_samples;
mod retold;
mod ring;
mod spans;

#[cfg(test)]
mod query_plans;

use rusqlite::{Connection, Row};
use tokio::sync::watch;

pub(super) use self::{
    admit::known,
    book::SamplesBook,
    chain_head::CopyHead,
    counters::{PARKED_BESIDE_BYTES, PARKED_BYTES, counter},
    discard::key_of,
    park::share,
};
use super::database::{Database, Reader};

/// Writes to and reads from `samples.db`.
///
/// Its writes are [`Admit`], [`Quarantine`], [`SetStatus`], [`Replay`], [`Discard`] and [`Sweep`].
///
/// [`Admit`]: crate::Admit
/// [`Quarantine`]: crate::Quarantine
/// [`SetStatus`]: crate::SetStatus
/// [`Replay`]: crate::Replay
/// [`Discard`]: crate::Discard
/// [`Sweep`]: crate::Sweep
pub type Samples = Database<SamplesBook, watch::Receiver<i64>>;

impl Samples {
    /// The newest row of the feed that this process has written, told as soon as it is synced. What
    /// another process writes is not: who waits for more looks now and then all the same.
    pub fn fed(&self) -> watch::Receiver<i64> {
        self.beside.clone()
    }
}

/// One snapshot of `samples.db`.
pub type SamplesReader = Reader<SamplesBook>;

/// The first row of a cached statement, if there is one.
pub(super) fn first_row<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    rows.next()?.map(read).transpose()
}

/// Runs a cached statement and says how many rows it changed.
pub(super) fn run(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(parameters)
}
