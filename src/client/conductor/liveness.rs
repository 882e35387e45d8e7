//! Is the driver alive, and does it know that this client is?

use crate::base::{ClientId, Nanos};
use crate::client::config::nanos;
use crate::client::{ClientConfig, ClientError};
use crate::cnc::counter_labels::heartbeat_suffix;
use crate::cnc::counter_types::{CLIENT_HEARTBEAT_TYPE_ID, HeartbeatKey};
use crate::cnc::{COMMIT, HeartbeatWatch};
use crate::concurrent::{AtomicCounter, CounterState, CountersReader, RingBuffer};
use crate::port::Tick;

/// Version of this library, for the label of the heartbeat counter.
const VERSION: &str = env!("CARGO_PKG_VERSION");

const NS_PER_MS: i64 = 1_000_000;

/// Heartbeat of a driver that has shut down.
const SHUT_DOWN: i64 = -1;

/// Watches the driver's heartbeat and beats this client's, once per keepalive interval.
pub(super) struct Liveness {
    client_id: ClientId,
    client_name: String,
    driver_timeout_ns: i64,
    driver: HeartbeatWatch,
    keepalive_interval_ns: i64,
    last_keepalive: Nanos,
    /// Made by the driver when it meets the client, in its first command that adds something.
    heartbeat: Option<AtomicCounter>,
}

impl Liveness {
    pub(super) fn new(
        config: &ClientConfig,
        client_id: ClientId,
        ring: &RingBuffer,
        tick: Tick,
    ) -> Self {
        let driver_timeout_ns = nanos(config.driver_timeout);
        // Connecting saw to it that the heartbeat is not older than the timeout.
        let beat = ring.consumer_heartbeat();
        Self {
            client_id,
            client_name: config.client_name.clone(),
            driver_timeout_ns,
            driver: HeartbeatWatch::new(beat, driver_timeout_ns, tick.now, tick.epoch),
            keepalive_interval_ns: nanos(config.keepalive_interval),
            last_keepalive: tick.now,
            heartbeat: None,
        }
    }

    /// Does what is due.
    ///
    /// # Errors
    /// The reason to terminate.
    pub(super) fn check(
        &mut self,
        tick: Tick,
        ring: &RingBuffer,
        counters: &CountersReader,
    ) -> Result<(), ClientError> {
        let is_due = tick
            .now
            .is_expired(self.last_keepalive, self.keepalive_interval_ns);
        // A driver whose time is up is looked at in between, so that its end is told at once.
        if is_due || self.driver.is_older_than(self.driver_timeout_ns, tick.now) {
            self.check_driver(tick, ring)?;
        }
        if !is_due {
            return Ok(());
        }
        let beat = tick.epoch.get();
        match &self.heartbeat {
            Some(heartbeat) => {
                if !self.is_ours(heartbeat, counters) {
                    return Err(ClientError::HeartbeatLost);
                }
                heartbeat.set(beat);
            }
            None => {
                let Some(heartbeat) = self.find(counters) else {
                    return Ok(());
                };
                heartbeat.set(beat);
                let suffix = heartbeat_suffix(&self.client_name, VERSION, COMMIT);
                counters.append_label(heartbeat.id(), &suffix);
                self.heartbeat = Some(heartbeat);
            }
        }
        self.last_keepalive = tick.now;
        Ok(())
    }

    fn check_driver(&mut self, tick: Tick, ring: &RingBuffer) -> Result<(), ClientError> {
        let heartbeat = ring.consumer_heartbeat();
        if heartbeat.get() == SHUT_DOWN {
            return Err(ClientError::DriverShutdown);
        }
        let age_ns = self.driver.look(heartbeat, tick.now, tick.epoch);
        if age_ns > self.driver_timeout_ns {
            return Err(ClientError::DriverTimeout {
                age_ms: age_ns / NS_PER_MS,
                timeout_ms: self.driver_timeout_ns / NS_PER_MS,
            });
        }
        Ok(())
    }

    fn key(&self) -> HeartbeatKey {
        HeartbeatKey {
            client_id: self.client_id,
        }
    }

    fn find(&self, counters: &CountersReader) -> Option<AtomicCounter> {
        let prefix = self.client_id.get().to_le_bytes();
        counters.counter(counters.find_by_type_and_key(CLIENT_HEARTBEAT_TYPE_ID, &prefix)?)
    }

    fn is_ours(&self, heartbeat: &AtomicCounter, counters: &CountersReader) -> bool {
        let id = heartbeat.id();
        counters.state(id) == CounterState::Allocated
            && counters.type_id(id) == Some(CLIENT_HEARTBEAT_TYPE_ID)
            && counters
                .key(id)
                .is_some_and(|key| HeartbeatKey::decode(&key) == self.key())
    }
}
