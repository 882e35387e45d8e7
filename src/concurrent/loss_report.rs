//! Loss report: which streams lost how much, and when (`cnc.md` §7).
//!
//! The driver appends one entry per image on its first loss and keeps adding to it. Tools read.

use std::fmt;
use std::ops::Range;

use crate::base::{EpochMillis, SessionId, StreamId, align_usize};
use crate::memory::AtomicBuffer;

const ENTRY_ALIGNMENT: usize = 64;
const WORD: usize = 4;

/// Offsets within an entry.
mod field {
    /// `i64`: how often loss was seen; 0 where the report ends. Everyone adds.
    pub(super) const OBSERVATION_COUNT: usize = 0;
    /// `i64`: sum of bytes lost. Everyone adds.
    pub(super) const TOTAL_BYTES_LOST: usize = 8;
    /// `i64`: epoch milliseconds.
    pub(super) const FIRST_OBSERVATION: usize = 16;
    /// `i64`: epoch milliseconds.
    pub(super) const LAST_OBSERVATION: usize = 24;
    /// `i32`.
    pub(super) const SESSION_ID: usize = 32;
    /// `i32`.
    pub(super) const STREAM_ID: usize = 36;
    /// `i32` length, then the bytes; a multiple of 4 in all. The source follows in the same form,
    /// not rounded up.
    pub(super) const CHANNEL: usize = 40;
}

/// The stream that an entry is about. See [`LossReport`] for an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the file format has these four")]
pub struct LossSource<'a> {
    /// Session of the image.
    pub session_id: SessionId,
    /// Stream of the image.
    pub stream_id: StreamId,
    /// Channel of the endpoint that received it, as the user wrote it.
    pub channel: &'a str,
    /// Where it came from, as `host:port`.
    pub source_identity: &'a str,
}

/// The writing end of a loss report.
///
/// ```
/// use aileron::base::{EpochMillis, SessionId, StreamId};
/// use aileron::concurrent::{LossReport, LossSource, read_loss_report};
/// use aileron::memory::AtomicBuffer;
/// let buffer = AtomicBuffer::heap(4096);
/// let mut report = LossReport::new(buffer.clone());
/// let source = LossSource {
///     session_id: SessionId(5),
///     stream_id: StreamId(1001),
///     channel: "aeron:udp?endpoint=localhost:4040",
///     source_identity: "127.0.0.1:50000",
/// };
/// let entry = report.create_entry(&source, 1408, EpochMillis(10)).unwrap();
/// entry.record(64, EpochMillis(20));
/// read_loss_report(&buffer, |loss| {
///     assert_eq!((loss.observation_count, loss.total_bytes_lost), (2, 1472));
/// });
/// ```
#[derive(Debug)]
pub struct LossReport {
    buffer: AtomicBuffer,
    next_offset: usize,
}

impl LossReport {
    /// A report on a buffer; what another process left there stays.
    #[must_use]
    pub fn new(buffer: AtomicBuffer) -> Self {
        let next_offset = Entries::new(&buffer).last().map_or(0, |entry| entry.end);
        Self {
            buffer,
            next_offset,
        }
    }

    /// Notes the first loss of an image, `bytes_lost` of it. `None` when the report is full; then it
    /// stays full, so there is no use in trying again for this image.
    #[must_use]
    pub fn create_entry(
        &mut self,
        source: &LossSource<'_>,
        bytes_lost: i64,
        now: EpochMillis,
    ) -> Option<LossEntry> {
        let at = self.next_offset;
        let channel = source.channel.as_bytes();
        let identity = source.source_identity.as_bytes();
        let identity_offset = field::CHANNEL + align_usize(WORD + channel.len(), WORD);
        let required = identity_offset + WORD + identity.len();
        if required > self.buffer.len().saturating_sub(at) {
            return None;
        }
        let entry = self.buffer.slice(at..at + required);
        entry.store_i64_relaxed(field::TOTAL_BYTES_LOST, bytes_lost);
        entry.store_i64_relaxed(field::FIRST_OBSERVATION, now.get());
        entry.store_i64_relaxed(field::LAST_OBSERVATION, now.get());
        entry.store_i32_relaxed(field::SESSION_ID, source.session_id.get());
        entry.store_i32_relaxed(field::STREAM_ID, source.stream_id.get());
        write_text(&entry, field::CHANNEL, channel);
        write_text(&entry, identity_offset, identity);
        // PUBLISH(loss-entry): pairs with Entries::next.
        entry.store_i64_release(field::OBSERVATION_COUNT, 1);
        self.next_offset = align_usize(at + required, ENTRY_ALIGNMENT);
        Some(LossEntry { entry })
    }
}

/// The entry of one image in a [`LossReport`]; see there for an example.
#[derive(Clone)]
pub struct LossEntry {
    entry: AtomicBuffer,
}

impl LossEntry {
    /// Notes further loss of the same image.
    pub fn record(&self, bytes_lost: i64, now: EpochMillis) {
        // PUBLISH(loss-last): pairs with read_loss_report.
        self.entry
            .store_i64_release(field::LAST_OBSERVATION, now.get());
        self.entry
            .fetch_add_i64_acq_rel(field::TOTAL_BYTES_LOST, bytes_lost);
        self.entry
            .fetch_add_i64_acq_rel(field::OBSERVATION_COUNT, 1);
    }
}

impl fmt::Debug for LossEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LossEntry").finish_non_exhaustive()
    }
}

/// What one image has lost. See [`LossReport`] for an example.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LossObservation {
    /// How often loss was seen.
    pub observation_count: i64,
    /// Sum of bytes lost.
    pub total_bytes_lost: i64,
    /// When loss was first seen.
    pub first: EpochMillis,
    /// When loss was last seen.
    pub last: EpochMillis,
    /// Session of the image.
    pub session_id: SessionId,
    /// Stream of the image.
    pub stream_id: StreamId,
    /// Channel of the endpoint that received it; what is not UTF-8 is replaced.
    pub channel: String,
    /// Where it came from; what is not UTF-8 is replaced.
    pub source_identity: String,
}

/// Hands each entry of a report to `visit`, oldest first, and returns how many there were.
pub fn read_loss_report(buffer: &AtomicBuffer, mut visit: impl FnMut(LossObservation)) -> usize {
    let mut count = 0;
    for entry in Entries::new(buffer) {
        let start = entry.start;
        count += 1;
        visit(LossObservation {
            observation_count: entry.observation_count,
            total_bytes_lost: buffer.load_i64_acquire(start + field::TOTAL_BYTES_LOST),
            first: EpochMillis(buffer.load_i64_relaxed(start + field::FIRST_OBSERVATION)),
            // Pairs with PUBLISH(loss-last).
            last: EpochMillis(buffer.load_i64_acquire(start + field::LAST_OBSERVATION)),
            session_id: SessionId(buffer.load_i32_relaxed(start + field::SESSION_ID)),
            stream_id: StreamId(buffer.load_i32_relaxed(start + field::STREAM_ID)),
            channel: text_of(buffer, &entry.channel),
            source_identity: text_of(buffer, &entry.source_identity),
        });
    }
    count
}

/// Where an entry and its texts lie; all within the buffer, whatever shared memory says.
struct Extent {
    start: usize,
    observation_count: i64,
    channel: Range<usize>,
    source_identity: Range<usize>,
    /// Where the next one starts.
    end: usize,
}

/// The entries of a report; each moves on by 64 bytes at least, so garbage ends too.
struct Entries<'a> {
    buffer: &'a AtomicBuffer,
    offset: usize,
}

impl<'a> Entries<'a> {
    fn new(buffer: &'a AtomicBuffer) -> Self {
        Self { buffer, offset: 0 }
    }
}

impl Iterator for Entries<'_> {
    type Item = Extent;

    fn next(&mut self) -> Option<Extent> {
        let start = self.offset;
        if start + field::CHANNEL > self.buffer.len() {
            return None;
        }
        // Pairs with PUBLISH(loss-entry).
        let observation_count = self
            .buffer
            .load_i64_acquire(start + field::OBSERVATION_COUNT);
        if observation_count <= 0 {
            return None;
        }
        let channel = text_range(self.buffer, start + field::CHANNEL)?;
        let source_identity = text_range(self.buffer, align_usize(channel.end, WORD))?;
        self.offset = align_usize(source_identity.end, ENTRY_ALIGNMENT);
        Some(Extent {
            start,
            observation_count,
            channel,
            source_identity,
            end: self.offset,
        })
    }
}

fn write_text(entry: &AtomicBuffer, at: usize, text: &[u8]) {
    let length = i32::try_from(text.len()).expect("a text that fits a report is short");
    entry.store_i32_relaxed(at, length);
    entry.write_bytes(at + WORD, text);
}

/// Where the text lies whose length stands at `at`, if it lies within the buffer.
fn text_range(buffer: &AtomicBuffer, at: usize) -> Option<Range<usize>> {
    let start = at + WORD;
    let room = buffer.len().checked_sub(start)?;
    let length = usize::try_from(buffer.load_i32_relaxed(at)).ok()?;
    (length <= room).then(|| start..start + length)
}

fn text_of(buffer: &AtomicBuffer, range: &Range<usize>) -> String {
    let mut bytes = vec![0; range.len()];
    buffer.read_bytes(range.start, &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn source<'a>(channel: &'a str, source_identity: &'a str) -> LossSource<'a> {
        LossSource {
            session_id: SessionId(5),
            stream_id: StreamId(6),
            channel,
            source_identity,
        }
    }

    fn read(buffer: &AtomicBuffer) -> Vec<LossObservation> {
        let mut entries = Vec::new();
        let count = read_loss_report(buffer, |entry| entries.push(entry));
        assert_eq!(count, entries.len());
        entries
    }

    #[test]
    fn an_entry_lies_where_peers_expect_it() {
        let buffer = AtomicBuffer::heap(1024);
        let mut report = LossReport::new(buffer.clone());
        let entry = report
            .create_entry(&source("aeron", "h:1"), 100, EpochMillis(7))
            .expect("room");
        entry.record(20, EpochMillis(9));
        assert_eq!(
            [0, 8, 16, 24].map(|at| buffer.load_i64_relaxed(at)),
            [2, 120, 7, 9]
        );
        assert_eq!(
            [32, 36, 40].map(|at| buffer.load_i32_relaxed(at)),
            [5, 6, 5]
        );
        let mut text = [0; 5];
        buffer.read_bytes(44, &mut text);
        assert_eq!(&text, b"aeron");
        assert_eq!(
            buffer.load_i32_relaxed(52),
            3,
            "the source follows 4-aligned"
        );
        buffer.read_bytes(56, &mut text[..3]);
        assert_eq!(&text[..3], b"h:1");
        let _second = report
            .create_entry(&source("c", "s"), 1, EpochMillis(8))
            .expect("room");
        assert_eq!(
            buffer.load_i64_relaxed(64),
            1,
            "the next entry is 64-aligned"
        );
    }

    #[test]
    fn entries_of_any_text_length_are_read_back() {
        let buffer = AtomicBuffer::heap(64 * 1024);
        let mut report = LossReport::new(buffer.clone());
        let texts: Vec<_> = (0..100)
            .map(|n| ("c".repeat(n % 70), "s".repeat(n % 33)))
            .collect();
        for (channel, identity) in &texts {
            report
                .create_entry(&source(channel, identity), 1, EpochMillis(1))
                .expect("room");
        }
        let read: Vec<_> = read(&buffer)
            .into_iter()
            .map(|e| (e.channel, e.source_identity))
            .collect();
        assert_eq!(read, texts);
    }

    #[test]
    fn a_full_report_takes_no_more() {
        let buffer = AtomicBuffer::heap(128);
        let mut report = LossReport::new(buffer.clone());
        assert!(
            report
                .create_entry(&source(&"c".repeat(81), ""), 1, EpochMillis(1))
                .is_none()
        );
        assert!(
            report
                .create_entry(&source(&"c".repeat(80), ""), 1, EpochMillis(1))
                .is_some()
        );
        assert!(
            report
                .create_entry(&source("", ""), 1, EpochMillis(1))
                .is_none()
        );
        assert_eq!(read(&buffer).len(), 1);
        let mut next = LossReport::new(buffer);
        assert!(
            next.create_entry(&source("", ""), 1, EpochMillis(1))
                .is_none(),
            "still full"
        );
    }

    #[test]
    fn garbage_neither_panics_nor_loops() {
        for seed in 0..2000 {
            let mut rng = Rng::new(seed);
            let words = 1 + rng.below(128);
            let buffer = AtomicBuffer::heap(usize::try_from(words).expect("small") * 4);
            for at in (0..buffer.len()).step_by(4) {
                let word = if rng.chance(1, 4) {
                    rng.next_i32()
                } else {
                    rng.next_i32() & 31
                };
                buffer.store_i32_relaxed(at, word);
            }
            let mut bytes = 0;
            read_loss_report(&buffer, |e| bytes += e.channel.chars().count());
            assert!(bytes <= buffer.len());
            let mut report = LossReport::new(buffer);
            let _ = report.create_entry(&source("c", "s"), 1, EpochMillis(1));
        }
    }
}
