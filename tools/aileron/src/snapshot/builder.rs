//! Sorts the records of counters.

use std::collections::BTreeMap;

use aileron::base::{ClientId, CounterId, EpochMillis, RegistrationId, SessionId, StreamId};
use aileron::cnc::counter_types::{
    CLIENT_HEARTBEAT_TYPE_ID, ChannelKey, ChannelStatus, FLOW_CONTROL_RECEIVERS_TYPE_ID,
    HeartbeatKey, LOCAL_SOCKADDR_TYPE_ID, LocalAddressKey, MDC_DESTINATIONS_TYPE_ID,
    PER_IMAGE_TYPE_ID, PUBLISHER_LIMIT_TYPE_ID, PUBLISHER_POSITION_TYPE_ID,
    RECEIVE_CHANNEL_STATUS_TYPE_ID, RECEIVER_HWM_TYPE_ID, RECEIVER_NAKS_SENT_TYPE_ID,
    RECEIVER_POSITION_TYPE_ID, SEND_CHANNEL_STATUS_TYPE_ID, SENDER_BACK_PRESSURE_TYPE_ID,
    SENDER_LIMIT_TYPE_ID, SENDER_NAKS_RECEIVED_TYPE_ID, SENDER_POSITION_TYPE_ID,
    SUBSCRIBER_POSITION_TYPE_ID, SYSTEM_TYPE_ID, StreamKey, SystemKey,
};
use aileron::cnc::extra_counters::{
    AGENT_ALIVE_TYPE_ID, AGENT_BUSY_TYPE_ID, LIMITING_RECEIVER_TYPE_ID, RECEIVER_WINDOW_TYPE_ID,
    SUBSCRIPTION_TYPE_ID, unpack_address,
};
use aileron::cnc::{Cnc, SystemCounter, counter_labels::name};
use aileron::concurrent::{CounterRecord, CounterState};
use aileron::runtime::SystemClock;

use super::{
    AgentView, ChannelView, ClientView, DriverView, ImageView, LocalAddress, PublicationView,
    Snapshot, SubscriberView, SubscriptionView, SystemView,
};

/// What the counters say, as far as they were handed in.
#[derive(Debug)]
pub(super) struct Builder {
    system: [Option<i64>; SystemCounter::ALL.len()],
    publications: BTreeMap<i64, PublicationView>,
    images: BTreeMap<i64, ImageView>,
    subscribers: Vec<SubscriberView>,
    subscriptions: Vec<SubscriptionView>,
    alive: [Option<i64>; 3],
    busy_ns: [Option<i64>; 3],
    channels: Vec<ChannelView>,
    addresses: Vec<(LocalAddressKey, i64)>,
    destinations: Vec<(RegistrationId, String, i64)>,
    clients: Vec<ClientView>,
    gone_clients: Vec<ClientView>,
    counters: Vec<CounterRecord>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            system: [None; SystemCounter::ALL.len()],
            publications: BTreeMap::new(),
            images: BTreeMap::new(),
            subscribers: Vec::new(),
            subscriptions: Vec::new(),
            alive: [None; 3],
            busy_ns: [None; 3],
            channels: Vec::new(),
            addresses: Vec::new(),
            destinations: Vec::new(),
            clients: Vec::new(),
            gone_clients: Vec::new(),
            counters: Vec::new(),
        }
    }
}

impl Builder {
    /// Takes in one counter, in use or freed.
    pub(super) fn add(&mut self, record: CounterRecord) {
        if record.state != CounterState::Allocated {
            self.add_freed(&record);
            return;
        }
        match record.type_id {
            SYSTEM_TYPE_ID => self.add_system(&record),
            CLIENT_HEARTBEAT_TYPE_ID => {
                let id = HeartbeatKey::decode(&record.key).client_id;
                self.clients.push(client(id, &record));
            }
            SEND_CHANNEL_STATUS_TYPE_ID => self.add_channel(&record, true),
            RECEIVE_CHANNEL_STATUS_TYPE_ID => self.add_channel(&record, false),
            LOCAL_SOCKADDR_TYPE_ID => {
                let key = LocalAddressKey::decode(&record.key);
                self.addresses.extend(key.map(|key| (key, record.value)));
            }
            MDC_DESTINATIONS_TYPE_ID => {
                let channel =
                    channel_of(&record, ChannelKey::decode(&record.key).map(|k| k.channel));
                let row = (record.registration_id, channel, record.value);
                self.destinations.push(row);
            }
            SUBSCRIBER_POSITION_TYPE_ID => self.add_subscriber(&record),
            SUBSCRIPTION_TYPE_ID => self.add_subscription(&record),
            AGENT_ALIVE_TYPE_ID => set_agent(&mut self.alive, &record),
            AGENT_BUSY_TYPE_ID => set_agent(&mut self.busy_ns, &record),
            RECEIVER_HWM_TYPE_ID
            | RECEIVER_POSITION_TYPE_ID
            | RECEIVER_NAKS_SENT_TYPE_ID
            | PER_IMAGE_TYPE_ID => self.add_image(&record),
            _ => self.add_publication(&record),
        }
        self.counters.push(record);
    }

    /// A freed counter keeps its label and value until it is used again.
    fn add_freed(&mut self, record: &CounterRecord) {
        if record.type_id == CLIENT_HEARTBEAT_TYPE_ID {
            let id = ClientId(record.registration_id.get());
            self.gone_clients.push(client(id, record));
        }
    }

    fn add_system(&mut self, record: &CounterRecord) {
        let is_system = record.registration_id.get() == i64::from(record.id.get());
        let index = usize::try_from(record.id.get()).ok();
        if let Some(slot) = index.and_then(|index| self.system.get_mut(index))
            && is_system
        {
            *slot = Some(record.value);
        }
    }

    fn add_channel(&mut self, record: &CounterRecord, is_send: bool) {
        let key = ChannelKey::decode(&record.key).map(|key| key.channel);
        self.channels.push(ChannelView {
            status_id: record.id,
            is_send,
            registration_id: record.registration_id,
            channel: channel_of(record, key),
            status: ChannelStatus::from_wire(record.value),
            addresses: Vec::new(),
            destinations: None,
        });
    }

    fn add_subscriber(&mut self, record: &CounterRecord) {
        let Some(key) = StreamKey::decode(&record.key) else {
            return;
        };
        let join = record.label.rsplit_once(" @");
        self.subscribers.push(SubscriberView {
            counter_id: record.id,
            subscription_id: key.registration_id,
            image_id: RegistrationId(record.reference_id),
            session_id: key.session_id,
            stream_id: key.stream_id,
            channel: channel_of(record, Some(key.channel)),
            client_id: ClientId(record.owner_id),
            position: record.value,
            join_position: join.and_then(|(_, position)| position.parse().ok()),
        });
    }

    fn add_subscription(&mut self, record: &CounterRecord) {
        let Some(key) = StreamKey::decode(&record.key) else {
            return;
        };
        let status = i32::try_from(record.value).ok().filter(|id| *id >= 0);
        self.subscriptions.push(SubscriptionView {
            registration_id: key.registration_id,
            stream_id: key.stream_id,
            channel: channel_of(record, Some(key.channel)),
            client_id: ClientId(record.owner_id),
            channel_status_id: status.map(CounterId),
        });
    }

    fn add_publication(&mut self, record: &CounterRecord) {
        let is_ours = matches!(
            record.type_id,
            PUBLISHER_LIMIT_TYPE_ID
                | PUBLISHER_POSITION_TYPE_ID
                | SENDER_POSITION_TYPE_ID
                | SENDER_LIMIT_TYPE_ID
                | SENDER_BACK_PRESSURE_TYPE_ID
                | SENDER_NAKS_RECEIVED_TYPE_ID
                | FLOW_CONTROL_RECEIVERS_TYPE_ID
                | LIMITING_RECEIVER_TYPE_ID
                | RECEIVER_WINDOW_TYPE_ID
        );
        let Some(key) = StreamKey::decode(&record.key).filter(|_| is_ours) else {
            return;
        };
        let id = key.registration_id;
        let publication = self
            .publications
            .entry(id.get())
            .or_insert_with(|| empty_publication(id, key.session_id, key.stream_id));
        let value = Some(record.value);
        match record.type_id {
            PUBLISHER_LIMIT_TYPE_ID => publication.publisher_limit = value,
            SENDER_POSITION_TYPE_ID => publication.sender_position = value,
            SENDER_LIMIT_TYPE_ID => publication.sender_limit = value,
            SENDER_BACK_PRESSURE_TYPE_ID => publication.back_pressure_events = value,
            SENDER_NAKS_RECEIVED_TYPE_ID => publication.naks_received = value,
            FLOW_CONTROL_RECEIVERS_TYPE_ID => publication.flow_control_receivers = value,
            LIMITING_RECEIVER_TYPE_ID => {
                publication.limiting_receiver = unpack_address(record.value);
            }
            RECEIVER_WINDOW_TYPE_ID => publication.receiver_window = value.filter(|w| *w > 0),
            _ => {
                publication.publisher_position = value;
                publication.is_exclusive =
                    record.label.starts_with(name::PUBLISHER_POSITION_EXCLUSIVE);
                publication.client_id = ClientId(record.owner_id);
            }
        }
        // That of flow control is the channel of the endpoint, which another may have opened.
        if record.type_id != FLOW_CONTROL_RECEIVERS_TYPE_ID {
            lengthen(
                &mut publication.channel,
                channel_of(record, Some(key.channel)),
            );
        }
    }

    fn add_image(&mut self, record: &CounterRecord) {
        let Some(key) = StreamKey::decode(&record.key) else {
            return;
        };
        let id = key.registration_id;
        let image = self
            .images
            .entry(id.get())
            .or_insert_with(|| empty_image(id, key.session_id, key.stream_id));
        let value = Some(record.value);
        match record.type_id {
            RECEIVER_HWM_TYPE_ID => {
                image.high_water_mark = value;
                image.client_id = ClientId(record.owner_id);
            }
            RECEIVER_POSITION_TYPE_ID => image.rebuild_position = value,
            RECEIVER_NAKS_SENT_TYPE_ID => image.naks_sent = value,
            _ if record.label.starts_with(name::CUBIC_RTT) => image.round_trip_ns = value,
            _ if record.label.starts_with(name::CUBIC_WINDOW) => image.congestion_window = value,
            _ => {}
        }
        lengthen(&mut image.channel, channel_of(record, Some(key.channel)));
    }

    /// The whole picture.
    pub(super) fn finish(mut self, cnc: &Cnc) -> Snapshot {
        let time = SystemClock::epoch();
        let driver = self.driver(cnc);
        let system = self.system();
        self.link_channels();
        let stray_subscribers = self.link_subscribers();
        let mut publications: Vec<_> = self.publications.into_values().collect();
        publications.sort_by_key(|p| {
            (
                p.stream_id.get(),
                p.session_id.get(),
                p.registration_id.get(),
            )
        });
        let mut images: Vec<_> = self.images.into_values().collect();
        images.sort_by_key(|i| {
            (
                i.stream_id.get(),
                i.session_id.get(),
                i.correlation_id.get(),
            )
        });
        self.clients.sort_by_key(|client| client.client_id.get());
        Snapshot {
            time,
            monotonic: super::monotonic(),
            driver,
            system,
            clients: self.clients,
            gone_clients: self.gone_clients,
            publications,
            images,
            stray_subscribers,
            subscriptions: self.subscriptions,
            channels: self.channels,
            counters: self.counters,
            errors: Vec::new(),
            losses: Vec::new(),
        }
    }

    fn label_of(&self, counter: SystemCounter) -> &str {
        let found = self.counters.iter().find(|c| c.id == counter.counter_id());
        found.map_or("", |record| record.label.as_str())
    }

    fn driver(&self, cnc: &Cnc) -> DriverView {
        let software = self.label_of(SystemCounter::AeronVersion);
        let version = software.split_once("version=").map_or("", |(_, rest)| rest);
        let mode = self.label_of(SystemCounter::ConductorMaxCycleTime);
        DriverView {
            pid: cnc.pid(),
            start: cnc.start_timestamp(),
            heartbeat: cnc.to_driver().consumer_heartbeat(),
            cnc_version: cnc.version().to_string(),
            version: version.split(' ').next().unwrap_or_default().to_owned(),
            is_aileron: self.alive.iter().any(Option::is_some),
            threading_mode: mode
                .rsplit_once("ns: ")
                .map_or("", |(_, mode)| mode)
                .to_owned(),
            client_liveness_timeout_ns: cnc.client_liveness_timeout_ns(),
            page_size: cnc.page_size(),
        }
    }

    fn system(&self) -> SystemView {
        let view = SystemView {
            values: self.system,
            agents: Vec::new(),
        };
        let told = self.alive.iter().zip(&self.busy_ns);
        let agents = AGENTS
            .iter()
            .zip(told)
            .map(|((name, max, exceeded), (alive, busy_ns))| AgentView {
                name,
                max_cycle_ns: view.get(*max),
                threshold_exceeded: view.get(*exceeded),
                alive: alive.map(EpochMillis),
                busy_ns: *busy_ns,
            })
            .collect();
        SystemView { agents, ..view }
    }

    fn link_channels(&mut self) {
        for channel in &mut self.channels {
            let own = |key: &&(LocalAddressKey, i64)| key.0.channel_status_id == channel.status_id;
            channel.addresses = self
                .addresses
                .iter()
                .filter(own)
                .map(|(key, status)| LocalAddress {
                    address: key.address.clone(),
                    status: ChannelStatus::from_wire(*status),
                })
                .collect();
            if channel.is_send {
                let (id, text) = (channel.registration_id, channel.channel.as_str());
                let own = self.destinations.iter().find(|(registration, channel, _)| {
                    *registration == id && text.starts_with(channel.as_str())
                });
                channel.destinations = own.map(|(_, _, count)| *count);
            }
        }
    }

    /// Hands each subscriber to its image or publication, and returns those without.
    fn link_subscribers(&mut self) -> Vec<SubscriberView> {
        let mut stray = Vec::new();
        for subscriber in std::mem::take(&mut self.subscribers) {
            let id = subscriber.image_id.get();
            if let Some(image) = self.images.get_mut(&id) {
                image.subscribers.push(subscriber);
            } else if let Some(publication) = self.publications.get_mut(&id) {
                publication.subscribers.push(subscriber);
            } else if let Some(owner) = self.owner_of(&subscriber) {
                owner.push(subscriber);
            } else {
                stray.push(subscriber);
            }
        }
        stray
    }

    /// Drivers that keep no reference to the image: by stream and session.
    fn owner_of(&mut self, subscriber: &SubscriberView) -> Option<&mut Vec<SubscriberView>> {
        let key = (subscriber.session_id, subscriber.stream_id);
        let reads_log = subscriber.channel.starts_with("aeron:ipc")
            || subscriber.channel.starts_with("aeron-spy");
        if reads_log {
            let mut all = self.publications.values_mut();
            let found = all.find(|p| (p.session_id, p.stream_id) == key);
            return found.map(|publication| &mut publication.subscribers);
        }
        let mut all = self.images.values_mut();
        let found = all.find(|image| (image.session_id, image.stream_id) == key);
        found.map(|image| &mut image.subscribers)
    }
}

const AGENTS: [(&str, SystemCounter, SystemCounter); 3] = [
    (
        "conductor",
        SystemCounter::ConductorMaxCycleTime,
        SystemCounter::ConductorCycleTimeThresholdExceeded,
    ),
    (
        "sender",
        SystemCounter::SenderMaxCycleTime,
        SystemCounter::SenderCycleTimeThresholdExceeded,
    ),
    (
        "receiver",
        SystemCounter::ReceiverMaxCycleTime,
        SystemCounter::ReceiverCycleTimeThresholdExceeded,
    ),
];

fn set_agent(values: &mut [Option<i64>; 3], record: &CounterRecord) {
    let agent = usize::try_from(SystemKey::decode(&record.key).system_counter_id).ok();
    if let Some(value) = agent.and_then(|agent| values.get_mut(agent)) {
        *value = Some(record.value);
    }
}

fn client(id: ClientId, record: &CounterRecord) -> ClientView {
    ClientView::new(id, record.id, EpochMillis(record.value), &record.label)
}

/// The channel of a counter: keys cut it off, labels do so much later, but add to its end.
fn channel_of(record: &CounterRecord, key: Option<String>) -> String {
    let key = key.unwrap_or_default();
    let Some(start) = record
        .label
        .find("aeron")
        .filter(|at| record.label[*at..].starts_with(&key))
    else {
        return key;
    };
    let text = &record.label[start..];
    let is_channel_counter = matches!(
        record.type_id,
        SEND_CHANNEL_STATUS_TYPE_ID | RECEIVE_CHANNEL_STATUS_TYPE_ID | MDC_DESTINATIONS_TYPE_ID
    );
    let end = if record.type_id == SUBSCRIBER_POSITION_TYPE_ID {
        text.rfind(" @")
    } else if is_channel_counter && key.len() < ChannelKey::CHANNEL_LENGTH_MAX {
        Some(key.len())
    } else if is_channel_counter {
        // The address that the socket is bound to follows.
        text.rfind(' ').filter(|at| *at >= key.len())
    } else {
        None
    };
    text[..end.unwrap_or(text.len())].to_owned()
}

fn lengthen(channel: &mut String, other: String) {
    if other.len() > channel.len() {
        *channel = other;
    }
}

const fn empty_publication(
    registration_id: RegistrationId,
    session_id: SessionId,
    stream_id: StreamId,
) -> PublicationView {
    PublicationView {
        registration_id,
        session_id,
        stream_id,
        channel: String::new(),
        client_id: ClientId(-1),
        is_exclusive: false,
        publisher_position: None,
        publisher_limit: None,
        sender_position: None,
        sender_limit: None,
        back_pressure_events: None,
        naks_received: None,
        flow_control_receivers: None,
        limiting_receiver: None,
        receiver_window: None,
        subscribers: Vec::new(),
        log: None,
        frame_length_at_front: None,
    }
}

const fn empty_image(
    correlation_id: RegistrationId,
    session_id: SessionId,
    stream_id: StreamId,
) -> ImageView {
    ImageView {
        correlation_id,
        session_id,
        stream_id,
        channel: String::new(),
        client_id: ClientId(-1),
        high_water_mark: None,
        rebuild_position: None,
        naks_sent: None,
        round_trip_ns: None,
        congestion_window: None,
        subscribers: Vec::new(),
        log: None,
    }
}
