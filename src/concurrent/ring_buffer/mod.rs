//! Many-to-one ring buffer: how clients send commands to the driver (`cnc.md` §3).
//!
//! ```text
//!             head                    tail                          capacity
//!   +----------+-----------------------+------------------------------+---------+
//!   |  zeros   | records, some claimed | zeros                        | trailer |
//!   +----------+-----------------------+------------------------------+---------+
//! ```
//!
//! A producer moves the tail over the space it needs with a compare-and-exchange, marks the space as
//! claimed with a negative length, fills it, and publishes it by making the length positive. The
//! one consumer takes records in order, zeroes what it took, and moves the head over it. A record
//! never crosses the end: a padding record fills what is left there.
//!
//! Invariants (`docs/memory-invariants.md`): RING-1 one width per word, RING-2 one writer per
//! claimed range, RING-3 zero outside of `head..tail`, RING-4 one consumer.

mod consumer;
mod producer;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::fmt;

pub use consumer::{ReadAction, RingConsumer};
pub use producer::{RingBuffer, RingClaim};

/// Bytes behind the data area that hold the positions, the id counter and the heartbeat.
pub const RING_TRAILER_LENGTH: usize = 768;

/// Offsets of the trailer's fields, from the end of the data area; each on its own two cache lines.
mod trailer {
    /// `i64`: end of all claims. Producers compare-and-exchange it.
    pub(super) const TAIL: i64 = 128;
    /// `i64`: a head some producer saw lately, to spare the others a look at [`HEAD`].
    pub(super) const HEAD_CACHE: i64 = 256;
    /// `i64`: end of what was consumed and zeroed. The consumer writes it.
    pub(super) const HEAD: i64 = 384;
    /// `i64`: the next id that nobody has. Everyone adds 1 to it.
    pub(super) const CORRELATION: i64 = 512;
    /// `i64`: when the consumer was last alive, epoch milliseconds. The consumer writes it.
    pub(super) const CONSUMER_HEARTBEAT: i64 = 640;
}

const _: () = assert!(trailer::CONSUMER_HEARTBEAT + 128 == RING_TRAILER_LENGTH as i64);

/// Why a record did not go into the ring.
///
/// ```
/// use aileron::concurrent::RingError;
/// assert!(RingError::Full.is_retryable());
/// assert!(!RingError::InvalidType { type_id: 0 }.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RingError {
    /// There is no room until the consumer has read some more.
    Full,
    /// The payload exceeds an eighth of the capacity.
    TooLong {
        /// Payload length asked for, bytes.
        length: usize,
        /// The longest possible, bytes.
        max: usize,
    },
    /// Message types are 1 or more.
    InvalidType {
        /// The type asked for.
        type_id: i32,
    },
    /// The consumer lost patience with the claim and has skipped it.
    Unblocked,
    /// The positions in the trailer are not ones that producers and a consumer would write.
    Corrupt,
}

impl RingError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Full)
    }
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the ring buffer is full"),
            Self::TooLong { length, max } => {
                write!(
                    f,
                    "a payload of {length} bytes exceeds the maximum of {max}"
                )
            }
            Self::InvalidType { type_id } => write!(f, "message type {type_id} is below 1"),
            Self::Unblocked => f.write_str("the consumer skipped the claim before its commit"),
            Self::Corrupt => f.write_str("the positions of the ring buffer are corrupt"),
        }
    }
}

impl Error for RingError {}
