//! Appending to a log with one writer: no read-modify-write, the tail is the writer's own.

use crate::base::{Position, TermId, TermOffset};

use super::appender::{
    AppendError, Reservation, check_claim, check_message, pad_term, refusal, whole_frame,
    write_frame, write_message,
};
use super::claim::Claim;
use super::frame::{
    self, FRAME_ALIGNMENT, HEADER_LENGTH, HEADER_SIZE, LENGTH_SIZE, TYPE_DATA, aligned, field, size,
};
use super::geometry::{PARTITION_COUNT, TermGeometry, framed_length};
use super::log::LogBuffer;
use super::metadata::Tail;
use super::payload::{Parts, Payload, ReservedValue, Supplied, Unreserved, Whole};

/// The one writer of an exclusive publication. Two of them on one log lose messages.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{ExclusiveAppender, LogBuffer, LogKind, LogSpec};
/// use aileron::memory::AtomicBuffer;
/// let spec = LogSpec { kind: LogKind::Exclusive, ..LogSpec::default() };
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).unwrap();
/// let mut appender = ExclusiveAppender::new(log)?;
/// let limit = Position(4096);
/// appender.offer_vectored(limit, &[b"one, ", b"two"])?;
/// assert_eq!(appender.append_padding(limit, 100)?, Position(64 + 160));
/// # Ok::<(), aileron::logbuffer::AppendError>(())
/// ```
#[derive(Debug)]
pub struct ExclusiveAppender {
    log: LogBuffer,
    index: usize,
    term_id: TermId,
    /// Where the next frame goes, a multiple of 32; at most the term length.
    term_offset: i32,
    term_begin: Position,
}

impl ExclusiveAppender {
    /// Takes up a log where its tail stands.
    ///
    /// # Errors
    /// [`AppendError::Corrupt`] when active term and tail do not fit together.
    pub fn new(log: LogBuffer) -> Result<Self, AppendError> {
        let geometry = log.geometry();
        let count = log.active_term_count();
        let index = TermGeometry::index_of_count(count);
        let tail = Tail::unpack(log.raw_tail(index));
        let term_offset = tail.offset(geometry.term_length());
        let is_legal = count >= 0
            && tail.term_id.count_since(geometry.initial_term_id()) == count
            && term_offset % FRAME_ALIGNMENT == 0;
        if !is_legal {
            return Err(AppendError::Corrupt);
        }
        let term_begin = geometry.position(tail.term_id, TermOffset(0));
        Ok(Self {
            log,
            index,
            term_id: tail.term_id,
            term_offset,
            term_begin,
        })
    }

    /// The log.
    #[must_use]
    pub const fn log(&self) -> &LogBuffer {
        &self.log
    }

    /// Position at which the next frame goes.
    #[must_use]
    #[inline]
    pub fn position(&self) -> Position {
        self.term_begin + i64::from(self.term_offset)
    }

    /// Id of the current term.
    #[must_use]
    pub const fn term_id(&self) -> TermId {
        self.term_id
    }

    /// Offset of [`Self::position`] in the current term, `0..=term_length`.
    #[must_use]
    pub const fn term_offset(&self) -> TermOffset {
        TermOffset(self.term_offset)
    }

    /// Appends a message; see [`LogBuffer::offer`].
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    #[inline]
    pub fn offer(&mut self, limit: Position, message: &[u8]) -> Result<Position, AppendError> {
        let Some(length) = whole_frame(&self.log, message.len()) else {
            return self.offer_fragmented(limit, message);
        };
        let reservation = self.reserve(limit, length, aligned(length + HEADER_LENGTH))?;
        Ok(write_frame(&reservation, message))
    }

    #[inline(never)]
    fn offer_fragmented(
        &mut self,
        limit: Position,
        message: &[u8],
    ) -> Result<Position, AppendError> {
        self.append(limit, Whole(message), Unreserved)
    }

    /// Appends a message with reserved values; see [`LogBuffer::offer_with_reserved_value`].
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_with_reserved_value(
        &mut self,
        limit: Position,
        message: &[u8],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, AppendError> {
        self.append(limit, Whole(message), Supplied(supplier))
    }

    /// Appends a message given in parts, which are joined.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored(
        &mut self,
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
        &mut self,
        limit: Position,
        parts: &[&[u8]],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, AppendError> {
        self.append(limit, Parts::new(parts), Supplied(supplier))
    }

    /// Claims one frame to be filled in place; see [`LogBuffer::claim`].
    ///
    /// # Errors
    /// Nothing was claimed, for the reason given.
    pub fn claim(&mut self, limit: Position, length: usize) -> Result<Claim<'_>, AppendError> {
        let (payload, required) = check_claim(&self.log, length)?;
        let reservation = self.reserve(limit, payload, required)?;
        Ok(Claim::new(&reservation, payload + HEADER_LENGTH))
    }

    /// Appends one padding frame with `length` bytes after its header; consumers skip it.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given. [`AppendError::TooLong`] if `length` exceeds
    /// what the longest message occupies.
    pub fn append_padding(
        &mut self,
        limit: Position,
        length: usize,
    ) -> Result<Position, AppendError> {
        let max_message = self.log.max_message_length();
        let max = framed_length(max_message, self.log.max_payload_length());
        let Some(payload) = i32::try_from(length).ok().filter(|n| i64::from(*n) <= max) else {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            return Err(AppendError::TooLong { length, max });
        };
        let frame_length = payload + HEADER_LENGTH;
        let reservation = self.reserve(limit, payload, aligned(frame_length))?;
        frame::pad(
            reservation.term,
            reservation.offset,
            frame_length,
            reservation.ids,
        );
        Ok(reservation.end)
    }

    /// Appends complete frames that already have this stream's headers, such as a recording of it.
    /// Only the first frame's header is checked.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given. [`AppendError::TooLong`] if the block does not
    /// fit into the current term, [`AppendError::InvalidBlock`] if it is not a whole number of
    /// frames or its first frame is not the next one of this stream.
    pub fn offer_block(&mut self, limit: Position, block: &[u8]) -> Result<Position, AppendError> {
        let geometry = self.log.geometry();
        if self.term_offset >= geometry.term_length() {
            self.rotate()?;
        }
        let position = self.position();
        let remaining = geometry.term_length() - self.term_offset;
        let Some(length) = i32::try_from(block.len()).ok().filter(|n| *n <= remaining) else {
            return Err(AppendError::TooLong {
                length: block.len(),
                max: size(remaining),
            });
        };
        if position >= limit {
            return Err(refusal(&self.log, position, length));
        }
        let first_length = self.check_block(block).ok_or(AppendError::InvalidBlock)?;

        let offset = self.term_offset;
        self.log
            .metadata()
            .set_tail(self.index, self.term_id, offset + length);
        let term = self.log.term(self.index);
        let start = size(offset);
        // SAFETY: LOG-2 (a claimed range has one writer until its length turns positive): the tail
        // was just moved over this range by its only writer.
        let target = unsafe { term.bytes_mut(start + LENGTH_SIZE..start + block.len()) };
        target.copy_from_slice(&block[LENGTH_SIZE..]);
        // The frames behind the first can only be reached through it.
        frame::commit(term, offset, first_length);
        self.term_offset = offset + length;
        Ok(self.position())
    }

    /// Length of a block's first frame, if the block continues this stream.
    fn check_block(&self, block: &[u8]) -> Option<i32> {
        let header: &[u8; HEADER_SIZE] = block.first_chunk()?;
        let i32_at = |at: usize| {
            i32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let length = i32_at(0);
        let is_next = block.len().is_multiple_of(HEADER_SIZE)
            && length >= HEADER_LENGTH
            && size(length) <= block.len()
            && header[field::TYPE..field::TYPE + 2] == TYPE_DATA.to_le_bytes()
            && i32_at(field::TERM_OFFSET) == self.term_offset
            && i32_at(field::TERM_ID) == self.term_id.0
            && i32_at(field::SESSION_ID) == self.log.session_id().0
            && i32_at(field::STREAM_ID) == self.log.stream_id().0;
        is_next.then_some(length)
    }

    #[inline(always)]
    fn append(
        &mut self,
        limit: Position,
        mut payload: impl Payload,
        mut reserved: impl ReservedValue,
    ) -> Result<Position, AppendError> {
        let (length, required) = check_message(&self.log, payload.length())?;
        let max_payload = self.log.max_payload_length();
        let reservation = self.reserve(limit, length, required)?;
        write_message(
            &reservation,
            max_payload,
            &mut payload,
            length,
            &mut reserved,
        );
        Ok(reservation.end)
    }

    /// Moves the tail over `required` bytes, a multiple of 32.
    #[inline(always)]
    fn reserve(
        &mut self,
        limit: Position,
        payload: i32,
        required: i32,
    ) -> Result<Reservation<'_>, AppendError> {
        let position = self.position();
        if position >= limit {
            return Err(refusal(&self.log, position, payload));
        }
        let term_length = self.log.geometry().term_length();
        let offset = self.term_offset;
        // The tail comes before the frame, even before one that does not fit: it tells the driver
        // how far a dead publisher may have written.
        self.log
            .metadata()
            .set_tail(self.index, self.term_id, offset + required);
        let ids = self.log.frame_ids(self.term_id);
        if required > term_length - offset {
            pad_term(self.log.term(self.index), offset, term_length, ids);
            self.rotate()?;
            return Err(AppendError::AdminAction);
        }
        self.term_offset = offset + required;
        let term = self.log.term(self.index);
        let end = position + i64::from(required);
        Ok(Reservation {
            term,
            ids,
            offset,
            length: required,
            end,
        })
    }

    /// Moves on to the next term, unless there is none.
    #[cold]
    fn rotate(&mut self) -> Result<(), AppendError> {
        let geometry = self.log.geometry();
        let next_begin = self.term_begin + i64::from(geometry.term_length());
        if next_begin >= geometry.max_possible_position() {
            // Departs from Aeron, where the writer stays in front of the padding: a shorter message
            // would overwrite what subscribers may have passed already, and be lost.
            self.term_offset = geometry.term_length();
            return Err(AppendError::MaxPositionExceeded);
        }
        self.index = (self.index + 1) % PARTITION_COUNT;
        self.term_id = self.term_id.plus(1);
        self.term_offset = 0;
        self.term_begin = next_begin;
        let count = self.term_id.count_since(geometry.initial_term_id());
        self.log
            .metadata()
            .rotate_exclusive(self.index, self.term_id, count);
        Ok(())
    }
}
