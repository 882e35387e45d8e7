//! What a log is created with.

use crate::base::{SessionId, StreamId, TermId, TermOffset};

/// Whose log it is: the `type` field of the metadata.
///
/// ```
/// use aileron::logbuffer::LogKind;
/// assert_eq!(LogKind::from_wire(2), Some(LogKind::Image));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the three kinds of the format")]
pub enum LogKind {
    /// A publication that any number of threads and processes append to.
    #[default]
    Concurrent = 0,
    /// A publication with one writer.
    Exclusive = 1,
    /// The image of a network publication, written by a driver's receiver.
    Image = 2,
}

impl LogKind {
    /// The kind behind the metadata byte, if it is one.
    #[must_use]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            0 => Some(Self::Concurrent),
            1 => Some(Self::Exclusive),
            2 => Some(Self::Image),
            _ => None,
        }
    }
}

/// Every field of a fresh log's metadata (`logbuffer.md` §4). Lengths are bytes, timeouts
/// nanoseconds; fields that do not apply to the kind of log are 0.
///
/// ```
/// use aileron::logbuffer::{LogBuffer, LogKind, LogSpec, log_length};
/// use aileron::memory::AtomicBuffer;
/// let spec = LogSpec { kind: LogKind::Exclusive, mtu_length: 8192, ..LogSpec::default() };
/// let length = usize::try_from(log_length(spec.term_length, spec.page_size)).unwrap();
/// let log = LogBuffer::initialise(AtomicBuffer::heap(length), &spec).unwrap();
/// assert_eq!(log.max_payload_length(), 8160);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSpec {
    /// Whose log it is.
    pub kind: LogKind,
    /// Registration id of the publication, or correlation id of the image.
    pub correlation_id: i64,
    /// Session of the stream.
    pub session_id: SessionId,
    /// Stream within the channel.
    pub stream_id: StreamId,
    /// Id of the stream's first term.
    pub initial_term_id: TermId,
    /// Where a publication starts, if not at the begin of its initial term. Ignored for images.
    pub start: Option<(TermId, TermOffset)>,
    /// Length of each of the three terms: a power of two, 64 KiB to 1 GiB.
    pub term_length: i32,
    /// Page size to which the file is rounded up: a power of two, 4 KiB to 1 GiB.
    pub page_size: i32,
    /// Longest datagram payload and longest frame: a multiple of 32.
    pub mtu_length: i32,
    /// The publisher's flow-control window.
    pub publication_window_length: i32,
    /// The initial receiver window of an image.
    pub receiver_window_length: i32,
    /// Requested `SO_SNDBUF`; 0 for the operating system's default.
    pub socket_sndbuf_length: i32,
    /// `SO_SNDBUF` of a fresh socket on this machine.
    pub os_default_socket_sndbuf_length: i32,
    /// Largest `SO_SNDBUF` on this machine.
    pub os_max_socket_sndbuf_length: i32,
    /// Requested `SO_RCVBUF`; 0 for the operating system's default.
    pub socket_rcvbuf_length: i32,
    /// `SO_RCVBUF` of a fresh socket on this machine.
    pub os_default_socket_rcvbuf_length: i32,
    /// Largest `SO_RCVBUF` on this machine.
    pub os_max_socket_rcvbuf_length: i32,
    /// Most retransmissions under way at once.
    pub max_resend: i32,
    /// Entity part of the channel's `tags`; -1 for none, 0 for images.
    pub entity_tag: i64,
    /// Correlation id of the image this publication answers; -1 none, -2 prototype, 0 for images.
    pub response_correlation_id: i64,
    /// How long a publication stays after its last client is gone.
    pub linger_timeout_ns: i64,
    /// When an untethered subscriber counts as too slow.
    pub untethered_window_limit_timeout_ns: i64,
    /// How long an untethered subscriber lingers after that.
    pub untethered_linger_timeout_ns: i64,
    /// How long an untethered subscriber rests before it may rejoin.
    pub untethered_resting_timeout_ns: i64,
    /// Whether the channel has group semantics.
    pub group: bool,
    /// Whether the channel is a response channel.
    pub is_response: bool,
    /// Whether an image rejoins after it went unavailable.
    pub rejoin: bool,
    /// Whether an image asks for what it lost.
    pub reliable: bool,
    /// Whether the file was created with holes.
    pub sparse: bool,
    /// Whether the end of the stream is signalled.
    pub signal_eos: bool,
    /// Whether spies count as connected subscribers.
    pub spies_simulate_connection: bool,
    /// Whether an image's subscribers hold back the publisher.
    pub tether: bool,
}

const SECOND_NS: i64 = 1_000_000_000;

impl Default for LogSpec {
    /// A shared publication with 64 KiB terms and an MTU of 1408, without tags.
    fn default() -> Self {
        Self {
            kind: LogKind::Concurrent,
            correlation_id: 0,
            session_id: SessionId(0),
            stream_id: StreamId(0),
            initial_term_id: TermId(0),
            start: None,
            term_length: super::TERM_LENGTH_MIN,
            page_size: 4096,
            mtu_length: 1408,
            publication_window_length: super::TERM_LENGTH_MIN / 2,
            receiver_window_length: 0,
            socket_sndbuf_length: 0,
            os_default_socket_sndbuf_length: 0,
            os_max_socket_sndbuf_length: 0,
            socket_rcvbuf_length: 0,
            os_default_socket_rcvbuf_length: 0,
            os_max_socket_rcvbuf_length: 0,
            max_resend: 0,
            entity_tag: -1,
            response_correlation_id: -1,
            linger_timeout_ns: 5 * SECOND_NS,
            untethered_window_limit_timeout_ns: 5 * SECOND_NS,
            untethered_linger_timeout_ns: 5 * SECOND_NS,
            untethered_resting_timeout_ns: 10 * SECOND_NS,
            group: false,
            is_response: false,
            rejoin: false,
            reliable: false,
            sparse: true,
            signal_eos: true,
            spies_simulate_connection: false,
            tether: false,
        }
    }
}
