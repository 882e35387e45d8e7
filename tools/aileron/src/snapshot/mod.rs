//! What a driver's files say at one moment, sorted by what it belongs to.
//!
//! One pass over the counters copies each record and hands it, by its type, to the publication,
//! image, channel or client that its key names. Labels are read only for what keys lack: the whole
//! channel, where a key has it cut off, and a client's name.

mod builder;
mod channel;
mod client;
mod image;
mod publication;
mod system;
#[cfg(test)]
mod tests;

use aileron::base::{ClientId, CounterId, EpochMillis, Nanos, RegistrationId};
use aileron::cnc::Cnc;
use aileron::concurrent::{
    CounterRecord, ErrorObservation, LossObservation, read_error_log, read_loss_report,
};
use aileron::runtime::SystemClock;

pub use channel::{ChannelView, LocalAddress};
pub use client::ClientView;
pub use image::{ImageView, SubscriberView, SubscriptionView};
pub use publication::PublicationView;
pub use system::{AgentView, DriverView, SystemView};

use crate::directory::Directory;
use crate::log_files::LogFolder;
use builder::Builder;

/// All there is to see of a driver at one moment. See [`Directory`] for an example.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When it was taken.
    pub time: EpochMillis,
    /// When it was taken, by a clock that does not jump; comparable within one process.
    pub monotonic: Nanos,
    /// The driver itself.
    pub driver: DriverView,
    /// Counters of the driver as a whole.
    pub system: SystemView,
    /// Clients that the driver holds for alive, by client id.
    pub clients: Vec<ClientView>,
    /// Heartbeats that the driver has freed: clients that closed or timed out.
    pub gone_clients: Vec<ClientView>,
    /// Publications, IPC ones too, by stream, session and registration.
    pub publications: Vec<PublicationView>,
    /// Images of streams that come from the network, by stream, session and registration.
    pub images: Vec<ImageView>,
    /// Positions of subscribers whose image or publication is not among the above.
    pub stray_subscribers: Vec<SubscriberView>,
    /// Subscriptions, where the driver shows them.
    pub subscriptions: Vec<SubscriptionView>,
    /// Send and receive endpoints.
    pub channels: Vec<ChannelView>,
    /// Every counter in use, by id.
    pub counters: Vec<CounterRecord>,
    /// The distinct errors of the driver, oldest first.
    pub errors: Vec<ErrorObservation>,
    /// What images have lost since the driver started, oldest first.
    pub losses: Vec<LossObservation>,
}

impl Snapshot {
    /// Looks at everything once.
    #[must_use]
    pub fn take(directory: &Directory) -> Self {
        let cnc = directory.cnc();
        let mut snapshot = Self::of_counters(cnc);
        let mut logs = directory.logs().borrow_mut();
        for publication in &mut snapshot.publications {
            let id = publication.registration_id.get();
            if let Some(log) = logs.get(LogFolder::Publications, id) {
                publication.log = Some(log.facts());
                publication.frame_length_at_front = log.frame_length_at(publication.front());
            }
        }
        for image in &mut snapshot.images {
            let log = logs.get(LogFolder::Images, image.correlation_id.get());
            image.log = log.map(crate::log_files::LogFile::facts);
        }
        logs.forget_unused();
        read_error_log(&cnc.error_log_buffer(), EpochMillis(0), |error| {
            snapshot.errors.push(error);
        });
        if let Some(report) = directory.loss_report() {
            read_loss_report(report, |loss| snapshot.losses.push(loss));
        }
        snapshot
    }

    /// What the counters alone say.
    pub(crate) fn of_counters(cnc: &Cnc) -> Self {
        let reader = cnc.counters();
        let mut builder = Builder::default();
        for id in 0..=reader.max_id().get() {
            let Some(record) = reader.record(CounterId(id)) else {
                break;
            };
            builder.add(record);
        }
        builder.finish(cnc)
    }

    /// The client with this id, alive or gone.
    #[must_use]
    pub fn client(&self, id: ClientId) -> Option<&ClientView> {
        self.clients
            .iter()
            .chain(&self.gone_clients)
            .find(|client| client.client_id == id)
    }

    /// The publication with this registration id.
    #[must_use]
    pub fn publication(&self, id: RegistrationId) -> Option<&PublicationView> {
        self.publications.iter().find(|p| p.registration_id == id)
    }

    /// The image with this correlation id.
    #[must_use]
    pub fn image(&self, id: RegistrationId) -> Option<&ImageView> {
        self.images.iter().find(|image| image.correlation_id == id)
    }

    /// Age of the driver's heartbeat in milliseconds; `None` if it was shut down or never started.
    #[must_use]
    pub fn heartbeat_age_ms(&self) -> Option<i64> {
        (self.driver.heartbeat.get() > 0).then(|| self.time.since(self.driver.heartbeat))
    }

    /// Whether the driver's heartbeat is at most this old.
    #[must_use]
    pub fn is_driver_alive(&self, timeout_ms: i64) -> bool {
        self.heartbeat_age_ms().is_some_and(|age| age <= timeout_ms)
    }
}

/// A clock for [`Snapshot::monotonic`]; all snapshots of a process share its origin.
fn monotonic() -> Nanos {
    static CLOCK: std::sync::OnceLock<SystemClock> = std::sync::OnceLock::new();
    CLOCK.get_or_init(SystemClock::new).now()
}
