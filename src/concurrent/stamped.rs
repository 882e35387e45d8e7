//! A value that one agent writes and others read, latest only: a seqlock.

use std::array;
use std::fmt;

use crossbeam_utils::CachePadded;

use crate::memory::sync::{AtomicI64, Ordering, fence};

/// `N` integers that change together, with the number of their publication. One thread publishes,
/// any number read; nobody waits.
///
/// ```
/// use aileron::concurrent::StampedCell;
/// let cell = StampedCell::<2>::new();
/// assert_eq!(cell.read(), Some((0, [0, 0])), "nothing was published yet");
/// cell.publish(&[7, 9]);
/// assert_eq!(cell.read(), Some((1, [7, 9])));
/// ```
pub struct StampedCell<const N: usize> {
    inner: CachePadded<Inner<N>>,
}

struct Inner<const N: usize> {
    /// Number of the publication under way or done. Equal to `end` unless one is under way.
    begin: AtomicI64,
    values: [AtomicI64; N],
    /// Number of the last publication that is complete.
    end: AtomicI64,
}

impl<const N: usize> StampedCell<N> {
    /// A cell of zeros, with sequence number 0: nothing was published.
    #[must_use]
    pub fn new() -> Self {
        let values = array::from_fn(|_| AtomicI64::new(0));
        let inner = Inner {
            begin: AtomicI64::new(0),
            values,
            end: AtomicI64::new(0),
        };
        Self {
            inner: CachePadded::new(inner),
        }
    }

    /// Replaces the values. Only one thread may ever call this; a second one would not harm memory
    /// but might publish a mixture.
    pub fn publish(&self, values: &[i64; N]) {
        // Relaxed: only this thread writes it.
        let sequence = self.inner.begin.load(Ordering::Relaxed).wrapping_add(1);
        self.inner.begin.store(sequence, Ordering::Relaxed);
        // PUBLISH(stamped-begin): pairs with the fence in StampedCell::read. Whoever sees one of
        // the new values below sees the new begin as well.
        fence(Ordering::Release);
        for (slot, value) in self.inner.values.iter().zip(values) {
            slot.store(*value, Ordering::Relaxed);
        }
        // PUBLISH(stamped-end): pairs with the load in StampedCell::read.
        self.inner.end.store(sequence, Ordering::Release);
    }

    /// The values last published with their sequence number, which counts from 1; 0 stands for none
    /// so far. `None` when a publication is under way: the next duty cycle will see it.
    #[must_use]
    pub fn read(&self) -> Option<(i64, [i64; N])> {
        let sequence = self.inner.end.load(Ordering::Acquire);
        let values = array::from_fn(|i| self.inner.values[i].load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        let is_stable = self.inner.begin.load(Ordering::Relaxed) == sequence;
        is_stable.then_some((sequence, values))
    }

    /// Number of the last complete publication, to see cheaply whether there is a new one.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.inner.end.load(Ordering::Acquire)
    }
}

impl<const N: usize> Default for StampedCell<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for StampedCell<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StampedCell").field(&self.read()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_latest_publication_is_read() {
        let cell = StampedCell::<3>::new();
        assert_eq!(cell.read(), Some((0, [0; 3])));
        for number in 1..=5 {
            cell.publish(&[number, -number, 7]);
            assert_eq!(cell.read(), Some((number, [number, -number, 7])));
            assert_eq!(cell.sequence(), number);
        }
    }

    #[test]
    fn nothing_is_read_while_a_publication_is_under_way() {
        let cell = StampedCell::<1>::new();
        cell.publish(&[1]);
        cell.inner.begin.store(2, Ordering::Relaxed);
        assert_eq!(cell.read(), None);
        cell.inner.end.store(2, Ordering::Relaxed);
        assert!(cell.read().is_some());
    }

    #[test]
    fn threads_never_see_a_mixture() {
        const LAST: i64 = 200_000;
        let cell = StampedCell::<3>::new();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut last = 0;
                    while last < LAST {
                        let Some((sequence, values)) = cell.read() else {
                            continue;
                        };
                        assert!(sequence >= last);
                        assert_eq!(
                            values,
                            [sequence, -sequence, sequence ^ 0x55].map(|value| if sequence == 0 {
                                0
                            } else {
                                value
                            })
                        );
                        if sequence == last {
                            thread::yield_now();
                        }
                        last = sequence;
                    }
                });
            }
            for number in 1..=LAST {
                cell.publish(&[number, -number, number ^ 0x55]);
            }
        });
    }
}
