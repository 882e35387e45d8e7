//! Adding and removing publications: what both media have in common (`driver.md` §11.7 to §11.11).

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{
    ClientId, CorrelationId, RegistrationId, Rng, SessionId, StreamId, TermId, TermOffset,
};
use crate::command::{AddPublication, ErrorCode, RemovePublication};
use crate::concurrent::EventKind;
use crate::driver::config::DriverConfig;
use crate::driver::failure::CommandFailure;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::params::{EntityTags, PublicationParams, StartPosition, TaggedPublication};
use crate::logbuffer::{LogKind, LogSpec};
use crate::port::{BufferLimits, Network};
use crate::uri::{ChannelUri, params};

use super::Conductor;
use super::commands::{IPC_PREFIX, Progress, unknown};
use super::event_log::{ipc_state_name, network_state_name};
use super::links::PublicationLink;

/// A `response-correlation-id` that is given without naming anything yet.
pub(super) const PROTOTYPE_CORRELATION_ID: i64 = -2;

/// Term length of a publication that only holds the place of responses.
const PROTOTYPE_TERM_LENGTH: i32 = 64 * 1024;

/// An add-publication command.
#[derive(Clone, Debug)]
pub(super) struct PublicationRequest {
    pub(super) client_id: ClientId,
    pub(super) correlation_id: CorrelationId,
    pub(super) stream_id: StreamId,
    pub(super) channel: String,
    pub(super) is_exclusive: bool,
}

/// What an existing publication was made with, as far as another one that wants to share it may
/// insist on the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SharedParams {
    pub(super) session_id: SessionId,
    pub(super) mtu_length: i32,
    pub(super) term_length: i32,
    pub(super) start: StartPosition,
    pub(super) spies_simulate_connection: bool,
    pub(super) entity_tag: Option<i64>,
    pub(super) response_correlation_id: i64,
}

impl SharedParams {
    pub(super) fn new(
        params: &PublicationParams,
        session_id: SessionId,
        start: StartPosition,
    ) -> Self {
        Self {
            session_id,
            mtu_length: params.mtu_length,
            term_length: params.term_length,
            start,
            spies_simulate_connection: params.spies_simulate_connection,
            entity_tag: params.entity_tag,
            response_correlation_id: params.response_correlation_id,
        }
    }

    /// Checks what the URI of another publication says explicitly (`driver.md` §13.4).
    pub(super) fn check(
        &self,
        uri: &ChannelUri,
        wanted: &PublicationParams,
    ) -> Result<(), CommandFailure> {
        let differing = self.differing(wanted);
        let Some((name, wanted, existing)) = differing else {
            return Ok(());
        };
        Err(CommandFailure::generic(format!(
            "existing publication has different '{name}': {existing}, not {wanted}: {uri}"
        )))
    }

    /// The first explicit parameter that differs: its name, the value wanted, and the existing one.
    fn differing(&self, wanted: &PublicationParams) -> Option<(&'static str, i32, i32)> {
        let start = wanted.start.unwrap_or(self.start);
        let session_id = wanted.session_id.unwrap_or(self.session_id);
        let mtu = if wanted.has_mtu_length {
            wanted.mtu_length
        } else {
            self.mtu_length
        };
        let term_length = if wanted.has_term_length {
            wanted.term_length
        } else {
            self.term_length
        };
        let (initial, existing_initial) = (start.initial_term_id, self.start.initial_term_id);
        [
            (params::MTU, mtu, self.mtu_length),
            (params::TERM_LENGTH, term_length, self.term_length),
            (params::SESSION_ID, session_id.get(), self.session_id.get()),
            (
                params::INITIAL_TERM_ID,
                initial.get(),
                existing_initial.get(),
            ),
            (
                params::TERM_ID,
                start.term_id.get(),
                self.start.term_id.get(),
            ),
            (
                params::TERM_OFFSET,
                start.term_offset.get(),
                self.start.term_offset.get(),
            ),
        ]
        .into_iter()
        .find(|(_, wanted, existing)| wanted != existing)
    }

    fn tagged(&self) -> TaggedPublication {
        TaggedPublication {
            session_id: self.session_id,
            mtu_length: self.mtu_length,
            term_length: self.term_length,
        }
    }
}

/// The entity tags of all live publications.
struct LiveTags {
    in_use: BTreeSet<i64>,
    same_medium: BTreeMap<i64, TaggedPublication>,
}

impl EntityTags for LiveTags {
    fn is_in_use(&self, entity_tag: i64) -> bool {
        self.in_use.contains(&entity_tag)
    }

    fn find(&self, entity_tag: i64) -> Option<TaggedPublication> {
        self.same_medium.get(&entity_tag).copied()
    }
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_publication(
        &mut self,
        command: &AddPublication<'_>,
        is_exclusive: bool,
    ) -> Progress {
        // Departs from Aeron, where a second link under one id can only be removed after the first.
        // Ids of well-behaved clients are never the same.
        let id = RegistrationId::from(command.correlation_id);
        if self.publication_links.contains_key(&id) {
            return Err(CommandFailure::generic(format!(
                "a publication with registration id {id} exists"
            )));
        }
        let request = PublicationRequest {
            client_id: command.client_id,
            correlation_id: command.correlation_id,
            stream_id: command.stream_id,
            channel: command.channel.to_owned(),
            is_exclusive,
        };
        if command.channel.starts_with(IPC_PREFIX) {
            self.on_add_ipc_publication(request)
        } else {
            self.on_add_network_publication(request)
        }
    }

    /// Gives up one client's hold on a publication.
    pub(super) fn on_remove_publication(
        &mut self,
        command: &RemovePublication,
    ) -> Result<(), CommandFailure> {
        let id = command.registration_id;
        let link = self.publication_links.get(&id);
        let Some(link) = link
            .filter(|link| link.client_id == command.client_id)
            .cloned()
        else {
            return Err(unknown(ErrorCode::UnknownPublication, "publication", id));
        };
        if command.is_revoke {
            self.revoke_publication(link.publication);
        }
        self.publication_links.remove(&id);
        self.release_publication(link.publication);
        self.ctx.events.operation_success(command.correlation_id);
        Ok(())
    }

    /// Gives up all holds of a client that is gone.
    pub(super) fn release_publications_of(&mut self, client_id: ClientId) {
        let of_client =
            |_: &RegistrationId, link: &mut PublicationLink| link.client_id == client_id;
        let released: Vec<PublicationLink> = self
            .publication_links
            .extract_if(.., of_client)
            .map(|(_, link)| link)
            .collect();
        for link in released {
            self.release_publication(link.publication);
        }
    }

    /// Notes a client's hold on a publication.
    pub(super) fn link_publication(
        &mut self,
        request: &PublicationRequest,
        publication: RegistrationId,
    ) {
        let registration_id = RegistrationId::from(request.correlation_id);
        let client_id = request.client_id;
        let link = PublicationLink {
            client_id,
            publication,
        };
        self.publication_links.insert(registration_id, link);
        if let Some(record) = self.ipc_publications.get_mut(&publication) {
            record.publication.add_reference();
        } else if let Some(publication) = self.network_publications.get_mut(&publication) {
            publication.half.add_reference();
        }
    }

    fn release_publication(&mut self, publication: RegistrationId) {
        if let Some(record) = self.ipc_publications.get_mut(&publication) {
            let before = record.publication.state();
            record.publication.remove_reference();
            let state = record.publication.state();
            if state != before {
                let stream = record.log_values();
                let (kind, name) = (EventKind::PublicationStateChange, ipc_state_name(state));
                self.ctx.log(kind, &stream, name);
            }
        } else if let Some(publication) = self.network_publications.get_mut(&publication) {
            let before = publication.half.state();
            publication.half.remove_reference();
            let state = publication.half.state();
            if state != before {
                let stream = publication.log_values();
                let (kind, name) = (EventKind::PublicationStateChange, network_state_name(state));
                self.ctx.log(kind, &stream, name);
            }
        }
    }

    fn revoke_publication(&self, publication: RegistrationId) {
        if let Some(record) = self.ipc_publications.get(&publication) {
            record.publication.revoke();
        } else if let Some(publication) = self.network_publications.get(&publication) {
            publication.half.revoke();
        }
    }

    /// Reads a publication's parameters.
    pub(super) fn publication_params(
        &self,
        uri: &ChannelUri,
        stream_id: StreamId,
    ) -> Result<PublicationParams, CommandFailure> {
        let ipc = self
            .ipc_publications
            .values()
            .map(|record| &record.shared_params);
        let network = self
            .network_publications
            .values()
            .map(|record| &record.shared_params);
        let tag = |params: &SharedParams| params.entity_tag;
        let tagged = |params: &SharedParams| params.entity_tag.map(|tag| (tag, params.tagged()));
        let tags = LiveTags {
            in_use: ipc
                .clone()
                .filter_map(tag)
                .chain(network.clone().filter_map(tag))
                .collect(),
            same_medium: if uri.is_ipc() {
                ipc.filter_map(tagged).collect()
            } else {
                network.filter_map(tagged).collect()
            },
        };
        let mut params = PublicationParams::parse(uri, stream_id, &tags, &self.ctx.config)?;
        if params.is_response && !params.has_response_correlation_id() {
            return Err(CommandFailure::generic(format!(
                "control-mode=response was specified, but no response-correlation-id set: {uri}"
            )));
        }
        if params.response_correlation_id == PROTOTYPE_CORRELATION_ID {
            make_prototype(&mut params);
        }
        Ok(params)
    }

    /// The session a new publication gets: the one asked for, unless it is in use, or a fresh one.
    pub(super) fn choose_session(
        &mut self,
        wanted: Option<SessionId>,
        stream_id: StreamId,
        medium: &str,
    ) -> Result<SessionId, CommandFailure> {
        let Some(session_id) = wanted else {
            return Ok(self.session_ids.next_on(stream_id, medium));
        };
        if self.session_ids.is_active(session_id, stream_id, medium) {
            return Err(CommandFailure::invalid_channel(format!(
                "existing publication has clashing sessionId={session_id} for \
                 streamId={stream_id} channel={medium}"
            )));
        }
        Ok(session_id)
    }
}

/// Where a publication starts: where its URI says, or at the begin of a random term.
pub(super) fn choose_start(params: &PublicationParams, rng: &mut Rng) -> StartPosition {
    params.start.unwrap_or_else(|| {
        let initial_term_id = TermId(rng.next_i32());
        let term_offset = TermOffset(0);
        StartPosition {
            initial_term_id,
            term_id: initial_term_id,
            term_offset,
        }
    })
}

/// A prototype never carries data: the smallest log will do.
fn make_prototype(params: &mut PublicationParams) {
    params.term_length = PROTOTYPE_TERM_LENGTH;
    params.mtu_length = params.mtu_length.min(PROTOTYPE_TERM_LENGTH / 8);
    params.publication_window = params.publication_window.min(PROTOTYPE_TERM_LENGTH / 2);
}

/// What the log of a publication is created with. `channel` is that of a network publication.
pub(super) fn publication_log_spec(
    request: &PublicationRequest,
    shared: &SharedParams,
    params: &PublicationParams,
    channel: Option<&UdpChannel>,
    limits: BufferLimits,
    config: &DriverConfig,
) -> LogSpec {
    let start = shared.start;
    LogSpec {
        kind: if request.is_exclusive {
            LogKind::Exclusive
        } else {
            LogKind::Concurrent
        },
        correlation_id: request.correlation_id.get(),
        session_id: shared.session_id,
        stream_id: request.stream_id,
        initial_term_id: start.initial_term_id,
        start: Some((start.term_id, start.term_offset)),
        term_length: params.term_length,
        page_size: int(config.file_page_size),
        mtu_length: params.mtu_length,
        publication_window_length: params.publication_window,
        receiver_window_length: 0,
        socket_sndbuf_length: int(channel.map_or(0, UdpChannel::socket_sndbuf_length)),
        os_default_socket_sndbuf_length: int(limits.default_sndbuf),
        os_max_socket_sndbuf_length: int(limits.max_sndbuf),
        socket_rcvbuf_length: int(channel.map_or(0, UdpChannel::socket_rcvbuf_length)),
        os_default_socket_rcvbuf_length: int(limits.default_rcvbuf),
        os_max_socket_rcvbuf_length: int(limits.max_rcvbuf),
        max_resend: int(params.max_resend),
        entity_tag: params.entity_tag.unwrap_or(-1),
        response_correlation_id: params.response_correlation_id,
        linger_timeout_ns: params.linger_timeout_ns,
        untethered_window_limit_timeout_ns: params.untethered.window_limit_ns,
        untethered_linger_timeout_ns: params.untethered.linger_ns,
        untethered_resting_timeout_ns: params.untethered.resting_ns,
        group: channel.is_some_and(UdpChannel::is_group_semantics),
        is_response: params.is_response,
        rejoin: false,
        reliable: false,
        sparse: params.is_sparse,
        signal_eos: params.signal_eos,
        spies_simulate_connection: params.spies_simulate_connection,
        tether: false,
    }
}

/// A length as the 32 bits that the log's metadata has for it.
pub(super) fn int(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}
