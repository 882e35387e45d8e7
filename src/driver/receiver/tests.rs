//! The whole agent over recording transports, driven by its messages.

use super::testing::*;
use super::*;
use std::net::SocketAddr;

use crate::base::{
    CorrelationId, EpochMillis, Position, ReceiverId, RegistrationId, Rng, TermId, TermOffset,
};
use crate::concurrent::{AtomicCounter, read_error_log};
use crate::driver::congestion::{CongestionControl, Cubic, CubicParams, StaticWindow};
use crate::driver::image::{self, ConductorHalf, ImageCounters, ImageEvent, ImageParams};
use crate::driver::loss::NakDelay;
use crate::driver::media::loss::{LossChain, LossGenerator, RandomLoss};
use crate::driver::media::receive_endpoint::{
    ExplicitControl, ReceiveEndpointSpec, ReceiveTransport, ReceiveTransportSpec,
};
use crate::driver::messages::ImageRequest;
use crate::driver::untethered::{
    LinkId, SubscriberPosition, SubscriberPositions, UntetheredTimeouts,
};
use crate::logbuffer::{LogBuffer, LogKind, LogSpec, log_length, reader};
use crate::memory::AtomicBuffer;
use crate::protocol::{Frame, FrameType, Nak, RttMeasurement, Setup, StatusMessage};

const SOURCE: u16 = 50_000;
const CONTROL: u16 = 60_000;

struct Rig {
    receiver: Receiver<TestTransport>,
    commands: BoundedQueue<ReceiverMessage<TestTransport>>,
    conductor: BoundedQueue<ConductorMessage<TestTransport>>,
    transport: TestTransport,
    diagnostics: Diagnostics,
    now: i64,
}

impl Rig {
    /// A receiver with no endpoint.
    fn empty() -> Self {
        let diagnostics = Diagnostics::new();
        let commands = BoundedQueue::new(64);
        let conductor = BoundedQueue::new(4);
        let counters = diagnostics.counters.clone();
        let counter = |counter| counters.get(counter).clone();
        let mut receiver = Receiver::new(ReceiverParams {
            commands: commands.clone(),
            conductor: Outbox::new(
                conductor.clone(),
                counter(SystemCounter::ConductorProxyFails),
            ),
            errors: diagnostics.errors.clone(),
            duty_cycle: DutyCycleTracker::new(
                100 * MILLI,
                counter(SystemCounter::ReceiverMaxCycleTime),
                counter(SystemCounter::ReceiverCycleTimeThresholdExceeded),
                Nanos(0),
            ),
            counters: counters.clone(),
            re_resolution_check_interval_ns: SECOND,
        });
        receiver.on_start(tick(0));
        let transport = TestTransport::default();
        Self {
            receiver,
            commands,
            conductor,
            transport,
            diagnostics,
            now: 0,
        }
    }

    fn with(endpoint: ReceiveEndpointSpec, transport_spec: ReceiveTransportSpec) -> Self {
        let mut rig = Self::empty();
        let transport = ReceiveTransport::new(rig.transport.clone(), transport_spec, Nanos(0));
        let endpoint = ReceiveEndpoint::new(endpoint, Some(transport));
        rig.command(ReceiverMessage::AddEndpoint(Box::new(endpoint)));
        rig
    }

    /// A receiver with a unicast endpoint.
    fn unicast() -> Self {
        Self::with(endpoint_spec(), transport_spec())
    }

    /// … that wants the test's stream.
    fn subscribed() -> Self {
        let mut rig = Self::unicast();
        rig.subscribe(None);
        rig
    }

    /// … and has an image of its session.
    fn with_image() -> (Self, ConductorHalf) {
        let mut rig = Self::subscribed();
        let conductor_half = rig.join(1);
        (rig, conductor_half)
    }

    fn with_control() -> Self {
        let explicit_control = ExplicitControl {
            text: "publisher:60000".to_owned(),
            address: address(CONTROL),
        };
        let spec = ReceiveTransportSpec {
            explicit_control: Some(explicit_control),
            ..transport_spec()
        };
        Self::with(endpoint_spec(), spec)
    }

    fn command(&mut self, message: ReceiverMessage<TestTransport>) {
        assert!(self.commands.push(message).is_ok());
        self.cycle();
    }

    fn cycle(&mut self) -> usize {
        self.receiver.do_work(tick(self.now))
    }

    fn subscribe(&mut self, session_id: Option<SessionId>) {
        self.command(ReceiverMessage::AddSubscription {
            endpoint: ENDPOINT,
            stream_id: STREAM,
            session_id,
        });
    }

    fn unsubscribe(&mut self, session_id: Option<SessionId>) {
        self.command(ReceiverMessage::RemoveSubscription {
            endpoint: ENDPOINT,
            stream_id: STREAM,
            session_id,
        });
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.transport.deliver(address(SOURCE), bytes);
        self.cycle();
    }

    /// Has a SETUP arrive and an image be made of it, whose first status message is taken.
    fn join(&mut self, image: i64) -> ConductorHalf {
        self.receive(&setup_bytes(&setup()));
        let request = self.image_requests().pop().expect("a request");
        let (conductor_half, receiver_half) = image::build(image_params(image, &request, self.now));
        self.command(ReceiverMessage::AddImage(Box::new(receiver_half)));
        assert_eq!(self.transport.take_types(), [FrameType::StatusMessage]);
        conductor_half
    }

    fn image_requests(&self) -> Vec<ImageRequest> {
        let mut requests = Vec::new();
        while let Some(message) = self.conductor.pop() {
            if let ConductorMessage::CreateImage(request) = message {
                requests.push(*request);
            }
        }
        requests
    }

    fn released_images(&self) -> Vec<CorrelationId> {
        let mut images = Vec::new();
        while let Some(message) = self.conductor.pop() {
            if let ConductorMessage::ImageReleased(image) = message {
                images.push(image.correlation_id());
            }
        }
        images
    }

    /// Address, stream and session of the setup requests sent since the last call.
    fn setup_requests(&self) -> Vec<(SocketAddr, StreamId, SessionId)> {
        let mut requests = Vec::new();
        for (to, bytes) in self.transport.take_sent() {
            let Ok(Frame::StatusMessage(frame)) = Frame::parse(&bytes) else {
                continue;
            };
            if frame.is_setup_requested() {
                let message = StatusMessage::from(frame);
                assert_eq!(message.receiver_id, RECEIVER);
                assert_eq!(message.receiver_window, 0);
                requests.push((to, message.stream_id, message.session_id));
            }
        }
        requests
    }

    fn count(&self, counter: SystemCounter) -> i64 {
        self.diagnostics.count(counter)
    }

    fn errors(&self) -> Vec<String> {
        let mut errors = Vec::new();
        read_error_log(&self.diagnostics.error_log, EpochMillis(0), |error| {
            errors.push(error.text.to_string());
        });
        errors
    }
}

fn image_params(id: i64, request: &ImageRequest, now: i64) -> ImageParams {
    let spec = LogSpec {
        kind: LogKind::Image,
        session_id: request.session_id,
        stream_id: request.stream_id,
        initial_term_id: request.initial_term_id,
        term_length: request.term_length,
        mtu_length: request.mtu_length,
        ..LogSpec::default()
    };
    let length = usize::try_from(log_length(spec.term_length, spec.page_size)).expect("fits");
    let log = LogBuffer::initialise(AtomicBuffer::heap(length), &spec).expect("legal");
    let mut subscribers = SubscriberPositions::new(UntetheredTimeouts {
        window_limit_ns: SECOND,
        linger_ns: SECOND,
        resting_ns: SECOND,
    });
    let position = SubscriberPosition {
        link: LinkId(1),
        subscription: RegistrationId(1),
        counter: AtomicCounter::detached(0),
        tether: true,
        rejoin: true,
    };
    subscribers.add(position, Nanos(now));
    let cubic = CubicParams {
        max_window_length: 16 * 1024,
        mtu_length: request.mtu_length,
        initial_rtt_ns: 3_600 * SECOND,
        measure_rtt: false,
        tcp_mode: false,
    };
    let congestion = if id == 99 {
        CongestionControl::Cubic(Cubic::new(
            CubicParams {
                measure_rtt: true,
                ..cubic
            },
            None,
            Nanos(now),
        ))
    } else {
        CongestionControl::Static(StaticWindow::new(16 * 1024))
    };
    ImageParams {
        correlation_id: CorrelationId(id),
        session_id: request.session_id,
        stream_id: request.stream_id,
        endpoint: request.endpoint,
        transport_index: request.transport_index,
        control_address: request.control_address,
        source: request.source,
        channel: "aeron:udp?endpoint=localhost:4040".to_owned(),
        join_position: log
            .geometry()
            .position(request.active_term_id, request.term_offset),
        log,
        is_reliable: true,
        wants_response: request.wants_response,
        counters: ImageCounters {
            hwm: AtomicCounter::detached(0),
            rebuild: AtomicCounter::detached(0),
            naks_sent: AtomicCounter::detached(0),
        },
        subscribers,
        congestion,
        nak_delay: NakDelay::immediate(),
        has_recovery: false,
        status_message_timeout_ns: 200 * MILLI,
        liveness_timeout_ns: 10 * SECOND,
        now: Nanos(now),
    }
}

fn hwm(image: &ConductorHalf) -> i64 {
    image.counters().hwm.get()
}

// Elicitation.

#[test]
fn data_of_an_unknown_session_elicits_a_setup_from_its_source() {
    let mut rig = Rig::subscribed();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests(), [(address(SOURCE), STREAM, SESSION)]);
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xC0));
    assert_eq!(rig.setup_requests(), []);
    assert_eq!(rig.count(SystemCounter::StatusMessagesSent), 0);
}

#[test]
fn an_elicited_setup_that_does_not_come_is_asked_for_again_after_a_second() {
    let mut rig = Rig::subscribed();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests().len(), 1);
    rig.now = SECOND;
    rig.cycle();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests(), []);
    rig.now = SECOND + 1;
    rig.cycle();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests().len(), 1);
    assert_eq!(rig.receiver.pending.len(), 1);
}

#[test]
fn an_expired_elicitation_does_not_disturb_the_image_that_came_of_it() {
    let mut rig = Rig::subscribed();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    let _ = rig.transport.take_sent();
    let image = rig.join(1);
    rig.now = 2 * SECOND;
    rig.cycle();
    rig.receive(&data(INITIAL_TERM, 0, 992));
    assert_eq!(hwm(&image), 1_024);
    assert_eq!(rig.receiver.pending.len(), 0);
}

#[test]
fn multicast_answers_go_to_the_control_group() {
    let spec = ReceiveTransportSpec {
        control_group: Some(address(7)),
        ..transport_spec()
    };
    let mut rig = Rig::with(endpoint_spec(), spec);
    rig.subscribe(None);
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests(), [(address(7), STREAM, SESSION)]);
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.image_requests()[0].control_address, address(7));
}

#[test]
fn a_stream_that_ended_is_not_elicited() {
    let mut rig = Rig::subscribed();
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xE0));
    assert_eq!(rig.setup_requests(), []);
}

/// Seed 3772: nobody asked ever again, and the stream never came.
#[test]
fn unsubscribing_a_session_leaves_what_others_wait_for() {
    let mut rig = Rig::unicast();
    rig.subscribe(None);
    rig.subscribe(Some(SESSION));
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests().len(), 1);
    rig.unsubscribe(Some(SESSION));
    rig.now = SECOND + 1;
    rig.cycle();
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests().len(), 1, "it is asked for again");
}

#[test]
fn unsubscribing_a_session_forgets_what_was_asked_for_it() {
    let mut rig = Rig::unicast();
    rig.subscribe(Some(SESSION));
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.receiver.pending.len(), 1);
    rig.unsubscribe(Some(SESSION));
    assert_eq!(rig.receiver.pending.len(), 0);
}

// SETUP.

#[test]
fn setup_asks_the_conductor_for_an_image() {
    let mut rig = Rig::subscribed();
    let sent = Setup {
        flags: 0xC0,
        term_offset: TermOffset(4_096),
        active_term_id: INITIAL_TERM.plus(2),
        ..setup()
    };
    rig.receive(&setup_bytes(&sent));
    rig.receive(&setup_bytes(&sent));
    assert_eq!(
        rig.image_requests(),
        [ImageRequest {
            endpoint: ENDPOINT,
            transport_index: 0,
            session_id: SESSION,
            stream_id: STREAM,
            initial_term_id: INITIAL_TERM,
            active_term_id: INITIAL_TERM.plus(2),
            term_offset: TermOffset(4_096),
            term_length: TERM_LENGTH,
            mtu_length: MTU,
            is_group: true,
            wants_response: true,
            source: address(SOURCE),
            control_address: address(SOURCE),
        }]
    );
}

#[test]
fn setup_can_try_again_after_no_image_came_of_it() {
    let mut rig = Rig::subscribed();
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.image_requests().len(), 1);
    rig.command(ReceiverMessage::RemoveInitInProgress {
        endpoint: ENDPOINT,
        session_id: SESSION,
        stream_id: STREAM,
    });
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.image_requests().len(), 1);
}

#[test]
fn a_conductor_that_is_behind_gets_the_setup_later() {
    let mut rig = Rig::subscribed();
    for session in 0..6 {
        let setup = Setup {
            session_id: SessionId(session),
            ..setup()
        };
        rig.receive(&setup_bytes(&setup));
    }
    assert_eq!(rig.image_requests().len(), 4);
    rig.receive(&setup_bytes(&Setup {
        session_id: SessionId(5),
        ..setup()
    }));
    assert_eq!(rig.image_requests()[0].session_id, SessionId(5));
}

#[test]
fn the_session_limit_is_an_error_without_an_image() {
    let spec = ReceiveEndpointSpec {
        stream_session_limit: 1,
        ..endpoint_spec()
    };
    let mut rig = Rig::with(spec, transport_spec());
    rig.subscribe(None);
    let _image = rig.join(1);
    for session in 0..3 {
        rig.receive(&setup_bytes(&Setup {
            session_id: SessionId(session),
            ..setup()
        }));
    }
    assert_eq!(rig.image_requests(), []);
    assert_eq!(rig.errors(), ["exceeded session limit of stream 1001"]);
    assert_eq!(rig.count(SystemCounter::Errors), 3);
}

#[test]
fn a_sender_with_a_longer_reach_is_noted_on_multicast_only() {
    let far = setup_bytes(&Setup { ttl: 4, ..setup() });
    for (control_group, ttl, expected) in [
        (None, 1, 0),
        (Some(address(7)), 0, 1),
        (Some(address(7)), 3, 1),
        (Some(address(7)), 4, 0),
    ] {
        let spec = ReceiveTransportSpec {
            control_group,
            ttl,
            ..transport_spec()
        };
        let mut rig = Rig::with(endpoint_spec(), spec);
        rig.subscribe(None);
        rig.receive(&far);
        assert_eq!(rig.count(SystemCounter::PossibleTtlAsymmetry), expected);
    }
}

// Images.

#[test]
fn an_image_is_filled_and_answers() {
    let (mut rig, image) = Rig::with_image();
    rig.receive(&data(INITIAL_TERM, 0, 992));
    rig.receive(&heartbeat(INITIAL_TERM, 1_024, 0xC0));
    assert_eq!(hwm(&image), 1_024);
    assert_eq!(rig.count(SystemCounter::HeartbeatsReceived), 1);
    assert_eq!(rig.count(SystemCounter::BytesReceived), 40 + 1_024 + 32);
    rig.now = 200 * MILLI + 1;
    rig.cycle();
    let sent = rig.transport.take_sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, address(SOURCE));
}

#[test]
fn batches_are_taken_in_one_poll() {
    let (mut rig, image) = Rig::with_image();
    for offset in [0, 1_024, 2_048, 3_072] {
        rig.transport
            .deliver(address(SOURCE), &data(INITIAL_TERM, offset, 992));
    }
    assert_eq!(rig.cycle(), 4 * 1_024);
    assert_eq!(hwm(&image), 4_096);
    assert_eq!(rig.cycle(), 0);
}

#[test]
fn a_silent_image_is_given_back_and_its_session_cools_down() {
    let (mut rig, mut image) = Rig::with_image();
    rig.now = 10 * SECOND + 1;
    let work = rig.cycle();
    assert!(work > 0);
    assert_eq!(rig.released_images(), [CorrelationId(1)]);
    assert_eq!(rig.transport.take_sent(), [], "it dies without a word");
    let mut untethered = Vec::new();
    assert_eq!(
        image.on_timer(tick(rig.now), &mut untethered),
        ImageEvent::None
    );
    rig.now += SECOND + 1;
    assert_eq!(
        image.on_timer(tick(rig.now), &mut untethered),
        ImageEvent::Unavailable
    );

    rig.receive(&data(INITIAL_TERM, 0, 64));
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.setup_requests(), []);
    assert_eq!(rig.image_requests(), []);
    rig.command(ReceiverMessage::RemoveImage {
        image: CorrelationId(1),
    });
    rig.command(ReceiverMessage::RemoveCoolDown {
        endpoint: ENDPOINT,
        session_id: SESSION,
        stream_id: STREAM,
        image: CorrelationId(1),
    });
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests().len(), 1);
    let _next = rig.join(2);
}

#[test]
fn an_image_that_ended_may_come_back_at_once() {
    let (mut rig, _image) = Rig::with_image();
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xE0));
    rig.command(ReceiverMessage::RemoveImage {
        image: CorrelationId(1),
    });
    assert_eq!(rig.released_images(), [CorrelationId(1)]);
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.image_requests().len(), 1);
}

#[test]
fn unsubscribing_makes_an_image_say_goodbye() {
    let (mut rig, _image) = Rig::with_image();
    rig.unsubscribe(None);
    let sent = rig.transport.take_sent();
    let Ok(Frame::StatusMessage(goodbye)) = Frame::parse(&sent[0].1) else {
        panic!("no SM")
    };
    assert!(goodbye.is_end_of_stream());
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.setup_requests(), []);
}

#[test]
fn a_new_image_of_the_session_silences_the_old_one() {
    let (mut rig, _image) = Rig::with_image();
    rig.unsubscribe(None);
    rig.subscribe(None);
    let _ = rig.transport.take_sent();
    let _next = rig.join(2);
    rig.now = 201 * MILLI;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::StatusMessage]);
}

#[test]
fn an_image_for_a_stream_no_longer_wanted_drains_at_once() {
    let mut rig = Rig::subscribed();
    rig.receive(&setup_bytes(&setup()));
    let request = rig.image_requests().pop().expect("a request");
    let (image, half) = image::build(image_params(1, &request, 0));
    rig.unsubscribe(None);
    rig.command(ReceiverMessage::AddImage(Box::new(half)));
    let sent = rig.transport.take_sent();
    let Ok(Frame::StatusMessage(goodbye)) = Frame::parse(&sent[0].1) else {
        panic!("no SM")
    };
    assert!(goodbye.is_end_of_stream());
    rig.receive(&data(INITIAL_TERM, 0, 992));
    assert_eq!(hwm(&image), 0);
}

#[test]
fn an_image_without_endpoint_is_given_back() {
    let mut rig = Rig::subscribed();
    rig.receive(&setup_bytes(&setup()));
    let request = rig.image_requests().pop().expect("a request");
    rig.command(ReceiverMessage::RemoveEndpoint(ENDPOINT));
    assert!(matches!(
        rig.conductor.pop(),
        Some(ConductorMessage::ReceiveEndpointClosed(_))
    ));
    let (_image, half) = image::build(image_params(1, &request, 0));
    rig.command(ReceiverMessage::AddImage(Box::new(half)));
    assert_eq!(rig.released_images(), [CorrelationId(1)]);
    assert_eq!(rig.count(SystemCounter::Errors), 1);
}

#[test]
fn a_rejected_image_tells_its_sender() {
    let (mut rig, _image) = Rig::with_image();
    rig.command(ReceiverMessage::RejectImage {
        image: CorrelationId(1),
        position: Position(0),
        reason: "no thanks".to_owned(),
    });
    rig.now = 200 * MILLI + 1;
    rig.cycle();
    assert_eq!(rig.transport.take_types(), [FrameType::Error]);
    assert_eq!(rig.count(SystemCounter::ErrorFramesSent), 1);
}

#[test]
fn slots_are_used_again() {
    let (mut rig, _image) = Rig::with_image();
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xE0));
    rig.command(ReceiverMessage::RemoveImage {
        image: CorrelationId(1),
    });
    let _ = rig.released_images();
    let _ = rig.transport.take_sent();
    let next = rig.join(2);
    rig.receive(&data(INITIAL_TERM, 0, 992));
    assert_eq!(hwm(&next), 1_024);
    assert_eq!(rig.receiver.images.slot_count(), 1);
}

#[test]
fn what_the_conductor_has_no_room_for_goes_out_later() {
    let (mut rig, _image) = Rig::with_image();
    for session in 0..4 {
        rig.receive(&setup_bytes(&Setup {
            session_id: SessionId(session),
            ..setup()
        }));
    }
    rig.now = 10 * SECOND + 1;
    rig.cycle();
    assert!(rig.count(SystemCounter::ConductorProxyFails) > 0);
    assert_eq!(rig.image_requests().len(), 4);
    rig.cycle();
    assert_eq!(rig.released_images(), [CorrelationId(1)]);
}

// Explicit control addresses.

#[test]
fn an_explicit_control_address_is_asked_at_once_and_then_every_second() {
    let mut rig = Rig::with_control();
    let any = (address(CONTROL), StreamId(0), SessionId(0));
    assert_eq!(rig.setup_requests(), [any]);
    rig.now = 3 * SECOND;
    rig.cycle();
    assert_eq!(rig.setup_requests(), [], "no stream is wanted");
    rig.subscribe(None);
    assert_eq!(rig.setup_requests(), [any]);
    rig.now = 4 * SECOND;
    rig.cycle();
    assert_eq!(rig.setup_requests(), []);
    rig.now = 4 * SECOND + 5_000;
    rig.cycle();
    rig.cycle();
    assert_eq!(rig.setup_requests(), [any]);
}

#[test]
fn a_session_is_asked_for_by_name() {
    let mut rig = Rig::with_control();
    let _ = rig.setup_requests();
    rig.subscribe(Some(SESSION));
    assert_eq!(rig.setup_requests(), [(address(CONTROL), STREAM, SESSION)]);
    rig.command(ReceiverMessage::RequestSetup {
        endpoint: ENDPOINT,
        stream_id: STREAM,
        session_id: SESSION,
    });
    assert_eq!(rig.setup_requests(), [(address(CONTROL), STREAM, SESSION)]);
}

#[test]
fn a_session_is_asked_for_by_name_every_second_until_it_is_heard_of() {
    let mut rig = Rig::with_control();
    rig.subscribe(Some(SESSION));
    let _ = rig.setup_requests();
    rig.now = SECOND + 5_000;
    rig.cycle();
    let any = (address(CONTROL), StreamId(0), SessionId(0));
    assert_eq!(
        rig.setup_requests(),
        [any, (address(CONTROL), STREAM, SESSION)]
    );
    let _image = rig.join(1);
    rig.now = 2 * SECOND + 10_000;
    rig.cycle();
    assert_eq!(rig.setup_requests(), [any]);
}

#[test]
fn a_silent_control_name_is_looked_up_again() {
    let mut rig = Rig::with_control();
    rig.subscribe(None);
    rig.now = 5 * SECOND;
    rig.cycle();
    assert!(rig.conductor.pop().is_none());
    rig.now = 6 * SECOND + 1;
    rig.cycle();
    let Some(ConductorMessage::ReResolveControl {
        endpoint,
        index,
        control_text,
        address: old,
    }) = rig.conductor.pop()
    else {
        panic!("no message")
    };
    assert_eq!((endpoint, index, old), (ENDPOINT, 0, address(CONTROL)));
    assert_eq!(control_text, "publisher:60000");
    rig.now = 7 * SECOND + 2;
    rig.cycle();
    assert!(rig.conductor.pop().is_none(), "asking restarts the time");

    let _ = rig.setup_requests();
    let moved = address(CONTROL + 1);
    rig.command(ReceiverMessage::ResolutionChange {
        endpoint: ENDPOINT,
        index: 0,
        address: moved,
    });
    assert_eq!(rig.count(SystemCounter::ResolutionChanges), 1);
    rig.now = 9 * SECOND;
    rig.cycle();
    assert_eq!(rig.setup_requests(), [(moved, StreamId(0), SessionId(0))]);
}

#[test]
fn a_control_name_that_is_heard_is_left_alone() {
    let mut rig = Rig::with_control();
    rig.subscribe(None);
    for second in 1..20 {
        rig.now = second * SECOND;
        rig.receive(&data(INITIAL_TERM, 0, 64));
    }
    assert!(rig.conductor.pop().is_none());
}

// Destinations.

fn destination(transport: &TestTransport, control: bool) -> Box<ReceiveTransport<TestTransport>> {
    let explicit_control = control.then(|| ExplicitControl {
        text: "publisher:60000".to_owned(),
        address: address(CONTROL),
    });
    let spec = ReceiveTransportSpec {
        explicit_control,
        ..transport_spec()
    };
    Box::new(ReceiveTransport::new(transport.clone(), spec, Nanos(0)))
}

#[test]
fn a_destination_feeds_the_same_image_until_it_is_removed() {
    let (mut rig, image) = Rig::with_image();
    let second = TestTransport::default();
    rig.command(ReceiverMessage::AddDestination {
        endpoint: ENDPOINT,
        index: 1,
        transport: destination(&second, true),
    });
    assert_eq!(
        second.take_types(),
        [FrameType::StatusMessage],
        "it is solicited"
    );
    second.deliver(address(SOURCE + 1), &data(INITIAL_TERM, 0, 992));
    rig.cycle();
    assert_eq!(hwm(&image), 1_024);
    rig.now = 201 * MILLI;
    rig.cycle();
    assert_eq!(
        second.take_sent()[0].0,
        address(CONTROL),
        "it is addressed from the begin"
    );
    assert_eq!(image.log().active_transport_count(), 1);

    rig.command(ReceiverMessage::RemoveDestination {
        endpoint: ENDPOINT,
        index: 1,
    });
    let Some(ConductorMessage::ReceiveDestinationClosed {
        endpoint: ENDPOINT,
        index: 1,
        ..
    }) = rig.conductor.pop()
    else {
        panic!("no message")
    };
    assert_eq!(image.log().active_transport_count(), 0);
    assert_eq!(
        rig.receiver.pending.len(),
        0,
        "nothing is solicited through it any more"
    );
    rig.now = 5 * SECOND;
    rig.cycle();
    assert_eq!(second.take_sent(), []);
}

#[test]
fn a_setup_that_was_asked_for_through_a_removed_destination_is_asked_for_again() {
    let mut rig = Rig::subscribed();
    let second = TestTransport::default();
    rig.command(ReceiverMessage::AddDestination {
        endpoint: ENDPOINT,
        index: 1,
        transport: destination(&second, false),
    });
    second.deliver(address(SOURCE), &data(INITIAL_TERM, 0, 992));
    rig.cycle();
    assert_eq!(second.take_types(), [FrameType::StatusMessage]);
    rig.command(ReceiverMessage::RemoveDestination {
        endpoint: ENDPOINT,
        index: 1,
    });
    rig.receive(&data(INITIAL_TERM, 0, 992));
    assert_eq!(rig.setup_requests(), [(address(SOURCE), STREAM, SESSION)]);
}

#[test]
fn a_destination_that_brings_nothing_holds_back_the_end_until_it_is_removed() {
    let (mut rig, image) = Rig::with_image();
    let second = TestTransport::default();
    rig.command(ReceiverMessage::AddDestination {
        endpoint: ENDPOINT,
        index: 1,
        transport: destination(&second, false),
    });
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xE0));
    assert_eq!(image.log().end_of_stream_position(), Position(i64::MAX));
    rig.command(ReceiverMessage::RemoveDestination {
        endpoint: ENDPOINT,
        index: 1,
    });
    rig.receive(&heartbeat(INITIAL_TERM, 0, 0xE0));
    assert_eq!(image.log().end_of_stream_position(), Position(0));
}

#[test]
fn commands_about_what_is_not_there_are_errors() {
    let mut rig = Rig::empty();
    rig.subscribe(None);
    rig.unsubscribe(None);
    rig.command(ReceiverMessage::RemoveEndpoint(ENDPOINT));
    rig.command(ReceiverMessage::RemoveDestination {
        endpoint: ENDPOINT,
        index: 1,
    });
    let lost = TestTransport::default();
    rig.command(ReceiverMessage::AddDestination {
        endpoint: ENDPOINT,
        index: 1,
        transport: destination(&lost, true),
    });
    assert!(matches!(
        rig.conductor.pop(),
        Some(ConductorMessage::ReceiveDestinationClosed { .. })
    ));
    assert_eq!(rig.count(SystemCounter::Errors), 5);
    let mut rig = Rig::unicast();
    rig.unsubscribe(None);
    assert_eq!(rig.errors(), ["unknown subscription to stream 1001"]);
}

// Round trips.

fn rtt(is_reply_requested: bool, receiver_id: ReceiverId) -> Vec<u8> {
    let mut bytes = [0; RttMeasurement::LENGTH];
    RttMeasurement {
        is_reply_requested,
        session_id: SESSION,
        stream_id: STREAM,
        echo_timestamp: Nanos(1_234),
        reception_delta_ns: 0,
        receiver_id,
    }
    .encode(&mut bytes);
    bytes.to_vec()
}

#[test]
fn a_round_trip_request_is_answered() {
    let (mut rig, _image) = Rig::with_image();
    for receiver_id in [RECEIVER, ReceiverId(0)] {
        rig.receive(&rtt(true, receiver_id));
        let sent = rig.transport.take_sent();
        let Ok(Frame::RttMeasurement(answer)) = Frame::parse(&sent[0].1) else {
            panic!("no RTTM")
        };
        assert!(!answer.is_reply_requested());
        assert_eq!(answer.echo_timestamp(), Nanos(1_234));
        assert_eq!(answer.receiver_id(), RECEIVER);
    }
}

#[test]
fn round_trips_of_others_and_of_unknown_streams_are_ignored() {
    let (mut rig, _image) = Rig::with_image();
    rig.receive(&rtt(true, ReceiverId(9)));
    assert_eq!(rig.transport.take_sent(), []);
    let mut rig = Rig::subscribed();
    rig.receive(&rtt(true, RECEIVER));
    rig.receive(&rtt(false, RECEIVER));
    assert_eq!(rig.transport.take_sent(), []);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 0);
}

#[test]
fn an_answer_reaches_the_image() {
    let mut rig = Rig::subscribed();
    rig.receive(&setup_bytes(&setup()));
    let request = rig.image_requests().pop().expect("a request");
    let (_image, half) = image::build(image_params(99, &request, 0));
    rig.command(ReceiverMessage::AddImage(Box::new(half)));
    rig.now = 5_000;
    rig.receive(&rtt(false, RECEIVER));
    let expected = [FrameType::StatusMessage, FrameType::RttMeasurement];
    assert_eq!(rig.transport.take_types(), expected);
}

// What else arrives.

#[test]
fn malformed_datagrams_are_counted_and_frames_for_senders_ignored() {
    let mut rig = Rig::subscribed();
    for bytes in [&[0xFF; 40][..], &[0; 7], &data(INITIAL_TERM, 0, 64)[..40]] {
        rig.receive(bytes);
    }
    let mut setup_of_tiny_term = setup_bytes(&setup());
    setup_of_tiny_term[30] = 0;
    rig.receive(&setup_of_tiny_term);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 4);
    let mut nak = [0; Nak::LENGTH];
    Nak {
        session_id: SESSION,
        stream_id: STREAM,
        term_id: TermId(5),
        term_offset: TermOffset(0),
        length: 64,
    }
    .encode(&mut nak);
    rig.receive(&nak);
    rig.receive(&[]);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 4);
    assert_eq!(rig.transport.take_sent(), []);
}

#[test]
fn noise_is_survived() {
    let (mut rig, image) = Rig::with_image();
    let mut rng = Rng::new(7);
    let frames = [
        data(INITIAL_TERM, 0, 64),
        setup_bytes(&setup()),
        rtt(true, RECEIVER),
        vec![0; 96],
    ];
    for round in 0..20_000 {
        let mut bytes = frames[round % frames.len()].clone();
        for _ in 0..rng.below(5) {
            let at = usize::try_from(rng.below(40)).expect("small");
            bytes[at] = u8::try_from(rng.below(256)).expect("a byte");
        }
        let length = usize::try_from(rng.below(8)).expect("small") * 32 + 8;
        bytes.truncate(length);
        rig.now += MILLI / 10;
        rig.receive(&bytes);
        while rig.conductor.pop().is_some() {}
    }
    assert!(rig.count(SystemCounter::InvalidPackets) > 0);
    assert!(hwm(&image) <= i64::from(TERM_LENGTH / 2));
}

#[test]
fn a_broken_transport_is_reported_and_the_others_go_on() {
    let (mut rig, image) = Rig::with_image();
    let second = TestTransport::default();
    rig.command(ReceiverMessage::AddDestination {
        endpoint: ENDPOINT,
        index: 1,
        transport: destination(&second, false),
    });
    rig.transport.fail();
    second.deliver(address(SOURCE), &data(INITIAL_TERM, 0, 992));
    rig.now = 201 * MILLI;
    rig.cycle();
    rig.cycle();
    assert_eq!(hwm(&image), 1_024);
    assert_eq!(
        rig.errors(),
        [
            "failed to receive: broken",
            "failed to send datagram to 127.0.0.1:50000: broken",
        ]
    );
}

#[test]
fn deliberate_loss_hides_frames_both_ways() {
    let all = || {
        LossChain::new(vec![LossGenerator::Random(RandomLoss::new(
            1.0,
            u64::MAX,
            Rng::new(1),
        ))])
    };
    let deaf = ReceiveEndpointSpec {
        data_loss: all(),
        ..endpoint_spec()
    };
    let mut rig = Rig::with(deaf, transport_spec());
    rig.subscribe(None);
    rig.receive(&data(INITIAL_TERM, 0, 64));
    rig.receive(&setup_bytes(&setup()));
    assert_eq!(rig.transport.take_sent(), []);
    assert_eq!(rig.image_requests(), []);

    let mute = ReceiveEndpointSpec {
        control_loss: all(),
        ..endpoint_spec()
    };
    let mut rig = Rig::with(mute, transport_spec());
    rig.subscribe(None);
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.transport.take_sent(), []);
    assert_eq!(rig.count(SystemCounter::ShortSends), 0);
    assert_eq!(rig.receiver.pending.len(), 1);
}

#[test]
fn times_of_receipt_are_written_into_messages() {
    let spec = ReceiveTransportSpec {
        channel_timestamp_offset: Some(-8),
        media_timestamp_offset: Some(8),
        ..transport_spec()
    };
    let mut rig = Rig::with(endpoint_spec(), spec);
    rig.subscribe(None);
    let image = rig.join(1);
    rig.now = 5 * MILLI;
    rig.transport
        .deliver_stamped(address(SOURCE), &data(INITIAL_TERM, 0, 64), Some(-3));
    rig.cycle();
    let mut seen = Vec::new();
    let _ = reader::poll(image.log(), Position(0), 1, |message: &[u8], header| {
        seen.push((header.reserved_value(), message[8..16].to_vec()));
    });
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].0 / MILLI, 1_700_000_000_005);
    assert_eq!(seen[0].1, (-3_i64).to_le_bytes());
}

#[test]
fn endpoints_are_closed_with_the_agent() {
    let mut rig = Rig::subscribed();
    rig.receiver.on_close(tick(0));
    assert_eq!(rig.receiver.name(), "receiver");
    rig.receive(&data(INITIAL_TERM, 0, 64));
    assert_eq!(rig.transport.take_sent(), []);
}

/// Datagrams of one message each, one behind the other, from the begin of the stream on.
fn stream_of(count: usize) -> Vec<u8> {
    let length = 32 + 96;
    (0..count)
        .flat_map(|n| data(INITIAL_TERM, i32::try_from(n * length).expect("short"), 96))
        .collect()
}

/// The data that an image holds.
fn received(conductor_half: &ConductorHalf) -> usize {
    let log = conductor_half.log();
    let begin = log.geometry().position(INITIAL_TERM, TermOffset(0));
    reader::poll(log, begin, 10_000, |_, _| {}).fragments
}

#[test]
fn datagrams_that_come_together_are_taken_in_together() {
    let (mut rig, conductor_half) = Rig::with_image();
    let bytes = stream_of(20);
    rig.transport.deliver_together(address(SOURCE), &bytes, 128);
    assert_eq!(rig.cycle(), bytes.len());
    assert_eq!(received(&conductor_half), 20);
    assert_eq!(conductor_half.counters().hwm.get(), 20 * 128);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 0);
}

#[test]
fn what_comes_together_may_be_anything() {
    let (mut rig, conductor_half) = Rig::with_image();
    let mut bytes = stream_of(9);
    // The third is of another stream, the fifth is no frame, the seventh is a heartbeat that is too
    // long, and the ninth comes twice.
    bytes[2 * 128 + 16] ^= 0x40;
    bytes[4 * 128 + 4] = 77;
    bytes[6 * 128..6 * 128 + 4].fill(0);
    bytes.extend_from_within(8 * 128..);
    rig.transport.deliver_together(address(SOURCE), &bytes, 128);
    rig.cycle();
    assert_eq!(received(&conductor_half), 2);
    assert_eq!(conductor_half.counters().hwm.get(), 9 * 128);
    assert_eq!(rig.count(SystemCounter::InvalidPackets), 2);
    rig.transport
        .deliver_together(address(SOURCE), &stream_of(9), 128);
    rig.cycle();
    assert_eq!(received(&conductor_half), 9);
}

#[test]
fn a_run_beyond_the_window_is_judged_datagram_by_datagram() {
    let (mut rig, conductor_half) = Rig::with_image();
    let fitting = usize::try_from(TERM_LENGTH / 2 / 128).expect("positive");
    let bytes = stream_of(fitting + 3);
    rig.transport.deliver_together(address(SOURCE), &bytes, 128);
    rig.cycle();
    assert_eq!(received(&conductor_half), fitting);
    assert_eq!(rig.count(SystemCounter::FlowControlOverRuns), 3);
}

#[test]
fn segments_of_any_length_do_no_harm() {
    let (mut rig, conductor_half) = Rig::with_image();
    let bytes = stream_of(4);
    for segment_length in [0, 1, 7, 31, 32, 33, 127, 129, 256, 511, 70_000] {
        rig.transport
            .deliver_together(address(SOURCE), &bytes, segment_length);
        rig.cycle();
    }
    // As two datagrams of two frames, or one of all, they are what they look like.
    assert_eq!(received(&conductor_half), 4);
    assert!(rig.count(SystemCounter::InvalidPackets) > 0);
}

#[test]
fn deliberate_loss_takes_single_datagrams_out_of_what_comes_together() {
    let endpoint = || ReceiveEndpointSpec {
        data_loss: LossChain::new(vec![LossGenerator::Random(RandomLoss::new(
            0.3,
            u64::MAX,
            Rng::new(5),
        ))]),
        ..endpoint_spec()
    };
    let mut arrived = Vec::new();
    for together in [false, true] {
        let mut rig = Rig::with(endpoint(), transport_spec());
        rig.subscribe(None);
        let conductor_half = rig.join(1);
        let bytes = stream_of(40);
        if together {
            rig.transport.deliver_together(address(SOURCE), &bytes, 128);
            rig.cycle();
        } else {
            bytes.chunks(128).for_each(|datagram| rig.receive(datagram));
        }
        let log = conductor_half.log();
        let is_there = |n: i64| log.scan(Position(n * 128), 1408).available > 0;
        arrived.push((0..40).filter(|n| is_there(*n)).collect::<Vec<_>>());
    }
    assert_eq!(arrived[0], arrived[1]);
    assert!((10..40).contains(&arrived[0].len()), "{arrived:?}");
}
