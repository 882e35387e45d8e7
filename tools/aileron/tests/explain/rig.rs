//! A driver in a directory of its own, looked at through its files.

use aileron::client::{Publication, Subscription};
use aileron::{Client, Context, DriverConfig, MediaDriver, StreamId};
use aileron_cli::Directory;
use aileron_cli::explain::{Cause, Explanation, Finding, Size};

use crate::patience::{self, PATIENCE};
pub(crate) use crate::patience::{fill, resolved, wait_until};
use crate::relay::{Relay, Way, has_data};

pub(crate) const STREAM: StreamId = StreamId(1001);
pub(crate) const LOOPBACK: &str = "aeron:udp?endpoint=127.0.0.1:0";
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
            .client_name("orders")
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
        patience::explain(&self.directory)
    }

    /// Explains until there is such a finding.
    pub(crate) fn expect(
        &self,
        cause: Cause,
        party: &str,
        size: impl Fn(Option<Size>) -> bool,
    ) -> Finding {
        patience::expect(&self.directory, cause, party, size)
    }

    /// As [`Self::expect`], of what makes the exit code 2.
    pub(crate) fn expect_stall(
        &self,
        cause: Cause,
        party: &str,
        size: impl Fn(Option<Size>) -> bool,
    ) -> Finding {
        let finding = self.expect(cause, party, size);
        assert!(finding.is_stall, "{finding:?}");
        finding
    }
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

/// A stream that flows, over a network that loses one datagram of data in twenty.
pub(crate) fn lossy_stream(rig: &Rig) -> (Relay, Busy) {
    let mut subscription = rig.subscribe(LOOPBACK);
    let mut count = 0;
    let relay = Relay::start(
        address(&subscription),
        std::time::Duration::ZERO,
        move |way, datagram| {
            let is_data = way == Way::ToReceiver && has_data(datagram);
            count += u32::from(is_data);
            !(is_data && count.is_multiple_of(20))
        },
    );
    let publication = rig.publish(&relay.channel());
    wait_connected(&publication);
    let traffic = Busy::start(move || {
        let _ = publication.offer(&[1; 1024]);
        subscription.poll(100, |_, _| {});
    });
    (relay, traffic)
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
