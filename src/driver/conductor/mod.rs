//! The conductor: what the driver decides, and the only agent that speaks with clients.
//!
//! ```text
//!   clients ──ring──▶ commands ─┬─▶ publications, subscriptions, destinations, counters, clients
//!   clients ◀─events─ events ◀──┘            │ requests            ▲ replies
//!                                            ▼                     │
//!                                       resource agent ────────────┘
//!   sender, receiver ──inbox──▶ images, endpoints ──outboxes──▶ sender, receiver
//! ```
//!
//! Each duty cycle (`driver.md` §1.3) runs the timer if it is due, at most one client command, at
//! most one message from the other agents, and then moves the limits of all publications and the
//! rebuild positions of all images. A command or message that needs the resource agent waits for
//! its answer, and no other of its kind is taken up meanwhile; so commands are answered in order.
//!
//! | Part | What it does |
//! |---|---|
//! | `commands` | reads, dispatches, resumes, answers errors |
//! | `publications`, `ipc_publications` | adding and removing publications |
//! | `network_publications`, `network_creation` | those that are sent over UDP |
//! | `subscriptions` | adding and removing subscriptions |
//! | `destinations`, `receive_destinations` | of publications, of subscriptions |
//! | `counters`, `clients` | what clients count, and whether they live |
//! | `send_endpoints`, `receive_endpoints`, `receive_transports` | opening, sharing, closing channels |
//! | `images`, `image_creation` | from SETUP to the end |
//! | `linking` | which subscription reads which stream |
//! | `inbox` | messages from the sender and the receiver |
//! | `liveness` | the timer |
//! | `event_log` | what of all this is written down, if it is |
//! | `events` | what clients are told |
//!
//! Invariants: every list is ordered, so that a run can be repeated; a counter or log is freed by
//! whoever removes its resource from its list, and nobody else.

mod clients;
mod commands;
mod context;
mod counters;
mod destinations;
mod event_log;
mod events;
mod image_creation;
mod images;
mod inbox;
mod ipc_publications;
mod linking;
mod links;
mod liveness;
mod network_creation;
mod network_publications;
mod publications;
mod receive_destinations;
mod receive_endpoints;
mod receive_transports;
mod roster;
mod send_endpoints;
mod subscriptions;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::base::{CorrelationId, EpochMillis, NULL_VALUE, Nanos, RegistrationId, Rng};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::{BoundedQueue, LossReport, RingConsumer, Transmitter};
use crate::driver::config::DriverConfig;
use crate::driver::counters::DriverCounters;
use crate::driver::duty_cycle::DutyCycleTracker;
use crate::driver::errors::ErrorReporter;
use crate::driver::event_logs::EventLogs;
use crate::driver::media::wildcard_ports::WildcardPorts;
use crate::driver::messages::{
    ConductorMessage, EndpointId, Outbox, ReceiverMessage, SenderMessage,
};
use crate::driver::resources::{ResourceOutcome, ResourceReply, ResourceRequest, ResourceTask};
use crate::driver::session_ids::SessionIds;
use crate::driver::termination::TerminationFlag;
use crate::port::{Agent, Network, Tick, Wake};

use clients::Clients;
use commands::Pending;
use context::Context;
use events::Events;
use images::{Image, PendingDriverCommand};
use ipc_publications::IpcRecord;
use links::{CounterLink, PublicationLink, SubscriptionLink};
use liveness::BlockedRing;
use network_publications::NetworkPublication;
use receive_endpoints::ReceiveEndpointRecord;
use roster::{Roster, Turn};
use send_endpoints::SendEndpointRecord;

/// Nanoseconds without a message after which a driver without streams counts as idle.
const IDLE_AFTER_NS: i64 = 1_000_000_000;
/// Nanoseconds for which a client of an idle driver may have to wait before its command is seen.
const COMMAND_REST_NS: i64 = 10_000_000;

/// What a conductor is made of.
pub(crate) struct ConductorParts<N: Network> {
    pub(crate) config: Arc<DriverConfig>,
    pub(crate) tick: Tick,
    pub(crate) network: N,
    pub(crate) commands: RingConsumer,
    pub(crate) events: Transmitter,
    pub(crate) counters: DriverCounters,
    pub(crate) system: SystemCounters,
    pub(crate) errors: ErrorReporter,
    pub(crate) loss_report: LossReport,
    pub(crate) sender: Outbox<SenderMessage<N::Transport>>,
    pub(crate) receiver: Outbox<ReceiverMessage<N::Transport>>,
    pub(crate) resources: Outbox<ResourceRequest>,
    pub(crate) inbox: BoundedQueue<ConductorMessage<N::Transport>>,
    pub(crate) replies: BoundedQueue<ResourceReply>,
    pub(crate) termination: TerminationFlag,
    pub(crate) rng: Rng,
    /// Ports of receive endpoints; those of the driver itself are in use already.
    pub(crate) receiver_ports: WildcardPorts,
    /// Where events are written down.
    pub(crate) logs: EventLogs,
}

/// The agent. See the module's documentation.
pub(crate) struct Conductor<N: Network> {
    ctx: Context<N::Transport>,
    network: N,
    rng: Rng,
    tracker: DutyCycleTracker,
    timer_deadline: Nanos,
    /// When a client or another agent last had something to say.
    heard_at: Nanos,
    commands: RingConsumer,
    /// The command being handled, copied from the ring.
    command: Vec<u8>,
    blocked_ring: BlockedRing,
    inbox: BoundedQueue<ConductorMessage<N::Transport>>,
    replies: BoundedQueue<ResourceReply>,
    termination: TerminationFlag,
    /// The client command that waits for the resource agent.
    pending: Option<Pending>,
    /// The message of another agent that waits for the resource agent.
    pending_driver: Option<PendingDriverCommand>,
    session_ids: SessionIds,
    clients: Clients,
    publication_links: BTreeMap<RegistrationId, PublicationLink>,
    subscription_links: Vec<SubscriptionLink>,
    counter_links: Vec<CounterLink>,
    ipc_publications: Roster<RegistrationId, IpcRecord>,
    network_publications: Roster<RegistrationId, NetworkPublication>,
    images: Roster<CorrelationId, Image>,
    loss_report: LossReport,
    send_endpoints: BTreeMap<EndpointId, SendEndpointRecord>,
    receive_endpoints: BTreeMap<EndpointId, ReceiveEndpointRecord>,
    sender_ports: WildcardPorts,
    receiver_ports: WildcardPorts,
    next_receiver_id: i64,
}

impl<N: Network> Conductor<N> {
    /// A conductor without clients.
    pub(crate) fn new(parts: ConductorParts<N>) -> Self {
        let mut rng = parts.rng;
        let config = parts.config;
        let tracker = DutyCycleTracker::new(
            config.conductor_cycle_threshold_ns,
            parts
                .system
                .get(SystemCounter::ConductorMaxCycleTime)
                .clone(),
            parts
                .system
                .get(SystemCounter::ConductorCycleTimeThresholdExceeded)
                .clone(),
            parts.tick.now,
        );
        let session_ids = SessionIds::new(
            rng.next_i32(),
            config.reserved_session_id_low,
            config.reserved_session_id_high,
        );
        let ring = parts.commands.ring().clone();
        Self {
            network: parts.network,
            tracker,
            timer_deadline: parts.tick.now,
            heard_at: parts.tick.now,
            blocked_ring: BlockedRing::new(&ring, parts.tick.now),
            commands: parts.commands,
            command: Vec::new(),
            inbox: parts.inbox,
            replies: parts.replies,
            termination: parts.termination,
            pending: None,
            pending_driver: None,
            session_ids,
            clients: Clients::new(),
            publication_links: BTreeMap::new(),
            subscription_links: Vec::new(),
            counter_links: Vec::new(),
            ipc_publications: Roster::new(parts.tick.now),
            network_publications: Roster::new(parts.tick.now),
            images: Roster::new(parts.tick.now),
            loss_report: parts.loss_report,
            send_endpoints: BTreeMap::new(),
            receive_endpoints: BTreeMap::new(),
            sender_ports: WildcardPorts::new(config.sender_wildcard_port_range),
            receiver_ports: parts.receiver_ports,
            next_receiver_id: i64::from_le_bytes(rng.next_u64().to_le_bytes()),
            rng,
            ctx: Context::new(context::Surroundings {
                config,
                tick: parts.tick,
                ring,
                events: Events::new(parts.events, parts.logs.conductor.clone()),
                logs: parts.logs,
                counters: parts.counters,
                system: parts.system,
                errors: parts.errors,
                sender: parts.sender,
                receiver: parts.receiver,
                resources: parts.resources,
            }),
        }
    }

    /// Takes in the resource agent's answers to what is pending.
    #[inline]
    fn poll_replies(&mut self) -> usize {
        let mut count = 0;
        while let Some(reply) = self.replies.pop() {
            count += 1;
            self.ctx.events.set_time(self.ctx.tick.now);
            if self
                .pending
                .as_ref()
                .is_some_and(|pending| pending.request == reply.id)
            {
                self.resume_command(reply.outcome);
            } else {
                self.resume_driver_command(reply);
            }
        }
        count
    }

    /// Moves limits and rebuild positions, of the streams whose turn it is.
    fn track_streams(&mut self) -> usize {
        let tick = self.ctx.tick;
        let report = &mut self.loss_report;
        let images = self.images.take_turns(tick.now, |image| {
            let before = image.half.rebuild_position();
            let has_worked = image.half.track_rebuild(tick, report);
            let is_busy = image.half.rebuild_position() != before;
            Turn {
                has_worked,
                is_busy,
            }
        });
        let network = self
            .network_publications
            .take_turns(tick.now, |publication| {
                let before = publication.half.published_position();
                let has_worked = publication.half.update_limit();
                let is_busy = publication.half.published_position() != before;
                Turn {
                    has_worked,
                    is_busy,
                }
            });
        let ipc = self.ipc_publications.take_turns(tick.now, |record| {
            let before = record.publication.published_position();
            let has_worked = record.publication.update_limit(tick.now);
            let is_busy = record.publication.published_position() != before;
            Turn {
                has_worked,
                is_busy,
            }
        });
        images + network + ipc
    }
}

impl<N: Network> Agent for Conductor<N> {
    fn name(&self) -> &'static str {
        "conductor"
    }

    fn on_start(&mut self, tick: Tick) {
        self.ctx.tick = tick;
        self.tracker.start(tick.now);
        self.timer_deadline = tick.now.plus_ns(self.ctx.config.timer_interval_ns);
    }

    /// Clients wake nobody, so it rests only when it was left alone for long; and not where there
    /// are streams, whose limits may have to move at any moment.
    fn rest_ns(&self) -> i64 {
        let has_streams = !(self.ipc_publications.is_empty()
            && self.network_publications.is_empty()
            && self.images.is_empty());
        let awaits_something =
            self.pending.is_some() || self.pending_driver.is_some() || self.ctx.has_backlog();
        let is_left_alone = (self.ctx.tick.now).is_expired(self.heard_at, IDLE_AFTER_NS);
        if is_left_alone && !has_streams && !awaits_something {
            COMMAND_REST_NS
        } else {
            0
        }
    }

    fn set_wake(&mut self, wake: &Wake) {
        self.inbox.on_push(Arc::clone(wake));
        self.replies.on_push(Arc::clone(wake));
    }

    fn do_work(&mut self, tick: Tick) -> usize {
        self.ctx.tick = tick;
        self.tracker.measure(tick.now);
        let mut work = self.ctx.flush();
        work += self.check_timer();
        let mut heard = self.poll_replies();
        if self.pending.is_none() {
            heard += self.poll_commands();
        }
        if self.pending_driver.is_none() {
            heard += self.poll_inbox();
        }
        if heard > 0 {
            self.heard_at = tick.now;
        }
        work + heard + self.track_streams()
    }

    /// Deletes all logs and tells clients that the driver is gone.
    fn on_close(&mut self, tick: Tick) {
        self.ctx.tick = tick;
        let mut logs = Vec::new();
        let mut store = None;
        while let Some(reply) = self.replies.pop() {
            match reply.outcome {
                ResourceOutcome::Log(Ok(log)) => logs.push(log),
                ResourceOutcome::Closed(closed) => store = Some(closed),
                ResourceOutcome::Log(Err(_))
                | ResourceOutcome::Channel(_)
                | ResourceOutcome::Address(_)
                | ResourceOutcome::Destination(_) => {}
            }
        }
        for request in self.ctx.resources.take_backlog() {
            if let ResourceTask::FreeLog(log) = request.task {
                logs.push(log);
            }
        }
        let ipc = self.ipc_publications.drain(tick.now);
        logs.extend(ipc.map(IpcRecord::into_log));
        let network = self.network_publications.drain(tick.now);
        logs.extend(network.map(NetworkPublication::into_log));
        logs.extend(self.images.drain(tick.now).map(Image::into_log));
        for log in logs {
            match &mut store {
                Some(store) => store.delete(log),
                None => self.ctx.free_log(log),
            }
        }
        self.ctx.flush();
        self.ctx
            .ring
            .set_consumer_heartbeat(EpochMillis(NULL_VALUE));
    }
}

impl<N: Network> fmt::Debug for Conductor<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conductor")
            .field("clients", &self.clients.len())
            .field("ipc_publications", &self.ipc_publications.len())
            .field("network_publications", &self.network_publications.len())
            .field("images", &self.images.len())
            .finish_non_exhaustive()
    }
}
