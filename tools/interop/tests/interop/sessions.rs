//! Every pairing of drivers and clients.

use crate::harness::{Driver, Media, SIZES, Session, Side};

/// Messages of a session: each size eight times, some ten megabytes and more than two terms.
const COUNT: u64 = 72;

/// Terms just long enough for the longest message.
const TERMS: &str = "term-length=8m";

/// Timers that end an image soon after its publication, on either driver.
const QUICK: &[(&str, &str)] = &[
    ("aeron.threading.mode", "SHARED_NETWORK"),
    ("aeron.timer.interval", "100ms"),
];

/// Runs a publisher and a subscriber of each of `sides` on `publishing` and `subscribing`.
fn pairings(publishing: &Driver, subscribing: &Driver, sides: &[(Side, Side)], media: Media) {
    let mut stream = 1000;
    for (publisher, subscriber) in sides {
        for exclusive in [false, true] {
            stream += 1;
            Session {
                publisher: *publisher,
                publisher_driver: publishing,
                subscriber: *subscriber,
                subscriber_driver: subscribing,
                media,
                exclusive,
                claim: exclusive,
                count: COUNT,
                sizes: SIZES,
                stream,
                publication_parameters: TERMS,
                subscription_parameters: "",
            }
            .run();
        }
    }
}

fn one_driver(side: Side, sides: &[(Side, Side)], media: Media) {
    let driver = Driver::launch(side, QUICK);
    pairings(&driver, &driver, sides, media);
    driver.stop();
}

/// The harness itself: their client on their driver.
mod theirs_alone {
    use super::*;

    const SIDES: &[(Side, Side)] = &[(Side::Theirs, Side::Theirs)];

    #[test]
    fn ipc() {
        one_driver(Side::Theirs, SIDES, Media::Ipc);
    }

    #[test]
    fn udp_v4() {
        one_driver(Side::Theirs, SIDES, Media::UdpV4);
    }

    #[test]
    fn udp_v6() {
        one_driver(Side::Theirs, SIDES, Media::UdpV6);
    }
}

/// Pairings with at least one client of ours.
const WITH_OURS: &[(Side, Side)] = &[
    (Side::Ours, Side::Ours),
    (Side::Ours, Side::Theirs),
    (Side::Theirs, Side::Ours),
];

/// Our client on their driver, with itself and with their client.
mod our_client_on_their_driver {
    use super::*;

    #[test]
    fn ipc() {
        one_driver(Side::Theirs, WITH_OURS, Media::Ipc);
    }

    #[test]
    fn udp_v4() {
        one_driver(Side::Theirs, WITH_OURS, Media::UdpV4);
    }

    #[test]
    fn udp_v6() {
        one_driver(Side::Theirs, WITH_OURS, Media::UdpV6);
    }
}

/// Every client on our driver, theirs alone included.
mod on_our_driver {
    use super::*;

    const ALL: &[(Side, Side)] = &[
        (Side::Theirs, Side::Theirs),
        (Side::Theirs, Side::Ours),
        (Side::Ours, Side::Theirs),
        (Side::Ours, Side::Ours),
    ];

    #[test]
    fn ipc() {
        one_driver(Side::Ours, ALL, Media::Ipc);
    }

    #[test]
    fn udp_v4() {
        one_driver(Side::Ours, ALL, Media::UdpV4);
    }

    #[test]
    fn udp_v6() {
        one_driver(Side::Ours, ALL, Media::UdpV6);
    }
}

/// From one driver to the other, over UDP, with every client on either.
mod between_drivers {
    use super::*;

    const ALL: &[(Side, Side)] = &[
        (Side::Theirs, Side::Theirs),
        (Side::Theirs, Side::Ours),
        (Side::Ours, Side::Theirs),
        (Side::Ours, Side::Ours),
    ];

    fn two_drivers(publishing: Side, subscribing: Side, media: Media) {
        let publishing = Driver::launch(publishing, QUICK);
        let subscribing = Driver::launch(subscribing, QUICK);
        pairings(&publishing, &subscribing, ALL, media);
        publishing.stop();
        subscribing.stop();
    }

    #[test]
    fn theirs_to_ours_v4() {
        two_drivers(Side::Theirs, Side::Ours, Media::UdpV4);
    }

    #[test]
    fn theirs_to_ours_v6() {
        two_drivers(Side::Theirs, Side::Ours, Media::UdpV6);
    }

    #[test]
    fn ours_to_theirs_v4() {
        two_drivers(Side::Ours, Side::Theirs, Media::UdpV4);
    }

    #[test]
    fn ours_to_theirs_v6() {
        two_drivers(Side::Ours, Side::Theirs, Media::UdpV6);
    }

    #[test]
    fn ours_to_ours_v4() {
        two_drivers(Side::Ours, Side::Ours, Media::UdpV4);
    }
}
