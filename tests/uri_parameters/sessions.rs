//! Which stream and which resources are meant: `tags`, `alias`, `session-id`, `stream-id`.

use aileron::SessionId;
use aileron::cnc::counter_types::{
    RECEIVE_CHANNEL_STATUS_TYPE_ID, SEND_CHANNEL_STATUS_TYPE_ID, SUBSCRIBER_POSITION_TYPE_ID,
};
use aileron::command::ErrorCode;

use super::rig::{RawReceiver, Rig};
use super::support::wait_until;

const INVALID: ErrorCode = ErrorCode::InvalidChannel;
const MEDIA: [&str; 2] = ["aeron:ipc?", "aeron:udp?endpoint=localhost:4000|"];

#[test]
fn tags_name_an_endpoint_and_a_publication() {
    let rig = Rig::new();
    let peer = RawReceiver::new(1);
    let tagged = rig.publish_exclusive(&format!("{}|tags=7,8|mtu=4k", peer.channel()));
    let same_endpoint = rig.publish_exclusive("aeron:udp?tags=7");
    assert_eq!(
        tagged.channel_status_id(),
        same_endpoint.channel_status_id()
    );
    assert_eq!(rig.counters(SEND_CHANNEL_STATUS_TYPE_ID).len(), 1);

    let first = rig.subscribe("aeron:udp?endpoint=127.0.0.1:0|tags=9");
    let second = rig.subscribe("aeron:udp?tags=9");
    assert_eq!(first.channel_status_id(), second.channel_status_id());
    assert_eq!(first.resolved_endpoint(), second.resolved_endpoint());
    assert_eq!(rig.counters(RECEIVE_CHANNEL_STATUS_TYPE_ID).len(), 1);
}

#[test]
fn bad_tags_are_refused() {
    let rig = Rig::new();
    for value in ["x", "1,x", "-1", "1,-1", ",", "", "1,2,3"] {
        let parts = [&format!("tags={value}")[..], "<channel tag>[,<entity tag>]"];
        for medium in MEDIA {
            rig.refuses_publication(&format!("{medium}tags={value}"), INVALID, &parts);
        }
        let channel = format!("aeron:udp?endpoint=localhost:4000|tags={value}");
        rig.refuses_subscription(&channel, INVALID, &parts);
    }
    let parts = [
        "must have explicit control, endpoint, or be manual",
        "tags=5",
    ];
    rig.refuses_publication("aeron:udp?tags=5", INVALID, &parts);
    let _first = rig.publish("aeron:ipc?tags=1,2");
    let parts = ["entityTag already in use: 2"];
    rig.refuses_publication("aeron:ipc?tags=3,2", INVALID, &parts);
    rig.refuses_publication(
        "aeron:udp?endpoint=localhost:4000|tags=3,2",
        INVALID,
        &parts,
    );
}

#[test]
fn an_alias_shows_in_the_labels_of_counters() {
    let rig = Rig::new();
    let publication = rig.publish("aeron:ipc?alias=orders");
    let shared = rig.publish("aeron:ipc?alias=other");
    assert_eq!(
        publication.session_id(),
        shared.session_id(),
        "an alias makes no other channel"
    );
    let subscription = rig.subscribe("aeron:ipc?alias=matching");
    wait_until("a connection", || publication.is_connected());
    let id = subscription.registration_id().get();
    let position = rig.counter(SUBSCRIBER_POSITION_TYPE_ID, id);
    let label = position.expect("a sub-pos").label;
    assert!(label.contains("alias=matching"), "{label}");
    assert_eq!(publication.channel(), "aeron:ipc?alias=orders");
}

/// Any text may be an alias, but there must be one.
#[test]
fn an_alias_without_a_text_is_refused() {
    let rig = Rig::new();
    for channel in ["aeron:ipc?alias", "aeron:udp?endpoint=localhost:4000|alias"] {
        let parts = ["'alias' has no '='", channel];
        rig.refuses_publication(channel, INVALID, &parts);
        rig.refuses_subscription(channel, INVALID, &parts);
    }
}

#[test]
fn a_session_id_is_taken_and_filtered_by() {
    let rig = Rig::new();
    let picky = rig.subscribe("aeron:ipc?session-id=-7");
    let open = rig.subscribe("aeron:ipc");
    let other = rig.publish_exclusive("aeron:ipc?session-id=8");
    let wanted = rig.publish_exclusive("aeron:ipc?session-id=-7|tags=1,2|mtu=4k|term-length=128k");
    assert_eq!(wanted.session_id(), SessionId(-7));
    assert_eq!(other.session_id(), SessionId(8));
    wait_until("both images", || open.image_count() == 2);
    wait_until("the wanted image", || picky.image_count() == 1);
    assert!(picky.image_by_session(SessionId(-7)).is_some());

    let peer = RawReceiver::new(1);
    let original = rig.publish_exclusive(&format!("{}|tags=3,4|mtu=4k", peer.channel()));
    let twin = rig.publish_exclusive("aeron:udp?endpoint=localhost:4000|session-id=tag:4");
    assert_eq!(original.session_id(), twin.session_id());
    assert_eq!(original.max_payload_length(), twin.max_payload_length());
}

#[test]
fn a_bad_session_id_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        for value in ["x", "2147483648", "", "tag:", "tag:x"] {
            let channel = format!("{medium}session-id={value}");
            let name = format!("session-id={value}");
            let remedy = "expected a 32-bit integer";
            rig.refuses_publication(&channel, INVALID, &[&name, remedy, "or tag:<integer>"]);
            rig.refuses_subscription(&channel, INVALID, &[&name, remedy]);
        }
        let channel = format!("{medium}session-id=tag:9");
        let parts = ["session-id=tag:9", "add that one first"];
        rig.refuses_publication(&channel, INVALID, &parts);
        let parts = ["session-id=tag:9", "expected a 32-bit integer"];
        rig.refuses_subscription(&channel, INVALID, &parts);

        let channel = format!("{medium}session-id=5");
        let _first = rig.publish_exclusive(&channel);
        let clash = rig
            .client
            .add_exclusive_publication(&*channel, super::rig::STREAM);
        let parts = ["clashing", "5"];
        super::rig::check_refusal(&channel, clash.map(|_| ()), INVALID, &parts);
    }
}

#[test]
fn a_stream_id_that_agrees_is_accepted() {
    let rig = Rig::new();
    for medium in MEDIA {
        let publication = rig.publish(&format!("{medium}stream-id=1001"));
        assert_eq!(publication.stream_id().get(), 1001);
        // Of a subscription it is informational.
        let _subscription = rig.subscribe(&format!("{medium}stream-id=1002"));
    }
}

#[test]
fn a_bad_stream_id_is_refused() {
    let rig = Rig::new();
    for medium in MEDIA {
        let parts = ["stream-id=1002", "must equal", "1001"];
        rig.refuses_publication(&format!("{medium}stream-id=1002"), INVALID, &parts);
        let parts = ["stream-id=x", "expected a 32-bit integer"];
        rig.refuses_publication(&format!("{medium}stream-id=x"), INVALID, &parts);
    }
}
