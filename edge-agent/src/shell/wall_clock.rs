//! The clock that slots and readings count on, and what the kernel says of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::time::Timestamp;
use rtime_clock::adjtime::{Timex, adjtimex};
use runtime::clock::{Clock, SystemClock, Wait};
use tokio::time::{Duration, sleep};

use crate::{
    clock_trust::{ClockTrust, KernelClock},
    config::Trust,
};

/// `STA_UNSYNC` and `STA_NANO` of linux/timex.h.
const UNSYNCHRONISED: i32 = 0x40;
const NANOSECONDS: i32 = 0x2000;
/// `TIME_ERROR`: what the call returns while the clock is not synchronised.
const TIME_ERROR: i32 = 5;

/// UTC where the wall clock is believed, else the time since boot. Clones share the belief.
#[derive(Debug, Clone)]
pub struct MeasuringClock {
    clock: Arc<dyn Clock>,
    trust: Arc<Mutex<ClockTrust>>,
}

impl MeasuringClock {
    /// Believes by this rule.
    pub fn new(clock: Arc<dyn Clock>, rule: Trust) -> Self {
        Self { clock, trust: Arc::new(Mutex::new(ClockTrust::new(rule))) }
    }

    /// The wall clock, believed or not.
    pub fn wall(&self) -> Timestamp {
        self.clock.now()
    }

    /// As it stands now; the kernel is asked once a second at most.
    pub fn trust(&self) -> MutexGuard<'_, ClockTrust> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        let boot_ms = self.clock.boot_ms();
        if trust.is_due(boot_ms) {
            trust.look(ask_kernel(), self.clock.now(), boot_ms);
        }
        trust
    }
}

impl Clock for MeasuringClock {
    fn now(&self) -> Timestamp {
        let trust = self.trust();
        Timestamp::clamped(trust.moment_ms(self.clock.now(), self.clock.boot_ms()))
    }

    fn boot_ms(&self) -> i64 {
        self.clock.boot_ms()
    }

    fn wait_until(&self, deadline: Option<Timestamp>) -> Wait<'_> {
        Box::pin(async move {
            let Some(deadline) = deadline else { return std::future::pending().await };
            loop {
                let left_ms = u64::try_from(deadline.ms_since(self.now())).unwrap_or(0);
                if left_ms == 0 {
                    return;
                }
                sleep(Duration::from_millis(left_ms.min(1_000))).await;
            }
        })
    }
}

/// The machine's wall clock, believed or not.
pub fn wall_clock() -> Timestamp {
    SystemClock.now()
}

/// What the kernel says of its wall clock; `None` where it may not be asked, as in some containers.
pub fn ask_kernel() -> Option<KernelClock> {
    // no mode is set, so nothing is changed
    let mut answer = Timex::new();
    let state = adjtimex(&mut answer).ok()?;
    let status = answer.0.status;
    let offset = wide(answer.0.offset);
    Some(KernelClock {
        is_synchronised: state != TIME_ERROR && status & UNSYNCHRONISED == 0,
        offset_us: if status & NANOSECONDS == 0 { offset } else { offset / 1_000 },
        max_error_us: wide(answer.0.maxerror),
    })
}

/// What a C `long` holds on any machine.
fn wide(number: impl Into<i64>) -> i64 {
    number.into()
}

#[cfg(test)]
mod tests {
    use runtime::clock::ManualClock;

    use super::*;
    use crate::clock_trust::BUILT_AT;

    #[tokio::test]
    async fn slots_count_from_boot_until_the_clock_is_trusted() {
        let hands = ManualClock::at(BUILT_AT.plus_ms(-1_000));
        hands.advance(500);
        let clock = MeasuringClock::new(Arc::new(hands.clone()), Trust::System);
        assert_eq!(clock.now().as_ms(), 500);
        hands.advance(500);
        assert_eq!(clock.now(), BUILT_AT);
        clock.wait_until(Some(Timestamp::clamped(1_000))).await; // has passed on either clock
    }

    #[test]
    fn the_kernel_answers_or_says_nothing() {
        if let Some(kernel) = ask_kernel() {
            assert!(kernel.max_error_us >= 0, "{kernel:?}");
        }
    }
}
