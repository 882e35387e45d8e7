//! Others that do the same work.

pub(crate) mod aeron_c;
