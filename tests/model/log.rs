//! The log: publishers that reserve, trip and rotate; claims that nobody commits; readers.

use std::mem::ManuallyDrop;
use std::sync::Mutex;

use aileron::base::{Position, TermId, TermOffset};
use aileron::logbuffer::{AppendError, LogBuffer, LogSpec, log_length, reader};
use aileron::memory::AtomicBuffer;
use aileron::memory::model::Explorer;

use super::explore;

pub(super) const TERM_LENGTH: i32 = 64 * 1024;
/// A frame with 32 bytes of payload.
pub(super) const FRAME: i32 = 64;
/// Where the tails are in the bytes of a log.
const TAILS: usize = 3 * 64 * 1024;
const LIMIT: Position = Position(1 << 30);
const INITIAL: TermId = TermId(7);

/// A log whose stream begins `room` bytes before the end of its first term, and its bytes.
pub(super) fn log(terms: i32, room: i32) -> (LogBuffer, AtomicBuffer) {
    let spec = LogSpec {
        initial_term_id: INITIAL,
        start: Some((
            TermId(INITIAL.get() + terms),
            TermOffset(TERM_LENGTH - room),
        )),
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(spec.term_length, spec.page_size)).expect("small");
    let bytes = AtomicBuffer::heap(length);
    let log = LogBuffer::initialise(bytes.clone(), &spec).expect("a legal spec");
    (log, bytes)
}

struct Shared {
    log: LogBuffer,
    bytes: AtomicBuffer,
    start: Position,
    /// Where the reader is, and the first bytes of what it read.
    read: Mutex<(Position, Vec<u8>)>,
    /// Messages that an offer said it had appended, by where they end.
    appended: Mutex<Vec<(Position, u8)>>,
}

impl Shared {
    fn new(room: i32) -> Self {
        let start = Position(i64::from(TERM_LENGTH - room));
        let (log, bytes) = log(0, room);
        Self {
            log,
            bytes,
            start,
            read: Mutex::new((start, Vec::new())),
            appended: Mutex::default(),
        }
    }

    /// Publisher `number` appends a message; it tries as often as the log rotates.
    fn offer(&self, number: u8) {
        for _ in 0..4 {
            match self.log.offer(LIMIT, &[number; 32]) {
                Ok(end) => return self.appended.lock().expect("no panic").push((end, number)),
                Err(AppendError::AdminAction) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the log rotates all the time");
    }

    fn poll(&self) {
        let mut read = self.read.lock().expect("no panic");
        let (position, numbers) = &mut *read;
        let polled = reader::poll(&self.log, *position, 10, |payload, header| {
            assert_eq!(payload, [payload[0]; 32], "torn");
            assert!(header.is_begin() && header.is_end());
            numbers.push(payload[0]);
        });
        assert_eq!(polled.corruption, None);
        assert!(polled.position >= *position);
        *position = polled.position;
    }

    /// Reads to the end; what was read is what was appended, in the order of the stream.
    fn settle(&self) {
        for _ in 0..4 {
            self.poll();
        }
        let read = self.read.lock().expect("no panic");
        let mut appended = self.appended.lock().expect("no panic").clone();
        appended.sort_unstable();
        let expected: Vec<u8> = appended.iter().map(|(_, number)| *number).collect();
        assert_eq!(read.1, expected);
        assert_eq!(read.0, self.log.producer_position());
    }
}

const EXPLORER: Explorer = Explorer {
    preemptions: 2,
    old_values: 2,
    runs_max: 60_000,
    allows_peeks: false,
};

#[test]
fn what_two_publishers_append_is_read_once_and_whole() {
    explore(
        "log, two publishers and a reader",
        &EXPLORER,
        || Shared::new(1024),
        &[
            &|shared: &Shared| shared.offer(1),
            &|shared: &Shared| shared.offer(2),
            &|shared: &Shared| shared.poll(),
        ],
        Shared::settle,
    );
}

#[test]
fn a_term_that_is_full_is_rotated_once_whoever_trips() {
    // Room for one of the two, or for none.
    for (room, runs_max) in [(FRAME, 60_000), (FRAME / 2, 10_000)] {
        let explorer = Explorer {
            runs_max,
            ..EXPLORER
        };
        explore(
            "log, rotation",
            &explorer,
            || Shared::new(room),
            &[
                &|shared: &Shared| shared.offer(1),
                &|shared: &Shared| shared.offer(2),
                &|shared: &Shared| shared.poll(),
            ],
            |shared| {
                shared.settle();
                assert_eq!(shared.log.active_term_count(), 1);
            },
        );
    }
}

#[test]
fn a_claim_whose_owner_is_gone_is_padded_and_nothing_else() {
    explore(
        "log, unblocking a claim",
        &EXPLORER,
        || {
            let shared = Shared::new(1024);
            let claim = ManuallyDrop::new(shared.log.claim(LIMIT, 32).expect("room"));
            assert_eq!(claim.position(), shared.start + i64::from(FRAME));
            shared
        },
        &[&|shared: &Shared| shared.offer(1), &|shared: &Shared| {
            assert!(shared.log.unblock(shared.start));
            shared.poll();
        }],
        Shared::settle,
    );
}

/// LOG-2 has an exception: who looks for the next length in steps of 32 bytes may look at a word in
/// the midst of a frame, if its length was not there yet a moment ago.
#[test]
fn a_reservation_without_a_header_is_padded_up_to_the_next_frame() {
    let explorer = Explorer {
        allows_peeks: true,
        ..EXPLORER
    };
    explore(
        "log, unblocking a reservation",
        &explorer,
        || {
            let shared = Shared::new(1024);
            // What a publisher leaves that dies right after its fetch-add.
            shared.bytes.fetch_add_i64_acq_rel(TAILS, i64::from(FRAME));
            shared
        },
        &[
            &|shared: &Shared| {
                shared.offer(1);
                shared.offer(2);
            },
            &|shared: &Shared| {
                shared.log.unblock(shared.start);
                shared.poll();
            },
        ],
        |shared| {
            shared.log.unblock(shared.start);
            shared.settle();
        },
    );
}
