//! Floors: what memory and sockets do with nothing on top, measured in the same run.

pub(crate) mod memory;
pub(crate) mod pair;
pub(crate) mod udp;
