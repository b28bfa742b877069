//! Milliseconds since something began, for what counts from anywhere and never back.

use tokio::time::Instant;

/// Since when it counts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    /// From now on.
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has been.
    pub(super) fn ms(self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
