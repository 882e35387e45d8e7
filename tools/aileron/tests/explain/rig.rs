//! A driver in a directory of its own, looked at through its files.

use std::time::{Duration, Instant};

use aileron::client::{Publication, Subscription};
use aileron::{Client, Context, DriverConfig, MediaDriver, StreamId};
use aileron_cli::Directory;
use aileron_cli::commands::explain::watch;
use aileron_cli::explain::{Cause, Explanation, Finding};

pub(crate) const STREAM: StreamId = StreamId(1001);
pub(crate) const LOOPBACK: &str = "aeron:udp?endpoint=127.0.0.1:0";
/// Until something that a test brought about shows.
const PATIENCE: Duration = Duration::from_secs(20);
/// As long as an explanation may take.
const SECOND: Duration = Duration::from_secs(1);
/// As long as it watches.
const PERIOD: Duration = Duration::from_millis(150);

pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) directory: Directory,
    pub(crate) driver: MediaDriver,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    /// A driver with some properties.
    pub(crate) fn with(properties: &[&str]) -> Self {
        let mut builder = DriverConfig::builder();
        for property in properties {
            builder = builder.define(property);
        }
        Self::of(builder.build().expect("a legal configuration"))
    }

    pub(crate) fn of(config: DriverConfig) -> Self {
        let driver = MediaDriver::launch_embedded(config).expect("a driver");
        let directory = Directory::open(driver.directory(), PATIENCE).expect("its files");
        let client = Context::new()
            .dir(driver.directory())
            .client_name("scenario")
            .connect()
            .expect("a client");
        Self {
            client,
            directory,
            driver,
        }
    }

    pub(crate) fn subscribe(&self, channel: &str) -> Subscription {
        self.client
            .add_subscription(channel, STREAM)
            .expect("a subscription")
    }

    pub(crate) fn publish(&self, channel: &str) -> Publication {
        self.client
            .add_publication(channel, STREAM)
            .expect("a publication")
    }

    /// One explanation, in time.
    pub(crate) fn explain(&self) -> Explanation {
        let start = Instant::now();
        let explanation = watch(&self.directory, PERIOD);
        let elapsed = start.elapsed();
        assert!(elapsed < SECOND, "it took {elapsed:?}");
        explanation
    }

    /// Explains until a finding suits; what was brought about may take its time, not the
    /// explanation.
    pub(crate) fn expect(&self, cause: Cause, suits: impl Fn(&Finding) -> bool) -> Finding {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let explanation = self.explain();
            let mut findings = explanation.findings.iter();
            if let Some(finding) = findings.find(|f| f.cause == cause && suits(f)) {
                assert!(
                    !finding.what.is_empty() && !finding.advice.is_empty(),
                    "{finding:?}"
                );
                assert!(!finding.party.is_empty(), "{finding:?}");
                return finding.clone();
            }
            assert!(
                Instant::now() < deadline,
                "no {cause}: {:#?}",
                explanation.findings
            );
        }
    }

    /// As [`Self::expect`], of what makes the exit code 2.
    pub(crate) fn expect_stall(&self, cause: Cause) -> Finding {
        self.expect(cause, |finding| finding.is_stall)
    }
}

/// Waits for what a test needs before its scenario begins.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// The channel that a subscription is reached on.
pub(crate) fn resolved(subscription: &Subscription) -> String {
    let mut channel = None;
    wait_until("the bound address", || {
        channel = subscription.resolved_channel();
        channel.is_some()
    });
    channel.expect("it is bound")
}

/// The `ip:port` of such a channel.
pub(crate) fn address(subscription: &Subscription) -> std::net::SocketAddr {
    let mut address = None;
    wait_until("the bound address", || {
        address = subscription.resolved_endpoint();
        address.is_some()
    });
    address.expect("it is bound")
}

pub(crate) fn wait_connected(publication: &Publication) {
    wait_until("a connection", || publication.is_connected());
}

/// Offers until nothing more is taken for a while; returns the bytes taken.
pub(crate) fn fill(publication: &Publication) -> usize {
    let message = [7; 1024];
    let mut bytes = 0;
    let mut refused = Instant::now();
    while refused.elapsed() < Duration::from_millis(100) {
        if publication.offer(&message).is_ok() {
            bytes += message.len();
            refused = Instant::now();
        } else {
            std::thread::yield_now();
        }
    }
    bytes
}

/// A thread that does something over and over until dropped.
pub(crate) struct Busy {
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Busy {
    pub(crate) fn start(mut work: impl FnMut() + Send + 'static) -> Self {
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = std::sync::Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                work();
                std::thread::yield_now();
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
