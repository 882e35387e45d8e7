//! Replies that many commands share.

use super::codec::{Reader, Writer};
use super::{ErrorCode, MessageFault};
use crate::base::CorrelationId;

/// A command was done.
///
/// ```
/// use aileron::base::CorrelationId;
/// use aileron::command::{Event, OperationSuccess};
///
/// let message = Event::OperationSuccess(OperationSuccess {
///     correlation_id: CorrelationId(2),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationSuccess {
    /// Of the command.
    pub correlation_id: CorrelationId,
}

impl OperationSuccess {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.correlation_id.0);
    }
}

/// A command failed.
///
/// ```
/// use aileron::base::CorrelationId;
/// use aileron::command::{ErrorCode, ErrorResponse, Event};
///
/// let message = Event::Error(ErrorResponse {
///     correlation_id: CorrelationId(2),
///     code: ErrorCode::InvalidChannel,
///     message: b"no such host",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorResponse<'a> {
    /// Of the command; with [`ErrorCode::ChannelEndpointError`] a status counter id.
    pub correlation_id: CorrelationId,
    /// Why.
    pub code: ErrorCode,
    /// Why, in words; free form, not always UTF-8.
    pub message: &'a [u8],
}

impl<'a> ErrorResponse<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            code: ErrorCode::from_wire(reader.i32()?),
            message: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i32(self.code.to_wire())
            .bytes(self.message);
    }
}
