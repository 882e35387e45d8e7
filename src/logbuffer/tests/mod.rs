//! Tests of the module as a whole: golden bytes, single operations, models against oracles, and
//! hostile memory.

mod append;
mod concurrency;
mod exhaustive;
mod golden;
mod hostile;
mod image_writer;
mod read;
mod rebuild;
mod runs;
mod stream;
mod unblock;

use crate::base::{Position, SessionId, StreamId, TermId};
use crate::memory::AtomicBuffer;

use super::frame::{self, Slot, aligned, size};
use super::{LogBuffer, LogKind, LogSpec, log_length, reader};

const TERM_LENGTH: i32 = 65536;
const NO_LIMIT: Position = Position(i64::MAX);

/// A small stream of an ordinary publication.
fn spec() -> LogSpec {
    LogSpec {
        session_id: SessionId(0x1122_3344),
        stream_id: StreamId(1001),
        initial_term_id: TermId(5),
        ..LogSpec::default()
    }
}

fn exclusive() -> LogSpec {
    LogSpec {
        kind: LogKind::Exclusive,
        ..spec()
    }
}

fn memory(spec: &LogSpec) -> AtomicBuffer {
    let length = log_length(spec.term_length, spec.page_size);
    AtomicBuffer::heap(usize::try_from(length).expect("small"))
}

fn log(spec: &LogSpec) -> LogBuffer {
    LogBuffer::initialise(memory(spec), spec).expect("a legal spec")
}

/// A message that tells where it went wrong when it comes out changed.
fn message(length: usize, seed: u8) -> Vec<u8> {
    (0..=u8::MAX)
        .cycle()
        .take(length)
        .map(|n| n.wrapping_mul(7) ^ seed | 1)
        .collect()
}

/// All fragments from `position` on, over term ends, with the position reached.
fn read_all(log: &LogBuffer, mut position: Position) -> (Vec<Vec<u8>>, Position) {
    let mut all = Vec::new();
    loop {
        let polled = reader::poll(log, position, 1000, |payload, _| all.push(payload.to_vec()));
        assert_eq!(polled.corruption, None);
        if polled.position == position {
            return (all, position);
        }
        position = polled.position;
    }
}

/// Length, flags, type and offset of each committed frame of a term, from its begin on.
fn frames(log: &LogBuffer, index: usize) -> Vec<(i32, u8, u16, i32)> {
    let term = log.term(index);
    let mut all = Vec::new();
    let mut offset = 0;
    while offset < log.geometry().term_length() {
        let Slot::Committed(length) = frame::slot(term, offset, log.geometry().term_length())
        else {
            break;
        };
        let flags = term.load_u8_relaxed(size(offset) + frame::field::FLAGS);
        let written = term.load_i32_relaxed(size(offset) + frame::field::TERM_OFFSET);
        assert_eq!(written, offset, "a frame tells its own offset");
        all.push((length, flags, frame::frame_type(term, offset), offset));
        offset += aligned(length);
    }
    all
}
