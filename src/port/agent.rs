//! Agents: things that are given the time and do a bounded amount of work.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{EpochMillis, Nanos};

/// What the clocks said at the top of a duty cycle; all work of the cycle uses it.
///
/// ```
/// use aileron::base::{EpochMillis, Nanos};
/// use aileron::port::Tick;
/// let tick = Tick { now: Nanos(5), epoch: EpochMillis(1_700_000_000_000) };
/// assert_eq!(tick.now.get(), 5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Monotonic time.
    pub now: Nanos,
    /// Wall-clock time, for what goes to shared memory.
    pub epoch: EpochMillis,
}

/// Ends the rest of a thread; see [`Agent::set_wake`].
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Something driven by calling it over and over. Threads, parking and affinity are the caller's.
pub trait Agent: Send {
    /// Name for threads and reports.
    fn name(&self) -> &'static str;

    /// Called once, on the thread that will drive the agent, before the first [`Self::do_work`].
    fn on_start(&mut self, tick: Tick) {
        let _ = tick;
    }

    /// Drains a bounded number of messages and does a bounded amount of work. Returns how much was
    /// done; 0 means that the caller may idle.
    fn do_work(&mut self, tick: Tick) -> usize;

    /// Nanoseconds for which the caller may rest after a cycle without work, if it has given the
    /// agent a [`Wake`]. 0, unless what can come to the agent wakes its caller, or may wait for as
    /// long.
    fn rest_ns(&self) -> i64 {
        0
    }

    /// Waits for about `period`, or until something comes that wakes nobody. Returns whether it has
    /// waited; else the caller does.
    fn rest(&mut self, period: Duration) -> bool {
        let _ = period;
        false
    }

    /// Called before [`Self::on_start`] by whoever may rest: whatever gives the agent something to
    /// do from another thread is to call `wake`.
    fn set_wake(&mut self, wake: &Wake) {
        let _ = wake;
    }

    /// Called once after the last [`Self::do_work`].
    fn on_close(&mut self, tick: Tick) {
        let _ = tick;
    }
}

impl fmt::Debug for dyn Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A source of [`Tick`]s, for code at the rim that waits. The core reads one in a single place: to
/// see how long a look-up of a name took, which no tick can tell.
pub trait Clock: Send + Sync {
    /// Reads both clocks.
    fn tick(&self) -> Tick;

    /// Reads the monotonic clock alone.
    fn now(&self) -> Nanos {
        self.tick().now
    }

    /// The monotonic clock as it was some milliseconds ago at most, for what need not know better:
    /// that is read in a fraction of the time.
    fn coarse_now(&self) -> Nanos {
        self.now()
    }
}
