//! How long a batch waits for its notice before it is sent again.

use super::{RESEND_MAX_MS, RESEND_MS};

/// Learns the usual delay of notices, and spreads the waits, so that not all agents resend at once.
#[derive(Debug)]
pub(super) struct Patience {
    usual_ms: Option<i64>,
    random: u64,
}

impl Patience {
    /// `seed` is any number.
    pub(super) const fn new(seed: u64) -> Self {
        Self { usual_ms: None, random: seed }
    }

    /// A batch sent once was answered after `delay_ms`.
    pub(super) fn learn(&mut self, delay_ms: i64) {
        self.usual_ms = Some(self.usual_ms.map_or(delay_ms, |usual| (usual * 7 + delay_ms) / 8));
    }

    /// The wait after the `attempt`-th sending: 10 s or four times the usual delay, doubled each
    /// time up to 5 min, and up to a quarter more. The longest while the server is known to be away.
    pub(super) fn wait_ms(&mut self, attempt: u32, is_away: bool) -> i64 {
        let usual_ms = self.usual_ms.map_or(0, |usual| usual.saturating_mul(4));
        let first_ms = usual_ms.clamp(RESEND_MS, RESEND_MAX_MS);
        let doubled_ms = first_ms << attempt.saturating_sub(1).min(10);
        let wait_ms = if is_away { RESEND_MAX_MS } else { doubled_ms.min(RESEND_MAX_MS) };
        let jitter = i64::try_from(self.draw() % 256).unwrap_or(0);
        wait_ms + wait_ms / 4 * jitter / 256
    }

    /// The next of a sequence of even numbers (splitmix64, S. Vigna, public domain).
    fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_five_minutes_and_never_fall_below_ten_seconds() {
        let mut patience = Patience::new(1);
        for (attempt, least_ms) in
            [(1, 10_000), (2, 20_000), (5, 160_000), (6, 300_000), (u32::MAX, 300_000)]
        {
            let wait_ms = patience.wait_ms(attempt, false);
            assert!(
                (least_ms..=least_ms + least_ms / 4).contains(&wait_ms),
                "{attempt}: {wait_ms}"
            );
        }
        assert!(patience.wait_ms(1, true) >= RESEND_MAX_MS);
    }

    #[test]
    fn a_slow_server_is_given_four_times_its_usual_delay() {
        let mut patience = Patience::new(1);
        for _ in 0..100 {
            patience.learn(6_000);
        }
        assert!(patience.wait_ms(1, false) >= 24_000);
        patience.learn(i64::MAX / 8);
        assert!(patience.wait_ms(3, false) <= RESEND_MAX_MS * 5 / 4);
    }
}
