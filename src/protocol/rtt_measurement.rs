//! RTTM: round-trip time measurement. A receiver sends its clock, the sender echoes it.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 6 |
//! | 8 | 4 | session id |
//! | 12 | 4 | stream id |
//! | 16 | 8 | echo timestamp: the requester's monotonic nanoseconds |
//! | 24 | 8 | reception delta: nanoseconds the answer waited |
//! | 32 | 8 | receiver id |
//!
//! The flag named "reply" marks the *request*: a reply is asked for. The answer has it clear.

use std::fmt;

use super::header::{begin, expect_control, i32_le, i64_le};
use super::{FrameError, FrameType};
use crate::base::bytes::{write_i32, write_i64};
use crate::base::{Nanos, ReceiverId, SessionId, StreamId};

/// Bits of the flags field.
pub mod flags {
    /// A reply is requested.
    pub const REPLY: u8 = 0x80;
}

mod field {
    pub(crate) const FLAGS: usize = 5;
    pub(crate) const SESSION_ID: usize = 8;
    pub(crate) const STREAM_ID: usize = 12;
    pub(crate) const ECHO_TIMESTAMP: usize = 16;
    pub(crate) const RECEPTION_DELTA: usize = 24;
    pub(crate) const RECEIVER_ID: usize = 32;
}

const _: () = assert!(field::RECEIVER_ID + 8 == RttMeasurement::LENGTH);

/// A checked round-trip time measurement.
///
/// ```
/// use aileron::protocol::{FrameError, RttMeasurementFrame};
/// assert_eq!(RttMeasurementFrame::parse(&[]).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy)]
pub struct RttMeasurementFrame<'a>(&'a [u8; RttMeasurement::LENGTH]);

impl<'a> RttMeasurementFrame<'a> {
    /// Checks a datagram that must be a round-trip time measurement.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, or too few bytes.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        expect_control(datagram, FrameType::RttMeasurement).map(|(bytes, _)| Self(bytes))
    }

    /// Whether this is a request, to be answered; otherwise it is an answer.
    #[must_use]
    #[inline]
    pub const fn is_reply_requested(&self) -> bool {
        self.0[field::FLAGS] & flags::REPLY != 0
    }

    /// The publication's session.
    #[must_use]
    #[inline]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.0, field::SESSION_ID))
    }

    /// The stream.
    #[must_use]
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.0, field::STREAM_ID))
    }

    /// The requester's clock when it asked.
    #[must_use]
    #[inline]
    pub fn echo_timestamp(&self) -> Nanos {
        Nanos(i64_le(self.0, field::ECHO_TIMESTAMP))
    }

    /// Nanoseconds between receiving the request and answering it.
    #[must_use]
    #[inline]
    pub fn reception_delta_ns(&self) -> i64 {
        i64_le(self.0, field::RECEPTION_DELTA)
    }

    /// The receiver that measures; 0 addresses any.
    #[must_use]
    #[inline]
    pub fn receiver_id(&self) -> ReceiverId {
        ReceiverId(i64_le(self.0, field::RECEIVER_ID))
    }
}

impl fmt::Debug for RttMeasurementFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RttMeasurement::from(*self).fmt(f)
    }
}

impl fmt::Display for RttMeasurementFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RTTM {} session={} stream={} timestamp={} delta={} receiver={}",
            if self.is_reply_requested() {
                "request"
            } else {
                "answer"
            },
            self.session_id(),
            self.stream_id(),
            self.echo_timestamp().get(),
            self.reception_delta_ns(),
            self.receiver_id()
        )
    }
}

/// The fields of a round-trip time measurement.
///
/// ```
/// use aileron::base::{Nanos, ReceiverId, SessionId, StreamId};
/// use aileron::protocol::{RttMeasurement, RttMeasurementFrame};
///
/// let request = RttMeasurement {
///     is_reply_requested: true,
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     echo_timestamp: Nanos(5_000),
///     reception_delta_ns: 0,
///     receiver_id: ReceiverId(9),
/// };
/// let mut datagram = [0; RttMeasurement::LENGTH];
/// request.encode(&mut datagram);
/// let answer = RttMeasurementFrame::parse(&datagram).map(RttMeasurement::answer_to).unwrap();
/// assert!(!answer.is_reply_requested);
/// assert_eq!(answer.echo_timestamp, request.echo_timestamp);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RttMeasurement {
    /// True in a request, false in an answer.
    pub is_reply_requested: bool,
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The requester's clock when it asked.
    pub echo_timestamp: Nanos,
    /// Nanoseconds between receiving the request and answering it.
    pub reception_delta_ns: i64,
    /// The receiver that measures; 0 addresses any.
    pub receiver_id: ReceiverId,
}

impl RttMeasurement {
    /// Bytes of the frame.
    pub const LENGTH: usize = 40;

    /// The answer to a request, given at once.
    #[must_use]
    pub fn answer_to(request: RttMeasurementFrame<'_>) -> Self {
        Self {
            is_reply_requested: false,
            reception_delta_ns: 0,
            ..Self::from(request)
        }
    }

    /// Writes the frame.
    pub fn encode(&self, out: &mut [u8; Self::LENGTH]) {
        let flags = if self.is_reply_requested {
            flags::REPLY
        } else {
            0
        };
        begin(out, FrameType::RttMeasurement, 40, flags);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i64(out, field::ECHO_TIMESTAMP, self.echo_timestamp.0);
        write_i64(out, field::RECEPTION_DELTA, self.reception_delta_ns);
        write_i64(out, field::RECEIVER_ID, self.receiver_id.0);
    }
}

impl From<RttMeasurementFrame<'_>> for RttMeasurement {
    fn from(frame: RttMeasurementFrame<'_>) -> Self {
        Self {
            is_reply_requested: frame.is_reply_requested(),
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            echo_timestamp: frame.echo_timestamp(),
            reception_delta_ns: frame.reception_delta_ns(),
            receiver_id: frame.receiver_id(),
        }
    }
}
