//! Receive channel endpoints: which subscriptions share one, and its life (`driver.md` §7.1, §13).
//!
//! As with send endpoints, what stays at the conductor is a record. An endpoint is wanted as long
//! as a stream, a session, a response stream or an image refers to it. A multi-destination endpoint
//! begins without a transport; destinations take the lowest free slot.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{ReceiverId, RegistrationId, SessionId, StreamId};
use crate::cnc::counter_types::ChannelStatus;
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::failure::CommandFailure;
use crate::driver::media::loss::LossChain;
use crate::driver::media::receive_endpoint::{
    ReceiveEndpoint, ReceiveEndpointSpec, ReceiveTransport,
};
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{EndpointId, ReceiverMessage};
use crate::driver::params::{check_receive_endpoint, check_window_against_rcvbuf};
use crate::port::{Network, TransportRole};

use super::Conductor;
use super::receive_transports::TransportRecord;
use super::send_endpoints::{as_generic, closing, is_same};

/// What the conductor knows of a receive endpoint.
#[derive(Debug)]
pub(super) struct ReceiveEndpointRecord {
    pub(super) id: EndpointId,
    /// The channel it was opened for.
    pub(super) channel: Arc<UdpChannel>,
    /// `rcv-channel`
    pub(super) status: AtomicCounter,
    /// Its transports by slot; an ordinary channel has one, in slot 0.
    pub(super) transports: Vec<Option<TransportRecord>>,
    /// Transports that the receiver still has to give back, in the order in which it will.
    pub(super) closing_transports: VecDeque<(usize, TransportRecord)>,
    /// Subscriptions to all sessions of a stream.
    streams: BTreeMap<StreamId, usize>,
    /// Subscriptions to one session.
    sessions: BTreeMap<(StreamId, SessionId), usize>,
    /// Subscriptions that wait for a response stream.
    response_count: usize,
    pub(super) image_count: usize,
    pub(super) is_closing: bool,
}

/// What a subscription wants of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interest {
    /// All sessions of the stream.
    Stream,
    /// One session.
    Session(SessionId),
    /// A session that is not known yet.
    Response,
}

impl<N: Network> Conductor<N> {
    /// The endpoint that a subscription on `channel` shares, if there is one.
    pub(super) fn find_receive_endpoint(
        &self,
        channel: &UdpChannel,
    ) -> Result<Option<EndpointId>, CommandFailure> {
        for record in self.receive_endpoints.values() {
            // Whatever else such a channel says, it can be had once the old endpoint is gone.
            if record.is_closing && record.channel.has_tag_of(channel) {
                return Err(closing(channel));
            }
            let matches = record
                .channel
                .matches_tag(channel, record.control_address(), None);
            if matches.map_err(as_generic)? {
                return record.if_open(channel).map(Some);
            }
        }
        let same = self
            .receive_endpoints
            .values()
            .find(|record| is_same(&record.channel, channel));
        same.map(|record| record.if_open(channel)).transpose()
    }

    /// Checks that a subscription on `channel` may use the endpoint, or could use one opened for
    /// its own channel.
    pub(super) fn check_receive_channel(
        &self,
        endpoint: Option<EndpointId>,
        channel: &UdpChannel,
    ) -> Result<(), CommandFailure> {
        let record = endpoint.and_then(|id| self.receive_endpoints.get(&id));
        let existing = record.map_or(channel, |record| record.channel.as_ref());
        if record.is_some() {
            check_receive_endpoint(existing, channel)?;
        }
        let limits = self.network.buffer_limits();
        Ok(check_window_against_rcvbuf(channel, existing, &limits)?)
    }

    /// Opens an endpoint for `channel` and hands it to the receiver. Nobody refers to it yet.
    pub(super) fn open_receive_endpoint(
        &mut self,
        channel: Arc<UdpChannel>,
        registration_id: RegistrationId,
    ) -> Result<EndpointId, CommandFailure> {
        let text = channel.original_text();
        let role = TransportRole::Receive;
        let epoch = self.ctx.tick.epoch;
        let status = self
            .ctx
            .counters
            .channel_status(role, registration_id, text, epoch)?;
        let mut opened = None;
        if !channel.is_manual() {
            let transport =
                self.open_receive_transport(&channel, &channel, registration_id, status.id());
            match transport {
                Ok(transport) => opened = Some(transport),
                Err(failure) => {
                    self.ctx.free_counters([status.id()]);
                    return Err(failure);
                }
            }
        }
        let (transport, record) = opened.unzip();
        if let Some(transport) = &transport {
            self.ctx
                .counters
                .append_bound_address(status.id(), transport.local_address());
        }
        status.set(ChannelStatus::Active.to_wire());
        let endpoint = self.make_receive_endpoint(&channel, transport);
        let id = endpoint.id();
        self.ctx
            .receiver
            .send(ReceiverMessage::AddEndpoint(Box::new(endpoint)));
        let transports = record.into_iter().map(Some).collect();
        self.ctx.log(
            EventKind::ReceiveChannelCreation,
            &[registration_id.get()],
            channel.original_text(),
        );
        self.receive_endpoints.insert(
            id,
            ReceiveEndpointRecord {
                id,
                channel,
                status,
                transports,
                closing_transports: VecDeque::new(),
                streams: BTreeMap::new(),
                sessions: BTreeMap::new(),
                response_count: 0,
                image_count: 0,
                is_closing: false,
            },
        );
        Ok(id)
    }

    /// A subscription wants something of the endpoint.
    pub(super) fn add_interest(
        &mut self,
        endpoint: EndpointId,
        stream_id: StreamId,
        interest: Interest,
    ) {
        let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
            return;
        };
        let (count, session_id) = match interest {
            Interest::Stream => (record.streams.entry(stream_id).or_default(), None),
            Interest::Session(session_id) => {
                let count = record.sessions.entry((stream_id, session_id)).or_default();
                (count, Some(session_id))
            }
            Interest::Response => {
                record.response_count += 1;
                return;
            }
        };
        *count += 1;
        if *count == 1 {
            let message = ReceiverMessage::AddSubscription {
                endpoint,
                stream_id,
                session_id,
            };
            self.ctx.receiver.send(message);
        }
    }

    /// A subscription does not want it any more; closes the endpoint if nobody wants anything.
    pub(super) fn remove_interest(
        &mut self,
        endpoint: EndpointId,
        stream_id: StreamId,
        interest: Interest,
    ) {
        let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
            return;
        };
        let removed = match interest {
            Interest::Stream => decrement(&mut record.streams, stream_id).then_some(None),
            Interest::Session(session_id) => {
                let is_last = decrement(&mut record.sessions, (stream_id, session_id));
                is_last.then_some(Some(session_id))
            }
            Interest::Response => {
                record.response_count = record.response_count.saturating_sub(1);
                None
            }
        };
        if let Some(session_id) = removed {
            let message = ReceiverMessage::RemoveSubscription {
                endpoint,
                stream_id,
                session_id,
            };
            self.ctx.receiver.send(message);
        }
        self.close_receive_endpoint_if_unused(endpoint);
    }

    /// Asks for the endpoint back if nobody wants anything of it.
    pub(super) fn close_receive_endpoint_if_unused(&mut self, endpoint: EndpointId) {
        let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
            return;
        };
        if record.is_used() || record.is_closing {
            return;
        }
        record.is_closing = true;
        record.status.set(ChannelStatus::Closing.to_wire());
        self.ctx
            .receiver
            .send(ReceiverMessage::RemoveEndpoint(endpoint));
    }

    /// The receiver gave an endpoint back: closes its transports.
    pub(super) fn on_receive_endpoint_closed(&mut self, endpoint: ReceiveEndpoint<N::Transport>) {
        let id = endpoint.id();
        drop(endpoint);
        let Some(record) = self.receive_endpoints.remove(&id) else {
            return;
        };
        let text = record.channel.original_text();
        self.ctx.log(EventKind::ReceiveChannelClose, &[], text);
        let open = record.transports.into_iter().flatten();
        let closing = record
            .closing_transports
            .into_iter()
            .map(|(_, transport)| transport);
        for transport in open.chain(closing) {
            self.free_transport(transport);
        }
        self.ctx.free_counters([record.status.id()]);
    }

    fn make_receive_endpoint(
        &mut self,
        channel: &UdpChannel,
        transport: Option<ReceiveTransport<N::Transport>>,
    ) -> ReceiveEndpoint<N::Transport> {
        let config = &self.ctx.config;
        let data_loss = LossChain::receive_data(config, &mut self.rng);
        let control_loss = LossChain::receive_control(config, &mut self.rng);
        let spec = ReceiveEndpointSpec {
            id: self.ctx.next_endpoint_id(),
            receiver_id: self.next_receiver_id(),
            group_tag: channel.group_tag(),
            stream_session_limit: self.ctx.config.stream_session_limit,
            data_loss,
            control_loss,
        };
        ReceiveEndpoint::new(spec, transport)
    }

    /// Ids follow one another from a random one; 0 is left out, because it means any receiver.
    const fn next_receiver_id(&mut self) -> ReceiverId {
        if self.next_receiver_id == 0 {
            self.next_receiver_id = 1;
        }
        let id = self.next_receiver_id;
        self.next_receiver_id = id.wrapping_add(1);
        ReceiverId(id)
    }
}

impl ReceiveEndpointRecord {
    /// Its explicit control address at present.
    pub(super) fn control_address(&self) -> Option<SocketAddr> {
        self.transports.first()?.as_ref()?.control_address
    }

    /// Whether it has a control address to which requests for a SETUP can be sent at any time.
    pub(super) fn has_explicit_control(&self) -> bool {
        self.channel.is_explicit_control()
    }

    /// The lowest slot without a transport.
    pub(super) fn free_slot(&self) -> usize {
        let free = self.transports.iter().position(Option::is_none);
        free.unwrap_or(self.transports.len())
    }

    /// Puts a transport into a free slot.
    pub(super) fn insert_transport(&mut self, index: usize, transport: TransportRecord) {
        if self.transports.len() <= index {
            self.transports.resize_with(index + 1, || None);
        }
        self.transports[index] = Some(transport);
    }

    fn is_used(&self) -> bool {
        let has_interest = !self.streams.is_empty() || !self.sessions.is_empty();
        has_interest || self.response_count > 0 || self.image_count > 0
    }

    /// The endpoint's name, unless it is on its way out.
    fn if_open(&self, channel: &UdpChannel) -> Result<EndpointId, CommandFailure> {
        if self.is_closing {
            return Err(closing(channel));
        }
        Ok(self.id)
    }
}

/// Takes one from a count. Returns whether it was the last.
fn decrement<K: Ord>(counts: &mut BTreeMap<K, usize>, key: K) -> bool {
    let Some(count) = counts.get_mut(&key) else {
        return false;
    };
    *count -= 1;
    let is_last = *count == 0;
    if is_last {
        counts.remove(&key);
    }
    is_last
}
