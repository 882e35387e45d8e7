//! Destinations of subscriptions with `control-mode=manual` (`driver.md` §11.13).
//!
//! An IPC or spy destination is one more link under the subscription's registration id. A network
//! destination is one more transport of the subscription's endpoint.

use std::sync::Arc;

use crate::base::{CorrelationId, RegistrationId};
use crate::command::{Destination as DestinationCommand, ErrorCode};
use crate::driver::failure::CommandFailure;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::ReceiverMessage;
use crate::driver::params::check_receive_destination;
use crate::driver::resources::{RequestId, ResourceTask};
use crate::port::Network;
use crate::uri::ChannelUri;

use super::Conductor;
use super::commands::{IPC_PREFIX, Progress, SPY_PREFIX, Step, unknown};
use super::linking::Stream;
use super::links::{LinkSource, SubscriptionLink};
use super::receive_endpoints::ReceiveEndpointRecord;
use super::send_endpoints::closing;
use super::subscriptions::SubscriptionRequest;

/// An add- or remove-destination command for a subscription.
#[derive(Clone, Debug)]
pub(super) struct ReceiveDestinationRequest {
    correlation_id: CorrelationId,
    subscription: RegistrationId,
    channel: String,
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_receive_destination(
        &mut self,
        command: &DestinationCommand<'_>,
    ) -> Progress {
        let request = ReceiveDestinationRequest::new(command);
        if command.channel.starts_with(IPC_PREFIX) {
            self.add_ipc_destination(&request)?;
            return Ok(None);
        }
        if command.channel.starts_with(SPY_PREFIX) {
            return Ok(Some(
                self.parse_destination(request, Step::AddSpyDestination),
            ));
        }
        check_receive_destination(&ChannelUri::parse(command.channel)?)?;
        self.mds_link(request.subscription)?;
        Ok(Some(
            self.parse_destination(request, Step::AddReceiveDestination),
        ))
    }

    pub(super) fn on_remove_receive_destination(
        &mut self,
        command: &DestinationCommand<'_>,
    ) -> Progress {
        let request = ReceiveDestinationRequest::new(command);
        let is_link =
            command.channel.starts_with(IPC_PREFIX) || command.channel.starts_with(SPY_PREFIX);
        if is_link {
            self.remove_link_destination(&request)?;
            return Ok(None);
        }
        check_receive_destination(&ChannelUri::parse(command.channel)?)?;
        self.mds_link(request.subscription)?;
        Ok(Some(self.parse_destination(
            request,
            Step::RemoveReceiveDestination,
        )))
    }

    pub(super) fn on_receive_destination_to_add(
        &mut self,
        request: &ReceiveDestinationRequest,
        channel: Box<UdpChannel>,
    ) -> Progress {
        let channel: Arc<UdpChannel> = Arc::from(channel);
        let link = self.mds_link(request.subscription)?;
        let record = self.mds_endpoint(link)?;
        let (endpoint, status) = (record.id, record.status.id());
        let (endpoint_channel, index) = (Arc::clone(&record.channel), record.free_slot());
        let subscription = request.subscription;
        let (transport, opened) =
            self.open_receive_transport(&channel, &endpoint_channel, subscription, status)?;
        if let Some(record) = self.receive_endpoints.get_mut(&endpoint) {
            record.insert_transport(index, opened);
        }
        let transport = Box::new(transport);
        self.ctx.receiver.send(ReceiverMessage::AddDestination {
            endpoint,
            index,
            transport,
        });
        self.ctx.events.operation_success(request.correlation_id);
        Ok(None)
    }

    pub(super) fn on_spy_destination_to_add(
        &mut self,
        request: &ReceiveDestinationRequest,
        channel: Box<UdpChannel>,
    ) -> Progress {
        let uri = channel.uri().clone();
        self.add_link_destination(request, &uri, LinkSource::Spy(Arc::from(channel)))?;
        Ok(None)
    }

    /// Closes the first transport of an equal channel, if there is one.
    pub(super) fn on_receive_destination_to_remove(
        &mut self,
        request: &ReceiveDestinationRequest,
        channel: &UdpChannel,
    ) -> Progress {
        let link = self.mds_link(request.subscription)?;
        let record = self.mds_endpoint(link)?;
        let endpoint = record.id;
        let index = record.transports.iter().position(|transport| {
            let open = transport.as_ref();
            open.is_some_and(|open| open.channel.canonical_form() == channel.canonical_form())
        });
        if let Some(index) = index {
            self.remove_transport(endpoint, index);
        }
        self.ctx.events.operation_success(request.correlation_id);
        Ok(None)
    }

    fn parse_destination(
        &mut self,
        request: ReceiveDestinationRequest,
        step: impl FnOnce(ReceiveDestinationRequest) -> Step,
    ) -> (RequestId, Step) {
        let text = request.channel.clone();
        let id = self.ctx.request(ResourceTask::ParseChannel {
            text,
            is_destination: true,
        });
        (id, step(request))
    }

    fn add_ipc_destination(
        &mut self,
        request: &ReceiveDestinationRequest,
    ) -> Result<(), CommandFailure> {
        let uri = ChannelUri::parse(&request.channel)?;
        self.add_link_destination(request, &uri, LinkSource::Ipc)
    }

    fn add_link_destination(
        &mut self,
        request: &ReceiveDestinationRequest,
        uri: &ChannelUri,
        source: LinkSource,
    ) -> Result<(), CommandFailure> {
        let params = self.subscription_params(uri)?;
        let parent = self.mds_link(request.subscription)?;
        let link = SubscriptionRequest {
            client_id: parent.client_id,
            correlation_id: request.subscription.into(),
            stream_id: parent.stream_id,
            channel: request.channel.clone(),
        };
        let id = self.add_subscription_link(&link, &params, source);
        self.ctx.events.operation_success(request.correlation_id);
        self.link_subscription(id);
        Ok(())
    }

    /// Removes the links of an IPC or spy destination; its images become unavailable.
    fn remove_link_destination(
        &mut self,
        request: &ReceiveDestinationRequest,
    ) -> Result<(), CommandFailure> {
        self.mds_link(request.subscription)?;
        let removed: Vec<SubscriptionLink> = self
            .subscription_links
            .iter()
            .filter(|link| {
                link.registration_id == request.subscription
                    && link.channel == request.channel
                    && !matches!(link.source, LinkSource::Network(_))
            })
            .cloned()
            .collect();
        self.ctx.events.operation_success(request.correlation_id);
        for link in &removed {
            for stream in self.streams_of(link) {
                self.announce_unlinked(stream, &[(link.id, link.registration_id)]);
            }
        }
        self.subscription_links
            .retain(|link| !removed.iter().any(|other| other.id == link.id));
        self.release_subscription_links(removed);
        Ok(())
    }

    /// The streams of this driver that a link reads.
    fn streams_of(&self, link: &SubscriptionLink) -> Vec<Stream> {
        let ipc = self.ipc_publications.iter();
        let ipc = ipc.filter(|(_, record)| record.publication.subscribers().is_linked(link.id));
        let spied = self.network_publications.iter();
        let spied = spied.filter(|(_, publication)| publication.half.spies().is_linked(link.id));
        ipc.map(|(id, _)| Stream::Ipc(*id))
            .chain(spied.map(|(id, _)| Stream::Spied(*id)))
            .collect()
    }

    /// The network link of a subscription that takes destinations.
    fn mds_link(&self, id: RegistrationId) -> Result<&SubscriptionLink, CommandFailure> {
        let link = self.subscription_links.iter().find(|link| {
            link.registration_id == id
                && self
                    .link_endpoint(link)
                    .is_some_and(|r| r.channel.is_manual())
        });
        link.ok_or_else(|| unknown(ErrorCode::UnknownSubscription, "MDS subscription", id))
    }

    /// The endpoint of a link that takes destinations, unless it is on its way out.
    fn mds_endpoint(
        &self,
        link: &SubscriptionLink,
    ) -> Result<&ReceiveEndpointRecord, CommandFailure> {
        match self.link_endpoint(link) {
            Some(record) if record.is_closing => Err(closing(&record.channel)),
            Some(record) => Ok(record),
            None => {
                let id = link.registration_id;
                Err(unknown(
                    ErrorCode::UnknownSubscription,
                    "MDS subscription",
                    id,
                ))
            }
        }
    }

    fn link_endpoint(&self, link: &SubscriptionLink) -> Option<&ReceiveEndpointRecord> {
        match link.source {
            LinkSource::Network(endpoint) => self.receive_endpoints.get(&endpoint),
            LinkSource::Ipc | LinkSource::Spy(_) => None,
        }
    }
}

impl ReceiveDestinationRequest {
    fn new(command: &DestinationCommand<'_>) -> Self {
        Self {
            correlation_id: command.correlation_id,
            subscription: command.registration_id,
            channel: command.channel.to_owned(),
        }
    }
}
