//! What the agents tell each other: plain data, moved through bounded queues.
//!
//! Ownership moves with the message. An endpoint is opened by the conductor, owned by the sender or
//! receiver while it is in use, and comes back in a `…Closed` message, so that the conductor closes
//! the socket and frees the counters. The sending and receiving halves of publications and images
//! travel the same way.
//!
//! A producer never waits for a consumer: what a full queue refuses stays in the producer's
//! [`Outbox`] and goes out in a later duty cycle. So no threading mode can deadlock, not even the
//! ones in which both ends of a queue run on one thread.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::base::{
    CorrelationId, Position, ReceiverId, RegistrationId, SessionId, StreamId, TermId, TermOffset,
};
use crate::concurrent::{AtomicCounter, BoundedQueue};
use crate::driver::image;
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, ReceiveTransport};
use crate::driver::media::send_endpoint::SendEndpoint;
use crate::driver::publication::network;

/// Entries each queue between two agents holds.
pub(crate) const QUEUE_CAPACITY: usize = 1024;

/// Nanoseconds that an agent rests at most to which nothing can come but what wakes it.
pub(crate) const REST_NS: i64 = 50_000_000;

/// The producing end of a queue between agents.
///
/// [`Outbox::send`] always succeeds. Messages keep their order. What the queue refuses is kept here;
/// the owner calls [`Outbox::flush`] at the top of each duty cycle, and takes on no new work that
/// would send more while [`Outbox::is_full`], which bounds the backlog by the work of one cycle.
pub(crate) struct Outbox<M> {
    queue: BoundedQueue<M>,
    backlog: VecDeque<M>,
    failed_offers: AtomicCounter,
}

impl<M> Outbox<M> {
    /// An outbox in front of `queue` that counts refusals in `failed_offers`.
    pub(crate) const fn new(queue: BoundedQueue<M>, failed_offers: AtomicCounter) -> Self {
        Self {
            queue,
            backlog: VecDeque::new(),
            failed_offers,
        }
    }

    /// Sends now if the queue has room, otherwise as soon as it has.
    pub(crate) fn send(&mut self, message: M) {
        if !self.backlog.is_empty() {
            self.backlog.push_back(message);
            return;
        }
        if let Err(refused) = self.queue.push(message) {
            self.failed_offers.add(1);
            self.backlog.push_back(refused);
        }
    }

    /// Sends what was refused earlier, as far as there is room. Returns how many messages went.
    #[inline]
    pub(crate) fn flush(&mut self) -> usize {
        if self.backlog.is_empty() {
            return 0;
        }
        self.flush_backlog()
    }

    #[cold]
    fn flush_backlog(&mut self) -> usize {
        let mut sent = 0;
        while let Some(message) = self.backlog.pop_front() {
            if let Err(refused) = self.queue.push(message) {
                self.failed_offers.add(1);
                self.backlog.push_front(refused);
                break;
            }
            sent += 1;
        }
        sent
    }

    /// Takes back what was refused and has not been sent since.
    pub(crate) fn take_backlog(&mut self) -> VecDeque<M> {
        std::mem::take(&mut self.backlog)
    }

    /// Whether a message waits for room in the queue.
    pub(crate) fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Whether the next message would have to wait.
    pub(crate) fn is_full(&self) -> bool {
        !self.backlog.is_empty() || self.queue.is_full()
    }
}

/// Names a channel endpoint, send or receive; never reused while the driver lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct EndpointId(pub(crate) u32);

/// A destination of a manual multi-destination publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Correlation id of the command that added it.
    pub(crate) registration_id: RegistrationId,
    /// The destination's channel as the client wrote it.
    pub(crate) uri_text: String,
    /// Value of its `endpoint` parameter: the key of a later re-resolution.
    pub(crate) endpoint_text: String,
    /// Where to send; absent while the name does not resolve.
    pub(crate) address: Option<SocketAddr>,
}

/// From the conductor to the sender.
pub(crate) enum SenderMessage<T> {
    /// Take over an open endpoint.
    AddEndpoint(Box<SendEndpoint<T>>),
    /// Hand an endpoint back.
    RemoveEndpoint(EndpointId),
    /// Start sending a publication; its endpoint was added before.
    AddPublication(Box<network::SenderHalf>),
    /// Stop sending a publication and hand its half back.
    RemovePublication(RegistrationId),
    /// Add a destination to a manual multi-destination endpoint.
    AddDestination {
        /// The endpoint.
        endpoint: EndpointId,
        /// What to add.
        destination: Destination,
    },
    /// Remove one destination with this address.
    RemoveDestination {
        /// The endpoint.
        endpoint: EndpointId,
        /// Resolved address to remove.
        address: SocketAddr,
    },
    /// Remove the destination that was added under this id.
    RemoveDestinationById {
        /// The endpoint.
        endpoint: EndpointId,
        /// Correlation id of the command that added the destination.
        registration_id: RegistrationId,
    },
    /// A name resolved to another address.
    ResolutionChange {
        /// The endpoint.
        endpoint: EndpointId,
        /// The `endpoint` text that was resolved again.
        endpoint_text: String,
        /// Its address now.
        address: SocketAddr,
    },
}

/// From the conductor to the receiver.
pub(crate) enum ReceiverMessage<T> {
    /// Take over an open endpoint.
    AddEndpoint(Box<ReceiveEndpoint<T>>),
    /// Hand an endpoint back.
    RemoveEndpoint(EndpointId),
    /// A stream (or one session of it) is wanted.
    AddSubscription {
        /// The endpoint.
        endpoint: EndpointId,
        /// The stream.
        stream_id: StreamId,
        /// The only session wanted, or all.
        session_id: Option<SessionId>,
    },
    /// A stream (or one session of it) is not wanted any more.
    RemoveSubscription {
        /// The endpoint.
        endpoint: EndpointId,
        /// The stream.
        stream_id: StreamId,
        /// The session that was asked for, or all.
        session_id: Option<SessionId>,
    },
    /// Elicit a SETUP of a session from the endpoint's explicit control address.
    RequestSetup {
        /// The endpoint.
        endpoint: EndpointId,
        /// The stream.
        stream_id: StreamId,
        /// The session.
        session_id: SessionId,
    },
    /// Start receiving into an image.
    AddImage(Box<image::ReceiverHalf>),
    /// Stop receiving into an image and hand its half back.
    RemoveImage {
        /// The image.
        image: CorrelationId,
    },
    /// The session of an image that is gone may be joined again.
    RemoveCoolDown {
        /// The endpoint.
        endpoint: EndpointId,
        /// The session.
        session_id: SessionId,
        /// The stream.
        stream_id: StreamId,
        /// The image.
        image: CorrelationId,
    },
    /// No image came of the session's SETUP.
    RemoveInitInProgress {
        /// The endpoint.
        endpoint: EndpointId,
        /// The session.
        session_id: SessionId,
        /// The stream.
        stream_id: StreamId,
    },
    /// Add a transport to a multi-destination endpoint.
    AddDestination {
        /// The endpoint.
        endpoint: EndpointId,
        /// Slot chosen by the conductor: the lowest one free.
        index: usize,
        /// The open transport.
        transport: Box<ReceiveTransport<T>>,
    },
    /// Hand the transport in this slot back.
    RemoveDestination {
        /// The endpoint.
        endpoint: EndpointId,
        /// The slot.
        index: usize,
    },
    /// The name of an explicit control address resolved to another address.
    ResolutionChange {
        /// The endpoint.
        endpoint: EndpointId,
        /// Slot of the transport.
        index: usize,
        /// The control address now.
        address: SocketAddr,
    },
    /// Ignore an image's packets from now on and tell its sender why.
    RejectImage {
        /// The image.
        image: CorrelationId,
        /// The consumer's position, for information.
        position: Position,
        /// Why; at most 1023 bytes.
        reason: String,
    },
}

/// From the sender and the receiver to the conductor.
pub(crate) enum ConductorMessage<T> {
    /// A SETUP arrived for a session that is wanted and has no image yet.
    CreateImage(Box<ImageRequest>),
    /// Answers [`SenderMessage::RemoveEndpoint`].
    SendEndpointClosed(Box<SendEndpoint<T>>),
    /// Answers [`ReceiverMessage::RemoveEndpoint`].
    ReceiveEndpointClosed(Box<ReceiveEndpoint<T>>),
    /// Answers [`ReceiverMessage::RemoveDestination`].
    ReceiveDestinationClosed {
        /// The endpoint.
        endpoint: EndpointId,
        /// The slot it had.
        index: usize,
        /// The transport, to be closed.
        transport: Box<ReceiveTransport<T>>,
    },
    /// Answers [`SenderMessage::RemovePublication`].
    PublicationReleased(Box<network::SenderHalf>),
    /// Answers [`ReceiverMessage::RemoveImage`].
    ImageReleased(Box<image::ReceiverHalf>),
    /// A destination or an explicit endpoint has been silent: look its name up again.
    ReResolveEndpoint {
        /// The send endpoint.
        endpoint: EndpointId,
        /// Text to resolve.
        endpoint_text: String,
        /// Its address so far; absent if it never resolved.
        address: Option<SocketAddr>,
    },
    /// An explicit control address has been silent: look its name up again.
    ReResolveControl {
        /// The receive endpoint.
        endpoint: EndpointId,
        /// Slot of the transport.
        index: usize,
        /// Text to resolve.
        control_text: String,
        /// Its address so far.
        address: SocketAddr,
    },
    /// A responder told a publication which session answers it.
    ResponseSetup {
        /// The publication's response correlation id: the requester's subscription.
        response_correlation_id: CorrelationId,
        /// Session of the response stream.
        response_session_id: SessionId,
    },
    /// A response publication gained its first live receiver.
    ResponseConnected {
        /// The publication's response correlation id: the image it responds to.
        response_correlation_id: CorrelationId,
    },
    /// A live receiver of a publication sent an error frame.
    PublicationError(Box<PublicationErrorReport>),
}

/// What a SETUP frame asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ImageRequest {
    /// Receive endpoint it came in on.
    pub(crate) endpoint: EndpointId,
    /// Slot of the transport it came in on.
    pub(crate) transport_index: usize,
    /// The session.
    pub(crate) session_id: SessionId,
    /// The stream.
    pub(crate) stream_id: StreamId,
    /// First term of the stream.
    pub(crate) initial_term_id: TermId,
    /// Term in which the image joins.
    pub(crate) active_term_id: TermId,
    /// Offset at which the image joins.
    pub(crate) term_offset: TermOffset,
    /// Length of a term in bytes.
    pub(crate) term_length: i32,
    /// Longest datagram of the sender in bytes.
    pub(crate) mtu_length: i32,
    /// Whether the sender has group semantics (SETUP flag 0x40).
    pub(crate) is_group: bool,
    /// Whether the sender asks for a response channel (SETUP flag 0x80).
    pub(crate) wants_response: bool,
    /// Who sent the SETUP.
    pub(crate) source: SocketAddr,
    /// Where status messages and NAKs go.
    pub(crate) control_address: SocketAddr,
}

/// What an error frame from a live receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicationErrorReport {
    /// The publication.
    pub(crate) registration_id: RegistrationId,
    /// The manual destination the frame came from, if any.
    pub(crate) destination_registration_id: Option<RegistrationId>,
    /// Its session.
    pub(crate) session_id: SessionId,
    /// Its stream.
    pub(crate) stream_id: StreamId,
    /// The receiver.
    pub(crate) receiver_id: ReceiverId,
    /// The receiver's group tag, if it sent one.
    pub(crate) group_tag: Option<i64>,
    /// Where the frame came from.
    pub(crate) source: SocketAddr,
    /// The frame's error code.
    pub(crate) error_code: i32,
    /// The frame's text.
    pub(crate) text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outbox_keeps_what_the_queue_refuses_and_its_order() {
        let queue = BoundedQueue::new(2);
        let failed = AtomicCounter::detached(0);
        let mut outbox = Outbox::new(queue.clone(), failed.clone());
        for message in 0..5 {
            outbox.send(message);
        }
        assert!(outbox.is_full());
        assert_eq!(
            failed.get(),
            1,
            "what waits behind a refusal is not offered"
        );
        let mut received = Vec::new();
        while received.len() < 5 {
            received.extend(queue.pop());
            outbox.flush();
        }
        assert_eq!(received, [0, 1, 2, 3, 4]);
        assert!(!outbox.is_full());
    }

    #[test]
    fn backlog_can_be_taken_back() {
        let mut outbox = Outbox::new(BoundedQueue::new(1), AtomicCounter::detached(0));
        for message in 0..3 {
            outbox.send(message);
        }
        assert_eq!(outbox.take_backlog(), [1, 2]);
        assert_eq!(outbox.flush(), 0);
    }

    #[test]
    fn full_queue_alone_asks_to_hold_back() {
        let queue = BoundedQueue::new(1);
        let mut outbox = Outbox::new(queue.clone(), AtomicCounter::detached(0));
        assert!(!outbox.is_full());
        outbox.send(1);
        assert!(outbox.is_full());
        assert_eq!(queue.pop(), Some(1));
        assert!(!outbox.is_full());
    }
}
