//! Whether the store can write at the moment, for whoever asks how it stands.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::ballast::Ballast;

/// Since when a writer has had the writes at hand; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulse(Arc<Mutex<Option<Instant>>>);

/// A group of writes is at hand until this is dropped.
pub(super) struct Beat(Pulse);

impl Pulse {
    /// What waits behind the group at hand came later, so its first moment is the oldest that
    /// counts.
    pub(super) fn begin(&self) -> Beat {
        *self.lock() = Some(Instant::now());
        Beat(self.clone())
    }

    fn age(&self) -> Option<Duration> {
        self.lock().map(|began| began.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        *self.0.lock() = None;
    }
}

/// Looks at both writers and at the disk; a cheap handle.
#[derive(Debug, Clone)]
pub struct Vitals {
    pub(super) ballast: Arc<Ballast>,
    pub(super) pulses: [(&'static str, Pulse); 2],
}

/// Why nothing is written at the moment; it may pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The disk is full, the ballast is freed, and samples wait until it can be held again.
    NoRoom,
    /// A writer has had the same writes at hand for so long.
    StandsStill {
        /// Its file.
        file: &'static str,
        /// For how long.
        lasting: Duration,
    },
}

impl Vitals {
    /// What keeps writes waiting, a writer for longer than `patience`.
    pub fn trouble(&self, patience: Duration) -> Option<Trouble> {
        if self.ballast.is_wanting() {
            return Some(Trouble::NoRoom);
        }
        self.pulses.iter().find_map(|(file, pulse)| {
            let lasting = pulse.age().filter(|age| *age > patience)?;
            Some(Trouble::StandsStill { file, lasting })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vitals(folder: &tempfile::TempDir, ballast: u64) -> Vitals {
        let ballast = Arc::new(Ballast::hold(folder.path(), ballast));
        Vitals { ballast, pulses: [("samples", Pulse::default()), ("journal", Pulse::default())] }
    }

    #[test]
    fn a_writer_that_answers_is_well_and_one_that_stands_still_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let vitals = vitals(&folder, 0);
        assert_eq!(vitals.trouble(Duration::ZERO), None);
        let beat = vitals.pulses[1].1.begin();
        assert_eq!(vitals.trouble(Duration::from_mins(10)), None);
        let trouble = vitals.trouble(Duration::ZERO);
        assert!(
            matches!(trouble, Some(Trouble::StandsStill { file: "journal", .. })),
            "{trouble:?}"
        );
        drop(beat);
        assert_eq!(vitals.trouble(Duration::ZERO), None);
    }

    #[test]
    fn without_room_samples_wait_until_there_is_some_whether_or_not_anything_comes() {
        let folder = tempfile::tempdir().unwrap();
        let wanting = vitals(&folder, 1 << 60);
        assert_eq!(wanting.trouble(Duration::from_mins(10)), Some(Trouble::NoRoom));
        let held = vitals(&folder, 1 << 16);
        held.ballast.free();
        assert_eq!(held.trouble(Duration::from_mins(10)), None, "the disk has room again");
    }
}
