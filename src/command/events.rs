//! All events.

use super::codec::{Reader, Writer};
use super::{
    AvailableImage, ClientTimeout, CounterReady, ErrorResponse, MessageFault,
    NextAvailableSessionId, OperationSuccess, PublicationError, PublicationReady, StaticCounter,
    SubscriptionReady, UnavailableCounter, UnavailableImage,
};

/// Type ids of the events.
pub mod event_id {
    /// [`super::Event::Error`]
    pub const ON_ERROR: i32 = 0x0F01;
    /// [`super::Event::AvailableImage`]
    pub const ON_AVAILABLE_IMAGE: i32 = 0x0F02;
    /// [`super::Event::PublicationReady`]
    pub const ON_PUBLICATION_READY: i32 = 0x0F03;
    /// [`super::Event::OperationSuccess`]
    pub const ON_OPERATION_SUCCESS: i32 = 0x0F04;
    /// [`super::Event::UnavailableImage`]
    pub const ON_UNAVAILABLE_IMAGE: i32 = 0x0F05;
    /// [`super::Event::ExclusivePublicationReady`]
    pub const ON_EXCLUSIVE_PUBLICATION_READY: i32 = 0x0F06;
    /// [`super::Event::SubscriptionReady`]
    pub const ON_SUBSCRIPTION_READY: i32 = 0x0F07;
    /// [`super::Event::CounterReady`]
    pub const ON_COUNTER_READY: i32 = 0x0F08;
    /// [`super::Event::UnavailableCounter`]
    pub const ON_UNAVAILABLE_COUNTER: i32 = 0x0F09;
    /// [`super::Event::ClientTimeout`]
    pub const ON_CLIENT_TIMEOUT: i32 = 0x0F0A;
    /// [`super::Event::StaticCounter`]
    pub const ON_STATIC_COUNTER: i32 = 0x0F0B;
    /// [`super::Event::PublicationError`]
    pub const ON_PUBLICATION_ERROR: i32 = 0x0F0C;
    /// [`super::Event::NextAvailableSessionId`]
    pub const ON_NEXT_AVAILABLE_SESSION_ID: i32 = 0x0F0D;
}

/// A message from the driver to all its clients.
///
/// ```
/// use aileron::base::CorrelationId;
/// use aileron::command::{Event, OperationSuccess, event_id};
///
/// let done = Event::OperationSuccess(OperationSuccess { correlation_id: CorrelationId(2) });
/// let mut payload = Vec::new();
/// assert_eq!(done.encode(&mut payload), event_id::ON_OPERATION_SUCCESS);
/// assert_eq!(Event::decode(event_id::ON_OPERATION_SUCCESS, &payload), Ok(done));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A command failed.
    Error(ErrorResponse<'a>),
    /// A subscription has an image.
    AvailableImage(AvailableImage<'a>),
    /// A shared publication is ready.
    PublicationReady(PublicationReady<'a>),
    /// A command was done.
    OperationSuccess(OperationSuccess),
    /// A subscription loses an image.
    UnavailableImage(UnavailableImage<'a>),
    /// An exclusive publication is ready.
    ExclusivePublicationReady(PublicationReady<'a>),
    /// A subscription is in place.
    SubscriptionReady(SubscriptionReady),
    /// A counter is there.
    CounterReady(CounterReady),
    /// A counter is gone.
    UnavailableCounter(UnavailableCounter),
    /// A client is taken for dead.
    ClientTimeout(ClientTimeout),
    /// A static counter is there.
    StaticCounter(StaticCounter),
    /// A receiver refused a stream.
    PublicationError(PublicationError<'a>),
    /// A session id that is free.
    NextAvailableSessionId(NextAvailableSessionId),
}

impl<'a> Event<'a> {
    /// Reads an event from its payload.
    ///
    /// # Errors
    ///
    /// [`MessageFault`] for a type id that is no event's, a payload that is too short, a negative
    /// length, or a path that is not UTF-8.
    pub fn decode(type_id: i32, payload: &'a [u8]) -> Result<Self, MessageFault> {
        let reader = &mut Reader::new(payload);
        Ok(match type_id {
            event_id::ON_ERROR => Self::Error(ErrorResponse::decode(reader)?),
            event_id::ON_AVAILABLE_IMAGE => Self::AvailableImage(AvailableImage::decode(reader)?),
            event_id::ON_PUBLICATION_READY => {
                Self::PublicationReady(PublicationReady::decode(reader)?)
            }
            event_id::ON_OPERATION_SUCCESS => {
                Self::OperationSuccess(OperationSuccess::decode(reader)?)
            }
            event_id::ON_UNAVAILABLE_IMAGE => {
                Self::UnavailableImage(UnavailableImage::decode(reader)?)
            }
            event_id::ON_EXCLUSIVE_PUBLICATION_READY => {
                Self::ExclusivePublicationReady(PublicationReady::decode(reader)?)
            }
            event_id::ON_SUBSCRIPTION_READY => {
                Self::SubscriptionReady(SubscriptionReady::decode(reader)?)
            }
            event_id::ON_COUNTER_READY => Self::CounterReady(CounterReady::decode(reader)?),
            event_id::ON_UNAVAILABLE_COUNTER => {
                Self::UnavailableCounter(UnavailableCounter::decode(reader)?)
            }
            event_id::ON_CLIENT_TIMEOUT => Self::ClientTimeout(ClientTimeout::decode(reader)?),
            event_id::ON_STATIC_COUNTER => Self::StaticCounter(StaticCounter::decode(reader)?),
            event_id::ON_PUBLICATION_ERROR => {
                Self::PublicationError(PublicationError::decode(reader)?)
            }
            event_id::ON_NEXT_AVAILABLE_SESSION_ID => {
                Self::NextAvailableSessionId(NextAvailableSessionId::decode(reader)?)
            }
            _ => return Err(MessageFault::UnknownType),
        })
    }

    /// Appends the payload to `out` and returns the type id to send it under.
    pub fn encode(&self, out: &mut Vec<u8>) -> i32 {
        let writer = &mut Writer::new(out);
        match self {
            Self::Error(message) => message.encode(writer),
            Self::AvailableImage(message) => message.encode(writer),
            Self::PublicationReady(message) => message.encode(writer),
            Self::OperationSuccess(message) => message.encode(writer),
            Self::UnavailableImage(message) => message.encode(writer),
            Self::ExclusivePublicationReady(message) => message.encode(writer),
            Self::SubscriptionReady(message) => message.encode(writer),
            Self::CounterReady(message) => message.encode(writer),
            Self::UnavailableCounter(message) => message.encode(writer),
            Self::ClientTimeout(message) => message.encode(writer),
            Self::StaticCounter(message) => message.encode(writer),
            Self::PublicationError(message) => message.encode(writer),
            Self::NextAvailableSessionId(message) => message.encode(writer),
        }
        self.type_id()
    }

    /// The type id of the event.
    #[must_use]
    pub const fn type_id(&self) -> i32 {
        match self {
            Self::Error(_) => event_id::ON_ERROR,
            Self::AvailableImage(_) => event_id::ON_AVAILABLE_IMAGE,
            Self::PublicationReady(_) => event_id::ON_PUBLICATION_READY,
            Self::OperationSuccess(_) => event_id::ON_OPERATION_SUCCESS,
            Self::UnavailableImage(_) => event_id::ON_UNAVAILABLE_IMAGE,
            Self::ExclusivePublicationReady(_) => event_id::ON_EXCLUSIVE_PUBLICATION_READY,
            Self::SubscriptionReady(_) => event_id::ON_SUBSCRIPTION_READY,
            Self::CounterReady(_) => event_id::ON_COUNTER_READY,
            Self::UnavailableCounter(_) => event_id::ON_UNAVAILABLE_COUNTER,
            Self::ClientTimeout(_) => event_id::ON_CLIENT_TIMEOUT,
            Self::StaticCounter(_) => event_id::ON_STATIC_COUNTER,
            Self::PublicationError(_) => event_id::ON_PUBLICATION_ERROR,
            Self::NextAvailableSessionId(_) => event_id::ON_NEXT_AVAILABLE_SESSION_ID,
        }
    }
}
