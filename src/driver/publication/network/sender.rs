//! The sender's half: frames to datagrams, as far as flow control allows.
//!
//! Each cycle it sends, in this order: a SETUP if one is due, as many datagrams as are committed
//! and allowed, or, if there were none, a heartbeat if one is due; then what retransmission held
//! back (`driver.md` §5.3). What receivers say comes in through `inputs`.
//!
//! The positions it works with are its own; the counters only show them. So nothing a client writes
//! into the counters can make it send beyond what flow control granted, or read outside the log.

use std::net::SocketAddr;
use std::sync::Arc;

use super::batch::{BATCH_MAX, Batch, Range, Stamp};
use super::receivers::LiveReceivers;
use super::shared::Shared;
use super::{Cycle, NetworkPublicationParams, PublicationCounters};
use crate::base::{CorrelationId, Nanos, Position, RegistrationId, SessionId, StreamId};
use crate::cnc::SystemCounter;
use crate::concurrent::{EventKind, EventWriter};
use crate::driver::flow_control::FlowControl;
use crate::driver::media::send_endpoint::SendEndpoint;
use crate::driver::messages::EndpointId;
use crate::driver::retransmit::{Resend, ResendQueue, RetransmitHandler};
use crate::logbuffer::{FrameWatch, LogBuffer, TermGeometry};
use crate::port::{Burst, Transport};
use crate::protocol::{DataFrame, DataHeader, Setup, data, setup};

/// Nanoseconds between SETUPs.
const SETUP_INTERVAL_NS: i64 = 100_000_000;
/// Nanoseconds without data after which a heartbeat is sent.
const HEARTBEAT_INTERVAL_NS: i64 = 100_000_000;
/// The same on a path that loses datagrams: the receiver must hear soon of a tail that was lost.
const LOSSY_HEARTBEAT_INTERVAL_NS: i64 = 10_000_000;
/// Nanoseconds from a NAK until a path counts as free of loss again.
const LOSSY_NS: i64 = 1_000_000_000;
/// Calls per cycle that send ranges of the queue again.
const RESENDS_PER_CYCLE: usize = 8;

/// What never changes about a publication, as far as its sender cares.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) registration_id: RegistrationId,
    pub(super) session_id: SessionId,
    pub(super) stream_id: StreamId,
    pub(super) endpoint: EndpointId,
    pub(super) geometry: TermGeometry,
    pub(super) mtu_length: i32,
    pub(super) messages_per_send_max: usize,
    /// Whether a message may be a burst of datagrams.
    pub(super) sends_bursts: bool,
    pub(super) setup_flags: u8,
    pub(super) ttl: u8,
    pub(super) is_response: bool,
    pub(super) is_unicast: bool,
    pub(super) response_correlation_id: Option<CorrelationId>,
    pub(super) signal_eos: bool,
    pub(super) spies_simulate_connection: bool,
    pub(super) connection_timeout_ns: i64,
}

/// The half of a network publication that the sender owns.
#[derive(Debug)]
pub(crate) struct SenderHalf {
    pub(super) identity: Identity,
    pub(super) log: LogBuffer,
    pub(super) counters: PublicationCounters,
    pub(super) shared: Arc<Shared>,
    pub(super) flow_control: FlowControl,
    pub(super) retransmit: RetransmitHandler,
    pub(super) resend_queue: Option<ResendQueue>,
    pub(super) time_of_last_nak: Option<Nanos>,
    pub(super) receivers: LiveReceivers,
    /// Everything before it has been sent.
    pub(super) position: Position,
    /// Nothing at or beyond it may be sent.
    pub(super) limit: Position,
    /// Peer of a response publication, learnt from whoever asked for its SETUP.
    pub(super) response_address: Option<SocketAddr>,
    pub(super) time_of_last_setup: Nanos,
    pub(super) time_of_last_data_or_heartbeat: Nanos,
    pub(super) time_of_last_status_message: Nanos,
    /// There is data that flow control keeps from being sent.
    pub(super) is_held_back: bool,
    /// Data has been sent since flow control last stood in the way: the next time counts.
    pub(super) tracks_limits: bool,
    /// A receiver asked for a SETUP and none is known to be alive yet.
    pub(super) is_setup_elicited: bool,
    /// A receiver has reported at least once.
    pub(super) has_initial_connection: bool,
    pub(super) events: EventWriter,
}

impl SenderHalf {
    pub(super) fn new(params: NetworkPublicationParams, shared: Arc<Shared>) -> Self {
        let wants_response = !params.is_response && params.response_correlation_id.is_some();
        let mut setup_flags = 0;
        if wants_response {
            setup_flags |= setup::flags::SEND_RESPONSE;
        }
        if params.has_group_semantics() {
            setup_flags |= setup::flags::GROUP;
        }
        let long_ago = params
            .now
            .plus_ns(-SETUP_INTERVAL_NS.max(HEARTBEAT_INTERVAL_NS) - 1);
        Self {
            identity: Identity {
                registration_id: params.registration_id,
                session_id: params.session_id,
                stream_id: params.stream_id,
                endpoint: params.endpoint,
                geometry: params.log.geometry(),
                mtu_length: params.mtu_length,
                messages_per_send_max: params.messages_per_send_max.max(1),
                sends_bursts: params.sends_bursts,
                setup_flags,
                ttl: params.ttl,
                is_response: params.is_response,
                is_unicast: !params.has_group_semantics(),
                response_correlation_id: params.response_correlation_id,
                signal_eos: params.signal_eos,
                spies_simulate_connection: params.spies_simulate_connection,
                connection_timeout_ns: params.connection_timeout_ns,
            },
            log: params.log,
            counters: params.counters,
            shared,
            flow_control: params.flow_control,
            retransmit: params.retransmit,
            resend_queue: params.resend_queue,
            time_of_last_nak: None,
            receivers: LiveReceivers::default(),
            position: params.position,
            limit: params.position,
            response_address: None,
            time_of_last_setup: long_ago,
            time_of_last_data_or_heartbeat: long_ago,
            time_of_last_status_message: params.now,
            is_held_back: false,
            tracks_limits: false,
            is_setup_elicited: false,
            has_initial_connection: false,
            events: EventWriter::off(),
        }
    }

    /// Writes down in the event log of the sender what it sends again, and for whom.
    pub(crate) fn log_to(&mut self, events: &EventWriter) {
        let Identity {
            session_id,
            stream_id,
            ..
        } = self.identity;
        self.flow_control.log_to(events, session_id, stream_id);
        self.events = events.clone();
    }

    /// Sends what is due and allowed. Returns the bytes of data or heartbeat that went out.
    /// `NetworkPublication.send`.
    pub(crate) fn send<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) -> usize {
        if !self.has_initial_connection || self.is_setup_elicited {
            self.send_setup_if_due(endpoint, cycle);
        }
        let mut bytes = self.send_data(endpoint, cycle);
        if bytes == 0 {
            bytes = self.send_heartbeat_if_due(endpoint, cycle);
            self.on_idle(cycle.now);
        }
        self.resend_what_is_due(endpoint, cycle);
        bytes
    }

    /// Correlation id of the command that added the publication.
    pub(crate) const fn registration_id(&self) -> RegistrationId {
        self.identity.registration_id
    }

    /// The session.
    pub(crate) const fn session_id(&self) -> SessionId {
        self.identity.session_id
    }

    /// The stream.
    pub(crate) const fn stream_id(&self) -> StreamId {
        self.identity.stream_id
    }

    /// The endpoint it sends through.
    pub(crate) const fn endpoint(&self) -> EndpointId {
        self.identity.endpoint
    }

    /// Up to where data was sent.
    pub(crate) const fn position(&self) -> Position {
        self.position
    }

    /// Whether nothing may be sent until a receiver says so.
    pub(crate) fn is_at_limit(&self) -> bool {
        self.position >= self.limit
    }

    /// Whether there is data that flow control keeps from being sent.
    pub(crate) const fn is_held_back(&self) -> bool {
        self.is_held_back
    }

    /// Watches for the frame at a position.
    pub(crate) fn watch(&self, position: Position) -> Option<FrameWatch> {
        self.log.watch(position)
    }

    /// Whether something is to be sent again later.
    pub(crate) fn has_resends(&self) -> bool {
        let is_queue_idle = self.resend_queue.as_ref().is_none_or(ResendQueue::is_idle);
        !self.retransmit.is_idle() || !is_queue_idle
    }

    /// When a receiver last spoke; when the publication was made, before the first.
    pub(crate) const fn time_of_last_status_message(&self) -> Nanos {
        self.time_of_last_status_message
    }

    fn send_setup_if_due<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        if !cycle
            .now
            .is_expired(self.time_of_last_setup, SETUP_INTERVAL_NS)
        {
            return;
        }
        self.time_of_last_setup = cycle.now;
        // Departs from Aeron: a stream that is used up has no term to join any more, and a term id
        // beyond the last one would be an error to those who are told of it.
        if self.position >= self.identity.geometry.max_possible_position() {
            return;
        }
        if self.is_setup_elicited {
            self.flow_control.on_setup(self.limit, cycle.now);
        }
        let geometry = self.identity.geometry;
        let mut frame = [0; Setup::LENGTH];
        Setup {
            flags: self.identity.setup_flags,
            term_offset: geometry.term_offset_at(self.position),
            session_id: self.identity.session_id,
            stream_id: self.identity.stream_id,
            initial_term_id: geometry.initial_term_id(),
            active_term_id: geometry.term_id_at(self.position),
            term_length: geometry.term_length(),
            mtu: self.identity.mtu_length,
            ttl: i32::from(self.identity.ttl),
        }
        .encode(&mut frame);
        self.send_frame(&frame, endpoint, cycle);
        if self.shared.has_receivers.get() {
            self.is_setup_elicited = false;
        }
    }

    fn send_data<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) -> usize {
        let window = self.limit - self.position;
        if window <= 0 {
            self.is_held_back = self.log.producer_position() > self.position;
            self.on_back_pressure(cycle);
            return 0;
        }
        let range = self.range(self.position, window);
        let batch = Batch::gather(&self.log, &range, stamp(endpoint, cycle));
        let gathered = batch.datagram_count();
        self.is_held_back = batch.is_blocked();
        if gathered == 0 {
            if batch.is_blocked() {
                self.on_back_pressure(cycle);
            }
            return 0;
        }
        let sent = endpoint.send(self.response_address, batch.bursts(), cycle.now);
        let (end, bytes) = (batch.end_of(sent), batch.bytes_of(sent));
        if sent < gathered {
            cycle.system.get(SystemCounter::ShortSends).add(1);
        }
        if let Some(end) = end {
            debug_assert!(end > self.position);
            if let Some(queue) = &mut self.resend_queue {
                queue.on_data(self.position, cycle.now);
            }
            self.time_of_last_data_or_heartbeat = cycle.now;
            self.tracks_limits = true;
            self.set_position(end);
        }
        bytes
    }

    fn send_heartbeat_if_due<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) -> usize {
        let is_due = cycle.now.is_expired(
            self.time_of_last_data_or_heartbeat,
            self.heartbeat_ns(cycle),
        );
        if !self.has_initial_connection || !is_due {
            return 0;
        }
        self.time_of_last_data_or_heartbeat = cycle.now;
        let mut flags = data::flags::UNFRAGMENTED;
        if self.log.is_publication_revoked() {
            flags |= data::flags::EOS | data::flags::REVOKED;
        } else if self.identity.signal_eos && self.shared.is_end_of_stream.get() {
            flags |= data::flags::EOS;
        }
        let geometry = self.identity.geometry;
        let mut frame = [0; DataHeader::LENGTH];
        DataHeader::heartbeat(
            self.identity.session_id,
            self.identity.stream_id,
            geometry.term_id_at(self.position),
            geometry.term_offset_at(self.position),
            flags,
        )
        .encode(&mut frame);
        cycle.system.get(SystemCounter::HeartbeatsSent).add(1);
        self.send_frame(&frame, endpoint, cycle)
    }

    /// Nanoseconds without data after which a heartbeat is due.
    fn heartbeat_ns(&self, cycle: &Cycle<'_>) -> i64 {
        let is_lossy = self
            .time_of_last_nak
            .is_some_and(|last| !cycle.now.is_expired(last, LOSSY_NS));
        if is_lossy && self.resend_queue.is_some() {
            LOSSY_HEARTBEAT_INTERVAL_NS
        } else {
            HEARTBEAT_INTERVAL_NS
        }
    }

    /// Nothing was sent: spies may stand in for receivers, and the silent are forgotten.
    fn on_idle(&mut self, now: Nanos) {
        let is_end_of_stream = self.shared.is_end_of_stream.get();
        let spies_lead = self.identity.spies_simulate_connection
            && self.shared.has_spies.get()
            && !self.shared.has_receivers.get();
        let mut limit = self.limit;
        if spies_lead {
            let furthest = self.shared.spy_position_max();
            if furthest > self.position {
                self.set_position(furthest);
            }
            limit = self.position;
        }
        let limit = self
            .flow_control
            .on_idle(now, limit, self.position, is_end_of_stream);
        self.set_limit(limit);
        self.publish_required_receivers();
        self.receivers
            .drop_silent(now, self.identity.connection_timeout_ns);
        self.publish_receivers();
    }

    fn resend_what_is_due<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        self.resend_queued(endpoint, cycle);
        if self.retransmit.is_idle() {
            return;
        }
        for slot in 0..self.retransmit.slot_count() {
            if let Some(resend) = self.retransmit.poll_slot(slot, cycle.now) {
                self.resend(resend, endpoint, cycle);
            }
        }
    }

    /// Sends a range again, if the log still has it. `NetworkPublication.resend`.
    pub(super) fn resend<T: Transport>(
        &mut self,
        resend: Resend,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        let geometry = self.identity.geometry;
        let from = geometry.position(resend.term_id, resend.term_offset);
        if !self.has_for_resend(from) {
            return;
        }
        // What has not been sent is subject to flow control: it is not sent by this way either.
        let end = self.position.min(from + i64::from(resend.length));
        let mut cursor = from;
        let mut bytes = 0;
        while cursor < end {
            let range = self.range(cursor, end - cursor);
            let batch = Batch::gather(&self.log, &range, stamp(endpoint, cycle));
            let gathered = batch.datagram_count();
            if gathered == 0 {
                break;
            }
            let sent = endpoint.send(self.response_address, batch.bursts(), cycle.now);
            bytes += batch.bytes_of(sent);
            if let Some(reached) = batch.end_of(sent) {
                cursor = reached;
            }
            if sent < gathered {
                cycle.system.get(SystemCounter::ShortSends).add(1);
                break;
            }
        }
        if bytes > 0 {
            cycle.system.get(SystemCounter::RetransmitsSent).add(1);
            count_resent(bytes, cycle);
            self.log_resend(&resend, bytes, cycle.now);
        }
    }

    fn log_resend(&self, resend: &Resend, bytes: usize, now: Nanos) {
        if self.events.is_on() {
            let values = [
                i64::from(self.identity.session_id.get()),
                i64::from(self.identity.stream_id.get()),
                i64::from(resend.term_id.get()),
                i64::from(resend.term_offset.get()),
                i64::from(resend.length),
                i64::try_from(bytes).unwrap_or(i64::MAX),
            ];
            self.events.emit(now, EventKind::Resend, &values, "");
        }
    }

    /// Sends ranges of the queue again, some in each cycle.
    pub(super) fn resend_queued<T: Transport>(
        &mut self,
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) {
        for _ in 0..RESENDS_PER_CYCLE {
            let Some(queue) = &mut self.resend_queue else {
                return;
            };
            if queue.is_idle() {
                return;
            }
            let Some(next) = queue.next(cycle.now) else {
                return;
            };
            let is_there = self.has_for_resend(next.begin);
            let mut range = self.range(next.begin, next.end - next.begin);
            range.count_max = if range.has_bursts { 1 } else { BATCH_MAX };
            let batch = Batch::gather(&self.log, &range, stamp(endpoint, cycle));
            let is_frame = batch.bursts().first().is_some_and(|burst| {
                self.is_frame_of(next.begin, &burst.bytes()[..burst.length_of(1)])
            });
            let Some(queue) = &mut self.resend_queue else {
                return;
            };
            if !is_there || !is_frame {
                queue.on_unavailable();
                continue;
            }
            let sent = endpoint.send(self.response_address, batch.bursts(), cycle.now);
            let bytes = batch.bytes_of(sent);
            if let Some(cursor) = batch.end_of(sent) {
                queue.on_sent(cursor, bytes, cycle.now);
                if next.is_untouched {
                    cycle.system.get(SystemCounter::RetransmitsSent).add(1);
                }
                count_resent(bytes, cycle);
                let geometry = self.identity.geometry;
                let resend = Resend {
                    term_id: geometry.term_id_at(next.begin),
                    term_offset: geometry.term_offset_at(next.begin),
                    length: i32::try_from(cursor - next.begin).unwrap_or(i32::MAX),
                };
                self.log_resend(&resend, bytes, cycle.now);
            }
            if sent < batch.datagram_count() {
                cycle.system.get(SystemCounter::ShortSends).add(1);
                return;
            }
        }
    }

    /// Whether the log still has what lies at a position, and it was sent before.
    fn has_for_resend(&self, from: Position) -> bool {
        let bottom = self.position - self.reach_back();
        from >= bottom && from < self.position && from >= Position::ZERO
    }

    /// Whether a datagram from the log begins with the frame of a position. What a NAK asks for
    /// need not begin where a frame does.
    fn is_frame_of(&self, position: Position, datagram: &[u8]) -> bool {
        let geometry = self.identity.geometry;
        DataFrame::parse(datagram).is_ok_and(|frame| {
            frame.session_id() == self.identity.session_id
                && frame.stream_id() == self.identity.stream_id
                && frame.term_id() == geometry.term_id_at(position)
                && frame.term_offset() == geometry.term_offset_at(position)
        })
    }

    /// Sends one frame that is not in the log. Returns the bytes that went out.
    pub(super) fn send_frame<T: Transport>(
        &self,
        frame: &[u8],
        endpoint: &mut SendEndpoint<T>,
        cycle: &Cycle<'_>,
    ) -> usize {
        if endpoint.send(self.response_address, &[Burst::one(frame)], cycle.now) == 0 {
            cycle.system.get(SystemCounter::ShortSends).add(1);
            return 0;
        }
        frame.len()
    }

    /// Flow control stands in the way: counted once until data moves again.
    fn on_back_pressure(&mut self, cycle: &Cycle<'_>) {
        if self.tracks_limits {
            self.tracks_limits = false;
            self.counters
                .sender_back_pressure_events
                .increment_single_writer();
            cycle
                .system
                .get(SystemCounter::SenderFlowControlLimits)
                .add(1);
        }
    }

    /// What was sent before may be sent again whole, wherever who asks for it lets it end.
    fn range(&self, from: Position, length: i64) -> Range {
        Range {
            from,
            length,
            first_length: (self.position - from).min(i64::from(self.identity.mtu_length)),
            mtu_length: self.identity.mtu_length,
            count_max: self.identity.messages_per_send_max,
            has_bursts: self.identity.sends_bursts,
        }
    }

    fn set_position(&mut self, position: Position) {
        debug_assert!(position > self.position);
        self.position = position;
        self.shared.set_sender_position(position);
        self.counters.sender_position.set(position.get());
    }

    pub(super) fn set_limit(&mut self, limit: Position) {
        if limit != self.limit {
            self.limit = limit;
            self.counters.sender_limit.set(limit.get());
        }
    }

    pub(super) fn publish_receivers(&self) {
        self.shared.has_receivers.set(!self.receivers.is_empty());
    }

    pub(super) fn publish_required_receivers(&self) {
        self.shared
            .has_required_receivers
            .set(self.flow_control.has_required_receivers());
    }
}

/// Counts bytes that were sent again.
fn count_resent(bytes: usize, cycle: &Cycle<'_>) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    cycle
        .system
        .get(SystemCounter::RetransmittedBytes)
        .add(bytes);
    cycle.system.get(SystemCounter::BytesSent).add(bytes);
}

/// What goes into the first frame of each datagram, if the channel wants send times.
fn stamp<T: Transport>(endpoint: &SendEndpoint<T>, cycle: &Cycle<'_>) -> Option<Stamp> {
    let payload_offset = endpoint.send_timestamp_offset()?;
    Some(Stamp {
        payload_offset,
        epoch_ns: cycle.epoch_ns,
    })
}
