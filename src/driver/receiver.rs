//! The receiver: polls the sockets of all subscriptions, fills images, and answers senders.
//!
//! ```text
//!  conductor ── commands ──▶ Receiver ─ poll ─▶ ReceiveEndpoint ─ frame ─▶ Dispatcher
//!      ▲                        │                                             │
//!      └── images to create ◀───┴── once per cycle: SM, NAK, … ◀── image ◀────┘
//! ```
//!
//! A duty cycle (`driver.md` §1.5) takes one command, polls every transport once, lets every image
//! send what is due, and looks after SETUPs that were asked for and names that may have moved.
//! Where something arrives after a silence, all but the first two waits for the next cycle, as
//! whoever waits for a message on the same thread waits for nothing else. What arrives is judged in
//! `intake`; nothing there allocates for a frame of an image, and nothing is searched for. Images
//! stand in numbered slots that the dispatchers refer to.
//!
//! Messages to the conductor never block: see [`Outbox`].

mod commands;
mod images;
mod intake;
mod pending;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use images::Images;
use intake::{Intake, Reply};
use pending::{ElicitedSetup, PendingSetups};

use crate::base::{Nanos, SessionId, StreamId};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::BoundedQueue;
use crate::driver::dispatcher::ImageSlot;
use crate::driver::duty_cycle::DutyCycleTracker;
use crate::driver::epoch::EpochNanos;
use crate::driver::errors::ErrorReporter;
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, SendContext};
use crate::driver::media::watch::Watch;
use crate::driver::messages::{ConductorMessage, EndpointId, Outbox, REST_NS, ReceiverMessage};
use crate::driver::pace::Pace;
use crate::port::{Agent, Tick, Transport, Wake};

/// Replies that one poll of a transport can cause: all of 32 of the largest batches.
const REPLIES_MAX: usize = 512;

/// Nanoseconds between two looks, at least, at all but the transports, while nothing comes in.
pub(crate) const HOUSEKEEPING_INTERVAL_NS: i64 = 2_000;

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
pub(crate) struct Receiver<T: Transport> {
    commands: BoundedQueue<ReceiverMessage<T>>,
    conductor: Outbox<ConductorMessage<T>>,
    counters: SystemCounters,
    errors: ErrorReporter,
    duty_cycle: DutyCycleTracker,
    re_resolution_check_interval_ns: i64,
    re_resolution_deadline: Nanos,
    /// Ordered, and the ids only grow: polled in the order in which they were added.
    endpoints: BTreeMap<EndpointId, Box<ReceiveEndpoint<T>>>,
    watch: Watch<T>,
    images: Images,
    pending: PendingSetups,
    /// What the poll of one transport wants answered; empty between polls.
    replies: Vec<Reply>,
    /// Whether the last cycle brought something, of which senders may have to be told.
    has_received: bool,
    housekeeping: Pace,
    epoch: EpochNanos,
}

/// The name of a transport in a [`Watch`].
fn to_token(endpoint: EndpointId, index: usize) -> u64 {
    u64::from(endpoint.0) << 32 | (index as u64 & u64::from(u32::MAX))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the lower half, and the upper"
)]
const fn of_token(token: u64) -> (EndpointId, usize) {
    (EndpointId((token >> 32) as u32), token as u32 as usize)
}

/// All transports with their tokens.
fn all_sockets<T: Transport>(
    endpoints: &BTreeMap<EndpointId, Box<ReceiveEndpoint<T>>>,
) -> impl Iterator<Item = (u64, &T)> {
    endpoints.values().flat_map(|endpoint| {
        let id = endpoint.id();
        let sockets = endpoint.sockets();
        sockets.map(move |(index, socket)| (to_token(id, index), socket))
    })
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
            watch: Watch::new(),
            images: Images::new(Nanos::default()),
            pending: PendingSetups::default(),
            replies: Vec::with_capacity(REPLIES_MAX),
            has_received: false,
            housekeeping: Pace::new(HOUSEKEEPING_INTERVAL_NS, Nanos::default()),
            epoch: EpochNanos::new(Tick::default()),
        }
    }

    /// Takes in what has arrived on all transports; returns the bytes.
    fn poll_transports(&mut self, tick: Tick) -> usize {
        let epoch_ns = self.epoch.update(tick);
        let context = SendContext {
            tick,
            counters: &self.counters,
            errors: &self.errors,
        };
        let mut intake = |endpoint: &mut ReceiveEndpoint<T>, index| {
            let polled = Intake {
                context: &context,
                epoch_ns,
                images: &mut self.images,
                conductor: &mut self.conductor,
                replies: &mut self.replies,
            }
            .poll(endpoint, index);
            for reply in self.replies.drain(..) {
                reply.send(endpoint, index, &mut self.pending, &context);
            }
            polled
        };
        let mut bytes_received = 0;
        if let Some(ready) = self.watch.ready() {
            for token in &ready {
                let (id, index) = of_token(*token);
                if let Some(endpoint) = self.endpoints.get_mut(&id) {
                    bytes_received += intake(endpoint, index);
                }
            }
            self.watch.done(ready);
        } else {
            for endpoint in self.endpoints.values_mut() {
                for index in 0..endpoint.slot_count() {
                    bytes_received += intake(endpoint, index);
                }
            }
        }
        if bytes_received > 0 {
            let count = i64::try_from(bytes_received).unwrap_or(i64::MAX);
            self.counters.get(SystemCounter::BytesReceived).add(count);
        }
        bytes_received
    }

    /// Lets every image send what is due whose turn it is, and parts with those that fell silent.
    fn poll_images(&mut self, tick: Tick) -> usize {
        let mut work_count = 0;
        let mut turns = self.images.begin_turns(tick.now);
        while let Some(slot) = self.images.next_turn(&mut turns) {
            work_count += self.poll_image(slot, tick);
        }
        self.images.begin_idle_turns(tick.now);
        while let Some(slot) = self.images.next_idle_turn() {
            work_count += self.poll_image(slot, tick);
        }
        work_count
    }

    #[inline]
    fn poll_image(&mut self, slot: ImageSlot, tick: Tick) -> usize {
        let Some(image) = self.images.get_mut(slot) else {
            return 0;
        };
        if !image.is_connected(tick.now) {
            self.release_image(slot, tick);
            return 1;
        }
        let Some(endpoint) = self.endpoints.get_mut(&image.endpoint()) else {
            return 0;
        };
        let context = SendContext {
            tick,
            counters: &self.counters,
            errors: &self.errors,
        };
        let work = image.poll(endpoint, &context);
        if work > 0 {
            self.images.has_worked_a_little();
        }
        work
    }

    /// Stops receiving into an image and gives its half back to the conductor.
    fn release_image(&mut self, slot: ImageSlot, tick: Tick) {
        let Some(mut image) = self.images.remove(slot) else {
            return;
        };
        if let Some(endpoint) = self.endpoints.get_mut(&image.endpoint()) {
            let is_remembered = endpoint.dispatcher.remove_image(
                image.stream_id(),
                image.session_id(),
                image.correlation_id(),
                image.is_end_of_stream(),
            );
            if !is_remembered {
                let text = "too many lost sessions: one more may rejoin at once";
                self.errors
                    .report(tick.epoch, ErrorCode::GenericError, text);
            }
        }
        image.begin_draining(tick.now);
        self.conductor.send(ConductorMessage::ImageReleased(image));
    }

    fn poll_pending_setups(&mut self, tick: Tick) {
        while let Some(setup) = self.pending.pop_expired(tick.now) {
            let ElicitedSetup {
                endpoint,
                stream_id,
                session_id,
                ..
            } = setup;
            if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                endpoint
                    .dispatcher
                    .remove_pending_setup(stream_id, session_id);
            }
        }
        let context = SendContext {
            tick,
            counters: &self.counters,
            errors: &self.errors,
        };
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
                // Departs from Aeron: it asks for a session once, when it is subscribed to. What
                // sends it may be told by this alone where to: a response publication whose
                // receiver has lost its image, and is seen from elsewhere by now.
                let mut silent = endpoint.dispatcher.next_silent(None);
                while let Some(session) = silent {
                    endpoint.send_setup_request(index, control, session, &context);
                    silent = endpoint.dispatcher.next_silent(silent);
                }
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

    /// Images and awaited setups go with their endpoints.
    fn rest_ns(&self) -> i64 {
        let has_nothing = self.endpoints.is_empty() && self.commands.is_empty();
        if has_nothing && !self.conductor.has_backlog() {
            REST_NS
        } else {
            0
        }
    }

    fn set_wake(&mut self, wake: &Wake) {
        self.commands.on_push(Arc::clone(wake));
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.duty_cycle.measure(tick.now);
        let mut work_count = 0;
        let is_due = self.housekeeping.is_due(tick.now) || self.has_received;
        if is_due {
            work_count += self.conductor.flush();
            if let Some(message) = self.commands.pop() {
                self.on_command(message, tick);
                work_count += 1;
            }
        }
        let bytes_received = self.poll_transports(tick);
        work_count += bytes_received;
        let is_first = bytes_received > 0 && !self.has_received;
        self.has_received = bytes_received > 0;
        if is_due && !is_first {
            work_count += self.poll_images(tick);
            self.poll_pending_setups(tick);
            self.check_re_resolution(tick);
        }
        if work_count > 0 {
            self.watch.end_rest();
        }
        work_count
    }

    fn rest(&mut self, period: Duration) -> bool {
        self.watch.rest(period, all_sockets(&self.endpoints))
    }

    fn on_close(&mut self, _tick: Tick) {
        self.endpoints.clear();
        self.watch = Watch::new();
    }
}

impl<T: Transport> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("endpoints", &self.endpoints)
            .field("images", &self.images)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}
