//! Streams at the edges of what channel parameters allow, between the two drivers in both directions.

use crate::harness::{Driver, Media, SIZES, Session, Side};

const QUICK: &[(&str, &str)] = &[
    ("aeron.threading.mode", "SHARED"),
    ("aeron.timer.interval", "100ms"),
];

/// From ours to theirs and back, on drivers of one thread.
fn both_ways(media: Media, parameters: &str, sizes: &[usize], count: u64) {
    let (ours, theirs) = (
        Driver::launch(Side::Ours, QUICK),
        Driver::launch(Side::Theirs, QUICK),
    );
    for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
        for exclusive in [false, true] {
            Session {
                publisher: to.side(),
                publisher_driver: from,
                subscriber: from.side(),
                subscriber_driver: to,
                media,
                exclusive,
                claim: true,
                count,
                sizes,
                stream: 7001 + i32::from(exclusive),
                publication_parameters: parameters,
                subscription_parameters: "",
            }
            .run();
        }
    }
    ours.stop();
    theirs.stop();
}

#[test]
fn term_lengths_are_the_default() {
    both_ways(Media::UdpV4, "", SIZES, 27);
}

#[test]
fn term_ids_wrap() {
    let parameters = "term-length=64k|init-term-id=2147483646|term-id=2147483646|term-offset=65472";
    both_ways(Media::UdpV4, parameters, &[0, 1000, 8000], 200);
}

#[test]
fn a_stream_begins_far_from_its_initial_term() {
    let parameters = "term-length=64k|init-term-id=-7|term-id=1000000|term-offset=4096";
    both_ways(Media::UdpV6, parameters, &[0, 1000, 8000], 200);
}

#[test]
fn a_position_is_about_to_exceed_32_bits() {
    let parameters = "term-length=1m|init-term-id=0|term-id=4095|term-offset=1040384";
    both_ways(Media::UdpV4, parameters, &[0, 1000, 100_000], 200);
}

#[test]
fn mtu_is_least() {
    both_ways(
        Media::UdpV4,
        "mtu=64|term-length=64k",
        &[0, 31, 32, 33, 5000],
        200,
    );
}

#[test]
fn mtu_is_jumbo() {
    both_ways(Media::UdpV4, "mtu=8k|term-length=8m", SIZES, 36);
}

#[test]
fn mtu_is_greatest() {
    let drivers = "mtu=65504|term-length=8m";
    both_ways(Media::UdpV6, drivers, SIZES, 36);
}

#[test]
fn linger_and_no_end_of_stream_flag() {
    both_ways(
        Media::UdpV4,
        "linger=0|term-length=64k|sparse=false",
        &[0, 1000],
        50,
    );
}
