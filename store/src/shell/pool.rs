//! Connections that read: each query sees one snapshot and has a limited time.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{sync::Semaphore, time::Instant};
use tracing::warn;

use super::{error::StoreError, file};

/// Queries that run at the same time; who comes later waits.
const READERS: usize = 4;
/// After that a query is ended: an open reader keeps the write-ahead log growing.
const LIMIT: Duration = Duration::from_secs(10);
/// SQLite's instructions between two looks at the time.
const INSTRUCTIONS: i32 = 200;

/// Read-only connections to one file; a cheap handle.
#[derive(Debug, Clone)]
pub(super) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Pool {
    /// Opens nothing until somebody asks.
    pub(super) fn new(path: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(READERS));
        Self(Arc::new(Inner { path, idle: Mutex::default(), permits }))
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Runs a query, which gives the connection back, on a thread for blocking work.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(Connection) -> (Connection, Result<T, StoreError>) + Send + 'static,
    ) -> Result<T, StoreError> {
        let permits = Arc::clone(&self.0.permits);
        let permit = permits.acquire_owned().await.map_err(|_closed| StoreError::Closed)?;
        let pool = self.clone();
        let task = tokio::task::spawn_blocking(move || {
            let outcome = pool.read_blocking(Some(LIMIT), query);
            drop(permit);
            outcome
        });
        match task.await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => Err(StoreError::Closed),
            },
        }
    }

    /// Runs a query, which gives the connection back, here and now.
    pub(super) fn read_blocking<T>(
        &self,
        limit: Option<Duration>,
        query: impl FnOnce(Connection) -> (Connection, Result<T, StoreError>),
    ) -> Result<T, StoreError> {
        let mut connection = self.take()?;
        let deadline = limit.map(|limit| Instant::now() + limit);
        let is_late = move || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let attempt = StoreError::sql("begin to read");
        connection.progress_handler(INSTRUCTIONS, Some(is_late)).map_err(&attempt)?;
        run(&connection, "BEGIN").map_err(&attempt)?;
        let (connection, outcome) = query(connection);
        if let Err(error) = run(&connection, "ROLLBACK") {
            // A connection that cannot end a transaction is not used again.
            warn!(%error, "cannot end a read");
            return outcome;
        }
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READERS {
            idle.push(connection);
        }
        outcome
    }

    /// Closes what is idle; who asks later opens anew, and nobody asks in async code.
    pub(super) fn close(&self) {
        self.0.permits.close();
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => file::reader(&self.0.path).map_err(StoreError::sql("open a file to read")),
        }
    }
}

fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_rows| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDLESS: &str =
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";

    fn pool() -> (tempfile::TempDir, Pool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE number (n)").unwrap();
        (folder, Pool::new(path))
    }

    fn query(connection: Connection, sql: &str) -> (Connection, Result<i64, StoreError>) {
        let outcome = connection.query_row(sql, [], |row| row.get(0));
        (connection, outcome.map_err(StoreError::sql("count")))
    }

    #[test]
    fn a_query_that_does_not_end_is_ended_and_the_next_one_is_not() {
        let (_folder, pool) = pool();
        let late =
            pool.read_blocking(Some(Duration::ZERO), |connection| query(connection, ENDLESS));
        assert!(matches!(late, Err(StoreError::TimedOut { .. })), "{late:?}");
        let next = pool.read_blocking(None, |connection| query(connection, "SELECT 7"));
        assert_eq!(next.unwrap(), 7);
    }

    #[test]
    fn queries_in_async_code_share_the_connections_and_cannot_write() {
        let (_folder, pool) = pool();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for _ in 0..3 * READERS {
                let seven = pool.read(|connection| query(connection, "SELECT 7")).await;
                assert_eq!(seven.unwrap(), 7);
            }
            let sql = "INSERT INTO number VALUES (1) RETURNING n";
            assert!(pool.read(move |connection| query(connection, sql)).await.is_err());
            pool.close();
            let closed = pool.read(|connection| query(connection, "SELECT 7")).await;
            assert!(matches!(closed, Err(StoreError::Closed)));
        });
    }
}
