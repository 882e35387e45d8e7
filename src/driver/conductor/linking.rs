//! Which subscription reads which stream, and what clients are told about it.
//!
//! A stream is an IPC publication, a network publication that is spied on, or an image. Its
//! subscribers, one per link, are in its [`SubscriberPositions`]; the conductor keeps no second
//! list of what is linked. A subscriber's counter stands at the join position before anything is
//! told.
//!
//! [`SubscriberPositions`]: crate::driver::untethered::SubscriberPositions

use crate::base::{CorrelationId, CounterId, Position, RegistrationId, SessionId, StreamId};
use crate::command::AvailableImage;
use crate::concurrent::EventKind;
use crate::driver::counters::StreamIdentity;
use crate::driver::failure::CommandFailure;
use crate::driver::untethered::{LinkId, SubscriberPosition, SubscriberPositions, UntetheredEvent};
use crate::port::Network;

use super::Conductor;
use super::events::IPC_SOURCE_IDENTITY;
use super::links::{LinkSource, SubscriptionLink};

/// Something that subscriptions read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// An IPC publication.
    Ipc(RegistrationId),
    /// A network publication, read by spies.
    Spied(RegistrationId),
    /// An image.
    Image(CorrelationId),
}

/// What clients are told about a stream, and what decides who may read it.
struct StreamFace<'a> {
    correlation_id: CorrelationId,
    session_id: SessionId,
    stream_id: StreamId,
    log_file_name: &'a str,
    source_identity: &'a str,
    subscribers: &'a SubscriberPositions,
    join_position: Position,
    is_accepting: bool,
}

impl<N: Network> Conductor<N> {
    /// Links all subscriptions that match a stream and are not linked to it yet.
    pub(super) fn link_subscriptions_to(&mut self, stream: Stream) {
        let links: Vec<LinkId> = self
            .subscription_links
            .iter()
            .filter(|link| self.can_link(link, stream))
            .map(|link| link.id)
            .collect();
        for link in links {
            self.link_and_announce(link, stream);
        }
    }

    /// Links a subscription to all streams that match it.
    pub(super) fn link_subscription(&mut self, id: LinkId) {
        let Some(link) = self.subscription_links.iter().find(|link| link.id == id) else {
            return;
        };
        let streams: Vec<Stream> = match link.source {
            LinkSource::Ipc => self
                .ipc_publications
                .keys()
                .copied()
                .map(Stream::Ipc)
                .collect(),
            LinkSource::Spy(_) => self
                .network_publications
                .keys()
                .copied()
                .map(Stream::Spied)
                .collect(),
            LinkSource::Network(_) => self.images.keys().copied().map(Stream::Image).collect(),
        };
        for stream in streams {
            let link = self.subscription_links.iter().find(|link| link.id == id);
            if link.is_some_and(|link| self.can_link(link, stream)) {
                self.link_and_announce(id, stream);
            }
        }
    }

    /// Unlinks a subscription from everything it reads and frees its positions.
    pub(super) fn unlink_subscription(&mut self, link: &SubscriptionLink) {
        let (id, stream_id) = (link.id, link.stream_id);
        // Only streams of its own kind and id can be what it reads.
        let counters: Vec<CounterId> = match link.source {
            LinkSource::Ipc => {
                let streams = self.ipc_publications.values_mut();
                let streams = streams.map(|record| &mut record.publication);
                let own = streams.filter(|stream| stream.params().stream_id == stream_id);
                let linked = own.filter(|stream| stream.subscribers().is_linked(id));
                linked
                    .filter_map(|stream| stream.remove_subscriber(id))
                    .collect()
            }
            LinkSource::Spy(_) => {
                let streams = self.network_publications.values_mut();
                let own = streams.map(|record| &mut record.half);
                let own = own.filter(|half| half.stream_id() == stream_id);
                let linked = own.filter(|half| half.spies().is_linked(id));
                linked.filter_map(|half| half.remove_spy(id)).collect()
            }
            LinkSource::Network(_) => {
                let streams = self.images.values_mut();
                let own = streams.map(|image| &mut image.half);
                let own = own.filter(|half| half.stream_id() == stream_id);
                let linked = own.filter(|half| half.subscribers().is_linked(id));
                linked
                    .filter_map(|half| half.remove_subscriber(id))
                    .collect()
            }
        };
        self.ctx.free_counters(counters);
    }

    /// Tells all subscribers of a stream that it is unavailable.
    pub(super) fn announce_unavailable(&mut self, stream: Stream) {
        let Some(face) = self.face(stream) else {
            return;
        };
        let links: Vec<(LinkId, RegistrationId)> = face.subscribers.links().collect();
        self.announce_unlinked(stream, &links);
    }

    /// Tells these subscribers of a stream that it is unavailable.
    pub(super) fn announce_unlinked(&mut self, stream: Stream, links: &[(LinkId, RegistrationId)]) {
        let Some(face) = self.face(stream) else {
            return;
        };
        let (correlation_id, stream_id) = (face.correlation_id, face.stream_id);
        for (link, subscription) in links {
            let found = self
                .subscription_links
                .iter()
                .find(|other| other.id == *link);
            let channel = found.map_or("", |link| link.channel.as_str());
            self.ctx
                .events
                .unavailable_image(correlation_id, *subscription, stream_id, channel);
        }
    }

    /// Tells a client what became of its untethered subscriber.
    pub(super) fn on_untethered(&mut self, stream: Stream, event: UntetheredEvent) {
        self.log_untethered(stream, &event);
        match event {
            UntetheredEvent::Unavailable { link, subscription } => {
                self.announce_unlinked(stream, &[(link, subscription)]);
            }
            UntetheredEvent::Available {
                subscription,
                counter,
                ..
            } => {
                self.announce_available(stream, subscription, counter);
            }
            UntetheredEvent::Closed { counter, .. } => self.ctx.free_counters([counter]),
        }
    }

    fn log_untethered(&self, stream: Stream, event: &UntetheredEvent) {
        let (subscription, change) = match event {
            UntetheredEvent::Unavailable { subscription, .. } => (subscription, "ACTIVE -> LINGER"),
            UntetheredEvent::Available { subscription, .. } => (subscription, "RESTING -> ACTIVE"),
            // It was LINGER before, of which the subscription was told.
            UntetheredEvent::Closed { .. } => return,
        };
        let identity = match stream {
            Stream::Ipc(id) => self.ipc_publications.get(&id).map(|record| {
                let params = record.publication.params();
                (params.session_id, params.stream_id)
            }),
            Stream::Spied(id) => {
                let publication = self.network_publications.get(&id);
                publication.map(|p| (p.half.session_id(), p.half.stream_id()))
            }
            Stream::Image(id) => {
                let image = self.images.get(&id);
                image.map(|image| (image.half.session_id(), image.half.stream_id()))
            }
        };
        let Some((session_id, stream_id)) = identity else {
            return;
        };
        let (session, stream) = (i64::from(session_id.get()), i64::from(stream_id.get()));
        self.ctx.log(
            EventKind::UntetheredSubscriptionStateChange,
            &[subscription.get(), session, stream],
            change,
        );
    }

    /// Allocates a position for a link in a stream, at the stream's join position.
    pub(super) fn allocate_position(
        &mut self,
        link: &SubscriptionLink,
        image: CorrelationId,
        session_id: SessionId,
        join: Position,
    ) -> Result<SubscriberPosition, CommandFailure> {
        let identity = StreamIdentity {
            registration_id: link.registration_id,
            session_id,
            stream_id: link.stream_id,
            channel: &link.channel,
            client_id: link.client_id,
        };
        let ctx = &mut self.ctx;
        let counter = ctx
            .counters
            .subscriber_position(&identity, image, join, ctx.tick.epoch)?;
        Ok(SubscriberPosition {
            link: link.id,
            subscription: link.registration_id,
            counter,
            tether: link.is_tether,
            rejoin: link.is_rejoin,
        })
    }

    /// Tells a client that its subscription reads a stream.
    pub(super) fn announce_available(
        &mut self,
        stream: Stream,
        subscription: RegistrationId,
        counter: CounterId,
    ) {
        // `face` borrows all of the conductor, so what it shows is copied before the events are
        // borrowed.
        let Some(face) = self.face(stream) else {
            return;
        };
        let (log_file_name, source_identity) = (
            face.log_file_name.to_owned(),
            face.source_identity.to_owned(),
        );
        let (correlation_id, session_id, stream_id) =
            (face.correlation_id, face.session_id, face.stream_id);
        self.ctx.events.available_image(AvailableImage {
            correlation_id,
            session_id,
            stream_id,
            subscription_registration_id: subscription,
            subscriber_position_counter_id: counter,
            log_file_name: &log_file_name,
            source_identity: &source_identity,
        });
    }

    /// A client cannot be told that a link failed after its subscription was answered, so that is
    /// only recorded.
    fn link_and_announce(&mut self, id: LinkId, stream: Stream) {
        let link = self
            .subscription_links
            .iter()
            .find(|link| link.id == id)
            .cloned();
        let (Some(link), Some(face)) = (link, self.face(stream)) else {
            return;
        };
        let (image, session_id, join) = (face.correlation_id, face.session_id, face.join_position);
        match self.allocate_position(&link, image, session_id, join) {
            Ok(position) => {
                let counter = position.counter.id();
                self.add_subscriber(stream, position);
                self.announce_available(stream, link.registration_id, counter);
            }
            Err(failure) => self.ctx.record(&failure),
        }
    }

    fn add_subscriber(&mut self, stream: Stream, position: SubscriberPosition) {
        let now = self.ctx.tick.now;
        match stream {
            Stream::Ipc(id) => {
                if let Some(record) = self.ipc_publications.get_mut(&id) {
                    record.publication.add_subscriber(position, now);
                }
            }
            Stream::Spied(id) => {
                if let Some(publication) = self.network_publications.get_mut(&id) {
                    publication.half.add_spy(position, now);
                }
            }
            Stream::Image(id) => {
                if let Some(image) = self.images.get_mut(&id) {
                    image.half.add_subscriber(position, now);
                }
            }
        }
    }

    fn can_link(&self, link: &SubscriptionLink, stream: Stream) -> bool {
        self.matches(link, stream)
            && self
                .face(stream)
                .is_some_and(|face| face.is_accepting && !face.subscribers.is_linked(link.id))
    }

    fn matches(&self, link: &SubscriptionLink, stream: Stream) -> bool {
        match stream {
            Stream::Ipc(id) => self.ipc_publications.get(&id).is_some_and(|record| {
                let params = record.publication.params();
                link.matches_ipc(params.stream_id, params.session_id)
            }),
            Stream::Spied(id) => self
                .network_publications
                .get(&id)
                .is_some_and(|publication| {
                    let half = &publication.half;
                    let endpoint = self.send_endpoints.get(&half.endpoint());
                    endpoint.is_some_and(|endpoint| {
                        link.matches_spied(&endpoint.channel, half.stream_id(), half.session_id())
                    })
                }),
            Stream::Image(id) => self.images.get(&id).is_some_and(|image| {
                let half = &image.half;
                link.matches_image(half.endpoint(), half.stream_id(), half.session_id())
            }),
        }
    }

    fn face(&self, stream: Stream) -> Option<StreamFace<'_>> {
        Some(match stream {
            Stream::Ipc(id) => {
                let publication = &self.ipc_publications.get(&id)?.publication;
                let params = publication.params();
                StreamFace {
                    correlation_id: params.registration_id.into(),
                    session_id: params.session_id,
                    stream_id: params.stream_id,
                    log_file_name: &params.path,
                    source_identity: IPC_SOURCE_IDENTITY,
                    subscribers: publication.subscribers(),
                    join_position: publication.join_position(),
                    is_accepting: publication.is_accepting_subscriptions(),
                }
            }
            Stream::Spied(id) => {
                let publication = self.network_publications.get(&id)?;
                let half = &publication.half;
                StreamFace {
                    correlation_id: half.registration_id().into(),
                    session_id: half.session_id(),
                    stream_id: half.stream_id(),
                    log_file_name: &publication.path,
                    source_identity: IPC_SOURCE_IDENTITY,
                    subscribers: half.spies(),
                    join_position: half.join_position(),
                    is_accepting: half.is_accepting_subscriptions(),
                }
            }
            Stream::Image(id) => {
                let image = self.images.get(&id)?;
                let half = &image.half;
                StreamFace {
                    correlation_id: half.correlation_id(),
                    session_id: half.session_id(),
                    stream_id: half.stream_id(),
                    log_file_name: &image.path,
                    source_identity: half.source_identity(),
                    subscribers: half.subscribers(),
                    join_position: half.join_position(),
                    is_accepting: half.is_accepting_subscriptions(),
                }
            }
        })
    }
}
