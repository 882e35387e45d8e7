//! How long an agent's cycles take: the longest one, and how many took too long (`driver.md` §3.2).

use crate::base::Nanos;
use crate::concurrent::AtomicCounter;

/// Measures the time between an agent's duty cycles and publishes it in two system counters. The
/// agent is the only writer of both.
#[derive(Clone, Debug)]
pub(crate) struct DutyCycleTracker {
    last_update: Nanos,
    threshold_ns: i64,
    cycle_max: AtomicCounter,
    threshold_exceeded: AtomicCounter,
}

impl DutyCycleTracker {
    /// A tracker that counts cycles longer than `threshold_ns`. `cycle_max` holds the longest cycle
    /// in nanoseconds, `threshold_exceeded` the number of those that took too long.
    pub(crate) const fn new(
        threshold_ns: i64,
        cycle_max: AtomicCounter,
        threshold_exceeded: AtomicCounter,
        now: Nanos,
    ) -> Self {
        Self {
            last_update: now,
            threshold_ns,
            cycle_max,
            threshold_exceeded,
        }
    }

    /// The agent starts: the time before does not count.
    pub(crate) const fn start(&mut self, now: Nanos) {
        self.last_update = now;
    }

    /// A new cycle begins; the previous one has lasted until now.
    #[inline]
    pub(crate) fn measure(&mut self, now: Nanos) {
        let cycle_ns = now.since(self.last_update);
        self.last_update = now;
        self.cycle_max.propose_max(cycle_ns);
        if cycle_ns > self.threshold_ns {
            self.threshold_exceeded.increment_single_writer();
        }
    }
}
