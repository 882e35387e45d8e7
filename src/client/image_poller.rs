//! Polling one image apart from its subscription.

use std::fmt;

use super::Header;
use super::image::{Action, Block, Image};
use crate::base::{Position, SessionId, TermId};
use crate::logbuffer::reader;

/// The right to poll one [`Image`]; dropping it gives the image back to its subscription.
///
/// ```no_run
/// # fn demo(image: &aileron::client::Image) {
/// use aileron::base::Position;
/// if let Some(mut poller) = image.poller() {
///     let bound = Position(1 << 20);
///     poller.bounded_poll(bound, 10, |payload, _| println!("{} bytes", payload.len()));
/// }
/// # }
/// ```
pub struct ImagePoller {
    pub(super) image: Image,
}

/// A block of frames by its place in the log's file, for whoever transfers it from there.
///
/// ```no_run
/// # fn demo(poller: &mut aileron::client::ImagePoller) {
/// poller.raw_poll(64 * 1024, |block| {
///     println!("{} bytes at {} of {}", block.length, block.file_offset, block.path);
/// });
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RawBlock<'a> {
    /// Path of the log, as the driver announced it.
    pub path: &'a str,
    /// Offset of the block in that file, in bytes.
    pub file_offset: u64,
    /// Length of the block in bytes, headers included.
    pub length: usize,
    /// The block itself, where it is mapped.
    pub bytes: &'a [u8],
    /// Session of the stream.
    pub session_id: SessionId,
    /// Term of the block.
    pub term_id: TermId,
}

impl<'a> RawBlock<'a> {
    pub(crate) const fn new(block: Block<'a>, path: &'a str) -> Self {
        Self {
            path,
            file_offset: block.file_offset,
            length: block.bytes.len(),
            bytes: block.bytes,
            session_id: block.session_id,
            term_id: block.term_id,
        }
    }
}

impl ImagePoller {
    /// The image.
    #[must_use]
    pub const fn image(&self) -> &Image {
        &self.image
    }

    /// Hands up to `fragment_limit` fragments to `handler`; returns how many. One call never
    /// crosses the end of a term. If `handler` panics, its fragment counts as consumed.
    pub fn poll(
        &mut self,
        fragment_limit: usize,
        handler: impl FnMut(&[u8], &Header<'_>),
    ) -> usize {
        self.image.poll(fragment_limit, handler)
    }

    /// [`Self::poll`] whose handler says how to go on.
    pub fn controlled_poll(
        &mut self,
        fragment_limit: usize,
        handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> usize {
        self.image.walk(fragment_limit, None, handler)
    }

    /// [`Self::poll`] of fragments that begin before `limit`; the last may end after it.
    pub fn bounded_poll(
        &mut self,
        limit: Position,
        fragment_limit: usize,
        mut handler: impl FnMut(&[u8], &Header<'_>),
    ) -> usize {
        self.image
            .walk(fragment_limit, Some(limit), |payload, header| {
                handler(payload, header);
                Action::Continue
            })
    }

    /// [`Self::controlled_poll`] of fragments that begin before `limit`.
    pub fn bounded_controlled_poll(
        &mut self,
        limit: Position,
        fragment_limit: usize,
        handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> usize {
        self.image.walk(fragment_limit, Some(limit), handler)
    }

    /// Hands a run of whole frames of up to `block_length_limit` bytes to `handler`; returns its
    /// length. A padding frame comes as a block of its own.
    pub fn block_poll(
        &mut self,
        block_length_limit: usize,
        handler: impl FnOnce(Block<'_>),
    ) -> usize {
        self.image
            .block(block_length_limit, |block, _| handler(block))
    }

    /// [`Self::block_poll`] that also tells where in the log's file the block is.
    pub fn raw_poll(
        &mut self,
        block_length_limit: usize,
        handler: impl FnOnce(RawBlock<'_>),
    ) -> usize {
        self.image.block(block_length_limit, |block, path| {
            handler(RawBlock::new(block, path));
        })
    }

    /// Reads from `from` up to `limit` without consuming. `from` must be a frame's begin, not
    /// before the image's position and not beyond the term it is in. Returns the position after the
    /// last complete message, to go on from; `None` if `from` is out of range or the image closed.
    pub fn peek(
        &mut self,
        from: Position,
        limit: Position,
        mut handler: impl FnMut(&[u8], &Header<'_>) -> Action,
    ) -> Option<Position> {
        let image = &self.image;
        let position = image.position();
        let geometry = image.geometry();
        let term_end = geometry.term_begin(position) + i64::from(geometry.term_length());
        if image.is_closed() || from < position || from > term_end || from.get() % 32 != 0 {
            return None;
        }
        if from == term_end {
            return Some(from);
        }
        let polled = reader::peek(image.log(), from, limit, |payload, frame| {
            handler(payload, &Header::new(*frame, Some(image)))
        });
        if polled.corruption.is_some() {
            image.report_corruption();
        }
        Some(polled.position)
    }
}

impl Drop for ImagePoller {
    fn drop(&mut self) {
        self.image.give_back();
    }
}

impl fmt::Debug for ImagePoller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImagePoller")
            .field("image", &self.image)
            .finish()
    }
}
