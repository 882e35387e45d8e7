//! Causes of stalls, brought about on a C driver.

use std::net::UdpSocket;

use aileron::Context;
use aileron_cli::explain::{Basis, Cause, Size};

use crate::driver::{CDriver, LOOPBACK, STREAM, fill, resolved, wait_until};

#[test]
fn nobody_subscribes_to_an_ipc_stream() {
    let driver = CDriver::launch(&[]);
    let publication = driver.publish("aeron:ipc");
    let finding = driver.expect(Cause::NoSubscriber, |f| f.is_stall);
    let id = publication.registration_id().get();
    assert_eq!(finding.stream.expect("a stream").id, id);
}

#[test]
fn nobody_listens_or_nobody_answers() {
    let driver = CDriver::launch(&[]);
    let deaf = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let address = deaf.local_addr().expect("bound").to_string();
    let _publication = driver.publish(&format!("aeron:udp?endpoint={address}"));
    driver.expect(Cause::SetupUnanswered, |f| f.party.contains(&address));
    drop(deaf);
    driver.expect(Cause::NoSubscriber, |f| f.party.contains(&address));
}

#[test]
fn the_subscriber_is_on_another_endpoint() {
    let driver = CDriver::launch(&[]);
    let subscription = driver.subscribe(LOOPBACK);
    let here = subscription.resolved_endpoint();
    let deaf = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let sent_to = deaf.local_addr().expect("bound");
    let _publication = driver.publish(&format!("aeron:udp?endpoint={sent_to}"));
    let finding = driver.expect(Cause::EndpointMismatch, |_| true);
    assert_eq!(finding.basis, Basis::BestEffort);
    let here = here.map(|address| address.to_string()).unwrap_or_default();
    assert!(finding.what.contains(&here), "{}", finding.what);
}

#[test]
fn subscribers_that_do_not_read() {
    let driver = CDriver::launch(&[]);
    let ipc = driver.subscribe("aeron:ipc");
    let publication = driver.publish("aeron:ipc?term-length=64k");
    wait_until("a connection", || publication.is_connected());
    fill(&publication);
    let party = format!("subscriber {} of", ipc.registration_id());
    let finding = driver.expect(Cause::SubscriberBehind, |f| f.party.starts_with(&party));
    assert!(
        finding.is_stall && matches!(finding.size, Some(Size::Bytes(32_000..))),
        "{finding:?}"
    );
    // The client lives in the process of this test.
    let pid = format!("(pid {})", std::process::id());
    assert!(finding.party.contains(&pid), "{}", finding.party);
    let udp = driver.subscribe(LOOPBACK);
    let publication = driver.publish(&format!("{}|term-length=64k", resolved(&udp)));
    wait_until("a connection", || publication.is_connected());
    fill(&publication);
    let party = format!("subscriber {} of", udp.registration_id());
    driver.expect(Cause::SubscriberBehind, |f| f.party.starts_with(&party));
    driver.expect(Cause::FlowControl, |f| f.party.contains("of this driver"));
}

#[test]
fn a_claim_that_nobody_commits() {
    let driver = CDriver::launch(&[]);
    let subscription = driver.subscribe("aeron:ipc");
    let publication = driver.publish("aeron:ipc");
    wait_until("a connection", || publication.is_connected());
    let claim = publication.try_claim(100).expect("room");
    let finding = driver.expect(Cause::BlockedByClaim, |f| f.is_stall);
    assert_eq!(finding.size, Some(Size::Bytes(160)));
    claim.abort();
    drop(subscription);
}

#[test]
fn a_group_that_is_not_complete() {
    let driver = CDriver::launch(&[]);
    let publication =
        driver.publish("aeron:udp?control=127.0.0.1:0|control-mode=manual|fc=min,g:/2");
    driver.expect(Cause::NoDestination, |f| f.is_stall);
    let subscription = driver.subscribe(LOOPBACK);
    publication
        .add_destination(resolved(&subscription))
        .expect("added");
    driver.expect(Cause::GroupIncomplete, |f| f.size == Some(Size::Of(1, 2)));
}

#[test]
fn what_the_driver_refuses() {
    let driver = CDriver::launch(&[]);
    let unknown = "aeron:udp?endpoint=no-such-host.invalid:40123";
    driver
        .client
        .add_publication(unknown, STREAM)
        .expect_err("it cannot resolve");
    driver.expect(Cause::NameUnresolved, |f| f.is_stall);
    let subscription = driver.subscribe(&format!("{LOOPBACK}|rcv-wnd=4k"));
    let _publication = driver.publish(&format!("{}|mtu=8k", resolved(&subscription)));
    driver.expect(Cause::MtuMismatch, |f| f.is_stall);
}

#[test]
fn a_client_that_falls_silent_and_is_given_up() {
    let driver = CDriver::launch(&["aeron.client.liveness.timeout=4s"]);
    let context = Context::new().dir(driver.path()).client_name("sleepy");
    let (client, mut invoker) = context.connect_invoked().expect("a client");
    let publication = client
        .add_publication("aeron:ipc", STREAM)
        .expect("a publication");
    let id = client.client_id();
    wait_until("its name", || {
        invoker.do_work();
        let snapshot = aileron_cli::Snapshot::take(&driver.directory);
        snapshot
            .client(id)
            .is_some_and(|client| client.name == "sleepy")
    });
    driver.expect(Cause::ClientSilent, |f| f.party.contains("sleepy"));
    driver.expect(Cause::ClientTimedOut, |f| f.party.contains("sleepy"));
    drop((publication, invoker));
}

#[test]
fn a_driver_that_is_stopped_and_one_that_died() {
    let mut driver = CDriver::launch(&[]);
    driver.signal("-STOP");
    driver.expect(Cause::DriverStopped, |f| {
        f.is_stall && f.advice.contains("kill -CONT")
    });
    driver.signal("-CONT");
    driver.kill();
    driver.expect(Cause::DriverGone, |f| f.what.contains("died"));
}
