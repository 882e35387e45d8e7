//! A resolver that knows the drivers that announce themselves, and asks another one for the rest.
//!
//! It owns the socket on which drivers gossip and looks at it every 10 ms. Bootstrap neighbours are
//! looked up one per cycle, so that a slow look-up does not hold up the ones behind it together
//! with everything else that the resource agent does.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::gossip::{Gossip, GossipSpec, Refused, is_due};
use super::neighbors::NEIGHBORS_MAX;
use super::stopwatch::Stopwatch;
use crate::base::Nanos;
use crate::cnc::counter_labels::{
    bootstrap_neighbor_label, resolver_cache_entries_label, resolver_neighbors_label,
};
use crate::cnc::counter_types::{
    BootstrapNeighborKey, NAME_RESOLVER_BOOTSTRAP_TYPE_ID, NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID,
    NAME_RESOLVER_NEIGHBORS_TYPE_ID,
};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::{
    AtomicCounter, CounterSpec, CountersFull, CountersManager, CountersReader, EventKind,
    EventWriter,
};
use crate::driver::config::DriverConfig;
use crate::driver::errors::ErrorReporter;
use crate::driver::media::host_port::resolve_host_port;
use crate::port::{NameResolver, ResolveError, Tick, Transport};

/// Between looks at the socket.
const WORK_INTERVAL_NS: i64 = 10_000_000;
/// What a bootstrap neighbour is called in errors.
const BOOTSTRAP: &str = "aeron.driver.resolver.bootstrap.neighbor";

/// What a [`GossipResolver`] is built from.
pub(super) struct GossipParts<'a, T> {
    pub(super) config: &'a DriverConfig,
    pub(super) transport: T,
    pub(super) base: Box<dyn NameResolver>,
    pub(super) stopwatch: Stopwatch,
    pub(super) manager: &'a mut CountersManager,
    pub(super) system: SystemCounters,
    pub(super) errors: ErrorReporter,
    pub(super) tick: Tick,
    pub(super) events: EventWriter,
}

/// A driver that is known from the start.
struct Bootstrap {
    /// As configured.
    text: String,
    /// Where that is, if it resolved.
    address: Option<SocketAddr>,
    /// 1 while it is a neighbour.
    is_reachable: AtomicCounter,
}

/// See the module's documentation.
pub(super) struct GossipResolver<T> {
    gossip: Gossip,
    transport: T,
    base: Box<dyn NameResolver>,
    stopwatch: Stopwatch,
    bootstrap: Vec<Bootstrap>,
    /// Those to be looked up, in order.
    unresolved: VecDeque<usize>,
    bootstrap_interval_ns: i64,
    bootstrap_deadline: Nanos,
    work_deadline: Nanos,
    neighbors: AtomicCounter,
    cache_entries: AtomicCounter,
    counters: CountersReader,
    system: SystemCounters,
    errors: ErrorReporter,
    events: EventWriter,
    /// The drivers that were known when events were last written down.
    logged_neighbors: Vec<SocketAddr>,
}

impl<T: Transport> GossipResolver<T> {
    pub(super) fn new(parts: GossipParts<'_, T>) -> Result<Self, CountersFull> {
        let GossipParts {
            config,
            transport,
            base,
            stopwatch,
            manager,
            system,
            errors,
            events,
            tick,
        } = parts;
        let address = transport.local_address();
        let name = config.resolver_name.as_str();
        let spec = GossipSpec {
            name: Box::from(name.as_bytes()),
            address,
            timeout_ns: config.resolver_neighbor_timeout_ns,
            self_interval_ns: config.resolver_self_resolution_interval_ns,
            cache_interval_ns: config.resolver_neighbor_resolution_interval_ns,
            mtu_length: usize::try_from(config.mtu_length).unwrap_or_default(),
        };
        let mut allocate = |type_id, key: &[u8], label: String| {
            let spec = CounterSpec {
                type_id,
                key,
                label: &label,
                ..CounterSpec::default()
            };
            manager.allocate(&spec, tick.epoch)
        };
        let neighbors = allocate(
            NAME_RESOLVER_NEIGHBORS_TYPE_ID,
            &[],
            resolver_neighbors_label(address),
        )?;
        let cache_entries = allocate(
            NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID,
            &[],
            resolver_cache_entries_label(name),
        )?;
        let texts = config.resolver_bootstrap_neighbors.iter().enumerate();
        let bootstrap = texts
            .map(|(index, text)| {
                let key = BootstrapNeighborKey {
                    index: i32::try_from(index).unwrap_or(i32::MAX),
                };
                let label = bootstrap_neighbor_label(text, "");
                Ok(Bootstrap {
                    text: text.clone(),
                    address: None,
                    is_reachable: allocate(NAME_RESOLVER_BOOTSTRAP_TYPE_ID, &key.encode(), label)?,
                })
            })
            .collect::<Result<Vec<_>, CountersFull>>()?;
        let bootstrap_interval_ns = config.resolver_bootstrap_neighbor_resolution_interval_ns;
        Ok(Self {
            gossip: Gossip::new(spec, tick.now),
            transport,
            base,
            stopwatch,
            unresolved: (0..bootstrap.len()).collect(),
            bootstrap,
            bootstrap_interval_ns,
            bootstrap_deadline: tick.now.plus_ns(bootstrap_interval_ns),
            work_deadline: tick.now,
            neighbors,
            cache_entries,
            counters: manager.reader(),
            system,
            errors,
            events,
            logged_neighbors: Vec::new(),
        })
    }

    fn receive(&mut self, tick: Tick) -> usize {
        let Self {
            gossip,
            transport,
            system,
            errors,
            ..
        } = self;
        let mut is_full = false;
        let received = transport.poll(|mut datagram| {
            let source = datagram.source;
            for bytes in datagram.segments() {
                if let Err(refused) = gossip.on_datagram(bytes, source, tick.now) {
                    system.get(SystemCounter::InvalidPackets).add(1);
                    is_full |= refused == Refused::Full;
                }
            }
        });
        if is_full {
            let text = format!("resolver: no room for more than {NEIGHBORS_MAX} drivers");
            errors.report(tick.epoch, ErrorCode::GenericError, &text);
        }
        received.unwrap_or_else(|error| {
            let text = format!("resolver: cannot receive: {error}");
            errors.report(tick.epoch, ErrorCode::GenericError, &text);
            0
        })
    }

    /// Tells others what is due.
    fn announce(&mut self, tick: Tick) -> usize {
        let Self {
            gossip,
            transport,
            system,
            errors,
            bootstrap,
            ..
        } = self;
        let mut sent = 0;
        let mut send = |to: SocketAddr, frame: &[u8]| {
            sent += 1;
            send_frame(transport, to, frame, system, errors, tick);
        };
        if gossip.is_self_due(tick.now) {
            let addresses: Vec<_> = bootstrap.iter().filter_map(|one| one.address).collect();
            gossip.announce_self(&addresses, &mut send);
            for one in bootstrap {
                let is_reachable = one.address.is_some_and(|at| gossip.is_neighbor(at));
                one.is_reachable.set(i64::from(is_reachable));
            }
        }
        gossip.announce_cache(tick.now, &mut send);
        sent
    }

    /// Looks up the next bootstrap neighbour that has to be.
    fn resolve_bootstrap(&mut self, tick: Tick) -> usize {
        let interval_ns = self.bootstrap_interval_ns;
        if is_due(&mut self.bootstrap_deadline, tick.now, interval_ns) {
            let Self {
                bootstrap, gossip, ..
            } = self;
            let is_absent = |one: &Bootstrap| !one.address.is_some_and(|at| gossip.is_neighbor(at));
            let absent = bootstrap
                .iter()
                .enumerate()
                .filter(|(_, one)| is_absent(one));
            self.unresolved = absent.map(|(index, _)| index).collect();
        }
        let Some(index) = self.unresolved.pop_front() else {
            return 0;
        };
        let Self {
            bootstrap,
            stopwatch,
            base,
            ..
        } = self;
        let one = &mut bootstrap[index];
        let is_re_resolution = one.address.is_some();
        let found = stopwatch
            .measure(|| resolve_host_port(&one.text, BOOTSTRAP, base.as_mut(), is_re_resolution));
        let address = match found {
            Ok(address) => Some(address),
            Err(error) => {
                self.errors.report(tick.epoch, error.code, &error.text);
                None
            }
        };
        if one.address != address {
            one.address = address;
            let resolved = address.map_or_else(String::new, |found| found.to_string());
            let label = bootstrap_neighbor_label(&one.text, resolved);
            self.counters.replace_label(one.is_reachable.id(), &label);
            self.introduce(address, tick);
        }
        1
    }

    /// A bootstrap neighbour that was just found does not wait for the next announcement.
    fn introduce(&mut self, address: Option<SocketAddr>, tick: Tick) {
        let Self {
            gossip,
            transport,
            system,
            errors,
            ..
        } = self;
        let Some(address) = address else { return };
        gossip.announce_to(address, &mut |to, frame| {
            send_frame(transport, to, frame, system, errors, tick);
        });
    }

    /// Writes down who came and who went since the last time.
    fn log_neighbors(&mut self, tick: Tick) {
        let Self {
            gossip,
            events,
            logged_neighbors,
            ..
        } = self;
        logged_neighbors.retain(|address| {
            let stays = gossip.is_neighbor(*address);
            if !stays {
                let kind = EventKind::NameResolutionNeighborRemoved;
                events.emit(tick.now, kind, &[], &address.to_string());
            }
            stays
        });
        for address in gossip.neighbors() {
            if !logged_neighbors.contains(&address) {
                let kind = EventKind::NameResolutionNeighborAdded;
                events.emit(tick.now, kind, &[], &address.to_string());
                logged_neighbors.push(address);
            }
        }
    }

    fn publish_counts(&self) {
        let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
        self.neighbors.set(count(self.gossip.neighbor_count()));
        self.cache_entries
            .set(count(self.gossip.cache_entry_count()));
    }
}

impl<T: Transport> NameResolver for GossipResolver<T> {
    fn resolve(&mut self, host: &str, is_re_resolution: bool) -> Result<IpAddr, ResolveError> {
        match self.gossip.resolve(host) {
            Some(address) => Ok(address),
            None => self.base.resolve(host, is_re_resolution),
        }
    }

    fn lookup(&mut self, endpoint: &str) -> Option<String> {
        self.base.lookup(endpoint)
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        let mut work = self.base.do_work(tick);
        if !is_due(&mut self.work_deadline, tick.now, WORK_INTERVAL_NS) {
            return work;
        }
        work += self.receive(tick);
        work += self.gossip.expire(tick.now);
        self.publish_counts();
        if self.events.is_on() {
            self.log_neighbors(tick);
        }
        work += self.announce(tick);
        work += self.resolve_bootstrap(tick);
        work
    }
}

fn send_frame<T: Transport>(
    transport: &mut T,
    to: SocketAddr,
    frame: &[u8],
    system: &SystemCounters,
    errors: &ErrorReporter,
    tick: Tick,
) {
    match transport.send(Some(to), &[frame]) {
        Ok(0) => drop(system.get(SystemCounter::ShortSends).add(1)),
        Ok(_) => {}
        Err(error) => {
            let text = format!("resolver: cannot send to {to}: {error}");
            errors.report(tick.epoch, ErrorCode::GenericError, &text);
        }
    }
}
