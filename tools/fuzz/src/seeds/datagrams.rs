//! Datagrams of each type.

use aileron::base::{Nanos, ReceiverId, SessionId, StreamId, TermId, TermOffset};
use aileron::protocol::{
    DataHeader, ErrorMessage, FrameType, Nak, ResolutionEntry, ResolutionWriter, ResponseSetup,
    RttMeasurement, Setup, StatusMessage, data, setup, status_message,
};

use crate::script::push;
use crate::targets::{SESSION, STREAMS, TERM};

const MTU: usize = 1408;
const RECEIVER: ReceiverId = ReceiverId(5);

/// A stream as somebody knows it who listens.
#[derive(Clone, Copy)]
struct Victim {
    session_id: SessionId,
    stream_id: StreamId,
}

impl Victim {
    fn data(self, flags: u8, frame_type: FrameType, offset: i32, payload: usize) -> Vec<u8> {
        let mut header = [0; DataHeader::LENGTH];
        DataHeader {
            frame_length: i32::try_from(header.len() + payload).unwrap_or(0),
            flags,
            frame_type,
            term_offset: TermOffset(offset),
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: TermId(TERM),
            reserved_value: 0,
        }
        .encode(&mut header);
        let mut frame = header.to_vec();
        frame.resize((DataHeader::LENGTH + payload).next_multiple_of(32), 0x5A);
        frame
    }

    fn heartbeat(self, flags: u8, offset: i32) -> Vec<u8> {
        let offset = TermOffset(offset);
        let mut bytes = [0; DataHeader::LENGTH];
        DataHeader::heartbeat(self.session_id, self.stream_id, TermId(TERM), offset, flags)
            .encode(&mut bytes);
        bytes.to_vec()
    }

    fn setup(self, flags: u8) -> Vec<u8> {
        let mut bytes = [0; Setup::LENGTH];
        Setup {
            flags,
            term_offset: TermOffset(0),
            session_id: self.session_id,
            stream_id: self.stream_id,
            initial_term_id: TermId(TERM),
            active_term_id: TermId(TERM),
            term_length: 64 * 1024,
            mtu: i32::try_from(MTU).unwrap_or(0),
            ttl: 0,
        }
        .encode(&mut bytes);
        bytes.to_vec()
    }

    fn status(self, flags: u8, offset: i32, group_tag: Option<i64>) -> Vec<u8> {
        let mut bytes = [0; StatusMessage::MAX_LENGTH];
        let length = StatusMessage {
            flags,
            session_id: self.session_id,
            stream_id: self.stream_id,
            consumption_term_id: TermId(TERM),
            consumption_term_offset: TermOffset(offset),
            receiver_window: 32 * 1024,
            receiver_id: RECEIVER,
            group_tag,
        }
        .encode(&mut bytes);
        bytes[..length].to_vec()
    }

    fn nak(self, offset: i32, length: i32) -> Vec<u8> {
        let mut bytes = [0; Nak::LENGTH];
        Nak {
            session_id: self.session_id,
            stream_id: self.stream_id,
            term_id: TermId(TERM),
            term_offset: TermOffset(offset),
            length,
        }
        .encode(&mut bytes);
        bytes.to_vec()
    }

    fn rtt(self, is_reply_requested: bool) -> Vec<u8> {
        let mut bytes = [0; RttMeasurement::LENGTH];
        RttMeasurement {
            is_reply_requested,
            session_id: self.session_id,
            stream_id: self.stream_id,
            echo_timestamp: Nanos(1),
            reception_delta_ns: 2,
            receiver_id: RECEIVER,
        }
        .encode(&mut bytes);
        bytes.to_vec()
    }

    fn error(self) -> Vec<u8> {
        let mut bytes = [0; ErrorMessage::MAX_LENGTH];
        let length = ErrorMessage {
            session_id: self.session_id,
            stream_id: self.stream_id,
            receiver_id: RECEIVER,
            group_tag: Some(9),
            error_code: 1,
            text: b"no more of this",
        }
        .encode(&mut bytes);
        bytes[..length].to_vec()
    }

    fn response_setup(self) -> Vec<u8> {
        let mut bytes = [0; ResponseSetup::LENGTH];
        ResponseSetup {
            session_id: self.session_id,
            stream_id: self.stream_id,
            response_session_id: SessionId(77),
        }
        .encode(&mut bytes);
        bytes.to_vec()
    }

    fn all(self) -> Vec<Vec<u8>> {
        let unfragmented = data::flags::UNFRAGMENTED;
        let small = self.data(unfragmented, FrameType::Data, 0, 32);
        vec![
            small.clone(),
            [
                small.clone(),
                self.data(unfragmented, FrameType::Data, 64, 8),
            ]
            .concat(),
            self.data(data::flags::BEGIN, FrameType::Data, 0, MTU - 32),
            self.data(data::flags::END, FrameType::Data, 1408, 100),
            self.data(unfragmented, FrameType::Pad, 64, 320),
            self.heartbeat(unfragmented, 0),
            self.heartbeat(unfragmented | data::flags::EOS, 64),
            self.heartbeat(unfragmented | data::flags::EOS | data::flags::REVOKED, 64),
            self.setup(0),
            self.setup(setup::flags::SEND_RESPONSE | setup::flags::GROUP),
            self.status(0, 0, None),
            self.status(0, 64, Some(9)),
            self.status(status_message::flags::SEND_SETUP, 0, None),
            self.status(status_message::flags::EOS, 64, None),
            self.nak(0, 64),
            self.nak(64, 1408),
            self.rtt(false),
            self.rtt(true),
            self.error(),
            self.response_setup(),
        ]
    }
}

fn resolution(name: &[u8], address: std::net::IpAddr, is_self: bool) -> Vec<u8> {
    let mut frame = Vec::new();
    let entry = ResolutionEntry {
        is_self,
        address,
        port: 8050,
        age_ms: 0,
        name,
    };
    // One entry always fits.
    let _ = ResolutionWriter::new(&mut frame, MTU).push(&entry);
    frame
}

fn resolutions() -> Vec<Vec<u8>> {
    let v6 = std::net::Ipv6Addr::LOCALHOST.into();
    vec![
        resolution(b"other", [10, 0, 0, 2].into(), true),
        resolution(b"third", [10, 0, 0, 4].into(), false),
        resolution(b"fuzzed", [10, 0, 0, 2].into(), true),
        resolution(b"six", v6, false),
    ]
}

fn victims() -> impl Iterator<Item = Victim> {
    let sessions = [SESSION, 4711];
    sessions.into_iter().flat_map(|session| {
        STREAMS.map(|stream| Victim {
            session_id: SessionId(session),
            stream_id: StreamId(stream),
        })
    })
}

/// Each frame by itself.
pub(crate) fn frames() -> Vec<Vec<u8>> {
    let victim = victims().next();
    let mut frames = victim.map_or_else(Vec::new, Victim::all);
    frames.extend(resolutions());
    frames
}

/// Lives of streams: begun, filled, disturbed and ended.
pub(crate) fn datagrams() -> Vec<Vec<u8>> {
    let mut scripts = Vec::new();
    let unfragmented = data::flags::UNFRAGMENTED;
    for victim in victims() {
        // All there is, at each socket.
        for to in 0..3 {
            let mut script = Vec::new();
            for frame in victim.all() {
                push(&mut script, to | 0x20, &frame);
            }
            scripts.push(script);
        }
        // An image with a hole that is filled late, and its end.
        let mut script = Vec::new();
        push(&mut script, 0, &victim.setup(0));
        push(
            &mut script,
            0,
            &victim.data(unfragmented, FrameType::Data, 0, 32),
        );
        push(
            &mut script,
            0x08,
            &victim.data(unfragmented, FrameType::Data, 128, 32),
        );
        push(
            &mut script,
            0x10,
            &victim.data(unfragmented, FrameType::Data, 192, 32),
        );
        push(
            &mut script,
            0x28,
            &victim.data(unfragmented, FrameType::Data, 64, 32),
        );
        push(
            &mut script,
            0x28,
            &victim.heartbeat(unfragmented | data::flags::EOS, 256),
        );
        push(&mut script, 0x18, &victim.setup(0));
        scripts.push(script);
        // A receiver that takes, asks again, and leaves.
        for to in [1, 2] {
            let mut script = Vec::new();
            push(&mut script, to | 0x08, &victim.status(0, 0, None));
            push(&mut script, to | 0x48, &victim.status(0, 0, None));
            push(&mut script, to | 0x48, &victim.nak(0, 64));
            push(&mut script, to | 0x08, &victim.nak(0, 32));
            push(
                &mut script,
                to | 0x10,
                &victim.status(status_message::flags::EOS, 64, None),
            );
            push(&mut script, to | 0x18, &victim.error());
            scripts.push(script);
        }
    }
    scripts
}

/// Drivers that come, tell of others, and go.
pub(crate) fn resolver() -> Vec<Vec<u8>> {
    let mut scripts: Vec<Vec<u8>> = Vec::new();
    for (number, frame) in (0..).zip(resolutions()) {
        let mut script = Vec::new();
        push(&mut script, number << 1, &frame);
        push(&mut script, 0x80, b"other");
        scripts.push(script);
    }
    let mut script = Vec::new();
    for frame in resolutions() {
        push(&mut script, 0x03, &frame);
        push(&mut script, 0x80, b"third");
    }
    push(&mut script, 0x07, b"");
    push(&mut script, 0x80, b"other");
    scripts.push(script);
    scripts
}
