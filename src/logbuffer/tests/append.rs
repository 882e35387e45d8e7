//! Single appends: limits, outcomes, claims, rotation, the exclusive writer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::{Position, TermId, TermOffset};
use crate::logbuffer::{AppendError, ExclusiveAppender, LogBuffer, LogSpec};

use super::{NO_LIMIT, TERM_LENGTH, exclusive, frames, log, message, read_all, spec};

/// A log that starts `before` bytes short of the end of the last term there is.
fn at_the_end_of_the_stream(spec: LogSpec, before: i32) -> LogBuffer {
    let last = spec.initial_term_id.plus(i32::MAX);
    log(&LogSpec {
        start: Some((last, TermOffset(TERM_LENGTH - before))),
        ..spec
    })
}

#[test]
fn at_the_limit_the_connection_decides_the_outcome() {
    let log = log(&spec());
    assert_eq!(log.offer(Position(0), b"x"), Err(AppendError::NotConnected));
    log.set_connected(true);
    assert_eq!(
        log.offer(Position(0), b"x"),
        Err(AppendError::BackPressured)
    );
    assert_eq!(
        log.offer(Position(1), &[0; 8192]),
        Ok(Position(8384)),
        "only the start counts"
    );
    assert_eq!(
        log.claim(Position(8384), 1).map(drop),
        Err(AppendError::BackPressured)
    );
}

#[test]
fn near_the_end_of_the_stream_the_limit_says_so() {
    let log = at_the_end_of_the_stream(spec(), 64);
    let at = Position((1 << 47) - 64);
    assert_eq!(log.producer_position(), at);
    assert_eq!(log.offer(at, b"x"), Err(AppendError::MaxPositionExceeded));
    let mut appender =
        ExclusiveAppender::new(at_the_end_of_the_stream(exclusive(), 96)).expect("legal");
    assert_eq!(
        appender.offer(Position(0), b"x"),
        Err(AppendError::NotConnected)
    );
    assert_eq!(
        appender.offer(Position(0), &[0; 64]),
        Err(AppendError::MaxPositionExceeded)
    );
}

#[test]
fn the_last_term_of_the_stream_is_not_rotated() {
    let log = at_the_end_of_the_stream(spec(), 64);
    assert_eq!(
        log.offer(NO_LIMIT, &[0; 64]),
        Err(AppendError::MaxPositionExceeded)
    );
    assert_eq!(log.active_term_count(), i32::MAX);
    assert_eq!(
        log.offer(NO_LIMIT, &[0; 64]),
        Err(AppendError::MaxPositionExceeded)
    );

    let log = at_the_end_of_the_stream(exclusive(), 64);
    let mut appender = ExclusiveAppender::new(log).expect("legal");
    let end = appender.log().geometry().max_possible_position();
    // What would fit after all comes too late: the rest of the term is padded.
    for length in [64, 64, 0] {
        assert_eq!(
            appender.offer(NO_LIMIT, &[0; 64][..length]),
            Err(AppendError::MaxPositionExceeded)
        );
        assert_eq!(appender.position(), end);
        assert_eq!(appender.log().producer_position(), end);
    }
}

#[test]
fn lengths_are_judged_before_the_limit() {
    let log = log(&spec());
    let too_long = AppendError::TooLong {
        length: 8193,
        max: 8192,
    };
    assert_eq!(log.offer(Position(0), &[0; 8193]), Err(too_long));
    let too_long = AppendError::TooLong {
        length: 1377,
        max: 1376,
    };
    assert_eq!(log.claim(Position(0), 1377).map(drop), Err(too_long));
    let part = [0; 4096];
    let parts: [&[u8]; 3] = [&part, &part, &[1]];
    assert!(matches!(
        log.offer_vectored(NO_LIMIT, &parts),
        Err(AppendError::TooLong { length: 8193, .. })
    ));
}

#[test]
fn a_frame_may_exceed_the_longest_message_if_the_mtu_allows_it() {
    let log = log(&LogSpec {
        mtu_length: 16384,
        ..spec()
    });
    assert_eq!(log.offer(NO_LIMIT, &[1; 16352]), Ok(Position(16384)));
    assert!(matches!(
        log.offer(NO_LIMIT, &[1; 16353]),
        Err(AppendError::TooLong { max: 16352, .. })
    ));
}

#[test]
fn parts_are_joined_across_fragments() {
    let whole = message(5000, 3);
    let parts: Vec<&[u8]> = vec![&whole[..1], &[], &whole[1..2000], &whole[2000..], &[]];
    let log = log(&spec());
    let mut calls = 0;
    log.offer_vectored_with_reserved_value(NO_LIMIT, &parts, |frame| {
        calls += 1;
        i64::from(frame[5])
    })
    .expect("room");
    assert_eq!(calls, 4, "once per fragment, with that fragment");
    let (fragments, _) = read_all(&log, Position(0));
    assert_eq!(fragments.concat(), whole);
    let term = log.term(0);
    let reserved = [0, 1408, 2816, 4224].map(|at| term.load_i64_relaxed(at + 24));
    assert_eq!(reserved, [0x80, 0, 0, 0x40]);
    assert_eq!(
        log.offer_vectored(NO_LIMIT, &[]),
        Ok(Position(4224 + 928 + 32))
    );
}

#[test]
fn claims_hide_what_follows_until_they_end() {
    let log = log(&spec());
    let mut claim = log.claim(NO_LIMIT, 3).expect("room");
    assert_eq!(log.term(0).load_i32_relaxed(0), -35);
    log.offer(NO_LIMIT, b"after").expect("room");
    assert_eq!(read_all(&log, Position(0)).0.len(), 0);
    assert_eq!(claim.bytes(), [0; 3]);
    claim.bytes_mut().copy_from_slice(b"abc");
    claim.set_flags(0x80);
    claim.set_type(9);
    claim.set_reserved_value(-2);
    assert_eq!(claim.position(), Position(64));
    assert_eq!(claim.commit(), Position(64));
    assert_eq!(
        read_all(&log, Position(0)).0,
        [b"abc".to_vec(), b"after".to_vec()]
    );
    assert_eq!(frames(&log, 0)[0], (35, 0x80, 9, 0));
    assert_eq!(log.term(0).load_i64_relaxed(24), -2);
}

#[test]
fn dropped_and_aborted_claims_are_skipped() {
    let log = log(&spec());
    drop(log.claim(NO_LIMIT, 100).expect("room"));
    log.claim(NO_LIMIT, 0).expect("room").abort();
    log.offer(NO_LIMIT, b"after").expect("room");
    assert_eq!(
        read_all(&log, Position(0)),
        (vec![b"after".to_vec()], Position(160 + 32 + 64))
    );
}

#[test]
fn a_term_filled_exactly_needs_no_padding() {
    let log = log(&LogSpec {
        start: Some((TermId(5), TermOffset(TERM_LENGTH - 64))),
        ..spec()
    });
    assert_eq!(log.offer(NO_LIMIT, &[1; 32]), Ok(Position(65536)));
    assert_eq!(log.active_term_count(), 0);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Err(AppendError::AdminAction));
    assert_eq!(log.active_term_count(), 1);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(Position(65536 + 64)));
    let (fragments, position) = read_all(&log, Position(65536 - 64));
    assert_eq!((fragments.len(), position), (2, Position(65536 + 64)));
}

#[test]
fn a_rotation_seen_half_way_is_an_admin_action() {
    let log = log(&spec());
    // The tail of the active partition already belongs to a later term.
    log.metadata().set_tail(0, TermId(8), 0);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Err(AppendError::AdminAction));
    assert_eq!(log.raw_tail(0), 8 << 32, "nothing was reserved");
}

#[test]
fn rotation_happens_once_however_many_trip() {
    let log = log(&spec());
    assert!(log.metadata().rotate(0, TermId(5)));
    assert!(!log.metadata().rotate(0, TermId(5)));
    log.offer(NO_LIMIT, b"x").expect("room");
    assert!(
        !log.metadata().rotate(0, TermId(5)),
        "a late one must not reset the tail"
    );
    assert_eq!(log.raw_tail(1), (6 << 32) | 64);
    assert_eq!(log.active_term_count(), 1);
}

#[test]
fn term_ids_wrap() {
    let log = log(&LogSpec {
        initial_term_id: TermId(i32::MAX),
        ..spec()
    });
    let mut sent = 0;
    while log.active_term_count() < 4 {
        if log.offer(NO_LIMIT, &[1; 1376]).is_ok() {
            sent += 1;
        }
        log.clean(
            log.geometry().term_begin(log.producer_position()) + 65536,
            NO_LIMIT,
        );
    }
    assert_eq!(sent, 4 * 46);
    assert_eq!(log.producer_position(), Position(4 * 65536));
}

#[test]
fn a_panicking_supplier_leaves_padding_behind() {
    for is_exclusive in [false, true] {
        let log = log(&if is_exclusive { exclusive() } else { spec() });
        let mut appender = ExclusiveAppender::new(log.clone()).expect("legal");
        let mut calls = 0;
        let supplier = |_: &[u8]| {
            calls += 1;
            assert!(calls < 2, "on purpose");
            0
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if is_exclusive {
                appender.offer_with_reserved_value(NO_LIMIT, &[1; 3000], supplier)
            } else {
                log.offer_with_reserved_value(NO_LIMIT, &[1; 3000], supplier)
            }
        }));
        assert!(outcome.is_err());
        // No reader has seen the first frame yet: they come in runs.
        assert_eq!(frames(&log, 0), [(3104, 0xC0, 0, 0)]);
        assert_eq!(read_all(&log, Position(0)).1, Position(3104));
    }
}

#[test]
fn exclusive_appends_like_the_concurrent_one() {
    let (shared, own) = (log(&spec()), log(&exclusive()));
    let mut appender = ExclusiveAppender::new(own.clone()).expect("legal");
    for round in 0..200_u8 {
        let bytes = message(usize::from(round) * 41 % 8193, round);
        let expected = shared.offer(NO_LIMIT, &bytes);
        assert_eq!(appender.offer(NO_LIMIT, &bytes), expected);
        assert_eq!(appender.position(), shared.producer_position());
        assert_eq!(own.producer_position(), shared.producer_position());
        if shared.active_term_count() == 3 {
            break;
        }
    }
    for index in 0..3 {
        let (mut a, mut b) = (vec![0; 65536], vec![0; 65536]);
        shared.term(index).read_bytes(0, &mut a);
        own.term(index).read_bytes(0, &mut b);
        assert!(a == b, "term {index} differs");
    }
}

#[test]
fn exclusive_takes_up_where_the_tail_stands() {
    let log = log(&exclusive());
    let mut first = ExclusiveAppender::new(log.clone()).expect("legal");
    first.offer(NO_LIMIT, &[1; 100]).expect("room");
    let second = ExclusiveAppender::new(log).expect("legal");
    assert_eq!(second.position(), Position(160));
    assert_eq!(
        (second.term_id(), second.term_offset()),
        (TermId(5), TermOffset(160))
    );
}

#[test]
fn exclusive_refuses_a_tail_that_cannot_be() {
    for (term_id, offset) in [(TermId(6), 0), (TermId(5), 33)] {
        let log = log(&exclusive());
        log.metadata().set_tail(0, term_id, offset);
        assert_eq!(
            ExclusiveAppender::new(log).map(drop),
            Err(AppendError::Corrupt)
        );
    }
}

#[test]
fn padding_is_one_frame_and_may_be_as_long_as_a_framed_message() {
    let log = log(&exclusive());
    let mut appender = ExclusiveAppender::new(log.clone()).expect("legal");
    assert_eq!(appender.append_padding(NO_LIMIT, 8384), Ok(Position(8416)));
    assert_eq!(frames(&log, 0), [(8416, 0xC0, 0, 0)]);
    assert!(matches!(
        appender.append_padding(NO_LIMIT, 8385),
        Err(AppendError::TooLong { max: 8384, .. })
    ));
    drop(appender.claim(NO_LIMIT, 1).expect("room"));
    assert_eq!(appender.position(), Position(8480));
}

#[test]
fn a_block_continues_the_stream_or_is_refused() {
    let source = log(&exclusive());
    let mut writer = ExclusiveAppender::new(source.clone()).expect("legal");
    writer.offer(NO_LIMIT, b"first").expect("room");
    writer.offer(NO_LIMIT, &[2; 3000]).expect("room");
    let mut block = vec![0; 64 + 3104];
    source.term(0).read_bytes(0, &mut block);

    let target = log(&exclusive());
    let mut appender = ExclusiveAppender::new(target.clone()).expect("legal");
    assert_eq!(
        appender.offer_block(Position(0), &block),
        Err(AppendError::NotConnected)
    );
    for at in [6, 8, 12, 16, 20] {
        let mut wrong = block.clone();
        wrong[at] ^= 2;
        assert_eq!(
            appender.offer_block(NO_LIMIT, &wrong),
            Err(AppendError::InvalidBlock)
        );
    }
    for wrong in [&block[..0], &block[..31], &block[..63], &block[..32]] {
        assert_eq!(
            appender.offer_block(NO_LIMIT, wrong),
            Err(AppendError::InvalidBlock)
        );
    }
    assert_eq!(appender.position(), Position(0));
    assert_eq!(appender.offer_block(NO_LIMIT, &block), Ok(Position(3168)));
    assert_eq!(target.producer_position(), Position(3168));
    assert_eq!(
        read_all(&target, Position(0)),
        read_all(&source, Position(0))
    );
    assert_eq!(
        appender.offer_block(NO_LIMIT, &block),
        Err(AppendError::InvalidBlock)
    );
    assert!(matches!(
        appender.offer_block(NO_LIMIT, &vec![0; 65536]),
        Err(AppendError::TooLong { max: 62368, .. })
    ));
}

#[test]
fn a_block_at_the_end_of_a_term_rotates_first() {
    let log = log(&LogSpec {
        start: Some((TermId(5), TermOffset(TERM_LENGTH - 64))),
        ..exclusive()
    });
    let mut appender = ExclusiveAppender::new(log.clone()).expect("legal");
    appender.offer(NO_LIMIT, &[1; 32]).expect("fills the term");
    assert_eq!(
        appender.offer_block(NO_LIMIT, &[0; 32]),
        Err(AppendError::InvalidBlock)
    );
    assert_eq!(
        (appender.term_id(), appender.term_offset()),
        (TermId(6), TermOffset(0))
    );
    assert_eq!(log.active_term_count(), 1);
}

#[test]
fn readers_see_long_messages_some_frames_at_a_time() {
    let log = log(&LogSpec {
        term_length: 8 * TERM_LENGTH,
        ..spec()
    });
    log.set_connected(true);
    let mut visible = Vec::new();
    let length = 5 * usize::try_from(log.max_payload_length()).expect("positive") * 5;
    assert!(
        (32 * 1024..48 * 1024).contains(&length),
        "more than two runs"
    );
    let end = log
        .offer_with_reserved_value(NO_LIMIT, &vec![7; length], |_| {
            visible.push(frames(&log, 0).len());
            0
        })
        .expect("a connected log");
    // 12 frames are the first to have 16 KiB. Until a run has as many, nobody sees any of it.
    let expected: Vec<usize> = (0..25).map(|written| written / 12 * 12).collect();
    assert_eq!(visible, expected);
    assert_eq!(frames(&log, 0).len(), 25);
    assert_eq!(read_all(&log, Position::ZERO).1, end);
}
