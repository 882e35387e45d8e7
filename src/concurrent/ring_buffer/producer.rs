//! The side of the ring that everyone may use: claims, ids, the heartbeat.

use super::{RING_TRAILER_LENGTH, RingError, trailer};
use crate::base::{CorrelationId, EpochMillis};
use crate::concurrent::InvalidCapacity;
use crate::concurrent::record::{
    Area, HEADER_LENGTH, PADDING_TYPE_ID, occupied_by_payload, offset, payload_offset, type_offset,
    wire_length, write_words,
};
use crate::memory::AtomicBuffer;
use crate::memory::sync::{Ordering, fence};

/// The producers' side of a many-to-one ring buffer; cloning gives another handle on the same ring.
///
/// ```
/// use aileron::concurrent::{RING_TRAILER_LENGTH, ReadAction, RingBuffer, RingConsumer};
/// use aileron::memory::AtomicBuffer;
/// let ring = RingBuffer::new(AtomicBuffer::heap(1024 + RING_TRAILER_LENGTH)).unwrap();
/// ring.write(7, b"command").unwrap();
/// let mut consumer = RingConsumer::new(ring);
/// let count = consumer.read(10, |type_id, payload| {
///     assert_eq!((type_id, payload), (7, &b"command"[..]));
///     ReadAction::Continue
/// });
/// assert_eq!(count, 1);
/// ```
#[derive(Clone, Debug)]
pub struct RingBuffer {
    buffer: AtomicBuffer,
    area: Area,
}

impl RingBuffer {
    /// A ring on a buffer of zeros, or on one that other processes use as a ring already.
    ///
    /// # Errors
    /// [`InvalidCapacity`] unless the length is a power of two (8 bytes to 1 GiB) and
    /// [`RING_TRAILER_LENGTH`].
    pub fn new(buffer: AtomicBuffer) -> Result<Self, InvalidCapacity> {
        let area =
            Area::before_trailer(buffer.len(), RING_TRAILER_LENGTH, 8).ok_or(InvalidCapacity {
                length: buffer.len(),
                trailer_length: RING_TRAILER_LENGTH,
            })?;
        Ok(Self { buffer, area })
    }

    /// Copies a record into the ring.
    ///
    /// # Errors
    /// [`RingError`]; nothing was written, except that the end of the ring may have been padded.
    pub fn write(&self, type_id: i32, payload: &[u8]) -> Result<(), RingError> {
        let mut claim = self.claim(type_id, payload.len())?;
        claim.fill(payload);
        claim.commit()
    }

    /// Claims space for a payload of `length` bytes, to be filled and committed soon: the consumer
    /// reads nothing behind a claim that is open.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn claim(&self, type_id: i32, length: usize) -> Result<RingClaim<'_>, RingError> {
        if type_id < 1 {
            return Err(RingError::InvalidType { type_id });
        }
        let max = self.max_payload_length();
        if length > max {
            return Err(RingError::TooLong { length, max });
        }
        let payload_length = i64::try_from(length).unwrap_or(i64::MAX);
        let index = self.claim_space(occupied_by_payload(payload_length))?;
        let record_length = wire_length(HEADER_LENGTH + payload_length);
        // PUBLISH(ring-claim): pairs with RingConsumer::unblock, which skips by this length.
        self.buffer.store_i32_release(offset(index), -record_length);
        // RING-2: no byte of the record may become visible before the negative length.
        fence(Ordering::Release);
        self.buffer.store_i32_relaxed(type_offset(index), type_id);
        Ok(RingClaim {
            ring: self,
            index,
            record_length,
            is_open: true,
        })
    }

    /// An id that nobody else of this driver instance has or gets.
    #[must_use]
    pub fn next_correlation_id(&self) -> CorrelationId {
        let at = self.trailer_offset(trailer::CORRELATION);
        CorrelationId(self.buffer.fetch_add_i64_acq_rel(at, 1))
    }

    /// When the consumer was last alive; 0 before it has started, −1 once it has closed.
    #[must_use]
    pub fn consumer_heartbeat(&self) -> EpochMillis {
        EpochMillis(self.load_acquire(trailer::CONSUMER_HEARTBEAT))
    }

    /// Tells when the consumer was last alive; −1 tells that it has closed. The consumer calls this.
    pub fn set_consumer_heartbeat(&self, time: EpochMillis) {
        let at = self.trailer_offset(trailer::CONSUMER_HEARTBEAT);
        // PUBLISH(heartbeat): pairs with RingBuffer::consumer_heartbeat.
        self.buffer.store_i64_release(at, time.get());
    }

    /// Up to where the consumer has read, in bytes since the ring was made.
    #[must_use]
    pub fn consumer_position(&self) -> i64 {
        self.load_acquire(trailer::HEAD)
    }

    /// Up to where space has been claimed, in bytes since the ring was made.
    #[must_use]
    #[inline]
    pub fn producer_position(&self) -> i64 {
        self.load_acquire(trailer::TAIL)
    }

    /// Bytes of the data area, a power of two.
    #[must_use]
    pub fn capacity(&self) -> usize {
        offset(self.area.capacity())
    }

    /// The longest payload that a record can have, bytes: an eighth of the capacity, or 0 in a ring
    /// of 8 bytes.
    #[must_use]
    pub fn max_payload_length(&self) -> usize {
        if self.area.capacity() == HEADER_LENGTH {
            return 0;
        }
        offset(self.area.payload_length_max())
    }

    pub(super) fn buffer(&self) -> &AtomicBuffer {
        &self.buffer
    }

    pub(super) fn area(&self) -> Area {
        self.area
    }

    /// Publishes how far the consumer has read and zeroed.
    pub(super) fn store_head(&self, head: i64) {
        // PUBLISH(ring-head): pairs with the loads of HEAD in claim_space. RING-3: the zeroes
        // behind the head become visible before it.
        self.buffer
            .store_i64_release(self.trailer_offset(trailer::HEAD), head);
    }

    /// Moves the tail over `need` bytes and returns the index of the first.
    ///
    /// Follows `ManyToOneRingBuffer.claimCapacity`: a record that fits neither before the end nor
    /// at the front still pads out the end, so that the next attempt can wrap.
    fn claim_space(&self, need: i64) -> Result<i64, RingError> {
        let capacity = self.area.capacity();
        let mut head = self.load_acquire(trailer::HEAD_CACHE);
        loop {
            let tail = self.load_acquire(trailer::TAIL);
            if self.area.index(tail) % 8 != 0 {
                return Err(RingError::Corrupt);
            }
            // Signed: a stale tail next to a newer head makes the difference negative. Then the
            // exchange below fails, and that is all.
            if need > capacity.saturating_sub(tail.wrapping_sub(head)) {
                head = self.load_acquire(trailer::HEAD);
                if need > capacity.saturating_sub(tail.wrapping_sub(head)) {
                    return Err(RingError::Full);
                }
                self.store_head_cache(head);
            }
            let index = self.area.index(tail);
            let room = capacity - index;
            let (padding, start, advance) = if need <= room {
                (0, Some(index), need)
            } else if self.has_front_room(need, &mut head) {
                (room, Some(0), room + need)
            } else {
                (room, None, room)
            };
            let at = self.trailer_offset(trailer::TAIL);
            let moved = tail.wrapping_add(advance);
            if self
                .buffer
                .compare_exchange_i64_seq_cst(at, tail, moved)
                .is_ok()
            {
                if padding != 0 {
                    self.pad(index, padding);
                }
                return start.ok_or(RingError::Full);
            }
        }
    }

    /// Whether `need` bytes at the front have been consumed; looks again when `head` is too old.
    fn has_front_room(&self, need: i64, head: &mut i64) -> bool {
        if need > self.area.index(*head) {
            *head = self.load_acquire(trailer::HEAD);
            self.store_head_cache(*head);
        }
        need <= self.area.index(*head)
    }

    /// Fills the claimed bytes up to the end with a padding record.
    fn pad(&self, index: i64, length: i64) {
        let at = offset(index);
        self.buffer.store_i32_release(at, -wire_length(length));
        fence(Ordering::Release);
        self.buffer
            .store_i32_relaxed(type_offset(index), PADDING_TYPE_ID);
        // PUBLISH(ring-record): pairs with RingConsumer::read.
        self.buffer.store_i32_release(at, wire_length(length));
    }

    fn store_head_cache(&self, head: i64) {
        // PUBLISH(ring-head-cache): pairs with the first load in claim_space. It hands on what
        // the acquired head stood for: that the space behind it is zeroed.
        self.buffer
            .store_i64_release(self.trailer_offset(trailer::HEAD_CACHE), head);
    }

    fn load_acquire(&self, field: i64) -> i64 {
        self.buffer.load_i64_acquire(self.trailer_offset(field))
    }

    fn trailer_offset(&self, field: i64) -> usize {
        offset(self.area.capacity()) + offset(field)
    }
}

/// Space in a [`RingBuffer`] that is this thread's until it commits or aborts; dropping aborts.
///
/// ```
/// use aileron::concurrent::{RING_TRAILER_LENGTH, RingBuffer};
/// use aileron::memory::AtomicBuffer;
/// let ring = RingBuffer::new(AtomicBuffer::heap(1024 + RING_TRAILER_LENGTH)).unwrap();
/// let mut claim = ring.claim(1, 5).unwrap();
/// claim.fill(b"hello");
/// claim.commit().unwrap();
/// ```
#[derive(Debug)]
#[must_use = "the consumer waits for the claim's end"]
pub struct RingClaim<'a> {
    ring: &'a RingBuffer,
    index: i64,
    /// Header and payload, bytes.
    record_length: i32,
    is_open: bool,
}

impl RingClaim<'_> {
    /// Copies the payload in, from its first byte on. What it does not cover keeps its zeros.
    ///
    /// # Panics
    /// When `payload` is longer than what was claimed.
    pub fn fill(&mut self, payload: &[u8]) {
        assert!(
            payload.len() <= self.payload_length(),
            "the payload exceeds the claim"
        );
        write_words(&self.ring.buffer, payload_offset(self.index), payload);
    }

    /// Length that was claimed, bytes.
    #[must_use]
    pub fn payload_length(&self) -> usize {
        offset(i64::from(self.record_length) - HEADER_LENGTH)
    }

    /// Hands the record to the consumer.
    ///
    /// # Errors
    /// [`RingError::Unblocked`] when the consumer has skipped the claim meanwhile.
    pub fn commit(mut self) -> Result<(), RingError> {
        self.publish()
    }

    /// Turns the record into padding that the consumer skips.
    pub fn abort(self) {
        drop(self);
    }

    fn publish(&mut self) -> Result<(), RingError> {
        self.is_open = false;
        let at = offset(self.index);
        // PUBLISH(ring-record): pairs with RingConsumer::read. An exchange, where Aeron stores:
        // the consumer may have skipped the claim, and its space may be another's by now.
        self.ring
            .buffer
            .compare_exchange_i32_seq_cst(at, -self.record_length, self.record_length)
            .map(drop)
            .map_err(|_| RingError::Unblocked)
    }
}

impl Drop for RingClaim<'_> {
    fn drop(&mut self) {
        if self.is_open {
            let at = type_offset(self.index);
            self.ring.buffer.store_i32_relaxed(at, PADDING_TYPE_ID);
            // Nothing was to be delivered, so it does not matter if the consumer came first.
            let _ = self.publish();
        }
    }
}
