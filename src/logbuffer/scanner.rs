//! What the sender takes out of a log: whole committed frames that make one datagram.

use crate::base::Position;

use super::frame::{self, HEADER_LENGTH, Slot, TYPE_PAD, aligned, size};
use super::log::LogBuffer;

/// Datagrams of at least this length make [`LogBuffer::scan_run`] look ahead.
const PREFETCH_LENGTH_MIN: i32 = 256;
/// How many datagrams it looks ahead.
const PREFETCH_DATAGRAMS: i32 = 8;

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

/// How much of a log [`LogBuffer::scan_run`] takes.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "limits, and there are no others")]
pub struct RunLimits {
    /// Longest datagram, in bytes.
    pub datagram_length: i32,
    /// Bytes of the stream that may be passed over.
    pub available: i64,
    /// Bytes of all the datagrams.
    pub run_length: i32,
    /// Datagrams.
    pub count: usize,
}

/// Result of [`LogBuffer::scan_run`]: datagrams that lie one behind the other.
#[derive(Clone, Copy, Debug)]
#[must_use]
#[non_exhaustive]
pub struct Run<'a> {
    /// The bytes to send; empty when there is nothing, or not enough room.
    pub bytes: &'a [u8],
    /// Bytes of each datagram but the last, which may be shorter. Not 0.
    pub segment_length: usize,
    /// Bytes behind the last datagram that are not sent but passed over.
    pub padding: i32,
    /// Whether the first frame alone exceeds what is available.
    pub is_blocked: bool,
}

impl LogBuffer {
    /// The frames from `position` on as datagrams of one length; the last may be shorter. Each
    /// datagram holds what [`Self::scan`] finds at its place. Before that, `before_datagram` is
    /// called with the place.
    ///
    /// ```
    /// use aileron::base::Position;
    /// use aileron::logbuffer::{LogBuffer, LogSpec, RunLimits};
    /// use aileron::memory::AtomicBuffer;
    /// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
    /// for length in [100, 100, 20] {
    ///     log.offer(Position(1024), &vec![7; length])?;
    /// }
    /// let run_length = 65_507;
    /// let limits = RunLimits { datagram_length: 160, available: 1024, run_length, count: 64 };
    /// let run = log.scan_run(Position(0), &limits, |_| {});
    /// assert_eq!((run.bytes.len(), run.segment_length), (160 + 160 + 64, 160));
    /// # Ok::<(), aileron::logbuffer::AppendError>(())
    /// ```
    #[inline]
    pub fn scan_run(
        &self,
        position: Position,
        limits: &RunLimits,
        mut before_datagram: impl FnMut(Position),
    ) -> Run<'_> {
        let mut run = Run {
            bytes: &[],
            segment_length: 1,
            padding: 0,
            is_blocked: false,
        };
        let Some((index, offset)) = self.geometry().locate(position) else {
            return run;
        };
        let mut length = 0;
        let mut segment_length = 0;
        for _ in 0..limits.count {
            let at = position + i64::from(length);
            let available = limits.available - i64::from(length);
            if available <= 0 || length > 0 && offset + length >= self.geometry().term_length() {
                break;
            }
            let most = i32::try_from(available).map_or(limits.datagram_length, |available| {
                available.min(limits.datagram_length)
            });
            before_datagram(at);
            let scan = self.scan(at, most);
            if scan.available <= 0 {
                run.is_blocked = length == 0 && scan.available < 0;
                break;
            }
            if length == 0 {
                segment_length = scan.available;
            } else if scan.available > segment_length || scan.available > limits.run_length - length
            {
                break;
            }
            length += scan.available;
            run.padding = scan.padding;
            // Long frames are a line to read here and there, which no processor foresees.
            if segment_length >= PREFETCH_LENGTH_MIN {
                let ahead = length + PREFETCH_DATAGRAMS * segment_length;
                self.term(index).prefetch_to_read(size(offset + ahead));
            }
            if scan.available < segment_length || scan.padding > 0 {
                break;
            }
        }
        if length > 0 {
            let start = size(offset);
            // SAFETY: LOG-3 (committed bytes are stable): each part of the range was acquired by a
            // scan just now, and cleaning stays a term behind the sender position.
            run.bytes = unsafe { self.term(index).bytes(start..start + size(length)) };
            run.segment_length = size(segment_length);
        }
        run
    }

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
