//! Whether moments are UTC or count from the gateway's start.
//!
//! With `trust = "system"` the wall clock is believed once it is past the day of this program's
//! build: a gateway without a battery wakes in 1970, or where its firmware left off, and no clock
//! that is right can be older than the program that reads it. Until then moments count from boot
//! (`CLOCK_BOOTTIME`), and one [`ClockAnchor`] places them later.
//!
//! A moment says by its size which clock it is of: one before the build's day counts from boot,
//! for no machine runs for half a century. So a cycle that was polled before the clock was set and
//! batched after it cannot be mistaken.

use model::{
    batch::{BatchClock, ClockAnchor},
    ids::BootId,
    time::Timestamp,
};

/// What `ClockAnchor` calls the kernel's own clocks.
const SOURCE_KERNEL: u32 = 1;
/// Both clocks are read to the millisecond, one after the other.
const READING_MS: u32 = 2;
/// 2026-01-01T00:00:00Z, raised with releases; stands where the build names no day.
const RELEASED_MS: i64 = 1_767_225_600_000;

/// The day of the build: `SOURCE_DATE_EPOCH` of whoever built a package, where it was set, as
/// reproducible builds have it; else a day before the release.
pub const BUILT_AT: Timestamp = Timestamp::clamped(built_ms(option_env!("SOURCE_DATE_EPOCH")));

const fn built_ms(seconds: Option<&str>) -> i64 {
    let Some(seconds) = seconds else { return RELEASED_MS };
    match i64::from_str_radix(seconds, 10) {
        // an older date would take boot moments for UTC
        Ok(seconds) if seconds > RELEASED_MS / 1000 && seconds < i64::MAX / 1000 => seconds * 1000,
        Ok(_) | Err(_) => RELEASED_MS,
    }
}

/// Whether the wall clock, standing at `now`, is believed.
pub fn is_trusted(now: Timestamp) -> bool {
    now >= BUILT_AT
}

/// The moment that a reading taken now carries: UTC where the clock is believed, else since boot.
pub fn moment_ms(now: Timestamp, boot_ms: i64) -> i64 {
    if is_trusted(now) { now.as_ms() } else { boot_ms }
}

/// What a moment of [`moment_ms`] counts from.
pub fn clock_of(moment_ms: i64, boot_id: BootId) -> BatchClock {
    if moment_ms >= BUILT_AT.as_ms() {
        BatchClock::Utc { uncertainty_ms: 0 }
    } else {
        BatchClock::Boot { boot_id }
    }
}

/// Owes an anchor for this boot from the first reading that counts from it.
#[derive(Debug, Clone)]
pub struct ClockTrust {
    boot_id: BootId,
    is_owed: bool,
}

impl ClockTrust {
    /// `is_owed`: the spool holds readings of this boot that no anchor places yet.
    pub const fn new(boot_id: BootId, is_owed: bool) -> Self {
        Self { boot_id, is_owed }
    }

    /// This start of the gateway.
    pub const fn boot_id(&self) -> BootId {
        self.boot_id
    }

    /// A reading with this moment is batched.
    pub fn note(&mut self, moment_ms: i64) {
        self.is_owed |= moment_ms < BUILT_AT.as_ms();
    }

    /// The anchor that is owed, once the clock is believed; then never again for this boot,
    /// unless the clock is set back before the build.
    pub fn step(&mut self, now: Timestamp, boot_ms: i64) -> Option<ClockAnchor> {
        if !self.is_owed || !is_trusted(now) {
            return None;
        }
        self.is_owed = false;
        Some(ClockAnchor {
            boot_id: self.boot_id,
            utc_at_boot_ms: now.as_ms().saturating_sub(boot_ms),
            uncertainty_ms: READING_MS,
            source: SOURCE_KERNEL,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Readings at wall-clock times since the build (ms), each `boot+wall`, and what they give.
    fn check(readings: &[(i64, i64)], expected: &Expect) {
        let mut trust = ClockTrust::new(BootId(7), false);
        let mut lines = Vec::new();
        for (boot_ms, after_build_ms) in readings {
            let now = BUILT_AT.plus_ms(*after_build_ms);
            let moment = moment_ms(now, *boot_ms);
            let clock = match clock_of(moment, trust.boot_id()) {
                BatchClock::Utc { .. } => "utc",
                BatchClock::Boot { .. } => "boot",
            };
            let anchor = trust.step(now, *boot_ms).map_or(String::new(), |anchor| {
                format!(", boot at build{:+}", anchor.utc_at_boot_ms - BUILT_AT.as_ms())
            });
            trust.note(moment);
            lines.push(format!("{boot_ms} {clock}{anchor}"));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn one_anchor_follows_the_readings_that_count_from_boot() {
        check(
            &[(5, -9_000), (1_005, -8_000), (2_005, 60_000), (3_005, 61_000)],
            &expect![[r#"
                5 boot
                1005 boot
                2005 utc, boot at build+57995
                3005 utc"#]],
        );
    }

    #[test]
    fn a_clock_that_was_right_all_along_needs_no_anchor() {
        check(
            &[(5, 0), (1_005, 1_000)],
            &expect![[r#"
            5 utc
            1005 utc"#]],
        );
    }

    #[test]
    fn a_build_date_that_makes_no_sense_is_not_believed() {
        for nonsense in ["", "soon", "-1", "0", "99999999999999999999"] {
            assert_eq!(built_ms(Some(nonsense)), RELEASED_MS, "{nonsense}");
        }
        assert_eq!(built_ms(Some("1800000000")), 1_800_000_000_000);
    }
}
