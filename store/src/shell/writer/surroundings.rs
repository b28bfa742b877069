//! What a writer thread needs beside its file and its book.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    metrics::Metrics,
    shell::{ballast::Ballast, vitals::Pulse},
};

/// The rest of the store, as a writer thread knows it.
#[derive(Debug, Clone)]
pub(in crate::shell) struct Surroundings {
    /// The file's name, as metrics label it.
    pub(in crate::shell) file: &'static str,
    /// Where writes are counted.
    pub(in crate::shell) metrics: Metrics,
    /// Room to free where the disk is full.
    pub(in crate::shell) ballast: Arc<Ballast>,
    /// Whether writes wait until the ballast is held again.
    pub(in crate::shell) waits_for_room: bool,
    /// Where a failing disk is told.
    pub(in crate::shell) failed: Arc<watch::Sender<Option<Arc<str>>>>,
    /// Where it is told how far the file has come ([`super::Book::reached`]).
    pub(in crate::shell) reached: Arc<watch::Sender<i64>>,
    /// Since when writes are at hand.
    pub(in crate::shell) pulse: Pulse,
}

impl Surroundings {
    /// So many writes found no room: they are counted, and the ballast is freed.
    pub(super) fn full(&self, writes: usize) {
        let writes = u64::try_from(writes).unwrap_or(u64::MAX);
        self.metrics.full.with_label_values(&[self.file]).inc_by(writes);
        self.ballast.free();
    }

    /// Wakes who waits for more, if there is.
    pub(super) fn tell(&self, now: i64) {
        self.reached.send_if_modified(|reached| {
            let is_more = *reached < now;
            *reached = now.max(*reached);
            is_more
        });
    }
}
