//! Identifiers of the protocol: integers that must never be swapped for one another.

use std::fmt;

/// The value that stands for "none" in ids of shared memory and of the wire.
pub const NULL_VALUE: i64 = -1;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub $inner);

        impl $name {
            /// The plain integer.
            #[must_use]
            #[inline]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

id!(
    /// Identifies one publication's run of a stream; chosen by the publishing driver or the user.
    ///
    /// ```
    /// let session = aileron::base::SessionId(-7);
    /// assert_eq!(session.to_string(), "-7");
    /// ```
    SessionId(i32)
);
id!(
    /// Identifies a stream within a channel; chosen by the application.
    ///
    /// ```
    /// assert_eq!(aileron::base::StreamId(1001).get(), 1001);
    /// ```
    StreamId(i32)
);
id!(
    /// Names a resource (publication, subscription, counter, image) in one driver instance.
    ///
    /// ```
    /// use aileron::base::{NULL_VALUE, RegistrationId};
    /// assert_ne!(RegistrationId(1), RegistrationId(NULL_VALUE));
    /// ```
    RegistrationId(i64)
);
id!(
    /// Ties a driver's answer to a client's command; drawn from the same counter as registrations.
    ///
    /// ```
    /// use aileron::base::{CorrelationId, RegistrationId};
    /// let added = CorrelationId(12);
    /// assert_eq!(RegistrationId::from(added), RegistrationId(12));
    /// ```
    CorrelationId(i64)
);
id!(
    /// Names a client of a driver.
    ///
    /// ```
    /// assert_eq!(aileron::base::ClientId(3).get(), 3);
    /// ```
    ClientId(i64)
);
id!(
    /// Index of a counter in the counters file.
    ///
    /// ```
    /// assert_eq!(aileron::base::CounterId(15).get(), 15);
    /// ```
    CounterId(i32)
);
id!(
    /// Names a receive channel endpoint in what it sends to publishers.
    ///
    /// ```
    /// assert_eq!(aileron::base::ReceiverId(9).get(), 9);
    /// ```
    ReceiverId(i64)
);
id!(
    /// The channel part of the `tags` URI parameter.
    ///
    /// ```
    /// assert_eq!(aileron::base::ChannelTag(1001).get(), 1001);
    /// ```
    ChannelTag(i64)
);

impl CounterId {
    /// No counter: the channel status of IPC publications and spies.
    pub const NONE: Self = Self(-1);
}

impl From<CorrelationId> for RegistrationId {
    /// A resource is registered under the correlation id of the command that added it.
    fn from(id: CorrelationId) -> Self {
        Self(id.0)
    }
}

impl From<RegistrationId> for CorrelationId {
    fn from(id: RegistrationId) -> Self {
        Self(id.0)
    }
}
