//! The driver refuses something.

use std::net::UdpSocket;

use aileron::cnc::counter_types::{NAME_ENTRY_TYPE_ID, NameEntryKey};
use aileron::runtime::map_cnc;
use aileron_cli::explain::{Cause, Size};

use crate::patience::{bytes_from, exactly, no_size};
use crate::rig::{LOOPBACK, Rig, STREAM, resolved, wait_until};

/// Who refuses.
const PARTY: &str = "the driver";
const ONCE: Size = Size::Count(1);

#[test]
fn a_name_that_does_not_resolve() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=no-such-host.invalid:40123";
    rig.client
        .add_publication(channel, STREAM)
        .expect_err("it cannot resolve");
    let finding = rig.expect_stall(Cause::NameUnresolved, PARTY, exactly(ONCE));
    assert!(
        finding.what.contains("no-such-host.invalid"),
        "{}",
        finding.what
    );
}

/// The driver finds out when it looks a silent receiver up again: by then the name leads to an
/// address that nothing may be sent to.
#[test]
fn a_name_that_moves_to_where_no_channel_can_be_opened() {
    let rig = Rig::with(&[
        "aeron.name.resolver.supplier=csv_table",
        "aeron.name.resolver.init.args=moving,127.0.0.1,255.255.255.255",
    ]);
    let silent = UdpSocket::bind(("127.0.0.1", 0)).expect("a socket");
    let port = silent.local_addr().expect("bound").port();
    let publication = rig.publish(&format!("aeron:udp?endpoint=moving:{port}"));
    let cnc = map_cnc(rig.driver.directory(), false).expect("its files");
    let counters = cnc.counters();
    let name = "moving".to_owned();
    let id = counters.find_by_type_and_key(NAME_ENTRY_TYPE_ID, &NameEntryKey { name }.encode());
    let switch = counters.counter(id.expect("the name has a counter"));
    switch.expect("in use").set(1);
    let finding = rig.expect_stall(Cause::ChannelErrored, PARTY, no_size);
    assert_eq!(
        finding.stream.expect("a stream").id,
        publication.registration_id().get()
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
    // As much as is left, which is less than what a log takes.
    let finding = rig.expect_stall(Cause::StorageFull, PARTY, bytes_from(0));
    assert!(finding.what.contains("left now: "), "{}", finding.what);
}

#[test]
fn frames_longer_than_the_receiver_takes() {
    let rig = Rig::new();
    let subscription = rig.subscribe(&format!("{LOOPBACK}|rcv-wnd=4k"));
    let publication = rig.publish(&format!("{}|mtu=8k", resolved(&subscription)));
    let finding = rig.expect_stall(Cause::MtuMismatch, PARTY, |size| {
        // For each SETUP once more.
        matches!(size, Some(Size::Count(1..)))
    });
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
    let finding = rig.expect_stall(Cause::TermLengthMismatch, PARTY, exactly(ONCE));
    assert!(finding.what.contains("term-length"), "{}", finding.what);
}

#[test]
fn a_window_larger_than_the_socket_buffer() {
    let rig = Rig::new();
    let channel = format!("{LOOPBACK}|so-rcvbuf=64k|rcv-wnd=1m");
    rig.client
        .add_subscription(channel, STREAM)
        .expect_err("it does not fit");
    let finding = rig.expect_stall(Cause::SocketBufferTooSmall, PARTY, exactly(ONCE));
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
    let finding = rig.expect(Cause::Refused, PARTY, exactly(ONCE));
    assert!(finding.what.contains("nonsense"), "{}", finding.what);
    wait_until("no stall", || !rig.explain().has_stall());
}
