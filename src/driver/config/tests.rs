//! Every row of the table, every rule between rows, the order of the sources, and random texts.

use super::refused::REFUSED;
use super::table::ROWS;
use super::*;
use crate::base::Rng;
use crate::port::BufferLimits;

/// For each row: property, variable, a value that is not the default and stands as printed, values
/// out of range, values that cannot be read.
type Case = (
    &'static str,
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

const NOT_BOOL: &[&str] = &["True", "yes", "2", "truely"];
const NOT_SIZE: &[&str] = &["x", "-1", "1t", "1.5k", "0x10"];
const NOT_DURATION: &[&str] = &["x", "-1s", "1m", "1.5s"];
const NOT_INT: &[&str] = &[
    "x",
    "1k",
    "0x1",
    "1.0",
    "+1",
    "99999999999999999999999999999999999999999",
];
const NOT_NAME: &[&str] = &["x", "Default", "com.example.Custom"];

const CASES: &[Case] = &[
    ("aeron.dir", "AERON_DIR", "/tmp/a", &[], &[]),
    (
        "aeron.dir.warn.if.exists",
        "AERON_DIR_WARN_IF_EXISTS",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.dir.delete.on.start",
        "AERON_DIR_DELETE_ON_START",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.dir.delete.on.shutdown",
        "AERON_DIR_DELETE_ON_SHUTDOWN",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.dir.private",
        "AILERON_DIR_PRIVATE",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.driver.timeout",
        "AERON_DRIVER_TIMEOUT",
        "500",
        &["-1", "9223372036854775808"],
        &["1s"],
    ),
    (
        "aeron.print.configuration",
        "AERON_PRINT_CONFIGURATION",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.enable.experimental.features",
        "AERON_ENABLE_EXPERIMENTAL_FEATURES",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.driver.termination.validator",
        "AERON_DRIVER_TERMINATION_VALIDATOR",
        "allow",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.file.page.size",
        "AERON_FILE_PAGE_SIZE",
        "2m",
        &["2k", "5000", "2g", "0"],
        NOT_SIZE,
    ),
    (
        "aeron.perform.storage.checks",
        "AERON_PERFORM_STORAGE_CHECKS",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.low.file.store.warning.threshold",
        "AERON_LOW_FILE_STORE_WARNING_THRESHOLD",
        "0",
        &[],
        NOT_SIZE,
    ),
    (
        "aeron.driver.resource.free.limit",
        "AERON_DRIVER_RESOURCE_FREE_LIMIT",
        "7",
        &["0", "-1", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.threading.mode",
        "AERON_THREADING_MODE",
        "SHARED_NETWORK",
        &[],
        &["shared", "x"],
    ),
    (
        "aeron.thread.naming",
        "AERON_THREAD_NAMING",
        "new",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.conductor.idle.strategy",
        "AERON_CONDUCTOR_IDLE_STRATEGY",
        "spin",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.sender.idle.strategy",
        "AERON_SENDER_IDLE_STRATEGY",
        "noop",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.receiver.idle.strategy",
        "AERON_RECEIVER_IDLE_STRATEGY",
        "yield",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.sharednetwork.idle.strategy",
        "AERON_SHAREDNETWORK_IDLE_STRATEGY",
        "sleep-ns",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.shared.idle.strategy",
        "AERON_SHARED_IDLE_STRATEGY",
        "sleep-ms",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.driver.native.resource.agent.idle.strategy",
        "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY",
        "controllable",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.conductor.idle.strategy.init.args",
        "AERON_CONDUCTOR_IDLE_STRATEGY_INIT_ARGS",
        "1-2-3us-4ms",
        &[],
        &["1ms", "x"],
    ),
    (
        "aeron.sender.idle.strategy.init.args",
        "AERON_SENDER_IDLE_STRATEGY_INIT_ARGS",
        "1-2-3us-4ms",
        &[],
        &["1ms", "x"],
    ),
    (
        "aeron.receiver.idle.strategy.init.args",
        "AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS",
        "1-2-3us-4ms",
        &[],
        &["1ms", "x"],
    ),
    (
        "aeron.sharednetwork.idle.strategy.init.args",
        "AERON_SHAREDNETWORK_IDLE_STRATEGY_INIT_ARGS",
        "1-2-3us-4ms",
        &[],
        &["1ms", "x"],
    ),
    (
        "aeron.shared.idle.strategy.init.args",
        "AERON_SHARED_IDLE_STRATEGY_INIT_ARGS",
        "1-2-3us-4ms",
        &[],
        &["1ms", "x"],
    ),
    (
        "aeron.driver.native.resource.agent.idle.strategy.init.args",
        "AERON_DRIVER_NATIVE_RESOURCE_AGENT_IDLE_STRATEGY_INIT_ARGS",
        "5ms",
        &[],
        &["1-2-3-4", "x"],
    ),
    (
        "aeron.conductor.cpu.affinity",
        "AERON_CONDUCTOR_CPU_AFFINITY",
        "0",
        CPUS,
        NOT_INT,
    ),
    (
        "aeron.sender.cpu.affinity",
        "AERON_SENDER_CPU_AFFINITY",
        "255",
        CPUS,
        NOT_INT,
    ),
    (
        "aeron.receiver.cpu.affinity",
        "AERON_RECEIVER_CPU_AFFINITY",
        "3",
        CPUS,
        NOT_INT,
    ),
    (
        "aeron.driver.native.resource.agent.cpu.affinity",
        "AERON_DRIVER_NATIVE_RESOURCE_AGENT_CPU_AFFINITY",
        "3",
        CPUS,
        NOT_INT,
    ),
    (
        "aeron.driver.cpuset.affinity",
        "AERON_DRIVER_CPUSET_AFFINITY",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.driver.cpuset.warnings.as.errors",
        "AERON_DRIVER_CPUSET_WARNINGS_AS_ERRORS",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.driver.conductor.cycle.threshold",
        "AERON_DRIVER_CONDUCTOR_CYCLE_THRESHOLD",
        "1ms",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.driver.sender.cycle.threshold",
        "AERON_DRIVER_SENDER_CYCLE_THRESHOLD",
        "1ms",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.driver.receiver.cycle.threshold",
        "AERON_DRIVER_RECEIVER_CYCLE_THRESHOLD",
        "0ns",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.name.resolver.threshold",
        "AERON_DRIVER_NAME_RESOLVER_THRESHOLD",
        "1s",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.conductor.buffer.length",
        "AERON_CONDUCTOR_BUFFER_LENGTH",
        "2097920",
        &["1m", "1049345", "524288", "3g"],
        NOT_SIZE,
    ),
    (
        "aeron.clients.buffer.length",
        "AERON_CLIENTS_BUFFER_LENGTH",
        "2097280",
        &["1m", "1048705", "524416", "3g"],
        NOT_SIZE,
    ),
    (
        "aeron.counters.buffer.length",
        "AERON_COUNTERS_BUFFER_LENGTH",
        "1m",
        &["512k", "501m"],
        NOT_SIZE,
    ),
    (
        "aeron.error.buffer.length",
        "AERON_ERROR_BUFFER_LENGTH",
        "8m",
        &["1m", "2g"],
        NOT_SIZE,
    ),
    (
        "aeron.loss.report.buffer.length",
        "AERON_LOSS_REPORT_BUFFER_LENGTH",
        "1k",
        &["1023", "2g"],
        NOT_SIZE,
    ),
    (
        "aeron.term.buffer.length",
        "AERON_TERM_BUFFER_LENGTH",
        "64k",
        TERMS,
        NOT_SIZE,
    ),
    (
        "aeron.ipc.term.buffer.length",
        "AERON_IPC_TERM_BUFFER_LENGTH",
        "1g",
        TERMS,
        NOT_SIZE,
    ),
    (
        "aeron.term.buffer.sparse.file",
        "AERON_TERM_BUFFER_SPARSE_FILE",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.log.huge.pages",
        "AILERON_LOG_HUGE_PAGES",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.log.numa.node",
        "AILERON_LOG_NUMA_NODE",
        "1",
        CPUS,
        NOT_INT,
    ),
    (
        "aeron.publication.term.window.length",
        "AERON_PUBLICATION_TERM_WINDOW_LENGTH",
        "1g",
        &["1073741825"],
        NOT_SIZE,
    ),
    (
        "aeron.ipc.publication.term.window.length",
        "AERON_IPC_PUBLICATION_TERM_WINDOW_LENGTH",
        "100",
        &["1073741825"],
        NOT_SIZE,
    ),
    (
        "aeron.mtu.length",
        "AERON_MTU_LENGTH",
        "65504",
        MTUS,
        NOT_SIZE,
    ),
    (
        "aeron.ipc.mtu.length",
        "AERON_IPC_MTU_LENGTH",
        "64",
        MTUS,
        NOT_SIZE,
    ),
    (
        "aeron.rcv.initial.window.length",
        "AERON_RCV_INITIAL_WINDOW_LENGTH",
        "64k",
        &["255", "2g"],
        NOT_SIZE,
    ),
    (
        "aeron.rcv.status.message.timeout",
        "AERON_RCV_STATUS_MESSAGE_TIMEOUT",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.send.to.status.poll.ratio",
        "AERON_SEND_TO_STATUS_POLL_RATIO",
        "1",
        &["0", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.socket.so_rcvbuf",
        "AERON_SOCKET_SO_RCVBUF",
        "2m",
        &["2g"],
        NOT_SIZE,
    ),
    (
        "aeron.socket.so_sndbuf",
        "AERON_SOCKET_SO_SNDBUF",
        "2m",
        &["2g"],
        NOT_SIZE,
    ),
    (
        "aeron.socket.multicast.ttl",
        "AERON_SOCKET_MULTICAST_TTL",
        "255",
        &["256", "-1"],
        NOT_INT,
    ),
    (
        "aeron.sender.wildcard.port.range",
        "AERON_SENDER_WILDCARD_PORT_RANGE",
        "1 65535",
        &["2 1"],
        PORTS,
    ),
    (
        "aeron.receiver.wildcard.port.range",
        "AERON_RECEIVER_WILDCARD_PORT_RANGE",
        "7 7",
        &["2 1"],
        PORTS,
    ),
    (
        "aeron.driver.connect",
        "AERON_DRIVER_CONNECT",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.socket.gso",
        "AILERON_SOCKET_GSO",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.socket.gro",
        "AILERON_SOCKET_GRO",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.socket.busy.poll",
        "AILERON_SOCKET_BUSY_POLL",
        "50us",
        &[],
        NOT_DURATION,
    ),
    (
        "aileron.socket.prefer.busy.poll",
        "AILERON_SOCKET_PREFER_BUSY_POLL",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.receiver.io.vector.capacity",
        "AERON_RECEIVER_IO_VECTOR_CAPACITY",
        "16",
        &["0", "17"],
        NOT_INT,
    ),
    (
        "aeron.sender.io.vector.capacity",
        "AERON_SENDER_IO_VECTOR_CAPACITY",
        "1",
        &["0", "17"],
        NOT_INT,
    ),
    (
        "aeron.network.publication.max.messages.per.send",
        "AERON_NETWORK_PUBLICATION_MAX_MESSAGES_PER_SEND",
        "2",
        &["0", "17"],
        NOT_INT,
    ),
    (
        "aeron.timer.interval",
        "AERON_TIMER_INTERVAL",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.client.liveness.timeout",
        "AERON_CLIENT_LIVENESS_TIMEOUT",
        "2s",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.image.liveness.timeout",
        "AERON_IMAGE_LIVENESS_TIMEOUT",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.publication.linger.timeout",
        "AERON_PUBLICATION_LINGER_TIMEOUT",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.publication.unblock.timeout",
        "AERON_PUBLICATION_UNBLOCK_TIMEOUT",
        "11s",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.publication.connection.timeout",
        "AERON_PUBLICATION_CONNECTION_TIMEOUT",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.counters.free.to.reuse.timeout",
        "AERON_COUNTERS_FREE_TO_REUSE_TIMEOUT",
        "0ns",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.driver.stream.session.limit",
        "AERON_DRIVER_STREAM_SESSION_LIMIT",
        "1",
        &["0", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.publication.reserved.session.id.low",
        "AERON_PUBLICATION_RESERVED_SESSION_ID_LOW",
        "-1000",
        &["-2147483649", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.publication.reserved.session.id.high",
        "AERON_PUBLICATION_RESERVED_SESSION_ID_HIGH",
        "-1",
        &["2147483648"],
        NOT_INT,
    ),
    (
        "aeron.spies.simulate.connection",
        "AERON_SPIES_SIMULATE_CONNECTION",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.reliable.stream",
        "AERON_RELIABLE_STREAM",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.tether.subscriptions",
        "AERON_TETHER_SUBSCRIPTIONS",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.rejoin.stream",
        "AERON_REJOIN_STREAM",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.receiver.group.consideration",
        "AERON_RECEIVER_GROUP_CONSIDERATION",
        "false",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.untethered.window.limit.timeout",
        "AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT",
        "2s",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.untethered.linger.timeout",
        "AERON_UNTETHERED_LINGER_TIMEOUT",
        "2s",
        &[],
        &["-2", "x"],
    ),
    (
        "aeron.untethered.resting.timeout",
        "AERON_UNTETHERED_RESTING_TIMEOUT",
        "2s",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.nak.unicast.delay",
        "AERON_NAK_UNICAST_DELAY",
        "1ms",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.nak.unicast.retry.delay.ratio",
        "AERON_NAK_UNICAST_RETRY_DELAY_RATIO",
        "1",
        &["0", "9223372036854775808"],
        NOT_INT,
    ),
    (
        "aeron.nak.multicast.group.size",
        "AERON_NAK_MULTICAST_GROUP_SIZE",
        "1",
        &["0", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.nak.multicast.max.backoff",
        "AERON_NAK_MULTICAST_MAX_BACKOFF",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.retransmit.unicast.delay",
        "AERON_RETRANSMIT_UNICAST_DELAY",
        "1ns",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.retransmit.unicast.linger",
        "AERON_RETRANSMIT_UNICAST_LINGER",
        "1us",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aileron.loss.recovery",
        "AILERON_LOSS_RECOVERY",
        "false",
        &[],
        NOT_BOOL,
    ),
    (
        "aileron.rcv.window.auto",
        "AILERON_RCV_WINDOW_AUTO",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.max.resend",
        "AERON_MAX_RESEND",
        "256",
        &["0", "257"],
        NOT_INT,
    ),
    (
        "aeron.multicast.FlowControl.supplier",
        "AERON_MULTICAST_FLOWCONTROL_SUPPLIER",
        "multicast_tagged",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.flow.control.group.tag",
        "AERON_FLOW_CONTROL_GROUP_TAG",
        "-9223372036854775808",
        &["9223372036854775808"],
        NOT_INT,
    ),
    (
        "aeron.flow.control.group.min.size",
        "AERON_FLOW_CONTROL_GROUP_MIN_SIZE",
        "2147483647",
        &["-1", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.flow.control.receiver.timeout",
        "AERON_FLOW_CONTROL_RECEIVER_TIMEOUT",
        "0ns",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.unicast.flow.control.rrwm",
        "",
        "1",
        &["0", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.multicast.flow.control.rrwm",
        "",
        "1",
        &["0", "2147483648"],
        NOT_INT,
    ),
    (
        "aeron.receiver.group.tag",
        "AERON_RECEIVER_GROUP_TAG",
        "-1",
        &["9223372036854775808"],
        NOT_INT,
    ),
    (
        "aeron.CongestionControl.supplier",
        "AERON_CONGESTIONCONTROL_SUPPLIER",
        "cubic",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.CubicCongestionControl.measureRtt",
        "AERON_CUBICCONGESTIONCONTROL_MEASURERTT",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.CubicCongestionControl.initialRtt",
        "AERON_CUBICCONGESTIONCONTROL_INITIALRTT",
        "1ms",
        SHORT,
        NOT_DURATION,
    ),
    (
        "aeron.CubicCongestionControl.tcpMode",
        "AERON_CUBICCONGESTIONCONTROL_TCPMODE",
        "true",
        &[],
        NOT_BOOL,
    ),
    (
        "aeron.driver.resolver.name",
        "AERON_DRIVER_RESOLVER_NAME",
        "md-1",
        &[],
        &[],
    ),
    (
        "aeron.driver.resolver.interface",
        "AERON_DRIVER_RESOLVER_INTERFACE",
        "0.0.0.0:8050",
        &[],
        &[],
    ),
    (
        "aeron.driver.resolver.bootstrap.neighbor",
        "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR",
        "a:1,b:2",
        &["1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21"],
        &["a:1,,b:2", ",a:1"],
    ),
    (
        "aeron.driver.resolver.neighbor.timeout",
        "AERON_DRIVER_RESOLVER_NEIGHBOR_TIMEOUT",
        "1ms",
        &["999us"],
        NOT_DURATION,
    ),
    (
        "aeron.driver.resolver.self.resolution.interval",
        "AERON_DRIVER_RESOLVER_SELF_RESOLUTION_INTERVAL",
        "1ms",
        &["999us"],
        NOT_DURATION,
    ),
    (
        "aeron.driver.resolver.neighbor.resolution.interval",
        "AERON_DRIVER_RESOLVER_NEIGHBOR_RESOLUTION_INTERVAL",
        "1ms",
        &["999us"],
        NOT_DURATION,
    ),
    (
        "aeron.driver.resolver.bootstrap.neighbor.resolution.interval",
        "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR_RESOLUTION_INTERVAL",
        "1ms",
        &["999us"],
        NOT_DURATION,
    ),
    (
        "aeron.driver.reresolution.check.interval",
        "AERON_DRIVER_RERESOLUTION_CHECK_INTERVAL",
        "0ns",
        &[],
        NOT_DURATION,
    ),
    (
        "aeron.name.resolver.supplier",
        "AERON_NAME_RESOLVER_SUPPLIER",
        "csv_table",
        &[],
        NOT_NAME,
    ),
    (
        "aeron.name.resolver.init.args",
        "AERON_NAME_RESOLVER_INIT_ARGS",
        "a,b,c",
        &[],
        &[],
    ),
    (
        "aeron.event.log",
        "AERON_EVENT_LOG",
        "NAK_SENT,NAK_RECEIVED",
        &[],
        &["nonsense", "FRAME_IN", "0xffff"],
    ),
    (
        "aeron.event.log.disable",
        "AERON_EVENT_LOG_DISABLE",
        "NAK_SENT",
        &[],
        &["x"],
    ),
    (
        "aeron.event.buffer.length",
        "",
        "1m",
        &["32k", "3m", "2g"],
        NOT_SIZE,
    ),
    (
        "aeron.debug.send.data.loss.rate",
        "AERON_DEBUG_SEND_DATA_LOSS_RATE",
        "0.25",
        RATES,
        &["x"],
    ),
    (
        "aeron.debug.send.data.loss.seed",
        "AERON_DEBUG_SEND_DATA_LOSS_SEED",
        "7",
        &[],
        NOT_INT,
    ),
    (
        "aeron.debug.send.control.loss.rate",
        "AERON_DEBUG_SEND_CONTROL_LOSS_RATE",
        "1.0",
        RATES,
        &["x"],
    ),
    (
        "aeron.debug.send.control.loss.seed",
        "AERON_DEBUG_SEND_CONTROL_LOSS_SEED",
        "-7",
        &[],
        NOT_INT,
    ),
    (
        "aeron.debug.receive.data.loss.rate",
        "AERON_DEBUG_RECEIVE_DATA_LOSS_RATE",
        "0.001",
        RATES,
        &["x"],
    ),
    (
        "aeron.debug.receive.data.loss.seed",
        "AERON_DEBUG_RECEIVE_DATA_LOSS_SEED",
        "0",
        &[],
        NOT_INT,
    ),
    (
        "aeron.debug.receive.control.loss.rate",
        "AERON_DEBUG_RECEIVE_CONTROL_LOSS_RATE",
        "0.5",
        RATES,
        &["x"],
    ),
    (
        "aeron.debug.receive.control.loss.seed",
        "AERON_DEBUG_RECEIVE_CONTROL_LOSS_SEED",
        "1",
        &[],
        NOT_INT,
    ),
    (
        "aeron.udp.channel.incoming.interceptors",
        "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS",
        "",
        &[],
        &["loss,,loss"],
    ),
    (
        "aeron.udp.channel.outgoing.interceptors",
        "AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS",
        "",
        &[],
        &["nonsense"],
    ),
    (
        "aeron.udp.channel.transport.bindings.loss.args",
        "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS",
        "rate=0.2|seed=11|recv-msg-mask=0xF",
        &["rate=1.1|recv-msg-mask=F"],
        &[
            "rate=x",
            "seed=1",
            "rate=0.1|mask=1",
            "rate",
            "rate=0.1|recv-msg-mask=G",
        ],
    ),
    (
        "aeron.udp.channel.transport.bindings.fixed.loss.args",
        "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_FIXED_LOSS_ARGS",
        "term-id=-5|term-offset=32|length=1024",
        &["term-id=0|term-offset=-1|length=1"],
        &["term-id=0", "term-id=0|term-offset=0|length=x"],
    ),
    (
        "aeron.udp.channel.transport.bindings.multi.gap.loss.args",
        "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MULTI_GAP_LOSS_ARGS",
        "term-id=0|gap-radix=4096|gap-length=64|total-gaps=3",
        &[
            "term-id=0|gap-radix=64|gap-length=64|total-gaps=3",
            "term-id=0|gap-radix=0|gap-length=0|total-gaps=3",
        ],
        &["term-id=0|gap-radix=64|gap-length=8"],
    ),
];

const CPUS: &[&str] = &["-2", "256"];
const TERMS: &[&str] = &["32k", "65537", "96k", "2g"];
const MTUS: &[&str] = &["0", "32", "33", "63", "1000", "64k"];
const SHORT: &[&str] = &["0", "999ns"];
const PORTS: &[&str] = &["1", "1 2 3", "1-2", "x y", "0 65536", "-1 1"];
const RATES: &[&str] = &["1.1", "-0.1", "NaN"];

fn value(config: &DriverConfig, property: &str) -> (String, Source) {
    let setting = config
        .settings()
        .find(|setting| setting.name == property)
        .expect(property);
    (setting.value, setting.source)
}

/// What an option needs beside it: the option, its value, and what to set with it.
const COMPANIONS: &[(&str, &str, &str)] = &[
    (
        "aeron.driver.resolver.interface",
        "0.0.0.0:8050",
        "aeron.driver.resolver.name=md-1",
    ),
    (
        "aeron.name.resolver.supplier",
        "csv_table",
        "aeron.name.resolver.init.args=a,b,c",
    ),
];

/// A builder with what the option needs beside it.
fn beside(property: &str, value: &str) -> DriverConfigBuilder {
    let needed = COMPANIONS
        .iter()
        .filter(|(of, with, _)| *of == property && *with == value);
    needed.fold(DriverConfig::builder(), |builder, (_, _, define)| {
        builder.define(define)
    })
}

/// Builds with one define and no complaint about features that are missing.
fn define(property: &str, value: &str) -> Result<DriverConfig, ConfigErrors> {
    beside(property, value)
        .define(&format!("{property}={value}"))
        .build()
}

fn only_error(result: Result<DriverConfig, ConfigErrors>) -> ConfigError {
    let errors = result.expect_err("must be refused");
    assert_eq!(errors.iter().count(), 1, "{errors}");
    errors.iter().next().expect("one").clone()
}

#[test]
fn every_row_has_a_case_and_names_of_its_own() {
    let mut names = std::collections::BTreeSet::new();
    for row in ROWS {
        assert!(
            CASES.iter().any(|case| case.0 == row.info.property),
            "{}",
            row.info.property
        );
        assert!(names.insert(row.info.property), "{}", row.info.property);
        assert!(
            row.info.env.is_empty() || names.insert(row.info.env),
            "{}",
            row.info.env
        );
        assert!(row.info.doc.trim().ends_with('.'), "{}", row.info.field);
    }
    for refused in REFUSED {
        assert!(names.insert(refused.property), "{}", refused.property);
        assert!(
            refused.env.is_empty() || names.insert(refused.env),
            "{}",
            refused.env
        );
    }
    assert_eq!(ROWS.len(), CASES.len());
}

#[test]
fn the_defaults_are_right_and_their_texts_are_read_back() {
    let config = DriverConfig::builder().build().expect("defaults");
    assert!(config.warnings().is_empty());
    for row in ROWS {
        assert!((row.check)(&config), "{}", row.info.field);
        let text = (row.show)(&config);
        assert_eq!(
            text,
            (row.show)(&DriverConfig::default()),
            "{}",
            row.info.field
        );
        if text.is_empty() {
            continue;
        }
        let read = define(row.info.property, &text).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(value(&read, row.info.property), (text, Source::Define));
        // Naming the resource agent's strategy takes its special arguments away.
        if row.info.field == "resource_agent_idle_strategy" {
            continue;
        }
        let same = DriverConfig {
            sources: config.sources.clone(),
            ..read
        };
        assert!(same == config, "{}", row.info.field);
    }
}

#[test]
fn every_option_is_read_from_property_and_environment() {
    for (property, env, good, _, _) in CASES {
        if good.is_empty() {
            continue;
        }
        let read = define(property, good).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(value(&read, property), ((*good).to_owned(), Source::Define));
        assert!(read.warnings().is_empty(), "{:?}", read.warnings());
        assert_ne!(
            *good,
            value(&DriverConfig::default(), property).0,
            "{property}"
        );
        if env.is_empty() {
            continue;
        }
        let variable = ((*env).to_owned(), (*good).to_owned());
        let from_env = beside(property, good).environment([variable]).build();
        let from_env = from_env.unwrap_or_else(|errors| panic!("{errors}"));
        let source = Source::Environment((*env).to_owned());
        assert_eq!(value(&from_env, property), ((*good).to_owned(), source));
        // A `-D` with the property form of the variable works too, as in the C driver.
        let form = env.to_ascii_lowercase().replace('_', ".");
        if form != *property && !COMPANIONS.iter().any(|(of, _, _)| of == property) {
            assert_eq!(
                value(&define(&form, good).expect("form"), property).0,
                *good
            );
        }
    }
}

#[test]
fn every_bad_value_is_refused_by_name_value_and_range() {
    for (property, _, _, out_of_range, unreadable) in CASES {
        for bad in out_of_range.iter().chain(unreadable.iter()) {
            let errors = define(property, bad).expect_err(property);
            let error = errors
                .iter()
                .find(|error| error.option() == *property)
                .expect(property);
            assert_eq!(error.origin(), &Source::Define, "{property}={bad}");
            let row = ROWS
                .iter()
                .find(|row| row.info.property == *property)
                .expect("row");
            let range = (row.range)();
            assert!(
                error.reason().contains("unknown; known: ") || error.reason().contains(&range),
                "{error}"
            );
        }
    }
}

#[test]
fn out_of_range_says_so_and_names_the_value() {
    let error = only_error(define("aeron.term.buffer.length", "96k"));
    assert_eq!(
        error.to_string(),
        "aeron.term.buffer.length=96k (-D): out of range; allowed: 64k to 1g, a power of two"
    );
    let error = only_error(DriverConfig::builder().term_buffer_length(70_000).build());
    assert_eq!(
        error.to_string(),
        "aeron.term.buffer.length=70000 (setter): out of range; allowed: 64k to 1g, a power of two"
    );
}

#[test]
fn stronger_sources_beat_weaker_ones() {
    let env = [("AERON_MAX_RESEND".to_owned(), "1".to_owned())];
    let builder = DriverConfig::builder().environment(env);
    let max = |builder: &DriverConfigBuilder| {
        let config = builder.clone().build().expect("good");
        (config.max_resend(), value(&config, "aeron.max.resend").1)
    };
    assert_eq!(
        max(&builder),
        (1, Source::Environment("AERON_MAX_RESEND".to_owned()))
    );
    let builder = builder
        .define("aeron.max.resend=2")
        .define("AERON_MAX_RESEND = 3");
    assert_eq!(max(&builder), (3, Source::Define));
    let builder = builder.properties("b", "aeron.max.resend=4\naeron.max.resend=5");
    assert_eq!(max(&builder), (5, Source::File("b".to_owned(), 2)));
    let builder = builder.properties("a", "\naeron.max.resend:6");
    assert_eq!(max(&builder), (6, Source::File("a".to_owned(), 2)));
    let builder = builder.max_resend(7);
    assert_eq!(max(&builder), (7, Source::Setter));
}

#[test]
fn an_empty_value_takes_back_what_weaker_texts_said() {
    let env = [("AERON_MAX_RESEND".to_owned(), "1".to_owned())];
    let config = DriverConfig::builder()
        .environment(env)
        .define("aeron.max.resend=")
        .build();
    assert_eq!(config.expect("good").max_resend(), 16);
}

#[test]
fn presets_are_weaker_than_everything_said() {
    for preset in Preset::ALL {
        assert_eq!(Preset::parse(preset.name()), Some(preset));
        let config = DriverConfig::builder().preset(preset).build();
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        assert!(!config.term_buffer_sparse_file());
    }
    let config = DriverConfig::builder()
        .preset(Preset::LowLatency)
        .define("aeron.conductor.idle.strategy=yield")
        .build()
        .expect("good");
    assert_eq!(config.conductor_idle_strategy(), IdleStrategy::Yield);
    assert_eq!(config.sender_idle_strategy(), IdleStrategy::Noop);
}

#[test]
fn all_problems_are_reported_at_once() {
    let errors = DriverConfig::builder()
        .define("nonsense")
        .define("aeron.mtu.length=x")
        .properties("f", "a line\naeron.max.resend=0")
        .ipc_mtu_length(1000)
        .timer_interval_ns(20_000_000_000)
        .build()
        .expect_err("much is wrong");
    let options: Vec<_> = errors.iter().map(ConfigError::option).collect();
    assert_eq!(
        options,
        [
            "nonsense",
            "a line",
            "aeron.mtu.length",
            "aeron.ipc.mtu.length",
            "aeron.max.resend",
            "aeron.client.liveness.timeout",
            "aeron.untethered.window.limit.timeout",
            "aeron.untethered.resting.timeout",
        ]
    );
    assert_eq!(errors.to_string().lines().count(), 8);
}

/// Expects exactly one error, about `property`.
fn expect_rule(builder: DriverConfigBuilder, property: &str, text: &str) {
    let error = only_error(builder.build());
    assert_eq!(error.option(), property);
    assert!(error.reason().contains(text), "{error}");
}

#[test]
fn nak_delay_times_ratio_must_fit() {
    let builder = DriverConfig::builder().nak_unicast_delay_ns(i64::MAX / 100);
    assert!(builder.clone().build().is_ok());
    let builder = builder.nak_unicast_retry_delay_ratio(101);
    expect_rule(builder, "aeron.nak.unicast.retry.delay.ratio", "2^63");
}

#[test]
fn the_reserved_session_ids_must_be_a_range_of_31_bits() {
    let range = |low, high| {
        DriverConfig::builder()
            .reserved_session_id_low(low)
            .reserved_session_id_high(high)
    };
    assert!(range(0, i32::MAX).build().is_ok());
    assert!(range(5, 5).build().is_ok());
    expect_rule(
        range(6, 5),
        "aeron.publication.reserved.session.id.low",
        "high=5",
    );
    expect_rule(
        range(-1, i32::MAX),
        "aeron.publication.reserved.session.id.high",
        "low=-1",
    );
    expect_rule(
        range(i32::MIN, i32::MAX),
        "aeron.publication.reserved.session.id.high",
        "2147483647",
    );
}

#[test]
fn the_mtu_must_fit_the_window_and_the_send_buffer() {
    let builder = DriverConfig::builder().mtu_length(8192);
    assert!(builder.clone().initial_window_length(8192).build().is_ok());
    let small = builder.clone().initial_window_length(4096);
    expect_rule(
        small,
        "aeron.mtu.length",
        "aeron.rcv.initial.window.length=4k",
    );
    let small = builder.clone().socket_sndbuf_length(8191);
    expect_rule(small, "aeron.mtu.length", "SO_SNDBUF=8191");
    let limits = BufferLimits {
        default_sndbuf: 8191,
        ..BufferLimits::default()
    };
    let builder = builder.buffer_limits(limits);
    expect_rule(builder.clone(), "aeron.mtu.length", "SO_SNDBUF=8191");
    assert!(builder.socket_sndbuf_length(8192).build().is_ok());
}

#[test]
fn the_window_must_fit_the_receive_buffer() {
    let builder = DriverConfig::builder().initial_window_length(256 * 1024);
    let property = "aeron.rcv.initial.window.length";
    expect_rule(builder.clone(), property, "SO_RCVBUF=131072");
    let limits = BufferLimits {
        default_rcvbuf: 212_992,
        ..BufferLimits::default()
    };
    let builder = builder.socket_rcvbuf_length(0);
    assert!(builder.clone().build().is_ok(), "the default is unknown");
    expect_rule(builder.buffer_limits(limits), property, "SO_RCVBUF=212992");
}

#[test]
fn timeouts_must_be_longer_than_those_they_rest_on() {
    let builder = DriverConfig::builder;
    expect_rule(
        builder().publication_unblock_timeout_ns(10_000_000_000),
        "aeron.publication.unblock.timeout",
        "aeron.client.liveness.timeout=10s",
    );
    expect_rule(
        builder().client_liveness_timeout_ns(1_000_000_000),
        "aeron.client.liveness.timeout",
        "aeron.timer.interval=1s",
    );
    expect_rule(
        builder().untethered_window_limit_timeout_ns(1_000_000_000),
        "aeron.untethered.window.limit.timeout",
        "aeron.timer.interval=1s",
    );
    expect_rule(
        builder().untethered_linger_timeout_ns(Some(1_000_000_000)),
        "aeron.untethered.linger.timeout",
        "aeron.timer.interval=1s",
    );
    expect_rule(
        builder().untethered_resting_timeout_ns(1_000_000_000),
        "aeron.untethered.resting.timeout",
        "aeron.timer.interval=1s",
    );
}

#[test]
fn the_cnc_file_must_fit_31_bits() {
    let builder = DriverConfig::builder().counters_buffer_length(400 * 1024 * 1024);
    assert!(builder.clone().build().is_ok());
    let builder = builder.counters_buffer_length(430 * 1024 * 1024);
    expect_rule(builder, "aeron.counters.buffer.length", "CnC file");
}

#[test]
fn gossip_needs_a_name_and_an_interface() {
    let driver = DriverConfig::builder().name_resolver(NameResolverSupplier::Driver);
    expect_rule(
        driver.clone().resolver_interface("localhost:8050"),
        "aeron.driver.resolver.name",
        "must be set",
    );
    expect_rule(
        driver.clone().resolver_name("md-1"),
        "aeron.driver.resolver.interface",
        "host[:port]",
    );
    expect_rule(
        driver
            .clone()
            .resolver_interface("localhost:8050")
            .resolver_name("x".repeat(513)),
        "aeron.driver.resolver.name",
        "512",
    );
    let right = driver.resolver_interface("{eth0}:8050").resolver_name("x");
    assert!(right.build().is_ok());
}

#[test]
fn a_table_of_names_needs_rows() {
    let table = DriverConfig::builder().name_resolver(NameResolverSupplier::CsvTable);
    let option = "aeron.name.resolver.init.args";
    expect_rule(table.clone(), option, "name,initialHost,reResolutionHost");
    assert!(table.name_resolver_init_args("a,b,c").build().is_ok());
}

#[test]
fn a_resolver_interface_needs_a_name() {
    let builder = DriverConfig::builder().resolver_interface("0.0.0.0:8050");
    let errors = builder.build().expect_err("no name");
    assert!(
        errors
            .iter()
            .any(|error| error.option() == "aeron.driver.resolver.name")
    );
}

#[test]
fn interceptors_must_be_known_and_have_arguments() {
    let incoming = "aeron.udp.channel.incoming.interceptors";
    let builder = || DriverConfig::builder();
    let define = |names: &str| builder().define(&format!("{incoming}={names}"));
    expect_rule(define("noise"), incoming, "'noise' is unknown");
    expect_rule(define("fixed-loss"), incoming, "fixed.loss.args");
    let config = define("loss, multi-gap-loss")
        .define("aeron.udp.channel.outgoing.interceptors=loss")
        .define("aeron.udp.channel.transport.bindings.loss.args=rate=0.2|recv-msg-mask=0xF")
        .define(
            "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MULTI_GAP_LOSS_ARGS=\
             term-id=3|gap-radix=1000|gap-length=64|total-gaps=2",
        )
        .build()
        .unwrap_or_else(|errors| panic!("{errors}"));
    let random = LossSpec::Random(RandomLoss {
        rate: 0.2,
        seed: None,
        frame_type_mask: 0xF,
    });
    let multi_gap = LossSpec::MultiGap(MultiGapLoss {
        term_id: 3,
        gap_radix: 1024,
        gap_length: 64,
        total_gaps: 2,
    });
    assert_eq!(config.incoming_loss(), [random, multi_gap]);
    assert_eq!(config.outgoing_loss(), [random]);
}

#[test]
fn the_debug_loss_options_become_generators() {
    let config = DriverConfig::builder()
        .define("aeron.debug.receive.data.loss.rate=0.25")
        .define("aeron.debug.receive.data.loss.seed=7")
        .build()
        .expect("good");
    let expected = RandomLoss {
        rate: 0.25,
        seed: Some(7),
        frame_type_mask: u64::MAX,
    };
    assert_eq!(config.debug_receive_data_loss(), Some(expected));
    assert_eq!(config.debug_send_data_loss(), None);
    assert_eq!(config.debug_send_control_loss(), None);
    assert_eq!(config.debug_receive_control_loss(), None);
}

#[test]
fn idle_strategies_take_their_arguments_from_the_other_option() {
    let config = DriverConfig::builder()
        .define("aeron.sender.idle.strategy=sleep-ns")
        .define("aeron.sender.idle.strategy.init.args=5us")
        .define("aeron.shared.idle.strategy.init.args=1-2-3us-4us")
        .define("aeron.driver.native.resource.agent.idle.strategy=sleeping")
        .build()
        .expect("good");
    assert_eq!(config.sender_idle_strategy(), IdleStrategy::SleepNs(5_000));
    assert_eq!(config.shared_idle_strategy().args(), "1-2-3us-4us");
    assert_eq!(
        config.resource_agent_idle_strategy(),
        IdleStrategy::SleepNs(1)
    );
    assert_eq!(config.receiver_idle_strategy(), IdleStrategy::BACKOFF);
    let default = DriverConfig::default();
    assert_eq!(
        default.resource_agent_idle_strategy(),
        IdleStrategy::SleepNs(1_000_000)
    );
}

#[test]
fn arguments_that_nothing_takes_are_warned_about() {
    let builder = DriverConfig::builder().define("aeron.sender.idle.strategy.init.args=1ms");
    assert!(
        builder.clone().build().is_err(),
        "backoff does not take a duration"
    );
    let config = builder
        .clone()
        .define("aeron.sender.idle.strategy=spin")
        .build()
        .expect("good");
    assert_eq!(config.warnings().len(), 1);
    let config = builder
        .sender_idle_strategy(IdleStrategy::SleepMs(3))
        .build()
        .expect("good");
    assert_eq!(config.sender_idle_strategy(), IdleStrategy::SleepMs(3));
    assert_eq!(config.sender_idle_strategy_init_args(), "3ms");
}

#[test]
fn options_this_driver_does_not_have_are_refused_unless_default() {
    for refused in REFUSED {
        let error = only_error(define(refused.property, "something-else"));
        assert_eq!(error.option(), refused.property);
        assert!(error.reason().starts_with("not supported: "), "{error}");
        for default in refused.defaults {
            let config = define(refused.property, default).expect("the default");
            assert!(config.warnings().is_empty());
        }
        if !refused.env.is_empty() {
            let variable = (refused.env.to_owned(), "something-else".to_owned());
            assert!(
                DriverConfig::builder()
                    .environment([variable])
                    .build()
                    .is_err()
            );
        }
    }
}

#[test]
fn unknown_names_are_warned_about_and_options_of_clients_are_not() {
    let env = [
        ("PATH".to_owned(), "/bin".to_owned()),
        ("AERON_MTU_LENGHT".to_owned(), "4k".to_owned()),
        ("AERON_CLIENT_NAME".to_owned(), "me".to_owned()),
    ];
    let config = DriverConfig::builder()
        .environment(env)
        .define("aeron.mtu.lenght=4k")
        .define("aeron.pre.touch.mapped.memory=true")
        .build()
        .expect("good");
    assert_eq!(
        config.warnings(),
        [
            "AERON_MTU_LENGHT (environment AERON_MTU_LENGHT): unknown option",
            "aeron.mtu.lenght (-D): unknown option",
        ]
    );
}

#[test]
fn socket_buffers_that_the_system_cuts_short_are_warned_about() {
    let limits = BufferLimits {
        default_sndbuf: 212_992,
        max_sndbuf: 212_992,
        default_rcvbuf: 212_992,
        max_rcvbuf: 212_992,
    };
    let builder = DriverConfig::builder().buffer_limits(limits);
    assert!(builder.clone().build().expect("good").warnings().is_empty());
    let config = builder.preset(Preset::LowLatency).build().expect("good");
    assert_eq!(config.warnings().len(), 2);
    assert!(
        config.warnings()[0].contains("so_rcvbuf=2097152"),
        "{:?}",
        config.warnings()
    );
    assert!(
        config.warnings()[1].contains("wmem_max"),
        "{:?}",
        config.warnings()
    );
}

#[test]
fn the_default_directory_yields_to_everything_said() {
    let builder = DriverConfig::builder().default_dir("/x");
    let dir = |builder: DriverConfigBuilder| builder.build().expect("good").dir().to_owned();
    assert_eq!(dir(builder.clone()), std::path::PathBuf::from("/x"));
    assert_eq!(
        dir(builder.clone().define("aeron.dir=/y")),
        std::path::PathBuf::from("/y")
    );
    assert_eq!(dir(builder.dir("/z")), std::path::PathBuf::from("/z"));
}

/// A listing that is read as a property file gives the same configuration.
#[test]
fn listed_values_are_read_back() {
    let config = DriverConfig::builder()
        .preset(Preset::LowLatency)
        .max_resend(3)
        .build();
    let config = config.expect("good");
    let mut file = String::new();
    for setting in config.settings() {
        file.push_str(&format!("{}={}\n", setting.name, setting.value));
    }
    let read = DriverConfig::builder().properties("listing", &file).build();
    let read = read.unwrap_or_else(|errors| panic!("{errors}"));
    let texts = |config: &DriverConfig| config.settings().map(|s| s.value).collect::<Vec<_>>();
    assert_eq!(texts(&read), texts(&config));
}

/// Random texts never panic, and what is accepted is listed in a form that is accepted again.
#[test]
fn random_property_files_never_panic_and_round_trip() {
    const PIECES: &[&str] = &[
        "=",
        ":",
        "\n",
        "\\\n",
        "#",
        "!",
        "\\",
        " ",
        "\t",
        "\r\n",
        "0",
        "1",
        "-1",
        "64k",
        "1g",
        "2m",
        "5s",
        "1us",
        "true",
        "false",
        "x",
        "é",
        "\u{feff}",
        "|",
        ",",
        "rate=0.1",
        "spin",
        "sleep-ns",
        "infer",
        "99999999999999999999",
        "1408",
        "SHARED",
        "0 0",
        "5 9",
    ];
    let mut accepted = 0;
    for seed in 0..500 {
        let mut rng = Rng::new(seed);
        let mut text = String::new();
        for _ in 0..rng.below(6) {
            if rng.chance(3, 4) {
                let row = &ROWS[usize::try_from(rng.below(ROWS.len() as u64)).expect("small")];
                text.push_str(row.info.property);
                text.push('=');
            }
            for _ in 0..=rng.below(2) {
                let piece = rng.below(PIECES.len() as u64);
                text.push_str(PIECES[usize::try_from(piece).expect("small")]);
            }
            text.push('\n');
        }
        let Ok(config) = DriverConfig::builder().properties("random", &text).build() else {
            continue;
        };
        accepted += 1;
        let mut again = DriverConfig::builder();
        for setting in config.settings() {
            again = again.define(&format!("{}={}", setting.name, setting.value));
        }
        let again = again
            .build()
            .unwrap_or_else(|errors| panic!("seed {seed}: {text}: {errors}"));
        for (a, b) in config.settings().zip(again.settings()) {
            assert_eq!(a.value, b.value, "seed {seed}: {}", a.name);
        }
    }
    assert!(accepted > 50, "{accepted}");
}
