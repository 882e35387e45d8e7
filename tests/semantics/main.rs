//! How channels, clients and drivers behave from outside, row by row of `docs/conformance.md`:
//! aileron's client on aileron's driver. `tools/interop/tests/semantics` runs the same [`rows`]
//! with the reference client.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a row looks for some outcomes and fails on all others"
)]

mod conformance;
mod facade;
mod own_rows;
mod peer;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod world;
