//! Destinations of publications with `control-mode=manual` (`driver.md` §11.12).

use crate::base::{CorrelationId, RegistrationId};
use crate::command::{Destination as DestinationCommand, ErrorCode, RemoveDestinationById};
use crate::driver::failure::CommandFailure;
use crate::driver::messages::{Destination, EndpointId, SenderMessage};
use crate::driver::params::check_send_destination;
use crate::driver::resources::{ResolvedDestination, ResourceTask};
use crate::port::Network;
use crate::uri::ChannelUri;

use super::Conductor;
use super::commands::{Progress, Step, unknown};
use super::send_endpoints::closing;

/// An add- or remove-destination command.
#[derive(Clone, Debug)]
pub(super) struct SendDestinationRequest {
    correlation_id: CorrelationId,
    publication: RegistrationId,
    channel: String,
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_send_destination(&mut self, command: &DestinationCommand<'_>) -> Progress {
        let (task, request) = self.check_send_destination(command)?;
        Ok(Some((
            self.ctx.request(task),
            Step::AddSendDestination(request),
        )))
    }

    pub(super) fn on_remove_send_destination(
        &mut self,
        command: &DestinationCommand<'_>,
    ) -> Progress {
        let (task, request) = self.check_send_destination(command)?;
        Ok(Some((
            self.ctx.request(task),
            Step::RemoveSendDestination(request),
        )))
    }

    pub(super) fn on_send_destination_to_add(
        &mut self,
        request: &SendDestinationRequest,
        found: ResolvedDestination,
    ) -> Progress {
        let endpoint = self.manual_endpoint(request.publication)?;
        let ResolvedDestination {
            endpoint_text,
            address,
        } = found;
        let destination = Destination {
            registration_id: RegistrationId::from(request.correlation_id),
            uri_text: request.channel.clone(),
            endpoint_text,
            address,
        };
        self.ctx.sender.send(SenderMessage::AddDestination {
            endpoint,
            destination,
        });
        self.ctx.events.operation_success(request.correlation_id);
        Ok(None)
    }

    /// A destination whose name does not resolve now cannot be told by its address; that is a
    /// silent success, like any removal of what is not there.
    pub(super) fn on_send_destination_to_remove(
        &mut self,
        request: &SendDestinationRequest,
        found: &ResolvedDestination,
    ) -> Progress {
        let endpoint = self.manual_endpoint(request.publication)?;
        if let Some(address) = found.address {
            self.ctx
                .sender
                .send(SenderMessage::RemoveDestination { endpoint, address });
        }
        self.ctx.events.operation_success(request.correlation_id);
        Ok(None)
    }

    pub(super) fn on_remove_send_destination_by_id(
        &mut self,
        command: &RemoveDestinationById,
    ) -> Result<(), CommandFailure> {
        let endpoint = self.manual_endpoint(command.registration_id)?;
        let registration_id = command.destination_registration_id;
        self.ctx.sender.send(SenderMessage::RemoveDestinationById {
            endpoint,
            registration_id,
        });
        self.ctx.events.operation_success(command.correlation_id);
        Ok(())
    }

    /// Checks all that can be checked before the destination's name is resolved.
    fn check_send_destination(
        &self,
        command: &DestinationCommand<'_>,
    ) -> Result<(ResourceTask, SendDestinationRequest), CommandFailure> {
        check_send_destination(&ChannelUri::parse(command.channel)?)?;
        self.manual_endpoint(command.registration_id)?;
        let request = SendDestinationRequest {
            correlation_id: command.correlation_id,
            publication: command.registration_id,
            channel: command.channel.to_owned(),
        };
        Ok((
            ResourceTask::ResolveDestination {
                text: request.channel.clone(),
            },
            request,
        ))
    }

    /// The endpoint of a publication that takes destinations. The publication is named by its own
    /// registration id or, unlike in Aeron, by that of any link to it.
    fn manual_endpoint(&self, id: RegistrationId) -> Result<EndpointId, CommandFailure> {
        let publication = self.network_publications.get(&id).or_else(|| {
            self.network_publications
                .get(&self.publication_links.get(&id)?.publication)
        });
        let Some(publication) = publication else {
            return Err(unknown(ErrorCode::UnknownPublication, "publication", id));
        };
        let endpoint = publication.half.endpoint();
        let Some(record) = self.send_endpoints.get(&endpoint) else {
            return Err(unknown(ErrorCode::UnknownPublication, "publication", id));
        };
        if !record.channel.is_manual() {
            return Err(CommandFailure::invalid_channel(format!(
                "channel does not allow manual control: {}",
                record.channel.original_text()
            )));
        }
        if record.is_closing {
            return Err(closing(&record.channel));
        }
        Ok(endpoint)
    }
}
