//! Every task and thread of the process: named, traced, joined, and stopped in the order of the
//! stream.
//!
//! [`Tasks`] belongs to `main`. Each [`Stage`] is a reach of the stream; the first one made stops
//! first. A stage is told to stop through its token, and the next is told only when every task of
//! the one before has ended or its time is up.

use std::{
    collections::BTreeMap,
    error::Error,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::fault::{Chain, Fault};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};
use tracing::{Instrument, error, info, info_span, warn};

/// What the whole process has for stopping.
pub const STOP_LIMIT: Duration = Duration::from_secs(10);

/// An error that a task may end with.
pub trait Failure: Error + Send + 'static {
    /// [`Fault::Bug`] stops the process; anything else ends the task alone.
    fn fault(&self) -> Fault;
}

/// What a task may return: nothing, or a `Result` whose error is a [`Failure`].
pub trait Outcome: Send + 'static {
    /// The failure in words, and whether it must stop the process.
    fn failure(self) -> Option<(String, Fault)>;
}

impl Outcome for () {
    fn failure(self) -> Option<(String, Fault)> {
        None
    }
}

impl<E: Failure> Outcome for Result<(), E> {
    fn failure(self) -> Option<(String, Fault)> {
        self.err().map(|error| (Chain(&error).to_string(), error.fault()))
    }
}

/// The task that made the process stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("task `{task}` failed: {what}")]
pub struct Failed {
    /// Its name.
    pub task: String,
    /// Its error with all causes, or the words of its panic.
    pub what: String,
}

/// All stages, in the order in which they stop.
#[derive(Debug, Default)]
pub struct Tasks {
    stages: Vec<Stage>,
    failed: Arc<watch::Sender<Option<Failed>>>,
}

/// A reach of the stream, whose tasks stop together; a cheap handle.
#[derive(Debug, Clone)]
pub struct Stage {
    name: &'static str,
    limit: Duration,
    stop: CancellationToken,
    tracker: TaskTracker,
    running: Arc<Mutex<Running>>,
    failed: Arc<watch::Sender<Option<Failed>>>,
}

#[derive(Debug, Default)]
struct Running {
    next: u64,
    names: BTreeMap<u64, String>,
}

impl Tasks {
    /// No stages yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next reach downstream: it stops after all stages made before it, and has `limit` for
    /// that.
    pub fn stage(&mut self, name: &'static str, limit: Duration) -> Stage {
        let stage = Stage {
            name,
            limit,
            stop: CancellationToken::new(),
            tracker: TaskTracker::new(),
            running: Arc::default(),
            failed: Arc::clone(&self.failed),
        };
        self.stages.push(stage.clone());
        stage
    }

    /// Ends when a task panics or returns a [`Fault::Bug`].
    pub async fn failed(&self) -> Failed {
        let mut failed = self.failed.subscribe();
        loop {
            if let Some(first) = failed.borrow_and_update().clone() {
                return first;
            }
            if failed.changed().await.is_err() {
                std::future::pending::<()>().await; // unreachable: `self` holds the sender
            }
        }
    }

    /// Stops stage after stage, within [`STOP_LIMIT`] altogether, and gives the names of the
    /// tasks that would not end. Async ones die with the runtime, threads with the process.
    pub async fn stop(self) -> Vec<String> {
        let end = Instant::now() + STOP_LIMIT;
        let mut left_over = Vec::new();
        for stage in &self.stages {
            stage.stop.cancel();
            stage.tracker.close();
            let limit = (Instant::now() + stage.limit).min(end);
            if timeout_at(limit, stage.tracker.wait()).await.is_err() {
                let pending = stage.pending();
                warn!(stage = stage.name, ?pending, "stage did not stop in time");
                left_over.extend(pending);
            } else {
                info!(stage = stage.name, "stage stopped");
            }
        }
        left_over
    }

    /// Runs until `asked` ends or a task fails, then stops in order.
    pub async fn run_until(self, asked: impl Future<Output = ()>) -> Result<(), Failed> {
        let failed = tokio::select! {
            biased;
            failed = self.failed() => Err(failed),
            () = asked => Ok(()),
        };
        let verdict = Arc::clone(&self.failed);
        self.stop().await;
        failed?;
        let while_stopping = verdict.borrow().clone();
        while_stopping.map_or(Ok(()), Err)
    }
}

impl Stage {
    /// Cancelled when this stage is to stop: stop taking in, finish what is in hand, return.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The names of the tasks and threads that have not ended.
    pub fn pending(&self) -> Vec<String> {
        self.running().names.values().cloned().collect()
    }

    /// Runs `task` under a span of its name. It should end soon after [`Stage::stopping`].
    pub fn spawn<F>(&self, name: impl Into<String>, task: F)
    where
        F: Future<Output: Outcome> + Send + 'static,
    {
        let name = name.into();
        let span = info_span!("task", task = %name);
        let entry = self.enter(name);
        let mut task: Pin<Box<F>> = Box::pin(task);
        let guarded = poll_fn(move |context| {
            // a task that panicked is never polled again, so nobody sees it torn
            match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => std::task::Poll::Ready(Err(panic)),
            }
        });
        // the tracker joins it; the handle says nothing more
        drop(self.tracker.spawn(async move { entry.close(guarded.await) }.instrument(span)));
    }

    /// Runs blocking `work` on a thread of its own. It is told to stop by the end of the queue
    /// that it reads, or by the token of [`Stage::stopping`].
    pub fn spawn_thread<R: Outcome>(
        &self,
        name: impl Into<String>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> io::Result<()> {
        let name = name.into();
        let span = info_span!("thread", task = %name);
        let entry = self.enter(name.clone());
        let run = move || {
            let _entered = span.enter();
            entry.close(catch_unwind(AssertUnwindSafe(work)));
        };
        // the tracker joins it; the handle says nothing more
        std::thread::Builder::new().name(name).spawn(run).map(drop)
    }

    fn enter(&self, name: String) -> Entry {
        let mut running = self.running();
        running.next += 1;
        let id = running.next;
        running.names.insert(id, name);
        drop(running);
        Entry { stage: self.clone(), id, _joined: self.tracker.token() }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task's place in the list of those running; dropping it is the end of the task.
struct Entry {
    stage: Stage,
    id: u64,
    _joined: TaskTrackerToken,
}

impl Entry {
    fn close<R: Outcome>(self, ended: std::thread::Result<R>) {
        let (what, fault) = match ended.map(Outcome::failure) {
            Ok(None) => return,
            Ok(Some(failure)) => failure,
            Err(panic) => (words_of(panic.as_ref()), Fault::Bug),
        };
        error!(error = %what, "task failed");
        if fault == Fault::Bug {
            let task = self.stage.running().names.get(&self.id).cloned().unwrap_or_default();
            self.stage.failed.send_if_modified(|first| {
                let is_first = first.is_none();
                first.get_or_insert(Failed { task, what });
                is_first
            });
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.stage.running().names.remove(&self.id);
    }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panic: {}", text.unwrap_or_else(|| "without words".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot count to three")]
    struct Miscount(Fault);

    impl Failure for Miscount {
        fn fault(&self) -> Fault {
            self.0
        }
    }

    fn stopped() -> bool {
        false
    }

    #[tokio::test]
    async fn stages_stop_in_their_order() {
        let mut tasks = Tasks::new();
        let order = Arc::new(Mutex::new(Vec::new()));
        for name in ["poll", "batch", "send"] {
            let stage = tasks.stage(name, STOP_LIMIT);
            let (stop, order) = (stage.stopping(), Arc::clone(&order));
            stage.spawn(name, async move {
                stop.cancelled().await;
                tokio::task::yield_now().await;
                order.lock().unwrap().push(name);
            });
        }
        assert_eq!(tasks.stop().await, Vec::<String>::new());
        assert_eq!(*order.lock().unwrap(), ["poll", "batch", "send"]);
    }

    #[tokio::test]
    async fn a_panic_stops_the_process_and_names_its_task() {
        let mut tasks = Tasks::new();
        let stage = tasks.stage("poll", STOP_LIMIT);
        let stop = stage.stopping();
        stage.spawn("steady", async move { stop.cancelled().await });
        stage.spawn("bus/meters", async { assert!(stopped(), "no meter") });
        let failed = tasks.run_until(std::future::pending()).await.unwrap_err();
        assert_eq!(failed.to_string(), "task `bus/meters` failed: panic: no meter");
    }

    #[tokio::test]
    async fn only_a_bug_stops_the_process() {
        let mut tasks = Tasks::new();
        let stage = tasks.stage("poll", STOP_LIMIT);
        stage.spawn("transient", async { Err(Miscount(Fault::Transient)) });
        let stop = stage.stopping();
        stage.spawn("bug while stopping", async move {
            stop.cancelled().await;
            Err(Miscount(Fault::Bug))
        });
        let failed = tasks.run_until(std::future::ready(())).await.unwrap_err();
        assert_eq!(failed.to_string(), "task `bug while stopping` failed: cannot count to three");
    }

    #[tokio::test]
    async fn threads_are_joined_and_their_panics_seen() {
        let mut tasks = Tasks::new();
        let stage = tasks.stage("store", STOP_LIMIT);
        let (queue, work) = sync_channel::<u8>(1);
        stage.spawn_thread("writer", move || assert_eq!(work.recv(), Ok(7))).unwrap();
        assert_eq!(stage.pending(), ["writer"]);
        queue.send(8).unwrap();
        assert_eq!(tasks.failed().await.task, "writer");
        assert!(tasks.stop().await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_will_not_stop_is_named_within_the_limit() {
        let mut tasks = Tasks::new();
        let stubborn = tasks.stage("poll", Duration::from_secs(7));
        stubborn.spawn("stubborn", std::future::pending::<()>());
        tasks.stage("send", Duration::from_secs(7)).spawn("deaf", std::future::pending::<()>());
        let begun = Instant::now();
        assert_eq!(tasks.stop().await, ["stubborn", "deaf"]);
        assert_eq!(begun.elapsed(), STOP_LIMIT);
    }
}
