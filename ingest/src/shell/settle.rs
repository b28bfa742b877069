//! One message from judgement to durable: retried while the store cannot take it, then answered.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use model::{
    fault::{Chain, Fault},
    ids::AgentId,
    registry::Registry,
    time::Timestamp,
    wire::{
        refused_v1::{Kept, Reason},
        status_v1::Status,
    },
};
use runtime::mqtt::Backoff;
use store::{Admission, Admit, Journal, Quarantine, Quarantined, Samples, SetStatus, StoreError};
use tracing::{error, warn};

use crate::{
    answer::{self, Answer},
    intake::{self, Arrival, Garbage, Judgement},
    metrics::{Metrics, Outcome},
};

/// What it takes to settle a message.
#[derive(Debug, Clone)]
pub struct Settler {
    /// Where samples go.
    pub samples: Samples,
    /// Where the registry is.
    pub journal: Journal,
    /// What is counted.
    pub metrics: Metrics,
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

impl Settler {
    /// Ends when the message is durable, in whatever way, and gives what its sender is told.
    ///
    /// While the store cannot take it, it is judged anew and tried again, from 50 ms to 5 s apart;
    /// so nothing is acknowledged meanwhile, and the broker holds back what follows.
    pub async fn settle(self: Arc<Self>, message: Taken) -> Answer {
        let mut wait = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            let failure = match self.attempt(&message).await {
                Ok(answer) => return answer,
                Err(failure) => failure,
            };
            match failure.fault() {
                Fault::Transient => warn!(error = %Chain(&failure), "store cannot take a message"),
                Fault::Permanent => match self.give_up(&message, &failure).await {
                    Ok(answer) => return answer,
                    Err(again) => warn!(error = %Chain(&again), "store cannot take a message"),
                },
                // The store has told the process to stop; the message stays unacknowledged.
                Fault::Bug => std::future::pending::<()>().await,
            }
            self.metrics.retries.inc();
            tokio::time::sleep(wait.next(0)).await;
        }
    }

    async fn attempt(&self, message: &Taken) -> Result<Answer, StoreError> {
        let arrival = Arrival {
            agent: &message.agent,
            topic: &message.topic,
            payload: &message.payload,
            received_at: message.received_at,
        };
        let judgement = match message.kind {
            TopicKind::Batch => intake::batch(arrival, &self.registry()),
            TopicKind::Json => intake::json(arrival, &self.registry()),
            TopicKind::Status => return self.status(message).await,
        };
        match judgement {
            Judgement::Admit(admit) => self.admit(message, *admit).await,
            Judgement::Garbage(garbage) => self.quarantine(message, garbage).await,
        }
    }

    fn registry(&self) -> Arc<Registry> {
        let state = self.journal.watch();
        let state = state.borrow();
        state.registry.as_ref().map_or_else(Arc::default, |in_force| Arc::clone(&in_force.registry))
    }

    async fn admit(&self, message: &Taken, admit: Admit) -> Result<Answer, StoreError> {
        let (key, set_aside) = (admit.key.clone(), admit.set_aside.clone());
        let notice = answer::batch_id(&message.agent, &key);
        match self.samples.write(admit).await? {
            Admission::Admitted(_) => {
                let refused = answer::set_aside(&message.payload, &key, &set_aside);
                let outcome =
                    if refused.is_empty() { Outcome::Admitted } else { Outcome::SetAside };
                self.metrics.count(message.kind.word(), outcome);
                Ok(Answer { notice, refused })
            }
            Admission::Duplicate => {
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
            Admission::ParkFull => {
                self.metrics.count(message.kind.word(), Outcome::ParkFull);
                let refused = answer::set_aside(&message.payload, &key, &set_aside);
                let refused = refused.into_iter().map(|told| model::wire::refused_v1::Refused {
                    kept: Kept::None,
                    detail: format!(
                        "{}; the park is full: import the registry and replay, or discard",
                        told.detail
                    ),
                    ..told
                });
                Ok(Answer { notice: None, refused: refused.collect() })
            }
        }
    }

    /// Keeps the bytes of a fork without its identity, which is taken.
    async fn fork(
        &self,
        message: &Taken,
        told: model::wire::refused_v1::Refused,
    ) -> Result<Answer, StoreError> {
        let garbage = Garbage { reason: Reason::Fork, detail: told.detail.clone(), key: None };
        self.samples.write(quarantine(message, garbage)).await?;
        self.metrics.count(message.kind.word(), Outcome::Fork);
        Ok(Answer { notice: None, refused: vec![told] })
    }

    async fn quarantine(&self, message: &Taken, garbage: Garbage) -> Result<Answer, StoreError> {
        let (key, reason, detail) = (garbage.key.clone(), garbage.reason, garbage.detail.clone());
        let notice = key.as_ref().and_then(|key| answer::batch_id(&message.agent, key));
        let told = |reason, detail| {
            answer::refused(&message.payload, key.as_ref(), reason, detail, Kept::Garbage)
        };
        match self.samples.write(quarantine(message, garbage)).await? {
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

    async fn status(&self, message: &Taken) -> Result<Answer, StoreError> {
        match Status::decode(&message.payload) {
            Ok(_) => {
                let json = String::from_utf8_lossy(&message.payload).into_owned();
                let status = SetStatus {
                    agent: message.agent.clone(),
                    received_at: message.received_at,
                    json,
                };
                self.samples.write(status).await?;
                self.metrics.count(message.kind.word(), Outcome::Admitted);
                Ok(Answer::default())
            }
            Err(detail) => {
                let garbage = Garbage { reason: Reason::Undecodable, detail, key: None };
                self.quarantine(message, garbage).await
            }
        }
    }

    /// Sets aside a message that the store itself refuses for good.
    async fn give_up(&self, message: &Taken, failure: &StoreError) -> Result<Answer, StoreError> {
        error!(agent = %message.agent, error = %Chain(failure), "message set aside");
        let detail = format!("the store refuses it: {}", Chain(failure));
        let garbage = Garbage { reason: Reason::Undecodable, detail, key: None };
        self.quarantine(message, garbage).await
    }
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
