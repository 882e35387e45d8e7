//! Limits, looks and joins, over a log on the heap.

use super::*;
use crate::base::TermId;
use crate::logbuffer::{AppendError, LogKind, LogSpec, log_length, reader};
use crate::memory::AtomicBuffer;

const TERM_LENGTH: i32 = 4 * 1024 * 1024;
const WINDOW: i32 = TERM_LENGTH / 2;
const FRAME: i64 = 64;

/// A publication with one subscriber, over a log on the heap.
struct Rig {
    publication: IpcPublication,
    log: LogBuffer,
    subscriber: AtomicCounter,
    now: i64,
}

impl Rig {
    fn new() -> Self {
        let spec = LogSpec {
            kind: LogKind::Concurrent,
            initial_term_id: TermId(7),
            term_length: TERM_LENGTH,
            ..LogSpec::default()
        };
        let length = usize::try_from(log_length(TERM_LENGTH, spec.page_size)).expect("fits");
        let log = LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("legal");
        let params = IpcPublicationParams {
            registration_id: RegistrationId(1),
            session_id: log.session_id(),
            stream_id: log.stream_id(),
            is_exclusive: false,
            log: log.clone(),
            path: String::new(),
            start: Position(0),
            publisher_position: AtomicCounter::detached(0),
            publisher_limit: AtomicCounter::detached(0),
            window: WINDOW,
            untethered: UntetheredTimeouts {
                window_limit_ns: 1_000_000,
                linger_ns: 1_000_000,
                resting_ns: 1_000_000,
            },
            unblock_timeout_ns: 1_000_000,
            cool_down_ns: 1_000_000,
        };
        let mut rig = Self {
            publication: IpcPublication::new(params, Nanos(0)),
            log,
            subscriber: AtomicCounter::detached(0),
            now: 0,
        };
        rig.publication.add_reference();
        let position = SubscriberPosition {
            link: LinkId(1),
            subscription: RegistrationId(2),
            counter: rig.subscriber.clone(),
            tether: true,
            rejoin: false,
        };
        rig.publication.add_subscriber(position, Nanos(0));
        assert!(rig.log.is_connected());
        assert_eq!(rig.limit(), Position(i64::from(WINDOW)), "before a cycle");
        rig.cycle(1);
        rig
    }

    /// A duty cycle, `ns` after the last one.
    fn cycle(&mut self, ns: i64) -> bool {
        self.now += ns;
        self.publication.update_limit(Nanos(self.now))
    }

    fn limit(&self) -> Position {
        Position(self.publication.params.publisher_limit.get())
    }

    /// Appends until refused, or `count` times.
    fn publish(&self, count: usize) -> usize {
        let mut published = 0;
        while published < count {
            match self.log.offer(self.limit(), &[7; 32]) {
                Ok(_) => published += 1,
                Err(AppendError::AdminAction) => {}
                Err(AppendError::BackPressured) => break,
                Err(error) => panic!("{error}"),
            }
        }
        published
    }

    /// Consumes up to `count` messages.
    fn consume(&self, count: usize) -> usize {
        let position = Position(self.subscriber.get());
        let polled = reader::poll(&self.log, position, count, |_, _| {});
        assert_eq!(polled.corruption, None);
        self.subscriber.set(polled.position.get());
        polled.fragments
    }
}

#[test]
fn limit_is_a_window_ahead_and_follows_in_steps() {
    let mut rig = Rig::new();
    assert_eq!(rig.limit(), Position(i64::from(WINDOW)));
    let step = usize::try_from(LIMIT_STEP_MAX / FRAME).expect("fits");
    assert_eq!(rig.publish(2 * step), 2 * step);
    assert_eq!(rig.consume(step - 1), step - 1);
    assert!(!rig.cycle(LOOK_INTERVAL_MAX_NS), "not worth it yet");
    assert_eq!(rig.limit(), Position(i64::from(WINDOW)));
    assert_eq!(rig.consume(1), 1);
    assert!(rig.cycle(LOOK_INTERVAL_MAX_NS));
    assert_eq!(rig.limit(), Position(i64::from(WINDOW) + LIMIT_STEP_MAX));
}

#[test]
fn tail_is_looked_at_often_enough_and_no_more() {
    let mut rig = Rig::new();
    rig.cycle(1);
    rig.publish(1);
    // Nothing was published at the last look, so the limit cannot move for a while.
    rig.cycle(1);
    assert_eq!(rig.publication.published_position(), 0);
    rig.cycle(LOOK_INTERVAL_MAX_NS - 1);
    assert_eq!(rig.publication.published_position(), FRAME);
    rig.publish(1);
    rig.cycle(0);
    let published = rig.publication.published_position();
    assert_eq!(published, 2 * FRAME, "time stands still");
    // At the limit each cycle looks.
    let count = usize::MAX;
    rig.publish(count);
    rig.cycle(LOOK_INTERVAL_MAX_NS);
    rig.consume(count);
    assert!(rig.cycle(1));
}

#[test]
fn subscriber_joins_where_the_fastest_one_is_though_no_cycle_has_looked() {
    let mut rig = Rig::new();
    rig.publish(5);
    rig.cycle(LOOK_INTERVAL_MAX_NS);
    rig.consume(3);
    assert_eq!(rig.publication.join_position(), Position(3 * FRAME));
    // What a client claims beyond the end of the stream does not count.
    rig.subscriber.set(1 << 40);
    assert_eq!(rig.publication.join_position(), Position(5 * FRAME));
}

#[test]
fn publishers_always_find_clean_memory() {
    let mut rig = Rig::new();
    let mut rng = crate::base::Rng::new(11);
    let mut rest = 20 * usize::try_from(i64::from(TERM_LENGTH) / FRAME).expect("fits");
    while rest > 0 {
        let random = usize::try_from(rng.next_u64() % 40_000).expect("fits");
        let published = rig.publish(random.min(rest));
        rest -= published;
        rig.cycle(i64::try_from(random % 2_000).expect("fits"));
        rig.consume(usize::try_from(rng.next_u64() % 40_000).expect("fits"));
        rig.cycle(1);
        // A reader at the end of the stream finds nothing there.
        let end = rig.log.producer_position();
        let polled = reader::poll(&rig.log, end, 1, |_, _| {
            panic!("nothing was published here")
        });
        assert_eq!((polled.position, polled.corruption), (end, None));
    }
}

#[test]
fn limit_is_withdrawn_when_nobody_consumes() {
    let mut rig = Rig::new();
    rig.publish(4);
    rig.consume(2);
    rig.publication.remove_subscriber(LinkId(1));
    assert!(rig.cycle(LOOK_INTERVAL_MAX_NS));
    assert_eq!(rig.limit(), Position(2 * FRAME));
    assert!(!rig.cycle(LOOK_INTERVAL_MAX_NS));
}

#[test]
fn a_stream_that_ends_in_front_of_the_last_slot_of_a_term_is_not_padded_behind_its_end() {
    let mut rig = Rig::new();
    let term = i64::from(rig.log.geometry().term_length());
    let end = term - 32;
    let mut effects = Vec::new();
    while rig.log.producer_position().get() < end - FRAME {
        rig.publish(1);
        rig.consume(1);
        rig.cycle(LOOK_INTERVAL_MAX_NS);
    }
    let rest = usize::try_from(end - rig.log.producer_position().get() - 32).expect("fits");
    rig.log.offer(rig.limit(), &vec![7; rest]).expect("room");
    assert_eq!(rig.log.producer_position(), Position(end));
    // One has all of it, the other does not.
    let fast = SubscriberPosition {
        link: LinkId(2),
        subscription: RegistrationId(3),
        counter: AtomicCounter::detached(end),
        tether: true,
        rejoin: false,
    };
    rig.publication.add_subscriber(fast, Nanos(rig.now));
    rig.publication.remove_reference();
    for _ in 0..3 {
        rig.now += 10_000_000;
        rig.publication.on_timer(Nanos(rig.now), &mut effects);
    }
    assert!(effects.is_empty(), "{effects:?}");
    while rig.consume(1) > 0 {}
    assert_eq!(rig.subscriber.get(), end);
}
