//! Channels at work: each has a task and a queue of its own, so that a slow gateway delays nobody
//! else's messages, and nothing of it holds up the machines.
//!
//! A message is handed over only where its channel has a place: until then it is owed, in the store,
//! and the time of an attempt begins with it.
//!
//! | bound | at the bound |
//! |---|---|
//! | [`Channel::places`] messages are on their way by a channel | the others are owed (`desk::queue`) |

use std::{collections::BTreeMap, sync::Arc};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use model::{
    fault::{Chain, Fault},
    ids::{ChannelId, NotificationId},
};
use runtime::tasks::Stage;
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::timeout,
};
use tracing::{debug, error, info, warn};

use super::channel::{ATTEMPT_LIMIT, Channel, ChannelError, Outgoing, Taken, Text};
use crate::{
    desk::{Attempt, Outcome as Said},
    metrics::Metrics,
};

/// Outcomes that wait to be taken up; a channel waits for a place.
const OUTCOMES: usize = 256;

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Of which message.
    pub id: NotificationId,
    /// Whose place is free again.
    pub channel: ChannelId,
    /// What the channel said.
    pub said: Said,
}

/// A channel as the outbox sees it.
#[derive(Debug)]
struct Queue {
    jobs: mpsc::Sender<Outgoing>,
    places: usize,
    /// Attempts whose outcome has not been taken up.
    on_their_way: usize,
}

/// All channels.
#[derive(Debug)]
pub struct Outbox {
    queues: BTreeMap<ChannelId, Queue>,
    outcomes: mpsc::Receiver<Outcome>,
    metrics: Metrics,
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
            let places = channel.places().max(1);
            let (queue, jobs) = mpsc::channel(places);
            let (sender, metrics) = (sender.clone(), metrics.clone());
            stage.spawn(
                format!("channel {name}"),
                work(name.clone(), channel, (jobs, places), sender, metrics),
            );
            queues.insert(name, Queue { jobs: queue, places, on_their_way: 0 });
        }
        Self { queues, outcomes, metrics }
    }

    /// How many messages may be handed to a channel now. One that is not there says at once that it
    /// takes none, so it may be given any number.
    pub fn places(&self, channel: &ChannelId) -> usize {
        let free = |queue: &Queue| queue.places.saturating_sub(queue.on_their_way);
        self.queues.get(channel).map_or(usize::MAX, free)
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
            return Some(Outcome { id, channel, said: Said::Refused(Fault::Permanent) });
        };
        let Some(queue) = self.queues.get_mut(&channel) else {
            // written into the settings since they were read, it is there after a restart
            error!(message = %id, %channel, "channel was not in the settings when this server started; start it again, and the message goes out");
            self.metrics.attempts.with_label_values(&["none", "refused"]).inc();
            return Some(Outcome { id, channel, said: Said::Refused(Fault::Transient) });
        };
        let outgoing = Outgoing { id, attempt: number, to, text: Text::new(text) };
        match queue.jobs.try_send(outgoing) {
            Ok(()) => {
                queue.on_their_way = queue.on_their_way.saturating_add(1);
                None
            }
            // not reached but at the end: there was a place
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                warn!(message = %id, %channel, "channel has no room for a message");
                self.metrics.attempts.with_label_values(&[channel.as_str(), "refused"]).inc();
                Some(Outcome { id, channel, said: Said::Refused(Fault::Transient) })
            }
        }
    }

    /// The next outcome; pending while there is none. Dropping it half-way loses nothing.
    pub async fn next(&mut self) -> Outcome {
        match self.outcomes.recv().await {
            Some(outcome) => self.taken_up(outcome),
            // no channel is left
            None => std::future::pending().await,
        }
    }

    /// An outcome that is there already.
    pub fn try_next(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        Some(self.taken_up(outcome))
    }

    /// Whether an attempt is on its way.
    pub fn is_busy(&self) -> bool {
        self.queues.values().any(|queue| queue.on_their_way > 0)
    }

    fn taken_up(&mut self, outcome: Outcome) -> Outcome {
        if let Some(queue) = self.queues.get_mut(&outcome.channel) {
            queue.on_their_way = queue.on_their_way.saturating_sub(1);
        }
        outcome
    }
}

/// One channel: takes jobs until nobody can bring another.
async fn work(
    name: ChannelId,
    channel: Arc<dyn Channel>,
    (mut jobs, places): (mpsc::Receiver<Outgoing>, usize),
    outcomes: mpsc::Sender<Outcome>,
    metrics: Metrics,
) {
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some((id, said)) = running.next(), if !running.is_empty() => {
                let said = said_by(&name, id, &said, &metrics);
                let outcome = Outcome { id, channel: name.clone(), said };
                if outcomes.send(outcome).await.is_err() {
                    return;
                }
            }
            job = jobs.recv(), if running.len() < places => match job {
                Some(job) => running.push(hand_over(Arc::clone(&channel), job)),
                None => return,
            }
        }
    }
}

type Answered = Result<Taken, ChannelError>;

async fn hand_over(channel: Arc<dyn Channel>, job: Outgoing) -> (NotificationId, Answered) {
    let answer = timeout(ATTEMPT_LIMIT, channel.hand_over(&job)).await;
    (job.id, answer.unwrap_or(Err(ChannelError::Silent)))
}

fn said_by(channel: &ChannelId, id: NotificationId, said: &Answered, metrics: &Metrics) -> Said {
    let (word, outcome) = match said {
        Ok(taken) => {
            info!(message = %id, %channel, "message sent");
            ("accepted", Said::Taken { has_receipt: *taken == Taken::WithReceipt })
        }
        Err(error) if error.is_doubtful() => {
            warn!(message = %id, %channel, error = %Chain(error), "message may have been taken");
            ("unanswered", Said::Unanswered)
        }
        Err(error) => match error.fault() {
            Fault::Transient => {
                debug!(message = %id, %channel, error = %Chain(error), "message refused for now");
                ("refused", Said::Refused(Fault::Transient))
            }
            fault @ (Fault::Permanent | Fault::Bug) => {
                warn!(message = %id, %channel, error = %Chain(error), "message refused for good");
                ("failed", Said::Refused(fault))
            }
        },
    };
    metrics.attempts.with_label_values(&[channel.as_str(), word]).inc();
    outcome
}
