//! What each event of the driver means to this client.

use std::sync::{Arc, Weak};

use super::ClientConductor;
use crate::base::bytes::read_i32;
use crate::base::{CorrelationId, CounterId, NULL_VALUE, RegistrationId};
use crate::client::core::Core;
use crate::client::counter::CounterShared;
use crate::client::image::{Image, ImageParams};
use crate::client::publication::{PublicationParams, PublicationShared};
use crate::client::registrations::{Awaited, Waiting};
use crate::client::{
    AddError, ClientError, Counter, CounterEvent, ExclusivePublication, Publication,
    PublicationErrorFrame, RegistrationError, Subscription,
};
use crate::command::{
    AvailableImage, ErrorCode, ErrorResponse, Event, MessageFault, PublicationError,
    PublicationReady, SubscriptionReady,
};

/// Offset of the error code in `ON_ERROR`.
const ERROR_CODE_OFFSET: usize = 8;

impl ClientConductor {
    pub(super) fn dispatch(&mut self, type_id: i32, payload: &[u8]) {
        let event = match Event::decode(type_id, payload) {
            Ok(event) => event,
            // Of a driver newer than this client.
            Err(MessageFault::UnknownType) => return,
            Err(_) => {
                return self
                    .handlers
                    .report(&ClientError::MalformedEvent { type_id });
            }
        };
        let Some(core) = self.core.upgrade() else {
            return;
        };
        match event {
            Event::Error(error) => {
                let raw_code = read_i32(payload, ERROR_CODE_OFFSET);
                self.on_error(&error, raw_code.unwrap_or(error.code.to_wire()));
            }
            Event::PublicationReady(ready) | Event::ExclusivePublicationReady(ready) => {
                self.on_publication_ready(&core, &ready);
            }
            Event::SubscriptionReady(ready) => self.on_subscription_ready(ready),
            Event::AvailableImage(image) => self.on_available_image(&core, &image),
            Event::UnavailableImage(image) => {
                self.on_unavailable_image(image.subscription_registration_id, image.correlation_id);
            }
            Event::OperationSuccess(success) => self.on_operation_success(success.correlation_id),
            Event::CounterReady(ready) => {
                self.on_counter_ready(&core, ready.correlation_id, ready.counter_id);
            }
            Event::StaticCounter(ready) => {
                self.on_static_counter(&core, ready.correlation_id, ready.counter_id);
            }
            Event::UnavailableCounter(gone) => {
                self.on_unavailable_counter(gone.registration_id, gone.counter_id);
            }
            Event::PublicationError(error) => self.on_publication_error(&error),
            Event::NextAvailableSessionId(next) => {
                if self.answered(next.correlation_id).is_some() {
                    self.finish(next.correlation_id, next.next_session_id);
                }
            }
            Event::ClientTimeout(timeout) => {
                if timeout.client_id == self.proxy.client_id() {
                    self.terminate(ClientError::ClientTimeout(timeout.client_id));
                }
            }
        }
    }

    /// The command that a success answers, if anybody waits for it; else what it announces is
    /// removed again.
    fn answered(&mut self, id: CorrelationId) -> Option<Waiting> {
        let waiting = self.registrations.answered(id)?;
        if waiting.is_abandoned {
            self.undo(&waiting, id);
            return None;
        }
        Some(waiting)
    }

    fn on_error(&mut self, error: &ErrorResponse<'_>, raw_code: i32) {
        let id = error.correlation_id;
        let message = String::from_utf8_lossy(error.message).into_owned();
        if error.code == ErrorCode::ChannelEndpointError {
            return self.on_channel_endpoint_error(id, &message);
        }
        let failure = RegistrationError {
            correlation_id: id,
            code: error.code,
            raw_code,
            message,
        };
        if self.registrations.removal_answered(id) {
            self.handlers.report(&ClientError::Registration(failure));
        } else if let Some(waiting) = self.registrations.answered(id)
            && !waiting.is_abandoned
        {
            self.registrations
                .finish(id, Err(AddError::Registration(failure)));
        }
    }

    /// The id of such an error is that of a channel status counter.
    fn on_channel_endpoint_error(&self, id: CorrelationId, message: &str) {
        let is_of = |counter: CounterId| i64::from(counter.get()) == id.get();
        let publications = self.publications.values().filter_map(Weak::upgrade);
        let publications = publications
            .filter(|publication| is_of(publication.params().channel_status_id))
            .map(|publication| publication.params().registration_id);
        let subscriptions = self.subscriptions.values().filter_map(Weak::upgrade);
        let subscriptions = subscriptions
            .filter(|subscription| is_of(subscription.channel_status_id()))
            .map(|subscription| subscription.registration_id());
        let message = message.to_owned();
        for registration_id in publications.chain(subscriptions) {
            let message = message.clone();
            self.handlers.report(&ClientError::ChannelEndpoint {
                registration_id,
                message,
            });
        }
    }

    fn on_publication_ready(&mut self, core: &Arc<Core>, ready: &PublicationReady<'_>) {
        let id = ready.correlation_id;
        let Some(waiting) = self.answered(id) else {
            return;
        };
        let Awaited::Publication {
            channel,
            is_exclusive,
        } = &waiting.awaited
        else {
            return;
        };
        match self.make_publication(core, ready, channel.clone()) {
            Ok(shared) => {
                let registration_id = id.into();
                let weak = Arc::downgrade(&shared);
                if *is_exclusive {
                    match ExclusivePublication::new(shared) {
                        Ok(publication) => self.finish(id, publication),
                        Err(source) => {
                            let path = ready.log_file_name.to_owned();
                            let error = AddError::Log {
                                path,
                                source: Arc::new(source),
                            };
                            return self.registrations.finish(id, Err(error));
                        }
                    }
                } else {
                    self.finish(id, Publication::new(shared));
                }
                self.publications.insert(registration_id, weak);
            }
            Err(error) => {
                self.undo(&waiting, id);
                self.registrations.finish(id, Err(error));
            }
        }
    }

    fn make_publication(
        &mut self,
        core: &Arc<Core>,
        ready: &PublicationReady<'_>,
        channel: String,
    ) -> Result<Arc<PublicationShared>, AddError> {
        let path = ready.log_file_name;
        let limit_id = ready.publication_limit_counter_id;
        let limit = self.counters.counter(limit_id);
        let limit = limit.ok_or(AddError::UnknownCounter(limit_id.get()))?;
        let log = self
            .logs
            .open(ready.registration_id, path)
            .map_err(|source| AddError::Log {
                path: path.to_owned(),
                source: Arc::new(source),
            })?;
        Ok(PublicationShared::new(PublicationParams {
            core: Arc::clone(core),
            log,
            limit,
            channel,
            registration_id: ready.correlation_id.into(),
            original_registration_id: ready.registration_id,
            channel_status_id: ready.channel_status_counter_id,
        }))
    }

    fn on_subscription_ready(&mut self, ready: SubscriptionReady) {
        let id = ready.correlation_id;
        let Some(waiting) = self.answered(id) else {
            return;
        };
        let Awaited::Subscription(shared) = waiting.awaited else {
            return;
        };
        shared.set_channel_status_id(ready.channel_status_counter_id);
        self.subscriptions
            .insert(id.into(), Arc::downgrade(&shared));
        self.finish(id, Subscription::new(shared));
    }

    fn on_available_image(&mut self, core: &Arc<Core>, event: &AvailableImage<'_>) {
        let id = event.subscription_registration_id;
        let Some(subscription) = self.subscriptions.get(&id).and_then(Weak::upgrade) else {
            return;
        };
        let path = event.log_file_name;
        let no_image = |source| ClientError::ImageLog {
            subscription: id,
            path: path.to_owned(),
            source,
        };
        let position_id = event.subscriber_position_counter_id;
        let Some(position) = self.counters.counter(position_id) else {
            let source = Arc::new(AddError::UnknownCounter(position_id.get()));
            return self.handlers.report(&no_image(source));
        };
        let log = match self.logs.open(event.correlation_id.into(), path) {
            Ok(log) => log,
            Err(source) => return self.handlers.report(&no_image(Arc::new(source))),
        };
        let image = Image::new(ImageParams {
            core: Arc::downgrade(core),
            log,
            log_path: path.to_owned(),
            position,
            correlation_id: event.correlation_id,
            subscription: id,
            session_id: event.session_id,
            source_identity: event.source_identity.to_owned(),
            is_spy: subscription.is_spy(),
        });
        if subscription.add_image(&image)
            && let Some(handler) = subscription.on_available()
        {
            self.handlers.run("available image", || handler(&image));
        }
    }

    fn on_unavailable_image(&mut self, subscription: RegistrationId, image: CorrelationId) {
        let subscription = self
            .subscriptions
            .get(&subscription)
            .and_then(Weak::upgrade);
        let Some(subscription) = subscription else {
            return;
        };
        if let Some(image) = subscription.remove_image(image) {
            let deadline = self.now.plus_ns(self.resource_linger_ns);
            self.logs.linger(image.lease(), deadline);
            self.handlers
                .image_is_unavailable(subscription.on_unavailable(), &image);
        }
    }

    fn on_operation_success(&mut self, id: CorrelationId) {
        if self.registrations.removal_answered(id) {
            return;
        }
        let Some(waiting) = self.answered(id) else {
            return;
        };
        match waiting.awaited {
            Awaited::SendDestination { .. } | Awaited::ReceiveDestination { .. } => {
                self.finish(id, RegistrationId::from(id));
            }
            Awaited::Acknowledgement => self.finish(id, ()),
            // Not an answer to these commands.
            Awaited::Publication { .. }
            | Awaited::Subscription(_)
            | Awaited::Counter
            | Awaited::StaticCounter { .. }
            | Awaited::NextSessionId => {}
        }
    }

    fn on_counter_ready(&mut self, core: &Arc<Core>, id: CorrelationId, counter: CounterId) {
        if self.answered(id).is_some() {
            self.make_counter(core, id, counter, id.into(), false);
        }
        self.handlers.counter_is_available(&CounterEvent {
            counters: &self.counters,
            registration_id: id.into(),
            counter_id: counter,
        });
    }

    fn on_static_counter(&mut self, core: &Arc<Core>, id: CorrelationId, counter: CounterId) {
        let Some(waiting) = self.answered(id) else {
            return;
        };
        let Awaited::StaticCounter { registration_id } = waiting.awaited else {
            return;
        };
        self.make_counter(core, id, counter, registration_id, true);
    }

    fn make_counter(
        &mut self,
        core: &Arc<Core>,
        id: CorrelationId,
        counter_id: CounterId,
        registration_id: RegistrationId,
        is_static: bool,
    ) {
        let Some(counter) = self.counters.counter(counter_id) else {
            let error = AddError::UnknownCounter(counter_id.get());
            return self.registrations.finish(id, Err(error));
        };
        let shared = CounterShared::new(Arc::clone(core), counter, registration_id, is_static);
        if !is_static {
            self.own_counters
                .insert(registration_id, Arc::downgrade(&shared));
        }
        self.finish(id, Counter::new(shared));
    }

    fn on_unavailable_counter(&mut self, registration_id: RegistrationId, counter_id: CounterId) {
        // Its place in the file may be another's soon. One with another id is not what is gone.
        let own = self.own_counters.get(&registration_id);
        match own.map(Weak::upgrade) {
            Some(Some(counter)) if counter.counter_id() == counter_id => {
                self.own_counters.remove(&registration_id);
                counter.force_close();
            }
            Some(None) => {
                self.own_counters.remove(&registration_id);
            }
            Some(Some(_)) | None => {}
        }
        self.handlers.counter_is_unavailable(&CounterEvent {
            counters: &self.counters,
            registration_id,
            counter_id,
        });
    }

    fn on_publication_error(&self, error: &PublicationError<'_>) {
        let Some(handler) = &self.handlers.publication_error else {
            return;
        };
        let known = |id: i64| (id != NULL_VALUE).then_some(id);
        let frame = PublicationErrorFrame {
            registration_id: error.registration_id,
            destination_registration_id: known(error.destination_registration_id.get())
                .map(RegistrationId),
            session_id: error.session_id,
            stream_id: error.stream_id,
            receiver_id: error.receiver_id,
            group_tag: known(error.group_tag),
            source: error.source,
            code: error.code,
            message: String::from_utf8_lossy(error.message).into_owned(),
        };
        let is_it = |publication: &Arc<PublicationShared>| {
            publication.params().original_registration_id == error.registration_id
        };
        for _ in self
            .publications
            .values()
            .filter_map(Weak::upgrade)
            .filter(is_it)
        {
            self.handlers.run("publication error", || handler(&frame));
        }
    }
}
