//! How long it takes from asking for something to getting it.
//!
//! Estimated as TCP does (RFC 6298): a smoothed mean and a smoothed deviation. Two kinds of
//! readings go in. An answered round-trip request says how long the path is; it cannot be mistaken.
//! A gap that was asked for once and then filled says how long a repair takes, which is what
//! counts; but data that was merely late looks the same, so these readings are believed only if
//! they are not far below the last answered request.

/// Shortest margin of a repetition, in nanoseconds.
const MARGIN_MIN_NS: i64 = 20_000;

/// No path is longer than this, in nanoseconds: what is read comes from the network.
const ROUND_TRIP_MAX_NS: i64 = 4_000_000_000;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoundTrip {
    estimate: Option<Estimate>,
    /// The last answered request, in nanoseconds.
    measured_ns: Option<i64>,
    /// Whether nobody answers requests, so that other readings must do.
    is_unanswered: bool,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean_ns: i64,
    deviation_ns: i64,
}

impl RoundTrip {
    /// A request was answered after so many nanoseconds.
    pub(super) fn on_measured(&mut self, rtt_ns: i64) {
        let rtt_ns = rtt_ns.clamp(0, ROUND_TRIP_MAX_NS);
        self.measured_ns = Some(rtt_ns);
        self.take_in(rtt_ns);
    }

    /// Requests go unanswered.
    pub(super) const fn on_unanswered(&mut self) {
        self.is_unanswered = true;
    }

    /// What was asked for once came after so many nanoseconds.
    pub(super) fn on_repair(&mut self, elapsed_ns: i64) {
        let is_credible = match self.measured_ns {
            Some(measured_ns) => elapsed_ns >= measured_ns / 2,
            None => self.is_unanswered,
        };
        if is_credible {
            self.take_in(elapsed_ns.clamp(0, ROUND_TRIP_MAX_NS));
        }
    }

    /// Nanoseconds on average; `None` before the first reading.
    pub(super) fn mean_ns(&self) -> Option<i64> {
        self.estimate.map(|estimate| estimate.mean_ns)
    }

    /// By how many nanoseconds answers may overtake each other.
    pub(super) fn disorder_ns(&self) -> i64 {
        self.estimate.map_or(i64::MAX, |estimate| {
            estimate.deviation_ns.max(estimate.mean_ns / 64)
        })
    }

    /// Nanoseconds after which an answer is not to be expected any more.
    pub(super) fn patience_ns(&self) -> Option<i64> {
        let Estimate {
            mean_ns,
            deviation_ns,
        } = self.estimate?;
        Some(mean_ns + (4 * deviation_ns).max(mean_ns / 16).max(MARGIN_MIN_NS))
    }

    fn take_in(&mut self, rtt_ns: i64) {
        self.estimate = Some(match self.estimate {
            None => Estimate {
                mean_ns: rtt_ns,
                deviation_ns: rtt_ns / 4,
            },
            Some(Estimate {
                mean_ns,
                deviation_ns,
            }) => Estimate {
                mean_ns: (7 * mean_ns + rtt_ns) / 8,
                deviation_ns: (3 * deviation_ns + (rtt_ns - mean_ns).abs()) / 4,
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = 1_000_000;

    #[test]
    fn steady_readings_make_the_margin_small() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.patience_ns(), None);
        round_trip.on_measured(100 * MILLI);
        assert_eq!(round_trip.patience_ns(), Some(200 * MILLI));
        for _ in 0..50 {
            round_trip.on_repair(100 * MILLI);
        }
        assert_eq!(round_trip.mean_ns(), Some(100 * MILLI));
        assert_eq!(round_trip.patience_ns(), Some(106_250_000));
    }

    #[test]
    fn late_data_is_not_taken_for_a_repair() {
        let mut round_trip = RoundTrip::default();
        round_trip.on_repair(5 * MILLI);
        assert_eq!(round_trip.mean_ns(), None, "nothing to compare it with");
        round_trip.on_measured(100 * MILLI);
        round_trip.on_repair(5 * MILLI);
        assert_eq!(round_trip.mean_ns(), Some(100 * MILLI));
    }

    #[test]
    fn where_requests_go_unanswered_repairs_must_do() {
        let mut round_trip = RoundTrip::default();
        round_trip.on_unanswered();
        round_trip.on_repair(5 * MILLI);
        assert_eq!(round_trip.mean_ns(), Some(5 * MILLI));
    }

    #[test]
    fn hostile_readings_are_kept_within_reason() {
        let mut round_trip = RoundTrip::default();
        round_trip.on_measured(i64::MAX);
        round_trip.on_measured(i64::MIN);
        let patience_ns = round_trip.patience_ns().expect("readings");
        assert!((0..=8 * ROUND_TRIP_MAX_NS).contains(&patience_ns));
    }
}
