//! How long to wait before the next connection, so that a thousand agents do not come at once.

use std::time::Duration;

/// Doubles from the shortest to the longest wait; each is drawn from the upper half of its span.
#[derive(Debug, Clone)]
pub struct Backoff {
    shortest: Duration,
    longest: Duration,
    span: Duration,
}

impl Default for Backoff {
    /// From 1 s to 60 s.
    fn default() -> Self {
        Self::new(Duration::from_secs(1), Duration::from_mins(1))
    }
}

impl Backoff {
    /// Spans between these two.
    pub const fn new(shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest, span: shortest }
    }

    /// The next wait; `random` is any number drawn for this call.
    pub fn next(&mut self, random: u64) -> Duration {
        let span = self.span.min(self.longest);
        self.span = span.saturating_mul(2);
        let half = span / 2;
        let half_ms = u64::try_from(half.as_millis()).unwrap_or(u64::MAX - 1);
        half + Duration::from_millis(random % (half_ms + 1))
    }

    /// Begins anew; call it once a connection has proved good, not when it was merely made.
    pub const fn reset(&mut self) {
        self.span = self.shortest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew() {
        let mut backoff = Backoff::default();
        let seconds = |wait: Duration| wait.as_secs_f64();
        let least: Vec<_> = (0..8).map(|_| seconds(backoff.next(0))).collect();
        assert_eq!(least, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        backoff.reset();
        let most: Vec<_> = (0..8).map(|_| seconds(backoff.next(500))).collect();
        assert_eq!(most[..2], [0.999 + 0.001, 1.5]);
    }

    #[test]
    fn no_draw_leaves_the_span() {
        for random in [0, 1, 29_999, 30_000, 30_001, u64::MAX] {
            let mut backoff = Backoff::new(Duration::from_mins(1), Duration::from_mins(1));
            let wait = backoff.next(random);
            assert!((30..=60).contains(&wait.as_secs()), "{wait:?}");
        }
    }
}
