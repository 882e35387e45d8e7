//! Adding network publications, and acting on what becomes of them (`driver.md` §11.8, §5.2).

use std::sync::Arc;

use crate::base::{CorrelationId, CounterId, Position, RegistrationId};
use crate::cnc::SystemCounter;
use crate::command::PublicationReady;
use crate::concurrent::AtomicCounter;
use crate::driver::config::DriverConfig;
use crate::driver::counters::{StreamCounter, StreamIdentity};
use crate::driver::failure::CommandFailure;
use crate::driver::flow_control::FlowControlSpec;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{EndpointId, SenderMessage};
use crate::driver::params::{PublicationParams, check_network_publication};
use crate::driver::publication::network::{
    self, ConductorHalf, NetworkEffect, NetworkPublicationParams, NetworkState,
    PublicationCounters, SenderHalf,
};
use crate::driver::resources::{CreatedLog, ResourceTask};
use crate::driver::retransmit::{RetransmitHandler, RetransmitParams};
use crate::logbuffer::{LogFileKind, LogName};
use crate::port::Network;
use crate::uri::params;

use super::Conductor;
use super::commands::{Progress, Step};
use super::linking::Stream;
use super::links::LinkSource;
use super::publications::{
    PROTOTYPE_CORRELATION_ID, PublicationRequest, SharedParams, choose_start, publication_log_spec,
};

/// A network publication and what the conductor needs to know of it besides.
#[derive(Debug)]
pub(super) struct NetworkPublication {
    pub(super) half: ConductorHalf,
    pub(super) shared_params: SharedParams,
    /// Path of its log as announced to clients.
    pub(super) path: String,
    /// Canonical form of the channel its session is active on.
    medium: String,
}

impl NetworkPublication {
    /// Duty cycle: returns how much was done.
    pub(super) fn update_limit(&mut self) -> usize {
        usize::from(self.half.update_limit())
    }

    /// The log, to be freed.
    pub(super) fn into_log(self) -> CreatedLog {
        CreatedLog {
            log: self.half.log().clone(),
            path: self.path,
        }
    }
}

/// A network publication that waits for its log.
#[derive(Debug)]
pub(super) struct NewNetworkPublication {
    request: PublicationRequest,
    channel: Arc<UdpChannel>,
    params: PublicationParams,
    shared_params: SharedParams,
    flow_control: FlowControlSpec,
    medium: String,
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_network_publication(&mut self, request: PublicationRequest) -> Progress {
        let text = request.channel.clone();
        let id = self.ctx.request(ResourceTask::ParseChannel {
            text,
            is_destination: false,
        });
        Ok(Some((id, Step::PublicationChannel(request))))
    }

    pub(super) fn on_publication_channel(
        &mut self,
        request: PublicationRequest,
        channel: Box<UdpChannel>,
    ) -> Progress {
        let channel: Arc<UdpChannel> = Arc::from(channel);
        let params = self.publication_params(channel.uri(), request.stream_id)?;
        check_network_publication(&channel)?;
        self.check_response(&channel, &params)?;
        let endpoint = self.find_send_endpoint(&channel)?;
        self.check_send_channel(endpoint, &channel, params.mtu_length)?;
        let existing = endpoint.and_then(|id| self.send_endpoints.get(&id));
        let endpoint_channel = existing.map_or(&channel, |record| &record.channel);
        let endpoint_channel = Arc::clone(endpoint_channel);
        let flow_control = flow_control_spec(&channel, &endpoint_channel, &self.ctx.config)?;
        if let Some(shareable) = self.find_shareable_network(&request, &params, endpoint) {
            self.share_network_publication(&request, &channel, &params, shareable)?;
            return Ok(None);
        }
        let medium = endpoint_channel.canonical_form().to_owned();
        let session_id = self.choose_session(params.session_id, request.stream_id, &medium)?;
        let start = choose_start(&params, &mut self.rng);
        let shared_params = SharedParams::new(&params, session_id, start);
        let spec = publication_log_spec(
            &request,
            &shared_params,
            &params,
            Some(&endpoint_channel),
            self.network.buffer_limits(),
            &self.ctx.config,
        );
        let name = LogName {
            kind: LogFileKind::Publication,
            id: request.correlation_id.get(),
        };
        let id = self.ctx.request(ResourceTask::CreateLog {
            name,
            spec: Box::new(spec),
        });
        let new = NewNetworkPublication {
            request,
            channel,
            params,
            shared_params,
            flow_control,
            medium,
        };
        Ok(Some((id, Step::PublicationLog(Box::new(new)))))
    }

    pub(super) fn on_publication_log(
        &mut self,
        new: NewNetworkPublication,
        log: CreatedLog,
    ) -> Progress {
        match self.create_network_publication(&new, &log) {
            Ok(()) => Ok(None),
            Err(failure) => {
                self.ctx.free_log(log);
                Err(failure)
            }
        }
    }

    /// The sender gave its half back: nothing uses the publication any more.
    pub(super) fn on_publication_released(&mut self, half: SenderHalf) {
        let id = half.registration_id();
        drop(half);
        if let Some(publication) = self.network_publications.remove(&id) {
            self.ctx.free_counters(publication.half.counters().ids());
            self.ctx.free_log(publication.into_log());
        }
    }

    /// Timer: moves all network publications through their states.
    pub(super) fn check_network_publications(&mut self) {
        let ids: Vec<RegistrationId> = self.network_publications.keys().copied().collect();
        for id in ids {
            let Some(publication) = self.network_publications.get_mut(&id) else {
                continue;
            };
            let mut effects = Vec::new();
            publication.half.on_timer(self.ctx.tick.now, &mut effects);
            for effect in effects {
                self.apply_network_effect(id, effect);
            }
        }
    }

    fn apply_network_effect(&mut self, id: RegistrationId, effect: NetworkEffect) {
        match effect {
            NetworkEffect::SpiesUnlinked { links, counters } => {
                self.announce_unlinked(Stream::Spied(id), &links);
                self.ctx.free_counters(counters);
            }
            NetworkEffect::Untethered(event) => self.on_untethered(Stream::Spied(id), event),
            NetworkEffect::CountRevoked => self.ctx.count(SystemCounter::PublicationsRevoked),
            NetworkEffect::CountUnblocked => self.ctx.count(SystemCounter::UnblockedPublications),
            NetworkEffect::Release => {
                let Some(publication) = self.network_publications.get(&id) else {
                    return;
                };
                let half = &publication.half;
                let (session_id, stream_id) = (half.session_id(), half.stream_id());
                self.session_ids
                    .release(session_id, stream_id, &publication.medium);
                let endpoint = half.endpoint();
                self.ctx.sender.send(SenderMessage::RemovePublication(id));
                self.release_send_endpoint(endpoint);
            }
        }
    }

    /// Checks what a channel says about responses: the publication is one to an image that asked
    /// for it, or awaits responses on a subscription that exists.
    fn check_response(
        &self,
        channel: &UdpChannel,
        params: &PublicationParams,
    ) -> Result<(), CommandFailure> {
        let id = params.response_correlation_id;
        if params.is_response {
            if id == PROTOTYPE_CORRELATION_ID {
                return Ok(());
            }
            let text = channel.original_text();
            let image = self.images.get(&CorrelationId(id));
            let Some(image) = image.filter(|image| image.half.is_available()) else {
                let text = format!("image.correlationId={id} not found: {text}");
                return Err(CommandFailure::generic(text));
            };
            if !image.half.wants_response() {
                return Err(CommandFailure::generic(format!(
                    "image.correlationId={id} did not request a response channel: {text}"
                )));
            }
            return Ok(());
        }
        if !params.has_response_correlation_id() {
            return Ok(());
        }
        let is_known = self.subscription_links.iter().any(|link| {
            link.registration_id.get() == id && matches!(link.source, LinkSource::Network(_))
        });
        if is_known {
            return Ok(());
        }
        Err(CommandFailure::generic(format!(
            "unable to find response subscription for response-correlation-id={id}: {}",
            channel.original_text()
        )))
    }

    fn find_shareable_network(
        &self,
        request: &PublicationRequest,
        params: &PublicationParams,
        endpoint: Option<EndpointId>,
    ) -> Option<RegistrationId> {
        let endpoint = endpoint?;
        if request.is_exclusive {
            return None;
        }
        let found = self.network_publications.iter().find(|(_, publication)| {
            let half = &publication.half;
            half.endpoint() == endpoint
                && half.stream_id() == request.stream_id
                && half.state() == NetworkState::Active
                && !half.is_exclusive()
                && publication.shared_params.response_correlation_id
                    == params.response_correlation_id
        });
        found.map(|(id, _)| *id)
    }

    fn share_network_publication(
        &mut self,
        request: &PublicationRequest,
        channel: &UdpChannel,
        params: &PublicationParams,
        publication: RegistrationId,
    ) -> Result<(), CommandFailure> {
        if let Some(existing) = self.network_publications.get(&publication) {
            existing.shared_params.check(channel.uri(), params)?;
            let ssc = existing.shared_params.spies_simulate_connection;
            if ssc != params.spies_simulate_connection {
                return Err(CommandFailure::generic(format!(
                    "existing publication has different '{}': {ssc}: {}",
                    params::SPIES_SIMULATE_CONNECTION,
                    channel.original_text()
                )));
            }
        }
        self.ensure_client(request.client_id)?;
        self.link_publication(request, publication);
        self.announce_network_publication(request, publication);
        Ok(())
    }

    fn create_network_publication(
        &mut self,
        new: &NewNetworkPublication,
        log: &CreatedLog,
    ) -> Result<(), CommandFailure> {
        let NewNetworkPublication {
            request,
            channel,
            params,
            shared_params,
            medium,
            ..
        } = new;
        // What the channel says may have stopped being true while the log was created.
        self.check_response(channel, params)?;
        let registration_id = RegistrationId::from(request.correlation_id);
        let endpoint = match self.find_send_endpoint(channel)? {
            Some(endpoint) => endpoint,
            None => self.open_send_endpoint(Arc::clone(channel), registration_id)?,
        };
        let built = self.ensure_client(request.client_id).and_then(|()| {
            let counters = self.allocate_network_counters(new, endpoint, log)?;
            Ok(network::build(
                self.network_params(new, endpoint, log, counters),
            ))
        });
        let (half, sender_half) = match built {
            Ok(halves) => halves,
            Err(failure) => {
                self.close_send_endpoint_if_unused(endpoint);
                return Err(failure);
            }
        };
        self.retain_send_endpoint(endpoint);
        self.session_ids
            .activate(shared_params.session_id, request.stream_id, medium);
        let publication = NetworkPublication {
            half,
            shared_params: *shared_params,
            path: log.path.clone(),
            medium: medium.clone(),
        };
        self.network_publications
            .insert(registration_id, publication);
        self.ctx
            .sender
            .send(SenderMessage::AddPublication(Box::new(sender_half)));
        self.link_publication(request, registration_id);
        self.announce_network_publication(request, registration_id);
        self.link_subscriptions_to(Stream::Spied(registration_id));
        if params.is_response {
            let image = self
                .images
                .get_mut(&CorrelationId(params.response_correlation_id));
            if let Some(image) = image {
                image
                    .half
                    .set_response_session_id(Some(shared_params.session_id));
            }
        }
        Ok(())
    }

    fn announce_network_publication(
        &mut self,
        request: &PublicationRequest,
        publication: RegistrationId,
    ) {
        let Some(publication) = self.network_publications.get(&publication) else {
            return;
        };
        let half = &publication.half;
        let endpoint = self.send_endpoints.get(&half.endpoint());
        let ready = PublicationReady {
            correlation_id: request.correlation_id,
            registration_id: half.registration_id(),
            session_id: half.session_id(),
            stream_id: half.stream_id(),
            publication_limit_counter_id: half.counters().publisher_limit.id(),
            channel_status_counter_id: endpoint
                .map_or(CounterId::NONE, |endpoint| endpoint.status.id()),
            log_file_name: &publication.path,
        };
        self.ctx
            .events
            .publication_ready(request.is_exclusive, ready);
    }

    /// Allocates all counters of a publication, or none.
    fn allocate_network_counters(
        &mut self,
        new: &NewNetworkPublication,
        endpoint: EndpointId,
        log: &CreatedLog,
    ) -> Result<PublicationCounters, CommandFailure> {
        let request = &new.request;
        let record = self.send_endpoints.get(&endpoint);
        let endpoint_channel = record.map_or_else(
            || new.channel.original_text().to_owned(),
            |record| record.channel.original_text().to_owned(),
        );
        let stream = StreamIdentity {
            registration_id: RegistrationId::from(request.correlation_id),
            session_id: new.shared_params.session_id,
            stream_id: request.stream_id,
            channel: &request.channel,
            client_id: request.client_id,
        };
        let position = start_position(new, log).get();
        let mut allocated = Vec::new();
        let ctx = &mut self.ctx;
        let mut allocate = |kind, stream: &StreamIdentity<'_>, initial| {
            let counter = ctx.counters.stream(kind, stream, initial, ctx.tick.epoch)?;
            allocated.push(counter.id());
            Ok::<AtomicCounter, CommandFailure>(counter)
        };
        let counters = (|| {
            let flow_control_receivers = if new.flow_control.has_receiver_counter() {
                let stream = StreamIdentity {
                    channel: &endpoint_channel,
                    ..stream
                };
                Some(allocate(StreamCounter::FlowControlReceivers, &stream, 0)?)
            } else {
                None
            };
            let pub_pos = StreamCounter::publisher_position(request.is_exclusive);
            Ok(PublicationCounters {
                publisher_position: allocate(pub_pos, &stream, position)?,
                publisher_limit: allocate(StreamCounter::PublisherLimit, &stream, position)?,
                sender_position: allocate(StreamCounter::SenderPosition, &stream, position)?,
                sender_limit: allocate(StreamCounter::SenderLimit, &stream, position)?,
                sender_back_pressure_events: allocate(
                    StreamCounter::SenderBackPressure,
                    &stream,
                    0,
                )?,
                sender_naks_received: allocate(StreamCounter::SenderNaksReceived, &stream, 0)?,
                flow_control_receivers,
            })
        })();
        if counters.is_err() {
            self.ctx.free_counters(allocated);
        }
        counters
    }

    fn network_params(
        &self,
        new: &NewNetworkPublication,
        endpoint: EndpointId,
        log: &CreatedLog,
        counters: PublicationCounters,
    ) -> NetworkPublicationParams {
        let NewNetworkPublication {
            request,
            channel,
            params,
            shared_params,
            ..
        } = new;
        let config = &self.ctx.config;
        let record = self.send_endpoints.get(&endpoint);
        let channel = record.map_or(channel.as_ref(), |record| record.channel.as_ref());
        let is_group = channel.is_group_semantics();
        let retransmit = RetransmitHandler::new(&RetransmitParams {
            term_length: params.term_length,
            is_group,
            max_resend: params.max_resend,
            delay_ns: config.retransmit_unicast_delay_ns,
            linger_ns: config.retransmit_unicast_linger_ns,
            window_multiple: new.flow_control.retransmit_windows,
        });
        let flow_control = new
            .flow_control
            .build(counters.flow_control_receivers.clone());
        let response = params.has_response_correlation_id();
        NetworkPublicationParams {
            registration_id: RegistrationId::from(request.correlation_id),
            session_id: shared_params.session_id,
            stream_id: request.stream_id,
            endpoint,
            log: log.log.clone(),
            counters,
            position: start_position(new, log),
            flow_control,
            retransmit,
            mtu_length: params.mtu_length,
            messages_per_send_max: config.network_publication_max_messages_per_send,
            publication_window: params.publication_window,
            is_exclusive: request.is_exclusive,
            is_response: params.is_response,
            response_correlation_id: response
                .then_some(CorrelationId(params.response_correlation_id)),
            signal_eos: params.signal_eos,
            spies_simulate_connection: params.spies_simulate_connection,
            is_multicast: channel.is_multicast(),
            is_multi_destination: channel.is_multi_destination(),
            ttl: if channel.is_multicast() {
                channel.ttl()
            } else {
                0
            },
            linger_timeout_ns: params.linger_timeout_ns,
            unblock_timeout_ns: config.publication_unblock_timeout_ns,
            connection_timeout_ns: config.publication_connection_timeout_ns,
            untethered: params.untethered,
            now: self.ctx.tick.now,
        }
    }
}

fn start_position(new: &NewNetworkPublication, log: &CreatedLog) -> Position {
    let start = new.shared_params.start;
    log.log
        .geometry()
        .position(start.term_id, start.term_offset)
}

/// Flow control as the publication's channel asks for it, of the kind that the endpoint's channel
/// needs: the former may be no more than a reference to the latter.
fn flow_control_spec(
    channel: &UdpChannel,
    endpoint_channel: &UdpChannel,
    config: &DriverConfig,
) -> Result<FlowControlSpec, CommandFailure> {
    let parameter = channel.uri().get(params::FLOW_CONTROL);
    let spec = if endpoint_channel.is_group_semantics() {
        FlowControlSpec::group(parameter, config)
    } else {
        FlowControlSpec::unicast(parameter, config)
    };
    spec.map_err(|error| CommandFailure::invalid_channel(error.to_string()))
}
