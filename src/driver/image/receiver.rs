//! The receiver's half of an image: datagrams in (`driver.md` §8.2), control frames out
//! (`outbound`).

mod outbound;

use std::net::SocketAddr;
use std::sync::Arc;

use super::connection::Connections;
use super::shared::Shared;
use super::{ImageCounters, ImageParams};
use crate::base::{CorrelationId, Nanos, Position, SessionId, StreamId, TermId, TermOffset};
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::EventWriter;
use crate::driver::congestion::RttSchedule;
use crate::driver::loss::{LossRecovery, RecoveryParams};
use crate::driver::media::receive_endpoint::{ReceiveEndpoint, SendContext};
use crate::driver::messages::EndpointId;
use crate::logbuffer::{ImageWriter, LogBuffer};
use crate::port::Transport;
use crate::protocol::data::HEADER_LENGTH;

/// Longest reason of a rejection that fits an error frame, in bytes.
pub(crate) const REJECT_REASON_LENGTH_MAX: usize = crate::protocol::error::TEXT_LENGTH_MAX;

/// A time to be written into every message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timestamp {
    /// Where in the payload; -8 is the reserved value.
    pub(crate) offset: i32,
    /// Nanoseconds since the epoch.
    pub(crate) epoch_ns: i64,
}

/// Datagrams, the first of which is data for an image, with the fields of its first frame.
#[derive(Debug)]
pub(crate) struct Arrival<'a> {
    /// The datagram, and what else the kernel put together with it.
    pub(crate) bytes: &'a mut [u8],
    /// Bytes of each datagram but the last.
    pub(crate) segment_length: usize,
    /// Term of all its frames.
    pub(crate) term_id: TermId,
    /// Where the first one lies.
    pub(crate) term_offset: TermOffset,
    /// Whether it is a heartbeat: no data, only the sender's position.
    pub(crate) is_heartbeat: bool,
    /// Whether the stream ends at that position.
    pub(crate) is_end_of_stream: bool,
    /// Whether the publication was revoked.
    pub(crate) is_revoked: bool,
    /// Slot of the transport that brought it.
    pub(crate) transport_index: usize,
    /// Where its sender takes control frames.
    pub(crate) control_address: SocketAddr,
    /// What to write into its messages: the driver's and the kernel's time of receipt.
    pub(crate) timestamps: [Option<Timestamp>; 2],
}

/// Datagrams that were received where an image expects what is next.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LandedArrival {
    /// Bytes of all, with the first header.
    pub(crate) length: usize,
    /// Bytes of each datagram but the last.
    pub(crate) segment_length: usize,
    /// Slot of the transport that brought them.
    pub(crate) transport_index: usize,
    /// Where their sender takes control frames.
    pub(crate) control_address: SocketAddr,
}

/// What asks for all that an image misses, if it is to.
fn recovery(params: &ImageParams) -> Option<Box<LossRecovery>> {
    let recovery_params = RecoveryParams {
        delay: params.nak_delay.clone(),
        geometry: params.log.geometry(),
        start: params.join_position,
        window_length_max: params.congestion.max_window_length(),
        mtu_length: params.log.mtu_length(),
    };
    (params.has_recovery && params.is_reliable)
        .then(|| Box::new(LossRecovery::new(recovery_params, params.now)))
}

/// See the module.
#[derive(Debug)]
pub(crate) struct ReceiverHalf {
    correlation_id: CorrelationId,
    session_id: SessionId,
    stream_id: StreamId,
    endpoint: EndpointId,
    log: LogBuffer,
    writer: ImageWriter,
    counters: ImageCounters,
    shared: Arc<Shared>,
    connections: Connections,
    is_reliable: bool,
    /// Behind the last status message by more than this, data says nothing about its sender.
    window_length_max: i32,
    liveness_timeout_ns: i64,
    status_message_timeout_ns: i64,
    time_of_last_packet: Nanos,
    is_end_of_stream: bool,
    /// Why a client does not want it any more.
    rejection: Option<Box<str>>,
    rtt: Option<RttSchedule>,

    /// Position of the status message sent last.
    last_sm_position: Position,
    /// Data that ends behind this is not accepted.
    overrun_threshold: Position,
    last_sm_sequence: i64,
    sm_deadline: Nanos,
    /// Off for an image that a newer one of the same session replaced.
    is_timed_sm_enabled: bool,
    is_sending_eos_sm: bool,
    last_deadline_resets: i64,
    last_loss_sequence: i64,
    events: EventWriter,
    /// Knows what is missing and asks for it; else the conductor does.
    recovery: Option<Box<LossRecovery>>,
}

impl ReceiverHalf {
    pub(super) fn new(params: &ImageParams, shared: Arc<Shared>) -> Self {
        let half_term = i64::from(params.log.geometry().term_length() / 2);
        Self {
            correlation_id: params.correlation_id,
            session_id: params.session_id,
            stream_id: params.stream_id,
            endpoint: params.endpoint,
            log: params.log.clone(),
            writer: ImageWriter::new(params.log.clone(), params.join_position),
            counters: params.counters.clone(),
            shared,
            connections: Connections::new(
                params.transport_index,
                params.control_address,
                params.now,
            ),
            is_reliable: params.is_reliable,
            window_length_max: params.congestion.max_window_length(),
            liveness_timeout_ns: params.liveness_timeout_ns,
            status_message_timeout_ns: params.status_message_timeout_ns,
            time_of_last_packet: params.now,
            is_end_of_stream: false,
            rejection: None,
            rtt: params.congestion.rtt_schedule(params.now),
            last_sm_position: params.join_position,
            overrun_threshold: params.join_position + half_term,
            last_sm_sequence: 0,
            sm_deadline: params.now.plus_ns(-1),
            is_timed_sm_enabled: true,
            is_sending_eos_sm: false,
            last_deadline_resets: 0,
            last_loss_sequence: 0,
            events: EventWriter::off(),
            recovery: recovery(params),
        }
    }

    /// Writes down in the event log of the receiver what it asks for again.
    pub(crate) fn log_to(&mut self, events: &EventWriter) {
        self.events = events.clone();
    }

    // Inputs.

    /// The receiver registered the image. `transport_count` slots may deliver to it.
    pub(crate) fn activate(&mut self, transport_count: usize, now: Nanos) {
        self.connections.reserve(transport_count);
        self.time_of_last_packet = now;
    }

    /// Takes in the first datagram (`PublicationImage.insertPacket`), and those that continue it.
    /// Returns how many bytes that was.
    pub(crate) fn insert(
        &mut self,
        mut arrival: Arrival<'_>,
        now: Nanos,
        system: &SystemCounters,
    ) -> usize {
        let geometry = self.log.geometry();
        let first_length = arrival.segment_length.min(arrival.bytes.len());
        let Some(position) = self.position_of(&arrival) else {
            return first_length;
        };
        if self.rejection.is_some() {
            return first_length;
        }
        let run = geometry.validate_run(arrival.term_offset, arrival.bytes, arrival.segment_length);
        let Some(mut run) = run else {
            system.get(SystemCounter::InvalidPackets).add(1);
            return first_length;
        };
        if run.length > first_length && !self.accepts(position, position + i64::from(run.covered)) {
            // Each is judged and counted by itself then. All but the last are whole.
            run.covered = i32::try_from(first_length).unwrap_or(run.covered);
            run.length = first_length;
        }
        let bytes = std::mem::take(&mut arrival.bytes);
        arrival.bytes = &mut bytes[..run.length];
        let end_position = position + i64::from(run.covered);
        if end_position > self.overrun_threshold
            && self.is_over_run(position, run.length, end_position, arrival.is_heartbeat)
        {
            system.get(SystemCounter::FlowControlOverRuns).add(1);
            if arrival.is_heartbeat {
                self.on_heartbeat_beyond(position, now);
            }
        } else if arrival.is_heartbeat {
            self.on_heartbeat(&arrival, position, now, system);
        } else {
            self.on_data(arrival, position, end_position, now, system);
        }
        run.length
    }

    /// Where the bytes behind the header of the next frame may be received, if that may be.
    pub(crate) fn landing(&mut self) -> Option<&mut [u8]> {
        if self.rejection.is_some() {
            return None;
        }
        self.writer.landing()
    }

    /// Takes in what was received into [`Self::landing`], behind its first header `first`. Returns
    /// whether it belongs there; if not, nothing has changed.
    pub(crate) fn on_landed(
        &mut self,
        first: &[u8; HEADER_LENGTH],
        arrival: &LandedArrival,
        now: Nanos,
    ) -> bool {
        let LandedArrival {
            length,
            segment_length,
            transport_index,
            control_address,
        } = *arrival;
        let landed = self.writer.check_landed(first, length, segment_length);
        let Some(landed) = landed.filter(|landed| self.accepts(landed.begin, landed.end)) else {
            return false;
        };
        self.time_of_last_packet = now;
        self.connections
            .on_frame(transport_index, control_address, now);
        self.writer.take_in(first, landed);
        if let Some(recovery) = &mut self.recovery {
            recovery.on_data(landed.begin, landed.end, true, now);
        }
        self.counters.hwm.propose_max(landed.end.get());
        true
    }

    /// A SETUP for this image arrived through a transport.
    pub(crate) fn on_setup(&mut self, index: usize, control_address: SocketAddr, now: Nanos) {
        self.connections.on_setup(index, control_address, now);
    }

    /// A round trip took `rtt_ns`.
    pub(crate) fn on_rtt(&mut self, rtt_ns: i64, now: Nanos) {
        // What is echoed comes from the network.
        if rtt_ns < 0 {
            return;
        }
        if let Some(recovery) = &mut self.recovery {
            recovery.on_round_trip(rtt_ns, now);
        }
        if let Some(schedule) = &mut self.rtt {
            schedule.on_rtt(rtt_ns, now);
            self.shared.report_rtt(rtt_ns);
        }
    }

    /// A transport was added to the endpoint; `control_address` if it can be addressed already.
    pub(crate) fn on_destination_added(
        &mut self,
        index: usize,
        control_address: Option<SocketAddr>,
        now: Nanos,
    ) {
        self.connections.add(index, control_address, now);
    }

    /// A transport was removed from the endpoint.
    pub(crate) fn on_destination_removed(&mut self, index: usize, now: Nanos) {
        self.connections.remove(index);
        self.publish_transport_count(now);
    }

    /// A client does not want the image: from now on its packets are ignored, and its sender is
    /// told why. A reason too long for a frame is cut.
    pub(crate) fn reject(&mut self, reason: &str) {
        let length = reason.floor_char_boundary(REJECT_REASON_LENGTH_MAX);
        self.rejection = Some(reason[..length].into());
    }

    /// A newer image of the same session takes over: this one falls silent.
    pub(crate) const fn disable_timed_status_messages(&mut self) {
        self.is_timed_sm_enabled = false;
    }

    /// Tells the sender that this receiver leaves, unless that would leave data behind which the
    /// sender could still repair. Does nothing if the image is draining already.
    pub(crate) fn begin_draining(&mut self, now: Nanos) {
        if self.shared.is_draining() {
            return;
        }
        let is_rebuilt = self.counters.rebuild.get() == self.counters.hwm.get_relaxed();
        self.is_sending_eos_sm =
            !self.is_end_of_stream || is_rebuilt || self.log.is_publication_revoked();
        self.sm_deadline = now.plus_ns(-1);
        self.shared.begin_draining(now);
    }

    // Outputs.

    /// Whether packets still come in.
    pub(crate) const fn is_connected(&self, now: Nanos) -> bool {
        !now.is_expired(self.time_of_last_packet, self.liveness_timeout_ns)
    }

    /// Once per cycle: drains if it is time to, and sends what is due. Returns how many kinds of
    /// frames went out.
    pub(crate) fn poll<T: Transport>(
        &mut self,
        endpoint: &mut ReceiveEndpoint<T>,
        context: &SendContext<'_>,
    ) -> usize {
        let now = context.tick.now;
        if self.shared.is_drain_requested() || self.has_received_everything() {
            self.begin_draining(now);
        }
        usize::from(self.send_status(endpoint, context))
            + usize::from(self.process_loss(endpoint, context))
            + self.recover(endpoint, context)
            + usize::from(self.request_rtt(endpoint, context))
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

    /// Whether the stream's end is known.
    pub(crate) const fn is_end_of_stream(&self) -> bool {
        self.is_end_of_stream
    }

    /// Whether the image has begun to drain.
    pub(crate) fn is_draining(&self) -> bool {
        self.shared.is_draining()
    }

    // Arrivals.

    /// Whether what ends behind the window, a run of datagrams of this length or a heartbeat, is
    /// not to be taken in.
    ///
    /// Departs from Aeron, to which padding counts in full, so that it refuses what a sender may
    /// send: its limit is passed by the rest of a padding that begins below it. There, who lost all
    /// it was allowed does not learn so from heartbeats, and who has it all but reads nothing of it
    /// does not hear that its sender lives; the image is given up. Here, padding may end a quarter
    /// of a term behind the window, and so may what a heartbeat tells. It does not keep an image
    /// alive that lacks something: where others lead, nobody may have that any more.
    #[cold]
    fn is_over_run(
        &self,
        position: Position,
        length: usize,
        end_position: Position,
        is_heartbeat: bool,
    ) -> bool {
        if is_heartbeat {
            let is_all_there = self.counters.rebuild.get() >= position.get();
            return !is_all_there || position > self.padding_threshold();
        }
        position + length as i64 > self.overrun_threshold || end_position > self.padding_threshold()
    }

    /// Behind the window, and behind any padding that begins within.
    fn padding_threshold(&self) -> Position {
        self.overrun_threshold + i64::from(self.log.geometry().term_length() / 4)
    }

    /// Where a datagram belongs; `None` before the begin of the stream.
    ///
    /// Departs from Aeron for heartbeats at the end of a stream that is used up: the id of the term
    /// that they are at is as far from the first one's as can be, and reads as one before it. If
    /// they were ignored, nobody would learn that the end of the last term was lost.
    fn position_of(&self, arrival: &Arrival<'_>) -> Option<Position> {
        let geometry = self.log.geometry();
        let terms = arrival.term_id.count_since(geometry.initial_term_id());
        if terms >= 0 {
            return Some(geometry.position(arrival.term_id, arrival.term_offset));
        }
        let is_end = terms == i32::MIN && arrival.is_heartbeat && arrival.term_offset.0 == 0;
        is_end.then(|| geometry.max_possible_position())
    }

    /// Whether data of this range is within the window.
    fn accepts(&self, position: Position, end_position: Position) -> bool {
        position >= self.last_sm_position && end_position <= self.overrun_threshold
    }

    fn on_heartbeat(
        &mut self,
        arrival: &Arrival<'_>,
        position: Position,
        now: Nanos,
        system: &SystemCounters,
    ) {
        let term_length = i64::from(self.log.geometry().term_length());
        if position < (self.last_sm_position - term_length).max(Position::ZERO) {
            system.get(SystemCounter::FlowControlUnderRuns).add(1);
            return;
        }
        self.time_of_last_packet = now;
        self.connections
            .on_frame(arrival.transport_index, arrival.control_address, now);
        if arrival.is_end_of_stream && !self.is_end_of_stream {
            self.on_end_of_stream(arrival, position, system);
        }
        self.on_sender_position(position, now);
        system.get(SystemCounter::HeartbeatsReceived).add(1);
    }

    /// A heartbeat from behind the window, while something is missing that may be within.
    fn on_heartbeat_beyond(&mut self, position: Position, now: Nanos) {
        if position <= self.padding_threshold() {
            self.on_sender_position(position, now);
        }
    }

    /// Everything up to here was sent.
    fn on_sender_position(&mut self, position: Position, now: Nanos) {
        self.writer.reveal(position);
        self.counters.hwm.propose_max(position.get());
        if let Some(recovery) = &mut self.recovery {
            recovery.on_sender_position(position, now);
        }
    }

    fn on_end_of_stream(
        &mut self,
        arrival: &Arrival<'_>,
        position: Position,
        system: &SystemCounters,
    ) {
        let Some(end) = self
            .connections
            .on_end_of_stream(arrival.transport_index, position)
        else {
            return;
        };
        // Consumers that see the end must see that it was a revocation.
        if arrival.is_revoked {
            self.log.set_publication_revoked(true);
            system.get(SystemCounter::PublicationImagesRevoked).add(1);
        }
        self.log.set_end_of_stream_position(end);
        self.is_end_of_stream = true;
    }

    fn on_data(
        &mut self,
        arrival: Arrival<'_>,
        position: Position,
        end_position: Position,
        now: Nanos,
        system: &SystemCounters,
    ) {
        let Arrival {
            bytes,
            segment_length,
            transport_index,
            control_address,
            timestamps,
            ..
        } = arrival;
        if position < self.last_sm_position {
            system.get(SystemCounter::FlowControlUnderRuns).add(1);
            if position >= self.last_sm_position - i64::from(self.window_length_max) {
                self.connections
                    .on_frame(transport_index, control_address, now);
            }
            return;
        }
        self.time_of_last_packet = now;
        self.connections
            .on_frame(transport_index, control_address, now);
        for timestamp in timestamps.into_iter().flatten() {
            super::timestamps::write(bytes, timestamp);
        }
        let recovery = &mut self.recovery;
        self.writer.insert_run(
            position,
            end_position,
            bytes,
            segment_length,
            |begin, end, is_inserted| {
                // What the last datagram covers may be more than it brings: padding.
                let end = end.min(end_position);
                let is_last = end >= position + bytes.len() as i64;
                if let Some(recovery) = recovery.as_deref_mut() {
                    let end = if is_last { end_position } else { end };
                    recovery.on_data(begin, end, is_inserted, now);
                }
            },
        );
        self.counters.hwm.propose_max(end_position.get());
    }

    fn has_received_everything(&self) -> bool {
        self.is_end_of_stream && self.counters.rebuild.get() == self.counters.hwm.get_relaxed()
    }
}
