//! The agent over fake transports: commands, turns, control frames and their way to publications.

use std::net::SocketAddr;

use super::*;
use crate::base::{CorrelationId, EpochMillis, Position, ReceiverId, TermId, TermOffset};
use crate::cnc::counter_types::ChannelStatus;
use crate::concurrent::{AtomicCounter, DistinctErrorLog, read_error_log};
use crate::driver::flow_control::{FlowControl, GroupFlowControl, GroupParams, MaxFlowControl};
use crate::driver::media::destinations::{DestinationKind, Destinations};
use crate::driver::media::fake_transport::FakeTransport;
use crate::driver::media::loss::LossChain;
use crate::driver::media::send_endpoint::{SendEndpointParams, SendLink, SendPeers};
use crate::driver::messages::{Destination, PublicationErrorReport};
use crate::driver::publication::network::{
    ConductorHalf, NetworkPublicationParams, PublicationCounters, build,
};
use crate::driver::retransmit::{RetransmitHandler, RetransmitParams};
use crate::driver::untethered::UntetheredTimeouts;
use crate::logbuffer::{LogBuffer, LogSpec};
use crate::memory::AtomicBuffer;
use crate::protocol::{
    DataFrame, ErrorMessage, Nak, ResponseSetup, RttMeasurement, StatusMessage, error,
    status_message,
};

const SECOND: i64 = 1_000_000_000;
const WINDOW: i32 = 32 * 1024;
const TERM_LENGTH: i32 = 64 * 1024;

fn peer(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 9000))
}

/// The agent with the far ends of its queues.
struct World {
    sender: Sender<FakeTransport>,
    commands: BoundedQueue<SenderMessage<FakeTransport>>,
    messages: BoundedQueue<ConductorMessage<FakeTransport>>,
    error_log: AtomicBuffer,
    system: SystemCounters,
    conductors: Vec<ConductorHalf>,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self::with_message_capacity(64)
    }

    fn with_message_capacity(capacity: usize) -> Self {
        let commands = BoundedQueue::new(64);
        let messages = BoundedQueue::new(capacity);
        let error_log = AtomicBuffer::heap(64 * 1024);
        let system = SystemCounters::detached();
        let fails = system.get(SystemCounter::ConductorProxyFails).clone();
        let log = DistinctErrorLog::new(error_log.clone());
        let errors = ErrorReporter::new(log, system.get(SystemCounter::Errors).clone());
        let sender = Sender::new(
            &DriverConfig::default(),
            commands.clone(),
            Outbox::new(messages.clone(), fails),
            system.clone(),
            errors,
            Tick::default(),
        );
        Self {
            sender,
            commands,
            messages,
            error_log,
            system,
            conductors: Vec::new(),
            now: 0,
        }
    }

    fn command(&mut self, command: SenderMessage<FakeTransport>) {
        assert!(self.commands.push(command).is_ok());
        self.work();
    }

    fn work(&mut self) -> usize {
        let tick = Tick {
            now: Nanos(self.now),
            epoch: EpochMillis(self.now / 1_000_000),
        };
        self.sender.do_work(tick)
    }

    fn add_endpoint(&mut self, id: u32, peers: SendPeers) {
        let endpoint = SendEndpoint::new(SendEndpointParams {
            id: EndpointId(id),
            transport: FakeTransport::new(),
            peers,
            status: AtomicCounter::detached(ChannelStatus::Active.to_wire()),
            endpoint_text: Some("receiver:9000".to_owned()),
            send_timestamp_offset: None,
            data_loss: LossChain::default(),
            control_loss: LossChain::default(),
            now: Nanos(self.now),
        });
        self.command(SenderMessage::AddEndpoint(Box::new(endpoint)));
    }

    fn add_unicast(&mut self, id: u32) {
        self.add_endpoint(
            id,
            SendPeers::Address {
                address: peer(1),
                link: SendLink::Connected,
            },
        );
    }

    /// Adds a publication of stream 2; its session and registration are the same number.
    fn add_publication(&mut self, endpoint: u32, session: i32) -> LogBuffer {
        self.add_publication_of(params(endpoint, session))
    }

    fn add_publication_of(&mut self, params: NetworkPublicationParams) -> LogBuffer {
        let log = params.log.clone();
        let (conductor, sender) = build(params);
        self.conductors.push(conductor);
        self.command(SenderMessage::AddPublication(Box::new(sender)));
        log
    }

    fn transport(&mut self, endpoint: usize) -> &mut FakeTransport {
        self.sender.endpoints[endpoint].transport_mut()
    }

    /// Delivers a datagram and lets the sender take it in: a second on, so that a poll is due.
    fn deliver(&mut self, endpoint: usize, bytes: &[u8]) {
        self.deliver_from(endpoint, peer(1), bytes);
    }

    fn deliver_from(&mut self, endpoint: usize, source: SocketAddr, bytes: &[u8]) {
        self.transport(endpoint).deliver(source, bytes);
        self.now += SECOND;
        self.work();
    }

    /// Datagrams with data that went out through an endpoint, heartbeats left out.
    fn data_sent(&mut self, endpoint: usize) -> Vec<(i32, usize)> {
        let sent = self.transport(endpoint).take_sent();
        sent.iter()
            .filter_map(|datagram| DataFrame::parse(&datagram.bytes).ok())
            .filter(|frame| !frame.is_heartbeat())
            .map(|frame| (frame.session_id().get(), frame.datagram().len()))
            .collect()
    }

    fn message(&self) -> Option<ConductorMessage<FakeTransport>> {
        self.messages.pop()
    }

    fn count(&self, counter: SystemCounter) -> i64 {
        self.system.get(counter).get()
    }

    fn errors(&self) -> Vec<String> {
        let mut texts = Vec::new();
        read_error_log(&self.error_log, EpochMillis(0), |seen| {
            texts.push(seen.text.clone());
        });
        texts
    }
}

fn params(endpoint: u32, session: i32) -> NetworkPublicationParams {
    let spec = LogSpec {
        session_id: SessionId(session),
        stream_id: StreamId(2),
        initial_term_id: TermId(7),
        mtu_length: 1408,
        ..LogSpec::default()
    };
    let counter = || AtomicCounter::detached(0);
    NetworkPublicationParams {
        registration_id: RegistrationId(i64::from(session)),
        session_id: SessionId(session),
        stream_id: StreamId(2),
        endpoint: EndpointId(endpoint),
        log: LogBuffer::initialise(AtomicBuffer::heap(200_704), &spec).expect("a legal spec"),
        counters: PublicationCounters {
            publisher_position: counter(),
            publisher_limit: counter(),
            sender_position: counter(),
            sender_limit: counter(),
            sender_back_pressure_events: counter(),
            sender_naks_received: counter(),
            flow_control_receivers: None,
            limiter: None,
        },
        position: Position(0),
        flow_control: FlowControl::Max(MaxFlowControl),
        retransmit: RetransmitHandler::new(&RetransmitParams {
            term_length: TERM_LENGTH,
            mtu_length: 1408,
            is_group: false,
            max_resend: 1,
            delay_ns: 0,
            linger_ns: 10_000_000,
            window_multiple: 16,
        }),
        resend_queue: None,
        mtu_length: 1408,
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

fn status(session: i32, change: impl FnOnce(&mut StatusMessage)) -> Vec<u8> {
    let mut message = StatusMessage {
        flags: 0,
        session_id: SessionId(session),
        stream_id: StreamId(2),
        consumption_term_id: TermId(7),
        consumption_term_offset: TermOffset(0),
        receiver_window: WINDOW,
        receiver_id: ReceiverId(5),
        group_tag: None,
    };
    change(&mut message);
    let mut bytes = [0; StatusMessage::MAX_LENGTH];
    let length = message.encode(&mut bytes);
    bytes[..length].to_vec()
}

fn nak(session: i32, term_offset: i32, length: i32) -> [u8; Nak::LENGTH] {
    let mut bytes = [0; Nak::LENGTH];
    Nak {
        session_id: SessionId(session),
        stream_id: StreamId(2),
        term_id: TermId(7),
        term_offset: TermOffset(term_offset),
        length,
    }
    .encode(&mut bytes);
    bytes
}

fn refusal(session: i32, receiver: i64) -> Vec<u8> {
    let mut bytes = [0; error::LENGTH_MAX];
    let length = ErrorMessage {
        session_id: SessionId(session),
        stream_id: StreamId(2),
        receiver_id: ReceiverId(receiver),
        group_tag: None,
        error_code: 13,
        text: b"no thanks",
    }
    .encode(&mut bytes);
    bytes[..length].to_vec()
}

fn offer(log: &LogBuffer, length: usize) {
    log.offer(Position(i64::MAX), &vec![1; length])
        .expect("no limit");
}

#[test]
fn a_status_message_reaches_its_publication_only() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_unicast(2);
    let logs = [
        world.add_publication(1, 10),
        world.add_publication(1, 11),
        world.add_publication(2, 12),
    ];
    world.deliver(0, &status(11, |_| {}));
    let connected: Vec<_> = logs.iter().map(LogBuffer::is_connected).collect();
    assert_eq!(connected, [false, true, false]);
    world.deliver(0, &status(12, |_| {}));
    assert!(
        !logs[2].is_connected(),
        "that session is on another endpoint"
    );
    assert_eq!(world.count(SystemCounter::StatusMessagesReceived), 2);
}

#[test]
fn data_of_a_cycle_is_counted_once() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    world.deliver(0, &status(10, |_| {}));
    world.work();
    let before = world.count(SystemCounter::BytesSent);
    offer(&log, 100);
    assert_eq!(world.work(), 160);
    assert_eq!(world.count(SystemCounter::BytesSent), before + 160);
    assert_eq!(world.data_sent(0), [(10, 160)]);
}

#[test]
fn publications_take_turns_to_be_first() {
    let mut world = World::new();
    world.add_unicast(1);
    let logs: Vec<_> = (10..13)
        .map(|session| world.add_publication(1, session))
        .collect();
    for session in 10..13 {
        world.deliver(0, &status(session, |_| {}));
    }
    let mut first = Vec::new();
    for _ in 0..6 {
        world.data_sent(0);
        for log in &logs {
            offer(log, 10);
        }
        world.work();
        first.push(world.data_sent(0)[0].0);
    }
    first.sort_unstable();
    assert_eq!(first, [10, 10, 11, 11, 12, 12]);
}

#[test]
fn control_frames_are_polled_now_and_then_while_there_is_data() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    world.deliver(0, &status(10, |_| {}));
    let received = world.count(SystemCounter::StatusMessagesReceived);
    world.transport(0).deliver(peer(1), &status(10, |_| {}));
    let mut cycles = 0;
    while world.count(SystemCounter::StatusMessagesReceived) == received {
        offer(&log, 10);
        world.work();
        cycles += 1;
    }
    assert_eq!(cycles, 6, "the configured ratio");

    world.transport(0).deliver(peer(1), &status(10, |_| {}));
    world.transport(0).accept_next(0);
    offer(&log, 10);
    world.work();
    assert_eq!(
        world.count(SystemCounter::StatusMessagesReceived),
        received + 2,
        "a short send asks for a look"
    );

    world.transport(0).deliver(peer(1), &status(10, |_| {}));
    world.now += 100_000_000;
    offer(&log, 10);
    world.work();
    assert_eq!(
        world.count(SystemCounter::StatusMessagesReceived),
        received + 3,
        "time passed"
    );
}

#[test]
fn an_idle_sender_looks_at_its_control_sockets_at_most_every_few_microseconds() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    world.deliver(0, &status(10, |_| {}));
    world.now += SECOND;
    world.work();
    let received = world.count(SystemCounter::StatusMessagesReceived);
    world.transport(0).deliver(peer(1), &status(10, |_| {}));
    world.now += IDLE_POLL_INTERVAL_NS - 1;
    world.work();
    assert_eq!(world.count(SystemCounter::StatusMessagesReceived), received);
    world.now += 1;
    world.work();
    assert_eq!(
        world.count(SystemCounter::StatusMessagesReceived),
        received + 1
    );
}

#[test]
fn a_sender_that_is_held_back_looks_at_its_control_sockets_in_each_cycle() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    world.deliver(0, &status(10, |m| m.receiver_window = 256));
    offer(&log, 100);
    offer(&log, 200);
    world.now += 1;
    world.work();
    assert_eq!(world.data_sent(0), [(10, 160)]);
    world.now += 1;
    world.work();
    world.transport(0).deliver(peer(1), &status(10, |_| {}));
    world.now += 1;
    world.work();
    world.now += 1;
    world.work();
    assert_eq!(world.data_sent(0), [(10, 256)]);
}

#[test]
fn an_idle_one_of_many_publications_sends_long_before_its_next_turn() {
    const COUNT: i32 = 40;
    // All are asked within the shortest round, and have a turn within twenty microseconds each.
    let soon_ns = 50_000 + IDLE_TURNS_INTERVAL_NS;
    let mut world = World::new();
    world.add_unicast(1);
    let logs: Vec<_> = (0..COUNT).map(|n| world.add_publication(1, n)).collect();
    for session in 0..COUNT {
        world.deliver(0, &status(session, |_| {}));
    }
    // Nothing happens until all have been idle for long.
    for _ in 0..COUNT * 1_000 {
        world.now += 10_000;
        world.work();
    }
    for (session, log) in (0..).zip(&logs) {
        world.data_sent(0);
        offer(log, 100);
        let offered = world.now;
        while world.data_sent(0) != [(session, 160)] {
            world.now += 500;
            world.work();
            assert!(world.now - offered <= soon_ns, "session {session}");
        }
    }
}

#[test]
fn impossible_status_messages_are_invalid_and_implausible_ones_rejected() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    world.deliver(
        0,
        &status(10, |m| m.consumption_term_offset = TermOffset(TERM_LENGTH)),
    );
    world.deliver(0, &status(10, |m| m.receiver_window = TERM_LENGTH));
    assert_eq!(world.count(SystemCounter::InvalidPackets), 2);
    assert_eq!(world.count(SystemCounter::StatusMessagesReceived), 0);
    world.deliver(0, &status(10, |m| m.consumption_term_id = TermId(9)));
    assert_eq!(world.count(SystemCounter::StatusMessagesReceived), 1);
    assert_eq!(world.count(SystemCounter::StatusMessagesRejected), 1);
    assert!(!log.is_connected());
    world.deliver(
        0,
        &status(99, |m| m.consumption_term_offset = TermOffset(TERM_LENGTH)),
    );
    assert_eq!(
        world.count(SystemCounter::StatusMessagesReceived),
        2,
        "possible for some stream"
    );
}

fn dynamic() -> (SendPeers, AtomicCounter) {
    let count = AtomicCounter::detached(0);
    let list = Destinations::new(DestinationKind::Dynamic, count.clone());
    (SendPeers::Destinations(list), count)
}

#[test]
fn a_solicitation_of_no_stream_in_particular_adds_a_dynamic_destination() {
    let mut world = World::new();
    let (peers, count) = dynamic();
    world.add_endpoint(1, peers);
    let mut publication = params(1, 10);
    publication.is_multi_destination = true;
    world.add_publication_of(publication);
    let solicitation = StatusMessage::setup_request(SessionId(0), StreamId(0), ReceiverId(5), None);
    let mut bytes = [0; StatusMessage::MAX_LENGTH];
    let length = solicitation.encode(&mut bytes);
    world.deliver_from(0, peer(7), &bytes[..length]);
    assert_eq!(count.get(), 1);
    world.transport(0).take_sent();
    world.now += SECOND;
    world.work();
    assert_eq!(world.transport(0).take_sent()[0].to, Some(peer(7)));
}

#[test]
fn a_rejected_status_message_adds_no_destination() {
    let mut world = World::new();
    let (peers, count) = dynamic();
    world.add_endpoint(1, peers);
    world.add_publication(1, 10);
    world.deliver(0, &status(10, |m| m.consumption_term_id = TermId(9)));
    world.deliver(
        0,
        &status(10, |m| m.consumption_term_offset = TermOffset(TERM_LENGTH)),
    );
    assert_eq!(count.get(), 0);
}

#[test]
fn a_nak_for_a_known_stream_is_answered_and_others_are_ignored() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    offer(&log, 100);
    world.deliver(0, &status(10, |_| {}));
    world.work();
    world.data_sent(0);
    world.deliver(0, &nak(99, 0, 160));
    assert_eq!(world.count(SystemCounter::NaksReceived), 0);
    world.deliver(0, &nak(10, 0, 160));
    assert_eq!(world.data_sent(0), [(10, 160)]);
    assert_eq!(world.count(SystemCounter::NaksReceived), 1);
    world.deliver(0, &nak(10, TERM_LENGTH, 0));
    assert_eq!(world.count(SystemCounter::InvalidPackets), 1);
}

#[test]
fn several_naks_of_one_poll_are_all_answered() {
    let mut world = World::new();
    world.add_unicast(1);
    let log = world.add_publication(1, 10);
    for _ in 0..3 {
        offer(&log, 1376);
    }
    world.deliver(0, &status(10, |_| {}));
    world.work();
    world.data_sent(0);
    for frame in 0..3 {
        world
            .transport(0)
            .deliver(peer(1), &nak(10, frame * 1408, 1408));
    }
    world.now += SECOND;
    world.work();
    assert_eq!(world.data_sent(0).len(), 3);
}

#[test]
fn a_round_trip_request_is_answered() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    let mut request = [0; RttMeasurement::LENGTH];
    RttMeasurement {
        is_reply_requested: true,
        session_id: SessionId(10),
        stream_id: StreamId(2),
        echo_timestamp: Nanos(1),
        reception_delta_ns: 0,
        receiver_id: ReceiverId(5),
    }
    .encode(&mut request);
    world.deliver(0, &request);
    let sent = world.transport(0).take_sent();
    assert!(
        sent.iter()
            .any(|datagram| datagram.bytes[6] == 6 && datagram.bytes[5] == 0)
    );
}

#[test]
fn a_refusal_is_reported_to_the_conductor_with_its_destination() {
    let mut world = World::new();
    let list = Destinations::new(DestinationKind::Manual, AtomicCounter::detached(0));
    world.add_endpoint(1, SendPeers::Destinations(list));
    world.command(SenderMessage::AddDestination {
        endpoint: EndpointId(1),
        destination: Destination {
            registration_id: RegistrationId(77),
            uri_text: "aeron:udp?endpoint=10.0.0.1:9000".to_owned(),
            endpoint_text: "10.0.0.1:9000".to_owned(),
            address: Some(peer(1)),
        },
    });
    world.add_publication(1, 10);
    world.deliver(0, &refusal(10, 5));
    assert_eq!(world.count(SystemCounter::ErrorFramesReceived), 1);
    assert!(world.message().is_none(), "that receiver was never alive");
    world.deliver(0, &status(10, |_| {}));
    world.deliver(0, &refusal(10, 5));
    world.deliver(0, &refusal(10, 5));
    let Some(ConductorMessage::PublicationError(report)) = world.message() else {
        panic!("no report");
    };
    assert_eq!(
        *report,
        PublicationErrorReport {
            registration_id: RegistrationId(10),
            destination_registration_id: Some(RegistrationId(77)),
            session_id: SessionId(10),
            stream_id: StreamId(2),
            receiver_id: ReceiverId(5),
            group_tag: None,
            source: peer(1),
            error_code: 13,
            text: "no thanks".to_owned(),
        }
    );
    assert!(world.message().is_none(), "once");
}

#[test]
fn a_refusal_waits_for_a_conductor_that_is_behind() {
    let mut world = World::with_message_capacity(1);
    world.add_unicast(1);
    world.add_publication(1, 10);
    world.add_publication(1, 11);
    world.deliver(0, &status(10, |_| {}));
    world.command(SenderMessage::RemovePublication(RegistrationId(11)));
    world.deliver(0, &refusal(10, 5));
    assert!(matches!(
        world.message(),
        Some(ConductorMessage::PublicationReleased(_))
    ));
    assert!(world.message().is_none());
    world.deliver(0, &refusal(10, 5));
    assert!(matches!(
        world.message(),
        Some(ConductorMessage::PublicationError(_))
    ));
}

#[test]
fn a_response_setup_is_passed_on() {
    let mut world = World::new();
    world.add_unicast(1);
    let mut requester = params(1, 10);
    requester.response_correlation_id = Some(CorrelationId(44));
    world.add_publication_of(requester);
    world.add_publication(1, 11);
    for session in [10, 11] {
        let mut bytes = [0; ResponseSetup::LENGTH];
        ResponseSetup {
            session_id: SessionId(session),
            stream_id: StreamId(2),
            response_session_id: SessionId(-3),
        }
        .encode(&mut bytes);
        world.deliver(0, &bytes);
    }
    let Some(ConductorMessage::ResponseSetup {
        response_correlation_id,
        response_session_id,
    }) = world.message()
    else {
        panic!("nothing was passed on");
    };
    assert_eq!(response_correlation_id, CorrelationId(44));
    assert_eq!(response_session_id, SessionId(-3));
    assert!(world.message().is_none());
}

#[test]
fn a_connected_response_is_passed_on() {
    let mut world = World::new();
    world.add_endpoint(1, SendPeers::Learnt);
    let mut responder = params(1, 10);
    responder.is_response = true;
    responder.response_correlation_id = Some(CorrelationId(44));
    world.add_publication_of(responder);
    world.deliver(
        0,
        &status(10, |m| m.flags = status_message::flags::SEND_SETUP),
    );
    assert!(world.message().is_none());
    world.deliver(0, &status(10, |_| {}));
    assert!(matches!(
        world.message(),
        Some(ConductorMessage::ResponseConnected {
            response_correlation_id: CorrelationId(44)
        })
    ));
}

#[test]
fn removing_hands_back_and_leaves_the_others_reachable() {
    let mut world = World::new();
    for id in 1..=3 {
        world.add_unicast(id);
    }
    let logs: Vec<_> = (1..=3).map(|id| world.add_publication(id, 10)).collect();
    world.add_publication(1, 11);
    assert_eq!(world.sender.publications.len(), 4);

    world.command(SenderMessage::RemoveEndpoint(EndpointId(1)));
    let mut kinds = Vec::new();
    while let Some(message) = world.message() {
        if let ConductorMessage::PublicationReleased(half) = &message {
            kinds.push(half.registration_id().get());
        } else if let ConductorMessage::SendEndpointClosed(endpoint) = &message {
            kinds.push(-i64::from(endpoint.id().0));
        } else {
            panic!("nothing else comes back");
        }
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [-1, 10, 11]);

    let third = world
        .sender
        .endpoint_index(EndpointId(3))
        .expect("still there");
    let second = world
        .sender
        .endpoint_index(EndpointId(2))
        .expect("still there");
    world.deliver(third, &status(10, |_| {}));
    assert_eq!(
        logs.iter().map(LogBuffer::is_connected).collect::<Vec<_>>(),
        [false, false, true]
    );
    world.deliver(second, &status(10, |_| {}));
    assert!(logs[1].is_connected());
    offer(&logs[2], 100);
    world.work();
    assert_eq!(
        world.data_sent(third),
        [(10, 160)],
        "through its own endpoint"
    );
}

#[test]
fn a_full_queue_loses_nothing_that_must_go_back() {
    let mut world = World::with_message_capacity(1);
    world.add_unicast(1);
    for session in 10..13 {
        world.add_publication(1, session);
    }
    for session in 10..13 {
        world.command(SenderMessage::RemovePublication(RegistrationId(session)));
    }
    world.command(SenderMessage::RemoveEndpoint(EndpointId(1)));
    let mut handed_back = 0;
    for _ in 0..20 {
        handed_back += usize::from(world.message().is_some());
        world.work();
    }
    assert_eq!(handed_back, 4);
}

#[test]
fn destinations_come_and_go_by_command() {
    let mut world = World::new();
    let count = AtomicCounter::detached(0);
    let list = Destinations::new(DestinationKind::Manual, count.clone());
    world.add_endpoint(1, SendPeers::Destinations(list));
    for id in 1..=2 {
        world.command(SenderMessage::AddDestination {
            endpoint: EndpointId(1),
            destination: Destination {
                registration_id: RegistrationId(i64::from(id)),
                uri_text: String::new(),
                endpoint_text: format!("host-{id}:9000"),
                address: Some(peer(id)),
            },
        });
    }
    assert_eq!(count.get(), 2);
    world.command(SenderMessage::ResolutionChange {
        endpoint: EndpointId(1),
        endpoint_text: "host-2:9000".to_owned(),
        address: peer(9),
    });
    assert_eq!(world.count(SystemCounter::ResolutionChanges), 1);
    world.command(SenderMessage::RemoveDestination {
        endpoint: EndpointId(1),
        address: peer(9),
    });
    world.command(SenderMessage::RemoveDestinationById {
        endpoint: EndpointId(1),
        registration_id: RegistrationId(1),
    });
    assert_eq!(count.get(), 0);
}

#[test]
fn silent_receivers_make_the_sender_ask_for_resolution() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    world.add_publication(1, 11);
    world.now = 4 * SECOND;
    world.deliver(0, &status(11, |_| {}));
    let mut asked_at = Vec::new();
    while asked_at.len() < 2 {
        world.now += SECOND;
        world.work();
        if let Some(ConductorMessage::ReResolveEndpoint {
            endpoint,
            endpoint_text,
            address,
        }) = world.message()
        {
            assert_eq!((endpoint, address), (EndpointId(1), Some(peer(1))));
            assert_eq!(endpoint_text, "receiver:9000");
            asked_at.push(world.now / SECOND);
        }
    }
    assert_eq!(
        asked_at,
        [11, 17],
        "one of the two was heard five seconds in"
    );
}

#[test]
fn what_the_operating_system_refuses_is_recorded() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    world.transport(0).fail_next();
    world.now = SECOND;
    world.work();
    assert_eq!(world.count(SystemCounter::Errors), 1);
    assert_eq!(
        world.errors(),
        ["cannot send to 10.0.0.1:9000: network is unreachable"]
    );
}

#[test]
fn a_malformed_group_tag_is_recorded_where_tags_matter() {
    let mut world = World::new();
    world.add_unicast(1);
    let mut tagged = params(1, 10);
    tagged.flow_control = FlowControl::Group(GroupFlowControl::new(GroupParams {
        tag: Some(1),
        min_size: 0,
        receiver_timeout_ns: 5 * SECOND,
        receivers: None,
    }));
    world.add_publication_of(tagged);
    world.add_publication(1, 11);
    for session in [10, 11] {
        let mut odd = status(session, |_| {});
        odd.extend_from_slice(&[1; 4]);
        odd[0] = 40;
        world.deliver(0, &odd);
    }
    assert_eq!(world.errors().len(), 1);
    assert_eq!(world.count(SystemCounter::StatusMessagesReceived), 2);
}

#[test]
fn garbage_is_counted_and_otherwise_harmless() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    let mut rng = crate::base::Rng::new(3);
    let mut malformed = 0;
    for round in 0..2_000 {
        let length = usize::try_from(rng.below(80)).expect("small");
        let mut bytes: Vec<u8> = (0..length)
            .map(|_| rng.next_u64().to_le_bytes()[0])
            .collect();
        // Half of it looks like a frame at first sight.
        if round % 2 == 0 && length >= 20 {
            bytes[..4].copy_from_slice(&u32::try_from(length).expect("small").to_le_bytes());
            bytes[4] = 0;
            bytes[6..8].copy_from_slice(&[u8::try_from(rng.below(12)).expect("small"), 0]);
            bytes[8] = 10;
            bytes[9..12].fill(0);
            bytes[12] = 2;
            bytes[13..16].fill(0);
        }
        malformed += usize::from(
            !bytes.is_empty()
                && crate::protocol::Frame::parse_for(crate::protocol::SocketRole::Send, &bytes)
                    .is_err(),
        );
        world.deliver(0, &bytes);
    }
    assert!(malformed > 100);
    let counted = usize::try_from(world.count(SystemCounter::InvalidPackets)).expect("positive");
    assert!(counted >= malformed);
}

#[test]
fn closing_lets_go_of_everything() {
    let mut world = World::new();
    world.add_unicast(1);
    world.add_publication(1, 10);
    world.sender.on_close(Tick::default());
    assert!(world.sender.publications.is_empty() && world.sender.endpoints.is_empty());
}

#[test]
fn slow_cycles_are_counted() {
    let mut world = World::new();
    world.work();
    world.now = 100_000_000;
    world.work();
    world.now += 100_000_001;
    world.work();
    assert_eq!(world.count(SystemCounter::SenderMaxCycleTime), 100_000_001);
    assert_eq!(
        world.count(SystemCounter::SenderCycleTimeThresholdExceeded),
        1
    );
}
