//! Each parameter of a channel (`aileron::uri::params`): what it does, and what is said about a
//! bad value; through the public API, on a real driver of this process.
//!
//! [`registry`] lists which test shows what, and fails when a parameter lacks one. Where the effect
//! is on the wire, the test itself plays the peer, with a socket ([`rig::RawReceiver`],
//! [`rig::RawSender`]).

#[path = "../support/mod.rs"]
mod support;

mod registry;
mod rig;

mod addresses;
mod flow_control;
mod geometry;
mod groups;
mod lifetime;
mod repair;
mod responses;
mod sessions;
mod strategies;
mod timestamps;
mod untethered;
mod windows;
