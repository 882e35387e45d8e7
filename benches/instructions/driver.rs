//! A whole driver and a client of it in memory, on time that is counted, over real sockets: what a
//! message takes from the offer to the poll, with the log of events absent, off and on.

use std::sync::{Arc, Mutex, PoisonError};

use aileron::base::{EpochMillis, Nanos, Rng, StreamId};
use aileron::client::{Client, ClientConfig, ClientEnvironment, Publication, Subscription};
use aileron::cnc::{Cnc, CncLengths, CncMetadata};
use aileron::concurrent::{EventFile, EventSet, LossReport};
use aileron::driver::config::DriverConfig;
use aileron::driver::{DriverAgents, DriverCore, DriverEnvironment, EVENT_LANES};
use aileron::logbuffer::HeapLogStore;
use aileron::memory::AtomicBuffer;
use aileron::net::{SystemInterfaces, UdpNetwork};
use aileron::port::{Agent, Clock, StaticResolver, Tick};

use super::scenarios::MESSAGE;

/// Between two cycles: timers come due as they would in a driver that is busy.
const STEP_NS: i64 = 10_000;
/// Cycles after which something has gone wrong.
const CYCLES_MAX: usize = 100_000;
const STREAM: StreamId = StreamId(1001);
const START: Tick = Tick {
    now: Nanos(1_000_000_000),
    epoch: EpochMillis(1_700_000_000_000),
};

/// How a driver has its log of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Events {
    /// There is none, as without `aeron.event.log`.
    Absent,
    /// There is one, and nothing is written into it.
    Off,
    /// Everything is.
    All,
}

/// Time that passes when it is told to.
#[derive(Debug)]
struct Counted(Mutex<Tick>);

impl Counted {
    fn step(&self) -> Tick {
        let mut tick = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tick.now = Nanos(tick.now.get() + STEP_NS);
        let passed_ms = tick.now.since(START.now) / 1_000_000;
        tick.epoch = EpochMillis(START.epoch.get() + passed_ms);
        *tick
    }
}

impl Clock for Counted {
    fn tick(&self) -> Tick {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A driver without clients, its CnC file and its logs.
pub(crate) fn launch(events: Events, clock: Arc<dyn Clock>) -> (DriverAgents, Cnc, HeapLogStore) {
    let tick = clock.tick();
    let lengths = CncLengths::default();
    let metadata = CncMetadata {
        client_liveness_timeout_ns: 10_000_000_000,
        start_timestamp: tick.epoch,
        pid: 1,
    };
    let buffer = AtomicBuffer::heap(lengths.total_length().expect("legal lengths"));
    let cnc = Cnc::create(buffer, &lengths, &metadata).expect("fits");
    let store = HeapLogStore::default();
    let file = (events != Events::Absent).then(|| {
        let lanes = EVENT_LANES.len();
        let buffer = AtomicBuffer::heap(EventFile::length(lanes, 64));
        EventFile::create(buffer, &EVENT_LANES, (tick.now, tick.epoch), 1).expect("fits")
    });
    let environment = DriverEnvironment {
        cnc: cnc.clone(),
        loss_report: LossReport::new(AtomicBuffer::heap(4096)),
        network: UdpNetwork::new(),
        log_store: Box::new(store.clone()),
        resolver: Box::new(StaticResolver::default()),
        clock,
        interfaces: Box::new(SystemInterfaces),
        rng: Rng::new(7),
        events: file,
    };
    let wanted = if events == Events::All {
        EventSet::all()
    } else {
        EventSet::NONE
    };
    let config = DriverConfig::builder()
        .event_log(wanted)
        .define("aeron.term.buffer.length=64k")
        .build();
    let config = config.expect("a legal configuration");
    let core = DriverCore::new(config, environment, tick).expect("a driver");
    let mut agents = core.into_composite();
    agents.on_start(tick);
    cnc.to_driver().set_consumer_heartbeat(tick.epoch);
    cnc.signal_ready();
    (agents, cnc, store)
}

/// A stream between a publication and a subscription of one driver.
struct Stream {
    cycle: Arc<dyn Fn() + Send + Sync>,
    publication: Publication,
    subscription: Subscription,
    _client: Client,
}

impl Stream {
    fn open(events: Events, channel: &str) -> Self {
        let clock = Arc::new(Counted(Mutex::new(START)));
        let (agents, cnc, store) = launch(events, Arc::clone(&clock) as _);
        let agents = Mutex::new(agents);
        let time = Arc::clone(&clock);
        let cycle: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
            let mut agents = agents.lock().unwrap_or_else(PoisonError::into_inner);
            agents.do_work(time.step());
        });
        let environment = ClientEnvironment {
            cnc,
            opener: Arc::new(store),
            clock,
            waiter: Arc::clone(&cycle),
        };
        let connected = Client::new(environment, ClientConfig::default());
        let (client, mut invoker) = connected.expect("a client");
        let subscription = client.add_subscription(channel, STREAM).expect("added");
        let mut until = |is_so: &dyn Fn() -> bool| {
            for _ in 0..CYCLES_MAX {
                if is_so() {
                    return;
                }
                cycle();
                invoker.do_work();
            }
            panic!("it does not come about");
        };
        until(&|| subscription.resolved_channel().is_some());
        let channel = subscription.resolved_channel().expect("bound");
        let publication = client.add_publication(&*channel, STREAM).expect("added");
        until(&|| publication.is_connected() && subscription.is_connected());
        Self {
            cycle,
            publication,
            subscription,
            _client: client,
        }
    }

    /// One message there.
    fn pass(&mut self) {
        while self.publication.offer(&MESSAGE).is_err() {
            (self.cycle)();
        }
        for _ in 0..CYCLES_MAX {
            (self.cycle)();
            if self.subscription.poll(1, |_, _| {}) == 1 {
                return;
            }
        }
        panic!("it does not arrive");
    }
}

/// A message over UDP, from the offer to the poll.
pub(crate) fn udp_message(events: Events) -> Box<dyn FnMut()> {
    let mut stream = Stream::open(events, "aeron:udp?endpoint=127.0.0.1:0");
    // Terms are cleaned and positions told now and then: that has begun when counting does.
    for _ in 0..1_000 {
        stream.pass();
    }
    Box::new(move || stream.pass())
}

/// All agents of a driver without clients, in a moment in which no timer is due.
pub(crate) fn idle_cycle(events: Events) -> Box<dyn FnMut()> {
    let clock = Arc::new(Counted(Mutex::new(START)));
    let (mut agents, _cnc, _store) = launch(events, clock);
    Box::new(move || {
        std::hint::black_box(agents.do_work(START));
    })
}
