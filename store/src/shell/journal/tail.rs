//! The thread that looks whether somebody appended, tells it, and copies the head of the chain.

use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::watch;
use tracing::warn;

use super::{
    JournalState, RegistryInForce, head,
    read::{in_force, registry_entry},
    rights,
};
use crate::shell::{
    error::{OpenError, StoreError},
    file,
    samples::{CopyHead, SamplesBook, first_row},
    writer::Writer,
};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(200);

/// What looks at `journal.db` with a connection of its own.
pub(in crate::shell) struct Tail {
    connection: Connection,
    data_version: i64,
    copied: i64,
    samples: Writer<SamplesBook>,
    state: Arc<watch::Sender<JournalState>>,
}

/// The running thread; dropping it ends the thread.
#[derive(Debug)]
pub(in crate::shell) struct Tailed {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

impl Tail {
    /// Looks for the first time, so that the state is known from the start.
    pub(in crate::shell) fn open(
        path: &Path,
        samples: Writer<SamplesBook>,
    ) -> Result<(Self, watch::Receiver<JournalState>), OpenError> {
        let begin = |source| OpenError::Begin { path: path.to_owned(), source };
        let connection = file::reader(path)
            .map_err(|error| begin(StoreError::sql("open a file to read")(error)))?;
        let (state, states) = watch::channel(JournalState::default());
        let mut tail =
            Self { connection, data_version: -1, copied: 0, samples, state: Arc::new(state) };
        tail.look().map_err(begin)?;
        Ok((tail, states))
    }

    /// Looks again and again until it is told to stop, and then once more.
    pub(in crate::shell) fn start(self) -> Result<Tailed, OpenError> {
        let (stop, stopped) = sync_channel(1);
        let name = "store-tail";
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || self.run(&stopped))
            .map_err(|source| OpenError::Thread { name, source })?;
        Ok(Tailed { stop, thread })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        let mut was_told = false;
        loop {
            let is_last = match stopped.recv_timeout(PERIOD) {
                Ok(()) | Err(RecvTimeoutError::Disconnected) => true,
                Err(RecvTimeoutError::Timeout) => false,
            };
            match self.look() {
                Ok(()) => was_told = false,
                Err(_) if was_told => {}
                Err(error) => {
                    warn!(error = %model::fault::Chain(&error), "cannot look at the journal");
                    was_told = true;
                }
            }
            if is_last {
                return;
            }
        }
    }

    fn look(&mut self) -> Result<(), StoreError> {
        let attempt = StoreError::sql("look for what was appended");
        let version = first_row(&self.connection, "PRAGMA data_version", [], |row| row.get(0))
            .map_err(&attempt)?
            .unwrap_or(0);
        if version != self.data_version {
            self.refresh()?;
            self.data_version = version;
        }
        let (position, hash) = head(&self.connection)?;
        if position > self.copied && self.samples.try_write(CopyHead { position, hash }) {
            self.copied = position;
        }
        Ok(())
    }

    fn refresh(&mut self) -> Result<(), StoreError> {
        let attempt = StoreError::sql("look for what was appended");
        let snapshot = self.connection.transaction().map_err(&attempt)?;
        let (head, _hash) = head(&snapshot)?;
        let entry = registry_entry(&snapshot)?;
        let rights = rights(&snapshot)?;
        let known = self.state.borrow().registry.as_ref().map(|registry| registry.entry);
        let newer: Option<RegistryInForce> =
            if entry == known { None } else { in_force(&snapshot)? };
        snapshot.rollback().map_err(&attempt)?;
        self.state.send_if_modified(|state| {
            let is_changed = state.head != head || newer.is_some();
            state.head = head;
            state.rights = rights;
            if newer.is_some() {
                state.registry = newer;
            }
            is_changed
        });
        Ok(())
    }
}

impl Tailed {
    /// Lets it look once more, and ends it.
    pub(in crate::shell) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            warn!("the thread that looks at the journal had panicked");
        }
    }
}
