//! How things end: a rejected image, a revoked publication, a client that dies, a driver that goes.

use crate::harness::{Counter, Driver, Media, Running, Session, Side};

/// Clients are given up soon after their last sign of life.
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.client.liveness.timeout", "2s"),
    ("aeron.publication.linger.timeout", "200ms"),
    ("aeron.image.liveness.timeout", "2s"),
];

/// Ids of system counters.
const ERROR_FRAMES_RECEIVED: i32 = 38;
const ERROR_FRAMES_SENT: i32 = 39;
const CLIENT_TIMEOUTS: i32 = 24;
const PUBLICATIONS_REVOKED: i32 = 40;
const IMAGES_REVOKED: i32 = 41;
const IMAGES_REJECTED: i32 = 42;

/// Publisher, its driver, the subscriber's driver, subscriber.
type Sides = [Side; 4];

const THEIRS: Sides = [Side::Theirs; 4];
const OUR_DRIVER: Sides = [Side::Theirs, Side::Ours, Side::Ours, Side::Theirs];
const OUR_CLIENTS: Sides = [Side::Ours, Side::Theirs, Side::Theirs, Side::Ours];
const OUR_SENDER: Sides = [Side::Theirs, Side::Ours, Side::Theirs, Side::Ours];
const OUR_RECEIVER: Sides = [Side::Ours, Side::Theirs, Side::Ours, Side::Theirs];

/// A session between two drivers, with every message arrived, handed to `then`; in the end the
/// publisher's driver has recorded so many errors.
fn between_two(sides: Sides, errors: i64, then: impl FnOnce(Running, &Driver, &Driver)) {
    let publishing = Driver::launch(sides[1], SETTINGS);
    let subscribing = Driver::launch(sides[2], SETTINGS);
    let running = session(sides, &publishing, &subscribing, Media::UdpV4);
    then(running, &publishing, &subscribing);
    publishing.stop_after_errors(errors);
    subscribing.stop();
}

/// The same over IPC, on the publisher's driver.
fn on_one(sides: Sides, errors: i64, then: impl FnOnce(Running, &Driver)) {
    let driver = Driver::launch(sides[1], SETTINGS);
    let running = session(sides, &driver, &driver, Media::Ipc);
    then(running, &driver);
    driver.stop_after_errors(errors);
}

fn session(sides: Sides, publishing: &Driver, subscribing: &Driver, media: Media) -> Running {
    let mut running = Session {
        publisher: sides[0],
        publisher_driver: publishing,
        subscriber: sides[3],
        subscriber_driver: subscribing,
        media,
        exclusive: true,
        claim: false,
        count: 50,
        sizes: &[0, 100, 5000],
        stream: 6001,
        publication_parameters: "term-length=64k",
        subscription_parameters: "",
    }
    .start();
    running.await_all_messages();
    running
}

fn rejected_over_udp(sides: Sides) {
    between_two(sides, 1, |mut running, publishing, subscribing| {
        running.subscriber.order("reject for a reason");
        assert_eq!(running.subscriber.line("REJECTED"), "images=1");
        let error = running.publisher.line("ERROR-FRAME");
        assert_eq!(error, format!("session={} code=13", running.session_id));
        assert!(publishing.system_counter(ERROR_FRAMES_RECEIVED) > 0);
        assert!(subscribing.system_counter(ERROR_FRAMES_SENT) > 0);
        assert_eq!(subscribing.system_counter(IMAGES_REJECTED), 1);
        let gone = running.subscriber.line("UNAVAILABLE");
        assert!(
            gone.starts_with(&format!("session={} ", running.session_id)),
            "{gone}"
        );
        drop(running.publisher.stop());
        drop(running.subscriber.stop());
    });
}

fn rejected_over_ipc(sides: Sides) {
    on_one(sides, 1, |mut running, driver| {
        running.subscriber.order("reject for a reason");
        assert_eq!(running.subscriber.line("REJECTED"), "images=1");
        let error = running.publisher.line("ERROR-FRAME");
        assert_eq!(error, format!("session={} code=13", running.session_id));
        let gone = running.subscriber.line("UNAVAILABLE");
        assert!(
            gone.starts_with(&format!("session={} ", running.session_id)),
            "{gone}"
        );
        assert_eq!(driver.system_counter(IMAGES_REJECTED), 1);
        drop(running.publisher.stop());
        drop(running.subscriber.stop());
    });
}

fn revoked_over_udp(sides: Sides) {
    between_two(sides, 0, |mut running, publishing, subscribing| {
        running.publisher.order("revoke on close");
        drop(running.publisher.stop());
        let gone = running.subscriber.line("UNAVAILABLE");
        let expected = format!(
            "session={} end-of-stream=true revoked=true",
            running.session_id
        );
        assert_eq!(gone, expected);
        for (driver, id) in [
            (publishing, PUBLICATIONS_REVOKED),
            (subscribing, IMAGES_REVOKED),
        ] {
            // The other side may hear of it before it is counted.
            driver.counters_when(Side::Theirs, |counters| {
                let is_it = |counter: &&Counter| counter.type_id == 0 && counter.id == id;
                counters
                    .iter()
                    .find(is_it)
                    .is_some_and(|counter| counter.value == 1)
            });
        }
        drop(running.subscriber.stop());
    });
}

fn revoked_over_ipc(sides: Sides) {
    on_one(sides, 0, |mut running, driver| {
        running.publisher.order("revoke on close");
        drop(running.publisher.stop());
        let gone = running.subscriber.line("UNAVAILABLE");
        let expected = format!(
            "session={} end-of-stream=true revoked=true",
            running.session_id
        );
        assert_eq!(gone, expected);
        assert_eq!(driver.system_counter(PUBLICATIONS_REVOKED), 1);
        drop(running.subscriber.stop());
    });
}

/// A publisher is killed; its driver notices, the subscriber sees the end of the stream, and nothing
/// of the dead client stays behind.
fn killed_publisher(sides: Sides) {
    between_two(sides, 0, |mut running, publishing, _| {
        running.publisher.kill();
        let gone = running.subscriber.line("UNAVAILABLE");
        let expected = format!(
            "session={} end-of-stream=true revoked=false",
            running.session_id
        );
        assert_eq!(gone, expected);
        assert_eq!(publishing.system_counter(CLIENT_TIMEOUTS), 1);
        publishing.counters_when(Side::Theirs, |counters| {
            counters.iter().all(|counter| counter.type_id == 0)
        });
        drop(running.subscriber.stop());
    });
}

/// A subscriber is killed; its driver takes the image and the endpoint away.
fn killed_subscriber(sides: Sides) {
    between_two(sides, 0, |mut running, _, subscribing| {
        running.subscriber.kill();
        subscribing.counters_when(Side::Theirs, |counters| {
            counters.iter().all(|counter| counter.type_id == 0)
        });
        assert_eq!(subscribing.system_counter(CLIENT_TIMEOUTS), 1);
        drop(running.publisher.stop());
    });
}

/// The driver is closed; its clients are told and do not hang.
fn closed_driver(driver_side: Side) {
    for client in [Side::Theirs, Side::Ours] {
        let driver = Driver::launch(driver_side, SETTINGS);
        let mut running = session(
            [client, driver_side, driver_side, client],
            &driver,
            &driver,
            Media::Ipc,
        );
        driver.stop();
        running.publisher.line("CLIENT-ERROR");
        running.subscriber.line("CLIENT-ERROR");
        drop(running.publisher.stop());
        drop(running.subscriber.stop());
    }
}

macro_rules! tests {
    ($($name:ident: $sides:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn image_is_rejected() {
                rejected_over_udp($sides);
                rejected_over_ipc($sides);
            }

            #[test]
            fn publication_is_revoked() {
                revoked_over_udp($sides);
                revoked_over_ipc($sides);
            }

            #[test]
            fn publisher_is_killed() {
                killed_publisher($sides);
            }

            #[test]
            fn subscriber_is_killed() {
                killed_subscriber($sides);
            }
        }
    )*};
}

tests! {
    theirs_alone: THEIRS;
    their_clients_on_our_driver: OUR_DRIVER;
    our_clients_on_their_driver: OUR_CLIENTS;
    our_driver_sends: OUR_SENDER;
    our_driver_receives: OUR_RECEIVER;
}

#[test]
fn their_driver_is_closed() {
    closed_driver(Side::Theirs);
}

#[test]
fn our_driver_is_closed() {
    closed_driver(Side::Ours);
}
