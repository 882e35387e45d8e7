//! Launching a media driver: its directory, its files, its threads.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::access::Access;
use super::clock::{CycleClock, SystemClock};
use super::cpuset::{self, CpuPlan};
use super::directory::{
    self, CNC_FILE_NAME, DirectoryError, DirectoryPolicy, EVENTS_FILE_NAME, LOSS_REPORT_FILE_NAME,
};
use super::idle::Idler;
use super::launch_error::LaunchError;
use super::log_store::{MappedLogStore, Placement};
use super::resolver::SystemResolver;
use super::runner::{AgentThread, ThreadSpec};
use crate::base::{EpochMillis, Rng, align_usize};
use crate::cnc::{Cnc, CncLengths, CncMetadata, SystemCounter, SystemCounters};
use crate::concurrent::{AtomicCounter, EVENT_SLOT_LENGTH, EventFile, LossReport};
use crate::driver::config::{DriverConfig, IdleStrategy, ThreadNaming, ThreadingMode};
use crate::driver::{DriverCore, DriverEnvironment, EVENT_LANES, TerminationFlag};
use crate::memory::{AtomicBuffer, map_file};
use crate::net::{SystemInterfaces, UdpNetwork};
use crate::port::{Agent, Clock, NameResolver, Network, Tick};
use crate::sys;

/// A running media driver. Closing or dropping it stops its threads, deletes its log files and
/// tells clients at once.
///
/// ```
/// use aileron::{DriverConfig, MediaDriver};
/// let driver = MediaDriver::launch_embedded(DriverConfig::default())?;
/// assert!(driver.directory().join("cnc.dat").exists());
/// driver.close();
/// # Ok::<(), aileron::runtime::LaunchError>(())
/// ```
#[derive(Debug)]
pub struct MediaDriver {
    home: Home,
    threads: Vec<AgentThread>,
}

impl MediaDriver {
    /// Launches a driver on the directory of `config`, with the threads of its threading mode. In
    /// mode `INVOKER` one thread drives everything, as in `SHARED`; see [`Self::invoker`] for a
    /// driver without threads.
    ///
    /// # Errors
    /// The configuration does not fit this machine, another driver is alive in the directory, or
    /// the operating system refuses a file or a thread.
    pub fn launch(config: DriverConfig) -> Result<Self, LaunchError> {
        Self::launch_with_resolver(config, Box::new(SystemResolver))
    }

    /// Launches a driver that asks `resolver` where the operating system would be asked: for names
    /// that neither another driver nor a configured table has. It is called by one thread, and may
    /// block.
    ///
    /// ```
    /// use aileron::port::StaticResolver;
    /// use aileron::{Context, DriverConfig, MediaDriver, StreamId};
    /// let mut names = StaticResolver::default();
    /// names.insert("ticker", [127, 0, 0, 1].into());
    /// let config = aileron::runtime::embedded(DriverConfig::default());
    /// let driver = MediaDriver::launch_with_resolver(config, Box::new(names))?;
    /// let client = Context::new().dir(driver.directory()).connect()?;
    /// client.add_publication("aeron:udp?endpoint=ticker:40123", StreamId(1))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::launch`].
    pub fn launch_with_resolver(
        config: DriverConfig,
        resolver: Box<dyn NameResolver>,
    ) -> Result<Self, LaunchError> {
        let (home, core, config) = open(config, resolver)?;
        let mut driver = Self {
            home,
            threads: Vec::new(),
        };
        for (agent, spec) in assign(core, &config, &driver.home) {
            let thread = AgentThread::start(agent, spec, driver.home.clock)
                .map_err(|source| LaunchError::Thread { source })?;
            driver.threads.push(thread);
        }
        Ok(driver)
    }

    /// Launches a driver for this process: on a directory of its own that goes away with it.
    ///
    /// # Errors
    /// As [`Self::launch`].
    pub fn launch_embedded(config: DriverConfig) -> Result<Self, LaunchError> {
        Self::launch(embedded(config))
    }

    /// A driver without threads, for a caller who gives it time: on the directory of `config`.
    ///
    /// # Errors
    /// As [`Self::launch`].
    pub fn invoker(config: DriverConfig) -> Result<DriverInvoker, LaunchError> {
        let (home, core, _) = open(config, Box::new(SystemResolver))?;
        let mut clock = CycleClock::new(home.clock);
        let mut agents = core.into_composite();
        agents.on_start(clock.next());
        Ok(DriverInvoker {
            home,
            agents: Box::new(agents),
            clock,
            is_closed: false,
        })
    }

    /// The aeron directory: what clients connect to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.home.directory
    }

    /// Whether a client asked the driver to terminate and was allowed to.
    #[must_use]
    pub fn is_termination_requested(&self) -> bool {
        self.home.termination.is_set()
    }

    /// Whether an agent has panicked, which ends the driver's service.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.threads.iter().any(AgentThread::has_failed)
    }

    /// The driver's CnC file, for whoever wants to read its counters in this process.
    #[must_use]
    pub fn cnc(&self) -> &Cnc {
        &self.home.cnc
    }

    /// Stops the threads and closes everything in order; dropping does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for MediaDriver {
    fn drop(&mut self) {
        // Every thread stops before any agent closes, so that no message crosses a closed agent;
        // the conductor comes last.
        let mut agents: Vec<_> = self
            .threads
            .iter_mut()
            .rev()
            .filter_map(AgentThread::stop)
            .collect();
        let tick = self.home.clock.tick();
        for agent in &mut agents {
            agent.on_close(tick);
        }
        self.home.leave();
    }
}

/// A driver that works only when it is called: for applications that own every thread, and for
/// tests.
///
/// ```
/// use aileron::{DriverConfig, DriverInvoker, MediaDriver};
/// let mut driver = MediaDriver::invoker(aileron::runtime::embedded(DriverConfig::default()))?;
/// driver.do_work();
/// # Ok::<(), aileron::runtime::LaunchError>(())
/// ```
#[derive(Debug)]
pub struct DriverInvoker {
    home: Home,
    agents: Box<dyn Agent>,
    clock: CycleClock,
    is_closed: bool,
}

impl DriverInvoker {
    /// One duty cycle of sender, resources, conductor and receiver. Returns how much was done.
    pub fn do_work(&mut self) -> usize {
        self.agents.do_work(self.clock.next())
    }

    /// The aeron directory: what clients connect to.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.home.directory
    }

    /// Whether a client asked the driver to terminate and was allowed to.
    #[must_use]
    pub fn is_termination_requested(&self) -> bool {
        self.home.termination.is_set()
    }

    /// Closes everything in order; dropping does the same.
    pub fn close(self) {
        drop(self);
    }
}

impl Drop for DriverInvoker {
    fn drop(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            self.agents.on_close(self.clock.next());
            self.home.leave();
        }
    }
}

/// Makes `config` that of an embedded driver: a directory of its own beside the default one, which
/// is deleted when the driver closes.
#[must_use]
pub fn embedded(mut config: DriverConfig) -> DriverConfig {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut name = directory::default_directory().into_os_string();
    name.push(format!(
        "-{}-{count}-{:08x}",
        std::process::id(),
        random_seed() >> 32
    ));
    config.dir = name.into();
    config.dir_delete_on_start = true;
    config.dir_delete_on_shutdown = true;
    config
}

/// What a driver needs besides its agents.
#[derive(Debug)]
struct Home {
    directory: PathBuf,
    deletes_on_shutdown: bool,
    cnc: Cnc,
    clock: SystemClock,
    termination: TerminationFlag,
    cpus: CpuPlan,
}

impl Home {
    fn leave(&self) {
        // Another driver may live there, if somebody removed this one's directory meanwhile.
        if self.deletes_on_shutdown && directory::is_home_of(&self.directory, &self.cnc) {
            // Nobody is left to be told of a failure; the directory then stays, as after a crash.
            let _ = directory::remove(&self.directory);
        }
    }
}

type Core = DriverCore<UdpNetwork>;

/// Prepares the directory, creates its files and builds the agents; nothing runs yet.
fn open(
    mut config: DriverConfig,
    resolver: Box<dyn NameResolver>,
) -> Result<(Home, Core, DriverConfig), LaunchError> {
    if config.dir.as_os_str().is_empty() {
        config.dir = directory::default_directory();
    }
    // Clients are told where logs are, and they need not work where the driver does.
    config.dir = std::path::absolute(&config.dir)
        .map_err(directory::io_error("make absolute", &config.dir))?;
    let network = UdpNetwork::new();
    let limits = network.buffer_limits();
    config.check_against(&limits)?;
    try_out(&config, &network)?;
    let (cpus, concerns) = cpuset::plan(&config).map_err(LaunchError::Cpuset)?;
    for concern in concerns {
        if config.cpuset_warnings_as_errors {
            return Err(LaunchError::Cpuset(concern));
        }
        warn(&concern);
    }
    let policy = DirectoryPolicy {
        access: Access::new(config.dir_private),
        delete_on_start: config.dir_delete_on_start,
        warn_if_exists: config.dir_warn_if_exists,
        driver_timeout: Duration::from_millis(u64::try_from(config.driver_timeout_ms).unwrap_or(0)),
    };
    if config.print_configuration {
        print(&config);
    }
    let lock = directory::prepare(&config.dir, &policy, &warn)?;
    let opened = furnish(&config, network, resolver, cpus);
    if opened.is_err() {
        // A CnC file that never becomes ready would hold up the next driver; the first failure is
        // the one to report.
        let _ = directory::remove(&config.dir);
    }
    drop(lock);
    let (home, core) = opened?;
    Ok((home, core, config))
}

/// Bytes of memory that is asked to be somewhere, to see whether it can: enough for a mapping of
/// its own.
const SCRATCH_LENGTH: usize = 1024 * 1024;

/// Whether the machine has what is asked for and cannot be seen to be missing until much later.
fn try_out(config: &DriverConfig, network: &UdpNetwork) -> Result<(), LaunchError> {
    network.try_busy_poll(config.busy_poll()).map_err(|error| {
        LaunchError::Machine(format!(
            "{error}: aileron.socket.busy.poll up to the sysctl net.core.busy_read is free, more \
             of it and aileron.socket.prefer.busy.poll=true want CAP_NET_ADMIN"
        ))
    })?;
    let Some(node) = config.log_numa_node else {
        return Ok(());
    };
    let scratch = AtomicBuffer::heap(SCRATCH_LENGTH);
    sys::prefer_numa_node(scratch.addresses(), node).map_err(|error| {
        LaunchError::Machine(format!(
            "cannot take memory from NUMA node {node} (aileron.log.numa.node): {error}; the nodes \
             there are stand in /sys/devices/system/node/online"
        ))
    })
}

/// Creates the files of a directory that is prepared, and the agents.
fn furnish(
    config: &DriverConfig,
    network: UdpNetwork,
    resolver: Box<dyn NameResolver>,
    cpus: CpuPlan,
) -> Result<(Home, Core), LaunchError> {
    let clock = SystemClock::new();
    let tick = clock.tick();
    let cnc = create_cnc(config, tick.epoch)?;
    let access = Access::new(config.dir_private);
    let loss_report = create_mapped(
        &config.dir.join(LOSS_REPORT_FILE_NAME),
        align_usize(config.loss_report_buffer_length, config.file_page_size),
        access,
    )?;
    let mapped = cnc.length() + loss_report.len();
    let store = MappedLogStore::new(&config.dir, access).with_placement(Placement {
        wants_huge_pages: config.log_huge_pages,
        numa_node: config.log_numa_node,
    });
    let environment = DriverEnvironment {
        cnc: cnc.clone(),
        loss_report: LossReport::new(loss_report),
        network,
        log_store: Box::new(store),
        resolver,
        clock: Arc::new(clock),
        interfaces: Box::new(SystemInterfaces),
        rng: Rng::new(random_seed()),
        events: create_events(config, access, tick)?,
    };
    let core = DriverCore::new(config.clone(), environment, tick)?;
    SystemCounters::attach(&cnc.counters())
        .get(SystemCounter::BytesCurrentlyMapped)
        .add(i64::try_from(mapped).unwrap_or(i64::MAX));
    cnc.to_driver().set_consumer_heartbeat(clock.tick().epoch);
    cnc.signal_ready();
    let home = Home {
        directory: config.dir.clone(),
        deletes_on_shutdown: config.dir_delete_on_shutdown,
        cnc,
        clock,
        termination: core.termination(),
        cpus,
    };
    Ok((home, core))
}

/// The file of events, unless none are wanted.
fn create_events(
    config: &DriverConfig,
    access: Access,
    tick: Tick,
) -> Result<Option<EventFile>, LaunchError> {
    if config.logged_events().is_empty() {
        return Ok(None);
    }
    let slots = config.event_buffer_length / EVENT_SLOT_LENGTH / EVENT_LANES.len();
    let length = EventFile::length(EVENT_LANES.len(), slots);
    let path = config.dir.join(EVENTS_FILE_NAME);
    let buffer = create_mapped(&path, length, access)?;
    let pid = i64::from(std::process::id());
    let file = EventFile::create(buffer, &EVENT_LANES, (tick.now, tick.epoch), pid);
    file.map(Some).map_err(LaunchError::EventLog)
}

fn create_cnc(config: &DriverConfig, epoch: EpochMillis) -> Result<Cnc, LaunchError> {
    let lengths = CncLengths {
        to_driver: config.conductor_buffer_length,
        to_clients: config.clients_buffer_length,
        counter_values: config.counters_buffer_length,
        error_log: config.error_buffer_length,
        page_size: config.file_page_size,
    };
    let metadata = CncMetadata {
        client_liveness_timeout_ns: config.client_liveness_timeout_ns,
        start_timestamp: epoch,
        pid: i64::from(std::process::id()),
    };
    let length = lengths.total_length()?;
    let access = Access::new(config.dir_private);
    let buffer = create_mapped(&config.dir.join(CNC_FILE_NAME), length, access)?;
    Ok(Cnc::create(buffer, &lengths, &metadata)?)
}

fn create_mapped(
    path: &Path,
    length: usize,
    access: Access,
) -> Result<AtomicBuffer, DirectoryError> {
    let file = directory::create_file(path, length as u64, access)?;
    map_file(&file, length).map_err(directory::io_error("map", path))
}

/// A seed that nobody can foresee, from the operating system by way of the standard hasher's keys.
fn random_seed() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[expect(
    clippy::print_stderr,
    reason = "start-up warnings are for the person at the console"
)]
fn warn(text: &str) {
    eprintln!("WARNING: {text}");
}

#[expect(
    clippy::print_stdout,
    reason = "a setting asks for it, so that what is in effect stands in the log of the process"
)]
fn print(config: &DriverConfig) {
    for setting in config.settings() {
        println!("{setting}");
    }
}

/// Which agent runs on which thread. The conductor comes first: it is stopped and closed last.
fn assign(core: Core, config: &DriverConfig, home: &Home) -> Vec<(Box<dyn Agent>, ThreadSpec)> {
    let names = ThreadNames::new(config.thread_naming);
    let controllable = idle_status(&home.cnc);
    let error_log = core.error_log();
    let clock = home.clock;
    let on_warning: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(move |text| {
        let _is_on_record = error_log.record(clock.tick().epoch, 0, text);
    });
    let spec = |name: &str, idle: IdleStrategy, cpu: Option<usize>| ThreadSpec {
        name: name.to_owned(),
        idle: Idler::new(idle, &controllable),
        cpu,
        on_warning: Arc::clone(&on_warning),
    };
    let CpuPlan {
        conductor: conductor_cpu,
        sender: sender_cpu,
        receiver: receiver_cpu,
        resources: resources_cpu,
    } = home.cpus;
    if matches!(
        config.threading_mode,
        ThreadingMode::Shared | ThreadingMode::Invoker
    ) {
        let agent: Box<dyn Agent> = Box::new(core.into_composite());
        return vec![(
            agent,
            spec(names.shared, config.shared_idle_strategy, conductor_cpu),
        )];
    }
    let conductor = spec(
        names.conductor,
        config.conductor_idle_strategy,
        conductor_cpu,
    );
    let resources = spec(
        names.resources,
        config.resource_agent_idle_strategy,
        resources_cpu,
    );
    let agents = core.into_agents();
    let mut assigned: Vec<(Box<dyn Agent>, ThreadSpec)> =
        vec![(agents.conductor, conductor), (agents.resources, resources)];
    if config.threading_mode == ThreadingMode::SharedNetwork {
        let both = Both {
            first: agents.sender,
            second: agents.receiver,
        };
        let idle = config.sharednetwork_idle_strategy;
        assigned.push((Box::new(both), spec(names.shared_network, idle, sender_cpu)));
    } else {
        let receiver = spec(names.receiver, config.receiver_idle_strategy, receiver_cpu);
        let sender = spec(names.sender, config.sender_idle_strategy, sender_cpu);
        assigned.push((agents.receiver, receiver));
        assigned.push((agents.sender, sender));
    }
    assigned
}

fn idle_status(cnc: &Cnc) -> AtomicCounter {
    SystemCounters::attach(&cnc.counters())
        .get(SystemCounter::ControllableIdleStrategy)
        .clone()
}

/// Two agents on one thread.
struct Both {
    first: Box<dyn Agent>,
    second: Box<dyn Agent>,
}

impl Agent for Both {
    fn name(&self) -> &'static str {
        "[sender, receiver]"
    }

    fn on_start(&mut self, tick: Tick) {
        self.first.on_start(tick);
        self.second.on_start(tick);
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.first.do_work(tick) + self.second.do_work(tick)
    }

    fn rest_ns(&self) -> i64 {
        self.first.rest_ns().min(self.second.rest_ns())
    }

    fn rest(&mut self, period: Duration) -> bool {
        self.first.rest(period) || self.second.rest(period)
    }

    fn set_wake(&mut self, wake: &crate::port::Wake) {
        self.first.set_wake(wake);
        self.second.set_wake(wake);
    }

    fn on_close(&mut self, tick: Tick) {
        self.first.on_close(tick);
        self.second.on_close(tick);
    }
}

/// Names of the threads (`driver.md` §1.2).
struct ThreadNames {
    conductor: &'static str,
    sender: &'static str,
    receiver: &'static str,
    shared_network: &'static str,
    shared: &'static str,
    resources: &'static str,
}

impl ThreadNames {
    const fn new(naming: ThreadNaming) -> Self {
        match naming {
            ThreadNaming::Classic => Self {
                conductor: "conductor",
                sender: "sender",
                receiver: "receiver",
                shared_network: "[sender, receiver]",
                shared: "[conductor, sender, receiver]",
                resources: "aeron-md-nra",
            },
            ThreadNaming::New => Self {
                conductor: "aeron-md-cnd",
                sender: "aeron-md-snd",
                receiver: "aeron-md-rcv",
                shared_network: "aeron-md-net",
                shared: "aeron-md-shd",
                resources: "aeron-md-nra",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_bytes_are_those_of_the_files() {
        let config = embedded(DriverConfig::default());
        let driver = MediaDriver::invoker(config).expect("launched");
        let length = |name| {
            let path = driver.directory().join(name);
            std::fs::metadata(path).expect("exists").len()
        };
        let mapped = SystemCounters::attach(&driver.home.cnc.counters())
            .get(SystemCounter::BytesCurrentlyMapped)
            .get();
        let files = length(CNC_FILE_NAME) + length(LOSS_REPORT_FILE_NAME);
        assert_eq!(u64::try_from(mapped), Ok(files));
    }

    #[test]
    fn a_relative_directory_is_announced_as_an_absolute_one() {
        let parent = tempfile::tempdir().expect("a directory");
        let here = std::env::current_dir().expect("a directory");
        let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
        let down = parent.path().strip_prefix("/").expect("absolute");
        let config = DriverConfig {
            dir: up.join(down).join("aeron"),
            ..DriverConfig::default()
        };
        let driver = MediaDriver::invoker(config).expect("launched");
        assert!(driver.directory().is_absolute());
        assert!(parent.path().join("aeron/cnc.dat").exists());
    }

    #[test]
    fn what_the_machine_lacks_stops_the_start_by_its_name() {
        let launch = |config| {
            let parent = tempfile::tempdir().expect("a directory");
            let dir = parent.path().join("aeron");
            let launched = MediaDriver::invoker(DriverConfig {
                dir: dir.clone(),
                ..config
            });
            assert_eq!(
                launched.is_ok(),
                dir.exists(),
                "nothing is left of a failure"
            );
            launched.map(drop).map_err(|error| error.to_string())
        };
        // No machine has so many nodes.
        let on_node = DriverConfig::builder().log_numa_node(Some(255));
        let error = launch(on_node.build().expect("legal")).expect_err("refused");
        assert!(
            error.contains("NUMA node 255 (aileron.log.numa.node)"),
            "{error}"
        );
        // Whether this is granted depends on who runs the tests.
        let polling = DriverConfig::builder()
            .socket_busy_poll_ns(1_500)
            .socket_prefer_busy_poll(true);
        if let Err(error) = launch(polling.build().expect("legal")) {
            let words = ["BUSY_POLL to", "aileron.socket.busy.poll", "CAP_NET_ADMIN"];
            assert!(words.iter().all(|words| error.contains(words)), "{error}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn cpus_are_indexes_where_asked_for_and_warnings_are_errors_where_asked_for() {
        let config = |sender: u8, is_strict: bool| {
            let builder = DriverConfig::builder()
                .cpuset_affinity(true)
                .cpuset_warnings_as_errors(is_strict)
                .conductor_cpu_affinity(Some(0))
                .sender_cpu_affinity(Some(sender));
            embedded(builder.build().expect("valid"))
        };
        let beyond = config(255, false);
        let directory = beyond.dir.clone();
        let error = MediaDriver::launch(beyond).expect_err("no such CPU");
        assert!(matches!(error, LaunchError::Cpuset(_)), "{error}");
        assert!(
            error.to_string().contains("aeron.sender.cpu.affinity=255"),
            "{error}"
        );
        assert!(!directory.exists());
        let error = MediaDriver::launch(config(0, true)).expect_err("the same CPU twice");
        assert!(error.to_string().contains("both on CPU"), "{error}");
        MediaDriver::launch(config(0, false))
            .expect("a warning")
            .close();
    }

    #[test]
    fn a_launch_that_fails_leaves_no_directory_of_its_own() {
        let config = DriverConfig {
            conductor_buffer_length: 5,
            ..embedded(DriverConfig::default())
        };
        let directory = config.dir.clone();
        MediaDriver::invoker(config).expect_err("no ring has this length");
        assert!(!directory.exists());
    }
}
