//! Writes commands to the driver. Needs no lock: the ring takes many producers.

use super::ClientError;
use super::core::Deferred;
use crate::base::{ClientId, CorrelationId};
use crate::command::Command;
use crate::concurrent::RingBuffer;

/// The producers' side of the to-driver ring, for one client.
#[derive(Clone)]
pub(crate) struct DriverProxy {
    ring: RingBuffer,
    client_id: ClientId,
}

impl DriverProxy {
    /// A proxy for a new client, whose id is drawn from the ring.
    pub(crate) fn new(ring: RingBuffer) -> Self {
        let client_id = ClientId(ring.next_correlation_id().get());
        Self { ring, client_id }
    }

    pub(crate) const fn client_id(&self) -> ClientId {
        self.client_id
    }

    pub(crate) const fn ring(&self) -> &RingBuffer {
        &self.ring
    }

    pub(crate) fn next_correlation_id(&self) -> CorrelationId {
        self.ring.next_correlation_id()
    }

    /// Writes a command.
    ///
    /// # Errors
    /// [`ClientError::CommandNotSent`].
    pub(crate) fn send(&self, command: &Command<'_>) -> Result<(), ClientError> {
        let mut payload = Vec::with_capacity(256);
        let type_id = command.encode(&mut payload);
        self.write(name_of(command), type_id, &payload)
    }

    /// Writes a command, or returns it as something to be sent later.
    pub(crate) fn send_or_keep(&self, command: &Command<'_>) -> Result<(), Deferred> {
        let mut payload = Vec::with_capacity(64);
        let type_id = command.encode(&mut payload);
        let command = name_of(command);
        self.write(command, type_id, &payload)
            .map_err(|_| Deferred::Unsent {
                command,
                type_id,
                payload,
            })
    }

    pub(crate) fn write(
        &self,
        command: &'static str,
        type_id: i32,
        payload: &[u8],
    ) -> Result<(), ClientError> {
        self.ring
            .write(type_id, payload)
            .map_err(|error| ClientError::CommandNotSent {
                command,
                too_long: !error.is_retryable(),
            })
    }
}

/// For reports.
const fn name_of(command: &Command<'_>) -> &'static str {
    match command {
        Command::AddPublication(_) => "add publication",
        Command::RemovePublication(_) => "remove publication",
        Command::AddExclusivePublication(_) => "add exclusive publication",
        Command::AddSubscription(_) => "add subscription",
        Command::RemoveSubscription(_) => "remove subscription",
        Command::ClientKeepalive(_) => "client keepalive",
        Command::AddDestination(_) => "add destination",
        Command::RemoveDestination(_) => "remove destination",
        Command::AddCounter(_) => "add counter",
        Command::RemoveCounter(_) => "remove counter",
        Command::ClientClose(_) => "client close",
        Command::AddReceiveDestination(_) => "add rcv destination",
        Command::RemoveReceiveDestination(_) => "remove rcv destination",
        Command::TerminateDriver(_) => "terminate driver",
        Command::AddStaticCounter(_) => "add static counter",
        Command::RejectImage(_) => "reject image",
        Command::RemoveDestinationById(_) => "remove destination by id",
        Command::GetNextAvailableSessionId(_) => "get next available session id",
    }
}
