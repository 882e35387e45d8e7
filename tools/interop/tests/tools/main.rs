//! The `aileron` tool on a driver of the C implementation: every subcommand works on its directory,
//! with the figures that the C reader has, and `explain` names the causes that it can see there.

mod causes;
mod driver;
mod figures;
#[path = "../../../aileron/tests/explain/patience.rs"]
mod patience;
mod reference;
