//! `fc`: strategies, and each option of theirs.

use aileron::ExclusivePublication;
use aileron::cnc::SystemCounter;
use aileron::cnc::counter_types::{FLOW_CONTROL_RECEIVERS_TYPE_ID, SENDER_LIMIT_TYPE_ID};
use aileron::command::ErrorCode;

use super::rig::{RawReceiver, Rig, Source};
use super::support::wait_until;

/// A publication to two receivers, which know its source.
struct Group {
    rig: Rig,
    publication: ExclusivePublication,
    receivers: [RawReceiver; 2],
    source: Source,
}

impl Group {
    fn new(fc: &str) -> Self {
        let rig = Rig::new();
        let receivers = [RawReceiver::new(1), RawReceiver::new(2)];
        let channel = format!("aeron:udp?control-mode=manual|fc={fc}");
        let publication = rig.publish_exclusive(&channel);
        for receiver in &receivers {
            publication
                .add_destination(receiver.channel())
                .expect("added");
        }
        let [first, second] = &receivers;
        let source = first.source();
        second.source();
        Self {
            rig,
            publication,
            receivers,
            source,
        }
    }

    /// Both receivers say what they take, until the sender limit is this.
    fn reports(&self, windows: [i32; 2], tags: [Option<i64>; 2], limit: i64) {
        wait_until("the sender limit", || {
            for ((receiver, window), tag) in self.receivers.iter().zip(windows).zip(tags) {
                receiver.report_tagged(&self.source, 0, window, tag);
            }
            self.limit() == limit && self.publication.is_connected()
        });
    }

    fn limit(&self) -> i64 {
        let id = self.publication.registration_id().get();
        let limit = self.rig.counter(SENDER_LIMIT_TYPE_ID, id);
        limit.expect("a snd-lmt").value
    }

    /// How many receivers count; `None` where they are not counted.
    fn receiver_count(&self) -> Option<i64> {
        let id = self.publication.registration_id().get();
        let count = self.rig.counter(FLOW_CONTROL_RECEIVERS_TYPE_ID, id);
        count.map(|counter| counter.value)
    }
}

#[test]
fn min_follows_the_slowest_and_max_the_fastest() {
    for (fc, limit, count) in [("min", 4096, Some(2)), ("max", 16_384, None)] {
        let group = Group::new(fc);
        // The slow one first: a limit never goes back.
        group.reports([4096, 16_384], [None; 2], limit);
        wait_until("both receivers", || group.receiver_count() == count);
        assert_eq!(group.limit(), limit, "fc={fc}");
    }
}

#[test]
fn tagged_follows_the_slowest_that_has_the_tag() {
    let group = Group::new("tagged,g:77");
    group.reports([4096, 16_384], [Some(78), Some(77)], 16_384);
    assert_eq!(group.receiver_count(), Some(1));
    let group = Group::new("tagged,g:77");
    group.reports([4096, 16_384], [Some(77), Some(77)], 4096);
    wait_until("both receivers", || group.receiver_count() == Some(2));
    assert_eq!(group.limit(), 4096);
}

/// Receivers that came before group tags mark themselves otherwise; they have the default tag.
#[test]
fn tagged_takes_the_mark_of_older_receivers_for_the_default_tag() {
    let group = Group::new("tagged");
    let [older, other] = &group.receivers;
    wait_until("the older receiver", || {
        other.report_tagged(&group.source, 0, 4096, Some(5));
        older.report_with_tail(&group.source, 0, 16_384, &[0xFF; 4]);
        group.receiver_count() == Some(1) && group.limit() == 16_384
    });
    assert_eq!(group.rig.errors(), [""; 0]);
    wait_until("an error", || {
        other.report_with_tail(&group.source, 0, 4096, &[1; 4]);
        !group.rig.errors().is_empty()
    });
    assert_eq!(
        group.rig.errors(),
        ["status message with a malformed group tag"]
    );
    assert_eq!(group.receiver_count(), Some(1));
}

#[test]
fn a_group_is_not_connected_below_its_size() {
    for fc in ["min,g:/2", "tagged,g:77/2"] {
        let group = Group::new(fc);
        let [first, second] = &group.receivers;
        wait_until("the first receiver", || {
            first.report_tagged(&group.source, 0, 4096, Some(77));
            group.receiver_count() == Some(1)
        });
        assert!(!group.publication.is_connected(), "{fc}");
        wait_until("the second receiver", || {
            first.report_tagged(&group.source, 0, 4096, Some(77));
            second.report_tagged(&group.source, 0, 4096, Some(77));
            group.publication.is_connected()
        });
    }
}

#[test]
fn a_silent_receiver_counts_no_more_after_its_timeout() {
    let group = Group::new("min,t:300ms");
    group.reports([4096, 16_384], [None; 2], 4096);
    let [_silent, talking] = &group.receivers;
    wait_until("the silent receiver's end", || {
        talking.report(&group.source, 0, 16_384);
        group.limit() == 16_384
    });
    assert_eq!(group.receiver_count(), Some(1));
}

/// A receiver's window is taken to be 128 KiB, whatever it says of it.
#[test]
fn one_nak_is_answered_with_so_many_receiver_windows() {
    const SENT: i32 = 384 * 1024;
    const FRAME_LENGTH: i32 = 8192;
    for (option, expected) in [("rrwm:1", 128 * 1024), ("rrwm:2", 256 * 1024)] {
        let fc = format!("max,{option}|term-length=1m|mtu=8k|so-sndbuf=64k");
        let mut group = Group::new(&fc);
        group.reports([65_536; 2], [None; 2], 65_536);
        let [peer, _] = &group.receivers;
        let frame = [7; FRAME_LENGTH as usize - 32];
        let (mut sent, mut arrived) = (0, 0);
        wait_until("all data", || {
            if sent < SENT && group.publication.offer(&frame).is_ok() {
                sent += FRAME_LENGTH;
            }
            // A heartbeat says where the stream is, should the socket have lost its end.
            let end = peer.data().map_or(0, |data| {
                let length = i32::try_from(data.datagram.len()).expect("short");
                data.term_offset + if data.is_heartbeat { 0 } else { length }
            });
            arrived = arrived.max(end);
            peer.report(&group.source, arrived, 65_536);
            arrived == SENT
        });
        peer.nak(&group.source, 0, SENT);
        let resent = || group.rig.system(SystemCounter::RetransmittedBytes);
        wait_until("the resent data", || resent() >= expected);
        // The next one is answered later, so the answer to the first is over.
        peer.nak(&group.source, SENT - FRAME_LENGTH, FRAME_LENGTH);
        let both = expected + i64::from(FRAME_LENGTH);
        wait_until("more resent data", || resent() >= both);
        assert_eq!(resent(), both, "{option}");
    }
}

#[test]
fn a_bad_flow_control_is_refused() {
    let rig = Rig::new();
    let invalid = ErrorCode::InvalidChannel;
    let channel = "aeron:udp?control-mode=manual|fc=";
    for (value, remedy) in [
        ("fast", "expected max, min or tagged"),
        ("", "expected max, min or tagged"),
        ("max,g:1", "option 'g:1', expected rrwm:<number>"),
        ("max,t:1s", "option 't:1s', expected rrwm:<number>"),
        (
            "min,t:1m",
            "option 't:1m', expected g:[<tag>][/<size>], t:<duration> or rrwm:<number>",
        ),
        ("tagged,g:x", "option 'g:x', expected g:[<tag>][/<size>]"),
        (
            "tagged,g:1/-1",
            "option 'g:1/-1', expected g:[<tag>][/<size>]",
        ),
        ("min,rrwm:0", "option 'rrwm:0', expected"),
        ("min,colour:red", "option 'colour:red', expected"),
    ] {
        let name = format!("fc={value}");
        rig.refuses_publication(&format!("{channel}{value}"), invalid, &[&name, remedy]);
    }
    let unicast = "aeron:udp?endpoint=localhost:4000|fc=min";
    let parts = [
        "unsupported unicast flow control strategy",
        "fc=min",
        "multicast",
    ];
    rig.refuses_publication(unicast, invalid, &parts);
}
