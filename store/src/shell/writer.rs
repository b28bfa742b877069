//! The one thread that writes a file: what waits together is committed together.
//!
//! A group is first tried as it is. If a write of it fails by its own fault, the group is rolled
//! back and tried again with each write in a savepoint, so that only that one fails. A group that
//! takes long is committed as far as it is, and the rest is the next one. Answers are given after
//! the commit is synced.

mod surroundings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};
use tracing::{debug, error, warn};

pub(super) use self::surroundings::Surroundings;
use super::error::{OpenError, StoreError};
use crate::metrics::Metrics;

/// Writes that wait; who comes later waits for a place.
const QUEUE: usize = 64;
/// Writes in a group at most.
const GROUP_WRITES: usize = 512;
/// Bytes in a group, beyond which it takes no further write.
const GROUP_BYTES: usize = 8 * 1024 * 1024;
/// How long a transaction has been open when it takes no further write: who waits for its answer,
/// and other processes that would write, wait no longer than this and one write.
const GROUP_TIME: Duration = Duration::from_millis(250);

/// What a writer thread knows of its file.
pub(super) trait Book: Send + 'static {
    /// At the beginning of a transaction: forget what another process may have changed.
    fn begin(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Writes out what was gathered over several writes.
    fn flush(&mut self, connection: &Connection) -> Result<(), StoreError>;
    /// Something was rolled back: nothing that is known of the file counts.
    fn forget(&mut self);
    /// How far the file has come for those who read on from where they were; it only grows.
    fn reached(&self) -> i64 {
        0
    }
}

/// A typed write and its answer.
pub trait Write<B>: Send + 'static {
    /// What the caller learns after the sync.
    type Answer: Send + 'static;

    /// Does it; may be called again after a rollback.
    fn apply(&self, book: &mut B, connection: &Connection) -> Result<Self::Answer, StoreError>;

    /// Bytes that it adds to its group.
    fn weight(&self) -> usize {
        0
    }

    /// Counts it after the sync.
    fn count(&self, _answer: &Self::Answer, _metrics: &Metrics) {}
}

/// Any write, with the one who waits for its answer.
trait Task<B>: Send {
    fn run(&mut self, book: &mut B, connection: &Connection) -> Result<(), StoreError>;
    fn fail(&mut self, error: StoreError);
    fn reply(self: Box<Self>, metrics: &Metrics);
    fn weight(&self) -> usize;
}

struct Waiting<W, A> {
    write: W,
    outcome: Result<A, StoreError>,
    reply: oneshot::Sender<Result<A, StoreError>>,
}

impl<B, W: Write<B>> Task<B> for Waiting<W, W::Answer> {
    fn run(&mut self, book: &mut B, connection: &Connection) -> Result<(), StoreError> {
        self.outcome = Ok(self.write.apply(book, connection)?);
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Err(error);
    }

    fn reply(self: Box<Self>, metrics: &Metrics) {
        if let Ok(answer) = &self.outcome {
            self.write.count(answer, metrics);
        }
        // Who asked may have gone; the write is done all the same.
        drop(self.reply.send(self.outcome));
    }

    fn weight(&self) -> usize {
        self.write.weight()
    }
}

enum Message<B> {
    Write(Box<dyn Task<B>>),
    /// Wakes the thread, so that it sees that it is being closed.
    Wake,
}

/// A handle on a writer thread.
pub(super) struct Writer<B> {
    queue: mpsc::Sender<Message<B>>,
    is_closing: Arc<AtomicBool>,
    failed: watch::Receiver<Option<Arc<str>>>,
}

impl<B> Clone for Writer<B> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            is_closing: Arc::clone(&self.is_closing),
            failed: self.failed.clone(),
        }
    }
}

impl<B: Book> Writer<B> {
    /// Starts the thread, which gives its connection back at the end.
    pub(super) fn start(
        name: &'static str,
        connection: Connection,
        book: B,
        surroundings: Surroundings,
    ) -> Result<(Self, JoinHandle<Connection>), OpenError> {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let failed = surroundings.failed.subscribe();
        let is_closing = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_closing);
        let looped = Loop { connection, book, surroundings, patience: GROUP_TIME };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || looped.run(inbox, &told))
            .map_err(|source| OpenError::Thread { name, source })?;
        Ok((Self { queue, is_closing, failed }, thread))
    }

    /// The answer comes after the sync; dropped half-way, the write may be done all the same.
    pub(super) async fn write<W: Write<B>>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (message, answer) = waiting(write);
        match self.queue.send(message).await {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(self.gone())),
            Err(_) => Err(self.gone()),
        }
    }

    /// The same for threads that may wait.
    pub(super) fn write_blocking<W: Write<B>>(&self, write: W) -> Result<W::Answer, StoreError> {
        let (message, answer) = waiting(write);
        match self.queue.blocking_send(message) {
            Ok(()) => answer.blocking_recv().unwrap_or_else(|_| Err(self.gone())),
            Err(_) => Err(self.gone()),
        }
    }

    /// Queues a write whose answer nobody waits for; `false` where there is no place.
    pub(super) fn try_write<W: Write<B>>(&self, write: W) -> bool {
        self.queue.try_send(waiting(write).0).is_ok()
    }

    /// What is queued is still written; what comes later is refused.
    pub(super) fn close(&self) {
        self.is_closing.store(true, Ordering::Release);
        // Where the queue is full the thread is awake, and looks after the group at hand.
        drop(self.queue.try_send(Message::Wake));
    }

    fn gone(&self) -> StoreError {
        self.failed.borrow().clone().map_or(StoreError::Closed, StoreError::Stopped)
    }
}

type Receipt<A> = oneshot::Receiver<Result<A, StoreError>>;

fn waiting<B: 'static, W: Write<B>>(write: W) -> (Message<B>, Receipt<W::Answer>) {
    let (reply, answer) = oneshot::channel();
    let task = Waiting { write, outcome: Err(StoreError::Closed), reply };
    (Message::Write(Box::new(task)), answer)
}

struct Loop<B> {
    connection: Connection,
    book: B,
    surroundings: Surroundings,
    /// [`GROUP_TIME`].
    patience: Duration,
}

type Group<B> = Vec<Box<dyn Task<B>>>;

impl<B: Book> Loop<B> {
    fn run(mut self, mut inbox: mpsc::Receiver<Message<B>>, is_closing: &AtomicBool) -> Connection {
        while let Some(message) = inbox.blocking_recv() {
            let group = gather(message, &mut inbox);
            if self.commit(group).is_err() {
                break;
            }
            if is_closing.load(Ordering::Acquire) {
                inbox.close();
            }
        }
        self.connection
    }

    /// Commits a group and answers; an error means that nothing can be written any more.
    fn commit(&mut self, mut group: Group<B>) -> Result<(), StoreError> {
        if group.is_empty() {
            return Ok(());
        }
        let _until_answered = self.surroundings.pulse.begin();
        while !group.is_empty() {
            group = self.commit_some(group)?;
        }
        Ok(())
    }

    /// Commits what time allows, at least one write, and answers; hands the rest back.
    fn commit_some(&mut self, mut group: Group<B>) -> Result<Group<B>, StoreError> {
        let began = Instant::now();
        let outcome = self.try_commit(&mut group);
        let done = outcome.as_ref().map_or(group.len(), |done| *done);
        let rest = group.split_off(done.min(group.len()));
        let Surroundings { file, metrics, .. } = &self.surroundings;
        metrics.commit_seconds.with_label_values(&[file]).observe(began.elapsed().as_secs_f64());
        metrics.group_writes.observe(u32::try_from(group.len()).map_or(0.0, f64::from));
        self.measure();
        if outcome.is_ok() {
            self.surroundings.tell(self.book.reached());
        }
        let fatal = outcome.as_ref().err().filter(|error| is_fatal(error)).cloned();
        let fatal = fatal.map(|error| self.stop(&error));
        if let Err(error) = outcome {
            let error = fatal.clone().unwrap_or(error);
            for task in &mut group {
                task.fail(error.clone());
            }
        }
        for task in group {
            task.reply(&self.surroundings.metrics);
        }
        fatal.map_or(Ok(rest), Err)
    }

    fn measure(&self) {
        let size = |pragma| self.connection.pragma_query_value(None, pragma, |row| row.get(0));
        let sizes: rusqlite::Result<(i64, i64)> =
            size("page_count").and_then(|count| Ok((count, size("page_size")?)));
        match sizes {
            Ok((count, size)) => {
                let file = self.surroundings.file;
                let gauge = &self.surroundings.metrics.database_bytes;
                gauge.with_label_values(&[file]).set(count.saturating_mul(size));
            }
            Err(error) => debug!(%error, "cannot measure a file"),
        }
    }

    /// Says how many writes, from the first one on, are committed or failed by their own fault.
    fn try_commit(&mut self, group: &mut Group<B>) -> Result<usize, StoreError> {
        if self.surroundings.waits_for_room && !self.surroundings.ballast.has_room() {
            return Err(StoreError::Full { attempt: "write", source: None });
        }
        let outcome = match self.transaction(group, Self::together) {
            Err(error) if is_own(&error) => self.transaction(group, Self::one_by_one),
            outcome => outcome,
        };
        if let Err(StoreError::Full { .. }) = outcome {
            self.surroundings.full(group.len());
        }
        outcome
    }

    fn transaction(
        &mut self,
        group: &mut Group<B>,
        apply: fn(&mut Self, &mut Group<B>, Instant) -> Result<usize, StoreError>,
    ) -> Result<usize, StoreError> {
        self.execute("BEGIN IMMEDIATE", "begin a transaction")?;
        let began = Instant::now();
        let outcome = self.book.begin(&self.connection).and_then(|()| {
            let done = apply(self, group, began)?;
            self.book.flush(&self.connection)?;
            self.execute("COMMIT", "commit")?;
            Ok(done)
        });
        if outcome.is_err() {
            self.book.forget();
            // SQLite may have rolled back by itself.
            if !self.connection.is_autocommit()
                && let Err(error) = self.execute("ROLLBACK", "roll back")
            {
                warn!(%error, "cannot roll back");
            }
        }
        outcome
    }

    fn together(&mut self, group: &mut Group<B>, began: Instant) -> Result<usize, StoreError> {
        let mut done = 0;
        for task in group {
            if self.is_long(done, began) {
                break;
            }
            task.run(&mut self.book, &self.connection)?;
            done += 1;
        }
        Ok(done)
    }

    /// Whether the transaction, in which so much is done, has been open for long.
    fn is_long(&self, done: usize, began: Instant) -> bool {
        done > 0 && began.elapsed() >= self.patience
    }

    fn one_by_one(&mut self, group: &mut Group<B>, began: Instant) -> Result<usize, StoreError> {
        let mut done = 0;
        for task in group {
            if self.is_long(done, began) {
                break;
            }
            self.execute("SAVEPOINT one", "begin a savepoint")?;
            let outcome = task
                .run(&mut self.book, &self.connection)
                .and_then(|()| self.book.flush(&self.connection));
            match outcome {
                Ok(()) => {}
                Err(error) if is_own(&error) && !self.connection.is_autocommit() => {
                    self.execute("ROLLBACK TO one", "roll back one write")?;
                    self.book.forget();
                    self.book.begin(&self.connection)?;
                    task.fail(error);
                }
                Err(error) => return Err(error),
            }
            self.execute("RELEASE one", "end a savepoint")?;
            done += 1;
        }
        Ok(done)
    }

    fn execute(&self, sql: &'static str, attempt: &'static str) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute([]))
            .map(|_| ())
            .map_err(StoreError::sql(attempt))
    }

    fn stop(&self, error: &StoreError) -> StoreError {
        let why: Arc<str> =
            format!("{}: {}", self.surroundings.file, model::fault::Chain(error)).into();
        error!(error = %why, "cannot write any more");
        self.surroundings.failed.send_replace(Some(Arc::clone(&why)));
        StoreError::Stopped(why)
    }
}

/// The first message and what waits behind it.
fn gather<B>(first: Message<B>, inbox: &mut mpsc::Receiver<Message<B>>) -> Group<B> {
    let mut group = Group::new();
    let mut bytes = 0_usize;
    let mut next = Some(first);
    while let Some(message) = next {
        if let Message::Write(task) = message {
            bytes = bytes.saturating_add(task.weight());
            group.push(task);
        }
        let is_full = group.len() >= GROUP_WRITES || bytes >= GROUP_BYTES;
        next = if is_full { None } else { inbox.try_recv().ok() };
    }
    group
}

/// Whether the write itself is at fault, and not the disk or another process.
fn is_own(error: &StoreError) -> bool {
    error.fault() == model::fault::Fault::Permanent
}

/// Whether nothing may be written any more: a commit that failed on the disk leaves in doubt what
/// is there until the file is opened again.
fn is_fatal(error: &StoreError) -> bool {
    matches!(error, StoreError::Sql { .. })
}

#[cfg(test)]
mod tests;
