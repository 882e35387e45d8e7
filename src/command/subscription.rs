//! Subscriptions: adding and removing them.

use super::MessageFault;
use super::codec::{Reader, Writer};
use crate::base::{ClientId, CorrelationId, CounterId, NULL_VALUE, RegistrationId, StreamId};

/// Asks for a subscription. The correlation id becomes its registration id.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, StreamId};
/// use aileron::command::{AddSubscription, Command};
///
/// let message = Command::AddSubscription(AddSubscription {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     stream_id: StreamId(1001),
///     channel: "aeron:udp?endpoint=localhost:20121",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddSubscription<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The stream.
    pub stream_id: StreamId,
    /// The channel, as the user wrote it.
    pub channel: &'a str,
}

impl<'a> AddSubscription<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        let (client_id, correlation_id) = (reader.client_id()?, reader.correlation_id()?);
        // A second correlation id, which drivers ignore and clients fill as they like.
        reader.i64()?;
        Ok(Self {
            client_id,
            correlation_id,
            stream_id: reader.stream_id()?,
            channel: reader.text()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(NULL_VALUE)
            .i32(self.stream_id.0)
            .bytes(self.channel.as_bytes());
    }
}

/// Ends a subscription.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{Command, RemoveSubscription};
///
/// let message = Command::RemoveSubscription(RemoveSubscription {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(5),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveSubscription {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// Correlation id of the command that added it.
    pub registration_id: RegistrationId,
}

impl RemoveSubscription {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0);
    }
}

/// A subscription is in place; its images follow.
///
/// ```
/// use aileron::base::{CorrelationId, CounterId};
/// use aileron::command::{Event, SubscriptionReady};
///
/// let message = Event::SubscriptionReady(SubscriptionReady {
///     correlation_id: CorrelationId(2),
///     channel_status_counter_id: CounterId(12),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubscriptionReady {
    /// Of the command that added it: its registration id.
    pub correlation_id: CorrelationId,
    /// Counter with the channel's status; -1 for IPC and spies.
    pub channel_status_counter_id: CounterId,
}

impl SubscriptionReady {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            channel_status_counter_id: reader.counter_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i32(self.channel_status_counter_id.0);
    }
}
