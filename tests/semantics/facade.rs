//! The plain values of the facade [`crate::peer`], the same over every client library.
#![allow(
    dead_code,
    reason = "each executable that includes the rows uses a part of it"
)]

use std::net::SocketAddr;
use std::time::Duration;

/// What a row asks of its client beyond the defaults.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientOptions {
    /// Name in the label of the heartbeat counter.
    pub(crate) name: Option<String>,
    /// How old the driver's heartbeat may get.
    pub(crate) driver_timeout: Option<Duration>,
    /// Between keepalives.
    pub(crate) keepalive: Option<Duration>,
    /// No thread for the conductor: the row calls `do_work`.
    pub(crate) invoked: bool,
}

/// A command that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code of the registration error; see [`code`].
    pub(crate) code: i32,
    /// The words.
    pub(crate) text: String,
}

impl Refusal {
    /// Panics unless it has `code` and every one of `words` in its text.
    pub(crate) fn assert(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.text.contains(word), "{word:?} in {self:?}");
        }
    }
}

/// Error codes of the control protocol.
pub(crate) mod code {
    /// The client library refused, nothing was sent.
    pub(crate) const OF_CLIENT: i32 = 0;
    /// The channel cannot be.
    pub(crate) const INVALID_CHANNEL: i32 = 1;
    /// No such subscription.
    pub(crate) const UNKNOWN_SUBSCRIPTION: i32 = 2;
    /// No such publication.
    pub(crate) const UNKNOWN_PUBLICATION: i32 = 3;
    /// No such counter.
    pub(crate) const UNKNOWN_COUNTER: i32 = 5;
    /// The name of a host could not be resolved.
    pub(crate) const UNKNOWN_HOST: i32 = 9;
    /// Try again a little later.
    pub(crate) const RESOURCE_TEMPORARILY_UNAVAILABLE: i32 = 10;
    /// Anything that has no code of its own.
    pub(crate) const GENERIC_ERROR: i32 = 11;
    /// The file system is too small.
    pub(crate) const STORAGE_SPACE: i32 = 12;
    /// The receiver did not want the image.
    pub(crate) const IMAGE_REJECTED: i32 = 13;
}

/// Outcome of offering a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// In the log; the position behind it.
    Position(i64),
    /// No room until subscribers consume.
    BackPressured,
    /// No subscriber.
    NotConnected,
    /// Try again at once.
    AdminAction,
    /// The publication is closed.
    Closed,
    /// The stream is used up.
    MaxPositionExceeded,
    /// The arguments cannot be.
    Invalid(String),
}

impl Offered {
    /// The position, if it was sent.
    pub(crate) const fn position(&self) -> Option<i64> {
        match self {
            Self::Position(position) => Some(*position),
            _ => None,
        }
    }

    /// Whether trying again may help.
    pub(crate) const fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::BackPressured | Self::NotConnected | Self::AdminAction
        )
    }
}

/// What a handler sees of a fragment's or a message's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderView {
    /// Length of the frame with its header.
    pub(crate) frame_length: i32,
    /// Flags.
    pub(crate) flags: u8,
    /// Type of the frame.
    pub(crate) frame_type: u16,
    /// Offset of the frame in its term.
    pub(crate) term_offset: i32,
    /// Session.
    pub(crate) session_id: i32,
    /// Stream.
    pub(crate) stream_id: i32,
    /// Term.
    pub(crate) term_id: i32,
    /// The value that rides along.
    pub(crate) reserved_value: i64,
    /// Position behind the frame.
    pub(crate) position: i64,
}

/// Flags of a message in one fragment.
pub(crate) const UNFRAGMENTED: u8 = 0xC0;
/// Flag of a first fragment.
pub(crate) const BEGIN: u8 = 0x80;
/// Flag of a last fragment.
pub(crate) const END: u8 = 0x40;

/// What a controlled handler wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Stop, and give this fragment again.
    Abort,
    /// Stop after this fragment.
    Break,
    /// Go on, and publish the position first.
    Commit,
    /// Go on.
    Continue,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CounterView {
    /// Its id.
    pub(crate) id: i32,
    /// Its type.
    pub(crate) type_id: i32,
    /// Its value.
    pub(crate) value: i64,
    /// Registration id.
    pub(crate) registration_id: i64,
    /// Client that owns it, or -1.
    pub(crate) owner_id: i64,
    /// What it refers to.
    pub(crate) reference_id: i64,
    /// Label.
    pub(crate) label: String,
    /// Key.
    pub(crate) key: Vec<u8>,
}

impl CounterView {
    /// A little-endian 32-bit word of the key.
    pub(crate) fn key_i32(&self, offset: usize) -> i32 {
        let bytes = self.key.get(offset..offset + 4).expect("a key that long");
        i32::from_le_bytes(bytes.try_into().expect("four bytes"))
    }

    /// A little-endian 64-bit word of the key.
    pub(crate) fn key_i64(&self, offset: usize) -> i64 {
        let bytes = self.key.get(offset..offset + 8).expect("a key that long");
        i64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }
}

/// A counter that came or went, as a client's handler saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CounterEvent {
    /// Whether it came.
    pub(crate) is_available: bool,
    /// Registration id.
    pub(crate) registration_id: i64,
    /// Its id.
    pub(crate) counter_id: i32,
}

/// An image that came or went, as the handlers of its subscription saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImageEvent {
    /// Whether it came.
    pub(crate) is_available: bool,
    /// Session.
    pub(crate) session_id: i32,
    /// Correlation id.
    pub(crate) correlation_id: i64,
    /// Position then.
    pub(crate) position: i64,
    /// Whether the image was closed then.
    pub(crate) is_closed: bool,
    /// Whether its stream had ended then.
    pub(crate) is_end_of_stream: bool,
    /// Whether its publication was revoked.
    pub(crate) is_revoked: bool,
}

/// A receiver's complaint about a publication, as the client's handler saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorFrame {
    /// Registration id of the publication.
    pub(crate) registration_id: i64,
    /// Registration id of the destination, or -1.
    pub(crate) destination_registration_id: i64,
    /// Session.
    pub(crate) session_id: i32,
    /// Stream.
    pub(crate) stream_id: i32,
    /// Receiver.
    pub(crate) receiver_id: i64,
    /// Group tag, or -1.
    pub(crate) group_tag: i64,
    /// Where it came from.
    pub(crate) source: Option<SocketAddr>,
    /// Error code.
    pub(crate) code: i32,
    /// The words.
    pub(crate) text: String,
}

/// What a client's error handler was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientFault {
    /// Which kind.
    pub(crate) kind: FaultKind,
    /// The words.
    pub(crate) text: String,
}

/// Kinds of faults that rows tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The driver's heartbeat is too old, or the driver is gone.
    DriverGone,
    /// The client was not serviced for too long.
    ServiceTimeout,
    /// The driver timed the client out.
    ClientTimeout,
    /// Another.
    Other,
}

/// State of a channel endpoint, by the value of its counter.
pub(crate) mod channel_status {
    /// Not bound yet.
    pub(crate) const INITIALIZING: i64 = 0;
    /// Could not be bound.
    pub(crate) const ERRORED: i64 = -1;
    /// In use.
    pub(crate) const ACTIVE: i64 = 1;
    /// About to go.
    pub(crate) const CLOSING: i64 = 2;
}
