//! The oracle itself: what it lets pass, and what it does not.

use super::*;
use crate::logbuffer::{LogSpec, reader};
use crate::memory::AtomicBuffer;

const LIMIT: Position = Position(60_000);

fn log() -> LogBuffer {
    LogBuffer::initialise(AtomicBuffer::heap(200_704), &LogSpec::default()).expect("legal")
}

fn tag(sequence: u32) -> Tag {
    Tag {
        publisher: 1,
        sequence,
        is_plain: false,
    }
}

/// Publishes messages of these lengths.
fn publish(ledger: &mut Ledger, lengths: &[usize]) {
    for &length in lengths {
        let tag = tag(u32::try_from(ledger.len()).expect("few"));
        let mut message = vec![0; length];
        payload::fill(tag, &mut message);
        let end = ledger
            .log
            .offer_with_reserved_value(LIMIT, &message, |_| tag.reserved_value())
            .expect("room");
        ledger
            .append(end, length, tag, MessageState::Committed)
            .expect("in order");
    }
}

/// Reads fragments from `from`, leaving out the ones that `keep` refuses.
fn read(
    ledger: &Ledger,
    reading: &mut Reading,
    from: i64,
    mut keep: impl FnMut(usize) -> bool,
) -> Result<(), Breach> {
    let (mut result, mut count) = (Ok(()), 0);
    let polled = reader::poll(&ledger.log, Position(from), 100, |payload, header| {
        count += 1;
        if keep(count - 1) && result.is_ok() {
            result = reading.on_fragment(ledger, payload, header);
        }
    });
    result?;
    reading.on_position(ledger, polled.position.get())
}

#[test]
fn an_honest_stream_passes_from_any_fragment_on() {
    let mut ledger = Ledger::new((0, 0), 7, log());
    publish(&mut ledger, &[0, 1, 100, 1376, 1377, 8000, 5]);
    for (from, skipped) in [(0, 0), (32, 1), (96, 2), (256, 3)] {
        let mut reading = Reading::new(Position(from), true, false);
        assert_eq!(
            read(&ledger, &mut reading, from, |_| true),
            Ok(()),
            "{skipped}"
        );
        assert_eq!(reading.position(), ledger.producer_position());
    }
}

#[test]
fn a_missing_fragment_is_noticed_wherever_it_was() {
    let mut ledger = Ledger::new((0, 0), 7, log());
    publish(&mut ledger, &[0, 100, 3000, 5]);
    for missing in 0..6 {
        let mut reading = Reading::new(Position(0), true, false);
        let result = read(&ledger, &mut reading, 0, |index| index != missing);
        assert!(
            matches!(result, Err(Breach::Missing { .. })),
            "{missing}: {result:?}"
        );
        let mut reading = Reading::new(Position(0), false, false);
        let result = read(&ledger, &mut reading, 0, |index| index != missing);
        assert_eq!(result, Ok(()), "unreliable, {missing}");
    }
}

#[test]
fn what_comes_twice_is_noticed() {
    let mut ledger = Ledger::new((0, 0), 7, log());
    publish(&mut ledger, &[10, 20]);
    let mut reading = Reading::new(Position(0), false, false);
    assert_eq!(read(&ledger, &mut reading, 0, |_| true), Ok(()));
    let again = read(&ledger, &mut reading, 0, |_| true);
    assert!(matches!(again, Err(Breach::Again { .. })), "{again:?}");
}

#[test]
fn what_differs_from_the_ledger_is_noticed() {
    let mut honest = Ledger::new((0, 0), 7, log());
    publish(&mut honest, &[10]);
    let mut other = Ledger::new((0, 0), 7, honest.log.clone());
    let noted = |length, sequence, state| (Position(64), length, tag(sequence), state);
    for (end, length, tag, state) in [
        noted(11, 0, MessageState::Committed),
        noted(10, 1, MessageState::Committed),
        noted(10, 0, MessageState::Void),
    ] {
        other.messages.clear();
        other.published = 0;
        other.append(end, length, tag, state).expect("in order");
        let mut reading = Reading::new(Position(0), true, false);
        let result = read(&other, &mut reading, 0, |_| true);
        assert!(result.is_err(), "{length} {tag:?} {state:?}");
    }
    other.messages.clear();
    let mut reading = Reading::new(Position(0), true, false);
    let result = read(&other, &mut reading, 0, |_| true);
    assert_eq!(result, Err(Breach::Unknown { begin: 0 }));
}

#[test]
fn appends_may_not_overlap() {
    let mut ledger = Ledger::new((0, 0), 7, log());
    let append = |ledger: &mut Ledger, end| {
        ledger.append(Position(end), 40, tag(0), MessageState::Committed)
    };
    assert_eq!(append(&mut ledger, 96), Ok(0));
    assert!(matches!(
        append(&mut ledger, 160),
        Err(Breach::Overlap { .. })
    ));
    assert_eq!(append(&mut ledger, 1000), Ok(1));
}
