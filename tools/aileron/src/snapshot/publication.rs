//! One publication.

use std::net::SocketAddr;

use aileron::base::{ClientId, RegistrationId, SessionId, StreamId};

use super::SubscriberView;
use crate::log_files::LogFacts;

/// A publication as its counters and its log show it. What a driver does not keep is `None`; IPC
/// publications have no sender.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PublicationView {
    /// Correlation id of the command that added it.
    pub registration_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Its channel, as whole as a label shows it.
    pub channel: String,
    /// The client that added it first.
    pub client_id: ClientId,
    /// Whether one client alone writes to it.
    pub is_exclusive: bool,
    /// `pub-pos`: up to where it is written.
    pub publisher_position: Option<i64>,
    /// `pub-lmt`: up to where it may be written.
    pub publisher_limit: Option<i64>,
    /// `snd-pos`: up to where it is sent.
    pub sender_position: Option<i64>,
    /// `snd-lmt`: up to where it may be sent.
    pub sender_limit: Option<i64>,
    /// `snd-bpe`: times that flow control stopped the sender.
    pub back_pressure_events: Option<i64>,
    /// `snd-naks-received`: NAKs that arrived.
    pub naks_received: Option<i64>,
    /// `fc-receivers`: receivers that flow control waits for.
    pub flow_control_receivers: Option<i64>,
    /// The receiver that the sender limit follows, where the driver tells and it is IPv4.
    pub limiting_receiver: Option<SocketAddr>,
    /// The window which that receiver last reported, where the driver tells, bytes.
    pub receiver_window: Option<i64>,
    /// Subscribers that read its log: those of IPC, and spies.
    pub subscribers: Vec<SubscriberView>,
    /// What its log says.
    pub log: Option<LogFacts>,
    /// Length field of the frame at [`Self::front`].
    pub frame_length_at_front: Option<i32>,
}

impl PublicationView {
    /// Whether it is sent on a network.
    #[must_use]
    pub fn is_network(&self) -> bool {
        !self.channel.starts_with("aeron:ipc")
    }

    /// Up to where the first that reads its log has come: the sender, or else the furthest
    /// subscriber.
    #[must_use]
    pub fn front(&self) -> i64 {
        let furthest = self.subscribers.iter().map(|s| s.position).max();
        self.sender_position.or(furthest).unwrap_or(-1)
    }

    /// Up to where the last that reads its log has come; `None` if nobody does.
    #[must_use]
    pub fn slowest_consumer(&self) -> Option<i64> {
        let subscribers = self.subscribers.iter().map(|s| s.position);
        subscribers.chain(self.sender_position).min()
    }

    /// Bytes that were written and not yet sent.
    #[must_use]
    pub fn unsent(&self) -> Option<i64> {
        Some(
            self.publisher_position?
                .saturating_sub(self.sender_position?),
        )
    }

    /// Bytes that the sender may send before flow control stops it.
    #[must_use]
    pub fn sender_window(&self) -> Option<i64> {
        Some(self.sender_limit?.saturating_sub(self.sender_position?))
    }

    /// Bytes that may be written before a publisher is pushed back.
    #[must_use]
    pub fn publisher_window(&self) -> Option<i64> {
        Some(
            self.publisher_limit?
                .saturating_sub(self.publisher_position?),
        )
    }
}
