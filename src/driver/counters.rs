//! Allocation of the counters of clients, channels and streams, with the labels and keys by which
//! tools find them (`cnc.md` §12.3). Only the conductor allocates and frees.

use std::net::SocketAddr;

use crate::base::{
    ClientId, CorrelationId, CounterId, EpochMillis, Position, RegistrationId, SessionId, StreamId,
};
use crate::cnc::counter_labels::{
    bound_suffix, channel_label, heartbeat_label, local_address_label, name, stream_label,
    subscriber_position_label,
};
use crate::cnc::counter_types::{
    CLIENT_HEARTBEAT_TYPE_ID, ChannelKey, FLOW_CONTROL_RECEIVERS_TYPE_ID, HeartbeatKey,
    LOCAL_SOCKADDR_TYPE_ID, LocalAddressKey, MDC_DESTINATIONS_TYPE_ID, PER_IMAGE_TYPE_ID,
    PUBLISHER_LIMIT_TYPE_ID, PUBLISHER_POSITION_TYPE_ID, RECEIVE_CHANNEL_STATUS_TYPE_ID,
    RECEIVER_HWM_TYPE_ID, RECEIVER_NAKS_SENT_TYPE_ID, RECEIVER_POSITION_TYPE_ID,
    SEND_CHANNEL_STATUS_TYPE_ID, SENDER_BACK_PRESSURE_TYPE_ID, SENDER_LIMIT_TYPE_ID,
    SENDER_NAKS_RECEIVED_TYPE_ID, SENDER_POSITION_TYPE_ID, SUBSCRIBER_POSITION_TYPE_ID, StreamKey,
};
use crate::cnc::extra_counters::{
    LIMITING_RECEIVER_TYPE_ID, RECEIVER_WINDOW_TYPE_ID, SUBSCRIPTION_TYPE_ID, name as extra_name,
};
use crate::concurrent::{
    AtomicCounter, CounterSpec, CountersFull, CountersManager, LABEL_LENGTH_MAX, STATIC_OWNER_ID,
};
use crate::port::TransportRole;

/// Counters of streams, beside the positions of subscribers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamCounter {
    /// `pub-pos (concurrent)`
    PublisherPositionConcurrent,
    /// `pub-pos (exclusive)`
    PublisherPositionExclusive,
    /// `pub-lmt`
    PublisherLimit,
    /// `snd-pos`
    SenderPosition,
    /// `snd-lmt`
    SenderLimit,
    /// `snd-bpe`
    SenderBackPressure,
    /// `snd-naks-received`
    SenderNaksReceived,
    /// `fc-receivers`; belongs to nobody
    FlowControlReceivers,
    /// `snd-limiting-receiver`
    LimitingReceiver,
    /// `snd-receiver-window`
    ReceiverWindow,
    /// `subscription`
    Subscription,
    /// `rcv-hwm`
    ReceiverHwm,
    /// `rcv-pos`
    ReceiverPosition,
    /// `rcv-naks-sent`
    ReceiverNaksSent,
    /// `rcv-cc-cubic-rtt`; belongs to nobody
    CubicRtt,
    /// `rcv-cc-cubic-wnd`; belongs to nobody
    CubicWindow,
}

impl StreamCounter {
    /// `pub-pos` of a publication.
    pub(crate) const fn publisher_position(is_exclusive: bool) -> Self {
        if is_exclusive {
            Self::PublisherPositionExclusive
        } else {
            Self::PublisherPositionConcurrent
        }
    }

    const fn type_and_name(self) -> (i32, &'static str) {
        match self {
            Self::PublisherPositionConcurrent => (
                PUBLISHER_POSITION_TYPE_ID,
                name::PUBLISHER_POSITION_CONCURRENT,
            ),
            Self::PublisherPositionExclusive => (
                PUBLISHER_POSITION_TYPE_ID,
                name::PUBLISHER_POSITION_EXCLUSIVE,
            ),
            Self::PublisherLimit => (PUBLISHER_LIMIT_TYPE_ID, name::PUBLISHER_LIMIT),
            Self::SenderPosition => (SENDER_POSITION_TYPE_ID, name::SENDER_POSITION),
            Self::SenderLimit => (SENDER_LIMIT_TYPE_ID, name::SENDER_LIMIT),
            Self::SenderBackPressure => (SENDER_BACK_PRESSURE_TYPE_ID, name::SENDER_BACK_PRESSURE),
            Self::SenderNaksReceived => (SENDER_NAKS_RECEIVED_TYPE_ID, name::SENDER_NAKS_RECEIVED),
            Self::FlowControlReceivers => {
                (FLOW_CONTROL_RECEIVERS_TYPE_ID, name::FLOW_CONTROL_RECEIVERS)
            }
            Self::LimitingReceiver => (LIMITING_RECEIVER_TYPE_ID, extra_name::LIMITING_RECEIVER),
            Self::ReceiverWindow => (RECEIVER_WINDOW_TYPE_ID, extra_name::RECEIVER_WINDOW),
            Self::Subscription => (SUBSCRIPTION_TYPE_ID, extra_name::SUBSCRIPTION),
            Self::ReceiverHwm => (RECEIVER_HWM_TYPE_ID, name::RECEIVER_HWM),
            Self::ReceiverPosition => (RECEIVER_POSITION_TYPE_ID, name::RECEIVER_POSITION),
            Self::ReceiverNaksSent => (RECEIVER_NAKS_SENT_TYPE_ID, name::RECEIVER_NAKS_SENT),
            Self::CubicRtt => (PER_IMAGE_TYPE_ID, name::CUBIC_RTT),
            Self::CubicWindow => (PER_IMAGE_TYPE_ID, name::CUBIC_WINDOW),
        }
    }

    const fn has_owner(self) -> bool {
        !matches!(
            self,
            Self::FlowControlReceivers | Self::CubicRtt | Self::CubicWindow
        )
    }
}

/// The stream that a counter belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamIdentity<'a> {
    /// Publication, image or, for a position of a subscriber, subscription.
    pub(crate) registration_id: RegistrationId,
    /// The session.
    pub(crate) session_id: SessionId,
    /// The stream.
    pub(crate) stream_id: StreamId,
    /// The channel as the client wrote it.
    pub(crate) channel: &'a str,
    /// The client that the counter belongs to.
    pub(crate) client_id: ClientId,
}

/// The allocator of all counters but the system's.
#[derive(Debug)]
pub(crate) struct DriverCounters {
    manager: CountersManager,
}

impl DriverCounters {
    /// Allocates from `manager`.
    pub(crate) const fn new(manager: CountersManager) -> Self {
        Self { manager }
    }

    /// A counter of a stream, at `initial`.
    pub(crate) fn stream(
        &mut self,
        counter: StreamCounter,
        stream: &StreamIdentity<'_>,
        initial: i64,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let (type_id, name) = counter.type_and_name();
        let StreamIdentity {
            registration_id,
            session_id,
            stream_id,
            channel,
            client_id,
        } = *stream;
        let label = stream_label(name, registration_id, session_id, stream_id, channel);
        let spec = CounterSpec {
            type_id,
            key: &stream.key(),
            label: &label,
            registration_id,
            owner_id: if counter.has_owner() {
                client_id.get()
            } else {
                STATIC_OWNER_ID
            },
            initial_value: initial,
            ..CounterSpec::default()
        };
        self.manager.allocate(&spec, now)
    }

    /// The position of a subscriber in an image, which it joins at `join`.
    pub(crate) fn subscriber_position(
        &mut self,
        subscription: &StreamIdentity<'_>,
        image: CorrelationId,
        join: Position,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let StreamIdentity {
            registration_id,
            session_id,
            stream_id,
            channel,
            client_id,
        } = *subscription;
        let label =
            subscriber_position_label(registration_id, session_id, stream_id, channel, join);
        let spec = CounterSpec {
            type_id: SUBSCRIBER_POSITION_TYPE_ID,
            key: &subscription.key(),
            label: &label,
            registration_id,
            owner_id: client_id.get(),
            reference_id: image.get(),
            initial_value: join.get(),
        };
        self.manager.allocate(&spec, now)
    }

    /// The status of a channel endpoint, initialising.
    pub(crate) fn channel_status(
        &mut self,
        role: TransportRole,
        registration_id: RegistrationId,
        channel: &str,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let (type_id, name) = match role {
            TransportRole::Send => (SEND_CHANNEL_STATUS_TYPE_ID, name::SEND_CHANNEL),
            TransportRole::Receive => (RECEIVE_CHANNEL_STATUS_TYPE_ID, name::RECEIVE_CHANNEL),
        };
        self.channel(type_id, name, registration_id, channel, now)
    }

    /// The number of destinations of a multi-destination publication's channel.
    pub(crate) fn destinations(
        &mut self,
        registration_id: RegistrationId,
        channel: &str,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let name = name::MDC_DESTINATIONS;
        self.channel(
            MDC_DESTINATIONS_TYPE_ID,
            name,
            registration_id,
            channel,
            now,
        )
    }

    /// The status of one transport of a channel, initialising and without an address.
    pub(crate) fn local_address(
        &mut self,
        role: TransportRole,
        registration_id: RegistrationId,
        channel_status: CounterId,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let key = LocalAddressKey {
            channel_status_id: channel_status,
            address: String::new(),
        };
        let spec = CounterSpec {
            type_id: LOCAL_SOCKADDR_TYPE_ID,
            key: &key.encode(),
            label: &local_address_label(local_address_name(role), channel_status, ""),
            registration_id,
            ..CounterSpec::default()
        };
        self.manager.allocate(&spec, now)
    }

    /// Publishes what a transport is bound to, in its counter's key and label.
    pub(crate) fn set_local_address(
        &self,
        counter: CounterId,
        role: TransportRole,
        channel_status: CounterId,
        address: SocketAddr,
    ) {
        let key = LocalAddressKey {
            channel_status_id: channel_status,
            address: address.to_string(),
        };
        self.manager.set_key(counter, &key.encode());
        let label = local_address_label(local_address_name(role), channel_status, address);
        self.manager.update_label(counter, &label);
    }

    /// Appends what a channel is bound to, to the label of its status.
    pub(crate) fn append_bound_address(&self, channel_status: CounterId, address: SocketAddr) {
        self.manager
            .append_label(channel_status, &bound_suffix(address));
    }

    /// A client's heartbeat, which beats now.
    pub(crate) fn client_heartbeat(
        &mut self,
        client_id: ClientId,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let spec = CounterSpec {
            type_id: CLIENT_HEARTBEAT_TYPE_ID,
            key: &HeartbeatKey { client_id }.encode(),
            label: &heartbeat_label(client_id),
            registration_id: RegistrationId(client_id.get()),
            owner_id: client_id.get(),
            initial_value: now.get(),
            ..CounterSpec::default()
        };
        self.manager.allocate(&spec, now)
    }

    /// A counter that a client asked for.
    pub(crate) fn user(
        &mut self,
        definition: &UserCounter<'_>,
        client_id: ClientId,
        now: EpochMillis,
    ) -> Result<CounterId, CountersFull> {
        self.allocate_user(definition, client_id.get(), now)
    }

    /// A counter that lives as long as the driver.
    pub(crate) fn static_user(
        &mut self,
        definition: &UserCounter<'_>,
        now: EpochMillis,
    ) -> Result<CounterId, CountersFull> {
        self.allocate_user(definition, STATIC_OWNER_ID, now)
    }

    /// Finds a counter and its owner.
    pub(crate) fn find(
        &self,
        type_id: i32,
        registration_id: RegistrationId,
    ) -> Option<(CounterId, i64)> {
        let reader = self.manager.reader();
        let counter = reader.find_by_type_and_registration(type_id, registration_id)?;
        Some((counter, reader.owner_id(counter)?))
    }

    /// Frees a counter; its id may be used again after a while.
    pub(crate) fn free(&mut self, counter: CounterId, now: EpochMillis) {
        self.manager.free(counter, now);
    }

    fn channel(
        &mut self,
        type_id: i32,
        name: &str,
        registration_id: RegistrationId,
        channel: &str,
        now: EpochMillis,
    ) -> Result<AtomicCounter, CountersFull> {
        let spec = CounterSpec {
            type_id,
            key: &ChannelKey {
                channel: channel.to_owned(),
            }
            .encode(),
            label: &channel_label(name, channel),
            registration_id,
            ..CounterSpec::default()
        };
        self.manager.allocate(&spec, now)
    }

    fn allocate_user(
        &mut self,
        definition: &UserCounter<'_>,
        owner_id: i64,
        now: EpochMillis,
    ) -> Result<CounterId, CountersFull> {
        let label = definition.label;
        let label = label.get(..LABEL_LENGTH_MAX).unwrap_or(label);
        let spec = CounterSpec {
            type_id: definition.type_id,
            key: definition.key,
            label: &String::from_utf8_lossy(label),
            registration_id: definition.registration_id,
            owner_id,
            ..CounterSpec::default()
        };
        Ok(self.manager.allocate(&spec, now)?.id())
    }
}

/// A counter as a client describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UserCounter<'a> {
    /// Its type, which means something to applications only.
    pub(crate) type_id: i32,
    /// Its key, cut off where it is too long.
    pub(crate) key: &'a [u8],
    /// Its label, cut off where it is too long.
    pub(crate) label: &'a [u8],
    /// What it is found by.
    pub(crate) registration_id: RegistrationId,
}

impl StreamIdentity<'_> {
    fn key(&self) -> [u8; crate::concurrent::KEY_LENGTH_MAX] {
        let key = StreamKey {
            registration_id: self.registration_id,
            session_id: self.session_id,
            stream_id: self.stream_id,
            channel: self.channel.to_owned(),
        };
        key.encode()
    }
}

const fn local_address_name(role: TransportRole) -> &'static str {
    match role {
        TransportRole::Send => name::SEND_LOCAL_SOCKADDR,
        TransportRole::Receive => name::RECEIVE_LOCAL_SOCKADDR,
    }
}
