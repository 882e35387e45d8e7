//! Images: how they come and go, their end, revoking and limits.

use std::time::Duration;

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

/// The four kinds of a publication's channel and its subscriptions'.
fn channels() -> [(String, String); 4] {
    let (udp, multicast) = (udp(), multicast());
    [
        (IPC.to_owned(), IPC.to_owned()),
        (udp.clone(), udp.clone()),
        (multicast.clone(), multicast),
        (format!("{udp}|ssc=true"), format!("aeron-spy:{udp}")),
    ]
}

fn came(events: &[ImageEvent]) -> usize {
    events.iter().filter(|event| event.is_available).count()
}

fn went(events: &[ImageEvent]) -> usize {
    events.len() - came(events)
}

#[test]
fn row_10_1_handlers_hear_of_images_that_come_and_go() {
    for (publication, subscription) in channels() {
        for closes_client in [false, true] {
            let world = World::start(&[]);
            let (publisher, subscriber) = (world.client(), world.client());
            let subscriptions: Vec<_> = (0..2)
                .map(|_| {
                    subscriber
                        .add_subscription(&subscription, STREAM)
                        .expect("added")
                })
                .collect();
            let publication = publisher
                .add_publication(&publication, STREAM)
                .expect("added");
            let heard = |count: usize| {
                wait_until("the handlers", || {
                    subscriptions.iter().all(|s| s.events().len() >= count)
                });
            };
            heard(1);
            if closes_client {
                // Some libraries keep the client until nothing of it is left.
                publisher.close();
            }
            drop(publication);
            heard(2);
            for subscription in &subscriptions {
                let events = subscription.events();
                let [available, unavailable] = events[..] else {
                    panic!("{events:?}");
                };
                assert!(available.is_available && !unavailable.is_available);
                assert!(!available.is_closed && !available.is_end_of_stream);
                assert!(unavailable.is_closed && unavailable.is_end_of_stream);
            }
        }
    }
}

#[test]
fn row_10_2_end_of_stream_position_is_known_once_there_is_one() {
    for (publication, subscription) in channels() {
        let world = World::start(&[]);
        let client = world.client();
        let mut reader = Reader::new(
            client
                .add_subscription(&subscription, STREAM)
                .expect("added"),
        );
        let mut writer = Writer::new(client.add_publication(&publication, STREAM).expect("added"));
        exchange(&mut writer, &mut [&mut reader], 5);
        let image = reader.subscription.images().remove(0);
        assert_eq!(image.end_of_stream_position(), i64::MAX);
        let end = writer.publication.position();
        writer.publication.close();
        wait_until("the end", || image.end_of_stream_position() == end);
        wait_until("its image to go", || {
            reader.subscription.images().is_empty()
        });
        assert_eq!(image.end_of_stream_position(), end);
        assert!(image.is_end_of_stream());
    }
}

#[test]
fn row_10_3_an_image_of_two_transports_ends_with_the_second() {
    let world = World::start(&[("aeron.image.liveness.timeout", "2s")]);
    let client = world.client();
    let subscription = client
        .add_subscription("aeron:udp?control-mode=manual", STREAM)
        .expect("added");
    let mut publications: Vec<_> = (0..2)
        .map(|_| {
            let channel = udp();
            subscription.add_destination(&channel).expect("added");
            let start = "session-id=77|init-term-id=5|term-id=5|term-offset=0";
            client
                .add_exclusive_publication(&format!("{channel}|{start}"), STREAM)
                .expect("added")
        })
        .collect();
    wait_until("both transports", || {
        subscription
            .images()
            .first()
            .is_some_and(|image| image.active_transport_count() == 2)
    });
    wait_until("both to be connected", || {
        publications.iter().all(Publication::is_connected)
    });
    let image = subscription.images().remove(0);
    for publication in &mut publications {
        assert!(matches!(publication.offer(&[1; 100]), Offered::Position(_)));
    }
    let end = publications[0].position();
    assert_eq!(publications[1].position(), end);
    wait_until("the message, once", || {
        subscription.poll(10, |_, _| {}) == 1
    });
    publications.pop().expect("the second").close();
    wait_until("one transport", || image.active_transport_count() == 1);
    assert!(!image.is_closed());
    assert_eq!(image.end_of_stream_position(), i64::MAX);
    publications.pop().expect("the first").close();
    wait_until("the image to close", || image.is_closed());
    assert_eq!(image.end_of_stream_position(), end);
}

/// Ways to revoke an exclusive publication.
const REVOKES: [fn(Publication); 2] = [
    |publication| publication.revoke(),
    |publication| {
        publication.revoke_on_close();
        publication.close();
    },
];

#[test]
fn row_10_4_a_revoked_publication_ends_at_once() {
    let udp = udp();
    let spied = format!("aeron-spy:{udp}");
    for (channel, subscribed, network_images) in [
        (IPC.to_owned(), IPC.to_owned(), 0),
        (udp.clone(), udp.clone(), 1),
        (format!("{udp}|ssc=true"), spied, 0),
    ] {
        for revoke in REVOKES {
            let world = World::start(&[]);
            let client = world.client();
            let subscription = client.add_subscription(&subscribed, STREAM).expect("added");
            let publication = client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added");
            wait_until("a connection", || {
                publication.is_connected() && subscription.is_connected()
            });
            assert!(publication.offer(&[1; 10]).position().is_some());
            wait_until("the message", || subscription.poll(10, |_, _| {}) == 1);
            let image = subscription.images().remove(0);
            assert!(!image.is_revoked());
            revoke(publication);
            wait_until("the image to go", || went(&subscription.events()) == 1);
            let event = subscription.events().pop().expect("the last");
            assert!(event.is_revoked, "{event:?}");
            assert!(image.is_revoked());
            assert_eq!(world.system_counter(SystemCounter::PublicationsRevoked), 1);
            let images = world.system_counter(SystemCounter::PublicationImagesRevoked);
            assert_eq!(images, network_images, "{channel}");
        }
    }
}

#[test]
fn row_10_5_revoking_one_publication_leaves_the_other() {
    for channel in [IPC.to_owned(), udp()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publications = [0, 1].map(|_| {
            client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added")
        });
        let mut reader = Reader::new(subscription);
        let [mut kept, mut revoked] = publications.map(Writer::new);
        exchange(&mut kept, &mut [&mut reader], 3);
        exchange(&mut revoked, &mut [&mut reader], 3);
        let session = revoked.publication.session_id();
        revoked.publication.revoke();
        wait_until("one image to go", || {
            went(&reader.subscription.events()) == 1
        });
        let gone = reader.subscription.events().pop().expect("an event");
        assert_eq!((gone.is_available, gone.session_id), (false, session));
        wait_until("one to be left", || reader.subscription.image_count() == 1);
        exchange(&mut kept, &mut [&mut reader], THREE_TERMS);
    }
}

#[test]
fn row_10_6_revoking_waits_for_nobody() {
    for channel in [IPC.to_owned(), format!("{}|linger=600s", udp())] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client
            .add_exclusive_publication(&channel, STREAM)
            .expect("added");
        let mut writer = Writer::new(publication);
        for _ in 0..10 {
            writer.send(|| {});
        }
        let image = wait_for("the image", || subscription.images().pop());
        writer.publication.revoke();
        // Nobody has read anything, and the image goes all the same.
        wait_until("the image to go", || image.is_closed());
        assert_eq!(image.position(), 0);
        assert!(image.is_revoked());
    }
}

#[test]
fn row_10_7_receivers_of_other_drivers_hear_of_a_revoke() {
    let group = multicast();
    let (one, two) = (udp(), udp());
    for (channel, destinations, subscribed) in [
        (group.clone(), vec![], [group.clone(), group]),
        (
            MANUAL.to_owned(),
            vec![one.clone(), two.clone()],
            [one, two],
        ),
    ] {
        let worlds = [World::start(&[]), World::start(&[])];
        let clients = [worlds[0].client(), worlds[1].client()];
        let subscriptions: Vec<_> = clients
            .iter()
            .zip(&subscribed)
            .map(|(client, channel)| client.add_subscription(channel, STREAM).expect("added"))
            .collect();
        let publication = clients[0]
            .add_exclusive_publication(&channel, STREAM)
            .expect("added");
        for destination in &destinations {
            publication.add_destination(destination).expect("added");
        }
        wait_until("two images", || {
            subscriptions.iter().all(Subscription::is_connected)
        });
        publication.revoke();
        wait_until("both to go", || {
            subscriptions
                .iter()
                .all(|subscription| went(&subscription.events()) == 1)
        });
        let counts = |counter| [0, 1].map(|i: usize| worlds[i].system_counter(counter));
        assert_eq!(counts(SystemCounter::PublicationImagesRevoked), [1, 1]);
        assert_eq!(counts(SystemCounter::PublicationsRevoked), [1, 0]);
    }
}

/// Two sessions to a stream with room for no more, and what is one too many.
fn crowded(world: &World, client: &Client, channel: &str) -> (Subscription, Vec<Publication>) {
    let subscription = client.add_subscription(channel, STREAM).expect("added");
    let mut publications: Vec<_> = (0..2)
        .map(|_| {
            client
                .add_exclusive_publication(channel, STREAM)
                .expect("added")
        })
        .collect();
    wait_until("two images", || subscription.images().len() == 2);
    publications.push(
        client
            .add_exclusive_publication(channel, STREAM)
            .expect("added"),
    );
    world.await_error("session limit");
    assert!(!publications[2].is_connected());
    assert_eq!(subscription.images().len(), 2);
    (subscription, publications)
}

const TWO_SESSIONS: &[(&str, &str)] = &[("aeron.driver.stream.session.limit", "2")];

#[test]
fn row_10_20_sessions_of_a_stream_are_limited() {
    let world = World::start(TWO_SESSIONS);
    let client = world.client();
    let channel = udp();
    let (subscription, publications) = crowded(&world, &client, &channel);
    assert!(stays(Duration::from_millis(500), || !publications[2]
        .is_connected()));
    assert!(publications[0].is_connected() && publications[1].is_connected());
    assert!(!publications[2].is_connected());
    assert_eq!(came(&subscription.events()), 2);
}

#[test]
fn row_10_21_a_session_that_ends_makes_room_for_another() {
    let world = World::start(TWO_SESSIONS);
    let client = world.client();
    let channel = udp();
    let (subscription, mut publications) = crowded(&world, &client, &channel);
    publications.pop().expect("the third").close();
    publications.pop().expect("the second").close();
    wait_until("one image", || subscription.images().len() == 1);
    let late = client
        .add_exclusive_publication(&channel, STREAM)
        .expect("added");
    wait_until("the new one", || {
        late.is_connected() && subscription.images().len() == 2
    });
}

#[test]
fn row_10_22_the_limit_is_of_one_channel_and_stream() {
    let world = World::start(TWO_SESSIONS);
    let client = world.client();
    let channel = udp();
    let (_subscription, _publications) = crowded(&world, &client, &channel);
    for (channel, stream) in [(channel, STREAM + 1), (udp(), STREAM)] {
        let mut reader = Reader::new(client.add_subscription(&channel, stream).expect("added"));
        let publication = client
            .add_exclusive_publication(&channel, stream)
            .expect("added");
        exchange(&mut Writer::new(publication), &mut [&mut reader], 3);
        poll_all(&mut [&mut reader]);
    }
}
