//! Putting a driver together: four agents, the queues between them, and what they share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Nanos, Rng};
use crate::cnc::{Cnc, SemanticVersion, SystemCounter, SystemCounterLabels, SystemCounters};
use crate::concurrent::{
    BoundedQueue, CountersFull, DistinctErrorLog, EventFile, InvalidCapacity, LossReport,
    RingConsumer, Transmitter,
};
use crate::driver::pace::SlowingPace;
use crate::logbuffer::LogStore;
use crate::port::{Agent, Clock, Interfaces, NameResolver, Network, Tick};

use super::agent_report::{AgentReport, Beat};
use super::conductor::{Conductor, ConductorParts};
use super::config::DriverConfig;
use super::counters::DriverCounters;
use super::duty_cycle::DutyCycleTracker;
use super::errors::ErrorReporter;
use super::event_logs::EventLogs;
use super::media::wildcard_ports::WildcardPorts;
use super::messages::{Outbox, QUEUE_CAPACITY};
use super::names::{self, NameParts};
use super::receiver::{Receiver, ReceiverParams};
use super::resources::{ResourcePorts, Resources};
use super::sender::Sender;
use super::termination::TerminationFlag;

/// What a driver needs of the world around it; see [`DriverCore`].
#[expect(
    clippy::exhaustive_structs,
    reason = "built by name by whoever runs a driver"
)]
pub struct DriverEnvironment<N> {
    /// The CnC file, not ready yet. Nothing but its header has been written.
    pub cnc: Cnc,
    /// The loss report.
    pub loss_report: LossReport,
    /// Opens transports.
    pub network: N,
    /// Creates and deletes logs.
    pub log_store: Box<dyn LogStore>,
    /// Resolves host names that neither other drivers nor a configured table know.
    pub resolver: Box<dyn NameResolver>,
    /// Measures how long look-ups of names take; nothing else.
    pub clock: Arc<dyn Clock>,
    /// The machine's network interfaces.
    pub interfaces: Box<dyn Interfaces>,
    /// Source of everything random.
    pub rng: Rng,
    /// Where events are written down, with a lane for each of
    /// [`EVENT_LANES`](crate::driver::EVENT_LANES); nowhere if absent.
    pub events: Option<EventFile>,
}

impl<N> fmt::Debug for DriverEnvironment<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverEnvironment")
            .field("cnc", &self.cnc)
            .finish_non_exhaustive()
    }
}

/// Why a driver could not be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DriverCoreError {
    /// The counters file has no room for the driver's own counters.
    Counters(CountersFull),
    /// The buffer of events has an impossible length.
    Events(InvalidCapacity),
    /// The interface on which drivers tell each other names cannot be used.
    ResolverInterface {
        /// As configured.
        interface: String,
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for DriverCoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counters(_) => f.write_str("cannot allocate the driver's own counters"),
            Self::Events(_) => f.write_str("cannot use the buffer of events"),
            Self::ResolverInterface { interface, reason } => {
                write!(f, "cannot use resolver interface '{interface}': {reason}")
            }
        }
    }
}

impl std::error::Error for DriverCoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Counters(error) => Some(error),
            Self::Events(error) => Some(error),
            Self::ResolverInterface { .. } => None,
        }
    }
}

/// A driver before it runs: its agents, connected with one another.
///
/// It does not own its surroundings. Before clients may attach, the caller writes the first
/// heartbeat and signals the CnC file as ready (`driver.md` §4.1).
///
/// ```
/// use aileron::base::Rng;
/// use aileron::cnc::{Cnc, CncLengths, CncMetadata};
/// use aileron::concurrent::LossReport;
/// use aileron::driver::config::DriverConfig;
/// use aileron::driver::{DriverCore, DriverEnvironment};
/// use aileron::logbuffer::HeapLogStore;
/// use aileron::memory::AtomicBuffer;
/// use aileron::net::{SystemInterfaces, UdpNetwork};
/// use aileron::port::{Agent, StaticResolver, Tick};
/// use aileron::runtime::SystemClock;
///
/// // A driver in memory that nobody can attach to; `runtime::MediaDriver` makes real ones.
/// let tick = Tick::default();
/// let (lengths, timeout) = (CncLengths::default(), 10_000_000_000);
/// let metadata =
///     CncMetadata { client_liveness_timeout_ns: timeout, start_timestamp: tick.epoch, pid: 1 };
/// let cnc = Cnc::create(AtomicBuffer::heap(lengths.total_length()?), &lengths, &metadata)?;
/// let environment = DriverEnvironment {
///     cnc: cnc.clone(),
///     loss_report: LossReport::new(AtomicBuffer::heap(4096)),
///     network: UdpNetwork::new(),
///     log_store: Box::new(HeapLogStore::default()),
///     resolver: Box::new(StaticResolver::default()),
///     clock: std::sync::Arc::new(SystemClock::new()),
///     interfaces: Box::new(SystemInterfaces),
///     rng: Rng::new(7),
///     events: None,
/// };
/// let core = DriverCore::new(DriverConfig::default(), environment, tick)?;
/// assert!(!core.termination().is_set());
/// let mut agents = core.into_composite();
/// agents.on_start(tick);
/// cnc.signal_ready();
/// agents.do_work(tick);
/// agents.on_close(tick);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct DriverCore<N: Network> {
    conductor: Conductor<N>,
    sender: Sender<N::Transport>,
    receiver: Receiver<N::Transport>,
    resources: Resources,
    reports: [AgentReport; 3],
    termination: TerminationFlag,
    error_log: DistinctErrorLog,
}

/// The agents of a driver, one by one, to be run on threads of their own; see [`DriverCore`]. The
/// sender and the receiver are to be closed before the conductor.
#[expect(
    clippy::exhaustive_structs,
    reason = "these are all the agents there are"
)]
pub struct DriverParts {
    /// Decides, and speaks with clients.
    pub conductor: Box<dyn Agent>,
    /// Sends publications.
    pub sender: Box<dyn Agent>,
    /// Receives images.
    pub receiver: Box<dyn Agent>,
    /// Does what may block.
    pub resources: Box<dyn Agent>,
}

/// Nanoseconds between two cycles of conductor and resource agent, at least, where one thread has
/// all agents: what these do can wait as long.
const CONDUCTOR_INTERVAL_NS: i64 = 2_000;

/// The same where they have found nothing to do for a while, and nothing was received. To look, the
/// conductor reads positions that subscribers write: both then wait for a line of memory, and with
/// them the next message.
const IDLE_CONDUCTOR_INTERVAL_NS: i64 = 100_000;

/// All agents of a driver as one, for a single thread; see [`DriverCore`]. A duty cycle runs
/// sender, resource agent, conductor and receiver, in this order: what a client of the same thread
/// offers before the cycle goes out first, and what has come in last is there for its next poll.
/// In cycles that follow one another within microseconds, resource agent and conductor sit out,
/// unless something was sent: while that is under way there is time. They sit out longer where they
/// have found nothing to do.
pub struct DriverAgents {
    agents: [Box<dyn Agent>; 4],
    /// Of conductor and resource agent.
    pace: SlowingPace,
    /// Of the three that report: what one does, all do.
    reports: [AgentReport; 3],
    beat: Beat,
}

impl<N: Network> DriverCore<N> {
    /// Puts a driver together. Allocates the system counters, which have to be the first counters
    /// of the CnC file.
    ///
    /// # Errors
    /// The CnC file does not suit a driver.
    pub fn new(
        config: DriverConfig,
        mut environment: DriverEnvironment<N>,
        tick: Tick,
    ) -> Result<Self, DriverCoreError> {
        let config = Arc::new(config);
        let cnc = &environment.cnc;
        let mut manager = cnc.counters_manager(reuse_timeout_ms(&config));
        let version = version();
        let system = SystemCounters::allocate(&mut manager, &labels(&config), version, tick.epoch)
            .map_err(DriverCoreError::Counters)?;
        let reports = AgentReport::allocate_all(&mut manager, tick.epoch)
            .map_err(DriverCoreError::Counters)?;
        let error_log = DistinctErrorLog::new(cnc.error_log_buffer());
        let errors =
            ErrorReporter::new(error_log.clone(), system.get(SystemCounter::Errors).clone());
        let logs = EventLogs::new(environment.events.as_ref(), config.logged_events());
        let events = Transmitter::new(cnc.to_clients_buffer()).map_err(DriverCoreError::Events)?;
        let to_sender = BoundedQueue::new(QUEUE_CAPACITY);
        let to_receiver = BoundedQueue::new(QUEUE_CAPACITY);
        let to_resources = BoundedQueue::new(QUEUE_CAPACITY);
        let to_conductor = BoundedQueue::new(QUEUE_CAPACITY);
        let replies = BoundedQueue::new(QUEUE_CAPACITY);
        let counter_of = |counter| system.get(counter).clone();
        let conductor_fails = counter_of(SystemCounter::ConductorProxyFails);
        let termination = TerminationFlag::default();
        let sender = Sender::new(
            &config,
            to_sender.clone(),
            Outbox::new(to_conductor.clone(), conductor_fails.clone()),
            system.clone(),
            errors.with_events(&logs.sender),
            tick,
        );
        let receiver = Receiver::new(ReceiverParams {
            commands: to_receiver.clone(),
            conductor: Outbox::new(to_conductor.clone(), conductor_fails.clone()),
            counters: system.clone(),
            errors: errors.with_events(&logs.receiver),
            duty_cycle: DutyCycleTracker::new(
                config.receiver_cycle_threshold_ns,
                counter_of(SystemCounter::ReceiverMaxCycleTime),
                counter_of(SystemCounter::ReceiverCycleTimeThresholdExceeded),
                tick.now,
            ),
            re_resolution_check_interval_ns: config.reresolution_check_interval_ns,
        });
        let mut receiver_ports = WildcardPorts::new(config.receiver_wildcard_port_range);
        let resolver = names::build(NameParts {
            config: &config,
            network: &mut environment.network,
            interfaces: environment.interfaces.as_ref(),
            base: environment.resolver,
            clock: environment.clock,
            manager: &mut manager,
            ports: &mut receiver_ports,
            system: &system,
            errors: &errors.with_events(&logs.resources),
            events: logs.resources.clone(),
            tick,
        })?;
        let ports = ResourcePorts {
            store: Some(environment.log_store),
            resolver,
            interfaces: environment.interfaces,
        };
        let resources = Resources::new(
            Arc::clone(&config),
            ports,
            to_resources.clone(),
            Outbox::new(replies.clone(), conductor_fails),
            system.clone(),
            errors.with_events(&logs.resources),
        );
        let conductor = Conductor::new(ConductorParts {
            tick,
            network: environment.network,
            commands: RingConsumer::new(cnc.to_driver()),
            events,
            counters: DriverCounters::new(manager),
            errors: errors.with_events(&logs.conductor),
            loss_report: environment.loss_report,
            sender: Outbox::new(to_sender, counter_of(SystemCounter::SenderProxyFails)),
            receiver: Outbox::new(to_receiver, counter_of(SystemCounter::ReceiverProxyFails)),
            resources: Outbox::new(
                to_resources,
                counter_of(SystemCounter::NativeResourceAgentProxyFails),
            ),
            inbox: to_conductor,
            replies,
            termination: termination.clone(),
            rng: environment.rng,
            receiver_ports,
            system,
            config,
            logs,
        });
        Ok(Self {
            conductor,
            sender,
            receiver,
            resources,
            reports,
            termination,
            error_log,
        })
    }

    /// Set when a client asked the driver to terminate and was allowed to.
    #[must_use]
    pub fn termination(&self) -> TerminationFlag {
        self.termination.clone()
    }

    /// The driver's error log, which has one writer: this and its clones.
    #[must_use]
    pub fn error_log(&self) -> DistinctErrorLog {
        self.error_log.clone()
    }

    /// The agents one by one.
    #[must_use]
    pub fn into_agents(self) -> DriverParts {
        let [conductor, sender, receiver] = self.reports;
        DriverParts {
            conductor: Box::new(conductor.of(self.conductor)),
            sender: Box::new(sender.of(self.sender)),
            receiver: Box::new(receiver.of(self.receiver)),
            resources: Box::new(self.resources),
        }
    }

    /// The agents as one.
    #[must_use]
    pub fn into_composite(self) -> DriverAgents {
        let agents: [Box<dyn Agent>; 4] = [
            Box::new(self.sender),
            Box::new(self.resources),
            Box::new(self.conductor),
            Box::new(self.receiver),
        ];
        DriverAgents::new(agents, self.reports)
    }
}

impl DriverAgents {
    fn new(agents: [Box<dyn Agent>; 4], reports: [AgentReport; 3]) -> Self {
        Self {
            agents,
            pace: SlowingPace::new(
                CONDUCTOR_INTERVAL_NS,
                IDLE_CONDUCTOR_INTERVAL_NS,
                Nanos::default(),
            ),
            reports,
            beat: Beat::default(),
        }
    }

    fn report(&self, tick: Tick) {
        for report in &self.reports {
            report.tell(&self.beat, tick);
        }
    }
}

impl Agent for DriverAgents {
    fn name(&self) -> &'static str {
        "[sender, resources, conductor, receiver]"
    }

    fn on_start(&mut self, tick: Tick) {
        self.beat.start(tick.now);
        self.report(tick);
        for agent in &mut self.agents {
            agent.on_start(tick);
        }
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        if self.beat.cycle(tick.now) {
            self.report(tick);
        }
        let [sender, resources, conductor, receiver] = &mut self.agents;
        let mut work = sender.do_work(tick);
        let has_sent = work > 0;
        if has_sent || self.pace.is_due(tick.now) {
            let done = resources.do_work(tick) + conductor.do_work(tick);
            self.pace.restart(tick.now, done > 0 || has_sent);
            work += done;
        }
        let received = receiver.do_work(tick);
        if received > 0 {
            self.pace.quicken();
        }
        work += received;
        self.beat.worked(work);
        work
    }

    /// What one has for another is in a queue by then, so that neither would rest.
    fn rest_ns(&self) -> i64 {
        let rests = self.agents.iter().map(|agent| agent.rest_ns());
        rests.min().unwrap_or(0)
    }

    fn rest(&mut self, period: Duration) -> bool {
        self.agents.iter_mut().any(|agent| agent.rest(period))
    }

    fn on_close(&mut self, tick: Tick) {
        for agent in &mut self.agents {
            agent.on_close(tick);
        }
    }
}

impl<N: Network> fmt::Debug for DriverCore<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverCore")
            .field("conductor", &self.conductor)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for DriverParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverParts").finish_non_exhaustive()
    }
}

impl fmt::Debug for DriverAgents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DriverAgents").finish_non_exhaustive()
    }
}

/// How long a freed counter rests: whole milliseconds, at least one unless there is no rest at all.
fn reuse_timeout_ms(config: &DriverConfig) -> i64 {
    match config.counters_free_to_reuse_timeout_ns {
        0 => 0,
        ns => (ns / 1_000_000).max(1),
    }
}

/// The version of this crate.
fn version() -> SemanticVersion {
    let part = |text: &str| text.parse().unwrap_or(0);
    SemanticVersion::new(
        part(env!("CARGO_PKG_VERSION_MAJOR")),
        part(env!("CARGO_PKG_VERSION_MINOR")),
        part(env!("CARGO_PKG_VERSION_PATCH")),
    )
}

fn labels(config: &DriverConfig) -> SystemCounterLabels<'_> {
    SystemCounterLabels {
        version: env!("CARGO_PKG_VERSION"),
        commit: crate::cnc::COMMIT,
        threading_mode: config.threading_mode.name(),
        conductor_threshold_ns: config.conductor_cycle_threshold_ns,
        sender_threshold_ns: config.sender_cycle_threshold_ns,
        receiver_threshold_ns: config.receiver_cycle_threshold_ns,
        name_resolver_threshold_ns: config.name_resolver_threshold_ns,
        resolver_name: &config.resolver_name,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use super::*;
    use crate::base::EpochMillis;
    use crate::concurrent::CountersManager;
    use crate::memory::AtomicBuffer;

    /// How often it was asked to work, and how much it finds to do next time.
    #[derive(Clone, Default)]
    struct Worker(Arc<[AtomicUsize; 2]>);

    impl Worker {
        fn cycles(&self) -> usize {
            self.0[0].load(Relaxed)
        }

        fn finds(&self, work: usize) {
            self.0[1].store(work, Relaxed);
        }
    }

    impl Agent for Worker {
        fn name(&self) -> &'static str {
            "worker"
        }

        fn do_work(&mut self, _: Tick) -> usize {
            self.0[0].fetch_add(1, Relaxed);
            self.0[1].swap(0, Relaxed)
        }
    }

    #[test]
    fn the_conductor_sits_out_until_there_may_be_something_to_do() {
        let [sender, resources, conductor, receiver] = [(); 4].map(|()| Worker::default());
        let all = [&sender, &resources, &conductor, &receiver];
        let mut manager = CountersManager::new(
            AtomicBuffer::heap(64 * 1024),
            AtomicBuffer::heap(16 * 1024),
            0,
        )
        .expect("legal lengths");
        let reports = AgentReport::allocate_all(&mut manager, EpochMillis(1)).expect("room");
        let agents = all.map(|worker| Box::new(worker.clone()) as Box<dyn Agent>);
        let mut driver = DriverAgents::new(agents, reports);
        let mut now = Nanos(1_000_000_000);
        driver.on_start(Tick {
            now,
            ..Tick::default()
        });
        // How many of 500 cycles, one each microsecond, the conductor takes part in.
        let mut part_in = || {
            let before = all.map(Worker::cycles);
            for _ in 0..500 {
                now = now.plus_ns(1_000);
                driver.do_work(Tick {
                    now,
                    ..Tick::default()
                });
            }
            let [sent, prepared, conducted, received] =
                [0, 1, 2, 3].map(|index| all[index].cycles() - before[index]);
            assert_eq!((sent, received), (500, 500), "these never sit out");
            assert_eq!(prepared, conducted);
            conducted
        };
        assert_eq!(part_in(), 9, "4, 8, 16, 32, 64, then 100 us apart");
        assert_eq!(part_in(), 5);
        receiver.finds(1);
        assert_eq!(part_in(), 9, "quickened by what came in");
        part_in();
        sender.finds(1);
        assert_eq!(
            part_in(),
            10,
            "at once with what goes out, then as at first"
        );
        part_in();
        conductor.finds(1);
        assert_eq!(part_in(), 10, "busy while there is something to do");
    }
}
