//! The timeouts of a round: short, and in proportion.

use std::time::Duration;

/// All timeouts that drivers and clients of a round get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    /// Age of a driver's heartbeat at which its clients call it dead.
    pub(crate) driver: Duration,
    /// Age of a client's heartbeat at which its driver calls it dead.
    pub(crate) client: Duration,
    /// Silence after which an image goes away.
    pub(crate) image: Duration,
    /// Silence after which a publication is not connected.
    pub(crate) connection: Duration,
    /// Between looks of a client at its driver.
    pub(crate) keepalive: Duration,
    /// Between looks of a driver at everything.
    pub(crate) timer: Duration,
    /// What a busy machine may add to a timeout before the round fails.
    pub(crate) slack: Duration,
}

/// How long a driver keeps a publication that nobody has any more.
const LINGER: Duration = Duration::from_millis(100);
/// Between status messages; an image says goodbye with five of them before it goes.
const STATUS_MESSAGE: Duration = Duration::from_millis(40);
/// Idle sleep of a client's conductor, its default.
const CLIENT_SLEEP: Duration = Duration::from_millis(16);

impl Timing {
    /// All timeouts at `base`.
    pub(crate) const fn new(base: Duration, slack: Duration) -> Self {
        Self {
            driver: base,
            client: base,
            image: base,
            connection: base,
            keepalive: Duration::from_millis(50),
            timer: Duration::from_millis(20),
            slack,
        }
    }

    /// Between two looks, of a driver and of a client: what a timeout takes longer than it says.
    pub(crate) fn granularity(&self) -> Duration {
        self.keepalive + self.timer + CLIENT_SLEEP
    }

    /// From the death of a subscriber until a publisher on another driver is told.
    pub(crate) fn subscriber_death(&self) -> Duration {
        self.client + self.connection
    }

    /// From the death of a publisher until a subscriber is told: its driver notices, and its image
    /// drains.
    pub(crate) fn publisher_death(&self) -> Duration {
        self.client + self.silence()
    }

    /// From the last datagram of a publisher until its image is gone: the image falls silent, and
    /// says goodbye.
    pub(crate) fn silence(&self) -> Duration {
        self.image + 5 * STATUS_MESSAGE
    }

    /// Longest that anything may take that has no timeout of its own.
    pub(crate) fn watchdog(&self) -> Duration {
        8 * self.driver + 2 * self.slack
    }

    /// Properties of a driver.
    pub(crate) fn properties(&self) -> Vec<String> {
        let ms = |duration: Duration| format!("{}ms", duration.as_millis());
        let unblock = self.client + self.client / 5;
        let mut all: Vec<_> = [
            "aeron.threading.mode=SHARED",
            "aeron.counters.buffer.length=1m",
            "aeron.term.buffer.length=64k",
            "aeron.ipc.term.buffer.length=64k",
            "aeron.counters.free.to.reuse.timeout=50ms",
            "aeron.dir.delete.on.shutdown=true",
            "aeron.low.file.store.warning.threshold=0",
        ]
        .map(str::to_owned)
        .to_vec();
        all.extend(
            [
                ("aeron.timer.interval", ms(self.timer)),
                ("aeron.client.liveness.timeout", ms(self.client)),
                ("aeron.publication.unblock.timeout", ms(unblock)),
                ("aeron.publication.connection.timeout", ms(self.connection)),
                ("aeron.publication.linger.timeout", ms(LINGER)),
                ("aeron.image.liveness.timeout", ms(self.image)),
                ("aeron.rcv.status.message.timeout", ms(STATUS_MESSAGE)),
                ("aeron.flow.control.receiver.timeout", ms(self.connection)),
                ("aeron.driver.timeout", self.driver.as_millis().to_string()),
            ]
            .map(|(name, value)| format!("{name}={value}")),
        );
        all
    }
}
