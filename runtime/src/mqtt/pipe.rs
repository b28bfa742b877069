//! Both ends of a connection, and the task between them that owns the event loop.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use model::fault::Fault;
use tokio::{
    sync::{
        Notify,
        mpsc::{self, Permit},
    },
    time::timeout,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    Closed, Event, Message, Options, Outgoing,
    ledger::Ledger,
    wire::{Client, Signal, Wire, WireError, dial},
};
use crate::tasks::Stage;

/// Bytes of a PUBLISH beside topic and payload, at most.
const PACKET_OVERHEAD: usize = 16;

/// Dials the broker, under a task of `stage`. The task ends with the connection or when the
/// [`Events`] are dropped, and not before, so that the stage's services can finish through it.
pub fn open(options: &Options, stage: &Stage) -> (Pipe, Events) {
    let (client, wire) = dial(options);
    let events = usize::from(options.window) + usize::from(options.receive_maximum) + 64;
    let (sender, queue) = mpsc::channel(events);
    let line = Arc::new(Line {
        client,
        window: usize::from(options.window),
        backlog_bytes: options.backlog_bytes,
        max_packet_bytes: AtomicU32::new(0),
        waiting_bytes: AtomicUsize::new(0),
        taken: Notify::new(),
        pauses: AtomicU64::new(0),
        requests: Mutex::default(),
        abandon: CancellationToken::new(),
        closed: OnceLock::new(),
    });
    let between = Arc::clone(&line);
    stage.spawn(format!("mqtt/{}", options.client_id), async move {
        let reason = between.serve(wire, &sender).await;
        // the first reason stands; the queue ends after it, so that a reader finds it
        between.closed.get_or_init(|| reason);
        drop(sender);
    });
    let guard = line.abandon.clone().drop_guard();
    (Pipe { line: Arc::clone(&line) }, Events { line, queue, _abandon: guard })
}

/// The end to write to; clones write to the same connection. Nothing here waits.
#[derive(Debug, Clone)]
pub struct Pipe {
    line: Arc<Line>,
}

/// Why the pipe did not take something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PipeError {
    /// Not yet connected, or no longer.
    #[error("no connection to the broker")]
    NotOpen,
    /// As many publishes await their acknowledgement as the window allows.
    #[error("too many publishes await their acknowledgement")]
    Full,
    /// The broker would drop the connection over it.
    #[error("a packet of {bytes} bytes, where the broker takes {limit}")]
    TooLarge {
        /// With topic and header.
        bytes: usize,
        /// Ours or the broker's, whichever is less.
        limit: usize,
    },
    /// Empty, too long, or a filter where a topic belongs and the other way round.
    #[error("`{0}` is not a topic or filter")]
    Topic(String),
}

impl PipeError {
    /// Whether the same message may pass later.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::NotOpen | Self::Full => Fault::Transient,
            Self::TooLarge { .. } | Self::Topic(_) => Fault::Permanent,
        }
    }
}

impl Pipe {
    /// Puts a message into the pipe; an [`Event::Acknowledged`] with `token` follows, unless the
    /// connection ends first.
    pub fn publish(&self, token: u64, message: Outgoing) -> Result<(), PipeError> {
        let limit = self.line.limit()?;
        let bytes = message.topic.len() + message.payload.len() + PACKET_OVERHEAD;
        if bytes > limit {
            return Err(PipeError::TooLarge { bytes, limit });
        }
        if !is_topic(&message.topic) || message.topic.contains(['+', '#']) {
            return Err(PipeError::Topic(message.topic));
        }
        let mut requests = self.line.requests();
        if requests.publishes.unanswered() >= self.line.window {
            return Err(PipeError::Full);
        }
        self.line.client.publish(message).map_err(|_not_queued| PipeError::Full)?;
        requests.publishes.queue(token);
        Ok(())
    }

    /// The largest packet that the broker takes, as it said, and no more than ours; 0 until
    /// connected.
    pub fn max_packet_bytes(&self) -> usize {
        self.line.limit().unwrap_or(0)
    }

    /// Asks for these filters, at least once; one [`Event::Subscribed`] answers for all of them.
    pub fn subscribe(&self, filters: &[&str]) -> Result<(), PipeError> {
        self.line.limit()?;
        if let Some(other) = filters.iter().find(|filter| !is_topic(filter)) {
            return Err(PipeError::Topic((*other).to_owned()));
        }
        let filters: Vec<_> = filters.iter().map(|filter| (*filter).to_owned()).collect();
        let mut requests = self.line.requests();
        self.line.client.subscribe(&filters).map_err(|_not_queued| {
            // the channel has room for what the window allows: it is the form of a filter
            PipeError::Topic(filters.join(" "))
        })?;
        requests.subscribes.queue(filters);
        Ok(())
    }

    /// Sends what is in the pipe and a DISCONNECT, so that no will is published; then comes
    /// [`Closed::OnRequest`]. A dead peer may hold that up: give it a limit, then drop the
    /// [`Events`].
    pub fn close(&self) {
        if self.line.limit().is_err() || self.line.client.disconnect().is_err() {
            self.line.end(Closed::OnRequest);
        }
    }
}

/// The right to acknowledge one message, on the connection that brought it and no other.
#[derive(Debug)]
#[must_use = "a message without an ack comes again on the next connection"]
pub struct Ack {
    line: Arc<Line>,
    id: u16,
}

impl Ack {
    /// Lets the broker forget the message; send acks in the order of arrival. `false` where the
    /// connection is over: the message comes again on the next one, with an ack of its own.
    pub fn send(self) -> bool {
        if self.line.closed.get().is_some() {
            return false;
        }
        if self.line.client.acknowledge(self.id).is_err() {
            // more messages than there are packet ids
            self.line.end(Closed::Overflow);
            return false;
        }
        true
    }
}

/// The end to read from; dropping it abandons the connection at once, and the will is published.
#[derive(Debug)]
pub struct Events {
    line: Arc<Line>,
    queue: mpsc::Receiver<Event>,
    _abandon: DropGuard,
}

impl Events {
    /// The next event; after the end, [`Event::Closed`] for ever. Dropping this half-way loses
    /// nothing.
    pub async fn next(&mut self) -> Event {
        let Some(event) = self.queue.recv().await else {
            return Event::Closed(self.line.closed.get().cloned().unwrap_or(Closed::OnRequest));
        };
        if let Event::Message(message) = &event {
            self.line.waiting_bytes.fetch_sub(message.payload.len(), Ordering::Relaxed);
            self.line.taken.notify_one();
        }
        event
    }

    /// How often the connection was not read from until events had been taken.
    pub fn pauses(&self) -> u64 {
        self.line.pauses.load(Ordering::Relaxed)
    }
}

/// What both ends and the task share.
struct Line {
    client: Client,
    window: usize,
    backlog_bytes: usize,
    /// 0 until connected.
    max_packet_bytes: AtomicU32,
    waiting_bytes: AtomicUsize,
    /// Some of those bytes were taken.
    taken: Notify,
    pauses: AtomicU64,
    /// Locked around putting a request into the channel, so that both keep one order.
    requests: Mutex<Requests>,
    abandon: CancellationToken,
    closed: OnceLock<Closed>,
}

#[derive(Default)]
struct Requests {
    publishes: Ledger<u64>,
    subscribes: Ledger<Vec<String>>,
}

impl Line {
    async fn serve(self: &Arc<Self>, mut wire: Wire, queue: &mpsc::Sender<Event>) -> Closed {
        loop {
            // taken before the poll, which cannot give a signal back
            let place = tokio::select! {
                biased;
                () = self.abandon.cancelled() => return Closed::OnRequest,
                place = self.place(queue) => place,
            };
            let Some(place) = place else { return Closed::OnRequest };
            let patience = wire.keep_alive() * 5 / 2;
            // both arms drop a poll half-way, and both give the connection up
            let polled = tokio::select! {
                biased;
                () = self.abandon.cancelled() => return Closed::OnRequest,
                polled = timeout(patience, wire.poll()) => polled,
            };
            let error = match polled {
                Ok(Ok(signal)) => match self.take(signal, place) {
                    Ok(()) => continue,
                    Err(reason) => return reason,
                },
                Ok(Err(error)) => error,
                Err(_elapsed) => return Closed::Silent(patience),
            };
            drop(place);
            return self.last_words(&mut wire, error, queue);
        }
    }

    /// What the broker had said before the error; what there is no place for it will say again.
    fn last_words(
        self: &Arc<Self>,
        wire: &mut Wire,
        error: WireError,
        queue: &mpsc::Sender<Event>,
    ) -> Closed {
        for signal in wire.left_over() {
            let Ok(place) = queue.try_reserve() else { break };
            if let Err(reason) = self.take(signal, place) {
                return reason;
            }
        }
        match error {
            WireError::Refused(reason) => Closed::Refused(reason),
            WireError::Broken(error) if self.limit().is_ok() => Closed::Lost(error),
            WireError::Broken(error) => Closed::Unreachable(error),
        }
    }

    /// Waits until one more event has a place; none once nobody reads.
    async fn place<'a>(&self, queue: &'a mpsc::Sender<Event>) -> Option<Permit<'a, Event>> {
        if !self.has_bytes_left() || queue.capacity() == 0 {
            self.pauses.fetch_add(1, Ordering::Relaxed);
        }
        while !self.has_bytes_left() {
            tokio::select! {
                () = self.taken.notified() => {}
                () = queue.closed() => return None,
            }
        }
        queue.reserve().await.ok()
    }

    fn has_bytes_left(&self) -> bool {
        self.waiting_bytes.load(Ordering::Relaxed) < self.backlog_bytes
    }

    /// Makes an event of a signal and puts it into its place.
    fn take(self: &Arc<Self>, signal: Signal, place: Permit<'_, Event>) -> Result<(), Closed> {
        let Some(event) = self.event(signal)? else { return Ok(()) };
        if let Event::Message(message) = &event {
            self.waiting_bytes.fetch_add(message.payload.len(), Ordering::Relaxed);
        }
        place.send(event);
        Ok(())
    }

    fn event(self: &Arc<Self>, signal: Signal) -> Result<Option<Event>, Closed> {
        Ok(match signal {
            Signal::Connected { is_session_present, max_packet_bytes } => {
                self.max_packet_bytes.store(max_packet_bytes, Ordering::Relaxed);
                Some(Event::Connected { is_session_present })
            }
            Signal::PublishWritten(id) => {
                self.requests().publishes.write(id);
                None
            }
            Signal::SubscribeWritten(id) => {
                self.requests().subscribes.write(id);
                None
            }
            Signal::PublishAnswered(id, answer) => {
                let token = self.requests().publishes.answer(id);
                token.map(|token| Event::Acknowledged { token, answer })
            }
            Signal::SubscribeAnswered(id, refusals) => {
                let filters = self.requests().subscribes.answer(id).unwrap_or_default();
                let answers = filters.into_iter().zip(refusals);
                let refused = answers.filter_map(|(filter, reason)| Some((filter, reason?)));
                Some(Event::Subscribed { refused: refused.collect() })
            }
            Signal::Arrived { topic, payload, is_retained, id } => {
                let ack = id.map(|id| Ack { line: Arc::clone(self), id });
                Some(Event::Message(Message { topic, payload, is_retained, ack }))
            }
            Signal::Disconnected => return Err(Closed::OnRequest),
            Signal::Alive => None,
        })
    }

    /// The largest packet, while the connection stands.
    fn limit(&self) -> Result<usize, PipeError> {
        let limit = usize::try_from(self.max_packet_bytes.load(Ordering::Relaxed));
        let limit = limit.ok().filter(|limit| *limit > 0 && self.closed.get().is_none());
        limit.ok_or(PipeError::NotOpen)
    }

    fn end(&self, reason: Closed) {
        self.closed.get_or_init(|| reason);
        self.abandon.cancel();
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("closed", &self.closed.get()).finish_non_exhaustive()
    }
}

/// MQTT strings have at most 65,535 bytes and no NUL.
fn is_topic(text: &str) -> bool {
    !text.is_empty() && u16::try_from(text.len()).is_ok() && !text.contains('\0')
}
