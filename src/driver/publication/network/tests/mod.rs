//! Tests of both halves together: a log, an endpoint on a fake transport, and a clock that only
//! moves when told.

mod inputs;
mod life;
mod limits;
mod sending;

use std::net::SocketAddr;

use super::{
    ConductorHalf, Cycle, NetworkEffect, NetworkPublicationParams, PublicationCounters, SenderHalf,
    build,
};
use crate::base::{
    CorrelationId, Nanos, Position, ReceiverId, RegistrationId, SessionId, StreamId, TermId,
    TermOffset,
};
use crate::cnc::counter_types::ChannelStatus;
use crate::cnc::{SystemCounter, SystemCounters};
use crate::concurrent::AtomicCounter;
use crate::driver::flow_control::{FlowControl, MaxFlowControl};
use crate::driver::media::fake_transport::FakeTransport;
use crate::driver::media::loss::LossChain;
use crate::driver::media::send_endpoint::{SendEndpoint, SendEndpointParams, SendLink, SendPeers};
use crate::driver::messages::EndpointId;
use crate::driver::retransmit::{RetransmitHandler, RetransmitParams};
use crate::driver::untethered::{LinkId, SubscriberPosition, UntetheredTimeouts};
use crate::logbuffer::{LogBuffer, LogSpec};
use crate::memory::AtomicBuffer;
use crate::protocol::{Nak, NakFrame, StatusMessage, StatusMessageFrame, status_message};

pub(super) const TERM_LENGTH: i32 = 64 * 1024;
pub(super) const MTU_LENGTH: i32 = 1408;
pub(super) const WINDOW: i32 = TERM_LENGTH / 2;
pub(super) const INITIAL_TERM_ID: TermId = TermId(7);
pub(super) const MILLI: i64 = 1_000_000;
pub(super) const SECOND: i64 = 1_000 * MILLI;
pub(super) const EPOCH_NS: i64 = 1_700_000_000_123_456_789;

/// Bytes of the largest frame.
pub(super) const FRAME_LENGTH: i64 = MTU_LENGTH as i64;

pub(super) fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 9000))
}

pub(super) fn position_counter(value: i64) -> AtomicCounter {
    AtomicCounter::detached(value)
}

pub(super) fn retransmit(is_group: bool, delay_ns: i64) -> RetransmitHandler {
    RetransmitHandler::new(&retransmit_params(is_group, delay_ns))
}

pub(super) const fn retransmit_params(is_group: bool, delay_ns: i64) -> RetransmitParams {
    RetransmitParams {
        term_length: TERM_LENGTH,
        mtu_length: 1408,
        is_group,
        max_resend: 2,
        delay_ns,
        linger_ns: 10 * MILLI,
        window_multiple: 16,
    }
}

/// A unicast publication of session 1, stream 2 that starts at position 0 of term 7.
pub(super) fn params() -> NetworkPublicationParams {
    let spec = LogSpec {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        initial_term_id: INITIAL_TERM_ID,
        mtu_length: MTU_LENGTH,
        ..LogSpec::default()
    };
    NetworkPublicationParams {
        registration_id: RegistrationId(100),
        session_id: SessionId(1),
        stream_id: StreamId(2),
        endpoint: EndpointId(1),
        log: LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).expect("a legal spec"),
        counters: PublicationCounters {
            publisher_position: position_counter(0),
            publisher_limit: position_counter(0),
            sender_position: position_counter(0),
            sender_limit: position_counter(0),
            sender_back_pressure_events: position_counter(0),
            sender_naks_received: position_counter(0),
            flow_control_receivers: None,
            limiter: None,
        },
        position: Position(0),
        flow_control: FlowControl::Max(MaxFlowControl),
        retransmit: retransmit(false, 0),
        resend_queue: None,
        mtu_length: MTU_LENGTH,
        messages_per_send_max: 4,
        sends_bursts: false,
        publication_window: WINDOW,
        is_exclusive: false,
        is_response: false,
        response_correlation_id: None,
        signal_eos: true,
        spies_simulate_connection: false,
        is_multicast: false,
        is_multi_destination: false,
        ttl: 0,
        linger_timeout_ns: 5 * SECOND,
        unblock_timeout_ns: 15 * SECOND,
        connection_timeout_ns: 5 * SECOND,
        untethered: UntetheredTimeouts {
            window_limit_ns: 5 * SECOND,
            linger_ns: 5 * SECOND,
            resting_ns: 10 * SECOND,
        },
        now: Nanos(0),
    }
}

/// [`params`], but so many bytes before the end of all terms.
pub(super) fn params_before_the_end(bytes: i32) -> NetworkPublicationParams {
    let last = INITIAL_TERM_ID.plus(i32::MAX);
    let spec = LogSpec {
        session_id: SessionId(1),
        stream_id: StreamId(2),
        initial_term_id: INITIAL_TERM_ID,
        start: Some((last, TermOffset(TERM_LENGTH - bytes))),
        mtu_length: MTU_LENGTH,
        ..LogSpec::default()
    };
    let mut params = params();
    params.log = LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).expect("a legal spec");
    params.position = params.log.producer_position();
    let start = params.position.get();
    params.counters.publisher_limit.set(start);
    params.counters.sender_position.set(start);
    params.counters.sender_limit.set(start);
    params
}

/// A publication with everything around it.
pub(super) struct Stream {
    pub(super) conductor: ConductorHalf,
    pub(super) sender: SenderHalf,
    pub(super) endpoint: SendEndpoint<FakeTransport>,
    pub(super) log: LogBuffer,
    pub(super) counters: PublicationCounters,
    pub(super) system: SystemCounters,
    pub(super) now: i64,
}

impl Stream {
    pub(super) fn new() -> Self {
        Self::of(params())
    }

    pub(super) fn of(params: NetworkPublicationParams) -> Self {
        Self::with_peers(
            params,
            SendPeers::Address {
                address: peer(1),
                link: SendLink::Connected,
            },
        )
    }

    pub(super) fn with_peers(params: NetworkPublicationParams, peers: SendPeers) -> Self {
        let log = params.log.clone();
        let counters = params.counters.clone();
        let (mut conductor, sender) = build(params);
        conductor.add_reference();
        let endpoint = SendEndpoint::new(SendEndpointParams {
            id: EndpointId(1),
            transport: FakeTransport::new(),
            peers,
            status: AtomicCounter::detached(ChannelStatus::Active.to_wire()),
            endpoint_text: None,
            send_timestamp_offset: None,
            data_loss: LossChain::default(),
            control_loss: LossChain::default(),
            now: Nanos(0),
        });
        let system = SystemCounters::detached();
        Self {
            conductor,
            sender,
            endpoint,
            log,
            counters,
            system,
            now: 0,
        }
    }

    /// A publication whose only receiver has just reported from the begin of the stream with this
    /// window. Its SETUP is out already.
    pub(super) fn connected(window: i32) -> Self {
        let mut stream = Self::new();
        stream.connect(window);
        stream
    }

    pub(super) fn connect(&mut self, window: i32) {
        self.send();
        self.status(0, window);
        self.take_sent();
    }

    /// Appends a message; its frame is 32 bytes longer, rounded up to 32.
    pub(super) fn offer(&self, length: usize) {
        let limit = Position(i64::MAX);
        self.log
            .offer(limit, &vec![0xab; length])
            .expect("no limit");
    }

    /// Appends full frames of one MTU each.
    pub(super) fn offer_full_frames(&self, count: usize) {
        for _ in 0..count {
            let length = usize::try_from(MTU_LENGTH - 32).expect("positive");
            while self
                .log
                .offer(Position(i64::MAX), &vec![0xcd; length])
                .is_err()
            {}
        }
    }

    pub(super) fn send(&mut self) -> usize {
        let cycle = Cycle {
            now: Nanos(self.now),
            epoch_ns: EPOCH_NS,
            system: &self.system,
        };
        self.sender.send(&mut self.endpoint, &cycle)
    }

    /// Sends until there is nothing left to send.
    pub(super) fn send_until_idle(&mut self) {
        while self.send() > 0 {}
    }

    pub(super) fn take_sent(&mut self) -> Vec<Vec<u8>> {
        let sent = self.endpoint.transport_mut().take_sent();
        sent.into_iter().map(|datagram| datagram.bytes).collect()
    }

    /// Receiver 5 reports.
    pub(super) fn status(&mut self, position: i64, window: i32) -> Option<CorrelationId> {
        self.status_of(5, position, window, 0)
    }

    /// A receiver that has seen the end reports for the last time.
    pub(super) fn status_eos(&mut self, receiver: i64) {
        let position = self.sender_position();
        self.status_of(receiver, position, WINDOW, status_message::flags::EOS);
    }

    /// A receiver asks for a SETUP.
    pub(super) fn elicit(&mut self, receiver: i64) {
        self.status_of(receiver, 0, 0, status_message::flags::SEND_SETUP);
    }

    pub(super) fn status_of(
        &mut self,
        receiver: i64,
        position: i64,
        window: i32,
        flags: u8,
    ) -> Option<CorrelationId> {
        let bytes = self.status_message(receiver, position, window, flags);
        let frame = StatusMessageFrame::parse(&bytes).expect("well-formed");
        self.sender
            .on_status_message(&frame, peer(9), Nanos(self.now))
    }

    pub(super) fn status_message(
        &self,
        receiver: i64,
        position: i64,
        window: i32,
        flags: u8,
    ) -> [u8; StatusMessage::MAX_LENGTH] {
        let geometry = self.log.geometry();
        let mut bytes = [0; StatusMessage::MAX_LENGTH];
        let _length = StatusMessage {
            flags,
            session_id: SessionId(1),
            stream_id: StreamId(2),
            consumption_term_id: geometry.term_id_at(Position(position)),
            consumption_term_offset: geometry.term_offset_at(Position(position)),
            receiver_window: window,
            receiver_id: ReceiverId(receiver),
            group_tag: None,
        }
        .encode(&mut bytes);
        bytes
    }

    /// A receiver misses something of a term.
    pub(super) fn nak(&mut self, term_id: TermId, term_offset: i32, length: i32) {
        let mut bytes = [0; Nak::LENGTH];
        Nak {
            session_id: SessionId(1),
            stream_id: StreamId(2),
            term_id,
            term_offset: TermOffset(term_offset),
            length,
        }
        .encode(&mut bytes);
        let frame = NakFrame::parse(&bytes).expect("well-formed");
        let cycle = Cycle {
            now: Nanos(self.now),
            epoch_ns: EPOCH_NS,
            system: &self.system,
        };
        self.sender.on_nak(&frame, &mut self.endpoint, &cycle);
    }

    /// Links a spy at the join position; the counter is the spy's to move.
    pub(super) fn add_spy(&mut self, link: u64, tether: bool) -> AtomicCounter {
        let counter = position_counter(self.conductor.join_position().get());
        let position = SubscriberPosition {
            link: LinkId(link),
            subscription: RegistrationId(200),
            counter: counter.clone(),
            tether,
            rejoin: true,
        };
        self.conductor.add_spy(position, Nanos(self.now));
        counter
    }

    pub(super) fn timer(&mut self) -> Vec<NetworkEffect> {
        let mut effects = Vec::new();
        self.conductor.on_timer(Nanos(self.now), &mut effects);
        effects
    }

    /// Lets the conductor move the limit as far as it goes.
    pub(super) fn update_limit(&mut self) -> i64 {
        while self.conductor.update_limit() {}
        self.counters.publisher_limit.get()
    }

    pub(super) fn sender_position(&self) -> i64 {
        self.counters.sender_position.get()
    }

    pub(super) fn sender_limit(&self) -> i64 {
        self.counters.sender_limit.get()
    }

    pub(super) fn count(&self, counter: SystemCounter) -> i64 {
        self.system.get(counter).get()
    }
}
