//! A driver that hands a client whatever a target wants: a CnC file, a log, events of any content.
//! It answers what the client asks, and its heart always beats.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aileron::base::{
    CorrelationId, CounterId, EpochMillis, RegistrationId, SessionId, StreamId, TermId,
};
use aileron::client::{
    AddError, Client, ClientConfig, ClientEnvironment, ConductorInvoker, ConnectError,
};
use aileron::cnc::{Cnc, CncLengths, CncMetadata};
use aileron::command::{
    AvailableImage, Command, Event, OperationSuccess, PublicationReady, SubscriptionReady,
    UnavailableImage,
};
use aileron::concurrent::{CounterSpec, CountersManager, ReadAction, RingConsumer, Transmitter};
use aileron::logbuffer::{LogBuffer, LogKind, LogOpener, LogSpec, OpenError, log_length};
use aileron::memory::AtomicBuffer;
use aileron::port::Clock;
use aileron::sim::VirtualClock;

/// A heartbeat that stays fresh for as long as anything runs.
const FUTURE: EpochMillis = EpochMillis(1 << 45);
/// A limit that is never reached.
const NO_LIMIT: i64 = 1 << 40;
/// Time that passes with each look of a client that waits.
const LOOK_NS: i64 = 20_000_000;
pub(crate) const TERM_LENGTH: i32 = 64 * 1024;
pub(crate) const SESSION: SessionId = SessionId(4711);
pub(crate) const STREAM: StreamId = StreamId(1001);
const HEADER_LENGTH: usize = 128;

/// Lengths of its CnC file: short ones, so that making one is cheap.
const LENGTHS: CncLengths = CncLengths {
    to_driver: (16 << 10) + 768,
    to_clients: (16 << 10) + 128,
    counter_values: 8 << 10,
    error_log: 4096,
    page_size: 4096,
};

/// What a client opens as whatever log it is told of.
#[derive(Clone, Debug)]
struct OneLog(AtomicBuffer);

impl LogOpener for OneLog {
    fn open(&self, path: &str) -> Result<LogBuffer, OpenError> {
        LogBuffer::attach(self.0.clone()).map_err(|source| OpenError::Invalid {
            path: path.to_owned(),
            source,
        })
    }
}

/// A log that nothing is wrong with.
///
/// # Panics
/// Never: its spec is valid.
pub(crate) fn new_log() -> AtomicBuffer {
    let spec = LogSpec {
        kind: LogKind::Concurrent,
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: TermId(7),
        term_length: TERM_LENGTH,
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(spec.term_length, spec.page_size));
    let buffer = AtomicBuffer::heap(length.expect("small"));
    let log = LogBuffer::initialise(buffer.clone(), &spec).expect("a valid spec");
    log.set_connected(true);
    buffer
}

struct State {
    commands: RingConsumer,
    events: Transmitter,
    counters: CountersManager,
    limit: CounterId,
    position: CounterId,
}

/// See the module.
#[derive(Clone)]
pub(crate) struct FakeDriver {
    /// The bytes of its CnC file.
    pub(crate) cnc: AtomicBuffer,
    log: AtomicBuffer,
    pub(crate) clock: VirtualClock,
    state: Arc<Mutex<State>>,
}

impl FakeDriver {
    /// A driver whose only log is `log`.
    ///
    /// # Panics
    /// Never: what it is made of fits together.
    pub(crate) fn new(log: AtomicBuffer) -> Self {
        let buffer = AtomicBuffer::heap(LENGTHS.total_length().expect("valid lengths"));
        let metadata = CncMetadata {
            client_liveness_timeout_ns: 3_600_000_000_000,
            ..CncMetadata::default()
        };
        let cnc = Cnc::create(buffer.clone(), &LENGTHS, &metadata).expect("valid lengths");
        let mut counters = cnc.counters_manager(0);
        let mut counter = |value| {
            let spec = CounterSpec {
                initial_value: value,
                ..CounterSpec::default()
            };
            counters.allocate(&spec, EpochMillis(0)).expect("room").id()
        };
        let (limit, position) = (counter(NO_LIMIT), counter(0));
        cnc.to_driver().set_consumer_heartbeat(FUTURE);
        cnc.signal_ready();
        let state = State {
            commands: RingConsumer::new(cnc.to_driver()),
            events: Transmitter::new(cnc.to_clients_buffer()).expect("a valid length"),
            counters,
            limit,
            position,
        };
        let clock = VirtualClock::new();
        clock.advance(LOOK_NS);
        Self {
            cnc: buffer,
            log,
            clock,
            state: Arc::new(Mutex::new(state)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client, which has the driver step while it waits.
    pub(crate) fn connect(&self) -> Result<(Client, ConductorInvoker), ConnectError> {
        self.connect_to(Cnc::attach(self.cnc.clone()).expect("its own file"))
    }

    /// A client that was given another CnC file.
    pub(crate) fn connect_to(&self, cnc: Cnc) -> Result<(Client, ConductorInvoker), ConnectError> {
        let (driver, clock) = (self.clone(), self.clock.clone());
        let environment = ClientEnvironment {
            cnc,
            opener: Arc::new(OneLog(self.log.clone())),
            clock: Arc::new(self.clock.clone()) as Arc<dyn Clock>,
            waiter: Arc::new(move || {
                clock.advance(LOOK_NS);
                driver.lock().step();
            }),
        };
        let config = ClientConfig::default()
            .driver_timeout(Duration::from_secs(2))
            .keepalive_interval(Duration::from_millis(100))
            .resource_linger(Duration::ZERO)
            .on_error(|_| {});
        Client::new(environment, config)
    }

    /// Tells all clients something of any content.
    pub(crate) fn send(&self, type_id: i32, payload: &[u8]) {
        // What does not fit cannot be sent by any driver.
        let _ = self.lock().events.transmit(type_id, payload);
    }

    /// Announces an image that begins at `position`.
    pub(crate) fn add_image(&self, subscription: RegistrationId, position: i64) {
        let mut state = self.lock();
        let reader = state.counters.reader();
        if let Some(counter) = reader.counter(state.position) {
            counter.set(position);
        }
        let event = Event::AvailableImage(AvailableImage {
            correlation_id: IMAGE,
            session_id: SESSION,
            stream_id: STREAM,
            subscription_registration_id: subscription,
            subscriber_position_counter_id: state.position,
            log_file_name: "log",
            source_identity: "127.0.0.1:40001",
        });
        state.send(&event);
    }

    /// Takes the image away.
    pub(crate) fn remove_image(&self, subscription: RegistrationId) {
        self.lock().send(&Event::UnavailableImage(UnavailableImage {
            correlation_id: IMAGE,
            subscription_registration_id: subscription,
            stream_id: STREAM,
            channel: b"aeron:ipc",
        }));
    }

    /// The buffer of events, trailer included.
    pub(crate) fn event_bytes(&self) -> AtomicBuffer {
        let start = HEADER_LENGTH + LENGTHS.to_driver;
        self.cnc.slice(start..start + LENGTHS.to_clients)
    }
}

/// Correlation id of the image.
pub(crate) const IMAGE: CorrelationId = CorrelationId(1 << 20);

impl State {
    /// Answers what clients have asked.
    fn step(&mut self) {
        let mut commands = Vec::new();
        self.commands.read(16, |type_id, payload| {
            commands.push((type_id, payload.to_vec()));
            ReadAction::Continue
        });
        for (type_id, payload) in commands {
            if let Ok(command) = Command::decode(type_id, &payload) {
                self.answer(&command);
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all that is left gives something up"
    )]
    fn answer(&mut self, command: &Command<'_>) {
        let correlation_id = command.correlation_id();
        let ready = PublicationReady {
            correlation_id,
            registration_id: correlation_id.into(),
            session_id: SESSION,
            stream_id: STREAM,
            publication_limit_counter_id: self.limit,
            channel_status_counter_id: CounterId(-1),
            log_file_name: "log",
        };
        match command {
            Command::AddPublication(_) => self.send(&Event::PublicationReady(ready)),
            Command::AddExclusivePublication(_) => {
                self.send(&Event::ExclusivePublicationReady(ready));
            }
            Command::AddSubscription(_) => {
                self.send(&Event::SubscriptionReady(SubscriptionReady {
                    correlation_id,
                    channel_status_counter_id: CounterId(-1),
                }));
            }
            Command::ClientClose(_) | Command::ClientKeepalive(_) => {}
            _ => self.send(&Event::OperationSuccess(OperationSuccess {
                correlation_id,
            })),
        }
    }

    fn send(&mut self, event: &Event<'_>) {
        let mut payload = Vec::new();
        let type_id = event.encode(&mut payload);
        // What does not fit cannot be sent by any driver.
        let _ = self.events.transmit(type_id, &payload);
    }
}

/// Has a client take in all there is; where that never ends, much of it.
pub(crate) fn drive(invoker: &mut ConductorInvoker) {
    const CYCLES_MAX: usize = 1000;
    for _ in 0..CYCLES_MAX {
        if invoker.do_work() == 0 {
            return;
        }
    }
}

/// Does with a client what applications do, whoever answers.
pub(crate) fn exercise(client: &Client, invoker: &mut ConductorInvoker) {
    for _ in 0..4 {
        invoker.do_work();
    }
    let publication: Result<_, AddError> = client.add_publication("aeron:ipc", STREAM);
    if let Ok(publication) = publication {
        let _ = publication.offer(b"hello");
        let _ = (publication.position(), publication.available_window());
    }
    if let Ok(mut subscription) = client.add_subscription("aeron:ipc", STREAM) {
        subscription.poll(10, |_, _| {});
    }
    client.counters().for_each(|record| {
        let _ = (record.label.len(), record.key.len());
    });
    let _ = client.next_correlation_id();
    invoker.do_work();
}
