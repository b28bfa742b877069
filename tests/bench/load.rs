//! A load generator: many agents, a connection each, that publish ready-made frames with QoS 1 and
//! hear their commit notices. MQTT 5 is written out here, so that it costs little beside what it loads.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    time::{Duration, Instant},
};

use model::wire::commit_v1;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinSet,
    time::{sleep_until, timeout},
};

use crate::clock;

/// How long nothing may be committed before a run is void.
const PATIENCE: Duration = Duration::from_secs(30);

/// One agent and what it has to say.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// Account and name of the agent.
    pub name: String,
    /// Of its account.
    pub password: String,
    /// Batches with the sequences 1, 2, 3 …
    pub frames: Vec<Vec<u8>>,
}

/// How fast frames are published.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As soon as fewer than so many of an agent's frames are without a notice.
    Window(usize),
    /// So many frames a second over all agents, whatever the notices do.
    Rate(f64),
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// From the first publish to the last notice.
    pub took: Duration,
    /// Of each frame from when it was due to its notice, in milliseconds.
    pub delays_ms: Vec<f64>,
    /// Commit notices that came.
    pub notices: u64,
    /// Frames that were published.
    pub frames: u64,
}

/// Publishes all frames after the first `skip` of each speaker, up to `until`, and waits for their notices.
pub fn publish(
    port: u16,
    speakers: &[Speaker],
    (skip, until): (usize, usize),
    pace: Pace,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    tokio::task::LocalSet::new().block_on(&runtime, drive(port, speakers, (skip, until), pace))
}

async fn drive(
    port: u16,
    speakers: &[Speaker],
    (skip, until): (usize, usize),
    pace: Pace,
) -> Outcome {
    let mut lines = Vec::new();
    for speaker in speakers {
        lines.push(connect(port, speaker).await);
    }
    let count = speakers.len();
    let shared = Rc::new(Shared::default());
    let first = clock::now() + Duration::from_millis(5);
    let mut tasks = JoinSet::new();
    for (at, (speaker, (read, write))) in speakers.iter().zip(lines).enumerate() {
        let due = match pace {
            Pace::Window(_) => None,
            Pace::Rate(rate) => Some((
                first + Duration::from_secs_f64(at as f64 / rate),
                Duration::from_secs_f64(count as f64 / rate),
            )),
        };
        let window = if let Pace::Window(window) = pace { window } else { usize::MAX };
        let until = until.min(speaker.frames.len());
        let talk = Rc::new(Talk {
            packets: speaker.frames[skip..until]
                .iter()
                .enumerate()
                .map(|(at, frame)| publish_packet(&speaker.name, skip + at, frame))
                .collect(),
            skip,
            window,
            due,
            sent: RefCell::default(),
            is_known: RefCell::new(vec![false; until - skip]),
            known: Cell::new(0),
            outbox: RefCell::default(),
            wake: Notify::new(),
            shared: Rc::clone(&shared),
        });
        shared.frames.set(shared.frames.get() + talk.packets.len() as u64);
        tasks.spawn_local(listen(Rc::clone(&talk), read));
        tasks.spawn_local(speak(talk, write));
    }
    shared.first.set(Some(clock::now()));
    let mut before = u64::MAX;
    while shared.known.get() < shared.frames.get() {
        if timeout(PATIENCE, shared.done.notified()).await.is_err() {
            let known = shared.known.get();
            assert!(known != before, "no notice came for {PATIENCE:?}: {known} frames are known");
            before = known;
        }
    }
    let last = clock::now();
    tasks.shutdown().await;
    Outcome {
        took: last.duration_since(shared.first.get().expect("it began")),
        delays_ms: shared.delays_ms.take(),
        notices: shared.notices.get(),
        frames: shared.frames.get(),
    }
}

/// What all connections add to.
#[derive(Debug, Default)]
struct Shared {
    frames: Cell<u64>,
    known: Cell<u64>,
    notices: Cell<u64>,
    delays_ms: RefCell<Vec<f64>>,
    first: Cell<Option<Instant>>,
    done: Notify,
}

/// One agent's conversation.
#[derive(Debug)]
struct Talk {
    packets: Vec<Vec<u8>>,
    skip: usize,
    window: usize,
    /// When the first is due, and the time from one to the next.
    due: Option<(Instant, Duration)>,
    sent: RefCell<Vec<Instant>>,
    is_known: RefCell<Vec<bool>>,
    known: Cell<usize>,
    outbox: RefCell<Vec<u8>>,
    wake: Notify,
    shared: Rc<Shared>,
}

impl Talk {
    fn due_at(&self, at: usize) -> Option<Instant> {
        let (first, step) = self.due?;
        Some(first + step.mul_f64(at as f64))
    }

    /// What may be written in this moment.
    fn gather(&self) -> Vec<u8> {
        let mut out = self.outbox.take();
        let mut sent = self.sent.borrow_mut();
        let now = clock::now();
        while sent.len() < self.packets.len() && sent.len() - self.known.get() < self.window {
            let due = self.due_at(sent.len());
            if due.is_some_and(|due| due > now) {
                break;
            }
            out.extend_from_slice(&self.packets[sent.len()]);
            sent.push(due.unwrap_or(now));
        }
        out
    }

    /// Sequences that the store has.
    fn note(&self, notice: &[u8]) {
        let notice = commit_v1::decode(notice).expect("a commit notice");
        let now = clock::now();
        let sent = self.sent.borrow();
        let mut is_known = self.is_known.borrow_mut();
        let mut delays = self.shared.delays_ms.borrow_mut();
        for (first, last) in notice.ranges {
            for sequence in first..=last {
                let at = usize::try_from(sequence - 1).expect("small") - self.skip;
                assert!(at < sent.len(), "a notice for what was not sent: {sequence}");
                if !std::mem::replace(&mut is_known[at], true) {
                    delays.push(now.duration_since(sent[at]).as_secs_f64() * 1_000.0);
                    self.known.set(self.known.get() + 1);
                    self.shared.known.set(self.shared.known.get() + 1);
                }
            }
        }
        self.shared.notices.set(self.shared.notices.get() + 1);
        if self.shared.known.get() >= self.shared.frames.get() {
            self.shared.done.notify_one();
        }
    }
}

async fn speak(talk: Rc<Talk>, mut write: OwnedWriteHalf) {
    loop {
        let out = talk.gather();
        if !out.is_empty() {
            write.write_all(&out).await.expect("the broker reads");
            continue;
        }
        let next = talk.sent.borrow().len();
        match talk.due_at(next).filter(|_| next < talk.packets.len()) {
            Some(due) => tokio::select! {
                () = sleep_until(due.into()) => {}
                () = talk.wake.notified() => {}
            },
            None => talk.wake.notified().await,
        }
    }
}

async fn listen(talk: Rc<Talk>, mut read: OwnedReadHalf) {
    let mut buffer = Vec::with_capacity(16 << 10);
    loop {
        let count = read.read_buf(&mut buffer).await.expect("the broker writes");
        assert!(count > 0, "the broker closed the connection");
        let mut used = 0;
        while let Some((kind, body, length)) = packet(&buffer[used..]) {
            take(&talk, kind, body);
            used += length;
        }
        buffer.drain(..used);
        talk.wake.notify_one();
    }
}

fn take(talk: &Talk, kind: u8, body: &[u8]) {
    match kind >> 4 {
        // PUBLISH: topic, packet id, properties, payload.
        3 => {
            let topic_length = usize::from(u16::from_be_bytes([body[0], body[1]]));
            let (topic, rest) = body[2..].split_at(topic_length);
            assert!(topic.ends_with(b"/commit"), "refused: {}", String::from_utf8_lossy(rest));
            let (id, rest) = rest.split_at(2);
            talk.outbox.borrow_mut().extend_from_slice(&[0x40, 2, id[0], id[1]]);
            let (properties, width) = varint(rest).expect("a whole packet");
            talk.note(&rest[width + properties..]);
        }
        4 => assert!(body.len() < 3 || body[2] == 0, "the broker refuses a publish: {body:?}"),
        _ => {}
    }
}

async fn connect(port: u16, speaker: &Speaker) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the broker listens");
    stream.set_nodelay(true).expect("a socket of our own");
    let (mut read, mut write) = stream.into_split();
    let mut body = text("MQTT");
    // version 5; user name, password, clean start; an hour of keep-alive; no properties
    body.extend([5, 0b1100_0010, 0x0e, 0x10, 0]);
    for field in [&speaker.name, &speaker.name, &speaker.password] {
        body.extend(text(field));
    }
    let mut out = whole(0x10, body);
    let mut body = vec![0, 1, 0];
    for topic in ["commit", "refused"] {
        body.extend(text(&format!("baseflow/v1/{}/{topic}", speaker.name)));
        body.push(1);
    }
    out.extend(whole(0x82, body));
    write.write_all(&out).await.expect("the broker reads");
    let mut buffer = Vec::new();
    let mut answers = Vec::new();
    while answers.len() < 2 {
        assert!(read.read_buf(&mut buffer).await.expect("the broker writes") > 0, "it closed");
        while let Some((kind, body, length)) = packet(&buffer) {
            let is_good = if kind >> 4 == 2 { body[1] == 0 } else { body.ends_with(&[1, 1]) };
            assert!(is_good, "the broker refuses {}: {body:?}", speaker.name);
            answers.push(kind);
            buffer.drain(..length);
        }
    }
    assert!(buffer.is_empty(), "nothing was published yet");
    (read, write)
}

fn publish_packet(agent: &str, at: usize, frame: &[u8]) -> Vec<u8> {
    let id = u16::try_from(at % 65_535).expect("small") + 1;
    let mut body = text(&format!("baseflow/v1/{agent}/batch"));
    body.extend(id.to_be_bytes());
    body.push(0);
    body.extend_from_slice(frame);
    whole(0x32, body)
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = u16::try_from(text.len()).expect("short").to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn whole(kind: u8, body: Vec<u8>) -> Vec<u8> {
    let mut bytes = vec![kind];
    let mut length = body.len();
    loop {
        let low = u8::try_from(length % 128).expect("7 bits");
        length /= 128;
        bytes.push(if length > 0 { low | 128 } else { low });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// First byte, body and whole length of the first packet, once it is there.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (length, width) = varint(bytes.get(1..)?)?;
    let body = bytes.get(1 + width..1 + width + length)?;
    Some((bytes[0], body, 1 + width + length))
}

fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 127) << (7 * at);
        if byte & 128 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}
