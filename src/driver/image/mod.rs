//! An image: the copy of a network publication's stream that this driver rebuilds.
//!
//! ```text
//!  datagrams ─▶ ReceiverHalf ─ insert ─▶ log ◀─ scan ─ ConductorHalf ◀─ subscriber positions
//!                    ▲                                      │
//!   SM, NAK ◀────────┴── Shared: window to advertise, gap ◀─┘
//! ```
//!
//! The *receiver* half puts datagrams into the log, raises the high-water mark and sends status
//! messages, NAKs and errors. It knows all that is missing, too, if it is to ask for all of it. The
//! *conductor* half watches the subscribers, finds the first gap, decides what to advertise and
//! cleans what everyone has read. Each half belongs to one agent; between them stand the log, three
//! counters and [`Shared`]. [`build`] makes both.
//!
//! The life of an image (`driver.md` §8.7):
//!
//! | State | Begins | Ends |
//! |---|---|---|
//! | active | it was built | the stream ended and all of it is here; or nothing comes any more; or nobody listens; or it was revoked |
//! | draining | senders are told that this receiver leaves | the subscribers have read everything, and some time passed |
//! | linger | it is unavailable | its subscribers are gone, or the liveness timeout passed |
//! | done | its links are dissolved | the receiver has given its half back |
//!
//! The receiver takes an image from *active* to *draining*, at the conductor's request if need be;
//! the conductor takes all later steps.

mod conductor;
mod connection;
mod receiver;
mod shared;
mod timestamps;

#[cfg(test)]
mod tests;

pub(crate) use conductor::{ConductorHalf, ImageEvent};
pub(crate) use receiver::{Arrival, LandedArrival, ReceiverHalf, Timestamp};

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{CorrelationId, Nanos, Position, SessionId, StreamId};
use crate::concurrent::AtomicCounter;
use crate::driver::congestion::CongestionControl;
use crate::driver::loss::NakDelay;
use crate::driver::messages::EndpointId;
use crate::driver::untethered::SubscriberPositions;
use crate::logbuffer::LogBuffer;
use shared::Shared;

/// The counters of an image.
#[derive(Clone, Debug)]
pub(crate) struct ImageCounters {
    /// `rcv-hwm`: end of the furthest data that arrived. The receiver's.
    pub(crate) hwm: AtomicCounter,
    /// `rcv-pos`: up to here nothing is missing. The conductor's.
    pub(crate) rebuild: AtomicCounter,
    /// `rcv-naks-sent`. The receiver's.
    pub(crate) naks_sent: AtomicCounter,
}

/// What an image is built from.
#[derive(Debug)]
pub(crate) struct ImageParams {
    /// Its registration id.
    pub(crate) correlation_id: CorrelationId,
    /// Session of the stream.
    pub(crate) session_id: SessionId,
    /// The stream.
    pub(crate) stream_id: StreamId,
    /// Endpoint that receives it.
    pub(crate) endpoint: EndpointId,
    /// Slot of the transport that brought the SETUP.
    pub(crate) transport_index: usize,
    /// Where control frames go through that transport.
    pub(crate) control_address: SocketAddr,
    /// Who sent the SETUP.
    pub(crate) source: SocketAddr,
    /// Channel of the endpoint as the client wrote it.
    pub(crate) channel: String,
    /// Its log, initialised.
    pub(crate) log: LogBuffer,
    /// Position named by the SETUP: nothing before it is ever delivered.
    pub(crate) join_position: Position,
    /// Whether to ask for what is lost; else it is padded over.
    pub(crate) is_reliable: bool,
    /// Whether the publication asks for a response channel.
    pub(crate) wants_response: bool,
    /// Its counters.
    pub(crate) counters: ImageCounters,
    /// Its subscribers.
    pub(crate) subscribers: SubscriberPositions,
    /// Decides on the window.
    pub(crate) congestion: CongestionControl,
    /// Decides when to ask for what is lost.
    pub(crate) nak_delay: NakDelay,
    /// Whether the receiver asks for all that is missing at once. For reliable streams.
    pub(crate) has_recovery: bool,
    /// Longest time between two status messages.
    pub(crate) status_message_timeout_ns: i64,
    /// Silence after which the image dies.
    pub(crate) liveness_timeout_ns: i64,
    /// The conductor's time.
    pub(crate) now: Nanos,
}

/// Makes the two halves of an image, both standing at the join position.
pub(crate) fn build(params: ImageParams) -> (ConductorHalf, ReceiverHalf) {
    debug_assert!(params.join_position.get() >= 0);
    params.counters.hwm.set(params.join_position.get());
    params.counters.rebuild.set(params.join_position.get());
    let shared = Arc::new(Shared::new());
    // Its window must be there before the receiver's first cycle sends it.
    shared.schedule_status_message(
        params.join_position,
        params.congestion.initial_window_length(),
    );
    let receiver = ReceiverHalf::new(&params, Arc::clone(&shared));
    (ConductorHalf::new(params, shared), receiver)
}
