//! The ring between its two ends, and in the hands of those who wish it ill.

use std::thread;

use super::layout::{header, lane, slot};
use super::*;
use crate::base::{EpochMillis, Nanos, Rng};
use crate::memory::AtomicBuffer;

const START: (Nanos, EpochMillis) = (Nanos(1_000), EpochMillis(50));

fn file(lanes: &[&str], slots: usize) -> (AtomicBuffer, EventFile) {
    let buffer = AtomicBuffer::heap(EventFile::length(lanes.len(), slots));
    let file = EventFile::create(buffer.clone(), lanes, START, 9).expect("right length");
    (buffer, file)
}

fn numbered(writer: &EventWriter, number: i64) {
    let text = format!("client number {number}");
    writer.emit(
        Nanos(number),
        EventKind::CmdOutError,
        &[number, -number],
        &text,
    );
}

#[test]
fn events_come_back_as_they_were_written() {
    let (buffer, file) = file(&["conductor", "sender"], 8);
    let conductor = file.writer(0, EventSet::all());
    let long = "x".repeat(EVENT_TEXT_LENGTH_MAX + 1);
    conductor.emit(
        Nanos(2_000),
        EventKind::CmdInAddPublication,
        &[1, 2, 3],
        "aeron:ipc",
    );
    conductor.emit(Nanos(3_000), EventKind::CmdOutError, &[4, 5], &long);
    let mut reader = EventReader::attach(buffer).expect("a file");
    assert_eq!((reader.pid(), reader.start()), (9, EpochMillis(50)));
    let first = reader.next_event().expect("the first");
    assert_eq!(first.kind(), Some(EventKind::CmdInAddPublication));
    assert_eq!(first.agent(), "conductor");
    assert_eq!(first.epoch_ns(), 50_001_000);
    assert_eq!(first.value("stream-id"), Some(3));
    assert_eq!(
        (first.text_name(), first.text()),
        (Some("channel"), "aeron:ipc")
    );
    let second = reader.next_event().expect("the second");
    assert!(second.is_cut() && second.text().len() == EVENT_TEXT_LENGTH_MAX);
    assert!(second.to_string().ends_with("xxx..."));
    assert_eq!(reader.next_event(), None);
}

#[test]
fn lanes_are_merged_by_time_and_late_readers_learn_what_they_missed() {
    let (buffer, file) = file(&["a", "b"], 4);
    let writers = [
        file.writer(0, EventSet::all()),
        file.writer(1, EventSet::all()),
    ];
    for number in 0..10 {
        numbered(&writers[usize::from(number % 2 == 1)], number);
    }
    let mut reader = EventReader::attach(buffer).expect("a file");
    let times: Vec<_> = std::iter::from_fn(|| reader.next_event())
        .map(|e| e.time().get())
        .collect();
    assert_eq!(times, [2, 3, 4, 5, 6, 7, 8, 9], "the last four of each");
    assert_eq!(
        reader.lost(),
        0,
        "nothing was written over since it attached"
    );
    for number in 10..20 {
        numbered(&writers[0], number);
    }
    let times: Vec<_> = std::iter::from_fn(|| reader.next_event())
        .map(|e| e.time().get())
        .collect();
    assert_eq!(times, [16, 17, 18, 19]);
    assert_eq!(reader.lost(), 6);
    numbered(&writers[1], 20);
    reader.skip_to_end();
    numbered(&writers[1], 21);
    assert_eq!(reader.next_event().map(|e| e.time().get()), Some(21));
}

#[test]
fn what_is_not_wanted_is_not_written() {
    let (buffer, file) = file(&["a"], 4);
    let wanted = EventSet::parse("nak").expect("a family");
    let writer = file.writer(0, wanted);
    assert!(writer.is_on() && writer.wants(EventKind::NakSent));
    assert!(!writer.wants(EventKind::CmdOutError));
    numbered(&writer, 1);
    assert_eq!(
        EventReader::attach(buffer).expect("a file").next_event(),
        None
    );
    assert!(!file.writer(0, EventSet::NONE).is_on());
}

#[test]
fn event_that_its_writer_never_finished_does_not_exist() {
    let (buffer, file) = file(&["a"], 4);
    let writer = file.writer(0, EventSet::all());
    numbered(&writer, 0);
    // Killed in the middle of the next one: stamped as begun, and not counted.
    let at = header::LENGTH + lane::SLOTS + EVENT_SLOT_LENGTH;
    buffer.store_i64_relaxed(at + slot::STAMP, 3);
    let mut reader = EventReader::attach(buffer.clone()).expect("a file");
    assert!(reader.next_event().is_some());
    assert_eq!((reader.next_event(), reader.lost()), (None, 0));
    // Another process goes on in the same file.
    numbered(&writer, 1);
    assert_eq!(reader.next_event().map(|e| e.number()), Some(1));
}

#[test]
fn broken_files_are_refused() {
    let (buffer, _file) = file(&["a"], 4);
    let refused = |offset: usize, value: i32| {
        let before = buffer.load_i32_relaxed(offset);
        buffer.store_i32_relaxed(offset, value);
        let error = EventReader::attach(buffer.clone()).expect_err("damaged");
        buffer.store_i32_relaxed(offset, before);
        error.to_string()
    };
    assert!(refused(header::VERSION, 2).contains("version 2"));
    for (offset, value) in [
        (header::LANES, -1),
        (header::LANES, 2),
        (header::SLOTS, 3),
        (header::SLOTS, 0),
        (header::SLOTS, i32::MAX),
        (header::SLOT_LENGTH, 64),
    ] {
        assert!(
            refused(offset, value).contains("damaged"),
            "{offset} {value}"
        );
    }
    assert!(EventReader::attach(buffer).is_ok());
    let agents = ["a"];
    for length in [0, 100, EventFile::length(1, 3), EventFile::length(1, 4) + 8] {
        let made = EventFile::create(AtomicBuffer::heap(length), &agents, START, 1);
        assert!(made.is_err(), "{length}");
    }
}

#[test]
fn hostile_content_costs_events_and_nothing_else() {
    let mut rng = Rng::new(5);
    for _ in 0..200 {
        let (buffer, file) = file(&["a", "b"], 8);
        let writer = file.writer(0, EventSet::all());
        let mut reader = EventReader::attach(buffer.clone()).expect("a file");
        for number in 0..20 {
            numbered(&writer, number);
            let words = (buffer.len() - header::LENGTH) / 8;
            let at = header::LENGTH
                + 8 * (usize::try_from(rng.next_u64() >> 33).expect("31 bits") % words);
            buffer.store_i64_relaxed(at, rng.next_u64().cast_signed());
            if number % 5 == 0 {
                buffer.store_i64_relaxed(header::LENGTH, rng.next_u64().cast_signed());
            }
            for _ in 0..32 {
                let Some(event) = reader.next_event() else {
                    break;
                };
                let _ = event.to_string();
            }
        }
    }
}

#[test]
fn reader_of_a_busy_lane_never_sees_a_mixture() {
    const LAST: i64 = 100_000;
    let (buffer, file) = file(&["a"], 8);
    let writer = file.writer(0, EventSet::all());
    let mut reader = EventReader::attach(buffer).expect("a file");
    thread::scope(|scope| {
        // The reader ends where it reads: sanitizers do not see threads join.
        scope.spawn(move || {
            let (mut seen, mut last) = (0_u64, -1);
            while last < LAST {
                let Some(event) = reader.next_event() else {
                    thread::yield_now();
                    continue;
                };
                let number = event.number();
                assert!(number > last);
                assert_eq!(event.time(), Nanos(number));
                assert_eq!(event.value("correlation-id"), Some(number));
                assert_eq!(event.value("error-code"), Some(-number));
                assert_eq!(event.text(), format!("client number {number}"));
                last = number;
                seen += 1;
            }
            assert_eq!(
                seen + reader.lost(),
                LAST.cast_unsigned() + 1,
                "each is read or missed"
            );
        });
        for number in 0..=LAST {
            numbered(&writer, number);
        }
    });
}
