//! Algorithms over shared regions: how processes, and the agents of one process, talk to each other.
//!
//! | Part | From, to | Where the bytes are |
//! |---|---|---|
//! | [`RingBuffer`], [`RingConsumer`] | many clients to one driver | CnC file |
//! | [`Transmitter`], [`Receiver`] | one driver to many clients | CnC file |
//! | [`CountersManager`], [`CountersReader`], [`AtomicCounter`] | whoever owns a value to whoever looks | CnC file |
//! | [`DistinctErrorLog`] | driver to tools | CnC file |
//! | [`LossReport`] | driver to tools | a file of its own |
//! | [`EventFile`], [`EventReader`] | each agent to tools: what it did | a file of its own |
//! | [`BoundedQueue`] | agent to agent | heap |
//! | [`StampedCell`] | one agent to others, latest value only | heap |
//!
//! Two rules hold everywhere. Whatever is read from a shared region may have been written by a
//! hostile process, so each length, offset and position is checked before it is used; a broken one
//! costs data, never a panic and never an endless loop. And each word of a region is accessed at one
//! width only, which is why records are copied word by word: no unsafe code is needed here at all.
//! The promises behind the algorithms have names (`RING-1`, `BCAST-2`, …) in
//! `docs/memory-invariants.md`.

#![forbid(unsafe_code)]

mod broadcast;
mod counters;
mod error_log;
mod event_log;
mod loss_report;
mod queue;
mod record;
mod ring_buffer;
mod stamped;

pub use broadcast::{
    BROADCAST_TRAILER_LENGTH, BroadcastTail, Lapped, Receiver, TooLong, Transmitter,
};
pub use counters::{
    AtomicCounter, COUNTER_METADATA_LENGTH, COUNTER_VALUE_LENGTH, CounterRecord, CounterSpec,
    CounterState, CountersFull, CountersManager, CountersReader, KEY_LENGTH_MAX, LABEL_LENGTH_MAX,
    STATIC_OWNER_ID,
};
pub use error_log::{DistinctErrorLog, ErrorObservation, read_error_log};
pub use event_log::{
    EVENT_SLOT_LENGTH, EVENT_TEXT_LENGTH_MAX, EVENT_VALUES_MAX, EventFamily, EventFile, EventKind,
    EventReader, EventRecord, EventSet, EventWriter, InvalidEventFile,
};
pub use loss_report::{LossEntry, LossObservation, LossReport, LossSource, read_loss_report};
pub use queue::BoundedQueue;
pub use ring_buffer::{
    RING_TRAILER_LENGTH, ReadAction, RingBuffer, RingClaim, RingConsumer, RingError,
};
pub use stamped::StampedCell;

use std::error::Error;
use std::fmt;

/// A buffer whose length does not suit what is to be built on it.
///
/// ```
/// use aileron::concurrent::RingBuffer;
/// use aileron::memory::AtomicBuffer;
/// let error = RingBuffer::new(AtomicBuffer::heap(1000)).unwrap_err();
/// assert_eq!(error.length, 1000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidCapacity {
    /// Length of the whole buffer in bytes, its trailer included.
    pub length: usize,
    /// Bytes of it that are trailer; what remains has to be a power of two.
    pub trailer_length: usize,
}

impl fmt::Display for InvalidCapacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a buffer of {} bytes is not a power of two and a trailer of {} bytes",
            self.length, self.trailer_length
        )
    }
}

impl Error for InvalidCapacity {}
