//! Counters that clients allocate, and the news of those of all clients.

use super::MessageFault;
use super::codec::{Reader, Writer};
use crate::base::{ClientId, CorrelationId, CounterId, RegistrationId};

/// Asks for a counter that lives as long as its client. The correlation id becomes its
/// registration id.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId};
/// use aileron::command::{AddCounter, Command};
///
/// let message = Command::AddCounter(AddCounter {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     type_id: 7777,
///     key: b"abcde",
///     label: b"my label",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddCounter<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// Kind of counter, chosen by the application.
    pub type_id: i32,
    /// Identifies the counter among those of its type; drivers keep 112 bytes at most.
    pub key: &'a [u8],
    /// What people read; drivers keep 380 bytes at most.
    pub label: &'a [u8],
}

impl<'a> AddCounter<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            type_id: reader.i32()?,
            key: reader.padded_bytes()?,
            label: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i32(self.type_id)
            .padded_bytes(self.key)
            .bytes(self.label);
    }
}

/// Frees a counter.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{Command, RemoveCounter};
///
/// let message = Command::RemoveCounter(RemoveCounter {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(5),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoveCounter {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// Correlation id of the command that added it.
    pub registration_id: RegistrationId,
}

impl RemoveCounter {
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

/// Asks for a counter that lives as long as the driver, or for the one there is.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{AddStaticCounter, Command};
///
/// let message = Command::AddStaticCounter(AddStaticCounter {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(42),
///     type_id: 7777,
///     key: b"abcde",
///     label: b"my label",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddStaticCounter<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// With the type, names the counter; chosen by the application.
    pub registration_id: RegistrationId,
    /// Kind of counter, chosen by the application.
    pub type_id: i32,
    /// Identifies the counter among those of its type; drivers keep 112 bytes at most.
    pub key: &'a [u8],
    /// What people read; drivers keep 380 bytes at most.
    pub label: &'a [u8],
}

impl<'a> AddStaticCounter<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
            type_id: reader.i32()?,
            key: reader.padded_bytes()?,
            label: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0)
            .i32(self.type_id)
            .padded_bytes(self.key)
            .bytes(self.label);
    }
}

/// A counter is there: the answer to its command, and news to all other clients.
///
/// ```
/// use aileron::base::{CorrelationId, CounterId};
/// use aileron::command::{CounterReady, Event};
///
/// let message = Event::CounterReady(CounterReady {
///     correlation_id: CorrelationId(12),
///     counter_id: CounterId(50),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterReady {
    /// Of the command that added it; the client id for a heartbeat counter.
    pub correlation_id: CorrelationId,
    /// The counter.
    pub counter_id: CounterId,
}

impl CounterReady {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            counter_id: reader.counter_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.correlation_id.0).i32(self.counter_id.0);
    }
}

/// A counter is gone; its id may be reused.
///
/// ```
/// use aileron::base::{CounterId, RegistrationId};
/// use aileron::command::{Event, UnavailableCounter};
///
/// let message = Event::UnavailableCounter(UnavailableCounter {
///     registration_id: RegistrationId(12),
///     counter_id: CounterId(50),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnavailableCounter {
    /// Of the counter; the client id for a heartbeat counter.
    pub registration_id: RegistrationId,
    /// The counter.
    pub counter_id: CounterId,
}

impl UnavailableCounter {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            registration_id: reader.registration_id()?,
            counter_id: reader.counter_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.registration_id.0).i32(self.counter_id.0);
    }
}

/// Answers the command for a static counter.
///
/// ```
/// use aileron::base::{CorrelationId, CounterId};
/// use aileron::command::{Event, StaticCounter};
///
/// let message = Event::StaticCounter(StaticCounter {
///     correlation_id: CorrelationId(12),
///     counter_id: CounterId(50),
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticCounter {
    /// Of the command.
    pub correlation_id: CorrelationId,
    /// The counter.
    pub counter_id: CounterId,
}

impl StaticCounter {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            counter_id: reader.counter_id()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.i64(self.correlation_id.0).i32(self.counter_id.0);
    }
}
