//! The eight bytes every frame begins with.
//!
//! | Offset | Length | Field |
//! |---|---|---|
//! | 0 | 4 | frame length, header included, trailing alignment excluded |
//! | 4 | 1 | version |
//! | 5 | 1 | flags, meaning by type |
//! | 6 | 2 | type |

use std::fmt;

use super::{FrameError, SocketRole};
use crate::base::bytes::{read_i32, read_i64, read_u16, write_i32, write_u16};

/// Bytes of the header that all frames share.
pub const HEADER_LENGTH: usize = 8;
/// The only version of the frame format there is.
pub const PROTOCOL_VERSION: u8 = 0;

pub(super) mod field {
    pub(crate) const FRAME_LENGTH: usize = 0;
    pub(crate) const VERSION: usize = 4;
    pub(crate) const FLAGS: usize = 5;
    pub(crate) const TYPE: usize = 6;
}

/// The type of a frame. Reserved types are never sent and refused on receipt, so they are not here.
///
/// ```
/// use aileron::protocol::FrameType;
/// assert_eq!(FrameType::from_wire(5), Some(FrameType::Setup));
/// assert_eq!(FrameType::Setup.to_wire(), 5);
/// assert_eq!(FrameType::from_wire(0xFFFF), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameType {
    /// Padding up to a term's end or in place of an aborted claim; only its header travels.
    Pad,
    /// A message or a fragment of one; a heartbeat if its frame length is 0.
    Data,
    /// A receiver asks for a missing range.
    Nak,
    /// A receiver tells what it has consumed and its window.
    StatusMessage,
    /// A receiver refuses the stream.
    Error,
    /// A sender describes its stream.
    Setup,
    /// Round-trip time measurement, request or answer.
    RttMeasurement,
    /// Names and addresses gossiped between drivers.
    Resolution,
    /// A receiver names the session of its response stream.
    ResponseSetup,
}

impl FrameType {
    /// The type with this wire value.
    #[must_use]
    #[inline]
    pub const fn from_wire(value: u16) -> Option<Self> {
        Some(match value {
            0x00 => Self::Pad,
            0x01 => Self::Data,
            0x02 => Self::Nak,
            0x03 => Self::StatusMessage,
            0x04 => Self::Error,
            0x05 => Self::Setup,
            0x06 => Self::RttMeasurement,
            0x07 => Self::Resolution,
            0x0B => Self::ResponseSetup,
            _ => return None,
        })
    }

    /// The value on the wire.
    #[must_use]
    #[inline]
    pub const fn to_wire(self) -> u16 {
        match self {
            Self::Pad => 0x00,
            Self::Data => 0x01,
            Self::Nak => 0x02,
            Self::StatusMessage => 0x03,
            Self::Error => 0x04,
            Self::Setup => 0x05,
            Self::RttMeasurement => 0x06,
            Self::Resolution => 0x07,
            Self::ResponseSetup => 0x0B,
        }
    }

    /// Whether a socket of this role acts on such a frame; others ignore it without counting it.
    #[must_use]
    #[inline]
    pub const fn is_handled_by(self, role: SocketRole) -> bool {
        match self {
            Self::Pad | Self::Data | Self::Setup => matches!(role, SocketRole::Receive),
            Self::Nak | Self::StatusMessage | Self::Error | Self::ResponseSetup => {
                matches!(role, SocketRole::Send)
            }
            Self::RttMeasurement => matches!(role, SocketRole::Receive | SocketRole::Send),
            Self::Resolution => matches!(role, SocketRole::Resolver),
        }
    }
}

impl fmt::Display for FrameType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pad => "PAD",
            Self::Data => "DATA",
            Self::Nak => "NAK",
            Self::StatusMessage => "SM",
            Self::Error => "ERR",
            Self::Setup => "SETUP",
            Self::RttMeasurement => "RTTM",
            Self::Resolution => "RES",
            Self::ResponseSetup => "RSP_SETUP",
        })
    }
}

/// The common header of a received frame, checked as far as it can be without its type's rules.
///
/// ```
/// use aileron::protocol::{FrameHeader, FrameType};
/// let header = FrameHeader::parse(&[28, 0, 0, 0, 0, 0, 2, 0]).unwrap();
/// assert_eq!((header.frame_length, header.frame_type), (28, FrameType::Nak));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of the frame including its header; not negative, 0 in a heartbeat.
    pub frame_length: i32,
    /// Flag bits; their meaning depends on the type.
    pub flags: u8,
    /// What the frame is.
    pub frame_type: FrameType,
}

impl FrameHeader {
    /// Reads the header at the begin of `datagram`.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`], [`FrameError::NegativeLength`], [`FrameError::Version`] or
    /// [`FrameError::UnknownType`], tested in this order.
    #[inline]
    pub fn parse(datagram: &[u8]) -> Result<Self, FrameError> {
        let bytes = datagram
            .first_chunk::<HEADER_LENGTH>()
            .ok_or(FrameError::Truncated)?;
        let frame_length = i32_le(bytes, field::FRAME_LENGTH);
        if frame_length < 0 {
            return Err(FrameError::NegativeLength);
        }
        if bytes[field::VERSION] != PROTOCOL_VERSION {
            return Err(FrameError::Version);
        }
        let frame_type =
            FrameType::from_wire(u16_le(bytes, field::TYPE)).ok_or(FrameError::UnknownType)?;
        Ok(Self {
            frame_length,
            flags: bytes[field::FLAGS],
            frame_type,
        })
    }

    /// Puts this header at the begin of `bytes`.
    pub(super) fn write(self, bytes: &mut [u8; HEADER_LENGTH]) {
        write_i32(bytes, field::FRAME_LENGTH, self.frame_length);
        bytes[field::VERSION] = PROTOCOL_VERSION;
        bytes[field::FLAGS] = self.flags;
        write_u16(bytes, field::TYPE, self.frame_type.to_wire());
    }
}

/// The checks common to all control frames: the expected type, a whole header of `N` bytes, and a
/// frame that ends within the datagram.
#[inline]
pub(super) fn expect_control<const N: usize>(
    datagram: &[u8],
    frame_type: FrameType,
) -> Result<(&[u8; N], FrameHeader), FrameError> {
    let header = FrameHeader::parse(datagram)?;
    if header.frame_type != frame_type {
        return Err(FrameError::UnexpectedType);
    }
    let bytes = datagram.first_chunk::<N>().ok_or(FrameError::Truncated)?;
    if usize::try_from(header.frame_length).is_ok_and(|length| length <= datagram.len()) {
        Ok((bytes, header))
    } else {
        Err(FrameError::LengthBeyondDatagram)
    }
}

/// Begins an outgoing frame that is `N` bytes or more: all zero but for the common header.
pub(super) fn begin<const N: usize>(
    out: &mut [u8; N],
    frame_type: FrameType,
    frame_length: i32,
    flags: u8,
) {
    out.fill(0);
    if let Some(bytes) = out.first_chunk_mut() {
        FrameHeader {
            frame_length,
            flags,
            frame_type,
        }
        .write(bytes);
    }
}

/// A field of a view: its offset is a constant below the length that was checked.
#[inline]
pub(super) fn u16_le<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    debug_assert!(at + 2 <= N);
    read_u16(bytes, at).unwrap_or_default()
}

/// See [`u16_le`].
#[inline]
pub(super) fn i32_le<const N: usize>(bytes: &[u8; N], at: usize) -> i32 {
    debug_assert!(at + 4 <= N);
    read_i32(bytes, at).unwrap_or_default()
}

/// See [`u16_le`].
#[inline]
pub(super) fn i64_le<const N: usize>(bytes: &[u8; N], at: usize) -> i64 {
    debug_assert!(at + 8 <= N);
    read_i64(bytes, at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_the_wire_and_reserved_ones_are_unknown() {
        let known = (0..=u16::MAX)
            .filter_map(FrameType::from_wire)
            .inspect(|frame_type| {
                assert_eq!(
                    FrameType::from_wire(frame_type.to_wire()),
                    Some(*frame_type)
                );
            });
        assert_eq!(known.count(), 9);
        for reserved in [8, 9, 10, 0xFFFF] {
            assert_eq!(FrameType::from_wire(reserved), None);
        }
    }

    #[test]
    fn header_faults_are_told_apart() {
        assert_eq!(FrameHeader::parse(&[0; 7]), Err(FrameError::Truncated));
        assert_eq!(
            FrameHeader::parse(&[0, 0, 0, 0x80, 0, 0, 1, 0]),
            Err(FrameError::NegativeLength)
        );
        assert_eq!(
            FrameHeader::parse(&[0, 0, 0, 0, 1, 0, 1, 0]),
            Err(FrameError::Version)
        );
        assert_eq!(
            FrameHeader::parse(&[0, 0, 0, 0, 0, 0, 8, 0]),
            Err(FrameError::UnknownType)
        );
    }

    #[test]
    fn a_frame_of_another_type_is_unexpected() {
        let datagram = [0u8, 0, 0, 0, 0, 0, 2, 0];
        assert_eq!(
            expect_control::<8>(&datagram, FrameType::Setup),
            Err(FrameError::UnexpectedType)
        );
        assert!(expect_control::<8>(&datagram, FrameType::Nak).is_ok());
        assert_eq!(
            expect_control::<9>(&datagram, FrameType::Nak),
            Err(FrameError::Truncated)
        );
    }
}
