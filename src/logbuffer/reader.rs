//! Reading frames in place: what an image's polls are made of.
//!
//! Each function starts at a position, hands committed frames to a handler, and returns the
//! position up to which they were consumed, which the caller stores in its subscriber counter. None
//! crosses the end of a term, padding is skipped and not counted, and nothing is copied.
//!
//! A frame that cannot be, or is of another term, ends the poll before it, and
//! [`Polled::corruption`] says where.
//!
//! `Image.poll`, `boundedPoll`, `controlledPoll`, `boundedControlledPoll`, `blockPoll`, `rawPoll`.

use std::ops::ControlFlow;

use crate::base::{Position, SessionId, TermId, TermOffset};
use crate::memory::AtomicBuffer;

use super::frame::{self, Corruption, Slot, TYPE_PAD, aligned, size};
use super::geometry::TermGeometry;
use super::header::Header;
use super::log::LogBuffer;

/// How far a poll came.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// let polled = reader::poll(&log, Position(0), 10, |_, _| {});
/// assert_eq!((polled.position, polled.fragments), (Position(0), 0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Polled {
    /// Position after what was consumed.
    pub position: Position,
    /// Fragments handed to the handler and consumed; padding does not count.
    pub fragments: usize,
    /// Set when the frame at `position` cannot be.
    pub corruption: Option<Corruption>,
}

/// What a controlled handler wants done with a fragment.
///
/// ```
/// use aileron::base::Position;
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader, reader::Action};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// log.offer(Position(1024), b"not now")?;
/// let refuse = reader::controlled_poll(&log, Position(0), 10, |_| {}, |_, _| Action::Abort);
/// assert_eq!((refuse.position, refuse.fragments), (Position(0), 0));
/// # Ok::<(), aileron::logbuffer::AppendError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a poll loop must know them all")]
pub enum Action {
    /// Stop before the fragment: it will be delivered again.
    Abort,
    /// Stop after the fragment.
    Break,
    /// Store the position after the fragment at once, and continue.
    Commit,
    /// Continue; the position is stored when the poll ends.
    Continue,
}

/// Whole consecutive frames of one term, headers included.
///
/// ```
/// use aileron::base::{Position, TermOffset};
/// use aileron::logbuffer::{LogBuffer, LogSpec, reader};
/// use aileron::memory::AtomicBuffer;
/// let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).unwrap();
/// log.offer(Position(1024), b"hello")?;
/// let polled = reader::block_poll(&log, Position(0), 4096, |block| {
///     assert_eq!((block.bytes.len(), block.file_offset), (64, 0));
/// });
/// assert_eq!(polled.position, Position(64));
/// # Ok::<(), aileron::logbuffer::AppendError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Block<'a> {
    /// The frames. A block is either data only, or one padding frame.
    pub bytes: &'a [u8],
    /// Where in the log file `bytes` starts, for whoever transfers it from there.
    pub file_offset: u64,
    /// Where in its term the block starts.
    pub term_offset: TermOffset,
    /// Session of the stream, as in the first frame.
    pub session_id: SessionId,
    /// Id of the term, as in the first frame.
    pub term_id: TermId,
}

/// Hands up to `fragment_limit` fragments from `position` on to `handler`.
pub fn poll(
    log: &LogBuffer,
    position: Position,
    fragment_limit: usize,
    mut handler: impl FnMut(&[u8], &Header<'_>),
) -> Polled {
    walk(
        log,
        position,
        Position(i64::MAX),
        |_| {},
        fragment_limit,
        |payload, header| {
            handler(payload, header);
            Action::Continue
        },
    )
}

/// [`poll`] of fragments that start before `limit`; the last may end beyond it.
pub fn bounded_poll(
    log: &LogBuffer,
    position: Position,
    limit: Position,
    fragment_limit: usize,
    mut handler: impl FnMut(&[u8], &Header<'_>),
) -> Polled {
    walk(
        log,
        position,
        limit,
        |_| {},
        fragment_limit,
        |payload, header| {
            handler(payload, header);
            Action::Continue
        },
    )
}

/// [`poll`] whose handler decides how to go on. `commit` is called on [`Action::Commit`] with the
/// position after that fragment, to be stored at once; the caller still stores the final one.
pub fn controlled_poll(
    log: &LogBuffer,
    position: Position,
    fragment_limit: usize,
    commit: impl FnMut(Position),
    handler: impl FnMut(&[u8], &Header<'_>) -> Action,
) -> Polled {
    walk(
        log,
        position,
        Position(i64::MAX),
        commit,
        fragment_limit,
        handler,
    )
}

/// [`controlled_poll`] of fragments that start before `limit`.
pub fn bounded_controlled_poll(
    log: &LogBuffer,
    position: Position,
    limit: Position,
    fragment_limit: usize,
    commit: impl FnMut(Position),
    handler: impl FnMut(&[u8], &Header<'_>) -> Action,
) -> Polled {
    walk(log, position, limit, commit, fragment_limit, handler)
}

/// Looks at fragments from `position` up to `limit` without consuming them. The returned position
/// is the one after the last whole message or padding that was seen, from which to peek on.
pub fn peek(
    log: &LogBuffer,
    position: Position,
    limit: Position,
    mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
) -> Polled {
    let mut result = position;
    let polled = scan_frames(log, position, limit, |frame| {
        let Some((payload, header)) = frame.fragment() else {
            result = frame.end;
            return ControlFlow::Continue(());
        };
        let action = handler(payload, &header);
        if action == Action::Abort {
            return ControlFlow::Break(Stop::Before);
        }
        if header.is_end() {
            result = frame.end;
        }
        if action == Action::Break {
            return ControlFlow::Break(Stop::After);
        }
        ControlFlow::Continue(())
    });
    Polled {
        position: result,
        ..polled
    }
}

/// Hands the whole frames from `position` on that lie within `block_length_limit` bytes to
/// `handler`, as one block. A padding frame makes a block of its own, whatever its length.
/// [`Polled::fragments`] is 1 if there was a block. Also serves raw polls: see
/// [`Block::file_offset`].
pub fn block_poll(
    log: &LogBuffer,
    position: Position,
    block_length_limit: usize,
    handler: impl FnOnce(Block<'_>),
) -> Polled {
    let limit = position + i64::try_from(block_length_limit).unwrap_or(i64::MAX);
    let mut length = 0;
    let mut polled = scan_frames(log, position, limit, |frame| {
        let is_padding = frame::frame_type(frame.term, frame.offset) == TYPE_PAD;
        if is_padding && length == 0 {
            length = aligned(frame.length);
            return ControlFlow::Break(Stop::After);
        }
        if is_padding || frame.end > limit {
            return ControlFlow::Break(Stop::Before);
        }
        length += aligned(frame.length);
        ControlFlow::Continue(())
    });
    let Some((index, offset)) = log.geometry().locate(position).filter(|_| length > 0) else {
        return polled;
    };
    let start = size(offset);
    // SAFETY: LOG-3 (committed bytes are stable): `scan_frames` acquired each of these frames.
    let bytes = unsafe { log.term(index).bytes(start..start + size(length)) };
    if let Some(first) = bytes.first_chunk() {
        let header = Header::new(first, log.geometry());
        handler(Block {
            bytes,
            file_offset: (index * size(log.geometry().term_length()) + start) as u64,
            term_offset: TermOffset(offset),
            session_id: header.session_id(),
            term_id: header.term_id(),
        });
        polled.fragments = 1;
    }
    polled
}

/// A committed frame.
#[derive(Clone, Copy)]
struct Frame<'a> {
    term: &'a AtomicBuffer,
    geometry: TermGeometry,
    offset: i32,
    length: i32,
    /// Position after it.
    end: Position,
}

impl<'a> Frame<'a> {
    /// Payload and header, unless the frame is padding.
    #[inline]
    fn fragment(&self) -> Option<(&'a [u8], Header<'a>)> {
        let start = size(self.offset);
        // SAFETY: LOG-3 (committed bytes are stable): `scan_frames` acquired the positive length,
        // and the range is not cleaned before the caller's position moves past it.
        let bytes = unsafe { self.term.bytes(start..start + size(self.length)) };
        let (header, payload) = bytes.split_first_chunk()?;
        let header = Header::new(header, self.geometry);
        (header.frame_type() != TYPE_PAD).then_some((payload, header))
    }
}

/// Whether the frame at which a scan stops still belongs to what was scanned.
enum Stop {
    Before,
    After,
}

/// Visits committed frames that start at or after `position`, before `limit`, and in one term.
#[inline]
fn scan_frames<'a>(
    log: &'a LogBuffer,
    position: Position,
    limit: Position,
    mut visit: impl FnMut(&Frame<'a>) -> ControlFlow<Stop>,
) -> Polled {
    let mut polled = Polled {
        position,
        fragments: 0,
        corruption: None,
    };
    if position >= limit {
        return polled;
    }
    let geometry = log.geometry();
    let Some((index, start)) = geometry.locate(position) else {
        polled.corruption = Some(Corruption {
            position,
            frame_length: 0,
        });
        return polled;
    };
    let term = log.term(index);
    let term_length = geometry.term_length();
    let term_begin = geometry.term_begin(position);
    let term_id = geometry.term_id_at(position);
    let wanted = i64::from(start).saturating_add(limit - position);
    let limit_offset = i32::try_from(wanted).map_or(term_length, |limit| limit.min(term_length));

    let mut offset = start;
    while offset < limit_offset {
        let length = match frame::slot(term, offset, term_length) {
            Slot::Empty => break,
            // Departs from Aeron, where a reader whose log went on without it gets frames of a
            // later term as if they were next, and never knows what it missed.
            Slot::Committed(length) if frame::term_id(term, offset) == term_id => length,
            Slot::Committed(frame_length) | Slot::Corrupt(frame_length) => {
                let position = term_begin + i64::from(offset);
                polled.corruption = Some(Corruption {
                    position,
                    frame_length,
                });
                break;
            }
        };
        let next = offset + aligned(length);
        let end = term_begin + i64::from(next);
        match visit(&Frame {
            term,
            geometry,
            offset,
            length,
            end,
        }) {
            ControlFlow::Continue(()) => offset = next,
            ControlFlow::Break(Stop::Before) => break,
            ControlFlow::Break(Stop::After) => {
                offset = next;
                break;
            }
        }
    }
    polled.position = term_begin + i64::from(offset);
    polled
}

/// The poll loop, of which all polls of fragments are cases.
#[inline]
fn walk(
    log: &LogBuffer,
    position: Position,
    limit: Position,
    mut commit: impl FnMut(Position),
    fragment_limit: usize,
    mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
) -> Polled {
    let mut fragments = 0;
    if fragment_limit == 0 {
        return Polled {
            position,
            fragments,
            corruption: None,
        };
    }
    let polled = scan_frames(log, position, limit, |frame| {
        let Some((payload, header)) = frame.fragment() else {
            return ControlFlow::Continue(());
        };
        match handler(payload, &header) {
            Action::Abort => return ControlFlow::Break(Stop::Before),
            Action::Break => {
                fragments += 1;
                return ControlFlow::Break(Stop::After);
            }
            Action::Commit => commit(frame.end),
            Action::Continue => {}
        }
        fragments += 1;
        // The loop ends right after the last fragment, so that padding behind it stays unread.
        if fragments >= fragment_limit {
            return ControlFlow::Break(Stop::After);
        }
        ControlFlow::Continue(())
    });
    Polled {
        fragments,
        ..polled
    }
}
