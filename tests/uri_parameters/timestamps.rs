//! When a frame was under way: `media-rcv-ts-offset`, `channel-rcv-ts-offset`,
//! `channel-snd-ts-offset`.

use std::time::{SystemTime, UNIX_EPOCH};

use aileron::command::ErrorCode;

use super::rig::{RawReceiver, RawSender, Rig, message};
use super::support::wait_until;

const INVALID: ErrorCode = ErrorCode::InvalidChannel;

/// An agent reads the clock at the begin of a duty cycle, which may be a little before the message.
const CYCLE_MAX_NS: i64 = 5_000_000_000;

/// Nanoseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_nanos()).expect("before 2262")
}

/// The first message that a subscription with this offset gets: payload and reserved value, and
/// when the sending began.
fn received(offset: &str) -> (Vec<u8>, i64, i64) {
    let rig = Rig::new();
    let mut subscription = rig.subscribe(&format!("aeron:udp?endpoint=127.0.0.1:0|{offset}"));
    let sender = RawSender::to(&subscription, 1);
    sender.join(&mut subscription);
    let begin = now() - CYCLE_MAX_NS;
    let mut message = None;
    wait_until("a message", || {
        sender.data(0);
        subscription.poll(1, |payload, header| {
            message = Some((payload.to_vec(), header.reserved_value()));
        });
        message.is_some()
    });
    let (payload, reserved) = message.expect("it came");
    (payload, reserved, begin)
}

/// The time at an offset of the payload.
fn time(payload: &[u8], offset: usize) -> i64 {
    let bytes = payload[offset..offset + 8].try_into().expect("eight bytes");
    i64::from_le_bytes(bytes)
}

fn check_receive(name: &str) {
    let (payload, reserved, begin) = received(&format!("{name}=8"));
    assert!((begin..=now()).contains(&time(&payload, 8)), "{name}");
    assert_eq!((payload[7], payload[16], reserved), (7, 7, 0));
    let (payload, reserved, begin) = received(&format!("{name}=reserved"));
    assert!((begin..=now()).contains(&reserved), "{name}");
    assert_eq!(payload, [7; 32]);
    for off in ["-1", "28"] {
        let (payload, reserved, _) = received(&format!("{name}={off}"));
        assert_eq!((payload, reserved), (vec![7; 32], 0), "{name}={off}");
    }
}

fn check_bad(name: &str, is_publication: bool) {
    let rig = Rig::new();
    for value in ["first", "", "2147483648"] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|{name}={value}");
        let part = format!("{name}={value}: expected a 32-bit integer or reserved");
        if is_publication {
            rig.refuses_publication(&channel, INVALID, &[&part]);
        } else {
            rig.refuses_subscription(&channel, INVALID, &[&part]);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernels_receive_time_is_written() {
    check_receive("media-rcv-ts-offset");
}

#[test]
fn a_bad_media_receive_offset_is_refused() {
    check_bad("media-rcv-ts-offset", false);
}

#[test]
fn the_receivers_receive_time_is_written() {
    check_receive("channel-rcv-ts-offset");
}

#[test]
fn a_bad_receive_offset_is_refused() {
    check_bad("channel-rcv-ts-offset", false);
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|channel-rcv-ts-offset=0";
    let channel = format!("{channel}|media-rcv-ts-offset=4");
    let parts = [
        "channel-rcv-ts-offset=0",
        "media-rcv-ts-offset=4",
        "overlap",
    ];
    rig.refuses_subscription(&channel, INVALID, &parts);
}

#[test]
fn the_senders_send_time_is_written() {
    let name = "channel-snd-ts-offset";
    let rig = Rig::new();
    let sent = |offset: &str| {
        let peer = RawReceiver::new(1);
        let channel = format!("{}|{name}={offset}", peer.channel());
        let mut publication = rig.publish_exclusive(&channel);
        let source = peer.source();
        wait_until("a connection", || {
            peer.report(&source, 0, 16 * 1024);
            publication.is_connected()
        });
        let begin = now() - CYCLE_MAX_NS;
        let mut data = None;
        wait_until("an offer", || publication.offer(&message()).is_ok());
        wait_until("the message", || {
            data = peer.data().filter(|data| !data.is_heartbeat);
            data.is_some()
        });
        let data = data.expect("it came");
        (data.datagram[32..].to_vec(), data.reserved_value, begin)
    };
    let (payload, reserved, begin) = sent("8");
    assert!((begin..=now()).contains(&time(&payload, 8)));
    assert_eq!((payload[7], payload[16], reserved), (7, 7, 0));
    let (payload, reserved, begin) = sent("reserved");
    assert!((begin..=now()).contains(&reserved));
    assert_eq!(payload, message());
    let (payload, reserved, _) = sent("-1");
    assert_eq!((payload, reserved), (message().to_vec(), 0));
}

#[test]
fn a_bad_send_offset_is_refused() {
    check_bad("channel-snd-ts-offset", true);
}
