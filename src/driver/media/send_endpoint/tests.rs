//! An endpoint on a fake transport.

use super::*;
use crate::base::{Rng, SessionId, StreamId, TermId, TermOffset};
use crate::driver::media::destinations::DestinationKind;
use crate::driver::media::fake_transport::FakeTransport;
use crate::driver::media::loss::{FixedLoss, LossGenerator, RandomLoss};
use crate::protocol::{DataHeader, FrameType, Nak, ResponseSetup};

const SECOND: i64 = 1_000_000_000;

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 9000))
}

fn ones<const N: usize>(datagrams: [&[u8]; N]) -> [Burst<'_>; N] {
    datagrams.map(Burst::one)
}

fn unicast() -> SendPeers {
    SendPeers::Address {
        address: peer(1),
        link: SendLink::Connected,
    }
}

fn endpoint(peers: SendPeers) -> SendEndpoint<FakeTransport> {
    SendEndpoint::new(params(peers))
}

fn params(peers: SendPeers) -> SendEndpointParams<FakeTransport> {
    SendEndpointParams {
        id: EndpointId(1),
        transport: FakeTransport::new(),
        peers,
        status: AtomicCounter::detached(ChannelStatus::Active.to_wire()),
        endpoint_text: Some("receiver:9000".to_owned()),
        send_timestamp_offset: None,
        data_loss: LossChain::default(),
        control_loss: LossChain::default(),
        now: Nanos(0),
    }
}

fn all_lost() -> LossChain {
    let all = RandomLoss::new(1.0, u64::MAX, Rng::new(1));
    LossChain::new(vec![LossGenerator::Random(all)])
}

fn nak() -> [u8; Nak::LENGTH] {
    let mut bytes = [0; Nak::LENGTH];
    Nak {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        term_id: TermId(3),
        term_offset: TermOffset(0),
        length: 32,
    }
    .encode(&mut bytes);
    bytes
}

#[test]
fn a_connected_endpoint_sends_to_its_peer() {
    let mut endpoint = endpoint(unicast());
    endpoint.transport.accept_next(2);
    assert_eq!(endpoint.send(None, &ones([&[1], &[2], &[3]]), Nanos(0)), 2);
    let sent = endpoint.transport.take_sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].to, None);
}

#[test]
fn a_refused_send_is_kept_for_the_log() {
    let mut endpoint = endpoint(unicast());
    endpoint.transport.fail_next();
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 0);
    let fault = endpoint.take_fault().expect("a fault");
    assert_eq!((fault.operation, fault.address), ("send", Some(peer(1))));
    assert!(endpoint.take_fault().is_none());
}

#[test]
fn a_response_endpoint_sends_nothing_before_it_knows_where() {
    let mut endpoint = endpoint(SendPeers::Learnt);
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 0);
    assert_eq!(endpoint.send(Some(peer(7)), &ones([&[1]]), Nanos(0)), 1);
    assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(7)));
}

#[test]
fn many_destinations_or_none_take_everything() {
    let count = AtomicCounter::detached(0);
    let list = Destinations::new(DestinationKind::Dynamic, count);
    let mut endpoint = endpoint(SendPeers::Destinations(list));
    assert_eq!(endpoint.send(None, &ones([&[1], &[2]]), Nanos(0)), 2);
    endpoint.on_status_message(ReceiverId(1), peer(1), Nanos(0));
    endpoint.transport.accept_next(1);
    assert_eq!(
        endpoint.send(None, &ones([&[1], &[2]]), Nanos(0)),
        2,
        "the rest is loss"
    );
    assert_eq!(endpoint.transport.take_sent().len(), 1);
}

#[test]
fn lost_datagrams_count_as_sent() {
    let mut endpoint = SendEndpoint::new(SendEndpointParams {
        data_loss: all_lost(),
        ..params(unicast())
    });
    assert_eq!(
        endpoint.send(None, &ones([&[1; 32], &[2; 32]]), Nanos(0)),
        2
    );
    assert_eq!(endpoint.transport.calls(), 0);
}

#[test]
fn a_lost_range_passes_the_second_time() {
    let range = FixedLoss::new(TermId(7), TermOffset(64), 32);
    let data_loss = LossChain::new(vec![LossGenerator::Fixed(range)]);
    let mut endpoint = SendEndpoint::new(SendEndpointParams {
        data_loss,
        ..params(unicast())
    });
    let frame = |frame_length, term_offset| {
        let mut bytes = [0; DataHeader::LENGTH];
        DataHeader {
            frame_length,
            flags: 0xc0,
            frame_type: FrameType::Data,
            term_offset: TermOffset(term_offset),
            session_id: SessionId(1),
            stream_id: StreamId(2),
            term_id: TermId(7),
            reserved_value: 0,
        }
        .encode(&mut bytes);
        bytes
    };
    let (before, within) = (frame(32, 32), frame(32, 64));
    let heartbeat = frame(0, 64);
    let batch: [&[u8]; 3] = [&before, &heartbeat, &within];
    assert_eq!(endpoint.send(None, &ones(batch), Nanos(0)), 3);
    assert_eq!(endpoint.transport.take_sent().len(), 2);
    assert_eq!(endpoint.send(None, &ones(batch), Nanos(0)), 3);
    assert_eq!(endpoint.transport.take_sent().len(), 3);
}

#[test]
fn lost_control_frames_are_not_delivered_but_others_are() {
    let mut endpoint = SendEndpoint::new(SendEndpointParams {
        control_loss: all_lost(),
        ..params(unicast())
    });
    let mut response = [0; ResponseSetup::LENGTH];
    ResponseSetup {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        response_session_id: SessionId(3),
    }
    .encode(&mut response);
    endpoint.transport.deliver(peer(1), &nak());
    endpoint.transport.deliver(peer(1), &response);
    let mut inbox = ControlInbox::new();
    endpoint.poll(&mut inbox, &SystemCounters::detached());
    assert_eq!(
        inbox.datagrams().map(|(_, b)| b.len()).collect::<Vec<_>>(),
        [20]
    );
}

#[test]
fn malformed_datagrams_are_counted_and_foreign_ones_ignored() {
    let mut endpoint = endpoint(unicast());
    let system = SystemCounters::detached();
    let mut inbox = ControlInbox::new();
    let mut setup = [0; 40];
    setup[..8].copy_from_slice(&[40, 0, 0, 0, 0, 0, 5, 0]);
    endpoint.transport.deliver(peer(1), &[]);
    endpoint.transport.deliver(peer(1), &[9; 7]);
    endpoint.transport.deliver(peer(1), &setup);
    endpoint.transport.deliver(peer(1), &nak());
    assert_eq!(endpoint.poll(&mut inbox, &system), 7 + 40 + 28);
    assert_eq!(system.get(SystemCounter::InvalidPackets).get(), 1);
    assert_eq!(inbox.datagrams().count(), 1);
}

#[test]
fn silence_of_all_receivers_asks_for_resolution_every_five_seconds() {
    let mut endpoint = endpoint(unicast());
    let mut asked = Vec::new();
    for (heard, now) in [
        (None, 9),
        (Some(6), 9),
        (Some(0), 10),
        (Some(0), 11),
        (Some(0), 16),
    ] {
        endpoint.check_resolution(
            heard.map(|second: i64| Nanos(second * SECOND)),
            Nanos(now * SECOND),
            |text, address| asked.push((now, text.to_owned(), address)),
        );
    }
    let text = || "receiver:9000".to_owned();
    assert_eq!(
        asked,
        [(10, text(), Some(peer(1))), (16, text(), Some(peer(1)))]
    );
}

#[test]
fn a_new_address_is_connected_to() {
    let mut endpoint = endpoint(unicast());
    endpoint.on_resolution_change("receiver:9000", peer(2));
    assert_eq!(endpoint.transport.peer(), Some(peer(2)));
    assert_eq!(endpoint.address(), Some(peer(2)));
}

#[test]
fn datagrams_name_their_address_where_sockets_are_not_connected() {
    let mut endpoint = endpoint(SendPeers::Address {
        address: peer(1),
        link: SendLink::Addressed,
    });
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 1);
    assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(1)));
    endpoint.on_resolution_change("receiver:9000", peer(2));
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 1);
    assert_eq!(endpoint.transport.take_sent()[0].to, Some(peer(2)));
    assert_eq!(endpoint.transport.peer(), None);
}

#[test]
fn a_failed_reconnect_silences_the_endpoint_until_the_next() {
    let mut endpoint = endpoint(unicast());
    endpoint.transport.refuse_connect(true);
    endpoint.on_resolution_change("receiver:9000", peer(2));
    assert_eq!(endpoint.status.get(), ChannelStatus::Errored.to_wire());
    assert_eq!(endpoint.take_fault().expect("a fault").operation, "connect");
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 0);
    endpoint.transport.refuse_connect(false);
    endpoint.on_resolution_change("receiver:9000", peer(3));
    assert_eq!(endpoint.status.get(), ChannelStatus::Active.to_wire());
    assert_eq!(endpoint.send(None, &ones([&[1]]), Nanos(0)), 1);
}

#[test]
fn loss_tears_a_burst_apart_and_takes_only_its_own() {
    let bytes: Vec<u8> = (0..20).flat_map(|n| [n; 32]).collect();
    let burst = Burst::new(&bytes, 32);
    let loss = |seed| {
        let some = RandomLoss::new(0.3, u64::MAX, Rng::new(seed));
        LossChain::new(vec![LossGenerator::Random(some)])
    };
    for seed in 0..50 {
        let mut judge = loss(seed);
        let kept: Vec<&[u8]> = burst
            .datagrams()
            .filter(|datagram| !is_dropped(&mut judge, datagram))
            .collect();
        let mut endpoint = SendEndpoint::new(SendEndpointParams {
            data_loss: loss(seed),
            ..params(unicast())
        });
        assert_eq!(endpoint.send(None, &[burst], Nanos(0)), 20);
        let sent = endpoint.transport.take_sent();
        let sent: Vec<&[u8]> = sent.iter().map(|sent| sent.bytes.as_slice()).collect();
        assert_eq!(sent, kept, "seed {seed}");
        assert!(endpoint.transport.calls() < kept.len(), "runs go at once");
    }
}

#[test]
fn a_refused_datagram_ends_a_burst_that_loss_tore_apart() {
    let range = FixedLoss::new(TermId(7), TermOffset(64), 32);
    let mut endpoint = SendEndpoint::new(SendEndpointParams {
        data_loss: LossChain::new(vec![LossGenerator::Fixed(range)]),
        ..params(unicast())
    });
    let bytes = [1; 32 * 4];
    endpoint.transport.accept_next(3);
    assert_eq!(endpoint.send(None, &[Burst::new(&bytes, 32)], Nanos(0)), 3);
}

#[test]
fn that_the_kernel_takes_no_bursts_is_told_once() {
    let mut endpoint = endpoint(unicast());
    endpoint.transport.refuse_bursts();
    assert_eq!(endpoint.send(None, &ones([&[1], &[2]]), Nanos(0)), 2);
    let fault = endpoint.take_fault().expect("a fault");
    assert!(fault.operation.contains("aileron.socket.gso"));
    assert_eq!(fault.address, Some(peer(1)));
    endpoint.send(None, &ones([&[1]]), Nanos(0));
    assert!(endpoint.take_fault().is_none());
}

#[test]
fn every_destination_gets_every_burst() {
    let count = AtomicCounter::detached(0);
    let list = Destinations::new(DestinationKind::Dynamic, count);
    let mut endpoint = endpoint(SendPeers::Destinations(list));
    for last in 1..=3_u8 {
        endpoint.on_status_message(ReceiverId(last.into()), peer(last), Nanos(0));
    }
    let bytes = [7; 100];
    let sent = endpoint.send(None, &[Burst::new(&bytes, 32)], Nanos(0));
    assert_eq!(sent, 4);
    let sent = endpoint.transport.take_sent();
    assert_eq!(sent.len(), 12);
    assert_eq!(endpoint.transport.calls(), 3);
    for last in 1..=3 {
        let lengths: Vec<_> = sent
            .iter()
            .filter(|sent| sent.to == Some(peer(last)))
            .map(|sent| sent.bytes.len())
            .collect();
        assert_eq!(lengths, [32, 32, 32, 4]);
    }
}
