//! The side of the ring that only the driver uses: reading, and skipping what a dead client claimed.

use super::RingBuffer;
use crate::base::align_i64;
use crate::concurrent::record::{
    ALIGNMENT, HEADER_LENGTH, PADDING_TYPE_ID, offset, payload_offset, read_words, type_offset,
    wire_length, zero_words,
};

/// What the handler of [`RingConsumer::read`] wants next.
///
/// ```
/// use aileron::concurrent::ReadAction;
/// let queue_is_full = true;
/// let action = if queue_is_full { ReadAction::Abort } else { ReadAction::Continue };
/// assert_eq!(action, ReadAction::Abort);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three ways on are the whole protocol"
)]
pub enum ReadAction {
    /// Take the record, go on with the next.
    Continue,
    /// Take the record, then stop.
    Break,
    /// Leave the record in the ring and stop.
    Abort,
}

/// The one consumer of a [`RingBuffer`]; see there for an example.
///
/// Keeps its position to itself and only publishes it: what others write into the trailer's head
/// has no effect on it.
#[derive(Debug)]
pub struct RingConsumer {
    ring: RingBuffer,
    /// End of what was consumed; a multiple of 8.
    head: i64,
    /// The payload handed to the handler: a copy, which no other process can change meanwhile.
    scratch: Vec<u8>,
    corrupt_count: u64,
}

impl RingConsumer {
    /// A consumer that starts where the ring's last one stopped.
    #[must_use]
    pub fn new(ring: RingBuffer) -> Self {
        let head = ring.consumer_position() & !(ALIGNMENT - 1);
        let scratch = Vec::with_capacity(ring.max_payload_length() + size_of::<i32>());
        Self {
            ring,
            head,
            scratch,
            corrupt_count: 0,
        }
    }

    /// The producers' side of the ring.
    #[must_use]
    pub fn ring(&self) -> &RingBuffer {
        &self.ring
    }

    /// How many times records were found that no producer would write, and were skipped.
    #[must_use]
    pub fn corrupt_count(&self) -> u64 {
        self.corrupt_count
    }

    /// Whether nothing was claimed since the last record that was read.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ring.producer_position() == self.head
    }

    /// Hands up to `limit` records to `handler`, as message type and payload, and returns how many
    /// were taken. Stops at the end of the ring; the next call goes on at its front.
    pub fn read(
        &mut self,
        limit: usize,
        mut handler: impl FnMut(i32, &[u8]) -> ReadAction,
    ) -> usize {
        let area = self.ring.area();
        let base = area.index(self.head);
        let claimed = self.ring.producer_position().wrapping_sub(self.head);
        let block = claimed.clamp(0, area.capacity() - base) & !(ALIGNMENT - 1);
        let mut taken = Taken {
            ring: &self.ring,
            head: &mut self.head,
            base,
            bytes: 0,
        };
        let mut count = 0;
        while taken.bytes < block && count < limit {
            let index = base + taken.bytes;
            // Pairs with PUBLISH(ring-record).
            let length = i64::from(self.ring.buffer().load_i32_acquire(offset(index)));
            if length <= 0 {
                break;
            }
            let type_id = self.ring.buffer().load_i32_relaxed(type_offset(index));
            let occupied = align_i64(length, ALIGNMENT);
            if occupied > block - taken.bytes {
                // Beyond what was ever claimed. What follows cannot be told apart, so it all goes.
                self.corrupt_count += 1;
                taken.bytes = block;
                break;
            }
            taken.bytes += occupied;
            if type_id == PADDING_TYPE_ID {
                continue;
            }
            let payload_length = length - HEADER_LENGTH;
            if type_id < 1 || !(0..=area.payload_length_max()).contains(&payload_length) {
                self.corrupt_count += 1;
                continue;
            }
            let at = payload_offset(index);
            read_words(
                self.ring.buffer(),
                at,
                offset(payload_length),
                &mut self.scratch,
            );
            match handler(type_id, &self.scratch) {
                ReadAction::Continue => count += 1,
                ReadAction::Break => {
                    count += 1;
                    break;
                }
                ReadAction::Abort => {
                    taken.bytes -= occupied;
                    break;
                }
            }
        }
        drop(taken);
        count
    }

    /// Skips the record at the head if its producer claimed it and never finished; returns whether
    /// there was one. To be called only when the head has stood still for the client liveness
    /// timeout with claims in front of it: a producer that is merely slow loses its record.
    #[must_use = "each success is counted"]
    pub fn unblock(&self) -> bool {
        let area = self.ring.area();
        let claimed = self.ring.producer_position().wrapping_sub(self.head);
        if claimed <= 0 {
            return false;
        }
        let index = area.index(self.head);
        let block = claimed.min(area.capacity() - index) & !(ALIGNMENT - 1);
        if block == 0 {
            return false;
        }
        // Pairs with PUBLISH(ring-claim).
        let length = i64::from(self.ring.buffer().load_i32_acquire(offset(index)));
        if length < 0 {
            self.skip(index, (-length).min(block));
            return true;
        }
        if length > 0 {
            return false;
        }
        match self.zeros_after(index, claimed) {
            Some(gap) if self.is_zero_back_to(index, gap) => {
                self.skip(index, gap);
                true
            }
            _ => false,
        }
    }

    /// Length of the run of zero words at `index`, if something has been written after it.
    ///
    /// Departs from Aeron: there a gap that reaches the end of the ring stays for ever, since the
    /// scan does not go on at the front. Here a record at the front shows that the gap is one.
    fn zeros_after(&self, index: i64, claimed: i64) -> Option<i64> {
        let area = self.ring.area();
        let is_written = |at: i64| self.ring.buffer().load_i32_acquire(offset(at)) != 0;
        let until_end = area.capacity() - index;
        // The word at the tail is looked at as well: a claim may just have been made there.
        let before_end = (claimed + ALIGNMENT).min(until_end);
        for at in (ALIGNMENT..before_end).step_by(8) {
            if is_written(index + at) {
                return Some(at);
            }
        }
        let after_wrap = claimed.min(area.capacity()) - until_end;
        let is_wrapped_over = (0..after_wrap).step_by(8).any(is_written);
        is_wrapped_over.then_some(until_end)
    }

    /// Whether the gap is zero still, seen from its far end: a slow producer writes its length
    /// before anything behind it, so it would show here.
    fn is_zero_back_to(&self, index: i64, gap: i64) -> bool {
        (1..=gap / ALIGNMENT)
            .map(|steps| index + gap - steps * ALIGNMENT)
            .all(|at| self.ring.buffer().load_i32_acquire(offset(at)) == 0)
    }

    fn skip(&self, index: i64, length: i64) {
        self.ring
            .buffer()
            .store_i32_relaxed(type_offset(index), PADDING_TYPE_ID);
        // PUBLISH(ring-record): pairs with RingConsumer::read.
        self.ring
            .buffer()
            .store_i32_release(offset(index), wire_length(length));
    }
}

/// Zeroes and releases what was read when it goes out of scope, so also when a handler panics.
struct Taken<'a> {
    ring: &'a RingBuffer,
    head: &'a mut i64,
    base: i64,
    bytes: i64,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            zero_words(
                self.ring.buffer(),
                offset(self.base)..offset(self.base + self.bytes),
            );
            *self.head = self.head.wrapping_add(self.bytes);
            self.ring.store_head(*self.head);
        }
    }
}
