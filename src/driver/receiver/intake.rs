//! What becomes of a datagram: checked, routed, and put into its image (`driver.md` §7.2-7.7).
//!
//! While a transport is being polled nothing can be sent through it, so answers are noted as
//! [`Reply`]s and sent when the poll is over.

use std::net::SocketAddr;

use super::images::Images;
use super::pending::{ElicitedSetup, PendingSetups};
use crate::base::{ReceiverId, SessionId, StreamId, TermId, TermOffset};
use crate::cnc::SystemCounter;
use crate::command::ErrorCode;
use crate::driver::dispatcher::{DataAction, Dispatcher, SetupAction};
use crate::driver::image::{Arrival, LandedArrival, Timestamp};
use crate::driver::media::loss::{FramePlace, LossChain};
use crate::driver::media::receive_endpoint::{
    ReceiveEndpoint, ReceiveTransport, ReceiveTransportState, SendContext,
};
use crate::driver::messages::{ConductorMessage, EndpointId, ImageRequest, Outbox};
use crate::port::{Arrivals, Datagram, Landed, Transport};
use crate::protocol::{
    DataFrame, Frame, RttMeasurement, RttMeasurementFrame, SetupFrame, SocketRole,
};

/// Something to send when the poll that caused it is over.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// Ask for the SETUP of a session.
    Elicit {
        to: SocketAddr,
        stream_id: StreamId,
        session_id: SessionId,
    },
    /// Answer a round-trip request.
    RttAnswer {
        to: SocketAddr,
        answer: RttMeasurement,
    },
}

impl Reply {
    /// Sends it through the transport in slot `index`.
    pub(super) fn send<T: Transport>(
        self,
        endpoint: &mut ReceiveEndpoint<T>,
        index: usize,
        pending: &mut PendingSetups,
        context: &SendContext<'_>,
    ) {
        match self {
            Self::Elicit {
                to,
                stream_id,
                session_id,
            } => {
                endpoint.send_setup_request(index, to, (stream_id, session_id), context);
                pending.elicit(ElicitedSetup {
                    endpoint: endpoint.id(),
                    index,
                    stream_id,
                    session_id,
                    time: context.tick.now,
                });
            }
            Self::RttAnswer { to, answer } => {
                let mut frame = [0; RttMeasurement::LENGTH];
                answer.encode(&mut frame);
                endpoint.send(index, to, &frame, context);
            }
        }
    }
}

/// What the polls of a cycle share.
pub(super) struct Intake<'a, T> {
    pub(super) context: &'a SendContext<'a>,
    /// Time of receipt for messages that carry one.
    pub(super) epoch_ns: i64,
    pub(super) images: &'a mut Images,
    pub(super) conductor: &'a mut Outbox<ConductorMessage<T>>,
    pub(super) replies: &'a mut Vec<Reply>,
}

/// The transport being polled, without its socket.
struct Source<'a> {
    endpoint: EndpointId,
    receiver_id: ReceiverId,
    index: usize,
    state: &'a mut ReceiveTransportState,
    dispatcher: &'a mut Dispatcher,
    loss: &'a mut LossChain,
}

impl Source<'_> {
    fn hides(&mut self, datagram: &[u8]) -> bool {
        self.loss.should_drop(datagram)
    }

    fn hides_data(&mut self, datagram: &[u8], fields: &DataFields) -> bool {
        let place = FramePlace {
            stream_id: fields.stream_id,
            session_id: fields.session_id,
            term_id: fields.term_id,
            term_offset: fields.term_offset,
            length: i32::try_from(datagram.len()).unwrap_or(i32::MAX),
        };
        self.loss.should_drop_data(datagram, &place)
    }
}

/// Fields of the first data frame, copied so that the datagram can be written to.
#[derive(Clone, Copy, Debug)]
struct DataFields {
    stream_id: StreamId,
    session_id: SessionId,
    term_id: TermId,
    term_offset: TermOffset,
    is_heartbeat: bool,
    is_end_of_stream: bool,
    is_revoked: bool,
}

impl DataFields {
    /// Those of a datagram, if it is data.
    fn of_datagram(datagram: &[u8]) -> Option<Self> {
        match Frame::parse_for(SocketRole::Receive, datagram) {
            Ok(Some(Frame::Data(frame))) => Some(Self::of(frame)),
            Ok(_) | Err(_) => None,
        }
    }

    fn of(frame: DataFrame<'_>) -> Self {
        Self {
            stream_id: frame.stream_id(),
            session_id: frame.session_id(),
            term_id: frame.term_id(),
            term_offset: frame.term_offset(),
            is_heartbeat: frame.is_heartbeat(),
            is_end_of_stream: frame.is_end_of_stream(),
            is_revoked: frame.is_revoked(),
        }
    }
}

/// The poll of one transport.
struct Polling<'a, 's, T> {
    intake: Intake<'a, T>,
    source: &'s mut Source<'a>,
    /// Something landed where it does not belong.
    was_mistaken: bool,
}

impl<T: Transport> Arrivals for Polling<'_, '_, T> {
    /// What comes next for the image that the last ones were for. Not where datagrams are judged
    /// one by one, or written to.
    fn room(&mut self) -> Option<&mut [u8]> {
        let state = &self.source.state;
        let is_plain = self.source.loss.is_empty()
            && state.channel_timestamp_offset().is_none()
            && state.media_timestamp_offset().is_none();
        let slot = state.expectation.image().filter(|_| is_plain)?;
        self.intake.images.get_mut(slot)?.landing()
    }

    fn on_landed(&mut self, landed: &Landed<'_>) -> bool {
        let is_taken_in = self.intake.on_landed(landed, self.source);
        self.was_mistaken = !is_taken_in;
        is_taken_in
    }

    #[inline]
    fn on_datagram(&mut self, datagram: Datagram<'_>) {
        if self.was_mistaken {
            self.was_mistaken = false;
            self.source.state.expectation.on_mistake();
        }
        self.intake.on_arrival(datagram, self.source);
    }
}

impl<T: Transport> Intake<'_, T> {
    /// Takes in what has arrived on the transport in slot `index`; returns the bytes.
    pub(super) fn poll(self, endpoint: &mut ReceiveEndpoint<T>, index: usize) -> usize {
        let ReceiveEndpoint {
            id,
            receiver_id,
            transports,
            dispatcher,
            data_loss,
            ..
        } = endpoint;
        let Some(Some(ReceiveTransport { transport, state })) = transports.get_mut(index) else {
            return 0;
        };
        let mut source = Source {
            endpoint: *id,
            receiver_id: *receiver_id,
            index,
            state,
            dispatcher,
            loss: data_loss,
        };
        let mut polling = Polling {
            intake: self,
            source: &mut source,
            was_mistaken: false,
        };
        match transport.poll_into(&mut polling) {
            Ok(bytes_received) => bytes_received,
            Err(error) => {
                let text = format!("failed to receive: {error}");
                polling.intake.report(&text);
                0
            }
        }
    }

    /// Takes in what was received into the room of an image, if it is what was expected there.
    fn on_landed(&mut self, landed: &Landed<'_>, source: &mut Source<'_>) -> bool {
        let Ok(frame) = DataFrame::parse(landed.apart) else {
            return false;
        };
        let fields = DataFields::of(frame);
        let (stream_id, session_id) = (fields.stream_id, fields.session_id);
        // Only asked, not told: what is not taken in here comes to it again.
        let Some(slot) = source.dispatcher.image(stream_id, session_id) else {
            return false;
        };
        if fields.is_heartbeat || source.state.expectation.image() != Some(slot) {
            return false;
        }
        let Some(image) = self.images.get_mut(slot) else {
            return false;
        };
        let now = self.context.tick.now;
        let arrival = LandedArrival {
            length: landed.length,
            segment_length: landed.segment_length,
            transport_index: source.index,
            control_address: source.state.control_address(landed.source),
        };
        if !image.on_landed(landed.apart, &arrival, now) {
            return false;
        }
        source.state.on_activity(now);
        self.images.has_worked(slot);
        true
    }

    /// Takes in one datagram after the other, or several at once where they continue one another.
    #[inline]
    fn on_arrival(&mut self, datagram: Datagram<'_>, source: &mut Source<'_>) {
        if datagram.is_truncated {
            self.count_invalid();
        }
        let segment_length = datagram.segment_length.max(1);
        let mut rest = datagram.bytes;
        while !rest.is_empty() {
            let taken = self.on_datagram(
                Datagram {
                    bytes: &mut *rest,
                    segment_length,
                    ..datagram
                },
                source,
            );
            debug_assert!(taken > 0, "every datagram is taken in or dropped");
            rest = rest.get_mut(taken.max(1)..).unwrap_or_default();
        }
    }

    /// Takes in the first datagram, or more. Returns how many bytes.
    #[inline]
    fn on_datagram(&mut self, datagram: Datagram<'_>, source: &mut Source<'_>) -> usize {
        let length = datagram.segment_length.min(datagram.bytes.len());
        let first = &datagram.bytes[..length];
        match Frame::parse_for(SocketRole::Receive, first) {
            Ok(Some(Frame::Data(frame))) => {
                let fields = DataFields::of(frame);
                return if source.loss.is_empty() {
                    self.on_data(fields, source, datagram)
                } else {
                    self.on_judged_data(fields, source, datagram)
                };
            }
            Ok(Some(Frame::Setup(frame))) => self.on_setup(frame, first, source, datagram.source),
            Ok(Some(Frame::RttMeasurement(frame))) => {
                self.on_rtt(frame, first, source, datagram.source);
            }
            Ok(
                None
                | Some(
                    Frame::StatusMessage(_)
                    | Frame::Nak(_)
                    | Frame::Error(_)
                    | Frame::ResponseSetup(_)
                    | Frame::Resolution(_),
                ),
            ) => {}
            Err(_malformed) => self.count_invalid(),
        }
        length
    }

    #[inline]
    fn on_data(
        &mut self,
        fields: DataFields,
        source: &mut Source<'_>,
        datagram: Datagram<'_>,
    ) -> usize {
        let Datagram {
            bytes,
            segment_length,
            ..
        } = datagram;
        let length = segment_length.min(bytes.len());
        let now = self.context.tick.now;
        source.state.on_activity(now);
        let DataFields {
            stream_id,
            session_id,
            is_end_of_stream,
            ..
        } = fields;
        let control_address = source.state.control_address(datagram.source);
        match source
            .dispatcher
            .on_data(stream_id, session_id, is_end_of_stream)
        {
            DataAction::Drop => {}
            DataAction::Insert(slot) => {
                let timestamps = self.timestamps(source.state, datagram.media_timestamp_ns);
                let arrival = Arrival {
                    bytes,
                    segment_length,
                    term_id: fields.term_id,
                    term_offset: fields.term_offset,
                    is_heartbeat: fields.is_heartbeat,
                    is_end_of_stream,
                    is_revoked: fields.is_revoked,
                    transport_index: source.index,
                    control_address,
                    timestamps,
                };
                if !fields.is_heartbeat {
                    self.images.has_worked(slot);
                    source.state.expectation.on_data(slot);
                }
                if let Some(image) = self.images.get_mut(slot) {
                    return image.insert(arrival, now, self.context.counters);
                }
            }
            DataAction::Elicit => {
                self.replies.push(Reply::Elicit {
                    to: control_address,
                    stream_id,
                    session_id,
                });
            }
        }
        length
    }

    /// Takes in data up to the first datagram that deliberate loss hides, each of which it judges
    /// once. Returns how many bytes that was, with the one that was hidden.
    fn on_judged_data(
        &mut self,
        fields: DataFields,
        source: &mut Source<'_>,
        datagram: Datagram<'_>,
    ) -> usize {
        let segment_length = datagram.segment_length;
        let (mut judged, mut kept) = (0, 0);
        let mut next = Some(fields);
        for segment in datagram.bytes.chunks(segment_length) {
            let Some(fields) = next.take().or_else(|| DataFields::of_datagram(segment)) else {
                break;
            };
            judged += segment.len();
            if source.hides_data(segment, &fields) {
                break;
            }
            kept = judged;
        }
        let mut fields = Some(fields);
        let mut rest = &mut datagram.bytes[..kept];
        while let Some(first) = fields {
            if rest.is_empty() {
                break;
            }
            let taken = self.on_data(
                first,
                source,
                Datagram {
                    bytes: &mut *rest,
                    ..datagram
                },
            );
            rest = rest.get_mut(taken.max(1)..).unwrap_or_default();
            fields = DataFields::of_datagram(&rest[..segment_length.min(rest.len())]);
        }
        judged
    }

    fn on_setup(
        &mut self,
        frame: SetupFrame<'_>,
        bytes: &[u8],
        source: &mut Source<'_>,
        sender: SocketAddr,
    ) {
        if source.hides(bytes) {
            return;
        }
        let now = self.context.tick.now;
        source.state.on_activity(now);
        let control_address = source.state.control_address(sender);
        match source
            .dispatcher
            .on_setup(frame.stream_id(), frame.session_id())
        {
            SetupAction::Drop => {}
            SetupAction::LimitExceeded => {
                let text = format!("exceeded session limit of stream {}", frame.stream_id());
                self.report(&text);
            }
            SetupAction::Connect(slot) => {
                if let Some(image) = self.images.get_mut(slot) {
                    image.on_setup(source.index, control_address, now);
                }
            }
            SetupAction::Create => {
                if source.state.is_ttl_asymmetric(frame.ttl()) {
                    self.context
                        .counters
                        .get(SystemCounter::PossibleTtlAsymmetry)
                        .add(1);
                }
                self.request_image(frame, source, sender, control_address);
            }
        }
    }

    fn request_image(
        &mut self,
        frame: SetupFrame<'_>,
        source: &mut Source<'_>,
        sender: SocketAddr,
        control_address: SocketAddr,
    ) {
        let (stream_id, session_id) = (frame.stream_id(), frame.session_id());
        // SETUPs are repeated, so a conductor that is behind need not be burdened with this one.
        if self.conductor.is_full() {
            source
                .dispatcher
                .remove_init_in_progress(stream_id, session_id);
            return;
        }
        self.conductor
            .send(ConductorMessage::CreateImage(Box::new(ImageRequest {
                endpoint: source.endpoint,
                transport_index: source.index,
                session_id,
                stream_id,
                initial_term_id: frame.initial_term_id(),
                active_term_id: frame.active_term_id(),
                term_offset: frame.term_offset(),
                term_length: frame.term_length(),
                mtu_length: frame.mtu(),
                is_group: frame.is_group(),
                wants_response: frame.is_response_expected(),
                source: sender,
                control_address,
            })));
    }

    fn on_rtt(
        &mut self,
        frame: RttMeasurementFrame<'_>,
        bytes: &[u8],
        source: &mut Source<'_>,
        sender: SocketAddr,
    ) {
        let is_for_us = frame.receiver_id() == source.receiver_id || frame.receiver_id().get() == 0;
        if !is_for_us || source.hides(bytes) {
            return;
        }
        let now = self.context.tick.now;
        source.state.on_activity(now);
        let Some(slot) = source
            .dispatcher
            .image(frame.stream_id(), frame.session_id())
        else {
            return;
        };
        if frame.is_reply_requested() {
            let answer = RttMeasurement {
                receiver_id: source.receiver_id,
                ..RttMeasurement::answer_to(frame)
            };
            let to = source.state.control_address(sender);
            self.replies.push(Reply::RttAnswer { to, answer });
        } else if let Some(image) = self.images.get_mut(slot) {
            let elapsed_ns = now.since(frame.echo_timestamp());
            image.on_rtt(elapsed_ns.wrapping_sub(frame.reception_delta_ns()), now);
        }
    }

    /// What the channel wants written into messages.
    #[inline]
    fn timestamps(
        &self,
        state: &ReceiveTransportState,
        media_timestamp_ns: Option<i64>,
    ) -> [Option<Timestamp>; 2] {
        let channel = state.channel_timestamp_offset().map(|offset| Timestamp {
            offset,
            epoch_ns: self.epoch_ns,
        });
        let media = state
            .media_timestamp_offset()
            .zip(media_timestamp_ns)
            .map(|(offset, epoch_ns)| Timestamp { offset, epoch_ns });
        [channel, media]
    }

    #[cold]
    fn count_invalid(&self) {
        let invalid = self.context.counters.get(SystemCounter::InvalidPackets);
        invalid.add(1);
    }

    #[cold]
    fn report(&self, text: &str) {
        self.context
            .errors
            .report(self.context.tick.epoch, ErrorCode::GenericError, text);
    }
}
