//! A receiver that asks for the same range again and again, and what to answer it with.
//!
//! Aeron's receivers watch the first gap of a stream alone. On a path of a long round trip they ask
//! for it every 100 µs until it is filled, so the sender, which answers once per linger time, sends
//! it dozens of times while the first answer is under way; all that time nobody asks for the gaps
//! behind it. Then the next round trip goes by for the next gap.
//!
//! Once a request has come up [`PATIENCE`] times in a row, without one for anything else in between
//! and as often as the linger time allows, it is answered with the range itself only once in
//! [`ITSELF`] times. The other answers are what was sent behind it, a datagram or as much as was
//! asked for at a time, each once: some of it is what the receiver will miss next. Nothing is sent
//! that would not have been sent anyway, in bytes; a gap that is filled before it is seen saves a
//! round trip.
//!
//! Departs from Aeron: there every answer is the range itself.

use crate::base::{Nanos, Position};

/// Answers to the same request before anything else is sent in its place. Receivers that ask for
/// all that is missing do not ask so often, nor for nothing else.
const PATIENCE: u32 = 6;
/// Of the answers after that, one in so many is what was asked for: the others may be lost.
const ITSELF: u32 = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Insistence {
    linger_ns: i64,
    mtu_length: i64,
    /// What is asked for, and since when.
    begin: Position,
    end: Position,
    since: Nanos,
    /// How often it was answered.
    answers: u32,
    /// Up to here what follows was sent again, as far as it is known.
    ahead: Position,
}

impl Insistence {
    pub(super) fn new(linger_ns: i64, mtu_length: i32, now: Nanos) -> Self {
        Self {
            linger_ns,
            mtu_length: i64::from(mtu_length),
            begin: Position::ZERO,
            end: Position::ZERO,
            since: now,
            answers: 0,
            ahead: Position::ZERO,
        }
    }

    /// Somebody asks for a range.
    pub(super) fn on_nak(&mut self, begin: Position, end: Position, now: Nanos) {
        if begin != self.begin {
            self.begin = begin;
            self.since = now;
            self.answers = 0;
        }
        self.end = end;
    }

    /// The request is about to be answered: the range to answer it with instead, if any. Nothing
    /// behind `sent` was sent before.
    pub(super) fn on_answer(&mut self, sent: Position, now: Nanos) -> Option<(Position, Position)> {
        self.answers = self.answers.saturating_add(1);
        let is_pressing = now.since(self.since) <= 2 * self.linger_ns * i64::from(self.answers);
        let is_in_turn = self.answers.is_multiple_of(ITSELF);
        if self.answers <= PATIENCE || !is_pressing || is_in_turn {
            return None;
        }
        let begin = self.ahead.max(self.end);
        let length = (self.end - self.begin).max(self.mtu_length);
        let end = sent.min(begin + length);
        (begin < end).then_some((begin, end))
    }

    /// How often the present request was answered.
    #[cfg(test)]
    pub(super) const fn answers(&self) -> u32 {
        self.answers
    }

    /// What follows the range was sent again up to here.
    pub(super) fn on_sent_ahead(&mut self, cursor: Position) {
        self.ahead = self.ahead.max(cursor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINGER_NS: i64 = 10_000_000;
    const MTU: i32 = 1408;
    const SENT: Position = Position(100_000);

    fn insistence() -> Insistence {
        Insistence::new(LINGER_NS, MTU, Nanos(0))
    }

    /// Has a range asked for and answered; takes it that what comes in its place is sent.
    fn answer(insistence: &mut Insistence, begin: i64, now: i64) -> Option<(i64, i64)> {
        let (begin, end) = (Position(begin), Position(begin + i64::from(MTU)));
        insistence.on_nak(begin, end, Nanos(now));
        let (begin, end) = insistence.on_answer(SENT, Nanos(now))?;
        insistence.on_sent_ahead(end);
        Some((begin.get(), end.get()))
    }

    #[test]
    fn who_insists_is_answered_with_what_follows_most_of_the_time() {
        let mut insistence = insistence();
        let mut ahead = Vec::new();
        for round in 0..20 {
            ahead.extend(answer(&mut insistence, 1408, round * (LINGER_NS + 1)));
        }
        let expected: Vec<_> = (2..12).map(|n| (n * 1408, (n + 1) * 1408)).collect();
        assert_eq!(ahead, expected);
    }

    #[test]
    fn what_follows_is_sent_once_however_often_the_request_changes() {
        let mut insistence = insistence();
        let mut ahead = Vec::new();
        for (range, begin) in [0, 1408].into_iter().enumerate() {
            for round in 0..20 {
                let cycle = i64::try_from(range).expect("small") * 20 + round;
                ahead.extend(answer(&mut insistence, begin, cycle * LINGER_NS));
            }
        }
        assert!(ahead.is_sorted());
        ahead.dedup();
        assert_eq!(ahead.len(), 20);
    }

    #[test]
    fn who_asks_for_other_ranges_or_seldom_gets_what_it_asks_for() {
        let mut insistence = insistence();
        for round in 0..100 {
            let begin = round % 2 * 4096;
            assert_eq!(answer(&mut insistence, begin, round * LINGER_NS), None);
        }
        for round in 0..100 {
            let now = (200 + round * 3) * LINGER_NS;
            assert_eq!(answer(&mut insistence, 8192, now), None);
        }
    }

    #[test]
    fn nothing_is_sent_that_was_not_sent_before() {
        let mut insistence = insistence();
        let last = SENT.get() - 1408;
        for round in 0..100 {
            assert_eq!(answer(&mut insistence, last, round * LINGER_NS), None);
        }
    }
}
