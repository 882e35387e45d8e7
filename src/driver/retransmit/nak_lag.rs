//! How soon after sending something a sender hears that it is missing.
//!
//! ```text
//!   sender    │ P ─────────╲ (lost)           │ what follows       NAK of P │
//!             │ mark, time t                  ╲───────────▶╱────────────────│ now
//!             │◀──────────── now - t: not less than a round trip ──────────▶│
//! ```
//!
//! A receiver misses a range once something arrives that was sent behind it. So from sending what
//! is behind a range until the first NAK for the range, a whole round trip passes at least; it is
//! more if that NAK was not the first one that the receiver sent, if it waited, or if nothing was
//! sent behind the range for a while. What counts is therefore the shortest time of late: a NAK
//! that comes so long after a resend was sent by somebody who should have had it, and who has lost
//! it. To whoever asks before, it is under way.
//!
//! When what was sent is kept in a few marks, not closer to each other than a part of the time that
//! they are there to measure.

use crate::base::{Nanos, Position};

/// Marks that are kept: twice as many as there are to a lag.
const MARKS: usize = 128;
/// Marks to a lag.
const MARKS_PER_LAG: i64 = 64;
/// A lag above the shortest of late counts so much of the difference: one part of this many.
const FORGETTING: i64 = 16;
/// No lag is taken to be shorter than this, in nanoseconds: NAKs come from the network.
const LAG_MIN_NS: i64 = 20_000;

/// What was sent from this time on begins here or behind.
#[derive(Clone, Copy, Debug)]
struct Mark {
    position: Position,
    time: Nanos,
}

/// See the module.
#[derive(Debug)]
pub(super) struct NakLag {
    marks: [Mark; MARKS],
    /// Where the latest mark is, and how many there are.
    last: usize,
    count: usize,
    /// The shortest of late, in nanoseconds; at first the longest that is of interest.
    lag_ns: i64,
    lag_max_ns: i64,
}

impl NakLag {
    /// Nothing is known yet; longer lags than `lag_max_ns` are all the same.
    pub(super) fn new(lag_max_ns: i64, now: Nanos) -> Self {
        let mark = Mark {
            position: Position::ZERO,
            time: now,
        };
        Self {
            marks: [mark; MARKS],
            last: 0,
            count: 0,
            lag_ns: lag_max_ns,
            lag_max_ns,
        }
    }

    /// What was never sent before is being sent, from `begin` on.
    #[inline]
    pub(super) fn on_data(&mut self, begin: Position, now: Nanos) {
        let since_last_ns = now.since(self.marks[self.last].time);
        if since_last_ns >= self.lag_ns / MARKS_PER_LAG || self.count == 0 {
            self.last = (self.last + 1) % MARKS;
            self.count = (self.count + 1).min(MARKS);
            self.marks[self.last] = Mark {
                position: begin,
                time: now,
            };
        }
    }

    /// Somebody misses what lies before `end`, and nobody said so of late.
    pub(super) fn on_first_nak(&mut self, end: Position, now: Nanos) {
        let Some(sent) = self.sent_behind(end) else {
            return;
        };
        let lag_ns = now.since(sent).max(LAG_MIN_NS).min(self.lag_max_ns);
        if lag_ns < self.lag_ns {
            self.lag_ns = lag_ns;
        } else {
            self.lag_ns += (lag_ns - self.lag_ns) / FORGETTING;
        }
    }

    /// Nanoseconds from sending to hearing that it was lost; the longest while that is not known.
    pub(super) const fn ns(&self) -> i64 {
        self.lag_ns
    }

    /// A time that is not later than when what follows `end` was sent, be it a heartbeat, and not
    /// much earlier unless that was too long ago to be known.
    fn sent_behind(&self, end: Position) -> Option<Nanos> {
        let latest_first = (0..self.count).map(|age| self.marks[(self.last + MARKS - age) % MARKS]);
        let mut oldest = None;
        for mark in latest_first {
            oldest = Some(mark.time);
            // What begins there may have been sent long after a heartbeat said that it would.
            if mark.position < end {
                break;
            }
        }
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICRO: i64 = 1_000;
    const LAG_MAX_NS: i64 = 10_000 * MICRO;
    const LENGTH: i64 = 1024;

    /// Sends so many ranges, one each `step_ns`, all of which are missed `lag_ns` after what
    /// follows them was sent.
    fn send(lag: &mut NakLag, from: i64, count: i64, step_ns: i64, lag_ns: i64) {
        for at in from..from + count {
            lag.on_data(Position(at * LENGTH), Nanos(at * step_ns));
            let missed = at - lag_ns / step_ns;
            if missed > 0 {
                lag.on_first_nak(Position(missed * LENGTH), Nanos(at * step_ns));
            }
        }
    }

    fn is_near(lag: &NakLag, expected_ns: i64) -> bool {
        (expected_ns..=expected_ns + expected_ns / 8).contains(&lag.ns())
    }

    #[test]
    fn before_a_nak_the_longest_lag_is_assumed() {
        let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
        lag.on_first_nak(Position(LENGTH), Nanos(MICRO));
        assert_eq!(lag.ns(), LAG_MAX_NS);
    }

    #[test]
    fn it_is_the_time_from_sending_to_the_nak_and_never_less() {
        for lag_ns in [50, 100, 1_000, 5_000].map(|micros| micros * MICRO) {
            let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
            send(&mut lag, 0, 5_000, 5 * MICRO, lag_ns);
            assert!(is_near(&lag, lag_ns), "{lag_ns}: {}", lag.ns());
        }
    }

    #[test]
    fn it_follows_a_path_that_becomes_longer_and_one_that_becomes_shorter() {
        let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
        send(&mut lag, 0, 1_000, 5 * MICRO, 100 * MICRO);
        send(&mut lag, 1_000, 20_000, 5 * MICRO, 2_000 * MICRO);
        assert!(is_near(&lag, 2_000 * MICRO), "{}", lag.ns());
        send(&mut lag, 21_000, 1_000, 5 * MICRO, 100 * MICRO);
        assert!(is_near(&lag, 100 * MICRO), "{}", lag.ns());
    }

    #[test]
    fn what_a_heartbeat_revealed_was_not_sent_just_now() {
        let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
        lag.on_data(Position(0), Nanos(0));
        // A heartbeat goes out, and later what comes next; then somebody has heard the heartbeat.
        lag.on_data(Position(LENGTH), Nanos(4_900 * MICRO));
        lag.on_first_nak(Position(LENGTH), Nanos(5_000 * MICRO));
        assert_eq!(lag.ns(), 5_000 * MICRO);
    }

    #[test]
    fn a_request_whose_first_copies_were_lost_hardly_counts() {
        let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
        send(&mut lag, 0, 1_000, 5 * MICRO, 100 * MICRO);
        let before = lag.ns();
        lag.on_first_nak(Position(960 * LENGTH), Nanos(1_000 * 5 * MICRO));
        assert!(lag.ns() <= before + before / 8, "{}", lag.ns());
    }

    #[test]
    fn what_nobody_can_have_missed_so_soon_is_kept_within_reason() {
        let mut lag = NakLag::new(LAG_MAX_NS, Nanos(0));
        lag.on_data(Position(0), Nanos(0));
        lag.on_first_nak(Position(LENGTH), Nanos(0));
        assert_eq!(lag.ns(), LAG_MIN_NS);
        let mut lag = NakLag::new(0, Nanos(0));
        lag.on_data(Position(0), Nanos(0));
        lag.on_first_nak(Position(LENGTH), Nanos(0));
        assert_eq!(lag.ns(), 0, "linger is off");
    }
}
