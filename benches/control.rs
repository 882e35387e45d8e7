//! What the control structures cost: frames parsed, commands through the ring, events through the
//! broadcast, counters. One thread does everything.

use std::hint::black_box;

use aileron::base::{ReceiverId, SessionId, StreamId, TermId, TermOffset};
use aileron::concurrent::{
    AtomicCounter, BROADCAST_TRAILER_LENGTH, BoundedQueue, RING_TRAILER_LENGTH, ReadAction,
    Receiver, RingBuffer, RingConsumer, Transmitter,
};
use aileron::memory::AtomicBuffer;
use aileron::protocol::{DataHeader, Frame, Nak, SocketRole, StatusMessage};
use criterion::{Criterion, criterion_group, criterion_main};

const CAPACITY: usize = 1024 * 1024;

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let mut data = vec![7; 1408];
    let mut header = [0; DataHeader::LENGTH];
    DataHeader {
        frame_length: 1408,
        ..DataHeader::heartbeat(SessionId(1), StreamId(2), TermId(3), TermOffset(0), 0xC0)
    }
    .encode(&mut header);
    data[..header.len()].copy_from_slice(&header);
    let mut nak = [0; Nak::LENGTH];
    Nak {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        term_id: TermId(3),
        term_offset: TermOffset(64),
        length: 1408,
    }
    .encode(&mut nak);
    let mut status = [0; StatusMessage::MAX_LENGTH];
    let message = StatusMessage::setup_request(SessionId(1), StreamId(2), ReceiverId(9), None);
    let length = message.encode(&mut status);
    for (name, role, bytes) in [
        ("parse_data", SocketRole::Receive, data.as_slice()),
        ("parse_nak", SocketRole::Send, nak.as_slice()),
        ("parse_status_message", SocketRole::Send, &status[..length]),
    ] {
        group.bench_function(name, |b| {
            b.iter(|| Frame::parse_for(role, black_box(bytes)).is_ok());
        });
    }
    group.finish();
}

fn queues(c: &mut Criterion) {
    let mut group = c.benchmark_group("queue");
    let buffer = AtomicBuffer::heap(CAPACITY + RING_TRAILER_LENGTH);
    let ring = RingBuffer::new(buffer).expect("a legal capacity");
    let mut consumer = RingConsumer::new(ring.clone());
    group.bench_function("ring_write_and_read/64", |b| {
        b.iter(|| {
            ring.write(7, black_box(&[1; 64])).expect("room");
            consumer.read(1, |_, payload| {
                black_box(payload);
                ReadAction::Continue
            })
        });
    });
    group.bench_function("ring_read_nothing", |b| {
        b.iter(|| consumer.read(1, |_, _| ReadAction::Continue));
    });
    let buffer = AtomicBuffer::heap(CAPACITY + BROADCAST_TRAILER_LENGTH);
    let mut transmitter = Transmitter::new(buffer.clone()).expect("a legal capacity");
    let mut receiver = Receiver::new(buffer).expect("a legal capacity");
    group.bench_function("broadcast_transmit_and_receive/64", |b| {
        b.iter(|| {
            transmitter
                .transmit(7, black_box(&[1; 64]))
                .expect("short enough");
            receiver.receive(|_, payload| {
                black_box(payload);
            })
        });
    });
    group.bench_function("broadcast_receive_nothing", |b| {
        b.iter(|| receiver.receive(|_, _| {}));
    });
    let queue = BoundedQueue::new(1024);
    group.bench_function("bounded_queue_push_and_pop", |b| {
        b.iter(|| {
            queue.push(black_box(1_u64)).expect("room");
            queue.pop()
        });
    });
    group.bench_function("bounded_queue_pop_nothing", |b| b.iter(|| queue.pop()));
    let counter = AtomicCounter::detached(0);
    group.bench_function("counter_increment_single_writer", |b| {
        b.iter(|| black_box(&counter).increment_single_writer());
    });
    group.finish();
}

criterion_group!(benches, frames, queues);
criterion_main!(benches);
