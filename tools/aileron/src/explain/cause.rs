//! Why streams stall, by name.

use std::fmt;

macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)+) => {
        /// Why a stream does not flow, or is about not to.
        ///
        /// ```
        /// use aileron_cli::explain::Cause;
        /// assert_eq!(Cause::SubscriberBehind.name(), "subscriber-behind");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Cause {
            $($(#[$doc])* $name),+
        }

        impl Cause {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name that JSON has, and that scripts may rely on.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }
        }
    };
}

causes! {
    /// The driver shut down, or died.
    DriverGone = "driver-gone";
    /// The process of the driver is stopped by a signal.
    DriverStopped = "driver-stopped";
    /// The conductor does not get round to its work.
    ConductorStalled = "conductor-stalled";
    /// The sender does not get round to its work.
    SenderStalled = "sender-stalled";
    /// The sender sends slower than is published, though it may send.
    SenderBehind = "sender-behind";
    /// The receiver does not get round to its work.
    ReceiverStalled = "receiver-stalled";
    /// A channel could not be opened.
    ChannelErrored = "channel-errored";
    /// Nobody subscribes to the stream.
    NoSubscriber = "no-subscriber";
    /// Somebody subscribes to the stream at another endpoint.
    EndpointMismatch = "endpoint-mismatch";
    /// Somebody subscribes to the group on another interface.
    InterfaceMismatch = "interface-mismatch";
    /// Nothing answers the SETUPs.
    SetupUnanswered = "setup-unanswered";
    /// A publication of several destinations has none.
    NoDestination = "no-destination";
    /// Flow control waits for more receivers.
    GroupIncomplete = "group-incomplete";
    /// A subscriber does not read fast enough, or not at all.
    SubscriberBehind = "subscriber-behind";
    /// An untethered subscriber fell behind and was taken out.
    UntetheredResting = "untethered-resting";
    /// A receiver elsewhere holds the sender back.
    FlowControl = "flow-control";
    /// The window is full before the first answer to it can be back.
    WindowTooSmall = "window-too-small";
    /// Sockets have room for less than the windows promise.
    SocketBufferTooSmall = "socket-buffer-too-small";
    /// Data is lost on the way and asked for again.
    Loss = "loss";
    /// Data is lost and what was asked for does not come.
    NaksUnanswered = "naks-unanswered";
    /// A claim was neither committed nor aborted.
    BlockedByClaim = "blocked-by-claim";
    /// A client has fallen silent.
    ClientSilent = "client-silent";
    /// A client was given up by the driver.
    ClientTimedOut = "client-timed-out";
    /// A name does not resolve.
    NameUnresolved = "name-unresolved";
    /// There is no storage for logs.
    StorageFull = "storage-full";
    /// The ends disagree about the longest frame.
    MtuMismatch = "mtu-mismatch";
    /// The ends disagree about the length of a term.
    TermLengthMismatch = "term-length-mismatch";
    /// The driver refused a command for another reason, which its error tells.
    Refused = "refused";
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
