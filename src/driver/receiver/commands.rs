//! What the conductor tells the receiver to do.

use super::pending::Solicitation;
use super::{ANY_STREAM, Receiver, all_sockets, to_token};
use crate::base::{CorrelationId, Position, SessionId, StreamId};
use crate::cnc::SystemCounter;
use crate::command::ErrorCode;
use crate::driver::image::ReceiverHalf;
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, ReceiveTransport, SendContext};
use crate::driver::messages::{ConductorMessage, EndpointId, ReceiverMessage};
use crate::port::{Tick, Transport};

impl<T: Transport> Receiver<T> {
    /// Carries out one command.
    pub(super) fn on_command(&mut self, message: ReceiverMessage<T>, tick: Tick) {
        match message {
            ReceiverMessage::AddEndpoint(endpoint) => self.add_endpoint(endpoint, tick),
            ReceiverMessage::RemoveEndpoint(endpoint) => self.remove_endpoint(endpoint, tick),
            ReceiverMessage::AddSubscription {
                endpoint,
                stream_id,
                session_id,
            } => {
                self.add_subscription(endpoint, stream_id, session_id, tick);
            }
            ReceiverMessage::RemoveSubscription {
                endpoint,
                stream_id,
                session_id,
            } => {
                self.remove_subscription(endpoint, stream_id, session_id, tick);
            }
            ReceiverMessage::RequestSetup {
                endpoint,
                stream_id,
                session_id,
            } => {
                self.request_setup(endpoint, (stream_id, session_id), tick);
            }
            ReceiverMessage::AddImage(image) => self.add_image(image, tick),
            ReceiverMessage::RemoveImage { image } => {
                // An image that died of silence was given back already.
                if let Some(slot) = self.images.find(image) {
                    self.release_image(slot, tick);
                }
            }
            ReceiverMessage::RemoveCoolDown {
                endpoint,
                session_id,
                stream_id,
                image,
            } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                    endpoint
                        .dispatcher
                        .remove_cool_down(stream_id, session_id, image);
                }
            }
            ReceiverMessage::RemoveInitInProgress {
                endpoint,
                session_id,
                stream_id,
            } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                    endpoint
                        .dispatcher
                        .remove_init_in_progress(stream_id, session_id);
                }
            }
            ReceiverMessage::AddDestination {
                endpoint,
                index,
                transport,
            } => {
                self.add_destination(endpoint, index, transport, tick);
            }
            ReceiverMessage::RemoveDestination { endpoint, index } => {
                self.remove_destination(endpoint, index, tick);
            }
            ReceiverMessage::ResolutionChange {
                endpoint,
                index,
                address,
            } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint)
                    && let Some(state) = endpoint.transport_state_mut(index)
                {
                    state.on_resolution_change(address);
                    self.counters.get(SystemCounter::ResolutionChanges).add(1);
                }
            }
            ReceiverMessage::RejectImage {
                image,
                position,
                reason,
            } => {
                self.reject_image(image, position, &reason);
            }
        }
    }

    fn add_endpoint(&mut self, endpoint: Box<ReceiveEndpoint<T>>, tick: Tick) {
        let id = endpoint.id();
        let slots = endpoint.slot_count();
        let replaced = self.endpoints.insert(id, endpoint);
        debug_assert!(replaced.is_none(), "ids of endpoints are not reused");
        for index in 0..slots {
            self.watch_transport(id, index);
            self.solicit(id, index, tick);
        }
    }

    fn remove_endpoint(&mut self, id: EndpointId, tick: Tick) {
        self.pending.retain(|endpoint| endpoint != id, |_| true);
        match self.endpoints.remove(&id) {
            Some(endpoint) => {
                for (index, transport) in endpoint.sockets() {
                    self.watch.on_removed(to_token(id, index), transport);
                }
                self.conductor
                    .send(ConductorMessage::ReceiveEndpointClosed(endpoint));
            }
            None => self.report_unknown_endpoint(id, tick),
        }
    }

    /// Notes that a transport was added.
    fn watch_transport(&mut self, id: EndpointId, index: usize) {
        let token = to_token(id, index);
        let endpoint = self.endpoints.get(&id);
        if let Some(socket) = endpoint.and_then(|endpoint| endpoint.socket(index)) {
            self.watch
                .on_added(token, socket, all_sockets(&self.endpoints));
        }
    }

    fn add_subscription(
        &mut self,
        id: EndpointId,
        stream_id: StreamId,
        session_id: Option<SessionId>,
        tick: Tick,
    ) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            self.report_unknown_endpoint(id, tick);
            return;
        };
        endpoint.dispatcher.add_subscription(stream_id, session_id);
        if let Some(session_id) = session_id {
            self.request_setup(id, (stream_id, session_id), tick);
        }
    }

    fn remove_subscription(
        &mut self,
        id: EndpointId,
        stream_id: StreamId,
        session_id: Option<SessionId>,
        tick: Tick,
    ) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            self.report_unknown_endpoint(id, tick);
            return;
        };
        match endpoint
            .dispatcher
            .remove_subscription(stream_id, session_id)
        {
            Ok(slots) => {
                for slot in slots {
                    if let Some(image) = self.images.get_mut(slot) {
                        image.begin_draining(tick.now);
                    }
                }
                let Some(session_id) = session_id else { return };
                // Whoever wants all sessions still waits for it, and only what is pending is asked
                // for again.
                if endpoint.dispatcher.wants(stream_id, session_id) {
                    return;
                }
                self.pending.retain(
                    |_| true,
                    |setup| {
                        setup.endpoint != id
                            || (setup.stream_id, setup.session_id) != (stream_id, session_id)
                    },
                );
            }
            Err(_unknown) => {
                let text = format!("unknown subscription to stream {stream_id}");
                self.errors
                    .report(tick.epoch, ErrorCode::UnknownSubscription, &text);
            }
        }
    }

    /// Asks every explicit control address of an endpoint for the SETUP of a session.
    fn request_setup(&mut self, id: EndpointId, stream: (StreamId, SessionId), tick: Tick) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let context = SendContext {
            tick,
            counters: &self.counters,
            errors: &self.errors,
        };
        for index in 0..endpoint.slot_count() {
            let control = endpoint
                .transport_state(index)
                .and_then(|state| state.explicit_control_address());
            if let Some(control) = control {
                endpoint.send_setup_request(index, control, stream, &context);
            }
        }
    }

    /// Begins to ask the explicit control address of a transport, if it has one, for all streams.
    fn solicit(&mut self, id: EndpointId, index: usize, tick: Tick) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let control = endpoint
            .transport_state(index)
            .and_then(|state| state.explicit_control_address());
        if let Some(control) = control {
            let context = SendContext {
                tick,
                counters: &self.counters,
                errors: &self.errors,
            };
            endpoint.send_setup_request(index, control, ANY_STREAM, &context);
            self.pending.solicit(Solicitation {
                endpoint: id,
                index,
                time: tick.now,
            });
        }
    }

    fn add_image(&mut self, mut image: Box<ReceiverHalf>, tick: Tick) {
        let now = tick.now;
        self.images.for_each_mut(|older| {
            let is_same_stream = older.endpoint() == image.endpoint()
                && older.stream_id() == image.stream_id()
                && older.session_id() == image.session_id();
            if is_same_stream && older.is_draining() {
                older.disable_timed_status_messages();
            }
        });
        let id = image.endpoint();
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            image.begin_draining(now);
            self.conductor.send(ConductorMessage::ImageReleased(image));
            self.report_unknown_endpoint(id, tick);
            return;
        };
        image.activate(endpoint.slot_count(), now);
        let (stream_id, session_id) = (image.stream_id(), image.session_id());
        let correlation_id = image.correlation_id();
        let slot = self.images.insert(image);
        let is_wanted = endpoint
            .dispatcher
            .add_image(stream_id, session_id, correlation_id, slot);
        if !is_wanted && let Some(image) = self.images.get_mut(slot) {
            image.begin_draining(now);
        }
    }

    fn add_destination(
        &mut self,
        id: EndpointId,
        index: usize,
        transport: Box<ReceiveTransport<T>>,
        tick: Tick,
    ) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            self.conductor
                .send(ConductorMessage::ReceiveDestinationClosed {
                    endpoint: id,
                    index,
                    transport,
                });
            self.report_unknown_endpoint(id, tick);
            return;
        };
        let control_address = transport.state.known_control_address();
        endpoint.add_transport(index, *transport);
        self.watch_transport(id, index);
        self.images.for_each_mut(|image| {
            if image.endpoint() == id {
                image.on_destination_added(index, control_address, tick.now);
            }
        });
        self.solicit(id, index, tick);
    }

    fn remove_destination(&mut self, id: EndpointId, index: usize, tick: Tick) {
        let mut endpoint = self.endpoints.get_mut(&id);
        self.pending.remove_transport(id, index, |setup| {
            // The next data frame of another destination asks again.
            if let Some(endpoint) = &mut endpoint {
                endpoint
                    .dispatcher
                    .remove_pending_setup(setup.stream_id, setup.session_id);
            }
        });
        self.images.for_each_mut(|image| {
            if image.endpoint() == id {
                image.on_destination_removed(index, tick.now);
            }
        });
        let transport = self
            .endpoints
            .get_mut(&id)
            .and_then(|endpoint| endpoint.remove_transport(index));
        match transport {
            Some(transport) => {
                let token = to_token(id, index);
                self.watch.on_removed(token, &transport.transport);
                self.conductor
                    .send(ConductorMessage::ReceiveDestinationClosed {
                        endpoint: id,
                        index,
                        transport: Box::new(transport),
                    });
            }
            None => self.report_unknown_endpoint(id, tick),
        }
    }

    fn reject_image(&mut self, image: CorrelationId, _position: Position, reason: &str) {
        let slot = self.images.find(image);
        if let Some(image) = slot.and_then(|slot| self.images.get_mut(slot)) {
            image.reject(reason);
        }
    }

    #[cold]
    fn report_unknown_endpoint(&self, id: EndpointId, tick: Tick) {
        let text = format!("receiver has no endpoint or destination {}", id.0);
        self.errors
            .report(tick.epoch, ErrorCode::GenericError, &text);
    }
}
