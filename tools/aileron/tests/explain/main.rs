//! Each cause of a stall, brought about on a real driver with real clients: `explain` names the
//! cause, the party and the size, within a second.

mod relay;
mod rig;

mod absent;
mod agents;
mod network;
mod refused;
mod slow;
