//! What receivers say, on its way to the publication they say it to.
//!
//! A control frame is checked as far as it can be without its stream, put aside while its transport
//! is polled, and then given to the publication of its stream and session on that endpoint. What is
//! malformed is counted and dropped; what nobody here knows is dropped in silence.

use std::net::SocketAddr;

use super::Sender;
use crate::base::{Nanos, SessionId, StreamId};
use crate::cnc::SystemCounter;
use crate::command::ErrorCode;
use crate::driver::messages::{ConductorMessage, EndpointId};
use crate::driver::publication::network::Cycle;
use crate::port::{Tick, Transport};
use crate::protocol::{
    ErrorFrame, Frame, NakFrame, ResponseSetupFrame, RttMeasurementFrame, SocketRole,
    StatusMessageFrame,
};

impl<T: Transport> Sender<T> {
    /// Receives and acts upon what the receivers of all endpoints say. Returns the bytes received.
    pub(super) fn poll_control(&mut self, tick: Tick) -> usize {
        let Some(ready) = self.watch.ready() else {
            return (0..self.endpoints.len())
                .map(|index| self.poll_endpoint(index, tick))
                .sum();
        };
        let mut bytes = 0;
        for token in &ready {
            let id = u32::try_from(*token).map(EndpointId);
            if let Some(index) = id.ok().and_then(|id| self.endpoint_index(id)) {
                bytes += self.poll_endpoint(index, tick);
            }
        }
        self.watch.done(ready);
        bytes
    }

    fn poll_endpoint(&mut self, index: usize, tick: Tick) -> usize {
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.clear();
        let bytes = self.endpoints[index].poll(&mut inbox, &self.system);
        for (source, datagram) in inbox.datagrams() {
            self.on_control_frame(index, source, datagram, tick);
        }
        self.inbox = inbox;
        bytes
    }

    fn on_control_frame(
        &mut self,
        endpoint: usize,
        source: SocketAddr,
        datagram: &[u8],
        tick: Tick,
    ) {
        match Frame::parse_for(SocketRole::Send, datagram) {
            Ok(Some(Frame::StatusMessage(message))) => {
                self.on_status_message(endpoint, source, &message, tick);
            }
            Ok(Some(Frame::Nak(nak))) => self.on_nak(endpoint, &nak, tick),
            Ok(Some(Frame::RttMeasurement(request))) => {
                self.on_rtt_measurement(endpoint, request, tick);
            }
            Ok(Some(Frame::Error(error))) => self.on_error(endpoint, source, &error, tick.now),
            Ok(Some(Frame::ResponseSetup(setup))) => self.on_response_setup(endpoint, &setup),
            Ok(Some(_) | None) => {}
            // Only a frame that claims to be longer than any control frame gets here: it was cut.
            Err(_) => {
                self.system.get(SystemCounter::InvalidPackets).add(1);
            }
        }
    }

    fn on_status_message(
        &mut self,
        endpoint: usize,
        source: SocketAddr,
        message: &StatusMessageFrame<'_>,
        tick: Tick,
    ) {
        let found = self.find(endpoint, message.stream_id(), message.session_id());
        if let Some(index) = found
            && self.publications[index].half.is_at_limit()
        {
            self.rota.has_worked(index);
        }
        let publication = found.map(|index| &mut self.publications[index].half);
        if publication
            .as_ref()
            .is_some_and(|half| !half.is_possible(message))
        {
            self.system.get(SystemCounter::InvalidPackets).add(1);
            return;
        }
        self.system
            .get(SystemCounter::StatusMessagesReceived)
            .add(1);
        if publication
            .as_ref()
            .is_some_and(|half| !half.is_plausible(message))
        {
            self.system
                .get(SystemCounter::StatusMessagesRejected)
                .add(1);
            return;
        }
        self.endpoints[endpoint].on_status_message(message.receiver_id(), source, tick.now);
        let Some(half) = publication else { return };
        let is_malformed = message.is_group_tag_malformed() && !message.is_legacy_preferred();
        if is_malformed && half.uses_group_tag() {
            // Without its source: whoever makes one up would fill the log of distinct errors.
            self.errors.report(
                tick.epoch,
                ErrorCode::GenericError,
                "status message with a malformed group tag",
            );
        }
        let connected = half.on_status_message(message, source, tick.now);
        if let Some(response_correlation_id) = connected {
            self.tell(ConductorMessage::ResponseConnected {
                response_correlation_id,
            });
        }
    }

    fn on_nak(&mut self, endpoint: usize, nak: &NakFrame<'_>, tick: Tick) {
        let Some(index) = self.find(endpoint, nak.stream_id(), nak.session_id()) else {
            return;
        };
        let cycle = Cycle {
            now: tick.now,
            epoch_ns: self.epoch.update(tick),
            system: &self.system,
        };
        self.rota.has_worked(index);
        self.publications[index]
            .half
            .on_nak(nak, &mut self.endpoints[endpoint], &cycle);
    }

    fn on_rtt_measurement(
        &mut self,
        endpoint: usize,
        request: RttMeasurementFrame<'_>,
        tick: Tick,
    ) {
        let found = self.find(endpoint, request.stream_id(), request.session_id());
        let Some(index) = found else { return };
        let cycle = Cycle {
            now: tick.now,
            epoch_ns: self.epoch.update(tick),
            system: &self.system,
        };
        let half = &self.publications[index].half;
        half.on_rtt_measurement(request, &mut self.endpoints[endpoint], &cycle);
    }

    fn on_error(
        &mut self,
        endpoint: usize,
        source: SocketAddr,
        error: &ErrorFrame<'_>,
        now: Nanos,
    ) {
        self.system.get(SystemCounter::ErrorFramesReceived).add(1);
        let found = self.find(endpoint, error.stream_id(), error.session_id());
        let Some(index) = found else { return };
        // The receiver repeats itself; the report must not be lost, so it is taken from a repeat.
        if self.conductor.is_full() {
            return;
        }
        let destination = self.endpoints[endpoint].destination_of(error.receiver_id(), source);
        let half = &mut self.publications[index].half;
        if let Some(report) = half.on_error(error, source, destination, now) {
            self.tell(ConductorMessage::PublicationError(Box::new(report)));
        }
    }

    fn on_response_setup(&mut self, endpoint: usize, setup: &ResponseSetupFrame<'_>) {
        let found = self.find(endpoint, setup.stream_id(), setup.session_id());
        let Some(index) = found else { return };
        if let Some(response_correlation_id) = self.publications[index].half.awaits_response() {
            self.tell(ConductorMessage::ResponseSetup {
                response_correlation_id,
                response_session_id: setup.response_session_id(),
            });
        }
    }

    /// Tells the conductor what a receiver said, unless it is behind: the network must not be able
    /// to fill memory with messages.
    fn tell(&mut self, message: ConductorMessage<T>) {
        if self.conductor.is_full() {
            self.system.get(SystemCounter::ConductorProxyFails).add(1);
        } else {
            self.conductor.send(message);
        }
    }

    fn find(&self, endpoint: usize, stream_id: StreamId, session_id: SessionId) -> Option<usize> {
        let id = self.endpoints[endpoint].id();
        self.streams.get(&(id, stream_id, session_id)).copied()
    }
}
