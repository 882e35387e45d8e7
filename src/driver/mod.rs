//! The media driver: conductor, sender, receiver and resource agent.
//!
//! ```text
//!              commands                 ┌───────────┐ add, remove    ┌──────────┐  data, SETUP
//!   clients ───(ring)─────────────────▶ │           │ ─────────────▶ │  sender  │ ────────────▶
//!           ◀──(broadcast)───────────── │           │ ◀───────────── │          │ ◀────────────
//!              events                   │ conductor │  closed, …     └──────────┘   SM, NAK
//!                                       │           │ add, remove    ┌──────────┐  data, SETUP
//!   ┌───────────┐  channels, addresses, │           │ ─────────────▶ │ receiver │ ◀────────────
//!   │ resources │ ◀───────────────────▶ │           │ ◀───────────── │          │ ────────────▶
//!   └───────────┘          logs         └───────────┘ create image   └──────────┘   SM, NAK
//! ```
//!
//! | Agent | Owns | Never does |
//! |---|---|---|
//! | conductor | commands and events, counters, clients, links, publications, images, the life of endpoints | send or receive datagrams, resolve names, create files |
//! | sender | send endpoints, the sending halves of network publications | allocate counters |
//! | receiver | receive endpoints, dispatchers, the receiving halves of images | change lists of subscribers |
//! | resources | name resolution, log files | anything else |
//!
//! The agents share atomics (counters, the `Shared` part of a publication or image) and bounded
//! queues of `messages`, nothing else. What two agents need is two objects, a half for each. Log
//! buffers are shared with clients; the driver trusts nothing that it reads from them.
//!
//! | Part | What it is |
//! |---|---|
//! | [`DriverCore`] | the four agents, connected, and what they need of the world |
//! | [`config`] | all settings |
//! | `params` | what a channel asks for, checked |
//! | `media` | channels and endpoints, destinations, deliberate loss |
//! | `publication`, `image` | streams out of and into this driver, in halves |
//! | `flow_control`, `retransmit` | how far a sender goes, and what it sends again |
//! | `loss`, `congestion`, `dispatcher` | what a receiver misses, how much it takes, which image a frame is for |
//! | `names` | host names: those of other drivers, of a table, of the operating system |
//! | `untethered` | the subscribers of a stream |
//! | `counters`, `errors`, `event_logs`, `duty_cycle` | what tools see |

#![forbid(unsafe_code)]

mod agent_report;
mod assembly;
mod conductor;
pub mod config;
pub(crate) mod congestion;
pub(crate) mod counters;
pub(crate) mod dispatcher;
pub(crate) mod duty_cycle;
pub(crate) mod epoch;
pub(crate) mod errors;
pub(crate) mod event_logs;
pub(crate) mod failure;
pub(crate) mod flow_control;
pub(crate) mod image;
pub(crate) mod loss;
pub(crate) mod media;
pub(crate) mod messages;
mod names;
mod pace;
pub(crate) mod params;
pub(crate) mod publication;
pub(crate) mod receiver;
pub(crate) mod resources;
pub(crate) mod retransmit;
pub(crate) mod rota;
pub(crate) mod sender;
pub(crate) mod session_ids;
mod termination;
pub(crate) mod untethered;

pub use assembly::{DriverAgents, DriverCore, DriverCoreError, DriverEnvironment, DriverParts};
pub use congestion::{CongestionController, RebuildProgress, WindowDecision};
pub use event_logs::EVENT_LANES;
pub use flow_control::{FlowControlStrategy, ReceiverFeedback};
pub use termination::TerminationFlag;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
