//! Appending to a log that any number of threads and processes append to at the same time.
//!
//! An append reserves its range with one fetch-add on the active term's tail, writes its frames
//! there, and commits each by its length. A reservation that does not fit trips the term: the one
//! whose begin still lies inside pads the rest, and everyone who tripped tries to rotate. Nothing
//! waits for anything, so a publisher that dies in between leaves a hole for the unblocker.
//!
//! The path is inlined throughout: a reservation handed from function to function through memory
//! costs more than writing a small frame (26 ns against 12 ns for 32 bytes).
//!
//! `ConcurrentPublication.offer`, `tryClaim`, `LogBufferDescriptor.rotateLog`.

use std::fmt;

use crate::base::{Position, TermId, TermOffset, align_i64};
use crate::memory::AtomicBuffer;

use super::claim::Claim;
use super::frame::{
    self, FLAG_BEGIN, FLAG_END, FLAGS_UNFRAGMENTED, FRAME_ALIGNMENT, FrameIds, HEADER_LENGTH,
    TYPE_DATA, aligned, size,
};
use super::geometry::{TermGeometry, framed_length};
use super::log::LogBuffer;
use super::metadata::Tail;
use super::payload::{Parts, Payload, ReservedValue, Supplied, Unreserved, Whole};

/// Why nothing was appended. Most are ordinary: see [`Self::is_retryable`].
///
/// ```
/// use aileron::logbuffer::AppendError;
/// assert!(AppendError::BackPressured.is_retryable());
/// assert!(!AppendError::MaxPositionExceeded.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendError {
    /// At the publisher limit, and there is no live consumer.
    NotConnected,
    /// At the publisher limit: consumers have yet to catch up.
    BackPressured,
    /// The log moved on to its next term; try again at once.
    AdminAction,
    /// The stream is exhausted and needs a new session.
    MaxPositionExceeded,
    /// More payload than the operation allows.
    TooLong {
        /// Bytes offered.
        length: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A block of frames that does not continue this stream at its position.
    InvalidBlock,
    /// Shared memory holds a tail that cannot be; some process misbehaves.
    Corrupt,
}

impl AppendError {
    /// Whether the same append may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::NotConnected | Self::BackPressured | Self::AdminAction
        )
    }
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected => f.write_str("publication is not connected"),
            Self::BackPressured => f.write_str("publication is back pressured"),
            Self::AdminAction => f.write_str("log is rotating to its next term"),
            Self::MaxPositionExceeded => f.write_str("publication reached its greatest position"),
            Self::TooLong { length, max } => {
                write!(f, "length of {length} bytes exceeds the maximum of {max}")
            }
            Self::InvalidBlock => f.write_str("block does not continue the stream"),
            Self::Corrupt => f.write_str("log buffer has a corrupt tail"),
        }
    }
}

impl std::error::Error for AppendError {}

/// A range reserved in a term, not yet written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reservation<'a> {
    pub(super) term: &'a AtomicBuffer,
    pub(super) ids: FrameIds,
    /// First byte in the term; a multiple of 32.
    pub(super) offset: i32,
    /// Bytes reserved; a multiple of 32, and within the term.
    pub(super) length: i32,
    /// Stream position after the range.
    pub(super) end: Position,
}

/// Payload and occupied length of a message, if it is not too long.
#[inline]
pub(super) fn check_message(log: &LogBuffer, length: usize) -> Result<(i32, i32), AppendError> {
    let max_payload = log.max_payload_length();
    let max = log.max_message_length().max(max_payload);
    let Some(payload) = i32::try_from(length).ok().filter(|length| *length <= max) else {
        return Err(AppendError::TooLong {
            length,
            max: size(max),
        });
    };
    if payload <= max_payload {
        return Ok((payload, aligned(payload + HEADER_LENGTH)));
    }
    let framed = framed_length(payload, max_payload);
    // At most 16 MiB in frames of at least 32 bytes of payload.
    Ok((
        payload,
        i32::try_from(framed).expect("a framed message is below 2^26 bytes"),
    ))
}

/// Payload and occupied length of a claim, if it is not too long.
#[inline]
pub(super) fn check_claim(log: &LogBuffer, length: usize) -> Result<(i32, i32), AppendError> {
    let max = log.max_payload_length();
    let Some(payload) = i32::try_from(length).ok().filter(|length| *length <= max) else {
        return Err(AppendError::TooLong {
            length,
            max: size(max),
        });
    };
    Ok((payload, aligned(payload + HEADER_LENGTH)))
}

/// What an append at or beyond the limit answers.
#[cold]
pub(super) fn refusal(log: &LogBuffer, position: Position, payload: i32) -> AppendError {
    let framed = align_i64(i64::from(payload) + i64::from(HEADER_LENGTH), 32);
    if position + framed >= log.geometry().max_possible_position() {
        AppendError::MaxPositionExceeded
    } else if log.is_connected() {
        AppendError::BackPressured
    } else {
        AppendError::NotConnected
    }
}

/// Pads what an append leaves of a message if it unwinds: a reserved-value supplier may panic.
struct PadOnUnwind<'a, 'r> {
    reservation: &'r Reservation<'a>,
    /// First byte not yet committed.
    from: i32,
}

impl Drop for PadOnUnwind<'_, '_> {
    fn drop(&mut self) {
        let Reservation {
            term,
            ids,
            offset,
            length,
            ..
        } = *self.reservation;
        let end = offset + length;
        if self.from < end {
            frame::pad(term, self.from, end - self.from, ids);
        }
    }
}

/// Payload of a message that goes into one frame.
#[inline(always)]
pub(super) fn whole_frame(log: &LogBuffer, length: usize) -> Option<i32> {
    let length = i32::try_from(length).ok()?;
    (length <= log.max_payload_length()).then_some(length)
}

/// Writes a message that fits one frame into its reservation, commits it, and returns the position
/// after it.
///
/// A path of its own beside [`write_message`], because the number of stores matters: while another
/// processor reads the log, each waits for the line of the one before.
#[inline(always)]
pub(super) fn write_frame(reservation: &Reservation<'_>, message: &[u8]) -> Position {
    let Reservation {
        term,
        ids,
        offset,
        end,
        ..
    } = *reservation;
    // At most an MTU, as `whole_frame` found.
    let length = i32::try_from(message.len()).unwrap_or(0) + HEADER_LENGTH;
    frame::prefetch_ahead(term, offset, length);
    let draft = frame::begin(term, offset, length, ids, FLAGS_UNFRAGMENTED, TYPE_DATA);
    draft.payload.copy_from_slice(message);
    draft.commit();
    end
}

/// Bytes of frames that [`write_message`] makes visible together, at least, but at the end.
///
/// A reader that has come up with the writer looks at the very line that is written next. Each
/// store to it then waits for the reader's processor, and so does each look: that costs more than
/// the copy of a frame. With some frames at a time there is little to wait for, and a reader still
/// begins long before a long message is complete.
const RUN_LENGTH: i32 = 16 * 1024;

/// Writes a message into its reservation and commits it, some frames at a time.
///
/// Readers come to the frames of a run through its first one, which is committed last.
#[inline(always)]
pub(super) fn write_message(
    reservation: &Reservation<'_>,
    max_payload: i32,
    payload: &mut impl Payload,
    payload_length: i32,
    reserved: &mut impl ReservedValue,
) {
    let term = reservation.term;
    let mut run = PadOnUnwind {
        reservation,
        from: reservation.offset,
    };
    let mut first_length = 0;
    let mut offset = reservation.offset;
    let mut remaining = payload_length;
    let mut flags = FLAG_BEGIN;
    loop {
        let chunk = remaining.min(max_payload);
        remaining -= chunk;
        if remaining == 0 {
            flags |= FLAG_END;
        }
        let length = chunk + HEADER_LENGTH;
        frame::prefetch_ahead(term, offset, length);
        let draft = frame::begin(term, offset, length, reservation.ids, flags, TYPE_DATA);
        payload.fill(draft.payload);
        let range = || size(offset)..size(offset) + size(length);
        if let Some(value) = reserved.supply(range, term) {
            frame::set_reserved_value(term, offset, value);
        }
        if offset == run.from {
            first_length = length;
        } else {
            frame::commit(term, offset, length);
        }
        offset += aligned(length);
        if remaining == 0 || offset - run.from >= RUN_LENGTH {
            frame::commit(term, run.from, first_length);
            run.from = offset;
        }
        flags = 0;
        if remaining == 0 {
            break;
        }
    }
    debug_assert_eq!(run.from, reservation.offset + reservation.length);
}

impl LogBuffer {
    /// Appends a message, in several frames if it exceeds [`Self::max_payload_length`]. `limit` is
    /// the publisher limit; a message that starts below it may end beyond it. Returns the position
    /// after the message. For logs of [`LogKind::Concurrent`](super::LogKind::Concurrent).
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    #[inline]
    pub fn offer(&self, limit: Position, message: &[u8]) -> Result<Position, AppendError> {
        let Some(length) = whole_frame(self, message.len()) else {
            return self.offer_fragmented(limit, message);
        };
        let reservation = self.reserve(limit, length, aligned(length + HEADER_LENGTH))?;
        Ok(write_frame(&reservation, message))
    }

    #[inline(never)]
    fn offer_fragmented(&self, limit: Position, message: &[u8]) -> Result<Position, AppendError> {
        self.append(limit, Whole(message), Unreserved)
    }

    /// [`Self::offer`], with a reserved value for each frame. `supplier` is called with the frame,
    /// header included, after its payload was written.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_with_reserved_value(
        &self,
        limit: Position,
        message: &[u8],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, AppendError> {
        self.append(limit, Whole(message), Supplied(supplier))
    }

    /// [`Self::offer`] of a message given in parts, which are joined.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored(
        &self,
        limit: Position,
        parts: &[&[u8]],
    ) -> Result<Position, AppendError> {
        self.append(limit, Parts::new(parts), Unreserved)
    }

    /// [`Self::offer_vectored`], with a reserved value for each frame.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored_with_reserved_value(
        &self,
        limit: Position,
        parts: &[&[u8]],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, AppendError> {
        self.append(limit, Parts::new(parts), Supplied(supplier))
    }

    /// Claims one frame with room for `length` bytes of payload, to be filled in place. Nothing
    /// after it becomes visible until the claim is committed, aborted or dropped, and the driver
    /// pads over it after the unblock timeout.
    ///
    /// # Errors
    /// Nothing was claimed, for the reason given. [`AppendError::TooLong`] if `length` exceeds
    /// [`Self::max_payload_length`].
    pub fn claim(&self, limit: Position, length: usize) -> Result<Claim<'_>, AppendError> {
        let (payload, required) = check_claim(self, length)?;
        let reservation = self.reserve(limit, payload, required)?;
        Ok(Claim::new(&reservation, payload + HEADER_LENGTH))
    }

    #[inline(always)]
    fn append(
        &self,
        limit: Position,
        mut payload: impl Payload,
        mut reserved: impl ReservedValue,
    ) -> Result<Position, AppendError> {
        let (length, required) = check_message(self, payload.length())?;
        let reservation = self.reserve(limit, length, required)?;
        let max_payload = self.max_payload_length();
        write_message(
            &reservation,
            max_payload,
            &mut payload,
            length,
            &mut reserved,
        );
        Ok(reservation.end)
    }

    /// Reserves `required` bytes, a multiple of 32, in the active term.
    #[inline(always)]
    fn reserve(
        &self,
        limit: Position,
        payload: i32,
        required: i32,
    ) -> Result<Reservation<'_>, AppendError> {
        self.metadata().prefetch_tails();
        let geometry = self.geometry();
        let term_length = geometry.term_length();
        let count = self.active_term_count();
        let index = TermGeometry::index_of_count(count);
        let seen = Tail::unpack(self.raw_tail(index));
        if seen.term_id.count_since(geometry.initial_term_id()) != count {
            return Err(AppendError::AdminAction);
        }
        let position = geometry.position(seen.term_id, TermOffset(seen.offset(term_length)));
        if position >= limit {
            return Err(refusal(self, position, payload));
        }

        // From here on only what the fetch-add returned counts: others may have moved on.
        let tail = self.metadata().fetch_add_tail(index, required);
        let offset = tail.offset(term_length);
        if offset % FRAME_ALIGNMENT != 0 {
            return Err(AppendError::Corrupt);
        }
        let ids = self.frame_ids(tail.term_id);
        let term = self.term(index);
        let end = geometry.position(tail.term_id, TermOffset(offset)) + i64::from(required);
        let reservation = Reservation {
            term,
            ids,
            offset,
            length: required,
            end,
        };
        if required > term_length - offset {
            return Err(self.trip(&reservation, tail.term_id));
        }
        Ok(reservation)
    }

    /// Handles a reservation that reaches past the end of its term.
    #[cold]
    fn trip(&self, reservation: &Reservation<'_>, term_id: TermId) -> AppendError {
        let geometry = self.geometry();
        pad_term(
            reservation.term,
            reservation.offset,
            geometry.term_length(),
            reservation.ids,
        );
        if reservation.end >= geometry.max_possible_position() {
            return AppendError::MaxPositionExceeded;
        }
        self.metadata()
            .rotate(term_id.count_since(geometry.initial_term_id()), term_id);
        AppendError::AdminAction
    }
}

/// Pads a term from `offset` to its end. Exactly one reservation begins inside a term and ends
/// outside, so one caller pads.
pub(super) fn pad_term(term: &AtomicBuffer, offset: i32, term_length: i32, ids: FrameIds) {
    if offset < term_length {
        frame::pad(term, offset, term_length - offset, ids);
    }
}
