//! The real network: UDP sockets behind the [`port`](crate::port) traits.
//!
//! A [`UdpTransport`] is one non-blocking socket, or for a multicast publication two: one connected
//! to the data group to send, one joined to the control group to receive. Batching is in
//! [`sys`](crate::sys).
#![forbid(unsafe_code)]

mod interfaces;
mod udp_network;
mod udp_transport;

pub use interfaces::SystemInterfaces;
pub use udp_network::UdpNetwork;
#[cfg(target_os = "linux")]
pub use udp_transport::ReadyTransports;
pub use udp_transport::UdpTransport;
