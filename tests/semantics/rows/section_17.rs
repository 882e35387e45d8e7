//! Times that senders, receivers and the kernel write into frames.

use std::time::{Duration, SystemTime};

use crate::peer::*;
use crate::rows::traffic::*;
use crate::world::*;

/// What messages hold where no time is written.
const UNSTAMPED: u8 = 0xEE;
/// How far clocks may be apart: the driver's is set by the system's from time to time.
const TOLERANCE: i64 = 1_000_000_000;

/// Nanoseconds of the epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or(Duration::ZERO).as_nanos()).expect("this century")
}

/// The word at `offset` of a payload.
fn word(payload: &[u8], offset: usize) -> i64 {
    let bytes = payload[offset..offset + 8].try_into().expect("eight bytes");
    i64::from_le_bytes(bytes)
}

/// A time that something was stamped with after `start`.
fn assert_time(time: i64, start: i64) {
    let range = start - TOLERANCE..now() + TOLERANCE;
    assert!(range.contains(&time), "{time} is not in {range:?}");
}

/// Sends a message of `length` and returns what arrives, whole, with its reserved value.
fn pass(publication: &Publication, subscription: &Subscription, length: usize) -> (Vec<u8>, i64) {
    send(publication, &vec![UNSTAMPED; length]);
    wait_for("the message", || {
        let mut taken = None;
        subscription.poll_assembled(64, |payload, header| {
            assert!(taken.is_none(), "one was sent");
            taken = Some((payload.to_vec(), header.reserved_value));
        });
        taken
    })
}

#[cfg(target_os = "linux")]
#[test]
fn row_17_2_the_kernel_says_when_a_packet_came() {
    for channel in [udp(), multicast()] {
        for threading in THREADING_MODES {
            let world = World::start(&[("aeron.threading.mode", threading)]);
            let client = world.client();
            let subscription = client
                .add_subscription(&with(&channel, "media-rcv-ts-offset=reserved"), STREAM)
                .expect("added");
            let publication = client.add_publication(&channel, STREAM).expect("added");
            await_connection(&publication, &subscription);
            let mut times = Vec::new();
            for _ in 0..5 {
                let start = now();
                wait_until("room for a message", || {
                    let offered = publication.offer_with_reserved_value(&[UNSTAMPED; 50], -1234);
                    offered.position().is_some()
                });
                let mut received = None;
                wait_until("the message", || {
                    subscription.poll(1, |payload, header| {
                        assert_eq!(payload, [UNSTAMPED; 50]);
                        received = Some(header.reserved_value);
                    });
                    received.is_some()
                });
                let time = received.expect("a message");
                assert_time(time, start);
                times.push(time);
            }
            assert!(times.is_sorted(), "{times:?}");
        }
    }
}

#[test]
fn row_17_3_sender_and_receiver_write_their_times() {
    for channel in [udp(), multicast()] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client
            .add_subscription(&with(&channel, "channel-rcv-ts-offset=0"), STREAM)
            .expect("added");
        let publication = client
            .add_publication(&with(&channel, "channel-snd-ts-offset=8"), STREAM)
            .expect("added");
        await_connection(&publication, &subscription);
        let start = now();
        let (payload, _) = pass(&publication, &subscription, 100);
        let (received, sent) = (word(&payload, 0), word(&payload, 8));
        assert_time(sent, start);
        assert_time(received, start);
        assert!(sent <= received, "sent at {sent}, received at {received}");
        assert_eq!(payload[16..], [UNSTAMPED; 84]);
        // What has no room for a time stays as it is.
        let (payload, _) = pass(&publication, &subscription, 7);
        assert_eq!(payload, [UNSTAMPED; 7]);
    }
}

#[test]
fn row_17_4_only_first_fragments_are_stamped() {
    let world = World::start(&[]);
    let client = world.client();
    let channel = udp();
    let subscription = client
        .add_subscription(&with(&channel, "channel-rcv-ts-offset=0"), STREAM)
        .expect("added");
    let publication = client
        .add_publication(&with(&channel, "channel-snd-ts-offset=8"), STREAM)
        .expect("added");
    await_connection(&publication, &subscription);
    for _ in 0..50 {
        let start = now();
        let (payload, _) = pass(&publication, &subscription, 7000);
        assert_time(word(&payload, 0), start);
        assert_time(word(&payload, 8), start);
        assert_eq!(payload.len(), 7000);
        assert!(payload[16..].iter().all(|byte| *byte == UNSTAMPED));
    }
}

#[test]
fn row_17_5_send_times_reach_every_destination() {
    let world = World::start(&[]);
    let client = world.client();
    let publication = client
        .add_publication(&with(MANUAL, "channel-snd-ts-offset=0"), STREAM)
        .expect("added");
    let subscriptions = [udp(), udp()].map(|channel| {
        let subscription = client.add_subscription(&channel, STREAM).expect("added");
        publication.add_destination(&channel).expect("added");
        await_connection(&publication, &subscription);
        subscription
    });
    let start = now();
    send(&publication, &[UNSTAMPED; 40]);
    for subscription in &subscriptions {
        let payload = receive(subscription, 1).remove(0);
        assert_time(word(&payload, 0), start);
        assert_eq!(payload[8..], [UNSTAMPED; 32]);
    }
}

#[test]
fn row_17_6_streams_of_every_source_are_stamped() {
    for (name, other) in [
        ("channel-rcv-ts-offset=0", "alias=x"),
        ("channel-rcv-ts-offset=0", "media-rcv-ts-offset=8"),
    ] {
        let world = World::start(&[]);
        let client = world.client();
        let subscription = client
            .add_subscription(&format!("{MANUAL}|{name}|{other}"), STREAM)
            .expect("added");
        let channels = [udp(), udp()];
        for channel in &channels {
            subscription.add_destination(channel).expect("added");
        }
        let publish = |channel: &str, start: &str| {
            let channel = with(channel, start);
            client
                .add_exclusive_publication(&channel, STREAM)
                .expect("added")
        };
        // Two streams, and one that has two sources.
        let merged = "session-id=88|init-term-id=1|term-id=1|term-offset=0";
        let publications = [
            publish(&channels[0], "session-id=86"),
            publish(&channels[1], "session-id=87"),
            publish(&channels[0], merged),
            publish(&channels[1], merged),
        ];
        for publication in &publications {
            await_connection(publication, &subscription);
        }
        let start = now();
        for _ in 0..20 {
            for publication in &publications {
                send(publication, &[UNSTAMPED; 64]);
            }
        }
        let payloads = receive(&subscription, 60);
        assert_eq!(payloads.len(), 60);
        for payload in payloads {
            assert_time(word(&payload, 0), start);
            if other.starts_with("media") && cfg!(target_os = "linux") {
                assert_time(word(&payload, 8), start);
            }
            assert_eq!(payload[16..], [UNSTAMPED; 48]);
        }
        subscription.poll(10, |_, _| panic!("each message comes once"));
    }
}
