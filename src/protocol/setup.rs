//! SETUP: a sender describes its stream so that a receiver can make an image of it.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 5 |
//! | 8 | 4 | term offset of the sender position |
//! | 12 | 4 | session id |
//! | 16 | 4 | stream id |
//! | 20 | 4 | initial term id |
//! | 24 | 4 | active term id, that of the sender position |
//! | 28 | 4 | term length |
//! | 32 | 4 | MTU |
//! | 36 | 4 | multicast TTL, 0 for unicast |

use std::fmt;

use super::header::{begin, expect_control, i32_le};
use super::{FrameError, FrameType, data};
use crate::base::bytes::write_i32;
use crate::base::{SessionId, StreamId, TermId, TermOffset};

/// Smallest term a stream may have.
pub const TERM_LENGTH_MIN: i32 = 64 * 1024;
/// Largest term a stream may have.
pub const TERM_LENGTH_MAX: i32 = 1024 * 1024 * 1024;
/// Smallest MTU accepted in a setup.
pub const MTU_MIN: i32 = 32;
/// Largest MTU.
pub const MTU_MAX: i32 = 65_504;

/// Bits of the flags field.
pub mod flags {
    /// The receiver's application is expected to open a response channel.
    pub const SEND_RESPONSE: u8 = 0x80;
    /// The publication has group semantics.
    pub const GROUP: u8 = 0x40;
}

mod field {
    pub(crate) const FLAGS: usize = 5;
    pub(crate) const TERM_OFFSET: usize = 8;
    pub(crate) const SESSION_ID: usize = 12;
    pub(crate) const STREAM_ID: usize = 16;
    pub(crate) const INITIAL_TERM_ID: usize = 20;
    pub(crate) const ACTIVE_TERM_ID: usize = 24;
    pub(crate) const TERM_LENGTH: usize = 28;
    pub(crate) const MTU: usize = 32;
    pub(crate) const TTL: usize = 36;
}

const _: () = assert!(field::TTL + 4 == Setup::LENGTH);

/// A checked setup frame.
///
/// ```
/// use aileron::protocol::{FrameError, SetupFrame};
/// assert_eq!(SetupFrame::parse(&[0; 40]).unwrap_err(), FrameError::UnexpectedType);
/// ```
#[derive(Clone, Copy)]
pub struct SetupFrame<'a>(&'a [u8; Setup::LENGTH]);

impl<'a> SetupFrame<'a> {
    /// Checks a datagram that must be a setup, and the ranges of its fields.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, too few bytes, or an invalid term length, term
    /// offset or MTU.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let frame = Self::view(datagram)?;
        frame.check_fields()?;
        Ok(frame)
    }

    pub(super) fn view(datagram: &'a [u8]) -> Result<Self, FrameError> {
        expect_control(datagram, FrameType::Setup).map(|(bytes, _)| Self(bytes))
    }

    pub(super) fn check_fields(&self) -> Result<(), FrameError> {
        let (term_length, mtu) = (self.term_length(), self.mtu());
        if !(TERM_LENGTH_MIN..=TERM_LENGTH_MAX).contains(&term_length)
            || term_length & (term_length - 1) != 0
        {
            return Err(FrameError::TermLength);
        }
        if !is_frame_offset(self.term_offset(), term_length) {
            return Err(FrameError::TermOffset);
        }
        if !(MTU_MIN..=MTU_MAX).contains(&mtu) || mtu % data::FRAME_ALIGNMENT != 0 {
            return Err(FrameError::Mtu);
        }
        Ok(())
    }

    /// Flag bits, see [`flags`].
    #[must_use]
    pub const fn flags(&self) -> u8 {
        self.0[field::FLAGS]
    }

    /// Whether the publication has group semantics: multicast or several destinations.
    #[must_use]
    pub const fn is_group(&self) -> bool {
        self.flags() & flags::GROUP != 0
    }

    /// Whether the publisher expects a response channel.
    #[must_use]
    pub const fn is_response_expected(&self) -> bool {
        self.flags() & flags::SEND_RESPONSE != 0
    }

    /// Offset of the sender position in its term: a multiple of 32 below the term length.
    #[must_use]
    pub fn term_offset(&self) -> TermOffset {
        TermOffset(i32_le(self.0, field::TERM_OFFSET))
    }

    /// The publication's session.
    #[must_use]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.0, field::SESSION_ID))
    }

    /// The stream.
    #[must_use]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.0, field::STREAM_ID))
    }

    /// The stream's first term.
    #[must_use]
    pub fn initial_term_id(&self) -> TermId {
        TermId(i32_le(self.0, field::INITIAL_TERM_ID))
    }

    /// Term of the sender position.
    #[must_use]
    pub fn active_term_id(&self) -> TermId {
        TermId(i32_le(self.0, field::ACTIVE_TERM_ID))
    }

    /// Bytes of a term: a power of two, 64 KiB to 1 GiB.
    #[must_use]
    pub fn term_length(&self) -> i32 {
        i32_le(self.0, field::TERM_LENGTH)
    }

    /// The publication's MTU in bytes: a multiple of 32, at most 65,504.
    #[must_use]
    pub fn mtu(&self) -> i32 {
        i32_le(self.0, field::MTU)
    }

    /// Multicast TTL; 0 for unicast.
    #[must_use]
    pub fn ttl(&self) -> i32 {
        i32_le(self.0, field::TTL)
    }
}

impl fmt::Debug for SetupFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Setup::from(*self).fmt(f)
    }
}

impl fmt::Display for SetupFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SETUP flags={:#04x} session={} stream={} initial_term={} term={} offset={} \
             term_length={} mtu={} ttl={}",
            self.flags(),
            self.session_id(),
            self.stream_id(),
            self.initial_term_id(),
            self.active_term_id(),
            self.term_offset(),
            self.term_length(),
            self.mtu(),
            self.ttl()
        )
    }
}

/// Whether a frame of a term of this length can begin at `offset`.
pub(super) const fn is_frame_offset(offset: TermOffset, term_length: i32) -> bool {
    offset.0 >= 0 && offset.0 < term_length && offset.0 % data::FRAME_ALIGNMENT == 0
}

/// The fields of a setup frame.
///
/// ```
/// use aileron::base::{SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{Setup, SetupFrame};
///
/// let setup = Setup {
///     flags: 0,
///     term_offset: TermOffset(0),
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     initial_term_id: TermId(5),
///     active_term_id: TermId(7),
///     term_length: 65_536,
///     mtu: 1408,
///     ttl: 0,
/// };
/// let mut datagram = [0; Setup::LENGTH];
/// setup.encode(&mut datagram);
/// assert_eq!(Setup::from(SetupFrame::parse(&datagram).unwrap()), setup);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// See [`flags`].
    pub flags: u8,
    /// Offset of the sender position in its term.
    pub term_offset: TermOffset,
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The stream's first term.
    pub initial_term_id: TermId,
    /// Term of the sender position.
    pub active_term_id: TermId,
    /// Bytes of a term.
    pub term_length: i32,
    /// The publication's MTU in bytes.
    pub mtu: i32,
    /// Multicast TTL; 0 for unicast.
    pub ttl: i32,
}

impl Setup {
    /// Bytes of the frame.
    pub const LENGTH: usize = 40;

    /// Writes the frame.
    pub fn encode(&self, out: &mut [u8; Self::LENGTH]) {
        begin(out, FrameType::Setup, 40, self.flags);
        write_i32(out, field::TERM_OFFSET, self.term_offset.0);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i32(out, field::INITIAL_TERM_ID, self.initial_term_id.0);
        write_i32(out, field::ACTIVE_TERM_ID, self.active_term_id.0);
        write_i32(out, field::TERM_LENGTH, self.term_length);
        write_i32(out, field::MTU, self.mtu);
        write_i32(out, field::TTL, self.ttl);
    }
}

impl From<SetupFrame<'_>> for Setup {
    fn from(frame: SetupFrame<'_>) -> Self {
        Self {
            flags: frame.flags(),
            term_offset: frame.term_offset(),
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            initial_term_id: frame.initial_term_id(),
            active_term_id: frame.active_term_id(),
            term_length: frame.term_length(),
            mtu: frame.mtu(),
            ttl: frame.ttl(),
        }
    }
}
