//! A network in memory, on a virtual clock, with seeded faults.
//!
//! Every host is an IP address; sockets live in one shared table. A datagram that is sent draws its
//! fate from the generator of the network: it may be lost, doubled, held back, delivered late,
//! damaged, or meet a full receive buffer. It arrives when the virtual clock has passed its arrival
//! time; datagrams of one instant arrive in the order they were sent.
//!
//! Damage is what a checksum lets through in practice, which is very little: the damaged datagram
//! is dropped as a kernel would, and sometimes garbage that no peer ever sends arrives in its
//! place. A flipped payload bit that passes every check is beyond what the protocol can notice.

mod faults;
mod nat;
mod state;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::socket::SimHost;
use super::tap::Tap;
use crate::base::Nanos;
use crate::port::TransportSpec;
use state::{State, Target};

pub use faults::LinkFaults;
pub(super) use state::{OpenSocket, Received};

/// Receive buffer of a socket that asked for none, in bytes.
pub(super) const DEFAULT_BUFFER_LENGTH: usize = 212_992;

/// What became of the datagrams so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkStatistics {
    /// Accepted from a sending socket.
    pub sent: u64,
    /// Put into a receive buffer.
    pub delivered: u64,
    /// Lost by chance or by a partition.
    pub lost: u64,
    /// Delivered a second time.
    pub duplicated: u64,
    /// Damaged.
    pub corrupted: u64,
    /// Met a full receive buffer, or no socket at all.
    pub dropped_at_receiver: u64,
    /// Refused by the sending socket.
    pub refused: u64,
}

/// The network of a simulated world; cloning gives another handle on the same one.
///
/// ```
/// use aileron::base::Nanos;
/// use aileron::sim::SimNetwork;
/// let network = SimNetwork::new(7);
/// network.advance(Nanos(1_000));
/// assert_eq!(network.statistics().sent, 0);
/// ```
#[derive(Clone, Debug)]
pub struct SimNetwork {
    state: Arc<Mutex<State>>,
}

impl SimNetwork {
    /// A perfect network whose later faults follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State::new(seed);
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The network as one host sees it.
    #[must_use]
    pub fn host(&self, address: IpAddr) -> SimHost {
        SimHost::new(self.clone(), vec![address])
    }

    /// The network as a host with several addresses sees it; at most one of each family is used.
    #[must_use]
    pub fn host_of(&self, addresses: &[IpAddr]) -> SimHost {
        SimHost::new(self.clone(), addresses.to_vec())
    }

    /// Moves the clock on and delivers what has arrived by then.
    pub fn advance(&self, now: Nanos) {
        self.lock().advance(now);
    }

    /// When the next datagram arrives, if any is under way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Nanos> {
        self.lock().next_arrival()
    }

    /// Faults of all links that have none of their own.
    pub fn set_default_faults(&self, faults: LinkFaults) {
        self.lock().default_faults = faults;
    }

    /// Faults of the link from one host to another, in this direction only.
    pub fn set_link_faults(&self, from: IpAddr, to: IpAddr, faults: LinkFaults) {
        self.lock().links.insert((from, to), faults);
    }

    /// Takes away the link's own faults: those of all links hold for it again.
    pub fn clear_link_faults(&self, from: IpAddr, to: IpAddr) {
        self.lock().links.remove(&(from, to));
    }

    /// Loses all that is sent to an address from now on, or does not any more. Healing leaves it.
    pub fn set_blocked(&self, address: SocketAddr, is_blocked: bool) {
        let mut state = self.lock();
        if is_blocked {
            state.blocked.insert(address);
        } else {
            state.blocked.remove(&address);
        }
    }

    /// Gives every socket of a host that has a port of its own choice another address to be seen
    /// by, as when a gateway forgets what it translated: what it sends comes from there, and what
    /// is sent to where it came from before is lost. Healing leaves that.
    pub fn rebind(&self, host: IpAddr) {
        self.lock().rebind(host);
    }

    /// Has each datagram take so many bytes of a receive buffer beside its own, as with a kernel
    /// (Linux: about 768), and buffers be twice as long as was asked for, as with Linux; 0 for
    /// neither. To be set before anything is sent.
    pub fn set_overhead(&self, bytes: usize) {
        self.lock().overhead = bytes;
    }

    /// Has everything that sockets send pass by `tap` first.
    pub fn set_tap(&self, tap: Box<dyn Tap>) {
        self.lock().tap = Some(tap);
    }

    /// Makes every link perfect again.
    pub fn heal(&self) {
        let mut state = self.lock();
        let delay_ns = state.default_faults.delay_ns;
        state.default_faults = LinkFaults {
            delay_ns,
            ..LinkFaults::default()
        };
        state.links.clear();
        state.lines.clear();
    }

    /// Sockets of a host that are open now.
    #[must_use]
    pub fn open_sockets_of(&self, host: IpAddr) -> usize {
        let state = self.lock();
        state.sockets.values().filter(|s| s.host == host).count()
    }

    /// What became of the datagrams so far.
    #[must_use]
    pub fn statistics(&self) -> NetworkStatistics {
        self.lock().statistics
    }

    /// Sockets that are open now.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.lock().sockets.len()
    }

    /// Puts a datagram into the network as if `source` had sent it; nothing happens to it on the
    /// way. For hostile input.
    pub fn inject(&self, source: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.lock();
        let arrival = state.now;
        state.enqueue(arrival, source, Target::Address(to), bytes.to_vec());
    }

    /// Opens a socket on a host.
    pub(super) fn open(&self, host: IpAddr, spec: &TransportSpec) -> io::Result<OpenSocket> {
        self.lock().open(host, spec)
    }

    /// Closes a socket.
    pub(super) fn close(&self, id: usize) {
        self.lock().close(id);
    }

    /// Sends datagrams in order until one is refused; returns how many were taken.
    pub(super) fn send(
        &self,
        host: IpAddr,
        source: SocketAddr,
        to: SocketAddr,
        datagrams: &[&[u8]],
    ) -> usize {
        let mut state = self.lock();
        let taken = datagrams
            .iter()
            .take_while(|bytes| state.send(host, source, to, bytes));
        taken.count()
    }

    /// What is first in the receive buffer of a socket; with `joins` it may be several datagrams.
    pub(super) fn receive(&self, id: usize, joins: bool) -> Option<Received> {
        self.lock().receive(id, joins)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
