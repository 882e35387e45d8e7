//! CUBIC (RFC 8312), counted in datagrams of one MTU and run by the receiver.
//!
//! After a loss the window drops to 80 %, then follows `C·(t − K)³ + w_max`: quickly back towards
//! the window at which the loss happened, slowly past it. The window is capped by the receive
//! window, so that it can only shrink what flow control would have allowed.

use super::{RebuildProgress, WindowDecision};
use crate::base::Nanos;
use crate::concurrent::AtomicCounter;

/// Growth factor of the cubic curve.
const C: f64 = 0.4;
/// Share of the window given up on loss.
const B: f64 = 0.2;
/// Datagrams in the first window.
const CWND_INITIAL: i32 = 10;
const NANOS_PER_SECOND: f64 = 1e9;

/// Counters that show the algorithm at work; `rcv-cc-cubic-rtt` and `rcv-cc-cubic-wnd`.
#[derive(Clone, Debug)]
pub(crate) struct CubicCounters {
    /// Round trip measured last, in nanoseconds.
    pub(crate) rtt: AtomicCounter,
    /// Window in force, in bytes.
    pub(crate) window: AtomicCounter,
}

/// What the algorithm is built from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CubicParams {
    /// Largest window in bytes; at least one MTU.
    pub(crate) max_window_length: i32,
    /// Bytes of one datagram.
    pub(crate) mtu_length: i32,
    /// First guess of the round trip, and the time between two steps of the window.
    pub(crate) initial_rtt_ns: i64,
    /// Whether round trips are measured.
    pub(crate) measure_rtt: bool,
    /// Whether to keep up with what standard TCP would reach.
    pub(crate) tcp_mode: bool,
}

/// State of the algorithm; the conductor's.
#[derive(Debug)]
pub(crate) struct Cubic {
    params: CubicParams,
    cwnd_max: i32,
    cwnd: i32,
    /// Window when loss was last seen.
    w_max: i32,
    /// Seconds from a loss until the curve is back at `w_max`.
    k: f64,
    rtt_ns: i64,
    time_of_last_loss: Nanos,
    time_of_last_update: Nanos,
    counters: Option<CubicCounters>,
}

impl Cubic {
    /// Starts with a small window, as if `max_window_length` had just been too much.
    pub(crate) fn new(params: CubicParams, counters: Option<CubicCounters>, now: Nanos) -> Self {
        debug_assert!(params.mtu_length > 0);
        debug_assert!(params.max_window_length >= params.mtu_length);
        let cwnd_max = (params.max_window_length / params.mtu_length).max(1);
        let cubic = Self {
            params,
            cwnd_max,
            cwnd: CWND_INITIAL.min(cwnd_max),
            w_max: cwnd_max,
            k: curve_origin(cwnd_max),
            rtt_ns: params.initial_rtt_ns,
            time_of_last_loss: now,
            time_of_last_update: now,
            counters,
        };
        cubic.publish_window();
        cubic
    }

    pub(super) fn on_track_rebuild(
        &mut self,
        progress: &RebuildProgress,
        now: Nanos,
    ) -> WindowDecision {
        let mut force_status_message = false;
        if progress.loss_found {
            self.on_loss(now);
            force_status_message = true;
        } else if self.cwnd < self.cwnd_max
            && now.is_expired(self.time_of_last_update, self.params.initial_rtt_ns)
        {
            self.grow(now);
        } else if self.cwnd == 1 && progress.subscriber_position_min > progress.next_sm_position {
            // A window of one datagram would otherwise wait for the timed status message.
            force_status_message = true;
        }
        WindowDecision {
            window_length: self.window_length(),
            force_status_message,
        }
    }

    pub(super) fn on_rtt(&mut self, rtt_ns: i64) {
        self.rtt_ns = rtt_ns;
        if let Some(counters) = &self.counters {
            counters.rtt.set(rtt_ns);
        }
    }

    pub(super) fn measured_rtt_initial_ns(&self) -> Option<i64> {
        self.params
            .measure_rtt
            .then_some(self.params.initial_rtt_ns)
    }

    pub(super) fn initial_window_length(&self) -> i32 {
        CWND_INITIAL.min(self.cwnd_max) * self.params.mtu_length
    }

    pub(super) const fn max_window_length(&self) -> i32 {
        self.params.max_window_length
    }

    fn on_loss(&mut self, now: Nanos) {
        self.w_max = self.cwnd;
        self.k = curve_origin(self.w_max);
        self.cwnd = truncated(f64::from(self.cwnd) * (1.0 - B)).max(1);
        self.time_of_last_loss = now;
        self.publish_window();
    }

    fn grow(&mut self, now: Nanos) {
        let t = seconds(now.since(self.time_of_last_loss));
        let increment = C * (t - self.k).powi(3);
        self.cwnd = self
            .w_max
            .saturating_add(truncated(increment))
            .min(self.cwnd_max);
        if self.params.tcp_mode && self.cwnd < self.w_max {
            let w_tcp = f64::from(self.w_max).mul_add(
                1.0 - B,
                (3.0 * B / (2.0 - B)) * (t / seconds(self.rtt_ns.max(1))),
            );
            self.cwnd = self.cwnd.max(truncated(w_tcp)).min(self.cwnd_max);
        }
        debug_assert!(self.cwnd >= 1, "the curve stays above w_max·(1 − B)");
        self.time_of_last_update = now;
        self.publish_window();
    }

    const fn window_length(&self) -> i32 {
        self.cwnd * self.params.mtu_length
    }

    fn publish_window(&self) {
        if let Some(counters) = &self.counters {
            counters.window.set(i64::from(self.window_length()));
        }
    }
}

/// K: seconds that the curve takes from `w_max·(1 − B)` to `w_max`.
fn curve_origin(w_max: i32) -> f64 {
    (f64::from(w_max) * B / C).cbrt()
}

#[expect(clippy::cast_precision_loss, reason = "seconds need no 53 bits")]
fn seconds(ns: i64) -> f64 {
    ns as f64 / NANOS_PER_SECOND
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the algorithm truncates; the cast saturates"
)]
const fn truncated(datagrams: f64) -> i32 {
    datagrams as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Position;

    const MILLI: i64 = 1_000_000;
    const SECOND: i64 = 1_000 * MILLI;
    const MTU: i32 = 1_408;

    fn params() -> CubicParams {
        CubicParams {
            max_window_length: 128 * 1024,
            mtu_length: MTU,
            initial_rtt_ns: 100_000,
            measure_rtt: false,
            tcp_mode: false,
        }
    }

    fn progress(loss_found: bool, subscriber_position_min: i64) -> RebuildProgress {
        RebuildProgress {
            subscriber_position_min: Position(subscriber_position_min),
            next_sm_position: Position(0),
            hwm_position: Position(0),
            rebuild_position: Position(0),
            rebuild_position_new: Position(0),
            loss_found,
            length_behind_gap: 0,
        }
    }

    #[test]
    fn starts_at_ten_datagrams() {
        let cubic = Cubic::new(params(), None, Nanos(0));
        assert_eq!(cubic.cwnd_max, 93);
        assert_eq!(cubic.cwnd, 10);
        assert_eq!(cubic.initial_window_length(), 14_080);
        assert_eq!(cubic.max_window_length(), 131_072);
        assert!((cubic.k - 3.595_983_2).abs() < 1e-6);
    }

    #[test]
    fn grows_along_the_curve() {
        for (time_ns, cwnd) in [
            (MILLI, 75),
            (SECOND, 87),
            (2 * SECOND, 92),
            (3 * SECOND, 93),
        ] {
            let mut cubic = Cubic::new(params(), None, Nanos(0));
            let decision = cubic.on_track_rebuild(&progress(false, 0), Nanos(time_ns));
            assert_eq!(cubic.cwnd, cwnd, "after {time_ns} ns");
            assert_eq!(decision.window_length, cwnd * MTU);
            assert!(!decision.force_status_message);
        }
    }

    #[test]
    fn steps_only_after_the_update_timeout() {
        let mut cubic = Cubic::new(params(), None, Nanos(0));
        let _ = cubic.on_track_rebuild(&progress(false, 0), Nanos(100_000));
        assert_eq!(cubic.cwnd, 10);
        let _ = cubic.on_track_rebuild(&progress(false, 0), Nanos(100_001));
        assert_eq!(cubic.cwnd, 75);
    }

    #[test]
    fn loss_shrinks_the_window_by_a_fifth_and_forces_a_status_message() {
        let mut cubic = Cubic::new(params(), None, Nanos(0));
        let _ = cubic.on_track_rebuild(&progress(false, 0), Nanos(3 * SECOND));
        let decision = cubic.on_track_rebuild(&progress(true, 0), Nanos(3 * SECOND + 1));
        assert_eq!(
            decision,
            WindowDecision {
                window_length: 74 * MTU,
                force_status_message: true
            }
        );
        assert_eq!(cubic.w_max, 93);
    }

    #[test]
    fn never_shrinks_below_one_datagram_which_then_forces_status_messages() {
        let mut cubic = Cubic::new(params(), None, Nanos(0));
        for _ in 0..50 {
            let _ = cubic.on_track_rebuild(&progress(true, 0), Nanos(0));
        }
        assert_eq!(cubic.cwnd, 1);
        let idle = cubic.on_track_rebuild(&progress(false, 0), Nanos(1));
        assert!(!idle.force_status_message);
        let consumed = cubic.on_track_rebuild(&progress(false, 32), Nanos(1));
        assert_eq!(
            consumed,
            WindowDecision {
                window_length: MTU,
                force_status_message: true
            }
        );
    }

    #[test]
    fn tcp_mode_is_at_least_as_fast_as_tcp() {
        let mut plain = Cubic::new(params(), None, Nanos(0));
        let mut tcp = Cubic::new(
            CubicParams {
                tcp_mode: true,
                ..params()
            },
            None,
            Nanos(0),
        );
        let now = Nanos(10 * MILLI);
        let _ = plain.on_track_rebuild(&progress(false, 0), now);
        let _ = tcp.on_track_rebuild(&progress(false, 0), now);
        assert_eq!(plain.cwnd, 75);
        // 93·0.8 + (0.6/1.8)·(10 ms / 100 µs) = 107.7, capped.
        assert_eq!(tcp.cwnd, 93);
    }

    #[test]
    fn measures_round_trips_only_if_asked_to() {
        let cubic = Cubic::new(params(), None, Nanos(0));
        assert_eq!(cubic.measured_rtt_initial_ns(), None);
        let cubic = Cubic::new(
            CubicParams {
                measure_rtt: true,
                ..params()
            },
            None,
            Nanos(0),
        );
        assert_eq!(cubic.measured_rtt_initial_ns(), Some(100_000));
    }
}
