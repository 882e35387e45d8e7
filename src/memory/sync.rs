//! The atomics of shared memory, and of the algorithms over it: those of the standard library, or
//! the ones that a model checker looks through (`model`, with the feature of that name).
//!
//! Whatever two threads or processes share goes through here: the words of an
//! [`AtomicBuffer`](super::AtomicBuffer), the fences between them, cells of their own. So what the
//! checker runs is the code that production runs, access by access.

#[cfg(not(feature = "model"))]
pub(crate) use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU8, Ordering, fence};

#[cfg(feature = "model")]
pub(crate) use super::model::{AtomicI32, AtomicI64, AtomicU8, Ordering, fence};

/// Bytes are about to be read by someone who says that nobody writes them.
#[inline(always)]
pub(super) fn on_bytes(_start: *const u8, _length: usize) {
    #[cfg(feature = "model")]
    super::model::on_plain_access(_start.addr(), _length, false);
}

/// Bytes are about to be written by someone who says that they are its own.
#[inline(always)]
pub(super) fn on_bytes_mut(_start: *const u8, _length: usize) {
    #[cfg(feature = "model")]
    super::model::on_plain_access(_start.addr(), _length, true);
}
