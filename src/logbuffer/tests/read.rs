//! Polls of every kind.

use crate::base::{Position, SessionId, StreamId, TermId, TermOffset};
use crate::logbuffer::reader::{
    Action, block_poll, bounded_controlled_poll, bounded_poll, controlled_poll, peek, poll,
};
use crate::logbuffer::{ExclusiveAppender, Header, LogBuffer, LogSpec};

use super::{NO_LIMIT, TERM_LENGTH, exclusive, log, spec};

/// Three messages of 64 bytes each in the log, an aborted claim of 128 before the last.
fn three_messages() -> LogBuffer {
    let log = log(&spec());
    log.offer(NO_LIMIT, b"one").expect("room");
    log.offer(NO_LIMIT, b"two").expect("room");
    drop(log.claim(NO_LIMIT, 96).expect("room"));
    log.offer(NO_LIMIT, b"three").expect("room");
    log
}

#[test]
fn a_poll_takes_up_to_its_limit_and_skips_padding() {
    let log = three_messages();
    let mut seen = Vec::new();
    let none = poll(&log, Position(0), 0, |_, _| panic!("limit is 0"));
    assert_eq!((none.position, none.fragments), (Position(0), 0));
    let polled = poll(&log, Position(0), 2, |payload, _| {
        seen.push(payload.to_vec());
    });
    assert_eq!((polled.position, polled.fragments), (Position(128), 2));
    let polled = poll(&log, polled.position, 2, |payload, _| {
        seen.push(payload.to_vec());
    });
    assert_eq!((polled.position, polled.fragments), (Position(320), 1));
    assert_eq!(seen, [&b"one"[..], b"two", b"three"]);
}

#[test]
fn frames_of_another_term_are_not_taken_for_the_next_ones() {
    let log = three_messages();
    // Where a reader stands that slept while the log went round, but for the sign.
    let position = Position(3 * i64::from(TERM_LENGTH));
    let nothing = |_: &[u8], _: &Header<'_>| panic!("of another term");
    let polled = [
        poll(&log, position, 10, nothing),
        block_poll(&log, position, 4096, |_| panic!("of another term")),
        peek(&log, position, NO_LIMIT, |_, _| panic!("of another term")),
    ];
    for polled in polled {
        assert_eq!((polled.position, polled.fragments), (position, 0));
        let corruption = polled.corruption.expect("it is noticed");
        assert_eq!(
            (corruption.position, corruption.frame_length),
            (position, 35)
        );
    }
}

#[test]
fn a_poll_ends_with_the_term() {
    let log = log(&LogSpec {
        start: Some((TermId(6), TermOffset(TERM_LENGTH - 64))),
        ..spec()
    });
    let start = log.producer_position();
    log.offer(NO_LIMIT, b"last").expect("room");
    assert!(log.offer(NO_LIMIT, b"trips").is_err());
    log.offer(NO_LIMIT, b"first").expect("room");
    let polled = poll(&log, start, 10, |payload, header| {
        assert_eq!(payload, b"last");
        assert_eq!(header.position(), Position(2 * 65536));
        assert_eq!(header.next_term_offset(), TermOffset(65536));
    });
    assert_eq!(
        (polled.position, polled.fragments),
        (Position(2 * 65536), 1)
    );
    let polled = poll(&log, polled.position, 10, |payload, header| {
        assert_eq!((payload, header.term_id()), (&b"first"[..], TermId(7)));
    });
    assert_eq!(polled.position, Position(2 * 65536 + 64));
}

#[test]
fn header_fields_are_those_of_the_frame() {
    let log = log(&spec());
    log.offer(NO_LIMIT, b"before").expect("room");
    log.offer_with_reserved_value(NO_LIMIT, b"this", |_| -7)
        .expect("room");
    let polled = poll(&log, Position(64), 1, |_, header| {
        assert_eq!(
            (header.frame_length(), header.version(), header.flags()),
            (36, 0, 0xC0)
        );
        assert_eq!((header.frame_type(), header.reserved_value()), (1, -7));
        assert_eq!(header.term_offset(), TermOffset(64));
        assert_eq!(header.session_id(), SessionId(0x1122_3344));
        assert_eq!(
            (header.stream_id(), header.term_id()),
            (StreamId(1001), TermId(5))
        );
        assert_eq!(header.initial_term_id(), TermId(5));
        assert_eq!(
            (header.position(), header.next_term_offset()),
            (Position(128), TermOffset(128))
        );
        assert_eq!(
            (
                header.position_bits_to_shift(),
                header.fragmented_frame_length()
            ),
            (16, None)
        );
        assert!(header.is_unfragmented() && header.is_begin() && header.is_end());
    });
    assert_eq!(polled.fragments, 1);
}

#[test]
fn an_assembled_header_stands_for_the_whole_message() {
    let log = log(&spec());
    log.offer(NO_LIMIT, &[1; 3000]).expect("room");
    let (mut kept, mut last_flags, mut first_length) = ([0; 32], 0, 0);
    let _ = poll(&log, Position(0), 10, |payload, header| {
        if header.is_begin() {
            kept = *header.as_bytes();
            first_length = i32::try_from(payload.len()).expect("small");
        }
        last_flags = header.flags();
    });
    Header::assemble(&mut kept, 3000, last_flags);
    let header = Header::assembled(&kept, log.geometry(), first_length);
    assert_eq!((header.frame_length(), header.flags()), (3032, 0xC0));
    assert_eq!(header.fragmented_frame_length(), Some(3104));
    assert_eq!(
        (header.position(), header.next_term_offset()),
        (Position(3104), TermOffset(3104))
    );
    assert_eq!(header.term_offset(), TermOffset(0));
}

#[test]
fn a_bounded_poll_delivers_what_starts_before_its_limit() {
    let log = three_messages();
    let none = bounded_poll(&log, Position(64), Position(64), 10, |_, _| {
        panic!("at the limit")
    });
    assert_eq!(none.position, Position(64));
    let polled = bounded_poll(&log, Position(0), Position(65), 10, |_, _| {});
    assert_eq!((polled.position, polled.fragments), (Position(128), 2));
    let polled = bounded_poll(&log, Position(128), Position(256), 10, |_, _| {});
    assert_eq!(
        (polled.position, polled.fragments),
        (Position(256), 0),
        "padding only"
    );
    let polled = bounded_poll(&log, Position(0), Position(1 << 40), 10, |_, _| {});
    assert_eq!((polled.position, polled.fragments), (Position(320), 3));
}

#[test]
fn a_controlled_poll_does_as_it_is_told() {
    let log = three_messages();
    let run = |actions: [Action; 3]| {
        let (mut next, mut commits) = (actions.into_iter(), Vec::new());
        let polled = controlled_poll(
            &log,
            Position(0),
            10,
            |position| commits.push(position.0),
            |_, _| next.next().expect("three fragments"),
        );
        (polled.position.0, polled.fragments, commits)
    };
    use Action::{Abort, Break, Commit, Continue};
    assert_eq!(run([Continue, Continue, Continue]), (320, 3, vec![]));
    assert_eq!(run([Commit, Continue, Commit]), (320, 3, vec![64, 320]));
    assert_eq!(run([Continue, Break, Continue]), (128, 2, vec![]));
    assert_eq!(run([Commit, Abort, Continue]), (64, 1, vec![64]));
    assert_eq!(run([Abort, Continue, Continue]), (0, 0, vec![]));
    // Padding before the aborted fragment stays consumed.
    assert_eq!(run([Continue, Continue, Abort]), (256, 2, vec![]));
}

#[test]
fn a_bounded_controlled_poll_does_both() {
    let log = three_messages();
    let polled = bounded_controlled_poll(
        &log,
        Position(0),
        Position(64),
        10,
        |_| {},
        |_, _| Action::Commit,
    );
    assert_eq!((polled.position, polled.fragments), (Position(64), 1));
    let limited = bounded_controlled_poll(
        &log,
        Position(0),
        NO_LIMIT,
        1,
        |_| {},
        |_, _| Action::Continue,
    );
    assert_eq!((limited.position, limited.fragments), (Position(64), 1));
}

#[test]
fn a_peek_returns_to_the_last_whole_message() {
    let log = log(&spec());
    log.offer(NO_LIMIT, b"whole").expect("room");
    log.offer(NO_LIMIT, &[1; 2000]).expect("room");
    let mut seen = 0;
    let mut look = |limit, action: fn(usize) -> Action| {
        seen = 0;
        let polled = peek(&log, Position(0), limit, |_, _| {
            seen += 1;
            action(seen)
        });
        (polled.position.0, seen)
    };
    assert_eq!(look(NO_LIMIT, |_| Action::Continue), (64 + 1408 + 672, 3));
    assert_eq!(
        look(Position(65), |_| Action::Continue),
        (64, 2),
        "half of the second"
    );
    assert_eq!(
        look(NO_LIMIT, |n| if n == 3 {
            Action::Abort
        } else {
            Action::Commit
        }),
        (64, 3)
    );
    assert_eq!(
        look(NO_LIMIT, |n| if n == 1 {
            Action::Break
        } else {
            Action::Commit
        }),
        (64, 1)
    );
    assert_eq!(look(NO_LIMIT, |_| Action::Abort), (0, 1));
}

#[test]
fn blocks_keep_data_and_padding_apart() {
    let log = three_messages();
    let mut seen = Vec::new();
    let mut position = Position(0);
    loop {
        let polled = block_poll(&log, position, 4096, |block| {
            seen.push((block.file_offset, block.bytes.len()));
            assert_eq!(i64::from(block.term_offset.0), position.0);
            assert_eq!(
                (block.session_id, block.term_id),
                (SessionId(0x1122_3344), TermId(5))
            );
        });
        if polled.fragments == 0 {
            break;
        }
        position = polled.position;
    }
    assert_eq!(seen, [(0, 128), (128, 128), (256, 64)]);
    assert_eq!(position, Position(320));
}

#[test]
fn a_block_holds_whole_frames_within_its_limit() {
    let log = three_messages();
    let length = |position, limit| {
        let mut length = 0;
        let polled = block_poll(&log, Position(position), limit, |block| {
            length = block.bytes.len();
        });
        assert_eq!(
            polled.position,
            Position(position) + i64::try_from(length).expect("small")
        );
        assert_eq!(polled.fragments, usize::from(length > 0));
        length
    };
    assert_eq!(length(0, 0), 0);
    assert_eq!(length(0, 63), 0);
    assert_eq!(length(0, 64), 64);
    assert_eq!(length(0, 127), 64);
    assert_eq!(length(128, 1), 128, "padding goes beyond the limit");
    assert_eq!(length(256, usize::MAX), 64);
}

#[test]
fn blocks_of_later_partitions_tell_their_offset_in_the_file() {
    let log = log(&LogSpec {
        start: Some((TermId(7), TermOffset(4096))),
        ..exclusive()
    });
    let mut appender = ExclusiveAppender::new(log.clone()).expect("legal");
    let position = appender.position();
    appender.offer(NO_LIMIT, b"x").expect("room");
    let polled = block_poll(&log, position, 4096, |block| {
        assert_eq!(block.file_offset, 2 * 65536 + 4096);
    });
    assert_eq!(polled.fragments, 1);
}

#[test]
fn corruption_ends_a_poll_before_it() {
    for length in [1, 31, 65536, i32::MAX] {
        let log = three_messages();
        log.term(0).store_i32_release(64, length);
        let polled = poll(&log, Position(0), 10, |payload, _| {
            assert_eq!(payload, b"one");
        });
        assert_eq!((polled.position, polled.fragments), (Position(64), 1));
        let corruption = polled.corruption.expect("reported");
        assert_eq!(
            (corruption.position, corruption.frame_length),
            (Position(64), length)
        );
        assert!(log.scan(Position(64), 1408).is_corrupt);
        let scan = log.scan(Position(0), 1408);
        assert_eq!((scan.available, scan.is_corrupt), (64, true));
        let scan = log.scan_gap(Position(0), Position(320));
        assert_eq!(
            (scan.contiguous, scan.gap, scan.is_corrupt),
            (Position(64), None, true)
        );
        let polled = block_poll(&log, Position(0), 4096, |block| {
            assert_eq!(block.bytes.len(), 64);
        });
        assert_eq!(polled.corruption, Some(corruption));
    }
}
