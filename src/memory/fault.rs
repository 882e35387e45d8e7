//! Dying between two stores: a hook for fault tests, not compiled unless the feature `fault-hooks`
//! is on. Whoever kills processes from outside meets them almost never in the few nanoseconds in
//! which a claim is half made; this meets every one of its steps.

use std::cell::Cell;

thread_local! {
    /// Stores that this thread may still make; `None` if there is no end to them.
    static REMAINING: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Ends the process, as abruptly as `kill -9` does, before this thread's next store to any
/// [`AtomicBuffer`](super::AtomicBuffer) but `stores` more. Reads, and stores of other threads, do
/// not count; taking a range of bytes to write counts as one store.
///
/// ```
/// aileron::memory::die_after_stores(3);
/// # aileron::memory::die_after_stores(u64::MAX);
/// ```
pub fn die_after_stores(stores: u64) {
    REMAINING.set(Some(stores));
}

/// Called before each store.
#[inline]
pub(super) fn on_store() {
    let Some(remaining) = REMAINING.get() else {
        return;
    };
    if remaining == 0 {
        std::process::abort();
    }
    REMAINING.set(Some(remaining - 1));
}
