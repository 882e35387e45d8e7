//! The messages of the game days.
//!
//! ```text
//!  0            4            8             16            24
//!  +------------+------------+-------------+-------------+---------------------+
//!  | CRC-32     | sender u32 | number u64  | total u64   | bytes of the number |
//!  +------------+------------+-------------+-------------+---------------------+
//! ```
//! The checksum covers all behind it. `total` is 0 but in the last message, where it is how many
//! there were. How long a message is follows from its number.

use std::fmt;

use aileron::base::Rng;

/// Bytes before those that follow from the number.
const HEADER_LENGTH: usize = 24;
/// Lengths of messages, in turn: one frame, the edge of one frame, several.
const LENGTHS: [usize; 7] = [24, 120, 1000, 1376, 1377, 4000, 7000];

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Who sent it.
    pub sender: u32,
    /// Which of the sender's messages it is, from 0.
    pub number: u64,
    /// How many there were, if it is the last.
    pub total: Option<u64>,
}

impl Head {
    /// Puts the message into `buffer`, replacing what it held.
    ///
    /// ```
    /// use aileron_chaos::message::Head;
    /// let head = Head { sender: 7, number: 3, total: None };
    /// let mut buffer = Vec::new();
    /// head.write(&mut buffer);
    /// assert_eq!(Head::read(&buffer), Ok(head));
    /// buffer[30] ^= 1;
    /// assert!(Head::read(&buffer).is_err());
    /// ```
    pub fn write(&self, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(&self.sender.to_le_bytes());
        buffer.extend_from_slice(&self.number.to_le_bytes());
        buffer.extend_from_slice(&self.total.unwrap_or(0).to_le_bytes());
        let mut rng = Rng::new(self.number);
        while buffer.len() < self.length() {
            buffer.extend_from_slice(&rng.next_u64().to_le_bytes());
        }
        buffer.truncate(self.length());
        let checksum = crc32fast::hash(&buffer[4..]);
        buffer[..4].copy_from_slice(&checksum.to_le_bytes());
    }

    /// Bytes of the message.
    #[must_use]
    pub fn length(&self) -> usize {
        let turn = self.number % LENGTHS.len() as u64;
        LENGTHS[usize::try_from(turn).unwrap_or(0)]
    }

    /// What a message says that has arrived.
    ///
    /// # Errors
    /// It did not arrive as it was sent.
    pub fn read(message: &[u8]) -> Result<Self, Flaw> {
        let damaged = Flaw::Damaged {
            length: message.len(),
        };
        let (checksum, rest) = message.split_first_chunk().ok_or(damaged)?;
        if message.len() < HEADER_LENGTH || crc32fast::hash(rest) != u32::from_le_bytes(*checksum) {
            return Err(damaged);
        }
        let long = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&message[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let sender = u32::from_le_bytes([message[4], message[5], message[6], message[7]]);
        let total = Some(long(16)).filter(|total| *total != 0);
        let head = Self {
            sender,
            number: long(8),
            total,
        };
        if message.len() != head.length() {
            return Err(damaged);
        }
        Ok(head)
    }
}

/// What is wrong with a message, or with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Flaw {
    /// Its bytes are not those that were sent.
    Damaged {
        /// How many there are.
        length: usize,
    },
    /// It, or a later one of its sender, came before.
    Again {
        /// What came.
        head: Head,
        /// What was due.
        due: u64,
    },
    /// Some before it are missing, although the stream did not break.
    Missing {
        /// What came.
        head: Head,
        /// What was due.
        due: u64,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { length } => write!(f, "a message of {length} bytes is damaged"),
            Self::Again { head, due } => write!(
                f,
                "message {} of sender {} came again, due was {due}",
                head.number, head.sender
            ),
            Self::Missing { head, due } => write!(
                f,
                "messages {due} to {} of sender {} are missing",
                head.number.saturating_sub(1),
                head.sender
            ),
        }
    }
}

impl std::error::Error for Flaw {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_and_no_cut_does() {
        let mut buffer = Vec::new();
        for number in 0..14 {
            let head = Head {
                sender: 1,
                number,
                total: (number == 13).then_some(14),
            };
            head.write(&mut buffer);
            assert_eq!(Head::read(&buffer), Ok(head));
            for length in [0, 3, 23, buffer.len() - 1] {
                assert!(Head::read(&buffer[..length]).is_err());
            }
        }
    }
}
