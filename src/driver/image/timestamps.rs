//! Times of receipt, written into the messages themselves (`driver.md` §17.7).

use super::Timestamp;
use crate::base::align_i64;
use crate::base::bytes::{read_i32, write_i64};
use crate::protocol::data::{FRAME_ALIGNMENT, HEADER_LENGTH, TYPE_DATA, flags, offset};

/// Writes the time into each message that begins in a validated datagram and has room for it.
pub(super) fn write(datagram: &mut [u8], timestamp: Timestamp) {
    let mut start = 0;
    while let Some(frame_length) = read_i32(datagram, start) {
        let Some(frame) = frame_of(datagram, start, frame_length) else {
            return;
        };
        let at = i64::from(timestamp.offset) + HEADER_LENGTH as i64;
        let is_message = frame[offset::TYPE..].starts_with(&TYPE_DATA.to_le_bytes())
            && frame[offset::FLAGS] & flags::BEGIN != 0;
        if is_message
            && at >= offset::RESERVED_VALUE as i64
            && at + 8 <= i64::from(frame_length)
            && let Ok(at) = usize::try_from(at)
        {
            write_i64(frame, at, timestamp.epoch_ns);
        }
        let covered = align_i64(i64::from(frame_length), i64::from(FRAME_ALIGNMENT));
        let Ok(covered) = usize::try_from(covered) else {
            return;
        };
        start += covered;
    }
}

/// The bytes of a frame that lies wholly in the datagram.
fn frame_of(datagram: &mut [u8], start: usize, frame_length: i32) -> Option<&mut [u8]> {
    let length = usize::try_from(frame_length).ok()?;
    if length < HEADER_LENGTH {
        return None;
    }
    datagram.get_mut(start..start.checked_add(length)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bytes::read_i64;

    /// Two messages of 8 and 16 bytes, then a middle fragment of 16 bytes.
    fn datagram() -> Vec<u8> {
        let mut bytes = vec![0; 192];
        for (start, length, flag) in [(0, 40, 0xC0), (64, 48, 0x80), (128, 48, 0x00)] {
            bytes[start] = length;
            bytes[start + offset::FLAGS] = flag;
            bytes[start + offset::TYPE] = 1;
        }
        bytes
    }

    fn stamped(offset: i32) -> Vec<usize> {
        let mut bytes = datagram();
        let before = bytes.clone();
        write(
            &mut bytes,
            Timestamp {
                offset,
                epoch_ns: -1,
            },
        );
        let changed = (0..bytes.len())
            .filter(|at| bytes[*at] != before[*at])
            .collect::<Vec<_>>();
        changed.chunks(8).map(|chunk| chunk[0]).collect()
    }

    #[test]
    fn the_reserved_value_of_every_message_is_stamped() {
        assert_eq!(stamped(-8), [24, 88]);
    }

    #[test]
    fn only_messages_with_room_are_stamped() {
        assert_eq!(stamped(0), [32, 96]);
        assert_eq!(stamped(8), [104]);
        assert!(stamped(9).is_empty());
    }

    #[test]
    fn offsets_that_would_hit_the_header_are_ignored() {
        assert!(stamped(-9).is_empty());
        assert!(stamped(i32::MIN).is_empty());
        assert!(stamped(i32::MAX).is_empty());
    }

    #[test]
    fn padding_is_left_alone() {
        let mut bytes = vec![0; 32];
        bytes[0] = 192;
        bytes[offset::FLAGS] = 0xC0;
        write(
            &mut bytes,
            Timestamp {
                offset: -8,
                epoch_ns: 7,
            },
        );
        assert_eq!(read_i64(&bytes, 24), Some(0));
    }
}
