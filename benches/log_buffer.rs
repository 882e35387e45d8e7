//! What one message or datagram costs in a log: append, claim, read, scan, insert, look for gaps.
//!
//! The logs are heap memory and one thread does everything, so these are instruction costs; what
//! passing cache lines between processors adds is measured by `aileron-bench`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aileron::base::{Position, TermOffset};
use aileron::client::{self, FragmentAssembler};
use aileron::logbuffer::{
    AppendError, ExclusiveAppender, LogBuffer, LogKind, LogSpec, log_length, reader,
};
use aileron::memory::AtomicBuffer;
use aileron::protocol::DataHeader;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const TERM_LENGTH: i32 = 1024 * 1024;
const NO_LIMIT: Position = Position(i64::MAX);
const LENGTHS: [usize; 3] = [32, 256, 1024];
const MTU: usize = 1408;

fn log(kind: LogKind) -> LogBuffer {
    let spec = LogSpec {
        kind,
        term_length: TERM_LENGTH,
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(spec.term_length, spec.page_size)).expect("a length");
    LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("a legal log")
}

/// Appends without regard to what is consumed, again when the term turned.
fn append(mut offer: impl FnMut() -> Result<Position, AppendError>) -> Position {
    loop {
        match offer() {
            Ok(position) => return position,
            Err(AppendError::AdminAction) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn appends(c: &mut Criterion) {
    let mut group = c.benchmark_group("append");
    for length in LENGTHS {
        let message = vec![7; length];
        group.throughput(Throughput::Elements(1));
        let mut exclusive = ExclusiveAppender::new(log(LogKind::Exclusive)).expect("a fresh log");
        group.bench_function(BenchmarkId::new("exclusive_offer", length), |b| {
            b.iter(|| append(|| exclusive.offer(NO_LIMIT, black_box(&message))));
        });
        group.bench_function(BenchmarkId::new("exclusive_claim", length), |b| {
            b.iter(|| {
                append(|| {
                    let mut claim = exclusive.claim(NO_LIMIT, black_box(length))?;
                    claim.bytes_mut().copy_from_slice(&message);
                    Ok(claim.commit())
                })
            });
        });
        let shared = log(LogKind::Concurrent);
        group.bench_function(BenchmarkId::new("concurrent_offer", length), |b| {
            b.iter(|| append(|| shared.offer(NO_LIMIT, black_box(&message))));
        });
        group.bench_function(BenchmarkId::new("concurrent_claim", length), |b| {
            b.iter(|| {
                append(|| {
                    let mut claim = shared.claim(NO_LIMIT, black_box(length))?;
                    claim.bytes_mut().copy_from_slice(&message);
                    Ok(claim.commit())
                })
            });
        });
    }
    let message = vec![7; 16 * 1024];
    let mut exclusive = ExclusiveAppender::new(log(LogKind::Exclusive)).expect("a fresh log");
    group.bench_function("exclusive_offer_fragmented/16384", |b| {
        b.iter(|| append(|| exclusive.offer(NO_LIMIT, black_box(&message))));
    });
    group.finish();
}

fn reads(c: &mut Criterion) {
    const FRAMES: usize = 256;
    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(FRAMES as u64));
    for length in LENGTHS {
        let log = log(LogKind::Exclusive);
        let mut appender = ExclusiveAppender::new(log.clone()).expect("a fresh log");
        for _ in 0..FRAMES {
            append(|| appender.offer(NO_LIMIT, &vec![7; length]));
        }
        group.bench_function(BenchmarkId::new("poll_256", length), |b| {
            b.iter(|| {
                let mut bytes = 0;
                let polled = reader::poll(&log, black_box(Position(0)), FRAMES, |payload, _| {
                    bytes += payload.len();
                });
                assert_eq!(polled.fragments, FRAMES);
                bytes
            });
        });
    }
    // Eight messages in fragments, as an application polls them.
    let fragmented = log(LogKind::Exclusive);
    let mut appender = ExclusiveAppender::new(fragmented.clone()).expect("a fresh log");
    let length = 16 * 1024;
    for _ in 0..8 {
        append(|| appender.offer(NO_LIMIT, &vec![7; length]));
    }
    let mut assembler = FragmentAssembler::new();
    group.throughput(Throughput::Bytes(8 * length as u64));
    group.bench_function(BenchmarkId::new("poll_assembled_8", length), |b| {
        b.iter(|| {
            let mut bytes = 0;
            let polled = reader::poll(
                &fragmented,
                black_box(Position(0)),
                FRAMES,
                |payload, header| {
                    let header = client::Header::new(*header, None);
                    assembler.on_fragment(payload, &header, |message, _| bytes += message.len());
                },
            );
            assert!(polled.fragments > 8);
            assert_eq!(bytes, 8 * length);
        });
    });
    group.throughput(Throughput::Elements(1));
    let log = log(LogKind::Exclusive);
    let mut appender = ExclusiveAppender::new(log.clone()).expect("a fresh log");
    for _ in 0..FRAMES {
        append(|| appender.offer(NO_LIMIT, &[7; 32]));
    }
    group.bench_function("scan_datagram_of_32_byte_messages", |b| {
        b.iter(|| log.scan(black_box(Position(0)), 1408).available);
    });
    group.bench_function("poll_nothing", |b| {
        let end = appender.position();
        b.iter(|| reader::poll(&log, black_box(end), 10, |_, _| {}).fragments);
    });
    group.finish();
}

/// A datagram with one frame that fills it.
fn datagram(offset: i32) -> Vec<u8> {
    let log = log(LogKind::Image);
    let length = i32::try_from(MTU).expect("small");
    let mut header = [0; DataHeader::LENGTH];
    DataHeader {
        frame_length: length,
        term_offset: TermOffset(offset),
        ..DataHeader::heartbeat(
            log.session_id(),
            log.stream_id(),
            log.geometry().initial_term_id(),
            TermOffset(offset),
            0xC0,
        )
    }
    .encode(&mut header);
    let mut datagram = vec![7; MTU];
    datagram[..header.len()].copy_from_slice(&header);
    datagram
}

fn rebuilds(c: &mut Criterion) {
    let mut group = c.benchmark_group("rebuild");
    let geometry = log(LogKind::Image).geometry();
    let one = datagram(0);
    group.bench_function("validate/1408", |b| {
        b.iter(|| geometry.validate_datagram(TermOffset(0), black_box(&one)));
    });
    let image = log(LogKind::Image);
    let length = i64::try_from(MTU).expect("small");
    let count = i64::from(TERM_LENGTH) / length;
    group.bench_function("insert/1408", |b| {
        b.iter_custom(|iterations| {
            // Cleaning a term between passes is not part of it.
            let mut elapsed = Duration::ZERO;
            let mut left = iterations;
            while left > 0 {
                image.clean(Position(0), Position(i64::from(TERM_LENGTH)));
                let pass = left.min(count.unsigned_abs());
                let start = Instant::now();
                for n in 0..pass.cast_signed() {
                    assert!(image.insert(Position(n * length), black_box(&one)));
                }
                elapsed += start.elapsed();
                left -= pass;
            }
            elapsed
        });
    });
    // 64 datagrams in order, then a hole of one, then one more.
    let image = log(LogKind::Image);
    for n in (0..64).chain([65]) {
        assert!(image.insert(Position(n * length), &one));
    }
    group.bench_function("scan_gap/contiguous_64", |b| {
        b.iter(|| {
            image
                .scan_gap(black_box(Position(0)), Position(64 * length))
                .contiguous
        });
    });
    group.bench_function("scan_gap/at_a_hole", |b| {
        let (rebuild, hwm) = (Position(64 * length), Position(66 * length));
        b.iter(|| image.scan_gap(black_box(rebuild), hwm).gap);
    });
    group.finish();
}

criterion_group!(benches, appends, reads, rebuilds);
criterion_main!(benches);
