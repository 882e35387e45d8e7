//! A frame being filled in place by its publisher.

use std::fmt;

use crate::base::Position;
use crate::memory::AtomicBuffer;

use super::appender::Reservation;
use super::frame::{self, FLAGS_UNFRAGMENTED, HEADER_SIZE, TYPE_DATA, TYPE_PAD, field, size};

/// A claimed frame. Fill [`Self::bytes_mut`], then [`Self::commit`]; dropping it without aborts, so
/// that readers skip it.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default())?;
/// let mut claim = log.claim(Position(1024), 5)?;
/// claim.bytes_mut().copy_from_slice(b"hello");
/// claim.set_reserved_value(7);
/// assert_eq!(claim.commit(), Position(64));
/// drop(log.claim(Position(1024), 100)?);
/// let polled = reader::poll(&log, Position(0), 10, |payload, header| {
///     assert_eq!((payload, header.reserved_value()), (&b"hello"[..], 7));
/// });
/// assert_eq!((polled.fragments, polled.position), (1, Position(64 + 160)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Claim<'a> {
    term: &'a AtomicBuffer,
    offset: i32,
    /// Header included.
    frame_length: i32,
    end: Position,
    is_open: bool,
}

impl<'a> Claim<'a> {
    /// Writes the header of a data frame into its reservation.
    pub(super) fn new(reservation: &Reservation<'a>, frame_length: i32) -> Self {
        let Reservation {
            term,
            ids,
            offset,
            end,
            ..
        } = *reservation;
        frame::prefetch_ahead(term, offset, frame_length);
        let _ = frame::begin(
            term,
            offset,
            frame_length,
            ids,
            FLAGS_UNFRAGMENTED,
            TYPE_DATA,
        );
        Self {
            term,
            offset,
            frame_length,
            end,
            is_open: true,
        }
    }

    /// The payload to be written. It is zero at first.
    #[must_use]
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let start = size(self.offset);
        // SAFETY: LOG-2 (a claimed range has one writer until its length turns positive): `self`
        // stands for the claim, is borrowed mutably, and has not been committed.
        unsafe {
            self.term
                .bytes_mut(start + HEADER_SIZE..start + size(self.frame_length))
        }
    }

    /// The payload as written so far.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let start = size(self.offset);
        // SAFETY: LOG-2, as in `bytes_mut`; `self` is borrowed, so nothing is written meanwhile.
        unsafe {
            self.term
                .bytes(start + HEADER_SIZE..start + size(self.frame_length))
        }
    }

    /// Stream position after the claimed frame.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.end
    }

    /// Sets the flags byte; `0xC0`, a whole message, unless set.
    pub fn set_flags(&mut self, flags: u8) {
        self.header_mut(field::FLAGS)[0] = flags;
    }

    /// Sets the frame type; 1, data, unless set.
    pub fn set_type(&mut self, frame_type: u16) {
        self.header_mut(field::TYPE)[..2].copy_from_slice(&frame_type.to_le_bytes());
    }

    /// Sets the reserved value; 0 unless set.
    pub fn set_reserved_value(&mut self, value: i64) {
        frame::set_reserved_value(self.term, self.offset, value);
    }

    /// Makes the frame visible. Returns the position after it.
    pub fn commit(mut self) -> Position {
        self.is_open = false;
        frame::commit(self.term, self.offset, self.frame_length);
        self.end
    }

    /// Gives the frame up: readers skip it. The same as dropping the claim.
    pub fn abort(self) {
        drop(self);
    }

    /// The header from the field at `from` to its end.
    fn header_mut(&mut self, from: usize) -> &mut [u8] {
        let start = size(self.offset);
        // SAFETY: LOG-2, as in `bytes_mut`; the length word, which others read, is left out.
        unsafe { self.term.bytes_mut(start + from..start + HEADER_SIZE) }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.set_type(TYPE_PAD);
            frame::commit(self.term, self.offset, self.frame_length);
        }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("offset", &self.offset)
            .field("frame_length", &self.frame_length)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
