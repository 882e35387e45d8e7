//! The rows of `tests/semantics`, with the C client of Aeron on aileron's driver: what they expect
//! is what Aeron does, not only what aileron does.

#[path = "../../../../tests/semantics/facade.rs"]
mod facade;
mod peer;
#[path = "../../../../tests/semantics/rows/mod.rs"]
mod rows;
#[path = "../../../../tests/support/mod.rs"]
mod support;
#[path = "../../../../tests/semantics/world.rs"]
mod world;
