//! Images.

use rusteron_media_driver::{AeronImage, AeronImageConstants};

use super::subscription::{action, count, view};
use super::{c_string, refusal};
use crate::facade::{Action, HeaderView, Refusal};

/// An image of a subscription.
pub(crate) struct Image {
    inner: AeronImage,
    constants: AeronImageConstants,
}

impl Image {
    pub(super) fn new(inner: AeronImage) -> Self {
        let constants = inner.get_constants().expect("constants");
        Self { inner, constants }
    }

    /// Session.
    pub(crate) fn session_id(&self) -> i32 {
        self.constants.session_id()
    }

    /// Position consumed.
    pub(crate) fn position(&self) -> i64 {
        self.inner.position()
    }

    /// Position at which it joined.
    pub(crate) fn join_position(&self) -> i64 {
        self.constants.join_position()
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Whether all of an ended stream is consumed.
    pub(crate) fn is_end_of_stream(&self) -> bool {
        self.inner.is_end_of_stream()
    }

    /// Where the stream ends.
    pub(crate) fn end_of_stream_position(&self) -> i64 {
        self.inner.end_of_stream_position()
    }

    /// Whether the publication was revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        self.inner.is_publication_revoked()
    }

    /// How many sources feed it.
    pub(crate) fn active_transport_count(&self) -> i32 {
        self.inner.active_transport_count().expect("a count")
    }

    /// Where it comes from.
    pub(crate) fn source_identity(&self) -> String {
        self.constants.source_identity().to_owned()
    }

    /// Correlation id.
    pub(crate) fn correlation_id(&self) -> i64 {
        self.constants.correlation_id()
    }

    /// Id of the counter of the subscriber's position.
    pub(crate) fn subscriber_position_id(&self) -> i32 {
        self.constants.subscriber_position_id()
    }

    /// First term.
    pub(crate) fn initial_term_id(&self) -> i32 {
        self.constants.initial_term_id()
    }

    /// Length of a term.
    pub(crate) fn term_length(&self) -> i32 {
        i32::try_from(self.constants.term_buffer_length()).expect("at most 1 GiB")
    }

    /// Longest datagram of its stream.
    pub(crate) fn mtu_length(&self) -> i32 {
        i32::try_from(self.constants.mtu_length()).expect("a datagram's length")
    }

    /// Hands its fragments to `handler`.
    pub(crate) fn poll(&self, limit: usize, mut handler: impl FnMut(&[u8], &HeaderView)) -> usize {
        let polled = self
            .inner
            .poll_fn(|bytes, header| handler(bytes, &view(&header)), limit);
        count(polled)
    }

    /// Hands its fragments to a handler that says how to go on.
    pub(crate) fn controlled_poll(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        let polled = self.inner.controlled_poll_fn(
            |bytes, header| action(handler(bytes, &view(&header))),
            limit,
        );
        count(polled)
    }

    /// Refuses the stream.
    pub(crate) fn reject(&self, reason: &str) -> Result<(), Refusal> {
        let rejected = self.inner.reject(&c_string(reason));
        rejected.map(|_| ()).map_err(refusal)
    }
}
