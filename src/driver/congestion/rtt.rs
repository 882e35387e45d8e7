//! When the receiver measures a round trip.

use crate::base::Nanos;

/// Multiple of the round trip between two measurements.
const RTT_TIMEOUT_MULTIPLE: i64 = 4;

/// Owned by the receiver's half of an image; decides when an RTTM request goes out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RttSchedule {
    rtt_initial_ns: i64,
    timeout_ns: i64,
    time_of_last_measurement: Nanos,
}

impl RttSchedule {
    /// A schedule whose first measurement is due at once.
    pub(crate) const fn new(rtt_initial_ns: i64, now: Nanos) -> Self {
        let timeout_ns = rtt_initial_ns.saturating_mul(RTT_TIMEOUT_MULTIPLE);
        Self {
            rtt_initial_ns,
            timeout_ns,
            time_of_last_measurement: now.plus_ns(-1 - timeout_ns),
        }
    }

    /// Whether a request is due.
    pub(crate) const fn should_measure(&self, now: Nanos) -> bool {
        now.is_expired(self.time_of_last_measurement, self.timeout_ns)
    }

    /// A request was sent.
    pub(crate) const fn on_sent(&mut self, now: Nanos) {
        self.time_of_last_measurement = now;
    }

    /// An answer arrived.
    pub(crate) fn on_rtt(&mut self, rtt_ns: i64, now: Nanos) {
        self.time_of_last_measurement = now;
        self.timeout_ns = rtt_ns
            .max(self.rtt_initial_ns)
            .saturating_mul(RTT_TIMEOUT_MULTIPLE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_at_once_and_then_every_fourth_round_trip() {
        let mut schedule = RttSchedule::new(100_000, Nanos(0));
        assert!(schedule.should_measure(Nanos(0)));
        schedule.on_sent(Nanos(0));
        assert!(!schedule.should_measure(Nanos(400_000)));
        assert!(schedule.should_measure(Nanos(400_001)));
        schedule.on_rtt(1_000_000, Nanos(400_001));
        assert!(!schedule.should_measure(Nanos(4_400_001)));
        assert!(schedule.should_measure(Nanos(4_400_002)));
    }

    #[test]
    fn a_tiny_round_trip_does_not_speed_measuring_up() {
        let mut schedule = RttSchedule::new(100_000, Nanos(0));
        schedule.on_rtt(5, Nanos(0));
        assert!(!schedule.should_measure(Nanos(400_000)));
    }
}
