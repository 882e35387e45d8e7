//! The named values of options: small closed sets.

use std::fmt;

/// Which agents share a thread (`aeron.threading.mode`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, ThreadingMode};
/// assert_eq!(DriverConfig::default().threading_mode(), ThreadingMode::Dedicated);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever starts threads must know every mode"
)]
pub enum ThreadingMode {
    /// Conductor, sender, receiver and resource agent have a thread each.
    #[default]
    Dedicated,
    /// Sender and receiver share one; conductor and resource agent have their own.
    SharedNetwork,
    /// One thread runs all agents.
    Shared,
    /// No thread: the embedding application drives all agents.
    Invoker,
}

impl ThreadingMode {
    /// The name used in configuration text and in counter labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dedicated => "DEDICATED",
            Self::SharedNetwork => "SHARED_NETWORK",
            Self::Shared => "SHARED",
            Self::Invoker => "INVOKER",
        }
    }
}

impl fmt::Display for ThreadingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Set of thread names (`aeron.thread.naming`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, ThreadNaming};
/// assert_eq!(DriverConfig::default().thread_naming(), ThreadNaming::Classic);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the two sets there are")]
pub enum ThreadNaming {
    /// `conductor`, `sender`, `receiver`, …
    #[default]
    Classic,
    /// `aeron-md-cnd`, `aeron-md-snd`, `aeron-md-rcv`, …
    New,
}

/// Whether receivers of a channel behave as members of a group
/// (`aeron.receiver.group.consideration`, URI `group`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three values of the `group` parameter"
)]
///
/// ```
/// use aileron::driver::config::{DriverConfig, GroupConsideration};
/// assert_eq!(DriverConfig::default().receiver_group_consideration(), GroupConsideration::Infer);
/// ```
pub enum GroupConsideration {
    /// Always: NAKs back off at random.
    True,
    /// Never.
    False,
    /// When the channel is multicast or its SETUP carries the group flag.
    #[default]
    Infer,
}

/// Receiver congestion control of channels (`aeron.CongestionControl.supplier`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, CongestionSupplier};
/// assert_eq!(DriverConfig::default().congestion_control(), CongestionSupplier::Default);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the three names there are")]
pub enum CongestionSupplier {
    /// The URI's `cc`, else static.
    #[default]
    Default,
    /// A window of constant length.
    Static,
    /// CUBIC.
    Cubic,
}

/// Flow control of multicast and multi-destination publications
/// (`aeron.multicast.FlowControl.supplier`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, MulticastFlowControlSupplier};
/// let config = DriverConfig::default();
/// assert_eq!(config.multicast_flow_control(), MulticastFlowControlSupplier::Default);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the names there are")]
pub enum MulticastFlowControlSupplier {
    /// The URI's `fc`, else [`Self::Max`].
    #[default]
    Default,
    /// The fastest receiver leads.
    Max,
    /// The slowest receiver leads.
    Min,
    /// The slowest receiver of a group leads.
    Tagged,
    /// As for unicast.
    UnicastMax,
}

/// Who answers a request to terminate the driver (`aeron.driver.termination.validator`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, TerminationValidator};
/// assert_eq!(DriverConfig::default().termination_validator(), TerminationValidator::Deny);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the two answers there are")]
pub enum TerminationValidator {
    /// Requests are ignored.
    #[default]
    Deny,
    /// Any client may terminate the driver.
    Allow,
}

/// How host names become addresses (`AERON_NAME_RESOLVER_SUPPLIER`).
///
/// ```
/// use aileron::driver::config::{DriverConfig, NameResolverSupplier};
/// assert_eq!(DriverConfig::default().name_resolver(), NameResolverSupplier::Default);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "the names there are")]
pub enum NameResolverSupplier {
    /// The operating system.
    #[default]
    Default,
    /// Drivers that gossip their names, then the operating system.
    Driver,
    /// A fixed table, for tests.
    CsvTable,
}

/// An inclusive range of UDP ports.
///
/// ```
/// use aileron::driver::config::{DriverConfig, PortRange};
/// let range = "aeron.receiver.wildcard.port.range=9000 9100";
/// let config = DriverConfig::builder().define(range).build().unwrap();
/// let range = PortRange { low: 9000, high: 9100 };
/// assert_eq!(config.receiver_wildcard_port_range(), Some(range));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port.
    pub low: u16,
    /// Highest port, not below `low`.
    pub high: u16,
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.low, self.high)
    }
}
