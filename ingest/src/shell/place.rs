//! What anchors and the clock bring about: anchors are journalled, what waited for them is placed,
//! and what lay ahead of the clock is judged again.
//!
//! Each second it looks what is left to do, so that a crash between an anchor and its effect, a
//! batch that was judged just before its anchor came, or a step of the clock needs nobody.

use std::time::Duration;

use model::{fault::Chain, port::Replayed, time::Timestamp};
use runtime::tasks::Stage;
use store::{AnchorRow, Append, AppendOnce, Body, By, ByKind, StoreError, Sweep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::shell::rejudge::Rejudge;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);
/// After one that could not do what it found.
const PAUSE: Duration = Duration::from_mins(1);
/// How much of each sort is taken up at once.
const BATCH: usize = 16;
/// Whose position in the journal tells which anchors it has.
const CONSUMER: &str = "anchors";

/// What there is to do.
struct Chores {
    due: Vec<i64>,
    anchors: Vec<AnchorRow>,
    items: Vec<i64>,
    unswept: Vec<i64>,
}

/// The items that a pass has been at last.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    due: i64,
    placed: i64,
}

/// Runs until `stage` stops.
pub async fn run(rejudge: Rejudge, stage: Stage) {
    let stop = stage.stopping();
    let mut placer = Placer { rejudge, journalled: None, stop: stop.clone() };
    loop {
        let wait = match placer.pass().await {
            Ok(()) => PERIOD,
            Err(failure) => {
                warn!(error = %Chain(&failure), "cannot admit what waits for an anchor or the clock");
                PAUSE
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

struct Placer {
    rejudge: Rejudge,
    /// The last anchor that the journal has; asked once.
    journalled: Option<i64>,
    stop: CancellationToken,
}

impl Placer {
    /// Does what there is to do until nothing is left.
    async fn pass(&mut self) -> Result<(), StoreError> {
        let (mut passed, mut failed) = (Passed::default(), None);
        while !self.stop.is_cancelled() {
            let now = self.rejudge.clock.now();
            let chores = self.chores(passed, now).await?;
            for item in &chores.due {
                // One that cannot be judged keeps no other waiting.
                failed = self.judge(*item, now).await.err().or(failed);
                passed.due = *item;
            }
            for anchor in &chores.anchors {
                self.journal(anchor).await?;
            }
            for item in &chores.items {
                failed = self.place(*item).await.err().or(failed);
                passed.placed = *item;
            }
            for item in &chores.unswept {
                while self.rejudge.samples.write(Sweep { id: *item }).await? > 0 {}
            }
            if chores.due.is_empty() && chores.anchors.is_empty() && chores.items.is_empty() {
                break;
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn chores(&mut self, passed: Passed, now: Timestamp) -> Result<Chores, StoreError> {
        let journalled = if let Some(journalled) = self.journalled {
            journalled
        } else {
            let position = self.rejudge.journal.read(|reader| reader.consumer(CONSUMER));
            *self.journalled.insert(position.await?.map_or(0, |(samples, _entries)| samples))
        };
        let looked = self.rejudge.samples.read(move |reader| {
            Ok(Chores {
                due: reader.due_items(now, passed.due, BATCH)?,
                anchors: reader.anchors_after(journalled, BATCH)?,
                items: reader.placeable(passed.placed, BATCH)?,
                unswept: reader.unswept(BATCH)?,
            })
        });
        looked.await
    }

    /// An anchor's entry comes before what it places.
    async fn journal(&mut self, row: &AnchorRow) -> Result<(), StoreError> {
        let body = Body::ClockAnchored {
            agent: row.agent.clone(),
            boot_id: row.anchor.boot_id,
            utc_at_boot: Timestamp::clamped(row.anchor.utc_at_boot_ms),
            uncertainty_ms: row.anchor.uncertainty_ms,
            source: row.anchor.source,
        };
        let append = Append { at: self.rejudge.clock.now(), by: by(), body };
        let entry = AppendOnce { append, consumer: CONSUMER, samples: row.id };
        self.rejudge.journal.write(entry).await?;
        self.journalled = Some(row.id);
        Ok(())
    }

    /// For an agent whose clock is ahead that is every second, so no line of the log.
    async fn judge(&self, item: i64, now: Timestamp) -> Result<(), StoreError> {
        let batches = self.rejudge.due(item, now, &self.stop).await?;
        debug!(item, batches, "batches admitted as their moments came");
        Ok(())
    }

    async fn place(&self, item: i64) -> Result<(), StoreError> {
        match self.rejudge.item(item, &by(), &self.stop).await? {
            Replayed::Admitted { batches, still_refused, .. } => {
                info!(item, batches, still_refused = still_refused.len(), "batches placed in time");
            }
            Replayed::StillRefused(_) | Replayed::Unknown | Replayed::NotHeld => {}
        }
        Ok(())
    }
}

fn by() -> By {
    By { kind: ByKind::Server, name: "ingest".to_owned() }
}
