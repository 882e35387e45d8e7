//! One datagram, whatever its type.

use std::fmt;

use super::{
    DataFrame, ErrorFrame, FrameError, FrameHeader, FrameType, NakFrame, ResolutionFrame,
    ResponseSetupFrame, RttMeasurementFrame, SetupFrame, StatusMessageFrame,
};

/// What a socket is for; it decides which frames are acted upon.
///
/// ```
/// use aileron::protocol::{FrameType, SocketRole};
/// assert!(FrameType::Nak.is_handled_by(SocketRole::Send));
/// assert!(!FrameType::Nak.is_handled_by(SocketRole::Receive));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a socket has one of three jobs")]
pub enum SocketRole {
    /// A subscription's socket: data, padding, setups, round-trip answers and probes.
    Receive,
    /// A publication's socket: status messages, NAKs, errors, round-trip requests, response setups.
    Send,
    /// The name resolver's socket.
    Resolver,
}

/// A checked view of a received datagram.
///
/// ```
/// use aileron::base::{SessionId, StreamId, TermId, TermOffset};
/// use aileron::protocol::{Frame, Nak};
///
/// let mut datagram = [0; Nak::LENGTH];
/// Nak {
///     session_id: SessionId(1),
///     stream_id: StreamId(1001),
///     term_id: TermId(7),
///     term_offset: TermOffset(64),
///     length: 128,
/// }
/// .encode(&mut datagram);
/// let Ok(Frame::Nak(nak)) = Frame::parse(&datagram) else { panic!("not a NAK") };
/// assert_eq!(nak.length(), 128);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Frame<'a> {
    /// Data, padding or a heartbeat; possibly several frames in one datagram.
    Data(DataFrame<'a>),
    /// A stream's description.
    Setup(SetupFrame<'a>),
    /// A receiver's position and window.
    StatusMessage(StatusMessageFrame<'a>),
    /// A missing range.
    Nak(NakFrame<'a>),
    /// A round-trip time request or answer.
    RttMeasurement(RttMeasurementFrame<'a>),
    /// A refusal of the stream.
    Error(ErrorFrame<'a>),
    /// The session of a response stream.
    ResponseSetup(ResponseSetupFrame<'a>),
    /// Names and addresses.
    Resolution(ResolutionFrame<'a>),
}

impl<'a> Frame<'a> {
    /// Checks a datagram: its header, the length its type needs, and those fields that can be
    /// judged without knowing the stream.
    ///
    /// # Errors
    ///
    /// The first rule that is broken.
    #[inline]
    pub fn parse(datagram: &'a [u8]) -> Result<Self, FrameError> {
        let frame = Self::view(datagram)?;
        frame.check_fields()?;
        Ok(frame)
    }

    /// [`Self::parse`] for a socket of the given role: `None` for a well-formed frame of a type
    /// that the role does not handle, which is ignored and not counted.
    ///
    /// # Errors
    ///
    /// The first rule that is broken. Field rules apply only to types that the role handles.
    #[inline]
    pub fn parse_for(role: SocketRole, datagram: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let frame = Self::view(datagram)?;
        if !frame.frame_type().is_handled_by(role) {
            return Ok(None);
        }
        frame.check_fields()?;
        Ok(Some(frame))
    }

    /// The frame's type; that of the first frame where a datagram holds several.
    #[must_use]
    #[inline]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Data(frame) => frame.frame_type(),
            Self::Setup(_) => FrameType::Setup,
            Self::StatusMessage(_) => FrameType::StatusMessage,
            Self::Nak(_) => FrameType::Nak,
            Self::RttMeasurement(_) => FrameType::RttMeasurement,
            Self::Error(_) => FrameType::Error,
            Self::ResponseSetup(_) => FrameType::ResponseSetup,
            Self::Resolution(_) => FrameType::Resolution,
        }
    }

    #[inline]
    fn view(datagram: &'a [u8]) -> Result<Self, FrameError> {
        Ok(match FrameHeader::parse(datagram)?.frame_type {
            FrameType::Pad | FrameType::Data => Self::Data(DataFrame::parse(datagram)?),
            FrameType::Setup => Self::Setup(SetupFrame::view(datagram)?),
            FrameType::StatusMessage => Self::StatusMessage(StatusMessageFrame::view(datagram)?),
            FrameType::Nak => Self::Nak(NakFrame::parse(datagram)?),
            FrameType::RttMeasurement => {
                Self::RttMeasurement(RttMeasurementFrame::parse(datagram)?)
            }
            FrameType::Error => Self::Error(ErrorFrame::view(datagram)?),
            FrameType::ResponseSetup => Self::ResponseSetup(ResponseSetupFrame::parse(datagram)?),
            FrameType::Resolution => Self::Resolution(ResolutionFrame::parse(datagram)?),
        })
    }

    #[inline]
    fn check_fields(&self) -> Result<(), FrameError> {
        match self {
            Self::Setup(frame) => frame.check_fields(),
            Self::StatusMessage(frame) => frame.check_fields(),
            Self::Error(frame) => frame.check_fields(),
            // Data is judged by the image it belongs to, a NAK by its publication, and resolution
            // entries one by one; the others carry nothing that could be out of range.
            Self::Data(_)
            | Self::Nak(_)
            | Self::RttMeasurement(_)
            | Self::ResponseSetup(_)
            | Self::Resolution(_) => Ok(()),
        }
    }
}

impl fmt::Display for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(frame) => frame.fmt(f),
            Self::Setup(frame) => frame.fmt(f),
            Self::StatusMessage(frame) => frame.fmt(f),
            Self::Nak(frame) => frame.fmt(f),
            Self::RttMeasurement(frame) => frame.fmt(f),
            Self::Error(frame) => frame.fmt(f),
            Self::ResponseSetup(frame) => frame.fmt(f),
            Self::Resolution(frame) => frame.fmt(f),
        }
    }
}
