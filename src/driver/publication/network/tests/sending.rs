//! What the sender's half sends, and when.

use super::*;
use crate::driver::media::destinations::{DestinationKind, Destinations};
use crate::logbuffer::LogKind;
use crate::protocol::{DataFrame, Setup, SetupFrame, data, setup};

fn setup_of(datagram: &[u8]) -> Setup {
    Setup::from(SetupFrame::parse(datagram).expect("a setup"))
}

fn setups_in(datagrams: &[Vec<u8>]) -> usize {
    datagrams
        .iter()
        .filter(|datagram| SetupFrame::parse(datagram).is_ok())
        .count()
}

fn lengths(datagrams: &[Vec<u8>]) -> Vec<usize> {
    datagrams.iter().map(Vec::len).collect()
}

#[test]
fn the_first_cycle_sends_a_setup_of_the_sender_position() {
    let mut stream = Stream::new();
    stream.send();
    let sent = stream.take_sent();
    assert_eq!(sent.len(), 1);
    let expected = Setup {
        flags: 0,
        term_offset: TermOffset(0),
        session_id: SessionId(1),
        stream_id: StreamId(2),
        initial_term_id: INITIAL_TERM_ID,
        active_term_id: INITIAL_TERM_ID,
        term_length: TERM_LENGTH,
        mtu: MTU_LENGTH,
        ttl: 0,
    };
    assert_eq!(setup_of(&sent[0]), expected);
}

#[test]
fn a_setup_tells_group_semantics_response_and_ttl() {
    let mut group = Stream::of(NetworkPublicationParams {
        is_multicast: true,
        ttl: 4,
        response_correlation_id: Some(CorrelationId(8)),
        ..params()
    });
    group.send();
    let setup = setup_of(&group.take_sent()[0]);
    assert_eq!(
        setup.flags,
        setup::flags::GROUP | setup::flags::SEND_RESPONSE
    );
    assert_eq!(setup.ttl, 4);

    let responder = NetworkPublicationParams {
        is_response: true,
        response_correlation_id: Some(CorrelationId(8)),
        ..params()
    };
    let mut responder = Stream::with_peers(responder, SendPeers::Learnt);
    responder.elicit(1);
    responder.send();
    assert_eq!(setup_of(&responder.take_sent()[0]).flags, 0);
}

#[test]
fn setups_repeat_every_100_ms_until_a_receiver_reports() {
    let mut stream = Stream::new();
    for (now, expected) in [(0, 1), (50, 0), (100, 0), (101, 1), (201, 0), (202, 1)] {
        stream.now = now * MILLI;
        stream.send();
        assert_eq!(setups_in(&stream.take_sent()), expected, "at {now} ms");
    }
    stream.status(0, WINDOW);
    stream.now = 400 * MILLI;
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 0);
}

#[test]
fn a_stream_that_is_used_up_sends_no_setup() {
    let params = params_before_the_end(64);
    let start = params.position.get();
    let mut stream = Stream::of(params);
    stream.send();
    stream.status(start, WINDOW);
    stream.offer(32);
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 1);
    stream.now = SECOND;
    stream.elicit(6);
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 0);
}

#[test]
fn setups_do_not_resume_when_receivers_disappear() {
    let mut stream = Stream::connected(WINDOW);
    stream.now = 6 * SECOND;
    stream.send();
    stream.now = 7 * SECOND;
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 0);
}

#[test]
fn an_elicited_setup_repeats_until_a_receiver_is_alive() {
    let mut stream = Stream::connected(WINDOW);
    stream.status_eos(5);
    stream.now = SECOND;
    stream.elicit(6);
    for expected in [1, 1] {
        stream.send();
        assert_eq!(setups_in(&stream.take_sent()), expected);
        stream.now += 101 * MILLI;
    }
    stream.status_of(6, 0, WINDOW, 0);
    stream.send();
    assert_eq!(
        setups_in(&stream.take_sent()),
        1,
        "the last one, with a live receiver"
    );
    stream.now += 101 * MILLI;
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 0);
}

#[test]
fn nothing_is_elicited_after_the_end_of_the_stream() {
    let mut stream = Stream::connected(WINDOW);
    stream.conductor.remove_reference();
    stream.now = SECOND;
    stream.elicit(6);
    stream.send();
    assert_eq!(setups_in(&stream.take_sent()), 0);
}

#[test]
fn no_data_is_sent_before_a_receiver_reports() {
    let mut stream = Stream::new();
    stream.offer(100);
    stream.send();
    assert_eq!(lengths(&stream.take_sent()), [Setup::LENGTH]);
    assert_eq!(stream.sender_position(), 0);
}

#[test]
fn small_frames_share_a_datagram_and_bytes_come_straight_from_the_log() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(5);
    stream.offer(100);
    assert_eq!(stream.send(), 64 + 160);
    let sent = stream.take_sent();
    assert_eq!(lengths(&sent), [224]);
    assert_eq!(sent[0], stream.log.scan(Position(0), MTU_LENGTH).bytes);
    assert_eq!(stream.sender_position(), 224);
}

#[test]
fn one_call_takes_as_many_datagrams_as_configured() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(6);
    let calls = stream.endpoint.transport_mut().calls();
    assert_eq!(stream.send(), 4 * 1408);
    assert_eq!(stream.endpoint.transport_mut().calls(), calls + 1);
    assert_eq!(lengths(&stream.take_sent()), [1408; 4]);
    assert_eq!(stream.send(), 2 * 1408);
    assert_eq!(stream.sender_position(), 6 * FRAME_LENGTH);
}

#[test]
fn the_sender_limit_is_never_passed() {
    let mut stream = Stream::connected(2 * MTU_LENGTH + 100);
    stream.offer_full_frames(4);
    stream.send_until_idle();
    assert_eq!(stream.sender_position(), 2 * FRAME_LENGTH);
    assert_eq!(stream.take_sent().len(), 2);
    stream.status(FRAME_LENGTH, 2 * MTU_LENGTH);
    stream.send_until_idle();
    assert_eq!(stream.sender_position(), 3 * FRAME_LENGTH);
}

#[test]
fn every_window_keeps_the_sender_at_or_below_its_limit() {
    for window in (0..8192).step_by(96) {
        let mut stream = Stream::connected(window);
        for length in [5, 1000, 64, 1376, 200, 300, 31, 1376] {
            stream.offer(length);
        }
        stream.send_until_idle();
        assert!(
            stream.sender_position() <= i64::from(window),
            "window {window}"
        );
    }
}

#[test]
fn back_pressure_is_counted_once_per_episode() {
    let mut stream = Stream::connected(MTU_LENGTH);
    let events = stream.counters.sender_back_pressure_events.clone();
    stream.send();
    assert_eq!(events.get(), 0, "nothing was sent yet");
    stream.offer_full_frames(3);
    stream.send();
    for _ in 0..3 {
        stream.send();
    }
    assert_eq!(events.get(), 1);
    stream.status(FRAME_LENGTH, 100);
    stream.send();
    assert_eq!(
        events.get(),
        1,
        "the frame does not fit, but nothing moved in between"
    );
    stream.status(FRAME_LENGTH, MTU_LENGTH + 100);
    stream.send();
    stream.send();
    stream.send();
    assert_eq!(
        events.get(),
        2,
        "a frame longer than the window is back pressure too"
    );
    assert_eq!(stream.count(SystemCounter::SenderFlowControlLimits), 2);
}

#[test]
fn what_was_accepted_advances_the_stream_and_the_rest_is_sent_again() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(4);
    stream.endpoint.transport_mut().accept_next(3);
    assert_eq!(stream.send(), 3 * 1408);
    assert_eq!(stream.sender_position(), 3 * FRAME_LENGTH);
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
    stream.take_sent();
    assert_eq!(stream.send(), 1408);
    let term_offset = DataFrame::parse(&stream.take_sent()[0])
        .expect("data")
        .term_offset();
    assert_eq!(term_offset, TermOffset(3 * MTU_LENGTH));
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
}

#[test]
fn a_refused_send_moves_nothing() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer(100);
    stream.now = 10 * MILLI;
    stream.send();
    stream.offer(100);
    stream.endpoint.transport_mut().accept_next(0);
    assert_eq!(stream.send(), 0);
    assert_eq!(stream.sender_position(), 160);
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
    stream.endpoint.transport_mut().fail_next();
    assert_eq!(stream.send(), 0);
    assert!(stream.endpoint.take_fault().is_some());
    assert_eq!(stream.send(), 160);
}

#[test]
fn padding_travels_as_a_header_and_counts_in_full() {
    let term = i64::from(TERM_LENGTH);
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(47);
    let mut datagrams = Vec::new();
    while stream.sender_position() < term {
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        stream.send_until_idle();
        datagrams.append(&mut stream.take_sent());
    }
    let pad = datagrams
        .iter()
        .map(|datagram| DataFrame::parse(datagram).expect("data"))
        .find(|frame| frame.is_padding())
        .expect("the term ended with padding");
    assert_eq!(pad.datagram().len(), 32);
    assert_eq!(pad.frame_length(), TERM_LENGTH - 46 * MTU_LENGTH);
}

#[test]
fn a_batch_ends_with_its_term() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(50);
    loop {
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        let term_before = at / i64::from(TERM_LENGTH);
        stream.send();
        let end = stream.sender_position();
        let last_byte = end - 1;
        assert_eq!(
            last_byte / i64::from(TERM_LENGTH),
            term_before,
            "a batch of one term"
        );
        if end >= 48 * FRAME_LENGTH {
            break;
        }
    }
}

#[test]
fn heartbeats_come_after_100_ms_without_data() {
    let mut stream = Stream::connected(WINDOW);
    stream.now = 10 * MILLI;
    stream.offer(100);
    stream.send();
    stream.take_sent();
    for (now, expected) in [(110, 0), (111, 1), (211, 0), (212, 1)] {
        stream.now = now * MILLI;
        assert_eq!(stream.send(), 32 * expected, "at {now} ms");
    }
    let heartbeat = stream.take_sent().remove(0);
    let frame = DataFrame::parse(&heartbeat).expect("data");
    assert!(frame.is_heartbeat());
    assert_eq!(frame.flags(), data::flags::UNFRAGMENTED);
    assert_eq!(
        (frame.term_id(), frame.term_offset()),
        (INITIAL_TERM_ID, TermOffset(160))
    );
    assert_eq!(stream.count(SystemCounter::HeartbeatsSent), 2);
}

#[test]
fn there_is_no_heartbeat_before_the_first_receiver() {
    let mut stream = Stream::new();
    stream.now = SECOND;
    assert_eq!(stream.send(), 0);
    assert_eq!(stream.count(SystemCounter::HeartbeatsSent), 0);
}

fn heartbeat_flags(stream: &mut Stream) -> u8 {
    stream.now += 200 * MILLI;
    stream.take_sent();
    stream.send();
    DataFrame::parse(&stream.take_sent()[0])
        .expect("a heartbeat")
        .flags()
}

#[test]
fn heartbeats_tell_the_end_of_the_stream() {
    let mut stream = Stream::connected(WINDOW);
    assert_eq!(heartbeat_flags(&mut stream), 0xc0);
    stream.conductor.remove_reference();
    assert_eq!(heartbeat_flags(&mut stream), 0xe0);
    stream.conductor.revoke();
    assert_eq!(heartbeat_flags(&mut stream), 0xf0);
}

#[test]
fn a_stream_without_signal_eos_keeps_its_end_to_itself() {
    let mut stream = Stream::of(NetworkPublicationParams {
        signal_eos: false,
        ..params()
    });
    stream.connect(WINDOW);
    stream.conductor.remove_reference();
    assert_eq!(heartbeat_flags(&mut stream), 0xc0);
}

#[test]
fn the_end_is_not_told_before_everything_was_sent() {
    let mut stream = Stream::connected(64);
    stream.offer(100);
    stream.conductor.remove_reference();
    assert_eq!(heartbeat_flags(&mut stream), 0xc0);
    stream.status(0, WINDOW);
    stream.send();
    stream.timer();
    assert_eq!(heartbeat_flags(&mut stream), 0xe0);
}

#[test]
fn silent_receivers_are_forgotten_on_idle_cycles() {
    let mut stream = Stream::connected(WINDOW);
    stream.update_limit();
    assert!(stream.log.is_connected());
    stream.now = 5 * SECOND - 1;
    stream.send();
    stream.timer();
    assert!(stream.log.is_connected());
    stream.now = 5 * SECOND;
    stream.send();
    stream.timer();
    assert!(!stream.log.is_connected());
}

#[test]
fn spies_lead_while_nobody_else_listens() {
    let mut stream = Stream::of(NetworkPublicationParams {
        spies_simulate_connection: true,
        ..params()
    });
    let spy = stream.add_spy(1, true);
    assert!(stream.log.is_connected());
    stream.offer(100);
    stream.update_limit();
    stream.send();
    assert_eq!(stream.sender_position(), 0, "the spy has not seen it");
    spy.set(160);
    stream.update_limit();
    stream.send();
    assert_eq!(
        (stream.sender_position(), stream.sender_limit()),
        (160, 160)
    );
    assert_eq!(stream.count(SystemCounter::ShortSends), 0);

    spy.set(1 << 40);
    stream.update_limit();
    stream.send();
    assert_eq!(
        stream.sender_position(),
        160,
        "no spy is ahead of the publishers"
    );
}

#[test]
fn spies_do_not_lead_when_a_receiver_is_alive() {
    let mut stream = Stream::of(NetworkPublicationParams {
        spies_simulate_connection: true,
        ..params()
    });
    let spy = stream.add_spy(1, true);
    stream.connect(64);
    stream.offer(100);
    spy.set(160);
    stream.update_limit();
    stream.send();
    assert_eq!(stream.sender_position(), 0);
}

#[test]
fn a_response_publication_sends_to_whoever_asked_it_last() {
    let responder = NetworkPublicationParams {
        is_response: true,
        response_correlation_id: Some(CorrelationId(8)),
        ..params()
    };
    let mut stream = Stream::with_peers(responder, SendPeers::Learnt);
    stream.send();
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
    stream.elicit(5);
    stream.now = 101 * MILLI;
    stream.send();
    let sent = stream.endpoint.transport_mut().take_sent();
    assert_eq!(sent[0].to, Some(peer(9)));
}

#[test]
fn without_destinations_the_stream_advances_all_the_same() {
    let list = Destinations::new(DestinationKind::Manual, AtomicCounter::detached(0));
    let mut stream = Stream::with_peers(
        NetworkPublicationParams {
            is_multi_destination: true,
            ..params()
        },
        SendPeers::Destinations(list),
    );
    stream.connect(WINDOW);
    stream.offer(100);
    assert_eq!(stream.send(), 160);
    assert_eq!(stream.sender_position(), 160);
    assert_eq!(stream.count(SystemCounter::ShortSends), 0);
}

#[test]
fn the_send_time_goes_into_the_first_frame_of_each_datagram() {
    let mut stream = Stream::new();
    stream.endpoint = SendEndpoint::new(SendEndpointParams {
        id: EndpointId(1),
        transport: FakeTransport::new(),
        peers: SendPeers::Address {
            address: peer(1),
            link: SendLink::Connected,
        },
        status: AtomicCounter::detached(1),
        endpoint_text: None,
        send_timestamp_offset: Some(8),
        data_loss: LossChain::default(),
        control_loss: LossChain::default(),
        now: Nanos(0),
    });
    stream.connect(WINDOW);
    stream.offer(100);
    stream.offer(100);
    stream.send();
    let datagram = stream.take_sent().remove(0);
    assert_eq!(datagram[40..48], EPOCH_NS.to_le_bytes());
    assert_eq!(datagram[32..40], [0xab; 8]);
    assert_eq!(
        datagram[200..208],
        [0xab; 8],
        "the second frame is left alone"
    );
}

#[test]
fn a_stream_may_start_anywhere() {
    let spec = LogSpec {
        kind: LogKind::Exclusive,
        session_id: SessionId(1),
        stream_id: StreamId(2),
        initial_term_id: INITIAL_TERM_ID,
        start: Some((INITIAL_TERM_ID.plus(2), TermOffset(4096))),
        mtu_length: MTU_LENGTH,
        ..LogSpec::default()
    };
    let log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).expect("a legal spec");
    let start = Position(2 * i64::from(TERM_LENGTH) + 4096);
    let mut stream = Stream::of(NetworkPublicationParams {
        log,
        position: start,
        ..params()
    });
    stream.send();
    let setup = setup_of(&stream.take_sent()[0]);
    assert_eq!(setup.active_term_id, INITIAL_TERM_ID.plus(2));
    assert_eq!(setup.term_offset, TermOffset(4096));
}

/// A connected publication that sends bursts.
fn connected_with_bursts(window: i32) -> Stream {
    let mut stream = Stream::of(NetworkPublicationParams {
        sends_bursts: true,
        ..params()
    });
    stream.connect(window);
    stream
}

#[test]
fn bursts_are_the_same_datagrams() {
    let lengths: Vec<usize> = (0..60_usize)
        .map(|n| if n % 7 == 6 { n * 41 } else { 600 })
        .collect();
    let mut sent = Vec::new();
    for sends_bursts in [false, true] {
        let mut stream = Stream::of(NetworkPublicationParams {
            sends_bursts,
            ..params()
        });
        stream.connect(WINDOW);
        let mut calls = 0;
        let mut all = Vec::new();
        for chunk in lengths.chunks(20) {
            chunk.iter().for_each(|length| stream.offer(*length));
            let before = stream.endpoint.transport_mut().calls();
            stream.send_until_idle();
            calls += stream.endpoint.transport_mut().calls() - before;
            all.extend(stream.take_sent());
        }
        sent.push((all, stream.sender_position(), calls));
    }
    let (with, without) = (&sent[1], &sent[0]);
    assert_eq!((&with.0, with.1), (&without.0, without.1));
    assert!(
        with.2 < without.2,
        "{} calls, without {}",
        with.2,
        without.2
    );
}

#[test]
fn a_burst_ends_at_the_limit_of_flow_control() {
    let mut stream = connected_with_bursts(5 * MTU_LENGTH + 64);
    stream.offer_full_frames(20);
    stream.send_until_idle();
    assert_eq!(lengths(&stream.take_sent()), [1408; 5]);
    assert_eq!(stream.sender_position(), 5 * FRAME_LENGTH);
    stream.status(5 * FRAME_LENGTH, WINDOW);
    stream.send();
    assert_eq!(stream.take_sent().len(), 15, "one send takes them all");
}

#[test]
fn what_is_accepted_of_a_burst_is_not_sent_again() {
    let mut stream = connected_with_bursts(WINDOW);
    stream.offer_full_frames(10);
    stream.offer(100);
    for (accepted, reached) in [(3, 3), (0, 3), (6, 9), (1, 10)] {
        stream.endpoint.transport_mut().accept_next(accepted);
        stream.send();
        assert_eq!(stream.take_sent().len(), accepted);
        assert_eq!(stream.sender_position(), reached * FRAME_LENGTH);
    }
    stream.send();
    assert_eq!(lengths(&stream.take_sent()), [160]);
}

#[test]
fn a_burst_passes_over_the_padding_behind_it() {
    let mut stream = connected_with_bursts(WINDOW);
    let filler = i64::from(TERM_LENGTH) - 3 * FRAME_LENGTH - 64;
    for at in (0..filler).step_by(160) {
        let length = (filler - at).min(160) - 32;
        stream.offer(usize::try_from(length.max(0)).expect("positive"));
        stream.send_until_idle();
        stream.status(stream.sender_position(), WINDOW);
    }
    stream.take_sent();
    stream.offer_full_frames(4);
    stream.send_until_idle();
    let sent = stream.take_sent();
    assert_eq!(lengths(&sent), [1408, 1408, 1408, 32, 1408]);
    assert_eq!(
        stream.sender_position(),
        i64::from(TERM_LENGTH) + FRAME_LENGTH
    );
}

#[test]
fn what_is_missing_is_sent_again_in_bursts() {
    let mut stream = connected_with_bursts(WINDOW);
    stream.offer_full_frames(10);
    stream.send_until_idle();
    let first = stream.take_sent();
    let before = stream.endpoint.transport_mut().calls();
    stream.nak(INITIAL_TERM_ID, MTU_LENGTH, 7 * MTU_LENGTH);
    assert_eq!(stream.take_sent(), first[1..8]);
    assert_eq!(stream.endpoint.transport_mut().calls() - before, 1);
}
