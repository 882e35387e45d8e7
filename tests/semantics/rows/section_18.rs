//! Counters of clients, and what counters refer to.

use std::time::Duration;

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

const TYPE: i32 = 2020;
const KEY: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];
const LABEL: &str = "apples in the basket";

/// The view that a client has of a counter.
fn view(client: &Client, id: i32) -> CounterView {
    let mut views = client.counters().into_iter();
    views.find(|view| view.id == id).expect("a counter")
}

fn has_heard(client: &Client, is_available: bool, counter_id: i32, registration_id: i64) -> bool {
    let event = CounterEvent {
        is_available,
        registration_id,
        counter_id,
    };
    client.counter_events().contains(&event)
}

#[test]
fn row_18_1_all_clients_hear_of_a_counter_and_share_it() {
    let world = World::start(&[]);
    let (owner, other) = (world.client(), world.client());
    let counter = owner.add_counter(TYPE, KEY, LABEL).expect("added");
    let (id, registration_id) = (counter.id(), counter.registration_id());
    for client in [&owner, &other] {
        wait_until("its handler", || {
            has_heard(client, true, id, registration_id)
        });
        let view = view(client, id);
        assert_eq!((view.type_id, view.label.as_str()), (TYPE, LABEL));
        assert_eq!(view.key[..KEY.len()], *KEY);
        assert_eq!(view.registration_id, registration_id);
        assert_eq!(view.owner_id, owner.id());
        assert_eq!(view.value, 0);
    }
    counter.set(77);
    assert_eq!(other.counter_value(id), Some(77));
    assert_eq!(counter.get(), 77);
}

#[test]
fn row_18_3_a_counter_goes_with_its_handle_and_its_client() {
    for closes_client in [false, true] {
        let world = World::start(&[("aeron.counters.free.to.reuse.timeout", "100ms")]);
        let (owner, other) = (world.client(), world.client());
        let counter = owner.add_counter(TYPE, KEY, LABEL).expect("added");
        let (id, registration_id) = (counter.id(), counter.registration_id());
        wait_until("it to come", || {
            has_heard(&other, true, id, registration_id)
        });
        counter.set(55);
        if closes_client {
            owner.close();
            drop(counter);
        } else {
            counter.close();
        }
        wait_until("it to go", || has_heard(&other, false, id, registration_id));
        wait_until("its place to be free", || {
            other.counters().iter().all(|view| view.id != id)
        });
        let mut taken = Vec::new();
        wait_until("its place to be used again", || {
            taken.push(other.add_counter(TYPE + 1, &[9], "pears").expect("added"));
            taken.last().is_some_and(|counter| counter.id() == id)
        });
        let again = view(&other, id);
        assert_eq!((again.value, again.label.as_str()), (0, "pears"));
        assert_eq!(
            (again.type_id, again.key[..8].to_vec()),
            (TYPE + 1, vec![9, 0, 0, 0, 0, 0, 0, 0])
        );
    }
}

#[test]
fn row_18_4_a_static_counter_belongs_to_nobody() {
    let world = World::start(&[]);
    let (one, two) = (world.client(), world.client());
    let counter = one
        .add_static_counter(TYPE, KEY, LABEL, 4711)
        .expect("added");
    let id = counter.id();
    counter.set(3);
    let same = two
        .add_static_counter(TYPE, &[9; 4], "pears", 4711)
        .expect("found");
    assert_eq!((same.id(), same.registration_id()), (id, 4711));
    assert_eq!(same.get(), 3);
    let view = view(&two, id);
    assert_eq!((view.owner_id, view.registration_id), (-1, 4711));
    assert_eq!((view.type_id, view.label.as_str()), (TYPE, LABEL));
    assert_eq!(view.key[..KEY.len()], *KEY);
    // A counter that is not static shows that events come.
    let last = one.add_counter(TYPE, KEY, LABEL).expect("added");
    for client in [&one, &two] {
        wait_until("the other", || {
            has_heard(client, true, last.id(), last.registration_id())
        });
        let of_static = client
            .counter_events()
            .iter()
            .filter(|event| event.counter_id == id)
            .count();
        assert_eq!(of_static, 0);
    }
}

#[test]
fn row_18_5_a_static_counter_outlives_handle_and_client() {
    let world = World::start(&[("aeron.client.liveness.timeout", "1s")]);
    let watcher = world.client();
    let lives = |id, registration_id| {
        let views = watcher.counters();
        views
            .iter()
            .any(|view| view.id == id && view.registration_id == registration_id)
    };
    let client = world.client();
    let counter = client
        .add_static_counter(TYPE, KEY, LABEL, 1)
        .expect("added");
    let (by_handle, id) = (counter.id(), counter.registration_id());
    counter.set(9);
    counter.close();
    let kept = client
        .add_static_counter(TYPE, KEY, LABEL, 2)
        .expect("added");
    let owned = client.add_counter(TYPE, KEY, LABEL).expect("added");
    let (by_client, owned_id, owned_registration) =
        (kept.id(), owned.id(), owned.registration_id());
    client.close();
    drop((kept, owned));
    wait_until("the owned one to go", || {
        !lives(owned_id, owned_registration)
    });

    // When the silent one wakes up, it gives back what it no longer has.
    world.expect_error("unknown counter");
    let silent = world.client_with(&ClientOptions {
        invoked: true,
        ..ClientOptions::default()
    });
    let owned = silent.add_counter(TYPE, KEY, LABEL).expect("added");
    let (owned_id, owned_registration) = (owned.id(), owned.registration_id());
    assert!(lives(owned_id, owned_registration));
    wait_until("the client to be timed out", || {
        world.system_counter(SystemCounter::ClientTimeouts) == 1
    });
    wait_until("the owned one to go", || {
        !lives(owned_id, owned_registration)
    });
    assert!(lives(by_handle, id) && lives(by_client, 2));
    assert_eq!(watcher.counter_value(by_handle), Some(9));
}

#[test]
fn row_18_6_a_static_counter_does_not_take_the_place_of_another() {
    let world = World::start(&[]);
    let client = world.client();
    let counter = client.add_counter(TYPE, KEY, LABEL).expect("added");
    let registration_id = counter.registration_id();
    world.expect_error("static");
    let Err(refusal) = client.add_static_counter(TYPE, KEY, LABEL, registration_id) else {
        panic!("granted");
    };
    let [id, type_id, registration] = [
        counter.id().to_string(),
        TYPE.to_string(),
        registration_id.to_string(),
    ];
    refusal.assert(code::GENERIC_ERROR, &[&id, &type_id, &registration]);
}

#[test]
fn row_18_7_static_counters_are_told_apart_by_type() {
    let world = World::start(&[]);
    let client = world.client();
    let counters = [0, 1, 2].map(|more| {
        let counter = client.add_static_counter(TYPE + more, KEY, LABEL, 12);
        counter.expect("added")
    });
    let mut ids = counters.each_ref().map(Counter::id).to_vec();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    for (counter, value) in counters.iter().zip(1..) {
        counter.set(value);
    }
    assert_eq!(counters.each_ref().map(Counter::get), [1, 2, 3]);
}

#[test]
fn row_18_8_a_static_counter_may_be_about_a_publication() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client.add_publication(&udp(), STREAM).expect("added");
    let id = publication.registration_id();
    let counter = client
        .add_static_counter(TYPE, KEY, LABEL, id)
        .expect("added");
    counter.set(8);
    let of_the_stream = |client: &Client| {
        let views = client.counters();
        views
            .iter()
            .filter(|view| view.registration_id == id && view.type_id != counter_type::SYSTEM)
            .count()
    };
    assert!(of_the_stream(&client) > 1);
    publication.close();
    wait_until("the publication's to go", || of_the_stream(&client) == 1);
    assert_eq!(client.counter_value(counter.id()), Some(8));
}

#[test]
fn row_18_9_counters_need_not_be_waited_for() {
    let world = World::start(&[]);
    let (client, other) = (world.client(), world.client());
    for (key, label) in [(KEY, LABEL), (&[][..], "a label alone")] {
        let pending = client.add_counter_async(TYPE, key, label).expect("sent");
        let registration_id = pending.registration_id();
        let counter = finish(pending);
        assert_eq!(counter.registration_id(), registration_id);
        let view = view(&other, counter.id());
        assert_eq!(view.label, label);
        assert_eq!(view.key[..key.len()], *key);
    }
}

#[test]
fn row_18_10_a_silent_client_is_timed_out() {
    let world = World::start(&[("aeron.client.liveness.timeout", "1s")]);
    let client = world.client_with(&ClientOptions {
        invoked: true,
        ..ClientOptions::default()
    });
    let _counter = client.add_counter(TYPE, KEY, LABEL).expect("added");
    wait_until("its end at the driver", || {
        world.system_counter(SystemCounter::ClientTimeouts) == 1
    });
    wait_until("its own end", || {
        client.do_work();
        !client.faults().is_empty()
    });
    let fault = client.faults().remove(0);
    assert!(
        matches!(
            fault.kind,
            FaultKind::ClientTimeout | FaultKind::ServiceTimeout
        ),
        "{fault:?}"
    );
    assert!(stays(Duration::from_millis(100), || {
        world.system_counter(SystemCounter::ClientTimeouts) == 1
    }));
}

/// The subscriber position of each subscription, in their order.
fn positions(client: &Client, subscriptions: &[Subscription]) -> Vec<CounterView> {
    let views = client.counters();
    let position = |subscription: &Subscription| {
        let id = subscription.registration_id();
        let mut found = views.iter().filter(|view| {
            view.type_id == counter_type::SUBSCRIBER_POSITION && view.registration_id == id
        });
        found.next().expect("a position").clone()
    };
    subscriptions.iter().map(position).collect()
}

#[test]
fn row_18_11_subscriber_positions_refer_to_their_image() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let subscriptions = [(); 2].map(|()| client.add_subscription(&channel, STREAM).expect("added"));
    let publication = client.add_publication(&channel, STREAM).expect("added");
    for subscription in &subscriptions {
        await_connection(&publication, subscription);
    }
    let views = client.counters();
    let of_image = |type_id| {
        let mut found = views.iter().filter(|view| view.type_id == type_id);
        found
            .next()
            .expect("a counter of the image")
            .registration_id
    };
    let image = subscriptions[0].images().remove(0).correlation_id();
    assert_eq!(of_image(counter_type::RECEIVER_HWM), image);
    assert_eq!(of_image(counter_type::RECEIVER_POSITION), image);
    let positions = positions(&client, &subscriptions);
    assert_eq!(
        [positions[0].reference_id, positions[1].reference_id],
        [image; 2]
    );
    assert_eq!(subscriptions[1].images().remove(0).correlation_id(), image);
}

#[test]
fn row_18_12_subscriber_positions_refer_to_the_publication() {
    let udp = udp();
    for (channel, subscribed) in [
        (IPC.to_owned(), IPC.to_owned()),
        (with(&udp, "ssc=true"), format!("aeron-spy:{udp}")),
    ] {
        let world = World::start(&[]);
        let client = world.client();
        let subscriptions =
            [(); 2].map(|()| client.add_subscription(&subscribed, STREAM).expect("added"));
        let publication = client.add_publication(&channel, STREAM).expect("added");
        for subscription in &subscriptions {
            await_connection(&publication, subscription);
        }
        for position in positions(&client, &subscriptions) {
            assert_eq!(position.reference_id, publication.registration_id());
        }
    }
}
