//! NAK: a receiver asks for a range it has not got.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 2 |
//! | 8 | 4 | session id |
//! | 12 | 4 | stream id |
//! | 16 | 4 | term id |
//! | 20 | 4 | term offset of the first missing byte |
//! | 24 | 4 | missing bytes, never beyond the term's end |

use std::fmt;

use super::header::{begin, expect_control, i32_le};
use super::setup::is_frame_offset;
use super::{FrameError, FrameType};
use crate::base::bytes::write_i32;
use crate::base::{SessionId, StreamId, TermId, TermOffset};

mod field {
    pub(crate) const SESSION_ID: usize = 8;
    pub(crate) const STREAM_ID: usize = 12;
    pub(crate) const TERM_ID: usize = 16;
    pub(crate) const TERM_OFFSET: usize = 20;
    pub(crate) const RANGE_LENGTH: usize = 24;
}

const _: () = assert!(field::RANGE_LENGTH + 4 == Nak::LENGTH);

/// A NAK of which only type and length have been checked. One for an unknown stream is dropped in
/// silence, so its range is judged by the publication: [`Self::is_valid_for`].
///
/// ```
/// use aileron::protocol::{FrameError, NakFrame};
/// let cut_off = [28, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0];
/// assert_eq!(NakFrame::parse(&cut_off).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy)]
pub struct NakFrame<'a>(&'a [u8; Nak::LENGTH]);

impl<'a> NakFrame<'a> {
    /// Checks a datagram that must be a NAK.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, or too few bytes.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        expect_control(datagram, FrameType::Nak).map(|(bytes, _)| Self(bytes))
    }

    /// Whether the range lies within a term of this length and begins where a frame can.
    #[must_use]
    #[inline]
    pub fn is_valid_for(&self, term_length: i32) -> bool {
        let (offset, length) = (self.term_offset(), self.length());
        is_frame_offset(offset, term_length)
            && length >= 0
            && i64::from(offset.0) + i64::from(length) <= i64::from(term_length)
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

    /// The term with the gap.
    #[must_use]
    #[inline]
    pub fn term_id(&self) -> TermId {
        TermId(i32_le(self.0, field::TERM_ID))
    }

    /// Where the gap begins; unchecked.
    #[must_use]
    #[inline]
    pub fn term_offset(&self) -> TermOffset {
        TermOffset(i32_le(self.0, field::TERM_OFFSET))
    }

    /// Missing bytes; unchecked.
    #[must_use]
    #[inline]
    pub fn length(&self) -> i32 {
        i32_le(self.0, field::RANGE_LENGTH)
    }
}

impl fmt::Debug for NakFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Nak::from(*self).fmt(f)
    }
}

impl fmt::Display for NakFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "NAK session={} stream={} term={} offset={} length={}",
            self.session_id(),
            self.stream_id(),
            self.term_id(),
            self.term_offset(),
            self.length()
        )
    }
}

/// The fields of a NAK.
///
/// ```
/// use aileron::base::{SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{Nak, NakFrame};
///
/// let nak = Nak {
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     term_id: TermId(7),
///     term_offset: TermOffset(8192),
///     length: 1408,
/// };
/// let mut datagram = [0; Nak::LENGTH];
/// nak.encode(&mut datagram);
/// let frame = NakFrame::parse(&datagram).unwrap();
/// assert!(frame.is_valid_for(65_536));
/// assert_eq!(Nak::from(frame), nak);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nak {
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The term with the gap.
    pub term_id: TermId,
    /// Where the gap begins, a multiple of 32.
    pub term_offset: TermOffset,
    /// Missing bytes, a multiple of 32.
    pub length: i32,
}

impl Nak {
    /// Bytes of the frame.
    pub const LENGTH: usize = 28;

    /// Writes the frame.
    pub fn encode(&self, out: &mut [u8; Self::LENGTH]) {
        begin(out, FrameType::Nak, 28, 0);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i32(out, field::TERM_ID, self.term_id.0);
        write_i32(out, field::TERM_OFFSET, self.term_offset.0);
        write_i32(out, field::RANGE_LENGTH, self.length);
    }
}

impl From<NakFrame<'_>> for Nak {
    fn from(frame: NakFrame<'_>) -> Self {
        Self {
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            term_id: frame.term_id(),
            term_offset: frame.term_offset(),
            length: frame.length(),
        }
    }
}
