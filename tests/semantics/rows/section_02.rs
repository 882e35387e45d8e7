//! Client context, callbacks, errors.

use std::collections::BTreeSet;

use aileron::cnc::{SystemCounter, counter_types as types};

use super::streams::{open, udp_and_ipc};
use super::traffic::with;
use crate::peer::{Client, ClientOptions, CounterView};
use crate::world::{IPC, STREAM, World, udp, wait_for, wait_until};

#[test]
fn row_2_4_correlation_ids_of_two_clients_differ() {
    let world = World::start(&[]);
    let (first, second) = (world.client(), world.client());
    let mut ids = BTreeSet::new();
    for _ in 0..1000 {
        assert!(ids.insert(first.next_correlation_id()));
        assert!(ids.insert(second.next_correlation_id()));
    }
    assert_ne!(first.id(), second.id());
}

/// The heartbeat counter of a client, once the client has added its name.
fn heartbeat(client: &Client) -> CounterView {
    wait_for("a heartbeat with a name", || {
        let counters = client.counters();
        counters.into_iter().find(|it| {
            it.type_id == types::CLIENT_HEARTBEAT_TYPE_ID
                && it.key_i64(0) == client.id()
                && it.label.contains("commit=")
        })
    })
}

#[test]
fn row_2_5_the_heartbeat_tells_the_clients_name() {
    let world = World::start(&[]);
    for name in ["orders", &"n".repeat(100)] {
        let client = world.client_with(&ClientOptions {
            name: Some(name.to_owned()),
            ..ClientOptions::default()
        });
        let _subscription = client.add_subscription(IPC, STREAM).expect("added");
        let label = heartbeat(&client).label;
        let begin = format!("client-heartbeat: id={} name={name} version=", client.id());
        assert!(label.starts_with(&begin), "{label}");
        assert!(label.len() <= 380, "{label}");
    }
}

#[test]
fn row_2_9_a_failure_within_the_driver_is_logged() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let subscribed = with(&channel, "rcv-wnd=2048");
    let subscription = client.add_subscription(&subscribed, STREAM).expect("added");
    let published = with(&channel, "mtu=4096");
    let publication = client.add_publication(&published, STREAM).expect("added");
    world.await_error("mtu");
    assert!(world.system_counter(SystemCounter::Errors) > 0);
    assert!(!subscription.is_connected());
    assert!(!publication.is_connected());
}

#[test]
fn row_2_10_the_next_session_id_follows_the_last() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    let session = publication.session_id();
    let next = client.next_session_id(STREAM).expect("a session id");
    assert_eq!(next, session.wrapping_add(1));
    let next = client.next_session_id(STREAM).expect("a session id");
    assert_eq!(next, session.wrapping_add(2));
}

#[test]
fn row_2_11_session_ids_in_use_on_the_stream_are_skipped() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client
        .add_exclusive_publication(IPC, STREAM)
        .expect("added");
    let session = publication.session_id();
    let add = |stream: i32, ahead: i32| {
        let uri = with(IPC, &format!("session-id={}", session.wrapping_add(ahead)));
        client
            .add_exclusive_publication(&uri, stream)
            .expect("added")
    };
    let _used = [add(STREAM, 1), add(STREAM + 1, 2), add(STREAM, 3)];
    let next = client.next_session_id(STREAM).expect("a session id");
    assert_eq!(next, session.wrapping_add(2), "used on another stream only");
    let next = client.next_session_id(STREAM).expect("a session id");
    assert_eq!(next, session.wrapping_add(4));
}

#[test]
fn row_2_12_counters_belong_to_who_caused_them() {
    let world = World::start(&[]);
    let (other, client) = (world.client(), world.client());
    let _of_other = other
        .add_counter(1001, b"key", "of another")
        .expect("added");
    let counter = client
        .add_counter(1001, b"key", "of this one")
        .expect("added");
    for channel in udp_and_ipc() {
        let (publication, subscription) = open(&client, false, &channel);
        for (type_id, registration_id) in [
            (
                types::SUBSCRIBER_POSITION_TYPE_ID,
                subscription.registration_id(),
            ),
            (
                types::PUBLISHER_LIMIT_TYPE_ID,
                publication.registration_id(),
            ),
            (1001, counter.registration_id()),
        ] {
            wait_until("the counter", || {
                let counters = other.counters();
                let found = counters
                    .iter()
                    .find(|it| it.type_id == type_id && it.registration_id == registration_id);
                found.is_some_and(|it| it.owner_id == client.id())
            });
        }
    }
}
