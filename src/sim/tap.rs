//! Watching what goes over a simulated network, and meddling with it.

use std::fmt;
use std::net::SocketAddr;

/// What the network is about to do with a datagram.
///
/// ```
/// use aileron::sim::Fate;
/// assert_ne!(Fate::Sent, Fate::Lost);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fate {
    /// Deliver it.
    Sent,
    /// Deliver it twice.
    Doubled,
    /// Deliver something else in its place, or nothing.
    Damaged,
    /// Lose it.
    Lost,
    /// The sending socket did not take it.
    Refused,
}

/// What a [`Tap`] wants done with a datagram.
///
/// ```
/// use aileron::sim::TapVerdict;
/// assert_ne!(TapVerdict::Pass, TapVerdict::Drop);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TapVerdict {
    /// What the network was about to do.
    Pass,
    /// Lose it.
    Drop,
    /// Change a bit of the byte at this index, which is less than the datagram's length.
    Flip(usize),
}

/// Sees every datagram that a socket of a [`SimNetwork`](super::SimNetwork) sends. Must not call
/// the network.
///
/// ```
/// use std::net::SocketAddr;
/// use aileron::sim::{Fate, SimNetwork, Tap, TapVerdict};
/// struct DropAll;
/// impl Tap for DropAll {
///     fn on_send(&mut self, _: SocketAddr, _: SocketAddr, _: &[u8], _: Fate) -> TapVerdict {
///         TapVerdict::Drop
///     }
/// }
/// SimNetwork::new(1).set_tap(Box::new(DropAll));
/// ```
pub trait Tap: Send {
    /// A socket bound to `source` sends `bytes` to `to`. The verdict on a refused datagram is
    /// ignored.
    fn on_send(
        &mut self,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        fate: Fate,
    ) -> TapVerdict;
}

impl fmt::Debug for dyn Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap")
    }
}
