//! The one place that reads clocks.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::base::{EpochMillis, Nanos};
use crate::port::{Clock, Tick};
use crate::sys::{coarse_monotonic_ns, monotonic_ns};

/// How old the wall-clock part of a tick may be within a duty cycle, in nanoseconds
/// (`driver.md` §0: *conductor epoch clock refresh*).
const EPOCH_REFRESH_NS: i64 = 1_000_000;

/// The operating system's monotonic and wall clocks.
///
/// ```
/// use aileron::port::Clock;
/// use aileron::runtime::SystemClock;
/// let clock = SystemClock::new();
/// let first = clock.tick();
/// assert!(clock.tick().now.since(first.now) >= 0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin_ns: i64,
}

impl SystemClock {
    /// Monotonic readings count from now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin_ns: monotonic_ns(),
        }
    }

    /// Monotonic nanoseconds since this clock was made.
    #[must_use]
    #[inline]
    pub fn now(&self) -> Nanos {
        Nanos(monotonic_ns() - self.origin_ns)
    }

    /// Wall-clock milliseconds since the Unix epoch; 0 before it.
    #[must_use]
    pub fn epoch() -> EpochMillis {
        let elapsed = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let epoch = EpochMillis(i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX));
        #[cfg(feature = "fault-hooks")]
        let epoch = epoch.plus_ms(step::sum_ms());
        epoch
    }
}

/// A wall clock that steps, for fault tests.
#[cfg(feature = "fault-hooks")]
mod step {
    use std::sync::atomic::{AtomicI64, Ordering};

    static SUM_MS: AtomicI64 = AtomicI64::new(0);

    pub(super) fn sum_ms() -> i64 {
        SUM_MS.load(Ordering::Relaxed)
    }

    /// Steps the wall clock, as this process's drivers and clients see it, by so many milliseconds.
    /// The machine's clock stays as it is.
    ///
    /// ```
    /// let before = aileron::runtime::SystemClock::epoch();
    /// aileron::runtime::step_epoch_clock(3_600_000);
    /// assert!(aileron::runtime::SystemClock::epoch().since(before) >= 3_600_000);
    /// ```
    pub fn step_epoch_clock(ms: i64) {
        SUM_MS.fetch_add(ms, Ordering::Relaxed);
    }
}
#[cfg(feature = "fault-hooks")]
pub use step::step_epoch_clock;

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn tick(&self) -> Tick {
        Tick {
            now: self.now(),
            epoch: Self::epoch(),
        }
    }

    fn now(&self) -> Nanos {
        Self::now(self)
    }

    fn coarse_now(&self) -> Nanos {
        Nanos(coarse_monotonic_ns() - self.origin_ns)
    }
}

/// A [`SystemClock`] that reads the wall clock at most once a millisecond: what drives an agent
/// that may cycle millions of times a second.
#[derive(Debug)]
pub(super) struct CycleClock {
    clock: SystemClock,
    last: Tick,
}

impl CycleClock {
    pub(super) fn new(clock: SystemClock) -> Self {
        Self {
            clock,
            last: clock.tick(),
        }
    }

    /// The time at the top of a duty cycle.
    pub(super) fn next(&mut self) -> Tick {
        let now = self.clock.now();
        if now.since(self.last.now) >= EPOCH_REFRESH_NS {
            self.last = Tick {
                now,
                epoch: SystemClock::epoch(),
            };
        }
        Tick {
            now,
            epoch: self.last.epoch,
        }
    }
}
