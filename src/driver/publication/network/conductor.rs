//! The conductor's half: how far publishers may write, and the publication's life.
//!
//! ```text
//!           last user gone            sent, and spies done
//!   ACTIVE ───────────────▶ DRAINING ─────────────────────▶ LINGER ──no users, time passed──▶ DONE
//!      └──────────────────────── revoked ──────────────────────▲
//! ```
//!
//! Each cycle moves the publisher limit one window ahead of the slowest of sender and spies, and
//! zeroes what lies more than a term behind it, one chunk of a term at a time. The limit never
//! enters a term that is still dirty. The timer moves the publication through its states; what the
//! conductor has to do about a step is returned as [`NetworkEffect`]s.
//!
//! How far the sender is comes from [`Shared`], and what spies write is clamped to it and to the
//! producer's position, so that nothing in shared memory makes the conductor clear bytes that the
//! sender may read.

use std::sync::Arc;

use super::shared::Shared;
use super::{NetworkPublicationParams, PublicationCounters, set_connected};
use crate::base::{CounterId, Nanos, Position, RegistrationId, SessionId, StreamId};
use crate::driver::messages::EndpointId;
use crate::driver::untethered::{LinkId, SubscriberPosition, SubscriberPositions, UntetheredEvent};
use crate::logbuffer::{LogBuffer, TermGeometry};

/// Where a publication is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkState {
    /// Has users.
    Active,
    /// Has no user; the sender sends the rest, spies consume it.
    Draining,
    /// All was sent that will be; receivers may still ask for some of it again.
    Linger,
    /// Only waits for the sender to give its half back.
    Done,
}

/// What a step of the publication asks of the conductor.
#[derive(Debug)]
pub(crate) enum NetworkEffect {
    /// All spies were unlinked: tell each that the image is unavailable, and free the counters.
    SpiesUnlinked {
        /// The links, with their subscriptions.
        links: Vec<(LinkId, RegistrationId)>,
        /// Their `sub-pos` counters.
        counters: Vec<CounterId>,
    },
    /// An untethered spy changed its state.
    Untethered(UntetheredEvent),
    /// Count a revoked publication.
    CountRevoked,
    /// Count an unblocked publication.
    CountUnblocked,
    /// Take it from the sender, drop its reference to the endpoint, release its session id.
    Release,
}

/// The half of a network publication that the conductor owns.
#[derive(Debug)]
pub(crate) struct ConductorHalf {
    registration_id: RegistrationId,
    session_id: SessionId,
    stream_id: StreamId,
    endpoint: EndpointId,
    is_exclusive: bool,
    spies_simulate_connection: bool,
    window: i64,
    linger_timeout_ns: i64,
    unblock_timeout_ns: i64,
    log: LogBuffer,
    geometry: TermGeometry,
    counters: PublicationCounters,
    shared: Arc<Shared>,
    spies: SubscriberPositions,
    state: NetworkState,
    /// Links of clients to it.
    ref_count: usize,
    /// What `pub-lmt` shows.
    publisher_limit: Position,
    /// Everything before it, less three terms, is zeroed.
    clean_position: Position,
    /// The furthest of sender and spies at the last timer tick.
    last_front: Position,
    /// When that last changed, or LINGER began.
    time_of_last_activity: Nanos,
}

impl ConductorHalf {
    pub(super) fn new(params: &NetworkPublicationParams, shared: Arc<Shared>) -> Self {
        Self {
            registration_id: params.registration_id,
            session_id: params.session_id,
            stream_id: params.stream_id,
            endpoint: params.endpoint,
            is_exclusive: params.is_exclusive,
            spies_simulate_connection: params.spies_simulate_connection,
            window: i64::from(params.publication_window),
            linger_timeout_ns: params.linger_timeout_ns,
            unblock_timeout_ns: params.unblock_timeout_ns,
            log: params.log.clone(),
            geometry: params.log.geometry(),
            counters: params.counters.clone(),
            shared,
            spies: SubscriberPositions::new(params.untethered),
            state: NetworkState::Active,
            ref_count: 0,
            publisher_limit: params.position,
            clean_position: params.position,
            last_front: params.position,
            time_of_last_activity: params.now,
        }
    }

    /// Links a publisher.
    pub(crate) const fn add_reference(&mut self) {
        self.ref_count += 1;
    }

    /// Unlinks a publisher; the last one ends the stream.
    pub(crate) fn remove_reference(&mut self) {
        debug_assert!(self.ref_count > 0);
        self.ref_count = self.ref_count.saturating_sub(1);
        if self.ref_count > 0 || self.state != NetworkState::Active {
            return;
        }
        let producer = self.end_stream();
        if !self.log.is_publication_revoked() {
            if self.shared.sender_position() >= producer {
                self.shared.is_end_of_stream.set(true);
            }
            self.state = NetworkState::Draining;
        }
    }

    /// Marks the publication as revoked, for all its users; the next timer tick acts on it.
    pub(crate) fn revoke(&self) {
        self.log.set_publication_revoked(true);
    }

    /// Links a spy. Its counter holds [`Self::join_position`].
    pub(crate) fn add_spy(&mut self, position: SubscriberPosition, now: Nanos) {
        self.spies.add(position, now);
        self.on_spies_changed();
    }

    /// Unlinks a spy. Returns the counter to free.
    pub(crate) fn remove_spy(&mut self, link: LinkId) -> Option<CounterId> {
        let counter = self.spies.remove(link);
        self.on_spies_changed();
        counter
    }

    /// Duty cycle: publishes the producer's position and moves the limit. Returns whether there was
    /// work to do.
    pub(crate) fn update_limit(&mut self) -> bool {
        if self.state != NetworkState::Active {
            return false;
        }
        let producer = self.log.producer_position();
        self.counters.publisher_position.set(producer.get());
        let sender = self.shared.sender_position();
        if !self.has_subscribers() {
            return self.withdraw_limit(sender);
        }
        let slowest = self.consumers(sender, producer);
        let proposed = slowest + self.window;
        if proposed <= self.publisher_limit {
            return false;
        }
        let clean_before = self.clean_position;
        self.clean_to(slowest - i64::from(self.geometry.term_length()));
        if !self.is_clean_for(proposed) {
            return self.clean_position != clean_before;
        }
        self.set_limit(proposed);
        true
    }

    /// The producer's position as last published by [`Self::update_limit`].
    pub(crate) fn published_position(&self) -> i64 {
        self.counters.publisher_position.get_relaxed()
    }

    /// Timer: one step of the state machine.
    pub(crate) fn on_timer(&mut self, now: Nanos, effects: &mut Vec<NetworkEffect>) {
        match self.state {
            NetworkState::Active if self.log.is_publication_revoked() => {
                self.end_stream();
                set_connected(&self.log, false);
                self.shared.is_end_of_stream.set(true);
                self.unlink_spies(effects);
                effects.push(NetworkEffect::CountRevoked);
                self.enter_linger(now);
            }
            NetworkState::Active => self.on_timer_active(now, effects),
            NetworkState::Draining => self.on_timer_draining(now, effects),
            NetworkState::Linger => {
                let is_over = self.shared.has_received_unicast_eos.get()
                    || now.is_expired(self.time_of_last_activity, self.linger_timeout_ns);
                if self.ref_count == 0 && is_over {
                    effects.push(NetworkEffect::Release);
                    self.state = NetworkState::Done;
                }
            }
            NetworkState::Done => {}
        }
    }

    /// Whether a matching spy may be linked.
    pub(crate) fn is_accepting_subscriptions(&self) -> bool {
        match self.state {
            NetworkState::Active => true,
            NetworkState::Draining => {
                self.spies.has_working()
                    && self.log.producer_position() > self.shared.sender_position()
            }
            NetworkState::Linger | NetworkState::Done => false,
        }
    }

    /// Where a new spy joins.
    pub(crate) fn join_position(&self) -> Position {
        self.shared.sender_position()
    }

    /// Its spies.
    pub(crate) const fn spies(&self) -> &SubscriberPositions {
        &self.spies
    }

    /// Correlation id of the command that added it.
    pub(crate) const fn registration_id(&self) -> RegistrationId {
        self.registration_id
    }

    /// Its session.
    pub(crate) const fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// Its stream.
    pub(crate) const fn stream_id(&self) -> StreamId {
        self.stream_id
    }

    /// The endpoint it sends through.
    pub(crate) const fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// Whether one client alone writes to it.
    pub(crate) const fn is_exclusive(&self) -> bool {
        self.is_exclusive
    }

    /// Its log.
    pub(crate) const fn log(&self) -> &LogBuffer {
        &self.log
    }

    /// Its counters.
    pub(crate) const fn counters(&self) -> &PublicationCounters {
        &self.counters
    }

    /// Where it is in its life.
    pub(crate) const fn state(&self) -> NetworkState {
        self.state
    }

    fn on_timer_active(&mut self, now: Nanos, effects: &mut Vec<NetworkEffect>) {
        let producer = self.log.producer_position();
        let sender = self.shared.sender_position();
        self.check_untethered(sender, producer, now, effects);
        set_connected(&self.log, self.has_subscribers());
        self.counters.publisher_position.set(producer.get());
        if !self.is_exclusive {
            self.check_blocked(sender, producer, now, effects);
        }
    }

    fn on_timer_draining(&mut self, now: Nanos, effects: &mut Vec<NetworkEffect>) {
        let producer = self.log.producer_position();
        self.counters.publisher_position.set(producer.get());
        let sender = self.shared.sender_position();
        if producer > sender {
            if self.log.unblock_abandoned(sender) {
                effects.push(NetworkEffect::CountUnblocked);
                return;
            }
            if self.shared.has_receivers.get() {
                return;
            }
            // Departs from Aeron: where there is no receiver the sender stays behind, and spies
            // would wait for ever at a claim that it does not reach.
            let front = self.spies.max().filter(|front| *front < producer);
            if front.is_some_and(|front| self.log.unblock_abandoned(front)) {
                effects.push(NetworkEffect::CountUnblocked);
                return;
            }
        } else {
            self.shared.is_end_of_stream.set(true);
        }
        if self.spies.is_drained(producer) {
            self.unlink_spies(effects);
            self.enter_linger(now);
        }
    }

    fn check_untethered(
        &mut self,
        sender: Position,
        producer: Position,
        now: Nanos,
        effects: &mut Vec<NetworkEffect>,
    ) {
        let limit = sender - self.window + self.window / 4;
        let mut events = Vec::new();
        self.spies
            .check_untethered(now, limit, |_| sender, producer, &mut events);
        // One that begins to rest is no event.
        self.shared.has_spies.set(self.spies.has_working());
        effects.extend(events.into_iter().map(NetworkEffect::Untethered));
    }

    /// Unblocks a log of which nothing has been sent for long although something was claimed.
    fn check_blocked(
        &mut self,
        sender: Position,
        producer: Position,
        now: Nanos,
        effects: &mut Vec<NetworkEffect>,
    ) {
        // Departs from Aeron: spies may be ahead of a sender without receivers, and nobody but them
        // then comes to a claim that was left behind.
        let front = self.spies.max().map_or(sender, |spy| spy.max(sender));
        let is_possibly_blocked =
            producer > front || self.log.active_term_count() != self.geometry.term_count_at(front);
        if front != self.last_front || !is_possibly_blocked {
            self.last_front = front;
            self.time_of_last_activity = now;
        } else if now.is_expired(self.time_of_last_activity, self.unblock_timeout_ns)
            && (self.log.unblock(sender) || self.log.unblock(front))
        {
            effects.push(NetworkEffect::CountUnblocked);
        }
    }

    fn unlink_spies(&mut self, effects: &mut Vec<NetworkEffect>) {
        if !self.spies.is_empty() {
            let links = self.spies.links().collect();
            let counters = self.spies.clear();
            effects.push(NetworkEffect::SpiesUnlinked { links, counters });
            self.shared.has_spies.set(false);
        }
    }

    const fn enter_linger(&mut self, now: Nanos) {
        self.time_of_last_activity = now;
        self.state = NetworkState::Linger;
    }

    /// Stops publishers and tells spies where the stream ends. Returns that position.
    fn end_stream(&mut self) -> Position {
        let producer = self.log.producer_position();
        self.set_limit(producer);
        self.log.set_end_of_stream_position(producer);
        producer
    }

    fn on_spies_changed(&self) {
        self.shared.has_spies.set(self.spies.has_working());
        if self.spies_simulate_connection && self.state == NetworkState::Active {
            set_connected(&self.log, self.has_subscribers());
        }
    }

    /// Nobody listens: publishers get no further than the sender.
    fn withdraw_limit(&mut self, sender: Position) -> bool {
        if self.publisher_limit <= sender {
            return false;
        }
        set_connected(&self.log, false);
        self.set_limit(sender);
        self.clean_to(sender - i64::from(self.geometry.term_length()));
        true
    }

    /// The slowest consumer; notes the fastest spy for the sender.
    fn consumers(&self, sender: Position, producer: Position) -> Position {
        let Some((slowest_spy, fastest_spy)) = self.spies.min_max() else {
            return sender;
        };
        self.shared.propose_spy_position(fastest_spy.min(producer));
        sender.min(slowest_spy)
    }

    /// Zeroes up to `position` as far as one call can: to the end of a term.
    fn clean_to(&mut self, position: Position) {
        if position > self.clean_position {
            self.clean_position = self.log.clean(self.clean_position, position);
        }
    }

    /// Whether publishers up to `limit` write to zeroed memory only. There are three terms: two
    /// after the one that is clean up to `clean_position`, and not the one that shares its memory.
    fn is_clean_for(&self, limit: Position) -> bool {
        let clean = self.clean_position;
        // A limit may lie beyond the last term a stream can have, where counts wrap.
        let count_of_clean = self.geometry.term_count_at(clean);
        let gap = self
            .geometry
            .term_count_at(limit)
            .wrapping_sub(count_of_clean);
        gap < 2 || (gap == 2 && clean != self.geometry.term_begin(clean))
    }

    fn has_subscribers(&self) -> bool {
        self.shared.has_subscribers(self.spies_simulate_connection)
    }

    fn set_limit(&mut self, limit: Position) {
        self.publisher_limit = limit;
        self.counters.publisher_limit.set(limit.get());
    }
}
