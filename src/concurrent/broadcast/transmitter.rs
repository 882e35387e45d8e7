//! The writing end of a broadcast buffer.

use std::error::Error;
use std::fmt;

use super::{area_of, trailer};
use crate::concurrent::InvalidCapacity;
use crate::concurrent::record::{
    ALIGNMENT, Area, HEADER_LENGTH, PADDING_TYPE_ID, occupied_by_payload, offset, payload_offset,
    type_offset, wire_length, write_words,
};
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// A payload that exceeds an eighth of the broadcast buffer's capacity.
///
/// ```
/// use aileron::concurrent::{BROADCAST_TRAILER_LENGTH, TooLong, Transmitter};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(1024 + BROADCAST_TRAILER_LENGTH);
/// let mut transmitter = Transmitter::new(buffer).unwrap();
/// let error: TooLong = transmitter.transmit(1, &[0; 129]).unwrap_err();
/// assert_eq!((error.length, error.max), (129, 128));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooLong {
    /// Payload length asked for, bytes.
    pub length: usize,
    /// The longest possible, bytes.
    pub max: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a payload of {} bytes exceeds the maximum of {}",
            self.length, self.max
        )
    }
}

impl Error for TooLong {}

/// The one writer of a broadcast buffer.
///
/// ```
/// use aileron::concurrent::{BROADCAST_TRAILER_LENGTH, Receiver, Transmitter};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(1024 + BROADCAST_TRAILER_LENGTH);
/// let mut transmitter = Transmitter::new(buffer.clone()).unwrap();
/// let mut receiver = Receiver::new(buffer).unwrap();
/// transmitter.transmit(3, b"event").unwrap();
/// let received = receiver.receive(|type_id, payload| {
///     assert_eq!((type_id, payload), (3, &b"event"[..]));
/// });
/// assert_eq!(received, Ok(1));
/// ```
#[derive(Debug)]
pub struct Transmitter {
    buffer: AtomicBuffer,
    area: Area,
    /// End of what is published; kept here, so that nobody else can move it. A multiple of 8.
    tail: i64,
}

impl Transmitter {
    /// A transmitter that goes on where the buffer's trailer says, which is 0 in a fresh one.
    ///
    /// # Errors
    /// [`InvalidCapacity`] unless the length is a power of two (64 bytes to 1 GiB) and
    /// [`BROADCAST_TRAILER_LENGTH`](super::BROADCAST_TRAILER_LENGTH).
    pub fn new(buffer: AtomicBuffer) -> Result<Self, InvalidCapacity> {
        let area = area_of(&buffer)?;
        let tail = buffer.load_i64_relaxed(offset(area.capacity()) + trailer::TAIL);
        Ok(Self {
            buffer,
            area,
            tail: tail & !(ALIGNMENT - 1),
        })
    }

    /// Sends one record to every receiver. `type_id` is 1 or more.
    ///
    /// # Errors
    /// [`TooLong`]; nothing was sent.
    pub fn transmit(&mut self, type_id: i32, payload: &[u8]) -> Result<(), TooLong> {
        debug_assert!(type_id > 0, "message types are 1 or more");
        let max = self.max_payload_length();
        if payload.len() > max {
            return Err(TooLong {
                length: payload.len(),
                max,
            });
        }
        let payload_length = i64::try_from(payload.len()).unwrap_or(i64::MAX);
        let need = occupied_by_payload(payload_length);
        let mut index = self.area.index(self.tail);
        let room = self.area.capacity() - index;
        if room < need {
            self.announce(room + need);
            self.write_header(index, room, PADDING_TYPE_ID);
            self.tail = self.tail.wrapping_add(room);
            index = 0;
        } else {
            self.announce(need);
        }
        self.write_header(index, HEADER_LENGTH + payload_length, type_id);
        write_words(&self.buffer, payload_offset(index), payload);
        // PUBLISH(broadcast-latest): pairs with Receiver::new and Receiver::receive when lapped.
        self.store_release(trailer::LATEST, self.tail);
        self.tail = self.tail.wrapping_add(need);
        // PUBLISH(broadcast-tail): pairs with Receiver::receive.
        self.store_release(trailer::TAIL, self.tail);
        Ok(())
    }

    /// The longest payload of a record, bytes: an eighth of the capacity.
    #[must_use]
    pub fn max_payload_length(&self) -> usize {
        offset(self.area.payload_length_max())
    }

    /// Tells that the next `length` bytes are about to change.
    fn announce(&self, length: i64) {
        // PUBLISH(broadcast-intent): pairs with Receiver::is_valid.
        self.store_release(trailer::TAIL_INTENT, self.tail.wrapping_add(length));
        // BCAST-2: no byte of the new record may become visible before the intent.
        fence(Ordering::Release);
    }

    fn write_header(&self, index: i64, length: i64, type_id: i32) {
        self.buffer
            .store_i32_relaxed(offset(index), wire_length(length));
        self.buffer.store_i32_relaxed(type_offset(index), type_id);
    }

    fn store_release(&self, field: usize, value: i64) {
        self.buffer
            .store_i64_release(offset(self.area.capacity()) + field, value);
    }
}
