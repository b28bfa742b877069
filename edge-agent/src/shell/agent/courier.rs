//! The task between the spool and the broker: what the uplink decides is loaded, sent and marked.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use hex::FromHex as _;
use model::{
    fault::{Chain, Fault},
    ids::BootId,
    wire::{
        batch_v1::Digest,
        commit_v1,
        refused_v1::{Reason, Refused},
        server_v1::ServerStatus,
        status_v1::{SpoolStatus, Status},
        topic::Topic,
    },
};
use runtime::{admin::Condition, clock::Clock, telemetry::Repeats};
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::{
    health::BusHealth,
    ledger::BatchKey,
    metrics::Metrics,
    shell::{
        mqtt::{Link, Told},
        spool::{Command, Happening, Stats},
        wall_clock::MeasuringClock,
    },
    status::{Online, Pace},
    uplink::{Effect, Event, Strays, Uplink},
};

/// How long the last batches may wait for their notices when the agent stops.
const LAST_NOTICES: Duration = Duration::from_secs(5);
/// How long the broker may take to see the connection end in order.
const GOOD_BYE: Duration = Duration::from_millis(500);
const SECOND: Duration = Duration::from_secs(1);

/// What the page shows of the link.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    /// Whether the broker is reached, or why not.
    pub(crate) broker: Result<(), String>,
    /// Whether the server says that it is there.
    pub(crate) server: Option<bool>,
    /// As the server was told last, or would be.
    pub(crate) status: Status,
}

impl Outlook {
    /// Before anything is known.
    pub(crate) fn starting(version: &str) -> Self {
        Self { broker: Err("starting".to_owned()), server: None, status: Status::offline(version) }
    }
}

/// Shared with the page.
pub(crate) type Board = Arc<Mutex<Outlook>>;

/// Carries batches.
#[derive(Debug)]
pub(crate) struct Courier {
    pub(crate) uplink: Uplink,
    pub(crate) link: Link,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) measuring: MeasuringClock,
    pub(crate) spool: mpsc::Sender<Command>,
    pub(crate) happenings: mpsc::Receiver<Happening>,
    pub(crate) stats: watch::Receiver<Stats>,
    pub(crate) health: Vec<watch::Receiver<BusHealth>>,
    pub(crate) board: Board,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Condition,
    pub(crate) identity: Identity,
    /// What the spool is to do next; it is never waited for, so that it may wait for this task.
    pub(crate) wishes: VecDeque<Command>,
    /// Payloads of batches just closed, for those sent at once.
    pub(crate) fresh: BTreeMap<BatchKey, Vec<u8>>,
    pub(crate) pace: Pace,
    pub(crate) counted: (Strays, u64),
    /// Reasons for which nothing is sent, as they were logged.
    pub(crate) missing: Repeats<String>,
}

/// What does not change while the agent runs.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) version: &'static str,
    pub(crate) boot_id: BootId,
    pub(crate) trust: &'static str,
}

impl Courier {
    /// Until told to stop; then at most 5 s more for the last notices.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut last_call = None;
        let spool = self.spool.clone();
        // A moment, not a pause: however much happens, the status has its turn.
        let mut look_at = Instant::now();
        loop {
            let wake = self.wake(look_at, last_call);
            let is_wish = !self.wishes.is_empty();
            tokio::select! {
                biased;
                () = stop.cancelled(), if last_call.is_none() => {
                    last_call = Some(Instant::now() + LAST_NOTICES);
                }
                () = sleep_until(wake) => {
                    self.tick();
                    look_at = Instant::now() + SECOND;
                }
                room = spool.reserve(), if is_wish => match room {
                    Ok(room) => if let Some(wish) = self.wishes.pop_front() { room.send(wish) },
                    Err(_closed) => self.wishes.clear(),
                },
                happening = self.happenings.recv() => match happening {
                    Some(happening) => self.happened(happening),
                    None => break,
                },
                told = self.link.next() => self.told(told),
            }
            if last_call.is_some_and(|limit| self.is_done(limit)) {
                break;
            }
        }
        self.good_bye().await;
    }

    /// Nothing is left to wait for, or nobody, or no more time.
    fn is_done(&self, limit: Instant) -> bool {
        let is_away = !self.is_connected() || self.uplink.is_server_online() == Some(false);
        let is_empty = self.uplink.queued() == 0 && self.happenings.is_empty();
        let is_marked = self.wishes.is_empty();
        Instant::now() >= limit || (is_marked && (is_away || is_empty))
    }

    fn is_connected(&self) -> bool {
        self.board.lock().unwrap_or_else(PoisonError::into_inner).broker.is_ok()
    }

    async fn good_bye(mut self) {
        info!(queued = self.uplink.queued(), "stops");
        if !self.is_connected() {
            return;
        }
        if let Err(error) = self.link.publish_status(&Status::offline(self.identity.version)) {
            debug!(error = %Chain(&error), "offline status not published, the will does it");
            return;
        }
        self.link.close();
        let end = async { while !matches!(self.link.next().await, Told::Disconnected(_)) {} };
        if timeout(GOOD_BYE, end).await.is_err() {
            warn!("the broker did not see the connection end");
        }
    }

    fn wake(&self, look_at: Instant, last_call: Option<Instant>) -> Instant {
        let left_ms = self.uplink.deadline().map_or(i64::MAX, |at_ms| at_ms - self.clock.boot_ms());
        let left = Duration::from_millis(u64::try_from(left_ms.max(0)).unwrap_or(u64::MAX));
        let wake = (Instant::now() + left.min(SECOND)).min(look_at);
        last_call.map_or(wake, |limit| wake.min(limit))
    }

    fn tick(&mut self) {
        self.step(Event::Tick);
        self.tell_status();
    }

    fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Held(queued) => self.step(Event::Held(queued)),
            Happening::Closed(key, payload) => {
                self.fresh.insert(key, payload);
                self.step(Event::Closed(key));
                // what was not sent at once is read from disk when its time comes
                self.fresh.clear();
            }
            Happening::Gone(epoch, range) => self.step(Event::Gone(epoch, range)),
            Happening::Loaded(key, Some(payload)) => self.publish(key, payload),
            Happening::Loaded(key, None) => self.step(Event::NotSent(key)),
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Connected => {
                self.metrics.connected.set(1);
                self.metrics.connections.inc();
                self.readiness.set(Ok(()));
                self.look(|outlook| outlook.broker = Ok(()));
                self.pace.forget();
                self.tell_status();
                self.step(Event::Connected);
            }
            Told::Disconnected(why) => {
                if let Some(held_back) = self.missing.note(why.clone(), self.clock.now()) {
                    let queued = self.uplink.queued();
                    warn!(
                        reason = why,
                        queued, held_back, "no connection to the broker, readings are kept"
                    );
                }
                self.metrics.connected.set(0);
                self.readiness.set(Err(why.clone()));
                self.look(|outlook| outlook.broker = Err(why));
                self.step(Event::Disconnected);
            }
            Told::Acknowledged(key) => self.step(Event::Acknowledged(key)),
            Told::Refused(key, reason) => {
                self.metrics.broker_refusals.inc();
                if let Some(held_back) = self.missing.note(reason.clone(), self.clock.now()) {
                    warn!(sequence = key.sequence, reason, held_back, "broker refuses a batch");
                }
                self.step(Event::NotSent(key));
            }
            Told::Message(topic, payload) => self.message(&topic, &payload),
        }
    }

    fn message(&mut self, topic: &Topic, payload: &[u8]) {
        match topic {
            Topic::Commit(_) => match commit_v1::decode(payload) {
                Ok(notice) => self.step(Event::Notice(notice)),
                Err(error) => self.unreadable("commit notice", &error),
            },
            Topic::Refused(_) => match serde_json::from_slice::<Refused>(payload) {
                Ok(refused) => self.refused(&refused),
                Err(error) => self.unreadable("refusal", &Chain(&error).to_string()),
            },
            Topic::Server => match ServerStatus::decode(payload) {
                Ok(server) => {
                    self.look(|outlook| outlook.server = Some(server.online));
                    let ServerStatus { online: is_online, store_id, .. } = server;
                    self.step(Event::Server { is_online, store_id });
                }
                Err(error) => self.unreadable("server status", &Chain(&error).to_string()),
            },
            Topic::Batch(_) | Topic::Json(_) | Topic::Status(_) => {}
        }
    }

    fn unreadable(&self, what: &'static str, error: &str) {
        self.metrics.unreadable.inc();
        warn!(what, error, "cannot read a message of the server");
    }

    fn refused(&mut self, refused: &Refused) {
        let Refused { reason, detail, epoch, sequence, digest, .. } = refused;
        let word = reason.word();
        self.metrics.refusals.with_label_values(&[word]).inc();
        if let Some(held_back) = self.missing.note(format!("{word} {detail}"), self.clock.now()) {
            warn!(
                reason = word,
                detail, sequence, held_back, "server refuses a batch or part of it"
            );
        }
        let key = epoch.zip(*sequence).map(|(epoch, sequence)| BatchKey { epoch, sequence });
        let digest = digest.as_ref().and_then(|digest| Digest::from_hex(digest).ok());
        if let (Reason::Fork, Some(key), Some(digest)) = (reason, key, digest) {
            self.step(Event::Fork(key, digest));
        }
    }

    fn step(&mut self, event: Event) {
        for effect in self.uplink.step(event, self.clock.boot_ms()) {
            match effect {
                Effect::Send(key) => match self.fresh.remove(&key) {
                    Some(payload) => self.publish(key, payload),
                    None => self.wishes.push_back(Command::Load(key)),
                },
                Effect::Commit(store_id, epoch, ranges) => {
                    let count: u64 = ranges.iter().map(|(first, last)| last - first + 1).sum();
                    self.metrics.batches_committed.inc_by(count);
                    self.wishes.push_back(Command::Commit(store_id, epoch, ranges));
                }
                Effect::Adopt(store_id) => self.wishes.push_back(Command::Adopt(store_id)),
                Effect::Renew(key, digest) => self.wishes.push_back(Command::Renew(key, digest)),
            }
        }
    }

    fn publish(&mut self, key: BatchKey, payload: Vec<u8>) {
        match self.link.publish_batch(key, payload) {
            Ok(()) => self.metrics.batches_sent.inc(),
            Err(error) if error.fault() == Fault::Transient => {
                // a connection that ended meanwhile is told of by itself
                debug!(error = %Chain(&error), sequence = key.sequence, "batch not sent");
                self.step(Event::NotSent(key));
            }
            Err(error) => {
                self.metrics.too_large.inc();
                let why = Chain(&error).to_string();
                if let Some(held_back) = self.missing.note("too large".to_owned(), self.clock.now())
                {
                    let sequence = key.sequence;
                    error!(error = why, sequence, held_back, "broker must take larger packets");
                }
                self.step(Event::TooLarge(key));
            }
        }
    }

    /// Tells the status where it is due, and sets what the page and the metrics show.
    fn tell_status(&mut self) {
        let now = self.clock.now();
        let stats = self.stats.borrow().clone();
        self.count(&stats);
        let (is_trusted, offset_ms) = {
            let trust = self.measuring.trust();
            (trust.is_trusted(now), trust.offset_ms())
        };
        let online = Online {
            version: self.identity.version,
            boot_id: self.identity.boot_id,
            trust: self.identity.trust,
            is_trusted,
            offset_ms,
            epoch: stats.epoch,
            spool: SpoolStatus {
                bytes: stats.bytes,
                hours_left: stats.hours_left,
                queued: stats.queued,
                oldest_queued: stats.oldest_queued,
                queued_from: stats.queued_from,
                next_sequence: stats.next_sequence,
                overwritten: stats.overwritten,
            },
            buses: self.health.iter().map(|bus| bus.borrow().status()).collect(),
        };
        let status = online.status(now);
        self.look(|outlook| outlook.status = status.clone());
        let now_ms = self.clock.boot_ms();
        if self.is_connected() && self.pace.is_due(&status, now_ms) {
            match self.link.publish_status(&status) {
                Ok(()) => self.pace.told(status, now_ms),
                Err(error) => debug!(error = %Chain(&error), "status not published"),
            }
        }
    }

    fn count(&mut self, stats: &Stats) {
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.spool_bytes.set(whole(stats.bytes));
        self.metrics.spool_queued.set(whole(stats.queued));
        self.metrics.spool_hours_left.set(stats.hours_left);
        let (strays, resent) = (self.uplink.strays(), self.uplink.resent());
        let (before, resent_before) = std::mem::replace(&mut self.counted, (strays, resent));
        let foreign = self.metrics.strays.with_label_values(&["foreign_store"]);
        foreign.inc_by(strays.foreign_store - before.foreign_store);
        let unsent = self.metrics.strays.with_label_values(&["unsent"]);
        unsent.inc_by(strays.unsent - before.unsent);
        self.metrics.batches_resent.inc_by(resent - resent_before);
    }

    fn look(&self, change: impl FnOnce(&mut Outlook)) {
        change(&mut self.board.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
