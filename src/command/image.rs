//! Images: their coming and going, and refusing one.

use super::MessageFault;
use super::codec::{Reader, Writer};
use crate::base::{
    ClientId, CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId,
};

/// The C driver takes none shorter, though the fields end at 36 when the reason is empty.
const REJECT_IMAGE_LENGTH_MIN: usize = 40;

/// Refuses an image: its publisher is told and the stream dies. Some clients leave both ids of the
/// header 0, and then nobody heeds the reply.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, Position};
/// use aileron::command::{Command, RejectImage};
///
/// let message = Command::RejectImage(RejectImage {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     image_correlation_id: CorrelationId(9),
///     position: Position(4096),
///     reason: b"no thanks",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectImage<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The image, or the registration id of an IPC publication.
    pub image_correlation_id: CorrelationId,
    /// How far the image had been read; for information.
    pub position: Position,
    /// What the publisher is told, at most 1023 bytes.
    pub reason: &'a [u8],
}

impl<'a> RejectImage<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            image_correlation_id: reader.correlation_id()?,
            position: reader.position()?,
            reason: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.image_correlation_id.0)
            .i64(self.position.0)
            .bytes(self.reason)
            .pad_to(REJECT_IMAGE_LENGTH_MIN);
    }
}

/// A subscription has an image; one event for each of its subscriptions.
///
/// ```
/// use aileron::base::{CorrelationId, CounterId, RegistrationId, SessionId, StreamId};
/// use aileron::command::{AvailableImage, Event};
///
/// let message = Event::AvailableImage(AvailableImage {
///     correlation_id: CorrelationId(2),
///     session_id: SessionId(7),
///     stream_id: StreamId(1001),
///     subscription_registration_id: RegistrationId(4),
///     subscriber_position_counter_id: CounterId(49),
///     log_file_name: "/dev/shm/aeron-u/publications/2.logbuffer",
///     source_identity: "aeron:ipc",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvailableImage<'a> {
    /// The image; for IPC and spies the original registration id of the publication.
    pub correlation_id: CorrelationId,
    /// Session of the publication.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The subscription.
    pub subscription_registration_id: RegistrationId,
    /// Counter with the subscriber's position, which begins at the join position.
    pub subscriber_position_counter_id: CounterId,
    /// Path of the log file.
    pub log_file_name: &'a str,
    /// Address of the publisher, or "aeron:ipc".
    pub source_identity: &'a str,
}

impl<'a> AvailableImage<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            session_id: reader.session_id()?,
            stream_id: reader.stream_id()?,
            subscription_registration_id: reader.registration_id()?,
            subscriber_position_counter_id: reader.counter_id()?,
            log_file_name: reader.padded_text()?,
            source_identity: reader.text()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i32(self.session_id.0)
            .i32(self.stream_id.0)
            .i64(self.subscription_registration_id.0)
            .i32(self.subscriber_position_counter_id.0)
            .padded_bytes(self.log_file_name.as_bytes())
            .bytes(self.source_identity.as_bytes());
    }
}

/// A subscription loses an image: stop reading it and leave its position counter alone.
///
/// ```
/// use aileron::base::{CorrelationId, RegistrationId, StreamId};
/// use aileron::command::{Event, UnavailableImage};
///
/// let message = Event::UnavailableImage(UnavailableImage {
///     correlation_id: CorrelationId(2),
///     subscription_registration_id: RegistrationId(4),
///     stream_id: StreamId(1001),
///     channel: b"aeron:ipc",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnavailableImage<'a> {
    /// The image.
    pub correlation_id: CorrelationId,
    /// The subscription.
    pub subscription_registration_id: RegistrationId,
    /// The stream.
    pub stream_id: StreamId,
    /// The channel; nobody depends on it.
    pub channel: &'a [u8],
}

impl<'a> UnavailableImage<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            subscription_registration_id: reader.registration_id()?,
            stream_id: reader.stream_id()?,
            channel: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i64(self.subscription_registration_id.0)
            .i32(self.stream_id.0)
            .bytes(self.channel);
    }
}
