//! RSP_SETUP: the receiver of a request stream names the session of its response stream.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 11 |
//! | 8 | 4 | session id of the request stream |
//! | 12 | 4 | stream id of the request stream |
//! | 16 | 4 | session id of the response publication |

use std::fmt;

use super::header::{begin, expect_control, i32_le};
use super::{FrameError, FrameType};
use crate::base::bytes::write_i32;
use crate::base::{SessionId, StreamId};

mod field {
    pub(crate) const SESSION_ID: usize = 8;
    pub(crate) const STREAM_ID: usize = 12;
    pub(crate) const RESPONSE_SESSION_ID: usize = 16;
}

const _: () = assert!(field::RESPONSE_SESSION_ID + 4 == ResponseSetup::LENGTH);

/// A checked response setup.
///
/// ```
/// use aileron::protocol::{FrameError, ResponseSetupFrame};
/// assert_eq!(ResponseSetupFrame::parse(&[]).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy)]
pub struct ResponseSetupFrame<'a>(&'a [u8; ResponseSetup::LENGTH]);

impl<'a> ResponseSetupFrame<'a> {
    /// Checks a datagram that must be a response setup.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, or too few bytes.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        expect_control(datagram, FrameType::ResponseSetup).map(|(bytes, _)| Self(bytes))
    }

    /// Session of the request stream.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.0, field::SESSION_ID))
    }

    /// The request stream.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.0, field::STREAM_ID))
    }

    /// Session of the response publication to listen for.
    #[must_use]
    pub fn response_session_id(&self) -> SessionId {
        SessionId(i32_le(self.0, field::RESPONSE_SESSION_ID))
    }
}

impl fmt::Debug for ResponseSetupFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ResponseSetup::from(*self).fmt(f)
    }
}

impl fmt::Display for ResponseSetupFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RSP_SETUP session={} stream={} response_session={}",
            self.session_id(),
            self.stream_id(),
            self.response_session_id()
        )
    }
}

/// The fields of a response setup.
///
/// ```
/// use aileron::base::{SessionId, StreamId};
/// use aileron::protocol::{ResponseSetup, ResponseSetupFrame};
///
/// let setup = ResponseSetup {
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     response_session_id: SessionId(2),
/// };
/// let mut datagram = [0; ResponseSetup::LENGTH];
/// setup.encode(&mut datagram);
/// assert_eq!(ResponseSetup::from(ResponseSetupFrame::parse(&datagram).unwrap()), setup);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseSetup {
    /// Session of the request stream.
    pub session_id: SessionId,
    /// The request stream.
    pub stream_id: StreamId,
    /// Session of the response publication.
    pub response_session_id: SessionId,
}

impl ResponseSetup {
    /// Bytes of the frame.
    pub const LENGTH: usize = 20;

    /// Writes the frame.
    pub fn encode(&self, out: &mut [u8; Self::LENGTH]) {
        begin(out, FrameType::ResponseSetup, 20, 0);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i32(out, field::RESPONSE_SESSION_ID, self.response_session_id.0);
    }
}

impl From<ResponseSetupFrame<'_>> for ResponseSetup {
    fn from(frame: ResponseSetupFrame<'_>) -> Self {
        Self {
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            response_session_id: frame.response_session_id(),
        }
    }
}
