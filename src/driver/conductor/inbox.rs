//! Messages from the sender and the receiver.

use std::net::SocketAddr;

use crate::base::{CorrelationId, NULL_VALUE, RegistrationId, SessionId};
use crate::command::{ErrorCode, PublicationError};
use crate::concurrent::EventKind;
use crate::driver::failure::CommandFailure;
use crate::driver::messages::{
    ConductorMessage, EndpointId, PublicationErrorReport, ReceiverMessage, SenderMessage,
};
use crate::driver::resources::{ResourceOutcome, ResourceReply, ResourceTask};
use crate::port::Network;

use super::Conductor;
use super::images::{DriverStep, PendingDriverCommand};
use super::links::LinkSource;
use super::receive_endpoints::Interest;

/// A name that is being looked up again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReResolution {
    /// The endpoint of a unicast publication, or a destination of a manual one.
    Endpoint {
        /// The send endpoint.
        endpoint: EndpointId,
        /// The name with its port.
        text: String,
        /// What it led to so far.
        address: Option<SocketAddr>,
    },
    /// The explicit control address of a receive transport.
    Control {
        /// The receive endpoint.
        endpoint: EndpointId,
        /// Slot of the transport.
        index: usize,
        /// The name with its port.
        text: String,
        /// What it led to so far.
        address: SocketAddr,
    },
}

impl<N: Network> Conductor<N> {
    /// Takes up at most one message.
    #[inline]
    pub(super) fn poll_inbox(&mut self) -> usize {
        let Some(message) = self.inbox.pop() else {
            return 0;
        };
        self.on_message(message);
        1
    }

    /// Goes on with the pending message.
    pub(super) fn resume_driver_command(&mut self, reply: ResourceReply) {
        let pending = self
            .pending_driver
            .take_if(|pending| pending.request == reply.id);
        match (pending.map(|pending| pending.step), reply.outcome) {
            (Some(DriverStep::ImageLog(new)), ResourceOutcome::Log(log)) => {
                self.on_image_log(&new, log);
            }
            (Some(DriverStep::ReResolution(what)), ResourceOutcome::Address(address)) => {
                self.on_re_resolved(what, address);
            }
            (_, outcome) => self.discard(outcome),
        }
    }

    fn on_message(&mut self, message: ConductorMessage<N::Transport>) {
        self.ctx.events.set_time(self.ctx.tick.now);
        match message {
            ConductorMessage::CreateImage(request) => {
                self.pending_driver = self.on_create_image(*request);
            }
            ConductorMessage::SendEndpointClosed(endpoint) => {
                self.on_send_endpoint_closed(*endpoint);
            }
            ConductorMessage::ReceiveEndpointClosed(endpoint) => {
                self.on_receive_endpoint_closed(*endpoint);
            }
            ConductorMessage::ReceiveDestinationClosed {
                endpoint,
                index,
                transport,
            } => {
                self.on_receive_transport_closed(endpoint, index, *transport);
            }
            ConductorMessage::PublicationReleased(half) => self.on_publication_released(*half),
            ConductorMessage::ImageReleased(half) => self.on_image_released(*half),
            ConductorMessage::ReResolveEndpoint {
                endpoint,
                endpoint_text,
                address,
            } => {
                let text = endpoint_text;
                self.re_resolve(ReResolution::Endpoint {
                    endpoint,
                    text,
                    address,
                });
            }
            ConductorMessage::ReResolveControl {
                endpoint,
                index,
                control_text,
                address,
            } => {
                let text = control_text;
                self.re_resolve(ReResolution::Control {
                    endpoint,
                    index,
                    text,
                    address,
                });
            }
            ConductorMessage::ResponseSetup {
                response_correlation_id,
                response_session_id,
            } => {
                self.on_response_setup(response_correlation_id, response_session_id);
            }
            ConductorMessage::ResponseConnected {
                response_correlation_id,
            } => {
                if let Some(image) = self.images.get_mut(&response_correlation_id) {
                    image.half.set_response_session_id(None);
                }
            }
            ConductorMessage::PublicationError(report) => self.on_publication_error(&report),
        }
    }

    fn re_resolve(&mut self, what: ReResolution) {
        let text = match &what {
            ReResolution::Endpoint { text, .. } | ReResolution::Control { text, .. } => text,
        };
        let task = ResourceTask::Resolve {
            endpoint_text: text.clone(),
            is_re_resolution: true,
        };
        let request = self.ctx.request(task);
        let step = DriverStep::ReResolution(what);
        self.pending_driver = Some(PendingDriverCommand { request, step });
    }

    /// A name that does not resolve any more keeps its address; one that leads elsewhere is passed
    /// on to the agent that asked.
    fn on_re_resolved(&mut self, what: ReResolution, found: Result<SocketAddr, CommandFailure>) {
        let found = match found {
            Ok(found) => found,
            Err(failure) => {
                self.ctx.record(&failure);
                return;
            }
        };
        match what {
            ReResolution::Endpoint {
                endpoint,
                text,
                address,
            } if address != Some(found) => {
                let Some(record) = self.send_endpoints.get_mut(&endpoint) else {
                    return;
                };
                if record.is_closing {
                    return;
                }
                if record.address.is_some() {
                    record.address = Some(found);
                }
                self.log_resolution_change(&text, address, found);
                self.ctx.sender.send(SenderMessage::ResolutionChange {
                    endpoint,
                    endpoint_text: text,
                    address: found,
                });
            }
            ReResolution::Control {
                endpoint,
                index,
                text,
                address,
            } if address != found => {
                let Some(record) = self.receive_endpoints.get_mut(&endpoint) else {
                    return;
                };
                if record.is_closing {
                    return;
                }
                let transport = record.transports.get_mut(index).and_then(Option::as_mut);
                let Some(transport) = transport else { return };
                transport.control_address = Some(found);
                self.log_resolution_change(&text, Some(address), found);
                let message = ReceiverMessage::ResolutionChange {
                    endpoint,
                    index,
                    address: found,
                };
                self.ctx.receiver.send(message);
            }
            ReResolution::Endpoint { .. } | ReResolution::Control { .. } => {}
        }
    }

    fn log_resolution_change(&self, text: &str, before: Option<SocketAddr>, now: SocketAddr) {
        if self.ctx.logs.conductor.is_on() {
            let before = before.map_or_else(|| "nowhere".to_owned(), |at| at.to_string());
            let text = format!("{text}: {before} -> {now}");
            self.ctx.log(EventKind::ResolutionChange, &[], &text);
        }
    }

    /// A responder announced its session: the subscription that waits for it takes it, once.
    fn on_response_setup(&mut self, subscription: CorrelationId, session_id: SessionId) {
        let id = RegistrationId::from(subscription);
        let link = self.subscription_links.iter_mut().find(|link| {
            link.registration_id == id
                && link.is_response
                && matches!(link.source, LinkSource::Network(_))
        });
        let Some(link) = link else { return };
        let LinkSource::Network(endpoint) = link.source else {
            return;
        };
        let stream_id = link.stream_id;
        match link.session_id {
            None => {
                link.session_id = Some(session_id);
                self.add_interest(endpoint, stream_id, Interest::Session(session_id));
                self.remove_interest(endpoint, stream_id, Interest::Response);
            }
            Some(session_id) => {
                let record = self.receive_endpoints.get(&endpoint);
                if record.is_some_and(|record| record.has_explicit_control()) {
                    let message = ReceiverMessage::RequestSetup {
                        endpoint,
                        stream_id,
                        session_id,
                    };
                    self.ctx.receiver.send(message);
                }
            }
        }
    }

    fn on_publication_error(&mut self, report: &PublicationErrorReport) {
        let id = report.registration_id;
        self.ctx.record(&CommandFailure::new(
            ErrorCode::from_wire(report.error_code),
            format!(
                "receiver {} at {} of session {} stream {} reports: {}",
                report.receiver_id, report.source, report.session_id, report.stream_id, report.text
            ),
        ));
        self.ctx.events.publication_error(PublicationError {
            registration_id: id,
            destination_registration_id: report
                .destination_registration_id
                .unwrap_or(RegistrationId(NULL_VALUE)),
            session_id: report.session_id,
            stream_id: report.stream_id,
            receiver_id: report.receiver_id,
            group_tag: report.group_tag.unwrap_or(NULL_VALUE),
            source: Some(report.source),
            code: ErrorCode::from_wire(report.error_code),
            message: report.text.as_bytes(),
        });
    }
}
