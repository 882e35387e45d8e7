//! What the two halves of an image tell each other: atomics with one writer each.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crossbeam_utils::CachePadded;

use crate::base::{Nanos, Position, SessionId, TermId, TermOffset};
use crate::concurrent::StampedCell;
use crate::driver::loss::LossTally;
use crate::logbuffer::Gap;

/// Stands for "no session"; outside the range of session ids.
const NO_SESSION: i64 = i64::MIN;

/// A status message to send: sequence number, position, window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScheduledStatusMessage {
    pub(super) sequence: i64,
    pub(super) position: Position,
    pub(super) window_length: i32,
}

/// Between the halves of one image.
#[derive(Debug)]
pub(super) struct Shared {
    /// Position and window to advertise. Written by the conductor.
    status_message: StampedCell<2>,
    /// Term id, offset and length of a gap to ask for or to fill. Written by the conductor.
    loss: StampedCell<3>,
    /// Gaps asked for and bytes in them, since the begin. Written by the receiver if it finds them.
    lost: StampedCell<2>,
    /// Round trip measured last. Written by the receiver.
    rtt: StampedCell<1>,
    /// When the image began to drain; published once. Written by the receiver.
    draining: StampedCell<1>,
    from_conductor: CachePadded<FromConductor>,
}

#[derive(Debug)]
struct FromConductor {
    /// The image is to drain.
    is_drain_requested: AtomicBool,
    /// How often a status message was asked for at once.
    deadline_resets: AtomicI64,
    /// Session of the response stream to announce.
    response_session_id: AtomicI64,
}

impl Shared {
    pub(super) fn new() -> Self {
        Self {
            status_message: StampedCell::new(),
            loss: StampedCell::new(),
            lost: StampedCell::new(),
            rtt: StampedCell::new(),
            draining: StampedCell::new(),
            from_conductor: CachePadded::new(FromConductor {
                is_drain_requested: AtomicBool::new(false),
                deadline_resets: AtomicI64::new(0),
                response_session_id: AtomicI64::new(NO_SESSION),
            }),
        }
    }

    // Conductor to receiver.

    pub(super) fn schedule_status_message(&self, position: Position, window_length: i32) {
        self.status_message
            .publish(&[position.get(), i64::from(window_length)]);
    }

    /// Sequence number of the status message scheduled last.
    #[inline]
    pub(super) fn status_message_sequence(&self) -> i64 {
        self.status_message.sequence()
    }

    /// The status message scheduled last; `None` while it is being replaced.
    #[expect(clippy::cast_possible_truncation, reason = "published from an i32")]
    pub(super) fn status_message(&self) -> Option<ScheduledStatusMessage> {
        let (sequence, [position, window]) = self.status_message.read()?;
        let window_length = window as i32;
        Some(ScheduledStatusMessage {
            sequence,
            position: Position(position),
            window_length,
        })
    }

    pub(super) fn report_loss(&self, gap: Gap) {
        let Gap {
            term_id,
            term_offset,
            length,
        } = gap;
        self.loss
            .publish(&[term_id.get(), term_offset.get(), length].map(i64::from));
    }

    /// Sequence number of the gap reported last.
    #[inline]
    pub(super) fn loss_sequence(&self) -> i64 {
        self.loss.sequence()
    }

    /// The gap reported last with its sequence number; `None` while it is being replaced.
    #[expect(clippy::cast_possible_truncation, reason = "published from i32s")]
    pub(super) fn loss(&self) -> Option<(i64, Gap)> {
        let (sequence, values) = self.loss.read()?;
        let [term_id, term_offset, length] = values.map(|value| value as i32);
        let gap = Gap {
            term_id: TermId(term_id),
            term_offset: TermOffset(term_offset),
            length,
        };
        Some((sequence, gap))
    }

    pub(super) fn request_drain(&self) {
        // PUBLISH(image-drain): pairs with is_drain_requested. What the conductor saw (the revoked
        // flag, no subscribers) is visible to whoever drains.
        self.from_conductor
            .is_drain_requested
            .store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_drain_requested(&self) -> bool {
        // Pairs with PUBLISH(image-drain).
        self.from_conductor
            .is_drain_requested
            .load(Ordering::Acquire)
    }

    /// Asks for a status message (and a response setup) in the next cycle of the receiver.
    pub(super) fn request_status_message(&self) {
        let resets = &self.from_conductor.deadline_resets;
        // Relaxed load: the conductor is the only writer.
        // PUBLISH(image-deadline): pairs with deadline_resets; the response session comes first.
        resets.store(
            resets.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
    }

    /// How often [`Self::request_status_message`] was called.
    #[inline]
    pub(super) fn deadline_resets(&self) -> i64 {
        // Pairs with PUBLISH(image-deadline).
        self.from_conductor.deadline_resets.load(Ordering::Acquire)
    }

    pub(super) fn set_response_session_id(&self, session_id: Option<SessionId>) {
        let value = session_id.map_or(NO_SESSION, |session_id| i64::from(session_id.get()));
        // Relaxed: a value by itself; the request that follows it publishes.
        self.from_conductor
            .response_session_id
            .store(value, Ordering::Relaxed);
    }

    pub(super) fn response_session_id(&self) -> Option<SessionId> {
        let value = self
            .from_conductor
            .response_session_id
            .load(Ordering::Relaxed);
        i32::try_from(value).ok().map(SessionId)
    }

    // Receiver to conductor.

    pub(super) fn begin_draining(&self, now: Nanos) {
        debug_assert!(self.draining.sequence() == 0, "an image drains once");
        self.draining.publish(&[now.get()]);
    }

    /// Whether the image drains or is past that.
    #[inline]
    pub(super) fn is_draining(&self) -> bool {
        self.draining.sequence() != 0
    }

    /// When the image began to drain, if it did.
    pub(super) fn draining_since(&self) -> Option<Nanos> {
        match self.draining.read() {
            None | Some((0, _)) => None,
            Some((_, [since])) => Some(Nanos(since)),
        }
    }

    pub(super) fn report_lost(&self, tally: LossTally) {
        self.lost.publish(&[tally.gaps, tally.bytes]);
    }

    /// Sequence number of what was reported last as lost.
    #[inline]
    pub(super) fn lost_sequence(&self) -> i64 {
        self.lost.sequence()
    }

    /// What was reported last as lost, with its sequence number; `None` while it is being replaced.
    pub(super) fn lost(&self) -> Option<(i64, LossTally)> {
        let (sequence, [gaps, bytes]) = self.lost.read()?;
        Some((sequence, LossTally { gaps, bytes }))
    }

    pub(super) fn report_rtt(&self, rtt_ns: i64) {
        self.rtt.publish(&[rtt_ns]);
    }

    /// Round trip measured last with its sequence number, 0 if none was; `None` while it is being
    /// replaced.
    pub(super) fn rtt(&self) -> Option<(i64, i64)> {
        self.rtt
            .read()
            .map(|(sequence, [rtt_ns])| (sequence, rtt_ns))
    }
}
