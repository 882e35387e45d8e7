//! The datagrams two drivers exchange, one file per frame: pure functions on byte slices.
//!
//! Data flow: the driver's receive and send endpoints hand each datagram to [`Frame::parse_for`]
//! (or, where no role is known, [`Frame::parse`]) and get a checked view of it; what a driver sends
//! is a plain value such as [`Setup`] or [`Nak`], which encodes itself into a fixed array. Data
//! frames are the exception: the sender transmits log-buffer memory as it is, so [`DataHeader`] is
//! needed only for headers that are not in a log, such as heartbeats.
//!
//! Invariants: all integers are little-endian (addresses in resolution entries excepted); a view
//! has been checked once, so its accessors cannot fail; no input makes a parser panic. A refused
//! datagram yields a [`FrameError`], which the caller counts.

#![forbid(unsafe_code)]

pub mod data;
pub mod error;
pub mod nak;
pub mod resolution;
pub mod response_setup;
pub mod rtt_measurement;
pub mod setup;
pub mod status_message;

mod frame;
mod frame_error;
mod header;

pub use data::{DataFrame, DataHeader};
pub use error::{ErrorFrame, ErrorMessage};
pub use frame::{Frame, SocketRole};
pub use frame_error::FrameError;
pub use header::{FrameHeader, FrameType, HEADER_LENGTH, PROTOCOL_VERSION};
pub use nak::{Nak, NakFrame};
pub use resolution::{
    EntryRefused, ResolutionEntries, ResolutionEntry, ResolutionFrame, ResolutionWriter,
};
pub use response_setup::{ResponseSetup, ResponseSetupFrame};
pub use rtt_measurement::{RttMeasurement, RttMeasurementFrame};
pub use setup::{Setup, SetupFrame};
pub use status_message::{StatusMessage, StatusMessageFrame};

#[cfg(test)]
mod tests;
