//! Drivers that die, and drivers in each other's way.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use aileron::client::ClientError;
use aileron::{Client, MediaDriver, OfferError, StreamId};

use super::roles::start;
use super::support::child::Child;
use super::support::stream::{Stream, message};
use super::support::{
    aeron_dir, builder, connect, context, free_port, launch, place, wait_for, wait_until,
};

const STREAM: i32 = 1001;
const NETWORK: &str = "aeron:udp?endpoint=127.0.0.1:0";
const CLIENT_TIMEOUT: Duration = Duration::from_secs(2);
/// What a loaded machine may add to a timeout.
const SLACK: Duration = Duration::from_secs(8);

/// A client that reports its errors here.
fn watched(dir: &Path) -> (Client, Receiver<ClientError>) {
    let (sender, errors) = channel();
    let client = context(dir)
        .driver_timeout(CLIENT_TIMEOUT)
        .on_error(move |error| {
            let _ = sender.send(error.clone());
        })
        .connect()
        .expect("a client");
    (client, errors)
}

fn started_driver(dir: &Path) -> Child {
    let driver = start("driver", dir, &[]);
    driver.await_words("ready");
    driver
}

#[test]
fn clients_report_a_killed_driver_in_time_and_a_new_driver_serves_new_clients() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = started_driver(&dir);
    let (client, errors) = watched(&dir);
    let mut streams = ["aeron:ipc", NETWORK].map(|channel| Stream::open(&client, channel, STREAM));
    streams.iter_mut().for_each(|stream| stream.pass(1000));
    let publication = client
        .add_publication("aeron:ipc", StreamId(7))
        .expect("a publication");

    driver.kill();
    let died = Instant::now();
    let refused = MediaDriver::launch(
        builder(&dir)
            .driver_timeout_ms(60_000)
            .build()
            .expect("valid settings"),
    );
    let refused = refused
        .expect_err("the dead driver may still be alive")
        .to_string();
    assert!(
        refused.contains("Active media driver detected"),
        "{refused}"
    );

    let error = errors
        .recv_timeout(CLIENT_TIMEOUT + SLACK)
        .expect("an error in time");
    assert!(
        matches!(error, ClientError::DriverTimeout { .. }),
        "{error}"
    );
    assert!(
        died.elapsed() < CLIENT_TIMEOUT + SLACK,
        "{:?}",
        died.elapsed()
    );
    wait_until("the client's end", || client.is_closed());
    assert_eq!(publication.offer(&message(0)), Err(OfferError::Closed));
    assert!(
        streams
            .iter()
            .all(|stream| stream.publication().is_closed())
    );
    assert!(client.add_publication("aeron:ipc", StreamId(7)).is_err());

    let _driver = wait_for("a driver in its place", || {
        let config = builder(&dir).build().expect("valid settings");
        MediaDriver::launch(config).ok()
    });
    let client = connect(&dir);
    for channel in ["aeron:ipc", NETWORK] {
        Stream::open(&client, channel, STREAM).pass(1000);
    }
    let leftovers = std::fs::read_dir(dir.join("publications"))
        .expect("a folder")
        .count();
    assert!(
        leftovers <= 2,
        "{leftovers} logs, the dead driver's among them"
    );
}

#[test]
fn a_client_keeps_trying_until_a_new_driver_replaces_the_dead_one() {
    let place = place();
    let dir = aeron_dir(&place);
    started_driver(&dir).kill();
    // The file of the dead driver is there when the client begins, and goes stale meanwhile.
    let waiting = {
        let dir = dir.clone();
        std::thread::spawn(move || {
            context(&dir)
                .driver_timeout(Duration::from_millis(1500))
                .connect()
                .map(|_| ())
        })
    };
    let _ = waiting.join().expect("no panic");
    let driver = wait_for("a driver in its place", || {
        MediaDriver::launch(builder(&dir).build().expect("valid settings")).ok()
    });
    let client = connect(driver.directory());
    Stream::open(&client, "aeron:ipc", STREAM).pass(100);
}

#[test]
fn clients_report_a_driver_that_shut_down_at_once() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = started_driver(&dir);
    let (client, errors) = watched(&dir);
    Stream::open(&client, "aeron:ipc", STREAM).pass(100);
    assert!(driver.dismiss().success());
    let error = errors.recv_timeout(SLACK).expect("an error in time");
    assert!(matches!(error, ClientError::DriverShutdown), "{error}");
    wait_until("the client's end", || client.is_closed());
    // Its place is free at once.
    launch(&dir).close();
}

/// Two drivers on the network; the one with the peer in `role` is killed together with the peer, as
/// when its machine loses power. Calls `notices` until it is true.
fn kill_the_other_machine(
    role: &str,
    limit: Duration,
    prepare: impl FnOnce(&Client, &str) -> Box<dyn FnMut() -> bool>,
) {
    let place = place();
    let (near, far) = (place.path().join("near"), place.path().join("far"));
    let _near_driver = launch(&near);
    let far_driver = started_driver(&far);
    let client = connect(&near);
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{}", free_port());
    let mut notices = prepare(&client, &channel);
    let peer = start(role, &far, &[&channel, &STREAM.to_string()]);
    wait_until("messages", || !notices());
    peer.await_words(if role == "publisher" {
        "sending"
    } else {
        "receiving"
    });
    peer.kill();
    far_driver.kill();
    let died = Instant::now();
    wait_until("the notice", notices);
    assert!(died.elapsed() < limit + SLACK, "{:?}", died.elapsed());
    assert!(!client.is_closed());
}

#[test]
fn a_publisher_notices_that_the_driver_of_its_subscriber_is_gone() {
    // See `support::QUICK` for the connection timeout.
    kill_the_other_machine("subscriber", Duration::from_secs(2), |client, channel| {
        let publication = client
            .add_publication(channel, StreamId(STREAM))
            .expect("added");
        Box::new(move || {
            let _ = publication.offer(&message(0));
            !publication.is_connected()
        })
    });
}

#[test]
fn a_subscriber_notices_that_the_driver_of_its_publisher_is_gone() {
    // See `support::QUICK` for the liveness of images.
    kill_the_other_machine("publisher", Duration::from_secs(2), |client, channel| {
        let mut subscription = client
            .add_subscription(channel, StreamId(STREAM))
            .expect("added");
        Box::new(move || {
            subscription.poll(64, |_, _| {});
            subscription.has_no_images()
        })
    });
}

#[test]
fn a_second_driver_is_refused_and_harms_nobody() {
    let place = place();
    let dir = aeron_dir(&place);
    let driver = launch(&dir);
    let client = connect(&dir);
    let mut stream = Stream::open(&client, NETWORK, STREAM);
    stream.pass(100);
    let second = start("driver", &dir, &[]);
    let words = second.next_words().expect("an answer");
    assert!(
        words.contains("refused: Active media driver detected"),
        "{words}"
    );
    assert!(second.ended().success());
    stream.pass(1000);
    assert!(!driver.has_failed());
}

#[test]
fn of_drivers_that_start_at_the_same_time_one_wins() {
    for _ in 0..4 {
        let place = place();
        let dir = aeron_dir(&place);
        let drivers: Vec<_> = (0..4).map(|_| start("driver", &dir, &[])).collect();
        let words: Vec<_> = drivers
            .iter()
            .map(|driver| driver.next_words().expect("an answer"))
            .collect();
        let winners = words.iter().filter(|words| *words == "ready").count();
        assert_eq!(winners, 1, "{words:?}");
        let client = connect(&dir);
        Stream::open(&client, "aeron:ipc", STREAM).pass(100);
    }
}
