//! The subscribers of a stream at the driver: where each one stands, and what becomes of untethered
//! ones that fall behind (`driver.md` §14.1).
//!
//! An IPC publication, the conductor half of a network publication (its spies) and the conductor
//! half of an image each own one [`SubscriberPositions`]. It holds, per link of a subscription, the
//! `sub-pos` counter that the *client* writes, and a state:
//!
//! ```text
//!             behind for window limit          for linger timeout
//!   ACTIVE ───────────────────────────▶ LINGER ──────────────────▶ RESTING (rejoin) or CLOSED
//!     ▲            unavailable image                                  │
//!     └───────────────────────────────────────────────────────────────┘
//!                  available image, after the resting timeout
//! ```
//!
//! ACTIVE and LINGER positions are *working*: they take part in flow control. A lingering one still
//! does, so that its reader has time to stop before the buffer under it is overwritten. RESTING and
//! CLOSED ones only remember that the link belongs here, so that it is not linked a second time.
//! Tethered subscribers stay ACTIVE.
//!
//! Positions come from shared memory and are not trusted: what leaves this module is rounded down
//! to the begin of a frame slot and not negative. Whoever uses one as an offset still has to bound
//! it by what has been published.

use crate::base::{CounterId, Nanos, Position, RegistrationId};
use crate::concurrent::AtomicCounter;
pub(crate) use crate::driver::params::UntetheredTimeouts;
use crate::protocol::data::FRAME_ALIGNMENT;

/// Names one link of a subscription to streams. A multi-destination subscription has several under
/// one registration id, so that id alone does not name a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LinkId(pub(crate) u64);

/// One link's position in one stream, as given to [`SubscriberPositions::add`].
#[derive(Clone, Debug)]
pub(crate) struct SubscriberPosition {
    /// The link.
    pub(crate) link: LinkId,
    /// Its subscription.
    pub(crate) subscription: RegistrationId,
    /// Its `sub-pos` counter, already set to the join position.
    pub(crate) counter: AtomicCounter,
    /// Whether it holds back flow control however far it falls behind.
    pub(crate) tether: bool,
    /// Whether it comes back after having fallen behind.
    pub(crate) rejoin: bool,
}

/// What a check of the untethered subscribers asks of the conductor.
#[derive(Clone, Debug)]
pub(crate) enum UntetheredEvent {
    /// Tell the client that the image is unavailable to this link.
    Unavailable {
        /// The link.
        link: LinkId,
        /// Its subscription.
        subscription: RegistrationId,
    },
    /// Tell the client that the image is available again; the counter holds the join position.
    Available {
        /// Its subscription.
        subscription: RegistrationId,
        /// Its `sub-pos` counter, the same as before.
        counter: CounterId,
    },
    /// The link will not come back: free its counter. The link stays associated with the stream.
    Closed {
        /// The counter to free.
        counter: CounterId,
    },
}

/// Where a link is in the life above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Linger,
    Resting,
    Closed,
}

impl State {
    const fn is_working(self) -> bool {
        matches!(self, Self::Active | Self::Linger)
    }
}

#[derive(Debug)]
struct Entry {
    position: SubscriberPosition,
    state: State,
    /// When an active entry was last seen ahead of the limit, otherwise when its state began.
    time_of_last_update: Nanos,
}

/// All subscribers of one stream.
#[derive(Debug)]
pub(crate) struct SubscriberPositions {
    entries: Vec<Entry>,
    timeouts: UntetheredTimeouts,
}

impl SubscriberPositions {
    /// No subscribers yet.
    pub(crate) const fn new(timeouts: UntetheredTimeouts) -> Self {
        Self {
            entries: Vec::new(),
            timeouts,
        }
    }

    /// Links a subscriber, active from now on.
    pub(crate) fn add(&mut self, position: SubscriberPosition, now: Nanos) {
        debug_assert!(!self.is_linked(position.link));
        self.entries.push(Entry {
            position,
            state: State::Active,
            time_of_last_update: now,
        });
    }

    /// Forgets a link. Returns the counter to free, unless it was freed when the link was closed.
    pub(crate) fn remove(&mut self, link: LinkId) -> Option<CounterId> {
        let index = self
            .entries
            .iter()
            .position(|entry| entry.position.link == link)?;
        counter_to_free(&self.entries.remove(index))
    }

    /// Forgets all links. Returns the counters to free.
    pub(crate) fn clear(&mut self) -> Vec<CounterId> {
        let counters = self.entries.iter().filter_map(counter_to_free).collect();
        self.entries.clear();
        counters
    }

    /// Moves untethered subscribers through their states. `limit` is the position at or below which
    /// one counts as behind. `join` turns the lowest working position, if any, into the position at
    /// which subscribers join. One that has rested joins again there, or where it had got to if
    /// that is further and not beyond `front`, ahead of which nobody is who counts right. What the
    /// conductor has to do is added to `events`.
    ///
    /// Departs from Aeron, where one that comes back behind where it was gets messages twice.
    pub(crate) fn check_untethered(
        &mut self,
        now: Nanos,
        limit: Position,
        join: impl Fn(Option<Position>) -> Position,
        front: Position,
        events: &mut Vec<UntetheredEvent>,
    ) {
        for index in 0..self.entries.len() {
            let joined = match self.entries.get(index) {
                Some(entry) if entry.position.tether => continue,
                Some(entry) if entry.state == State::Resting => {
                    let own = frame_position(entry.position.counter.get());
                    join(self.min()).max(own.min(front))
                }
                Some(_) | None => Position::ZERO,
            };
            let timeouts = self.timeouts;
            if let Some(entry) = self.entries.get_mut(index) {
                events.extend(entry.check(now, limit, joined, &timeouts));
            }
        }
    }

    /// Whether the link belongs to this stream, in whichever state.
    pub(crate) fn is_linked(&self, link: LinkId) -> bool {
        self.entries.iter().any(|entry| entry.position.link == link)
    }

    /// Whether any subscriber takes part in flow control.
    pub(crate) fn has_working(&self) -> bool {
        self.entries.iter().any(|entry| entry.state.is_working())
    }

    /// Whether no link belongs to this stream.
    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Lowest and highest working position.
    pub(crate) fn min_max(&self) -> Option<(Position, Position)> {
        let mut working = self.working();
        let first = working.next()?;
        Some(working.fold((first, first), |(min, max), at| (min.min(at), max.max(at))))
    }

    /// Lowest working position.
    pub(crate) fn min(&self) -> Option<Position> {
        self.working().min()
    }

    /// Highest working position.
    pub(crate) fn max(&self) -> Option<Position> {
        self.working().max()
    }

    /// Whether every active subscriber has consumed everything before `position`. Departs from
    /// Aeron, which waits for lingering ones too: their images are closed, so a stream that ends
    /// while one lingers would wait for ever, as nothing is checked in a stream that ends.
    pub(crate) fn is_drained(&self, position: Position) -> bool {
        self.entries
            .iter()
            .filter(|entry| entry.state == State::Active)
            .all(|entry| frame_position(entry.position.counter.get()) >= position)
    }

    /// All links, in whichever state, in the order in which they were added.
    pub(crate) fn links(&self) -> impl Iterator<Item = (LinkId, RegistrationId)> + '_ {
        self.entries
            .iter()
            .map(|entry| (entry.position.link, entry.position.subscription))
    }

    fn working(&self) -> impl Iterator<Item = Position> + '_ {
        self.entries
            .iter()
            .filter(|entry| entry.state.is_working())
            .map(|entry| frame_position(entry.position.counter.get()))
    }
}

/// The begin of the frame slot that a client's position is in.
fn frame_position(position: i64) -> Position {
    Position(position.max(0) & !(i64::from(FRAME_ALIGNMENT) - 1))
}

impl Entry {
    /// One step of the state machine of an untethered link.
    fn check(
        &mut self,
        now: Nanos,
        limit: Position,
        join: Position,
        timeouts: &UntetheredTimeouts,
    ) -> Option<UntetheredEvent> {
        let (link, subscription) = (self.position.link, self.position.subscription);
        let since = now.since(self.time_of_last_update);
        match self.state {
            State::Active if Position(self.position.counter.get()) > limit => {
                self.time_of_last_update = now;
                None
            }
            State::Active if since >= timeouts.window_limit_ns => {
                self.enter(State::Linger, now);
                Some(UntetheredEvent::Unavailable { link, subscription })
            }
            State::Linger if since >= timeouts.linger_ns => {
                if self.position.rejoin {
                    self.enter(State::Resting, now);
                    return None;
                }
                self.enter(State::Closed, now);
                Some(UntetheredEvent::Closed {
                    counter: self.position.counter.id(),
                })
            }
            State::Resting if since >= timeouts.resting_ns => {
                self.position.counter.set(join.get());
                self.enter(State::Active, now);
                let counter = self.position.counter.id();
                Some(UntetheredEvent::Available {
                    subscription,
                    counter,
                })
            }
            State::Active | State::Linger | State::Resting | State::Closed => None,
        }
    }

    const fn enter(&mut self, state: State, now: Nanos) {
        self.state = state;
        self.time_of_last_update = now;
    }
}

fn counter_to_free(entry: &Entry) -> Option<CounterId> {
    (entry.state != State::Closed).then(|| entry.position.counter.id())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW_LIMIT_NS: i64 = 5_000;
    const RESTING_NS: i64 = 10_000;
    const LINK: LinkId = LinkId(7);
    const SUBSCRIPTION: RegistrationId = RegistrationId(70);

    fn positions() -> SubscriberPositions {
        SubscriberPositions::new(UntetheredTimeouts {
            window_limit_ns: WINDOW_LIMIT_NS,
            linger_ns: WINDOW_LIMIT_NS,
            resting_ns: RESTING_NS,
        })
    }

    fn subscriber(link: LinkId, at: i64, tether: bool, rejoin: bool) -> SubscriberPosition {
        let counter = AtomicCounter::detached(at);
        SubscriberPosition {
            link,
            subscription: SUBSCRIPTION,
            counter,
            tether,
            rejoin,
        }
    }

    fn check(positions: &mut SubscriberPositions, now: i64, limit: i64) -> Vec<UntetheredEvent> {
        let mut events = Vec::new();
        let join = |min: Option<Position>| min.unwrap_or(Position(8_992)).min(Position(8_992));
        let (now, limit, front) = (Nanos(now), Position(limit), Position(8_992));
        positions.check_untethered(now, limit, join, front, &mut events);
        events
    }

    #[test]
    fn tethered_subscriber_is_never_dropped() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 0, true, true), Nanos(0));
        assert!(check(&mut positions, i64::MAX / 2, 4096).is_empty());
        assert!(positions.has_working());
    }

    #[test]
    fn being_ahead_of_the_limit_restarts_the_time() {
        let mut positions = positions();
        let slow = subscriber(LINK, 100, false, true);
        let counter = slow.counter.clone();
        positions.add(slow, Nanos(0));
        assert!(check(&mut positions, WINDOW_LIMIT_NS, 99).is_empty());
        counter.set(100);
        assert!(check(&mut positions, 2 * WINDOW_LIMIT_NS - 1, 100).is_empty());
        assert_eq!(check(&mut positions, 2 * WINDOW_LIMIT_NS, 100).len(), 1);
    }

    #[test]
    fn rejoining_subscriber_goes_through_all_states_and_comes_back() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 64, false, true), Nanos(0));
        let events = check(&mut positions, WINDOW_LIMIT_NS, 100);
        assert!(matches!(
            events[..],
            [UntetheredEvent::Unavailable { link: LINK, .. }]
        ));
        assert_eq!(
            positions.min(),
            Some(Position(64)),
            "a lingering position holds flow control"
        );

        assert!(check(&mut positions, 2 * WINDOW_LIMIT_NS, 100).is_empty());
        assert_eq!(positions.min(), None, "a resting position does not");
        assert!(positions.is_linked(LINK) && !positions.has_working());

        let events = check(&mut positions, 2 * WINDOW_LIMIT_NS + RESTING_NS, 100);
        assert!(matches!(events[..], [UntetheredEvent::Available { .. }]));
        assert_eq!(positions.min(), Some(Position(8_992)));
    }

    #[test]
    fn subscriber_that_does_not_rejoin_is_closed_and_frees_its_counter_once() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 64, false, false), Nanos(0));
        assert_eq!(check(&mut positions, WINDOW_LIMIT_NS, 100).len(), 1);
        let events = check(&mut positions, 2 * WINDOW_LIMIT_NS, 100);
        assert!(matches!(events[..], [UntetheredEvent::Closed { .. }]));
        assert!(positions.is_linked(LINK), "so that it is not linked again");
        assert_eq!(positions.remove(LINK), None);
        assert!(positions.is_empty());
    }

    #[test]
    fn removing_a_resting_link_frees_its_counter() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 64, false, true), Nanos(0));
        check(&mut positions, WINDOW_LIMIT_NS, 100);
        check(&mut positions, 2 * WINDOW_LIMIT_NS, 100);
        assert!(positions.remove(LINK).is_some());
        assert!(positions.remove(LINK).is_none());
    }

    #[test]
    fn positions_that_no_reader_has_are_made_harmless() {
        let mut positions = positions();
        positions.add(subscriber(LINK, -77, true, true), Nanos(0));
        assert_eq!(positions.min_max(), Some((Position(0), Position(0))));
        positions.add(subscriber(LinkId(8), 63, true, true), Nanos(0));
        assert_eq!(positions.max(), Some(Position(32)));
        positions.add(subscriber(LinkId(9), i64::MAX, true, true), Nanos(0));
        assert_eq!(positions.max().map(|at| at.get() % 32), Some(0));
    }

    #[test]
    fn resting_subscriber_joins_at_the_slowest_working_one() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 0, false, true), Nanos(0));
        positions.add(subscriber(LinkId(8), 4_992, true, true), Nanos(0));
        check(&mut positions, WINDOW_LIMIT_NS, 100);
        check(&mut positions, 2 * WINDOW_LIMIT_NS, 100);
        assert_eq!(
            positions.min_max(),
            Some((Position(4_992), Position(4_992)))
        );
        check(&mut positions, 2 * WINDOW_LIMIT_NS + RESTING_NS, 100);
        assert_eq!(
            positions.min_max(),
            Some((Position(4_992), Position(4_992)))
        );
        assert!(positions.is_drained(Position(4_992)) && !positions.is_drained(Position(4_993)));
    }

    #[test]
    fn resting_subscriber_does_not_come_back_behind_where_it_was() {
        for (own, joined) in [(6_400, 6_400), (1 << 40, 8_992), (-32, 4_992)] {
            let mut positions = positions();
            let rested = subscriber(LINK, 0, false, true);
            let counter = rested.counter.clone();
            positions.add(rested, Nanos(0));
            positions.add(subscriber(LinkId(8), 4_992, true, true), Nanos(0));
            check(&mut positions, WINDOW_LIMIT_NS, 100);
            counter.set(own);
            check(&mut positions, 2 * WINDOW_LIMIT_NS, 100);
            check(&mut positions, 2 * WINDOW_LIMIT_NS + RESTING_NS, 100);
            assert_eq!(counter.get(), joined, "from {own}");
        }
    }

    #[test]
    fn a_stream_that_ends_does_not_wait_for_lingering_subscribers() {
        let mut positions = positions();
        positions.add(subscriber(LINK, 64, false, true), Nanos(0));
        assert!(!positions.is_drained(Position(128)));
        check(&mut positions, WINDOW_LIMIT_NS, 100);
        assert_eq!(positions.min(), Some(Position(64)), "it lingers");
        assert!(positions.is_drained(Position(128)));
    }
}
