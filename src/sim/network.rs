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

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::socket::SimHost;
use super::tap::{Fate, Tap, TapVerdict};
use crate::base::{Nanos, Rng};
use crate::port::TransportSpec;

/// First port handed out for a bind to port 0.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;
/// Receive buffer of a socket that asked for none, in bytes.
pub(super) const DEFAULT_BUFFER_LENGTH: usize = 212_992;
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
    blocked: BTreeSet<SocketAddr>,
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
            blocked: BTreeSet::new(),
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
        SimHost::new(self.clone(), vec![address])
    }

    /// The network as a host with several addresses sees it; at most one of each family is used.
    #[must_use]
    pub fn host_of(&self, addresses: &[IpAddr]) -> SimHost {
        SimHost::new(self.clone(), addresses.to_vec())
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

    /// Loses all that is sent to an address from now on, or does not any more. Healing leaves it.
    pub fn set_blocked(&self, address: SocketAddr, is_blocked: bool) {
        let mut state = self.lock();
        if is_blocked {
            state.blocked.insert(address);
        } else {
            state.blocked.remove(&address);
        }
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

    /// Opens a socket on a host; returns its number and what it is bound to.
    pub(super) fn open(
        &self,
        host: IpAddr,
        spec: &TransportSpec,
    ) -> io::Result<(usize, SocketAddr)> {
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

    /// The next datagram in the receive buffer of a socket, and who sent it.
    pub(super) fn receive(&self, id: usize) -> Option<(SocketAddr, Vec<u8>)> {
        let mut state = self.lock();
        let socket = state.sockets.get_mut(&id)?;
        let (source, bytes) = socket.inbox.pop_front()?;
        socket.inbox_bytes -= bytes.len();
        Some((source, bytes))
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
        let mut faults = self.faults(host, to.ip());
        faults.is_partitioned |= self.blocked.contains(&to);
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

#[cfg(test)]
mod tests;
