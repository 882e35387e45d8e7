//! Publications.

use std::net::SocketAddr;

use rusteron_media_driver::{
    Aeron, AeronAsyncDestination, AeronExclusivePublication, AeronOfferError, AeronPublication,
    AeronPublicationConstants, Handler,
};

use super::{PATIENCE, Pending, c_string, refusal};
use crate::facade::{Offered, Refusal};

enum Kind {
    Concurrent(AeronPublication),
    Exclusive(AeronExclusivePublication),
}

/// A publication of either kind. Dropping it closes it.
pub(crate) struct Publication {
    kind: Kind,
    constants: AeronPublicationConstants,
    client: Aeron,
}

/// Calls the same method of either kind.
macro_rules! either {
    ($self:ident, $inner:ident => $call:expr) => {
        match &$self.kind {
            Kind::Concurrent($inner) => $call,
            Kind::Exclusive($inner) => $call,
        }
    };
}

impl Publication {
    pub(super) fn concurrent(client: Aeron, inner: AeronPublication) -> Self {
        let constants = inner.get_constants().expect("constants");
        Self {
            kind: Kind::Concurrent(inner),
            constants,
            client,
        }
    }

    pub(super) fn exclusive(client: Aeron, inner: AeronExclusivePublication) -> Self {
        let constants = inner.get_constants().expect("constants");
        Self {
            kind: Kind::Exclusive(inner),
            constants,
            client,
        }
    }

    /// Whether it is exclusive.
    pub(crate) const fn is_exclusive(&self) -> bool {
        matches!(self.kind, Kind::Exclusive(_))
    }

    /// Offers a message.
    pub(crate) fn offer(&self, message: &[u8]) -> Offered {
        outcome(either!(self, inner => inner.offer(message)))
    }

    /// Offers a message with a reserved value.
    pub(crate) fn offer_with_reserved_value(&self, message: &[u8], value: i64) -> Offered {
        let supplier = Handler::new(move |_: &mut [u8]| value);
        outcome(either!(self, inner => inner.offer_with_reserved_value(message, Some(&supplier))))
    }

    /// Offers a message made of parts.
    pub(crate) fn offer_parts(&self, parts: &[&[u8]]) -> Offered {
        outcome(either!(self, inner => inner.offer_parts(parts)))
    }

    /// Claims space for a message and commits it.
    pub(crate) fn claim(&self, message: &[u8], reserved_value: i64) -> Offered {
        let claim = either!(self, inner => inner.try_claim_owned(message.len()));
        outcome(claim.map(|mut claim| {
            claim.data().copy_from_slice(message);
            claim.set_reserved_value(reserved_value);
            claim.commit().expect("committed")
        }))
    }

    /// Claims space and aborts the claim; the position is that behind it.
    pub(crate) fn claim_and_abort(&self, length: usize) -> Offered {
        self.hold_claim(length, || {})
    }

    /// Claims space, does something meanwhile, and aborts the claim.
    pub(crate) fn hold_claim(&self, length: usize, meanwhile: impl FnOnce()) -> Offered {
        let claim = either!(self, inner => inner.try_claim_owned(length));
        outcome(claim.map(|claim| {
            let position = claim.position();
            meanwhile();
            claim.abort().expect("aborted");
            position
        }))
    }

    /// Offers frames that are already laid out; exclusive publications only.
    pub(crate) fn offer_block(&self, frames: &[u8]) -> Offered {
        match &self.kind {
            Kind::Concurrent(_) => panic!("a concurrent publication has no blocks"),
            Kind::Exclusive(inner) => {
                outcome(AeronOfferError::from_position(inner.offer_block(frames)))
            }
        }
    }

    /// Whether a subscriber is there.
    pub(crate) fn is_connected(&self) -> bool {
        either!(self, inner => inner.is_connected())
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        either!(self, inner => inner.is_closed())
    }

    /// Position, or -1 once closed.
    pub(crate) fn position(&self) -> i64 {
        either!(self, inner => inner.position()).max(-1)
    }

    /// Position up to which flow control lets it go, or -1 once closed.
    pub(crate) fn limit(&self) -> i64 {
        either!(self, inner => inner.position_limit()).max(-1)
    }

    /// Position that the stream can have at most.
    pub(crate) fn max_possible_position(&self) -> i64 {
        self.constants.max_possible_position()
    }

    /// Longest payload of one frame.
    pub(crate) fn max_payload_length(&self) -> usize {
        self.constants.max_payload_length()
    }

    /// Longest message.
    pub(crate) fn max_message_length(&self) -> usize {
        self.constants.max_message_length()
    }

    /// Session.
    pub(crate) fn session_id(&self) -> i32 {
        self.constants.session_id()
    }

    /// Stream.
    pub(crate) fn stream_id(&self) -> i32 {
        self.constants.stream_id()
    }

    /// Id of this registration.
    pub(crate) fn registration_id(&self) -> i64 {
        self.constants.registration_id()
    }

    /// Id of the registration that made the stream.
    pub(crate) fn original_registration_id(&self) -> i64 {
        self.constants.original_registration_id()
    }

    /// First term.
    pub(crate) fn initial_term_id(&self) -> i32 {
        self.constants.initial_term_id()
    }

    /// Length of a term.
    pub(crate) fn term_length(&self) -> i32 {
        i32::try_from(self.constants.term_buffer_length()).expect("at most 1 GiB")
    }

    /// Id of the counter of the limit.
    pub(crate) fn limit_counter_id(&self) -> i32 {
        self.constants.publication_limit_counter_id()
    }

    /// Id of the counter of the channel's status, or -1.
    pub(crate) fn channel_status_id(&self) -> i32 {
        self.constants.channel_status_indicator_id()
    }

    /// Status of the channel; see [`crate::facade::channel_status`].
    pub(crate) fn channel_status(&self) -> i64 {
        either!(self, inner => inner.channel_status())
    }

    /// Addresses bound.
    pub(crate) fn local_addresses(&self) -> Vec<SocketAddr> {
        super::local_addresses(&self.client, self.channel_status_id())
    }

    /// Adds a destination; its registration id.
    pub(crate) fn add_destination(&self, uri: &str) -> Result<i64, Refusal> {
        let mut pending = self.add_destination_async(uri)?;
        wait(&mut pending)?;
        Ok(pending.registration_id())
    }

    /// Asks for a destination; its registration id.
    pub(crate) fn add_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let uri = c_string(uri);
        let asked = either!(self, inner => inner.async_add_destination(&self.client, &uri));
        Ok(pending(asked.map_err(refusal)?))
    }

    /// Removes a destination.
    pub(crate) fn remove_destination(&self, uri: &str) -> Result<(), Refusal> {
        wait(&mut self.remove_destination_async(uri)?)
    }

    /// Asks for the end of a destination.
    pub(crate) fn remove_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let uri = c_string(uri);
        let asked = either!(self, inner => inner.async_remove_destination(&self.client, &uri));
        Ok(pending(asked.map_err(refusal)?))
    }

    /// Removes a destination by its registration id.
    pub(crate) fn remove_destination_by_id(&self, id: i64) -> Result<(), Refusal> {
        wait(&mut self.remove_destination_by_id_async(id)?)
    }

    /// Asks for the end of a destination by its registration id.
    pub(crate) fn remove_destination_by_id_async(&self, id: i64) -> Result<Pending<()>, Refusal> {
        let asked = either!(self, inner => inner.async_remove_destination_by_id(&self.client, id));
        Ok(pending(asked.map_err(refusal)?))
    }

    /// Makes closing it revoke it; exclusive publications only.
    pub(crate) fn revoke_on_close(&self) {
        match &self.kind {
            Kind::Concurrent(_) => panic!("a concurrent publication cannot be revoked"),
            Kind::Exclusive(inner) => inner.revoke_on_close(),
        }
    }

    /// Revokes it; exclusive publications only.
    pub(crate) fn revoke(self) {
        self.revoke_on_close();
        self.close();
    }

    /// Closes it.
    pub(crate) fn close(self) {
        match self.kind {
            Kind::Concurrent(inner) => inner.close().expect("closed"),
            Kind::Exclusive(inner) => inner.close().expect("closed"),
        }
    }
}

/// A command about a destination.
pub(super) fn pending(command: AeronAsyncDestination) -> Pending<()> {
    Pending::new(command.get_registration_id(), move || {
        // One function serves commands of publications and subscriptions alike.
        let done = command.aeron_subscription_async_destination_poll();
        done.map(|done| (done > 0).then_some(())).map_err(refusal)
    })
}

pub(super) fn wait(pending: &mut Pending<()>) -> Result<(), Refusal> {
    let start = std::time::Instant::now();
    while pending.poll()?.is_none() {
        assert!(start.elapsed() < PATIENCE, "no answer from the driver");
        std::thread::sleep(std::time::Duration::from_micros(100));
    }
    Ok(())
}

fn outcome(result: Result<i64, AeronOfferError>) -> Offered {
    match result {
        Ok(position) => Offered::Position(position),
        Err(AeronOfferError::BackPressured) => Offered::BackPressured,
        Err(AeronOfferError::NotConnected) => Offered::NotConnected,
        Err(AeronOfferError::AdminAction) => Offered::AdminAction,
        Err(AeronOfferError::Closed) => Offered::Closed,
        Err(AeronOfferError::MaxPositionExceeded) => Offered::MaxPositionExceeded,
        Err(other) => Offered::Invalid(format!("{other:?}")),
    }
}
