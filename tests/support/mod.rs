//! What the tests with real processes and real sockets share: directories, waiting under a
//! watchdog, child processes that play a role, counters by their id.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod child;
pub(crate) mod stream;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aileron::cnc::{Cnc, SystemCounter};
use aileron::driver::config::{DriverConfigBuilder, ThreadingMode};
use aileron::{Client, Context, DriverConfig, MediaDriver};
use tempfile::TempDir;

/// How long anything may take before the test gives up: far more than it needs on a busy machine.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(30);
/// Between looks at a condition.
const LOOK_PERIOD: Duration = Duration::from_millis(1);
/// What shared memory must have left for tests to use it.
const SHARED_MEMORY_MIN: u64 = 512 * 1024 * 1024;

/// A place for an aeron directory, removed afterwards: in shared memory where that is large enough.
pub(crate) fn place() -> TempDir {
    let shared = Path::new("/dev/shm");
    let is_large = aileron::sys::usable_space(shared).is_ok_and(|space| space > SHARED_MEMORY_MIN);
    let parent = if is_large {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("aileron-test-")
        .tempdir_in(parent)
        .expect("a temporary directory")
}

/// The aeron directory within a [`place`].
pub(crate) fn aeron_dir(place: &TempDir) -> PathBuf {
    place.path().join("aeron")
}

/// Looks at `condition` until it holds; panics with `what` when the watchdog bites.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, || condition().then_some(()));
}

/// Looks until there is something; panics with `what` when the watchdog bites.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < WATCHDOG, "waited in vain for: {what}");
        std::thread::sleep(LOOK_PERIOD);
    }
}

/// Properties of a driver that is small, on one thread, and quick to notice the dead; see
/// [`builder`]. Not too quick: busy machines stop a process for a second now and then.
pub(crate) const QUICK: &[&str] = &[
    "aeron.threading.mode=SHARED",
    "aeron.counters.buffer.length=1m",
    "aeron.term.buffer.length=64k",
    "aeron.ipc.term.buffer.length=64k",
    "aeron.timer.interval=20ms",
    "aeron.client.liveness.timeout=3s",
    "aeron.publication.unblock.timeout=3500ms",
    "aeron.publication.connection.timeout=2s",
    "aeron.publication.linger.timeout=200ms",
    "aeron.image.liveness.timeout=2s",
    "aeron.driver.timeout=1500",
];
/// How old the heartbeat of a [`QUICK`] driver may get.
pub(crate) const QUICK_DRIVER_TIMEOUT: Duration = Duration::from_millis(1500);

/// Settings of a [`QUICK`] driver, to be added to.
pub(crate) fn builder(dir: &Path) -> DriverConfigBuilder {
    let builder = DriverConfig::builder();
    let quick = QUICK
        .iter()
        .fold(builder, |builder, define| builder.define(define));
    quick.dir(dir).threading_mode(ThreadingMode::Shared)
}

/// [`builder`] for a driver whose streams must not break, however long the machine stops it.
pub(crate) fn patient_builder(dir: &Path) -> DriverConfigBuilder {
    builder(dir)
        .define("aeron.image.liveness.timeout=5s")
        .define("aeron.client.liveness.timeout=5s")
        .define("aeron.publication.unblock.timeout=6s")
        .define("aeron.publication.connection.timeout=5s")
}

/// A [`QUICK`] driver of this process.
pub(crate) fn launch(dir: &Path) -> MediaDriver {
    let config = builder(dir).build().expect("valid settings");
    MediaDriver::launch(config).expect("a driver")
}

/// Options of a client of a [`QUICK`] driver: it may take its time only where the driver may.
pub(crate) fn context(dir: &Path) -> Context {
    Context::new()
        .dir(dir)
        .driver_timeout(WATCHDOG)
        .configure(|config| config.keepalive_interval(Duration::from_millis(100)))
}

/// A client that tells nobody of its errors.
pub(crate) fn connect(dir: &Path) -> Client {
    context(dir).on_error(|_| {}).connect().expect("a client")
}

/// A port that nobody has at the moment. Whoever is to have it may lose it to somebody else before
/// he binds it, which is unlikely enough.
pub(crate) fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.local_addr().expect("its address").port()
}

/// Value of a system counter.
pub(crate) fn system_counter(cnc: &Cnc, counter: SystemCounter) -> i64 {
    cnc.counters()
        .value(counter.counter_id())
        .expect("a system counter")
}

/// The texts of the driver's error log.
pub(crate) fn error_texts(cnc: &Cnc) -> Vec<String> {
    let mut texts = Vec::new();
    aileron::concurrent::read_error_log(
        &cnc.error_log_buffer(),
        aileron::base::EpochMillis(0),
        |e| {
            texts.push(e.text.to_string());
        },
    );
    texts
}
