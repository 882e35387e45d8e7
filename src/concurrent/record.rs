//! The record that the ring buffer and the broadcast buffer share, and word-wise access to it.
//!
//! | Offset | Type | Field |
//! |---|---|---|
//! | 0 | i32 | length: 8 + payload, not rounded up |
//! | 4 | i32 | message type, at least 1; −1 marks padding |
//! | 8 | bytes | payload |
//!
//! Records start 8-aligned and occupy a multiple of 8 bytes. Everything within is read and written
//! as aligned 32-bit words (`RING-1`), so that a scan for lengths may cross a payload which another
//! process is writing.

use std::ops::Range;

use crate::base::align_i64;
use crate::memory::AtomicBuffer;

/// Bytes before the payload.
pub(super) const HEADER_LENGTH: i64 = 8;
/// Records start at multiples of this.
pub(super) const ALIGNMENT: i64 = 8;
/// Message type of records that only fill space.
pub(super) const PADDING_TYPE_ID: i32 = -1;
/// Offset of the message type within a record.
const TYPE_OFFSET: usize = 4;
/// Offset of the payload within a record.
const PAYLOAD_OFFSET: usize = 8;
const WORD: usize = 4;

/// A power-of-two data area in front of a trailer: turns positions into offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    capacity: i64,
}

impl Area {
    /// Data areas are at most this long, so that any length in one fits an `i32`.
    const CAPACITY_MAX: usize = 1 << 30;

    /// The area that remains of `length` bytes before a trailer, if that is a power of two.
    pub(super) fn before_trailer(length: usize, trailer: usize, min: usize) -> Option<Self> {
        let capacity = length.checked_sub(trailer)?;
        let suits = capacity.is_power_of_two() && (min..=Self::CAPACITY_MAX).contains(&capacity);
        suits.then_some(Self {
            capacity: i64::try_from(capacity).ok()?,
        })
    }

    pub(super) const fn capacity(self) -> i64 {
        self.capacity
    }

    pub(super) const fn payload_length_max(self) -> i64 {
        self.capacity / 8
    }

    /// Where a position lies in the area; defined for any `i64` that shared memory may hold.
    pub(super) const fn index(self, position: i64) -> i64 {
        position & (self.capacity - 1)
    }
}

/// Bytes that a record with a payload of `length` occupies.
pub(super) const fn occupied_by_payload(length: i64) -> i64 {
    align_i64(HEADER_LENGTH + length, ALIGNMENT)
}

/// An index or length within an [`Area`] as an offset for buffer accesses.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass what `Area` bounded to 0..=2^30"
)]
pub(super) fn offset(index: i64) -> usize {
    debug_assert!(
        (0..=1 << 30).contains(&index),
        "{index} is outside of any area"
    );
    index as usize
}

/// A length within an [`Area`] as it is written into a record.
#[expect(
    clippy::cast_possible_truncation,
    reason = "callers pass what `Area` bounded to 2^30"
)]
pub(super) fn wire_length(length: i64) -> i32 {
    debug_assert!(length.abs() <= 1 << 30, "{length} is outside of any area");
    length as i32
}

pub(super) fn type_offset(index: i64) -> usize {
    offset(index) + TYPE_OFFSET
}

pub(super) fn payload_offset(index: i64) -> usize {
    offset(index) + PAYLOAD_OFFSET
}

/// Copies `from` to an aligned offset. The last word, when only partly covered, is filled with
/// zeros; a record's occupied length leaves room for that.
pub(super) fn write_words(buffer: &AtomicBuffer, at: usize, from: &[u8]) {
    let (words, rest) = from.as_chunks::<WORD>();
    let mut at = at;
    for word in words {
        buffer.store_i32_relaxed(at, i32::from_le_bytes(*word));
        at += WORD;
    }
    if !rest.is_empty() {
        let mut word = [0; WORD];
        word[..rest.len()].copy_from_slice(rest);
        buffer.store_i32_relaxed(at, i32::from_le_bytes(word));
    }
}

/// Replaces the contents of `into` by `length` bytes from an aligned offset.
pub(super) fn read_words(buffer: &AtomicBuffer, at: usize, length: usize, into: &mut Vec<u8>) {
    into.clear();
    for word_at in (at..at + length).step_by(WORD) {
        into.extend_from_slice(&buffer.load_i32_relaxed(word_at).to_le_bytes());
    }
    into.truncate(length);
}

/// Zeroes an aligned range.
pub(super) fn zero_words(buffer: &AtomicBuffer, range: Range<usize>) {
    for at in range.step_by(WORD) {
        buffer.store_i32_relaxed(at, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_go_in_and_come_out_at_any_length() {
        let buffer = AtomicBuffer::heap(64);
        let bytes: Vec<u8> = (1..=20).collect();
        let mut out = Vec::new();
        for length in 0..=bytes.len() {
            zero_words(&buffer, 0..64);
            write_words(&buffer, 8, &bytes[..length]);
            read_words(&buffer, 8, length, &mut out);
            assert_eq!(out, bytes[..length]);
            assert_eq!(buffer.load_i32_relaxed(4), 0, "nothing is written in front");
            assert_eq!(buffer.load_i32_relaxed(32), 0, "nor behind");
        }
    }

    #[test]
    fn an_area_is_a_power_of_two_before_its_trailer() {
        assert_eq!(
            Area::before_trailer(1024 + 128, 128, 8).map(Area::capacity),
            Some(1024)
        );
        for length in [0, 127, 128, 128 + 4, 128 + 1000, 128 + (1 << 31)] {
            assert_eq!(
                Area::before_trailer(length, 128, 8),
                None,
                "length {length}"
            );
        }
    }

    #[test]
    fn any_position_has_an_index() {
        let area = Area::before_trailer(1024, 0, 8).expect("a power of two");
        assert_eq!(area.index(1024 + 24), 24);
        assert_eq!(area.index(-8), 1016);
        assert_eq!(area.index(i64::MIN), 0);
    }
}
