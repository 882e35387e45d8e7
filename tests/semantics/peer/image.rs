//! Images.

use super::refusal;
use super::subscription::{action, view};
use crate::facade::{Action, HeaderView, Refusal};

/// An image of a subscription.
pub(crate) struct Image(pub(super) aileron::Image);

impl Image {
    /// The image of the library itself, for rows that only aileron has.
    pub(crate) const fn own(&self) -> &aileron::Image {
        &self.0
    }

    /// Session.
    pub(crate) fn session_id(&self) -> i32 {
        self.0.session_id().get()
    }

    /// Position consumed.
    pub(crate) fn position(&self) -> i64 {
        self.0.position().get()
    }

    /// Position at which it joined.
    pub(crate) fn join_position(&self) -> i64 {
        self.0.join_position().get()
    }

    /// Whether it is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Whether all of an ended stream is consumed.
    pub(crate) fn is_end_of_stream(&self) -> bool {
        self.0.is_end_of_stream()
    }

    /// Where the stream ends.
    pub(crate) fn end_of_stream_position(&self) -> i64 {
        self.0.end_of_stream_position().get()
    }

    /// Whether the publication was revoked.
    pub(crate) fn is_revoked(&self) -> bool {
        self.0.is_publication_revoked()
    }

    /// How many sources feed it.
    pub(crate) fn active_transport_count(&self) -> i32 {
        self.0.active_transport_count()
    }

    /// Where it comes from.
    pub(crate) fn source_identity(&self) -> String {
        self.0.source_identity().to_owned()
    }

    /// Correlation id.
    pub(crate) fn correlation_id(&self) -> i64 {
        self.0.correlation_id().get()
    }

    /// Id of the counter of the subscriber's position.
    pub(crate) fn subscriber_position_id(&self) -> i32 {
        self.0.subscriber_position_id().get()
    }

    /// First term.
    pub(crate) fn initial_term_id(&self) -> i32 {
        self.0.initial_term_id().get()
    }

    /// Length of a term.
    pub(crate) fn term_length(&self) -> i32 {
        self.0.term_length()
    }

    /// Longest datagram of its stream.
    pub(crate) fn mtu_length(&self) -> i32 {
        self.0.mtu_length()
    }

    /// Hands its fragments to `handler`.
    pub(crate) fn poll(&self, limit: usize, mut handler: impl FnMut(&[u8], &HeaderView)) -> usize {
        let mut poller = self.0.poller().expect("nobody else polls");
        poller.poll(limit, |bytes, header| handler(bytes, &view(header)))
    }

    /// Hands its fragments to a handler that says how to go on.
    pub(crate) fn controlled_poll(
        &self,
        limit: usize,
        mut handler: impl FnMut(&[u8], &HeaderView) -> Action,
    ) -> usize {
        let mut poller = self.0.poller().expect("nobody else polls");
        poller.controlled_poll(limit, |bytes, header| action(handler(bytes, &view(header))))
    }

    /// Refuses the stream.
    pub(crate) fn reject(&self, reason: &str) -> Result<(), Refusal> {
        self.0.reject(reason).map_err(refusal)
    }
}
