//! The receiver: polls the sockets of all subscriptions, fills images, and answers senders.
//!
//! ```text
//!  conductor ── commands ──▶ Receiver ─ poll ─▶ ReceiveEndpoint ─ frame ─▶ Dispatcher
//!      ▲                        │                                             │
//!      └── images to create ◀───┴── once per cycle: SM, NAK, … ◀── image ◀────┘
//! ```
//!
//! A duty cycle (`driver.md` §1.5) takes one command, polls every transport once, lets every image
//! send what is due, and looks after SETUPs that were asked for and names that may have moved. What
//! arrives is judged in `intake`; nothing there allocates for a frame of an image, and nothing is
//! searched for. Images stand in numbered slots that the dispatchers refer to.
//!
//! Messages to the conductor never block: see [`Outbox`].

mod images;
mod intake;
mod pending;
mod wall_clock;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use images::Images;
use intake::{Intake, Reply};
use pending::{ElicitedSetup, PendingSetups, Solicitation};
use wall_clock::WallClock;

use crate::base::{CorrelationId, Nanos, Position, SessionId, StreamId};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::BoundedQueue;
use crate::driver::dispatcher::ImageSlot;
use crate::driver::duty_cycle::DutyCycleTracker;
use crate::driver::errors::ErrorReporter;
use crate::driver::image::ReceiverHalf;
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, ReceiveTransport, SendContext};
use crate::driver::messages::{ConductorMessage, EndpointId, Outbox, ReceiverMessage};
use crate::port::{Agent, Tick, Transport};

/// Replies that one poll of a transport can cause: the largest batch.
const REPLIES_MAX: usize = 16;

/// A solicitation names no session: whoever is there shall answer.
const ANY_STREAM: (StreamId, SessionId) = (StreamId(0), SessionId(0));

/// What a [`Receiver`] is built from.
pub(crate) struct ReceiverParams<T> {
    /// Its commands.
    pub(crate) commands: BoundedQueue<ReceiverMessage<T>>,
    /// The conductor.
    pub(crate) conductor: Outbox<ConductorMessage<T>>,
    /// Where things are counted.
    pub(crate) counters: SystemCounters,
    /// Where errors go.
    pub(crate) errors: ErrorReporter,
    /// Watches the length of its cycles.
    pub(crate) duty_cycle: DutyCycleTracker,
    /// Time between two looks at names that may have moved; 0 for never.
    pub(crate) re_resolution_check_interval_ns: i64,
}

/// The receiver agent.
pub(crate) struct Receiver<T> {
    commands: BoundedQueue<ReceiverMessage<T>>,
    conductor: Outbox<ConductorMessage<T>>,
    counters: SystemCounters,
    errors: ErrorReporter,
    duty_cycle: DutyCycleTracker,
    re_resolution_check_interval_ns: i64,
    re_resolution_deadline: Nanos,
    /// Ordered, and the ids only grow: polled in the order in which they were added.
    endpoints: BTreeMap<EndpointId, Box<ReceiveEndpoint<T>>>,
    images: Images,
    pending: PendingSetups,
    /// What the poll of one transport wants answered; empty between polls.
    replies: Vec<Reply>,
    wall_clock: WallClock,
}

impl<T: Transport> Receiver<T> {
    /// A receiver without endpoints.
    pub(crate) fn new(params: ReceiverParams<T>) -> Self {
        Self {
            commands: params.commands,
            conductor: params.conductor,
            counters: params.counters,
            errors: params.errors,
            duty_cycle: params.duty_cycle,
            re_resolution_check_interval_ns: params.re_resolution_check_interval_ns,
            re_resolution_deadline: Nanos::default(),
            endpoints: BTreeMap::new(),
            images: Images::default(),
            pending: PendingSetups::default(),
            replies: Vec::with_capacity(REPLIES_MAX),
            wall_clock: WallClock::default(),
        }
    }

    // Commands.

    fn on_command(&mut self, message: ReceiverMessage<T>, tick: Tick) {
        match message {
            ReceiverMessage::AddEndpoint(endpoint) => self.add_endpoint(endpoint, tick),
            ReceiverMessage::RemoveEndpoint(endpoint) => self.remove_endpoint(endpoint, tick),
            ReceiverMessage::AddSubscription { endpoint, stream_id, session_id } => {
                self.add_subscription(endpoint, stream_id, session_id, tick);
            }
            ReceiverMessage::RemoveSubscription { endpoint, stream_id, session_id } => {
                self.remove_subscription(endpoint, stream_id, session_id, tick);
            }
            ReceiverMessage::RequestSetup { endpoint, stream_id, session_id } => {
                self.request_setup(endpoint, (stream_id, session_id), tick);
            }
            ReceiverMessage::AddImage(image) => self.add_image(image, tick),
            ReceiverMessage::RemoveImage { image } => {
                // An image that died of silence was given back already.
                if let Some(slot) = self.images.find(image) {
                    self.release_image(slot, tick);
                }
            }
            ReceiverMessage::RemoveCoolDown { endpoint, session_id, stream_id } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                    endpoint.dispatcher.remove_cool_down(stream_id, session_id);
                }
            }
            ReceiverMessage::RemoveInitInProgress { endpoint, session_id, stream_id } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                    endpoint.dispatcher.remove_init_in_progress(stream_id, session_id);
                }
            }
            ReceiverMessage::AddDestination { endpoint, index, transport } => {
                self.add_destination(endpoint, index, transport, tick);
            }
            ReceiverMessage::RemoveDestination { endpoint, index } => {
                self.remove_destination(endpoint, index, tick);
            }
            ReceiverMessage::ResolutionChange { endpoint, index, address } => {
                if let Some(endpoint) = self.endpoints.get_mut(&endpoint)
                    && let Some(state) = endpoint.transport_state_mut(index)
                {
                    state.on_resolution_change(address);
                    self.counters.get(SystemCounter::ResolutionChanges).add(1);
                }
            }
            ReceiverMessage::RejectImage { image, position, reason } => {
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
            self.solicit(id, index, tick);
        }
    }

    fn remove_endpoint(&mut self, id: EndpointId, tick: Tick) {
        self.pending.retain(|endpoint, _| endpoint != id, |_| true);
        match self.endpoints.remove(&id) {
            Some(endpoint) => {
                self.conductor.send(ConductorMessage::ReceiveEndpointClosed(endpoint));
            }
            None => self.report_unknown_endpoint(id, tick),
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
        match endpoint.dispatcher.remove_subscription(stream_id, session_id) {
            Ok(slots) => {
                for slot in slots {
                    if let Some(image) = self.images.get_mut(slot) {
                        image.begin_draining(tick.now);
                    }
                }
                let Some(session_id) = session_id else { return };
                self.pending.retain(
                    |_, _| true,
                    |setup| {
                        setup.endpoint != id
                            || (setup.stream_id, setup.session_id) != (stream_id, session_id)
                    },
                );
            }
            Err(_unknown) => {
                let text = format!("unknown subscription to stream {stream_id}");
                self.errors.report(tick.epoch, ErrorCode::UnknownSubscription, &text);
            }
        }
    }

    /// Asks every explicit control address of an endpoint for the SETUP of a session.
    fn request_setup(&mut self, id: EndpointId, stream: (StreamId, SessionId), tick: Tick) {
        let Some(endpoint) = self.endpoints.get_mut(&id) else {
            return;
        };
        let context = SendContext { tick, counters: &self.counters, errors: &self.errors };
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
        let control =
            endpoint.transport_state(index).and_then(|state| state.explicit_control_address());
        if let Some(control) = control {
            let context = SendContext { tick, counters: &self.counters, errors: &self.errors };
            endpoint.send_setup_request(index, control, ANY_STREAM, &context);
            self.pending.solicit(Solicitation { endpoint: id, index, time: tick.now });
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
        let is_wanted = endpoint.dispatcher.add_image(stream_id, session_id, correlation_id, slot);
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
            self.conductor.send(ConductorMessage::ReceiveDestinationClosed {
                endpoint: id,
                index,
                transport,
            });
            self.report_unknown_endpoint(id, tick);
            return;
        };
        let control_address = transport.state.known_control_address();
        endpoint.add_transport(index, *transport);
        self.images.for_each_mut(|image| {
            if image.endpoint() == id {
                image.on_destination_added(index, control_address, tick.now);
            }
        });
        self.solicit(id, index, tick);
    }

    fn remove_destination(&mut self, id: EndpointId, index: usize, tick: Tick) {
        self.pending.retain(
            |endpoint, slot| (endpoint, slot) != (id, index),
            |_| true,
        );
        self.images.for_each_mut(|image| {
            if image.endpoint() == id {
                image.on_destination_removed(index, tick.now);
            }
        });
        let transport =
            self.endpoints.get_mut(&id).and_then(|endpoint| endpoint.remove_transport(index));
        match transport {
            Some(transport) => {
                self.conductor.send(ConductorMessage::ReceiveDestinationClosed {
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
        self.errors.report(tick.epoch, ErrorCode::GenericError, &text);
    }

    // The cycle.

    /// Takes in what has arrived on all transports; returns the bytes.
    fn poll_transports(&mut self, tick: Tick) -> usize {
        let epoch_ns = self.wall_clock.epoch_ns(tick);
        let context = SendContext { tick, counters: &self.counters, errors: &self.errors };
        let mut bytes_received = 0;
        for endpoint in self.endpoints.values_mut() {
            for index in 0..endpoint.slot_count() {
                let polled = Intake {
                    context: &context,
                    epoch_ns,
                    images: &mut self.images,
                    conductor: &mut self.conductor,
                    replies: &mut self.replies,
                }
                .poll(endpoint, index);
                bytes_received += polled;
                for reply in self.replies.drain(..) {
                    reply.send(endpoint, index, &mut self.pending, &context);
                }
            }
        }
        if bytes_received > 0 {
            let count = i64::try_from(bytes_received).unwrap_or(i64::MAX);
            self.counters.get(SystemCounter::BytesReceived).add(count);
        }
        bytes_received
    }

    /// Lets every image send what is due, and parts with those that fell silent.
    fn poll_images(&mut self, tick: Tick) -> usize {
        let mut work_count = 0;
        for slot in self.images.slots() {
            let Some(image) = self.images.get_mut(slot) else {
                continue;
            };
            if !image.is_connected(tick.now) {
                self.release_image(slot, tick);
                work_count += 1;
            } else if let Some(endpoint) = self.endpoints.get_mut(&image.endpoint()) {
                let context =
                    SendContext { tick, counters: &self.counters, errors: &self.errors };
                work_count += image.poll(endpoint, &context);
            }
        }
        work_count
    }

    /// Stops receiving into an image and gives its half back to the conductor.
    fn release_image(&mut self, slot: ImageSlot, tick: Tick) {
        let Some(mut image) = self.images.remove(slot) else {
            return;
        };
        if let Some(endpoint) = self.endpoints.get_mut(&image.endpoint()) {
            endpoint.dispatcher.remove_image(
                image.stream_id(),
                image.session_id(),
                image.correlation_id(),
                image.is_end_of_stream(),
            );
        }
        image.begin_draining(tick.now);
        self.conductor.send(ConductorMessage::ImageReleased(image));
    }

    fn poll_pending_setups(&mut self, tick: Tick) {
        while let Some(setup) = self.pending.pop_expired(tick.now) {
            let ElicitedSetup { endpoint, stream_id, session_id, .. } = setup;
            if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                endpoint.dispatcher.remove_pending_setup(stream_id, session_id);
            }
        }
        let context = SendContext { tick, counters: &self.counters, errors: &self.errors };
        for solicitation in self.pending.due_solicitations(tick.now) {
            let Some(endpoint) = self.endpoints.get_mut(&solicitation.endpoint) else {
                continue;
            };
            let index = solicitation.index;
            let control = endpoint
                .transport_state(index)
                .and_then(|state| state.explicit_control_address());
            if let Some(control) = control
                && endpoint.dispatcher.has_interest()
            {
                endpoint.send_setup_request(index, control, ANY_STREAM, &context);
                solicitation.time = tick.now;
            }
        }
    }

    /// Has the names of silent control addresses looked up again.
    fn check_re_resolution(&mut self, tick: Tick) {
        let interval_ns = self.re_resolution_check_interval_ns;
        if interval_ns <= 0 || tick.now.since(self.re_resolution_deadline) <= 0 {
            return;
        }
        self.re_resolution_deadline = tick.now.plus_ns(interval_ns);
        for (id, endpoint) in &mut self.endpoints {
            for (index, slot) in endpoint.transports.iter_mut().enumerate() {
                let Some(transport) = slot else { continue };
                if self.conductor.is_full() {
                    return;
                }
                let Some(control) = transport.state.check_re_resolution(tick.now) else {
                    continue;
                };
                self.conductor.send(ConductorMessage::ReResolveControl {
                    endpoint: *id,
                    index,
                    control_text: control.text.clone(),
                    address: control.address,
                });
            }
        }
    }
}

impl<T: Transport> Agent for Receiver<T> {
    fn name(&self) -> &'static str {
        "receiver"
    }

    fn on_start(&mut self, tick: Tick) {
        self.duty_cycle.start(tick.now);
        self.re_resolution_deadline = tick.now.plus_ns(self.re_resolution_check_interval_ns);
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.duty_cycle.measure(tick.now);
        let mut work_count = self.conductor.flush();
        if let Some(message) = self.commands.pop() {
            self.on_command(message, tick);
            work_count += 1;
        }
        work_count += self.poll_transports(tick);
        work_count += self.poll_images(tick);
        self.poll_pending_setups(tick);
        self.check_re_resolution(tick);
        work_count
    }

    fn on_close(&mut self, _tick: Tick) {
        self.endpoints.clear();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("endpoints", &self.endpoints)
            .field("images", &self.images)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
