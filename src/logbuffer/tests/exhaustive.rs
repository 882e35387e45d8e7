//! All cases there are, where there are few: every way in which a short piece of a term can be
//! filled, from every place and up to every mark; every place of some terms where numbers wrap.

use super::*;
use crate::base::TermOffset;
use crate::logbuffer::Gap;

/// Slots of 32 bytes that are filled in every way.
const SLOTS: i32 = 7;
const SLOT: i32 = 32;

/// What begins in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    Nothing,
    /// A frame of so many slots.
    Frame(i32),
}

/// Every way to fill `slots` slots with nothing and with frames of one to three slots.
fn fillings(slots: i32) -> Vec<Vec<(i32, Begin)>> {
    fn extend(at: i32, slots: i32, so_far: &[(i32, Begin)], all: &mut Vec<Vec<(i32, Begin)>>) {
        if at == slots {
            all.push(so_far.to_vec());
            return;
        }
        let mut choices = vec![(1, Begin::Nothing)];
        choices.extend((1..=3).map(|length| (length, Begin::Frame(length))));
        for (length, begin) in choices
            .into_iter()
            .filter(|(length, _)| at + length <= slots)
        {
            let mut next = so_far.to_vec();
            next.push((at, begin));
            extend(at + length, slots, &next, all);
        }
    }
    let mut all = Vec::new();
    extend(0, slots, &[], &mut all);
    all
}

/// Slots in which nothing lies, found one by one.
fn is_empty_at(filling: &[(i32, Begin)], slot: i32) -> bool {
    !filling.iter().any(|(at, begin)| match begin {
        Begin::Frame(length) => (*at..at + length).contains(&slot),
        Begin::Nothing => false,
    })
}

/// A term whose last slots are filled in one way.
struct Piece {
    log: LogBuffer,
    begin: i32,
}

impl Piece {
    fn new(filling: &[(i32, Begin)], at_end: bool) -> Self {
        let begin = if at_end {
            TERM_LENGTH - SLOTS * SLOT
        } else {
            0
        };
        let piece = Self {
            log: log(&spec()),
            begin,
        };
        piece.fill(filling);
        piece
    }

    fn fill(&self, filling: &[(i32, Begin)]) {
        for (at, begin) in filling {
            if let Begin::Frame(length) = begin {
                let offset = size(self.begin + at * SLOT);
                // The shortest frame that takes so many slots.
                let frame_length = (length - 1) * SLOT + 1;
                self.log
                    .term(0)
                    .store_i32_release(offset, frame_length.max(SLOT));
            }
        }
    }

    fn position(&self, slot: i32) -> Position {
        Position(i64::from(self.begin + slot * SLOT))
    }
}

#[test]
fn every_gap_is_found_from_every_frame_and_up_to_every_mark() {
    for filling in fillings(SLOTS) {
        for at_end in [false, true] {
            let piece = Piece::new(&filling, at_end);
            for (from, _) in &filling {
                for mark in *from..=SLOTS {
                    let scan = piece
                        .log
                        .scan_gap(piece.position(*from), piece.position(mark));
                    assert!(!scan.is_corrupt);
                    let mut first = *from;
                    while first < mark && !is_empty_at(&filling, first) {
                        first += 1;
                        while first < SLOTS && !filling.iter().any(|(at, _)| *at == first) {
                            first += 1;
                        }
                    }
                    let context = format!("{filling:?} from {from} to {mark}");
                    assert_eq!(scan.contiguous, piece.position(first), "{context}");
                    let mut end = first;
                    while end < mark && is_empty_at(&filling, end) {
                        end += 1;
                    }
                    let gap = (first < mark).then(|| Gap {
                        term_id: TermId(5),
                        term_offset: TermOffset(piece.begin + first * SLOT),
                        length: (end - first) * SLOT,
                    });
                    assert_eq!(scan.gap, gap, "{context}");
                }
            }
        }
    }
}

#[test]
fn every_range_is_filled_if_it_is_empty_and_left_alone_if_not() {
    const SHORT: i32 = 5;
    for filling in fillings(SHORT) {
        for first in 0..SHORT {
            for end in first + 1..=SHORT {
                let piece = Piece::new(&filling, false);
                let gap = Gap {
                    term_id: TermId(5),
                    term_offset: TermOffset(first * SLOT),
                    length: (end - first) * SLOT,
                };
                // Only state words count: what lies within a longer frame looks empty, and whoever
                // asks has found the gap behind frames.
                let is_begin = |slot: i32| {
                    let mut begins = filling.iter();
                    begins.any(|(at, begin)| *at == slot && *begin != Begin::Nothing)
                };
                let is_empty = !(first..end).any(is_begin);
                assert_eq!(piece.log.fill_gap(gap), is_empty, "{filling:?} {gap:?}");
                let word = piece.log.term(0).load_i32_acquire(size(first * SLOT));
                if is_empty {
                    assert_eq!(word, gap.length);
                }
            }
        }
    }
}

#[test]
fn every_place_of_a_term_has_one_position() {
    for initial in [0, 1, -1, i32::MAX, i32::MIN, 1234] {
        let spec = LogSpec {
            initial_term_id: TermId(initial),
            ..spec()
        };
        let geometry = log(&spec).geometry();
        for count in [0, 1, 2, 3, 1_000_000, i32::MAX - 1, i32::MAX] {
            let term_id = TermId(initial).plus(count);
            let term_begin = i64::from(count) * i64::from(TERM_LENGTH);
            for offset in (0..TERM_LENGTH).step_by(size(SLOT)) {
                let position = geometry.position(term_id, TermOffset(offset));
                assert_eq!(position.get(), term_begin + i64::from(offset));
                assert_eq!(geometry.term_id_at(position), term_id);
                assert_eq!(geometry.term_offset_at(position), TermOffset(offset));
                assert_eq!(geometry.term_begin(position).get(), term_begin);
                assert_eq!(geometry.index_at(position), size(count % 3));
            }
        }
    }
}
