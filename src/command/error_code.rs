//! The numbers by which driver and clients name what went wrong.

use std::fmt;

/// Reason of a failed command, or of an error frame.
///
/// ```
/// use aileron::command::ErrorCode;
/// assert_eq!(ErrorCode::from_wire(13), ErrorCode::ImageRejected);
/// assert_eq!(ErrorCode::from_wire(4711), ErrorCode::UnknownCodeValue);
/// assert_eq!(ErrorCode::GenericError.to_wire(), 11);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(i32)]
pub enum ErrorCode {
    /// A number without a meaning here; what unrecognised codes decode to.
    UnknownCodeValue = -1,
    /// Never sent.
    Unused = 0,
    /// The channel is malformed, impossible, or conflicts with one in use.
    InvalidChannel = 1,
    /// No such subscription.
    UnknownSubscription = 2,
    /// No such publication.
    UnknownPublication = 3,
    /// An endpoint failed. From old drivers only: the id beside it is a status counter's.
    ChannelEndpointError = 4,
    /// No such counter.
    UnknownCounter = 5,
    /// The driver does not know the command.
    UnknownCommandTypeId = 6,
    /// The command's payload makes no sense.
    MalformedCommand = 7,
    /// The driver knows what is asked for and does not do it.
    NotSupported = 8,
    /// A name could not be resolved.
    UnknownHost = 9,
    /// Something is in the way for a moment; the command may be repeated.
    ResourceTemporarilyUnavailable = 10,
    /// Everything else.
    GenericError = 11,
    /// Not enough storage for a log.
    StorageSpace = 12,
    /// A subscriber refused the stream.
    ImageRejected = 13,
    /// The publication was revoked.
    PublicationRevoked = 14,
}

impl ErrorCode {
    /// The code with this number.
    #[must_use]
    pub const fn from_wire(value: i32) -> Self {
        match value {
            0 => Self::Unused,
            1 => Self::InvalidChannel,
            2 => Self::UnknownSubscription,
            3 => Self::UnknownPublication,
            4 => Self::ChannelEndpointError,
            5 => Self::UnknownCounter,
            6 => Self::UnknownCommandTypeId,
            7 => Self::MalformedCommand,
            8 => Self::NotSupported,
            9 => Self::UnknownHost,
            10 => Self::ResourceTemporarilyUnavailable,
            11 => Self::GenericError,
            12 => Self::StorageSpace,
            13 => Self::ImageRejected,
            14 => Self::PublicationRevoked,
            _ => Self::UnknownCodeValue,
        }
    }

    /// The code's number.
    #[must_use]
    pub const fn to_wire(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownCodeValue => "unknown code value",
            Self::Unused => "unused",
            Self::InvalidChannel => "invalid channel",
            Self::UnknownSubscription => "unknown subscription",
            Self::UnknownPublication => "unknown publication",
            Self::ChannelEndpointError => "channel endpoint error",
            Self::UnknownCounter => "unknown counter",
            Self::UnknownCommandTypeId => "unknown command type id",
            Self::MalformedCommand => "malformed command",
            Self::NotSupported => "not supported",
            Self::UnknownHost => "unknown host",
            Self::ResourceTemporarilyUnavailable => "resource temporarily unavailable",
            Self::GenericError => "generic error",
            Self::StorageSpace => "insufficient storage space",
            Self::ImageRejected => "image rejected",
            Self::PublicationRevoked => "publication revoked",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_survive_the_wire() {
        for value in -1..=14 {
            assert_eq!(ErrorCode::from_wire(value).to_wire(), value);
        }
        for value in [i32::MIN, -2, 15, 1000, i32::MAX] {
            assert_eq!(ErrorCode::from_wire(value), ErrorCode::UnknownCodeValue);
        }
    }
}
