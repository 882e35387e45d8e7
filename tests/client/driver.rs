//! A driver of a few lines over heap buffers, which answers commands as tests tell it to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use aileron::base::{
    ClientId, CorrelationId, CounterId, EpochMillis, Nanos, Position, RegistrationId, SessionId,
    StreamId, TermId,
};
use aileron::client::{
    Client, ClientConfig, ClientEnvironment, ClientError, ConductorInvoker, Publication,
    Subscription,
};
use aileron::cnc::counter_types::{CLIENT_HEARTBEAT_TYPE_ID, HeartbeatKey};
use aileron::cnc::{
    Cnc, CncLengths, CncMetadata, SemanticVersion, SystemCounterLabels, SystemCounters,
};
use aileron::command::{
    AvailableImage, Command, CounterReady, ErrorCode, ErrorResponse, Event, NextAvailableSessionId,
    OperationSuccess, PublicationReady, StaticCounter, SubscriptionReady, UnavailableCounter,
    UnavailableImage, command_id,
};
use aileron::concurrent::{
    AtomicCounter, CounterSpec, CountersManager, ReadAction, RingConsumer, Transmitter,
};
use aileron::logbuffer::{HeapLogStore, LogFileKind, LogKind, LogName, LogSpec, LogStore};
use aileron::memory::AtomicBuffer;
use aileron::port::{Clock, Tick};

pub(crate) const MILLI: i64 = 1_000_000;
pub(crate) const SECOND: i64 = 1000 * MILLI;
/// Client liveness timeout of the driver, which is also the clients' inter-service timeout.
pub(crate) const LIVENESS: i64 = 10 * SECOND;
pub(crate) const INITIAL_TERM_ID: TermId = TermId(7);
pub(crate) const STREAM: StreamId = StreamId(1001);
pub(crate) const IPC: &str = "aeron:ipc";

/// Time that stands still until somebody moves it.
#[derive(Debug, Default)]
pub(crate) struct ManualClock {
    ns: AtomicI64,
}

impl ManualClock {
    pub(crate) fn advance(&self, ns: i64) {
        self.ns.fetch_add(ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn tick(&self) -> Tick {
        let ns = self.ns.load(Ordering::SeqCst);
        Tick {
            now: Nanos(ns),
            epoch: EpochMillis(1_700_000_000_000 + ns / MILLI),
        }
    }
}

/// What the driver does with commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Answer,
    /// Reads them and says nothing.
    Mute,
    /// Answers, but keeps the answers until [`Driver::release`].
    Delay,
    Refuse(i32, &'static str),
}

/// A publication at the driver.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) registration_id: RegistrationId,
    pub(crate) session_id: SessionId,
    pub(crate) path: String,
    pub(crate) limit: AtomicCounter,
    pub(crate) log: aileron::logbuffer::LogBuffer,
}

pub(crate) struct Driver {
    cnc: Cnc,
    commands: RingConsumer,
    events: Transmitter,
    counters: CountersManager,
    store: HeapLogStore,
    clock: Arc<ManualClock>,
    pub(crate) mode: Mode,
    /// Stops its heart.
    pub(crate) is_dead: bool,
    /// Channel status counter announced for subscriptions and publications.
    pub(crate) channel_status: CounterId,
    /// Replaces the path of logs in what is announced.
    pub(crate) wrong_path: Option<&'static str>,
    /// Type id and payload of all commands read.
    pub(crate) received: Vec<(i32, Vec<u8>)>,
    held: Vec<(i32, Vec<u8>)>,
    heartbeats: BTreeMap<ClientId, CounterId>,
    user_counters: BTreeMap<RegistrationId, CounterId>,
    shared: BTreeMap<(String, StreamId), Stream>,
    pub(crate) streams: BTreeMap<RegistrationId, Stream>,
    next_session: i32,
}

impl Driver {
    fn now(&self) -> EpochMillis {
        self.clock.tick().epoch
    }

    pub(crate) fn counters(&mut self) -> &mut CountersManager {
        &mut self.counters
    }

    pub(crate) fn send(&mut self, event: &Event<'_>) {
        let mut payload = Vec::new();
        let type_id = event.encode(&mut payload);
        self.send_raw(type_id, &payload);
    }

    pub(crate) fn send_raw(&mut self, type_id: i32, payload: &[u8]) {
        if self.mode == Mode::Delay {
            self.held.push((type_id, payload.to_vec()));
        } else {
            self.events.transmit(type_id, payload).expect("fits");
        }
    }

    /// Sends what [`Mode::Delay`] has held back, and answers at once from now on.
    pub(crate) fn release(&mut self) {
        self.mode = Mode::Answer;
        for (type_id, payload) in std::mem::take(&mut self.held) {
            self.send_raw(type_id, &payload);
        }
    }

    /// Type ids of the commands read since the last call.
    pub(crate) fn take_types(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.received)
            .into_iter()
            .map(|(type_id, _)| type_id)
            .collect()
    }

    /// Sets the heartbeat that clients look at.
    pub(crate) fn set_heartbeat(&self, time: EpochMillis) {
        self.cnc.to_driver().set_consumer_heartbeat(time);
    }

    /// Beats, and answers all commands.
    pub(crate) fn work(&mut self) {
        if self.is_dead {
            return;
        }
        self.set_heartbeat(self.now());
        let mut commands = Vec::new();
        self.commands.read(100, |type_id, payload| {
            commands.push((type_id, payload.to_vec()));
            ReadAction::Continue
        });
        for (type_id, payload) in commands {
            let command = Command::decode(type_id, &payload).expect("a well-formed command");
            self.on_command(&command);
            self.received.push((type_id, payload));
        }
    }

    fn on_command(&mut self, command: &Command<'_>) {
        let (client_id, correlation_id) = (command.client_id(), command.correlation_id());
        if self.mode == Mode::Mute {
            return;
        }
        if let Mode::Refuse(code, message) = self.mode {
            return self.refuse(correlation_id, code, message);
        }
        match command {
            Command::AddPublication(add) => {
                self.greet(client_id);
                let key = (add.channel.to_owned(), add.stream_id);
                let stream = match self.shared.get(&key) {
                    Some(stream) => stream.clone(),
                    None => self.make_stream(correlation_id, add.stream_id, LogKind::Concurrent),
                };
                self.shared.insert(key, stream.clone());
                let ready = self.ready(&stream, correlation_id);
                self.announce(&stream, |path| {
                    Event::PublicationReady(PublicationReady {
                        log_file_name: path,
                        ..ready
                    })
                });
            }
            Command::AddExclusivePublication(add) => {
                self.greet(client_id);
                let stream = self.make_stream(correlation_id, add.stream_id, LogKind::Exclusive);
                let ready = self.ready(&stream, correlation_id);
                self.announce(&stream, |path| {
                    Event::ExclusivePublicationReady(PublicationReady {
                        log_file_name: path,
                        ..ready
                    })
                });
            }
            Command::AddSubscription(_) => {
                self.greet(client_id);
                let channel_status_counter_id = self.channel_status;
                self.send(&Event::SubscriptionReady(SubscriptionReady {
                    correlation_id,
                    channel_status_counter_id,
                }));
            }
            Command::AddCounter(add) => {
                self.greet(client_id);
                let label = String::from_utf8_lossy(add.label).into_owned();
                let registration_id = correlation_id.into();
                let counter = self.allocate(
                    add.type_id,
                    add.key,
                    &label,
                    registration_id,
                    client_id.get(),
                );
                self.user_counters.insert(registration_id, counter.id());
                let counter_id = counter.id();
                self.send(&Event::CounterReady(CounterReady {
                    correlation_id,
                    counter_id,
                }));
            }
            Command::AddStaticCounter(add) => {
                self.greet(client_id);
                let label = String::from_utf8_lossy(add.label).into_owned();
                let counter = self.allocate(add.type_id, add.key, &label, add.registration_id, -1);
                let counter_id = counter.id();
                self.send(&Event::StaticCounter(StaticCounter {
                    correlation_id,
                    counter_id,
                }));
            }
            Command::RemoveCounter(remove) => {
                self.succeed(correlation_id);
                let registration_id = remove.registration_id;
                let counter_id = self
                    .user_counters
                    .remove(&registration_id)
                    .expect("its counter");
                self.send(&Event::UnavailableCounter(UnavailableCounter {
                    registration_id,
                    counter_id,
                }));
                let now = self.now();
                self.counters.free(counter_id, now);
            }
            Command::GetNextAvailableSessionId(_) => {
                let next_session_id = SessionId(4711);
                self.send(&Event::NextAvailableSessionId(NextAvailableSessionId {
                    correlation_id,
                    next_session_id,
                }));
            }
            Command::ClientClose(_) | Command::ClientKeepalive(_) | Command::TerminateDriver(_) => {
            }
            _ => self.succeed(correlation_id),
        }
    }

    pub(crate) fn succeed(&mut self, correlation_id: CorrelationId) {
        self.send(&Event::OperationSuccess(OperationSuccess {
            correlation_id,
        }));
    }

    pub(crate) fn refuse(&mut self, correlation_id: CorrelationId, code: i32, message: &str) {
        let mut payload = Vec::new();
        let type_id = Event::Error(ErrorResponse {
            correlation_id,
            code: ErrorCode::GenericError,
            message: message.as_bytes(),
        })
        .encode(&mut payload);
        payload[8..12].copy_from_slice(&code.to_le_bytes());
        self.send_raw(type_id, &payload);
    }

    /// Makes a new client's heartbeat counter known.
    fn greet(&mut self, client_id: ClientId) {
        if self.heartbeats.contains_key(&client_id) {
            return;
        }
        let key = HeartbeatKey { client_id }.encode();
        let label = aileron::cnc::counter_labels::heartbeat_label(client_id);
        let id = RegistrationId(client_id.get());
        let counter = self.allocate(CLIENT_HEARTBEAT_TYPE_ID, &key, &label, id, client_id.get());
        self.heartbeats.insert(client_id, counter.id());
        let correlation_id = CorrelationId(client_id.get());
        let counter_id = counter.id();
        self.send(&Event::CounterReady(CounterReady {
            correlation_id,
            counter_id,
        }));
    }

    pub(crate) fn heartbeat_of(&self, client_id: ClientId) -> Option<CounterId> {
        self.heartbeats.get(&client_id).copied()
    }

    pub(crate) fn allocate(
        &mut self,
        type_id: i32,
        key: &[u8],
        label: &str,
        registration_id: RegistrationId,
        owner_id: i64,
    ) -> AtomicCounter {
        let spec = CounterSpec {
            type_id,
            key,
            label,
            registration_id,
            owner_id,
            ..CounterSpec::default()
        };
        let now = self.now();
        self.counters.allocate(&spec, now).expect("room")
    }

    fn make_stream(&mut self, id: CorrelationId, stream_id: StreamId, kind: LogKind) -> Stream {
        self.next_session += 1;
        let session_id = SessionId(self.next_session);
        let spec = LogSpec {
            kind,
            correlation_id: id.get(),
            session_id,
            stream_id,
            initial_term_id: INITIAL_TERM_ID,
            ..LogSpec::default()
        };
        let name = LogName {
            kind: LogFileKind::Publication,
            id: id.get(),
        };
        let (log, path) = self.store.create(&name, &spec).expect("a log");
        let registration_id = id.into();
        let limit = self.allocate(1, b"", "pub-lmt", registration_id, 0);
        let stream = Stream {
            registration_id,
            session_id,
            path,
            limit,
            log,
        };
        self.streams.insert(registration_id, stream.clone());
        stream
    }

    fn ready(&self, stream: &Stream, correlation_id: CorrelationId) -> PublicationReady<'static> {
        PublicationReady {
            correlation_id,
            registration_id: stream.registration_id,
            session_id: stream.session_id,
            stream_id: stream.log.stream_id(),
            publication_limit_counter_id: stream.limit.id(),
            channel_status_counter_id: self.channel_status,
            log_file_name: "",
        }
    }

    fn announce<'a>(&mut self, stream: &'a Stream, event: impl FnOnce(&'a str) -> Event<'a>) {
        let path = self.wrong_path.unwrap_or(&stream.path);
        self.send(&event(path));
    }

    /// Connects a publication to a subscription, at `position`; returns the position counter.
    pub(crate) fn connect_at(
        &mut self,
        publication: RegistrationId,
        subscription: RegistrationId,
        position: Position,
    ) -> AtomicCounter {
        let stream = self
            .streams
            .get(&publication)
            .expect("a publication")
            .clone();
        stream.log.set_connected(true);
        stream
            .limit
            .set(position.get() + i64::from(stream.log.geometry().term_length()) / 2);
        let counter = self.allocate(4, b"", "sub-pos", subscription, 0);
        counter.set(position.get());
        let image = AvailableImage {
            correlation_id: publication.into(),
            session_id: stream.session_id,
            stream_id: stream.log.stream_id(),
            subscription_registration_id: subscription,
            subscriber_position_counter_id: counter.id(),
            log_file_name: self.wrong_path.unwrap_or(&stream.path),
            source_identity: "aeron:ipc",
        };
        self.send(&Event::AvailableImage(image));
        counter
    }

    pub(crate) fn disconnect(&mut self, image: RegistrationId, subscription: RegistrationId) {
        self.send(&Event::UnavailableImage(UnavailableImage {
            correlation_id: image.into(),
            subscription_registration_id: subscription,
            stream_id: STREAM,
            channel: b"",
        }));
    }
}

/// A driver, and what its clients need.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) driver: Arc<Mutex<Driver>>,
    pub(crate) cnc: Cnc,
    store: HeapLogStore,
}

/// A client, its conductor, and what its error handler was told.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) invoker: ConductorInvoker,
    pub(crate) errors: Log<ClientError>,
}

/// A list that handlers append to.
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Log<T> {
    pub(crate) fn push(&self, value: T) {
        self.0.lock().expect("not poisoned").push(value);
    }

    pub(crate) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("not poisoned").len()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let lengths = CncLengths {
            to_driver: (1 << 16) + 768,
            to_clients: (1 << 16) + 128,
            counter_values: 1 << 20,
            error_log: 1 << 16,
            ..CncLengths::default()
        };
        let metadata = CncMetadata {
            client_liveness_timeout_ns: LIVENESS,
            ..CncMetadata::default()
        };
        let buffer = AtomicBuffer::heap(lengths.total_length().expect("legal lengths"));
        let cnc = Cnc::create(buffer, &lengths, &metadata).expect("a CnC file");
        let clock = Arc::new(ManualClock::default());
        let mut counters = cnc.counters_manager(1000);
        let version = SemanticVersion::new(1, 53, 0);
        let labels = SystemCounterLabels::default();
        SystemCounters::allocate(&mut counters, &labels, version, clock.tick().epoch)
            .expect("room for system counters");
        let store = HeapLogStore::default();
        let mut driver = Driver {
            commands: RingConsumer::new(cnc.to_driver()),
            events: Transmitter::new(cnc.to_clients_buffer()).expect("a broadcast buffer"),
            cnc: cnc.clone(),
            counters,
            store: store.clone(),
            clock: Arc::clone(&clock),
            mode: Mode::Answer,
            is_dead: false,
            channel_status: CounterId::NONE,
            wrong_path: None,
            received: Vec::new(),
            held: Vec::new(),
            heartbeats: BTreeMap::new(),
            user_counters: BTreeMap::new(),
            shared: BTreeMap::new(),
            streams: BTreeMap::new(),
            next_session: 100,
        };
        driver.work();
        cnc.signal_ready();
        Self {
            clock,
            driver: Arc::new(Mutex::new(driver)),
            cnc,
            store,
        }
    }

    pub(crate) fn driver(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().expect("not poisoned")
    }

    /// What calls that wait do: the driver works, and a millisecond passes.
    pub(crate) fn environment(&self) -> ClientEnvironment {
        let (driver, clock) = (Arc::clone(&self.driver), Arc::clone(&self.clock));
        ClientEnvironment {
            cnc: self.cnc.clone(),
            opener: Arc::new(self.store.clone()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            waiter: Arc::new(move || {
                driver.lock().expect("not poisoned").work();
                clock.advance(MILLI);
            }),
        }
    }

    pub(crate) fn client_with(&self, config: ClientConfig) -> Session {
        let errors: Log<ClientError> = Log::default();
        let log = errors.clone();
        let config = config.on_error(move |error| log.push(error.clone()));
        let (client, invoker) = Client::new(self.environment(), config).expect("a client");
        Session {
            client,
            invoker,
            errors,
        }
    }

    pub(crate) fn client(&self) -> Session {
        self.client_with(ClientConfig::default())
    }

    /// Lets driver and conductor work until neither has anything left to do.
    pub(crate) fn settle(&self, session: &mut Session) {
        for _ in 0..100 {
            self.driver().work();
            if session.invoker.do_work() == 0 {
                break;
            }
        }
        self.driver().work();
    }

    /// Lets time pass in small steps, with a living driver and conductor.
    pub(crate) fn pass(&self, session: &mut Session, ns: i64) {
        let step = 100 * MILLI;
        for _ in 0..ns.div_euclid(step) {
            self.clock.advance(step);
            self.settle(session);
        }
    }

    /// A publication and a subscription of one client, connected.
    pub(crate) fn stream(&self, session: &mut Session) -> (Publication, Subscription) {
        let publication = session.client.add_publication(IPC, STREAM).expect("added");
        let subscription = session.client.add_subscription(IPC, STREAM).expect("added");
        let (from, to) = (
            publication.registration_id(),
            subscription.registration_id(),
        );
        self.driver().connect_at(from, to, Position(0));
        self.settle(session);
        (publication, subscription)
    }
}

/// The command of a type that was received last.
pub(crate) fn last_command<R>(
    driver: &Driver,
    type_id: i32,
    read: impl FnOnce(Command<'_>) -> R,
) -> R {
    let command = driver
        .received
        .iter()
        .rev()
        .find(|(other, _)| *other == type_id);
    let (type_id, payload) = command.unwrap_or_else(|| panic!("no command {type_id:#x}"));
    read(Command::decode(*type_id, payload).expect("a well-formed command"))
}

/// Registration id and revoke flag of the last remove-publication command.
pub(crate) fn last_removed_publication(driver: &Driver) -> (RegistrationId, bool) {
    last_command(
        driver,
        command_id::REMOVE_PUBLICATION,
        |command| match command {
            Command::RemovePublication(remove) => (remove.registration_id, remove.is_revoke),
            other => panic!("{other:?}"),
        },
    )
}
