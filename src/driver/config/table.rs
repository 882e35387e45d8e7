//! The table of options (`config.md` §2): one row each with type, default, kind, range, property
//! and environment name. Everything else about an option (field, getter, setter, reading, listing,
//! documentation) is generated from its row.
//!
//! Options whose C driver knows only an environment variable carry the property form of that
//! variable; options that only the Java driver knows have no environment variable.

use std::path::{Path, PathBuf};

use super::builder::DriverConfigBuilder;
use super::idle::IdleStrategy;
use super::kind::{
    Kind, count, duration, events, flag, idle, list, names, path, ports, probability, size, text,
};
use super::loss::{fixed_loss, multi_gap_loss, random_loss};
use super::schema::{OptionInfo, OptionRow, options};
use super::sources::Source;
use super::suppliers::Suppliers;
use super::values::{
    CongestionSupplier, GroupConsideration, MulticastFlowControlSupplier, NameResolverSupplier,
    PortRange, TerminationValidator, ThreadNaming, ThreadingMode,
};
use super::{FixedLoss, MultiGapLoss, RandomLoss};
use crate::concurrent::EventSet;

const KIB: i128 = 1024;
const MIB: i128 = 1024 * KIB;
const GIB: i128 = 1024 * MIB;
const I32_MAX: i128 = i32::MAX as i128;
const I64_MIN: i128 = i64::MIN as i128;
const I64_MAX: i128 = i64::MAX as i128;

const US: i64 = 1_000;
const MS: i64 = 1_000_000;
const S: i64 = 1_000_000_000;
/// Shortest timeout that the C driver accepts.
const ONE_US: i128 = 1_000;
const ONE_MS: i128 = 1_000_000;

/// Bytes of the trailer of the ring to the driver.
const RING_TRAILER: i128 = 768;
/// Bytes of the trailer of the broadcast to the clients.
const BROADCAST_TRAILER: i128 = 128;

const THREADING: &[(&str, ThreadingMode)] = &[
    ("DEDICATED", ThreadingMode::Dedicated),
    ("SHARED_NETWORK", ThreadingMode::SharedNetwork),
    ("SHARED", ThreadingMode::Shared),
    ("INVOKER", ThreadingMode::Invoker),
];
const NAMING: &[(&str, ThreadNaming)] = &[
    ("classic", ThreadNaming::Classic),
    ("new", ThreadNaming::New),
];
const GROUP: &[(&str, GroupConsideration)] = &[
    ("infer", GroupConsideration::Infer),
    ("true", GroupConsideration::True),
    ("false", GroupConsideration::False),
];
const CONGESTION: &[(&str, CongestionSupplier)] = &[
    ("default", CongestionSupplier::Default),
    ("static", CongestionSupplier::Static),
    ("cubic", CongestionSupplier::Cubic),
    (
        "io.aeron.driver.DefaultCongestionControlSupplier",
        CongestionSupplier::Default,
    ),
];
const MULTICAST_FLOW: &[(&str, MulticastFlowControlSupplier)] = &[
    ("default", MulticastFlowControlSupplier::Default),
    ("multicast_max", MulticastFlowControlSupplier::Max),
    ("multicast_min", MulticastFlowControlSupplier::Min),
    ("multicast_tagged", MulticastFlowControlSupplier::Tagged),
    ("unicast_max", MulticastFlowControlSupplier::UnicastMax),
    (
        "io.aeron.driver.DefaultMulticastFlowControlSupplier",
        MulticastFlowControlSupplier::Default,
    ),
    (
        "io.aeron.driver.MaxMulticastFlowControlSupplier",
        MulticastFlowControlSupplier::Max,
    ),
    (
        "io.aeron.driver.MinMulticastFlowControlSupplier",
        MulticastFlowControlSupplier::Min,
    ),
    (
        "io.aeron.driver.TaggedMulticastFlowControlSupplier",
        MulticastFlowControlSupplier::Tagged,
    ),
    (
        "io.aeron.driver.PreferredMulticastFlowControlSupplier",
        MulticastFlowControlSupplier::Tagged,
    ),
];
const VALIDATOR: &[(&str, TerminationValidator)] = &[
    ("deny", TerminationValidator::Deny),
    ("allow", TerminationValidator::Allow),
    (
        "io.aeron.driver.DefaultDenyTerminationValidator",
        TerminationValidator::Deny,
    ),
    (
        "io.aeron.driver.DefaultAllowTerminationValidator",
        TerminationValidator::Allow,
    ),
];
const RESOLVER: &[(&str, NameResolverSupplier)] = &[
    ("default", NameResolverSupplier::Default),
    ("driver", NameResolverSupplier::Driver),
    ("csv_table", NameResolverSupplier::CsvTable),
];

options! {
    "Directory and lifecycle" {
        /// Shared directory of driver and clients. Unless set: `aeron-` and the user's name, in
        /// `/dev/shm` or else the system's directory for temporary files.
        dir: PathBuf as &Path = PathBuf::from("/dev/shm/aeron-default"), path(),
            "aeron.dir", "AERON_DIR";
        /// Warns on stderr if the directory exists at start.
        dir_warn_if_exists: bool = false, flag(),
            "aeron.dir.warn.if.exists", "AERON_DIR_WARN_IF_EXISTS";
        /// Deletes an existing directory at start without looking for an active driver.
        dir_delete_on_start: bool = false, flag(),
            "aeron.dir.delete.on.start", "AERON_DIR_DELETE_ON_START";
        /// Deletes the directory on a clean close.
        dir_delete_on_shutdown: bool = false, flag(),
            "aeron.dir.delete.on.shutdown", "AERON_DIR_DELETE_ON_SHUTDOWN";
        /// Creates the directory with mode 0700 and its files with 0600, so that only processes of
        /// the driver's own user can be its clients; otherwise the umask alone decides, as with
        /// Aeron.
        dir_private: bool = false, flag(),
            "aileron.dir.private", "AILERON_DIR_PRIVATE";
        /// Age of the driver's heartbeat, in milliseconds, at which clients and a starting driver
        /// call it dead.
        driver_timeout_ms: i64 = 10_000, count("ms", 0, I64_MAX),
            "aeron.driver.timeout", "AERON_DRIVER_TIMEOUT";
        /// Prints the effective configuration at start.
        print_configuration: bool = false, flag(),
            "aeron.print.configuration", "AERON_PRINT_CONFIGURATION";
        /// Gate for unreleased features; guards nothing at present.
        enable_experimental_features: bool = false, flag(),
            "aeron.enable.experimental.features", "AERON_ENABLE_EXPERIMENTAL_FEATURES";
        /// Decides requests of clients to terminate the driver.
        termination_validator: TerminationValidator = TerminationValidator::Deny, names(VALIDATOR),
            "aeron.driver.termination.validator", "AERON_DRIVER_TERMINATION_VALIDATOR";
        /// Alignment of the lengths of mapped files, and stride of pre-touching.
        file_page_size: usize = 4096, size(4 * KIB, GIB).power_of_two(),
            "aeron.file.page.size", "AERON_FILE_PAGE_SIZE";
        /// Checks for free space before mapping a log.
        perform_storage_checks: bool = true, flag(),
            "aeron.perform.storage.checks", "AERON_PERFORM_STORAGE_CHECKS";
        /// Warns when usable space is not above this.
        low_file_store_warning_threshold: u64 = 160 * 1024 * 1024, size(0, I64_MAX),
            "aeron.low.file.store.warning.threshold", "AERON_LOW_FILE_STORE_WARNING_THRESHOLD";
        /// Log buffers retried for freeing per cycle of the resource agent.
        resource_free_limit: u32 = 1, count("count", 1, I32_MAX),
            "aeron.driver.resource.free.limit", "AERON_DRIVER_RESOURCE_FREE_LIMIT";
    }
    "Threads" {
        /// Which agents share a thread.
        threading_mode: ThreadingMode = ThreadingMode::Dedicated, names(THREADING),
            "aeron.threading.mode", "AERON_THREADING_MODE";
        /// Set of thread names.
        thread_naming: ThreadNaming = ThreadNaming::Classic, names(NAMING),
            "aeron.thread.naming", "AERON_THREAD_NAMING";
        /// Idle strategy of the conductor with a thread of its own.
        conductor_idle_strategy: IdleStrategy = IdleStrategy::BACKOFF, idle(),
            "aeron.conductor.idle.strategy", "AERON_CONDUCTOR_IDLE_STRATEGY";
        /// Idle strategy of the sender with a thread of its own.
        sender_idle_strategy: IdleStrategy = IdleStrategy::BACKOFF, idle(),
            "aeron.sender.idle.strategy", "AERON_SENDER_IDLE_STRATEGY";
        /// Idle strategy of the receiver with a thread of its own.
        receiver_idle_strategy: IdleStrategy = IdleStrategy::BACKOFF, idle(),
            "aeron.receiver.idle.strategy", "AERON_RECEIVER_IDLE_STRATEGY";
        /// Idle strategy of the thread that sender and receiver share.
        sharednetwork_idle_strategy: IdleStrategy = IdleStrategy::BACKOFF, idle(),
            "aeron.sharednetwork.idle.strategy", "AERON_SHAREDNETWORK_IDLE_STRATEGY";
        /// Idle strategy of the thread that all agents share.
        shared_idle_strategy: IdleStrategy = IdleStrategy::BACKOFF, idle(),
            "aeron.shared.idle.strategy", "AERON_SHARED_IDLE_STRATEGY";
        /// Idle strategy of the resource agent with a thread of its own.
        resource_agent_idle_strategy: IdleStrategy = IdleStrategy::SleepNs(MS), idle(),
            "aeron.driver.native.resource.agent.idle.strategy",
            "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY";
        /// Arguments of the conductor's idle strategy, such as `10-20-1us-1ms` for backoff.
        conductor_idle_strategy_init_args: String as &str = IdleStrategy::BACKOFF.args(), text(),
            "aeron.conductor.idle.strategy.init.args", "AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS";
        /// Arguments of the sender's idle strategy.
        sender_idle_strategy_init_args: String as &str = IdleStrategy::BACKOFF.args(), text(),
            "aeron.sender.idle.strategy.init.args", "AERON_SENDER_IDLE_STRATEGY_INIT_ARGS";
        /// Arguments of the receiver's idle strategy.
        receiver_idle_strategy_init_args: String as &str = IdleStrategy::BACKOFF.args(), text(),
            "aeron.receiver.idle.strategy.init.args", "AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS";
        /// Arguments of the idle strategy that sender and receiver share.
        sharednetwork_idle_strategy_init_args: String as &str =
            IdleStrategy::BACKOFF.args(), text(),
            "aeron.sharednetwork.idle.strategy.init.args",
            "AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS";
        /// Arguments of the idle strategy that all agents share.
        shared_idle_strategy_init_args: String as &str = IdleStrategy::BACKOFF.args(), text(),
            "aeron.shared.idle.strategy.init.args", "AERON_SHARED_IDLE_STRATEGY_INIT_ARGS";
        /// Arguments of the resource agent's idle strategy.
        resource_agent_idle_strategy_init_args: String as &str =
            IdleStrategy::SleepNs(MS).args(), text(),
            "aeron.driver.native.resource.agent.idle.strategy.init.args",
            "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS";
        /// CPU of the conductor's thread, or of the one that all agents share.
        conductor_cpu_affinity: Option<u8> = None, count("CPU", 0, 255).or_absent("-1"),
            "aeron.conductor.cpu.affinity", "AERON_CONDUCTOR_CPU_AFFINITY";
        /// CPU of the sender's thread, or of the one that it shares with the receiver.
        sender_cpu_affinity: Option<u8> = None, count("CPU", 0, 255).or_absent("-1"),
            "aeron.sender.cpu.affinity", "AERON_SENDER_CPU_AFFINITY";
        /// CPU of the receiver's thread.
        receiver_cpu_affinity: Option<u8> = None, count("CPU", 0, 255).or_absent("-1"),
            "aeron.receiver.cpu.affinity", "AERON_RECEIVER_CPU_AFFINITY";
        /// CPU of the resource agent's thread.
        resource_agent_cpu_affinity: Option<u8> = None, count("CPU", 0, 255).or_absent("-1"),
            "aeron.driver.native.resource.agent.cpu.affinity",
            "AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY";
        /// Reads CPU numbers as indexes into the cpuset of the process's control group.
        cpuset_affinity: bool = false, flag(),
            "aeron.driver.cpuset.affinity", "AERON_DRIVER_CPUSET_AFFINITY";
        /// Makes warnings about the topology of the cpuset stop the start.
        cpuset_warnings_as_errors: bool = false, flag(),
            "aeron.driver.cpuset.warnings.as.errors", "AERON_DRIVER_CPUSET_WARNINGS_AS_ERRORS";
        /// A conductor cycle longer than this bumps a counter.
        conductor_cycle_threshold_ns: i64 = 100 * MS, duration(0),
            "aeron.driver.conductor.cycle.threshold", "AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD";
        /// A sender cycle longer than this bumps a counter.
        sender_cycle_threshold_ns: i64 = 100 * MS, duration(0),
            "aeron.driver.sender.cycle.threshold", "AERON_DRIVER_SENDER_CYCLE_THRESHOLD";
        /// A receiver cycle longer than this bumps a counter.
        receiver_cycle_threshold_ns: i64 = 100 * MS, duration(0),
            "aeron.driver.receiver.cycle.threshold", "AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD";
        /// A name resolution longer than this bumps a counter.
        name_resolver_threshold_ns: i64 = 5 * S, duration(0),
            "aeron.name.resolver.threshold", "AERON_DRIVER_NAME_RESOLVER_THRESHOLD";
    }
    "CnC and report buffers" {
        /// Ring from clients to driver, with its trailer.
        conductor_buffer_length: usize =
            1024 * 1024 + 768, size(MIB + RING_TRAILER, I32_MAX).power_of_two_plus(RING_TRAILER),
            "aeron.conductor.buffer.length", "AERON_CONDUCTOR_BUFFER_LENGTH";
        /// Broadcast from driver to clients, with its trailer.
        clients_buffer_length: usize =
            1024 * 1024 + 128,
            size(MIB + BROADCAST_TRAILER, I32_MAX).power_of_two_plus(BROADCAST_TRAILER),
            "aeron.clients.buffer.length", "AERON_CLIENTS_BUFFER_LENGTH";
        /// Values of the counters; their metadata takes four times as much.
        counters_buffer_length: usize = 8 * 1024 * 1024, size(MIB, 500 * MIB),
            "aeron.counters.buffer.length", "AERON_COUNTERS_BUFFER_LENGTH";
        /// Log of distinct errors.
        error_buffer_length: usize = 4 * 1024 * 1024, size(4 * MIB, I32_MAX),
            "aeron.error.buffer.length", "AERON_ERROR_BUFFER_LENGTH";
        /// Loss report file, rounded up to the page size.
        loss_report_buffer_length: usize = 1024 * 1024, size(KIB, I32_MAX),
            "aeron.loss.report.buffer.length", "AERON_LOSS_REPORT_BUFFER_LENGTH";
    }
    "Terms, MTU, windows" {
        /// Term length of network publications.
        term_buffer_length: i32 = 16 * 1024 * 1024, size(64 * KIB, GIB).power_of_two(),
            "aeron.term.buffer.length", "AERON_TERM_BUFFER_LENGTH";
        /// Term length of IPC publications.
        ipc_term_buffer_length: i32 = 64 * 1024 * 1024, size(64 * KIB, GIB).power_of_two(),
            "aeron.ipc.term.buffer.length", "AERON_IPC_TERM_BUFFER_LENGTH";
        /// Whether log files are sparse.
        term_buffer_sparse_file: bool = true, flag(),
            "aeron.term.buffer.sparse.file", "AERON_TERM_BUFFER_SPARSE_FILE";
        /// Whether log files are to be on huge pages, if the file system of the directory gives
        /// any: a tmpfs mounted with `huge=advise`, for example. Aeron has no such option.
        log_huge_pages: bool = false, flag(),
            "aileron.log.huge.pages", "AILERON_LOG_HUGE_PAGES";
        /// NUMA node whose memory logs are taken from as long as it has any, if the directory is on
        /// a tmpfs: that of the CPUs of sender and receiver. -1 leaves it to the operating system.
        /// Aeron has no such option.
        log_numa_node: Option<u8> = None, count("node", 0, 255).or_absent("-1"),
            "aileron.log.numa.node", "AILERON_LOG_NUMA_NODE";
        /// Window of network publications; 0 is half a term.
        publication_term_window_length: i32 = 0, size(0, GIB),
            "aeron.publication.term.window.length", "AERON_PUBLICATION_TERM_WINDOW_LENGTH";
        /// Window of IPC publications; 0 is half a term.
        ipc_publication_term_window_length: i32 = 0, size(0, GIB),
            "aeron.ipc.publication.term.window.length", "AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH";
        /// Longest frame on the network, header included.
        mtu_length: i32 = 1408, size(64, 65_504).multiple_of(32),
            "aeron.mtu.length", "AERON_MTU_LENGTH";
        /// Longest frame of IPC, header included.
        ipc_mtu_length: i32 = 1408, size(64, 65_504).multiple_of(32),
            "aeron.ipc.mtu.length", "AERON_IPC_MTU_LENGTH";
        /// Receiver window; half a term if that is less.
        initial_window_length: i32 = 128 * 1024, size(256, I32_MAX),
            "aeron.rcv.initial.window.length", "AERON_RCV_INITIAL_WINDOW_LENGTH";
        /// Whether receiver windows grow from there as streams need it, up to half a term and the
        /// socket's receive buffer, where the URI names no length (URI `rcv-wnd=auto`).
        receiver_window_auto: bool = false, flag(),
            "aileron.rcv.window.auto", "AILERON_RCV_WINDOW_AUTO";
        /// Longest time between status messages.
        status_message_timeout_ns: i64 = 200 * MS, duration(ONE_US),
            "aeron.rcv.status.message.timeout", "AERON_RCV_STATUS_MESSAGE_TIMEOUT";
        /// Send cycles per poll for control frames.
        send_to_status_poll_ratio: u32 = 6, count("count", 1, I32_MAX),
            "aeron.send.to.status.poll.ratio", "AERON_SEND_TO_STATUS_POLL_RATIO";
    }
    "Sockets" {
        /// `SO_RCVBUF`; 0 leaves the operating system's default.
        socket_rcvbuf_length: usize = 128 * 1024, size(0, I32_MAX),
            "aeron.socket.so_rcvbuf", "AERON_SOCKET_SO_RCVBUF";
        /// `SO_SNDBUF`; 0 leaves the operating system's default.
        socket_sndbuf_length: usize = 0, size(0, I32_MAX),
            "aeron.socket.so_sndbuf", "AERON_SOCKET_SO_SNDBUF";
        /// Multicast time to live; 0 leaves the operating system's default.
        socket_multicast_ttl: u8 = 0, count("hops", 0, 255),
            "aeron.socket.multicast.ttl", "AERON_SOCKET_MULTICAST_TTL";
        /// Ports for a control `:0` of publications.
        sender_wildcard_port_range: Option<PortRange> = None, ports(),
            "aeron.sender.wildcard.port.range", "AERON_SENDER_WILDCARD_PORT_RANGE";
        /// Ports for an endpoint `:0` of subscriptions.
        receiver_wildcard_port_range: Option<PortRange> = None, ports(),
            "aeron.receiver.wildcard.port.range", "AERON_RECEIVER_WILDCARD_PORT_RANGE";
        /// Connects unicast send sockets.
        connect: bool = true, flag(), "aeron.driver.connect", "AERON_DRIVER_CONNECT";
        /// Gives the kernel bursts of datagrams of one length in one piece (Linux, `UDP_SEGMENT`);
        /// the wire does not show it. Off, and where the kernel or the path refuses, datagrams go
        /// several per call.
        socket_gso: bool = true, flag(), "aileron.socket.gso", "AILERON_SOCKET_GSO";
        /// Lets the kernel put datagrams of equal length together on receipt (Linux, `UDP_GRO`).
        socket_gro: bool = true, flag(), "aileron.socket.gro", "AILERON_SOCKET_GRO";
        /// How long a receive looks into the queue of the network card when a socket is empty
        /// (Linux, `SO_BUSY_POLL`), in whole microseconds; 0 leaves the operating system's default.
        /// More than `net.core.busy_read` wants `CAP_NET_ADMIN`. Aeron has no such option.
        socket_busy_poll_ns: i64 = 0, duration(0),
            "aileron.socket.busy.poll", "AILERON_SOCKET_BUSY_POLL";
        /// Keeps interrupts of the network card away while a socket is looked at all the time
        /// (Linux 5.11, `SO_PREFER_BUSY_POLL`); wants `CAP_NET_ADMIN`. Aeron has no such option.
        socket_prefer_busy_poll: bool = false, flag(),
            "aileron.socket.prefer.busy.poll", "AILERON_SOCKET_PREFER_BUSY_POLL";
        /// Datagrams received per call.
        receiver_io_vector_capacity: usize = 4, count("count", 1, 16),
            "aeron.receiver.io.vector.capacity", "AERON_RECEIVER_IO_VECTOR_CAPACITY";
        /// Control datagrams received per call.
        sender_io_vector_capacity: usize = 4, count("count", 1, 16),
            "aeron.sender.io.vector.capacity", "AERON_SENDER_IO_VECTOR_CAPACITY";
        /// Datagrams per publication and sender cycle; with `aileron.socket.gso` bursts of them,
        /// each of up to 64 datagrams and 65,507 bytes that lie one behind the other and have one
        /// length.
        network_publication_max_messages_per_send: usize = 4, count("count", 1, 16),
            "aeron.network.publication.max.messages.per.send",
            "AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND";
    }
    "Liveness and housekeeping" {
        /// Period of the conductor's timer and of the driver's heartbeat.
        timer_interval_ns: i64 = S, duration(ONE_US),
            "aeron.timer.interval", "AERON_TIMER_INTERVAL";
        /// Age of a client's heartbeat at which it is dead.
        client_liveness_timeout_ns: i64 = 10 * S, duration(ONE_US),
            "aeron.client.liveness.timeout", "AERON_CLIENT_LIVENESS_TIMEOUT";
        /// Silence after which an image drains; also how long it lingers.
        image_liveness_timeout_ns: i64 = 10 * S, duration(ONE_US),
            "aeron.image.liveness.timeout", "AERON_IMAGE_LIVENESS_TIMEOUT";
        /// How long a drained network publication keeps answering receivers.
        publication_linger_timeout_ns: i64 = 5 * S, duration(ONE_US),
            "aeron.publication.linger.timeout", "AERON_PUBLICATION_LINGER_TIMEOUT";
        /// How long a claim may stay uncommitted before it is unblocked.
        publication_unblock_timeout_ns: i64 = 15 * S, duration(ONE_US),
            "aeron.publication.unblock.timeout", "AERON_PUBLICATION_UNBLOCK_TIMEOUT";
        /// Silence after which a receiver no longer keeps a publication connected.
        publication_connection_timeout_ns: i64 = 5 * S, duration(ONE_US),
            "aeron.publication.connection.timeout", "AERON_PUBLICATION_CONNECTION_TIMEOUT";
        /// Rest of a freed counter id before it is used again.
        counters_free_to_reuse_timeout_ns: i64 = S, duration(0),
            "aeron.counters.free.to.reuse.timeout", "AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT";
        /// Most images of a stream per receive endpoint.
        stream_session_limit: i32 = i32::MAX, count("count", 1, I32_MAX),
            "aeron.driver.stream.session.limit", "AERON_DRIVER_STREAM_SESSION_LIMIT";
        /// First of the session ids that are never generated.
        reserved_session_id_low: i32 = -1, count("i32", i32::MIN as i128, I32_MAX),
            "aeron.publication.reserved.session.id.low",
            "AERON_PUBLICATION_RESERVED_SESSION_ID_LOW";
        /// Last of the session ids that are never generated.
        reserved_session_id_high: i32 = 1000, count("i32", i32::MIN as i128, I32_MAX),
            "aeron.publication.reserved.session.id.high",
            "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH";
    }
    "Subscription defaults" {
        /// Whether a spy alone makes a publication connected (URI `ssc`).
        spies_simulate_connection: bool = false, flag(),
            "aeron.spies.simulate.connection", "AERON_SPIES_SIMULATE_CONNECTION";
        /// Whether lost data is asked for again (URI `reliable`).
        reliable_stream: bool = true, flag(), "aeron.reliable.stream", "AERON_RELIABLE_STREAM";
        /// Whether a slow subscriber holds back the stream (URI `tether`).
        tether_subscriptions: bool = true, flag(),
            "aeron.tether.subscriptions", "AERON_TETHER_SUBSCRIPTIONS";
        /// Whether a subscription takes up a stream again that it lost (URI `rejoin`).
        rejoin_stream: bool = true, flag(), "aeron.rejoin.stream", "AERON_REJOIN_STREAM";
        /// Whether receivers behave as members of a group (URI `group`).
        receiver_group_consideration: GroupConsideration = GroupConsideration::Infer, names(GROUP),
            "aeron.receiver.group.consideration", "AERON_RECEIVER_GROUP_CONSIDERATION";
        /// How long an untethered subscriber may lag before it is dropped
        /// (URI `untethered-window-limit-timeout`).
        untethered_window_limit_timeout_ns: i64 = 5 * S, duration(0),
            "aeron.untethered.window.limit.timeout", "AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT";
        /// Time between unavailability and removal of an untethered subscriber; none is the window
        /// limit timeout (URI `untethered-linger-timeout`).
        untethered_linger_timeout_ns: Option<i64> = None, duration(0).or_absent("-1"),
            "aeron.untethered.linger.timeout", "AERON_UNTETHERED_LINGER_TIMEOUT";
        /// Rest of an untethered subscriber before it rejoins (URI `untethered-resting-timeout`).
        untethered_resting_timeout_ns: i64 = 10 * S, duration(0),
            "aeron.untethered.resting.timeout", "AERON_UNTETHERED_RESTING_TIMEOUT";
    }
    "Loss recovery" {
        /// First NAK delay of unicast streams (URI `nak-delay`).
        nak_unicast_delay_ns: i64 = US, duration(ONE_US),
            "aeron.nak.unicast.delay", "AERON_NAK_UNICAST_DELAY";
        /// Delay of repeated NAKs as a multiple of the first.
        nak_unicast_retry_delay_ratio: i64 = 100, count("factor", 1, I64_MAX),
            "aeron.nak.unicast.retry.delay.ratio", "AERON_NAK_UNICAST_RETRY_DELAY_RATIO";
        /// Group size that the multicast backoff assumes.
        nak_multicast_group_size: u32 = 10, count("receivers", 1, I32_MAX),
            "aeron.nak.multicast.group.size", "AERON_NAK_MULTICAST_GROUP_SIZE";
        /// Longest multicast backoff.
        nak_multicast_max_backoff_ns: i64 = 10 * MS, duration(ONE_US),
            "aeron.nak.multicast.max.backoff", "AERON_NAK_MULTICAST_MAX_BACKOFF";
        /// Delay before data is sent again, on all channels.
        retransmit_unicast_delay_ns: i64 = 0, duration(0),
            "aeron.retransmit.unicast.delay", "AERON_RETRANSMIT_UNICAST_DELAY";
        /// How long NAKs for data just sent again are ignored, on all channels.
        retransmit_unicast_linger_ns: i64 = 10 * MS, duration(ONE_US),
            "aeron.retransmit.unicast.linger", "AERON_RETRANSMIT_UNICAST_LINGER";
        /// Retransmits at a time per publication with group semantics (URI `max-resend`).
        max_resend: usize = 16, count("count", 1, 256), "aeron.max.resend", "AERON_MAX_RESEND";
        /// Whether receivers ask for all that is missing at once, and senders answer all of it.
        /// Off, one gap at a time is repaired, as Aeron's drivers do it.
        loss_recovery: bool = true, flag(), "aileron.loss.recovery", "AILERON_LOSS_RECOVERY";
    }
    "Flow and congestion control" {
        /// Flow control of multicast and multi-destination publications.
        multicast_flow_control: MulticastFlowControlSupplier =
            MulticastFlowControlSupplier::Default, names(MULTICAST_FLOW),
            "aeron.multicast.FlowControl.supplier", "AERON_MULTICAST_FLOWCONTROL_SUPPLIER";
        /// Tag of receivers that tagged flow control heeds (URI `fc=tagged,g:`).
        flow_control_group_tag: i64 = -1, count("i64", I64_MIN, I64_MAX),
            "aeron.flow.control.group.tag", "AERON_FLOW_CONTROL_GROUP_TAG";
        /// Receivers without which a publication is not connected (URI `fc=…,g:/n`).
        flow_control_group_min_size: i32 = 0, count("count", 0, I32_MAX),
            "aeron.flow.control.group.min.size", "AERON_FLOW_CONTROL_GROUP_MIN_SIZE";
        /// Silence after which a receiver no longer counts for flow control (URI `fc=…,t:`).
        flow_control_receiver_timeout_ns: i64 = 5 * S, duration(0),
            "aeron.flow.control.receiver.timeout", "AERON_FLOW_CONTROL_RECEIVER_TIMEOUT";
        /// Longest retransmit of unicast streams in receiver windows (URI `fc=…,rrwm:`).
        unicast_flow_control_rrwm: i32 = 16, count("factor", 1, I32_MAX),
            "aeron.unicast.flow.control.rrwm", "";
        /// Longest retransmit of multicast streams in receiver windows (URI `fc=…,rrwm:`).
        multicast_flow_control_rrwm: i32 = 4, count("factor", 1, I32_MAX),
            "aeron.multicast.flow.control.rrwm", "";
        /// Tag that receivers put into status messages (URI `gtag`).
        receiver_group_tag: Option<i64> = None, count("i64", I64_MIN, I64_MAX).or_absent(""),
            "aeron.receiver.group.tag", "AERON_RECEIVER_GROUP_TAG";
        /// Receiver congestion control; `default` heeds the URI's `cc`.
        congestion_control: CongestionSupplier = CongestionSupplier::Default, names(CONGESTION),
            "aeron.CongestionControl.supplier", "AERON_CONGESTIONCONTROL_SUPPLIER";
        /// Whether CUBIC measures the round trip.
        cubic_measure_rtt: bool = false, flag(),
            "aeron.CubicCongestionControl.measureRtt", "AERON_CUBICCONGESTIONCONTROL_MEASURERTT";
        /// CUBIC's first estimate of the round trip.
        cubic_initial_rtt_ns: i64 = 100 * US, duration(ONE_US),
            "aeron.CubicCongestionControl.initialRtt", "AERON_CUBICCONGESTIONCONTROL_INITIALRTT";
        /// Whether CUBIC keeps its TCP-friendly region.
        cubic_tcp_mode: bool = false, flag(),
            "aeron.CubicCongestionControl.tcpMode", "AERON_CUBICCONGESTIONCONTROL_TCPMODE";
    }
    "Name resolution" {
        /// Name announced to other drivers.
        resolver_name: String as &str = String::new(), text(),
            "aeron.driver.resolver.name", "AERON_DRIVER_RESOLVER_NAME";
        /// Address on which drivers tell each other names; enables gossip.
        resolver_interface: String as &str = String::new(), text(),
            "aeron.driver.resolver.interface", "AERON_DRIVER_RESOLVER_INTERFACE";
        /// First neighbours, as `host:port`.
        resolver_bootstrap_neighbors: Vec<String> as &[String] = Vec::new(), list(20),
            "aeron.driver.resolver.bootstrap.neighbor", "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR";
        /// Life of neighbours and of cached names.
        resolver_neighbor_timeout_ns: i64 = 10 * S, duration(ONE_MS),
            "aeron.driver.resolver.neighbor.timeout", "AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT";
        /// Period of announcing the own name.
        resolver_self_resolution_interval_ns: i64 = S, duration(ONE_MS),
            "aeron.driver.resolver.self.resolution.interval",
            "AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL";
        /// Period of announcing cached names.
        resolver_neighbor_resolution_interval_ns: i64 = 2 * S, duration(ONE_MS),
            "aeron.driver.resolver.neighbor.resolution.interval",
            "AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL";
        /// Period of resolving absent first neighbours again.
        resolver_bootstrap_neighbor_resolution_interval_ns: i64 = 10 * S, duration(ONE_MS),
            "aeron.driver.resolver.bootstrap.neighbor.resolution.interval",
            "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL";
        /// Period of checking whether endpoints moved to other addresses; 0 is never.
        reresolution_check_interval_ns: i64 = S, duration(0),
            "aeron.driver.reresolution.check.interval", "AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL";
        /// How host names become addresses.
        name_resolver: NameResolverSupplier = NameResolverSupplier::Default, names(RESOLVER),
            "aeron.name.resolver.supplier", "AERON_NAME_RESOLVER_SUPPLIER";
        /// Arguments of the name resolver, such as the rows of the table.
        name_resolver_init_args: String as &str = String::new(), text(),
            "aeron.name.resolver.init.args", "AERON_NAME_RESOLVER_INIT_ARGS";
    }
    "Event log" {
        /// Events that the agents write into `events.dat` in the aeron directory.
        event_log: EventSet = EventSet::NONE, events(),
            "aeron.event.log", "AERON_EVENT_LOG";
        /// Events that they do not, of those above.
        event_log_disable: EventSet = EventSet::NONE, events(),
            "aeron.event.log.disable", "AERON_EVENT_LOG_DISABLE";
        /// Length of the rings of all agents together; a quarter is for each, 512 bytes an event.
        event_buffer_length: usize = 8 * 1024 * 1024, size(64 * KIB, GIB).power_of_two(),
            "aeron.event.buffer.length", "";
    }
    "Debugging" {
        /// Share of outgoing data datagrams to drop.
        debug_send_data_loss_rate: f64 = 0.0, probability(),
            "aeron.debug.send.data.loss.rate", "AERON_DEBUG_SEND_DATA_LOSS_RATE";
        /// Seed of that loss; none is random.
        debug_send_data_loss_seed: Option<i64> =
            None, count("i64", I64_MIN, I64_MAX).or_absent("-1"),
            "aeron.debug.send.data.loss.seed", "AERON_DEBUG_SEND_DATA_LOSS_SEED";
        /// Share of incoming control frames of publications to drop.
        debug_send_control_loss_rate: f64 = 0.0, probability(),
            "aeron.debug.send.control.loss.rate", "AERON_DEBUG_SEND_CONTROL_LOSS_RATE";
        /// Seed of that loss; none is random.
        debug_send_control_loss_seed: Option<i64> =
            None, count("i64", I64_MIN, I64_MAX).or_absent("-1"),
            "aeron.debug.send.control.loss.seed", "AERON_DEBUG_SEND_CONTROL_LOSS_SEED";
        /// Share of incoming data frames to drop.
        debug_receive_data_loss_rate: f64 = 0.0, probability(),
            "aeron.debug.receive.data.loss.rate", "AERON_DEBUG_RECEIVE_DATA_LOSS_RATE";
        /// Seed of that loss; none is random.
        debug_receive_data_loss_seed: Option<i64> =
            None, count("i64", I64_MIN, I64_MAX).or_absent("-1"),
            "aeron.debug.receive.data.loss.seed", "AERON_DEBUG_RECEIVE_DATA_LOSS_SEED";
        /// Share of outgoing control frames of subscriptions to drop.
        debug_receive_control_loss_rate: f64 = 0.0, probability(),
            "aeron.debug.receive.control.loss.rate", "AERON_DEBUG_RECEIVE_CONTROL_LOSS_RATE";
        /// Seed of that loss; none is random.
        debug_receive_control_loss_seed: Option<i64> =
            None, count("i64", I64_MIN, I64_MAX).or_absent("-1"),
            "aeron.debug.receive.control.loss.seed", "AERON_DEBUG_RECEIVE_CONTROL_LOSS_SEED";
        /// Loss generators on what arrives, the last one first: `loss`, `fixed-loss`,
        /// `multi-gap-loss`.
        incoming_interceptors: Vec<String> as &[String] = Vec::new(), list(10),
            "aeron.udp.channel.incoming.interceptors", "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS";
        /// Loss generators on what is sent, the last one first.
        outgoing_interceptors: Vec<String> as &[String] = Vec::new(), list(10),
            "aeron.udp.channel.outgoing.interceptors", "AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS";
        /// Arguments of `loss`: `rate=…|seed=…|recv-msg-mask=…`.
        loss_args: Option<RandomLoss> = None, random_loss(),
            "aeron.udp.channel.transport.bindings.loss.args",
            "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS";
        /// Arguments of `fixed-loss`: `term-id=…|term-offset=…|length=…`.
        fixed_loss_args: Option<FixedLoss> = None, fixed_loss(),
            "aeron.udp.channel.transport.bindings.fixed.loss.args",
            "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_FIXED_LOSS_ARGS";
        /// Arguments of `multi-gap-loss`: `term-id=…|gap-radix=…|gap-length=…|total-gaps=…`.
        multi_gap_loss_args: Option<MultiGapLoss> = None, multi_gap_loss(),
            "aeron.udp.channel.transport.bindings.multi.gap.loss.args",
            "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MULTI_GAP_LOSS_ARGS";
    }
}
