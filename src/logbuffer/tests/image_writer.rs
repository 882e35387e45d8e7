//! An image's log that nobody cleans, against what was put into it.

use crate::base::{Position, Rng};
use crate::logbuffer::image_writer::ImageWriter;
use crate::logbuffer::{AppendError, ExclusiveAppender, LogBuffer, LogKind, LogSpec, reader};

use super::{NO_LIMIT, TERM_LENGTH, exclusive, log, message};

/// Terms of the stream: so many that each part of the log is used again and again.
const TERMS: i64 = 9;
/// Datagrams by which one may come early.
const WINDOW: usize = 12;

/// A datagram, where it begins, and up to where it covers the stream.
struct Sent {
    begin: Position,
    end: Position,
    bytes: Vec<u8>,
}

/// A stream of short and long messages, as datagrams. Their bytes look like lengths of frames.
fn stream(rng: &mut Rng) -> Vec<Sent> {
    let source = log(&exclusive());
    let mut appender = ExclusiveAppender::new(source.clone()).expect("fresh");
    let mut all = Vec::new();
    let (mut sent, mut cleaned) = (Position(0), Position(0));
    while sent < Position(TERMS * i64::from(TERM_LENGTH)) {
        let length = usize::try_from(rng.below(2) * rng.below(1_376)).expect("small");
        match appender.offer(NO_LIMIT, &message(length, 0x40)) {
            Ok(_) | Err(AppendError::AdminAction) => {}
            Err(error) => panic!("{error}"),
        }
        loop {
            let scan = source.scan(sent, 1408);
            if scan.available <= 0 {
                break;
            }
            let end = sent + i64::from(scan.available + scan.padding);
            all.push(Sent {
                begin: sent,
                end,
                bytes: scan.bytes.to_vec(),
            });
            sent = end;
        }
        cleaned = source.clean(cleaned, sent - i64::from(TERM_LENGTH));
    }
    all
}

fn image() -> (LogBuffer, ImageWriter) {
    let log = log(&LogSpec {
        kind: LogKind::Image,
        ..exclusive()
    });
    (log.clone(), ImageWriter::new(log, Position(0)))
}

/// Puts a datagram where it would land. Returns whether it was taken in.
fn land(writer: &mut ImageWriter, bytes: &[u8], segment_length: usize) -> bool {
    let (first, rest) = bytes.split_first_chunk().expect("a header");
    let room = writer.landing().expect("an aligned frontier");
    let Some(room) = room.get_mut(..rest.len()) else {
        return false;
    };
    room.copy_from_slice(rest);
    let landed = writer.check_landed(first, bytes.len(), segment_length);
    if let Some(landed) = landed {
        writer.take_in(first, landed);
    }
    landed.is_some()
}

/// Up to where nothing is missing.
fn contiguous(log: &LogBuffer, from: Position, hwm: Position) -> Position {
    let mut at = from;
    loop {
        let next = log.scan_gap(at, hwm).contiguous;
        if next == at {
            return at;
        }
        at = next;
    }
}

#[test]
fn consumers_see_what_was_received_and_nothing_of_earlier_terms() {
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let sent = stream(&mut rng);
        let (log, mut writer) = image();
        let mut has_come = vec![false; sent.len()];
        let mut first_missing = 0;
        let (mut hwm, mut consumed) = (Position(0), Position(0));
        let mut landings = 0;
        while first_missing < sent.len() {
            // Mostly in order, at times early, late or again.
            let ahead = match rng.below(4) {
                0 => usize::try_from(rng.below(WINDOW as u64)).expect("small"),
                _ => 0,
            };
            let index = (first_missing + ahead).min(sent.len() - 1);
            let Sent { begin, end, bytes } = &sent[index];
            let is_landing = rng.below(2) == 0;
            if is_landing && land(&mut writer, bytes, bytes.len()) {
                assert!(!has_come[index], "seed {seed}");
                landings += 1;
            } else {
                let was_there = has_come[index];
                let check = |from, _, is_inserted: bool| {
                    assert_eq!((from, is_inserted), (*begin, !was_there), "seed {seed}");
                };
                writer.insert_run(*begin, *end, bytes, bytes.len(), check);
            }
            has_come[index] = true;
            hwm = hwm.max(*end);
            if rng.below(16) == 0 {
                // The sender tells how far it is.
                hwm = hwm.max(sent[(index + 3).min(sent.len() - 1)].begin);
                writer.reveal(hwm);
            }
            while has_come.get(first_missing) == Some(&true) {
                first_missing += 1;
            }
            let reached = sent.get(first_missing).map_or(hwm, |next| next.begin);
            assert_eq!(contiguous(&log, consumed, hwm), reached, "seed {seed}");
            if let Some(gap) = log.scan_gap(reached, hwm).gap {
                let next = (first_missing..sent.len()).find(|n| has_come[*n]);
                let gap_end = next.map_or(hwm, |n| sent[n].begin.min(hwm));
                let term_end = log.geometry().term_begin(reached) + i64::from(TERM_LENGTH);
                let length = gap_end.min(term_end) - reached;
                assert_eq!(i64::from(gap.length), length, "seed {seed}");
            }
            while consumed < reached {
                let polled = reader::poll(&log, consumed, 5, |payload, header| {
                    assert_eq!(payload, message(payload.len(), 0x40), "seed {seed}");
                    assert!(header.position() <= reached);
                });
                assert_eq!(polled.corruption, None);
                consumed = polled.position;
            }
            let beyond = reader::poll(&log, consumed, 5, |_, _| panic!("seed {seed}"));
            assert_eq!((beyond.position, consumed), (consumed, reached));
        }
        assert!(landings > 100, "seed {seed}: only {landings}");
    }
}

#[test]
fn what_lands_elsewhere_than_it_belongs_is_not_taken_in() {
    let mut rng = Rng::new(1);
    let sent = stream(&mut rng);
    let (log, mut writer) = image();
    let length = sent[1].bytes.len();
    // Early, of another kind, place or term, too short, cut off, and nothing but a position.
    assert!(!land(&mut writer, &sent[1].bytes, length));
    let first = &sent[0].bytes;
    for at in [7, 8, 20] {
        let mut changed = first.clone();
        changed[at] ^= 1;
        assert!(!land(&mut writer, &changed, changed.len()), "{at}");
    }
    let long = sent.iter().find(|sent| sent.bytes.len() > 1_000);
    let long = &long.expect("many are long").bytes;
    assert!(!land(&mut writer, &long[..32], 32));
    assert!(!land(&mut writer, &first[..first.len() - 8], first.len()));
    assert!(!land(&mut writer, &[0; 32], 32));
    assert_eq!(reader::poll(&log, Position(0), 5, |_, _| {}).fragments, 0);
    assert!(land(&mut writer, first, first.len()));
    // Again.
    assert!(!land(&mut writer, first, first.len()));
    assert!(reader::poll(&log, Position(0), 5, |_, _| {}).fragments > 0);
}

#[test]
fn datagrams_that_arrive_together_land_together_or_not_at_all() {
    let source = log(&exclusive());
    let mut appender = ExclusiveAppender::new(source.clone()).expect("fresh");
    for _ in 0..8 {
        appender.offer(NO_LIMIT, &message(100, 1)).expect("room");
    }
    let bytes = source.scan(Position(0), 8 * 160).bytes.to_vec();
    let (log, mut writer) = image();
    let mut broken = bytes.clone();
    broken[5 * 160 + 12] ^= 1;
    assert!(!land(&mut writer, &broken, 160));
    assert!(land(&mut writer, &bytes, 160));
    let polled = reader::poll(&log, Position(0), 10, |_, _| {});
    assert_eq!((polled.fragments, polled.position), (8, Position(8 * 160)));
}
