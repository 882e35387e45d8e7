//! The publication with one writer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::publication::{PublicationShared, common_methods};
use super::status::ChannelStatus;
use super::{AddError, BufferClaim, IntoChannel, OfferError, Pending};
use crate::base::{CounterId, Position, RegistrationId, SessionId, StreamId, TermId, TermOffset};
use crate::logbuffer::{AppendError, ExclusiveAppender, LogBuffer};

/// Appends messages to a stream of its own, which makes it faster than a shared
/// [`super::Publication`], and revocable. Dropping it removes it.
///
/// ```no_run
/// # fn demo(client: &aileron::client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use aileron::base::StreamId;
/// let mut publication = client.add_exclusive_publication("aeron:ipc", StreamId(10))?;
/// let mut claim = publication.try_claim(5)?;
/// claim.copy_from_slice(b"hello");
/// println!("now at {}", claim.commit());
/// # Ok(())
/// # }
/// ```
pub struct ExclusivePublication {
    shared: Arc<PublicationShared>,
    appender: ExclusiveAppender,
}

impl ExclusivePublication {
    pub(crate) fn new(shared: Arc<PublicationShared>) -> Result<Self, AppendError> {
        let appender = ExclusiveAppender::new(LogBuffer::clone(shared.log()))?;
        Ok(Self { shared, appender })
    }

    /// Appends a message; returns the position after it. A message longer than
    /// [`Self::max_payload_length`] is fragmented.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    #[inline]
    pub fn offer(&mut self, message: &[u8]) -> Result<Position, OfferError> {
        Ok(self.appender.offer(self.shared.limit()?, message)?)
    }

    /// [`Self::offer`] with a reserved value for each frame: `supplier` is called with the frame,
    /// its header included.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_with(
        &mut self,
        message: &[u8],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, OfferError> {
        let limit = self.shared.limit()?;
        Ok(self
            .appender
            .offer_with_reserved_value(limit, message, supplier)?)
    }

    /// [`Self::offer`] of a message in parts, which are joined.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored(&mut self, parts: &[&[u8]]) -> Result<Position, OfferError> {
        Ok(self.appender.offer_vectored(self.shared.limit()?, parts)?)
    }

    /// [`Self::offer_vectored`] with a reserved value for each frame.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_vectored_with(
        &mut self,
        parts: &[&[u8]],
        supplier: impl FnMut(&[u8]) -> i64,
    ) -> Result<Position, OfferError> {
        let limit = self.shared.limit()?;
        Ok(self
            .appender
            .offer_vectored_with_reserved_value(limit, parts, supplier)?)
    }

    /// Claims room for a message of `length` bytes, at most [`Self::max_payload_length`], to be
    /// written in place. Subscribers see nothing behind it before it is committed or dropped.
    ///
    /// # Errors
    /// Nothing was claimed, for the reason given.
    #[inline]
    pub fn try_claim(&mut self, length: usize) -> Result<BufferClaim<'_>, OfferError> {
        let claim = self.appender.claim(self.shared.limit()?, length)?;
        Ok(BufferClaim::new(claim))
    }

    /// Appends a padding frame with room for `length` bytes, which subscribers skip.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn append_padding(&mut self, length: usize) -> Result<Position, OfferError> {
        Ok(self.appender.append_padding(self.shared.limit()?, length)?)
    }

    /// Appends whole frames that already carry this stream's headers, such as a recording of it.
    /// The first must be the next frame of the stream, and all must fit its current term.
    ///
    /// # Errors
    /// Nothing was appended, for the reason given.
    pub fn offer_block(&mut self, frames: &[u8]) -> Result<Position, OfferError> {
        Ok(self.appender.offer_block(self.shared.limit()?, frames)?)
    }

    /// Position after the last message; `None` once closed.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        (!self.is_closed()).then(|| self.appender.position())
    }

    /// Id of the current term.
    #[must_use]
    pub const fn term_id(&self) -> TermId {
        self.appender.term_id()
    }

    /// Offset of the position in the current term.
    #[must_use]
    pub const fn term_offset(&self) -> TermOffset {
        self.appender.term_offset()
    }

    common_methods!();

    /// Whether closing is to revoke the publication: see [`Self::revoke`].
    pub fn revoke_on_close(&mut self, yes: bool) {
        self.shared.revoke_on_close.store(yes, Ordering::Relaxed);
    }

    /// Closes the publication and takes back what was not sent and consumed yet: its images go
    /// away at once.
    pub fn revoke(mut self) {
        self.revoke_on_close(true);
        self.close();
    }

    /// Closes the publication, without waiting for the driver: offers fail from then on. Does
    /// nothing the second time.
    pub fn close(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for ExclusivePublication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.debug("ExclusivePublication", f)
    }
}
