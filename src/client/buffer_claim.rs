//! A claimed frame, to be written in place.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::base::Position;
use crate::logbuffer::Claim;

/// Room for one message in the log. Dereferences to its payload, which is zero at first. Dropping
/// it without [`Self::commit`] aborts: subscribers skip the frame.
///
/// ```no_run
/// # use aileron::client::{OfferError, Publication};
/// # fn demo(publication: &Publication) -> Result<(), OfferError> {
/// let mut claim = publication.try_claim(8)?;
/// claim.copy_from_slice(&42i64.to_le_bytes());
/// claim.set_reserved_value(7);
/// let position = claim.commit();
/// # let _ = position;
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it aborts the message"]
pub struct BufferClaim<'a> {
    claim: Claim<'a>,
}

impl<'a> BufferClaim<'a> {
    pub(crate) const fn new(claim: Claim<'a>) -> Self {
        Self { claim }
    }

    /// Stream position after the frame.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.claim.position()
    }

    /// Sets the flags byte; `0xC0`, a whole message, unless set.
    pub fn set_flags(&mut self, flags: u8) {
        self.claim.set_flags(flags);
    }

    /// Sets the frame type; 1, data, unless set.
    pub fn set_type(&mut self, frame_type: u16) {
        self.claim.set_type(frame_type);
    }

    /// Sets the reserved value; 0 unless set.
    pub fn set_reserved_value(&mut self, value: i64) {
        self.claim.set_reserved_value(value);
    }

    /// Makes the message visible to subscribers; returns the position after it.
    pub fn commit(self) -> Position {
        self.claim.commit()
    }

    /// Gives the message up, as dropping the claim does.
    pub fn abort(self) {
        self.claim.abort();
    }
}

impl Deref for BufferClaim<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.claim.bytes()
    }
}

impl DerefMut for BufferClaim<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        self.claim.bytes_mut()
    }
}

impl fmt::Debug for BufferClaim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferClaim")
            .field("length", &self.len())
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}
