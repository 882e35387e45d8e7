//! Zeroing what all consumers are done with, so that publishers find empty memory; and the holes of
//! images.

use crate::base::Position;

use super::frame::{FRAME_ALIGNMENT, LENGTH_SIZE, size};
use super::log::LogBuffer;

impl LogBuffer {
    /// Conductor, and the receiver where it knows of a hole: zeroes from `from`, where cleaning
    /// stands, towards `to`, at most to the end of one term. Returns where cleaning stands now. The
    /// first word of the range turns zero last.
    ///
    /// A `to` within a frame slot is rounded down; nothing happens when `to` is not past `from`.
    pub fn clean(&self, from: Position, to: Position) -> Position {
        let geometry = self.geometry();
        let Some((index, offset)) = geometry.locate(from) else {
            return from;
        };
        let to = Position(to.0 & !(i64::from(FRAME_ALIGNMENT) - 1));
        if to <= from {
            return from;
        }
        let remaining = geometry.term_length() - offset;
        let length = i32::try_from(to - from).map_or(remaining, |n| n.min(remaining));
        let term = self.term(index);
        let start = size(offset);
        // SAFETY: LOG-5 (what all consumers passed is the conductor's until the publisher limit
        // lets new data in): the caller derives `to` from the slowest consumer. In an image LOG-4
        // (what lies behind the frontier is the receiver's).
        let bytes = unsafe { term.bytes_mut(start + LENGTH_SIZE..start + size(length)) };
        bytes.fill(0);
        // PUBLISH(cleaned): pairs with `frame::slot`: an empty first slot means an empty range.
        term.store_i32_release(start, 0);
        from + i64::from(length)
    }
}
