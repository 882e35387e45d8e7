//! Whose turn it is in a duty cycle.
//!
//! An agent that has many streams cannot look at all of them in every cycle: each look misses the
//! cache, and a message has to wait for all those misses. Most streams are idle most of the time.
//! So the *busy* ones have a turn in every cycle; the *warm* ones, which were busy not long ago and
//! may be again, each have one within a millisecond; the *cold* ones, one after the other, each
//! within twenty microseconds a stream. A stream that turns out to have work is busy from then on,
//! until it has had none for a while.
//!
//! A cycle that comes late because the agent has slept looks at as many as are due, all of them if
//! it slept long; one that comes late because there was much to do does not make it worse, and
//! looks at so many at most.
//!
//! Where an idle stream can be asked for little whether it has work, without a look at all of it,
//! its owner asks those that [`Rota::next_to_ask`] names, when the others have had their turns, and
//! gives one to those that have. So many are asked that each is within half a microsecond a
//! stream.
//!
//! Streams are known here by their index among their owner's.

use crate::base::Nanos;

/// An agent with no more streams than this looks at all of them in each cycle.
const FEW: usize = 4;

/// Warm streams, and cold ones, that have a turn in a cycle after work, at most: these too may have
/// work, such as heartbeats that come due together, and a cycle must not be long because the last
/// was.
const IDLE_AFTER_WORK_MAX: usize = 3;

/// Nanoseconds in which all warm streams have a turn.
const WARM_ROUND_NS: i64 = 1_000_000;

/// Nanoseconds in which all streams have a turn, for each of them.
const COLD_NS_PER_STREAM: i64 = 20_000;

/// Nanoseconds of a round at least.
const ROUND_MIN_NS: i64 = 50_000;

/// Nanoseconds in which all streams are asked, for each of them.
const ASK_NS_PER_STREAM: i64 = 500;

/// Streams that are asked in a cycle, at most.
const ASKED_PER_CYCLE_MAX: usize = 64;

/// Nanoseconds without work, at least, after which a stream is not busy; at most twice that.
const BUSY_NS: i64 = 250_000;

/// Nanoseconds without work, at least, after which a stream is cold; at most twice that.
const WARM_NS: i64 = 50_000_000;

const WORD_BITS: usize = 64;

/// One bit a stream.
#[derive(Clone, Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn grow_to(&mut self, count: usize) {
        self.0.resize(count.div_ceil(WORD_BITS), 0);
    }

    fn insert(&mut self, index: usize) {
        self.0[index / WORD_BITS] |= 1 << (index % WORD_BITS);
    }

    fn remove(&mut self, index: usize) {
        self.0[index / WORD_BITS] &= !(1 << (index % WORD_BITS));
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The first one that is in, from `from` on.
    fn next(&self, from: usize) -> Option<usize> {
        let first = from / WORD_BITS;
        let mut word = self.0.get(first)? & (u64::MAX << (from % WORD_BITS));
        let mut at = first;
        while word == 0 {
            at += 1;
            word = *self.0.get(at)?;
        }
        Some(at * WORD_BITS + word.trailing_zeros() as usize)
    }
}

/// The streams that had work within the last one to two periods.
#[derive(Clone, Debug)]
struct Recent {
    period_ns: i64,
    streams: Bits,
    /// Those that had work since the last review.
    worked: Bits,
    last_review: Nanos,
}

impl Recent {
    fn new(period_ns: i64, now: Nanos) -> Self {
        Self {
            period_ns,
            streams: Bits::default(),
            worked: Bits::default(),
            last_review: now,
        }
    }

    fn grow_to(&mut self, count: usize) {
        self.streams.grow_to(count);
        self.worked.grow_to(count);
    }

    #[inline]
    fn insert(&mut self, index: usize) {
        self.streams.insert(index);
        self.worked.insert(index);
    }

    fn remove(&mut self, index: usize) {
        self.streams.remove(index);
        self.worked.remove(index);
    }

    /// Forgets those that had no work for a period. Returns whether it was time to.
    fn review(&mut self, now: Nanos) -> bool {
        let is_due = now.since(self.last_review) >= self.period_ns;
        if is_due {
            self.last_review = now;
            std::mem::swap(&mut self.streams, &mut self.worked);
            self.worked.0.fill(0);
        }
        is_due
    }
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Rota {
    count: usize,
    /// Have a turn in every cycle.
    busy: Recent,
    /// Busy ones, and those that were not long ago.
    warm: Recent,
    /// How many are warm, or were at the last review of the busy ones.
    warm_count: usize,
    /// Have a turn in this cycle.
    on: Bits,
    /// Whether anybody had work since the idle ones last had turns.
    is_working: bool,
    warm_round: Cursor,
    cold_round: Cursor,
    ask_round: Cursor,
    /// How many are still to be asked in this cycle.
    asks_left: usize,
    /// Who was first in this cycle.
    first: usize,
    last_idle: Nanos,
}

/// Goes round all streams at a pace.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    at: usize,
    /// Nanoseconds that have passed and were not enough for one more stream.
    credit_ns: i64,
}

impl Cursor {
    /// How many of `count` streams are due after `passed_ns`, if all are to come within `round_ns`.
    fn due(&mut self, count: usize, round_ns: i64, passed_ns: i64) -> usize {
        let per_stream_ns = round_ns / i64::try_from(count).unwrap_or(i64::MAX).max(1);
        let per_stream_ns = per_stream_ns.max(1);
        let credit_ns = self.credit_ns.saturating_add(passed_ns).clamp(0, round_ns);
        self.credit_ns = credit_ns % per_stream_ns;
        usize::try_from(credit_ns / per_stream_ns).map_or(count, |due| due.min(count))
    }

    /// Passes on from the next stream.
    const fn take(&mut self, count: usize) -> usize {
        let at = if self.at < count { self.at } else { 0 };
        self.at = at + 1;
        at
    }
}

/// Where a cycle is in the rota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turns {
    at: usize,
    has_wrapped: bool,
}

impl Rota {
    /// A rota of nobody.
    pub(crate) fn new(now: Nanos) -> Self {
        Self {
            count: 0,
            busy: Recent::new(BUSY_NS, now),
            warm: Recent::new(WARM_NS, now),
            warm_count: 0,
            on: Bits::default(),
            is_working: false,
            warm_round: Cursor::default(),
            cold_round: Cursor::default(),
            ask_round: Cursor::default(),
            asks_left: 0,
            first: 0,
            last_idle: now,
        }
    }

    /// Adds a stream behind the last one. It counts as busy.
    pub(crate) fn push(&mut self) {
        let index = self.count;
        self.count += 1;
        self.on.grow_to(self.count);
        self.busy.grow_to(self.count);
        self.warm.grow_to(self.count);
        self.has_worked(index);
    }

    /// Removes a stream; the last one takes its index, and counts as busy.
    pub(crate) fn swap_remove(&mut self, index: usize) {
        debug_assert!(index < self.count, "stream {index} of {}", self.count);
        let last = self.count - 1;
        self.has_worked(index);
        self.on.remove(last);
        self.busy.remove(last);
        self.warm.remove(last);
        self.count = last;
    }

    /// Begins a duty cycle: the busy ones have their turns. Each time somebody else is first.
    pub(crate) fn begin(&mut self, now: Nanos) -> Turns {
        if self.count > FEW {
            self.warm.review(now);
            if self.busy.review(now) {
                self.warm_count = self.warm.streams.len();
            }
            self.on.0.copy_from_slice(&self.busy.streams.0);
        } else if let Some(all) = self.on.0.first_mut() {
            *all = (1 << self.count) - 1;
        }
        self.first = self.after(self.first);
        Turns {
            at: self.first,
            has_wrapped: false,
        }
    }

    /// Goes on to the idle ones: all that are due since it last did. To be called when the busy
    /// ones have had their turns, though not in each cycle.
    pub(crate) fn begin_idle(&mut self, now: Nanos) {
        self.asks_left = 0;
        if self.count <= FEW {
            self.on.0.fill(0);
            return;
        }
        let since_last_ns = now.since(self.last_idle);
        self.last_idle = now;
        self.on.0.fill(0);
        self.give_turns_to_idle(since_last_ns);
        for (on, busy) in self.on.0.iter_mut().zip(&self.busy.streams.0) {
            *on &= !busy;
        }
        let round_ns = self.round_ns(ASK_NS_PER_STREAM);
        let due = self.ask_round.due(self.count, round_ns, since_last_ns);
        self.asks_left = due.min(ASKED_PER_CYCLE_MAX);
        self.is_working = false;
    }

    /// The next idle stream that has a turn.
    #[inline]
    pub(crate) fn next_idle(&mut self) -> Option<usize> {
        let index = self.on.next(0)?;
        self.on.remove(index);
        Some(index)
    }

    /// The next busy stream that has a turn in this cycle.
    #[inline]
    pub(crate) fn next(&self, turns: &mut Turns) -> Option<usize> {
        if !turns.has_wrapped {
            if let Some(index) = self.on.next(turns.at) {
                turns.at = index + 1;
                return Some(index);
            }
            *turns = Turns {
                at: 0,
                has_wrapped: true,
            };
        }
        let index = self.on.next(turns.at).filter(|index| *index < self.first)?;
        turns.at = index + 1;
        Some(index)
    }

    /// The next stream to ask, in this cycle, whether it has something to do, though it may be
    /// idle.
    #[inline]
    pub(crate) fn next_to_ask(&mut self) -> Option<usize> {
        self.asks_left = self.asks_left.checked_sub(1)?;
        Some(self.ask_round.take(self.count))
    }

    /// Notes that a stream had something to do, or has now.
    #[inline]
    pub(crate) fn has_worked(&mut self, index: usize) {
        self.busy.insert(index);
        self.warm.insert(index);
        self.is_working = true;
    }

    /// Notes that there was something to do, but nothing that makes a stream busy.
    #[inline]
    pub(crate) const fn has_worked_a_little(&mut self) {
        self.is_working = true;
    }

    fn give_turns_to_idle(&mut self, since_last_ns: i64) {
        let most = if self.is_working {
            IDLE_AFTER_WORK_MAX
        } else {
            self.count
        };
        let round_ns = self.round_ns(COLD_NS_PER_STREAM);
        let cold = self.cold_round.due(self.count, round_ns, since_last_ns);
        for _ in 0..cold.min(most) {
            let index = self.cold_round.take(self.count);
            self.on.insert(index);
        }
        let warm = self
            .warm_round
            .due(self.warm_count, WARM_ROUND_NS, since_last_ns);
        for _ in 0..warm.min(most) {
            let from = self.warm_round.at;
            let next = self.warm.streams.next(from);
            let Some(index) = next.or_else(|| self.warm.streams.next(0)) else {
                break;
            };
            self.on.insert(index);
            self.warm_round.at = index + 1;
        }
    }

    /// Nanoseconds of a round in which each stream takes so many.
    fn round_ns(&self, ns_per_stream: i64) -> i64 {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        count.saturating_mul(ns_per_stream).max(ROUND_MIN_NS)
    }

    const fn after(&self, index: usize) -> usize {
        if index + 1 < self.count { index + 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    fn of(count: usize) -> Rota {
        let mut rota = Rota::new(Nanos(0));
        (0..count).for_each(|_| rota.push());
        rota
    }

    fn cycle(rota: &mut Rota, now: i64) -> Vec<usize> {
        let mut turns = rota.begin(Nanos(now));
        let mut seen = Vec::new();
        while let Some(index) = rota.next(&mut turns) {
            seen.push(index);
        }
        rota.begin_idle(Nanos(now));
        seen.extend(std::iter::from_fn(|| rota.next_idle()));
        seen
    }

    #[test]
    fn few_streams_all_have_a_turn_and_each_is_first_once() {
        for count in 0..=FEW {
            let mut rota = of(count);
            let mut firsts = vec![0; count];
            for now in 0..count {
                let mut seen = cycle(&mut rota, i64::try_from(now).expect("small"));
                firsts[seen[0]] += 1;
                seen.sort_unstable();
                assert!(seen.iter().copied().eq(0..count), "{seen:?}");
            }
            assert!(firsts.iter().all(|times| *times == 1));
        }
    }

    /// One of many streams, all of them idle, and the time.
    fn of_idle(count: usize) -> (Rota, i64) {
        let mut rota = of(count);
        let times = [10, 11, 12].map(|rests| rests * WARM_NS);
        for now in times {
            cycle(&mut rota, now);
        }
        (rota, times[2])
    }

    #[test]
    fn idle_streams_take_turns_and_busy_ones_always_have_one() {
        let (mut rota, mut now) = of_idle(1000);
        let mut seen = vec![0; 1000];
        let cycles = 2000;
        for _ in 0..cycles {
            rota.has_worked(500);
            now += COLD_NS_PER_STREAM / 2;
            let turns = cycle(&mut rota, now);
            assert!(turns.len() <= 2, "one idle stream, and the busy one");
            turns.iter().for_each(|index| seen[*index] += 1);
        }
        assert_eq!(seen[500], cycles);
        seen[500] = 1;
        assert!(seen.iter().all(|times| *times == 1));
    }

    #[test]
    fn a_cycle_that_comes_late_looks_at_all() {
        let (mut rota, now) = of_idle(1000);
        let sweep_ns = rota.round_ns(COLD_NS_PER_STREAM);
        assert_eq!(cycle(&mut rota, now + sweep_ns).len(), 1000);
        assert_eq!(cycle(&mut rota, now + sweep_ns * 3 / 2).len(), 500);
    }

    #[test]
    fn a_cycle_that_comes_late_after_work_looks_at_some() {
        let (mut rota, now) = of_idle(1000);
        rota.has_worked(7);
        let late = cycle(&mut rota, now + COLD_NS_PER_STREAM * 1000).len();
        assert!(
            (IDLE_AFTER_WORK_MAX..=IDLE_AFTER_WORK_MAX + 2).contains(&late),
            "{late}"
        );
    }

    #[test]
    fn all_are_asked_in_turn() {
        let (mut rota, mut now) = of_idle(1000);
        let mut asked = vec![0; 1000];
        for _ in 0..1000 / 8 {
            now += ASK_NS_PER_STREAM * 8;
            rota.begin_idle(Nanos(now));
            while let Some(index) = rota.next_to_ask() {
                asked[index] += 1;
            }
        }
        assert!(asked.iter().all(|times| *times == 1));
    }

    #[test]
    fn a_stream_that_was_busy_not_long_ago_waits_less_than_others() {
        let (mut rota, mut now) = of_idle(1000);
        rota.has_worked(500);
        let mut last = now;
        let mut longest = 0;
        while now < 13 * WARM_NS - WARM_NS / 2 {
            now += 2_000;
            if cycle(&mut rota, now).contains(&500) {
                longest = longest.max(now - last);
                last = now;
            }
        }
        assert!(longest <= WARM_ROUND_NS + 2_000, "{longest}");
    }

    #[test]
    fn few_are_not_asked_as_all_have_a_turn() {
        let mut rota = of(FEW);
        rota.begin_idle(Nanos(1_000_000));
        assert_eq!(rota.next_to_ask(), None);
    }

    #[test]
    fn whatever_comes_and_goes_each_has_one_turn_a_cycle_and_none_is_left_out_for_long() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut rota = of(0);
            let mut count = 0;
            let mut now = 0;
            // The time and the number of the cycle in which each last had a turn.
            let mut waiting: Vec<(i64, u32)> = Vec::new();
            let is_working = seed % 2 == 0;
            for number in 0..2000 {
                match rng.below(8) {
                    0 if count < 300 => {
                        rota.push();
                        waiting.push((now, number));
                        count += 1;
                    }
                    1 if count > 0 && rng.below(4) == 0 => {
                        let index = usize::try_from(rng.below(count)).expect("small");
                        rota.swap_remove(index);
                        waiting.swap_remove(index);
                        count -= 1;
                    }
                    _ => {}
                }
                let step = i64::try_from(rng.below(20_000)).expect("small");
                now += step;
                let mut seen = cycle(&mut rota, now);
                for index in &seen {
                    waiting[*index] = (now, number);
                    if is_working && rng.below(50) == 0 {
                        rota.has_worked(*index);
                    }
                }
                let visits = seen.len();
                seen.sort_unstable();
                seen.dedup();
                assert_eq!(seen.len(), visits, "nobody has two turns in a cycle");
                for (time, turn) in &waiting {
                    // One whose place was taken over waits for the next sweep too.
                    let is_soon = now - time <= 2 * 300 * COLD_NS_PER_STREAM + 20_000;
                    let is_next = number - turn <= 2 * 300 / 4;
                    assert!(is_next || (is_soon && !is_working), "seed {seed}");
                }
            }
        }
    }
}
