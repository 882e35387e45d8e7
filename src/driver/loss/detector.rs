//! Watches the first gap of an image and says when to ask for it (`driver.md` §9.1).
//!
//! Only the first gap matters: nothing behind it can be consumed. A gap whose start or length
//! changed is a new gap: part of the old one was repaired, or data arrived behind it, and either
//! way it is too early to repeat the request.

use super::NakDelay;
use crate::base::Nanos;
use crate::logbuffer::Gap;

/// What one scan means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detection {
    /// A gap that the scan before had not seen (congestion control wants to know).
    pub(crate) loss_found: bool,
    /// The gap to ask for now.
    pub(crate) due: Option<Gap>,
}

/// Remembers the gap in sight and its deadline.
#[derive(Debug)]
pub(crate) struct LossDetector {
    delay: NakDelay,
    active: Option<(Gap, Nanos)>,
}

impl LossDetector {
    /// A detector that has seen no gap.
    pub(crate) const fn new(delay: NakDelay) -> Self {
        Self {
            delay,
            active: None,
        }
    }

    /// Takes in the first gap that a scan saw, if any (`LossDetector.scan`).
    pub(crate) fn on_scan(&mut self, gap: Option<Gap>, now: Nanos) -> Detection {
        let Some(gap) = gap else {
            return Detection {
                loss_found: false,
                due: None,
            };
        };
        let (loss_found, deadline) = match self.active {
            Some((active, deadline)) if active == gap => (false, deadline),
            Some(_) | None => (true, now.plus_ns(self.delay.delay_ns())),
        };
        if now.is_at_or_after(deadline) {
            self.active = Some((gap, now.plus_ns(self.delay.retry_delay_ns())));
            return Detection {
                loss_found,
                due: Some(gap),
            };
        }
        self.active = Some((gap, deadline));
        Detection {
            loss_found,
            due: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, TermId, TermOffset};

    fn gap(term_offset: i32, length: i32) -> Option<Gap> {
        Some(Gap {
            term_id: TermId(7),
            term_offset: TermOffset(term_offset),
            length,
        })
    }

    fn unicast() -> LossDetector {
        LossDetector::new(NakDelay::unicast(1_000, 100))
    }

    #[test]
    fn no_gap_is_no_loss() {
        let detection = unicast().on_scan(None, Nanos(5));
        assert_eq!(
            detection,
            Detection {
                loss_found: false,
                due: None
            }
        );
    }

    #[test]
    fn a_gap_is_due_once_its_delay_passed() {
        let mut detector = unicast();
        assert_eq!(
            detector.on_scan(gap(64, 128), Nanos(0)),
            Detection {
                loss_found: true,
                due: None
            }
        );
        assert_eq!(detector.on_scan(gap(64, 128), Nanos(999)).due, None);
        assert_eq!(
            detector.on_scan(gap(64, 128), Nanos(1_000)),
            Detection {
                loss_found: false,
                due: gap(64, 128)
            }
        );
    }

    #[test]
    fn a_gap_is_due_once_per_retry_delay() {
        let mut detector = unicast();
        let due = (0..1_000)
            .filter(|tick| {
                detector
                    .on_scan(gap(64, 128), Nanos(tick * 1_000))
                    .due
                    .is_some()
            })
            .collect::<Vec<_>>();
        assert_eq!(
            due,
            (0..10).map(|retry| 1 + retry * 100).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_gap_that_changed_starts_anew() {
        let mut detector = unicast();
        let _ = detector.on_scan(gap(64, 128), Nanos(0));
        let longer = detector.on_scan(gap(64, 256), Nanos(1_000));
        assert_eq!(
            longer,
            Detection {
                loss_found: true,
                due: None
            }
        );
        assert_eq!(
            detector.on_scan(gap(64, 256), Nanos(2_000)).due,
            gap(64, 256)
        );
        let next = detector.on_scan(gap(1_024, 256), Nanos(2_001));
        assert_eq!(
            next,
            Detection {
                loss_found: true,
                due: None
            }
        );
    }

    #[test]
    fn a_zero_delay_is_due_in_the_scan_that_found_it() {
        let mut detector = LossDetector::new(NakDelay::immediate());
        let detection = detector.on_scan(gap(64, 128), Nanos(i64::MAX));
        assert_eq!(
            detection,
            Detection {
                loss_found: true,
                due: gap(64, 128)
            }
        );
    }

    #[test]
    fn group_requests_are_spread_by_fresh_draws() {
        let mut detector = LossDetector::new(NakDelay::group(10_000_000, 10, Rng::new(5)));
        let mut due = Vec::new();
        for tick in 0..100_000 {
            let now = Nanos(tick * 1_000);
            if detector.on_scan(gap(0, 32), now).due.is_some() {
                due.push(now.get());
            }
        }
        let waits = due
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .collect::<Vec<_>>();
        assert!(waits.len() > 5);
        assert!(waits.iter().all(|wait| *wait <= 10_001_000));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
