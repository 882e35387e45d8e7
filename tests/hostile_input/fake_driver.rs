//! A driver that hands its clients whatever a test wants: files of its choice, events of any
//! content. Its files are real ones, its heart always beats.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aileron::base::{
    CorrelationId, CounterId, EpochMillis, RegistrationId, SessionId, StreamId, TermId,
};
use aileron::client::{ClientError, ConductorInvoker};
use aileron::cnc::counter_types::{CLIENT_HEARTBEAT_TYPE_ID, HeartbeatKey};
use aileron::cnc::{Cnc, CncLengths, CncMetadata};
use aileron::command::{
    AvailableImage, Command, Event, OperationSuccess, PublicationReady, SubscriptionReady,
    UnavailableImage,
};
use aileron::concurrent::{CounterSpec, CountersManager, ReadAction, RingConsumer, Transmitter};
use aileron::logbuffer::{LogBuffer, LogKind, LogSpec};
use aileron::memory::{AtomicBuffer, map_file};
use aileron::{Client, Context};

/// A heartbeat that is fresh for whoever connects, for as long as any test runs.
const FUTURE: EpochMillis = EpochMillis(1 << 45);
/// A limit that is never reached.
const NO_LIMIT: i64 = 1 << 40;
const TERM_LENGTH: i32 = 64 * 1024;
pub(crate) const SESSION: SessionId = SessionId(4711);
pub(crate) const STREAM: StreamId = StreamId(1001);
const HEADER_LENGTH: usize = 128;

/// Lengths of its CnC file: short ones, so that many copies can be made.
pub(crate) fn lengths() -> CncLengths {
    CncLengths {
        to_driver: (64 << 10) + 768,
        to_clients: (64 << 10) + 128,
        counter_values: 64 << 10,
        error_log: 4096,
        page_size: 4096,
    }
}

/// Maps a file of `length` bytes, all zero.
fn new_file(path: &Path, length: usize) -> AtomicBuffer {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create_new(true)
        .open(path)
        .expect("created");
    file.set_len(length as u64).expect("its length");
    map_file(&file, length).expect("mapped")
}

/// A log that nothing is wrong with.
pub(crate) fn new_log(path: &Path, kind: LogKind) -> LogBuffer {
    let spec = LogSpec {
        kind,
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: TermId(7),
        term_length: TERM_LENGTH,
        ..LogSpec::default()
    };
    let length = aileron::logbuffer::log_length(spec.term_length, spec.page_size);
    let buffer = new_file(path, usize::try_from(length).expect("small"));
    let log = LogBuffer::initialise(buffer, &spec).expect("a valid spec");
    log.set_connected(true);
    log
}

/// The driver's side. See the module's documentation.
pub(crate) struct FakeDriver {
    dir: PathBuf,
    buffer: AtomicBuffer,
    commands: RingConsumer,
    events: Transmitter,
    counters: CountersManager,
    limit: CounterId,
    position: CounterId,
    /// What it announces as the log of every publication.
    pub(crate) log_path: String,
}

/// Shared with the client, whose calls make it step.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<FakeDriver>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, FakeDriver> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client whose conductor the caller drives.
    pub(crate) fn connect(
        &self,
        on_error: impl Fn(&ClientError) + Send + Sync + 'static,
    ) -> (Client, ConductorInvoker) {
        let driver = self.clone();
        Context::new()
            .dir(&self.lock().dir)
            .driver_timeout(Duration::from_secs(10))
            .configure(|config| config.resource_linger(Duration::ZERO))
            .on_error(on_error)
            .drive(move || driver.lock().step())
            .connect_invoked()
            .expect("a client")
    }
}

impl FakeDriver {
    /// Makes the directory and a CnC file that is ready.
    pub(crate) fn create(dir: &Path) -> Shared {
        fs::create_dir_all(dir).expect("a directory");
        let lengths = lengths();
        let length = lengths.total_length().expect("valid lengths");
        let buffer = new_file(&dir.join("cnc.dat"), length);
        let metadata = CncMetadata {
            client_liveness_timeout_ns: 3_600_000_000_000,
            ..CncMetadata::default()
        };
        let cnc = Cnc::create(buffer.clone(), &lengths, &metadata).expect("valid lengths");
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
        Shared(Arc::new(Mutex::new(Self {
            dir: dir.to_owned(),
            buffer,
            commands: RingConsumer::new(cnc.to_driver()),
            events: Transmitter::new(cnc.to_clients_buffer()).expect("a valid length"),
            counters,
            limit,
            position,
            log_path: String::new(),
        })))
    }

    /// The bytes of its CnC file.
    pub(crate) fn cnc_bytes(&self) -> Vec<u8> {
        fs::read(self.dir.join("cnc.dat")).expect("read")
    }

    /// The buffer of events, trailer included.
    pub(crate) fn event_buffer(&self) -> AtomicBuffer {
        let start = HEADER_LENGTH + lengths().to_driver;
        self.buffer.slice(start..start + lengths().to_clients)
    }

    /// Answers what clients have asked.
    pub(crate) fn step(&mut self) {
        self.beat();
        let mut commands = Vec::new();
        self.commands.read(16, |type_id, payload| {
            commands.push((type_id, payload.to_vec()));
            ReadAction::Continue
        });
        for (type_id, payload) in commands {
            self.answer(&Command::decode(type_id, &payload).expect("an honest client"));
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all that is left gives something up"
    )]
    fn answer(&mut self, command: &Command<'_>) {
        let correlation_id = command.correlation_id();
        let path = self.log_path.clone();
        let ready = PublicationReady {
            correlation_id,
            registration_id: correlation_id.into(),
            session_id: SESSION,
            stream_id: STREAM,
            publication_limit_counter_id: self.limit,
            channel_status_counter_id: CounterId(-1),
            log_file_name: &path,
        };
        match command {
            Command::AddPublication(_) => self.send(&Event::PublicationReady(ready)),
            Command::AddExclusivePublication(_) => {
                self.send(&Event::ExclusivePublicationReady(ready));
            }
            Command::AddSubscription(add) => {
                let key = HeartbeatKey {
                    client_id: add.client_id,
                }
                .encode();
                let spec = CounterSpec {
                    type_id: CLIENT_HEARTBEAT_TYPE_ID,
                    key: &key,
                    ..CounterSpec::default()
                };
                // Without one the client goes on as well.
                let _ = self.counters.allocate(&spec, EpochMillis(0));
                self.send(&Event::SubscriptionReady(SubscriptionReady {
                    correlation_id,
                    channel_status_counter_id: CounterId(-1),
                }));
            }
            Command::ClientClose(_) => {}
            _ => self.send(&Event::OperationSuccess(OperationSuccess {
                correlation_id,
            })),
        }
    }

    /// Tells all clients.
    pub(crate) fn send(&mut self, event: &Event<'_>) {
        let mut payload = Vec::new();
        let type_id = event.encode(&mut payload);
        self.send_bytes(type_id, &payload);
    }

    /// Shows that it is alive: for clients, a heartbeat that does not change is none.
    fn beat(&self) {
        let ring = Cnc::attach(self.buffer.clone()).map(|cnc| cnc.to_driver());
        // Files of any content are among what clients are given.
        if let Ok(ring) = ring {
            ring.set_consumer_heartbeat(ring.consumer_heartbeat().plus_ms(1));
        }
    }

    /// Tells all clients something of any content.
    pub(crate) fn send_bytes(&mut self, type_id: i32, payload: &[u8]) {
        self.beat();
        // What does not fit cannot be sent by any driver.
        let _ = self.events.transmit(type_id, payload);
    }

    /// The event of an image whose log is at `path`.
    pub(crate) fn image<'a>(
        &self,
        image: CorrelationId,
        subscription: RegistrationId,
        path: &'a str,
    ) -> AvailableImage<'a> {
        AvailableImage {
            correlation_id: image,
            session_id: SESSION,
            stream_id: STREAM,
            subscription_registration_id: subscription,
            subscriber_position_counter_id: self.position,
            log_file_name: path,
            source_identity: "127.0.0.1:40001",
        }
    }

    /// Announces an image that begins at `position`.
    pub(crate) fn add_image(
        &mut self,
        image: CorrelationId,
        subscription: RegistrationId,
        path: &str,
        position: i64,
    ) {
        let counter = self
            .counters
            .reader()
            .counter(self.position)
            .expect("it was allocated");
        counter.set(position);
        let event = Event::AvailableImage(self.image(image, subscription, path));
        self.send(&event);
    }

    /// Takes an image away.
    pub(crate) fn remove_image(&mut self, image: CorrelationId, subscription: RegistrationId) {
        self.send(&Event::UnavailableImage(UnavailableImage {
            correlation_id: image,
            subscription_registration_id: subscription,
            stream_id: STREAM,
            channel: b"aeron:ipc",
        }));
    }
}
