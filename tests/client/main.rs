//! The client against a driver made of test code: every command, event and failure, on heap memory
//! and a clock that only moves when told to.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks for one variant and fails on all others"
)]

mod adds;
mod assemblers;
mod callbacks;
mod driver;
mod images;
mod liveness;
mod polls;
mod publications;
