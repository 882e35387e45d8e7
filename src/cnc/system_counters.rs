//! The counters that every driver keeps about itself (`cnc.md` §12.2).
//!
//! They are allocated first, so that a system counter's number is its counter id as well.

use std::sync::Arc;

use super::counter_types::{SYSTEM_TYPE_ID, SystemKey};
use super::{CONTROL_PROTOCOL_VERSION, SemanticVersion};
use crate::base::{CounterId, EpochMillis, RegistrationId};
use crate::concurrent::{
    AtomicCounter, CounterSpec, CountersFull, CountersManager, CountersReader, STATIC_OWNER_ID,
};

macro_rules! system_counters {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $label:literal;)+) => {
        /// A counter that every driver keeps, by its number.
        ///
        /// ```
        /// use aileron::cnc::{SystemCounter, SystemCounterLabels};
        /// let labels = SystemCounterLabels::default();
        /// assert_eq!(SystemCounter::NaksReceived.id(), 6);
        /// assert_eq!(SystemCounter::NaksReceived.label(&labels), "NAKs received");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum SystemCounter {
            $($(#[$doc])* $name = $id),+
        }

        impl SystemCounter {
            /// All of them, in the order of their numbers.
            pub const ALL: [Self; [$($id),+].len()] = [$(Self::$name),+];

            /// The label, with the names of what differs between drivers in braces.
            const fn label_template(self) -> &'static str {
                match self {
                    $(Self::$name => $label),+
                }
            }
        }
    };
}

system_counters! {
    /// Bytes sent on the network.
    BytesSent = 0, "Bytes sent";
    /// Bytes received from the network.
    BytesReceived = 1, "Bytes received";
    /// Messages to the receiver that found its queue full.
    ReceiverProxyFails = 2, "Failed offers to ReceiverProxy";
    /// Messages to the sender that found its queue full.
    SenderProxyFails = 3, "Failed offers to SenderProxy";
    /// Messages to the conductor that found its queue full.
    ConductorProxyFails = 4, "Failed offers to DriverConductorProxy";
    /// NAKs sent.
    NaksSent = 5, "NAKs sent";
    /// NAKs received.
    NaksReceived = 6, "NAKs received";
    /// Status messages sent.
    StatusMessagesSent = 7, "Status Messages sent";
    /// Status messages received.
    StatusMessagesReceived = 8, "Status Messages received";
    /// Heartbeats sent.
    HeartbeatsSent = 9, "Heartbeats sent";
    /// Heartbeats received.
    HeartbeatsReceived = 10, "Heartbeats received";
    /// Retransmissions sent.
    RetransmitsSent = 11, "Retransmits sent";
    /// Data received behind the window.
    FlowControlUnderRuns = 12, "Flow control under runs";
    /// Data received beyond the window.
    FlowControlOverRuns = 13, "Flow control over runs";
    /// Datagrams dropped because they were malformed.
    InvalidPackets = 14, "Invalid packets";
    /// Errors, each of which is in the error log.
    Errors = 15, "Errors: version={version} commit={commit}";
    /// Sends that the kernel took only partly.
    ShortSends = 16, "Short sends";
    /// Attempts to free a log buffer that have to be repeated.
    FreeFails = 17, "Failed attempts to free log buffers";
    /// Times that a sender had data but no room in the flow-control window.
    SenderFlowControlLimits = 18, "Sender flow control limits, i.e. back-pressure events";
    /// Publications whose log was unblocked after a publisher died.
    UnblockedPublications = 19, "Unblocked Publications";
    /// Commands that were skipped after a client died writing them.
    UnblockedCommands = 20, "Unblocked Control Commands";
    /// Images whose sender uses another TTL.
    PossibleTtlAsymmetry = 21, "Possible TTL Asymmetry";
    /// Set by tools to control idle strategies.
    ControllableIdleStrategy = 22, "ControllableIdleStrategy status";
    /// Gaps filled because the stream is not reliable.
    LossGapFills = 23, "Loss gap fills";
    /// Clients that timed out.
    ClientTimeouts = 24, "Client liveness timeouts";
    /// Names that resolved to another address than before.
    ResolutionChanges = 25, "Resolution changes: driverName={resolver}";
    /// Longest cycle of the conductor, nanoseconds.
    ConductorMaxCycleTime = 26, "Conductor max cycle time doing its work in ns: {mode}";
    /// Cycles of the conductor beyond the threshold.
    ConductorCycleTimeThresholdExceeded = 27,
        "Conductor work cycle exceeded threshold count: threshold={conductor threshold} {mode}";
    /// Longest cycle of the sender, nanoseconds.
    SenderMaxCycleTime = 28, "Sender max cycle time doing its work in ns: {mode}";
    /// Cycles of the sender beyond the threshold.
    SenderCycleTimeThresholdExceeded = 29,
        "Sender work cycle exceeded threshold count: threshold={sender threshold} {mode}";
    /// Longest cycle of the receiver, nanoseconds.
    ReceiverMaxCycleTime = 30, "Receiver max cycle time doing its work in ns: {mode}";
    /// Cycles of the receiver beyond the threshold.
    ReceiverCycleTimeThresholdExceeded = 31,
        "Receiver work cycle exceeded threshold count: threshold={receiver threshold} {mode}";
    /// Longest name resolution, nanoseconds.
    NameResolverMaxTime = 32, "NameResolver max time in ns";
    /// Name resolutions beyond the threshold.
    NameResolverTimeThresholdExceeded = 33,
        "NameResolver exceeded threshold count: threshold={resolver threshold}";
    /// The driver's [`SemanticVersion`].
    AeronVersion = 34, "Aeron software: version={version} commit={commit}";
    /// Bytes of files mapped now.
    BytesCurrentlyMapped = 35, "Bytes currently mapped";
    /// Bytes sent again.
    RetransmittedBytes = 36, "Retransmitted bytes";
    /// Retransmissions refused because too many were under way.
    RetransmitOverflow = 37, "Retransmit Pool Overflow count";
    /// Error frames received.
    ErrorFramesReceived = 38, "Error Frames received";
    /// Error frames sent.
    ErrorFramesSent = 39, "Error Frames sent";
    /// Publications revoked.
    PublicationsRevoked = 40, "Publications Revoked";
    /// Images of revoked publications.
    PublicationImagesRevoked = 41, "Publication Images Revoked";
    /// Images rejected.
    ImagesRejected = 42, "Images rejected";
    /// [`CONTROL_PROTOCOL_VERSION`].
    ControlProtocolVersion = 43, "Control protocol version";
    /// Status messages that did not suit their publication.
    StatusMessagesRejected = 44, "Status Messages rejected";
    /// Requests for slow work that found their queue full.
    NativeResourceAgentProxyFails = 45, "Failed offers to NativeResourceAgentProxy";
}

/// What the labels of some system counters tell about the driver. Thresholds are in nanoseconds.
///
/// ```
/// use aileron::cnc::{SystemCounter, SystemCounterLabels};
/// let labels = SystemCounterLabels {
///     threading_mode: "SHARED",
///     sender_threshold_ns: 1_500_000,
///     ..SystemCounterLabels::default()
/// };
/// assert_eq!(
///     SystemCounter::SenderCycleTimeThresholdExceeded.label(&labels),
///     "Sender work cycle exceeded threshold count: threshold=1500us SHARED",
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built field by field in the driver"
)]
pub struct SystemCounterLabels<'a> {
    /// Version text of the driver, such as `1.53.0`.
    pub version: &'a str,
    /// Commit that the driver was built from; may be empty.
    pub commit: &'a str,
    /// `DEDICATED`, `SHARED_NETWORK`, `SHARED` or `INVOKER`.
    pub threading_mode: &'a str,
    /// Cycles of the conductor longer than this are counted.
    pub conductor_threshold_ns: i64,
    /// Cycles of the sender longer than this are counted.
    pub sender_threshold_ns: i64,
    /// Cycles of the receiver longer than this are counted.
    pub receiver_threshold_ns: i64,
    /// Name resolutions longer than this are counted.
    pub name_resolver_threshold_ns: i64,
    /// Name of this driver among those that resolve names together; empty for none.
    pub resolver_name: &'a str,
}

impl Default for SystemCounterLabels<'_> {
    fn default() -> Self {
        Self {
            version: "",
            commit: "",
            threading_mode: "DEDICATED",
            conductor_threshold_ns: 100_000_000,
            sender_threshold_ns: 100_000_000,
            receiver_threshold_ns: 100_000_000,
            name_resolver_threshold_ns: 5_000_000_000,
            resolver_name: "",
        }
    }
}

impl SystemCounter {
    /// The number: its counter id, registration id and key.
    #[must_use]
    pub const fn id(self) -> i32 {
        self as i32
    }

    /// The system counter with this number.
    #[must_use]
    pub fn from_id(id: i32) -> Option<Self> {
        usize::try_from(id)
            .ok()
            .and_then(|index| Self::ALL.get(index))
            .copied()
    }

    /// The counter's id.
    #[must_use]
    pub const fn counter_id(self) -> CounterId {
        CounterId(self.id())
    }

    /// The counter's label.
    #[must_use]
    pub fn label(self, labels: &SystemCounterLabels<'_>) -> String {
        let template = self.label_template();
        if !template.contains('{') {
            return template.to_owned();
        }
        template
            .replace("{version}", labels.version)
            .replace("{commit}", labels.commit)
            .replace("{mode}", labels.threading_mode)
            .replace(
                "{conductor threshold}",
                &duration_text(labels.conductor_threshold_ns),
            )
            .replace(
                "{sender threshold}",
                &duration_text(labels.sender_threshold_ns),
            )
            .replace(
                "{receiver threshold}",
                &duration_text(labels.receiver_threshold_ns),
            )
            .replace(
                "{resolver threshold}",
                &duration_text(labels.name_resolver_threshold_ns),
            )
            .replace("{resolver}", labels.resolver_name)
    }

    /// The counter's value before anybody sets it, in a driver of this version.
    fn initial_value(self, version: SemanticVersion) -> i64 {
        if self == Self::AeronVersion {
            version.to_wire().into()
        } else if self == Self::ControlProtocolVersion {
            CONTROL_PROTOCOL_VERSION.to_wire().into()
        } else {
            0
        }
    }
}

/// A duration in the largest unit that expresses it exactly.
fn duration_text(ns: i64) -> String {
    for (unit_ns, unit) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
        if ns % unit_ns == 0 {
            return format!("{}{unit}", ns / unit_ns);
        }
    }
    format!("{ns}ns")
}

/// Handles on all system counters, for every agent; cloning is cheap.
///
/// ```
/// use aileron::cnc::{SystemCounter, SystemCounters};
/// let counters = SystemCounters::detached();
/// counters.get(SystemCounter::NaksReceived).add(1);
/// assert_eq!(counters.get(SystemCounter::NaksReceived).get(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct SystemCounters {
    counters: Arc<[AtomicCounter; SystemCounter::ALL.len()]>,
}

impl SystemCounters {
    /// Allocates them, which has to be the first that is done with `manager`. The versions of
    /// driver and control protocol are set, all others are 0.
    ///
    /// # Errors
    /// [`CountersFull`] when there is no room for all.
    pub fn allocate(
        manager: &mut CountersManager,
        labels: &SystemCounterLabels<'_>,
        version: SemanticVersion,
        now: EpochMillis,
    ) -> Result<Self, CountersFull> {
        let mut counters = Vec::with_capacity(SystemCounter::ALL.len());
        for system in SystemCounter::ALL {
            let counter = manager.allocate(
                &CounterSpec {
                    type_id: SYSTEM_TYPE_ID,
                    key: &SystemKey {
                        system_counter_id: system.id(),
                    }
                    .encode(),
                    label: &system.label(labels),
                    registration_id: RegistrationId(i64::from(system.id())),
                    owner_id: STATIC_OWNER_ID,
                    reference_id: 0,
                    initial_value: system.initial_value(version),
                },
                now,
            )?;
            debug_assert_eq!(
                counter.id(),
                system.counter_id(),
                "allocated before all others"
            );
            counters.push(counter);
        }
        Ok(Self::from_vec(counters))
    }

    /// Handles on the system counters of a running driver. A counter that an older driver does not
    /// keep is detached: it can be used, but nobody sees it.
    #[must_use]
    pub fn attach(reader: &CountersReader) -> Self {
        let counter_of = |system: SystemCounter| {
            let id = system.counter_id();
            let is_system = reader.type_id(id) == Some(SYSTEM_TYPE_ID)
                && reader.registration_id(id) == Some(RegistrationId(i64::from(system.id())));
            let counter = if is_system { reader.counter(id) } else { None };
            counter.unwrap_or_else(|| AtomicCounter::detached(0))
        };
        Self::from_vec(SystemCounter::ALL.into_iter().map(counter_of).collect())
    }

    /// Counters that no file shows, for tests.
    #[must_use]
    pub fn detached() -> Self {
        Self::from_vec(
            SystemCounter::ALL
                .map(|_| AtomicCounter::detached(0))
                .into(),
        )
    }

    /// The handle on one counter. Several agents add to `Errors`, `InvalidPackets` and the failed
    /// offers, so those are for [`AtomicCounter::add`].
    #[must_use]
    #[inline]
    pub fn get(&self, counter: SystemCounter) -> &AtomicCounter {
        &self.counters[counter as usize]
    }

    fn from_vec(counters: Vec<AtomicCounter>) -> Self {
        let counters = counters.try_into().expect("one counter was made for each");
        Self {
            counters: Arc::new(counters),
        }
    }
}
