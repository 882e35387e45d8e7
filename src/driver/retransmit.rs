//! From NAK to resend: which gaps are resent, when, and which NAKs are ignored meanwhile.
//!
//! Each range that is about to be resent, or was resent a moment ago, occupies a slot of a fixed
//! pool. While it does, NAKs for any part of it are ignored: with many receivers they come in
//! bunches, and the resent data needs time to arrive. A unicast stream has one slot, which a NAK
//! for another range takes over; a group has as many as `max-resend` says, and a NAK that finds
//! none free is dropped and counted (`driver.md` §5.9).
//!
//! ```text
//!            NAK, delay > 0               delay passed: resend
//! INACTIVE ------------------> DELAYED --------------------------> LINGERING
//!    |  ^                                                           ^     |
//!    |  |            NAK, delay 0: resend                           |     |
//!    +--|-----------------------------------------------------------+     |
//!       +------------------- linger passed -------------------------------+
//! ```
//!
//! That is Aeron's way, and that of groups here. A unicast stream of which many ranges may be asked
//! for at once has a [`ResendQueue`] instead, unless `aileron.loss.recovery` is off.
//!
//! The handler only decides. Whether the range is still in the log, and how it becomes datagrams,
//! is the business of the publication.

mod insistence;
mod nak_lag;
mod queue;

pub(crate) use queue::ResendQueue;

use crate::base::{Nanos, TermId, TermOffset};

/// Receiver window that bounds one resend, in bytes, before the multiple: the default initial
/// window of the protocol, not the configured one.
const RETRANSMIT_WINDOW_BASE: i32 = 128 * 1024;

/// A range of a term, to be resent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resend {
    /// The term.
    pub(crate) term_id: TermId,
    /// First byte.
    pub(crate) term_offset: TermOffset,
    /// Bytes; positive, and within the term.
    pub(crate) length: i32,
}

impl Resend {
    fn covers(&self, term_id: TermId, term_offset: TermOffset) -> bool {
        self.term_id == term_id
            && self.term_offset <= term_offset
            && term_offset.get() - self.term_offset.get() < self.length
    }
}

/// What becomes of a NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NakOutcome {
    /// Nothing is to be done: empty, or covered by what is being resent anyway.
    Ignored,
    /// The pool is full.
    Overflow,
    /// Resend this now.
    Resend(Resend),
    /// It will be resent once the delay has passed.
    Delayed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Inactive,
    Delayed { range: Resend, since: Nanos },
    Lingering { range: Resend, since: Nanos },
}

impl Action {
    const fn range(&self) -> Option<&Resend> {
        match self {
            Self::Inactive => None,
            Self::Delayed { range, .. } | Self::Lingering { range, .. } => Some(range),
        }
    }
}

/// How a publication answers NAKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RetransmitParams {
    /// Length of a term in bytes.
    pub(crate) term_length: i32,
    /// Longest datagram in bytes.
    pub(crate) mtu_length: i32,
    /// Whether the channel has group semantics: multicast, or several destinations.
    pub(crate) is_group: bool,
    /// Slots of a group's pool, 1..=256.
    pub(crate) max_resend: usize,
    /// How long a resend is held back, in nanoseconds.
    pub(crate) delay_ns: i64,
    /// How long NAKs are ignored after a resend, in nanoseconds.
    pub(crate) linger_ns: i64,
    /// Receiver windows that one resend may span, at least 1.
    pub(crate) window_multiple: i32,
}

/// The pool of ranges being resent, of one publication.
#[derive(Debug)]
pub(crate) struct RetransmitHandler {
    actions: Box<[Action]>,
    active: usize,
    is_group: bool,
    delay_ns: i64,
    linger_ns: i64,
    term_length: i32,
    length_max: i32,
}

impl RetransmitHandler {
    pub(crate) fn new(params: &RetransmitParams) -> Self {
        let slots = if params.is_group {
            params.max_resend.max(1)
        } else {
            1
        };
        let window = RETRANSMIT_WINDOW_BASE.min(params.term_length / 2);
        Self {
            actions: vec![Action::Inactive; slots].into_boxed_slice(),
            active: 0,
            is_group: params.is_group,
            delay_ns: params.delay_ns,
            linger_ns: params.linger_ns,
            term_length: params.term_length,
            length_max: window.saturating_mul(params.window_multiple.max(1)),
        }
    }

    /// A receiver misses `length` bytes. The caller has checked that the range lies in a term.
    pub(crate) fn on_nak(
        &mut self,
        term_id: TermId,
        term_offset: TermOffset,
        length: i32,
        now: Nanos,
    ) -> NakOutcome {
        let length = length
            .min(self.term_length - term_offset.get())
            .min(self.length_max);
        if length <= 0 {
            return NakOutcome::Ignored;
        }
        let slot = match self.slot_for(term_id, term_offset) {
            Ok(slot) => slot,
            Err(outcome) => return outcome,
        };
        let Some(action) = self.actions.get_mut(slot) else {
            return NakOutcome::Overflow;
        };
        if *action == Action::Inactive {
            self.active += 1;
        }
        let range = Resend {
            term_id,
            term_offset,
            length,
        };
        if self.delay_ns == 0 {
            *action = Action::Lingering { range, since: now };
            NakOutcome::Resend(range)
        } else {
            *action = Action::Delayed { range, since: now };
            NakOutcome::Delayed
        }
    }

    /// Whether no slot waits for time to pass.
    pub(crate) const fn is_idle(&self) -> bool {
        self.active == 0
    }

    /// How many slots there are; they are numbered from 0.
    pub(crate) const fn slot_count(&self) -> usize {
        self.actions.len()
    }

    /// Lets time pass for one slot. Returns what must be resent now.
    pub(crate) fn poll_slot(&mut self, slot: usize, now: Nanos) -> Option<Resend> {
        let action = self.actions.get_mut(slot)?;
        match *action {
            Action::Delayed { range, since } if now.is_expired(since, self.delay_ns) => {
                *action = Action::Lingering { range, since: now };
                Some(range)
            }
            Action::Lingering { since, .. } if now.is_expired(since, self.linger_ns) => {
                *action = Action::Inactive;
                self.active -= 1;
                None
            }
            Action::Inactive | Action::Delayed { .. } | Action::Lingering { .. } => None,
        }
    }

    /// The slot a NAK may use, or what becomes of it if there is none.
    fn slot_for(&self, term_id: TermId, term_offset: TermOffset) -> Result<usize, NakOutcome> {
        if self.active == 0 {
            return Ok(0);
        }
        let mut free = None;
        for (slot, action) in self.actions.iter().enumerate() {
            match action.range() {
                Some(range) if range.covers(term_id, term_offset) => {
                    return Err(NakOutcome::Ignored);
                }
                Some(_) => {}
                None => free = free.or(Some(slot)),
            }
        }
        if self.is_group {
            free.ok_or(NakOutcome::Overflow)
        } else {
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERM_LENGTH: i32 = 64 * 1024;
    const LINGER_NS: i64 = 10_000_000;

    fn params() -> RetransmitParams {
        RetransmitParams {
            term_length: TERM_LENGTH,
            mtu_length: 1408,
            is_group: false,
            max_resend: 2,
            delay_ns: 0,
            linger_ns: LINGER_NS,
            window_multiple: 16,
        }
    }

    fn group(delay_ns: i64) -> RetransmitHandler {
        RetransmitHandler::new(&RetransmitParams {
            is_group: true,
            delay_ns,
            ..params()
        })
    }

    fn nak(handler: &mut RetransmitHandler, offset: i32, length: i32, now: i64) -> NakOutcome {
        handler.on_nak(TermId(7), TermOffset(offset), length, Nanos(now))
    }

    fn range(offset: i32, length: i32) -> Resend {
        Resend {
            term_id: TermId(7),
            term_offset: TermOffset(offset),
            length,
        }
    }

    fn poll_all(handler: &mut RetransmitHandler, now: i64) -> Vec<Resend> {
        (0..handler.slot_count())
            .filter_map(|slot| handler.poll_slot(slot, Nanos(now)))
            .collect()
    }

    #[test]
    fn without_delay_a_nak_is_answered_at_once() {
        let mut handler = RetransmitHandler::new(&params());
        assert_eq!(
            nak(&mut handler, 64, 1024, 0),
            NakOutcome::Resend(range(64, 1024))
        );
        assert!(!handler.is_idle());
    }

    #[test]
    fn an_empty_nak_is_ignored() {
        let mut handler = RetransmitHandler::new(&params());
        assert_eq!(nak(&mut handler, 64, 0, 0), NakOutcome::Ignored);
        assert!(handler.is_idle());
    }

    #[test]
    fn a_resend_ends_at_the_end_of_the_term() {
        let mut handler = RetransmitHandler::new(&params());
        let last = TERM_LENGTH - 96;
        assert_eq!(
            nak(&mut handler, last, 4096, 0),
            NakOutcome::Resend(range(last, 96))
        );
    }

    #[test]
    fn a_resend_spans_so_many_receiver_windows_at_most() {
        let wide = RetransmitParams {
            term_length: 16 << 20,
            mtu_length: 1408,
            window_multiple: 4,
            ..params()
        };
        let mut handler = RetransmitHandler::new(&wide);
        assert_eq!(
            nak(&mut handler, 0, 1 << 20, 0),
            NakOutcome::Resend(range(0, 512 * 1024))
        );

        let narrow = RetransmitParams {
            window_multiple: 1,
            ..params()
        };
        let mut handler = RetransmitHandler::new(&narrow);
        assert_eq!(
            nak(&mut handler, 0, 60_000, 0),
            NakOutcome::Resend(range(0, TERM_LENGTH / 2))
        );
    }

    #[test]
    fn naks_within_a_resent_range_are_ignored_while_it_lingers() {
        let mut handler = RetransmitHandler::new(&params());
        nak(&mut handler, 64, 1024, 0);
        assert_eq!(nak(&mut handler, 64, 32, 1), NakOutcome::Ignored);
        assert_eq!(nak(&mut handler, 1056, 4096, 1), NakOutcome::Ignored);
        assert_eq!(poll_all(&mut handler, LINGER_NS), []);
        assert_eq!(nak(&mut handler, 64, 1024, LINGER_NS), NakOutcome::Ignored);
        assert_eq!(poll_all(&mut handler, LINGER_NS + 1), []);
        assert!(handler.is_idle());
        assert_eq!(
            nak(&mut handler, 64, 1024, LINGER_NS + 1),
            NakOutcome::Resend(range(64, 1024))
        );
    }

    #[test]
    fn a_nak_of_another_term_is_not_suppressed() {
        let mut handler = group(0);
        nak(&mut handler, 64, 1024, 0);
        let other = handler.on_nak(TermId(8), TermOffset(64), 1024, Nanos(0));
        assert!(matches!(other, NakOutcome::Resend(_)));
    }

    #[test]
    fn a_delayed_resend_comes_once_after_the_delay() {
        let mut handler = group(100);
        assert_eq!(nak(&mut handler, 64, 1024, 0), NakOutcome::Delayed);
        assert_eq!(nak(&mut handler, 128, 64, 50), NakOutcome::Ignored);
        assert_eq!(poll_all(&mut handler, 100), []);
        assert_eq!(poll_all(&mut handler, 101), [range(64, 1024)]);
        assert_eq!(poll_all(&mut handler, 102), []);
        assert_eq!(poll_all(&mut handler, 101 + LINGER_NS + 1), []);
        assert!(handler.is_idle());
    }

    #[test]
    fn a_unicast_stream_gives_its_only_slot_to_the_newest_nak() {
        let mut handler = RetransmitHandler::new(&params());
        nak(&mut handler, 0, 1024, 0);
        assert_eq!(
            nak(&mut handler, 2048, 64, 5),
            NakOutcome::Resend(range(2048, 64))
        );
        assert_eq!(
            nak(&mut handler, 0, 1024, 6),
            NakOutcome::Resend(range(0, 1024))
        );
        assert_eq!(poll_all(&mut handler, 6 + LINGER_NS + 1), []);
        assert!(
            handler.is_idle(),
            "overwriting a slot must not count it twice"
        );
    }

    #[test]
    fn a_group_without_a_free_slot_overflows() {
        let mut handler = group(0);
        assert!(matches!(nak(&mut handler, 0, 64, 0), NakOutcome::Resend(_)));
        assert!(matches!(
            nak(&mut handler, 4096, 64, 0),
            NakOutcome::Resend(_)
        ));
        assert_eq!(nak(&mut handler, 8192, 64, 0), NakOutcome::Overflow);
        assert_eq!(nak(&mut handler, 4096, 64, 0), NakOutcome::Ignored);
        poll_all(&mut handler, LINGER_NS + 1);
        assert!(matches!(
            nak(&mut handler, 8192, 64, LINGER_NS + 1),
            NakOutcome::Resend(_)
        ));
    }
}
