//! A term buffer that is used again: the conductor cleans what all have read, then lets publishers
//! on; they find empty memory, and readers nothing of before.

use std::sync::Mutex;

use aileron::base::Position;
use aileron::logbuffer::{AppendError, LogBuffer, reader};
use aileron::memory::AtomicBuffer;
use aileron::memory::model::Explorer;

use super::explore;
use super::log::{FRAME, TERM_LENGTH, log};

/// What is left of the stream's first term in the buffer that its fourth is to have.
const DIRTY: i32 = 2 * FRAME;

struct Shared {
    log: LogBuffer,
    /// The publisher limit.
    limit: AtomicBuffer,
    start: Position,
    appended: Mutex<Vec<u8>>,
    read: Mutex<(Position, Vec<u8>)>,
}

impl Shared {
    /// A stream in its third term, with room for one more message there.
    fn new() -> Self {
        let (log, bytes) = log(2, FRAME);
        for at in (0..DIRTY).step_by(4) {
            let is_length = at % FRAME == 0;
            let word = if is_length { FRAME } else { 0x5555_5555 };
            bytes.store_i32_relaxed(usize::try_from(at).expect("small"), word);
        }
        let start = Position(i64::from(3 * TERM_LENGTH - FRAME));
        let limit = AtomicBuffer::heap(64);
        // Nobody may come to the end of a term before the next one is clean.
        limit.store_i64_release(0, start.get());
        Self {
            log,
            limit,
            start,
            appended: Mutex::default(),
            read: Mutex::new((start, Vec::new())),
        }
    }

    fn clean(&self) {
        let cleaned = self.log.clean(Position(0), Position(i64::from(DIRTY)));
        assert_eq!(cleaned, Position(i64::from(DIRTY)));
        let limit = self.start.get() + i64::from(FRAME + DIRTY);
        self.limit.store_i64_release(0, limit);
    }

    fn publish(&self) {
        let mut number = 1;
        for _ in 0..4 {
            let limit = Position(self.limit.load_i64_acquire(0));
            match self.log.offer(limit, &[number; 32]) {
                Ok(_) => {
                    self.appended.lock().expect("no panic").push(number);
                    number += 1;
                }
                Err(AppendError::AdminAction) => {}
                Err(AppendError::BackPressured | AppendError::NotConnected) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn poll(&self) {
        let mut read = self.read.lock().expect("no panic");
        let (position, numbers) = &mut *read;
        let polled = reader::poll(&self.log, *position, 10, |payload, header| {
            assert_eq!(payload, [payload[0]; 32], "torn");
            assert_eq!(header.reserved_value(), 0, "something of before");
            numbers.push(payload[0]);
        });
        assert_eq!(polled.corruption, None);
        *position = polled.position;
    }
}

#[test]
fn a_buffer_that_is_used_again_is_empty_for_everybody() {
    let explorer = Explorer {
        preemptions: 2,
        old_values: 2,
        runs_max: 60_000,
        ..Explorer::default()
    };
    explore(
        "log, a buffer used again",
        &explorer,
        Shared::new,
        &[&Shared::clean, &Shared::publish, &|shared: &Shared| {
            shared.poll();
            shared.poll();
        }],
        |shared| {
            (0..4).for_each(|_| shared.poll());
            let read = shared.read.lock().expect("no panic").1.clone();
            assert_eq!(read, *shared.appended.lock().expect("no panic"));
        },
    );
}
