//! Faults with real processes: clients and drivers killed with `kill -9`, directories that vanish,
//! storage that is full. Every driver has short timeouts; nothing waits for anything but
//! conditions.
//!
//! The processes that die are this executable in a role, see [`support::child`].

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod directories;
mod drivers;
mod leftovers;
mod roles;
mod shortened;
mod storage;

/// What the child processes run; does nothing in the process that tests.
#[test]
fn role() {
    if let Some(part) = support::child::part() {
        roles::play(&part);
    }
}
