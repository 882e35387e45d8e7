//! Tests of the broadcast buffer: single behaviours, a model, garbage, and threads.

use std::thread;

use super::*;
use crate::base::Rng;

const CAPACITY: usize = 1024;

fn broadcast_of(capacity: usize) -> (AtomicBuffer, Transmitter, Receiver) {
    let buffer = AtomicBuffer::heap(capacity + BROADCAST_TRAILER_LENGTH);
    let transmitter = Transmitter::new(buffer.clone()).expect("a valid capacity");
    let receiver = Receiver::new(buffer.clone()).expect("a valid capacity");
    (buffer, transmitter, receiver)
}

fn receive(receiver: &mut Receiver) -> Result<Option<(i32, Vec<u8>)>, Lapped> {
    let mut record = None;
    let count = receiver.receive(|type_id, payload| record = Some((type_id, payload.to_vec())))?;
    assert_eq!(count, usize::from(record.is_some()));
    Ok(record)
}

#[test]
fn a_record_looks_as_the_specification_shows() {
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    let mut payload = Vec::new();
    payload.extend_from_slice(&2i64.to_le_bytes());
    payload.extend_from_slice(&2i64.to_le_bytes());
    payload.extend_from_slice(&0x1234i32.to_le_bytes());
    payload.extend_from_slice(&1001i32.to_le_bytes());
    payload.extend_from_slice(&47i32.to_le_bytes());
    payload.extend_from_slice(&(-1i32).to_le_bytes());
    payload.extend_from_slice(&41i32.to_le_bytes());
    payload.extend_from_slice(b"/dev/shm/aeron-u/publications/2.logbuffer");
    transmitter
        .transmit(0x0F03, &payload)
        .expect("not too long");
    #[rustfmt::skip]
    let expected = [
        0x55, 0, 0, 0, 0x03, 0x0f, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        0x02, 0, 0, 0, 0, 0, 0, 0, 0x34, 0x12, 0, 0, 0xe9, 0x03, 0, 0,
        0x2f, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x29, 0, 0, 0, 0x2f, 0x64, 0x65, 0x76,
    ];
    let mut bytes = [0; 48];
    buffer.read_bytes(0, &mut bytes);
    assert_eq!(bytes, expected);
    assert_eq!(buffer.load_i64_relaxed(CAPACITY), 88, "tail intent");
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 8), 88, "tail");
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 16), 0, "latest");
}

#[test]
fn an_image_event_lies_in_the_buffer_as_the_specification_shows() {
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    let mut payload = Vec::new();
    payload.extend_from_slice(&2i64.to_le_bytes());
    payload.extend_from_slice(&0x1234i32.to_le_bytes());
    payload.extend_from_slice(&1001i32.to_le_bytes());
    payload.extend_from_slice(&4i64.to_le_bytes());
    payload.extend_from_slice(&49i32.to_le_bytes());
    payload.extend_from_slice(&41i32.to_le_bytes());
    payload.extend_from_slice(b"/dev/shm/aeron-u/publications/2.logbuffer\0\0\0");
    payload.extend_from_slice(&9i32.to_le_bytes());
    payload.extend_from_slice(b"aeron:ipc");
    transmitter
        .transmit(0x0F02, &payload)
        .expect("not too long");
    #[rustfmt::skip]
    let begin = [
        0x61, 0, 0, 0, 0x02, 0x0f, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
        0x34, 0x12, 0, 0, 0xe9, 0x03, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0,
        0x31, 0, 0, 0, 0x29, 0, 0, 0, 0x2f, 0x64, 0x65, 0x76, 0x2f, 0x73, 0x68, 0x6d,
    ];
    #[rustfmt::skip]
    let end = [
        0x72, 0, 0, 0, 0x09, 0, 0, 0, 0x61, 0x65, 0x72, 0x6f, 0x6e, 0x3a, 0x69, 0x70,
        0x63, 0, 0, 0, 0, 0, 0, 0,
    ];
    let mut bytes = [0; 0x68];
    buffer.read_bytes(0, &mut bytes);
    assert_eq!(bytes[..0x30], begin);
    assert_eq!(bytes[0x50..], end);
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 8), 0x68, "tail");
}

#[test]
fn buffers_of_other_lengths_are_refused() {
    for length in [0, 128, 128 + 32, 1024, 128 + 1000] {
        assert!(
            Transmitter::new(AtomicBuffer::heap(length)).is_err(),
            "length {length}"
        );
        assert!(
            Receiver::new(AtomicBuffer::heap(length)).is_err(),
            "length {length}"
        );
    }
}

#[test]
fn every_receiver_gets_every_record_in_order() {
    let (buffer, mut transmitter, mut first) = broadcast_of(CAPACITY);
    let mut second = Receiver::new(buffer).expect("a valid capacity");
    assert_eq!(receive(&mut first), Ok(None));
    for type_id in 1..=3 {
        transmitter
            .transmit(type_id, &[1, 2, 3])
            .expect("not too long");
    }
    for receiver in [&mut first, &mut second] {
        for type_id in 1..=3 {
            assert_eq!(receive(receiver), Ok(Some((type_id, vec![1, 2, 3]))));
        }
        assert_eq!(receive(receiver), Ok(None));
    }
}

#[test]
fn a_receiver_starts_with_the_newest_record_there_is() {
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    transmitter.transmit(1, b"old").expect("not too long");
    transmitter.transmit(2, b"newest").expect("not too long");
    let mut receiver = Receiver::new(buffer).expect("a valid capacity");
    assert_eq!(receive(&mut receiver), Ok(Some((2, b"newest".to_vec()))));
    assert_eq!(receive(&mut receiver), Ok(None));
}

#[test]
fn a_payload_beyond_an_eighth_is_refused() {
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    assert_eq!(transmitter.max_payload_length(), 128);
    let error = transmitter.transmit(1, &[0; 129]).expect_err("too long");
    assert_eq!((error.length, error.max), (129, 128));
    assert_eq!(
        buffer.load_i64_relaxed(CAPACITY),
        0,
        "nothing was announced"
    );
    transmitter.transmit(1, &[0; 128]).expect("the longest");
}

#[test]
fn a_record_that_does_not_fit_before_the_end_goes_to_the_front() {
    let (buffer, mut transmitter, mut receiver) = broadcast_of(CAPACITY);
    for type_id in 1..=7 {
        transmitter
            .transmit(type_id, &[0; 128])
            .expect("not too long");
        assert!(receive(&mut receiver).expect("not lapped").is_some());
    }
    let tail = 7 * 136;
    transmitter.transmit(8, &[8; 100]).expect("not too long");
    assert_eq!(buffer.load_i32_relaxed(tail), 72, "padding up to the end");
    assert_eq!(buffer.load_i32_relaxed(tail + 4), -1);
    assert_eq!(buffer.load_i32_relaxed(0), 108);
    assert_eq!(buffer.load_i64_relaxed(CAPACITY), 1024 + 112, "tail intent");
    assert_eq!(buffer.load_i64_relaxed(CAPACITY + 16), 1024, "latest");
    assert_eq!(receive(&mut receiver), Ok(Some((8, vec![8; 100]))));
    assert_eq!(receive(&mut receiver), Ok(None));
}

#[test]
fn a_receiver_left_behind_learns_of_it_and_goes_on_with_the_newest() {
    let (_, mut transmitter, mut receiver) = broadcast_of(CAPACITY);
    for type_id in 1..=100 {
        transmitter
            .transmit(type_id, &[0; 24])
            .expect("not too long");
    }
    assert_eq!(receive(&mut receiver), Err(Lapped));
    assert_eq!(receive(&mut receiver), Ok(Some((100, vec![0; 24]))));
    assert_eq!(receive(&mut receiver), Ok(None));
}

#[test]
fn a_receiver_exactly_one_ring_behind_is_lapped() {
    let (buffer, mut transmitter, mut receiver) = broadcast_of(CAPACITY);
    let mut on_the_edge = Receiver::new(buffer).expect("a valid capacity");
    for _ in 0..CAPACITY / 32 - 1 {
        transmitter.transmit(1, &[0; 24]).expect("not too long");
    }
    assert_eq!(
        receive(&mut on_the_edge),
        Ok(Some((1, vec![0; 24]))),
        "one record of room is left"
    );
    transmitter.transmit(1, &[0; 24]).expect("not too long");
    assert_eq!(
        receive(&mut receiver),
        Err(Lapped),
        "the ring is full of newer ones"
    );
}

#[test]
fn a_transmitter_goes_on_where_the_trailer_says() {
    let (buffer, mut transmitter, mut receiver) = broadcast_of(CAPACITY);
    transmitter.transmit(1, b"one").expect("not too long");
    let mut next = Transmitter::new(buffer).expect("a valid capacity");
    next.transmit(2, b"two").expect("not too long");
    assert_eq!(receive(&mut receiver), Ok(Some((1, b"one".to_vec()))));
    assert_eq!(receive(&mut receiver), Ok(Some((2, b"two".to_vec()))));
}

#[test]
fn what_nobody_would_transmit_counts_as_lapped() {
    let length_max = 8 + i32::try_from(CAPACITY / 8).expect("small");
    for length in [i32::MIN, -1, 0, 1, 7, length_max + 1, 100_000, i32::MAX] {
        let (buffer, mut transmitter, mut receiver) = broadcast_of(CAPACITY);
        transmitter.transmit(1, &[0; 16]).expect("not too long");
        buffer.store_i32_relaxed(0, length);
        assert_eq!(receive(&mut receiver), Err(Lapped), "length {length}");
    }
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    transmitter.transmit(1, &[0; 16]).expect("not too long");
    buffer.store_i64_relaxed(CAPACITY + 16, 3);
    let mut receiver = Receiver::new(buffer).expect("a valid capacity");
    assert_eq!(receive(&mut receiver), Err(Lapped), "a misaligned position");
}

#[test]
fn receivers_see_a_suffix_of_what_was_sent() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let capacity = 64 << rng.below(5);
        let (_, mut transmitter, mut receiver) = broadcast_of(capacity);
        let mut sent: Vec<(i32, Vec<u8>)> = Vec::new();
        let mut next = 0;
        for _ in 0..500 {
            if rng.chance(1, 2) {
                let max = transmitter.max_payload_length() as u64;
                let length = usize::try_from(rng.below(max + 1)).expect("small");
                let filler = rng.next_u64().to_le_bytes()[0];
                let type_id = i32::try_from(sent.len()).expect("few") + 1;
                transmitter
                    .transmit(type_id, &vec![filler; length])
                    .expect("not too long");
                sent.push((type_id, vec![filler; length]));
            } else if rng.chance(1, 2) {
                match receive(&mut receiver) {
                    Ok(Some(record)) => {
                        assert_eq!(record, sent[next], "seed {seed}");
                        next += 1;
                    }
                    Ok(None) => assert_eq!(next, sent.len(), "seed {seed}"),
                    Err(Lapped) => {
                        let unread: usize = sent[next..]
                            .iter()
                            .map(|(_, p)| (p.len() + 8).next_multiple_of(8))
                            .sum();
                        assert!(unread + 16 + capacity / 8 > capacity, "lapped for a reason");
                        next = sent.len() - 1;
                    }
                }
            }
        }
    }
}

#[test]
fn garbage_neither_panics_nor_loops() {
    for seed in 0..2000 {
        let mut rng = Rng::new(seed);
        let capacity = 64 << rng.below(4);
        let (buffer, mut transmitter, mut receiver) = broadcast_of(capacity);
        for _ in 0..50 {
            match rng.below(6) {
                0 => buffer.store_i32_relaxed(aligned_below(&mut rng, capacity, 4), rng.next_i32()),
                1 => buffer.store_i32_relaxed(aligned_below(&mut rng, capacity, 4), -1),
                2 => {
                    let position = rng.next_u64().cast_signed() >> rng.below(64);
                    buffer.store_i64_relaxed(capacity + aligned_below(&mut rng, 24, 8), position);
                }
                3 => transmitter.transmit(1, &[1; 8]).expect("not too long"),
                4 => transmitter = Transmitter::new(buffer.clone()).expect("valid"),
                _ => {
                    let _ = receiver.receive(|_, payload| assert!(payload.len() <= capacity / 8));
                }
            }
        }
    }
}

fn aligned_below(rng: &mut Rng, bound: usize, alignment: usize) -> usize {
    let count = (bound / alignment) as u64;
    usize::try_from(rng.below(count)).expect("small") * alignment
}

#[test]
fn threads_never_see_a_torn_record() {
    const RECORDS: i32 = 50_000;
    let (buffer, mut transmitter, _) = broadcast_of(CAPACITY);
    thread::scope(|scope| {
        for _ in 0..3 {
            let mut receiver = Receiver::new(buffer.clone()).expect("a valid capacity");
            scope.spawn(move || {
                let mut last = 0;
                while last < RECORDS {
                    let result = receiver.receive(|type_id, payload| {
                        assert!(type_id > last, "{type_id} after {last}");
                        let filler = type_id.to_le_bytes()[0];
                        let length = usize::try_from(type_id * 13 % 120).expect("positive");
                        assert!(payload.len() == length && payload.iter().all(|b| *b == filler));
                        last = type_id;
                    });
                    if result == Ok(0) {
                        thread::yield_now();
                    }
                }
            });
        }
        for type_id in 1..=RECORDS {
            let length = usize::try_from(type_id * 13 % 120).expect("positive");
            let payload = [type_id.to_le_bytes()[0]; 120];
            transmitter
                .transmit(type_id, &payload[..length])
                .expect("not too long");
            if type_id % 16 == 0 {
                thread::yield_now();
            }
        }
    });
}
