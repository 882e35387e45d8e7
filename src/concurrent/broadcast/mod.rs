//! Broadcast buffer: how the driver sends events to all clients (`cnc.md` §4).
//!
//! One transmitter writes records around a ring without asking whether anybody has read what it
//! overwrites. Receivers never write, so any number of them costs nothing; one that falls behind by
//! the length of the ring has lost events and learns of it.
//!
//! ```text
//!                        latest    tail       intent
//!   +----------------------+---------+-----------+--------------------------+---------+
//!   | earlier records      | newest  | being     | oldest records, next to  | trailer |
//!   |                      | record  | written   | be overwritten           |         |
//!   +----------------------+---------+-----------+--------------------------+---------+
//! ```
//!
//! A receiver copies a record out and then checks that the intent has not come so far around that
//! the copy could be torn: a seqlock whose sequence is a position.
//!
//! Invariants (`docs/memory-invariants.md`): BCAST-1 one transmitter, BCAST-2 the intent precedes
//! the bytes, BCAST-3 a copy is used only after its check.

mod receiver;
#[cfg(test)]
mod tests;
mod transmitter;

pub use receiver::{BroadcastTail, Lapped, Receiver};
pub use transmitter::{TooLong, Transmitter};

use crate::concurrent::InvalidCapacity;
use crate::concurrent::record::Area;
use crate::memory::AtomicBuffer;

/// Bytes behind the data area that hold the three positions.
pub const BROADCAST_TRAILER_LENGTH: usize = 128;

/// Below this no record of the longest payload would fit.
const CAPACITY_MIN: usize = 64;

/// Offsets of the trailer's fields, from the end of the data area. The transmitter writes all.
mod trailer {
    /// `i64`: end of the bytes that are about to be overwritten.
    pub(super) const TAIL_INTENT: usize = 0;
    /// `i64`: end of what is published.
    pub(super) const TAIL: usize = 8;
    /// `i64`: start of the newest record.
    pub(super) const LATEST: usize = 16;
}

fn area_of(buffer: &AtomicBuffer) -> Result<Area, InvalidCapacity> {
    Area::before_trailer(buffer.len(), BROADCAST_TRAILER_LENGTH, CAPACITY_MIN).ok_or(
        InvalidCapacity {
            length: buffer.len(),
            trailer_length: BROADCAST_TRAILER_LENGTH,
        },
    )
}
