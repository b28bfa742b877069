//! Replays that somebody asked for: they go on to their end, whether or not who asked still waits.

use std::sync::Arc;

use model::port::{Answer, Asker, Replay, ReplayError, Replayed};
use runtime::tasks::Stage;
use store::{By, ByKind, StoreError};
use tokio::sync::{Semaphore, oneshot};

use crate::shell::rejudge::Rejudge;

/// Replays at the same time; who asks beyond that is told to ask later.
const MAX_RUNNING: usize = 4;

/// Runs replays as tasks of a stage.
#[derive(Debug)]
pub struct Replayer {
    rejudge: Rejudge,
    stage: Stage,
    places: Arc<Semaphore>,
}

/// Why a replay was not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{MAX_RUNNING} replays are running; ask again when one of them has ended")]
    Busy,
    #[error("the server is stopping")]
    Stopping,
    #[error("the store cannot do it")]
    Store(#[source] StoreError),
}

impl Replayer {
    /// Its tasks stop with `stage`, between two slices.
    pub fn new(rejudge: Rejudge, stage: Stage) -> Self {
        Self { rejudge, stage, places: Arc::new(Semaphore::new(MAX_RUNNING)) }
    }

    fn begin(
        &self,
        id: i64,
        by: Asker,
    ) -> Result<oneshot::Receiver<Result<Replayed, StoreError>>, Failure> {
        let place =
            Arc::clone(&self.places).try_acquire_owned().map_err(|_none_left| Failure::Busy)?;
        let (tell, told) = oneshot::channel();
        let (rejudge, stop) = (self.rejudge.clone(), self.stage.stopping());
        self.stage.spawn("replay", async move {
            let by = match by {
                Asker::Token(name) => By { kind: ByKind::Token, name },
                Asker::User(name) => By { kind: ByKind::User, name },
            };
            let outcome = rejudge.item(id, &by, &stop).await;
            drop(place);
            // Who asked may have gone; it is done and journalled all the same.
            drop(tell.send(outcome));
        });
        Ok(told)
    }
}

impl Replay for Replayer {
    fn replay(&self, id: i64, by: Asker) -> Answer<'_, Result<Replayed, ReplayError>> {
        let begun = self.begin(id, by);
        Box::pin(async move {
            let outcome = match begun {
                Ok(told) => match told.await {
                    Ok(outcome) => outcome.map_err(Failure::Store),
                    Err(_gone) => Err(Failure::Stopping),
                },
                Err(failure) => Err(failure),
            };
            outcome.map_err(|failure| ReplayError { id, source: Box::new(failure) })
        })
    }
}
