//! Two drivers that lose one datagram in twenty, of data and of control, on the way in and on the
//! way out, with streams in both directions at once.

use crate::harness::{Driver, Media, SIZES, Session, Side};

/// Ours loses what it sends and what it receives, by its debugging options.
const OUR_LOSS: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.debug.send.data.loss.rate", "0.05"),
    ("aeron.debug.send.data.loss.seed", "101"),
    ("aeron.debug.send.control.loss.rate", "0.05"),
    ("aeron.debug.send.control.loss.seed", "102"),
    ("aeron.debug.receive.data.loss.rate", "0.05"),
    ("aeron.debug.receive.data.loss.seed", "103"),
    ("aeron.debug.receive.control.loss.rate", "0.05"),
    ("aeron.debug.receive.control.loss.seed", "104"),
];

/// Theirs loses what it receives, by its interceptor: frames of types 0 to 3 (padding, data, NAK,
/// status message) and 5 (setup).
const THEIR_LOSS: &[(&str, &str)] = &[
    ("aeron.timer.interval", "100ms"),
    ("aeron.udp.channel.incoming.interceptors", "loss"),
    (
        "aeron.udp.channel.transport.bindings.loss.args",
        "rate=0.05|seed=105|recv-msg-mask=0x2F",
    ),
];

/// Ids of system counters.
const NAKS_SENT: i32 = 5;
const NAKS_RECEIVED: i32 = 6;
const RETRANSMITS_SENT: i32 = 11;

fn lossy(side: Side) -> Driver {
    match side {
        Side::Theirs => Driver::launch(side, THEIR_LOSS),
        Side::Ours => Driver::launch(side, OUR_LOSS),
    }
}

/// Streams from `one` to `other` and back, at the same time.
fn both_ways(one: Side, other: Side, media: Media) {
    let (one, other) = (lossy(one), lossy(other));
    let session = |from, to, exclusive, stream| Session {
        publisher: Driver::side(from),
        publisher_driver: from,
        subscriber: Driver::side(to),
        subscriber_driver: to,
        media,
        exclusive,
        claim: false,
        count: 36,
        sizes: SIZES,
        stream,
        publication_parameters: "term-length=8m",
        subscription_parameters: "",
    };
    let sessions = [
        session(&one, &other, false, 2001),
        session(&other, &one, false, 2002),
        session(&one, &other, true, 2003),
        session(&other, &one, true, 2004),
    ];
    let mut running: Vec<_> = sessions.iter().map(Session::start).collect();
    running
        .iter_mut()
        .for_each(|session| session.await_all_messages());
    for driver in [&one, &other] {
        for counter in [NAKS_SENT, NAKS_RECEIVED, RETRANSMITS_SENT] {
            let count = driver.system_counter(counter);
            assert!(
                count > 0,
                "{:?} driver: system counter {counter} is {count}",
                driver.side()
            );
        }
    }
    running
        .into_iter()
        .for_each(crate::harness::Running::finish);
    one.stop();
    other.stop();
}

#[test]
fn theirs_alone() {
    both_ways(Side::Theirs, Side::Theirs, Media::UdpV4);
}

#[test]
fn ours_and_theirs_v4() {
    both_ways(Side::Ours, Side::Theirs, Media::UdpV4);
}

#[test]
fn ours_and_theirs_v6() {
    both_ways(Side::Ours, Side::Theirs, Media::UdpV6);
}

#[test]
fn ours_alone() {
    both_ways(Side::Ours, Side::Ours, Media::UdpV4);
}
