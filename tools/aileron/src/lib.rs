//! What the `aileron` tool is made of: a model of a running driver, read from its directory.
//!
//! A [`Directory`] is the driver's files, mapped for reading only. [`Snapshot::take`] copies what
//! they say at one moment and sorts the counters into publications, images, channels and clients,
//! by their keys. Two snapshots have [`Rates`] between them. Everything else, each of the
//! [`commands`], is a view of that.
//!
//! All of it works on the directory of any driver that keeps Aeron's files.
#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
pub mod explain;
pub mod metrics;
mod top;

mod directory;
mod log_files;
mod machine;
mod rates;
mod snapshot;
mod text;

pub use directory::{Directory, OpenError};
pub use log_files::{LogFacts, LogFile, LogFolder};
pub use machine::{MachineFacts, SocketFacts};
pub use rates::{ImageRates, PublicationRates, Rates, SystemRates};
pub use snapshot::{
    AgentView, ChannelView, ClientView, DriverView, ImageView, LocalAddress, PublicationView,
    Snapshot, SubscriberView, SubscriptionView, SystemView,
};
pub use text::{bytes_text, duration_text, thousands};
