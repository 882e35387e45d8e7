//! Preflight: does this machine suit this configuration?
//!
//! [`check`] is a pure function from a [`DriverConfig`], a [`Plan`] of
//! streams and a [`Machine`] to [`Problem`]s. A machine is a root directory with the kernel's files
//! (`/proc`, `/sys`) below it, so that a test plants one.
//!
//! ```
//! use aileron_check::{Machine, Plan, check};
//! let report = check(&aileron::DriverConfig::default(), &Plan::default(), &Machine::this());
//! println!("{}", report.text());
//! ```
#![forbid(unsafe_code)]

mod cpu;
mod machine;
mod memory;
mod network;
mod plan;

use std::fmt::Write as _;

use aileron::DriverConfig;

pub use machine::{Machine, Storage};
pub use plan::{Plan, PlannedStream};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// What can be wrong with a machine.
        ///
        /// ```
        /// assert_eq!(aileron_check::Kind::ClockSource.name(), "clock-source");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$doc])* $name),+
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name that JSON has.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

kinds! {
    /// The kernel allows smaller receive buffers than are configured.
    ReceiveBufferLimit = "receive-buffer-limit";
    /// The kernel allows smaller send buffers than are configured, or than a datagram is long.
    SendBufferLimit = "send-buffer-limit";
    /// Windows promise senders more than the receive buffer holds.
    WindowExceedsBuffer = "window-exceeds-buffer";
    /// The file system of the directory is too small for the planned streams.
    StorageTooSmall = "storage-too-small";
    /// The directory is not on a file system in memory.
    StorageNotMemory = "storage-not-memory";
    /// Pages of a size that the directory's file system or the pool of huge pages does not have.
    HugePages = "huge-pages";
    /// Memory may be swapped out.
    Swap = "swap";
    /// The container may not use as much memory as is planned.
    MemoryLimit = "memory-limit";
    /// More threads never sleep than there are CPUs.
    CpuCount = "cpu-count";
    /// A thread is to be pinned to a CPU that the process may not use.
    CpuNotAllowed = "cpu-not-allowed";
    /// The container may not use as much CPU as threads that never sleep take.
    CpuQuota = "cpu-quota";
    /// The container may not have as many threads as the driver starts.
    ThreadLimit = "thread-limit";
    /// CPUs save power.
    CpuGovernor = "cpu-governor";
    /// Fewer files may be open than are planned.
    FileLimit = "file-limit";
    /// Fewer mappings are allowed than are planned.
    MapLimit = "map-limit";
    /// Datagrams are longer than an interface carries.
    InterfaceMtu = "interface-mtu";
    /// No route leads to the multicast groups.
    MulticastRoute = "multicast-route";
    /// An interface does not do multicast.
    MulticastInterface = "multicast-interface";
    /// More groups are planned than a socket may join.
    GroupLimit = "group-limit";
    /// Reading the clock costs a trap into the kernel or a slow device.
    ClockSource = "clock-source";
}

/// One thing that is wrong with a machine.
///
/// ```
/// use aileron_check::{Kind, Problem};
/// let problem = Problem {
///     kind: Kind::Swap,
///     is_fatal: false,
///     what: "swap is on".into(),
///     why: "a page that was swapped out stops a stream for milliseconds".into(),
///     fix: "swapoff -a".into(),
/// };
/// assert!(!problem.is_fatal);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what, why and the fix")]
pub struct Problem {
    /// Which kind.
    pub kind: Kind,
    /// Whether something will be refused or lost; else it is only slower than it could be.
    pub is_fatal: bool,
    /// What is the matter, with the values.
    pub what: String,
    /// Why it matters.
    pub why: String,
    /// The command, or the setting, that mends it.
    pub fix: String,
}

/// What a check found.
///
/// ```
/// assert!(!aileron_check::Report::default().is_fatal());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The problems, the fatal ones first.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Whether something will be refused or lost.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.problems.iter().any(|problem| problem.is_fatal)
    }

    /// All of it for people.
    #[must_use]
    pub fn text(&self) -> String {
        if self.problems.is_empty() {
            return "this machine suits the configuration\n".to_owned();
        }
        let mut text = String::new();
        for problem in &self.problems {
            let kind = if problem.is_fatal { "problem" } else { "hint" };
            let _ = writeln!(text, "{kind}: {}", problem.kind.name());
            let _ = writeln!(text, "  what: {}", problem.what);
            let _ = writeln!(text, "  why:  {}", problem.why);
            let _ = writeln!(text, "  fix:  {}", problem.fix);
        }
        text
    }

    fn add(&mut self, kind: Kind, is_fatal: bool, what: String, why: &str, fix: String) {
        let why = why.to_owned();
        self.problems.push(Problem {
            kind,
            is_fatal,
            what,
            why,
            fix,
        });
    }
}

/// Checks a configuration and the streams that are planned against a machine. What the machine does
/// not tell is not held against it.
#[must_use]
pub fn check(config: &DriverConfig, plan: &Plan, machine: &Machine) -> Report {
    let mut report = Report::default();
    network::check(config, plan, machine, &mut report);
    memory::check(config, plan, machine, &mut report);
    cpu::check(config, machine, &mut report);
    report
        .problems
        .sort_by_key(|problem| (!problem.is_fatal, problem.kind));
    report
}
