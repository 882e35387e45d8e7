//! The log of an image, as the receiver fills it.
//!
//! Nobody cleans such a log. Its one writer keeps a *frontier*, behind which nothing was received
//! yet and nobody looks:
//!
//! ```text
//!            consumed          received, and holes              left from earlier terms
//!  ──────────────────────┬──────────────▒▒▒▒────────────────0┬──────────────────────────▶
//!               subscribers              holes read as zero  frontier
//! ```
//!
//! Up to the frontier, holes read as zero, and so does the first word behind it, where the next
//! frame will be: it is stored before the frames that lead there become visible. So data that comes
//! in order is written once, into lines that need not be fetched and zeroed first; only what is
//! skipped is zeroed.
//!
//! Departs from Aeron, whose conductor zeroes what lies a term behind all subscribers. Whoever
//! reads frames one after the other, as all consumers do, finds the same.
//!
//! Because nobody looks behind the frontier, datagrams may be received right there: all but the
//! first header, which has to wait until all else is in place, and is put there at last. If
//! something else arrives than what was expected, no harm is done.

use super::frame::{HEADER_SIZE, commit, field, size};
use super::log::LogBuffer;
use super::rebuilder::{i32_at, put_rest_of_slot};
use crate::base::{Position, TermId, TermOffset};

/// Longest room for what is expected next, with the header: the longest datagram, or as many as the
/// kernel puts together.
const LANDING_LENGTH: usize = 64 * 1024;

/// The one writer of an image's log. Two of them on one log lose messages.
#[derive(Debug)]
pub(crate) struct ImageWriter {
    log: LogBuffer,
    frontier: Position,
}

impl ImageWriter {
    /// Takes up a fresh log, in which nothing was received at or behind `start`.
    pub(crate) const fn new(log: LogBuffer, start: Position) -> Self {
        Self {
            log,
            frontier: start,
        }
    }

    /// Everything up to `position` was sent: what was not received of it reads as a hole.
    pub(crate) fn reveal(&mut self, position: Position) {
        self.cover(position, position);
    }

    /// Puts datagrams, which passed `TermGeometry::validate_run` together, at `position` and behind
    /// it: those in whose place there is something already are left out. They cover the stream up
    /// to `end`, which may be more than they bring: padding. Calls `visit` for each stretch of
    /// datagrams with its begin, the end of its bytes, and whether they were put there.
    pub(crate) fn insert_run(
        &mut self,
        position: Position,
        end: Position,
        bytes: &[u8],
        segment_length: usize,
        mut visit: impl FnMut(Position, Position, bool),
    ) {
        let is_new = position >= self.frontier;
        self.cover(position, end);
        if is_new {
            let is_inserted = self.log.insert(position, bytes);
            visit(position, position + bytes.len() as i64, is_inserted);
        } else {
            self.log
                .insert_run(position, bytes, segment_length, &mut visit);
        }
    }

    /// Where the bytes that follow the header of the next frame belong, and those of the frames
    /// behind it. Whatever is put there, nobody sees it before [`Self::take_in`].
    pub(crate) fn landing(&mut self) -> Option<&mut [u8]> {
        let (index, offset) = self.log.geometry().locate(self.frontier)?;
        let term = self.log.term(index);
        let begin = size(offset);
        let end = term.len().min(begin + LANDING_LENGTH);
        // SAFETY: LOG-4 (behind the frontier of an image all is the receiver's): the slice begins
        // behind the slot at whose first word others look, and borrows the one writer.
        Some(unsafe { term.bytes_mut(begin + HEADER_SIZE..end) })
    }

    /// Where the stream will stand once what has landed is taken in: datagrams of `length` bytes
    /// together, which begin with `first`. `None` unless they are valid and next.
    pub(crate) fn check_landed(
        &self,
        first: &[u8; HEADER_SIZE],
        length: usize,
        segment_length: usize,
    ) -> Option<Landed> {
        let geometry = self.log.geometry();
        let (index, offset) = geometry.locate(self.frontier)?;
        let is_next = TermId(i32_at(first, field::TERM_ID)) == geometry.term_id_at(self.frontier)
            && i32_at(first, field::TERM_OFFSET) == offset;
        let is_whole = segment_length.is_multiple_of(HEADER_SIZE)
            && length.is_multiple_of(HEADER_SIZE)
            && (HEADER_SIZE..=LANDING_LENGTH).contains(&length);
        let (term, begin) = (self.log.term(index), size(offset));
        if !is_next || !is_whole || begin + length > term.len() {
            return None;
        }
        // SAFETY: LOG-4, as in `landing`; nothing writes there while the writer is borrowed.
        let body = unsafe { term.bytes(begin + HEADER_SIZE..begin + length) };
        let run = geometry.validate_landed(TermOffset(offset), first, body, segment_length)?;
        (run.length == length && run.covered > 0).then(|| Landed {
            begin: self.frontier,
            end: self.frontier + i64::from(run.covered),
        })
    }

    /// Makes visible what has landed, and was checked just before.
    pub(crate) fn take_in(&mut self, first: &[u8; HEADER_SIZE], landed: Landed) {
        let place = self.log.geometry().locate(self.frontier);
        let Some((index, offset)) = place.filter(|_| landed.begin == self.frontier) else {
            debug_assert!(false, "checked just before");
            return;
        };
        self.log.empty_slot(landed.end);
        self.frontier = landed.end;
        let term = self.log.term(index);
        put_rest_of_slot(term, size(offset), first);
        // PUBLISH(frame-length): the frames behind the first can only be reached through it.
        commit(term, offset, i32_at(first, 0));
    }

    /// Moves the frontier to `end`, if it is not there yet, before something is put from `begin`
    /// on.
    fn cover(&mut self, begin: Position, end: Position) {
        if end <= self.frontier {
            return;
        }
        // What is put behind the frontier need not find zeroes, other than in its first word.
        let is_new = begin >= self.frontier;
        let hole_end = if is_new { begin } else { end };
        if hole_end > self.frontier {
            self.zero_to(hole_end);
            self.log.empty_slot(hole_end);
        }
        self.log.empty_slot(end);
        self.frontier = end;
    }

    fn zero_to(&self, end: Position) {
        let mut at = self.frontier;
        while at < end {
            let next = self.log.clean(at, end);
            if next <= at {
                return;
            }
            at = next;
        }
    }
}

/// Datagrams that have landed where they belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landed {
    /// Where they begin.
    pub(crate) begin: Position,
    /// Up to where they cover the stream.
    pub(crate) end: Position,
}

impl LogBuffer {
    /// Makes the slot at a position read as empty: others will look there.
    fn empty_slot(&self, position: Position) {
        if let Some((index, offset)) = self.geometry().locate(position) {
            // Whatever leads others here is published after it.
            self.term(index).store_i32_relaxed(size(offset), 0);
        }
    }
}
