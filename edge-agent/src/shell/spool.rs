//! The agent's durable queue: readings before they are sent, batches until a notice names them.
//!
//! # Promises
//!
//! - What [`Spool::append`] or [`Spool::close`] has taken with success is synced to disk (SQLite,
//!   WAL, `synchronous=FULL`). Nothing is sent before that.
//! - A batch keeps its identity and its bytes until it goes, whatever happens in between.
//! - A batch goes when there is no room for it, by the hours or bytes of the settings or on the
//!   disk; first those that a notice named, oldest first, then the oldest of the others. Of the
//!   latter a gap remains, written in the same transaction, with the count of readings.
//! - Hours are hours of running, so that a step of the clock ages nothing.
//! - Neither a full disk nor a damaged file stops the agent. What does not decode is stepped over,
//!   kept aside and counted; of a file that SQLite calls damaged a new one is made with every
//!   batch that can still be read, and gaps for the others.
//!
//! # Layout
//!
//! `docs/formats.md` §12. Rows of `reading` are the open batch. `gap` holds what waits for the next
//! batch to carry it: gaps and clock anchors. `PATH.lock` is held locked by the agent and names it;
//! `PATH.ballast` is room kept back for a full disk.
//!
//! # Who calls
//!
//! SQLite waits for the disk, so the spool lives on a thread of its own ([`serve`]). Readings and
//! wishes come through a queue of [`QUEUE`] commands; at the bound the batcher waits, and so, in
//! the end, does polling. What happens goes to the uplink, which never waits for the spool.

mod answers;
mod attempt;
mod ballast;
mod doubt;
mod file;
mod finding;
mod opening;
mod owed;
mod room;
mod salvage;
mod stats;
mod takeover;
mod writer;

use std::{io, path::PathBuf};

use model::{
    batch::ClockAnchor,
    fault::{Chain, Fault},
    ids::{Epoch, StoreId},
    time::Timestamp,
    wire::batch_v1::Digest,
};
use runtime::clock::Clock;
use rusqlite::ErrorCode;
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc, oneshot, watch},
    time::{Duration, Instant},
};
use tracing::{debug, error, warn};

pub use self::{
    stats::{Stats, look, owner},
    writer::{Settings, Spool},
};
use crate::{
    batcher::Draft,
    ledger::{BatchKey, Range},
    shell::wall_clock::MeasuringClock,
};

/// Commands that may wait for the disk.
pub const QUEUE: usize = 8;
/// Happenings that may wait for the uplink; at the bound the spool waits.
pub const HAPPENINGS: usize = 32;

/// A command that takes so long keeps polling waiting.
const SLOW: Duration = Duration::from_secs(1);

/// Why the spool did not do something.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file cannot be made or opened.
    #[error("cannot create spool `{}`; its folder must be writable, `check` tells more", .path.display())]
    Create {
        /// As in the settings.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no usable database.
    #[error("cannot open spool `{}`", .path.display())]
    Open {
        /// As in the settings.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The lock file cannot be used.
    #[error("cannot lock `{}`; its folder must exist and be writable, `check` tells more", .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent has it.
    #[error("spool `{}` is in use by {holder}; a spool serves one agent", .path.display())]
    InUse {
        /// As in the settings.
        path: PathBuf,
        /// As it wrote into the lock file.
        holder: String,
    },
    /// Another agent's readings are in it.
    #[error("spool `{}` belongs to agent `{owner}`; give this agent a path of its own", .path.display())]
    Foreign {
        /// As in the settings.
        path: PathBuf,
        /// Whose.
        owner: String,
    },
    /// A later program made it.
    #[error("spool `{}` has version {found}, this program reads 1; use the newer program", .path.display())]
    Version {
        /// As in the settings.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// A database of something else.
    #[error("`{}` is no spool but another database; correct `spool.path`", .path.display())]
    NotASpool {
        /// As in the settings.
        path: PathBuf,
    },
    /// A damaged file could not be renamed.
    #[error("cannot put a new spool in the place of the damaged `{}`", .path.display())]
    SetAside {
        /// As in the settings.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random numbers.
    #[error("cannot draw an epoch")]
    Random {
        /// What the system said.
        source: getrandom::Error,
    },
    /// A change or a look failed.
    #[error("cannot {attempt}")]
    Work {
        /// What was tried.
        attempt: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Even after dropping as much as one change may.
    #[error("cannot {attempt}: no room on the disk")]
    NoRoom {
        /// What was tried.
        attempt: &'static str,
    },
}

impl SpoolError {
    /// A full or busy disk may recover; anything else needs a person.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoRoom { .. } => Fault::Transient,
            Self::Work { source, .. } | Self::Open { source, .. } => {
                match source.sqlite_error_code() {
                    Some(
                        ErrorCode::DiskFull
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::SystemIoFailure,
                    ) => Fault::Transient,
                    Some(_) | None => Fault::Permanent,
                }
            }
            Self::Create { .. }
            | Self::Lock { .. }
            | Self::InUse { .. }
            | Self::Foreign { .. }
            | Self::Version { .. }
            | Self::NotASpool { .. }
            | Self::SetAside { .. }
            | Self::Random { .. } => Fault::Permanent,
        }
    }

    fn is_damage(&self) -> bool {
        match self {
            Self::Work { source, .. } | Self::Open { source, .. } => file::is_damage(source),
            Self::NoRoom { .. }
            | Self::Create { .. }
            | Self::Lock { .. }
            | Self::InUse { .. }
            | Self::Foreign { .. }
            | Self::Version { .. }
            | Self::NotASpool { .. }
            | Self::SetAside { .. }
            | Self::Random { .. } => false,
        }
    }
}

/// When something is done: for people, and for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// Since boot.
    pub boot_ms: i64,
    /// Whether the wall clock is believed.
    pub is_trusted: bool,
}

impl Moment {
    /// This moment of a clock.
    pub fn of(clock: &MeasuringClock) -> Self {
        let trust = clock.trust();
        let wall = clock.wall();
        Self { wall, boot_ms: clock.boot_ms(), is_trusted: trust.is_trusted(wall) }
    }
}

/// What the batcher and the uplink want of the spool.
#[derive(Debug)]
pub enum Command {
    /// Sync readings of the open batch.
    Append(Draft),
    /// Close the open batch.
    Close(Draft),
    /// Let go of polls that the commands before brought to the disk.
    Release(Vec<OwnedSemaphorePermit>),
    /// Let an anchor travel with the next batch.
    Anchor(ClockAnchor),
    /// Tell the payload of a batch.
    Load(BatchKey),
    /// A notice of this store named batches.
    Commit(StoreId, Epoch, Vec<Range>),
    /// Another store counts.
    Adopt(StoreId),
    /// Give a batch another identity, if it has this digest.
    Renew(BatchKey, Digest),
    /// Say when everything before is done.
    Sync(oneshot::Sender<()>),
}

/// What the spool tells the uplink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// All that is queued, oldest epoch first.
    Held(Vec<(Epoch, Vec<Range>)>),
    /// A batch is closed; its payload.
    Closed(BatchKey, Vec<u8>),
    /// Batches left the spool.
    Gone(Epoch, Range),
    /// What was asked for, `None` where it is gone.
    Loaded(BatchKey, Option<Vec<u8>>),
}

/// Serves commands until their queue ends; on the thread that it is called on.
pub fn serve(
    mut spool: Spool,
    clock: &MeasuringClock,
    mut commands: mpsc::Receiver<Command>,
    happenings: &mpsc::Sender<Happening>,
    stats: &watch::Sender<Stats>,
) {
    loop {
        stats.send_replace(spool.stats(Moment::of(clock)));
        for happening in spool.take_happenings() {
            if happenings.blocking_send(happening).is_err() {
                debug!("the uplink has ended, the spool goes on");
            }
        }
        let Some(command) = commands.blocking_recv() else { break };
        let now = Moment::of(clock);
        let begun_at = Instant::now();
        let performed = perform(&mut spool, command, now, happenings);
        let took = begun_at.elapsed();
        spool.metrics.spool_seconds.observe(took.as_secs_f64());
        if took >= SLOW {
            warn!(seconds = took.as_secs_f64(), "the disk is slow, polling may have to wait");
        }
        if let Err(error) = performed {
            spool.metrics.spool_failures.inc();
            match (error.fault(), spool.told.note("failed", now.wall)) {
                (_, None) => {}
                (Fault::Transient, Some(held_back)) => {
                    warn!(error = %Chain(&error), held_back, "spool is held up");
                }
                (Fault::Permanent | Fault::Bug, Some(held_back)) => {
                    error!(error = %Chain(&error), held_back, "spool failed");
                }
            }
        }
    }
    let now = Moment::of(clock);
    if let Err(error) = spool.finish(now) {
        warn!(error = %Chain(&error), "what notices named is not noted, and is sent again");
    }
    stats.send_replace(spool.stats(now));
}

fn perform(
    spool: &mut Spool,
    command: Command,
    now: Moment,
    happenings: &mpsc::Sender<Happening>,
) -> Result<(), SpoolError> {
    match command {
        Command::Append(row) => {
            spool.settle(now);
            spool.append(&row, now)
        }
        Command::Close(draft) => {
            spool.close(draft, now);
            Ok(())
        }
        Command::Release(holds) => {
            drop(holds);
            Ok(())
        }
        Command::Anchor(anchor) => spool.anchor(anchor, now),
        Command::Load(key) => {
            let loaded = spool.load(key, now);
            let payload = loaded.as_ref().ok().cloned().flatten();
            if happenings.blocking_send(Happening::Loaded(key, payload)).is_err() {
                debug!("the uplink has ended, the spool goes on");
            }
            loaded.map(drop)
        }
        Command::Commit(store_id, epoch, ranges) => spool.commit(store_id, epoch, &ranges, now),
        Command::Adopt(store_id) => {
            spool.adopt(store_id, now);
            Ok(())
        }
        Command::Renew(key, digest) => spool.renew(key, &digest, now),
        Command::Sync(done) => {
            if done.send(()).is_err() {
                debug!("nobody waits for the sync");
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
