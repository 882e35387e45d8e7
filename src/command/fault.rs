//! Why a payload was refused.

use std::fmt;

use super::ErrorCode;
use crate::base::CorrelationId;

/// What is wrong with a payload.
///
/// ```
/// use aileron::command::{Event, MessageFault, event_id};
/// assert_eq!(Event::decode(event_id::ON_ERROR, &[0; 15]).unwrap_err(), MessageFault::Truncated);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageFault {
    /// No message has this type id.
    UnknownType,
    /// The payload ends before the message does, or has a length that no form of it has.
    Truncated,
    /// A length inside the payload is negative.
    NegativeLength,
    /// A channel or path is not UTF-8.
    Text,
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownType => "unknown message type id",
            Self::Truncated => "message ends too early",
            Self::NegativeLength => "negative length in message",
            Self::Text => "text is not utf-8",
        })
    }
}

impl std::error::Error for MessageFault {}

/// A command that could not be decoded, with what the reply to it needs.
///
/// ```
/// use aileron::base::CorrelationId;
/// use aileron::command::{Command, ErrorCode, command_id};
/// let mut payload = [0; 23];
/// payload[8] = 5;
/// let error = Command::decode(command_id::ADD_PUBLICATION, &payload).unwrap_err();
/// assert_eq!(error.correlation_id, Some(CorrelationId(5)));
/// assert_eq!(error.code(), ErrorCode::MalformedCommand);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// What is wrong with it.
    pub kind: MessageFault,
    /// The command's correlation id, if the payload reaches that far.
    pub correlation_id: Option<CorrelationId>,
}

impl CommandError {
    /// The code to reply with.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self.kind {
            MessageFault::UnknownType => ErrorCode::UnknownCommandTypeId,
            MessageFault::Truncated | MessageFault::NegativeLength | MessageFault::Text => {
                ErrorCode::MalformedCommand
            }
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.correlation_id {
            Some(id) => write!(f, "command with correlation id {id}: {}", self.kind),
            None => write!(f, "command: {}", self.kind),
        }
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.kind)
    }
}
