//! Insertion, gap scan, gap fill, validation, and cleaning.

use crate::base::{Position, TermId, TermOffset};
use crate::logbuffer::{ExclusiveAppender, Gap, LogBuffer, LogKind, LogSpec};

use super::{NO_LIMIT, TERM_LENGTH, exclusive, frames, log, message, read_all};

fn image() -> LogBuffer {
    log(&LogSpec {
        kind: LogKind::Image,
        ..exclusive()
    })
}

/// Datagrams of a stream as its sender cuts them, with where each goes and how far it reaches.
fn datagrams(publish: impl FnOnce(&mut ExclusiveAppender), mtu: i32) -> Vec<Sent> {
    let log = log(&exclusive());
    let mut appender = ExclusiveAppender::new(log.clone()).expect("legal");
    publish(&mut appender);
    let mut sent = Vec::new();
    let mut position = Position(0);
    loop {
        let scan = log.scan(position, mtu);
        if scan.available <= 0 {
            return sent;
        }
        let end = position + i64::from(scan.available + scan.padding);
        sent.push(Sent {
            position,
            end,
            bytes: scan.bytes.to_vec(),
        });
        position = end;
    }
}

struct Sent {
    position: Position,
    end: Position,
    bytes: Vec<u8>,
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for shorter in permutations(count - 1) {
        for at in 0..count {
            let mut longer = shorter.clone();
            longer.insert(at, count - 1);
            all.push(longer);
        }
    }
    all
}

/// What the gap scan must find: computed from which datagrams have arrived.
fn oracle(sent: &[Sent], arrived: &[bool], hwm: Position) -> (Position, Option<Gap>) {
    let contiguous = sent.iter().zip(arrived).find(|(_, arrived)| !**arrived);
    let begin = contiguous.map_or(hwm, |(datagram, _)| datagram.position.min(hwm));
    if begin >= hwm {
        return (hwm, None);
    }
    let next = sent
        .iter()
        .zip(arrived)
        .find(|(datagram, arrived)| **arrived && datagram.position > begin);
    let end = next.map_or(hwm, |(datagram, _)| datagram.position.min(hwm));
    let gap = Gap {
        term_id: TermId(5),
        term_offset: TermOffset(i32::try_from(begin.0).expect("first term")),
        length: i32::try_from(end - begin).expect("first term"),
    };
    (begin, Some(gap))
}

/// Every order in which the datagrams may come, each of them twice in a row.
fn check_all_orders(sent: &[Sent], messages: &[Vec<u8>]) {
    for order in permutations(sent.len()) {
        let image = image();
        let (mut rebuild, mut hwm) = (Position(0), Position(0));
        let mut arrived = vec![false; sent.len()];
        for index in order {
            let Sent {
                position,
                end,
                ref bytes,
            } = sent[index];
            let offset = image.geometry().term_offset_at(position);
            let covered = image.validate_datagram(offset, bytes).expect("valid");
            assert_eq!(i64::from(covered), end - position);
            assert!(image.insert(position, bytes));
            assert!(!image.insert(position, bytes), "a duplicate");
            arrived[index] = true;
            hwm = hwm.max(end);
            let scan = image.scan_gap(rebuild, hwm);
            assert_eq!((scan.contiguous, scan.gap), oracle(sent, &arrived, hwm));
            assert!(!scan.is_corrupt);
            rebuild = scan.contiguous;
        }
        assert_eq!(rebuild, hwm);
        assert_eq!(read_all(&image, Position(0)), (messages.to_vec(), hwm));
    }
}

#[test]
fn frames_rebuild_the_stream_in_whatever_order_they_come() {
    for count in 1..=5 {
        let messages: Vec<_> = (0..count)
            .map(|n: u8| message(usize::from(n) * 300 % 1376, n))
            .collect();
        let sent = one_frame_each(|appender| {
            for message in &messages {
                appender.offer(NO_LIMIT, message).expect("room");
            }
        });
        assert_eq!(sent.len(), usize::from(count));
        check_all_orders(&sent, &messages);
    }
}

/// Datagrams of one frame each.
fn one_frame_each(publish: impl FnOnce(&mut ExclusiveAppender)) -> Vec<Sent> {
    let all = datagrams(publish, TERM_LENGTH);
    let [whole] = all.as_slice() else {
        panic!("one scan takes it all")
    };
    let mut sent = Vec::new();
    let mut at = 0;
    while at < whole.bytes.len() {
        let length = i32::from_le_bytes(whole.bytes[at..at + 4].try_into().expect("four bytes"));
        let end = at
            + usize::try_from(length)
                .expect("positive")
                .next_multiple_of(32);
        sent.push(Sent {
            position: Position(i64::try_from(at).expect("small")),
            end: Position(i64::try_from(end).expect("small")),
            bytes: whole.bytes[at..end].to_vec(),
        });
        at = end;
    }
    sent
}

#[test]
fn datagrams_of_several_frames_and_padding_rebuild_the_stream_too() {
    let messages: Vec<_> = (0..9)
        .map(|n| message(100 + usize::from(n) * 70, n))
        .collect();
    let sent = datagrams(
        |appender| {
            for (n, message) in messages.iter().enumerate() {
                appender.offer(NO_LIMIT, message).expect("room");
                if n % 3 == 1 {
                    appender
                        .append_padding(NO_LIMIT, 500 * (n - 1))
                        .expect("room");
                }
            }
        },
        1408,
    );
    assert_eq!(sent.len(), 5);
    assert!(
        sent.iter()
            .any(|s| s.end - s.position > i64::try_from(s.bytes.len()).expect("small"))
    );
    check_all_orders(&sent, &messages);
}

#[test]
fn heartbeats_and_misplaced_datagrams_are_not_inserted() {
    let image = image();
    assert!(!image.insert(Position(0), &[0; 32]));
    assert!(!image.insert(Position(0), &[]));
    let mut frame = [0; 64];
    frame[0] = 64;
    assert!(!image.insert(Position(33), &frame));
    assert!(!image.insert(Position(-64), &frame));
    assert!(
        !image.insert(Position(65536 - 32), &frame),
        "past the end of the term"
    );
    assert!(frames(&image, 0).is_empty());
}

#[test]
fn the_gap_scan_stops_at_the_term_end_and_at_the_mark() {
    let image = image();
    let scan = image.scan_gap(Position(65536 - 96), Position(65536 + 64));
    assert_eq!(scan.contiguous, Position(65536 - 96));
    assert_eq!(scan.gap.map(|gap| gap.length), Some(96));
    let scan = image.scan_gap(Position(65536), Position(65536 + 64));
    let gap = scan.gap.expect("a gap");
    assert_eq!(
        (gap.term_id, gap.term_offset, gap.length),
        (TermId(6), TermOffset(0), 64)
    );
    assert_eq!(image.scan_gap(Position(64), Position(64)).gap, None);
    assert_eq!(
        image.scan_gap(Position(64), Position(32)).contiguous,
        Position(64)
    );
    assert!(image.scan_gap(Position(1), Position(64)).is_corrupt);
    assert!(image.scan_gap(Position(-32), Position(64)).is_corrupt);
}

#[test]
fn a_gap_is_filled_with_padding_unless_something_came() {
    let sent = one_frame_each(|appender| {
        for n in 0..4 {
            appender.offer(NO_LIMIT, &message(100, n)).expect("room");
        }
    });
    let image = image();
    assert!(image.insert(sent[0].position, &sent[0].bytes));
    assert!(image.insert(sent[3].position, &sent[3].bytes));
    let gap = image.scan_gap(Position(0), sent[3].end).gap.expect("a gap");
    assert_eq!(
        (gap.term_offset, gap.length, gap.end_offset().0),
        (TermOffset(160), 320, 480)
    );
    let too_long = Gap { length: 352, ..gap };
    assert!(!image.fill_gap(too_long), "reaches into what came");
    assert!(image.fill_gap(gap));
    assert!(!image.fill_gap(gap), "is filled");
    assert!(
        !image.insert(sent[1].position, &sent[1].bytes),
        "comes too late"
    );
    assert_eq!(frames(&image, 0)[1], (320, 0xC0, 0, 160));
    let (fragments, position) = read_all(&image, Position(0));
    assert_eq!(fragments, [message(100, 0), message(100, 3)]);
    assert_eq!(position, sent[3].end);
}

#[test]
fn a_gap_outside_of_a_term_is_not_filled() {
    let image = image();
    for (offset, length) in [
        (-32, 64),
        (0, 0),
        (0, -32),
        (16, 32),
        (0, 33),
        (65536, 32),
        (65504, 64),
        (i32::MIN, i32::MAX),
        (i32::MAX, 32),
    ] {
        let gap = Gap {
            term_id: TermId(5),
            term_offset: TermOffset(offset),
            length,
        };
        assert!(!image.fill_gap(gap), "{gap:?}");
    }
}

/// A frame header as it travels.
fn frame(length: i32, frame_type: u16, offset: i32) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes[6..8].copy_from_slice(&frame_type.to_le_bytes());
    bytes[8..12].copy_from_slice(&offset.to_le_bytes());
    bytes
}

#[test]
fn datagrams_are_valid_only_as_consecutive_whole_frames() {
    let geometry = image().geometry();
    let check = |offset, parts: &[[u8; 32]]| {
        geometry.validate_datagram(TermOffset(offset), &parts.concat())
    };
    let (body, beat) = ([0xEE; 32], [0; 32]);
    assert_eq!(check(64, &[beat]), Some(0));
    assert_eq!(check(64, &[frame(64, 1, 64), body]), Some(64));
    assert_eq!(check(64, &[frame(33, 1, 64), body]), Some(64));
    assert_eq!(
        check(64, &[frame(32, 1, 64), frame(64, 1, 96), body]),
        Some(96)
    );
    assert_eq!(
        check(64, &[frame(32, 0, 64), frame(32, 1, 96)]),
        Some(64),
        "short padding"
    );
    assert_eq!(
        check(64, &[frame(32, 1, 64), frame(992, 0, 96)]),
        Some(1024),
        "long padding"
    );
    assert_eq!(
        check(64, &[frame(TERM_LENGTH - 64, 0, 64)]),
        Some(TERM_LENGTH - 64)
    );
    assert_eq!(
        check(64, &[frame(TERM_LENGTH - 32, 0, 64)]),
        None,
        "past the term"
    );
    assert_eq!(check(64, &[frame(i32::MAX, 0, 64)]), None);
    assert_eq!(check(64, &[frame(65, 1, 64), body]), None, "truncated data");
    assert_eq!(
        check(64, &[frame(64, 1, 64), body, beat]),
        None,
        "heartbeat behind data"
    );
    assert_eq!(check(64, &[beat, frame(32, 1, 96)]), None);
    assert_eq!(check(64, &[frame(-64, 1, 64), body]), None);
    assert_eq!(check(64, &[frame(64, 2, 64), body]), None, "another type");
    assert_eq!(check(64, &[frame(64, 1, 96), body]), None, "another offset");
    assert_eq!(
        check(64, &[frame(32, 1, 64), frame(32, 1, 128)]),
        None,
        "not consecutive"
    );
    assert_eq!(check(64, &[]), None);
    for offset in [-32, 33, TERM_LENGTH] {
        assert_eq!(check(offset, &[frame(32, 1, offset)]), None);
        assert_eq!(check(offset, &[beat]), None);
    }
    let mut trailing = frame(32, 1, 0).to_vec();
    trailing.extend([0; 8]);
    assert_eq!(geometry.validate_datagram(TermOffset(0), &trailing), None);
}

#[test]
fn cleaning_stays_in_its_range_and_takes_a_term_at_a_time() {
    let log = log(&exclusive());
    for index in 0..3 {
        log.term(index).write_bytes(0, &[0xFF; 65536]);
    }
    let ones = |index: usize| {
        let mut bytes = vec![0; 65536];
        log.term(index).read_bytes(0, &mut bytes);
        bytes.iter().filter(|byte| **byte != 0).count()
    };
    assert_eq!(log.clean(Position(64), Position(64)), Position(64));
    assert_eq!(log.clean(Position(64), Position(0)), Position(64));
    assert_eq!(
        log.clean(Position(33), Position(96)),
        Position(33),
        "no frame starts there"
    );
    assert_eq!(
        log.clean(Position(64), Position(127)),
        Position(96),
        "rounds down"
    );
    assert_eq!(ones(0), 65536 - 32);
    assert_eq!(
        log.clean(Position(96), Position(65536 + 64)),
        Position(65536)
    );
    assert_eq!((ones(0), ones(1)), (64, 65536));
    assert_eq!(
        log.clean(Position(65536), Position(65536 + 64)),
        Position(65536 + 64)
    );
    assert_eq!((ones(1), ones(2)), (65536 - 64, 65536));
    assert_eq!(
        log.clean(Position(4 * 65536), NO_LIMIT),
        Position(5 * 65536)
    );
    assert_eq!(ones(1), 0);
}
