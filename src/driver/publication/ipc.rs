//! A publication over shared memory: the conductor is its only agent (`driver.md` §12).
//!
//! Publishers append to the log and subscribers read the same log. Each conductor cycle moves the
//! publisher limit one window ahead of the slowest subscriber and cleans what all have consumed;
//! the timer moves the publication through its states:
//!
//! ```text
//!   ACTIVE ──last link removed──▶ DRAINING ──all consumed──▶ LINGER ──no links──▶ DONE
//!      └────────────────── revoked ───────────────────────────▲
//! ```
//!
//! What the conductor has to do about a step is returned as [`IpcEffect`]s. Positions written by
//! clients are clamped to the producer position before they move anything.

use crate::base::{CounterId, Nanos, Position, RegistrationId, SessionId, StreamId};
use crate::concurrent::AtomicCounter;
use crate::driver::untethered::{
    LinkId, SubscriberPosition, SubscriberPositions, UntetheredEvent, UntetheredTimeouts,
};
use crate::logbuffer::LogBuffer;

/// Bytes that the publisher limit moves by at most before it is stored again: cleaning as much
/// takes a few microseconds and leaves the processor's cache as it is. Departs from Aeron, which
/// moves the limit by an eighth of the window, for a megabyte of which publishers and subscribers
/// wait while one thread does everything.
const LIMIT_STEP_MAX: i64 = 64 * 1024;

/// Nanoseconds between two looks at the tail of a log, at most. A look takes the tail's line away
/// from a publisher on another processor, which has to fetch it back for its next message.
const LOOK_INTERVAL_MAX_NS: i64 = 1_000;

/// Faster than any publisher: the tail cannot get further in a nanosecond.
const BYTES_PER_NS_MAX: i64 = 16;

/// What an [`IpcPublication`] is made of.
#[derive(Debug)]
pub(crate) struct IpcPublicationParams {
    /// Correlation id of the command that added it.
    pub(crate) registration_id: RegistrationId,
    /// Its session.
    pub(crate) session_id: SessionId,
    /// Its stream.
    pub(crate) stream_id: StreamId,
    /// Whether it has exactly one publisher.
    pub(crate) is_exclusive: bool,
    /// The log, initialised.
    pub(crate) log: LogBuffer,
    /// The log's path as announced to clients.
    pub(crate) path: String,
    /// Where the stream starts.
    pub(crate) start: Position,
    /// `pub-pos`.
    pub(crate) publisher_position: AtomicCounter,
    /// `pub-lmt`.
    pub(crate) publisher_limit: AtomicCounter,
    /// How far publishers may be ahead of the slowest subscriber, in bytes.
    pub(crate) window: i32,
    /// Timeouts of its untethered subscribers.
    pub(crate) untethered: UntetheredTimeouts,
    /// After how long without progress a claimed but uncommitted frame is given up.
    pub(crate) unblock_timeout_ns: i64,
    /// How long subscribers stay away after one rejected the stream.
    pub(crate) cool_down_ns: i64,
}

impl IpcPublicationParams {
    /// How far publishers may go while the slowest subscriber is at `position`.
    fn window_end(&self, position: Position) -> Position {
        position + i64::from(self.window)
    }
}

/// Where a publication is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IpcState {
    /// Has publishers.
    Active,
    /// Has no publisher; subscribers consume the rest.
    Draining,
    /// Its end was announced.
    Linger,
    /// Can be deleted.
    Done,
}

/// What a step of the publication asks of the conductor.
#[derive(Debug)]
pub(crate) enum IpcEffect {
    /// Its session id may be used again.
    ReleaseSession,
    /// Tell every link that the image is unavailable.
    UnavailableToAll,
    /// All were unlinked: tell each that the image is unavailable, and free the counters.
    Unlinked {
        /// The links, with their subscriptions.
        links: Vec<(LinkId, RegistrationId)>,
        /// Their `sub-pos` counters.
        counters: Vec<CounterId>,
    },
    /// An untethered subscriber changed its state.
    Untethered(UntetheredEvent),
    /// Count a revoked publication.
    CountRevoked,
    /// Count an unblocked publication.
    CountUnblocked,
    /// Link the matching subscriptions again.
    Relink,
    /// Free these `sub-pos` counters.
    FreeCounters(Vec<CounterId>),
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct IpcPublication {
    params: IpcPublicationParams,
    subscribers: SubscriberPositions,
    state: IpcState,
    /// Links of clients to it.
    ref_count: usize,
    /// Highest position any subscriber reached.
    consumer_position: Position,
    /// The publisher limit is not written again before it would reach this.
    trip_limit: Position,
    /// When a duty cycle looked at the tail, and when one will again.
    last_look: Nanos,
    next_look: Nanos,
    /// Everything before it, less three terms, is zeroed.
    clean_position: Position,
    /// `consumer_position` at the last timer tick, and when it last changed.
    last_consumer_position: Position,
    time_of_last_consumer_change: Nanos,
    /// Until when a rejected stream takes no subscribers.
    cool_down_expiry: Option<Nanos>,
}

impl IpcPublication {
    /// A publication without links, at its start position.
    pub(crate) fn new(params: IpcPublicationParams, now: Nanos) -> Self {
        let start = params.start;
        params.publisher_position.set(start.get());
        params.publisher_limit.set(start.get());
        Self {
            subscribers: SubscriberPositions::new(params.untethered),
            params,
            state: IpcState::Active,
            ref_count: 0,
            consumer_position: start,
            trip_limit: start,
            last_look: now,
            next_look: now,
            clean_position: start,
            last_consumer_position: start,
            time_of_last_consumer_change: now,
            cool_down_expiry: None,
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
        if self.ref_count > 0 || self.state != IpcState::Active {
            return;
        }
        self.end_stream();
        if !self.params.log.is_publication_revoked() {
            self.state = IpcState::Draining;
        }
    }

    /// Marks the publication as revoked; the next timer tick acts on it.
    pub(crate) fn revoke(&self) {
        self.params.log.set_publication_revoked(true);
    }

    /// Links a subscriber. Its counter holds the join position.
    pub(crate) fn add_subscriber(&mut self, position: SubscriberPosition, now: Nanos) {
        self.subscribers.add(position, now);
        self.next_look = now;
        // The limit first: whoever sees the connection may publish.
        if self.state == IpcState::Active {
            self.advance_limit(self.producer_position());
        }
        self.params.log.set_connected(true);
    }

    /// Unlinks a subscriber. Returns the counter to free.
    pub(crate) fn remove_subscriber(&mut self, link: LinkId) -> Option<CounterId> {
        self.track_consumers(self.producer_position());
        let counter = self.subscribers.remove(link);
        if !self.subscribers.has_working() {
            self.params.log.set_connected(false);
        }
        counter
    }

    /// A subscriber rejected the stream: unlinks all and keeps them away for the cool-down, or makes
    /// a running cool-down longer.
    pub(crate) fn reject(&mut self, now: Nanos, effects: &mut Vec<IpcEffect>) {
        if self.cool_down_expiry.is_none() {
            self.track_consumers(self.producer_position());
            self.params.log.set_connected(false);
            let links = self.subscribers.links().collect();
            effects.push(IpcEffect::Unlinked {
                links,
                counters: self.subscribers.clear(),
            });
        }
        self.cool_down_expiry = Some(now.plus_ns(self.params.cool_down_ns));
    }

    /// Duty cycle: publishes the producer position and moves the limit. Returns whether it moved.
    #[inline]
    pub(crate) fn update_limit(&mut self, now: Nanos) -> bool {
        // Where time stands still, as in a test, each cycle looks.
        let is_early = !now.is_at_or_after(self.next_look) && now != self.last_look;
        if is_early || self.state != IpcState::Active {
            return false;
        }
        let producer = self.producer_position();
        self.publish_position(producer);
        // No subscriber is ahead of the producer, so the limit can not move before this is zero.
        let slack = self.trip_limit - self.params.window_end(producer);
        let interval_ns = (slack / BYTES_PER_NS_MAX).clamp(0, LOOK_INTERVAL_MAX_NS);
        self.last_look = now;
        self.next_look = now.plus_ns(interval_ns);
        if !self.subscribers.has_working() {
            return self.withdraw_limit();
        }
        slack <= 0 && self.advance_limit(producer)
    }

    /// Moves the limit ahead of the slowest subscriber, if that is worth it.
    fn advance_limit(&mut self, producer: Position) -> bool {
        let Some((slowest, fastest)) = self.subscribers.min_max() else {
            return false;
        };
        self.raise_consumer_position(fastest.min(producer));
        let slowest = slowest.min(producer);
        let proposed = self.params.window_end(slowest);
        if proposed < self.trip_limit {
            return false;
        }
        self.clean_to(slowest);
        self.params.publisher_limit.set(proposed.get());
        let window = i64::from(self.params.window);
        self.trip_limit = proposed + (window / 8).min(LIMIT_STEP_MAX);
        true
    }

    /// Nobody consumes: nothing more is to be published.
    fn withdraw_limit(&mut self) -> bool {
        let limit = &self.params.publisher_limit;
        if Position(limit.get_relaxed()) <= self.consumer_position {
            return false;
        }
        limit.set(self.consumer_position.get());
        self.trip_limit = self.consumer_position;
        self.clean_to(self.consumer_position);
        true
    }

    /// The producer's position as last published by [`Self::update_limit`].
    pub(crate) fn published_position(&self) -> i64 {
        self.params.publisher_position.get_relaxed()
    }

    /// Timer: one step of the state machine.
    pub(crate) fn on_timer(&mut self, now: Nanos, effects: &mut Vec<IpcEffect>) {
        match self.state {
            IpcState::Active if self.params.log.is_publication_revoked() => {
                self.end_stream();
                self.params.log.set_connected(false);
                self.enter_linger(effects);
                effects.push(IpcEffect::CountRevoked);
            }
            IpcState::Active => self.on_timer_active(now, effects),
            IpcState::Draining => {
                let producer = self.producer_position();
                self.publish_position(producer);
                self.track_consumers(producer);
                if self.subscribers.is_drained(producer) {
                    self.enter_linger(effects);
                } else if producer > self.consumer_position
                    && self.params.log.unblock_abandoned(self.consumer_position)
                {
                    // Departs from Aeron, which looks even if the fastest has all of it: where what
                    // follows is the last slot of a term, it was padded, behind the end.
                    effects.push(IpcEffect::CountUnblocked);
                }
            }
            IpcState::Linger if self.ref_count == 0 => {
                effects.push(IpcEffect::FreeCounters(self.subscribers.clear()));
                self.state = IpcState::Done;
            }
            IpcState::Linger | IpcState::Done => {}
        }
    }

    /// Whether a matching subscription may be linked.
    pub(crate) fn is_accepting_subscriptions(&self) -> bool {
        let is_live = match self.state {
            IpcState::Active => true,
            IpcState::Draining => !self.subscribers.is_drained(self.producer_position()),
            IpcState::Linger | IpcState::Done => false,
        };
        self.cool_down_expiry.is_none() && is_live
    }

    /// Where a new subscriber joins.
    pub(crate) fn join_position(&self) -> Position {
        let consumer = self.consumer_position;
        self.subscribers.min_max().map_or(consumer, |(min, max)| {
            min.min(consumer.max(max.min(self.producer_position())))
        })
    }

    /// Its subscribers.
    pub(crate) const fn subscribers(&self) -> &SubscriberPositions {
        &self.subscribers
    }

    /// What it was made of.
    pub(crate) const fn params(&self) -> &IpcPublicationParams {
        &self.params
    }

    /// What it was made of, to be freed.
    pub(crate) fn into_params(self) -> IpcPublicationParams {
        self.params
    }

    /// Where it is in its life.
    pub(crate) const fn state(&self) -> IpcState {
        self.state
    }

    fn on_timer_active(&mut self, now: Nanos, effects: &mut Vec<IpcEffect>) {
        let producer = self.producer_position();
        self.publish_position(producer);
        self.track_consumers(producer);
        self.check_untethered(now, effects);
        self.params
            .log
            .set_connected(self.subscribers.has_working());
        if !self.params.is_exclusive {
            self.check_blocked(now, producer, effects);
        }
        if self
            .cool_down_expiry
            .is_some_and(|expiry| now.is_at_or_after(expiry))
        {
            self.cool_down_expiry = None;
            effects.push(IpcEffect::Relink);
        }
    }

    fn check_untethered(&mut self, now: Nanos, effects: &mut Vec<IpcEffect>) {
        let window = i64::from(self.params.window);
        let consumer = self.consumer_position;
        let limit = consumer - window + window / 4;
        let join = |min: Option<Position>| min.map_or(consumer, |min| min.min(consumer));
        let mut events = Vec::new();
        self.subscribers
            .check_untethered(now, limit, join, consumer, &mut events);
        effects.extend(events.into_iter().map(IpcEffect::Untethered));
    }

    /// Unblocks a log in which nothing has been consumed for long although something was claimed.
    fn check_blocked(&mut self, now: Nanos, producer: Position, effects: &mut Vec<IpcEffect>) {
        let consumer = self.consumer_position;
        if consumer != self.last_consumer_position || !self.is_possibly_blocked(producer) {
            self.last_consumer_position = consumer;
            self.time_of_last_consumer_change = now;
            return;
        }
        let timeout = self.params.unblock_timeout_ns;
        if now.is_expired(self.time_of_last_consumer_change, timeout)
            && self.params.log.unblock(consumer)
        {
            effects.push(IpcEffect::CountUnblocked);
        }
    }

    fn is_possibly_blocked(&self, producer: Position) -> bool {
        let log = &self.params.log;
        let expected = log.geometry().term_count_at(self.consumer_position);
        producer > self.consumer_position || log.active_term_count() != expected
    }

    fn enter_linger(&mut self, effects: &mut Vec<IpcEffect>) {
        self.state = IpcState::Linger;
        effects.push(IpcEffect::ReleaseSession);
        effects.push(IpcEffect::UnavailableToAll);
    }

    /// Stops publishers and tells subscribers where the stream ends.
    fn end_stream(&self) {
        let producer = self.producer_position();
        self.params.publisher_limit.set(producer.get());
        self.params.log.set_end_of_stream_position(producer);
    }

    /// Raises the consumer position to the fastest subscriber, who cannot be ahead of `producer`.
    fn track_consumers(&mut self, producer: Position) {
        if let Some(fastest) = self.subscribers.max() {
            self.raise_consumer_position(fastest.min(producer));
        }
    }

    fn raise_consumer_position(&mut self, position: Position) {
        self.consumer_position = self.consumer_position.max(position);
    }

    fn clean_to(&mut self, position: Position) {
        if position > self.clean_position {
            self.clean_position = self.params.log.clean(self.clean_position, position);
        }
    }

    fn publish_position(&self, producer: Position) {
        self.params.publisher_position.set(producer.get());
    }

    fn producer_position(&self) -> Position {
        self.params.log.producer_position()
    }
}

#[cfg(test)]
mod tests;
