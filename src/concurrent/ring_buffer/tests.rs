//! Tests of the ring buffer: single behaviours, a model, garbage, and threads.

use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use super::*;
use crate::base::{CorrelationId, EpochMillis, Rng};
use crate::memory::AtomicBuffer;

const CAPACITY: usize = 1024;

fn ring_of(capacity: usize) -> (AtomicBuffer, RingBuffer, RingConsumer) {
    let buffer = AtomicBuffer::heap(capacity + RING_TRAILER_LENGTH);
    let ring = RingBuffer::new(buffer.clone()).expect("a valid capacity");
    let consumer = RingConsumer::new(ring.clone());
    (buffer, ring, consumer)
}

fn ring() -> (AtomicBuffer, RingBuffer, RingConsumer) {
    ring_of(CAPACITY)
}

fn read_all(consumer: &mut RingConsumer) -> Vec<(i32, Vec<u8>)> {
    let mut records = Vec::new();
    loop {
        let head = consumer.ring().consumer_position();
        consumer.read(usize::MAX, |type_id, payload| {
            records.push((type_id, payload.to_vec()));
            ReadAction::Continue
        });
        if consumer.ring().consumer_position() == head {
            return records;
        }
    }
}

/// Leaves a claim open for ever, as a process does that dies.
fn leave(claim: RingClaim<'_>) {
    let _never_dropped = ManuallyDrop::new(claim);
}

fn is_all_zero(buffer: &AtomicBuffer, length: usize) -> bool {
    (0..length).all(|at| buffer.load_u8_relaxed(at) == 0)
}

/// Moves both positions to `position`, as if as much had been written and read.
fn start_at(buffer: &AtomicBuffer, capacity: usize, position: i64) -> (RingBuffer, RingConsumer) {
    for field in [trailer::TAIL, trailer::HEAD_CACHE, trailer::HEAD] {
        let at = capacity + usize::try_from(field).expect("positive");
        buffer.store_i64_relaxed(at, position);
    }
    let ring = RingBuffer::new(buffer.clone()).expect("a valid capacity");
    (ring.clone(), RingConsumer::new(ring))
}

#[test]
fn a_record_looks_as_the_specification_shows() {
    let (buffer, ring, _) = ring();
    let mut payload = Vec::new();
    payload.extend_from_slice(&1i64.to_le_bytes());
    payload.extend_from_slice(&2i64.to_le_bytes());
    payload.extend_from_slice(&1001i32.to_le_bytes());
    payload.extend_from_slice(&9i32.to_le_bytes());
    payload.extend_from_slice(b"aeron:ipc");
    ring.write(1, &payload).expect("room");
    #[rustfmt::skip]
    let expected = [
        0x29, 0, 0, 0, 0x01, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0,
        0x02, 0, 0, 0, 0, 0, 0, 0, 0xe9, 0x03, 0, 0, 0x09, 0, 0, 0,
        0x61, 0x65, 0x72, 0x6f, 0x6e, 0x3a, 0x69, 0x70, 0x63, 0, 0, 0, 0, 0, 0, 0,
    ];
    let mut bytes = [0; 48];
    buffer.read_bytes(0, &mut bytes);
    assert_eq!(bytes, expected);
    assert_eq!(ring.producer_position(), 48);
    assert_eq!(
        buffer.load_i64_relaxed(CAPACITY + 128),
        48,
        "the tail's place in the trailer"
    );
}

#[test]
fn a_counter_command_lies_in_the_ring_as_the_specification_shows() {
    let (buffer, ring, _) = ring();
    let mut payload = Vec::new();
    payload.extend_from_slice(&1i64.to_le_bytes());
    payload.extend_from_slice(&12i64.to_le_bytes());
    payload.extend_from_slice(&7777i32.to_le_bytes());
    payload.extend_from_slice(&5i32.to_le_bytes());
    payload.extend_from_slice(b"abcde\0\0\0");
    payload.extend_from_slice(&8i32.to_le_bytes());
    payload.extend_from_slice(b"my label");
    ring.write(9, &payload).expect("room");
    #[rustfmt::skip]
    let expected = [
        0x34, 0, 0, 0, 0x09, 0, 0, 0, 0x01, 0, 0, 0, 0, 0, 0, 0,
        0x0c, 0, 0, 0, 0, 0, 0, 0, 0x61, 0x1e, 0, 0, 0x05, 0, 0, 0,
        0x61, 0x62, 0x63, 0x64, 0x65, 0, 0, 0, 0x08, 0, 0, 0, 0x6d, 0x79, 0x20, 0x6c,
        0x61, 0x62, 0x65, 0x6c, 0, 0, 0, 0,
    ];
    let mut bytes = [0; 0x38];
    buffer.read_bytes(0, &mut bytes);
    assert_eq!(bytes, expected);
}

#[test]
fn the_trailer_has_its_fields_where_peers_expect_them() {
    let (buffer, ring, mut consumer) = ring();
    assert_eq!(ring.next_correlation_id(), CorrelationId(0));
    assert_eq!(ring.next_correlation_id(), CorrelationId(1));
    ring.set_consumer_heartbeat(EpochMillis(-1));
    ring.write(1, &[1; 8]).expect("room");
    assert_eq!(read_all(&mut consumer).len(), 1);
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 384), 16, "head");
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 512), 2, "correlation");
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 640), -1, "heartbeat");
    assert_eq!(ring.consumer_heartbeat(), EpochMillis(-1));
    assert_eq!(ring.consumer_position(), 16);
}

#[test]
fn what_cannot_be_a_record_is_refused() {
    let (buffer, ring, _) = ring();
    assert_eq!(ring.max_payload_length(), 128);
    assert_eq!(
        ring.write(1, &[0; 129]),
        Err(RingError::TooLong {
            length: 129,
            max: 128
        })
    );
    assert_eq!(
        ring.write(0, &[]),
        Err(RingError::InvalidType { type_id: 0 })
    );
    assert_eq!(
        ring.write(-1, &[]),
        Err(RingError::InvalidType { type_id: -1 })
    );
    assert!(is_all_zero(&buffer, buffer.len()), "nothing was written");
    ring.write(1, &[0; 128]).expect("the longest fits");
}

#[test]
fn the_smallest_ring_holds_one_empty_record() {
    let (_, ring, mut consumer) = ring_of(8);
    assert_eq!(ring.max_payload_length(), 0);
    ring.write(5, &[]).expect("room");
    assert_eq!(ring.write(5, &[]), Err(RingError::Full));
    assert_eq!(read_all(&mut consumer), [(5, vec![])]);
    ring.write(6, &[]).expect("room again");
}

#[test]
fn buffers_of_other_lengths_are_refused() {
    for length in [
        0,
        8,
        RING_TRAILER_LENGTH,
        RING_TRAILER_LENGTH + 4,
        1000,
        1025 + 768,
    ] {
        assert!(
            RingBuffer::new(AtomicBuffer::heap(length)).is_err(),
            "length {length}"
        );
    }
}

#[test]
fn records_arrive_in_order_and_their_space_is_zeroed() {
    let (buffer, ring, mut consumer) = ring();
    for value in 1..=5u8 {
        ring.write(value.into(), &vec![value; value.into()])
            .expect("room");
    }
    let records = read_all(&mut consumer);
    let expected: Vec<_> = (1..=5u8).map(|v| (v.into(), vec![v; v.into()])).collect();
    assert_eq!(records, expected);
    assert!(is_all_zero(&buffer, CAPACITY));
    assert_eq!(ring.consumer_position(), ring.producer_position());
}

#[test]
fn reading_stops_at_the_limit_and_where_the_handler_says() {
    let (_, ring, mut consumer) = ring();
    for type_id in 1..=6 {
        ring.write(type_id, &[]).expect("room");
    }
    let mut seen = Vec::new();
    assert_eq!(consumer.read(0, |_, _| ReadAction::Continue), 0);
    let mut note = |type_id, action| {
        seen.push(type_id);
        action
    };
    assert_eq!(consumer.read(2, |id, _| note(id, ReadAction::Continue)), 2);
    assert_eq!(consumer.read(9, |id, _| note(id, ReadAction::Break)), 1);
    assert_eq!(consumer.read(9, |id, _| note(id, ReadAction::Abort)), 0);
    assert_eq!(consumer.read(9, |id, _| note(id, ReadAction::Continue)), 3);
    assert_eq!(seen, [1, 2, 3, 4, 4, 5, 6], "an aborted record comes again");
}

#[test]
fn a_record_whose_handler_panics_is_consumed() {
    let (buffer, ring, mut consumer) = ring();
    ring.write(1, &[9; 16]).expect("room");
    ring.write(2, &[]).expect("room");
    let result = catch_unwind(AssertUnwindSafe(|| {
        consumer.read(1, |_, _| panic!("a handler fails"));
    }));
    assert!(result.is_err());
    assert!(is_all_zero(&buffer, 24), "what was consumed is zeroed");
    assert_eq!(read_all(&mut consumer), [(2, vec![])]);
}

#[test]
fn a_record_that_does_not_fit_before_the_end_wraps_behind_padding() {
    let (buffer, _, _) = ring();
    let (ring, mut consumer) = start_at(&buffer, CAPACITY, 1024 - 16);
    ring.write(7, &[7; 24]).expect("room at the front");
    assert_eq!(
        buffer.load_i32_relaxed(1024 - 16),
        16,
        "padding up to the end"
    );
    assert_eq!(buffer.load_i32_relaxed(1024 - 12), -1);
    assert_eq!(buffer.load_i32_relaxed(0), 32);
    assert_eq!(ring.producer_position(), 1024 + 32);
    assert_eq!(
        consumer.read(1, |_, _| ReadAction::Continue),
        0,
        "padding ends the pass"
    );
    assert_eq!(read_all(&mut consumer), [(7, vec![7; 24])]);
    assert!(is_all_zero(&buffer, CAPACITY));
}

#[test]
fn a_ring_with_no_room_at_the_front_is_padded_so_that_the_next_try_can_wrap() {
    let (buffer, _, _) = ring();
    let (ring, mut consumer) = start_at(&buffer, CAPACITY, 16);
    while ring.producer_position() < 1024 - 16 {
        ring.write(1, &[1; 24]).expect("room");
    }
    assert_eq!(ring.producer_position(), 1024 - 16);
    // 16 bytes before the end, 16 at the front: 32 in all, but not in one piece.
    assert_eq!(ring.write(2, &[2; 24]), Err(RingError::Full));
    assert_eq!(
        ring.producer_position(),
        1024,
        "the end is padded all the same"
    );
    assert_eq!(ring.write(2, &[2; 24]), Err(RingError::Full));
    assert_eq!(consumer.read(1, |_, _| ReadAction::Continue), 1);
    ring.write(2, &[2; 24]).expect("one record read makes room");
    let records = read_all(&mut consumer);
    assert_eq!(records.last(), Some(&(2, vec![2; 24])));
}

#[test]
fn a_full_ring_takes_records_again_once_some_were_read() {
    let (_, ring, mut consumer) = ring();
    for _ in 0..CAPACITY / 32 {
        ring.write(1, &[0; 24]).expect("room");
    }
    assert_eq!(ring.write(1, &[]), Err(RingError::Full));
    assert_eq!(consumer.read(1, |_, _| ReadAction::Continue), 1);
    ring.write(1, &[0; 24]).expect("room");
    assert_eq!(ring.write(1, &[]), Err(RingError::Full));
}

#[test]
fn positions_work_around_the_wrap_of_64_bits() {
    let (buffer, _, _) = ring();
    let (ring, mut consumer) = start_at(&buffer, CAPACITY, i64::MAX - 1023 - 64);
    for round in 0..200 {
        ring.write(1 + round, &[1; 40]).expect("room");
        assert_eq!(read_all(&mut consumer), [(1 + round, vec![1; 40])]);
    }
    assert!(ring.producer_position() < 0);
}

#[test]
fn an_open_claim_holds_back_what_follows() {
    let (_, ring, mut consumer) = ring();
    let mut first = ring.claim(1, 3).expect("room");
    let second = ring.claim(2, 3).expect("room");
    ring.write(3, b"end").expect("room");
    assert_eq!(first.payload_length(), 3);
    assert_eq!(read_all(&mut consumer), []);
    first.fill(b"one");
    first.commit().expect("still open");
    assert_eq!(read_all(&mut consumer), [(1, b"one".to_vec())]);
    second.abort();
    assert_eq!(read_all(&mut consumer), [(3, b"end".to_vec())]);
}

#[test]
#[should_panic(expected = "exceeds the claim")]
fn a_claim_cannot_be_overfilled() {
    let (_, ring, _) = ring();
    ring.claim(1, 3).expect("room").fill(b"four");
}

#[test]
fn an_abandoned_claim_is_skipped_by_unblock() {
    let (_, ring, mut consumer) = ring();
    assert!(!consumer.unblock(), "an empty ring is not blocked");
    leave(ring.claim(1, 100).expect("room"));
    ring.write(2, b"after").expect("room");
    assert_eq!(read_all(&mut consumer), []);
    assert!(consumer.unblock());
    assert_eq!(read_all(&mut consumer), [(2, b"after".to_vec())]);
    assert!(!consumer.unblock());
}

#[test]
fn a_committed_record_is_not_unblocked() {
    let (_, ring, mut consumer) = ring();
    ring.write(1, b"fine").expect("room");
    assert!(!consumer.unblock());
    assert_eq!(read_all(&mut consumer).len(), 1);
}

#[test]
fn a_commit_that_comes_after_unblock_fails_and_changes_nothing() {
    let (buffer, ring, mut consumer) = ring();
    let late = ring.claim(1, 8).expect("room");
    assert!(consumer.unblock());
    assert_eq!(late.commit(), Err(RingError::Unblocked));
    assert_eq!(read_all(&mut consumer), []);
    let late = ring.claim(1, 8).expect("room");
    assert!(consumer.unblock());
    assert_eq!(read_all(&mut consumer), []);
    assert_eq!(late.commit(), Err(RingError::Unblocked));
    assert!(is_all_zero(&buffer, CAPACITY));
}

/// Claims `length` bytes and dies before the length is written.
fn claim_without_length(buffer: &AtomicBuffer, length: i64) {
    buffer.fetch_add_i64_seq_cst(CAPACITY + 128, length);
}

#[test]
fn a_claim_without_a_length_is_skipped_once_somebody_wrote_behind_it() {
    for start in [0, 64] {
        let (buffer, _, _) = ring();
        let (ring, mut consumer) = start_at(&buffer, CAPACITY, start);
        claim_without_length(&buffer, 48);
        assert!(
            !consumer.unblock(),
            "a gap that reaches the tail is left alone"
        );
        ring.write(2, b"after").expect("room");
        assert!(consumer.unblock(), "start {start}");
        let at = usize::try_from(start).expect("positive");
        assert_eq!(buffer.load_i32_relaxed(at), 48);
        assert_eq!(buffer.load_i32_relaxed(at + 4), -1);
        assert_eq!(read_all(&mut consumer), [(2, b"after".to_vec())]);
    }
}

#[test]
fn a_claim_without_a_length_before_the_end_is_skipped_once_the_front_was_written() {
    let (buffer, _, _) = ring();
    let (ring, mut consumer) = start_at(&buffer, CAPACITY, 1024 - 48);
    claim_without_length(&buffer, 48);
    assert!(!consumer.unblock());
    ring.write(2, b"after").expect("room");
    assert!(consumer.unblock());
    assert_eq!(read_all(&mut consumer), [(2, b"after".to_vec())]);
}

#[test]
fn a_claim_that_wraps_and_has_no_length_at_all_is_skipped_in_two_steps() {
    let (buffer, _, _) = ring();
    let (ring, mut consumer) = start_at(&buffer, CAPACITY, 1024 - 16);
    claim_without_length(&buffer, 16 + 64);
    assert!(!consumer.unblock());
    ring.write(2, b"after").expect("room");
    assert!(consumer.unblock(), "the end");
    assert_eq!(read_all(&mut consumer), []);
    assert!(consumer.unblock(), "the front");
    assert_eq!(read_all(&mut consumer), [(2, b"after".to_vec())]);
}

#[test]
fn a_full_ring_whose_first_claim_has_no_length_is_unblocked() {
    for start in [0, 512] {
        let (buffer, _, _) = ring();
        let (ring, mut consumer) = start_at(&buffer, CAPACITY, start);
        claim_without_length(&buffer, 32);
        while ring.write(2, &[1; 24]).is_ok() {}
        assert!(consumer.unblock());
        assert_eq!(read_all(&mut consumer).len(), CAPACITY / 32 - 1);
    }
}

#[test]
fn a_consumer_goes_on_where_the_last_one_stopped() {
    let (_, ring, mut consumer) = ring();
    ring.write(1, &[1; 20]).expect("room");
    ring.write(2, &[2; 20]).expect("room");
    assert_eq!(consumer.read(1, |_, _| ReadAction::Continue), 1);
    let mut next = RingConsumer::new(ring);
    assert_eq!(read_all(&mut next), [(2, vec![2; 20])]);
}

/// What the model expects of a record: its type and payload, or nothing once it was aborted.
type Expected = Option<(i32, Vec<u8>)>;

#[test]
fn the_ring_behaves_as_a_queue_of_records() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let capacity = 64 << rng.below(5);
        let (buffer, ring, mut consumer) = ring_of(capacity);
        // In the order of claims; the claim is there while it is open.
        let mut model: VecDeque<(Option<RingClaim<'_>>, Expected)> = VecDeque::new();
        for step in 0..400 {
            match rng.below(10) {
                0..=3 => {
                    let length = usize_below(&mut rng, ring.max_payload_length() + 1);
                    let payload: Vec<u8> = (0..length).map(|_| byte(&mut rng)).collect();
                    let backlog = ring.producer_position() - ring.consumer_position();
                    match ring.claim(step + 1, length) {
                        Ok(mut claim) => {
                            claim.fill(&payload);
                            model.push_back((Some(claim), Some((step + 1, payload))));
                        }
                        Err(error) => {
                            assert_eq!(error, RingError::Full);
                            let backlog = usize::try_from(backlog).expect("positive");
                            assert!(backlog + 2 * (length + 8).next_multiple_of(8) > capacity);
                        }
                    }
                }
                4..=6 if !model.is_empty() => {
                    let index = usize_below(&mut rng, model.len());
                    let (claim, expected) = &mut model[index];
                    if let Some(claim) = claim.take() {
                        if rng.chance(1, 4) {
                            claim.abort();
                            *expected = None;
                        } else {
                            claim.commit().expect("nobody unblocked it");
                        }
                    }
                }
                7 => {
                    if consumer.unblock() {
                        while matches!(model.front(), Some((None, None))) {
                            model.pop_front();
                        }
                        let (claim, expected) = model.front_mut().expect("something is blocked");
                        let claim = claim.take().expect("an open claim");
                        assert_eq!(claim.commit(), Err(RingError::Unblocked));
                        *expected = None;
                    }
                }
                _ => {
                    let limit = usize_below(&mut rng, 4);
                    consumer.read(limit, |type_id, payload| {
                        while matches!(model.front(), Some((None, None))) {
                            model.pop_front();
                        }
                        let (claim, expected) = model.front().expect("nothing is made up");
                        assert!(claim.is_none(), "open claims are not delivered");
                        assert_eq!(*expected, Some((type_id, payload.to_vec())));
                        if rng.chance(1, 5) {
                            return ReadAction::Abort;
                        }
                        model.pop_front();
                        ReadAction::Continue
                    });
                }
            }
            let backlog = ring.producer_position() - ring.consumer_position();
            assert!((0..=i64::try_from(capacity).expect("small")).contains(&backlog));
        }
        for (claim, _) in &mut model {
            if let Some(claim) = claim.take() {
                claim.commit().expect("nobody unblocked it");
            }
        }
        let expected: Vec<_> = model.into_iter().filter_map(|(_, record)| record).collect();
        assert_eq!(read_all(&mut consumer), expected, "seed {seed}");
        assert!(is_all_zero(&buffer, capacity), "seed {seed}");
        assert_eq!(consumer.corrupt_count(), 0);
    }
}

#[test]
fn garbage_neither_panics_nor_loops() {
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let capacity = 8 << rng.below(6);
        let (buffer, ring, _) = ring_of(capacity);
        scribble(&buffer, capacity, &mut rng);
        let mut consumer = RingConsumer::new(ring.clone());
        for _ in 0..20 {
            let mut count = 0;
            consumer.read(usize::MAX, |type_id, payload| {
                assert!(type_id > 0 && payload.len() <= capacity / 8);
                count += 1;
                ReadAction::Continue
            });
            assert!(count <= capacity / 8);
            let _ = ring.write(1, &[1; 8][..ring.max_payload_length().min(8)]);
            let _ = consumer.unblock();
            if rng.chance(1, 3) {
                scribble(&buffer, capacity, &mut rng);
            }
        }
    }
}

/// Puts wild words into data area and trailer: small ones, large ones, and ones that nearly fit.
fn scribble(buffer: &AtomicBuffer, capacity: usize, rng: &mut Rng) {
    for at in (0..capacity).step_by(4) {
        if rng.chance(1, 2) {
            buffer.store_i32_relaxed(at, wild(rng, capacity));
        }
    }
    for field in [trailer::TAIL, trailer::HEAD_CACHE, trailer::HEAD] {
        let at = capacity + usize::try_from(field).expect("positive");
        if rng.chance(1, 3) {
            let position = if rng.chance(1, 4) {
                rng.next_u64().cast_signed()
            } else {
                i64::from(wild(rng, capacity)) & !(i64::from(rng.chance(3, 4)) * 7)
            };
            buffer.store_i64_relaxed(at, position);
        }
    }
}

fn wild(rng: &mut Rng, capacity: usize) -> i32 {
    let near = i32::try_from(rng.below(2 * u64::try_from(capacity).expect("small")))
        .expect("capacities are small");
    match rng.below(6) {
        0 => 0,
        1 => -1,
        2 => rng.next_i32(),
        3 => [i32::MIN, i32::MAX, 1, 7, 8, 9][usize_below(rng, 6)],
        4 => -near,
        _ => near,
    }
}

#[test]
fn a_length_beyond_what_was_claimed_costs_the_block_but_not_the_ring() {
    let (buffer, ring, mut consumer) = ring();
    ring.write(1, &[1; 8]).expect("room");
    ring.write(2, &[2; 8]).expect("room");
    buffer.store_i32_relaxed(0, 4000);
    assert_eq!(read_all(&mut consumer), []);
    assert_eq!(consumer.corrupt_count(), 1);
    assert!(is_all_zero(&buffer, CAPACITY));
    ring.write(3, &[3; 8]).expect("room");
    assert_eq!(read_all(&mut consumer), [(3, vec![3; 8])]);
}

#[test]
fn a_record_too_short_or_of_a_wild_type_is_skipped_alone() {
    let (buffer, ring, mut consumer) = ring();
    for type_id in 1..=3 {
        ring.write(type_id, &[]).expect("room");
    }
    buffer.store_i32_relaxed(0, 5);
    buffer.store_i32_relaxed(12, -77);
    assert_eq!(read_all(&mut consumer), [(3, vec![])]);
    assert_eq!(consumer.corrupt_count(), 2);
}

#[test]
fn a_misaligned_tail_is_an_error_of_producers() {
    let (buffer, ring, mut consumer) = ring();
    buffer.store_i64_relaxed(CAPACITY + 128, 12);
    assert_eq!(ring.write(1, &[]), Err(RingError::Corrupt));
    assert_eq!(read_all(&mut consumer), []);
    assert!(!consumer.unblock());
}

const PRODUCERS: usize = 4;
const RECORDS: i32 = 5_000;

/// A payload that tells its producer and number and whose bytes all follow from those.
fn stamped_payload(producer: usize, number: i32) -> Vec<u8> {
    let mut payload = number.to_le_bytes().to_vec();
    let length = usize::try_from(number).expect("positive") * 7 % 60;
    let filler = u8::try_from(producer).expect("few") ^ number.to_le_bytes()[0];
    payload.resize(4 + length, filler);
    payload
}

#[test]
fn many_producers_lose_nothing_and_keep_their_order() {
    let (buffer, ring, mut consumer) = ring();
    let mut next = [0; PRODUCERS];
    thread::scope(|scope| {
        for producer in 0..PRODUCERS {
            let ring = ring.clone();
            scope.spawn(move || {
                let type_id = i32::try_from(producer).expect("few") + 1;
                for number in 0..RECORDS {
                    let payload = stamped_payload(producer, number);
                    while let Err(error) = ring.write(type_id, &payload) {
                        assert_eq!(error, RingError::Full);
                        thread::yield_now();
                    }
                }
            });
        }
        while next.iter().any(|number| *number < RECORDS) {
            let count = consumer.read(10, |type_id, payload| {
                let producer = usize::try_from(type_id).expect("positive") - 1;
                assert_eq!(payload, stamped_payload(producer, next[producer]));
                next[producer] += 1;
                ReadAction::Continue
            });
            if count == 0 {
                thread::yield_now();
            }
        }
    });
    assert_eq!(consumer.corrupt_count(), 0);
    assert!(consumer.read(1, |_, _| ReadAction::Continue) == 0);
    assert!(is_all_zero(&buffer, CAPACITY));
}

#[test]
fn producers_that_die_mid_claim_cost_only_their_own_records() {
    let (buffer, ring, mut consumer) = ring_of(1 << 16);
    let mut received = 0;
    let mut abandoned = 0;
    thread::scope(|scope| {
        let handles: Vec<_> = (0..PRODUCERS)
            .map(|producer| {
                let ring = ring.clone();
                scope.spawn(move || {
                    let mut rng = Rng::new(producer as u64);
                    let mut abandoned = 0;
                    for number in 0..200 {
                        let payload = stamped_payload(producer, number);
                        let mut claim = ring.claim(1, payload.len()).expect("the ring is large");
                        if rng.chance(1, 10) {
                            leave(claim);
                            abandoned += 1;
                        } else {
                            claim.fill(&payload);
                            claim.commit().expect("nobody unblocks meanwhile");
                        }
                    }
                    abandoned
                })
            })
            .collect();
        abandoned = handles
            .into_iter()
            .map(|h| h.join().expect("no panic"))
            .sum::<usize>();
    });
    let mut unblocked = 0;
    while ring.consumer_position() < ring.producer_position() {
        let before = ring.consumer_position();
        received += consumer.read(usize::MAX, |_, _| ReadAction::Continue);
        if ring.consumer_position() == before {
            assert!(consumer.unblock());
            unblocked += 1;
        }
    }
    assert_eq!(unblocked, abandoned);
    assert_eq!(received, PRODUCERS * 200 - abandoned);
    assert!(is_all_zero(&buffer, 1 << 16));
}

#[test]
fn correlation_ids_are_unique_across_threads() {
    let (_, ring, _) = ring();
    let mut ids: Vec<i64> = thread::scope(|scope| {
        let handles: Vec<_> = (0..PRODUCERS)
            .map(|_| {
                scope.spawn(|| {
                    (0..1000)
                        .map(|_| ring.next_correlation_id().get())
                        .collect()
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|h| -> Vec<i64> { h.join().expect("no panic") })
            .collect()
    });
    ids.sort_unstable();
    let expected: Vec<i64> = (0..4000).collect();
    assert_eq!(ids, expected);
}

fn usize_below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("below a usize")
}

fn byte(rng: &mut Rng) -> u8 {
    rng.next_u64().to_le_bytes()[0]
}
