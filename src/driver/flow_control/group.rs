//! Flow control that waits for the slowest member of a group: all receivers, or the tagged ones.
//!
//! A receiver joins with its first status message, unless it is more than a window behind the
//! others: it would stall them, and joins once it caught up. It leaves when it says so (end of
//! stream, an error frame) or falls silent.
//!
//! While a late joiner that asked for a SETUP is being set up, the limit of that moment takes part
//! in the minimum (the *setup hold*), so that the sender does not run away from the position at
//! which the new image joins.

use super::{ReceiverFeedback, ReceiverLog};
use crate::base::{Nanos, Position, ReceiverId};
use crate::concurrent::{AtomicCounter, EventKind};

/// Members beyond this are not admitted. Anybody who can reach the port can invent receivers.
const RECEIVERS_MAX: usize = 4096;

/// A position that no stream reaches: the minimum of nothing.
const UNBOUNDED: Position = Position(i64::MAX);

#[derive(Clone, Copy, Debug)]
struct Receiver {
    id: ReceiverId,
    edge: Position,
    time_of_last_status_message: Nanos,
    is_end_of_stream: bool,
}

#[derive(Clone, Copy, Debug)]
struct SetupHold {
    limit: Position,
    since: Nanos,
}

/// How a group is formed.
#[derive(Clone, Debug)]
pub(crate) struct GroupParams {
    /// Only receivers with this tag count; all if absent.
    pub(crate) tag: Option<i64>,
    /// Receivers without which nothing is sent, not negative.
    pub(crate) min_size: usize,
    /// Silence after which a receiver is dropped, in nanoseconds.
    pub(crate) receiver_timeout_ns: i64,
    /// Where the number of receivers is published.
    pub(crate) receivers: Option<AtomicCounter>,
}

/// The sender limit is the least edge of the group's receivers.
#[derive(Debug)]
pub(crate) struct GroupFlowControl {
    receivers: Vec<Receiver>,
    hold: Option<SetupHold>,
    is_setup_elicited: bool,
    params: GroupParams,
    log: ReceiverLog,
}

impl GroupFlowControl {
    pub(crate) const fn new(params: GroupParams) -> Self {
        Self {
            receivers: Vec::new(),
            hold: None,
            is_setup_elicited: false,
            params,
            log: ReceiverLog::off(),
        }
    }

    pub(crate) fn log_to(&mut self, log: ReceiverLog) {
        self.log = log;
    }

    pub(crate) fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        now: Nanos,
    ) -> Position {
        let matches = self.matches(feedback.group_tag);
        let edge = feedback.edge();
        let mut least = self.hold_limit(now);
        let mut is_known = false;
        for receiver in &mut self.receivers {
            if matches && receiver.id == feedback.receiver_id {
                receiver.is_end_of_stream = feedback.is_end_of_stream;
                receiver.edge = edge;
                receiver.time_of_last_status_message = now;
                is_known = true;
            }
            least = least.min(receiver.edge);
        }

        let may_join = matches && !is_known && !feedback.is_end_of_stream;
        let keeps_up = self.receivers.is_empty() || edge >= least - i64::from(feedback.window);
        if may_join && keeps_up && self.receivers.len() < RECEIVERS_MAX {
            self.receivers.push(Receiver {
                id: feedback.receiver_id,
                edge,
                time_of_last_status_message: now,
                is_end_of_stream: false,
            });
            least = least.min(edge);
            self.hold = None;
            self.publish_count();
            let (id, count) = (feedback.receiver_id, self.receivers.len());
            self.log
                .emit(EventKind::FlowControlReceiverAdded, id, count, now);
        }

        if !self.has_required_receivers() {
            limit
        } else if self.receivers.is_empty() {
            limit.max(edge)
        } else {
            limit.max(least)
        }
    }

    pub(crate) fn on_idle(&mut self, now: Nanos, limit: Position) -> Position {
        let mut least = self.hold_limit(now);
        let timeout_ns = self.params.receiver_timeout_ns;
        let count = self.receivers.len();
        let (log, mut left) = (&self.log, count);
        self.receivers.retain(|receiver| {
            let is_silent = now.is_expired(receiver.time_of_last_status_message, timeout_ns);
            let stays = !is_silent && !receiver.is_end_of_stream;
            if stays {
                least = least.min(receiver.edge);
            } else {
                left -= 1;
                log.emit(
                    EventKind::FlowControlReceiverRemoved,
                    receiver.id,
                    left,
                    now,
                );
            }
            stays
        });
        if self.receivers.len() != count {
            self.publish_count();
        }
        if self.receivers.is_empty() || !self.has_required_receivers() {
            limit
        } else {
            least
        }
    }

    pub(crate) fn on_setup_elicited(&mut self, feedback: &ReceiverFeedback) {
        self.is_setup_elicited |= self.matches(feedback.group_tag);
    }

    pub(crate) fn on_setup(&mut self, limit: Position, now: Nanos) {
        if self.is_setup_elicited && !self.receivers.is_empty() {
            self.hold = Some(SetupHold { limit, since: now });
        }
        self.is_setup_elicited = false;
    }

    pub(crate) fn on_error(&mut self, receiver_id: ReceiverId, group_tag: Option<i64>) {
        if !self.matches(group_tag) {
            return;
        }
        if let Some(receiver) = self.receivers.iter_mut().find(|r| r.id == receiver_id) {
            receiver.is_end_of_stream = true;
        }
    }

    pub(crate) const fn has_required_receivers(&self) -> bool {
        self.receivers.len() >= self.params.min_size
    }

    /// Whether no member's edge is before that of the receiver that just reported.
    pub(crate) fn is_led_by(&self, feedback: &ReceiverFeedback) -> bool {
        let edge = feedback.edge();
        self.matches(feedback.group_tag) && self.receivers.iter().all(|other| edge <= other.edge)
    }

    pub(crate) const fn is_tagged(&self) -> bool {
        self.params.tag.is_some()
    }

    /// Without a tag of its own the group takes everybody.
    fn matches(&self, group_tag: Option<i64>) -> bool {
        self.params.tag.is_none() || self.params.tag == group_tag
    }

    fn hold_limit(&mut self, now: Nanos) -> Position {
        match self.hold {
            Some(hold) if now.is_expired(hold.since, self.params.receiver_timeout_ns) => {
                self.hold = None;
                UNBOUNDED
            }
            Some(hold) => hold.limit,
            None => UNBOUNDED,
        }
    }

    fn publish_count(&self) {
        if let Some(counter) = &self.params.receivers {
            counter.set(i64::try_from(self.receivers.len()).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT_NS: i64 = 5_000;
    const WINDOW: i32 = 1_000;
    const TAG: i64 = 123;

    fn group(tag: Option<i64>, min_size: usize) -> GroupFlowControl {
        GroupFlowControl::new(GroupParams {
            tag,
            min_size,
            receiver_timeout_ns: TIMEOUT_NS,
            receivers: None,
        })
    }

    fn feedback(id: i64, position: i64) -> ReceiverFeedback {
        ReceiverFeedback::new(ReceiverId(id), Position(position), WINDOW)
    }

    fn tagged(id: i64, position: i64, tag: i64) -> ReceiverFeedback {
        ReceiverFeedback {
            group_tag: Some(tag),
            ..feedback(id, position)
        }
    }

    fn leaving(id: i64, position: i64) -> ReceiverFeedback {
        ReceiverFeedback {
            is_end_of_stream: true,
            ..feedback(id, position)
        }
    }

    struct Stream {
        control: GroupFlowControl,
        limit: Position,
    }

    impl Stream {
        fn new(control: GroupFlowControl) -> Self {
            Self {
                control,
                limit: Position(0),
            }
        }

        fn status(&mut self, feedback: ReceiverFeedback, now: i64) -> i64 {
            self.limit = self
                .control
                .on_status_message(&feedback, self.limit, Nanos(now));
            self.limit.get()
        }

        fn idle(&mut self, now: i64) -> i64 {
            self.limit = self.control.on_idle(Nanos(now), self.limit);
            self.limit.get()
        }

        fn elicit_and_set_up(&mut self, feedback: ReceiverFeedback, now: i64) {
            self.control.on_setup_elicited(&feedback);
            self.control.on_setup(self.limit, Nanos(now));
        }
    }

    #[test]
    fn the_limit_is_the_edge_of_the_slowest_receiver() {
        let mut stream = Stream::new(group(None, 0));
        assert_eq!(stream.status(feedback(1, 0), 0), 1_000);
        assert_eq!(stream.status(feedback(2, 0), 0), 1_000);
        assert_eq!(stream.status(feedback(1, 600), 1), 1_000);
        assert_eq!(stream.status(feedback(2, 500), 2), 1_500);
    }

    #[test]
    fn a_status_message_never_lowers_the_limit_but_idling_does() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 2_000), 0);
        assert_eq!(stream.status(feedback(2, 1_500), 0), 3_000);
        assert_eq!(stream.idle(1), 2_500);
    }

    #[test]
    fn a_receiver_far_behind_joins_once_it_caught_up() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 5_000), 0);
        stream.status(feedback(2, 3_999), 0);
        assert_eq!(stream.control.receivers.len(), 1);
        stream.status(feedback(2, 4_000), 0);
        assert_eq!(stream.control.receivers.len(), 2);
    }

    #[test]
    fn a_silent_receiver_is_dropped() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 0), 0);
        stream.status(feedback(2, 0), 0);
        assert_eq!(stream.status(feedback(2, 800), 100), 1_000);
        assert_eq!(stream.idle(TIMEOUT_NS), 1_000);
        assert_eq!(stream.idle(TIMEOUT_NS + 1), 1_800);
        assert_eq!(
            stream.idle(TIMEOUT_NS + 101),
            1_800,
            "with nobody left the limit stays"
        );
        assert!(stream.control.receivers.is_empty());
    }

    #[test]
    fn a_receiver_at_its_end_of_stream_is_dropped_and_not_admitted_again() {
        let mut stream = Stream::new(group(None, 1));
        stream.status(feedback(1, 0), 0);
        assert!(stream.control.has_required_receivers());
        stream.status(leaving(1, 500), 1);
        stream.idle(1);
        assert!(!stream.control.has_required_receivers());
        stream.status(leaving(1, 500), 2);
        assert!(stream.control.receivers.is_empty());
    }

    #[test]
    fn the_limit_stays_until_the_group_is_complete() {
        let mut stream = Stream::new(group(None, 2));
        assert_eq!(stream.status(feedback(1, 0), 0), 0);
        assert_eq!(stream.idle(0), 0);
        assert!(!stream.control.has_required_receivers());
        assert_eq!(stream.status(feedback(2, 0), 0), 1_000);
        assert!(stream.control.has_required_receivers());
    }

    #[test]
    fn a_setup_holds_the_limit_until_the_joiner_is_admitted() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 0), 0);
        stream.elicit_and_set_up(feedback(2, 0), 10);
        assert_eq!(stream.status(feedback(1, 900), 20), 1_000);
        assert_eq!(stream.idle(20), 1_000);
        assert_eq!(stream.status(feedback(2, 1_000), 30), 1_000);
        assert_eq!(
            stream.status(feedback(2, 1_000), 31),
            1_900,
            "the hold ended"
        );
    }

    #[test]
    fn a_setup_hold_ends_with_the_receiver_timeout() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 0), 0);
        stream.elicit_and_set_up(feedback(2, 0), 10);
        assert_eq!(stream.status(feedback(1, 900), 10 + TIMEOUT_NS), 1_000);
        assert_eq!(stream.status(feedback(1, 900), 10 + TIMEOUT_NS + 1), 1_900);
    }

    #[test]
    fn without_receivers_there_is_nothing_to_hold() {
        let mut stream = Stream::new(group(None, 0));
        stream.elicit_and_set_up(feedback(1, 0), 0);
        assert!(stream.control.hold.is_none());
        assert!(!stream.control.is_setup_elicited);
    }

    #[test]
    fn an_error_frame_ends_a_receiver() {
        let mut stream = Stream::new(group(None, 0));
        stream.status(feedback(1, 0), 0);
        stream.status(feedback(2, 500), 0);
        stream.control.on_error(ReceiverId(1), None);
        assert_eq!(stream.idle(1), 1_500);
    }

    #[test]
    fn only_tagged_receivers_count() {
        let mut stream = Stream::new(group(Some(TAG), 0));
        assert_eq!(
            stream.status(feedback(1, 100), 0),
            1_100,
            "nobody is known: follow anybody"
        );
        assert_eq!(stream.status(tagged(2, 200, TAG), 0), 1_200);
        assert_eq!(stream.status(feedback(1, 900), 0), 1_200);
        assert_eq!(stream.status(tagged(3, 900, TAG + 1), 0), 1_200);
        assert_eq!(stream.control.receivers.len(), 1);
    }

    #[test]
    fn untagged_receivers_do_not_complete_a_group() {
        let mut stream = Stream::new(group(Some(TAG), 1));
        assert_eq!(stream.status(feedback(1, 0), 0), 0);
        assert_eq!(stream.status(tagged(2, 0, TAG), 0), 1_000);
    }

    #[test]
    fn a_setup_elicited_without_the_tag_holds_nothing() {
        let mut stream = Stream::new(group(Some(TAG), 0));
        stream.status(tagged(1, 0, TAG), 0);
        stream.elicit_and_set_up(feedback(2, 0), 0);
        assert!(stream.control.hold.is_none());
        stream.elicit_and_set_up(tagged(2, 0, TAG), 0);
        assert!(stream.control.hold.is_some());
    }

    #[test]
    fn an_error_frame_needs_the_tag_too() {
        let mut stream = Stream::new(group(Some(TAG), 0));
        stream.status(tagged(1, 0, TAG), 0);
        stream.control.on_error(ReceiverId(1), None);
        stream.idle(0);
        assert_eq!(stream.control.receivers.len(), 1);
        stream.control.on_error(ReceiverId(1), Some(TAG));
        stream.idle(0);
        assert!(stream.control.receivers.is_empty());
    }

    #[test]
    fn invented_receivers_do_not_grow_without_bound() {
        let mut stream = Stream::new(group(None, 0));
        for id in 0..5_000 {
            stream.status(feedback(id, 0), 0);
        }
        assert_eq!(stream.control.receivers.len(), RECEIVERS_MAX);
    }
}
