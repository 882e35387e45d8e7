//! Names that lead elsewhere after a while, and how long finding out takes. A name of the driver's
//! table has two addresses, and a counter that says which of them counts.

use std::time::{Duration, Instant};

use aileron::cnc::counter_types::{NAME_ENTRY_TYPE_ID, NameEntryKey};

use crate::peer::*;
use crate::world::*;

/// The name, and where it leads: both are this machine.
const TABLE: &[(&str, &str)] = &[
    ("aeron.name.resolver.supplier", "csv_table"),
    (
        "aeron.name.resolver.init.args",
        "moving,127.0.0.1,127.0.0.2",
    ),
    ("aeron.publication.connection.timeout", "2s"),
    ("aeron.image.liveness.timeout", "2s"),
];

/// What the counter of the name says.
#[derive(Clone, Copy)]
enum Leads {
    Nowhere = -1,
    ToFirst = 0,
    ToSecond = 1,
}

fn lead(world: &World, where_to: Leads) {
    let key = NameEntryKey {
        name: "moving".to_owned(),
    };
    let counters = world.cnc().counters();
    let id = counters
        .find_by_type_and_key(NAME_ENTRY_TYPE_ID, &key.encode())
        .expect("the name has a counter");
    let counter = counters.counter(id).expect("in use");
    counter.set(where_to as i64);
}

fn changes(world: &World) -> i64 {
    world.system_counter(SystemCounter::ResolutionChanges)
}

/// A subscription at the first or the second address.
fn subscribe_at(client: &Client, host: u8, port: u16) -> Subscription {
    let channel = format!("aeron:udp?endpoint=127.0.0.{host}:{port}");
    client.add_subscription(&channel, STREAM).expect("added")
}

/// Until what is offered now arrives there.
fn await_delivery(publication: &Publication, subscription: &Subscription, message: &[u8]) {
    wait_until("a connection to where the name leads", || {
        subscription.is_connected() && publication.is_connected()
    });
    wait_until("the message", || {
        publication.offer(message);
        let mut has_arrived = false;
        subscription.poll(10, |bytes, _| has_arrived |= bytes == message);
        has_arrived
    });
}

#[test]
fn row_16_1_endpoint_that_moved_is_found_once_its_receivers_are_gone() {
    let world = World::start(TABLE);
    let (client, port) = (world.client(), free_port());
    let first = subscribe_at(&client, 1, port);
    let channel = format!("aeron:udp?endpoint=moving:{port}");
    let publication = client.add_publication(&channel, STREAM).expect("added");
    await_delivery(&publication, &first, b"first");
    lead(&world, Leads::ToSecond);
    let second = subscribe_at(&client, 2, port);
    assert_eq!(changes(&world), 0, "nobody asks while receivers answer");
    first.close();
    await_delivery(&publication, &second, b"second");
    assert_eq!(changes(&world), 1);
}

#[test]
fn row_16_2_endpoint_moves_back() {
    let world = World::start(TABLE);
    let (client, port) = (world.client(), free_port());
    lead(&world, Leads::ToSecond);
    let second = subscribe_at(&client, 2, port);
    let channel = format!("aeron:udp?endpoint=moving:{port}");
    let publication = client.add_publication(&channel, STREAM).expect("added");
    await_delivery(&publication, &second, b"there");
    second.close();
    for (count, host, where_to) in [(1, 1, Leads::ToFirst), (2, 2, Leads::ToSecond)] {
        lead(&world, where_to);
        let subscription = subscribe_at(&client, host, port);
        await_delivery(&publication, &subscription, &[host]);
        assert_eq!(changes(&world), count);
        subscription.close();
    }
}

#[test]
fn row_16_3_manual_destination_is_found_and_followed() {
    let world = World::start(TABLE);
    // Each vain attempt is on record.
    world.expect_error("moving");
    let (client, port) = (world.client(), free_port());
    lead(&world, Leads::Nowhere);
    let channel = "aeron:udp?control-mode=manual";
    let publication = client.add_publication(channel, STREAM).expect("added");
    let destination = format!("aeron:udp?endpoint=moving:{port}");
    publication
        .add_destination(&destination)
        .expect("may come yet");
    let first = subscribe_at(&client, 1, port);
    assert!(stays(Duration::from_millis(500), || {
        publication.offer(b"too early") == Offered::NotConnected
    }));
    lead(&world, Leads::ToFirst);
    await_delivery(&publication, &first, b"first");
    let before = changes(&world);
    assert!(before >= 1);
    first.close();
    lead(&world, Leads::ToSecond);
    let second = subscribe_at(&client, 2, port);
    await_delivery(&publication, &second, b"second");
    assert_eq!(changes(&world), before + 1);
}

/// Two publications with dynamic control at the two addresses, of which the first goes away.
fn follow_control(subscribe: impl Fn(&Client, &str) -> Subscription) {
    let world = World::start(TABLE);
    let (client, port) = (world.client(), free_port());
    let publish_at = |host: u8| {
        let channel = format!("aeron:udp?control=127.0.0.{host}:{port}|control-mode=dynamic");
        client.add_publication(&channel, STREAM).expect("added")
    };
    let first = publish_at(1);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:0|control=moving:{port}");
    let subscription = subscribe(&client, &format!("{channel}|control-mode=dynamic"));
    await_delivery(&first, &subscription, b"first");
    let second = publish_at(2);
    first.close();
    lead(&world, Leads::ToSecond);
    await_delivery(&second, &subscription, b"second");
    assert_eq!(changes(&world), 1);
    let image = subscription.image_by_session(second.session_id());
    let source = image.expect("an image").source_identity();
    assert!(source.starts_with("127.0.0.2:"), "{source}");
}

#[test]
fn row_16_4_control_that_moved_is_asked_for_its_stream() {
    follow_control(|client, channel| client.add_subscription(channel, STREAM).expect("added"));
}

#[test]
fn row_16_4_control_of_a_destination_that_moved() {
    follow_control(|client, destination| {
        let subscription = client
            .add_subscription("aeron:udp?control-mode=manual", STREAM)
            .expect("added");
        subscription.add_destination(destination).expect("added");
        subscription
    });
}

#[test]
fn row_16_5_name_that_is_gone_keeps_its_address() {
    let world = World::start(TABLE);
    let (client, port) = (world.client(), free_port());
    let first = subscribe_at(&client, 1, port);
    let channel = format!("aeron:udp?endpoint=moving:{port}");
    let publication = client.add_publication(&channel, STREAM).expect("added");
    await_delivery(&publication, &first, b"first");
    first.close();
    let errors = world.system_counter(SystemCounter::Errors);
    lead(&world, Leads::Nowhere);
    world.await_error("moving");
    assert!(world.system_counter(SystemCounter::Errors) > errors);
    let again = subscribe_at(&client, 1, port);
    await_delivery(&publication, &again, b"again");
    assert_eq!(changes(&world), 0);
}

#[test]
fn row_16_6_time_that_look_ups_take() {
    for (threshold, is_exceeded) in [("0", true), ("60s", false)] {
        let world = World::start(&[("aeron.name.resolver.threshold", threshold)]);
        let max = || world.system_counter(SystemCounter::NameResolverMaxTime);
        let exceeded = || world.system_counter(SystemCounter::NameResolverTimeThresholdExceeded);
        assert_eq!((max(), exceeded()), (0, 0));
        let client = world.client();
        let literal = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
        client.add_publication(&literal, STREAM).expect("added");
        let before = exceeded();
        client.add_publication(&udp(), STREAM).expect("added");
        assert!(max() > 0);
        assert_eq!(exceeded() > before, is_exceeded);
    }
}

#[test]
fn row_16_7_new_publication_on_an_old_endpoint_is_followed_too() {
    let world = World::start(TABLE);
    let (client, port) = (world.client(), free_port());
    let channel = format!("aeron:udp?endpoint=moving:{port}");
    let old = client.add_publication(&channel, STREAM).expect("added");
    lead(&world, Leads::ToSecond);
    let subscription = subscribe_at(&client, 2, port);
    assert!(stays(Duration::from_millis(1500), || changes(&world) == 0));
    let start = Instant::now();
    let new = client
        .add_exclusive_publication(&channel, STREAM)
        .expect("added");
    old.close();
    wait_until("an image", || {
        subscription.image_by_session(new.session_id()).is_some()
    });
    assert!(
        start.elapsed() > Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(changes(&world), 1);
}
