//! Publishers killed at each of their stores.

use crate::base::{Position, TermId, TermOffset};
use crate::logbuffer::{LogBuffer, LogSpec, frame};

use super::{NO_LIMIT, TERM_LENGTH, frames, log, read_all, spec};

/// How far the killed publisher got.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Killed {
    Reserved,
    LengthStored,
    HeaderStored,
    PayloadStored,
}

const ALL: [Killed; 4] = [
    Killed::Reserved,
    Killed::LengthStored,
    Killed::HeaderStored,
    Killed::PayloadStored,
];

/// Reserves a frame of 96 payload bytes as a publisher does that then dies.
fn die(log: &LogBuffer, killed: Killed) {
    let tail = log.metadata().fetch_add_tail(active(log), 128);
    let (term, offset) = (log.term(active(log)), tail.offset(TERM_LENGTH));
    match killed {
        Killed::Reserved => {}
        Killed::LengthStored => term.store_i32_release(frame::size(offset), -128),
        Killed::HeaderStored | Killed::PayloadStored => {
            let ids = log.frame_ids(tail.term_id);
            let payload = frame::begin(term, offset, 128, ids, 0xC0, 1).payload;
            if killed == Killed::PayloadStored {
                payload.fill(7);
            }
        }
    }
}

fn active(log: &LogBuffer) -> usize {
    log.geometry()
        .index_at(Position(i64::from(log.active_term_count()) << 16))
}

#[test]
fn a_dead_claim_followed_by_data_is_padded_over() {
    for killed in ALL {
        let log = log(&spec());
        log.offer(NO_LIMIT, b"before").expect("room");
        die(&log, killed);
        log.offer(NO_LIMIT, b"after").expect("room");
        assert_eq!(read_all(&log, Position(0)).1, Position(64), "{killed:?}");
        assert!(log.unblock(Position(64)));
        let (fragments, position) = read_all(&log, Position(0));
        assert_eq!(fragments, [b"before".to_vec(), b"after".to_vec()]);
        assert_eq!(position, Position(64 + 128 + 64));
        assert_eq!(frames(&log, 0)[1], (128, 0xC0, 0, 64));
        assert!(!log.unblock(position), "nothing is blocked any more");
    }
}

#[test]
fn a_dead_claim_with_nothing_behind_it_waits_unless_its_length_is_known() {
    for killed in ALL {
        let log = log(&spec());
        die(&log, killed);
        let knows_length = killed != Killed::Reserved;
        assert_eq!(log.unblock(Position(0)), knows_length, "{killed:?}");
        assert_eq!(frames(&log, 0).len(), usize::from(knows_length));
    }
}

#[test]
fn a_dead_claim_at_the_end_of_an_abandoned_log_is_padded_over() {
    for killed in ALL {
        let log = log(&spec());
        log.offer(NO_LIMIT, b"before").expect("room");
        die(&log, killed);
        assert!(!log.unblock_abandoned(Position(0)), "data is not touched");
        assert!(log.unblock_abandoned(Position(64)), "{killed:?}");
        assert_eq!(read_all(&log, Position(0)).1, Position(64 + 128));
        assert!(!log.unblock_abandoned(Position(64 + 128)), "{killed:?}");
        assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(Position(64 + 128 + 64)));
    }
}

#[test]
fn two_dead_claims_in_a_row_take_two_calls_or_one() {
    for (first, second) in ALL.into_iter().flat_map(|a| ALL.map(|b| (a, b))) {
        let log = log(&spec());
        die(&log, first);
        die(&log, second);
        log.offer(NO_LIMIT, b"after").expect("room");
        let mut calls = 0;
        let mut position = Position(0);
        while position < log.producer_position() {
            assert!(log.unblock(position), "{first:?} {second:?}");
            calls += 1;
            position = read_all(&log, position).1;
        }
        let merged = second == Killed::Reserved && first == Killed::Reserved;
        assert_eq!(calls, if merged { 1 } else { 2 }, "{first:?} {second:?}");
    }
}

#[test]
fn a_publisher_dead_between_fragments_is_padded_over() {
    let log = log(&spec());
    let ids = log.frame_ids(TermId(5));
    log.metadata().fetch_add_tail(0, 3104);
    frame::begin(log.term(0), 0, 1408, ids, 0x80, 1)
        .payload
        .fill(1);
    frame::commit(log.term(0), 0, 1408);
    log.offer(NO_LIMIT, b"after").expect("room");
    assert!(log.unblock(Position(1408)));
    assert_eq!(frames(&log, 0)[1], (1696, 0xC0, 0, 1408));
    assert_eq!(read_all(&log, Position(0)).1, Position(3104 + 64));
}

/// A log whose active term has `room` bytes left.
fn nearly_full(room: i32) -> (LogBuffer, Position) {
    let log = log(&LogSpec {
        start: Some((TermId(6), TermOffset(TERM_LENGTH - room))),
        ..spec()
    });
    let position = log.producer_position();
    (log, position)
}

#[test]
fn a_dead_claim_that_fills_the_term_is_padded_and_the_log_rotated() {
    for killed in ALL {
        let (log, position) = nearly_full(128);
        die(&log, killed);
        assert!(log.unblock(position), "{killed:?}");
        assert_eq!(read_all(&log, position), (vec![], Position(2 * 65536)));
        if killed != Killed::Reserved {
            // The length was known, so that the term's end was not noticed: rotation is next.
            assert_eq!(log.active_term_count(), 1);
            assert!(log.unblock(Position(2 * 65536)));
        }
        assert_eq!(log.active_term_count(), 2);
        assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(Position(2 * 65536 + 64)));
    }
}

#[test]
fn a_stream_that_is_used_up_is_not_rotated() {
    let last = TermId(spec().initial_term_id.get().wrapping_add(i32::MAX));
    let log = log(&LogSpec {
        start: Some((last, TermOffset(TERM_LENGTH - 64))),
        ..spec()
    });
    let end = log.geometry().max_possible_position();
    assert_eq!(log.offer(NO_LIMIT, &[0; 32]), Ok(end));
    assert!(!log.unblock(end));
    assert_eq!(log.producer_position(), end);
}

#[test]
fn a_publisher_that_died_at_the_end_of_the_last_term() {
    let last = TermId(spec().initial_term_id.get().wrapping_add(i32::MAX));
    let log = log(&LogSpec {
        start: Some((last, TermOffset(TERM_LENGTH - 64))),
        ..spec()
    });
    let end = log.geometry().max_possible_position();
    die(&log, Killed::Reserved);
    assert!(log.unblock(Position(end.get() - 64)));
    assert_eq!(log.producer_position(), end);
    assert!(!log.unblock(end));
}

#[test]
fn a_publisher_that_tripped_and_died_before_padding() {
    let (log, position) = nearly_full(64);
    die(&log, Killed::Reserved);
    assert_eq!(log.producer_position(), Position(2 * 65536));
    assert!(log.unblock(position));
    assert_eq!(log.active_term_count(), 2);
    assert_eq!(read_all(&log, position).1, Position(2 * 65536));
}

#[test]
fn a_publisher_that_padded_and_died_before_rotating() {
    let (log, position) = nearly_full(64);
    let tail = log.metadata().fetch_add_tail(1, 128);
    frame::pad(
        log.term(1),
        tail.offset(TERM_LENGTH),
        64,
        log.frame_ids(tail.term_id),
    );
    let blocked = read_all(&log, position).1;
    assert_eq!(blocked, Position(2 * 65536));
    assert!(log.unblock(blocked));
    assert_eq!(log.active_term_count(), 2);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(blocked + 64));
}

#[test]
fn a_publisher_that_died_half_way_through_the_rotation() {
    let (log, _) = nearly_full(64);
    log.metadata().fetch_add_tail(1, 128);
    log.metadata().set_tail(2, TermId(7), 0);
    assert!(log.unblock(Position(2 * 65536)));
    assert_eq!(log.active_term_count(), 2);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(Position(2 * 65536 + 64)));
}

#[test]
fn what_is_not_blocked_is_left_alone() {
    let log = log(&spec());
    assert!(!log.unblock(Position(0)), "an empty log");
    log.offer(NO_LIMIT, b"x").expect("room");
    assert!(!log.unblock(Position(0)), "a committed frame");
    assert!(!log.unblock(Position(64)), "the end of the data");
    for position in [-32, 7, 3 << 16, i64::MAX] {
        assert!(!log.unblock(Position(position)), "no place in this log");
    }
    assert_eq!(frames(&log, 0).len(), 1);
}

#[test]
fn a_claim_committed_after_it_was_unblocked_changes_nothing_around_it() {
    let log = log(&spec());
    let mut claim = log.claim(NO_LIMIT, 96).expect("room");
    log.offer(NO_LIMIT, b"after").expect("room");
    assert!(log.unblock(Position(0)));
    claim.bytes_mut().fill(1);
    claim.commit();
    let (fragments, position) = read_all(&log, Position(0));
    assert_eq!(
        (fragments, position),
        (vec![b"after".to_vec()], Position(128 + 64))
    );
}
