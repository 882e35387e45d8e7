//! Network publications: the driver's side of a stream that is sent over UDP.
//!
//! ```text
//!   clients ──► log ──► SenderHalf ──► datagrams
//!                ▲          │ snd-pos, snd-lmt, has_receivers, …
//!     cleans,    │          ▼
//!     unblocks   └──── ConductorHalf ──► pub-lmt ──► clients
//! ```
//!
//! The [`SenderHalf`] belongs to the sender: it turns committed frames into datagrams as far as
//! flow control allows, sends SETUPs and heartbeats, and answers NAKs. The [`ConductorHalf`]
//! belongs to the conductor: it lets publishers write as far as the slowest consumer allows,
//! zeroes what everyone is done with, and carries the publication from its first user to its end.
//! Between them stand the log, the position counters and a few flags, each with one writer.

mod batch;
mod conductor;
mod inputs;
mod receivers;
mod sender;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::base::{CorrelationId, CounterId, Nanos, Position, RegistrationId, SessionId, StreamId};
use crate::cnc::SystemCounters;
use crate::concurrent::AtomicCounter;
use crate::driver::flow_control::FlowControl;
use crate::driver::messages::EndpointId;
use crate::driver::retransmit::{ResendQueue, RetransmitHandler};
use crate::driver::untethered::UntetheredTimeouts;
use crate::logbuffer::LogBuffer;

pub(crate) use conductor::{ConductorHalf, NetworkEffect, NetworkState};
pub(crate) use sender::SenderHalf;
use shared::Shared;

/// What does not change during a cycle of the sender.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cycle<'a> {
    /// Monotonic time.
    pub(crate) now: Nanos,
    /// Nanoseconds since the Unix epoch, for timestamps in frames.
    pub(crate) epoch_ns: i64,
    /// The driver's counters.
    pub(crate) system: &'a SystemCounters,
}

/// The counters of a network publication, all set to its starting position or 0.
#[derive(Clone, Debug)]
pub(crate) struct PublicationCounters {
    /// `pub-pos`, written by the conductor.
    pub(crate) publisher_position: AtomicCounter,
    /// `pub-lmt`, written by the conductor.
    pub(crate) publisher_limit: AtomicCounter,
    /// `snd-pos`, written by the sender.
    pub(crate) sender_position: AtomicCounter,
    /// `snd-lmt`, written by the sender.
    pub(crate) sender_limit: AtomicCounter,
    /// `snd-bpe`, written by the sender.
    pub(crate) sender_back_pressure_events: AtomicCounter,
    /// `snd-naks-received`, written by the sender.
    pub(crate) sender_naks_received: AtomicCounter,
    /// `fc-receivers`, written by flow control on the sender.
    pub(crate) flow_control_receivers: Option<AtomicCounter>,
    /// The receiver that the sender limit follows, written by the sender.
    pub(crate) limiter: Option<LimiterCounters>,
}

/// Counters beyond Aeron's: who holds the sender back.
#[derive(Clone, Debug)]
pub(crate) struct LimiterCounters {
    /// `snd-limiting-receiver`
    pub(crate) receiver: AtomicCounter,
    /// `snd-receiver-window`
    pub(crate) window: AtomicCounter,
}

impl PublicationCounters {
    /// The ids of all of them, for freeing.
    pub(crate) fn ids(&self) -> impl Iterator<Item = CounterId> + '_ {
        [
            &self.publisher_position,
            &self.publisher_limit,
            &self.sender_position,
            &self.sender_limit,
            &self.sender_back_pressure_events,
            &self.sender_naks_received,
        ]
        .into_iter()
        .chain(&self.flow_control_receivers)
        .chain(
            self.limiter
                .iter()
                .flat_map(|limiter| [&limiter.receiver, &limiter.window]),
        )
        .map(AtomicCounter::id)
    }
}

/// All that makes a network publication.
#[derive(Debug)]
pub(crate) struct NetworkPublicationParams {
    /// Correlation id of the command that added it.
    pub(crate) registration_id: RegistrationId,
    /// Its session.
    pub(crate) session_id: SessionId,
    /// Its stream.
    pub(crate) stream_id: StreamId,
    /// The endpoint it sends through.
    pub(crate) endpoint: EndpointId,
    /// Its log, initialised.
    pub(crate) log: LogBuffer,
    /// Its counters.
    pub(crate) counters: PublicationCounters,
    /// Position of its first byte.
    pub(crate) position: Position,
    /// How far it may send.
    pub(crate) flow_control: FlowControl,
    /// How it answers NAKs.
    pub(crate) retransmit: RetransmitHandler,
    /// How it answers NAKs instead, if many ranges may be asked for at once.
    pub(crate) resend_queue: Option<ResendQueue>,
    /// Longest datagram in bytes.
    pub(crate) mtu_length: i32,
    /// Datagrams per send, 1 to 16.
    pub(crate) messages_per_send_max: usize,
    /// Bytes publishers may be ahead of the slowest consumer.
    pub(crate) publication_window: i32,
    /// Whether one client alone writes to the log.
    pub(crate) is_exclusive: bool,
    /// Whether it answers an image and learns its peer from status messages.
    pub(crate) is_response: bool,
    /// The image it responds to, or the subscription that awaits the responses to it.
    pub(crate) response_correlation_id: Option<CorrelationId>,
    /// Whether heartbeats tell the end of the stream.
    pub(crate) signal_eos: bool,
    /// Whether spies alone make it connected.
    pub(crate) spies_simulate_connection: bool,
    /// Whether the channel is a multicast one.
    pub(crate) is_multicast: bool,
    /// Whether the channel has several destinations.
    pub(crate) is_multi_destination: bool,
    /// Time to live told in SETUPs; 0 for unicast.
    pub(crate) ttl: u8,
    /// How long it stays around once drained, in nanoseconds.
    pub(crate) linger_timeout_ns: i64,
    /// How long a publisher may block it, in nanoseconds.
    pub(crate) unblock_timeout_ns: i64,
    /// Silence after which a receiver is gone, in nanoseconds.
    pub(crate) connection_timeout_ns: i64,
    /// Timeouts of untethered spies.
    pub(crate) untethered: UntetheredTimeouts,
    /// Now.
    pub(crate) now: Nanos,
}

impl NetworkPublicationParams {
    /// Whether receivers must expect company: NAKs back off, SETUPs say so.
    const fn has_group_semantics(&self) -> bool {
        self.is_multicast || self.is_multi_destination
    }
}

/// Makes the two halves of a publication.
pub(crate) fn build(params: NetworkPublicationParams) -> (ConductorHalf, SenderHalf) {
    let has_required_receivers = params.flow_control.has_required_receivers();
    let shared = Arc::new(Shared::new(params.position, has_required_receivers));
    let conductor = ConductorHalf::new(&params, Arc::clone(&shared));
    (conductor, SenderHalf::new(params, shared))
}

/// Tells publishers whether somebody listens, if they do not know yet.
///
/// Both halves do this. The flag in the log is the only truth, so that one that was set amid a race
/// is put right by the next who looks.
fn set_connected(log: &LogBuffer, is_connected: bool) {
    if log.is_connected() != is_connected {
        log.set_connected(is_connected);
    }
}
