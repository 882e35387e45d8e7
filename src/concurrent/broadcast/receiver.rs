//! A reading end of a broadcast buffer.

use std::error::Error;
use std::fmt;

use super::{area_of, trailer};
use crate::base::align_i64;
use crate::concurrent::InvalidCapacity;
use crate::concurrent::record::{
    ALIGNMENT, Area, HEADER_LENGTH, PADDING_TYPE_ID, offset, payload_offset, read_words,
    type_offset,
};
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// The transmitter came around before the receiver had read: events are lost.
///
/// ```
/// use aileron::concurrent::{BROADCAST_TRAILER_LENGTH, Lapped, Receiver, Transmitter};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(64 + BROADCAST_TRAILER_LENGTH);
/// let mut receiver = Receiver::new(buffer.clone()).unwrap();
/// let mut transmitter = Transmitter::new(buffer).unwrap();
/// for _ in 0..5 {
///     transmitter.transmit(1, b"fast").unwrap();
/// }
/// assert_eq!(receiver.receive(|_, _| {}), Err(Lapped));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct Lapped;

impl fmt::Display for Lapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unable to keep up with broadcast")
    }
}

impl Error for Lapped {}

/// The end of what a transmitter has sent: while it stands still there is nothing to receive.
///
/// ```
/// use aileron::concurrent::{BROADCAST_TRAILER_LENGTH, Receiver, Transmitter};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(1024 + BROADCAST_TRAILER_LENGTH);
/// let mut transmitter = Transmitter::new(buffer.clone())?;
/// let tail = Receiver::new(buffer)?.tail();
/// let before = tail.get();
/// transmitter.transmit(1, b"news").expect("short enough");
/// assert_ne!(tail.get(), before);
/// # Ok::<(), aileron::concurrent::InvalidCapacity>(())
/// ```
#[derive(Clone, Debug)]
pub struct BroadcastTail {
    trailer: AtomicBuffer,
}

impl BroadcastTail {
    /// The position.
    #[must_use]
    #[inline]
    pub fn get(&self) -> i64 {
        // Pairs with PUBLISH(broadcast-tail).
        self.trailer.load_i64_acquire(trailer::TAIL)
    }
}

/// A reader of a broadcast buffer; see [`Transmitter`](super::Transmitter) for an example.
///
/// It starts with the newest record there is, so the first one that it delivers may have been sent
/// before it existed.
#[derive(Debug)]
pub struct Receiver {
    buffer: AtomicBuffer,
    area: Area,
    /// Start of the next record.
    next: i64,
    /// The payload handed on: a copy that was checked after it was made.
    scratch: Vec<u8>,
}

impl Receiver {
    /// A receiver of everything from now on, and of the newest record before.
    ///
    /// # Errors
    /// As [`Transmitter::new`](super::Transmitter::new).
    pub fn new(buffer: AtomicBuffer) -> Result<Self, InvalidCapacity> {
        let area = area_of(&buffer)?;
        let mut receiver = Self {
            buffer,
            area,
            next: 0,
            scratch: Vec::with_capacity(4096),
        };
        receiver.next = receiver.load_acquire(trailer::LATEST);
        Ok(receiver)
    }

    /// Tells how much was transmitted, to whoever wants to know without the receiver.
    #[must_use]
    pub fn tail(&self) -> BroadcastTail {
        let start = offset(self.area.capacity());
        BroadcastTail {
            trailer: self
                .buffer
                .slice(start..start + super::BROADCAST_TRAILER_LENGTH),
        }
    }

    /// Hands the next record to `handler`, as message type and payload; returns whether there was
    /// one, as 0 or 1.
    ///
    /// # Errors
    /// [`Lapped`] when records were overwritten before they were read, or are not ones that a
    /// transmitter would write. The next call goes on with the newest record.
    pub fn receive(&mut self, handler: impl FnOnce(i32, &[u8])) -> Result<usize, Lapped> {
        // Pairs with PUBLISH(broadcast-tail).
        let tail = self.load_acquire(trailer::TAIL);
        if tail.wrapping_sub(self.next) <= 0 {
            return Ok(0);
        }
        let Some((type_id, next)) = self.copy_record(self.next) else {
            // Pairs with PUBLISH(broadcast-latest).
            self.next = self.load_acquire(trailer::LATEST);
            return Err(Lapped);
        };
        self.next = next;
        handler(type_id, &self.scratch);
        Ok(1)
    }

    /// Copies the record at `cursor`, or the one behind it if that is padding, and returns its type
    /// and where the next begins; `None` unless it was whole all the while.
    fn copy_record(&mut self, mut cursor: i64) -> Option<(i32, i64)> {
        if cursor % ALIGNMENT != 0 || !self.is_valid(cursor) {
            return None;
        }
        let mut index = self.area.index(cursor);
        let mut length = self.load_i32(offset(index));
        let mut type_id = self.load_i32(type_offset(index));
        if type_id == PADDING_TYPE_ID {
            // Padding always goes to the end of the ring, and a record always follows it.
            cursor = cursor.wrapping_add(self.area.capacity() - index);
            index = 0;
            length = self.load_i32(offset(index));
            type_id = self.load_i32(type_offset(index));
        }
        let length = i64::from(length);
        let length_max =
            (self.area.capacity() - index).min(HEADER_LENGTH + self.area.payload_length_max());
        if !(HEADER_LENGTH..=length_max).contains(&length) {
            return None;
        }
        let payload_length = offset(length - HEADER_LENGTH);
        read_words(
            &self.buffer,
            payload_offset(index),
            payload_length,
            &mut self.scratch,
        );
        // BCAST-3: the loads above happen before the look at the intent.
        fence(Ordering::Acquire);
        self.is_valid(cursor)
            .then(|| (type_id, cursor.wrapping_add(align_i64(length, ALIGNMENT))))
    }

    /// Whether nothing from `cursor` on has begun to be overwritten.
    fn is_valid(&self, cursor: i64) -> bool {
        // Pairs with PUBLISH(broadcast-intent).
        let intent = self.load_acquire(trailer::TAIL_INTENT);
        intent.wrapping_sub(cursor) < self.area.capacity()
    }

    fn load_i32(&self, at: usize) -> i32 {
        self.buffer.load_i32_relaxed(at)
    }

    fn load_acquire(&self, field: usize) -> i64 {
        self.buffer
            .load_i64_acquire(offset(self.area.capacity()) + field)
    }
}
