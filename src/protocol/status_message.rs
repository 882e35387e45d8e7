//! SM, the status message: a receiver tells what its consumers have read and how much more it can
//! take.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 8 | common header, type 3 |
//! | 8 | 4 | session id |
//! | 12 | 4 | stream id |
//! | 16 | 4 | consumption term id |
//! | 20 | 4 | consumption term offset |
//! | 24 | 4 | receiver window |
//! | 28 | 8 | receiver id |
//! | 36 | 8 | group tag; present if, and only if, the frame length is 44 |

use std::fmt;

use super::header::{begin, expect_control, i32_le, i64_le};
use super::setup::{TERM_LENGTH_MAX, is_frame_offset};
use super::{FrameError, FrameType};
use crate::base::bytes::{read_i32, read_i64, write_i32, write_i64};
use crate::base::{ReceiverId, SessionId, StreamId, TermId, TermOffset};

/// Bits of the flags field.
pub mod flags {
    /// The sender should emit a setup.
    pub const SEND_SETUP: u8 = 0x80;
    /// The receiver is going away.
    pub const EOS: u8 = 0x40;
}

mod field {
    pub(crate) const FLAGS: usize = 5;
    pub(crate) const SESSION_ID: usize = 8;
    pub(crate) const STREAM_ID: usize = 12;
    pub(crate) const CONSUMPTION_TERM_ID: usize = 16;
    pub(crate) const CONSUMPTION_TERM_OFFSET: usize = 20;
    pub(crate) const RECEIVER_WINDOW: usize = 24;
    pub(crate) const RECEIVER_ID: usize = 28;
    pub(crate) const GROUP_TAG: usize = 36;
}

const _: () = assert!(field::GROUP_TAG == StatusMessage::LENGTH);
const _: () = assert!(field::GROUP_TAG + 8 == StatusMessage::MAX_LENGTH);

/// A checked status message.
///
/// ```
/// use aileron::protocol::{FrameError, StatusMessageFrame};
/// let nak = [28, 0, 0, 0, 0, 0, 2, 0];
/// assert_eq!(StatusMessageFrame::parse(&nak).unwrap_err(), FrameError::UnexpectedType);
/// ```
#[derive(Clone, Copy)]
pub struct StatusMessageFrame<'a> {
    header: &'a [u8; StatusMessage::LENGTH],
    /// What the frame carries after the receiver id, up to its frame length.
    feedback: &'a [u8],
}

impl<'a> StatusMessageFrame<'a> {
    /// Checks a datagram that must be a status message, and its fields as far as they can be
    /// without the publication; see [`Self::is_valid_for`] for the rest.
    ///
    /// # Errors
    ///
    /// A fault of the common header, another type, too few bytes, or an offset or window that no
    /// term length would allow.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let frame = Self::view(datagram)?;
        frame.check_fields()?;
        Ok(frame)
    }

    pub(super) fn view(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let (header, common) = expect_control(datagram, FrameType::StatusMessage)?;
        let frame_end = usize::try_from(common.frame_length).unwrap_or_default();
        let feedback = datagram
            .get(StatusMessage::LENGTH..frame_end)
            .unwrap_or_default();
        Ok(Self { header, feedback })
    }

    pub(super) fn check_fields(&self) -> Result<(), FrameError> {
        self.check_for(TERM_LENGTH_MAX)
    }

    fn check_for(&self, term_length: i32) -> Result<(), FrameError> {
        if !is_frame_offset(self.consumption_term_offset(), term_length) {
            return Err(FrameError::TermOffset);
        }
        if !(0..=term_length / 2).contains(&self.receiver_window()) {
            return Err(FrameError::ReceiverWindow);
        }
        Ok(())
    }

    /// Whether offset and window are possible for a publication with this term length.
    #[must_use]
    #[inline]
    pub fn is_valid_for(&self, term_length: i32) -> bool {
        self.check_for(term_length).is_ok()
    }

    /// Flag bits, see [`flags`].
    #[must_use]
    #[inline]
    pub const fn flags(&self) -> u8 {
        self.header[field::FLAGS]
    }

    /// Whether the receiver asks for a setup.
    #[must_use]
    #[inline]
    pub const fn is_setup_requested(&self) -> bool {
        self.flags() & flags::SEND_SETUP != 0
    }

    /// Whether the receiver is going away.
    #[must_use]
    #[inline]
    pub const fn is_end_of_stream(&self) -> bool {
        self.flags() & flags::EOS != 0
    }

    /// The publication's session; 0 in a periodic solicitation.
    #[must_use]
    #[inline]
    pub fn session_id(&self) -> SessionId {
        SessionId(i32_le(self.header, field::SESSION_ID))
    }

    /// The stream; 0 in a periodic solicitation.
    #[must_use]
    #[inline]
    pub fn stream_id(&self) -> StreamId {
        StreamId(i32_le(self.header, field::STREAM_ID))
    }

    /// Term of the consumption position.
    #[must_use]
    #[inline]
    pub fn consumption_term_id(&self) -> TermId {
        TermId(i32_le(self.header, field::CONSUMPTION_TERM_ID))
    }

    /// Offset of the consumption position: not negative, a multiple of 32.
    #[must_use]
    #[inline]
    pub fn consumption_term_offset(&self) -> TermOffset {
        TermOffset(i32_le(self.header, field::CONSUMPTION_TERM_OFFSET))
    }

    /// Bytes the sender may send beyond the consumption position; not negative.
    #[must_use]
    #[inline]
    pub fn receiver_window(&self) -> i32 {
        i32_le(self.header, field::RECEIVER_WINDOW)
    }

    /// The receive endpoint that speaks.
    #[must_use]
    #[inline]
    pub fn receiver_id(&self) -> ReceiverId {
        ReceiverId(i64_le(self.header, field::RECEIVER_ID))
    }

    /// The receiver's group tag, if it has one.
    #[must_use]
    #[inline]
    pub fn group_tag(&self) -> Option<i64> {
        if self.feedback.len() == 8 {
            read_i64(self.feedback, 0)
        } else {
            None
        }
    }

    /// Whether the frame has a tail that is not a group tag.
    #[must_use]
    #[inline]
    pub const fn is_group_tag_malformed(&self) -> bool {
        !matches!(self.feedback.len(), 0 | 8)
    }

    /// Whether the frame ends in the mark of "preferred" receivers that came before group tags:
    /// a tail of at least four bytes, not eight, that begins with -1.
    #[must_use]
    #[inline]
    pub fn is_legacy_preferred(&self) -> bool {
        self.feedback.len() != 8 && read_i32(self.feedback, 0) == Some(-1)
    }
}

impl fmt::Debug for StatusMessageFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        StatusMessage::from(*self).fmt(f)
    }
}

impl fmt::Display for StatusMessageFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SM flags={:#04x} session={} stream={} term={} offset={} window={} receiver={}",
            self.flags(),
            self.session_id(),
            self.stream_id(),
            self.consumption_term_id(),
            self.consumption_term_offset(),
            self.receiver_window(),
            self.receiver_id()
        )?;
        match self.group_tag() {
            Some(tag) => write!(f, " gtag={tag}"),
            None => Ok(()),
        }
    }
}

/// The fields of a status message.
///
/// ```
/// use aileron::base::{ReceiverId, SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{StatusMessage, StatusMessageFrame};
///
/// let message = StatusMessage {
///     flags: 0,
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     consumption_term_id: TermId(7),
///     consumption_term_offset: TermOffset(4096),
///     receiver_window: 32_768,
///     receiver_id: ReceiverId(9),
///     group_tag: Some(99),
/// };
/// let mut buffer = [0; StatusMessage::MAX_LENGTH];
/// let length = message.encode(&mut buffer);
/// assert_eq!(length, 44);
/// let frame = StatusMessageFrame::parse(&buffer[..length]).unwrap();
/// assert_eq!(StatusMessage::from(frame), message);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusMessage {
    /// See [`flags`].
    pub flags: u8,
    /// The publication's session; 0 in a periodic solicitation.
    pub session_id: SessionId,
    /// The stream; 0 in a periodic solicitation.
    pub stream_id: StreamId,
    /// Term of the consumption position.
    pub consumption_term_id: TermId,
    /// Offset of the consumption position.
    pub consumption_term_offset: TermOffset,
    /// Bytes the sender may send beyond the consumption position.
    pub receiver_window: i32,
    /// The receive endpoint that speaks.
    pub receiver_id: ReceiverId,
    /// The receiver's group tag, if it has one.
    pub group_tag: Option<i64>,
}

impl StatusMessage {
    /// Bytes of the frame without a group tag.
    pub const LENGTH: usize = 36;
    /// Bytes of the frame with a group tag.
    pub const MAX_LENGTH: usize = 44;

    /// A status message that asks for the setup of a stream, or with session and stream 0 for
    /// those of all streams at that address.
    #[must_use]
    pub const fn setup_request(
        session_id: SessionId,
        stream_id: StreamId,
        receiver_id: ReceiverId,
        group_tag: Option<i64>,
    ) -> Self {
        Self {
            flags: flags::SEND_SETUP,
            session_id,
            stream_id,
            consumption_term_id: TermId(0),
            consumption_term_offset: TermOffset(0),
            receiver_window: 0,
            receiver_id,
            group_tag,
        }
    }

    /// Writes the frame and returns its length, 36 or 44 bytes.
    #[must_use]
    pub fn encode(&self, out: &mut [u8; Self::MAX_LENGTH]) -> usize {
        let (frame_length, length) = match self.group_tag {
            None => (36, Self::LENGTH),
            Some(_) => (44, Self::MAX_LENGTH),
        };
        begin(out, FrameType::StatusMessage, frame_length, self.flags);
        write_i32(out, field::SESSION_ID, self.session_id.0);
        write_i32(out, field::STREAM_ID, self.stream_id.0);
        write_i32(out, field::CONSUMPTION_TERM_ID, self.consumption_term_id.0);
        write_i32(
            out,
            field::CONSUMPTION_TERM_OFFSET,
            self.consumption_term_offset.0,
        );
        write_i32(out, field::RECEIVER_WINDOW, self.receiver_window);
        write_i64(out, field::RECEIVER_ID, self.receiver_id.0);
        write_i64(out, field::GROUP_TAG, self.group_tag.unwrap_or_default());
        length
    }
}

impl From<StatusMessageFrame<'_>> for StatusMessage {
    fn from(frame: StatusMessageFrame<'_>) -> Self {
        Self {
            flags: frame.flags(),
            session_id: frame.session_id(),
            stream_id: frame.stream_id(),
            consumption_term_id: frame.consumption_term_id(),
            consumption_term_offset: frame.consumption_term_offset(),
            receiver_window: frame.receiver_window(),
            receiver_id: frame.receiver_id(),
            group_tag: frame.group_tag(),
        }
    }
}
