//! Streams between two network namespaces, over real (virtual) wires that can be cut.
//!
//! Each test makes its own pair of namespaces and the two paths that join them, see [`network`],
//! and runs drivers and clients inside, as processes of their own, see [`roles`]. Where this is not
//! permitted the tests say so on standard error, and pass.

#[path = "../support/mod.rs"]
mod support;

mod interfaces;
mod network;
mod paths;
mod responses;
mod roles;
mod streams;

/// What the child processes run; does nothing in the process that tests.
#[test]
fn role() {
    if let Some(part) = support::child::part() {
        roles::play(&part);
    }
}
