//! The driver as a whole.

use aileron::base::EpochMillis;
use aileron::cnc::SystemCounter;

/// What the header of the CnC file and the first labels tell about a driver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DriverView {
    /// Its process.
    pub pid: i64,
    /// When it started.
    pub start: EpochMillis,
    /// When its conductor was last alive; −1 once it was shut down.
    pub heartbeat: EpochMillis,
    /// Version of the CnC file's layout.
    pub cnc_version: String,
    /// Version of the driver, as its counter has it.
    pub version: String,
    /// Whether it is aileron's, which keeps counters that others do not.
    pub is_aileron: bool,
    /// `DEDICATED`, `SHARED_NETWORK`, `SHARED` or `INVOKER`; empty if it does not say.
    pub threading_mode: String,
    /// A client silent for longer is dead to it, nanoseconds.
    pub client_liveness_timeout_ns: i64,
    /// Page size of its files, bytes.
    pub page_size: usize,
}

/// The counters that every driver keeps.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SystemView {
    /// Values by number; `None` for one that this driver does not keep.
    pub(super) values: [Option<i64>; SystemCounter::ALL.len()],
    /// The agents: conductor, sender, receiver.
    pub agents: Vec<AgentView>,
}

impl SystemView {
    /// The value of a counter; 0 where the driver does not keep it.
    #[must_use]
    pub fn get(&self, counter: SystemCounter) -> i64 {
        self.try_get(counter).unwrap_or(0)
    }

    /// The value of a counter, if the driver keeps it.
    #[must_use]
    pub fn try_get(&self, counter: SystemCounter) -> Option<i64> {
        let index = usize::try_from(counter.id()).ok()?;
        self.values.get(index).copied().flatten()
    }
}

/// What an agent of the driver tells about its duty cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentView {
    /// `conductor`, `sender` or `receiver`.
    pub name: &'static str,
    /// Its longest cycle so far, nanoseconds.
    pub max_cycle_ns: i64,
    /// Cycles that were longer than the driver's threshold.
    pub threshold_exceeded: i64,
    /// When it was last alive, where the driver tells.
    pub alive: Option<EpochMillis>,
    /// Nanoseconds that it was busy since the driver started, where the driver tells.
    pub busy_ns: Option<i64>,
}
