//! Making network publications of their logs: endpoint, counters, halves (`driver.md` §11.8).

use std::sync::Arc;

use crate::base::{CorrelationId, Position, RegistrationId};
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::config::StreamProfile;
use crate::driver::counters::{StreamCounter, StreamIdentity};
use crate::driver::failure::CommandFailure;
use crate::driver::flow_control::FlowControl;
use crate::driver::messages::{EndpointId, SenderMessage};
use crate::driver::publication::network::{
    self, LimiterCounters, NetworkPublicationParams, PublicationCounters,
};
use crate::driver::resources::CreatedLog;
use crate::driver::retransmit::{ResendQueue, RetransmitHandler, RetransmitParams};
use crate::port::Network;

use super::Conductor;
use super::linking::Stream;
use super::network_publications::{NetworkPublication, NewNetworkPublication};

impl<N: Network> Conductor<N> {
    pub(super) fn create_network_publication(
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
        let (half, mut sender_half) = match built {
            Ok(halves) => halves,
            Err(failure) => {
                self.close_send_endpoint_if_unused(endpoint);
                return Err(failure);
            }
        };
        sender_half.log_to(&self.ctx.logs.sender);
        self.ctx.log(
            EventKind::PublicationCreated,
            &[
                registration_id.get(),
                i64::from(shared_params.session_id.get()),
                i64::from(request.stream_id.get()),
                i64::from(params.term_length),
                i64::from(params.mtu_length),
            ],
            &request.channel,
        );
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
                limiter: Some(LimiterCounters {
                    receiver: allocate(StreamCounter::LimitingReceiver, &stream, 0)?,
                    window: allocate(StreamCounter::ReceiverWindow, &stream, 0)?,
                }),
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
        let retransmit_params = RetransmitParams {
            term_length: params.term_length,
            mtu_length: params.mtu_length,
            is_group,
            max_resend: params.max_resend,
            delay_ns: config.retransmit_unicast_delay_ns,
            linger_ns: config.retransmit_unicast_linger_ns,
            window_multiple: new.flow_control.retransmit_windows,
        };
        let retransmit = RetransmitHandler::new(&retransmit_params);
        let resend_queue = (config.loss_recovery && !is_group)
            .then(|| ResendQueue::new(&retransmit_params, self.ctx.tick.now));
        let profile = StreamProfile {
            channel: &request.channel,
            stream_id: request.stream_id,
            session_id: shared_params.session_id,
            term_length: params.term_length,
            mtu_length: params.mtu_length,
            window_length: params.publication_window,
        };
        let flow_control = config.suppliers.flow_control(&profile).map_or_else(
            || {
                let receivers = counters.flow_control_receivers.clone();
                new.flow_control.build(receivers)
            },
            FlowControl::Custom,
        );
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
            resend_queue,
            mtu_length: params.mtu_length,
            messages_per_send_max: config.network_publication_max_messages_per_send,
            sends_bursts: config.socket_gso,
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
