//! Adding IPC publications, and acting on what becomes of them (`driver.md` §11.9, §12).

use crate::base::{CounterId, NULL_VALUE, Position, ReceiverId, RegistrationId};
use crate::cnc::SystemCounter;
use crate::command::{ErrorCode, PublicationError, PublicationReady};
use crate::concurrent::{AtomicCounter, EventKind};
use crate::driver::counters::{StreamCounter, StreamIdentity};
use crate::driver::failure::CommandFailure;
use crate::driver::params::PublicationParams;
use crate::driver::publication::ipc::{IpcEffect, IpcPublication, IpcPublicationParams, IpcState};
use crate::driver::resources::{CreatedLog, ResourceTask};
use crate::driver::session_ids::IPC_MEDIUM;
use crate::logbuffer::{LogFileKind, LogName};
use crate::port::Network;
use crate::uri::{ChannelUri, params};

use super::Conductor;
use super::commands::{Progress, Step};
use super::event_log::ipc_state_name;
use super::linking::Stream;
use super::links::LinkSource;
use super::publications::{PublicationRequest, SharedParams, choose_start, publication_log_spec};

/// An IPC publication and what the conductor needs to know of it besides.
#[derive(Debug)]
pub(super) struct IpcRecord {
    pub(super) publication: IpcPublication,
    pub(super) shared_params: SharedParams,
}

impl IpcRecord {
    /// Its ids, as events have them.
    pub(super) fn log_values(&self) -> [i64; 3] {
        let params = self.publication.params();
        [
            params.registration_id.get(),
            i64::from(params.session_id.get()),
            i64::from(params.stream_id.get()),
        ]
    }

    /// The log, to be freed.
    pub(super) fn into_log(self) -> CreatedLog {
        let params = self.publication.into_params();
        CreatedLog {
            log: params.log,
            path: params.path,
        }
    }
}

/// An IPC publication that waits for its log.
#[derive(Debug)]
pub(super) struct NewIpcPublication {
    request: PublicationRequest,
    params: PublicationParams,
    shared_params: SharedParams,
}

impl<N: Network> Conductor<N> {
    pub(super) fn on_add_ipc_publication(&mut self, request: PublicationRequest) -> Progress {
        let uri = ChannelUri::parse(&request.channel)?;
        check_security(&uri)?;
        let params = self.publication_params(&uri, request.stream_id)?;
        if let Some(publication) = self.find_shareable_ipc(&request, &params) {
            if let Some(record) = self.ipc_publications.get(&publication) {
                record.shared_params.check(&uri, &params)?;
            }
            self.ensure_client(request.client_id)?;
            self.link_publication(&request, publication);
            self.announce_ipc_publication(&request, publication);
            return Ok(None);
        }
        let session_id = self.choose_session(params.session_id, request.stream_id, IPC_MEDIUM)?;
        let start = choose_start(&params, &mut self.rng);
        let shared_params = SharedParams::new(&params, session_id, start);
        let limits = self.network.buffer_limits();
        let config = &self.ctx.config;
        let spec = publication_log_spec(&request, &shared_params, &params, None, limits, config);
        let name = LogName {
            kind: LogFileKind::Publication,
            id: request.correlation_id.get(),
        };
        let id = self.ctx.request(ResourceTask::CreateLog {
            name,
            spec: Box::new(spec),
        });
        let new = NewIpcPublication {
            request,
            params,
            shared_params,
        };
        Ok(Some((id, Step::IpcPublicationLog(Box::new(new)))))
    }

    pub(super) fn on_ipc_publication_log(
        &mut self,
        new: NewIpcPublication,
        log: CreatedLog,
    ) -> Progress {
        let NewIpcPublication {
            request,
            params,
            shared_params,
        } = new;
        let registration_id = RegistrationId::from(request.correlation_id);
        let counters = match self.allocate_ipc_counters(&request, &shared_params) {
            Ok(counters) => counters,
            Err(failure) => {
                self.ctx.free_log(log);
                return Err(failure);
            }
        };
        if let Err(failure) = self.ensure_client(request.client_id) {
            self.ctx
                .free_counters(counters.iter().map(AtomicCounter::id));
            self.ctx.free_log(log);
            return Err(failure);
        }
        let [publisher_position, publisher_limit] = counters;
        let start = shared_params.start;
        let start = log
            .log
            .geometry()
            .position(start.term_id, start.term_offset);
        let config = &self.ctx.config;
        let publication = IpcPublication::new(
            IpcPublicationParams {
                registration_id,
                session_id: shared_params.session_id,
                stream_id: request.stream_id,
                is_exclusive: request.is_exclusive,
                log: log.log,
                path: log.path,
                start,
                publisher_position,
                publisher_limit,
                window: params.publication_window,
                untethered: params.untethered,
                unblock_timeout_ns: config.publication_unblock_timeout_ns,
                cool_down_ns: config.image_liveness_timeout_ns,
            },
            self.ctx.tick.now,
        );
        self.session_ids
            .activate(shared_params.session_id, request.stream_id, IPC_MEDIUM);
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
        self.ipc_publications.insert(
            registration_id,
            IpcRecord {
                publication,
                shared_params,
            },
        );
        self.assign_ipc_response(&shared_params);
        self.link_publication(&request, registration_id);
        self.announce_ipc_publication(&request, registration_id);
        self.link_subscriptions_to(Stream::Ipc(registration_id));
        Ok(None)
    }

    /// A subscriber rejected the stream of an IPC publication. Returns whether there is such a
    /// publication.
    pub(super) fn reject_ipc_publication(&mut self, id: RegistrationId, reason: &[u8]) -> bool {
        let Some(record) = self.ipc_publications.get_mut(&id) else {
            return false;
        };
        let params = record.publication.params();
        let (session_id, stream_id) = (params.session_id, params.stream_id);
        // As when a receiver's error frame arrives.
        self.ctx.record(&CommandFailure::new(
            ErrorCode::ImageRejected,
            format!(
                "subscriber of session {session_id} stream {stream_id} reports: {}",
                String::from_utf8_lossy(reason)
            ),
        ));
        self.ctx.events.publication_error(PublicationError {
            registration_id: id,
            destination_registration_id: RegistrationId(NULL_VALUE),
            session_id,
            stream_id,
            receiver_id: ReceiverId(NULL_VALUE),
            group_tag: NULL_VALUE,
            source: Some(([127, 0, 0, 1], 0).into()),
            code: ErrorCode::ImageRejected,
            message: reason,
        });
        let mut effects = Vec::new();
        record.publication.reject(self.ctx.tick.now, &mut effects);
        self.apply_ipc_effects(id, effects);
        true
    }

    /// Timer: moves all IPC publications through their states and removes those that are done.
    pub(super) fn check_ipc_publications(&mut self) {
        let ids: Vec<RegistrationId> = self.ipc_publications.keys().copied().collect();
        for id in ids {
            let Some(record) = self.ipc_publications.get_mut(&id) else {
                continue;
            };
            let mut effects = Vec::new();
            let before = record.publication.state();
            record.publication.on_timer(self.ctx.tick.now, &mut effects);
            let (state, stream) = (record.publication.state(), record.log_values());
            if state != before {
                let name = ipc_state_name(state);
                self.ctx
                    .log(EventKind::PublicationStateChange, &stream, name);
            }
            let is_done = record.publication.state() == IpcState::Done;
            self.apply_ipc_effects(id, effects);
            if is_done && let Some(record) = self.ipc_publications.remove(&id) {
                self.ctx
                    .log(EventKind::RemovePublicationCleanup, &stream, "");
                let params = record.publication.params();
                let counters = [params.publisher_position.id(), params.publisher_limit.id()];
                self.ctx.free_counters(counters);
                self.ctx.free_log(record.into_log());
            }
        }
    }

    fn apply_ipc_effects(&mut self, id: RegistrationId, effects: Vec<IpcEffect>) {
        for effect in effects {
            match effect {
                IpcEffect::ReleaseSession => self.release_ipc_session(id),
                IpcEffect::UnavailableToAll => self.announce_unavailable(Stream::Ipc(id)),
                IpcEffect::Untethered(event) => self.on_untethered(Stream::Ipc(id), event),
                IpcEffect::CountRevoked => {
                    self.ctx.count(SystemCounter::PublicationsRevoked);
                    self.log_ipc(EventKind::PublicationRevoked, id);
                }
                IpcEffect::CountUnblocked => {
                    self.ctx.count(SystemCounter::UnblockedPublications);
                    self.log_ipc(EventKind::PublicationUnblocked, id);
                }
                IpcEffect::Relink => self.link_subscriptions_to(Stream::Ipc(id)),
                IpcEffect::FreeCounters(counters) => self.ctx.free_counters(counters),
                IpcEffect::Unlinked { links, counters } => {
                    self.announce_unlinked(Stream::Ipc(id), &links);
                    self.ctx.free_counters(counters);
                }
            }
        }
    }

    fn log_ipc(&self, kind: EventKind, id: RegistrationId) {
        if let Some(record) = self.ipc_publications.get(&id) {
            self.ctx.log(kind, &record.log_values(), "");
        }
    }

    fn release_ipc_session(&mut self, id: RegistrationId) {
        if let Some(record) = self.ipc_publications.get(&id) {
            let params = record.publication.params();
            self.session_ids
                .release(params.session_id, params.stream_id, IPC_MEDIUM);
        }
    }

    fn find_shareable_ipc(
        &self,
        request: &PublicationRequest,
        params: &PublicationParams,
    ) -> Option<RegistrationId> {
        if request.is_exclusive {
            return None;
        }
        let found = self.ipc_publications.iter().find(|(_, record)| {
            let existing = record.publication.params();
            existing.stream_id == request.stream_id
                && !existing.is_exclusive
                && record.publication.state() == IpcState::Active
                && record.shared_params.response_correlation_id == params.response_correlation_id
        });
        found.map(|(id, _)| *id)
    }

    fn allocate_ipc_counters(
        &mut self,
        request: &PublicationRequest,
        shared_params: &SharedParams,
    ) -> Result<[AtomicCounter; 2], CommandFailure> {
        let stream = StreamIdentity {
            registration_id: RegistrationId::from(request.correlation_id),
            session_id: shared_params.session_id,
            stream_id: request.stream_id,
            channel: &request.channel,
            client_id: request.client_id,
        };
        let epoch = self.ctx.tick.epoch;
        let counters = &mut self.ctx.counters;
        let initial = Position::ZERO.get();
        let kind = StreamCounter::publisher_position(request.is_exclusive);
        let position = counters.stream(kind, &stream, initial, epoch)?;
        match counters.stream(StreamCounter::PublisherLimit, &stream, initial, epoch) {
            Ok(limit) => Ok([position, limit]),
            Err(full) => {
                counters.free(position.id(), epoch);
                Err(full.into())
            }
        }
    }

    fn announce_ipc_publication(
        &mut self,
        request: &PublicationRequest,
        publication: RegistrationId,
    ) {
        let Some(record) = self.ipc_publications.get(&publication) else {
            return;
        };
        let params = record.publication.params();
        let ready = PublicationReady {
            correlation_id: request.correlation_id,
            registration_id: publication,
            session_id: params.session_id,
            stream_id: params.stream_id,
            publication_limit_counter_id: params.publisher_limit.id(),
            channel_status_counter_id: CounterId::NONE,
            log_file_name: &params.path,
        };
        self.ctx
            .events
            .publication_ready(request.is_exclusive, ready);
    }

    /// The new publication responds to a request whose publication names the subscription that
    /// awaits the responses: that subscription takes the new session (`driver.md` §12.4).
    fn assign_ipc_response(&mut self, new: &SharedParams) {
        let request = RegistrationId(new.response_correlation_id);
        let Some(record) = self.ipc_publications.get(&request) else {
            return;
        };
        let subscription = RegistrationId(record.shared_params.response_correlation_id);
        let waiting = self.subscription_links.iter_mut().find(|link| {
            link.is_response
                && matches!(link.source, LinkSource::Ipc)
                && link.registration_id == subscription
        });
        if let Some(link) = waiting {
            link.session_id = Some(new.session_id);
        }
    }
}

/// Transport security is not part of this driver.
pub(super) fn check_security(uri: &ChannelUri) -> Result<(), CommandFailure> {
    if uri.bool(params::TRANSPORT_SECURITY)? == Some(true) {
        let text = format!("ats=true: transport security is not supported: {uri}");
        return Err(CommandFailure::new(ErrorCode::NotSupported, text));
    }
    Ok(())
}
