//! The strategy of unicast streams, and of groups that do not wait for slow receivers.

use super::ReceiverFeedback;
use crate::base::Position;

/// The sender limit is the furthest edge any receiver ever reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MaxFlowControl;

impl MaxFlowControl {
    #[expect(clippy::unused_self, reason = "one shape for all strategies")]
    pub(crate) fn on_status_message(
        self,
        feedback: &ReceiverFeedback,
        limit: Position,
    ) -> Position {
        limit.max(feedback.edge())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ReceiverId;

    #[test]
    fn the_limit_follows_the_fastest_receiver_and_never_returns() {
        let mut limit = Position(0);
        for (position, window, expected) in
            [(0, 4096, 4096), (1024, 1024, 4096), (2048, 4096, 6144)]
        {
            let feedback = ReceiverFeedback::new(ReceiverId(1), Position(position), window);
            limit = MaxFlowControl.on_status_message(&feedback, limit);
            assert_eq!(limit, Position(expected));
        }
    }
}
