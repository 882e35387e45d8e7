//! Configuration of the driver: one table of options, the sources that set them, and the checks.
//!
//! [`table`] holds a row per option and from it comes everything else: the fields of
//! [`DriverConfig`], the setters of its builder, reading from property files, `-D` and environment,
//! the listing of effective values, and documentation. A [`DriverConfig`] that was built has passed
//! every check and cannot be wrong later.
//!
//! Nothing here reads the environment or a file: the caller passes what it read.

#![forbid(unsafe_code)]

mod builder;
mod idle;
mod kind;
mod loss;
mod schema;
mod sources;
mod table;
mod values;

pub use builder::DriverConfigBuilder;
pub use idle::IdleStrategy;
pub use loss::{FixedLoss, LossSpec, MultiGapLoss, RandomLoss};
pub use sources::Source;
pub use table::DriverConfig;
pub use values::{
    CongestionSupplier, GroupConsideration, MulticastFlowControlSupplier, NameResolverSupplier,
    PortRange, TerminationValidator, ThreadNaming, ThreadingMode,
};

impl DriverConfig {
    /// A builder with every option at its default.
    #[must_use]
    pub fn builder() -> DriverConfigBuilder {
        DriverConfigBuilder::default()
    }

    /// Loss generators on what arrives, outermost last.
    #[must_use]
    pub fn incoming_loss(&self) -> Vec<LossSpec> {
        self.loss_specs(&self.incoming_interceptors)
    }

    /// Loss generators on what is sent, outermost last.
    #[must_use]
    pub fn outgoing_loss(&self) -> Vec<LossSpec> {
        self.loss_specs(&self.outgoing_interceptors)
    }

    fn loss_specs(&self, names: &[String]) -> Vec<LossSpec> {
        let spec = |name: &String| match name.as_str() {
            "loss" => self.loss_args.map(LossSpec::Random),
            "fixed-loss" => self.fixed_loss_args.map(LossSpec::Fixed),
            "multi-gap-loss" => self.multi_gap_loss_args.map(LossSpec::MultiGap),
            _ => None,
        };
        names.iter().filter_map(spec).collect()
    }
}
