//! Strategies of the user's own, in place of those that `fc` and `cc` name.

use aileron::base::{Nanos, Position};
use aileron::cnc::counter_types::SENDER_LIMIT_TYPE_ID;
use aileron::driver::{
    CongestionController, FlowControlStrategy, RebuildProgress, ReceiverFeedback, WindowDecision,
};

use super::rig::{RawReceiver, RawSender, Rig};
use super::support::{wait_for, wait_until};

/// Grants a quarter of what the receiver does.
#[derive(Debug)]
struct Quarter;

impl FlowControlStrategy for Quarter {
    fn on_status_message(
        &mut self,
        feedback: &ReceiverFeedback,
        limit: Position,
        _now: Nanos,
    ) -> Position {
        limit.max(feedback.position + i64::from(feedback.window / 4))
    }
}

#[test]
fn a_flow_control_of_the_users_sets_the_limit() {
    let rig = Rig::configured(|builder| {
        builder.flow_control_supplier(|stream| {
            let is_wanted = stream.channel.contains("alias=quarter");
            is_wanted.then(|| -> Box<dyn FlowControlStrategy> { Box::new(Quarter) })
        })
    });
    for (alias, limit) in [("quarter", 4096), ("whole", 16_384)] {
        let peer = RawReceiver::new(1);
        let publication = rig.publish_exclusive(&format!("{}|alias={alias}", peer.channel()));
        let source = peer.source();
        let id = publication.registration_id().get();
        wait_until("the sender limit", || {
            peer.report(&source, 0, 16_384);
            rig.counter(SENDER_LIMIT_TYPE_ID, id)
                .is_some_and(|counter| counter.value == limit)
        });
    }
}

/// A window that never changes.
#[derive(Debug)]
struct Fixed(i32);

impl CongestionController for Fixed {
    fn on_track_rebuild(&mut self, _progress: &RebuildProgress, _now: Nanos) -> WindowDecision {
        WindowDecision {
            window_length: self.0,
            force_status_message: false,
        }
    }

    fn initial_window_length(&self) -> i32 {
        self.0
    }

    fn max_window_length(&self) -> i32 {
        self.0
    }
}

#[test]
fn a_congestion_control_of_the_users_sets_the_window() {
    let rig = Rig::configured(|builder| {
        builder.congestion_control_supplier(|image| {
            let is_wanted = image.channel.contains("alias=half");
            let half = image.window_length / 2;
            is_wanted.then(|| -> Box<dyn CongestionController> { Box::new(Fixed(half)) })
        })
    });
    for (alias, window) in [("half", 8192), ("whole", 16_384)] {
        let mut subscription = rig.subscribe(&format!(
            "aeron:udp?endpoint=127.0.0.1:0|rcv-wnd=16k|alias={alias}"
        ));
        let sender = RawSender::to(&subscription, 1);
        sender.join(&mut subscription);
        let status = wait_for("a status message", || {
            sender.heartbeat(0);
            sender.statuses().find(|status| !status.is_setup_requested)
        });
        assert_eq!(status.window, window);
    }
}
