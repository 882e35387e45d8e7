//! Wall-clock nanoseconds for timestamps in frames.

use crate::port::Tick;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Wall-clock time in nanoseconds, from a monotonic clock in nanoseconds and a wall clock that only
/// tells milliseconds: it runs with the former and never leaves the millisecond the latter shows.
///
/// Timestamps of one agent are thus as fine as its monotonic clock, and as right as its wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EpochNanos {
    offset_ns: i64,
}

impl EpochNanos {
    pub(crate) const fn new(tick: Tick) -> Self {
        Self {
            offset_ns: millis_to_nanos(tick).wrapping_sub(tick.now.get()),
        }
    }

    /// The time of a tick.
    pub(crate) fn update(&mut self, tick: Tick) -> i64 {
        let begin = millis_to_nanos(tick);
        let estimate = tick.now.get().wrapping_add(self.offset_ns);
        let now = estimate.clamp(begin, begin.saturating_add(NANOS_PER_MILLI - 1));
        self.offset_ns = now.wrapping_sub(tick.now.get());
        now
    }
}

const fn millis_to_nanos(tick: Tick) -> i64 {
    tick.epoch.get().saturating_mul(NANOS_PER_MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{EpochMillis, Nanos};

    fn tick(now: i64, epoch: i64) -> Tick {
        Tick {
            now: Nanos(now),
            epoch: EpochMillis(epoch),
        }
    }

    #[test]
    fn it_runs_with_the_monotonic_clock_within_a_millisecond() {
        let mut clock = EpochNanos::new(tick(500, 7));
        assert_eq!(clock.update(tick(500, 7)), 7_000_000);
        assert_eq!(clock.update(tick(900, 7)), 7_000_400);
        assert_eq!(clock.update(tick(1_000_500, 8)), 8_000_000);
    }

    #[test]
    fn it_follows_the_wall_clock_when_the_two_part() {
        let mut clock = EpochNanos::new(tick(0, 7));
        assert_eq!(clock.update(tick(3_000_000, 7)), 7_999_999);
        assert_eq!(clock.update(tick(3_000_010, 8)), 8_000_009);
        assert_eq!(clock.update(tick(3_000_020, 2)), 2_999_999);
        assert_eq!(clock.update(tick(3_000_020, 90)), 90_000_000);
    }
}
