//! Whether the server listens, and until when it is known to have listened.

use model::time::Timestamp;
use runtime::clock::Clock;
use tracing::{info, warn};

use super::Parts;
use crate::desk::Desk;

/// A pass that comes so much later than the one before, or a clock that was stepped by so much,
/// is a time without listening: less is within what silences have for patience.
const STEP_MS: i64 = 30_000;

/// What is known of it.
#[derive(Debug)]
pub(super) struct Listening {
    looked_at: Timestamp,
    looked_at_boot_ms: i64,
    /// Whether it was connected to its broker then.
    hears: bool,
    until: Timestamp,
    /// Whether `until` says more than that the process has begun.
    has_listened: bool,
}

impl Listening {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        let now = clock.now();
        let looked_at_boot_ms = clock.boot_ms();
        Self { looked_at: now, looked_at_boot_ms, hears: false, until: now, has_listened: false }
    }

    /// Until when the server is known to have listened.
    pub(super) const fn until(&self) -> Option<Timestamp> {
        if self.has_listened { Some(self.until) } else { None }
    }

    /// A desk was opened, which is deaf: it knows until when the server had listened, and nothing
    /// of the clock since.
    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        (self.looked_at, self.looked_at_boot_ms) = (clock.now(), clock.boot_ms());
    }

    /// Tells the desk what has become of clock and connection since the last look, before anything
    /// that came is taken up: it is heard by the clock as it is.
    pub(super) fn notice(&mut self, desk: &mut Desk, parts: &Parts, now: Timestamp) {
        let boot_ms = parts.clock.boot_ms();
        let passed_ms = boot_ms - self.looked_at_boot_ms;
        let stepped_ms = now.ms_since(self.looked_at) - passed_ms;
        let is_step = stepped_ms.abs() > STEP_MS;
        let has_slept = passed_ms > STEP_MS;
        self.hears = (parts.hears)();
        if is_step {
            warn!(seconds = stepped_ms / 1_000, "clock was stepped");
        }
        if !desk.is_deaf() && (is_step || has_slept || !self.hears) {
            desk.deaf(self.looked_at, now);
        }
        // only then: what passed without a look is no silence by the other clock either
        if stepped_ms < -STEP_MS {
            desk.set_back(-stepped_ms, now);
            self.until = self.until.plus_ms(stepped_ms);
        }
        (self.looked_at, self.looked_at_boot_ms) = (now, boot_ms);
    }

    /// Tells the desk that the server listens, once what came before is taken up.
    pub(super) fn look(&mut self, desk: &mut Desk, is_caught_up: bool, now: Timestamp) {
        if desk.is_deaf() && self.hears && is_caught_up {
            desk.listen(now);
            info!("listening: silences count");
        }
        if !desk.is_deaf() {
            (self.until, self.has_listened) = (now, true);
        }
    }
}
