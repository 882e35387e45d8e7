//! Position arithmetic: where a stream position lies in the three terms, and how long things are.

use std::fmt;

use crate::base::{Position, TermId, TermOffset, align_i64};

use super::frame::{FRAME_ALIGNMENT, HEADER_LENGTH};
use super::metadata::METADATA_LENGTH;

/// Term buffers in a log; terms use them in turn.
pub const PARTITION_COUNT: usize = 3;
/// Shortest legal term, in bytes.
pub const TERM_LENGTH_MIN: i32 = 64 * 1024;
/// Longest legal term, in bytes.
pub const TERM_LENGTH_MAX: i32 = 1024 * 1024 * 1024;
/// Smallest legal page size of a log file, in bytes.
const PAGE_SIZE_MIN: i32 = 4096;
/// Largest legal page size of a log file, in bytes.
const PAGE_SIZE_MAX: i32 = 1024 * 1024 * 1024;
/// No message is longer than this, however long the term.
const MESSAGE_LENGTH_CAP: i32 = 16 * 1024 * 1024;

/// A length that must be a power of two within a range and is not.
///
/// ```
/// let error = aileron::logbuffer::check_term_length(1000).unwrap_err();
/// assert!(error.to_string().contains("1000"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLength {
    /// What the length is of.
    what: &'static str,
    /// The offending value.
    length: i32,
}

impl fmt::Display for InvalidLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, length } = self;
        write!(
            f,
            "{what} of {length} bytes is not a power of two within its legal range"
        )
    }
}

impl std::error::Error for InvalidLength {}

/// Checks that a term length is a power of two between 64 KiB and 1 GiB.
///
/// # Errors
/// It is not.
pub const fn check_term_length(term_length: i32) -> Result<(), InvalidLength> {
    check("term length", term_length, TERM_LENGTH_MIN, TERM_LENGTH_MAX)
}

/// Checks that the page size of a log file is a power of two between 4 KiB and 1 GiB.
///
/// # Errors
/// It is not.
pub const fn check_page_size(page_size: i32) -> Result<(), InvalidLength> {
    check("page size", page_size, PAGE_SIZE_MIN, PAGE_SIZE_MAX)
}

const fn check(what: &'static str, length: i32, min: i32, max: i32) -> Result<(), InvalidLength> {
    if length < min || length > max || length & (length - 1) != 0 {
        return Err(InvalidLength { what, length });
    }
    Ok(())
}

/// Longest message a stream with this term length carries, in bytes of payload.
#[must_use]
#[inline]
pub const fn max_message_length(term_length: i32) -> i32 {
    let eighth = term_length / 8;
    if eighth < MESSAGE_LENGTH_CAP {
        eighth
    } else {
        MESSAGE_LENGTH_CAP
    }
}

/// Bytes of term that a message of `length` payload bytes occupies, headers and alignment included.
/// `max_payload_length` is the payload of a full fragment and is positive.
#[must_use]
#[inline]
pub const fn framed_length(length: i32, max_payload_length: i32) -> i64 {
    let header = HEADER_LENGTH as i64;
    let alignment = FRAME_ALIGNMENT as i64;
    if length <= max_payload_length {
        return align_i64(length as i64 + header, alignment);
    }
    // A payload length read from a peer's frame may be anything; dividing by zero is not an answer.
    let full = if max_payload_length > 0 {
        max_payload_length
    } else {
        1
    };
    let rest = length % full;
    let last = if rest > 0 {
        align_i64(rest as i64 + header, alignment)
    } else {
        0
    };
    (length / full) as i64 * (full as i64 + header) + last
}

/// Length of a log file in bytes. Both arguments must have passed their checks.
#[must_use]
pub const fn log_length(term_length: i32, page_size: i32) -> u64 {
    let used = 3 * term_length.unsigned_abs() as u64 + METADATA_LENGTH as u64;
    let page = page_size.unsigned_abs() as u64;
    used.next_multiple_of(page)
}

/// The two facts that tie positions to terms: the initial term id and the term length.
///
/// ```
/// use aileron::base::{Position, TermId, TermOffset};
/// use aileron::logbuffer::TermGeometry;
/// let geometry = TermGeometry::new(TermId(5), 65536).unwrap();
/// let position = geometry.position(TermId(7), TermOffset(4096));
/// assert_eq!(position, Position(2 * 65536 + 4096));
/// assert_eq!(geometry.term_id_at(position), TermId(7));
/// assert_eq!(geometry.term_offset_at(position), TermOffset(4096));
/// assert_eq!(geometry.index_at(position), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermGeometry {
    initial_term_id: TermId,
    /// Base-2 logarithm of the term length, 16..=30.
    shift: u32,
}

impl TermGeometry {
    /// `None` when the term length is not legal.
    #[must_use]
    pub const fn new(initial_term_id: TermId, term_length: i32) -> Option<Self> {
        if check_term_length(term_length).is_err() {
            return None;
        }
        Some(Self {
            initial_term_id,
            shift: term_length.trailing_zeros(),
        })
    }

    /// Id of the stream's first term.
    #[must_use]
    #[inline]
    pub const fn initial_term_id(self) -> TermId {
        self.initial_term_id
    }

    /// Length of a term in bytes.
    #[must_use]
    #[inline]
    pub const fn term_length(self) -> i32 {
        1 << self.shift
    }

    /// Base-2 logarithm of the term length.
    #[must_use]
    #[inline]
    pub const fn position_bits_to_shift(self) -> u32 {
        self.shift
    }

    /// Position of an offset in a term.
    #[must_use]
    #[inline]
    pub const fn position(self, term_id: TermId, offset: TermOffset) -> Position {
        let count = term_id.count_since(self.initial_term_id) as i64;
        Position((count << self.shift) + offset.0 as i64)
    }

    /// How many terms precede the one that holds `position`.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "term counts wrap at 32 bits"
    )]
    pub const fn term_count_at(self, position: Position) -> i32 {
        (position.0 >> self.shift) as i32
    }

    /// Id of the term that holds `position`; a term's end belongs to the next term.
    #[must_use]
    #[inline]
    pub const fn term_id_at(self, position: Position) -> TermId {
        self.initial_term_id.plus(self.term_count_at(position))
    }

    /// Offset of `position` in its term, `0..term_length`.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "masked to less than 30 bits"
    )]
    pub const fn term_offset_at(self, position: Position) -> TermOffset {
        TermOffset((position.0 & (self.term_length() as i64 - 1)) as i32)
    }

    /// Partition, 0..=2, of the term that holds `position`. Total: a negative position, which no
    /// stream has, still gives a partition.
    #[must_use]
    #[inline]
    pub const fn index_at(self, position: Position) -> usize {
        Self::index_of_count(self.term_count_at(position))
    }

    /// Partition, 0..=2, used by the `count`-th term.
    #[must_use]
    #[inline]
    #[expect(
        clippy::cast_sign_loss,
        reason = "a count is never negative in a legal stream"
    )]
    pub const fn index_of_count(count: i32) -> usize {
        (count as u32 % 3) as usize
    }

    /// Position at which the term that holds `position` begins.
    #[must_use]
    #[inline]
    pub const fn term_begin(self, position: Position) -> Position {
        Position(position.0 & !(self.term_length() as i64 - 1))
    }

    /// Position that no stream of this term length can reach: term ids would repeat.
    #[must_use]
    #[inline]
    pub const fn max_possible_position(self) -> Position {
        Position((self.term_length() as i64) << 31)
    }

    /// Longest message, in bytes of payload.
    #[must_use]
    #[inline]
    pub const fn max_message_length(self) -> i32 {
        max_message_length(self.term_length())
    }

    /// Partition and offset of a position at which a frame may start: not negative, and a multiple
    /// of the frame alignment. Positions come out of shared counters, so this is checked.
    #[inline]
    pub(super) const fn locate(self, position: Position) -> Option<(usize, i32)> {
        if position.0 < 0 || position.0 & (FRAME_ALIGNMENT as i64 - 1) != 0 {
            return None;
        }
        Some((self.index_at(position), self.term_offset_at(position).0))
    }
}
