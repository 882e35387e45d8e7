//! How the driver turns host names into addresses (`driver.md` §15).
//!
//! ```text
//!   channel parsing, re-resolution
//!            │ resolve, lookup
//!            ▼
//!      TimedResolver ──▶ "NameResolver max time", "… exceeded threshold count"
//!            │
//!            ▼
//!      GossipResolver ◀── RES frames ──▶ other drivers   (if an interface is configured)
//!            │ names that no driver announces
//!            ▼
//!      TableResolver                                     (if the supplier is `csv_table`)
//!            │ the host that a row names
//!            ▼
//!      the resolver that the driver was given: the operating system
//! ```
//!
//! All of it runs on the resource agent, because any look-up may block. What drivers tell each
//! other is kept by `Gossip`, which is handed datagrams and time and knows no socket.

mod gossip;
mod gossip_resolver;
mod neighbors;
mod stopwatch;
mod table_resolver;

use std::sync::Arc;

use super::assembly::DriverCoreError;
use super::config::{DriverConfig, NameResolverSupplier};
use super::errors::ErrorReporter;
use super::media::interface::resolve_interface;
use super::media::wildcard_ports::WildcardPorts;
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::{CountersManager, EventWriter};
use crate::port::{
    BusyPoll, Clock, Interfaces, NameResolver, Network, Tick, TransportRole, TransportSpec,
};
use gossip_resolver::{GossipParts, GossipResolver};
use stopwatch::{Stopwatch, TimedResolver};
use table_resolver::TableResolver;

/// Datagrams taken in at a time.
const RECEIVE_BATCH: usize = 16;

/// What the driver's resolver is built from.
pub(crate) struct NameParts<'a, N> {
    /// All settings.
    pub(crate) config: &'a DriverConfig,
    /// Opens the socket for gossip.
    pub(crate) network: &'a mut N,
    /// The machine's network interfaces.
    pub(crate) interfaces: &'a dyn Interfaces,
    /// Resolves what no driver announces and no table names.
    pub(crate) base: Box<dyn NameResolver>,
    /// Measures how long look-ups take.
    pub(crate) clock: Arc<dyn Clock>,
    /// Allocates the resolver's counters.
    pub(crate) manager: &'a mut CountersManager,
    /// Where the port of the gossip socket comes from, if it is left open.
    pub(crate) ports: &'a mut WildcardPorts,
    /// What is counted.
    pub(crate) system: &'a SystemCounters,
    /// What goes wrong.
    pub(crate) errors: &'a ErrorReporter,
    /// Where look-ups and other drivers are written down.
    pub(crate) events: EventWriter,
    /// When the driver starts.
    pub(crate) tick: Tick,
}

/// Builds the resolver that the configuration asks for.
pub(crate) fn build<N: Network>(
    mut parts: NameParts<'_, N>,
) -> Result<Box<dyn NameResolver>, DriverCoreError> {
    let config = parts.config;
    let stopwatch = Stopwatch::new(
        Arc::clone(&parts.clock),
        config.name_resolver_threshold_ns,
        parts.system.get(SystemCounter::NameResolverMaxTime).clone(),
        parts
            .system
            .get(SystemCounter::NameResolverTimeThresholdExceeded)
            .clone(),
    );
    // The interface is looked up by the operating system alone.
    let transport = if config.gossips() {
        Some(open_transport(&mut parts)?)
    } else {
        None
    };
    let mut resolver = parts.base;
    if config.name_resolver == NameResolverSupplier::CsvTable {
        let epoch = parts.tick.epoch;
        resolver = Box::new(
            TableResolver::new(
                &config.name_resolver_init_args,
                resolver,
                parts.manager,
                epoch,
            )
            .map_err(DriverCoreError::Counters)?,
        );
    }
    if let Some(transport) = transport {
        resolver = Box::new(
            GossipResolver::new(GossipParts {
                config,
                transport,
                base: resolver,
                stopwatch: stopwatch.clone(),
                manager: parts.manager,
                system: parts.system.clone(),
                errors: parts.errors.clone(),
                events: parts.events.clone(),
                tick: parts.tick,
            })
            .map_err(DriverCoreError::Counters)?,
        );
    }
    Ok(Box::new(TimedResolver::new(
        resolver,
        stopwatch,
        parts.events,
    )))
}

/// The socket on which drivers tell each other names.
fn open_transport<N: Network>(
    parts: &mut NameParts<'_, N>,
) -> Result<N::Transport, DriverCoreError> {
    let config = parts.config;
    let text = config.resolver_interface.as_str();
    let failed = |reason: String| DriverCoreError::ResolverInterface {
        interface: text.to_owned(),
        reason,
    };
    let is_ipv6 = text.starts_with('[');
    let local = resolve_interface(
        Some(text),
        is_ipv6,
        false,
        parts.base.as_mut(),
        parts.interfaces,
    )
    .map_err(|error| failed(error.text))?;
    let mut bind = local.address;
    let port = parts.ports.acquire(bind.port(), true);
    bind.set_port(port.map_err(|error| failed(error.to_string()))?);
    let spec = TransportSpec {
        role: TransportRole::Receive,
        bind,
        connect: None,
        multicast: None,
        socket_sndbuf_length: config.socket_sndbuf_length,
        socket_rcvbuf_length: config.socket_rcvbuf_length,
        media_timestamps: false,
        receive_batch: RECEIVE_BATCH,
        segment_offload: false,
        busy_poll: BusyPoll::default(),
    };
    parts
        .network
        .open(&spec)
        .map_err(|error| failed(error.to_string()))
}
