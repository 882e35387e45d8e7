//! What systemd is told, where it asks: that clients may attach, that the driver lives, that it
//! stops. Without a supervisor that listens nothing happens.

use std::time::{Duration, Instant};

use aileron::MediaDriver;
use aileron::base::EpochMillis;
use aileron::runtime::SystemClock;
use sd_notify::NotifyState;

/// Tells the supervisor of this process how it goes.
#[derive(Debug)]
pub(crate) struct Supervisor {
    /// Between two signs of life; absent where none are wanted.
    period: Option<Duration>,
    next: Instant,
    /// The conductor's heartbeat when it was last seen to move, and when that was.
    heartbeat: (EpochMillis, Instant),
}

impl Supervisor {
    /// Whoever started this process, as its environment tells.
    pub(crate) fn of_this_process() -> Self {
        let now = Instant::now();
        Self {
            // Twice per period of the watchdog, so that one late look does no harm.
            period: sd_notify::watchdog_enabled().map(|timeout| timeout / 2),
            next: now,
            heartbeat: (EpochMillis(0), now),
        }
    }

    /// Clients may attach.
    pub(crate) fn ready(&self) {
        tell(&[NotifyState::Ready]);
    }

    /// Says that the driver lives, when it is time to and if it does: its conductor writes a
    /// heartbeat every timer interval, and one that does not move any more is a driver that hangs.
    pub(crate) fn poll(&mut self, driver: &MediaDriver) {
        let Some(period) = self.period else { return };
        let now = Instant::now();
        let heartbeat = driver.cnc().to_driver().consumer_heartbeat();
        if heartbeat != self.heartbeat.0 {
            self.heartbeat = (heartbeat, now);
        }
        if now < self.next {
            return;
        }
        self.next = now + period;
        let silence_ms = SystemClock::epoch().since(heartbeat);
        let is_silent = now.duration_since(self.heartbeat.1) > HEARTBEAT_SILENCE_MAX;
        if !is_silent && !driver.has_failed() {
            tell(&[NotifyState::Watchdog]);
        } else {
            let status = format!("the conductor has been silent for {silence_ms} ms");
            tell(&[NotifyState::Status(&status)]);
        }
    }

    /// The driver is about to stop.
    pub(crate) fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

/// Silence of the conductor after which the watchdog is left to bark. Its timer ticks every second
/// unless set otherwise, and clients give a driver ten seconds.
const HEARTBEAT_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Nobody is left to be told if the supervisor does not listen.
fn tell(what: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(what);
}
