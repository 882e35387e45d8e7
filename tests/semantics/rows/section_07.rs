//! Positions.

use aileron::cnc::{SystemCounter, counter_types as types};

use super::streams::{all_channels, exchange, fragments, message, messages, open, udp_and_ipc};
use super::traffic::{refused, with};
use crate::peer::{Client, Offered, code};
use crate::world::{
    IPC, STREAM, World, await_connection, multicast, receive, send, stays, udp, wait_until,
};

/// Length of a term of the driver's default.
const TERM: i64 = 64 * 1024;

#[test]
fn row_7_1_the_last_message_of_a_stream() {
    let world = World::start(&[]);
    let client = world.client();
    // 2^31 terms, of which the last begins.
    let channel = "aeron:ipc?init-term-id=-7|term-id=2147483640|term-offset=64512|term-length=64k";
    let subscription = client.add_subscription(IPC, STREAM).expect("added");
    let publication = client
        .add_exclusive_publication(channel, STREAM)
        .expect("added");
    await_connection(&publication, &subscription);
    let max = publication.max_possible_position();
    assert_eq!(max, TERM << 31);
    assert_eq!(publication.position(), max - 1024);
    let last = message(1, 1024 - 32);
    assert_eq!(publication.offer(&last), Offered::Position(max));
    let (bytes, header) = &fragments(&subscription, 1)[0];
    assert_eq!((bytes, header.position), (&last, max));
    assert_eq!(subscription.images()[0].position(), max);
    for _ in 0..3 {
        assert_eq!(publication.offer(b"one more"), Offered::MaxPositionExceeded);
    }
    assert_eq!(subscription.poll(10, |_, _| {}), 0);
}

#[test]
fn row_7_2_a_stream_begins_anywhere() {
    let world = World::start(&[]);
    let client = world.client();
    for (number, (initial, term, offset)) in [
        (0_i32, 17_i32, 64_i64),
        (-1_000_000, -3, 65_504),
        (i32::MAX - 1, i32::MIN + 5, 32_768),
    ]
    .into_iter()
    .enumerate()
    {
        let channel = udp();
        let start = with(
            &channel,
            &format!("init-term-id={initial}|term-id={term}|term-offset={offset}|term-length=64k"),
        );
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client
            .add_exclusive_publication(&start, STREAM)
            .expect("added");
        await_connection(&publication, &subscription);
        let position = i64::from(term.wrapping_sub(initial)) * TERM + offset;
        assert_eq!(publication.position(), position, "{start}");
        assert_eq!(
            subscription.images()[0].join_position(),
            position,
            "{start}"
        );
        let sent: Vec<_> = (0..3000)
            .map(|index| message(index, (index * 7919 + number * 31) % 2800 + 1))
            .collect();
        exchange(&publication, &subscription, &sent, 10);
        assert_eq!(subscription.images()[0].position(), publication.position());
    }
}

#[test]
fn row_7_3_a_stream_begins_where_its_channel_says() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        for is_exclusive in [false, true] {
            let start = with(
                &channel,
                "init-term-id=7|term-id=9|term-offset=1024|term-length=64k",
            );
            let publication = client
                .add_publication_of(is_exclusive, &start, STREAM)
                .expect("added");
            await_connection(&publication, &subscription);
            assert_eq!(publication.initial_term_id(), 7, "{start}");
            assert_eq!(publication.position(), 2 * TERM + 1024, "{start}");
            assert_eq!(subscription.images()[0].join_position(), 2 * TERM + 1024);
            send(&publication, b"first");
            let (_, header) = fragments(&subscription, 1)[0];
            assert_eq!(header.position, 2 * TERM + 1024 + 64, "{start}");
            assert_eq!((header.term_id, header.term_offset), (9, 1024), "{start}");
            publication.close();
            wait_until("the image's end", || !subscription.is_connected());
        }
    }
}

const START: &str = "init-term-id=7|term-id=9|term-offset=1024|term-length=64k";

#[test]
fn row_7_4_a_stream_that_goes_on_is_shared_by_its_start_or_without() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        let publication = client
            .add_publication(&with(&channel, START), STREAM)
            .expect("added");
        await_connection(&publication, &subscription);
        exchange(&publication, &subscription, &messages(30, 1000), 5);
        for again in [with(&channel, START), channel.clone()] {
            let other = client.add_publication(&again, STREAM).expect("added");
            assert_eq!(other.position(), publication.position(), "{again}");
            assert_eq!(other.session_id(), publication.session_id(), "{again}");
        }
    }
}

#[test]
fn row_7_5_another_start_is_refused() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        let _publication = client
            .add_publication(&with(&channel, START), STREAM)
            .expect("added");
        for other in [
            "init-term-id=7|term-id=9|term-offset=1056|term-length=64k",
            "init-term-id=8|term-id=9|term-offset=1024|term-length=64k",
            "init-term-id=7|term-id=9|term-offset=1024|term-length=128k",
        ] {
            let other = with(&channel, other);
            let refusal = refused(&world, || client.add_publication(&other, STREAM));
            assert_eq!(refusal, code::GENERIC_ERROR, "{other}");
        }
    }
}

#[test]
fn row_7_6_the_start_of_a_fresh_stream_may_be_named_later() {
    let world = World::start(&[]);
    let client = world.client();
    for channel in udp_and_ipc() {
        let publication = client.add_publication(&channel, STREAM).expect("added");
        let initial = publication.initial_term_id();
        assert_eq!(publication.position(), 0);
        let start =
            format!("init-term-id={initial}|term-id={initial}|term-offset=0|term-length=64k");
        let again = client
            .add_publication(&with(&channel, &start), STREAM)
            .expect("added");
        assert_eq!(
            again.original_registration_id(),
            publication.registration_id()
        );
        assert_eq!(again.position(), 0);
    }
}

/// A message or two in a log whose offsets exceed 31 bits.
fn beyond_31_bits(channel: &str) {
    let world = World::start(&[("aeron.perform.storage.checks", "false")]);
    let client = world.client();
    let start = with(
        channel,
        "init-term-id=0|term-id=2|term-offset=1000013824|term-length=1g",
    );
    let subscription = client.add_subscription(channel, STREAM).expect("added");
    let publication = client
        .add_exclusive_publication(&start, STREAM)
        .expect("added");
    await_connection(&publication, &subscription);
    assert_eq!(publication.position(), 3_147_497_472);
    exchange(&publication, &subscription, &messages(50, 1000), 5);
    let image = &subscription.images()[0];
    assert_eq!(image.join_position(), 3_147_497_472);
    assert_eq!(image.position(), publication.position());
}

#[test]
fn row_7_7_offsets_beyond_31_bits() {
    beyond_31_bits(&udp());
    beyond_31_bits(IPC);
}

#[test]
fn row_7_7_offsets_beyond_31_bits_of_a_log_that_is_not_sparse() {
    let world_channel = "aeron:ipc?sparse=false";
    let world = World::start(&[("aeron.term.buffer.sparse.file", "false")]);
    let client = world.client();
    // Allocated as a whole, so the first terms are as short as 2^31 allows.
    let start =
        "aeron:ipc?sparse=false|init-term-id=0|term-id=48|term-offset=1769472|term-length=64m";
    let subscription = client
        .add_subscription(world_channel, STREAM)
        .expect("added");
    let publication = client
        .add_exclusive_publication(start, STREAM)
        .expect("added");
    await_connection(&publication, &subscription);
    assert_eq!(publication.position(), 48 * (64 << 20) + 1_769_472);
    exchange(&publication, &subscription, &messages(50, 1000), 5);
    assert_eq!(subscription.images()[0].position(), publication.position());
}

#[test]
fn row_7_8_who_joins_later_joins_where_the_slowest_is() {
    let world = World::start(&[]);
    let client = world.client();
    for (channel, is_spied) in [(udp(), false), (IPC.to_owned(), false), (udp(), true)] {
        let spy = is_spied.then(|| {
            let spy = client.add_subscription(&format!("aeron-spy:{channel}"), STREAM);
            spy.expect("added")
        });
        let (publication, first) = open(&client, false, &channel);
        let sent = messages(3, 100);
        for message in &sent {
            send(&publication, message);
        }
        let second = client.add_subscription(&channel, STREAM).expect("added");
        await_connection(&publication, &second);
        publication.close();
        for subscription in [&first, &second] {
            assert_eq!(subscription.images()[0].join_position(), 0, "{channel}");
            assert_eq!(receive(subscription, 3), sent, "{channel}");
        }
        drop(spy);
    }
}

/// Values of a publication's counters of the sender.
fn sender_counters(client: &Client, registration_id: i64) -> Vec<(i32, i64)> {
    let mut counters = client.counters();
    counters.retain(|it| {
        it.registration_id == registration_id
            && [types::SENDER_POSITION_TYPE_ID, types::SENDER_LIMIT_TYPE_ID].contains(&it.type_id)
    });
    counters.iter().map(|it| (it.type_id, it.value)).collect()
}

#[test]
fn row_7_9_an_image_far_away_does_not_connect_its_namesake() {
    for term_id in [5000, 1] {
        let world_1 = World::start(&[]);
        let world_2 = World::start(&[]);
        let (client_1, client_2) = (world_1.client(), world_2.client());
        let channel = multicast();
        let start = |term_id: i32| {
            let start = "session-id=77|init-term-id=0|term-length=64k|term-offset=0";
            with(&channel, &format!("{start}|term-id={term_id}"))
        };
        let subscription = client_1.add_subscription(&channel, STREAM).expect("added");
        let publication_1 = client_1
            .add_exclusive_publication(&start(1000), STREAM)
            .expect("added");
        await_connection(&publication_1, &subscription);
        let publication_2 = client_2
            .add_exclusive_publication(&start(term_id), STREAM)
            .expect("added");
        let before = sender_counters(&client_2, publication_2.registration_id());
        assert_eq!(before.len(), 2);
        let mut sent = 0;
        wait_until("rejected status messages", || {
            sent += usize::from(publication_1.offer(b"message").position().is_some());
            subscription.poll(10, |_, _| {});
            world_2.system_counter(SystemCounter::StatusMessagesRejected) > 2
        });
        let is_still_apart = stays(std::time::Duration::from_millis(500), || {
            subscription.poll(10, |_, _| {});
            !publication_2.is_connected()
        });
        assert!(is_still_apart, "from term {term_id}");
        let after = sender_counters(&client_2, publication_2.registration_id());
        assert_eq!(after, before, "from term {term_id}");
        assert!(publication_1.is_connected(), "from term {term_id}");
        publication_2.close();
        wait_until("the end of its counters", || {
            let counters = client_2.counters();
            !counters
                .iter()
                .any(|it| it.type_id == types::SENDER_POSITION_TYPE_ID)
        });
    }
}

#[test]
fn row_7_10_a_late_receiver_gets_the_rest_of_a_running_stream() {
    let (world_1, world_2) = (World::start(&[]), World::start(&[]));
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = multicast();
    let (publication, first) = open(&client_1, false, &channel);
    let all = messages(60, 500);
    exchange(&publication, &first, &all[..30], 1);
    let before = publication.position();
    let late = client_2.add_subscription(&channel, STREAM).expect("added");
    wait_until("the late image", || late.is_connected());
    assert_eq!(late.images()[0].join_position(), before);
    let mut received = Vec::new();
    for message in &all[30..] {
        send(&publication, message);
        assert_eq!(receive(&first, 1), std::slice::from_ref(message));
        received.append(&mut receive(&late, 1));
    }
    assert_eq!(received, all[30..]);
    assert_eq!(late.images()[0].position(), publication.position());
}

#[test]
fn row_7_11_a_late_receiver_joins_an_idle_stream() {
    let (world_1, world_2) = (World::start(&[]), World::start(&[]));
    let (client_1, client_2) = (world_1.client(), world_2.client());
    let channel = multicast();
    let (publication, first) = open(&client_1, false, &channel);
    exchange(&publication, &first, &messages(5, 500), 5);
    let late = client_2.add_subscription(&channel, STREAM).expect("added");
    wait_until("the late image", || late.is_connected());
    let image = &late.images()[0];
    assert_eq!(image.join_position(), publication.position());
    assert_eq!(image.position(), publication.position());
    assert_eq!(late.poll(10, |_, _| {}), 0);
}

#[test]
fn row_7_12_a_publication_comes_again_and_again() {
    // A publication that does not linger is there for one more tick of the timer: long enough for
    // the heartbeat that tells of the end.
    let world = World::start(&[("aeron.timer.interval", "300ms")]);
    let client = world.client();
    for channel in all_channels() {
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        for (goal, session) in [(3, ""), (6, "|session-id=4242")] {
            let published = with(&channel, &format!("linger=0{session}"));
            for round in 0..3 {
                let publication = client
                    .add_exclusive_publication(&published, STREAM)
                    .expect("added");
                await_connection(&publication, &subscription);
                send(&publication, &message(round, 200));
                assert_eq!(receive(&subscription, 1), [message(round, 200)]);
                publication.close();
                wait_until("the image's end", || !subscription.is_connected());
            }
            let came = subscription
                .events()
                .iter()
                .filter(|it| it.is_available)
                .count();
            assert_eq!(came, goal, "{published}");
        }
    }
}
