//! Drivers of both sides that tell each other their names.

use crate::harness::{Driver, Media, Session, Side, free_port};

/// Counter types: neighbours, names, bootstrap neighbours.
const NEIGHBORS: i32 = 15;
const CACHE_ENTRIES: i32 = 16;
const BOOTSTRAP: i32 = 21;

/// A driver that gossips.
struct Named {
    driver: Driver,
    name: &'static str,
    port: u16,
}

impl Named {
    fn launch(side: Side, name: &'static str, bootstrap: Option<&Self>) -> Self {
        Self::launch_at("127.0.0.1", side, name, bootstrap)
    }

    fn launch_at(host: &str, side: Side, name: &'static str, bootstrap: Option<&Self>) -> Self {
        let port = free_port();
        let interface = format!("{host}:{port}");
        // A driver that knows nobody yet knows itself.
        let first = bootstrap.map_or(port, |bootstrap| bootstrap.port);
        let first = format!("{host}:{first}");
        let settings = [
            ("aeron.name.resolver.supplier", "driver"),
            ("aeron.driver.resolver.name", name),
            ("aeron.driver.resolver.interface", &interface),
            ("aeron.driver.resolver.bootstrap.neighbor", &first),
            ("aeron.driver.resolver.neighbor.timeout", "3s"),
            ("aeron.driver.resolver.self.resolution.interval", "200ms"),
            (
                "aeron.driver.resolver.neighbor.resolution.interval",
                "300ms",
            ),
        ];
        let driver = Driver::launch(side, &settings);
        Self { driver, name, port }
    }

    /// Waits until the driver knows so many others.
    fn await_others(&self, count: i64) {
        let has = |counters: &[crate::harness::Counter], type_id| {
            counters
                .iter()
                .any(|counter| counter.type_id == type_id && counter.value == count)
        };
        self.driver.counters_when(Side::Theirs, |counters| {
            has(counters, NEIGHBORS) && has(counters, CACHE_ENTRIES)
        });
    }

    /// Messages from here to a subscriber at the other driver, which is called by its name.
    fn send_to(&self, other: &Self, stream: i32) {
        self.send_over(Media::UdpV4, other, stream);
    }

    fn send_over(&self, media: Media, other: &Self, stream: i32) {
        let session = Session {
            publisher: self.driver.side(),
            publisher_driver: &self.driver,
            subscriber: other.driver.side(),
            subscriber_driver: &other.driver,
            media,
            exclusive: false,
            claim: false,
            count: 100,
            sizes: &[32, 1377, 8 << 10],
            stream,
            publication_parameters: "",
            subscription_parameters: "",
        };
        let (subscriber, endpoint) = session.start_subscriber();
        let (_, port) = endpoint.rsplit_once(':').expect("address:port");
        let named = format!("{}:{port}", other.name);
        let mut running = session.start_publisher(subscriber, named);
        running.await_all_messages();
        running.finish();
    }
}

/// Two drivers, of which the second is told where the first is.
fn two(first: Side, second: Side) {
    let first = Named::launch(first, "md-first", None);
    let second = Named::launch(second, "md-second", Some(&first));
    first.await_others(1);
    second.await_others(1);
    first.send_to(&second, 9001);
    second.send_to(&first, 9002);
    second.driver.counters_when(Side::Ours, |counters| {
        counters.iter().any(|counter| {
            let label = format!(
                "Bootstrap neighbor: name=127.0.0.1:{port} resolved=127.0.0.1:{port}",
                port = first.port
            );
            counter.type_id == BOOTSTRAP && counter.value == 1 && counter.label == label
        })
    });
    first.driver.stop();
    second.driver.stop();
}

#[test]
fn names_ours_told_where_theirs_is() {
    two(Side::Theirs, Side::Ours);
}

#[test]
fn names_theirs_told_where_ours_is() {
    two(Side::Ours, Side::Theirs);
}

/// The outer two hear of each other through the middle one, and forget it when it dies.
fn chain(outer: Side, middle: Side) {
    let left = Named::launch(outer, "md-left", None);
    let centre = Named::launch(middle, "md-centre", Some(&left));
    let right = Named::launch(outer, "md-right", Some(&centre));
    for driver in [&left, &centre, &right] {
        driver.await_others(2);
    }
    left.send_to(&right, 9003);
    right.send_to(&centre, 9004);
    centre.driver.kill();
    for driver in [&left, &right] {
        driver.await_others(1);
    }
    right.send_to(&left, 9005);
    left.driver.stop();
    right.driver.stop();
}

#[test]
fn names_pass_through_their_driver() {
    chain(Side::Ours, Side::Theirs);
}

#[test]
fn names_pass_through_our_driver() {
    chain(Side::Theirs, Side::Ours);
}

/// Entries of the other type. The C driver passes them on and resolves none of them, ours does.
#[test]
fn names_over_ipv6() {
    let theirs = Named::launch_at("[::1]", Side::Theirs, "md-theirs", None);
    let ours = Named::launch_at("[::1]", Side::Ours, "md-ours", Some(&theirs));
    ours.await_others(1);
    theirs.await_others(1);
    ours.send_over(Media::UdpV6, &theirs, 9006);
    ours.driver.stop();
    theirs.driver.stop();
}
