//! The broadcast of events: a receiver gets whole records in order, or is told that it missed some.

use std::sync::Mutex;

use aileron::concurrent::{BROADCAST_TRAILER_LENGTH, Lapped, Receiver, Transmitter};
use aileron::memory::AtomicBuffer;
use aileron::memory::model::Explorer;

use super::explore;

/// Four records of 16 bytes.
const CAPACITY: usize = 64;

struct Shared {
    transmitter: Mutex<Transmitter>,
    receiver: Mutex<Receiver>,
}

impl Shared {
    /// A broadcast of so many records, none of which was received.
    fn new(sent: i32) -> Self {
        let buffer = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
        let receiver = Receiver::new(buffer.clone()).expect("a power of two");
        let transmitter = Transmitter::new(buffer).expect("a power of two");
        let shared = Self {
            transmitter: Mutex::new(transmitter),
            receiver: Mutex::new(receiver),
        };
        (1..=sent).for_each(|type_id| shared.transmit(type_id));
        shared
    }

    fn transmit(&self, type_id: i32) {
        let bytes = [type_id.to_le_bytes()[0]; 8];
        let mut transmitter = self.transmitter.lock().expect("no panic");
        transmitter.transmit(type_id, &bytes).expect("short");
    }

    /// The next record's number: whole, or none.
    fn receive(&self) -> Result<Option<i32>, Lapped> {
        let mut number = None;
        let mut receiver = self.receiver.lock().expect("no panic");
        receiver.receive(|type_id, payload| {
            assert_eq!(payload, [type_id.to_le_bytes()[0]; 8], "torn");
            number = Some(type_id);
        })?;
        Ok(number)
    }
}

const EXPLORER: Explorer = Explorer {
    preemptions: 2,
    old_values: 2,
    runs_max: 60_000,
    allows_peeks: false,
};

fn receive_some(shared: &Shared, count: usize) {
    let mut last = 0;
    for _ in 0..count {
        if let Ok(Some(number)) = shared.receive() {
            assert!(number > last, "{number} after {last}");
            last = number;
        }
    }
}

#[test]
fn what_is_received_is_whole_and_in_order_while_it_is_sent() {
    explore(
        "broadcast, keeping up",
        &EXPLORER,
        || Shared::new(0),
        &[
            &|shared: &Shared| (1..=2).for_each(|type_id| shared.transmit(type_id)),
            &|shared: &Shared| receive_some(shared, 2),
        ],
        |shared| while shared.receive() != Ok(None) {},
    );
}

#[test]
fn what_is_overwritten_meanwhile_is_not_handed_out() {
    explore(
        "broadcast, overtaken",
        &EXPLORER,
        || Shared::new(3),
        &[
            &|shared: &Shared| (4..=6).for_each(|type_id| shared.transmit(type_id)),
            &|shared: &Shared| receive_some(shared, 2),
        ],
        |shared| while shared.receive() != Ok(None) {},
    );
}
