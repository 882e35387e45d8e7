//! What a message is gathered from, and who chooses its reserved values. Both are known where an
//! append is compiled, so that the common case costs nothing.

use std::ops::Range;

use crate::memory::AtomicBuffer;

/// What a message is gathered from.
pub(super) trait Payload {
    /// Bytes in all.
    fn length(&self) -> usize;
    /// Copies the next `into.len()` bytes.
    fn fill(&mut self, into: &mut [u8]);
}

/// A message in one piece.
pub(super) struct Whole<'a>(pub(super) &'a [u8]);

impl Payload for Whole<'_> {
    #[inline]
    fn length(&self) -> usize {
        self.0.len()
    }

    #[inline]
    fn fill(&mut self, into: &mut [u8]) {
        let (now, later) = self.0.split_at(into.len());
        into.copy_from_slice(now);
        self.0 = later;
    }
}

/// A message in several pieces.
pub(super) struct Parts<'a> {
    /// What is left of the current piece.
    current: &'a [u8],
    /// The pieces after it.
    rest: &'a [&'a [u8]],
}

impl<'a> Parts<'a> {
    pub(super) const fn new(parts: &'a [&'a [u8]]) -> Self {
        Self {
            current: &[],
            rest: parts,
        }
    }
}

impl Payload for Parts<'_> {
    fn length(&self) -> usize {
        // Pieces may overlap, so that their sum is not bounded by the address space.
        self.rest.iter().fold(self.current.len(), |sum, part| {
            sum.saturating_add(part.len())
        })
    }

    fn fill(&mut self, mut into: &mut [u8]) {
        while !into.is_empty() {
            if self.current.is_empty() {
                let (first, rest) = self.rest.split_first().expect("asked for `length` bytes");
                (self.current, self.rest) = (first, rest);
                continue;
            }
            let count = into.len().min(self.current.len());
            let (now, later) = self.current.split_at(count);
            let (target, remaining) = into.split_at_mut(count);
            target.copy_from_slice(now);
            self.current = later;
            into = remaining;
        }
    }
}

/// Chooses the reserved value of each frame.
pub(super) trait ReservedValue {
    /// Called with the frame, header included, before it is committed. `None` leaves zero.
    fn supply(&mut self, frame: impl FnOnce() -> Range<usize>, term: &AtomicBuffer) -> Option<i64>;
}

/// No reserved values.
pub(super) struct Unreserved;

impl ReservedValue for Unreserved {
    #[inline]
    fn supply(&mut self, _: impl FnOnce() -> Range<usize>, _: &AtomicBuffer) -> Option<i64> {
        None
    }
}

/// Reserved values by the application.
pub(super) struct Supplied<S>(pub(super) S);

impl<S: FnMut(&[u8]) -> i64> ReservedValue for Supplied<S> {
    fn supply(&mut self, frame: impl FnOnce() -> Range<usize>, term: &AtomicBuffer) -> Option<i64> {
        // SAFETY: LOG-2 (a claimed range has one writer until its length turns positive): that
        // writer is the caller, which holds no slice of it now; others only read its length.
        let bytes = unsafe { term.bytes(frame()) };
        Some((self.0)(bytes))
    }
}
