//! Floors: what memory and sockets do with nothing on top, measured in the same run.

pub(crate) mod memory;
pub(crate) mod pair;
pub(crate) mod udp;
#[cfg(feature = "io-uring")]
#[expect(
    unsafe_code,
    reason = "entries of a ring name buffers by their address; an experiment behind a feature"
)]
pub(crate) mod uring;
