//! Flow control: how far a network publication may send, given what its receivers report.
//!
//! Every status message says how far a receiver has consumed and how many bytes beyond that it
//! takes: its *edge*. The strategy turns the edges of all receivers into one sender limit. It runs
//! on the sender alone.
//!
//! | Strategy | Sender limit follows |
//! |---|---|
//! | unicast, [`MaxFlowControl`] | the furthest edge ever reported |
//! | [`GroupFlowControl`], minimum | the least edge of the known receivers |
//! | [`GroupFlowControl`], tagged | the least edge of the known receivers that carry the tag |
//! | [`FlowControlStrategy`] | whatever its author decides |

mod group;
mod max;
mod spec;

use std::fmt;

use crate::base::{Nanos, Position, ReceiverId, SessionId, StreamId};
use crate::concurrent::{EventKind, EventWriter};

pub(crate) use group::{GroupFlowControl, GroupParams};
pub(crate) use max::MaxFlowControl;
pub(crate) use spec::FlowControlSpec;

/// What a status message says about a receiver.
///
/// ```
/// use aileron::base::{Position, ReceiverId};
/// use aileron::driver::ReceiverFeedback;
/// let mut feedback = ReceiverFeedback::new(ReceiverId(7), Position(4096), 65_536);
/// feedback.group_tag = Some(5);
/// assert_eq!(feedback.edge(), Position(69_632));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiverFeedback {
    /// The receive endpoint.
    pub receiver_id: ReceiverId,
    /// How far it has consumed.
    pub position: Position,
    /// Bytes it takes beyond that; not negative.
    pub window: i32,
    /// It is going away.
    pub is_end_of_stream: bool,
    /// The group it belongs to.
    pub group_tag: Option<i64>,
}

impl ReceiverFeedback {
    /// Feedback of a receiver without a group that stays.
    #[must_use]
    pub const fn new(receiver_id: ReceiverId, position: Position, window: i32) -> Self {
        Self {
            receiver_id,
            position,
            window,
            is_end_of_stream: false,
            group_tag: None,
        }
    }

    /// How far the receiver lets the sender go.
    #[must_use]
    pub fn edge(&self) -> Position {
        self.position + i64::from(self.window)
    }
}

/// A flow control strategy of the user's own.
///
/// It sees every status message that passed the protocol's range checks, and answers with the
/// sender limit: the position beyond which nothing is sent. A limit below what has been sent
/// already is allowed and holds the sender back. Handed to the driver by
/// [`flow_control_supplier`].
///
/// ```
/// use aileron::base::{Nanos, Position};
/// use aileron::driver::{FlowControlStrategy, ReceiverFeedback};
///
/// /// Grants every receiver's window, but never more than 4 KiB at once.
/// #[derive(Debug)]
/// struct Cautious;
///
/// impl FlowControlStrategy for Cautious {
///     fn on_status_message(
///         &mut self,
///         feedback: &ReceiverFeedback,
///         limit: Position,
///         _now: Nanos,
///     ) -> Position {
///         limit.max(feedback.position + i64::from(feedback.window.min(4096)))
///     }
/// }
///
/// let feedback = ReceiverFeedback::new(9.into(), Position(0), 65_536);
/// let limit = Cautious.on_status_message(&feedback, Position(0), Nanos(0));
/// assert_eq!(limit, Position(4096));
/// ```
///
/// [`flow_control_supplier`]: crate::driver::config::DriverConfigBuilder::flow_control_supplier
pub trait FlowControlStrategy: fmt::Debug + Send {
    /// A receiver reported. Returns the new sender limit.
    fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        now: Nanos,
    ) -> Position;

    /// The sender had nothing to send, or was not allowed to. Returns the new sender limit.
    fn on_idle(
        &mut self,
        now: Nanos,
        limit: Position,
        position: Position,
        is_end_of_stream: bool,
    ) -> Position {
        let _ = (now, position, is_end_of_stream);
        limit
    }

    /// A receiver asked for a SETUP: it is about to join.
    fn on_setup_elicited(&mut self, feedback: &ReceiverFeedback, now: Nanos) {
        let _ = (feedback, now);
    }

    /// The elicited SETUP is being sent.
    fn on_setup(&mut self, limit: Position, now: Nanos) {
        let _ = (limit, now);
    }

    /// A receiver refused the stream.
    fn on_error(&mut self, receiver_id: ReceiverId, group_tag: Option<i64>, now: Nanos) {
        let _ = (receiver_id, group_tag, now);
    }

    /// Whether enough receivers are there for the publication to count as connected.
    fn has_required_receivers(&self) -> bool {
        true
    }
}

/// Where a strategy writes down which receivers take part.
#[derive(Debug)]
pub(crate) struct ReceiverLog {
    events: EventWriter,
    session_id: i32,
    stream_id: i32,
}

impl ReceiverLog {
    /// Nowhere.
    const fn off() -> Self {
        Self {
            events: EventWriter::off(),
            session_id: 0,
            stream_id: 0,
        }
    }

    /// A receiver came or went, and so many are there now.
    fn emit(&self, kind: EventKind, receiver: ReceiverId, count: usize, now: Nanos) {
        if self.events.is_on() {
            let values = [
                receiver.get(),
                i64::from(self.session_id),
                i64::from(self.stream_id),
                i64::try_from(count).unwrap_or(i64::MAX),
            ];
            self.events.emit(now, kind, &values, "");
        }
    }
}

/// The strategy of one publication.
#[derive(Debug)]
pub(crate) enum FlowControl {
    /// Unicast, and multicast that follows the fastest receiver.
    Max(MaxFlowControl),
    /// Minimum of all receivers, or of those with a tag.
    Group(GroupFlowControl),
    /// The user's own.
    Custom(Box<dyn FlowControlStrategy>),
}

impl FlowControl {
    /// Writes down who takes part, as far as the strategy knows.
    pub(crate) fn log_to(&mut self, events: &EventWriter, session: SessionId, stream: StreamId) {
        if let Self::Group(group) = self {
            group.log_to(ReceiverLog {
                events: events.clone(),
                session_id: session.get(),
                stream_id: stream.get(),
            });
        }
    }

    /// See [`FlowControlStrategy::on_status_message`].
    pub(crate) fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        now: Nanos,
    ) -> Position {
        match self {
            Self::Max(max) => max.on_status_message(feedback, limit),
            Self::Group(group) => group.on_status_message(feedback, limit, now),
            Self::Custom(custom) => custom.on_status_message(feedback, limit, now),
        }
    }

    /// See [`FlowControlStrategy::on_idle`].
    pub(crate) fn on_idle(
        &mut self,
        now: Nanos,
        limit: Position,
        position: Position,
        is_end_of_stream: bool,
    ) -> Position {
        match self {
            Self::Max(_) => limit,
            Self::Group(group) => group.on_idle(now, limit),
            Self::Custom(custom) => custom.on_idle(now, limit, position, is_end_of_stream),
        }
    }

    /// See [`FlowControlStrategy::on_setup_elicited`].
    pub(crate) fn on_setup_elicited(&mut self, feedback: &ReceiverFeedback, now: Nanos) {
        match self {
            Self::Max(_) => {}
            Self::Group(group) => group.on_setup_elicited(feedback),
            Self::Custom(custom) => custom.on_setup_elicited(feedback, now),
        }
    }

    /// See [`FlowControlStrategy::on_setup`].
    pub(crate) fn on_setup(&mut self, limit: Position, now: Nanos) {
        match self {
            Self::Max(_) => {}
            Self::Group(group) => group.on_setup(limit, now),
            Self::Custom(custom) => custom.on_setup(limit, now),
        }
    }

    /// See [`FlowControlStrategy::on_error`].
    pub(crate) fn on_error(&mut self, receiver_id: ReceiverId, group_tag: Option<i64>, now: Nanos) {
        match self {
            Self::Max(_) => {}
            Self::Group(group) => group.on_error(receiver_id, group_tag),
            Self::Custom(custom) => custom.on_error(receiver_id, group_tag, now),
        }
    }

    /// See [`FlowControlStrategy::has_required_receivers`].
    pub(crate) fn has_required_receivers(&self) -> bool {
        match self {
            Self::Max(_) => true,
            Self::Group(group) => group.has_required_receivers(),
            Self::Custom(custom) => custom.has_required_receivers(),
        }
    }

    /// Whether no other receiver holds the sender back more than the one that just reported.
    pub(crate) fn is_led_by(&self, feedback: &ReceiverFeedback) -> bool {
        match self {
            Self::Max(_) => true,
            Self::Group(group) => group.is_led_by(feedback),
            Self::Custom(_) => false,
        }
    }

    /// Whether the strategy looks at group tags.
    pub(crate) const fn uses_group_tag(&self) -> bool {
        match self {
            Self::Group(group) => group.is_tagged(),
            Self::Max(_) | Self::Custom(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Doubling;

    impl FlowControlStrategy for Doubling {
        fn on_status_message(
            &mut self,
            feedback: &ReceiverFeedback,
            _limit: Position,
            _now: Nanos,
        ) -> Position {
            feedback.position + 2 * i64::from(feedback.window)
        }
    }

    #[test]
    fn a_custom_strategy_decides_the_limit() {
        let mut control = FlowControl::Custom(Box::new(Doubling));
        let feedback = ReceiverFeedback::new(ReceiverId(1), Position(64), 32);
        let limit = control.on_status_message(&feedback, Position(0), Nanos(0));
        assert_eq!(limit, Position(128));
        assert_eq!(control.on_idle(Nanos(0), limit, Position(0), false), limit);
        assert!(control.has_required_receivers());
    }
}
