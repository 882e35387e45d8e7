//! Virtual time: it passes when the simulation says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::base::{EpochMillis, Nanos};
use crate::port::{Clock, Tick};

/// Wall-clock time at virtual time 0, in milliseconds.
const EPOCH_START_MS: i64 = 1_700_000_000_000;

/// A clock that only moves when it is told to; cloning gives another handle on the same one.
///
/// ```
/// use aileron::port::Clock;
/// use aileron::sim::VirtualClock;
/// let clock = VirtualClock::new();
/// clock.advance(2_000_000);
/// assert_eq!(clock.tick().now.get(), 2_000_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct VirtualClock {
    now_ns: Arc<AtomicI64>,
    /// How far the wall clock was set forward, in milliseconds.
    epoch_shift_ms: Arc<AtomicI64>,
}

impl VirtualClock {
    /// A clock at time 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `ns` nanoseconds pass.
    pub fn advance(&self, ns: i64) {
        // Relaxed: one thread drives a world; the value stands for nothing but itself.
        self.now_ns.fetch_add(ns, Ordering::Relaxed);
    }

    /// Sets the wall clock forward, or back; monotonic time knows nothing of it.
    pub fn shift_epoch(&self, ms: i64) {
        // Relaxed: as above.
        self.epoch_shift_ms.fetch_add(ms, Ordering::Relaxed);
    }

    /// Monotonic time.
    #[must_use]
    pub fn now(&self) -> Nanos {
        Nanos(self.now_ns.load(Ordering::Relaxed))
    }
}

impl Clock for VirtualClock {
    fn tick(&self) -> Tick {
        let now = self.now();
        let shift = self.epoch_shift_ms.load(Ordering::Relaxed);
        Tick {
            now,
            epoch: EpochMillis(EPOCH_START_MS + shift + now.get() / 1_000_000),
        }
    }
}
