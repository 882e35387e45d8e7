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
use crate::port::{Burst, Transport};
use crate::protocol::{DataFrame, Frame, SocketRole};

/// What the kernel refused when it takes no bursts; the datagrams themselves are not lost.
const BURST_REFUSED: &str =
    "send bursts in one piece (aileron.socket.gso), going on with single datagrams,";

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
    /// Whether all goes on as well without it.
    pub(crate) is_harmless: bool,
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

    /// Sends bursts in order and returns how many datagrams are on their way; the others are to be
    /// sent again. `learnt` is the peer of a response publication, once it has one.
    pub(crate) fn send(
        &mut self,
        learnt: Option<SocketAddr>,
        bursts: &[Burst<'_>],
        now: Nanos,
    ) -> usize {
        if self.data_loss.is_empty() {
            return self.transmit(learnt, bursts, now);
        }
        let mut sent = 0;
        for burst in bursts {
            let of_burst = self.send_with_losses(learnt, burst, now);
            sent += of_burst;
            if of_burst < burst.count() {
                break;
            }
        }
        sent
    }

    /// Sends what deliberate loss leaves of a burst, in as few pieces as that makes. Returns how
    /// many datagrams are on their way or lost on purpose, up to the first that is neither.
    fn send_with_losses(
        &mut self,
        learnt: Option<SocketAddr>,
        burst: &Burst<'_>,
        now: Nanos,
    ) -> usize {
        let mut settled = 0;
        let mut left = Some(*burst);
        while let Some(rest) = left {
            let mut datagrams = rest.datagrams();
            let kept = datagrams
                .by_ref()
                .take_while(|datagram| !is_dropped(&mut self.data_loss, datagram))
                .count();
            if kept > 0 {
                let sent = self.transmit(learnt, &[rest.first(kept)], now);
                settled += sent;
                if sent < kept {
                    break;
                }
            }
            // Behind those that were kept stands the one that was not.
            let passed = (kept + 1).min(rest.count());
            settled += passed - kept;
            left = rest.from(passed);
        }
        settled
    }

    /// Receives control frames into `inbox`. Returns the bytes received.
    pub(crate) fn poll(&mut self, inbox: &mut ControlInbox, system: &SystemCounters) -> usize {
        let control_loss = &mut self.control_loss;
        let polled = self.transport.poll(|mut datagram| {
            let source = datagram.source;
            for bytes in datagram.segments() {
                let bytes: &[u8] = bytes;
                match Frame::parse_for(SocketRole::Send, bytes) {
                    Ok(Some(frame)) if !(is_lossy(&frame) && control_loss.should_drop(bytes)) => {
                        inbox.push(source, bytes);
                    }
                    Ok(_) => {}
                    Err(_) => {
                        system.get(SystemCounter::InvalidPackets).add(1);
                    }
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

    fn transmit(&mut self, learnt: Option<SocketAddr>, bursts: &[Burst<'_>], now: Nanos) -> usize {
        let accepted = self.hand_over(learnt, bursts, now);
        if let Some(error) = self.transport.take_burst_refusal() {
            let address = learnt.or_else(|| self.address());
            self.fault.get_or_insert(EndpointFault {
                operation: BURST_REFUSED,
                address,
                error,
                is_harmless: true,
            });
        }
        accepted
    }

    fn hand_over(&mut self, learnt: Option<SocketAddr>, bursts: &[Burst<'_>], now: Nanos) -> usize {
        let count = bursts.iter().map(Burst::count).sum();
        let to = match &mut self.peers {
            SendPeers::Address { address, link } => match link {
                SendLink::Connected => None,
                SendLink::Addressed => Some(*address),
                SendLink::Broken => return 0,
            },
            SendPeers::Learnt if learnt.is_none() => return 0,
            SendPeers::Learnt => learnt,
            SendPeers::Destinations(destinations) => {
                let fault = destinations.send(&mut self.transport, bursts, now);
                if let Some(fault) = fault {
                    self.note_fault("send", fault.address, fault.error);
                }
                return count;
            }
        };
        match self.transport.send_bursts(to, bursts) {
            Ok(accepted) => accepted.min(count),
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
            is_harmless: false,
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
mod tests;
