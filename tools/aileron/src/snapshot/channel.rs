//! One send or receive endpoint.

use aileron::base::{CounterId, RegistrationId};
use aileron::cnc::counter_types::ChannelStatus;

/// A send or receive endpoint as its counters show it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChannelView {
    /// The counter of its status.
    pub status_id: CounterId,
    /// Whether it sends; else it receives.
    pub is_send: bool,
    /// Correlation id of the command that made it.
    pub registration_id: RegistrationId,
    /// Its channel, as whole as a label shows it.
    pub channel: String,
    /// Its status; `None` for a number without a meaning.
    pub status: Option<ChannelStatus>,
    /// What its sockets are bound to.
    pub addresses: Vec<LocalAddress>,
    /// `mdc-num-dest`: destinations, of a channel that has several.
    pub destinations: Option<i64>,
}

/// What one socket of an endpoint is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocalAddress {
    /// `ip:port`; empty until it is bound.
    pub address: String,
    /// Status of the socket.
    pub status: Option<ChannelStatus>,
}
