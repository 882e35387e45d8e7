//! Handle on the value of one counter.

use super::{COUNTER_VALUE_LENGTH, value};
use crate::base::CounterId;
use crate::memory::AtomicBuffer;

/// A handle on the value of one counter, for any thread; cloning gives another one.
///
/// Methods that say *single writer* load and store: they lose updates when two threads use them on
/// one counter. The others are for everyone.
///
/// ```
/// use aileron::concurrent::AtomicCounter;
/// let position = AtomicCounter::detached(100);
/// assert!(position.propose_max(160));
/// assert!(!position.propose_max(130));
/// assert_eq!(position.get(), 160);
/// ```
#[derive(Clone, Debug)]
pub struct AtomicCounter {
    /// The value record of this counter.
    record: AtomicBuffer,
    id: CounterId,
}

impl AtomicCounter {
    pub(super) fn new(record: AtomicBuffer, id: CounterId) -> Self {
        Self { record, id }
    }

    /// A counter in private memory that no file shows; for tests, and where a counter is optional.
    #[must_use]
    pub fn detached(value: i64) -> Self {
        let counter = Self::new(AtomicBuffer::heap(COUNTER_VALUE_LENGTH), CounterId::NONE);
        counter.set(value);
        counter
    }

    /// Which counter this is; [`CounterId::NONE`] for a detached one.
    #[must_use]
    pub fn id(&self) -> CounterId {
        self.id
    }

    /// The value; what its writer did before setting it is visible after (acquire).
    #[must_use]
    #[inline]
    pub fn get(&self) -> i64 {
        // Pairs with PUBLISH(counter-value).
        self.record.load_i64_acquire(value::VALUE)
    }

    /// The value, without ordering: for its writer, and for statistics.
    #[must_use]
    #[inline]
    pub fn get_relaxed(&self) -> i64 {
        self.record.load_i64_relaxed(value::VALUE)
    }

    /// Sets the value, publishing what was done before (release).
    #[inline]
    pub fn set(&self, value: i64) {
        // PUBLISH(counter-value): pairs with AtomicCounter::get and CountersReader::value.
        self.record.store_i64_release(value::VALUE, value);
    }

    /// Sets the value if that raises it, and returns whether it did. Single writer.
    #[inline]
    pub fn propose_max(&self, value: i64) -> bool {
        let is_higher = value > self.get_relaxed();
        if is_higher {
            self.set(value);
        }
        is_higher
    }

    /// Adds, wrapping, and returns the value before. Any number of writers.
    #[inline]
    pub fn add(&self, delta: i64) -> i64 {
        self.record.fetch_add_i64_acq_rel(value::VALUE, delta)
    }

    /// Adds, wrapping, with a load and a release store. Single writer.
    #[inline]
    pub fn add_single_writer(&self, delta: i64) {
        self.set(self.get_relaxed().wrapping_add(delta));
    }

    /// Adds 1, wrapping, with a load and a release store. Single writer.
    #[inline]
    pub fn increment_single_writer(&self) {
        self.add_single_writer(1);
    }
}
