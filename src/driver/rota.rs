//! Whose turn it is in a duty cycle.
//!
//! An agent that has many streams cannot look at all of them in every cycle: each look misses the
//! cache, and a message has to wait for all those misses. Most streams are idle most of the time.
//! So the busy ones have a turn in every cycle, the idle ones in turn: a few in each cycle, and as
//! many as it takes for each to have one per sweep. A cycle that comes later than that because the
//! agent has slept looks at all of them; one that comes late because there was much to do does not
//! make it worse, and looks at so many at most. An idle stream that turns out to have work is busy
//! from then on, until it has had none for a while. A sweep takes half a microsecond a stream,
//! about ten times what the looks themselves take.
//!
//! Streams are known here by their index among their owner's.

use crate::base::Nanos;

/// An agent with no more streams than this looks at all of them in each cycle.
const FEW: usize = 32;

/// Idle streams that have a turn in each cycle: in one after work at most so many, since these too
/// may have work, such as heartbeats that come due together, and a cycle must not be long because
/// the last was; in others at least so many.
const IDLE_PER_CYCLE: usize = 4;

/// Nanoseconds that a sweep takes at least.
const SWEEP_MIN_NS: i64 = 50_000;

/// Nanoseconds of a sweep for each stream.
const SWEEP_NS_PER_STREAM: i64 = 500;

/// Nanoseconds without work, at least, after which a stream counts as idle; at most twice that.
const REST_NS: i64 = 1_000_000;

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

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Rota {
    count: usize,
    /// Have a turn in every cycle.
    busy: Bits,
    /// Had work since the last review.
    worked: Bits,
    /// Have a turn in this cycle.
    on: Bits,
    /// Whether anybody had work since the cycle began.
    is_working: bool,
    /// The first of the next sweep.
    sweep: usize,
    /// Who was first in this cycle.
    first: usize,
    last_cycle: Nanos,
    last_review: Nanos,
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
            busy: Bits::default(),
            worked: Bits::default(),
            on: Bits::default(),
            is_working: false,
            sweep: 0,
            first: 0,
            last_cycle: now,
            last_review: now,
        }
    }

    /// Adds a stream behind the last one. It counts as busy.
    pub(crate) fn push(&mut self) {
        let index = self.count;
        self.count += 1;
        for bits in [&mut self.busy, &mut self.worked, &mut self.on] {
            bits.grow_to(self.count);
        }
        self.has_worked(index);
    }

    /// Removes a stream; the last one takes its index, and counts as busy.
    pub(crate) fn swap_remove(&mut self, index: usize) {
        debug_assert!(index < self.count, "stream {index} of {}", self.count);
        let last = self.count - 1;
        self.has_worked(index);
        for bits in [&mut self.busy, &mut self.worked, &mut self.on] {
            bits.remove(last);
        }
        self.count = last;
    }

    /// Begins a duty cycle. Each time somebody else is first.
    pub(crate) fn begin(&mut self, now: Nanos) -> Turns {
        let since_last_ns = now.since(self.last_cycle);
        self.last_cycle = now;
        if self.count > FEW {
            self.review(now);
            self.on.0.copy_from_slice(&self.busy.0);
            if self.sweep >= self.count {
                self.sweep = 0;
            }
            for _ in 0..self.idle_turns(since_last_ns) {
                self.on.insert(self.sweep);
                self.sweep = self.after(self.sweep);
            }
        } else if let Some(all) = self.on.0.first_mut() {
            *all = (1 << self.count) - 1;
        }
        self.is_working = false;
        self.first = self.after(self.first);
        Turns {
            at: self.first,
            has_wrapped: false,
        }
    }

    /// The next stream that has a turn in this cycle.
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

    /// Notes that a stream had something to do, or has now.
    #[inline]
    pub(crate) fn has_worked(&mut self, index: usize) {
        self.worked.insert(index);
        self.busy.insert(index);
        self.is_working = true;
    }

    /// Notes that there was something to do, but nothing that makes a stream busy.
    #[inline]
    pub(crate) const fn has_worked_a_little(&mut self) {
        self.is_working = true;
    }

    fn review(&mut self, now: Nanos) {
        if now.since(self.last_review) >= REST_NS {
            self.last_review = now;
            std::mem::swap(&mut self.busy, &mut self.worked);
            self.worked.0.fill(0);
        }
    }

    /// Nanoseconds in which every stream has a turn, if cycles come as often.
    fn sweep_ns(&self) -> i64 {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        count.saturating_mul(SWEEP_NS_PER_STREAM).max(SWEEP_MIN_NS)
    }

    fn idle_turns(&self, since_last_ns: i64) -> usize {
        let sweep_ns = self.sweep_ns();
        let since_last_ns = since_last_ns.clamp(0, sweep_ns);
        let [since_last, sweep] =
            [since_last_ns, sweep_ns].map(|ns| usize::try_from(ns).unwrap_or(0));
        let share = self.count.saturating_mul(since_last).div_ceil(sweep);
        if self.is_working {
            return IDLE_PER_CYCLE;
        }
        share.clamp(IDLE_PER_CYCLE, self.count)
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

    #[test]
    fn idle_streams_take_turns_and_busy_ones_always_have_one() {
        let mut rota = of(1000);
        let mut now = 0;
        for _ in 0..3 {
            now += REST_NS;
            cycle(&mut rota, now);
        }
        let mut seen = vec![0; 1000];
        let cycles = 1000 / IDLE_PER_CYCLE;
        for _ in 0..cycles {
            rota.has_worked(500);
            now += 1;
            let turns = cycle(&mut rota, now);
            assert!(turns.len() <= IDLE_PER_CYCLE + 1);
            turns.iter().for_each(|index| seen[*index] += 1);
        }
        assert_eq!(seen[500], cycles);
        seen[500] = 1;
        assert!(seen.iter().all(|times| *times == 1));
    }

    #[test]
    fn a_cycle_that_comes_late_looks_at_all() {
        let mut rota = of(1000);
        for now in [10 * REST_NS, 11 * REST_NS, 12 * REST_NS] {
            cycle(&mut rota, now);
        }
        let sweep_ns = rota.sweep_ns();
        assert_eq!(cycle(&mut rota, 12 * REST_NS + sweep_ns).len(), 1000);
        assert_eq!(cycle(&mut rota, 12 * REST_NS + sweep_ns * 3 / 2).len(), 500);
    }

    #[test]
    fn a_cycle_that_comes_late_after_work_looks_at_some() {
        let mut rota = of(1000);
        for now in [10 * REST_NS, 11 * REST_NS, 12 * REST_NS] {
            cycle(&mut rota, now);
        }
        rota.has_worked(7);
        let late = cycle(&mut rota, 13 * REST_NS).len();
        assert!(
            (IDLE_PER_CYCLE..=IDLE_PER_CYCLE + 1).contains(&late),
            "{late}"
        );
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
                    let is_soon = now - time <= 2 * 300 * SWEEP_NS_PER_STREAM + 20_000;
                    let is_next = number - turn <= 2 * 300 / 4;
                    assert!(is_next || (is_soon && !is_working), "seed {seed}");
                }
            }
        }
    }
}
