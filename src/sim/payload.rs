//! What simulated publishers write: bytes that follow from who wrote which message, so that a
//! subscriber can be checked without being told.
//!
//! Every fragment carries its message's [`Tag`] as reserved value, and the payload is a window on
//! one long table of random bytes that begins where the tag says. Comparing is as cheap as copying,
//! and any byte out of place shows, were it from another message or another part of this one.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::base::Rng;

/// Bytes of the table; a prime, so that no power of two is a period of it.
const TABLE_LENGTH: usize = 65_521;
const TABLE_SEED: u64 = 0xA11E_0507;

/// Names a message: which publisher wrote it, and as its how manyth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tag {
    pub(super) publisher: u16,
    pub(super) sequence: u32,
    /// Its frames do not carry it.
    pub(super) is_plain: bool,
}

impl Tag {
    /// The reserved value of the message's frames: 0 if nobody wrote one.
    pub(super) fn reserved_value(self) -> i64 {
        if self.is_plain { 0 } else { self.number() }
    }

    /// Never 0.
    fn number(self) -> i64 {
        (i64::from(self.publisher) + 1) << 32 | i64::from(self.sequence)
    }

    fn start(self) -> usize {
        let mixed = Rng::new(self.number().cast_unsigned()).below(TABLE_LENGTH as u64);
        usize::try_from(mixed).unwrap_or(0)
    }
}

/// The table twice over, so that a window of its length may begin anywhere.
fn table() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rng = Rng::new(TABLE_SEED);
        let once = (0..TABLE_LENGTH).map(|_| rng.next_u64().to_le_bytes()[0]);
        let once: Vec<u8> = once.collect();
        [once.as_slice(), &once].concat()
    })
}

/// The pieces of the table that make up `length` bytes of a message's payload, from `offset` on.
fn pieces(tag: Tag, offset: usize, length: usize) -> impl Iterator<Item = &'static [u8]> {
    let mut at = (tag.start() + offset) % TABLE_LENGTH;
    let mut rest = length;
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let count = rest.min(TABLE_LENGTH);
        let piece = &table()[at..at + count];
        at = (at + count) % TABLE_LENGTH;
        rest -= count;
        Some(piece)
    })
}

/// The payload of a message, which is copied only if it is longer than the table.
pub(super) fn of(tag: Tag, length: usize) -> Cow<'static, [u8]> {
    let mut all = pieces(tag, 0, length);
    let first = all.next().unwrap_or_default();
    if first.len() == length {
        return Cow::Borrowed(first);
    }
    let mut bytes = first.to_vec();
    all.for_each(|piece| bytes.extend_from_slice(piece));
    Cow::Owned(bytes)
}

/// Writes the payload of a message.
pub(super) fn fill(tag: Tag, into: &mut [u8]) {
    let mut at = 0;
    for piece in pieces(tag, 0, into.len()) {
        into[at..at + piece.len()].copy_from_slice(piece);
        at += piece.len();
    }
}

/// Whether `bytes` are what the message has from `offset` on.
pub(super) fn matches(tag: Tag, offset: usize, bytes: &[u8]) -> bool {
    let mut at = 0;
    pieces(tag, offset, bytes.len()).all(|piece| {
        let begin = at;
        at += piece.len();
        bytes[begin..at] == *piece
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag {
        publisher: 3,
        sequence: 77,
        is_plain: false,
    };

    #[test]
    fn what_was_filled_matches_in_part_and_as_a_whole() {
        let mut message = vec![0; 200_000];
        fill(TAG, &mut message);
        assert!(matches(TAG, 0, &message));
        assert!(matches(TAG, 70_001, &message[70_001..130_000]));
        for length in [0, 1, TABLE_LENGTH, TABLE_LENGTH + 1, message.len()] {
            assert_eq!(*of(TAG, length), message[..length]);
        }
    }

    #[test]
    fn a_changed_or_moved_byte_and_another_message_do_not_match() {
        let mut message = vec![0; 64];
        fill(TAG, &mut message);
        assert!(!matches(TAG, 1, &message[..63]));
        let other = Tag {
            sequence: 78,
            ..TAG
        };
        assert!(!matches(other, 0, &message));
        message[40] ^= 1;
        assert!(!matches(TAG, 0, &message));
    }
}
