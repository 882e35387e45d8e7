//! A driver and a client in memory, on a network that only carries what a target puts into it and
//! on a clock that passes when it is told to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aileron::base::{RegistrationId, Rng, StreamId};
use aileron::client::{
    AddError, Client, ClientConfig, ClientEnvironment, ConductorInvoker, ExclusivePublication,
    Pending, Publication, Registered, Subscription,
};
use aileron::cnc::counter_types::{RECEIVER_HWM_TYPE_ID, RECEIVER_POSITION_TYPE_ID};
use aileron::cnc::{Cnc, CncLengths, CncMetadata, SystemCounter, SystemCounters};
use aileron::concurrent::{CountersReader, LossReport, RingBuffer};
use aileron::driver::config::DriverConfig;
use aileron::driver::config::DriverConfigBuilder;
use aileron::driver::{DriverAgents, DriverCore, DriverEnvironment};
use aileron::logbuffer::HeapLogStore;
use aileron::memory::AtomicBuffer;
use aileron::port::{Agent, Clock, StaticResolver};
use aileron::sim::{SimNetwork, VirtualClock};

/// The driver's address.
pub(crate) const DRIVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
/// Somebody the driver sends to.
pub(crate) const PEER: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2)), 4000);
/// Somebody that nobody knows.
pub(crate) const STRANGER: SocketAddr =
    SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3)), 9999);

pub(crate) const MS: i64 = 1_000_000;
/// Storage for logs: a few of the shortest ones. Whoever asks for longer is refused.
const LOG_SPACE: u64 = 8 << 20;
/// Steps within which the driver answers an honest client.
const ANSWER_STEPS: usize = 40;
/// Room for commands.
pub(crate) const RING_LENGTH: usize = 64 << 10;
const RING_TRAILER: usize = 768;
const CNC_HEADER: usize = 128;

const LENGTHS: CncLengths = CncLengths {
    to_driver: RING_LENGTH + RING_TRAILER,
    to_clients: (64 << 10) + 128,
    counter_values: 32 << 10,
    error_log: 16 << 10,
    page_size: 4096,
};

/// See the module.
pub(crate) struct Rig {
    pub(crate) network: SimNetwork,
    pub(crate) clock: VirtualClock,
    pub(crate) cnc: Cnc,
    /// The bytes of the CnC file.
    pub(crate) cnc_bytes: AtomicBuffer,
    counters: CountersReader,
    agents: DriverAgents,
    pub(crate) client: Client,
    invoker: ConductorInvoker,
}

impl Rig {
    /// A driver with a client; `configure` may change how the driver is run.
    ///
    /// # Panics
    /// When what it is made of does not fit together, which is a bug of the target.
    pub(crate) fn new(configure: impl FnOnce(DriverConfigBuilder) -> DriverConfigBuilder) -> Self {
        let clock = VirtualClock::new();
        clock.advance(1000 * MS);
        let tick = clock.tick();
        let builder = DriverConfig::builder()
            .client_liveness_timeout_ns(5_000 * MS)
            .image_liveness_timeout_ns(800 * MS)
            .publication_linger_timeout_ns(300 * MS)
            .publication_unblock_timeout_ns(6_000 * MS)
            .publication_connection_timeout_ns(800 * MS)
            .timer_interval_ns(10 * MS)
            .stream_session_limit(8);
        let config = configure(builder).build().expect("valid settings");
        let metadata = CncMetadata {
            client_liveness_timeout_ns: config.client_liveness_timeout_ns(),
            start_timestamp: tick.epoch,
            pid: 1,
        };
        let cnc_bytes = AtomicBuffer::heap(LENGTHS.total_length().expect("valid lengths"));
        let cnc = Cnc::create(cnc_bytes.clone(), &LENGTHS, &metadata).expect("valid lengths");
        let network = SimNetwork::new(1);
        let host = network.host(DRIVER);
        let store = HeapLogStore::with_space(LOG_SPACE);
        let environment = DriverEnvironment {
            cnc: cnc.clone(),
            loss_report: LossReport::new(AtomicBuffer::heap(4096)),
            network: host.clone(),
            log_store: Box::new(store.clone()),
            resolver: Box::new(StaticResolver::default()),
            clock: Arc::new(clock.clone()),
            interfaces: Box::new(host),
            rng: Rng::new(1),
            events: None,
        };
        let core = DriverCore::new(config, environment, tick).expect("a driver");
        cnc.to_driver().set_consumer_heartbeat(tick.epoch);
        cnc.signal_ready();
        let mut agents = core.into_composite();
        agents.on_start(tick);
        burn_ids(&cnc_bytes);
        let environment = ClientEnvironment {
            cnc: cnc.clone(),
            opener: Arc::new(store),
            clock: Arc::new(clock.clone()),
            waiter: Arc::new(|| {}),
        };
        let config = ClientConfig::default()
            .driver_timeout(Duration::from_secs(20))
            .keepalive_interval(Duration::from_millis(500))
            .on_error(|_| {});
        let (client, invoker) = Client::new(environment, config).expect("a client");
        Self {
            counters: cnc.counters(),
            network,
            clock,
            cnc,
            cnc_bytes,
            agents,
            client,
            invoker,
        }
    }

    /// The ring of commands.
    pub(crate) fn ring(&self) -> RingBuffer {
        self.cnc.to_driver()
    }

    /// Lets some time pass, and gives everyone a turn.
    pub(crate) fn step(&mut self, ns: i64) {
        self.clock.advance(ns);
        self.network.advance(self.clock.now());
        self.agents.do_work(self.clock.tick());
        self.invoker.do_work();
    }

    /// Steps until the driver has answered; `None` if it does not.
    pub(crate) fn answer<T: Registered>(
        &mut self,
        pending: Result<Pending<T>, AddError>,
    ) -> Option<Result<T, AddError>> {
        let mut pending = match pending {
            Ok(pending) => pending,
            Err(error) => return Some(Err(error)),
        };
        for _ in 0..ANSWER_STEPS {
            self.step(MS);
            match pending.try_get() {
                Ok(None) => {}
                Ok(Some(value)) => return Some(Ok(value)),
                Err(error) => return Some(Err(error)),
            }
        }
        None
    }

    /// An exclusive publication of the honest client.
    ///
    /// # Panics
    /// When the driver does not make it.
    pub(crate) fn exclusive(&mut self, channel: &str, stream_id: i32) -> ExclusivePublication {
        let pending = self
            .client
            .add_exclusive_publication_async(channel, StreamId(stream_id));
        let answer = self.answer(pending).expect("an answer");
        answer.unwrap_or_else(|error| panic!("{channel}: {error}"))
    }

    /// A publication of the honest client.
    ///
    /// # Panics
    /// When the driver does not make it.
    pub(crate) fn publication(&mut self, channel: &str, stream_id: i32) -> Publication {
        let pending = self
            .client
            .add_publication_async(channel, StreamId(stream_id));
        let answer = self.answer(pending).expect("an answer");
        answer.unwrap_or_else(|error| panic!("{channel}: {error}"))
    }

    /// A subscription of the honest client.
    ///
    /// # Panics
    /// When the driver does not make it.
    pub(crate) fn subscription(&mut self, channel: &str, stream_id: i32) -> Subscription {
        let pending = self
            .client
            .add_subscription_async(channel, StreamId(stream_id));
        let answer = self.answer(pending).expect("an answer");
        answer.unwrap_or_else(|error| panic!("{channel}: {error}"))
    }

    /// A stream within the driver, which no stranger has to do with.
    pub(crate) fn honest_stream(&mut self, stream_id: i32) -> (Publication, Subscription) {
        let publication = self.publication("aeron:ipc?term-length=64k", stream_id);
        let subscription = self.subscription("aeron:ipc", stream_id);
        (publication, subscription)
    }

    /// The honest stream carries a message, unless its client was told that it is gone.
    ///
    /// # Panics
    /// When it does not.
    pub(crate) fn check_honest(&mut self, stream: &mut (Publication, Subscription)) {
        let (publication, subscription) = stream;
        let is_gone = |p: &Publication, s: &Subscription| p.is_closed() || s.is_closed();
        for message in [&b"still"[..], b"there"] {
            let mut is_sent = false;
            let mut arrived = 0;
            for _ in 0..ANSWER_STEPS {
                is_sent = is_sent || publication.offer(message).is_ok();
                self.step(MS);
                arrived += subscription.poll(8, |payload, _| assert_eq!(payload, message));
                if arrived > 0 || is_gone(publication, subscription) {
                    break;
                }
            }
            let is_there = arrived == 1 || is_gone(publication, subscription);
            assert!(is_there, "the honest stream is stuck, sent: {is_sent}");
        }
    }

    /// What must hold of the counters of a driver at any time.
    ///
    /// # Panics
    /// When it does not hold.
    pub(crate) fn check_positions(&self) {
        let mut marks = Vec::new();
        self.counters.for_each(|record| {
            if record.type_id == RECEIVER_HWM_TYPE_ID || record.type_id == RECEIVER_POSITION_TYPE_ID
            {
                marks.push((record.type_id, record.reference_or_key(), record.value));
            }
        });
        for (_, key, rebuild) in marks.iter().filter(|m| m.0 == RECEIVER_POSITION_TYPE_ID) {
            let mut of_image = marks.iter().filter(|m| m.1 == *key);
            let hwm = of_image.find(|m| m.0 == RECEIVER_HWM_TYPE_ID);
            if let Some((_, _, hwm)) = hwm {
                assert!(rebuild <= hwm, "rcv-pos {rebuild} beyond rcv-hwm {hwm}");
            }
        }
    }

    /// A system counter.
    pub(crate) fn system(&self, counter: SystemCounter) -> i64 {
        SystemCounters::attach(&self.counters).get(counter).get()
    }

    /// The raw bytes of the command ring, trailer included.
    pub(crate) fn ring_bytes(&self) -> AtomicBuffer {
        let end = CNC_HEADER + RING_LENGTH + RING_TRAILER;
        self.cnc_bytes.slice(CNC_HEADER..end)
    }
}

/// What identifies the image that a counter belongs to.
trait Identity {
    fn reference_or_key(&self) -> Option<RegistrationId>;
}

impl Identity for aileron::concurrent::CounterRecord {
    fn reference_or_key(&self) -> Option<RegistrationId> {
        aileron::cnc::counter_types::StreamKey::decode(&self.key).map(|key| key.registration_id)
    }
}

/// Uses up correlation ids, so that those of the honest client are no small numbers.
fn burn_ids(cnc: &AtomicBuffer) {
    const CORRELATION_OFFSET: usize = 512;
    let at = CNC_HEADER + RING_LENGTH + CORRELATION_OFFSET;
    cnc.fetch_add_i64_seq_cst(at, 0x1234_5678_9ABC_DEF0);
}
