//! The frame header inside a term: field offsets, the state word, and writing headers.

use std::fmt;

use crate::base::{Position, SessionId, StreamId, TermId, align};
use crate::memory::sync::{Ordering, fence};
use crate::memory::{AtomicBuffer, FirstWord};

pub(super) use crate::protocol::data::flags::{
    BEGIN as FLAG_BEGIN, END as FLAG_END, UNFRAGMENTED as FLAGS_UNFRAGMENTED,
};
pub(super) use crate::protocol::data::{
    FRAME_ALIGNMENT, HEADER_LENGTH as HEADER_SIZE, TYPE_DATA, TYPE_PAD, offset as field,
};

/// Bytes of a frame before its payload.
pub(super) const HEADER_LENGTH: i32 = 32;
/// Bytes of the state word, `frame_length`.
pub(super) const LENGTH_SIZE: usize = 4;
/// Bytes that move between processors together.
const CACHE_LINE: usize = 64;
/// How far ahead of a frame being written [`prefetch_ahead`] looks, in bytes.
const PREFETCH_DISTANCE: usize = 384;
/// Longest frame for which it looks no further than that.
const PREFETCH_FRAME_LENGTH_MAX: i32 = 256;
/// How far ahead it looks with longer ones.
const PREFETCH_DISTANCE_LONG: usize = 4096;

const _: () = assert!(field::RESERVED_VALUE + 8 == HEADER_SIZE);
const _: () = assert!(HEADER_LENGTH == FRAME_ALIGNMENT && size(HEADER_LENGTH) == HEADER_SIZE);
const _: () = assert!(field::FRAME_LENGTH == 0 && field::VERSION == LENGTH_SIZE);

/// A frame in shared memory that cannot be: its length is below a header's, it reaches past the end
/// of its term, it is of another term, or its position is not one where frames start. Some process
/// misbehaves; or the reader slept for so long that its driver called it dead, and the log went on
/// without it.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// # use aileron::memory::AtomicBuffer;
/// # let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// let polled = reader::poll(&log, Position(7), 10, |_, _| {});
/// assert_eq!(polled.corruption.unwrap().position, Position(7));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Corruption {
    /// Where in the stream the frame starts.
    pub position: Position,
    /// The length it claims, in bytes; 0 when the position itself is at fault.
    pub frame_length: i32,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            frame_length,
        } = self;
        write!(
            f,
            "corrupt log buffer: frame of length {frame_length} at position {position}"
        )
    }
}

impl std::error::Error for Corruption {}

/// An offset or length that is known not to be negative, as a size.
#[inline]
#[expect(
    clippy::cast_sign_loss,
    reason = "checked when it was computed; asserted in tests"
)]
pub(super) const fn size(value: i32) -> usize {
    debug_assert!(value >= 0);
    value as usize
}

/// `length` rounded up to where the next frame may start.
#[inline]
pub(super) const fn aligned(length: i32) -> i32 {
    align(length, FRAME_ALIGNMENT)
}

/// What the state word of a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing there yet, or claimed and not committed.
    Empty,
    /// A committed frame of this length, header included, that ends within the term.
    Committed(i32),
    /// A length that cannot be.
    Corrupt(i32),
}

/// Reads the state word at `offset`, which is a multiple of 32 below the term's length.
#[inline(always)]
pub(super) fn slot(term: &AtomicBuffer, offset: i32, term_length: i32) -> Slot {
    // PUBLISH(frame-length): pairs with `commit` and the other release stores of the state word.
    let length = term.load_i32_acquire(size(offset));
    if length <= 0 {
        return Slot::Empty;
    }
    // Offset and term length are multiples of 32: what fits unrounded also fits rounded up.
    if length < HEADER_LENGTH || length > term_length - offset {
        return Slot::Corrupt(length);
    }
    Slot::Committed(length)
}

/// Type of a frame that is committed, or claimed by the caller.
#[inline]
pub(super) fn frame_type(term: &AtomicBuffer, offset: i32) -> u16 {
    let at = size(offset) + field::TYPE;
    // SAFETY: LOG-3 (committed bytes are stable): the caller acquired this frame's positive length.
    let bytes = unsafe { term.bytes(at..at + 2) };
    u16::from_le_bytes([bytes[0], bytes[1]])
}

/// Term id of a frame that is committed.
#[inline]
pub(super) fn term_id(term: &AtomicBuffer, offset: i32) -> TermId {
    let at = size(offset) + field::TERM_ID;
    // SAFETY: LOG-3, as in `frame_type`.
    let bytes = unsafe { term.bytes(at..at + 4) };
    TermId(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

/// What all frame headers of a term have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameIds {
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) term_id: TermId,
}

/// A header without its length, from `version` to the reserved value.
type HeaderRest = [u8; HEADER_SIZE - LENGTH_SIZE];

/// Writes the header of a frame at `offset`, except for its length and reserved value.
#[inline(always)]
fn write_header(header: &mut HeaderRest, ids: FrameIds, offset: i32, flags: u8, frame_type: u16) {
    let [low, high] = frame_type.to_le_bytes();
    let kind = u32::from_le_bytes([0, flags, low, high]);
    let ids_of_stream = two_words(
        ids.session_id.0.cast_unsigned(),
        ids.stream_id.0.cast_unsigned(),
    );
    // Two words at a time, and few stores: each waits for the line of the one before. A header put
    // together elsewhere and copied would stall on its own bytes.
    let (pairs, rest) = header.as_chunks_mut();
    if let ([first, second, third], [_, _, _, _]) = (pairs, rest) {
        *first = two_words(kind, offset.cast_unsigned());
        *second = ids_of_stream;
        // The reserved value begins in the fourth byte of the third pair and is not touched.
        third[..4].copy_from_slice(&ids.term_id.0.to_le_bytes());
    }
}

/// Two words, the first at the lower address.
#[inline(always)]
fn two_words(first: u32, second: u32) -> [u8; 8] {
    (u64::from(second) << 32 | u64::from(first)).to_le_bytes()
}

const _: () = assert!(field::FLAGS == 5 && field::TYPE == 6 && field::TERM_OFFSET == 8);
const _: () = assert!(field::SESSION_ID == 12 && field::STREAM_ID == 16 && field::TERM_ID == 20);

/// A frame being written: what follows its header, and the word that commits it.
pub(super) struct Draft<'a> {
    state: FirstWord<'a>,
    frame_length: i32,
    pub(super) payload: &'a mut [u8],
}

impl Draft<'_> {
    /// Makes the frame visible to readers.
    #[inline(always)]
    pub(super) fn commit(self) {
        // PUBLISH(frame-length): pairs with the acquire in `slot`. Header and body come first.
        self.state.store_release(self.frame_length);
    }
}

/// Marks a claimed range as being written, and writes its header. `frame_length` is at least 32 and
/// the range lies within the term.
#[inline(always)]
pub(super) fn begin(
    term: &AtomicBuffer,
    offset: i32,
    frame_length: i32,
    ids: FrameIds,
    flags: u8,
    frame_type: u16,
) -> Draft<'_> {
    let start = size(offset);
    // SAFETY: LOG-2 (a claimed range has one writer until its length turns positive): the caller
    // reserved this range and has not committed it.
    let (state, rest) = unsafe { term.word_and_bytes_mut(start..start + size(frame_length)) };
    state.store_release(-frame_length);
    // No byte of the frame may be seen before its negative length: the unblocker takes bytes behind
    // a zero length for the next frame.
    fence(Ordering::Release);
    let (header, payload) = rest
        .split_first_chunk_mut()
        .expect("a frame has at least a header");
    write_header(header, ids, offset, flags, frame_type);
    Draft {
        state,
        frame_length,
        payload,
    }
}

/// Asks for the lines that a writer will come to in a while. While another
/// processor reads the log, or cleans it, each line has to come from there, and stores become
/// visible in order: without this a writer waits for one line after the other.
#[inline(always)]
pub(super) fn prefetch_ahead(term: &AtomicBuffer, offset: i32, frame_length: i32) {
    let distance = match frame_length {
        ..=PREFETCH_FRAME_LENGTH_MAX => PREFETCH_DISTANCE,
        _ => PREFETCH_DISTANCE_LONG,
    };
    let from = size(offset) + distance;
    for at in (from..from + size(frame_length)).step_by(CACHE_LINE) {
        term.prefetch_to_write(at);
    }
}

/// Sets the reserved value of a frame that the caller has claimed.
#[inline]
pub(super) fn set_reserved_value(term: &AtomicBuffer, offset: i32, value: i64) {
    let start = size(offset);
    // SAFETY: LOG-2, as in `begin`; the caller holds no slice of its claim now.
    let bytes = unsafe { term.bytes_mut(start + field::RESERVED_VALUE..start + HEADER_SIZE) };
    bytes.copy_from_slice(&value.to_le_bytes());
}

/// Makes a frame visible to readers.
#[inline(always)]
pub(super) fn commit(term: &AtomicBuffer, offset: i32, frame_length: i32) {
    // PUBLISH(frame-length): pairs with the acquire in `slot`. Header and body come first.
    term.store_i32_release(size(offset), frame_length);
}

/// Turns a claimed range into one committed padding frame.
pub(super) fn pad(term: &AtomicBuffer, offset: i32, length: i32, ids: FrameIds) {
    begin(term, offset, length, ids, FLAGS_UNFRAGMENTED, TYPE_PAD).commit();
}

/// Commits a padding frame over a range whose owner will not: a gap that is not waited for, or the
/// claim of a dead publisher.
pub(super) fn overwrite_with_padding(term: &AtomicBuffer, offset: i32, length: i32, ids: FrameIds) {
    let start = size(offset);
    // SAFETY: LOG-4 or LOG-6 (a hole of an image is the receiver's; a blocked range has lost its
    // writer): the caller is that one party, and saw no committed frame here.
    let header = unsafe { term.bytes_mut(start + LENGTH_SIZE..start + HEADER_SIZE) };
    let header: &mut HeaderRest = header.try_into().expect("the range of a header");
    write_header(header, ids, offset, FLAGS_UNFRAGMENTED, TYPE_PAD);
    header[field::RESERVED_VALUE - LENGTH_SIZE..].fill(0);
    commit(term, offset, length);
}
