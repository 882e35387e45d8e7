//! A client's request to stop the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when a client asked the driver to stop and the validator agreed. Whoever runs the driver
/// looks at it from time to time; clones share it.
///
/// ```
/// use aileron::driver::TerminationFlag;
/// let flag = TerminationFlag::default();
/// let seen_elsewhere = flag.clone();
/// flag.set();
/// assert!(seen_elsewhere.is_set());
/// ```
#[derive(Clone, Debug, Default)]
pub struct TerminationFlag(Arc<AtomicBool>);

impl TerminationFlag {
    /// Asks for the driver to be stopped.
    pub fn set(&self) {
        // Release and acquire: whoever stops the driver sees what was done before.
        self.0.store(true, Ordering::Release);
    }

    /// Whether the driver is to be stopped.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
