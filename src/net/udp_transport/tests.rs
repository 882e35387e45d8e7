//! Sockets of this machine, over its loopback interface.

use super::*;
use crate::net::UdpNetwork;
use crate::port::Network;

fn spec(role: TransportRole, bind: &str) -> TransportSpec {
    TransportSpec {
        role,
        bind: bind.parse().expect("an address"),
        connect: None,
        multicast: None,
        socket_sndbuf_length: 0,
        socket_rcvbuf_length: 128 * 1024,
        media_timestamps: false,
        receive_batch: 4,
        segment_offload: true,
        busy_poll: BusyPoll::default(),
    }
}

fn poll_until(transport: &mut UdpTransport, wanted: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut got = Vec::new();
    for _ in 0..1_000_000 {
        transport
            .poll(|d| got.push((d.bytes.to_vec(), d.source)))
            .expect("polled");
        if got.len() >= wanted {
            return got;
        }
    }
    panic!("{} of {wanted} datagrams arrived", got.len());
}

fn round_trip(bind: &str) {
    let mut network = UdpNetwork::new();
    let mut receiver = network
        .open(&spec(TransportRole::Receive, bind))
        .expect("opened");
    let mut sender_spec = spec(TransportRole::Send, bind);
    sender_spec.connect = Some(receiver.local_address());
    let mut sender = network.open(&sender_spec).expect("opened");
    assert_eq!(sender.send(None, &[b"one", b"two"]).expect("sent"), 2);
    let got = poll_until(&mut receiver, 2);
    assert_eq!(got[1].0, b"two");
    assert_eq!(receiver.send(Some(got[0].1), &[b"back"]).expect("sent"), 1);
    assert_eq!(poll_until(&mut sender, 1)[0].0, b"back");
}

#[test]
fn unicast_goes_both_ways_over_ipv4() {
    round_trip("127.0.0.1:0");
}

#[test]
fn unicast_goes_both_ways_over_ipv6() {
    round_trip("[::1]:0");
}

/// The kernel keeps as much for a peer whose link-level address it is looking for.
#[cfg(target_os = "linux")]
#[test]
fn a_socket_that_sends_bursts_has_room_for_more_than_one_lost_peer() {
    let mut network = UdpNetwork::new();
    let plain = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let born_with = socket2::SockRef::from(&plain)
        .send_buffer_size()
        .expect("a length");
    let mut room = |role, length| {
        let mut spec = spec(role, "127.0.0.1:0");
        spec.socket_sndbuf_length = length;
        let opened = network.open(&spec).expect("opened");
        assert!(role == TransportRole::Receive || opened.sends_bursts);
        socket2::SockRef::from(&opened.socket)
            .send_buffer_size()
            .expect("a length")
    };
    assert!(room(TransportRole::Send, 0) >= 2 * born_with);
    assert_eq!(
        room(TransportRole::Send, 65_536),
        2 * 65_536,
        "who asks is given that"
    );
    assert_eq!(room(TransportRole::Receive, 0), born_with);
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let mut network = UdpNetwork::new();
    let first = network
        .open(&spec(TransportRole::Receive, "127.0.0.1:0"))
        .expect("opened");
    let taken = first.local_address().to_string();
    let error = network
        .open(&spec(TransportRole::Receive, &taken))
        .expect_err("taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&taken), "{error}");
}

#[test]
fn a_closed_peer_is_not_an_error() {
    let mut network = UdpNetwork::new();
    let gone = network
        .open(&spec(TransportRole::Receive, "127.0.0.1:0"))
        .expect("opened");
    let mut sender_spec = spec(TransportRole::Send, "127.0.0.1:0");
    sender_spec.connect = Some(gone.local_address());
    drop(gone);
    let mut sender = network.open(&sender_spec).expect("opened");
    for _ in 0..10 {
        sender
            .send(None, &[b"anyone?"])
            .expect("refusal is ordinary");
        sender
            .poll(|_| panic!("nobody answers"))
            .expect("refusal is ordinary");
    }
}

#[test]
fn media_timestamps_come_with_datagrams_where_asked_for() {
    let mut network = UdpNetwork::new();
    let mut stamped = spec(TransportRole::Receive, "127.0.0.1:0");
    stamped.media_timestamps = cfg!(target_os = "linux");
    let mut receiver = network.open(&stamped).expect("opened");
    let mut sender = network
        .open(&spec(TransportRole::Send, "127.0.0.1:0"))
        .expect("opened");
    sender
        .send(Some(receiver.local_address()), &[b"x"])
        .expect("sent");
    let mut stamp = None;
    for _ in 0..1_000_000 {
        receiver
            .poll(|d| stamp = Some(d.media_timestamp_ns))
            .expect("polled");
        if stamp.is_some() {
            break;
        }
    }
    assert_eq!(stamp.expect("arrived").is_some(), cfg!(target_os = "linux"));
}

/// A sender to `to`, with or without bursts.
fn sender_to(to: SocketAddr, segment_offload: bool) -> UdpTransport {
    let mut spec = spec(TransportRole::Send, "127.0.0.1:0");
    spec.connect = Some(to);
    spec.segment_offload = segment_offload;
    UdpNetwork::new().open(&spec).expect("opened")
}

/// Bursts of many datagrams, of one, and of odd lengths.
fn bursts(bytes: &[u8]) -> [Burst<'_>; 4] {
    [
        Burst::new(&bytes[..5000], 1408),
        Burst::one(&bytes[..100]),
        Burst::new(&bytes[100..164], 32),
        Burst::new(&bytes[..4096], 64),
    ]
}

fn datagrams_of(bursts: &[Burst<'_>]) -> Vec<Vec<u8>> {
    let datagrams = bursts.iter().flat_map(Burst::datagrams);
    datagrams.map(<[u8]>::to_vec).collect()
}

fn bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(8192).collect()
}

/// A socket like any other, and what arrives on it.
fn plain_socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let timeout = Duration::from_secs(10);
    socket.set_read_timeout(Some(timeout)).expect("set");
    let address = socket.local_addr().expect("bound");
    (socket, address)
}

fn receive_plain(socket: &UdpSocket, count: usize) -> Vec<Vec<u8>> {
    let mut buffer = [0; 65_536];
    (0..count)
        .map(|_| {
            let length = socket.recv(&mut buffer).expect("it arrives");
            buffer[..length].to_vec()
        })
        .collect()
}

#[test]
fn the_wire_does_not_show_bursts() {
    let bytes = bytes();
    let bursts = bursts(&bytes);
    let expected = datagrams_of(&bursts);
    for segment_offload in [false, true] {
        let (socket, address) = plain_socket();
        let mut sender = sender_to(address, segment_offload);
        let sent = sender.send_bursts(None, &bursts).expect("sent");
        assert_eq!(sent, expected.len());
        assert_eq!(receive_plain(&socket, expected.len()), expected);
        assert!(sender.take_burst_refusal().is_none());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_kernel_that_refuses_bursts_gets_datagrams_from_then_on() {
    let bytes = bytes();
    let bursts = bursts(&bytes);
    let expected = datagrams_of(&bursts);
    let (socket, address) = plain_socket();
    let mut sender = sender_to(address, true);
    crate::sys::have_bursts_refused(sender.socket.as_fd());
    for is_first in [true, false] {
        let sent = sender
            .send_bursts(None, &bursts)
            .expect("sent all the same");
        assert_eq!(sent, expected.len());
        assert_eq!(receive_plain(&socket, expected.len()), expected);
        let refusal = sender.take_burst_refusal();
        assert_eq!(refusal.is_some(), is_first, "{refusal:?}");
    }
    assert!(!sender.sends_bursts);
}

#[test]
fn datagrams_that_are_refused_themselves_do_not_end_bursts() {
    let (_socket, address) = plain_socket();
    let mut sender = sender_to(address, true);
    let bytes = vec![7; 70_000];
    let sends_bursts = sender.sends_bursts;
    let refused = sender.send_bursts(None, &[Burst::new(&bytes, 66_000)]);
    assert!(refused.is_err());
    assert_eq!(sender.sends_bursts, sends_bursts);
    assert!(sender.take_burst_refusal().is_none());
}

/// Sends so many datagrams that the receiver has them put together from then on.
fn flood(sender: &mut UdpTransport, receiver: &mut UdpTransport) {
    let datagram: &[u8] = &[0; 32];
    for _ in 0..32 {
        let mut left = 64;
        while left > 0 {
            let batch = [datagram; 16];
            left -= sender.send(None, &batch[..left.min(16)]).expect("sent");
        }
        // Loopback delivers within the call that sends.
        let mut received = 0;
        while received < 64 {
            receiver.poll(|_| received += 1).expect("polled");
        }
    }
}

#[test]
fn bursts_arrive_as_their_datagrams_whoever_puts_them_together() {
    let bytes = bytes();
    let bursts = bursts(&bytes);
    let expected = datagrams_of(&bursts);
    for (sends, receives) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut spec = spec(TransportRole::Receive, "127.0.0.1:0");
        spec.segment_offload = receives;
        let mut receiver = UdpNetwork::new().open(&spec).expect("opened");
        let mut sender = sender_to(receiver.local_address(), sends);
        if sends && receives {
            flood(&mut sender, &mut receiver);
        }
        let sent = sender.send_bursts(None, &bursts).expect("sent");
        assert_eq!(sent, expected.len());
        let mut got: Vec<Vec<u8>> = Vec::new();
        let mut calls = 0;
        for _ in 0..1_000_000 {
            receiver
                .poll(|mut datagram| {
                    calls += 1;
                    assert!(!datagram.is_truncated);
                    got.extend(datagram.segments().map(|bytes| bytes.to_vec()));
                })
                .expect("polled");
            if got.len() >= expected.len() {
                break;
            }
        }
        assert_eq!(got, expected);
        if sends && receives && cfg!(target_os = "linux") {
            assert_eq!(calls, bursts.len(), "each burst comes in one piece");
        }
    }
}
