//! Whether moments are UTC or count from the gateway's start.
//!
//! With `trust = "system"` the wall clock is believed once it is past the day of this program's
//! build: a gateway without a battery wakes in 1970, or where its firmware left off, and no clock
//! that is right can be older than the program that reads it. With `trust = "auto"` the kernel must
//! have said besides that the clock is synchronised. Until then moments count from boot
//! (`CLOCK_BOOTTIME`), and one [`ClockAnchor`] places them later.
//!
//! Once the kernel has said so, the clock stays trusted while nobody sets it: without its servers
//! it drifts by some parts in a million, as the time since boot does, so nothing is won by counting
//! from boot again, and the kernel's own bound of the error, which grows meanwhile, travels with
//! the batches. A step while the kernel does not vouch for the clock ends the trust.
//!
//! A moment says by its size which clock it is of: one before the build's day counts from boot,
//! for no machine runs for half a century. So a cycle that was polled before the clock was set and
//! batched after it cannot be mistaken.

use model::{
    batch::{BatchClock, ClockAnchor},
    ids::BootId,
    time::Timestamp,
};

use crate::config::Trust;

/// What `ClockAnchor` calls the kernel's own clocks.
const SOURCE_KERNEL: u32 = 1;
/// Both clocks are read to the millisecond, one after the other.
const READING_MS: u32 = 2;
/// 2026-01-01T00:00:00Z, raised with releases; stands where the build names no day.
const RELEASED_MS: i64 = 1_767_225_600_000;
/// The kernel is asked so often.
const LOOK_MS: i64 = 1_000;
/// A clock that runs is slewed by half a millisecond in a second at most; this is a step.
const STEP_MS: i64 = 500;

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

/// Whether a moment is one that a clock can show which is right.
pub fn is_possible(now: Timestamp) -> bool {
    now >= BUILT_AT
}

/// What a moment of [`ClockTrust::moment_ms`] counts from.
pub fn clock_of(moment_ms: i64, boot_id: BootId) -> BatchClock {
    if moment_ms >= BUILT_AT.as_ms() {
        BatchClock::Utc { uncertainty_ms: 0 }
    } else {
        BatchClock::Boot { boot_id }
    }
}

/// What the kernel says of its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelClock {
    /// Whether something disciplines it.
    pub is_synchronised: bool,
    /// How far it is off, as far as the kernel is about to correct it.
    pub offset_us: i64,
    /// How far it may be off at most.
    pub max_error_us: i64,
}

/// Whether the wall clock is believed.
#[derive(Debug, Clone)]
pub struct ClockTrust {
    rule: Trust,
    is_vouched: bool,
    kernel: Option<KernelClock>,
    /// Time since boot at the last look, and what UTC was at boot by it.
    looked: Option<(i64, i64)>,
}

impl ClockTrust {
    /// Not believed before the first look, unless the setting says so.
    pub const fn new(rule: Trust) -> Self {
        Self { rule, is_vouched: false, kernel: None, looked: None }
    }

    /// Whether it is time to ask the kernel for [`ClockTrust::look`].
    pub fn is_due(&self, boot_ms: i64) -> bool {
        self.rule == Trust::Auto
            && self.looked.is_none_or(|(at_ms, _)| boot_ms.saturating_sub(at_ms) >= LOOK_MS)
    }

    /// Takes what the kernel says; `None` where it does not answer.
    pub fn look(&mut self, kernel: Option<KernelClock>, now: Timestamp, boot_ms: i64) {
        let utc_at_boot_ms = now.as_ms().saturating_sub(boot_ms);
        let is_stepped = self.looked.is_some_and(|(_, before_ms)| {
            utc_at_boot_ms.abs_diff(before_ms) > STEP_MS.unsigned_abs()
        });
        let is_synchronised = kernel.is_some_and(|kernel| kernel.is_synchronised);
        self.is_vouched = is_synchronised || (self.is_vouched && !is_stepped);
        self.kernel = kernel.or(self.kernel);
        self.looked = Some((boot_ms, utc_at_boot_ms));
    }

    /// Whether the wall clock, standing at `now`, is believed.
    pub fn is_trusted(&self, now: Timestamp) -> bool {
        is_possible(now) && (self.rule == Trust::System || self.is_vouched)
    }

    /// The moment that a reading taken now carries: UTC where the clock is believed, else since boot.
    pub fn moment_ms(&self, now: Timestamp, boot_ms: i64) -> i64 {
        if self.is_trusted(now) { now.as_ms() } else { boot_ms }
    }

    /// The kernel's bound of the error, 0 where it is not asked.
    pub fn uncertainty_ms(&self) -> u32 {
        let max_error_us = self.kernel.map_or(0, |kernel| kernel.max_error_us.max(0));
        let whole_ms = max_error_us / 1_000 + i64::from(max_error_us % 1_000 > 0);
        u32::try_from(whole_ms).unwrap_or(u32::MAX)
    }

    /// The kernel's estimate, where it has one.
    pub fn offset_ms(&self) -> Option<i64> {
        let kernel = self.kernel.filter(|kernel| kernel.is_synchronised)?;
        Some(kernel.offset_us / 1_000)
    }
}

/// Owes an anchor for this boot from the first reading that counts from it.
#[derive(Debug, Clone)]
pub struct AnchorDebt {
    boot_id: BootId,
    is_owed: bool,
}

impl AnchorDebt {
    /// `is_owed`: the spool holds readings of this boot that no anchor places yet.
    pub const fn new(boot_id: BootId, is_owed: bool) -> Self {
        Self { boot_id, is_owed }
    }

    /// A reading with this moment is batched.
    pub fn note(&mut self, moment_ms: i64) {
        self.is_owed |= moment_ms < BUILT_AT.as_ms();
    }

    /// The anchor that is owed, once the clock is believed; then never again for this boot,
    /// unless readings count from it again.
    pub fn pay(&mut self, trust: &ClockTrust, now: Timestamp, boot_ms: i64) -> Option<ClockAnchor> {
        if !self.is_owed || !trust.is_trusted(now) {
            return None;
        }
        self.is_owed = false;
        Some(ClockAnchor {
            boot_id: self.boot_id,
            utc_at_boot_ms: now.as_ms().saturating_sub(boot_ms),
            uncertainty_ms: trust.uncertainty_ms().saturating_add(READING_MS),
            source: SOURCE_KERNEL,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// A reading a line: time since boot, wall clock since the build (both ms), and what the kernel
    /// says: `y` or `n` with its bound of the error (ms), `-` where it does not answer.
    fn check(rule: Trust, readings: &[(i64, i64, &str)], expected: &Expect) {
        let boot_id = BootId(7);
        let mut trust = ClockTrust::new(rule);
        let mut debt = AnchorDebt::new(boot_id, false);
        let mut lines = Vec::new();
        for (boot_ms, after_build_ms, said) in readings {
            let now = BUILT_AT.plus_ms(*after_build_ms);
            if trust.is_due(*boot_ms) {
                let (word, error) = said.split_at(1);
                let kernel = (word != "-").then(|| KernelClock {
                    is_synchronised: word == "y",
                    offset_us: -1_500,
                    max_error_us: error.parse::<i64>().unwrap() * 1_000 - 999,
                });
                trust.look(kernel, now, *boot_ms);
            }
            let moment = trust.moment_ms(now, *boot_ms);
            let clock = match clock_of(moment, boot_id) {
                BatchClock::Utc { .. } => format!("utc ±{}", trust.uncertainty_ms()),
                BatchClock::Boot { .. } => "boot".to_owned(),
            };
            let anchor = debt.pay(&trust, now, *boot_ms).map_or(String::new(), |anchor| {
                let since = anchor.utc_at_boot_ms - BUILT_AT.as_ms();
                format!(", boot at build{since:+} ±{}", anchor.uncertainty_ms)
            });
            debt.note(moment);
            lines.push(format!("{boot_ms} {said}: {clock}{anchor}"));
        }
        expected.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn one_anchor_follows_the_readings_that_count_from_boot() {
        check(
            Trust::System,
            &[(5, -9_000, "-"), (1_005, -8_000, "-"), (2_005, 60_000, "-"), (3_005, 61_000, "-")],
            &expect![[r#"
                5 -: boot
                1005 -: boot
                2005 -: utc ±0, boot at build+57995 ±2
                3005 -: utc ±0"#]],
        );
    }

    #[test]
    fn a_clock_that_was_right_all_along_needs_no_anchor() {
        check(
            Trust::System,
            &[(5, 0, "-"), (1_005, 1_000, "-")],
            &expect![[r#"
            5 -: utc ±0
            1005 -: utc ±0"#]],
        );
    }

    #[test]
    fn by_auto_the_kernel_must_vouch_for_a_clock_that_is_possible() {
        check(
            Trust::Auto,
            &[
                (0, -9_000, "y1"),
                (1_000, -8_000, "n16000"),
                (2_000, 60_000, "n16000"),
                (3_000, 61_000, "-"),
                (4_000, 62_000, "y40"),
                (4_500, 62_500, "n1"),
                (5_000, 63_000, "y41"),
            ],
            &expect![[r#"
                0 y1: boot
                1000 n16000: boot
                2000 n16000: boot
                3000 -: boot
                4000 y40: utc ±40, boot at build+58000 ±42
                4500 n1: utc ±40
                5000 y41: utc ±41"#]],
        );
    }

    #[test]
    fn lost_servers_leave_the_clock_trusted_and_its_error_grows() {
        check(
            Trust::Auto,
            &[(0, 0, "y10"), (1_000, 1_000, "n16000"), (2_000, 2_000, "-"), (3_000, 3_000, "n9")],
            &expect![[r#"
                0 y10: utc ±10
                1000 n16000: utc ±16000
                2000 -: utc ±16000
                3000 n9: utc ±9"#]],
        );
    }

    #[test]
    fn a_step_ends_the_trust_unless_the_kernel_vouches_for_it() {
        check(
            Trust::Auto,
            &[
                (0, 0, "y10"),
                (1_000, 90_000, "y10"),
                (2_000, 91_000, "n10"),
                (3_000, 9_000, "n10"),
                (4_000, 10_000, "n10"),
                (5_000, 93_000, "y10"),
                (6_000, 94_000, "y10"),
            ],
            &expect![[r#"
                0 y10: utc ±10
                1000 y10: utc ±10
                2000 n10: utc ±10
                3000 n10: boot
                4000 n10: boot
                5000 y10: utc ±10, boot at build+88000 ±12
                6000 y10: utc ±10"#]],
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
