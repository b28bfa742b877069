//! The task between polling and the spool: cycles become rows and batches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::reading::Point;
use runtime::clock::Clock;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot},
    time::{Duration, Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    batcher::{Batcher, Effect},
    clock_trust::AnchorDebt,
    cycle::Cycle,
    shell::{bus::Polled, spool::Command, wall_clock::MeasuringClock},
};

/// What each register gave last; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Latest(Arc<Mutex<Vec<Option<Point>>>>);

impl Latest {
    /// Nothing yet, for so many registers.
    pub(crate) fn new(sources: usize) -> Self {
        Self(Arc::new(Mutex::new(vec![None; sources])))
    }

    /// All of them, in the order of the settings.
    pub(crate) fn points(&self) -> Vec<Option<Point>> {
        self.lock().clone()
    }

    fn take(&self, cycle: &Cycle) {
        let mut latest = self.lock();
        for reading in &cycle.readings {
            if let Some(point) = latest.get_mut(reading.source) {
                *point = Some(reading.point);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<Point>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts cycles together.
#[derive(Debug)]
pub(crate) struct Collector {
    pub(crate) batcher: Batcher,
    pub(crate) anchor: AnchorDebt,
    pub(crate) latest: Latest,
    pub(crate) clock: MeasuringClock,
    pub(crate) cycles: mpsc::Receiver<Polled>,
    pub(crate) spool: mpsc::Sender<Command>,
    /// Of polls that the batcher has and the spool has not.
    pub(crate) holds: Vec<OwnedSemaphorePermit>,
}

impl Collector {
    /// Until told to stop and no cycle is left; then what is open is closed and synced.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let wake = self.wake();
            tokio::select! {
                biased;
                () = sleep_until(wake) => {
                    let effect = self.batcher.tick(self.clock.boot_ms());
                    self.perform(effect.into_iter().collect(), None).await;
                }
                polled = self.cycles.recv() => match polled {
                    Some(polled) => self.take(polled).await,
                    None => break,
                },
                // polling has ended by now, and its queue is empty
                () = stop.cancelled() => break,
            }
        }
        self.finish().await;
    }

    async fn finish(mut self) {
        self.cycles.close();
        while let Some(polled) = self.cycles.recv().await {
            self.take(polled).await;
        }
        let last = self.batcher.close();
        self.perform(last.into_iter().collect(), None).await;
        let (done, synced) = oneshot::channel();
        if self.spool.send(Command::Sync(done)).await.is_err() || synced.await.is_err() {
            warn!("the spool has ended before the last readings");
        } else {
            debug!("last readings are on disk");
        }
    }

    async fn take(&mut self, Polled { cycle, hold }: Polled) {
        for reading in &cycle.readings {
            self.anchor.note(reading.point.at_ms);
        }
        let anchor = {
            let trust = self.clock.trust();
            self.batcher.doubt(trust.uncertainty_ms());
            self.anchor.pay(&trust, self.clock.wall(), self.clock.boot_ms())
        };
        if let Some(anchor) = anchor {
            info!(
                utc_at_boot_ms = anchor.utc_at_boot_ms,
                "clock is trusted, earlier readings get their place"
            );
            self.hand(Command::Anchor(anchor)).await;
        }
        self.latest.take(&cycle);
        let effects = self.batcher.push(&cycle, self.clock.boot_ms());
        self.perform(effects, hold).await;
    }

    /// Has the effects performed, and behind them lets go of the polls that they bring to the disk:
    /// all earlier ones, and the `newest` unless the batcher still has of it.
    async fn perform(&mut self, effects: Vec<Effect>, newest: Option<OwnedSemaphorePermit>) {
        let mut synced = Vec::new();
        if !effects.is_empty() {
            synced.append(&mut self.holds);
        }
        match newest {
            Some(hold) if self.batcher.has_unsaved() => self.holds.push(hold),
            newest => synced.extend(newest),
        }
        for effect in effects {
            self.hand(match effect {
                Effect::Append(draft) => Command::Append(draft),
                Effect::Close(draft) => Command::Close(draft),
            })
            .await;
        }
        if !synced.is_empty() {
            self.hand(Command::Release(synced)).await;
        }
    }

    /// At the spool's bound this waits, and so does polling.
    async fn hand(&self, command: Command) {
        if self.spool.send(command).await.is_err() {
            warn!("readings dropped, the spool has ended");
        }
    }

    /// When the batcher wants to be woken, re-read at least each second.
    fn wake(&self) -> Instant {
        let left_ms =
            self.batcher.deadline().map_or(1_000, |deadline| deadline - self.clock.boot_ms());
        let left_ms = u64::try_from(left_ms.min(1_000)).unwrap_or(0);
        Instant::now() + Duration::from_millis(left_ms)
    }
}
