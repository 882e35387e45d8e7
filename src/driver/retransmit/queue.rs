//! Resends of a unicast stream whose receiver may ask for many ranges at once.
//!
//! ```text
//!   NAK ─▶ minus what is queued ─▶ │ lingering │ lingering │ under way │ waiting │ waiting │
//!                                  └─ ignored for a while ─┘└───── sent as credit lasts ──┘
//! ```
//!
//! A range that is waiting, or was sent again a moment ago, is not queued again; what a NAK asks
//! for beyond it is. So overlapping requests are answered once, and a range that comes up again
//! after the moment is answered again: the receiver lacks it still.
//!
//! The moment is the configured linger time, or what [`NakLag`] says if that is shorter: who asks
//! so long after a resend has lost it. After a few resends of the same range it doubles with each,
//! up to the linger time, so that who asks all the time, or from further away than it was thought,
//! costs few resends more. Departs from Aeron: there it is the linger time, in which a fast stream
//! comes to a stand.
//!
//! A receiver that watches one gap, as Aeron's do, asks for it all the time until the answer has
//! had its way there: a round trip in which it asks for nothing else. What follows is as likely to
//! be missing as anything, so most of the later answers to the same request are what comes next
//! (see `insistence`); the bytes are the same.
//!
//! What goes out is bounded: a receiver can lack a window at most, so no more than a window is sent
//! again per linger time, or per lag where that is shorter but no more than eight times, whoever
//! asks for it. What that holds back is sent later, as is what the network does not take at once; a
//! queue that is full refuses.

use std::collections::VecDeque;

use super::insistence::Insistence;
use super::nak_lag::NakLag;
use super::{NakOutcome, RETRANSMIT_WINDOW_BASE, RetransmitParams};
use crate::base::{Nanos, Position};

/// Ranges that are waiting or lingering at most.
const CAPACITY: usize = 512;

/// Windows that are sent again in a linger time at most, however short the path.
const WINDOWS_PER_LINGER: i64 = 8;
/// Resends of a range after which each further one is put off for twice as long as the last.
const STEADY_RESENDS: u32 = 7;
/// Linger times for which it is known that a range was sent again.
const REMEMBERED_LINGERS: i64 = 2;

/// A range to send again, or the rest of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ResendRange {
    /// First byte.
    pub(crate) begin: Position,
    /// Behind the last byte.
    pub(crate) end: Position,
    /// Whether none of it has been sent yet.
    pub(crate) is_untouched: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    begin: Position,
    end: Position,
    /// Up to here it was sent again.
    cursor: Position,
    /// When it was queued; when it was done, if it lingers.
    time: Nanos,
    /// How often it was sent before, of late.
    resends: u32,
    /// How long it is not sent again once it is done, in nanoseconds.
    linger_ns: i64,
    /// Whether nobody asked for it yet.
    is_ahead: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ResendQueue {
    /// Those that linger or did so of late, then those that wait; each group in the order of time.
    entries: VecDeque<Entry>,
    /// How many do not wait.
    lingering: usize,
    delay_ns: i64,
    linger_ns: i64,
    length_max: i32,
    /// Bytes that the receiver may lack, as far as it said.
    window_length: i64,
    /// Bytes that a receiver may lack at all.
    window_length_max: i64,
    /// Bytes that may be sent again now; below 0 after a datagram too many.
    credit: i64,
    credit_time: Nanos,
    insistence: Insistence,
    lag: NakLag,
}

impl ResendQueue {
    /// An empty queue. Slots and group of the parameters do not matter.
    pub(crate) fn new(params: &RetransmitParams, now: Nanos) -> Self {
        let window = RETRANSMIT_WINDOW_BASE.min(params.term_length / 2);
        Self {
            entries: VecDeque::with_capacity(CAPACITY),
            lingering: 0,
            delay_ns: params.delay_ns,
            linger_ns: params.linger_ns,
            length_max: window.saturating_mul(params.window_multiple.max(1)),
            window_length: i64::from(window),
            window_length_max: i64::from(params.term_length / 2),
            credit: i64::from(window),
            credit_time: now,
            insistence: Insistence::new(params.linger_ns, params.mtu_length, now),
            lag: NakLag::new(params.linger_ns, now),
        }
    }

    /// The receiver advertised this window.
    pub(crate) fn on_window(&mut self, window_length: i32) {
        let window_length = i64::from(window_length).min(self.window_length_max);
        self.window_length = self.window_length.max(window_length);
    }

    /// What was never sent before is being sent, from `begin` on.
    #[inline]
    pub(crate) fn on_data(&mut self, begin: Position, now: Nanos) {
        self.lag.on_data(begin, now);
    }

    /// The receiver lacks what lies from `begin` to `end`, all of it within a term. What lies
    /// behind `sent` was not sent before, and is not sent by this way either.
    pub(crate) fn on_nak(
        &mut self,
        begin: Position,
        end: Position,
        sent: Position,
        now: Nanos,
    ) -> NakOutcome {
        self.let_go(now);
        let end = end.min(sent).min(begin + i64::from(self.length_max));
        self.insistence.on_nak(begin, end, now);
        if begin < end && self.resends_of(begin, end).is_none() {
            self.lag.on_first_nak(end, now);
        }
        let mut outcome = NakOutcome::Ignored;
        let mut cursor = begin;
        while cursor < end {
            let (covered_to, next_begin) = self.what_covers(cursor, end, now);
            if covered_to > cursor {
                cursor = covered_to;
                continue;
            }
            if !self.make_room() {
                return NakOutcome::Overflow;
            }
            let resends = self
                .resends_of(cursor, next_begin)
                .map_or(0, |last| last + 1);
            let linger_ns = self.linger_ns_after(resends);
            let asked = Entry {
                begin: cursor,
                end: next_begin,
                cursor,
                time: now,
                resends,
                linger_ns,
                is_ahead: false,
            };
            // Who asks again after less than the linger time was answered and lost the answer.
            let may_be_under_way = cursor == begin && linger_ns >= self.linger_ns;
            let ahead = may_be_under_way
                .then(|| self.insistence.on_answer(sent, now))
                .flatten();
            match ahead {
                Some(ahead) => self.answer_with(ahead, asked),
                None => self.entries.push_back(asked),
            }
            cursor = next_begin;
            outcome = NakOutcome::Delayed;
        }
        outcome
    }

    /// Queues what comes next in place of what was asked for, which lingers as if it were sent.
    fn answer_with(&mut self, ahead: (Position, Position), asked: Entry) {
        self.entries.insert(self.lingering, asked);
        self.lingering += 1;
        let (begin, end) = ahead;
        if self.entries.len() < CAPACITY {
            self.entries.push_back(Entry {
                begin,
                end,
                cursor: begin,
                time: asked.time,
                resends: asked.resends,
                linger_ns: asked.linger_ns,
                is_ahead: true,
            });
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.lingering == self.entries.len()
    }

    /// What is to be sent again next, if its time has come and there is credit for it.
    pub(crate) fn next(&mut self, now: Nanos) -> Option<ResendRange> {
        let entry = self.entries.get(self.lingering)?;
        let is_held_back = self.delay_ns > 0 && !now.is_expired(entry.time, self.delay_ns);
        if is_held_back {
            return None;
        }
        let range = ResendRange {
            begin: entry.cursor,
            end: entry.end,
            is_untouched: entry.cursor == entry.begin,
        };
        self.refill(now);
        (self.credit > 0).then_some(range)
    }

    /// What [`Self::next`] returned was sent up to `cursor`, in so many bytes.
    pub(crate) fn on_sent(&mut self, cursor: Position, bytes: usize, now: Nanos) {
        self.credit -= i64::try_from(bytes).unwrap_or(i64::MAX / 2);
        if let Some(entry) = self.entries.get_mut(self.lingering) {
            entry.cursor = cursor;
            if entry.is_ahead {
                self.insistence.on_sent_ahead(cursor);
            }
            if cursor >= entry.end {
                entry.time = now;
                self.lingering += 1;
            }
        }
    }

    /// What [`Self::next`] returned is not to be had.
    pub(crate) fn on_unavailable(&mut self) {
        self.entries.remove(self.lingering);
    }

    /// Forgets what was sent again long ago.
    fn let_go(&mut self, now: Nanos) {
        while self.lingering > 0
            && let Some(first) = self.entries.front()
            && now.is_expired(first.time, REMEMBERED_LINGERS * self.linger_ns)
        {
            self.entries.pop_front();
            self.lingering -= 1;
        }
    }

    /// How long something is not sent again once it was, having been sent again so often before.
    fn linger_ns_after(&self, resends: u32) -> i64 {
        let doublings = resends.saturating_sub(STEADY_RESENDS).min(20);
        (self.lag.ns() << doublings).min(self.linger_ns)
    }

    /// How often anything between `begin` and `end` was sent before it was asked for last; `None`
    /// unless that was of late.
    fn resends_of(&self, begin: Position, end: Position) -> Option<u32> {
        let overlapping = |entry: &&Entry| entry.begin < end && begin < entry.end;
        let entries = self.entries.iter().filter(overlapping);
        entries.map(|entry| entry.resends).max()
    }

    /// How far the queue covers what begins at `at`; if not at all, where the next range begins, or
    /// `end`.
    fn what_covers(&self, at: Position, end: Position, now: Nanos) -> (Position, Position) {
        let mut covered_to = at;
        let mut next_begin = end;
        for (index, entry) in self.entries.iter().enumerate() {
            let is_over = index < self.lingering && now.is_expired(entry.time, entry.linger_ns);
            if is_over || entry.end <= at {
                continue;
            }
            if entry.begin <= at {
                covered_to = covered_to.max(entry.end);
            } else {
                next_begin = next_begin.min(entry.begin);
            }
        }
        (covered_to, next_begin)
    }

    /// Whether one more fits, once what lingers longest has been forgotten if need be.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < CAPACITY {
            return true;
        }
        if self.lingering == 0 {
            return false;
        }
        self.entries.pop_front();
        self.lingering -= 1;
        true
    }

    fn refill(&mut self, now: Nanos) {
        let shortest_ns = self.linger_ns / WINDOWS_PER_LINGER;
        let window_ns = self.lag.ns().clamp(shortest_ns, self.linger_ns).max(1);
        let elapsed_ns = now.since(self.credit_time).clamp(0, window_ns);
        let earned =
            i128::from(self.window_length) * i128::from(elapsed_ns) / i128::from(window_ns);
        let earned = i64::try_from(earned).unwrap_or(self.window_length);
        if earned > 0 {
            self.credit = (self.credit + earned).min(self.window_length);
            self.credit_time = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Rng;

    const TERM_LENGTH: i32 = 1024 * 1024;
    const LINGER_NS: i64 = 10_000_000;
    const WINDOW: i64 = 128 * 1024;
    const SENT: Position = Position(64 * 1024 * 1024);

    fn params() -> RetransmitParams {
        RetransmitParams {
            term_length: TERM_LENGTH,
            mtu_length: 1408,
            is_group: false,
            max_resend: 1,
            delay_ns: 0,
            linger_ns: LINGER_NS,
            window_multiple: 16,
        }
    }

    fn queue() -> ResendQueue {
        ResendQueue::new(&params(), Nanos(0))
    }

    fn nak(queue: &mut ResendQueue, begin: i64, end: i64, now: i64) -> NakOutcome {
        queue.on_nak(Position(begin), Position(end), SENT, Nanos(now))
    }

    /// Sends all that may be sent, in datagrams of at most 1024 bytes.
    fn send(queue: &mut ResendQueue, now: i64) -> Vec<(i64, i64)> {
        let mut sent: Vec<(i64, i64)> = Vec::new();
        while let Some(range) = queue.next(Nanos(now)) {
            let cursor = range.end.min(range.begin + 1024);
            let bytes = usize::try_from(cursor - range.begin).expect("positive");
            queue.on_sent(cursor, bytes, Nanos(now));
            match sent.last_mut() {
                Some(last) if last.1 == range.begin.get() => last.1 = cursor.get(),
                _ => sent.push((range.begin.get(), cursor.get())),
            }
        }
        sent
    }

    #[test]
    fn many_ranges_are_answered_in_the_order_in_which_they_were_asked_for() {
        let mut queue = queue();
        for begin in [4096, 0, 8192] {
            assert_eq!(nak(&mut queue, begin, begin + 1024, 0), NakOutcome::Delayed);
        }
        assert!(!queue.is_idle());
        assert_eq!(send(&mut queue, 0), [(4096, 5120), (0, 1024), (8192, 9216)]);
        assert!(queue.is_idle());
    }

    #[test]
    fn what_is_queued_or_lingers_is_not_sent_twice() {
        let mut queue = queue();
        nak(&mut queue, 1024, 2048, 0);
        assert_eq!(nak(&mut queue, 1024, 2048, 0), NakOutcome::Ignored);
        assert_eq!(send(&mut queue, 0), [(1024, 2048)]);
        assert_eq!(nak(&mut queue, 1024, 2048, LINGER_NS), NakOutcome::Ignored);
        assert_eq!(nak(&mut queue, 0, 4096, LINGER_NS), NakOutcome::Delayed);
        assert_eq!(send(&mut queue, LINGER_NS), [(0, 1024), (2048, 4096)]);
        assert_eq!(
            nak(&mut queue, 1024, 2048, LINGER_NS + 1),
            NakOutcome::Delayed
        );
        assert_eq!(send(&mut queue, LINGER_NS + 1), [(1024, 2048)]);
    }

    #[test]
    fn a_delay_is_kept() {
        let mut queue = ResendQueue::new(
            &RetransmitParams {
                delay_ns: 100,
                ..params()
            },
            Nanos(0),
        );
        nak(&mut queue, 0, 1024, 0);
        assert_eq!(send(&mut queue, 100), []);
        assert_eq!(send(&mut queue, 101), [(0, 1024)]);
    }

    #[test]
    fn no_more_than_a_window_is_sent_again_per_linger_time() {
        let mut queue = queue();
        let mut total = 0;
        let mut now = 0;
        for round in 0..100 {
            now = round * LINGER_NS / 10;
            nak(&mut queue, 0, i64::from(TERM_LENGTH / 2), now);
            let sent = send(&mut queue, now);
            total += sent.iter().map(|(begin, end)| end - begin).sum::<i64>();
        }
        let allowed = WINDOW + WINDOW * now / LINGER_NS;
        assert!(total <= allowed + 1024, "{total} of {allowed}");
        assert!(total >= allowed - WINDOW, "{total} of {allowed}");
    }

    #[test]
    fn on_a_short_path_no_more_than_a_window_is_sent_again_per_lag() {
        for (lag_ns, windows) in [(LINGER_NS / 4, 4), (LAG_NS, WINDOWS_PER_LINGER)] {
            let mut queue = queue_of_lag(lag_ns);
            let mut total = 0;
            for now in (0..LINGER_NS).step_by(10_000) {
                // Something else each time, so that nothing lingers.
                let begin = now / 10_000 * i64::from(TERM_LENGTH / 2);
                queue.on_data(Position(begin), Nanos(now - lag_ns));
                nak(&mut queue, begin, begin + i64::from(TERM_LENGTH / 2), now);
                let sent = send(&mut queue, now);
                total += sent.iter().map(|(begin, end)| end - begin).sum::<i64>();
            }
            let allowed = WINDOW + windows * WINDOW;
            assert!(total <= allowed + 1024, "{total} of {allowed}");
            assert!(total >= allowed - WINDOW, "{total} of {allowed}");
        }
    }

    #[test]
    fn a_larger_window_gives_more_credit() {
        let mut queue = queue();
        queue.on_window(512 * 1024);
        nak(&mut queue, 0, 512 * 1024, LINGER_NS);
        assert_eq!(send(&mut queue, LINGER_NS), [(0, 512 * 1024)]);
    }

    #[test]
    fn a_full_queue_refuses_and_comes_to_itself_again() {
        let mut queue = queue();
        let count = i64::try_from(CAPACITY).expect("small");
        for at in 0..count {
            nak(&mut queue, at * 2048, at * 2048 + 32, 0);
        }
        let next = count * 2048;
        assert_eq!(nak(&mut queue, next, next + 32, 0), NakOutcome::Overflow);
        send(&mut queue, 0);
        assert_eq!(nak(&mut queue, next, next + 32, 0), NakOutcome::Delayed);
    }

    #[test]
    fn what_is_not_to_be_had_is_dropped() {
        let mut queue = queue();
        nak(&mut queue, 0, 1024, 0);
        nak(&mut queue, 4096, 5120, 0);
        assert!(queue.next(Nanos(0)).is_some());
        queue.on_unavailable();
        assert_eq!(send(&mut queue, 0), [(4096, 5120)]);
    }

    /// Against the plain rule: a byte is sent again if it is neither waiting nor was sent within
    /// the linger time.
    #[test]
    fn any_requests_are_answered_as_the_rule_says() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut queue = queue();
            queue.on_window(TERM_LENGTH / 2);
            let mut last_sent = [None::<i64>; 64];
            let mut now = 0;
            for _ in 0..200 {
                now += rng.below(4_000_000).cast_signed();
                let begin = rng.below(60).cast_signed();
                let end = (begin + 1 + rng.below(8).cast_signed()).min(64);
                let wanted = (begin..end).filter(|at| {
                    let last = last_sent[usize::try_from(*at).expect("small")];
                    last.is_none_or(|last| now - last > LINGER_NS)
                });
                let wanted = wanted.collect::<Vec<_>>();
                nak(&mut queue, begin * 1024, end * 1024, now);
                let sent = send(&mut queue, now);
                let sent = sent.iter().flat_map(|(b, e)| (b / 1024)..(e / 1024));
                let sent = sent.collect::<Vec<_>>();
                assert_eq!(sent, wanted, "seed {seed} at {now}");
                for at in sent {
                    last_sent[usize::try_from(at).expect("small")] = Some(now);
                }
            }
        }
    }

    const LAG_NS: i64 = 100_000;

    /// A queue that hears of what is missing so long after sending, and has sent what is behind the
    /// first KiB so long before time 0.
    fn queue_of_lag(lag_ns: i64) -> ResendQueue {
        let mut queue = queue();
        queue.lag.on_data(Position(0), Nanos(-100 * LINGER_NS));
        queue
            .lag
            .on_first_nak(Position(32), Nanos(lag_ns - 100 * LINGER_NS));
        queue.on_data(Position(512), Nanos(-lag_ns));
        queue
    }

    #[test]
    fn what_was_lost_again_is_sent_after_a_round_trip() {
        let mut queue = queue_of_lag(LAG_NS);
        nak(&mut queue, 0, 1024, 0);
        assert_eq!(send(&mut queue, 0), [(0, 1024)]);
        assert_eq!(nak(&mut queue, 0, 1024, LAG_NS), NakOutcome::Ignored);
        assert_eq!(nak(&mut queue, 0, 1024, LAG_NS + 1), NakOutcome::Delayed);
        assert_eq!(send(&mut queue, LAG_NS + 1), [(0, 1024)]);
    }

    #[test]
    fn after_a_few_resends_the_time_doubles_up_to_the_linger_time() {
        let mut queue = queue_of_lag(LAG_NS);
        let mut sent_at = Vec::new();
        for now in (0..10 * LINGER_NS).step_by(10_000) {
            nak(&mut queue, 0, 1024, now);
            if !send(&mut queue, now).is_empty() {
                sent_at.push(now);
            }
        }
        let waits = sent_at.windows(2).map(|pair| pair[1] - pair[0]);
        let waits = waits.collect::<Vec<_>>();
        assert!(waits.len() >= 14, "{waits:?}");
        for (resend, wait) in waits.into_iter().enumerate() {
            let expected_ns = (LAG_NS << resend.saturating_sub(7)).min(LINGER_NS);
            let range = expected_ns..=expected_ns + 10_000;
            assert!(range.contains(&wait), "{wait} not in {range:?}");
        }
    }

    #[test]
    fn what_is_lost_after_a_while_is_a_new_matter() {
        let mut queue = queue_of_lag(LAG_NS);
        for begin in [0, 4 * LINGER_NS] {
            queue.on_data(Position(512), Nanos(begin - LAG_NS));
            for now in [begin, begin + LAG_NS + 1] {
                nak(&mut queue, 0, 1024, now);
                assert_eq!(send(&mut queue, now), [(0, 1024)], "at {now}");
            }
        }
    }

    #[test]
    fn repeated_requests_do_not_make_the_lag_longer() {
        let mut queue = queue_of_lag(LAG_NS);
        for now in (0..10 * LINGER_NS).step_by(10_000) {
            nak(&mut queue, 0, 1024, now);
            send(&mut queue, now);
        }
        assert_eq!(queue.lag.ns(), LAG_NS);
    }

    /// Who is answered as soon as an answer may be lost is not answered with anything else.
    #[test]
    fn on_a_short_path_insistence_gets_what_it_asks_for() {
        let mut queue = queue_of_lag(LAG_NS);
        for round in 0..8 {
            let now = round * (LAG_NS + 1);
            nak(&mut queue, 0, 1024, now);
            assert_eq!(send(&mut queue, now), [(0, 1024)], "in round {round}");
        }
        assert_eq!(queue.insistence.answers(), 0);
    }

    #[test]
    fn any_requests_are_answered_between_a_lag_and_a_linger_time() {
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut queue = queue_of_lag(LAG_NS);
            queue.on_window(TERM_LENGTH / 2);
            let mut last_sent = [None::<i64>; 64];
            let mut now = 0;
            let mut early = 0;
            for _ in 0..400 {
                now += rng.below(200_000).cast_signed();
                let begin = rng.below(60).cast_signed();
                let end = (begin + 1 + rng.below(8).cast_signed()).min(64);
                nak(&mut queue, begin * 1024, end * 1024, now);
                let sent = send(&mut queue, now);
                let sent = sent.iter().flat_map(|(b, e)| (b / 1024)..(e / 1024));
                let sent = sent.collect::<Vec<_>>();
                for at in begin..end {
                    let last = &mut last_sent[usize::try_from(at).expect("small")];
                    let since_ns = last.map_or(i64::MAX, |last| now - last);
                    if sent.contains(&at) {
                        assert!(since_ns > LAG_NS, "seed {seed} at {now}");
                        early += i32::from(since_ns <= LINGER_NS);
                        *last = Some(now);
                    } else {
                        assert!(since_ns <= LINGER_NS, "seed {seed} at {now}");
                    }
                }
            }
            assert!(early > 100, "seed {seed}: {early}");
        }
    }
}
