//! DATA and PAD: the frames of a log buffer, which travel as they lie there.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 4 | frame length; 0 in a heartbeat; the whole padded range in a PAD |
//! | 4 | 1 | version |
//! | 5 | 1 | flags |
//! | 6 | 2 | type: 1 DATA, 0 PAD |
//! | 8 | 4 | term offset |
//! | 12 | 4 | session id |
//! | 16 | 4 | stream id |
//! | 20 | 4 | term id |
//! | 24 | 8 | reserved value |
//! | 32 | … | payload, zero bytes up to the frame alignment |
//!
//! One datagram may carry several frames, consecutive in one term. A PAD longer than its header is
//! the last of them and brings only that header. A datagram of nothing but a header whose frame
//! length is 0 is a heartbeat; its position is the sender's. Whether the frames of a datagram fit
//! together is judged against the image's geometry, in `logbuffer`.

use std::fmt;

use super::header::{begin, i32_le, i64_le};
use super::{FrameError, FrameHeader, FrameType};
use crate::base::bytes::{write_i32, write_i64};
use crate::base::{SessionId, StreamId, TermId, TermOffset};

/// Bytes of a data frame's header.
pub const HEADER_LENGTH: usize = 32;
/// Frames begin at multiples of this many bytes.
pub const FRAME_ALIGNMENT: i32 = 32;
/// The type value of a data frame.
pub const TYPE_DATA: u16 = FrameType::Data.to_wire();
/// The type value of a padding frame.
pub const TYPE_PAD: u16 = FrameType::Pad.to_wire();
/// Largest datagram any MTU allows.
pub const MAX_DATAGRAM_LENGTH: usize = 65_504;

/// Bits of the flags field of data and padding frames.
pub mod flags {
    /// First or only fragment of a message.
    pub const BEGIN: u8 = 0x80;
    /// Last or only fragment of a message.
    pub const END: u8 = 0x40;
    /// A whole message.
    pub const UNFRAGMENTED: u8 = BEGIN | END;
    /// On a heartbeat: nothing follows this position.
    pub const EOS: u8 = 0x20;
    /// On a heartbeat, with [`EOS`]: the publication was revoked.
    pub const REVOKED: u8 = 0x10;
}

/// Offsets of the header's fields within a frame.
pub mod offset {
    /// `i32`: bytes of the frame, header included.
    pub const FRAME_LENGTH: usize = 0;
    /// `u8`: protocol version.
    pub const VERSION: usize = 4;
    /// `u8`: see [`super::flags`].
    pub const FLAGS: usize = 5;
    /// `u16`: [`super::TYPE_DATA`] or [`super::TYPE_PAD`].
    pub const TYPE: usize = 6;
    /// `i32`: where the frame begins in its term.
    pub const TERM_OFFSET: usize = 8;
    /// `i32`: the publication's session.
    pub const SESSION_ID: usize = 12;
    /// `i32`: the stream.
    pub const STREAM_ID: usize = 16;
    /// `i32`: the term.
    pub const TERM_ID: usize = 20;
    /// `i64`: the application's value.
    pub const RESERVED_VALUE: usize = 24;
}

const _: () = assert!(offset::RESERVED_VALUE + 8 == HEADER_LENGTH);

/// A datagram of data or padding frames, seen through the header of its first frame.
///
/// ```
/// use aileron::base::{SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{DataFrame, DataHeader, data::flags};
///
/// let mut datagram = [0; 32];
/// DataHeader::heartbeat(SessionId(1), StreamId(2), TermId(3), TermOffset(64), flags::UNFRAGMENTED)
///     .encode(&mut datagram);
/// let frame = DataFrame::parse(&datagram).unwrap();
/// assert!(frame.is_heartbeat() && !frame.is_end_of_stream());
/// assert_eq!(frame.term_offset(), TermOffset(64));
/// ```
#[derive(Clone, Copy)]
pub struct DataFrame<'a> {
    header: &'a [u8; HEADER_LENGTH],
    datagram: &'a [u8],
    frame_type: FrameType,
}

impl<'a> DataFrame<'a> {
    /// Checks a datagram whose first frame is DATA or PAD.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, fewer than 32 bytes, or a length that is not a
    /// multiple of 32.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let frame_type = FrameHeader::parse(datagram)?.frame_type;
        if !matches!(frame_type, FrameType::Data | FrameType::Pad) {
            return Err(FrameError::UnexpectedType);
        }
        let header = datagram.first_chunk().ok_or(FrameError::Truncated)?;
        if !datagram.len().is_multiple_of(HEADER_LENGTH) {
            return Err(FrameError::UnalignedDatagram);
        }
        Ok(Self {
            header,
            datagram,
            frame_type,
        })
    }

    /// The whole datagram, which may hold further frames after the first.
    #[must_use]
    #[inline]
    pub const fn datagram(&self) -> &'a [u8] {
        self.datagram
    }

    /// [`FrameType::Data`] or [`FrameType::Pad`].
    #[must_use]
    #[inline]
    pub const fn frame_type(&self) -> FrameType {
        self.frame_type
    }

    /// Bytes of the first frame, not negative; a padding frame's count the range it skips.
    #[must_use]
    #[inline]
    pub fn frame_length(&self) -> i32 {
        i32_le(self.header, offset::FRAME_LENGTH)
    }

    /// The first frame's flags, see [`flags`].
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.header[offset::FLAGS]
    }

    /// Where the first frame begins in its term; unchecked.
    #[must_use]
    #[inline]
    pub fn term_offset(&self) -> TermOffset {
        TermOffset(i32_le(self.header, offset::TERM_OFFSET))
    }

    /// The publication's session.
    #[must_use]
    #[inline]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.header, offset::SESSION_ID))
    }

    /// The stream.
    #[must_use]
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.header, offset::STREAM_ID))
    }

    /// The term all frames of the datagram belong to.
    #[must_use]
    #[inline]
    pub fn term_id(&self) -> TermId {
        TermId(i32_le(self.header, offset::TERM_ID))
    }

    /// The application's value in the first frame.
    #[must_use]
    #[inline]
    pub fn reserved_value(&self) -> i64 {
        i64_le(self.header, offset::RESERVED_VALUE)
    }

    /// Whether this is a heartbeat: a lone header with frame length 0.
    #[must_use]
    #[inline]
    pub fn is_heartbeat(&self) -> bool {
        self.datagram.len() == HEADER_LENGTH && self.frame_length() == 0
    }

    /// Whether the first frame is padding.
    #[must_use]
    #[inline]
    pub const fn is_padding(&self) -> bool {
        matches!(self.frame_type, FrameType::Pad)
    }

    /// Whether the end-of-stream flag is set.
    #[must_use]
    #[inline]
    pub const fn is_end_of_stream(&self) -> bool {
        self.flags() & flags::EOS != 0
    }

    /// Whether the revoked flag is set.
    #[must_use]
    #[inline]
    pub const fn is_revoked(&self) -> bool {
        self.flags() & flags::REVOKED != 0
    }

    /// The first frame's payload, as far as the datagram holds it; empty for padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        let end = usize::try_from(self.frame_length())
            .unwrap_or_default()
            .min(self.datagram.len());
        self.datagram.get(HEADER_LENGTH..end).unwrap_or_default()
    }
}

impl fmt::Debug for DataFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataFrame")
            .field("datagram_length", &self.datagram.len())
            .field("header", &DataHeader::from(*self))
            .finish()
    }
}

impl fmt::Display for DataFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match (self.is_heartbeat(), self.is_padding()) {
            (true, _) => "HEARTBEAT",
            (false, true) => "PAD",
            (false, false) => "DATA",
        };
        write!(
            f,
            "{name} flags={:#04x} length={} datagram={} session={} stream={} term={} offset={}",
            self.flags(),
            self.frame_length(),
            self.datagram.len(),
            self.session_id(),
            self.stream_id(),
            self.term_id(),
            self.term_offset()
        )?;
        match self.reserved_value() {
            0 => Ok(()),
            value => write!(f, " reserved={value:#x}"),
        }
    }
}

/// The fields of a data or padding frame's header.
///
/// ```
/// use aileron::base::{SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{DataHeader, FrameType, data::flags};
///
/// let mut bytes = [0; 32];
/// DataHeader {
///     frame_length: 192,
///     flags: flags::UNFRAGMENTED,
///     frame_type: FrameType::Pad,
///     term_offset: TermOffset(65_344),
///     session_id: SessionId(1),
///     stream_id: StreamId(2),
///     term_id: TermId(7),
///     reserved_value: 0,
/// }
/// .encode(&mut bytes);
/// assert_eq!(bytes[..8], [192, 0, 0, 0, 0, 0xC0, 0, 0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataHeader {
    /// Bytes of the frame including this header; 0 in a heartbeat.
    pub frame_length: i32,
    /// See [`flags`].
    pub flags: u8,
    /// [`FrameType::Data`] or [`FrameType::Pad`].
    pub frame_type: FrameType,
    /// Where the frame begins in its term, a multiple of 32.
    pub term_offset: TermOffset,
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The term.
    pub term_id: TermId,
    /// The application's value, 0 unless it sets one.
    pub reserved_value: i64,
}

impl DataHeader {
    /// Bytes of the encoded header.
    pub const LENGTH: usize = HEADER_LENGTH;

    /// The heartbeat of a sender that stands at the given position.
    #[must_use]
    pub const fn heartbeat(
        session_id: SessionId,
        stream_id: StreamId,
        term_id: TermId,
        term_offset: TermOffset,
        flags: u8,
    ) -> Self {
        Self {
            frame_length: 0,
            flags,
            frame_type: FrameType::Data,
            term_offset,
            session_id,
            stream_id,
            term_id,
            reserved_value: 0,
        }
    }

    /// Writes the header.
    pub fn encode(&self, out: &mut [u8; Self::LENGTH]) {
        debug_assert!(matches!(self.frame_type, FrameType::Data | FrameType::Pad));
        begin(out, self.frame_type, self.frame_length, self.flags);
        write_i32(out, offset::TERM_OFFSET, self.term_offset.0);
        write_i32(out, offset::SESSION_ID, self.session_id.0);
        write_i32(out, offset::STREAM_ID, self.stream_id.0);
        write_i32(out, offset::TERM_ID, self.term_id.0);
        write_i64(out, offset::RESERVED_VALUE, self.reserved_value);
    }
}

impl From<DataFrame<'_>> for DataHeader {
    fn from(frame: DataFrame<'_>) -> Self {
        Self {
            frame_length: frame.frame_length(),
            flags: frame.flags(),
            frame_type: frame.frame_type(),
            term_offset: frame.term_offset(),
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            term_id: frame.term_id(),
            reserved_value: frame.reserved_value(),
        }
    }
}
