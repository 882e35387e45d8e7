//! Causes of stalls, brought about on a C driver.

use std::net::UdpSocket;
use std::time::Duration;

use aileron::client::Subscription;
use aileron::{Client, Context};
use aileron_cli::explain::{Basis, Cause, Size};

use crate::driver::{CDriver, LOOPBACK, STREAM, fill, resolved, wait_until};
use crate::patience::{bytes_from, exactly, lasts_from, no_size};

/// How a finding calls a subscriber of a client, which lives in the process of this test.
fn party(client: &Client, subscription: &Subscription) -> String {
    let (id, client) = (subscription.registration_id(), client.client_id());
    format!("subscriber {id} of client {client} 'ours'")
}

#[test]
fn nobody_subscribes_to_an_ipc_stream() {
    let driver = CDriver::launch(&[]);
    let publication = driver.publish("aeron:ipc");
    let party = "the subscribers of this machine";
    let finding = driver.expect(Cause::NoSubscriber, party, no_size);
    assert!(finding.is_stall, "{finding:?}");
    let id = publication.registration_id().get();
    assert_eq!(finding.stream.expect("a stream").id, id);
}

#[test]
fn nobody_listens_or_nobody_answers() {
    let driver = CDriver::launch(&[]);
    let deaf = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let address = deaf.local_addr().expect("bound").to_string();
    let _publication = driver.publish(&format!("aeron:udp?endpoint={address}"));
    let party = format!("whoever listens on {address}");
    driver.expect(Cause::SetupUnanswered, &party, no_size);
    drop(deaf);
    let party = format!("whoever should listen on {address}");
    driver.expect(Cause::NoSubscriber, &party, no_size);
}

#[test]
fn the_subscriber_is_on_another_endpoint() {
    let driver = CDriver::launch(&[]);
    let subscription = driver.subscribe(LOOPBACK);
    let here = subscription.resolved_endpoint();
    let deaf = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let sent_to = deaf.local_addr().expect("bound");
    let _publication = driver.publish(&format!("aeron:udp?endpoint={sent_to}"));
    let party = "the channels of the two ends";
    let finding = driver.expect(Cause::EndpointMismatch, party, no_size);
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
    let filled = i64::try_from(fill(&publication)).expect("small");
    let party_of_ipc = party(&driver.client, &ipc);
    let filled = bytes_from(filled);
    let finding = driver.expect(Cause::SubscriberBehind, &party_of_ipc, filled);
    assert!(finding.is_stall, "{finding:?}");
    let pid = format!("(pid {})", std::process::id());
    assert!(finding.party.contains(&pid), "{}", finding.party);
    let udp = driver.subscribe(LOOPBACK);
    let publication = driver.publish(&format!("{}|term-length=64k", resolved(&udp)));
    wait_until("a connection", || publication.is_connected());
    fill(&publication);
    // Half a window of 32 KiB.
    let (party, half) = (party(&driver.client, &udp), bytes_from(16 << 10));
    driver.expect(Cause::SubscriberBehind, &party, half);
    let finding = driver.expect(Cause::FlowControl, "the image ", bytes_from(1));
    assert!(
        finding.party.ends_with(" of this driver"),
        "{}",
        finding.party
    );
}

#[test]
fn a_claim_that_nobody_commits() {
    let driver = CDriver::launch(&[]);
    let subscription = driver.subscribe("aeron:ipc");
    let publication = driver.publish("aeron:ipc");
    wait_until("a connection", || publication.is_connected());
    let claim = publication.try_claim(100).expect("room");
    let client = driver.client.client_id();
    let party = format!("a publisher, such as client {client} 'ours'");
    let claimed = exactly(Size::Bytes(160));
    let finding = driver.expect(Cause::BlockedByClaim, &party, claimed);
    assert!(finding.is_stall, "{finding:?}");
    claim.abort();
    drop(subscription);
}

#[test]
fn a_group_that_is_not_complete() {
    let driver = CDriver::launch(&[]);
    let publication =
        driver.publish("aeron:udp?control=127.0.0.1:0|control-mode=manual|fc=min,g:/2");
    let none = exactly(Size::Count(0));
    driver.expect(Cause::NoDestination, "the publisher", none);
    let subscription = driver.subscribe(LOOPBACK);
    publication
        .add_destination(resolved(&subscription))
        .expect("added");
    let (party, one) = ("the receivers that are missing", exactly(Size::Of(1, 2)));
    driver.expect(Cause::GroupIncomplete, party, one);
}

#[test]
fn what_the_driver_refuses() {
    let driver = CDriver::launch(&[]);
    let unknown = "aeron:udp?endpoint=no-such-host.invalid:40123";
    driver
        .client
        .add_publication(unknown, STREAM)
        .expect_err("it cannot resolve");
    let some = |size| matches!(size, Some(Size::Count(1..)));
    let finding = driver.expect(Cause::NameUnresolved, "the driver", some);
    assert!(finding.is_stall, "{finding:?}");
    let subscription = driver.subscribe(&format!("{LOOPBACK}|rcv-wnd=4k"));
    let _publication = driver.publish(&format!("{}|mtu=8k", resolved(&subscription)));
    let finding = driver.expect(Cause::MtuMismatch, "the driver", some);
    assert!(finding.is_stall, "{finding:?}");
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
    let party = format!("client {id} 'sleepy'");
    let silent = lasts_from(Duration::from_millis(1_600));
    driver.expect(Cause::ClientSilent, &party, silent);
    let given_up = lasts_from(Duration::from_secs(4));
    driver.expect(Cause::ClientTimedOut, &party, given_up);
    drop((publication, invoker));
}

#[test]
fn a_driver_that_is_stopped_and_one_that_died() {
    let mut driver = CDriver::launch(&[]);
    driver.signal("-STOP");
    let party = driver.party();
    // Its heart beats once a second.
    let silent = lasts_from(Duration::from_millis(1_500));
    let finding = driver.expect(Cause::DriverStopped, &party, silent);
    assert!(finding.is_stall && finding.advice.contains("kill -CONT"));
    driver.signal("-CONT");
    driver.kill();
    let silent = lasts_from(Duration::from_millis(2_500));
    let finding = driver.expect(Cause::DriverGone, &party, silent);
    assert!(finding.what.contains("died"), "{}", finding.what);
}
