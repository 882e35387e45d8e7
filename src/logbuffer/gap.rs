//! Holes in the log of an image: finding the first one, and padding over it when the stream is not
//! reliable.

use crate::base::{Position, TermId, TermOffset};

use super::frame::{self, FRAME_ALIGNMENT, Slot, aligned, size};
use super::geometry::TermGeometry;
use super::log::LogBuffer;

/// A hole: bytes of a term that were not received, while later ones were or should have been.
///
/// ```
/// use aileron::base::{TermId, TermOffset};
/// use aileron::logbuffer::Gap;
/// let gap = Gap { term_id: TermId(5), term_offset: TermOffset(64), length: 128 };
/// assert_eq!(gap.end_offset(), TermOffset(192));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "what a NAK says, no more")]
pub struct Gap {
    /// Id of the term it lies in.
    pub term_id: TermId,
    /// Where in the term it starts.
    pub term_offset: TermOffset,
    /// Bytes missing.
    pub length: i32,
}

impl Gap {
    /// Where in the term it ends. Saturates: the parts may come from a datagram.
    #[must_use]
    pub const fn end_offset(self) -> TermOffset {
        TermOffset(self.term_offset.0.saturating_add(self.length))
    }
}

/// Result of [`LogBuffer::scan_gap`].
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// let scan = log.scan_gap(Position(0), Position(64));
/// assert_eq!(scan.contiguous, Position(0));
/// assert_eq!(scan.gap.unwrap().length, 64);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct GapScan {
    /// Up to here nothing is missing.
    pub contiguous: Position,
    /// The first hole, if there is one in this term below the high-water mark.
    pub gap: Option<Gap>,
    /// Whether the frame at `contiguous`, or the position itself, cannot be.
    pub is_corrupt: bool,
}

impl LogBuffer {
    /// Follows the frames from `rebuild` on, to the high-water mark `hwm` or the end of the term,
    /// and finds the first hole. `TermGapScanner.scanForGap`.
    ///
    /// While the receiver is inserting a datagram the hole may be reported shorter than it is.
    pub fn scan_gap(&self, rebuild: Position, hwm: Position) -> GapScan {
        let mut scan = GapScan {
            contiguous: rebuild,
            gap: None,
            is_corrupt: false,
        };
        if rebuild >= hwm {
            return scan;
        }
        let geometry = self.geometry();
        let (Some((index, start)), Some(_)) = (geometry.locate(rebuild), geometry.locate(hwm))
        else {
            scan.is_corrupt = true;
            return scan;
        };
        let term = self.term(index);
        let term_length = geometry.term_length();
        let term_begin = geometry.term_begin(rebuild);
        let limit = i32::try_from(hwm - term_begin).map_or(term_length, |n| n.min(term_length));

        let mut offset = start;
        while offset < limit {
            match frame::slot(term, offset, term_length) {
                Slot::Empty => break,
                Slot::Committed(length) => offset += aligned(length),
                Slot::Corrupt(_) => {
                    scan.is_corrupt = true;
                    break;
                }
            }
        }
        scan.contiguous = term_begin + i64::from(offset);
        if offset < limit && !scan.is_corrupt {
            let mut end = offset + FRAME_ALIGNMENT;
            while end < limit && term.load_i32_acquire(size(end)) == 0 {
                end += FRAME_ALIGNMENT;
            }
            scan.gap = Some(Gap {
                term_id: geometry.term_id_at(rebuild),
                term_offset: TermOffset(offset),
                length: end - offset,
            });
        }
        scan
    }

    /// Receiver: commits padding over a hole, so that consumers pass it. Returns whether it did: a
    /// hole in which something arrived meanwhile, or that does not lie within a term, is left
    /// alone. `TermGapFiller.tryFillGap`.
    pub fn fill_gap(&self, gap: Gap) -> bool {
        let geometry = self.geometry();
        let offset = gap.term_offset.0;
        let is_legal = gap.length > 0
            && offset >= 0
            && offset % FRAME_ALIGNMENT == 0
            && gap.length % FRAME_ALIGNMENT == 0
            && gap.length <= geometry.term_length().saturating_sub(offset);
        if !is_legal {
            return false;
        }
        let count = gap.term_id.count_since(geometry.initial_term_id());
        let term = self.term(TermGeometry::index_of_count(count));
        let start = size(offset);
        let is_empty = (start..start + size(gap.length))
            .step_by(size(FRAME_ALIGNMENT))
            .rev()
            .all(|at| term.load_i32_relaxed(at) == 0);
        if is_empty {
            let ids = self.frame_ids(gap.term_id);
            frame::overwrite_with_padding(term, offset, gap.length, ids);
        }
        is_empty
    }
}
