//! Receivers as members of a group: `gtag`, `group`.

use aileron::command::ErrorCode;

use super::rig::{FRAME_LENGTH, RawSender, Rig};
use super::support::{free_port, wait_for, wait_until};

#[test]
fn a_group_tag_is_what_tagged_flow_control_goes_by() {
    let rig = Rig::new();
    let mut subscription = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|gtag=-77");
    let sender = RawSender::to(&subscription, 1);
    sender.join(&mut subscription);
    let status = wait_for("a status message", || {
        sender.heartbeat(0);
        sender.statuses().next()
    });
    assert_eq!(status.group_tag, Some(-77));
    assert_eq!(status.session_id, sender.session_id());

    let control = free_port();
    let publication = rig.publish(&format!(
        "aeron:udp?control=127.0.0.1:{control}|control-mode=dynamic|fc=tagged,g:77/1"
    ));
    let endpoint = format!("aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:{control}");
    let other = rig.subscribe(&format!("{endpoint}|gtag=78"));
    wait_until("a connection of the other", || other.is_connected());
    assert!(!publication.is_connected(), "78 is not of the group");
    let _member = rig.subscribe(&format!("{endpoint}|gtag=77"));
    wait_until("a connection of the member", || publication.is_connected());
}

#[test]
fn a_bad_group_tag_is_refused() {
    let rig = Rig::new();
    for value in ["x", "", "9223372036854775808", "1,2"] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|gtag={value}");
        let name = format!("gtag={value}: expected a 64-bit integer");
        rig.refuses_subscription(&channel, ErrorCode::InvalidChannel, &[&name]);
    }
}

/// The delay of NAKs to one sender is ten minutes; a group's back-off is not.
#[test]
fn receivers_of_a_group_back_off_as_one() {
    let rig = Rig::with(&["aeron.nak.unicast.delay=600s"]);
    let gap = |group: &str, session_id| {
        let channel = format!("aeron:udp?endpoint=127.0.0.1:0|{group}");
        let mut subscription = rig.subscribe(&channel);
        let sender = RawSender::to(&subscription, session_id);
        sender.join(&mut subscription);
        sender.data(i32::try_from(FRAME_LENGTH).expect("short"));
        (subscription, sender)
    };
    // Any text that is neither `true` nor `infer` is `false`.
    let alone = ["group=false", "group=infer", "group=nonsense"].map(|group| gap(group, 1));
    let (_member, sender) = gap("group=true", 2);
    wait_until("a NAK of the group's", || {
        sender.data(i32::try_from(FRAME_LENGTH).expect("short"));
        sender.hears_nak()
    });
    for (_, sender) in &alone {
        assert!(!sender.hears_nak(), "ten minutes are not over");
    }
}

/// Any text is a value of `group`, but there must be one.
#[test]
fn a_group_without_a_text_is_refused() {
    let rig = Rig::new();
    let channel = "aeron:udp?endpoint=localhost:4000|group";
    let parts = ["'group' has no '='", channel];
    rig.refuses_subscription(channel, ErrorCode::InvalidChannel, &parts);
}
