//! Flow control: who limits the sender, and who is needed at all.

use std::time::{Duration, Instant};

use aileron::cnc::counter_types as types;

use super::streams::{message, messages, open};
use super::traffic::{dynamic, with};
use crate::peer::{Client, Offered, Publication, Subscription};
use crate::world::{
    IPC, STREAM, World, await_connection, free_port, multicast, receive, send, stays, udp,
    wait_for, wait_until,
};

/// Until a receiver that says nothing is forgotten, in rows that are not about that: longer than
/// any of them may take.
const PATIENT: &[(&str, &str)] = &[
    ("aeron.publication.connection.timeout", "60s"),
    ("aeron.flow.control.receiver.timeout", "60s"),
    ("aeron.image.liveness.timeout", "20s"),
];
/// How soon what needs no timeout is seen.
const SOON: Duration = Duration::from_secs(15);
/// For what must not happen.
const QUIET: Duration = Duration::from_millis(500);

/// A receiver of a dynamic channel, with a port and so an identity of its own.
fn join(client: &Client, channel: &str, parameters: &str) -> Subscription {
    let channel = with(channel, &format!("endpoint=localhost:0{parameters}"));
    wait_for("a receiver", || {
        client.add_subscription(&channel, STREAM).ok()
    })
}

/// The number of receivers that flow control counts for a publication.
fn receivers(client: &Client, publication: &Publication) -> i64 {
    let counters = client.counters();
    let mine = counters.iter().find(|it| {
        it.type_id == types::FLOW_CONTROL_RECEIVERS_TYPE_ID
            && it.registration_id == publication.original_registration_id()
    });
    mine.expect("a counter of receivers").value
}

/// Offers and polls until `count` messages went to all of `subscriptions`.
fn pass(publication: &Publication, subscriptions: &[&Subscription], count: usize) {
    let mut sent = 0;
    let mut received = vec![0; subscriptions.len()];
    wait_until("all messages", || {
        for _ in 0..10 {
            if sent < count {
                let offered = publication.offer(&message(sent, 1000));
                assert!(
                    offered.position().is_some() || offered.is_retryable(),
                    "{offered:?}"
                );
                sent += usize::from(offered.position().is_some());
            }
        }
        for (subscription, received) in subscriptions.iter().zip(&mut received) {
            subscription.poll(10, |bytes, _| {
                assert!(bytes == message(*received, 1000), "message {received}");
                *received += 1;
            });
        }
        received.iter().all(|received| *received == count)
    });
}

/// Offers while only `fast` polls, until nothing goes any more; returns how many went.
fn run_ahead(publication: &Publication, fast: &[&Subscription]) -> usize {
    let (mut sent, mut last) = (0, Instant::now());
    while last.elapsed() < QUIET {
        match publication.offer(&message(sent, 1000)) {
            Offered::Position(_) => {
                sent += 1;
                last = Instant::now();
            }
            other => assert!(other.is_retryable(), "{other:?}"),
        }
        for subscription in fast {
            subscription.poll(10, |_, _| {});
        }
        assert!(sent < 1000, "nobody holds the sender back");
    }
    sent
}

#[test]
fn row_8_1_receivers_of_max_come_and_go() {
    let (world_1, world_2) = (World::start(PATIENT), World::start(PATIENT));
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = multicast();
    let published = with(&channel, "fc=max");
    for _ in 0..2 {
        let publication = client_1.add_publication(&published, STREAM).expect("added");
        let subscribe = |client: &Client| {
            wait_for("a receiver", || {
                client.add_subscription(&channel, STREAM).ok()
            })
        };
        let (first, second) = (subscribe(&client_1), subscribe(&client_2));
        await_connection(&publication, &first);
        await_connection(&publication, &second);
        pass(&publication, &[&first, &second], 20);
        publication.close();
        wait_until("the images' end", || {
            !first.is_connected() && !second.is_connected()
        });
    }
}

#[test]
fn row_8_2_max_leaves_the_slow_behind() {
    let world_1 = World::start(&[]);
    let world_2 = World::start(&[("aeron.image.liveness.timeout", "2s")]);
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = multicast();
    let publication = client_1
        .add_publication(&with(&channel, "fc=max"), STREAM)
        .expect("added");
    let fast = client_1.add_subscription(&channel, STREAM).expect("added");
    let slow = client_2.add_subscription(&channel, STREAM).expect("added");
    await_connection(&publication, &fast);
    await_connection(&publication, &slow);
    // Three terms, which the slow one does not look at.
    pass(&publication, &[&fast], 3 * 64);
    publication.close();
    let (mut of_slow, mut ended) = (0, false);
    wait_until("the end of the slow one's image", || {
        of_slow += slow.poll(10, |_, _| {});
        ended |= !slow.is_connected();
        ended
    });
    assert!(of_slow < 3 * 64, "{of_slow} messages");
}

/// With `min` the slowest of two holds the sender back.
fn min_waits(settings: &[(&str, &str)], parameters: &str) {
    let world_1 = World::start(&[PATIENT, settings].concat());
    let world_2 = World::start(PATIENT);
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = multicast();
    let publication = client_1
        .add_publication(&with(&channel, &format!("alias=min{parameters}")), STREAM)
        .expect("added");
    let fast = client_1.add_subscription(&channel, STREAM).expect("added");
    let slow = client_2.add_subscription(&channel, STREAM).expect("added");
    await_connection(&publication, &fast);
    await_connection(&publication, &slow);
    wait_until("both receivers", || receivers(&client_1, &publication) == 2);
    let ahead = run_ahead(&publication, &[&fast]);
    let mut all = Vec::new();
    wait_until("all that went", || {
        slow.poll(10, |bytes, _| all.push(bytes.to_vec()));
        fast.poll(10, |_, _| {});
        let end = publication.position();
        slow.images()[0].position() == end && fast.images()[0].position() == end
    });
    assert!(all == messages(ahead, 1000), "{} of {ahead}", all.len());
    pass(&publication, &[&fast, &slow], 200);
    assert_eq!(receivers(&client_1, &publication), 2);
}

#[test]
fn row_8_3_min_waits_for_the_slowest() {
    min_waits(&[], "|fc=min");
    min_waits(&[], "|fc=min,g:/1");
}

#[test]
fn row_8_3_min_of_the_driver_waits_for_the_slowest() {
    min_waits(
        &[("aeron.multicast.FlowControl.supplier", "multicast_min")],
        "",
    );
}

/// Two receivers hold the sender back; one closes, the sender goes on with the other.
fn one_of_two_closes(fc: &str, gtag: &str) {
    let world = World::start(PATIENT);
    let client = world.client();
    let channel = dynamic();
    let first = join(&client, &channel, gtag);
    let second = join(&client, &channel, gtag);
    let publication = client
        .add_publication(&with(&channel, fc), STREAM)
        .expect("added");
    await_connection(&publication, &first);
    await_connection(&publication, &second);
    wait_until("both receivers", || receivers(&client, &publication) == 2);
    let ahead = run_ahead(&publication, &[&first]);
    assert!(ahead > 0);
    let start = Instant::now();
    second.close();
    pass_any(&publication, &first);
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(receivers(&client, &publication), 1);
}

#[test]
fn row_8_4_min_goes_on_without_who_closed() {
    one_of_two_closes("fc=min", "");
}

#[test]
fn row_8_13_who_closed_is_dropped_before_its_timeout() {
    one_of_two_closes("fc=min,t:60s", "");
}

/// As many receivers as the group must have: not connected until then.
fn group_of_three(fc: &str, gtag: &str, others: usize) {
    let world = World::start(PATIENT);
    let client = world.client();
    let channel = dynamic();
    let published = with(&channel, fc);
    let publication = client.add_publication(&published, STREAM).expect("added");
    let others: Vec<_> = (0..others).map(|_| join(&client, &channel, "")).collect();
    let mut members = vec![join(&client, &channel, gtag), join(&client, &channel, gtag)];
    for subscription in others.iter().chain(&members) {
        wait_until("an image", || subscription.is_connected());
    }
    wait_until("two members", || receivers(&client, &publication) == 2);
    for _ in 0..2 {
        assert!(stays(QUIET, || !publication.is_connected()), "two suffice");
        assert_eq!(publication.offer(b"too early"), Offered::NotConnected);
        members.push(join(&client, &channel, gtag));
        wait_until("a connection", || publication.is_connected());
        assert_eq!(receivers(&client, &publication), 3);
        members.pop().expect("the third").close();
        wait_until("the connection's end", || !publication.is_connected());
        wait_until("two members", || receivers(&client, &publication) == 2);
    }
}

#[test]
fn row_8_5_min_needs_its_group() {
    group_of_three("fc=min,g:/3", "", 0);
}

/// A group of none: one receiver is needed all the same.
fn group_of_none(fc: &str, gtag: &str) {
    let world = World::start(PATIENT);
    let client = world.client();
    let channel = dynamic();
    let publication = client
        .add_publication(&with(&channel, fc), STREAM)
        .expect("added");
    let (_other_publication, other_subscription) = open(&client, false, &udp());
    assert!(
        stays(QUIET, || !publication.is_connected()),
        "nobody suffices"
    );
    assert_eq!(publication.offer(b"too early"), Offered::NotConnected);
    let subscription = join(&client, &channel, gtag);
    await_connection(&publication, &subscription);
    pass(&publication, &[&subscription], 10);
    assert!(other_subscription.is_connected());
}

#[test]
fn row_8_6_min_of_a_group_of_none_needs_one_receiver() {
    group_of_none("fc=min,g:/0", "");
}

/// Only the receivers with the tag hold the sender back.
fn tagged_only(sender: &[(&str, &str)], receiver: &[(&str, &str)], fc: &str, gtag: &str) {
    let world_1 = World::start(&[PATIENT, sender].concat());
    let world_2 = World::start(&[PATIENT, receiver].concat());
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = dynamic();
    let publication = client_1
        .add_publication(&with(&channel, fc), STREAM)
        .expect("added");
    let tagged = join(&client_2, &channel, gtag);
    let untagged = join(&client_1, &channel, "");
    await_connection(&publication, &tagged);
    await_connection(&publication, &untagged);
    wait_until("the receiver", || receivers(&client_1, &publication) == 1);
    // The untagged one never polls.
    pass(&publication, &[&tagged], 300);
    // The tagged one stops, and so does the sender.
    let ahead = run_ahead(&publication, &[&untagged]);
    assert!(
        receive(&tagged, ahead) == messages(ahead, 1000),
        "{ahead} messages"
    );
    assert_eq!(receivers(&client_1, &publication), 1);
}

#[test]
fn row_8_7_only_the_tagged_hold_the_sender_back() {
    tagged_only(&[], &[], "fc=tagged,g:123", "|gtag=123");
    tagged_only(&[], &[], "fc=tagged", "|gtag=-1");
}

#[test]
fn row_8_7_only_those_with_the_tag_of_the_driver_hold_the_sender_back() {
    tagged_only(
        &[("aeron.flow.control.group.tag", "2004")],
        &[("aeron.receiver.group.tag", "2004")],
        "fc=tagged",
        "",
    );
}

#[test]
fn row_8_8_a_tagged_receiver_dies() {
    let world_1 = World::start(&[("aeron.flow.control.receiver.timeout", "1s")]);
    let world_2 = World::start(&[]);
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = dynamic();
    let publication = client_1
        .add_publication(&with(&channel, "fc=tagged,g:123"), STREAM)
        .expect("added");
    let tagged = join(&client_2, &channel, "|gtag=123");
    let untagged = join(&client_1, &channel, "");
    await_connection(&publication, &tagged);
    await_connection(&publication, &untagged);
    wait_until("the receiver", || receivers(&client_1, &publication) == 1);
    run_ahead(&publication, &[&untagged]);
    drop((tagged, client_2, world_2));
    pass_any(&publication, &untagged);
    assert_eq!(receivers(&client_1, &publication), 0);
}

/// Passes far more messages than a window has room for, whatever was sent before.
fn pass_any(publication: &Publication, subscription: &Subscription) {
    let (mut sent, mut received) = (0, 0);
    wait_until("messages", || {
        for _ in 0..10 {
            sent += usize::from(publication.offer(&[8; 1000]).position().is_some());
            received += subscription.poll(10, |_, _| {});
        }
        sent >= 300 && received >= 300
    });
}

#[test]
fn row_8_9_tagged_needs_its_group() {
    group_of_three("fc=tagged,g:123/3", "|gtag=123", 2);
}

#[test]
fn row_8_10_tagged_of_a_group_of_none_needs_one_receiver() {
    group_of_none("fc=tagged,g:123/0", "|gtag=123");
}

#[test]
fn row_8_11_status_messages_of_the_untagged_move_nothing() {
    let world = World::start(PATIENT);
    let client = world.client();
    let channel = dynamic();
    let publication = client
        .add_publication(&with(&channel, "fc=tagged,g:123/1"), STREAM)
        .expect("added");
    let limit = || {
        let counters = client.counters();
        let mine = counters
            .iter()
            .find(|it| it.type_id == types::SENDER_LIMIT_TYPE_ID);
        mine.expect("the sender's limit").value
    };
    let untagged = join(&client, &channel, "");
    wait_until("an image", || untagged.is_connected());
    assert!(stays(QUIET, || limit() == 0 && !publication.is_connected()));
    let tagged = join(&client, &channel, "|gtag=123");
    await_connection(&publication, &tagged);
    wait_until("a limit", || limit() > 0);
    pass(&publication, &[&tagged, &untagged], 10);
}

/// A receiver closes; the publication knows at once.
fn closes(published: &str, subscribed: &str, destination: Option<&str>) {
    let world = World::start(PATIENT);
    let client = world.client();
    let subscription = client.add_subscription(subscribed, STREAM).expect("added");
    let publication = client.add_publication(published, STREAM).expect("added");
    if let Some(destination) = destination {
        publication.add_destination(destination).expect("added");
    }
    await_connection(&publication, &subscription);
    send(&publication, b"message");
    assert_eq!(receive(&subscription, 1), [b"message"]);
    let start = Instant::now();
    subscription.close();
    wait_until("the connection's end", || !publication.is_connected());
    assert!(start.elapsed() < SOON, "{published}: {:?}", start.elapsed());
}

#[test]
fn row_8_12_the_last_receiver_closes() {
    let unicast = udp();
    closes(&unicast, &unicast, None);
    for fc in ["fc=min", "fc=min,g:/1", "fc=max"] {
        let channel = multicast();
        closes(&with(&channel, fc), &channel, None);
    }
}

#[test]
fn row_8_12_the_last_receiver_of_many_destinations_closes() {
    for fc in ["fc=min", "fc=max"] {
        let channel = dynamic();
        let subscribed = with(&channel, "endpoint=localhost:0");
        closes(&with(&channel, fc), &subscribed, None);
        let destination = udp();
        let manual = format!("aeron:udp?control-mode=manual|{fc}");
        closes(&manual, &destination, Some(&destination));
    }
}

/// A consumer that takes its time inside its handler, on a thread and a client of its own.
fn slow_consumer(published: &str, fast: &str, slow: &str) {
    let world = World::start(&[
        ("aeron.untethered.window.limit.timeout", "200ms"),
        ("aeron.untethered.linger.timeout", "100ms"),
        ("aeron.untethered.resting.timeout", "20s"),
        ("aeron.publication.linger.timeout", "100ms"),
        ("aeron.image.liveness.timeout", "3s"),
    ]);
    let client = world.client();
    let (dir, channel) = (world.dir().to_owned(), slow.to_owned());
    let (tell, told) = std::sync::mpsc::channel();
    let consumer = std::thread::spawn(move || {
        let client = Client::connect(&dir);
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        wait_until("an image", || subscription.is_connected());
        tell.send(()).expect("told");
        let mut inside = false;
        let mut polled = 0;
        wait_until("a message", || {
            polled = subscription.poll(1, |bytes, _| {
                assert!(bytes == message(0, 1000));
                // Until the image is gone, and its log deleted; its memory is there all the same.
                wait_until("the image's end", || {
                    subscription
                        .events()
                        .iter()
                        .any(|event| !event.is_available)
                });
                for _ in 0..100 {
                    std::thread::sleep(Duration::from_millis(5));
                    std::hint::black_box(bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>());
                }
                inside = true;
            });
            inside
        });
        assert_eq!(polled, 1);
        let gone = subscription
            .events()
            .iter()
            .filter(|it| !it.is_available)
            .count();
        assert_eq!(gone, 1);
    });
    let subscription = client.add_subscription(fast, STREAM).expect("added");
    let publication = client.add_publication(published, STREAM).expect("added");
    await_connection(&publication, &subscription);
    wait_until("the slow consumer", || {
        assert!(!consumer.is_finished(), "the slow consumer ended");
        told.try_recv().is_ok()
    });
    let (mut sent, mut received) = (0, 0);
    wait_until("the slow consumer's end", || {
        for _ in 0..10 {
            sent += usize::from(publication.offer(&message(sent, 1000)).position().is_some());
            subscription.poll(10, |bytes, _| {
                assert!(bytes == message(received, 1000), "message {received}");
                received += 1;
            });
        }
        consumer.is_finished()
    });
    wait_until("the rest", || {
        received += subscription.poll(10, |_, _| {});
        received == sent
    });
    assert_eq!(
        subscription.events().len(),
        1,
        "the fast one was interrupted"
    );
    consumer.join().expect("the slow consumer");
    pass(&publication, &[&subscription], 100);
}

#[test]
fn row_8_14_a_very_slow_untethered_consumer_harms_nobody() {
    slow_consumer(IPC, IPC, "aeron:ipc?tether=false");
}

#[test]
fn row_8_14_a_very_slow_untethered_consumer_of_a_network_stream_harms_nobody() {
    let channel = dynamic();
    let subscribed = with(&channel, &format!("endpoint=localhost:{}", free_port()));
    let slow = with(&subscribed, "tether=false");
    slow_consumer(&with(&channel, "fc=max"), &subscribed, &slow);
}

/// The publication's socket is free before the linger time, once its receiver has everything.
fn frees_its_socket(is_polled: bool) {
    let world = World::start(PATIENT);
    let client = world.client();
    let channel = udp();
    let subscription = client.add_subscription(&channel, STREAM).expect("added");
    let publication = client
        .add_publication(&with(&channel, "linger=60s|eos=true"), STREAM)
        .expect("added");
    await_connection(&publication, &subscription);
    send(&publication, b"the last message");
    if is_polled {
        assert_eq!(receive(&subscription, 1), [b"the last message"]);
    }
    let start = Instant::now();
    publication.close();
    wait_until("the end of the socket", || {
        let counters = client.counters();
        !counters
            .iter()
            .any(|it| it.type_id == types::SEND_CHANNEL_STATUS_TYPE_ID)
    });
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    if !is_polled {
        assert_eq!(receive(&subscription, 1), [b"the last message"]);
    }
}

#[test]
fn row_8_15_an_answered_end_of_stream_needs_no_linger() {
    frees_its_socket(true);
    frees_its_socket(false);
}
