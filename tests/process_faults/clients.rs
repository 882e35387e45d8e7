//! Clients that die without a word: the driver gives back what they held, others go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use aileron::cnc::SystemCounter;
use aileron::{MediaDriver, StreamId};

use super::roles::start;
use super::support::stream::{message, resolved};
use super::support::{
    aeron_dir, connect, context, free_port, launch, place, system_counter, wait_until,
};

const STREAM: i32 = 1001;
/// What a loaded machine may add to a timeout.
const SLACK: Duration = Duration::from_secs(8);
/// Until a dead client is noticed; see `support::QUICK`.
const CLIENT_LIVENESS: Duration = Duration::from_secs(3);
/// Until a publication notices that nobody reports back; see `support::QUICK`.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Until an image from a silent publisher goes away; see `support::QUICK`.
const IMAGE_LIVENESS: Duration = Duration::from_secs(2);

fn counter(driver: &MediaDriver, counter: SystemCounter) -> i64 {
    system_counter(driver.cnc(), counter)
}

/// A second publisher offers behind a claim whose owner is killed: its messages arrive.
fn kill_in_mid_claim(subscribed: &str) {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let mut subscription = client
        .add_subscription(subscribed, StreamId(STREAM))
        .expect("a subscription");
    let channel = resolved(&subscription);
    let publication = client
        .add_publication(&channel, StreamId(STREAM))
        .expect("a publication");
    wait_until("a connection", || publication.is_connected());

    let claimer = start("claimer", &dir, &[&channel, &STREAM.to_string()]);
    claimer.await_words("claimed");
    let mut sent = 0;
    while sent < 10 {
        sent += u64::from(publication.offer(&message(sent)).is_ok());
    }
    let mut received = 0;
    let mut take = |bytes: &[u8]| {
        assert_eq!(bytes, message(received), "message {received}");
        received += 1;
        received
    };
    subscription.poll(10, |bytes, _| {
        panic!("{} bytes overtook a claim", bytes.len())
    });
    claimer.kill();

    let mut last = 0;
    wait_until("the messages behind the claim", || {
        subscription.poll(10, |bytes, _| last = take(bytes));
        last == 10
    });
    assert_eq!(counter(&driver, SystemCounter::UnblockedPublications), 1);
    wait_until("further messages", || {
        sent += u64::from(publication.offer(&message(sent)).is_ok());
        subscription.poll(10, |bytes, _| last = take(bytes));
        last >= 1000
    });
    wait_until("the dead client's timeout", || {
        counter(&driver, SystemCounter::ClientTimeouts) == 1
    });
    assert!(!client.is_closed());
    driver.close();
}

#[test]
fn a_claim_whose_owner_is_killed_is_unblocked_on_ipc() {
    kill_in_mid_claim("aeron:ipc");
}

#[test]
fn a_claim_whose_owner_is_killed_is_unblocked_on_the_network() {
    kill_in_mid_claim("aeron:udp?endpoint=127.0.0.1:0");
}

/// Of two subscribers one is killed: the stream halts no longer than until its timeout.
#[test]
fn a_killed_subscriber_holds_back_an_ipc_stream_only_until_its_timeout() {
    let place = place();
    let dir = aeron_dir(&place);
    let _driver = launch(&dir);
    let client = connect(&dir);
    let mut subscription = client
        .add_subscription("aeron:ipc", StreamId(STREAM))
        .expect("a subscription");
    let doomed = start("subscriber", &dir, &["aeron:ipc", &STREAM.to_string()]);
    doomed.await_words("subscribed");
    let publication = client
        .add_publication("aeron:ipc", StreamId(STREAM))
        .expect("added");
    let (mut sent, mut received) = (0, 0);
    let mut pass = |count: u64| {
        let goal = received + count;
        wait_until("the stream's messages", || {
            for _ in 0..64 {
                sent += u64::from(publication.offer(&message(sent)).is_ok());
                subscription.poll(16, |bytes, _| {
                    assert_eq!(bytes, message(received), "message {received}");
                    received += 1;
                });
            }
            received >= goal
        });
    };
    pass(100);
    doomed.await_words("receiving");
    doomed.kill();
    let died = Instant::now();
    // Far more than the window that the dead subscriber leaves.
    pass(10_000);
    assert!(
        died.elapsed() < CLIENT_LIVENESS + SLACK,
        "{:?}",
        died.elapsed()
    );
    drop(subscription);
    wait_until("the publication's end of connection", || {
        !publication.is_connected()
    });
}

fn kill_the_only_subscriber(channel_of: impl Fn(u16) -> String, limit: Duration) {
    let place = place();
    let dir = aeron_dir(&place);
    let _driver = launch(&dir);
    let client = connect(&dir);
    let channel = channel_of(free_port());
    let doomed = start("subscriber", &dir, &[&channel, &STREAM.to_string()]);
    doomed.await_words("subscribed");
    let publication = client
        .add_publication(&channel, StreamId(STREAM))
        .expect("added");
    wait_until("a first message", || publication.offer(&message(0)).is_ok());
    doomed.await_words("receiving");
    doomed.kill();
    let died = Instant::now();
    wait_until("the publisher's notice", || !publication.is_connected());
    assert!(
        died.elapsed() < limit + SLACK,
        "noticed after {:?}",
        died.elapsed()
    );
    // The publication is ready for whoever comes next.
    let mut next = client
        .add_subscription(&channel, StreamId(STREAM))
        .expect("a subscription");
    let mut sent = false;
    wait_until("a message to the next subscriber", || {
        sent = sent || publication.offer(&message(1)).is_ok();
        next.poll(1, |bytes, _| assert_eq!(bytes, message(1))) > 0
    });
}

#[test]
fn the_publisher_notices_that_its_only_ipc_subscriber_was_killed() {
    kill_the_only_subscriber(|_| "aeron:ipc".to_owned(), CLIENT_LIVENESS);
}

#[test]
fn the_publisher_notices_that_its_only_network_subscriber_was_killed() {
    kill_the_only_subscriber(
        |port| format!("aeron:udp?endpoint=127.0.0.1:{port}"),
        CLIENT_LIVENESS + CONNECTION_TIMEOUT,
    );
}

#[test]
fn a_subscriber_notices_that_the_publisher_was_killed() {
    let place = place();
    let dir = aeron_dir(&place);
    let _driver = launch(&dir);
    let left = Arc::new(AtomicI32::new(0));
    let count = Arc::clone(&left);
    let client = context(&dir)
        .on_unavailable_image(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
        })
        .connect()
        .expect("a client");
    for subscribed in ["aeron:ipc", "aeron:udp?endpoint=127.0.0.1:0"] {
        let mut subscription = client
            .add_subscription(subscribed, StreamId(STREAM))
            .expect("a subscription");
        let channel = resolved(&subscription);
        let doomed = start("publisher", &dir, &[&channel, &STREAM.to_string()]);
        let mut received = 0;
        wait_until("messages", || {
            subscription.poll(16, |bytes, _| {
                assert_eq!(bytes, message(received));
                received += 1;
            });
            received > 1000
        });
        doomed.kill();
        let died = Instant::now();
        let before = left.load(Ordering::Relaxed);
        wait_until("the image's end", || {
            // What was committed before the death still arrives, in order.
            subscription.poll(16, |bytes, _| {
                assert_eq!(bytes, message(received));
                received += 1;
            });
            subscription.has_no_images()
        });
        let limit = CLIENT_LIVENESS + IMAGE_LIVENESS + SLACK;
        assert!(died.elapsed() < limit, "noticed after {:?}", died.elapsed());
        assert_eq!(left.load(Ordering::Relaxed), before + 1);
    }
}

#[test]
fn a_client_killed_while_it_writes_a_command_does_not_silence_the_others() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let doomed = start("command-claimer", &dir, &[]);
    doomed.await_words("claimed");
    doomed.kill();
    // Behind the unfinished command in the ring.
    let added = client
        .add_publication("aeron:ipc", StreamId(STREAM))
        .expect("answered at last");
    assert!(!added.is_closed());
    assert_eq!(counter(&driver, SystemCounter::UnblockedCommands), 1);
    client
        .add_subscription("aeron:ipc", StreamId(STREAM))
        .expect("answered");
    assert!(!driver.has_failed());
}
