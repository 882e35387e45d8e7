//! Adding network publications, and acting on what becomes of them (`driver.md` §11.8, §5.2).

use std::sync::Arc;

use crate::base::{CorrelationId, CounterId, RegistrationId};
use crate::cnc::SystemCounter;
use crate::command::PublicationReady;
use crate::concurrent::EventKind;
use crate::driver::config::DriverConfig;
use crate::driver::failure::CommandFailure;
use crate::driver::flow_control::FlowControlSpec;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::{EndpointId, SenderMessage};
use crate::driver::params::{PublicationParams, check_network_publication};
use crate::driver::publication::network::{ConductorHalf, NetworkEffect, NetworkState, SenderHalf};
use crate::driver::resources::{CreatedLog, ResourceTask};
use crate::logbuffer::{LogFileKind, LogName};
use crate::port::Network;
use crate::uri::params;

use super::Conductor;
use super::commands::{Progress, Step};
use super::event_log::network_state_name;
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
    pub(super) medium: String,
}

impl NetworkPublication {
    /// Its ids, as events have them.
    pub(super) fn log_values(&self) -> [i64; 3] {
        [
            self.half.registration_id().get(),
            i64::from(self.half.session_id().get()),
            i64::from(self.half.stream_id().get()),
        ]
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
    pub(super) request: PublicationRequest,
    pub(super) channel: Arc<UdpChannel>,
    pub(super) params: PublicationParams,
    pub(super) shared_params: SharedParams,
    pub(super) flow_control: FlowControlSpec,
    pub(super) medium: String,
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
            let stream = publication.log_values();
            self.ctx
                .log(EventKind::RemovePublicationCleanup, &stream, "");
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
            let before = publication.half.state();
            publication.half.on_timer(self.ctx.tick.now, &mut effects);
            let (state, stream) = (publication.half.state(), publication.log_values());
            if state != before {
                let name = network_state_name(state);
                self.ctx
                    .log(EventKind::PublicationStateChange, &stream, name);
            }
            self.log_effects(&stream, &effects);
            for effect in effects {
                self.apply_network_effect(id, effect);
            }
        }
    }

    fn log_effects(&self, stream: &[i64; 3], effects: &[NetworkEffect]) {
        for effect in effects {
            match effect {
                NetworkEffect::CountRevoked => {
                    self.ctx.log(EventKind::PublicationRevoked, stream, "");
                }
                NetworkEffect::CountUnblocked => {
                    self.ctx.log(EventKind::PublicationUnblocked, stream, "");
                }
                NetworkEffect::SpiesUnlinked { .. }
                | NetworkEffect::Untethered(_)
                | NetworkEffect::Release => {}
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
    pub(super) fn check_response(
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

    pub(super) fn announce_network_publication(
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
