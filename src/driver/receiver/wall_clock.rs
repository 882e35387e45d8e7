//! Nanoseconds since the epoch, for receive timestamps.
//!
//! A tick carries the wall clock in milliseconds only. The monotonic clock supplies the digits
//! below: it is followed at an offset that changes only when the two disagree by a millisecond, so
//! that times of successive cycles differ by what really passed.

use crate::port::Tick;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Follows the wall clock.
#[derive(Debug, Default)]
pub(super) struct WallClock {
    /// Epoch time minus monotonic time in nanoseconds.
    offset_ns: i64,
}

impl WallClock {
    /// The time of a tick, within the millisecond that its wall clock shows.
    pub(super) fn epoch_ns(&mut self, tick: Tick) -> i64 {
        let begin = tick.epoch.get().saturating_mul(NANOS_PER_MILLI);
        let followed = tick.now.get().wrapping_add(self.offset_ns);
        let epoch_ns = followed.clamp(begin, begin.saturating_add(NANOS_PER_MILLI - 1));
        self.offset_ns = epoch_ns.wrapping_sub(tick.now.get());
        epoch_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{EpochMillis, Nanos};

    fn tick(now: i64, epoch: i64) -> Tick {
        Tick { now: Nanos(now), epoch: EpochMillis(epoch) }
    }

    #[test]
    fn resolves_what_the_wall_clock_does_not() {
        let mut clock = WallClock::default();
        let first = clock.epoch_ns(tick(i64::MAX - 5, 1_700_000_000_000));
        assert_eq!(first / NANOS_PER_MILLI, 1_700_000_000_000);
        assert_eq!(clock.epoch_ns(tick(i64::MIN, 1_700_000_000_000)), first + 6);
    }

    #[test]
    fn never_leaves_the_millisecond_that_the_wall_clock_shows() {
        let mut clock = WallClock::default();
        for (now, epoch) in [(0, 1_000), (500, 1_000), (500_000, 1_000), (900_000, 999), (0, 5_000)]
        {
            let epoch_ns = clock.epoch_ns(tick(now, epoch));
            assert_eq!(epoch_ns / NANOS_PER_MILLI, epoch);
        }
    }

    #[test]
    fn differences_are_those_of_the_monotonic_clock() {
        let mut clock = WallClock::default();
        let first = clock.epoch_ns(tick(10, 1_000));
        assert_eq!(clock.epoch_ns(tick(250, 1_000)) - first, 240);
        assert_eq!(clock.epoch_ns(tick(1_000_250, 1_001)) - first, 1_000_240);
    }
}
