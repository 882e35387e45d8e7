//! What a consumer learns about a fragment besides its payload.

use std::fmt;

use crate::base::{Position, SessionId, StreamId, TermId, TermOffset, align_i64};

use super::frame::{FRAME_ALIGNMENT, HEADER_LENGTH, HEADER_SIZE, field};
use super::geometry::{TermGeometry, framed_length};

/// The header of a fragment, or of a message assembled from several. Field values were written by
/// the publisher and are not checked: a misbehaving one may put anything there.
///
/// ```
/// use aileron::base::{Position, StreamId, TermOffset};
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// use aileron::memory::AtomicBuffer;
/// let spec = LogSpec { stream_id: StreamId(1001), ..LogSpec::default() };
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).unwrap();
/// log.offer(Position(1024), b"hello")?;
/// reader::poll(&log, Position(0), 1, |_, header| {
///     assert_eq!(header.stream_id(), StreamId(1001));
///     assert_eq!((header.frame_length(), header.flags()), (37, 0xC0));
///     assert_eq!(header.next_term_offset(), TermOffset(64));
/// });
/// # Ok::<(), aileron::logbuffer::AppendError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Header<'a> {
    frame: &'a [u8; HEADER_SIZE],
    geometry: TermGeometry,
    /// Length of the message as it lies in the log, aligned; 0 for a fragment.
    fragmented_frame_length: i32,
}

impl<'a> Header<'a> {
    /// The header of a frame as it lies in the log.
    #[must_use]
    #[inline]
    pub const fn new(frame: &'a [u8; HEADER_SIZE], geometry: TermGeometry) -> Self {
        Self {
            frame,
            geometry,
            fragmented_frame_length: 0,
        }
    }

    /// The header of an assembled message. `frame` is the first fragment's header with the length
    /// and flags of the whole (see [`Self::assemble`]); `first_payload_length` is the payload of
    /// that fragment, from which follows what the message occupies in the log.
    #[must_use]
    pub fn assembled(
        frame: &'a [u8; HEADER_SIZE],
        geometry: TermGeometry,
        first_payload_length: i32,
    ) -> Self {
        let plain = Self::new(frame, geometry);
        let total = plain.frame_length().saturating_sub(HEADER_LENGTH).max(0);
        let occupied = framed_length(total, first_payload_length);
        let fragmented_frame_length = i32::try_from(occupied).unwrap_or(i32::MAX);
        Self {
            fragmented_frame_length,
            ..plain
        }
    }

    /// Patches a first fragment's header into that of the whole message: `payload_length` bytes in
    /// all, flags of first and last fragment joined.
    pub const fn assemble(frame: &mut [u8; HEADER_SIZE], payload_length: i32, last_flags: u8) {
        let [a, b, c, d] = payload_length.saturating_add(HEADER_LENGTH).to_le_bytes();
        [frame[0], frame[1], frame[2], frame[3]] = [a, b, c, d];
        frame[field::FLAGS] |= last_flags;
    }

    /// The header's bytes, to be kept while a message is assembled.
    #[must_use]
    #[inline]
    pub const fn as_bytes(&self) -> &'a [u8; HEADER_SIZE] {
        self.frame
    }

    /// Initial term id and term length of the stream.
    #[must_use]
    #[inline]
    pub const fn geometry(&self) -> TermGeometry {
        self.geometry
    }

    /// Bytes of header and payload.
    #[must_use]
    #[inline]
    pub const fn frame_length(&self) -> i32 {
        self.i32_at(0)
    }

    /// Bytes an assembled message occupies in the log, headers and alignment included; `None` for a
    /// fragment or a message that was never fragmented.
    #[must_use]
    #[inline]
    pub const fn fragmented_frame_length(&self) -> Option<i32> {
        if self.fragmented_frame_length > 0 {
            Some(self.fragmented_frame_length)
        } else {
            None
        }
    }

    /// Version of the header layout; 0.
    #[must_use]
    #[inline]
    pub const fn version(&self) -> u8 {
        self.frame[4]
    }

    /// `0x80` begins a message, `0x40` ends it; the rest is the application's.
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.frame[field::FLAGS]
    }

    /// Whether the frame holds a whole message.
    #[must_use]
    #[inline]
    pub const fn is_unfragmented(&self) -> bool {
        self.flags() & super::frame::FLAGS_UNFRAGMENTED == super::frame::FLAGS_UNFRAGMENTED
    }

    /// Whether the frame is the first of its message.
    #[must_use]
    #[inline]
    pub const fn is_begin(&self) -> bool {
        self.flags() & super::frame::FLAG_BEGIN != 0
    }

    /// Whether the frame is the last of its message.
    #[must_use]
    #[inline]
    pub const fn is_end(&self) -> bool {
        self.flags() & super::frame::FLAG_END != 0
    }

    /// Frame type; 1 is data.
    #[must_use]
    #[inline]
    pub const fn frame_type(&self) -> u16 {
        u16::from_le_bytes([self.frame[field::TYPE], self.frame[field::TYPE + 1]])
    }

    /// Where in its term the frame, or a message's first frame, starts.
    #[must_use]
    #[inline]
    pub const fn term_offset(&self) -> TermOffset {
        TermOffset(self.i32_at(field::TERM_OFFSET))
    }

    /// Session of the stream.
    #[must_use]
    #[inline]
    pub const fn session_id(&self) -> SessionId {
        SessionId(self.i32_at(field::SESSION_ID))
    }

    /// Stream within the channel.
    #[must_use]
    #[inline]
    pub const fn stream_id(&self) -> StreamId {
        StreamId(self.i32_at(field::STREAM_ID))
    }

    /// Id of the term.
    #[must_use]
    #[inline]
    pub const fn term_id(&self) -> TermId {
        TermId(self.i32_at(field::TERM_ID))
    }

    /// What the publisher put there.
    #[must_use]
    #[inline]
    pub const fn reserved_value(&self) -> i64 {
        let low = self.i32_at(field::RESERVED_VALUE);
        let high = self.i32_at(field::RESERVED_VALUE + 4);
        (high as i64) << 32 | low.cast_unsigned() as i64
    }

    /// Id of the stream's first term.
    #[must_use]
    #[inline]
    pub const fn initial_term_id(&self) -> TermId {
        self.geometry.initial_term_id()
    }

    /// Base-2 logarithm of the term length.
    #[must_use]
    #[inline]
    pub const fn position_bits_to_shift(&self) -> u32 {
        self.geometry.position_bits_to_shift()
    }

    /// Offset in the term at which the next frame starts; the term length at its end.
    #[must_use]
    #[inline]
    pub fn next_term_offset(&self) -> TermOffset {
        TermOffset(i32::try_from(self.next_offset()).unwrap_or(i32::MAX))
    }

    /// Stream position after the fragment or message.
    #[must_use]
    #[inline]
    pub fn position(&self) -> Position {
        self.geometry.position(self.term_id(), TermOffset(0)) + self.next_offset()
    }

    #[inline]
    const fn next_offset(&self) -> i64 {
        let occupied = if self.fragmented_frame_length > 0 {
            self.fragmented_frame_length
        } else {
            self.frame_length()
        };
        align_i64(
            self.term_offset().0 as i64 + occupied as i64,
            FRAME_ALIGNMENT as i64,
        )
    }

    #[inline]
    const fn i32_at(&self, at: usize) -> i32 {
        let f = self.frame;
        i32::from_le_bytes([f[at], f[at + 1], f[at + 2], f[at + 3]])
    }
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header")
            .field("frame_length", &self.frame_length())
            .field("flags", &format_args!("{:#04x}", self.flags()))
            .field("frame_type", &self.frame_type())
            .field("term_offset", &self.term_offset().0)
            .field("session_id", &self.session_id().0)
            .field("stream_id", &self.stream_id().0)
            .field("term_id", &self.term_id().0)
            .field("reserved_value", &self.reserved_value())
            .finish_non_exhaustive()
    }
}
