//! What can happen in a driver, and sets of it.
//!
//! Where Aeron's event log has an event of the same meaning, its name and code are used; codes from
//! 1000 on are aileron's own. The values of an event have the names of their kind, in this order.

use std::fmt;

/// What an event is about.
///
/// ```
/// use aileron::concurrent::{EventFamily, EventKind};
/// assert_eq!(EventKind::NakSent.family(), EventFamily::Nak);
/// assert_eq!(EventFamily::parse("nak"), Some(EventFamily::Nak));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum EventFamily {
    /// What clients ask for.
    Command,
    /// What the driver tells clients.
    Reply,
    /// Publications, images, endpoints and clients that come and go.
    Life,
    /// Subscriptions, publications and images that change their state.
    State,
    /// Loss: what is asked for again, and sent again.
    Nak,
    /// Who takes part in flow control.
    FlowControl,
    /// Names and the drivers that tell them.
    Resolver,
    /// What goes to the error log.
    Error,
}

impl EventFamily {
    /// All families.
    pub const ALL: [Self; 8] = [
        Self::Command,
        Self::Reply,
        Self::Life,
        Self::State,
        Self::Nak,
        Self::FlowControl,
        Self::Resolver,
        Self::Error,
    ];

    /// The name used in settings and filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Reply => "reply",
            Self::Life => "life",
            Self::State => "state",
            Self::Nak => "nak",
            Self::FlowControl => "flow-control",
            Self::Resolver => "resolver",
            Self::Error => "error",
        }
    }

    /// The family of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.name() == name)
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $name:literal, $family:ident,
        [$($value:literal),*], $text:literal;)+) => {
        /// One kind of event.
        ///
        /// ```
        /// use aileron::concurrent::EventKind;
        /// let kind = EventKind::parse("NAK_SENT").unwrap();
        /// assert_eq!((kind, kind.code()), (EventKind::NakSent, 54));
        /// assert_eq!(kind.value_names()[..2], ["session-id", "stream-id"]);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $kind,)+
        }

        impl EventKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The number in the file.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self { $(Self::$kind => $code,)+ }
            }

            /// The name used in settings, filters and output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)+ }
            }

            /// What it is about.
            #[must_use]
            pub const fn family(self) -> EventFamily {
                match self { $(Self::$kind => EventFamily::$family,)+ }
            }

            /// Names of its values, at most [`super::EVENT_VALUES_MAX`].
            #[must_use]
            pub const fn value_names(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($value),*],)+ }
            }

            /// Name of its text; empty if it has none.
            #[must_use]
            pub const fn text_name(self) -> &'static str {
                match self { $(Self::$kind => $text,)+ }
            }
        }
    };
}

kinds! {
    /// A client asks for a shared publication.
    CmdInAddPublication = 3, "CMD_IN_ADD_PUBLICATION", Command,
        ["client-id", "correlation-id", "stream-id"], "channel";
    /// A client gives up a publication.
    CmdInRemovePublication = 4, "CMD_IN_REMOVE_PUBLICATION", Command,
        ["client-id", "correlation-id", "registration-id"], "";
    /// A client asks for a subscription.
    CmdInAddSubscription = 5, "CMD_IN_ADD_SUBSCRIPTION", Command,
        ["client-id", "correlation-id", "stream-id"], "channel";
    /// A client ends a subscription.
    CmdInRemoveSubscription = 6, "CMD_IN_REMOVE_SUBSCRIPTION", Command,
        ["client-id", "correlation-id", "registration-id"], "";
    /// A publication can be used.
    CmdOutPublicationReady = 7, "CMD_OUT_PUBLICATION_READY", Reply,
        ["correlation-id", "registration-id", "session-id", "stream-id"], "log-file";
    /// A subscription has an image.
    CmdOutAvailableImage = 8, "CMD_OUT_AVAILABLE_IMAGE", Reply,
        ["correlation-id", "subscription-id", "session-id", "stream-id"], "source";
    /// A command is done.
    CmdOutOnOperationSuccess = 12, "CMD_OUT_ON_OPERATION_SUCCESS", Reply,
        ["correlation-id"], "";
    /// A client shows that it lives.
    CmdInKeepaliveClient = 13, "CMD_IN_KEEPALIVE_CLIENT", Command, ["client-id"], "";
    /// A publication is gone.
    RemovePublicationCleanup = 14, "REMOVE_PUBLICATION_CLEANUP", Life,
        ["registration-id", "session-id", "stream-id"], "";
    /// An image is gone.
    RemoveImageCleanup = 16, "REMOVE_IMAGE_CLEANUP", Life,
        ["correlation-id", "session-id", "stream-id"], "";
    /// A subscription lost an image.
    CmdOutOnUnavailableImage = 17, "CMD_OUT_ON_UNAVAILABLE_IMAGE", Reply,
        ["correlation-id", "subscription-id", "stream-id"], "channel";
    /// A send endpoint is open.
    SendChannelCreation = 23, "SEND_CHANNEL_CREATION", Life, ["registration-id"], "channel";
    /// A receive endpoint is open.
    ReceiveChannelCreation = 24, "RECEIVE_CHANNEL_CREATION", Life,
        ["registration-id"], "channel";
    /// A send endpoint is closed.
    SendChannelClose = 25, "SEND_CHANNEL_CLOSE", Life, [], "channel";
    /// A receive endpoint is closed.
    ReceiveChannelClose = 26, "RECEIVE_CHANNEL_CLOSE", Life, [], "channel";
    /// A client adds a destination to a publication.
    CmdInAddDestination = 30, "CMD_IN_ADD_DESTINATION", Command,
        ["client-id", "correlation-id", "registration-id"], "channel";
    /// A client removes a destination of a publication.
    CmdInRemoveDestination = 31, "CMD_IN_REMOVE_DESTINATION", Command,
        ["client-id", "correlation-id", "registration-id"], "channel";
    /// A client asks for an exclusive publication.
    CmdInAddExclusivePublication = 32, "CMD_IN_ADD_EXCLUSIVE_PUBLICATION", Command,
        ["client-id", "correlation-id", "stream-id"], "channel";
    /// An exclusive publication can be used.
    CmdOutExclusivePublicationReady = 33, "CMD_OUT_EXCLUSIVE_PUBLICATION_READY", Reply,
        ["correlation-id", "registration-id", "session-id", "stream-id"], "log-file";
    /// A command failed.
    CmdOutError = 34, "CMD_OUT_ERROR", Reply, ["correlation-id", "error-code"], "error";
    /// A client asks for a counter.
    CmdInAddCounter = 35, "CMD_IN_ADD_COUNTER", Command,
        ["client-id", "correlation-id", "type-id"], "label";
    /// A client frees a counter.
    CmdInRemoveCounter = 36, "CMD_IN_REMOVE_COUNTER", Command,
        ["client-id", "correlation-id", "registration-id"], "";
    /// A subscription is registered.
    CmdOutSubscriptionReady = 37, "CMD_OUT_SUBSCRIPTION_READY", Reply,
        ["correlation-id", "channel-status-id"], "";
    /// A counter is there.
    CmdOutCounterReady = 38, "CMD_OUT_COUNTER_READY", Reply,
        ["correlation-id", "counter-id"], "";
    /// A counter is about to be freed.
    CmdOutOnUnavailableCounter = 39, "CMD_OUT_ON_UNAVAILABLE_COUNTER", Reply,
        ["registration-id", "counter-id"], "";
    /// A client says goodbye.
    CmdInClientClose = 40, "CMD_IN_CLIENT_CLOSE", Command, ["client-id"], "";
    /// A client adds a destination to a subscription.
    CmdInAddRcvDestination = 41, "CMD_IN_ADD_RCV_DESTINATION", Command,
        ["client-id", "correlation-id", "registration-id"], "channel";
    /// A client removes a destination of a subscription.
    CmdInRemoveRcvDestination = 42, "CMD_IN_REMOVE_RCV_DESTINATION", Command,
        ["client-id", "correlation-id", "registration-id"], "channel";
    /// The driver takes a client for dead.
    CmdOutOnClientTimeout = 43, "CMD_OUT_ON_CLIENT_TIMEOUT", Reply, ["client-id"], "";
    /// A client asks the driver to stop.
    CmdInTerminateDriver = 44, "CMD_IN_TERMINATE_DRIVER", Command, ["client-id"], "";
    /// An untethered subscriber was dropped from a stream, or joined it again.
    UntetheredSubscriptionStateChange = 45, "UNTETHERED_SUBSCRIPTION_STATE_CHANGE", State,
        ["subscription-id", "session-id", "stream-id"], "change";
    /// Another driver is known.
    NameResolutionNeighborAdded = 46, "NAME_RESOLUTION_NEIGHBOR_ADDED", Resolver, [], "address";
    /// Another driver has been silent for too long.
    NameResolutionNeighborRemoved = 47, "NAME_RESOLUTION_NEIGHBOR_REMOVED", Resolver,
        [], "address";
    /// A receiver takes part in a publication's flow control.
    FlowControlReceiverAdded = 48, "FLOW_CONTROL_RECEIVER_ADDED", FlowControl,
        ["receiver-id", "session-id", "stream-id", "receivers"], "";
    /// A receiver takes part in a publication's flow control no more.
    FlowControlReceiverRemoved = 49, "FLOW_CONTROL_RECEIVER_REMOVED", FlowControl,
        ["receiver-id", "session-id", "stream-id", "receivers"], "";
    /// A name was looked up.
    NameResolutionResolve = 50, "NAME_RESOLUTION_RESOLVE", Resolver,
        ["is-re-resolution", "duration-ns"], "result";
    /// A receiver asks for what it misses.
    NakSent = 54, "NAK_SENT", Nak,
        ["session-id", "stream-id", "term-id", "term-offset", "length"], "";
    /// A publication sent a range again.
    Resend = 55, "RESEND", Nak,
        ["session-id", "stream-id", "term-id", "term-offset", "length", "resent"], "";
    /// A client removes a destination of a publication by its id.
    CmdInRemoveDestinationById = 56, "CMD_IN_REMOVE_DESTINATION_BY_ID", Command,
        ["client-id", "correlation-id", "registration-id", "destination-id"], "";
    /// A client rejects an image.
    CmdInRejectImage = 57, "CMD_IN_REJECT_IMAGE", Command,
        ["client-id", "correlation-id", "image-id", "position"], "reason";
    /// A publication is asked for what a receiver misses.
    NakReceived = 58, "NAK_RECEIVED", Nak,
        ["session-id", "stream-id", "term-id", "term-offset", "length"], "";
    /// A publication was revoked.
    PublicationRevoked = 59, "PUBLICATION_REVOKED", Life,
        ["registration-id", "session-id", "stream-id"], "";
    /// A client asks for a static counter.
    CmdInAddStaticCounter = 1000, "CMD_IN_ADD_STATIC_COUNTER", Command,
        ["client-id", "correlation-id", "type-id"], "label";
    /// A client asks for a free session id.
    CmdInGetNextAvailableSessionId = 1001, "CMD_IN_GET_NEXT_AVAILABLE_SESSION_ID", Command,
        ["client-id", "correlation-id", "stream-id"], "";
    /// A command that cannot be understood.
    CmdInMalformed = 1002, "CMD_IN_MALFORMED", Command, ["type-id"], "error";
    /// A static counter is there.
    CmdOutStaticCounter = 1010, "CMD_OUT_STATIC_COUNTER", Reply,
        ["correlation-id", "counter-id"], "";
    /// A session id that is free.
    CmdOutNextAvailableSessionId = 1011, "CMD_OUT_NEXT_AVAILABLE_SESSION_ID", Reply,
        ["correlation-id", "session-id"], "";
    /// A receiver refused a publication's stream.
    CmdOutPublicationError = 1012, "CMD_OUT_PUBLICATION_ERROR", Reply,
        ["registration-id", "session-id", "stream-id", "receiver-id", "error-code"], "error";
    /// A client has its first resource.
    ClientAdded = 1020, "CLIENT_ADDED", Life, ["client-id"], "";
    /// A client is gone, with all it had.
    ClientRemoved = 1021, "CLIENT_REMOVED", Life, ["client-id", "timed-out"], "";
    /// A publication is there.
    PublicationCreated = 1022, "PUBLICATION_CREATED", Life,
        ["registration-id", "session-id", "stream-id", "term-length", "mtu"], "channel";
    /// An image is there.
    ImageCreated = 1023, "IMAGE_CREATED", Life,
        ["correlation-id", "session-id", "stream-id", "position", "term-length", "mtu",
            "window"], "source";
    /// No image came of a SETUP.
    ImageRefused = 1024, "IMAGE_REFUSED", Life, ["session-id", "stream-id"], "source";
    /// A message that a client never finished was skipped.
    PublicationUnblocked = 1025, "PUBLICATION_UNBLOCKED", Life,
        ["registration-id", "session-id", "stream-id"], "";
    /// A publication entered another state.
    PublicationStateChange = 1030, "PUBLICATION_STATE_CHANGE", State,
        ["registration-id", "session-id", "stream-id"], "state";
    /// An image entered another state.
    ImageStateChange = 1031, "IMAGE_STATE_CHANGE", State,
        ["correlation-id", "session-id", "stream-id"], "state";
    /// A NAK found no free slot among the resends.
    ResendOverflow = 1040, "RESEND_OVERFLOW", Nak,
        ["session-id", "stream-id", "term-id", "term-offset", "length"], "";
    /// A gap was padded, as its stream is not reliable.
    GapFilled = 1041, "GAP_FILLED", Nak,
        ["session-id", "stream-id", "term-id", "term-offset", "length"], "";
    /// A name leads to another address now.
    ResolutionChange = 1050, "RESOLUTION_CHANGE", Resolver, [], "change";
    /// What went to the error log.
    ErrorRecorded = 1060, "ERROR_RECORDED", Error, ["error-code"], "error";
}

const _: () = assert!(EventKind::ALL.len() <= 128, "a set has a bit for each kind");

impl EventKind {
    /// The kind of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = Self::ALL.iter().copied();
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    const fn bit(self) -> u128 {
        1 << self as u32
    }
}

/// A set of kinds: which events are wanted.
///
/// ```
/// use aileron::concurrent::{EventKind, EventSet};
/// let set = EventSet::parse("nak,CMD_OUT_ERROR").unwrap();
/// assert!(set.contains(EventKind::NakReceived) && set.contains(EventKind::CmdOutError));
/// assert!(!set.contains(EventKind::CmdInAddPublication));
/// assert_eq!(EventSet::parse(&set.to_string()), Ok(set));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventSet(u128);

impl EventSet {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Every kind there is.
    #[must_use]
    pub fn all() -> Self {
        EventKind::ALL.iter().copied().collect()
    }

    /// Reads a list of kinds and families, separated by commas; `all` and `admin` are all kinds,
    /// and nothing is none.
    ///
    /// # Errors
    /// A name is neither that of a kind nor of a family; the text says which and what would be.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut set = Self::NONE;
        let names = text.split(',').map(str::trim);
        for name in names.filter(|name| !name.is_empty()) {
            set.0 |= Self::named(name)?.0;
        }
        Ok(set)
    }

    fn named(name: &str) -> Result<Self, String> {
        if matches!(name, "all" | "admin") {
            return Ok(Self::all());
        }
        if let Some(family) = EventFamily::parse(name) {
            let all = EventKind::ALL.iter().copied();
            return Ok(all.filter(|kind| kind.family() == family).collect());
        }
        if let Some(kind) = EventKind::parse(name) {
            return Ok(Self(kind.bit()));
        }
        if name.starts_with("FRAME_") {
            return Err(format!(
                "'{name}' is not offered: an event per datagram would slow the data path; \
                 capture the network instead"
            ));
        }
        let families: Vec<_> = EventFamily::ALL.iter().map(|f| f.name()).collect();
        Err(format!(
            "'{name}' is no event; there are all, the families {} and single events such as \
             NAK_SENT",
            families.join(", ")
        ))
    }

    /// Whether a kind is in it.
    #[must_use]
    pub const fn contains(self, kind: EventKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in it and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The kinds in it, in the order of [`EventKind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = EventKind> {
        let all = EventKind::ALL.iter().copied();
        all.filter(move |kind| self.contains(*kind))
    }
}

impl FromIterator<EventKind> for EventSet {
    fn from_iter<I: IntoIterator<Item = EventKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | kind.bit()))
    }
}

/// As [`EventSet::parse`] reads it.
impl fmt::Display for EventSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::all() {
            return f.write_str("all");
        }
        for (index, kind) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(kind.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::concurrent::EVENT_VALUES_MAX;

    #[test]
    fn names_and_codes_are_unique_and_lead_back() {
        let mut seen = (BTreeSet::new(), BTreeSet::new());
        for &kind in EventKind::ALL {
            assert!(seen.0.insert(kind.name()) && seen.1.insert(kind.code()));
            assert_eq!(EventKind::parse(kind.name()), Some(kind));
            assert_eq!(EventKind::from_code(kind.code()), Some(kind));
            assert!(kind.value_names().len() <= EVENT_VALUES_MAX, "{kind:?}");
        }
        assert_eq!(EventKind::from_code(1), None);
    }

    #[test]
    fn lists_are_read_and_what_is_no_event_is_named() {
        assert_eq!(EventSet::parse(""), Ok(EventSet::NONE));
        assert_eq!(EventSet::parse("all"), Ok(EventSet::all()));
        let some = EventSet::parse(" NAK_SENT , RESEND ").expect("two kinds");
        assert_eq!(some.iter().collect::<Vec<_>>().len(), 2);
        assert_eq!(some.to_string(), "NAK_SENT,RESEND");
        let rest = EventSet::all().without(some);
        assert!(!rest.contains(EventKind::NakSent) && rest.contains(EventKind::NakReceived));
        let error = EventSet::parse("NAK_SENT,nonsense").expect_err("no event");
        assert!(
            error.contains("'nonsense'") && error.contains("flow-control"),
            "{error}"
        );
        let error = EventSet::parse("FRAME_IN").expect_err("refused");
        assert!(error.contains("data path"), "{error}");
    }

    #[test]
    fn families_partition_all_kinds() {
        let mut union = EventSet::NONE;
        for family in EventFamily::ALL {
            let set = EventSet::parse(family.name()).expect("a family");
            assert!(!set.is_empty() && union.without(set) == union);
            union = union.iter().chain(set.iter()).collect();
        }
        assert_eq!(union, EventSet::all());
    }
}
