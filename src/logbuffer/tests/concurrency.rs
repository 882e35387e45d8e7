//! Many publishers, one reader that also cleans: every message once, in each publisher's order.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread;

use crate::base::{Position, Rng};
use crate::logbuffer::{AppendError, ExclusiveAppender, LogBuffer, reader};

use super::{LogSpec, TERM_LENGTH, TermId, exclusive, log, spec};

const PUBLISHERS: u64 = 4;
const MESSAGES: u64 = if cfg!(miri) { 40 } else { 4000 };

/// A message by `publisher`: its number, and a filling that depends on both.
fn body(publisher: u64, number: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; 16 + length];
    bytes[..8].copy_from_slice(&publisher.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let filling = (publisher * 31 + number).to_le_bytes()[0] | 1;
    bytes[16..].fill(filling);
    bytes
}

/// One publisher: offers, vectored offers, claims and aborted claims of mixed lengths.
fn publish(log: &LogBuffer, publisher: u64, limit: &AtomicI64) {
    let mut rng = Rng::new(publisher);
    for number in 0..MESSAGES {
        let most = if rng.chance(1, 20) { 5000 } else { 300 };
        let length = usize::try_from(rng.below(most)).expect("small");
        let bytes = body(publisher, number, length);
        let way = rng.below(4);
        loop {
            let limit = Position(limit.load(Ordering::Acquire));
            let outcome = match way {
                0 => log.offer_vectored(limit, &[&bytes[..7], &bytes[7..]]),
                1 if bytes.len() <= 1376 => log.claim(limit, bytes.len()).map(|mut claim| {
                    claim.bytes_mut().copy_from_slice(&bytes);
                    claim.commit()
                }),
                2 if rng.chance(1, 4) => {
                    // An aborted claim, then the message on the next turn.
                    let _ = log.claim(limit, 50);
                    continue;
                }
                _ => log.offer(limit, &bytes),
            };
            match outcome {
                Ok(_) => break,
                Err(AppendError::AdminAction) => {}
                Err(AppendError::BackPressured) => thread::yield_now(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// What has been read: puts fragments together and checks each message.
#[derive(Default)]
struct Checker {
    partial: Vec<u8>,
    next: Vec<u64>,
}

impl Checker {
    fn new(publishers: u64) -> Self {
        let next = (0..publishers).map(|_| 0).collect();
        Self {
            next,
            ..Self::default()
        }
    }

    fn on_fragment(&mut self, payload: &[u8], is_begin: bool, is_end: bool) {
        assert_eq!(
            is_begin,
            self.partial.is_empty(),
            "fragments of a message are consecutive"
        );
        self.partial.extend_from_slice(payload);
        if is_end {
            let bytes = std::mem::take(&mut self.partial);
            let u64_at =
                |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
            let (publisher, number) = (u64_at(0), u64_at(8));
            let next = &mut self.next[usize::try_from(publisher).expect("small")];
            assert_eq!(number, *next, "in order, once each");
            *next += 1;
            assert!(
                bytes == body(publisher, number, bytes.len() - 16),
                "unchanged"
            );
        }
    }
}

/// Reads until every publisher's last message came; cleans and raises the limit as a driver does.
fn consume(log: &LogBuffer, limit: &AtomicI64, publishers: u64, start: Position) -> Position {
    let mut checker = Checker::new(publishers);
    let (mut position, mut cleaned) = (start, start);
    while checker.next.iter().any(|next| *next < MESSAGES) {
        let polled = reader::poll(log, position, 32, |payload, header| {
            checker.on_fragment(payload, header.is_begin(), header.is_end());
        });
        assert_eq!(polled.corruption, None);
        if polled.position == position {
            thread::yield_now();
            continue;
        }
        position = polled.position;
        while cleaned < position {
            cleaned = log.clean(cleaned, position);
        }
        limit.store(position.0 + i64::from(TERM_LENGTH / 2), Ordering::Release);
    }
    position
}

#[test]
fn concurrent_publishers_lose_and_repeat_nothing() {
    // Starts near the wrap of term ids.
    let log = log(&LogSpec {
        initial_term_id: TermId(i32::MAX - 2),
        ..spec()
    });
    log.set_connected(true);
    let limit = AtomicI64::new(i64::from(TERM_LENGTH / 2));
    let end = thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (log, limit) = (log.clone(), &limit);
            scope.spawn(move || publish(&log, publisher, limit));
        }
        consume(&log, &limit, PUBLISHERS, Position(0))
    });
    assert!(end <= log.producer_position());
    if !cfg!(miri) {
        assert!(log.active_term_count() > 20, "over many rotations");
    }
}

#[test]
fn an_exclusive_publisher_loses_and_repeats_nothing() {
    let log = log(&exclusive());
    log.set_connected(true);
    let limit = AtomicI64::new(i64::from(TERM_LENGTH / 2));
    thread::scope(|scope| {
        let (writer, limit) = (log.clone(), &limit);
        scope.spawn(move || {
            let mut appender = ExclusiveAppender::new(writer).expect("legal");
            let mut rng = Rng::new(9);
            for number in 0..MESSAGES {
                let bytes = body(0, number, usize::try_from(rng.below(3000)).expect("small"));
                loop {
                    match appender.offer(Position(limit.load(Ordering::Acquire)), &bytes) {
                        Ok(_) => break,
                        Err(error) => assert!(error.is_retryable(), "{error}"),
                    }
                    thread::yield_now();
                }
            }
        });
        consume(&log, limit, 1, Position(0))
    });
}

#[test]
fn exactly_one_of_those_that_trip_a_term_pads_it() {
    for round in 0..if cfg!(miri) { 2 } else { 200 } {
        let log = log(&spec());
        while log.producer_position() < Position(i64::from(TERM_LENGTH) - 1408) {
            log.offer(Position(i64::MAX), &[1; 1000]).expect("room");
        }
        let (before, tripped) = (log.producer_position(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for publisher in 0..3 {
                let (log, tripped) = (&log, &tripped);
                scope.spawn(move || {
                    let bytes = vec![2; 1300 + (publisher + round) % 3 * 32];
                    while let Err(error) = log.offer(Position(i64::MAX), &bytes) {
                        assert_eq!(error, AppendError::AdminAction);
                        tripped.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert!(tripped.load(Ordering::Acquire) >= 1);
        assert_eq!(log.active_term_count(), 1);
        let (fragments, end) = super::read_all(&log, before);
        assert_eq!(fragments.len(), 3);
        assert_eq!(end, log.producer_position());
    }
}

/// The receiver inserts while the conductor looks for gaps and the subscriber reads.
#[test]
fn an_image_is_read_while_it_is_rebuilt() {
    let source = log(&exclusive());
    let image = log(&exclusive());
    let mut appender = ExclusiveAppender::new(source.clone()).expect("legal");
    let count = (0_u64..)
        .take_while(|number| {
            let bytes = body(0, *number, usize::try_from(number % 700).expect("small"));
            appender.term_id() == TermId(5) && appender.offer(Position(i64::MAX), &bytes).is_ok()
        })
        .count();
    let end = source.geometry().term_begin(appender.position());
    let hwm = AtomicI64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Datagrams in pairs, the later of each first.
            let mut position = Position(0);
            while position < end {
                let first = source.scan(position, 1408);
                let next = position + i64::from(first.available + first.padding);
                let second = source.scan(next, 1408);
                let after = next + i64::from(second.available + second.padding);
                if second.available > 0 && next < end {
                    assert!(image.insert(next, second.bytes));
                    hwm.store(after.0, Ordering::Release);
                }
                assert!(image.insert(position, first.bytes));
                position = if next < end { after } else { next };
                hwm.store(position.0, Ordering::Release);
            }
        });
        scope.spawn(|| {
            let mut rebuild = Position(0);
            while rebuild < end {
                let scan = image.scan_gap(rebuild, Position(hwm.load(Ordering::Acquire)));
                assert!(!scan.is_corrupt && scan.contiguous >= rebuild);
                rebuild = scan.contiguous;
                thread::yield_now();
            }
        });
        let mut position = Position(0);
        let mut checker = Checker::new(1);
        while position < end {
            let polled = reader::poll(&image, position, 8, |payload, header| {
                checker.on_fragment(payload, header.is_begin(), header.is_end());
            });
            assert_eq!(polled.corruption, None);
            position = polled.position;
            thread::yield_now();
        }
        assert_eq!(checker.next, [count as u64]);
    });
}
