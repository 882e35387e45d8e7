//! What the network does to datagrams.

use super::*;
use crate::port::{BusyPoll, Datagram, Network, Transport, TransportRole};
use crate::sim::SimTransport;

fn pair(network: &SimNetwork) -> (SimTransport, SimTransport) {
    pair_with(network, false)
}

fn pair_with(network: &SimNetwork, segment_offload: bool) -> (SimTransport, SimTransport) {
    let spec = |role, bind: &str, connect: Option<&str>| TransportSpec {
        role,
        bind: bind.parse().expect("an address"),
        connect: connect.map(|c| c.parse().expect("an address")),
        multicast: None,
        socket_sndbuf_length: 0,
        socket_rcvbuf_length: 0,
        media_timestamps: false,
        receive_batch: 16,
        segment_offload,
        busy_poll: BusyPoll::default(),
    };
    let mut a = network.host(IpAddr::from([10, 0, 0, 1]));
    let mut b = network.host(IpAddr::from([10, 0, 0, 2]));
    let receiver = b.open(&spec(TransportRole::Receive, "10.0.0.2:4000", None));
    let sender = a.open(&spec(
        TransportRole::Send,
        "0.0.0.0:0",
        Some("10.0.0.2:4000"),
    ));
    (sender.expect("opened"), receiver.expect("opened"))
}

fn drain(transport: &mut SimTransport) -> Vec<Vec<u8>> {
    let mut got = Vec::new();
    while transport
        .poll(|d| got.push(d.bytes.to_vec()))
        .expect("polled")
        > 0
    {}
    got
}

#[test]
fn datagrams_arrive_after_their_delay_and_in_order() {
    let network = SimNetwork::new(1);
    let (mut sender, mut receiver) = pair(&network);
    assert_eq!(sender.send(None, &[b"a", b"b"]).expect("sent"), 2);
    network.advance(Nanos(19_999));
    assert!(drain(&mut receiver).is_empty());
    network.advance(Nanos(20_000));
    assert_eq!(drain(&mut receiver), [b"a", b"b"]);
}

#[test]
fn loss_takes_its_share_and_a_seed_repeats_itself() {
    let run = |seed| {
        let network = SimNetwork::new(seed);
        network.set_default_faults(LinkFaults {
            loss_ppm: 300_000,
            ..LinkFaults::default()
        });
        let (mut sender, mut receiver) = pair(&network);
        for i in 0..1000u32 {
            sender.send(None, &[&i.to_le_bytes()]).expect("sent");
        }
        network.advance(Nanos(1_000_000));
        drain(&mut receiver)
    };
    let first = run(5);
    assert!((600..800).contains(&first.len()), "{}", first.len());
    assert_eq!(first, run(5));
    assert_ne!(first, run(6));
}

#[test]
fn a_partition_stops_everything_until_it_heals() {
    let network = SimNetwork::new(1);
    let (mut sender, mut receiver) = pair(&network);
    network.set_default_faults(LinkFaults {
        is_partitioned: true,
        ..LinkFaults::default()
    });
    sender.send(None, &[b"lost"]).expect("taken by the socket");
    network.heal();
    sender.send(None, &[b"found"]).expect("sent");
    network.advance(Nanos(1_000_000));
    assert_eq!(drain(&mut receiver), [b"found"]);
}

#[test]
fn a_full_receive_buffer_drops_and_a_closed_socket_frees_its_port() {
    let network = SimNetwork::new(1);
    let (mut sender, receiver) = pair(&network);
    let big = vec![0u8; 60_000];
    for _ in 0..4 {
        sender.send(None, &[&big]).expect("sent");
    }
    network.advance(Nanos(1_000_000));
    assert_eq!(network.statistics().dropped_at_receiver, 1);
    drop(receiver);
    assert_eq!(network.open_sockets(), 1);
    let (_, again) = {
        drop(sender);
        pair(&network)
    };
    assert_eq!(again.local_address().port(), 4000);
}

#[test]
fn a_burst_loses_many_in_a_row_and_ends() {
    let network = SimNetwork::new(5);
    network.set_default_faults(LinkFaults {
        burst_ppm: 20_000,
        burst_length: 50,
        ..LinkFaults::default()
    });
    let (mut sender, mut receiver) = pair(&network);
    let mut got = Vec::new();
    for number in 0..4000_u32 {
        sender.send(None, &[&number.to_le_bytes()]).expect("sent");
        network.advance(Nanos(i64::from(number + 1) * 100_000));
        got.extend(drain(&mut receiver));
    }
    let numbers: Vec<u32> = got
        .iter()
        .map(|bytes| u32::from_le_bytes(bytes[..4].try_into().expect("four bytes")))
        .collect();
    let longest = numbers.windows(2).map(|pair| pair[1] - pair[0] - 1).max();
    assert!((20..=100).contains(&longest.expect("some arrived")));
    assert!(numbers.len() > 2000, "{} arrived", numbers.len());
}

#[test]
fn a_clogged_link_is_late_and_then_loses() {
    let network = SimNetwork::new(5);
    network.set_default_faults(LinkFaults {
        rate_bytes_per_ms: 1000,
        queue_bytes: 10_000,
        ..LinkFaults::default()
    });
    let (mut sender, mut receiver) = pair(&network);
    let datagram = [7; 1000];
    for _ in 0..30 {
        sender.send(None, &[&datagram]).expect("sent");
    }
    network.advance(Nanos(5_500_000));
    assert_eq!(drain(&mut receiver).len(), 5, "one in a millisecond");
    network.advance(Nanos(100_000_000));
    let rest = drain(&mut receiver).len();
    assert_eq!(rest, 6, "what was waiting, and no more");
    assert_eq!(network.statistics().lost, 19);
    sender.send(None, &[&datagram]).expect("sent");
    network.advance(Nanos(102_000_000));
    assert_eq!(drain(&mut receiver).len(), 1, "it is free again");
}

#[test]
fn who_is_rebound_is_seen_and_reached_elsewhere() {
    let network = SimNetwork::new(5);
    let (mut sender, mut receiver) = pair(&network);
    let source = |receiver: &mut SimTransport| {
        let mut source = None;
        let polled = receiver.poll(|datagram| source = Some(datagram.source));
        polled.expect("polled");
        source.expect("a datagram")
    };
    sender.send(None, &[b"before"]).expect("sent");
    network.advance(Nanos(1_000_000));
    let before = source(&mut receiver);
    assert_eq!(before, sender.local_address());
    network.rebind([10, 0, 0, 1].into());
    sender.send(None, &[b"after"]).expect("sent");
    network.advance(Nanos(2_000_000));
    let after = source(&mut receiver);
    assert_ne!(before, after);
    for to in [before, after] {
        receiver.send(Some(to), &[b"answer"]).expect("sent");
    }
    network.advance(Nanos(3_000_000));
    assert_eq!(drain(&mut sender).len(), 1);
}

#[test]
fn datagrams_of_one_length_are_received_together_where_a_kernel_would() {
    let network = SimNetwork::new(1);
    let (mut sender, mut receiver) = pair_with(&network, true);
    let long = [7; 100];
    let mut sent: Vec<&[u8]> = vec![&long; 200];
    sent[150] = &long[..60];
    assert_eq!(sender.send(None, &sent).expect("sent"), 200);
    network.advance(Nanos(20_000));
    let (mut lengths, mut most) = (Vec::new(), 0);
    let mut take = |datagram: Datagram<'_>| {
        let mut datagram = datagram;
        let count = lengths.len();
        lengths.extend(datagram.segments().map(|segment| segment.len()));
        most = most.max(lengths.len() - count);
    };
    while receiver.poll(&mut take).expect("polled") > 0 {}
    let expected: Vec<usize> = sent.iter().map(|bytes| bytes.len()).collect();
    assert_eq!(lengths, expected, "in order, and nothing is lost");
    assert!((2..=64).contains(&most), "{most}");
}

#[test]
fn short_datagrams_fill_a_receive_buffer_by_what_a_kernel_needs_for_them() {
    let arrived = |overhead| {
        let network = SimNetwork::new(1);
        network.set_overhead(overhead);
        let (mut sender, mut receiver) = pair(&network);
        assert_eq!(
            sender.send(None, &[&[7; 32][..]; 8_000]).expect("sent"),
            8_000
        );
        network.advance(Nanos(20_000));
        let (first, dropped) = (drain(&mut receiver).len(), network.statistics());
        assert_eq!(first as u64 + dropped.dropped_at_receiver, 8_000);
        // What was read has made room.
        assert_eq!(sender.send(None, &[&[7; 32][..]; 100]).expect("sent"), 100);
        network.advance(Nanos(40_000));
        assert_eq!(drain(&mut receiver).len(), 100);
        first
    };
    assert_eq!(arrived(0), DEFAULT_BUFFER_LENGTH / 32);
    assert_eq!(arrived(768), DEFAULT_BUFFER_LENGTH * 2 / 800);
}
