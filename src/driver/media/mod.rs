//! Channels and the endpoints that carry them.

pub(crate) mod control_inbox;
pub(crate) mod destinations;
#[cfg(test)]
pub(crate) mod fake_transport;
pub(crate) mod host_port;
pub(crate) mod interface;
pub(crate) mod loss;
pub(crate) mod receive_endpoint;
pub(crate) mod send_endpoint;
pub(crate) mod udp_channel;
pub(crate) mod watch;
pub(crate) mod wildcard_ports;
