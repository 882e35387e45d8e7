//! Publications: adding and removing them, and what the driver tells about them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::codec::{Reader, Writer};
use super::{ErrorCode, MessageFault};
use crate::base::{
    ClientId, CorrelationId, CounterId, ReceiverId, RegistrationId, SessionId, StreamId,
};

/// The C client takes no ON_PUBLICATION_ERROR that is shorter, though its fields end at 68.
const PUBLICATION_ERROR_LENGTH_MIN: usize = 72;
const ADDRESS_IPV4: u16 = 1;
const ADDRESS_IPV6: u16 = 2;
/// Length of a REMOVE_PUBLICATION without flags.
const LEGACY_LENGTH: usize = 24;
/// Flag of REMOVE_PUBLICATION.
const REVOKE: i64 = 1;

/// Asks for a publication, shared or exclusive. The correlation id becomes the registration id of
/// the handle that is given out.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, StreamId};
/// use aileron::command::{AddPublication, Command};
///
/// let message = Command::AddPublication(AddPublication {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     stream_id: StreamId(1001),
///     channel: "aeron:ipc",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddPublication<'a> {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The stream.
    pub stream_id: StreamId,
    /// The channel, as the user wrote it.
    pub channel: &'a str,
}

impl<'a> AddPublication<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            stream_id: reader.stream_id()?,
            channel: reader.text()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i32(self.stream_id.0)
            .bytes(self.channel.as_bytes());
    }
}

/// Gives up a handle on a publication.
///
/// ```
/// use aileron::base::{ClientId, CorrelationId, RegistrationId};
/// use aileron::command::{Command, RemovePublication};
///
/// let message = Command::RemovePublication(RemovePublication {
///     client_id: ClientId(1),
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(5),
///     is_revoke: true,
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Command::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovePublication {
    /// The sender.
    pub client_id: ClientId,
    /// Ties the reply to the command.
    pub correlation_id: CorrelationId,
    /// The handle: correlation id of the command that added it.
    pub registration_id: RegistrationId,
    /// Whether the publication ends at once for all, what subscribers have not read being lost.
    pub is_revoke: bool,
}

impl RemovePublication {
    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, MessageFault> {
        Ok(Self {
            client_id: reader.client_id()?,
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
            is_revoke: Self::decode_flags(reader)? & REVOKE != 0,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.client_id.0)
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0)
            .i64(if self.is_revoke { REVOKE } else { 0 });
    }

    /// Clients of old leave the flags away; there is no form in between.
    fn decode_flags(reader: &mut Reader<'_>) -> Result<i64, MessageFault> {
        if reader.length() == LEGACY_LENGTH {
            Ok(0)
        } else {
            reader.i64()
        }
    }
}

/// A publication, shared or exclusive, is ready for use.
///
/// ```
/// use aileron::base::{CorrelationId, CounterId, RegistrationId, SessionId, StreamId};
/// use aileron::command::{Event, PublicationReady};
///
/// let message = Event::PublicationReady(PublicationReady {
///     correlation_id: CorrelationId(2),
///     registration_id: RegistrationId(2),
///     session_id: SessionId(7),
///     stream_id: StreamId(1001),
///     publication_limit_counter_id: CounterId(47),
///     channel_status_counter_id: CounterId::NONE,
///     log_file_name: "/dev/shm/aeron-u/publications/2.logbuffer",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationReady<'a> {
    /// Of the command that added it: the registration id of this handle.
    pub correlation_id: CorrelationId,
    /// Original registration id of the publication, which names its log and counters.
    pub registration_id: RegistrationId,
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// Counter with the position up to which the publisher may write.
    pub publication_limit_counter_id: CounterId,
    /// Counter with the channel's status; -1 for IPC.
    pub channel_status_counter_id: CounterId,
    /// Path of the log file.
    pub log_file_name: &'a str,
}

impl<'a> PublicationReady<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            correlation_id: reader.correlation_id()?,
            registration_id: reader.registration_id()?,
            session_id: reader.session_id()?,
            stream_id: reader.stream_id()?,
            publication_limit_counter_id: reader.counter_id()?,
            channel_status_counter_id: reader.counter_id()?,
            log_file_name: reader.text()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.correlation_id.0)
            .i64(self.registration_id.0)
            .i32(self.session_id.0)
            .i32(self.stream_id.0)
            .i32(self.publication_limit_counter_id.0)
            .i32(self.channel_status_counter_id.0)
            .bytes(self.log_file_name.as_bytes());
    }
}

/// A receiver refused the publication's stream.
///
/// ```
/// use aileron::base::{ReceiverId, RegistrationId, SessionId, StreamId};
/// use aileron::command::{ErrorCode, Event, PublicationError};
///
/// let message = Event::PublicationError(PublicationError {
///     registration_id: RegistrationId(2),
///     destination_registration_id: RegistrationId(-1),
///     session_id: SessionId(7),
///     stream_id: StreamId(1001),
///     receiver_id: ReceiverId(9),
///     group_tag: -1,
///     source: Some(([127, 0, 0, 1], 40456).into()),
///     code: ErrorCode::ImageRejected,
///     message: b"no thanks",
/// });
/// let mut payload = Vec::new();
/// let type_id = message.encode(&mut payload);
/// assert_eq!(Event::decode(type_id, &payload), Ok(message));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicationError<'a> {
    /// Original registration id of the publication.
    pub registration_id: RegistrationId,
    /// The destination the receiver listens on, if it is known; else -1.
    pub destination_registration_id: RegistrationId,
    /// The publication's session.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// The receiver; -1 for IPC.
    pub receiver_id: ReceiverId,
    /// The receiver's group tag; -1 if it has none.
    pub group_tag: i64,
    /// Where the refusal came from, if the driver knows. An unknown source is encoded as port 0 of
    /// the IPv4 loopback, because some clients cannot do without an address.
    pub source: Option<SocketAddr>,
    /// The reason's number.
    pub code: ErrorCode,
    /// The reason in words; not always UTF-8.
    pub message: &'a [u8],
}

impl<'a> PublicationError<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, MessageFault> {
        Ok(Self {
            registration_id: reader.registration_id()?,
            destination_registration_id: reader.registration_id()?,
            session_id: reader.session_id()?,
            stream_id: reader.stream_id()?,
            receiver_id: ReceiverId(reader.i64()?),
            group_tag: reader.i64()?,
            source: decode_address(reader)?,
            code: ErrorCode::from_wire(reader.i32()?),
            message: reader.bytes()?,
        })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .i64(self.registration_id.0)
            .i64(self.destination_registration_id.0)
            .i32(self.session_id.0)
            .i32(self.stream_id.0)
            .i64(self.receiver_id.0)
            .i64(self.group_tag);
        encode_address(
            self.source.unwrap_or((Ipv4Addr::LOCALHOST, 0).into()),
            writer,
        );
        writer
            .i32(self.code.to_wire())
            .bytes(self.message)
            .pad_to(PUBLICATION_ERROR_LENGTH_MIN);
    }
}

/// Type, port, and sixteen bytes of which an IPv4 address takes the first four.
fn decode_address(reader: &mut Reader<'_>) -> Result<Option<SocketAddr>, MessageFault> {
    let (address_type, port) = (reader.u16()?, reader.u16()?);
    let octets = reader.array::<16>()?;
    let [a, b, c, d, ..] = octets;
    Ok(match address_type {
        ADDRESS_IPV4 => Some((Ipv4Addr::new(a, b, c, d), port).into()),
        ADDRESS_IPV6 => Some((Ipv6Addr::from(octets), port).into()),
        _ => None,
    })
}

/// See [`decode_address`].
fn encode_address(address: SocketAddr, writer: &mut Writer<'_>) {
    match address.ip() {
        IpAddr::V4(ip) => writer
            .u16(ADDRESS_IPV4)
            .u16(address.port())
            .raw(&ip.octets())
            .raw(&[0; 12]),
        IpAddr::V6(ip) => writer
            .u16(ADDRESS_IPV6)
            .u16(address.port())
            .raw(&ip.octets()),
    };
}
