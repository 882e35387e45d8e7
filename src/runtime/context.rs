//! Connecting a client to the driver of an aeron directory.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock::SystemClock;
use super::directory::{MapCncError, default_directory, map_cnc};
use super::idle::Idler;
use super::log_store::{MappedLogOpener, Placement};
use crate::base::{EpochMillis, Nanos};
use crate::client::{
    Client, ClientConfig, ClientEnvironment, ClientError, ConductorInvoker, ConnectError, Image,
};
use crate::cnc::Cnc;
use crate::port::Clock;

/// Between looks at a CnC file that is not there yet.
const FILE_POLL_PERIOD: Duration = Duration::from_millis(16);
/// Between looks at a CnC file that is being written, and steps of a call that waits for an answer.
const READY_POLL_PERIOD: Duration = Duration::from_millis(1);
/// Between looks at the CnC file of a dead driver, in whose place a new one may be starting.
const STALE_POLL_PERIOD: Duration = Duration::from_millis(100);
/// Between looks for the answer to a command.
const ANSWER_POLL_PERIOD: Duration = Duration::from_micros(100);

/// Options of a client; consumed by connecting it to a driver.
///
/// ```
/// use aileron::{Context, DriverConfig, MediaDriver};
/// let driver = MediaDriver::launch_embedded(DriverConfig::default())?;
/// let client = Context::new().dir(driver.directory()).client_name("readme").connect()?;
/// assert!(!client.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Context {
    directory: Option<PathBuf>,
    config: ClientConfig,
    idler: Option<Idler>,
    driver: Option<DriverStep>,
}

/// Gives a driver that has no threads of its own one duty cycle.
struct DriverStep(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for DriverStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DriverStep")
    }
}

impl Context {
    /// All options at their defaults, on the directory of [`default_directory`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All options as the environment of this process has them (`AERON_CLIENT_NAME` and so on).
    ///
    /// # Errors
    /// A variable holds no value of its option.
    pub fn from_environment() -> Result<Self, ConnectError> {
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Ok(Self {
            config: ClientConfig::default().environment(variables)?,
            ..Self::default()
        })
    }

    /// The aeron directory of the driver.
    #[must_use]
    pub fn dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// See [`ClientConfig::client_name`].
    #[must_use]
    pub fn client_name(self, name: impl Into<String>) -> Self {
        self.configure(|config| config.client_name(name))
    }

    /// See [`ClientConfig::driver_timeout`].
    #[must_use]
    pub fn driver_timeout(self, timeout: Duration) -> Self {
        self.configure(|config| config.driver_timeout(timeout))
    }

    /// See [`ClientConfig::huge_pages`].
    #[must_use]
    pub fn huge_pages(self, yes: bool) -> Self {
        self.configure(|config| config.huge_pages(yes))
    }

    /// See [`ClientConfig::pre_touch`].
    #[must_use]
    pub fn pre_touch(self, yes: bool) -> Self {
        self.configure(|config| config.pre_touch(yes))
    }

    /// See [`ClientConfig::on_error`].
    #[must_use]
    pub fn on_error(self, handler: impl Fn(&ClientError) + Send + Sync + 'static) -> Self {
        self.configure(|config| config.on_error(handler))
    }

    /// See [`ClientConfig::on_available_image`].
    #[must_use]
    pub fn on_available_image(self, handler: impl Fn(&Image) + Send + Sync + 'static) -> Self {
        self.configure(|config| config.on_available_image(handler))
    }

    /// See [`ClientConfig::on_unavailable_image`].
    #[must_use]
    pub fn on_unavailable_image(self, handler: impl Fn(&Image) + Send + Sync + 'static) -> Self {
        self.configure(|config| config.on_unavailable_image(handler))
    }

    /// Sets any option of the [`ClientConfig`].
    #[must_use]
    pub fn configure(mut self, set: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        self.config = set(self.config);
        self
    }

    /// How the conductor's thread idles; unset, it parks for [`ClientConfig::idle_sleep`].
    #[must_use]
    pub fn idle(mut self, idler: Idler) -> Self {
        self.idler = Some(idler);
        self
    }

    /// Calls `step` while a call of the client waits for the driver: for a [`DriverInvoker`] that
    /// shares its thread with the client.
    ///
    /// [`DriverInvoker`]: super::DriverInvoker
    #[must_use]
    pub fn drive(mut self, step: impl Fn() + Send + Sync + 'static) -> Self {
        self.driver = Some(DriverStep(Arc::new(step)));
        self
    }

    /// Connects, with a thread for the client's conductor.
    ///
    /// # Errors
    /// No live driver shows itself within the driver timeout, its files cannot be used, an option
    /// is out of range, or the operating system gives no thread.
    pub fn connect(mut self) -> Result<Client, ConnectError> {
        let idler = self.idler.take();
        let idle_sleep = self.config.idle_sleep;
        let (client, invoker) = self.connect_invoked()?;
        start_conductor(invoker, idler, idle_sleep).map_err(|source| ConnectError::Io {
            path: PathBuf::from("thread aeron-client"),
            source,
        })?;
        Ok(client)
    }

    /// Connects without a thread: the caller drives the conductor.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub fn connect_invoked(self) -> Result<(Client, ConductorInvoker), ConnectError> {
        let directory = self.directory.unwrap_or_else(default_directory);
        let clock = SystemClock::new();
        let timeout = self.config.driver_timeout;
        let step = self.driver.map(|driver| driver.0);
        let wait = |period: Duration| match &step {
            Some(step) => step(),
            None => thread::sleep(period),
        };
        let cnc = wait_for_driver(&directory, timeout, &clock, &wait)?;
        let opener = MappedLogOpener {
            pre_touches: self.config.pre_touch,
            placement: Placement {
                wants_huge_pages: self.config.huge_pages,
                numa_node: None,
            },
        };
        let waiter: Arc<dyn Fn() + Send + Sync> = step
            .clone()
            .unwrap_or_else(|| Arc::new(|| thread::sleep(ANSWER_POLL_PERIOD)));
        let environment = ClientEnvironment {
            cnc,
            opener: Arc::new(opener),
            clock: Arc::new(clock),
            waiter,
        };
        Client::new(environment, self.config)
    }
}

/// Maps the CnC file once a live driver stands behind it (`cnc.md` §2.5).
fn wait_for_driver(
    directory: &Path,
    timeout: Duration,
    clock: &SystemClock,
    wait: &dyn Fn(Duration),
) -> Result<Cnc, ConnectError> {
    let deadline = clock.tick().now.plus(timeout);
    let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    loop {
        let (reason, period) = match map_cnc(directory, false) {
            Ok(cnc) => match await_heartbeat(&cnc, timeout_ms, deadline, clock, wait) {
                None => return Ok(cnc),
                Some(reason) => (reason, STALE_POLL_PERIOD),
            },
            Err(MapCncError::Content { source, .. }) if source.is_retryable() => (
                "CnC file is created but not initialised".to_owned(),
                READY_POLL_PERIOD,
            ),
            Err(MapCncError::Content { source, .. }) => return Err(ConnectError::Cnc(source)),
            Err(MapCncError::Io { source, path }) if source.kind() == io::ErrorKind::NotFound => (
                format!("CnC file not created: {}", path.display()),
                FILE_POLL_PERIOD,
            ),
            Err(MapCncError::Io { source, path }) if is_starting(&source) => {
                (format!("{}: {source}", path.display()), FILE_POLL_PERIOD)
            }
            Err(MapCncError::Io { source, path }) => {
                return Err(ConnectError::Io { path, source });
            }
        };
        if clock.tick().now.is_at_or_after(deadline) {
            let reason = format!(
                "{reason}; is a media driver running on {}?",
                directory.display()
            );
            return Err(ConnectError::DriverTimeout { reason });
        }
        wait(period);
    }
}

/// Failures that a driver which is just creating the file will mend.
fn is_starting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::UnexpectedEof
    )
}

/// `None` when the driver is alive, else what is wrong.
fn await_heartbeat(
    cnc: &Cnc,
    timeout_ms: i64,
    deadline: Nanos,
    clock: &SystemClock,
    wait: &dyn Fn(Duration),
) -> Option<String> {
    let ring = cnc.to_driver();
    while ring.consumer_heartbeat() == EpochMillis(0) {
        if clock.tick().now.is_at_or_after(deadline) {
            return Some("no driver heartbeat detected".to_owned());
        }
        wait(READY_POLL_PERIOD);
    }
    let age_ms = clock.tick().epoch.since(ring.consumer_heartbeat());
    (age_ms > timeout_ms).then(|| match ring.consumer_heartbeat() {
        EpochMillis(-1) => "the driver was shut down".to_owned(),
        _ => format!("the driver's last heartbeat is {age_ms} ms old"),
    })
}

/// Starts the thread that drives a client's conductor; closing the client ends it.
fn start_conductor(
    mut invoker: ConductorInvoker,
    idler: Option<Idler>,
    idle_sleep: Duration,
) -> io::Result<()> {
    let slot: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
    let hooked = Arc::clone(&slot);
    invoker.on_closed(move || {
        let handle = hooked.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(handle) = handle else { return };
        handle.thread().unpark();
        // A client that one of its own callbacks closes must not wait for itself.
        if handle.thread().id() != thread::current().id() {
            let _ = handle.join();
        }
    });
    let mut idler = idler.unwrap_or_else(|| {
        Idler::Custom(Box::new(move |work| {
            if work == 0 {
                thread::park_timeout(idle_sleep);
            }
        }))
    });
    let builder = thread::Builder::new().name("aeron-client".to_owned());
    let handle = builder.spawn(move || {
        while !invoker.is_closed() {
            let work = invoker.do_work();
            idler.idle(work);
        }
    })?;
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_driver_connecting_ends_at_the_timeout_and_says_where_it_looked() {
        let directory = tempfile::tempdir().expect("a directory");
        let context = Context::new()
            .dir(directory.path())
            .driver_timeout(Duration::from_millis(50));
        let error = context.connect().expect_err("nobody there").to_string();
        assert!(
            error.contains(&directory.path().display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn a_cnc_file_of_garbage_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("cnc.dat");
        for byte in [0u8, 1, 0xA5, 0xFF] {
            std::fs::write(&path, vec![byte; 10_000]).expect("written");
            let context = Context::new()
                .dir(directory.path())
                .driver_timeout(Duration::from_millis(50));
            assert!(context.connect().is_err(), "a file of {byte:#x}");
        }
    }
}
