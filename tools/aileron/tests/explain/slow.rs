//! Somebody is too slow, or holds everything up.

use aileron::client::Subscription;
use aileron_cli::explain::{Basis, Cause, Size};

use crate::patience::{bytes_from, exactly};
use crate::rig::{Busy, LOOPBACK, Rig, address, fill, resolved, wait_connected, wait_until};

const SMALL: &str = "term-length=64k";

/// How a finding calls a subscriber of the rig's client, once that has told its name.
fn party(rig: &Rig, subscription: &Subscription) -> String {
    let (id, client) = (subscription.registration_id(), rig.client.client_id());
    format!("subscriber {id} of client {client} 'orders'")
}

#[test]
fn an_ipc_subscriber_that_does_not_read() {
    let rig = Rig::new();
    let subscription = rig.subscribe("aeron:ipc");
    let publication = rig.publish(&format!("aeron:ipc?{SMALL}"));
    wait_connected(&publication);
    let filled = fill(&publication);
    let filled = bytes_from(i64::try_from(filled).expect("small"));
    let party = party(&rig, &subscription);
    rig.expect_stall(Cause::SubscriberBehind, &party, filled);
}

#[test]
fn a_network_subscriber_that_does_not_read_is_named_at_both_ends() {
    let rig = Rig::new();
    let subscription = rig.subscribe(LOOPBACK);
    let publication = rig.publish(&format!("{}|{SMALL}", resolved(&subscription)));
    wait_connected(&publication);
    fill(&publication);
    // Half a window of 32 KiB.
    let (party, half) = (party(&rig, &subscription), bytes_from(16 << 10));
    let finding = rig.expect_stall(Cause::SubscriberBehind, &party, half);
    assert!(
        !finding.stream.expect("a stream").is_publication,
        "it is the image's"
    );
    let party = format!("the receiver at {}", address(&subscription));
    let finding = rig.expect_stall(Cause::FlowControl, &party, bytes_from(1));
    assert!(finding.stream.expect("a stream").is_publication);
}

#[test]
fn a_spy_that_does_not_read() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe(LOOPBACK);
    let channel = format!("{}|{SMALL}", resolved(&subscription));
    let publication = rig.publish(&channel);
    let spy = rig.subscribe(&format!("aeron-spy:{channel}"));
    wait_connected(&publication);
    wait_until("the spy", || spy.is_connected());
    let reader = Busy::start(move || {
        subscription.poll(10, |_, _| {});
    });
    fill(&publication);
    let (party, half) = (party(&rig, &spy), bytes_from(16 << 10));
    rig.expect_stall(Cause::SubscriberBehind, &party, half);
    drop(reader);
}

#[test]
fn the_slow_one_of_two_receivers_is_named() {
    let rig = Rig::new();
    let (fast_rig, slow_rig) = (Rig::new(), Rig::new());
    let mut fast = fast_rig.subscribe(LOOPBACK);
    let slow = slow_rig.subscribe(LOOPBACK);
    let publication = rig.publish(&format!(
        "aeron:udp?control=127.0.0.1:0|control-mode=manual|fc=min,g:/2|{SMALL}"
    ));
    for channel in [resolved(&fast), resolved(&slow)] {
        publication.add_destination(channel).expect("added");
    }
    wait_connected(&publication);
    let reader = Busy::start(move || {
        fast.poll(10, |_, _| {});
    });
    fill(&publication);
    let slow_party = format!("the receiver at {}", address(&slow));
    let finding = rig.expect_stall(Cause::FlowControl, &slow_party, bytes_from(1));
    assert_eq!(finding.basis, Basis::Exact);
    // And at the other end, which subscriber it is.
    let (party, half) = (party(&slow_rig, &slow), bytes_from(16 << 10));
    slow_rig.expect_stall(Cause::SubscriberBehind, &party, half);
    drop(reader);
}

#[test]
fn an_untethered_subscriber_that_was_taken_out() {
    let rig = Rig::with(&[
        "aeron.untethered.window.limit.timeout=100ms",
        "aeron.untethered.linger.timeout=100ms",
        "aeron.untethered.resting.timeout=60s",
        "aeron.timer.interval=50ms",
    ]);
    let mut tethered = rig.subscribe("aeron:ipc");
    let untethered = rig.subscribe("aeron:ipc?tether=false");
    let publication = rig.publish(&format!("aeron:ipc?{SMALL}"));
    wait_until("both", || {
        tethered.is_connected() && untethered.is_connected()
    });
    let traffic = Busy::start(move || {
        let _ = publication.offer(&[1; 512]);
        tethered.poll(10, |_, _| {});
    });
    let party = format!("untethered {}", party(&rig, &untethered));
    let more_than_the_window = bytes_from((32 << 10) + 1);
    rig.expect_stall(Cause::UntetheredResting, &party, more_than_the_window);
    drop(traffic);
}

#[test]
fn a_claim_that_nobody_commits() {
    let rig = Rig::new();
    let subscription = rig.subscribe("aeron:ipc");
    let publication = rig.publish("aeron:ipc");
    wait_connected(&publication);
    let claim = publication.try_claim(100).expect("room");
    assert!(publication.offer(b"behind it").is_ok());
    let client = rig.client.client_id();
    let party = format!("a publisher, such as client {client} 'orders'");
    // 132 bytes and 41 bytes, each rounded up to 32.
    let claimed = exactly(Size::Bytes(160 + 64));
    let finding = rig.expect_stall(Cause::BlockedByClaim, &party, claimed);
    assert_eq!(
        finding.stream.expect("a stream").id,
        publication.registration_id().get()
    );
    claim.abort();
    drop(subscription);
}
