//! Events out: what the conductor tells clients.
//!
//! All events leave through one broadcast buffer in the order of the calls here, which is what the
//! ordering guarantees toward clients rest on (`cnc.md` §14.5). Whatever an event announces, a log
//! or a counter, is complete before the call.

use super::event_log::log_reply;
use crate::base::{ClientId, CorrelationId, CounterId, Nanos, RegistrationId, SessionId, StreamId};
use crate::command::{
    AvailableImage, ClientTimeout, CounterReady, ErrorResponse, Event, NextAvailableSessionId,
    OperationSuccess, PublicationError, PublicationReady, StaticCounter, SubscriptionReady,
    UnavailableCounter, UnavailableImage,
};
use crate::concurrent::{EventWriter, Transmitter};
use crate::driver::failure::CommandFailure;

/// Source identity of images that are read from a publication's own log.
pub(super) const IPC_SOURCE_IDENTITY: &str = "aeron:ipc";

/// Longest text of an error response, in bytes.
const ERROR_TEXT_LENGTH_MAX: usize = 6 * 1024;

/// The broadcast to all clients.
#[derive(Debug)]
pub(super) struct Events {
    transmitter: Transmitter,
    scratch: Vec<u8>,
    log: EventWriter,
    /// When what is told was told, for the log.
    now: Nanos,
}

impl Events {
    /// Sends through `transmitter`, and writes down in `log` what it sends.
    pub(super) const fn new(transmitter: Transmitter, log: EventWriter) -> Self {
        Self {
            transmitter,
            scratch: Vec::new(),
            log,
            now: Nanos(0),
        }
    }

    /// The time of what is told next. Whatever leads to an event calls this first.
    pub(super) const fn set_time(&mut self, now: Nanos) {
        self.now = now;
    }

    /// A command failed.
    pub(super) fn error(&mut self, correlation_id: CorrelationId, failure: &CommandFailure) {
        let text = failure.text.as_bytes();
        let message = text.get(..ERROR_TEXT_LENGTH_MAX).unwrap_or(text);
        let code = failure.code;
        self.send(&Event::Error(ErrorResponse {
            correlation_id,
            code,
            message,
        }));
    }

    /// A command is done.
    pub(super) fn operation_success(&mut self, correlation_id: CorrelationId) {
        self.send(&Event::OperationSuccess(OperationSuccess {
            correlation_id,
        }));
    }

    /// A publication can be used.
    pub(super) fn publication_ready(&mut self, is_exclusive: bool, ready: PublicationReady<'_>) {
        self.send(&if is_exclusive {
            Event::ExclusivePublicationReady(ready)
        } else {
            Event::PublicationReady(ready)
        });
    }

    /// A subscription is registered. IPC subscriptions and spies have no channel status.
    pub(super) fn subscription_ready(
        &mut self,
        correlation_id: CorrelationId,
        channel_status_counter_id: CounterId,
    ) {
        let ready = SubscriptionReady {
            correlation_id,
            channel_status_counter_id,
        };
        self.send(&Event::SubscriptionReady(ready));
    }

    /// A subscription has an image.
    pub(super) fn available_image(&mut self, image: AvailableImage<'_>) {
        self.send(&Event::AvailableImage(image));
    }

    /// A subscription lost an image.
    pub(super) fn unavailable_image(
        &mut self,
        correlation_id: CorrelationId,
        subscription_registration_id: RegistrationId,
        stream_id: StreamId,
        channel: &str,
    ) {
        self.send(&Event::UnavailableImage(UnavailableImage {
            correlation_id,
            subscription_registration_id,
            stream_id,
            channel: channel.as_bytes(),
        }));
    }

    /// A counter is there.
    pub(super) fn counter_ready(&mut self, correlation_id: CorrelationId, counter_id: CounterId) {
        self.send(&Event::CounterReady(CounterReady {
            correlation_id,
            counter_id,
        }));
    }

    /// A static counter is there.
    pub(super) fn static_counter(&mut self, correlation_id: CorrelationId, counter_id: CounterId) {
        self.send(&Event::StaticCounter(StaticCounter {
            correlation_id,
            counter_id,
        }));
    }

    /// A counter is about to be freed.
    pub(super) fn unavailable_counter(
        &mut self,
        registration_id: RegistrationId,
        counter_id: CounterId,
    ) {
        self.send(&Event::UnavailableCounter(UnavailableCounter {
            registration_id,
            counter_id,
        }));
    }

    /// The driver takes a client for dead.
    pub(super) fn client_timeout(&mut self, client_id: ClientId) {
        self.send(&Event::ClientTimeout(ClientTimeout { client_id }));
    }

    /// A subscriber refused a publication's stream.
    pub(super) fn publication_error(&mut self, error: PublicationError<'_>) {
        self.send(&Event::PublicationError(error));
    }

    /// A session id that is free.
    pub(super) fn next_available_session_id(
        &mut self,
        correlation_id: CorrelationId,
        next_session_id: SessionId,
    ) {
        let answer = NextAvailableSessionId {
            correlation_id,
            next_session_id,
        };
        self.send(&Event::NextAvailableSessionId(answer));
    }

    fn send(&mut self, event: &Event<'_>) {
        if self.log.is_on() {
            log_reply(&self.log, self.now, event);
        }
        self.scratch.clear();
        let type_id = event.encode(&mut self.scratch);
        let sent = self.transmitter.transmit(type_id, &self.scratch);
        // Texts, channels and paths are bounded far below the longest message.
        debug_assert!(sent.is_ok(), "event {type_id} is too long");
    }
}
