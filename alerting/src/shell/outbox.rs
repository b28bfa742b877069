//! Channels at work: each has a task and a queue of its own, so that a slow gateway delays nobody
//! else's messages, and nothing of it holds up the machines.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`QUEUE`] messages wait for a channel | it has refused them for now |
//! | [`TOGETHER`] messages are on their way by a channel | the others wait, within their limit |

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use model::{
    fault::{Chain, Fault},
    ids::{ChannelId, NotificationId},
};
use runtime::tasks::Stage;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, timeout_at},
};
use tracing::{debug, error, info, warn};

use super::channel::{ATTEMPT_LIMIT, Channel, ChannelError, Outgoing, Taken, Text};
use crate::{desk::Attempt, metrics::Metrics};

/// Messages that wait for a channel.
pub const QUEUE: usize = 256;
/// Messages on their way by one channel.
pub const TOGETHER: usize = 8;
/// Outcomes that wait to be taken up; a channel waits for a place.
const OUTCOMES: usize = 256;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Of which message.
    pub id: NotificationId,
    /// Whether a receipt will come, or why the channel did not take it.
    pub said: Result<bool, Fault>,
}

struct Job {
    outgoing: Outgoing,
    until: Instant,
}

/// All channels.
#[derive(Debug)]
pub struct Outbox {
    queues: BTreeMap<ChannelId, mpsc::Sender<Job>>,
    outcomes: mpsc::Receiver<Outcome>,
    metrics: Metrics,
    /// Attempts whose outcome has not been taken up.
    on_their_way: usize,
}

impl Outbox {
    /// Starts a task for each channel; they end with this outbox.
    pub fn start(
        channels: BTreeMap<ChannelId, Arc<dyn Channel>>,
        metrics: Metrics,
        stage: &Stage,
    ) -> Self {
        let (sender, outcomes) = mpsc::channel(OUTCOMES);
        let mut queues = BTreeMap::new();
        for (name, channel) in channels {
            let (queue, jobs) = mpsc::channel(QUEUE);
            let (sender, metrics) = (sender.clone(), metrics.clone());
            stage.spawn(
                format!("channel {name}"),
                work(name.clone(), channel, jobs, sender, metrics),
            );
            queues.insert(name, queue);
        }
        Self { queues, outcomes, metrics, on_their_way: 0 }
    }

    /// Whether there is such a channel.
    pub fn has(&self, channel: &ChannelId) -> bool {
        self.queues.contains_key(channel)
    }

    /// Hands a message to its channel. Answers at once what came of it where that is known.
    pub fn hand_over(&mut self, attempt: Attempt) -> Option<Outcome> {
        let Attempt { id, number, channel, to, text } = attempt;
        let Some(to) = to else {
            warn!(message = %id, %channel, "message has no address in the registry");
            self.metrics.attempts.with_label_values(&["none", "failed"]).inc();
            return Some(Outcome { id, said: Err(Fault::Permanent) });
        };
        let Some(queue) = self.queues.get(&channel) else {
            // written into the settings since they were read, it is there after a restart
            error!(message = %id, %channel, "channel was not in the settings when this server started; start it again, and the message goes out");
            self.metrics.attempts.with_label_values(&["none", "refused"]).inc();
            return Some(Outcome { id, said: Err(Fault::Transient) });
        };
        let outgoing = Outgoing { id, attempt: number, to, text: Text::new(text) };
        match queue.try_send(Job { outgoing, until: Instant::now() + ATTEMPT_LIMIT }) {
            Ok(()) => {
                self.on_their_way += 1;
                None
            }
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                warn!(message = %id, %channel, "channel has no room for a message");
                self.metrics.attempts.with_label_values(&[channel.as_str(), "refused"]).inc();
                Some(Outcome { id, said: Err(Fault::Transient) })
            }
        }
    }

    /// The next outcome; pending while there is none. Dropping it half-way loses nothing.
    pub async fn next(&mut self) -> Outcome {
        match self.outcomes.recv().await {
            Some(outcome) => {
                self.on_their_way = self.on_their_way.saturating_sub(1);
                outcome
            }
            // no channel is left
            None => std::future::pending().await,
        }
    }

    /// An outcome that is there already.
    pub fn try_next(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.on_their_way = self.on_their_way.saturating_sub(1);
        Some(outcome)
    }

    /// Whether an attempt is on its way.
    pub const fn is_busy(&self) -> bool {
        self.on_their_way > 0
    }
}

/// One channel: takes jobs until nobody can bring another.
async fn work(
    name: ChannelId,
    channel: Arc<dyn Channel>,
    mut jobs: mpsc::Receiver<Job>,
    outcomes: mpsc::Sender<Outcome>,
    metrics: Metrics,
) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some((id, said)) = running.next(), if !running.is_empty() => {
                let outcome = Outcome { id, said: said_by(&name, id, &said, &metrics) };
                if outcomes.send(outcome).await.is_err() {
                    return;
                }
            }
            job = jobs.recv(), if running.len() < TOGETHER => match job {
                Some(job) => running.push(hand_over(Arc::clone(&channel), job)),
                None => return,
            }
        }
    }
}

type Said = Result<Taken, ChannelError>;

async fn hand_over(channel: Arc<dyn Channel>, job: Job) -> (NotificationId, Said) {
    let Job { outgoing, until } = job;
    // What has waited too long is not begun: it may be announced again by now.
    let said = if Instant::now() >= until {
        Err(ChannelError::Silent)
    } else {
        let answer = timeout_at(until, channel.hand_over(&outgoing)).await;
        answer.unwrap_or(Err(ChannelError::Silent))
    };
    (outgoing.id, said)
}

fn said_by(
    channel: &ChannelId,
    id: NotificationId,
    said: &Said,
    metrics: &Metrics,
) -> Result<bool, Fault> {
    let (word, outcome) = match said {
        Ok(taken) => {
            info!(message = %id, %channel, "message sent");
            ("accepted", Ok(*taken == Taken::WithReceipt))
        }
        Err(error) => match error.fault() {
            Fault::Transient => {
                debug!(message = %id, %channel, error = %Chain(error), "message refused for now");
                ("refused", Err(Fault::Transient))
            }
            fault @ (Fault::Permanent | Fault::Bug) => {
                warn!(message = %id, %channel, error = %Chain(error), "message refused for good");
                ("failed", Err(fault))
            }
        },
    };
    metrics.attempts.with_label_values(&[channel.as_str(), word]).inc();
    outcome
}
