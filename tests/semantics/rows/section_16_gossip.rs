//! Drivers that tell each other their names.

use aileron::MediaDriver;

use crate::peer::*;
use crate::world::*;

/// Counter types: neighbours, names, bootstrap neighbours.
const NEIGHBORS: i32 = 15;
const CACHE_ENTRIES: i32 = 16;
const BOOTSTRAP: i32 = 21;

/// A driver with a name, and a client that looks at its counters.
struct Named {
    client: Client,
    world: World,
    /// Where it gossips.
    address: String,
}

impl Named {
    /// Starts a driver that is told of the others in `bootstrap` (`host:port,…`).
    fn start(name: &str, bootstrap: &str) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let world = World::start(&[
            ("aeron.driver.resolver.name", name),
            ("aeron.driver.resolver.interface", &address),
            ("aeron.driver.resolver.bootstrap.neighbor", bootstrap),
            ("aeron.driver.resolver.neighbor.timeout", "2s"),
            ("aeron.driver.resolver.self.resolution.interval", "200ms"),
            (
                "aeron.driver.resolver.neighbor.resolution.interval",
                "200ms",
            ),
            (
                "aeron.driver.resolver.bootstrap.neighbor.resolution.interval",
                "1s",
            ),
        ]);
        let client = world.client();
        Self {
            client,
            world,
            address,
        }
    }

    fn counters(&self, type_id: i32) -> Vec<CounterView> {
        let mut counters = self.client.counters();
        counters.retain(|counter| counter.type_id == type_id);
        counters
    }

    /// Whether it knows so many other drivers, and where they are.
    fn knows(&self, count: i64) -> bool {
        let value = |type_id| self.counters(type_id)[0].value;
        value(NEIGHBORS) == count && value(CACHE_ENTRIES) == count
    }
}

/// Until each driver knows all others.
fn await_all(drivers: &[&Named]) {
    let others = i64::try_from(drivers.len()).expect("few") - 1;
    wait_until("all to know each other", || {
        drivers.iter().all(|driver| driver.knows(others))
    });
}

/// Messages from one driver to another, which is called by its name.
fn send_by_name(from: &Named, to: &Named, name: &str) {
    let port = free_port();
    let channel = |host: &str| format!("aeron:udp?endpoint={host}:{port}");
    let subscription = to
        .client
        .add_subscription(&channel("127.0.0.1"), STREAM)
        .expect("added");
    let publication = from
        .client
        .add_publication(&channel(name), STREAM)
        .expect("the name is known");
    await_connection(&publication, &subscription);
    send(&publication, b"by name");
    assert_eq!(receive(&subscription, 1), [b"by name"]);
}

#[test]
fn row_16_8_counters_of_names() {
    let first = Named::start("first", "");
    let silent = format!("127.0.0.1:{}", free_port());
    let second = Named::start("second", &format!("{},{silent}", first.address));
    await_all(&[&first, &second]);
    wait_until("the bootstrap neighbour to be marked", || {
        second.counters(BOOTSTRAP)[0].value == 1
    });
    let bootstrap = second.counters(BOOTSTRAP);
    assert_eq!(bootstrap.len(), 2);
    assert_eq!(bootstrap[1].value, 0);
    let label = |address: &str| format!("Bootstrap neighbor: name={address} resolved={address}");
    assert_eq!(bootstrap[0].label, label(&first.address));
    assert_eq!(bootstrap[1].label, label(&silent));
    let bound = format!("Resolver neighbors: bound {}", second.address);
    assert_eq!(second.counters(NEIGHBORS)[0].label, bound);
    let named = "Resolver cache entries: name=second";
    assert_eq!(second.counters(CACHE_ENTRIES)[0].label, named);
    assert_eq!(first.counters(BOOTSTRAP).len(), 0);
}

#[test]
fn row_16_9_two_three_and_a_late_fourth() {
    let first = Named::start("first", "");
    let second = Named::start("second", &first.address);
    await_all(&[&first, &second]);
    let third = Named::start("third", &second.address);
    await_all(&[&first, &second, &third]);
    let fourth = Named::start("fourth", &first.address);
    await_all(&[&first, &second, &third, &fourth]);
}

#[test]
fn row_16_10_name_of_a_driver_as_host() {
    let first = Named::start("first.driver", "");
    let second = Named::start("second.driver", &first.address);
    await_all(&[&first, &second]);
    send_by_name(&first, &second, "second.driver");
    send_by_name(&second, &first, "first.driver");
    let refused = first
        .client
        .add_publication("aeron:udp?endpoint=third..driver:1", STREAM)
        .map(drop)
        .expect_err("nobody has that name");
    refused.assert(code::UNKNOWN_HOST, &["third..driver"]);
    first.world.expect_error("third..driver");
}

#[test]
fn row_16_11_the_silent_are_forgotten() {
    let first = Named::start("first", "");
    let second = Named::start("second", &first.address);
    let third = Named::start("third", &second.address);
    await_all(&[&first, &second, &third]);
    // The first has heard of the third from the second alone.
    drop(third);
    await_all(&[&first, &second]);
    drop(first);
    await_all(&[&second]);
}

#[test]
fn row_16_12_whoever_of_the_bootstrap_neighbours_is_there() {
    let first = Named::start("first", "");
    let second = Named::start("second", &first.address);
    let bootstrap = format!(
        "just:wrong,not..a..host:8050,{},{}",
        first.address, second.address
    );
    let third = Named::start("third", &bootstrap);
    for bad in ["just:wrong", "not..a..host"] {
        third.world.await_error(bad);
    }
    await_all(&[&first, &second, &third]);
    drop(first);
    await_all(&[&second, &third]);
    let late = Named::start("late", &bootstrap);
    for bad in ["just:wrong", "not..a..host"] {
        late.world.expect_error(bad);
    }
    await_all(&[&second, &third, &late]);
    send_by_name(&third, &late, "late");
}

#[test]
fn row_16_14_interface_that_cannot_be_bound() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let taken = socket.local_addr().expect("its address");
    let place = crate::support::place();
    for interface in ["192.0.2.77:8050".to_owned(), taken.to_string()] {
        let dir = place.path().join("aeron");
        let settings = [
            ("aeron.driver.resolver.name", "first"),
            ("aeron.driver.resolver.interface", &*interface),
        ];
        let launched = MediaDriver::launch(config(&dir, &settings));
        let error = launched.map(MediaDriver::close).expect_err(&interface);
        assert!(error.to_string().contains(&interface), "{error}");
    }
}
