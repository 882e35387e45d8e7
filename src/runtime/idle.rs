//! What a thread does when its agent had nothing to do (`driver.md` §3.1).

use std::fmt;
use std::time::Duration;

use crate::concurrent::AtomicCounter;
use crate::driver::config::IdleStrategy;

/// A strategy for idle duty cycles; trades latency against processor time and power.
///
/// ```
/// use aileron::runtime::Idler;
/// let mut idle = Idler::backoff();
/// idle.idle(1); // work was done: returns at once and starts over
/// idle.idle(0); // spins first, yields later, parks at last
/// ```
#[non_exhaustive]
pub enum Idler {
    /// Spins, then yields, then parks for doubling periods, or until its thread is unparked.
    Backoff(Backoff),
    /// Spins with a processor hint.
    BusySpin,
    /// Gives the processor away at each idle cycle.
    Yield,
    /// Returns at once.
    NoOp,
    /// Sleeps for a fixed time, or until its thread is unparked.
    Sleep(Duration),
    /// Does what a counter says, which tools can change at run time: 1 nothing, 2 spin, 3 yield,
    /// anything else park for a microsecond.
    Controllable(AtomicCounter),
    /// Whatever the user wants; called with the work count of the cycle.
    Custom(Box<dyn FnMut(usize) + Send>),
}

impl Idler {
    /// Backoff with the driver's default limits: 10 spins, 20 yields, 1 µs to 1 ms.
    #[must_use]
    pub fn backoff() -> Self {
        Self::Backoff(Backoff::new(
            10,
            20,
            Duration::from_micros(1),
            Duration::from_millis(1),
        ))
    }

    /// Runs a configured strategy; `status` is the counter that the controllable one obeys.
    #[must_use]
    pub fn new(strategy: IdleStrategy, status: &AtomicCounter) -> Self {
        let nanos = |ns: i64| Duration::from_nanos(u64::try_from(ns).unwrap_or(0));
        match strategy {
            IdleStrategy::Backoff {
                max_spins,
                max_yields,
                min_park_ns,
                max_park_ns,
            } => {
                let (min, max) = (nanos(min_park_ns), nanos(max_park_ns));
                Self::Backoff(Backoff::new(max_spins, max_yields, min, max))
            }
            IdleStrategy::Spin => Self::BusySpin,
            IdleStrategy::Yield => Self::Yield,
            IdleStrategy::Noop => Self::NoOp,
            IdleStrategy::SleepNs(ns) => Self::Sleep(nanos(ns)),
            IdleStrategy::SleepMs(ms) => Self::Sleep(nanos(ms.saturating_mul(1_000_000))),
            IdleStrategy::Controllable => Self::Controllable(status.clone()),
        }
    }

    /// Called after each duty cycle with the work it did.
    #[inline]
    pub fn idle(&mut self, work: usize) {
        if let Some(period) = self.next(work, Duration::ZERO) {
            std::thread::park_timeout(period);
        }
    }

    /// [`Self::idle`], but what is to be parked for is returned. Where that would be the longest
    /// period of the strategy, it is `rest`, if that is longer.
    #[inline]
    pub(super) fn next(&mut self, work: usize, rest: Duration) -> Option<Duration> {
        if let Self::Custom(custom) = self {
            custom(work);
            return None;
        }
        if work > 0 {
            if let Self::Backoff(backoff) = self {
                backoff.reset();
            }
            return None;
        }
        match self {
            Self::Backoff(backoff) => return backoff.step(rest),
            Self::BusySpin => std::hint::spin_loop(),
            Self::Yield => std::thread::yield_now(),
            Self::NoOp | Self::Custom(_) => {}
            Self::Sleep(duration) => return Some(rest.max(*duration)),
            Self::Controllable(status) => match status.get() {
                1 => {}
                2 => std::hint::spin_loop(),
                3 => std::thread::yield_now(),
                _ => std::thread::sleep(Duration::from_micros(1)),
            },
        }
        None
    }
}

impl fmt::Debug for Idler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff(backoff) => backoff.fmt(f),
            Self::BusySpin => f.write_str("BusySpin"),
            Self::Yield => f.write_str("Yield"),
            Self::NoOp => f.write_str("NoOp"),
            Self::Sleep(duration) => write!(f, "Sleep({duration:?})"),
            Self::Controllable(_) => f.write_str("Controllable"),
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

/// State and limits of the backoff strategy.
///
/// ```
/// use aileron::runtime::{Backoff, Idler};
/// use std::time::Duration;
/// let quick = Backoff::new(100, 100, Duration::from_micros(1), Duration::from_micros(50));
/// Idler::Backoff(quick).idle(0);
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    spins_max: u64,
    yields_max: u64,
    park_min: Duration,
    park_max: Duration,
    spins: u64,
    yields: u64,
    park: Duration,
}

impl Backoff {
    /// Spins more than `spins_max` times, then yields more than `yields_max` times, then parks for
    /// `park_min`, doubling up to `park_max`; the longest parks end an eighth sooner, so that
    /// `park_max` is about how long something may wait.
    #[must_use]
    pub const fn new(
        spins_max: u64,
        yields_max: u64,
        park_min: Duration,
        park_max: Duration,
    ) -> Self {
        Self {
            spins_max,
            yields_max,
            park_min,
            park_max,
            spins: 0,
            yields: 0,
            park: park_min,
        }
    }

    #[inline]
    fn reset(&mut self) {
        self.spins = 0;
        self.yields = 0;
        self.park = self.park_min;
    }

    /// What to park for, if it has come to that.
    fn step(&mut self, rest: Duration) -> Option<Duration> {
        if self.spins <= self.spins_max {
            self.spins += 1;
            std::hint::spin_loop();
            return None;
        }
        if self.yields <= self.yields_max {
            self.yields += 1;
            std::thread::yield_now();
            return None;
        }
        let park = self.park;
        self.park = park.saturating_mul(2).min(self.park_max);
        // Who parks has to be woken as well, which takes a kernel its time: what comes meanwhile is
        // not to wait for longer than the longest period.
        Some(if park == self.park_max {
            (park - park / 8).max(rest)
        } else {
            park
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_parks_longer_each_time_until_work_comes() {
        let micros = Duration::from_micros;
        let mut idle = Idler::Backoff(Backoff::new(0, 0, micros(1), micros(4)));
        for _ in 0..6 {
            idle.idle(0);
        }
        let Idler::Backoff(state) = &idle else {
            panic!("still backoff")
        };
        assert_eq!(state.park, micros(4));
        idle.idle(1);
        let Idler::Backoff(state) = &idle else {
            panic!("still backoff")
        };
        assert_eq!((state.spins, state.yields, state.park), (0, 0, micros(1)));
    }

    #[test]
    fn a_rest_takes_the_place_of_the_longest_park() {
        let micros = Duration::from_micros;
        let mut idle = Idler::Backoff(Backoff::new(0, 0, micros(1), micros(4)));
        let mut parks = || idle.next(0, micros(900));
        assert_eq!([parks(), parks()], [None; 2], "it spins and yields first");
        let expected = [1, 2, 900, 900].map(|us| Some(micros(us)));
        assert_eq!([parks(), parks(), parks(), parks()], expected);
        assert_eq!(idle.next(1, micros(900)), None);
        let mut sleep = Idler::Sleep(micros(7));
        assert_eq!(sleep.next(0, Duration::ZERO), Some(micros(7)));
        assert_eq!(sleep.next(0, micros(8)), Some(micros(8)));
        assert_eq!(Idler::NoOp.next(0, micros(8)), None);
    }

    #[test]
    fn custom_strategies_see_the_work_count() {
        let (tx, rx) = std::sync::mpsc::channel();
        let mut idle = Idler::Custom(Box::new(move |work| {
            tx.send(work).expect("the test listens");
        }));
        idle.idle(3);
        idle.idle(0);
        assert_eq!(rx.try_iter().collect::<Vec<_>>(), [3, 0]);
    }
}
