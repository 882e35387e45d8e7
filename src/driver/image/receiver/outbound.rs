//! What an image says: status messages, NAKs, errors, round-trip requests (`driver.md` §8.5, §9.2).

use super::super::shared::ScheduledStatusMessage;
use super::ReceiverHalf;
use crate::base::{Nanos, SessionId};
use crate::cnc::SystemCounter;
use crate::command::ErrorCode;
use crate::concurrent::EventKind;
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, SendContext};
use crate::logbuffer::Gap;
use crate::port::Transport;
use crate::protocol::{
    ErrorMessage, Nak, ResponseSetup, RttMeasurement, StatusMessage, status_message,
};

impl ReceiverHalf {
    /// Status message, response setup, or error if a client rejected the image.
    pub(super) fn send_status<T: Transport>(
        &mut self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> bool {
        let now = context.tick.now;
        let sequence = self.shared.status_message_sequence();
        let deadline_resets = self.shared.deadline_resets();
        if deadline_resets != self.last_deadline_resets {
            self.last_deadline_resets = deadline_resets;
            self.sm_deadline = now.plus_ns(-1);
        }
        let is_timed_out = self.is_timed_sm_enabled && now.since(self.sm_deadline) > 0;
        if let Some(reason) = &self.rejection {
            if is_timed_out {
                self.send_rejection(reason, endpoint, context);
                self.sm_deadline = now.plus_ns(self.status_message_timeout_ns);
            }
            return is_timed_out;
        }
        if is_timed_out && let Some(response) = self.shared.response_session_id() {
            self.send_response_setup(response, endpoint, context);
        }
        if sequence == self.last_sm_sequence && !is_timed_out {
            return false;
        }
        let Some(scheduled) = self.shared.status_message() else {
            return false;
        };
        self.send_status_message(scheduled, endpoint, context);
        true
    }

    fn send_status_message<T: Transport>(
        &mut self,
        scheduled: ScheduledStatusMessage,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) {
        let ScheduledStatusMessage {
            sequence,
            position,
            window_length,
        } = scheduled;
        let now = context.tick.now;
        let geometry = self.log.geometry();
        let message = StatusMessage {
            flags: if self.is_sending_eos_sm {
                status_message::flags::EOS
            } else {
                0
            },
            session_id: self.session_id,
            stream_id: self.stream_id,
            consumption_term_id: geometry.term_id_at(position),
            consumption_term_offset: geometry.term_offset_at(position),
            receiver_window: window_length,
            receiver_id: endpoint.receiver_id(),
            group_tag: endpoint.group_tag(),
        };
        let mut frame = [0; StatusMessage::MAX_LENGTH];
        let length = message.encode(&mut frame);
        self.send(&frame[..length], endpoint, context);
        context
            .counters
            .get(SystemCounter::StatusMessagesSent)
            .add(1);

        self.last_sm_sequence = sequence;
        self.last_sm_position = position;
        self.overrun_threshold = position + i64::from(geometry.term_length() / 2);
        self.sm_deadline = now.plus_ns(self.status_interval_ns(now));
        self.publish_transport_count(now);
    }

    fn send_rejection<T: Transport>(
        &self,
        reason: &str,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) {
        let message = ErrorMessage {
            session_id: self.session_id,
            stream_id: self.stream_id,
            receiver_id: endpoint.receiver_id(),
            group_tag: endpoint.group_tag(),
            error_code: ErrorCode::ImageRejected.to_wire(),
            text: reason.as_bytes(),
        };
        let mut frame = [0; ErrorMessage::MAX_LENGTH];
        let length = message.encode(&mut frame);
        let sent = self.send(&frame[..length], endpoint, context);
        context
            .counters
            .get(SystemCounter::ErrorFramesSent)
            .add(sent);
    }

    fn send_response_setup<T: Transport>(
        &self,
        response_session_id: SessionId,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) {
        let mut frame = [0; ResponseSetup::LENGTH];
        ResponseSetup {
            session_id: self.session_id,
            stream_id: self.stream_id,
            response_session_id,
        }
        .encode(&mut frame);
        self.send(&frame, endpoint, context);
    }

    /// Asks for the gap that the conductor reported, or pads over it.
    pub(super) fn process_loss<T: Transport>(
        &mut self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> bool {
        if self.shared.loss_sequence() == self.last_loss_sequence
            || self.log.is_publication_revoked()
        {
            return false;
        }
        let Some((sequence, gap)) = self.shared.loss() else {
            return false;
        };
        self.last_loss_sequence = sequence;
        // What a rejected image asked for would not be taken in.
        if self.rejection.is_some() {
            return false;
        }
        if !self.is_reliable {
            if self.log.fill_gap(gap) {
                context.counters.get(SystemCounter::LossGapFills).add(1);
                self.log_gap(EventKind::GapFilled, gap, context);
            }
            return true;
        }
        self.send_nak(gap, endpoint, context);
        true
    }

    /// Asks for what is missing, wherever that is. Returns how many requests went out.
    pub(super) fn recover<T: Transport>(
        &mut self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> usize {
        let now = context.tick.now;
        let Some(recovery) = &mut self.recovery else {
            return 0;
        };
        let Some(asks) = recovery.poll(self.last_sm_position, &self.log, now) else {
            return 0;
        };
        let is_over = self.rejection.is_some() || self.shared.is_draining();
        if is_over || self.log.is_publication_revoked() {
            return 0;
        }
        let is_measuring = recovery.should_measure(now);
        let geometry = self.log.geometry();
        for ask in asks.all() {
            let gap = Gap {
                term_id: geometry.term_id_at(ask.begin),
                term_offset: geometry.term_offset_at(ask.begin),
                length: ask.length,
            };
            for _ in 0..ask.copies {
                self.send_nak(gap, endpoint, context);
            }
        }
        if is_measuring {
            self.send_rtt_request(endpoint, context);
        }
        if let Some(recovery) = &self.recovery {
            self.shared.report_lost(recovery.tally());
        }
        asks.all().len()
    }

    fn send_nak<T: Transport>(
        &self,
        gap: Gap,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) {
        let mut frame = [0; Nak::LENGTH];
        Nak {
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: gap.term_id,
            term_offset: gap.term_offset,
            length: gap.length,
        }
        .encode(&mut frame);
        self.send(&frame, endpoint, context);
        context.counters.get(SystemCounter::NaksSent).add(1);
        self.counters.naks_sent.increment_single_writer();
        self.log_gap(EventKind::NakSent, gap, context);
    }

    /// Longest time to the next status message.
    fn status_interval_ns(&self, now: Nanos) -> i64 {
        let timeout_ns = self.status_message_timeout_ns;
        self.recovery.as_ref().map_or(timeout_ns, |recovery| {
            recovery.status_interval_ns(timeout_ns, now)
        })
    }

    fn log_gap(&self, kind: EventKind, gap: Gap, context: &SendContext<'_>) {
        if self.events.is_on() {
            let values = [
                i64::from(self.session_id.get()),
                i64::from(self.stream_id.get()),
                i64::from(gap.term_id.get()),
                i64::from(gap.term_offset.get()),
                i64::from(gap.length),
            ];
            self.events.emit(context.tick.now, kind, &values, "");
        }
    }

    pub(super) fn request_rtt<T: Transport>(
        &mut self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> bool {
        let now = context.tick.now;
        match &mut self.rtt {
            Some(schedule) if schedule.should_measure(now) => schedule.on_sent(now),
            Some(_) | None => return false,
        }
        self.send_rtt_request(endpoint, context);
        true
    }

    fn send_rtt_request<T: Transport>(
        &self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) {
        let mut frame = [0; RttMeasurement::LENGTH];
        RttMeasurement {
            is_reply_requested: true,
            session_id: self.session_id,
            stream_id: self.stream_id,
            echo_timestamp: context.tick.now,
            reception_delta_ns: 0,
            receiver_id: endpoint.receiver_id(),
        }
        .encode(&mut frame);
        self.send(&frame, endpoint, context);
    }

    /// Sends a frame over all connections that are not silent; returns how many took it.
    fn send<T: Transport>(
        &self,
        frame: &[u8],
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> i64 {
        let mut sent = 0;
        for (index, control_address) in self.connections.active(context.tick.now) {
            sent += i64::from(endpoint.send(index, control_address, frame, context));
        }
        sent
    }

    pub(super) fn publish_transport_count(&self, now: Nanos) {
        let count = self.connections.count_live(now, self.liveness_timeout_ns);
        if count != self.log.active_transport_count() {
            self.log.set_active_transport_count(count);
        }
    }
}
