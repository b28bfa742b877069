//! Which decisions the journal has while their effect is still to come.

use std::{
    collections::BTreeMap,
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

/// The last entry about each item whose effect is still to come; clones share it.
///
/// While the disk is full the journal has room and samples have none: an effect is then tried
/// again and again, and its entry must not be. Two who decide about one item at once, in one
/// process or in two, need no lock: the effect names its entry, and the later entry stands.
#[derive(Debug, Clone, Default)]
pub struct Decided(Arc<Mutex<BTreeMap<i64, Entered>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entered {
    entry: i64,
    decision: Decision,
    by: By,
}

impl Decided {
    /// Has the journal say it, unless that was its last word here, and gives the entry: nothing
    /// comes about without one.
    pub async fn enter(
        &self,
        journal: &Journal,
        at: Timestamp,
        by: &By,
        (id, decision, gauges): (i64, Decision, Vec<String>),
    ) -> Result<i64, StoreError> {
        {
            let entered = self.lock();
            let known = entered.get(&id).filter(|known| known.decision == decision);
            if let Some(known) = known.filter(|known| known.by == *by) {
                return Ok(known.entry);
            }
            if entered.len() >= MAX_OUTSTANDING && !entered.contains_key(&id) {
                let attempt = "decide before earlier decisions have come about";
                return Err(StoreError::Full { attempt, source: None });
            }
        }
        let body = Body::QuarantineDecided { id, decision, gauges };
        let entry = journal.write(Append { at, by: by.clone(), body }).await?;
        self.lock().insert(id, Entered { entry, decision, by: by.clone() });
        Ok(entry)
    }

    /// It has come about: whoever decides next decides anew.
    pub fn done(&self, id: i64) {
        self.lock().remove(&id);
    }

    /// What was entered found the item decided under the entry `stands`, or gone. Unless that is
    /// its own, asked for twice, the journal says that it came to nothing.
    pub async fn void(
        &self,
        journal: &Journal,
        at: Timestamp,
        by: &By,
        (id, entry, stands): (i64, i64, Option<i64>),
    ) -> Result<(), StoreError> {
        self.done(id);
        if stands == Some(entry) {
            return Ok(());
        }
        let body = Body::QuarantineVoided { id, entry };
        journal.write(Append { at, by: by.clone(), body }).await?;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Entered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
