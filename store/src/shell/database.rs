//! A database file as the services see it: typed writes through its writer, reads of one snapshot.

use std::{fmt, marker::PhantomData, time::Duration};

use rusqlite::Connection;

use super::{
    error::StoreError,
    pool::Pool,
    writer::{Book, Write, Writer},
};

/// Writes to and reads from one file; a cheap handle. `B` is what its writer remembers, `S` what
/// stands beside the file.
pub struct Database<B, S = ()> {
    pub(super) writer: Writer<B>,
    pub(super) pool: Pool,
    pub(super) beside: S,
}

// Derived, it would ask `B` to be cloned, of which there is one alone.
impl<B, S: Clone> Clone for Database<B, S> {
    fn clone(&self) -> Self {
        let Self { writer, pool, beside } = self;
        Self { writer: writer.clone(), pool: pool.clone(), beside: beside.clone() }
    }
}

impl<B, S> fmt::Debug for Database<B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("pool", &self.pool).finish_non_exhaustive()
    }
}

#[expect(private_bounds, reason = "what a writer remembers is nobody's business outside")]
impl<B: Book, S: Sync> Database<B, S> {
    /// Does a typed write and answers once it is synced. At most 64 wait; who comes later waits
    /// for a place.
    pub async fn write<W: Write<B>>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writer.write(write).await
    }

    /// The same for threads that may wait, outside of async code.
    pub fn write_blocking<W: Write<B>>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.writer.write_blocking(write)
    }

    /// Runs a query in one snapshot, ten seconds at most.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader<B>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.pool.read(|connection| Reader::run(connection, query)).await
    }

    /// The same here and now, for commands; without a limit of time.
    pub fn read_blocking<T>(
        &self,
        query: impl FnOnce(&Reader<B>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let no_limit: Option<Duration> = None;
        self.pool.read_blocking(no_limit, |connection| Reader::run(connection, query))
    }
}

/// One snapshot of the file that a `B` writes.
pub struct Reader<B> {
    pub(super) connection: Connection,
    of: PhantomData<fn() -> B>,
}

impl<B> fmt::Debug for Reader<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl<B> Reader<B> {
    pub(super) fn run<T>(
        connection: Connection,
        query: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> (Connection, Result<T, StoreError>) {
        let reader = Self { connection, of: PhantomData };
        let outcome = query(&reader);
        (reader.connection, outcome)
    }
}
