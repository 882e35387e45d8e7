//! Hosts and sockets of a simulated network: the ports of the driver.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::network::{DEFAULT_BUFFER_LENGTH, OpenSocket, SimNetwork};
use crate::port::{
    AlwaysReady, Arrivals, BufferLimits, Datagram, InterfaceAddress, InterfaceQuery,
    InterfaceSelector, Interfaces, Network, Transport, TransportRole, TransportSpec, deliver,
};

/// A host on a [`SimNetwork`]: opens sockets there.
///
/// ```
/// use aileron::port::Network;
/// use aileron::sim::SimNetwork;
/// let host = SimNetwork::new(1).host("10.0.0.1".parse().unwrap());
/// assert!(host.buffer_limits().default_rcvbuf > 0);
/// ```
#[derive(Clone, Debug)]
pub struct SimHost {
    network: SimNetwork,
    addresses: Vec<IpAddr>,
}

impl SimHost {
    pub(super) const fn new(network: SimNetwork, addresses: Vec<IpAddr>) -> Self {
        Self { network, addresses }
    }

    /// The host's address of a family.
    fn address(&self, is_ipv6: bool) -> Option<IpAddr> {
        let of_family = |address: &&IpAddr| address.is_ipv6() == is_ipv6;
        self.addresses.iter().find(of_family).copied()
    }
}

impl Network for SimHost {
    type Transport = SimTransport;

    fn open(&mut self, spec: &TransportSpec) -> io::Result<SimTransport> {
        let Some(host) = self.address(spec.bind.is_ipv6()) else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        // As with a kernel, nobody listens at somebody else's address.
        let bind = spec.bind.ip();
        let is_own = bind.is_unspecified() || self.addresses.contains(&bind);
        if !is_own && spec.multicast.is_none() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let OpenSocket {
            id,
            address,
            waiting,
        } = self.network.open(host, spec)?;
        Ok(SimTransport {
            network: self.network.clone(),
            host,
            id,
            local_address: address,
            waiting,
            peer: spec.connect,
            accepts_only_peer: spec.role == TransportRole::Send && spec.multicast.is_none(),
            batch: spec.receive_batch.max(1),
            joins: spec.segment_offload && spec.role == TransportRole::Receive,
        })
    }

    fn buffer_limits(&self) -> BufferLimits {
        BufferLimits {
            default_sndbuf: DEFAULT_BUFFER_LENGTH,
            max_sndbuf: DEFAULT_BUFFER_LENGTH * 20,
            default_rcvbuf: DEFAULT_BUFFER_LENGTH,
            max_rcvbuf: DEFAULT_BUFFER_LENGTH * 20,
        }
    }
}

impl Interfaces for SimHost {
    fn find(&self, query: &InterfaceQuery) -> io::Result<InterfaceAddress> {
        let found = self
            .address(query.ipv6)
            .filter(|own| match &query.selector {
                InterfaceSelector::Name(name) => name == "sim0",
                InterfaceSelector::Address { address, .. } => {
                    address.is_unspecified() || address == own
                }
            });
        let Some(address) = found else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("the only interface is sim0={:?}", self.addresses),
            ));
        };
        Ok(InterfaceAddress {
            address,
            index: 1,
            name: "sim0".to_owned(),
        })
    }
}

/// A socket on a [`SimNetwork`]; closed when dropped.
///
/// ```
/// use aileron::port::{BusyPoll, Network, Transport, TransportRole, TransportSpec};
/// use aileron::sim::SimNetwork;
/// let mut host = SimNetwork::new(1).host("10.0.0.1".parse().unwrap());
/// let spec = TransportSpec {
///     role: TransportRole::Receive,
///     bind: "10.0.0.1:4000".parse().unwrap(),
///     connect: None,
///     multicast: None,
///     socket_sndbuf_length: 0,
///     socket_rcvbuf_length: 0,
///     media_timestamps: false,
///     receive_batch: 4,
///     segment_offload: false,
///     busy_poll: BusyPoll::default(),
/// };
/// assert_eq!(host.open(&spec).unwrap().local_address(), spec.bind);
/// ```
#[derive(Debug)]
pub struct SimTransport {
    network: SimNetwork,
    host: IpAddr,
    id: usize,
    local_address: SocketAddr,
    waiting: Arc<AtomicUsize>,
    peer: Option<SocketAddr>,
    accepts_only_peer: bool,
    batch: usize,
    /// Whether datagrams of one length may be handed over together.
    joins: bool,
}

impl SimTransport {
    fn receive(&self, mut handler: impl FnMut(Datagram<'_>)) -> usize {
        let mut received = 0;
        for _ in 0..self.batch {
            // Relaxed: a look before the lock is taken.
            if self.waiting.load(Ordering::Relaxed) == 0 {
                break;
            }
            let Some(mut next) = self.network.receive(self.id, self.joins) else {
                break;
            };
            let source = next.source;
            if self.accepts_only_peer && self.peer.is_some_and(|peer| peer != source) {
                continue;
            }
            received += next.bytes.len();
            handler(Datagram {
                segment_length: next.segment_length,
                ..Datagram::whole(&mut next.bytes, source)
            });
        }
        received
    }
}

impl Transport for SimTransport {
    type Readiness = AlwaysReady;

    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize> {
        let to = to.or(self.peer).ok_or(io::ErrorKind::NotConnected)?;
        Ok(self
            .network
            .send(self.host, self.local_address, to, datagrams))
    }

    fn poll(&mut self, handler: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        Ok(self.receive(handler))
    }

    /// As a kernel would: into the room that there is.
    fn poll_into(&mut self, arrivals: &mut impl Arrivals) -> io::Result<usize> {
        Ok(self.receive(|datagram| deliver(arrivals, datagram)))
    }

    fn connect(&mut self, to: SocketAddr) -> io::Result<()> {
        self.peer = Some(to);
        Ok(())
    }

    fn local_address(&self) -> SocketAddr {
        self.local_address
    }
}

impl Drop for SimTransport {
    fn drop(&mut self) {
        self.network.close(self.id);
    }
}
