//! The driver refuses something.

use aileron_cli::explain::{Cause, Size};

use crate::rig::{LOOPBACK, Rig, STREAM, resolved, wait_until};

#[test]
fn a_name_that_does_not_resolve() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=no-such-host.invalid:40123";
    rig.client
        .add_publication(channel, STREAM)
        .expect_err("it cannot resolve");
    let finding = rig.expect_stall(Cause::NameUnresolved);
    assert!(
        finding.what.contains("no-such-host.invalid"),
        "{}",
        finding.what
    );
}

#[test]
fn storage_that_does_not_suffice() {
    let rig = Rig::new();
    let mut publications = Vec::new();
    // Logs are sparse: they take no memory, but the driver does not promise more than there is.
    let refusal = loop {
        let channel = "aeron:ipc?term-length=1g";
        match rig.client.add_exclusive_publication(channel, STREAM) {
            Ok(publication) => publications.push(publication),
            Err(refusal) => break refusal.to_string(),
        }
        assert!(publications.len() < 1_000, "this machine has no limit");
    };
    assert!(refusal.contains("storage"), "{refusal}");
    let finding = rig.expect_stall(Cause::StorageFull);
    assert!(matches!(finding.size, Some(Size::Bytes(_))), "{finding:?}");
}

#[test]
fn frames_longer_than_the_receiver_takes() {
    let rig = Rig::new();
    let subscription = rig.subscribe(&format!("{LOOPBACK}|rcv-wnd=4k"));
    let publication = rig.publish(&format!("{}|mtu=8k", resolved(&subscription)));
    let finding = rig.expect_stall(Cause::MtuMismatch);
    assert!(
        finding.what.contains("8192") && finding.what.contains("4096"),
        "{}",
        finding.what
    );
    assert!(!publication.is_connected());
}

#[test]
fn terms_of_two_lengths_on_one_channel() {
    let rig = Rig::new();
    let subscription = rig.subscribe(LOOPBACK);
    let channel = resolved(&subscription);
    let _first = rig.publish(&format!("{channel}|term-length=64k"));
    let second = format!("{channel}|term-length=128k");
    rig.client
        .add_publication(second, STREAM)
        .expect_err("it differs");
    let finding = rig.expect_stall(Cause::TermLengthMismatch);
    assert!(finding.what.contains("term-length"), "{}", finding.what);
}

#[test]
fn a_window_larger_than_the_socket_buffer() {
    let rig = Rig::new();
    let channel = format!("{LOOPBACK}|so-rcvbuf=64k|rcv-wnd=1m");
    rig.client
        .add_subscription(channel, STREAM)
        .expect_err("it does not fit");
    let finding = rig.expect_stall(Cause::SocketBufferTooSmall);
    assert!(
        finding.advice.contains("net.core.rmem_max"),
        "{}",
        finding.advice
    );
}

#[test]
fn anything_else_is_told_in_the_words_of_the_driver() {
    let rig = Rig::new();
    rig.client
        .add_publication("aeron:udp?endpoint=127.0.0.1:9|fc=nonsense", STREAM)
        .expect_err("no such strategy");
    let finding = rig.expect(Cause::Refused, |_| true);
    assert!(finding.what.contains("nonsense"), "{}", finding.what);
    wait_until("no stall", || !rig.explain().has_stall());
}
