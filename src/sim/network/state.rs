//! Sockets, and what is under way between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::nat::Translations;
use super::{DEFAULT_BUFFER_LENGTH, LinkFaults, NetworkStatistics};
use crate::base::{Nanos, Rng};
use crate::port::TransportSpec;
use crate::sim::tap::{Fate, Tap, TapVerdict};

/// First port handed out for a bind to port 0.
const FIRST_EPHEMERAL_PORT: u16 = 32_768;
/// Bytes and datagrams that Linux puts together at most (`UDP_GRO`).
const JOINED_LENGTH_MAX: usize = 65_535;
const JOINED_COUNT_MAX: u64 = 64;
/// Longest piece of garbage that stands in for a damaged datagram.
const GARBAGE_LENGTH_MAX: u64 = 128;

/// Everything there is on a network.
#[derive(Debug)]
pub(super) struct State {
    rng: Rng,
    pub(super) now: Nanos,
    next_order: u64,
    next_socket: usize,
    next_port: u16,
    pub(super) sockets: BTreeMap<usize, SimSocket>,
    pub(super) bound: BTreeMap<SocketAddr, usize>,
    groups: BTreeMap<SocketAddr, Vec<usize>>,
    in_flight: BTreeMap<(i64, u64), InFlight>,
    pub(super) default_faults: LinkFaults,
    pub(super) links: BTreeMap<(IpAddr, IpAddr), LinkFaults>,
    /// What links remember of what they carried.
    pub(super) lines: BTreeMap<(IpAddr, IpAddr), Line>,
    pub(super) blocked: BTreeSet<SocketAddr>,
    pub(super) translations: Translations,
    pub(super) statistics: NetworkStatistics,
    pub(super) tap: Option<Box<dyn Tap>>,
    /// Bytes that a datagram in a receive buffer takes beside its own.
    pub(super) overhead: usize,
}

/// What a link in one direction remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Line {
    /// Datagrams of a burst that are still to be lost.
    burst_left: u64,
    /// When what waits will have been carried.
    busy_until: i64,
}

/// A socket, and what it has received.
#[derive(Debug)]
pub(super) struct SimSocket {
    pub(super) host: IpAddr,
    inbox: VecDeque<(SocketAddr, Vec<u8>)>,
    /// What they take of the receive buffer.
    inbox_room: usize,
    inbox_room_max: usize,
    /// How many datagrams wait, for its owner to see without a lock.
    pub(super) waiting: Arc<AtomicUsize>,
}

impl SimSocket {
    fn push(&mut self, source: SocketAddr, bytes: Vec<u8>, room: usize) {
        self.inbox_room += room;
        self.inbox.push_back((source, bytes));
        self.note_waiting();
    }

    /// Takes out the next datagram, and up to `count_max` in all that a kernel could have put
    /// together with it: of the same sender and length, but for a shorter one at the end.
    fn pop(&mut self, count_max: u64, room: impl Fn(usize) -> usize) -> Option<Received> {
        let (source, mut bytes) = self.inbox.pop_front()?;
        self.inbox_room -= room(bytes.len());
        let segment_length = bytes.len().max(1);
        for _ in 1..count_max {
            let is_next = |(from, next): &mut (SocketAddr, Vec<u8>)| {
                *from == source
                    && (1..=segment_length).contains(&next.len())
                    && bytes.len() + next.len() <= JOINED_LENGTH_MAX
            };
            let Some((_, next)) = self.inbox.pop_front_if(is_next) else {
                break;
            };
            self.inbox_room -= room(next.len());
            bytes.extend_from_slice(&next);
            if next.len() < segment_length {
                break;
            }
        }
        self.note_waiting();
        Some(Received {
            source,
            bytes,
            segment_length,
        })
    }

    fn note_waiting(&self) {
        // Relaxed: what waits is only touched under the lock.
        self.waiting.store(self.inbox.len(), Ordering::Relaxed);
    }
}

/// One datagram, or several of one sender together.
#[derive(Debug)]
pub(in crate::sim) struct Received {
    pub(in crate::sim) source: SocketAddr,
    pub(in crate::sim) bytes: Vec<u8>,
    /// Bytes of each but the last, which may be shorter.
    pub(in crate::sim) segment_length: usize,
}

/// What its owner knows of a socket.
#[derive(Debug)]
pub(in crate::sim) struct OpenSocket {
    pub(in crate::sim) id: usize,
    pub(in crate::sim) address: SocketAddr,
    /// How many datagrams wait.
    pub(in crate::sim) waiting: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct InFlight {
    source: SocketAddr,
    to: Target,
    bytes: Vec<u8>,
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Address(SocketAddr),
    Socket(usize),
}

/// The way of a datagram.
struct Route {
    line: (IpAddr, IpAddr),
    faults: LinkFaults,
    source: SocketAddr,
    to: SocketAddr,
    target: Target,
}

/// What a datagram takes of a receive buffer of the length that was asked for. Linux, which counts
/// what it needs itself, grants twice as much.
const fn room_of(length: usize, overhead: usize) -> usize {
    if overhead == 0 {
        length
    } else {
        (length + overhead) / 2
    }
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
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
            lines: BTreeMap::new(),
            blocked: BTreeSet::new(),
            translations: Translations::default(),
            statistics: NetworkStatistics::default(),
            tap: None,
            overhead: 0,
        }
    }

    /// Moves the clock on and delivers what has arrived by then.
    pub(super) fn advance(&mut self, now: Nanos) {
        self.now = now;
        while let Some(first) = self.in_flight.first_entry()
            && first.key().0 <= now.get()
        {
            let datagram = first.remove();
            self.deliver(datagram);
        }
    }

    pub(super) fn next_arrival(&self) -> Option<Nanos> {
        let first = self.in_flight.first_key_value();
        first.map(|(key, _)| Nanos(key.0))
    }

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
    pub(super) fn send(
        &mut self,
        host: IpAddr,
        source: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        if to.ip().is_multicast() {
            let members = self.groups.get(&to).cloned().unwrap_or_default();
            for member in members {
                let Some(peer) = self.sockets.get(&member).map(|s| s.host) else {
                    continue;
                };
                let route = Route {
                    line: (host, peer),
                    faults: self.faults(host, peer),
                    source,
                    to,
                    target: Target::Socket(member),
                };
                self.transmit(&route, bytes);
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
        let route = Route {
            line: (host, to.ip()),
            faults,
            source,
            to,
            target: Target::Address(to),
        };
        self.transmit(&route, bytes);
        true
    }

    fn transmit(&mut self, route: &Route, bytes: &[u8]) {
        self.statistics.sent += 1;
        let fate = self.draw_fate(route, bytes.len());
        let verdict = self.pass_tap(route.source, route.to, bytes, fate);
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
            self.enqueue_late(route, bytes.clone());
        }
        self.enqueue_late(route, bytes);
    }

    fn draw_fate(&mut self, route: &Route, length: usize) -> Fate {
        let faults = &route.faults;
        if faults.is_partitioned || self.is_in_burst(route) || self.is_clogged(route, length) {
            return Fate::Lost;
        }
        if self.happens(faults.loss_ppm) {
            Fate::Lost
        } else if self.happens(faults.corrupt_ppm) {
            Fate::Damaged
        } else if self.happens(faults.duplicate_ppm) {
            Fate::Doubled
        } else {
            Fate::Sent
        }
    }

    /// Whether the datagram is one of a run that is lost.
    fn is_in_burst(&mut self, route: &Route) -> bool {
        if route.faults.burst_ppm == 0 {
            return false;
        }
        let left = self.lines.entry(route.line).or_default().burst_left;
        let left = if left > 0 {
            left
        } else if self.happens(route.faults.burst_ppm) {
            1 + self.rng.below(u64::from(route.faults.burst_length.max(1)))
        } else {
            return false;
        };
        self.lines.entry(route.line).or_default().burst_left = left - 1;
        true
    }

    /// Whether there is no room for the datagram before a link that carries no more. If there is,
    /// it takes its place.
    fn is_clogged(&mut self, route: &Route, length: usize) -> bool {
        let rate = i64::from(route.faults.rate_bytes_per_ms);
        if rate == 0 {
            return false;
        }
        let takes = |bytes: i64| bytes * 1_000_000 / rate;
        let now = self.now.get();
        let line = self.lines.entry(route.line).or_default();
        let begins = line.busy_until.max(now);
        if begins - now > takes(i64::from(route.faults.queue_bytes)) {
            return true;
        }
        line.busy_until = begins + takes(i64::try_from(length).unwrap_or(0)).max(1);
        false
    }

    /// Puts a datagram on its way, for as long as the link takes.
    fn enqueue_late(&mut self, route: &Route, bytes: Vec<u8>) {
        let faults = &route.faults;
        let mut delay = faults.delay_ns + self.up_to(faults.jitter_ns);
        if self.happens(faults.reorder_ppm) {
            delay += self.up_to(faults.reorder_ns);
        }
        let mut begins = self.now;
        if faults.rate_bytes_per_ms > 0 {
            let line = self.lines.entry(route.line).or_default();
            begins = Nanos(line.busy_until.max(begins.get()));
        }
        let source = self.translations.public(route.source);
        self.enqueue(begins.plus_ns(delay), source, route.target, bytes);
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

    pub(super) fn enqueue(
        &mut self,
        arrival: Nanos,
        source: SocketAddr,
        to: Target,
        bytes: Vec<u8>,
    ) {
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
        let room = room_of(datagram.bytes.len(), self.overhead);
        match socket {
            Some(socket) if socket.inbox_room + room <= socket.inbox_room_max => {
                socket.push(datagram.source, datagram.bytes, room);
                self.statistics.delivered += 1;
            }
            Some(_) | None => self.statistics.dropped_at_receiver += 1,
        }
    }

    fn socket_at(&self, address: SocketAddr) -> Option<usize> {
        let own = self.translations.own(address)?;
        self.bound.get(&own).copied()
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

    pub(super) fn open(&mut self, host: IpAddr, spec: &TransportSpec) -> io::Result<OpenSocket> {
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
        let inbox_room_max = match spec.socket_rcvbuf_length {
            0 => DEFAULT_BUFFER_LENGTH,
            length => length,
        };
        let socket = SimSocket {
            host,
            inbox: VecDeque::new(),
            inbox_room: 0,
            inbox_room_max,
            waiting: Arc::default(),
        };
        let opened = OpenSocket {
            id,
            address,
            waiting: Arc::clone(&socket.waiting),
        };
        self.sockets.insert(id, socket);
        Ok(opened)
    }

    /// Takes out of a socket what waits there first; with `joins` it may be several datagrams.
    pub(super) fn receive(&mut self, id: usize, joins: bool) -> Option<Received> {
        let socket = self.sockets.get_mut(&id)?;
        let count_max = if joins && socket.inbox.len() > 1 {
            1 + self.rng.below(JOINED_COUNT_MAX)
        } else {
            1
        };
        let overhead = self.overhead;
        socket.pop(count_max, |length| room_of(length, overhead))
    }

    pub(super) fn close(&mut self, id: usize) {
        self.sockets.remove(&id);
        let translations = &mut self.translations;
        self.bound.retain(|address, bound| {
            if *bound == id {
                translations.forget(*address);
            }
            *bound != id
        });
        for members in self.groups.values_mut() {
            members.retain(|member| *member != id);
        }
    }

    /// Gives all sockets of a host that chose no port themselves another address to be seen by.
    pub(super) fn rebind(&mut self, host: IpAddr) {
        let of_host =
            |address: &&SocketAddr| address.ip() == host && address.port() >= FIRST_EPHEMERAL_PORT;
        for address in self.bound.keys().filter(of_host) {
            self.translations.renew(*address);
        }
    }
}
