//! Raw regions and typed atomic access to them: the only place with pointer arithmetic.
//!
//! An [`AtomicBuffer`] is a bounds-checked window on a region, which is either a mapped file
//! (production) or zeroed heap memory (tests, simulator, Miri, sanitizers). Algorithms above never
//! know which of the two they run on. The region lives as long as any window on it.
//!
//! Every method names its ordering. Offsets are bytes from the start of the window; an offset
//! outside of it, or one not aligned to the access, is a bug of the caller and panics: lengths and
//! offsets *read from* shared memory must be checked before they get here.

mod atomic_buffer;
#[cfg(feature = "fault-hooks")]
mod fault;
mod mapped;
#[cfg(feature = "model")]
pub mod model;
mod prefetch;
mod region;
pub(crate) mod sync;

pub use atomic_buffer::{AtomicBuffer, FirstWord};
#[cfg(feature = "fault-hooks")]
pub use fault::die_after_stores;
pub use mapped::{map_file, map_file_read_only};
