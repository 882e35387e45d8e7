//! The messages between clients and their driver, one file per family.
//!
//! Data flow: a client encodes a [`Command`] into the to-driver ring buffer and the driver's
//! conductor decodes it; the conductor answers, and tells of what happens, with an [`Event`] in the
//! to-clients broadcast buffer, which every client decodes. The buffers themselves carry a type id
//! beside each payload; [`Command::encode`] and [`Event::encode`] append the payload to the
//! caller's reused vector and return that id.
//!
//! Invariants: decoding borrows from the payload and never panics, whatever the peer wrote; lengths
//! inside a payload are checked against it; bytes beyond what a message needs are ignored. Channels
//! and paths are text, refused if they are not UTF-8; keys, labels, reasons and tokens are bytes.

#![forbid(unsafe_code)]

mod client;
mod codec;
mod commands;
mod counter;
mod destination;
mod error_code;
mod events;
mod fault;
mod image;
mod publication;
mod reply;
mod subscription;

pub use client::{
    ClientClose, ClientKeepalive, ClientTimeout, GetNextAvailableSessionId, NextAvailableSessionId,
    TerminateDriver,
};
pub use commands::{Command, command_id};
pub use counter::{
    AddCounter, AddStaticCounter, CounterReady, RemoveCounter, StaticCounter, UnavailableCounter,
};
pub use destination::{Destination, RemoveDestinationById};
pub use error_code::ErrorCode;
pub use events::{Event, event_id};
pub use fault::{CommandError, MessageFault};
pub use image::{AvailableImage, RejectImage, UnavailableImage};
pub use publication::{AddPublication, PublicationError, PublicationReady, RemovePublication};
pub use reply::{ErrorResponse, OperationSuccess};
pub use subscription::{AddSubscription, RemoveSubscription, SubscriptionReady};

/// Version 1.0.0 of this protocol, as the driver publishes it in a system counter.
pub const CONTROL_PROTOCOL_VERSION: i32 = 1 << 16;

#[cfg(test)]
mod tests;
