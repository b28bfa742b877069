//! The slots of a device: aligned to its period, and apart from those of its neighbours.

use crate::{config::Bus, plan::Request};

/// A reading this much after its slot, and within a tenth of its period, carries the slot's time.
const SLOT_TOLERANCE_MS: i64 = 250;

/// How a device is paced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// At least 1.
    pub period_ms: i64,
    /// Where in the period its slots lie, counted from 1970-01-01T00:00:00Z.
    pub phase_ms: i64,
    /// How many requests a poll asks; at least 1.
    pub requests: usize,
}

/// How the devices of a bus are paced: each by its period, and apart from one another.
///
/// Devices share the period evenly, from a point that the name of the bus decides, so that neither
/// one line nor a hundred are all asked in the same instant, and a restart changes nothing.
pub fn paces(bus: &Bus, plans: &[Vec<Request>]) -> Vec<Pace> {
    let devices = i64::try_from(bus.devices.len()).unwrap_or(i64::MAX).max(1);
    let both = bus.devices.iter().zip(plans).zip(0_i64..);
    let paced = both.map(|((device, plan), index)| {
        let period_ms = i64::try_from(device.period.as_millis()).unwrap_or(i64::MAX).max(1);
        let start = i64::from(fnv1a(bus.name.as_bytes())).wrapping_rem(period_ms);
        let phase_ms = (start + period_ms / devices * index).rem_euclid(period_ms);
        Pace { period_ms, phase_ms, requests: plan.len() }
    });
    paced.collect()
}

impl Pace {
    pub(super) fn first_slot_after(&self, now: i64) -> i64 {
        now + self.period_ms - (now - self.phase_ms).rem_euclid(self.period_ms)
    }

    /// The moment of a reading of `slot` that came at `now`.
    pub(super) fn moment(&self, slot: i64, now: i64) -> i64 {
        if now - slot <= SLOT_TOLERANCE_MS.min(self.period_ms / 10) { slot } else { now }
    }
}

/// FNV-1a, a hash that no version of a library changes.
fn fnv1a(bytes: &[u8]) -> u32 {
    let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, mix)
}
