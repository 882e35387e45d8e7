//! The network loses or delays.

use std::time::Duration;

use aileron_cli::explain::{Basis, Cause, Size};

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
    let finding = rig.expect(Cause::WindowTooSmall, |f| {
        f.size == Some(Size::Bytes(16 << 10))
    });
    assert_eq!(finding.basis, Basis::Exact);
    assert!(!finding.is_stall, "it flows, slowly");
    assert!(finding.what.contains("round trip"), "{}", finding.what);
    drop(traffic);
}

#[test]
fn loss_that_is_repaired() {
    let rig = Rig::new();
    let stream = lossy_stream(&rig);
    let finding = rig.expect(Cause::Loss, |f| matches!(f.size, Some(Size::Bytes(1..))));
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
    let finding = rig.expect_stall(Cause::NaksUnanswered);
    assert!(
        finding.what.contains("missing at position 0"),
        "{}",
        finding.what
    );
    assert!(
        matches!(finding.size, Some(Size::Bytes(1300..))),
        "{finding:?}"
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
    let finding = rig.expect(Cause::EndpointMismatch, |_| true);
    assert!(finding.is_stall);
}

#[test]
fn sockets_with_less_room_than_the_windows_promise() {
    let rig = Rig::new();
    let subscription = rig.subscribe(&format!("{LOOPBACK}|rcv-wnd=64k|so-rcvbuf=96k"));
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
    let finding = rig.expect(Cause::SocketBufferTooSmall, |_| true);
    assert_eq!(
        finding.size,
        Some(Size::Bytes(32 << 10)),
        "{}",
        finding.what
    );
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
    fill(&publication);
    let finding = near.expect_stall(Cause::FlowControl);
    let receiver = address(&subscription).to_string();
    assert!(finding.party.contains(&receiver), "{}", finding.party);
}
