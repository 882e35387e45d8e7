//! The deterministic simulator: production code with its ports replaced.
#![forbid(unsafe_code)]

mod network;

pub use network::{LinkFaults, NetworkStatistics, SimHost, SimNetwork, SimTransport};
