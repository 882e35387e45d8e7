//! Numbered, checksummed messages, and the checker of what arrives.
//!
//! ```text
//!  0            8          12
//!  +------------+----------+---------------------------------+
//!  | number u64 | CRC-32   | random bytes of seed and number |
//!  +------------+----------+---------------------------------+
//! ```
//! The checksum covers all but itself.

use std::fmt;

use crc32fast::Hasher;

/// Bytes before the random ones.
pub(super) const HEADER_LENGTH: usize = 12;

/// Writes message `number` over `message`, which is at least a header long.
pub(super) fn fill(message: &mut [u8], seed: u64, number: u64) {
    let (header, body) = message.split_at_mut(HEADER_LENGTH);
    let mut state = (seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1;
    for chunk in body.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        chunk.copy_from_slice(&state.to_le_bytes()[..chunk.len()]);
    }
    header[..8].copy_from_slice(&number.to_le_bytes());
    let checksum = checksum(&header[..8], body);
    header[8..].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(number: &[u8], body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(number);
    hasher.update(body);
    hasher.finalize()
}

/// A message that must not have arrived like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Violation {
    /// It has another length.
    Length {
        number: u64,
        length: usize,
        expected: usize,
    },
    /// Its bytes do not match their checksum.
    Checksum { expected_number: u64 },
    /// It is not the next one: one was lost, repeated or overtaken.
    Order { number: u64, expected: u64 },
    /// There are no more messages than this.
    Surplus { number: u64, count: u64 },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length {
                number,
                length,
                expected,
            } => {
                write!(f, "message {number} has {length} bytes, not {expected}")
            }
            Self::Checksum { expected_number } => {
                write!(f, "checksum failed where message {expected_number} was due")
            }
            Self::Order { number, expected } => {
                write!(f, "message {number} arrived where {expected} was due")
            }
            Self::Surplus { number, count } => {
                write!(f, "message {number} arrived after all {count} had")
            }
        }
    }
}

/// Expects messages `0..count`, each once and in order.
#[derive(Clone, Debug)]
pub(super) struct Checker {
    length: usize,
    count: u64,
    next: u64,
}

impl Checker {
    pub(super) const fn new(count: u64, length: usize) -> Self {
        Self {
            length,
            count,
            next: 0,
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.next == self.count
    }

    /// Takes a message in.
    pub(super) fn accept(&mut self, message: &[u8]) -> Result<(), Violation> {
        let expected = self.next;
        let damaged = Violation::Checksum {
            expected_number: expected,
        };
        let (number, rest) = message.split_first_chunk::<8>().ok_or(damaged)?;
        let (stated, body) = rest.split_first_chunk::<4>().ok_or(damaged)?;
        if checksum(number, body) != u32::from_le_bytes(*stated) {
            return Err(damaged);
        }
        let number = u64::from_le_bytes(*number);
        if self.is_complete() {
            return Err(Violation::Surplus {
                number,
                count: self.count,
            });
        }
        if number != expected {
            return Err(Violation::Order { number, expected });
        }
        if message.len() != self.length {
            let (length, expected) = (message.len(), self.length);
            return Err(Violation::Length {
                number,
                length,
                expected,
            });
        }
        self.next += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: u64) -> Vec<u8> {
        let mut message = vec![0; 100];
        fill(&mut message, 7, number);
        message
    }

    #[test]
    fn all_messages_in_order_are_accepted_and_then_no_more() {
        let mut checker = Checker::new(3, 100);
        (0..3).for_each(|n| checker.accept(&message(n)).expect("the next"));
        assert!(checker.is_complete());
        let surplus = checker.accept(&message(2));
        assert_eq!(
            surplus,
            Err(Violation::Surplus {
                number: 2,
                count: 3
            })
        );
    }

    #[test]
    fn loss_repetition_and_damage_are_violations() {
        let mut checker = Checker::new(9, 100);
        checker.accept(&message(0)).expect("the first");
        let order = |number| {
            Err(Violation::Order {
                number,
                expected: 1,
            })
        };
        assert_eq!(checker.accept(&message(0)), order(0));
        assert_eq!(checker.accept(&message(2)), order(2));
        for at in 0..100 {
            let mut damaged = message(1);
            damaged[at] ^= 0x10;
            let outcome = checker.accept(&damaged);
            assert_eq!(outcome, Err(Violation::Checksum { expected_number: 1 }));
        }
        assert!(checker.accept(&message(1)[..99]).is_err());
        assert!(checker.accept(&[]).is_err());
        checker.accept(&message(1)).expect("the second");
    }
}
