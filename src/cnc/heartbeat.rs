//! How old a heartbeat is, whatever happens to the wall clock.
//!
//! Heartbeats are wall-clock milliseconds, as Aeron has them. Comparing them with the wall clock
//! alone fails when it steps: forward, and everybody looks dead at once; backward, and whoever dies
//! looks alive until the clock has caught up. So what counts is that a heartbeat *changes*, and the
//! time since is measured on the monotonic clock. What the heartbeat says is used where it is
//! plausible: it tells when between two looks the change was made.
//!
//! Departs from Aeron, which compares with the wall clock alone.

use crate::base::{EpochMillis, Nanos};

const NS_PER_MS: i64 = 1_000_000;

/// Watches one heartbeat of another process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeartbeatWatch {
    beat: EpochMillis,
    /// When `beat` was written, as far as one can tell.
    beat_at: Nanos,
    looked_at: Nanos,
}

impl HeartbeatWatch {
    /// Begins with a heartbeat that is known to be at most `age_max_ns` old.
    pub(crate) fn new(beat: EpochMillis, age_max_ns: i64, now: Nanos, epoch: EpochMillis) -> Self {
        Self {
            beat,
            beat_at: written_at(beat, age_max_ns, now, epoch),
            looked_at: now,
        }
    }

    /// Whether the heartbeat seen last is older by now than `timeout_ns`. There may be a new one.
    pub(crate) const fn is_older_than(&self, timeout_ns: i64, now: Nanos) -> bool {
        now.is_expired(self.beat_at, timeout_ns)
    }

    /// Looks at the heartbeat; returns its age in nanoseconds.
    pub(crate) fn look(&mut self, beat: EpochMillis, now: Nanos, epoch: EpochMillis) -> i64 {
        if beat != self.beat {
            self.beat = beat;
            // It was not there at the last look.
            self.beat_at = written_at(beat, now.since(self.looked_at), now, epoch);
        }
        self.looked_at = now;
        now.since(self.beat_at)
    }
}

fn written_at(beat: EpochMillis, age_max_ns: i64, now: Nanos, epoch: EpochMillis) -> Nanos {
    let age_ns = epoch.since(beat).saturating_mul(NS_PER_MS);
    now.plus_ns(-age_ns.clamp(0, age_max_ns.max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = NS_PER_MS;
    const HOUR_MS: i64 = 3_600_000;

    /// A watch on a heartbeat of 1000 ms, begun at 10 ms of the monotonic clock.
    fn watch() -> HeartbeatWatch {
        HeartbeatWatch::new(EpochMillis(1000), 0, Nanos(10 * MS), EpochMillis(1000))
    }

    #[test]
    fn age_is_the_time_since_the_beat_was_written() {
        let mut watch = watch();
        let age = watch.look(EpochMillis(1000), Nanos(40 * MS), EpochMillis(1030));
        assert_eq!(age, 30 * MS);
        // Written 5 ms before this look.
        let age = watch.look(EpochMillis(1045), Nanos(60 * MS), EpochMillis(1050));
        assert_eq!(age, 5 * MS);
        let age = watch.look(EpochMillis(1045), Nanos(160 * MS), EpochMillis(1150));
        assert_eq!(age, 105 * MS);
    }

    #[test]
    fn a_first_beat_may_be_old_already() {
        let (beat, now) = (EpochMillis(1000), Nanos(0));
        let mut watch = HeartbeatWatch::new(beat, 500 * MS, now, EpochMillis(1400));
        assert_eq!(watch.look(beat, Nanos(MS), EpochMillis(1401)), 401 * MS);
        let mut watch = HeartbeatWatch::new(beat, 500 * MS, now, EpochMillis(9000));
        assert_eq!(watch.look(beat, Nanos(MS), EpochMillis(9001)), 501 * MS);
    }

    #[test]
    fn steps_of_the_wall_clock_neither_kill_nor_keep_alive() {
        for step in [HOUR_MS, -HOUR_MS] {
            let mut watch = watch();
            // Nobody has written since the step.
            let epoch = EpochMillis(1010 + step);
            assert_eq!(
                watch.look(EpochMillis(1000), Nanos(20 * MS), epoch),
                10 * MS
            );
            // Now somebody has.
            let beat = EpochMillis(1025 + step);
            let age = watch.look(beat, Nanos(40 * MS), EpochMillis(1030 + step));
            assert_eq!(age, 5 * MS);
            // And then no more.
            let age = watch.look(beat, Nanos(140 * MS), EpochMillis(1130 + step));
            assert_eq!(age, 105 * MS);
        }
    }

    #[test]
    fn a_beat_by_another_clock_counts_from_when_it_was_seen() {
        let mut watch = watch();
        let future = EpochMillis(1000 + HOUR_MS);
        assert_eq!(watch.look(future, Nanos(20 * MS), EpochMillis(1010)), 0);
        let past = EpochMillis(-HOUR_MS);
        assert_eq!(watch.look(past, Nanos(30 * MS), EpochMillis(1020)), 10 * MS);
    }
}
