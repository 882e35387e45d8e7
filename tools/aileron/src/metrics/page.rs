//! The page: families of metrics and their samples.

use std::fmt::{self, Debug};
use std::sync::atomic::{AtomicI64, AtomicU64};

use aileron::cnc::SystemCounter;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::snapshot::{ImageView, PublicationView, Snapshot, SubscriberView};

/// A driver whose heartbeat is older than this is not up, milliseconds.
const HEARTBEAT_TIMEOUT_MS: i64 = 10_000;

/// What is to be said of a driver.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DriverLabels {
    version: String,
    cnc_version: String,
    threading_mode: String,
}

/// What tells one stream from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StreamLabels {
    channel: String,
    stream: i32,
    session: i32,
    registration: i64,
}

/// What tells one subscriber from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubscriberLabels {
    channel: String,
    stream: i32,
    session: i32,
    subscription: i64,
    client: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgentLabels {
    agent: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChannelLabels {
    channel: String,
    direction: &'static str,
}

type Gauges<L> = Family<L, Gauge<i64, AtomicI64>>;
type Counters<L> = Family<L, Counter<u64, AtomicU64>>;

/// The page of a driver.
///
/// ```
/// use aileron_cli::{Directory, Snapshot, metrics};
/// let driver = aileron::MediaDriver::launch_embedded(Default::default())?;
/// let directory = Directory::open(driver.directory(), std::time::Duration::from_secs(1))?;
/// let page = metrics::render(&Snapshot::take(&directory))?;
/// assert!(page.contains("\naileron_sent_bytes_total 0\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Never in practice: writing to a string does not fail.
pub fn render(snapshot: &Snapshot) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("aileron");
    let is_up = snapshot.is_driver_alive(HEARTBEAT_TIMEOUT_MS);
    add_up(&mut registry, is_up);
    add_driver(&mut registry, snapshot);
    add_system(&mut registry, snapshot);
    add_agents(&mut registry, snapshot);
    add_publications(&mut registry, &snapshot.publications);
    add_images(&mut registry, &snapshot.images);
    add_subscribers(&mut registry, snapshot);
    add_channels(&mut registry, snapshot);
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

/// The page where no driver is.
pub(super) fn render_absent() -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("aileron");
    add_up(&mut registry, false);
    let mut page = String::new();
    encode(&mut page, &registry)?;
    Ok(page)
}

fn add_up(registry: &mut Registry, is_up: bool) {
    let help = "Whether a driver keeps its heartbeat fresh";
    gauge(registry, "up", help, i64::from(is_up));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: i64) {
    let gauge: Gauge<i64, AtomicI64> = Gauge::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

fn counter(registry: &mut Registry, name: &str, help: &str, value: i64) {
    registry.register(name, help, counted(value));
}

/// Counters of a driver never fall; one that did is taken for 0.
fn counted(value: i64) -> Counter<u64, AtomicU64> {
    let counter: Counter<u64, AtomicU64> = Counter::default();
    counter.inc_by(u64::try_from(value).unwrap_or(0));
    counter
}

fn add_driver(registry: &mut Registry, snapshot: &Snapshot) {
    let driver = &snapshot.driver;
    let info: Gauges<DriverLabels> = Family::default();
    info.get_or_create(&DriverLabels {
        version: driver.version.clone(),
        cnc_version: driver.cnc_version.clone(),
        threading_mode: driver.threading_mode.clone(),
    })
    .set(1);
    // A gauge: readers of the older format know no metrics of type info.
    registry.register("driver_info", "What the driver is", info);
    gauge(registry, "driver_pid", "Process of the driver", driver.pid);
    let start: Gauge<i64, AtomicI64> = Gauge::default();
    start.set(driver.start.get() / 1000);
    let help = "When the driver started, since the epoch";
    registry.register_with_unit("driver_start", help, Unit::Seconds, start);
    if let Some(age) = snapshot.heartbeat_age_ms() {
        let help = "Age of the driver's heartbeat in milliseconds";
        gauge(registry, "driver_heartbeat_age_milliseconds", help, age);
    }
    let clients = i64::try_from(snapshot.clients.len()).unwrap_or(i64::MAX);
    gauge(registry, "clients", "Clients that are alive", clients);
    let errors = i64::try_from(snapshot.errors.len()).unwrap_or(i64::MAX);
    gauge(
        registry,
        "distinct_errors",
        "Distinct errors in the error log",
        errors,
    );
    let lost = snapshot
        .losses
        .iter()
        .map(|loss| loss.total_bytes_lost)
        .sum();
    counter(
        registry,
        "lost_bytes",
        "Bytes of gaps in images, as far as reported",
        lost,
    );
}

/// Counters of the driver that only grow: name, help.
const SYSTEM: &[(SystemCounter, &str, &str)] = &[
    (
        SystemCounter::BytesSent,
        "sent_bytes",
        "Bytes sent on the network",
    ),
    (
        SystemCounter::BytesReceived,
        "received_bytes",
        "Bytes received from the network",
    ),
    (SystemCounter::NaksSent, "naks_sent", "NAKs sent"),
    (
        SystemCounter::NaksReceived,
        "naks_received",
        "NAKs received",
    ),
    (
        SystemCounter::StatusMessagesSent,
        "status_messages_sent",
        "Status messages sent",
    ),
    (
        SystemCounter::StatusMessagesReceived,
        "status_messages_received",
        "Status messages received",
    ),
    (
        SystemCounter::HeartbeatsSent,
        "heartbeats_sent",
        "Heartbeats sent",
    ),
    (
        SystemCounter::HeartbeatsReceived,
        "heartbeats_received",
        "Heartbeats received",
    ),
    (
        SystemCounter::RetransmitsSent,
        "retransmits_sent",
        "Ranges sent again",
    ),
    (
        SystemCounter::RetransmittedBytes,
        "retransmitted_bytes",
        "Bytes sent again",
    ),
    (
        SystemCounter::FlowControlUnderRuns,
        "flow_control_under_runs",
        "Late packets",
    ),
    (
        SystemCounter::FlowControlOverRuns,
        "flow_control_over_runs",
        "Packets past the window",
    ),
    (
        SystemCounter::InvalidPackets,
        "invalid_packets",
        "Malformed packets dropped",
    ),
    (SystemCounter::Errors, "errors", "Errors recorded"),
    (
        SystemCounter::ShortSends,
        "short_sends",
        "Sends that the system took in part",
    ),
    (
        SystemCounter::FreeFails,
        "free_fails",
        "Files that could not be deleted",
    ),
    (
        SystemCounter::SenderFlowControlLimits,
        "sender_flow_control_limits",
        "Times that flow control stopped a sender",
    ),
    (
        SystemCounter::UnblockedPublications,
        "unblocked_publications",
        "Publications unblocked",
    ),
    (
        SystemCounter::UnblockedCommands,
        "unblocked_commands",
        "Commands unblocked",
    ),
    (
        SystemCounter::ClientTimeouts,
        "client_timeouts",
        "Clients that timed out",
    ),
    (
        SystemCounter::LossGapFills,
        "loss_gap_fills",
        "Gaps of unreliable streams padded",
    ),
    (
        SystemCounter::ResolutionChanges,
        "resolution_changes",
        "Names that lead elsewhere now",
    ),
    (
        SystemCounter::RetransmitOverflow,
        "retransmit_overflows",
        "NAKs without a free slot",
    ),
    (
        SystemCounter::ErrorFramesSent,
        "error_frames_sent",
        "Error frames sent",
    ),
    (
        SystemCounter::ErrorFramesReceived,
        "error_frames_received",
        "Error frames received",
    ),
    (
        SystemCounter::PublicationsRevoked,
        "publications_revoked",
        "Publications revoked",
    ),
    (
        SystemCounter::ImagesRejected,
        "images_rejected",
        "Images rejected",
    ),
    (
        SystemCounter::ConductorProxyFails,
        "conductor_proxy_fails",
        "Messages to the conductor that had to wait",
    ),
    (
        SystemCounter::SenderProxyFails,
        "sender_proxy_fails",
        "Messages to the sender that had to wait",
    ),
    (
        SystemCounter::ReceiverProxyFails,
        "receiver_proxy_fails",
        "Messages to the receiver that had to wait",
    ),
];

fn add_system(registry: &mut Registry, snapshot: &Snapshot) {
    for (id, name, help) in SYSTEM {
        // What a driver does not keep is left out: 0 would be a claim.
        if let Some(value) = snapshot.system.try_get(*id) {
            counter(registry, name, help, value);
        }
    }
    if let Some(mapped) = snapshot.system.try_get(SystemCounter::BytesCurrentlyMapped) {
        gauge(registry, "mapped_bytes", "Bytes of mapped files", mapped);
    }
}

fn add_agents(registry: &mut Registry, snapshot: &Snapshot) {
    let max: Gauges<AgentLabels> = Family::default();
    let exceeded: Counters<AgentLabels> = Family::default();
    let busy: Counters<AgentLabels> = Family::default();
    for agent in &snapshot.system.agents {
        let labels = AgentLabels { agent: agent.name };
        max.get_or_create(&labels).set(agent.max_cycle_ns);
        add(&exceeded, &labels, agent.threshold_exceeded);
        if let Some(ns) = agent.busy_ns {
            add(&busy, &labels, ns);
        }
    }
    let help = "Longest duty cycle of an agent in nanoseconds";
    registry.register("agent_cycle_max_nanoseconds", help, max);
    let help = "Duty cycles longer than the driver's threshold";
    registry.register("agent_long_cycles", help, exceeded);
    let help = "Nanoseconds that an agent was busy, where the driver tells";
    registry.register("agent_busy_nanoseconds", help, busy);
}

fn add<L>(family: &Counters<L>, labels: &L, value: i64)
where
    L: Clone + std::hash::Hash + Eq + Debug + Send + Sync + 'static,
{
    family
        .get_or_create(labels)
        .inc_by(u64::try_from(value).unwrap_or(0));
}

/// A family that grows by optional values of each stream.
struct Values<'a, T> {
    registry: &'a mut Registry,
    all: &'a [T],
    labels: fn(&T) -> StreamLabels,
}

impl<T> Values<'_, T> {
    fn gauge(&mut self, name: &str, help: &str, value: impl Fn(&T) -> Option<i64>) {
        let family: Gauges<StreamLabels> = Family::default();
        for one in self.all {
            if let Some(value) = value(one) {
                family.get_or_create(&(self.labels)(one)).set(value);
            }
        }
        self.register(name, help, family);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Fn(&T) -> Option<i64>) {
        let family: Counters<StreamLabels> = Family::default();
        for one in self.all {
            if let Some(value) = value(one) {
                add(&family, &(self.labels)(one), value);
            }
        }
        self.register(name, help, family);
    }

    fn register(&mut self, name: &str, help: &str, metric: impl Metric) {
        self.registry.register(name, help, metric);
    }
}

fn add_publications(registry: &mut Registry, publications: &[PublicationView]) {
    let mut values = Values {
        registry,
        all: publications,
        labels: |publication| StreamLabels {
            channel: publication.channel.clone(),
            stream: publication.stream_id.get(),
            session: publication.session_id.get(),
            registration: publication.registration_id.get(),
        },
    };
    values.counter(
        "publication_position_bytes",
        "Bytes written to a publication",
        |p| p.publisher_position,
    );
    values.gauge(
        "publication_limit_bytes",
        "Up to where publishers may write",
        |p| p.publisher_limit,
    );
    values.counter(
        "publication_sent_position_bytes",
        "Bytes of a publication sent",
        |p| p.sender_position,
    );
    values.gauge(
        "publication_sender_limit_bytes",
        "Up to where flow control lets send",
        |p| p.sender_limit,
    );
    let help = "Bytes that publishers may write before they are pushed back";
    values.gauge(
        "publication_window_bytes",
        help,
        PublicationView::publisher_window,
    );
    let help = "Bytes that flow control lets a sender send";
    values.gauge(
        "publication_sender_window_bytes",
        help,
        PublicationView::sender_window,
    );
    values.gauge(
        "publication_unsent_bytes",
        "Bytes written and not sent",
        PublicationView::unsent,
    );
    let help = "Times that flow control stopped a publication";
    values.counter("publication_back_pressure_events", help, |p| {
        p.back_pressure_events
    });
    values.counter("publication_naks_received", "NAKs for a publication", |p| {
        p.naks_received
    });
    let help = "Receivers that flow control waits for";
    values.gauge("publication_flow_control_receivers", help, |p| {
        p.flow_control_receivers
    });
    values.gauge(
        "publication_connected",
        "Whether a publication has a consumer",
        |p| p.log.map(|log| i64::from(log.is_connected)),
    );
}

fn add_images(registry: &mut Registry, images: &[ImageView]) {
    let mut values = Values {
        registry,
        all: images,
        labels: |image| StreamLabels {
            channel: image.channel.clone(),
            stream: image.stream_id.get(),
            session: image.session_id.get(),
            registration: image.correlation_id.get(),
        },
    };
    let help = "Highest position of an image that was received";
    values.counter("image_received_position_bytes", help, |image| {
        image.high_water_mark
    });
    let help = "Position of an image up to which nothing is missing";
    values.counter("image_rebuilt_position_bytes", help, |image| {
        image.rebuild_position
    });
    let help = "Bytes of an image that wait behind a gap";
    values.gauge("image_beyond_gap_bytes", help, |image| {
        Some(image.beyond_gap())
    });
    values.counter("image_naks_sent", "NAKs of an image", |image| {
        image.naks_sent
    });
    values.gauge(
        "image_round_trip_nanoseconds",
        "Round trip as measured",
        |i| i.round_trip_ns,
    );
    values.gauge("image_window_bytes", "Window of a receiver", |image| {
        image
            .congestion_window
            .or_else(|| image.log.map(|log| log.receiver_window()))
    });
}

fn add_subscribers(registry: &mut Registry, snapshot: &Snapshot) {
    let position: Counters<SubscriberLabels> = Family::default();
    let backlog: Gauges<SubscriberLabels> = Family::default();
    let see = |subscriber: &SubscriberView, front: Option<i64>| {
        let labels = SubscriberLabels {
            channel: subscriber.channel.clone(),
            stream: subscriber.stream_id.get(),
            session: subscriber.session_id.get(),
            subscription: subscriber.subscription_id.get(),
            client: subscriber.client_id.get(),
        };
        add(&position, &labels, subscriber.position);
        if let Some(front) = front {
            let behind = front.saturating_sub(subscriber.position).max(0);
            backlog.get_or_create(&labels).set(behind);
        }
    };
    for publication in &snapshot.publications {
        for subscriber in &publication.subscribers {
            see(subscriber, publication.publisher_position);
        }
    }
    for image in &snapshot.images {
        for subscriber in &image.subscribers {
            see(subscriber, image.high_water_mark);
        }
    }
    registry.register(
        "subscriber_position_bytes",
        "Position of a subscriber",
        position,
    );
    let help = "Bytes that a subscriber has yet to consume";
    registry.register("subscriber_backlog_bytes", help, backlog);
}

fn add_channels(registry: &mut Registry, snapshot: &Snapshot) {
    let status: Gauges<ChannelLabels> = Family::default();
    let destinations: Gauges<ChannelLabels> = Family::default();
    for channel in &snapshot.channels {
        let labels = ChannelLabels {
            channel: channel.channel.clone(),
            direction: if channel.is_send { "send" } else { "receive" },
        };
        if let Some(found) = channel.status {
            status.get_or_create(&labels).set(found.to_wire());
        }
        if let Some(count) = channel.destinations {
            destinations.get_or_create(&labels).set(count);
        }
    }
    let help = "Status of an endpoint: 1 is active, -1 is erroneous";
    registry.register("channel_status", help, status);
    registry.register(
        "channel_destinations",
        "Destinations of a channel",
        destinations,
    );
}

/// The same figures for programs that prefer JSON: names and values, streams as objects.
pub(super) fn to_json(snapshot: &Snapshot) -> serde_json::Value {
    let system = SYSTEM.iter().filter_map(|(id, name, _)| {
        let value = snapshot.system.try_get(*id)?;
        Some(((*name).to_owned(), serde_json::Value::from(value)))
    });
    serde_json::json!({
        "up": snapshot.is_driver_alive(HEARTBEAT_TIMEOUT_MS),
        "pid": snapshot.driver.pid,
        "clients": snapshot.clients.len(),
        "system": serde_json::Map::from_iter(system),
        "streams": crate::commands::streams::streams_json(snapshot),
    })
}
