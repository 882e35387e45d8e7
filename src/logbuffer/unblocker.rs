//! Padding over what a dead publisher reserved and did not commit.
//!
//! The driver's conductor calls this when consumers have stood still for the unblock timeout while
//! publishers reserved more (`driver.md` §5, `logbuffer.md` §14). Three traces are told apart by the
//! word at the blocked position:
//!
//! ```text
//! < 0          claimed, length known          pad that length
//! = 0 … ≠ 0    reserved, header not begun     pad up to the next frame that has a length
//! = 0 … end    same, nothing after it         pad to the end of the term and rotate
//! ```
//!
//! and one by the term count: the term was filled exactly, but its last publisher did not rotate.
//!
//! A reservation without a length that nothing follows is left alone as long as publishers live: it
//! may be the beginning of the next frame. Once there are none it is padded up to the tail.
//!
//! `LogBufferUnblocker.unblock`, `TermUnblocker.unblock`.

use crate::base::Position;
use crate::memory::AtomicBuffer;

use super::frame::{self, FRAME_ALIGNMENT, FrameIds, size};
use super::geometry::TermGeometry;
use super::log::LogBuffer;
use super::metadata::Tail;

/// What was done in a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing is blocked, or nothing can be done yet.
    NoAction,
    /// A frame was padded over.
    Unblocked,
    /// The rest of the term was padded over.
    UnblockedToEnd,
}

impl LogBuffer {
    /// Conductor: unblocks the log at `blocked`, where its consumers stand. Returns whether
    /// something was done.
    pub fn unblock(&self, blocked: Position) -> bool {
        self.unblock_with(blocked, false)
    }

    /// [`Self::unblock`] of a log without publishers any more, so that nothing will be appended.
    /// Departs from Aeron, where a reservation without a length at the end of such a log stays, and
    /// its stream does not end while it has receivers.
    pub fn unblock_abandoned(&self, blocked: Position) -> bool {
        self.unblock_with(blocked, true)
    }

    fn unblock_with(&self, blocked: Position, is_abandoned: bool) -> bool {
        let geometry = self.geometry();
        let Some((index, offset)) = geometry.locate(blocked) else {
            return false;
        };
        // Departs from Aeron, where a stream that was used up to its last byte is rotated once
        // more, and begins again at its first term.
        if blocked >= geometry.max_possible_position() {
            return false;
        }
        let blocked_count = geometry.term_count_at(blocked);
        let active_count = self.active_term_count();
        if active_count == blocked_count.wrapping_sub(1) && offset == 0 {
            let active = TermGeometry::index_of_count(active_count);
            let term_id = Tail::unpack(self.raw_tail(active)).term_id;
            self.metadata().rotate(active_count, term_id);
            return true;
        }
        let term_length = geometry.term_length();
        let tail = Tail::unpack(self.raw_tail(index));
        // Departs from Aeron: a blocked position in no term of the log is not acted on.
        if tail.term_id != geometry.term_id_at(blocked) {
            return false;
        }
        let ids = self.frame_ids(tail.term_id);
        let tail_offset = tail.offset(term_length);
        let term = self.term(index);
        match unblock_term(term, term_length, offset, tail_offset, ids) {
            Outcome::NoAction => is_abandoned && pad_to_tail(term, offset, tail_offset, ids),
            Outcome::Unblocked => true,
            Outcome::UnblockedToEnd => {
                // Behind the last term there is none.
                if blocked_count < i32::MAX {
                    self.metadata().rotate(blocked_count, tail.term_id);
                }
                true
            }
        }
    }
}

fn unblock_term(
    term: &AtomicBuffer,
    term_length: i32,
    blocked: i32,
    tail_offset: i32,
    ids: FrameIds,
) -> Outcome {
    let pad = |length: i32| frame::overwrite_with_padding(term, blocked, length, ids);
    // PUBLISH(frame-length): this and the loads below pair with the stores of `frame`.
    let length = term.load_i32_acquire(size(blocked));
    if length < 0 {
        // A claim never reaches past its term; one that says so was not written by a publisher.
        let is_legal = length > i32::MIN && -length <= term_length - blocked;
        if !is_legal {
            return Outcome::NoAction;
        }
        pad((-length).max(frame::HEADER_LENGTH));
        return Outcome::Unblocked;
    }
    if length > 0 {
        return Outcome::NoAction;
    }
    // A look into the midst of a frame that is being written: the exception of LOG-2.
    let mut current = blocked + FRAME_ALIGNMENT;
    while current < tail_offset {
        if term.load_i32_acquire(size(current)) != 0 {
            // The owner may have woken up and begun its frame after we saw zero.
            if is_still_empty(term, blocked, current) {
                pad(current - blocked);
                return Outcome::Unblocked;
            }
            return Outcome::NoAction;
        }
        current += FRAME_ALIGNMENT;
    }
    if current == term_length && term.load_i32_acquire(size(blocked)) == 0 {
        pad(term_length - blocked);
        return Outcome::UnblockedToEnd;
    }
    Outcome::NoAction
}

/// Pads over what was reserved last and never begun; returns whether there was such a thing.
fn pad_to_tail(term: &AtomicBuffer, blocked: i32, tail_offset: i32, ids: FrameIds) -> bool {
    let is_reserved = blocked < tail_offset && tail_offset % FRAME_ALIGNMENT == 0;
    let is_empty = is_reserved && is_still_empty(term, blocked, tail_offset);
    if is_empty {
        frame::overwrite_with_padding(term, blocked, tail_offset - blocked, ids);
    }
    is_empty
}

/// Whether no slot from `from` up to `to` has a length, looked at backwards.
fn is_still_empty(term: &AtomicBuffer, from: i32, to: i32) -> bool {
    (size(from)..size(to))
        .step_by(size(FRAME_ALIGNMENT))
        .rev()
        .all(|at| term.load_i32_acquire(at) == 0)
}
