//! All gaps of an image that the receiver knows of, in the order of the stream.
//!
//! ```text
//!   floor                                                                  hwm
//!     │■■■■■■■│░░░ gap ░░░│■■■■■■■│░ gap ░│■■■■■■■■■■■■■│░░░░ gap ░░░░│■■■■■│
//! ```
//!
//! The receiver alone puts datagrams into the log of an image, so it need not look into the log to
//! know what is missing: a datagram that begins behind the high-water mark leaves a gap in front of
//! it, one that falls into a gap fills it, cuts it short or splits it. The table is bounded. When
//! it is full, what lies behind its last gap is left for later: the log is read again from there
//! once there is room.
//!
//! A gap is one for as long as nothing of it comes, however long it is: where frames begin in it,
//! nobody knows but its sender, who sends nothing again from the middle of one.
//!
//! Invariants: gaps are not empty, do not overlap, ascend, end at or below the high-water mark, and
//! none reaches over the end of a term.

use std::collections::VecDeque;

use crate::base::{Nanos, Position};
use crate::logbuffer::{LogBuffer, TermGeometry};

/// Gaps looked for at a time when the log is read again.
const FOUND_MAX: usize = 64;

/// A range that is missing, and what has been done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// First byte.
    pub(super) begin: Position,
    /// Behind the last byte.
    pub(super) end: Position,
    /// How often it was asked for, not counting repetitions meant for the same answer.
    pub(super) rounds: u32,
    /// How often the request of the present round has been repeated.
    pub(super) repeats: u8,
    /// Whether a part of it has come since it was asked for.
    pub(super) is_answered: bool,
    /// When it is due, if it was never asked for; else when the present round began.
    pub(super) time: Nanos,
    /// How much later than others it is asked for again, in nanoseconds.
    pub(super) extra_ns: i64,
}

impl Missing {
    const fn new(begin: Position, end: Position, due: Nanos) -> Self {
        Self {
            begin,
            end,
            rounds: 0,
            repeats: 0,
            is_answered: false,
            time: due,
            extra_ns: 0,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct GapTable {
    gaps: VecDeque<Missing>,
    capacity: usize,
    geometry: TermGeometry,
    /// End of the furthest data, known to the table.
    hwm: Position,
    /// Gaps from here on are not in the table.
    untracked_from: Option<Position>,
}

impl GapTable {
    /// A table of at most `capacity` gaps, of a stream that begins at `start`.
    pub(super) fn new(capacity: usize, geometry: TermGeometry, start: Position) -> Self {
        debug_assert!(capacity > 1);
        Self {
            gaps: VecDeque::with_capacity(capacity),
            capacity,
            geometry,
            hwm: start,
            untracked_from: None,
        }
    }

    /// Whether nothing is missing.
    pub(super) fn is_empty(&self) -> bool {
        self.gaps.is_empty() && self.untracked_from.is_none()
    }

    /// The gaps, the first one first.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Missing> {
        self.gaps.iter_mut()
    }

    /// The gaps, the first one first.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Missing> {
        self.gaps.iter()
    }

    /// Data from `begin` to `end` arrived, and is in the log unless something else was there
    /// already (`is_inserted`). Gaps that this reveals become due at `due`. Returns whether there
    /// are any. A gap that began at `begin` is passed to `answered` as it was before.
    #[inline]
    pub(super) fn on_arrival(
        &mut self,
        begin: Position,
        end: Position,
        is_inserted: bool,
        due: impl FnMut() -> Nanos,
        answered: impl FnMut(&mut Missing),
    ) -> bool {
        debug_assert!(begin <= end);
        if begin == self.hwm && is_inserted {
            // Nothing was lost.
            self.hwm = end;
            return false;
        }
        self.on_disorder(begin, end, is_inserted, due, answered)
    }

    fn on_disorder(
        &mut self,
        begin: Position,
        end: Position,
        is_inserted: bool,
        due: impl FnMut() -> Nanos,
        answered: impl FnMut(&mut Missing),
    ) -> bool {
        if is_inserted && begin < self.hwm {
            self.fill(begin, end, answered);
        }
        let known = if is_inserted { begin } else { end };
        let is_revealing = known > self.hwm;
        if is_revealing {
            self.reveal(self.hwm, known, due);
        }
        self.hwm = self.hwm.max(end);
        is_revealing
    }

    /// The sender stands at `position`: everything before it has been sent. Gaps that this reveals
    /// become due at `due`.
    pub(super) fn on_sender_position(&mut self, position: Position, due: impl FnMut() -> Nanos) {
        if position > self.hwm {
            self.reveal(self.hwm, position, due);
            self.hwm = position;
        }
    }

    /// Whether there are gaps that are not in the table, and room for them.
    pub(super) fn is_behind(&self) -> bool {
        self.untracked_from.is_some() && self.gaps.len() <= self.capacity / 2
    }

    /// Forgets what lies before `floor`: it is not wanted any more.
    pub(super) fn forget_before(&mut self, floor: Position) {
        while let Some(first) = self.gaps.front_mut() {
            if first.begin >= floor {
                break;
            }
            if first.end > floor {
                first.begin = floor;
                break;
            }
            self.gaps.pop_front();
        }
        if let Some(from) = self.untracked_from {
            self.untracked_from = Some(from.max(floor).min(self.hwm));
        }
    }

    /// Takes in gaps for which there was no room, if there is now. They are due at once. Returns
    /// whether there were any.
    pub(super) fn catch_up(&mut self, log: &LogBuffer, now: Nanos) -> bool {
        if !self.is_behind() {
            return false;
        }
        let Some(mut from) = self.untracked_from.take() else {
            return false;
        };
        let count = self.gaps.len();
        for _ in 0..FOUND_MAX {
            if from >= self.hwm || self.untracked_from.is_some() {
                return self.gaps.len() > count;
            }
            let scan = log.scan_gap(from, self.hwm);
            let end = match scan.gap {
                Some(gap) => {
                    let end = scan.contiguous + i64::from(gap.length);
                    self.reveal(scan.contiguous, end, || now);
                    end
                }
                None => scan.contiguous,
            };
            if end <= from {
                // A log that cannot be read: whatever is missing there, NAKs do not mend it.
                return self.gaps.len() > count;
            }
            from = end;
        }
        if self.untracked_from.is_none() && from < self.hwm {
            self.untracked_from = Some(from);
        }
        self.gaps.len() > count
    }

    /// Adds what is missing from `begin` to `end`, behind all gaps that are known.
    fn reveal(&mut self, begin: Position, end: Position, mut due: impl FnMut() -> Nanos) {
        if self.untracked_from.is_some() {
            return;
        }
        let term_length = i64::from(self.geometry.term_length());
        let mut from = begin;
        if let Some(last) = self.gaps.back_mut() {
            debug_assert!(last.end <= begin);
            let term_end = self.geometry.term_begin(last.begin) + term_length;
            if last.end == begin && last.rounds == 0 && begin < term_end {
                last.end = end.min(term_end);
                from = last.end;
            }
        }
        while from < end {
            if self.gaps.len() == self.capacity {
                self.untracked_from = Some(from);
                return;
            }
            let term_end = self.geometry.term_begin(from) + term_length;
            let to = end.min(term_end);
            self.gaps.push_back(Missing::new(from, to, due()));
            from = to;
        }
    }

    /// Takes what lies from `begin` to `end` out of the gaps.
    fn fill(&mut self, begin: Position, end: Position, mut answered: impl FnMut(&mut Missing)) {
        let mut at = self.gaps.partition_point(|gap| gap.end <= begin);
        while let Some(gap) = self.gaps.get_mut(at) {
            if gap.begin >= end {
                return;
            }
            if gap.begin == begin {
                answered(gap);
            }
            match (begin <= gap.begin, gap.end <= end) {
                (true, true) => {
                    self.gaps.remove(at);
                }
                (true, false) => {
                    gap.begin = end;
                    return;
                }
                (false, true) => {
                    gap.end = begin;
                    at += 1;
                }
                (false, false) => {
                    let rest = Missing { begin: end, ..*gap };
                    gap.end = begin;
                    self.split_off(at + 1, rest);
                    return;
                }
            }
        }
    }

    /// Puts the second half of a gap that was split at its place.
    fn split_off(&mut self, at: usize, rest: Missing) {
        if self.gaps.len() == self.capacity {
            // The furthest one is the one that can wait.
            let last = if at == self.gaps.len() {
                rest
            } else {
                let last = self.gaps.pop_back().unwrap_or(rest);
                self.gaps.insert(at, rest);
                last
            };
            self.untracked_from = Some(last.begin);
            return;
        }
        self.gaps.insert(at, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Rng, SessionId, StreamId, TermId};
    use crate::logbuffer::{LogKind, LogSpec, log_length};
    use crate::memory::AtomicBuffer;
    use crate::protocol::{DataHeader, FrameType, data};

    const TERM_LENGTH: i32 = 64 * 1024;
    const FRAME: i64 = 64;

    fn geometry() -> TermGeometry {
        TermGeometry::new(TermId(3), TERM_LENGTH).expect("legal")
    }

    fn table(capacity: usize) -> GapTable {
        GapTable::new(capacity, geometry(), Position(0))
    }

    fn arrive(table: &mut GapTable, begin: i64, end: i64) {
        table.on_arrival(
            Position(begin),
            Position(end),
            true,
            || Nanos(1),
            |gap| {
                gap.is_answered = true;
            },
        );
    }

    fn ranges(table: &GapTable) -> Vec<(i64, i64)> {
        let range = |gap: &Missing| (gap.begin.get(), gap.end.get());
        table.iter().map(range).collect()
    }

    #[test]
    fn data_in_order_leaves_no_gap() {
        let mut table = table(4);
        for at in 0..100 {
            arrive(&mut table, at * 64, at * 64 + 64);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn gaps_open_are_cut_split_and_close() {
        let mut table = table(8);
        arrive(&mut table, 0, 64);
        arrive(&mut table, 1024, 1088);
        assert_eq!(ranges(&table), [(64, 1024)]);
        arrive(&mut table, 64, 128);
        arrive(&mut table, 960, 1024);
        arrive(&mut table, 512, 576);
        assert_eq!(ranges(&table), [(128, 512), (576, 960)]);
        assert!(table.iter().all(|gap| gap.is_answered), "split in two");
        arrive(&mut table, 128, 512);
        arrive(&mut table, 576, 960);
        assert!(table.is_empty());
    }

    #[test]
    fn what_was_not_put_into_the_log_still_tells_how_far_the_stream_is() {
        let mut table = table(8);
        arrive(&mut table, 0, 64);
        table.on_arrival(Position(0), Position(256), false, || Nanos(1), |_| {});
        assert_eq!(ranges(&table), [(64, 256)]);
        table.on_arrival(Position(64), Position(128), false, || Nanos(1), |_| {});
        assert_eq!(ranges(&table), [(64, 256)]);
    }

    #[test]
    fn where_the_sender_stands_reveals_the_end_and_nothing_else() {
        let mut table = table(8);
        arrive(&mut table, 0, 64);
        for position in [1024, 512, 64] {
            table.on_sender_position(Position(position), || Nanos(1));
            assert_eq!(ranges(&table), [(64, 1024)]);
        }
        assert!(table.iter().all(|gap| !gap.is_answered));
    }

    #[test]
    fn a_gap_ends_with_its_term_and_is_in_one_piece_before() {
        let geometry = TermGeometry::new(TermId(3), 512 * 1024).expect("legal");
        let mut table = GapTable::new(8, geometry, Position(500 * 1024));
        arrive(&mut table, 700 * 1024, 700 * 1024);
        let kib = |range: &(i64, i64)| (range.0 / 1024, range.1 / 1024);
        let found = ranges(&table).iter().map(kib).collect::<Vec<_>>();
        assert_eq!(found, [(500, 512), (512, 700)]);
    }

    #[test]
    fn gaps_next_to_each_other_are_one_until_one_of_them_was_asked_for() {
        let mut table = table(8);
        arrive(&mut table, 64, 64);
        arrive(&mut table, 128, 128);
        assert_eq!(ranges(&table), [(0, 128)]);
        for gap in table.iter_mut() {
            gap.rounds = 1;
        }
        arrive(&mut table, 192, 192);
        assert_eq!(ranges(&table), [(0, 128), (128, 192)]);
    }

    #[test]
    fn what_is_behind_the_floor_is_forgotten() {
        let mut table = table(8);
        arrive(&mut table, 64, 128);
        arrive(&mut table, 256, 320);
        table.forget_before(Position(160));
        assert_eq!(ranges(&table), [(160, 256)]);
        table.forget_before(Position(300));
        assert!(table.is_empty());
    }

    /// A log into which frames of 64 bytes are put, some of them late, and the table beside it.
    struct Model {
        log: LogBuffer,
        table: GapTable,
        is_there: Vec<bool>,
        hwm: i64,
    }

    impl Model {
        fn new(capacity: usize) -> Self {
            let spec = LogSpec {
                kind: LogKind::Image,
                session_id: SessionId(1),
                stream_id: StreamId(2),
                initial_term_id: TermId(3),
                term_length: TERM_LENGTH,
                ..LogSpec::default()
            };
            let length = usize::try_from(log_length(TERM_LENGTH, spec.page_size)).expect("fits");
            Self {
                log: LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("legal"),
                table: table(capacity),
                is_there: vec![false; 2048],
                hwm: 0,
            }
        }

        fn insert(&mut self, frame: usize) {
            let begin = i64::try_from(frame).expect("small") * FRAME;
            let position = Position(begin);
            let mut bytes = [7_u8; 64];
            let header = DataHeader {
                frame_length: 64,
                flags: data::flags::UNFRAGMENTED,
                frame_type: FrameType::Data,
                term_offset: geometry().term_offset_at(position),
                session_id: SessionId(1),
                stream_id: StreamId(2),
                term_id: geometry().term_id_at(position),
                reserved_value: 0,
            };
            let mut first = [0; 32];
            header.encode(&mut first);
            bytes[..32].copy_from_slice(&first);
            let is_inserted = self.log.insert(position, &bytes);
            assert_eq!(is_inserted, !self.is_there[frame]);
            self.is_there[frame] = true;
            self.hwm = self.hwm.max(begin + FRAME);
            let end = Position(begin + FRAME);
            self.table
                .on_arrival(position, end, is_inserted, || Nanos(1), |_| {});
            self.table.catch_up(&self.log, Nanos(2));
        }

        /// Runs of frames that are not there below the high-water mark.
        fn missing(&self) -> Vec<usize> {
            let count = usize::try_from(self.hwm / FRAME).expect("small");
            (0..count).filter(|at| !self.is_there[*at]).collect()
        }

        fn known(&self) -> Vec<usize> {
            let mut all = Vec::new();
            for (begin, end) in ranges(&self.table) {
                assert!(begin < end && begin % FRAME == 0 && end % FRAME == 0);
                let frames = (begin / FRAME)..(end / FRAME);
                all.extend(frames.map(|frame| usize::try_from(frame).expect("small")));
            }
            all
        }
    }

    #[test]
    fn the_table_knows_what_a_look_into_the_log_would_find() {
        for seed in 0..8 {
            let mut rng = Rng::new(seed);
            let mut model = Model::new(if seed % 2 == 0 { 4 } else { 1024 });
            let mut next = 0;
            while next < 1900 {
                let missing = model.missing();
                let mut below =
                    |count: usize| usize::try_from(rng.below(count as u64)).expect("small");
                let frame = match below(4) {
                    0 if !missing.is_empty() => missing[below(missing.len())],
                    1 => next + below(6),
                    2 if next > 0 => below(next),
                    _ => next,
                };
                model.insert(frame);
                next = next.max(frame + 1);
                let (missing, known) = (model.missing(), model.known());
                if model.table.untracked_from.is_none() {
                    assert_eq!(known, missing, "seed {seed}");
                } else {
                    assert_eq!(known, missing[..known.len()], "seed {seed}");
                    assert!(known.len() > 1, "seed {seed}");
                }
            }
            while let Some(frame) = model.missing().first() {
                model.insert(*frame);
            }
            assert!(model.table.is_empty(), "seed {seed}");
        }
    }
}
