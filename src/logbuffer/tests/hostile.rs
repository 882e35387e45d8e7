//! Memory that another process has scribbled over: errors and reports, never a panic.

use crate::base::{Position, Rng, TermId, TermOffset};
use crate::logbuffer::reader::{self, Action};
use crate::logbuffer::{
    AppendError, ExclusiveAppender, Gap, Header, LogBuffer, LogBufferError, LogSpec,
    METADATA_LENGTH,
};
use crate::memory::AtomicBuffer;

use super::{NO_LIMIT, exclusive, log, memory, spec};

fn attach_with(at: usize, value: i32) -> Result<LogBuffer, LogBufferError> {
    let memory = memory(&spec());
    LogBuffer::initialise(memory.clone(), &spec()).expect("legal");
    memory.store_i32_release(memory.len() - METADATA_LENGTH + at, value);
    LogBuffer::attach(memory)
}

#[test]
fn lengths_in_the_metadata_are_checked() {
    let fault = |at, value| attach_with(at, value).map(drop);
    for value in [0, -1, 32768, 65537, i32::MIN] {
        assert_eq!(fault(276, value), Err(LogBufferError::TermLength(value)));
    }
    for value in [0, 1, 4095, -4096, i32::MAX] {
        assert_eq!(fault(280, value), Err(LogBufferError::PageSize(value)));
    }
    for value in [0, 32, 63, 1409, 65536, -64] {
        assert_eq!(fault(272, value), Err(LogBufferError::MtuLength(value)));
    }
    assert_eq!(fault(268, 24), Err(LogBufferError::HeaderLength(24)));
    let longer = LogBufferError::Length {
        actual: 200_704,
        needed: 3 * 131_072 + 4096,
    };
    assert_eq!(fault(276, 131_072), Err(longer));
    let longest = attach_with(276, 1 << 30).map(drop).expect_err("too long");
    assert!(longest.to_string().contains("3221229568"), "{longest}");
}

#[test]
fn buffers_of_any_length_are_refused_or_opened() {
    for length in [1, 8, 4095, 4096, 4097, 8192, 65536, 200_703, 200_705] {
        assert!(LogBuffer::attach(AtomicBuffer::heap(length)).is_err());
        assert!(LogBuffer::initialise(AtomicBuffer::heap(length), &spec()).is_err());
    }
}

#[test]
fn specs_are_checked_before_anything_is_written() {
    let start = |term_id, offset| LogSpec {
        start: Some((TermId(term_id), TermOffset(offset))),
        ..spec()
    };
    for wrong in [start(4, 0), start(5, -32), start(5, 65568), start(5, 33)] {
        let memory = memory(&wrong);
        let error = LogBuffer::initialise(memory.clone(), &wrong).expect_err("illegal");
        assert!(matches!(error, LogBufferError::Start(..)));
        assert_eq!(
            memory.load_i32_relaxed(memory.len() - METADATA_LENGTH + 276),
            0
        );
    }
    let wrong = LogSpec {
        mtu_length: 100,
        ..spec()
    };
    assert_eq!(wrong.check(), Err(LogBufferError::MtuLength(100)));
}

/// A position that may be anything, but often is a plausible one.
fn position(rng: &mut Rng) -> Position {
    let raw = rng.next_u64().cast_signed();
    Position(match rng.below(4) {
        0 => raw,
        1 => raw >> 16,
        2 => (raw & 0x7_FFFF) & !31,
        _ => raw & 0xF_FFFF,
    })
}

fn word(rng: &mut Rng) -> i32 {
    let raw = rng.next_i32();
    match rng.below(6) {
        0 => raw,
        1 => raw & 0xFFFF,
        2 => raw & 0xFFE0,
        3 => -(raw & 0xFFE0),
        4 => (raw & 0x7F) * 32,
        _ => 0,
    }
}

fn gap(rng: &mut Rng) -> Gap {
    Gap {
        term_id: TermId(word(rng)),
        term_offset: TermOffset(word(rng)),
        length: word(rng),
    }
}

/// Every operation once, with whatever arguments; they may do anything but panic.
fn exercise(log: &LogBuffer, rng: &mut Rng) {
    let at = position(rng);
    let other = position(rng);
    let limit = usize::try_from(rng.below(20)).expect("small");
    let mut sum = 0_u64;
    let mut look = |payload: &[u8], header: &Header<'_>| {
        sum = payload.iter().fold(sum, |sum, byte| sum + u64::from(*byte));
        let _ = (
            header.position(),
            header.next_term_offset(),
            format!("{header:?}"),
        );
        let _ = Header::assembled(header.as_bytes(), header.geometry(), 0).position();
    };
    let actions = [
        Action::Abort,
        Action::Break,
        Action::Commit,
        Action::Continue,
    ];
    let action = actions[usize::try_from(rng.below(4)).expect("small")];
    let _ = reader::poll(log, at, limit, &mut look);
    let _ = reader::bounded_poll(log, at, other, limit, &mut look);
    let _ = reader::controlled_poll(
        log,
        at,
        limit,
        |_| {},
        |payload, header| {
            look(payload, header);
            action
        },
    );
    let _ = reader::peek(log, at, other, |payload, header| {
        look(payload, header);
        action
    });
    let _ = reader::block_poll(log, at, limit * 100, |block| {
        assert!(!block.bytes.is_empty());
    });
    let scan = log.scan(at, word(rng));
    assert_eq!(
        scan.bytes.len(),
        usize::try_from(scan.available).unwrap_or(0)
    );
    let found = log.scan_gap(at, other);
    if let Some(gap) = found.gap
        && rng.chance(1, 2)
    {
        log.fill_gap(gap);
    }
    log.fill_gap(gap(rng));
    let mut datagram = vec![0; usize::try_from(rng.below(100)).expect("small") * 16];
    for chunk in datagram.chunks_exact_mut(4) {
        chunk.copy_from_slice(&word(rng).to_le_bytes());
    }
    let _ = log.validate_datagram(TermOffset(word(rng)), &datagram);
    log.insert(at, &datagram);
    log.unblock(other);
    if rng.chance(1, 8) {
        log.clean(at, other);
    }
    let _ = log.producer_position();
    let message = vec![1; usize::try_from(rng.below(9000)).expect("small")];
    let _ = log.offer(other, &message);
    let _ = log.claim(other, message.len()).map(drop);
    if let Ok(mut appender) = ExclusiveAppender::new(log.clone()) {
        let _ = appender.offer(other, &message);
        let _ = appender.append_padding(other, message.len());
        let _ = appender.offer_block(other, &datagram);
    }
}

/// Overwrites random words of the terms and of the changing part of the metadata.
fn scribble(memory: &AtomicBuffer, rng: &mut Rng) {
    let base = memory.len() - METADATA_LENGTH;
    for _ in 0..rng.below(40) {
        let at = usize::try_from(rng.below(base as u64)).expect("small") & !31;
        memory.store_i32_release(at, word(rng));
        let field = at + usize::try_from(rng.below(8)).expect("small") * 4;
        memory.store_i32_release(field, word(rng));
    }
    if rng.chance(1, 2) {
        let at = usize::try_from(rng.below(7)).expect("small") * 4;
        memory.store_i32_release(base + at, word(rng));
    }
}

#[test]
fn no_scribbling_makes_an_operation_panic() {
    let seeds = if cfg!(miri) { 1 } else { 60 };
    for seed in 0..seeds {
        let mut rng = Rng::new(seed);
        let spec = if rng.chance(1, 2) {
            spec()
        } else {
            exclusive()
        };
        let memory = memory(&spec);
        let log = LogBuffer::initialise(memory.clone(), &spec).expect("legal");
        for _ in 0..100 {
            scribble(&memory, &mut rng);
            exercise(&log, &mut rng);
        }
    }
}

#[test]
fn no_metadata_makes_attaching_panic() {
    let mut opened = 0;
    for seed in 0..if cfg!(miri) { 2 } else { 300 } {
        let mut rng = Rng::new(seed);
        let memory = memory(&spec());
        LogBuffer::initialise(memory.clone(), &spec()).expect("legal");
        let base = memory.len() - METADATA_LENGTH;
        for _ in 0..=rng.below(6) {
            let at = usize::try_from(rng.below(128)).expect("small") * 4;
            memory.store_i32_release(base + at, word(&mut rng));
        }
        if let Ok(log) = LogBuffer::attach(memory.clone()) {
            opened += 1;
            for _ in 0..10 {
                exercise(&log, &mut rng);
            }
        }
    }
    assert!(opened > 0);
}

#[test]
fn an_unaligned_tail_is_reported() {
    let log = log(&spec());
    log.metadata().set_tail(0, TermId(5), 7);
    assert_eq!(log.offer(NO_LIMIT, b"x"), Err(AppendError::Corrupt));
    assert!(!AppendError::Corrupt.is_retryable());
}
