//! Publications.

use std::cell::RefCell;
use std::net::SocketAddr;

use aileron::base::RegistrationId;
use aileron::{ExclusivePublication, OfferError};

use super::{Pending, refusal};
use crate::facade::{Offered, Refusal};

enum Kind {
    Concurrent(aileron::Publication),
    Exclusive(RefCell<ExclusivePublication>),
}

/// A publication of either kind. Dropping it closes it.
pub(crate) struct Publication(Kind);

/// Calls the same method of either kind.
macro_rules! either {
    ($self:ident, $inner:ident => $call:expr) => {
        match &$self.0 {
            Kind::Concurrent($inner) => $call,
            Kind::Exclusive(cell) => {
                let $inner = cell.borrow();
                $call
            }
        }
    };
}

/// Calls the same method of either kind that changes an exclusive one.
macro_rules! either_mut {
    ($self:ident, $inner:ident => $call:expr) => {
        match &$self.0 {
            Kind::Concurrent($inner) => $call,
            Kind::Exclusive(cell) => {
                let mut $inner = cell.borrow_mut();
                $call
            }
        }
    };
}

impl Publication {
    pub(super) const fn concurrent(inner: aileron::Publication) -> Self {
        Self(Kind::Concurrent(inner))
    }

    pub(super) const fn exclusive(inner: ExclusivePublication) -> Self {
        Self(Kind::Exclusive(RefCell::new(inner)))
    }

    /// Whether it is exclusive.
    pub(crate) const fn is_exclusive(&self) -> bool {
        matches!(self.0, Kind::Exclusive(_))
    }

    /// Offers a message.
    pub(crate) fn offer(&self, message: &[u8]) -> Offered {
        outcome(either_mut!(self, inner => inner.offer(message).map(|at| at.get())))
    }

    /// Offers a message with a reserved value.
    pub(crate) fn offer_with_reserved_value(&self, message: &[u8], value: i64) -> Offered {
        outcome(either_mut!(self, inner => inner.offer_with(message, |_| value).map(|at| at.get())))
    }

    /// Offers a message made of parts.
    pub(crate) fn offer_parts(&self, parts: &[&[u8]]) -> Offered {
        outcome(either_mut!(self, inner => inner.offer_vectored(parts).map(|at| at.get())))
    }

    /// Claims space for a message and commits it.
    pub(crate) fn claim(&self, message: &[u8], reserved_value: i64) -> Offered {
        outcome(
            either_mut!(self, inner => inner.try_claim(message.len()).map(|mut claim| {
                claim.copy_from_slice(message);
                claim.set_reserved_value(reserved_value);
                claim.commit().get()
            })),
        )
    }

    /// Claims space and aborts the claim; the position is that behind it.
    pub(crate) fn claim_and_abort(&self, length: usize) -> Offered {
        self.hold_claim(length, || {})
    }

    /// Claims space, does something meanwhile, and aborts the claim.
    pub(crate) fn hold_claim(&self, length: usize, meanwhile: impl FnOnce()) -> Offered {
        outcome(
            either_mut!(self, inner => inner.try_claim(length).map(|claim| {
                let position = claim.position().get();
                meanwhile();
                claim.abort();
                position
            })),
        )
    }

    /// Offers frames that are already laid out; exclusive publications only.
    pub(crate) fn offer_block(&self, frames: &[u8]) -> Offered {
        match &self.0 {
            Kind::Concurrent(_) => panic!("a concurrent publication has no blocks"),
            Kind::Exclusive(inner) => {
                outcome(inner.borrow_mut().offer_block(frames).map(|at| at.get()))
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
        either!(self, inner => inner.position().map_or(-1, |at| at.get()))
    }

    /// Position up to which flow control lets it go, or -1 once closed.
    pub(crate) fn limit(&self) -> i64 {
        either!(self, inner => inner.position_limit().map_or(-1, |at| at.get()))
    }

    /// Position that the stream can have at most.
    pub(crate) fn max_possible_position(&self) -> i64 {
        either!(self, inner => inner.max_possible_position().get())
    }

    /// Longest payload of one frame.
    pub(crate) fn max_payload_length(&self) -> usize {
        either!(self, inner => inner.max_payload_length())
    }

    /// Longest message.
    pub(crate) fn max_message_length(&self) -> usize {
        either!(self, inner => inner.max_message_length())
    }

    /// Session.
    pub(crate) fn session_id(&self) -> i32 {
        either!(self, inner => inner.session_id().get())
    }

    /// Stream.
    pub(crate) fn stream_id(&self) -> i32 {
        either!(self, inner => inner.stream_id().get())
    }

    /// Id of this registration.
    pub(crate) fn registration_id(&self) -> i64 {
        either!(self, inner => inner.registration_id().get())
    }

    /// Id of the registration that made the stream.
    pub(crate) fn original_registration_id(&self) -> i64 {
        either!(self, inner => inner.original_registration_id().get())
    }

    /// First term.
    pub(crate) fn initial_term_id(&self) -> i32 {
        either!(self, inner => inner.initial_term_id().get())
    }

    /// Length of a term.
    pub(crate) fn term_length(&self) -> i32 {
        either!(self, inner => inner.term_length())
    }

    /// Id of the counter of the limit.
    pub(crate) fn limit_counter_id(&self) -> i32 {
        either!(self, inner => inner.position_limit_id().get())
    }

    /// Id of the counter of the channel's status, or -1.
    pub(crate) fn channel_status_id(&self) -> i32 {
        either!(self, inner => inner.channel_status_id().get())
    }

    /// Status of the channel; see [`crate::facade::channel_status`].
    pub(crate) fn channel_status(&self) -> i64 {
        either!(self, inner => inner.channel_status().to_wire())
    }

    /// Addresses bound.
    pub(crate) fn local_addresses(&self) -> Vec<SocketAddr> {
        either!(self, inner => inner.local_socket_addresses())
    }

    /// Adds a destination; its registration id.
    pub(crate) fn add_destination(&self, uri: &str) -> Result<i64, Refusal> {
        either!(self, inner => inner.add_destination(uri).map(RegistrationId::get)).map_err(refusal)
    }

    /// Asks for a destination; its registration id.
    pub(crate) fn add_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let pending = either!(self, inner => inner.add_destination_async(uri)).map_err(refusal)?;
        Ok(Pending::new(pending, |_| ()))
    }

    /// Removes a destination.
    pub(crate) fn remove_destination(&self, uri: &str) -> Result<(), Refusal> {
        either!(self, inner => inner.remove_destination(uri)).map_err(refusal)
    }

    /// Asks for the end of a destination.
    pub(crate) fn remove_destination_async(&self, uri: &str) -> Result<Pending<()>, Refusal> {
        let pending = either!(self, inner => inner.remove_destination_async(uri));
        Ok(Pending::new(pending.map_err(refusal)?, |()| ()))
    }

    /// Removes a destination by its registration id.
    pub(crate) fn remove_destination_by_id(&self, id: i64) -> Result<(), Refusal> {
        let id = RegistrationId(id);
        either!(self, inner => inner.remove_destination_by_id(id)).map_err(refusal)
    }

    /// Asks for the end of a destination by its registration id.
    pub(crate) fn remove_destination_by_id_async(&self, id: i64) -> Result<Pending<()>, Refusal> {
        let id = RegistrationId(id);
        let pending = either!(self, inner => inner.remove_destination_by_id_async(id));
        Ok(Pending::new(pending.map_err(refusal)?, |()| ()))
    }

    /// Makes closing it revoke it; exclusive publications only.
    pub(crate) fn revoke_on_close(&self) {
        match &self.0 {
            Kind::Concurrent(_) => panic!("a concurrent publication cannot be revoked"),
            Kind::Exclusive(inner) => inner.borrow_mut().revoke_on_close(true),
        }
    }

    /// Revokes it; exclusive publications only.
    pub(crate) fn revoke(self) {
        match self.0 {
            Kind::Concurrent(_) => panic!("a concurrent publication cannot be revoked"),
            Kind::Exclusive(inner) => inner.into_inner().revoke(),
        }
    }

    /// Closes it.
    pub(crate) fn close(self) {
        either_mut!(self, inner => inner.close());
    }
}

fn outcome(result: Result<i64, OfferError>) -> Offered {
    match result {
        Ok(position) => Offered::Position(position),
        Err(OfferError::BackPressured) => Offered::BackPressured,
        Err(OfferError::NotConnected) => Offered::NotConnected,
        Err(OfferError::AdminAction) => Offered::AdminAction,
        Err(OfferError::Closed) => Offered::Closed,
        Err(OfferError::MaxPositionExceeded) => Offered::MaxPositionExceeded,
        Err(other) => Offered::Invalid(other.to_string()),
    }
}
