//! Send channel endpoints: which publications share one, and its life (`driver.md` §6, §13).
//!
//! The conductor opens the transport and hands the endpoint to the sender; what stays here is a
//! record of it. When the last publication is gone the endpoint is asked for, and the record stays,
//! closing, until the sender has given it back.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{CounterId, RegistrationId};
use crate::cnc::counter_types::ChannelStatus;
use crate::command::ErrorCode;
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::failure::CommandFailure;
use crate::driver::media::destinations::{DestinationKind, Destinations};
use crate::driver::media::loss::LossChain;
use crate::driver::media::send_endpoint::{SendEndpoint, SendEndpointParams, SendLink, SendPeers};
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{EndpointId, SenderMessage};
use crate::driver::params::{check_mtu_against_sndbuf, check_send_endpoint};
use crate::port::{MulticastSpec, Network, Transport, TransportRole, TransportSpec};

use super::Conductor;

/// What the conductor knows of a send endpoint.
#[derive(Debug)]
pub(super) struct SendEndpointRecord {
    pub(super) id: EndpointId,
    /// The channel it was opened for.
    pub(super) channel: Arc<UdpChannel>,
    /// `snd-channel`
    pub(super) status: AtomicCounter,
    /// All counters, to be freed with it.
    counters: Vec<CounterId>,
    /// Where it sends to at present, if to one address.
    pub(super) address: Option<SocketAddr>,
    /// Port that was taken from the sender's port manager; 0 if none was.
    port: u16,
    /// Publications that use it.
    ref_count: usize,
    pub(super) is_closing: bool,
}

impl<N: Network> Conductor<N> {
    /// The endpoint that a publication on `channel` shares, if there is one.
    pub(super) fn find_send_endpoint(
        &self,
        channel: &UdpChannel,
    ) -> Result<Option<EndpointId>, CommandFailure> {
        for record in self.send_endpoints.values() {
            // Whatever else such a channel says, it can be had once the old endpoint is gone.
            if record.is_closing && record.channel.has_tag_of(channel) {
                return Err(closing(channel));
            }
            let matches = record.channel.matches_tag(channel, None, record.address);
            if matches.map_err(as_generic)? {
                return record.if_open(channel).map(Some);
            }
        }
        if channel.tag().is_some() && !channel.is_original() {
            return Err(CommandFailure::invalid_channel(format!(
                "channel must have explicit control, endpoint, or be manual control-mode when \
                 original: {}",
                channel.original_text()
            )));
        }
        let same = self
            .send_endpoints
            .values()
            .find(|record| is_same(&record.channel, channel));
        same.map(|record| record.if_open(channel)).transpose()
    }

    /// Checks that a publication with this mtu may use the endpoint, or could use one opened for
    /// its own channel.
    pub(super) fn check_send_channel(
        &self,
        endpoint: Option<EndpointId>,
        channel: &UdpChannel,
        mtu_length: i32,
    ) -> Result<(), CommandFailure> {
        let record = endpoint.and_then(|id| self.send_endpoints.get(&id));
        let existing = record.map_or(channel, |record| record.channel.as_ref());
        if record.is_some() {
            check_send_endpoint(existing, channel)?;
        }
        let limits = self.network.buffer_limits();
        check_mtu_against_sndbuf(mtu_length, existing, &limits).map_err(as_generic)
    }

    /// Opens an endpoint for `channel` and hands it to the sender. Nobody refers to it yet.
    pub(super) fn open_send_endpoint(
        &mut self,
        channel: Arc<UdpChannel>,
        registration_id: RegistrationId,
    ) -> Result<EndpointId, CommandFailure> {
        let port = self.acquire_send_port(&channel)?;
        let mut counters = Vec::new();
        let opened = self.try_open_send_endpoint(&channel, registration_id, port, &mut counters);
        let (endpoint, status, address) = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                self.ctx.free_counters(counters);
                self.sender_ports.release(port);
                return Err(failure);
            }
        };
        let id = endpoint.id();
        self.ctx
            .sender
            .send(SenderMessage::AddEndpoint(Box::new(endpoint)));
        let ref_count = 0;
        let record = SendEndpointRecord {
            id,
            channel,
            status,
            counters,
            address,
            port,
            ref_count,
            is_closing: false,
        };
        self.ctx.log(
            EventKind::SendChannelCreation,
            &[registration_id.get()],
            record.channel.original_text(),
        );
        self.send_endpoints.insert(id, record);
        Ok(id)
    }

    /// A publication uses the endpoint.
    pub(super) fn retain_send_endpoint(&mut self, endpoint: EndpointId) {
        if let Some(record) = self.send_endpoints.get_mut(&endpoint) {
            record.ref_count += 1;
        }
    }

    /// A publication does not use the endpoint any more.
    pub(super) fn release_send_endpoint(&mut self, endpoint: EndpointId) {
        if let Some(record) = self.send_endpoints.get_mut(&endpoint) {
            debug_assert!(record.ref_count > 0);
            record.ref_count = record.ref_count.saturating_sub(1);
        }
        self.close_send_endpoint_if_unused(endpoint);
    }

    /// Asks for the endpoint back if no publication uses it.
    pub(super) fn close_send_endpoint_if_unused(&mut self, endpoint: EndpointId) {
        let Some(record) = self.send_endpoints.get_mut(&endpoint) else {
            return;
        };
        if record.ref_count == 0 && !record.is_closing {
            record.is_closing = true;
            record.status.set(ChannelStatus::Closing.to_wire());
            self.ctx
                .sender
                .send(SenderMessage::RemoveEndpoint(endpoint));
        }
    }

    /// The sender gave an endpoint back: closes its transport.
    pub(super) fn on_send_endpoint_closed(&mut self, endpoint: SendEndpoint<N::Transport>) {
        let id = endpoint.id();
        drop(endpoint);
        if let Some(record) = self.send_endpoints.remove(&id) {
            let text = record.channel.original_text();
            self.ctx.log(EventKind::SendChannelClose, &[], text);
            self.sender_ports.release(record.port);
            self.ctx.free_counters(record.counters);
        }
    }

    /// The port to bind, 0 if the operating system is to choose. Multicast ports are not managed,
    /// and an open port is taken from the configured range only if the channel names `control`.
    fn acquire_send_port(&mut self, channel: &UdpChannel) -> Result<u16, CommandFailure> {
        if channel.is_multicast() {
            return Ok(0);
        }
        let port = channel.local_control().port();
        let acquired = self
            .sender_ports
            .acquire(port, channel.is_explicit_control());
        acquired.map_err(|error| {
            CommandFailure::generic(format!("{error}: {}", channel.original_text()))
        })
    }

    #[expect(
        clippy::type_complexity,
        reason = "the three parts of a fresh endpoint, used once"
    )]
    fn try_open_send_endpoint(
        &mut self,
        channel: &Arc<UdpChannel>,
        registration_id: RegistrationId,
        port: u16,
        allocated: &mut Vec<CounterId>,
    ) -> Result<
        (
            SendEndpoint<N::Transport>,
            AtomicCounter,
            Option<SocketAddr>,
        ),
        CommandFailure,
    > {
        let (text, epoch) = (channel.original_text(), self.ctx.tick.epoch);
        let role = TransportRole::Send;
        let counters = &mut self.ctx.counters;
        let status = counters.channel_status(role, registration_id, text, epoch)?;
        allocated.push(status.id());
        let local = counters.local_address(role, registration_id, status.id(), epoch)?;
        allocated.push(local.id());
        let destinations = if channel.is_multi_destination() {
            let count = counters.destinations(registration_id, text, epoch)?;
            allocated.push(count.id());
            Some(count)
        } else {
            None
        };
        let spec = send_transport_spec(channel, port, &self.ctx.config);
        let transport = self
            .network
            .open(&spec)
            .map_err(|error| cannot_open(&error, text))?;
        let bound = transport.local_address();
        let counters = &self.ctx.counters;
        counters.set_local_address(local.id(), role, status.id(), bound);
        local.set(ChannelStatus::Active.to_wire());
        counters.append_bound_address(status.id(), bound);
        status.set(ChannelStatus::Active.to_wire());
        let endpoint = self.make_send_endpoint(channel, transport, &spec, &status, destinations);
        let address = endpoint.address();
        Ok((endpoint, status, address))
    }

    fn make_send_endpoint(
        &mut self,
        channel: &UdpChannel,
        transport: N::Transport,
        spec: &TransportSpec,
        status: &AtomicCounter,
        destinations: Option<AtomicCounter>,
    ) -> SendEndpoint<N::Transport> {
        let config = &self.ctx.config;
        let peers = match destinations {
            Some(count) => {
                let kind = if channel.is_manual() {
                    DestinationKind::Manual
                } else {
                    DestinationKind::Dynamic
                };
                SendPeers::Destinations(Destinations::new(kind, count))
            }
            None if channel.is_response() => SendPeers::Learnt,
            None => SendPeers::Address {
                address: channel.remote_data(),
                link: if spec.connect.is_some() {
                    SendLink::Connected
                } else {
                    SendLink::Addressed
                },
            },
        };
        let has_name =
            channel.has_explicit_endpoint() && !channel.is_multicast() && !channel.is_response();
        let endpoint_text = if has_name {
            channel.endpoint_text()
        } else {
            None
        };
        let data_loss = LossChain::send_data(config, &mut self.rng);
        let control_loss = LossChain::send_control(config, &mut self.rng);
        SendEndpoint::new(SendEndpointParams {
            id: self.ctx.next_endpoint_id(),
            transport,
            peers,
            status: status.clone(),
            endpoint_text: endpoint_text.map(str::to_owned),
            send_timestamp_offset: channel.timestamp_offsets().channel_send,
            data_loss,
            control_loss,
            now: self.ctx.tick.now,
        })
    }
}

impl SendEndpointRecord {
    /// The endpoint's name, unless it is on its way out.
    fn if_open(&self, channel: &UdpChannel) -> Result<EndpointId, CommandFailure> {
        if self.is_closing {
            return Err(closing(channel));
        }
        Ok(self.id)
    }
}

/// Whether two channels have the same canonical form and do not insist on different tags.
pub(super) fn is_same(existing: &UdpChannel, channel: &UdpChannel) -> bool {
    let has_tag_conflict = match (existing.tag(), channel.tag()) {
        (Some(existing), Some(tag)) => existing != tag,
        _ => false,
    };
    !has_tag_conflict && existing.canonical_form() == channel.canonical_form()
}

/// A channel whose endpoint is closing can be had again in a moment.
pub(super) fn closing(channel: &UdpChannel) -> CommandFailure {
    let text = format!("channel endpoint is closing: {}", channel.original_text());
    CommandFailure::new(ErrorCode::ResourceTemporarilyUnavailable, text)
}

/// The operating system refused to open a transport.
pub(super) fn cannot_open(error: &std::io::Error, channel: &str) -> CommandFailure {
    CommandFailure::generic(format!("cannot open transport: {error}: {channel}"))
}

/// Conflicts between a channel and what exists are reported without a code of their own.
pub(super) fn as_generic(failure: impl Into<CommandFailure>) -> CommandFailure {
    CommandFailure::generic(failure.into().text)
}

fn send_transport_spec(
    channel: &UdpChannel,
    port: u16,
    config: &crate::driver::config::DriverConfig,
) -> TransportSpec {
    let remote = channel.remote_data();
    let multicast = channel.is_multicast().then(|| MulticastSpec {
        group: channel.remote_control(),
        interface: channel.local_control().ip(),
        interface_index: channel.interface_index(),
        ttl: channel.ttl(),
    });
    let bind = if multicast.is_some() {
        any_of_family(remote, remote.port())
    } else {
        SocketAddr::new(channel.local_control().ip(), port)
    };
    let has_one_peer = channel.has_explicit_endpoint()
        && !channel.is_multi_destination()
        && !channel.is_response();
    let connects = multicast.is_some() || (has_one_peer && config.connect);
    TransportSpec {
        role: TransportRole::Send,
        bind,
        connect: connects.then_some(remote),
        multicast,
        socket_sndbuf_length: channel.socket_sndbuf_length(),
        socket_rcvbuf_length: channel.socket_rcvbuf_length(),
        media_timestamps: false,
        receive_batch: config.sender_io_vector_capacity,
        segment_offload: config.socket_gso,
        busy_poll: config.busy_poll(),
    }
}

/// The wildcard address of the family of `address`.
pub(super) fn any_of_family(address: SocketAddr, port: u16) -> SocketAddr {
    if address.is_ipv6() {
        SocketAddr::from(([0u16; 8], port))
    } else {
        SocketAddr::from(([0u8; 4], port))
    }
}
