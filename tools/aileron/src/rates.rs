//! What changed between two snapshots, per second.

use std::collections::BTreeMap;

use aileron::cnc::SystemCounter;

use crate::snapshot::{ImageView, PublicationView, Snapshot};

/// Changes per second of the driver as a whole.
///
/// ```
/// assert_eq!(aileron_cli::SystemRates::default().bytes_sent, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain figures")]
pub struct SystemRates {
    /// Bytes sent on the network.
    pub bytes_sent: f64,
    /// Bytes received from the network.
    pub bytes_received: f64,
    /// NAKs sent.
    pub naks_sent: f64,
    /// NAKs received.
    pub naks_received: f64,
    /// Retransmissions sent.
    pub retransmits_sent: f64,
    /// Bytes sent again.
    pub retransmitted_bytes: f64,
    /// Status messages sent.
    pub status_messages_sent: f64,
    /// Status messages received.
    pub status_messages_received: f64,
    /// Datagrams dropped because they were malformed.
    pub invalid_packets: f64,
    /// Errors.
    pub errors: f64,
    /// Times that flow control stopped a sender.
    pub back_pressure_events: f64,
    /// Sends that the kernel took only partly.
    pub short_sends: f64,
}

/// Changes per second of one publication.
///
/// ```
/// assert_eq!(aileron_cli::PublicationRates::default().published, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain figures")]
pub struct PublicationRates {
    /// Bytes published.
    pub published: f64,
    /// Bytes sent for the first time.
    pub sent: f64,
    /// Bytes that the slowest subscriber of its log consumed.
    pub consumed: f64,
    /// Times that flow control stopped the sender.
    pub back_pressure_events: f64,
    /// NAKs received.
    pub naks_received: f64,
}

/// Changes per second of one image.
///
/// ```
/// assert_eq!(aileron_cli::ImageRates::default().received, 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "plain figures")]
pub struct ImageRates {
    /// Bytes received for the first time.
    pub received: f64,
    /// Bytes rebuilt without a gap.
    pub rebuilt: f64,
    /// Bytes that the slowest subscriber consumed.
    pub consumed: f64,
    /// NAKs sent.
    pub naks_sent: f64,
}

/// What changed between two snapshots of one driver, per second.
///
/// ```
/// use aileron_cli::{Directory, Rates, Snapshot};
/// let driver = aileron::MediaDriver::launch_embedded(Default::default())?;
/// let directory = Directory::open(driver.directory(), std::time::Duration::from_secs(1))?;
/// let (first, second) = (Snapshot::take(&directory), Snapshot::take(&directory));
/// let rates = Rates::between(&first, &second);
/// assert!(rates.elapsed_ns >= 0 && rates.publications.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Rates {
    /// Nanoseconds between the two.
    pub elapsed_ns: i64,
    /// The driver as a whole.
    pub system: SystemRates,
    /// Publications that are in both, by registration id.
    pub publications: BTreeMap<i64, PublicationRates>,
    /// Images that are in both, by correlation id.
    pub images: BTreeMap<i64, ImageRates>,
    /// Share of the time in which an agent was busy, by name, where the driver tells; 0 to 1.
    pub utilisation: BTreeMap<&'static str, f64>,
}

impl Rates {
    /// The changes from `earlier` to `later`; all 0 if no time passed between them.
    #[must_use]
    pub fn between(earlier: &Snapshot, later: &Snapshot) -> Self {
        let elapsed_ns = later.monotonic.since(earlier.monotonic);
        let per = PerSecond { elapsed_ns };
        // There may be thousands, so they are looked up in a map.
        let by_id = earlier.publications.iter();
        let by_id: BTreeMap<_, _> = by_id.map(|p| (p.registration_id.get(), p)).collect();
        let publications = later.publications.iter().filter_map(|now| {
            let id = now.registration_id.get();
            Some((id, publication_rates(per, by_id.get(&id)?, now)))
        });
        let by_id = earlier.images.iter();
        let by_id: BTreeMap<_, _> = by_id.map(|i| (i.correlation_id.get(), i)).collect();
        let images = later.images.iter().filter_map(|now| {
            let id = now.correlation_id.get();
            Some((id, image_rates(per, by_id.get(&id)?, now)))
        });
        let agents = later.system.agents.iter().zip(&earlier.system.agents);
        let utilisation = agents.filter_map(|(now, before)| {
            let busy = per.of(before.busy_ns?, now.busy_ns?) / 1e9;
            Some((now.name, busy.clamp(0.0, 1.0)))
        });
        Self {
            elapsed_ns,
            system: system_rates(per, earlier, later),
            publications: publications.collect(),
            images: images.collect(),
            utilisation: utilisation.collect(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct PerSecond {
    elapsed_ns: i64,
}

impl PerSecond {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a rate is shown with few digits"
    )]
    fn of(self, before: i64, now: i64) -> f64 {
        if self.elapsed_ns <= 0 {
            return 0.0;
        }
        now.saturating_sub(before) as f64 * 1e9 / self.elapsed_ns as f64
    }

    fn of_known(self, before: Option<i64>, now: Option<i64>) -> f64 {
        match (before, now) {
            (Some(before), Some(now)) => self.of(before, now),
            _ => 0.0,
        }
    }
}

fn system_rates(per: PerSecond, before: &Snapshot, now: &Snapshot) -> SystemRates {
    let rate = |counter| per.of(before.system.get(counter), now.system.get(counter));
    SystemRates {
        bytes_sent: rate(SystemCounter::BytesSent),
        bytes_received: rate(SystemCounter::BytesReceived),
        naks_sent: rate(SystemCounter::NaksSent),
        naks_received: rate(SystemCounter::NaksReceived),
        retransmits_sent: rate(SystemCounter::RetransmitsSent),
        retransmitted_bytes: rate(SystemCounter::RetransmittedBytes),
        status_messages_sent: rate(SystemCounter::StatusMessagesSent),
        status_messages_received: rate(SystemCounter::StatusMessagesReceived),
        invalid_packets: rate(SystemCounter::InvalidPackets),
        errors: rate(SystemCounter::Errors),
        back_pressure_events: rate(SystemCounter::SenderFlowControlLimits),
        short_sends: rate(SystemCounter::ShortSends),
    }
}

fn publication_rates(
    per: PerSecond,
    before: &PublicationView,
    now: &PublicationView,
) -> PublicationRates {
    PublicationRates {
        published: per.of_known(before.publisher_position, now.publisher_position),
        sent: per.of_known(before.sender_position, now.sender_position),
        consumed: per.of_known(before.slowest_consumer(), now.slowest_consumer()),
        back_pressure_events: per.of_known(before.back_pressure_events, now.back_pressure_events),
        naks_received: per.of_known(before.naks_received, now.naks_received),
    }
}

fn image_rates(per: PerSecond, before: &ImageView, now: &ImageView) -> ImageRates {
    let consumed = |image: &ImageView| image.slowest_subscriber().map(|s| s.position);
    ImageRates {
        received: per.of_known(before.high_water_mark, now.high_water_mark),
        rebuilt: per.of_known(before.rebuild_position, now.rebuild_position),
        consumed: per.of_known(consumed(before), consumed(now)),
        naks_sent: per.of_known(before.naks_sent, now.naks_sent),
    }
}
