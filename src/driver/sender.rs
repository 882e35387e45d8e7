//! The sender: the agent that sends.
//!
//! Each cycle it takes one command, lets every publication send one batch, and now and then
//! receives what the receivers say (`driver.md` §1.4). It alone owns the send endpoints and the
//! sending halves of publications; both come from the conductor and go back to it.
//!
//! What receivers say is in `control`.

mod control;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::{Nanos, Position, RegistrationId, SessionId, StreamId};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::command::ErrorCode;
use crate::concurrent::BoundedQueue;
use crate::driver::config::DriverConfig;
use crate::driver::duty_cycle::DutyCycleTracker;
use crate::driver::epoch::EpochNanos;
use crate::driver::errors::ErrorReporter;
use crate::driver::media::control_inbox::ControlInbox;
use crate::driver::media::send_endpoint::SendEndpoint;
use crate::driver::media::watch::Watch;
use crate::driver::messages::{ConductorMessage, EndpointId, Outbox, REST_NS, SenderMessage};
use crate::driver::pace::{Pace, is_soon_after};
use crate::driver::publication::network::{Cycle, SenderHalf};
use crate::driver::rota::Rota;
use crate::logbuffer::FrameWatch;
use crate::port::{Agent, Tick, Transport, Wake};

/// How a stream's publication is found: by endpoint, stream and session.
type StreamKey = (EndpointId, StreamId, SessionId);

/// A publication, and the place of its endpoint in [`Sender::endpoints`].
struct Entry {
    half: Box<SenderHalf>,
    endpoint: usize,
}

impl Entry {
    fn key(&self) -> StreamKey {
        (
            self.half.endpoint(),
            self.half.stream_id(),
            self.half.session_id(),
        )
    }
}

/// What an idle publication is asked: whether there is a frame at its position.
struct Watched {
    position: Position,
    frame: FrameWatch,
    /// When the publication was last looked at.
    looked: Nanos,
}

impl Watched {
    /// Whether there is no frame, and nothing else to look at for a while.
    fn is_quiet(&self, now: Nanos) -> bool {
        is_soon_after(self.looked, IDLE_LOOK_INTERVAL_NS, now) && !self.frame.has_frame()
    }
}

/// Nanoseconds between two looks, at least, at a publication that has had nothing to send: it is
/// only asked for its next frame meanwhile.
const IDLE_LOOK_INTERVAL_NS: i64 = 2_000;

/// Nanoseconds between two polls of the control sockets at least, while there is nothing to send.
///
/// A poll that finds nothing costs a good part of a microsecond, for which a message that comes
/// just then has to wait. What receivers say can wait longer: they say it a few times per window.
const IDLE_POLL_INTERVAL_NS: i64 = 10_000;

/// Nanoseconds between two polls of the control sockets at most, while there is data to send: where
/// cycles are long, as with very many streams, receivers say more than a few cycles' worth.
const BUSY_POLL_INTERVAL_NS: i64 = 100_000;

/// Nanoseconds between two looks, at least, at what is no message: commands, names, faults.
const HOUSEKEEPING_INTERVAL_NS: i64 = 1_000;

/// Nanoseconds between two rounds of turns of idle publications while the others send nothing.
const IDLE_TURNS_INTERVAL_NS: i64 = 5_000;

/// When the control sockets are polled.
#[derive(Clone, Copy, Debug)]
struct PollSchedule {
    /// Cycles with data between two polls.
    ratio: u32,
    /// Nanoseconds between two polls at most.
    interval_ns: i64,
    /// Cycles with data since the last poll.
    cycles: u32,
    last: Nanos,
}

/// The agent. See the module's documentation.
pub(crate) struct Sender<T: Transport> {
    commands: BoundedQueue<SenderMessage<T>>,
    conductor: Outbox<ConductorMessage<T>>,
    system: SystemCounters,
    errors: ErrorReporter,
    tracker: DutyCycleTracker,
    epoch: EpochNanos,
    endpoints: Vec<Box<SendEndpoint<T>>>,
    /// Where in `endpoints` each is.
    places: BTreeMap<EndpointId, usize>,
    watch: Watch<T>,
    publications: Vec<Entry>,
    /// Where the next frame of each publication will be; of none that may not be sent. Apart, so
    /// that asking many of them takes few cache lines.
    watches: Vec<Option<Watched>>,
    /// Where in `publications` a stream is.
    streams: BTreeMap<StreamKey, usize>,
    rota: Rota,
    /// Of turns of the idle ones in cycles in which the others send nothing.
    idle_pace: Pace,
    /// Whether a publication has data that flow control keeps from being sent.
    is_held_back: bool,
    poll: PollSchedule,
    housekeeping: Pace,
    inbox: ControlInbox,
    re_resolution_interval_ns: i64,
    re_resolution_deadline: Nanos,
}

impl<T: Transport> Sender<T> {
    /// A sender without publications. It takes its commands from `commands` and answers through
    /// `conductor`.
    pub(crate) fn new(
        config: &DriverConfig,
        commands: BoundedQueue<SenderMessage<T>>,
        conductor: Outbox<ConductorMessage<T>>,
        system: SystemCounters,
        errors: ErrorReporter,
        tick: Tick,
    ) -> Self {
        let tracker = DutyCycleTracker::new(
            config.sender_cycle_threshold_ns,
            system.get(SystemCounter::SenderMaxCycleTime).clone(),
            system
                .get(SystemCounter::SenderCycleTimeThresholdExceeded)
                .clone(),
            tick.now,
        );
        let interval_ns = config.reresolution_check_interval_ns;
        Self {
            commands,
            conductor,
            system,
            errors,
            tracker,
            epoch: EpochNanos::new(tick),
            endpoints: Vec::new(),
            places: BTreeMap::new(),
            watch: Watch::new(),
            publications: Vec::new(),
            watches: Vec::new(),
            streams: BTreeMap::new(),
            rota: Rota::new(tick.now),
            idle_pace: Pace::new(IDLE_TURNS_INTERVAL_NS, tick.now),
            is_held_back: false,
            housekeeping: Pace::new(HOUSEKEEPING_INTERVAL_NS, tick.now),
            poll: PollSchedule {
                ratio: config.send_to_status_poll_ratio,
                interval_ns: BUSY_POLL_INTERVAL_NS.min(config.status_message_timeout_ns / 2),
                cycles: 0,
                last: tick.now.plus_ns(-IDLE_POLL_INTERVAL_NS),
            },
            inbox: ControlInbox::new(),
            re_resolution_interval_ns: interval_ns,
            re_resolution_deadline: tick.now.plus_ns(interval_ns),
        }
    }

    fn run_command(&mut self, command: SenderMessage<T>, now: Nanos) {
        match command {
            SenderMessage::AddEndpoint(endpoint) => self.add_endpoint(endpoint),
            SenderMessage::RemoveEndpoint(id) => self.remove_endpoint(id),
            SenderMessage::AddPublication(half) => self.add_publication(half),
            SenderMessage::RemovePublication(id) => {
                if let Some(index) = self.publication_index(id) {
                    self.remove_publication(index);
                }
            }
            SenderMessage::AddDestination {
                endpoint,
                destination,
            } => {
                if let Some(endpoint) = self.endpoint_mut(endpoint) {
                    endpoint.add_destination(destination, now);
                }
            }
            SenderMessage::RemoveDestination { endpoint, address } => {
                if let Some(endpoint) = self.endpoint_mut(endpoint) {
                    endpoint.remove_destination(address);
                }
            }
            SenderMessage::RemoveDestinationById {
                endpoint,
                registration_id,
            } => {
                if let Some(endpoint) = self.endpoint_mut(endpoint) {
                    endpoint.remove_destination_by_id(registration_id);
                }
            }
            SenderMessage::ResolutionChange {
                endpoint,
                endpoint_text,
                address,
            } => {
                self.system.get(SystemCounter::ResolutionChanges).add(1);
                if let Some(endpoint) = self.endpoint_mut(endpoint) {
                    endpoint.on_resolution_change(&endpoint_text, address);
                }
            }
        }
    }

    fn add_publication(&mut self, half: Box<SenderHalf>) {
        let Some(endpoint) = self.endpoint_index(half.endpoint()) else {
            debug_assert!(false, "a publication comes after its endpoint");
            self.conductor
                .send(ConductorMessage::PublicationReleased(half));
            return;
        };
        let entry = Entry { half, endpoint };
        self.streams.insert(entry.key(), self.publications.len());
        self.publications.push(entry);
        self.watches.push(None);
        self.rota.push();
    }

    /// Hands a publication back. The last one takes its place.
    fn remove_publication(&mut self, index: usize) {
        let removed = self.publications.swap_remove(index);
        self.watches.swap_remove(index);
        self.rota.swap_remove(index);
        if self.streams.get(&removed.key()) == Some(&index) {
            self.streams.remove(&removed.key());
        }
        if let Some(moved) = self.publications.get(index) {
            self.streams.insert(moved.key(), index);
        }
        self.conductor
            .send(ConductorMessage::PublicationReleased(removed.half));
    }

    fn add_endpoint(&mut self, endpoint: Box<SendEndpoint<T>>) {
        let id = endpoint.id();
        self.places.insert(id, self.endpoints.len());
        self.endpoints.push(endpoint);
        if let Some(added) = self.endpoints.last() {
            let all = self.endpoints.iter();
            let all = all.map(|endpoint| (u64::from(endpoint.id().0), endpoint.transport()));
            self.watch.on_added(u64::from(id.0), added.transport(), all);
        }
    }

    /// Hands an endpoint back, and before it whatever still sends through it. The last one takes
    /// its place.
    fn remove_endpoint(&mut self, id: EndpointId) {
        while let Some(index) = self
            .publications
            .iter()
            .position(|p| p.half.endpoint() == id)
        {
            self.remove_publication(index);
        }
        let Some(index) = self.endpoint_index(id) else {
            return;
        };
        let endpoint = self.endpoints.swap_remove(index);
        self.watch.on_removed(u64::from(id.0), endpoint.transport());
        self.places.remove(&id);
        if let Some(moved) = self.endpoints.get(index) {
            self.places.insert(moved.id(), index);
        }
        let moved_from = self.endpoints.len();
        for publication in self
            .publications
            .iter_mut()
            .filter(|p| p.endpoint == moved_from)
        {
            publication.endpoint = index;
        }
        self.conductor
            .send(ConductorMessage::SendEndpointClosed(endpoint));
    }

    /// Lets every publication send whose turn it is, starting with another one each time. Returns
    /// the bytes sent.
    fn send_all(&mut self, tick: Tick) -> usize {
        let epoch_ns = self.epoch.update(tick);
        let mut bytes = 0;
        self.is_held_back = false;
        let mut turns = self.rota.begin(tick.now);
        while let Some(index) = self.rota.next(&mut turns) {
            bytes += self.serve(index, tick.now, epoch_ns);
        }
        if bytes > 0 {
            self.idle_pace.restart(tick.now);
        } else if !self.idle_pace.is_due(tick.now) {
            return 0;
        }
        // The idle ones come when the busy ones have sent, while that is under way: what a stream
        // sends waits for nobody, nor does what answers it. Each has one turn in a cycle.
        self.rota.begin_idle(tick.now);
        while let Some(index) = self.rota.next_idle() {
            bytes += self.serve(index, tick.now, epoch_ns);
        }
        while let Some(index) = self.rota.next_to_ask() {
            let watch = self.watches.get(index).and_then(Option::as_ref);
            let is_ready = |watch: &Watched| watch.looked != tick.now && watch.frame.has_frame();
            if watch.is_some_and(is_ready) {
                bytes += self.serve(index, tick.now, epoch_ns);
            }
        }
        if bytes > 0 {
            let sent = i64::try_from(bytes).unwrap_or(i64::MAX);
            self.system.get(SystemCounter::BytesSent).add(sent);
        }
        bytes
    }

    /// Lets a publication send, unless it has nothing. Returns the bytes that it sent.
    #[inline]
    fn serve(&mut self, index: usize, now: Nanos, epoch_ns: i64) -> usize {
        let watch = &mut self.watches[index];
        if watch.as_ref().is_some_and(|watch| watch.is_quiet(now)) {
            return 0;
        }
        let cycle = Cycle {
            now,
            epoch_ns,
            system: &self.system,
        };
        let Entry { half, endpoint } = &mut self.publications[index];
        let before = half.position();
        let sent = half.send(&mut self.endpoints[*endpoint], &cycle);
        self.is_held_back |= half.is_held_back();
        if half.position() != before || half.has_resends() {
            *watch = None;
            self.rota.has_worked(index);
            return sent;
        }
        watch_for_next_frame(half, watch, now);
        if sent > 0 {
            self.rota.has_worked_a_little();
        }
        sent
    }

    /// Asks for the names of endpoints whose receivers have fallen silent to be looked up again.
    fn check_re_resolution(&mut self, now: Nanos) {
        if self.re_resolution_interval_ns <= 0 || !now.is_at_or_after(self.re_resolution_deadline) {
            return;
        }
        self.re_resolution_deadline = now.plus_ns(self.re_resolution_interval_ns);
        let Self {
            endpoints,
            publications,
            conductor,
            ..
        } = self;
        for (index, endpoint) in endpoints.iter_mut().enumerate() {
            let last_heard = publications
                .iter()
                .filter(|publication| publication.endpoint == index)
                .map(|publication| publication.half.time_of_last_status_message())
                .max_by_key(|heard| heard.since(now));
            let id = endpoint.id();
            endpoint.check_resolution(last_heard, now, |endpoint_text, address| {
                conductor.send(ConductorMessage::ReResolveEndpoint {
                    endpoint: id,
                    endpoint_text: endpoint_text.to_owned(),
                    address,
                });
            });
        }
    }

    /// Records what the operating system refused to do since the last call.
    fn report_faults(&mut self, tick: Tick) {
        for endpoint in &mut self.endpoints {
            let Some(fault) = endpoint.take_fault() else {
                continue;
            };
            let operation = fault.operation;
            let text = match fault.address {
                Some(address) => format!("cannot {operation} to {address}: {}", fault.error),
                None => format!("cannot {operation}: {}", fault.error),
            };
            if fault.is_harmless {
                self.errors.warn(tick.epoch, &text);
                continue;
            }
            self.errors
                .report(tick.epoch, ErrorCode::GenericError, &text);
        }
    }

    fn short_sends(&self) -> i64 {
        self.system.get(SystemCounter::ShortSends).get_relaxed()
    }

    fn publication_index(&self, id: RegistrationId) -> Option<usize> {
        self.publications
            .iter()
            .position(|entry| entry.half.registration_id() == id)
    }

    fn endpoint_index(&self, id: EndpointId) -> Option<usize> {
        self.places.get(&id).copied()
    }

    fn endpoint_mut(&mut self, id: EndpointId) -> Option<&mut Box<SendEndpoint<T>>> {
        let index = self.endpoint_index(id)?;
        self.endpoints.get_mut(index)
    }
}

/// Nothing was sent: from now on it is enough to ask for the next frame, unless flow control stands
/// in the way. Then a status message has it looked at.
fn watch_for_next_frame(half: &SenderHalf, watch: &mut Option<Watched>, now: Nanos) {
    let position = half.position();
    match watch {
        _ if half.is_at_limit() => *watch = None,
        Some(watch) if watch.position == position => watch.looked = now,
        _ => {
            let frame = half.watch(position);
            *watch = frame.map(|frame| Watched {
                position,
                frame,
                looked: now,
            });
        }
    }
}

impl PollSchedule {
    /// Whether to poll in a cycle that sent `bytes`, and could or might not send others.
    fn is_due(&mut self, bytes: usize, is_held_back: bool, now: Nanos) -> bool {
        let since_last_ns = now.since(self.last);
        if bytes == 0 {
            return is_held_back || since_last_ns >= IDLE_POLL_INTERVAL_NS;
        }
        self.cycles = self.cycles.saturating_add(1);
        is_held_back || self.cycles >= self.ratio || since_last_ns >= self.interval_ns
    }

    const fn restart(&mut self, now: Nanos) {
        self.cycles = 0;
        self.last = now;
    }
}

impl<T: Transport> Agent for Sender<T> {
    fn name(&self) -> &'static str {
        "sender"
    }

    fn on_start(&mut self, tick: Tick) {
        self.tracker.start(tick.now);
        self.re_resolution_deadline = tick.now.plus_ns(self.re_resolution_interval_ns);
    }

    fn rest_ns(&self) -> i64 {
        let has_nothing = self.publications.is_empty() && self.endpoints.is_empty();
        if has_nothing && self.commands.is_empty() && !self.conductor.has_backlog() {
            REST_NS
        } else {
            0
        }
    }

    fn set_wake(&mut self, wake: &Wake) {
        self.commands.on_push(Arc::clone(wake));
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.tracker.measure(tick.now);
        let mut work = 0;
        let is_housekeeping_due = self.housekeeping.is_due(tick.now);
        if is_housekeeping_due {
            work += self.conductor.flush();
            if !self.conductor.is_full()
                && let Some(command) = self.commands.pop()
            {
                self.run_command(command, tick.now);
                work += 1;
            }
        }
        let short_sends = self.short_sends();
        let bytes_sent = self.send_all(tick);
        work += bytes_sent;
        let is_held_back = self.is_held_back || self.short_sends() > short_sends;
        if self.poll.is_due(bytes_sent, is_held_back, tick.now) {
            work += self.poll_control(tick);
            self.poll.restart(tick.now);
        }
        if is_housekeeping_due {
            self.check_re_resolution(tick.now);
            self.report_faults(tick);
        }
        work
    }

    fn on_close(&mut self, tick: Tick) {
        self.streams.clear();
        self.publications.clear();
        self.watches.clear();
        self.rota = Rota::new(tick.now);
        self.endpoints.clear();
        self.places.clear();
        self.watch = Watch::new();
    }
}
