//! Distinct error log: each kind of error once, with how often and when it was seen (`cnc.md` §6).
//!
//! Records are appended and never removed. A record of an error seen before only has its count and
//! its last time changed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{EpochMillis, align_usize};
use crate::memory::AtomicBuffer;

const ALIGNMENT: usize = 8;
const HEADER_LENGTH: usize = 24;

/// Offsets within a record.
mod field {
    /// `i32`: 24 + text; 0 where the log ends.
    pub(super) const LENGTH: usize = 0;
    /// `i32`: how often the error was seen. Everyone adds.
    pub(super) const OBSERVATION_COUNT: usize = 4;
    /// `i64`: epoch milliseconds.
    pub(super) const LAST_OBSERVATION: usize = 8;
    /// `i64`: epoch milliseconds.
    pub(super) const FIRST_OBSERVATION: usize = 16;
    /// UTF-8.
    pub(super) const TEXT: usize = super::HEADER_LENGTH;
}

/// The writing end of an error log, for all agents of a driver; cloning gives another handle.
///
/// It locks, so it is for the moments when something went wrong.
///
/// ```
/// use aileron::base::EpochMillis;
/// use aileron::concurrent::{DistinctErrorLog, read_error_log};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(4096);
/// let log = DistinctErrorLog::new(buffer.clone());
/// assert!(log.record(EpochMillis(10), 11, "no such interface"));
/// assert!(log.record(EpochMillis(20), 11, "no such interface"));
/// read_error_log(&buffer, EpochMillis(0), |error| {
///     assert_eq!(error.text, "no such interface");
///     assert_eq!((error.observation_count, error.last), (2, EpochMillis(20)));
/// });
/// ```
#[derive(Clone)]
pub struct DistinctErrorLog {
    buffer: AtomicBuffer,
    index: Arc<Mutex<Index>>,
}

/// What this process has recorded, and where the next record goes.
struct Index {
    next_offset: usize,
    /// Offsets of records by code and text.
    offsets: BTreeMap<i32, BTreeMap<String, usize>>,
}

impl DistinctErrorLog {
    /// A log on a buffer; what another process left there stays.
    #[must_use]
    pub fn new(buffer: AtomicBuffer) -> Self {
        let next_offset = Records::new(&buffer).last().map_or(0, |record| record.end);
        let index = Arc::new(Mutex::new(Index {
            next_offset,
            offsets: BTreeMap::new(),
        }));
        Self { buffer, index }
    }

    /// Notes that an error was seen; errors are the same when their code and text are. Returns
    /// whether it is on record: a new error does not fit into a full log.
    #[must_use = "an error that is not on record should be told otherwise"]
    pub fn record(&self, now: EpochMillis, code: i32, text: &str) -> bool {
        let Some(at) = self.find_or_append(now, code, text) else {
            return false;
        };
        self.buffer
            .fetch_add_i32_acq_rel(at + field::OBSERVATION_COUNT, 1);
        // PUBLISH(error-last): pairs with read_error_log.
        self.buffer
            .store_i64_release(at + field::LAST_OBSERVATION, now.get());
        true
    }

    fn find_or_append(&self, now: EpochMillis, code: i32, text: &str) -> Option<usize> {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = index.offsets.get(&code).and_then(|texts| texts.get(text)) {
            return Some(*at);
        }
        let at = index.next_offset;
        let length = HEADER_LENGTH + text.len();
        if length > self.buffer.len().saturating_sub(at) {
            return None;
        }
        let wire_length = i32::try_from(length).ok()?;
        self.buffer.write_bytes(at + field::TEXT, text.as_bytes());
        self.buffer
            .store_i64_relaxed(at + field::FIRST_OBSERVATION, now.get());
        index.next_offset = align_usize(at + length, ALIGNMENT);
        index
            .offsets
            .entry(code)
            .or_default()
            .insert(text.to_owned(), at);
        // PUBLISH(error-record): pairs with Records::next.
        self.buffer
            .store_i32_release(at + field::LENGTH, wire_length);
        Some(at)
    }
}

impl fmt::Debug for DistinctErrorLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DistinctErrorLog")
            .field("buffer", &self.buffer)
            .finish_non_exhaustive()
    }
}

/// One distinct error. See [`DistinctErrorLog`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorObservation {
    /// How often it was seen; 0 for a moment when it is new.
    pub observation_count: i32,
    /// When it was first seen.
    pub first: EpochMillis,
    /// When it was last seen; 0 for a moment when it is new.
    pub last: EpochMillis,
    /// What it was; what is not UTF-8 is replaced.
    pub text: String,
}

/// Hands each error last seen at `since` or later to `visit`, oldest record first, and returns how
/// many there were.
pub fn read_error_log(
    buffer: &AtomicBuffer,
    since: EpochMillis,
    mut visit: impl FnMut(ErrorObservation),
) -> usize {
    let mut count = 0;
    for record in Records::new(buffer) {
        // Pairs with PUBLISH(error-last).
        let last = EpochMillis(buffer.load_i64_acquire(record.start + field::LAST_OBSERVATION));
        if last < since {
            continue;
        }
        let mut text = vec![0; record.length.saturating_sub(HEADER_LENGTH)];
        buffer.read_bytes(record.start + field::TEXT, &mut text);
        count += 1;
        visit(ErrorObservation {
            observation_count: buffer.load_i32_relaxed(record.start + field::OBSERVATION_COUNT),
            first: EpochMillis(buffer.load_i64_relaxed(record.start + field::FIRST_OBSERVATION)),
            last,
            text: String::from_utf8_lossy(&text).into_owned(),
        });
    }
    count
}

/// Where a record lies.
struct Extent {
    start: usize,
    /// Header and text, bytes; within the buffer, whatever shared memory says.
    length: usize,
    /// Where the next one starts.
    end: usize,
}

/// The records of a log; each moves on by 8 bytes at least, so garbage ends too.
struct Records<'a> {
    buffer: &'a AtomicBuffer,
    offset: usize,
}

impl<'a> Records<'a> {
    fn new(buffer: &'a AtomicBuffer) -> Self {
        Self { buffer, offset: 0 }
    }
}

impl Iterator for Records<'_> {
    type Item = Extent;

    fn next(&mut self) -> Option<Extent> {
        let start = self.offset;
        let remaining = self
            .buffer
            .len()
            .checked_sub(start)
            .filter(|r| *r >= HEADER_LENGTH)?;
        // Pairs with PUBLISH(error-record).
        let length = usize::try_from(self.buffer.load_i32_acquire(start + field::LENGTH)).ok()?;
        if length == 0 {
            return None;
        }
        let length = length.min(remaining);
        self.offset = align_usize(start + length, ALIGNMENT);
        Some(Extent {
            start,
            length,
            end: self.offset,
        })
    }
}
