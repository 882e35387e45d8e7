//! How large a window an image advertises (`driver.md` §10).
//!
//! The conductor's half of an image asks after every rebuild scan; the answer goes out with the
//! next status message. Round trips are measured by the receiver's half (see [`RttSchedule`]),
//! which passes its readings on: each field has one owner.

mod auto_window;
mod cubic;
mod in_flight;
mod rtt;
mod static_window;

pub(crate) use auto_window::AutoWindow;
pub(crate) use cubic::{Cubic, CubicCounters, CubicParams};
pub(crate) use in_flight::InFlightWindow;
pub(crate) use rtt::RttSchedule;
pub(crate) use static_window::StaticWindow;

use std::fmt;

use crate::base::{Nanos, Position};
use crate::driver::config::CongestionSupplier;

/// The algorithms a channel can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CongestionAlgorithm {
    /// [`StaticWindow`].
    Static,
    /// [`Cubic`]; its image has two counters more.
    Cubic,
}

impl CongestionAlgorithm {
    /// What the driver's supplier makes of a channel's `cc` parameter; `None` if it is unknown.
    pub(crate) fn select(supplier: CongestionSupplier, cc: Option<&str>) -> Option<Self> {
        match supplier {
            CongestionSupplier::Static => Some(Self::Static),
            CongestionSupplier::Cubic => Some(Self::Cubic),
            CongestionSupplier::Default => match cc {
                None | Some("static") => Some(Self::Static),
                Some("cubic") => Some(Self::Cubic),
                Some(_) => None,
            },
        }
    }
}

/// What a rebuild scan saw; see [`CongestionController`].
///
/// ```
/// use aileron::driver::RebuildProgress;
/// let progress = RebuildProgress::default();
/// assert!(!progress.loss_found);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildProgress {
    /// Position of the slowest subscriber.
    pub subscriber_position_min: Position,
    /// Position of the status message scheduled last.
    pub next_sm_position: Position,
    /// End of the furthest data that arrived.
    pub hwm_position: Position,
    /// Rebuild position before the scan.
    pub rebuild_position: Position,
    /// Rebuild position after the scan.
    pub rebuild_position_new: Position,
    /// Whether the scan saw a gap not seen before.
    pub loss_found: bool,
    /// Bytes from the end of the gap that the scan saw to the furthest data, gaps among them; 0 if
    /// it saw none.
    pub length_behind_gap: i64,
}

/// The window from now on; see [`CongestionController`].
///
/// ```
/// use aileron::driver::WindowDecision;
/// let decision = WindowDecision { window_length: 65_536, force_status_message: false };
/// assert_eq!(decision.window_length, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made by users")]
pub struct WindowDecision {
    /// Bytes the sender may be ahead of the slowest subscriber.
    pub window_length: i32,
    /// Whether a status message is wanted even if nothing else calls for one.
    pub force_status_message: bool,
}

/// Congestion control of the user's own: how large a window an image advertises. Handed to the
/// driver by [`DriverConfigBuilder`]'s `congestion_control_supplier`.
///
/// ```
/// use aileron::base::Nanos;
/// use aileron::driver::{CongestionController, RebuildProgress, WindowDecision};
///
/// /// Halves the window with every loss.
/// #[derive(Debug)]
/// struct Halving(i32);
///
/// impl CongestionController for Halving {
///     fn on_track_rebuild(&mut self, progress: &RebuildProgress, _now: Nanos) -> WindowDecision {
///         if progress.loss_found {
///             self.0 = (self.0 / 2).max(4096);
///         }
///         WindowDecision { window_length: self.0, force_status_message: progress.loss_found }
///     }
///
///     fn initial_window_length(&self) -> i32 {
///         self.0
///     }
///
///     fn max_window_length(&self) -> i32 {
///         self.0
///     }
/// }
///
/// let config = aileron::DriverConfig::builder()
///     .congestion_control_supplier(|image| Some(Box::new(Halving(image.window_length))))
///     .build()?;
/// # Ok::<(), aileron::driver::config::ConfigErrors>(())
/// ```
///
/// [`DriverConfigBuilder`]: crate::driver::config::DriverConfigBuilder
pub trait CongestionController: fmt::Debug + Send {
    /// Called after each rebuild scan.
    fn on_track_rebuild(&mut self, progress: &RebuildProgress, now: Nanos) -> WindowDecision;

    /// A round trip was measured.
    fn on_rtt(&mut self, rtt_ns: i64) {
        let _ = rtt_ns;
    }

    /// First guess of the round trip in nanoseconds, if round trips are to be measured.
    fn measured_rtt_initial_ns(&self) -> Option<i64> {
        None
    }

    /// Window advertised by the first status message, in bytes.
    fn initial_window_length(&self) -> i32;

    /// Largest window ever advertised, in bytes.
    fn max_window_length(&self) -> i32;
}

/// The algorithm of one image.
#[derive(Debug)]
pub(crate) enum CongestionControl {
    /// A window that never changes.
    Static(StaticWindow),
    /// A window that what has come behind a gap does not count in.
    InFlight(InFlightWindow),
    /// A window that grows as long as it limits the stream.
    Auto(AutoWindow),
    /// TCP's CUBIC, in datagrams.
    Cubic(Cubic),
    /// The user's own.
    Custom(Box<dyn CongestionController>),
}

impl CongestionControl {
    /// Takes in a rebuild scan and says which window to advertise.
    #[inline]
    pub(crate) fn on_track_rebuild(
        &mut self,
        progress: &RebuildProgress,
        now: Nanos,
    ) -> WindowDecision {
        match self {
            Self::Static(control) => control.decision(),
            Self::InFlight(control) => control.on_track_rebuild(progress),
            Self::Auto(control) => control.on_track_rebuild(progress, now),
            Self::Cubic(control) => control.on_track_rebuild(progress, now),
            Self::Custom(control) => control.on_track_rebuild(progress, now),
        }
    }

    /// Takes in a measured round trip.
    pub(crate) fn on_rtt(&mut self, rtt_ns: i64) {
        match self {
            Self::Static(_) | Self::InFlight(_) => {}
            Self::Auto(control) => control.on_rtt(rtt_ns),
            Self::Cubic(control) => control.on_rtt(rtt_ns),
            Self::Custom(control) => control.on_rtt(rtt_ns),
        }
    }

    /// The receiver's schedule of measurements, if the algorithm wants any.
    pub(crate) fn rtt_schedule(&self, now: Nanos) -> Option<RttSchedule> {
        let rtt_initial_ns = match self {
            Self::Static(_) | Self::InFlight(_) => None,
            Self::Auto(_) => Some(auto_window::RTT_INITIAL_NS),
            Self::Cubic(control) => control.measured_rtt_initial_ns(),
            Self::Custom(control) => control.measured_rtt_initial_ns(),
        };
        rtt_initial_ns.map(|rtt_ns| RttSchedule::new(rtt_ns, now))
    }

    /// Window of the first status message, in bytes.
    pub(crate) fn initial_window_length(&self) -> i32 {
        match self {
            Self::Static(control) => control.window_length(),
            Self::InFlight(control) => control.window_length(),
            Self::Auto(control) => control.window_length(),
            Self::Cubic(control) => control.initial_window_length(),
            Self::Custom(control) => control.initial_window_length(),
        }
    }

    /// Largest window ever advertised, in bytes.
    pub(crate) fn max_window_length(&self) -> i32 {
        match self {
            Self::Static(control) => control.window_length(),
            Self::InFlight(control) => control.reach_length_max(),
            Self::Auto(control) => control.max_window_length(),
            Self::Cubic(control) => control.max_window_length(),
            Self::Custom(control) => control.max_window_length(),
        }
    }

    /// How far subscribers may be apart, in bytes, `advertised` being the window said last.
    pub(crate) const fn subscriber_window_length(&self, advertised: i32) -> i32 {
        match self {
            Self::InFlight(control) => control.window_length(),
            Self::Static(_) | Self::Auto(_) | Self::Cubic(_) | Self::Custom(_) => advertised,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Halving(i32);

    impl CongestionController for Halving {
        fn on_track_rebuild(&mut self, progress: &RebuildProgress, _now: Nanos) -> WindowDecision {
            if progress.loss_found {
                self.0 /= 2;
            }
            WindowDecision {
                window_length: self.0,
                force_status_message: progress.loss_found,
            }
        }

        fn initial_window_length(&self) -> i32 {
            self.0
        }

        fn max_window_length(&self) -> i32 {
            self.0
        }
    }

    #[test]
    fn the_channel_chooses_unless_the_driver_insists() {
        let default = |cc| CongestionAlgorithm::select(CongestionSupplier::Default, cc);
        assert_eq!(default(None), Some(CongestionAlgorithm::Static));
        assert_eq!(default(Some("static")), Some(CongestionAlgorithm::Static));
        assert_eq!(default(Some("cubic")), Some(CongestionAlgorithm::Cubic));
        assert_eq!(default(Some("bbr")), None);
        let cubic = CongestionAlgorithm::select(CongestionSupplier::Cubic, Some("static"));
        assert_eq!(cubic, Some(CongestionAlgorithm::Cubic));
    }

    fn progress(loss_found: bool) -> RebuildProgress {
        RebuildProgress {
            subscriber_position_min: Position(0),
            next_sm_position: Position(0),
            hwm_position: Position(0),
            rebuild_position: Position(0),
            rebuild_position_new: Position(0),
            loss_found,
            length_behind_gap: 0,
        }
    }

    #[test]
    fn a_static_window_stays_through_loss_and_measures_nothing() {
        let mut control = CongestionControl::Static(StaticWindow::new(131_072));
        let decision = control.on_track_rebuild(&progress(true), Nanos(0));
        assert_eq!(
            decision,
            WindowDecision {
                window_length: 131_072,
                force_status_message: false
            }
        );
        assert_eq!(control.initial_window_length(), 131_072);
        assert_eq!(control.max_window_length(), 131_072);
        assert!(control.rtt_schedule(Nanos(0)).is_none());
    }

    #[test]
    fn a_custom_algorithm_decides() {
        let mut control = CongestionControl::Custom(Box::new(Halving(4_096)));
        let decision = control.on_track_rebuild(&progress(true), Nanos(0));
        assert_eq!(
            decision,
            WindowDecision {
                window_length: 2_048,
                force_status_message: true
            }
        );
        control.on_rtt(5);
        assert!(control.rtt_schedule(Nanos(0)).is_none());
    }
}
