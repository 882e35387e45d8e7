//! The transports of receive channel endpoints: opening, closing, and the ports they take.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{CounterId, RegistrationId};
use crate::cnc::counter_types::ChannelStatus;
use crate::concurrent::AtomicCounter;
use crate::driver::config::DriverConfig;
use crate::driver::failure::CommandFailure;
use crate::driver::media::receive_endpoint::{ReceiveTransport, ReceiveTransportSpec};
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{EndpointId, ReceiverMessage};
use crate::port::{MulticastSpec, Network, Transport, TransportRole, TransportSpec};

use super::Conductor;
use super::send_endpoints::{any_of_family, cannot_open};

/// One open transport of an endpoint, as the conductor knows it.
#[derive(Debug)]
pub(super) struct TransportRecord {
    /// The channel it was opened for.
    pub(super) channel: Arc<UdpChannel>,
    /// `rcv-local-sockaddr`
    status: AtomicCounter,
    /// Port that was taken from the receiver's port manager; 0 if none was.
    port: u16,
    /// Its explicit control address at present.
    pub(super) control_address: Option<SocketAddr>,
}

impl<N: Network> Conductor<N> {
    /// Opens a transport for `channel`, with the buffer lengths of the endpoint's channel.
    pub(super) fn open_receive_transport(
        &mut self,
        channel: &Arc<UdpChannel>,
        endpoint_channel: &UdpChannel,
        registration_id: RegistrationId,
        channel_status: CounterId,
    ) -> Result<(ReceiveTransport<N::Transport>, TransportRecord), CommandFailure> {
        let port = self.acquire_receive_port(channel)?;
        let epoch = self.ctx.tick.epoch;
        let role = TransportRole::Receive;
        let local = self
            .ctx
            .counters
            .local_address(role, registration_id, channel_status, epoch);
        let local = local.inspect_err(|_| self.receiver_ports.release(port))?;
        let spec = receive_transport_spec(channel, endpoint_channel, port, &self.ctx.config);
        let transport = match self.network.open(&spec) {
            Ok(transport) => transport,
            Err(error) => {
                self.receiver_ports.release(port);
                self.ctx.free_counters([local.id()]);
                return Err(cannot_open(&error, channel.original_text()));
            }
        };
        if spec.media_timestamps && !transport.has_media_timestamps() {
            // The stream is worth more than the times.
            let text = channel.original_text();
            self.ctx.record(&CommandFailure::generic(format!(
                "the system gives no receive timestamps, goes on without: {text}"
            )));
        }
        let bound = transport.local_address();
        self.ctx
            .counters
            .set_local_address(local.id(), role, channel_status, bound);
        local.set(ChannelStatus::Active.to_wire());
        let control_address = channel
            .is_explicit_control()
            .then(|| channel.local_control());
        let record = TransportRecord {
            channel: Arc::clone(channel),
            status: local,
            port,
            control_address,
        };
        let spec = transport_properties(channel, endpoint_channel);
        Ok((
            ReceiveTransport::new(transport, spec, self.ctx.tick.now),
            record,
        ))
    }

    /// Takes a transport out of its slot and asks for it back.
    pub(super) fn remove_transport(&mut self, endpoint: EndpointId, index: usize) {
        let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
            return;
        };
        let Some(transport) = record.transports.get_mut(index).and_then(Option::take) else {
            return;
        };
        transport.status.set(ChannelStatus::Closing.to_wire());
        record.closing_transports.push_back((index, transport));
        self.ctx
            .receiver
            .send(ReceiverMessage::RemoveDestination { endpoint, index });
    }

    /// The receiver gave a transport back: closes it.
    pub(super) fn on_receive_transport_closed(
        &mut self,
        endpoint: EndpointId,
        index: usize,
        transport: ReceiveTransport<N::Transport>,
    ) {
        drop(transport);
        let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
            return;
        };
        let closing = &mut record.closing_transports;
        let position = closing.iter().position(|(slot, _)| *slot == index);
        if let Some((_, transport)) = position.and_then(|position| closing.remove(position)) {
            self.free_transport(transport);
        }
    }

    pub(super) fn free_transport(&mut self, transport: TransportRecord) {
        self.receiver_ports.release(transport.port);
        self.ctx.free_counters([transport.status.id()]);
    }

    fn acquire_receive_port(&mut self, channel: &UdpChannel) -> Result<u16, CommandFailure> {
        if channel.is_multicast() {
            return Ok(0);
        }
        let acquired = self
            .receiver_ports
            .acquire(channel.remote_data().port(), true);
        acquired.map_err(|error| {
            CommandFailure::generic(format!("{error}: {}", channel.original_text()))
        })
    }
}

fn receive_transport_spec(
    channel: &UdpChannel,
    endpoint_channel: &UdpChannel,
    port: u16,
    config: &DriverConfig,
) -> TransportSpec {
    let remote = channel.remote_data();
    let media_timestamps = channel.timestamp_offsets().media_receive;
    let media_timestamps = media_timestamps
        .or(endpoint_channel.timestamp_offsets().media_receive)
        .is_some();
    let multicast = channel.is_multicast().then(|| MulticastSpec {
        group: remote,
        interface: channel.local_data().ip(),
        interface_index: channel.interface_index(),
        ttl: channel.ttl(),
    });
    let bind = if multicast.is_some() {
        any_of_family(remote, remote.port())
    } else {
        SocketAddr::new(remote.ip(), port)
    };
    TransportSpec {
        role: TransportRole::Receive,
        bind,
        connect: None,
        multicast,
        socket_sndbuf_length: endpoint_channel.socket_sndbuf_length(),
        socket_rcvbuf_length: endpoint_channel.socket_rcvbuf_length(),
        media_timestamps,
        receive_batch: config.receiver_io_vector_capacity,
        segment_offload: config.socket_gro,
        busy_poll: config.busy_poll(),
    }
}

/// What the receiver needs to know of a transport besides its socket.
fn transport_properties(
    channel: &UdpChannel,
    endpoint_channel: &UdpChannel,
) -> ReceiveTransportSpec {
    let own = ReceiveTransportSpec::of(channel, endpoint_channel.ttl());
    let inherited = endpoint_channel.timestamp_offsets();
    ReceiveTransportSpec {
        channel_timestamp_offset: own.channel_timestamp_offset.or(inherited.channel_receive),
        media_timestamp_offset: own.media_timestamp_offset.or(inherited.media_receive),
        ..own
    }
}
