//! How SQLite finds the rows of the statements that a test ran.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};

/// Every statement that a connection has run.
pub(super) struct Seen(Arc<Mutex<BTreeSet<String>>>);

impl Seen {
    /// Notes what runs from now on.
    pub(super) fn of(connection: &mut Connection) -> Self {
        let seen = Arc::<Mutex<BTreeSet<String>>>::default();
        let told = Arc::clone(&seen);
        let note = move |event: TraceEvent<'_>| {
            if let TraceEvent::Stmt(statement, _) = event {
                told.lock().unwrap().insert(statement.sql().into_owned());
            }
        };
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note)).unwrap();
        Self(seen)
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// What SQLite says of each statement that ran: each row that is a walk, and the statement.
    pub(super) fn walks(&self, connection: &Connection, allowed: &[&str]) -> Vec<String> {
        let statements = self.0.lock().unwrap().clone();
        let mut walks = Vec::new();
        for sql in statements {
            let plan = format!("EXPLAIN QUERY PLAN {sql}");
            let Ok(mut statement) = connection.prepare(&plan) else { continue };
            let nothing = rusqlite::params_from_iter(std::iter::repeat_n(
                rusqlite::types::Null,
                statement.parameter_count(),
            ));
            let rows = statement.query_map(nothing, |row| row.get::<_, String>(3)).unwrap();
            for row in rows {
                let row = row.unwrap();
                // A search for nothing goes through an index until its first row will do.
                let is_walk = row.starts_with("SCAN") && row != "SCAN CONSTANT ROW"
                    || row.starts_with("SEARCH") && !row.contains('(');
                if is_walk && !allowed.contains(&row.as_str()) {
                    let words: Vec<_> = sql.split_whitespace().collect();
                    walks.push(format!("{row}: {}", words.join(" ")));
                }
            }
        }
        walks
    }
}
