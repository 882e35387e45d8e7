//! Bounded queue between the agents of one process.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crossbeam_queue::ArrayQueue;

/// A queue of at most `capacity` values, for any number of threads; cloning gives another handle on
/// the same queue.
///
/// ```
/// use aileron::concurrent::BoundedQueue;
/// let queue = BoundedQueue::new(1);
/// assert_eq!(queue.push("a"), Ok(()));
/// assert_eq!(queue.push("b"), Err("b"), "a full queue gives the value back");
/// assert_eq!(queue.pop(), Some("a"));
/// assert_eq!(queue.pop(), None);
/// ```
pub struct BoundedQueue<T> {
    inner: Arc<ArrayQueue<T>>,
    on_push: Arc<OnceLock<Arc<dyn Fn() + Send + Sync>>>,
}

impl<T> BoundedQueue<T> {
    /// An empty queue.
    ///
    /// # Panics
    /// When `capacity` is 0.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            inner: Arc::new(ArrayQueue::new(capacity)),
            on_push: Arc::new(OnceLock::new()),
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// The value itself, when the queue is full.
    pub fn push(&self, value: T) -> Result<(), T> {
        self.inner.push(value)?;
        if let Some(wake) = self.on_push.get() {
            wake();
        }
        Ok(())
    }

    /// Has `wake` called after each value that is appended. Only the first call counts.
    pub fn on_push(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        let _ = self.on_push.set(wake);
    }

    /// Removes the oldest value.
    #[must_use = "the value is gone from the queue"]
    #[inline]
    pub fn pop(&self) -> Option<T> {
        // Agents look into several queues per cycle, nearly always in vain. Looking takes two loads;
        // a pop that finds nothing has a full fence, which waits for all earlier stores.
        if self.inner.is_empty() {
            return None;
        }
        self.inner.pop()
    }

    /// Whether a push would be refused now.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.inner.is_full()
    }

    /// Whether a pop would find nothing now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    /// How many values are queued now.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// How many values can be queued.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.inner.capacity()
    }
}

impl<T> Clone for BoundedQueue<T> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            on_push: Arc::clone(&self.on_push),
        }
    }
}

impl<T> fmt::Debug for BoundedQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedQueue")
            .field("length", &self.len())
            .field("capacity", &self.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_the_bound() {
        let queue = BoundedQueue::new(3);
        let other = queue.clone();
        assert!(queue.is_empty());
        for value in 0..3 {
            assert_eq!(queue.push(value), Ok(()));
        }
        assert!(other.is_full());
        assert_eq!(queue.push(3), Err(3));
        assert_eq!(
            (other.pop(), other.pop(), other.pop(), other.pop()),
            (Some(0), Some(1), Some(2), None)
        );
    }

    #[test]
    fn values_left_behind_are_dropped() {
        let value = Arc::new(());
        let queue = BoundedQueue::new(2);
        queue.push(Arc::clone(&value)).expect("room");
        drop(queue);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
