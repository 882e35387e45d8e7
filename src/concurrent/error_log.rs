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

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::base::Rng;

    fn read(buffer: &AtomicBuffer, since: i64) -> Vec<ErrorObservation> {
        let mut errors = Vec::new();
        let count = read_error_log(buffer, EpochMillis(since), |error| errors.push(error));
        assert_eq!(count, errors.len());
        errors
    }

    #[test]
    fn a_record_lies_where_peers_expect_it() {
        let buffer = AtomicBuffer::heap(1024);
        let log = DistinctErrorLog::new(buffer.clone());
        assert!(log.record(EpochMillis(7), 1, "first"));
        assert!(log.record(EpochMillis(8), 1, "second"));
        assert!(log.record(EpochMillis(9), 1, "first"));
        assert_eq!(buffer.load_i32_relaxed(0), 29, "length");
        assert_eq!(buffer.load_i32_relaxed(4), 2, "count");
        assert_eq!(buffer.load_i64_relaxed(8), 9, "last");
        assert_eq!(buffer.load_i64_relaxed(16), 7, "first");
        let mut text = [0; 5];
        buffer.read_bytes(24, &mut text);
        assert_eq!(&text, b"first");
        assert_eq!(
            buffer.load_i32_relaxed(32),
            30,
            "the next record is 8-aligned"
        );
    }

    #[test]
    fn errors_are_distinct_by_code_and_text() {
        let buffer = AtomicBuffer::heap(1024);
        let log = DistinctErrorLog::new(buffer.clone());
        let other = log.clone();
        for (handle, code, text) in [
            (&log, 1, "a"),
            (&other, 1, "a"),
            (&log, 2, "a"),
            (&log, 1, "b"),
        ] {
            assert!(handle.record(EpochMillis(5), code, text));
        }
        let counts: Vec<_> = read(&buffer, 0)
            .into_iter()
            .map(|e| (e.text, e.observation_count))
            .collect();
        assert_eq!(
            counts,
            [
                ("a".to_owned(), 2),
                ("a".to_owned(), 1),
                ("b".to_owned(), 1)
            ]
        );
    }

    #[test]
    fn only_errors_seen_lately_are_read() {
        let buffer = AtomicBuffer::heap(1024);
        let log = DistinctErrorLog::new(buffer.clone());
        assert!(log.record(EpochMillis(5), 1, "old"));
        assert!(log.record(EpochMillis(6), 1, "new"));
        assert_eq!(read(&buffer, 5).len(), 2);
        assert_eq!(read(&buffer, 6)[0].text, "new");
        assert!(log.record(EpochMillis(9), 1, "old"));
        let errors = read(&buffer, 7);
        assert_eq!(errors.len(), 1);
        assert_eq!(
            (errors[0].first, errors[0].last),
            (EpochMillis(5), EpochMillis(9))
        );
    }

    #[test]
    fn a_full_log_takes_only_what_it_knows() {
        let buffer = AtomicBuffer::heap(64);
        let log = DistinctErrorLog::new(buffer.clone());
        assert!(log.record(EpochMillis(1), 1, "12345678"));
        assert!(
            !log.record(EpochMillis(1), 1, "123456789"),
            "one byte too long"
        );
        assert!(
            log.record(EpochMillis(1), 1, "abcdefgh"),
            "to the last byte"
        );
        assert!(!log.record(EpochMillis(1), 1, ""));
        assert!(log.record(EpochMillis(2), 1, "12345678"));
        assert_eq!(read(&buffer, 0).len(), 2);
        assert!(!DistinctErrorLog::new(AtomicBuffer::heap(16)).record(EpochMillis(1), 1, ""));
    }

    #[test]
    fn a_log_goes_on_behind_what_is_there() {
        let buffer = AtomicBuffer::heap(1024);
        assert!(DistinctErrorLog::new(buffer.clone()).record(EpochMillis(1), 1, "before"));
        assert!(DistinctErrorLog::new(buffer.clone()).record(EpochMillis(2), 1, "after"));
        let texts: Vec<_> = read(&buffer, 0).into_iter().map(|e| e.text).collect();
        assert_eq!(texts, ["before", "after"]);
    }

    #[test]
    fn garbage_neither_panics_nor_loops() {
        for seed in 0..2000 {
            let mut rng = Rng::new(seed);
            let words = 1 + rng.below(64);
            let buffer = AtomicBuffer::heap(usize::try_from(words).expect("small") * 4);
            for at in (0..buffer.len()).step_by(4) {
                let word = if rng.chance(1, 3) {
                    rng.next_i32()
                } else {
                    1 + (rng.next_i32() & 63)
                };
                buffer.store_i32_relaxed(at, word);
            }
            let mut bytes = 0;
            read_error_log(&buffer, EpochMillis(i64::MIN), |error| {
                bytes += error.text.chars().count();
            });
            assert!(bytes <= buffer.len());
            let _ = DistinctErrorLog::new(buffer).record(EpochMillis(1), 1, "x");
        }
    }

    #[test]
    fn threads_count_every_observation() {
        let buffer = AtomicBuffer::heap(4096);
        let log = DistinctErrorLog::new(buffer.clone());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..1000 {
                        assert!(log.record(EpochMillis(1), 1, &format!("error {}", number % 10)));
                        read_error_log(&buffer, EpochMillis(0), |error| {
                            assert!(error.text.starts_with("error "));
                        });
                    }
                });
            }
        });
        let errors = read(&buffer, 0);
        assert_eq!(errors.len(), 10);
        assert!(errors.iter().all(|error| error.observation_count == 400));
    }
}
