//! Publish and receive: who is there, who comes and goes, and what the counters say of it.

use std::time::{Duration, Instant};

use aileron::cnc::counter_types as types;

use super::streams::{all_channels, exchange, fragments, messages, open, udp_and_ipc};
use super::traffic::with;
use crate::peer::{Client, CounterView, Publication, Subscription};
use crate::world::{
    IPC, STREAM, World, await_connection, receive, send, udp, wait_for, wait_until,
};

/// The threading modes that differ.
const MODES: &[&str] = &["DEDICATED", "SHARED_NETWORK", "SHARED"];

/// Worlds by threading mode, with the channels that each row is run for.
fn by_mode(row: impl Fn(&World, &str)) {
    for mode in MODES {
        let world = World::start(&[("aeron.threading.mode", mode)]);
        for channel in udp_and_ipc() {
            row(&world, &channel);
        }
    }
}

fn counters(client: &Client, type_id: i32, registration_id: i64) -> Vec<CounterView> {
    let mut found = client.counters();
    found.retain(|it| it.type_id == type_id && it.registration_id == registration_id);
    found
}

fn counter(client: &Client, type_id: i32, registration_id: i64) -> CounterView {
    let what = format!("a counter of type {type_id}");
    wait_for(&what, || counters(client, type_id, registration_id).pop())
}

#[test]
fn row_6_22_two_subscriptions_get_every_message_once() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let other = client.add_subscription(&channel, STREAM).expect("added");
        let (publication, subscription) = open(&client, false, &channel);
        await_connection(&publication, &other);
        let sent = messages(20, 100);
        for message in &sent {
            send(&publication, message);
        }
        for subscription in [&subscription, &other] {
            assert_eq!(receive(subscription, sent.len()), sent, "{channel}");
            assert_eq!(subscription.poll(10, |_, _| {}), 0, "{channel}");
        }
    }
}

#[test]
fn row_6_23_labels_hold_the_channel_as_it_was_written() {
    let world = World::start(&[]);
    let client = world.client();
    for (stream, fruit) in [(STREAM, "fruit=banana"), (STREAM + 1, "fruit=apple")] {
        // A port each: the endpoint of the one before may be closing still.
        let channel = with(&udp(), fruit);
        let subscription = client.add_subscription(&channel, stream).expect("added");
        let publication = client.add_publication(&channel, stream).expect("added");
        await_connection(&publication, &subscription);
        for (type_id, id) in [
            (
                types::PUBLISHER_LIMIT_TYPE_ID,
                publication.registration_id(),
            ),
            (
                types::SENDER_POSITION_TYPE_ID,
                publication.registration_id(),
            ),
            (
                types::SUBSCRIBER_POSITION_TYPE_ID,
                subscription.registration_id(),
            ),
        ] {
            let label = counter(&client, type_id, id).label;
            assert!(label.contains(&channel), "{label}");
        }
    }
}

/// One end of a game of ping-pong.
struct Player {
    client: Client,
    publication: Publication,
    subscription: Subscription,
}

impl Player {
    fn join(world: &World, published: &str, subscribed: &str) -> Self {
        let client = world.client();
        let subscription = client.add_subscription(subscribed, STREAM).expect("added");
        let publication = client.add_publication(published, STREAM).expect("added");
        Self {
            client,
            publication,
            subscription,
        }
    }
}

fn rally(ping: &Player, pong: &Player, first: u64) {
    for number in first..first + 20 {
        send(&ping.publication, &number.to_le_bytes());
        let received = receive(&pong.subscription, 1);
        send(&pong.publication, &received[0]);
        assert_eq!(receive(&ping.subscription, 1), [number.to_le_bytes()]);
    }
}

#[test]
fn row_6_24_ping_pong_goes_on_after_a_restart() {
    let world = World::start(&[]);
    let (there, back) = (udp(), udp());
    let ping = Player::join(&world, &there, &back);
    for first in [0, 100] {
        let pong = Player::join(&world, &back, &there);
        await_connection(&ping.publication, &pong.subscription);
        await_connection(&pong.publication, &ping.subscription);
        rally(&ping, &pong, first);
        pong.publication.close();
        pong.subscription.close();
        pong.client.close();
        wait_until("the end of the pong side", || {
            !ping.publication.is_connected() && !ping.subscription.is_connected()
        });
    }
}

/// A second subscriber stops and starts again; the first must not notice.
fn second_subscriber_restarts(first: (&str, i32), second: (&str, i32)) {
    let world = World::start(&[]);
    let client = world.client();
    let subscription_1 = client.add_subscription(first.0, first.1).expect("added");
    let publication_1 = client.add_publication(first.0, first.1).expect("added");
    let client_2 = world.client();
    let subscription_2 = client_2
        .add_subscription(second.0, second.1)
        .expect("added");
    let publication_2 = client.add_publication(second.0, second.1).expect("added");
    await_connection(&publication_1, &subscription_1);
    await_connection(&publication_2, &subscription_2);

    let mut sent = 0_u64;
    let mut received = 0_u64;
    let mut pass = |subscription_2: Option<&Subscription>| {
        let (goal, mut of_second) = (received + 50, 0);
        wait_until("messages", || {
            if publication_1
                .offer(&sent.to_le_bytes())
                .position()
                .is_some()
            {
                sent += 1;
            }
            if first != second {
                publication_2.offer(b"to the second");
            }
            subscription_1.poll(10, |bytes, _| {
                assert_eq!(bytes, received.to_le_bytes(), "the first was interrupted");
                received += 1;
            });
            if let Some(subscription_2) = subscription_2 {
                of_second += subscription_2.poll(10, |_, _| {});
            }
            received >= goal && (subscription_2.is_none() || of_second > 0)
        });
    };
    pass(Some(&subscription_2));
    subscription_2.close();
    client_2.close();
    pass(None);
    let client_2 = world.client();
    let subscription_2 = client_2
        .add_subscription(second.0, second.1)
        .expect("added");
    wait_until("the second's return", || subscription_2.is_connected());
    pass(Some(&subscription_2));
    assert_eq!(
        subscription_1.events().len(),
        1,
        "the first was interrupted"
    );
}

#[test]
fn row_6_26_second_subscriber_restarts_on_the_same_stream() {
    for channel in all_channels() {
        second_subscriber_restarts((&channel, STREAM), (&channel, STREAM));
    }
}

#[test]
fn row_6_26_second_subscriber_restarts_on_another_stream() {
    for channel in all_channels() {
        second_subscriber_restarts((&channel, STREAM), (&channel, STREAM + 1));
    }
}

#[test]
fn row_6_26_second_subscriber_restarts_on_another_channel() {
    second_subscriber_restarts((&udp(), STREAM), (&udp(), STREAM));
    second_subscriber_restarts((&udp(), STREAM), (IPC, STREAM + 1));
    second_subscriber_restarts((IPC, STREAM), (&udp(), STREAM + 1));
}

#[test]
fn row_6_27_a_subscription_is_closed_and_added_again() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        exchange(&publication, &subscription, &messages(10, 100), 10);
        subscription.close();
        wait_until("the end of the connection", || !publication.is_connected());
        let subscription = wait_for("the channel's return", || {
            client.add_subscription(&channel, STREAM).ok()
        });
        await_connection(&publication, &subscription);
        exchange(&publication, &subscription, &messages(5, 200), 5);
        let image = &subscription.images()[0];
        assert_eq!(image.position(), publication.position(), "{channel}");
    }
}

#[test]
fn row_6_28_without_its_subscriber_a_publication_is_not_connected() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let (publication, subscription) = open(&client, false, &channel);
        subscription.close();
        wait_until("the end of the connection", || !publication.is_connected());
    }
}

#[test]
fn row_6_29_the_last_of_local_subscribers_is_missed_at_once() {
    // What is noticed by the timer only comes after this.
    let interval = Duration::from_secs(25);
    let world = World::start(&[
        ("aeron.timer.interval", "25s"),
        ("aeron.client.liveness.timeout", "60s"),
        ("aeron.publication.unblock.timeout", "61s"),
        ("aeron.untethered.window.limit.timeout", "60s"),
        ("aeron.untethered.resting.timeout", "60s"),
    ]);
    let client = world.client();
    let spied = udp();
    for (published, subscribed) in [
        (IPC.to_owned(), IPC.to_owned()),
        (with(&spied, "ssc=true"), format!("aeron-spy:{spied}")),
    ] {
        let subscription_1 = client.add_subscription(&subscribed, STREAM).expect("added");
        let subscription_2 = client.add_subscription(&subscribed, STREAM).expect("added");
        let publication = client.add_publication(&published, STREAM).expect("added");
        await_connection(&publication, &subscription_1);
        await_connection(&publication, &subscription_2);
        let start = Instant::now();
        subscription_1.close();
        assert!(publication.is_connected(), "{published}");
        subscription_2.close();
        wait_until("the end of the connection", || !publication.is_connected());
        assert!(
            start.elapsed() < interval / 2,
            "{published}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn row_6_30_images_and_logs_go_with_their_publication() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        let other = client.add_subscription(&channel, STREAM).expect("added");
        let (publication, subscription) = open(&client, false, &channel);
        await_connection(&publication, &other);
        exchange(&publication, &subscription, &messages(10, 100), 10);
        exchange_rest(&other, 10);
        publication.close();
        wait_until("the end of the images", || {
            subscription.image_count() == 0 && other.image_count() == 0
        });
        for subscription in [&subscription, &other] {
            let gone = subscription
                .events()
                .iter()
                .filter(|it| !it.is_available)
                .count();
            assert_eq!(gone, 1, "{channel}");
        }
        for folder in ["publications", "images"] {
            wait_until("the end of the logs", || {
                let logs = std::fs::read_dir(world.dir().join(folder)).expect("a folder");
                logs.count() == 0
            });
        }
    }
}

fn exchange_rest(subscription: &Subscription, count: usize) {
    assert_eq!(fragments(subscription, count).len(), count);
}

#[test]
fn row_6_31_stream_counters_belong_to_who_made_the_stream() {
    let world = World::start(&[]);
    let (publisher, subscriber) = (world.client(), world.client());
    for channel in all_channels() {
        let subscription = subscriber
            .add_subscription(&channel, STREAM)
            .expect("added");
        let publication = publisher.add_publication(&channel, STREAM).expect("added");
        await_connection(&publication, &subscription);
        let image = &subscription.images()[0];
        let of_publication = [
            types::PUBLISHER_LIMIT_TYPE_ID,
            types::PUBLISHER_POSITION_TYPE_ID,
            types::SENDER_POSITION_TYPE_ID,
            types::SENDER_LIMIT_TYPE_ID,
            types::SENDER_BACK_PRESSURE_TYPE_ID,
        ];
        let of_publication = if channel == IPC {
            &of_publication[..2]
        } else {
            &of_publication
        };
        for type_id in of_publication {
            let counter = counter(&publisher, *type_id, publication.registration_id());
            assert_eq!(counter.owner_id, publisher.id(), "{counter:?}");
        }
        let sub_pos = counter(
            &publisher,
            types::SUBSCRIBER_POSITION_TYPE_ID,
            subscription.registration_id(),
        );
        assert_eq!(sub_pos.owner_id, subscriber.id(), "{sub_pos:?}");
        if channel != IPC {
            for type_id in [
                types::RECEIVER_HWM_TYPE_ID,
                types::RECEIVER_POSITION_TYPE_ID,
            ] {
                let counter = counter(&publisher, type_id, image.correlation_id());
                assert_eq!(counter.owner_id, subscriber.id(), "{counter:?}");
            }
        }
    }
}

#[test]
fn row_6_32_labels_tell_concurrent_from_exclusive() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in all_channels() {
        for (is_exclusive, word) in [(false, "concurrent"), (true, "exclusive")] {
            let publication = client.add_publication_of(is_exclusive, &channel, STREAM);
            let id = publication.as_ref().expect("added").registration_id();
            let label = counter(&client, types::PUBLISHER_POSITION_TYPE_ID, id).label;
            assert!(label.starts_with(&format!("pub-pos ({word}): ")), "{label}");
        }
    }
}

#[test]
fn row_6_33_two_clients_share_a_concurrent_publication() {
    by_mode(|world, channel| {
        let (client_1, client_2) = (world.client(), world.client());
        let (first, subscription) = open(&client_1, false, channel);
        let second = client_2.add_publication(channel, STREAM).expect("added");
        assert_ne!(first.registration_id(), second.registration_id());
        assert_eq!(first.registration_id(), first.original_registration_id());
        assert_eq!(
            first.original_registration_id(),
            second.original_registration_id()
        );
        assert_eq!(first.session_id(), second.session_id());
        send(&first, b"from the first");
        let position = send(&second, b"from the second");
        assert_eq!(first.position(), position);
        assert_eq!(second.position(), position);
        assert_eq!(
            receive(&subscription, 2),
            [b"from the first".to_vec(), b"from the second".to_vec()]
        );
        assert_eq!(subscription.image_count(), 1);
    });
}

#[test]
fn row_6_34_a_second_subscription_joins_a_running_stream() {
    by_mode(|world, channel| {
        let client = world.client();
        let (publication, first) = open(&client, false, channel);
        exchange(&publication, &first, &messages(10, 1000), 10);
        // The driver must have seen that, which moves the limit from half a term on.
        let window = i64::from(publication.term_length()) / 2;
        wait_until("another limit", || publication.limit() > window);
        let consumed = publication.limit() - window;
        assert!(consumed <= first.images()[0].position(), "{channel}");
        send(&publication, b"not consumed yet");
        let second = client.add_subscription(channel, STREAM).expect("added");
        await_connection(&publication, &second);
        let (image_1, image_2) = (&first.images()[0], &second.images()[0]);
        assert_eq!(image_1.correlation_id(), image_2.correlation_id());
        let joined = consumed..=publication.position();
        let join_position = image_2.join_position();
        assert!(
            joined.contains(&join_position),
            "{channel}: {join_position} {joined:?}"
        );
        let end = send(&publication, b"the last");
        wait_until("the end of both", || {
            first.poll(10, |_, _| {});
            second.poll(10, |_, _| {});
            image_1.position() == end && image_2.position() == end
        });
        publication.close();
    });
}

#[test]
fn row_6_35_an_exclusive_publication_of_the_stream_is_another_image() {
    by_mode(|world, channel| {
        let client = world.client();
        let (concurrent, subscription) = open(&client, false, channel);
        exchange(&concurrent, &subscription, &messages(3, 100), 3);
        let exclusive = client
            .add_exclusive_publication(channel, STREAM)
            .expect("added");
        await_connection(&exclusive, &subscription);
        assert_eq!(subscription.image_count(), 2);
        let image_of = |publication: &Publication| {
            subscription
                .image_by_session(publication.session_id())
                .expect("an image")
        };
        let (first, second) = (image_of(&concurrent), image_of(&exclusive));
        assert_ne!(first.correlation_id(), second.correlation_id());
        assert_eq!(second.join_position(), exclusive.position());
        assert_eq!(first.position(), concurrent.position());
        send(&exclusive, b"from the exclusive");
        let (_, header) = fragments(&subscription, 1)[0];
        assert_eq!(header.session_id, exclusive.session_id());
    });
}
