//! One image, and whoever reads it.

use aileron::base::{ClientId, CounterId, RegistrationId, SessionId, StreamId};

use crate::log_files::LogFacts;

/// An image as its counters and its log show it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImageView {
    /// Its correlation id.
    pub correlation_id: RegistrationId,
    /// Its session.
    pub session_id: SessionId,
    /// Its stream.
    pub stream_id: StreamId,
    /// Channel of the first subscription that it matched, as whole as a label shows it.
    pub channel: String,
    /// The client of that subscription.
    pub client_id: ClientId,
    /// `rcv-hwm`: the highest position received.
    pub high_water_mark: Option<i64>,
    /// `rcv-pos`: up to where it is without gaps.
    pub rebuild_position: Option<i64>,
    /// `rcv-naks-sent`: NAKs that it sent.
    pub naks_sent: Option<i64>,
    /// Round-trip time that congestion control measured, nanoseconds.
    pub round_trip_ns: Option<i64>,
    /// Window of congestion control, bytes.
    pub congestion_window: Option<i64>,
    /// Who reads it.
    pub subscribers: Vec<SubscriberView>,
    /// What its log says.
    pub log: Option<LogFacts>,
}

impl ImageView {
    /// Bytes between the first gap and the highest position received; 0 without a gap.
    #[must_use]
    pub fn beyond_gap(&self) -> i64 {
        match (self.high_water_mark, self.rebuild_position) {
            (Some(high), Some(rebuilt)) => high.saturating_sub(rebuilt).max(0),
            _ => 0,
        }
    }

    /// The subscriber that has consumed least.
    #[must_use]
    pub fn slowest_subscriber(&self) -> Option<&SubscriberView> {
        self.subscribers.iter().min_by_key(|s| s.position)
    }
}

/// The position of one subscriber in an image or, for IPC and spies, in a publication.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscriberView {
    /// Its counter.
    pub counter_id: CounterId,
    /// Its subscription.
    pub subscription_id: RegistrationId,
    /// The image that it reads; of IPC and spies the publication.
    pub image_id: RegistrationId,
    /// Session of the stream.
    pub session_id: SessionId,
    /// The stream.
    pub stream_id: StreamId,
    /// Channel of the subscription, as whole as a label shows it.
    pub channel: String,
    /// Its client.
    pub client_id: ClientId,
    /// Up to where it has consumed.
    pub position: i64,
    /// Where it joined.
    pub join_position: Option<i64>,
}

impl SubscriberView {
    /// Whether its channel says that it does not hold the stream back.
    #[must_use]
    pub fn is_untethered(&self) -> bool {
        self.channel.contains("tether=false")
    }
}

/// A subscription, with or without images. Only drivers that keep counters beyond Aeron's show
/// them.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubscriptionView {
    /// Correlation id of the command that added it.
    pub registration_id: RegistrationId,
    /// The stream.
    pub stream_id: StreamId,
    /// Its channel, as whole as a label shows it.
    pub channel: String,
    /// Its client.
    pub client_id: ClientId,
    /// Status of its receive endpoint; `None` for IPC and spies.
    pub channel_status_id: Option<CounterId>,
}
