//! The bytes of every datagram frame and of typical control messages, compared with recorded ones:
//! each is encoded to exactly these bytes and decoded from them.

use std::net::{IpAddr, Ipv6Addr};

use aileron::base::{
    ClientId, CorrelationId, CounterId, Nanos, Position, ReceiverId, RegistrationId, SessionId,
    StreamId, TermId, TermOffset,
};
use aileron::command::{
    AddCounter, AddPublication, AvailableImage, Command, ErrorCode, Event, PublicationError,
    PublicationReady, RejectImage, command_id, event_id,
};
use aileron::protocol::{
    DataFrame, DataHeader, ErrorMessage, Frame, FrameType, Nak, ResolutionEntry, ResolutionWriter,
    ResponseSetup, RttMeasurement, Setup, StatusMessage, data, setup, status_message,
};

const SESSION: SessionId = SessionId(0x1122_3344);
const STREAM: StreamId = StreamId(1001);
const RECEIVER: ReceiverId = ReceiverId(0x0102_0304_0506_0708);

/// The bytes of a hex dump without offsets.
fn hex(dump: &str) -> Vec<u8> {
    dump.split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).expect("two hex digits"))
        .collect()
}

fn data_header(frame_length: i32, flags: u8, term_offset: i32) -> DataHeader {
    DataHeader {
        frame_length,
        flags,
        frame_type: FrameType::Data,
        term_offset: TermOffset(term_offset),
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId(7),
        reserved_value: 0,
    }
}

fn data_frame(datagram: &[u8]) -> DataFrame<'_> {
    match Frame::parse(datagram) {
        Ok(Frame::Data(frame)) => frame,
        other => panic!("not data: {other:?}"),
    }
}

#[track_caller]
fn assert_data_header(header: DataHeader, bytes: &[u8]) {
    let mut encoded = [0xEE; DataHeader::LENGTH];
    header.encode(&mut encoded);
    assert_eq!(encoded[..], bytes[..DataHeader::LENGTH]);
    assert_eq!(DataHeader::from(data_frame(bytes)), header);
}

const HELLO: &str = "
    25 00 00 00 00 c0 01 00 00 10 00 00 44 33 22 11
    e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00
    48 45 4c 4c 4f 00 00 00 00 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";

#[test]
fn data_unfragmented() {
    let bytes = hex(HELLO);
    assert_data_header(data_header(37, data::flags::UNFRAGMENTED, 4096), &bytes);
    let frame = data_frame(&bytes);
    assert_eq!(frame.payload(), b"HELLO");
    assert!(!frame.is_heartbeat() && !frame.is_padding());
}

#[test]
fn data_batched() {
    let mut bytes = hex(HELLO);
    bytes.extend(hex("20 00 00 00 00 c0 01 00 40 10 00 00 44 33 22 11
                      e9 03 00 00 07 00 00 00 0a 00 00 00 00 00 00 00"));
    let frame = data_frame(&bytes);
    assert_eq!(frame.datagram().len(), 96);
    assert_eq!(frame.payload(), b"HELLO");
    let mut second = data_header(32, data::flags::UNFRAGMENTED, 4160);
    second.reserved_value = 0x0A;
    assert_data_header(second, &bytes[64..]);
}

#[test]
fn data_fragments() {
    let first = hex("80 05 00 00 00 80 01 00 00 20 00 00 44 33 22 11
                     e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00");
    assert_data_header(data_header(1408, data::flags::BEGIN, 8192), &first);
    let middle = hex("80 05 00 00 00 00 01 00 80 25 00 00 44 33 22 11
                      e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00");
    assert_data_header(data_header(1408, 0, 9600), &middle);
    let last = hex("18 01 00 00 00 40 01 00 00 2b 00 00 44 33 22 11
                    e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00");
    assert_data_header(data_header(280, data::flags::END, 11_008), &last);
}

#[test]
fn padding() {
    let bytes = hex("c0 00 00 00 00 c0 00 00 40 ff 00 00 44 33 22 11
                     e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00");
    let mut header = data_header(192, data::flags::UNFRAGMENTED, 65_344);
    header.frame_type = FrameType::Pad;
    assert_data_header(header, &bytes);
    assert!(data_frame(&bytes).is_padding());
    assert_eq!(data_frame(&bytes).payload(), b"");
}

#[test]
fn heartbeats() {
    use data::flags::{EOS, REVOKED, UNFRAGMENTED};
    for (flag_byte, flags) in [
        ("c0", UNFRAGMENTED),
        ("e0", UNFRAGMENTED | EOS),
        ("f0", UNFRAGMENTED | EOS | REVOKED),
    ] {
        let bytes = hex(&format!(
            "00 00 00 00 00 {flag_byte} 01 00 40 10 00 00 44 33 22 11
             e9 03 00 00 07 00 00 00 00 00 00 00 00 00 00 00"
        ));
        let header = DataHeader::heartbeat(SESSION, STREAM, TermId(7), TermOffset(4160), flags);
        assert_data_header(header, &bytes);
        let frame = data_frame(&bytes);
        assert!(frame.is_heartbeat());
        assert_eq!(frame.is_end_of_stream(), flags & EOS != 0);
        assert_eq!(frame.is_revoked(), flags & REVOKED != 0);
    }
}

#[track_caller]
fn assert_setup(flags: u8, ttl: i32, dump: &str) {
    let setup = Setup {
        flags,
        term_offset: TermOffset(4096),
        session_id: SESSION,
        stream_id: STREAM,
        initial_term_id: TermId(5),
        active_term_id: TermId(7),
        term_length: 65_536,
        mtu: 1408,
        ttl,
    };
    let mut encoded = [0xEE; Setup::LENGTH];
    setup.encode(&mut encoded);
    assert_eq!(encoded[..], hex(dump));
    let Ok(Frame::Setup(frame)) = Frame::parse(&encoded) else {
        panic!("not a setup")
    };
    assert_eq!(Setup::from(frame), setup);
}

#[test]
fn setup_unicast() {
    assert_setup(
        0,
        0,
        "28 00 00 00 00 00 05 00 00 10 00 00 44 33 22 11
         e9 03 00 00 05 00 00 00 07 00 00 00 00 00 01 00
         80 05 00 00 00 00 00 00",
    );
}

#[test]
fn setup_multicast() {
    assert_setup(
        setup::flags::SEND_RESPONSE | setup::flags::GROUP,
        4,
        "28 00 00 00 00 c0 05 00 00 10 00 00 44 33 22 11
         e9 03 00 00 05 00 00 00 07 00 00 00 00 00 01 00
         80 05 00 00 04 00 00 00",
    );
}

#[test]
fn nak() {
    let nak = Nak {
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId(7),
        term_offset: TermOffset(8192),
        length: 1408,
    };
    let mut encoded = [0xEE; Nak::LENGTH];
    nak.encode(&mut encoded);
    let expected = hex("1c 00 00 00 00 00 02 00 44 33 22 11 e9 03 00 00
                        07 00 00 00 00 20 00 00 80 05 00 00");
    assert_eq!(encoded[..], expected);
    let Ok(Frame::Nak(frame)) = Frame::parse(&encoded) else {
        panic!("not a NAK")
    };
    assert_eq!(Nak::from(frame), nak);
}

fn status_message_at(flags: u8, term_offset: i32, group_tag: Option<i64>) -> StatusMessage {
    StatusMessage {
        flags,
        session_id: SESSION,
        stream_id: STREAM,
        consumption_term_id: TermId(7),
        consumption_term_offset: TermOffset(term_offset),
        receiver_window: 32_768,
        receiver_id: RECEIVER,
        group_tag,
    }
}

#[track_caller]
fn assert_status_message(message: StatusMessage, dump: &str) {
    let mut buffer = [0xEE; StatusMessage::MAX_LENGTH];
    let length = message.encode(&mut buffer);
    assert_eq!(buffer[..length], hex(dump));
    let Ok(Frame::StatusMessage(frame)) = Frame::parse(&buffer[..length]) else {
        panic!("not a status message")
    };
    assert_eq!(StatusMessage::from(frame), message);
    assert!(frame.is_valid_for(65_536));
}

#[test]
fn status_message_plain() {
    assert_status_message(
        status_message_at(0, 4096, None),
        "24 00 00 00 00 00 03 00 44 33 22 11 e9 03 00 00
         07 00 00 00 00 10 00 00 00 80 00 00 08 07 06 05
         04 03 02 01",
    );
}

#[test]
fn status_message_with_group_tag() {
    assert_status_message(
        status_message_at(0, 4096, Some(99)),
        "2c 00 00 00 00 00 03 00 44 33 22 11 e9 03 00 00
         07 00 00 00 00 10 00 00 00 80 00 00 08 07 06 05
         04 03 02 01 63 00 00 00 00 00 00 00",
    );
}

#[test]
fn status_message_solicitation() {
    assert_status_message(
        StatusMessage::setup_request(SessionId(0), StreamId(0), RECEIVER, None),
        "24 00 00 00 00 80 03 00 00 00 00 00 00 00 00 00
         00 00 00 00 00 00 00 00 00 00 00 00 08 07 06 05
         04 03 02 01",
    );
}

#[test]
fn status_message_end_of_stream() {
    assert_status_message(
        status_message_at(status_message::flags::EOS, 4160, None),
        "24 00 00 00 00 40 03 00 44 33 22 11 e9 03 00 00
         07 00 00 00 40 10 00 00 00 80 00 00 08 07 06 05
         04 03 02 01",
    );
}

#[test]
fn error_with_and_without_group_tag() {
    for (group_tag, flag_byte, tag_byte) in [(None, "00", "00"), (Some(99), "08", "63")] {
        let error = ErrorMessage {
            session_id: SESSION,
            stream_id: STREAM,
            receiver_id: RECEIVER,
            group_tag,
            error_code: 13,
            text: b"no thanks",
        };
        let mut buffer = [0xEE; ErrorMessage::MAX_LENGTH];
        let length = error.encode(&mut buffer);
        let expected = hex(&format!(
            "31 00 00 00 00 {flag_byte} 04 00 44 33 22 11 e9 03 00 00
             08 07 06 05 04 03 02 01 {tag_byte} 00 00 00 00 00 00 00
             0d 00 00 00 09 00 00 00 6e 6f 20 74 68 61 6e 6b
             73"
        ));
        assert_eq!(buffer[..length], expected);
        let Ok(Frame::Error(frame)) = Frame::parse(&expected) else {
            panic!("not an error")
        };
        assert_eq!(ErrorMessage::from(frame), error);
    }
}

#[test]
fn rtt_measurement_request_and_answer() {
    let request = RttMeasurement {
        is_reply_requested: true,
        session_id: SESSION,
        stream_id: STREAM,
        echo_timestamp: Nanos(1_000_000_000),
        reception_delta_ns: 0,
        receiver_id: RECEIVER,
    };
    let mut buffer = [0xEE; RttMeasurement::LENGTH];
    request.encode(&mut buffer);
    let rest = "06 00 44 33 22 11 e9 03 00 00
                00 ca 9a 3b 00 00 00 00 00 00 00 00 00 00 00 00
                08 07 06 05 04 03 02 01";
    assert_eq!(buffer[..], hex(&format!("28 00 00 00 00 80 {rest}")));
    let Ok(Frame::RttMeasurement(frame)) = Frame::parse(&buffer) else {
        panic!("not an RTTM")
    };
    assert_eq!(RttMeasurement::from(frame), request);

    let mut answer = [0xEE; RttMeasurement::LENGTH];
    RttMeasurement::answer_to(frame).encode(&mut answer);
    assert_eq!(answer[..], hex(&format!("28 00 00 00 00 00 {rest}")));
}

#[test]
fn response_setup() {
    let setup = ResponseSetup {
        session_id: SESSION,
        stream_id: STREAM,
        response_session_id: SessionId(0x5566_7788),
    };
    let mut encoded = [0xEE; ResponseSetup::LENGTH];
    setup.encode(&mut encoded);
    assert_eq!(
        encoded[..],
        hex("14 00 00 00 00 00 0b 00 44 33 22 11 e9 03 00 00 88 77 66 55")
    );
    let Ok(Frame::ResponseSetup(frame)) = Frame::parse(&encoded) else {
        panic!("not a response setup")
    };
    assert_eq!(ResponseSetup::from(frame), setup);
}

#[track_caller]
fn assert_resolution(entries: &[ResolutionEntry<'_>], dump: &str) {
    let mut encoded = Vec::new();
    let mut writer = ResolutionWriter::new(&mut encoded, 1408);
    for entry in entries {
        writer.push(entry).expect("room");
    }
    assert_eq!(encoded, hex(dump));
    let Ok(Frame::Resolution(frame)) = Frame::parse(&encoded) else {
        panic!("not a RES")
    };
    let decoded: Result<Vec<_>, _> = frame.entries().collect();
    assert_eq!(decoded.as_deref(), Ok(entries));
}

#[test]
fn resolution_of_self() {
    assert_resolution(
        &[ResolutionEntry {
            is_self: true,
            address: IpAddr::from([192, 168, 1, 10]),
            port: 8050,
            age_ms: 0,
            name: b"driver-a",
        }],
        "20 00 00 00 00 00 07 00 01 80 72 1f 00 00 00 00
         c0 a8 01 0a 08 00 64 72 69 76 65 72 2d 61 00 00",
    );
}

#[test]
fn resolution_of_others() {
    let ipv4 = ResolutionEntry {
        is_self: false,
        address: IpAddr::from([10, 0, 0, 7]),
        port: 8052,
        age_ms: 250,
        name: b"c1",
    };
    let ipv6 = ResolutionEntry {
        is_self: false,
        address: Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, 1).into(),
        port: 8051,
        age_ms: 1500,
        name: b"b",
    };
    assert_resolution(
        &[ipv4, ipv6],
        "38 00 00 00 00 00 07 00 01 00 74 1f fa 00 00 00
         0a 00 00 07 02 00 63 31 02 00 73 1f dc 05 00 00
         20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01
         01 00 62 00 00 00 00 00",
    );
}

/// A ring or broadcast record as recorded: its length and type, then the payload.
fn record(dump: &str) -> (i32, Vec<u8>) {
    let bytes = hex(dump);
    let word = |at: usize| i32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"));
    let end = usize::try_from(word(0)).expect("positive length");
    assert!(bytes[end..].iter().all(|&byte| byte == 0) && bytes.len().is_multiple_of(8));
    (word(4), bytes[8..end].to_vec())
}

#[track_caller]
fn assert_command(command: Command<'_>, dump: &str) {
    let (type_id, payload) = record(dump);
    let mut encoded = Vec::new();
    assert_eq!(command.encode(&mut encoded), type_id);
    assert_eq!(encoded, payload);
    assert_eq!(Command::decode(type_id, &payload), Ok(command));
}

#[track_caller]
fn assert_event(event: Event<'_>, dump: &str) {
    let (type_id, payload) = record(dump);
    let mut encoded = Vec::new();
    assert_eq!(event.encode(&mut encoded), type_id);
    assert_eq!(encoded, payload);
    assert_eq!(Event::decode(type_id, &payload), Ok(event));
}

#[test]
fn add_publication() {
    assert_command(
        Command::AddPublication(AddPublication {
            client_id: ClientId(1),
            correlation_id: CorrelationId(2),
            stream_id: STREAM,
            channel: "aeron:ipc",
        }),
        "29 00 00 00 01 00 00 00 01 00 00 00 00 00 00 00
         02 00 00 00 00 00 00 00 e9 03 00 00 09 00 00 00
         61 65 72 6f 6e 3a 69 70 63 00 00 00 00 00 00 00",
    );
}

const LOG_FILE: &str = "/dev/shm/aeron-u/publications/2.logbuffer";

#[test]
fn publication_ready() {
    assert_event(
        Event::PublicationReady(PublicationReady {
            correlation_id: CorrelationId(2),
            registration_id: RegistrationId(2),
            session_id: SessionId(0x1234),
            stream_id: STREAM,
            publication_limit_counter_id: CounterId(47),
            channel_status_counter_id: CounterId::NONE,
            log_file_name: LOG_FILE,
        }),
        "55 00 00 00 03 0f 00 00 02 00 00 00 00 00 00 00
         02 00 00 00 00 00 00 00 34 12 00 00 e9 03 00 00
         2f 00 00 00 ff ff ff ff 29 00 00 00 2f 64 65 76
         2f 73 68 6d 2f 61 65 72 6f 6e 2d 75 2f 70 75 62
         6c 69 63 61 74 69 6f 6e 73 2f 32 2e 6c 6f 67 62
         75 66 66 65 72 00 00 00",
    );
}

#[test]
fn available_image() {
    assert_event(
        Event::AvailableImage(AvailableImage {
            correlation_id: CorrelationId(2),
            session_id: SessionId(0x1234),
            stream_id: STREAM,
            subscription_registration_id: RegistrationId(4),
            subscriber_position_counter_id: CounterId(49),
            log_file_name: LOG_FILE,
            source_identity: "aeron:ipc",
        }),
        "61 00 00 00 02 0f 00 00 02 00 00 00 00 00 00 00
         34 12 00 00 e9 03 00 00 04 00 00 00 00 00 00 00
         31 00 00 00 29 00 00 00 2f 64 65 76 2f 73 68 6d
         2f 61 65 72 6f 6e 2d 75 2f 70 75 62 6c 69 63 61
         74 69 6f 6e 73 2f 32 2e 6c 6f 67 62 75 66 66 65
         72 00 00 00 09 00 00 00 61 65 72 6f 6e 3a 69 70
         63 00 00 00 00 00 00 00",
    );
}

#[test]
fn add_counter() {
    assert_command(
        Command::AddCounter(AddCounter {
            client_id: ClientId(1),
            correlation_id: CorrelationId(12),
            type_id: 7777,
            key: b"abcde",
            label: b"my label",
        }),
        "34 00 00 00 09 00 00 00 01 00 00 00 00 00 00 00
         0c 00 00 00 00 00 00 00 61 1e 00 00 05 00 00 00
         61 62 63 64 65 00 00 00 08 00 00 00 6d 79 20 6c
         61 62 65 6c 00 00 00 00",
    );
}

#[test]
fn short_rejections_are_sent_longer_and_accepted_as_short_as_they_are() {
    let command = Command::RejectImage(RejectImage {
        client_id: ClientId(1),
        correlation_id: CorrelationId(2),
        image_correlation_id: CorrelationId(3),
        position: Position(4096),
        reason: b"no",
    });
    let expected = hex("01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00
                        03 00 00 00 00 00 00 00 00 10 00 00 00 00 00 00
                        02 00 00 00 6e 6f 00 00");
    let mut payload = Vec::new();
    assert_eq!(command.encode(&mut payload), command_id::REJECT_IMAGE);
    assert_eq!(payload, expected);
    assert_eq!(
        Command::decode(command_id::REJECT_IMAGE, &expected[..38]),
        Ok(command)
    );
}

#[test]
fn short_publication_errors_are_sent_longer() {
    let event = Event::PublicationError(PublicationError {
        registration_id: RegistrationId(2),
        destination_registration_id: RegistrationId(-1),
        session_id: SESSION,
        stream_id: STREAM,
        receiver_id: RECEIVER,
        group_tag: 99,
        source: Some(([127, 0, 0, 1], 8050).into()),
        code: ErrorCode::ImageRejected,
        message: b"",
    });
    let expected = hex("02 00 00 00 00 00 00 00 ff ff ff ff ff ff ff ff
                        44 33 22 11 e9 03 00 00 08 07 06 05 04 03 02 01
                        63 00 00 00 00 00 00 00 01 00 72 1f 7f 00 00 01
                        00 00 00 00 00 00 00 00 00 00 00 00 0d 00 00 00
                        00 00 00 00 00 00 00 00");
    let mut payload = Vec::new();
    assert_eq!(event.encode(&mut payload), event_id::ON_PUBLICATION_ERROR);
    assert_eq!(payload, expected);
    assert_eq!(
        Event::decode(event_id::ON_PUBLICATION_ERROR, &expected[..68]),
        Ok(event)
    );
}
