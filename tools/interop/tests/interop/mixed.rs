//! Clients of both sides on one log, one subscription or one publication at the same time.

use crate::harness::{Driver, Media, Peer, Session, Side};

/// Long enough to say whose they are, and from one to many fragments.
const SIZES: &[usize] = &[16, 31, 32, 1376, 1377, 8 << 10, 64 << 10];
const COUNT: u64 = 1400;
const QUICK: &[(&str, &str)] = &[("aeron.timer.interval", "100ms")];

/// A publisher of each side, both to one subscriber. Concurrent publications of one channel are one
/// log, in which both append by turns; exclusive ones are two images of one subscription.
fn two_publishers(side: Side, subscriber: Side, media: Media, exclusive: bool) {
    let driver = Driver::launch(side, QUICK);
    let session = |publisher| Session {
        publisher,
        publisher_driver: &driver,
        subscriber,
        subscriber_driver: &driver,
        media,
        exclusive,
        claim: true,
        count: COUNT,
        sizes: SIZES,
        stream: 5001,
        publication_parameters: "term-length=1m",
        subscription_parameters: "",
    };
    let sessions = [session(Side::Theirs), session(Side::Ours)];
    let (mut subscriber, endpoint) = sessions[0].start_subscriber_of(&[1, 2]);
    let mut publishers: Vec<_> = (1..)
        .zip(&sessions)
        .map(|(seed, session)| session.start_publisher_alone(&endpoint, seed, &["--gated"]))
        .collect();
    let shared = publishers[0].1 == publishers[1].1;
    assert_eq!(shared, !exclusive, "publications share a session");
    for (publisher, _) in &mut publishers {
        publisher.line("CONNECTED");
    }
    for (publisher, _) in &mut publishers {
        publisher.order("go");
    }
    for (publisher, _) in &mut publishers {
        let sent = publisher.line("DONE");
        let (seed, _) = sent.split_once(' ').expect("a seed and the rest");
        assert_eq!(
            sent,
            format!("{seed} {}", subscriber.line(&format!("DONE {seed}")))
        );
    }
    publishers
        .into_iter()
        .for_each(|(publisher, _)| drop(publisher.stop()));
    subscriber.line("UNAVAILABLE");
    drop(subscriber.stop());
    driver.stop();
}

/// One publisher, heard by a subscriber of each side and by a spy of each side.
fn many_subscribers(side: Side, publisher: Side) {
    let driver = Driver::launch(side, QUICK);
    let session = |subscriber| Session {
        publisher,
        publisher_driver: &driver,
        subscriber,
        subscriber_driver: &driver,
        media: Media::UdpV4,
        exclusive: false,
        claim: false,
        count: COUNT,
        sizes: SIZES,
        stream: 5002,
        publication_parameters: "term-length=1m",
        subscription_parameters: "",
    };
    let (theirs, ours) = (session(Side::Theirs), session(Side::Ours));
    let (first, endpoint) = theirs.start_subscriber();
    let channel = Media::UdpV4.publication_channel(&endpoint, "");
    let mut subscribers: Vec<Peer> = vec![first];
    // The endpoint of the first, whose channel names port 0, is another one to the driver.
    for session in [&theirs, &ours] {
        subscribers.push(
            session
                .start_subscriber_at(&format!("aeron-spy:{channel}"))
                .0,
        );
    }
    let mut running = theirs.start_publisher(subscribers.remove(0), endpoint);
    let sent = running.publisher.line("DONE");
    assert_eq!(running.subscriber.line("DONE"), sent);
    for spy in &mut subscribers {
        assert_eq!(spy.line("DONE"), sent);
    }
    running.finish();
    for mut spy in subscribers {
        spy.line("UNAVAILABLE");
        drop(spy.stop());
    }
    driver.stop();
}

macro_rules! tests {
    ($($name:ident: $side:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn one_ipc_log_of_two_publishers() {
                two_publishers($side, Side::Ours, Media::Ipc, false);
                two_publishers($side, Side::Theirs, Media::Ipc, false);
            }

            #[test]
            fn one_udp_log_of_two_publishers() {
                two_publishers($side, Side::Ours, Media::UdpV4, false);
                two_publishers($side, Side::Theirs, Media::UdpV6, false);
            }

            #[test]
            fn one_subscription_of_two_images() {
                two_publishers($side, Side::Ours, Media::Ipc, true);
                two_publishers($side, Side::Theirs, Media::Ipc, true);
                two_publishers($side, Side::Ours, Media::UdpV4, true);
                two_publishers($side, Side::Theirs, Media::UdpV4, true);
            }

            #[test]
            fn one_publication_of_subscribers_and_spies() {
                many_subscribers($side, Side::Ours);
                many_subscribers($side, Side::Theirs);
            }
        }
    )*};
}

tests! {
    on_their_driver: Side::Theirs;
    on_our_driver: Side::Ours;
}
