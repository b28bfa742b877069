//! Which decisions the journal has while their effect is still to come.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::error::StoreError;
use crate::chain::By;

/// The most decisions whose effect may be outstanding; a further one waits.
const MAX_OUTSTANDING: usize = 4_096;

/// Decisions by item and who made them; clones share it.
///
/// While the disk is full the journal has room and samples have none: an effect is then tried
/// again and again, and its entry must not be.
#[derive(Debug, Clone, Default)]
pub struct Decided(Arc<Mutex<BTreeSet<(i64, String)>>>);

impl Decided {
    /// Whether the journal has this one.
    pub fn has(&self, item: i64, by: &By) -> bool {
        self.lock().contains(&(item, name(by)))
    }

    /// Whether one more may be journalled.
    pub fn check_room(&self) -> Result<(), StoreError> {
        let attempt = "decide before earlier decisions have come about";
        if self.lock().len() < MAX_OUTSTANDING {
            Ok(())
        } else {
            Err(StoreError::Full { attempt, source: None })
        }
    }

    /// The journal has it.
    pub fn note(&self, item: i64, by: &By) {
        self.lock().insert((item, name(by)));
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
