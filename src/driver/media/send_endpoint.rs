//! A send channel endpoint: one socket, and where what is sent through it goes.
//!
//! The conductor opens it and hands it to the sender, which owns it until the conductor asks for it
//! back. All publications of the channel share it. Control frames from receivers come in on the
//! same socket.
//!
//! The endpoint does not log: it keeps the first error since it was last asked, for the sender to
//! record. An error is never fatal; what it kept from leaving counts as not sent.

use std::io;
use std::net::SocketAddr;

use super::control_inbox::ControlInbox;
use super::destinations::{DESTINATION_TIMEOUT_NS, Destinations};
use super::loss::{FramePlace, LossChain};
use crate::base::{Nanos, ReceiverId, RegistrationId};
use crate::cnc::counter_types::ChannelStatus;
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::AtomicCounter;
use crate::driver::messages::{Destination, EndpointId};
use crate::port::Transport;
use crate::protocol::{DataFrame, Frame, SocketRole};

/// Where a channel sends to.
#[derive(Debug)]
pub(crate) enum SendPeers {
    /// To one address: a unicast endpoint or a multicast group.
    Address {
        /// The address.
        address: SocketAddr,
        /// How datagrams get there.
        link: SendLink,
    },
    /// To a list of destinations.
    Destinations(Destinations),
    /// To whoever asked each publication for its SETUP: a response channel.
    Learnt,
}

/// How datagrams get to the one address of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendLink {
    /// The transport is connected to it.
    Connected,
    /// Each datagram names it: `aeron.driver.connect` is off.
    Addressed,
    /// Not at all: connecting failed.
    Broken,
}

/// Something the operating system refused.
#[derive(Debug)]
pub(crate) struct EndpointFault {
    /// What was attempted, as in "cannot …".
    pub(crate) operation: &'static str,
    /// The peer, if one was named.
    pub(crate) address: Option<SocketAddr>,
    /// The answer.
    pub(crate) error: io::Error,
}

/// All that makes a send endpoint.
#[derive(Debug)]
pub(crate) struct SendEndpointParams<T> {
    /// Its name.
    pub(crate) id: EndpointId,
    /// Its socket, bound, and connected where that applies.
    pub(crate) transport: T,
    /// Where it sends to.
    pub(crate) peers: SendPeers,
    /// Its `snd-channel` counter.
    pub(crate) status: AtomicCounter,
    /// `endpoint` as the channel has it, if its name is to be looked up again when receivers fall
    /// silent: an explicit one that is neither multicast nor of a response channel.
    pub(crate) endpoint_text: Option<String>,
    /// `channel-snd-ts-offset`: where in a payload the send time goes.
    pub(crate) send_timestamp_offset: Option<i32>,
    /// What is deliberately lost of the datagrams it sends.
    pub(crate) data_loss: LossChain,
    /// What is deliberately lost of the control frames it receives.
    pub(crate) control_loss: LossChain,
    /// Now.
    pub(crate) now: Nanos,
}

/// A send channel endpoint, in the hands of the sender.
#[derive(Debug)]
pub(crate) struct SendEndpoint<T> {
    id: EndpointId,
    transport: T,
    peers: SendPeers,
    status: AtomicCounter,
    endpoint_text: Option<String>,
    time_of_last_resolution: Nanos,
    send_timestamp_offset: Option<i32>,
    data_loss: LossChain,
    control_loss: LossChain,
    fault: Option<EndpointFault>,
}

impl<T: Transport> SendEndpoint<T> {
    pub(crate) fn new(params: SendEndpointParams<T>) -> Self {
        Self {
            id: params.id,
            transport: params.transport,
            peers: params.peers,
            status: params.status,
            endpoint_text: params.endpoint_text,
            time_of_last_resolution: params.now,
            send_timestamp_offset: params.send_timestamp_offset,
            data_loss: params.data_loss,
            control_loss: params.control_loss,
            fault: None,
        }
    }

    /// Its name.
    pub(crate) const fn id(&self) -> EndpointId {
        self.id
    }

    /// Its socket.
    pub(crate) const fn transport(&self) -> &T {
        &self.transport
    }

    /// Its socket, for tests that feed it and look at what it sent.
    #[cfg(test)]
    pub(crate) const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Where in a payload the send time goes.
    pub(crate) const fn send_timestamp_offset(&self) -> Option<i32> {
        self.send_timestamp_offset
    }

    /// Where it sends to now, if to one address: this is what a channel that shares the endpoint by
    /// tag must name.
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        match &self.peers {
            SendPeers::Address { address, .. } => Some(*address),
            SendPeers::Destinations(_) | SendPeers::Learnt => None,
        }
    }

    /// Sends datagrams in order and returns how many are on their way; the others are to be sent
    /// again. `learnt` is the peer of a response publication, once it has one.
    pub(crate) fn send(
        &mut self,
        learnt: Option<SocketAddr>,
        datagrams: &[&[u8]],
        now: Nanos,
    ) -> usize {
        if self.data_loss.is_empty() {
            return self.transmit(learnt, datagrams, now);
        }
        let mut sent = 0;
        for datagram in datagrams.chunks(1) {
            let is_lost = datagram
                .iter()
                .any(|bytes| is_dropped(&mut self.data_loss, bytes));
            if !is_lost && self.transmit(learnt, datagram, now) == 0 {
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Receives control frames into `inbox`. Returns the bytes received.
    pub(crate) fn poll(&mut self, inbox: &mut ControlInbox, system: &SystemCounters) -> usize {
        let control_loss = &mut self.control_loss;
        let polled = self.transport.poll(|datagram| {
            let bytes: &[u8] = datagram.bytes;
            if bytes.is_empty() {
                return;
            }
            match Frame::parse_for(SocketRole::Send, bytes) {
                Ok(Some(frame)) if !(is_lossy(&frame) && control_loss.should_drop(bytes)) => {
                    inbox.push(datagram.source, bytes);
                }
                Ok(_) => {}
                Err(_) => {
                    system.get(SystemCounter::InvalidPackets).add(1);
                }
            }
        });
        polled.unwrap_or_else(|error| {
            self.note_fault("receive control frames", None, error);
            0
        })
    }

    /// A receiver spoke: multi-destination channels remember where.
    pub(crate) fn on_status_message(
        &mut self,
        receiver_id: ReceiverId,
        source: SocketAddr,
        now: Nanos,
    ) {
        if let SendPeers::Destinations(destinations) = &mut self.peers {
            destinations.on_status_message(receiver_id, source, now);
        }
    }

    /// The manual destination a receiver speaks for.
    pub(crate) fn destination_of(
        &self,
        receiver_id: ReceiverId,
        source: SocketAddr,
    ) -> Option<RegistrationId> {
        match &self.peers {
            SendPeers::Destinations(destinations) => {
                destinations.registration_of(receiver_id, source)
            }
            SendPeers::Address { .. } | SendPeers::Learnt => None,
        }
    }

    /// Adds a destination of a manual multi-destination channel.
    pub(crate) fn add_destination(&mut self, destination: Destination, now: Nanos) {
        if let SendPeers::Destinations(destinations) = &mut self.peers {
            destinations.add(destination, now);
        }
    }

    /// Removes one destination with this address.
    pub(crate) fn remove_destination(&mut self, address: SocketAddr) {
        if let SendPeers::Destinations(destinations) = &mut self.peers {
            destinations.remove(address);
        }
    }

    /// Removes the destination added by this command.
    pub(crate) fn remove_destination_by_id(&mut self, registration_id: RegistrationId) {
        if let SendPeers::Destinations(destinations) = &mut self.peers {
            destinations.remove_by_id(registration_id);
        }
    }

    /// Calls `ask` with each endpoint text whose name should be looked up again, and its address.
    /// `last_heard` is when a receiver of any of its publications last spoke; `None` without any.
    pub(crate) fn check_resolution(
        &mut self,
        last_heard: Option<Nanos>,
        now: Nanos,
        mut ask: impl FnMut(&str, Option<SocketAddr>),
    ) {
        match &mut self.peers {
            SendPeers::Destinations(destinations) => destinations.for_each_silent(now, ask),
            SendPeers::Address { address, link } => {
                let Some((text, last_heard)) = self.endpoint_text.as_deref().zip(last_heard) else {
                    return;
                };
                let is_due = now.is_expired(last_heard, DESTINATION_TIMEOUT_NS)
                    && now.is_expired(self.time_of_last_resolution, DESTINATION_TIMEOUT_NS);
                if is_due {
                    self.time_of_last_resolution = now;
                    // After a failed reconnect any address is news: it is worth another try.
                    ask(text, (*link != SendLink::Broken).then_some(*address));
                }
            }
            SendPeers::Learnt => {}
        }
    }

    /// A name resolved to another address: sends there from now on.
    pub(crate) fn on_resolution_change(&mut self, endpoint_text: &str, to: SocketAddr) {
        match &mut self.peers {
            SendPeers::Destinations(destinations) => {
                destinations.on_resolution_change(endpoint_text, to);
            }
            SendPeers::Address {
                address,
                link: SendLink::Addressed,
            } => *address = to,
            SendPeers::Address { address, link } => {
                *address = to;
                let connected = self.transport.connect(to);
                let (outcome, status) = match connected {
                    Ok(()) => (SendLink::Connected, ChannelStatus::Active),
                    Err(_) => (SendLink::Broken, ChannelStatus::Errored),
                };
                *link = outcome;
                self.set_status(status);
                if let Err(error) = connected {
                    self.note_fault("connect", Some(to), error);
                }
            }
            SendPeers::Learnt => {}
        }
    }

    /// The first error since the last call.
    pub(crate) const fn take_fault(&mut self) -> Option<EndpointFault> {
        self.fault.take()
    }

    fn transmit(&mut self, learnt: Option<SocketAddr>, datagrams: &[&[u8]], now: Nanos) -> usize {
        let to = match &mut self.peers {
            SendPeers::Address { address, link } => match link {
                SendLink::Connected => None,
                SendLink::Addressed => Some(*address),
                SendLink::Broken => return 0,
            },
            SendPeers::Learnt if learnt.is_none() => return 0,
            SendPeers::Learnt => learnt,
            SendPeers::Destinations(destinations) => {
                let fault = destinations.send(&mut self.transport, datagrams, now);
                if let Some(fault) = fault {
                    self.note_fault("send", fault.address, fault.error);
                }
                return datagrams.len();
            }
        };
        match self.transport.send(to, datagrams) {
            Ok(accepted) => accepted.min(datagrams.len()),
            Err(error) => {
                let address = learnt.or_else(|| self.address());
                self.note_fault("send", address, error);
                0
            }
        }
    }

    /// The conductor has the last word once it closes the endpoint.
    fn set_status(&self, status: ChannelStatus) {
        if self.status.get() != ChannelStatus::Closing.to_wire() {
            self.status.set(status.to_wire());
        }
    }

    fn note_fault(&mut self, operation: &'static str, to: Option<SocketAddr>, error: io::Error) {
        self.fault.get_or_insert(EndpointFault {
            operation,
            address: to,
            error,
        });
    }
}

/// Whether deliberate loss hides a datagram; data is judged by its place in the stream as well.
fn is_dropped(loss: &mut LossChain, datagram: &[u8]) -> bool {
    match DataFrame::parse(datagram) {
        Ok(frame) if !frame.is_heartbeat() => loss.should_drop_data(
            datagram,
            &FramePlace {
                stream_id: frame.stream_id(),
                session_id: frame.session_id(),
                term_id: frame.term_id(),
                term_offset: frame.term_offset(),
                length: i32::try_from(datagram.len()).unwrap_or(i32::MAX),
            },
        ),
        Ok(_) | Err(_) => loss.should_drop(datagram),
    }
}

/// Whether deliberate loss applies to the frame.
const fn is_lossy(frame: &Frame<'_>) -> bool {
    matches!(
        frame,
        Frame::StatusMessage(_) | Frame::Nak(_) | Frame::RttMeasurement(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, SessionId, StreamId, TermId, TermOffset};
    use crate::driver::media::destinations::DestinationKind;
    use crate::driver::media::fake_transport::FakeTransport;
    use crate::driver::media::loss::{FixedLoss, LossGenerator, RandomLoss};
    use crate::protocol::{DataHeader, FrameType, Nak, ResponseSetup};

    const SECOND: i64 = 1_000_000_000;

    fn peer(last: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], 9000))
    }

    fn unicast() -> SendPeers {
        SendPeers::Address {
            address: peer(1),
            link: SendLink::Connected,
        }
    }

    fn endpoint(peers: SendPeers) -> SendEndpoint<FakeTransport> {
        SendEndpoint::new(params(peers))
    }

    fn params(peers: SendPeers) -> SendEndpointParams<FakeTransport> {
        SendEndpointParams {
            id: EndpointId(1),
            transport: FakeTransport::new(),
            peers,
            status: AtomicCounter::detached(ChannelStatus::Active.to_wire()),
            endpoint_text: Some("receiver:9000".to_owned()),
            send_timestamp_offset: None,
            data_loss: LossChain::default(),
            control_loss: LossChain::default(),
            now: Nanos(0),
        }
    }

    fn all_lost() -> LossChain {
        let all = RandomLoss::new(1.0, u64::MAX, Rng::new(1));
        LossChain::new(vec![LossGenerator::Random(all)])
    }

    fn nak() -> [u8; Nak::LENGTH] {
        let mut bytes = [0; Nak::LENGTH];
        Nak {
            session_id: SessionId(1),
            stream_id: StreamId(2),
            term_id: TermId(3),
            term_offset: TermOffset(0),
            length: 32,
        }
        .encode(&mut bytes);
        bytes
    }

    #[test]
    fn a_connected_endpoint_sends_to_its_peer() {
        let mut endpoint = endpoint(unicast());
        endpoint.transport.accept_next(2);
        assert_eq!(endpoint.send(None, &[&[1], &[2], &[3]], Nanos(0)), 2);
        let sent = endpoint.transport.take_sent();
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].to, None);
    }

    #[test]
    fn a_refused_send_is_kept_for_the_log() {
        let mut endpoint = endpoint(unicast());
        endpoint.transport.fail_next();
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 0);
        let fault = endpoint.take_fault().expect("a fault");
        assert_eq!((fault.operation, fault.address), ("send", Some(peer(1))));
        assert!(endpoint.take_fault().is_none());
    }

    #[test]
    fn a_response_endpoint_sends_nothing_before_it_knows_where() {
        let mut endpoint = endpoint(SendPeers::Learnt);
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 0);
        assert_eq!(endpoint.send(Some(peer(7)), &[&[1]], Nanos(0)), 1);
        assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(7)));
    }

    #[test]
    fn many_destinations_or_none_take_everything() {
        let count = AtomicCounter::detached(0);
        let list = Destinations::new(DestinationKind::Dynamic, count);
        let mut endpoint = endpoint(SendPeers::Destinations(list));
        assert_eq!(endpoint.send(None, &[&[1], &[2]], Nanos(0)), 2);
        endpoint.on_status_message(ReceiverId(1), peer(1), Nanos(0));
        endpoint.transport.accept_next(1);
        assert_eq!(
            endpoint.send(None, &[&[1], &[2]], Nanos(0)),
            2,
            "the rest is loss"
        );
        assert_eq!(endpoint.transport.take_sent().len(), 1);
    }

    #[test]
    fn lost_datagrams_count_as_sent() {
        let mut endpoint = SendEndpoint::new(SendEndpointParams {
            data_loss: all_lost(),
            ..params(unicast())
        });
        assert_eq!(endpoint.send(None, &[&[1; 32], &[2; 32]], Nanos(0)), 2);
        assert_eq!(endpoint.transport.calls(), 0);
    }

    #[test]
    fn a_lost_range_passes_the_second_time() {
        let range = FixedLoss::new(TermId(7), TermOffset(64), 32);
        let data_loss = LossChain::new(vec![LossGenerator::Fixed(range)]);
        let mut endpoint = SendEndpoint::new(SendEndpointParams {
            data_loss,
            ..params(unicast())
        });
        let frame = |frame_length, term_offset| {
            let mut bytes = [0; DataHeader::LENGTH];
            DataHeader {
                frame_length,
                flags: 0xc0,
                frame_type: FrameType::Data,
                term_offset: TermOffset(term_offset),
                session_id: SessionId(1),
                stream_id: StreamId(2),
                term_id: TermId(7),
                reserved_value: 0,
            }
            .encode(&mut bytes);
            bytes
        };
        let (before, within) = (frame(32, 32), frame(32, 64));
        let heartbeat = frame(0, 64);
        let batch: [&[u8]; 3] = [&before, &heartbeat, &within];
        assert_eq!(endpoint.send(None, &batch, Nanos(0)), 3);
        assert_eq!(endpoint.transport.take_sent().len(), 2);
        assert_eq!(endpoint.send(None, &batch, Nanos(0)), 3);
        assert_eq!(endpoint.transport.take_sent().len(), 3);
    }

    #[test]
    fn lost_control_frames_are_not_delivered_but_others_are() {
        let mut endpoint = SendEndpoint::new(SendEndpointParams {
            control_loss: all_lost(),
            ..params(unicast())
        });
        let mut response = [0; ResponseSetup::LENGTH];
        ResponseSetup {
            session_id: SessionId(1),
            stream_id: StreamId(2),
            response_session_id: SessionId(3),
        }
        .encode(&mut response);
        endpoint.transport.deliver(peer(1), &nak());
        endpoint.transport.deliver(peer(1), &response);
        let mut inbox = ControlInbox::new();
        endpoint.poll(&mut inbox, &SystemCounters::detached());
        assert_eq!(
            inbox.datagrams().map(|(_, b)| b.len()).collect::<Vec<_>>(),
            [20]
        );
    }

    #[test]
    fn malformed_datagrams_are_counted_and_foreign_ones_ignored() {
        let mut endpoint = endpoint(unicast());
        let system = SystemCounters::detached();
        let mut inbox = ControlInbox::new();
        let mut setup = [0; 40];
        setup[..8].copy_from_slice(&[40, 0, 0, 0, 0, 0, 5, 0]);
        endpoint.transport.deliver(peer(1), &[]);
        endpoint.transport.deliver(peer(1), &[9; 7]);
        endpoint.transport.deliver(peer(1), &setup);
        endpoint.transport.deliver(peer(1), &nak());
        assert_eq!(endpoint.poll(&mut inbox, &system), 7 + 40 + 28);
        assert_eq!(system.get(SystemCounter::InvalidPackets).get(), 1);
        assert_eq!(inbox.datagrams().count(), 1);
    }

    #[test]
    fn silence_of_all_receivers_asks_for_resolution_every_five_seconds() {
        let mut endpoint = endpoint(unicast());
        let mut asked = Vec::new();
        for (heard, now) in [
            (None, 9),
            (Some(6), 9),
            (Some(0), 10),
            (Some(0), 11),
            (Some(0), 16),
        ] {
            endpoint.check_resolution(
                heard.map(|second: i64| Nanos(second * SECOND)),
                Nanos(now * SECOND),
                |text, address| asked.push((now, text.to_owned(), address)),
            );
        }
        let text = || "receiver:9000".to_owned();
        assert_eq!(
            asked,
            [(10, text(), Some(peer(1))), (16, text(), Some(peer(1)))]
        );
    }

    #[test]
    fn a_new_address_is_connected_to() {
        let mut endpoint = endpoint(unicast());
        endpoint.on_resolution_change("receiver:9000", peer(2));
        assert_eq!(endpoint.transport.peer(), Some(peer(2)));
        assert_eq!(endpoint.address(), Some(peer(2)));
    }

    #[test]
    fn datagrams_name_their_address_where_sockets_are_not_connected() {
        let mut endpoint = endpoint(SendPeers::Address {
            address: peer(1),
            link: SendLink::Addressed,
        });
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 1);
        assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(1)));
        endpoint.on_resolution_change("receiver:9000", peer(2));
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 1);
        assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(2)));
        assert_eq!(endpoint.transport.peer(), None);
    }

    #[test]
    fn a_failed_reconnect_silences_the_endpoint_until_the_next() {
        let mut endpoint = endpoint(unicast());
        endpoint.transport.refuse_connect(true);
        endpoint.on_resolution_change("receiver:9000", peer(2));
        assert_eq!(endpoint.status.get(), ChannelStatus::Errored.to_wire());
        assert_eq!(endpoint.take_fault().expect("a fault").operation, "connect");
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 0);
        endpoint.transport.refuse_connect(false);
        endpoint.on_resolution_change("receiver:9000", peer(3));
        assert_eq!(endpoint.status.get(), ChannelStatus::Active.to_wire());
        assert_eq!(endpoint.send(None, &[&[1]], Nanos(0)), 1);
    }
}
