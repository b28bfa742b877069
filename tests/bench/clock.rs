//! The monotonic clock that durations are measured with.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]

use std::time::Instant;

/// This moment.
pub fn now() -> Instant {
    Instant::now()
}
