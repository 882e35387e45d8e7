//! The ring of commands: many producers, one consumer, claims that are never committed.

use std::mem::ManuallyDrop;
use std::sync::Mutex;

use aileron::concurrent::{RING_TRAILER_LENGTH, ReadAction, RingBuffer, RingConsumer, RingError};
use aileron::memory::AtomicBuffer;
use aileron::memory::model::Explorer;

use super::explore;

/// Four records of 16 bytes.
const CAPACITY: usize = 64;

struct Shared {
    ring: RingBuffer,
    consumer: Mutex<RingConsumer>,
    taken: Mutex<Vec<(i32, Vec<u8>)>>,
    /// Whether there was room for a producer. Nobody holds a lock that another thread of a run
    /// wants while it accesses what is checked.
    had_room: Mutex<bool>,
}

impl Shared {
    /// A ring in which so many records went through before.
    fn new(used: usize) -> Self {
        let buffer = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
        let ring = RingBuffer::new(buffer).expect("a power of two");
        let mut consumer = RingConsumer::new(ring.clone());
        for _ in 0..used {
            ring.write(99, &[9; 8]).expect("room");
            assert_eq!(consumer.read(1, |_, _| ReadAction::Continue), 1);
        }
        Self {
            ring,
            consumer: Mutex::new(consumer),
            taken: Mutex::default(),
            had_room: Mutex::default(),
        }
    }

    fn read(&self) -> usize {
        let mut consumer = self.consumer.lock().expect("no panic");
        let mut taken = self.taken.lock().expect("no panic");
        let count = consumer.read(4, |type_id, payload| {
            taken.push((type_id, payload.to_vec()));
            ReadAction::Continue
        });
        assert_eq!(consumer.corrupt_count(), 0);
        count
    }

    fn drain(&self) -> Vec<(i32, Vec<u8>)> {
        // Twice around: a read stops at the end of the ring.
        for _ in 0..3 {
            self.read();
        }
        std::mem::take(&mut *self.taken.lock().expect("no panic"))
    }
}

/// Producer `number` writes a record; whether there was room.
fn write(shared: &Shared, type_id: i32) -> bool {
    let byte = type_id.to_le_bytes()[0];
    match shared.ring.write(type_id, &[byte; 7]) {
        Ok(()) => true,
        Err(RingError::Full) => false,
        Err(error) => panic!("{error}"),
    }
}

fn is_whole(record: &(i32, Vec<u8>)) -> bool {
    record.1 == [record.0.to_le_bytes()[0]; 7]
}

const EXPLORER: Explorer = Explorer {
    preemptions: 2,
    old_values: 2,
    runs_max: 60_000,
    allows_peeks: false,
};

#[test]
fn every_record_of_two_producers_arrives_once_and_whole() {
    explore(
        "ring, two producers around its end",
        &EXPLORER,
        || Shared::new(3),
        &[
            &|shared: &Shared| assert!(write(shared, 1)),
            &|shared: &Shared| assert!(write(shared, 2)),
            &|shared: &Shared| {
                shared.read();
            },
        ],
        |shared| {
            let mut taken = shared.drain();
            assert!(taken.iter().all(is_whole), "{taken:?}");
            taken.sort_unstable();
            assert_eq!(taken.len(), 2, "{taken:?}");
            assert_eq!((taken[0].0, taken[1].0), (1, 2));
        },
    );
}

#[test]
fn a_full_ring_refuses_and_room_is_used_only_once_it_is_zeroed() {
    explore(
        "ring, full",
        &EXPLORER,
        || {
            let shared = Shared::new(1);
            for type_id in 10..14 {
                assert!(write(&shared, type_id));
            }
            shared
        },
        &[
            &|shared: &Shared| {
                let had_room = write(shared, 1);
                *shared.had_room.lock().expect("no panic") = had_room;
            },
            &|shared: &Shared| {
                shared.read();
            },
        ],
        |shared| {
            let taken = shared.drain();
            assert!(taken.iter().all(is_whole), "{taken:?}");
            let ids: Vec<i32> = taken.iter().map(|record| record.0).collect();
            let mut expected = vec![10, 11, 12, 13];
            let had_room = *shared.had_room.lock().expect("no panic");
            expected.extend(had_room.then_some(1));
            assert_eq!(ids, expected);
        },
    );
}

#[test]
fn a_claim_whose_owner_is_gone_is_skipped_and_nothing_else() {
    explore(
        "ring, unblocking",
        &EXPLORER,
        || {
            let shared = Shared::new(2);
            let claim = ManuallyDrop::new(shared.ring.claim(7, 4).expect("room"));
            assert_eq!(claim.payload_length(), 4);
            shared
        },
        &[
            &|shared: &Shared| assert!(write(shared, 1)),
            &|shared: &Shared| {
                let _ = shared.consumer.lock().expect("no panic").unblock();
                shared.read();
            },
        ],
        |shared| {
            let _ = shared.consumer.lock().expect("no panic").unblock();
            let taken = shared.drain();
            assert_eq!(taken.len(), 1, "{taken:?}");
            assert!(is_whole(&taken[0]));
        },
    );
}

#[test]
fn no_two_get_the_same_correlation_id() {
    let take = |(ring, ids): &(RingBuffer, Mutex<Vec<i64>>)| {
        for _ in 0..2 {
            let id = ring.next_correlation_id().get();
            ids.lock().expect("no panic").push(id);
        }
    };
    explore(
        "ring, correlation ids",
        &EXPLORER,
        || (Shared::new(0).ring, Mutex::default()),
        &[&take, &take],
        |(_, ids)| {
            let mut ids = ids.lock().expect("no panic").clone();
            ids.sort_unstable();
            assert_eq!(ids, [0, 1, 2, 3]);
        },
    );
}
