//! Timestamps of the sender, written into frames just before they go out (`driver.md` §17.7).

use crate::base::Position;

use super::frame::{self, FLAG_BEGIN, HEADER_LENGTH, Slot, TYPE_DATA, field, size};
use super::log::LogBuffer;

/// Bytes of a timestamp.
const STAMP_LENGTH: i32 = 8;

impl LogBuffer {
    /// Sender: overwrites eight bytes of the frame at `position`, at `payload_offset` from the
    /// begin of its payload; -8 is the reserved value of its header. Returns whether it did: the
    /// frame must be committed data that begins a message, and the eight bytes must lie within
    /// it.
    ///
    /// This is the one exception to `LOG-3`: the application gave those bytes away when it chose a
    /// channel with timestamps, and a spy may see them change.
    pub fn stamp(&self, position: Position, payload_offset: i32, value: i64) -> bool {
        let geometry = self.geometry();
        let Some((index, offset)) = geometry.locate(position) else {
            return false;
        };
        let term = self.term(index);
        let Slot::Committed(length) = frame::slot(term, offset, geometry.term_length()) else {
            return false;
        };
        let fits = payload_offset >= -STAMP_LENGTH
            && payload_offset <= length - HEADER_LENGTH - STAMP_LENGTH;
        let begins_message = term.load_u8_relaxed(size(offset) + field::FLAGS) & FLAG_BEGIN != 0;
        if !fits || !begins_message || frame::frame_type(term, offset) != TYPE_DATA {
            return false;
        }
        term.write_bytes(
            size(offset + HEADER_LENGTH + payload_offset),
            &value.to_le_bytes(),
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logbuffer::LogSpec;
    use crate::memory::AtomicBuffer;

    const VALUE: i64 = 0x0102_0304_0506_0708;

    fn log_with(messages: &[usize]) -> LogBuffer {
        let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default())
            .expect("a legal spec");
        for length in messages {
            log.offer(Position(65_536), &vec![0xff; *length])
                .expect("room");
        }
        log
    }

    #[test]
    fn the_stamp_goes_where_it_was_asked_for() {
        let log = log_with(&[64]);
        assert!(log.stamp(Position(0), 16, VALUE));
        assert!(log.stamp(Position(0), -8, VALUE));
        assert!(log.stamp(Position(0), 56, VALUE));
        let bytes = log.scan(Position(0), 1408).bytes;
        for at in [24, 48, 88] {
            assert_eq!(bytes[at..at + 8], VALUE.to_le_bytes());
        }
        assert_eq!(bytes[32..48], [0xff; 16]);
    }

    #[test]
    fn a_stamp_that_does_not_fit_is_left_out() {
        let log = log_with(&[15]);
        for offset in [-9, 8, 1000, i32::MAX, i32::MIN] {
            assert!(!log.stamp(Position(0), offset, VALUE), "{offset}");
        }
        assert!(log.stamp(Position(0), 7, VALUE));
    }

    #[test]
    fn only_committed_frames_that_begin_a_message_are_stamped() {
        let log = log_with(&[2000]);
        assert!(log.stamp(Position(0), 0, VALUE));
        assert!(!log.stamp(Position(1408), 0, VALUE), "a later fragment");
        assert!(!log.stamp(Position(4096), 0, VALUE), "nothing there");
        assert!(!log.stamp(Position(7), 0, VALUE), "no frame begins there");
    }
}
