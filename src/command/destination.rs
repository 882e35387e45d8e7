//! Destinations of channels that have several.

use super::MessageFault;
use super::codec::{Reader, Writer};
use crate::base::{ClientId, CorrelationId, RegistrationId};

/// Adds a destination to a publication or subscription, or removes one: the command's type says
/// which. The correlation id of an added destination becomes its registration id.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{Command, Destination};
///
/// let message = Command::AddDestination(Destination {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(2),
///     channel: "aeron:udp?endpoint=localhost:20121",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The publication, by its original registration id, or the subscription.
    pub registration_id: RegistrationId,
    /// The destination's channel, as the user wrote it.
    pub channel: &'a str,
}

impl<'a> Destination<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
            channel: reader.text()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0)
            .bytes(self.channel.as_bytes());
    }
}

/// Removes a destination of a publication by the id it was added under.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{Command, RemoveDestinationById};
///
/// let message = Command::RemoveDestinationById(RemoveDestinationById {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(2),
///     destination_registration_id: RegistrationId(3),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveDestinationById {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The publication, by its original registration id.
    pub registration_id: RegistrationId,
    /// Correlation id of the command that added the destination.
    pub destination_registration_id: RegistrationId,
}

impl RemoveDestinationById {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
            destination_registration_id: reader.registration_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0)
            .i64(self.destination_registration_id.0);
    }
}
