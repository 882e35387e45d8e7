//! Options of Aeron that this driver does not have. Naming one is an error unless the value is the
//! default, so that nothing is ignored in silence.

/// An option that only its default value is accepted of.
pub(super) struct Refused {
    /// Property name.
    pub(super) property: &'static str,
    /// Environment variable; empty if there is none.
    pub(super) env: &'static str,
    /// What it means to the drivers that have it.
    pub(super) meaning: &'static str,
    /// Spellings of the default; an unset option has none.
    pub(super) defaults: &'static [&'static str],
    /// Why other values are refused.
    pub(super) reason: &'static str,
}

const CLASS: &str = "class names of the Java driver cannot be loaded";
const SYMBOL: &str = "functions of the C driver cannot be loaded";
const JAVA: &str = "this is an option of the Java driver only";
const EVENTS: &str =
    "events go to events.dat in the aeron directory; aileronmd --events prints them";
const NO_PAYLOADS: &str = "events have no payloads: there is none per datagram";
const MEDIA: &str = "there is one implementation of media";

const fn refused(
    property: &'static str,
    env: &'static str,
    meaning: &'static str,
    defaults: &'static [&'static str],
    reason: &'static str,
) -> Refused {
    Refused {
        property,
        env,
        meaning,
        defaults,
        reason,
    }
}

/// Options without a field.
pub(super) static REFUSED: &[Refused] = &[
    refused(
        "aeron.use.windows.high.res.timer",
        "",
        "Finer timers on Windows.",
        &["false"],
        JAVA,
    ),
    refused(
        "org.agrona.transport.iteration.threshold",
        "",
        "Sockets up to which polling tries each one instead of asking which are ready.",
        &["5"],
        JAVA,
    ),
    refused(
        "aeron.unicast.flow.control.strategy",
        "",
        "Class of the flow control of unicast publications.",
        &["io.aeron.driver.UnicastFlowControl"],
        CLASS,
    ),
    refused(
        "aeron.multicast.flow.control.strategy",
        "",
        "Class of the flow control of multicast publications.",
        &["io.aeron.driver.MaxMulticastFlowControl"],
        "class names of the Java driver cannot be loaded; use aeron.multicast.FlowControl.supplier",
    ),
    refused(
        "aeron.unicast.FlowControl.supplier",
        "AERON_UNICAST_FLOWCONTROL_SUPPLIER",
        "Replaces the flow control of unicast publications.",
        &[
            "default",
            "unicast_max",
            "io.aeron.driver.DefaultUnicastFlowControlSupplier",
        ],
        "unicast publications have one flow control strategy",
    ),
    refused(
        "aeron.flow.control.sm.applicationSpecificFeedback",
        "",
        "Bytes that receivers append to status messages.",
        &[],
        "deprecated by Aeron; use aeron.receiver.group.tag",
    ),
    refused(
        "aeron.PreferredMulticastFlowControl.asf",
        "",
        "Bytes that preferred multicast flow control looks for in status messages.",
        &["FFFFFFFFFFFFFFFF"],
        "deprecated by Aeron; use aeron.flow.control.group.tag",
    ),
    refused(
        "aeron.SendChannelEndpoint.supplier",
        "",
        "Class that makes the endpoints of publications.",
        &["io.aeron.driver.DefaultSendChannelEndpointSupplier"],
        CLASS,
    ),
    refused(
        "aeron.ReceiveChannelEndpoint.supplier",
        "",
        "Class that makes the endpoints of subscriptions.",
        &["io.aeron.driver.DefaultReceiveChannelEndpointSupplier"],
        CLASS,
    ),
    refused(
        "aeron.udp.channel.transport.bindings.media",
        "AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
        "Implementation of the sockets of sender and receiver.",
        &["default"],
        MEDIA,
    ),
    refused(
        "aeron.conductor.udp.channel.transport.bindings.media",
        "AERON_CONDUCTOR_UDP_CHANNEL_TRANSPORT_BINDINGS_MEDIA",
        "Implementation of the sockets of the name resolver.",
        &["default"],
        MEDIA,
    ),
    refused(
        "aeron.agent.on.start.function",
        "AERON_AGENT_ON_START_FUNCTION",
        "Function that is called when an agent starts.",
        &[],
        SYMBOL,
    ),
    refused(
        "aeron.driver.dynamic.libraries",
        "AERON_DRIVER_DYNAMIC_LIBRARIES",
        "Libraries to load, with functions that other options name.",
        &[],
        SYMBOL,
    ),
    refused(
        "aeron.name.resolver.csv.lookup.table.args",
        "AERON_NAME_RESOLVER_CSV_LOOKUP_TABLE_ARGS",
        "Rows of the table of names.",
        &[],
        "no driver reads it; use aeron.name.resolver.init.args",
    ),
    refused(
        "aeron.event.log.filename",
        "AERON_EVENT_LOG_FILENAME",
        "File for the log of events; standard output if unset.",
        &[],
        EVENTS,
    ),
    refused(
        "aeron.event.log.file.max.length",
        "AERON_EVENT_LOG_FILE_MAX_LENGTH",
        "Length at which a new file of events is begun.",
        &[],
        EVENTS,
    ),
    refused(
        "aeron.event.log.reader.classname",
        "",
        "Class that reads the ring of events.",
        &[],
        CLASS,
    ),
    refused(
        "aeron.event.log.render.data",
        "",
        "Prints payloads in the log of events.",
        &["false"],
        NO_PAYLOADS,
    ),
    refused(
        "aeron.fallback.logger",
        "",
        "Where errors go that no handler takes.",
        &["stderr"],
        JAVA,
    ),
    refused(
        "aeron.debug.timeout",
        "",
        "Replaces timeouts while a debugger is attached.",
        &[],
        JAVA,
    ),
    refused(
        "aeron.secure.random.algorithm",
        "",
        "Source of random numbers.",
        &[],
        JAVA,
    ),
];

/// Options of clients. They may stand beside the driver's and mean nothing to it.
pub(super) static OF_CLIENTS: &[(&str, &str)] = &[
    ("aeron.client.name", "AERON_CLIENT_NAME"),
    (
        "aeron.client.idle.sleep.duration",
        "AERON_CLIENT_IDLE_SLEEP_DURATION",
    ),
    (
        "aeron.client.resource.linger.duration",
        "AERON_CLIENT_RESOURCE_LINGER_DURATION",
    ),
    ("aeron.client.close.linger.duration", ""),
    (
        "aeron.pre.touch.mapped.memory",
        "AERON_CLIENT_PRE_TOUCH_MAPPED_MEMORY",
    ),
];
