//! Links: what a client's registration ids stand for.
//!
//! A publication link is one client's hold on a publication, which may be shared. A subscription
//! link is one subscription's interest in streams of one kind; a multi-destination subscription has
//! several under one registration id. A counter link is a counter that a client allocated.

use std::sync::Arc;

use crate::base::{ClientId, CounterId, RegistrationId, SessionId, StreamId};
use crate::driver::config::GroupConsideration;
use crate::driver::media::udp_channel::UdpChannel;
use crate::driver::messages::EndpointId;
use crate::driver::untethered::LinkId;

/// One client's hold on a publication, kept under the correlation id of the command that made it.
#[derive(Clone, Debug)]
pub(super) struct PublicationLink {
    /// The client.
    pub(super) client_id: ClientId,
    /// Registration id of the publication: that of its first link.
    pub(super) publication: RegistrationId,
}

/// A counter that a client allocated.
#[derive(Clone, Debug)]
pub(super) struct CounterLink {
    /// Correlation id of the command that made it.
    pub(super) registration_id: RegistrationId,
    /// The client.
    pub(super) client_id: ClientId,
    /// The counter.
    pub(super) counter: CounterId,
}

/// Where the streams of a subscription link come from.
#[derive(Clone, Debug)]
pub(super) enum LinkSource {
    /// IPC publications of this driver.
    Ipc,
    /// Network publications of this driver on a channel.
    Spy(Arc<UdpChannel>),
    /// Images of a receive endpoint.
    Network(EndpointId),
}

/// One subscription's interest in streams.
#[derive(Clone, Debug)]
pub(super) struct SubscriptionLink {
    /// Its own name.
    pub(super) id: LinkId,
    /// Correlation id of the command that added the subscription.
    pub(super) registration_id: RegistrationId,
    /// The client.
    pub(super) client_id: ClientId,
    /// The stream.
    pub(super) stream_id: StreamId,
    /// The channel as the client wrote it.
    pub(super) channel: String,
    /// Where its streams come from.
    pub(super) source: LinkSource,
    /// The counter that shows it, if there was room for one.
    pub(super) counter: Option<CounterId>,
    /// The only session it takes; of a response subscription the one that was assigned.
    pub(super) session_id: Option<SessionId>,
    /// Whether it waits for a response stream.
    pub(super) is_response: bool,
    /// Whether images of it get sparse log files.
    pub(super) is_sparse: bool,
    /// Whether it holds back flow control however far it falls behind.
    pub(super) is_tether: bool,
    /// Whether it joins again what it lost.
    pub(super) is_rejoin: bool,
    /// Whether lost data is asked for again.
    pub(super) is_reliable: bool,
    /// Whether to treat its streams as multicast.
    pub(super) group: GroupConsideration,
}

impl SubscriptionLink {
    /// Whether the link takes this session. A response link takes none before one is assigned.
    pub(super) fn accepts_session(&self, session_id: SessionId) -> bool {
        self.session_id
            .map_or(!self.is_response, |wanted| wanted == session_id)
    }

    /// Whether an IPC publication is one of its streams.
    pub(super) fn matches_ipc(&self, stream_id: StreamId, session_id: SessionId) -> bool {
        matches!(self.source, LinkSource::Ipc)
            && self.stream_id == stream_id
            && self.accepts_session(session_id)
    }

    /// Whether an image of `endpoint` is one of its streams.
    pub(super) fn matches_image(
        &self,
        endpoint: EndpointId,
        stream_id: StreamId,
        session_id: SessionId,
    ) -> bool {
        self.is_on(endpoint) && self.stream_id == stream_id && self.accepts_session(session_id)
    }

    /// Whether it spies on a network publication of `channel`. An equal tag suffices; otherwise the
    /// channels must be the same one and the session wanted.
    pub(super) fn matches_spied(
        &self,
        channel: &UdpChannel,
        stream_id: StreamId,
        session_id: SessionId,
    ) -> bool {
        let LinkSource::Spy(spied) = &self.source else {
            return false;
        };
        if self.stream_id != stream_id {
            return false;
        }
        let is_same_tag = spied.tag().is_some() && spied.tag() == channel.tag();
        is_same_tag
            || (self.accepts_session(session_id)
                && spied.canonical_form() == channel.canonical_form())
    }

    /// Whether its streams come from this receive endpoint.
    pub(super) fn is_on(&self, endpoint: EndpointId) -> bool {
        matches!(self.source, LinkSource::Network(id) if id == endpoint)
    }
}
