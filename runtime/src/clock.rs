//! The only place that reads a clock; everything else is given `now`.

use std::{
    fmt,
    future::{Future, pending},
    io,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use model::time::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::watch;

/// How long a wait may lag behind a step of the wall clock.
const RE_READ: Duration = Duration::from_secs(1);

/// A wait that ends at a moment of some clock.
pub type Wait<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Wall time and time since boot, as a shell asks for them.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The wall clock, which may jump either way.
    fn now(&self) -> Timestamp;

    /// Milliseconds since the machine booted, suspended time included; never goes back.
    fn boot_ms(&self) -> i64;

    /// Ends once the wall clock has reached `deadline`, within a second even if it was stepped;
    /// never without one. Dropping it half-way loses nothing.
    fn wait_until(&self, deadline: Option<Timestamp>) -> Wait<'_>;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
        let now = SystemTime::now();
        let ms = match now.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()),
            Err(before) => i64::try_from(before.duration().as_millis()).map(|ms| -ms),
        };
        ms.map_or(Timestamp::MAX, Timestamp::clamped)
    }

    fn boot_ms(&self) -> i64 {
        let since_boot = clock_gettime(ClockId::Boottime);
        since_boot.tv_sec.saturating_mul(1_000).saturating_add(since_boot.tv_nsec / 1_000_000)
    }

    fn wait_until(&self, deadline: Option<Timestamp>) -> Wait<'_> {
        Box::pin(async move {
            let Some(deadline) = deadline else { return pending().await };
            loop {
                let left = u64::try_from(deadline.ms_since(self.now())).unwrap_or(0);
                if left == 0 {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(left).min(RE_READ)).await;
            }
        })
    }
}

/// The kernel's name for this start of the machine; another one after every reboot.
pub fn boot_id() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// A clock that moves only when a test moves it; clones share the hands.
#[derive(Debug, Clone)]
pub struct ManualClock {
    hands: Arc<watch::Sender<Hands>>,
}

#[derive(Debug, Clone, Copy)]
struct Hands {
    now: Timestamp,
    boot_ms: i64,
}

impl ManualClock {
    /// Stands at `now`, at the moment of boot.
    pub fn at(now: Timestamp) -> Self {
        Self { hands: Arc::new(watch::Sender::new(Hands { now, boot_ms: 0 })) }
    }

    /// Time passes: both clocks move on by `ms`.
    pub fn advance(&self, ms: i64) {
        self.hands.send_modify(|hands| {
            hands.now = hands.now.plus_ms(ms);
            hands.boot_ms = hands.boot_ms.saturating_add(ms);
        });
    }

    /// Somebody sets the wall clock; no time passes.
    pub fn set(&self, now: Timestamp) {
        self.hands.send_modify(|hands| hands.now = now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.hands.borrow().now
    }

    fn boot_ms(&self) -> i64 {
        self.hands.borrow().boot_ms
    }

    fn wait_until(&self, deadline: Option<Timestamp>) -> Wait<'_> {
        Box::pin(async move {
            let Some(deadline) = deadline else { return pending().await };
            let mut hands = self.hands.subscribe();
            while hands.borrow_and_update().now < deadline {
                if hands.changed().await.is_err() {
                    return pending().await; // nobody is left who could move it
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_whoever_waits_for_the_moment_it_reaches() {
        let start: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let clock = ManualClock::at(start);
        let waits = clock.clone();
        let woken =
            tokio::join!(async { waits.wait_until(Some(start.plus_ms(10))).await }, async {
                clock.advance(4);
                clock.set(start.plus_ms(20));
            });
        assert_eq!(woken, ((), ()));
        assert_eq!((clock.now(), clock.boot_ms()), (start.plus_ms(20), 4));
    }

    #[tokio::test]
    async fn the_system_clock_does_not_wait_for_what_has_passed() {
        let clock = SystemClock;
        clock.wait_until(Some(clock.now())).await;
        assert!(clock.boot_ms() > 0);
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
