//! The same traffic and the same losses through both implementations: what subscribers get is the
//! same, and the log buffers are the same byte for byte.
//!
//! A publisher and a subscriber, each of either side on a driver of its side, and between them a
//! proxy that loses frames by their place in the stream, see [`FrameLoss`]: whatever the timing,
//! the same frames are lost the same number of times. Messages are so long that no two frames fit
//! into a datagram.
//!
//! Compared are, among all pairings, the publication's log and the image's log when everything
//! has arrived and nobody has closed yet: the last term's length of the stream, which nobody
//! cleans, and the metadata page.
//!
//! # Fields that may differ
//! [`MAY_DIFFER`] names them with the reason. Everything else is equal.

#[path = "../interop/harness.rs"]
#[expect(dead_code, reason = "these tests use a part of it")]
mod harness;
mod logs;

use std::net::SocketAddr;

use aileron_chaos::fate::{Calm, FrameLoss};
use aileron_chaos::proxy::{Passed, Proxy};

use harness::{Driver, Peer, Side, WATCHDOG, value};
use logs::{Logs, assert_same};

/// Settings of all drivers.
const SETTINGS: &[(&str, &str)] = &[
    ("aeron.threading.mode", "SHARED"),
    ("aeron.timer.interval", "100ms"),
];
/// What makes a stream the same each time.
const GEOMETRY: &str =
    "session-id=4711|init-term-id=100|term-id=100|term-offset=0|term-length=128k|mtu=1408";
/// Messages of one frame of more than half an MTU.
const SIZES: &str = "700,1000,1376,800,1200";
const MESSAGES: u32 = 450;
/// Share of frames lost at least once.
const LOSS: f64 = 0.08;

/// A stream that is all there and not closed yet.
struct Delivered {
    tally: String,
    logs: Logs,
    passed: Passed,
    /// They live until the logs were read.
    _processes: (Peer, Peer),
    _drivers: (Driver, Driver),
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// The stream of a seed, from a publisher's side to a subscriber's.
fn deliver(publisher: Side, subscriber: Side, seed: u64) -> Delivered {
    let (near, far) = (
        Driver::launch(publisher, SETTINGS),
        Driver::launch(subscriber, SETTINGS),
    );
    let common = format!(
        "--stream 1001 --count {MESSAGES} --sizes {SIZES} --timeout {}",
        WATCHDOG.as_secs()
    );
    let subscribe = format!("--channel aeron:udp?endpoint=127.0.0.1:0 {common} --seeds {seed}");
    let mut subscribing = far.client(subscriber, "subscribe", &words(&subscribe));
    let ready = subscribing.line("READY");
    let endpoint: SocketAddr = value(&ready, "endpoint")
        .and_then(|text| text.parse().ok())
        .expect("an address");
    let loss = Box::new(FrameLoss::new(seed, LOSS));
    let proxy = Proxy::start(endpoint, loss, Box::new(Calm)).expect("a proxy");
    let publish = format!(
        "--channel aeron:udp?endpoint={}|{GEOMETRY} {common} --seed {seed} --exclusive",
        proxy.address()
    );
    let mut publishing = near.client(publisher, "publish", &words(&publish));
    let sent = publishing.line("DONE");
    let tally = subscribing.line("DONE");
    assert_eq!(sent, tally, "{publisher:?} to {subscriber:?}");
    Delivered {
        tally,
        logs: Logs::read(near.directory(), Some(far.directory())),
        passed: proxy.forward(),
        _processes: (publishing, subscribing),
        _drivers: (near, far),
    }
}

/// Every pairing delivers the same stream and leaves the same logs.
fn all_pairings_agree(seed: u64) {
    let reference = deliver(Side::Theirs, Side::Theirs, seed);
    assert!(reference.passed.lost > 10, "{:?}", reference.passed);
    for (publisher, subscriber) in [
        (Side::Ours, Side::Ours),
        (Side::Ours, Side::Theirs),
        (Side::Theirs, Side::Ours),
    ] {
        let what = format!("seed {seed}, {publisher:?} to {subscriber:?}");
        let other = deliver(publisher, subscriber, seed);
        assert_eq!(other.tally, reference.tally, "{what}");
        assert_eq!(other.passed.lost, reference.passed.lost, "{what}");
        assert_same(&other.logs, &reference.logs, &what);
    }
}

#[test]
fn the_same_losses_leave_the_same_streams_and_logs() {
    all_pairings_agree(1);
    all_pairings_agree(2);
}

/// Messages of every kind over shared memory, across the end of a term: one log, written by either
/// client for either driver. Its subscriber waits, since drivers clean what was consumed.
fn ipc_agrees(kind: &str) {
    let deliver = |side: Side| {
        let driver = Driver::launch(side, SETTINGS);
        let common = format!(
            "--stream 1001 --count 40 --sizes 0,1,31,32,700,1376,1377,5000 --timeout {}",
            WATCHDOG.as_secs()
        );
        let subscribe = format!("--channel aeron:ipc {common}");
        let mut subscribing = driver.client(side, "subscribe", &words(&subscribe));
        subscribing.line("READY");
        subscribing.order("pause");
        subscribing.line("PAUSED");
        let geometry = GEOMETRY.replace("term-offset=0", "term-offset=98304");
        let publish = format!("--channel aeron:ipc?{geometry} {common}{kind}");
        let mut publishing = driver.client(side, "publish", &words(&publish));
        let sent = publishing.line("DONE");
        let logs = Logs::read(driver.directory(), None);
        subscribing.order("resume");
        assert_eq!(sent, subscribing.line("DONE"), "{side:?}");
        (sent, logs)
    };
    let (theirs, ours) = (deliver(Side::Theirs), deliver(Side::Ours));
    assert_eq!(ours.0, theirs.0);
    assert_same(&ours.1, &theirs.1, &format!("ipc{kind}"));
}

#[test]
fn shared_memory_streams_leave_the_same_logs() {
    ipc_agrees(" --exclusive");
    ipc_agrees(" --exclusive --claim");
}
