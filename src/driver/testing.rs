//! Whole drivers in memory, for tests: a CnC file and logs on the heap, a simulated network, a
//! virtual clock, and a client that speaks raw commands and events.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::base::{
    ClientId, CorrelationId, CounterId, EpochMillis, Nanos, Position, RegistrationId, Rng,
    SessionId, StreamId,
};
use crate::cnc::extra_counters::is_extra;
use crate::cnc::{Cnc, CncLengths, CncMetadata, SystemCounter, SystemCounters};
use crate::command::{
    AddPublication, AddSubscription, ClientClose, Command, Destination, ErrorCode, Event,
    RemovePublication, RemoveSubscription,
};
use crate::concurrent::{
    AtomicCounter, CounterRecord, LossReport, Receiver, RingBuffer, STATIC_OWNER_ID, read_error_log,
};
use crate::driver::config::DriverConfig;
use crate::driver::{
    DriverAgents, DriverCore, DriverCoreError, DriverEnvironment, TerminationFlag,
};
use crate::logbuffer::{HeapLogStore, LogBuffer, LogOpener, reader};
use crate::memory::AtomicBuffer;
use crate::port::{Agent, NameResolver, ResolveError, StaticResolver, Tick};
use crate::sim::{SimNetwork, VirtualClock};

/// One step of the virtual clock.
const STEP_NS: i64 = 1_000_000;

/// Steps after which a wait gives up: two minutes.
const STEPS_MAX: usize = 120_000;

/// An event, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Error {
        id: CorrelationId,
        code: ErrorCode,
        text: String,
    },
    Ready(Ready),
    SubscriptionReady {
        id: CorrelationId,
        status: CounterId,
    },
    Available(Available),
    Unavailable {
        image: CorrelationId,
        subscription: RegistrationId,
        channel: String,
    },
    Success(CorrelationId),
    CounterReady {
        id: CorrelationId,
        counter: CounterId,
    },
    CounterGone {
        id: RegistrationId,
        counter: CounterId,
    },
    ClientTimeout(ClientId),
    StaticCounter {
        id: CorrelationId,
        counter: CounterId,
    },
    PublicationError {
        id: RegistrationId,
        code: ErrorCode,
        text: String,
    },
    NextSessionId {
        id: CorrelationId,
        session: SessionId,
    },
}

/// A publication that is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) id: CorrelationId,
    pub(crate) is_exclusive: bool,
    pub(crate) registration: RegistrationId,
    pub(crate) session: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) limit: CounterId,
    pub(crate) status: CounterId,
    pub(crate) path: String,
}

/// An image that is available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Available {
    pub(crate) image: CorrelationId,
    pub(crate) session: SessionId,
    pub(crate) stream: StreamId,
    pub(crate) subscription: RegistrationId,
    pub(crate) position: CounterId,
    pub(crate) path: String,
    pub(crate) source: String,
}

impl Seen {
    fn of(event: &Event<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ready = |ready: &crate::command::PublicationReady<'_>, is_exclusive| {
            Self::Ready(Ready {
                id: ready.correlation_id,
                is_exclusive,
                registration: ready.registration_id,
                session: ready.session_id,
                stream: ready.stream_id,
                limit: ready.publication_limit_counter_id,
                status: ready.channel_status_counter_id,
                path: ready.log_file_name.to_owned(),
            })
        };
        match event {
            Event::Error(e) => Self::Error {
                id: e.correlation_id,
                code: e.code,
                text: text(e.message),
            },
            Event::PublicationReady(e) => ready(e, false),
            Event::ExclusivePublicationReady(e) => ready(e, true),
            Event::SubscriptionReady(e) => Self::SubscriptionReady {
                id: e.correlation_id,
                status: e.channel_status_counter_id,
            },
            Event::AvailableImage(e) => Self::Available(Available {
                image: e.correlation_id,
                session: e.session_id,
                stream: e.stream_id,
                subscription: e.subscription_registration_id,
                position: e.subscriber_position_counter_id,
                path: e.log_file_name.to_owned(),
                source: e.source_identity.to_owned(),
            }),
            Event::UnavailableImage(e) => Self::Unavailable {
                image: e.correlation_id,
                subscription: e.subscription_registration_id,
                channel: text(e.channel),
            },
            Event::OperationSuccess(e) => Self::Success(e.correlation_id),
            Event::CounterReady(e) => Self::CounterReady {
                id: e.correlation_id,
                counter: e.counter_id,
            },
            Event::UnavailableCounter(e) => Self::CounterGone {
                id: e.registration_id,
                counter: e.counter_id,
            },
            Event::ClientTimeout(e) => Self::ClientTimeout(e.client_id),
            Event::StaticCounter(e) => Self::StaticCounter {
                id: e.correlation_id,
                counter: e.counter_id,
            },
            Event::PublicationError(e) => Self::PublicationError {
                id: e.registration_id,
                code: e.code,
                text: text(e.message),
            },
            Event::NextAvailableSessionId(e) => Self::NextSessionId {
                id: e.correlation_id,
                session: e.next_session_id,
            },
        }
    }

    /// The command that the event answers.
    fn answers(&self) -> Option<CorrelationId> {
        match self {
            Self::Error { id, .. }
            | Self::SubscriptionReady { id, .. }
            | Self::Success(id)
            | Self::CounterReady { id, .. }
            | Self::StaticCounter { id, .. }
            | Self::NextSessionId { id, .. } => Some(*id),
            Self::Ready(ready) => Some(ready.id),
            Self::Available(_)
            | Self::Unavailable { .. }
            | Self::CounterGone { .. }
            | Self::ClientTimeout(_)
            | Self::PublicationError { .. } => None,
        }
    }
}

/// A driver, and one client of it.
pub(crate) struct TestDriver {
    agents: DriverAgents,
    pub(crate) cnc: Cnc,
    pub(crate) store: HeapLogStore,
    pub(crate) termination: TerminationFlag,
    pub(crate) client: ClientId,
    ring: RingBuffer,
    receiver: Receiver,
    events: Vec<Seen>,
    /// Whether the client shows that it lives.
    pub(crate) beats: bool,
}

/// Names that all drivers of a world know and that may move.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<StaticResolver>>);

impl Names {
    pub(crate) fn insert(&self, name: &str, address: [u8; 4]) {
        let mut names = self.0.lock().expect("nobody panics with it");
        names.insert(name, IpAddr::from(address));
    }
}

impl NameResolver for Names {
    fn resolve(&mut self, host: &str, is_again: bool) -> Result<IpAddr, ResolveError> {
        let mut names = self.0.lock().expect("nobody panics with it");
        names.resolve(host, is_again)
    }
}

/// Drivers on a network.
pub(crate) struct World {
    pub(crate) network: SimNetwork,
    pub(crate) names: Names,
    pub(crate) drivers: Vec<TestDriver>,
    tick: Tick,
}

/// A configuration for tests: small terms, all else as it is by default.
pub(crate) fn small_config() -> DriverConfig {
    DriverConfig {
        term_buffer_length: 64 * 1024,
        ipc_term_buffer_length: 64 * 1024,
        ..DriverConfig::default()
    }
}

fn small_lengths() -> CncLengths {
    CncLengths {
        to_driver: 64 * 1024 + 768,
        to_clients: 64 * 1024 + 128,
        counter_values: 256 * 128,
        error_log: 64 * 1024,
        page_size: 4096,
    }
}

impl TestDriver {
    fn new(
        config: DriverConfig,
        network: &SimNetwork,
        address: IpAddr,
        store: HeapLogStore,
        names: Names,
        tick: Tick,
    ) -> Result<Self, DriverCoreError> {
        let lengths = small_lengths();
        let metadata = CncMetadata {
            client_liveness_timeout_ns: config.client_liveness_timeout_ns,
            start_timestamp: tick.epoch,
            pid: 1,
        };
        let buffer = AtomicBuffer::heap(lengths.total_length().expect("small"));
        let cnc = Cnc::create(buffer, &lengths, &metadata).expect("lengths fit");
        let host = network.host(address);
        let environment = DriverEnvironment {
            cnc: cnc.clone(),
            loss_report: LossReport::new(AtomicBuffer::heap(4096)),
            network: host.clone(),
            log_store: Box::new(store.clone()),
            resolver: Box::new(names),
            clock: Arc::new(VirtualClock::new()),
            interfaces: Box::new(host),
            rng: Rng::new(7),
            events: None,
        };
        let core = DriverCore::new(config, environment, tick)?;
        let termination = core.termination();
        let mut agents = core.into_composite();
        agents.on_start(tick);
        let ring = cnc.to_driver();
        ring.set_consumer_heartbeat(tick.epoch);
        cnc.signal_ready();
        let client = ClientId(ring.next_correlation_id().get());
        let receiver = Receiver::new(cnc.to_clients_buffer()).expect("capacity is right");
        let events = Vec::new();
        Ok(Self {
            agents,
            cnc,
            store,
            termination,
            client,
            ring,
            receiver,
            events,
            beats: true,
        })
    }

    /// Nanoseconds for which its thread might rest now.
    pub(crate) fn rest_ns(&self) -> i64 {
        self.agents.rest_ns()
    }

    /// Sends a command under a fresh correlation id.
    pub(crate) fn send<'a>(
        &mut self,
        command: impl FnOnce(ClientId, CorrelationId) -> Command<'a>,
    ) -> CorrelationId {
        let id = self.ring.next_correlation_id();
        let mut payload = Vec::new();
        let type_id = command(self.client, id).encode(&mut payload);
        self.ring
            .write(type_id, &payload)
            .expect("the ring has room");
        id
    }

    /// Sends any bytes as a command.
    pub(crate) fn send_raw(&mut self, type_id: i32, payload: &[u8]) {
        self.ring
            .write(type_id, payload)
            .expect("the ring has room");
    }

    pub(crate) fn send_add_publication(
        &mut self,
        channel: &str,
        stream: i32,
        is_exclusive: bool,
    ) -> CorrelationId {
        self.send(|client_id, correlation_id| {
            let stream_id = StreamId(stream);
            let add = AddPublication {
                client_id,
                correlation_id,
                stream_id,
                channel,
            };
            if is_exclusive {
                Command::AddExclusivePublication(add)
            } else {
                Command::AddPublication(add)
            }
        })
    }

    pub(crate) fn send_add_subscription(&mut self, channel: &str, stream: i32) -> CorrelationId {
        self.send(|client_id, correlation_id| {
            let stream_id = StreamId(stream);
            let add = AddSubscription {
                client_id,
                correlation_id,
                stream_id,
                channel,
            };
            Command::AddSubscription(add)
        })
    }

    pub(crate) fn send_remove_publication(
        &mut self,
        registration_id: RegistrationId,
        is_revoke: bool,
    ) -> CorrelationId {
        self.send(|client_id, correlation_id| {
            Command::RemovePublication(RemovePublication {
                client_id,
                correlation_id,
                registration_id,
                is_revoke,
            })
        })
    }

    pub(crate) fn send_remove_subscription(
        &mut self,
        registration_id: RegistrationId,
    ) -> CorrelationId {
        self.send(|client_id, correlation_id| {
            let remove = RemoveSubscription {
                client_id,
                correlation_id,
                registration_id,
            };
            Command::RemoveSubscription(remove)
        })
    }

    pub(crate) fn send_destination<'a>(
        &mut self,
        kind: impl FnOnce(Destination<'a>) -> Command<'a>,
        registration_id: RegistrationId,
        channel: &'a str,
    ) -> CorrelationId {
        let id = self.ring.next_correlation_id();
        let destination = Destination {
            client_id: self.client,
            correlation_id: id,
            registration_id,
            channel,
        };
        let mut payload = Vec::new();
        let type_id = kind(destination).encode(&mut payload);
        self.ring
            .write(type_id, &payload)
            .expect("the ring has room");
        id
    }

    pub(crate) fn send_close(&mut self) {
        self.send(|client_id, correlation_id| {
            Command::ClientClose(ClientClose {
                client_id,
                correlation_id,
            })
        });
    }

    /// Takes all events seen since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.events)
    }

    /// Turns the driver's client into another one.
    pub(crate) fn become_new_client(&mut self) {
        self.client = ClientId(self.ring.next_correlation_id().get());
    }

    pub(crate) fn counter(&self, id: CounterId) -> AtomicCounter {
        self.cnc.counters().counter(id).expect("counter exists")
    }

    pub(crate) fn system(&self, counter: SystemCounter) -> i64 {
        SystemCounters::attach(&self.cnc.counters())
            .get(counter)
            .get()
    }

    /// All counters but the system's and those beyond Aeron's.
    pub(crate) fn counters(&self) -> Vec<CounterRecord> {
        let mut records = Vec::new();
        self.cnc.counters().for_each(|record| {
            if record.type_id != 0 && !is_extra(record.type_id) {
                records.push(record.clone());
            }
        });
        records
    }

    /// Labels of the counters beyond Aeron's that belong to a client.
    pub(crate) fn extra_labels(&self) -> Vec<String> {
        let mut labels = Vec::new();
        self.cnc.counters().for_each(|record| {
            if is_extra(record.type_id) && record.owner_id != STATIC_OWNER_ID {
                labels.push(record.label.clone());
            }
        });
        labels
    }

    /// The first counter of a type.
    pub(crate) fn counter_of_type(&self, type_id: i32) -> Option<CounterRecord> {
        self.counters()
            .into_iter()
            .find(|record| record.type_id == type_id)
    }

    /// Texts in the error log.
    pub(crate) fn errors(&self) -> Vec<String> {
        let mut texts = Vec::new();
        read_error_log(
            &self.cnc.error_log_buffer(),
            EpochMillis(0),
            |observation| {
                texts.push(observation.text.to_owned());
            },
        );
        texts
    }

    pub(crate) fn log(&self, path: &str) -> LogBuffer {
        self.store.open(path).expect("log exists")
    }

    /// Reads all that an image has, moves its position, and returns the messages.
    pub(crate) fn read(&self, image: &Available) -> Vec<Vec<u8>> {
        let counter = self.counter(image.position);
        let log = self.log(&image.path);
        let mut messages = Vec::new();
        let polled = reader::poll(&log, Position(counter.get()), 100, |payload, _| {
            messages.push(payload.to_vec());
        });
        counter.set(polled.position.get());
        messages
    }

    /// Offers a message on a publication.
    pub(crate) fn offer(&self, ready: &Ready, message: &[u8]) -> Option<Position> {
        let limit = Position(self.counter(ready.limit).get());
        self.log(&ready.path).offer(limit, message).ok()
    }

    pub(crate) fn close(&mut self, tick: Tick) {
        self.agents.on_close(tick);
    }

    fn step(&mut self, tick: Tick) {
        if self.beats {
            self.beat(tick);
        }
        self.agents.do_work(tick);
        while let Ok(1) = self.receiver.receive(|type_id, payload| {
            let event = Event::decode(type_id, payload).expect("the driver sends sound events");
            self.events.push(Seen::of(&event));
        }) {}
    }

    fn beat(&self, tick: Tick) {
        let key = self.client.get().to_le_bytes();
        let reader = self.cnc.counters();
        if let Some(counter) = reader.find_by_type_and_key(11, &key)
            && let Some(counter) = reader.counter(counter)
            && counter.get() != 0
        {
            counter.set(tick.epoch.get());
        }
    }
}

impl World {
    /// A world of `count` drivers at 10.0.0.1, 10.0.0.2, …
    pub(crate) fn new(count: u8, config: &DriverConfig) -> Self {
        Self::with_store(count, config, &HeapLogStore::default)
    }

    /// A world whose drivers keep their logs in stores made by `store`.
    pub(crate) fn with_store(
        count: u8,
        config: &DriverConfig,
        store: &dyn Fn() -> HeapLogStore,
    ) -> Self {
        let mut world = Self::empty();
        for _ in 0..count {
            world.add_driver(config.clone(), store());
        }
        world
    }

    /// A world without drivers.
    pub(crate) fn empty() -> Self {
        let network = SimNetwork::new(3);
        let tick = Tick {
            now: Nanos(0),
            epoch: EpochMillis(1_700_000_000_000),
        };
        Self {
            network,
            names: Names::default(),
            drivers: Vec::new(),
            tick,
        }
    }

    /// Starts a driver at 10.0.0.n, where n is how many there are then.
    pub(crate) fn add_driver(&mut self, config: DriverConfig, store: HeapLogStore) {
        let driver = self.make_driver(config, store).expect("CnC file suits");
        self.drivers.push(driver);
    }

    /// Whether a driver would start.
    pub(crate) fn try_driver(&mut self, config: DriverConfig) -> Result<(), DriverCoreError> {
        self.make_driver(config, HeapLogStore::default()).map(drop)
    }

    fn make_driver(
        &self,
        config: DriverConfig,
        store: HeapLogStore,
    ) -> Result<TestDriver, DriverCoreError> {
        let host = u8::try_from(self.drivers.len() + 1).expect("few drivers");
        TestDriver::new(
            config,
            &self.network,
            IpAddr::from([10, 0, 0, host]),
            store,
            self.names.clone(),
            self.tick,
        )
    }

    pub(crate) fn driver(&mut self) -> &mut TestDriver {
        &mut self.drivers[0]
    }

    /// Lets a step of time pass.
    pub(crate) fn step(&mut self) {
        self.tick.now = self.tick.now.plus_ns(STEP_NS);
        self.tick.epoch = self.tick.epoch.plus_ms(1);
        self.network.advance(self.tick.now);
        for driver in &mut self.drivers {
            driver.step(self.tick);
        }
    }

    /// Lets the wall clock step, and no time pass.
    pub(crate) fn step_wall_clock(&mut self, ms: i64) {
        self.tick.epoch = self.tick.epoch.plus_ms(ms);
    }

    pub(crate) fn run_ms(&mut self, ms: usize) {
        for _ in 0..ms {
            self.step();
        }
    }

    /// Runs until `condition` holds.
    #[track_caller]
    pub(crate) fn run_until(&mut self, mut condition: impl FnMut(&mut Self) -> bool) {
        for _ in 0..STEPS_MAX {
            if condition(self) {
                return;
            }
            self.step();
        }
        let errors: Vec<_> = self.drivers.iter().map(TestDriver::errors).collect();
        panic!("waited in vain; error logs: {errors:#?}");
    }

    /// Runs until a driver answered a command, and a little longer; returns what it said till then.
    #[track_caller]
    pub(crate) fn answer_of(&mut self, driver: usize, id: CorrelationId) -> Vec<Seen> {
        self.run_until(|world| {
            world.drivers[driver]
                .events
                .iter()
                .any(|event| event.answers() == Some(id))
        });
        self.run_ms(3);
        self.drivers[driver].take_events()
    }

    #[track_caller]
    pub(crate) fn answer(&mut self, id: CorrelationId) -> Vec<Seen> {
        self.answer_of(0, id)
    }

    #[track_caller]
    pub(crate) fn add_publication_at(
        &mut self,
        driver: usize,
        channel: &str,
        stream: i32,
    ) -> Ready {
        let id = self.drivers[driver].send_add_publication(channel, stream, false);
        let events = self.answer_of(driver, id);
        ready_among(&events)
    }

    #[track_caller]
    pub(crate) fn add_publication(&mut self, channel: &str, stream: i32) -> Ready {
        self.add_publication_at(0, channel, stream)
    }

    #[track_caller]
    pub(crate) fn add_exclusive(&mut self, channel: &str, stream: i32) -> Ready {
        let id = self.driver().send_add_publication(channel, stream, true);
        let events = self.answer(id);
        ready_among(&events)
    }

    /// Adds a subscription. Returns its id and all that was said until a little after the answer.
    #[track_caller]
    pub(crate) fn add_subscription_at(
        &mut self,
        driver: usize,
        channel: &str,
        stream: i32,
    ) -> (RegistrationId, Vec<Seen>) {
        let id = self.drivers[driver].send_add_subscription(channel, stream);
        let events = self.answer_of(driver, id);
        let is_ready = |event: &Seen| matches!(event, Seen::SubscriptionReady { .. });
        assert!(events.iter().any(is_ready), "{events:?}");
        (RegistrationId::from(id), events)
    }

    #[track_caller]
    pub(crate) fn add_subscription(
        &mut self,
        channel: &str,
        stream: i32,
    ) -> (RegistrationId, Vec<Seen>) {
        self.add_subscription_at(0, channel, stream)
    }

    /// The error that answers a command.
    #[track_caller]
    pub(crate) fn error(&mut self, id: CorrelationId) -> (ErrorCode, String) {
        let events = self.answer(id);
        let error = events.iter().find_map(|event| {
            let Seen::Error { code, text, .. } = event else {
                return None;
            };
            Some((*code, text.clone()))
        });
        error.unwrap_or_else(|| panic!("no error: {events:?}"))
    }

    /// Runs until a driver tells of an image.
    #[track_caller]
    pub(crate) fn await_image(&mut self, driver: usize) -> Available {
        let mut image = None;
        self.run_until(|world| {
            image = image_among(&world.drivers[driver].events);
            image.is_some()
        });
        image.expect("just seen")
    }

    pub(crate) fn close(&mut self) {
        let tick = self.tick;
        for driver in &mut self.drivers {
            driver.close(tick);
        }
    }
}

/// The publication that became ready.
#[track_caller]
pub(crate) fn ready_among(events: &[Seen]) -> Ready {
    let ready = events.iter().find_map(|event| {
        let Seen::Ready(ready) = event else {
            return None;
        };
        Some(ready.clone())
    });
    ready.unwrap_or_else(|| panic!("no publication: {events:?}"))
}

/// The first image that became available.
pub(crate) fn image_among(events: &[Seen]) -> Option<Available> {
    events.iter().find_map(|event| {
        let Seen::Available(image) = event else {
            return None;
        };
        Some(image.clone())
    })
}
