//! Configuration of the driver: one table of options, the sources that set them, and the checks.
//!
//! `table.rs` holds a row per option and from it comes everything else: the fields of
//! [`DriverConfig`], the setters of its builder, reading from property files, `-D` and environment,
//! the listing of effective values, and documentation. A [`DriverConfig`] that was built has passed
//! every check and cannot be wrong later.
//!
//! Nothing here reads the environment or a file: the caller passes what it read.

#![forbid(unsafe_code)]

mod builder;
mod error;
mod idle;
mod kind;
mod listing;
mod loss;
mod names;
mod refused;
mod schema;
mod sources;
mod suppliers;
mod table;
mod validate;
mod values;

use crate::concurrent::EventSet;
use crate::port::BusyPoll;

pub use builder::DriverConfigBuilder;
pub use error::{ConfigError, ConfigErrors};
pub use idle::IdleStrategy;
pub use listing::{OptionDoc, RefusedDoc, Setting};
pub use loss::{FixedLoss, LossSpec, MultiGapLoss, RandomLoss};
pub(crate) use names::NameEntry;
pub use sources::{Preset, Source, default_directory};
pub use suppliers::StreamProfile;
pub use table::DriverConfig;
pub use values::{
    CongestionSupplier, GroupConsideration, MulticastFlowControlSupplier, NameResolverSupplier,
    PortRange, TerminationValidator, ThreadNaming, ThreadingMode,
};

impl DriverConfig {
    /// The events that are written down: those wanted, without those that are not.
    #[must_use]
    pub const fn logged_events(&self) -> EventSet {
        self.event_log.without(self.event_log_disable)
    }

    /// How sockets look into their network cards; microseconds are rounded up.
    #[must_use]
    pub(crate) fn busy_poll(&self) -> BusyPoll {
        let micros = self
            .socket_busy_poll_ns
            .max(0)
            .unsigned_abs()
            .div_ceil(1_000);
        BusyPoll {
            micros: u32::try_from(micros).unwrap_or(u32::MAX),
            is_preferred: self.socket_prefer_busy_poll,
        }
    }

    /// A builder with every option at its default.
    #[must_use]
    pub fn builder() -> DriverConfigBuilder {
        DriverConfigBuilder::default()
    }
}

#[cfg(test)]
mod tests;
