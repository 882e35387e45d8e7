//! ERR: a receiver refuses the stream, with a reason.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 4; frame length 40 plus the text |
//! | 8 | 4 | session id |
//! | 12 | 4 | stream id |
//! | 16 | 8 | receiver id |
//! | 24 | 8 | group tag, meaningful with its flag |
//! | 32 | 4 | error code |
//! | 36 | 4 | length of the text, at most 1023 |
//! | 40 | … | text, no terminator |

use std::fmt;

use super::header::{begin, expect_control, i32_le, i64_le};
use super::{FrameError, FrameType};
use crate::base::bytes::{write_i32, write_i64};
use crate::base::{ReceiverId, SessionId, StreamId};

/// Bytes of the frame before its text.
pub const HEADER_LENGTH: usize = 40;
/// Most bytes of text a frame carries.
pub const TEXT_LENGTH_MAX: usize = 1023;
/// Bytes of the longest frame.
pub const LENGTH_MAX: usize = HEADER_LENGTH + TEXT_LENGTH_MAX;

/// Bits of the flags field.
pub mod flags {
    /// The group tag is meaningful.
    pub const HAS_GROUP_TAG: u8 = 0x08;
}

mod field {
    pub(crate) const FLAGS: usize = 5;
    pub(crate) const SESSION_ID: usize = 8;
    pub(crate) const STREAM_ID: usize = 12;
    pub(crate) const RECEIVER_ID: usize = 16;
    pub(crate) const GROUP_TAG: usize = 24;
    pub(crate) const ERROR_CODE: usize = 32;
    pub(crate) const ERROR_LENGTH: usize = 36;
}

const _: () = assert!(field::ERROR_LENGTH + 4 == HEADER_LENGTH);

/// A checked error frame.
///
/// ```
/// use aileron::protocol::{ErrorFrame, FrameError};
/// assert_eq!(ErrorFrame::parse(&[]).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy)]
pub struct ErrorFrame<'a> {
    header: &'a [u8; HEADER_LENGTH],
    /// From the text's first byte to the frame's end.
    tail: &'a [u8],
}

impl<'a> ErrorFrame<'a> {
    /// Checks a datagram that must be an error frame, and the length of its text.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, too few bytes, or a text that is too long or
    /// does not end within the frame.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let frame = Self::view(datagram)?;
        frame.check_fields()?;
        Ok(frame)
    }

    pub(super) fn view(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let (header, common) = expect_control(datagram, FrameType::Error)?;
        let frame_end = usize::try_from(common.frame_length).unwrap_or_default();
        // A frame length that does not even cover the header leaves room for no text at all, not
        // even an empty one; `check_fields` compares with it.
        Ok(Self {
            header,
            tail: datagram.get(HEADER_LENGTH..frame_end).unwrap_or_default(),
        })
    }

    pub(super) fn check_fields(&self) -> Result<(), FrameError> {
        let length = i32_le(self.header, field::ERROR_LENGTH);
        let frame_length = i32_le(self.header, 0);
        let is_within = i64::from(frame_length) >= 40 + i64::from(length);
        match usize::try_from(length) {
            Ok(length) if length <= TEXT_LENGTH_MAX && is_within => Ok(()),
            _ => Err(FrameError::ErrorLength),
        }
    }

    /// The publication's session.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.header, field::SESSION_ID))
    }

    /// The stream.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.header, field::STREAM_ID))
    }

    /// The receive endpoint that refuses.
    #[must_use]
    pub fn receiver_id(&self) -> ReceiverId {
        ReceiverId(i64_le(self.header, field::RECEIVER_ID))
    }

    /// The receiver's group tag, if it has one.
    #[must_use]
    pub fn group_tag(&self) -> Option<i64> {
        let has_tag = self.header[field::FLAGS] & flags::HAS_GROUP_TAG != 0;
        has_tag.then(|| i64_le(self.header, field::GROUP_TAG))
    }

    /// The reason's number, from the code space of the control protocol.
    #[must_use]
    pub fn error_code(&self) -> i32 {
        i32_le(self.header, field::ERROR_CODE)
    }

    /// The reason's text as sent: ASCII from well-behaved receivers, at most 1023 bytes.
    #[must_use]
    pub fn text(&self) -> &'a [u8] {
        let length = usize::try_from(i32_le(self.header, field::ERROR_LENGTH)).unwrap_or_default();
        self.tail.get(..length).unwrap_or_default()
    }
}

impl fmt::Debug for ErrorFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ErrorMessage::from(*self).fmt(f)
    }
}

impl fmt::Display for ErrorFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ERR session={} stream={} receiver={} code={}",
            self.session_id(),
            self.stream_id(),
            self.receiver_id(),
            self.error_code()
        )?;
        if let Some(tag) = self.group_tag() {
            write!(f, " gtag={tag}")?;
        }
        write!(f, " text=\"{}\"", self.text().escape_ascii())
    }
}

/// The fields of an error frame.
///
/// ```
/// use aileron::base::{ReceiverId, SessionId, StreamId};
/// use aileron::protocol::{ErrorFrame, ErrorMessage};
///
/// let refusal = ErrorMessage {
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     receiver_id: ReceiverId(9),
///     group_tag: None,
///     error_code: 13,
///     text: b"no thanks",
/// };
/// let mut buffer = [0; ErrorMessage::MAX_LENGTH];
/// let length = refusal.encode(&mut buffer);
/// let frame = ErrorFrame::parse(&buffer[..length]).unwrap();
/// assert_eq!(ErrorMessage::from(frame), refusal);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorMessage<'a> {
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The receive endpoint that refuses.
    pub receiver_id: ReceiverId,
    /// The receiver's group tag, if it has one.
    pub group_tag: Option<i64>,
    /// The reason's number.
    pub error_code: i32,
    /// The reason's text; what exceeds 1023 bytes is not sent.
    pub text: &'a [u8],
}

impl ErrorMessage<'_> {
    /// Bytes of the longest frame.
    pub const MAX_LENGTH: usize = LENGTH_MAX;

    /// Writes the frame and returns its length, 40 to 1063 bytes.
    #[must_use]
    pub fn encode(&self, out: &mut [u8; LENGTH_MAX]) -> usize {
        let text = self.text.get(..TEXT_LENGTH_MAX).unwrap_or(self.text);
        let text_length = i32::try_from(text.len()).unwrap_or_default();
        let flags = if self.group_tag.is_some() {
            flags::HAS_GROUP_TAG
        } else {
            0
        };
        begin(out, FrameType::Error, 40 + text_length, flags);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i64(out, field::RECEIVER_ID, self.receiver_id.0);
        write_i64(out, field::GROUP_TAG, self.group_tag.unwrap_or_default());
        write_i32(out, field::ERROR_CODE, self.error_code);
        write_i32(out, field::ERROR_LENGTH, text_length);
        out[HEADER_LENGTH..HEADER_LENGTH + text.len()].copy_from_slice(text);
        HEADER_LENGTH + text.len()
    }
}

impl<'a> From<ErrorFrame<'a>> for ErrorMessage<'a> {
    fn from(frame: ErrorFrame<'a>) -> Self {
        Self {
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            receiver_id: frame.receiver_id(),
            group_tag: frame.group_tag(),
            error_code: frame.error_code(),
            text: frame.text(),
        }
    }
}
