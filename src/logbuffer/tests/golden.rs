//! Bytes and numbers of `logbuffer.md` §17.

use crate::base::{Position, SessionId, StreamId, TermId, TermOffset};
use crate::logbuffer::{
    AppendError, LogBuffer, LogKind, LogSpec, METADATA_LENGTH, TermGeometry, framed_length,
    log_length, max_message_length,
};

use super::{NO_LIMIT, TERM_LENGTH, frames, log, memory, message, spec};

#[test]
fn file_lengths() {
    for (term_length, page_size, expected) in [
        (65_536, 4_096, 200_704),
        (65_536, 2_097_152, 2_097_152),
        (16_777_216, 4_096, 50_335_744),
        (16_777_216, 2_097_152, 52_428_800),
        (67_108_864, 4_096, 201_330_688),
        (1_073_741_824, 4_096, 3_221_229_568),
    ] {
        assert_eq!(log_length(term_length, page_size), expected);
    }
}

/// The non-zero lines of §17.2.
const FRESH: &str = "
0000  00 00 00 00 05 00 00 00 00 00 00 00 03 00 00 00
0010  00 00 00 00 04 00 00 00 00 00 00 00 00 00 00 00
0080  ff ff ff ff ff ff ff 7f 00 00 00 00 00 00 00 00
0100  2a 00 00 00 00 00 00 00 05 00 00 00 20 00 00 00
0110  80 05 00 00 00 00 01 00 00 10 00 00 00 80 00 00
0120  00 00 00 00 00 00 00 00 00 40 03 00 00 00 40 00
0130  00 00 02 00 00 40 03 00 00 00 40 00 10 00 00 00
0140  00 00 00 00 00 c0 01 00 00 00 00 00 44 33 22 11
0150  e9 03 00 00 05 00 00 00 00 00 00 00 00 00 00 00
01c0  ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff ff
01d0  00 f2 05 2a 01 00 00 00 00 f2 05 2a 01 00 00 00
01e0  00 e4 0b 54 02 00 00 00 00 00 00 00 01 01 00 00
01f0  00 01 00 00 00 f2 05 2a 01 00 00 00 00 00 00 00";

fn golden_page() -> [u8; METADATA_LENGTH] {
    let mut page = [0; METADATA_LENGTH];
    for line in FRESH.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let at = usize::from_str_radix(words.next().expect("an offset"), 16).expect("hex");
        for (index, word) in words.enumerate() {
            page[at + index] = u8::from_str_radix(word, 16).expect("hex");
        }
    }
    page
}

fn golden_spec() -> LogSpec {
    LogSpec {
        kind: LogKind::Exclusive,
        correlation_id: 42,
        session_id: SessionId(0x1122_3344),
        stream_id: StreamId(1001),
        initial_term_id: TermId(5),
        term_length: TERM_LENGTH,
        mtu_length: 1408,
        publication_window_length: 32768,
        os_default_socket_sndbuf_length: 212_992,
        os_max_socket_sndbuf_length: 4_194_304,
        socket_rcvbuf_length: 131_072,
        os_default_socket_rcvbuf_length: 212_992,
        os_max_socket_rcvbuf_length: 4_194_304,
        max_resend: 16,
        ..LogSpec::default()
    }
}

#[test]
fn metadata_of_a_fresh_exclusive_publication() {
    let memory = memory(&golden_spec());
    LogBuffer::initialise(memory.clone(), &golden_spec()).expect("legal");
    let mut page = [0; METADATA_LENGTH];
    memory.read_bytes(memory.len() - METADATA_LENGTH, &mut page);
    assert_eq!(page, golden_page());
}

#[test]
fn metadata_is_found_behind_the_hole_that_a_large_page_leaves() {
    let spec = LogSpec {
        page_size: 2_097_152,
        ..golden_spec()
    };
    let log = log(&spec);
    assert_eq!(log.length(), 2_097_152);
    assert_eq!(log.metadata().page_size(), 2_097_152);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Ok(Position(64)));
}

#[test]
fn every_metadata_field_reads_back() {
    let spec = LogSpec {
        kind: LogKind::Image,
        receiver_window_length: 3,
        socket_sndbuf_length: 4,
        entity_tag: 5,
        response_correlation_id: -2,
        linger_timeout_ns: 6,
        untethered_window_limit_timeout_ns: 7,
        untethered_linger_timeout_ns: -0x0102_0304_0506_0708,
        untethered_resting_timeout_ns: 9,
        group: true,
        is_response: true,
        rejoin: true,
        reliable: true,
        sparse: false,
        signal_eos: false,
        spies_simulate_connection: true,
        tether: true,
        ..golden_spec()
    };
    let log = log(&spec);
    let m = log.metadata();
    assert_eq!(log.kind(), Some(LogKind::Image));
    assert_eq!(m.correlation_id(), spec.correlation_id);
    assert_eq!(m.initial_term_id(), spec.initial_term_id);
    assert_eq!(
        (m.session_id(), m.stream_id()),
        (log.session_id(), log.stream_id())
    );
    assert_eq!(
        (m.session_id(), m.stream_id()),
        (spec.session_id, spec.stream_id)
    );
    assert_eq!(log.mtu_length(), spec.mtu_length);
    assert_eq!(log.max_payload_length(), 1376);
    assert_eq!(
        m.publication_window_length(),
        spec.publication_window_length
    );
    assert_eq!(m.receiver_window_length(), 3);
    assert_eq!(m.socket_sndbuf_length(), 4);
    assert_eq!(m.os_default_socket_sndbuf_length(), 212_992);
    assert_eq!(m.os_max_socket_sndbuf_length(), 4_194_304);
    assert_eq!(m.socket_rcvbuf_length(), 131_072);
    assert_eq!(m.os_default_socket_rcvbuf_length(), 212_992);
    assert_eq!(m.os_max_socket_rcvbuf_length(), 4_194_304);
    assert_eq!(m.max_resend(), 16);
    assert_eq!((m.entity_tag(), m.response_correlation_id()), (5, -2));
    assert_eq!(m.linger_timeout_ns(), 6);
    assert_eq!(m.untethered_window_limit_timeout_ns(), 7);
    assert_eq!(m.untethered_linger_timeout_ns(), -0x0102_0304_0506_0708);
    assert_eq!(m.untethered_resting_timeout_ns(), 9);
    assert!(m.group() && m.is_response() && m.rejoin() && m.reliable() && m.tether());
    assert!(!m.sparse() && !m.signal_eos() && m.spies_simulate_connection());
    assert_eq!(
        [0, 1, 2].map(|index| log.raw_tail(index)),
        [0; 3],
        "unused by images"
    );
}

#[test]
fn life_cycle_fields_are_shared_by_all_handles() {
    let memory = memory(&spec());
    let driver = LogBuffer::initialise(memory.clone(), &spec()).expect("legal");
    let client = LogBuffer::attach(memory).expect("a log");
    assert!(!client.is_connected() && !client.is_publication_revoked());
    assert_eq!(client.end_of_stream_position(), Position(i64::MAX));
    driver.set_connected(true);
    driver.set_end_of_stream_position(Position(96));
    driver.set_publication_revoked(true);
    driver.set_active_transport_count(2);
    assert!(client.is_connected() && client.is_publication_revoked());
    assert_eq!(client.end_of_stream_position(), Position(96));
    assert_eq!(client.active_transport_count(), 2);
}

fn tails(log: &LogBuffer) -> ([i64; 3], i32) {
    (
        [0, 1, 2].map(|index| log.raw_tail(index)),
        log.active_term_count(),
    )
}

#[test]
fn tails_of_fresh_logs() {
    let fresh = log(&spec());
    assert_eq!(tails(&fresh), ([5 << 32, 3 << 32, 4 << 32], 0));

    let started = log(&LogSpec {
        start: Some((TermId(7), TermOffset(4096))),
        ..spec()
    });
    assert_eq!(tails(&started), ([5 << 32, 6 << 32, (7 << 32) | 0x1000], 2));
    assert_eq!(started.producer_position(), Position(2 * 65536 + 4096));

    let negative = log(&LogSpec {
        initial_term_id: TermId(-1),
        ..spec()
    });
    assert_eq!(tails(&negative), ([-1 << 32, -3 << 32, -2 << 32], 0));
}

#[test]
fn tails_after_the_first_rotation() {
    let log = log(&LogSpec {
        start: Some((TermId(5), TermOffset(65_472))),
        ..spec()
    });
    assert_eq!(
        log.offer(NO_LIMIT, &[1; 1376]),
        Err(AppendError::AdminAction)
    );
    assert_eq!(tails(&log), ([(5 << 32) | 0x10540, 6 << 32, 4 << 32], 1));
    let term = log.term(0);
    assert_eq!(
        term.load_i32_relaxed(65_472),
        64,
        "padding to the end of the term"
    );
    assert_eq!(term.load_u8_relaxed(65_472 + 6), 0);
    assert_eq!(log.producer_position(), Position(65_536));
}

#[test]
fn lengths_of_64_kib_terms() {
    assert_eq!(max_message_length(TERM_LENGTH), 8192);
    assert_eq!(max_message_length(1 << 30), 16 << 20);
    assert_eq!(framed_length(8192, 1376), 8384);
    let geometry = TermGeometry::new(TermId(0), TERM_LENGTH).expect("legal");
    assert_eq!(geometry.max_possible_position(), Position(1 << 47));
    let geometry = TermGeometry::new(TermId(0), 1 << 30).expect("legal");
    assert_eq!(geometry.max_possible_position(), Position(1 << 61));
}

#[test]
fn appends_reserve_and_fragment() {
    type Frames = &'static [(i32, u8, u16)];
    let cases: [(usize, i64, Frames); 7] = [
        (0, 32, &[(32, 0xC0, 1)]),
        (5, 64, &[(37, 0xC0, 1)]),
        (1376, 1408, &[(1408, 0xC0, 1)]),
        (1377, 1472, &[(1408, 0x80, 1), (33, 0x40, 1)]),
        (2752, 2816, &[(1408, 0x80, 1), (1408, 0x40, 1)]),
        (3000, 3104, &[(1408, 0x80, 1), (1408, 0, 1), (280, 0x40, 1)]),
        (
            8192,
            8384,
            &[
                (1408, 0x80, 1),
                (1408, 0, 1),
                (1408, 0, 1),
                (1408, 0, 1),
                (1408, 0, 1),
                (1344, 0x40, 1),
            ],
        ),
    ];
    for (length, reserved, expected) in cases {
        let log = log(&spec());
        assert_eq!(
            log.offer(NO_LIMIT, &message(length, 1)),
            Ok(Position(reserved))
        );
        assert_eq!(log.raw_tail(0) & 0xFFFF_FFFF, reserved);
        let found: Vec<_> = frames(&log, 0).iter().map(|f| (f.0, f.1, f.2)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn bytes_of_a_frame() {
    let log = log(&spec());
    log.offer_with_reserved_value(NO_LIMIT, b"hello", |frame| {
        assert_eq!(&frame[32..], b"hello");
        0x0102_0304_0506_0708
    })
    .expect("room");
    let mut bytes = [0; 64];
    log.term(0).read_bytes(0, &mut bytes);
    assert_eq!(bytes[..4], [37, 0, 0, 0]);
    assert_eq!(bytes[4..8], [0, 0xC0, 1, 0]);
    assert_eq!(bytes[8..12], [0; 4]);
    assert_eq!(bytes[12..16], [0x44, 0x33, 0x22, 0x11]);
    assert_eq!(bytes[16..20], [0xE9, 3, 0, 0]);
    assert_eq!(bytes[20..24], [5, 0, 0, 0]);
    assert_eq!(bytes[24..32], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(&bytes[32..37], b"hello");
    assert_eq!(bytes[37..], [0; 27]);
}

#[test]
fn scans() {
    let log = log(&LogSpec {
        start: Some((TermId(5), TermOffset(4096))),
        ..spec()
    });
    log.offer(NO_LIMIT, b"hello").expect("room");
    log.offer(NO_LIMIT, &[1; 1376]).expect("room");
    let scan = log.scan(Position(4096), 1408);
    assert_eq!(
        (scan.available, scan.padding, scan.bytes.len()),
        (64, 0, 64)
    );
    let scan = log.scan(Position(4160), 1000);
    assert_eq!(
        (scan.available, scan.padding, scan.bytes.len()),
        (-1408, 0, 0)
    );
    let scan = log.scan(Position(4096), 1472);
    assert_eq!((scan.available, scan.padding), (1472, 0));

    let log = super::log(&LogSpec {
        start: Some((TermId(5), TermOffset(65_344))),
        ..spec()
    });
    assert_eq!(
        log.offer(NO_LIMIT, &[1; 200]),
        Err(AppendError::AdminAction)
    );
    let scan = log.scan(Position(65_344), 1408);
    assert_eq!(
        (scan.available, scan.padding, scan.bytes.len()),
        (32, 160, 32)
    );
}
