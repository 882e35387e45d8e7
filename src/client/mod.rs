//! The client library: publications, subscriptions, images and counters of a media driver.
//!
//! ```text
//!  Publication ── offer ──► log buffer ──► … ──► log buffer ── poll ──► Subscription / Image
//!
//!  Client ── commands ──► to-driver ring ──► driver ──► broadcast ──► ClientConductor ──► handlers
//! ```
//!
//! A [`Client`] is made of a [`ClientEnvironment`]: the driver's CnC file, a way to map logs, a
//! clock. (`runtime` makes one of files and real clocks; tests and the simulator, of heap memory.)
//! Handles talk to the driver through one conductor, which is behind a lock and given the time at
//! each call; what it is not needed for, offering and polling above all, takes no lock and does not
//! allocate. Whoever waits for an answer drives the conductor meanwhile, so that a client works the
//! same with a conductor thread and without.
//!
//! Invariants:
//! - Callbacks run inside the conductor. One that calls back in is refused, never left waiting.
//! - Handles keep logs mapped, not the client alive: after its end they report being closed.
//! - Only one party polls an image, so a position has one writer; a closed image writes none.
//! - Dropping a handle sends its remove command, and waits for nothing.

#![forbid(unsafe_code)]

mod buffer_claim;
mod channel;
#[expect(
    clippy::module_inception,
    reason = "the client is what this module is about"
)]
mod client;
mod client_handlers;
mod conductor;
mod config;
mod core;
mod counter;
mod driver_proxy;
mod error;
mod exclusive_publication;
mod fragment_assembler;
mod handlers;
mod header;
mod image;
mod image_poller;
mod invoker;
mod options;
mod pending;
mod publication;
mod registrations;
mod status;
mod subscription;
mod subscription_builder;
mod subscription_shared;

pub use buffer_claim::BufferClaim;
pub use channel::IntoChannel;
pub use client::Client;
pub use config::{CLIENT_NAME_LENGTH_MAX, ClientConfig, ClientEnvironment, IDLE_SLEEP_MAX};
pub use counter::Counter;
pub use error::{AddError, ClientError, ConnectError, OfferError, RegistrationError};
pub use exclusive_publication::ExclusivePublication;
pub use fragment_assembler::{
    ControlledFragmentAssembler, ControlledImageFragmentAssembler, FragmentAssembler,
    ImageFragmentAssembler,
};
pub use handlers::{CounterEvent, HandlerId, PublicationErrorFrame};
pub use header::Header;
pub use image::{Action, Block, Image, REJECT_REASON_LENGTH_MAX};
pub use image_poller::{ImagePoller, RawBlock};
pub use invoker::ConductorInvoker;
pub use options::ClientOptionDoc;
pub use pending::{Pending, Registered};
pub use publication::Publication;
pub use status::ChannelStatus;
pub use subscription::Subscription;
pub use subscription_builder::SubscriptionBuilder;
