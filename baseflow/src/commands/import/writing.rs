//! The way of batches to the disk: several at a time, so that they are synced together.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use model::fault::Fault;
use store::{Admission, Admit, Samples, StoreError};
use tokio::{runtime::Runtime, task::JoinSet};

use super::{
    days::{Judge, Sound},
    report::Report,
};

/// Batches on their way.
const AT_A_TIME: usize = 32;
/// How often a batch is tried while the store is busy or full, with a second in between.
const TRIES: u32 = 30;
/// A batch whose identity is taken by other bytes gets another one, so often.
const NAMES: u64 = 16;
/// How far apart those identities are; no file has so many days.
const APART: u64 = 1 << 40;

/// Writes batches, or with a dry run only counts them.
#[derive(Debug)]
pub(super) struct Door {
    samples: Samples,
    judge: Arc<Judge>,
    is_dry: bool,
    runtime: Runtime,
    under_way: JoinSet<Result<Written, StoreError>>,
}

#[derive(Debug)]
struct Written {
    rows: u64,
    admission: Admission,
}

impl Door {
    pub(super) fn new(samples: Samples, judge: Arc<Judge>, is_dry: bool) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .build()
            .context("cannot start the runtime")?;
        Ok(Self { samples, judge, is_dry, runtime, under_way: JoinSet::new() })
    }

    /// Hands a batch over; waits where too many are on their way.
    pub(super) fn write(&mut self, sound: Sound, report: &mut Report) -> anyhow::Result<()> {
        if self.is_dry {
            report.admitted(sound.rows, 0);
            return Ok(());
        }
        while self.under_way.len() >= AT_A_TIME {
            self.next(report)?;
        }
        let write = write(self.samples.clone(), Arc::clone(&self.judge), sound);
        self.under_way.spawn_on(write, self.runtime.handle());
        Ok(())
    }

    /// Waits until all are stored.
    pub(super) fn finish(mut self, report: &mut Report) -> anyhow::Result<()> {
        while !self.under_way.is_empty() {
            self.next(report)?;
        }
        Ok(())
    }

    fn next(&mut self, report: &mut Report) -> anyhow::Result<()> {
        let Some(ended) = self.runtime.block_on(self.under_way.join_next()) else { return Ok(()) };
        let written = ended.context("a batch was not written")?.context("cannot store a batch")?;
        match written.admission {
            Admission::Admitted(admitted) => report.admitted(written.rows, admitted.conflicts),
            Admission::Duplicate | Admission::Repetition(_) => report.known(written.rows),
            Admission::Fork { .. } | Admission::ParkFull(_) => {
                anyhow::bail!(
                    "the store refuses a batch of {} rows: {:?}",
                    written.rows,
                    written.admission
                )
            }
        }
        Ok(())
    }
}

/// Stores a batch. Its identity may be taken, where the file was imported by a version that made
/// other batches of it, or while lines of it were refused: then it gets another one, and the store
/// knows its samples by gauge and moment.
async fn write(samples: Samples, judge: Arc<Judge>, sound: Sound) -> Result<Written, StoreError> {
    let Sound { mut batch, admit, rows } = sound;
    let first = batch.id.sequence;
    let mut admission = patiently(&samples, &admit).await?;
    for name in 1..NAMES {
        if !matches!(admission, Admission::Fork { .. }) {
            break;
        }
        batch.id.sequence = first + name * APART;
        let Ok(renamed) = judge.judge(&batch) else { break };
        admission = patiently(&samples, &renamed).await?;
    }
    Ok(Written { rows, admission })
}

async fn patiently(samples: &Samples, admit: &Admit) -> Result<Admission, StoreError> {
    let mut tries = 1;
    loop {
        match samples.write(admit.clone()).await {
            Err(failure) if failure.fault() == Fault::Transient && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            ended => return ended,
        }
    }
}
