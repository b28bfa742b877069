//! Samples: the handle through which the services write to and read from `samples.db`.

mod admit;
mod anchors;
mod book;
mod counters;
mod decide;
mod discard;
mod park;
mod read_agents;
mod read_quarantine;
mod read_samples;
mod ring;
mod spans;

use std::{fmt, time::Duration};

use rusqlite::{Connection, Row};

pub(super) use self::{
    admit::known,
    book::SamplesBook,
    counters::{PARKED_BYTES, counter},
    decide::CopyHead,
    discard::key_of,
    park::share,
};
use super::{
    error::StoreError,
    pool::Pool,
    writer::{Write, Writer},
};

/// Writes to and reads from `samples.db`; a cheap handle.
#[derive(Clone)]
pub struct Samples {
    pub(super) writer: Writer<SamplesBook>,
    pub(super) pool: Pool,
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl Samples {
    /// Does a typed write ([`Admit`], [`Quarantine`], [`SetStatus`], [`Replay`], [`Discard`],
    /// [`Sweep`]) and answers once it is synced. At most 64 wait; who comes later waits for a place.
    ///
    /// [`Admit`]: crate::Admit
    /// [`Quarantine`]: crate::Quarantine
    /// [`SetStatus`]: crate::SetStatus
    /// [`Replay`]: crate::Replay
    /// [`Discard`]: crate::Discard
    /// [`Sweep`]: crate::Sweep
    pub async fn write<W: Write<SamplesBook>>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writer.write(write).await
    }

    /// The same for threads that may wait, outside of async code.
    pub fn write_blocking<W: Write<SamplesBook>>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writer.write_blocking(write)
    }

    /// Runs a query in one snapshot, ten seconds at most.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&SamplesReader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.pool.read(|connection| SamplesReader::run(connection, query)).await
    }

    /// The same here and now, for commands; without a limit of time.
    pub fn read_blocking<T>(
        &self,
        query: impl FnOnce(&SamplesReader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let no_limit: Option<Duration> = None;
        self.pool.read_blocking(no_limit, |connection| SamplesReader::run(connection, query))
    }
}

/// One snapshot of `samples.db`.
#[derive(Debug)]
pub struct SamplesReader {
    pub(super) connection: Connection,
}

impl SamplesReader {
    fn run<T>(
        connection: Connection,
        query: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> (Connection, Result<T, StoreError>) {
        let reader = Self { connection };
        let outcome = query(&reader);
        (reader.connection, outcome)
    }
}

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
