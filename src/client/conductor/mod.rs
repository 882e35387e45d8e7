//! The client's conductor: sends commands, reads the driver's events, keeps the client alive.
//!
//! ```text
//!  drops of handles ──► deferred ─┐
//!                                 ▼
//!  tick ──► do_work: ─► deferred ─► timeouts (keepalive, lingering logs) ─► events ─► handlers
//! ```
//!
//! It is handed the time and owns everything but the handles, which it knows by weak references, in
//! order to close them when the client ends. An event is dispatched as `dispatch` tells; `liveness`
//! watches the driver and proves that this client lives; `logs` shares mappings.
//!
//! Invariant: deferred work is taken up between reading an event and dispatching it, so that the
//! answer to a command which a drop has sent always finds its registration.

mod dispatch;
mod liveness;
mod logs;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use self::liveness::Liveness;
use self::logs::Logs;
use super::config::nanos;
use super::core::{Core, Deferred, ResourceId};
use super::counter::CounterShared;
use super::driver_proxy::DriverProxy;
use super::handlers::Handlers;
use super::publication::PublicationShared;
use super::registrations::{Awaited, Outcome, Registrations, Waiting};
use super::subscription_shared::SubscriptionShared;
use super::{ClientConfig, ClientError, CounterEvent};
use crate::base::{CorrelationId, Nanos, RegistrationId, Rng};
use crate::command::{
    ClientClose, Command, Destination, RemoveCounter, RemoveDestinationById, RemovePublication,
    RemoveSubscription,
};
use crate::concurrent::{CountersReader, Receiver};
use crate::logbuffer::LogOpener;
use crate::port::Tick;

/// How long the log of a publication stays mapped after its handle was closed.
const EXPLICIT_CLOSE_LINGER: Duration = Duration::from_secs(1);

/// Events of the driver that are taken up in one duty cycle, at most.
const EVENTS_MAX: usize = 1_024;

/// Where a client is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    /// Resources are closed; the next duty cycle closes the rest.
    Terminating,
    Closed,
}

/// See the module.
pub(crate) struct ClientConductor {
    core: Weak<Core>,
    proxy: DriverProxy,
    events: Receiver,
    counters: CountersReader,
    pub(super) handlers: Handlers,
    state: State,
    /// Why the client terminated.
    cause: Option<ClientError>,
    registrations: Registrations,
    publications: BTreeMap<RegistrationId, Weak<PublicationShared>>,
    subscriptions: BTreeMap<RegistrationId, Weak<SubscriptionShared>>,
    own_counters: BTreeMap<RegistrationId, Weak<CounterShared>>,
    logs: Logs,
    liveness: Liveness,
    pub(super) rng: Rng,
    driver_timeout_ns: i64,
    inter_service_timeout_ns: i64,
    idle_sleep_ns: i64,
    resource_linger_ns: i64,
    last_service: Nanos,
    /// Time of the current or last duty cycle.
    now: Nanos,
    /// Commands that found the ring full, in order.
    unsent: Vec<Deferred>,
    /// Copy of the event being dispatched; kept for its memory.
    scratch: Vec<u8>,
}

/// What a conductor reaches out to.
pub(super) struct ConductorPorts {
    pub(super) core: Weak<Core>,
    pub(super) proxy: DriverProxy,
    pub(super) events: Receiver,
    pub(super) counters: CountersReader,
    pub(super) opener: Arc<dyn LogOpener>,
    pub(super) inter_service_timeout_ns: i64,
}

impl ClientConductor {
    pub(super) fn new(ports: ConductorPorts, config: ClientConfig, tick: Tick) -> Self {
        let ConductorPorts {
            core,
            proxy,
            events,
            counters,
            opener,
            inter_service_timeout_ns,
        } = ports;
        let seed = proxy.client_id().get() ^ tick.epoch.get() ^ tick.now.get().rotate_left(32);
        Self {
            liveness: Liveness::new(&config, proxy.client_id(), proxy.ring(), tick),
            core,
            proxy,
            events,
            counters,
            state: State::Active,
            cause: None,
            registrations: Registrations::default(),
            publications: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            own_counters: BTreeMap::new(),
            logs: Logs::new(opener),
            rng: Rng::new(seed.cast_unsigned()),
            driver_timeout_ns: nanos(config.driver_timeout),
            inter_service_timeout_ns,
            idle_sleep_ns: nanos(config.idle_sleep),
            resource_linger_ns: nanos(config.resource_linger),
            last_service: tick.now,
            now: tick.now,
            unsent: Vec::new(),
            scratch: Vec::new(),
            handlers: config.handlers,
        }
    }

    /// One duty cycle. Returns how much was done.
    pub(super) fn do_work(&mut self, tick: Tick) -> usize {
        match self.state {
            State::Active => {}
            State::Terminating => {
                self.close();
                return 1;
            }
            State::Closed => return 0,
        }
        self.now = tick.now;
        let mut work = self.drain_deferred();
        if self.state == State::Active {
            work += self.check_timeouts(tick);
        }
        // All that has happened, not one thing a cycle as in Aeron: who was stopped for long is not
        // to use what its driver has taken away and given to others.
        for _ in 0..EVENTS_MAX {
            if self.state != State::Active {
                break;
            }
            match self.receive() {
                0 => break,
                received => work += received,
            }
        }
        work
    }

    /// When the timeouts are to be looked at next; at once if the client has ended.
    pub(super) const fn next_service(&self) -> Nanos {
        match self.state {
            State::Active => self.last_service.plus_ns(self.idle_sleep_ns),
            State::Terminating | State::Closed => self.now,
        }
    }

    fn check_timeouts(&mut self, tick: Tick) -> usize {
        let Tick { now, .. } = tick;
        if !now.is_expired(self.last_service, self.idle_sleep_ns) {
            return 0;
        }
        let timeout_ns = self.inter_service_timeout_ns;
        if now.is_expired(self.last_service, timeout_ns) {
            let interval_ns = now.since(self.last_service);
            self.terminate(ClientError::ServiceTimeout {
                interval_ns,
                timeout_ns,
            });
            return 1;
        }
        self.last_service = now;
        if let Err(cause) = self.liveness.check(tick, self.proxy.ring(), &self.counters) {
            self.terminate(cause);
            return 1;
        }
        self.send_unsent();
        self.registrations.expire(now);
        self.logs.unmap_lingered(now)
    }

    fn receive(&mut self) -> usize {
        let mut type_id = 0;
        let mut event = std::mem::take(&mut self.scratch);
        let received = self.events.receive(|id, payload| {
            type_id = id;
            event.clear();
            event.extend_from_slice(payload);
        });
        match received {
            Ok(0) => {}
            Ok(_) => {
                // What is deferred by now may be what the event answers.
                self.drain_deferred();
                if self.state == State::Active {
                    self.dispatch(type_id, &event);
                }
            }
            Err(_) => self.terminate(ClientError::Lapped),
        }
        self.scratch = event;
        received.unwrap_or(1)
    }

    /// Takes up what handles left. Returns how much there was.
    pub(super) fn drain_deferred(&mut self) -> usize {
        let Some(core) = self.core.upgrade() else {
            return 0;
        };
        let deferred = core.take_deferred();
        let count = deferred.len();
        let mut is_closing = false;
        for item in deferred {
            is_closing |= matches!(item, Deferred::CloseClient);
            self.take_up(item);
        }
        if is_closing {
            self.close();
        }
        count
    }

    fn take_up(&mut self, deferred: Deferred) {
        match deferred {
            Deferred::Removed {
                correlation_id,
                resource,
                lease,
            } => {
                let deadline = self.now.plus_ns(self.driver_timeout_ns);
                self.registrations.insert_removal(correlation_id, deadline);
                if let Some(lease) = lease {
                    self.logs
                        .linger(lease, self.now.plus(EXPLICIT_CLOSE_LINGER));
                }
                match resource {
                    ResourceId::Publication(id) => drop(self.publications.remove(&id)),
                    ResourceId::Subscription(id) => drop(self.subscriptions.remove(&id)),
                    ResourceId::Counter(id) => drop(self.own_counters.remove(&id)),
                }
            }
            unsent @ Deferred::Unsent { .. } => self.unsent.push(unsent),
            Deferred::ImagesClosed { images, handler } => {
                for image in images.iter() {
                    self.logs
                        .linger(image.lease(), self.now.plus(EXPLICIT_CLOSE_LINGER));
                    self.handlers.image_is_unavailable(handler.as_ref(), image);
                }
            }
            Deferred::Cancelled(id) => drop(self.cancel(id)),
            Deferred::Report(error) => self.handlers.report(&error),
            // Comes last, after what else was deferred.
            Deferred::CloseClient => {}
        }
    }

    /// Tries again to send what found the ring full.
    fn send_unsent(&mut self) {
        while let Some(Deferred::Unsent {
            command,
            type_id,
            payload,
        }) = self.unsent.first()
        {
            if self.proxy.write(command, *type_id, payload).is_err() {
                break;
            }
            self.unsent.remove(0);
        }
    }

    /// Ends the client for a reason that it cannot mend: closes all resources and says why. The
    /// next duty cycle closes the rest.
    fn terminate(&mut self, cause: ClientError) {
        if self.state != State::Active {
            return;
        }
        self.state = State::Terminating;
        self.close_resources();
        self.handlers.report(&cause);
        self.cause = Some(cause);
    }

    /// Ends the client. Does nothing the second time.
    pub(super) fn close(&mut self) {
        if self.state == State::Closed {
            return;
        }
        let was_active = self.state == State::Active;
        self.state = State::Closed;
        self.drain_deferred();
        if was_active {
            self.close_resources();
        }
        self.handlers.closed();
        self.logs.clear();
        let close = ClientClose {
            client_id: self.proxy.client_id(),
            correlation_id: CorrelationId(crate::base::NULL_VALUE),
        };
        // Without it the driver finds out when its client liveness timeout has passed.
        let _ = self.proxy.send(&Command::ClientClose(close));
        if let Some(core) = self.core.upgrade() {
            core.set_closed();
        }
        self.unsent.clear();
        drop(self.registrations.clear());
    }

    /// Closes every publication, subscription and counter, and runs the handlers of what goes away.
    fn close_resources(&mut self) {
        for publication in std::mem::take(&mut self.publications)
            .values()
            .filter_map(Weak::upgrade)
        {
            publication.force_close();
        }
        let subscriptions = std::mem::take(&mut self.subscriptions);
        for subscription in subscriptions.values().filter_map(Weak::upgrade) {
            let images = subscription.close().unwrap_or_default();
            for image in images.iter() {
                self.handlers
                    .image_is_unavailable(subscription.on_unavailable(), image);
            }
        }
        for counter in std::mem::take(&mut self.own_counters)
            .values()
            .filter_map(Weak::upgrade)
        {
            if counter.force_close() {
                self.handlers.counter_is_unavailable(&CounterEvent {
                    counters: &self.counters,
                    registration_id: counter.registration_id(),
                    counter_id: counter.counter_id(),
                });
            }
        }
    }

    /// That commands can be given.
    ///
    /// # Errors
    /// The client terminated or is closed.
    pub(super) const fn ensure_open(&self) -> Result<(), ClientError> {
        match self.state {
            State::Active => Ok(()),
            State::Terminating | State::Closed => Err(ClientError::Closed),
        }
    }

    pub(super) fn cause(&self) -> Option<&ClientError> {
        self.cause.as_ref()
    }

    pub(super) const fn is_terminating(&self) -> bool {
        matches!(self.state, State::Terminating)
    }

    /// Sends a command whose answer `awaited` stands for.
    ///
    /// # Errors
    /// The client is closed or the ring full.
    pub(super) fn submit(
        &mut self,
        awaited: Awaited,
        now: Nanos,
        command: &Command<'_>,
    ) -> Result<(), ClientError> {
        self.ensure_open()?;
        self.proxy.send(command)?;
        let deadline = now.plus_ns(self.driver_timeout_ns);
        self.registrations
            .insert(command.correlation_id(), awaited, deadline);
        Ok(())
    }

    /// The outcome of a command, once.
    pub(super) fn take(&mut self, id: CorrelationId, now: Nanos) -> Option<Outcome> {
        match self.state {
            State::Active => self.registrations.take(id, now),
            State::Terminating | State::Closed => {
                let ended = || self.cause.clone().unwrap_or(ClientError::Closed);
                Some(
                    self.registrations
                        .take_finished(id)
                        .unwrap_or_else(|| Err(ended().into())),
                )
            }
        }
    }

    /// Gives a command up. Returns what came of it, if that was not collected, to be dropped.
    #[must_use]
    pub(super) fn cancel(&mut self, id: CorrelationId) -> Option<Outcome> {
        self.registrations.abandon(id)
    }

    pub(super) const fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    /// Whether that which a destination belongs to is still there: if not, it went with it.
    fn has_owner(&self, awaited: &Awaited) -> bool {
        match awaited {
            Awaited::SendDestination { publication } => {
                let publications = self.publications.values().filter_map(Weak::upgrade);
                let mut originals = publications.map(|p| p.params().original_registration_id);
                originals.any(|id| id == *publication)
            }
            Awaited::ReceiveDestination { subscription, .. } => {
                self.subscriptions.contains_key(subscription)
            }
            Awaited::Publication { .. }
            | Awaited::Subscription(_)
            | Awaited::Counter
            | Awaited::StaticCounter { .. }
            | Awaited::NextSessionId
            | Awaited::Acknowledgement => true,
        }
    }

    /// Removes at the driver what an answer announced that came too late.
    fn undo(&mut self, waiting: &Waiting, id: CorrelationId) {
        if !self.has_owner(&waiting.awaited) {
            return;
        }
        let client_id = self.proxy.client_id();
        let registration_id = id.into();
        let correlation_id = self.proxy.next_correlation_id();
        let command = match &waiting.awaited {
            Awaited::Publication { .. } => Command::RemovePublication(RemovePublication {
                client_id,
                correlation_id,
                registration_id,
                is_revoke: false,
            }),
            Awaited::Subscription(_) => Command::RemoveSubscription(RemoveSubscription {
                client_id,
                correlation_id,
                registration_id,
            }),
            Awaited::Counter => Command::RemoveCounter(RemoveCounter {
                client_id,
                correlation_id,
                registration_id,
            }),
            Awaited::SendDestination { publication } => {
                Command::RemoveDestinationById(RemoveDestinationById {
                    client_id,
                    correlation_id,
                    registration_id: *publication,
                    destination_registration_id: registration_id,
                })
            }
            Awaited::ReceiveDestination {
                subscription,
                channel,
            } => Command::RemoveReceiveDestination(Destination {
                client_id,
                correlation_id,
                registration_id: *subscription,
                channel,
            }),
            // These leave nothing behind that could be taken back.
            Awaited::StaticCounter { .. } | Awaited::NextSessionId | Awaited::Acknowledgement => {
                return;
            }
        };
        let deadline = self.now.plus_ns(self.driver_timeout_ns);
        self.registrations.insert_removal(correlation_id, deadline);
        if let Err(unsent) = self.proxy.send_or_keep(&command) {
            self.unsent.push(unsent);
        }
    }

    /// Files the result of a command.
    fn finish<T: Any + Send>(&mut self, id: CorrelationId, result: T) {
        self.registrations.finish(id, Ok(Box::new(result)));
    }
}
