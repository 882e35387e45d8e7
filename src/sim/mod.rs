//! The deterministic simulator: production code with its ports replaced.
//!
//! A [`World`] is whole drivers and clients on a virtual clock and a faulty network. A seed tells
//! who takes part and what goes wrong; the same seed gives the same run, event by event.
//!
//! | Part | What it is |
//! |---|---|
//! | `network`, `socket`, `tap` | datagrams in memory: lost, doubled, late, damaged, refused; who watches |
//! | `clock` | time that passes when it is told to |
//! | `plan`, `omission` | what a seed stands for, and what can be left out of it |
//! | `shrink` | the least of it that fails |
//! | `settings` | a driver's configuration as its user writes it down |
//! | `host` | a driver: CnC and logs on the heap, its agents one by one |
//! | `people` | clients with their publishers and subscribers, as small state machines |
//! | `ledger`, `payload` | what was published; checks what subscribers get |
//! | `oracle` | checks counters, datagrams, event logs, what is left at the end |
//! | `world` | all of it, step by step |
//! | `trace` | what happened |
//! | `lossy_path` | one stream over a long path that loses datagrams: goodput and stalls |
#![forbid(unsafe_code)]

mod clock;
mod host;
mod ledger;
mod lossy_path;
mod network;
mod omission;
mod oracle;
mod payload;
mod people;
mod plan;
mod report;
mod sabotage;
mod settings;
mod shrink;
mod socket;
mod tap;
mod trace;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use clock::VirtualClock;
pub use lossy_path::{LossyPath, PathReport};
pub use network::{LinkFaults, NetworkStatistics, SimNetwork};
pub use omission::{Omission, UnknownOmission};
pub use plan::Profile;
pub use report::{Failure, Report};
pub use sabotage::Sabotage;
pub use shrink::Shrunk;
pub use socket::{SimHost, SimTransport};
pub use tap::{Fate, Tap, TapVerdict};
pub use world::World;
