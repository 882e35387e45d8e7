//! When what is asked for, and how much of it.

use super::*;
use crate::base::{Rng, TermId};
use crate::logbuffer::{LogKind, LogSpec, log_length};
use crate::memory::AtomicBuffer;

const TERM_LENGTH: i32 = 1024 * 1024;
const FRAME: i64 = 1024;
const MICRO: i64 = 1_000;

/// A receiver that is told of frames of 1 KiB by their number.
struct Rig {
    recovery: LossRecovery,
    log: LogBuffer,
    now: i64,
}

impl Rig {
    fn new(delay: NakDelay) -> Self {
        let spec = LogSpec {
            kind: LogKind::Image,
            initial_term_id: TermId(3),
            term_length: TERM_LENGTH,
            ..LogSpec::default()
        };
        let length = usize::try_from(log_length(TERM_LENGTH, spec.page_size)).expect("fits");
        let log = LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("legal");
        let params = RecoveryParams {
            delay,
            geometry: log.geometry(),
            start: Position(0),
            window_length_max: TERM_LENGTH / 2,
            mtu_length: 1408,
        };
        Self {
            recovery: LossRecovery::new(params, Nanos(0)),
            log,
            now: 0,
        }
    }

    fn unicast() -> Self {
        Self::new(NakDelay::unicast(MICRO, 100))
    }

    /// Whose round trip is known, and steady.
    fn of_round_trip(rtt_ns: i64) -> Self {
        let mut rig = Self::unicast();
        for _ in 0..100 {
            rig.recovery.on_round_trip(rtt_ns, Nanos(0));
        }
        rig
    }

    fn arrive(&mut self, frame: i64) {
        let (begin, end) = (Position(frame * FRAME), Position((frame + 1) * FRAME));
        self.recovery.on_data(begin, end, true, Nanos(self.now));
    }

    /// Begins and lengths of what is asked for, in frames, and in how many copies.
    fn poll(&mut self) -> Vec<(i64, i64, u32)> {
        let asks = self.recovery.poll(Position(0), &self.log, Nanos(self.now));
        let asks = asks.iter().flat_map(|asks| asks.all().to_vec());
        asks.map(|ask| {
            let frames = i64::from(ask.length) / FRAME;
            (ask.begin.get() / FRAME, frames, ask.copies)
        })
        .collect()
    }

    /// Polls every `step_ns` up to `until_ns`; what was asked for when.
    fn polls(&mut self, until_ns: i64, step_ns: i64) -> Vec<(i64, i64)> {
        let mut all = Vec::new();
        while self.now < until_ns {
            self.now += step_ns;
            let now = self.now;
            all.extend(self.poll().into_iter().map(|(begin, _, _)| (now, begin)));
        }
        all
    }
}

#[test]
fn all_gaps_are_asked_for_once_their_delay_is_over() {
    let mut rig = Rig::unicast();
    for frame in [0, 2, 3, 7, 9] {
        rig.arrive(frame);
    }
    assert_eq!(rig.poll(), []);
    rig.now = MICRO;
    assert_eq!(rig.poll(), [(1, 1, 1), (4, 3, 1), (8, 1, 1)]);
    assert_eq!(rig.poll(), []);
    assert_eq!(
        rig.recovery.tally(),
        LossTally {
            gaps: 3,
            bytes: 5 * FRAME
        }
    );
}

#[test]
fn data_in_order_asks_for_nothing() {
    let mut rig = Rig::unicast();
    for frame in 0..1000 {
        rig.now += MICRO;
        rig.arrive(frame);
        assert_eq!(rig.poll(), []);
    }
    let position = Position(1000 * FRAME);
    rig.recovery.on_sender_position(position, Nanos(rig.now));
    assert_eq!(rig.polls(rig.now + SECOND, MILLI), []);
}

#[test]
fn while_the_round_trip_is_unknown_only_the_first_gap_is_asked_for_again() {
    let mut rig = Rig::unicast();
    for frame in [0, 2, 4] {
        rig.arrive(frame);
    }
    let asked = rig.polls(900 * MICRO, MICRO);
    let expected = [(1, 1), (1, 3), (101, 1), (301, 1), (701, 1)];
    assert_eq!(asked, expected.map(|(at, gap)| (at * MICRO, gap)));
}

#[test]
fn a_gap_is_asked_for_again_when_an_answer_would_have_come() {
    let mut rig = Rig::of_round_trip(40 * MILLI);
    rig.arrive(1);
    rig.now = MICRO;
    assert_eq!(rig.poll(), [(0, 1, 2)], "twice in a row on a long path");
    let asked = rig.polls(200 * MILLI, 100 * MICRO);
    let waits = asked.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let waits = waits.collect::<Vec<_>>();
    assert!(waits.len() >= 3, "{asked:?}");
    assert!(
        waits
            .iter()
            .all(|wait| (40 * MILLI..=44 * MILLI).contains(wait)),
        "{asked:?}"
    );
}

#[test]
fn an_answer_to_a_later_request_tells_that_earlier_ones_are_lost() {
    let mut rig = Rig::of_round_trip(40 * MILLI);
    for frame in [0, 2, 3] {
        rig.arrive(frame);
    }
    rig.now = MICRO;
    assert_eq!(rig.poll(), [(1, 1, 2)]);
    rig.now = 5 * MILLI;
    rig.arrive(5);
    rig.now += MICRO;
    assert_eq!(rig.poll(), [(4, 1, 2)]);
    // The second is answered after a round trip, the first never.
    rig.now = 45 * MILLI + MICRO;
    rig.arrive(4);
    rig.now += MILLI;
    assert_eq!(rig.poll(), [(1, 1, 2)]);
}

#[test]
fn on_the_longest_paths_the_first_gap_and_later_rounds_are_repeated() {
    let mut rig = Rig::of_round_trip(240 * MILLI);
    for frame in [0, 2, 4, 6, 8, 10, 12, 14, 16, 18] {
        rig.arrive(frame);
    }
    let asked = rig.polls(240 * MILLI, MILLI);
    let of = |gap: i64| asked.iter().filter(|ask| ask.1 == gap).count();
    assert_eq!(of(1), 3, "{asked:?}");
    assert_eq!(of(3), 1, "{asked:?}");
    let later = rig.polls(480 * MILLI, MILLI);
    let of = |gap: i64| later.iter().filter(|ask| ask.1 == gap).count();
    assert_eq!(of(3), 2, "{later:?}");
}

#[test]
fn members_of_a_group_ask_each_gap_at_a_time_of_its_own() {
    let mut rig = Rig::new(NakDelay::group(10 * MILLI, 10, Rng::new(5)));
    for _ in 0..100 {
        rig.recovery.on_round_trip(MILLI, Nanos(0));
    }
    for frame in 0..8 {
        rig.arrive(2 * frame + 1);
    }
    let asked = rig.polls(10 * MILLI, 10 * MICRO);
    let mut times = Vec::new();
    for gap in 0..8 {
        let first = asked.iter().find(|ask| ask.1 == 2 * gap);
        times.push(first.expect("asked for within the back-off").0);
    }
    assert!(times.windows(2).any(|pair| pair[0] > pair[1]), "{times:?}");
    let timeout = 200 * MILLI;
    let interval = rig.recovery.status_interval_ns(timeout, Nanos(rig.now));
    assert_eq!(interval, timeout, "a group does not say more than it must");
}

#[test]
fn what_the_stream_has_left_behind_is_not_asked_for() {
    let mut rig = Rig::of_round_trip(40 * MILLI);
    for frame in [1, 3] {
        rig.arrive(frame);
    }
    rig.now = MICRO;
    let floor = Position(2 * FRAME);
    let asks = rig.recovery.poll(floor, &rig.log, Nanos(rig.now));
    let asks = asks.expect("one of them").all().to_vec();
    assert_eq!(asks.len(), 1);
    assert_eq!(asks[0].begin, floor);
}

#[test]
fn status_messages_come_more_often_while_things_get_lost() {
    let mut rig = Rig::of_round_trip(100 * MILLI);
    let timeout = 200 * MILLI;
    let interval = |rig: &Rig| rig.recovery.status_interval_ns(timeout, Nanos(rig.now));
    assert_eq!(interval(&rig), timeout);
    rig.arrive(1);
    rig.now = MICRO;
    assert_eq!(rig.poll().len(), 1);
    assert_eq!(interval(&rig), 25 * MILLI);
    rig.now += 2 * SECOND;
    assert_eq!(interval(&rig), timeout);
}

#[test]
fn the_round_trip_is_asked_for_until_it_is_known_and_seldom_after() {
    let mut rig = Rig::unicast();
    let mut measured_at = Vec::new();
    for now in 0..100 {
        if rig.recovery.should_measure(Nanos(now * MILLI)) {
            measured_at.push(now);
        }
    }
    assert_eq!(measured_at, [0, 10, 30, 70]);
    rig.recovery.on_round_trip(MILLI, Nanos(100 * MILLI));
    assert!(!rig.recovery.should_measure(Nanos(1_099 * MILLI)));
    assert!(rig.recovery.should_measure(Nanos(1_100 * MILLI)));
}

/// A stream over a path on which requests and answers get lost, and what asking costs.
#[test]
fn all_is_repaired_and_little_is_asked_for_twice() {
    // The last but one with a sender that lingers as Aeron's do, the last with one of aileron's.
    for (seed, rtt_ns, loss, linger_ns) in [
        (1, 250 * MILLI, 10, 10 * MILLI),
        (2, 20 * MILLI, 30, 10 * MILLI),
        (3, MILLI, 30, 10 * MILLI),
        (4, MILLI, 30, MILLI),
    ] {
        let mut rng = Rng::new(seed);
        let mut rig = Rig::of_round_trip(rtt_ns);
        let mut answers = std::collections::BTreeMap::<i64, Vec<i64>>::new();
        let (mut lost, mut asked, mut answered_at) = (0, 0, [0_i64; 400]);
        for frame in 0..400 {
            if frame == 399 || !rng.chance(loss, 100) {
                rig.arrive(frame);
            } else {
                lost += 1;
            }
        }
        let mut dropped = lost;
        let step_ns = rtt_ns / 500;
        while !rig.recovery.gaps.is_empty() {
            rig.now += step_ns;
            assert!(rig.now < 200 * rtt_ns, "not repaired in 200 round trips");
            while let Some(due) = answers.first_entry().filter(|due| *due.key() <= rig.now) {
                for frame in due.remove() {
                    rig.arrive(frame);
                }
            }
            for (begin, frames, copies) in rig.poll() {
                for frame in begin..begin + frames {
                    let is_heard = (0..copies).any(|_| !rng.chance(loss, 100));
                    let slot = &mut answered_at[usize::try_from(frame).expect("small")];
                    // As a sender lingers.
                    if !is_heard || (*slot > 0 && rig.now - *slot <= linger_ns) {
                        continue;
                    }
                    *slot = rig.now;
                    asked += 1;
                    if rng.chance(loss, 100) {
                        dropped += 1;
                    } else {
                        answers.entry(rig.now + rtt_ns).or_default().push(frame);
                    }
                }
            }
        }
        assert!(
            2 * asked <= 3 * dropped,
            "{asked} sent again for {dropped} lost, seed {seed}"
        );
    }
}
