//! The media driver: conductor, sender, receiver and resource agent.
//!
//! | Agent | Owns | Never does |
//! |---|---|---|
//! | conductor | commands and events, counters, clients, links, publications, images, the life of endpoints | send or receive datagrams, resolve names, create files |
//! | sender | send endpoints, the sending halves of network publications | allocate counters |
//! | receiver | receive endpoints, dispatchers, the receiving halves of images | change lists of subscribers |
//! | resources | name resolution, log files | anything else |
//!
//! The agents share atomics (counters, the `Shared` part of a publication or image) and bounded
//! queues of `messages`, nothing else.

#![forbid(unsafe_code)]
mod conductor;
pub mod config;
pub(crate) mod congestion;
mod assembly;
pub(crate) mod counters;
pub(crate) mod dispatcher;
pub(crate) mod duty_cycle;
pub(crate) mod epoch;
pub(crate) mod errors;
pub(crate) mod failure;
pub(crate) mod flow_control;
pub(crate) mod image;
pub(crate) mod loss;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod params;
pub(crate) mod publication;
pub(crate) mod receiver;
pub(crate) mod resources;
pub(crate) mod retransmit;
pub(crate) mod sender;
pub(crate) mod session_ids;
mod termination;
pub(crate) mod untethered;

pub use assembly::{DriverAgents, DriverCore, DriverCoreError, DriverEnvironment, DriverParts};
pub use flow_control::{FlowControlStrategy, ReceiverFeedback};
pub use termination::TerminationFlag;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
