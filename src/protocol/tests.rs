//! Rules that concern all frames, and hostile input.

use std::net::Ipv6Addr;

use super::*;
use crate::base::bytes::write_i32;
use crate::base::{Nanos, ReceiverId, Rng, SessionId, StreamId, TermId, TermOffset};

const SESSION: SessionId = SessionId(-5);
const STREAM: StreamId = StreamId(1001);
const RECEIVER: ReceiverId = ReceiverId(i64::MIN);

const SETUP: Setup = Setup {
    flags: setup::flags::GROUP,
    term_offset: TermOffset(64),
    session_id: SESSION,
    stream_id: STREAM,
    initial_term_id: TermId(i32::MAX),
    active_term_id: TermId(i32::MIN),
    term_length: 65_536,
    mtu: 1408,
    ttl: 4,
};

const STATUS_MESSAGE: StatusMessage = StatusMessage {
    flags: 0,
    session_id: SESSION,
    stream_id: STREAM,
    consumption_term_id: TermId(-1),
    consumption_term_offset: TermOffset(96),
    receiver_window: 4096,
    receiver_id: RECEIVER,
    group_tag: Some(-3),
};

fn setup_bytes(setup: Setup) -> Vec<u8> {
    let mut bytes = [0; Setup::LENGTH];
    setup.encode(&mut bytes);
    bytes.to_vec()
}

fn status_message_bytes(message: StatusMessage) -> Vec<u8> {
    let mut bytes = [0; StatusMessage::MAX_LENGTH];
    let length = message.encode(&mut bytes);
    bytes[..length].to_vec()
}

fn error_bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = [0; ErrorMessage::MAX_LENGTH];
    let length = ErrorMessage {
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: RECEIVER,
        group_tag: Some(1),
        error_code: 13,
        text,
    }
    .encode(&mut bytes);
    bytes[..length].to_vec()
}

fn nak_bytes(term_offset: i32, length: i32) -> Vec<u8> {
    let mut bytes = [0; Nak::LENGTH];
    Nak {
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId(3),
        term_offset: TermOffset(term_offset),
        length,
    }
    .encode(&mut bytes);
    bytes.to_vec()
}

fn resolution_bytes() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ResolutionWriter::new(&mut bytes, 1408);
    for (address, name) in [
        (Ipv6Addr::LOCALHOST.into(), &b"a-name-of-some-length"[..]),
        ([10, 0, 0, 7].into(), &b"b"[..]),
    ] {
        let entry = ResolutionEntry {
            is_self: false,
            address,
            port: 1,
            age_ms: 5,
            name,
        };
        writer.push(&entry).expect("room");
    }
    bytes
}

/// One valid datagram of each type.
fn samples() -> Vec<Vec<u8>> {
    let mut data = vec![0; 96];
    DataHeader {
        frame_length: 96,
        flags: data::flags::UNFRAGMENTED,
        frame_type: FrameType::Data,
        term_offset: TermOffset(32),
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId(1),
        reserved_value: -1,
    }
    .encode(data.first_chunk_mut().expect("32 bytes"));
    let mut pad = data[..32].to_vec();
    pad[6] = 0;
    let mut rtt_measurement = [0; RttMeasurement::LENGTH];
    RttMeasurement {
        is_reply_requested: true,
        session_id: SESSION,
        stream_id: STREAM,
        echo_timestamp: Nanos(7),
        reception_delta_ns: 8,
        receiver_id: RECEIVER,
    }
    .encode(&mut rtt_measurement);
    let mut response_setup = [0; ResponseSetup::LENGTH];
    ResponseSetup {
        session_id: SESSION,
        stream_id: STREAM,
        response_session_id: SessionId(9),
    }
    .encode(&mut response_setup);
    vec![
        data,
        pad,
        setup_bytes(SETUP),
        status_message_bytes(STATUS_MESSAGE),
        nak_bytes(32, 64),
        rtt_measurement.to_vec(),
        error_bytes(b"no thanks"),
        response_setup.to_vec(),
        resolution_bytes(),
    ]
}

/// Calls everything a view offers, so that a hidden panic has its chance.
fn exercise(datagram: &[u8]) -> Result<(), FrameError> {
    for role in [SocketRole::Receive, SocketRole::Send, SocketRole::Resolver] {
        let _ = Frame::parse_for(role, datagram);
    }
    let _ = StatusMessageFrame::view(datagram).map(|frame| frame.is_valid_for(65_536));
    let _ = ErrorFrame::view(datagram).map(|frame| frame.text().len());
    let frame = Frame::parse(datagram)?;
    assert!(!format!("{frame} {frame:?}").is_empty());
    match frame {
        Frame::Data(frame) => {
            assert!(frame.payload().len() <= datagram.len() - 32);
            assert!(frame.frame_length() >= 0);
        }
        Frame::Setup(frame) => assert!(frame.mtu() >= 32 && frame.term_length() >= 65_536),
        Frame::StatusMessage(frame) => {
            assert!(frame.receiver_window() >= 0);
            assert!(!(frame.group_tag().is_some() && frame.is_legacy_preferred()));
        }
        Frame::Nak(frame) => {
            if frame.is_valid_for(65_536) {
                assert!(frame.length() <= 65_536 && frame.term_offset().0 < 65_536);
            }
        }
        Frame::Error(frame) => assert!(frame.text().len() <= error::TEXT_LENGTH_MAX),
        Frame::Resolution(frame) => {
            assert!(frame.entries().count() <= datagram.len() / 16 + 1);
            let last_error = frame.entries().position(|entry| entry.is_err());
            assert!(last_error.is_none_or(|at| at + 1 == frame.entries().count()));
        }
        Frame::RttMeasurement(_) | Frame::ResponseSetup(_) => {}
    }
    Ok(())
}

#[test]
fn every_sample_is_valid_and_handled_by_its_roles_alone() {
    for datagram in samples() {
        let frame = Frame::parse(&datagram).expect("valid");
        exercise(&datagram).expect("valid");
        for role in [SocketRole::Receive, SocketRole::Send, SocketRole::Resolver] {
            let handled = Frame::parse_for(role, &datagram).expect("valid");
            assert_eq!(
                handled.is_some(),
                frame.frame_type().is_handled_by(role),
                "{frame}"
            );
        }
    }
}

#[test]
fn every_truncation_is_refused() {
    for datagram in samples() {
        let is_data = matches!(Frame::parse(&datagram), Ok(Frame::Data(_)));
        for length in 0..datagram.len() {
            let parsed = exercise(&datagram[..length]);
            // Whether data is complete is for the image to say; a multiple of 32 is a datagram.
            let is_accepted = is_data && length > 0 && length % 32 == 0;
            assert_eq!(
                parsed.is_ok(),
                is_accepted,
                "{length} of {}",
                datagram.len()
            );
        }
    }
}

#[test]
fn control_frames_may_trail_other_bytes_but_data_may_not() {
    for mut datagram in samples() {
        let is_data = matches!(Frame::parse(&datagram), Ok(Frame::Data(_)));
        datagram.extend([0xFF; 5]);
        assert_eq!(exercise(&datagram).is_ok(), !is_data);
    }
}

#[test]
fn control_frames_need_not_state_their_exact_length() {
    for mut datagram in samples() {
        write_i32(&mut datagram, 0, 0);
        let parsed = exercise(&datagram);
        let is_error = datagram[6] == 4;
        assert_eq!(
            parsed,
            if is_error {
                Err(FrameError::ErrorLength)
            } else {
                Ok(())
            }
        );
    }
}

#[test]
fn random_and_mutated_datagrams_never_panic() {
    let mut rng = Rng::new(0x7469_6479);
    let samples = samples();
    let mut accepted = 0u32;
    let mut datagram = Vec::new();
    for _ in 0..200_000 {
        datagram.clear();
        if rng.chance(1, 4) {
            let length = rng.below(130);
            datagram.extend((0..length).map(|_| random_byte(&mut rng)));
        } else {
            datagram.extend_from_slice(&samples[random_index(&mut rng, samples.len())]);
            for _ in 0..1 + rng.below(4) {
                let at = random_index(&mut rng, datagram.len());
                datagram[at] = random_byte(&mut rng);
            }
            if rng.chance(1, 4) {
                datagram.truncate(random_index(&mut rng, datagram.len()));
            }
        }
        accepted += u32::from(exercise(&datagram).is_ok());
    }
    assert!((10_000..190_000).contains(&accepted), "{accepted}");
}

fn random_index(rng: &mut Rng, length: usize) -> usize {
    usize::try_from(rng.below(length as u64)).expect("small")
}

/// Extremes more often than chance would have it.
fn random_byte(rng: &mut Rng) -> u8 {
    match rng.below(4) {
        0 => 0,
        1 => 0xFF,
        _ => rng.next_u64().to_le_bytes()[0],
    }
}

#[test]
fn setup_fields_are_checked() {
    let parse = |setup: Setup| SetupFrame::parse(&setup_bytes(setup)).map(|_| ());
    for term_length in [65_536, 131_072, 1 << 30] {
        assert_eq!(
            parse(Setup {
                term_length,
                ..SETUP
            }),
            Ok(())
        );
    }
    for term_length in [i32::MIN, -65_536, 0, 32_768, 65_537, 98_304, i32::MAX] {
        assert_eq!(
            parse(Setup {
                term_length,
                ..SETUP
            }),
            Err(FrameError::TermLength)
        );
    }
    for offset in [i32::MIN, -32, 1, 31, 65_536, i32::MAX] {
        let term_offset = TermOffset(offset);
        assert_eq!(
            parse(Setup {
                term_offset,
                ..SETUP
            }),
            Err(FrameError::TermOffset)
        );
    }
    for mtu in [32, 64, 65_504] {
        assert_eq!(parse(Setup { mtu, ..SETUP }), Ok(()));
    }
    for mtu in [i32::MIN, 0, 31, 33, 65_505, 65_536] {
        assert_eq!(parse(Setup { mtu, ..SETUP }), Err(FrameError::Mtu));
    }
}

#[test]
fn a_role_ignores_bad_fields_of_frames_it_does_not_handle() {
    let datagram = setup_bytes(Setup { mtu: 33, ..SETUP });
    assert!(matches!(
        Frame::parse_for(SocketRole::Send, &datagram),
        Ok(None)
    ));
    assert_eq!(
        Frame::parse_for(SocketRole::Receive, &datagram).err(),
        Some(FrameError::Mtu)
    );
    assert_eq!(Frame::parse(&datagram).err(), Some(FrameError::Mtu));
}

#[test]
fn status_message_fields_are_checked_loosely_and_then_for_the_publication() {
    let parse = |message: StatusMessage| {
        let bytes = status_message_bytes(message);
        StatusMessageFrame::parse(&bytes).map(|frame| frame.is_valid_for(65_536))
    };
    let at = |offset| StatusMessage {
        consumption_term_offset: TermOffset(offset),
        ..STATUS_MESSAGE
    };
    let window = |receiver_window| StatusMessage {
        receiver_window,
        ..STATUS_MESSAGE
    };
    assert_eq!(parse(at(65_504)), Ok(true));
    assert_eq!(parse(at(65_536)), Ok(false));
    assert_eq!(parse(at(1 << 30)), Err(FrameError::TermOffset));
    assert_eq!(parse(at(-32)), Err(FrameError::TermOffset));
    assert_eq!(parse(at(33)), Err(FrameError::TermOffset));
    assert_eq!(parse(window(0)), Ok(true));
    assert_eq!(parse(window(32_768)), Ok(true));
    assert_eq!(parse(window(32_769)), Ok(false));
    assert_eq!(
        parse(window((1 << 29) + 1)),
        Err(FrameError::ReceiverWindow)
    );
    assert_eq!(parse(window(-1)), Err(FrameError::ReceiverWindow));
}

#[test]
fn a_group_tag_is_there_only_if_the_frame_length_says_so() {
    let mut bytes = status_message_bytes(STATUS_MESSAGE);
    write_i32(&mut bytes, 0, 36);
    assert_eq!(
        StatusMessageFrame::parse(&bytes).map(|frame| frame.group_tag()),
        Ok(None)
    );
    write_i32(&mut bytes, 0, 40);
    bytes[36..40].fill(0xFF);
    let frame = StatusMessageFrame::parse(&bytes).expect("valid");
    assert_eq!(frame.group_tag(), None);
    assert!(frame.is_legacy_preferred());
    write_i32(&mut bytes, 0, 44);
    let frame = StatusMessageFrame::parse(&bytes).expect("valid");
    assert!(frame.group_tag().is_some() && !frame.is_legacy_preferred());
}

#[test]
fn nak_ranges_are_checked_for_the_publication() {
    let is_valid = |offset, length| {
        NakFrame::parse(&nak_bytes(offset, length))
            .expect("any range")
            .is_valid_for(65_536)
    };
    assert!(is_valid(0, 65_536) && is_valid(65_504, 32) && is_valid(64, 0));
    for (offset, length) in [
        (0, 65_537),
        (32, 65_536),
        (-32, 32),
        (65_536, 0),
        (1, 32),
        (32, -1),
        (32, i32::MAX),
    ] {
        assert!(!is_valid(offset, length), "{offset} {length}");
    }
}

#[test]
fn error_texts_are_bounded_and_lie_within_their_frame() {
    let long = [b'x'; 2000];
    let bytes = error_bytes(&long);
    assert_eq!(bytes.len(), ErrorMessage::MAX_LENGTH);
    assert_eq!(
        ErrorFrame::parse(&bytes).map(|frame| frame.text().len()),
        Ok(1023)
    );

    let mut bytes = error_bytes(b"no thanks");
    for length in [-1, 10, 1024, i32::MIN, i32::MAX] {
        write_i32(&mut bytes, 36, length);
        assert_eq!(
            ErrorFrame::parse(&bytes).err(),
            Some(FrameError::ErrorLength)
        );
    }
    write_i32(&mut bytes, 36, 2);
    assert_eq!(
        ErrorFrame::parse(&bytes).map(|frame| frame.text()),
        Ok(&b"no"[..])
    );
}

#[test]
fn resolution_entries_end_at_the_first_bad_one() {
    let good = resolution_bytes();
    let results = |bytes: &[u8]| -> Vec<Option<FrameError>> {
        let frame = ResolutionFrame::parse(bytes).expect("a frame");
        frame.entries().map(Result::err).collect()
    };
    assert_eq!(results(&good), [None, None]);
    let with_byte = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        results(&bytes)
    };
    // The first entry takes 48 bytes: 26, a name of 21, and one of padding.
    assert_eq!(with_byte(8, 3), [Some(FrameError::ResolutionType)]);
    assert_eq!(with_byte(56, 0), [None, Some(FrameError::ResolutionType)]);
    assert_eq!(with_byte(68, 0), [None, Some(FrameError::NameLength)]);
    assert_eq!(with_byte(68, 3), [None, Some(FrameError::NameLength)]);
    assert_eq!(with_byte(69, 0xFF), [None, Some(FrameError::NameLength)]);
    assert_eq!(with_byte(56, 2), [None, Some(FrameError::Truncated)]);

    let mut trailing = good.clone();
    trailing.push(1);
    assert_eq!(
        results(&trailing),
        [None, None, Some(FrameError::Truncated)]
    );

    // The walk goes to the end of the datagram, whatever the frame length; the last entry's
    // padding may be missing.
    let mut short = good[..71].to_vec();
    write_i32(&mut short, 0, 8);
    assert_eq!(results(&short), [None, None]);
}

#[test]
fn resolution_frames_are_filled_up_to_the_limit() {
    let entry = |name| ResolutionEntry {
        is_self: true,
        address: [0, 0, 0, 0].into(),
        port: 8050,
        age_ms: 0,
        name,
    };
    let mut bytes = Vec::new();
    let mut writer = ResolutionWriter::new(&mut bytes, 32);
    assert!(writer.is_empty());
    assert_eq!(writer.push(&entry(b"")), Err(EntryRefused::Name));
    assert_eq!(writer.push(&entry(&[b'x'; 513])), Err(EntryRefused::Name));
    assert_eq!(writer.push(&entry(b"name-of-11b")), Err(EntryRefused::Full));
    assert_eq!(writer.push(&entry(b"name-of-10")), Ok(()));
    assert_eq!(writer.push(&entry(b"x")), Err(EntryRefused::Full));
    assert!(!writer.is_empty());
    assert_eq!(bytes.len(), 32);
    assert_eq!(bytes[0], 32);

    let mut writer = ResolutionWriter::new(&mut bytes, 1408);
    assert_eq!(writer.push(&entry(&[b'x'; 512])), Ok(()));
    assert_eq!(bytes.len(), 8 + 528);
}

#[test]
fn a_heartbeat_is_a_lone_header_of_length_zero() {
    let mut datagram = vec![0; 64];
    DataHeader::heartbeat(
        SESSION,
        STREAM,
        TermId(1),
        TermOffset(0),
        data::flags::UNFRAGMENTED,
    )
    .encode(datagram.first_chunk_mut().expect("32 bytes"));
    let is_heartbeat = |bytes: &[u8]| DataFrame::parse(bytes).expect("data").is_heartbeat();
    assert!(is_heartbeat(&datagram[..32]));
    assert!(!is_heartbeat(&datagram));
    datagram[0] = 32;
    assert!(!is_heartbeat(&datagram[..32]));
}

#[test]
fn frames_print_what_matters() {
    let texts: Vec<String> = samples()
        .iter()
        .map(|bytes| Frame::parse(bytes).expect("valid").to_string())
        .collect();
    assert_eq!(
        texts,
        [
            "DATA flags=0xc0 length=96 datagram=96 session=-5 stream=1001 term=1 offset=32 \
             reserved=0xffffffffffffffff",
            "PAD flags=0xc0 length=96 datagram=32 session=-5 stream=1001 term=1 offset=32 \
             reserved=0xffffffffffffffff",
            "SETUP flags=0x40 session=-5 stream=1001 initial_term=2147483647 term=-2147483648 \
             offset=64 term_length=65536 mtu=1408 ttl=4",
            "SM flags=0x00 session=-5 stream=1001 term=-1 offset=96 window=4096 \
             receiver=-9223372036854775808 gtag=-3",
            "NAK session=-5 stream=1001 term=3 offset=32 length=64",
            "RTTM request session=-5 stream=1001 timestamp=7 delta=8 \
             receiver=-9223372036854775808",
            "ERR session=-5 stream=1001 receiver=-9223372036854775808 code=13 gtag=1 \
             text=\"no thanks\"",
            "RSP_SETUP session=-5 stream=1001 response_session=9",
            "RES [a-name-of-some-length=::1:1 age=5ms] [b=10.0.0.7:1 age=5ms]",
        ]
    );
}
