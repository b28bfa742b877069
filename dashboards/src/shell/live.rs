//! The one source of what is told live, and what it shares with all viewers.
//!
//! The source looks at the store four times a second while somebody looks at it, and not at all
//! else; what it saw every viewer takes at its own pace ([`crate::live`]).
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | viewers | 1,024, beside the connections of other calls | 503 |
//! | those of them who are neither on duty nor admin | 896 | 503 |
//! | those of one user, token or screen | 64 | 429 |
//! | rows of the feed in a look | 4,096 | all stations are looked at instead |
//! | stations whose gauges are read in a look | 256 | the rest are read with the next one |
//! | alarms that are told | the latest 1,024 that are not over | earlier ones are counted alone |
//!
//! A browser has one stream for all its tabs and a user sixteen sessions at most, so 64 are four times
//! what somebody opens, and no one who looks takes the places of all (`shell::places`). The last 128 are
//! for those whom an alarm concerns: however many look, they are told.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use model::fault::Chain;
use store::StoreError;
use tokio::{
    sync::{Notify, watch},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    live_source::Source,
    parts::Parts,
    places::{Crowded, Place, Places, Room},
    stopwatch::Stopwatch,
};
use crate::{
    access::{Caller, Name},
    live::{DELTA_MS, Live, Look},
};

const ROOM: Room = Room { all: 1_024, kept: 128 };
const OF_ONE: usize = 64;
const PERIOD: Duration = Duration::from_millis(DELTA_MS);
/// After a look that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// What was seen longer ago is not shown to somebody who has just come.
const FRESH_MS: u64 = 1_000;
/// How long somebody who has just come waits for a look.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What is told live; a cheap handle.
#[derive(Debug, Clone)]
pub struct Picture(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: Mutex<Live>,
    since: Stopwatch,
    /// When the last look was, ms since `begun`.
    looked_ms: AtomicU64,
    /// Told after each look.
    looked: watch::Sender<()>,
    /// Told when viewers have something to take.
    told: watch::Sender<()>,
    /// Somebody has come.
    came: Notify,
    seats: Places<Name>,
    of_one: usize,
}

/// A place among the viewers, given back where it is dropped.
pub(super) type Seat = Place<Name>;

impl Picture {
    /// Of a server that began at this moment, which tells its life from every other one.
    pub fn new(run: u64) -> Self {
        Self::of_size(run, ROOM, OF_ONE)
    }

    pub(super) fn of_size(run: u64, room: Room, of_one: usize) -> Self {
        Self(Arc::new(Shared {
            live: Mutex::new(Live::new(run)),
            since: Stopwatch::start(),
            looked_ms: AtomicU64::new(0),
            looked: watch::Sender::new(()),
            told: watch::Sender::new(()),
            came: Notify::new(),
            seats: Places::within(room),
            of_one,
        }))
    }

    /// How many look.
    pub(super) fn viewers(&self) -> usize {
        self.0.seats.taken()
    }

    /// A place among the viewers, if one is left.
    pub(super) fn seat(&self, caller: &Caller) -> Result<Seat, Crowded> {
        let who = [(caller.known_as(), self.0.of_one)];
        let seat = self.0.seats.take(who, caller.goes_first())?;
        self.0.came.notify_one();
        Ok(seat)
    }

    /// Waits until what was seen is fresh; `false` where that takes too long.
    pub(super) async fn fresh(&self) -> bool {
        let mut looked = self.0.looked.subscribe();
        if self.is_fresh() {
            return true;
        }
        timeout(LOOK_LIMIT, looked.changed()).await.is_ok_and(|told| told.is_ok())
    }

    fn is_fresh(&self) -> bool {
        let looked_ms = self.0.looked_ms.load(Ordering::Acquire);
        looked_ms > 0 && self.0.since.ms().saturating_sub(looked_ms) <= FRESH_MS
    }

    /// Tells when there may be something to take.
    pub(super) fn told(&self) -> watch::Receiver<()> {
        self.0.told.subscribe()
    }

    /// The state; whoever holds it neither waits nor reads.
    pub(super) fn live(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, look: Look) {
        let now_ms = self.0.since.ms();
        let is_told = self.live().look(look, now_ms);
        self.0.looked_ms.store(now_ms.max(1), Ordering::Release);
        self.0.looked.send_replace(());
        if is_told {
            self.0.told.send_replace(());
        }
    }
}

/// Looks until `stop`. While a look fails no beat comes, so that pages say themselves that they are
/// stale.
pub async fn run(parts: Arc<Parts>, stop: CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        never = look_on(&parts) => never,
    }
}

/// A look that is dropped half-way has told nothing, and so loses nothing.
async fn look_on(parts: &Parts) -> ! {
    let mut source = Source::default();
    let mut is_failing = false;
    loop {
        if parts.picture.viewers() == 0 {
            parts.picture.0.came.notified().await;
        }
        let looked = source.look(parts).await;
        let wait = if looked.is_ok() { PERIOD } else { PAUSE };
        is_failing = took(parts, looked, is_failing);
        sleep(wait).await;
    }
}

/// Tells what was seen, and says whether nothing was; the log hears of it once.
fn took(parts: &Parts, looked: Result<Look, StoreError>, is_failing: bool) -> bool {
    match looked {
        Ok(look) => {
            parts.picture.take(look);
            false
        }
        Err(failure) => {
            parts.metrics.live.failures.inc();
            if !is_failing {
                warn!(error = %Chain(&failure), "cannot look at the store for live pages");
            }
            true
        }
    }
}
