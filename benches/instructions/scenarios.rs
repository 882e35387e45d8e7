//! What is counted. Logs and queues are heap memory, messages have 32 bytes.

use std::hint::black_box;

use aileron::base::{Position, ReceiverId, SessionId, StreamId, TermId, TermOffset};
use aileron::client::{self, FragmentAssembler};
use aileron::concurrent::{
    BROADCAST_TRAILER_LENGTH, RING_TRAILER_LENGTH, ReadAction, Receiver, RingBuffer, RingConsumer,
    Transmitter,
};
use aileron::logbuffer::{ExclusiveAppender, LogBuffer, LogKind, LogSpec, log_length, reader};
use aileron::memory::AtomicBuffer;
use aileron::protocol::{DataHeader, Frame, Nak, SocketRole, StatusMessage};

use super::driver::{Events, idle_cycle, udp_message};

/// Long enough that no scenario comes to the end of a term.
const TERM_LENGTH: i32 = 1024 * 1024;
/// As long, for queues.
const CAPACITY: usize = 1024 * 1024;
const NO_LIMIT: Position = Position(i64::MAX);
pub(crate) const MESSAGE: [u8; 32] = [7; 32];
/// Frames of the logs that are read.
const FRAMES: usize = 64;
/// A frame of 64 bytes of payload.
const FRAME_LENGTH: usize = 96;

/// Something to be done a number of times.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// Makes what is needed, and returns the operation.
    pub(crate) prepare: fn() -> Box<dyn FnMut()>,
}

const fn scenario(name: &'static str, prepare: fn() -> Box<dyn FnMut()>) -> Scenario {
    Scenario { name, prepare }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("exclusive_offer_32", exclusive_offer),
    scenario("exclusive_claim_32", exclusive_claim),
    scenario("concurrent_offer_32", concurrent_offer),
    scenario("concurrent_claim_32", concurrent_claim),
    scenario("poll_64_fragments", poll),
    scenario("poll_64_messages_assembled", poll_assembled),
    scenario("poll_nothing", poll_nothing),
    scenario("scan_datagram", scan_datagram),
    scenario("validate_and_insert_96", insert),
    scenario("scan_gap_64_frames", scan_gap),
    scenario("parse_data", parse_data),
    scenario("parse_nak", parse_nak),
    scenario("parse_status_message", parse_status_message),
    scenario("ring_write_and_read_32", ring),
    scenario("ring_read_nothing", ring_nothing),
    scenario("broadcast_transmit_and_receive_32", broadcast),
    scenario("broadcast_receive_nothing", broadcast_nothing),
    scenario("idle_driver_cycle", || idle_cycle(Events::Absent)),
    scenario("idle_driver_cycle_events_off", || idle_cycle(Events::Off)),
    scenario("udp_message", || udp_message(Events::Absent)),
    scenario("udp_message_events_off", || udp_message(Events::Off)),
    scenario("udp_message_events_all", || udp_message(Events::All)),
];

fn log(kind: LogKind) -> LogBuffer {
    let spec = LogSpec {
        kind,
        term_length: TERM_LENGTH,
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(spec.term_length, spec.page_size)).expect("a length");
    LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("a legal log")
}

fn exclusive() -> ExclusiveAppender {
    ExclusiveAppender::new(log(LogKind::Exclusive)).expect("a fresh log")
}

/// A log with [`FRAMES`] messages.
fn written() -> LogBuffer {
    let mut appender = exclusive();
    for _ in 0..FRAMES {
        appender.offer(NO_LIMIT, &MESSAGE).expect("room");
    }
    appender.log().clone()
}

fn exclusive_offer() -> Box<dyn FnMut()> {
    let mut appender = exclusive();
    Box::new(move || {
        let position = appender.offer(black_box(NO_LIMIT), black_box(&MESSAGE));
        assert!(position.is_ok());
    })
}

fn exclusive_claim() -> Box<dyn FnMut()> {
    let mut appender = exclusive();
    Box::new(move || {
        let mut claim = appender
            .claim(black_box(NO_LIMIT), MESSAGE.len())
            .expect("room");
        claim.bytes_mut().copy_from_slice(black_box(&MESSAGE));
        claim.commit();
    })
}

fn concurrent_offer() -> Box<dyn FnMut()> {
    let log = log(LogKind::Concurrent);
    Box::new(move || {
        let position = log.offer(black_box(NO_LIMIT), black_box(&MESSAGE));
        assert!(position.is_ok());
    })
}

fn concurrent_claim() -> Box<dyn FnMut()> {
    let log = log(LogKind::Concurrent);
    Box::new(move || {
        let mut claim = log.claim(black_box(NO_LIMIT), MESSAGE.len()).expect("room");
        claim.bytes_mut().copy_from_slice(black_box(&MESSAGE));
        claim.commit();
    })
}

fn poll() -> Box<dyn FnMut()> {
    let log = written();
    Box::new(move || {
        let polled = reader::poll(&log, black_box(Position(0)), FRAMES, |payload, header| {
            black_box((payload, header.position()));
        });
        assert_eq!(polled.fragments, FRAMES);
    })
}

fn poll_assembled() -> Box<dyn FnMut()> {
    let log = written();
    let mut assembler = FragmentAssembler::new();
    Box::new(move || {
        let polled = reader::poll(&log, black_box(Position(0)), FRAMES, |payload, header| {
            let header = client::Header::new(*header, None);
            assembler.on_fragment(payload, &header, |message, _| {
                black_box(message);
            });
        });
        assert_eq!(polled.fragments, FRAMES);
    })
}

fn poll_nothing() -> Box<dyn FnMut()> {
    let log = written();
    let end = log.producer_position();
    Box::new(move || {
        let polled = reader::poll(&log, black_box(end), FRAMES, |_, _| {});
        assert_eq!(polled.fragments, 0);
    })
}

fn scan_datagram() -> Box<dyn FnMut()> {
    let log = written();
    Box::new(move || {
        assert!(log.scan(black_box(Position(0)), 1408).available > 0);
    })
}

/// A datagram of one frame.
fn datagram(log: &LogBuffer) -> Vec<u8> {
    let mut header = [0; DataHeader::LENGTH];
    DataHeader {
        frame_length: i32::try_from(FRAME_LENGTH).expect("small"),
        ..DataHeader::heartbeat(
            log.session_id(),
            log.stream_id(),
            log.geometry().initial_term_id(),
            TermOffset(0),
            0xC0,
        )
    }
    .encode(&mut header);
    let mut datagram = vec![7; FRAME_LENGTH];
    datagram[..header.len()].copy_from_slice(&header);
    datagram
}

fn insert() -> Box<dyn FnMut()> {
    let log = log(LogKind::Image);
    let datagram = datagram(&log);
    let (geometry, mut position) = (log.geometry(), Position(0));
    Box::new(move || {
        black_box(geometry.validate_datagram(TermOffset(0), black_box(&datagram)));
        assert!(log.insert(black_box(position), &datagram));
        position += i64::try_from(FRAME_LENGTH).expect("small");
    })
}

fn scan_gap() -> Box<dyn FnMut()> {
    let log = written();
    let end = log.producer_position();
    Box::new(move || {
        let scanned = log.scan_gap(black_box(Position(0)), end);
        assert_eq!(scanned.contiguous, end);
    })
}

fn parse(role: SocketRole, bytes: Vec<u8>) -> Box<dyn FnMut()> {
    Box::new(move || assert!(Frame::parse_for(role, black_box(&bytes)).is_ok()))
}

fn parse_data() -> Box<dyn FnMut()> {
    parse(SocketRole::Receive, datagram(&log(LogKind::Image)))
}

fn parse_nak() -> Box<dyn FnMut()> {
    let mut bytes = [0; Nak::LENGTH];
    Nak {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        term_id: TermId(3),
        term_offset: TermOffset(64),
        length: 1408,
    }
    .encode(&mut bytes);
    parse(SocketRole::Send, bytes.to_vec())
}

fn parse_status_message() -> Box<dyn FnMut()> {
    let mut bytes = [0; StatusMessage::MAX_LENGTH];
    let message = StatusMessage::setup_request(SessionId(1), StreamId(2), ReceiverId(9), None);
    let length = message.encode(&mut bytes);
    parse(SocketRole::Send, bytes[..length].to_vec())
}

fn ring() -> Box<dyn FnMut()> {
    let buffer = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
    let ring = RingBuffer::new(buffer).expect("a legal capacity");
    let mut consumer = RingConsumer::new(ring.clone());
    Box::new(move || {
        ring.write(7, black_box(&MESSAGE)).expect("room");
        let read = consumer.read(1, |_, payload| {
            black_box(payload);
            ReadAction::Continue
        });
        assert_eq!(read, 1);
    })
}

fn ring_nothing() -> Box<dyn FnMut()> {
    let buffer = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
    let ring = RingBuffer::new(buffer).expect("a legal capacity");
    let mut consumer = RingConsumer::new(ring);
    Box::new(move || assert_eq!(consumer.read(1, |_, _| ReadAction::Continue), 0))
}

fn broadcast() -> Box<dyn FnMut()> {
    let buffer = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
    let mut transmitter = Transmitter::new(buffer.clone()).expect("a legal capacity");
    let mut receiver = Receiver::new(buffer).expect("a legal capacity");
    Box::new(move || {
        transmitter
            .transmit(7, black_box(&MESSAGE))
            .expect("short enough");
        let received = receiver.receive(|_, payload| {
            black_box(payload);
        });
        black_box(received.is_ok());
    })
}

fn broadcast_nothing() -> Box<dyn FnMut()> {
    let buffer = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
    let mut receiver = Receiver::new(buffer).expect("a legal capacity");
    Box::new(move || {
        black_box(receiver.receive(|_, _| {}).is_ok());
    })
}
