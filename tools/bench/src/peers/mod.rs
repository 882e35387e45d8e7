//! Others that do the same work.

pub(crate) mod aeron_c;
pub(crate) mod iceoryx;
pub(crate) mod quic;
