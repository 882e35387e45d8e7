//! What the receiver does with a data datagram: validate it, and put it where it belongs.

use crate::base::{Position, TermOffset, align_i64};
use crate::memory::AtomicBuffer;

use super::frame::{
    FRAME_ALIGNMENT, HEADER_LENGTH, HEADER_SIZE, LENGTH_SIZE, TYPE_DATA, TYPE_PAD, commit, field,
    size,
};
use super::geometry::TermGeometry;
use super::log::LogBuffer;

impl TermGeometry {
    /// Checks the frames of a data datagram that claims to start at `term_offset` (`wire.md` §5.5),
    /// and returns how many bytes of the stream it covers: 0 for a heartbeat. `None` if it is not
    /// valid.
    ///
    /// ```
    /// use aileron::base::{TermId, TermOffset};
    /// use aileron::logbuffer::TermGeometry;
    /// let geometry = TermGeometry::new(TermId(0), 65536).unwrap();
    /// let heartbeat = [0; 32];
    /// assert_eq!(geometry.validate_datagram(TermOffset(64), &heartbeat), Some(0));
    /// assert_eq!(geometry.validate_datagram(TermOffset(65), &heartbeat), None);
    /// assert_eq!(geometry.validate_datagram(TermOffset(64), &[0; 64]), None);
    /// ```
    #[must_use]
    pub fn validate_datagram(self, term_offset: TermOffset, datagram: &[u8]) -> Option<i32> {
        let (first, rest) = datagram.split_first_chunk()?;
        self.validate_frames(term_offset, first, rest)
    }

    /// Checks the frames of a datagram, of which `rest` lies behind the first header.
    #[inline]
    fn validate_frames(
        self,
        term_offset: TermOffset,
        first: &[u8; HEADER_SIZE],
        rest: &[u8],
    ) -> Option<i32> {
        let term_length = self.term_length();
        let start = term_offset.0;
        if start < 0 || start >= term_length || start % FRAME_ALIGNMENT != 0 {
            return None;
        }
        if rest.is_empty() && is_heartbeat(first) {
            return Some(0);
        }
        let datagram_length = HEADER_SIZE + rest.len();
        let mut frame = first;
        let mut offset = 0_usize;
        let last_type = loop {
            let length = i32_at(frame, 0);
            let frame_type = u16::from_le_bytes([frame[field::TYPE], frame[field::TYPE + 1]]);
            if length < HEADER_LENGTH || !matches!(frame_type, TYPE_PAD | TYPE_DATA) {
                return None;
            }
            let next = i64::from(start) + offset as i64;
            let covered = align_i64(i64::from(length), i64::from(FRAME_ALIGNMENT));
            let is_in_place = i64::from(i32_at(frame, field::TERM_OFFSET)) == next;
            if !is_in_place || next + covered > i64::from(term_length) {
                return None;
            }
            // At most a term length, as just checked, and no less than a header.
            offset += usize::try_from(covered).ok()?;
            match rest
                .get(offset - HEADER_SIZE..)
                .and_then(<[u8]>::first_chunk)
            {
                Some(next) => frame = next,
                None => break frame_type,
            }
        };
        let is_whole =
            offset == datagram_length || (offset > datagram_length && last_type == TYPE_PAD);
        if is_whole {
            i32::try_from(offset).ok()
        } else {
            None
        }
    }
}

/// Datagrams that continue one another, at the begin of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ValidRun {
    /// Bytes of the buffer.
    pub(crate) length: usize,
    /// Bytes of the stream.
    pub(crate) covered: i32,
}

impl TermGeometry {
    /// Checks the first datagram of a buffer as [`Self::validate_datagram`] does, and how many of
    /// the next ones are just as valid and continue it: same stream, same term, no gap. A heartbeat
    /// continues nothing. Each datagram is `segment_length` bytes long, but the last of the buffer.
    /// `None` if the first one is not valid.
    #[inline]
    pub(crate) fn validate_run(
        self,
        term_offset: TermOffset,
        bytes: &[u8],
        segment_length: usize,
    ) -> Option<ValidRun> {
        let (first, rest) = bytes.split_first_chunk()?;
        self.validate_landed(term_offset, first, rest, segment_length)
    }

    /// [`Self::validate_run`] of a buffer whose first header lies elsewhere.
    #[inline]
    pub(super) fn validate_landed(
        self,
        term_offset: TermOffset,
        first: &[u8; HEADER_SIZE],
        rest: &[u8],
        segment_length: usize,
    ) -> Option<ValidRun> {
        let own_length = segment_length.checked_sub(HEADER_SIZE)?;
        let (own, others) = rest.split_at(own_length.min(rest.len()));
        let covered = self.validate_frames(term_offset, first, own)?;
        let mut run = ValidRun {
            length: HEADER_SIZE + own.len(),
            covered,
        };
        for datagram in others.chunks(segment_length) {
            // Whatever ends elsewhere than its frames do is the last of a run.
            if usize::try_from(run.covered) != Ok(run.length) {
                break;
            }
            let Some(header) = datagram.first_chunk::<HEADER_SIZE>() else {
                break;
            };
            let continues =
                header[field::VERSION] == first[field::VERSION] && ids(header) == ids(first);
            // Both are below a term length.
            let next = TermOffset(term_offset.0 + run.covered);
            match self.validate_datagram(next, datagram) {
                Some(covered) if continues && covered > 0 => {
                    run.length += datagram.len();
                    run.covered += covered;
                }
                Some(_) | None => break,
            }
        }
        Some(run)
    }
}

/// Session, stream and term of a frame.
#[inline]
fn ids(frame: &[u8; HEADER_SIZE]) -> [i32; 3] {
    [field::SESSION_ID, field::STREAM_ID, field::TERM_ID].map(|at| i32_at(frame, at))
}

impl LogBuffer {
    /// See [`TermGeometry::validate_datagram`].
    #[must_use]
    pub fn validate_datagram(&self, term_offset: TermOffset, datagram: &[u8]) -> Option<i32> {
        self.geometry().validate_datagram(term_offset, datagram)
    }

    /// Receiver: puts a datagram, which passed [`Self::validate_datagram`], at `position`, unless
    /// something is there already. Returns whether it was put. Heartbeats are not.
    /// `TermRebuilder.insert`.
    pub fn insert(&self, position: Position, datagram: &[u8]) -> bool {
        let geometry = self.geometry();
        let Some((index, offset)) = geometry.locate(position) else {
            return false;
        };
        let Some((first, rest)) = datagram.split_first_chunk() else {
            return false;
        };
        let first: &[u8; HEADER_SIZE] = first;
        let length = i32_at(first, 0);
        if length < HEADER_LENGTH || datagram.len() > size(geometry.term_length() - offset) {
            return false;
        }
        let term = self.term(index);
        let start = size(offset);
        // Only the receiver fills holes of an image, so no ordering is needed to see its own work.
        if term.load_i32_relaxed(start) != 0 {
            return false;
        }
        // Bytes that make no whole slot lie in the padded region of a last frame: nobody reads them.
        let (slots, _) = rest.as_chunks::<HEADER_SIZE>();
        // SAFETY: LOG-4 (a hole of an image is the receiver's until its first length turns
        // positive): that length is still zero, and the gap scan looks at first words only.
        unsafe { term.copy_slots_relaxed(start + HEADER_SIZE, slots) };
        put_rest_of_slot(term, start, first);
        // PUBLISH(frame-length): the frames behind the first can only be reached through it.
        commit(term, offset, length);
        true
    }
}

impl LogBuffer {
    /// Receiver: puts datagrams, which passed [`TermGeometry::validate_run`] together, at
    /// `position` and behind it, each as [`Self::insert`] does: those in whose place there is
    /// something already are left out. Calls `visit` for each stretch of datagrams with its begin,
    /// the end of its bytes, and whether they were put there.
    pub(crate) fn insert_run(
        &self,
        position: Position,
        bytes: &[u8],
        segment_length: usize,
        mut visit: impl FnMut(Position, Position, bool),
    ) {
        let Some((index, offset)) = self.geometry().locate(position) else {
            return;
        };
        let (term, start) = (self.term(index), size(offset));
        // The receiver alone fills the holes of an image, so what is empty stays so meanwhile.
        let is_empty = |at: usize| {
            let at = start + at;
            at + LENGTH_SIZE <= term.len() && term.load_i32_relaxed(at) == 0
        };
        let mut begin = 0;
        while begin < bytes.len() {
            let mut end = begin;
            while end < bytes.len() && is_empty(end) {
                end += segment_length;
            }
            let is_hole = end > begin;
            if !is_hole {
                end += segment_length;
            }
            end = end.min(bytes.len());
            let (from, to) = (position + begin as i64, position + end as i64);
            let is_inserted = is_hole && self.insert(from, &bytes[begin..end]);
            visit(from, to, is_inserted);
            begin = end;
        }
    }
}

/// Copies all of a slot but its first word.
#[inline]
pub(super) fn put_rest_of_slot(term: &AtomicBuffer, at: usize, slot: &[u8; HEADER_SIZE]) {
    // SAFETY: LOG-4 (a hole of an image is the receiver's until its first length turns positive):
    // the first slot's length is still zero, and others look at first words only.
    let target = unsafe { term.bytes_mut(at + LENGTH_SIZE..at + HEADER_SIZE) };
    target.copy_from_slice(&slot[LENGTH_SIZE..]);
}

/// A header with length 0 and nothing behind it tells the sender's position (`wire.md` §5.2).
#[inline]
fn is_heartbeat(header: &[u8; HEADER_SIZE]) -> bool {
    header[..LENGTH_SIZE] == [0; LENGTH_SIZE]
}

#[inline]
pub(super) fn i32_at(bytes: &[u8; HEADER_SIZE], at: usize) -> i32 {
    i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
