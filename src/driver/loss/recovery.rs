//! Asking for everything that is missing, not only for what is missing first.
//!
//! Aeron's receiver watches one gap: the first. While it waits for that one, all others wait too,
//! so a path of long round trips and much loss repairs about one gap per round trip. Here every gap
//! has a request of its own under way. `docs/loss-recovery.md` has the reasons and the figures.
//!
//! ```text
//!            revealed              due                 answer did not come
//!  arrival ───────────▶ FRESH ───────────▶ ASKED ────────────────────────┐
//!                                            ▲   a round trip and a bit,  │
//!                                            │   or later asked ones came │
//!                                            └────────── next round ◀─────┘
//! ```
//!
//! * A gap is asked for when its first delay is over, as configured: at once for one receiver,
//!   at random within the back-off for members of a group, each gap by itself.
//! * It is asked for again once an answer would have come: after the measured round trip and a
//!   margin, or as soon as a gap that was asked for later has been answered. Never earlier, so that
//!   a request is not answered twice.
//! * As long as the round trip is not known, only the first gap is asked for again, at doubling
//!   intervals, and a round-trip request goes out with it.
//! * On long paths a request is sent twice in a row: two of them are seldom lost both, and the
//!   sender takes the second for what it is. From the second round on the request is repeated once
//!   more, when the sender has forgotten the first: the answer comes twice. So it is for the first
//!   gap, which holds all others up, and twice if need be, as long as that costs little.
//!
//! So what is asked for within a round trip is at most what is missing, a quarter more for the
//! first gaps, and from the second round on at most twice what is missing; the requests per poll
//! and the gaps that are known are bounded.

use super::NakDelay;
use super::gaps::{GapTable, Missing};
use super::round_trip::RoundTrip;
use crate::base::{Nanos, Position};
use crate::logbuffer::{LogBuffer, TermGeometry};

/// Requests that one poll makes at most.
pub(crate) const ASKS_MAX: usize = 16;

const MILLI: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MILLI;

/// How long a sender is taken to ignore requests for what it has just sent again: the default of
/// Aeron's drivers, and a bit.
const LINGER_NS: i64 = 12 * MILLI;

/// Paths of at least this round trip have requests doubled.
const LONG_PATH_NS: i64 = 2 * MILLI;

/// How much longer than a round trip it may seem to a sender until what it sent again is asked for
/// again, in nanoseconds.
const MARGIN_MAX_NS: i64 = 200_000;

/// Rounds after the first that are as long as it on short paths; each further one is twice as long.
const STEADY_ROUNDS: u32 = 7;

/// Retries are not closer than this unless the configuration says so.
const RETRY_NS: i64 = 100_000;

/// Status messages are not repeated sooner than this.
const STATUS_INTERVAL_MIN_NS: i64 = 500_000;

/// First wait for an answer to a round-trip request; doubles up to a second.
const MEASUREMENT_WAIT_NS: i64 = 10 * MILLI;

/// Round-trip requests without an answer, after which other readings have to do.
const UNANSWERED_MAX: u32 = 6;

/// Repetitions of a request, in the first round of the first gap and in later rounds of all.
const REPEATS_OF_HEAD: u8 = 2;
const REPEATS_OF_OTHERS: u8 = 1;

/// What is asked for in first rounds allows so much of it to be asked for once more: one part of
/// this many.
const INSURED_PART: i64 = 4;
/// Bytes that may be allowed in advance.
const INSURANCE_MAX: i64 = 64 * 1024;

/// Bounds of the number of gaps that are known at a time.
const GAPS_MIN: usize = 64;
const GAPS_MAX: usize = 4096;

/// What recovery is made of.
#[derive(Debug)]
pub(crate) struct RecoveryParams {
    /// Delays of the first request, and of repeated ones while the round trip is unknown.
    pub(crate) delay: NakDelay,
    /// Geometry of the stream.
    pub(crate) geometry: TermGeometry,
    /// Where the stream begins for this receiver.
    pub(crate) start: Position,
    /// Bytes that may be under way at most.
    pub(crate) window_length_max: i32,
    /// Longest datagram in bytes.
    pub(crate) mtu_length: i32,
}

/// A range to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// First byte.
    pub(crate) begin: Position,
    /// Bytes, all of one term.
    pub(crate) length: i32,
    /// How often the request is to be sent, in a row.
    pub(crate) copies: u32,
}

/// What a poll asks for.
#[derive(Clone, Debug)]
pub(crate) struct Asks {
    all: [Ask; ASKS_MAX],
    count: usize,
}

impl Asks {
    const fn none() -> Self {
        let ask = Ask {
            begin: Position::ZERO,
            length: 0,
            copies: 0,
        };
        Self {
            all: [ask; ASKS_MAX],
            count: 0,
        }
    }

    /// The requests, in the order in which they are to be sent.
    pub(crate) fn all(&self) -> &[Ask] {
        &self.all[..self.count]
    }

    const fn is_full(&self) -> bool {
        self.count == ASKS_MAX
    }

    fn push(&mut self, ask: Ask) {
        self.all[self.count] = ask;
        self.count += 1;
    }
}

/// What was lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LossTally {
    /// Gaps.
    pub(crate) gaps: i64,
    /// Bytes in them.
    pub(crate) bytes: i64,
}

/// When the next round-trip request goes out.
#[derive(Clone, Copy, Debug)]
struct Measurement {
    next: Nanos,
    wait_ns: i64,
    unanswered: u32,
}

/// See the module. Belongs to the receiver.
#[derive(Debug)]
pub(crate) struct LossRecovery {
    gaps: GapTable,
    delay: NakDelay,
    is_group: bool,
    round_trip: RoundTrip,
    /// No gap is due before this.
    next_look: Nanos,
    /// When something was asked for last.
    last_ask: Option<Nanos>,
    /// The latest time at which something was asked for that has been answered.
    answered: Option<Nanos>,
    measurement: Measurement,
    /// Bytes that may be asked for once more although an answer may be under way.
    insurance: i64,
    tally: LossTally,
}

impl LossRecovery {
    /// Recovery of a stream of which nothing is missing yet.
    pub(crate) fn new(params: RecoveryParams, now: Nanos) -> Self {
        let datagrams = params.window_length_max / params.mtu_length.max(32);
        // Gaps are fewest when every second datagram is lost.
        let gaps = usize::try_from(datagrams / 2).unwrap_or(0);
        let capacity = gaps.clamp(GAPS_MIN, GAPS_MAX);
        Self {
            gaps: GapTable::new(capacity, params.geometry, params.start),
            is_group: matches!(params.delay, NakDelay::OptimalMulticast(_)),
            delay: params.delay,
            round_trip: RoundTrip::default(),
            next_look: now,
            last_ask: None,
            answered: None,
            measurement: Measurement {
                next: now,
                wait_ns: MEASUREMENT_WAIT_NS,
                unanswered: 0,
            },
            insurance: i64::from(params.mtu_length),
            tally: LossTally::default(),
        }
    }

    /// Data from `begin` to `end` arrived; `is_inserted` unless something was there already.
    #[inline]
    pub(crate) fn on_data(
        &mut self,
        begin: Position,
        end: Position,
        is_inserted: bool,
        now: Nanos,
    ) {
        let Self {
            gaps,
            delay,
            is_group,
            round_trip,
            next_look,
            answered,
            ..
        } = self;
        let mut first_due: Option<Nanos> = None;
        let due = || {
            let due = now.plus_ns(delay.delay_ns());
            first_due = Some(first_due.map_or(due, |first| earlier(first, due)));
            due
        };
        let mut has_news = false;
        let on_answered = |gap: &mut Missing| {
            let is_first = gap.rounds == 1 && gap.repeats == 0 && !gap.is_answered;
            gap.is_answered = true;
            if is_first && !*is_group {
                let elapsed_ns = now.since(gap.time);
                round_trip.on_repair(elapsed_ns);
                let is_early = round_trip
                    .mean_ns()
                    .is_none_or(|mean_ns| elapsed_ns < mean_ns / 2);
                if !is_early && answered.is_none_or(|last| gap.time.since(last) > 0) {
                    *answered = Some(gap.time);
                    has_news = true;
                }
            }
        };
        gaps.on_arrival(begin, end, is_inserted, due, on_answered);
        if let Some(due) = first_due {
            *next_look = earlier(*next_look, due);
        } else if has_news || gaps.is_behind() {
            let look = now.plus_ns(look_interval_ns(round_trip));
            *next_look = earlier(*next_look, look);
        }
    }

    /// The sender stands at `position`: everything before it has been sent.
    pub(crate) fn on_sender_position(&mut self, position: Position, now: Nanos) {
        let Self {
            gaps,
            delay,
            next_look,
            ..
        } = self;
        gaps.on_sender_position(position, || {
            let due = now.plus_ns(delay.delay_ns());
            *next_look = earlier(*next_look, due);
            due
        });
    }

    /// A round-trip request was answered after so many nanoseconds.
    pub(crate) fn on_round_trip(&mut self, rtt_ns: i64, now: Nanos) {
        self.round_trip.on_measured(rtt_ns);
        let mean_ns = self.round_trip.mean_ns().unwrap_or(rtt_ns);
        self.measurement = Measurement {
            next: now.plus_ns(mean_ns.saturating_mul(8).max(SECOND)),
            wait_ns: MEASUREMENT_WAIT_NS,
            unanswered: 0,
        };
        self.next_look = earlier(self.next_look, now);
    }

    /// What is to be asked for now. What lies before `floor` is not wanted any more.
    #[inline]
    pub(crate) fn poll(&mut self, floor: Position, log: &LogBuffer, now: Nanos) -> Option<Asks> {
        if self.gaps.is_empty() || !now.is_at_or_after(self.next_look) {
            return None;
        }
        self.look(floor, log, now)
    }

    /// Whether a round-trip request is to go out, with what was asked for now.
    pub(crate) fn should_measure(&mut self, now: Nanos) -> bool {
        let Measurement {
            next,
            wait_ns,
            unanswered,
        } = self.measurement;
        if !now.is_at_or_after(next) {
            return false;
        }
        self.measurement = Measurement {
            next: now.plus_ns(wait_ns),
            wait_ns: (2 * wait_ns).min(SECOND),
            unanswered: unanswered.saturating_add(1),
        };
        if unanswered >= UNANSWERED_MAX {
            self.round_trip.on_unanswered();
        }
        true
    }

    /// How long to wait between two status messages at most, in nanoseconds: `timeout_ns`, unless
    /// they get lost as everything else does.
    pub(crate) fn status_interval_ns(&self, timeout_ns: i64, now: Nanos) -> i64 {
        let (Some(last), Some(mean_ns)) = (self.last_ask, self.round_trip.mean_ns()) else {
            return timeout_ns;
        };
        let is_over = now.is_expired(last, (8 * mean_ns).max(SECOND));
        if is_over || self.is_group {
            return timeout_ns;
        }
        (mean_ns / 4).max(STATUS_INTERVAL_MIN_NS).min(timeout_ns)
    }

    /// What was lost so far.
    pub(crate) const fn tally(&self) -> LossTally {
        self.tally
    }

    #[cold]
    fn look(&mut self, floor: Position, log: &LogBuffer, now: Nanos) -> Option<Asks> {
        self.gaps.forget_before(floor);
        self.gaps.catch_up(log, now);
        let mut schedule = self.schedule(now);
        let interval_ns = look_interval_ns(&self.round_trip);
        let mut asks = Asks::none();
        let mut next = now.plus_ns(SECOND);
        let mut is_head = true;
        for gap in self.gaps.iter_mut() {
            if now.is_at_or_after(schedule.due(gap, is_head)) {
                if asks.is_full() {
                    next = now;
                    break;
                }
                asks.push(Ask {
                    begin: gap.begin,
                    length: i32::try_from(gap.end - gap.begin).unwrap_or(0),
                    copies: schedule.copies,
                });
                let length = gap.end - gap.begin;
                if gap.rounds == 0 {
                    self.tally.gaps += 1;
                    self.tally.bytes += length;
                    self.insurance = (self.insurance + length / INSURED_PART).min(INSURANCE_MAX);
                }
                if now.is_at_or_after(schedule.retry(gap, is_head)) {
                    gap.rounds = gap.rounds.saturating_add(1);
                    gap.repeats = 0;
                    gap.is_answered = false;
                    gap.time = now;
                    if self.is_group {
                        gap.extra_ns = self.delay.retry_delay_ns();
                    }
                } else {
                    gap.repeats += 1;
                    if gap.rounds == 1 {
                        self.insurance -= length;
                    }
                }
                schedule.insurance = self.insurance;
            }
            let due = schedule.due(gap, is_head);
            let again = if gap.rounds == 0 {
                due
            } else {
                later(due, now.plus_ns(interval_ns))
            };
            next = earlier(next, again);
            is_head = false;
        }
        self.next_look = next;
        if asks.count == 0 {
            return None;
        }
        self.last_ask = Some(now);
        Some(asks)
    }

    fn schedule(&mut self, now: Nanos) -> Schedule {
        let mean_ns = self.round_trip.mean_ns();
        let (retry_min_ns, unknown_ns) = if self.is_group {
            (0, 10 * MILLI)
        } else {
            let retry_ns = self.delay.retry_delay_ns();
            (self.delay.delay_ns().max(RETRY_NS.min(retry_ns)), retry_ns)
        };
        let is_long = !self.is_group && mean_ns.is_some_and(|mean_ns| mean_ns >= LONG_PATH_NS);
        let spacing_ns = mean_ns
            .map(|mean_ns| (mean_ns / 8).max(LINGER_NS))
            .filter(|spacing_ns| is_long && mean_ns.is_some_and(|mean| *spacing_ns <= mean / 4));
        let overtaken_ns = self.round_trip.disorder_ns();
        Schedule {
            now,
            mean_ns,
            patience_ns: self.round_trip.patience_ns(),
            retry_min_ns,
            unknown_ns,
            is_group: self.is_group,
            spacing_ns,
            answered: self.answered.map(|last| last.plus_ns(-overtaken_ns)),
            insurance: self.insurance,
            copies: if is_long { 2 } else { 1 },
        }
    }
}

/// When gaps are due, as things stand.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    now: Nanos,
    mean_ns: Option<i64>,
    patience_ns: Option<i64>,
    retry_min_ns: i64,
    /// First retry while the round trip is unknown.
    unknown_ns: i64,
    is_group: bool,
    /// From a request to its repetition, if there is to be one.
    spacing_ns: Option<i64>,
    /// What was asked for before this would have been answered by now.
    answered: Option<Nanos>,
    insurance: i64,
    copies: u32,
}

impl Schedule {
    /// When a gap is to be asked for, for whatever reason.
    fn due(&self, gap: &Missing, is_head: bool) -> Nanos {
        let retry = self.retry(gap, is_head);
        self.repetition(gap, is_head)
            .map_or(retry, |repetition| earlier(retry, repetition))
    }

    /// When the next round of a gap begins.
    fn retry(&self, gap: &Missing, is_head: bool) -> Nanos {
        if gap.rounds == 0 {
            return gap.time;
        }
        let (Some(patience_ns), Some(mean_ns)) = (self.patience_ns, self.mean_ns) else {
            let wait_ns = if is_head || self.is_group {
                let doublings = (gap.rounds - 1).min(20);
                self.unknown_ns.saturating_mul(1 << doublings).min(SECOND)
            } else {
                SECOND
            };
            return gap.time.plus_ns(wait_ns.saturating_add(gap.extra_ns));
        };
        // A driver of Aeron that has just sent something again does not listen for a while: on
        // short paths there is no point in asking all the time.
        let patience_ns = patience_ns.max(self.retry_min_ns);
        let doublings = (gap.rounds - 1).saturating_sub(STEADY_ROUNDS).min(20);
        let mut wait_ns = patience_ns
            .saturating_mul(1 << doublings)
            .min(patience_ns.max(LINGER_NS));
        if !self.is_group && self.answered.is_some_and(|last| last.since(gap.time) > 0) {
            let margin_ns = (mean_ns / 16).min(MARGIN_MAX_NS);
            wait_ns = wait_ns.min((mean_ns + margin_ns).max(self.retry_min_ns));
        }
        gap.time.plus_ns(wait_ns.saturating_add(gap.extra_ns))
    }

    /// When the request of the present round is to be repeated, if it is: the answer to it may yet
    /// come.
    fn repetition(&self, gap: &Missing, is_head: bool) -> Option<Nanos> {
        let (spacing_ns, mean_ns) = (self.spacing_ns?, self.mean_ns?);
        let repeats_max = match gap.rounds {
            0 => 0,
            1 => {
                // Too late for it to be of use before the next round, or too dear.
                let is_late = self.now.since(gap.time) > mean_ns / 2;
                let is_dear = gap.end - gap.begin > self.insurance;
                if is_head && !is_late && !is_dear {
                    REPEATS_OF_HEAD
                } else {
                    0
                }
            }
            _ if is_head => REPEATS_OF_HEAD,
            _ => REPEATS_OF_OTHERS,
        };
        let repeats = i64::from(gap.repeats);
        (gap.repeats < repeats_max).then(|| gap.time.plus_ns((repeats + 1) * spacing_ns))
    }
}

/// Nanoseconds between two looks at gaps that were asked for already.
fn look_interval_ns(round_trip: &RoundTrip) -> i64 {
    (round_trip.mean_ns().unwrap_or(0) / 256).clamp(10_000, MILLI)
}

fn earlier(a: Nanos, b: Nanos) -> Nanos {
    if a.since(b) <= 0 { a } else { b }
}

fn later(a: Nanos, b: Nanos) -> Nanos {
    if a.since(b) >= 0 { a } else { b }
}

#[cfg(test)]
mod tests;
