//! Nobody is there, or not where the publisher thinks.

use std::io::Write as _;
use std::net::UdpSocket;

use aileron::StreamId;
use aileron_cli::explain::{Basis, Cause, Flow, Size};

use crate::patience::{exactly, no_size};
use crate::rig::{LOOPBACK, Rig, STREAM, address, resolved, wait_connected, wait_until};

#[test]
fn a_stream_that_flows_has_no_findings_and_says_so() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe(LOOPBACK);
    let publication = rig.publish(&resolved(&subscription));
    wait_connected(&publication);
    let traffic = crate::rig::Busy::start(move || {
        let _ = publication.offer(b"a message");
        subscription.poll(10, |_, _| {});
    });
    wait_until("traffic", || {
        let explanation = rig.explain();
        assert!(!explanation.has_stall(), "{explanation:#?}");
        assert!(explanation.is_aileron);
        explanation
            .verdicts
            .iter()
            .filter(|v| v.flow == Flow::Flows)
            .count()
            == 2
    });
    drop(traffic);
}

#[test]
fn an_ipc_publication_without_a_subscriber() {
    let rig = Rig::new();
    let publication = rig.publish("aeron:ipc");
    let party = "the subscribers of this machine";
    let finding = rig.expect_stall(Cause::NoSubscriber, party, no_size);
    let stream = finding.stream.expect("a stream");
    assert_eq!(stream.id, publication.registration_id().get());
    assert!(finding.what.contains("stream 1001"), "{}", finding.what);
    let subscription = rig.subscribe("aeron:ipc");
    wait_connected(&publication);
    wait_until("no finding", || rig.explain().findings.is_empty());
    drop(subscription);
}

#[test]
fn nobody_listens_on_an_address_of_this_machine() {
    let rig = Rig::new();
    let port = {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
        socket.local_addr().expect("bound").port()
    };
    let _publication = rig.publish(&format!("aeron:udp?endpoint=127.0.0.1:{port}"));
    let party = format!("whoever should listen on 127.0.0.1:{port}");
    rig.expect_stall(Cause::NoSubscriber, &party, no_size);
}

#[test]
fn something_listens_and_does_not_answer() {
    let rig = Rig::new();
    let deaf = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let address = deaf.local_addr().expect("bound");
    let _publication = rig.publish(&format!("aeron:udp?endpoint={address}"));
    let party = format!("whoever listens on {address}");
    let finding = rig.expect_stall(Cause::SetupUnanswered, &party, no_size);
    assert!(
        finding.what.contains("a socket is bound"),
        "{}",
        finding.what
    );
}

#[test]
fn the_endpoint_is_open_and_wants_other_streams() {
    let rig = Rig::new();
    let other = rig
        .client
        .add_subscription(LOOPBACK, StreamId(2002))
        .expect("a subscription");
    let _publication = rig.publish(&resolved(&other));
    let party = format!("the subscribers on {}", address(&other));
    let finding = rig.expect_stall(Cause::NoSubscriber, &party, no_size);
    assert_eq!(finding.basis, Basis::Exact);
    assert!(
        finding.what.contains("stream 1001, only to 2002"),
        "{}",
        finding.what
    );
}

#[test]
fn the_subscriber_is_on_another_endpoint() {
    let rig = Rig::new();
    let subscription = rig.subscribe(LOOPBACK);
    let port = address(&subscription).port();
    let wrong = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let sent_to = wrong.local_addr().expect("bound");
    let _publication = rig.publish(&format!("aeron:udp?endpoint={sent_to}"));
    let party = "the channels of the two ends";
    let finding = rig.expect_stall(Cause::EndpointMismatch, party, no_size);
    assert_eq!(finding.basis, Basis::Exact);
    let named = [sent_to.to_string(), format!("127.0.0.1:{port}")];
    assert!(
        named.iter().all(|name| finding.what.contains(name)),
        "{}",
        finding.what
    );
}

#[test]
fn the_group_was_joined_on_another_interface() {
    let Some(other) = another_interface() else {
        let _ = writeln!(
            std::io::stderr(),
            "not tested: the loopback interface is alone"
        );
        return;
    };
    let rig = Rig::new();
    let port = {
        let socket = UdpSocket::bind(("0.0.0.0", 0)).expect("a socket");
        socket.local_addr().expect("bound").port()
    };
    let group = format!(
        "aeron:udp?endpoint=239.20.90.{}:{port}",
        port % 250 * 2 % 250 + 1
    );
    let _subscription = rig.subscribe(&format!("{group}|interface={other}"));
    let _publication = rig.publish(&format!("{group}|interface=127.0.0.1|ttl=0"));
    let party = "the interfaces of the two ends";
    let finding = rig.expect_stall(Cause::InterfaceMismatch, party, no_size);
    let named = ["127.0.0.1", other.as_str()];
    assert!(
        named.iter().all(|name| finding.what.contains(name)),
        "{}",
        finding.what
    );
}

/// An IPv4 address of this machine that is not the loopback's and can do multicast.
fn another_interface() -> Option<String> {
    let all = aileron::sys::local_interfaces().ok()?;
    let address = |i: &aileron::sys::LocalInterface| format!("{i:?}");
    let text = all
        .iter()
        .map(address)
        .find(|text| !text.contains("127.0.0.1"))?;
    // Wherever it sends by default; no datagram leaves for that.
    let probe = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    probe.connect(("192.0.2.1", 9)).ok()?;
    let ip = probe.local_addr().ok()?.ip().to_string();
    text.contains(&ip).then_some(ip)
}

#[test]
fn a_publication_of_manual_destinations_without_one() {
    let rig = Rig::new();
    let publication = rig.publish("aeron:udp?control=127.0.0.1:0|control-mode=manual");
    let none = exactly(Size::Count(0));
    let finding = rig.expect_stall(Cause::NoDestination, "the publisher", none);
    assert!(
        finding.advice.contains("add_destination"),
        "{}",
        finding.advice
    );
    let subscription = rig.subscribe(LOOPBACK);
    publication
        .add_destination(resolved(&subscription))
        .expect("added");
    wait_connected(&publication);
    wait_until("no finding", || rig.explain().findings.is_empty());
}

#[test]
fn a_group_that_is_not_complete() {
    let rig = Rig::new();
    let publication = rig.publish("aeron:udp?control=127.0.0.1:0|control-mode=manual|fc=min,g:/2");
    let subscription = rig.subscribe(LOOPBACK);
    publication
        .add_destination(resolved(&subscription))
        .expect("added");
    let (party, one) = ("the receivers that are missing", exactly(Size::Of(1, 2)));
    let finding = rig.expect_stall(Cause::GroupIncomplete, party, one);
    assert!(finding.what.contains("waits for 2"), "{}", finding.what);
    assert_eq!(finding.stream.expect("a stream").stream_id, STREAM.get());
}
