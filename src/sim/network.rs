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

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::tap::{Fate, Tap, TapVerdict};
use crate::base::{Nanos, Rng};
use crate::port::{
    BufferLimits, Datagram, InterfaceAddress, InterfaceQuery, InterfaceSelector, Interfaces,
    Network, Transport, TransportRole, TransportSpec,
};

/// First port handed out for a bind to port 0.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;
/// Receive buffer of a socket that asked for none, in bytes.
const DEFAULT_BUFFER_LENGTH: usize = 212_992;
/// Longest piece of garbage that stands in for a damaged datagram.
const GARBAGE_LENGTH_MAX: u64 = 128;

/// How a link between two hosts misbehaves. Probabilities are per million datagrams.
///
/// ```
/// use aileron::sim::LinkFaults;
/// let lossy = LinkFaults { loss_ppm: 50_000, ..LinkFaults::default() };
/// assert!(!lossy.is_partitioned);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by name in tests; a new fault is a new field"
)]
pub struct LinkFaults {
    /// Lost on the way.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Held back by up to `reorder_ns` more than the others.
    pub reorder_ppm: u32,
    /// Longest extra delay of a held-back datagram.
    pub reorder_ns: i64,
    /// Damaged: dropped, or replaced by garbage.
    pub corrupt_ppm: u32,
    /// Refused by the sending socket, as when its buffer is full.
    pub refuse_ppm: u32,
    /// Delay of every datagram.
    pub delay_ns: i64,
    /// Random extra delay of every datagram, up to this much; may reorder.
    pub jitter_ns: i64,
    /// Nothing gets through.
    pub is_partitioned: bool,
}

impl Default for LinkFaults {
    /// A perfect link with 20 µs of delay.
    fn default() -> Self {
        Self {
            loss_ppm: 0,
            duplicate_ppm: 0,
            reorder_ppm: 0,
            reorder_ns: 0,
            corrupt_ppm: 0,
            refuse_ppm: 0,
            delay_ns: 20_000,
            jitter_ns: 0,
            is_partitioned: false,
        }
    }
}

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

#[derive(Debug)]
struct State {
    rng: Rng,
    now: Nanos,
    next_order: u64,
    next_socket: usize,
    next_port: u16,
    sockets: BTreeMap<usize, SimSocket>,
    bound: BTreeMap<SocketAddr, usize>,
    groups: BTreeMap<SocketAddr, Vec<usize>>,
    in_flight: BTreeMap<(i64, u64), InFlight>,
    default_faults: LinkFaults,
    links: BTreeMap<(IpAddr, IpAddr), LinkFaults>,
    statistics: NetworkStatistics,
    tap: Option<Box<dyn Tap>>,
}

#[derive(Debug)]
struct SimSocket {
    host: IpAddr,
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    inbox_bytes: usize,
    inbox_bytes_max: usize,
}

#[derive(Debug)]
struct InFlight {
    source: SocketAddr,
    to: Target,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Address(SocketAddr),
    Socket(usize),
}

impl SimNetwork {
    /// A perfect network whose later faults follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            rng: Rng::new(seed),
            now: Nanos(0),
            next_order: 0,
            next_socket: 0,
            next_port: FIRST_EPHEMERAL_PORT,
            sockets: BTreeMap::new(),
            bound: BTreeMap::new(),
            groups: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            default_faults: LinkFaults::default(),
            links: BTreeMap::new(),
            statistics: NetworkStatistics::default(),
            tap: None,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The network as one host sees it.
    #[must_use]
    pub fn host(&self, address: IpAddr) -> SimHost {
        SimHost {
            network: self.clone(),
            addresses: vec![address],
        }
    }

    /// The network as a host with several addresses sees it; at most one of each family is used.
    #[must_use]
    pub fn host_of(&self, addresses: &[IpAddr]) -> SimHost {
        SimHost {
            network: self.clone(),
            addresses: addresses.to_vec(),
        }
    }

    /// Moves the clock on and delivers what has arrived by then.
    pub fn advance(&self, now: Nanos) {
        let mut state = self.lock();
        state.now = now;
        while let Some((&key, _)) = state.in_flight.first_key_value()
            && key.0 <= now.get()
        {
            let Some(datagram) = state.in_flight.remove(&key) else {
                break;
            };
            state.deliver(datagram);
        }
    }

    /// When the next datagram arrives, if any is under way.
    #[must_use]
    pub fn next_arrival(&self) -> Option<Nanos> {
        self.lock()
            .in_flight
            .first_key_value()
            .map(|(key, _)| Nanos(key.0))
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn faults(&self, from: IpAddr, to: IpAddr) -> LinkFaults {
        self.links
            .get(&(from, to))
            .copied()
            .unwrap_or(self.default_faults)
    }

    fn happens(&mut self, ppm: u32) -> bool {
        ppm > 0 && self.rng.chance(u64::from(ppm), 1_000_000)
    }

    fn random_byte(&mut self) -> u8 {
        self.rng.next_u64().to_le_bytes()[0]
    }

    fn up_to(&mut self, bound_ns: i64) -> i64 {
        let bound = u64::try_from(bound_ns).unwrap_or(0);
        i64::try_from(self.rng.below(bound.saturating_add(1))).unwrap_or(0)
    }

    /// Shows the datagram to the tap, if there is one.
    fn pass_tap(
        &mut self,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
        fate: Fate,
    ) -> TapVerdict {
        match &mut self.tap {
            Some(tap) => tap.on_send(source, to, bytes, fate),
            None => TapVerdict::Pass,
        }
    }

    /// Whether the sending socket took the datagram.
    fn send(&mut self, host: IpAddr, source: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        if to.ip().is_multicast() {
            let members = self.groups.get(&to).cloned().unwrap_or_default();
            for member in members {
                let Some(peer) = self.sockets.get(&member).map(|s| s.host) else {
                    continue;
                };
                let faults = self.faults(host, peer);
                self.transmit(faults, source, to, Target::Socket(member), bytes);
            }
            return true;
        }
        let faults = self.faults(host, to.ip());
        if self.happens(faults.refuse_ppm) {
            self.statistics.refused += 1;
            self.pass_tap(source, to, bytes, Fate::Refused);
            return false;
        }
        self.transmit(faults, source, to, Target::Address(to), bytes);
        true
    }

    fn transmit(
        &mut self,
        faults: LinkFaults,
        source: SocketAddr,
        to: SocketAddr,
        target: Target,
        bytes: &[u8],
    ) {
        self.statistics.sent += 1;
        let fate = self.draw_fate(faults);
        let verdict = self.pass_tap(source, to, bytes, fate);
        if fate == Fate::Lost || verdict == TapVerdict::Drop {
            self.statistics.lost += 1;
            return;
        }
        let mut bytes = bytes.to_vec();
        if let TapVerdict::Flip(at) = verdict {
            bytes[at] ^= 1;
        }
        if fate == Fate::Damaged {
            self.statistics.corrupted += 1;
            match self.damage(&bytes) {
                Some(garbage) => bytes = garbage,
                None => return,
            }
        }
        if fate == Fate::Doubled {
            self.statistics.duplicated += 1;
            self.enqueue_late(faults, source, target, bytes.clone());
        }
        self.enqueue_late(faults, source, target, bytes);
    }

    fn draw_fate(&mut self, faults: LinkFaults) -> Fate {
        if faults.is_partitioned || self.happens(faults.loss_ppm) {
            Fate::Lost
        } else if self.happens(faults.corrupt_ppm) {
            Fate::Damaged
        } else if self.happens(faults.duplicate_ppm) {
            Fate::Doubled
        } else {
            Fate::Sent
        }
    }

    /// Puts a datagram on its way, for as long as the link takes.
    fn enqueue_late(&mut self, faults: LinkFaults, source: SocketAddr, to: Target, bytes: Vec<u8>) {
        let mut delay = faults.delay_ns + self.up_to(faults.jitter_ns);
        if self.happens(faults.reorder_ppm) {
            delay += self.up_to(faults.reorder_ns);
        }
        let arrival = self.now.plus_ns(delay);
        self.enqueue(arrival, source, to, bytes);
    }

    /// What arrives in place of a damaged datagram, if anything.
    fn damage(&mut self, original: &[u8]) -> Option<Vec<u8>> {
        match self.rng.below(4) {
            0 => {
                // A begin of the datagram that cannot be a whole one.
                let length = self.rng.below(original.len() as u64);
                let length = usize::try_from(length).unwrap_or(0);
                let cut = if length % 32 == 0 {
                    length.saturating_sub(1)
                } else {
                    length
                };
                Some(original[..cut.min(original.len())].to_vec())
            }
            1 => {
                // Another version of the protocol.
                let mut other = original.to_vec();
                let version = other.get_mut(4)?;
                *version = version.wrapping_add(1 + self.random_byte() % 64);
                Some(other)
            }
            2 => {
                // Noise of a type that nobody sends.
                let length = 8 + self.rng.below(GARBAGE_LENGTH_MAX);
                let mut noise: Vec<u8> = (0..length).map(|_| self.random_byte()).collect();
                noise[6] = 0x40 | (noise[6] & 0x3F);
                Some(noise)
            }
            _ => None,
        }
    }

    fn enqueue(&mut self, arrival: Nanos, source: SocketAddr, to: Target, bytes: Vec<u8>) {
        let order = self.next_order;
        self.next_order += 1;
        self.in_flight
            .insert((arrival.get(), order), InFlight { source, to, bytes });
    }

    fn deliver(&mut self, datagram: InFlight) {
        let id = match datagram.to {
            Target::Socket(id) => Some(id),
            Target::Address(address) => self.socket_at(address),
        };
        let socket = id.and_then(|id| self.sockets.get_mut(&id));
        match socket {
            Some(socket) if socket.inbox_bytes + datagram.bytes.len() <= socket.inbox_bytes_max => {
                socket.inbox_bytes += datagram.bytes.len();
                socket.inbox.push_back((datagram.source, datagram.bytes));
                self.statistics.delivered += 1;
            }
            Some(_) | None => self.statistics.dropped_at_receiver += 1,
        }
    }

    fn socket_at(&self, address: SocketAddr) -> Option<usize> {
        self.bound.get(&address).copied()
    }

    fn bind(&mut self, host: IpAddr, mut address: SocketAddr) -> io::Result<SocketAddr> {
        if address.ip().is_unspecified() {
            address.set_ip(host);
        }
        if address.port() == 0 {
            loop {
                address.set_port(self.next_port);
                self.next_port = self
                    .next_port
                    .checked_add(1)
                    .unwrap_or(FIRST_EPHEMERAL_PORT);
                if !self.bound.contains_key(&address) {
                    break;
                }
            }
        }
        if self.bound.contains_key(&address) {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("cannot bind {address}: address in use"),
            ));
        }
        Ok(address)
    }

    fn open(&mut self, host: IpAddr, spec: &TransportSpec) -> io::Result<(usize, SocketAddr)> {
        let id = self.next_socket;
        let group = spec.multicast.map(|m| m.group);
        let wanted = if group.is_some() {
            SocketAddr::new(host, 0)
        } else {
            spec.bind
        };
        let address = self.bind(host, wanted)?;
        self.next_socket += 1;
        self.bound.insert(address, id);
        if let Some(group) = group {
            self.groups.entry(group).or_default().push(id);
        }
        let inbox_bytes_max = match spec.socket_rcvbuf_length {
            0 => DEFAULT_BUFFER_LENGTH,
            length => length,
        };
        let socket = SimSocket {
            host,
            inbox: VecDeque::new(),
            inbox_bytes: 0,
            inbox_bytes_max,
        };
        self.sockets.insert(id, socket);
        Ok((id, address))
    }

    fn close(&mut self, id: usize) {
        self.sockets.remove(&id);
        self.bound.retain(|_, bound| *bound != id);
        for members in self.groups.values_mut() {
            members.retain(|member| *member != id);
        }
    }
}

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
        let (id, local_address) = self.network.lock().open(host, spec)?;
        Ok(SimTransport {
            network: self.network.clone(),
            host,
            id,
            local_address,
            peer: spec.connect,
            accepts_only_peer: spec.role == TransportRole::Send && spec.multicast.is_none(),
            batch: spec.receive_batch.max(1),
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
/// use aileron::port::{Network, Transport, TransportRole, TransportSpec};
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
/// };
/// assert_eq!(host.open(&spec).unwrap().local_address(), spec.bind);
/// ```
#[derive(Debug)]
pub struct SimTransport {
    network: SimNetwork,
    host: IpAddr,
    id: usize,
    local_address: SocketAddr,
    peer: Option<SocketAddr>,
    accepts_only_peer: bool,
    batch: usize,
}

impl Transport for SimTransport {
    fn send(&mut self, to: Option<SocketAddr>, datagrams: &[&[u8]]) -> io::Result<usize> {
        let to = to.or(self.peer).ok_or(io::ErrorKind::NotConnected)?;
        let mut state = self.network.lock();
        let taken = datagrams
            .iter()
            .take_while(|bytes| state.send(self.host, self.local_address, to, bytes))
            .count();
        Ok(taken)
    }

    fn poll(&mut self, mut handler: impl FnMut(Datagram<'_>)) -> io::Result<usize> {
        let mut received = 0;
        for _ in 0..self.batch {
            let next = {
                let mut state = self.network.lock();
                let Some(socket) = state.sockets.get_mut(&self.id) else {
                    break;
                };
                let Some((source, bytes)) = socket.inbox.pop_front() else {
                    break;
                };
                socket.inbox_bytes -= bytes.len();
                (source, bytes)
            };
            let (source, mut bytes) = next;
            if self.accepts_only_peer && self.peer.is_some_and(|peer| peer != source) {
                continue;
            }
            received += bytes.len();
            handler(Datagram {
                bytes: &mut bytes,
                source,
                media_timestamp_ns: None,
            });
        }
        Ok(received)
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
        self.network.lock().close(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(network: &SimNetwork) -> (SimTransport, SimTransport) {
        let spec = |role, bind: &str, connect: Option<&str>| TransportSpec {
            role,
            bind: bind.parse().expect("an address"),
            connect: connect.map(|c| c.parse().expect("an address")),
            multicast: None,
            socket_sndbuf_length: 0,
            socket_rcvbuf_length: 0,
            media_timestamps: false,
            receive_batch: 16,
        };
        let mut a = network.host(IpAddr::from([10, 0, 0, 1]));
        let mut b = network.host(IpAddr::from([10, 0, 0, 2]));
        let receiver = b.open(&spec(TransportRole::Receive, "10.0.0.2:4000", None));
        let sender = a.open(&spec(
            TransportRole::Send,
            "0.0.0.0:0",
            Some("10.0.0.2:4000"),
        ));
        (sender.expect("opened"), receiver.expect("opened"))
    }

    fn drain(transport: &mut SimTransport) -> Vec<Vec<u8>> {
        let mut got = Vec::new();
        while transport
            .poll(|d| got.push(d.bytes.to_vec()))
            .expect("polled")
            > 0
        {}
        got
    }

    #[test]
    fn datagrams_arrive_after_their_delay_and_in_order() {
        let network = SimNetwork::new(1);
        let (mut sender, mut receiver) = pair(&network);
        assert_eq!(sender.send(None, &[b"a", b"b"]).expect("sent"), 2);
        network.advance(Nanos(19_999));
        assert!(drain(&mut receiver).is_empty());
        network.advance(Nanos(20_000));
        assert_eq!(drain(&mut receiver), [b"a", b"b"]);
    }

    #[test]
    fn loss_takes_its_share_and_a_seed_repeats_itself() {
        let run = |seed| {
            let network = SimNetwork::new(seed);
            network.set_default_faults(LinkFaults {
                loss_ppm: 300_000,
                ..LinkFaults::default()
            });
            let (mut sender, mut receiver) = pair(&network);
            for i in 0..1000u32 {
                sender.send(None, &[&i.to_le_bytes()]).expect("sent");
            }
            network.advance(Nanos(1_000_000));
            drain(&mut receiver)
        };
        let first = run(5);
        assert!((600..800).contains(&first.len()), "{}", first.len());
        assert_eq!(first, run(5));
        assert_ne!(first, run(6));
    }

    #[test]
    fn a_partition_stops_everything_until_it_heals() {
        let network = SimNetwork::new(1);
        let (mut sender, mut receiver) = pair(&network);
        network.set_default_faults(LinkFaults {
            is_partitioned: true,
            ..LinkFaults::default()
        });
        sender.send(None, &[b"lost"]).expect("taken by the socket");
        network.heal();
        sender.send(None, &[b"found"]).expect("sent");
        network.advance(Nanos(1_000_000));
        assert_eq!(drain(&mut receiver), [b"found"]);
    }

    #[test]
    fn a_full_receive_buffer_drops_and_a_closed_socket_frees_its_port() {
        let network = SimNetwork::new(1);
        let (mut sender, receiver) = pair(&network);
        let big = vec![0u8; 60_000];
        for _ in 0..4 {
            sender.send(None, &[&big]).expect("sent");
        }
        network.advance(Nanos(1_000_000));
        assert_eq!(network.statistics().dropped_at_receiver, 1);
        drop(receiver);
        assert_eq!(network.open_sockets(), 1);
        let (_, again) = {
            drop(sender);
            pair(&network)
        };
        assert_eq!(again.local_address().port(), 4000);
    }
}
