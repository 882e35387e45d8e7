//! Names that take their time: with a resolver of the test's own.

use std::net::IpAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aileron::cnc::{Cnc, SystemCounter};
use aileron::port::{NameResolver, ResolveError};
use aileron::{Context, MediaDriver, StreamId};

use crate::support::{self, system_counter, wait_for, wait_until};
use crate::world::{IPC, STREAM, config, free_port};

/// Does not answer before it is told to.
struct Slow(Receiver<()>);

impl NameResolver for Slow {
    fn resolve(&mut self, host: &str, _: bool) -> Result<IpAddr, ResolveError> {
        self.0
            .recv_timeout(support::WATCHDOG)
            .map_err(|error| ResolveError {
                name: host.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(IpAddr::from([127, 0, 0, 1]))
    }
}

fn resolver_counters(cnc: &Cnc) -> (i64, i64) {
    (
        system_counter(cnc, SystemCounter::NameResolverMaxTime),
        system_counter(cnc, SystemCounter::NameResolverTimeThresholdExceeded),
    )
}

#[test]
fn row_16_6_slow_look_up_is_counted_and_holds_up_nobody() {
    let place = support::place();
    let settings = [
        ("aeron.threading.mode", "DEDICATED"),
        ("aeron.name.resolver.threshold", "50ms"),
    ];
    let (answer, answers) = channel();
    let config = config(&support::aeron_dir(&place), &settings);
    let driver = MediaDriver::launch_with_resolver(config, Box::new(Slow(answers)));
    let driver = driver.expect("a driver");
    let client = Context::new()
        .dir(driver.directory())
        .driver_timeout(support::WATCHDOG)
        .connect()
        .expect("a client");
    let stream = StreamId(STREAM);
    let mut subscription = client.add_subscription(IPC, stream).expect("added");
    let publication = client.add_publication(IPC, stream).expect("added");
    wait_until("a connection", || publication.is_connected());

    let start = Instant::now();
    let named = format!("aeron:udp?endpoint=slow:{}", free_port());
    let mut pending = client.add_publication_async(&named, stream).expect("asked");
    let ring = driver.cnc().to_driver();
    let heartbeat = ring.consumer_heartbeat();
    // Many windows long: the conductor moves the limit, over and over.
    let (mut sent, mut received) = (0, 0);
    wait_until("a stream to go on", || {
        while sent < 2000 && publication.offer(&[7; 1000]).is_ok() {
            sent += 1;
        }
        received += subscription.poll(100, |_, _| {});
        received == 2000
    });
    wait_until("the driver to live", || {
        ring.consumer_heartbeat() > heartbeat
    });
    let is_long_enough = || start.elapsed() > Duration::from_millis(200);
    wait_until("the look-up to be a slow one", is_long_enough);
    assert!(pending.try_get().expect("no error").is_none());
    assert_eq!(resolver_counters(driver.cnc()).1, 0, "it is not over");
    answer.send(()).expect("somebody waits for it");
    wait_for("the publication", || pending.try_get().expect("no error"));
    let (max, exceeded) = resolver_counters(driver.cnc());
    assert!(max > 50_000_000, "{max}");
    assert_eq!(exceeded, 1);
}
