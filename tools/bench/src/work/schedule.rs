//! When the next message of a series of round trips is due.

/// When a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// When the reply to the last one is there.
    ClosedLoop,
    /// At fixed times. Latency counts from the time at which a message was due, so that a stall is
    /// charged to every message that it held up.
    PerSecond(u64),
}

/// Says when the next message is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    pace: Pace,
    /// Closed loop: whether a reply is awaited.
    is_waiting: bool,
    /// Fixed rate: messages sent.
    count: u64,
}

impl Schedule {
    pub(crate) const fn new(pace: Pace) -> Self {
        Self {
            pace,
            is_waiting: false,
            count: 0,
        }
    }

    /// Nanoseconds at which the next message was due, if that is not later than `now`.
    pub(crate) fn due(&self, now: u64) -> Option<u64> {
        match self.pace {
            Pace::ClosedLoop => (!self.is_waiting).then_some(now),
            Pace::PerSecond(rate) => {
                let due = u128::from(self.count) * 1_000_000_000 / u128::from(rate.max(1));
                u64::try_from(due).ok().filter(|due| *due <= now)
            }
        }
    }

    /// Whether nothing is due before a reply has come, whatever the time.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting && self.pace == Pace::ClosedLoop
    }

    pub(crate) const fn sent(&mut self) {
        self.is_waiting = true;
        self.count += 1;
    }

    pub(crate) const fn on_reply(&mut self) {
        self.is_waiting = false;
    }

    /// Messages that should have been sent by now and were not.
    pub(crate) fn behind(&self, now: u64) -> u64 {
        match self.pace {
            Pace::ClosedLoop => 0,
            Pace::PerSecond(rate) => {
                let due = u128::from(now) * u128::from(rate) / 1_000_000_000;
                u64::try_from(due)
                    .unwrap_or(u64::MAX)
                    .saturating_sub(self.count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_a_rate_messages_are_due_at_fixed_times_whatever_happened_before() {
        let mut schedule = Schedule::new(Pace::PerSecond(1000));
        assert_eq!(schedule.due(5_000_000), Some(0));
        schedule.sent();
        assert_eq!(schedule.due(5_000_000), Some(1_000_000));
        (0..5).for_each(|_| schedule.sent());
        assert_eq!(schedule.due(5_000_000), None);
        assert_eq!(schedule.behind(8_000_000), 2);
    }

    #[test]
    fn in_a_closed_loop_a_message_follows_a_reply() {
        let mut schedule = Schedule::new(Pace::ClosedLoop);
        assert_eq!(schedule.due(7), Some(7));
        schedule.sent();
        assert_eq!(schedule.due(8), None);
        schedule.on_reply();
        assert_eq!(schedule.due(9), Some(9));
    }
}
