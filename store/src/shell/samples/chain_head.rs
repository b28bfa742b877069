//! The copy of the head of the journal's chain.

use rusqlite::{Connection, params};

use super::{book::SamplesBook, run};
use crate::{
    chain::Hash,
    shell::{error::StoreError, writer::Write},
};

/// Copies the head of the journal's chain, so that a journal cut at its end is found.
#[derive(Debug, Clone, Copy)]
pub(in crate::shell) struct CopyHead {
    /// The head's position.
    pub(in crate::shell) position: i64,
    /// Its hash.
    pub(in crate::shell) hash: Hash,
}

impl Write<SamplesBook> for CopyHead {
    type Answer = ();

    fn apply(&self, _book: &mut SamplesBook, connection: &Connection) -> Result<(), StoreError> {
        // What was copied first stands: a chain written anew must not hide the one before.
        let sql = "INSERT INTO chain_head (position, hash) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        run(connection, sql, params![self.position, self.hash])
            .map_err(StoreError::sql("copy the journal's head"))?;
        Ok(())
    }
}
