//! Where a channel goes: `endpoint`, `interface`, `control`, `control-mode`, `ttl`.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use aileron::cnc::SystemCounter;
use aileron::command::ErrorCode;

use super::rig::{RawReceiver, Rig, check_refusal, message};
use super::support::{free_port, wait_until};

#[test]
fn an_endpoint_is_sent_to_and_listened_at() {
    let rig = Rig::new();
    let port = free_port();
    let channel = format!("aeron:udp?endpoint=127.0.0.1:{port}");
    let mut subscription = rig.subscribe(&channel);
    let address: SocketAddr = ([127, 0, 0, 1], port).into();
    assert_eq!(subscription.resolved_endpoint(), Some(address));
    let publication = rig.publish(&channel);
    wait_until("a message at the endpoint", || {
        let _ = publication.offer(&message());
        subscription.poll(1, |_, _| {}) == 1
    });
}

#[test]
fn a_bad_endpoint_is_refused() {
    let rig = Rig::new();
    for (value, code, remedy) in [
        ("localhost", ErrorCode::InvalidChannel, "host:port"),
        ("localhost:", ErrorCode::InvalidChannel, "host:port"),
        ("localhost:65536", ErrorCode::InvalidChannel, "host:port"),
        (":4000", ErrorCode::InvalidChannel, "host:port"),
        ("", ErrorCode::InvalidChannel, "host:port"),
        ("[::1:4000", ErrorCode::InvalidChannel, "host:port"),
        ("224.0.1.2:4000", ErrorCode::InvalidChannel, "odd"),
        (
            "no-such-host.invalid:4000",
            ErrorCode::UnknownHost,
            "cannot resolve",
        ),
    ] {
        let channel = format!("aeron:udp?endpoint={value}");
        // A host that does not resolve is named without its port.
        let value = value.strip_suffix(".invalid:4000").unwrap_or(value);
        rig.refuses_publication(&channel, code, &["endpoint", value, remedy]);
        rig.refuses_subscription(&channel, code, &["endpoint", value, remedy]);
    }
    let channel = "aeron:udp?endpoint=localhost:0";
    let parts = ["endpoint has port=0 for publication", channel];
    rig.refuses_publication(channel, ErrorCode::InvalidChannel, &parts);
}

#[test]
fn an_interface_is_what_a_publication_sends_from() {
    let rig = Rig::new();
    let peer = RawReceiver::new(1);
    let port = free_port();
    for interface in [format!("127.0.0.1:{port}"), format!("{{lo}}:{port}")] {
        let channel = format!("{}|interface={interface}", peer.channel());
        let publication = rig.publish(&channel);
        let local: SocketAddr = ([127, 0, 0, 1], port).into();
        assert_eq!(publication.local_socket_addresses(), [local], "{interface}");
        assert_eq!(peer.source().address, local, "{interface}");
        publication.close();
        // The next one wants the same port.
        wait_until("the endpoint's end", || UdpSocket::bind(local).is_ok());
    }
}

#[test]
fn a_bad_interface_is_refused() {
    let rig = Rig::new();
    for (value, remedy) in [
        ("127.0.0.1/33", "address[:port][/prefix length] or {name}"),
        ("127.0.0.1/", "address[:port][/prefix length] or {name}"),
        ("127.0.0.1:x", "address[:port][/prefix length] or {name}"),
        ("{does_not_exist}", "unknown interface does_not_exist"),
    ] {
        for endpoint in ["127.0.0.1:4000", "224.20.30.39:4001"] {
            let channel = format!("aeron:udp?endpoint={endpoint}|interface={value}");
            let value = value.trim_matches(['{', '}']);
            let parts = ["interface", value, remedy];
            rig.refuses_publication(&channel, ErrorCode::InvalidChannel, &parts);
            rig.refuses_subscription(&channel, ErrorCode::InvalidChannel, &parts);
        }
    }
    let channel = "aeron:udp?endpoint=224.20.30.39:4001|interface=203.0.113.7";
    let parts = ["interface", "203.0.113.7"];
    rig.refuses_subscription(channel, ErrorCode::InvalidChannel, &parts);
}

#[test]
fn control_is_where_status_messages_go() {
    let rig = Rig::new();
    let port = free_port();
    let control: SocketAddr = ([127, 0, 0, 1], port).into();
    let publication = rig.publish(&format!("aeron:udp?control={control}|control-mode=dynamic"));
    assert_eq!(publication.local_socket_addresses(), [control]);
    // Nobody told the publication of this subscription; the subscription finds it by `control`.
    let subscription = rig.subscribe(&format!("aeron:udp?endpoint=127.0.0.1:0|control={control}"));
    wait_until("a connection by way of control", || {
        publication.is_connected() && subscription.is_connected()
    });
}

#[test]
fn a_bad_control_is_refused() {
    let rig = Rig::new();
    let invalid = ErrorCode::InvalidChannel;
    for value in ["localhost", "localhost:x", ""] {
        let channel = format!("aeron:udp?endpoint=localhost:4000|control={value}");
        let parts = ["control", value, "host:port"];
        rig.refuses_publication(&channel, invalid, &parts);
        rig.refuses_subscription(&channel, invalid, &parts);
    }
    let channel = "aeron:udp?endpoint=localhost:4000|control=localhost:0";
    rig.refuses_subscription(channel, invalid, &["control", "port=0", channel]);
    let channel = "aeron:udp?control=localhost:4000";
    rig.refuses_publication(channel, invalid, &["control", "control-mode", channel]);
}

#[test]
fn the_control_mode_says_how_destinations_are_found() {
    let rig = Rig::new();
    let (first, second) = (RawReceiver::new(1), RawReceiver::new(2));
    let manual = rig.publish("aeron:udp?control-mode=manual");
    for peer in [&first, &second] {
        manual.add_destination(peer.channel()).expect("added");
        let source = peer.source();
        assert_eq!(source.session_id, manual.session_id());
        assert!(source.is_group, "several destinations are a group");
    }
    let plain = rig.publish(&RawReceiver::new(3).channel());
    let refused = plain.add_destination(first.channel()).map(|_| ());
    let parts = ["channel does not allow manual control"];
    check_refusal("plain", refused, ErrorCode::InvalidChannel, &parts);
}

#[test]
fn a_bad_control_mode_is_refused() {
    let rig = Rig::new();
    let invalid = ErrorCode::InvalidChannel;
    // A mode that nobody knows counts as none, which needs an endpoint.
    let channel = "aeron:udp?control=localhost:4000|control-mode=automatic";
    let parts = [
        "control without endpoint needs a control-mode",
        "control-mode=automatic",
    ];
    rig.refuses_publication(channel, invalid, &parts);
    let channel = "aeron:udp?endpoint=localhost:4000|control-mode=dynamic";
    let parts = ["control-mode=dynamic", "without a control address"];
    rig.refuses_publication(channel, invalid, &parts);
    rig.refuses_subscription(channel, invalid, &parts);
    let channel = "aeron:udp?control=localhost:4000|control-mode=response";
    let parts = ["control-mode=response", "no response-correlation-id"];
    rig.refuses_publication(channel, ErrorCode::GenericError, &parts);
}

/// A socket that hears a group on the loopback interface.
fn member(group: Ipv4Addr, port: u16) -> UdpSocket {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("shared");
    let address: SocketAddr = (group, port).into();
    socket.bind(&address.into()).expect("a socket of the group");
    let socket = UdpSocket::from(socket);
    socket
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .expect("joined");
    let timeout = std::time::Duration::from_millis(5);
    socket.set_read_timeout(Some(timeout)).expect("a timeout");
    socket
}

#[test]
fn the_ttl_is_announced_and_a_smaller_one_of_a_receiver_is_counted() {
    let rig = Rig::new();
    let group = Ipv4Addr::new(224, 20, 30, 41);
    let port = free_port();
    let peer = RawReceiver::on(member(group, port), 1);
    let channel = format!("aeron:udp?endpoint={group}:{port}|interface=127.0.0.1");
    let _publication = rig.publish(&format!("{channel}|ttl=9"));
    assert_eq!(peer.source().ttl, 9);

    // Its SETUP reaches first a receiver whose answers come as far, then one whose do not.
    let asymmetries = || rig.system(SystemCounter::PossibleTtlAsymmetry);
    let far = rig.subscribe(&format!("{channel}|ttl=9"));
    wait_until("an image", || far.image_count() == 1);
    assert_eq!(asymmetries(), 0);
    drop(far);
    let near = Rig::new();
    let subscription = near.subscribe(&format!("{channel}|ttl=8"));
    wait_until("an image", || subscription.image_count() == 1);
    assert_eq!(near.system(SystemCounter::PossibleTtlAsymmetry), 1);
}

#[test]
fn a_bad_ttl_is_refused() {
    let rig = Rig::new();
    for (value, remedy) in [("256", "0 to 255"), ("-1", "0 to 255"), ("far", "integer")] {
        let group = "224.20.30.39:4001|interface=127.0.0.1";
        let channel = format!("aeron:udp?endpoint={group}|ttl={value}");
        let name = format!("ttl={value}");
        let parts = [name.as_str(), remedy];
        rig.refuses_publication(&channel, ErrorCode::InvalidChannel, &parts);
        rig.refuses_subscription(&channel, ErrorCode::InvalidChannel, &parts);
    }
}
