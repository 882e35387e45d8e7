//! Names of drivers, told by the drivers themselves, and names in a table.

use crate::base::CounterId;
use crate::cnc::SystemCounter;
use crate::cnc::counter_types::{
    NAME_ENTRY_TYPE_ID, NAME_RESOLVER_BOOTSTRAP_TYPE_ID, NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID,
    NAME_RESOLVER_NEIGHBORS_TYPE_ID,
};
use crate::concurrent::CounterRecord;
use crate::driver::DriverCoreError;
use crate::driver::config::{DriverConfig, NameResolverSupplier, PortRange};
use crate::driver::testing::{World, small_config};
use crate::logbuffer::HeapLogStore;
use crate::port::{BusyPoll, Network, TransportRole, TransportSpec};
use crate::sim::LinkFaults;

const S: i64 = 1_000_000_000;
const STREAM: i32 = 1001;

fn gossiping(name: &str, bootstrap: &[&str]) -> DriverConfig {
    DriverConfig {
        resolver_name: name.to_owned(),
        resolver_interface: "0.0.0.0:8050".to_owned(),
        resolver_bootstrap_neighbors: bootstrap.iter().map(|&text| text.to_owned()).collect(),
        resolver_neighbor_timeout_ns: 2 * S,
        ..small_config()
    }
}

fn add(world: &mut World, name: &str, bootstrap: &[&str]) {
    world.add_driver(gossiping(name, bootstrap), HeapLogStore::default());
}

fn records(world: &World, driver: usize, type_id: i32) -> Vec<CounterRecord> {
    let mut records = Vec::new();
    world.drivers[driver].cnc.counters().for_each(|record| {
        if record.type_id == type_id {
            records.push(record.clone());
        }
    });
    records
}

/// Neighbours and names that a driver knows.
fn known(world: &World, driver: usize) -> (i64, i64) {
    let of = |type_id| records(world, driver, type_id)[0].value;
    (
        of(NAME_RESOLVER_NEIGHBORS_TYPE_ID),
        of(NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID),
    )
}

fn all_know(world: &World, count: i64) -> bool {
    (0..world.drivers.len()).all(|driver| known(world, driver) == (count, count))
}

fn system(world: &World, driver: usize, counter: SystemCounter) -> i64 {
    world.drivers[driver].system(counter)
}

#[test]
fn counters_tell_who_is_known() {
    let mut world = World::empty();
    add(
        &mut world,
        "a",
        &["10.0.0.2:8050", "nowhere:8050", "10.0.0.77:8050"],
    );
    add(&mut world, "b", &["10.0.0.1:8050"]);
    world.run_until(|world| all_know(world, 1));
    world.run_ms(1100);
    let bootstrap = records(&world, 0, NAME_RESOLVER_BOOTSTRAP_TYPE_ID);
    let told: Vec<_> = bootstrap
        .iter()
        .map(|record| (record.label.as_str(), record.value, record.key[0]))
        .collect();
    assert_eq!(
        told,
        [
            (
                "Bootstrap neighbor: name=10.0.0.2:8050 resolved=10.0.0.2:8050",
                1,
                0
            ),
            ("Bootstrap neighbor: name=nowhere:8050 resolved=", 0, 1),
            (
                "Bootstrap neighbor: name=10.0.0.77:8050 resolved=10.0.0.77:8050",
                0,
                2
            ),
        ]
    );
    let label = |type_id| records(&world, 0, type_id)[0].label.clone();
    assert_eq!(
        label(NAME_RESOLVER_NEIGHBORS_TYPE_ID),
        "Resolver neighbors: bound 10.0.0.1:8050"
    );
    assert_eq!(
        label(NAME_RESOLVER_CACHE_ENTRIES_TYPE_ID),
        "Resolver cache entries: name=a"
    );
    let errors = world.drivers[0].errors();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("nowhere"), "{errors:?}");
    assert_eq!(system(&world, 0, SystemCounter::InvalidPackets), 0);
}

#[test]
fn who_knows_one_soon_knows_all_and_forgets_the_silent() {
    let mut world = World::empty();
    add(&mut world, "a", &["10.0.0.1:8050"]);
    add(&mut world, "b", &["10.0.0.1:8050"]);
    add(&mut world, "c", &["10.0.0.2:8050"]);
    world.run_until(|world| all_know(world, 2));
    add(&mut world, "d", &["10.0.0.3:8050"]);
    world.run_until(|world| all_know(world, 3));
    let mut gone = world.drivers.pop().expect("four");
    gone.close(crate::port::Tick::default());
    drop(gone);
    world.run_ms(6000);
    assert!(all_know(&world, 2));
}

#[test]
fn names_that_begin_alike_on_the_same_port_are_two() {
    let mut world = World::empty();
    add(&mut world, "A", &["10.0.0.2:8050"]);
    add(&mut world, "AA", &["10.0.0.1:8050"]);
    world.run_until(|world| all_know(world, 1));
    world.add_subscription_at(1, "aeron:udp?endpoint=10.0.0.2:4000", STREAM);
    world.add_publication("aeron:udp?endpoint=AA:4000", STREAM);
    world.await_image(1);
}

#[test]
fn a_name_of_a_driver_is_the_host_of_a_channel() {
    let mut world = World::empty();
    add(&mut world, "a", &["bootstrap:8050"]);
    add(&mut world, "b", &[]);
    world.names.insert("bootstrap", [10, 0, 0, 2]);
    world.run_until(|world| all_know(world, 1));
    world.add_subscription_at(1, "aeron:udp?endpoint=b:4000|interface=10.0.0.2", STREAM);
    let ready = world.add_publication("aeron:udp?endpoint=b:4000", STREAM);
    world.await_image(1);
    world.run_until(|world| world.drivers[0].log(&ready.path).is_connected());
}

#[test]
fn a_driver_that_comes_back_elsewhere_is_followed() {
    let mut world = World::empty();
    add(&mut world, "a", &["10.0.0.2:8050"]);
    add(&mut world, "b", &[]);
    world.run_until(|world| all_know(world, 1));
    world.add_subscription_at(1, "aeron:udp?endpoint=10.0.0.2:4000", STREAM);
    world.add_publication("aeron:udp?endpoint=b:4000", STREAM);
    world.await_image(1);
    add(&mut world, "b", &["10.0.0.1:8050"]);
    let mut gone = world.drivers.remove(1);
    gone.close(crate::port::Tick::default());
    drop(gone);
    world.add_subscription_at(1, "aeron:udp?endpoint=10.0.0.3:4000", STREAM);
    world.await_image(1);
    assert_eq!(system(&world, 0, SystemCounter::ResolutionChanges), 1);
}

#[test]
fn bootstrap_neighbours_that_are_gone_are_looked_up_again() {
    let mut world = World::empty();
    let config = DriverConfig {
        resolver_bootstrap_neighbor_resolution_interval_ns: S,
        ..gossiping("a", &["just:wrong", "bootstrap:8050"])
    };
    world.add_driver(config, HeapLogStore::default());
    add(&mut world, "b", &[]);
    world.run_ms(1500);
    assert_eq!(known(&world, 0), (0, 0));
    world.names.insert("bootstrap", [10, 0, 0, 2]);
    world.run_until(|world| all_know(world, 1));
    let bootstrap = records(&world, 0, NAME_RESOLVER_BOOTSTRAP_TYPE_ID);
    assert_eq!(
        bootstrap[1].label,
        "Bootstrap neighbor: name=bootstrap:8050 resolved=10.0.0.2:8050"
    );
}

#[test]
fn hostile_frames_are_counted() {
    let mut world = World::empty();
    add(&mut world, "a", &[]);
    let mut other = world.network.host([10, 0, 0, 66].into());
    let spec = TransportSpec {
        role: TransportRole::Send,
        bind: ([10, 0, 0, 66], 0).into(),
        connect: None,
        multicast: None,
        socket_sndbuf_length: 0,
        socket_rcvbuf_length: 0,
        media_timestamps: false,
        receive_batch: 1,
        segment_offload: false,
        busy_poll: BusyPoll::default(),
    };
    let mut socket = other.open(&spec).expect("opened");
    let cut_off = [
        24, 0, 0, 0, 0, 0, 7, 0, 1, 0x80, 0x72, 0x1f, 0, 0, 0, 0, 10, 0, 0, 66, 0xff, 0, b'x', 0,
    ];
    let mut send = |bytes: &[u8]| {
        use crate::port::Transport as _;
        let to = ([10, 0, 0, 1], 8050).into();
        assert_eq!(socket.send(Some(to), &[bytes]).expect("sent"), 1);
    };
    for datagram in [&cut_off[..], &[1, 2, 3], &[0xff; 100], &cut_off[..8]] {
        send(datagram);
    }
    world.run_until(|world| system(world, 0, SystemCounter::InvalidPackets) == 4);
    assert_eq!(known(&world, 0), (0, 0));
}

#[test]
fn gossip_gets_through_a_bad_network() {
    let mut world = World::empty();
    world.network.set_default_faults(LinkFaults {
        loss_ppm: 300_000,
        duplicate_ppm: 100_000,
        reorder_ppm: 100_000,
        reorder_ns: 50_000_000,
        corrupt_ppm: 100_000,
        refuse_ppm: 50_000,
        ..LinkFaults::default()
    });
    for (name, bootstrap) in [("a", "2"), ("b", "3"), ("c", "4"), ("d", "1")] {
        let config = DriverConfig {
            resolver_neighbor_timeout_ns: 10 * S,
            ..gossiping(name, &[&format!("10.0.0.{bootstrap}:8050")])
        };
        world.add_driver(config, HeapLogStore::default());
    }
    world.run_until(|world| all_know(world, 3));
    world.run_ms(10_000);
    assert!(all_know(&world, 3));
    let all = |counter| {
        (0..4)
            .map(|driver| system(&world, driver, counter))
            .sum::<i64>()
    };
    assert!(all(SystemCounter::InvalidPackets) > 0, "garbage is counted");
    assert!(
        all(SystemCounter::ShortSends) > 0,
        "and so is what does not get out"
    );
    assert!((0..4).all(|driver| world.drivers[driver].errors().is_empty()));
}

#[test]
fn an_open_port_comes_from_the_range_of_receivers() {
    let mut world = World::empty();
    let config = DriverConfig {
        resolver_interface: "10.0.0.1".to_owned(),
        receiver_wildcard_port_range: Some(PortRange {
            low: 9000,
            high: 9001,
        }),
        ..gossiping("a", &[])
    };
    world.add_driver(config, HeapLogStore::default());
    let label = &records(&world, 0, NAME_RESOLVER_NEIGHBORS_TYPE_ID)[0].label;
    assert_eq!(label, "Resolver neighbors: bound 10.0.0.1:9000");
    world.add_subscription("aeron:udp?endpoint=10.0.0.1:0", STREAM);
    let bound = records(&world, 0, crate::cnc::counter_types::LOCAL_SOCKADDR_TYPE_ID);
    assert!(
        bound[0].label.ends_with(" 10.0.0.1:9001"),
        "{}",
        bound[0].label
    );
}

#[test]
fn an_interface_that_cannot_be_had_is_named() {
    let mut world = World::empty();
    for interface in ["10.9.9.9:8050", "10.0.0.1:8050"] {
        let config = DriverConfig {
            resolver_interface: interface.to_owned(),
            ..gossiping("a", &[])
        };
        let made = world.try_driver(config);
        if interface == "10.9.9.9:8050" {
            let error = made.expect_err("nobody's address");
            assert!(matches!(error, DriverCoreError::ResolverInterface { .. }));
            assert!(error.to_string().contains(interface), "{error}");
        } else {
            made.expect("its own");
        }
    }
}

#[test]
fn a_name_in_the_table_moves_when_its_counter_says_so() {
    let mut world = World::empty();
    let config = DriverConfig {
        name_resolver: NameResolverSupplier::CsvTable,
        name_resolver_init_args: "feed,10.0.0.2,10.0.0.3".to_owned(),
        ..small_config()
    };
    world.add_driver(config, HeapLogStore::default());
    world.add_driver(small_config(), HeapLogStore::default());
    world.add_driver(small_config(), HeapLogStore::default());
    let endpoint = |host: u8| format!("aeron:udp?endpoint=10.0.0.{host}:4000");
    world.add_subscription_at(1, &endpoint(2), STREAM);
    world.add_subscription_at(2, &endpoint(3), STREAM);
    world.add_publication("aeron:udp?endpoint=feed:4000", STREAM);
    world.await_image(1);
    let id: CounterId = records(&world, 0, NAME_ENTRY_TYPE_ID)[0].id;
    world.drivers[0].counter(id).set(1);
    // The receiver falls silent, so the name is looked up again.
    world.drivers.swap(1, 2);
    let mut gone = world.drivers.pop().expect("three");
    gone.close(crate::port::Tick::default());
    drop(gone);
    world.await_image(1);
    assert_eq!(system(&world, 0, SystemCounter::ResolutionChanges), 1);
}
