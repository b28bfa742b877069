//! Which decisions the journal has while their effect is still to come.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use model::time::Timestamp;

use super::{
    error::StoreError,
    journal::{Append, Journal},
};
use crate::chain::{Body, By, Decision};

/// The most decisions whose effect may be outstanding; a further one waits.
const MAX_OUTSTANDING: usize = 4_096;

/// Decisions by item and who made them; clones share it.
///
/// While the disk is full the journal has room and samples have none: an effect is then tried
/// again and again, and its entry must not be.
#[derive(Debug, Clone, Default)]
pub struct Decided(Arc<Mutex<BTreeSet<(i64, String)>>>);

impl Decided {
    /// Has the journal say it, unless it has: nothing comes about without an entry.
    pub async fn enter(
        &self,
        journal: &Journal,
        at: Timestamp,
        by: &By,
        (id, decision, gauges): (i64, Decision, Vec<String>),
    ) -> Result<(), StoreError> {
        let key = (id, name(by));
        if self.lock().contains(&key) {
            return Ok(());
        }
        if self.lock().len() >= MAX_OUTSTANDING {
            let attempt = "decide before earlier decisions have come about";
            return Err(StoreError::Full { attempt, source: None });
        }
        let body = Body::QuarantineDecided { id, decision, gauges };
        journal.write(Append { at, by: by.clone(), body }).await?;
        self.lock().insert(key);
        Ok(())
    }

    /// It has come about, or came to nothing: whoever decides next decides anew.
    pub fn forget(&self, item: i64, by: &By) {
        self.lock().remove(&(item, name(by)));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(i64, String)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The kind keeps a token apart from a part of the server of the same name.
fn name(by: &By) -> String {
    format!("{:?} {}", by.kind, by.name)
}
