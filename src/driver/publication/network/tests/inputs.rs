//! What receivers say, and what comes of it.

use super::*;
use crate::driver::flow_control::{GroupFlowControl, GroupParams};
use crate::driver::retransmit::ResendQueue;
use crate::logbuffer::{AppendError, framed_length};
use crate::protocol::{
    DataFrame, ErrorFrame, ErrorMessage, RttMeasurement, RttMeasurementFrame, error,
};

fn is_plausible(stream: &Stream, position: i64) -> bool {
    let bytes = stream.status_message(5, position, WINDOW, 0);
    stream
        .sender
        .is_plausible(&StatusMessageFrame::parse(&bytes).expect("well-formed"))
}

/// A stream that has sent full frames, all of them reported as consumed but for a window.
fn advanced(frames: usize) -> Stream {
    let mut stream = Stream::connected(WINDOW);
    for _ in 0..frames {
        stream.offer_full_frames(1);
        stream.send_until_idle();
        let at = stream.sender_position();
        stream.status(at, WINDOW);
        stream.send_until_idle();
    }
    stream.take_sent();
    stream
}

#[test]
fn a_status_message_connects_the_stream_and_raises_the_limit() {
    let mut stream = Stream::new();
    assert!(!stream.log.is_connected());
    stream.status(0, 4096);
    assert!(stream.log.is_connected());
    assert_eq!(stream.sender_limit(), 4096);
    stream.status(0, 2048);
    assert_eq!(stream.sender_limit(), 4096);
}

#[test]
fn a_position_more_than_half_a_term_away_is_not_plausible() {
    let stream = advanced(60);
    let at = stream.sender_position();
    let half = i64::from(TERM_LENGTH / 2);
    let padding = framed_length(TERM_LENGTH / 8, MTU_LENGTH - 32);
    assert!(is_plausible(&stream, at - half - padding) && is_plausible(&stream, at + half));
    assert!(!is_plausible(&stream, at - half - padding - 32));
    assert!(!is_plausible(&stream, at + half + 32));
}

/// Seed 6246: the receiver lacked the first frame of its window, and was not listened to any more.
#[test]
fn a_receiver_half_a_term_behind_padding_is_listened_to() {
    let mut stream = Stream::connected(WINDOW);
    let half = TERM_LENGTH / 2;
    let full_frames = TERM_LENGTH / MTU_LENGTH;
    let padding_begin = i64::from(full_frames * MTU_LENGTH);
    assert!(padding_begin < i64::from(TERM_LENGTH));
    // The limit lies just above where the padding begins.
    let consumed = padding_begin + 32 - i64::from(half);
    for _ in 0..full_frames {
        stream.offer_full_frames(1);
        stream.send_until_idle();
        stream.status(stream.sender_position().min(consumed), half);
    }
    // What does not fit pads the rest of the term.
    let tripped = stream.log.offer(Position(i64::MAX), &[0; 1000]);
    assert_eq!(tripped, Err(AppendError::AdminAction));
    stream.send_until_idle();
    assert_eq!(stream.sender_position(), i64::from(TERM_LENGTH));
    assert!(is_plausible(&stream, consumed));
}

#[test]
fn a_request_for_a_setup_is_plausible_from_anywhere() {
    let stream = advanced(100);
    let bytes = stream.status_message(5, 0, 0, status_message::flags::SEND_SETUP);
    let frame = StatusMessageFrame::parse(&bytes).expect("well-formed");
    assert!(stream.sender.is_plausible(&frame));
}

#[test]
fn fields_are_judged_by_the_term_length() {
    let stream = Stream::new();
    let with = |offset: i32, window: i32| {
        let mut bytes = stream.status_message(5, 0, window, 0);
        bytes[20..24].copy_from_slice(&offset.to_le_bytes());
        let frame = StatusMessageFrame::parse(&bytes).expect("possible for some stream");
        stream.sender.is_possible(&frame)
    };
    assert!(with(0, TERM_LENGTH / 2) && with(TERM_LENGTH - 32, 0));
    assert!(!with(0, TERM_LENGTH / 2 + 1));
    assert!(!with(TERM_LENGTH, 0));
}

#[test]
fn a_receiver_that_goes_no_longer_counts() {
    let mut stream = Stream::connected(WINDOW);
    stream.status_eos(5);
    assert!(!stream.log.is_connected());
}

#[test]
fn a_farewell_alone_makes_the_initial_connection() {
    let mut stream = Stream::new();
    stream.send();
    stream.status_eos(5);
    stream.now = SECOND;
    assert_eq!(stream.send(), 32, "a heartbeat and no setup");
}

#[test]
fn a_required_group_must_be_complete_to_connect() {
    let group = GroupFlowControl::new(GroupParams {
        tag: None,
        min_size: 2,
        receiver_timeout_ns: 5 * SECOND,
        receivers: None,
    });
    let mut stream = Stream::of(NetworkPublicationParams {
        flow_control: FlowControl::Group(group),
        is_multicast: true,
        ..params()
    });
    stream.status_of(1, 0, WINDOW, 0);
    assert!(!stream.log.is_connected());
    stream.status_of(2, 0, WINDOW, 0);
    assert!(stream.log.is_connected());
    stream.status_eos(2);
    stream.send();
    stream.timer();
    assert!(!stream.log.is_connected());
}

#[test]
fn a_late_joiner_holds_the_limit_of_a_group() {
    let group = GroupFlowControl::new(GroupParams {
        tag: None,
        min_size: 0,
        receiver_timeout_ns: 5 * SECOND,
        receivers: None,
    });
    let mut stream = Stream::of(NetworkPublicationParams {
        flow_control: FlowControl::Group(group),
        is_multicast: true,
        ..params()
    });
    stream.status_of(1, 0, 4096, 0);
    stream.elicit(2);
    stream.send();
    stream.status_of(1, 4096, 4096, 0);
    assert_eq!(stream.sender_limit(), 4096);
}

#[test]
fn the_first_receiver_of_a_response_is_reported_once() {
    let responder = || NetworkPublicationParams {
        is_response: true,
        response_correlation_id: Some(CorrelationId(8)),
        ..params()
    };
    let mut stream = Stream::with_peers(responder(), SendPeers::Learnt);
    assert_eq!(stream.status(0, WINDOW), Some(CorrelationId(8)));
    assert_eq!(stream.status(0, WINDOW), None);
    assert_eq!(stream.status_of(6, 0, WINDOW, 0), None);
    assert_eq!(stream.sender.awaits_response(), None);

    let requester = NetworkPublicationParams {
        is_response: false,
        ..responder()
    };
    let mut stream = Stream::of(requester);
    assert_eq!(stream.status(0, WINDOW), None);
    assert_eq!(stream.sender.awaits_response(), Some(CorrelationId(8)));
}

#[test]
fn a_nak_brings_the_very_same_bytes_again() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(6);
    stream.send_until_idle();
    let original = stream.take_sent();
    stream.nak(INITIAL_TERM_ID, MTU_LENGTH, 3 * MTU_LENGTH);
    assert_eq!(stream.take_sent(), original[1..4]);
    assert_eq!(stream.count(SystemCounter::NaksReceived), 1);
    assert_eq!(stream.counters.sender_naks_received.get(), 1);
    assert_eq!(stream.count(SystemCounter::RetransmitsSent), 1);
    assert_eq!(
        stream.count(SystemCounter::RetransmittedBytes),
        3 * FRAME_LENGTH
    );
    assert_eq!(stream.count(SystemCounter::BytesSent), 3 * FRAME_LENGTH);
    assert_eq!(stream.sender_position(), 6 * FRAME_LENGTH);
}

#[test]
fn a_nak_that_ends_within_a_frame_brings_that_frame() {
    let queue = ResendQueue::new(&retransmit_params(false, 0), Nanos(0));
    for resend_queue in [None, Some(queue)] {
        let mut stream = Stream::of(NetworkPublicationParams {
            resend_queue,
            ..params()
        });
        stream.connect(WINDOW);
        stream.offer_full_frames(6);
        stream.send_until_idle();
        let original = stream.take_sent();
        stream.nak(INITIAL_TERM_ID, 0, 32);
        assert_eq!(stream.take_sent(), original[..1]);
        stream.nak(INITIAL_TERM_ID, 3 * MTU_LENGTH, MTU_LENGTH + 64);
        assert_eq!(stream.take_sent(), original[3..5]);
    }
}

#[test]
fn a_nak_with_an_impossible_range_is_counted_and_dropped() {
    let mut stream = advanced(4);
    for (offset, length) in [
        (-32, 64),
        (16, 64),
        (TERM_LENGTH, 0),
        (0, -1),
        (0, TERM_LENGTH + 32),
    ] {
        stream.nak(INITIAL_TERM_ID, offset, length);
    }
    stream.nak(INITIAL_TERM_ID, 64, i32::MAX);
    assert_eq!(stream.count(SystemCounter::InvalidPackets), 6);
    assert_eq!(stream.count(SystemCounter::NaksReceived), 0);
    assert_eq!(stream.take_sent(), Vec::<Vec<u8>>::new());
}

#[test]
fn what_is_too_old_or_not_sent_yet_is_not_sent_again() {
    let mut stream = advanced(60);
    stream.offer_full_frames(2);
    let at = stream.sender_position();
    let geometry = stream.log.geometry();
    let bottom = at - i64::from(TERM_LENGTH / 2) - i64::from(geometry.max_message_length());
    // Frames begin at multiples of the MTU in the first term, to which this reaches back.
    let below = (bottom - 1) / FRAME_LENGTH * FRAME_LENGTH;
    let resent = |stream: &mut Stream, position: i64| {
        stream.now += SECOND;
        let term_id = geometry.term_id_at(Position(position));
        let offset = geometry.term_offset_at(Position(position));
        stream.nak(term_id, offset.get(), MTU_LENGTH);
        stream.take_sent().len()
    };
    assert_eq!(resent(&mut stream, below), 0);
    assert_eq!(resent(&mut stream, below + FRAME_LENGTH), 1);
    assert_eq!(resent(&mut stream, at - FRAME_LENGTH), 1);
    assert_eq!(resent(&mut stream, at), 0);
    assert_eq!(stream.count(SystemCounter::NaksReceived), 4);
    for distance in [-1, 5, i32::MIN] {
        stream.nak(INITIAL_TERM_ID.plus(distance), 0, MTU_LENGTH);
    }
    assert_eq!(stream.take_sent(), Vec::<Vec<u8>>::new());
}

#[test]
fn a_resend_stops_where_flow_control_stands() {
    let mut stream = Stream::connected(2 * MTU_LENGTH);
    stream.offer_full_frames(6);
    stream.send_until_idle();
    stream.take_sent();
    stream.nak(INITIAL_TERM_ID, 0, 6 * MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 2);
}

#[test]
fn a_resend_ends_with_a_short_send() {
    let mut stream = Stream::connected(WINDOW);
    stream.offer_full_frames(10);
    stream.send_until_idle();
    stream.take_sent();
    stream.endpoint.transport_mut().accept_next(4);
    stream.endpoint.transport_mut().accept_next(1);
    stream.nak(INITIAL_TERM_ID, 0, 10 * MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 5);
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
    assert_eq!(
        stream.count(SystemCounter::RetransmittedBytes),
        5 * FRAME_LENGTH
    );
}

#[test]
fn padding_is_resent_as_a_header() {
    let mut stream = advanced(47);
    let pad_at = 46 * MTU_LENGTH;
    stream.nak(INITIAL_TERM_ID, pad_at, TERM_LENGTH - pad_at);
    let sent = stream.take_sent();
    assert_eq!(sent.len(), 1);
    let pad = DataFrame::parse(&sent[0]).expect("data");
    assert!(pad.is_padding());
    assert_eq!(pad.datagram().len(), 32);
}

#[test]
fn a_held_back_resend_comes_with_a_later_cycle() {
    let mut stream = Stream::of(NetworkPublicationParams {
        retransmit: retransmit(true, MILLI),
        ..params()
    });
    stream.connect(WINDOW);
    stream.offer_full_frames(2);
    stream.send_until_idle();
    stream.take_sent();
    stream.nak(INITIAL_TERM_ID, 0, MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 0);
    stream.now = MILLI + 1;
    stream.send();
    assert_eq!(stream.take_sent().len(), 1);
}

/// A stream with a queue of resends, of which ten frames are out.
fn queued() -> Stream {
    let queue = ResendQueue::new(&retransmit_params(false, 0), Nanos(0));
    let mut stream = Stream::of(NetworkPublicationParams {
        resend_queue: Some(queue),
        ..params()
    });
    stream.connect(WINDOW);
    stream.offer_full_frames(10);
    stream.send_until_idle();
    stream.take_sent();
    stream
}

#[test]
fn many_gaps_are_resent_and_none_twice_within_the_linger_time() {
    let mut stream = queued();
    for frame in [1, 3, 5, 1, 3, 5] {
        stream.nak(INITIAL_TERM_ID, frame * MTU_LENGTH, MTU_LENGTH);
    }
    assert_eq!(stream.take_sent().len(), 3);
    stream.nak(INITIAL_TERM_ID, 0, 6 * MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 3, "those in between");
    assert_eq!(stream.count(SystemCounter::NaksReceived), 7);
    assert_eq!(
        stream.count(SystemCounter::RetransmittedBytes),
        6 * FRAME_LENGTH
    );
    stream.now += 10 * MILLI + 1;
    stream.nak(INITIAL_TERM_ID, MTU_LENGTH, MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 1);
}

#[test]
fn a_resend_that_was_cut_short_goes_on_in_a_later_cycle() {
    let mut stream = queued();
    stream.endpoint.transport_mut().accept_next(4);
    stream.nak(INITIAL_TERM_ID, 0, 10 * MTU_LENGTH);
    assert_eq!(stream.take_sent().len(), 4);
    assert_eq!(stream.count(SystemCounter::ShortSends), 1);
    stream.send();
    assert_eq!(stream.take_sent().len(), 6);
}

#[test]
fn requests_that_begin_within_a_frame_or_where_nothing_is_bring_nothing() {
    let mut stream = queued();
    stream.nak(INITIAL_TERM_ID, 64, MTU_LENGTH);
    stream.nak(INITIAL_TERM_ID, 20 * MTU_LENGTH, MTU_LENGTH);
    for distance in [-1, 5, i32::MIN] {
        stream.nak(INITIAL_TERM_ID.plus(distance), 0, MTU_LENGTH);
    }
    assert_eq!(stream.take_sent(), Vec::<Vec<u8>>::new());
    stream.nak(
        INITIAL_TERM_ID,
        9 * MTU_LENGTH,
        TERM_LENGTH - 9 * MTU_LENGTH,
    );
    assert_eq!(stream.take_sent().len(), 1, "what was sent of it");
}

#[test]
fn heartbeats_come_sooner_while_a_receiver_misses_something() {
    let mut stream = queued();
    let count = |stream: &mut Stream| {
        let begin = stream.now;
        while stream.now < begin + 100 * MILLI {
            stream.now += MILLI;
            stream.status(0, WINDOW);
            stream.send();
        }
        stream.count(SystemCounter::HeartbeatsSent)
    };
    assert_eq!(count(&mut stream), 0);
    stream.nak(INITIAL_TERM_ID, 0, MTU_LENGTH);
    let lossy = count(&mut stream);
    assert!((8..=11).contains(&lossy), "{lossy}");
    stream.now += 2 * SECOND;
    assert_eq!(count(&mut stream), lossy + 1);
}

#[test]
fn a_full_pool_is_counted() {
    let mut stream = Stream::of(NetworkPublicationParams {
        retransmit: retransmit(true, 0),
        ..params()
    });
    stream.connect(WINDOW);
    stream.offer_full_frames(6);
    stream.send_until_idle();
    for frame in [0, 2, 4] {
        stream.nak(INITIAL_TERM_ID, frame * MTU_LENGTH, MTU_LENGTH);
    }
    assert_eq!(stream.count(SystemCounter::RetransmitOverflow), 1);
    assert_eq!(stream.count(SystemCounter::RetransmitsSent), 2);
}

#[test]
fn only_round_trip_requests_are_answered() {
    let mut stream = Stream::connected(WINDOW);
    let mut measure = |is_reply_requested| {
        let mut bytes = [0; RttMeasurement::LENGTH];
        RttMeasurement {
            is_reply_requested,
            session_id: SessionId(1),
            stream_id: StreamId(2),
            echo_timestamp: Nanos(77),
            reception_delta_ns: 5,
            receiver_id: ReceiverId(6),
        }
        .encode(&mut bytes);
        let frame = RttMeasurementFrame::parse(&bytes).expect("well-formed");
        let cycle = Cycle {
            now: Nanos(0),
            epoch_ns: 0,
            system: &stream.system,
        };
        stream
            .sender
            .on_rtt_measurement(frame, &mut stream.endpoint, &cycle);
        stream.take_sent()
    };
    assert!(measure(false).is_empty());
    let answers = measure(true);
    let answer = RttMeasurementFrame::parse(&answers[0]).expect("an answer");
    assert!(!answer.is_reply_requested());
    assert_eq!(answer.echo_timestamp(), Nanos(77));
    assert_eq!(answer.reception_delta_ns(), 0);
    assert_eq!(answer.receiver_id(), ReceiverId(6));
}

#[test]
fn a_refusal_is_reported_once_and_only_by_a_live_receiver() {
    let mut stream = Stream::connected(WINDOW);
    let mut bytes = [0; error::LENGTH_MAX];
    let length = ErrorMessage {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        receiver_id: ReceiverId(5),
        group_tag: Some(3),
        error_code: 13,
        text: b"no thanks",
    }
    .encode(&mut bytes);
    let frame = ErrorFrame::parse(&bytes[..length]).expect("well-formed");
    let destination = Some(RegistrationId(44));
    let report = stream
        .sender
        .on_error(&frame, peer(9), destination, Nanos(0))
        .expect("the receiver was alive");
    assert_eq!(report.text, "no thanks");
    assert_eq!(report.registration_id, RegistrationId(100));
    assert_eq!(report.destination_registration_id, destination);
    assert_eq!(
        (report.receiver_id, report.group_tag),
        (ReceiverId(5), Some(3))
    );
    assert_eq!((report.error_code, report.source), (13, peer(9)));
    assert!(
        stream
            .sender
            .on_error(&frame, peer(9), None, Nanos(0))
            .is_none()
    );
}

#[test]
fn a_revoked_stream_does_not_connect_again() {
    let mut stream = Stream::connected(WINDOW);
    stream.conductor.revoke();
    stream.timer();
    assert!(!stream.log.is_connected());
    stream.status(0, WINDOW);
    assert!(!stream.log.is_connected());
}
