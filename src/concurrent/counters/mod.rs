//! Counters: 64-bit values in shared memory that carry an id, a type, a key and a label
//! (`cnc.md` §5).
//!
//! They report positions, statistics and heartbeats, and let processes share positions: a
//! subscriber's position is a counter that the client writes and the driver reads.
//!
//! Counter `n` has its metadata at `n * 512` of one buffer and its value at `n * 128` of another.
//! One [`CountersManager`] allocates and frees; anyone looks through a [`CountersReader`]; whoever
//! owns a value writes it through an [`AtomicCounter`].
//!
//! Invariants (`docs/memory-invariants.md`): CTR-1 one allocator, CTR-2 a record is complete before
//! its state says allocated, CTR-3 an id is not reused before its deadline.

mod counter;
mod manager;
mod reader;
#[cfg(test)]
mod tests;

pub use counter::AtomicCounter;
pub use manager::{CounterSpec, CountersFull, CountersManager};
pub use reader::{CounterRecord, CounterState, CountersReader};

use crate::memory::AtomicBuffer;

/// Bytes of one counter in the metadata buffer.
pub const COUNTER_METADATA_LENGTH: usize = 512;
/// Bytes of one counter in the values buffer.
pub const COUNTER_VALUE_LENGTH: usize = 128;
/// Longest key, bytes.
pub const KEY_LENGTH_MAX: usize = 112;
/// Longest label, bytes.
pub const LABEL_LENGTH_MAX: usize = 380;
/// Owner of counters that live as long as the driver.
pub const STATIC_OWNER_ID: i64 = -1;

/// Offsets within a value record.
mod value {
    /// `i64`: the value. One writer, or several that add.
    pub(super) const VALUE: usize = 0;
    /// `i64`: what the counter belongs to.
    pub(super) const REGISTRATION_ID: usize = 8;
    /// `i64`: client id, 0 for none, −1 for as long as the driver lives.
    pub(super) const OWNER_ID: usize = 16;
    /// `i64`: a second resource, such as the image of a subscriber position.
    pub(super) const REFERENCE_ID: usize = 24;
}

/// Offsets within a metadata record.
mod metadata {
    /// `i32`: [`CounterState`](super::CounterState).
    pub(super) const STATE: usize = 0;
    /// `i32`: what kind of counter it is.
    pub(super) const TYPE_ID: usize = 4;
    /// `i64`: epoch milliseconds from which a freed id may be used again; `i64::MAX` in use.
    pub(super) const REUSE_DEADLINE: usize = 8;
    /// 112 bytes whose meaning follows from the type.
    pub(super) const KEY: usize = 16;
    /// `i32`: bytes of the label.
    pub(super) const LABEL_LENGTH: usize = 128;
    /// 380 bytes.
    pub(super) const LABEL: usize = 132;
}

const _: () = assert!(metadata::KEY + KEY_LENGTH_MAX == metadata::LABEL_LENGTH);
const _: () = assert!(metadata::LABEL + LABEL_LENGTH_MAX == COUNTER_METADATA_LENGTH);

/// The part of `text` that fits a label; whole characters only.
fn fitting(text: &str, length_max: usize) -> &[u8] {
    &text.as_bytes()[..text.floor_char_boundary(length_max)]
}

/// Replaces the label of a record.
fn write_label(record: &AtomicBuffer, label: &str) {
    let bytes = fitting(label, LABEL_LENGTH_MAX);
    record.write_bytes(metadata::LABEL, bytes);
    // PUBLISH(counter-label): pairs with label_length.
    record.store_i32_release(metadata::LABEL_LENGTH, wire_length(bytes.len()));
}

/// Appends to the label of a record, as far as it fits.
fn append_label(record: &AtomicBuffer, text: &str) {
    let length = label_length(record);
    let bytes = fitting(text, LABEL_LENGTH_MAX - length);
    record.write_bytes(metadata::LABEL + length, bytes);
    // PUBLISH(counter-label): pairs with label_length.
    record.store_i32_release(metadata::LABEL_LENGTH, wire_length(length + bytes.len()));
}

/// Length of the label of a record, whatever shared memory says.
fn label_length(record: &AtomicBuffer) -> usize {
    // Pairs with PUBLISH(counter-label).
    let length = record.load_i32_acquire(metadata::LABEL_LENGTH);
    usize::try_from(length).unwrap_or(0).min(LABEL_LENGTH_MAX)
}

fn wire_length(label_length: usize) -> i32 {
    i32::try_from(label_length).expect("a label has at most 380 bytes")
}
