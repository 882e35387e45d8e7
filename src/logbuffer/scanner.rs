//! What the sender takes out of a log: whole committed frames that make one datagram.

use crate::base::Position;

use super::frame::{self, HEADER_LENGTH, Slot, TYPE_PAD, aligned, size};
use super::log::LogBuffer;

/// Result of [`LogBuffer::scan`].
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// log.offer(Position(1024), b"hello")?;
/// let scan = log.scan(Position(0), 1408);
/// assert_eq!((scan.available, scan.padding, scan.bytes.len()), (64, 0, 64));
/// assert_eq!(log.scan(Position(0), 32).available, -64);
/// # Ok::<(), aileron::logbuffer::AppendError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
#[non_exhaustive]
pub struct Scan<'a> {
    /// Bytes to send, a multiple of 32. Negative when the next frame alone exceeds the maximum: it
    /// needs that many. 0 when there is nothing.
    pub available: i32,
    /// Bytes of padding after the header of a trailing padding frame: not sent, but passed over.
    pub padding: i32,
    /// The bytes to send; empty unless `available` is positive.
    pub bytes: &'a [u8],
    /// Whether the frame after these bytes, or the position itself, cannot be.
    pub is_corrupt: bool,
}

impl LogBuffer {
    /// The frames from `position` on that fit a datagram of `max_length` bytes. The position may
    /// advance by `available + padding` once they are sent. `TermScanner.scanForAvailability`.
    pub fn scan(&self, position: Position, max_length: i32) -> Scan<'_> {
        let geometry = self.geometry();
        let mut scan = Scan {
            available: 0,
            padding: 0,
            bytes: &[],
            is_corrupt: false,
        };
        let Some((index, offset)) = geometry.locate(position) else {
            scan.is_corrupt = true;
            return scan;
        };
        let term = self.term(index);
        let term_length = geometry.term_length();
        let limit = max_length.min(term_length - offset);
        loop {
            let at = offset + scan.available;
            let length = match frame::slot(term, at, term_length) {
                Slot::Empty => break,
                Slot::Committed(length) => length,
                Slot::Corrupt(_) => {
                    scan.is_corrupt = true;
                    break;
                }
            };
            let mut needed = aligned(length);
            let mut padding = 0;
            if frame::frame_type(term, at) == TYPE_PAD {
                padding = needed - HEADER_LENGTH;
                needed = HEADER_LENGTH;
            }
            if scan.available + needed > limit {
                if scan.available == 0 {
                    scan.available = -needed;
                }
                break;
            }
            scan.available += needed;
            scan.padding = padding;
            if padding > 0 || scan.available >= limit {
                break;
            }
        }
        if scan.available > 0 {
            let start = size(offset);
            // SAFETY: LOG-3 (committed bytes are stable): the loop acquired each of these frames,
            // and cleaning stays a term behind the sender position.
            scan.bytes = unsafe { term.bytes(start..start + size(scan.available)) };
        }
        scan
    }
}
