//! Waiting for a condition, with a deadline and what was last seen; the only clock of the tests.
#![expect(clippy::disallowed_methods, reason = "tests live in real time")]

use std::{
    fmt::Display,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How long between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// A moment of the monotonic clock, to measure from.
#[derive(Debug, Clone, Copy)]
pub struct Since(Instant);

impl Since {
    /// From here on.
    pub fn now() -> Self {
        Self(Instant::now())
    }

    /// How long ago that is.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// UTC in milliseconds.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_millis()).expect("a moment of our era")
}

/// Looks until `look` succeeds and gives what it found; `Err` says what was seen instead.
pub fn until<T, E: Display>(
    what: &str,
    patience: Duration,
    look: impl FnMut() -> Result<T, E>,
) -> T {
    until_every(LOOK, what, patience, look)
}

/// Like [`until`], with a pause of its own between two looks.
pub fn until_every<T, E: Display>(
    pause: Duration,
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> Result<T, E>,
) -> T {
    let began = Instant::now();
    loop {
        let seen = match look() {
            Ok(found) => return found,
            Err(seen) => seen,
        };
        assert!(
            began.elapsed() < patience,
            "waited {:.1} s in vain: {what}; last seen: {seen}",
            began.elapsed().as_secs_f64()
        );
        std::thread::park_timeout(pause);
    }
}

/// Lets the world run for a while, where the passing of time is what the test is about: load that
/// builds up, a queue that grows.
pub fn pass(time: Duration) {
    let began = Instant::now();
    while let Some(rest) = time.checked_sub(began.elapsed()).filter(|rest| !rest.is_zero()) {
        std::thread::park_timeout(rest);
    }
}
