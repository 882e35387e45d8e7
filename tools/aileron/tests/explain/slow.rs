//! Somebody is too slow, or holds everything up.

use aileron_cli::explain::{Basis, Cause, Size};

use crate::rig::{Busy, LOOPBACK, Rig, address, fill, resolved, wait_connected, wait_until};

const SMALL: &str = "term-length=64k";

fn bytes(size: Option<Size>) -> i64 {
    match size {
        Some(Size::Bytes(bytes)) => bytes,
        other => panic!("no bytes: {other:?}"),
    }
}

#[test]
fn an_ipc_subscriber_that_does_not_read() {
    let rig = Rig::new();
    let subscription = rig.subscribe("aeron:ipc");
    let publication = rig.publish(&format!("aeron:ipc?{SMALL}"));
    wait_connected(&publication);
    let filled = fill(&publication);
    // A client gives its name with its first keepalive.
    let finding = rig.expect(Cause::SubscriberBehind, |f| f.party.contains("'orders'"));
    assert!(finding.is_stall, "{finding:?}");
    let id = subscription.registration_id();
    assert!(
        finding
            .party
            .starts_with(&format!("subscriber {id} of client")),
        "{}",
        finding.party
    );
    assert!(
        bytes(finding.size) >= i64::try_from(filled).expect("small"),
        "{finding:?}"
    );
}

#[test]
fn a_network_subscriber_that_does_not_read_is_named_at_both_ends() {
    let rig = Rig::new();
    let subscription = rig.subscribe(LOOPBACK);
    let publication = rig.publish(&format!("{}|{SMALL}", resolved(&subscription)));
    wait_connected(&publication);
    fill(&publication);
    let finding = rig.expect_stall(Cause::SubscriberBehind);
    let id = subscription.registration_id();
    assert!(
        finding
            .party
            .starts_with(&format!("subscriber {id} of client")),
        "{}",
        finding.party
    );
    assert!(
        bytes(finding.size) >= 16 << 10,
        "half a window of 32 KiB: {finding:?}"
    );
    assert!(
        !finding.stream.expect("a stream").is_publication,
        "it is the image's"
    );
    let finding = rig.expect_stall(Cause::FlowControl);
    let receiver = address(&subscription).to_string();
    assert!(
        finding.party.contains(&receiver),
        "{} is not {receiver}",
        finding.party
    );
    assert!(finding.stream.expect("a stream").is_publication);
    assert!(bytes(finding.size) > 0);
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
    let finding = rig.expect_stall(Cause::SubscriberBehind);
    let id = spy.registration_id();
    assert!(
        finding.party.starts_with(&format!("subscriber {id} of")),
        "{}",
        finding.party
    );
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
    let slow_address = address(&slow).to_string();
    let finding = rig.expect(Cause::FlowControl, |f| f.party.contains(&slow_address));
    assert!(
        finding.is_stall && finding.basis == Basis::Exact,
        "{finding:?}"
    );
    // And at the other end, which subscriber it is.
    let finding = slow_rig.expect_stall(Cause::SubscriberBehind);
    assert!(
        finding.party.contains(&slow.registration_id().to_string()),
        "{}",
        finding.party
    );
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
    let finding = rig.expect_stall(Cause::UntetheredResting);
    let id = untethered.registration_id();
    let party = format!("untethered subscriber {id} of");
    assert!(finding.party.starts_with(&party), "{}", finding.party);
    assert!(
        bytes(finding.size) > 32 << 10,
        "more than the window: {finding:?}"
    );
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
    let finding = rig.expect_stall(Cause::BlockedByClaim);
    // 132 bytes and 41 bytes, each rounded up to 32.
    assert_eq!(bytes(finding.size), 160 + 64);
    assert_eq!(
        finding.stream.expect("a stream").id,
        publication.registration_id().get()
    );
    claim.abort();
    drop(subscription);
}
