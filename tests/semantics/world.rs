//! A driver for a row: aileron's, in this process, on a directory of its own, with small terms.
//! Whatever its error log holds at the end, the row must have expected.
#![allow(
    dead_code,
    reason = "each executable that includes the rows uses a part of it"
)]

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aileron::cnc::Cnc;
pub(crate) use aileron::cnc::SystemCounter;
use aileron::{DriverConfig, MediaDriver};
use tempfile::TempDir;

use crate::peer::{Client, ClientOptions, Publication, Subscription};
pub(crate) use crate::support::{free_port, wait_for, wait_until};

/// Stream of rows that need one.
pub(crate) const STREAM: i32 = 1001;
/// Shared memory.
pub(crate) const IPC: &str = "aeron:ipc";

/// A small driver that notices things soon, but not so soon that a busy machine confuses it.
const DEFAULTS: &[(&str, &str)] = &[
    ("aeron.threading.mode", "SHARED"),
    ("aeron.counters.buffer.length", "1m"),
    ("aeron.term.buffer.length", "64k"),
    ("aeron.ipc.term.buffer.length", "64k"),
    ("aeron.timer.interval", "20ms"),
    ("aeron.client.liveness.timeout", "10s"),
    ("aeron.publication.unblock.timeout", "11s"),
    ("aeron.publication.connection.timeout", "5s"),
    ("aeron.publication.linger.timeout", "200ms"),
    ("aeron.image.liveness.timeout", "5s"),
];

/// Variable of the environment with the threading mode of rows that do not say theirs.
const THREADING_MODE: &str = "AILERON_THREADING_MODE";
/// The names of the threading modes.
pub(crate) const THREADING_MODES: &[&str] = &["DEDICATED", "SHARED_NETWORK", "SHARED", "INVOKER"];

/// A driver, and the place where it lives. Dropping it closes the driver and looks at its errors.
pub(crate) struct World {
    driver: Option<MediaDriver>,
    expected: RefCell<Vec<String>>,
    dir: PathBuf,
    place: TempDir,
}

impl World {
    /// Launches a driver with `settings` (properties by name) over the defaults.
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(crate::support::place(), settings)
    }

    /// Launches a driver in a place that the row has prepared.
    pub(crate) fn start_in(place: TempDir, settings: &[(&str, &str)]) -> Self {
        let dir = crate::support::aeron_dir(&place);
        let driver = MediaDriver::launch(config(&dir, settings)).expect("a driver");
        Self {
            driver: Some(driver),
            expected: RefCell::default(),
            dir,
            place,
        }
    }

    /// The aeron directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the aeron directory is in, for files of the row.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    /// The driver.
    pub(crate) fn driver(&self) -> &MediaDriver {
        self.driver.as_ref().expect("a driver that still runs")
    }

    /// The CnC file.
    pub(crate) fn cnc(&self) -> &Cnc {
        self.driver().cnc()
    }

    /// Connects a client.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.dir)
    }

    /// Connects a client with options.
    pub(crate) fn client_with(&self, options: &ClientOptions) -> Client {
        Client::connect_with(&self.dir, options)
    }

    /// Value of a system counter.
    pub(crate) fn system_counter(&self, counter: SystemCounter) -> i64 {
        crate::support::system_counter(self.cnc(), counter)
    }

    /// The texts of the distinct error log.
    pub(crate) fn errors(&self) -> Vec<String> {
        crate::support::error_texts(self.cnc())
    }

    /// Says that the error log may hold errors with `words` in them.
    pub(crate) fn expect_error(&self, words: &str) {
        self.expected.borrow_mut().push(words.to_owned());
    }

    /// Waits until the error log holds an error with `words` in it, which is then expected.
    pub(crate) fn await_error(&self, words: &str) {
        self.expect_error(words);
        wait_until(&format!("an error with {words:?}"), || {
            self.errors().iter().any(|text| text.contains(words))
        });
    }

    /// Closes the driver, once its errors are looked at.
    pub(crate) fn close_driver(&mut self) {
        self.check();
        if let Some(driver) = self.driver.take() {
            driver.close();
        }
    }

    fn check(&self) {
        if self.driver.is_none() {
            return;
        }
        let expected = self.expected.borrow();
        let mut unexpected = self.errors();
        unexpected.retain(|text| !expected.iter().any(|words| text.contains(words.as_str())));
        assert!(
            unexpected.is_empty(),
            "the driver's errors: {unexpected:#?}"
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dump();
        } else {
            self.check();
        }
    }
}

impl World {
    /// Shows the state that a failed row leaves.
    fn dump(&self) {
        let Some(driver) = &self.driver else { return };
        eprintln!(
            "errors of the driver: {:#?}",
            crate::support::error_texts(driver.cnc())
        );
        driver.cnc().counters().for_each(|record| {
            if record.value != 0 || record.type_id != 0 {
                let (id, value, label) = (record.id, record.value, &record.label);
                eprintln!("counter {id}: {value} {label}");
            }
        });
    }
}

/// A valid configuration on `dir`.
pub(crate) fn config(dir: &Path, settings: &[(&str, &str)]) -> DriverConfig {
    let mode = std::env::var(THREADING_MODE).ok();
    let mode = mode.as_deref().map(|mode| ("aeron.threading.mode", mode));
    let all = DEFAULTS.iter().chain(&mode).chain(settings);
    let builder = all.fold(DriverConfig::builder(), |builder, (name, value)| {
        builder.define(&format!("{name}={value}"))
    });
    builder.dir(dir).build().expect("valid settings")
}

/// A unicast channel on a port that nobody has at the moment.
pub(crate) fn udp() -> String {
    format!("aeron:udp?endpoint=localhost:{}", free_port())
}

/// A multicast channel on the loopback interface, on a port that nobody has at the moment.
pub(crate) fn multicast() -> String {
    let port = free_port();
    format!("aeron:udp?endpoint=224.20.30.39:{port}|interface=localhost")
}

/// Waits until a publication and a subscription are connected, polling nothing.
pub(crate) fn await_connection(publication: &Publication, subscription: &Subscription) {
    wait_until("a connection", || {
        publication.is_connected()
            && subscription
                .image_by_session(publication.session_id())
                .is_some()
    });
}

/// Offers until it is sent; returns the position.
pub(crate) fn send(publication: &Publication, message: &[u8]) -> i64 {
    wait_for("room for a message", || {
        let offered = publication.offer(message);
        assert!(
            offered.position().is_some() || offered.is_retryable(),
            "{offered:?}"
        );
        offered.position()
    })
}

/// Polls whole messages until there are `count`.
pub(crate) fn receive(subscription: &Subscription, count: usize) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    wait_until(&format!("{count} messages"), || {
        subscription.poll_assembled(count - messages.len().min(count), |bytes, _| {
            messages.push(bytes.to_vec());
        });
        messages.len() >= count
    });
    messages
}

/// Whether nothing happens for a while; for what must not come.
pub(crate) fn stays(quiet: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = std::time::Instant::now();
    while start.elapsed() < quiet {
        if !holds() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

/// The path of this module's [`role`] for [`crate::support::child::Child::start`].
pub(crate) const ROLE: &str = "world::role";

/// Starts a process that plays a role of the rows.
pub(crate) fn start_role(
    role: &str,
    dir: &Path,
    arguments: &[&str],
) -> crate::support::child::Child {
    crate::support::child::Child::start(ROLE, role, dir, arguments)
}

/// In a process that a row started: plays what it was started for.
#[test]
fn role() {
    if let Some(part) = crate::support::child::part() {
        crate::rows::play(&part);
    }
}
