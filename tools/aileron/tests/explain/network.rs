//! The network loses or delays.

use std::time::Duration;

use aileron_cli::explain::{Basis, Cause, Size, endpoint_of};

use crate::patience::{bytes_from, exactly, no_size};
use crate::relay::{Relay, Way, frame_type, has_data, term_offset};
use crate::rig::{
    Busy, LOOPBACK, Rig, address, fill, lossy_stream, resolved, wait_connected, wait_until,
};

#[test]
fn a_window_smaller_than_what_the_round_trip_holds() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe(&format!("{LOOPBACK}|rcv-wnd=16k"));
    let relay = Relay::start(address(&subscription), Duration::from_millis(15), |_, _| {
        true
    });
    let publication = rig.publish(&relay.channel());
    wait_connected(&publication);
    let traffic = Busy::start(move || {
        let _ = publication.offer(&[1; 1024]);
        subscription.poll(100, |_, _| {});
    });
    let to = endpoint_of(&relay.channel()).expect("an address");
    let party = format!("the window of the receiver on {to}");
    let window = exactly(Size::Bytes(16 << 10));
    let finding = rig.expect(Cause::WindowTooSmall, &party, window);
    assert_eq!(finding.basis, Basis::Exact);
    assert!(!finding.is_stall, "it flows, slowly");
    assert!(finding.what.contains("round trip"), "{}", finding.what);
    drop(traffic);
}

#[test]
fn loss_that_is_repaired() {
    let rig = Rig::new();
    let stream = lossy_stream(&rig);
    let finding = rig.expect(Cause::Loss, "the way from 127.0.0.1:", bytes_from(1));
    assert!(!finding.is_stall, "it flows");
    assert!(
        finding.what.contains("NAKs") && finding.what.contains('%'),
        "{}",
        finding.what
    );
    drop(stream);
}

#[test]
fn naks_that_nobody_answers() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe(LOOPBACK);
    // The first frame of data never arrives, however often it is sent.
    let relay = Relay::start(address(&subscription), Duration::ZERO, |way, datagram| {
        way == Way::ToSender || !has_data(datagram) || term_offset(datagram) != 0
    });
    let publication = rig.publish(&relay.channel());
    wait_connected(&publication);
    for _ in 0..10 {
        wait_until("an offer", || publication.offer(&[1; 1300]).is_ok());
    }
    let reader = Busy::start(move || {
        subscription.poll(100, |_, _| {});
    });
    let party = "the way to or from 127.0.0.1:";
    let finding = rig.expect_stall(Cause::NaksUnanswered, party, bytes_from(1300));
    assert!(
        finding.what.contains("missing at position 0"),
        "{}",
        finding.what
    );
    drop(reader);
}

#[test]
fn status_messages_that_do_not_get_back() {
    let rig = Rig::new();
    let subscription = rig.subscribe(LOOPBACK);
    let relay = Relay::start(address(&subscription), Duration::ZERO, |way, datagram| {
        way == Way::ToReceiver || frame_type(datagram) != 3
    });
    let _publication = rig.publish(&relay.channel());
    // In one driver both ends are seen: the stream arrives, at another endpoint than it is sent to.
    let party = "the channels of the two ends";
    rig.expect_stall(Cause::EndpointMismatch, party, no_size);
}

#[test]
fn sockets_with_less_room_than_the_windows_promise() {
    let rig = Rig::new();
    let subscribed = format!("{LOOPBACK}|rcv-wnd=64k|so-rcvbuf=96k");
    let subscription = rig.subscribe(&subscribed);
    let channel = resolved(&subscription);
    let first = rig
        .client
        .add_exclusive_publication(&*channel, crate::rig::STREAM)
        .expect("added");
    let second = rig
        .client
        .add_exclusive_publication(&*channel, crate::rig::STREAM)
        .expect("added");
    wait_until("both", || first.is_connected() && second.is_connected());
    let party = format!("the socket of {subscribed}");
    let missing = exactly(Size::Bytes(32 << 10));
    let finding = rig.expect(Cause::SocketBufferTooSmall, &party, missing);
    assert!(
        finding.advice.contains("so-rcvbuf=131072"),
        "{}",
        finding.advice
    );
}

#[test]
fn a_publisher_elsewhere_is_held_back_by_a_subscriber_here() {
    let (near, far) = (Rig::new(), Rig::new());
    let subscription = far.subscribe(LOOPBACK);
    let publication = near.publish(&format!("{}|term-length=64k", resolved(&subscription)));
    wait_connected(&publication);
    let filled = i64::try_from(fill(&publication)).expect("small");
    let party = format!("the receiver at {}", address(&subscription));
    let finding = near.expect_stall(Cause::FlowControl, &party, bytes_from(1));
    let is_part = |size: Size| matches!(size, Size::Bytes(bytes) if bytes < filled + (filled >> 4));
    assert!(finding.size.is_some_and(is_part), "{filled}: {finding:?}");
}
