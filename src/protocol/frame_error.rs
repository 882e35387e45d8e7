//! Why a datagram was refused.

use std::fmt;

/// Reason a datagram is not a valid frame. The caller counts it and drops the datagram.
///
/// ```
/// use aileron::protocol::{Frame, FrameError};
/// assert_eq!(Frame::parse(&[0; 7]).unwrap_err(), FrameError::Truncated);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameError {
    /// Shorter than the header of its type.
    Truncated,
    /// The frame length is negative.
    NegativeLength,
    /// The version is not the one this crate speaks.
    Version,
    /// No such frame type, or a reserved one.
    UnknownType,
    /// A valid type, but not the one asked for.
    UnexpectedType,
    /// The frame length goes beyond the end of the datagram.
    LengthBeyondDatagram,
    /// A data datagram whose length is not a multiple of the frame alignment.
    UnalignedDatagram,
    /// A term length out of range or not a power of two.
    TermLength,
    /// A term offset that is negative, unaligned or beyond the term.
    TermOffset,
    /// An MTU out of range or unaligned.
    Mtu,
    /// A receiver window that is negative or more than half a term.
    ReceiverWindow,
    /// An error text longer than allowed or than its frame.
    ErrorLength,
    /// A resolution entry of unknown type.
    ResolutionType,
    /// A resolution entry whose name is empty, too long or cut off.
    NameLength,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "datagram shorter than its header",
            Self::NegativeLength => "negative frame length",
            Self::Version => "unknown protocol version",
            Self::UnknownType => "unknown frame type",
            Self::UnexpectedType => "unexpected frame type",
            Self::LengthBeyondDatagram => "frame length beyond the datagram",
            Self::UnalignedDatagram => "data datagram of unaligned length",
            Self::TermLength => "invalid term length",
            Self::TermOffset => "invalid term offset",
            Self::Mtu => "invalid mtu",
            Self::ReceiverWindow => "invalid receiver window",
            Self::ErrorLength => "invalid error text length",
            Self::ResolutionType => "unknown resolution type",
            Self::NameLength => "invalid name length",
        })
    }
}

impl std::error::Error for FrameError {}
