//! The command-and-control file (`cnc.dat`), where a driver and its clients meet (`cnc.md` §2).
//!
//! It holds, behind a header of 128 bytes: the ring buffer of commands to the driver, the broadcast
//! buffer of events to the clients, the metadata and the values of all counters, and the error log.
//! The driver makes it and signals that it is ready by storing the version last; a client attaches
//! to it and trusts nothing but the lengths it has checked.
//!
//! This module only lays views over a buffer; creating, mapping and waiting is `runtime`'s. The
//! catalogue of counters that drivers keep is here too: [`SystemCounter`] and [`counter_types`].

#![forbid(unsafe_code)]

/// What labels say after `commit=`: the commit, where whoever builds sets `AILERON_COMMIT`, else
/// the tag of the released version.
pub const COMMIT: &str = match option_env!("AILERON_COMMIT") {
    Some(commit) => commit,
    None => concat!("v", env!("CARGO_PKG_VERSION")),
};

pub mod counter_labels;
pub mod counter_types;
pub mod extra_counters;

mod error;
mod file;
mod header;
mod heartbeat;
mod layout;
mod system_counters;
#[cfg(test)]
mod tests;
mod version;

pub use error::CncError;
pub use file::{Cnc, CncMetadata};
pub(crate) use heartbeat::HeartbeatWatch;
pub use layout::{
    CncLengths, DEFAULT_PAGE_SIZE, HEADER_LENGTH, PAGE_SIZE_MAX, PAGE_SIZE_MIN, Section,
};
pub use system_counters::{SystemCounter, SystemCounterLabels, SystemCounters};
pub use version::{CNC_VERSION, CONTROL_PROTOCOL_VERSION, SemanticVersion};
