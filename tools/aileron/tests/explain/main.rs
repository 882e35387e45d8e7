//! Each cause of a stall, brought about on a real driver with real clients: `explain` names the
//! cause, the party and the size, within a second.

#[path = "../../../aileronmd/tests/book/pages.rs"]
mod pages;
mod patience;
mod relay;
mod rig;

mod absent;
mod agents;
mod book;
mod network;
mod refused;
mod slow;
