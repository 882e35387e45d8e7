//! Sessions and tags.

use std::time::Duration;

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

/// The channels of the checklist's matrix.
fn channels() -> [String; 3] {
    [udp(), multicast(), IPC.to_owned()]
}

/// `channel` with a session id.
fn of_session(channel: &str, session_id: i32) -> String {
    with(channel, &format!("session-id={session_id}"))
}

fn sessions(subscription: &Subscription) -> Vec<i32> {
    let events = subscription.events();
    let mut sessions: Vec<_> = events.iter().map(|event| event.session_id).collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}

#[test]
fn row_13_1_a_session_in_use_is_refused() {
    for channel in channels() {
        for first_is_exclusive in [true, false] {
            let world = World::start(&[]);
            let client = world.client();
            let channel = of_session(&channel, 1234);
            let first = client.add_publication_of(first_is_exclusive, &channel, STREAM);
            let _first = first.expect("added");
            let code = refused(&world, || {
                client.add_exclusive_publication(&channel, STREAM)
            });
            assert_eq!(code, code::INVALID_CHANNEL);
        }
    }
}

#[test]
fn row_13_2_a_shared_publication_keeps_its_lengths() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let channel = of_session(&channel, 1234);
        let _first = client
            .add_publication(&with(&channel, "mtu=1408|term-length=64k"), STREAM)
            .expect("added");
        for other in ["mtu=1344|term-length=64k", "mtu=1408|term-length=128k"] {
            let code = refused(&world, || {
                client.add_publication(&with(&channel, other), STREAM)
            });
            assert_eq!(code, code::GENERIC_ERROR);
        }
    }
}

#[test]
fn row_13_3_a_shared_publication_keeps_its_session() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let _first = client
            .add_publication(&of_session(&channel, 1234), STREAM)
            .expect("added");
        let other = of_session(&channel, 5678);
        let code = refused(&world, || client.add_publication(&other, STREAM));
        assert_eq!(code, code::GENERIC_ERROR);
    }
}

#[test]
fn row_13_4_another_stream_may_have_the_session() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let channel = of_session(&channel, 1234);
        for is_exclusive in [false, true] {
            let publications = [1, 2].map(|n| {
                let stream = STREAM + n + 10 * i32::from(is_exclusive);
                client
                    .add_publication_of(is_exclusive, &channel, stream)
                    .expect("added")
            });
            assert_eq!(
                publications.each_ref().map(Publication::session_id),
                [1234; 2]
            );
        }
    }
}

#[test]
fn row_13_5_exclusive_publications_share_nothing() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let [one, two] = [(); 2].map(|()| {
            client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added")
        });
        assert_ne!(one.session_id(), two.session_id());
        assert_ne!(
            one.original_registration_id(),
            two.original_registration_id()
        );
        assert_eq!(one.original_registration_id(), one.registration_id());
    }
}

#[test]
fn row_13_6_a_subscription_to_a_session_gets_that_one_only() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let subscribe =
            |channel: &str| Reader::new(client.add_subscription(channel, STREAM).expect("added"));
        let mut one = subscribe(&of_session(&channel, 1));
        let mut two = subscribe(&of_session(&channel, 2));
        let mut all = subscribe(&channel);
        let mut writers = [1, 2].map(|session| {
            let channel = of_session(&channel, session);
            Writer::new(
                client
                    .add_exclusive_publication(&channel, STREAM)
                    .expect("added"),
            )
        });
        wait_until("images", || all.subscription.image_count() == 2);
        exchange(&mut writers[0], &mut [&mut one, &mut all], 10);
        exchange(&mut writers[1], &mut [&mut two, &mut all], 20);
        poll_all(&mut [&mut one, &mut two, &mut all]);
        assert_eq!([one.count(), two.count(), all.count()], [10, 20, 30]);
        assert_eq!(sessions(&one.subscription), [1]);
        assert_eq!(sessions(&two.subscription), [2]);
        assert_eq!(sessions(&all.subscription), [1, 2]);
    }
}

#[test]
fn row_13_7_other_sessions_do_not_connect() {
    for channel in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let mut reader = Reader::new(
            client
                .add_subscription(&of_session(&channel, 7), STREAM)
                .expect("added"),
        );
        let others = [8, 9].map(|session| {
            let channel = of_session(&channel, session);
            client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added")
        });
        let publication = client.add_exclusive_publication(&of_session(&channel, 7), STREAM);
        let mut writer = Writer::new(publication.expect("added"));
        exchange(&mut writer, &mut [&mut reader], 10);
        let are_alone = stays(Duration::from_millis(500), || {
            others.iter().all(|publication| !publication.is_connected())
        });
        assert!(are_alone, "{channel}");
        assert_eq!(sessions(&reader.subscription), [7]);
    }
}

#[test]
fn row_13_8_a_subscription_by_tag_has_a_session_too() {
    for channel in [udp(), multicast()] {
        let world = World::start(&[]);
        let client = world.client();
        let tagged = with(&channel, "tags=91|session-id=5");
        let mut readers = [tagged.as_str(), "aeron:udp?tags=91|session-id=5"]
            .map(|channel| Reader::new(client.add_subscription(channel, STREAM).expect("added")));
        let publish = |session| {
            let channel = of_session(&channel, session);
            Writer::new(
                client
                    .add_exclusive_publication(&channel, STREAM)
                    .expect("added"),
            )
        };
        let other = publish(6);
        let mut writer = publish(5);
        let [one, two] = &mut readers;
        exchange(&mut writer, &mut [one, two], 10);
        for reader in &readers {
            assert_eq!(sessions(&reader.subscription), [5]);
        }
        assert!(!other.publication.is_connected());
    }
}

#[test]
fn row_13_9_handlers_hear_of_their_own_session() {
    for channel in [udp(), IPC.to_owned()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscribe = |session| {
            let channel = with(&of_session(&channel, session), "rejoin=false");
            client.add_subscription(&channel, STREAM).expect("added")
        };
        let publish = |session| {
            let channel = of_session(&channel, session);
            client.add_publication(&channel, STREAM).expect("added")
        };
        let one = subscribe(1);
        let first = publish(1);
        await_connection(&first, &one);
        first.close();
        wait_until("its image to go", || !one.is_connected());
        let two = subscribe(2);
        let second = publish(2);
        await_connection(&second, &two);
        wait_until("its handler", || sessions(&two) == [2]);
        assert_eq!(sessions(&one), [1]);
    }
}

#[test]
fn row_13_10_tagged_subscriptions_of_a_port_chosen_later() {
    let world = World::start(&[]);
    let client = world.client();
    let control = dynamic();
    let first = with(&control, "endpoint=localhost:0|tags=92|session-id=1");
    let mut readers = [first.as_str(), "aeron:udp?tags=92|session-id=2"]
        .map(|channel| Reader::new(client.add_subscription(channel, STREAM).expect("added")));
    let mut writers = [1, 2].map(|session| {
        let channel = of_session(&control, session);
        Writer::new(
            client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added"),
        )
    });
    for (writer, reader) in writers.iter_mut().zip(&mut readers) {
        exchange(writer, &mut [reader], 1);
    }
    for (session, reader) in [1, 2].into_iter().zip(&mut readers) {
        reader.poll();
        assert_eq!(
            (reader.count(), sessions(&reader.subscription)),
            (1, vec![session])
        );
    }
}

/// A driver where the name `far` is 127.0.0.1, until [`move_far`].
const NAMES: &[(&str, &str)] = &[
    ("aeron.name.resolver.supplier", "csv_table"),
    ("aeron.name.resolver.init.args", "far,127.0.0.1,127.0.0.2"),
];

/// Makes `far` 127.0.0.2.
fn move_far(world: &World) {
    let counters = world.cnc().counters();
    let mut entry = None;
    counters.for_each(|record| {
        if record.type_id == counter_type::NAME_ENTRY {
            entry = Some(record.id);
        }
    });
    let entry = counters
        .counter(entry.expect("an entry"))
        .expect("a counter");
    entry.set(1);
}

#[test]
fn row_13_11_a_publication_by_tag_of_a_name_that_moved() {
    let world = World::start(NAMES);
    let client = world.client();
    let port = free_port();
    let subscribe = |host: &str, stream| {
        let channel = format!("aeron:udp?endpoint={host}:{port}");
        client.add_subscription(&channel, stream).expect("added")
    };
    let near = subscribe("127.0.0.1", STREAM);
    let first = client
        .add_publication(&format!("aeron:udp?tags=71|endpoint=far:{port}"), STREAM)
        .expect("added");
    await_connection(&first, &near);
    move_far(&world);
    near.close();
    let far = subscribe("127.0.0.2", STREAM);
    await_connection(&first, &far);
    let other = subscribe("127.0.0.2", STREAM + 1);
    let second = client
        .add_publication("aeron:udp?tags=71", STREAM + 1)
        .expect("added");
    await_connection(&second, &other);
}

#[test]
fn row_13_11_a_subscription_by_tag_of_a_name_that_moved() {
    let world = World::start(NAMES);
    let client = world.client();
    let port = free_port();
    let publish = |host: &str, stream| {
        let channel = format!("aeron:udp?control={host}:{port}|control-mode=dynamic");
        client.add_publication(&channel, stream).expect("added")
    };
    let near = publish("127.0.0.1", STREAM);
    let channel = format!("endpoint=localhost:0|control=far:{port}|control-mode=dynamic");
    let first = client
        .add_subscription(&format!("aeron:udp?tags=72|{channel}"), STREAM)
        .expect("added");
    await_connection(&near, &first);
    move_far(&world);
    near.close();
    let far = publish("127.0.0.2", STREAM);
    await_connection(&far, &first);
    let second = client
        .add_subscription("aeron:udp?tags=72", STREAM + 1)
        .expect("added");
    let other = publish("127.0.0.2", STREAM + 1);
    await_connection(&other, &second);
}
