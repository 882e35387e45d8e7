//! A driver of a simulated world: its files on the heap, its agents one by one.

use std::net::IpAddr;
use std::sync::Arc;

use super::clock::VirtualClock;
use super::network::SimNetwork;
use super::plan::{Plan, addresses};
use super::settings::configure;
use super::socket::SimHost;
use crate::base::{CounterId, EpochMillis, Nanos, Rng};
use crate::cnc::counter_types::{NAME_ENTRY_TYPE_ID, NameEntryKey};
use crate::cnc::{Cnc, CncLengths, CncMetadata, SystemCounter, SystemCounters};
use crate::concurrent::{
    AtomicCounter, BROADCAST_TRAILER_LENGTH, CounterState, CountersReader, EVENT_SLOT_LENGTH,
    EventFile, EventReader, EventSet, LossReport, RING_TRAILER_LENGTH, read_error_log,
};
use crate::driver::config::{DriverConfig, TerminationValidator};
use crate::driver::{DriverCore, DriverEnvironment, EVENT_LANES, TerminationFlag};
use crate::logbuffer::{HeapLogStore, LogBuffer, LogOpener};
use crate::memory::AtomicBuffer;
use crate::port::{Agent, Clock, StaticResolver, Tick};

/// Lengths that a small world needs, so that making one is cheap.
const LENGTHS: CncLengths = CncLengths {
    to_driver: (64 << 10) + RING_TRAILER_LENGTH,
    to_clients: (64 << 10) + BROADCAST_TRAILER_LENGTH,
    // A thousand: a dozen streams that everybody hears, some of them ended and not yet forgotten.
    counter_values: 128 << 10,
    error_log: 64 << 10,
    page_size: 4096,
};
const LOSS_REPORT_LENGTH: usize = 4096;

/// What an agent of a driver may do, for the oracles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Conductor,
    Sender,
    Receiver,
    Resources,
    /// All of them, one after the other.
    Composite,
}

impl Role {
    pub(super) const fn conducts(self) -> bool {
        matches!(self, Self::Conductor | Self::Composite)
    }

    pub(super) const fn sends(self) -> bool {
        matches!(self, Self::Sender | Self::Composite)
    }

    pub(super) const fn receives(self) -> bool {
        matches!(self, Self::Receiver | Self::Composite)
    }
}

/// An agent, and until when it does nothing.
pub(super) struct AgentSlot {
    pub(super) role: Role,
    pub(super) agent: Box<dyn Agent>,
    pub(super) stalled_until: Nanos,
}

/// A driver.
pub(super) struct SimDriver {
    pub(super) number: usize,
    pub(super) addresses: [IpAddr; 2],
    pub(super) cnc: Cnc,
    pub(super) store: HeapLogStore,
    pub(super) counters: CountersReader,
    pub(super) system: SystemCounters,
    pub(super) agents: Vec<AgentSlot>,
    /// How many drivers there were in its place before.
    pub(super) incarnation: usize,
    /// The system counters come first; from here on all counters go away again.
    first_counter: i32,
    /// Sockets that it has as long as it lives, by address.
    pub(super) own_sockets: [usize; 2],
    /// What it writes down of what happens, if it does.
    pub(super) events: Option<EventReader>,
    /// Set once it was asked to terminate, if it allows that.
    pub(super) termination: TerminationFlag,
    pub(super) allows_termination: bool,
    /// What it was told to write down.
    pub(super) wanted_events: EventSet,
}

impl SimDriver {
    /// Starts the driver with this number. The error says what is wrong with the plan.
    pub(super) fn start(
        number: usize,
        plan: &Plan,
        network: &SimNetwork,
        clock: &VirtualClock,
        rng: Rng,
    ) -> Result<Self, String> {
        let mut config = plan.config(number).map_err(|error| error.to_string())?;
        if let Some(settings) = &plan.drivers[number].settings {
            config = configure(&config, settings)?;
        }
        let is_composite = plan.drivers[number].is_composite;
        Self::with_config(number, config, is_composite, network, clock, rng)
    }

    /// Starts a driver of this configuration.
    pub(super) fn with_config(
        number: usize,
        config: DriverConfig,
        is_composite: bool,
        network: &SimNetwork,
        clock: &VirtualClock,
        rng: Rng,
    ) -> Result<Self, String> {
        let tick = clock.tick();
        let metadata = CncMetadata {
            client_liveness_timeout_ns: config.client_liveness_timeout_ns(),
            start_timestamp: tick.epoch,
            pid: 1,
        };
        let length = LENGTHS.total_length().map_err(|error| error.to_string())?;
        let cnc = Cnc::create(AtomicBuffer::heap(length), &LENGTHS, &metadata)
            .map_err(|error| error.to_string())?;
        let (v4, v6) = addresses(number);
        let addresses = [v4, v6];
        let host = network.host_of(&addresses);
        let store = HeapLogStore::default();
        let allows_termination = config.termination_validator() == TerminationValidator::Allow;
        let wanted_events = config.logged_events();
        let (events, reader) = match event_file(&config, tick)? {
            Some((file, reader)) => (Some(file), Some(reader)),
            None => (None, None),
        };
        let environment = DriverEnvironment {
            cnc: cnc.clone(),
            loss_report: LossReport::new(AtomicBuffer::heap(LOSS_REPORT_LENGTH)),
            network: host.clone(),
            log_store: Box::new(store.clone()),
            resolver: Box::new(StaticResolver::default()),
            clock: Arc::new(clock.clone()),
            interfaces: Box::new(host),
            rng,
            events,
        };
        let core = DriverCore::<SimHost>::new(config, environment, tick)
            .map_err(|error| error.to_string())?;
        cnc.to_driver().set_consumer_heartbeat(tick.epoch);
        cnc.signal_ready();
        let counters = cnc.counters();
        let termination = core.termination();
        let mut agents = agents(core, is_composite);
        for slot in &mut agents {
            slot.agent.on_start(tick);
        }
        Ok(Self {
            number,
            own_sockets: addresses.map(|address| network.open_sockets_of(address)),
            events: reader,
            termination,
            allows_termination,
            wanted_events,
            addresses,
            system: SystemCounters::attach(&counters),
            incarnation: 0,
            first_counter: first_free(&counters),
            counters,
            cnc,
            store,
            agents,
        })
    }

    /// The value of a system counter.
    pub(super) fn system(&self, counter: SystemCounter) -> i64 {
        self.system.get(counter).get()
    }

    /// The counter that says where the name of a host leads, where there is a table of names.
    pub(super) fn name_switch(&self, host: &str) -> Option<AtomicCounter> {
        let key = NameEntryKey {
            name: host.to_owned(),
        };
        let id = (self.counters).find_by_type_and_key(NAME_ENTRY_TYPE_ID, &key.encode())?;
        self.counters.counter(id)
    }

    /// A publication's log; `None` once it is deleted.
    pub(super) fn publication_log(&self, registration_id: i64) -> Option<LogBuffer> {
        let path = format!("heap/publications/{registration_id}.logbuffer");
        self.store.open(&path).ok()
    }

    /// An image's log, and its bytes; `None` once it is deleted.
    pub(super) fn image_log(&self, correlation_id: i64) -> Option<(LogBuffer, AtomicBuffer)> {
        let path = format!("heap/images/{correlation_id}.logbuffer");
        Some((self.store.open(&path).ok()?, self.store.bytes(&path)?))
    }

    /// The ids of all counters that streams and clients have.
    pub(super) fn counter_ids(&self) -> impl Iterator<Item = CounterId> + Clone {
        // Ids are handed out from below, so behind the first that nobody ever used there are none.
        (self.first_counter..=self.counters.max_id().get())
            .map(CounterId)
            .map(|id| (id, self.counters.state(id)))
            .take_while(|(_, state)| *state != CounterState::Unused)
            .filter(|(_, state)| *state == CounterState::Allocated)
            .map(|(id, _)| id)
    }

    /// The same, and whose they are.
    pub(super) fn counter_owners(&self) -> impl Iterator<Item = (i32, i64)> + Clone {
        (self.first_counter..=self.counters.max_id().get())
            .map_while(|id| match self.counters.registration_id(CounterId(id)) {
                Some(owner) => Some(Some((id, owner.get()))),
                None => {
                    let is_used = self.counters.state(CounterId(id)) != CounterState::Unused;
                    is_used.then_some(None)
                }
            })
            .flatten()
    }

    /// The distinct errors that the driver recorded.
    pub(super) fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let buffer = self.cnc.error_log_buffer();
        read_error_log(&buffer, EpochMillis(0), |observation| {
            errors.push(observation.text);
        });
        errors
    }

    /// A driver in the place of this one, which is dead. What the dead one had open is closed, as
    /// an operating system does.
    pub(super) fn restart(
        &mut self,
        number: usize,
        plan: &Plan,
        network: &SimNetwork,
        clock: &VirtualClock,
        rng: Rng,
    ) -> Result<(), String> {
        self.agents.clear();
        let incarnation = self.incarnation + 1;
        *self = Self {
            incarnation,
            ..Self::start(number, plan, network, clock, rng)?
        };
        Ok(())
    }

    /// What tells the registrations of this driver from those of all others, past ones included.
    pub(super) const fn identity(&self, number: usize) -> (usize, usize) {
        (number, self.incarnation)
    }

    /// Ends the driver: what it owned is closed.
    pub(super) fn close(&mut self, tick: Tick) {
        // The conductor comes first in the list, and is to be closed last.
        for slot in self.agents.iter_mut().rev() {
            slot.agent.on_close(tick);
        }
    }
}

/// A file of events in memory and a reader of it, if the configuration wants one.
fn event_file(
    config: &DriverConfig,
    tick: Tick,
) -> Result<Option<(EventFile, EventReader)>, String> {
    if config.logged_events().is_empty() {
        return Ok(None);
    }
    let slots = config.event_buffer_length() / EVENT_SLOT_LENGTH / EVENT_LANES.len();
    let buffer = AtomicBuffer::heap(EventFile::length(EVENT_LANES.len(), slots));
    let file = EventFile::create(buffer.clone(), &EVENT_LANES, (tick.now, tick.epoch), 1);
    let file = file.map_err(|error| error.to_string())?;
    let reader = EventReader::attach(buffer).map_err(|error| error.to_string())?;
    Ok(Some((file, reader)))
}

/// The first counter id that nobody has used yet.
fn first_free(counters: &CountersReader) -> i32 {
    let is_used = |id: &i32| counters.state(CounterId(*id)) != CounterState::Unused;
    let used = (0..=counters.max_id().get()).take_while(is_used);
    used.last().map_or(0, |last| last + 1)
}

fn agents(core: DriverCore<SimHost>, is_composite: bool) -> Vec<AgentSlot> {
    let slot = |role, agent| AgentSlot {
        role,
        agent,
        stalled_until: Nanos(0),
    };
    if is_composite {
        return vec![slot(Role::Composite, Box::new(core.into_composite()))];
    }
    let parts = core.into_agents();
    vec![
        slot(Role::Conductor, parts.conductor),
        slot(Role::Resources, parts.resources),
        slot(Role::Sender, parts.sender),
        slot(Role::Receiver, parts.receiver),
    ]
}
