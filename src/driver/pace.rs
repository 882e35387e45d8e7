//! What need not be done in each duty cycle.
//!
//! A thread that waits for a message goes round a few million times a second. Whatever else it does
//! in each round is time for which the message waits.

use crate::base::Nanos;

/// Whether `now` is behind `last` by less than an interval; never where time stands still.
#[inline]
pub(super) fn is_soon_after(last: Nanos, interval_ns: i64, now: Nanos) -> bool {
    (1..interval_ns).contains(&now.since(last))
}

/// Something that is done once in an interval at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval_ns: i64,
    last: Nanos,
}

impl Pace {
    /// Something that is due at once.
    pub(super) const fn new(interval_ns: i64, now: Nanos) -> Self {
        Self {
            interval_ns,
            last: now.plus_ns(-interval_ns),
        }
    }

    /// Whether it is to be done in the cycle that begins now; always where time stands still, as it
    /// does for whoever steps through cycles by hand.
    #[inline]
    pub(super) fn is_due(&mut self, now: Nanos) -> bool {
        let is_due = !is_soon_after(self.last, self.interval_ns, now);
        if is_due {
            self.last = now;
        }
        is_due
    }

    /// It is done now, whether due or not.
    #[inline]
    pub(super) const fn restart(&mut self, now: Nanos) {
        self.last = now;
    }
}

/// Something that is done the less often, the longer it has had no effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlowingPace {
    pace: Pace,
    min_ns: i64,
    max_ns: i64,
}

impl SlowingPace {
    /// Something that is due at once, and then at intervals between two limits.
    pub(super) const fn new(min_ns: i64, max_ns: i64, now: Nanos) -> Self {
        Self {
            pace: Pace::new(min_ns, now),
            min_ns,
            max_ns,
        }
    }

    /// As [`Pace::is_due`].
    #[inline]
    pub(super) fn is_due(&mut self, now: Nanos) -> bool {
        self.pace.is_due(now)
    }

    /// It was done now, whether due or not, to some effect or to none.
    #[inline]
    pub(super) fn restart(&mut self, now: Nanos, had_effect: bool) {
        self.pace.restart(now);
        self.pace.interval_ns = if had_effect {
            self.min_ns
        } else {
            self.max_ns.min(self.pace.interval_ns.saturating_mul(2))
        };
    }

    /// There may be something to do again.
    #[inline]
    pub(super) const fn quicken(&mut self) {
        self.pace.interval_ns = self.min_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_at_once_and_then_once_in_an_interval() {
        let mut pace = Pace::new(1_000, Nanos(5_000));
        let due: Vec<i64> = (5_000..=8_000)
            .step_by(250)
            .filter(|now| pace.is_due(Nanos(*now)))
            .collect();
        assert_eq!(due, [5_000, 6_000, 7_000, 8_000]);
    }

    #[test]
    fn it_slows_down_until_there_is_an_effect() {
        let mut pace = SlowingPace::new(1_000, 5_000, Nanos(0));
        let mut due = Vec::new();
        for now in (0..40_000).step_by(500) {
            if pace.is_due(Nanos(now)) {
                pace.restart(Nanos(now), now == 20_000);
                due.push(now);
            }
        }
        assert_eq!(
            due,
            [
                0, 2_000, 6_000, 11_000, 16_000, 21_000, 26_000, 31_000, 36_000
            ]
        );
        pace.restart(Nanos(40_000), true);
        assert!(!pace.is_due(Nanos(40_500)) && pace.is_due(Nanos(41_000)));
        pace.restart(Nanos(41_000), false);
        pace.restart(Nanos(41_000), false);
        assert!(!pace.is_due(Nanos(42_000)));
        pace.quicken();
        assert!(pace.is_due(Nanos(42_000)));
    }

    #[test]
    fn it_is_due_in_each_cycle_of_a_time_that_stands_still_or_goes_back() {
        let mut pace = Pace::new(1_000, Nanos(0));
        assert!((0..3).all(|_| pace.is_due(Nanos(10))));
        assert!(pace.is_due(Nanos(9)));
    }
}
