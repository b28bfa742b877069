//! The agent's link to the broker: connection after connection, each of which may forget
//! everything.

use std::{collections::BTreeMap, path::PathBuf};

use model::{
    fault::Chain,
    ids::AgentId,
    wire::{status_v1::Status, topic::Topic},
};
use runtime::{
    mqtt::{
        Answer, Backoff, Closed, Event, Events, Login, Options, Outgoing, Pipe, PipeError, Session,
        open,
    },
    settings::read_secret_file,
    tasks::Stage,
};
use tokio::time::{Duration, Instant, sleep_until};
use tracing::{error, info, warn};

use crate::{config::Mqtt, ledger::BatchKey, uplink::IN_FLIGHT};

/// Places in the window beside those of batches, for the status.
const STATUS_WINDOW: u16 = 4;
/// Messages that the server may send before the first is acknowledged.
const RECEIVE_MAXIMUM: u16 = 64;
/// Bytes of them that may wait.
const BACKLOG_BYTES: usize = 256 * 1024;
/// A connection that lasted so long was a good one.
const PROVED: Duration = Duration::from_secs(5);
/// Between two attempts to connect. An alarm may hang on it, so the longest is short.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The token of a publish that is no batch.
const NO_BATCH: u64 = 0;

/// What the link tells the agent.
#[derive(Debug)]
pub enum Told {
    /// A connection stands, and its subscriptions.
    Connected,
    /// It is over, or none could be made.
    Disconnected(String),
    /// The broker has a batch.
    Acknowledged(BatchKey),
    /// The broker would not have it, and why.
    Refused(BatchKey, String),
    /// A message of the server.
    Message(Topic, Vec<u8>),
}

/// One connection after the other.
#[derive(Debug)]
pub struct Link {
    agent: AgentId,
    options: Options,
    login: Option<(String, PathBuf)>,
    stage: Stage,
    backoff: Backoff,
    state: State,
    /// Batches in the pipe, by token.
    tokens: BTreeMap<u64, BatchKey>,
    next_token: u64,
}

#[derive(Debug)]
enum State {
    Waiting(Instant),
    Open { pipe: Pipe, events: Events, ready_at: Option<Instant> },
}

impl Link {
    /// Not connected yet; the first attempt is made at once.
    pub fn new(agent: AgentId, settings: &Mqtt, version: &str, stage: Stage) -> Self {
        let batches = u16::try_from(IN_FLIGHT).unwrap_or(u16::MAX - STATUS_WINDOW);
        let will = Outgoing {
            topic: Topic::Status(agent.clone()).to_string(),
            payload: Status::offline(version).encode().into(),
            is_retained: true,
        };
        let options = Options {
            version: settings.version,
            keep_alive: settings.keep_alive,
            session: Session::Clean,
            will: Some(will),
            window: batches + STATUS_WINDOW,
            receive_maximum: RECEIVE_MAXIMUM,
            backlog_bytes: BACKLOG_BYTES,
            ..Options::new(settings.broker.clone(), settings.client_id.clone())
        };
        Self {
            agent,
            options,
            login: settings.username.clone().zip(settings.password_file.clone()),
            stage,
            backoff: Backoff::new(SHORTEST_WAIT, LONGEST_WAIT),
            state: State::Waiting(Instant::now()),
            tokens: BTreeMap::new(),
            next_token: NO_BATCH + 1,
        }
    }

    /// The next thing to tell. Dropping this half-way loses nothing.
    pub async fn next(&mut self) -> Told {
        loop {
            let event = match &mut self.state {
                State::Waiting(until) => {
                    sleep_until(*until).await;
                    if let Err(why) = self.dial() {
                        return Told::Disconnected(why);
                    }
                    continue;
                }
                State::Open { events, .. } => events.next().await,
            };
            if let Some(told) = self.take(event) {
                return told;
            }
        }
    }

    /// Gives a batch to the connection; whatever becomes of it is told, unless the connection ends.
    pub fn publish_batch(&mut self, key: BatchKey, payload: Vec<u8>) -> Result<(), PipeError> {
        let token = self.next_token;
        let topic = Topic::Batch(self.agent.clone()).to_string();
        self.publish(token, Outgoing { topic, payload: payload.into(), is_retained: false })?;
        self.tokens.insert(token, key);
        self.next_token += 1;
        Ok(())
    }

    /// Gives the status to the connection.
    pub fn publish_status(&mut self, status: &Status) -> Result<(), PipeError> {
        let topic = Topic::Status(self.agent.clone()).to_string();
        self.publish(
            NO_BATCH,
            Outgoing { topic, payload: status.encode().into(), is_retained: true },
        )
    }

    /// Ends the connection in order, so that no will is published; [`Link::next`] tells the end.
    pub fn close(&self) {
        match &self.state {
            State::Open { pipe, .. } => pipe.close(),
            State::Waiting(_) => {}
        }
    }

    fn publish(&self, token: u64, message: Outgoing) -> Result<(), PipeError> {
        match &self.state {
            State::Open { pipe, ready_at: Some(_), .. } => pipe.publish(token, message),
            State::Open { .. } | State::Waiting(_) => Err(PipeError::NotOpen),
        }
    }

    fn dial(&mut self) -> Result<(), String> {
        // read anew each time, so that a changed password needs no restart
        if let Some((username, file)) = &self.login {
            match read_secret_file(file) {
                Ok(password) => {
                    self.options.login = Some(Login { username: username.clone(), password });
                }
                Err(error) => {
                    let why = Chain(&error).to_string();
                    self.wait();
                    return Err(why);
                }
            }
        }
        let (pipe, events) = open(&self.options, &self.stage);
        self.state = State::Open { pipe, events, ready_at: None };
        Ok(())
    }

    fn take(&mut self, event: Event) -> Option<Told> {
        match event {
            Event::Connected { .. } => {
                self.subscribe();
                None
            }
            Event::Subscribed { refused } => {
                for (filter, reason) in refused {
                    error!(
                        filter,
                        reason, "broker refuses a subscription, commit notices will be missed"
                    );
                }
                if let State::Open { ready_at, .. } = &mut self.state {
                    *ready_at = Some(Instant::now());
                }
                info!(broker = %self.options.broker, "connected");
                Some(Told::Connected)
            }
            Event::Message(message) => {
                let topic = Topic::parse(&message.topic);
                let payload = message.payload.to_vec();
                if let Some(ack) = message.ack {
                    // a lost notice costs a resend, so nothing is waited for
                    ack.send();
                }
                topic.map(|topic| Told::Message(topic, payload))
            }
            Event::Acknowledged { token, answer } => {
                let key = self.tokens.remove(&token)?;
                match answer {
                    Answer::Taken | Answer::Unheard => Some(Told::Acknowledged(key)),
                    Answer::Refused(reason) => Some(Told::Refused(key, reason)),
                }
            }
            Event::Closed(reason) => {
                self.tokens.clear();
                let told = self.told(&reason);
                self.wait();
                Some(Told::Disconnected(told))
            }
        }
    }

    fn subscribe(&self) {
        let State::Open { pipe, .. } = &self.state else { return };
        let commit = Topic::Commit(self.agent.clone()).to_string();
        let refused = Topic::Refused(self.agent.clone()).to_string();
        let server = Topic::Server.to_string();
        if let Err(error) = pipe.subscribe(&[&commit, &refused, &server]) {
            warn!(error = %Chain(&error), "cannot subscribe");
        }
    }

    /// What was tried and what came of it, with what helps.
    fn told(&self, reason: &Closed) -> String {
        let is_short = matches!(&self.state, State::Open { ready_at: Some(ready_at), .. } if ready_at.elapsed() < PROVED);
        let told = self.options.told(reason);
        if is_short && matches!(reason, Closed::Lost(_)) {
            let agent = &self.agent;
            return format!(
                "{told}; if that comes again and again, another gateway uses the name `{agent}`"
            );
        }
        told
    }

    fn wait(&mut self) {
        // two agents of one name end each other's connections: those prove nothing
        if let State::Open { ready_at: Some(ready_at), .. } = &self.state
            && ready_at.elapsed() >= PROVED
        {
            self.backoff.reset();
        }
        // without randomness all agents come at once, and still come
        let random = getrandom::u64().unwrap_or(0);
        self.state = State::Waiting(Instant::now() + self.backoff.next(random));
    }
}
