//! The loop between broker and store: take a message, settle it, acknowledge it, tell its sender.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    stream::FuturesOrdered,
};
use model::{
    fault::Chain,
    ids::{AgentId, StoreId},
    time::Timestamp,
    wire::{
        commit_v1,
        refused_v1::{Reason, Refused},
        server_v1::ServerStatus,
        topic::{SERVER_FILTERS, Topic},
    },
};
use runtime::{
    admin::Condition,
    clock::Clock,
    mqtt::{self, Ack, Backoff, Closed, Event, Events, Message, Options, Outgoing, Pipe},
    tasks::Stage,
    telemetry::Repeats,
};
use store::{Append, Body, By, ByKind, Journal, Refusals, StoreError};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::{
    answer::Answer,
    metrics::Metrics,
    notices::Notices,
    shell::settle::{Settler, Taken, TopicKind},
};

/// How much of a topic that is not of the grammar is logged.
const STRAY_CHARS: usize = 120;
/// Messages that may be unacknowledged at once; announced to the broker.
pub const RECEIVE_MAXIMUM: u16 = 2_048;
/// Bytes of messages that may be in settling at once, beside one message more.
const MAX_SETTLING_BYTES: usize = 8 << 20;
/// Refusals that may wait for the broker; beyond it the oldest goes, counted.
const MAX_REFUSED: usize = 1_024;
/// Publishes that may await their acknowledgement.
const WINDOW: u16 = 1_024;
/// Bytes of messages that may wait between the connection and this service; beyond it they wait
/// at the broker.
const BACKLOG_BYTES: usize = 8 << 20;
/// A connection that lasted so long was good; two servers of one name end each other's sooner.
const PROVED: Duration = Duration::from_secs(5);
/// How long refusals that the journal would not take wait.
const REFUSALS_AGAIN_MS: i64 = 60_000;
/// How long the broker keeps what it took for us while we are away.
pub const SESSION: Duration = Duration::from_hours(7 * 24);

/// What the service is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where samples and the registry are.
    pub settler: Arc<Settler>,
    /// The store that notices speak of.
    pub store_id: StoreId,
    /// Which broker, as whom.
    pub mqtt: Options,
    /// The server's software.
    pub version: String,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Told whether the broker lets us work, for `/readyz`.
    pub readiness: Condition,
}

/// Runs until `stage` stops; connects again whenever the connection ends.
pub async fn run(parts: Parts, stage: Stage) {
    let mut mqtt = parts.mqtt.clone();
    mqtt.session = mqtt::Session::Kept(SESSION);
    mqtt.will = Some(server_status(&parts, false));
    (mqtt.window, mqtt.receive_maximum, mqtt.backlog_bytes) =
        (WINDOW, RECEIVE_MAXIMUM, BACKLOG_BYTES);
    let mut service = Service {
        settler: Arc::clone(&parts.settler),
        metrics: parts.settler.metrics().clone(),
        parts,
        mqtt,
        settling: FuturesOrdered::new(),
        settling_bytes: 0,
        notices: Notices::default(),
        refused: VecDeque::new(),
        refusals: Refusals::new(),
        writing: None,
        write_again_at: None,
        backoff: Backoff::default(),
        repeats: Repeats::default(),
        told: Repeats::default(),
        strays: Repeats::default(),
        stage,
    };
    service.serve().await;
    service.write_last_refusals().await;
}

struct Service {
    parts: Parts,
    settler: Arc<Settler>,
    metrics: Metrics,
    mqtt: Options,
    settling: FuturesOrdered<BoxFuture<'static, Settled>>,
    settling_bytes: usize,
    notices: Notices,
    refused: VecDeque<(AgentId, Refused)>,
    refusals: Refusals,
    /// Those that are on their way to the journal.
    writing: Option<BoxFuture<'static, Written>>,
    /// After a failure.
    write_again_at: Option<Timestamp>,
    backoff: Backoff,
    repeats: Repeats<String>,
    /// Refusals, as they were logged.
    told: Repeats<(AgentId, Reason)>,
    /// Messages on no topic of ours, as they were logged: of all of them one a minute, since
    /// whoever may publish one may invent as many topics as it likes.
    strays: Repeats<()>,
    stage: Stage,
}

/// A message that is durable.
struct Settled {
    agent: AgentId,
    bytes: usize,
    answer: Answer,
    /// None where the broker asks for none.
    ack: Option<Ack>,
}

/// Which refusals are in the journal, and why the others are not.
type Written = (Vec<Body>, Result<(), StoreError>);

/// Why one connection's loop ended.
enum Ended {
    Closed,
    Stopping,
}

impl Service {
    async fn serve(&mut self) {
        let stopping = self.stage.stopping();
        loop {
            let (pipe, mut events) = mqtt::open(&self.mqtt, &self.stage);
            let opened_at = Instant::now();
            let ended = self.converse(&pipe, &mut events).await;
            self.metrics.connected.set(0);
            if let Ended::Stopping = ended {
                self.leave(&pipe, &mut events).await;
                return;
            }
            drop((pipe, events));
            if opened_at.elapsed() >= PROVED {
                self.backoff.reset();
            }
            let again = Instant::now() + self.backoff.next(jitter());
            // What is settling goes on meanwhile; its acks belong to the connection that is gone.
            loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    () = tokio::time::sleep_until(again) => break,
                    Some(settled) = self.settling.next(), if !self.settling.is_empty() => self.note(settled),
                }
            }
        }
    }

    /// Serves one connection until it ends or the process stops.
    async fn converse(&mut self, pipe: &Pipe, events: &mut Events) -> Ended {
        let stopping = self.stage.stopping();
        let mut pauses = 0;
        loop {
            let has_room = self.settling.len() < usize::from(RECEIVE_MAXIMUM)
                && self.settling_bytes < MAX_SETTLING_BYTES;
            let (clock, write_at) = (Arc::clone(&self.parts.clock), self.write_at());
            tokio::select! {
                biased;
                () = stopping.cancelled() => return Ended::Stopping,
                Some(written) = OptionFuture::from(self.writing.as_mut()) => self.written(written),
                () = clock.wait_until(write_at) => self.write_refusals(),
                Some(settled) = self.settling.next(), if !self.settling.is_empty() => {
                    self.note(settled);
                    while let Some(Some(settled)) = self.settling.next().now_or_never() {
                        self.note(settled);
                    }
                }
                event = events.next(), if has_room => {
                    if let Event::Closed(closed) = &event {
                        self.complain(closed);
                        self.parts.readiness.set(Err(closed.to_string()));
                        return Ended::Closed;
                    }
                    self.take(event, pipe);
                }
            }
            self.tell(pipe);
            let seen = std::mem::replace(&mut pauses, events.pauses());
            self.metrics.pauses.inc_by(pauses.saturating_sub(seen));
        }
    }

    /// A broker that stays away is told of once a minute, with how often it was tried.
    fn complain(&mut self, closed: &Closed) {
        if let Some(more) = self.repeats.note(closed.to_string(), self.parts.clock.now()) {
            warn!(error = %Chain(closed), more, "no connection to the broker; trying again");
        }
    }

    fn take(&mut self, event: Event, pipe: &Pipe) {
        match event {
            Event::Connected { is_session_present } => {
                info!(is_session_present, "connected to the broker");
                let greeting = pipe
                    .subscribe(&SERVER_FILTERS)
                    .and_then(|()| pipe.publish(0, server_status(&self.parts, true)));
                if let Err(refusal) = greeting {
                    warn!(error = %Chain(&refusal), "cannot subscribe");
                }
            }
            Event::Subscribed { refused } if refused.is_empty() => {
                self.metrics.connected.set(1);
                self.parts.readiness.set(Ok(()));
            }
            Event::Subscribed { refused } => {
                let refused = format!("the broker refuses the subscriptions {refused:?}");
                warn!(reason = refused, "cannot subscribe");
                self.parts.readiness.set(Err(refused));
            }
            Event::Message(message) => self.begin(message),
            Event::Acknowledged { .. } | Event::Closed(_) => {}
        }
    }

    /// Begins to settle a message. What stands on no topic of ours is acknowledged and forgotten.
    fn begin(&mut self, message: Message) {
        let (agent, kind) = match Topic::parse(&message.topic) {
            Some(Topic::Batch(agent)) => (agent, TopicKind::Batch),
            Some(Topic::Json(agent)) => (agent, TopicKind::Json),
            Some(Topic::Status(agent)) => (agent, TopicKind::Status),
            Some(Topic::Commit(_) | Topic::Refused(_) | Topic::Server) | None => {
                if let Some(held_back) = self.strays.note((), self.parts.clock.now()) {
                    let topic: String = message.topic.chars().take(STRAY_CHARS).collect();
                    warn!(topic, held_back, "message on a topic that is not of the grammar");
                }
                if let Some(ack) = message.ack {
                    ack.send();
                }
                return;
            }
        };
        if message.payload.is_empty() && kind != TopicKind::Status {
            // whether an account may publish is asked so
            if let Some(ack) = message.ack {
                ack.send();
            }
            return;
        }
        let taken = Taken {
            agent: agent.clone(),
            kind,
            topic: message.topic,
            payload: message.payload,
            received_at: self.parts.clock.now(),
        };
        let (bytes, ack) = (taken.payload.len(), message.ack);
        self.settling_bytes += bytes;
        self.metrics.in_flight.inc();
        let settler = Arc::clone(&self.settler);
        self.settling.push_back(
            async move { Settled { agent, bytes, answer: settler.settle(taken).await, ack } }
                .boxed(),
        );
    }

    /// A message is durable: acknowledge it, and note what its sender is to be told.
    fn note(&mut self, settled: Settled) {
        self.settling_bytes = self.settling_bytes.saturating_sub(settled.bytes);
        self.metrics.in_flight.dec();
        if let Some(ack) = settled.ack {
            ack.send();
        }
        if let Some(batch) = settled.answer.notice
            && !self.notices.owe(batch)
        {
            self.metrics.answers_dropped.inc();
        }
        let now = self.parts.clock.now();
        for refused in settled.answer.refused {
            self.metrics.count_refused(refused.reason);
            self.refusals.note(settled.agent.as_str(), refused.reason, now);
            if let Some(held_back) = self.told.note((settled.agent.clone(), refused.reason), now) {
                let (agent, reason) = (&settled.agent, refused.reason.word());
                let detail = &refused.detail;
                let kept = refused.kept.word();
                warn!(%agent, reason, detail, kept, held_back, "refused; see /api/v1/quarantine");
            }
            if self.refused.len() >= MAX_REFUSED {
                self.refused.pop_front();
                self.metrics.answers_dropped.inc();
            }
            self.refused.push_back((settled.agent.clone(), refused));
        }
    }

    /// Publishes what is owed for as long as the pipe takes it.
    fn tell(&mut self, pipe: &Pipe) {
        while let Some(notice) = self.notices.next_notice(self.parts.store_id) {
            let message = Outgoing {
                topic: Topic::Commit(notice.agent.clone()).to_string(),
                payload: Bytes::from(commit_v1::encode(&notice)),
                is_retained: false,
            };
            if pipe.publish(0, message).is_err() {
                self.notices.take_back(notice);
                return;
            }
            self.metrics.notices.inc();
        }
        while let Some((agent, refused)) = self.refused.pop_front() {
            let message = Outgoing {
                topic: Topic::Refused(agent.clone()).to_string(),
                payload: Bytes::from(refused.encode()),
                is_retained: false,
            };
            if pipe.publish(0, message).is_err() {
                self.refused.push_front((agent, refused));
                return;
            }
        }
    }

    /// Takes nothing more in, settles what is in hand, says that the server is gone.
    async fn leave(&mut self, pipe: &Pipe, events: &mut Events) {
        let limit = Instant::now() + Duration::from_secs(4);
        while !self.settling.is_empty() {
            match tokio::time::timeout_at(limit, self.settling.next()).await {
                Ok(Some(settled)) => self.note(settled),
                Ok(None) | Err(_) => break,
            }
        }
        self.tell(pipe);
        if pipe.publish(0, server_status(&self.parts, false)).is_ok() {
            pipe.close();
        }
        let until_closed = async { while !matches!(events.next().await, Event::Closed(_)) {} };
        if tokio::time::timeout(Duration::from_secs(1), until_closed).await.is_err() {
            warn!("broker did not take the leave");
        }
    }

    /// When refusals are to be written: once an hour has ended, unless some are on their way.
    fn write_at(&self) -> Option<Timestamp> {
        let due = self.refusals.deadline().filter(|_| self.writing.is_none())?;
        Some(self.write_again_at.map_or(due, |again| due.max(again)))
    }

    fn write_refusals(&mut self) {
        let at = self.parts.clock.now();
        let journal = self.settler.journal().clone();
        self.writing = Some(append(journal, self.refusals.due(at), at).boxed());
    }

    fn written(&mut self, (written, outcome): Written) {
        self.writing = None;
        for entry in &written {
            self.refusals.written(entry);
        }
        self.write_again_at = outcome.err().map(|failure| {
            warn!(error = %Chain(&failure), "refusals of an hour are not in the journal yet");
            self.parts.clock.now().plus_ms(REFUSALS_AGAIN_MS)
        });
    }

    /// Writes what is left, in the middle of its hour.
    async fn write_last_refusals(&mut self) {
        if let Some(writing) = self.writing.take() {
            let written = writing.await;
            self.written(written);
        }
        let at = self.parts.clock.now();
        let (written, outcome) =
            append(self.settler.journal().clone(), self.refusals.all(), at).await;
        for entry in &written {
            self.refusals.written(entry);
        }
        if let Err(failure) = outcome {
            let left = self.refusals.all();
            error!(error = %Chain(&failure), ?left, "refusals are not in the journal");
        }
    }
}

/// Appends entries, up to the first that the journal does not take.
async fn append(journal: Journal, entries: Vec<Body>, at: Timestamp) -> Written {
    let mut written = Vec::new();
    for body in entries {
        let by = By { kind: ByKind::Server, name: "ingest".to_owned() };
        match journal.write(Append { at, by, body: body.clone() }).await {
            Ok(_) => written.push(body),
            Err(failure) => return (written, Err(failure)),
        }
    }
    (written, Ok(()))
}

/// A draw for the back-off. A server connects alone, so that it merely differs is enough.
fn jitter() -> u64 {
    let mut draw = [0; 8];
    match getrandom::fill(&mut draw) {
        Ok(()) => u64::from_le_bytes(draw),
        Err(_no_entropy) => 0,
    }
}

fn server_status(parts: &Parts, online: bool) -> Outgoing {
    let status = ServerStatus {
        format: 1,
        online,
        store_id: Some(parts.store_id),
        version: parts.version.clone(),
    };
    Outgoing {
        topic: Topic::Server.to_string(),
        payload: Bytes::from(status.encode()),
        is_retained: true,
    }
}
