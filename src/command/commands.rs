//! All commands.

use super::codec::{Reader, Writer};
use super::{
    AddCounter, AddPublication, AddStaticCounter, AddSubscription, ClientClose, ClientKeepalive,
    CommandError, Destination, GetNextAvailableSessionId, MessageFault, RejectImage, RemoveCounter,
    RemoveDestinationById, RemovePublication, RemoveSubscription, TerminateDriver,
};
use crate::base::bytes::read_i64;
use crate::base::{ClientId, CorrelationId};

/// Type ids of the commands.
pub mod command_id {
    /// [`super::Command::AddPublication`]
    pub const ADD_PUBLICATION: i32 = 0x01;
    /// [`super::Command::RemovePublication`]
    pub const REMOVE_PUBLICATION: i32 = 0x02;
    /// [`super::Command::AddExclusivePublication`]
    pub const ADD_EXCLUSIVE_PUBLICATION: i32 = 0x03;
    /// [`super::Command::AddSubscription`]
    pub const ADD_SUBSCRIPTION: i32 = 0x04;
    /// [`super::Command::RemoveSubscription`]
    pub const REMOVE_SUBSCRIPTION: i32 = 0x05;
    /// [`super::Command::ClientKeepalive`]
    pub const CLIENT_KEEPALIVE: i32 = 0x06;
    /// [`super::Command::AddDestination`]
    pub const ADD_DESTINATION: i32 = 0x07;
    /// [`super::Command::RemoveDestination`]
    pub const REMOVE_DESTINATION: i32 = 0x08;
    /// [`super::Command::AddCounter`]
    pub const ADD_COUNTER: i32 = 0x09;
    /// [`super::Command::RemoveCounter`]
    pub const REMOVE_COUNTER: i32 = 0x0A;
    /// [`super::Command::ClientClose`]
    pub const CLIENT_CLOSE: i32 = 0x0B;
    /// [`super::Command::AddReceiveDestination`]
    pub const ADD_RCV_DESTINATION: i32 = 0x0C;
    /// [`super::Command::RemoveReceiveDestination`]
    pub const REMOVE_RCV_DESTINATION: i32 = 0x0D;
    /// [`super::Command::TerminateDriver`]
    pub const TERMINATE_DRIVER: i32 = 0x0E;
    /// [`super::Command::AddStaticCounter`]
    pub const ADD_STATIC_COUNTER: i32 = 0x0F;
    /// [`super::Command::RejectImage`]
    pub const REJECT_IMAGE: i32 = 0x10;
    /// [`super::Command::RemoveDestinationById`]
    pub const REMOVE_DESTINATION_BY_ID: i32 = 0x11;
    /// [`super::Command::GetNextAvailableSessionId`]
    pub const GET_NEXT_AVAILABLE_SESSION_ID: i32 = 0x12;
}

/// A message from a client to its driver.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId};
/// use aileron::command::{ClientClose, Command, command_id};
///
/// let close = Command::ClientClose(ClientClose {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(-1),
/// });
/// let mut payload = Vec::new();
/// assert_eq!(close.encode(&mut payload), command_id::CLIENT_CLOSE);
/// assert_eq!(Command::decode(command_id::CLIENT_CLOSE, &payload), Ok(close));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command<'a> {
    /// Asks for a shared publication.
    AddPublication(AddPublication<'a>),
    /// Gives up a publication.
    RemovePublication(RemovePublication),
    /// Asks for an exclusive publication.
    AddExclusivePublication(AddPublication<'a>),
    /// Asks for a subscription.
    AddSubscription(AddSubscription<'a>),
    /// Ends a subscription.
    RemoveSubscription(RemoveSubscription),
    /// The client lives.
    ClientKeepalive(ClientKeepalive),
    /// Adds a destination to a publication.
    AddDestination(Destination<'a>),
    /// Removes a publication's destination by its channel.
    RemoveDestination(Destination<'a>),
    /// Asks for a counter.
    AddCounter(AddCounter<'a>),
    /// Frees a counter.
    RemoveCounter(RemoveCounter),
    /// The client has closed.
    ClientClose(ClientClose),
    /// Adds a destination to a subscription.
    AddReceiveDestination(Destination<'a>),
    /// Removes a subscription's destination.
    RemoveReceiveDestination(Destination<'a>),
    /// Asks the driver to stop.
    TerminateDriver(TerminateDriver<'a>),
    /// Asks for a static counter.
    AddStaticCounter(AddStaticCounter<'a>),
    /// Refuses an image.
    RejectImage(RejectImage<'a>),
    /// Removes a publication's destination by its registration id.
    RemoveDestinationById(RemoveDestinationById),
    /// Asks for a free session id.
    GetNextAvailableSessionId(GetNextAvailableSessionId),
}

impl<'a> Command<'a> {
    /// Reads a command from its payload.
    ///
    /// # Errors
    ///
    /// [`CommandError`] for a type id that is no command's, a payload that is too short, a negative
    /// length, or a channel that is not UTF-8.
    pub fn decode(type_id: i32, payload: &'a [u8]) -> Result<Self, CommandError> {
        Self::decode_fields(type_id, &mut Reader::new(payload)).map_err(|kind| CommandError {
            kind,
            correlation_id: read_i64(payload, 8).map(CorrelationId),
        })
    }

    fn decode_fields(type_id: i32, reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(match type_id {
            command_id::ADD_PUBLICATION => Self::AddPublication(AddPublication::decode(reader)?),
            command_id::REMOVE_PUBLICATION => {
                Self::RemovePublication(RemovePublication::decode(reader)?)
            }
            command_id::ADD_EXCLUSIVE_PUBLICATION => {
                Self::AddExclusivePublication(AddPublication::decode(reader)?)
            }
            command_id::ADD_SUBSCRIPTION => Self::AddSubscription(AddSubscription::decode(reader)?),
            command_id::REMOVE_SUBSCRIPTION => {
                Self::RemoveSubscription(RemoveSubscription::decode(reader)?)
            }
            command_id::CLIENT_KEEPALIVE => Self::ClientKeepalive(ClientKeepalive::decode(reader)?),
            command_id::ADD_DESTINATION => Self::AddDestination(Destination::decode(reader)?),
            command_id::REMOVE_DESTINATION => Self::RemoveDestination(Destination::decode(reader)?),
            command_id::ADD_COUNTER => Self::AddCounter(AddCounter::decode(reader)?),
            command_id::REMOVE_COUNTER => Self::RemoveCounter(RemoveCounter::decode(reader)?),
            command_id::CLIENT_CLOSE => Self::ClientClose(ClientClose::decode(reader)?),
            command_id::ADD_RCV_DESTINATION => {
                Self::AddReceiveDestination(Destination::decode(reader)?)
            }
            command_id::REMOVE_RCV_DESTINATION => {
                Self::RemoveReceiveDestination(Destination::decode(reader)?)
            }
            command_id::TERMINATE_DRIVER => Self::TerminateDriver(TerminateDriver::decode(reader)?),
            command_id::ADD_STATIC_COUNTER => {
                Self::AddStaticCounter(AddStaticCounter::decode(reader)?)
            }
            command_id::REJECT_IMAGE => Self::RejectImage(RejectImage::decode(reader)?),
            command_id::REMOVE_DESTINATION_BY_ID => {
                Self::RemoveDestinationById(RemoveDestinationById::decode(reader)?)
            }
            command_id::GET_NEXT_AVAILABLE_SESSION_ID => {
                Self::GetNextAvailableSessionId(GetNextAvailableSessionId::decode(reader)?)
            }
            _ => return Err(MessageFault::UnknownType),
        })
    }

    /// Appends the payload to `out` and returns the type id to send it under.
    pub fn encode(&self, out: &mut Vec<u8>) -> i32 {
        let writer = &mut Writer::new(out);
        match self {
            Self::AddPublication(message) => message.encode(writer),
            Self::RemovePublication(message) => message.encode(writer),
            Self::AddExclusivePublication(message) => message.encode(writer),
            Self::AddSubscription(message) => message.encode(writer),
            Self::RemoveSubscription(message) => message.encode(writer),
            Self::ClientKeepalive(message) => message.encode(writer),
            Self::AddDestination(message) => message.encode(writer),
            Self::RemoveDestination(message) => message.encode(writer),
            Self::AddCounter(message) => message.encode(writer),
            Self::RemoveCounter(message) => message.encode(writer),
            Self::ClientClose(message) => message.encode(writer),
            Self::AddReceiveDestination(message) => message.encode(writer),
            Self::RemoveReceiveDestination(message) => message.encode(writer),
            Self::TerminateDriver(message) => message.encode(writer),
            Self::AddStaticCounter(message) => message.encode(writer),
            Self::RejectImage(message) => message.encode(writer),
            Self::RemoveDestinationById(message) => message.encode(writer),
            Self::GetNextAvailableSessionId(message) => message.encode(writer),
        }
        self.type_id()
    }

    /// The type id of the command.
    #[must_use]
    pub const fn type_id(&self) -> i32 {
        match self {
            Self::AddPublication(_) => command_id::ADD_PUBLICATION,
            Self::RemovePublication(_) => command_id::REMOVE_PUBLICATION,
            Self::AddExclusivePublication(_) => command_id::ADD_EXCLUSIVE_PUBLICATION,
            Self::AddSubscription(_) => command_id::ADD_SUBSCRIPTION,
            Self::RemoveSubscription(_) => command_id::REMOVE_SUBSCRIPTION,
            Self::ClientKeepalive(_) => command_id::CLIENT_KEEPALIVE,
            Self::AddDestination(_) => command_id::ADD_DESTINATION,
            Self::RemoveDestination(_) => command_id::REMOVE_DESTINATION,
            Self::AddCounter(_) => command_id::ADD_COUNTER,
            Self::RemoveCounter(_) => command_id::REMOVE_COUNTER,
            Self::ClientClose(_) => command_id::CLIENT_CLOSE,
            Self::AddReceiveDestination(_) => command_id::ADD_RCV_DESTINATION,
            Self::RemoveReceiveDestination(_) => command_id::REMOVE_RCV_DESTINATION,
            Self::TerminateDriver(_) => command_id::TERMINATE_DRIVER,
            Self::AddStaticCounter(_) => command_id::ADD_STATIC_COUNTER,
            Self::RejectImage(_) => command_id::REJECT_IMAGE,
            Self::RemoveDestinationById(_) => command_id::REMOVE_DESTINATION_BY_ID,
            Self::GetNextAvailableSessionId(_) => command_id::GET_NEXT_AVAILABLE_SESSION_ID,
        }
    }

    /// The client that sent the command.
    #[must_use]
    pub const fn client_id(&self) -> ClientId {
        self.header().0
    }

    /// What ties the reply to the command.
    #[must_use]
    pub const fn correlation_id(&self) -> CorrelationId {
        self.header().1
    }

    const fn header(&self) -> (ClientId, CorrelationId) {
        match self {
            Self::AddPublication(m) | Self::AddExclusivePublication(m) => {
                (m.client_id, m.correlation_id)
            }
            Self::RemovePublication(m) => (m.client_id, m.correlation_id),
            Self::AddSubscription(m) => (m.client_id, m.correlation_id),
            Self::RemoveSubscription(m) => (m.client_id, m.correlation_id),
            Self::ClientKeepalive(m) => (m.client_id, m.correlation_id),
            Self::AddDestination(m)
            | Self::RemoveDestination(m)
            | Self::AddReceiveDestination(m)
            | Self::RemoveReceiveDestination(m) => (m.client_id, m.correlation_id),
            Self::AddCounter(m) => (m.client_id, m.correlation_id),
            Self::RemoveCounter(m) => (m.client_id, m.correlation_id),
            Self::ClientClose(m) => (m.client_id, m.correlation_id),
            Self::TerminateDriver(m) => (m.client_id, m.correlation_id),
            Self::AddStaticCounter(m) => (m.client_id, m.correlation_id),
            Self::RejectImage(m) => (m.client_id, m.correlation_id),
            Self::RemoveDestinationById(m) => (m.client_id, m.correlation_id),
            Self::GetNextAvailableSessionId(m) => (m.client_id, m.correlation_id),
        }
    }
}
