//! One message from judgement to durable: retried while the store cannot take it, then answered.

mod beyond_share;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use model::{
    fault::{Chain, Fault},
    ids::{AgentId, BootId},
    time::Timestamp,
    wire::{
        refused_v1::{Kept, Reason, Refused},
        status_v1::Status,
    },
};
use runtime::{clock::Clock, mqtt::Backoff, telemetry::Repeats};
use store::{
    Admission, Admit, Journal, Key, ParkBound, Quarantine, Quarantined, Samples, SetStatus,
    StoreError,
};
use tokio::sync::Semaphore;
use tracing::{error, warn};

use self::beyond_share::Counted;
use crate::{
    answer::{self, Answer},
    contradictions::{Contradicting, Contradictions},
    intake::{self, Arrival, Garbage, Judgement, Known},
    metrics::{Metrics, Outcome},
    placing::Anchors,
    shares::{self, Shares},
    shell::full_park::FullPark,
};

/// Memory that judged messages may take while they wait for the store; one more that is larger
/// waits alone.
const JUDGED_BYTES: usize = 16 << 20;

/// What it takes to settle a message.
#[derive(Debug)]
pub struct Settler {
    samples: Samples,
    journal: Journal,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
    /// One message is judged at a time, and keeps the turn until it has room: so no crowd of
    /// small payloads that judge to large ones can take more than the bound.
    turn: tokio::sync::Mutex<()>,
    /// Bytes.
    room: Semaphore,
    /// What the store could not do, as it was logged.
    told: Mutex<Repeats<String>>,
    /// Of whom the log has that values contradict others.
    contradicting: Mutex<Repeats<AgentId>>,
    contradictions: Mutex<Contradictions>,
    /// Who knows that the park is full.
    full: FullPark,
    /// What was refused of each sender lately.
    shares: Mutex<Shares>,
    /// Who knows that it has used up its share.
    beyond: Mutex<Repeats<AgentId>>,
}

/// A message of which every part is owned, so that it can wait.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Who sent it.
    pub agent: AgentId,
    /// What kind of topic it came on.
    pub kind: TopicKind,
    /// The topic itself.
    pub topic: String,
    /// As received.
    pub payload: Bytes,
    /// When.
    pub received_at: Timestamp,
}

/// The topics that the server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// Batches.
    Batch,
    /// JSON readings.
    Json,
    /// Status documents.
    Status,
}

impl TopicKind {
    const fn word(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Json => "json",
            Self::Status => "status",
        }
    }
}

/// Why a message is not settled yet, and its identity where it has one.
struct Failed {
    failure: StoreError,
    key: Option<Key>,
}

impl Settler {
    /// Settles into these.
    pub fn new(
        samples: Samples,
        journal: Journal,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            samples,
            journal,
            metrics,
            clock,
            turn: tokio::sync::Mutex::default(),
            room: Semaphore::new(JUDGED_BYTES),
            told: Mutex::default(),
            contradicting: Mutex::default(),
            contradictions: Mutex::default(),
            full: FullPark::default(),
            shares: Mutex::default(),
            beyond: Mutex::default(),
        }
    }

    /// What is counted.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where the registry is.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Ends when the message is durable, in whatever way, and gives what its sender is told.
    ///
    /// While the store cannot take it, it is judged anew and tried again, from 50 ms to 5 s apart;
    /// so nothing is acknowledged meanwhile, and the broker holds back what follows.
    pub async fn settle(self: Arc<Self>, message: Taken) -> Answer {
        let mut wait = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut counted = Counted::default();
        loop {
            let Failed { failure, key } = match self.attempt(&message, &mut counted).await {
                Ok(answer) => return answer,
                Err(failed) => failed,
            };
            match failure.fault() {
                Fault::Transient => self.complain(&failure),
                Fault::Permanent => match self.give_up(&message, key, &failure).await {
                    Ok(answer) => return answer,
                    Err(again) => self.complain(&again),
                },
                // The store has told the process to stop; the message stays unacknowledged.
                Fault::Bug => std::future::pending::<()>().await,
            }
            self.metrics.retries.inc();
            tokio::time::sleep(wait.next(0)).await;
        }
    }

    /// Told once a minute for each failure, however many messages meet it.
    fn complain(&self, failure: &StoreError) {
        let failure = Chain(failure).to_string();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held_back) = told.note(failure.clone(), self.clock.now()) {
            warn!(error = failure, held_back, "store cannot take messages; trying again");
        }
    }

    /// Whose values contradicted what is stored of the same moments, within the last hour.
    pub fn contradicted_lately(&self) -> Vec<(AgentId, Contradicting)> {
        self.contradictions().lately(self.clock.now())
    }

    fn contradictions(&self) -> MutexGuard<'_, Contradictions> {
        self.contradictions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gateway does not contradict itself.
    fn contradicted(&self, agent: &AgentId, conflicts: u64) {
        if conflicts == 0 {
            return;
        }
        self.contradictions().note(agent, conflicts, self.clock.now());
        let mut told = self.contradicting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held_back) = told.note(agent.clone(), self.clock.now()) {
            warn!(%agent, conflicts, held_back, "values contradict what is stored of the same moments; do two gateways use this name, or was a meter read twice?");
        }
    }

    async fn attempt(&self, message: &Taken, counted: &mut Counted) -> Result<Answer, Failed> {
        let arrival = Arrival {
            agent: &message.agent,
            topic: &message.topic,
            payload: &message.payload,
            received_at: message.received_at,
            remainder: None,
        };
        if message.kind == TopicKind::Status {
            return self.status(message).await;
        }
        let mut anchors = Anchors::new();
        let mut turn = self.turn.lock().await;
        let is_used_up = || self.shares().is_used_up(&message.agent, self.clock.now());
        if *counted.came_beyond.get_or_insert_with(is_used_up) {
            drop(turn);
            return self.beyond_share(message, counted).await;
        }
        let mut judgement = self.judge(message.kind, arrival, &anchors);
        if let Some(boot) = boot_of(&judgement) {
            // Who lists samples shares the readers: nobody else's turn waits for one of them.
            drop((judgement, turn));
            let agent = message.agent.clone();
            let anchor = self.samples.read(move |reader| reader.anchor(&agent, boot)).await;
            anchors.extend(anchor.map_err(of(None))?.map(|anchor| (boot, anchor)));
            turn = self.turn.lock().await;
            // An anchor that comes after this look finds the batch parked, and places it.
            judgement = self.judge(message.kind, arrival, &anchors);
        }
        if !std::mem::replace(&mut counted.is_charged, true) {
            let cost =
                shares::cost(&judgement, message.kind == TopicKind::Json, message.payload.len());
            self.shares().charge(&message.agent, cost, self.clock.now());
        }
        let room = u32::try_from(judgement.weight().min(JUDGED_BYTES)).unwrap_or(u32::MAX);
        // Never closed; without room the store's own queue is the bound that is left.
        let held = self.room.acquire_many(room).await;
        drop(turn);
        let settled = match judgement {
            Judgement::Admit(admit) => self.admit(message, *admit).await,
            Judgement::Garbage(garbage) => self.quarantine(message, garbage).await,
        };
        drop(held);
        settled
    }

    fn shares(&self) -> MutexGuard<'_, Shares> {
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn judge(&self, kind: TopicKind, arrival: Arrival<'_>, anchors: &Anchors) -> Judgement {
        let registry = self.journal.registry();
        let known = Known { registry: &registry, anchors };
        match kind {
            TopicKind::Json => intake::json(arrival, known),
            TopicKind::Batch | TopicKind::Status => intake::batch(arrival, known),
        }
    }

    async fn admit(&self, message: &Taken, admit: Admit) -> Result<Answer, Failed> {
        let key = admit.key.clone();
        let refused = answer::set_aside(&message.payload, &key, &admit.set_aside);
        let notice = answer::batch_id(&message.agent, &key);
        match self.samples.write(admit).await.map_err(of(Some(&key)))? {
            Admission::Admitted(admitted) => {
                self.contradicted(&message.agent, admitted.conflicts);
                let outcome =
                    if refused.is_empty() { Outcome::Admitted } else { Outcome::SetAside };
                self.metrics.count(message.kind.word(), outcome);
                Ok(Answer { notice, refused })
            }
            Admission::Duplicate | Admission::Repetition(_) => {
                self.metrics.count(message.kind.word(), Outcome::Duplicate);
                Ok(Answer { notice, refused: Vec::new() })
            }
            Admission::Fork { stored } => {
                let detail = format!(
                    "this batch was stored before with the digest {}; two agents share a name, or a spool was copied",
                    hex::encode(stored)
                );
                self.fork(
                    message,
                    answer::refused(
                        &message.payload,
                        Some(&key),
                        Reason::Fork,
                        detail,
                        Kept::Garbage,
                    ),
                )
                .await
            }
            Admission::ParkFull(bound) => self.park_full(message, key, (bound, refused)).await,
        }
    }

    /// No room: the agent keeps its batch, since no notice names it. Nobody keeps a document, so
    /// the ring has it for a while.
    async fn park_full(
        &self,
        message: &Taken,
        key: Key,
        (bound, refused): (ParkBound, Vec<Refused>),
    ) -> Result<Answer, Failed> {
        self.metrics.count(message.kind.word(), Outcome::ParkFull);
        let is_told = self.full.note(&message.agent, bound, message.received_at);
        let what = match bound {
            ParkBound::Park => "the park",
            ParkBound::Agent => "this agent's share of the park",
            ParkBound::Anchors => return Ok(Self::too_many_starts(message, &key, is_told)),
        };
        let mut refused = refused.into_iter().map(|told| Refused {
            kept: Kept::None,
            detail: format!(
                "{}; {what} is full: import the registry and replay, or discard",
                told.detail
            ),
            ..told
        });
        match (key, refused.next()) {
            (key @ Key::Payload { .. }, Some(Refused { reason, detail, .. })) => {
                self.quarantine(message, Garbage { reason, detail, key: Some(key) }).await
            }
            (_, first) if is_told => {
                Ok(Answer { notice: None, refused: first.into_iter().chain(refused).collect() })
            }
            (_, _) => Ok(Answer::default()),
        }
    }

    /// The agent keeps its batch, and is taken at its word again when its starts are fewer.
    fn too_many_starts(message: &Taken, key: &Key, is_told: bool) -> Answer {
        let detail = "this gateway has started too often of late, by the anchors of its clock; \
            the batch is taken when that is some time ago"
            .to_owned();
        let told = answer::refused(&message.payload, Some(key), Reason::Anchor, detail, Kept::None);
        Answer { notice: None, refused: is_told.then_some(told).into_iter().collect() }
    }

    /// Keeps the bytes of a fork without its identity, which is taken.
    async fn fork(&self, message: &Taken, told: Refused) -> Result<Answer, Failed> {
        let garbage = Garbage { reason: Reason::Fork, detail: told.detail.clone(), key: None };
        self.samples.write(quarantine(message, garbage)).await.map_err(of(None))?;
        self.metrics.count(message.kind.word(), Outcome::Fork);
        Ok(Answer { notice: None, refused: vec![told] })
    }

    async fn quarantine(&self, message: &Taken, garbage: Garbage) -> Result<Answer, Failed> {
        let (key, reason, detail) = (garbage.key.clone(), garbage.reason, garbage.detail.clone());
        let notice = key.as_ref().and_then(|key| answer::batch_id(&message.agent, key));
        let told = |reason, detail| {
            answer::refused(&message.payload, key.as_ref(), reason, detail, Kept::Garbage)
        };
        let written = self.samples.write(quarantine(message, garbage)).await;
        match written.map_err(of(key.as_ref()))? {
            Quarantined::Held { .. } => {
                self.metrics.count(message.kind.word(), Outcome::Garbage);
                Ok(Answer { notice, refused: vec![told(reason, detail)] })
            }
            Quarantined::Duplicate => {
                self.metrics.count(message.kind.word(), Outcome::Duplicate);
                Ok(Answer { notice, refused: Vec::new() })
            }
            Quarantined::Fork { stored } => {
                let detail =
                    format!("this batch came before with the digest {}", hex::encode(stored));
                self.fork(message, told(Reason::Fork, detail)).await
            }
        }
    }

    async fn status(&self, message: &Taken) -> Result<Answer, Failed> {
        // An empty payload takes a retained message back.
        let text = || String::from_utf8_lossy(&message.payload).into_owned();
        let decoded = if message.payload.is_empty() {
            Ok(None)
        } else {
            Status::decode(&message.payload).map(|_| Some(text()))
        };
        match decoded {
            Ok(json) => {
                let status = SetStatus {
                    agent: message.agent.clone(),
                    received_at: message.received_at,
                    json,
                };
                self.samples.write(status).await.map_err(of(None))?;
                self.metrics.count(message.kind.word(), Outcome::Admitted);
                Ok(Answer::default())
            }
            Err(detail) => {
                let garbage = Garbage { reason: Reason::Undecodable, detail, key: None };
                self.quarantine(message, garbage).await
            }
        }
    }

    /// Sets aside a message that the store itself refuses for good. Its identity goes with it, so
    /// that its sender is answered and lets go; where that is what the store refuses, without.
    async fn give_up(
        &self,
        message: &Taken,
        key: Option<Key>,
        failure: &StoreError,
    ) -> Result<Answer, StoreError> {
        error!(agent = %message.agent, error = %Chain(failure), "message set aside");
        let detail = format!("the store refuses it: {}", Chain(failure));
        let garbage = Garbage { reason: Reason::Undecodable, detail, key };
        let nameless = Garbage { key: None, ..garbage.clone() };
        match self.quarantine(message, garbage).await {
            Err(Failed { failure, .. }) if failure.fault() == Fault::Permanent => {
                self.quarantine(message, nameless).await.map_err(|failed| failed.failure)
            }
            settled => settled.map_err(|failed| failed.failure),
        }
    }
}

/// The start of the gateway for whose anchor a batch waits.
fn boot_of(judgement: &Judgement) -> Option<BootId> {
    match judgement {
        Judgement::Admit(admit) => admit.boot,
        Judgement::Garbage(_) => None,
    }
}

/// Names the message that a write failed for.
fn of(key: Option<&Key>) -> impl FnOnce(StoreError) -> Failed {
    let key = key.cloned();
    |failure| Failed { failure, key }
}

fn quarantine(message: &Taken, garbage: Garbage) -> Quarantine {
    Quarantine {
        agent: message.agent.clone(),
        topic: message.topic.clone(),
        received_at: message.received_at,
        payload: message.payload.to_vec(),
        reason: garbage.reason,
        detail: garbage.detail,
        key: garbage.key,
    }
}
