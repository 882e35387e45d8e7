//! Adding and removing subscriptions (`driver.md` §11.10, §11.11).

use std::sync::Arc;

use crate::base::{ClientId, CorrelationId, CounterId, RegistrationId, SessionId, StreamId};
use crate::command::{AddSubscription, ErrorCode, RemoveSubscription};
use crate::driver::counters::{StreamCounter, StreamIdentity};
use crate::driver::failure::CommandFailure;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::EndpointId;
use crate::driver::params::{SubscriptionParams, check_network_subscription};
use crate::driver::resources::ResourceTask;
use crate::driver::untethered::LinkId;
use crate::port::Network;
use crate::uri::ChannelUri;

use super::Conductor;
use super::commands::{IPC_PREFIX, Progress, SPY_PREFIX, Step, unknown};
use super::ipc_publications::check_security;
use super::links::{LinkSource, SubscriptionLink};
use super::receive_endpoints::Interest;

/// An add-subscription command.
#[derive(Clone, Debug)]
pub(super) struct SubscriptionRequest {
    pub(super) client_id: ClientId,
    pub(super) correlation_id: CorrelationId,
    pub(super) stream_id: StreamId,
    pub(super) channel: String,
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_subscription(&mut self, command: &AddSubscription<'_>) -> Progress {
        let request = SubscriptionRequest {
            client_id: command.client_id,
            correlation_id: command.correlation_id,
            stream_id: command.stream_id,
            channel: command.channel.to_owned(),
        };
        if command.channel.starts_with(IPC_PREFIX) {
            self.add_ipc_subscription(&request)?;
            return Ok(None);
        }
        let text = request.channel.clone();
        let id = self.ctx.request(ResourceTask::ParseChannel {
            text,
            is_destination: false,
        });
        let step = if command.channel.starts_with(SPY_PREFIX) {
            Step::SpyChannel(request)
        } else {
            Step::SubscriptionChannel(request)
        };
        Ok(Some((id, step)))
    }

    pub(super) fn on_subscription_channel(
        &mut self,
        request: &SubscriptionRequest,
        channel: Box<UdpChannel>,
    ) -> Progress {
        let channel: Arc<UdpChannel> = Arc::from(channel);
        check_network_subscription(&channel)?;
        let params = self.subscription_params(channel.uri())?;
        let existing = self.find_receive_endpoint(&channel)?;
        self.check_receive_channel(existing, &channel)?;
        if let Some(endpoint) = existing {
            self.check_subscription_conflict(endpoint, request.stream_id, &params)?;
        }
        let registration_id = RegistrationId::from(request.correlation_id);
        let endpoint = match existing {
            Some(endpoint) => endpoint,
            None => self.open_receive_endpoint(channel, registration_id)?,
        };
        if let Err(failure) = self.ensure_client(request.client_id) {
            self.close_receive_endpoint_if_unused(endpoint);
            return Err(failure);
        }
        let link = self.add_subscription_link(request, &params, LinkSource::Network(endpoint));
        self.add_interest(endpoint, request.stream_id, interest(&params));
        let status = self
            .receive_endpoints
            .get(&endpoint)
            .map(|record| record.status.id());
        let status = status.unwrap_or(CounterId::NONE);
        self.ctx
            .events
            .subscription_ready(request.correlation_id, status);
        self.link_subscription(link);
        Ok(None)
    }

    pub(super) fn on_spy_channel(
        &mut self,
        request: &SubscriptionRequest,
        channel: Box<UdpChannel>,
    ) -> Progress {
        let params = self.subscription_params(channel.uri())?;
        self.ensure_client(request.client_id)?;
        let source = LinkSource::Spy(Arc::from(channel));
        let link = self.add_subscription_link(request, &params, source);
        self.ctx
            .events
            .subscription_ready(request.correlation_id, CounterId::NONE);
        self.link_subscription(link);
        Ok(None)
    }

    /// Removes all links of a subscription, whoever asks.
    pub(super) fn on_remove_subscription(
        &mut self,
        command: &RemoveSubscription,
    ) -> Result<(), CommandFailure> {
        let id = command.registration_id;
        let of_subscription = |link: &mut SubscriptionLink| link.registration_id == id;
        let removed: Vec<SubscriptionLink> = self
            .subscription_links
            .extract_if(.., of_subscription)
            .collect();
        if removed.is_empty() {
            return Err(unknown(ErrorCode::UnknownSubscription, "subscription", id));
        }
        self.release_subscription_links(removed);
        self.ctx.events.operation_success(command.correlation_id);
        Ok(())
    }

    /// Removes all subscriptions of a client that is gone.
    pub(super) fn release_subscriptions_of(&mut self, client_id: ClientId) {
        let of_client = |link: &mut SubscriptionLink| link.client_id == client_id;
        let removed = self.subscription_links.extract_if(.., of_client).collect();
        self.release_subscription_links(removed);
    }

    /// Frees the positions of links, which are not in the list any more, and gives up what they
    /// wanted of endpoints.
    pub(super) fn release_subscription_links(&mut self, links: Vec<SubscriptionLink>) {
        for link in links {
            self.unlink_subscription(&link);
            self.ctx.free_counters(link.counter);
            if let LinkSource::Network(endpoint) = link.source {
                let interest = match link.session_id {
                    Some(session_id) => Interest::Session(session_id),
                    None if link.is_response => Interest::Response,
                    None => Interest::Stream,
                };
                self.remove_interest(endpoint, link.stream_id, interest);
            }
        }
    }

    /// Reads a subscription's parameters. A response subscription has no session before it is
    /// assigned one.
    pub(super) fn subscription_params(
        &self,
        uri: &ChannelUri,
    ) -> Result<SubscriptionParams, CommandFailure> {
        check_security(uri)?;
        let mut params = SubscriptionParams::parse(uri, &self.ctx.config)?;
        if params.is_response {
            params.session_id = None;
        }
        Ok(params)
    }

    /// Notes a subscription's interest in streams.
    pub(super) fn add_subscription_link(
        &mut self,
        request: &SubscriptionRequest,
        params: &SubscriptionParams,
        source: LinkSource,
    ) -> LinkId {
        let id = self.ctx.next_link_id();
        let counter = self.show_subscription(request, &source);
        self.subscription_links.push(SubscriptionLink {
            id,
            registration_id: RegistrationId::from(request.correlation_id),
            client_id: request.client_id,
            stream_id: request.stream_id,
            channel: request.channel.clone(),
            source,
            counter,
            session_id: params.session_id,
            is_response: params.is_response,
            is_sparse: params.is_sparse,
            is_tether: params.is_tether,
            is_rejoin: params.is_rejoin,
            is_reliable: params.is_reliable,
            group: params.group,
        });
        id
    }

    /// Shows tools a subscription. It works as well where there is no counter left for that.
    fn show_subscription(
        &mut self,
        request: &SubscriptionRequest,
        source: &LinkSource,
    ) -> Option<CounterId> {
        let status = match source {
            LinkSource::Network(endpoint) => {
                let record = self.receive_endpoints.get(endpoint);
                record.map_or(CounterId::NONE, |record| record.status.id())
            }
            LinkSource::Ipc | LinkSource::Spy(_) => CounterId::NONE,
        };
        let identity = StreamIdentity {
            registration_id: RegistrationId::from(request.correlation_id),
            session_id: SessionId(0),
            stream_id: request.stream_id,
            channel: &request.channel,
            client_id: request.client_id,
        };
        let ctx = &mut self.ctx;
        let initial = i64::from(status.get());
        let kind = StreamCounter::Subscription;
        let counter = ctx
            .counters
            .stream(kind, &identity, initial, ctx.tick.epoch);
        counter.ok().map(|counter| counter.id())
    }

    fn add_ipc_subscription(
        &mut self,
        request: &SubscriptionRequest,
    ) -> Result<(), CommandFailure> {
        let uri = ChannelUri::parse(&request.channel)?;
        let params = self.subscription_params(&uri)?;
        self.ensure_client(request.client_id)?;
        let link = self.add_subscription_link(request, &params, LinkSource::Ipc);
        self.ctx
            .events
            .subscription_ready(request.correlation_id, CounterId::NONE);
        self.link_subscription(link);
        Ok(())
    }

    /// Subscriptions of the same specificity to a stream must agree in what the image has once.
    fn check_subscription_conflict(
        &self,
        endpoint: EndpointId,
        stream_id: StreamId,
        params: &SubscriptionParams,
    ) -> Result<(), CommandFailure> {
        let same = self.subscription_links.iter().filter(|link| {
            link.is_on(endpoint)
                && link.stream_id == stream_id
                && link.session_id == params.session_id
        });
        for link in same {
            let existing = SubscriptionParams {
                session_id: link.session_id,
                is_sparse: link.is_sparse,
                is_tether: link.is_tether,
                is_rejoin: link.is_rejoin,
                is_reliable: link.is_reliable,
                is_response: link.is_response,
                group: link.group,
            };
            params.check_conflict(&existing, &link.channel)?;
        }
        Ok(())
    }
}

/// What a subscription with these parameters wants of its endpoint.
const fn interest(params: &SubscriptionParams) -> Interest {
    match params.session_id {
        Some(session_id) => Interest::Session(session_id),
        None if params.is_response => Interest::Response,
        None => Interest::Stream,
    }
}
