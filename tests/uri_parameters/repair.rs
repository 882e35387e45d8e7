//! What happens to what is lost: `reliable`, `nak-delay`, `max-resend`.

use aileron::cnc::SystemCounter;
use aileron::command::ErrorCode;

use super::rig::{FRAME_LENGTH, RawReceiver, RawSender, Rig, message};
use super::support::wait_until;

const INVALID: ErrorCode = ErrorCode::InvalidChannel;
const FRAME: i32 = 64;
const _: () = assert!(FRAME_LENGTH == 64);

#[test]
fn an_unreliable_stream_goes_on_without_what_is_lost() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|reliable=false");
    let sender = RawSender::to(&subscription, 1);
    sender.join(&mut subscription);
    let mut offsets = Vec::new();
    wait_until("what follows the gap", || {
        sender.data(0);
        sender.data(2 * FRAME);
        subscription.poll(10, |_, header| offsets.push(header.term_offset().get()));
        offsets.len() == 2
    });
    assert_eq!(offsets, [0, 2 * FRAME]);
    assert!(!sender.hears_nak());
    assert!(rig.system(SystemCounter::LossGapFills) >= 1);

    let mut reliable = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|reliable=true");
    let sender = RawSender::to(&reliable, 1);
    sender.join(&mut reliable);
    let mut count = 0;
    wait_until("a NAK", || {
        sender.data(0);
        sender.data(2 * FRAME);
        count += reliable.poll(10, |_, _| {});
        sender.hears_nak()
    });
    count += reliable.poll(10, |_, _| {});
    assert!(count <= 1, "it went on past the gap");
}

#[test]
fn a_bad_reliable_is_refused() {
    let rig = Rig::new();
    for value in ["yes", "TRUE", ""] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|reliable={value}");
        let name = format!("reliable={value}: expected true or false");
        rig.refuses_subscription(&channel, INVALID, &[&name]);
    }
    let _first = rig.subscribe("aeron:udp?endpoint=localhost:4000|reliable=true");
    let parts = [
        "option conflicts with existing subscription: reliable",
        "false",
    ];
    let channel = "aeron:udp?endpoint=localhost:4000|reliable=false";
    rig.refuses_subscription(channel, INVALID, &parts);
}

#[test]
fn the_nak_delay_is_how_long_a_gap_may_last() {
    let rig = Rig::new();
    let mut patient = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|nak-delay=600s");
    let mut hasty = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|nak-delay=1us");
    let waiting = RawSender::to(&patient, 1);
    let asked = RawSender::to(&hasty, 2);
    waiting.join(&mut patient);
    asked.join(&mut hasty);
    for sender in [&waiting, &asked] {
        sender.data(2 * FRAME);
    }
    // The second gap is younger than the first, and is asked for nevertheless.
    wait_until("a NAK", || {
        asked.data(2 * FRAME);
        asked.hears_nak()
    });
    assert!(!waiting.hears_nak(), "ten minutes are not over");
}

#[test]
fn a_bad_nak_delay_is_refused() {
    let rig = Rig::new();
    for value in ["1m", "-1us", "", "soon"] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|nak-delay={value}");
        let name = format!("nak-delay={value}: expected a duration, such as 10ms or 5s");
        rig.refuses_subscription(&channel, INVALID, &[&name]);
    }
}

#[test]
fn max_resend_is_how_many_resends_run_at_a_time() {
    // A resend that lingers this long is still running.
    let rig = Rig::with(&["aeron.retransmit.unicast.linger=600s"]);
    for max in [1, 3] {
        let peer = RawReceiver::new(1);
        // Of a group; one receiver alone has one resend at a time.
        let channel = format!("aeron:udp?control-mode=manual|max-resend={max}");
        let mut publication = rig.publish_exclusive(&channel);
        let destination = publication.add_destination(peer.channel());
        destination.expect("added");
        let source = peer.source();
        wait_until("a connection", || {
            peer.report(&source, 0, 16 * 1024);
            publication.is_connected()
        });
        let mut sent = 0;
        wait_until("messages to lose", || {
            sent += usize::from(publication.offer(&message()).is_ok());
            sent == 8
        });
        let end = 8 * FRAME;
        let mut offset = 0;
        wait_until("all messages", || {
            if let Some(data) = peer.data().filter(|data| !data.is_heartbeat) {
                offset = data.term_offset + i32::try_from(data.datagram.len()).expect("short");
            }
            offset == end
        });
        let overflows = rig.system(SystemCounter::RetransmitOverflow);
        for lost in 0..4 {
            peer.nak(&source, 2 * lost * FRAME, FRAME);
        }
        wait_until("the refused NAKs", || {
            rig.system(SystemCounter::RetransmitOverflow) == overflows + 4 - max
        });
        let mut resent = Vec::new();
        while let Some(data) = peer.data() {
            if !data.is_heartbeat {
                resent.push(i64::from(data.term_offset / FRAME));
            }
        }
        let expected: Vec<i64> = (0..max).map(|lost| 2 * lost).collect();
        assert_eq!(resent, expected, "max-resend={max}");
    }
}

#[test]
fn a_bad_max_resend_is_refused() {
    let rig = Rig::new();
    for (value, remedy) in [
        ("0", "not in 1 to 256"),
        ("257", "not in 1 to 256"),
        ("-1", "not in 1 to 256"),
        ("many", "expected a 32-bit integer"),
    ] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|max-resend={value}");
        let name = format!("max-resend={value}");
        rig.refuses_publication(&channel, INVALID, &[&name, remedy]);
    }
}
