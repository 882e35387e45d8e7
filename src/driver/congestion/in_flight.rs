//! A window of fixed length that counts what is under way, not what has come.
//!
//! ```text
//!   subscriber        first gap                        hwm                   limit
//!       │■■■■■■■■■■■■■■■│░░░│■■■■■■■■■■■■■░■■■■■■■■■■■░■■│                     │
//!       │◀── window ...     │◀── came behind the gap ───▶│     ... window ────▶│
//! ```
//!
//! A stream that loses datagrams is complete only up to a round trip or more behind what has come:
//! so long a repair takes. If the sender may be no more than a window ahead of that, it sends half
//! a window or less in a round trip. What has come behind the first gap is in the log, in its
//! place, and neither in a socket's buffer nor under way, which is what the window is to bound. So
//! it may be sent in addition, within the reach that the log has for it. Without a gap the window
//! is what it says, and its status messages are those of a fixed one.
//!
//! A limit that was granted is not taken back: the window shrinks only as the subscriber advances.

use super::{RebuildProgress, WindowDecision};

/// Windows that may be granted at most.
const REACH_WINDOWS: i32 = 8;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InFlightWindow {
    window_length: i32,
    reach_length_max: i32,
    /// What was advertised last.
    reach_length: i32,
}

impl InFlightWindow {
    /// A window of `window_length` bytes, for terms of `term_length`.
    pub(crate) fn new(window_length: i32, term_length: i32) -> Self {
        debug_assert!(window_length > 0);
        let reach_length_max = window_length.saturating_mul(REACH_WINDOWS);
        Self {
            window_length,
            reach_length_max: reach_length_max.min(term_length / 2).max(window_length),
            reach_length: window_length,
        }
    }

    pub(super) fn on_track_rebuild(&mut self, progress: &RebuildProgress) -> WindowDecision {
        let quarter = i64::from(self.window_length / 4);
        let position = progress.subscriber_position_min;
        let granted = progress.next_sm_position + i64::from(self.reach_length) - position;
        let within = |length: i64| {
            let length = length.min(self.reach_length_max.into());
            i32::try_from(length).map_or(self.window_length, |n| n.max(self.window_length))
        };
        let reach_length = within(i64::from(self.window_length) + progress.length_behind_gap);
        let has_advanced = position > progress.next_sm_position + quarter;
        let has_more = i64::from(reach_length) > granted + quarter;
        let is_due = has_advanced || has_more;
        if is_due {
            self.reach_length = reach_length.max(within(granted));
        }
        WindowDecision {
            window_length: self.reach_length,
            force_status_message: is_due,
        }
    }

    /// Bytes that may be under way.
    pub(crate) const fn window_length(self) -> i32 {
        self.window_length
    }

    /// Bytes, as advertised ever.
    pub(crate) const fn reach_length_max(self) -> i32 {
        self.reach_length_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Position, Rng};

    const WINDOW: i32 = 64 * 1024;
    const TERM: i32 = 16 * 1024 * 1024;

    /// A subscriber at `position`, with so many bytes behind a gap; what was said before.
    fn progress(position: i64, said_at: i64, length_behind_gap: i64) -> RebuildProgress {
        RebuildProgress {
            subscriber_position_min: Position(position),
            next_sm_position: Position(said_at),
            length_behind_gap,
            ..RebuildProgress::default()
        }
    }

    fn decision(window_length: i32, force_status_message: bool) -> WindowDecision {
        WindowDecision {
            window_length,
            force_status_message,
        }
    }

    #[test]
    fn without_a_gap_it_is_a_fixed_window_told_each_quarter() {
        let mut window = InFlightWindow::new(WINDOW, TERM);
        let quarter = i64::from(WINDOW / 4);
        for (position, is_due) in [(0, false), (quarter, false), (quarter + 32, true)] {
            let told = window.on_track_rebuild(&progress(position, 0, 0));
            assert_eq!(told, decision(WINDOW, is_due), "at {position}");
        }
    }

    #[test]
    fn what_came_behind_a_gap_may_be_sent_in_addition_a_quarter_at_a_time() {
        let mut window = InFlightWindow::new(WINDOW, TERM);
        let quarter = i64::from(WINDOW / 4);
        let told = window.on_track_rebuild(&progress(0, 0, quarter));
        assert_eq!(told, decision(WINDOW, false));
        let told = window.on_track_rebuild(&progress(0, 0, quarter + 32));
        assert_eq!(told, decision(WINDOW + WINDOW / 4 + 32, true));
        let told = window.on_track_rebuild(&progress(0, 0, quarter + 64));
        assert_eq!(told, decision(WINDOW + WINDOW / 4 + 32, false));
    }

    #[test]
    fn once_the_gap_is_filled_the_limit_stays_until_the_subscriber_has_caught_up() {
        let mut window = InFlightWindow::new(WINDOW, TERM);
        let behind = i64::from(2 * WINDOW);
        window.on_track_rebuild(&progress(0, 0, behind));
        let told = window.on_track_rebuild(&progress(i64::from(WINDOW), 0, 0));
        assert_eq!(told, decision(2 * WINDOW, true), "the same limit");
        let told = window.on_track_rebuild(&progress(behind + 64, i64::from(WINDOW), 0));
        assert_eq!(told, decision(WINDOW, true));
    }

    #[test]
    fn the_reach_is_bounded_by_windows_and_by_half_a_term() {
        for (term_length, reach) in [(TERM, 8 * WINDOW), (4 * WINDOW, 2 * WINDOW)] {
            let mut window = InFlightWindow::new(WINDOW, term_length);
            let told = window.on_track_rebuild(&progress(0, 0, i64::from(TERM)));
            assert_eq!(told, decision(reach, true));
            assert_eq!(window.reach_length_max(), reach);
        }
        let all = InFlightWindow::new(WINDOW, WINDOW);
        assert_eq!(all.reach_length_max(), WINDOW);
    }

    /// No more than a window is under way, and no limit is taken back.
    #[test]
    fn whatever_comes_no_more_than_a_window_is_under_way() {
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            let mut window = InFlightWindow::new(WINDOW, TERM);
            let (mut position, mut hwm, mut said_at, mut limit) = (0, 0, 0, i64::from(WINDOW));
            for _ in 0..1_000 {
                // Something arrives, and the subscriber reads up to a gap, or everything.
                let room = limit - hwm;
                hwm += rng.below(room.cast_unsigned() / 32 + 1).cast_signed() * 32;
                let has_gap = rng.below(4) > 0;
                let ahead = hwm - position;
                position += rng.below(ahead.cast_unsigned() / 32 + 1).cast_signed() * 32;
                let behind = if has_gap { hwm - position } else { 0 };
                let told = window.on_track_rebuild(&progress(position, said_at, behind));
                if told.force_status_message {
                    said_at = position;
                    let granted = position + i64::from(told.window_length);
                    assert!(granted >= limit, "seed {seed}: {granted} after {limit}");
                    limit = granted;
                }
                assert!(limit - hwm <= i64::from(WINDOW), "seed {seed}");
            }
        }
    }
}
