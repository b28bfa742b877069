//! Watches the store while the server runs: whether it can write, and whether a registry is there.

use std::sync::Arc;

use model::fault::Fault;
use runtime::{
    admin::Readiness,
    tasks::{Failure, Stage},
};
use store::{JournalState, Store};

/// The store can write no more; only a new start of the process helps.
#[derive(Debug, thiserror::Error)]
#[error("the store can write no more: {0}")]
struct StoreStopped(Arc<str>);

impl Failure for StoreStopped {
    fn fault(&self) -> Fault {
        Fault::Bug
    }
}

/// Starts both watches; they end with `stage`.
pub(super) fn start(stage: &Stage, store: &Store, readiness: &Readiness) {
    let (mut failed, stop) = (store.failed(), stage.stopping());
    let condition = readiness.condition("store");
    condition.set(Ok(()));
    stage.spawn("store watch", async move {
        let stopped = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            stopped = failed.wait_for(Option::is_some) => stopped.ok().and_then(|why| why.clone()),
        };
        let Some(why) = stopped else { return Ok(()) };
        condition.set(Err(why.to_string()));
        Err(StoreStopped(why))
    });

    let (mut journal, stop) = (store.journal().watch(), stage.stopping());
    let condition = readiness.condition("registry");
    stage.spawn("registry watch", async move {
        loop {
            condition.set(state_of(&journal.borrow_and_update()));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                changed = journal.changed() => if changed.is_err() { return },
            }
        }
    });
}

fn state_of(journal: &JournalState) -> Result<(), String> {
    match &journal.registry {
        Some(_) => Ok(()),
        None => Err("no registry was imported yet".to_owned()),
    }
}
