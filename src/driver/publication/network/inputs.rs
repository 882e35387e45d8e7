//! What receivers say to a publication: status messages, NAKs, round-trip requests, error frames.
//!
//! The frames passed the checks that need no stream. The ranges that depend on the term length and
//! on how far the stream has come are checked here, before anything is believed.

use std::net::SocketAddr;

use super::{Cycle, SenderHalf, set_connected};
use crate::base::{CorrelationId, Nanos, RegistrationId};
use crate::cnc::SystemCounter;
use crate::cnc::extra_counters::pack_address;
use crate::concurrent::EventKind;
use crate::driver::flow_control::ReceiverFeedback;
use crate::driver::media::send_endpoint::SendEndpoint;
use crate::driver::messages::PublicationErrorReport;
use crate::driver::retransmit::NakOutcome;
use crate::logbuffer::framed_length;
use crate::port::Transport;
use crate::protocol::{
    ErrorFrame, NakFrame, RttMeasurement, RttMeasurementFrame, StatusMessageFrame,
};

impl SenderHalf {
    /// Whether a status message's fields can be right for this publication's terms.
    pub(crate) fn is_possible(&self, message: &StatusMessageFrame<'_>) -> bool {
        message.is_valid_for(self.identity.geometry.term_length())
    }

    /// Whether a status message speaks of a position the receiver can be at: at most half a term
    /// ahead of what has been sent, and [`Self::reach_back`] behind. One that asks for a SETUP
    /// speaks of none.
    pub(crate) fn is_plausible(&self, message: &StatusMessageFrame<'_>) -> bool {
        let distance = feedback_of(self, message).position - self.position;
        let half = i64::from(self.identity.geometry.term_length() / 2);
        message.is_setup_requested() || (-self.reach_back()..=half).contains(&distance)
    }

    /// How far behind what has been sent a receiver can be, in bytes: the longest window, half a
    /// term, and as much as is ever padded at a time, as padding that begins below the limit is
    /// sent whole.
    pub(super) fn reach_back(&self) -> i64 {
        let geometry = self.identity.geometry;
        let padding = framed_length(geometry.max_message_length(), self.log.max_payload_length());
        i64::from(geometry.term_length() / 2) + padding
    }

    /// Takes in a status message that is possible and plausible. Returns the image that a response
    /// publication responds to, if this made its first receiver.
    pub(crate) fn on_status_message(
        &mut self,
        message: &StatusMessageFrame<'_>,
        source: SocketAddr,
        now: Nanos,
    ) -> Option<CorrelationId> {
        let feedback = feedback_of(self, message);
        if message.is_setup_requested() {
            self.on_setup_requested(&feedback, source, now);
            return None;
        }
        // Departs from Aeron: it learns the address of who asked when it is asked for a SETUP, and
        // goes on sending there when a gateway has had that receiver be seen from elsewhere since.
        if self.identity.is_response {
            self.response_address = Some(source);
        }
        self.time_of_last_status_message = now;
        if feedback.is_end_of_stream {
            self.receivers.remove(feedback.receiver_id);
            if self.identity.is_unicast {
                self.shared.has_received_unicast_eos.set(true);
            }
        } else {
            self.receivers.on_alive(feedback.receiver_id, now);
        }
        let is_first_receiver = !self.shared.has_receivers.get() && !self.receivers.is_empty();
        self.publish_receivers();
        self.has_initial_connection = true;

        if let Some(queue) = &mut self.resend_queue {
            queue.on_window(feedback.window);
        }
        let limit = self
            .flow_control
            .on_status_message(&feedback, self.limit, now);
        self.set_limit(limit);
        if let Some(limiter) = &self.counters.limiter
            && self.flow_control.is_led_by(&feedback)
        {
            limiter.receiver.set(pack_address(source));
            limiter.window.set(i64::from(feedback.window));
        }
        self.publish_required_receivers();
        self.update_connected();
        let responds = is_first_receiver && self.identity.is_response;
        self.identity.response_correlation_id.filter(|_| responds)
    }

    /// Takes in a NAK, and resends at once unless resends are to be held back.
    pub(crate) fn on_nak<T: Transport>(
        &mut self,
        nak: &NakFrame<'_>,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        if !nak.is_valid_for(self.identity.geometry.term_length()) {
            cycle.system.get(SystemCounter::InvalidPackets).add(1);
            return;
        }
        cycle.system.get(SystemCounter::NaksReceived).add(1);
        self.counters.sender_naks_received.increment_single_writer();
        self.log_nak(EventKind::NakReceived, nak, cycle.now);
        self.time_of_last_nak = Some(cycle.now);
        let (term_id, term_offset) = (nak.term_id(), nak.term_offset());
        if let Some(queue) = &mut self.resend_queue {
            let begin = self.identity.geometry.position(term_id, term_offset);
            // What has not been sent is subject to flow control: it is not sent by this way either.
            let (end, sent) = (begin + i64::from(nak.length()), self.position);
            if queue.on_nak(begin, end, sent, cycle.now) == NakOutcome::Overflow {
                cycle.system.get(SystemCounter::RetransmitOverflow).add(1);
            }
            self.resend_queued(endpoint, cycle);
            return;
        }
        match self
            .retransmit
            .on_nak(term_id, term_offset, nak.length(), cycle.now)
        {
            NakOutcome::Resend(resend) => self.resend(resend, endpoint, cycle),
            NakOutcome::Overflow => {
                cycle.system.get(SystemCounter::RetransmitOverflow).add(1);
                self.log_nak(EventKind::ResendOverflow, nak, cycle.now);
            }
            NakOutcome::Ignored | NakOutcome::Delayed => {}
        }
    }

    fn log_nak(&self, kind: EventKind, nak: &NakFrame<'_>, now: Nanos) {
        if self.events.is_on() {
            let values = [
                i64::from(self.identity.session_id.get()),
                i64::from(self.identity.stream_id.get()),
                i64::from(nak.term_id().get()),
                i64::from(nak.term_offset().get()),
                i64::from(nak.length()),
            ];
            self.events.emit(now, kind, &values, "");
        }
    }

    /// Answers a round-trip request; an answer of somebody else is none of our business.
    pub(crate) fn on_rtt_measurement<T: Transport>(
        &self,
        request: RttMeasurementFrame<'_>,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        if request.is_reply_requested() {
            let mut answer = [0; RttMeasurement::LENGTH];
            RttMeasurement::answer_to(request).encode(&mut answer);
            self.send_frame(&answer, endpoint, cycle);
        }
    }

    /// A receiver refuses the stream. Returns what to tell clients, if it was alive until now.
    pub(crate) fn on_error(
        &mut self,
        error: &ErrorFrame<'_>,
        source: SocketAddr,
        destination: Option<RegistrationId>,
        now: Nanos,
    ) -> Option<PublicationErrorReport> {
        let receiver_id = error.receiver_id();
        self.flow_control
            .on_error(receiver_id, error.group_tag(), now);
        self.receivers
            .remove(receiver_id)
            .then(|| PublicationErrorReport {
                registration_id: self.identity.registration_id,
                destination_registration_id: destination,
                session_id: self.identity.session_id,
                stream_id: self.identity.stream_id,
                receiver_id,
                group_tag: error.group_tag(),
                source,
                error_code: error.error_code(),
                text: String::from_utf8_lossy(error.text()).into_owned(),
            })
    }

    /// The subscription that awaits the responses to this publication.
    pub(crate) fn awaits_response(&self) -> Option<CorrelationId> {
        self.identity
            .response_correlation_id
            .filter(|_| !self.identity.is_response)
    }

    /// Whether flow control looks at group tags.
    pub(crate) const fn uses_group_tag(&self) -> bool {
        self.flow_control.uses_group_tag()
    }

    fn on_setup_requested(&mut self, feedback: &ReceiverFeedback, source: SocketAddr, now: Nanos) {
        if self.shared.is_end_of_stream.get() {
            return;
        }
        self.time_of_last_status_message = now;
        self.is_setup_elicited = true;
        self.flow_control.on_setup_elicited(feedback, now);
        if self.identity.is_response {
            self.response_address = Some(source);
        }
    }

    fn update_connected(&self) {
        let has_subscribers = self
            .shared
            .has_subscribers(self.identity.spies_simulate_connection);
        set_connected(
            &self.log,
            has_subscribers && !self.log.is_publication_revoked(),
        );
    }
}

/// Group tag of receivers that say "preferred", as they did before there were tags; the default
/// tag of tagged flow control.
const LEGACY_GROUP_TAG: i64 = -1;

fn feedback_of(half: &SenderHalf, message: &StatusMessageFrame<'_>) -> ReceiverFeedback {
    let position = half.identity.geometry.position(
        message.consumption_term_id(),
        message.consumption_term_offset(),
    );
    let legacy = message.is_legacy_preferred().then_some(LEGACY_GROUP_TAG);
    ReceiverFeedback {
        receiver_id: message.receiver_id(),
        position,
        window: message.receiver_window(),
        is_end_of_stream: message.is_end_of_stream(),
        group_tag: message.group_tag().or(legacy),
    }
}
