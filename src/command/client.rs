//! Life and death of clients and of the driver itself, and session ids in advance.

use super::MessageFault;
use super::codec::{Reader, Writer};
use crate::base::{ClientId, CorrelationId, SessionId, StreamId};

/// Says that the client lives. Clients of today update their heartbeat counter instead.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId};
/// use aileron::command::{ClientKeepalive, Command};
///
/// let message = Command::ClientKeepalive(ClientKeepalive {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientKeepalive {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
}

impl ClientKeepalive {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.client_id.0).i64(self.correlation_id.0);
    }
}

/// The last word of a client; its correlation id is -1. There is no reply.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId};
/// use aileron::command::{ClientClose, Command};
///
/// let message = Command::ClientClose(ClientClose {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientClose {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
}

impl ClientClose {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.client_id.0).i64(self.correlation_id.0);
    }
}

/// Asks the driver to stop; its correlation id is -1. There is no reply.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId};
/// use aileron::command::{Command, TerminateDriver};
///
/// let message = Command::TerminateDriver(TerminateDriver {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     token: b"please",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminateDriver<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// What the driver's validator decides on.
    pub token: &'a [u8],
}

impl<'a> TerminateDriver<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            token: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .bytes(self.token);
    }
}

/// Asks for a session id that no publication of the stream uses.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, StreamId};
/// use aileron::command::{Command, GetNextAvailableSessionId};
///
/// let message = Command::GetNextAvailableSessionId(GetNextAvailableSessionId {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     stream_id: StreamId(1001),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetNextAvailableSessionId {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The stream.
    pub stream_id: StreamId,
}

impl GetNextAvailableSessionId {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            stream_id: reader.stream_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i32(self.stream_id.0);
    }
}

/// The driver takes a client for dead; that client must close.
///
/// ```
/// use aileron::base::ClientId;
/// use aileron::command::{ClientTimeout, Event};
///
/// let message = Event::ClientTimeout(ClientTimeout {
///     client_id: ClientId(1),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeout {
    /// The client.
    pub client_id: ClientId,
}

impl ClientTimeout {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.client_id.0);
    }
}

/// Answers the request for a session id. The id is not reserved.
///
/// ```
/// use aileron::base::{CorrelationId, SessionId};
/// use aileron::command::{Event, NextAvailableSessionId};
///
/// let message = Event::NextAvailableSessionId(NextAvailableSessionId {
///     correlation_id: CorrelationId(2),
///     next_session_id: SessionId(77),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextAvailableSessionId {
    /// Of the command.
    pub correlation_id: CorrelationId,
    /// An id that was free when asked.
    pub next_session_id: SessionId,
}

impl NextAvailableSessionId {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            next_session_id: reader.session_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i32(self.next_session_id.0);
    }
}
