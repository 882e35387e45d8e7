//! The rows of `tests/semantics`, with the C client of Aeron on aileron's driver: what they expect
//! is what Aeron does, not only what aileron does.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a row looks for some outcomes and fails on all others"
)]

#[path = "../../../../tests/semantics/facade.rs"]
mod facade;
mod peer;
#[path = "../../../../tests/semantics/rows/mod.rs"]
mod rows;
#[path = "../../../../tests/support/mod.rs"]
mod support;
#[path = "../../../../tests/semantics/world.rs"]
mod world;
