//! Runs of datagrams, out and in, against the same datagrams one by one.

use crate::base::{Position, Rng, TermOffset};
use crate::logbuffer::{LogBuffer, LogKind, LogSpec, RunLimits};
use crate::memory::AtomicBuffer;

use super::{NO_LIMIT, TERM_LENGTH, exclusive, log, memory, message, spec};

/// Below `bound`.
fn draw(rng: &mut Rng, bound: u64) -> usize {
    usize::try_from(rng.below(bound)).expect("small")
}

/// A term of messages of which many have one length.
fn random_log(rng: &mut Rng) -> LogBuffer {
    let log = log(&spec());
    let usual = draw(rng, 1300);
    loop {
        let length = match draw(rng, 4) {
            0 => draw(rng, 1300),
            _ => usual,
        };
        if log.offer(NO_LIMIT, &message(length, 3)).is_err() {
            return log;
        }
    }
}

/// The datagrams from the begin of the log on, each with its position and what is passed over.
fn one_by_one(log: &LogBuffer, mtu: i32) -> Vec<(Position, Vec<u8>, i32)> {
    let mut all = Vec::new();
    let mut position = Position(0);
    while position < Position(TERM_LENGTH.into()) {
        let scan = log.scan(position, mtu);
        if scan.available <= 0 {
            break;
        }
        all.push((position, scan.bytes.to_vec(), scan.padding));
        position += i64::from(scan.available + scan.padding);
    }
    all
}

#[test]
fn runs_are_the_datagrams_that_a_scan_finds() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let log = random_log(&mut rng);
        let mtu = 1408;
        let expected = one_by_one(&log, mtu);
        let limits = RunLimits {
            datagram_length: mtu,
            available: i64::MAX,
            run_length: 2_000 + i32::try_from(draw(&mut rng, 60_000)).expect("small"),
            count: 1 + draw(&mut rng, 64),
        };
        let mut got = Vec::new();
        let mut position = Position(0);
        let mut longest = 0;
        while position < Position(TERM_LENGTH.into()) {
            let mut places = Vec::new();
            let run = log.scan_run(position, &limits, |at| places.push(at));
            if run.bytes.is_empty() {
                break;
            }
            let datagrams: Vec<_> = run.bytes.chunks(run.segment_length).collect();
            assert!(datagrams.len() <= limits.count, "seed {seed}");
            assert!(run.bytes.len() <= usize::try_from(limits.run_length).expect("positive"));
            assert!(places.len() >= datagrams.len());
            longest = longest.max(datagrams.len());
            for (index, datagram) in datagrams.iter().enumerate() {
                let is_last = index + 1 == datagrams.len();
                got.push((
                    places[index],
                    datagram.to_vec(),
                    if is_last { run.padding } else { 0 },
                ));
            }
            position += run.bytes.len() as i64 + i64::from(run.padding);
        }
        assert_eq!(got, expected, "seed {seed}");
        assert!(longest > 1 || limits.count == 1 || limits.run_length < 3_000);
    }
}

#[test]
fn a_run_keeps_within_what_is_available() {
    let log = log(&spec());
    for _ in 0..10 {
        log.offer(NO_LIMIT, &message(100, 1)).expect("room");
    }
    let limits = |available| RunLimits {
        datagram_length: 160,
        available,
        run_length: 65_507,
        count: 64,
    };
    for (available, expected, is_blocked) in [
        (0, 0, false),
        (159, 0, true),
        (160, 160, false),
        (500, 480, false),
        (1600, 1600, false),
    ] {
        let run = log.scan_run(Position(0), &limits(available), |_| {});
        assert_eq!((run.bytes.len(), run.is_blocked), (expected, is_blocked));
    }
    let nowhere = log.scan_run(Position(7), &limits(1600), |_| {});
    assert!(nowhere.bytes.is_empty());
}

fn image() -> (LogBuffer, AtomicBuffer) {
    let spec = LogSpec {
        kind: LogKind::Image,
        ..exclusive()
    };
    let memory = memory(&spec);
    let log = LogBuffer::initialise(memory.clone(), &spec).expect("legal");
    (log, memory)
}

/// All bytes of the first term.
fn term(memory: &AtomicBuffer) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(TERM_LENGTH).expect("positive")];
    memory.read_bytes(0, &mut bytes);
    bytes
}

#[test]
fn a_run_comes_in_as_its_datagrams_do() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let source = random_log(&mut rng);
        let sent = one_by_one(&source, 1408);
        let ((one, bytes_of_one), (many, bytes_of_many)) = (image(), image());
        // Some datagrams came earlier.
        for (position, bytes, _) in &sent {
            if rng.below(8) == 0 {
                one.insert(*position, bytes);
                many.insert(*position, bytes);
            }
        }
        let limits = RunLimits {
            datagram_length: 1408,
            available: i64::MAX,
            run_length: 65_507,
            count: 64,
        };
        let mut position = Position(0);
        while position < Position(TERM_LENGTH.into()) {
            let run = source.scan_run(position, &limits, |_| {});
            if run.bytes.is_empty() {
                break;
            }
            let mut rest = run.bytes;
            let mut at = position;
            while !rest.is_empty() {
                let geometry = many.geometry();
                let offset = geometry.term_offset_at(at);
                let valid = geometry.validate_run(offset, rest, run.segment_length);
                let valid = valid.expect("valid");
                assert_eq!(valid.length, rest.len(), "all of it continues, seed {seed}");
                let mut reached = at;
                let visit = |from, to, _| {
                    assert_eq!(from, reached);
                    reached = to;
                };
                many.insert_run(at, &rest[..valid.length], run.segment_length, visit);
                assert_eq!(reached, at + valid.length as i64);
                at += i64::from(valid.covered);
                rest = &rest[valid.length..];
            }
            position += run.bytes.len() as i64 + i64::from(run.padding);
            assert_eq!(at, position, "padding counts, seed {seed}");
        }
        for (position, bytes, _) in &sent {
            one.insert(*position, bytes);
        }
        assert!(term(&bytes_of_one) == term(&bytes_of_many), "seed {seed}");
    }
}

#[test]
fn a_run_ends_before_the_first_datagram_that_does_not_continue_it() {
    let source = log(&spec());
    for _ in 0..8 {
        source.offer(NO_LIMIT, &message(100, 1)).expect("room");
    }
    let whole = source.scan(Position(0), 8 * 160).bytes.to_vec();
    let geometry = source.geometry();
    let length_with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        let run = geometry.validate_run(TermOffset(0), &bytes, 160);
        run.map(|run| {
            assert_eq!(usize::try_from(run.covered), Ok(run.length));
            run.length
        })
    };
    assert_eq!(length_with(&|_| {}), Some(8 * 160));
    // Version, type, term offset, session, stream and term of the fourth datagram.
    for at in [4, 7, 8, 12, 16, 20] {
        assert_eq!(
            length_with(&|bytes| bytes[480 + at] ^= 1),
            Some(480),
            "{at}"
        );
    }
    // A frame that reaches into the next datagram, one that ends too early, and a heartbeat.
    for length in [161, 128, 0] {
        let change = |bytes: &mut Vec<u8>| bytes[480] = length;
        assert_eq!(length_with(&change), Some(480), "{length}");
    }
    // The last one is cut off.
    assert_eq!(
        length_with(&|bytes| bytes.truncate(8 * 160 - 64)),
        Some(7 * 160)
    );
    assert_eq!(length_with(&|bytes| bytes[0] = 31), None);
}

#[test]
fn segments_of_any_length_are_valid_or_not_but_never_out_of_bounds() {
    let mut rng = Rng::new(11);
    let source = random_log(&mut rng);
    let bytes = source.scan(Position(0), TERM_LENGTH).bytes;
    let (image, _memory) = image();
    for _ in 0..2_000 {
        let mut bytes = bytes[..draw(&mut rng, 8192)].to_vec();
        for _ in 0..draw(&mut rng, 4) {
            let at = draw(&mut rng, 8192);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = rng.below(256).to_le_bytes()[0];
            }
        }
        let segment_length = 1 + draw(&mut rng, 70_000);
        let offset = i32::try_from(rng.below(3) * 32 * rng.below(2048)).expect("small");
        let geometry = image.geometry();
        if let Some(run) = geometry.validate_run(TermOffset(offset), &bytes, segment_length) {
            assert!(run.length <= bytes.len());
            assert!(run.covered <= TERM_LENGTH - offset);
            if run.covered > 0 {
                let position = geometry.position(geometry.initial_term_id(), TermOffset(offset));
                image.insert_run(position, &bytes[..run.length], segment_length, |_, _, _| {});
            }
        }
    }
}
