//! What a client is given: options with their defaults, handlers, and the ports to the outside.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::handlers::{HandlerId, Handlers};
use super::{ClientError, ConnectError, CounterEvent, Image, PublicationErrorFrame};
use crate::cnc::Cnc;
use crate::logbuffer::LogOpener;
use crate::port::Clock;

/// Longest client name in bytes.
pub const CLIENT_NAME_LENGTH_MAX: usize = 100;

/// Longest [`ClientConfig::idle_sleep`].
pub const IDLE_SLEEP_MAX: Duration = Duration::from_secs(1);

/// The outside world of a client, as values and ports. The runtime fills it with files and clocks,
/// tests and the simulator with heap memory and virtual time.
#[derive(Clone)]
pub struct ClientEnvironment {
    /// The CnC file of a driver that is ready.
    pub cnc: Cnc,
    /// Maps log buffers by the path that the driver announces.
    pub opener: Arc<dyn LogOpener>,
    /// Read at the top of each duty cycle.
    pub clock: Arc<dyn Clock>,
    /// Idles one step while a call waits for the driver. Where driver and client share a thread it
    /// drives the driver instead. Called without any lock held.
    pub waiter: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ClientEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientEnvironment")
            .field("cnc", &self.cnc)
            .finish_non_exhaustive()
    }
}

/// Options and handlers of a client; consumed by connecting.
///
/// ```
/// use std::time::Duration;
/// use aileron::client::ClientConfig;
/// let config = ClientConfig::default()
///     .client_name("pricing")
///     .driver_timeout(Duration::from_secs(5))
///     .on_available_image(|image| println!("{} joined", image.source_identity()));
/// assert_eq!(config.name(), "pricing");
/// ```
#[derive(Debug)]
pub struct ClientConfig {
    pub(crate) driver_timeout: Duration,
    pub(crate) keepalive_interval: Duration,
    pub(crate) client_name: String,
    pub(crate) resource_linger: Duration,
    pub(crate) pre_touch: bool,
    pub(crate) huge_pages: bool,
    pub(crate) idle_sleep: Duration,
    pub(crate) handlers: Handlers,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            driver_timeout: Duration::from_secs(10),
            keepalive_interval: Duration::from_millis(500),
            client_name: String::new(),
            resource_linger: Duration::from_secs(3),
            pre_touch: false,
            huge_pages: false,
            idle_sleep: Duration::from_millis(16),
            handlers: Handlers::default(),
        }
    }
}

impl ClientConfig {
    /// How long an answer may take, and how old the driver's heartbeat may be. Default 10 s.
    #[must_use]
    pub const fn driver_timeout(mut self, timeout: Duration) -> Self {
        self.driver_timeout = timeout;
        self
    }

    /// How often the driver is told that this client lives. Must be shorter than the driver's
    /// client liveness timeout. Default 500 ms.
    #[must_use]
    pub const fn keepalive_interval(mut self, interval: Duration) -> Self {
        self.keepalive_interval = interval;
        self
    }

    /// Name shown in the label of the client's heartbeat counter; at most
    /// [`CLIENT_NAME_LENGTH_MAX`] bytes. Default empty.
    #[must_use]
    pub fn client_name(mut self, name: impl Into<String>) -> Self {
        self.client_name = name.into();
        self
    }

    /// How long the log of an image that went away stays mapped, so that unmapping does not stall
    /// a polling thread and a quick rejoin finds it again. Default 3 s.
    ///
    /// Departs from Aeron: closing a client does not linger (`aeron.client.close.linger.duration`),
    /// for nothing is unmapped under a thread that still uses it; each handle keeps what it maps.
    #[must_use]
    pub const fn resource_linger(mut self, linger: Duration) -> Self {
        self.resource_linger = linger;
        self
    }

    /// Whether each page of a newly mapped log is touched at once; the log opener does it. Default
    /// off.
    #[must_use]
    pub const fn pre_touch(mut self, yes: bool) -> Self {
        self.pre_touch = yes;
        self
    }

    /// Whether newly mapped logs are to be on huge pages, if the file system of the directory gives
    /// any; the log opener asks. Adding fails where the operating system has none. Default off.
    #[must_use]
    pub const fn huge_pages(mut self, yes: bool) -> Self {
        self.huge_pages = yes;
        self
    }

    /// How long an idle conductor sleeps; timeouts are looked at no more often than this.
    /// `0..=`[`IDLE_SLEEP_MAX`], default 16 ms.
    #[must_use]
    pub const fn idle_sleep(mut self, sleep: Duration) -> Self {
        self.idle_sleep = sleep;
        self
    }

    /// Called with every failure that no call returns. The default writes to standard error.
    #[must_use]
    pub fn on_error(mut self, handler: impl Fn(&ClientError) + Send + Sync + 'static) -> Self {
        self.handlers.error = Arc::new(handler);
        self
    }

    /// Default for subscriptions that name no handler of their own: an image was added.
    #[must_use]
    pub fn on_available_image(mut self, handler: impl Fn(&Image) + Send + Sync + 'static) -> Self {
        self.handlers.available_image = Some(Arc::new(handler));
        self
    }

    /// Default for subscriptions that name no handler of their own: an image was removed and
    /// closed.
    #[must_use]
    pub fn on_unavailable_image(
        mut self,
        handler: impl Fn(&Image) + Send + Sync + 'static,
    ) -> Self {
        self.handlers.unavailable_image = Some(Arc::new(handler));
        self
    }

    /// Called for every counter that any client or the driver adds.
    #[must_use]
    pub fn on_available_counter(
        mut self,
        handler: impl Fn(&CounterEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.handlers
            .available_counter
            .push((HandlerId(0), Arc::new(handler)));
        self
    }

    /// Called for every counter that goes away.
    #[must_use]
    pub fn on_unavailable_counter(
        mut self,
        handler: impl Fn(&CounterEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.handlers
            .unavailable_counter
            .push((HandlerId(0), Arc::new(handler)));
        self
    }

    /// Called once per publication handle when a receiver rejects an image of it.
    #[must_use]
    pub fn on_publication_error(
        mut self,
        handler: impl Fn(&PublicationErrorFrame) + Send + Sync + 'static,
    ) -> Self {
        self.handlers.publication_error = Some(Arc::new(handler));
        self
    }

    /// Called once when the client has closed, after its resources have.
    #[must_use]
    pub fn on_close(mut self, handler: impl FnOnce() + Send + 'static) -> Self {
        self.handlers.close.push((HandlerId(0), Box::new(handler)));
        self
    }

    /// The name given with [`Self::client_name`].
    #[must_use]
    pub fn name(&self) -> &str {
        &self.client_name
    }

    /// The driver timeout, for whoever waits for the driver before there is a client.
    #[must_use]
    pub const fn driver_timeout_value(&self) -> Duration {
        self.driver_timeout
    }

    /// What [`Self::pre_touch`] was set to, for whoever makes the log opener.
    #[must_use]
    pub const fn is_pre_touch(&self) -> bool {
        self.pre_touch
    }

    /// What [`Self::idle_sleep`] was set to, for whoever runs the conductor's thread.
    #[must_use]
    pub const fn idle_sleep_value(&self) -> Duration {
        self.idle_sleep
    }

    /// Checks every rule that does not need a driver.
    ///
    /// # Errors
    /// The first option that breaks one.
    pub fn validate(&self) -> Result<(), ConnectError> {
        let invalid = |option, reason: String| Err(ConnectError::InvalidOption { option, reason });
        if self.client_name.len() > CLIENT_NAME_LENGTH_MAX {
            return invalid(
                "client_name",
                format!("longer than {CLIENT_NAME_LENGTH_MAX} bytes"),
            );
        }
        if self.idle_sleep > IDLE_SLEEP_MAX {
            return invalid("idle_sleep", format!("longer than {IDLE_SLEEP_MAX:?}"));
        }
        if self.driver_timeout.is_zero() {
            return invalid("driver_timeout", "is zero".to_owned());
        }
        if self.keepalive_interval.is_zero() {
            return invalid("keepalive_interval", "is zero".to_owned());
        }
        Ok(())
    }

    /// [`Self::validate`], and that the driver tolerates the keepalive interval.
    pub(crate) fn validate_against(&self, liveness_timeout_ns: i64) -> Result<(), ConnectError> {
        self.validate()?;
        if nanos(self.keepalive_interval) >= liveness_timeout_ns {
            return Err(ConnectError::InvalidOption {
                option: "keepalive_interval",
                reason: format!(
                    "{:?} is not below the driver's client liveness timeout of \
                     {liveness_timeout_ns} ns",
                    self.keepalive_interval
                ),
            });
        }
        Ok(())
    }
}

/// A duration in nanoseconds; one too long for 63 bits is capped.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid() {
        ClientConfig::default()
            .validate_against(10_000_000_000)
            .expect("valid");
    }

    #[test]
    fn each_broken_option_is_named() {
        let option = |config: ClientConfig| match config.validate_against(10_000_000_000) {
            Err(ConnectError::InvalidOption { option, .. }) => option,
            other => panic!("{other:?}"),
        };
        let config = ClientConfig::default;
        assert_eq!(option(config().client_name("x".repeat(101))), "client_name");
        assert_eq!(
            option(config().idle_sleep(Duration::from_secs(2))),
            "idle_sleep"
        );
        assert_eq!(
            option(config().driver_timeout(Duration::ZERO)),
            "driver_timeout"
        );
        assert_eq!(
            option(config().keepalive_interval(Duration::ZERO)),
            "keepalive_interval"
        );
        let slow = config().keepalive_interval(Duration::from_secs(10));
        assert_eq!(option(slow), "keepalive_interval");
    }
}
