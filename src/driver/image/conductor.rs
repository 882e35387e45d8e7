//! The conductor's half of an image: rebuilding, advertising, and the end of its life
//! (`driver.md` §8.4, §8.7, §9.1).

use std::sync::Arc;

use super::shared::Shared;
use super::{ImageCounters, ImageParams};
use crate::base::{CorrelationId, CounterId, Nanos, Position, SessionId, StreamId};
use crate::concurrent::{LossReport, LossSource};
use crate::driver::congestion::{CongestionControl, RebuildProgress};
use crate::driver::loss::{LossDetector, LossReporter, LossTally};
use crate::driver::messages::EndpointId;
use crate::driver::untethered::{LinkId, SubscriberPosition, SubscriberPositions, UntetheredEvent};
use crate::logbuffer::{Gap, LogBuffer};
use crate::port::Tick;
use crate::protocol::data::FRAME_ALIGNMENT;

/// Status messages that say goodbye before an image may become unavailable.
const EOS_SM_MULTIPLE: i64 = 5;

/// What a tick of the conductor's timer asks of the conductor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ImageEvent {
    /// Nothing.
    None,
    /// The image is unavailable now: tell every linked subscription, send *remove image* and then,
    /// if the last linked subscription rejoins, *remove cool-down* to the receiver, and give up the
    /// reference on the endpoint.
    Unavailable,
    /// The links are to be dissolved ([`ConductorHalf::clear_subscribers`]).
    Unlink,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The receiver may have begun to drain it all the same; see [`Shared`].
    Active,
    Draining {
        since: Nanos,
    },
    Linger {
        since: Nanos,
    },
    Done,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ConductorHalf {
    correlation_id: CorrelationId,
    session_id: SessionId,
    stream_id: StreamId,
    endpoint: EndpointId,
    /// Who sent the SETUP, as `ip:port`.
    source_identity: String,
    channel: String,
    log: LogBuffer,
    counters: ImageCounters,
    shared: Arc<Shared>,
    subscribers: SubscriberPositions,
    congestion: CongestionControl,
    detector: LossDetector,
    reporter: LossReporter,
    /// Whether the receiver finds and asks for what is lost.
    has_recovery: bool,
    /// What the receiver said was lost.
    lost: LossTally,
    last_lost_sequence: i64,
    wants_response: bool,
    status_message_timeout_ns: i64,
    liveness_timeout_ns: i64,

    state: State,
    is_released: bool,
    /// Position and window of the status message scheduled last.
    next_sm_position: Position,
    next_sm_window_length: i32,
    last_rtt_sequence: i64,
}

impl ConductorHalf {
    pub(super) fn new(params: ImageParams, shared: Arc<Shared>) -> Self {
        Self {
            correlation_id: params.correlation_id,
            session_id: params.session_id,
            stream_id: params.stream_id,
            endpoint: params.endpoint,
            source_identity: params.source.to_string(),
            channel: params.channel,
            log: params.log,
            counters: params.counters,
            shared,
            subscribers: params.subscribers,
            next_sm_window_length: params.congestion.initial_window_length(),
            congestion: params.congestion,
            detector: LossDetector::new(params.nak_delay),
            reporter: LossReporter::new(),
            has_recovery: params.has_recovery && params.is_reliable,
            lost: LossTally::default(),
            last_lost_sequence: 0,
            wants_response: params.wants_response,
            status_message_timeout_ns: params.status_message_timeout_ns,
            liveness_timeout_ns: params.liveness_timeout_ns,
            state: State::Active,
            is_released: false,
            next_sm_position: params.join_position,
            last_rtt_sequence: 0,
        }
    }

    // Inputs.

    /// Links a subscriber that stands at [`Self::join_position`].
    pub(crate) fn add_subscriber(&mut self, position: SubscriberPosition, now: Nanos) {
        self.subscribers.add(position, now);
    }

    /// Forgets a link. Returns the counter to free.
    pub(crate) fn remove_subscriber(&mut self, link: LinkId) -> Option<CounterId> {
        self.subscribers.remove(link)
    }

    /// Forgets all links. Returns the counters to free.
    pub(crate) fn clear_subscribers(&mut self) -> Vec<CounterId> {
        self.subscribers.clear()
    }

    /// Announce the session of the response stream to the publication, or stop that.
    pub(crate) fn set_response_session_id(&mut self, session_id: Option<SessionId>) {
        self.shared.set_response_session_id(session_id);
        if session_id.is_some() {
            self.shared.request_status_message();
        }
    }

    /// The receiver gave its half back.
    pub(crate) const fn on_released(&mut self) {
        self.is_released = true;
    }

    /// Every cycle: moves the rebuild position to the first gap, has the gap repaired, and
    /// schedules a status message if there is reason to (`PublicationImage.trackRebuild`). Returns
    /// whether one was scheduled.
    pub(crate) fn track_rebuild(&mut self, tick: Tick, report: &mut LossReport) -> bool {
        if self.state != State::Active || self.shared.is_draining() {
            return false;
        }
        if self.log.is_publication_revoked() {
            return false;
        }
        let hwm = Position(self.counters.hwm.get());
        let Some((subscriber_min, subscriber_max)) = self.subscriber_min_max(hwm) else {
            return false;
        };
        self.take_in_rtt();
        let rebuild = Position(self.counters.rebuild.get_relaxed()).max(subscriber_max);
        let scan = self.log.scan_gap(rebuild, hwm);
        let detection = self.detector.on_scan(scan.gap, tick.now);
        if self.has_recovery {
            self.take_in_losses(tick, report);
        } else if let Some(gap) = detection.due {
            self.on_gap(gap, tick, report);
        }
        self.counters.rebuild.propose_max(scan.contiguous.get());
        let progress = RebuildProgress {
            subscriber_position_min: subscriber_min,
            next_sm_position: self.next_sm_position,
            hwm_position: hwm,
            rebuild_position: rebuild,
            rebuild_position_new: scan.contiguous,
            loss_found: detection.loss_found,
            length_behind_gap: scan.gap.map_or(0, |gap| {
                (hwm - scan.contiguous - i64::from(gap.length)).max(0)
            }),
        };
        let decision = self.congestion.on_track_rebuild(&progress, tick.now);
        let window_length = decision.window_length;
        let is_due = decision.force_status_message
            || window_length != self.next_sm_window_length
            || subscriber_min > self.next_sm_position + i64::from(window_length / 4);
        if is_due {
            self.schedule_status_message(subscriber_min, window_length);
        }
        is_due
    }

    /// Up to where nothing is missing, as of the last [`Self::track_rebuild`].
    pub(crate) fn rebuild_position(&self) -> i64 {
        self.counters.rebuild.get_relaxed()
    }

    /// Every tick of the conductor's timer: moves through the last states. What untethered
    /// subscribers did is added to `untethered`.
    pub(crate) fn on_timer(
        &mut self,
        tick: Tick,
        untethered: &mut Vec<UntetheredEvent>,
    ) -> ImageEvent {
        let now = tick.now;
        if self.state == State::Active
            && let Some(since) = self.shared.draining_since()
        {
            self.state = State::Draining { since };
        }
        match self.state {
            State::Active => {
                // Departs from Aeron's Java driver: an image whose last working subscriber fell
                // behind or left drains here, even if others of its endpoint keep the stream.
                if self.log.is_publication_revoked() || !self.subscribers.has_working() {
                    self.shared.request_drain();
                    self.state = State::Draining { since: now };
                } else {
                    self.check_untethered(now, untethered);
                }
                ImageEvent::None
            }
            State::Draining { since } => {
                let goodbye_ns = self
                    .status_message_timeout_ns
                    .saturating_mul(EOS_SM_MULTIPLE);
                let is_over = self.is_drained() && now.is_expired(since, goodbye_ns);
                if !is_over && !self.log.is_publication_revoked() {
                    return ImageEvent::None;
                }
                self.state = State::Linger { since: now };
                ImageEvent::Unavailable
            }
            State::Linger { since } => {
                if !self.subscribers.is_empty() && !now.is_expired(since, self.liveness_timeout_ns)
                {
                    return ImageEvent::None;
                }
                self.state = State::Done;
                ImageEvent::Unlink
            }
            State::Done => ImageEvent::None,
        }
    }

    // Queries.

    /// Its registration id.
    pub(crate) const fn correlation_id(&self) -> CorrelationId {
        self.correlation_id
    }

    /// Session of the stream.
    pub(crate) const fn session_id(&self) -> SessionId {
        self.session_id
    }

    /// The stream.
    pub(crate) const fn stream_id(&self) -> StreamId {
        self.stream_id
    }

    /// Endpoint that receives it.
    pub(crate) const fn endpoint(&self) -> EndpointId {
        self.endpoint
    }

    /// The name of its state.
    pub(crate) const fn state_name(&self) -> &'static str {
        match self.state {
            State::Active => "ACTIVE",
            State::Draining { .. } => "DRAINING",
            State::Linger { .. } => "LINGER",
            State::Done => "DONE",
        }
    }

    /// Who sent the SETUP, as clients are told.
    pub(crate) fn source_identity(&self) -> &str {
        &self.source_identity
    }

    /// Its log.
    pub(crate) const fn log(&self) -> &LogBuffer {
        &self.log
    }

    /// Its counters.
    #[cfg(test)]
    pub(crate) const fn counters(&self) -> &ImageCounters {
        &self.counters
    }

    /// Its subscribers.
    pub(crate) const fn subscribers(&self) -> &SubscriberPositions {
        &self.subscribers
    }

    /// Whether the publication asks for a response channel.
    pub(crate) const fn wants_response(&self) -> bool {
        self.wants_response
    }

    /// Whether a subscription that comes now is linked.
    pub(crate) fn is_accepting_subscriptions(&self) -> bool {
        if !self.subscribers.has_working() {
            return false;
        }
        match self.state {
            State::Active if !self.shared.is_draining() => true,
            State::Active | State::Draining { .. } => !self.is_drained(),
            State::Linger { .. } | State::Done => false,
        }
    }

    /// Where a subscriber that comes now begins.
    pub(crate) fn join_position(&self) -> Position {
        join_position(
            Position(self.counters.rebuild.get_relaxed()),
            self.subscribers.min(),
        )
    }

    /// Whether clients may still use it: it has not become unavailable.
    pub(crate) const fn is_available(&self) -> bool {
        matches!(self.state, State::Active | State::Draining { .. })
    }

    /// Whether both halves are done with it: its counters and its log can be freed.
    pub(crate) fn has_reached_end_of_life(&self) -> bool {
        self.state == State::Done && self.is_released
    }

    // Details.

    /// Lowest and highest subscriber position. They are written by clients, so they are kept
    /// between what was advertised already and what has arrived.
    fn subscriber_min_max(&self, hwm: Position) -> Option<(Position, Position)> {
        let (min, max) = self.subscribers.min_max()?;
        let floor = self.next_sm_position;
        let ceiling = hwm.max(floor);
        let aligned =
            |position: Position| Position(position.get() & !(i64::from(FRAME_ALIGNMENT) - 1));
        Some((
            aligned(min).clamp(floor, ceiling),
            aligned(max).clamp(floor, ceiling),
        ))
    }

    fn schedule_status_message(&mut self, position: Position, window_length: i32) {
        self.next_sm_position = position;
        self.next_sm_window_length = window_length;
        self.shared.schedule_status_message(position, window_length);
    }

    fn on_gap(&mut self, gap: Gap, tick: Tick, report: &mut LossReport) {
        self.shared.report_loss(gap);
        let source = LossSource {
            session_id: self.session_id,
            stream_id: self.stream_id,
            channel: &self.channel,
            source_identity: &self.source_identity,
        };
        self.reporter.on_gap(gap, &source, report, tick.epoch);
    }

    /// Writes down what the receiver has found missing since the last time.
    fn take_in_losses(&mut self, tick: Tick, report: &mut LossReport) {
        if self.shared.lost_sequence() == self.last_lost_sequence {
            return;
        }
        let Some((sequence, lost)) = self.shared.lost() else {
            return;
        };
        let bytes = lost.bytes - self.lost.bytes;
        self.last_lost_sequence = sequence;
        self.lost = lost;
        let source = LossSource {
            session_id: self.session_id,
            stream_id: self.stream_id,
            channel: &self.channel,
            source_identity: &self.source_identity,
        };
        self.reporter.on_bytes(bytes, &source, report, tick.epoch);
    }

    fn take_in_rtt(&mut self) {
        if let Some((sequence, rtt_ns)) = self.shared.rtt()
            && sequence != self.last_rtt_sequence
        {
            self.last_rtt_sequence = sequence;
            self.congestion.on_rtt(rtt_ns);
        }
    }

    fn check_untethered(&mut self, now: Nanos, events: &mut Vec<UntetheredEvent>) {
        let Some(max) = self.subscribers.max() else {
            return;
        };
        let advertised = self.next_sm_window_length;
        let window = i64::from(self.congestion.subscriber_window_length(advertised));
        let limit = max - window + window / 4;
        let rebuild = Position(self.counters.rebuild.get_relaxed());
        let join = |min| join_position(rebuild, min);
        self.subscribers
            .check_untethered(now, limit, join, rebuild, events);
    }

    fn is_drained(&self) -> bool {
        self.subscribers
            .is_drained(Position(self.counters.rebuild.get_relaxed()))
    }
}

/// The slowest subscriber, but not past what is complete.
fn join_position(rebuild: Position, subscriber_min: Option<Position>) -> Position {
    subscriber_min.map_or(rebuild, |min| min.min(rebuild))
}
