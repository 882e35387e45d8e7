//! The window that finds its own length: `rcv-wnd=auto`.
//!
//! A window of less than what a path holds (its rate times its round trip) is what limits the
//! stream; but who sets one by hand knows neither. This one begins with the configured window,
//! measures the round trip, and looks once per round trip:
//!
//! * Was the window exhausted: did the sender send as far as it was allowed?
//! * Did the subscribers keep up, so that the path is what is slow, not they?
//! * How much arrived within the round trip?
//!
//! If the answers are yes and yes, it doubles, but to no more than four times what arrived: a
//! stream on a lossy path gets about a third of its window through in a round trip. It never
//! shrinks, nor grows beyond half a term or the socket's buffer. It is flow control, not congestion
//! control: a path that is full is not noticed.
//!
//! The window was exhausted if about as much arrived within a round trip, or, where a gap holds
//! everything up, if data is there up to its end.

use super::{RebuildProgress, WindowDecision};
use crate::base::{Nanos, Position};

/// Guess of the round trip before it was measured, in nanoseconds. It is measured again after four
/// times as long, or four round trips.
pub(super) const RTT_INITIAL_NS: i64 = 25_000_000;

/// Windows that may be granted for what arrived in a round trip.
const WINDOWS_PER_ARRIVAL: i64 = 4;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct AutoWindow {
    window_length: i32,
    window_length_max: i32,
    /// Shortest round trip of late.
    rtt_ns: Option<i64>,
    /// When this look began, and how far the stream was.
    began: Nanos,
    began_at: Position,
    /// Whether data was there up to the end of the window since.
    is_exhausted: bool,
    /// Bytes that subscribers had still to read when they were closest to the end since.
    unread_min: i64,
}

impl AutoWindow {
    /// A window that begins with `initial_length` bytes and grows to `max_length`.
    pub(crate) fn new(initial_length: i32, max_length: i32, start: Position, now: Nanos) -> Self {
        debug_assert!(initial_length > 0);
        Self {
            window_length: initial_length,
            window_length_max: max_length.max(initial_length),
            rtt_ns: None,
            began: now,
            began_at: start,
            is_exhausted: false,
            unread_min: i64::MAX,
        }
    }

    /// A round trip was measured.
    pub(super) fn on_rtt(&mut self, rtt_ns: i64) {
        // A longer one may be a queue that this window fills: it is believed slowly.
        let rtt_ns = rtt_ns.clamp(1, 10 * 1_000_000_000);
        self.rtt_ns = Some(match self.rtt_ns {
            Some(known) if rtt_ns > known => known + (rtt_ns - known) / 8,
            Some(_) | None => rtt_ns,
        });
    }

    pub(super) fn on_track_rebuild(
        &mut self,
        progress: &RebuildProgress,
        now: Nanos,
    ) -> WindowDecision {
        let window = i64::from(self.window_length);
        let used = progress.hwm_position - progress.next_sm_position;
        let unread = progress.rebuild_position_new - progress.subscriber_position_min;
        self.is_exhausted |= used >= window - window / 8;
        self.unread_min = self.unread_min.min(unread);
        if let Some(rtt_ns) = self.rtt_ns
            && now.since(self.began) >= rtt_ns
        {
            let arrived = progress.hwm_position - self.began_at;
            let is_limit = self.is_exhausted || arrived >= window - window / 4;
            if is_limit && self.unread_min <= window / 4 {
                self.grow(arrived);
            }
            self.began = now;
            self.began_at = progress.hwm_position;
            self.is_exhausted = false;
            self.unread_min = i64::MAX;
        }
        WindowDecision {
            window_length: self.window_length,
            force_status_message: false,
        }
    }

    /// Bytes, as advertised now.
    pub(super) const fn window_length(&self) -> i32 {
        self.window_length
    }

    /// Bytes, as advertised ever.
    pub(super) const fn max_window_length(&self) -> i32 {
        self.window_length_max
    }

    fn grow(&mut self, arrived: i64) {
        let window = i64::from(self.window_length);
        let wanted = (2 * window).min(arrived.saturating_mul(WINDOWS_PER_ARRIVAL));
        let granted = wanted.clamp(window, i64::from(self.window_length_max));
        self.window_length = i32::try_from(granted).unwrap_or(self.window_length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: i64 = 1024;
    const MILLI: i64 = 1_000_000;

    fn window() -> AutoWindow {
        AutoWindow::new(128 * 1024, 1024 * 1024, Position(0), Nanos(0))
    }

    /// Subscribers are at `read`, data is there up to `hwm`.
    fn look(window: &mut AutoWindow, read: i64, hwm: i64, now: i64) -> i32 {
        let progress = RebuildProgress {
            subscriber_position_min: Position(read),
            next_sm_position: Position(read),
            hwm_position: Position(hwm),
            rebuild_position: Position(read),
            rebuild_position_new: Position(read),
            loss_found: false,
            length_behind_gap: 0,
        };
        window.on_track_rebuild(&progress, Nanos(now)).window_length
    }

    #[test]
    fn a_window_that_limits_the_stream_doubles_once_per_round_trip() {
        let mut window = window();
        window.on_rtt(10 * MILLI);
        let mut at = 0;
        let mut lengths = Vec::new();
        for trip in 1..6 {
            let hwm = at + i64::from(window.window_length());
            look(&mut window, at, hwm, trip * 10 * MILLI - 1);
            lengths.push(look(&mut window, hwm, hwm, trip * 10 * MILLI));
            at = hwm;
        }
        let kib = lengths.iter().map(|length| length / 1024);
        assert_eq!(kib.collect::<Vec<_>>(), [256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn a_stream_that_is_read_at_once_exhausts_its_window_too() {
        let mut window = window();
        window.on_rtt(10 * MILLI);
        for step in 1..10 {
            let at = step * 12 * KIB;
            look(&mut window, at, at, step * MILLI);
        }
        assert_eq!(
            look(&mut window, 120 * KIB, 120 * KIB, 10 * MILLI),
            256 * 1024
        );
    }

    #[test]
    fn nothing_grows_before_the_round_trip_is_known() {
        let mut window = window();
        assert_eq!(look(&mut window, 0, 128 * KIB, 1_000 * MILLI), 128 * 1024);
    }

    #[test]
    fn a_window_that_is_not_exhausted_stays() {
        let mut window = window();
        window.on_rtt(10 * MILLI);
        for trip in 1..20 {
            let at = (trip - 1) * 64 * KIB;
            let length = look(&mut window, at, at + 64 * KIB, trip * 10 * MILLI);
            assert_eq!(length, 128 * 1024);
        }
    }

    #[test]
    fn slow_subscribers_get_no_larger_window() {
        let mut window = window();
        window.on_rtt(10 * MILLI);
        let progress = RebuildProgress {
            hwm_position: Position(128 * KIB),
            rebuild_position_new: Position(128 * KIB),
            ..RebuildProgress::default()
        };
        let decision = window.on_track_rebuild(&progress, Nanos(20 * MILLI));
        assert_eq!(decision.window_length, 128 * 1024);
    }

    #[test]
    fn on_a_short_path_it_grows_to_what_arrives_and_no_further() {
        let mut window = window();
        window.on_rtt(100_000);
        let mut at = 0;
        for trip in 1..100 {
            // It is always exhausted, but little arrives in a round trip.
            let length = look(&mut window, at - 128 * KIB, at, trip * 100_000);
            assert_eq!(length, 128 * 1024);
            at += 8 * KIB;
        }
    }

    #[test]
    fn one_slow_round_trip_says_little() {
        let mut window = window();
        window.on_rtt(8 * MILLI);
        window.on_rtt(16 * MILLI);
        assert_eq!(window.rtt_ns, Some(9 * MILLI));
        window.on_rtt(7 * MILLI);
        assert_eq!(window.rtt_ns, Some(7 * MILLI));
    }
}
