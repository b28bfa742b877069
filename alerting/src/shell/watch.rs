//! The consumer of both feeds that keeps watch, pass by pass.
//!
//! A pass tells the desk what has come (rows of the feed, entries of the journal, what channels
//! said), wakes whose deadline has come, writes what changed together with both positions, and
//! only then hands messages over. Whatever fails is undone by going back to what the journal has:
//! the feed says again what was not written, and says it alike.

mod feeds;
mod listening;
mod pulse;
mod shown;
mod words;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use model::{fault::Chain, time::Timestamp};
use runtime::{admin::Condition as ReadyCondition, clock::Clock, tasks::Stage};
use store::{By, ByKind, Journal, RegistryInForce, Samples, SamplesReader, SetAlarms, StoreError};
use tokio::sync::watch;
use tracing::warn;

use self::{
    listening::Listening,
    words::{tell_of, tell_of_plan},
};
use super::outbox::{Outbox, Outcome};
use crate::{
    desk::{Attempt, Changes, Desk, Surroundings},
    metrics::Metrics,
    snapshot::RestoreError,
};

/// Between two looks at the feed, where no commit says that there is more: also what another
/// process writes is found.
const PERIOD: Duration = Duration::from_millis(200);
/// Between the begins of two passes that commits bring about: what comes meanwhile is taken up
/// together.
const GAP: Duration = Duration::from_millis(5);
/// Alarms and messages are counted again so often while nothing happens to them.
const COUNT_PERIOD_MS: i64 = 1_000;
/// After a pass that failed.
const PAUSE: Duration = Duration::from_secs(2);
/// Feed rows, and entries, that are taken up at once.
const ROWS: usize = 256;
/// What conditions remember is written so often while nothing else is, and how long the server
/// has listened.
const WRITE_PERIOD_MS: i64 = 10_000;
/// So long after a start messages go, even if the feed has not been read to its end.
const HOLD_MS: i64 = 30_000;
/// What attempts on their way get at the end.
const DRAIN: Duration = Duration::from_millis(1_500);
/// Whose positions they are.
pub const CONSUMER: &str = "alerting";

/// Says whether the server hears what agents send: of the broker, by whoever is connected to it.
pub type Hears = Arc<dyn Fn() -> bool + Send + Sync>;

/// What the consumer is made of.
pub struct Parts {
    /// Where the samples are.
    pub samples: Samples,
    /// Where the registry is and alarms go.
    pub journal: Journal,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What it counts.
    pub metrics: Metrics,
    /// The channels.
    pub outbox: Outbox,
    /// What messages are made with.
    pub surroundings: Surroundings,
    /// Whether the server listens.
    pub hears: Hears,
    /// Whether alarms are kept watch over.
    pub readiness: ReadyCondition,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("outbox", &self.outbox).finish_non_exhaustive()
    }
}

/// Why a pass failed.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The store did not do it.
    #[error("cannot read or write what alarms stand on")]
    Store(#[source] StoreError),
    /// A kept state cannot be read; nothing is guessed of it, and a person must act.
    #[error("cannot go on with what is kept of alarms")]
    Restore(#[source] RestoreError),
}

impl From<StoreError> for WatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RestoreError> for WatchError {
    fn from(error: RestoreError) -> Self {
        Self::Restore(error)
    }
}

/// The consumer and what it knows.
#[derive(Debug)]
pub struct Consumer {
    parts: Parts,
    /// `None` at first and after a failure.
    watch: Option<Watch>,
    listening: Listening,
    /// What channels said, until it is written.
    outcomes: VecDeque<Outcome>,
    /// Whether an attempt may be on its way that this process has not made.
    is_first: bool,
    was_told: bool,
    counted_at: Timestamp,
}

/// What is known between two passes; all of it can be made anew from the journal and the feed.
#[derive(Debug)]
struct Watch {
    desk: Desk,
    /// The entry of the registry in force.
    registry: i64,
    samples: i64,
    entries: i64,
    written_at: Timestamp,
    opened_at: Timestamp,
    /// Whether the feed has been read to its end since it was opened.
    has_caught_up: bool,
    /// Whether somebody waits for an answer that is no change.
    is_asked: bool,
}

/// Runs until `stage` stops.
pub async fn run(parts: Parts, stage: Stage) {
    let stop = stage.stopping();
    let mut journal = parts.journal.watch();
    let mut fed = parts.samples.fed();
    let (pulse, ended) = watch::channel(());
    let supervised = pulse::supervise(ended, parts.readiness.clone(), (stop.clone(), pulse::LIMIT));
    stage.spawn("alerting passes", supervised);
    let mut consumer = Consumer::new(parts);
    loop {
        let not_before = tokio::time::Instant::now() + GAP;
        fed.mark_unchanged();
        let wait = match consumer.pass().await {
            Ok(true) => Duration::ZERO,
            Ok(false) => PERIOD,
            Err(failure) => {
                consumer.fail(&failure);
                PAUSE
            }
        };
        pulse.send_replace(());
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            outcome = consumer.parts.outbox.next() => consumer.outcomes.push_back(outcome),
            // somebody may have acknowledged
            Ok(()) = journal.changed(), if wait == PERIOD => {}
            () = more(&mut fed, not_before), if wait == PERIOD => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    consumer.drain().await;
}

/// More has come; dropping it half-way may lose that it has, but a pass follows then all the same.
async fn more(fed: &mut watch::Receiver<i64>, not_before: tokio::time::Instant) {
    match fed.changed().await {
        Ok(()) => tokio::time::sleep_until(not_before).await,
        // nobody writes any more
        Err(_gone) => std::future::pending().await,
    }
}

impl Consumer {
    /// Goes on where the journal left off.
    pub fn new(parts: Parts) -> Self {
        let listening = Listening::new(&*parts.clock);
        let outcomes = VecDeque::new();
        Self {
            parts,
            watch: None,
            listening,
            outcomes,
            is_first: true,
            was_told: false,
            counted_at: Timestamp::MIN,
        }
    }

    /// Takes up what has come and does what follows; says whether there is more to do at once.
    pub async fn pass(&mut self) -> Result<bool, WatchError> {
        let known = self.parts.journal.watch().borrow().registry.clone();
        // without a registry there is nothing to watch, and nothing to withdraw either
        let Some(known) = known else { return Ok(false) };
        let now = self.parts.clock.now();
        let taken = self.watch.take();
        if taken.is_none() {
            self.listening.begin(&*self.parts.clock);
        }
        let mut watch = match taken {
            Some(watch) => watch,
            None => Watch::open(&self.parts, &known, self.is_first, now).await?,
        };
        self.listening.notice(&mut watch.desk, &self.parts, now);
        if watch.registry != known.entry {
            watch.desk.adopt(Arc::clone(&known.registry), now);
            watch.registry = known.entry;
            tell_of_plan(&watch.desk, &known.registry, &self.parts.outbox);
        }
        watch.introduce(&self.parts, now).await?;
        while let Some(outcome) = self.parts.outbox.try_next() {
            self.outcomes.push_back(outcome);
        }
        for outcome in &self.outcomes {
            watch.desk.outcome(outcome.id, outcome.said, now);
        }
        let entries = watch.take_entries(&self.parts, now).await?;
        let rows = watch.take_rows(&self.parts, now).await?;
        let is_caught_up = rows < ROWS && entries < ROWS;
        watch.has_caught_up |= is_caught_up;
        self.listening.look(&mut watch.desk, is_caught_up, now);
        let may_send = watch.has_caught_up || now.ms_since(watch.opened_at) >= HOLD_MS;
        watch.desk.tick(may_send, now);
        if may_send {
            let outbox = &self.parts.outbox;
            watch.desk.begin_attempts(|channel| outbox.places(channel), now);
        }
        let is_urgent = watch.desk.is_urgent();
        let attempts = watch.write(&self.parts, self.listening.until(), now).await?;
        // not before: what was doubted of an earlier process stands in the journal now
        self.is_first = false;
        // what they said is written
        self.outcomes.clear();
        for attempt in attempts {
            self.outcomes.extend(self.parts.outbox.hand_over(attempt));
        }
        self.show(&watch, is_urgent, now);
        self.watch = Some(watch);
        Ok(!is_caught_up || !self.outcomes.is_empty())
    }

    /// Whether an attempt is on its way.
    pub fn is_busy(&self) -> bool {
        self.parts.outbox.is_busy()
    }

    fn fail(&mut self, failure: &WatchError) {
        self.watch = None;
        self.parts.metrics.failures.inc();
        self.counted_at = Timestamp::MIN;
        let text = Chain(failure).to_string();
        if !self.was_told {
            warn!(error = %text, "cannot keep watch; going back to what the journal has");
        }
        self.was_told = true;
        self.parts.readiness.set(Err(text));
    }

    /// Lets attempts that are on their way end, and writes all that is known.
    async fn drain(mut self) {
        let end = tokio::time::Instant::now() + DRAIN;
        while self.parts.outbox.is_busy() {
            match tokio::time::timeout_at(end, self.parts.outbox.next()).await {
                Ok(outcome) => self.outcomes.push_back(outcome),
                Err(_elapsed) => break,
            }
        }
        let now = self.parts.clock.now();
        let Some(mut watch) = self.watch.take() else { return };
        for outcome in &self.outcomes {
            watch.desk.outcome(outcome.id, outcome.said, now);
        }
        watch.is_asked = true;
        // what would be sent is sent by the next start
        if let Err(failure) = watch.write(&self.parts, self.listening.until(), now).await {
            warn!(error = %Chain(&failure), "cannot write what is known of alarms at the end");
        }
    }

    fn show(&mut self, watch: &Watch, is_urgent: bool, now: Timestamp) {
        let metrics = &self.parts.metrics;
        metrics.feed_position.set(watch.samples);
        metrics.entry_position.set(watch.entries);
        metrics.is_deaf.set(i64::from(watch.desk.is_deaf()));
        let passed_ms = now.ms_since(self.counted_at).unsigned_abs();
        if !is_urgent && passed_ms < COUNT_PERIOD_MS.unsigned_abs() {
            return;
        }
        self.counted_at = now;
        self.was_told = false;
        match shown::show(&watch.desk, metrics, now) {
            Some(warning) => self.parts.readiness.warn(warning),
            None => self.parts.readiness.set(Ok(())),
        }
    }
}

impl Watch {
    async fn open(
        parts: &Parts,
        known: &RegistryInForce,
        is_first: bool,
        now: Timestamp,
    ) -> Result<Self, WatchError> {
        let kept = parts.journal.read(|reader| reader.alarming(CONSUMER)).await?;
        let positions = match kept.positions {
            Some(positions) => positions,
            None => newest(parts).await?,
        };
        let (surroundings, registry) = (parts.surroundings.clone(), &known.registry);
        let mut desk = Desk::restore(surroundings, Arc::clone(registry), kept, now)?;
        if is_first {
            desk.forget_attempts(now);
        }
        tell_of_plan(&desk, registry, &parts.outbox);
        let (samples, entries) = positions;
        Ok(Self {
            desk,
            registry: known.entry,
            samples,
            entries,
            // so that where it begins is written at once, where nothing was
            written_at: Timestamp::MIN,
            opened_at: now,
            has_caught_up: false,
            is_asked: false,
        })
    }

    /// Writes what changed with both positions, and gives what is to be handed over then.
    async fn write(
        &mut self,
        parts: &Parts,
        listened_until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Vec<Attempt>, WatchError> {
        let is_time =
            now.ms_since(self.written_at).unsigned_abs() >= WRITE_PERIOD_MS.unsigned_abs();
        if !self.desk.is_urgent() && !self.is_asked && !is_time {
            return Ok(Vec::new());
        }
        let changes = self.desk.changes();
        tell_of(&changes, &parts.metrics);
        let Changes { conditions, forgotten, alarms, dropped, escalations, .. } = changes;
        let write = SetAlarms {
            at: now,
            by: By { kind: ByKind::Server, name: CONSUMER.to_owned() },
            consumer: CONSUMER,
            samples: self.samples,
            entries: self.entries,
            listened_until,
            conditions,
            forgotten,
            alarms,
            dropped,
            escalations,
            notifications: changes.notifications,
            bodies: changes.bodies,
        };
        parts.journal.write(write).await?;
        self.written_at = now;
        self.is_asked = false;
        Ok(changes.attempts)
    }
}

/// Where a consumer begins that was never there: with what is still to come. What was before wakes
/// nobody.
async fn newest(parts: &Parts) -> Result<(i64, i64), WatchError> {
    let counters = parts.samples.read(SamplesReader::counters).await?;
    let head = parts.journal.watch().borrow().head;
    Ok((i64::try_from(counters.feed).unwrap_or(i64::MAX), head))
}
