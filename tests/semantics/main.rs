//! How channels, clients and drivers behave from outside, row by row of `docs/conformance.md`:
//! aileron's client on aileron's driver. `tools/interop/tests/semantics` runs the same [`rows`]
//! with the reference client.

mod conformance;
mod facade;
mod own_rows;
mod peer;
mod rows;
#[path = "../support/mod.rs"]
mod support;
mod world;
