//! The resource agent: slow work off the conductor (`driver.md` §16).
//!
//! Parsing channels (which resolves names and looks up interfaces), resolving addresses again, and
//! creating and deleting log files all may block. The conductor sends a [`ResourceRequest`] and
//! goes on; the answer comes back under the request's id. Requests are served in order, one per
//! duty cycle. A log whose file could not be deleted is kept and tried again in later cycles.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::BoundedQueue;
use crate::driver::config::DriverConfig;
use crate::driver::errors::ErrorReporter;
use crate::driver::failure::CommandFailure;
use crate::driver::media::host_port::resolve_host_port;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{Outbox, REST_NS};
use crate::driver::params::check_send_destination;
use crate::logbuffer::{LogBuffer, LogName, LogSpec, LogStore, StoreError, log_length};
use crate::port::{Agent, Interfaces, NameResolver, Tick, Wake};
use crate::uri::{ChannelUri, params};

/// Ties an answer to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RequestId(pub(crate) u64);

/// Something slow to do.
#[derive(Debug)]
pub(crate) struct ResourceRequest {
    /// The answer carries it back.
    pub(crate) id: RequestId,
    /// What to do.
    pub(crate) task: ResourceTask,
}

/// What the resource agent does.
#[derive(Debug)]
pub(crate) enum ResourceTask {
    /// Parse a channel and resolve its addresses.
    ParseChannel {
        /// The channel as the client wrote it.
        text: String,
        /// Whether it is a destination, which gets no suffix that makes it unique.
        is_destination: bool,
    },
    /// Resolve `host:port`.
    Resolve {
        /// The text.
        endpoint_text: String,
        /// Whether it was resolved before.
        is_re_resolution: bool,
    },
    /// Check the channel of a send destination and resolve where it is.
    ResolveDestination {
        /// The channel as the client wrote it.
        text: String,
    },
    /// Create a log and initialise its metadata.
    CreateLog {
        /// Whose log it is.
        name: LogName,
        /// Its metadata.
        spec: Box<LogSpec>,
    },
    /// Unmap and delete a log. Not answered.
    FreeLog(CreatedLog),
}

/// A log and where it is.
#[derive(Clone, Debug)]
pub(crate) struct CreatedLog {
    /// The log.
    pub(crate) log: LogBuffer,
    /// Its path as announced to clients.
    pub(crate) path: String,
}

/// A send destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvedDestination {
    /// Its `endpoint`.
    pub(crate) endpoint_text: String,
    /// Where that is, unless the name does not resolve.
    pub(crate) address: Option<SocketAddr>,
}

/// The answer to a [`ResourceRequest`].
#[derive(Debug)]
pub(crate) struct ResourceReply {
    /// Id of the request.
    pub(crate) id: RequestId,
    /// What came of it.
    pub(crate) outcome: ResourceOutcome,
}

/// What came of a [`ResourceTask`].
#[derive(Debug)]
pub(crate) enum ResourceOutcome {
    /// Of [`ResourceTask::ParseChannel`].
    Channel(Result<Box<UdpChannel>, CommandFailure>),
    /// Of [`ResourceTask::Resolve`].
    Address(Result<SocketAddr, CommandFailure>),
    /// Of [`ResourceTask::ResolveDestination`].
    Destination(Result<ResolvedDestination, CommandFailure>),
    /// Of [`ResourceTask::CreateLog`].
    Log(Result<CreatedLog, CommandFailure>),
    /// Answers nothing: the agent has closed, and whoever closes after it deletes logs itself.
    Closed(ClosedStore),
}

/// Where logs were created, after the resource agent has closed.
pub(crate) struct ClosedStore(Box<dyn LogStore>);

impl ClosedStore {
    /// Unmaps and deletes a log.
    pub(crate) fn delete(&mut self, log: CreatedLog) {
        let CreatedLog { log, path } = log;
        drop(log);
        // Nobody is left who could try again.
        let _ = self.0.delete(&path);
    }
}

impl fmt::Debug for ClosedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClosedStore")
    }
}

/// The id under which the agent says that it has closed.
const CLOSED: RequestId = RequestId(u64::MAX);

/// What the resource agent works with.
pub(crate) struct ResourcePorts {
    /// Where logs are created; gone once the agent has closed.
    pub(crate) store: Option<Box<dyn LogStore>>,
    /// Turns names into addresses.
    pub(crate) resolver: Box<dyn NameResolver>,
    /// The machine's network interfaces.
    pub(crate) interfaces: Box<dyn Interfaces>,
}

/// The agent. See the module's documentation.
pub(crate) struct Resources {
    config: Arc<DriverConfig>,
    ports: ResourcePorts,
    requests: BoundedQueue<ResourceRequest>,
    replies: Outbox<ResourceReply>,
    system: SystemCounters,
    errors: ErrorReporter,
    /// Source of the suffixes that make wildcard channels distinct.
    unique: u64,
    /// Paths of log files that could not be deleted yet.
    undeleted: VecDeque<String>,
}

impl Resources {
    /// An agent that serves `requests` and answers through `replies`.
    pub(crate) const fn new(
        config: Arc<DriverConfig>,
        ports: ResourcePorts,
        requests: BoundedQueue<ResourceRequest>,
        replies: Outbox<ResourceReply>,
        system: SystemCounters,
        errors: ErrorReporter,
    ) -> Self {
        let undeleted = VecDeque::new();
        Self {
            config,
            ports,
            requests,
            replies,
            system,
            errors,
            unique: 0,
            undeleted,
        }
    }

    fn serve(&mut self, request: ResourceRequest, tick: Tick) {
        let ResourceRequest { id, task } = request;
        let outcome = match task {
            ResourceTask::ParseChannel {
                text,
                is_destination,
            } => ResourceOutcome::Channel(self.parse_channel(&text, is_destination)),
            ResourceTask::Resolve {
                endpoint_text,
                is_re_resolution,
            } => ResourceOutcome::Address(self.resolve(&endpoint_text, is_re_resolution)),
            ResourceTask::ResolveDestination { text } => {
                ResourceOutcome::Destination(self.resolve_destination(&text))
            }
            ResourceTask::CreateLog { name, spec } => {
                ResourceOutcome::Log(self.create_log(&name, &spec, tick))
            }
            ResourceTask::FreeLog(log) => {
                self.free_log(log);
                return;
            }
        };
        self.replies.send(ResourceReply { id, outcome });
    }

    fn parse_channel(
        &mut self,
        text: &str,
        is_destination: bool,
    ) -> Result<Box<UdpChannel>, CommandFailure> {
        let ResourcePorts {
            resolver,
            interfaces,
            ..
        } = &mut self.ports;
        let channel = UdpChannel::parse(
            text,
            resolver.as_mut(),
            interfaces.as_ref(),
            is_destination,
            &mut self.unique,
            &self.config,
        )?;
        Ok(Box::new(channel))
    }

    fn resolve(
        &mut self,
        endpoint_text: &str,
        is_re_resolution: bool,
    ) -> Result<SocketAddr, CommandFailure> {
        let resolver = self.ports.resolver.as_mut();
        let name = params::ENDPOINT;
        Ok(resolve_host_port(
            endpoint_text,
            name,
            resolver,
            is_re_resolution,
        )?)
    }

    /// A host that does not resolve is no error here: the destination waits for its address.
    fn resolve_destination(&mut self, text: &str) -> Result<ResolvedDestination, CommandFailure> {
        let uri = ChannelUri::parse(text)?;
        let endpoint_text = check_send_destination(&uri)?.to_owned();
        let address = match self.resolve(&endpoint_text, false) {
            Ok(address) => Some(address),
            Err(failure) if failure.code == ErrorCode::UnknownHost => None,
            Err(failure) => return Err(failure),
        };
        Ok(ResolvedDestination {
            endpoint_text,
            address,
        })
    }

    fn create_log(
        &mut self,
        name: &LogName,
        spec: &LogSpec,
        tick: Tick,
    ) -> Result<CreatedLog, CommandFailure> {
        let length = log_length(spec.term_length, spec.page_size);
        if self.config.perform_storage_checks {
            self.check_storage(length, tick)?;
        }
        let (log, path) = self.store()?.create(name, spec)?;
        self.count_mapped(length);
        Ok(CreatedLog { log, path })
    }

    /// Storage that is short is an error; storage that is low is only worth a warning.
    fn check_storage(&mut self, needed: u64, tick: Tick) -> Result<(), CommandFailure> {
        let threshold = self.config.low_file_store_warning_threshold;
        let available = self.store()?.usable_space(needed.max(threshold))?;
        if available < needed {
            return Err(StoreError::NoSpace { needed, available }.into());
        }
        if available <= threshold {
            // The same text each time: the log of distinct errors counts it, and is not filled.
            let text =
                format!("space is running low: at most {threshold} bytes are usable for log files");
            self.errors
                .report(tick.epoch, ErrorCode::GenericError, &text);
        }
        Ok(())
    }

    fn free_log(&mut self, log: CreatedLog) {
        let CreatedLog { log, path } = log;
        self.count_unmapped(log.length());
        drop(log);
        self.delete(path);
    }

    fn delete(&mut self, path: String) {
        let Some(store) = &mut self.ports.store else {
            return;
        };
        match store.delete(&path) {
            Ok(()) | Err(StoreError::NotFound(_)) => {}
            Err(_) => {
                self.system.get(SystemCounter::FreeFails).add(1);
                self.undeleted.push_back(path);
            }
        }
    }

    fn store(&mut self) -> Result<&mut Box<dyn LogStore>, CommandFailure> {
        let store = self.ports.store.as_mut();
        store.ok_or_else(|| CommandFailure::generic("the driver is closing"))
    }

    fn retry_deletes(&mut self) -> usize {
        let limit = usize::try_from(self.config.resource_free_limit).unwrap_or(usize::MAX);
        let count = self.undeleted.len().min(limit);
        for _ in 0..count {
            if let Some(path) = self.undeleted.pop_front() {
                self.delete(path);
            }
        }
        count
    }

    fn count_mapped(&self, length: u64) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.system
            .get(SystemCounter::BytesCurrentlyMapped)
            .add(length);
    }

    fn count_unmapped(&self, length: usize) {
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        self.system
            .get(SystemCounter::BytesCurrentlyMapped)
            .add(-length);
    }
}

impl Agent for Resources {
    fn name(&self) -> &'static str {
        "resources"
    }

    fn rest_ns(&self) -> i64 {
        let is_done = self.undeleted.is_empty() && !self.replies.has_backlog();
        if is_done {
            self.ports.resolver.rest_ns().min(REST_NS)
        } else {
            0
        }
    }

    fn set_wake(&mut self, wake: &Wake) {
        self.requests.on_push(Arc::clone(wake));
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        let mut work = self.replies.flush();
        work += self.ports.resolver.do_work(tick);
        if let Some(request) = self.requests.pop() {
            self.serve(request, tick);
            work += 1;
        }
        // Repeated failures to delete are not work: they must not keep the agent from idling.
        self.retry_deletes();
        work
    }

    /// Deletes what is to be deleted. The conductor may close before or after this agent, so what
    /// it needs to delete its logs is passed on to it.
    fn on_close(&mut self, _tick: Tick) {
        while let Some(request) = self.requests.pop() {
            if let ResourceTask::FreeLog(log) = request.task {
                self.free_log(log);
            }
        }
        for path in std::mem::take(&mut self.undeleted) {
            self.delete(path);
        }
        if let Some(store) = self.ports.store.take() {
            let outcome = ResourceOutcome::Closed(ClosedStore(store));
            self.replies.send(ResourceReply {
                id: CLOSED,
                outcome,
            });
        }
    }
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources")
            .field("undeleted", &self.undeleted)
            .finish_non_exhaustive()
    }
}

impl From<StoreError> for CommandFailure {
    fn from(error: StoreError) -> Self {
        let text = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        if matches!(error, StoreError::NoSpace { .. }) {
            return Self {
                log_text: Some("a log needs more storage than is usable"),
                ..Self::new(ErrorCode::StorageSpace, text)
            };
        }
        Self::generic(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{EpochMillis, Nanos, Rng};
    use crate::concurrent::{AtomicCounter, DistinctErrorLog, read_error_log};
    use crate::logbuffer::{HeapLogStore, LogFileKind};
    use crate::memory::AtomicBuffer;
    use crate::port::StaticResolver;
    use crate::sim::SimNetwork;
    use std::net::IpAddr;

    const TICK: Tick = Tick {
        now: Nanos(0),
        epoch: EpochMillis(5),
    };
    const NAME: LogName = LogName {
        kind: LogFileKind::Publication,
        id: 7,
    };

    /// A store that cannot delete at first.
    struct Sticky {
        inner: HeapLogStore,
        refusals: usize,
    }

    impl LogStore for Sticky {
        fn create(
            &mut self,
            name: &LogName,
            spec: &LogSpec,
        ) -> Result<(LogBuffer, String), StoreError> {
            self.inner.create(name, spec)
        }

        fn delete(&mut self, path: &str) -> Result<(), StoreError> {
            if self.refusals > 0 {
                self.refusals -= 1;
                let source = std::io::Error::other("busy");
                let path = path.to_owned();
                return Err(StoreError::Io { path, source });
            }
            self.inner.delete(path)
        }

        fn usable_space(&self, wanted: u64) -> Result<u64, StoreError> {
            self.inner.usable_space(wanted)
        }
    }

    struct Bench {
        agent: Resources,
        requests: BoundedQueue<ResourceRequest>,
        replies: BoundedQueue<ResourceReply>,
        system: SystemCounters,
        error_log: AtomicBuffer,
    }

    fn bench(store: impl LogStore + 'static, config: DriverConfig) -> Bench {
        let (requests, replies) = (BoundedQueue::new(8), BoundedQueue::new(8));
        let system = SystemCounters::detached();
        let error_log = AtomicBuffer::heap(4096);
        let errors = system.get(SystemCounter::Errors).clone();
        let host = SimNetwork::new(1).host(IpAddr::from([10, 0, 0, 1]));
        let agent = Resources::new(
            Arc::new(config),
            ResourcePorts {
                store: Some(Box::new(store)),
                resolver: Box::new(StaticResolver::default()),
                interfaces: Box::new(host),
            },
            requests.clone(),
            Outbox::new(replies.clone(), AtomicCounter::detached(0)),
            system.clone(),
            ErrorReporter::new(DistinctErrorLog::new(error_log.clone()), errors),
        );
        Bench {
            agent,
            requests,
            replies,
            system,
            error_log,
        }
    }

    impl Bench {
        fn ask(&mut self, task: ResourceTask) -> Option<ResourceOutcome> {
            let id = RequestId(Rng::new(3).next_u64());
            let request = ResourceRequest { id, task };
            assert!(self.requests.push(request).is_ok());
            self.agent.do_work(TICK);
            let reply = self.replies.pop()?;
            assert_eq!(reply.id, id);
            Some(reply.outcome)
        }

        fn create(&mut self) -> Result<CreatedLog, CommandFailure> {
            let spec = Box::new(LogSpec::default());
            match self.ask(ResourceTask::CreateLog { name: NAME, spec }) {
                Some(ResourceOutcome::Log(log)) => log,
                other => panic!("{other:?}"),
            }
        }

        fn get(&self, counter: SystemCounter) -> i64 {
            self.system.get(counter).get()
        }
    }

    #[test]
    fn log_that_cannot_be_deleted_is_tried_again() {
        let inner = HeapLogStore::default();
        let sticky = Sticky {
            inner: inner.clone(),
            refusals: 2,
        };
        let mut bench = bench(sticky, DriverConfig::default());
        let log = bench.create().expect("there is space");
        let length = i64::try_from(log.log.length()).expect("small");
        assert_eq!(bench.get(SystemCounter::BytesCurrentlyMapped), length);
        assert!(bench.ask(ResourceTask::FreeLog(log)).is_none());
        assert_eq!(bench.get(SystemCounter::BytesCurrentlyMapped), 0);
        assert_eq!(
            bench.get(SystemCounter::FreeFails),
            2,
            "once more in the same cycle"
        );
        assert_eq!(inner.paths().len(), 1);
        bench.agent.do_work(TICK);
        assert_eq!(inner.paths(), Vec::<String>::new());
        assert_eq!(bench.get(SystemCounter::FreeFails), 2);
    }

    #[test]
    fn low_storage_is_a_warning_and_none_an_error() {
        let config = DriverConfig {
            low_file_store_warning_threshold: 1 << 20,
            ..DriverConfig::default()
        };
        let mut low = bench(HeapLogStore::with_space(500_000), config.clone());
        assert!(low.create().is_ok());
        assert!(low.create().is_err(), "its name is taken now");
        let mut texts = Vec::new();
        read_error_log(&low.error_log, EpochMillis(0), |seen| {
            texts.push(seen.text.to_owned());
        });
        assert_eq!(texts.len(), 1, "one distinct warning: {texts:?}");
        assert!(texts[0].contains("space is running low"), "{texts:?}");
        let mut full = bench(HeapLogStore::with_space(1000), config);
        let failure = full.create().expect_err("there is no space");
        assert_eq!(failure.code, ErrorCode::StorageSpace);
    }

    #[test]
    fn destination_without_address_is_one_that_waits() {
        let mut bench = bench(HeapLogStore::default(), DriverConfig::default());
        let mut resolve = |text: &str| {
            let text = text.to_owned();
            match bench.ask(ResourceTask::ResolveDestination { text }) {
                Some(ResourceOutcome::Destination(found)) => found,
                other => panic!("{other:?}"),
            }
        };
        let found = resolve("aeron:udp?endpoint=localhost:99").expect("known");
        assert_eq!(found.address, Some(([127, 0, 0, 1], 99).into()));
        let found = resolve("aeron:udp?endpoint=nowhere:99").expect("may come yet");
        assert_eq!((&*found.endpoint_text, found.address), ("nowhere:99", None));
        let failure = resolve("aeron:udp?endpoint=localhost").expect_err("no port");
        assert_eq!(failure.code, ErrorCode::InvalidChannel);
    }

    #[test]
    fn closed_agent_passes_on_what_deletes_logs() {
        let store = HeapLogStore::default();
        let mut bench = bench(store.clone(), DriverConfig::default());
        let log = bench.create().expect("there is space");
        bench.agent.on_close(TICK);
        let reply = bench.replies.pop().expect("a last word");
        let ResourceOutcome::Closed(mut closed) = reply.outcome else {
            panic!("{:?}", reply.outcome);
        };
        assert_eq!(store.paths().len(), 1);
        closed.delete(log);
        assert_eq!(store.paths(), Vec::<String>::new());
    }
}
